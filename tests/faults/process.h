// Running giza as a process of its own, for the tests that disturb it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace giza::faults {

struct Ended {
  int status = -1;  ///< exit status; -SIGNAL where a signal ended it
  std::string err;  ///< what it wrote to stderr
};

using Words = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

/// `giza ARGUMENTS` (the variable GIZA_BINARY names another program) running in `folder`, with `environment` added.
/// Ended by SIGKILL with this object.
class Process {
 public:
  /// What stdout is: thrown away, or a pipe that nobody reads any more.
  enum class Stdout { nowhere, broken_pipe };

  Process(const Words& arguments, const std::filesystem::path& folder, const Environment& environment = {},
          Stdout out = Stdout::nowhere);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// True if it ended within the time.
  bool ends_within(std::chrono::microseconds time);
  void send(int signal) const;
  /// Waits for the end, at most 2 minutes; then SIGKILL.
  Ended wait();

 private:
  std::FILE* err_;
  pid_t child_;
  int status_ = 0;
  bool ended_ = false;
};

/// Runs it to its end, or to SIGKILL after `limit`.
Ended run_giza(const Words& arguments, const std::filesystem::path& folder, const Environment& environment = {},
               std::chrono::microseconds limit = std::chrono::minutes(2));

/// 8 training and 2 validation scenes in FOLDER/scenes, and FOLDER/tiny.yaml for a net that trains in milliseconds: 8
/// epochs of 2 iterations, a checkpoint after each. Exits with a message if that fails.
void make_fixture(const std::filesystem::path& folder);

/// Temporary files of giza below the folder.
std::vector<std::string> temporaries_below(const std::filesystem::path& folder);

}  // namespace giza::faults
