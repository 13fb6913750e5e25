// Pictures of one class each, a folder per class.
#pragma once

#include <string>
#include <vector>

#include "train/data/layout.h"
#include "train/data/list.h"

namespace giza::train {

/// The value of DATA.dataset for them.
inline constexpr const char* kClassFolders = "folders";

/// The classes of a data set: the folders in ROOT/train, sorted by name. Throws Refusal where that is no folder, where
/// it has fewer than two of them, and for a picture beside them, which has no class.
std::vector<std::string> class_folders(const std::string& root);

/// The pictures in ROOT/train/CLASS or ROOT/val/CLASS and below, each with its class: the place of CLASS in `names`, or
/// where that is empty in class_folders(root). Split::test: those of ROOT/test, without classes. Throws Refusal unless
/// there are `classes` of them, for a folder that is none of them or that holds no pictures, and for one of train that
/// is not there.
Layout read_class_folders(const std::string& root, Split split, int classes, std::vector<std::string> names);

}  // namespace giza::train
