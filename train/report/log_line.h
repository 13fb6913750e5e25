// Reading the lines of log.jsonl, which anybody may have edited.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

namespace giza::train {

/// Calls body(line, whole) for the lines of a file of at most `most` bytes that are not empty, and for a last one
/// without an end. Of lines beyond 64 KiB only so much is there, and `whole` is false. No lines where there is no file.
/// False if the file goes on beyond `most`.
bool for_each_log_line(const std::string& path, size_t most,
                       const std::function<void(const std::string& line, bool whole)>& body);

/// The number or text under a name; NaN or "" where it is missing or of another type.
template <class Json>
double number_in(const Json& line, const char* name) {
  const auto found = line.find(name);
  return found != line.end() && found->is_number() ? found->template get<double>()
                                                   : std::numeric_limits<double>::quiet_NaN();
}
template <class Json>
std::string text_in(const Json& line, const char* name) {
  const auto found = line.find(name);
  return found != line.end() && found->is_string() ? found->template get<std::string>() : "";
}

/// The iteration of a line, 0 or more; -1 for what is no line of a log.
template <class Json>
int64_t iteration_of(const Json& line) {
  if (!line.is_object()) return -1;
  const auto found = line.find("iteration");
  if (found == line.end() || !found->is_number_integer()) return -1;
  const auto iteration = found->template get<int64_t>();
  return iteration < 0 ? -1 : iteration;
}

}  // namespace giza::train
