// A data set: a list of pictures with their label maps, read, checked and kept in memory as far as a budget goes.
#include "train/data/dataset.h"

#include <algorithm>
#include <filesystem>

#include "tensor/base/check.h"
#include "train/data/class_folders.h"
#include "train/data/image/exif.h"

namespace giza::train {
namespace {

void check_ignore_label(int ignore_label) {
  check<Refusal>(ignore_label >= 0 && ignore_label <= 255, "ignore label {}, expected 0 to 255", ignore_label);
}

/// Refuses the first label, in reading order, that is neither a class nor ignored.
void check_labels(const ListEntry& entry, const LabelMap& raw, const LabelMap& labels, const DatasetOptions& options) {
  std::array<bool, 256> allowed{};
  std::fill_n(allowed.begin(), std::min(options.classes, 256), true);
  allowed[static_cast<size_t>(options.ignore_label)] = true;
  const auto bad = std::find_if(labels.index.begin(), labels.index.end(), [&](uint8_t v) { return !allowed[v]; });
  if (bad == labels.index.end()) return;
  const auto place = static_cast<int>(bad - labels.index.begin());
  const int x = place % labels.width;
  const int y = place / labels.width;
  const std::string mapped =
      table_for(entry, options) != nullptr ? fmt::format(" (class {} by the label mapping)", *bad) : std::string();
  throw Refusal(
      fmt::format("{}: label {}{} at x {}, y {}; expected 0 to {}, or {} for ignored pixels; check "
                  "DATA.classes, TRAIN.ignore_label and the label mapping, or let `giza check` find what fits",
                  entry.label, raw.at(x, y), mapped, x, y, options.classes - 1, options.ignore_label));
}

}  // namespace

LabelTable subtract_one_table(int ignore_label) {
  check_ignore_label(ignore_label);
  const auto ignore = static_cast<uint8_t>(ignore_label);
  LabelTable table{};
  for (size_t value = 0; value < table.size(); ++value) {
    table[value] = value == 0 || value == ignore ? ignore : static_cast<uint8_t>(value - 1);
  }
  return table;
}

LabelTable mapping_table(const std::vector<std::pair<int, int>>& pairs, int ignore_label) {
  check_ignore_label(ignore_label);
  LabelTable table{};
  table.fill(static_cast<uint8_t>(ignore_label));
  for (const auto& [from, to] : pairs) {
    check<Refusal>(from >= 0 && from <= 255 && to >= -1 && to <= 255,
                   "label mapping: {}: {}, expected values from 0 to 255, or to -1 for ignored", from, to);
    table[static_cast<size_t>(from)] = static_cast<uint8_t>(to < 0 ? ignore_label : to);
  }
  return table;
}

std::string listing_place(const DatasetOptions& options) {
  if (options.layout.empty()) return options.list;
  return fmt::format("{} ({}, {})", options.data_root, options.layout, split_name(options.split));
}

namespace {

/// A list that is not there: whoever has semseg's configuration and the data set, but not the authors' lists, can do
/// without them.
void check_list_exists(const DatasetOptions& options) {
  std::error_code error;
  if (std::filesystem::exists(options.list, error)) return;
  for (const KnownDataset& known : known_datasets()) {
    const bool meant =
        options.list.find(known.name) != std::string::npos || options.data_root.find(known.name) != std::string::npos;
    if (!meant) continue;
    throw Refusal(fmt::format(
        "{}: cannot be found; write it ('IMAGE LABEL' per line), or read the folders of {} as they are distributed: "
        "DATA.dataset {} DATA.data_root DIR DATA.train_list '' DATA.val_list '' TEST.test_list '' DATA.names_path '' "
        "DATA.colors_path ''",
        options.list, known.title, known.name));
  }
}

}  // namespace

std::vector<ListEntry> list_pictures(const DatasetOptions& options, LabelColumn column, std::string* note) {
  if (options.layout.empty()) {
    check_list_exists(options);
    if (options.whole_picture) return read_class_list(options.list, options.data_root, options.classes, column);
    return read_list(options.list, options.data_root, column);
  }
  const KnownDataset* known = find_known_dataset(options.layout);
  check<Error>(known != nullptr || options.layout == kClassFolders, "no data set {} is known", options.layout);
  Layout layout = known == nullptr
                      ? read_class_folders(options.data_root, options.split, options.classes, options.class_names)
                      : read_layout(*known, options.data_root, options.split);
  if (note != nullptr) *note = std::move(layout.note);
  return std::move(layout.entries);
}

const LabelTable* table_for(const ListEntry& entry, const DatasetOptions& options) {
  if (!options.label_table) return nullptr;
  return options.table_spares_train_ids && holds_train_ids(entry.label) ? nullptr : &*options.label_table;
}

LabelMap read_raw_labels(const std::string& path, const LabelColors* colors) {
  if (colors != nullptr) check_color_depth(path, *colors);
  return colors == nullptr ? read_labels(path) : labels_from_colors(path, read_image(path), *colors);
}

namespace {

/// The label map of a picture that has one class as a whole.
LabelMap one_label(int label) { return {1, 1, static_cast<uint8_t>(label)}; }

void apply_table(const ListEntry& entry, const DatasetOptions& options, LabelMap& labels) {
  const LabelTable* table = table_for(entry, options);
  if (table == nullptr) return;
  for (uint8_t& value : labels.index) value = (*table)[value];
}

}  // namespace

LabelMap mapped_labels(const ListEntry& entry, const DatasetOptions& options, const LabelColors* colors) {
  if (entry.picture_class >= 0) return one_label(entry.picture_class);
  LabelMap labels = read_raw_labels(entry.label, colors);
  apply_table(entry, options, labels);
  return labels;
}

std::string size_mismatch(const ListEntry& entry, std::array<int, 2> image, std::array<int, 2> labels,
                          int orientation) {
  const bool fits_stored = swaps_sides(orientation) && labels[0] == image[1] && labels[1] == image[0];
  return fmt::format("{}: {} x {}, but its image {} is {} x {}{}; expected the same size", entry.label, labels[0],
                     labels[1], entry.image, image[0], image[1],
                     fits_stored ? fmt::format(", turned by its EXIF orientation {} as OpenCV does it: turn the labels "
                                               "too, or take the orientation out of the image",
                                               orientation)
                                 : std::string());
}

Pair read_pair(const ListEntry& entry, const DatasetOptions& options, const LabelColors* colors) {
  if (entry.picture_class >= 0) return {read_image(entry.image), one_label(entry.picture_class)};
  check<Refusal>(!entry.label.empty(), "{}: has no label file in its list; expected 'IMAGE LABEL'", entry.image);
  Pair pair;
  pair.image = read_image(entry.image);
  const LabelMap raw = read_raw_labels(entry.label, colors);
  if (raw.width != pair.image.width || raw.height != pair.image.height) {
    throw Refusal(
        size_mismatch(entry, {pair.image.width, pair.image.height}, {raw.width, raw.height}, pair.image.orientation));
  }
  pair.labels = raw;
  apply_table(entry, options, pair.labels);
  check_labels(entry, raw, pair.labels, options);
  return pair;
}

Dataset::Dataset(DatasetOptions options) : options_(std::move(options)) {
  check<Refusal>(options_.classes >= 1 && options_.classes <= 256,
                 "{}: DATA.classes is {}, expected 1 to 256 (labels are bytes)", listing_place(options_),
                 options_.classes);
  check_ignore_label(options_.ignore_label);
  if (!options_.label_colors.empty()) {
    colors_ = std::make_unique<LabelColors>(options_.label_colors, options_.ignore_label);
  }
  entries_ = list_pictures(options_, LabelColumn::required, &note_);
  check_list_files(listing_place(options_), entries_, options_.data_root);
  cache_.resize(entries_.size());
}

LabelMap Dataset::training_labels(int64_t index) const {
  LabelMap labels = mapped_labels(entry(index), options_, colors_.get());
  return is_weak(options_.weak, index) ? weakened(labels, options_.weak, options_.ignore_label) : labels;
}

std::string made_label_file(const std::string& folder, const ListEntry& entry, int64_t index) {
  return fmt::format("{}/{:06}_{}.png", folder, index + 1, output_name(entry));
}

LabelMap Dataset::raw_labels(int64_t index) const {
  const ListEntry& at = entry(index);
  return at.picture_class >= 0 ? one_label(at.picture_class) : read_raw_labels(at.label, colors_.get());
}

/// Of a pair as the files have it.
LabelMap Dataset::weak_labels(int64_t index, const Pair& pair) const {
  if (options_.made_labels.empty()) return weakened(pair.labels, options_.weak, options_.ignore_label);
  ListEntry made = entry(index);
  made.label = made_label_file(options_.made_labels, made, index);
  LabelMap labels = read_labels(made.label);
  if (labels.width != pair.image.width || labels.height != pair.image.height) {
    throw Refusal(size_mismatch(made, {pair.image.width, pair.image.height}, {labels.width, labels.height}, 0));
  }
  DatasetOptions plain = options_;  // what a run made has classes, whatever the label files hold
  plain.label_table.reset();
  check_labels(made, labels, labels, plain);
  return labels;
}

std::shared_ptr<const Pair> Dataset::load(int64_t index) const {
  const auto place = static_cast<size_t>(index);
  {
    const std::lock_guard lock(mutex_);
    if (cache_[place]) return cache_[place];
  }
  Pair fresh = unweakened(index);
  if (is_weak(options_.weak, index)) fresh.labels = weak_labels(index, fresh);
  auto pair = std::make_shared<const Pair>(std::move(fresh));
  const auto bytes = static_cast<int64_t>(pair->image.rgb.size() + pair->labels.index.size());
  const std::lock_guard lock(mutex_);
  // What is in stays in: epochs pass over all pictures, so replacing the oldest would keep nothing until it is needed.
  if (!cache_[place] && cached_bytes_ + bytes <= options_.cache_bytes) {
    cache_[place] = pair;
    cached_bytes_ += bytes;
  }
  return pair;
}

}  // namespace giza::train
