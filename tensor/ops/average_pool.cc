// Adaptive average pooling to one or several sizes in one pass. The borders of all cells of all sizes cut the picture
// into rectangles that lie wholly inside or outside of each cell: x is added up once, into rectangles, and cells are
// sums of those; going back, all pixels of a rectangle have one gradient.
#include <algorithm>
#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/kernels/pool.h"
#include "tensor/kernels/reduce.h"
#include "tensor/ops/cut.h"
#include "tensor/ops/pool.h"
#include "tensor/ops/scratch.h"
#include "tensor/profile/profile.h"

namespace giza::ops {
namespace {

using kernels::PoolRange;

// Channels of one task: few rectangles still make enough tasks.
constexpr int64_t kChunk = 256;

/// The cells of one size along an axis.
struct Cells {
  int64_t count;
  Scratch<PoolRange> segments;  ///< of each cell
  Scratch<PoolRange> cells;     ///< that each segment is part of
  Scratch<float> factors;       ///< 1 / length of each cell
};

/// An axis cut at the borders of all cells.
struct Axis {
  std::vector<int64_t> bounds;  ///< of the segments
  std::vector<Cells> sizes;

  Axis(int64_t in, std::span<const int64_t> bins) {
    const auto cell = [in](int64_t i, int64_t count) {
      return PoolRange{i * in / count, ((i + 1) * in + count - 1) / count};
    };
    for (const int64_t count : bins) {
      for (int64_t i = 0; i < count; ++i) {
        bounds.push_back(cell(i, count).begin);
        bounds.push_back(cell(i, count).end);
      }
    }
    std::sort(bounds.begin(), bounds.end());
    bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
    const auto position = [this](int64_t bound) {
      return std::lower_bound(bounds.begin(), bounds.end(), bound) - bounds.begin();
    };
    for (const int64_t count : bins) {
      Cells cells{count, Scratch<PoolRange>(count), Scratch<PoolRange>(segments()), Scratch<float>(count)};
      for (int64_t i = 0; i < count; ++i) {
        const auto [begin, end] = cell(i, count);
        cells.segments[i] = {position(begin), position(end)};
        cells.factors[i] = 1.0F / static_cast<float>(end - begin);
      }
      int64_t begin = 0, end = 0;
      for (int64_t s = 0; s < segments(); ++s) {
        while (begin < count && cells.segments[begin].end <= s) ++begin;
        while (end < count && cells.segments[end].begin <= s) ++end;
        cells.cells[s] = {begin, end};
      }
      sizes.push_back(std::move(cells));
    }
  }

