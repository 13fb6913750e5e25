// Lets system calls of giza's commands fail, one after the other (inject.cc):
//   fault_sweep [CASES] [COMMAND]     so many cases, as many of each command (default: all of all); of one command
//   alone Each command is run once to count its calls of each kind. Then each of these calls fails, with each error
//   that fits it, in a run of its own; and each write, and each open, is the first from which on none succeeds (the
//   disk is full, or its file system read-only). Held each time:
// - it ends by itself, with status 0, 1 or 2, and what it says on stderr are lines that begin with "giza: ";
// - a file that was there is whole: the old one, or the one that a run without a fault writes;
// - no temporary file stays;
// - calls that were only interrupted (EINTR) or did half of what was asked change nothing at all;
// - a training goes on afterwards to the same bytes.
// Status 0 if all of it held, 1 otherwise; 2 if a command fails without any fault.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/faults/process.h"
#include "tests/support/temp_folder.h"

namespace giza::faults {
namespace {

namespace fs = std::filesystem;

/// A command, and the files of its result, whose bytes do not depend on the clock.
struct Command {
  std::string name;
  Words arguments;
  Words results = {};
  std::string checkpoint = {};  ///< of one that trains: its last, below out/
};

std::vector<Command> commands() {
  return {
      {"info", {"info", "--no-peak"}},
      {"info_config", {"info", "--config", "tiny.yaml"}},
      {"scenes",
       {"scenes", "--out", "out/s", "--train", "2", "--val", "1", "--size", "48x64"},
       {"out/s/train/scene_00000.png"}},
      {"init", {"init", "out/i", "--images", "scenes/train", "--labels", "scenes/trainannot"}, {"out/i/train.txt"}},
      {"check", {"check", "--config", "tiny.yaml"}},
      {"plan", {"plan", "--config", "tiny.yaml", "--memory", "8", "--seconds", "0.1"}},
      {"train",
       {"train", "--config", "tiny.yaml", "TRAIN.epochs", "2", "TRAIN.save_path", "out/run"},
       {},
       "run/last.safetensors"},
      {"validate",
       {"train", "--config", "tiny.yaml", "TRAIN.epochs", "1", "TRAIN.evaluate", "true", "TRAIN.save_path", "out/run"},
       {},
       "run/last.safetensors"},
      {"study",
       {"study", "table2", "--data", "tiny.yaml", "--seeds", "1", "--out", "out/st", "TRAIN.epochs", "1"},
       {},
       "st/aux_0.9/seed_1/last.safetensors"},
      {"eval", {"eval", "--config", "tiny.yaml"}, {"out/val/gray/scene_00000.png", "out/val/color/scene_00001.png"}},
      {"predict",
       {"predict", "--weights", "run/last.safetensors", "--out", "out/p", "scenes/val"},
       {"out/p/scene_00000_label.png", "out/p/scene_00001_overlay.png"}},
      {"compare", {"compare", "--config", "tiny.yaml", "one=val", "two=val", "--out", "out/sheets"}},
      {"explore",
       {"explore", "--weights", "run/last.safetensors", "--out", "out/e.html", "--points", "4", "--side", "41",
        "scenes/val/scene_00000.png"},
       {"out/e.html"}},
      {"convert_pth", {"convert", "run/last.safetensors", "out/w.pth"}, {"out/w.pth"}},
      {"convert_back", {"convert", "w.pth", "out/w.safetensors"}, {"out/w.safetensors"}},
      {"run", {"run", "--weights", "w.pth", "--input", "x.npy", "--output", "out/y.npy"}, {"out/y.npy"}},
      {"verify", {"verify", GIZA_VERIFY_FOLDER}},
      {"bisect", {"bisect", "1", "2", "--config", "tiny.yaml"}},
      {"profile", {"profile", "--config", "tiny.yaml", "--runs", "1", "--svg", "out/r.svg", "--trace", "out/t.json"}},
      {"bench", {"bench", "model", "--config", "tiny.yaml", "--runs", "1"}},
  };
}

/// A kind of call, and how it may fail; with a "+", it and all that follow.
struct Failures {
  const char* call;
  std::vector<const char*> reasons;
};
const std::vector<Failures> kFailures = {
    {"open", {"EMFILE", "EACCES", "EIO", "EINTR", "EROFS+"}},
    {"read", {"EIO", "EINTR", "short"}},
    {"pread", {"EIO", "EINTR", "short"}},
    {"write", {"ENOSPC", "ENOSPC+", "EIO", "EINTR", "short"}},
    {"fsync", {"EIO", "EINTR"}},
    {"close", {"EIO"}},
    {"rename", {"EIO", "EROFS"}},
    {"unlink", {"EROFS"}},
    {"mkdir", {"ENOSPC", "EROFS"}},
    {"symlink", {"EPERM", "EIO"}},
    {"stat", {"EACCES", "EIO"}},
    {"fstat", {"EIO"}},
    {"flock", {"ENOLCK", "EINTR"}},
    {"fchmod", {"EPERM"}},
    {"fchown", {"EPERM"}},
    {"opendir", {"EMFILE", "EACCES"}},
    {"readdir", {"EIO"}},
    {"fopen", {"EMFILE", "EACCES"}},
    {"thread", {"EAGAIN"}},
    {"random", {"EAGAIN"}},
};

bool is_harmless(const std::string& reason) { return reason == "EINTR" || reason == "short"; }

struct Case {
  const Command* command;
  std::string fault;   // as GIZA_FAULT
  std::string reason;  // of kFailures
};

class Sweep {
 public:
  Sweep() {
    make_fixture(folder_);
    prepare({"train", "--config", "tiny.yaml"});
    prepare({"eval", "--config", "tiny.yaml", "TEST.save_folder", "val"});
    prepare({"convert", "run/last.safetensors", "w.pth"});
    write_input(folder_ / "x.npy");
  }

