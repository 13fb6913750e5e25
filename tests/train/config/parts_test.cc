// What a configuration makes: the groups of parameters.
#include "train/config/parts.h"

#include <doctest/doctest.h>

#include <map>

#include "tests/support/refusal.h"

namespace giza::train {
namespace {

struct Factors {
  double rate, decay;
  bool operator==(const Factors&) const = default;
};

/// By name; each parameter once.
std::map<std::string, Factors> factors_of(const std::vector<std::string>& overrides) {
  const Config config = parse_config(
      "DATA: {classes: 3}\nTRAIN: {layers: 18, width: 0.125, stem: plain, blocks: [1, 1, 1, 1], new_layer_lr: 10}\n",
      "test.yaml", overrides);
  const auto model = models::make_parser(model_options(config));
  std::map<std::string, Factors> factors;
  for (const layers::ParameterGroup& group : parameter_groups(config, *model)) {
    for (const layers::NamedParameter& parameter : group.parameters) {
      const bool bias = parameter.name.ends_with(".bias");
      const double rate = group.rate_factor * (bias ? group.bias_factor : 1);
      CHECK(factors.emplace(parameter.name, Factors{rate, group.weight_decay_factor}).second);
    }
  }
  CHECK(factors.size() == model->parameters().size());
  return factors;
}

TEST_CASE("parameter groups: all alike but new layers, and as Caffe trained") {
  const auto plain = factors_of({});
  CHECK(plain.at("layer1.0.conv1.weight") == Factors{1, 1});
  CHECK(plain.at("layer1.0.bn1.bias") == Factors{1, 1});
  CHECK(plain.at("cls.4.bias") == Factors{10, 1});
  const auto caffe = factors_of({"TRAIN.bias_lr", "2", "TRAIN.decay_biases", "false"});
  CHECK(caffe.at("layer1.0.conv1.weight") == Factors{1, 1});
  CHECK(caffe.at("layer1.0.bn1.weight") == Factors{1, 0});
  CHECK(caffe.at("layer1.0.bn1.bias") == Factors{2, 0});
  CHECK(caffe.at("cls.4.weight") == Factors{10, 1});
  CHECK(caffe.at("cls.4.bias") == Factors{20, 0});
}

TEST_CASE("what fits no network is told where it was given") {
  const auto message = [](const std::string& keys, const std::vector<std::string>& overrides) {
    const Config config = parse_config("TRAIN:\n  arch: dilated\n" + keys, "f.yaml", overrides);
    return message_of<Refusal>([&] { refusing(config, [&] { return models::make_parser(model_options(config)); }); });
  };
  CHECK(message("", {"TRAIN.context_layers", "9"}).starts_with("command line: context module: 9 layers"));
  CHECK(message("  context_layers: 9\n", {}).starts_with("f.yaml:3: context module: 9 layers"));
  // A key that was not given, and one that is not in the message.
  const Config config = parse_config("TRAIN:\n  arch: dilated\n", "f.yaml");
  CHECK(place_of_message(config, "9 layers; set TRAIN.context_layers") == "f.yaml");
  CHECK(place_of_message(config, "set TRAIN.width or TRAIN.arch.") == "f.yaml:2");
  CHECK(place_of_message(config, "too small") == "f.yaml");
}

TEST_CASE("network_title: the head and what it stands on") {
  const auto title = [](const std::vector<std::string>& overrides) {
    return network_title(parse_config("DATA: {classes: 3}\n", "test.yaml", overrides));
  };
  CHECK(title({}) == "PSPNet on ResNet50");
  CHECK(title({"TRAIN.arch", "fcn8s", "TRAIN.layers", "18"}) == "FCN-8s on ResNet18");
  CHECK(title({"TRAIN.arch", "fcn8s", "TRAIN.backbone", "vgg16"}) == "FCN-8s on VGG16");
  CHECK(title({"TRAIN.arch", "segnet"}) == "SegNet");
}

TEST_CASE("parameter groups: VGG16 with its fc layers is no new layer, and fixed enlargements are not trained") {
  const auto factors_on_vgg = [](const char* upsample) {
    const Config config = parse_config(
        "DATA: {classes: 3}\n", "test.yaml",
        {"TRAIN.arch", "fcn8s", "TRAIN.backbone", "vgg16", "TRAIN.width", "0.02", "TRAIN.upsample", upsample});
    const auto model = models::make_parser(model_options(config));
    std::map<std::string, double> rates;
    for (const layers::ParameterGroup& group : parameter_groups(config, *model)) {
      for (const auto& parameter : group.parameters) rates[parameter.name] = group.rate_factor;
    }
    return rates;
  };
  auto fixed = factors_on_vgg("fixed");
  CHECK(fixed.at("conv1_1.weight") == 1);
  CHECK(fixed.at("fc6.weight") == 1);
  CHECK(fixed.at("score_fr.weight") == 10);
  CHECK(!fixed.contains("upscore2.weight"));
  auto learned = factors_on_vgg("learned");
  CHECK(learned.at("upscore2.weight") == 10);
  CHECK(learned.at("upscore_pool4.weight") == 10);
  CHECK(!learned.contains("upscore8.weight"));
}

}  // namespace
}  // namespace giza::train
