// Convolution as a naive loop in double precision.
#include "tensor/backends/reference.h"

#include "tensor/parallel.h"

namespace giza::ops::reference {
namespace {

// The pixel of x that output pixel (i, j) reads at tap (r, s); null in the padding.
const float* tap_pixel(const Tensor& x, int64_t n, int64_t i, int64_t j, int64_t r, int64_t s,
                       const Conv2dOptions& options) {
  const int64_t y = i * options.stride - options.padding + r * options.dilation;
  const int64_t z = j * options.stride - options.padding + s * options.dilation;
  if (y < 0 || y >= x.dim(1) || z < 0 || z >= x.dim(2)) return nullptr;
  return x.row((n * x.dim(1) + y) * x.dim(2) + z);
}

double dot(const float* a, const float* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// All elements of a result.
template <class Element>
void fill(const Tensor& result, const Element& element) {
  parallel_for(result.rows(), [&](int64_t row) {
    for (int64_t c = 0; c < result.channels(); ++c) result.row(row)[c] = static_cast<float>(element(row, c));
  });
}

}  // namespace

double forward_element(const Tensor& x, const Tensor& w, int64_t p, int64_t q, int64_t row, int64_t k,
                       const Conv2dOptions& options) {
  double sum = 0;
  for (int64_t r = 0; r < w.dim(1); ++r) {
    for (int64_t s = 0; s < w.dim(2); ++s) {
      const float* pixel = tap_pixel(x, row / q / p, row / q % p, row % q, r, s, options);
      if (pixel != nullptr) sum += dot(pixel, w.row((k * w.dim(1) + r) * w.dim(2) + s), w.dim(3));
    }
  }
  return sum;
}

double backward_input_element(const Tensor& dy, const Tensor& w, int64_t height, int64_t width, int64_t row, int64_t c,
                              const Conv2dOptions& options) {
  const int64_t p = dy.dim(1), q = dy.dim(2);
  const int64_t n = row / width / height, y = row / width % height, x = row % width;
  double sum = 0;
  for (int64_t r = 0; r < w.dim(1); ++r) {
    const int64_t i = y + options.padding - r * options.dilation;
    if (i % options.stride != 0 || i < 0 || i / options.stride >= p) continue;
    for (int64_t s = 0; s < w.dim(2); ++s) {
      const int64_t j = x + options.padding - s * options.dilation;
      if (j % options.stride != 0 || j < 0 || j / options.stride >= q) continue;
      const float* gradient = dy.row((n * p + i / options.stride) * q + j / options.stride);
      for (int64_t k = 0; k < w.dim(0); ++k) {
        sum += static_cast<double>(gradient[k]) * static_cast<double>(w.row((k * w.dim(1) + r) * w.dim(2) + s)[c]);
      }
    }
  }
  return sum;
}

double backward_weight_element(const Tensor& x, const Tensor& dy, int64_t kernel_h, int64_t kernel_w, int64_t row,
                               int64_t c, const Conv2dOptions& options) {
  const int64_t p = dy.dim(1), q = dy.dim(2);
  const int64_t s = row % kernel_w, r = row / kernel_w % kernel_h, k = row / kernel_w / kernel_h;
  double sum = 0;
  for (int64_t pixel = 0; pixel < dy.rows(); ++pixel) {
    const float* from = tap_pixel(x, pixel / q / p, pixel / q % p, pixel % q, r, s, options);
    if (from != nullptr) sum += static_cast<double>(from[c]) * static_cast<double>(dy.row(pixel)[k]);
  }
  return sum;
}

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options) {
  const int64_t p = conv_output_size(x.dim(1), w.dim(1), options), q = conv_output_size(x.dim(2), w.dim(2), options);
  Tensor y = Tensor::activation({x.dim(0), p, q, w.dim(0)});
  fill(y, [&](int64_t row, int64_t k) {
    const double start = bias.defined() ? static_cast<double>(bias.data()[k]) : 0.0;
    return start + forward_element(x, w, p, q, row, k, options);
  });
  return y;
}

Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options) {
  Tensor dx = Tensor::activation(x_shape);
  fill(dx,
       [&](int64_t row, int64_t c) { return backward_input_element(dy, w, x_shape[1], x_shape[2], row, c, options); });
  return dx;
}

Tensor conv2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape, const Conv2dOptions& options) {
  Tensor dw = Tensor::empty(w_shape);
  fill(dw,
       [&](int64_t row, int64_t c) { return backward_weight_element(x, dy, w_shape[1], w_shape[2], row, c, options); });
  return dw;
}

}  // namespace giza::ops::reference
