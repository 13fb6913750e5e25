// From what a data set holds to what is wrong or odd about it, and to settings that would make it fit.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "train/check/data_check.h"
#include "train/check/scan.h"

namespace giza::train {

/// What some entries of a list show: how many, and the first ones, in whatever order they are added.
template <class T>
struct FirstFew {
  int64_t count = 0;
  std::multimap<size_t, T> first;  ///< by entry

  void add(size_t entry, T value, size_t most) {
    ++count;
    first.emplace(entry, std::move(value));
    if (first.size() > most) first.erase(std::prev(first.end()));
  }
};

/// One list, read, with what the report does not show.
struct PartFindings {
  PartReport report;
  std::vector<ListEntry> entries;
  std::vector<uint64_t> hashes;  ///< of the image files, 0 for those that could not be read
  std::map<FileFault::Kind, FirstFew<std::string>> faults;
  FirstFew<int> turned;         ///< images that were turned by their EXIF orientation, 2 to 8
  FirstFew<int> turned_labels;  ///< label files likewise
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

/// Settings that would make the data fit, the likeliest first. Each was tried on the values of each list: all are
/// classes or ignored, not all ignored, and names and colours are as many as are wanted. Empty where the labels fit, or
/// where no setting helps.
std::vector<Proposal> find_proposals(const Config& config, const ClassFacts& facts,
                                     const std::vector<PartFindings>& parts);

}  // namespace giza::train
