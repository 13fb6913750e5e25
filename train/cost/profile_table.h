// A profile as tables for a terminal of 120 columns.
#pragma once

#include <cstddef>
#include <string>

#include "train/cost/many_cores.h"
#include "train/cost/profile_summary.h"

namespace giza::train {

/// A number of at most three digits before or two behind the point: all that a measurement has.
std::string three_digits(double value);

/// Every kernel: calls, time, and how near it comes to the machine's peaks.
std::string kernel_table(const ProfileSummary& summary, const MachinePeak& peak);
/// The `limit` layers that take longest, forward, backward and update side by side; the rest in one line.
std::string layer_table(const ProfileSummary& summary, const MachinePeak& peak, size_t limit);
/// Cycles, instructions per cycle and cache misses of every kernel.
std::string counter_table(const ProfileSummary& summary);

/// What a step takes on many cores, kernel by kernel, and what of it is lost to what.
std::string cores_table(const CoresForecast& forecast);

/// Rows of cells as lines: the first column to the left, the others to the right, a line below the heading.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// Cells of the first column are cut to `first_width`. The last `left` columns are aligned to the left too.
  std::string text(size_t first_width, size_t left = 0) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace giza::train
