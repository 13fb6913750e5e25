// The names and shapes of a file's tensors, from which a network is inferred.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/weights/weight_file.h"

namespace giza::models {

/// Shapes by name. `file` must outlive it.
class TensorShapes {
 public:
  explicit TensorShapes(const WeightFile& file);

  /// Channels that come out of the modules below these paths: what most of their tensors say, for one that is missing
  /// or misshaped is to be refused by its own name. Each path is that of a convolution or a batch norm. 0 if none is
  /// there.
  int64_t channels(const std::vector<std::string>& paths) const;
  /// Channels that go into a convolution, weight [K,C,R,S], or a fully connected layer, [K,C]; 0 without it.
  int64_t inputs(const char* name) const;
  /// True if the blocks are bottlenecks, of three convolutions instead of two.
  bool bottlenecks() const;
  /// What bottlenecks that giza has not are called, with what it has; empty for its own. A ResNeXt's second convolution
  /// has groups, a wide ResNet's first two have more than a quarter of the block's channels.
  std::string foreign_bottlenecks() const;
  /// How many numbers stand right after the prefix in names: one more than the largest, if hardly any before it lacks.
  int64_t count(const std::string& prefix) const;
  /// True if any name begins so.
  bool any(const std::string& prefix) const;

 private:
  std::map<std::string, const std::vector<int64_t>*> shapes_;
};

}  // namespace giza::models
