// giza study: a table from the command line, killed and started again.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/program.h"
#include "tests/support/refusal.h"

namespace giza::testing {
namespace fs = std::filesystem;

namespace {

/// Of study.json, without the folder's name.
nlohmann::json figures(const fs::path& file) {
  nlohmann::json json = nlohmann::json::parse(read_file(file), nullptr, false);
  if (json.is_object()) json.erase("out");
  return json;
}

}  // namespace

TEST_CASE("a study prints its table, and is the same however often it is killed") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const std::string study = "study table2 --data tiny.yaml --seeds 2 --quiet epochs 3 save_freq 1 ";
  const Outcome whole = run_giza(study + "--threads 1 --out whole", folder.path());
  CAPTURE(whole.err);
  REQUIRE(whole.status == 0);
  CHECK(whole.err.empty());
  for (const char* words : {"Weight of the auxiliary loss (Table 2) on tiny: seeds 2, epochs 3, batch 4", "weight 0.9",
                            "37.23   +1.41   78.01", "Spearman's rho", "resamplings of the seeds"}) {
    CAPTURE(words);
    CHECK(contains(whole.out, words));
  }
  CHECK(fs::exists(folder.file("whole/report.html")));
  CHECK(fs::exists(folder.file("whole/aux_0.3/seed_2/last.safetensors")));

  // Killed after a third of a second and more, whatever it is doing, until it comes through.
  Outcome killed;
  int kills = 0;
  for (; kills < 40; ++kills) {
    killed = run_giza(study + "--threads 2 --out killed & pid=$!; sleep " + fmt::format("{}", 0.3 + 0.2 * kills) +
                          "; kill -KILL $pid 2>/dev/null; wait $pid",
                      folder.path());
    if (killed.status == 0) break;
  }
  CHECK(kills > 0);
  CAPTURE(killed.err);
  REQUIRE(killed.status == 0);
  CHECK(killed.out == whole.out);
  CHECK(figures(folder.file("killed/study.json")) == figures(folder.file("whole/study.json")));
  for (const char* file : {"none/seed_1/last.safetensors", "aux_0.9/seed_2/last.safetensors"}) {
    CHECK(read_file(folder.file(std::string("killed/") + file)) ==
          read_file(folder.file(std::string("whole/") + file)));
  }

  const Outcome json = run_giza(study + "--threads 1 --out whole --json", folder.path());
  CHECK(json.status == 0);
  CHECK(nlohmann::json::parse(json.out) == nlohmann::json::parse(read_file(folder.file("whole/study.json"))));
  const Outcome other = run_giza(study + "--threads 1 --out whole TRAIN.base_lr 0.5", folder.path());
  CHECK(other.status == 2);
  CHECK(one_line_refusal(other.err));
  CHECK(contains(other.err, "TRAIN.base_lr: 0.01, now 0.5"));
}

TEST_CASE("a signal ends a study with its checkpoint saved") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const Outcome stopped = run_giza(
      "study table1 --data tiny.yaml --seeds 1 --threads 1 --quiet epochs 3000 --out s & pid=$!; "
      "for i in $(seq 600); do [ -s s/baseline/seed_1/log.jsonl ] && break; sleep 0.05; done; kill -INT $pid; "
      "wait $pid",
      folder.path());
  CAPTURE(stopped.err);
  CHECK(stopped.status == 130);
  CHECK(stopped.out.empty());
  CHECK(one_line_refusal(stopped.err));
  CHECK(contains(stopped.err, "seed 1 of 1, row 1 of 7 (baseline)"));
  CHECK(contains(stopped.err, "the same command goes on"));
  CHECK(fs::exists(folder.file("s/baseline/seed_1/last.safetensors")));
}

TEST_CASE("what is no study is refused, and nothing is left") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const std::pair<const char*, const char*> cases[] = {
      {"study", "no name"},
      {"study tabel1", "the nearest is table1"},
      {"study table1 --seeds 0", "--seeds"},
      {"study table1 --data tiny.yaml --seed 9223372036854775807 --seeds 2", "there are no 2 seeds"},
      {"study table1 --data absent.yaml", "absent.yaml"},
      {"study table1 --data camvid", "docs/camvid.md"},
      {"study table1 --data tiny.yaml arch psp", "TRAIN.arch is what table1 sets for its rows"},
      {"study table1 --data tiny.yaml TRAIN.epoch 3", "TRAIN.epochs"},
      {"study table4 --data tiny.yaml", "TRAIN.object_classes"},
      {"study table1 --data tiny.yaml --frobnicate", "--frobnicate"},
      {"study table1 --data tiny.yaml DATA.train_list absent.txt", "absent.txt"},
  };
  for (const auto& [arguments, words] : cases) {
    const std::string command = arguments;  // clang 14 captures no part of a pair
    CAPTURE(command);
    const Outcome outcome = run_giza(command, folder.path());
    CAPTURE(outcome.err);
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(contains(outcome.err, words));
    CHECK(outcome.out.empty());
  }
  CHECK_FALSE(fs::exists(folder.file("studies")));
}

}  // namespace giza::testing
