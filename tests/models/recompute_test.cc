// Recomputation and threads: the same numbers in less memory, and by any number of hands.
#include "autograd/checkpoint.h"
#include "models/pspnet.h"
#include "tests/support/op_testing.h"

namespace giza::models {
namespace {

using autograd::Variable;

TEST_CASE("recomputed blocks: the same bits in every gradient and running statistic, in less memory") {
  PspnetOptions options;
  options.backbone = ResnetOptions::of_depth(50);
  options.backbone.width = 0.25;
  options.classes = 5;
  const Tensor x = make_numbers({4, 97, 97, 3}, CaseData::normal, 1);
  const Labels labels = make_labels(4, 97, 97, 5, 255, false, 2);
  std::vector<std::vector<float>> plain;
  int64_t plain_peak = 0;
  for (const bool recompute : {false, true}) {
    const Pspnet model(options);
    reset_arena_peak();
    const int64_t before = arena_statistics().in_use;
    for (uint32_t iteration = 0; iteration < 2; ++iteration) {
      const auto output =
          model.forward(Variable(x), {.training = true, .seed = 3, .iteration = iteration, .recompute = recompute});
      autograd::backward(loss_of(output, labels).total);
    }
    const int64_t peak = arena_statistics().peak - before;
    std::vector<std::vector<float>> numbers;
    for (const auto& parameter : model.parameters()) numbers.push_back(parameter.variable.grad().to_vector());
    for (const auto& buffer : model.buffers()) numbers.push_back(buffer.tensor.to_vector());
    if (recompute) {
      CHECK(numbers == plain);
      CAPTURE(peak);
      CHECK(peak < plain_peak * 3 / 4);
    } else {
      plain = std::move(numbers);
      plain_peak = peak;
    }
  }
}

TEST_CASE("a training step has the same bits at 1, 2 and 3 threads") {
  PspnetOptions options;
  options.backbone = ResnetOptions::of_depth(50);
  options.backbone.width = 0.25;
  options.classes = 5;
  const Tensor x = make_numbers({2, 65, 73, 3}, CaseData::normal, 1);
  const Labels labels = make_labels(2, 65, 73, 5, 255, false, 2);
  CHECK_SAME(differs_between_threads([&] {
    const Pspnet model(options);
    const auto output = model.forward(Variable(x), {.training = true, .seed = 3});
    autograd::backward(loss_of(output, labels).total);
    std::vector<Tensor> numbers;
    for (const auto& parameter : model.parameters()) numbers.push_back(parameter.variable.grad());
    for (const auto& buffer : model.buffers()) numbers.push_back(buffer.tensor);
    return numbers;
  }));
}

}  // namespace
}  // namespace giza::models
