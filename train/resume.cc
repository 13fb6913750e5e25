// Which checkpoint a training goes on from, and whether it may.
#include "train/resume.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/message.h"
#include "train/report/run_report.h"

namespace giza::train {

std::optional<FoundCheckpoint> checkpoint_to_resume(const std::string& resume, const std::string& folder) {
  if (!resume.empty() && resume != "auto") {
    const InputFile there(resume, "a checkpoint that giza train wrote (.safetensors), or auto");
    return FoundCheckpoint{resume, read_checkpoint(resume)};
  }
  std::vector<std::string> warnings;
  std::optional<FoundCheckpoint> found = newest_checkpoint(folder, &warnings);
  for (const std::string& warning : warnings) tell("passed over {}", warning);
  check<Refusal>(found || warnings.empty(), "{}: none of its checkpoints is whole; remove them or use another folder",
                 folder);
  check<Refusal>(!found || resume == "auto",
                 "{}: holds the checkpoints of an earlier run; set TRAIN.resume auto to go on with it, or "
                 "TRAIN.save_path to another folder",
                 folder);
  return found;
}

std::vector<std::string> check_resumed(const TrainingState& state, const std::string& path, const Config& config,
                                       const Dataset& dataset, int64_t iterations) {
  constexpr const char* kRemedy = "use the same ones, or start a new run from its weights with TRAIN.weight";
  std::vector<std::string> changed;
  if (state.settings.empty()) {  // from before they were kept beside their hash
    check<Refusal>(state.config_hash == training_hash(config), "{}: was trained with other settings; {}", path,
                   kRemedy);
  } else {
    changed = changed_settings(state.settings, training_settings(config));
  }
  const bool has_rounds = config.data.weak_labels == "box_update";
  const auto others = std::stable_partition(changed.begin(), changed.end(), [&](const std::string& key) {
    return key.starts_with("TRAIN.epochs:") && !has_rounds;
  });
  check<Refusal>(others == changed.end(), "{}: was trained with other settings: {}; {}", path,
                 fmt::join(others, changed.end(), "; "), kRemedy);
  check<Refusal>(state.list_hash == list_hash(dataset), "{}: was trained on another list than {}; {}", path,
                 listing_place(dataset.options()), kRemedy);
  check<Refusal>(state.iteration <= iterations,
                 "{}: stands at iteration {}, TRAIN.epochs {} are {} iterations; expected as many epochs or more", path,
                 state.iteration, config.train.epochs, iterations);
  std::vector<std::string> notes;
  for (const std::string& key : changed) {
    if (config.train.lr_policy != "poly") continue;  // the others do not know how long a training is
    notes.push_back(fmt::format("{}: the learning rate follows the curve of the new number from here on", key));
  }
  return notes;
}

std::string moved_data(const Config& before, const Config& now) {
  const auto moved = [](const char* key, const std::string& from, const std::string& to) -> std::string {
    std::error_code error;
    const bool other = from != to && !to.empty() && std::filesystem::exists(from, error) &&
                       !std::filesystem::equivalent(from, to, error);
    return other ? fmt::format("{}: {}, now {}", key, from, to) : "";
  };
  std::string text = moved("DATA.data_root", before.data.data_root, now.data.data_root);
  return text.empty() ? moved("DATA.train_list", before.data.train_list, now.data.train_list) : text;
}

}  // namespace giza::train
