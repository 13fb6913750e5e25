// A study whose rows begin from a classifier, and learn from a part of the labels.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"
#include "tests/support/temp_folder.h"
#include "train/config/parts.h"
#include "train/cost/network_cost.h"
#include "train/signals.h"
#include "train/study/page.h"
#include "train/study/runner.h"
#include "train/study/summary.h"
#include "train/trainer.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

/// The study on a handful of small scenes and things, and a net of a few channels.
StudyData few_scenes(const std::string& out) {
  StudyData data = study_data(
      "scenes", /*quick=*/true, out,
      {"TRAIN.epochs", "1", "TRAIN.width", "0.0625", "TRAIN.train_h", "48", "TRAIN.train_w", "64", "TEST.test_h", "48",
       "TEST.test_w", "64", "TRAIN.batch_size", "2", "TRAIN.evaluate", "false", "TRAIN.threads", "1"});
  data.train_scenes = 20;
  data.val_scenes = 2;
  data.train_things = 64;
  data.val_things = 6;
  return data;
}

Study only(Study study, const std::vector<std::string>& names) {
  std::erase_if(study.rows,
                [&](const StudyRow& row) { return std::find(names.begin(), names.end(), row.name) == names.end(); });
  return study;
}

std::map<std::string, std::string> weights_below(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().filename() != "last.safetensors") continue;
    files[entry.path().lexically_relative(folder).string()] = read_bytes(entry.path().string());
  }
  return files;
}

}  // namespace

TEST_CASE("pretraining: rows differ in their pictures and where the trunk begins, and have as many steps") {
  const StudyData data = study_data("scenes", /*quick=*/false, "out", {});
  const Study study = find_study("pretrain", data.scale);
  CHECK(study.rows.size() == 6);
  for (const StudyRow& row : study.rows) {
    CAPTURE(row.name);
    const Config config = row_config(study, data, row, "out", 3);
    const double pictures = row.labels * data.train_scenes;
    CHECK(config.train.epochs * pictures == doctest::Approx(30.0 * 1600));
    CHECK(config.train.eval_freq * pictures == doctest::Approx(3.0 * 1600));
    CHECK(config.data.train_list == (row.labels == 1
                                         ? "out/scenes/train.txt"
                                         : fmt::format("out/scenes/train_{}.txt", row.labels == 0.5 ? 50 : 10)));
    CHECK(config.train.weight == (row.pretrained ? "out/pretraining/seed_3/last.safetensors" : ""));
    // Beside that they are the first row.
    const std::vector<std::string> changed = changed_settings(
        training_settings(row_config(study, data, study.rows.back(), "out", 3)), training_settings(config));
    for (const std::string& change : changed) CHECK(change.starts_with("TRAIN.epochs:"));
  }
  // The classifier has the parsers' trunk, to the parameter.
  const auto trunk = [](const Config& config) {
    std::map<std::string, int64_t> parts;
    for (const PartCost& part : network_cost(config, 1)) {
      if (part.name == "stem" || part.name.starts_with("layer")) parts[part.name] = part.parameters;
    }
    return parts;
  };
  const StudyData narrow = study_data("scenes", true, "out", {"TRAIN.width", "0.125", "TRAIN.stem", "plain"});
  for (const StudyData& each : {data, narrow}) {
    const Config classifier = pretraining_config(each, "out", 3);
    CHECK(trunk(classifier) == trunk(row_config(study, each, study.rows[0], "out", 3)));
    CHECK(classifier.train.manual_seed == 3);
    CHECK(classifies_pictures(classifier));
    const int iterations = classifier.train.epochs * (each.train_things / classifier.train.batch_size);
    CHECK(classifier.train.lr_steps == std::vector<int>{iterations / 2, iterations * 3 / 4});
  }
}

