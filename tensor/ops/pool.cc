// Max pooling in NHWC, by windows or adaptive: both are tables of which inputs make which output.
#include "tensor/ops/pool.h"

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

Axis window_axis(int64_t in, const Pool2dOptions& o) {
  return {in, (in + 2 * o.padding - o.kernel) / o.stride + 1, [&](int64_t i) {
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
  check(x[1] + 2 * o.padding >= o.kernel && x[2] + 2 * o.padding >= o.kernel, "{}: kernel {} on x {} with padding {}",
        op, o.kernel, x, o.padding);
}

void check_bins(const char* op, const Shape& x, int64_t bins) {
  check_picture(op, x);
  check(bins >= 1, "{}: {} bins", op, bins);
}

void check_gradient(const char* op, const Tensor& dy, const Shape& x, const Axis& rows, const Axis& columns) {
  check(dy.shape() == Shape{x[0], rows.out, columns.out, x[3]}, "{}: dy {} for x {}, expected [{},{},{},{}]", op,
        dy.shape(), x, x[0], rows.out, columns.out, x[3]);
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

Tensor max_pool(const char* op, const Tensor& x, const Axis& rows, const Axis& columns) {
  Tensor y = Tensor::activation({x.dim(0), rows.out, columns.out, x.channels()});
  const profile::Scope scope([&] { return describe(op, x.shape(), rows, columns, x, y); });
  for_each_row(x.dim(0), rows.out, floats_read(x, rows), x.channels(),
               [&](int64_t item, int64_t p, int64_t channel, int64_t channels) {
                 kernels::max_pool_row(rows_from(x, item * rows.in * columns.in, channel), columns.in, rows.inputs[p],
                                       columns.inputs.data(),
                                       rows_from(y, (item * rows.out + p) * columns.out, channel), {}, columns.out,
                                       channels);
               });
  return y;
}

Tensor max_pool_backward(const char* op, const Tensor& dy, const Tensor& x, const Axis& rows, const Axis& columns) {
  const profile::Scope scope([&] { return describe(op, x.shape(), rows, columns, dy, x, x); });
  // First where each maximum was, then every input gathers from the outputs around it: no two tasks write one place.
  const Tensor positions = Tensor::activation(dy.shape());
  for_each_row(x.dim(0), rows.out, floats_read(x, rows), x.channels(),
               [&](int64_t item, int64_t p, int64_t channel, int64_t channels) {
                 kernels::max_pool_row(rows_from(x, item * rows.in * columns.in, channel), columns.in, rows.inputs[p],
                                       columns.inputs.data(), {},
                                       rows_from(positions, (item * rows.out + p) * columns.out, channel), columns.out,
                                       channels);
               });
  Tensor dx = Tensor::activation(x.shape());
  for_each_row(x.dim(0), rows.in, columns.in * x.channels(), x.channels(),
               [&](int64_t item, int64_t h, int64_t channel, int64_t channels) {
                 const int64_t picture = item * rows.out * columns.out;
                 kernels::max_pool_backward_row(rows_from(dy, picture, channel), rows_from(positions, picture, channel),
                                                columns.out, rows.outputs[h], columns.outputs.data(), h,
                                                rows_from(dx, (item * rows.in + h) * columns.in, channel), columns.in,
                                                channels);
               });
  return dx;
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  check_window("max_pool2d", x.shape(), options);
  return max_pool("max_pool2d", x, window_axis(x.dim(1), options), window_axis(x.dim(2), options));
}

Tensor max_pool2d_backward(const Tensor& dy, const Tensor& x, const Pool2dOptions& options) {
  check_window("max_pool2d_backward", x.shape(), options);
  const Axis rows = window_axis(x.dim(1), options), columns = window_axis(x.dim(2), options);
  check_gradient("max_pool2d_backward", dy, x.shape(), rows, columns);
  return max_pool_backward("max_pool2d_backward", dy, x, rows, columns);
}

Tensor adaptive_max_pool2d(const Tensor& x, int64_t bins) {
  check_bins("adaptive_max_pool2d", x.shape(), bins);
  return max_pool("adaptive_max_pool2d", x, cell_axis(x.dim(1), bins), cell_axis(x.dim(2), bins));
}

Tensor adaptive_max_pool2d_backward(const Tensor& dy, const Tensor& x) {
  check(dy.rank() == 4, "adaptive_max_pool2d_backward: dy {} is not [N,bins,bins,C]", dy.shape());
  check_bins("adaptive_max_pool2d_backward", x.shape(), dy.dim(1));
  const Axis rows = cell_axis(x.dim(1), dy.dim(1)), columns = cell_axis(x.dim(2), dy.dim(1));
  check_gradient("adaptive_max_pool2d_backward", dy, x.shape(), rows, columns);
  return max_pool_backward("adaptive_max_pool2d_backward", dy, x, rows, columns);
}

}  // namespace giza::ops
