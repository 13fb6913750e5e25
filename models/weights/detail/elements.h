// Element types of weight files, converted to what is held in memory.
#pragma once

#include <bit>
#include <cmath>
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

/// The nearest half, of two equally near ones the even; infinity from 65520 on.
inline uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000U);
  const float magnitude = std::bit_cast<float>(bits & 0x7FFFFFFFU);
  if (std::isnan(value)) return sign | 0x7E00U;
  if (magnitude >= 65520.0F) return sign | 0x7C00U;
  // Below 2^-14 halves are multiples of 2^-24. The sum has these as its last bits: adding rounds.
  if (magnitude < 0x1p-14F) return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(magnitude + 0.5F) & 0x7FFU);
  const uint32_t rest = bits & 0x1FFFU, kept = ((bits & 0x7FFFFFFFU) >> 13) - (112U << 10);
  const bool up = rest > 0x1000U || (rest == 0x1000U && (kept & 1U) != 0);
  return sign | static_cast<uint16_t>(kept + (up ? 1 : 0));
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
