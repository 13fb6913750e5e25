// What giza verify reads and compares: a folder of references, and differences of arrays. For this folder only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/scene_parser.h"
#include "models/weights/npy.h"
#include "train/verify/verify.h"

namespace giza::train {

/// A running comparison of two arrays.
class Difference {
 public:
  void add(double ours, double theirs);
  /// |ours - theirs| / |theirs| so far; NaN if any number was.
  double relative_l2() const;
  VerifyFigure figure(std::string name, double bound) const;

 private:
  double squares_ = 0, norm_ = 0, max_abs_ = 0;
  int64_t elements_ = 0;
};
/// Of one number.
VerifyFigure figure_of(std::string name, double ours, double theirs, double bound);

/// The files of a folder of references. Throws Refusal "FOLDER/FILE: ..." for what does not fit.
class ReferenceFolder {
 public:
  explicit ReferenceFolder(std::string path);

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  bool has(const std::string& name) const;
  /// NAME.pth or NAME.safetensors; empty if neither is there. Throws Refusal if both are.
  std::string weights(const std::string& name) const;
  models::NpyArray array(const std::string& name, const std::vector<int64_t>& shape) const;
  /// Labels, each a class or ignored.
  std::vector<int32_t> labels(const std::string& name, const std::vector<int64_t>& shape, int64_t classes) const;

 private:
  std::string path_;
};

/// The shape of the labels of pictures x = [N,H,W,3]: N,H,W, or where the network gives a picture one class N, as
/// PyTorch has them.
std::vector<int64_t> label_shape(const models::SceneParser& model, const Shape& x);
/// Labels of that shape from values[begin] on.
Labels labels_of(const std::vector<int32_t>& values, size_t begin, const std::vector<int64_t>& shape);

/// x with every number moved by a random part of itself of at most `noise`: what rounding does. 0: x itself.
Tensor rounded(const Tensor& x, double noise, uint32_t trial);
/// Does the same to the model's parameters.
void round_parameters(const models::SceneParser& model, double noise, uint32_t trial);

/// Both losses in training mode; the network's dropout is off.
models::ParserLoss training_loss(const models::SceneParser& model, const Tensor& x, const Labels& labels,
                                 double aux_weight);

/// Makes the folder's network anew.
using NetworkBuilder = std::function<std::unique_ptr<models::SceneParser>()>;

/// Steps of training from the folder's weights, batch by batch. `noise` as in rounded().
void verify_steps(const ReferenceFolder& folder, const NetworkBuilder& build, double noise, Verification& result);

}  // namespace giza::train
