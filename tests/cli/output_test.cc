// Where results and messages go: full disks, closed streams, pipes, and numbers on the command line read strictly.
#include <doctest/doctest.h>

#include "tests/cli/program.h"
#include "tests/support/refusal.h"

namespace giza::testing {
namespace {

namespace fs = std::filesystem;

TEST_CASE("a stderr that cannot be written to changes no exit status") {
  CHECK(run_giza("bogus 2>/dev/full").status == 2);
  CHECK(run_giza("bogus 2>&-").status == 2);
  CHECK(run_giza("eval --config /no/such 2>/dev/full").status == 2);
  CHECK(run_giza("bogus 2>&1 | true; exit 0").status == 0);
  const TempFolder folder;
  make_tiny_run(folder.path());
  // The last one is a reader that goes away.
  for (const std::string end : {"2>/dev/full", "2>&-", "2>pipe & : <pipe; wait $!"}) {
    CAPTURE(end);
    const TempFolder run;
    REQUIRE(run_giza("info --no-peak; rm -f pipe; mkfifo pipe", folder.path()).status == 0);
    const std::string train = "train --threads 1 --config tiny.yaml epochs 2 save_path " + run.path() + " ";
    CHECK(run_giza(train + end, folder.path()).status == 0);
    CHECK(fs::exists(run.file("last.safetensors")));
  }
}

TEST_CASE("results that cannot be written are an error") {
  for (const char* arguments :
       {"info --no-peak", "--help", "--version", "train --help", "train --help-keys", "info --no-peak --json"}) {
    CAPTURE(arguments);
    const Outcome outcome = run_giza(std::string(arguments) + " >/dev/full");
    CHECK(outcome.status == 1);
    CHECK(one_line_refusal(outcome.err));
    CHECK(contains(outcome.err, "stdout: the results could not be written: No space left on device"));
    CHECK(run_giza(std::string(arguments) + " >&-").status == 1);
  }
}

TEST_CASE("what is no regular file is written to, and stays") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  REQUIRE(run_giza("train --threads 1 --config tiny.yaml --quiet epochs 1 save_path run", folder.path()).status == 0);
  const std::string convert = "convert run/last.safetensors ";
  REQUIRE(run_giza(convert + "a.safetensors", folder.path()).status == 0);
  fs::create_symlink("made.safetensors", folder.file("dangling.safetensors"));
  REQUIRE(run_giza(convert + "dangling.safetensors", folder.path()).status == 0);
  CHECK(fs::is_symlink(folder.file("dangling.safetensors")));
  CHECK(read_file(folder.file("made.safetensors")) == read_file(folder.file("a.safetensors")));

  const std::string eval = "eval --config tiny.yaml --quiet model_path run/last.safetensors ";
  const Outcome page = run_giza(eval + "--report /dev/null", folder.path());
  CHECK(page.status == 0);
  CHECK(fs::is_character_file("/dev/null"));
  const Outcome svg = run_giza("profile --config tiny.yaml --quiet --runs 1 --svg /dev/stdout >out.txt", folder.path());
  CHECK(svg.status == 0);
  CHECK(contains(read_file(folder.file("out.txt")), "<svg"));
  CHECK(contains(read_file(folder.file("out.txt")), "GFLOP"));  // the table, which comes after it
  const Outcome full = run_giza("profile --config tiny.yaml --quiet --runs 1 --trace /dev/full", folder.path());
  CHECK(full.status == 1);
  CHECK(contains(full.err, "/dev/full: cannot be written: No space left on device"));
  const Outcome below = run_giza(eval + "--report scenes", folder.path());
  CHECK(below.status == 2);
  CHECK(contains(below.err, "scenes: this is a folder"));
}

TEST_CASE("numbers on the command line are read strictly") {
  for (const char* arguments :
       {"info --seed 99999999999999999999", "info --seed 1.5", "info --seed 0x10", "info --threads 1e2",
        "info --threads ''", "bench model --depth 50x", "bench model --width nan", "bench model --size -1",
        "plan --config x --memory nan", "plan --config x --memory inf", "predict --weights x --out y --opacity nan z",
        "predict --weights x --out y --opacity 1.5 z", "profile --op ''"}) {
    CAPTURE(arguments);
    const Outcome outcome = run_giza(arguments);
    CAPTURE(outcome.err);
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(outcome.out.empty());
  }
  // Decimal, whatever zeros or plus stand before: CLI11 alone would read eight.
  const Outcome ten =
      run_giza("bench model --depth 18 --size +033 --batch 01 --classes 010 --width 0.1 --runs 1 --json");
  CHECK(contains(ten.out, "\"size\":33,\"batch\":1,\"classes\":10,"));
}

}  // namespace
}  // namespace giza::testing