  /// Every case of a command, found by running it once with the calls counted.
  std::vector<Case> cases_of(const Command& command);
  /// Empty if all held, else what did not.
  std::string fault_of(const Case& one);

 private:
  void prepare(const Words& arguments) { must_run(arguments); }
  void must_run(Words arguments, const Environment& environment = {}) {
    const Ended ended = run(std::move(arguments), environment);
    if (ended.status == 0) return;
    std::fprintf(stderr, "without a fault: status %d: %s\n", ended.status, ended.err.c_str());
    std::exit(2);
  }
  Ended run(Words arguments, const Environment& environment) {
    arguments.insert(arguments.end(), {"--quiet"});
    return run_giza(arguments, folder_, environment);
  }
  fs::path out() const { return folder_ / "out"; }
  void reset() const {
    fs::remove_all(out());
    fs::create_directories(out());
  }
  static void write_input(const fs::path& path) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 33, 33), }";
    header.resize(117, ' ');
    std::ofstream(path, std::ios::binary) << std::string("\x93NUMPY\x01\x00\x76\x00", 10) << header << '\n'
                                          << std::string(4 * 3 * 33 * 33, '\0');
  }
  std::map<std::string, std::string> contents(const Command& command) const {
    std::map<std::string, std::string> found;
    for (const std::string& result : command.results) {
      if (fs::exists(folder_ / result)) found[result] = read_bytes(folder_ / result);
    }
    return found;
  }

  const TempFolder temp_;
  const fs::path folder_ = temp_.path();
  std::map<std::string, std::map<std::string, std::string>> good_;  // command -> result -> bytes
  std::map<std::string, std::string> trained_;                      // command -> bytes of the last checkpoint
};

