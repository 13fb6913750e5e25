// Running a study: to the same bits however often it is interrupted, and on any number of threads.
#include "train/study/runner.h"

#include <doctest/doctest.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"
#include "tests/train/tiny_set.h"
#include "train/signals.h"
#include "train/study/page.h"
#include "train/study/pictures.h"
#include "train/study/summary.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

/// Three rows of two trainings.
Study tiny_study() {
  return {"tiny",
          "Tiny",
          "nobody",
          "a note",
          {"TRAIN.arch", "psp"},
          {{"ave", "average", "ave", {"TRAIN.pool", "average"}, {}, Published{40, 80}},
           {"ave_ms",
            "average, two scales",
            "ave",
            {"TRAIN.pool", "average"},
            {"TEST.scales", "[1.0, 1.5]"},
            Published{42, 81}},
           {"max", "<maximum>", "max", {"TRAIN.pool", "max"}, {}, Published{41, 79}}}};
}

StudyData tiny_data(const TinySet& set) {
  StudyData data{"tiny", StudyScale::own, set.config("unused"), "", 0, 0};
  data.config.test.test_list = data.config.data.train_list;
  data.config.test.test_h = data.config.test.test_w = 25;
  data.config.train.tensorboard = false;
  data.config.train.evaluate = true;
  return data;
}

StudyOptions options_in(const TinySet& set, const char* folder) { return {set.file(folder), 2, 5}; }

/// What a study came to, without the names of folders.
nlohmann::json figures_of(const StudyResult& result) {
  nlohmann::json json = nlohmann::json::parse(study_json(result));
  json.erase("out");
  return json;
}

/// All weights that a study left, by the path below its folder.
std::map<std::string, std::string> weights_of(const StudyResult& result) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(result.options.out)) {
    if (entry.path().extension() != ".safetensors") continue;
    files[fs::relative(entry.path(), result.options.out).string()] = read_bytes(entry.path().string());
  }
  return files;
}

}  // namespace

TEST_CASE("a study runs, is summarised, and its files hold it") {
  const QuietScope quiet;
  const TinySet set;
  int rounds = 0;
  const StudyResult result =
      run_study(tiny_study(), tiny_data(set), options_in(set, "study"), [&](const StudyResult& so_far) {
        ++rounds;
        CHECK(std::isfinite(so_far.rows[2].seeds[static_cast<size_t>(rounds - 1)].miou));
        if (rounds == 1) CHECK(std::isnan(so_far.rows[2].seeds[1].miou));
        write_study(so_far);
      });
  CHECK(rounds == 2);
  REQUIRE(result.rows.size() == 3);
  CHECK(result.rows[0].seeds[0].seed == 5);
  CHECK(result.rows[0].seeds[1].seed == 6);
  // One training, two tests.
  CHECK(result.rows[0].seeds[0].folder == result.rows[1].seeds[0].folder);
  CHECK(result.rows[0].parameters == result.rows[1].parameters);
  CHECK(result.rows[0].seeds[0].miou != result.rows[1].seeds[0].miou);
  CHECK(result.rows[0].seeds[0].miou != result.rows[0].seeds[1].miou);
  for (const RowResult& row : result.rows) {
    CHECK(row.seeds[0].picture_acc.size() == 8);
    CHECK(row.macs > 0);
  }
  const nlohmann::json file = nlohmann::json::parse(read_bytes(set.file("study/study.json")));
  CHECK(file == nlohmann::json::parse(study_json(result)));
  const StudySummary summary = summarise(result);
  CHECK(file["rows"][0]["mIoU"]["mean"] == summary.rows[0].miou.mean);
  CHECK(file["rows"][0]["mIoU"]["values"].size() == 2);
  CHECK(file["rows"][0]["published"]["mIoU"] == doctest::Approx(0.40));
  CHECK(file["order"]["pairs"] == 3);

  const std::string page = read_bytes(set.file("study/report.html"));
  CHECK(page.find("&lt;maximum&gt;") != std::string::npos);
  CHECK(page.find("<maximum>") == std::string::npos);
  CHECK(page.find("Where the rows differ most") != std::string::npos);
  CHECK(page.find("Learning curves") != std::string::npos);
  CHECK(page.find("http://") == std::string::npos);
  const std::string table = study_table(result);
  CHECK(table.find(spread_text(summary.rows[2].miou)) != std::string::npos);
  CHECK(table.find("41.00   +1.00   79.00") != std::string::npos);
}

