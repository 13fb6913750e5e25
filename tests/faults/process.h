// Running giza as a process of its own, for the tests that disturb it.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace giza::faults {

struct Ended {
  int status = -1;  ///< exit status; -SIGNAL where a signal ended it
  std::string err;  ///< what it wrote to stderr
};

/// Runs `giza ARGUMENTS` (the variable GIZA_BINARY names another program) in `folder`, stdout thrown away, with `environment` added, and ends it by SIGKILL after `limit`.
Ended run_giza(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
               const std::map<std::string, std::string>& environment = {},
               std::chrono::microseconds limit = std::chrono::minutes(2));

/// 8 training and 2 validation scenes in FOLDER/scenes, and FOLDER/tiny.yaml for a net that trains in milliseconds: 8
/// epochs of 2 iterations, a checkpoint after each. Exits with a message if that fails.
void make_fixture(const std::filesystem::path& folder);

/// Temporary files of giza below the folder.
std::vector<std::string> temporaries_below(const std::filesystem::path& folder);

}  // namespace giza::faults
