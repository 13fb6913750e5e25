// Oracles: convolution, linear, pooling, resize, concatenation, and the arithmetic of arrays.
#include "tests/support/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace giza::oracle {

Array::Array(const Tensor& tensor) : shape(tensor.shape()) {
  for (float value : tensor.to_vector()) values.push_back(static_cast<double>(value));
}

Array map(const Array& a, const std::function<double(double)>& f) {
  Array result = a;
  for (double& value : result.values) value = f(value);
  return result;
}

double dot(const Array& a, const Array& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double norm(const Array& a) { return std::sqrt(dot(a, a)); }

namespace {

int64_t output_size(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

/// f(output row, input row, tap): every pair of pixels that a weight joins, as indices of rows of C or K numbers.
template <class F>
void for_each_tap(const Shape& x, const Shape& w, const Conv& options, F&& f) {
  const int64_t height = output_size(x[1], w[1], options.stride, options.padding, options.dilation);
  const int64_t width = output_size(x[2], w[2], options.stride, options.padding, options.dilation);
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t p = 0; p < height; ++p) {
      for (int64_t q = 0; q < width; ++q) {
        for (int64_t r = 0; r < w[1]; ++r) {
          for (int64_t s = 0; s < w[2]; ++s) {
            const int64_t y = p * options.stride + r * options.dilation - options.padding;
            const int64_t column = q * options.stride + s * options.dilation - options.padding;
            if (y < 0 || y >= x[1] || column < 0 || column >= x[2]) continue;
            f((n * height + p) * width + q, (n * x[1] + y) * x[2] + column, r * w[2] + s);
          }
        }
      }
    }
  }
}

}  // namespace

Array conv2d(const Array& x, const Array& w, const Array& bias, const Conv& options) {
  const int64_t outputs = w.shape[0], channels = w.shape[3], taps = w.shape[1] * w.shape[2];
  Array y({x.shape[0], output_size(x.shape[1], w.shape[1], options.stride, options.padding, options.dilation),
           output_size(x.shape[2], w.shape[2], options.stride, options.padding, options.dilation), outputs});
  if (bias.defined()) {
    for (int64_t i = 0; i < y.size(); ++i) y[i] = bias[i % outputs];
  }
  for_each_tap(x.shape, w.shape, options, [&](int64_t out, int64_t in, int64_t tap) {
    for (int64_t k = 0; k < outputs; ++k) {
      double sum = 0;
      for (int64_t c = 0; c < channels; ++c) sum += x[in * channels + c] * w[(k * taps + tap) * channels + c];
      y[out * outputs + k] += sum;
    }
  });
  return y;
}

Array conv2d_backward_input(const Array& dy, const Array& w, const Shape& x_shape, const Conv& options) {
  const int64_t outputs = w.shape[0], channels = w.shape[3], taps = w.shape[1] * w.shape[2];
  Array dx(x_shape);
  for_each_tap(x_shape, w.shape, options, [&](int64_t out, int64_t in, int64_t tap) {
    for (int64_t k = 0; k < outputs; ++k) {
      const double gradient = dy[out * outputs + k];
      for (int64_t c = 0; c < channels; ++c) dx[in * channels + c] += gradient * w[(k * taps + tap) * channels + c];
    }
  });
  return dx;
}

Array conv2d_backward_weight(const Array& x, const Array& dy, const Shape& w_shape, const Conv& options) {
  const int64_t outputs = w_shape[0], channels = w_shape[3], taps = w_shape[1] * w_shape[2];
  Array dw(w_shape);
  for_each_tap(x.shape, w_shape, options, [&](int64_t out, int64_t in, int64_t tap) {
    for (int64_t k = 0; k < outputs; ++k) {
      const double gradient = dy[out * outputs + k];
      for (int64_t c = 0; c < channels; ++c) dw[(k * taps + tap) * channels + c] += gradient * x[in * channels + c];
    }
  });
  return dw;
}

Array linear(const Array& x, const Array& w, const Array& bias) {
  const int64_t items = x.shape[0], channels = x.shape[1], outputs = w.shape[0];
  Array y({items, outputs});
  for (int64_t n = 0; n < items; ++n) {
    for (int64_t k = 0; k < outputs; ++k) {
      double sum = bias.defined() ? bias[k] : 0.0;
      for (int64_t c = 0; c < channels; ++c) sum += x[n * channels + c] * w[k * channels + c];
      y[n * outputs + k] = sum;
    }
  }
  return y;
}

Array linear_backward_input(const Array& dy, const Array& w) {
  const int64_t items = dy.shape[0], channels = w.shape[1], outputs = w.shape[0];
  Array dx({items, channels});
  for (int64_t n = 0; n < items; ++n) {
    for (int64_t k = 0; k < outputs; ++k) {
      for (int64_t c = 0; c < channels; ++c) dx[n * channels + c] += dy[n * outputs + k] * w[k * channels + c];
    }
  }
  return dx;
}

Array linear_backward_weight(const Array& x, const Array& dy) {
  const int64_t items = dy.shape[0], channels = x.shape[1], outputs = dy.shape[1];
  Array dw({outputs, channels});
  for (int64_t n = 0; n < items; ++n) {
    for (int64_t k = 0; k < outputs; ++k) {
      for (int64_t c = 0; c < channels; ++c) dw[k * channels + c] += dy[n * outputs + k] * x[n * channels + c];
    }
  }
  return dw;
}

