// Storages and tensors in the pickle of a .pth: tensors are views of storages.
#include "models/weights/pth/tensors.h"

#include <algorithm>

#include "tensor/base/text.h"

namespace giza::models {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 48;  // beyond any memory; products of sizes stay far from overflow
constexpr size_t kMaxKey = 64;

constexpr std::array kStorageTypes = {
    StorageType{"torch.FloatStorage", 4, DType::f32}, StorageType{"torch.HalfStorage", 2, DType::f16},
    StorageType{"torch.BFloat16Storage", 2, DType::bf16}, StorageType{"torch.DoubleStorage", 8, DType::f64},
    StorageType{"torch.LongStorage", 8, DType::i64}, StorageType{"torch.IntStorage", 4, DType::i32},
    StorageType{"torch.ShortStorage", 2, DType::i16}, StorageType{"torch.CharStorage", 1, DType::i8},
    StorageType{"torch.ByteStorage", 1, DType::u8}, StorageType{"torch.BoolStorage", 1, DType::boolean},
    // Bytes, for types that came after there were storages of each (_rebuild_tensor_v3 says which).
    StorageType{"torch.storage.UntypedStorage", 1, {}},
    // Of tensors that giza does not read, which may stand beside the weights.
    StorageType{"torch.ComplexFloatStorage", 8, {}}, StorageType{"torch.ComplexDoubleStorage", 16, {}},
    StorageType{"torch.QInt8Storage", 1, {}}, StorageType{"torch.QUInt8Storage", 1, {}},
    StorageType{"torch.QInt32Storage", 4, {}}, StorageType{"torch.QUInt4x2Storage", 1, {}},
    StorageType{"torch.QUInt2x4Storage", 1, {}}};

/// The types that _rebuild_tensor_v3 names.
constexpr std::array kTypes = {
    StorageType{"torch.float32", 4, DType::f32},   StorageType{"torch.float16", 2, DType::f16},
    StorageType{"torch.bfloat16", 2, DType::bf16}, StorageType{"torch.float64", 8, DType::f64},
    StorageType{"torch.int64", 8, DType::i64},     StorageType{"torch.int32", 4, DType::i32},
    StorageType{"torch.int16", 2, DType::i16},     StorageType{"torch.int8", 1, DType::i8},
    StorageType{"torch.uint64", 8, DType::u64},    StorageType{"torch.uint32", 4, DType::u32},
    StorageType{"torch.uint16", 2, DType::u16},    StorageType{"torch.uint8", 1, DType::u8},
    StorageType{"torch.bool", 1, DType::boolean}};

template <size_t kCount>
const StorageType* find_type(const std::array<StorageType, kCount>& types, std::string_view name) {
  const auto* found =
      std::find_if(types.begin(), types.end(), [&](const StorageType& candidate) { return candidate.name == name; });
  return found == types.end() ? nullptr : found;
}

/// What foreign makers of tensors make, and how to save it otherwise.
struct ForeignTensor {
  std::string_view maker, what, remedy;
};
constexpr std::array kForeignTensors = {
    ForeignTensor{"_rebuild_sparse", "a sparse tensor", "tensor.to_dense()"},
    ForeignTensor{"_rebuild_qtensor", "a quantized tensor", "tensor.dequantize()"},
    ForeignTensor{"_rebuild_nested", "a nested tensor", "its tensors one by one"},
    ForeignTensor{"_rebuild_meta", "a tensor of the device meta, which has no numbers", "the weights themselves"},
    ForeignTensor{"multiarray._reconstruct", "an array of NumPy", "torch.as_tensor(array)"},
    ForeignTensor{"numeric._frombuffer", "an array of NumPy", "torch.as_tensor(array)"},
    ForeignTensor{"_rebuild_", "a tensor of a kind of its own", "tensor.detach().clone()"},
};
const ForeignTensor* foreign_tensor(std::string_view maker) {
  const auto* found = std::find_if(kForeignTensors.begin(), kForeignTensors.end(), [&](const ForeignTensor& kind) {
    return maker.find(kind.maker) != std::string_view::npos;
  });
  return found == kForeignTensors.end() ? nullptr : found;
}

constexpr std::string_view kFromType = "torch._tensor._rebuild_from_type_v2";

}  // namespace

