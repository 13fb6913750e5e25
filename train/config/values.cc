// Reading, writing and describing single configuration values.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "tensor/base/check.h"
#include "train/config/keys.h"

namespace giza::train {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

/// The whole text as a decimal number.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  // Of 010 some programs make 8, and others 10.
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (std::is_integral_v<Number> && digits.size() > 1 && digits.front() == '0') return std::nullopt;
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  return value;
}

std::vector<std::string_view> split_choices(std::string_view choices) {
  std::vector<std::string_view> result;
  while (!choices.empty()) {
    const size_t bar = std::min(choices.find('|'), choices.size());
    result.push_back(choices.substr(0, bar));
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return result;
}

bool allowed(const Rule& rule, std::string_view text) {
  const std::vector<std::string_view> choices = split_choices(rule.choices);
  return choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end();
}

bool in_range(const Rule& rule, double value) {
  return value <= rule.max && (rule.above_min ? value > rule.min : value >= rule.min);
}

std::string range_text(const Rule& rule) {
  const bool has_max = std::isfinite(rule.max);
  if (!std::isfinite(rule.min) && !has_max) return "";
  if (!has_max) return fmt::format(" of at least {}", rule.min);
  return rule.above_min ? fmt::format(" above {} and up to {}", rule.min, rule.max)
                        : fmt::format(" from {} to {}", rule.min, rule.max);
}

/// One value being read: every check that fails throws the same kind of message.
class Reader {
 public:
  Reader(const Key& key, const std::string& place) : key_(key), place_(place) {}

  [[noreturn]] void refuse(const std::string& seen) const {
    throw Refusal(fmt::format("{}: {} is {}, expected {}", place_, key_.full_name(), seen, describe_type(key_)));
  }

  const std::string& scalar(const YamlNode& node) const {
    if (node.kind == YamlNode::Kind::null) refuse("empty");
    if (node.kind == YamlNode::Kind::list) refuse("a list");
    if (node.kind == YamlNode::Kind::map) refuse("a map");
    return node.text;
  }

  template <class Number>
  Number number(const YamlNode& node) const {
    const std::string& text = scalar(node);
    if (node.quoted) refuse("the quoted text " + quote_for_message(text));
    const auto value = parse_number<Number>(text);
    if (!value || !in_range(key_.rule, static_cast<double>(*value)) || !allowed(key_.rule, text)) {
      refuse(quote_for_message(text));
    }
    return *value;
  }

  bool boolean(const YamlNode& node) const {
    const std::string& text = scalar(node);
    if (node.quoted) refuse("the quoted text " + quote_for_message(text));
    // YAML 1.1's words, as the Python files use them.
    for (const char* yes : {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}) {
      if (text == yes) return true;
    }
    for (const char* no : {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}) {
      if (text == no) return false;
    }
    refuse(quote_for_message(text));
  }

  std::string word(const YamlNode& node) const {
    const std::string& text = scalar(node);
    if (!allowed(key_.rule, text)) {
      // semseg's other network; a file for it is no misspelling.
      const bool psanet = key_.full_name() == "TRAIN.arch" && text == "psa";
      refuse(quote_for_message(text) + (psanet ? " (PSANet, which giza does not have)" : ""));
    }
    for (char c : text) {
      if (static_cast<unsigned char>(c) < 0x20) refuse("a text with control characters, " + quote_for_message(text));
    }
    return text;
  }

  template <class Number>
  std::vector<Number> list(const YamlNode& node) const {
    if (node.kind != YamlNode::Kind::list) refuse(node.kind == YamlNode::Kind::map ? "a map" : "not a list");
    const size_t count = node.items.size();
    if (count == 0 && !key_.rule.may_be_empty) refuse("an empty list");
    if (count != 0 && key_.rule.items != 0 && count != key_.rule.items) refuse(fmt::format("a list of {}", count));
    std::vector<Number> values;
    for (const YamlNode& item : node.items) values.push_back(number<Number>(item));
    return values;
  }

  std::vector<std::string> texts(const YamlNode& node) const {
    if (node.kind != YamlNode::Kind::list) refuse(node.kind == YamlNode::Kind::map ? "a map" : "not a list");
    if (node.items.empty() && !key_.rule.may_be_empty) refuse("an empty list");
    std::vector<std::string> values;
    for (const YamlNode& item : node.items) values.push_back(word(item));
    return values;
  }

  std::map<int, int> map(const YamlNode& node) const {
    if (node.kind != YamlNode::Kind::map) refuse("not a map");
    std::map<int, int> values;
    for (const auto& [from, to] : node.entries) {
      // 7 and 07 are different keys for YAML.
      const int raw = number<int>(from);
      if (raw < 0) refuse(fmt::format("a map with the raw value {} (a byte of a label file is 0 to 255)", raw));
      if (!values.emplace(raw, number<int>(to)).second) {
        refuse(fmt::format("a map with {} twice", from.text));
      }
    }
    return values;
  }

  ClassWeights class_weights(const YamlNode& node) const {
    if (node.kind == YamlNode::Kind::scalar && node.text == "none") return {};
    if (node.kind == YamlNode::Kind::scalar && node.text == "balanced") return {ClassWeights::Kind::balanced, {}};
    return {ClassWeights::Kind::list, list<double>(node)};
  }

 private:
  const Key& key_;
  const std::string& place_;
};

}  // namespace

