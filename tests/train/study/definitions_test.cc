// The tables of the studies: every row makes a network, and rows differ in what they say and in nothing else.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "train/cost/network_cost.h"
#include "train/study/runner.h"
#include "train/study/study.h"
#include "train/study/study_data.h"

namespace giza::train {
namespace {

/// The keys of a row's training, "SECTION.NAME".
std::set<std::string> keys_of(const StudyRow& row) {
  std::set<std::string> keys;
  for (size_t i = 0; i < row.train.size(); i += 2) keys.insert(row.train[i]);
  return keys;
}

/// Parameters of the parts that are the trunk.
std::vector<std::pair<std::string, int64_t>> trunk_of(const Config& config) {
  std::vector<std::pair<std::string, int64_t>> trunk;
  for (const PartCost& part : network_cost(config, 1)) {
    if (part.name == "stem" || part.name.starts_with("layer")) trunk.emplace_back(part.name, part.parameters);
  }
  return trunk;
}

/// A configuration of the user's has to say which classes are objects.
StudyData data_of(const std::string& name) {
  std::vector<std::string> settings;
  if (name.ends_with(".yaml")) settings = {"TRAIN.object_classes", "[1, 2]"};
  return study_data(name, /*quick=*/true, "out", settings);
}

}  // namespace

TEST_CASE("studies: every row's settings are those of a network, and name files well") {
  for (const char* data : {"scenes", "camvid", GIZA_SOURCE_DIR "/configs/ade20k/pspnet50.yaml"}) {
    const StudyData base = data_of(data);
    for (const Study& study : studies(base.scale)) {
      CAPTURE(data);
      CAPTURE(study.name);
      std::set<std::string> names, titles;
      for (const StudyRow& row : study.rows) {
        CAPTURE(row.name);
        CHECK(names.insert(row.name).second);
        CHECK(titles.insert(row.title).second);
        for (const std::string& name : {row.name, row.training}) {
          CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == std::string::npos);
        }
        const Config config = row_config(study, base, row, "out", 7);
        CHECK(config.train.manual_seed == 7);
        CHECK(config.train.save_path == "out/" + row.training + "/seed_7");
        CHECK_FALSE(network_cost(config, 1).empty());
        CHECK(row.labels > 0);
        CHECK(row.labels <= 1);
        for (size_t i = 0; i < row.train.size(); i += 2) {
          CHECK((row.train[i].starts_with("TRAIN.") || row.train[i].starts_with("DATA.")));
        }
        for (size_t i = 0; i < row.test.size(); i += 2) CHECK(row.test[i].starts_with("TEST."));
        // Rows that share a training are told by their tests alone.
        const auto first = std::find_if(study.rows.begin(), study.rows.end(),
                                        [&](const StudyRow& other) { return other.training == row.training; });
        CHECK(first->train == row.train);
      }
    }
  }
}

TEST_CASE("studies: rows differ in the keys that they name alone") {
  const StudyData base = data_of("scenes");
  for (const Study& study : studies(base.scale)) {
    const Config first = row_config(study, base, study.rows.front(), "out", 1);
    for (const StudyRow& row : study.rows) {
      CAPTURE(study.name);
      CAPTURE(row.name);
      std::set<std::string> named = keys_of(study.rows.front());
      named.merge(keys_of(row));
      for (const std::string& change :
           changed_settings(training_settings(first), training_settings(row_config(study, base, row, "out", 1)))) {
        const std::string key = change.substr(0, change.find(':'));
        // An option of an architecture is there or not with it.
        CAPTURE(key);
        // So are those of boxes: which classes have them, and the CRF that refines them.
        const bool of_boxes = key == "DATA.thing_classes" || key.starts_with("TEST.crf_");
        CHECK((named.contains(key) || named.contains("TRAIN.arch") ||
               (named.contains("DATA.weak_labels") && of_boxes) ||
               (key == "TRAIN.epochs" && study.name == "pretrain")));
      }
    }
  }
}

TEST_CASE("studies: the rows of a table on one trunk have one trunk") {
  for (const char* data : {"scenes", "camvid"}) {
    const StudyData base = data_of(data);
    for (const char* name : {"table1", "table2", "systems"}) {
      const Study study = find_study(name, base.scale);
      const auto trunk = trunk_of(row_config(study, base, study.rows.front(), "out", 1));
      REQUIRE(trunk.size() == 5);
      for (const StudyRow& row : study.rows) {
        CAPTURE(row.name);
        if (row.name != "segnet") CHECK(trunk_of(row_config(study, base, row, "out", 1)) == trunk);
      }
    }
  }
}

TEST_CASE("studies: each system of crf is trained once, and tested without and with one CRF for all") {
  const StudyData base = data_of("scenes");
  const Study study = find_study("crf", base.scale);
  REQUIRE(study.rows.size() % 2 == 0);
  std::set<std::string> trainings;
  CrfOptions options;
  for (size_t r = 0; r < study.rows.size(); r += 2) {
    const StudyRow &plain = study.rows[r], &refined = study.rows[r + 1];
    CAPTURE(plain.name);
    CHECK(trainings.insert(plain.training).second);
    CHECK(refined.training == plain.training);
    CHECK(refined.group == plain.group);
    const Config without = row_config(study, base, plain, "out", 1), with = row_config(study, base, refined, "out", 1);
    CHECK_FALSE(without.test.crf);
    CHECK(with.test.crf);
    CHECK(without.test.save_folder != with.test.save_folder);
    if (r == 0) options = with.test.crf_options;
    CHECK(with.test.crf_options == options);
  }
  // The user's parameters count for all rows; whether there is a CRF is the rows' matter.
  const StudyData given = study_data("scenes", true, "out", {"TEST.crf_iterations", "3"});
  CHECK(row_config(study, given, study.rows[1], "out", 1).test.crf_options.iterations == 3);
  const StudyData against = study_data("scenes", true, "out", {"TEST.crf", "true"});
  CHECK(contains(message_of<Refusal>([&] { row_config(study, against, study.rows[0], "out", 1); }), "leave it out"));
}