template <class... Args>
void PthTensors::require(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
  if (condition) return;
  throw Refusal(fmt::format("{}: {}", place_, fmt::format(format, std::forward<Args>(args)...)));
}

PthTensors::PthTensors(const Pickle& pickle, bool stream, uint64_t file_bytes, const std::string& place)
    : pickle_(pickle), stream_(stream), file_bytes_(file_bytes), place_(place) {
  // A call comes after its arguments in the arena, so each storage is known before the tensors on it.
  for (Ref ref = 0; ref < pickle_.size(); ++ref) {
    if (pickle_.is(ref, PickleKind::persistent)) add_storage(ref);
    if (!is_tensor(ref)) continue;
    const std::optional<Making> making = making_of(ref);
    if (making && making->part != nullptr && making->element_bytes > 0) view_of(*making);
  }
}

int64_t PthTensors::size_at(Ref ref, const char* what) const {
  require(pickle_.is(ref, PickleKind::integer), "{} is {}, expected a number", what, kind_name(pickle_.kind(ref)));
  const int64_t value = pickle_.integer(ref);
  require(value >= 0 && value <= kMaxElements, "{} is {}, expected 0 to 2^48", what, value);
  return value;
}

/// Any other persistent id is of a program that we do not know: nothing can be read by it.
void PthTensors::add_storage(Ref ref) {
  const Ref id = pickle_.argument(ref);
  const std::vector<Ref> fields = pickle_.items(id, 6);
  const bool known = pickle_.count(id) == (stream_ ? 6 : 5) && pickle_.is_text(fields[0], "storage") &&
                     pickle_.is(fields[1], PickleKind::global) && pickle_.is(fields[2], PickleKind::text) &&
                     pickle_.is(fields[3], PickleKind::text) && pickle_.text(fields[2]).size() <= kMaxKey;
  if (!known) return;
  const StorageType* type = find_type(kStorageTypes, pickle_.text(fields[1]));
  if (type == nullptr) return;
  PthStorage storage{pickle_.text(fields[2]), type, size_at(fields[4], "the size of a storage")};
  require(storage.bytes() <= file_bytes_, "storage {} should have {} bytes, more than the file's {}: it is cut off",
          quotable(storage.key), storage.bytes(), file_bytes_);
  const auto [known_as, is_new] = by_key_.try_emplace(storage.key, static_cast<uint32_t>(storages_.size()));
  if (is_new) {
    storages_.push_back(storage);
  } else {
    const PthStorage& first = storages_[known_as->second];
    require(first.type == storage.type && first.numel == storage.numel,
            "storage {} is named with {} numbers of {} and with {} of {}", quotable(storage.key), first.numel,
            first.type->name, storage.numel, storage.type->name);
  }
  Part part{ref, known_as->second, 0, storage.numel};
  if (stream_ && !pickle_.is(fields[5], PickleKind::none)) narrow(fields[5], &part);
  parts_.push_back(part);
}

/// The view of a storage: (key, offset, size).
void PthTensors::narrow(Ref ref, Part* part) const {
  const bool tuple = pickle_.is(ref, PickleKind::tuple) && pickle_.count(ref) == 3;
  require(tuple, "the view of a storage is not (key, offset, size)");
  const std::vector<Ref> fields = pickle_.items(ref, 3);
  const int64_t begin = size_at(fields[1], "the offset of a view"), numel = size_at(fields[2], "the size of a view");
  require(begin <= part->numel && numel <= part->numel - begin, "a view covers {} numbers at {} of a storage of {}",
          numel, begin, part->numel);
  part->begin = begin;
  part->numel = numel;
}

