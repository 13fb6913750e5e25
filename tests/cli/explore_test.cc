// giza explore: its page from the command line, and what it refuses.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/support/refusal.h"

namespace giza::testing {
namespace {

TEST_CASE("explore writes a page of one network and of two, and refuses what does not fit") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const std::string train = "train --threads 1 --quiet --config tiny.yaml epochs 1 ";
  REQUIRE(run_giza(train + "save_path psp", folder.path()).status == 0);
  REQUIRE(run_giza(train + "save_path baseline TRAIN.arch baseline", folder.path()).status == 0);
  const std::string explore = "explore --quiet --out page.html --points 4 --fields ends ";
  const std::string both = explore + "--weights baseline/last.safetensors --weights psp/last.safetensors ";
  const std::string picture = "scenes/val/scene_00000.png", labels = "scenes/valannot/scene_00000.png";

  const Outcome one = run_giza(explore + "--weights psp/last.safetensors " + picture, folder.path());
  CHECK(one.status == 0);
  CHECK(one.err.empty());
  CHECK(contains(one.out, "page.html: "));
  const std::string page = read_file(folder.file("page.html"));
  CHECK(contains(page, "PSPNet"));
  CHECK(contains(page, "skyscraper"));  // the weights carry the names
  CHECK(contains(page, "giza explore --weights psp/last.safetensors --out page.html"));

  const Outcome two =
      run_giza(both + "--json --label " + labels + " --swap scenes/val/scene_00001.png " + picture, folder.path());
  CHECK(two.status == 0);
  const auto json = nlohmann::json::parse(two.out);
  CHECK(json["states"] == 32);
  CHECK(json["fields"] == json["points"].get<int>() * (1 + 3));
  CHECK(json["bytes"] == read_file(folder.file("page.html")).size());
  CHECK(contains(read_file(folder.file("page.html")), "taken from <bdi>scene_00001.png</bdi>"));

  REQUIRE(run_giza("scenes --classify --out things --train 6 --val 6 --size 48x96 --quiet", folder.path()).status == 0);
  REQUIRE(
      run_giza(
          "train --threads 1 --quiet --config tiny.yaml epochs 1 save_path whole TRAIN.arch classifier DATA.dataset "
          "folders DATA.data_root things DATA.train_list '' DATA.val_list '' DATA.classes 6 DATA.names_path '' "
          "DATA.colors_path '' TRAIN.aux_weight 0 TRAIN.evaluate false",
          folder.path())
          .status == 0);
  const Outcome whole = run_giza(explore + "--weights whole/last.safetensors " + picture, folder.path());
  CHECK(whole.status == 2);
  CHECK(contains(whole.err, "whole/last.safetensors: is a classifier of whole pictures"));

  // The same page, whatever the number of threads.
  const std::string before = read_file(folder.file("page.html"));
  const std::string again = both + "--label " + labels + " --swap scenes/val/scene_00001.png --threads ";
  CHECK(run_giza(again + "1 " + picture, folder.path()).status == 0);
  CHECK(read_file(folder.file("page.html")) == before);

  // Labels by the rules of a configuration.
  std::string shifted = read_file(folder.file("tiny.yaml"));
  shifted.insert(shifted.find("TRAIN:"), "  label_map: {0: 3}\n");
  write_file(folder.file("shifted.yaml"), shifted);
  CHECK(run_giza(both + "--config shifted.yaml --label " + labels + " " + picture, folder.path()).status == 0);
  CHECK(contains(read_file(folder.file("page.html")), "ignored</li>"));

  struct Fault {
    std::string arguments;
    const char* message;
  };
  write_file(folder.file("text.png"), "no picture");
  REQUIRE(run_giza("scenes --out wide --train 1 --val 0 --size 64x96 --quiet", folder.path()).status == 0);
  std::string other = read_file(folder.file("tiny.yaml"));
  other.replace(other.find("classes: 12"), 11, "classes: 13");
  other.erase(other.find("  names_path"), other.find("TRAIN:") - other.find("  names_path"));
  write_file(folder.file("other.yaml"), other);
  REQUIRE(run_giza("train --threads 1 --quiet --config other.yaml epochs 1 save_path other", folder.path()).status ==
          0);
  std::string names = read_file(folder.file("scenes/names.txt"));
  names.insert(names.find("skyline") + 7, "s");
  write_file(folder.file("names.txt"), names);
  REQUIRE(run_giza(train + "save_path named DATA.names_path names.txt", folder.path()).status == 0);
  const std::vector<Fault> faults = {
      {both, "explore: 0 pictures, expected one"},
      {both + picture + " " + picture, "explore: 2 pictures, expected one"},
      {both + "--weights psp/last.safetensors " + picture, "--weights is given 3 times"},
      {both + "missing.png", "missing.png: there is no such file"},
      {both + "text.png", "text.png: "},
      {both + "--swap text.png " + picture, "text.png: "},
      {both + "--label text.png " + picture, "text.png: "},
      {both + "--label " + picture + " " + picture, "scene_00000.png: "},
      {both + "--label wide/trainannot/scene_00000.png " + picture, "expected the same size"},
      {"explore --weights psp/last.safetensors --out page.html --fields some " + picture,
       "--fields some: expected auto, all or ends"},
      {both + "--points 0 " + picture, "--points"},
      {both + "--side 4096 " + picture, "--side"},
      {explore + "--weights text.png " + picture, "text.png: "},
      {explore + "--weights psp/last.safetensors --weights other/last.safetensors " + picture,
       "other/last.safetensors: has 13 classes, but psp/last.safetensors has 12"},
      {"explore --weights psp/last.safetensors --out '' " + picture, "--out: is empty"},
      {"explore --weights psp/last.safetensors --out scenes/../" + picture + " " + picture, "would be overwritten"},
      {explore + "--weights psp/last.safetensors --weights named/last.safetensors " + picture,
       "named/last.safetensors: class 1 is skylines, but in psp/last.safetensors it is skyline; expected the same"},
      {"explore --weights psp/last.safetensors --out scenes --points 1 --fields ends " + picture,
       "scenes: this is a folder"},
      {"explore --out page.html " + picture, "--weights is required"},
  };
  write_file(folder.file("page.html"), "before");
  for (const Fault& fault : faults) {
    CAPTURE(fault.arguments);
    const Outcome outcome = run_giza(fault.arguments + " --quiet", folder.path());
    CAPTURE(outcome.err);
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(contains(outcome.err, fault.message));
    CHECK(outcome.out.empty());
  }
  CHECK(read_file(folder.file("page.html")) == "before");
}

}  // namespace
}  // namespace giza::testing
