// Whole files in memory, with limits, and files written so that nobody ever sees half of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace giza::train {

/// The first `prefix` bytes of a file, or all of it where it is shorter. Throws Refusal "FILE: ..." for what is
/// missing, unreadable or not a regular file (a pipe or a device could deliver without end).
std::vector<uint8_t> read_file_prefix(const std::string& path, size_t prefix);
/// The whole file. Throws Refusal as above, and for a file larger than `limit`, before reading it.
std::vector<uint8_t> read_file(const std::string& path, size_t limit);

/// One line of a text file that is not blank.
struct TextLine {
  int number;  ///< from 1
  std::string text;
};
/// The lines of a text file of at most 256 MiB without line ends, a UTF-8 byte order mark, and blanks around them;
/// blank lines are left out. Throws Refusal for zero bytes: no text file.
std::vector<TextLine> read_text_lines(const std::string& path);
/// The fields of a line, separated by spaces and tabs.
std::vector<std::string> split_fields(std::string_view line);

/// Writes a temporary file in the same folder and renames it. Throws Error when that fails; the temporary file is gone
/// then.
void write_file_atomically(const std::string& path, std::span<const uint8_t> bytes);

}  // namespace giza::train
