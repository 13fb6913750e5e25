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

#include "train/data/image/image.h"
#include "train/data/label_colors.h"
#include "train/data/layout.h"
#include "train/data/list.h"
#include "train/data/weak_labels.h"

namespace giza::train {

/// What each raw value of a label file stands for in training.
using LabelTable = std::array<uint8_t, 256>;
/// value - 1, and 0 becomes `ignore` (ADE20K's challenge files); `ignore` itself stays.
LabelTable subtract_one_table(int ignore_label);
/// The given raw -> class pairs, -1 standing for `ignore`; every other raw value becomes `ignore`. Throws Refusal for
/// values outside [0, 255].
LabelTable mapping_table(const std::vector<std::pair<int, int>>& pairs, int ignore_label);

/// A picture with its labels, after the label table, checked. Of a picture of one class they are 1x1.
struct Pair {
  Image image;
  LabelMap labels;
};

struct DatasetOptions {
  std::string data_root;
  std::string list;          ///< list file; with a layout: empty
  std::string layout;        ///< name of a known data set, whose folders below data_root are the list; or kClassFolders
  Split split = Split::val;  ///< with a layout: which part of it
  bool whole_picture = false;  ///< each picture has one class, and a label map of 1x1
  std::vector<std::string>
      class_names;  ///< of kClassFolders: the folders' names, in the order of the classes, if known
  int classes = 0;
  int ignore_label = 255;                 ///< 0 to 255
  std::optional<LabelTable> label_table;  ///< none: file values are class indices
  bool table_spares_train_ids = false;    ///< the table is for Cityscapes' labelIds; labelTrainIds files are classes
  std::string label_colors;               ///< not empty: label files hold colours, see LabelColors
  WeakLabels weak;                        ///< what a training set's labels are made coarser by; nothing by default
  std::string
      made_labels;  ///< folder of the label maps (made_label_file) that take the place of weakened ones; or empty
  int64_t cache_bytes = int64_t{1} << 30;  ///< decoded pictures kept in memory; 0 keeps none
};

/// Where the pictures are listed, for messages: the list file, or the folder of a layout.
std::string listing_place(const DatasetOptions& options);
/// The pictures of the list or layout, whose files may be missing. A layout's choices go to `note`, if given. Throws
/// Refusal for a bad list or layout.
std::vector<ListEntry> list_pictures(const DatasetOptions& options, LabelColumn column = LabelColumn::required,
                                     std::string* note = nullptr);
/// The table for one picture's label file; nullptr where its values are class indices.
const LabelTable* table_for(const ListEntry& entry, const DatasetOptions& options);
/// The values of a label file before the label table: its indices, or what its colours stand for if `colors` is given.
LabelMap read_raw_labels(const std::string& path, const LabelColors* colors);

/// "FOLDER/000012_NAME.png": the file in a folder of made label maps for picture 12, counted from 1.
std::string made_label_file(const std::string& folder, const ListEntry& entry, int64_t index);

/// The values of an entry's label file after the label table, unchecked.
LabelMap mapped_labels(const ListEntry& entry, const DatasetOptions& options, const LabelColors* colors);

/// What is wrong where labels have another size than their image, both {width, height}. Names the EXIF orientation that
/// the image was turned by, if the labels fit it as it is stored.
std::string size_mismatch(const ListEntry& entry, std::array<int, 2> image, std::array<int, 2> labels, int orientation);

/// Reads one pair outside of a data set, checked as by Dataset::load. `colors` as in read_raw_labels.
Pair read_pair(const ListEntry& entry, const DatasetOptions& options, const LabelColors* colors = nullptr);

/// Pictures by index. Thread-safe.
class Dataset {
 public:
  /// Reads the list and checks that its files exist. Throws Refusal naming the list and line.
  explicit Dataset(DatasetOptions options);

  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  const ListEntry& entry(int64_t index) const { return entries_[static_cast<size_t>(index)]; }
  const std::vector<ListEntry>& entries() const { return entries_; }
  const DatasetOptions& options() const { return options_; }
  /// What a layout chose or passed over; empty where there is nothing to say.
  const std::string& note() const { return note_; }

  /// The label map of picture `index` as the file has it, before the label table and unchecked.
  LabelMap raw_labels(int64_t index) const;
  /// See table_for.
  const LabelTable* table(int64_t index) const { return table_for(entry(index), options_); }
  /// The labels that training sees of picture `index`: after the label table and weakened, but unchecked; not those of
  /// options().made_labels.
  LabelMap training_labels(int64_t index) const;

  /// Picture and labels number `index`, weakened by options().weak or from options().made_labels; from memory where it
  /// was read before and the budget allowed keeping it. Throws Refusal for a bad file, sizes that differ, and a label
  /// outside [0, classes) that is not ignored (with file, x, y and value).
  std::shared_ptr<const Pair> load(int64_t index) const;
  /// The same as the files have it, not weakened and not kept in memory.
  Pair unweakened(int64_t index) const { return read_pair(entry(index), options_, colors_.get()); }

 private:
  LabelMap weak_labels(int64_t index, const Pair& pair) const;

  DatasetOptions options_;
  std::unique_ptr<const LabelColors> colors_;  // nullptr: label files hold indices
  std::vector<ListEntry> entries_;
  std::string note_;
  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<const Pair>> cache_;
  mutable int64_t cached_bytes_ = 0;
};

}  // namespace giza::train
