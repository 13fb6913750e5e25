// What settings and a few label files tell before training begins; check_data (data_check.h) reads all files.
#pragma once

#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/data/dataset.h"

namespace giza::train {

/// Warnings, one line each, about labels that training would take without complaint and learn nothing from: all
/// ignored, one class alone, or 0 and 255 as if they were two classes. Reads at most 16 label files, evenly spaced;
/// files that cannot be read are left to whoever needs them.
std::vector<std::string> glance_at_labels(const Dataset& dataset);

/// Likewise about settings that are allowed, and with which a training of so many iterations learns nothing or less
/// than they say.
std::vector<std::string> glance_at_settings(const Config& config, int64_t iterations);

}  // namespace giza::train
