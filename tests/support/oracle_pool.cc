// Oracles of pooling.
#include <algorithm>
#include <cmath>

#include "tests/support/oracle.h"

namespace giza::oracle {
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

int64_t pool_size(int64_t in, const Pool& options) {
  if (!options.ceil) return (in + 2 * options.padding - options.kernel) / options.stride + 1;
  int64_t windows = 0;
  // A window begins where the one before it does not reach the end yet, and not behind the picture.
  for (int64_t begin = -options.padding; begin < in; begin += options.stride) {
    ++windows;
    if (begin + options.kernel >= in + options.padding) break;
  }
  return windows;
}

Array max_pool2d(const Array& x, const Pool& options) {
  return pool_max(x, pool_size(x.shape[1], options), pool_size(x.shape[2], options),
                  [&](int64_t p, int64_t q) { return pool_cell(x.shape, options, p, q); });
}

Array max_pool2d_backward(const Array& dy, const Array& x, const Pool& options) {
  return pool_max_backward(dy, x, [&](int64_t p, int64_t q) { return pool_cell(x.shape, options, p, q); });
}

Array max_unpool2d(const Array& x, const Array& picture, const Pool& options) {
  return max_pool2d_backward(x, picture, options);
}

Array max_unpool2d_backward(const Array& dy, const Array& picture, const Pool& options) {
  Array dx(
      {picture.shape[0], pool_size(picture.shape[1], options), pool_size(picture.shape[2], options), picture.shape[3]});
  for_each_cell(
      dx.shape, [&](int64_t p, int64_t q) { return pool_cell(picture.shape, options, p, q); },
      [&](int64_t i, const Cell& cell, int64_t n, int64_t c) { dx[i] = dy[largest(picture, cell, n, c)]; });
  return dx;
}

Array avg_pool2d(const Array& x, const Pool& options) {
  Array y({x.shape[0], pool_size(x.shape[1], options), pool_size(x.shape[2], options), x.shape[3]});
  for_each_cell(
      y.shape, [&](int64_t p, int64_t q) { return pool_cell(x.shape, options, p, q); },
      [&](int64_t i, const Cell& cell, int64_t n, int64_t c) {
        for (int64_t row = cell.y0; row < cell.y1; ++row) {
          for (int64_t column = cell.x0; column < cell.x1; ++column) y[i] += x.at(n, row, column, c);
        }
        y[i] /= static_cast<double>(options.kernel * options.kernel);
      });
  return y;
}

Array avg_pool2d_backward(const Array& dy, const Shape& x_shape, const Pool& options) {
  Array dx(x_shape);
  for_each_cell(
      dy.shape, [&](int64_t p, int64_t q) { return pool_cell(x_shape, options, p, q); },
      [&](int64_t i, const Cell& cell, int64_t n, int64_t c) {
        for (int64_t row = cell.y0; row < cell.y1; ++row) {
          for (int64_t column = cell.x0; column < cell.x1; ++column) {
            dx[dx.index(n, row, column, c)] += dy[i] / static_cast<double>(options.kernel * options.kernel);
          }
        }
      });
  return dx;
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

}  // namespace giza::oracle
