// PSPNet's structured head, its masks and what it refuses.
#include "models/pspnet.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "autograd/variable.h"
#include "tests/support/mixed.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"

namespace giza {
namespace {

double relative_difference(const Tensor& actual, const Tensor& expected) {
  double difference = 0, norm = 0;
  const std::vector<float> left = actual.to_vector(), right = expected.to_vector();
  REQUIRE(left.size() == right.size());
  for (size_t i = 0; i < left.size(); ++i) {
    const auto l = static_cast<double>(left[i]), r = static_cast<double>(right[i]);
    difference += (l - r) * (l - r);
    norm += r * r;
  }
  return std::sqrt(difference / norm);
}

TEST_CASE("a pyramid of more bins than channels names the settings that help") {
  models::PspnetOptions options;
  options.backbone = models::ResnetOptions::of_depth(18);
  options.backbone.width = 0.0625;  // 32 channels
  options.bins = std::vector<int64_t>(33, 1);
  const std::string message = message_of<Error>([&] { models::Pspnet net(options); });
  CHECK(contains(message, "32 channels leave none for each of 33 bins"));
  CHECK(contains(message, "ppm_reduce false"));
}

TEST_CASE("the structured head is the plain one: logits, frozen too, and every gradient") {
  models::PspnetOptions options;
  options.backbone = models::ResnetOptions::of_depth(18);
  options.backbone.width = 0.25;
  options.classes = 5;
  options.bins = {1, 2, 3, 6, 11};  // 11 cells over 9 x 7
  Labels labels(2, 65, 49);
  for (size_t i = 0; i < labels.values.size(); ++i) labels.values[i] = static_cast<int32_t>(i / 11 % 5);
  const Tensor x = Tensor::activation({2, 65, 49, 3});
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t c = 0; c < 3; ++c) x.row(i)[c] = static_cast<float>(mixed(7, static_cast<uint64_t>(3 * i + c)));
  }
  const auto after_one_pass = [&](bool structured, ConvBackend backend) {
    options.structured_head = structured;
    options.backbone.conv.backend = backend;
    auto net = std::make_unique<models::Pspnet>(options);
    autograd::backward(net->loss(net->forward(layers::Variable(x), {.training = true}), labels).total);
    return net;
  };
  for (const bool reduce : {true, false}) {
    options.pool = reduce ? models::PyramidPool::average : models::PyramidPool::max;
    options.reduce = reduce;
    const auto structured = after_one_pass(true, ConvBackend::native);
    const auto plain = after_one_pass(false, ConvBackend::native);
    // Other backends take the plain way. They sum otherwise in every layer, which flips a ReLU here and there.
    const auto reference = after_one_pass(true, ConvBackend::reference);
    for (size_t i = 0; i < structured->parameters().size(); ++i) {
      CAPTURE(structured->parameters()[i].name);
      const Tensor gradient = plain->parameters()[i].variable.grad();
      CHECK(relative_difference(structured->parameters()[i].variable.grad(), gradient) <= 1e-4);
      CHECK(relative_difference(reference->parameters()[i].variable.grad(), gradient) <= 1e-3);
    }
    const autograd::NoGrad no_grad;
    const Tensor logits = plain->forward(layers::Variable(x), {}).logits.value();
    CHECK(relative_difference(structured->forward(layers::Variable(x), {}).logits.value(), logits) <= 5e-6);
    CHECK(relative_difference(models::FrozenParser(*structured).forward(x).logits.value(), logits) <= 5e-6);
    CHECK(relative_difference(models::FrozenParser(*plain).forward(x).logits.value(), logits) <= 5e-6);
  }
}

TEST_CASE("PSPNet50 has the authors' parameters") {
  models::PspnetOptions options;
  const models::Pspnet net(options);
  const auto parameters = net.parameters();
  const auto buffers = net.buffers();
  // PyTorch counts num_batches_tracked too: one beside each running_mean.
  CHECK(parameters.size() + buffers.size() + buffers.size() / 2 == 370);
  int64_t count = 0;
  for (const auto& p : parameters) count += p.variable.value().numel();
  CHECK(count / 1e6 == doctest::Approx(49.2).epsilon(0.002));
  CHECK(parameters.front().name == "layer0.0.weight");
  CHECK(parameters.back().name == "aux.4.bias");
}

