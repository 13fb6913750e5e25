// From what a data set holds to what is wrong or odd about it.
#include "train/check/problems.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <unordered_map>

#include "tensor/base/check.h"
#include "tensor/base/text.h"
#include "train/config/parts.h"
#include "train/data/transforms.h"

namespace giza::train {
namespace {

using Severity = Problem::Severity;
using Kind = FileFault::Kind;

constexpr double kDominant = 0.9;
constexpr double kMuchIgnored = 0.5;
constexpr double kOddMean = 0.15;  // of the range 0..1; natural pictures of all kinds stay within

std::string place_text(const ValueCount& value) {
  return fmt::format("{} in {}, first at x {}, y {} of {}", counted(value.pixels, "pixel", "pixels"),
                     counted(value.files, "file", "files"), value.x, value.y, value.file);
}

/// "LIST:LINE: " where there was a list.
std::string line_of(const PartFindings& part, size_t entry) {
  const int line = part.entries[entry].line;
  return line > 0 ? fmt::format("{}:{}: ", part.report.place, line) : "";
}

class Finder {
 public:
  Finder(const Config& config, const ClassFacts& facts, const std::vector<PartFindings>& parts, size_t examples)
      : config_(config), facts_(facts), parts_(parts), examples_(examples) {}

  std::vector<Problem> find() {
    if (!facts_.fault.empty()) add(Severity::fault, "names", facts_.fault);
    for (const PartFindings& part : parts_) {
      file_faults(part);
      values(part);
      colors(part);
      turned(part, part.turned, &ListEntry::image, "image is", "images are", "label maps must fit the turned image");
      turned(part, part.turned_labels, &ListEntry::label, "label file is", "label files are",
             "other programs may show it as it lies");
      size_of_list(part);
      output_names(part);
      notes(part);
    }
    classes();
    repeated_pictures();
    initial_weights();
    std::stable_sort(problems_.begin(), problems_.end(),
                     [](const Problem& a, const Problem& b) { return a.severity < b.severity; });
    return std::move(problems_);
  }

 private:
  Problem& add(Severity severity, std::string kind, std::string message, int64_t count = 1) {
    problems_.push_back({severity, std::move(kind), std::move(message), count, {}});
    return problems_.back();
  }

  /// "PART: 3 files are missing"
  Problem& add_count(const PartReport& part, Severity severity, const char* kind, int64_t count, const char* one,
                     const char* many, const std::string& rest = "") {
    return add(severity, kind, fmt::format("{}: {}{}", part.name, counted(count, one, many), rest), count);
  }
  void example(Problem& problem, const std::string& text) const {
    if (problem.examples.size() < examples_) problem.examples.push_back(text);
  }

  void file_faults(const PartFindings& part) {
    struct Text {
      Kind kind;
      const char* name;
      const char* one;
      const char* many;
    };
    static constexpr Text kTexts[] = {
        {Kind::missing, "missing", "file is missing", "files are missing"},
        {Kind::unreadable, "unreadable", "file cannot be read", "files cannot be read"},
        {Kind::size, "size", "label map has another size than its image",
         "label maps have another size than their image"},
    };
    for (const Text& text : kTexts) {
      const auto found = part.faults.find(text.kind);
      if (found == part.faults.end()) continue;
      const auto& [count, first] = found->second;
      Problem& problem = add_count(part.report, Severity::fault, text.name, count, text.one, text.many);
      for (const auto& [entry, message] : first) example(problem, line_of(part, entry) + message);
      if (text.kind == Kind::missing && !first.empty()) absolute_paths(part.entries[first.begin()->first], problem);
    }
  }

  /// Lists made for other programs often begin their paths with a slash.
  void absolute_paths(const ListEntry& entry, Problem& problem) const {
    const std::string hint = path_hint(entry.image, config_.data.data_root);
    if (!hint.empty()) problem.message += "; " + hint;
  }

  void values(const PartFindings& part) {
    int64_t pixels = 0;
    std::vector<std::string> found;
    for (size_t raw = 0; raw < part.report.values.size(); ++raw) {
      const ValueCount& value = part.report.values[raw];
      if (value.fits) continue;
      pixels += value.pixels;
      found.push_back(fmt::format("value {}: {}", raw, place_text(value)));
    }
    if (found.empty()) return;
    Problem& problem =
        add(Severity::fault, "value",
            fmt::format("{}: {} neither a class (0 to {}) nor ignored ({})", part.report.name,
                        counted(static_cast<int64_t>(found.size()), "label value is", "label values are"),
                        config_.data.classes - 1, config_.train.ignore_label),
            pixels);
    for (const std::string& line : found) example(problem, line);
  }

