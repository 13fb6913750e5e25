// Settings that would make a data set fit: candidates by what is usual, each tried on the values that were found.
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "tensor/base/check.h"
#include "train/check/problems.h"
#include "train/data/dataset.h"
#include "train/data/known_datasets.h"

namespace giza::train {
namespace {

/// The settings that decide what a label value means.
struct Labelling {
  int classes = 0;
  int ignore = 255;
  bool reduce_zero = false;
  std::map<int, int> map;

  int meaning(int value) const {
    if (!map.empty()) {
      const auto found = map.find(value);
      return found == map.end() || found->second < 0 ? ignore : found->second;
    }
    return reduce_zero && value != ignore ? (value == 0 ? ignore : value - 1) : value;
  }
  bool fits(const std::set<int>& values) const {
    return std::all_of(values.begin(), values.end(), [&](int value) {
      const int label = meaning(value);
      return label == ignore || label < classes;
    });
  }
  /// Of the values, how many classes have pixels.
  size_t used(const std::set<int>& values) const {
    std::set<int> labels;
    for (const int value : values) {
      if (meaning(value) != ignore) labels.insert(meaning(value));
    }
    return labels.size();
  }
};

std::string map_text(const std::map<int, int>& map) {
  std::vector<std::string> pairs;
  for (const auto& [from, to] : map) pairs.push_back(fmt::format("{}: {}", from, to));
  return fmt::format("{{{}}}", fmt::join(pairs, ", "));
}

class Proposer {
 public:
  Proposer(const Config& config, const ClassFacts& facts, const std::vector<PartFindings>& parts)
      : config_(config), facts_(facts), parts_(parts) {
    now_ = {config.data.classes, config.train.ignore_label, config.data.reduce_zero_label, config.data.label_map};
    for (const PartFindings& part : parts) {
      std::set<int>& values = part_values_.emplace_back();
      for (int value = 0; value < 256; ++value) {
        const ValueCount& count = part.report.values[static_cast<size_t>(value)];
        if (count.pixels > 0) values.insert(value);
      }
      values_.insert(values.begin(), values.end());
      any_palette_ = any_palette_ || part.report.palette_labels > 0;
      too_many_ = too_many_ || part.report.too_many_colors;
      any_colors_ = any_colors_ || !part.report.colors.empty();
    }
  }

  std::vector<Proposal> propose() {
    if (any_colors_ && !too_many_) {
      propose_colors();
    } else if (!now_.fits(values_) || !facts_.fault.empty()) {
      propose_values();
    }
    return std::move(proposals_);
  }

 private:
  /// Keeps a labelling that fits, with the settings that lead to it from the present one.
  void offer(const Labelling& wanted, const std::string& reason) {
    if (!works(wanted)) return;
    KeyValues settings = before_;
    if (wanted.classes != now_.classes) {
      if (!usable_number(wanted.classes)) return;
      settings.emplace_back("DATA.classes", fmt::format("{}", wanted.classes));
    } else if (!facts_.fault.empty()) {
      return;  // the names would still not fit
    }
    if (wanted.ignore != now_.ignore) settings.emplace_back("TRAIN.ignore_label", fmt::format("{}", wanted.ignore));
    if (wanted.reduce_zero != now_.reduce_zero) {
      settings.emplace_back("DATA.reduce_zero_label", wanted.reduce_zero ? "true" : "false");
    }
    if (wanted.map != now_.map) settings.emplace_back("DATA.label_map", map_text(wanted.map));
    if (settings.empty()) return;
    for (const Proposal& other : proposals_) {
      if (other.settings == settings) return;
    }
    const char* between = because_.empty() || reason.empty() ? "" : "; ";
    proposals_.push_back({because_ + between + reason, std::move(settings)});
  }

  /// In every list the values fit, and not all of them are ignored.
  bool works(const Labelling& wanted) const {
    return wanted.fits(values_) && wanted.used(values_) > 0 &&
           std::all_of(part_values_.begin(), part_values_.end(),
                       [&](const std::set<int>& values) { return values.empty() || wanted.used(values) > 0; });
  }

  /// Files and lists of another length than the classes would be refused.
  bool usable_number(int classes) const {
    if (classes < 2 || classes > 256 || config_.train.class_weights.kind == ClassWeights::Kind::list) return false;
    Config changed = config_;
    changed.data.classes = classes;
    return read_class_facts(changed).fault.empty();
  }
  /// Built-in names are dropped by themselves where they do not fit.
  bool built_in() const { return config_.names_path().empty(); }

