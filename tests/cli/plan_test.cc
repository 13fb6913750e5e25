// giza plan as a user runs it: JSON, text, refusals, and its memory against a run of its own.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tensor/base/check.h"
#include "tests/cli/program.h"

namespace giza::testing {

TEST_CASE("plan: the tensors' memory is that of a step in a process of its own, to the byte") {
  const TempFolder folder;
  write_file(folder.file("plan.yaml"),
             "DATA: {classes: 6}\n"
             "TRAIN: {layers: 18, width: 0.25, train_h: 65, train_w: 65, batch_size: 3}\n"
             "TEST: {base_size: 65, test_h: 65, test_w: 65, mirror: false}\n");
  const Outcome plan = run_giza("plan --config plan.yaml --quick --json --threads 1", folder.path());
  REQUIRE_MESSAGE(plan.status == 0, plan.err);
  const auto json = nlohmann::json::parse(plan.out);
  const Outcome bench = run_giza(
      "bench model --depth 18 --width 0.25 --size 65 --batch 3 --classes 6 --mode train --runs 1 --json --threads 1 "
      "--quiet",
      folder.path());
  REQUIRE_MESSAGE(bench.status == 0, bench.err);
  const auto real = nlohmann::json::parse(bench.out);
  // bench's arena_peak_gb leaves out what lies free between blocks.
  const double predicted = json["train"]["memory"]["tensors_gb"], peak = real["arena_peak_gb"];
  CHECK(predicted >= peak);
  CHECK(predicted < 1.1 * peak);
  CHECK(json["train"]["total_s"].is_null());
  CHECK(json["train"]["fits"] == true);
  CHECK(json["notes"].size() == 2);
}

TEST_CASE("plan: text, and a machine that is too small") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const Outcome small = run_giza("plan --config tiny.yaml --quick --memory 0.005", folder.path());
  REQUIRE_MESSAGE(small.status == 0, small.err);
  INFO(small.out);
  CHECK(small.out.find("DOES NOT FIT in 0.01 GB (--memory)") != std::string::npos);
  const Outcome timed = run_giza("plan --config tiny.yaml --seconds 0.3", folder.path());
  REQUIRE_MESSAGE(timed.status == 0, timed.err);
  CHECK(timed.out.find("from kernels timed on") != std::string::npos);
  CHECK(timed.out.find("8 pictures") != std::string::npos);
}

TEST_CASE("plan: many ranks, one in full and several as rows") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const std::string plan = "plan --config tiny.yaml --quick --ranks ";
  const Outcome two = run_giza(plan + "2", folder.path());
  REQUIRE_MESSAGE(two.status == 0, two.err);
  INFO(two.out);
  CHECK(two.out.find("training on 2 ranks, a machine like this one each, 10 Gb/s, 50 us between them") !=
        std::string::npos);
  CHECK(two.out.find("gradients of weights") != std::string::npos);
  CHECK(two.out.find("testing on 2 ranks") != std::string::npos);
  const Outcome rows = run_giza(plan + "1..1024 --network 1Gb/s,1ms TRAIN.batch_size 8", folder.path());
  REQUIRE_MESSAGE(rows.status == 0, rows.err);
  CHECK(rows.out.find("1 Gb/s, 1 ms between them: batch 8") != std::string::npos);
  CHECK(rows.out.find("left out: 16, 32, 64, 128, 256, 512, 1024 ranks") != std::string::npos);
  CHECK(rows.out.find("efficiency of training falls below 90 % at 2 ranks") != std::string::npos);
  const Outcome json = run_giza(plan + "2,4 --json TRAIN.batch_size 8", folder.path());
  REQUIRE_MESSAGE(json.status == 0, json.err);
  CHECK(nlohmann::json::parse(json.out)["ranks"]["rows"][1]["pictures"] == 2);
  CHECK(run_giza(plan + "1", folder.path()).out.find("ranks") == std::string::npos);
  const Outcome left = run_giza(plan + "1,32 TRAIN.batch_size 8", folder.path());
  CHECK(left.out.find("left out: 32 ranks") != std::string::npos);
  CHECK(left.out.find("on 1 rank") == std::string::npos);

  for (const char* wrong :
       {"0", "x", "3..2", "1000000 TRAIN.batch_size 8", "2 --network 10Gb/s", "2 --network 50us,10Gb/s", "''"}) {
    CAPTURE(wrong);
    const Outcome outcome = run_giza(plan + wrong, folder.path());
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(outcome.out.empty());
  }
  CHECK(run_giza(plan + "2 --network 10", folder.path()).err.find("--network 10: ") != std::string::npos);
  CHECK(run_giza("plan --config tiny.yaml --network 1Gb/s,1ms", folder.path()).status == 2);
}

TEST_CASE("plan: what no network fits is refused") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const Outcome one = run_giza("plan --config tiny.yaml --quick TRAIN.batch_size 1", folder.path());
  CHECK(one.status == 2);
  CHECK(one_line_refusal(one.err));
  CHECK(one.err.find("use a larger batch") != std::string::npos);
  CHECK(run_giza("plan --config tiny.yaml --seconds 0").status == 2);
  CHECK(run_giza("plan --config tiny.yaml --quick --seconds 5", folder.path()).status == 2);
  // A dry run that would not fit itself.
  const Outcome huge = run_giza(
      "plan --config tiny.yaml --quick TRAIN.batch_size 1024 TRAIN.train_h 16377 TRAIN.train_w 16377", folder.path());
  CHECK(huge.status == 2);
  CHECK(one_line_refusal(huge.err));
  CHECK(huge.err.find("as they come") != std::string::npos);
  CHECK(run_giza("plan").status == 2);
}

}  // namespace giza::testing