TEST_CASE("parameter groups: the backbone as it is, pyramid and heads as new layers") {
  models::PspnetOptions options;
  options.backbone = models::ResnetOptions::of_depth(18);
  options.backbone.width = 0.125;
  const models::Pspnet net(options);
  const std::vector<layers::ParameterGroup> groups = net.parameter_groups(10);
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].rate_factor == 1);
  CHECK(groups[1].rate_factor == 10);
  CHECK(groups[0].parameters.size() + groups[1].parameters.size() == net.parameters().size());
  for (const layers::NamedParameter& p : groups[0].parameters) CHECK(p.name.starts_with("layer"));
  for (const layers::NamedParameter& p : groups[1].parameters) CHECK(!p.name.starts_with("layer"));
}

TEST_CASE("dropout: another mask each iteration, and in each head") {
  models::PspnetOptions options;
  options.classes = 4;
  options.dropout = 0.5F;
  models::Build build;
  build.seed = 3;
  const models::Head head(8, 32, options, build), other(8, 32, options, build);
  for (size_t i = 0; i < head.parameters().size(); ++i) {
    other.parameters()[i].variable.value().copy_from(head.parameters()[i].variable.value());
  }
  Tensor x = Tensor::activation({1, 5, 5, 8});
  for (int64_t i = 0; i < x.numel(); ++i) x.data()[i] = static_cast<float>(mixed(3, static_cast<uint64_t>(i)));
  const auto logits = [&](const models::Head& of, uint32_t iteration) {
    const layers::Context context{.training = true, .seed = 1, .iteration = iteration};
    return of.forward(layers::Variable(x), {}, context).value().to_vector();
  };
  CHECK(logits(head, 0) == logits(head, 0));
  CHECK(logits(head, 0) != logits(head, 1));
  CHECK(logits(head, 0) != logits(other, 0));
}

TEST_CASE("resnet: the depth counts the convolutions of the blocks, the first one and the classifier") {
  for (const int depth : {18, 34, 50, 101, 152, 269}) {
    CAPTURE(depth);
    const models::ResnetOptions options = models::ResnetOptions::of_depth(depth);
    int64_t blocks = 0;
    for (const int64_t count : options.blocks) blocks += count;
    CHECK(blocks * (options.block == models::BlockKind::basic ? 2 : 3) + 2 == depth);
    CHECK((options.block == models::BlockKind::basic) == (depth < 50));
  }
  CHECK_THROWS(models::ResnetOptions::of_depth(60));
}

TEST_CASE("resnet: a width is rounded up to whole groups of 8 channels") {
  models::ResnetOptions options;
  options.width = 0.3;
  CHECK(options.scaled(64) == 24);   // of 19.2
  CHECK(options.scaled(256) == 80);  // of 76.8
  CHECK(options.scaled(1) == 8);
  options.width = 0.5;
  CHECK(options.scaled(64) == 32);
}

TEST_CASE("any input size works, and one that is no picture is refused") {
  models::PspnetOptions options;
  options.backbone = models::ResnetOptions::of_depth(18);
  options.backbone.width = 0.125;
  options.classes = 3;
  const models::Pspnet net(options);
  const autograd::NoGrad no_grad;
  for (const auto& [h, w] : {std::pair<int64_t, int64_t>{1, 1}, {2, 9}, {90, 31}}) {
    const Tensor x = Tensor::full({1, h, w, 3}, 0.5F);
    const models::ParserOutput output = net.forward(layers::Variable(x), {});
    CHECK(output.upsampled_logits().shape() == Shape{1, h, w, 3});
    CHECK(!output.aux.defined());  // only training pays for the auxiliary head
  }
  CHECK_THROWS(net.forward(layers::Variable(Tensor::zeros({1, 8, 8, 4})), {}));
}

}  // namespace
}  // namespace giza
