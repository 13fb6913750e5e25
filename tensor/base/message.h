// Messages to people, on stderr: they inform, and never decide whether work goes on.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace giza {

/// `text` as one line that no terminal obeys: control characters and Unicode's line ends become blanks.
std::string one_line(std::string_view text);

/// Writes bytes to stderr as they are. A stderr that is closed or full is no reason to stop, so it is not told.
void write_stderr(std::string_view bytes) noexcept;

/// With `false`, nothing is written from here on: of several ranks one speaks.
void set_stderr_enabled(bool on);

/// "giza: MESSAGE" as one line on stderr: warnings and refusals. Never throws because of stderr.
template <class... Args>
void tell(fmt::format_string<Args...> format, Args&&... args) {
  write_stderr(fmt::format("giza: {}\n", one_line(fmt::format(format, std::forward<Args>(args)...))));
}

}  // namespace giza
