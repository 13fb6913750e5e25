// What the pickle of a .pth says: storages, and tensors as views of them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/weights/pth/pickle.h"
#include "models/weights/weight_file.h"

namespace giza::models {

/// A kind of storage, "torch.FloatStorage"; without a dtype it may stand in a checkpoint, but not be a weight.
struct StorageType {
  std::string_view name;
  uint64_t element_bytes = 0;
  std::optional<DType> dtype;
};

/// Numbers in a row, which tensors share.
struct PthStorage {
  std::string_view key;  ///< "0", "1", ... in zips, an old address in streams; into the pickle's bytes
  const StorageType* type = nullptr;
  int64_t numel = 0;
  uint64_t bytes() const { return static_cast<uint64_t>(numel) * type->element_bytes; }
};

/// A strided view of a storage, checked to lie within it.
struct TensorView {
  static constexpr size_t kMaxRank = 8;
  uint32_t storage = 0;
  size_t rank = 0;
  int64_t offset = 0;  ///< of the first element from the storage's begin, in elements
  int64_t numel = 1;
  std::array<int64_t, kMaxRank> shape{}, strides{};
};

struct PthWeight {
  std::string_view name;
  TensorView view;
};

/// All storages of a pickle, in order of first use, and the tensors of its state_dict.
struct PthObjects {
  std::vector<PthStorage> storages;
  std::vector<PthWeight> weights;
};

/// The names that the pickle of a .pth may refer to: what torch.load(weights_only=True) allows, less sparse, quantised,
/// nested and complex tensors, which no network of giza has.
std::span<const PickleGlobal> pth_globals();

/// Checks every storage and tensor of the pickle, those beside the state_dict too, and finds the state_dict: the whole, or
/// what stands under "state_dict", "model" or "model_state_dict". All its tensors together may become at most
/// 4 * file_bytes + 1 MiB in memory: views repeated by a stride of 0 could be of any size otherwise.
/// `stream`: storages as the form before PyTorch 1.6 names them. Throws Refusal "PLACE: ...".
PthObjects read_pth_objects(const Pickle& pickle, bool stream, uint64_t file_bytes, const std::string& place);

}  // namespace giza::models
