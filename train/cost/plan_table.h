// A plan as text for a terminal of 120 columns, and as JSON.
#pragma once

#include <string>

#include "train/config/config.h"
#include "train/cost/plan.h"

namespace giza::train {

std::string plan_table(const Plan& plan, const Config& config);
/// {config, threads, peak, memory_limit_gb, parameters, parts: [{name, parameters, train_macs, test_macs}],
///  train: {batch, crop, pictures, iterations_per_epoch, memory: {process_gb, tensors_gb, data_gb, files_gb, peak_gb},
///          fits, step_s, data_s, iteration_s, iterations, validations, validation_s, checkpoints, checkpoint_s, total_s,
///          measured_on, measured_share},
///  test: {protocol, pictures, tiles_per_picture, memory, fits, network_s, files_s, total_s, measured_on, measured_share},
///  train_ways, test_ways: [{change, effect, peak_gb, iteration_s, total_s, fits}],
///  measured: {step_s, train_gb, picture, picture_s, predicted_picture_s, test_gb}, notes}
/// A figure that is unknown is null; `measured` is there with --measure only.
std::string plan_json(const Plan& plan, const Config& config);

}  // namespace giza::train
