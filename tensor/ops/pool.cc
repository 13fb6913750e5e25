// Pooling in NHWC, by windows or adaptive: all are tables of which inputs make which output.
#include "tensor/ops/pool.h"

#include <algorithm>
#include <limits>

#include "tensor/base/check.h"
#include "tensor/kernels/pool.h"
#include "tensor/ops/cut.h"
#include "tensor/ops/scratch.h"
#include "tensor/profile/profile.h"

namespace giza::ops {
namespace {

using kernels::PoolRange;

// Channels of one task: few outputs of large cells still make enough tasks.
constexpr int64_t kChunk = 256;

/// Along one axis: the inputs of each output, and the outputs of each input, which are neighbours too.
struct Axis {
  int64_t in, out;
  Scratch<PoolRange> inputs, outputs;

  template <class Range>
  Axis(int64_t in_size, int64_t out_size, const Range& range)
      : in(in_size), out(out_size), inputs(out_size), outputs(in_size) {
    for (int64_t i = 0; i < out; ++i) inputs[i] = range(i);
    int64_t begin = 0, end = 0;
    for (int64_t i = 0; i < in; ++i) {
      while (begin < out && inputs[begin].end <= i) ++begin;
      while (end < out && inputs[end].begin <= i) ++end;
      outputs[i] = {begin, end};
    }
  }
};

/// What the first of the windows leaves of an axis.
int64_t span_of(int64_t in, const Pool2dOptions& o) {
  return in + 2 * o.padding - o.kernel + (o.ceil ? o.stride - 1 : 0);
}

Axis window_axis(int64_t in, const Pool2dOptions& o) {
  return {in, pool_output_size(in, o), [&](int64_t i) {
            const int64_t begin = i * o.stride - o.padding;
            return PoolRange{std::max<int64_t>(begin, 0), std::min(begin + o.kernel, in)};
          }};
}

Axis cell_axis(int64_t in, int64_t bins) {
  return {in, bins, [&](int64_t i) { return PoolRange{i * in / bins, ((i + 1) * in + bins - 1) / bins}; }};
}

void check_picture(const char* op, const Shape& x) {
  check(x.rank() == 4 && x[1] >= 1 && x[2] >= 1, "{}: x {} is not [N,H,W,C] with pixels", op, x);
  // Positions in a picture are kept as int32.
  check(x[1] * x[2] <= std::numeric_limits<int32_t>::max(), "{}: x {} is too large", op, x);
}

void check_window(const char* op, const Shape& x, const Pool2dOptions& o) {
  check_picture(op, x);
  check(o.kernel >= 1 && o.stride >= 1 && o.padding >= 0 && 2 * o.padding <= o.kernel,
        "{}: kernel {}, stride {}, padding {}", op, o.kernel, o.stride, o.padding);
  check(span_of(x[1], o) >= 0 && span_of(x[2], o) >= 0, "{}: kernel {} on x {} with padding {}", op, o.kernel, x,
        o.padding);
}

void check_average(const char* op, const Shape& x, const Pool2dOptions& o) {
  check_window(op, x, o);
  check(!o.ceil, "{}: sizes are rounded down", op);
}

/// Of one number in the mean of its window.
float share_of(const Pool2dOptions& o) { return 1.0F / static_cast<float>(o.kernel * o.kernel); }

void check_bins(const char* op, const Shape& x, int64_t bins) {
  check_picture(op, x);
  check(bins >= 1, "{}: {} bins", op, bins);
}

/// `what` is a tensor of the outputs of a picture x: their gradient, or the positions of their maxima.
void check_outputs(const char* op, const char* what, const Tensor& outputs, const Shape& x, const Axis& rows,
                   const Axis& columns) {
  check(outputs.shape() == Shape{x[0], rows.out, columns.out, x[3]}, "{}: {} {} for x {}, expected [{},{},{},{}]", op,
        what, outputs.shape(), x, x[0], rows.out, columns.out, x[3]);
}

/// Calls body(item, output row, first channel, channels) in parallel.
template <class Body>
void for_each_row(int64_t items, int64_t rows, int64_t floats_of_row, int64_t channels, const Body& body) {
  const int64_t chunks = (channels + kChunk - 1) / kChunk;
  const int64_t grain = row_grain(floats_of_row / std::max<int64_t>(chunks, 1));
  parallel_ranges(items * rows * chunks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t channel = i % chunks * kChunk, row = i / chunks;
      body(row / rows, row % rows, channel, std::min(kChunk, channels - channel));
    }
  });
}

/// Floats of x that one row of outputs reads.
int64_t floats_read(const Tensor& x, const Axis& rows) {
  return (rows.inputs[0].end - rows.inputs[0].begin) * x.dim(2) * x.channels();
}

