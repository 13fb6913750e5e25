// A data set: a list of pictures with their label maps, read, checked and kept in memory as far as a budget goes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/data/image.h"
#include "train/data/list.h"

namespace giza::train {

/// What each raw value of a label file stands for in training.
using LabelTable = std::array<uint8_t, 256>;
/// value - 1, and 0 becomes `ignore` (ADE20K's challenge files); `ignore` itself stays.
LabelTable subtract_one_table(int ignore_label);
/// The given raw -> class pairs; every other raw value becomes `ignore`. Throws Refusal for values outside [0, 255].
LabelTable mapping_table(const std::vector<std::pair<int, int>>& pairs, int ignore_label);

/// A picture with its labels, after the label table, checked.
struct Pair {
  Image image;
  LabelMap labels;
};

struct DatasetOptions {
  std::string data_root;
  std::string list;  ///< list file
  int classes = 0;
  int ignore_label = 255;                  ///< 0 to 255
  std::optional<LabelTable> label_table;   ///< none: file values are class indices
  int64_t cache_bytes = int64_t{1} << 30;  ///< decoded pictures kept in memory; 0 keeps none
};

/// Pictures by index. Thread-safe.
class Dataset {
 public:
  /// Reads the list and checks that its files exist. Throws Refusal naming the list and line.
  explicit Dataset(DatasetOptions options);

  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  const ListEntry& entry(int64_t index) const { return entries_[static_cast<size_t>(index)]; }
  const DatasetOptions& options() const { return options_; }

  /// Picture and labels number `index`, from memory where it was read before and the budget allowed keeping it.
  /// Throws Refusal for a bad file, sizes that differ, and a label outside [0, classes) that is not ignored
  /// (with file, x, y and value).
  std::shared_ptr<const Pair> load(int64_t index) const;

 private:
  DatasetOptions options_;
  std::vector<ListEntry> entries_;
  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<const Pair>> cache_;
  mutable int64_t cached_bytes_ = 0;
};

/// Reads one pair outside of a data set, as Dataset::load does.
Pair read_pair(const ListEntry& entry, const DatasetOptions& options);

}  // namespace giza::train
