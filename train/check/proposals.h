// Settings that would make a data set fit.
#pragma once

#include <vector>

#include "train/check/problems.h"

namespace giza::train {

/// The likeliest first. Each was tried on the values of each list: all are classes or ignored, not all ignored, and
/// names and colours are as many as are wanted. Empty where the labels fit, or where no setting helps.
std::vector<Proposal> find_proposals(const Config& config, const ClassFacts& facts,
                                     const std::vector<PartFindings>& parts);

}  // namespace giza::train
