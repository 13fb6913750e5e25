// Softmax over channels, and softmax cross-entropy.
#include "tensor/ops/softmax.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/kernels/softmax.h"
#include "tensor/ops/batch_share.h"
#include "tensor/ops/cut.h"
#include "tensor/ops/detail/cross_entropy_parts.h"
#include "tensor/ops/picture_cut.h"
#include "tensor/ops/scratch.h"
#include "tensor/profile/profile.h"

namespace giza::ops {
void check_labels(const char* op, const Labels& labels) {
  check(static_cast<int64_t>(labels.values.size()) == labels.n * labels.h * labels.w,
        "{}: labels [{},{},{}] hold {} values", op, labels.n, labels.h, labels.w, labels.values.size());
}

const float* class_weights_of(const char* op, const Tensor& logits, const CrossEntropyOptions& options) {
  const Tensor& weights = options.class_weights;
  if (!weights.defined()) return nullptr;
  check(weights.shape() == Shape{logits.channels()}, "{}: class weights {} for logits {}", op, weights.shape(),
        logits.shape());
  return weights.data();
}

void throw_bad_label(const char* op, const Labels& labels, int64_t pixel, int64_t classes, int32_t ignore_label) {
  throw ShapeError(fmt::format("{}: label {} at n={}, y={}, x={} is neither in 0..{} nor the ignored {}", op,
                               labels.values[static_cast<size_t>(pixel)], pixel / labels.w / labels.h,
                               pixel / labels.w % labels.h, pixel % labels.w, classes - 1, ignore_label));
}

kernels::CrossEntropySums tree_sum(kernels::CrossEntropySums* sums, int64_t pictures, int64_t blocks) {
  if (pictures * blocks == 0) return {0, 0, -1};
  const auto add = [&](int64_t to, int64_t from) {
    sums[to].loss += sums[from].loss;
    sums[to].weight += sums[from].weight;
  };
  for (int64_t first = 0; first < pictures * blocks; first += blocks) {
    add_in_tree(blocks, [&](int64_t to, int64_t from) { add(first + to, first + from); });
  }
  add_own_pictures(pictures, [&](int64_t to, int64_t from) { add(to * blocks, from * blocks); });
  if (BatchShare::current() == nullptr) return sums[0];
  const Scratch<double> numbers(pictures * 2);
  for (int64_t picture = 0; picture < pictures; ++picture) {
    numbers[2 * picture] = sums[picture * blocks].loss;
    numbers[2 * picture + 1] = sums[picture * blocks].weight;
  }
  add_other_pictures(numbers.data(), 2, 2);
  return {numbers[0], numbers[1], -1};
}

Tensor mean_loss(const kernels::CrossEntropySums& total) {
  return Tensor::full({1}, total.weight > 0 ? static_cast<float>(total.loss / total.weight) : 0.0F);
}

namespace {

void check_fit(const char* op, const Tensor& logits, const Labels& labels) {
  check(logits.rank() == 4 && logits.dim(0) == labels.n && logits.dim(1) == labels.h && logits.dim(2) == labels.w,
        "{}: logits {} for labels [{},{},{}]", op, logits.shape(), labels.n, labels.h, labels.w);
  check_labels(op, labels);
}

}  // namespace

Tensor softmax(const Tensor& x) {
  check(x.rank() >= 1 && x.channels() >= 1, "softmax: x {} has no channels", x.shape());
  Tensor y = Tensor::activation(x.shape());
  softmax_into(x, y);
  return y;
}

void softmax_into(const Tensor& x, const Tensor& y) {
  check(x.rank() >= 1 && x.channels() >= 1 && y.shape() == x.shape(), "softmax: x {} into {}", x.shape(), y.shape());
  // An exponential counts as one operation.
  const profile::Scope scope([&] { return profile::elementwise("softmax", 5, x, y); });
  parallel_ranges(x.rows(), row_grain(x.channels()), [&](int64_t begin, int64_t end) {
    kernels::softmax(rows_from(x, begin), rows_from(y, begin), end - begin, x.channels());
  });
}

void log_probabilities_into(const Tensor& p, float lowest, const Tensor& y) {
  check(p.rank() >= 1 && y.shape() == p.shape(), "log_probabilities: p {} into {}", p.shape(), y.shape());
  check(lowest > 0 && lowest <= 1, "log_probabilities: lowest {}, expected above 0 and at most 1", lowest);
  const profile::Scope scope([&] { return profile::elementwise("log_probabilities", 3, p, y); });
  parallel_ranges(p.rows(), row_grain(p.channels()), [&](int64_t begin, int64_t end) {
    kernels::log_probabilities(rows_from(p, begin), lowest, rows_from(y, begin), end - begin, p.channels());
  });
}

Tensor softmax_backward(const Tensor& dy, const Tensor& y) {
  check(dy.shape() == y.shape(), "softmax_backward: dy {} for y {}", dy.shape(), y.shape());
  check(y.rank() >= 1 && y.channels() >= 1, "softmax_backward: y {} has no channels", y.shape());
  Tensor dx = Tensor::activation(y.shape());
  const profile::Scope scope([&] { return profile::elementwise("softmax_backward", 4, y, dy, dx); });
  parallel_ranges(y.rows(), row_grain(y.channels()), [&](int64_t begin, int64_t end) {
    kernels::softmax_backward(rows_from(dy, begin), rows_from(y, begin), rows_from(dx, begin), end - begin,
                              y.channels());
  });
  return dx;
}

CrossEntropyResult cross_entropy(const Tensor& logits, const Labels& labels, const CrossEntropyOptions& options) {
  check_fit("cross_entropy", logits, labels);
  const int64_t classes = logits.channels();
  check(classes >= 1, "cross_entropy: logits {} have no classes", logits.shape());
  const float* weights = class_weights_of("cross_entropy", logits, options);
  const profile::Scope scope([&] { return profile::elementwise("cross_entropy", 4, logits); });
  CrossEntropyResult result{{}, Tensor::activation(logits.shape().with(3, 1)), 0};
  const PictureCut cut(labels.n, labels.h * labels.w, row_grain(classes), 1);
  const int64_t blocks = cut.pictures * cut.blocks;
  const Scratch<kernels::CrossEntropySums> sums(blocks);
  // What a task leaves that is not run (tensor/dry_run.h).
  std::fill_n(sums.data(), blocks, kernels::CrossEntropySums{0, 1, -1});
  parallel_for(cut.units > 0 ? cut.tasks() : 0, [&](int64_t task) {
    cut.for_each_block(cut.begin(task), cut.end(task), [&](int64_t block, int64_t begin, int64_t end) {
      sums[block] = kernels::cross_entropy(rows_from(logits, begin), labels.values.data() + begin, options.ignore_label,
                                           weights, result.lse.data() + begin, end - begin, classes);
      if (sums[block].bad_label >= 0) sums[block].bad_label += begin;
    });
  });
  for (int64_t block = 0; block < blocks; ++block) {
    if (sums[block].bad_label < 0) continue;
    throw_bad_label("cross_entropy", labels, sums[block].bad_label, classes, options.ignore_label);
  }
  const kernels::CrossEntropySums total = tree_sum(sums.data(), cut.pictures, cut.blocks);
  result.weight = total.weight;
  result.loss = mean_loss(total);
  return result;
}

Tensor cross_entropy_backward(float dloss, const Tensor& logits, const Labels& labels,
                              const CrossEntropyResult& forward, const CrossEntropyOptions& options) {
  check_fit("cross_entropy_backward", logits, labels);
  const float* weights = class_weights_of("cross_entropy_backward", logits, options);
  check(forward.lse.shape() == logits.shape().with(3, 1), "cross_entropy_backward: lse {} for logits {}",
        forward.lse.shape(), logits.shape());
  Tensor dx = Tensor::activation(logits.shape());
  const profile::Scope scope([&] { return profile::elementwise("cross_entropy_backward", 3, logits, dx); });
  if (!(forward.weight > 0)) {
    dx.fill(0.0F);
    return dx;
  }
  const auto factor = static_cast<float>(dloss / forward.weight);
  parallel_ranges(logits.rows(), row_grain(logits.channels()), [&](int64_t begin, int64_t end) {
    kernels::cross_entropy_backward(rows_from(logits, begin), labels.values.data() + begin, options.ignore_label,
                                    weights, forward.lse.row(begin), factor, rows_from(dx, begin), end - begin,
                                    logits.channels());
  });
  return dx;
}

Labels argmax(const Tensor& x) {
  check(x.rank() == 4 && x.channels() >= 1, "argmax: x {} is not [N,H,W,C] with C of at least one", x.shape());
  Labels labels(x.dim(0), x.dim(1), x.dim(2));
  const profile::Scope scope([&] { return profile::elementwise("argmax", 1, x); });
  parallel_ranges(x.rows(), row_grain(x.channels()), [&](int64_t begin, int64_t end) {
    kernels::argmax(rows_from(x, begin), labels.values.data() + begin, end - begin, x.channels());
  });
  return labels;
}

}  // namespace giza::ops
