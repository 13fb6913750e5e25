// List files of a data set, and the files of its class names and colours.
#include "train/data/list.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"
#include "train/data/folder.h"

namespace giza::train {
namespace {

std::string join(const std::string& root, const std::string& path) {
  if (root.empty() || path.starts_with('/')) return path;
  return root.back() == '/' ? root + path : root + '/' + path;
}

/// "LIST:LINE", or the folder where there was no list.
std::string place_of(const std::string& list, int line) { return line > 0 ? fmt::format("{}:{}", list, line) : list; }

/// Throws a Refusal if there is no regular file at `path`.
void check_file(const std::string& list, int line, const char* what, const std::string& path, const std::string& root) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    const int reason = errno;
    const std::string hint = path_hint(path, root);
    throw Refusal(fmt::format("{}: {} '{}' cannot be found ({}); {}", place_of(list, line), what, path,
                              std::strerror(reason),
                              hint.empty() ? "check the line and DATA.data_root, or let `giza check` list all that are "
                                             "missing"
                                           : hint));
  }
  check<Refusal>(S_ISREG(status.st_mode), "{}: {} '{}' is not a regular file; check the line and DATA.data_root",
                 place_of(list, line), what, path);
}

/// The parts between the separators, without the blanks and one pair of quotes around each. A separator inside quotes
/// is none.
std::vector<std::string> split_at(std::string_view line, char separator) {
  std::vector<std::string> parts;
  while (true) {
    line = trimmed(line);
    const char quote = !line.empty() && (line[0] == '"' || line[0] == '\'') ? line[0] : '\0';
    const size_t closing = quote == '\0' ? std::string_view::npos : line.find(quote, 1);
    const bool quoted = closing != std::string_view::npos;
    const size_t end = line.find(separator, quoted ? closing : 0);
    const std::string_view part = trimmed(line.substr(0, end));
    const bool whole = quoted && closing == part.size() - 1;
    parts.emplace_back(whole ? part.substr(1, part.size() - 2) : part);
    if (end == std::string_view::npos) return parts;
    line.remove_prefix(end + 1);
  }
}

std::vector<std::string> without_empty(std::vector<std::string> parts) {
  std::erase(parts, "");
  return parts;
}

/// The paths of a line. What separates them is the first of these that gives two: a tab; blanks; a comma; a semicolon.
std::vector<std::string> split_paths(std::string line) {
  if (auto parts = without_empty(split_at(line, '\t')); parts.size() == 2) {
    if (is_picture_name(parts[0].substr(0, parts[0].size() - 1)) && parts[0].back() == ',') parts[0].pop_back();
    return parts;
  }
  std::replace(line.begin(), line.end(), '\t', ' ');
  std::vector<std::string> fields = without_empty(split_at(line, ' '));
  for (const char separator : {',', ';'}) {
    if (fields.size() == 2 && fields[0].back() != separator) continue;  // blanks do
    std::vector<std::string> parts = without_empty(split_at(line, separator));
    // One path may hold a comma; two names of pictures are two.
    if (parts.size() == 2 && is_picture_name(parts[0]) && is_picture_name(parts[1])) return parts;
  }
  return fields;
}

/// True for the words of one path with blanks: the last alone is called like a picture.
bool is_one_path(const std::vector<std::string>& fields) {
  return fields.size() > 1 && is_picture_name(fields.back()) &&
         std::none_of(fields.begin(), fields.end() - 1, is_picture_name);
}

/// Where a line comes from a table with titles or a column of numbers, as pandas writes them: what to do.
std::string table_hint(std::string_view line) {
  for (const char separator : {',', ';', '\t'}) {
    const std::vector<std::string> parts = split_at(line, separator);
    if (parts.size() < 2) continue;
    const auto is_title = [](const std::string& part) { return part.find_first_of("./") == std::string::npos; };
    const bool number = parts[0].find_first_not_of("0123456789") == std::string::npos;  // or nothing, in the header
    if (number) return "; of a table, the paths alone: to_csv(..., index=False, header=False) in pandas";
    if (std::all_of(parts.begin(), parts.end(), is_title)) return "; the header of a table? put a # before it";
  }
  return {};
}

}  // namespace

std::string path_hint(const std::string& path, const std::string& data_root) {
  const auto is_there = [](const std::string& file) {
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0;
  };
  if (path.starts_with("//")) return "a comment in a list begins with #, not with //";
  if (path.find('\\') != std::string::npos) {
    std::string slashes = path;
    std::replace(slashes.begin(), slashes.end(), '\\', '/');
    if (is_there(slashes)) return "it is there with / in place of \\: replace them in the list";
  }
  if (data_root.empty()) return {};
  if (path.front() == '/' && is_there(data_root + path)) {
    return "it is there below DATA.data_root: remove the / at the beginning of the list's paths";
  }
  const std::string below = join(data_root, "");
  if (!path.starts_with(below)) return {};
  const std::string listed = path.substr(below.size());
  const std::string place = std::filesystem::path(data_root).lexically_normal().string();
  if (std::filesystem::path(listed).lexically_normal().string().starts_with(place) && is_there(listed)) {
    return "the list's paths begin with DATA.data_root already: set DATA.data_root ''";
  }
  // A table's titles: "image label", "filename mask".
  if (listed.find_first_of("./") == std::string::npos) return "is this the header of a table? put a # before it";
  return {};
}

