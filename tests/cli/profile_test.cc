// giza profile as a user runs it: tables, JSON, trace, picture, one convolution, refusals.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/cli/program.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::testing {

namespace {

const std::string kTiny =
    "profile --threads 1 --quiet --depth 18 --size 33 --width 0.125 --classes 3 --batch 2 --runs 2 ";

double sum_of(const nlohmann::json& rows, const char* field) {
  double sum = 0;
  for (const auto& row : rows) sum += row[field].get<double>();
  return sum;
}

/// Elements open and close in turn and attributes are quoted: enough to catch a broken document.
bool well_formed(const std::string& xml) {
  std::vector<std::string> open;
  for (size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at + 1)) {
    const size_t end = xml.find('>', at);
    if (end == std::string::npos) return false;
    const std::string tag = xml.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos || std::count(tag.begin(), tag.end(), '\'') % 2 != 0) return false;
    if (tag[0] == '?' || tag.back() == '/') continue;
    if (tag[0] != '/') {
      open.push_back(tag.substr(0, tag.find(' ')));
    } else {
      if (open.empty() || open.back() != tag.substr(1)) return false;
      open.pop_back();
    }
  }
  return open.empty();
}

void check_width(const std::string& table) {
  for (size_t begin = 0; begin < table.size();) {
    const size_t end = table.find('\n', begin);
    CHECK_MESSAGE(end - begin <= 120, table.substr(begin, end - begin));
    begin = end + 1;
  }
}

}  // namespace

TEST_CASE("bench and profile run a step of a configuration's own network") {
  const TempFolder folder;
  std::ofstream(folder.file("tiny.yaml")) << R"(DATA:
  classes: 5
TRAIN:
  layers: 18
  blocks: [1, 1, 1, 1]
  width: 0.125
  train_h: 41
  train_w: 57
  batch_size: 2
TEST:
  test_h: 33
  test_w: 49
)";
  for (const std::string mode : {"infer", "train"}) {
    const auto input = mode == "train" ? std::vector<int>{3, 41, 57, 3} : std::vector<int>{1, 33, 49, 3};
    for (const std::string command : {"bench model", "profile"}) {
      CAPTURE(command);
      const Outcome outcome = run_giza(command + " --config tiny.yaml --threads 1 --runs 1 --json --quiet --mode " +
                                           mode + " TRAIN.batch_size 3 TRAIN.arch baseline",
                                       folder.path());
      CAPTURE(outcome.err);
      REQUIRE(outcome.status == 0);
      const auto json = nlohmann::json::parse(outcome.out);
      CHECK(json["config"] == "tiny.yaml");
      CHECK(json["arch"] == "baseline");
      CHECK(json["classes"] == 5);
      CHECK(json["input"] == input);
      CHECK_FALSE(json.contains("depth"));
    }
  }
  for (const char* arguments : {"bench model --config tiny.yaml --depth 50", "profile --config tiny.yaml --width 2",
                                "bench model TRAIN.batch_size 3", "profile --config no.yaml"}) {
    CAPTURE(arguments);
    const Outcome outcome = run_giza(arguments, folder.path());
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
  }
}