bool PthTensors::is_tensor(Ref ref) const {
  if (!pickle_.is(ref, PickleKind::call)) return false;
  const std::string_view function = pickle_.function(ref);
  return function.starts_with("torch._utils._rebuild_") || function == kFromType;
}

/// The calls that make tensors:
///   _rebuild_tensor(storage, offset, size, stride), _rebuild_tensor_v2(the same, requires_grad, hooks, metadata),
///   _rebuild_tensor_v3(the same as v2's first six, type, metadata), _rebuild_parameter(one of these, ...),
///   _rebuild_from_type_v2(one of these functions, torch.Tensor or Parameter, its arguments, attributes).
std::optional<PthTensors::Making> PthTensors::making_of(Ref tensor) const {
  Making making;
  making.function = pickle_.function(tensor);
  Ref arguments = pickle_.argument(tensor);
  // A parameter of a tensor of a type: no file has more around a tensor.
  for (int level = 0; level < 3; ++level) {
    making.fields = pickle_.items(arguments, 9);
    const std::vector<Ref>& fields = making.fields;
    if (making.function == kFromType) {
      if (fields.size() != 4 || !pickle_.is(fields[0], PickleKind::global) ||
          !pickle_.is(fields[1], PickleKind::global) || !pickle_.is(fields[2], PickleKind::tuple)) {
        return {};
      }
      const std::string_view type = pickle_.text(fields[1]);
      if (type != "torch.Tensor" && type != "torch.nn.parameter.Parameter") return {};
      making.function = pickle_.text(fields[0]);
      arguments = fields[2];
    } else if (making.function.starts_with("torch._utils._rebuild_parameter")) {
      if (fields.size() < 3 || !is_tensor(fields[0])) return {};
      making.function = pickle_.function(fields[0]);
      arguments = pickle_.argument(fields[0]);
    } else {
      break;
    }
  }
  const std::vector<Ref>& fields = making.fields;
  const size_t plain = making.function == "torch._utils._rebuild_tensor"      ? 4
                       : making.function == "torch._utils._rebuild_tensor_v2" ? 6
                       : making.function == "torch._utils._rebuild_tensor_v3" ? 7
                                                                              : 0;
  const bool metadata = plain >= 6 && fields.size() == plain + 1;
  if (plain == 0 || (fields.size() != plain && !metadata)) return {};
  if (metadata) making.metadata = fields[plain];
  const auto part = std::lower_bound(parts_.begin(), parts_.end(), fields[0],
                                     [](const Part& candidate, Ref ref) { return candidate.ref < ref; });
  if (part == parts_.end() || part->ref != fields[0]) return making;
  making.part = &*part;
  const StorageType* type = storages_[part->storage].type;
  making.type_name = type->name;
  if (plain == 7) {
    if (!pickle_.is(fields[6], PickleKind::global) && !pickle_.is(fields[6], PickleKind::foreign)) return {};
    making.type_name = pickle_.text(fields[6]);
    if (type->element_bytes != 1 || part->begin != 0) return {};  // else its places would be bytes or elements
    type = find_type(kTypes, making.type_name);
    if (type == nullptr) return making;
  }
  making.element_bytes = type->element_bytes;
  making.dtype = type->dtype;
  return making;
}

