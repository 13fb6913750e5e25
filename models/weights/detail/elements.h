// Element types of weight files, converted to what is held in memory.
#pragma once

#include <bit>
#include <cstdint>

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

}  // namespace giza::models
