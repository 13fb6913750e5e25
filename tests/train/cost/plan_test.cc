// Plans: operations by hand, memory limits, speeds, ways to fit, and a whole plan.
#include "train/cost/plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tensor/base/memory.h"
#include "tensor/storage.h"
#include "tests/support/scopes.h"
#include "tests/train/tiny_set.h"
#include "train/config/parts.h"

namespace giza::train {
namespace {

const PartCost& part(const Plan& plan, const std::string& name) {
  for (const PartCost& each : plan.parts) {
    if (each.name == name) return each;
  }
  FAIL("no part " << name);
  return plan.parts.front();
}

TEST_CASE("a plan's multiply-adds and parameters, by hand") {
  TinySet set;
  Config config = set.config("run");
  config.train.stem = "plain";
  config.train.train_h = config.train.train_w = 65;
  config.test.test_h = config.test.test_w = 33;
  const Plan plan = make_plan(config, {.threads = 1, .quick = true});
  // 65 -> 33 by the stem, 17 by its pooling, 9 by layer2; channels 8, 8, 16, 32, 64; two 3x3 convolutions a block.
  const double pixels = 81;
  CHECK(part(plan, "stem").train_macs == doctest::Approx(33.0 * 33 * 8 * 49 * 3));
  CHECK(part(plan, "layer1").train_macs == doctest::Approx(2 * 17.0 * 17 * 8 * 8 * 9));
  CHECK(part(plan, "layer2").train_macs == doctest::Approx(pixels * (16 * 8 * 9 + 16 * 16 * 9 + 16 * 8)));
  CHECK(part(plan, "layer3").train_macs == doctest::Approx(pixels * (32 * 16 * 9 + 32 * 32 * 9 + 32 * 16)));
  CHECK(part(plan, "layer4").train_macs == doctest::Approx(pixels * (64 * 32 * 9 + 64 * 64 * 9 + 64 * 32)));
  CHECK(part(plan, "ppm").train_macs == doctest::Approx((1 + 4) * 64 * 32));
  // The head sees 64 channels and two maps of 32, however it is computed.
  CHECK(part(plan, "cls").train_macs == doctest::Approx(pixels * (16 * 128 * 9 + 3 * 16)));
  CHECK(part(plan, "aux").train_macs == doctest::Approx(pixels * (8 * 32 * 9 + 3 * 8)));
  CHECK(part(plan, "aux").test_macs == 0);
  CHECK(part(plan, "layer4").test_macs == doctest::Approx(25.0 * (64 * 32 * 9 + 64 * 64 * 9 + 64 * 32)));

  CHECK(part(plan, "stem").parameters == 8 * 49 * 3 + 2 * 8);
  CHECK(part(plan, "ppm").parameters == 2 * (64 * 32 + 2 * 32));
  CHECK(part(plan, "cls").parameters == 16 * 128 * 9 + 2 * 16 + 3 * 16 + 3);
}

profile::Event kernel(const std::string& name, const std::string& shape, double bytes, int64_t ns = 0,
                      int64_t parent = -1) {
  profile::Event event;
  event.work = {.kernel = name, .shape = shape, .flops = 0, .bytes = bytes, .executed_flops = 0};
  event.end_ns = ns;
  event.parent = parent;
  return event;
}

profile::Event layer(const std::string& name) {
  profile::Event event;
  event.kind = profile::Event::Kind::layer;
  event.name = name;
  return event;
}

TEST_CASE("speeds: what was measured as it was, the rest from the same layer, the same kernel, or the roofs") {
  MachinePeak peak;
  peak.all_gflops = 100;
  peak.copy_gbs = peak.stream_gbs = 10;  // 1e6 bytes take 0.1 ms at least
  SpeedModel speed(peak);
  CHECK(speed.empty());
  for (const int64_t ns : {900000, 1000000, 5000000}) {
    // Of two calls of one kind the mean; of three passes the median. The last kernel did not run.
    speed.add({layer("a"), kernel("copy", "x", 1e6, ns - 100000, 0), kernel("copy", "x", 1e6, ns + 100000, 0),
               layer("b"), kernel("copy", "y", 1e6, 3000000, 3), kernel("other", "z", 1e6, 7)},
              {true, true, true, false});
  }
  CHECK(speed.seconds({kernel("copy", "x", 1e6)}) == doctest::Approx(1e-3));
  CHECK(speed.seconds({kernel("copy", "x", 1e6), kernel("copy", "y", 1e6)}) == doctest::Approx(4e-3));
  // Twice the bytes of a layer that was measured, and of one that was not: 1 + 3 ms for two kinds of 1e6 bytes.
  CHECK(speed.seconds({layer("a"), kernel("copy", "large", 2e6, 0, 0)}) == doctest::Approx(2e-3));
  CHECK(speed.seconds({layer("c"), kernel("copy", "large", 2e6, 0, 0)}) == doctest::Approx(4e-3));
  CHECK(speed.measured_share({kernel("copy", "x", 1e6), layer("b"), kernel("copy", "large", 1e6, 0, 1)}) ==
        doctest::Approx(0.25));
  // Nothing like it was measured: a typical share of the roof, which is 0.1 ms.
  const double rough = speed.seconds({kernel("other", "z", 1e6)});
  CHECK(rough > 1e-4);
  CHECK(rough < 1e-3);
}

/// Memory grows with batch and area; recomputation halves it and takes a third longer.
Way judge_simply(const Config& config) {
  const TrainConfig& train = config.train;
  if (train.batch_size < 2) throw Refusal("a single value per channel");
  Way way;
  const double area = train.train_h * train.train_w / (473.0 * 473);
  way.peak = static_cast<int64_t>(1e9 * train.batch_size * area * (train.recompute ? 0.5 : 1) * (train.layers / 50.0)) +
             (int64_t{train.cache_mb} << 20);
  way.iteration_s = train.batch_size * area * (train.recompute ? 1.33 : 1);
  way.total_s = way.iteration_s * 1000 / train.batch_size;
  return way;
}

TEST_CASE("ways to fit: all of them do, those without an effect on the result come first") {
  Config config;
  config.train.batch_size = 16;
  config.train.cache_mb = 0;
  config.train.layers = 101;
  const std::vector<Way> ways = ways_to_train(config, 20'000'000'000, judge_simply);
  REQUIRE(ways.size() >= 4);
  CHECK(ways[0].change == "TRAIN.recompute true");
  CHECK(ways[1].change == "TRAIN.batch_size 9");  // 18.2 GB; 10 would be 20.2
  for (const Way& way : ways) {
    CAPTURE(way.change);
    CHECK(way.fits);
    CHECK(way.peak <= 20'000'000'000);
    CHECK_FALSE(way.effect.empty());
  }
  CHECK(std::any_of(ways.begin(), ways.end(), [](const Way& w) { return w.change.starts_with("TRAIN.train_h "); }));
  CHECK(std::any_of(ways.begin(), ways.end(), [](const Way& w) { return w.change == "TRAIN.layers 50"; }));
  // Output stride 16 is judged to need as much, so it is no way.
  CHECK(std::none_of(ways.begin(), ways.end(), [](const Way& w) { return w.change == "TRAIN.output_stride 16"; }));
}

TEST_CASE("ways to fit: where nothing does, the three that come nearest") {
  Config config;
  config.train.batch_size = 4;
  config.train.cache_mb = 512;
  const std::vector<Way> ways = ways_to_train(config, 1'000, judge_simply);
  REQUIRE(ways.size() == 3);
  for (const Way& way : ways) CHECK_FALSE(way.fits);
  CHECK(ways[0].peak <= ways[1].peak);
  CHECK(ways[1].peak <= ways[2].peak);
}

TEST_CASE("a plan of a run with pictures: counted, timed, within its memory, and nothing is left behind") {
  const ThreadScope one(1);  // a second thread would make its scratch at its first task, whenever that is
  TinySet set;
  Config config = set.config("run");
  config.train.evaluate = true;
  config.train.eval_freq = 2;
  config.test.test_list = set.file("list.txt");
  config.test.model_path = set.file("none.safetensors");
  const int64_t memory_bytes = resident_bytes() + 1'000'000'000;  // sanitizers take some of their own
  // Once before: the threads' scratch stays.
  make_plan(config, {.threads = 1, .seconds = 0.1, .measure = true, .memory_bytes = memory_bytes});
  const int64_t in_use = arena_statistics().in_use;
  const Plan plan = make_plan(config, {.threads = 1, .seconds = 1.0, .measure = true, .memory_bytes = memory_bytes});
  CHECK(arena_statistics().in_use == in_use);
  CHECK(plan.training.pictures.count == 8);
  CHECK(plan.training.pictures.largest.width == 36);
  CHECK(plan.training.pictures.largest.height == 29);
  CHECK(plan.training.pictures.mean_pixels == doctest::Approx(36 * 28.5));
  CHECK(plan.training.iterations_per_epoch == 4);
  CHECK(plan.training.time.iterations == 12);
  CHECK(plan.training.time.checkpoints == 3);
  CHECK(plan.training.time.validations == 2);
  CHECK(plan.training.time.validation_s > 0);
  CHECK(plan.training.time.data_s > 0);
  CHECK(plan.training.measured_share == doctest::Approx(1));
  CHECK(plan.training.time.iteration_s >= plan.training.time.step_s);
  CHECK(plan.test.tiles == doctest::Approx(2));  // whole, and mirrored
  CHECK(plan.test.total_s > 0);
  CHECK(plan.measured.step_s > 0);
  CHECK(plan.measured.picture_s > 0);
  CHECK(plan.training_ways.empty());
  CHECK(plan.notes.empty());

  const auto json = nlohmann::json::parse(plan_json(plan, config));
  CHECK(json["train"]["iterations"] == 12);
  CHECK(json["train"]["fits"] == true);
  CHECK(json["parts"].size() == 8);
  const auto& memory = json["train"]["memory"];
  CHECK(memory["peak_gb"].get<double>() ==
        doctest::Approx(memory["process_gb"].get<double>() + memory["tensors_gb"].get<double>() +
                        memory["data_gb"].get<double>() + memory["files_gb"].get<double>()));
  const std::string text = plan_table(plan, config);
  CHECK(text.find("12 iterations") != std::string::npos);
  CHECK(text.find("measured in this run") != std::string::npos);
}

TEST_CASE("a plan of epochs of two sizes, begun in the middle") {
  TinySet set;
  Config config = set.config("run");
  config.train.evaluate = true;
  config.train.epochs = 5;
  config.train.start_epoch = 3;
  config.train.save_freq = config.train.eval_freq = 2;  // after 4 and after 5, the last
  config.train.train_h = config.train.train_w = 65;
  const auto planned = [&](std::vector<int> sizes) {
    config.train.epoch_sizes = std::move(sizes);
    return make_plan(config, {.threads = 1, .quick = true}).training.time;
  };
  const TrainingTime large = planned({65}), both = planned({33, 65});
  CHECK(both.checkpoints == 2);
  CHECK(both.validations == 2);
  CHECK(large.step_s == large.largest_s);
  CHECK(both.step_s < 0.9 * both.largest_s);
  CHECK(both.step_s > 0.5 * both.largest_s);
  // A smaller size of the epochs is a way to fit; a smaller crop would be none.
  config.train.cache_mb = 0;
  const auto of_size = [](const Config& changed) {
    Way way;
    way.peak = largest_sample(changed.train).height;
    return way;
  };
  const std::vector<Way> ways = ways_to_train(config, 50, of_size);
  REQUIRE(ways.size() == 1);
  CHECK(ways.front().change == "TRAIN.epoch_sizes [33,49]");
}

TEST_CASE("a plan without pictures says what it cannot know; one that does not fit lists ways") {
  Config config;
  config.file = "none.yaml";
  config.data.classes = 5;
  config.train.layers = 18;
  config.train.width = 0.25;
  config.train.train_h = config.train.train_w = 97;
  config.data.train_list = "/nowhere/train.txt";
  config.test.test_h = config.test.test_w = 65;
  config.test.base_size = 100;
  const Plan plan = make_plan(config, {.threads = 1, .quick = true, .memory_bytes = 60'000'000});
  REQUIRE(plan.notes.size() == 2);
  CHECK(plan.notes[0].find("/nowhere/train.txt") != std::string::npos);
  CHECK(plan.training.iterations_per_epoch == 0);
  CHECK(plan.training.time.iteration_s > 0);
  CHECK(plan.test.total_s == 0);
  CHECK(plan.test.network_s > 0);
  CHECK(plan.test.tiles == 2 * 2 * 2);  // 100 x 75 by tiles of 65 at steps of 44, and mirrored
  REQUIRE_FALSE(plan.training_ways.empty());
  for (const Way& way : plan.training_ways) CHECK(way.peak < plan.training.memory.peak());
  CHECK(nlohmann::json::parse(plan_json(plan, config))["train"]["total_s"].is_null());
}

TEST_CASE("a plan knows the labels that a training makes for itself") {
  TinySet set;
  Config config = set.config("run");
  config.data.thing_classes = {"1"};
  config.data.weak_labels = "box";
  const Plan boxes = make_plan(config, {.threads = 1, .quick = true});
  CHECK(boxes.training.time.label_rounds == 0);
  config.data.weak_labels = "box_update";
  const Plan update = make_plan(config, {.threads = 1, .quick = true});
  const TrainingTime& time = update.training.time;
  CHECK(time.label_rounds == 2);
  CHECK(time.labels_s > 0);
  CHECK(time.total_s() ==
        doctest::Approx(time.iteration_s * static_cast<double>(time.iterations) +
                        time.checkpoint_s * static_cast<double>(time.checkpoints) + 2 * time.labels_s));
  CHECK(plan_table(update, config).find(", 2 rounds of labels of ") != std::string::npos);
  CHECK(nlohmann::json::parse(plan_json(update, config))["train"]["label_rounds"] == 2);
  config.data.weak_labels = "box_crf";
  const Plan crf = make_plan(config, {.threads = 1, .quick = true});
  CHECK(crf.training.memory.peak() >= boxes.training.memory.peak());
  CHECK(std::any_of(crf.notes.begin(), crf.notes.end(),
                    [](const std::string& note) { return note.find("CRF that makes labels") != std::string::npos; }));
}

}  // namespace
}  // namespace giza::train
