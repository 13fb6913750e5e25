// Trunk and auxiliary head.
#include "models/trunk_parser.h"

#include "models/weights/shapes.h"
#include "tensor/base/check.h"

namespace giza::models {

TrunkParser::TrunkParser(const NetworkOptions& options, bool skips)
    : options_(options), skips_(skips), build_(options.build()) {
  check(options.classes >= 1, "{}: {} classes", options.arch, options.classes);
  trunk_ = std::make_unique<Resnet>(options.backbone, build_);
  for (int i = 0; i < 5; ++i) add_child("layer" + std::to_string(i), trunk_->stage(i));
}

void TrunkParser::add_auxiliary_head() {
  if (!options_.aux) return;
  aux_ = std::make_unique<Head>(trunk_->channels(3), options_.auxiliary_head(), options_, build_);
  add_child("aux", *aux_);
}

ParserOutput TrunkParser::forward(const Variable& x, const layers::Context& context) const {
  ParserOutput output = output_for(x, options_);
  classify(trunk_features(x, context, &output), context, &output);
  return output;
}

TrunkParser::Features TrunkParser::trunk_features(const Variable& x, const layers::Context& context,
                                                  ParserOutput* output) const {
  // What the head does not look at is free as soon as the next stage has read it.
  Features features;
  Variable y = trunk_->to_layer2(x, context);
  if (skips_) features.layer2 = y;
  y = trunk_->layer3(y, context);
  if (skips_) features.layer3 = y;
  // The auxiliary head before layer4: the sweep then comes to it after layer4, whose activations are free by then.
  if (aux_ && context.training && output != nullptr) output->aux = aux_->forward(y, {}, context);
  features.layer4 = trunk_->layer4(y, context);
  return features;
}

void TrunkParser::classify(const Features& features, const layers::Context& context, ParserOutput* output) const {
  output->logits = scores(features, context);
}

void infer_auxiliary_head(const TensorShapes& shapes, NetworkOptions* options) {
  options->aux = shapes.any("aux.");
  if (options->aux) options->aux_channels = shapes.channels({"aux.0", "aux.1"});
}

}  // namespace giza::models