TEST_CASE("profile of a training step: shares, layers, trace and picture") {
  const TempFolder folder;
  const Outcome outcome = run_giza(kTiny + "--mode train --json --svg roof.svg --trace trace.json", folder.path());
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["mode"] == "train");
  CHECK(json["size"] == 33);
  CHECK(json["steps_s"].size() == 2);
  CHECK(json["peak"]["all_gflops"].get<double>() > 0);
  CHECK(json["unattributed_share"].get<double>() > 0);
  const double rest = json["unattributed_share"].get<double>();
  CHECK(sum_of(json["kernels"], "share") + rest == doctest::Approx(1).epsilon(1e-6));
  CHECK(sum_of(json["layers"], "share") + rest == doctest::Approx(1).epsilon(1e-6));
  CHECK(json["attributed_s"].get<double>() + json["unattributed_s"].get<double>() ==
        doctest::Approx(json["step_s"].get<double>()));
  std::set<std::string> kernels, layers;
  for (const auto& row : json["kernels"]) {
    kernels.insert(row["kernel"].get<std::string>());
    for (const char* field :
         {"calls", "seconds", "gflops", "executed_gflops", "gbs", "intensity", "fma_share", "bandwidth_share"}) {
      CHECK(row[field].get<double>() >= 0);
    }
    CHECK((row["bound"] == "compute" || row["bound"] == "memory"));
  }
  for (const char* kernel : {"conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight", "batch_norm_train",
                             "batch_norm_train_backward", "max_pool2d", "sgd_step", "accumulate"}) {
    CAPTURE(kernel);
    CHECK(kernels.count(kernel) == 1);
  }
  for (const auto& row : json["layers"]) {
    const std::string layer = row["layer"];
    layers.insert(layer);
    if (layer != "layer3.1.conv2" && layer != "cls.0") continue;
    for (const char* part : {"forward_s", "backward_s", "update_s"}) CHECK(row[part].get<double>() > 0);
  }
  for (const char* layer :
       {"layer0.0", "layer3.1.conv2", "layer4.0.downsample.1", "ppm.features.3.1", "cls.0", "aux.4"}) {
    CAPTURE(layer);
    CHECK(layers.count(layer) == 1);
  }

  const auto trace = nlohmann::json::parse(read_file(folder.file("trace.json")))["traceEvents"];
  std::vector<double> ends;  // of the events that are open
  int complete = 0, steps = 0;
  for (const auto& event : trace) {
    if (event["ph"] != "X") continue;
    ++complete;
    steps += event["cat"] == "span" ? 1 : 0;
    const double begin = event["ts"], end = begin + event["dur"].get<double>();
    while (!ends.empty() && ends.back() <= begin + 1e-6) ends.pop_back();
    CHECK((ends.empty() || end <= ends.back() + 1e-6));
    ends.push_back(end);
    if (event["cat"] == "kernel") CHECK(!event["args"]["shape"].get<std::string>().empty());
  }
  CHECK(steps == 2);
  CHECK(complete > 500);
  const std::string svg = read_file(folder.file("roof.svg"));
  CHECK(well_formed(svg));
  CHECK(svg.find("FMA peak") != std::string::npos);
  CHECK(svg.find("layer4") != std::string::npos);
}

TEST_CASE("profile of a forward pass prints tables of at most 120 columns") {
  const Outcome outcome = run_giza(kTiny);
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  CHECK(outcome.out.find("conv2d_forward") != std::string::npos);
  CHECK(outcome.out.find("(unattributed)") != std::string::npos);
  CHECK(outcome.out.find("other layers)") != std::string::npos);
  check_width(outcome.out);
  const Outcome layers = run_giza(kTiny + "--layers --all");
  CHECK(layers.out.find("(unattributed)") != std::string::npos);
  CHECK(layers.out.find("other layers)") == std::string::npos);
  CHECK(layers.out.find("median step\nkernel ") == std::string::npos);
}

TEST_CASE("profile --cores: what more cores would take, of the tasks that ran here") {
  const Outcome outcome = run_giza(kTiny + "--mode train --cores 8 --bandwidth 1e6 --region-us 2 --json");
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  const auto json = nlohmann::json::parse(outcome.out);
  const auto &here = json["here"], &many = json["many_cores"];
  CHECK(here["cores"] == 1);
  CHECK(here["cores_s"].get<double>() == doctest::Approx(here["one_core_s"].get<double>()));
  CHECK(many["cores"] == 8);
  CHECK(many["region_us"].get<double>() == doctest::Approx(2));
  CHECK(many["regions"].get<int>() > 100);
  CHECK(many["regions"] == here["regions"]);
  CHECK(many["cores_s"].get<double>() < many["one_core_s"].get<double>());
  CHECK(many["cores_s"].get<double>() > many["one_core_s"].get<double>() / 8);
  CHECK(many["lost_s"]["regions"].get<double>() == doctest::Approx(2e-6 * many["regions"].get<double>()));
  for (const char* field : {"regions", "tasks", "one_core_s", "cores_s"}) {
    CHECK(sum_of(many["kernels"], field) == doctest::Approx(many[field].get<double>()));
  }
  CHECK_FALSE(nlohmann::json::parse(run_giza(kTiny + "--json").out).contains("many_cores"));

  const Outcome people = run_giza(kTiny + "--cores 16 --kernels");
  CHECK(people.out.find("on 16 cores: ") != std::string::npos);
  CHECK(people.out.find("for the 1 thread here: ") != std::string::npos);
  check_width(people.out);
}

