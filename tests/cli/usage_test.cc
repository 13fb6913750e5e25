// Usage: help of every command, refusals of one line, exit statuses, info and bench.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/simd.h"
#include "tests/cli/program.h"

namespace giza::testing {

TEST_CASE("every command has a help that shows its usage") {
  const Outcome top = run_giza("--help");
  CHECK(top.status == 0);
  CHECK(top.err.empty());
  for (const std::string command : {"info", "scenes", "train", "eval", "predict", "compare", "run", "bench",
                                    "bench model", "profile", "plan", "explore", "study", "bisect"}) {
    CAPTURE(command);
    CHECK(top.out.find("  " + command.substr(0, command.find(' ')) + " ") != std::string::npos);
    const Outcome help = run_giza(command + " --help");
    CHECK(help.status == 0);
    CHECK(help.err.empty());
    CHECK(help.out.find("Usage: giza " + command) != std::string::npos);
    if (command != "bench") CHECK(help.out.find("--threads") != std::string::npos);
  }
  CHECK(run_giza("--version").out.starts_with("giza "));
  const Outcome keys = run_giza("train --help-keys");
  CHECK(keys.status == 0);
  CHECK(keys.out.find("TRAIN.base_lr  (a number from 0 to 1000; default 0.01)") != std::string::npos);
}

TEST_CASE("bad usage is refused in one line with status 2") {
  struct Fault {
    const char* arguments;
    const char* message;
  };
  const Fault faults[] = {
      {"", "no command"},
      {"trian", "unknown command, the nearest is train"},
      {"bench", "bench: expected one of these behind it: model"},
      {"bench modl", "bench: expected one of these behind it: model"},
      {"convert a.pth b.pth c d", "convert: not expected: c d"},
      {"run --weights a --weights b", "run: --weights: is given more than once"},
      {"info --seed", "info: --seed: expected a value behind it"},
      {"info --conv ''", "info: --conv: is empty"},
      {"scenes --out ''", "scenes: --out: is empty"},
      {"scenes --out s --train ''", "--train: '' is not a whole number from 0 to 100000"},
      {"scenes --out s --val 0x3", "--val: 0x3 is not a whole number from 0 to 100000"},
      {"scenes --out s --train 1e2", "--train: 1e2 is not a whole number"},
      {"convert a.pth b.pth --size 33x33", "--size 33x33: b.pth: expected with a .onnx file"},
      {"convert a.pth b.pth --batch 2", "--batch 2: b.pth: expected with a .onnx file"},
      {"--nonsense", "--nonsense: flags come after a command"},
      {"--json info", "--json: flags come after a command"},
      {"info --threads many", "--threads"},
      {"info --threads 1025", "--threads"},
      {"info --threads -1", "--threads"},
      {"info --seed -1", "--seed"},
      {"info --isa NEON9", "NEON9"},
      {"info --conv fast", "fast"},
      {"info surplus", "surplus"},
      {"info --surplus", "surplus"},
      {"info --config /no/such.yaml", "/no/such.yaml: there is no such file"},
      {"info --config /dev/null TRAIN.layers 51", "51"},
      {"train", "--config is required"},
      {"train --conf tiny.yaml", "train: unknown flag --conf"},
      {"train --config /no/such.yaml", "/no/such.yaml: there is no such file"},
      {"train --config /dev/null", "DATA.classes has no value"},
      {"train --config /dev/null --confg x", "unknown flag --confg"},
      {"train --config /dev/null epochs", "epochs has no value"},
      {"train --config /dev/null epoch 3", "the nearest is TRAIN.epochs"},
      {"eval --config /dev/null DATA.classes 3", "TEST.save_folder has no value"},
      {"eval --config /dev/null DATA.classes 3 TEST.save_folder x", "TEST.model_path has no value"},
      {"predict --weights w --out o", "no pictures"},
      {"predict --weights w --out o /no/such.png", "/no/such.png"},
      {"compare --config /dev/null a", "a is not NAME=FOLDER"},
      {"run --weights w --input i.npy", "--output is required"},
      {"run --weights w --input /no/such.npy --output y.npy", "/no/such.npy: there is no such file"},
      {"scenes --out s --size 9", "--size 9"},
      {"bench model --mode fly", "--mode"},
      {"bench model --depth 51 --size 33", "51"},
      {"bisect 1", "bisect: b is required"},
      {"bisect 1 threads=many", "bisect: B: many is not a whole number from 1 to 1024"},
      {"bisect 1,2 1", "bisect: A: threads is given twice"},
      {"bisect colour=red 1", "bisect: A: 'colour=red' is no setting"},
      {"bisect 1, 2", "bisect: A: '' is no setting"},
      {"bisect auto 1", "bisect: A: 'auto' is no setting"},
      {"bisect isa=MMX 1", "MMX"},
      {"bisect 1 2 TRAIN.layers 18", "bisect: TRAIN.layers without --config"},
  };
  for (const Fault& fault : faults) {
    CAPTURE(fault.arguments);
    const Outcome outcome = run_giza(fault.arguments);
    CAPTURE(outcome.err);
    CHECK(outcome.status == 2);
    CHECK(outcome.out.empty());
    CHECK(one_line_refusal(outcome.err));
    CHECK(outcome.err.find(fault.message) != std::string::npos);
  }
}

TEST_CASE("results that cannot be written are a failure") {
  CHECK(run_giza("info --no-peak --json >/dev/full").status == 1);
}

TEST_CASE("a limit on addresses leaves too few for threads or tensors: one line that says so") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  MESSAGE("skipped: a sanitizer takes more addresses than any limit would leave");
  return;
#endif
  const std::string step = "bench model --depth 18 --size 33 --width 0.125 --classes 3 --runs 1 --quiet --threads ";
  for (const auto& [limit, threads, message] :
       {std::tuple{"1000000", "900", "900 threads cannot be started, only "},
        std::tuple{"150000", "2", "out of memory: 64 MB of addresses are the fewest for tensors"}}) {
    CAPTURE(limit);
    const Outcome outcome = run_giza(step + threads, ".", "ulimit -v " + std::string(limit));
    CAPTURE(outcome.err);
    CHECK(outcome.status == 1);
    CHECK(one_line_refusal(outcome.err));
    CHECK(outcome.err.find(message) != std::string::npos);
    CHECK(outcome.err.find("ulimit -v") != std::string::npos);
  }
}

