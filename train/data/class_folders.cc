// Pictures of one class each, a folder per class.
#include "train/data/class_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "tensor/base/check.h"
#include "train/data/folder.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLayout = "train/CLASS/*.png and val/CLASS/*.png (or .jpg), a folder per class";

std::string part_of_set(const std::string& root, const char* part) {
  check<Refusal>(!root.empty(), "DATA.data_root has no value, expected a folder with {}", kLayout);
  std::string path = (fs::path(root) / part).string();
  check<MissingPart>(is_folder(path), "{}: has no folder {}, expected {} (DATA.dataset {})", root, part, kLayout,
                     kClassFolders);
  return path;
}

/// The folders in a part of the data set, sorted.
std::vector<std::string> folders_in(const std::string& part) {
  std::vector<std::string> folders;
  for (const std::string& name : names_in(part)) {
    const std::string path = (fs::path(part) / name).string();
    check<Refusal>(!is_picture_name(name) || is_folder(path),
                   "{}: lies beside the folders of the classes, so that it has no class; move it into one, or out of "
                   "the data set (expected {})",
                   path, kLayout);
    if (is_folder(path)) folders.push_back(name);
  }
  return folders;
}

}  // namespace

std::vector<std::string> class_folders(const std::string& root) {
  const std::string train = part_of_set(root, split_name(Split::train));
  std::vector<std::string> names = folders_in(train);
  check<Refusal>(names.size() >= 2, "{}: holds {}, expected two classes or more ({})", train,
                 names.empty() ? "no folders" : fmt::format("the folder {} alone", names.front()), kLayout);
  return names;
}

Layout read_class_folders(const std::string& root, Split split, int classes, std::vector<std::string> names) {
  Layout layout{part_of_set(root, split_name(split)), {}, {}};
  if (split == Split::test) {
    std::vector<std::string> others;
    for (std::string& image : pictures_below(layout.place, &others))
      layout.entries.push_back({std::move(image), "", 0});
    layout.note = passed_over(others);
    return layout;
  }
  const bool named = !names.empty();
  if (!named) {
    names = class_folders(root);
    check<Refusal>(static_cast<int>(names.size()) == classes,
                   "{}: holds the folders of {} classes, but DATA.classes is {}; set DATA.classes {}",
                   (fs::path(root) / split_name(Split::train)).string(), names.size(), classes, names.size());
  }
  const std::vector<std::string> folders = folders_in(layout.place);
  std::vector<std::string> others;
  for (const std::string& folder : folders) {
    const auto found = std::find(names.begin(), names.end(), folder);
    check<Refusal>(found != names.end(), "{}: is the folder of no class: {}; remove it, or {}",
                   (fs::path(layout.place) / folder).string(),
                   named ? "the file of class names has no such line" : "train has none of that name",
                   named ? "add the name" : "put pictures of the class into train");
    for (std::string& image : pictures_below((fs::path(layout.place) / folder).string(), &others)) {
      layout.entries.push_back({std::move(image), "", 0, static_cast<int>(found - names.begin())});
    }
  }
  layout.note = passed_over(others);
  check<Refusal>(!folders.empty(), "{}: holds no folders, expected {}", layout.place, kLayout);
  if (split == Split::train) {
    const auto absent = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
      return std::find(folders.begin(), folders.end(), name) == folders.end();
    });
    check<Refusal>(absent == names.end(),
                   "{}: has no folder {}, the class {} of the file of class names; add it, or "
                   "remove the name",
                   layout.place, absent == names.end() ? "" : *absent, absent - names.begin());
  }
  return layout;
}

}  // namespace giza::train
