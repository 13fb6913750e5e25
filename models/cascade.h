// CascadeNet (Zhou et al., "Scene Parsing through ADE20K Dataset", CVPR 2017, section 4) on the shared ResNet: one head
// tells stuff, and where it sees an object, another tells which. There is no public code: the streams here are two of
// the baseline's heads, and the merge is the paper's.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "models/trunk_parser.h"

namespace giza::models {

class Cascade : public TrunkParser {
 public:
  /// Throws ShapeError for options that fit no network: object_classes must name some classes, but not all.
  explicit Cascade(const NetworkOptions& options);

  /// Cross-entropy of the stuff stream, to which all objects are one class, and of the object stream at the pixels of
  /// objects. An object class's weight goes to the object stream; in the stuff stream objects weigh their mean.
  ParserLoss loss(const ParserOutput& output, const Labels& labels, const ops::CrossEntropyOptions& options,
                  double aux_weight) const override;

 protected:
  Variable scores(const Features& features, const layers::Context& context) const override;
  void classify(const Features& features, const layers::Context& context, ParserOutput* output) const override;

 private:
  /// Weights of the classes [classes] as those of the streams; undefined if they are.
  std::pair<Tensor, Tensor> stream_weights(const Tensor& weights) const;

  std::vector<int64_t> stuff_, objects_;  // classes, ascending
  std::unique_ptr<Head> stuff_head_, object_head_;
  Tensor merge_;  // [classes,1,1,..]: from the streams' scores to those of all classes
};

/// Row of the factory.
Architecture cascade_architecture();

}  // namespace giza::models
