// Settings that would make a data set fit.
#pragma once

#include <vector>

#include "train/check/problems.h"

namespace giza::train {

/// The likeliest first. Each was tried on the values that were found: with it, all of them are classes or ignored.
/// Empty where the labels fit, or where no setting helps.
std::vector<Proposal> find_proposals(const Config& config, const ClassFacts& facts,
                                     const std::vector<PartFindings>& parts);

}  // namespace giza::train
