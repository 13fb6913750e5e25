// The encoding of Protocol Buffers (https://protobuf.dev/programming-guides/encoding), walked in a file field by field.
#pragma once

#include <cstdint>
#include <string>

#include "tensor/base/file.h"

namespace giza::models {

/// A field of a message: its number, and its value or where its bytes lie in the file.
struct WireField {
  enum class Kind { varint, fixed64, bytes, fixed32 };  ///< bytes: a text, a message, or packed numbers
  uint32_t number = 0;
  Kind kind = Kind::varint;
  uint64_t value = 0;           ///< of a varint
  uint64_t begin = 0, end = 0;  ///< of the others

  bool is(uint32_t wanted, Kind as) const { return number == wanted && kind == as; }
};

/// A file seen through a small window that moves along, for bytes that are read one by one.
class WireFile {
 public:
  explicit WireFile(const InputFile& file) : file_(file) {}
  const InputFile& file() const { return file_; }

  /// The varint at `at`, which moves behind it. Throws Refusal "FILE: byte N: ..." if it does not end before `end`, or
  /// is none of 64 bits.
  uint64_t varint(uint64_t& at, uint64_t end);
  /// The byte at `at`, which lies within the file.
  uint8_t byte(uint64_t at);

 private:
  const InputFile& file_;
  std::string window_;
  uint64_t window_begin_ = 0;
};

/// The fields of the message that lies in bytes [begin, end) of a file, one after another. Nothing is kept of them:
/// whoever asks holds what it needs, and a message inside is walked the same way, so that neither nesting nor size
/// costs memory.
class WireMessage {
 public:
  WireMessage(WireFile& file, uint64_t begin, uint64_t end) : file_(file), at_(begin), end_(end) {}
  /// False at the end. Throws Refusal "FILE: byte N: ..." for a field that is none, or reaches beyond the message.
  bool next(WireField& field);

 private:
  WireFile& file_;
  uint64_t at_, end_;
};

}  // namespace giza::models