  int64_t segments() const { return static_cast<int64_t>(bounds.size()) - 1; }
  int64_t length(PoolRange s) const {
    return bounds[static_cast<size_t>(s.end)] - bounds[static_cast<size_t>(s.begin)];
  }
  int64_t begin(int64_t segment) const { return bounds[static_cast<size_t>(segment)]; }
  int64_t end(int64_t segment) const { return bounds[static_cast<size_t>(segment) + 1]; }
};

void check_sizes(const char* op, const Shape& x, std::span<const int64_t> bins) {
  check(x.rank() == 4 && x[1] >= 1 && x[2] >= 1, "{}: x {} is not [N,H,W,C] with pixels", op, x);
  check(!bins.empty(), "{}: no bins", op);
  for (const int64_t count : bins) check(count >= 1, "{}: {} bins", op, count);
}

int64_t count_cells(int64_t batch, std::span<const int64_t> bins) {
  int64_t cells = 0;
  for (const int64_t count : bins) cells += batch * count * count;
  return cells;
}

/// One operation for each number of x, and for each rectangle of each cell.
profile::Work describe(const char* kernel, const Shape& x, const Axis& rows, const Axis& columns, const Tensor& cells) {
  double operations = static_cast<double>(x[1] * x[2]);
  std::string sizes;
  const auto parts = [](const Cells& axis) {
    int64_t count = 0;
    for (int64_t i = 0; i < axis.count; ++i) count += axis.segments[i].end - axis.segments[i].begin;
    return static_cast<double>(count);
  };
  for (size_t b = 0; b < rows.sizes.size(); ++b) {
    operations += parts(rows.sizes[b]) * parts(columns.sizes[b]);
    sizes += fmt::format("{}{}x{}", b == 0 ? "" : ", ", rows.sizes[b].count, columns.sizes[b].count);
  }
  return {.kernel = kernel,
          .shape = fmt::format("{} to {}", x, sizes),
          .flops = static_cast<double>(x[0] * x[3]) * operations,
          .bytes = profile::bytes_of(cells) + static_cast<double>(sizeof(float)) * static_cast<double>(x.numel())};
}

/// Calls body(first channel, channels) for part `task` of all channels.
template <class Body>
void for_chunk(int64_t task, int64_t channels, const Body& body) {
  body(task * kChunk, std::min(kChunk, channels - task * kChunk));
}

/// -> [cells of all sizes, C]
Tensor average_pool(const char* op, const Tensor& x, std::span<const int64_t> bins) {
  check_sizes(op, x.shape(), bins);
  const int64_t batch = x.dim(0), height = x.dim(1), width = x.dim(2), channels = x.channels();
  const Axis rows(height, bins), columns(width, bins);
  Tensor y = Tensor::activation({count_cells(batch, bins), channels});
  const profile::Scope scope([&] { return describe(op, x.shape(), rows, columns, y); });
  const int64_t bands = rows.segments(), segments = columns.segments(), chunks = (channels + kChunk - 1) / kChunk;
  const int64_t stride = (channels + 15) / 16 * 16;
  const Scratch<double> sums(batch * bands * segments * stride);
  const int64_t floats = height * width * std::min(channels, kChunk) / bands;
  parallel_ranges(batch * bands * chunks, row_grain(floats), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      for_chunk(task % chunks, channels, [&](int64_t channel, int64_t count) {
        const int64_t item = task / chunks / bands, band = task / chunks % bands;
        double* to = sums.data() + task / chunks * segments * stride + channel;
        const int64_t padded = (count + 15) / 16 * 16;
        for (int64_t s = 0; s < segments; ++s) std::fill_n(to + s * stride, padded, 0.0);
        // Row after row of the picture, as memory has them.
        for (int64_t h = rows.begin(band); h < rows.end(band); ++h) {
          for (int64_t s = 0; s < segments; ++s) {
            kernels::sum_rows(rows_from(x, (item * height + h) * width + columns.begin(s), channel),
                              columns.end(s) - columns.begin(s), count, to + s * stride);
          }
        }
      });
    }
  });
  parallel_ranges(
      batch * chunks, row_grain(y.rows() / std::max<int64_t>(batch, 1) * kChunk), [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          for_chunk(task % chunks, channels, [&](int64_t channel, int64_t count) {
            const int64_t item = task / chunks;
            int64_t first = 0;
            for (size_t b = 0; b < bins.size(); ++b) {
              const Cells &down = rows.sizes[b], &along = columns.sizes[b];
              for (int64_t cell = 0; cell < bins[b] * bins[b]; ++cell) {
                const PoolRange r = down.segments[cell / bins[b]], c = along.segments[cell % bins[b]];
                double total[kChunk] = {};
                for (int64_t band = r.begin; band < r.end; ++band) {
                  for (int64_t s = c.begin; s < c.end; ++s) {
                    const double* part = sums.data() + ((item * bands + band) * segments + s) * stride + channel;
                    for (int64_t i = 0; i < count; ++i) total[i] += part[i];
                  }
                }
                const double factor = 1.0 / static_cast<double>(rows.length(r) * columns.length(c));
                float* mean = y.row(first + item * bins[b] * bins[b] + cell) + channel;
                for (int64_t i = 0; i < count; ++i) mean[i] = static_cast<float>(total[i] * factor);
              }
              first += batch * bins[b] * bins[b];
            }
          });
        }
      });
  return y;
}

