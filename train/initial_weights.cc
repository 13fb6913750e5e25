// The weights that a training starts from.
#include "train/initial_weights.h"

#include <fmt/ranges.h>

#include <set>

#include "models/weights/infer.h"
#include "models/weights/names.h"
#include "models/weights/naming.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "train/config/card.h"
#include "train/config/parts.h"

namespace giza::train {
namespace {

/// Weights that learned from pictures of another scale would begin with activations far off.
void check_same_pictures(const Config& config, const models::WeightFile& weights) {
  const std::string& path = config.train.weight;
  const auto told = normalization_from_metadata(weights.metadata, path);
  const Normalization ours = normalization_of(config);
  if (!told || (!config.data.mean.empty() && !config.data.std.empty())) return;
  check<Refusal>(*told == ours,
                 "{}: was trained on pictures with mean ({}) and std ({}), the configuration has ({}) and ({}); set "
                 "DATA.mean and DATA.std to these or to others",
                 path, fmt::join(told->mean, ", "), fmt::join(told->std, ", "), fmt::join(ours.mean, ", "),
                 fmt::join(ours.std, ", "));
}

/// SegNet's encoder begins as VGG16 (Badrinarayanan et al., 2017, section 3): its convolutions, without their biases,
/// which the batch norm behind them takes away. Makes a file of VGG16 fit, with the model's own batch norm.
void fit_vgg16_to_segnet(const models::SceneParser& model, models::WeightFile* file) {
  if (file->find("conv5_3.bias") == nullptr || file->find("conv5_3_bn.weight") != nullptr) return;
  std::erase_if(file->tensors, [](const models::WeightTensor& tensor) {
    return tensor.name.ends_with(".bias") || tensor.name.starts_with("fc6.") || tensor.name.starts_with("fc7.");
  });
  for (models::WeightTensor& tensor : models::state_dict(model).tensors) {
    const bool norm = tensor.name.find("_bn.") != std::string::npos && !models::is_new_layer(tensor.name);
    if (norm) file->tensors.push_back(std::move(tensor));
  }
  file->notes.emplace_back("has VGG16's convolutions; their biases are left out, since batch norm takes them away");
}

}  // namespace

InitialWeights load_initial_weights(const Config& config, const models::NetworkOptions& options,
                                    const models::SceneParser& model) {
  InitialWeights told;
  const std::string& path = config.train.weight;
  if (path.empty()) return told;
  models::WeightFile file = models::read_semseg_weights(path);
  check_same_pictures(config, file);
  if (const auto model_of = file.metadata.find(models::kModelKey); model_of != file.metadata.end()) {
    // What other commands refuse is refused here too.
    const models::NetworkOptions theirs = models::options_from_json(model_of->second, path);
    std::vector<std::string> others;
    for (const auto& [key, value] : models::settings_that_differ(theirs, options)) {
      if (key != "arch") others.push_back(fmt::format("{} {}", key, value));
    }
    if (!others.empty()) {
      told.notes.push_back(fmt::format("{} is of a network with {}, which this configuration has otherwise", path,
                                       fmt::join(others, ", ")));
    }
  }
  if (options.arch == "segnet") fit_vgg16_to_segnet(model, &file);
  const std::vector<std::string> kept = models::load_state_dict(model, file, path, {.backbone_only = true});
  for (const std::string& note : file.notes) told.notes.push_back(fmt::format("{}: {}", path, note));
  if (const std::string note = models::naming_note(file, options); !note.empty()) {
    told.notes.push_back(fmt::format("{} {}", path, note));
  }
  std::set<std::string> known;
  for (const layers::NamedParameter& parameter : model.parameters()) known.insert(parameter.name);
  for (const layers::NamedBuffer& buffer : model.buffers()) {
    known.insert(buffer.name);
    known.insert(fmt::format("{}.num_batches_tracked", layers::module_of(buffer.name)));
  }
  std::vector<std::string> unused;
  for (const models::WeightTensor& tensor : file.tensors) {
    if (models::is_new_layer(tensor.name) && !models::is_auxiliary(tensor.name) && !known.contains(tensor.name)) {
      unused.push_back(tensor.name);
    }
  }
  if (!unused.empty()) {
    told.warnings.push_back(fmt::format("{} has {} tensors that this network has not, left out: {}", path,
                                        unused.size(), models::name_list(unused)));
  }
  if (!kept.empty()) {
    told.warnings.push_back(fmt::format("{} does not fit or lacks {} tensors, which begin as in a new network: {}",
                                        path, kept.size(), models::name_list(kept)));
  }
  return told;
}

}  // namespace giza::train
