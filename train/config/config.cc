// Reading a configuration: file, then overrides, then the checks that concern several keys.
#include "train/config/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "models/scene_parser.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/hash.h"
#include "tensor/base/spelling.h"
#include "tensor/base/text.h"
#include "train/config/keys.h"
#include "train/data/class_folders.h"
#include "train/data/known_datasets.h"

namespace giza::train {
namespace {

constexpr const char* kOverridePlace = "command line";

std::vector<std::string> section_names() {
  std::vector<std::string> names;
  for (const Key& key : config_keys()) {
    if (names.empty() || names.back() != key.section) names.emplace_back(key.section);
  }
  return names;
}

const Key* find_key(std::string_view section, std::string_view name) {
  for (const Key& key : config_keys()) {
    if (key.section == section && key.name == name) return &key;
  }
  return nullptr;
}

/// A value on its way into the Config. Overrides replace those of the file before anything is checked, so that a
/// value of the file that is never used cannot be at fault.
struct Given {
  YamlNode value;
  std::string place;
};
using Values = std::map<const Key*, Given>;

Values read_sections(const YamlNode& root, const std::string& name) {
  Values values;
  if (root.kind == YamlNode::Kind::null) return values;
  const std::string sections = fmt::format("{}", fmt::join(section_names(), ", "));
  check<Refusal>(root.kind == YamlNode::Kind::map, "{}:{}: not a configuration, expected the sections {}", name,
                 root.line, sections);
  for (const auto& [section, body] : root.entries) {
    const std::vector<std::string> known = section_names();
    if (std::find(known.begin(), known.end(), section.text) == known.end()) {
      for (const Key& key : config_keys()) {
        check<Refusal>(section.text != key.name, "{}:{}: {} stands outside of a section, expected it below \"{}:\"",
                       name, section.line, key.name, key.section);
      }
      throw Refusal(fmt::format("{}:{}: unknown section {}, the nearest is {} (sections are {})", name, section.line,
                                quote_for_message(section.text), nearest_name(section.text, known), sections));
    }
    if (body.kind == YamlNode::Kind::null) continue;
    check<Refusal>(body.kind == YamlNode::Kind::map, "{}:{}: section {} holds no keys, expected `KEY: value` lines",
                   name, body.line, section.text);
    for (const auto& [key_node, value] : body.entries) {
      const std::string place = fmt::format("{}:{}", name, key_node.line);
      const Key* key = find_key(section.text, key_node.text);
      check<Refusal>(key != nullptr, "{}: unknown key {} in section {}{}", place, quote_for_message(key_node.text),
                     section.text, nearest_key_hint(section.text, key_node.text));
      values[key] = {value, place};
    }
  }
  return values;
}

/// Of keys of one name, the one that a bare name on the command line means: the one that the file gives, else TEST's,
/// since semseg has no other.
const Key* choose_section(const std::vector<const Key*>& keys, const Values& values) {
  const Key* chosen = nullptr;
  for (const Key* key : keys) {
    if (!values.contains(key)) continue;
    if (chosen != nullptr) return nullptr;
    chosen = key;
  }
  if (chosen != nullptr) return chosen;
  for (const Key* key : keys) {
    if (std::string_view(key->section) == "TEST") return key;
  }
  return nullptr;
}

const Key& find_override(const std::string& text, const Values& values) {
  const size_t dot = text.find('.');
  const std::string section = dot == std::string::npos ? "" : text.substr(0, dot);
  const std::string name = dot == std::string::npos ? text : text.substr(dot + 1);
  std::vector<const Key*> found;
  for (const Key& key : config_keys()) {
    if (key.name == name && (dot == std::string::npos || key.section == section)) found.push_back(&key);
  }
  check<Refusal>(!found.empty(), "{}: unknown key {}{}", kOverridePlace, quote_for_message(text),
                 nearest_key_hint(section, name));
  if (found.size() == 1) return *found[0];
  const Key* chosen = choose_section(found, values);
  check<Refusal>(chosen != nullptr, "{}: {} is ambiguous, write {} or {}", kOverridePlace, text, found[0]->full_name(),
                 found[1]->full_name());
  return *chosen;
}

YamlNode override_value(const Key& key, std::string text) {
  Config scratch;
  YamlNode node;
  if (text.empty() || is_null_word(text)) return node;
  if (!std::holds_alternative<std::string*>(key.field(scratch))) {
    if (text.size() > 1 && text.front() == '(' && text.back() == ')')
      text = fmt::format("[{}]", text.substr(1, text.size() - 2));
    return parse_yaml(text, fmt::format("{}: {}", kOverridePlace, key.full_name()));
  }
  // The shell has taken the quotes off a text already; nothing in it is YAML.
  node.kind = YamlNode::Kind::scalar;
  node.text = text;
  return node;
}

/// Returns the pairs with their keys' full names.
KeyValues apply_overrides(const std::vector<std::string>& overrides, Values& values) {
  KeyValues applied;
  std::set<const Key*> seen;
  for (size_t i = 0; i < overrides.size(); ++i) {
    // KEY=VALUE is one word, KEY VALUE are two. No key has a sign of equality in its name; a value may.
    const size_t sign = overrides[i].find('=');
    const std::string name = overrides[i].substr(0, sign);
    const Key& key = find_override(name, values);
    check<Refusal>(sign != std::string::npos || i + 1 < overrides.size(),
                   "{}: {} has no value, expected KEY VALUE pairs", kOverridePlace, overrides[i]);
    const std::string value = sign != std::string::npos ? overrides[i].substr(sign + 1) : overrides[++i];
    check<Refusal>(seen.insert(&key).second, "{}: {} is given twice, remove one", kOverridePlace, key.full_name());
    values[&key] = {override_value(key, value), kOverridePlace};
    applied.emplace_back(key.full_name(), value);
  }
  return applied;
}

/// What DATA.dataset says, for keys that are not given.
void apply_dataset(Config& config) {
  const KnownDataset* known = find_known_dataset(config.data.dataset);
  if (known == nullptr) return;
  if (!config.given("DATA.classes")) {
    config.data.classes = known->classes();
    config.origins["DATA.classes"] = config_place(config, "DATA.dataset");  // said, if not in its own words
  }
  if (!config.given("TRAIN.ignore_label")) config.train.ignore_label = known->ignore_label;
  if (config.given("DATA.label_map") || config.given("DATA.reduce_zero_label")) return;
  config.data.label_map.insert(known->label_map.begin(), known->label_map.end());
  config.data.reduce_zero_label = known->reduce_zero_label;
}

/// What no single key can know.
void check_together(const Config& config) {
  const auto require = [&](bool condition, const char* key, const std::string& message) {
    if (!condition) throw Refusal(fmt::format("{}: {} {}", config_place(config, key), key, message));
  };
  const TrainConfig& train = config.train;
  require(train.scale_min <= train.scale_max, "TRAIN.scale_min",
          fmt::format("{} is above scale_max {}, exchange them", train.scale_min, train.scale_max));
  require(train.rotate_min <= train.rotate_max, "TRAIN.rotate_min",
          fmt::format("{} is above rotate_max {}, exchange them", train.rotate_min, train.rotate_max));
  require(train.start_epoch <= train.epochs, "TRAIN.start_epoch",
          fmt::format("{} is beyond epochs {}", train.start_epoch, train.epochs));
  require(std::is_sorted(train.lr_steps.begin(), train.lr_steps.end()), "TRAIN.lr_steps",
          fmt::format("[{}] do not ascend, put them in order", fmt::join(train.lr_steps, ", ")));
  require(train.lr_policy != "step" || !train.lr_steps.empty(), "TRAIN.lr_policy",
          "is step, but TRAIN.lr_steps has no iterations; give some, or set it to fixed");
  require(train.lr_policy == "step" || train.lr_steps.empty(), "TRAIN.lr_steps",
          fmt::format("would do nothing with TRAIN.lr_policy {}, set that to step", train.lr_policy));
  if (config.data.weak_labels == "box_update") {
    require(config.data.weak_rounds < train.epochs, "DATA.weak_rounds",
            fmt::format("{} cuts the training into {} parts, but it has only {} ({}); set fewer, or more epochs",
                        config.data.weak_rounds, config.data.weak_rounds + 1, counted(train.epochs, "epoch"),
                        config_place(config, "TRAIN.epochs")));
    require(train.start_epoch == 0, "TRAIN.start_epoch",
            fmt::format("{} leaves out rounds of DATA.weak_labels box_update, whose labels the later ones need; set it "
                        "to 0",
                        train.start_epoch));
  }
  const ClassWeights& weights = train.class_weights;
  require(weights.kind != ClassWeights::Kind::list || weights.values.size() == static_cast<size_t>(config.data.classes),
          "TRAIN.class_weights",
          fmt::format("has {} numbers, DATA.classes is {}", weights.values.size(), config.data.classes));
  require(config.data.label_map.empty() || !config.data.reduce_zero_label, "DATA.label_map",
          "cannot go with reduce_zero_label, choose one");
  for (const auto& [from, to] : config.data.label_map) {
    require(to < config.data.classes || to == train.ignore_label, "DATA.label_map",
            fmt::format("maps {} to {}, expected a class below {}, the ignore label {}, or -1 for ignored", from, to,
                        config.data.classes, train.ignore_label));
  }
}

/// A network of whole pictures and pictures of one class each go together.
void check_picture_classes(const Config& config) {
  const auto require = [&](bool condition, const char* key, const std::string& message) {
    if (!condition) throw Refusal(fmt::format("{}: {} {}", config_place(config, key), key, message));
  };
  const std::string& dataset = config.data.dataset;
  const std::string& arch = config.train.arch;
  if (!classifies_pictures(config)) {
    require(dataset != kClassFolders, "DATA.dataset",
            fmt::format(
                "folders has one class for each picture, and TRAIN.arch {} wants one for each pixel; set TRAIN.arch "
                "classifier or spp",
                arch));
    return;
  }
  require(dataset == "list" || dataset == kClassFolders, "DATA.dataset",
          fmt::format(
              "{} has a class for each pixel, and TRAIN.arch {} wants one for each picture; set it to folders, or to "
              "list with lists of `image class`",
              dataset, arch));
  constexpr const char* kNoPixels =
      "is about the pixels of label files, which pictures of one class do not have; remove it";
  require(config.data.label_map.empty(), "DATA.label_map", kNoPixels);
  require(!config.data.reduce_zero_label, "DATA.reduce_zero_label", kNoPixels);
  require(config.data.label_colors.empty(), "DATA.label_colors", kNoPixels);
  require(config.data.weak_labels == "full", "DATA.weak_labels", kNoPixels);
  require(
      config.train.ignore_label >= config.data.classes, "TRAIN.ignore_label",
      fmt::format("{} is one of the {} classes, of which none is ignored in whole pictures; set it higher (up to 255)",
                  config.train.ignore_label, config.data.classes));
}

std::string read_text(const std::string& path) {
  if (path == "/dev/null") return {};  // no file at all, only keys on the command line
  // One byte more than is allowed: parse_yaml then refuses the size.
  const InputFile file(path, "a YAML configuration");
  return file.read_at(0, static_cast<size_t>(std::min<uint64_t>(file.size(), kMaxYamlBytes + 1)));
}

/// `places`, if given, are those of the keys in place of the text's.
Config config_of_text(std::string_view text, const std::string& name, const std::vector<std::string>& overrides,
                      const std::map<std::string, std::string>* places) {
  Values values = read_sections(parse_yaml(text, name), name);
  Config config;
  config.overrides = apply_overrides(overrides, values);
  config.file = name;
  for (const Key& key : config_keys()) {
    const auto given = values.find(&key);
    if (given == values.end()) continue;
    std::string place = given->second.place;
    if (places != nullptr) {
      const auto known = places->find(key.full_name());
      place = known != places->end() ? known->second : name;
    }
    read_value(key, given->second.value, place, config);
    config.origins[key.full_name()] = place;
    if (key.rule.effect == Effect::unused) config.unused.push_back(key.full_name());
  }
  apply_dataset(config);
  if (!config.given("TRAIN.output_stride")) {
    config.train.output_stride = static_cast<int>(models::find_architecture(config.train.arch)->output_stride);
  }
  check_together(config);
  check_picture_classes(config);
  return config;
}

}  // namespace

Config parse_config(std::string_view text, const std::string& name, const std::vector<std::string>& overrides) {
  return config_of_text(text, name, overrides, nullptr);
}

Config parse_made_config(std::string_view text, const std::string& name, const std::vector<std::string>& overrides,
                         const std::map<std::string, std::string>& places) {
  return config_of_text(text, name, overrides, &places);
}

Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  return parse_config(read_text(file), file.string(), overrides);
}