/// One operation for each input of each output; both tensors once, and what else a gradient reads.
template <class... Tensors>
profile::Work describe(const char* kernel, const Shape& x, const Axis& rows, const Axis& columns,
                       const Tensors&... tensors) {
  const auto taps = [](const Axis& axis) {
    int64_t count = 0;
    for (int64_t i = 0; i < axis.out; ++i) count += axis.inputs[i].end - axis.inputs[i].begin;
    return static_cast<double>(count);
  };
  return {.kernel = kernel,
          .shape = fmt::format("{} to {}x{}", x, rows.out, columns.out),
          .flops = static_cast<double>(x[0] * x[3]) * taps(rows) * taps(columns),
          .bytes = profile::bytes_of(tensors...)};
}

/// Maxima and their positions, of which either may be undefined.
void max_pool_to(const Tensor& x, const Axis& rows, const Axis& columns, const Tensor& y, const Tensor& positions) {
  for_each_row(x.dim(0), rows.out, floats_read(x, rows), x.channels(),
               [&](int64_t item, int64_t p, int64_t channel, int64_t channels) {
                 const int64_t first = (item * rows.out + p) * columns.out;
                 kernels::max_pool_row(rows_from(x, item * rows.in * columns.in, channel), columns.in, rows.inputs[p],
                                       columns.inputs.data(), rows_from(y, first, channel),
                                       rows_from(positions, first, channel), columns.out, channels);
               });
}

Tensor max_pool(const char* op, const Tensor& x, const Axis& rows, const Axis& columns) {
  Tensor y = Tensor::activation({x.dim(0), rows.out, columns.out, x.channels()});
  const profile::Scope scope([&] { return describe(op, x.shape(), rows, columns, x, y); });
  max_pool_to(x, rows, columns, y, {});
  return y;
}

/// dx [N,H,W,C]: every pixel gathers from the outputs around it whose positions name it, so no two tasks write one
/// place.
Tensor gather(const Tensor& dy, const Tensor& positions, const Axis& rows, const Axis& columns) {
  Tensor dx = Tensor::activation({dy.dim(0), rows.in, columns.in, dy.channels()});
  for_each_row(dy.dim(0), rows.in, columns.in * dy.channels(), dy.channels(),
               [&](int64_t item, int64_t h, int64_t channel, int64_t channels) {
                 const int64_t picture = item * rows.out * columns.out;
                 kernels::max_pool_backward_row(rows_from(dy, picture, channel), rows_from(positions, picture, channel),
                                                columns.out, rows.outputs[h], columns.outputs.data(), h,
                                                rows_from(dx, (item * rows.in + h) * columns.in, channel), columns.in,
                                                channels);
               });
  return dx;
}

Tensor max_pool_backward(const char* op, const Tensor& dy, const Tensor& x, const Axis& rows, const Axis& columns) {
  const profile::Scope scope([&] { return describe(op, x.shape(), rows, columns, dy, x, x); });
  const Tensor positions = Tensor::activation(dy.shape());
  max_pool_to(x, rows, columns, {}, positions);
  return gather(dy, positions, rows, columns);
}

}  // namespace

int64_t pool_output_size(int64_t in, const Pool2dOptions& o) {
  const int64_t span = span_of(in, o);
  check(span >= 0, "pool2d: kernel {} with padding {} does not fit size {}", o.kernel, o.padding, in);
  const int64_t out = span / o.stride + 1;
  return o.ceil && (out - 1) * o.stride >= in + o.padding ? out - 1 : out;
}

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  check_window("max_pool2d", x.shape(), options);
  return max_pool("max_pool2d", x, window_axis(x.dim(1), options), window_axis(x.dim(2), options));
}

Tensor max_pool2d_backward(const Tensor& dy, const Tensor& x, const Pool2dOptions& options) {
  check_window("max_pool2d_backward", x.shape(), options);
  const Axis rows = window_axis(x.dim(1), options), columns = window_axis(x.dim(2), options);
  check_outputs("max_pool2d_backward", "dy", dy, x.shape(), rows, columns);
  return max_pool_backward("max_pool2d_backward", dy, x, rows, columns);
}

MaxPool2d max_pool2d_with_positions(const Tensor& x, const Pool2dOptions& options) {
  check_window("max_pool2d_with_positions", x.shape(), options);
  const Axis rows = window_axis(x.dim(1), options), columns = window_axis(x.dim(2), options);
  const Shape shape = {x.dim(0), rows.out, columns.out, x.channels()};
  MaxPool2d result = {Tensor::activation(shape), Tensor::activation(shape)};
  const profile::Scope scope(
      [&] { return describe("max_pool2d_with_positions", x.shape(), rows, columns, x, result.y, result.positions); });
  max_pool_to(x, rows, columns, result.y, result.positions);
  return result;
}

