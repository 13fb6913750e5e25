// Two settings held against each other: nothing where bits may not differ, and the right op where they do.
#include "train/verify/bisect.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tensor/base/check.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tests/support/refusal.h"

namespace giza::train {
namespace {

BisectedSteps small_steps(bool training) {
  Config config;
  config.file = "small.yaml";
  config.data.classes = 4;
  config.train.layers = 18;
  config.train.blocks = {1, 1, 1, 1};
  config.train.width = 0.125;
  config.train.network["bins"] = std::vector<int>{1, 2};
  config.train.train_h = 33;
  config.train.train_w = 41;
  config.train.batch_size = 2;
  return {.config = config, .input = {1, 33, 41, 3}, .training = training, .count = training ? 2 : 1};
}

TEST_CASE("bisect: threads and targets that fuse change no bit, forward, backward and update") {
  for (const bool training : {false, true}) {
    CAPTURE(training);
    const int threads = num_threads();
    const std::string target = isa();
    int64_t outputs = 0;
    uint64_t hash = 0;
    for (const std::string& other : isa_targets()) {
      if (!isa_fuses(other)) continue;
      CAPTURE(other);
      const Bisection result = bisect(small_steps(training), {.threads = 1}, {.threads = 3, .isa = other});
      REQUIRE(result.same());
      CHECK_FALSE(result.other);
      CHECK_FALSE(result.difference);
      outputs = result.same_outputs;
      hash = result.hash;
    }
    // 62 parameters and buffers, and more ops than layers; in training two steps of them with gradients.
    CHECK(outputs > (training ? 600 : 80));  // without the gradients they are about 420
    Config changed = small_steps(training).config;
    changed.train.manual_seed = 1;
    BisectedSteps other = small_steps(training);
    other.config = changed;
    CHECK(bisect(other, {}, {}).hash != hash);
    CHECK(num_threads() == threads);
    CHECK(isa() == target);
  }
}

TEST_CASE("bisect: names the first op that differs, and by how much") {
  const ConvEngine reference = {.backend = ConvBackend::reference};
  const Bisection first = bisect(small_steps(true), {}, {.conv = reference});
  REQUIRE(first.first);
  CHECK(first.first->stage == "forward");
  CHECK(first.first->op == "conv2d");
  CHECK(first.first->layer == "layer0.0");
  CHECK(first.first->shape == Shape{2, 17, 21, 8});
  REQUIRE(first.difference);
  CHECK(first.difference->numbers == 2 * 17 * 21 * 8);
  CHECK(first.difference->differing > 0);
  CHECK(first.difference->differing <= first.difference->numbers);
  CHECK(first.difference->relative_l2 > 1e-9);
  CHECK(first.difference->relative_l2 < 1e-5);
  const float apart = std::abs(first.difference->a_value - first.difference->b_value);
  CHECK(apart > 0);
  CHECK(apart < 1e-5F);
  CHECK(first.unsteady.empty());

  const Bisection frozen = bisect(small_steps(false), {}, {.conv = reference});
  REQUIRE(frozen.first);
  CHECK(frozen.first->layer == "layer0.0 with layer0.1");
}

TEST_CASE("bisect: what stands before the first difference is the same") {
  if (!eigen_available()) {
    MESSAGE("skipped: Eigen is not built in");
    return;
  }
  // Eigen computes 1x1 convolutions alone: all before the first of them is of the same kernels.
  const Bisection result = bisect(small_steps(true), {}, {.conv = {.backend = ConvBackend::eigen}});
  REQUIRE(result.first);
  CHECK(result.first->op == "conv2d");
  CHECK(result.first->layer == "layer1.0.downsample.0");
  CHECK(result.same_outputs > 62 + 6);
}

TEST_CASE("bisect: a target or a network that does not exist is refused") {
  CHECK(contains(message_of<Refusal>([] { bisect(small_steps(false), {}, {.isa = "MMX"}); }), "MMX"));
  BisectedSteps steps = small_steps(false);
  steps.weights = "nowhere.safetensors";
  CHECK(contains(message_of<Refusal>([&] { bisect(steps, {}, {}); }), "nowhere.safetensors"));
}

}  // namespace
}  // namespace giza::train
