// The weights that a training starts from.
#include "train/initial_weights.h"

#include <doctest/doctest.h>

#include <string>

#include "models/weights/safetensors.h"
#include "models/weights/state_dict.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "train/config/parts.h"

namespace giza::train {
namespace {

TEST_CASE("SegNet's encoder begins as VGG16, whose biases batch norm takes away") {
  const TempFolder folder;
  const auto network = [](const std::string& arch, const std::string& keys) {
    return model_options(
        parse_config("DATA:\n  classes: 3\nTRAIN:\n  arch: " + arch + "\n  width: 0.04\n" + keys, "f.yaml"));
  };
  const auto vgg = models::make_parser(network("fcn32s", "  backbone: vgg16\n  manual_seed: 1\n"));
  const std::string path = folder.file("vgg.safetensors");
  const models::WeightFile given = models::state_dict(*vgg);
  models::write_safetensors(path, given);

  const Config config =
      parse_config("DATA:\n  classes: 3\nTRAIN:\n  arch: segnet\n  width: 0.04\n  weight: " + path + "\n", "f.yaml");
  const auto model = models::make_parser(model_options(config)), random = models::make_parser(model_options(config));
  const InitialWeights told = load_initial_weights(config, model_options(config), *model);
  REQUIRE(told.notes.size() == 1);
  CHECK(contains(told.notes[0], path + ": has VGG16's convolutions"));
  const models::WeightFile begun = models::state_dict(*model), fresh = models::state_dict(*random);
  for (const char* name : {"conv1_1.weight", "conv3_2.weight", "conv5_3.weight"}) {
    CAPTURE(name);
    CHECK(begun.find(name)->data == given.find(name)->data);
    CHECK(begun.find(name)->data != fresh.find(name)->data);
  }
  for (const char* name : {"conv1_1_bn.weight", "conv5_3_bn.running_var", "conv5_3_D.weight", "conv1_1_D.weight"}) {
    CAPTURE(name);
    CHECK(begun.find(name)->data == fresh.find(name)->data);
  }
  // Its own files are taken whole.
  models::write_safetensors(path, begun);
  CHECK(load_initial_weights(config, model_options(config), *model).notes.empty());
}

}  // namespace
}  // namespace giza::train
