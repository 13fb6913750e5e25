// The studies. Published figures are those of Zhao, Shi, Qi, Wang & Jia, "Pyramid Scene Parsing Network", CVPR 2017, tables
// 1 to 4, unless a study says otherwise.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/spelling.h"
#include "train/study/study.h"

namespace giza::train {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kPaperSource = "the paper, ADE20K validation set";

/// A training of its own, with the base's test.
StudyRow row(std::string name, std::string title, Words train, std::optional<Published> paper = {}) {
  std::string training = name;
  return {std::move(name), std::move(title), std::move(training), std::move(train), {}, paper};
}

/// The weights of `trained`, tested otherwise.
StudyRow tested_otherwise(const StudyRow& trained, std::string name, std::string title, Words test,
                          std::optional<Published> paper = {}) {
  return {std::move(name), std::move(title), trained.training, trained.train, std::move(test), paper};
}

/// The paper's scales (section 4.1; the authors' test code).
const Words kMultiScale{"TEST.scales", "[0.5, 0.75, 1.0, 1.25, 1.5, 1.75]"};

Study table1() {
  const auto pyramid = [](const char* name, const char* title, const char* bins, const char* pool, bool reduce,
                          Published paper) {
    return row(
        name, title,
        {"TRAIN.arch", "psp", "TRAIN.bins", bins, "TRAIN.pool", pool, "TRAIN.ppm_reduce", reduce ? "true" : "false"},
        paper);
  };
  return {"table1",
          "Pooling (Table 1)",
          fmt::format("{}, ResNet50, single scale", kPaperSource),
          "",
          {},
          {row("baseline", "baseline", {"TRAIN.arch", "baseline"}, Published{37.23, 78.01}),
           pyramid("b1_max", "B1 + MAX", "[1]", "max", false, {39.94, 79.46}),
           pyramid("b1_ave", "B1 + AVE", "[1]", "average", false, {40.07, 79.52}),
           pyramid("b1236_max", "B1236 + MAX", "[1, 2, 3, 6]", "max", false, {40.18, 79.45}),
           pyramid("b1236_ave", "B1236 + AVE", "[1, 2, 3, 6]", "average", false, {41.07, 79.97}),
           pyramid("b1236_max_dr", "B1236 + MAX + DR", "[1, 2, 3, 6]", "max", true, {40.87, 79.61}),
           pyramid("b1236_ave_dr", "B1236 + AVE + DR", "[1, 2, 3, 6]", "average", true, {41.68, 80.04})}};
}

Study table2() {
  const auto weight = [](const char* value, Published paper) {
    const bool none = std::string(value) == "0";
    return row(none ? "none" : fmt::format("aux_{}", value),
               none ? "no auxiliary loss" : fmt::format("weight {}", value), {"TRAIN.aux_weight", value}, paper);
  };
  return {"table2",
          "Weight of the auxiliary loss (Table 2)",
          fmt::format("{}, dilated ResNet50 without a pyramid, single scale", kPaperSource),
          "",
          {"TRAIN.arch", "baseline"},
          {weight("0", {35.82, 77.07}), weight("0.3", {37.01, 77.87}), weight("0.4", {37.23, 78.01}),
           weight("0.6", {37.09, 77.84}), weight("0.9", {36.99, 77.87})}};
}

Study table3(StudyScale scale) {
  Study study{"table3", "Depth (Table 3)", fmt::format("{}, PSPNet", kPaperSource), "", {"TRAIN.arch", "psp"}, {}};
  // The depths are the paper's own, which are affordable where the channels are few.
  if (scale == StudyScale::small) study.base.insert(study.base.end(), {"TRAIN.width", "0.125"});
  struct Depth {
    const char* layers;
    Published single, multi;
  };
  for (const auto& [layers, single, multi] :
       {Depth{"50", {41.68, 80.04}, {42.78, 80.76}}, Depth{"101", {41.96, 80.64}, {43.29, 81.39}},
        Depth{"152", {42.62, 80.80}, {43.51, 81.38}}, Depth{"269", {43.81, 80.88}, {44.94, 81.69}}}) {
    study.rows.push_back(row(fmt::format("psp{}", layers), fmt::format("PSPNet({})", layers),
                             {"TRAIN.layers", layers, "TRAIN.blocks", "[]", "TRAIN.block", "auto"}, single));
    const StudyRow trained = study.rows.back();
    study.rows.push_back(
        tested_otherwise(trained, trained.name + "_ms", trained.title + ", multi-scale", kMultiScale, multi));
  }
  return study;
}

/// `words` and then `more`.
Words joined(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// The authors' other systems came without these; the crop's place stays random.
const Words& without_augmentation() {
  static const Words words{"TRAIN.scale_min", "1", "TRAIN.scale_max", "1", "TRAIN.rotate_prob", "0",
                           "TRAIN.blur_prob", "0", "TRAIN.flip_prob", "0"};
  return words;
}

Study table4(StudyScale scale) {
  const Words plain = joined(without_augmentation(), {"TRAIN.aux_weight", "0"});
  const auto system = [&](const char* name, const char* title, const Words& words, Published paper) {
    return row(name, title, joined(words, plain), paper);
  };
  const Words deeper = scale == StudyScale::small ? Words{"TRAIN.blocks", "[3, 4, 6, 3]"}
                                                  : Words{"TRAIN.layers", "269", "TRAIN.blocks", "[]"};
  const StudyRow deep =
      row("deeper", "deeper + DA + AL + PSP", joined({"TRAIN.arch", "psp"}, deeper), Published{43.81, 80.88});
  return {
      "table4",
      "Step by step (Table 4)",
      fmt::format("{}, ResNet50 where nothing else is said", kPaperSource),
      "The first four have their authors' trunks and recipes in the published column; here they have the trunk, the "
      "schedule and the batches of the rows below them (SegNet has no trunk but its own).",
      {},
      {system("fcn", "FCN", {"TRAIN.arch", "fcn8s", "TRAIN.output_stride", "32"}, {29.39, 71.32}),
       system("segnet", "SegNet", {"TRAIN.arch", "segnet"}, {21.64, 71.00}),
       system("dilated", "DilatedNet", {"TRAIN.arch", "dilated"}, {32.31, 73.55}),
       system("cascade", "CascadeNet", {"TRAIN.arch", "cascade"}, {34.90, 74.52}),
       system("baseline", "ResNet baseline", {"TRAIN.arch", "baseline"}, {34.28, 76.35}),
       row("da", "+ augmentation (DA)", {"TRAIN.arch", "baseline", "TRAIN.aux_weight", "0"}, Published{35.82, 77.07}),
       row("da_al", "+ auxiliary loss (AL)", {"TRAIN.arch", "baseline"}, Published{37.23, 78.01}),
       row("da_al_psp", "+ pyramid (PSP)", {"TRAIN.arch", "psp"}, Published{41.68, 80.04}), deep,
       tested_otherwise(deep, "deeper_ms", "+ multi-scale test (MS)", kMultiScale, Published{44.94, 81.69})}};
}

Study systems() {
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  const auto system = [](const char* arch, const char* title, std::optional<Published> known = {}) {
    return row(arch, title, {"TRAIN.arch", arch}, known);
  };
  // Their scores are made on maps of 1/32, 1/16 and 1/8 of the picture.
  const auto strided = [](const char* arch, const char* title) {
    return row(arch, title, {"TRAIN.arch", arch, "TRAIN.output_stride", "32"});
  };
  return {"systems",
          "Systems on one trunk",
          "mmsegmentation, ADE20K, ResNet50 of output stride 8, 160k iterations, single scale",
          "Only three systems were published on one trunk. On ADE20K with their authors' own trunks and recipes (Table "
          "4 of "
          "the paper, mIoU % / pixel accuracy %): FCN 29.39 / 71.32, SegNet 21.64 / 71.00, DilatedNet 32.31 / 73.55, "
          "CascadeNet 34.90 / 74.52, PSPNet 41.68 / 80.04; heads on one trunk are not to be held against those.",
          {},
          {system("baseline", "dilated FCN", Published{36.10, kUnknown}), strided("fcn32s", "FCN-32s"),
           strided("fcn16s", "FCN-16s"), strided("fcn8s", "FCN-8s"), system("dilated", "DilatedNet"),
           system("largefov", "DeepLab-LargeFOV"), system("aspp", "DeepLab v2 (ASPP)"),
           system("deeplabv3", "DeepLab v3", Published{42.66, kUnknown}), system("parsenet", "ParseNet"),
           system("segnet", "SegNet (own trunk)"), system("cascade", "CascadeNet"),
           system("psp", "PSPNet", Published{42.48, kUnknown})}};
}

}  // namespace

std::vector<Study> studies(StudyScale scale) { return {table1(), table2(), table3(scale), table4(scale), systems()}; }

Study find_study(const std::string& name, StudyScale scale) {
  std::vector<std::string> names;
  for (Study& study : studies(scale)) {
    if (study.name == name) return std::move(study);
    names.push_back(study.name);
  }
  throw Refusal(fmt::format("study: there is no study {}, the nearest is {}; `giza study --help` lists all", name,
                            nearest_name(name, names)));
}

std::string study_list() {
  std::string text;
  for (const Study& study : studies(StudyScale::small)) text += fmt::format("  {:<8} {}\n", study.name, study.title);
  return text;
}

}  // namespace giza::train
