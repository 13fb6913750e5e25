// The context module of Yu and Koltun ("Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016, section 3
// and Table 1): convolutions whose dilation doubles, on maps of class scores. The map keeps its size.
#pragma once

#include <memory>
#include <vector>

#include "models/resnet.h"

namespace giza::models {

struct ContextOptions {
  int64_t classes = 0;
  bool large = false;  ///< channels C, 2C, 4C, 8C, 16C, 32C from layer to layer instead of C throughout
  int64_t layers = 8;  ///< 7, 8 or 10: the largest dilation is 8, 16 (the paper's), or 64 (the authors' Cityscapes net)
  bool identity = true;  ///< starts as eq. 4 or 5; else N(0, 0.01)
};

class ContextModule {
 public:
  /// Throws ShapeError for another number of layers.
  ContextModule(const ContextOptions& options, Build& build);
  /// scores [N,h,w,classes] -> the same shape. max(., 0) after all layers but the last.
  Variable forward(const Variable& scores, const layers::Context& context) const;

  struct Layer {
    std::string name;  ///< the authors': ctx_conv1_1, .., ctx_fc1, ctx_final
    std::unique_ptr<layers::Conv2d> conv;
  };
  /// To be registered by the model.
  const std::vector<Layer>& layers() const { return layers_; }

 private:
  std::vector<Layer> layers_;
};

}  // namespace giza::models
