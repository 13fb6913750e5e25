// Running giza as a process of its own.
#include "tests/faults/process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
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

/// A pipe without a reader.
int broken_pipe() {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  ::close(ends[0]);
  return ends[1];
}

/// The child's side of a Process; does not return.
[[noreturn]] void become_giza(const Words& arguments, const fs::path& folder, const Environment& environment, int out,
                              int err) {
  std::vector<char*> words = {const_cast<char*>(giza_binary())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  if (::chdir(folder.c_str()) != 0 || ::dup2(::open("/dev/null", O_RDONLY), 0) < 0 || ::dup2(out, 1) < 0 ||
      ::dup2(err, 2) < 0)
    ::_exit(99);
  ::close(out);
  ::execv(giza_binary(), words.data());
  ::_exit(99);
}

pid_t start(const Words& arguments, const fs::path& folder, const Environment& environment, Process::Stdout out,
            int err) {
  const int to = out == Process::Stdout::broken_pipe ? broken_pipe() : ::open("/dev/null", O_WRONLY);
  const pid_t child = ::fork();
  if (child == 0) become_giza(arguments, folder, environment, to, err);
  ::close(to);
  return child;
}

}  // namespace

Process::Process(const Words& arguments, const fs::path& folder, const Environment& environment, Stdout out)
    : err_(std::tmpfile()), child_(start(arguments, folder, environment, out, ::fileno(err_))) {}

Process::~Process() {
  if (!ended_) {
    send(SIGKILL);
    ::waitpid(child_, &status_, 0);
  }
  std::fclose(err_);
}

bool Process::ends_within(std::chrono::microseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  while (!ended_) {
    ended_ = ::waitpid(child_, &status_, WNOHANG) != 0;
    if (ended_ || std::chrono::steady_clock::now() >= deadline) break;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return ended_;
}

void Process::send(int signal) const {
  if (!ended_) ::kill(child_, signal);
}

Ended Process::wait() {
  if (!ends_within(std::chrono::minutes(2))) send(SIGKILL);
  ends_within(std::chrono::minutes(2));
  Ended ended{WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_), {}};
  std::rewind(err_);
  char buffer[4096];
  for (size_t got = 0; (got = std::fread(buffer, 1, sizeof(buffer), err_)) > 0;) ended.err.append(buffer, got);
  return ended;
}

Ended run_giza(const Words& arguments, const fs::path& folder, const Environment& environment,
               std::chrono::microseconds limit) {
  Process process(arguments, folder, environment);
  if (!process.ends_within(limit)) process.send(SIGKILL);
  return process.wait();
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
