// What the trainings and tests of a study cost.
#include "train/study/costs.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "tensor/parallel.h"
#include "train/checkpoint.h"
#include "train/config/parts.h"
#include "train/cost/network_cost.h"
#include "train/data/dataset.h"

namespace giza::train {
namespace {

int64_t units(double macs) { return static_cast<int64_t>(macs / 1e9) + 1; }

/// `macs` of a crop's forward pass.
StudyCost training_cost(const Config& config, double macs) {
  const Dataset pictures(dataset_options(config, Split::train));
  StudyCost cost;
  cost.iterations = std::max<int64_t>(1, pictures.size() / config.train.batch_size) * config.train.epochs;
  cost.step = units(3 * macs * config.train.batch_size);
  cost.training = cost.step * cost.iterations;
  return cost;
}

/// `macs` of a picture's forward pass at its own size.
int64_t test_cost(const Config& config, double macs) {
  const Dataset tested(dataset_options(config, Split::test));
  const double passes = config.test.mirror ? 2 : 1;
  double scaled = 0;
  for (const double scale : config.test.scales) scaled += passes * scale * scale;
  return units(macs * scaled * static_cast<double>(tested.size()));
}

}  // namespace

StudyCosts study_costs(const StudyResult& result) {
  StudyCosts costs;
  bool pretrained = false;
  for (const RowResult& row : result.rows) {
    StudyCost cost = training_cost(row.config, row.train_macs);
    cost.test = test_cost(row.config, row.macs);
    costs.rows.push_back(cost);
    pretrained = pretrained || row.row.pretrained;
  }
  if (!pretrained) return costs;
  const Config classifier = pretraining_config(result.data, result.options.out, result.options.first_seed);
  double macs = 0;
  for (const PartCost& part : network_cost(classifier, num_threads())) macs += part.train_macs;
  costs.pretraining = training_cost(classifier, macs);
  return costs;
}

int64_t done_of(const StudyCost& cost, const std::string& folder) {
  std::error_code error;
  std::vector<std::string> faults;  // the training tells them
  if (!std::filesystem::is_directory(folder, error)) return 0;
  const std::optional<FoundCheckpoint> found = newest_checkpoint(folder, &faults);
  if (!found) return 0;
  return cost.step * std::min(cost.iterations, state_of_checkpoint(found->file, found->path).iteration);
}

}  // namespace giza::train
