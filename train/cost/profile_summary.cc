// What a recording adds up to.
#include "train/cost/profile_summary.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <string_view>
#include <tuple>

#include "tensor/base/check.h"

namespace giza::train {
namespace {

using profile::Event;

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts;
  std::istringstream stream(path);
  for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
  return parts;
}

/// The pattern that covers both: parts that differ become "*"; paths of different lengths have only the front in
/// common.
std::string merge_paths(const std::string& a, const std::string& b) {
  if (a == b || a.empty()) return b;
  const std::vector<std::string> x = split(a), y = split(b);
  std::string merged;
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    merged += (i > 0 ? "." : "") + (x[i] == y[i] ? x[i] : std::string("*"));
  }
  return x.size() == y.size() ? merged : merged + ".*";
}

template <class Rows, class Seconds>
void sort_by_time(Rows& rows, const Seconds& seconds) {
  std::stable_sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) { return seconds(a) > seconds(b); });
}

}  // namespace

WorkTotal WorkTotal::of(const Event& kernel) {
  return {1,
          static_cast<double>(kernel.self_ns()) * 1e-9,
          kernel.work.flops,
          kernel.work.executed_flops,
          kernel.work.bytes,
          kernel.self_counts()};
}

WorkTotal& WorkTotal::operator+=(const WorkTotal& other) {
  calls += other.calls;
  seconds += other.seconds;
  flops += other.flops;
  executed += other.executed;
  bytes += other.bytes;
  counts += other.counts;
  return *this;
}

WorkTotal LayerRow::all() const {
  WorkTotal sum = forward;
  return (sum += backward) += update;
}

void LayerRow::add(const LayerRow& other) {
  forward += other.forward;
  backward += other.backward;
  update += other.update;
}

std::vector<std::pair<size_t, size_t>> recorded_steps(const std::vector<Event>& events) {
  std::vector<std::pair<size_t, size_t>> steps;
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i].kind != Event::Kind::span || events[i].parent >= 0) continue;
    if (!steps.empty()) steps.back().second = i;
    steps.emplace_back(i, events.size());
  }
  check<Error>(!steps.empty(), "profile: no step was recorded");
  return steps;
}

ProfileSummary summarize(const std::vector<Event>& events) {
  ProfileSummary summary;
  std::vector<std::pair<size_t, size_t>> by_time = recorded_steps(events);
  for (const auto& [begin, end] : by_time) {
    summary.steps_s.push_back(static_cast<double>(events[begin].total_ns()) * 1e-9);
  }
  std::stable_sort(by_time.begin(), by_time.end(), [&](const auto& a, const auto& b) {
    return events[a.first].total_ns() < events[b.first].total_ns();
  });
  const auto [begin, end] = by_time[(by_time.size() - 1) / 2];
  summary.wall_s = static_cast<double>(events[begin].total_ns()) * 1e-9;

  std::map<std::pair<std::string, std::string>, WorkTotal> kernels;
  std::map<std::tuple<std::string, std::string, std::string>, ShapeRow> shapes;
  std::map<std::string, LayerRow> layers;
  for (size_t i = begin; i < end; ++i) {
    const Event& event = events[i];
    if (event.kind != Event::Kind::kernel) continue;
    std::string layer = profile::layer_of(events, event);
    if (layer.empty()) layer = "(" + event.work.kernel + ")";
    const WorkTotal work = WorkTotal::of(event);
    kernels[{event.work.kernel, event.work.algorithm}] += work;
    ShapeRow& shape = shapes[{event.work.kernel, event.work.algorithm, event.work.shape}];
    shape.layers = merge_paths(shape.layers, layer);
    shape.total += work;
    LayerRow& row = layers[layer];
    (event.pass == profile::Pass::forward    ? row.forward
     : event.pass == profile::Pass::backward ? row.backward
                                             : row.update) += work;
    summary.total += work;
  }
  for (const auto& [name, total] : kernels) summary.kernels.push_back({name.first, name.second, total});
  for (auto& [name, row] : shapes) {
    std::tie(row.kernel, row.algorithm, row.shape) = name;
    summary.shapes.push_back(row);
  }
  for (auto& [name, row] : layers) {
    row.layer = name;
    summary.layers.push_back(row);
  }
  summary.attributed_s = summary.total.seconds;
  sort_by_time(summary.kernels, [](const KernelRow& row) { return row.total.seconds; });
  sort_by_time(summary.layers, [](const LayerRow& row) { return row.all().seconds; });
  sort_by_time(summary.shapes, [](const ShapeRow& row) { return row.total.seconds; });
  return summary;
}

std::vector<ConvolutionUse> convolutions_of(const std::vector<Event>& events) {
  static constexpr std::string_view kPasses[] = {"conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight"};
  std::vector<ConvolutionUse> uses;
  for (const Event& event : events) {
    if (event.kind != Event::Kind::kernel) continue;
    const profile::Work& work = event.work;
    const auto* const kernel = std::find(std::begin(kPasses), std::end(kPasses), work.kernel);
    if (kernel == std::end(kPasses)) continue;
    const std::string layer = profile::layer_of(events, event);
    auto use = std::find_if(uses.begin(), uses.end(), [&](const ConvolutionUse& other) {
      return other.layer == layer && other.shape == work.shape;
    });
    if (use == uses.end()) use = uses.insert(uses.end(), {layer, work.shape, {}});
    use->passes[static_cast<size_t>(kernel - kPasses)] = {work.algorithm, work.flops,
                                                          work.executed_flops < 0 ? work.flops : work.executed_flops};
  }
  return uses;
}

}  // namespace giza::train
