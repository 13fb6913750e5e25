// Effective receptive fields.
#include "train/explore/receptive_field.h"

#include <algorithm>
#include <cmath>

#include "tensor/base/check.h"
#include "train/explore/contributions.h"

namespace giza::train {

Tensor score_gradients(const std::function<models::ParserOutput(const autograd::Variable& x)>& forward,
                       const Tensor& picture, std::span<const Target> targets) {
  const autograd::Variable x(repeated(picture, static_cast<int64_t>(targets.size())), /*requires_grad=*/true);
  const models::ParserOutput output = forward(x);
  const Shape shape = output.logits.shape();  // [targets,h,w,classes]
  Tensor seed = Tensor::activation(shape);
  seed.fill(0);
  for (size_t i = 0; i < targets.size(); ++i) {
    const Target& target = targets[i];
    check(target.x >= 0 && target.x < output.width && target.y >= 0 && target.y < output.height && target.label >= 0 &&
              target.label < shape[3],
          "explore: class {} at x {}, y {} of {} classes on {} x {} pixels", target.label, target.x, target.y, shape[3],
          output.width, output.height);
    const int64_t first = static_cast<int64_t>(i) * shape[1] * shape[2];
    for (const MapWeight& at : weights_at(target.x, target.y, static_cast<int>(output.height),
                                          static_cast<int>(output.width), shape[1], shape[2], output.align_corners)) {
      seed.row(first + at.row)[target.label] = static_cast<float>(at.weight);
    }
  }
  autograd::backward(output.logits, seed);
  return x.grad();
}

ReceptiveField::ReceptiveField(const Tensor& gradient)
    : width(static_cast<int>(gradient.dim(2))), height(static_cast<int>(gradient.dim(1))) {
  magnitude.reserve(static_cast<size_t>(gradient.rows()));
  for (int64_t row = 0; row < gradient.rows(); ++row) {
    double sum = 0;
    for (int64_t c = 0; c < gradient.channels(); ++c) {
      const auto value = static_cast<double>(gradient.row(row)[c]);
      sum += value * value;
    }
    magnitude.push_back(std::sqrt(sum));
  }
}

double ReceptiveField::radius(int x, int y, double share) const {
  // A bucket for each whole number of pixels that the distance is rounded up to.
  std::vector<double> within(static_cast<size_t>(width) + static_cast<size_t>(height) + 1);
  double total = 0;
  for (int row = 0; row < height; ++row) {
    for (int column = 0; column < width; ++column) {
      const double value = magnitude[static_cast<size_t>(row) * static_cast<size_t>(width) + column];
      within[static_cast<size_t>(std::ceil(std::hypot(column - x, row - y)))] += value;
      total += value;
    }
  }
  double sum = 0;
  for (size_t radius = 0; radius < within.size() && total > 0; ++radius) {
    sum += within[radius];
    // Sums in another order may differ in their last bits.
    if (sum >= share * total * (1 - 1e-12)) return static_cast<double>(radius);
  }
  return 0;
}

std::vector<double> ReceptiveField::cells(int cell) const {
  std::vector<double> means;
  for (int top = 0; top < height; top += cell) {
    for (int left = 0; left < width; left += cell) {
      const int bottom = std::min(top + cell, height), right = std::min(left + cell, width);
      double sum = 0;
      for (int y = top; y < bottom; ++y) {
        for (int x = left; x < right; ++x) {
          sum += magnitude[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)];
        }
      }
      means.push_back(sum / ((bottom - top) * (right - left)));
    }
  }
  return means;
}

}  // namespace giza::train
