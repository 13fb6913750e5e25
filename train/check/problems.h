// From what a data set holds to what is wrong or odd about it, and to settings that would make it fit.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "train/check/data_check.h"
#include "train/check/scan.h"

namespace giza::train {

/// One list, read, with what the report does not show.
struct PartFindings {
  PartReport report;
  std::vector<ListEntry> entries;
  std::vector<uint64_t> hashes;  ///< of the image files, 0 for those that could not be read
  std::multimap<std::pair<size_t, FileFault::Kind>, std::string> faults;  ///< by entry
  std::map<size_t, int> turned;  ///< entries whose images were turned by their EXIF orientation, 2 to 8
};

/// What the configuration's files say of the classes.
struct ClassFacts {
  std::vector<std::string> names;  ///< whatever their number; empty where there are none
  std::vector<Color> colors;
  std::string fault;  ///< why training or evaluation would refuse them; may be empty
};
/// Never throws for what is in the files: that becomes `fault`.
ClassFacts read_class_facts(const Config& config);

/// Faults first, then warnings, then notes.
std::vector<Problem> find_problems(const Config& config, const ClassFacts& facts,
                                   const std::vector<PartFindings>& parts, size_t examples);

/// Settings that would make the data fit, the likeliest first. Each was tried on the values of each list: all are classes or ignored, not all ignored, and
/// names and colours are as many as are wanted. Empty where the labels fit, or where no setting helps.
std::vector<Proposal> find_proposals(const Config& config, const ClassFacts& facts,
                                     const std::vector<PartFindings>& parts);

}  // namespace giza::train