bool classifies_pictures(const Config& config) { return models::find_architecture(config.train.arch)->whole_picture; }

std::string config_place(const Config& config, const std::string& key) {
  const auto origin = config.origins.find(key);
  return origin != config.origins.end() ? origin->second : config.file;
}

void require_keys(const Config& config, std::initializer_list<const char*> keys) {
  for (const char* name : keys) {
    const std::string_view full = name;
    const size_t dot = full.find('.');
    const Key* key = find_key(full.substr(0, dot), full.substr(dot + 1));
    check<Error>(key != nullptr, "require_keys: no key {}", name);
    Config copy = config;
    const Field field = key->field(copy);
    const auto* text = std::get_if<std::string*>(&field);
    const bool missing = text != nullptr ? (*text)->empty() : !config.origins.contains(name);
    check<Refusal>(!missing, "{}: {} has no value, expected {}: {}", config_place(config, name), name,
                   describe_type(*key), key->doc);
  }
}

std::vector<std::string> Config::of_other_networks() const {
  std::vector<std::string> keys;
  for (const Key& key : config_keys()) {
    if (!given(key.full_name()) || applies(key, *this)) continue;
    if (write_value(key, *this) != write_value(key, Config{})) keys.push_back(key.full_name());
  }
  return keys;
}

std::string to_yaml(const Config& config) {
  std::string text;
  std::string_view section;
  for (const Key& key : config_keys()) {
    if (key.rule.effect == Effect::unused || !applies(key, config)) continue;
    if (section != key.section) {
      section = key.section;
      text += fmt::format("{}{}:\n", text.empty() ? "" : "\n", section);
    }
    text += fmt::format("  {}: {}\n", key.name, write_value(key, config));
  }
  return text;
}

