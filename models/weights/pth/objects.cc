// What the pickle of a .pth says: storages, and tensors as views of them.
#include "models/weights/pth/objects.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 48;  // beyond any memory; products of sizes stay far from overflow
constexpr size_t kMaxWeights = 100'000, kMaxKey = 64;
constexpr uint64_t kExpansion = 4, kSmall = uint64_t{1} << 20;
constexpr uint64_t kMaxBytes = uint64_t{8} << 30;  // of a storage in use, and of all weights together

constexpr std::array kStorageTypes = {StorageType{"torch.FloatStorage", 4, DType::f32},
                                      StorageType{"torch.HalfStorage", 2, DType::f16},
                                      StorageType{"torch.BFloat16Storage", 2, DType::bf16},
                                      StorageType{"torch.DoubleStorage", 8, DType::f64},
                                      StorageType{"torch.LongStorage", 8, DType::i64},
                                      StorageType{"torch.IntStorage", 4, {}},
                                      StorageType{"torch.ShortStorage", 2, {}},
                                      StorageType{"torch.CharStorage", 1, {}},
                                      StorageType{"torch.ByteStorage", 1, {}},
                                      StorageType{"torch.BoolStorage", 1, {}}};

constexpr PickleGlobal kGlobals[] = {
    {"collections.OrderedDict", true, true},
    {"collections.Counter", true},
    {"torch._utils._rebuild_tensor", true},
    {"torch._utils._rebuild_tensor_v2", true},
    {"torch._utils._rebuild_parameter", true},
    {"torch._utils._rebuild_parameter_with_state", true},
    {"torch.Size", true},
    {"torch.device", true},
    {"_codecs.encode", true},  // bytes in protocol 2
    {"builtins.bytearray", true},
    {"builtins.set", true},
    {"builtins.complex", true},
    {"torch.FloatStorage"},
    {"torch.HalfStorage"},
    {"torch.BFloat16Storage"},
    {"torch.DoubleStorage"},
    {"torch.LongStorage"},
    {"torch.IntStorage"},
    {"torch.ShortStorage"},
    {"torch.CharStorage"},
    {"torch.ByteStorage"},
    {"torch.BoolStorage"},
    {"torch.float32"},
    {"torch.float16"},
    {"torch.bfloat16"},
    {"torch.float64"},
    {"torch.int64"},
    {"torch.int32"},
    {"torch.int16"},
    {"torch.int8"},
    {"torch.uint8"},
    {"torch.bool"},
};

using Ref = Pickle::Ref;

class ObjectReader {
 public:
  ObjectReader(const Pickle& pickle, bool stream, uint64_t file_bytes, const std::string& place)
      : pickle_(pickle), stream_(stream), file_bytes_(file_bytes), place_(place) {}

  PthObjects read() {
    // A call comes after its arguments in the arena, so each storage is known before the tensors on it.
    for (Ref ref = 0; ref < pickle_.size(); ++ref) {
      if (pickle_.is(ref, PickleKind::persistent)) add_storage(ref);
      if (is_tensor(ref)) view_of(ref);
    }
    add_weights(find_state_dict());
    return std::move(objects_);
  }

