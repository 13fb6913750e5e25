// The page of a study, and its files.
#pragma once

#include <string>

#include "train/study/runner.h"

namespace giza::train {

/// One HTML file, nothing outside of it: the table beside the published one, the order, learning curves, and the
/// pictures on which the rows differ most. Reads the runs' folders; loads the networks of the first seed for the
/// pictures.
std::string study_page(const StudyResult& result);

/// Writes OUT/report.html and OUT/study.json, each whole or not at all. Throws Error when writing fails.
void write_study(const StudyResult& result);

}  // namespace giza::train
