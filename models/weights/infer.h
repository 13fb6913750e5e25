// Which network a file of weights belongs to.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/scene_parser.h"
#include "models/weights/safetensors.h"

namespace giza::models {

/// The __metadata__ key under which giza's files hold their NetworkOptions.
inline constexpr const char* kModelKey = "giza.model";
/// That what kModelKey says was told by names and shapes alone, and of whose (Naming); what these cannot tell is a
/// default.
inline constexpr const char* kToldByKey = "giza.model_told_by";
/// That under which a file whose test protocol is not known tells what its pictures become, (RGB - mean) / std on the
/// scale of 0 to 255: {"mean": [R, G, B], "std": [R, G, B]}.
inline constexpr const char* kNormalizationKey = "giza.normalization";
/// Its value for pictures less a mean, "R,G,B", and no more.
std::string less_the_mean(const char* mean);
/// Tells, in the metadata and a note, of "a network of ..." that took BGR less such a mean and was changed to take RGB.
void tell_of_rgb(WeightFile* file, const char* network, const char* mean);
/// The mean of DeepLab's authors, and of who follows them.
inline constexpr const char* kDeeplabMean = "122.675,116.669,104.008";
/// In a file of giza's under other names than its network's: whose networks (Naming) it goes by in what neither tensors
/// nor kModelKey tell.
inline constexpr const char* kOriginKey = "giza.origin";

/// The options as one line of JSON; `conv` and `seed` are not part of it.
std::string options_to_json(const NetworkOptions& options);
/// Back from it. Throws Refusal "PLACE: ..." for anything else.
NetworkOptions options_from_json(const std::string& json, const std::string& place);

/// The network of a file: what the file says under kModelKey, else what names and shapes tell (depth, kind of block,
/// stem, width, bins by their number, classes, heads), with defaults for what they cannot (dilation, kind of pooling).
/// Throws Refusal "PLACE: ..." where no row of the factory recognises it.
NetworkOptions options_from_weights(const WeightFile& file, const std::string& place);

/// For weights that options of other origin are used with: which of those do otherwise than the networks that the
/// file's names come from, "goes with TRAIN.stride_in 1x1 and TRAIN.ceil_pool true, ..."; empty where none does.
std::string naming_note(const WeightFile& file, const NetworkOptions& options);

/// What decides a network's output beside its weights and is not alike: TRAIN's key and the value of `theirs`, {"bins",
/// "[1,2,3,6]"}. Of two architectures only what their backbones share.
std::vector<std::pair<std::string, std::string>> settings_that_differ(const NetworkOptions& theirs,
                                                                      const NetworkOptions& ours);

/// The network of these options with the file's weights, strictly (state_dict.h). Throws Refusal "PLACE: ..." for
/// options that fit no network, and for weights that do not fit it.
std::unique_ptr<SceneParser> build_parser(const NetworkOptions& options, const WeightFile& file,
                                          const std::string& place);

/// For the file of a ResNet alone, under semseg's names: throws Refusal "PLACE: ..." listing every missing, extra and
/// misshaped name of the ResNet that the file begins to be.
void check_backbone(const WeightFile& file, const std::string& place);

/// What a file of weights tells beside them.
struct FileNotes {
  std::map<std::string, std::string> metadata;
  std::vector<std::string> notes;  ///< what was taken off or left out (WeightFile::notes)
};

/// Reads a file, builds its network with convolutions by `conv`, and loads the weights. `told`, if given, gets what the
/// file tells besides. Throws Refusal "PATH: ...".
std::unique_ptr<SceneParser> load_parser(const std::string& path, const ConvEngine& conv = {},
                                         FileNotes* told = nullptr);

}  // namespace giza::models