 private:
  /// A persistent id: the whole of a storage, or a part of it (files before PyTorch 0.4 have such).
  struct Part {
    Ref ref = 0;
    uint32_t storage = 0;
    int64_t begin = 0, numel = 0;
  };

  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (condition) return;
    throw Refusal(fmt::format("{}: {}", place_, fmt::format(format, std::forward<Args>(args)...)));
  }

  int64_t size_at(Ref ref, const char* what) const {
    require(pickle_.is(ref, PickleKind::integer), "{} is {}, expected a number", what, kind_name(pickle_.kind(ref)));
    const int64_t value = pickle_.integer(ref);
    require(value >= 0 && value <= kMaxElements, "{} is {}, expected 0 to 2^48", what, value);
    return value;
  }

  void add_storage(Ref ref) {
    const Ref id = pickle_.argument(ref);
    const std::vector<Ref> fields = pickle_.items(id, 6);
    const bool known = pickle_.count(id) == (stream_ ? 6 : 5) && pickle_.is_text(fields[0], "storage") &&
                       pickle_.is(fields[1], PickleKind::global) && pickle_.is(fields[2], PickleKind::text) &&
                       pickle_.is(fields[3], PickleKind::text) && pickle_.text(fields[2]).size() <= kMaxKey;
    require(known, "a persistent id is not ('storage', type, key, location, size{}) as torch.save writes it",
            stream_ ? ", view" : "");
    const auto* type = std::find_if(kStorageTypes.begin(), kStorageTypes.end(), [&](const StorageType& candidate) {
      return candidate.name == pickle_.text(fields[1]);
    });
    require(type != kStorageTypes.end(), "a storage is of type {}", pickle_.text(fields[1]));
    PthStorage storage{pickle_.text(fields[2]), type, size_at(fields[4], "the size of a storage")};
    require(storage.bytes() <= file_bytes_, "storage {} should have {} bytes, more than the file's {}: it is cut off",
            quotable(storage.key), storage.bytes(), file_bytes_);
    const auto [known_as, is_new] = by_key_.try_emplace(storage.key, static_cast<uint32_t>(objects_.storages.size()));
    if (is_new) {
      objects_.storages.push_back(storage);
    } else {
      const PthStorage& first = objects_.storages[known_as->second];
      require(first.type == storage.type && first.numel == storage.numel,
              "storage {} is named with {} numbers of {} and with {} of {}", quotable(storage.key), first.numel,
              first.type->name, storage.numel, storage.type->name);
    }
    Part part{ref, known_as->second, 0, storage.numel};
    if (stream_ && !pickle_.is(fields[5], PickleKind::none)) narrow(fields[5], &part);
    parts_.push_back(part);
  }

  /// The view of a storage: (key, offset, size).
  void narrow(Ref ref, Part* part) const {
    const bool tuple = pickle_.is(ref, PickleKind::tuple) && pickle_.count(ref) == 3;
    require(tuple, "the view of a storage is not (key, offset, size)");
    const std::vector<Ref> fields = pickle_.items(ref, 3);
    const int64_t begin = size_at(fields[1], "the offset of a view"), numel = size_at(fields[2], "the size of a view");
    require(begin <= part->numel && numel <= part->numel - begin, "a view covers {} numbers at {} of a storage of {}",
            numel, begin, part->numel);
    part->begin = begin;
    part->numel = numel;
  }

  bool is_tensor(Ref ref) const {
    return pickle_.is(ref, PickleKind::call) && pickle_.function(ref).starts_with("torch._utils._rebuild_");
  }

  /// The view that a call makes: _rebuild_tensor(storage, offset, size, stride), _rebuild_tensor_v2(the same,
  /// requires_grad, hooks, metadata), or _rebuild_parameter(one of these, ...).
  TensorView view_of(Ref call) const {
    std::vector<Ref> fields = pickle_.items(pickle_.argument(call), 8);
    if (pickle_.function(call).starts_with("torch._utils._rebuild_parameter")) {
      require(fields.size() >= 3 && is_tensor(fields[0]) &&
                  pickle_.function(fields[0]).starts_with("torch._utils._rebuild_tensor"),
              "a parameter is not made of a tensor");
      call = fields[0];
      fields = pickle_.items(pickle_.argument(call), 8);
    }
    const bool old = pickle_.function(call) == "torch._utils._rebuild_tensor";
    require((old ? fields.size() == 4 : fields.size() == 6 || fields.size() == 7) &&
                pickle_.is(fields[0], PickleKind::persistent),
            "a tensor is not made as torch.save writes it");
    if (fields.size() == 7) {
      // Bits for a conjugate or negated view, which would change the numbers.
      const bool plain = pickle_.is(fields[6], PickleKind::none) ||
                         (pickle_.is(fields[6], PickleKind::dict) && pickle_.count(fields[6]) == 0);
      require(plain, "a tensor is a negated or conjugate view; save tensor.clone()");
    }
    const Part& part = *std::lower_bound(parts_.begin(), parts_.end(), fields[0],
                                         [](const Part& candidate, Ref ref) { return candidate.ref < ref; });
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
    require(view.numel == 0 || last < part.numel, "a tensor reaches to number {} of storage {}, which has {}", last,
            quotable(objects_.storages[part.storage].key), part.numel);
    view.offset += part.begin;
    return view;
  }

  size_t read_sizes(Ref ref, const char* what, std::array<int64_t, TensorView::kMaxRank>* sizes) const {
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

  /// A dict as its pairs. Python 2 writes an OrderedDict as a call with a list of [key, value].
  std::optional<std::vector<std::pair<Ref, Ref>>> pairs_of(Ref ref) const {
    std::vector<std::pair<Ref, Ref>> pairs;
    if (pickle_.is(ref, PickleKind::dict)) {
      pairs.reserve(pickle_.count(ref));
      pickle_.for_each_pair(ref, [&](Ref key, Ref value) { pairs.emplace_back(key, value); });
      return pairs;
    }
    if (!pickle_.is(ref, PickleKind::call) || pickle_.function(ref) != "collections.OrderedDict") return {};
    const std::vector<Ref> arguments = pickle_.items(pickle_.argument(ref), 2);
    if (arguments.size() != 1 || !pickle_.is(arguments[0], PickleKind::list)) return {};
    for (const Ref item : pickle_.items(arguments[0], pickle_.count(arguments[0]))) {
      const bool pair =
          (pickle_.is(item, PickleKind::list) || pickle_.is(item, PickleKind::tuple)) && pickle_.count(item) == 2;
      if (!pair) return {};
      const std::vector<Ref> fields = pickle_.items(item, 2);
      pairs.emplace_back(fields[0], fields[1]);
    }
    return pairs;
  }

  std::vector<std::pair<Ref, Ref>> find_state_dict() {
    auto whole = pairs_of(pickle_.root());
    require(whole.has_value(), "the file holds {}, expected a state_dict: torch.save(model.state_dict(), FILE)",
            is_tensor(pickle_.root()) ? "a single tensor" : kind_name(pickle_.kind(pickle_.root())));
    std::optional<std::vector<std::pair<Ref, Ref>>> found;
    std::set<std::string_view> seen;
    for (const auto& [key, value] : *whole) {
      if (!pickle_.is(key, PickleKind::text)) continue;
      const std::string_view name = pickle_.text(key);
      if (name != "state_dict" && name != "model" && name != "model_state_dict") continue;
      require(seen.insert(name).second, "the key \"{}\" occurs twice", name);
      auto inner = pairs_of(value);
      if (!inner) continue;  // "model" may be a name, as in {"model": "psp", ...}
      require(!found, "the file holds weights under \"{}\" and under \"{}\"; keep one of them", under_, name);
      under_ = name;
      found = std::move(inner);
    }
    return found ? std::move(*found) : std::move(*whole);
  }

  void add_weights(const std::vector<std::pair<Ref, Ref>>& pairs) {
    require(pairs.size() <= kMaxWeights, "the state_dict has {} tensors, at most {} are allowed", pairs.size(),
            kMaxWeights);
    std::set<std::string_view> names;
    uint64_t total = 0;
    objects_.weights.reserve(pairs.size());
    for (const auto& [key, value] : pairs) {
      require(pickle_.is(key, PickleKind::text), "a key of the state_dict is {}, expected a name",
              kind_name(pickle_.kind(key)));
      const std::string_view name = pickle_.text(key);
      require(is_tensor(value), "\"{}\" is {}, expected a tensor{}", quotable(name), kind_name(pickle_.kind(value)),
              under_.empty() ? " (of a checkpoint, the weights must stand under \"state_dict\" or \"model\")" : "");
      require(names.insert(name).second, "the name \"{}\" occurs twice", quotable(name));
      const TensorView view = view_of(value);
      const StorageType& type = *objects_.storages[view.storage].type;
      require(type.dtype.has_value(),
              "\"{}\" is made of {}, expected float, half, bfloat16, double or int64; convert it with .float()",
              quotable(name), type.name);
      total += static_cast<uint64_t>(view.numel) * (type.dtype == DType::i64 ? sizeof(int64_t) : sizeof(float));
      require(
          total <= kExpansion * file_bytes_ + kSmall,
          "\"{}\" and those before it would take {} bytes, more than {} times the file's {}: they repeat numbers by "
          "views; save them as .contiguous()",
          quotable(name), total, kExpansion, file_bytes_);
      require(std::max(total, objects_.storages[view.storage].bytes()) <= kMaxBytes,
              "\"{}\" brings the weights or their storage beyond {} bytes, the most that is allowed", quotable(name),
              kMaxBytes);
      objects_.weights.push_back({name, view});
    }
  }

  const Pickle& pickle_;
  bool stream_;
  uint64_t file_bytes_;
  const std::string& place_;
  PthObjects objects_;
  std::unordered_map<std::string_view, uint32_t> by_key_;
  std::vector<Part> parts_;  // in the order of ref
  std::string_view under_;
};

}  // namespace

std::span<const PickleGlobal> pth_globals() { return kGlobals; }

PthObjects read_pth_objects(const Pickle& pickle, bool stream, uint64_t file_bytes, const std::string& place) {
  return ObjectReader(pickle, stream, file_bytes, place).read();
}

}  // namespace giza::models
