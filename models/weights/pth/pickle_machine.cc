// The stack machine that builds a Pickle, opcode by opcode.
#include "models/weights/pth/pickle_machine.h"

#include <bit>

static_assert(std::endian::native == std::endian::little, "pickles are little-endian and read without swapping");

namespace giza::models {
namespace {

constexpr size_t kMaxLine = 512;

/// The opcodes that torch.save, which is Python's Pickler, writes for checkpoints.
enum Opcode : unsigned char {
  kMark = '(',
  kStop = '.',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyList = ']',
  kEmptyTuple = ')',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  // Protocol 3.
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  // Protocol 4.
  kShortBinUnicode = 0x8c,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

}  // namespace

std::string_view PickleMachine::take(size_t count) {
  if (count > pickle_.bytes_.size() - position_) {
    refuse("is cut off: {} bytes are missing; copy the file again", count - (pickle_.bytes_.size() - position_));
  }
  const std::string_view bytes = pickle_.bytes_.substr(position_, count);
  position_ += count;
  return bytes;
}

std::string_view PickleMachine::take_line() {
  const size_t length = pickle_.bytes_.substr(position_, kMaxLine).find('\n');
  if (length == std::string_view::npos) refuse("has a name without an end within {} bytes", kMaxLine);
  return take(length + 1).substr(0, length);
}

void PickleMachine::run() {
  const std::string_view start = take(2);
  const int protocol = static_cast<unsigned char>(start[1]);
  if (static_cast<unsigned char>(start[0]) != kProto || protocol < 2 || protocol > 5) {
    refuse("does not begin as one of protocol 2 to 5, expected what torch.save writes");
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
  if (scalar(opcode) || string(opcode) || container(opcode) || memo(opcode) || object(opcode)) return;
  refuse("has opcode 0x{:02x}, which torch.save does not write for weights", opcode);
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
    case kBinFloat:
      take(8);  // no number of a checkpoint that giza reads is a float: only its place is kept
      push_integer(PickleKind::real, 0);
      return true;
    case kFrame:
      if (take_number<uint64_t>() > pickle_.bytes_.size() - position_) refuse("has a frame beyond its end");
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
      make_tuple_from(pop_mark());
      return true;
    case kTuple1:
    case kTuple2:
    case kTuple3: {
      const auto size = static_cast<size_t>(opcode - kTuple1 + 1);
      if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < size) refuse("takes a value from an empty stack");
      make_tuple_from(stack_.size() - size);
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
    case kMemoize:
    case kBinPut:
    case kLongBinPut: {
      const size_t index = opcode == kMemoize  ? memo_.size()
                           : opcode == kBinPut ? take_number<uint8_t>()
                                               : take_number<uint32_t>();
      // A Pickler counts up, Python 2's from 1: so the memo is never larger than the pickle.
      if (index > memo_.size() + 1 || index >= kMaxValues) refuse("skips places of its memo, up to {}", index);
      if (index >= memo_.size()) memo_.resize(index + 1, Pickle::kNothing);
      if (memo_[index] != Pickle::kNothing) refuse("stores place {} of its memo twice", index);
      memo_[index] = top();
      return true;
    }
    case kBinGet:
    case kLongBinGet: {
      const size_t index = opcode == kBinGet ? take_number<uint8_t>() : take_number<uint32_t>();
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
      const std::string_view module = take_line();
      push_global(module, take_line());
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
    case kBinPersId: {
      const Ref id = pop();
      if (!pickle_.is(id, PickleKind::tuple)) {
        refuse("has {} as a persistent id, expected a tuple", kind_name(pickle_.kind(id)));
      }
      const Ref made = make(PickleKind::persistent);
      pickle_.values_[made].chain = {Pickle::kNothing, id};
      push(made);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace giza::models
