// Winograd convolutions: 3x3, stride 1, any dilation. A convolution becomes n x n independent products, of 36 / (9 *
// 16) of the direct multiplications for F(4x4, 3x3). docs/winograd.md has the derivation.
#pragma once

#include "tensor/ops/conv/packed_matrix.h"
#include "tensor/ops/conv2d.h"

namespace giza::ops::winograd {

/// True for 3x3 kernels at stride 1.
bool applies(const Shape& w, const Conv2dOptions& options);

/// Tiles of m x m pixels that cover an output of P x Q pixels. A convolution of dilation d is d x d interleaved
/// ordinary ones: a tile's pixels are d apart, and its first pixel runs over the phases.
struct Tiling {
  int m = 4;
  int64_t images = 0, dilation = 1;
  std::vector<int64_t> rows, columns;  ///< first output row / column of each tile

  Tiling(int tile, int64_t images, int64_t p, int64_t q, int64_t dilation);
  int64_t image_tiles() const { return static_cast<int64_t>(rows.size() * columns.size()); }
  int64_t count() const { return images * image_tiles(); }
  int64_t positions() const { return int64_t{m + 2} * (m + 2); }
};

/// Transformed filters, packed for the products: [position][PackedLayout].
struct Filters {
  int m = 0;
  PackedLayout layout;
  int64_t position_stride = 0;
  Tensor data;
};
/// Of w [K,3,3,C], whose rows may be strided. transposed: for the backward pass to the input.
Filters transform_filters(int m, const Tensor& w, bool transposed);

/// relu(conv(x) + bias + residual) with filters that were made once.
Tensor conv2d(const Tensor& x, const Filters& filters, const ConvEpilogue& epilogue, const Conv2dOptions& options);

/// As the ops of the same name in tensor/ops/conv2d.h, after their checks. Input channels are taken in parts, so that
/// the transformed filters of one are at most 32 MB or those of 256 channels.
Tensor conv2d(int m, const Tensor& x, const Tensor& w, const ConvEpilogue& epilogue, const Conv2dOptions& options);
Tensor conv2d_backward_input(int m, const Tensor& dy, const Tensor& w, const Shape& x_shape,
                             const Conv2dOptions& options);
/// To dw [K,3,3,C], whose rows may be strided.
void conv2d_backward_weight(int m, const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options);

}  // namespace giza::ops::winograd
