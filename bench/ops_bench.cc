// Google Benchmark over the op case table: what is not a convolution, forward and backward. These ops are limited by
// memory: the counter is GB/s of compulsory traffic, inputs and outputs once each.
#include <benchmark/benchmark.h>

#include <functional>
#include <string>

#include "bench/bench_numbers.h"
#include "tensor/ops/batch_norm.h"
#include "tensor/ops/channel_max.h"
#include "tensor/ops/conv_transpose2d.h"
#include "tensor/ops/crop.h"
#include "tensor/ops/dropout.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/l2_normalize.h"
#include "tensor/ops/pool.h"
#include "tensor/ops/resize.h"
#include "tensor/ops/softmax.h"
#include "tensor/ops/upsample_loss.h"
#include "tensor/profile/profile.h"
#include "tests/support/op_cases.h"

namespace giza::bench {
namespace {

Tensor picture(const Shape& shape, uint32_t item) { return random_tensor(Tensor::activation(shape), item); }

Tensor vector(int64_t channels, uint32_t item) { return random_tensor(Tensor::empty({channels}), item); }

Labels labels_of(int64_t n, int64_t h, int64_t w, int64_t classes) {
  Labels labels(n, h, w);
  Random random(7, Purpose::test, 0, 9);
  for (int32_t& label : labels.values) {
    label = static_cast<int32_t>(random.next_uniform(0, 1) * static_cast<float>(classes - 1));
  }
  return labels;
}

/// What is timed, with its operands; and how many bytes it must move.
struct Timed {
  std::function<void()> body;
  double bytes;
};
using Prepare = std::function<Timed(const OpCase&)>;

void add(const std::string& pass, const OpCase& op, const std::string& name, const Prepare& prepare) {
  benchmark::RegisterBenchmark(fmt::format("{}/{}", pass, name).c_str(),
                               [op, prepare](benchmark::State& state) {
                                 const Timed timed = prepare(op);
                                 timed.body();  // warms up: page faults
                                 for ([[maybe_unused]] auto _ : state) timed.body();
                                 state.counters["GB/s"] =
                                     benchmark::Counter(1e-9 * timed.bytes * static_cast<double>(state.iterations()),
                                                        benchmark::Counter::kIsRate);
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

void add_rows(const char* op, const std::string& pass, const Prepare& prepare) {
  for (const OpCase& row : op_cases(op, CaseUse::bench)) add(pass, row, fmt::format("{}/{}", op, row.name()), prepare);
}

void add_batch_norm() {
  struct Operands {
    explicit Operands(const OpCase& op)
        : x(picture(op.input(), 0)),
          gamma(vector(op.c(), 1)),
          beta(vector(op.c(), 2)),
          mean(vector(op.c(), 3)),
          variance(Tensor::full({op.c()}, 1.5F)),
          residual(op.residual ? picture(op.input(), 4) : Tensor()),
          options{.relu = op.relu} {}
    Tensor x, gamma, beta, mean, variance, residual;
    ops::BatchNormOptions options;
  };
  add_rows("batch_norm_train", "forward", [](const OpCase& op) -> Timed {
    const Operands o(op);
    return {[o] { ops::batch_norm_train(o.x, o.gamma, o.beta, o.mean, o.variance, o.residual, o.options); },
            profile::bytes_of(o.x, o.x, o.residual)};
  });
  add_rows("batch_norm_train", "backward", [](const OpCase& op) -> Timed {
    const Operands o(op);
    const Tensor dy = picture(op.input(), 5);
    const auto forward = ops::batch_norm_train(o.x, o.gamma, o.beta, o.mean, o.variance, o.residual, o.options);
    return {[=] {
              ops::batch_norm_train_backward(dy, o.x, forward.y, o.gamma, forward.mean, forward.invstd,
                                             o.residual.defined(), o.options);
            },
            profile::bytes_of(dy, o.x, forward.y, o.x, o.residual)};
  });
  add_rows("batch_norm_eval", "forward", [](const OpCase& op) -> Timed {
    const Operands o(op);
    return {[o] { ops::batch_norm_eval(o.x, o.gamma, o.beta, o.mean, o.variance, o.residual, o.options); },
            profile::bytes_of(o.x, o.x, o.residual)};
  });
}

void add_borders() {
  add_rows("crop2d", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    const int64_t at = op.padding, h = op.h - 2 * at, w = op.w - 2 * at;
    const Tensor y = ops::crop2d(x, at, at, h, w);
    return {[=] { ops::crop2d(x, at, at, h, w); }, profile::bytes_of(y, y)};
  });
  add_rows("mirror_pad2d", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::mirror_pad2d(x, op.padding); }, profile::bytes_of(x, ops::mirror_pad2d(x, op.padding))};
  });
  add_rows("max_channels", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::max_channels(x); }, profile::bytes_of(x)};
  });
}