namespace {

/// f(index into x, into w, into y) for every product of a transposed convolution.
template <class F>
void for_each_spread(const Shape& x, const Shape& w, const Shape& y, const Conv& options, F&& f) {
  const auto index = [](const Shape& s, int64_t a, int64_t b, int64_t c, int64_t d) {
    return ((a * s[1] + b) * s[2] + c) * s[3] + d;
  };
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t h = 0; h < x[1]; ++h) {
      for (int64_t column = 0; column < x[2]; ++column) {
        for (int64_t r = 0; r < w[1]; ++r) {
          for (int64_t s = 0; s < w[2]; ++s) {
            const int64_t p = h * options.stride + r * options.dilation - options.padding;
            const int64_t q = column * options.stride + s * options.dilation - options.padding;
            if (p < 0 || p >= y[1] || q < 0 || q >= y[2]) continue;
            for (int64_t c = 0; c < w[0]; ++c) {
              for (int64_t k = 0; k < w[3]; ++k) {
                f(index(x, n, h, column, c), index(w, c, r, s, k), index(y, n, p, q, k));
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace

Array conv_transpose2d(const Array& x, const Array& w, const Shape& y_shape, const Conv& options) {
  Array y(y_shape);
  for_each_spread(x.shape, w.shape, y_shape, options,
                  [&](int64_t i, int64_t j, int64_t out) { y[out] += x[i] * w[j]; });
  return y;
}

Array conv_transpose2d_backward_input(const Array& dy, const Array& w, const Shape& x_shape, const Conv& options) {
  Array dx(x_shape);
  for_each_spread(x_shape, w.shape, dy.shape, options,
                  [&](int64_t i, int64_t j, int64_t out) { dx[i] += dy[out] * w[j]; });
  return dx;
}

Array conv_transpose2d_backward_weight(const Array& x, const Array& dy, const Shape& w_shape, const Conv& options) {
  Array dw(w_shape);
  for_each_spread(x.shape, w_shape, dy.shape, options,
                  [&](int64_t i, int64_t j, int64_t out) { dw[j] += x[i] * dy[out]; });
  return dw;
}

Array flatten(const Array& x) {
  Array y({x.shape[0], x.shape[1] * x.shape[2] * x.shape[3]});
  int64_t i = 0;
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    for (int64_t c = 0; c < x.shape[3]; ++c) {
      for (int64_t h = 0; h < x.shape[1]; ++h) {
        for (int64_t w = 0; w < x.shape[2]; ++w) y[i++] = x.at(n, h, w, c);
      }
    }
  }
  return y;
}

namespace {

struct Source {
  int64_t low, high;
  double weight;  // of high
};

Source source_of(int64_t i, int64_t in, int64_t out, bool align_corners) {
  double position = 0;
  if (align_corners) {
    if (out > 1) position = static_cast<double>(i * (in - 1)) / static_cast<double>(out - 1);
  } else {
    position = (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
  }
  position = std::clamp(position, 0.0, static_cast<double>(in - 1));
  const auto low = static_cast<int64_t>(position);
  return {low, std::min(low + 1, in - 1), position - static_cast<double>(low)};
}

/// f(output index, input index, weight) for each of the four neighbours of each output.
template <class F>
void for_each_neighbour(const Shape& in, const Shape& out, bool align_corners, F&& f) {
  auto index = [&](int64_t n, int64_t y, int64_t x, int64_t c) { return ((n * in[1] + y) * in[2] + x) * in[3] + c; };
  int64_t i = 0;
  for (int64_t n = 0; n < out[0]; ++n) {
    for (int64_t p = 0; p < out[1]; ++p) {
      const Source y = source_of(p, in[1], out[1], align_corners);
      for (int64_t q = 0; q < out[2]; ++q) {
        const Source x = source_of(q, in[2], out[2], align_corners);
        for (int64_t c = 0; c < out[3]; ++c, ++i) {
          f(i, index(n, y.low, x.low, c), (1 - y.weight) * (1 - x.weight));
          f(i, index(n, y.low, x.high, c), (1 - y.weight) * x.weight);
          f(i, index(n, y.high, x.low, c), y.weight * (1 - x.weight));
          f(i, index(n, y.high, x.high, c), y.weight * x.weight);
        }
      }
    }
  }
}

}  // namespace

Array resize_bilinear(const Array& x, int64_t height, int64_t width, bool align_corners) {
  Array y({x.shape[0], height, width, x.shape[3]});
  for_each_neighbour(x.shape, y.shape, align_corners,
                     [&](int64_t out, int64_t in, double weight) { y[out] += weight * x[in]; });
  return y;
}

Array resize_bilinear_backward(const Array& dy, const Shape& x_shape, bool align_corners) {
  Array dx(x_shape);
  for_each_neighbour(x_shape, dy.shape, align_corners,
                     [&](int64_t out, int64_t in, double weight) { dx[in] += weight * dy[out]; });
  return dx;
}

Array concat_channels(const std::vector<Array>& parts) {
  int64_t channels = 0;
  for (const Array& part : parts) channels += part.shape.last();
  const Shape& first = parts.front().shape;
  Array y(first.with(first.rank() - 1, channels));
  int64_t i = 0;
  for (int64_t row = 0; row < first.rows(); ++row) {
    for (const Array& part : parts) {
      for (int64_t c = 0; c < part.shape.last(); ++c) y[i++] = part[row * part.shape.last() + c];
    }
  }
  return y;
}

Array channel_slice(const Array& x, int64_t begin, int64_t end) {
  Array y(x.shape.with(x.shape.rank() - 1, end - begin));
  int64_t i = 0;
  for (int64_t row = 0; row < x.shape.rows(); ++row) {
    for (int64_t c = begin; c < end; ++c) y[i++] = x[row * x.shape.last() + c];
  }
  return y;
}

}  // namespace giza::oracle
