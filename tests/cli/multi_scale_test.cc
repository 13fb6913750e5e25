// Inputs of several scales from end to end: trained, resumed, judged, planned and exported.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "models/onnx/export.h"
#include "tests/cli/program.h"

using giza::TempFolder;
using giza::testing::make_tiny_run;
using giza::testing::Outcome;
using giza::testing::read_file;
using giza::testing::run_giza;
namespace fs = std::filesystem;

namespace {

TEST_CASE("inputs of three scales: trained, gone on with to the same bytes, tested, planned and exported") {
  const TempFolder temp;
  const fs::path folder = temp.path();
  make_tiny_run(folder);
  const auto run = [&](const std::string& command) {
    const Outcome outcome = run_giza(command + " --quiet", folder);
    CAPTURE(command);
    CAPTURE(outcome.err);
    REQUIRE(outcome.status == 0);
    return outcome.out;
  };
  const std::string net = " --config tiny.yaml TRAIN.arch aspp TRAIN.aspp_rates '[1, 2]' TRAIN.aspp_msc ";
  const std::string msc = net + "true TRAIN.save_freq 1 TRAIN.base_lr 0.001";
  run("train" + msc + " TRAIN.threads 2");
  // From the checkpoint after the first epoch, with another number of threads.
  run("train" + msc + " TRAIN.threads 1 TRAIN.save_path again TRAIN.resume run/iter_00000002.safetensors");
  CHECK(read_file(folder / "again/last.safetensors") == read_file(folder / "run/last.safetensors"));
  CHECK(nlohmann::json::parse(run("eval --json" + msc))["images"] == 2);
  run("predict --weights run/last.safetensors --out seen scenes/val");
  // At scales 0.5 and 0.75 there are 0.25 and 0.56 times the pixels, and a little more where sizes are rounded up.
  const auto multiply_adds = [&](const std::string& arguments) {
    const auto plan = nlohmann::json::parse(run("plan --json" + arguments));
    double sum = 0;
    for (const auto& part : plan["parts"]) sum += part["train_macs"].get<double>();
    return sum;
  };
  const double three = multiply_adds(net + "true"), one = multiply_adds(net + "false");
  CHECK(three > 1.8 * one);
  CHECK(three < 2.2 * one);
  if (giza::models::onnx_available()) run("convert run/last.safetensors net.onnx --size 33x46");
}

}  // namespace
