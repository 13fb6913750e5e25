// A data set: a list of pictures with their label maps, read, checked and kept in memory as far as a budget goes.
#include "train/data/dataset.h"

#include <algorithm>

#include "tensor/check.h"

namespace giza::train {
namespace {

void check_ignore_label(int ignore_label) {
  check<Refusal>(ignore_label >= 0 && ignore_label <= 255, "ignore label {}, expected 0 to 255", ignore_label);
}

/// Refuses the first label, in reading order, that is neither a class nor ignored.
void check_labels(const std::string& path, const LabelMap& raw, const LabelMap& labels, const DatasetOptions& options) {
  std::array<bool, 256> allowed{};
  std::fill_n(allowed.begin(), std::min(options.classes, 256), true);
  allowed[static_cast<size_t>(options.ignore_label)] = true;
  const auto bad = std::find_if(labels.index.begin(), labels.index.end(), [&](uint8_t v) { return !allowed[v]; });
  if (bad == labels.index.end()) return;
  const auto place = static_cast<int>(bad - labels.index.begin());
  const int x = place % labels.width;
  const int y = place / labels.width;
  const std::string mapped =
      options.label_table ? fmt::format(" (class {} by the label mapping)", *bad) : std::string();
  throw Refusal(
      fmt::format("{}: label {}{} at x {}, y {}; expected 0 to {}, or {} for ignored pixels; check "
                  "DATA.classes, TRAIN.ignore_label and the label mapping",
                  path, raw.at(x, y), mapped, x, y, options.classes - 1, options.ignore_label));
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
    check<Refusal>(from >= 0 && from <= 255 && to >= 0 && to <= 255,
                   "label mapping: {}: {}, expected values from 0 to 255", from, to);
    table[static_cast<size_t>(from)] = static_cast<uint8_t>(to);
  }
  return table;
}

Pair read_pair(const ListEntry& entry, const DatasetOptions& options) {
  check<Refusal>(!entry.label.empty(), "{}: has no label file in its list; expected 'IMAGE LABEL'", entry.image);
  Pair pair;
  pair.image = read_image(entry.image);
  const LabelMap raw = read_labels(entry.label);
  check<Refusal>(raw.width == pair.image.width && raw.height == pair.image.height,
                 "{}: has {} x {} pixels, its image {} has {} x {}; expected the same size", entry.label, raw.width,
                 raw.height, entry.image, pair.image.width, pair.image.height);
  pair.labels = raw;
  if (options.label_table) {
    for (uint8_t& value : pair.labels.index) value = (*options.label_table)[value];
  }
  check_labels(entry.label, raw, pair.labels, options);
  return pair;
}

Dataset::Dataset(DatasetOptions options) : options_(std::move(options)) {
  check<Refusal>(options_.classes >= 1 && options_.classes <= 256,
                 "{}: DATA.classes is {}, expected 1 to 256 (labels are bytes)", options_.list, options_.classes);
  check_ignore_label(options_.ignore_label);
  entries_ = read_list(options_.list, options_.data_root);
  check_list_files(options_.list, entries_);
  cache_.resize(entries_.size());
}

std::shared_ptr<const Pair> Dataset::load(int64_t index) const {
  const auto place = static_cast<size_t>(index);
  {
    const std::lock_guard lock(mutex_);
    if (cache_[place]) return cache_[place];
  }
  auto pair = std::make_shared<const Pair>(read_pair(entries_[place], options_));
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
