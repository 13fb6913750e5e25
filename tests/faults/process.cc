// Running giza as a process of its own.
#include "tests/faults/process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace giza::faults {
namespace fs = std::filesystem;
namespace {

constexpr const char* kConfig = R"(DATA:
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
  train_h: 41
  train_w: 41
  rotate_prob: 0
  batch_size: 4
  workers: 1
  threads: 1
  epochs: 8
  print_freq: 1
  resume: auto
  save_path: run
TEST:
  test_list: scenes/val.txt
  base_size: 0
  test_h: 41
  test_w: 57
  save_masks: true
  model_path: run/last.safetensors
  save_folder: out/val
)";

void require(const Ended& ended, const char* what) {
  if (ended.status == 0) return;
  std::fprintf(stderr, "the fixture cannot be made: %s ended with %d: %s\n", what, ended.status, ended.err.c_str());
  std::exit(2);
}

/// The program that this was built with, or another one.
const char* giza_binary() {
  const char* other = std::getenv("GIZA_BINARY");
  return other == nullptr ? GIZA_BINARY : other;
}

/// The child's side of run_giza; does not return.
[[noreturn]] void become_giza(const std::vector<std::string>& arguments, const fs::path& folder,
                              const std::map<std::string, std::string>& environment, int err) {
  std::vector<char*> words = {const_cast<char*>(giza_binary())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  const int nowhere = ::open("/dev/null", O_RDWR);
  if (::chdir(folder.c_str()) != 0 || ::dup2(nowhere, 0) < 0 || ::dup2(nowhere, 1) < 0 || ::dup2(err, 2) < 0)
    ::_exit(99);
  ::execv(giza_binary(), words.data());
  ::_exit(99);
}

}  // namespace

Ended run_giza(const std::vector<std::string>& arguments, const fs::path& folder,
               const std::map<std::string, std::string>& environment, std::chrono::microseconds limit) {
  std::FILE* err = std::tmpfile();
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const pid_t child = ::fork();
  if (child == 0) become_giza(arguments, folder, environment, ::fileno(err));
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= deadline) ::kill(child, SIGKILL);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  Ended ended{WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), {}};
  std::rewind(err);
  char buffer[4096];
  for (size_t got = 0; (got = std::fread(buffer, 1, sizeof(buffer), err)) > 0;) ended.err.append(buffer, got);
  std::fclose(err);
  return ended;
}

void make_fixture(const fs::path& folder) {
  require(
      run_giza({"scenes", "--out", "scenes", "--train", "8", "--val", "2", "--size", "48x64", "--seed", "1", "--quiet"},
               folder),
      "giza scenes");
  std::ofstream(folder / "tiny.yaml") << kConfig;
}

std::vector<std::string> temporaries_below(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.path().extension() == ".tmp") found.push_back(entry.path().string());
  }
  return found;
}

}  // namespace giza::faults
