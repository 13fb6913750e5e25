// The pictures of a study on which its rows differ most.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/study/runner.h"

namespace giza::train {

/// A picture of the test list, and the pixel accuracy that each row has on it, the mean over its seeds; NaN for rows
/// without results.
struct DisputedPicture {
  int64_t index = 0;
  std::vector<double> accuracy;
  double range = 0;  ///< the highest less the lowest
};
/// At most `count`, those with the largest range first, then in the order of the list. None where fewer than two rows
/// have results.
std::vector<DisputedPicture> disputed_pictures(const StudyResult& result, size_t count);

/// The section of the page: input, truth, and what the networks of the first seed say.
std::string study_pictures_section(const StudyResult& result);

}  // namespace giza::train