  /// The present labelling without a map.
  Labelling without_map() const {
    Labelling labelling = now_;
    labelling.map.clear();
    return labelling;
  }
  /// What a map says that gives a value its present meaning.
  int mapped(int value) const { return now_.meaning(value) == now_.ignore ? -1 : now_.meaning(value); }

  /// Labellings for the values found, after the settings before_.
  void propose_values() {
    if (values_.empty()) return;
    if (!before_.empty() && now_.fits(values_)) offer(now_, "");
    std::set<int> real = values_;  // without the ignore label
    real.erase(now_.ignore);
    if (real.empty()) return;
    const int highest = *real.rbegin(), classes = now_.classes;

    known_labellings();
    std::vector<int> bad;
    std::copy_if(real.begin(), real.end(), std::back_inserter(bad),
                 [&](int value) { return mapped(value) >= classes; });
    Labelling wanted = without_map();
    if (*real.begin() >= 1 && highest == classes) {
      wanted.reduce_zero = true;
      offer(wanted, fmt::format("label values go from 1 to {}: classes that are counted from 1", highest));
    }
    // The names know how many classes there are.
    const auto names = static_cast<int>(facts_.names.size());
    const bool more_names = names > classes && !built_in();
    const auto more_classes = [&](int number) {
      wanted = without_map();
      wanted.classes = number;
      offer(wanted, fmt::format("label values go up to {}: {} classes{}", highest, number,
                                names == number ? ", as many as there are names" : ""));
    };
    if (more_names) more_classes(names);
    // 255 on its own is rather the ignored value than the last of so many classes.
    const bool dense = is_dense(real) && (highest < 255 || real.contains(254));
    const bool beyond = !bad.empty() && (bad.front() > classes || names == classes);
    if (bad.size() == 1 && beyond) ignore_value(bad.front());
    if (dense) more_classes(highest + 1 - (now_.reduce_zero ? 1 : 0));
    if (bad.size() > 1) more_classes_and_ignore(highest, more_names ? names : 0);
    if (bad.size() == 1) ignore_value(bad.front());
    if (!dense) grey_levels(real);
    if (bad.empty()) return;
    wanted = without_map();
    wanted.reduce_zero = false;
    for (const int value : values_) wanted.map[value] = mapped(value) < classes ? mapped(value) : -1;
    offer(wanted, "all values that are no class are ignored");
  }

  /// The labels of a data set that is known, if the number of classes is its.
  void known_labellings() {
    for (const KnownDataset& known : known_datasets()) {
      if (known.classes() != now_.classes) continue;
      Labelling labelling = now_;
      labelling.reduce_zero = known.reduce_zero_label;
      labelling.map = {known.label_map.begin(), known.label_map.end()};
      if (known.label_map.empty()) labelling.ignore = known.ignore_label;
      constexpr int kHighestCityId = 33;
      const bool ids = known.label_map.empty() || std::all_of(values_.begin(), values_.end(), [&](int value) {
                         return value <= kHighestCityId || value == 255;
                       });
      // A map turns everything into something; it must find most of its classes.
      const bool enough = known.label_map.empty() || 2 * labelling.used(values_) >= known.label_map.size() / 2;
      if (ids && enough) offer(labelling, fmt::format("these look like the label files of {}", known.title));
    }
  }

  void ignore_value(int value) {
    Labelling labelling = now_;
    if (!values_.contains(now_.ignore) && !now_.reduce_zero) {
      labelling.ignore = value;
      offer(labelling, fmt::format("the value {} stands for pixels without a class", value));
      return;
    }
    for (const int other : values_) labelling.map[other] = mapped(other);
    labelling.map[value] = -1;
    labelling.reduce_zero = false;
    offer(labelling, fmt::format("the value {} stands for pixels without a class, like {}", value, now_.ignore));
  }

