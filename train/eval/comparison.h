// Several networks' results on one data set side by side: a table, and sheets of pictures.
#pragma once

#include <string>
#include <vector>

#include "train/data/dataset.h"
#include "train/eval/evaluator.h"

namespace giza::train {

/// One column: the results of `giza eval` with saved masks.
struct ComparedRun {
  std::string name;
  std::string folder;  ///< its TEST.save_folder: label images of the data set's pictures in FOLDER/gray
};

struct Comparison {
  std::vector<ComparedRun> runs;
  std::vector<Evaluation> evaluations;  ///< one per run
};

/// Counts the saved label images against the truth. Throws as evaluate() does; a run's pictures must all be there.
Comparison compare_runs(std::vector<ComparedRun> runs, const Dataset& dataset, const EvaluateOptions& options);

/// Classes whose mean is told apart from the rest.
struct ClassGroup {
  std::string name;
  std::vector<int> classes;
};
/// "NAME=CLASS,CLASS,..." with class names -> group. Throws Refusal for another form or a name that is not in `names`.
ClassGroup parse_class_group(const std::string& text, const std::vector<std::string>& names);

/// Mean IoU in percent of some classes.
double group_miou(const Evaluation& evaluation, const std::vector<int>& classes);

/// IoU in percent by class and run, then the means of each group, of the classes in no group, and of all; with two runs
/// a last column holds the second less the first.
std::string comparison_table(const Comparison& comparison, const std::vector<ClassGroup>& groups);

struct SheetOptions {
  int pictures = 12;    ///< spread evenly over the data set, so that nobody chose them
  int rows = 6;         ///< pictures on a sheet
  double weight = 0.7;  ///< of the class colours over the picture
  std::vector<std::string> names;
  std::vector<Color> colors;
};
/// Writes FOLDER/sheet_01.png, ...: a row per picture with input, truth, and each run's answer, and a legend of the
/// classes. Returns their paths.
std::vector<std::string> write_comparison_sheets(const Comparison& comparison, const Dataset& dataset,
                                                 const std::string& folder, const SheetOptions& options);

/// Writes FOLDER/groups.png: for each group the picture in which the last run gets the most more of the group's pixels
/// right than the first, with a title that says how many. A group that no picture shows has no row. Returns the path,
/// empty where there is nothing to write.
std::string write_group_sheet(const Comparison& comparison, const std::vector<ClassGroup>& groups,
                              const Dataset& dataset, const std::string& folder, const SheetOptions& options);

}  // namespace giza::train