std::string training_settings(const Config& config) {
  std::string text;
  for (const Key& key : config_keys()) {
    const bool makes_labels = config.data.weak_labels == "box_crf" && std::string_view(key.name).starts_with("crf_");
    if ((key.rule.effect != Effect::weights && !makes_labels) || !applies(key, config)) continue;
    const std::string value = write_value(key, config);
    if (key.rule.added && value == write_value(key, {})) continue;
    text += fmt::format("{}={}\n", key.full_name(), value);
  }
  return text;
}

std::string training_hash(const Config& config) {
  Fnv1a hash;
  hash.add_bytes(training_settings(config));
  return fmt::format("{:016x}", hash.value());
}

std::vector<std::string> changed_settings(const std::string& before, const std::string& now) {
  std::map<std::string, std::pair<std::string, std::string>> values;
  const auto collect = [&](const std::string& text, auto member) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const size_t sign = line.find('=');
      if (sign != std::string::npos) values[line.substr(0, sign)].*member = line.substr(sign + 1);
    }
  };
  collect(before, &std::pair<std::string, std::string>::first);
  collect(now, &std::pair<std::string, std::string>::second);
  std::vector<std::string> changed;
  // A newer key at its default is not written.
  const auto shown = [](const std::string& name, const std::string& value) -> std::string {
    if (!value.empty()) return value;
    for (const Key& key : config_keys()) {
      if (key.rule.added && key.full_name() == name) return write_value(key, {});
    }
    return "absent";
  };
  for (const auto& [key, value] : values) {
    if (value.first == value.second) continue;
    changed.push_back(fmt::format("{}: {}, now {}", key, shown(key, value.first), shown(key, value.second)));
  }
  return changed;
}

