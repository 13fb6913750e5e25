// Testing: a configuration's network on its pictures, as `giza eval` does it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/scene_parser.h"
#include "train/config/config.h"
#include "train/config/protocol.h"
#include "train/eval/evaluator.h"

namespace giza::train {

/// What is tested, and how.
struct TestedNetwork {
  std::unique_ptr<models::SceneParser> model;
  ProtocolOptions protocol;
  std::vector<std::string> notes;  ///< what was left out or taken off when the file was read
};

/// The network of TEST.model_path: as the file says, if it does (giza's own files), else as the configuration says;
/// what it leaves to its defaults is mmsegmentation's way in a file with its names. Without its auxiliary head. Throws
/// Refusal for weights that do not fit.
TestedNetwork load_tested_network(const Config& config);

/// The network's labels, of pictures for which there is memory. `network` must outlive the result.
Predictor bounded_predictor(const TestedNetwork& network, const std::string& weights);

/// The pictures of the list that section TEST asks for: from `begin` up to before `end`, which may lie beyond the list.
struct PictureSpan {
  int64_t begin, end;
};
PictureSpan tested_pictures(const TestConfig& test);

/// Judges the pictures of a data set: the network's answers, or with a null one the label images in
/// TEST.save_folder/gray. Writes TEST.save_folder/metrics.json, the page `report` (empty: report.html beside it), and
/// masks if TEST.save_masks says so. Throws as evaluate() does.
Evaluation test(const Config& config, const TestedNetwork* network, const Dataset& dataset, bool progress,
                const std::string& report = {});

}  // namespace giza::train
