// The state of a Module as named tensors in PyTorch's layout, and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "layers/module.h"
#include "models/weights/safetensors.h"

namespace giza::models {

/// Weights [K,R,S,C] become [K,C,R,S]; each running_var is followed by the scalar num_batches_tracked, as in PyTorch.
WeightFile state_dict(const layers::Module& module, int64_t batches_tracked = 0);

/// Prefix of the optimiser's tensors in a checkpoint, which are no part of a state_dict.
inline constexpr std::string_view kMomentumPrefix = "optim.";
/// Beneath it, where a checkpoint's own weights are an average: those that the training goes on from.
inline constexpr std::string_view kStepPrefix = "optim.weights.";

struct LoadOptions {
  /// The auxiliary head may be in one of model and file only: it is used in training alone.
  bool aux_optional = true;
  /// What is not the backbone's may be missing, and is skipped where shapes differ (other classes): those layers keep
  /// their initial weights.
  bool backbone_only = false;
  /// The module was made from what the file itself tells: no configuration can have caused what does not fit.
  bool told_by_file = false;
};

/// Throws Refusal "PLACE: ..." naming the tensors whose numbers no sound network has: NaN, infinity, a running variance
/// below zero. `momentum`: looks at the optimiser's tensors, which are passed over otherwise.
void check_numbers(const WeightFile& file, const std::string& place, bool momentum = false);

/// Copies `file`'s tensors, which have semseg's names (naming.h), into the module. num_batches_tracked may be absent,
/// and the momentum of a checkpoint is passed over. Throws Refusal "PLACE: ..." with the likely cause and the missing,
/// extra and misshaped names, or as check_numbers, with the module unchanged. Returns the module's tensors that the
/// options let keep their numbers.
std::vector<std::string> load_state_dict(const layers::Module& module, const WeightFile& file, const std::string& place,
                                         const LoadOptions& options = {});

/// [K,R,S,C] -> [K,C,R,S], and other ranks as they are: the shape of one tensor, and its floats densely.
std::vector<int64_t> pytorch_shape(const Tensor& tensor);
std::vector<float> to_pytorch_layout(const Tensor& tensor);
/// The way back, into `tensor`.
void from_pytorch_layout(const std::vector<float>& data, const Tensor& tensor);

}  // namespace giza::models
