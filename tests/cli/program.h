// Runs the giza program as a user does, and looks at its exit status and output.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_folder.h"

namespace giza::testing {

struct Outcome {
  int status = -1;
  std::string out, err;
};

/// `giza ARGUMENTS` through the shell, in `folder`; stdin is empty. `before` is what the shell does first.
Outcome run_giza(const std::string& arguments, const std::filesystem::path& folder = ".",
                 const std::string& before = "true");

/// True for exactly one line that starts with "giza: ".
bool one_line_refusal(const std::string& text);

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& text);

/// 8 training and 2 validation scenes of 48x96 in FOLDER/scenes, and FOLDER/tiny.yaml for a net that takes
/// milliseconds.
void make_tiny_run(const std::filesystem::path& folder);

}  // namespace giza::testing
