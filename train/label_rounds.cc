// Label maps that a training makes for itself.
#include "train/label_rounds.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/hash.h"
#include "tensor/base/text.h"
#include "tensor/parallel.h"
#include "train/check/weak_effect.h"
#include "train/config/parts.h"
#include "train/eval/refined_boxes.h"
#include "train/progress.h"
#include "train/signals.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

uint64_t hash_of_map(const LabelMap& labels) {
  Fnv1a hash;
  hash.add_word(static_cast<uint64_t>(labels.width));
  hash.add_word(static_cast<uint64_t>(labels.height));
  hash.add_bytes(labels.index);
  return hash.value();
}

std::string combined(const std::vector<uint64_t>& maps) {
  Fnv1a hash;
  for (const uint64_t map : maps) hash.add_word(map);
  return fmt::format("{:016x}", hash.value());
}

}  // namespace

LabelRound label_round(const Config& config, int64_t epoch) {
  const int64_t epochs = config.train.epochs;
  const std::string& kind = config.data.weak_labels;
  if (kind == "box_crf") return {0, 0, epochs, "weak_labels/crf"};
  if (kind != "box_update") return {0, 0, epochs, ""};
  const int64_t parts = config.data.weak_rounds + 1;
  const auto begin = [&](int64_t round) { return round * epochs / parts; };
  int64_t round = 0;
  while (begin(round + 1) <= epoch) ++round;
  return {round, begin(round), begin(round + 1), round == 0 ? "" : fmt::format("weak_labels/round_{}", round)};
}

LabelRounds::LabelRounds(const Config& config, const Dataset& masks, std::string run_folder)
    : config_(config), masks_(masks), run_folder_(std::move(run_folder)) {}

void LabelRounds::resume(std::string hash, std::string checkpoint) {
  hash_ = std::move(hash);
  checkpoint_ = std::move(checkpoint);
}

std::string LabelRounds::make(const LabelRound& round, const Predictor& predictor) {
  if (round.folder.empty()) return {};
  const std::string folder = run_folder_ + "/" + round.folder;
  make_folder(folder);
  const DatasetOptions& options = masks_.options();
  const bool predicts = options.weak.kind == WeakLabels::Kind::update;
  const std::vector<Color> colors = mask_colors(config_);
  Progress progress("labels", masks_.size(), "pictures");
  WeakEffect effect;
  int64_t boxes = 0, predicted = 0;
  std::vector<uint64_t> hashes;
  for (int64_t i = 0; i < masks_.size(); ++i) {
    if (const int signal = pending_signal()) throw Interrupted(signal, "stopped by a signal while labels were made");
    progress.update(i);
    const ListEntry& entry = masks_.entry(i);
    const Pair pair = masks_.unweakened(i);
    LabelMap labels;
    if (predicts) {
      UpdatedBoxes updated =
          updated_boxes(pair.labels, predictor(pair.image, entry), options.weak, options.ignore_label);
      boxes += updated.boxes;
      predicted += updated.predicted;
      labels = std::move(updated.labels);
    } else {
      labels = first_labels(pair, entry, i, options, config_.test.crf_options);
    }
    // The run cannot go on without them: they last through a crash.
    write_colored_labels(made_label_file(folder, entry, i), labels, colors, OutputFile::Durability::synced);
    hashes.push_back(hash_of_map(labels));
    add_effect(pair.labels, labels, options.ignore_label, &effect);
  }
  progress.finish();
  hash_ = combined(hashes);
  use(folder);
  const std::string found = predicts ? fmt::format("{} of {} are now what the network found inside; ", predicted,
                                                   counted(boxes, "box", "boxes"))
                                     : std::string();
  return fmt::format("labels in {}: {}{}", folder, found, weak_effect_text(effect));
}

void LabelRounds::take(const LabelRound& round) {
  if (round.folder.empty()) return;
  const std::string folder = run_folder_ + "/" + round.folder;
  const std::string beside = fs::path(checkpoint_).parent_path() / round.folder;
  std::error_code error;
  if (fs::is_directory(beside, error) && !fs::equivalent(beside, folder, error) && hash_of(folder) != hash_) {
    make_folder(folder);
    for (int64_t i = 0; i < masks_.size(); ++i) {
      const std::string from = made_label_file(beside, masks_.entry(i), i);
      if (!fs::exists(from, error)) continue;  // told below
      write_colored_labels(made_label_file(folder, masks_.entry(i), i), read_labels(from), mask_colors(config_),
                           OutputFile::Durability::synced);
    }
  }
  check<Refusal>(!hash_.empty() && hash_of(folder) == hash_,
                 "{}: these are not the label maps that {} was trained on (some are missing or were changed); put them "
                 "back, go on from a checkpoint of epoch {} or before, or begin anew in another TRAIN.save_path",
                 folder, checkpoint_, round.first_epoch);
  use(folder);
}

/// Of the maps in a folder; empty if one is missing or no label map.
std::string LabelRounds::hash_of(const std::string& folder) const {
  std::vector<uint64_t> hashes(static_cast<size_t>(masks_.size()));
  std::vector<char> whole(hashes.size());
  parallel_for(masks_.size(), [&](int64_t i) {
    try {
      hashes[static_cast<size_t>(i)] = hash_of_map(read_labels(made_label_file(folder, masks_.entry(i), i)));
      whole[static_cast<size_t>(i)] = 1;
    } catch (const Refusal&) {
      return;
    }
  });
  return std::all_of(whole.begin(), whole.end(), [](char one) { return one != 0; }) ? combined(hashes) : std::string();
}

void LabelRounds::use(const std::string& folder) {
  DatasetOptions options = masks_.options();
  options.made_labels = folder;
  made_ = std::make_unique<const Dataset>(std::move(options));
}

}  // namespace giza::train
