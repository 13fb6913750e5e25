// A profile as tables.
#include "train/cost/profile_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace giza::train {
namespace {

constexpr size_t kKernelWidth = 28, kLayerWidth = 24;  // of names; the lines then have at most 120 columns

/// At most six characters below 100 seconds.
std::string milliseconds(double seconds) {
  return seconds < 0.9995 ? fmt::format("{:.2f}", seconds * 1e3) : fmt::format("{:.0f}", seconds * 1e3);
}
std::string percent(double share) { return fmt::format("{:.1f}", share * 100); }

std::string short_number(double value) { return value == 0 ? "-" : three_digits(value); }

/// GFLOP/s, executed GFLOP/s, GB/s, FLOP/B, % of FMA peak, % of bandwidth, and which of the two roofs is lower.
void add_figures(std::vector<std::string>& row, const WorkTotal& total, const MachinePeak& peak) {
  row.push_back(short_number(total.gflops()));
  row.push_back(short_number(total.executed_gflops()));
  row.push_back(short_number(total.gbs()));
  row.push_back(short_number(total.intensity()));
  row.push_back(percent(total.executed_gflops() / peak.all_gflops));
  row.push_back(percent(total.gbs() / WorkTotal::bandwidth(peak)));
  row.emplace_back(total.compute_bound(peak) ? "compute" : "memory");
}

const std::vector<std::string> kFigures = {"GFLOP/s", "executed", "GB/s", "FLOP/B", "%FMA", "%mem", "bound"};

std::vector<std::string> heading(std::vector<std::string> front) {
  front.insert(front.end(), kFigures.begin(), kFigures.end());
  return front;
}

void add_unattributed(TextTable& table, const ProfileSummary& summary, size_t time_column, size_t columns) {
  std::vector<std::string> row(columns);
  row[0] = "(unattributed)";
  row[time_column] = milliseconds(summary.unattributed_s());
  row[time_column + 1] = percent(summary.unattributed_s() / summary.wall_s);
  table.add(std::move(row));
  row.assign(columns, "");
  row[0] = "step, by the clock";
  row[time_column] = milliseconds(summary.wall_s);
  row[time_column + 1] = "100.0";
  table.add(std::move(row));
}

}  // namespace

std::string three_digits(double value) {
  return value >= 99.5   ? fmt::format("{:.0f}", value)
         : value >= 9.95 ? fmt::format("{:.1f}", value)
                         : fmt::format("{:.2f}", value);
}

std::string TextTable::text(size_t first_width, size_t left) const {
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  widths[0] = std::min(widths[0], first_width);
  std::string text;
  const auto add_line = [&](std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < rows_[r].size(); ++i) {
      std::string cell = rows_[r][i];
      if (i == 0 && cell.size() > widths[0]) cell = cell.substr(0, widths[0] - 2) + "..";
      const bool to_left = i == 0 || i + left >= widths.size();
      line += to_left ? fmt::format("{:<{}}", cell, widths[i]) : fmt::format("{:>{}}", cell, widths[i]);
      line += "  ";
    }
    add_line(line);
    if (r == 0) {
      size_t width = 0;
      for (const size_t each : widths) width += each + 2;
      add_line(std::string(width - 2, '-'));
    }
  }
  return text;
}

std::string kernel_table(const ProfileSummary& summary, const MachinePeak& peak) {
  TextTable table(heading({"kernel", "algorithm", "calls", "ms", "%"}));
  const auto add = [&](const std::string& kernel, const std::string& algorithm, const WorkTotal& total) {
    std::vector<std::string> row = {kernel, algorithm.empty() ? "-" : algorithm, std::to_string(total.calls),
                                    milliseconds(total.seconds), percent(total.seconds / summary.wall_s)};
    add_figures(row, total, peak);
    table.add(std::move(row));
  };
  for (const KernelRow& row : summary.kernels) add(row.kernel, row.algorithm, row.total);
  add("(all kernels)", "", summary.total);
  add_unattributed(table, summary, 3, 5 + kFigures.size());
  return table.text(kKernelWidth);
}

std::string layer_table(const ProfileSummary& summary, const MachinePeak& peak, size_t limit) {
  TextTable table(heading({"layer", "fwd", "bwd", "upd", "ms", "%"}));
  const auto add = [&](const LayerRow& layer) {
    const WorkTotal all = layer.all();
    const auto part = [](const WorkTotal& total) { return total.calls > 0 ? milliseconds(total.seconds) : "-"; };
    std::vector<std::string> row = {
        layer.layer,        part(layer.forward),       part(layer.backward),
        part(layer.update), milliseconds(all.seconds), percent(all.seconds / summary.wall_s)};
    add_figures(row, all, peak);
    table.add(std::move(row));
  };
  LayerRow rest, total;
  const size_t shown = std::min(limit, summary.layers.size());
  for (size_t i = 0; i < summary.layers.size(); ++i) {
    const LayerRow& layer = summary.layers[i];
    if (i < shown) add(layer);
    if (i >= shown) rest.add(layer);
    total.add(layer);
  }
  if (shown < summary.layers.size()) {
    rest.layer = fmt::format("({} other layers)", summary.layers.size() - shown);
    add(rest);
  }
  total.layer = "(all layers)";
  add(total);
  add_unattributed(table, summary, 4, 6 + kFigures.size());
  return table.text(kLayerWidth);
}

std::string counter_table(const ProfileSummary& summary) {
  constexpr double kLine = 64;  // bytes that a miss brings
  TextTable table({"kernel", "algorithm", "Mcycles", "instr/cycle", "LLC misses", "GB/s missed"});
  for (const KernelRow& row : summary.kernels) {
    const profile::Counts& counts = row.total.counts;
    const auto cycles = static_cast<double>(counts.cycles), misses = static_cast<double>(counts.llc_misses);
    table.add({row.kernel, row.algorithm.empty() ? "-" : row.algorithm, fmt::format("{:.1f}", cycles / 1e6),
               short_number(cycles > 0 ? static_cast<double>(counts.instructions) / cycles : 0),
               fmt::format("{:.0f}", misses),
               short_number(row.total.seconds > 0 ? misses * kLine / row.total.seconds / 1e9 : 0)});
  }
  return table.text(kKernelWidth);
}

std::string cores_table(const CoresForecast& forecast) {
  TextTable table({"kernel", "algorithm", "regions", "tasks", "ms here", "1 core", "ms", "%", "serial", "uneven",
                   "regions", "memory"});
  const auto add = [&](const CoresRow& row) {
    const auto loss = [](double seconds) { return seconds < 5e-6 ? "-" : milliseconds(seconds); };
    const double each = static_cast<double>(row.tasks) / static_cast<double>(std::max<int64_t>(1, row.regions));
    table.add({row.kernel, row.algorithm.empty() ? "-" : row.algorithm, std::to_string(row.regions),
               row.regions > 0 ? three_digits(each) : "-", milliseconds(row.measured_s), milliseconds(row.one_core_s),
               milliseconds(row.cores_s), percent(row.efficiency(forecast.machine.cores)), loss(row.loss.serial),
               loss(row.loss.uneven), loss(row.loss.regions), loss(row.loss.memory)});
  };
  for (const CoresRow& row : forecast.kernels) add(row);
  CoresRow step = forecast.step;
  step.kernel = "step";
  add(step);
  return table.text(kKernelWidth - 4);
}

}  // namespace giza::train
