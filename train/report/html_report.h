// report.html: what a run or an evaluation came to, as one file that a browser shows without anything else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/eval/evaluator.h"
#include "train/report/run_history.h"

namespace giza::train {

/// One key of the configuration.
struct ReportSetting {
  std::string section, key, value;
  std::string default_value;
  bool changed = false;  ///< value differs from the default
};

/// A list file of a data set.
struct ReportList {
  std::string role;  ///< "training", "validation", "test"
  std::string path;
  int64_t entries = 0;
  std::string hash;  ///< of its bytes
};

/// A line of the tables of the machine and the time.
struct ReportFact {
  std::string name, value;
};

/// Everything on the page. All texts are plain: the page escapes them.
struct ReportData {
  std::string title;                 ///< the run's name
  std::string kind;                  ///< "training" or "evaluation"
  std::vector<std::string> summary;  ///< short phrases under the title
  RunHistory history;                ///< of the training, empty where it is not known

  const Evaluation* evaluation = nullptr;  ///< null: there was none
  std::string evaluation_name;             ///< "Test protocol", "Validation during training, epoch 5"
  bool whole_pictures = false;             ///< the network gives a picture one class
  bool is_validation = false;              ///< the evaluation is the history's last validation
  std::vector<Color> colors;               ///< of the classes; colours are made where it is too short
  int ignore_label = 255;

  std::vector<ReportSetting> settings;
  std::string config_text;          ///< the resolved configuration, YAML
  std::vector<std::string> unused;  ///< keys without a meaning here
  std::vector<ReportList> lists;
  std::vector<ReportFact> machine;
  std::vector<ReportFact> time;
  std::string command;  ///< that makes all this again
  std::string written;  ///< when
};

/// The page: UTF-8, no address outside of it, and no more than about 3 MB, for many classes and pictures too. All of it
/// can be read without JavaScript, which adds sorting and readouts.
std::string html_report(const ReportData& data);

}  // namespace giza::train
