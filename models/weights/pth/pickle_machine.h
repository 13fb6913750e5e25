// The stack machine that builds a Pickle, opcode by opcode.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "models/weights/pth/pickle.h"
#include "tensor/base/check.h"

namespace giza::models {

/// Runs the opcodes of one pickle (https://github.com/python/cpython/blob/main/Lib/pickletools.py has their meaning).
class PickleMachine {
 public:
  PickleMachine(Pickle* pickle, const std::string& place, uint64_t origin)
      : pickle_(*pickle), place_(place), origin_(origin) {}
  void run();

 private:
  using Ref = Pickle::Ref;
  static constexpr size_t kMaxValues = size_t{1} << 20, kMaxCells = size_t{1} << 21, kMaxStack = size_t{1} << 16;
  static constexpr size_t kMaxForeignNames = 4096;

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw Refusal(fmt::format("{}: the pickle at byte {} {}", place_, origin_ + opcode_at_,
                              fmt::format(format, std::forward<Args>(args)...)));
  }

  // Bytes.
  std::string_view take(size_t count);
  template <class T>
  T take_number() {
    T value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  /// Up to the line feed, which is taken too and must come within `longest` bytes.
  std::string_view take_line(size_t longest);
  /// The number that a line of digits is, as protocol 0 writes all numbers.
  size_t take_index();

  // Opcodes by family; each returns whether it knew the opcode.
  void execute(unsigned char opcode);
  bool scalar(unsigned char opcode);
  bool text_scalar(unsigned char opcode);
  bool stack(unsigned char opcode);
  bool string(unsigned char opcode);
  bool container(unsigned char opcode);
  bool memo(unsigned char opcode);
  bool object(unsigned char opcode);
  bool foreign_object(unsigned char opcode);

  // Values.
  Ref make(PickleKind kind);
  void push(Ref ref);
  void push_integer(PickleKind kind, int64_t value);
  void push_text(PickleKind kind, std::string_view text);
  void push_long(std::string_view bytes);
  void push_decimal(std::string_view digits);
  void push_global(std::string_view module, std::string_view name);
  /// A persistent id of PyTorch is a tuple; any other is of a program that we do not know.
  void push_persistent(Ref id);
  void push_opaque(std::string maker);
  /// What is called so from now on, for messages.
  uint32_t foreign_name(std::string name);
  /// The name of what a global, a call or an object of foreign code comes from.
  std::string maker_of(Ref ref) const;
  Ref pop();
  Ref top() const;

  // Containers.
  size_t pop_mark();
  void append(Ref container, Ref value);
  void append_from(size_t first, PickleKind kind);
  void make_from(size_t first, PickleKind kind);
  void set_items_from(size_t first);
  void make_tuple_from(size_t first);
  void reduce();
  void new_object(size_t first);
  void build();
  /// True for what foreign code changes after it was made: whatever it was, it is opaque from now on.
  bool make_opaque(Ref ref);

  Pickle& pickle_;
  const std::string& place_;
  uint64_t origin_;
  size_t position_ = 0, opcode_at_ = 0;
  std::vector<Ref> stack_;
  std::vector<size_t> marks_;
  std::vector<Ref> memo_;
  std::map<std::string, uint32_t, std::less<>> foreign_;
  // Values that need no copies.
  Ref none_ = Pickle::kNothing, true_ = Pickle::kNothing, false_ = Pickle::kNothing, real_ = Pickle::kNothing;
  Ref empty_tuple_ = Pickle::kNothing;
};

}  // namespace giza::models
