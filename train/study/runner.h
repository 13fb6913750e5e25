// Runs a study: each row and seed is an ordinary training in a folder of its own, and an ordinary test of its weights.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/study/study.h"
#include "train/study/study_data.h"

namespace giza::train {

struct StudyOptions {
  std::string out;         ///< the study's folder
  int seeds = 3;           ///< trainings of each row
  int64_t first_seed = 1;  ///< TRAIN.manual_seed of the first; the others follow
};

/// A row with one seed.
struct SeedResult {
  int64_t seed = 0;
  std::string folder;                                                      ///< of the training
  double miou = std::numeric_limits<double>::quiet_NaN(), all_acc = miou;  ///< shares; NaN: none
  std::vector<double> picture_acc;  ///< pixel accuracy of each picture, in the order of the list
  std::string failure;              ///< why there is none: what the training that diverged said
};

struct RowResult {
  StudyRow row;
  Config config;           ///< of the first seed
  int64_t parameters = 0;  ///< of the network that is tested, which has no auxiliary head
  double macs = 0;         ///< multiply-adds of its pass over a tile of TEST.test_h x test_w
  double train_macs = 0;   ///< of a forward pass over a training crop, with the auxiliary head
  std::vector<SeedResult> seeds;
};

struct StudyResult {
  Study study;
  StudyData data;
  StudyOptions options;
  std::string protocol;         ///< of the first row's test
  std::vector<RowResult> rows;  ///< with the results that there are so far
};

/// The configuration of a row's training with a seed, and of its test. Throws Refusal where the user's settings of the
/// data's configuration name a key that tells the study's rows apart.
Config row_config(const Study& study, const StudyData& data, const StudyRow& row, const std::string& out, int64_t seed);

/// The training of the classifier that a study's pretrained rows of a seed begin from. The data has things.
Config pretraining_config(const StudyData& data, const std::string& out, int64_t seed);

/// Goes through all seeds, and for each through all rows; `after_round` is called with what there is after each seed.
/// What an earlier call has finished in the same folder is taken from there, and what it has begun goes on, to the same
/// bits. A training that diverges is a result, too: the row goes without it. Progress goes to stderr. Throws Refusal
/// for a folder that holds another study, or that another process uses; Interrupted (train/signals.h) after the
/// training under way was saved.
StudyResult run_study(const Study& study, const StudyData& data, const StudyOptions& options,
                      const std::function<void(const StudyResult&)>& after_round = {});

}  // namespace giza::train
