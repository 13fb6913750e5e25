// Pictures and label files of the known data sets, found by the folder layout in which they are distributed.
#include "train/data/layout.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <initializer_list>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/spelling.h"
#include "tensor/base/text.h"
#include "train/data/folder.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

/// The first of `root` / `below` that has the folder `mark`.
fs::path find_root(const KnownDataset& dataset, const std::string& root, std::initializer_list<const char*> below,
                   const char* mark) {
  check<Refusal>(!root.empty(), "DATA.data_root has no value, expected the folder of {} (DATA.dataset {})",
                 dataset.title, dataset.name);
  for (const char* folder : below) {
    fs::path path = *folder == '\0' ? fs::path(root) : fs::path(root) / folder;
    if (is_folder(path / mark)) return path;
  }
  throw MissingPart(fmt::format(
      "{}: has no folder {}, expected the layout of {} (DATA.dataset {}); set DATA.data_root to its folder, or "
      "give list files",
      root, mark, dataset.title, dataset.name));
}

fs::path required_folder(const KnownDataset& dataset, const fs::path& path) {
  check<MissingPart>(is_folder(path),
                     "{}: no such folder, expected the layout of {} (DATA.dataset {}); see docs/datasets.md",
                     path.string(), dataset.title, dataset.name);
  return path;
}

/// The pictures of a folder, and label files in another: PNG, of the same name but for the extension.
Layout with_labels_beside(const fs::path& images, const fs::path& labels, Split split) {
  Layout layout{images.string(), {}, {}};
  std::vector<std::string> others;
  for (const std::string& name : pictures_in(images.string(), &others)) {
    const bool png = lower_case(fs::path(name).extension().string()) == ".png";
    const fs::path label = labels / (png ? name : fs::path(name).stem().string() + ".png");
    layout.entries.push_back({(images / name).string(), split == Split::test ? "" : label.string(), 0});
  }
  layout.note = passed_over(others);
  return layout;
}

Layout read_ade20k(const KnownDataset& dataset, const std::string& data_root, Split split) {
  const fs::path root = find_root(dataset, data_root, {"", "ADEChallengeData2016"}, "images");
  const char* part = split == Split::train ? "training" : split == Split::val ? "validation" : "testing";
  const fs::path images = required_folder(dataset, root / "images" / part), labels = root / "annotations" / part;
  return with_labels_beside(images, labels, split);
}

/// A list of VOC's: an id per line (in train.txt and val.txt for segmentation nothing follows it), or the two paths of
/// list files that others have made, with or without a slash in front.
Layout read_voc_list(const fs::path& root, const fs::path& list, const fs::path& labels, Split split) {
  Layout layout{list.string(), {}, {}};
  const auto inside = [&](std::string path) {
    if (path.front() == '/') path.erase(0, path.find_first_not_of('/'));
    return (root / path).string();
  };
  for_each_line(list.string(), [&](int number, std::string_view line) {
    const std::vector<std::string> fields = split_fields(line);
    check<Refusal>(fields.size() <= 2, "{}:{}: has {} fields, expected the id of a picture", list.string(), number,
                   fields.size());
    ListEntry entry;
    entry.line = number;
    entry.image = fields.size() == 2 ? inside(fields[0]) : (root / "JPEGImages" / fields[0]).string() + ".jpg";
    if (split != Split::test)
      entry.label = fields.size() == 2 ? inside(fields[1]) : (labels / fields[0]).string() + ".png";
    layout.entries.push_back(std::move(entry));
  });
  return layout;
}

