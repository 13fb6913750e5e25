// Reading a whole data set before training: what it holds, what does not fit the configuration, and what would.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/data/image/image.h"

namespace giza::train {

/// A raw value of the label files of one list, or a colour of those that are no indices.
struct ValueCount {
  int64_t pixels = 0;
  int64_t files = 0;
  bool fits = true;  ///< a class, or ignored, after the label table
  // The first place in the order of the list; known for colours, and for values that do not fit.
  int64_t entry = -1;
  std::string file;
  int x = 0, y = 0;
};

/// A class, or what is ignored, after the label table.
struct ClassCount {
  int64_t pixels = 0;
  int64_t pictures = 0;
};

/// One list, read.
struct PartReport {
  std::string name;  ///< "train", "val", "test", or "val, test" where two are the same
  std::string place;
  std::string note;  ///< what a folder layout had to choose
  bool labelled = true;
  int64_t pictures = 0;
  int64_t readable = 0;  ///< pictures whose image could be decoded
  int64_t labels_read = 0;
  std::array<int, 2> smallest{}, largest{};  ///< width and height by area
  int64_t smaller_than_crop = 0;             ///< in width or height
  int64_t grey = 0;                          ///< images without colour
  int64_t palette_labels = 0, color_labels = 0, wide_labels = 0;
  int64_t narrow_labels = 0;                  ///< grey, of 1, 2 or 4 bits
  int64_t palettes = 0;                       ///< different ones among palette_labels
  std::array<double, 3> mean{}, deviation{};  ///< of the pixels, in 0..1, red green blue
  std::array<ValueCount, 256> values;
  std::vector<ClassCount> classes;  ///< and one more: ignored
  std::map<Color, ValueCount> colors;
  bool too_many_colors = false;  ///< `colors` is cut off: no masks, but pictures

  int64_t valid_pixels() const;
};

/// Something to tell: a fault keeps training or evaluation from working, a warning is worth a look, a note explains.
struct Problem {
  enum class Severity { fault, warning, note };
  Severity severity;
  std::string kind;  ///< "missing", "unreadable", "size", "value", "color", ... one word, for scripts
  std::string message;
  int64_t count = 1;
  std::vector<std::string> examples;  ///< the first ones, at most CheckOptions::examples
};

/// Problem::kind of what training would refuse, though the data fits: initial weights that it would not find, and
/// others.
inline constexpr const char *kWeightKind = "weight", *kStartKind = "start";

/// Settings that would make the data fit, as KEY VALUE pairs.
struct Proposal {
  std::string reason;
  KeyValues settings;
};

struct DataReport {
  std::string config;
  int classes = 0;
  int ignore_label = 255;
  std::vector<std::string> names;  ///< as far as they are known
  std::vector<PartReport> parts;
  std::vector<Problem> problems;  ///< faults first
  std::vector<Proposal> proposals;
  double seconds = 0;

  int64_t faults() const;
  /// The data fits. What else training needs may be missing: see can_start.
  bool ok() const { return faults() == 0; }
  bool can_start() const;
  /// Adds why giza train would refuse to start, though the data fits.
  void add_refusal(const std::string& why);
};

struct CheckOptions {
  size_t examples = 5;  ///< of each kind of problem
  bool progress = true;
};

/// Reads every file of the lists (or folders) of training, validation and test, on num_threads() threads. The report
/// does not depend on their number. At most about a gigabyte of pictures is in memory at once, or one larger picture.
/// Throws Refusal for a configuration or a list that cannot be read, and Interrupted when a signal is pending.
DataReport check_data(const Config& config, const CheckOptions& options = {});

/// What checks again with the settings of a proposal, in the words of the program that shows the report.
using CommandWith = std::function<std::string(const KeyValues& settings)>;
/// For people; for scripts, one line of JSON. Without `command` proposals have none.
std::string report_text(const DataReport& report, const CommandWith& command = {});
std::string report_json(const DataReport& report, const CommandWith& command = {});

}  // namespace giza::train