TEST_CASE("a study that was stopped goes on to the same bits, at another number of threads") {
  const QuietScope quiet;
  const TinySet set;
  const StudyResult whole = run_study(tiny_study(), tiny_data(set), options_in(set, "whole"));

  const ThreadScope threads(3);
  const StudyOptions options = options_in(set, "stopped");
  try {
    run_study(tiny_study(), tiny_data(set), options, [](const StudyResult&) { std::raise(SIGTERM); });
    FAIL("not interrupted");
  } catch (const Interrupted& error) {
    CHECK(error.signal() == SIGTERM);
    CHECK(std::string(error.what()).find("seed 2 of 2, row 1 of 3 (average)") != std::string::npos);
  }
  CHECK(fs::exists(options.out + "/ave/seed_6/last.safetensors"));  // saved after its first step
  // What a kill may have left: a test without its figures, half of them, another one's.
  fs::remove(options.out + "/ave/seed_5/test_ave/metrics.json");
  fs::copy_file(options.out + "/max/seed_5/test_max/metrics.json", options.out + "/ave/seed_5/test_ave_ms/metrics.json",
                fs::copy_options::overwrite_existing);
  write_bytes(options.out + "/ave/seed_5/test_ave_ms/config.yaml", "TEST:\n  scales: [0.5]\n");
  write_bytes(options.out + "/max/seed_5/test_max/metrics.json", "{\"mIoU\": 1");
  const StudyResult resumed = run_study(tiny_study(), tiny_data(set), options);
  CHECK(figures_of(resumed) == figures_of(whole));
  CHECK(weights_of(resumed) == weights_of(whole));

  // All is there: nothing is trained again.
  const auto before = fs::last_write_time(options.out + "/max/seed_6/test_max/metrics.json");
  CHECK(figures_of(run_study(tiny_study(), tiny_data(set), options)) == figures_of(whole));
  CHECK(fs::last_write_time(options.out + "/max/seed_6/test_max/metrics.json") == before);
}

TEST_CASE("a folder of other settings is refused, more epochs included") {
  const QuietScope quiet;
  const TinySet set;
  StudyData data = tiny_data(set);
  data.config.train.epochs = 1;
  StudyOptions options = options_in(set, "study");
  options.seeds = 1;
  run_study(tiny_study(), data, options);
  data.config.train.epochs = 2;
  CHECK(contains(message_of<Refusal>([&] { run_study(tiny_study(), data, options); }), "TRAIN.epochs: 1, now 2"));
  // Another test is no other training: it is tested again.
  data.config.train.epochs = 1;
  data.config.test.mirror = false;
  const auto time = [&] { return fs::last_write_time(options.out + "/ave/seed_5/last.safetensors"); };
  const auto before = time();
  CHECK(run_study(tiny_study(), data, options).protocol.find("not mirrored") != std::string::npos);
  CHECK(time() == before);
}

TEST_CASE("another study in the folder is refused, and a row that cannot be trained before any is") {
  const QuietScope quiet;
  const TinySet set;
  StudyData data = tiny_data(set);
  data.config.train.epochs = 1;
  StudyOptions options = options_in(set, "study");
  options.seeds = 1;
  write_bytes(set.file("unused"), "");
  fs::create_directories(options.out);
  write_bytes(options.out + "/study.json", R"({"study": "other", "data": "tiny"})");
  CHECK(contains(message_of<Refusal>([&] { run_study(tiny_study(), data, options); }), "is of the study other"));
  // Nor is somebody's own file written over.
  write_bytes(options.out + "/study.json", "my notes");
  CHECK(contains(message_of<Refusal>([&] { run_study(tiny_study(), data, options); }), "no study wrote it"));
  fs::remove(options.out + "/study.json");
  write_bytes(options.out + "/report.html", "<p>my page");
  CHECK(contains(message_of<Refusal>([&] { run_study(tiny_study(), data, options); }), "is another page"));
  fs::remove_all(options.out);
  Study study = tiny_study();
  study.rows.back().train.insert(study.rows.back().train.end(), {"TRAIN.weight", "nowhere.safetensors"});
  CHECK(contains(message_of<Refusal>([&] { run_study(study, data, options); }), "row \"<maximum>\": "));
  CHECK(!fs::exists(options.out));
  data.config.test.index_start = 100;
  CHECK(contains(message_of<Refusal>([&] { run_study(tiny_study(), data, options); }), "TEST.index_start 100"));
  CHECK(!fs::exists(options.out));
}

