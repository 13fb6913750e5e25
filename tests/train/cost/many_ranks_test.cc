// What many ranks take: parts of a batch, exchanges and rounds by hand, and plans of a tiny network.
#include "train/cost/many_ranks.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "models/scene_parser.h"
#include "tensor/base/check.h"
#include "tensor/ranks.h"
#include "tests/support/refusal.h"
#include "tests/train/tiny_set.h"
#include "train/cost/plan.h"

namespace giza::train {
namespace {

using doctest::Approx;

const double kMessage = Interconnect::message_s();

TEST_CASE("networks are read and written with their units") {
  const auto read = [](const std::string& text) { return parse_interconnect(text, "--network"); };
  CHECK(read("10Gb/s,50us").bytes_per_s == Approx(1.25e9));
  CHECK(read("10Gb/s,50us").latency_s == Approx(50e-6));
  CHECK(read("100Mb/s,2ms").bytes_per_s == Approx(12.5e6));
  CHECK(read("100Mb/s,2ms").latency_s == Approx(2e-3));
  CHECK(read("1.5GB/s,0us").bytes_per_s == Approx(1.5e9));
  CHECK(read(" 20 MB/s , 0.1 s ").latency_s == Approx(0.1));
  CHECK(to_string(read("1.25GB/s,50us")) == "10 Gb/s, 50 us");
  CHECK(to_string(read("100Mb/s,0.0015s")) == "100 Mb/s, 1.5 ms");
  for (const char* text :
       {"", ",", "10Gb/s", "10Gb/s,", "10,50", "10Gb/s,50", "10Gb,50us", "10gb/s,50us", "0Gb/s,1us", "-1Gb/s,1us",
        "1Gb/s,-1us", "nanGb/s,1us", "infGb/s,1us", "1Gb/s,1us,1us", "1Gb/s,1us x", "1e99Gb/s,1us", "1Gb/s,1e99s"}) {
    CAPTURE(text);
    const auto refusal = message_of<Refusal>([&] { read(text); });
    CHECK(refusal.starts_with("--network " + std::string(text) + ": "));
    CHECK(refusal.find("10Gb/s,50us") != std::string::npos);
  }
}

TEST_CASE("numbers of ranks: one, some, and doubling") {
  const auto read = [](const std::string& text) { return parse_ranks(text, "--ranks"); };
  CHECK(read("4") == std::vector<int>{4});
  CHECK(read("8,1, 2,8") == std::vector<int>{1, 2, 8});
  CHECK(read("2..16") == std::vector<int>{2, 4, 8, 16});
  CHECK(read("3..20") == std::vector<int>{3, 6, 12, 20});
  CHECK(read("1..4,6") == std::vector<int>{1, 2, 4, 6});
  CHECK(read("5..5") == std::vector<int>{5});
  for (const char* text : {"", "0", "-1", "x", "1.5", "2,", ",2", "4..2", "2..", "..2", "2...4", "0..4", "99999999999",
                           "2000000", "2..2000000", "4x"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(read(text), Refusal);
  }
}

TEST_CASE("exchanges by hand") {
  const Interconnect network{.bytes_per_s = 1e6, .latency_s = 1e-3};
  CHECK(network.exchange_s(1, 500) == Approx(1e-3 + 500e-6));
  CHECK(network.exchange_s(4, 0) == Approx(1e-3 + 3 * kMessage));
  CHECK(network.exchange_s(0, 0) == 0);
  // However fast the network is, a processor copies.
  CHECK(Interconnect{.bytes_per_s = 1e12, .latency_s = 0}.exchange_s(1, 1e9) == Approx(1e9 * Interconnect::copy_s()));
  CHECK(network.broadcast_s(1) == 0);
  CHECK(network.broadcast_s(2) == Approx(1e-3));
  CHECK(network.broadcast_s(4) == Approx(2e-3));
  CHECK(network.broadcast_s(5) == Approx(3e-3));
  CHECK(network.agree_s(256) == Approx(16e-3));
}

TEST_CASE("the fullest rank: pictures of the most, then pieces of the tree") {
  const auto is = [](int64_t batch, int ranks, int rank, int64_t pictures, int64_t pieces, int64_t most) {
    CAPTURE(batch);
    CAPTURE(ranks);
    const FullestRank fullest = fullest_rank(batch, ranks);
    CHECK(fullest.rank == rank);
    CHECK(fullest.pictures == pictures);
    CHECK(fullest.pieces == pieces);
    CHECK(fullest.most_pieces == most);
  };
  is(16, 4, 0, 4, 1, 1);
  is(16, 16, 0, 1, 1, 1);
  // [0,5) is 4 + 1, [5,10) is 1 + 2 + 2, [10,16) is 2 + 4.
  is(16, 3, 2, 6, 2, 3);
  // [0,2), [2,5) is 2 + 1: one more than the others.
  is(5, 2, 1, 3, 2, 2);
  CHECK(ranks::count() == 1);
  CHECK_THROWS_AS(fullest_rank(4, 5), Refusal);
}

profile::Event kernel(const std::string& name, int64_t messages = -1, double bytes = 0) {
  profile::Event event;
  event.work = {.kernel = name, .shape = {}, .bytes = bytes, .messages = messages};
  return event;
}

/// Each kernel takes a second.
RankStep step_of(const std::vector<profile::Event>& events, const FullestRank& fullest, int ranks,
                 const Interconnect& network, int threads = 1) {
  return step_of_rank(
      events, [](const profile::Event&) { return 1.0; }, /*outside_s=*/0.25, fullest, ranks, threads, network,
      /*print_freq=*/10);
}

constexpr FullestRank kFull{.rank = 0, .pictures = 4, .pieces = 1, .most_pieces = 1};

TEST_CASE("a rank's step by hand: sums wait, gradients go on beside the work, weights wait") {
  const Interconnect network{.bytes_per_s = 1e6, .latency_s = 1e-3};
  const std::vector<profile::Event> events = {kernel("conv"),
                                              kernel("gather_pieces", 3, 3e3),
                                              kernel("start_gradient", 3, 5e6),
                                              kernel("conv"),
                                              kernel("gather_pieces", 3, 6e3),
                                              kernel("conv"),
                                              kernel("finish_gradients", 0, 0),
                                              kernel("sgd_step"),
                                              kernel("spread_weights", 6, 2e6)};
  const RankStep step = step_of(events, kFull, 4, network);
  CHECK(step.work_s == Approx(4.25));
  CHECK(step.sums.calls == 2);
  CHECK(step.sums.messages == 6);
  CHECK(step.sums.bytes == Approx(9e3));
  CHECK(step.sums.seconds == Approx(2 * (1e-3 + 2 * kMessage) + 9e-3));
  // Of 5 MB the network carries 1 MB in the second of work after the sum, and a thread copies it; 4 are waited for.
  CHECK(step.gradients.calls == 1);
  CHECK(step.gradients.messages == 3);
  CHECK(step.gradients.bytes == Approx(5e6));
  CHECK(step.gradients_s == Approx(5));
  const double copies = 1e6 * Interconnect::copy_s();
  CHECK(step.gradients.seconds == Approx(4 + 1e-3 + 3 * kMessage + copies).epsilon(1e-6));
  CHECK(step_of(events, kFull, 4, network, 4).gradients.seconds ==
        Approx(4 + 1e-3 + 3 * kMessage + copies / 4).epsilon(1e-6));
  CHECK(step.weights.seconds == Approx(2 + 1e-3 + 5 * kMessage));
  // Up and down a tree of two levels, twice; a gather of 16 bytes to each; two texts down for ten iterations.
  CHECK(step.agreements.calls == 3);
  CHECK(step.agreements.seconds == Approx(8e-3 + 1e-3 + 2 * kMessage + 48e-6 + 4e-4));
  CHECK(step.step_s() == Approx(step.work_s + step.exchanges_s()));
}

TEST_CASE("gradients: held back for one sum, before the next one, another rank's pieces count") {
  const Interconnect fast{.bytes_per_s = 1e9, .latency_s = 0};
  const profile::Event begin = kernel("start_gradient", 1, 2e6), sum = kernel("gather_pieces", 1, 0);
  const profile::Event end = kernel("finish_gradients", 0, 0);
  const auto waits = [&](const std::vector<profile::Event>& events) {
    const RankStep step = step_of(events, kFull, 2, fast);
    return step.gradients.seconds - static_cast<double>(step.gradients.calls) * kMessage;
  };
  const double copies = 2e6 * Interconnect::copy_s();  // beside the work; what waits for them is longer
  CHECK(waits({begin, sum, kernel("conv"), end}) == Approx(copies));
  CHECK(waits({begin, kernel("conv"), end}) == Approx(2e-3));  // nothing let it go
  // The second sum goes between the pieces of the gradient, but for those that were asked for.
  const double ahead = Interconnect::kAhead * 1e-9, rest = (2e6 - Interconnect::kAhead) * Interconnect::copy_s();
  CHECK(waits({begin, sum, sum, kernel("conv"), end}) == Approx(ahead + rest));
  CHECK(waits({begin, sum, sum, sum, sum, sum, sum, sum, end}) == Approx(2e-3));  // not more than there is
  CHECK(step_of({begin, sum, sum, sum, end}, kFull, 3, fast).gradients.seconds ==
        Approx(2e-3 + kMessage));  // from each
  CHECK(waits({begin, begin, sum, kernel("conv"), end}) ==
        Approx(ahead + rest + copies));  // the second sends the first
  CHECK(waits({begin, begin, kernel("conv"), end}) == Approx(2e-3 + copies));
  FullestRank few = kFull;
  few.most_pieces = 2;
  const RankStep twice = step_of({begin, end}, few, 2, fast);
  CHECK(twice.gradients.bytes == Approx(4e6));
  CHECK(twice.gradients.messages == 2);
  CHECK(twice.gradients.seconds == Approx(4e-3 + 2 * kMessage));
  // Nothing was started: nothing to wait for.
  CHECK(step_of({end}, kFull, 2, fast).gradients.seconds == 0);
}

TEST_CASE("pictures shared out by hand: rounds, the slowest of each, one who judges") {
  const Interconnect network{.bytes_per_s = 1e6, .latency_s = 1e-3};
  const std::vector<PictureGroup> same = {{7, 2.0}};
  const SharedOut one = share_out_cost(7, same, 0.5, 1e4, 1, network);
  CHECK(one.rounds == 7);
  CHECK(one.exchange_s == 0);
  CHECK(one.total_s == Approx(7 * 2.5));
  const SharedOut two = share_out_cost(7, same, 0.5, 1e4, 2, network);
  CHECK(two.rounds == 4);
  CHECK(two.bytes == Approx(1e4));
  // Agreeing on signals, sizes of 4 bytes, and maps.
  CHECK(two.exchange_s == Approx(2e-3 + 1e-3 + 4e-6 + 1e-3 + 1e-2));
  CHECK(two.total_s == Approx(4 * (2 + two.exchange_s) + 7 * 0.5));
  // Of two pictures drawn from one second and three, half and half: three seconds in three of four cases.
  CHECK(share_out_cost(8, {{4, 3.0}, {4, 1.0}}, 0, 0, 2, network).slowest_s == Approx(2.5));
  CHECK(mean_s({{1, 3.0}, {3, 1.0}}) == Approx(1.5));
}

Config tiny(const TinySet& set) {
  Config config = set.config("run");
  config.train.batch_size = 8;
  config.test.test_list = set.file("list.txt");
  config.test.model_path = set.file("none.safetensors");
  return config;
}

Plan plan_of(const Config& config, const std::vector<int>& ranks, const Interconnect& network = {}) {
  return make_plan(config, {.threads = 1, .quick = true, .ranks = ranks, .network = network});
}

TEST_CASE("a plan of several ranks counts the exchanges of the network's own step") {
  TinySet set;
  const Config config = tiny(set);
  const Plan plan = plan_of(config, {4});
  REQUIRE(plan.ranks.rows.size() == 1);
  const RanksRow& row = plan.ranks.rows.front();
  CHECK(row.fullest.pictures == 2);
  // Batch norms: three in the stem, two in each of 4 blocks, one at each of their shortcuts (all change the channels),
  // two in the pyramid, one in each head. Forward and backward; two losses, and the gradients of the biases of two
  // heads.
  const int64_t norms = 3 + 8 + 4 + 2 + 2;
  CHECK(row.step.sums.calls == 2 * norms + 2 + 2);
  CHECK(row.step.sums.messages == 3 * row.step.sums.calls);
  // Every weight of rank 2 and more goes once, three quarters of it; nothing else does.
  int64_t parameters = 0;
  for (const PartCost& part : plan.parts) parameters += part.parameters;
  CHECK(row.step.gradients.calls == norms + 2);
  CHECK(row.step.gradients.messages == 3 * (norms + 2));
  const double most = 4.0 * 0.75 * static_cast<double>(parameters);
  CHECK(row.step.gradients.bytes < most);
  CHECK(row.step.gradients.bytes > 0.97 * most);
  CHECK(row.step.weights.calls == 1);
  CHECK(row.step.weights.bytes == Approx(row.step.gradients.bytes).epsilon(0.01));
  CHECK(row.iteration_s >= row.step.step_s());
  CHECK(row.speed == Approx(plan.training.time.iteration_s / row.iteration_s));
  CHECK(row.lost() == Approx(1 - row.idle_network_s / row.iteration_s));
  CHECK(row.test.rounds == 2);
  CHECK(row.memory.peak() < plan.training.memory.peak());
  CHECK(row.total_s > 0);
  CHECK(ranks::count() == 1);
}

TEST_CASE("recomputation gathers statistics again") {
  TinySet set;
  Config config = tiny(set);
  const int64_t once = plan_of(config, {2}).ranks.rows.front().step.sums.calls;
  config.train.recompute = true;
  CHECK(plan_of(config, {2}).ranks.rows.front().step.sums.calls > once);
}

TEST_CASE("every network can be planned for many ranks") {
  TinySet set;
  for (const models::Architecture& architecture : models::architectures()) {
    const std::string name = architecture.name;
    CAPTURE(name);
    Config config = tiny(set);
    config.train.train_h = config.train.train_w = config.test.test_h = config.test.test_w = 97;
    config.test.base_size = 97;
    config.test.whole_image = false;
    config.train.arch = name;
    config.train.output_stride = static_cast<int>(architecture.output_stride);
    if (name == "cascade") config.train.network["object_classes"] = std::vector<int>{1};
    const Plan plan = plan_of(config, {2, 3});
    REQUIRE(plan.ranks.rows.size() == 2);
    for (const RanksRow& row : plan.ranks.rows) {
      CHECK(row.step.gradients.bytes > 0);
      CHECK(row.step.sums.calls > 0);
      CHECK(row.speed > 0);
    }
  }
}

TEST_CASE("more speed, less latency and fewer ranks never cost time") {
  const std::vector<profile::Event> events = {
      kernel("gather_pieces", 3, 6e4),  kernel("start_gradient", 3, 5e6), kernel("conv"),
      kernel("gather_pieces", 3, 6e4),  kernel("start_gradient", 3, 5e6), kernel("conv"),
      kernel("finish_gradients", 0, 0), kernel("spread_weights", 6, 2e6)};
  double slower = 1e9;
  for (const double speed : {1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}) {
    double shorter = 0;
    for (const double latency : {0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-1}) {
      const double now = step_of(events, kFull, 4, {.bytes_per_s = speed, .latency_s = latency}).step_s();
      CHECK(now > shorter);
      shorter = now;
      if (latency > 0) continue;
      CHECK(now < slower);
      slower = now;
    }
  }
  const Interconnect network;
  for (int ranks = 1; ranks < 300; ++ranks) CHECK(network.agree_s(ranks + 1) >= network.agree_s(ranks));
}

TEST_CASE("more ranks leave each less work and less memory") {
  TinySet set;
  const Config config = tiny(set);
  const Plan plan = plan_of(config, {1, 2, 4, 8, 16, 32}, {.bytes_per_s = 1e12, .latency_s = 0});
  REQUIRE(plan.ranks.rows.size() == 4);
  CHECK(plan.ranks.too_many == std::vector<int>{16, 32});
  CHECK(plan.ranks.rows[0].iteration_s == plan.training.time.iteration_s);
  CHECK(plan.ranks.rows[0].efficiency() == 1);
  CHECK(plan.ranks.rows[0].lost() == 0);
  for (size_t i = 1; i < 4; ++i) {
    CHECK(plan.ranks.rows[i].step.work_s < plan.ranks.rows[i - 1].step.work_s);
    CHECK(plan.ranks.rows[i].memory.tensors < plan.ranks.rows[i - 1].memory.tensors);
  }
}

TEST_CASE("where efficiency first falls, in text and JSON") {
  TinySet set;
  const Config config = tiny(set);
  const Plan plan = plan_of(config, {1, 2, 4, 16}, {.bytes_per_s = 1e6, .latency_s = 1e-2});
  const RanksRow* below = plan.ranks.first_below(0.9);
  REQUIRE(below != nullptr);
  CHECK(below->ranks == 2);
  CHECK(plan.ranks.first_below(0) == nullptr);
  const std::string text = plan_table(plan, config);
  CHECK(text.find("falls below 90 % at 2 ranks") != std::string::npos);
  CHECK(text.find("left out: 16 ranks") != std::string::npos);
  const auto json = nlohmann::json::parse(plan_json(plan, config))["ranks"];
  CHECK(json["below_90_percent"] == 2);
  CHECK(json["too_many"] == std::vector<int>{16});
  CHECK(json["rows"].size() == 3);
  CHECK(json["rows"][2]["ranks"] == 4);
  CHECK(json["rows"][2]["gradients"]["bytes"].get<double>() == Approx(plan.ranks.rows[2].step.gradients.bytes));
  CHECK(json["network"]["latency_s"] == 1e-2);
  // One rank alone: a plan as ever.
  const Plan alone = plan_of(config, {1});
  CHECK(alone.ranks.rows.empty());
  CHECK_FALSE(nlohmann::json::parse(plan_json(alone, config)).contains("ranks"));
  CHECK_THROWS_AS(plan_of(config, {9}), Refusal);
  CHECK_THROWS_AS(plan_of(config, {9, 16}), Refusal);
}

TEST_CASE("steps of a rank are timed on its own part, and nothing is left behind") {
  TinySet set;
  const Config config = tiny(set);
  const Plan plan = make_plan(config, {.threads = 1, .seconds = 1, .ranks = {8}});
  CHECK(plan.ranks.measured_on == "1 picture of 25x25");
  CHECK(plan.ranks.rows.front().step.work_s < plan.training.time.step_s);
  CHECK(ranks::count() == 1);
}

}  // namespace
}  // namespace giza::train
