// Atrous spatial pyramid pooling.
#include "models/aspp.h"

#include "models/weights/shapes.h"
#include "tensor/base/check.h"

namespace giza::models {

std::vector<int64_t> aspp_rates(const NetworkOptions& options, std::vector<int64_t> standard) {
  std::vector<int64_t> rates = options.integers("aspp_rates");
  if (rates.empty()) rates = std::move(standard);
  for (const int64_t rate : rates) check(rate >= 1, "{}: a dilation of {}", options.arch, rate);
  return rates;
}

SettingRow aspp_rates_setting() {
  return {.name = "aspp_rates",
          .standard = std::vector<int>{},
          .min = 1,
          .max = 256,
          .doc = "dilations of the branches; empty: 6, 12, 18, 24 in aspp, 12, 24, 36 in deeplabv3"};
}

Aspp::Aspp(const NetworkOptions& options) : TrunkParser(options) {
  for (const int64_t rate : aspp_rates(options, {6, 12, 18, 24})) {
    branches_.push_back(
        build().make_conv({.in = trunk().channels(4), .out = options.classes, .kernel = 3, .dilation = rate},
                          layers::Init::normal(0.01)));
    add_child(fmt::format("aspp.c{}", branches_.size() - 1), *branches_.back());
  }
  add_auxiliary_head();
}

Variable Aspp::scores(const Features& features, const layers::Context& context) const {
  Variable sum = branches_.front()->forward(features.layer4, context);
  for (size_t i = 1; i < branches_.size(); ++i) {
    sum = autograd::add(sum, branches_[i]->forward(features.layer4, context));
  }
  return sum;
}

namespace {

bool infer_aspp(const TensorShapes& shapes, const std::string& place, NetworkOptions* options) {
  const int64_t count = shapes.count("aspp.c");
  if (count == 0) return false;
  check<Refusal>(
      count == 4,
      "{}: the pyramid has {} branches whose dilations the file does not tell; expected 4, or a description of "
      "the network in the metadata",
      place, count);
  options->arch = "aspp";
  options->classes = shapes.channels({"aspp.c0", "aspp.c1", "aspp.c2", "aspp.c3"});
  infer_auxiliary_head(shapes, options);
  return true;
}

}  // namespace

Architecture aspp_architecture() {
  return {.name = "aspp",
          .title = "DeepLab v2 (ASPP)",
          .doc = "sum of convolutions of several dilations",
          .settings = {aspp_rates_setting()},
          .heads = {"aspp.", "aux."},
          .make = make_network<Aspp>,
          .infer = infer_aspp};
}

}  // namespace giza::models
