// Every row of the op case table that has a differentiable function, its gradients against differences of its forward
// pass. The numbers are this test's own, without kinks or ties: what the table's data do is held against the oracle.
#include <algorithm>
#include <map>

#include "autograd/functions/functions.h"
#include "tensor/ops/elementwise.h"
#include "tests/support/gradcheck.h"

namespace giza {
namespace {

using autograd::Variable;
using Inputs = std::vector<Variable>;

/// A row as a function and the inputs to differentiate it in.
struct Problem {
  Function function;
  std::vector<Tensor> inputs;
};

Tensor normal(const Shape& shape, uint64_t seed) { return make_numbers(shape, CaseData::normal, seed); }
Tensor spread(const Shape& shape) { return spread_numbers(shape, 0.0625F, 1); }

/// Numbers at most a half away from `center`.
Tensor around(const Shape& shape, float center, uint64_t seed) {
  Tensor x = normal(shape, seed);
  for (int64_t i = 0; i < x.numel(); ++i) x.data()[i] = center + 0.125F * std::clamp(x.data()[i], -4.0F, 4.0F);
  return x;
}

Problem conv2d(const OpCase& row) {
  std::vector<Tensor> inputs = {normal(row.input(), 1), normal(row.weight(), 2)};
  if (row.bias) inputs.push_back(normal({row.k}, 3));
  return {[row](const Inputs& in) { return autograd::conv2d(in[0], in[1], row.bias ? in[2] : Variable(), row.conv()); },
          inputs};
}

Problem linear(const OpCase& row) {
  std::vector<Tensor> inputs = {normal({row.n, row.c()}, 1), normal({row.k, row.c()}, 2)};
  if (row.bias) inputs.push_back(normal({row.k}, 3));
  return {[row](const Inputs& in) { return autograd::linear(in[0], in[1], row.bias ? in[2] : Variable()); }, inputs};
}

Problem batch_norm(const OpCase& row, bool training) {
  // Every other channel is above 0 throughout and the rest below, so that no step goes over the kink of ReLU.
  const Tensor beta = Tensor::empty({row.c()});
  for (int64_t i = 0; i < beta.numel(); ++i) beta.data()[i] = i % 2 == 0 ? 16.0F : -16.0F;
  // The batch's own deviation is made wide, so that a step is small beside it even with two numbers.
  std::vector<Tensor> inputs = {ops::scale(normal(row.input(), 1), training ? 8 : 1), around({row.c()}, 1, 2), beta};
  if (row.residual) inputs.push_back(normal(row.input(), 3));
  const Tensor mean = around({row.c()}, 0, 4), var = around({row.c()}, 1.5F, 5);
  return {[=](const Inputs& in) {
            const Variable residual = row.residual ? in[3] : Variable();
            const ops::BatchNormOptions options{.relu = row.relu};
            return training
                       ? autograd::batch_norm_train(in[0], in[1], in[2], mean.clone(), var.clone(), residual, options)
                       : autograd::batch_norm_eval(in[0], in[1], in[2], mean, var, residual, options);
          },
          inputs};
}

Problem concat(const OpCase& row) {
  std::vector<Tensor> inputs;
  for (int64_t channels : row.channels) inputs.push_back(normal({row.n, row.h, row.w, channels}, inputs.size()));
  return {[](const Inputs& in) { return autograd::concat_channels(in); }, inputs};
}

Problem cross_entropy(const OpCase& row, bool upsampled) {
  const Labels labels = upsampled ? make_labels(row.n, row.out_h, row.out_w, row.c(), 255, row.all_ignored, 2)
                                  : make_labels(row.n, row.h, row.w, row.c(), 255, row.all_ignored, 2);
  ops::CrossEntropyOptions options;
  if (row.class_weights) options.class_weights = around({row.c()}, 1, 3);
  return {[=](const Inputs& in) {
            return upsampled ? autograd::upsample_cross_entropy(in[0], labels, row.align_corners, options).loss
                             : autograd::cross_entropy(in[0], labels, options);
          },
          {normal(row.input(), 1)}};
}

const std::map<std::string, std::function<Problem(const OpCase&)>> kProblems = {
    {"conv2d", conv2d},
    {"linear", linear},
    {"batch_norm_train", [](const OpCase& row) { return batch_norm(row, true); }},
    {"batch_norm_eval", [](const OpCase& row) { return batch_norm(row, false); }},
    {"conv_transpose2d",
     [](const OpCase& row) {
       return Problem{[row](const Inputs& in) {
                        return autograd::conv_transpose2d(in[0], in[1],
                                                          {row.stride, row.padding, row.output_padding, row.dilation});
                      },
                      {normal(row.input(), 1), normal({row.c(), row.kernel_h, row.kernel_w, row.k}, 2)}};
     }},
    {"flatten",
     [](const OpCase& row) {
       return Problem{[](const Inputs& in) { return autograd::flatten(in[0]); }, {normal(row.input(), 1)}};
     }},
    {"crop2d",
     [](const OpCase& row) {
       return Problem{[row](const Inputs& in) {
                        return autograd::crop2d(in[0], row.padding, row.padding - 1, row.h - 2 * row.padding,
                                                row.w - 2 * row.padding);
                      },
                      {normal(row.input(), 1)}};
     }},
    {"mirror_pad2d",
     [](const OpCase& row) {
       return Problem{[row](const Inputs& in) { return autograd::mirror_pad2d(in[0], row.padding); },
                      {normal(row.input(), 1)}};
     }},
    {"max_channels",
     [](const OpCase& row) {
       return Problem{[](const Inputs& in) { return autograd::max_channels(in[0]); }, {spread(row.input())}};
     }},
    {"l2_normalize",
     [](const OpCase& row) {
       return Problem{[](const Inputs& in) { return autograd::l2_normalize(in[0], in[1]); },
                      {around(row.input(), 1, 1), around({row.c()}, 1, 2)}};
     }},
    {"dropout",
     [](const OpCase& row) {
       return Problem{[](const Inputs& in) { return autograd::dropout(in[0], 0.5F, Random(3, Purpose::dropout)); },
                      {normal(row.input(), 1)}};
     }},
    {"relu",
     [](const OpCase& row) {
       return Problem{[](const Inputs& in) { return autograd::relu(in[0]); }, {spread(row.input())}};
     }},
    {"add",
     [](const OpCase& row) {
       return Problem{[](const Inputs& in) { return autograd::add(in[0], in[1]); },
                      {normal(row.input(), 1), normal(row.input(), 2)}};
     }},
    {"max_pool2d",
     [](const OpCase& row) {
       return Problem{[row](const Inputs& in) { return autograd::max_pool2d(in[0], row.pool()); },
                      {spread(row.input())}};
     }},
    {"max_unpool2d",
     [](const OpCase& row) {
       const Tensor positions = ops::max_pool2d_with_positions(spread(row.input()), row.pool()).positions;
       return Problem{[row, positions](const Inputs& in) {
                        return autograd::max_unpool2d(in[0], positions, row.h, row.w, row.pool());
                      },
                      {normal(row.output(), 1)}};
     }},
    {"avg_pool2d",
     [](const OpCase& row) {
       return Problem{[row](const Inputs& in) { return autograd::avg_pool2d(in[0], row.pool()); },
                      {normal(row.input(), 1)}};
     }},
    {"maximum",
     [](const OpCase& row) {
       const Tensor numbers = spread(row.input().with(0, 2 * row.n));
       return Problem{[](const Inputs& in) { return autograd::maximum(in[0], in[1]); },
                      {numbers.batch_slice(0, row.n), numbers.batch_slice(row.n, 2 * row.n)}};
     }},
    {"adaptive_avg_pool2d",
     [](const OpCase& row) {
       return Problem{[row](const Inputs& in) { return autograd::adaptive_avg_pool2d(in[0], row.bins); },
                      {normal(row.input(), 1)}};
     }},
    {"adaptive_max_pool2d",
     [](const OpCase& row) {
       return Problem{[row](const Inputs& in) { return autograd::adaptive_max_pool2d(in[0], row.bins); },
                      {spread(row.input())}};
     }},
    {"resize_bilinear",
     [](const OpCase& row) {
       return Problem{[row](const Inputs& in) {
                        return autograd::resize_bilinear(in[0], row.out_h, row.out_w, row.align_corners);
                      },
                      {normal(row.input(), 1)}};
     }},
    {"concat_channels", concat},
    {"softmax",
     [](const OpCase& row) {
       return Problem{[](const Inputs& in) { return autograd::softmax(in[0]); }, {normal(row.input(), 1)}};
     }},
    {"cross_entropy", [](const OpCase& row) { return cross_entropy(row, false); }},
    {"upsample_cross_entropy", [](const OpCase& row) { return cross_entropy(row, true); }},
    {"dropout2d", [](const OpCase& row) {
       return Problem{[](const Inputs& in) { return autograd::dropout2d(in[0], 0.5F, Random(3, Purpose::dropout)); },
                      {normal(row.input(), 1)}};
     }}};

TEST_CASE("every row of the op case table: gradients along directions of their own") {
  std::string_view table = op_case_table(CaseUse::test);
  int rows = 0;
  while (!table.empty()) {
    const size_t end = std::min(table.find('\n'), table.size());
    const std::string_view line = table.substr(0, end);
    table.remove_prefix(std::min(end + 1, table.size()));
    if (line.empty()) continue;
    const OpCase row = OpCase::parse(line);
    const auto make = kProblems.find(row.op);
    if (make == kProblems.end()) {
      // No function of its own: inside linear's and conv2d's; not differentiable.
      CHECK((row.op == "sum_rows" || row.op == "argmax" || row.op == "upsample_argmax"));
      continue;
    }
    CAPTURE(row.name());
    const Problem problem = make->second(row);
    CHECK_SAME(gradcheck_along(problem.function, problem.inputs));
    ++rows;
  }
  CHECK(rows > 150);
}

TEST_CASE("gradcheck_along notices one wrong element in a thousand, and a gradient that is all a little off") {
  const Tensor x = normal({1, 10, 10, 10}, 1);
  const auto check_with = [&](const std::function<void(const Tensor& dx)>& spoil) {
    return gradcheck_along(
        [&](const Inputs& in) {
          return Variable::from_op(in[0].value().clone(), "copy", {in[0]}, [&](const Tensor& dy) {
            Tensor dx = dy.clone();
            spoil(dx);
            return std::vector<Tensor>{dx};
          });
        },
        {x});
  };
  CHECK(check_with([](const Tensor&) {}) == "");
  CHECK(check_with([](const Tensor& dx) { dx.data()[517] += 8; }) != "");
  CHECK(check_with([](const Tensor& dx) {
          for (int64_t i = 0; i < dx.numel(); ++i) dx.data()[i] *= 1.02F;
        }) != "");
}

}  // namespace
}  // namespace giza