TEST_CASE("pretraining: keys that the study sets, and data without things, are refused") {
  const Study study = find_study("pretrain", StudyScale::small);
  const std::vector<std::vector<std::string>> taken{{"TRAIN.weight", "w.pth"}, {"DATA.train_list", "few.txt"}};
  for (const std::vector<std::string>& words : taken) {
    const StudyData data = study_data("scenes", true, "out", words);
    CHECK(contains(message_of<Refusal>([&] { row_config(study, data, study.rows[0], "out", 1); }), "leave it out"));
  }
  const StudyData own = study_data(GIZA_SOURCE_DIR "/configs/scenes/psp.yaml", true, "out", {});
  const TempFolder folder;
  CHECK(contains(message_of<Refusal>([&] {
                   run_study(study, own, {folder.file("out"), 1, 1});
                 }),
                 "needs pictures of one thing each to pretrain a trunk on, which only --data scenes has"));
  CHECK_FALSE(fs::exists(folder.file("out")));
}

TEST_CASE("pretraining: the classifier of a seed is trained once, killed or not, to the same bits") {
  const QuietScope quiet;
  const ThreadScope threads(1);
  const TempFolder folder;
  const Study study = only(find_study("pretrain", StudyScale::small), {"random_50", "pretrained_50", "pretrained_100"});
  REQUIRE(study.rows.size() == 3);
  const std::string whole = folder.file("whole"), parts = folder.file("parts");
  const StudyResult result = run_study(study, few_scenes(whole), {whole, 1, 4}, write_study);
  for (const RowResult& row : result.rows) CHECK(std::isfinite(row.seeds[0].miou));
  CHECK(result.rows[0].seeds[0].miou != result.rows[1].seeds[0].miou);
  const std::string half = read_bytes(whole + "/scenes/train_50.txt"), list = read_bytes(whole + "/scenes/train.txt");
  CHECK(list.starts_with(half));
  CHECK(std::count(half.begin(), half.end(), '\n') == 10);
  const auto weights = weights_below(whole);
  CHECK(weights.size() == 4);
  CHECK(weights.contains("pretraining/seed_4/last.safetensors"));
  // Without published figures the page and the table do not speak of any.
  const std::string page = read_bytes(whole + "/report.html");
  CHECK(page.find("Published:") == std::string::npos);
  CHECK(page.find("The order of the rows") == std::string::npos);
  CHECK(study_table(result).find("Spearman") == std::string::npos);
  // What sets the rows apart stands there.
  CHECK(settings_of(result.rows[1]) == std::vector<std::string>{"DATA.train_list", whole + "/scenes/train_50.txt",
                                                                "TRAIN.epochs", "2", "TRAIN.weight",
                                                                whole + "/pretraining/seed_4/last.safetensors"});
  CHECK(page.find("scenes/train_50.txt TRAIN.epochs 2 TRAIN.weight") != std::string::npos);

  // As a kill leaves it: the classifier in its midst, no row yet; then a row that has begun, and no classifier.
  Config classifier = pretraining_config(few_scenes(parts), parts, 4);
  prepare_study_things(few_scenes(parts));
  CHECK_THROWS_AS(train(classifier,
                        [](int64_t done, double) {
                          if (done == 2) std::raise(SIGTERM);
                        }),
                  Interrupted);
  const StudyResult resumed = run_study(study, few_scenes(parts), {parts, 1, 4});
  CHECK(weights_below(parts) == weights);
  CHECK(resumed.rows[1].seeds[0].miou == result.rows[1].seeds[0].miou);
  fs::remove_all(parts + "/pretraining");
  run_study(study, few_scenes(parts), {parts, 1, 4});
  CHECK_FALSE(fs::exists(parts + "/pretraining"));

  // A classifier of other settings is not taken for this study's.
  StudyData other = few_scenes(whole);
  other.train_things = 96;
  CHECK(contains(message_of<Refusal>([&] {
                   run_study(study, other, {whole, 1, 4});
                 }),
                 "pretraining/seed_4/config.yaml: was begun with other settings: TRAIN.lr_steps"));
}

}  // namespace giza::train
