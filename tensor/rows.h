// Rows of floats in memory, as loops take them.
#pragma once

#include <cstdint>

namespace giza {

/// Rows, each `stride` floats after the one before. How many they are and how wide is told once for all operands of a
/// loop. No data: an operand that is left out.
struct ConstRows {
  const float* data = nullptr;
  int64_t stride = 0;

  const float* row(int64_t index) const { return data + index * stride; }
};

/// The same, to be written.
struct Rows {
  float* data = nullptr;
  int64_t stride = 0;

  float* row(int64_t index) const { return data + index * stride; }
  operator ConstRows() const { return {data, stride}; }  // NOLINT(google-explicit-constructor): the same rows
};

}  // namespace giza
