// Python's pickles, read as data: the finished graph of values.
#include "models/weights/pth/pickle.h"

#include "models/weights/pth/pickle_machine.h"

namespace giza::models {

const char* kind_name(PickleKind kind) {
  switch (kind) {
    case PickleKind::none:
      return "None";
    case PickleKind::boolean:
      return "a truth value";
    case PickleKind::integer:
    case PickleKind::long_integer:
      return "an integer";
    case PickleKind::real:
      return "a float";
    case PickleKind::text:
      return "a string";
    case PickleKind::bytes:
      return "bytes";
    case PickleKind::tuple:
      return "a tuple";
    case PickleKind::list:
      return "a list";
    case PickleKind::dict:
      return "a dict";
    case PickleKind::set:
      return "a set";
    case PickleKind::global:
      return "a type or function";
    case PickleKind::call:
      return "an object";
    case PickleKind::persistent:
      return "a storage";
    case PickleKind::foreign:
      return "a foreign type or function";
    case PickleKind::opaque:
      return "a foreign object";
  }
  return "";
}

Pickle::Pickle(std::string_view bytes, std::span<const PickleGlobal> allowed, const std::string& place, uint64_t origin)
    : bytes_(bytes), allowed_(allowed) {
  PickleMachine(this, place, origin).run();
}

std::string_view Pickle::text(Ref ref) const {
  const Value& value = values_[ref];
  if (value.kind == PickleKind::global) return allowed_[value.chain.head].name;
  if (value.kind == PickleKind::foreign || value.kind == PickleKind::opaque) return foreign_names_[value.chain.head];
  return bytes_.substr(value.chain.head, value.count);
}

std::vector<Pickle::Ref> Pickle::items(Ref ref, size_t most) const {
  std::vector<Ref> result;
  for (uint32_t cell = values_[ref].chain.head; cell != kNothing && result.size() < most; cell = cells_[cell].next) {
    result.push_back(cells_[cell].value);
  }
  return result;
}

}  // namespace giza::models