Tensor max_unpool2d(const Tensor& x, const Tensor& positions, int64_t height, int64_t width,
                    const Pool2dOptions& options) {
  check(x.rank() == 4, "max_unpool2d: x {} is not [N,P,Q,C]", x.shape());
  const Shape picture = {x.dim(0), height, width, x.channels()};
  check_window("max_unpool2d", picture, options);
  const Axis rows = window_axis(height, options), columns = window_axis(width, options);
  check_outputs("max_unpool2d", "x", x, picture, rows, columns);
  check_outputs("max_unpool2d", "positions", positions, picture, rows, columns);
  const profile::Scope scope([&] { return describe("max_unpool2d", picture, rows, columns, x, positions, x); });
  return gather(x, positions, rows, columns);
}

Tensor max_unpool2d_backward(const Tensor& dy, const Tensor& positions, const Pool2dOptions& options) {
  check_window("max_unpool2d_backward", dy.shape(), options);
  const Axis rows = window_axis(dy.dim(1), options), columns = window_axis(dy.dim(2), options);
  check_outputs("max_unpool2d_backward", "positions", positions, dy.shape(), rows, columns);
  Tensor dx = Tensor::activation(positions.shape());
  const profile::Scope scope(
      [&] { return describe("max_unpool2d_backward", dy.shape(), rows, columns, dy, positions, dx); });
  for_each_row(dy.dim(0), rows.out, floats_read(dy, rows), dy.channels(),
               [&](int64_t item, int64_t p, int64_t channel, int64_t channels) {
                 const int64_t first = (item * rows.out + p) * columns.out;
                 kernels::max_unpool_backward_row(rows_from(dy, item * rows.in * columns.in, channel), columns.in,
                                                  rows.inputs[p], columns.inputs.data(),
                                                  rows_from(positions, first, channel), rows_from(dx, first, channel),
                                                  columns.out, channels);
               });
  return dx;
}

Tensor adaptive_max_pool2d(const Tensor& x, int64_t bins) {
  check_bins("adaptive_max_pool2d", x.shape(), bins);
  return max_pool("adaptive_max_pool2d", x, cell_axis(x.dim(1), bins), cell_axis(x.dim(2), bins));
}

Tensor adaptive_max_pool2d_backward(const Tensor& dy, const Tensor& x) {
  check(dy.rank() == 4, "adaptive_max_pool2d_backward: dy {} is not [N,bins,bins,C]", dy.shape());
  check_bins("adaptive_max_pool2d_backward", x.shape(), dy.dim(1));
  const Axis rows = cell_axis(x.dim(1), dy.dim(1)), columns = cell_axis(x.dim(2), dy.dim(1));
  check_outputs("adaptive_max_pool2d_backward", "dy", dy, x.shape(), rows, columns);
  return max_pool_backward("adaptive_max_pool2d_backward", dy, x, rows, columns);
}

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options) {
  check_average("avg_pool2d", x.shape(), options);
  const Axis rows = window_axis(x.dim(1), options), columns = window_axis(x.dim(2), options);
  Tensor y = Tensor::activation({x.dim(0), rows.out, columns.out, x.channels()});
  const profile::Scope scope([&] { return describe("avg_pool2d", x.shape(), rows, columns, x, y); });
  for_each_row(x.dim(0), rows.out, floats_read(x, rows), x.channels(),
               [&](int64_t item, int64_t p, int64_t channel, int64_t channels) {
                 kernels::average_pool_row(rows_from(x, item * rows.in * columns.in, channel), columns.in,
                                           rows.inputs[p], columns.inputs.data(), share_of(options),
                                           rows_from(y, (item * rows.out + p) * columns.out, channel), columns.out,
                                           channels);
               });
  return y;
}

Tensor avg_pool2d_backward(const Tensor& dy, const Shape& x_shape, const Pool2dOptions& options) {
  check_average("avg_pool2d_backward", x_shape, options);
  const Axis rows = window_axis(x_shape[1], options), columns = window_axis(x_shape[2], options);
  check_outputs("avg_pool2d_backward", "dy", dy, x_shape, rows, columns);
  Tensor dx = Tensor::activation(x_shape);
  const profile::Scope scope([&] { return describe("avg_pool2d_backward", x_shape, rows, columns, dy, dx); });
  const Scratch<float> shares(rows.out), ones(columns.out);
  std::fill_n(shares.data(), rows.out, share_of(options));
  std::fill_n(ones.data(), columns.out, 1.0F);
  for_each_row(x_shape[0], rows.in, columns.in * x_shape[3], x_shape[3],
               [&](int64_t item, int64_t h, int64_t channel, int64_t channels) {
                 kernels::average_pool_backward_row(rows_from(dy, item * rows.out * columns.out, channel), columns.out,
                                                    rows.outputs[h], columns.outputs.data(), shares.data(), ones.data(),
                                                    rows_from(dx, (item * rows.in + h) * columns.in, channel),
                                                    columns.in, channels, false);
               });
  return dx;
}

}  // namespace giza::ops
