// Disturbs giza as people and machines do, at random moments:
//   fault_disturb [ROUNDS] [DISTURBANCE]     so many rounds of each (default 3), or of one alone
// After each round the same must hold: nothing crashes or hangs, messages are lines that begin with "giza: ", no
// temporary file stays, and the training ends, at the latest when run again, with the bytes of one that nobody
// disturbed. Status 0 if it held, 1 otherwise.
#include <csignal>
#include <cstdlib>
#include <functional>
#include <random>
#include <sstream>

#include "tests/faults/process.h"
#include "tests/support/temp_folder.h"

namespace giza::faults {
namespace {

namespace fs = std::filesystem;
using std::chrono::microseconds;

const Words kTrain = {"train", "--config", "tiny.yaml", "--quiet"};
const Words kPredict = {"predict", "--weights", "trained/last.safetensors", "--out", "masks", "scenes/val", "--quiet"};

class Disturber {
 public:
  Disturber() {
    make_fixture(folder_);
    const auto start = std::chrono::steady_clock::now();
    must(run_giza(kTrain, folder_), "training");
    whole_ = std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - start);
    trained_ = last();
    fs::copy(folder_ / "run", folder_ / "trained", fs::copy_options::recursive);
    must(run_giza(kPredict, folder_), "prediction");
    predicted_ = read_bytes(folder_ / kMask);
    if (trained_.empty() || predicted_.empty()) must({}, "reading results");
  }

  /// Each returns what went wrong; empty if nothing.
  std::string signals() {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      begin();
      Process process(kTrain, folder_);
      if (!process.ends_within(moment())) process.send(signal);
      const Ended ended = process.wait();
      // Before the handler is there, a signal ends the process as it ends any.
      if (ended.status != 0 && ended.status != 128 + signal && ended.status != -signal) return describe(ended);
      if (std::string wrong = finish(ended); !wrong.empty()) return wrong;
    }
    return {};
  }

  std::string two_runs_in_one_folder() {
    begin();
    Process first(kTrain, folder_);
    const bool over = first.ends_within(moment());
    const Ended second = run_giza(kTrain, folder_);
    const Ended ended = first.wait();
    // Whichever came first holds the folder; the other is told so. One of them ended the training.
    const bool refused = second.status == 2 && second.err.find("another") != std::string::npos;
    const bool late = ended.status == 2 && ended.err.find("another") != std::string::npos;
    if (!(ended.status == 0 && (refused || second.status == 0)) && !(late && second.status == 0))
      return describe(ended) + (over ? " then " : " and ") + describe(second);
    return last() == trained_ ? finish(ended) : "other bytes";
  }

  /// In a container the ids of processes repeat, so what a killed one left may bear the name that the next one would
  /// take.
  std::string same_process_id() {
    const Environment one = {{"LD_PRELOAD", GIZA_INJECT}, {"GIZA_FAULT_PID", "1"}};
    begin();
    fs::create_directories(folder_ / "run");
    write_bytes(folder_ / "run/.lock", "1\n");  // as a killed run may have left it
    for (int kill = 0; kill < 3; ++kill) run_giza(kTrain, folder_, one, moment());
    if (std::string wrong = finish(run_giza(kTrain, folder_, one)); !wrong.empty()) return wrong;
    fs::remove_all(folder_ / "masks");
    for (int kill = 0; kill < 3; ++kill) run_giza(kPredict, folder_, one, moment() / 2);
    const Ended ended = run_giza(kPredict, folder_, one);
    if (ended.status != 0) return describe(ended);
    if (read_bytes(folder_ / kMask) != predicted_) return "another mask";
    return temporaries_below(folder_ / "masks").empty() ? "" : "temporary files of predict stayed";
  }

  std::string clock_set_back() {
    const Environment jumping = {{"LD_PRELOAD", GIZA_INJECT}, {"GIZA_FAULT_CLOCK", std::to_string(random_())}};
    begin();
    run_giza(kTrain, folder_, jumping, moment());
    return finish(run_giza(kTrain, folder_, jumping));
  }

  /// The folder of the run is moved away, and then put back.
  std::string vanishing_run_folder() {
    begin();
    Process process(kTrain, folder_);
    const bool over = process.ends_within(moment());
    std::error_code error;
    fs::rename(folder_ / "run", folder_ / "moved", error);
    const Ended ended = process.wait();
    if (!error) {
      fs::remove_all(folder_ / "run");  // which the run may have made again
      fs::rename(folder_ / "moved", folder_ / "run");
    }
    if (over && ended.status != 0) return describe(ended);
    return finish(ended);
  }

  std::string vanishing_pictures() {
    begin();
    Process process(kTrain, folder_);
    process.ends_within(moment());
    fs::rename(folder_ / "scenes", folder_ / "elsewhere");
    const Ended ended = process.wait();
    fs::rename(folder_ / "elsewhere", folder_ / "scenes");
    if (ended.status != 0 && ended.err.find("scenes") == std::string::npos) return "names no file: " + describe(ended);
    return finish(ended);
  }

