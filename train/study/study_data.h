// What a study trains on: pictures, and the configuration that all of its rows begin from.
#pragma once

#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/study/study.h"

namespace giza::train {

// The files configs/scenes/psp.yaml, configs/scenes/classifier.yaml and configs/camvid/psp.yaml.
extern const char* const kScenesConfig;
extern const char* const kClassifierConfig;
extern const char* const kCamvidConfig;

struct StudyData {
  std::string name;                      ///< study_data_name
  StudyScale scale = StudyScale::small;  ///< own for a configuration of the user's
  Config config;
  std::string scenes_folder;  ///< where the scenes are to be made; empty for other data
  int train_scenes = 0, val_scenes = 0;
  std::vector<std::string> thing_classes = {};  ///< DATA.thing_classes of rows with boxes, if the user names none
  std::string things_folder =
      {};  ///< where pictures of one thing each are to be made, for pretraining; empty: none are
  int train_things = 0, val_things = 0;
};

/// The classifier that rows begin from: configs/scenes/classifier.yaml on the data's things, with the trunk of its
/// network. Its manual_seed and folders are left to the caller. The data has things.
Config classifier_config(const StudyData& data);

/// "scenes", "camvid", or the stem of a configuration's file name.
std::string study_data_name(const std::string& data);

/// `data`: scenes (of its own, in OUT/scenes), camvid (the folder of configs/camvid/psp.yaml), or the path of a
/// configuration. `quick`: fewer pictures and epochs, and for CamVid a coarser map. `settings` are KEY VALUE ... of the
/// user's, which count more than all that. Throws Refusal as load_config does.
StudyData study_data(const std::string& data, bool quick, const std::string& out,
                     const std::vector<std::string>& settings);

/// Makes the scenes, if they are not there in this number and size; asks other data whether their lists are there.
/// Throws Refusal with a hint where they are not, Interrupted as write_scenes() does.
void prepare_study_data(const StudyData& data);
/// Makes the things likewise. The data has a folder for them.
void prepare_study_things(const StudyData& data);

/// The list file with a part of the training list, in the folder of its scenes. run_study() refuses other data for
/// such rows.
std::string part_list(const StudyData& data, double part);
/// Writes it: the first lines. Throws Refusal for a list that cannot be read.
void write_part_list(const StudyData& data, double part);

}  // namespace giza::train
