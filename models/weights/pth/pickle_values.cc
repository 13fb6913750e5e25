// The stack machine that builds a Pickle: its values, containers and calls.
#include <algorithm>
#include <charconv>
#include <utility>

#include "models/weights/pth/pickle_machine.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"

namespace giza::models {

Pickle::Ref PickleMachine::make(PickleKind kind) {
  if (pickle_.values_.size() >= kMaxValues) refuse("holds more than {} values", kMaxValues);
  Pickle::Value& value = pickle_.values_.emplace_back();
  value.kind = kind;
  value.chain = {Pickle::kNothing, Pickle::kNothing};
  return static_cast<Ref>(pickle_.values_.size() - 1);
}

void PickleMachine::push(Ref ref) {
  if (stack_.size() >= kMaxStack) refuse("holds more than {} values at once on its stack", kMaxStack);
  stack_.push_back(ref);
}

void PickleMachine::push_integer(PickleKind kind, int64_t value) {
  const Ref made = make(kind);
  pickle_.values_[made].integer = value;
  push(made);
}

void PickleMachine::push_text(PickleKind kind, std::string_view text) {
  const Ref made = make(kind);
  pickle_.values_[made].count = static_cast<uint32_t>(text.size());
  pickle_.values_[made].chain.head = static_cast<uint32_t>(text.data() - pickle_.bytes_.data());
  push(made);
}

void PickleMachine::push_long(std::string_view bytes) {
  if (bytes.size() > 8) return push_text(PickleKind::long_integer, bytes);
  // Two's complement, little-endian, sign-extended from the last byte.
  int64_t value = !bytes.empty() && (bytes.back() & 0x80) != 0 ? -1 : 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  push_integer(PickleKind::integer, value);
}

void PickleMachine::push_decimal(std::string_view digits) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range) return push_text(PickleKind::long_integer, digits);
  if (error != std::errc() || end != digits.data() + digits.size()) refuse("has a number that is none");
  push_integer(PickleKind::integer, value);
}

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  if (module == "__builtin__") module = "builtins";  // its name in Python 2, which protocol 2 keeps
  const auto& allowed = pickle_.allowed_;
  const auto found = std::find_if(allowed.begin(), allowed.end(), [&](const PickleGlobal& global) {
    return global.name.size() == module.size() + 1 + name.size() && global.name.starts_with(module) &&
           global.name[module.size()] == '.' && global.name.ends_with(name);
  });
  if (found == allowed.end()) {
    const Ref made = make(PickleKind::foreign);
    pickle_.values_[made].chain.head = foreign_name(fmt::format("{}.{}", quotable(module), quotable(name)));
    return push(made);
  }
  const Ref made = make(PickleKind::global);
  pickle_.values_[made].chain.head = static_cast<uint32_t>(found - allowed.begin());
  push(made);
}

uint32_t PickleMachine::foreign_name(std::string name) {
  const auto known = foreign_.find(name);
  if (known != foreign_.end()) return known->second;
  std::vector<std::string>& names = pickle_.foreign_names_;
  // Names are for messages alone: of a file with thousands of them, the last stands for all others.
  if (names.size() == kMaxForeignNames) return static_cast<uint32_t>(names.size() - 1);
  names.push_back(names.size() + 1 == kMaxForeignNames ? "another foreign name" : quotable(name, 160));
  const auto index = static_cast<uint32_t>(names.size() - 1);
  foreign_.emplace(std::move(name), index);
  return index;
}

std::string PickleMachine::maker_of(Ref ref) const {
  switch (pickle_.kind(ref)) {
    case PickleKind::call:
      return std::string(pickle_.function(ref));
    case PickleKind::global:
    case PickleKind::foreign:
    case PickleKind::opaque:
      return std::string(pickle_.text(ref));
    case PickleKind::persistent: {
      // Of whole modules, before PyTorch 1.6: ('module', class, file, source).
      const std::vector<Ref> fields = pickle_.items(pickle_.argument(ref), 2);
      if (fields.size() == 2 && pickle_.is(fields[1], PickleKind::foreign)) return std::string(pickle_.text(fields[1]));
      return kind_name(PickleKind::persistent);
    }
    default:
      return kind_name(pickle_.kind(ref));
  }
}

void PickleMachine::push_opaque(std::string maker) {
  const uint32_t name = foreign_name(std::move(maker));
  const Ref made = make(PickleKind::opaque);
  pickle_.values_[made].chain.head = name;
  push(made);
}

void PickleMachine::push_persistent(Ref id) {
  if (!pickle_.is(id, PickleKind::tuple)) return push_opaque("a persistent id");
  const Ref made = make(PickleKind::persistent);
  pickle_.values_[made].chain = {Pickle::kNothing, id};
  push(made);
}

Pickle::Ref PickleMachine::pop() {
  const Ref ref = top();
  stack_.pop_back();
  return ref;
}

Pickle::Ref PickleMachine::top() const {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("takes a value from an empty stack");
  return stack_.back();
}

