// Convolution by Eigen: for a 1x1 kernel the pixels are the rows of a matrix.
#include "tensor/backends/eigen.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/parallel.h"

namespace giza::ops::eigen {

bool applies(const Shape& w, const Conv2dOptions& options) { return w[1] == 1 && w[2] == 1 && options.padding == 0; }

}  // namespace giza::ops::eigen

#ifdef GIZA_HAVE_EIGEN
#include <Eigen/Core>

namespace giza {

bool eigen_available() { return true; }

namespace ops::eigen {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using View = Eigen::Map<Matrix, Eigen::Unaligned, Eigen::OuterStride<>>;

// Rows of a block: each packs the other operand again, which costs 1 / kRows of its product.
constexpr int64_t kRows = 240;

View rows_of(const Tensor& t, int64_t begin, int64_t rows) {
  return {t.row(begin), rows, t.channels(), Eigen::OuterStride<>(t.row_stride())};
}
View all_rows(const Tensor& t) { return rows_of(t, 0, t.rows()); }

/// Calls body(pixel of large, pixel of small) for every `stride`-th row and column of large [N,H,W,C].
template <class Body>
void for_each_kept(const Tensor& large, const Tensor& small, int64_t stride, const Body& body) {
  const int64_t q = small.dim(2);
  parallel_for(small.dim(0) * small.dim(1), [&](int64_t line) {
    const int64_t from = (line / small.dim(1) * large.dim(1) + line % small.dim(1) * stride) * large.dim(2);
    for (int64_t j = 0; j < q; ++j) body(large.row(from + j * stride), small.row(line * q + j));
  });
}

/// The pixels of x that a convolution whose output is [N,P,Q,..] reads.
Tensor pixels_read(const Tensor& x, const Shape& output, int64_t stride) {
  if (stride == 1) return x;
  Tensor small = Tensor::activation(output.with(3, x.channels()));
  for_each_kept(x, small, stride, [&](const float* from, float* to) { std::copy_n(from, x.channels(), to); });
  return small;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options) {
  Tensor y = Tensor::activation(
      {x.dim(0), conv_output_size(x.dim(1), 1, options), conv_output_size(x.dim(2), 1, options), w.dim(0)});
  const Tensor in = pixels_read(x, y.shape(), options.stride);
  parallel_ranges(y.rows(), kRows, [&](int64_t begin, int64_t end) {
    View block = rows_of(y, begin, end - begin);
    block.noalias() = rows_of(in, begin, end - begin) * all_rows(w).transpose();
    if (bias.defined()) block.rowwise() += Eigen::Map<const Eigen::RowVectorXf>(bias.data(), bias.numel());
  });
  return y;
}

Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options) {
  Tensor dx = Tensor::activation(x_shape);
  const Tensor result = options.stride == 1 ? dx : Tensor::activation(dy.shape().with(3, x_shape[3]));
  parallel_ranges(dy.rows(), kRows, [&](int64_t begin, int64_t end) {
    rows_of(result, begin, end - begin).noalias() = rows_of(dy, begin, end - begin) * all_rows(w);
  });
  if (options.stride == 1) return dx;
  dx.fill(0.0F);
  for_each_kept(dx, result, options.stride, [&](float* to, const float* from) { std::copy_n(from, x_shape[3], to); });
  return dx;
}

void conv2d_backward_weight(const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options) {
  // Tiles of dw, each over all pixels.
  constexpr int64_t kOutputs = 128, kInputs = 256;
  const Tensor in = pixels_read(x, dy.shape(), options.stride);
  const int64_t across = (dw.channels() + kInputs - 1) / kInputs;
  const int64_t down = (dw.rows() + kOutputs - 1) / kOutputs;
  parallel_for(down * across, [&](int64_t task) {
    const int64_t k = task / across * kOutputs, c = task % across * kInputs;
    const int64_t rows = std::min(kOutputs, dw.rows() - k), columns = std::min(kInputs, dw.channels() - c);
    all_rows(dw).block(k, c, rows, columns).noalias() =
        all_rows(dy).middleCols(k, rows).transpose() * all_rows(in).middleCols(c, columns);
  });
}

}  // namespace ops::eigen
}  // namespace giza

#else

namespace giza {

bool eigen_available() { return false; }

namespace ops::eigen {

Tensor conv2d(const Tensor&, const Tensor&, const Tensor&, const Conv2dOptions&) {
  throw Error("conv2d: this build has no Eigen");
}
Tensor conv2d_backward_input(const Tensor&, const Tensor&, const Shape&, const Conv2dOptions&) {
  throw Error("conv2d_backward_input: this build has no Eigen");
}
void conv2d_backward_weight(const Tensor&, const Tensor&, const Tensor&, const Conv2dOptions&) {
  throw Error("conv2d_backward_weight: this build has no Eigen");
}

}  // namespace ops::eigen
}  // namespace giza

#endif