  /// Classes without many gaps, and the highest value of all apart from them.
  void more_classes_and_ignore(int value, int names) {
    std::set<int> classes = values_;
    classes.erase(classes.lower_bound(value), classes.end());
    // The present ignore label may lie apart too; among the classes it is one of them.
    std::set<int> others = classes;
    others.erase(now_.ignore);
    const bool both = values_.contains(now_.ignore) && !others.empty() && *others.rbegin() + 1 < now_.ignore;
    if (both) classes = others;
    if (classes.empty() || !is_dense(classes) || *classes.rbegin() + 1 >= value) return;
    const int least = *classes.rbegin() + 1 - (now_.reduce_zero ? 1 : 0);
    for (const int number : {names, least}) {
      if (number < least) continue;
      Labelling labelling = without_map();
      labelling.classes = number;
      if (both) {
        labelling.reduce_zero = false;
        for (const int other : values_) labelling.map[other] = classes.contains(other) ? mapped(other) : -1;
      } else {
        labelling.ignore = value;
      }
      offer(labelling,
            fmt::format("label values go up to {}: {} classes{}; the value {} stands for pixels without one",
                        *classes.rbegin(), number, number == names ? ", as many as there are names" : "", value));
    }
  }

  /// At least half of the values from 0 to the highest are there.
  static bool is_dense(const std::set<int>& values) {
    return 2 * values.size() >= static_cast<size_t>(*values.rbegin()) + 1;
  }

  /// Few values far apart, such as 0, 128, 255: grey levels drawn for the eye. Neighbours, such as 0, 1, 2, 255, are
  /// not.
  void grey_levels(const std::set<int>& real) {
    const std::set<int>& levels = static_cast<int>(values_.size()) == now_.classes ? values_ : real;
    if (levels.size() < 2) return;
    constexpr int kLeastGap = 8;
    for (auto level = std::next(levels.begin()); level != levels.end(); ++level) {
      if (*level - *std::prev(level) < kLeastGap) return;
    }
    Labelling labelling = without_map();
    labelling.reduce_zero = false;
    int next = 0;
    for (const int value : levels) labelling.map[value] = next++;
    const std::string reason = fmt::format("{} values far apart, taken as classes in their order", levels.size());
    labelling.classes = std::max(now_.classes, next);
    offer(labelling, reason);
    labelling.classes = next;
    offer(labelling, reason);  // the same is offered once
  }

  /// How the colours can be read, then what the values that this gives are.
  void propose_colors() {
    // Some files by index and some by colour: no one setting reads both. And colours beyond a table that is given
    // already are not all that there are.
    if (any_palette_ || !config_.data.label_colors.empty()) return;
    std::vector<std::string> names;
    if (!config_.colors_path().empty()) names.push_back(config_.colors_path());
    for (const bool same_number : {true, false}) {
      for (const KnownDataset& known : known_datasets()) {
        if ((known.classes() == config_.data.classes) == same_number) names.emplace_back(known.name);
      }
    }
    names.emplace_back("grey");
    const std::set<int> by_index = values_;
    const std::vector<std::set<int>> parts_by_index = part_values_;
    for (const std::string& name : names) {
      values_ = by_index;
      part_values_ = parts_by_index;
      // An index in a grey PNG is a grey for who reads colours.
      if (name != "grey" && !by_index.empty()) continue;
      if (!read_colors(name)) continue;
      before_ = {{"DATA.label_colors", name}};
      because_ = reason_of(name);
      propose_values();
      if (!proposals_.empty()) return;
    }
  }

  std::string reason_of(const std::string& name) const {
    if (name == "grey") return "every pixel is grey: a map of indices that was saved as RGB";
    const KnownDataset* known = find_known_dataset(name);
    return fmt::format("the colours are those of {}", known != nullptr ? known->title : name);
  }

  /// Adds the values of all colours found; false if one has none.
  bool read_colors(const std::string& name) {
    std::optional<LabelColors> table;
    try {
      table.emplace(name, now_.ignore);
    } catch (const Refusal&) {
      return false;  // no such file, or two classes of one colour
    }
    for (size_t part = 0; part < parts_.size(); ++part) {
      for (const auto& [color, count] : parts_[part].report.colors) {
        const int value = table->value(color);
        if (value < 0) return false;
        part_values_[part].insert(value);
        values_.insert(value);
      }
    }
    return true;
  }

  const Config& config_;
  const ClassFacts& facts_;
  const std::vector<PartFindings>& parts_;
  Labelling now_;
  std::set<int> values_;                    ///< of all lists
  std::vector<std::set<int>> part_values_;  ///< of each
  bool any_palette_ = false, any_colors_ = false, too_many_ = false;
  KeyValues before_;     ///< that lead to the values
  std::string because_;  ///< why these
  std::vector<Proposal> proposals_;
};

}  // namespace

std::vector<Proposal> find_proposals(const Config& config, const ClassFacts& facts,
                                     const std::vector<PartFindings>& parts) {
  return Proposer(config, facts, parts).propose();
}

}  // namespace giza::train