size_t PickleMachine::pop_mark() {
  if (marks_.empty()) refuse("ends a container that it never began");
  const size_t mark = marks_.back();
  marks_.pop_back();
  return mark;
}

void PickleMachine::append(Ref container, Ref value) {
  if (pickle_.cells_.size() >= kMaxCells) refuse("holds more than {} places in containers", kMaxCells);
  const auto cell = static_cast<uint32_t>(pickle_.cells_.size());
  pickle_.cells_.push_back({value, Pickle::kNothing});
  Pickle::Chain& chain = pickle_.values_[container].chain;
  if (chain.head == Pickle::kNothing) {
    chain.head = cell;
  } else {
    pickle_.cells_[chain.tail].next = cell;
  }
  chain.tail = cell;
}

bool PickleMachine::make_opaque(Ref ref) {
  const PickleKind kind = pickle_.kind(ref);
  // A storage can stand in a tensor already, which would then rest on nothing; a foreign name is opaque as it is.
  if (kind == PickleKind::opaque || kind == PickleKind::foreign) return true;
  if (kind != PickleKind::call) return false;
  const uint32_t name = foreign_name(std::string(pickle_.function(ref)));
  pickle_.values_[ref].kind = PickleKind::opaque;
  pickle_.values_[ref].chain = {name, Pickle::kNothing};
  return true;
}

/// Moves stack_[first..] to the container below; where that is opaque, nothing is kept of them.
void PickleMachine::append_from(size_t first, PickleKind kind) {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (first <= floor) refuse("appends to what is not {}", kind_name(kind));
  const Ref container = stack_[first - 1];
  if (pickle_.is(container, kind)) {
    for (size_t i = first; i < stack_.size(); ++i) append(container, stack_[i]);
    pickle_.values_[container].count += static_cast<uint32_t>(stack_.size() - first);
  } else if (!make_opaque(container)) {
    refuse("appends to what is not {}", kind_name(kind));
  }
  stack_.resize(first);
}

void PickleMachine::set_items_from(size_t first) {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (first <= floor) refuse("sets items of what is not a dict");
  if ((stack_.size() - first) % 2 != 0) refuse("sets items of a dict with a key that has no value");
  const Ref container = stack_[first - 1];
  if (pickle_.is(container, PickleKind::dict)) {
    for (size_t i = first; i < stack_.size(); ++i) append(container, stack_[i]);
    pickle_.values_[container].count += static_cast<uint32_t>((stack_.size() - first) / 2);
  } else if (!make_opaque(container)) {
    refuse("sets items of what is not a dict");
  }
  stack_.resize(first);
}

void PickleMachine::make_from(size_t first, PickleKind kind) {
  const Ref made = make(kind);
  for (size_t i = first; i < stack_.size(); ++i) append(made, stack_[i]);
  pickle_.values_[made].count = static_cast<uint32_t>(stack_.size() - first);
  stack_.resize(first);
  push(made);
}

void PickleMachine::reduce() {
  const Ref arguments = pop(), function = pop();
  if (pickle_.is(function, PickleKind::foreign) || pickle_.is(function, PickleKind::opaque)) {
    return push_opaque(maker_of(function));
  }
  if (!pickle_.is(function, PickleKind::global)) refuse("calls {}", kind_name(pickle_.kind(function)));
  const uint32_t index = pickle_.values_[function].chain.head;
  const PickleGlobal& global = pickle_.allowed_[index];
  if (!pickle_.is(arguments, PickleKind::tuple)) {
    refuse("calls {} with {}, expected a tuple", global.name, kind_name(pickle_.kind(arguments)));
  }
  if (!global.callable) return push_opaque(std::string(global.name));
  // A defaultdict is called with the factory of its values, which are all there already.
  const std::vector<Ref> first = pickle_.items(arguments, 1);
  const bool factory = pickle_.count(arguments) == 1 &&
                       (pickle_.is(first[0], PickleKind::foreign) || pickle_.is(first[0], PickleKind::global) ||
                        pickle_.is(first[0], PickleKind::none));
  if (global.makes_dict && (pickle_.count(arguments) == 0 || factory)) {
    const Ref dict = make(PickleKind::dict);
    pickle_.values_[dict].fillable = true;
    return push(dict);
  }
  const Ref made = make(PickleKind::call);
  pickle_.values_[made].chain = {index, arguments};
  push(made);
}

/// Of the class in stack_[first] with the operands after it: a way to make objects that no tensor is made by.
void PickleMachine::new_object(size_t first) {
  std::string maker = maker_of(stack_[first]);
  stack_.resize(first);
  push_opaque(std::move(maker));
}

void PickleMachine::build() {
  pop();  // the state, of which nothing is kept: its storages and tensors are in the arena and checked like all others
  const Ref object = top();
  // An OrderedDict may have attributes, as the versions of a state_dict's modules.
  if (pickle_.values_[object].fillable || make_opaque(object)) return;
  refuse("sets attributes of {}, which has none", kind_name(pickle_.kind(object)));
}

}  // namespace giza::models
