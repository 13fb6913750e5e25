// Storages and tensors in the pickle of a .pth: tensors are views of storages.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/weights/pth/pickle.h"
#include "models/weights/weight_file.h"
#include "tensor/base/check.h"

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

/// All storages of a pickle, and its tensors on demand.
class PthTensors {
 public:
  using Ref = Pickle::Ref;

  /// Finds the storages, and checks every tensor that torch.save could have written. Throws Refusal "PLACE: ...".
  PthTensors(const Pickle& pickle, bool stream, uint64_t file_bytes, const std::string& place);

  /// In order of first use.
  const std::vector<PthStorage>& storages() const { return storages_; }
  /// True for a call that makes a tensor, whether or not it can be read.
  bool is_tensor(Ref ref) const;
  /// The type of a tensor's numbers; nullopt for one that cannot be read, or whose type giza does not have.
  std::optional<DType> dtype_of(Ref tensor) const;
  /// The tensor `name` and its type. Throws Refusal "PLACE: ..." for one that cannot be read, saying of what kind it
  /// is.
  std::pair<TensorView, DType> read(Ref tensor, std::string_view name) const;
  /// What a value that is no tensor is, for a message: "an integer", "a sparse tensor (made by ...)".
  std::string describe(Ref ref) const;
  /// True for what was a tensor to PyTorch or NumPy, but is opaque here.
  bool was_tensor(Ref ref) const;

 private:
  /// A persistent id: the whole of a storage, or a part of it (files before PyTorch 0.4 have such).
  struct Part {
    Ref ref = 0;
    uint32_t storage = 0;
    int64_t begin = 0, numel = 0;
  };
  /// The innermost call that makes a tensor, with its arguments.
  struct Making {
    std::string_view function;
    std::vector<Ref> fields;
    const Part* part = nullptr;   ///< what it is a view of; null for what is no storage
    uint64_t element_bytes = 0;   ///< of the tensor; 0 for an unknown type
    std::optional<DType> dtype;   ///< nullopt for a type that giza does not have
    std::string_view type_name;   ///< for messages
    std::optional<Ref> metadata;  ///< bits for a conjugate or negated view
  };

  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> format, Args&&... args) const;
  int64_t size_at(Ref ref, const char* what) const;
  void add_storage(Ref ref);
  void narrow(Ref ref, Part* part) const;
  /// Nullopt for what torch.save does not write so.
  std::optional<Making> making_of(Ref tensor) const;
  TensorView view_of(const Making& making) const;
  size_t read_sizes(Ref ref, const char* what, std::array<int64_t, TensorView::kMaxRank>* sizes) const;

  const Pickle& pickle_;
  bool stream_;
  uint64_t file_bytes_;
  const std::string& place_;
  std::vector<PthStorage> storages_;
  std::unordered_map<std::string_view, uint32_t> by_key_;
  std::vector<Part> parts_;  // in the order of ref
};

}  // namespace giza::models
