// Every differentiable function: its gradients against differences of its forward pass.
#include "autograd/functions/functions.h"

#include "tests/support/gradcheck.h"

namespace giza {
namespace {

using autograd::Variable;
using Inputs = std::vector<Variable>;

Tensor normal(const Shape& shape, uint64_t seed) { return make_numbers(shape, CaseData::normal, seed); }

TEST_CASE("gradcheck itself notices a wrong gradient, a missing one, and one too many") {
  const std::vector<Tensor> x = {normal({1, 2, 2, 3}, 1)};
  auto with_backward = [&](std::function<std::vector<Tensor>(const Tensor&)> backward) {
    return gradcheck(
        [&](const Inputs& in) {
          Tensor doubled = in[0].value().clone();
          for (int64_t i = 0; i < doubled.numel(); ++i) doubled.data()[i] *= 2;
          return Variable::from_op(doubled, "double", {in[0]}, backward);
        },
        x);
  };
  auto times = [](const Tensor& dy, float factor) {
    Tensor dx = dy.clone();
    for (int64_t i = 0; i < dx.numel(); ++i) dx.data()[i] *= factor;
    return std::vector<Tensor>{dx};
  };
  CHECK(with_backward([&](const Tensor& dy) { return times(dy, 2.0F); }) == "");
  CHECK(with_backward([&](const Tensor& dy) { return times(dy, 2.03F); }) != "");
  CHECK(with_backward([&](const Tensor& dy) { return times(dy, -2.0F); }) != "");
  // backward() itself refuses a function that gives no gradient, or two for one input.
  CHECK_THROWS_AS(with_backward([](const Tensor&) { return std::vector<Tensor>(1); }), Error);
  CHECK_THROWS_AS(with_backward([](const Tensor& dy) { return std::vector<Tensor>{dy, dy}; }), Error);
  const std::vector<Tensor> two = {x[0], normal({1, 2, 2, 3}, 2)};
  CHECK(gradcheck([](const Inputs& in) { return autograd::add(in[0], in[1]); }, two) == "");
  CHECK(gradcheck([](const Inputs& in) { return autograd::add(in[0], in[0]); }, two) == "input 1: no gradient");
  const auto asks_for_all = [](const Inputs& in) {
    for (Variable v : in) v.set_requires_grad(true);
    return autograd::add(in[0], in[1]);
  };
  CHECK(gradcheck(asks_for_all, two) == "input 1: a gradient that nobody asked for");
}

TEST_CASE("conv2d, with and without bias") {
  for (const Conv2dOptions options : {Conv2dOptions{.padding = 1}, Conv2dOptions{.stride = 2, .padding = 1},
                                      Conv2dOptions{.padding = 2, .dilation = 2}}) {
    const std::vector<Tensor> inputs = {normal({2, 5, 4, 3}, 1), normal({4, 3, 3, 3}, 2), normal({4}, 3)};
    CHECK_SAME(gradcheck([&](const Inputs& in) { return autograd::conv2d(in[0], in[1], in[2], options); }, inputs));
    CHECK_SAME(gradcheck([&](const Inputs& in) { return autograd::conv2d(in[0], in[1], {}, options); },
                         {inputs[0], inputs[1]}));
  }
}

TEST_CASE("linear, with and without bias") {
  const std::vector<Tensor> inputs = {normal({3, 5}, 1), normal({4, 5}, 2), normal({4}, 3)};
  CHECK_SAME(gradcheck([](const Inputs& in) { return autograd::linear(in[0], in[1], in[2]); }, inputs));
  CHECK_SAME(gradcheck([](const Inputs& in) { return autograd::linear(in[0], in[1], {}); }, {inputs[0], inputs[1]}));
}

TEST_CASE("batch norm, training and evaluation, with and without residual and ReLU") {
  for (bool relu : {false, true}) {
    for (bool residual : {false, true}) {
      CAPTURE(relu);
      CAPTURE(residual);
      const Tensor mean = normal({3}, 5), var = Tensor::full({3}, 1.5F);
      // Channels far above and far below 0, so that no difference steps over the kink of ReLU.
      const float far[] = {8, -8, 8};
      std::vector<Tensor> inputs = {normal({2, 3, 4, 3}, 1), normal({3}, 2), Tensor::from({3}, far)};
      if (residual) inputs.push_back(normal({2, 3, 4, 3}, 4));
      const ops::BatchNormOptions options{.relu = relu};
      CHECK_SAME(gradcheck(
          [&](const Inputs& in) {
            return autograd::batch_norm_train(in[0], in[1], in[2], mean.clone(), var.clone(),
                                              residual ? in[3] : Variable(), options);
          },
          inputs));
      // The scaled gradient belongs to nobody else, so that the backward pass may write into it.
      CHECK_SAME(gradcheck(
          [&](const Inputs& in) {
            return autograd::scale(autograd::batch_norm_train(in[0], in[1], in[2], mean.clone(), var.clone(),
                                                              residual ? in[3] : Variable(), options),
                                   0.5F);
          },
          inputs));
      CHECK_SAME(gradcheck(
          [&](const Inputs& in) {
            return autograd::batch_norm_eval(in[0], in[1], in[2], mean, var, residual ? in[3] : Variable(), options);
          },
          inputs));
    }
  }
}

TEST_CASE("relu, add, scale") {
  const Tensor x = spread_numbers({2, 3, 2, 5}, 0.0625F, 1), other = normal({2, 3, 2, 5}, 2);
  CHECK_SAME(gradcheck([](const Inputs& in) { return autograd::relu(in[0]); }, {x}));
  CHECK_SAME(gradcheck([](const Inputs& in) { return autograd::add(in[0], in[1]); }, {x, other}));
  CHECK_SAME(gradcheck([](const Inputs& in) { return autograd::scale(in[0], -0.4F); }, {x}));
}

TEST_CASE("pooling") {
  const Tensor x = spread_numbers({2, 5, 6, 3}, 0.0625F, 1);
  CHECK_SAME(gradcheck([](const Inputs& in) { return autograd::max_pool2d(in[0], {}); }, {x}));
  for (int64_t bins : {1, 2, 3, 7}) {
    CHECK_SAME(gradcheck([&](const Inputs& in) { return autograd::adaptive_avg_pool2d(in[0], bins); }, {x}));
    CHECK_SAME(gradcheck([&](const Inputs& in) { return autograd::adaptive_max_pool2d(in[0], bins); }, {x}));
  }
}

TEST_CASE("pyramid pooling: gradients of all maps, and of some") {
  const Tensor x = normal({2, 5, 6, 3}, 1);
  const int64_t bins[] = {1, 3, 7};
  for (const size_t skipped : {3, 0, 1}) {  // 3: none
    CAPTURE(skipped);
    CHECK_SAME(gradcheck(
        [&](const Inputs& in) {
          const std::vector<Variable> maps = autograd::pyramid_avg_pool2d(in[0], bins);
          std::vector<Variable> parts;
          for (size_t i = 0; i < maps.size(); ++i) {
            if (i != skipped) parts.push_back(autograd::resize_bilinear(maps[i], 4, 4, true));
          }
          return autograd::concat_channels(parts);
        },
        {x}));
  }
}

TEST_CASE("resize_bilinear") {
  const Tensor x = normal({2, 3, 4, 3}, 1);
  for (bool align_corners : {false, true}) {
    for (auto [height, width] : {std::pair<int64_t, int64_t>{7, 9}, {2, 3}, {1, 1}}) {
      CHECK_SAME(gradcheck([&, h = height, w = width](
                               const Inputs& in) { return autograd::resize_bilinear(in[0], h, w, align_corners); },
                           {x}));
    }
  }
}

TEST_CASE("concat_channels, one part twice included") {
  const std::vector<Tensor> inputs = {normal({2, 3, 2, 5}, 1), normal({2, 3, 2, 17}, 2), normal({2, 3, 2, 1}, 3)};
  CHECK_SAME(gradcheck([](const Inputs& in) { return autograd::concat_channels(in); }, inputs));
  CHECK_SAME(gradcheck(
      [](const Inputs& in) {
        const Variable parts[] = {in[0], in[1], in[0]};
        return autograd::concat_channels(parts);
      },
      {inputs[0], inputs[1]}));
}

TEST_CASE("softmax and cross-entropy") {
  const Tensor x = normal({2, 3, 2, 5}, 1);
  CHECK_SAME(gradcheck([](const Inputs& in) { return autograd::softmax(in[0]); }, {x}));
  const Labels labels = make_labels(2, 3, 2, 5, 255, false, 2);
  CHECK_SAME(gradcheck([&](const Inputs& in) { return autograd::cross_entropy(in[0], labels); }, {x}));
  const float weights[] = {1, 0.5F, 2, 3, 0.1F};
  const ops::CrossEntropyOptions options{.class_weights = Tensor::from({5}, weights)};
  CHECK_SAME(gradcheck([&](const Inputs& in) { return autograd::cross_entropy(in[0], labels, options); }, {x}));
}

TEST_CASE("cross-entropy of enlarged logits") {
  const Tensor x = normal({2, 3, 2, 5}, 1);
  const Labels labels = make_labels(2, 9, 7, 5, 255, false, 2);
  const float weights[] = {1, 0.5F, 2, 3, 0.1F};
  const ops::CrossEntropyOptions options{.class_weights = Tensor::from({5}, weights)};
  for (bool align_corners : {false, true}) {
    CHECK_SAME(gradcheck(
        [&](const Inputs& in) { return autograd::upsample_cross_entropy(in[0], labels, align_corners, options).loss; },
        {x}));
  }
}

TEST_CASE("pyramid_conv") {
  for (const Conv2dOptions options : {Conv2dOptions{.padding = 1}, Conv2dOptions{.padding = 2, .dilation = 2}}) {
    const std::vector<Tensor> inputs = {normal({2, 5, 4, 3}, 1), normal({2, 1, 1, 2}, 2), normal({2, 3, 3, 2}, 3),
                                        normal({4, 3, 3, 7}, 4)};
    CHECK_SAME(gradcheck(
        [&](const Inputs& in) {
          const Variable maps[] = {in[1], in[2]};
          return autograd::pyramid_conv(in[0], maps, in[3], options);
        },
        inputs));
  }
}

TEST_CASE("dropout2d") {
  const Tensor x = normal({3, 3, 2, 5}, 1);
  const Random random(3, Purpose::dropout);
  CHECK_SAME(gradcheck([&](const Inputs& in) { return autograd::dropout2d(in[0], 0.4F, random); }, {x}));
  const Variable in(x);
  CHECK(same_bits(autograd::dropout2d(in, 0.0F, random).value(), x));
}

TEST_CASE("a pyramid in small: pooled, projected, resized, joined, classified") {
  const Labels labels = make_labels(1, 6, 6, 3, 255, false, 9);
  const std::vector<Tensor> inputs = {normal({1, 6, 6, 4}, 1), normal({2, 1, 1, 4}, 2), normal({2, 1, 1, 4}, 3),
                                      normal({3, 3, 3, 8}, 4), normal({3}, 5)};
  CHECK_SAME(gradcheck(
      [&](const Inputs& in) {
        std::vector<Variable> parts = {in[0]};
        const int64_t bins[] = {1, 3};
        for (size_t i = 0; i < 2; ++i) {
          const Variable pooled = autograd::adaptive_avg_pool2d(in[0], bins[i]);
          parts.push_back(autograd::resize_bilinear(autograd::conv2d(pooled, in[1 + i], {}), 6, 6, true));
        }
        const Variable logits = autograd::conv2d(autograd::concat_channels(parts), in[3], in[4], {.padding = 1});
        return autograd::cross_entropy(logits, labels);
      },
      inputs));
}

}  // namespace
}  // namespace giza