TEST_CASE("trainings on pictures of another place are not taken for this study's") {
  const QuietScope quiet;
  const TinySet set, other;
  StudyData data = tiny_data(set), elsewhere = tiny_data(other);
  data.config.train.epochs = elsewhere.config.train.epochs = 1;
  StudyOptions options = options_in(set, "study");
  options.seeds = 1;
  run_study(tiny_study(), data, options);
  const std::string refusal = message_of<Refusal>([&] { run_study(tiny_study(), elsewhere, options); });
  CAPTURE(refusal);
  CHECK(contains(refusal, "was begun with other settings: DATA."));
  CHECK(contains(refusal, ", now "));
  // The same by another name.
  data.config.data.data_root += "/.";
  CHECK_NOTHROW(run_study(tiny_study(), data, options));
}

TEST_CASE("a training that went on leaves no test of what it was, of any row that shares it") {
  const QuietScope quiet;
  const TinySet set;
  StudyData data = tiny_data(set);
  data.config.train.epochs = 1;
  StudyOptions options = options_in(set, "study");
  options.seeds = 1;
  const nlohmann::json before = figures_of(run_study(tiny_study(), data, options));
  for (const char* row : {"ave", "ave_ms"}) {
    const std::string file = fmt::format("{}/ave/seed_5/test_{}/metrics.json", options.out, row);
    std::string text = read_bytes(file);
    text.replace(text.find("\"mIoU\":") + 7, 4, ":0.9");
    write_bytes(file, text);
  }
  for (const auto& entry : fs::directory_iterator(options.out + "/ave/seed_5")) {
    if (entry.path().extension() == ".safetensors") fs::remove(entry.path());
  }
  CHECK(figures_of(run_study(tiny_study(), data, options)) == before);
}

TEST_CASE("a row that diverges is a result, and the others go on") {
  const QuietScope quiet;
  const TinySet set;
  StudyData data = tiny_data(set);
  data.config.train.epochs = 1;
  Study study = tiny_study();
  study.rows[0].train.insert(study.rows[0].train.end(), {"TRAIN.base_lr", "1000"});
  study.rows[1].train = study.rows[0].train;
  study.rows[2].train.insert(study.rows[2].train.end(), {"TRAIN.base_lr", "0.01"});
  for (StudyRow& row : study.rows) row.train.insert(row.train.end(), {"TRAIN.new_layer_lr", "1000000"});
  study.rows[2].train.back() = "1";
  StudyOptions options = options_in(set, "study");
  options.seeds = 1;
  const StudyResult result = run_study(study, data, options);
  for (const size_t row : {0, 1}) {
    CHECK(std::isnan(result.rows[row].seeds[0].miou));
    CHECK(result.rows[row].seeds[0].failure.find("NaN or infinite") != std::string::npos);
  }
  CHECK(std::isfinite(result.rows[2].seeds[0].miou));
  CHECK(study_table(result).find("NaN or infinite") != std::string::npos);
  CHECK(disputed_pictures(result, 4).empty());  // one row has no other to differ from
  CHECK_NOTHROW(write_study(result));
  const nlohmann::json json = figures_of(result);
  CHECK(json["rows"][0]["mIoU"]["mean"].is_null());
  CHECK(json["rows"][0]["failures"][0]["seed"] == 5);
}

TEST_CASE("pictures are chosen by how far the rows' means over the seeds lie apart") {
  StudyResult result;
  result.rows.resize(3);
  const std::vector<std::vector<std::vector<double>>> accuracies{
      {{0.5, 0.9, 0.8}, {0.7, 0.9, 0.6}}, {{0.6, 0.2, 0.7}, {0.6, 0.4, 0.7}}, {{}, {}}};
  for (size_t r = 0; r < 3; ++r) {
    for (const std::vector<double>& pictures : accuracies[r]) {
      SeedResult seed;
      seed.picture_acc = pictures;
      if (!pictures.empty()) seed.miou = 0.5;
      result.rows[r].seeds.push_back(seed);
    }
  }
  const std::vector<DisputedPicture> found = disputed_pictures(result, 2);
  REQUIRE(found.size() == 2);
  CHECK(found[0].index == 1);
  CHECK(found[0].range == doctest::Approx(0.6));
  CHECK(found[0].accuracy[1] == doctest::Approx(0.3));
  CHECK(std::isnan(found[0].accuracy[2]));
  CHECK(found[1].index == 0);  // as far apart as picture 2, and before it
  CHECK(found[1].range == doctest::Approx(0).scale(1));
}