Layout read_voc2012(const KnownDataset& dataset, const std::string& data_root, Split split) {
  const fs::path root = find_root(dataset, data_root, {"", "VOC2012", "VOCdevkit/VOC2012"}, "JPEGImages");
  const fs::path lists = root / "ImageSets" / "Segmentation";
  const fs::path augmented = root / "SegmentationClassAug";
  if (split == Split::train && is_folder(augmented)) {
    for (const char* name : {"train_aug.txt", "trainaug.txt"}) {
      if (!is_file(lists / name)) continue;
      Layout layout = read_voc_list(root, lists / name, augmented, split);
      layout.note = fmt::format("training on the augmented set: {}, labels in {}", name, augmented.string());
      return layout;
    }
  }
  const fs::path list = lists / (std::string(split_name(split)) + ".txt");
  check<MissingPart>(is_file(list),
                     "{}: no such file, expected the layout of {} (DATA.dataset {}); see docs/datasets.md",
                     list.string(), dataset.title, dataset.name);
  Layout layout = read_voc_list(root, list, root / "SegmentationClass", split);
  if (split == Split::train) {
    layout.note = fmt::format("training on {}, not on the augmented set of 10,582 pictures (no {} with train_aug.txt)",
                              list.string(), augmented.string());
  }
  return layout;
}

Layout read_cityscapes(const KnownDataset& dataset, const std::string& data_root, Split split) {
  const fs::path root = find_root(dataset, data_root, {"", "cityscapes"}, "leftImg8bit");
  const fs::path images = required_folder(dataset, root / "leftImg8bit" / split_name(split));
  const fs::path labels = root / "gtFine" / split_name(split);
  constexpr std::string_view kEnd = "_leftImg8bit.png";
  Layout layout{images.string(), {}, {}};
  std::vector<std::string> others;
  bool any_ids = false, all_train_ids = true;
  for (const std::string& city : names_in(images.string())) {
    if (!is_folder(images / city)) continue;
    for (const std::string& name : names_in((images / city).string())) {
      if (!name.ends_with(kEnd)) {
        others.push_back(name);
        continue;
      }
      ListEntry entry{(images / city / name).string(), "", 0};
      if (split != Split::test) {
        const std::string stem = (labels / city / name.substr(0, name.size() - kEnd.size())).string();
        entry.label = stem + "_gtFine_labelIds.png";
        any_ids = any_ids || is_file(entry.label);
        all_train_ids = all_train_ids && !any_ids && is_file(stem + "_gtFine_labelTrainIds.png");
      }
      layout.entries.push_back(std::move(entry));
    }
  }
  if (split != Split::test && !any_ids && all_train_ids && !layout.entries.empty()) {
    for (ListEntry& entry : layout.entries) entry.label.replace(entry.label.rfind("labelIds"), 8, "labelTrainIds");
    layout.note = labels.string() + ": no labelIds files, so labelTrainIds are read, without the label map";
  }
  if (const std::string text = passed_over(others, "*_leftImg8bit.png"); !text.empty()) {
    layout.note += (layout.note.empty() ? "" : "; ") + text;
  }
  return layout;
}

Layout read_camvid(const KnownDataset& dataset, const std::string& data_root, Split split) {
  const fs::path root = find_root(dataset, data_root, {"", "CamVid", "camvid"}, split_name(split));
  const fs::path images = root / split_name(split), labels = root / (std::string(split_name(split)) + "annot");
  return with_labels_beside(images, labels, split);
}

}  // namespace

const char* split_name(Split split) {
  constexpr std::array<const char*, 3> kNames = {"train", "val", "test"};
  return kNames[static_cast<size_t>(split)];
}

Layout read_layout(const KnownDataset& dataset, const std::string& root, Split split) {
  using Reader = Layout (*)(const KnownDataset&, const std::string&, Split);
  constexpr std::array<std::pair<std::string_view, Reader>, 4> kReaders = {
      {{"ade20k", read_ade20k}, {"voc2012", read_voc2012}, {"cityscapes", read_cityscapes}, {"camvid", read_camvid}}};
  for (const auto& [name, read] : kReaders) {
    if (name != dataset.name) continue;
    Layout layout = read(dataset, root, split);
    check<Refusal>(!layout.entries.empty(),
                   "{}: holds no pictures, expected those of {} (DATA.dataset {}); see docs/datasets.md", layout.place,
                   dataset.title, dataset.name);
    return layout;
  }
  throw Error(fmt::format("read_layout: no layout of {}", dataset.name));
}

bool holds_train_ids(const std::string& label) { return label.ends_with("labelTrainIds.png"); }

}  // namespace giza::train
