// L2 norm with a learned gain per channel.
#pragma once

#include "layers/module.h"

namespace giza::layers {

/// Liu et al., "ParseNet", 2015, section 3.3.
class L2Norm : public Module {
 public:
  /// Registers "weight" [channels], the gain, `gain` at the start.
  L2Norm(int64_t channels, float gain);
  /// [..,channels] -> the same: the gain times the pixel's features at length 1.
  Variable forward(const Variable& x) const;

 private:
  Variable weight_;
};

}  // namespace giza::layers
