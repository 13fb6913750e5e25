// Training a tiny net: the same bits again, whatever the threads, the SIMD target and the interruptions.
#include <doctest/doctest.h>

#include <csignal>

#include "models/weights/weight_file.h"
#include "tensor/base/check.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tests/support/refusal.h"
#include "tests/train/trainings.h"
#include "train/trainer.h"

namespace giza::train {
namespace {

TEST_CASE("train: the same bits at any number of threads and workers, others for another seed") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("one");
  config.train.threads = 1;
  config.train.workers = 1;
  const std::vector<double> reference = losses_of(config);
  REQUIRE(reference.size() == 12);
  for (const auto& [threads, workers] : std::vector<std::pair<int, int>>{{2, 3}, {3, 0}, {5, 4}}) {
    Config other = set.config(fmt::format("{}_{}", threads, workers));
    other.train.threads = threads;
    other.train.workers = workers;
    CHECK(losses_of(other) == reference);
    CHECK(last_checkpoint(other) == last_checkpoint(config));
  }
  Config seeded = set.config("three");
  seeded.train.manual_seed = 4;
  CHECK(losses_of(seeded) != reference);
}

TEST_CASE("train: the same bits on every SIMD target that fuses multiply-adds") {
  const Quiet quiet;
  const TinySet set;
  const IsaScope restore;
  std::string first;
  for (const std::string& target : isa_targets()) {
    if (!isa_fuses(target)) continue;
    CAPTURE(target);
    set_isa(target);
    const Config config = set.config(target);
    train(config);
    if (first.empty()) first = last_checkpoint(config);
    CHECK(last_checkpoint(config) == first);
  }
}

TEST_CASE("train: interrupted anywhere and resumed, the same bits as in one go") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("whole");
  config.train.print_freq = 3;
  config.train.evaluate = true;
  const std::vector<double> reference = losses_of(config);
  // In the middle of an epoch and of a line of the log, at an epoch's end, and after the last step.
  for (const int64_t stop : {1, 5, 8, 12}) {
    CAPTURE(stop);
    Config parts = config;
    parts.train.save_path = set.file(fmt::format("parts{}", stop));
    interrupt_at(parts, stop, stop % 2 == 0 ? SIGTERM : SIGINT);
    parts.train.resume = "auto";
    const std::vector<double> rest = losses_of(parts);
    CHECK(rest == std::vector<double>(reference.begin() + stop, reference.end()));
    CHECK(last_checkpoint(parts) == last_checkpoint(config));
    CHECK(timeless_log_of(parts) == timeless_log_of(config));
    CHECK(losses_of(parts).empty());  // nothing is left to do
  }
}

TEST_CASE("train: dropout draws anew each iteration") {
  const Quiet quiet;
  const TinySet set(1);
  write_bytes(set.file("list.txt"), "p0.png p0_label.png\np0.png p0_label.png\n");
  // The same batch and the same weights each time: a crop larger than the picture, no other augmentation, rate 0.
  const auto losses_with = [&](double dropout) {
    Config config = set.config(fmt::format("run_{}", dropout));
    config.train.train_h = config.train.train_w = 41;
    config.train.scale_min = config.train.scale_max = 1;
    config.train.rotate_prob = config.train.blur_prob = config.train.flip_prob = 0;
    config.train.base_lr = 0;
    config.train.dropout = dropout;
    return losses_of(config);
  };
  const std::vector<double> without = losses_with(0), with = losses_with(0.5);
  REQUIRE(with.size() == 3);
  CHECK(without[0] == without[1]);
  CHECK(with[0] != with[1]);
  CHECK(with[1] != with[2]);
}

}  // namespace
}  // namespace giza::train
