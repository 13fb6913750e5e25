// Element types of weight files, converted to what is held in memory.
#pragma once

#include <bit>
#include <cstdint>

#include "models/weights/weight_file.h"

namespace giza::models {

/// IEEE half precision, exact in float.
inline float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 0x1FU;
  const uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t bits =
      exponent == 31 ? sign | 0x7F800000U | (mantissa << 13) : sign | ((exponent + 112) << 23) | (mantissa << 13);
  return std::bit_cast<float>(bits);
}

/// bfloat16: the upper half of a float.
inline float brain_to_float(uint16_t brain) { return std::bit_cast<float>(uint32_t{brain} << 16); }

/// Calls body(From{}, convert) with the type of a file's elements and what turns one into what is held: float or int64.
template <class Body>
void with_element_type(DType dtype, const Body& body) {
  const auto integer = [](auto value) { return static_cast<int64_t>(value); };
  switch (dtype) {
    case DType::f32:
      return body(float{}, [](float value) { return value; });
    case DType::f16:
      return body(uint16_t{}, half_to_float);
    case DType::bf16:
      return body(uint16_t{}, brain_to_float);
    case DType::f64:
      return body(double{}, [](double value) { return static_cast<float>(value); });
    case DType::i64:
      return body(int64_t{}, integer);
    case DType::i32:
      return body(int32_t{}, integer);
    case DType::i16:
      return body(int16_t{}, integer);
    case DType::i8:
      return body(int8_t{}, integer);
    case DType::u64:
      return body(uint64_t{}, integer);
    case DType::u32:
      return body(uint32_t{}, integer);
    case DType::u16:
      return body(uint16_t{}, integer);
    case DType::u8:
    case DType::boolean:  // a byte each
      return body(uint8_t{}, integer);
  }
}

}  // namespace giza::models
