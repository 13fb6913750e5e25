// What the pickle of a .pth says: which of its tensors are the weights.
#include "models/weights/pth/objects.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "models/weights/names.h"
#include "models/weights/surroundings.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

constexpr size_t kMaxWeights = 100'000;
constexpr int kMaxLevels = 3;  // of dicts around the state_dict

constexpr PickleGlobal kGlobals[] = {
    {"collections.OrderedDict", true, true},
    {"collections.defaultdict", true, true},
    {"collections.Counter", true},
    {"torch._utils._rebuild_tensor", true},
    {"torch._utils._rebuild_tensor_v2", true},
    {"torch._utils._rebuild_tensor_v3", true},
    {"torch._utils._rebuild_parameter", true},
    {"torch._utils._rebuild_parameter_with_state", true},
    {"torch._tensor._rebuild_from_type_v2", true},
    {"torch.Tensor"},
    {"torch.nn.parameter.Parameter"},
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
    {"torch.ComplexFloatStorage"},
    {"torch.ComplexDoubleStorage"},
    {"torch.QInt8Storage"},
    {"torch.QUInt8Storage"},
    {"torch.QInt32Storage"},
    {"torch.QUInt4x2Storage"},
    {"torch.QUInt2x4Storage"},
    {"torch.storage.UntypedStorage"},
    {"torch.float32"},
    {"torch.float16"},
    {"torch.bfloat16"},
    {"torch.float64"},
    {"torch.int64"},
    {"torch.int32"},
    {"torch.int16"},
    {"torch.int8"},
    {"torch.uint64"},
    {"torch.uint32"},
    {"torch.uint16"},
    {"torch.uint8"},
    {"torch.bool"},
};

using Ref = Pickle::Ref;
using Pairs = std::vector<std::pair<Ref, Ref>>;

class ObjectReader {
 public:
  ObjectReader(const Pickle& pickle, bool stream, uint64_t file_bytes, const std::string& place)
      : pickle_(pickle), file_bytes_(file_bytes), place_(place), tensors_(pickle, stream, file_bytes, place) {}

  PthObjects read() {
    add_weights(find_state_dict());
    objects_.storages = tensors_.storages();
    return std::move(objects_);
  }

