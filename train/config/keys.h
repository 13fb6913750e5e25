// The table of configuration keys: one row per key. Reading, writing, hashing and the documentation all come from it.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "train/config/config.h"
#include "train/config/yaml.h"

namespace giza::train {

/// Where a key's value lives.
using Field = std::variant<bool*, int*, int64_t*, double*, std::string*, std::vector<int>*, std::vector<double>*,
                           std::vector<std::string>*, std::map<int, int>*, ClassWeights*>;

/// What the changing of a key means for a run.
enum class Effect {
  weights,  ///< training computes other weights: part of training_hash
  run,      ///< files, frequencies, threads, the test: the weights stay the same
  unused,   ///< nothing on a CPU: accepted, checked for its type, and named
};

/// Which values are allowed. Bounds hold for numbers and for every number of a list.
struct Rule {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool above_min = false;         ///< min itself is excluded
  std::string_view choices = {};  ///< "psp|baseline", for texts and integers
  bool nullable = false;          ///< `KEY:` without a value gives the default; texts always allow it
  size_t items = 0;               ///< the exact length of a list that is not empty; 0: any
  bool may_be_empty = false;      ///< of a list
  Effect effect = Effect::weights;
  /// Added when there were checkpoints already: at its default it is no part of training_settings, so that these go on.
  bool added = false;
};

struct Key {
  const char* section;
  const char* name;
  std::function<Field(Config&)> field;
  Rule rule;
  const char* doc;          ///< what it does, for listings and docs/configuration.md
  bool of_network = false;  ///< an option of some architectures alone

  std::string full_name() const { return std::string(section) + "." + name; }
};

/// All keys, in the order in which they are written.
std::span<const Key> config_keys();

/// False for an option that the configuration's network does not have: it decides nothing, and is not written.
bool applies(const Key& key, const Config& config);

/// ", the nearest is SECTION.NAME" for a name that is no key, by spelling or by what other programs call it; where none
/// is near, where to look.
std::string nearest_key_hint(std::string_view section, std::string_view name);

/// "an integer from 1 to 1000000", "one of psp, baseline", ...
std::string describe_type(const Key& key);
/// The value as YAML on one line.
std::string write_value(const Key& key, const Config& config);
/// Stores the value. Throws Refusal "PLACE: SECTION.NAME is ..., expected ...".
void read_value(const Key& key, const YamlNode& node, const std::string& place, Config& config);

}  // namespace giza::train