TEST_CASE("studies: rows of weak have boxes around things, and one network") {
  for (const char* name : {"scenes", "camvid"}) {
    const StudyData base = data_of(name);
    const Study study = find_study("weak", base.scale);
    std::set<std::string> kinds;
    for (const StudyRow& row : study.rows) {
      const Config config = row_config(study, base, row, "out", 1);
      CHECK(config.data.weak_labels == row.name);
      CHECK(kinds.insert(config.data.weak_labels).second);
      CHECK(config.data.thing_classes.size() == (row.name == "full" ? 0 : name == std::string("scenes") ? 6 : 5));
      CHECK(trunk_of(config) == trunk_of(row_config(study, base, study.rows[0], "out", 1)));
    }
    CHECK(kinds.size() == 7);
  }
  const StudyData given = study_data("scenes", true, "out", {"DATA.thing_classes", "[car]"});
  const Study study = find_study("weak", given.scale);
  CHECK(row_config(study, given, study.rows[1], "out", 1).data.thing_classes == std::vector<std::string>{"car"});
}

TEST_CASE("studies: the user's settings count for all rows, but not against them") {
  const StudyData base = study_data("scenes", true, "out", {"epochs", "3", "TRAIN.base_lr", "0.5"});
  const Study study = find_study("table1", base.scale);
  for (const StudyRow& row : study.rows) {
    const Config config = row_config(study, base, row, "out", 1);
    CHECK(config.train.epochs == 3);
    CHECK(config.train.base_lr == 0.5);
  }
  const std::vector<std::vector<std::string>> taken{{"arch", "psp"},
                                                    {"pool", "max"},
                                                    {"manual_seed", "1"},
                                                    {"TRAIN.save_path", "here"},
                                                    {"TEST.save_folder", "here"}};
  for (const std::vector<std::string>& words : taken) {
    const StudyData data = study_data("scenes", true, "out", words);
    CAPTURE(words[0]);
    CHECK(contains(message_of<Refusal>([&] { row_config(study, data, study.rows[1], "out", 1); }), "leave it out"));
  }
}

TEST_CASE("studies: unknown names and missing data are refused with a hint") {
  CHECK(contains(message_of<Refusal>([] { find_study("tabel1", StudyScale::small); }), "the nearest is table1"));
  CHECK_THROWS_AS(study_data("no_such.yaml", false, "out", {}), Refusal);
  const TempFolder folder;
  const StudyData absent = study_data("camvid", true, "out", {"DATA.train_list", folder.file("train.txt")});
  CHECK(contains(message_of<Refusal>([&] { prepare_study_data(absent); }), "docs/camvid.md"));
}

TEST_CASE("studies: options of networks that the base is not reach the rows that have them") {
  const StudyData scenes = data_of("scenes");
  const Study systems = find_study("systems", scenes.scale);
  const auto config_of = [&](const StudyData& data, const std::string& name) {
    const auto found =
        std::find_if(systems.rows.begin(), systems.rows.end(), [&](const StudyRow& row) { return row.name == name; });
    REQUIRE(found != systems.rows.end());
    return row_config(systems, data, *found, "out", 1);
  };
  // Dilations for a map of 13 rows, and the things of the scenes.
  CHECK(to_yaml(config_of(scenes, "aspp")).find("aspp_rates: [2, 4, 6, 8]") != std::string::npos);
  CHECK(to_yaml(config_of(scenes, "cascade")).find("object_classes: [6, 7, 8, 9, 10, 11]") != std::string::npos);
  CHECK(config_of(scenes, "fcn8s").train.output_stride == 32);
  CHECK(config_of(scenes, "dilated").train.output_stride == 8);
  const StudyData given = study_data("scenes", true, "out", {"aspp_rates", "[1, 2, 3, 4]"});
  CHECK(to_yaml(config_of(given, "aspp")).find("aspp_rates: [1, 2, 3, 4]") != std::string::npos);
  // Whoever has data of their own is told what to say.
  const StudyData own = study_data(GIZA_SOURCE_DIR "/configs/scenes/psp.yaml", true, "out", {});
  CHECK(contains(message_of<Refusal>([&] { network_cost(config_of(own, "cascade"), 1); }), "TRAIN.object_classes"));
}

TEST_CASE("studies: quick is less of the same") {
  const StudyData quick = data_of("scenes"), whole = study_data("scenes", false, "out", {});
  CHECK(quick.train_scenes < whole.train_scenes);
  CHECK(quick.config.train.epochs < whole.config.train.epochs);
  CHECK(quick.config.train.width == whole.config.train.width);
  CHECK(study_data(GIZA_SOURCE_DIR "/configs/scenes/psp.yaml", true, "out", {}).config.train.epochs == 2);
}

}  // namespace giza::train
