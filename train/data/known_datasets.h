// The data sets that are known by name: their classes, colours, and what the values of their label files mean.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/data/image/image.h"

namespace giza::train {

/// Facts about a data set as it is distributed.
struct KnownDataset {
  std::string_view name;   ///< as in DATA.dataset
  std::string_view title;  ///< as people write it
  int ignore_label;
  bool reduce_zero_label;  ///< raw 0 is "other", raw k is class k - 1
  std::span<const std::pair<int, int>>
      label_map;                            ///< raw value -> class, all others ignored; empty: values are classes
  std::span<const std::string_view> names;  ///< one per class
  std::span<const Color> colors;            ///< one per class
  std::span<const Color> void_colors;       ///< what colour masks have where nothing is labelled

  int classes() const { return static_cast<int>(names.size()); }
};

/// ade20k, voc2012, cityscapes, camvid. Sources: the authors' ade20k_names.txt and ade20k_colors.txt; the VOC
/// development kit's colour map; cityscapesScripts' labels.py; the SegNet split of CamVid.
std::span<const KnownDataset> known_datasets();
/// By its name; nullptr for any other, "list" included.
const KnownDataset* find_known_dataset(std::string_view name);
/// The data set whose names or colours file is called so in semseg, wherever it is kept: ".../ade20k_names.txt" ->
/// ade20k. nullptr for any other path.
const KnownDataset* known_by_file_name(std::string_view path);

/// PASCAL VOC's rule, which gives any number of classes colours far apart: bit j of channel c, from the highest, is bit
/// 3 j + c of the class.
Color voc_color(size_t index);
/// `colors` with voc_color for each further class, so that every class has one.
std::vector<Color> completed_colors(std::vector<Color> colors, size_t classes);

}  // namespace giza::train
