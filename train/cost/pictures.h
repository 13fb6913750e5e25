// What a plan can know of the pictures: how many, how large, and how long it takes to read and prepare them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/config/parts.h"
#include "train/eval/evaluator.h"

namespace giza::train {

/// A size that stands for some pictures of a list.
struct SizeGroup {
  PictureSize size;
  int64_t pictures = 0;
};

/// The pictures of one part of the data.
struct Pictures {
  int64_t count = 0;              ///< 0: unknown
  std::vector<SizeGroup> groups;  ///< of about equal numbers, by size; one size that was made up where none is known
  PictureSize largest;
  double mean_pixels = 0;
  std::string note;  ///< what could not be known, and why; empty if nothing

  PictureSize middle() const { return groups[groups.size() / 2].size; }
};

/// Reads the list and the headers of at most some hundred pictures, evenly from all of it. Without a list, or without
/// its files, `fallback` stands for all.
Pictures survey(const Config& config, Split split, PictureSize fallback);

/// Seconds per picture on one thread, over a few pictures from all of the list; 0 where they cannot be read.
struct DataTimes {
  double decode_s = 0;   ///< picture and labels from their files
  double augment_s = 0;  ///< to a training sample
  double judge_s = 0;    ///< decoding, and comparing a prediction with the labels, as `evaluate` does
  double masks_s = 0;    ///< writing a prediction as gray and colour masks, without the disk
};
DataTimes time_training_data(const Config& config);
DataTimes time_test_data(const Config& config, Split split);

}  // namespace giza::train