TEST_CASE("info as JSON") {
  const Outcome outcome = run_giza("info --no-peak --json --threads 2");
  REQUIRE(outcome.status == 0);
  CHECK(outcome.err.empty());
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["threads"] == 2);
  CHECK(json["memory_gb"].get<double>() > 0);
  const auto targets = json["isa_targets"].get<std::vector<std::string>>();
  CHECK(targets.front() == json["isa"]);
  CHECK(targets == isa_targets());
  CHECK(!json.contains("peak"));
  CHECK(nlohmann::json::parse(run_giza("info --no-peak --json --isa " + targets.back()).out)["isa"] == targets.back());
}

TEST_CASE("info of a configuration lists its convolutions") {
  const TempFolder folder;
  write_file(folder.file("tiny.yaml"), R"(DATA:
  classes: 5
TRAIN:
  layers: 50
  blocks: [1, 1, 1, 1]
  width: 0.25
  train_h: 97
  train_w: 65
  batch_size: 3
TEST:
  test_h: 57
  test_w: 41
)");
  const std::string baseline = isa_targets().back();
  const Outcome outcome = run_giza("info --config tiny.yaml --json --isa " + baseline, folder.path());
  CAPTURE(outcome.err);
  REQUIRE(outcome.status == 0);
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["isa"] == baseline);
  CHECK(json["algorithm"] == "auto");
  REQUIRE(json["steps"].size() == 2);
  const auto &train = json["steps"][0], &test = json["steps"][1];
  CHECK(train["input"] == std::vector<int>{3, 97, 65, 3});
  CHECK(test["input"] == std::vector<int>{1, 57, 41, 3});
  // 3 of the stem, 3 of a block and a shortcut in 4 stages, 4 of the pyramid, 2 of the head, 2 of the auxiliary one.
  CHECK(train["convolutions"].size() == 27);
  CHECK(test["convolutions"].size() == 25);
  CHECK(train["convolutions"][0]["layer"] == "layer0.0");
  CHECK(train["convolutions"][0]["shape"] == "n3h97w65c3k16r3s2");
  CHECK(train["convolutions"][0]["backward_input"].is_null());
  CHECK(test["convolutions"].back()["layer"] == "cls.4");
  CHECK(!test["convolutions"].back().contains("backward_weight"));
  double sum = 0;
  for (const auto& row : train["convolutions"]) sum += row["gflop"].get<double>();
  CHECK(train["total"]["gflop"].get<double>() == doctest::Approx(sum));
  // The head's convolution on the feature map alone: 512 of 1024 channels.
  const auto forced = nlohmann::json::parse(
      run_giza("info --config tiny.yaml TRAIN.batch_size 2 --json --algorithm winograd4", folder.path()).out);
  bool found = false;
  for (const auto& row : forced["steps"][0]["convolutions"]) {
    if (row["layer"] != "cls.0") continue;
    found = true;
    CHECK(row["shape"] == "n2h13w9c512k128r3");
    for (const char* pass : {"forward", "backward_input", "backward_weight"}) {
      CHECK(row[pass]["algorithm"] == "winograd4");
      CHECK(row[pass]["gflop"] > row[pass]["executed_gflop"]);
    }
  }
  CHECK(found);
  // A batch of 1 cannot be trained; how it would be tested is still told.
  const auto alone =
      nlohmann::json::parse(run_giza("info --config tiny.yaml TRAIN.batch_size 1 --json", folder.path()).out);
  CHECK(alone["steps"][0]["refused"].get<std::string>().find("single value") != std::string::npos);
  CHECK(alone["steps"][1]["convolutions"].size() == 25);
  const Outcome people = run_giza("info --config tiny.yaml --conv reference", folder.path());
  REQUIRE(people.status == 0);
  CHECK(people.out.find("n1h57w41c3k16r3s2") != std::string::npos);
  CHECK(people.out.find("reference") != std::string::npos);
  size_t longest = 0, begin = 0;
  for (size_t end = people.out.find('\n'); end != std::string::npos; end = people.out.find('\n', begin)) {
    longest = std::max(longest, end - begin);
    begin = end + 1;
  }
  CHECK(longest <= 120);
}

