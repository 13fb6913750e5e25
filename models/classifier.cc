// Networks that give a picture one class.
#include "models/classifier.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "autograd/listener.h"
#include "models/weights/shapes.h"
#include "tensor/base/check.h"

namespace giza::models {
namespace {

/// Numbers of the vector for each channel of the map.
int64_t cells_of(const std::vector<int64_t>& bins) {
  if (bins.empty()) return 1;
  return std::accumulate(bins.begin(), bins.end(), int64_t{0}, [](int64_t sum, int64_t n) { return sum + n * n; });
}

/// y [N,K] as a label map of one pixel has its scores: [N,1,1,K].
Variable as_map(const Variable& y) {
  const Shape matrix = y.shape();
  const Tensor map = y.value().reshape({matrix[0], 1, 1, matrix[1]});
  if (autograd::heard()) autograd::announce({.name = "as_map", .inputs = {y.value()}, .output = map});
  return Variable::from_op(map, "as_map", {y},
                           [matrix](const Tensor& dy) -> std::vector<Tensor> { return {dy.reshape(matrix)}; });
}

NetworkOptions without_auxiliary_head(NetworkOptions options) {
  options.aux = false;
  return options;
}

}  // namespace

Classifier::Classifier(const NetworkOptions& options) : TrunkParser(without_auxiliary_head(options)) {
  if (options.arch == "spp") {
    bins_ = options.integers("spp_bins");
    if (options.word("spp_windows") == "adaptive") windows_ = PyramidWindows::adaptive;
  }
  fc_ = std::make_unique<layers::Linear>(trunk().channels(4) * cells_of(bins_), options.classes, build().next_random());
  add_child("fc", *fc_);
  dropout_ = {options.dropout, build().next_stream()};
}

Variable Classifier::scores(const Features& features, const layers::Context& context) const {
  const Variable vector = bins_.empty() ? autograd::flatten(autograd::adaptive_avg_pool2d(features.layer4, 1))
                                        : spatial_pyramid(features.layer4, bins_, windows_);
  return as_map(fc_->forward(dropout_.of_elements(vector, context)));
}

void Classifier::classify(const Features& features, const layers::Context& context, ParserOutput* output) const {
  output->height = output->width = 1;
  TrunkParser::classify(features, context, output);
}

namespace {

/// What fc tells: the mean of the map where it has an input for each channel, else a pyramid that others use too.
bool infer_classifier(const TensorShapes& shapes, const std::string& place, NetworkOptions* options) {
  if (!shapes.any("fc.") || shapes.any("cls.")) return false;
  options->aux = false;
  options->backbone.output_stride = 32;  // as everybody's, but for those who describe their networks
  options->classes = shapes.channels({"fc"});
  const int64_t inputs = shapes.inputs("fc.weight"), channels = options->backbone.out_channels();
  options->arch = "classifier";
  if (inputs == channels || inputs == 0) return true;
  options->arch = "spp";
  for (const std::vector<int>& bins : {std::vector<int>{6, 3, 2, 1}, {4, 3, 2, 1}, {4, 2, 1}, {3, 2, 1}}) {
    if (inputs != channels * cells_of({bins.begin(), bins.end()})) continue;
    options->settings["spp_bins"] = bins;
    return true;
  }
  throw Refusal(
      fmt::format("{}: fc.weight has {} inputs for {} channels, expected one for each, or those of the "
                  "pyramids 6, 3, 2, 1, or 4, 3, 2, 1, or 4, 2, 1, or 3, 2, 1, or a description of the "
                  "network in the metadata",
                  place, inputs, channels));
}

}  // namespace

Architecture classifier_architecture() {
  return {.name = "classifier",
          .title = "Classifier",
          .doc = "one class for a whole picture, by the mean of the last map",
          .settings = {},
          .heads = {"fc."},
          .make = make_network<Classifier>,
          .infer = infer_classifier,
          .output_stride = 32,
          .whole_picture = true};
}

Architecture spp_architecture() {
  return {
      .name = "spp",
      .title = "SPP-net",
      .doc = "one class for a whole picture, by its maxima in a pyramid of windows",
      .settings = {{.name = "spp_bins",
                    .standard = std::vector<int>{6, 3, 2, 1},
                    .min = 1,
                    .max = 64,
                    .doc = "sides of the grids of windows"},
                   {.name = "spp_windows",
                    .standard = "strided",
                    .choices = "strided|adaptive",
                    .doc = "strided: windows of ceil(side / n) that lie floor(side / n) apart, as the paper trains; "
                           "adaptive: windows that cover every map, as the authors' code tests"}},
      .heads = {"fc."},
      .make = make_network<Classifier>,
      .infer = nullptr,
      .whole_picture = true};
}

}  // namespace giza::models
