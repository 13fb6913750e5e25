// Text that comes from somewhere else: quoting it, and reading it line by line; numbers as text has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace giza {

/// Foreign text as a message may quote it: at most `longest` bytes, then "...", and control characters as '?', so that
/// it stays one short line and no terminal obeys it.
std::string quotable(std::string_view text, size_t longest = 80);
/// True for bytes 0 to 31 and 127.
inline bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// "1 picture", "2 pictures": a number and what it counts, `things` being the plural where an s does not make it.
std::string counted(int64_t number, std::string_view thing, std::string_view things = {});

/// The number that `digits` decimal digits tell of a finite one: 3.14 of pi and 3. What is too small for them is 0.
double with_digits(double value, int digits);

/// Without the blanks at both ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t");

/// A file's text without the byte order mark of UTF-8. Throws Refusal "NAME: ..." for text in UTF-16.
std::string_view without_byte_order_mark(std::string_view text, const std::string& name);
/// What ends its lines: a line feed, or old Macs' carriage return where there is none.
char line_end(std::string_view text);

/// Calls body(number from 1, text) for the lines of a text file of at most 256 MiB, without line ends, a UTF-8 byte
/// order mark, and blanks around them; blank lines are left out. Throws Refusal "FILE[:LINE]: ..." as read_file
/// (file.h), and for zero bytes: no text file.
void for_each_line(const std::string& path, const std::function<void(int number, std::string_view text)>& body);
/// The fields of a line, separated by spaces and tabs.
std::vector<std::string> split_fields(std::string_view line);

}  // namespace giza
