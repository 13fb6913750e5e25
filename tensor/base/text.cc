// Text that comes from somewhere else.
#include "tensor/base/text.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>

#include "tensor/base/check.h"
#include "tensor/base/file.h"

namespace giza {

std::string quotable(std::string_view text, size_t longest) {
  std::string result(text.substr(0, longest));
  std::replace_if(result.begin(), result.end(), is_control, '?');
  return text.size() > longest ? result + "..." : result;
}

std::string counted(int64_t number, std::string_view thing, std::string_view things) {
  if (number == 1) return fmt::format("1 {}", thing);
  return things.empty() ? fmt::format("{} {}s", number, thing) : fmt::format("{} {}", number, things);
}

double with_digits(double value, int digits) {
  const std::string text = fmt::format("{:.{}g}", value, digits);
  double result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);  // leaves 0 where nothing but a subnormal is near
  return result;
}

std::string_view trimmed(std::string_view text, std::string_view blanks) {
  const size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view without_byte_order_mark(std::string_view text, const std::string& name) {
  using std::string_view_literals::operator""sv;
  check<Refusal>(!text.starts_with("\xFF\xFE\0\0"sv) && !text.starts_with("\0\0\xFE\xFF"sv),
                 "{}: is text in UTF-32, expected UTF-8 or ASCII; save it so", name);
  check<Refusal>(!text.starts_with("\xFF\xFE") && !text.starts_with("\xFE\xFF"),
                 "{}: is text in UTF-16, expected UTF-8 or ASCII; save it so", name);
  return text.substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
}

char line_end(std::string_view text) { return text.find('\n') == std::string_view::npos ? '\r' : '\n'; }

void for_each_line(const std::string& path, const std::function<void(int number, std::string_view text)>& body) {
  const std::vector<uint8_t> bytes = read_file(path, size_t{256} << 20);
  std::string_view text = without_byte_order_mark({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
  const char ending = line_end(text);
  // Before the first line is looked at: what is said of a picture's first line would mislead.
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(zero), ending);
    throw Refusal(fmt::format("{}:{}: holds a zero byte; expected a plain text file (UTF-8 or ASCII)", path, line));
  }
  int number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find(ending);
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line = trimmed(line, " \t\r\v\f");
    if (!line.empty()) body(number, line);
  }
}

std::vector<std::string> split_fields(std::string_view line) {
  std::vector<std::string> fields;
  while (true) {
    const size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos) return fields;
    line.remove_prefix(first);
    const size_t end = std::min(line.find_first_of(" \t"), line.size());
    fields.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

}  // namespace giza
