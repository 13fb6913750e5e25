// Recomputation and threads: the same numbers in less memory, and by any number of hands.
#include "autograd/recompute.h"

#include "models/pspnet.h"
#include "tests/support/op_testing.h"

namespace giza::models {
namespace {

using autograd::Variable;

PspnetOptions narrow_pspnet50() {
  PspnetOptions options;
  options.backbone = ResnetOptions::of_depth(50);
  options.backbone.width = 0.25;
  options.classes = 5;
  return options;
}

/// What a training step leaves: every gradient and running statistic.
std::vector<Tensor> results_of(const Pspnet& model) {
  std::vector<Tensor> results;
  for (const auto& parameter : model.parameters()) results.push_back(parameter.variable.grad());
  for (const auto& buffer : model.buffers()) results.push_back(buffer.tensor);
  return results;
}

TEST_CASE("recomputed blocks: the same bits in every gradient and running statistic, in less memory") {
  const Tensor x = make_numbers({4, 97, 97, 3}, CaseData::normal, 1);
  const Labels labels = make_labels(4, 97, 97, 5, 255, false, 2);
  std::vector<std::vector<float>> plain;
  int64_t plain_peak = 0;
  for (const bool recompute : {false, true}) {
    const Pspnet model(narrow_pspnet50());
    reset_arena_peak();
    const int64_t before = arena_statistics().in_use;
    for (uint32_t iteration = 0; iteration < 2; ++iteration) {
      const auto output =
          model.forward(Variable(x), {.training = true, .seed = 3, .iteration = iteration, .recompute = recompute});
      autograd::backward(model.loss(output, labels).total);
    }
    const int64_t peak = arena_statistics().peak - before;
    std::vector<std::vector<float>> numbers;
    for (const Tensor& result : results_of(model)) numbers.push_back(result.to_vector());
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
  const Tensor x = make_numbers({2, 65, 73, 3}, CaseData::normal, 1);
  const Labels labels = make_labels(2, 65, 73, 5, 255, false, 2);
  CHECK_SAME(differs_between_threads([&] {
    const Pspnet model(narrow_pspnet50());
    const auto output = model.forward(Variable(x), {.training = true, .seed = 3});
    autograd::backward(model.loss(output, labels).total);
    return results_of(model);
  }));
}

}  // namespace
}  // namespace giza::models