std::vector<Case> Sweep::cases_of(const Command& command) {
  reset();
  const std::string counts = (folder_ / "counts").string();
  must_run(command.arguments, {{"LD_PRELOAD", GIZA_INJECT}, {"GIZA_FAULT_COUNTS", counts}});
  good_[command.name] = contents(command);
  if (good_[command.name].size() != command.results.size()) {
    std::fprintf(stderr, "%s did not write what it should\n", command.name.c_str());
    std::exit(2);
  }
  if (!command.checkpoint.empty()) trained_[command.name] = read_bytes(out() / command.checkpoint);

  std::vector<Case> cases;
  std::ifstream stream(counts);
  std::string call;
  for (long times = 0; stream >> call >> times;) {
    const auto row =
        std::find_if(kFailures.begin(), kFailures.end(), [&](const Failures& f) { return f.call == call; });
    if (row == kFailures.end()) continue;
    for (const std::string reason : row->reasons) {
      // Interruptions and short transfers all at once: they must not be noticed at all.
      if (is_harmless(reason) && times > 0) cases.push_back({&command, call + ":*:" + reason, reason});
      const bool lasts = reason.ends_with('+');
      for (long n = 1; n <= times; ++n) {
        const std::string which = std::to_string(n) + (lasts ? "+:" : ":");
        cases.push_back({&command, call + ":" + which + reason.substr(0, reason.size() - (lasts ? 1 : 0)), reason});
      }
    }
  }
  return cases;
}

std::string Sweep::fault_of(const Case& one) {
  const Command& command = *one.command;
  const auto& good = good_.at(command.name);
  reset();
  for (const auto& [result, bytes] : good) {
    // Of what overwrites, half the results are there already.
    if (command.results.front() != result || command.name == "scenes" || command.name == "init") continue;
    fs::create_directories((folder_ / result).parent_path());
    std::ofstream(folder_ / result) << "old";
  }
  const Ended ended = run(command.arguments, {{"LD_PRELOAD", GIZA_INJECT}, {"GIZA_FAULT", one.fault}});
  if (ended.status < 0 || ended.status > 2) return "status " + std::to_string(ended.status) + ": " + ended.err;
  std::istringstream lines(ended.err);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("giza: ")) return "says: " + line;
  }
  const bool answers_no = ended.status == 1 && (command.name == "check" || command.name == "verify");  // on stdout
  if (ended.status != 0 && ended.err.empty() && !answers_no)
    return "status " + std::to_string(ended.status) + " without a word";
  if (is_harmless(one.reason) && ended.status != 0) return "is not a fault, but: " + ended.err;
  for (const auto& [result, bytes] : contents(command)) {
    if (bytes != good.at(result) && bytes != "old") return result + " is neither the old file nor the new one";
    if (ended.status == 0 && bytes == "old") return result + " is the old one, with status 0";
  }
  const bool may_stay = one.fault.starts_with("unlink:") || one.fault.starts_with("flock:");
  if (!may_stay && !temporaries_below(out()).empty()) return temporaries_below(out()).front() + " stays";
  if (!command.checkpoint.empty()) {
    const Ended resumed = run(command.arguments, {});
    if (resumed.status != 0) return "does not go on: " + resumed.err;
    if (read_bytes(out() / command.checkpoint) != trained_.at(command.name)) return "goes on to other bytes";
  }
  return {};
}

int main(long wanted, const std::string& only) {
  Sweep sweep;
  std::vector<Command> all = commands();
  if (!only.empty()) std::erase_if(all, [&](const Command& command) { return command.name != only; });
  long tried = 0, of = 0, failed = 0;
  for (const Command& command : all) {
    const std::vector<Case> cases = sweep.cases_of(command);
    std::printf("%s: %zu cases\n", command.name.c_str(), cases.size());
    const auto count = static_cast<double>(cases.size()), commands = static_cast<double>(all.size());
    const double step = wanted > 0 ? std::max(1.0, count * commands / static_cast<double>(wanted)) : 1;
    of += std::ssize(cases);
    for (double at = 0; at < count; at += step) {
      const Case& one = cases[static_cast<size_t>(at)];
      ++tried;
      const std::string fault = sweep.fault_of(one);
      if (fault.empty()) continue;
      ++failed;
      std::printf("%s %s: %s\n", command.name.c_str(), one.fault.c_str(), fault.c_str());
    }
    std::fflush(stdout);
  }
  std::printf("%ld of %ld cases, %ld failures\n", tried, of, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace giza::faults

int main(int argc, char** argv) {
  return giza::faults::main(argc > 1 ? std::atol(argv[1]) : 0, argc > 2 ? argv[2] : "");
}
