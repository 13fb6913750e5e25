// What a study trains on: pictures, and the configuration that all of its rows begin from.
#pragma once

#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/study/study.h"

namespace giza::train {

// The files configs/scenes/psp.yaml and configs/camvid/psp.yaml.
extern const char* const kScenesConfig;
extern const char* const kCamvidConfig;

struct StudyData {
  std::string name;                      ///< study_data_name
  StudyScale scale = StudyScale::small;  ///< own for a configuration of the user's
  Config config;
  std::string scenes_folder;  ///< where the scenes are to be made; empty for other data
  int train_scenes = 0, val_scenes = 0;
};

/// "scenes", "camvid", or the stem of a configuration's file name.
std::string study_data_name(const std::string& data);

/// `data`: scenes (of its own, in OUT/scenes), camvid (the folder of configs/camvid/psp.yaml), or the path of a
/// configuration. `quick`: fewer pictures and epochs, and for CamVid a coarser map. `settings` are KEY VALUE ... of the
/// user's, which count more than all that. Throws Refusal as load_config does.
StudyData study_data(const std::string& data, bool quick, const std::string& out,
                     const std::vector<std::string>& settings);

/// Makes the scenes, if they are not there in this number; asks other data whether their lists are there. Throws Refusal
/// with a hint where they are not, Interrupted as write_scenes() does.
void prepare_study_data(const StudyData& data);

}  // namespace giza::train
