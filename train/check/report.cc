// The report on a data set, for people and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tensor/base/message.h"
#include "tensor/base/text.h"
#include "train/check/data_check.h"
#include "train/progress.h"

namespace giza::train {
namespace {

using Severity = Problem::Severity;
using Json = nlohmann::ordered_json;

const char* severity_name(Severity severity) {
  return severity == Severity::fault ? "fault" : severity == Severity::warning ? "warning" : "note";
}

std::string size_text(const std::array<int, 2>& size) { return fmt::format("{} x {}", size[0], size[1]); }

std::string part_line(const PartReport& part) {
  std::string text = fmt::format("{}: {} of {}\n", part.name, counted(part.pictures, "picture"), one_line(part.place));
  if (part.readable == 0) return text;
  const std::string sizes = part.smallest == part.largest ? size_text(part.smallest)
                                                          : size_text(part.smallest) + " to " + size_text(part.largest);
  text += fmt::format("  {}; mean {:.3f} {:.3f} {:.3f}, deviation {:.3f} {:.3f} {:.3f}\n", sizes, part.mean[0],
                      part.mean[1], part.mean[2], part.deviation[0], part.deviation[1], part.deviation[2]);
  return text;
}

double share(int64_t pixels, int64_t all) {
  return all > 0 ? static_cast<double>(pixels) / static_cast<double>(all) : 0.0;
}

int64_t all_pixels(const PartReport& part) {
  return part.classes.empty() ? 0 : part.valid_pixels() + part.classes.back().pixels;
}

/// A line per class: pixels, share of the labelled pixels and pictures, for each part. Ignored pixels: of all.
std::string class_table(const DataReport& report) {
  std::vector<const PartReport*> parts;
  for (const PartReport& part : report.parts) {
    if (part.labelled && part.labels_read > 0) parts.push_back(&part);
  }
  if (parts.empty()) return "";
  size_t width = 12;
  for (const std::string& name : report.names) width = std::max(width, name.size());
  std::string text = fmt::format("\n{:>3} {:<{}}", "", "class", width);
  for (const PartReport* part : parts) text += fmt::format("  {:>14} {:>7} {:>8}", part->name, "share", "pictures");
  text += '\n';
  for (int c = 0; c <= report.classes; ++c) {
    const auto index = static_cast<size_t>(c);
    const bool ignored = c == report.classes;
    const std::string name = ignored ? "ignored" : index < report.names.size() ? one_line(report.names[index]) : "";
    text += fmt::format("{:>3} {:<{}}", ignored ? "" : fmt::format("{}", c), name, width);
    for (const PartReport* part : parts) {
      const ClassCount& count = part->classes[index];
      const int64_t all = ignored ? all_pixels(*part) : part->valid_pixels();
      text += fmt::format("  {:>14} {:>6.2f}% {:>8}", count.pixels, 100 * share(count.pixels, all), count.pictures);
    }
    text += '\n';
  }
  return text;
}

std::string problem_text(const Problem& problem) {
  std::string text = fmt::format("{}: {}\n", severity_name(problem.severity), one_line(problem.message));
  for (const std::string& example : problem.examples) text += fmt::format("  {}\n", one_line(example));
  const auto shown = static_cast<int64_t>(problem.examples.size());
  // A count of pixels is no count of examples.
  if (shown > 0 && problem.count > shown && problem.kind != "value" && problem.kind != "color") {
    text += fmt::format("  ... and {} more\n", problem.count - shown);
  }
  return text;
}

/// As it stands in the file. Keys of one section follow one another.
std::string yaml_of(const Proposal& proposal) {
  std::string text, section;
  auto settings = proposal.settings;
  std::stable_sort(settings.begin(), settings.end(), [](const auto& a, const auto& b) {
    return a.first.substr(0, a.first.find('.')) < b.first.substr(0, b.first.find('.'));
  });
  for (const auto& [key, value] : settings) {
    const size_t dot = key.find('.');
    if (key.substr(0, dot) != section) text += fmt::format("    {}:\n", section = key.substr(0, dot));
    text += fmt::format("      {}: {}\n", key.substr(dot + 1), value);
  }
  return text;
}

}  // namespace

std::string report_text(const DataReport& report, const CommandWith& command) {
  std::string text;
  for (const PartReport& part : report.parts) text += part_line(part);
  text += "  (ImageNet, by which images are normalised: mean 0.485 0.456 0.406, deviation 0.229 0.224 0.225)\n";
  text += class_table(report);
  if (!report.problems.empty()) text += '\n';
  for (const Problem& problem : report.problems) text += problem_text(problem);
  for (size_t i = 0; i < report.proposals.size(); ++i) {
    const Proposal& proposal = report.proposals[i];
    text += fmt::format("\n{}: {}\n", i == 0 ? "proposal" : "or", one_line(proposal.reason));
    text += yaml_of(proposal);
    if (command) text += fmt::format("  try it: {}\n", command(proposal.settings));
  }
  const int64_t faults = report.faults();
  const std::string answer =
      report.can_start() ? "everything fits: training can start"
      : report.ok()      ? "the data fits, but training cannot start"
                         : fmt::format("training cannot start: {} kind{} of fault", faults, faults == 1 ? "" : "s");
  text += fmt::format("\n{} ({})\n", answer, format_duration(report.seconds));
  return text;
}

std::string report_json(const DataReport& report, const CommandWith& command) {
  Json json{{"config", report.config}, {"ok", report.ok()}, {"faults", report.faults()}, {"seconds", report.seconds}};
  json["parts"] = Json::array();
  for (const PartReport& part : report.parts) {
    Json entry{{"name", part.name},
               {"list", part.place},
               {"pictures", part.pictures},
               {"images_read", part.readable},
               {"labels_read", part.labels_read},
               {"smallest", part.smallest},
               {"largest", part.largest},
               {"smaller_than_crop", part.smaller_than_crop},
               {"grey", part.grey},
               {"palette_labels", part.palette_labels},
               {"mean", part.mean},
               {"deviation", part.deviation}};
    const int64_t valid = part.valid_pixels();
    entry["classes"] = Json::array();
    for (size_t c = 0; c + 1 < part.classes.size(); ++c) {
      entry["classes"].push_back({{"class", c},
                                  {"name", c < report.names.size() ? report.names[c] : ""},
                                  {"pixels", part.classes[c].pixels},
                                  {"share", share(part.classes[c].pixels, valid)},
                                  {"pictures", part.classes[c].pictures}});
    }
    const ClassCount& ignored = part.classes.back();
    entry["ignored"] = {
        {"pixels", ignored.pixels}, {"share", share(ignored.pixels, all_pixels(part))}, {"pictures", ignored.pictures}};
    entry["values"] = Json::array();
    for (size_t raw = 0; raw < part.values.size(); ++raw) {
      const ValueCount& value = part.values[raw];
      if (value.pixels == 0) continue;
      Json item{{"value", raw}, {"pixels", value.pixels}, {"files", value.files}, {"fits", value.fits}};
      if (!value.fits) item.update({{"file", value.file}, {"x", value.x}, {"y", value.y}});
      entry["values"].push_back(std::move(item));
    }
    entry["colors"] = Json::array();
    for (const auto& [color, count] : part.colors) {
      entry["colors"].push_back({{"color", color},
                                 {"pixels", count.pixels},
                                 {"files", count.files},
                                 {"file", count.file},
                                 {"x", count.x},
                                 {"y", count.y}});
    }
    json["parts"].push_back(std::move(entry));
  }
  json["problems"] = Json::array();
  for (const Problem& problem : report.problems) {
    json["problems"].push_back({{"severity", severity_name(problem.severity)},
                                {"kind", problem.kind},
                                {"message", problem.message},
                                {"count", problem.count},
                                {"examples", problem.examples}});
  }
  json["proposals"] = Json::array();
  for (const Proposal& proposal : report.proposals) {
    Json settings = Json::object();
    for (const auto& [key, value] : proposal.settings) settings[key] = value;
    json["proposals"].push_back({{"reason", proposal.reason}, {"settings", settings}});
    if (command) json["proposals"].back()["command"] = command(proposal.settings);
  }
  // A file name need not be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace giza::train
