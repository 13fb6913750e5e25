// CascadeNet.
#include "models/cascade.h"

#include <algorithm>
#include <array>

#include "models/weights/shapes.h"
#include "tensor/base/check.h"

namespace giza::models {

using layers::Context;

namespace {

/// The options of a head for so many classes.
NetworkOptions with_classes(NetworkOptions options, size_t classes) {
  options.classes = static_cast<int64_t>(classes);
  return options;
}

/// The weight of a 1x1 convolution from [stuff classes, "object", object classes, the largest of these] to all classes:
/// a stuff class has its score; an object class that of "object", less what it lacks to the likeliest object. So the
/// likeliest class is the stuff stream's, or where "object" wins, the object stream's.
Tensor merge_weight(const std::vector<int64_t>& stuff, const std::vector<int64_t>& objects) {
  const auto s = static_cast<int64_t>(stuff.size()), o = static_cast<int64_t>(objects.size());
  Tensor weight = Tensor::zeros({s + o, 1, 1, s + 1 + o + 1});
  for (int64_t i = 0; i < s; ++i) weight.row(stuff[static_cast<size_t>(i)])[i] = 1;
  for (int64_t i = 0; i < o; ++i) {
    float* row = weight.row(objects[static_cast<size_t>(i)]);
    row[s] = row[s + 1 + i] = 1;
    row[s + 1 + o] = -1;
  }
  return weight;
}

}  // namespace

Cascade::Cascade(const NetworkOptions& options) : TrunkParser(options) {
  objects_ = options.integers("object_classes");
  std::sort(objects_.begin(), objects_.end());
  const auto count = static_cast<int64_t>(objects_.size());
  check(count > 0 && count < options.classes && objects_.front() >= 0 && objects_.back() < options.classes &&
            std::adjacent_find(objects_.begin(), objects_.end()) == objects_.end(),
        "cascade: object_classes must name some of the {} classes, from 0 to {}, each once, but not all; set "
        "TRAIN.object_classes",
        options.classes, options.classes - 1);
  for (int64_t c = 0; c < options.classes; ++c) {
    if (!std::binary_search(objects_.begin(), objects_.end(), c)) stuff_.push_back(c);
  }
  const int64_t features = trunk().channels(4);
  stuff_head_ = std::make_unique<Head>(features, options.head(), with_classes(options, stuff_.size() + 1), build());
  object_head_ = std::make_unique<Head>(features, options.head(), with_classes(options, objects_.size()), build());
  merge_ = merge_weight(stuff_, objects_);
  add_child("stuff", *stuff_head_);
  add_child("object", *object_head_);
  add_auxiliary_head();
}

void Cascade::classify(const Features& features, const Context& context, ParserOutput* output) const {
  output->streams = {stuff_head_->forward(features.layer4, {}, context),
                     object_head_->forward(features.layer4, {}, context)};
  const Variable largest = autograd::max_channels(output->streams[1]);
  const Variable all = autograd::concat_channels(std::array{output->streams[0], output->streams[1], largest});
  output->logits = autograd::conv2d(all, Variable(merge_), {}, {.engine = options().backbone.conv});
}

Variable Cascade::scores(const Features& features, const Context& context) const {
  ParserOutput output;
  classify(features, context, &output);
  return output.logits;
}

ParserLoss Cascade::loss(const ParserOutput& output, const Labels& labels, const ops::CrossEntropyOptions& options,
                         double aux_weight) const {
  check(labels.h == output.height && labels.w == output.width, "loss: labels of {}x{} for an input of {}x{}", labels.h,
        labels.w, output.height, output.width);
  // From a class to its place in the streams.
  const auto objects = static_cast<int32_t>(stuff_.size());
  std::vector<int32_t> stuff_place(static_cast<size_t>(classes()), objects),
      object_place(stuff_place.size(), options.ignore_label);
  for (size_t i = 0; i < stuff_.size(); ++i) stuff_place[static_cast<size_t>(stuff_[i])] = static_cast<int32_t>(i);
  for (size_t i = 0; i < objects_.size(); ++i) object_place[static_cast<size_t>(objects_[i])] = static_cast<int32_t>(i);
  Labels of_stuff = labels, of_objects = labels;
  for (size_t i = 0; i < labels.values.size(); ++i) {
    const int32_t label = labels.values[i];
    // What is neither a class nor ignored stays, for the loss to refuse with its place.
    if (label < 0 || label >= classes() || label == options.ignore_label) continue;
    of_stuff.values[i] = stuff_place[static_cast<size_t>(label)];
    of_objects.values[i] = object_place[static_cast<size_t>(label)];
  }
  const auto loss_of = [&](const Variable& logits, const Labels& truth, const Tensor& weights) {
    return autograd::upsample_cross_entropy(logits, truth, output.align_corners,
                                            {.ignore_label = options.ignore_label, .class_weights = weights});
  };
  const auto [stuff_weights, object_weights] = stream_weights(options.class_weights);
  const Variable stuff = loss_of(output.streams[0], of_stuff, stuff_weights).loss;
  const Variable object = loss_of(output.streams[1], of_objects, object_weights).loss;
  ParserLoss loss;
  loss.total = autograd::add(stuff, object);
  loss.main = static_cast<double>(loss.total.value().item());
  add_auxiliary_loss(output, labels, options, aux_weight, &loss);
  count_right(output, labels, options.ignore_label, &loss);
  return loss;
}

std::pair<Tensor, Tensor> Cascade::stream_weights(const Tensor& weights) const {
  if (!weights.defined()) return {};
  Tensor stuff = Tensor::empty({static_cast<int64_t>(stuff_.size()) + 1}),
         object = Tensor::empty({static_cast<int64_t>(objects_.size())});
  for (size_t i = 0; i < stuff_.size(); ++i) stuff.data()[i] = weights.data()[stuff_[i]];
  double sum = 0;
  for (size_t i = 0; i < objects_.size(); ++i) {
    object.data()[i] = weights.data()[objects_[i]];
    sum += static_cast<double>(object.data()[i]);
  }
  stuff.data()[stuff_.size()] = static_cast<float>(sum / static_cast<double>(objects_.size()));
  return {stuff, object};
}

namespace {

/// Which classes are objects stands in the description alone; without one there is no telling.
bool infer_cascade(const TensorShapes& shapes, const std::string& place, NetworkOptions* /*options*/) {
  check<Refusal>(
      !shapes.any("stuff."),
      "{}: is a CascadeNet, whose object classes stand in what giza writes beside the weights, which this file "
      "lacks; expected a file of giza's",
      place);
  return false;
}

}  // namespace

Architecture cascade_architecture() {
  return {.name = "cascade",
          .title = "CascadeNet",
          .doc = "one head for stuff and \"object\", one for which object",
          .settings = {{.name = "object_classes",
                        .standard = std::vector<int>{},
                        .min = 0,
                        .max = 255,
                        .doc = "indices of the classes that are objects, for cascade"}},
          .heads = {"stuff.", "object.", "aux."},
          .make = make_network<Cascade>,
          .infer = infer_cascade};
}

}  // namespace giza::models
