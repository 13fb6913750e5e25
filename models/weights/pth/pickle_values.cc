// The stack machine that builds a Pickle: its values, containers and calls.
#include <algorithm>

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

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  if (module == "__builtin__") module = "builtins";  // its name in Python 2, which protocol 2 keeps
  const auto& allowed = pickle_.allowed_;
  const auto found = std::find_if(allowed.begin(), allowed.end(), [&](const PickleGlobal& global) {
    return global.name.size() == module.size() + 1 + name.size() && global.name.starts_with(module) &&
           global.name[module.size()] == '.' && global.name.ends_with(name);
  });
  if (found == allowed.end()) {
    refuse(
        "names the global {}.{}, which is outside the allow-list of tensors, containers and plain values, so nothing "
        "was read; in Python save the state_dict alone: torch.save(model.state_dict(), FILE)",
        quotable(module), quotable(name));
  }
  const Ref made = make(PickleKind::global);
  pickle_.values_[made].chain.head = static_cast<uint32_t>(found - allowed.begin());
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

/// Moves stack_[first..] to the container below.
void PickleMachine::append_from(size_t first, PickleKind kind) {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (first <= floor || !pickle_.is(stack_[first - 1], kind)) refuse("appends to what is not {}", kind_name(kind));
  const Ref container = stack_[first - 1];
  for (size_t i = first; i < stack_.size(); ++i) append(container, stack_[i]);
  pickle_.values_[container].count += static_cast<uint32_t>(stack_.size() - first);
  stack_.resize(first);
}

void PickleMachine::set_items_from(size_t first) {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (first <= floor || !pickle_.is(stack_[first - 1], PickleKind::dict)) refuse("sets items of what is not a dict");
  if ((stack_.size() - first) % 2 != 0) refuse("sets items of a dict with a key that has no value");
  const Ref dict = stack_[first - 1];
  for (size_t i = first; i < stack_.size(); ++i) append(dict, stack_[i]);
  pickle_.values_[dict].count += static_cast<uint32_t>((stack_.size() - first) / 2);
  stack_.resize(first);
}

void PickleMachine::make_tuple_from(size_t first) {
  const Ref tuple = make(PickleKind::tuple);
  for (size_t i = first; i < stack_.size(); ++i) append(tuple, stack_[i]);
  pickle_.values_[tuple].count = static_cast<uint32_t>(stack_.size() - first);
  stack_.resize(first);
  push(tuple);
}

void PickleMachine::reduce() {
  const Ref arguments = pop(), function = pop();
  if (!pickle_.is(function, PickleKind::global)) refuse("calls {}", kind_name(pickle_.kind(function)));
  const uint32_t index = pickle_.values_[function].chain.head;
  const PickleGlobal& global = pickle_.allowed_[index];
  if (!global.callable) refuse("calls {}, which is no function", global.name);
  if (!pickle_.is(arguments, PickleKind::tuple)) {
    refuse("calls {} with {}, expected a tuple", global.name, kind_name(pickle_.kind(arguments)));
  }
  if (global.makes_dict && pickle_.count(arguments) == 0) {
    const Ref dict = make(PickleKind::dict);
    pickle_.values_[dict].fillable = true;
    return push(dict);
  }
  const Ref made = make(PickleKind::call);
  pickle_.values_[made].chain = {index, arguments};
  push(made);
}

void PickleMachine::build() {
  // Attributes of an OrderedDict, as the versions of a state_dict's modules; giza needs none of them.
  const Ref state = pop();
  const Ref object = top();
  if (!pickle_.values_[object].fillable || !pickle_.is(state, PickleKind::dict)) {
    refuse("sets attributes of {} from {}, expected only those of an OrderedDict", kind_name(pickle_.kind(object)),
           kind_name(pickle_.kind(state)));
  }
  // Not kept: the values stay in the arena, where their storages and tensors are checked like all others.
}

}  // namespace giza::models