  void colors(const PartFindings& part) {
    const auto found = part.faults.find(Kind::color);
    if (found == part.faults.end()) return;
    const int64_t files = found->second.count;
    const PartReport& report = part.report;
    const bool named = !config_.data.label_colors.empty();
    std::string message = fmt::format(
        "{}: {} {}", report.name, counted(files, "label file", "label files"),
        named ? "with colours that DATA.label_colors does not have" : "with colours in place of class indices");
    if (report.too_many_colors) {
      message += ", thousands of colours: these are pictures, or masks that were resized or saved as JPEG";
    } else {
      message += fmt::format(", {} of them", report.colors.size());
    }
    Problem& problem = add(Severity::fault, "color", message, files);
    std::vector<std::pair<Color, ValueCount>> sorted(report.colors.begin(), report.colors.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.second.pixels > b.second.pixels; });
    for (const auto& [color, count] : sorted) {
      example(problem, fmt::format("({}): {}", fmt::join(color, ", "), place_text(count)));
    }
    if (!sorted.empty()) return;
    for (const auto& [entry, text] : found->second.first) example(problem, line_of(part, entry) + text);
  }

  /// Files that were turned by their EXIF orientation; `path` is which of an entry's they are.
  void turned(const PartFindings& part, const FirstFew<int>& found, std::string ListEntry::*path, const char* one,
              const char* many, const char* rest) {
    const auto& [count, first] = found;
    if (count == 0) return;
    Problem& problem =
        add_count(part.report, Severity::warning, "orientation", count, one, many,
                  fmt::format(" turned or mirrored by the EXIF orientation in the file, as OpenCV does it; {}", rest));
    for (const auto& [entry, orientation] : first) {
      example(problem,
              fmt::format("{}{}: orientation {}", line_of(part, entry), part.entries[entry].*path, orientation));
    }
  }

  void size_of_list(const PartFindings& part) {
    const auto batch = config_.train.batch_size;
    if (!part.report.name.starts_with("train") || part.report.pictures >= batch) return;
    add(Severity::fault, "batch",
        fmt::format("train: {} fewer than TRAIN.batch_size = {}",
                    counted(part.report.pictures, "picture is", "pictures are"), batch));
  }

  void output_names(const PartFindings& part) {
    // Results are written of what is evaluated, so the names of training pictures may repeat.
    if (part.report.name == "train" || classifies_pictures(config_)) return;
    std::unordered_map<std::string, size_t> seen;
    int64_t count = 0;
    std::vector<std::string> found;
    for (size_t i = 0; i < part.entries.size(); ++i) {
      const auto [first, added] = seen.emplace(output_name(part.entries[i]), i);
      if (added) continue;
      ++count;
      if (found.size() < examples_) {
        found.push_back(
            fmt::format("{}{} and {}", line_of(part, i), part.entries[first->second].image, part.entries[i].image));
      }
    }
    if (count == 0) return;
    // Validation during training writes nothing, nor do tests without masks.
    const bool writes = config_.test.save_masks || config_.test.has_prediction || config_.test.split == "test";
    const Severity severity = writes && part.report.name.ends_with("test") ? Severity::fault : Severity::warning;
    Problem& problem = add_count(part.report, severity, "name", count, "picture has", "pictures have",
                                 " the file name of another, so that one's masks would overwrite the other's; rename "
                                 "them, or split the list");
    problem.examples = std::move(found);
  }