void add_pooling() {
  add_rows("max_pool2d", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::max_pool2d(x, op.pool()); }, profile::bytes_of(x, ops::max_pool2d(x, op.pool()))};
  });
  add_rows("max_pool2d", "backward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0), dy = picture(op.output(), 1);
    return {[=] { ops::max_pool2d_backward(dy, x, op.pool()); }, profile::bytes_of(dy, x, x)};
  });
  add_rows("max_unpool2d", "forward", [](const OpCase& op) -> Timed {
    const ops::MaxPool2d pooled = ops::max_pool2d_with_positions(picture(op.input(), 0), op.pool());
    const Tensor x = picture(op.output(), 1);
    return {[=] { ops::max_unpool2d(x, pooled.positions, op.h, op.w, op.pool()); },
            profile::bytes_of(x, x, picture(op.input(), 0))};
  });
  add_rows("max_unpool2d", "backward", [](const OpCase& op) -> Timed {
    const Tensor dy = picture(op.input(), 0);
    const ops::MaxPool2d pooled = ops::max_pool2d_with_positions(dy, op.pool());
    return {[=] { ops::max_unpool2d_backward(dy, pooled.positions, op.pool()); },
            profile::bytes_of(dy, pooled.y, pooled.y)};
  });
  add_rows("avg_pool2d", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::avg_pool2d(x, op.pool()); }, profile::bytes_of(x, x)};
  });
  add_rows("avg_pool2d", "backward", [](const OpCase& op) -> Timed {
    const Tensor dy = picture(op.output(), 0);
    return {[=] { ops::avg_pool2d_backward(dy, op.input(), op.pool()); }, profile::bytes_of(dy, dy)};
  });
  const auto cells = [](const OpCase& op) { return Shape{op.n, op.bins, op.bins, op.c()}; };
  add_rows("adaptive_avg_pool2d", "forward", [=](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::adaptive_avg_pool2d(x, op.bins); }, profile::bytes_of(x)};
  });
  add_rows("adaptive_avg_pool2d", "backward", [=](const OpCase& op) -> Timed {
    const Tensor dy = picture(cells(op), 0);
    return {[=] { ops::adaptive_avg_pool2d_backward(dy, op.input()); },
            static_cast<double>(sizeof(float)) * static_cast<double>(op.input().numel())};
  });
  add_rows("adaptive_max_pool2d", "forward", [=](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::adaptive_max_pool2d(x, op.bins); }, profile::bytes_of(x)};
  });
  add_rows("adaptive_max_pool2d", "backward", [=](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0), dy = picture(cells(op), 1);
    return {[=] { ops::adaptive_max_pool2d_backward(dy, x); }, profile::bytes_of(dy, x, x)};
  });
  // The four sizes of the paper in one pass, on the map of the table's single ones.
  OpCase pyramid = op_cases("adaptive_avg_pool2d", CaseUse::bench).front();
  pyramid.bins = 1;
  const std::string name = "pyramid_avg_pool2d/" + pyramid.name() + ",2,3,6";
  const std::vector<int64_t> bins = {1, 2, 3, 6};
  add("forward", pyramid, name, [=](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::pyramid_avg_pool2d(x, bins); }, profile::bytes_of(x)};
  });
  add("backward", pyramid, name, [=](const OpCase& op) -> Timed {
    const Tensor dy = picture({ops::pyramid_rows(op.n, op.c(), bins).back().end, op.c()}, 0);
    return {[=] { ops::pyramid_avg_pool2d_backward(dy, op.input(), bins); },
            static_cast<double>(sizeof(float)) * static_cast<double>(op.input().numel())};
  });
}

