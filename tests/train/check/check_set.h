// Small data sets with known faults, for the tests of giza check.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tensor/random.h"
#include "tests/support/temp_folder.h"
#include "train/check/data_check.h"
#include "train/config/parts.h"
#include "train/data/dataset.h"

namespace giza::train {

/// Pictures of 12 x 10 with noise, and their label maps, by lists `train.txt` and `val.txt`.
class Set {
 public:
  explicit Set(int classes = 3) {
    text_ = fmt::format(
        "DATA:\n  data_root: {0}\n  train_list: {0}/train.txt\n  val_list: {0}/val.txt\n  classes: {1}\nTRAIN:\n"
        "  batch_size: 1\n  train_h: 9\n  train_w: 9\n",
        folder_.path(), classes);
  }

  std::string file(const std::string& name) const { return folder_.file(name); }

  /// Adds a picture of labels, which repeat over the pixels, to a list.
  void add(const std::string& list, const std::string& name, const std::vector<int>& values) {
    LabelMap labels(12, 10);
    for (size_t i = 0; i < labels.index.size(); ++i) labels.index[i] = static_cast<uint8_t>(values[i % values.size()]);
    write_labels(file(name + "_l.png"), labels);
    add_image(list, name);
  }
  void add_image(const std::string& list, const std::string& name) {
    Image image(12, 10);
    Random random(3, Purpose::test, 0, static_cast<uint32_t>(++count_));
    for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random.next_below(256));
    write_image(file(name + ".png"), image);
    lists_[list] += name + ".png " + name + "_l.png\n";
    write_bytes(file(list + ".txt"), lists_[list]);
  }

  Config config(const std::vector<std::string>& overrides = {}) const {
    return parse_config(text_, "set.yaml", overrides);
  }
  DataReport check(const std::vector<std::string>& overrides = {}) const {
    return check_data(config(overrides), {.examples = 5, .progress = false});
  }

  /// The first proposal, after checking that every one of them makes the set fit and train loads it.
  Proposal accepted(const std::vector<std::string>& overrides = {}) const {
    const DataReport before = check(overrides);
    CHECK(!before.ok());
    REQUIRE(!before.proposals.empty());
    for (const Proposal& proposal : before.proposals) {
      std::vector<std::string> with = overrides;
      for (const auto& [key, value] : proposal.settings) {
        const auto same = std::find(with.begin(), with.end(), key);
        if (same != with.end()) with.erase(same, same + 2);
        with.insert(with.end(), {key, value});
      }
      CAPTURE(proposal.reason);
      CAPTURE(report_text(check(with)));
      CHECK(check(with).ok());
      const Dataset dataset(dataset_options(config(with), Split::train));
      for (int64_t i = 0; i < dataset.size(); ++i) CHECK_NOTHROW(dataset.load(i));
    }
    return before.proposals[0];
  }

 private:
  TempFolder folder_;
  std::string text_;
  std::map<std::string, std::string> lists_;
  int count_ = 0;
};

using Settings = std::vector<std::pair<std::string, std::string>>;

inline const Problem* find_problem(const DataReport& report, const std::string& kind) {
  for (const Problem& problem : report.problems) {
    if (problem.kind == kind) return &problem;
  }
  return nullptr;
}

inline bool is_fault(const DataReport& report, const std::string& kind) {
  const Problem* problem = find_problem(report, kind);
  return problem != nullptr && problem->severity == Problem::Severity::fault;
}

}  // namespace giza::train
