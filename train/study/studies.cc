// The studies. Published figures are those of Zhao, Shi, Qi, Wang & Jia, "Pyramid Scene Parsing Network", CVPR 2017,
// tables 1 to 4, unless a study says otherwise.
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
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// A training of its own, with the base's test.
StudyRow row(std::string name, std::string title, Words train, std::optional<Published> paper = {}) {
  std::string training = name;
  return {std::move(name), std::move(title), std::move(training), std::move(train), {}, paper};
}

/// The weights of `trained`, tested otherwise.
StudyRow tested_otherwise(const StudyRow& trained, std::string name, std::string title, Words test,
                          std::optional<Published> paper = {}) {
  return {std::move(name), std::move(title), trained.training, trained.train, std::move(test), paper, trained.group};
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
          {system("baseline", "dilated FCN"), system("fcn", "FCN of three convolutions", Published{36.10, kUnknown}),
           strided("fcn32s", "FCN-32s"), strided("fcn16s", "FCN-16s"), strided("fcn8s", "FCN-8s"),
           system("dilated", "DilatedNet"), system("largefov", "DeepLab-LargeFOV"), system("aspp", "DeepLab v2 (ASPP)"),
           system("deeplabv3", "DeepLab v3", Published{42.66, kUnknown}), system("parsenet", "ParseNet"),
           system("segnet", "SegNet (own trunk)"), system("cascade", "CascadeNet"),
           system("psp", "PSPNet", Published{42.48, kUnknown})}};
}

/// Yu & Koltun, ICLR 2016, table 3; Chen et al., "DeepLab" (v2), PAMI 2018, tables 1 to 3.
Study crf() {
  Study study{
      "crf",
      "With and without a CRF",
      "VOC 2012 validation set, VGG16: Yu & Koltun's table 3 (trained on COCO, too) for the front end and its context "
      "module, DeepLab v2 for LargeFOV and ASPP-L",
      "Each system is trained once and tested twice; differences are to its test without the CRF. The CRF's parameters "
      "are one set for all rows; those for scenes were chosen on training pictures. DeepLab v2 on ResNet101: 76.35 "
      "without, 77.69 with it.",
      {},
      {}};
  struct System {
    const char *name, *title;
    Words words;
    std::optional<Published> without = {}, with = {};
  };
  const System systems[] = {
      {"front",
       "dilated front end",
       {"TRAIN.arch", "dilated", "TRAIN.context", "none"},
       {{69.8, kUnknown}},
       {{71.6, kUnknown}}},
      {"dilated",
       "DilatedNet",
       {"TRAIN.arch", "dilated", "TRAIN.context", "basic"},
       {{71.3, kUnknown}},
       {{72.7, kUnknown}}},
      {"largefov", "DeepLab-LargeFOV", {"TRAIN.arch", "largefov"}, {{65.88, kUnknown}}, {{67.64, kUnknown}}},
      {"aspp", "DeepLab v2 (ASPP)", {"TRAIN.arch", "aspp"}, {{68.96, kUnknown}}, {{71.57, kUnknown}}},
      {"psp", "PSPNet", {"TRAIN.arch", "psp"}}};
  for (const System& system : systems) {
    StudyRow trained = row(system.name, system.title, system.words, system.without);
    trained.group = system.name;
    trained.test = {"TEST.crf", "false"};
    study.rows.push_back(trained);
    study.rows.push_back(tested_otherwise(trained, fmt::format("{}_crf", system.name),
                                          fmt::format("{} + CRF", system.title), {"TEST.crf", "true"}, system.with));
  }
  return study;
}

/// Dai et al., "BoxSup", ICCV 2015, and Khoreva et al., "Simple Does It", CVPR 2017.
Study weak() {
  const auto labels = [](const char* kind, const char* title, std::optional<Published> known = {}) {
    return row(kind, title, {"DATA.weak_labels", kind}, known);
  };
  return {
      "weak",
      "Boxes in place of masks",
      "BoxSup, VOC 2012 validation set, VGG16; 52.3 and 58.7 are unconfirmed",
      "Things have boxes, stuff keeps its masks; the test is against masks for all rows. In the published column the "
      "boxes of the row with the CRF are candidate masks that were chosen once (58.7), those of the updates were "
      "chosen anew after each round (62.0).",
      {"TRAIN.arch", "psp"},
      {labels("full", "masks", Published{63.8, kUnknown}), labels("box", "boxes", Published{52.3, kUnknown}),
       labels("box_band", "boxes without their edges"), labels("box_inner", "middles of boxes"),
       labels("box_crf", "boxes + CRF", Published{58.7, kUnknown}),
       labels("box_update", "boxes + updates", Published{62.0, kUnknown}), labels("mixed", "half boxes, half masks")}};
}

Study pretrain() {
  Study study{
      "pretrain",
      "Random and pretrained trunks",
      "",
      "Pretrained: the trunk begins as that of a classifier of single things, trained with the row's seed, whose "
      "labels do not tell the context of a scene. With fewer pictures there are as many steps. Differences are "
      "to the random trunk with the same pictures.",
      {"TRAIN.arch", "psp"},
      {}};
  for (const int percent : {10, 50, 100}) {
    for (const bool pretrained : {false, true}) {
      const char* trunk = pretrained ? "pretrained" : "random";
      StudyRow each = row(fmt::format("{}_{}", trunk, percent), fmt::format("{} % of labels, {}", percent, trunk), {});
      each.group = fmt::format("{} %", percent);
      each.labels = percent / 100.0;
      each.pretrained = pretrained;
      study.rows.push_back(each);
    }
  }
  return study;
}

}  // namespace

std::vector<Study> studies(StudyScale scale) {
  return {table1(), table2(), table3(scale), table4(scale), systems(), crf(), weak(), pretrain()};
}

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