  void notes(const PartFindings& part) {
    const PartReport& report = part.report;
    if (!report.note.empty()) add(Severity::note, "layout", fmt::format("{}: {}", report.name, report.note));
    if (report.palette_labels > 0 && config_.data.label_colors.empty()) {
      add_count(report, Severity::note, "palette", report.palette_labels, "label file is a palette PNG",
                "label files are palette PNGs", ": the index is read as the label, the colours play no part");
      if (report.palettes > 1) {
        add(Severity::warning, "palettes",
            fmt::format("{}: the palettes of the label files differ ({}); if an index does not mean one class in all "
                        "files, read them by colour with DATA.label_colors",
                        report.name, report.palettes));
      }
    }
    if (report.narrow_labels > 0) {
      add_count(report, Severity::note, "narrow", report.narrow_labels, "label file has", "label files have",
                " 1, 2 or 4 bits per pixel: the values are the labels, where other programs spread them from 0 to 255");
    }
    if (report.wide_labels > 0) {
      add_count(report, Severity::note, "wide", report.wide_labels, "label file has", "label files have",
                " 16 bits per pixel, of which labels need 8");
    }
    if (report.grey > 0) {
      const Severity severity = report.grey == report.readable ? Severity::warning : Severity::note;
      add_count(report, severity, "grey", report.grey, "image has", "images have", " no colour");
    }
    if (report.smaller_than_crop > 0 && report.name.starts_with("train")) {
      add(Severity::note, "small",
          fmt::format("train: {} smaller than the crop of {} x {}: the rest of a sample is filled with the mean{}",
                      counted(report.smaller_than_crop, "picture is", "pictures are"), config_.train.train_w,
                      config_.train.train_h, classifies_pictures(config_) ? "" : " and ignored"),
          report.smaller_than_crop);
    }
    odd_mean(report);
  }

  void odd_mean(const PartReport& report) {
    if (report.readable == 0) return;
    for (size_t c = 0; c < 3; ++c) {
      const double usual = static_cast<double>(kImageNetMean[c]) / 255;
      if (std::abs(report.mean[c] - usual) <= kOddMean) continue;
      add(Severity::note, "mean",
          fmt::format(
              "{}: the mean of the pixels ({:.3f}, {:.3f}, {:.3f}) is far from ImageNet's (0.485, 0.456, 0.406), "
              "by which images are normalised; fine for training from random weights, less so for pretrained "
              "ones",
              report.name, report.mean[0], report.mean[1], report.mean[2]));
      return;
    }
  }

  std::string class_text(size_t c) const {
    return c < facts_.names.size() ? fmt::format("{} {}", c, facts_.names[c]) : fmt::format("{}", c);
  }

  void classes() {
    for (const PartFindings& part : parts_) {
      const PartReport& report = part.report;
      if (!report.labelled || report.labels_read == 0) continue;
      const int64_t valid = report.valid_pixels();
      const int64_t ignored = report.classes.back().pixels;
      std::vector<std::string> absent;
      for (size_t c = 0; c + 1 < report.classes.size(); ++c) {
        const int64_t pixels = report.classes[c].pixels;
        if (pixels == 0) absent.push_back(class_text(c));
        if (static_cast<double>(pixels) > kDominant * static_cast<double>(valid) && valid > 0) {
          add(Severity::warning, "dominant",
              fmt::format("{}: class {} has {:.1f} % of the {}; TRAIN.class_weights balanced may help", report.name,
                          class_text(c), 100.0 * static_cast<double>(pixels) / static_cast<double>(valid),
                          classifies_pictures(config_) ? "pictures" : "labelled pixels"));
        }
      }
      if (!absent.empty()) {
        Problem& problem = add_count(report, Severity::warning, "absent", static_cast<int64_t>(absent.size()),
                                     "class is", "classes are", " in no picture");
        for (const std::string& name : absent) example(problem, name);
      }
      if (valid == 0) {
        add(Severity::fault, "ignored", fmt::format("{}: every pixel is ignored: nothing to learn from", report.name));
      } else if (static_cast<double>(ignored) > kMuchIgnored * static_cast<double>(ignored + valid)) {
        add(Severity::warning, "ignored",
            fmt::format("{}: {:.1f} % of the pixels are ignored; is the label map the right one for these files?",
                        report.name, 100.0 * static_cast<double>(ignored) / static_cast<double>(ignored + valid)));
      }
      zero_based(report);
      two_values(report);
    }
  }

  /// reduce_zero_label on labels that begin at 0 already would shift every class.
  void zero_based(const PartReport& report) {
    if (!config_.data.reduce_zero_label) return;
    const auto has = [&](int value) { return report.values[static_cast<size_t>(value)].pixels > 0; };
    int highest = -1;
    for (int value = 0; value < 256; ++value) {
      if (has(value) && value != config_.train.ignore_label) highest = value;
    }
    if (!has(config_.train.ignore_label) || highest != config_.data.classes - 1) return;
    add(Severity::warning, "zero",
        fmt::format("{}: label values are 0 to {} and {}, as if they began at 0 already; then set "
                    "DATA.reduce_zero_label false, or every class is shifted by one",
                    report.name, highest, config_.train.ignore_label));
  }

