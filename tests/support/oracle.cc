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

struct Cell {
  int64_t y0, y1, x0, x1;  // half-open, inside the map
};

Cell pool_cell(const Shape& x, const Pool& options, int64_t p, int64_t q) {
  const int64_t y = p * options.stride - options.padding, column = q * options.stride - options.padding;
  return {std::max<int64_t>(y, 0), std::min(y + options.kernel, x[1]), std::max<int64_t>(column, 0),
          std::min(column + options.kernel, x[2])};
}

Cell adaptive_cell(const Shape& x, int64_t bins, int64_t p, int64_t q) {
  auto begin = [&](int64_t i, int64_t size) { return i * size / bins; };
  auto end = [&](int64_t i, int64_t size) { return ((i + 1) * size + bins - 1) / bins; };
  return {begin(p, x[1]), end(p, x[1]), begin(q, x[2]), end(q, x[2])};
}

/// Index into x of the first largest element of a cell; a NaN is larger than all numbers.
int64_t largest(const Array& x, const Cell& cell, int64_t n, int64_t c) {
  int64_t best = -1;
  for (int64_t y = cell.y0; y < cell.y1; ++y) {
    for (int64_t column = cell.x0; column < cell.x1; ++column) {
      const int64_t i = x.index(n, y, column, c);
      if (best < 0 || x[i] > x[best] || (std::isnan(x[i]) && !std::isnan(x[best]))) best = i;
    }
  }
  return best;
}

/// f(output index, cell, n, c) for every element of an output [N,P,Q,C].
template <class CellOf, class F>
void for_each_cell(const Shape& out, CellOf&& cell_of, F&& f) {
  int64_t i = 0;
  for (int64_t n = 0; n < out[0]; ++n) {
    for (int64_t p = 0; p < out[1]; ++p) {
      for (int64_t q = 0; q < out[2]; ++q) {
        const Cell cell = cell_of(p, q);
        for (int64_t c = 0; c < out[3]; ++c) f(i++, cell, n, c);
      }
    }
  }
}

template <class CellOf>
Array pool_max(const Array& x, int64_t height, int64_t width, CellOf&& cell_of) {
  Array y({x.shape[0], height, width, x.shape[3]});
  for_each_cell(y.shape, cell_of,
                [&](int64_t i, const Cell& cell, int64_t n, int64_t c) { y[i] = x[largest(x, cell, n, c)]; });
  return y;
}

template <class CellOf>
Array pool_max_backward(const Array& dy, const Array& x, CellOf&& cell_of) {
  Array dx(x.shape);
  for_each_cell(dy.shape, cell_of,
                [&](int64_t i, const Cell& cell, int64_t n, int64_t c) { dx[largest(x, cell, n, c)] += dy[i]; });
  return dx;
}

}  // namespace

Array max_pool2d(const Array& x, const Pool& options) {
  return pool_max(x, output_size(x.shape[1], options.kernel, options.stride, options.padding, 1),
                  output_size(x.shape[2], options.kernel, options.stride, options.padding, 1),
                  [&](int64_t p, int64_t q) { return pool_cell(x.shape, options, p, q); });
}

Array max_pool2d_backward(const Array& dy, const Array& x, const Pool& options) {
  return pool_max_backward(dy, x, [&](int64_t p, int64_t q) { return pool_cell(x.shape, options, p, q); });
}

Array adaptive_max_pool2d(const Array& x, int64_t bins) {
  return pool_max(x, bins, bins, [&](int64_t p, int64_t q) { return adaptive_cell(x.shape, bins, p, q); });
}

Array adaptive_max_pool2d_backward(const Array& dy, const Array& x) {
  return pool_max_backward(dy, x, [&](int64_t p, int64_t q) { return adaptive_cell(x.shape, dy.shape[1], p, q); });
}

Array adaptive_avg_pool2d(const Array& x, int64_t bins) {
  Array y({x.shape[0], bins, bins, x.shape[3]});
  for_each_cell(
      y.shape, [&](int64_t p, int64_t q) { return adaptive_cell(x.shape, bins, p, q); },
      [&](int64_t i, const Cell& cell, int64_t n, int64_t c) {
        double sum = 0;
        for (int64_t row = cell.y0; row < cell.y1; ++row) {
          for (int64_t column = cell.x0; column < cell.x1; ++column) sum += x.at(n, row, column, c);
        }
        y[i] = sum / static_cast<double>((cell.y1 - cell.y0) * (cell.x1 - cell.x0));
      });
  return y;
}

Array adaptive_avg_pool2d_backward(const Array& dy, const Shape& x_shape) {
  Array dx(x_shape);
  for_each_cell(
      dy.shape, [&](int64_t p, int64_t q) { return adaptive_cell(x_shape, dy.shape[1], p, q); },
      [&](int64_t i, const Cell& cell, int64_t n, int64_t c) {
        const double share = dy[i] / static_cast<double>((cell.y1 - cell.y0) * (cell.x1 - cell.x0));
        for (int64_t row = cell.y0; row < cell.y1; ++row) {
          for (int64_t column = cell.x0; column < cell.x1; ++column) dx.at(n, row, column, c) += share;
        }
      });
  return dx;
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
