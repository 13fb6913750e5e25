// Sums over rows.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

/// sums[i] += x[.., i] over all rows, for `width` columns. sums is padded to a multiple of 16.
void sum_rows(ConstRows x, int64_t rows, int64_t width, double* sums);

}  // namespace giza::kernels
