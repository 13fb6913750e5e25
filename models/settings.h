// Options that only some networks have.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace giza::models {

using Setting = std::variant<bool, int, double, std::string, std::vector<int>>;
using Settings = std::map<std::string, Setting, std::less<>>;

/// What there is to know of one: a key of section TRAIN, and of the description in a file of weights.
struct SettingRow {
  const char* name;
  Setting standard;          ///< the value where nothing is said, which also gives the type
  double min = 0, max = 0;   ///< of numbers, and of each number of a list
  const char* choices = "";  ///< of texts: "average|max"
  const char* doc = "";      ///< one line for listings of all options
  /// Added when there were files already: at its standard value it stands neither in descriptions nor among the
  /// settings of a training, so that these stay what they were.
  bool added = false;
};

/// Every option that any row of the factory has, at its standard value.
Settings standard_settings();

}  // namespace giza::models