/// dy [cells of all sizes, C]
Tensor average_pool_backward(const char* op, const Tensor& dy, const Shape& x, std::span<const int64_t> bins) {
  const int64_t batch = x[0], height = x[1], width = x[2], channels = x[3];
  const Axis rows(height, bins), columns(width, bins);
  Tensor dx = Tensor::activation(x);
  const profile::Scope scope([&] { return describe(op, x, rows, columns, dy); });
  const int64_t bands = rows.segments(), segments = columns.segments();
  const Tensor rectangles = Tensor::activation({batch, bands, segments, channels});
  parallel_ranges(batch * bands, row_grain(segments * channels), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t item = task / bands, band = task % bands;
      int64_t first = 0;
      for (size_t b = 0; b < bins.size(); ++b) {
        const Cells &down = rows.sizes[b], &along = columns.sizes[b];
        kernels::average_pool_backward_row(rows_from(dy, first + item * bins[b] * bins[b]), bins[b], down.cells[band],
                                           along.cells.data(), down.factors.data(), along.factors.data(),
                                           rows_from(rectangles, task * segments), segments, channels, /*add=*/b > 0);
        first += batch * bins[b] * bins[b];
      }
    }
  });
  parallel_ranges(batch * bands, row_grain(height * width * channels / bands), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t item = task / bands, band = task % bands;
      for (int64_t h = rows.begin(band); h < rows.end(band); ++h) {
        for (int64_t s = 0; s < segments; ++s) {
          const float* from = rectangles.row(task * segments + s);
          for (int64_t w = columns.begin(s); w < columns.end(s); ++w) {
            std::copy_n(from, channels, dx.row((item * height + h) * width + w));
          }
        }
      }
    }
  });
  return dx;
}

}  // namespace

Tensor adaptive_avg_pool2d(const Tensor& x, int64_t bins) {
  Tensor y = average_pool("adaptive_avg_pool2d", x, {&bins, 1});
  return y.reshape({x.dim(0), bins, bins, x.channels()});
}

Tensor adaptive_avg_pool2d_backward(const Tensor& dy, const Shape& x_shape) {
  const char* op = "adaptive_avg_pool2d_backward";
  check(dy.rank() == 4, "{}: dy {} is not [N,bins,bins,C]", op, dy.shape());
  const int64_t bins = dy.dim(1);
  check_sizes(op, x_shape, {&bins, 1});
  const Shape expected = {x_shape[0], bins, bins, x_shape[3]};
  check(dy.shape() == expected, "{}: dy {} for x {}, expected {}", op, dy.shape(), x_shape, expected);
  return average_pool_backward(op, dy.reshape({dy.rows(), dy.channels()}), x_shape, {&bins, 1});
}

Tensor pyramid_avg_pool2d(const Tensor& x, std::span<const int64_t> bins) {
  return average_pool("pyramid_avg_pool2d", x, bins);
}

Tensor pyramid_avg_pool2d_backward(const Tensor& dy, const Shape& x_shape, std::span<const int64_t> bins) {
  const char* op = "pyramid_avg_pool2d_backward";
  check_sizes(op, x_shape, bins);
  const Shape expected = {count_cells(x_shape[0], bins), x_shape[3]};
  check(dy.shape() == expected, "{}: dy {} for x {}, expected {}", op, dy.shape(), x_shape, expected);
  return average_pool_backward(op, dy, x_shape, bins);
}

std::vector<PyramidRows> pyramid_rows(int64_t batch, int64_t channels, std::span<const int64_t> bins) {
  std::vector<PyramidRows> rows;
  int64_t begin = 0;
  for (const int64_t count : bins) {
    rows.push_back({begin, begin + batch * count * count, {batch, count, count, channels}});
    begin = rows.back().end;
  }
  return rows;
}

}  // namespace giza::ops
