// Effective receptive fields: how much each pixel of a picture moves a score (Luo et al., "Understanding the effective
// receptive field in deep convolutional neural networks", NIPS 2016), here of one picture and one score.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "models/scene_parser.h"

namespace giza::train {

/// A score: that of a class at a pixel.
struct Target {
  int x = 0, y = 0;
  int label = 0;
};

/// d(score)/d(picture) of each target, [targets,H,W,3]: the gradients of the logits, enlarged to the picture's size, by
/// the normalised picture [1,H,W,3]. One backward pass for all of them. forward: [N,H,W,3] -> the network's output, in
/// evaluation mode. Throws ShapeError for a target outside of the picture or the classes.
Tensor score_gradients(const std::function<models::ParserOutput(const autograd::Variable& x)>& forward,
                       const Tensor& picture, std::span<const Target> targets);

/// How far a score looks.
struct ReceptiveField {
  int width = 0, height = 0;
  std::vector<double> magnitude;  ///< per pixel, row-major: the length of its gradient, over the three channels

  /// Of a gradient [1,H,W,3].
  explicit ReceptiveField(const Tensor& gradient);
  /// The radius in pixels of the smallest disc about (x, y) with at least `share` of the sum of the magnitudes; 0 where
  /// all are 0.
  double radius(int x, int y, double share) const;
  /// The mean magnitude of squares of `cell` x `cell` pixels (those at the right and lower edge may be cut), row-major:
  /// ceil(width / cell) x ceil(height / cell).
  std::vector<double> cells(int cell) const;
};

}  // namespace giza::train
