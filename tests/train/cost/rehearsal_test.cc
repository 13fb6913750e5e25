// Dry runs: the memory of a real step without its arithmetic, and nothing left behind.
#include "train/cost/rehearsal.h"

#include <doctest/doctest.h>

#include "autograd/variable.h"
#include "models/pspnet.h"
#include "tensor/base/check.h"
#include "tensor/dry_run.h"
#include "tensor/ops/conv2d.h"
#include "tensor/parallel.h"
#include "tensor/profile/sampled_run.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"
#include "tests/support/skip.h"
#include "train/cost/memory.h"

namespace giza::train {
namespace {

Config small_config() {
  Config config;
  config.file = "small.yaml";
  config.data.classes = 7;
  config.train.layers = 50;
  config.train.width = 0.25;
  config.train.train_h = 73;
  config.train.train_w = 65;
  config.train.batch_size = 2;
  config.train.threads = 1;
  config.test.test_h = config.test.test_w = 65;
  config.test.base_size = 0;
  return config;
}

struct Variant {
  std::string name;
  std::function<void(Config&)> change;
};

const std::vector<Variant>& variants() {
  static const std::vector<Variant> list = {
      {"as it is", [](Config&) {}},
      {"even sides", [](Config& c) { c.train.train_h = 80, c.train.train_w = 90; }},
      {"batch 1",
       [](Config& c) {
         c.train.batch_size = 1, c.train.network["bins"] = std::vector<int>{2, 3};
       }},
      {"batch 3", [](Config& c) { c.train.batch_size = 3; }},
      {"recompute", [](Config& c) { c.train.recompute = true; }},
      {"recompute, batch 4", [](Config& c) { c.train.recompute = true, c.train.batch_size = 4; }},
      {"direct", [](Config& c) { c.train.algorithm = "direct"; }},
      {"fast", [](Config& c) { c.train.algorithm = "fast"; }},
      {"no auxiliary head", [](Config& c) { c.train.aux_weight = 0; }},
      {"baseline", [](Config& c) { c.train.arch = "baseline"; }},
      {"plain stem", [](Config& c) { c.train.stem = "plain"; }},
      {"max pooling, not reduced",
       [](Config& c) { c.train.network["pool"] = std::string("max"), c.train.network["ppm_reduce"] = false; }},
      {"basic blocks, stride 16", [](Config& c) { c.train.layers = 18, c.train.output_stride = 16; }},
      {"weighted classes", [](Config& c) { c.train.class_weights.kind = ClassWeights::Kind::balanced; }},
      {"reference",
       [](Config& c) { c.train.conv = "reference", c.train.width = 0.125, c.train.train_h = c.train.train_w = 33; }}};
  return list;
}

/// Most bytes in blocks during a few steps for real, beyond those before; the thread's scratch is warm.
int64_t measured_peak(const Config& config) {
  TrainingRehearsal(config).step();
  const int64_t before = arena_statistics().in_use;
  reset_arena_peak();
  TrainingRehearsal training(config);
  for (int i = 0; i < 2; ++i) training.step();
  return arena_statistics().peak - before;
}

TEST_CASE("the dry run of a training step has the memory of the real one, to the scratch of a thread") {
  const ThreadScope one(1);  // the scratch of other threads is theirs
  for (const Variant& variant : variants()) {
    CAPTURE(variant.name);
    Config config = small_config();
    variant.change(config);
    const int64_t real = measured_peak(config);
    int64_t scratch = 0;
    {
      // What the dry run's own thread asks for beside all that the real one counts.
      const Rehearsal with_two = rehearse_training(config, 2), with_one = rehearse_training(config, 1);
      scratch = with_two.in_use_peak - with_one.in_use_peak;
      CHECK(with_one.in_use_peak - scratch == real);
      CHECK(with_one.arena_bytes >= with_one.in_use_peak);
    }
    CHECK(scratch > 0);
    CHECK(scratch < real / 2);
  }
}

TEST_CASE("the dry run of a test has the memory of the real one") {
  const ThreadScope one(1);  // the scratch of other threads is theirs
  const Config config = small_config();
  for (const bool whole : {false, true}) {
    CAPTURE(whole);
    ProtocolOptions protocol{.base_size = 100, .crop_h = 65, .crop_w = 65, .scales = {0.5, 1.25}, .mirror = true};
    if (whole) protocol.crop_h = protocol.crop_w = 0;
    const PictureSize picture{90, 70};
    TestRehearsal(config).predict(picture, protocol);
    const int64_t before = arena_statistics().in_use;
    reset_arena_peak();
    {
      const TestRehearsal test(config);
      for (int i = 0; i < 2; ++i) test.predict(picture, protocol);
    }
    const int64_t real = arena_statistics().peak - before;
    const Rehearsal with_two = rehearse_test(config, 2, picture, protocol);
    const Rehearsal with_one = rehearse_test(config, 1, picture, protocol);
    CHECK(with_one.in_use_peak - (with_two.in_use_peak - with_one.in_use_peak) == real);
  }
}

TEST_CASE("what a prediction takes is told before, and tiles of a taller picture take no more") {
  const ThreadScope one(1);
  models::PspnetOptions options;
  options.backbone = models::ResnetOptions::of_depth(18);
  options.backbone.width = 0.25;
  options.classes = 30;
  const models::Pspnet model(options);
  const auto check_bytes = [&](PictureSize picture, const ProtocolOptions& protocol) {
    const int64_t told = prediction_bytes(model, 1, picture, protocol);
    const int64_t before = arena_statistics().in_use;
    reset_arena_peak();
    predict_labels(network_of(model), Image(picture.width, picture.height), protocol);
    const int64_t real = arena_statistics().peak - before;
    CHECK(told >= real);
    CHECK(told < 2 * real + 4'000'000);  // a thread's scratch, and what is no tensor
    return told;
  };
  ProtocolOptions tiles{.base_size = 0, .crop_h = 65, .crop_w = 65, .scales = {1}, .mirror = true};
  const int64_t low = check_bytes({100, 600}, tiles);
  CHECK(check_bytes({100, 900}, tiles) - low == 16 * 100 * 300);
  tiles.scales = {0.5, 1.75};
  check_bytes({100, 400}, tiles);
  check_bytes({100, 70}, {.base_size = 0, .crop_h = 0, .crop_w = 0, .scales = {1}, .mirror = false});
  check_bytes({100, 70}, {.base_size = 200, .crop_h = 0, .crop_w = 0, .scales = {1}, .mirror = false});

  // Maps of 30 classes that take 300 GB.
  PredictionMemory memory(model);
  memory.check_fits("small.png", {100, 600}, tiles);
  const std::string refused = message_of<Refusal>([&] { memory.check_fits("huge.png", {18000, 18000}, tiles); });
  CHECK_MESSAGE(contains(refused, "huge.png: 18000 x 18000 pixels take about"), refused);
}

TEST_CASE("a dry run leaves nothing behind: the next real step has the bits that it has without") {
  const auto results = [] {
    models::PspnetOptions options;
    options.backbone = models::ResnetOptions::of_depth(18);
    options.backbone.width = 0.25;
    options.classes = 3;
    const models::Pspnet model(options);
    const Tensor x = Tensor::activation({2, 33, 41, 3});
    for (int64_t row = 0; row < x.rows(); ++row) {
      for (int64_t c = 0; c < 3; ++c) x.row(row)[c] = static_cast<float>((row * 7 + c * 5) % 11) - 5.0F;
    }
    const auto output = model.forward(autograd::Variable(x), {.training = true, .seed = 3});
    autograd::backward(model.loss(output, Labels(2, 33, 41, 1)).total);
    std::vector<float> numbers;
    for (const auto& parameter : model.parameters()) {
      const std::vector<float> gradient = parameter.variable.grad().to_vector();
      numbers.insert(numbers.end(), gradient.begin(), gradient.end());
    }
    return numbers;
  };
  const std::vector<float> before = results();
  const ArenaStatistics memory = arena_statistics();
  const Rehearsal rehearsal = rehearse_training(small_config(), 2, {90, 70});
  CHECK(rehearsal.arena_bytes > 0);
  CHECK(arena_statistics().in_use == memory.in_use);
  CHECK(arena_statistics().high_water == memory.high_water);
  CHECK_FALSE(simulating());
  CHECK(results() == before);
}

TEST_CASE("a dry run of a network far beyond this machine takes no memory to speak of" *
          doctest::skip(kThreadSanitizer)) {
  Config config = small_config();
  config.train.layers = 269;
  config.train.width = 1;
  config.train.batch_size = 16;
  config.train.train_h = config.train.train_w = 713;
  config.data.classes = 150;
  forget_peak();
  const int64_t before = resident_bytes();
  const Rehearsal all = rehearse_training(config, 64);
  CHECK(peak_resident_bytes() - before < int64_t{400} << 20);  // labels and their copies, a few numbers of every tensor
  CHECK(all.arena_bytes > int64_t{60} << 30);
  config.train.recompute = true;
  CHECK(rehearse_training(config, 64).arena_bytes < all.arena_bytes / 2);
}

TEST_CASE("a dry run records the kernels of the real step, a sampled run chooses among them") {
  const Config config = small_config();
  const auto names = [](const std::vector<profile::Event>& events) {
    std::vector<std::string> list;
    for (const profile::Event& event : events) {
      if (event.kind == profile::Event::Kind::kernel) {
        list.push_back(event.work.kernel + event.work.algorithm + event.work.shape);
      }
    }
    return list;
  };
  TrainingRehearsal training(config);
  training.step();
  std::vector<std::string> real, sampled;
  {
    const profile::Recording recording;
    training.step();
    real = names(recording.events());
  }
  std::vector<bool> chosen;
  {
    const profile::Recording recording;
    const profile::SampledRun run([](const profile::Work& work) { return work.kernel == "sgd_step"; });
    training.step();
    sampled = names(recording.events());
    chosen = run.chosen();
  }
  CHECK(names(rehearse_training(config, 1).events) == real);
  CHECK(sampled == real);
  REQUIRE(chosen.size() == real.size());
  for (size_t i = 0; i < real.size(); ++i) CHECK(chosen[i] == real[i].starts_with("sgd_step"));
}

TEST_CASE("a sampled run leaves out what it is told to, and only inside of kernels") {
  const Tensor x = Tensor::full({1, 4, 4, 2}, 1.0F), w = Tensor::full({3, 1, 1, 2}, 1.0F);
  Tensor outside, inside;
  const profile::Recording recording;
  {
    const profile::SampledRun run([](const profile::Work&) { return false; });
    CHECK(simulating());
    outside = Tensor::full({4}, 2.0F);
    inside = ops::conv2d(x, w, {}, {});
    CHECK(Tensor::full({1}, 3.0F).item() == 3.0F);
  }
  CHECK(outside.to_vector() == std::vector<float>(4, 2.0F));
  inside.fill(7.0F);
  const profile::SampledRun run([](const profile::Work&) { return true; });
  CHECK(ops::conv2d(x, w, {}, {}).to_vector() == std::vector<float>(48, 2.0F));
}

}  // namespace
}  // namespace giza::train
