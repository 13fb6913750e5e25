// Several networks' results on one data set side by side: see comparison.h.
#include "train/eval/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "train/draw/picture_sheet.h"

namespace giza::train {
namespace {

Predictor predictor_of(const ComparedRun& run) { return saved_predictor(run.folder + "/gray"); }

/// Pictures below 400 pixels are enlarged: four of them side by side then fill a screen.
int zoom_for(int width) { return std::clamp(400 / std::max(width, 1), 1, 4); }

std::string table_row(const std::string& title, const std::vector<double>& values) {
  std::string line = fmt::format("{:<28}", title);
  for (const double value : values) line += fmt::format("{:>12.1f}", value);
  if (values.size() == 2) line += fmt::format("{:>+12.1f}", values[1] - values[0]);
  return line + "\n";
}

/// Sheets of pictures of a comparison in one folder.
class Sheet {
 public:
  Sheet(const Comparison& comparison, const Dataset& dataset, std::string folder, const SheetOptions& options)
      : comparison_(comparison), dataset_(dataset), folder_(std::move(folder)), options_(options) {
    make_folder(folder_);
  }

  /// Input, truth and each run's answer.
  std::vector<Image> row(int64_t index) const {
    const std::shared_ptr<const Pair> pair = dataset_.load(index);
    const auto colored = [&](const LabelMap& labels) {
      return overlay(pair->image, colorize(labels, options_.colors), options_.weight);
    };
    std::vector<Image> row{pair->image, colored(pair->labels)};
    for (const ComparedRun& run : comparison_.runs) {
      row.push_back(colored(predictor_of(run)(pair->image, dataset_.entry(index))));
    }
    return row;
  }

  /// Returns the path.
  std::string write(const std::string& name, const std::vector<std::vector<Image>>& rows,
                    const std::vector<std::string>& titles = {}) const {
    std::vector<std::string> captions{"input", "truth"};
    for (const ComparedRun& run : comparison_.runs) captions.push_back(run.name);
    std::vector<LegendEntry> legend;
    for (size_t k = 0; k < std::min(options_.names.size(), options_.colors.size()); ++k) {
      legend.push_back({options_.names[k], options_.colors[k]});
    }
    std::string path = fmt::format("{}/{}.png", folder_, name);
    write_image(path, picture_sheet(captions, rows, legend, zoom_for(rows.front().front().width), titles));
    return path;
  }

 private:
  const Comparison& comparison_;
  const Dataset& dataset_;
  std::string folder_;
  const SheetOptions& options_;
};

}  // namespace

Comparison compare_runs(std::vector<ComparedRun> runs, const Dataset& dataset, const EvaluateOptions& options) {
  Comparison comparison;
  for (const ComparedRun& run : runs) {
    comparison.evaluations.push_back(evaluate(predictor_of(run), dataset, options));
  }
  comparison.runs = std::move(runs);
  return comparison;
}

ClassGroup parse_class_group(const std::string& text, const std::vector<std::string>& names) {
  const size_t equals = text.find('=');
  check<Refusal>(equals != std::string::npos && equals > 0 && equals + 1 < text.size(),
                 "class group {}: a group of classes is expected as NAME=CLASS,CLASS,...", text);
  ClassGroup group{text.substr(0, equals), {}};
  size_t begin = equals + 1;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string name = text.substr(begin, end - begin);
    const auto found = std::find(names.begin(), names.end(), name);
    check<Refusal>(found != names.end(), "class group {}: no class is named \"{}\", expected one of {}", text, name,
                   fmt::join(names, ", "));
    group.classes.push_back(static_cast<int>(found - names.begin()));
    begin = end + 1;
  }
  return group;
}

double group_miou(const Evaluation& evaluation, const std::vector<int>& classes) {
  double sum = 0;
  for (const int k : classes) sum += evaluation.metrics.classes[static_cast<size_t>(k)].iou;
  return classes.empty() ? 0 : 100 * sum / static_cast<double>(classes.size());
}