  /// Masks of 0 and 255 are usually two classes, but 255 is ignored.
  void two_values(const PartReport& report) {
    if (!config_.data.label_map.empty() || config_.data.classes != 2 || config_.train.ignore_label != 255) return;
    for (size_t raw = 0; raw < report.values.size(); ++raw) {
      if ((report.values[raw].pixels > 0) != (raw == 0 || raw == 255)) return;
    }
    add(Severity::warning, "binary",
        fmt::format("{}: label values are 0 and 255, of which 255 is ignored; if it is the second class, set "
                    "DATA.label_map '{{0: 0, 255: 1}}'",
                    report.name));
  }

  /// Pictures that are in a list twice, or in training and in what training is judged by.
  void repeated_pictures() {
    struct Where {
      size_t part, entry;
    };
    std::unordered_map<uint64_t, Where> seen;
    struct Group {
      int64_t count = 0;
      std::vector<std::string> examples;
    };
    std::map<std::pair<size_t, size_t>, Group> groups;
    for (size_t p = 0; p < parts_.size(); ++p) {
      for (size_t i = 0; i < parts_[p].hashes.size(); ++i) {
        if (parts_[p].hashes[i] == 0) continue;
        const auto [first, added] = seen.emplace(parts_[p].hashes[i], Where{p, i});
        if (added) continue;
        Group& group = groups[{first->second.part, p}];
        ++group.count;
        if (group.examples.size() >= examples_) continue;
        group.examples.push_back(parts_[first->second.part].entries[first->second.entry].image + " and " +
                                 parts_[p].entries[i].image);
      }
    }
    for (auto& [key, group] : groups) {
      const std::string &a = parts_[key.first].report.name, &b = parts_[key.second].report.name;
      const bool leak = key.first != key.second && a.starts_with("train");
      std::string message = key.first == key.second
                                ? fmt::format("{}: {} twice, by the bytes of the file", a,
                                              counted(group.count, "picture is there", "pictures are there"))
                                : fmt::format("{} and {}: {} both, by the bytes of the file{}", a, b,
                                              counted(group.count, "picture is in", "pictures are in"),
                                              leak ? ": figures on them say nothing of new pictures" : "");
      Problem& problem = add(leak ? Severity::warning : Severity::note, "repeated", message, group.count);
      problem.examples = std::move(group.examples);
    }
  }

  /// The data may be right all the same, but training would refuse to start.
  void initial_weights() {
    const std::string& path = config_.train.weight;
    if (path.empty()) return;
    std::error_code error;
    if (!std::filesystem::is_directory(path, error) && std::ifstream(path)) return;
    add(Severity::warning, kWeightKind,
        fmt::format("{}: TRAIN.weight {} is not there or cannot be read, so that giza train would refuse to start; "
                    "give the file of initial weights, or TRAIN.weight '' to begin at random",
                    config_place(config_, "TRAIN.weight"), path));
  }

  const Config& config_;
  const ClassFacts& facts_;
  const std::vector<PartFindings>& parts_;
  const size_t examples_;
  std::vector<Problem> problems_;
};

}  // namespace

ClassFacts read_class_facts(const Config& config) {
  ClassFacts facts;
  const auto attempt = [&](auto&& body) {
    try {
      body();
    } catch (const Refusal& error) {
      if (facts.fault.empty()) facts.fault = error.what();
    }
  };
  attempt([&] { facts.names = class_names(config); });
  attempt([&] { facts.colors = class_colors(config); });
  // Names of another number still say how many classes there are.
  const std::string path = config.names_path();
  if (!facts.names.empty() || path.empty()) return facts;
  std::error_code error;
  const KnownDataset* known = known_by_file_name(path);
  if (known != nullptr && !std::filesystem::exists(path, error)) {
    facts.names.assign(known->names.begin(), known->names.end());
  } else {
    attempt([&] { facts.names = read_names(path); });
  }
  return facts;
}

std::vector<Problem> find_problems(const Config& config, const ClassFacts& facts,
                                   const std::vector<PartFindings>& parts, size_t examples) {
  return Finder(config, facts, parts, examples).find();
}

}  // namespace giza::train