TEST_CASE("profile --op times every algorithm and holds it to its error bound") {
  const Outcome outcome = run_giza("profile --threads 1 --json --runs 1 --op 'conv2d n1h13w13c16k17r3d2'");
  REQUIRE_MESSAGE(outcome.status == 0, outcome.out << outcome.err);
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["op"] == "conv2d n1h13w13c16k17r3d2");
  REQUIRE(json["passes"].size() == 3);
  for (const auto& pass : json["passes"]) {
    CHECK(pass["checked"] == pass["elements"]);
    CHECK(!pass["winner"].get<std::string>().empty());
    std::set<std::string> names;
    for (const auto& result : pass["results"]) {
      names.insert(result["name"].get<std::string>());
      CHECK(result["median_s"].get<double>() > 0);
      CHECK(result["error"].get<double>() > 0);
      if (result["name"] != "onednn" && result["name"] != "eigen") CHECK(result["within"].get<bool>());
    }
    CHECK(names.count("direct") == 1);
    CHECK(names.count("winograd4") == 1);
  }
  const Outcome people = run_giza("profile --threads 1 --runs 1 --op 'conv2d h7w7c8k8s2r3'");
  CHECK(people.status == 0);
  CHECK(people.out.find("backward_weight: 576 of 576 elements") != std::string::npos);
  CHECK(people.out.find("fastest") != std::string::npos);
  CHECK(people.out.find("winograd") == std::string::npos);
}

TEST_CASE("profile refuses what it cannot do in one line") {
  const std::pair<const char*, const char*> faults[] = {
      {"--op 'conv2d n1h6'", "w is missing; expected letters with numbers"},
      {"--op 'conv2d n1h6w6c3k4q3'", "unknown letter 'q'"},
      {"--op conv2d", "expected conv2d and a shape"},
      {"--op 'softmax n1'", "expected conv2d and a shape"},
      {"--op 'conv2d h1w1c1k1' --svg a.svg", "--op excludes --svg"},
      {"--op 'conv2d h1w1c1k1' --cores 2", "--op excludes --cores"},
      {"--op 'conv2d h1w1c1k1' --algorithm direct", "--algorithm excludes --op"},
      {"--svg a.svg --trace ./a.svg", "give each a name of its own"},
      {"--json --trace /dev/stdout", "standard output is where --json writes to"},
      {"--kernels --all", "which --kernels leaves out"},
      {"--cores 0", "0 is not a whole number from 1 to 4096"},
      {"--region-us 3", "--region-us requires --cores"},
      {"--depth 19", "depth 19"},
      {"--mode neither", "--mode"},
      {"--weights w --depth 18", "excludes"},
      {"--weights /no/such.safetensors", "/no/such.safetensors"},
      {"--svg /no/such/folder/a.svg", "there is no folder /no/such/folder"},
  };
  for (const auto& fault : faults) {
    CAPTURE(fault.first);
    const Outcome outcome = run_giza(std::string("profile --quiet ") + fault.first);
    CAPTURE(outcome.err);
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(contains(outcome.err, fault.second));
    CHECK(outcome.out.empty());
  }
}

}  // namespace giza::testing
