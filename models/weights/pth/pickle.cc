// Python's pickles, read as data: the finished graph of values.
#include "models/weights/pth/pickle.h"

#include "models/weights/pth/pickle_machine.h"
#include "tensor/base/check.h"

namespace giza::models {
namespace {

constexpr size_t kMaxDepth = 500;  // Python's own pickler gives up below 1000 levels of calls

}  // namespace

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
  }
  return "";
}

Pickle::Pickle(std::string_view bytes, std::span<const PickleGlobal> allowed, const std::string& place, uint64_t origin)
    : bytes_(bytes), allowed_(allowed) {
  PickleMachine(this, place, origin).run();
  check_nesting(place);
}

std::string_view Pickle::text(Ref ref) const {
  const Value& value = values_[ref];
  if (value.kind == PickleKind::global) return allowed_[value.chain.head].name;
  return bytes_.substr(value.chain.head, value.count);
}

std::vector<Pickle::Ref> Pickle::items(Ref ref, size_t most) const {
  std::vector<Ref> result;
  for (uint32_t cell = values_[ref].chain.head; cell != kNothing && result.size() < most; cell = cells_[cell].next) {
    result.push_back(cells_[cell].value);
  }
  return result;
}

void Pickle::check_nesting(const std::string& place) const {
  enum class State : uint8_t { unseen, open, done };
  struct Frame {
    Ref ref;
    uint32_t cell;  ///< next cell to visit, for containers
    bool argument;  ///< whether the argument of a call or persistent is still to be visited
  };
  std::vector<State> states(values_.size(), State::unseen);
  std::vector<Frame> path;
  const auto open = [&](Ref ref) {
    if (states[ref] == State::done) return;
    check<Refusal>(states[ref] == State::unseen,
                   "{}: a container of the pickle contains itself, which no checkpoint does; is the file damaged?",
                   place);
    check<Refusal>(path.size() < kMaxDepth, "{}: the pickle is nested more than {} levels deep", place, kMaxDepth);
    const PickleKind its = values_[ref].kind;
    const bool container =
        its == PickleKind::tuple || its == PickleKind::list || its == PickleKind::dict || its == PickleKind::set;
    states[ref] = State::open;
    path.push_back({ref, container ? values_[ref].chain.head : kNothing,
                    its == PickleKind::call || its == PickleKind::persistent});
  };
  open(root_);
  while (!path.empty()) {
    Frame& frame = path.back();
    if (frame.cell != kNothing) {
      const Cell& cell = cells_[frame.cell];
      frame.cell = cell.next;
      open(cell.value);  // may move the frames
    } else if (frame.argument) {
      frame.argument = false;
      open(values_[frame.ref].chain.tail);
    } else {
      states[frame.ref] = State::done;
      path.pop_back();
    }
  }
}

}  // namespace giza::models
