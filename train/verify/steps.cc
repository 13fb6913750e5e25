// Steps of training held against another framework's.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/weights/metadata_json.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"
#include "train/optim/poly_lr.h"
#include "train/optim/sgd.h"
#include "train/verify/reference.h"

namespace giza::train {
namespace {

constexpr double kStepBound = 1e-3;
constexpr double kStepSensitivities = 2;   // how many of the largest seen are allowed
constexpr double kLargestStepBound = 0.1;  // however sensitive
constexpr uint32_t kStepTrials = 4;

/// The steps of a folder.
struct Steps {
  double base_lr = 0, power = 0, aux_weight = 0, new_layer_factor = 1;
  int64_t total = 0;  ///< iterations of the schedule
  SgdConfig sgd;
  std::vector<Tensor> inputs;
  std::vector<Labels> labels;
};

void read_schedule(const std::string& place, Steps& steps) {
  try {
    std::ifstream stream(place);
    const auto json = nlohmann::json::parse(stream);
    json.at("base_lr").get_to(steps.base_lr);
    json.at("iterations").get_to(steps.total);
    json.at("power").get_to(steps.power);
    json.at("aux_weight").get_to(steps.aux_weight);
    json.at("momentum").get_to(steps.sgd.momentum);
    json.at("weight_decay").get_to(steps.sgd.weight_decay);
    json.at("new_layer_lr").get_to(steps.new_layer_factor);
  } catch (const nlohmann::json::exception& error) {
    throw Refusal(
        fmt::format("{}: {}; expected an object of numbers base_lr, iterations, power, momentum, weight_decay, "
                    "new_layer_lr and aux_weight",
                    place, quotable(models::json_fault(error), 200)));
  }
  check<Refusal>(steps.total >= 1, "{}: {} iterations, expected 1 or more", place, steps.total);
}

Steps read_steps(const ReferenceFolder& folder, const models::SceneParser& model) {
  Steps steps;
  read_schedule(folder.file("sgd.json"), steps);
  const std::string place = folder.file("sgd_input.npy");
  const models::NpyArray input = models::read_npy(place);
  const std::vector<int64_t>& shape = input.shape;
  check<Refusal>(shape.size() == 5 && shape[2] == 3 && !input.data.empty(), "{}: shape ({}), expected steps,N,3,H,W",
                 place, fmt::join(shape, ", "));
  const std::vector<int64_t> of_step = label_shape(model, {shape[1], shape[3], shape[4], shape[2]});
  std::vector<int64_t> of_all = {shape[0]};
  of_all.insert(of_all.end(), of_step.begin(), of_step.end());
  const auto labels = folder.labels("sgd_label.npy", of_all, model.classes());
  const auto numbers = static_cast<std::ptrdiff_t>(input.data.size()) / shape[0];
  for (int64_t t = 0; t < shape[0]; ++t) {
    const auto begin = input.data.begin() + t * numbers;
    const models::NpyArray batch{{shape.begin() + 1, shape.end()}, {begin, begin + numbers}};
    steps.inputs.push_back(models::activation_from_nchw(batch, place));
    steps.labels.push_back(
        labels_of(labels, static_cast<size_t>(t) * labels.size() / static_cast<size_t>(shape[0]), of_step));
  }
  return steps;
}

/// Main and auxiliary loss of each step, before its update.
std::vector<double> train(const models::SceneParser& model, const Steps& steps, double noise, uint32_t trial) {
  round_parameters(model, noise, trial);
  Sgd optimizer(model.parameter_groups(steps.new_layer_factor), steps.sgd);
  std::vector<double> losses;
  for (size_t t = 0; t < steps.inputs.size(); ++t) {
    optimizer.zero_grad();
    const models::ParserLoss loss =
        training_loss(model, rounded(steps.inputs[t], noise, trial), steps.labels[t], steps.aux_weight);
    autograd::backward(loss.total);
    optimizer.step(poly_lr(steps.base_lr, static_cast<int64_t>(t), steps.total, steps.power));
    losses.insert(losses.end(), {loss.main, loss.aux});
  }
  return losses;
}

/// The largest relative difference.
double farthest(const std::vector<double>& losses, const std::vector<double>& theirs) {
  double largest = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    if (theirs[i] != 0) largest = std::max(largest, std::abs(losses[i] / theirs[i] - 1));
  }
  return largest;
}

}  // namespace

void verify_steps(const ReferenceFolder& folder, const NetworkBuilder& build, double noise, Verification& result) {
  const auto model = build();
  const Steps steps = read_steps(folder, *model);
  const auto count = static_cast<int64_t>(steps.inputs.size());
  const models::NpyArray expected = folder.array("sgd_loss.npy", {count, 2});
  const std::vector<double> losses = train(*model, steps, 0, 0), theirs(expected.data.begin(), expected.data.end());
  double bound = kStepBound;
  if (const double distance = farthest(losses, theirs); distance > bound) {
    double sensitivity = 0;
    for (uint32_t trial = 0; trial < kStepTrials && kStepSensitivities * sensitivity < distance; ++trial) {
      sensitivity = std::max(sensitivity, farthest(train(*build(), steps, noise, trial), losses));
    }
    result.step_sensitivity = sensitivity;
    bound = std::clamp(kStepSensitivities * sensitivity, bound, kLargestStepBound);
  }
  for (size_t i = 0; i < losses.size(); ++i) {
    const bool main = i % 2 == 0;
    if (!main && !model->description().aux) continue;
    result.steps.push_back(
        figure_of(fmt::format("step {} {} loss", i / 2 + 1, main ? "main" : "auxiliary"), losses[i], theirs[i], bound));
  }
}

}  // namespace giza::train
