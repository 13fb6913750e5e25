// Loops of the permutohedral lattice: where a feature lies in it, and splat, blur and slice over rows of values.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

/// Features that lattice_embed takes at a time. Its arrays have rows of that many.
constexpr int64_t kEmbedRun = 64;

/// Features [D,kEmbedRun], D = 2 or 5 -> the simplex around each: the cell [D,kEmbedRun] of its corner 0, that is its
/// coordinates divided by D + 1; the ranks [D+1,kEmbedRun] of the coordinates' residuals, 0 for the largest; and the
/// barycentric weights [D+1,kEmbedRun] of the corners 0 to D. (Adams, Baek, Davis 2010, section 3.1.) In the
/// order of roundings of Kraehenbuehl's program, without fused operations: a feature on the face of two simplices must
/// go to the same one.
void lattice_embed(int dimension, const float* features, int32_t* cells, int32_t* ranks, float* weights);

/// A term of a sum of rows.
struct WeightedRow {
  int32_t row;
  float weight;
};

// In all of these `width` is 4, 8, 16 or 32, and terms are added in their order.

/// y[i] = sum of weight * factors[row] * x[row] over terms starts[i] to starts[i + 1] - 1, for i in [begin, end).
void lattice_splat(const int32_t* starts, const WeightedRow* terms, const float* factors, ConstRows x, Rows y,
                   int64_t begin, int64_t end, int64_t width);

/// The rows of a point's neighbours along one axis; row 0, which is all zeros, where there is none.
struct LatticeNeighbours {
  int32_t before, after;
};
/// y[i] = x[i] + (x[before] + x[after]) / 2 for i in [begin, end). x is the whole lattice.
void lattice_blur(const LatticeNeighbours* neighbours, ConstRows x, Rows y, int64_t begin, int64_t end, int64_t width);

/// y[i] = base[i] + factors[i] * sum of weight * x[row] over terms i * count to i * count + count - 1, for i in
/// [begin, end). y may be base.
void lattice_slice(const WeightedRow* terms, int count, const float* factors, ConstRows x, ConstRows base, Rows y,
                   int64_t begin, int64_t end, int64_t width);

}  // namespace giza::kernels
