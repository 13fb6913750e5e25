// Checkpoints: everything that a run needs to go on to the same bits.
#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

#include "models/weights/checksum.h"
#include "models/weights/infer.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;
using models::WeightFile;
using models::WeightTensor;

constexpr const char* kIteration = models::kCheckpointKey;
constexpr const char* kSeed = "giza.seed";
constexpr const char* kConfigHash = "giza.config_hash";
constexpr const char* kSettings = "giza.settings";
constexpr const char* kListHash = "giza.list_hash";
constexpr const char* kLog = "giza.log";
constexpr const char* kLabels = "giza.labels_hash";
constexpr const char* kLast = "last.safetensors";
constexpr std::string_view kStart = "iter_", kEnd = ".safetensors";

std::string file_name(int64_t iteration) { return fmt::format("{}{:08}{}", kStart, iteration, kEnd); }

template <class T>
bool parse(const std::string& text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

/// Iteration -> file name of every checkpoint of a folder, whole or not.
std::map<int64_t, std::string> list_checkpoints(const std::string& folder, std::error_code& error) {
  std::map<int64_t, std::string> found;
  for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.size() <= kStart.size() + kEnd.size() || !name.starts_with(kStart) || !name.ends_with(kEnd)) continue;
    int64_t iteration = 0;
    if (parse(name.substr(kStart.size(), name.size() - kStart.size() - kEnd.size()), &iteration)) {
      found[iteration] = name;
    }
  }
  return found;
}

const std::string& metadata(const WeightFile& file, const char* key, const std::string& path) {
  const auto found = file.metadata.find(key);
  check<Refusal>(found != file.metadata.end(),
                 "{}: has no \"{}\", so it is no checkpoint; to start from bare weights use TRAIN.weight", path, key);
  return found->second;
}

/// With the averages for weights, where there are any.
WeightFile state_dict_of(const layers::Module& model, WeightAverage* average, int64_t iteration) {
  const WithAverage averaged(average);
  return models::state_dict(model, iteration);
}

}  // namespace

std::string save_checkpoint(const RunFolder& folder, const layers::Module& model,
                            const std::vector<Sgd::Velocity>& velocities, const TrainingState& state, int keep,
                            WeightAverage* average) {
  WeightFile file = state_dict_of(model, average, state.iteration);
  const auto add = [&](std::string_view prefix, const std::string& name, const Tensor& tensor) {
    file.tensors.push_back({std::string(prefix) + name,
                            file.find(name)->shape,
                            models::DType::f32,
                            models::to_pytorch_layout(tensor),
                            {}});
  };
  for (const Sgd::Velocity& velocity : velocities) {
    add(models::kMomentumPrefix, velocity.name, velocity.tensor);
  }
  if (average != nullptr) {
    for (const WeightAverage::Entry& entry : average->entries()) add(models::kStepPrefix, entry.name, entry.weight);
  }
  file.metadata = {{kIteration, std::to_string(state.iteration)},
                   {kSeed, std::to_string(state.seed)},
                   {kConfigHash, state.config_hash},
                   {kSettings, state.settings},
                   {kListHash, state.list_hash},
                   {models::kModelKey, state.model},
                   {kLog, state.log}};
  if (!state.labels.empty()) file.metadata[kLabels] = state.labels;
  file.metadata.insert(state.card.begin(), state.card.end());
  file.metadata[models::kChecksumKey] = models::checksum(file);
  const std::string name = file_name(state.iteration);
  models::write_safetensors(folder.file(name), file);
  point_link_at(folder.file(kLast), name);

  // Only now is there something better than what goes.
  // One that cannot be removed, or is not seen, costs only room.
  std::error_code error;
  std::map<int64_t, std::string> checkpoints = list_checkpoints(folder.path(), error);
  checkpoints.erase(checkpoints.upper_bound(state.iteration), checkpoints.end());
  while (static_cast<int>(checkpoints.size()) > std::max(keep, 1)) {
    fs::remove(folder.file(checkpoints.begin()->second), error);
    checkpoints.erase(checkpoints.begin());
  }
  return folder.file(name);
}

WeightFile read_checkpoint(const std::string& path) {
  WeightFile file = models::read_weights(path);  // which compares the checksum
  metadata(file, models::kChecksumKey, path);
  return file;
}

