// Fully convolutional networks (Long, Shelhamer and Darrell, CVPR 2015, section 4.2) on the shared ResNet: scores of
// coarse features, enlarged step by step and added to those of finer ones.
#pragma once

#include <memory>

#include "layers/deconv2d.h"
#include "models/trunk_parser.h"

namespace giza::models {

class Fcn : public TrunkParser {
 public:
  /// Architectures "fcn32s", "fcn16s" and "fcn8s". Throws ShapeError for options that fit no network.
  explicit Fcn(const NetworkOptions& options);

 protected:
  Variable scores(const Features& features, const layers::Context& context) const override;

 private:
  /// Scores of finer features, to be added to the enlarged ones of coarser.
  struct Skip {
    std::unique_ptr<layers::Conv2d> score;
    float scale;                                // of the features
    std::unique_ptr<layers::Deconv2d> enlarge;  // null: fixed bilinear
  };
  std::unique_ptr<Skip> make_skip(int64_t channels, float scale, bool coarser);
  Variable fuse(const Variable& coarse, const Variable& features, const Skip& skip,
                const layers::Context& context) const;

  std::unique_ptr<layers::Conv2d> score_fr_;
  std::unique_ptr<Skip> pool4_, pool3_;
};

/// Rows of the factory.
Architecture fcn32s_architecture();
Architecture fcn16s_architecture();
Architecture fcn8s_architecture();

}  // namespace giza::models
