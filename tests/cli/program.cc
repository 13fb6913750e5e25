// Runs the giza program as a user does.
#include "tests/cli/program.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace giza::testing {

Outcome run_giza(const std::string& arguments, const std::filesystem::path& folder, const std::string& before) {
  const TempFolder output;
  const std::string out = output.file("out"), err = output.file("err");
  const std::string command = "cd '" + folder.string() + "' && " + before + " && { '" GIZA_BINARY "' " + arguments +
                              "; } >'" + out + "' 2>'" + err + "' </dev/null";
  const int status = std::system(command.c_str());
  Outcome outcome;
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  outcome.out = read_file(out);
  outcome.err = read_file(err);
  return outcome;
}

bool one_line_refusal(const std::string& text) {
  return text.starts_with("giza: ") && std::count(text.begin(), text.end(), '\n') == 1 && text.ends_with("\n");
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

void make_tiny_run(const std::filesystem::path& folder) {
  REQUIRE(run_giza("scenes --out scenes --train 8 --val 2 --size 48x96 --seed 1 --quiet", folder).status == 0);
  write_file(folder / "tiny.yaml", R"(DATA:
  data_root: scenes
  train_list: scenes/train.txt
  val_list: scenes/val.txt
  classes: 12
  names_path: scenes/names.txt
  colors_path: scenes/colors.txt
TRAIN:
  layers: 18
  blocks: [1, 1, 1, 1]
  width: 0.125
  train_h: 49
  train_w: 97
  batch_size: 4
  workers: 1
  epochs: 2
  print_freq: 1
  save_path: run
TEST:
  test_list: scenes/val.txt
  base_size: 0
  test_h: 41
  test_w: 57
  save_masks: true
  model_path: run/last.safetensors
  save_folder: run/val
)");
}

}  // namespace giza::testing