TensorView PthTensors::view_of(const Making& making) const {
  const std::vector<Ref>& fields = making.fields;
  const Part& part = *making.part;
  // Of a storage of bytes: whole elements.
  const auto per_element = static_cast<int64_t>(making.element_bytes / storages_[part.storage].type->element_bytes);
  const int64_t available = part.numel / per_element;
  TensorView view;
  view.storage = part.storage;
  view.offset = size_at(fields[1], "the offset of a tensor");
  view.rank = read_sizes(fields[2], "a shape", &view.shape);
  require(read_sizes(fields[3], "strides", &view.strides) == view.rank,
          "a tensor has another number of strides than axes");
  int64_t last = view.offset;
  for (size_t axis = 0; axis < view.rank; ++axis) {
    const int64_t size = view.shape[axis];
    require(size == 0 || view.numel <= kMaxElements / size, "a tensor has more than 2^48 numbers");
    view.numel *= size;
    int64_t reach = 0;
    const bool overflow = __builtin_mul_overflow(std::max<int64_t>(size - 1, 0), view.strides[axis], &reach) ||
                          __builtin_add_overflow(last, reach, &last);
    require(!overflow, "the strides of a tensor reach beyond any memory");
  }
  require(view.numel == 0 || last < available, "a tensor reaches to number {} of storage {}, which has {}", last,
          quotable(storages_[part.storage].key), available);
  view.offset += part.begin;
  return view;
}

size_t PthTensors::read_sizes(Ref ref, const char* what, std::array<int64_t, TensorView::kMaxRank>* sizes) const {
  if (pickle_.is(ref, PickleKind::call) && pickle_.function(ref) == "torch.Size") {
    const std::vector<Ref> argument = pickle_.items(pickle_.argument(ref), 2);
    require(argument.size() == 1, "a shape is not made as torch.save writes it");
    ref = argument[0];
  }
  require(pickle_.is(ref, PickleKind::tuple), "{} of a tensor is {}, expected a tuple", what,
          kind_name(pickle_.kind(ref)));
  require(pickle_.count(ref) <= sizes->size(), "a tensor has {} axes, at most {} are allowed", pickle_.count(ref),
          sizes->size());
  const std::vector<Ref> fields = pickle_.items(ref, sizes->size());
  for (size_t i = 0; i < fields.size(); ++i) (*sizes)[i] = size_at(fields[i], what);
  return fields.size();
}

std::optional<DType> PthTensors::dtype_of(Ref tensor) const {
  const std::optional<Making> making = making_of(tensor);
  return making && making->part != nullptr ? making->dtype : std::nullopt;
}

std::pair<TensorView, DType> PthTensors::read(Ref tensor, std::string_view name) const {
  const std::optional<Making> making = making_of(tensor);
  require(making.has_value(), "\"{}\" is a tensor that is not made as torch.save writes it: {}; save {}",
          quotable(name), "a subclass, or one not made of a tensor and a storage", "tensor.detach().clone()");
  require(making->part != nullptr,
          "\"{}\" is a tensor on a persistent id that is no storage, expected what torch.save writes", quotable(name));
  require(making->dtype.has_value(),
          "\"{}\" is made of {}, expected float, half, bfloat16, double or integers; convert it with .float()",
          quotable(name), making->type_name);
  if (making->metadata) {  // which would change the numbers
    const Ref bits = *making->metadata;
    const bool plain =
        pickle_.is(bits, PickleKind::none) || (pickle_.is(bits, PickleKind::dict) && pickle_.count(bits) == 0);
    require(plain, "\"{}\" is a negated or conjugate view; save tensor.clone()", quotable(name));
  }
  return {view_of(*making), *making->dtype};
}

std::string PthTensors::describe(Ref ref) const {
  const PickleKind kind = pickle_.kind(ref);
  if (kind == PickleKind::call) return fmt::format("an object of {}", pickle_.function(ref));
  if (kind != PickleKind::opaque) return kind_name(kind);
  const std::string_view maker = pickle_.text(ref);
  if (const ForeignTensor* foreign = foreign_tensor(maker)) {
    return fmt::format("{} (made by {}; save instead: {})", foreign->what, maker, foreign->remedy);
  }
  return fmt::format("an object of {}", maker);
}

bool PthTensors::was_tensor(Ref ref) const {
  return pickle_.is(ref, PickleKind::opaque) && foreign_tensor(pickle_.text(ref)) != nullptr;
}

}  // namespace giza::models
