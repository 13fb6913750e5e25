// What the pickle of a .pth says: which of its tensors are the weights.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/weights/pth/pickle.h"
#include "models/weights/pth/tensors.h"
#include "models/weights/weight_file.h"

namespace giza::models {

/// The numbers of a weight: a view, and their type.
struct PthWeight {
  std::string_view name;
  TensorView view;
  DType dtype = DType::f32;
};

/// All storages of a pickle, in order of first use, and the tensors of its state_dict.
struct PthObjects {
  std::vector<PthStorage> storages;
  std::vector<PthWeight> weights;
  std::vector<std::string> notes;  ///< what was left out (WeightFile::notes)
};

/// The names that the pickle of a .pth may refer to: what torch.load(weights_only=True) allows, less sparse, quantised,
/// nested and complex tensors, which no network of giza has. All else is opaque.
std::span<const PickleGlobal> pth_globals();

/// Checks every storage and tensor of the pickle, those beside the state_dict too, and finds the state_dict: the whole,
/// what stands under "state_dict", "model" or "model_state_dict", or else the one dict with tensors that there is. What
/// is no tensor is left out; what might be one but cannot be read is refused by name. All tensors together may become
/// at most most_bytes_in_memory(file_bytes). `stream`: storages as the form before PyTorch 1.6 names them. Throws
/// Refusal "PLACE: ...".
PthObjects read_pth_objects(const Pickle& pickle, bool stream, uint64_t file_bytes, const std::string& place);

}  // namespace giza::models
