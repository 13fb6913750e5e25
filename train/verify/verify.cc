// Holding a network's numbers against another framework's.
#include "train/verify/verify.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "models/scene_parser.h"
#include "models/weights/infer.h"
#include "models/weights/naming.h"
#include "models/weights/npy.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "train/verify/reference.h"

namespace giza::train {
namespace {

using models::NpyArray;
using models::WeightFile;

constexpr double kAuxWeight = 0.4;
constexpr int kTrials = 8;             // of the sensitivity to rounding
constexpr double kSensitivities = 2;   // how many of the largest seen are allowed
constexpr double kLargestBound = 0.9;  // on gradients, however sensitive: a missing one is 1 away

/// Winograd's rounding is larger, and standard practice gives it its own bound.
struct Bounds {
  double output, gradient;
  double noise;  ///< of an input number, as a part of it, that stands for the rounding of all that follows
};
Bounds bounds_of(const ConvEngine& conv) {
  // Eigen leaves the 3x3 convolutions to the native backend.
  const bool native = conv.backend == ConvBackend::native || conv.backend == ConvBackend::eigen;
  const bool direct = !native || conv.algorithm == ConvAlgorithm::direct;
  return direct ? Bounds{1e-5, 1e-4, 0x1p-21} : Bounds{1e-4, 1e-3, 0x1p-19};
}

std::unique_ptr<models::SceneParser> build(const WeightFile& weights, const std::string& place,
                                           const ConvEngine& conv) {
  models::NetworkOptions options = models::options_from_weights(weights, place);
  options.backbone.conv = conv;
  options.dropout = 0;
  return models::build_parser(options, weights, place);
}

std::string describe(const models::SceneParser& model, const NpyArray& input) {
  int64_t numbers = 0;
  for (const auto& parameter : model.parameters()) numbers += parameter.variable.value().numel();
  const models::NetworkOptions options = model.description();
  return fmt::format("{} ({} blocks), {} classes, {:.2f} M parameters, input {}",
                     models::find_architecture(options.arch)->title, fmt::join(options.backbone.blocks, "+"),
                     options.classes, static_cast<double>(numbers) / 1e6, fmt::join(input.shape, "x"));
}

void verify_logits(const models::SceneParser& model, const Tensor& x, const NpyArray& expected, const Bounds& bounds,
                   Verification& result) {
  const Tensor logits = models::FrozenParser(model).forward(x).upsampled_logits().value();
  const NpyArray ours = models::nchw_from_activation(logits);
  Difference difference;
  double largest = 0;
  for (size_t i = 0; i < ours.data.size(); ++i) {
    difference.add(static_cast<double>(ours.data[i]), static_cast<double>(expected.data[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected.data[i])));
  }
  result.logits = difference.figure("logits", bounds.output);

  VerifyArgmax argmax{.margin_bound = bounds.output};
  const int64_t classes = ours.shape[1], area = ours.shape[2] * ours.shape[3];
  argmax.pixels = ours.shape[0] * area;
  for (int64_t pixel = 0; pixel < argmax.pixels; ++pixel) {
    const auto at = [&](const NpyArray& array, int64_t k) {
      return static_cast<double>(array.data[static_cast<size_t>((pixel / area * classes + k) * area + pixel % area)]);
    };
    int64_t mine = 0, theirs = 0;
    for (int64_t k = 1; k < classes; ++k) {
      if (at(ours, k) > at(ours, mine)) mine = k;
      if (at(expected, k) > at(expected, theirs)) theirs = k;
    }
    if (mine == theirs) continue;
    ++argmax.differing;
    argmax.largest_margin = std::max(argmax.largest_margin, (at(expected, theirs) - at(expected, mine)) / largest);
  }
  const auto allowed = std::max<int64_t>(1, static_cast<int64_t>(1e-5 * static_cast<double>(argmax.pixels)));
  argmax.passed = argmax.differing <= allowed && argmax.largest_margin <= argmax.margin_bound;
  result.argmax = argmax;
}

/// The gradient of each parameter, in PyTorch's layout.
using Gradients = std::vector<std::vector<float>>;
Gradients gradients_of(const models::SceneParser& model) {
  Gradients gradients;
  for (const auto& parameter : model.parameters()) {
    // A fixed filter has none.
    const Tensor gradient = parameter.variable.grad();
    gradients.push_back(
        models::to_pytorch_layout(gradient.defined() ? gradient : Tensor::zeros(parameter.variable.shape())));
  }
  return gradients;
}

/// How two gradients of all parameters differ.
struct Distance {
  std::vector<Difference> parameters;
  double scale = 0;  ///< |<ours, theirs> / <theirs, theirs> - 1| of all together
};

Distance distance_of(const Gradients& ours, const Gradients& theirs) {
  Distance distance;
  double product = 0, square = 0;
  for (size_t p = 0; p < ours.size(); ++p) {
    Difference difference;
    for (size_t i = 0; i < ours[p].size(); ++i) {
      const auto a = static_cast<double>(ours[p][i]), b = static_cast<double>(theirs[p][i]);
      difference.add(a, b);
      product += a * b;
      square += b * b;
    }
    distance.parameters.push_back(difference);
  }
  distance.scale = square > 0 ? std::abs(product / square - 1) : 0;
  return distance;
}

/// How far the gradients move when every number of the input and of the parameters moves by rounding: the largest of
/// kTrials. A ReLU or a maximum that is nearly a tie goes the other way by the least change and takes its share of the
/// gradient along: two correct computations in float can be percents apart.
struct Sensitivity {
  std::vector<double> relative_l2;  ///< of each parameter
  double scale = 0;                 ///< of all together
  double farthest() const { return *std::max_element(relative_l2.begin(), relative_l2.end()); }
};

Sensitivity sensitivity_of(const NetworkBuilder& build, const Tensor& x, const Labels& labels,
                           const Gradients& gradients, double noise) {
  Sensitivity largest{std::vector<double>(gradients.size())};
  for (uint32_t trial = 0; trial < kTrials; ++trial) {
    const auto model = build();
    round_parameters(*model, noise, trial);
    autograd::backward(training_loss(*model, rounded(x, noise, trial), labels, kAuxWeight).total);
    const Distance moved = distance_of(gradients_of(*model), gradients);
    for (size_t p = 0; p < gradients.size(); ++p) {
      largest.relative_l2[p] = std::max(largest.relative_l2[p], moved.parameters[p].relative_l2());
    }
    largest.scale = std::max(largest.scale, moved.scale);
  }
  return largest;
}

/// The gradients of a file in the order of the parameters.
Gradients read_gradients(const models::SceneParser& model, const std::string& place) {
  WeightFile file = models::to_semseg_names(models::read_weights(place), place);
  Gradients gradients;
  std::vector<std::string> faults;
  for (const layers::NamedParameter& parameter : model.parameters()) {
    const models::WeightTensor* tensor = file.find(parameter.name);
    const bool fits = tensor != nullptr && !is_integer(tensor->dtype) &&
                      tensor->shape == models::pytorch_shape(parameter.variable.value());
    if (!fits) faults.push_back(parameter.name);
    gradients.push_back(tensor == nullptr ? std::vector<float>() : tensor->data);
  }
  check<Refusal>(faults.empty(), "{}: {} parameters have no gradient of their shape there: {}; expected one for each",
                 place, faults.size(), fmt::join(faults, ", "));
  check<Refusal>(gradients.size() == file.tensors.size(), "{}: has {} gradients, expected those of the {} parameters",
                 place, file.tensors.size(), gradients.size());
  return gradients;
}

void verify_gradients(const NetworkBuilder& build, const models::SceneParser& model, const Tensor& x,
                      const Labels& labels, const std::string& place, const Bounds& bounds, Verification& result) {
  const Gradients ours = gradients_of(model), theirs = read_gradients(model, place);
  const Distance distance = distance_of(ours, theirs);
  Sensitivity sensitivity{std::vector<double>(ours.size())};
  // Not > anywhere, which is false for a NaN.
  const bool near = distance.scale <= bounds.gradient &&
                    std::all_of(distance.parameters.begin(), distance.parameters.end(),
                                [&](const Difference& each) { return each.relative_l2() <= bounds.gradient; });
  if (!near) {
    sensitivity = sensitivity_of(build, x, labels, ours, bounds.noise);
    result.sensitivity = sensitivity.farthest();
  }
  const auto bound = [&](double moved) { return std::clamp(kSensitivities * moved, bounds.gradient, kLargestBound); };
  const std::vector<layers::NamedParameter> parameters = model.parameters();
  int64_t elements = 0;
  for (size_t p = 0; p < parameters.size(); ++p) {
    elements += static_cast<int64_t>(ours[p].size());
    result.gradients.push_back(distance.parameters[p].figure(parameters[p].name, bound(sensitivity.relative_l2[p])));
  }
  const double allowed = bound(sensitivity.scale);
  result.gradient_scale =
      VerifyFigure{"gradient scale", elements, distance.scale, distance.scale, allowed, distance.scale <= allowed};
}

/// True if all files are there; else the missing ones are noted.
bool all_there(const ReferenceFolder& folder, std::initializer_list<const char*> names, Verification& result) {
  bool all = true;
  for (const char* name : names) {
    if (folder.has(name)) continue;
    all = false;
    if (std::find(result.absent.begin(), result.absent.end(), name) == result.absent.end())
      result.absent.emplace_back(name);
  }
  return all;
}

}  // namespace

bool Verification::passed() const {
  const auto ok = [](const std::vector<VerifyFigure>& list) {
    return std::all_of(list.begin(), list.end(), [](const VerifyFigure& figure) { return figure.passed; });
  };
  return (!logits || logits->passed) && (!argmax || argmax->passed) && ok(losses) && ok(gradients) &&
         (!gradient_scale || gradient_scale->passed) && ok(steps);
}

int64_t Verification::figures() const {
  return static_cast<int64_t>(losses.size() + gradients.size() + steps.size()) + (logits ? 1 : 0) + (argmax ? 1 : 0);
}

Verification verify_folder(const std::string& path, const ConvEngine& conv) {
  const ReferenceFolder folder(path);
  const std::string weights_path = folder.weights("weights");
  check<Refusal>(!weights_path.empty(), "{}: has neither weights.pth nor weights.safetensors, expected one of them",
                 path);
  const WeightFile weights = models::read_semseg_weights(weights_path);
  const NpyArray input = models::read_npy(folder.file("input.npy"));
  const Tensor x = models::activation_from_nchw(input, folder.file("input.npy"));
  check<Refusal>(x.channels() == 3, "{}: shape ({}), expected N,3,H,W", folder.file("input.npy"),
                 fmt::join(input.shape, ", "));
  const Bounds bounds = bounds_of(conv);
  const NetworkBuilder build_again = [&] { return build(weights, weights_path, conv); };
  const auto model = build_again();
  const int64_t classes = model->classes();

  Verification result;
  result.notes = weights.notes;
  result.network = describe(*model, input);
  if (all_there(folder, {"logits.npy"}, result)) {
    // Of whole pictures PyTorch has no map.
    std::vector<int64_t> shape = {x.dim(0), classes};
    if (!model->classifies_pictures()) shape.insert(shape.end(), {x.dim(1), x.dim(2)});
    const NpyArray expected = folder.array("logits.npy", shape);
    verify_logits(*model, x, expected, bounds, result);
  }
  const std::string grads_path = folder.weights("grads");
  if (grads_path.empty()) result.absent.emplace_back("grads.pth");
  const bool has_loss = all_there(folder, {"label.npy", "loss.npy"}, result);
  if (folder.has("label.npy") && (has_loss || !grads_path.empty())) {
    const std::vector<int64_t> shape = label_shape(*model, x.shape());
    const Labels labels = labels_of(folder.labels("label.npy", shape, classes), 0, shape);
    const models::ParserLoss loss = training_loss(*model, x, labels, kAuxWeight);
    if (has_loss) {
      const NpyArray expected = folder.array("loss.npy", {2});
      result.losses.push_back(figure_of("main loss", loss.main, static_cast<double>(expected.data[0]), bounds.output));
      if (model->description().aux) {
        result.losses.push_back(
            figure_of("auxiliary loss", loss.aux, static_cast<double>(expected.data[1]), bounds.output));
      }
    }
    if (!grads_path.empty()) {
      autograd::backward(loss.total);
      verify_gradients(build_again, *model, x, labels, grads_path, bounds, result);
    }
  }
  if (folder.has("sgd.json") && all_there(folder, {"sgd_input.npy", "sgd_label.npy", "sgd_loss.npy"}, result)) {
    verify_steps(folder, build_again, bounds.noise, result);
  }
  check<Refusal>(result.figures() > 0,
                 "{}: has no reference to hold against, expected logits.npy, loss.npy or grads.pth", path);
  return result;
}

}  // namespace giza::train