TEST_CASE("info measures a peak") {
  const auto peak = nlohmann::json::parse(run_giza("info --json").out)["peak"];
  CHECK(peak["core_gflops"].get<double>() > 0.1);
  CHECK(peak["all_gflops"].get<double>() > 0.1);
  CHECK(peak["copy_gbs"].get<double>() > 0.01);
  CHECK(peak["stream_gbs"].get<double>() > 0.01);
}

TEST_CASE("bench model prints one JSON line for scripts, or one for people") {
  for (const std::string mode : {"infer", "train"}) {
    const Outcome outcome = run_giza(
        "bench model --threads 1 --depth 18 --size 33 --batch 2 --classes 3 --width 0.125 --runs 2 --json --mode " +
        mode);
    REQUIRE(outcome.status == 0);
    const auto json = nlohmann::json::parse(outcome.out);
    CHECK(json["mode"] == mode);
    CHECK(json["depth"] == 18);
    CHECK(json["size"] == 33);
    CHECK(json["batch"] == 2);
    CHECK(json["best_s"].get<double>() > 0);
    CHECK(json["median_s"].get<double>() >= json["best_s"].get<double>());
    CHECK(json["peak_rss_gb"].get<double>() > 0.001);
  }
  const Outcome people =
      run_giza("bench model --threads 1 --depth 18 --size 33 --classes 3 --width 0.125 --runs 1 --quiet");
  CHECK(people.status == 0);
  CHECK(people.err.empty());
  CHECK(people.out.find("median") != std::string::npos);
}

}  // namespace giza::testing