  /// From some moment on nothing can be written: the disk is full, or its file system was made read-only.
  std::string full_or_read_only_disk() {
    for (const char* fault : {"write:%:ENOSPC", "open:%:EROFS", "fsync:%:EIO", "rename:%:EROFS"}) {
      begin();
      std::string text = fault;
      text.replace(text.find('%'), 1, std::to_string(1 + random_() % 150) + "+");
      const Ended ended = run_giza(kTrain, folder_, {{"LD_PRELOAD", GIZA_INJECT}, {"GIZA_FAULT", text}});
      if (std::string wrong = finish(ended); !wrong.empty()) return text + ": " + wrong;
    }
    return {};
  }

  /// `giza ... | head`: nobody reads what it prints.
  std::string broken_pipe() {
    begin();
    Process process(kTrain, folder_, {}, Process::Stdout::broken_pipe);
    const Ended ended = process.wait();
    if (ended.status != 0 && ended.status != 1) return describe(ended);
    if (last() != trained_) return "other bytes";
    for (const Words& words :
         {Words{"info", "--no-peak"}, Words{"check", "--config", "tiny.yaml", "--quiet"}, Words{"--help"}}) {
      Process other(words, folder_, {}, Process::Stdout::broken_pipe);
      const Ended said = other.wait();
      if (said.status != 1 || said.err.find("Broken pipe") == std::string::npos || !well_said(said.err))
        return words.front() + ": " + describe(said);
    }
    return {};
  }

 private:
  static constexpr const char* kMask = "masks/scene_00001_label.png";

  static void must(const Ended& ended, const char* what) {
    if (ended.status == 0) return;
    std::fprintf(stderr, "%s fails: %s\n", what, describe(ended).c_str());
    std::exit(2);
  }
  static std::string describe(const Ended& ended) {
    return "status " + std::to_string(ended.status) + ": " + (ended.err.empty() ? "nothing said" : ended.err);
  }
  static bool well_said(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("giza: ")) return false;
    }
    return true;
  }

  void begin() { fs::remove_all(folder_ / "run"); }
  std::string last() const {
    std::error_code error;
    return fs::exists(folder_ / "run/last.safetensors", error) ? read_bytes(folder_ / "run/last.safetensors") : "";
  }
  microseconds moment() { return microseconds(std::uniform_int_distribution<int64_t>(0, whole_.count())(random_)); }

  /// What must hold after a training that was disturbed; it is run once more, and then done.
  std::string finish(const Ended& disturbed) {
    if (disturbed.status != 0 && disturbed.err.empty() && disturbed.status > 0) return describe(disturbed);
    if (!well_said(disturbed.err)) return "says: " + disturbed.err;
    if (disturbed.status < 0 && disturbed.status != -SIGKILL && disturbed.status != -SIGINT &&
        disturbed.status != -SIGTERM && disturbed.status != -SIGHUP)
      return describe(disturbed);
    const Ended ended = run_giza(kTrain, folder_);
    if (ended.status != 0) return "does not go on: " + describe(ended);
    if (last() != trained_) return "goes on to other bytes";
    return temporaries_below(folder_ / "run").empty() ? "" : "temporary files stayed";
  }

  const TempFolder temp_;
  const fs::path folder_ = temp_.path();
  std::string trained_, predicted_;
  microseconds whole_{};
  std::mt19937 random_{1};
};

struct Disturbance {
  const char* name;
  std::string (Disturber::*run)();
};
constexpr Disturbance kDisturbances[] = {
    {"signals", &Disturber::signals},
    {"two_runs_in_one_folder", &Disturber::two_runs_in_one_folder},
    {"same_process_id", &Disturber::same_process_id},
    {"clock_set_back", &Disturber::clock_set_back},
    {"vanishing_run_folder", &Disturber::vanishing_run_folder},
    {"vanishing_pictures", &Disturber::vanishing_pictures},
    {"full_or_read_only_disk", &Disturber::full_or_read_only_disk},
    {"broken_pipe", &Disturber::broken_pipe},
};

int main(long rounds, const std::string& only) {
  Disturber disturber;
  long failures = 0;
  for (const Disturbance& disturbance : kDisturbances) {
    if (!only.empty() && only != disturbance.name) continue;
    long failed = 0;
    for (long round = 0; round < rounds; ++round) {
      const std::string wrong = (disturber.*disturbance.run)();
      if (wrong.empty()) continue;
      ++failed;
      std::printf("%s, round %ld: %s\n", disturbance.name, round, wrong.c_str());
    }
    std::printf("%s: %ld rounds, %ld failures\n", disturbance.name, rounds, failed);
    std::fflush(stdout);
    failures += failed;
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace giza::faults

int main(int argc, char** argv) {
  return giza::faults::main(argc > 1 ? std::atol(argv[1]) : 3, argc > 2 ? argv[2] : "");
}
