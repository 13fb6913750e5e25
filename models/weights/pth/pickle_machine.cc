// The stack machine that builds a Pickle, opcode by opcode.
#include "models/weights/pth/pickle_machine.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "models/weights/pth/opcodes.h"

static_assert(std::endian::native == std::endian::little, "pickles are little-endian and read without swapping");

namespace giza::models {
namespace {

constexpr size_t kMaxLine = 512;  // of a name or number; a text may be longer

}  // namespace

std::string_view PickleMachine::take(size_t count) {
  if (count > pickle_.bytes_.size() - position_) {
    refuse("is cut off: {} bytes are missing; copy the file again", count - (pickle_.bytes_.size() - position_));
  }
  const std::string_view bytes = pickle_.bytes_.substr(position_, count);
  position_ += count;
  return bytes;
}

std::string_view PickleMachine::take_line(size_t longest) {
  const size_t length = pickle_.bytes_.substr(position_, longest).find('\n');
  if (length == std::string_view::npos) {
    refuse("has a line without an end within {} bytes", std::min(longest, pickle_.bytes_.size() - position_));
  }
  return take(length + 1).substr(0, length);
}

size_t PickleMachine::take_index() {
  const std::string_view line = take_line(kMaxLine);
  size_t index = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), index);
  if (error != std::errc() || end != line.data() + line.size()) refuse("has a place of its memo that is no number");
  return index;
}

void PickleMachine::run() {
  // Protocols 0 and 1 do not say which they are.
  if (pickle_.bytes_.starts_with(static_cast<char>(kProto))) {
    const int protocol = static_cast<unsigned char>(take(2)[1]);
    if (protocol > 5) refuse("is of protocol {}, expected 0 to 5", protocol);
  }
  for (;;) {
    opcode_at_ = position_;
    const auto opcode = static_cast<unsigned char>(take(1)[0]);
    if (opcode == kStop) break;
    execute(opcode);
  }
  if (stack_.size() != 1 || !marks_.empty()) refuse("ends with {} values instead of one", stack_.size());
  pickle_.root_ = stack_[0];
  pickle_.consumed_ = position_;
}

void PickleMachine::execute(unsigned char opcode) {
  if (scalar(opcode) || text_scalar(opcode) || stack(opcode) || string(opcode) || container(opcode) || memo(opcode) ||
      object(opcode) || foreign_object(opcode)) {
    return;
  }
  refuse("has opcode 0x{:02x}, which no pickle in a file has; copy the file again", opcode);
}

bool PickleMachine::scalar(unsigned char opcode) {
  const auto push_shared = [&](Ref* shared, PickleKind kind, int64_t value) {
    if (*shared == Pickle::kNothing) {
      *shared = make(kind);
      pickle_.values_[*shared].integer = value;
    }
    push(*shared);
  };
  switch (opcode) {
    case kNone:
      push_shared(&none_, PickleKind::none, 0);
      return true;
    case kNewTrue:
      push_shared(&true_, PickleKind::boolean, 1);
      return true;
    case kNewFalse:
      push_shared(&false_, PickleKind::boolean, 0);
      return true;
    case kBinInt:
      push_integer(PickleKind::integer, take_number<int32_t>());
      return true;
    case kBinInt1:
      push_integer(PickleKind::integer, take_number<uint8_t>());
      return true;
    case kBinInt2:
      push_integer(PickleKind::integer, take_number<uint16_t>());
      return true;
    case kLong1:
      push_long(take(take_number<uint8_t>()));
      return true;
    case kLong4:
      push_long(take(take_number<uint32_t>()));
      return true;
    case kBinFloat:
      take(8);  // no number of a checkpoint that giza reads is a float: only its place is kept
      push_shared(&real_, PickleKind::real, 0);
      return true;
    case kFloat:
      take_line(kMaxLine);
      push_shared(&real_, PickleKind::real, 0);
      return true;
    case kFrame:
      if (take_number<uint64_t>() > pickle_.bytes_.size() - position_) refuse("has a frame beyond its end");
      return true;
    default:
      return false;
  }
}