std::optional<FoundCheckpoint> newest_checkpoint(const std::string& folder, std::vector<std::string>* warnings) {
  std::error_code error;
  const std::map<int64_t, std::string> checkpoints = list_checkpoints(folder, error);
  // A run that does not see its checkpoints would begin anew, and remove them.
  check<Refusal>(!error || error == std::errc::no_such_file_or_directory, "{}: the folder cannot be read: {}", folder,
                 error.message());
  std::vector<std::string> paths;
  for (auto entry = checkpoints.rbegin(); entry != checkpoints.rend(); ++entry) {
    paths.push_back(folder + "/" + entry->second);
  }
  // A copy that somebody put there, or a link to a checkpoint elsewhere: it would be replaced by this run's.
  const std::string last = folder + "/" + kLast;
  const bool known = std::any_of(paths.begin(), paths.end(),
                                 [&](const std::string& path) { return fs::equivalent(path, last, error); });
  if (!known && fs::exists(last, error)) paths.push_back(last);
  for (const std::string& path : paths) {
    try {
      return FoundCheckpoint{path, read_checkpoint(path)};
    } catch (const Refusal& refusal) {
      warnings->push_back(refusal.what());
    }
  }
  return std::nullopt;
}

void mend_last(const RunFolder& folder, const std::string& path) {
  std::error_code error;
  const std::string last = folder.file(kLast), name = fs::path(path).filename().string();
  if (!fs::equivalent(last, path, error)) point_link_at(last, name);
}

std::vector<std::string> set_aside_later(const RunFolder& folder, const std::string& path, int64_t iteration) {
  std::error_code error;
  const std::map<int64_t, std::string> checkpoints = list_checkpoints(folder.path(), error);
  std::vector<std::string> names;
  for (auto later = checkpoints.upper_bound(iteration); later != checkpoints.end(); ++later) {
    std::string name = "aside_" + later->second;
    while (fs::exists(folder.file(name), error)) name = "aside_" + name;
    fs::rename(folder.file(later->second), folder.file(name), error);
    check<Error>(!error, "{}: cannot be renamed to {}: {}", folder.file(later->second), name, error.message());
    names.push_back(name);
  }
  if (names.empty()) return names;
  if (fs::equivalent(folder.path(), fs::path(path).parent_path(), error)) mend_last(folder, path);
  if (!fs::exists(folder.file(kLast), error)) fs::remove(folder.file(kLast), error);  // a link to one of them
  sync_folder(folder.path());
  return names;
}

TrainingState state_of_checkpoint(const WeightFile& file, const std::string& path) {
  TrainingState state;
  check<Refusal>(parse(metadata(file, kIteration, path), &state.iteration) && state.iteration >= 0 &&
                     parse(metadata(file, kSeed, path), &state.seed),
                 "{}: its iteration or seed is not a number: the file is corrupt; use an older checkpoint", path);
  state.config_hash = metadata(file, kConfigHash, path);
  if (const auto settings = file.metadata.find(kSettings); settings != file.metadata.end()) {
    state.settings = settings->second;
  }
  if (const auto labels = file.metadata.find(kLabels); labels != file.metadata.end()) state.labels = labels->second;
  state.list_hash = metadata(file, kListHash, path);
  state.model = metadata(file, models::kModelKey, path);
  state.log = metadata(file, kLog, path);
  return state;
}

void restore_checkpoint(const WeightFile& file, const std::string& path, const layers::Module& model,
                        const std::vector<Sgd::Velocity>& velocities, const WeightAverage* average) {
  std::map<std::string_view, const WeightTensor*> own;  // the optimiser's
  for (const WeightTensor& tensor : file.tensors) {
    if (tensor.name.starts_with(models::kMomentumPrefix)) own[tensor.name] = &tensor;
  }
  std::vector<std::pair<Tensor, const WeightTensor*>> copies;
  const auto find = [&](std::string_view prefix, const char* what, const std::string& name, const Tensor& tensor) {
    const auto found = own.find(std::string(prefix) + name);
    check<Refusal>(found != own.end() && static_cast<int64_t>(found->second->data.size()) == tensor.numel(),
                   "{}: the {} of {} is missing or of another shape; the checkpoint is of another model", path, what,
                   name);
    copies.emplace_back(tensor, found->second);
  };
  for (const Sgd::Velocity& velocity : velocities) {
    find(models::kMomentumPrefix, "momentum", velocity.name, velocity.tensor);
  }
  if (average != nullptr) {
    for (const auto& entry : average->entries()) find(models::kStepPrefix, "last step", entry.name, entry.weight);
  }
  models::check_numbers(file, path, /*momentum=*/true);
  models::load_state_dict(model, file, path, {.aux_optional = false});
  if (average != nullptr) average->restart();
  for (const auto& [tensor, stored] : copies) models::from_pytorch_layout(stored->data, tensor);
}

}  // namespace giza::train