namespace {

/// Calls body(entry, second field or empty) for each line's picture. `what` is the name of the second column.
template <class Split, class Body>
std::vector<ListEntry> read_entries(const std::string& path, const std::string& data_root, LabelColumn column,
                                    const char* what, const Split& split, const Body& body) {
  const std::string expected =
      column == LabelColumn::required ? fmt::format("IMAGE {}", what) : fmt::format("IMAGE [{}]", what);
  std::vector<ListEntry> entries;
  for_each_line(path, [&](int number, std::string_view line) {
    if (line.front() == '#') return;
    std::vector<std::string> fields = split(std::string(line));
    if (!fields.empty() && fields[0] == "//") {
      throw Refusal(fmt::format("{}:{}: begins with //; a comment in a list begins with #", path, number));
    }
    if (column == LabelColumn::optional && is_one_path(fields)) fields = {std::string(line)};
    const bool fits = fields.size() == 2 || (fields.size() == 1 && column == LabelColumn::optional);
    check<Refusal>(fits,
                   "{}:{}: has {}, expected '{}', relative to DATA.data_root; where paths hold blanks, put a tab "
                   "between them or quotes around them{}",
                   path, number, counted(static_cast<int64_t>(fields.size()), "field"), expected, table_hint(line));
    ListEntry entry;
    entry.image = join(data_root, fields[0]);
    entry.line = number;
    if (fields.size() == 2) body(entry, fields[1]);
    entries.push_back(std::move(entry));
  });
  check<Refusal>(!entries.empty(), "{}: lists no pictures; expected '{}' on each line", path, expected);
  return entries;
}

/// A picture's path and a class, which is no path: a comma or semicolon before a number separates too.
std::vector<std::string> split_path_and_class(std::string line) {
  std::vector<std::string> fields = split_paths(line);
  for (const char separator : {',', ';'}) {
    const size_t at = line.rfind(separator);
    if (at == std::string::npos) continue;
    const std::string_view last = trimmed(std::string_view(line).substr(at + 1));
    if (last.empty() || last.find_first_not_of("0123456789") != std::string_view::npos) continue;
    std::vector<std::string> parts = without_empty(split_at(std::string_view(line).substr(0, at), '\t'));
    if (parts.size() == 1) return {parts[0], std::string(last)};
  }
  return fields;
}

}  // namespace

std::vector<ListEntry> read_list(const std::string& path, const std::string& data_root, LabelColumn column) {
  return read_entries(path, data_root, column, "LABEL", split_paths,
                      [&](ListEntry& entry, const std::string& field) { entry.label = join(data_root, field); });
}

std::vector<ListEntry> read_class_list(const std::string& path, const std::string& data_root, int classes,
                                       LabelColumn column) {
  const auto read_class = [&](ListEntry& entry, const std::string& field) {
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), entry.picture_class);
    const bool number = error == std::errc{} && end == field.data() + field.size();
    check<Refusal>(
        number && entry.picture_class >= 0 && entry.picture_class < classes,
        "{}:{}: the class is '{}', expected a number from 0 to {}; check DATA.classes, or TRAIN.arch if these "
        "are label files",
        path, entry.line, quotable(field, 80), classes - 1);
  };
  return read_entries(path, data_root, column, "CLASS", split_path_and_class, read_class);
}

std::string output_name(const ListEntry& entry) { return std::filesystem::path(entry.image).stem().string(); }

void check_output_names(const std::string& path, const std::vector<ListEntry>& entries, size_t begin, size_t end) {
  std::unordered_map<std::string, size_t> seen;
  for (size_t i = begin; i < std::min(end, entries.size()); ++i) {
    const auto [first, added] = seen.emplace(output_name(entries[i]), i);
    if (added) continue;
    const ListEntry& other = entries[first->second];
    throw Refusal(
        fmt::format("{}: '{}' would overwrite the results of '{}'{}, both being called {}.png; rename one, or "
                    "split the list",
                    place_of(path, entries[i].line), entries[i].image, other.image,
                    other.line > 0 ? fmt::format(" (line {})", other.line) : "", first->first));
  }
}

void check_list_files(const std::string& path, const std::vector<ListEntry>& entries, const std::string& data_root,
                      LabelColumn column) {
  for (const ListEntry& entry : entries) {
    check_file(path, entry.line, "image", entry.image, data_root);
    const bool has_file = entry.picture_class < 0;  // the picture's class is in the list itself
    if (column == LabelColumn::required && has_file) check_file(path, entry.line, "label", entry.label, data_root);
  }
}

std::vector<std::string> read_names(const std::string& path) {
  std::vector<std::string> names;
  for_each_line(path, [&](int number, std::string_view line) {
    check<Refusal>(number == static_cast<int>(names.size()) + 1,
                   "{}:{}: is empty; expected one class name per line without gaps, since the line is the class", path,
                   names.size() + 1);
    names.emplace_back(line);
  });
  check<Refusal>(!names.empty(), "{}: is empty; expected one class name per line", path);
  return names;
}

std::vector<Color> read_colors(const std::string& path) {
  std::vector<Color> colors;
  for_each_line(path, [&](int number, std::string_view line) {
    check<Refusal>(number == static_cast<int>(colors.size()) + 1,
                   "{}:{}: is empty; expected one colour 'R G B' per line without gaps, since the line is the class",
                   path, colors.size() + 1);
    const std::vector<std::string> fields = split_fields(line);
    Color color{};
    bool fits = fields.size() == color.size();
    for (size_t i = 0; fits && i < color.size(); ++i) {
      const std::string& field = fields[i];
      // from_chars into uint8_t refuses what is out of range.
      const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), color[i]);
      fits = error == std::errc{} && end == field.data() + field.size();
    }
    check<Refusal>(fits, "{}:{}: '{:.40}' is not a colour; expected 'R G B', three integers from 0 to 255", path,
                   number, line);
    colors.push_back(color);
  });
  check<Refusal>(!colors.empty(), "{}: is empty; expected one colour 'R G B' per line", path);
  return colors;
}

}  // namespace giza::train
