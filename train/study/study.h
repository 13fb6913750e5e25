// The experiments of the paper as tables of trainings: which rows there are, and what sets each apart.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace giza::train {

/// What somebody else measured on their data, in percent.
struct Published {
  double miou = 0, all_acc = 0;  ///< NaN where it was not told
};

/// A line of the table: a training, and a test of its weights. Rows of one `training` share it, and have equal `train`.
struct StudyRow {
  std::string name;                ///< its folder, where the test's results are kept
  std::string title;               ///< "B1 + AVE"
  std::string training;            ///< the folder of the training
  std::vector<std::string> train;  ///< KEY VALUE ...: what differs from the base in DATA and TRAIN
  std::vector<std::string> test;   ///< the same in TEST
  std::optional<Published> paper;
  /// Rows of one group are compared with one another, ours and the published ones, and differences are taken from its
  /// first. Without a word all rows are one.
  std::string group = {};
  double labels = 1;        ///< part of the training list, its beginning; passed over as many times more: equal steps
  bool pretrained = false;  ///< begins from the data's classifier, trained with the same seed
};

struct Study {
  std::string name;               ///< "table1"
  std::string title;              ///< "Pooling (Table 1)"
  std::string source;             ///< what the published column is: data, network, protocol; empty: there is none
  std::string note;               ///< what a reader of the table has to know besides; may be empty
  std::vector<std::string> base;  ///< KEY VALUE ... for all rows, over the configuration of the data
  std::vector<StudyRow> rows;
};

/// Which networks there is time for. The data sets that giza brings a small configuration for have a small trunk; a
/// configuration of the user's own keeps its trunk.
enum class StudyScale { small, own };

/// All studies in the order of the paper.
std::vector<Study> studies(StudyScale scale);
/// Throws Refusal for a name that none has.
Study find_study(const std::string& name, StudyScale scale);
/// A line "NAME  title" for each, for a help text.
std::string study_list();

}  // namespace giza::train
