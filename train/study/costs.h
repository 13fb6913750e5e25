// What the trainings and tests of a study cost, for its progress bar.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/study/runner.h"

namespace giza::train {

/// In units of 10^9 multiply-adds.
struct StudyCost {
  int64_t step = 0;        ///< of a training, of which a backward pass is about two forward passes
  int64_t iterations = 0;  ///< of the training
  int64_t training = 0;
  int64_t test = 0;
};

struct StudyCosts {
  std::vector<StudyCost> rows;
  StudyCost pretraining;  ///< of the classifier that pretrained rows begin from; 0 without such rows
};

/// Of a result whose rows have their configurations and networks. Throws Refusal for data that is not there.
StudyCosts study_costs(const StudyResult& result);

/// What of a training is done already, by the newest checkpoint in its folder.
int64_t done_of(const StudyCost& cost, const std::string& folder);

}  // namespace giza::train
