// How long kernels take on this machine.
#include "train/cost/speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tensor/base/median.h"
#include "tensor/base/stopwatch.h"
#include "tensor/profile/sampled_run.h"

namespace giza::train {
namespace {

using profile::Event;

std::string key_of(const profile::Work& work) {
  return fmt::format("{}|{}|{}|{:.0f}", work.kernel, work.algorithm, work.shape, work.bytes);
}

/// Names of the groups whose members are scaled from one another, the nearest first.
std::vector<std::string> groups_of(const std::vector<Event>& events, const Event& kernel) {
  const profile::Work& work = kernel.work;
  return {fmt::format("{}|{}|{}|{}", work.kernel, work.algorithm, profile::layer_of(events, kernel),
                      to_string(kernel.pass)),
          fmt::format("{}|{}", work.kernel, work.algorithm), work.kernel};
}

/// What part of the roof kernels typically reach (docs/profile.md has a profile): by kernel and algorithm.
double typical_share(const profile::Work& work) {
  if (work.algorithm == "direct") return 0.6;
  if (work.algorithm.starts_with("winograd")) return 0.4;
  if (work.algorithm == "structured") return 0.27;
  if (work.kernel == "sgd_step") return 0.9;
  if (work.kernel.starts_with("upsample")) return 0.08;
  return 0.35;
}

bool is_exchange(const profile::Work& work) { return work.messages >= 0; }

}  // namespace

double SpeedModel::bound(const profile::Work& work) const {
  if (is_exchange(work)) return 0;
  const double memory = std::max(peak_.copy_gbs, peak_.stream_gbs);
  return std::max({work.executed_flops / peak_.all_gflops, work.bytes / memory, 1.0}) * 1e-9;
}

void SpeedModel::add(const std::vector<Event>& events, const std::vector<bool>& ran) {
  std::map<std::string, std::pair<double, int>> sums;
  size_t index = 0;
  for (const Event& event : events) {
    if (event.kind != Event::Kind::kernel || !ran[index++] || is_exchange(event.work)) continue;
    const std::string key = key_of(event.work);
    auto& [seconds, calls] = sums[key];
    seconds += static_cast<double>(event.self_ns()) * 1e-9;
    ++calls;
    samples_.try_emplace(key, Kind{{}, bound(event.work), groups_of(events, event)});
  }
  for (const auto& [key, sum] : sums) samples_.at(key).seconds.push_back(sum.first / sum.second);
  groups_.clear();
  for (const auto& [key, kind] : samples_) {
    for (const std::string& name : kind.groups) {
      groups_[name].seconds += median(kind.seconds);
      groups_[name].bound += kind.bound;
    }
  }
}

std::pair<double, bool> SpeedModel::seconds_of(const std::vector<Event>& events, const Event& kernel) const {
  if (is_exchange(kernel.work)) return {0, true};
  const auto found = samples_.find(key_of(kernel.work));
  if (found != samples_.end()) return {median(found->second.seconds), true};
  for (const std::string& name : groups_of(events, kernel)) {
    const auto group = groups_.find(name);
    if (group != groups_.end()) return {bound(kernel.work) * group->second.seconds / group->second.bound, false};
  }
  return {bound(kernel.work) / typical_share(kernel.work), false};
}

double SpeedModel::seconds(const std::vector<Event>& events) const {
  double sum = 0;
  for (const Event& event : events) {
    if (event.kind == Event::Kind::kernel) sum += seconds_of(events, event).first;
  }
  return sum;
}

double SpeedModel::measured_share(const std::vector<Event>& events) const {
  double known = 0;
  for (const Event& event : events) {
    if (event.kind != Event::Kind::kernel) continue;
    const auto [seconds, measured] = seconds_of(events, event);
    if (measured) known += seconds;
  }
  const double sum = seconds(events);
  return sum > 0 ? known / sum : 0;
}

double SpeedModel::rough_seconds(const std::vector<Event>& events) const {
  double sum = 0;
  for (const Event& event : events) {
    if (event.kind == Event::Kind::kernel) sum += bound(event.work) / typical_share(event.work);
  }
  return sum;
}

namespace {

constexpr int kSome = 2, kAll = 1 << 30;  // calls of each kind

struct Pass {
  std::vector<Event> events;
  std::vector<bool> ran;
  double wall_s = 0, outside_s = 0;
};

/// Runs the work with the first `limit` calls of each kind of kernel.
Pass run_pass(const std::function<void()>& work, int limit) {
  Pass pass;
  std::map<std::string, int> calls;
  const profile::Recording recording;
  const profile::SampledRun run([&](const profile::Work& kernel) { return calls[key_of(kernel)]++ < limit; });
  pass.wall_s = seconds_of(work);
  pass.events = recording.events();
  pass.ran = run.chosen();
  pass.outside_s = pass.wall_s;
  for (const Event& event : pass.events) {
    if (event.kind == Event::Kind::kernel) pass.outside_s -= static_cast<double>(event.self_ns()) * 1e-9;
  }
  return pass;
}

}  // namespace

double rough_sample_seconds(const SpeedModel& model, const std::vector<Event>& events) {
  std::map<std::string, int> calls;
  std::vector<Event> sample;
  for (const Event& event : events) {
    if (event.kind == Event::Kind::kernel && calls[key_of(event.work)]++ < kSome) sample.push_back(event);
  }
  return model.rough_seconds(sample);
}

Timing measure(const std::function<void()>& work, double budget_s, SpeedModel* model) {
  constexpr int kFewest = 2, kMost = 7;  // passes
  const Stopwatch watch;
  // Two calls of each kind: the second mostly follows on the one that makes its input, as in the whole. The first pass
  // meets fresh pages: it only tells how long others will take, at most.
  const Pass first = run_pass(work, kSome);
  SpeedModel guess(model->peak());
  guess.add(first.events, first.ran);
  Timing timing;
  timing.whole = (kFewest + 1) * (guess.seconds(first.events) + first.outside_s) < budget_s - first.wall_s;
  if (timing.whole) run_pass(work, kAll);  // the pages that were not met yet
  std::vector<double> outside;
  for (int i = 0; i < kMost; ++i) {
    const Pass pass = run_pass(work, timing.whole ? kAll : kSome);
    model->add(pass.events, pass.ran);
    outside.push_back(pass.outside_s);
    if ((i + 1 >= kFewest || !timing.whole) && watch.seconds() + pass.wall_s > budget_s) break;
  }
  timing.outside_s = median(outside);
  return timing;
}

}  // namespace giza::train
