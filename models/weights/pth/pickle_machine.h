// The stack machine that builds a Pickle, opcode by opcode.
#pragma once

#include <cstring>
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
  std::string_view take_line();

  // Opcodes by family; each returns whether it knew the opcode.
  void execute(unsigned char opcode);
  bool scalar(unsigned char opcode);
  bool string(unsigned char opcode);
  bool container(unsigned char opcode);
  bool memo(unsigned char opcode);
  bool object(unsigned char opcode);

  // Values.
  Ref make(PickleKind kind);
  void push(Ref ref);
  void push_integer(PickleKind kind, int64_t value);
  void push_text(PickleKind kind, std::string_view text);
  void push_long(std::string_view bytes);
  void push_global(std::string_view module, std::string_view name);
  Ref pop();
  Ref top() const;

  // Containers.
  size_t pop_mark();
  void append(Ref container, Ref value);
  void append_from(size_t first, PickleKind kind);
  void set_items_from(size_t first);
  void make_tuple_from(size_t first);
  void reduce();
  void build();

  Pickle& pickle_;
  const std::string& place_;
  uint64_t origin_;
  size_t position_ = 0, opcode_at_ = 0;
  std::vector<Ref> stack_;
  std::vector<size_t> marks_;
  std::vector<Ref> memo_;
  // Values that need no copies.
  Ref none_ = Pickle::kNothing, true_ = Pickle::kNothing, false_ = Pickle::kNothing, empty_tuple_ = Pickle::kNothing;
};

}  // namespace giza::models
