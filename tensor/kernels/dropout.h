// The loop of dropout by elements.
#pragma once

#include <cstdint>

#include "tensor/random.h"
#include "tensor/rows.h"

namespace giza::kernels {

/// y = x * keep where the draw of an element is p or more, else 0. The elements of the rows are numbered from `first`
/// on, row after row; element i has draw i of the stream as a number of [0, 1) (Random::uniform).
void dropout(ConstRows x, int64_t first, const Random::Stream& stream, float p, float keep, Rows y, int64_t rows,
             int64_t width);

}  // namespace giza::kernels
