// The weights that giza ships do what their card says.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "tests/support/skip.h"
#include "train/config/config.h"
#include "train/config/parts.h"
#include "train/tester.h"

namespace giza::train {
namespace {

TEST_CASE("pretrained: CamVid's weights have the figure of their card, at one scale" *
          doctest::test_suite("needs CamVid")) {
  const std::string source = GIZA_SOURCE_DIR, folder = source + "/../shared/data/camvid";
  if (!std::filesystem::exists(folder)) {
    skip_test("no CamVid beside the source folder");
    return;
  }
  const Config config = load_config(
      source + "/configs/camvid/best.yaml",
      {"DATA.data_root", folder, "TEST.model_path", source + "/pretrained/camvid.safetensors", "TEST.scales", "[1.0]"});
  const TestedNetwork network = load_tested_network(config);
  const Dataset pictures(dataset_options(config, Split::test));
  EvaluateOptions options;
  options.progress = false;
  const Evaluation found = evaluate(bounded_predictor(network, "weights"), pictures, options);
  CHECK(found.pictures.size() == 101);
  CHECK(found.metrics.miou == doctest::Approx(0.7081).epsilon(1e-3));
}

}  // namespace
}  // namespace giza::train