std::string describe_type(const Key& key) {
  const Rule& rule = key.rule;
  Config scratch;
  if (!rule.choices.empty()) {
    const auto choices = split_choices(rule.choices);
    return fmt::format("{}{}", choices.size() > 1 ? "one of " : "", fmt::join(choices, ", "));
  }
  const auto many = [&](const char* noun) {
    const std::string count = rule.items != 0 ? fmt::format("list of {}", rule.items) : "list of";
    return fmt::format("a {} {}{}", count, noun, range_text(rule));
  };
  return std::visit(Overloaded{
                        [](bool*) -> std::string { return "true or false"; },
                        [&](int*) { return "an integer" + range_text(rule); },
                        [&](int64_t*) {
                          return std::isfinite(rule.max) ? "an integer" + range_text(rule)
                                                         : fmt::format("an integer from {} to {}", rule.min,
                                                                       std::numeric_limits<int64_t>::max());
                        },
                        [&](double*) { return "a number" + range_text(rule); },
                        [](std::string*) -> std::string { return "a text"; },
                        [&](std::vector<int>*) { return many("integers"); },
                        [&](std::vector<double>*) { return many("numbers"); },
                        [&](std::vector<std::string>*) { return many("texts"); },
                        [&](std::map<int, int>*) { return "a map {from: to, ...} of integers" + range_text(rule); },
                        [&](ClassWeights*) { return "none, balanced, or " + many("numbers"); },
                    },
                    key.field(scratch));
}

std::string write_value(const Key& key, const Config& config) {
  Config copy = config;
  return std::visit(Overloaded{
                        [](const bool* value) -> std::string { return *value ? "true" : "false"; },
                        [](const std::string* value) { return yaml_quoted(*value); },
                        [](const std::vector<int>* value) { return fmt::format("[{}]", fmt::join(*value, ", ")); },
                        [](const std::vector<double>* value) { return fmt::format("[{}]", fmt::join(*value, ", ")); },
                        [](const std::vector<std::string>* value) {
                          std::vector<std::string> quoted;
                          for (const std::string& text : *value) quoted.push_back(yaml_quoted(text));
                          return fmt::format("[{}]", fmt::join(quoted, ", "));
                        },
                        [](const std::map<int, int>* value) {
                          std::vector<std::string> pairs;
                          for (const auto& [from, to] : *value) pairs.push_back(fmt::format("{}: {}", from, to));
                          return fmt::format("{{{}}}", fmt::join(pairs, ", "));
                        },
                        [](const ClassWeights* value) -> std::string {
                          if (value->kind == ClassWeights::Kind::none) return "none";
                          if (value->kind == ClassWeights::Kind::balanced) return "balanced";
                          return fmt::format("[{}]", fmt::join(value->values, ", "));
                        },
                        [](const auto* value) { return fmt::format("{}", *value); },
                    },
                    key.field(copy));
}

void read_value(const Key& key, const YamlNode& node, const std::string& place, Config& config) {
  const Field field = key.field(config);
  const bool text = std::holds_alternative<std::string*>(field) && key.rule.choices.empty();
  if (node.kind == YamlNode::Kind::null && (key.rule.nullable || text)) {
    Config defaults;
    std::visit([&](auto* value) { *value = *std::get<decltype(value)>(key.field(defaults)); }, field);
    return;
  }
  const Reader reader(key, place);
  std::visit(Overloaded{
                 [&](bool* value) { *value = reader.boolean(node); },
                 [&](std::string* value) { *value = reader.word(node); },
                 [&](std::vector<int>* value) { *value = reader.list<int>(node); },
                 [&](std::vector<double>* value) { *value = reader.list<double>(node); },
                 [&](std::vector<std::string>* value) { *value = reader.texts(node); },
                 [&](std::map<int, int>* value) { *value = reader.map(node); },
                 [&](ClassWeights* value) { *value = reader.class_weights(node); },
                 [&](auto* value) { *value = reader.number<std::remove_reference_t<decltype(*value)>>(node); },
             },
             field);
}

}  // namespace giza::train
