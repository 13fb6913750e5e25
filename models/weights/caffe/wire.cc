// The encoding of Protocol Buffers.
#include "models/weights/caffe/wire.h"

#include <algorithm>

#include "tensor/base/check.h"

namespace giza::models {
namespace {

constexpr uint64_t kWindow = uint64_t{1} << 14;

}  // namespace

uint8_t WireFile::byte(uint64_t at) {
  if (at < window_begin_ || at - window_begin_ >= window_.size()) {
    window_ = file_.read_at(at, std::min(kWindow, file_.size() - at));
    window_begin_ = at;
  }
  return static_cast<uint8_t>(window_[at - window_begin_]);
}

uint64_t WireFile::varint(uint64_t& at, uint64_t end) {
  const uint64_t begin = at;
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    check<Refusal>(at < end, "{}: byte {}: a number is cut off at byte {}; is the file whole?", file_.path(), begin,
                   end);
    const uint8_t next = byte(at++);
    value |= uint64_t{next & 0x7FU} << shift;
    // The tenth byte has one bit left.
    if (next < 0x80) {
      check<Refusal>(shift < 63 || next <= 1, "{}: byte {}: a number of more than 64 bits", file_.path(), begin);
      return value;
    }
  }
  throw Refusal(fmt::format("{}: byte {}: a number of more than 64 bits", file_.path(), begin));
}

bool WireMessage::next(WireField& field) {
  if (at_ >= end_) return false;
  const std::string& path = file_.file().path();
  const uint64_t begin = at_, tag = file_.varint(at_, end_);
  const uint64_t number = tag >> 3;
  check<Refusal>(number >= 1 && number < (uint64_t{1} << 29),
                 "{}: byte {}: a field with the number {}; is this Caffe's?", path, begin, number);
  field = {.number = static_cast<uint32_t>(number)};
  uint64_t bytes = 0;
  switch (tag & 7) {
    case 0:
      field.value = file_.varint(at_, end_);
      return true;
    case 1:
      field.kind = WireField::Kind::fixed64;
      bytes = 8;
      break;
    case 2:
      field.kind = WireField::Kind::bytes;
      bytes = file_.varint(at_, end_);
      break;
    case 5:
      field.kind = WireField::Kind::fixed32;
      bytes = 4;
      break;
    default:
      throw Refusal(
          fmt::format("{}: byte {}: a field of type {}, which no message of Caffe has", path, begin, tag & 7));
  }
  check<Refusal>(bytes <= end_ - at_,
                 "{}: byte {}: a field of {} bytes, where its message has {} left; is the file cut off?", path, begin,
                 bytes, end_ - at_);
  field.begin = at_;
  field.end = at_ += bytes;
  return true;
}

}  // namespace giza::models
