// Dropout as a layer.
#pragma once

#include "layers/module.h"

namespace giza::layers {

/// In training, factors of 0 (probability p) or 1 / (1 - p), others in each iteration; in evaluation, x itself.
class Dropout {
 public:
  Dropout() = default;
  /// `stream` numbers the layer within its model, so that no two share a mask.
  Dropout(float p, uint32_t stream) : p_(p), stream_(stream) {}

  /// A factor for each element.
  Variable of_elements(const Variable& x, const Context& context) const;
  /// A factor for each channel of a picture. x [N,H,W,C].
  Variable of_channels(const Variable& x, const Context& context) const;

 private:
  Random random(const Context& context) const;

  float p_ = 0;
  uint32_t stream_ = 0;
};

}  // namespace giza::layers