std::string comparison_table(const Comparison& comparison, const std::vector<ClassGroup>& groups) {
  check(!comparison.evaluations.empty(), "comparison_table: nothing to compare");
  const Evaluation& first = comparison.evaluations.front();
  const auto row_of = [&](const std::string& title, const std::vector<int>& classes) {
    std::vector<double> values;
    for (const Evaluation& evaluation : comparison.evaluations) values.push_back(group_miou(evaluation, classes));
    return table_row(title, values);
  };

  std::string table = fmt::format("{:<28}", "IoU %");
  for (const ComparedRun& run : comparison.runs) table += fmt::format("{:>12}", run.name);
  if (comparison.runs.size() == 2) table += fmt::format("{:>12}", "difference");
  const std::string rule(table.size(), '-');
  table += "\n" + rule + "\n";

  std::vector<int> all(first.names.size());
  std::iota(all.begin(), all.end(), 0);
  for (const int k : all) table += row_of(first.names[static_cast<size_t>(k)], {k});
  table += rule + "\n";

  std::vector<int> others = all;
  for (const ClassGroup& group : groups) {
    table += row_of(fmt::format("mean of {} ({})", group.name, group.classes.size()), group.classes);
    std::erase_if(
        others, [&](int k) { return std::find(group.classes.begin(), group.classes.end(), k) != group.classes.end(); });
  }
  if (!groups.empty() && !others.empty())
    table += row_of(fmt::format("mean of the others ({})", others.size()), others);
  table += row_of(fmt::format("mIoU ({})", all.size()), all);
  std::vector<double> accuracies;
  for (const Evaluation& evaluation : comparison.evaluations) accuracies.push_back(100 * evaluation.metrics.all_acc);
  table += table_row("pixel accuracy %", accuracies);
  return table;
}

std::vector<std::string> write_comparison_sheets(const Comparison& comparison, const Dataset& dataset,
                                                 const std::string& folder, const SheetOptions& options) {
  const Sheet sheet(comparison, dataset, folder, options);
  const int64_t pictures = std::min<int64_t>(options.pictures, dataset.size());
  std::vector<std::string> written;
  std::vector<std::vector<Image>> rows;
  for (int64_t i = 0; i < pictures; ++i) {
    rows.push_back(sheet.row(i * dataset.size() / pictures));
    if (static_cast<int>(rows.size()) == options.rows || i + 1 == pictures) {
      written.push_back(sheet.write(fmt::format("sheet_{:02}", written.size() + 1), rows));
      rows.clear();
    }
  }
  return written;
}

std::string write_group_sheet(const Comparison& comparison, const std::vector<ClassGroup>& groups,
                              const Dataset& dataset, const std::string& folder, const SheetOptions& options) {
  if (groups.empty()) return "";
  struct Found {
    int64_t index = -1, pixels = 0, first = 0, last = 0;  // pixels of the group in the picture, and right ones
  };
  std::vector<Found> found(groups.size());
  for (int64_t index = 0; index < dataset.size(); ++index) {
    const std::shared_ptr<const Pair> pair = dataset.load(index);
    const LabelMap first = predictor_of(comparison.runs.front())(pair->image, dataset.entry(index));
    const LabelMap last = predictor_of(comparison.runs.back())(pair->image, dataset.entry(index));
    for (size_t g = 0; g < groups.size(); ++g) {
      Found here{.index = index};
      for (size_t i = 0; i < pair->labels.index.size(); ++i) {
        const uint8_t truth = pair->labels.index[i];
        if (std::count(groups[g].classes.begin(), groups[g].classes.end(), truth) == 0) continue;
        ++here.pixels;
        here.first += first.index[i] == truth;
        here.last += last.index[i] == truth;
      }
      const Found& best = found[g];
      if (here.pixels > 0 && (best.index < 0 || here.last - here.first > best.last - best.first)) found[g] = here;
    }
  }
  const Sheet sheet(comparison, dataset, folder, options);
  std::vector<std::vector<Image>> rows;
  std::vector<std::string> titles;
  for (size_t g = 0; g < groups.size(); ++g) {
    if (found[g].index < 0) continue;
    const auto percent = [&](int64_t right) {
      return 100 * static_cast<double>(right) / static_cast<double>(found[g].pixels);
    };
    rows.push_back(sheet.row(found[g].index));
    titles.push_back(fmt::format("{}: of these pixels {} has {:.0f} % right, {} {:.0f} %", groups[g].name,
                                 comparison.runs.front().name, percent(found[g].first), comparison.runs.back().name,
                                 percent(found[g].last)));
  }
  return rows.empty() ? "" : sheet.write("groups", rows, titles);
}

}  // namespace giza::train