std::string help_keys() {
  std::string text;
  for (const Key& key : config_keys()) {
    const bool unused = key.rule.effect == Effect::unused;
    text += fmt::format("{}  ({}{})\n    {}{}\n", key.full_name(), describe_type(key),
                        unused ? "" : "; default " + write_value(key, Config{}),
                        unused ? "accepted, without a meaning on a CPU: " : "", key.doc);
  }
  return text;
}

std::string keys_as_markdown() {
  std::string text;
  std::string_view section;
  const auto cell = [](std::string value) {
    for (size_t at = 0; (at = value.find('|', at)) != std::string::npos; at += 2) value.replace(at, 1, "\\|");
    return value;
  };
  for (const Key& key : config_keys()) {
    if (section != key.section) {
      section = key.section;
      text += fmt::format("{}## {}\n\n| key | value | default | what it does |\n|---|---|---|---|\n",
                          text.empty() ? "" : "\n", section);
    }
    const bool unused = key.rule.effect == Effect::unused;
    text += fmt::format("| `{}` | {} | {} | {}{} |\n", key.name, cell(describe_type(key)),
                        unused ? "" : fmt::format("`{}`", cell(write_value(key, Config{}))),
                        unused ? "no meaning on a CPU, accepted: " : "", cell(key.doc));
  }
  return text;
}

}  // namespace giza::train
