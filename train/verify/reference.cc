// What giza verify reads and compares.
#include "train/verify/reference.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "tensor/base/check.h"
#include "tensor/random.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

constexpr int kIgnored = 255;

void check_shape(const std::string& place, const std::vector<int64_t>& shape, const std::vector<int64_t>& expected) {
  check<Refusal>(shape == expected, "{}: shape ({}), expected ({})", place, fmt::join(shape, ", "),
                 fmt::join(expected, ", "));
}

void round_numbers(const Tensor& x, double noise, Random random) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t c = 0; c < x.channels(); ++c) {
      x.row(i)[c] *= static_cast<float>(1 + noise * (2 * static_cast<double>(random.next_uniform()) - 1));
    }
  }
}

}  // namespace

void Difference::add(double ours, double theirs) {
  const double difference = ours - theirs;
  squares_ += difference * difference;
  norm_ += theirs * theirs;
  // Not std::max, which would lose a NaN.
  if (!(std::abs(difference) <= max_abs_)) max_abs_ = std::abs(difference);
  ++elements_;
}

double Difference::relative_l2() const { return squares_ == 0 ? 0 : std::sqrt(squares_ / norm_); }

VerifyFigure Difference::figure(std::string name, double bound) const {
  // passed: false for a NaN.
  return {std::move(name), elements_, relative_l2(), max_abs_, bound, relative_l2() <= bound};
}

VerifyFigure figure_of(std::string name, double ours, double theirs, double bound) {
  Difference difference;
  difference.add(ours, theirs);
  return difference.figure(std::move(name), bound);
}

ReferenceFolder::ReferenceFolder(std::string path) : path_(std::move(path)) {
  std::error_code error;
  check<Refusal>(fs::is_directory(path_, error),
                 "{}: there is no such folder, expected one with weights.pth, input.npy and what another framework "
                 "makes of them",
                 path_);
}

bool ReferenceFolder::has(const std::string& name) const {
  std::error_code error;
  return fs::exists(file(name), error);
}

std::string ReferenceFolder::weights(const std::string& name) const {
  const bool pth = has(name + ".pth"), safetensors = has(name + ".safetensors");
  check<Refusal>(!pth || !safetensors, "{}: has both {}.pth and {}.safetensors, expected one of them", path_, name,
                 name);
  if (!pth && !safetensors) return {};
  return file(name + (pth ? ".pth" : ".safetensors"));
}

models::NpyArray ReferenceFolder::array(const std::string& name, const std::vector<int64_t>& shape) const {
  models::NpyArray array = models::read_npy(file(name));
  check_shape(file(name), array.shape, shape);
  return array;
}

std::vector<int32_t> ReferenceFolder::labels(const std::string& name, const std::vector<int64_t>& shape,
                                             int64_t classes) const {
  const models::NpyIntegers array = models::read_npy_integers(file(name));
  check_shape(file(name), array.shape, shape);
  std::vector<int32_t> labels;
  labels.reserve(array.data.size());
  for (const int64_t value : array.data) {
    check<Refusal>((value >= 0 && value < classes) || value == kIgnored,
                   "{}: holds the label {}, expected 0 to {} or {}", file(name), value, classes - 1, kIgnored);
    labels.push_back(static_cast<int32_t>(value));
  }
  return labels;
}

std::vector<int64_t> label_shape(const models::SceneParser& model, const Shape& x) {
  if (model.classifies_pictures()) return {x[0]};
  return {x[0], x[1], x[2]};
}

Labels labels_of(const std::vector<int32_t>& values, size_t begin, const std::vector<int64_t>& shape) {
  Labels labels = shape.size() == 1 ? Labels(shape[0], 1, 1) : Labels(shape[0], shape[1], shape[2]);
  std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(begin), labels.values.size(), labels.values.begin());
  return labels;
}

Tensor rounded(const Tensor& x, double noise, uint32_t trial) {
  if (noise == 0) return x;
  Tensor moved = x.clone();
  round_numbers(moved, noise, Random(0, Purpose::test, 0, trial));
  return moved;
}

void round_parameters(const models::SceneParser& model, double noise, uint32_t trial) {
  if (noise == 0) return;
  uint32_t index = 0;
  for (const layers::NamedParameter& parameter : model.parameters()) {
    round_numbers(parameter.variable.value(), noise, Random(1, Purpose::test, index++, trial));
  }
}

models::ParserLoss training_loss(const models::SceneParser& model, const Tensor& x, const Labels& labels,
                                 double aux_weight) {
  return model.loss(model.forward(autograd::Variable(x), {.training = true}), labels, {}, aux_weight);
}

}  // namespace giza::train
