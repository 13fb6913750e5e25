// A small, bounded YAML reader for configurations: a tree with line numbers that refuses what yaml-cpp lets through.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace giza::train {

struct YamlEntry;

struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;     ///< of a scalar
  bool quoted = false;  ///< a scalar in quotes is text, whatever it looks like
  int line = 1;
  std::vector<YamlNode> items;     ///< of a list
  std::vector<YamlEntry> entries;  ///< of a map, in the order of the text
};

/// Not a std::pair: clang 14 refuses a pair of a type that is not complete yet.
struct YamlEntry {
  YamlNode key, value;
};

/// Text as a scalar of YAML, in single quotes.
std::string yaml_quoted(const std::string& text);

/// Parses one document of at most kMaxYamlBytes, kMaxYamlDepth levels and kMaxYamlEntries
/// keys in a map. Throws Refusal "NAME:LINE: ..." for syntax
/// errors, duplicate keys, keys that are not plain text, several documents, aliases (the tree can then not be larger
/// than the text), and tags.
YamlNode parse_yaml(std::string_view text, const std::string& name);

/// True for the words that stand for no value: ~, null and, as Python writes it, None.
bool is_null_word(std::string_view text);

/// `text` in double quotes, cut after 60 bytes, control characters replaced: fit for a message of one line.
std::string quote_for_message(std::string_view text);

inline constexpr size_t kMaxYamlBytes = size_t{1} << 18;
inline constexpr size_t kMaxYamlDepth = 8;
inline constexpr size_t kMaxYamlEntries = 1024;

}  // namespace giza::train
