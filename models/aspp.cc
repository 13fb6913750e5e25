// Atrous spatial pyramid pooling.
#include "models/aspp.h"

#include "models/multi_scale.h"
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

Aspp::Aspp(const NetworkOptions& options) : TrunkParser(options), multi_scale_(options.flag("aspp_msc")) {
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

ParserOutput Aspp::forward(const Variable& x, const layers::Context& context) const {
  ParserOutput output = TrunkParser::forward(x, context);
  if (!multi_scale_) return output;
  const int64_t height = output.logits.value().dim(1), width = output.logits.value().dim(2);
  if (context.training) output.streams.push_back(output.logits);
  for (const InputScale scale : kInputScales) {
    const Variable small = at_scale(x, scale, output.align_corners);
    const Variable own = scores(trunk_features(small, context, nullptr), context);
    if (context.training) output.streams.push_back(own);
    output.logits =
        autograd::maximum(output.logits, autograd::resize_bilinear(own, height, width, output.align_corners));
  }
  return output;
}

ParserLoss Aspp::loss(const ParserOutput& output, const Labels& labels, const ops::CrossEntropyOptions& options,
                      double aux_weight) const {
  if (output.streams.empty()) return TrunkParser::loss(output, labels, options, aux_weight);
  check_labels(output, labels);
  const auto loss_of = [&](const Variable& logits) {
    return autograd::cross_entropy(logits, resized_labels(labels, logits.value().dim(1), logits.value().dim(2)),
                                   options);
  };
  ParserLoss loss;
  loss.total = loss_of(output.logits);
  for (const Variable& stream : output.streams) loss.total = autograd::add(loss.total, loss_of(stream));
  loss.main = static_cast<double>(loss.total.value().item());
  add_auxiliary_loss(output, labels, options, aux_weight, &loss);
  count_right(output, labels, options.ignore_label, &loss);
  return loss;
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
          .settings = {aspp_rates_setting(),
                       {.name = "aspp_msc",
                        .standard = false,
                        .doc = "see the input at scales 0.5 and 0.75, too, and take each class's largest score (MSC)",
                        .added = true}},
          .heads = {"aspp.", "aux."},
          .make = make_network<Aspp>,
          .infer = infer_aspp};
}

}  // namespace giza::models
