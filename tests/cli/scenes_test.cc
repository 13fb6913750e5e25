// giza scenes: what it writes and prints, what it refuses, and that an interrupted run leaves no list.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/program.h"

using giza::TempFolder;
using giza::testing::one_line_refusal;
using giza::testing::Outcome;
using giza::testing::read_file;
using giza::testing::run_giza;
using giza::testing::write_file;
namespace fs = std::filesystem;

TEST_CASE("scenes writes a data set and says so") {
  const TempFolder folder;
  const Outcome outcome =
      run_giza("scenes --out new/data --train 3 --val 2 --size 48x64 --seed 5 --json", folder.path());
  CHECK(outcome.status == 0);
  CHECK(outcome.err.find("5/5") != std::string::npos);
  const auto line = nlohmann::json::parse(outcome.out);
  CHECK(line["train"] == 3);
  CHECK(line["height"] == 48);
  CHECK(line["width"] == 64);
  const fs::path data = folder.file("new/data");
  CHECK(read_file(data / "val.txt") ==
        "val/scene_00000.png valannot/scene_00000.png\nval/scene_00001.png valannot/scene_00001.png\n");
  CHECK(fs::exists(data / "trainannot" / "scene_00002.png"));

  // The same seed, then another context of the same seed.
  CHECK(run_giza("scenes --out same --train 1 --val 0 --size 48x64 --seed 5 --quiet", folder.path()).status == 0);
  const std::string first = read_file(data / "train" / "scene_00000.png");
  CHECK(read_file(folder.file("same/train/scene_00000.png")) == first);
  int same = 0;
  for (const std::string ground : {"water", "road"}) {
    REQUIRE(run_giza("scenes --out " + ground + " --train 1 --val 0 --size 48x64 --seed 5 --quiet --ground " + ground,
                     folder.path())
                .status == 0);
    same += read_file(folder.file(ground) + "/train/scene_00000.png") == first ? 1 : 0;
  }
  CHECK(same == 1);
}

TEST_CASE("scenes refuses bad usage in one line and writes nothing") {
  const TempFolder folder;
  fs::create_directories(folder.file("mine"));
  write_file(folder.file("mine/notes.txt"), "keep");
  struct Fault {
    const char* arguments;
    const char* message;
  };
  const Fault faults[] = {
      {"", "--out is required"},
      {"--out d --size 96", "HEIGHTxWIDTH"},
      {"--out d --size 96x", "HEIGHTxWIDTH"},
      {"--out d --size 96x192x3", "HEIGHTxWIDTH"},
      {"--out d --size 99999999999x192", "HEIGHTxWIDTH"},
      {"--out d --size 16x16", "out of range"},
      {"--out d --size -96x192", "out of range"},
      {"--out d --train -1", "--train: -1 is not a whole number from 0 to 100000"},
      {"--out d --train 0 --val 0", "no pictures"},
      {"--out d --train many", "--train"},
      {"--out d --ground ice", "--ground"},
      {"--out mine", "mine: holds other files"},
  };
  for (const Fault& fault : faults) {
    CAPTURE(std::string(fault.arguments));
    const Outcome outcome = run_giza(std::string("scenes ") + fault.arguments, folder.path());
    CHECK(outcome.status == 2);
    CHECK(outcome.out.empty());
    CHECK(one_line_refusal(outcome.err));
    CHECK(outcome.err.find(fault.message) != std::string::npos);
    CHECK_FALSE(fs::exists(folder.file("d")));
  }
  CHECK(read_file(folder.file("mine/notes.txt")) == "keep");
}

TEST_CASE("scenes stopped by a signal leaves no list") {
  const TempFolder folder;
  REQUIRE(run_giza("scenes --out d --train 2 --val 1 --size 48x64 --quiet", folder.path()).status == 0);
  // The replacement of a data set is stopped: its old lists must be gone too.
  const Outcome outcome = run_giza(
      "scenes --out d --train 90000 --size 96x192 --quiet & pid=$!; while [ -e d/train.txt ]; do sleep 0.05; done; "
      "kill -TERM $pid; wait $pid",
      folder.path());
  CHECK(outcome.status == 143);
  CHECK(outcome.err.find("stopped by signal 15") != std::string::npos);
  CHECK(fs::exists(folder.file("d/names.txt")));
  CHECK_FALSE(fs::exists(folder.file("d/train.txt")));
  CHECK_FALSE(fs::exists(folder.file("d/val.txt")));
}
