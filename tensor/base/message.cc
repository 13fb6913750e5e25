// Messages to people, on stderr.
#include "tensor/base/message.h"

#include <unistd.h>

#include <algorithm>

#include "tensor/base/file.h"
#include "tensor/base/text.h"

namespace giza {

std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(line.begin(), line.end(), is_control, ' ');
  // Those of Unicode, in UTF-8: U+0080 to U+009F, among them a terminal's other escape, and the line ends U+2028,
  // U+2029.
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    const auto byte = [&](size_t at) { return at < line.size() ? static_cast<unsigned char>(line[at]) : 0; };
    const bool control = byte(i) == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) <= 0x9F;
    const bool line_end = byte(i) == 0xE2 && byte(i + 1) == 0x80 && (byte(i + 2) == 0xA8 || byte(i + 2) == 0xA9);
    if (control || line_end) line.replace(i, control ? 2 : 3, 1, ' ');
  }
  return line;
}

namespace {
bool enabled = true;
}

void set_stderr_enabled(bool on) { enabled = on; }

void write_stderr(std::string_view bytes) noexcept {
  if (!enabled) return;
  // Not stdio, which keeps what it could not write, and tells of it again at the end of the program.
  while (!bytes.empty()) {
    const ssize_t written = retried([&] { return ::write(STDERR_FILENO, bytes.data(), bytes.size()); });
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace giza
