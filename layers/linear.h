// Fully connected layer.
#pragma once

#include "layers/module.h"

namespace giza::layers {

class Linear : public Module {
 public:
  /// Registers "weight" [out,in] and "bias" [out], uniform in +-1 / sqrt(in) as PyTorch's; their numbers are those of
  /// `random`.
  Linear(int64_t in, int64_t out, const Random& random);
  /// [N,in] -> [N,out].
  Variable forward(const Variable& x) const;

 private:
  Variable weight_, bias_;
};

}  // namespace giza::layers
