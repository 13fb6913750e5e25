// A first configuration for somebody's own pictures.
#include "train/check/starter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"
#include "train/config/yaml.h"
#include "train/data/folder.h"
#include "train/data/image/image.h"
#include "train/data/list.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

constexpr int kIgnore = 255;

struct FoundPair {
  std::string image, mask;
};

/// The mask of a picture; empty where there is none.
std::string mask_of(const StarterOptions& options, const fs::path& image) {
  const fs::path stem = fs::path(options.labels) / image.lexically_relative(options.images).replace_extension();
  for (const char* end : {".png", "_label.png", "_mask.png", "_L.png"}) {
    std::string path = stem.string() + end;
    if (path != image.string() && is_file(path)) return path;
  }
  return {};
}

/// Largest class of a mask, -1 where all is ignored.
int largest_class(const std::string& path) {
  const LabelMap labels = read_labels(path);
  int largest = -1;
  for (const uint8_t value : labels.index) {
    if (value != kIgnore) largest = std::max(largest, int{value});
  }
  return largest;
}

std::string list_text(const std::vector<FoundPair>& pairs) {
  std::string text;
  for (const FoundPair& pair : pairs) {
    for (const std::string& path : {pair.image, pair.mask}) {
      check<Refusal>(path.find_first_of("\t\r\n") == std::string::npos && path.front() != '#' && path.front() != '"' &&
                         path.front() != '\'' && trimmed(path) == path && !path.starts_with("\xEF\xBB\xBF"),
                     "{}: a list cannot hold paths with tabs or line ends, nor any that begin with #, a quote or a "
                     "byte order mark, "
                     "nor blanks at an end; rename it",
                     quotable(path));
    }
    text += pair.image + "\t" + pair.mask + "\n";
  }
  return text;
}

/// A crop that fits most pictures: at most `side`, one more than a multiple of 8.
int crop_side(int length, int side) { return std::max(33, (std::min(length, side) - 1) / 8 * 8 + 1); }

std::string configuration(const StarterOptions& options, const Starter& starter) {
  const auto path = [&](const char* name) { return yaml_quoted((fs::path(options.folder) / name).string()); };
  const int crop_h = crop_side(starter.height, 241), crop_w = crop_side(starter.width, 321);
  return fmt::format(
      R"(# A small PSPNet for the pictures of {images}, made by `giza init`. Every key is in docs/configuration.md.
# Read the data first:  giza check --config {config}
# How long will it take? giza plan --config {config}
DATA:
  data_root: ''             # the lists hold whole paths
  train_list: {train}
  val_list: {val}
  classes: {classes}
  names_path: {names}

TRAIN:
  arch: psp
  layers: 18                # 50 for the paper's smallest network
  width: 0.5                # of every layer; 1 for the paper's
  train_h: {crop_h}               # the crop: larger ones see more context and take longer
  train_w: {crop_w}
  ignore_label: 255         # pixels of the masks that are no class
  class_weights: balanced   # rare classes count more
  batch_size: {batch}
  base_lr: 0.02
  new_layer_lr: 1           # 10 where the backbone starts from trained weights (TRAIN.weight)
  epochs: 50
  evaluate: true            # validate as training goes on
  eval_freq: 5
  save_freq: 5
  save_path: {run}

TEST:
  test_list: {val}
  split: val
  base_size: 0              # pictures as large as they are
  whole_image: true         # and whole, not cut into tiles
  test_h: {crop_h}
  test_w: {crop_w}
  model_path: {weights}
  save_folder: {results}
)",
      fmt::arg("images", quotable(options.images)), fmt::arg("config", quotable(starter.config)),
      fmt::arg("train", path("train.txt")), fmt::arg("val", path("val.txt")), fmt::arg("classes", starter.classes),
      fmt::arg("names", path("names.txt")), fmt::arg("batch", std::min<int64_t>(4, starter.train)),
      fmt::arg("crop_h", crop_h), fmt::arg("crop_w", crop_w), fmt::arg("run", path("run")),
      fmt::arg("weights", path("run/last.safetensors")), fmt::arg("results", path("run/val")));
}

void check_new(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (status.type() == fs::file_type::not_found) return;
  check<Refusal>(status.type() == fs::file_type::directory && fs::is_empty(folder, error),
                 "{}: is there already, expected the name of a new folder", folder.string());
}

}  // namespace

Starter write_starter(const StarterOptions& options) {
  check<Refusal>(!options.folder.empty(), "the folder has no name, expected that of a new one");
  check_new(options.folder);
  Starter starter;
  std::vector<FoundPair> train, val;
  std::vector<std::array<int, 2>> sizes;
  int largest = -1;
  for (const std::string& image_path : pictures_below(options.images, &starter.others)) {
    const fs::path image = image_path;
    const std::string mask = mask_of(options, image);
    if (mask.empty()) {
      // Where both are in one folder, masks are no pictures without one.
      if (options.images != options.labels) starter.without_mask.push_back(image.string());
      continue;
    }
    largest = std::max(largest, largest_class(mask));
    const auto [width, height] = read_image_size(image.string());
    sizes.push_back({height, width});
    const bool held_out = static_cast<int>(sizes.size()) % options.val_every == 0;
    (held_out ? val : train).push_back({image.string(), mask});
  }
  check<Refusal>(!sizes.empty(),
                 "{}: none of the pictures of {} has a mask there; expected a PNG of the same name for each",
                 options.labels, options.images);
  check<Refusal>(
      largest >= 1,
      "{}: the masks hold no class but 0; where {} stands for class 1, save it as 1: {} means a pixel without "
      "a label",
      options.labels, kIgnore, kIgnore);
  if (val.empty()) val.push_back(train.back());  // too few pictures to hold any out: at least the figures can be seen
  starter.train = static_cast<int64_t>(train.size());
  check<Refusal>(starter.train >= 2, "{}: {} with a mask to train on, expected 2 or more (--val-every {})",
                 options.images, counted(starter.train, "picture"), options.val_every);
  starter.val = static_cast<int64_t>(val.size());
  std::nth_element(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2), sizes.end());
  starter.height = sizes[sizes.size() / 2][0];
  starter.width = sizes[sizes.size() / 2][1];

  std::vector<std::string> names;
  if (!options.names.empty()) names = read_names(options.names);
  starter.classes = largest + 1;
  check<Refusal>(names.empty() || static_cast<int>(names.size()) >= starter.classes,
                 "{}: has {} names, but the masks hold class {}; expected a name for each of the {} classes",
                 options.names, names.size(), largest, starter.classes);
  if (!names.empty()) starter.classes = static_cast<int>(names.size());
  for (int c = static_cast<int>(names.size()); c < starter.classes; ++c) names.push_back(fmt::format("class {}", c));

  const std::string train_text = list_text(train), val_text = list_text(val);
  const fs::path folder = options.folder;
  make_folder(folder.string());
  starter.config = (folder / "config.yaml").string();
  std::string name_text;
  for (const std::string& name : names) name_text += name + "\n";
  write_file((folder / "train.txt").string(), train_text);
  write_file((folder / "val.txt").string(), val_text);
  write_file((folder / "names.txt").string(), name_text);
  write_file(starter.config, configuration(options, starter));
  return starter;
}

}  // namespace giza::train