bool PickleMachine::text_scalar(unsigned char opcode) {
  constexpr size_t kUnbounded = std::string_view::npos;
  switch (opcode) {
    case kInt:
    case kLong: {
      std::string_view line = take_line(kUnbounded);
      if (line == "00" || line == "01") return scalar(line == "01" ? kNewTrue : kNewFalse);
      if (line.ends_with('L')) line.remove_suffix(1);
      push_decimal(line);
      return true;
    }
    case kString: {
      // Quoted, with escapes that no name of a tensor has: they are left as they are.
      const std::string_view line = take_line(kUnbounded);
      if (line.size() < 2 || line.front() != line.back() || (line.front() != '\'' && line.front() != '"')) {
        refuse("has a text without quotes");
      }
      push_text(PickleKind::text, line.substr(1, line.size() - 2));
      return true;
    }
    case kUnicode:
      push_text(PickleKind::text, take_line(kUnbounded));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::stack(unsigned char opcode) {
  switch (opcode) {
    case kPop:
      // On a mark it takes that away.
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case kPopMark:
      stack_.resize(pop_mark());
      return true;
    case kDup:
      push(top());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::string(unsigned char opcode) {
  switch (opcode) {
    case kBinUnicode:
    case kBinString:  // a str of Python 2
      push_text(PickleKind::text, take(take_number<uint32_t>()));
      return true;
    case kShortBinUnicode:
    case kShortBinString:
      push_text(PickleKind::text, take(take_number<uint8_t>()));
      return true;
    case kBinBytes:
      push_text(PickleKind::bytes, take(take_number<uint32_t>()));
      return true;
    case kShortBinBytes:
      push_text(PickleKind::bytes, take(take_number<uint8_t>()));
      return true;
    case kBinUnicode8:
      push_text(PickleKind::text, take(take_number<uint64_t>()));
      return true;
    case kBinBytes8:
    case kByteArray8:
      push_text(PickleKind::bytes, take(take_number<uint64_t>()));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::container(unsigned char opcode) {
  switch (opcode) {
    case kMark:
      if (marks_.size() >= kMaxStack) refuse("has more than {} open containers", kMaxStack);
      marks_.push_back(stack_.size());
      return true;
    case kEmptyTuple:
      if (empty_tuple_ == Pickle::kNothing) empty_tuple_ = make(PickleKind::tuple);
      push(empty_tuple_);
      return true;
    case kEmptyList:
      push(make(PickleKind::list));
      return true;
    case kEmptyDict:
      push(make(PickleKind::dict));
      return true;
    case kEmptySet:
      push(make(PickleKind::set));
      return true;
    case kTuple:
      make_from(pop_mark(), PickleKind::tuple);
      return true;
    case kList:
      make_from(pop_mark(), PickleKind::list);
      return true;
    case kFrozenSet:
      make_from(pop_mark(), PickleKind::set);
      return true;
    case kDict: {
      const size_t first = pop_mark();
      const Ref dict = make(PickleKind::dict);
      if (stack_.size() >= kMaxStack) refuse("holds more than {} values at once on its stack", kMaxStack);
      stack_.insert(stack_.begin() + static_cast<std::ptrdiff_t>(first), dict);
      set_items_from(first + 1);
      return true;
    }
    case kTuple1:
    case kTuple2:
    case kTuple3: {
      const auto size = static_cast<size_t>(opcode - kTuple1) + 1;
      if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < size) refuse("takes a value from an empty stack");
      make_from(stack_.size() - size, PickleKind::tuple);
      return true;
    }
    case kAppend:
      top();
      append_from(stack_.size() - 1, PickleKind::list);
      return true;
    case kAppends:
      append_from(pop_mark(), PickleKind::list);
      return true;
    case kAddItems:
      append_from(pop_mark(), PickleKind::set);
      return true;
    case kSetItem:
      if (stack_.size() < 2) refuse("takes a value from an empty stack");
      set_items_from(stack_.size() - 2);
      return true;
    case kSetItems:
      set_items_from(pop_mark());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::memo(unsigned char opcode) {
  switch (opcode) {
    case kPut:
    case kMemoize:
    case kBinPut:
    case kLongBinPut: {
      const size_t index = opcode == kMemoize  ? memo_.size()
                           : opcode == kPut    ? take_index()
                           : opcode == kBinPut ? take_number<uint8_t>()
                                               : take_number<uint32_t>();
      // A Pickler counts up, Python 2's from 1: so the memo is never larger than the pickle.
      if (index > memo_.size() + 1 || index >= kMaxValues) refuse("skips places of its memo, up to {}", index);
      if (index >= memo_.size()) memo_.resize(index + 1, Pickle::kNothing);
      if (memo_[index] != Pickle::kNothing) refuse("stores place {} of its memo twice", index);
      memo_[index] = top();
      return true;
    }
    case kGet:
    case kBinGet:
    case kLongBinGet: {
      const size_t index = opcode == kGet      ? take_index()
                           : opcode == kBinGet ? take_number<uint8_t>()
                                               : take_number<uint32_t>();
      if (index >= memo_.size() || memo_[index] == Pickle::kNothing) {
        refuse("asks for place {} of its memo, which is empty", index);
      }
      push(memo_[index]);
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::object(unsigned char opcode) {
  switch (opcode) {
    case kGlobal: {
      const std::string_view module = take_line(kMaxLine);
      push_global(module, take_line(kMaxLine));
      return true;
    }
    case kStackGlobal: {
      const Ref name = pop(), module = pop();
      if (!pickle_.is(name, PickleKind::text) || !pickle_.is(module, PickleKind::text)) {
        refuse("names a global by {}", kind_name(pickle_.kind(pickle_.is(name, PickleKind::text) ? module : name)));
      }
      push_global(pickle_.text(module), pickle_.text(name));
      return true;
    }
    case kReduce:
      reduce();
      return true;
    case kBuild:
      build();
      return true;
    case kBinPersId:
      push_persistent(pop());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::foreign_object(unsigned char opcode) {
  switch (opcode) {
    case kPersId:  // a text, by which no tensor can be made
      take_line(std::string_view::npos);
      push_opaque("a persistent id");
      return true;
    case kNewObj:
    case kNewObjEx: {
      const size_t operands = opcode == kNewObj ? 2 : 3;  // the class, arguments, arguments by name
      if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < operands) {
        refuse("takes a value from an empty stack");
      }
      new_object(stack_.size() - operands);
      return true;
    }
    case kObj: {
      const size_t first = pop_mark();
      if (first == stack_.size()) refuse("makes an object of no class");
      new_object(first);
      return true;
    }
    case kInst: {
      const std::string_view module = take_line(kMaxLine), name = take_line(kMaxLine);
      stack_.resize(pop_mark());
      push_opaque(fmt::format("{}.{}", module, name));
      return true;
    }
    case kExt1:
    case kExt2:
    case kExt4:
      take(opcode == kExt1 ? 1 : opcode == kExt2 ? 2 : 4);
      push_opaque("an extension code");
      return true;
    default:
      return false;
  }
}

}  // namespace giza::models