void add_resize() {
  add_rows("resize_bilinear", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::resize_bilinear(x, op.out_h, op.out_w, op.align_corners); },
            profile::bytes_of(x, ops::resize_bilinear(x, op.out_h, op.out_w, op.align_corners))};
  });
  add_rows("resize_bilinear", "backward", [](const OpCase& op) -> Timed {
    const Tensor dy = picture({op.n, op.out_h, op.out_w, op.c()}, 0);
    return {[=] { ops::resize_bilinear_backward(dy, op.input(), op.align_corners); },
            profile::bytes_of(dy) + static_cast<double>(sizeof(float)) * static_cast<double>(op.input().numel())};
  });
}

void add_softmax() {
  add_rows("softmax", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::softmax(x); }, profile::bytes_of(x, x)};
  });
  add_rows("softmax", "backward", [](const OpCase& op) -> Timed {
    const Tensor dy = picture(op.input(), 0), y = ops::softmax(picture(op.input(), 1));
    return {[=] { ops::softmax_backward(dy, y); }, profile::bytes_of(dy, y, y)};
  });
  add_rows("argmax", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::argmax(x); }, profile::bytes_of(x)};
  });
  add_rows("cross_entropy", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    const Labels labels = labels_of(op.n, op.h, op.w, op.c());
    return {[=] { ops::cross_entropy(x, labels, {}); }, profile::bytes_of(x)};
  });
  add_rows("cross_entropy", "backward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    const Labels labels = labels_of(op.n, op.h, op.w, op.c());
    const auto forward = ops::cross_entropy(x, labels, {});
    return {[=] { ops::cross_entropy_backward(1.0F, x, labels, forward, {}); }, profile::bytes_of(x, x)};
  });
  add_rows("upsample_cross_entropy", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    const Labels labels = labels_of(op.n, op.out_h, op.out_w, op.c());
    return {[=] { ops::upsample_cross_entropy(x, labels, op.align_corners, {}); }, profile::bytes_of(x)};
  });
  add_rows("upsample_cross_entropy", "backward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    const Labels labels = labels_of(op.n, op.out_h, op.out_w, op.c());
    const auto forward = ops::upsample_cross_entropy(x, labels, op.align_corners, {});
    return {[=] { ops::upsample_cross_entropy_backward(1.0F, x, labels, forward.loss, op.align_corners, {}); },
            profile::bytes_of(x, x)};
  });
  add_rows("upsample_argmax", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::upsample_argmax(x, op.out_h, op.out_w, op.align_corners); }, profile::bytes_of(x)};
  });
}

void add_others() {
  add_rows("maximum", "forward", [](const OpCase& op) -> Timed {
    const Tensor a = picture(op.input(), 0), b = picture(op.input(), 1);
    return {[=] { ops::maximum(a, b); }, profile::bytes_of(a, b, a)};
  });
  add_rows("maximum", "backward", [](const OpCase& op) -> Timed {
    const Tensor a = picture(op.input(), 0), b = picture(op.input(), 1), dy = picture(op.input(), 2);
    return {[=] { ops::maximum_backward(dy, a, b); }, profile::bytes_of(dy, a, b, a, b)};
  });
  add_rows("l2_normalize", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0), gain = vector(op.c(), 1);
    return {[=] { ops::l2_normalize(x, gain); }, profile::bytes_of(x, x)};
  });
  add_rows("l2_normalize", "backward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0), dy = picture(op.input(), 1), gain = vector(op.c(), 2);
    return {[=] { ops::l2_normalize_backward(dy, x, gain); }, profile::bytes_of(dy, x, x)};
  });
  add_rows("dropout", "forward", [](const OpCase& op) -> Timed {
    const Tensor x = picture(op.input(), 0);
    return {[=] { ops::dropout(x, 0.5F, Random(1, Purpose::dropout)); }, profile::bytes_of(x, x)};
  });
  add_rows("conv_transpose2d", "forward", [](const OpCase& op) -> Timed {
    const ops::ConvTranspose2dOptions options{op.stride, op.padding, op.output_padding, op.dilation};
    const Tensor x = picture(op.input(), 0), w = picture({op.c(), op.kernel_h, op.kernel_w, op.k}, 1).clone();
    return {[=] { ops::conv_transpose2d(x, w, options); },
            profile::bytes_of(x, w, ops::conv_transpose2d(x, w, options))};
  });
}

// Registration at start-up, because the table is read at run time.
const bool kRegistered = [] {
  add_batch_norm();
  add_borders();
  add_pooling();
  add_resize();
  add_softmax();
  add_others();
  return true;
}();

}  // namespace
}  // namespace giza::bench