 private:
  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (condition) return;
    throw Refusal(fmt::format("{}: {}", place_, fmt::format(format, std::forward<Args>(args)...)));
  }

  /// A dict as its pairs. Python 2 writes an OrderedDict as a call with a list of [key, value].
  std::optional<Pairs> pairs_of(Ref ref) const {
    Pairs pairs;
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

  enum class Contents : uint8_t { no_dict, nothing, values, tensors, weights };
  /// What stands in a dict: nothing at all, no tensor, tensors, tensors of floats under names of modules. Each dict is
  /// looked at once, however often it is referred to.
  Contents contents_of(Ref ref) {
    const auto known = contents_.find(ref);
    if (known != contents_.end()) return known->second;
    Contents contents = Contents::no_dict;
    if (const auto pairs = pairs_of(ref)) {
      contents = pairs->empty() ? Contents::nothing : Contents::values;
      for (const auto& [key, value] : *pairs) {
        if (!pickle_.is(key, PickleKind::text) || !tensors_.is_tensor(value)) continue;
        const std::optional<DType> dtype = tensors_.dtype_of(value);
        const bool floats = dtype && !is_integer(*dtype);
        if (!floats && contents == Contents::weights) continue;
        contents = floats && pickle_.text(key).find('.') != std::string_view::npos ? Contents::weights
                   : contents == Contents::weights                                 ? Contents::weights
                                                                                   : Contents::tensors;
      }
    }
    contents_[ref] = contents;
    return contents;
  }
  /// Whether the dict holds weights, or a dict that does.
  bool leads_to_weights(Ref ref) {
    const auto known = leads_.find(ref);
    if (known != leads_.end()) return known->second;
    bool leads = contents_of(ref) == Contents::weights;
    if (const auto pairs = pairs_of(ref); pairs && !leads) {
      leads = std::any_of(pairs->begin(), pairs->end(),
                          [&](const auto& pair) { return contents_of(pair.second) == Contents::weights; });
    }
    leads_[ref] = leads;
    return leads;
  }

  /// Whether the dict, or one in it, has a float tensor under a name of a network. Each dict is looked at once.
  bool holds_network(Ref ref) {
    const auto known = networks_.find(ref);
    if (known != networks_.end()) return known->second;
    const bool weights = contents_of(ref) == Contents::weights;
    bool holds = false;
    if (const auto pairs = pairs_of(ref)) {
      holds = std::any_of(pairs->begin(), pairs->end(), [&](const auto& pair) {
        return weights ? pickle_.is(pair.first, PickleKind::text) && looks_like_network(pickle_.text(pair.first))
                       : contents_of(pair.second) == Contents::weights && holds_network(pair.second);
      });
    }
    networks_[ref] = holds;
    return holds;
  }

  /// The weights under one of the usual keys, or nullopt.
  std::optional<std::pair<std::string_view, Ref>> usual_child(const Pairs& pairs) {
    std::optional<std::pair<std::string_view, Ref>> found;
    std::set<std::string_view> seen;
    for (const auto& [key, value] : pairs) {
      if (!pickle_.is(key, PickleKind::text)) continue;
      const std::string_view name = pickle_.text(key);
      if (name != "state_dict" && name != "model" && name != "model_state_dict") continue;
      require(seen.insert(name).second, "the key \"{}\" occurs twice", name);
      const Contents contents = contents_of(value);
      // "model" may be a name, or its settings.
      if (contents == Contents::no_dict || (contents == Contents::values && !leads_to_weights(value))) continue;
      if (found && found->second == value) continue;  // one dict under two names
      // What is empty counts only where nothing else is.
      if (found && contents == Contents::nothing && contents_of(found->second) != Contents::nothing) continue;
      if (found && contents != Contents::nothing && contents_of(found->second) == Contents::nothing) found.reset();
      require(!found, "the file holds weights under \"{}\" and under \"{}\"; keep one of them",
              found ? found->first : "", name);
      found = {name, value};
    }
    return found;
  }

  /// The one dict with weights that there is under another key; of a network and its moving average, the network.
  std::optional<std::pair<std::string_view, Ref>> other_child(const Pairs& pairs) {
    std::vector<std::pair<std::string_view, Ref>> plain, averages;
    for (const auto& [key, value] : pairs) {
      if (!pickle_.is(key, PickleKind::text) || pickle_.text(key).starts_with("optim") || !leads_to_weights(value)) {
        continue;
      }
      const std::string_view name = pickle_.text(key);
      (is_average(name) ? averages : plain).emplace_back(name, value);
    }
    auto& found = plain.empty() ? averages : plain;
    if (found.empty()) return {};
    // Statistics and states of losses bear dots too; only one of them may look like a network.
    if (found.size() > 1) {
      auto networks = found;
      std::erase_if(networks, [&](const auto& child) { return !holds_network(child.second); });
      if (!networks.empty()) found = std::move(networks);
    }
    require(found.size() == 1, "the file holds weights under \"{}\" and under \"{}\"; keep one of them",
            quotable(found.front().first), quotable(found.back().first));
    return found.front();
  }

  Pairs find_state_dict() {
    Ref dict = pickle_.root();
    auto pairs = pairs_of(dict);
    require(pairs.has_value(), "the file holds {}, expected a state_dict: torch.save(model.state_dict(), FILE)",
            tensors_.is_tensor(dict) ? "a single tensor"
            : pickle_.is(dict, PickleKind::opaque)
                ? "a whole " + tensors_.describe(dict).substr(3) + ", not its weights"
                : tensors_.describe(dict));
    for (int level = 0; level < kMaxLevels; ++level) {
      auto child = usual_child(*pairs);
      if (child && contents_of(child->second) == Contents::nothing && other_child(*pairs)) child.reset();
      const bool usual = child.has_value();
      if (!usual && contents_of(dict) == Contents::weights) break;
      if (!usual) child = other_child(*pairs);
      if (!child) break;
      if (!usual) objects_.notes.push_back(fmt::format("the weights are those under \"{}\"", quotable(child->first)));
      std::vector<std::string> others;
      for (const auto& [key, value] : *pairs) {
        if (value == child->second || contents_of(value) != Contents::weights) continue;
        if (pickle_.is(key, PickleKind::text)) others.push_back(quotable(pickle_.text(key)));
      }
      if (!others.empty()) {
        objects_.notes.push_back(
            fmt::format("weights left out, for \"{}\" has some too: {}", quotable(child->first), name_list(others)));
      }
      under_ = child->first;
      dict = child->second;
      pairs = pairs_of(dict);
    }
    return std::move(*pairs);
  }

  /// A tensor that a network has bears one of these names, in PyTorch.
  static bool must_be_tensor(std::string_view name) {
    const std::string_view last = name.substr(name.rfind('.') + 1);
    return last == "weight" || last == "bias" || last == "running_mean" || last == "running_var";
  }

  void add_weights(const Pairs& pairs) {
    require(pairs.size() <= kMaxWeights, "the state_dict has {} tensors, at most {} are allowed", pairs.size(),
            kMaxWeights);
    std::set<std::string_view> names;
    std::vector<std::string> others;
    std::string first_other;
    uint64_t total = 0;
    objects_.weights.reserve(pairs.size());
    for (const auto& [key, value] : pairs) {
      const bool tensor = tensors_.is_tensor(value);
      require(pickle_.is(key, PickleKind::text) || !tensor, "a key of the state_dict is {}, expected a name",
              kind_name(pickle_.kind(key)));
      const std::string_view name = pickle_.is(key, PickleKind::text) ? pickle_.text(key) : "(no name)";
      if (!tensor) {
        std::string what = fmt::format("\"{}\" is {}, expected a tensor", quotable(name), tensors_.describe(value));
        require(!tensors_.was_tensor(value) && !must_be_tensor(name), "{}", what);
        if (others.empty()) first_other = std::move(what);
        others.push_back(quotable(name));
        continue;
      }
      require(names.insert(name).second, "the name \"{}\" occurs twice", quotable(name));
      const auto [view, dtype] = tensors_.read(value, name);
      const uint64_t storage_bytes = tensors_.storages()[view.storage].bytes();
      total += static_cast<uint64_t>(view.numel) * static_cast<uint64_t>(element_size(held_type(dtype)));
      require(total <= most_bytes_in_memory(file_bytes_),
              "\"{}\" and those before it would take {} bytes, more than a file of {} may: they repeat numbers by "
              "views; save them as .contiguous()",
              quotable(name), total, file_bytes_);
      require(std::max(total, storage_bytes) <= kMaxWeightBytes,
              "\"{}\" brings the weights or their storage beyond {} bytes, the most that is allowed", quotable(name),
              kMaxWeightBytes);
      objects_.weights.push_back({name, view, dtype});
    }
    require(!objects_.weights.empty() || others.empty(), "the file holds no weights: {}{}", first_other,
            under_.empty() ? " (of a checkpoint, the weights must stand under \"state_dict\" or \"model\"); in Python: "
                             "torch.save(model.state_dict(), FILE)"
                           : "");
    if (!others.empty()) objects_.notes.push_back("left out, for they are no tensors: " + name_list(others));
  }

  const Pickle& pickle_;
  uint64_t file_bytes_;
  const std::string& place_;
  PthTensors tensors_;
  PthObjects objects_;
  std::unordered_map<Ref, Contents> contents_;
  std::unordered_map<Ref, bool> leads_, networks_;
  std::string_view under_;
};

}  // namespace

std::span<const PickleGlobal> pth_globals() { return kGlobals; }

PthObjects read_pth_objects(const Pickle& pickle, bool stream, uint64_t file_bytes, const std::string& place) {
  return ObjectReader(pickle, stream, file_bytes, place).read();
}

}  // namespace giza::models