TEST_CASE("counts and spreads as text") {
  CHECK(count_text(89300) == "89.3 K");
  CHECK(count_text(417672) == "418 K");
  CHECK(count_text(1.69e8) == "169 M");
  CHECK(count_text(2.5e10) == "25 G");
  CHECK(spread_text({0.6213, 0.0045, 3}) == "62.13 ± 0.45");
  CHECK(spread_text({0.6213, kNoFigure, 1}) == "62.13");
  CHECK(spread_text({kNoFigure, kNoFigure, 0}) == "–");
}

TEST_CASE("a pair of rows contradicts the published order where the seeds agree on it") {
  StudyResult result;
  result.data.name = "made up";
  const std::vector<std::vector<double>> mious{{0.50, 0.51, 0.52}, {0.40, 0.42, 0.41}, {0.45, 0.41, 0.50}};
  const std::vector<double> published{1, 2, 3};
  for (size_t r = 0; r < 3; ++r) {
    RowResult row;
    row.row.title = std::string(1, static_cast<char>('a' + r));
    row.row.paper = Published{published[r], published[r]};
    for (const double miou : mious[r]) {
      SeedResult seed;
      seed.miou = seed.all_acc = miou;
      row.seeds.push_back(seed);
    }
    result.rows.push_back(row);
  }
  const StudySummary summary = summarise(result);
  CHECK(summary.pairs == 3);
  CHECK(summary.alike == 1);
  REQUIRE(summary.contradictions.size() == 1);  // a above c differs from seed to seed
  CHECK(summary.contradictions[0].better == 0);
  CHECK(summary.contradictions[0].worse == 1);
  CHECK(summary.contradictions[0].difference.mean == doctest::Approx(0.1));
  CHECK(study_table(result).find("a above b by 10.00") != std::string::npos);
  CHECK(agreement_text(summary).find("-0.50") != std::string::npos);
}

TEST_CASE("rows of one group are compared with its first, and groups have no order together") {
  StudyResult result;
  result.data.name = "made up";
  const std::vector<std::string> groups{"one", "one", "two", "two", "three"};
  const std::vector<std::vector<double>> mious{{0.50, 0.52}, {0.53, 0.55}, {0.40, 0.42}, {0.38, 0.41}, {0.60, 0.61}};
  const std::vector<double> published{60, 61, 70, 72, kNoFigure};
  for (size_t r = 0; r < mious.size(); ++r) {
    RowResult row;
    row.row.title = std::string(1, static_cast<char>('a' + r));
    row.row.group = groups[r];
    if (std::isfinite(published[r])) row.row.paper = Published{published[r], kNoFigure};
    for (const double miou : mious[r]) {
      SeedResult seed;
      seed.miou = seed.all_acc = miou;
      row.seeds.push_back(seed);
    }
    result.study.rows.push_back(row.row);
    result.rows.push_back(row);
  }
  CHECK(has_groups(result.study));
  const StudySummary summary = summarise(result);
  CHECK(summary.rows[1].from_first.mean == doctest::Approx(0.03));
  CHECK(summary.rows[3].first == 2);
  CHECK(summary.rows[3].from_first.mean == doctest::Approx(-0.015));
  CHECK(summary.rows[3].published_from_first == doctest::Approx(0.02));
  CHECK(std::isnan(summary.rows[4].published_from_first));
  // a is below c as published, but these are figures of two publications.
  CHECK(summary.pairs == 2);
  CHECK(summary.alike == 1);
  CHECK(std::isnan(summary.miou.rho));
  CHECK(agreement_text(summary) == "1 of 2 pairs of rows that were published together stand as published.");
  const std::string table = study_table(result);
  CHECK(table.find("-1.50") != std::string::npos);
  CHECK(table.find("72.00   +2.00") != std::string::npos);
  CHECK(table.find("to the first row of the group") != std::string::npos);
  const nlohmann::json json = figures_of(result);
  CHECK(json["rows"][3]["published"]["difference"] == doctest::Approx(0.02));
  CHECK(json["rows"][3]["group"] == "two");
  // In one group there is an order.
  for (RowResult& row : result.rows) row.row.group.clear();
  CHECK(summarise(result).pairs == 6);
  CHECK(std::isfinite(summarise(result).miou.rho));
}

}  // namespace giza::train
