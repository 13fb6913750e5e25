// What a step would take on many cores: the tasks of its regions, dealt out anew.
#include "train/cost/many_cores.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <tuple>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/median.h"
#include "tensor/base/stopwatch.h"
#include "tensor/parallel.h"
#include "train/cost/profile_summary.h"

namespace giza::train {
namespace {

using profile::Event;
using profile::Region;

constexpr double kNano = 1e-9;

/// One recorded step: its events, and its regions in the order of their begin.
struct Step {
  size_t begin = 0, end = 0;
  std::vector<const Region*> regions;

  double seconds(const std::vector<Event>& events) const {
    return static_cast<double>(events[begin].total_ns()) * kNano;
  }
};

std::vector<Step> steps_of(const std::vector<Event>& events, const std::vector<Region>& regions) {
  std::vector<Step> steps;
  for (const auto& [begin, end] : recorded_steps(events)) steps.push_back({begin, end, {}});
  for (const Region& region : regions) {
    const auto step = std::find_if(steps.begin(), steps.end(), [&](const Step& each) {
      return region.event >= static_cast<int64_t>(each.begin) && region.event < static_cast<int64_t>(each.end);
    });
    if (step != steps.end()) step->regions.push_back(&region);
  }
  for (const Step& step : steps) {
    const bool alike =
        std::equal(step.regions.begin(), step.regions.end(), steps[0].regions.begin(), steps[0].regions.end(),
                   [&](const Region* a, const Region* b) { return a->task_ns.size() == b->task_ns.size(); });
    check<Error>(alike && step.end - step.begin == steps[0].end - steps[0].begin,
                 "many cores: the recorded steps differ in their kernels or regions");
  }
  return steps;
}

/// The innermost kernel around a region, as an offset in its step; -1 where there is none.
int64_t kernel_of(const std::vector<Event>& events, const Step& step, const Region& region) {
  int64_t at = region.event;
  while (at >= 0 && events[static_cast<size_t>(at)].kind != Event::Kind::kernel) {
    at = events[static_cast<size_t>(at)].parent;
  }
  return at < 0 ? -1 : at - static_cast<int64_t>(step.begin);
}

/// What one call of a kernel, or all that is in none, takes: medians over the steps.
struct Call {
  double measured = 0;                       // in all
  double serial = 0;                         // outside of its regions
  std::vector<std::vector<double>> regions;  // the tasks of each
};

CoresRow forecast_of(const Call& call, double bytes, const ManyCores& machine) {
  CoresRow row;
  row.calls = 1;
  row.measured_s = call.measured;
  row.regions = std::ssize(call.regions);
  double work = 0, spread = 0, spread_longest_first = 0;
  for (std::vector<double> tasks : call.regions) {
    row.tasks += std::ssize(tasks);
    for (const double task : tasks) work += task;
    spread += makespan(tasks, machine.cores);
    std::sort(tasks.begin(), tasks.end(), std::greater<>());
    spread_longest_first += makespan(tasks, machine.cores);
  }
  const double share = 1.0 / machine.cores;
  row.one_core_s = call.serial + work;
  row.loss.serial = call.serial * (1 - share);
  row.loss.uneven = spread - work * share;
  row.loss.regions = static_cast<double>(row.regions) * machine.region_s;
  const double memory = machine.bandwidth_gbs > 0 ? bytes * kNano / machine.bandwidth_gbs : 0;
  row.loss.memory = std::max(0.0, memory - call.serial - spread);
  row.cores_s = row.one_core_s * share + row.loss.sum();
  row.longest_first_s = call.serial + std::max(spread_longest_first, memory - call.serial) + row.loss.regions;
  return row;
}

}  // namespace

CoresLoss& CoresLoss::operator+=(const CoresLoss& other) {
  serial += other.serial;
  uneven += other.uneven;
  regions += other.regions;
  memory += other.memory;
  return *this;
}

CoresRow& CoresRow::operator+=(const CoresRow& other) {
  calls += other.calls;
  regions += other.regions;
  tasks += other.tasks;
  measured_s += other.measured_s;
  one_core_s += other.one_core_s;
  cores_s += other.cores_s;
  longest_first_s += other.longest_first_s;
  loss += other.loss;
  return *this;
}

double makespan(const std::vector<double>& tasks, int cores) {
  std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
  for (int core = 0; core < cores; ++core) free_at.push(0);
  double last = 0;
  for (const double task : tasks) {
    const double end = free_at.top() + task;
    free_at.pop();
    free_at.push(end);
    last = std::max(last, end);
  }
  return last;
}

CoresForecast on_many_cores(const std::vector<Event>& events, const std::vector<Region>& regions,
                            const ManyCores& machine) {
  const std::vector<Step> steps = steps_of(events, regions);
  const auto over_steps = [&](const auto& figure) {
    std::vector<double> values;
    values.reserve(steps.size());
    for (const Step& step : steps) values.push_back(figure(step));
    return median(std::move(values));
  };
  // Regions by the kernel that they are in.
  std::map<int64_t, std::vector<size_t>> regions_in;
  for (size_t r = 0; r < steps[0].regions.size(); ++r) {
    regions_in[kernel_of(events, steps[0], *steps[0].regions[r])].push_back(r);
  }
  const auto call_of = [&](int64_t kernel, const auto& own_s) {
    Call call;
    const std::vector<size_t>& inside = regions_in[kernel];
    call.measured = over_steps(own_s);
    call.serial = over_steps([&](const Step& step) {
      double seconds = own_s(step);
      for (const size_t r : inside) seconds -= static_cast<double>(step.regions[r]->total_ns()) * kNano;
      return std::max(0.0, seconds);
    });
    for (const size_t r : inside) {
      std::vector<double> tasks(steps[0].regions[r]->task_ns.size());
      for (size_t t = 0; t < tasks.size(); ++t) {
        tasks[t] =
            over_steps([&](const Step& step) { return static_cast<double>(step.regions[r]->task_ns[t]) * kNano; });
      }
      call.regions.push_back(std::move(tasks));
    }
    return call;
  };

  std::map<std::pair<std::string, std::string>, CoresRow> rows;
  for (size_t i = 0; i < steps[0].end - steps[0].begin; ++i) {
    const Event& event = events[steps[0].begin + i];
    if (event.kind != Event::Kind::kernel) continue;
    const Call call = call_of(static_cast<int64_t>(i), [&](const Step& step) {
      return static_cast<double>(events[step.begin + i].self_ns()) * kNano;
    });
    rows[{event.work.kernel, event.work.algorithm}] += forecast_of(call, event.work.bytes, machine);
  }
  const Call outside = call_of(-1, [&](const Step& step) {
    double seconds = step.seconds(events);
    for (size_t i = step.begin; i < step.end; ++i) {
      if (events[i].kind == Event::Kind::kernel) seconds -= static_cast<double>(events[i].self_ns()) * kNano;
    }
    return seconds;
  });
  rows[{"(none)", ""}] += forecast_of(outside, 0, machine);

  CoresForecast forecast;
  forecast.machine = machine;
  for (auto& [name, row] : rows) {
    std::tie(row.kernel, row.algorithm) = name;
    forecast.step += row;
    forecast.kernels.push_back(row);
  }
  std::stable_sort(forecast.kernels.begin(), forecast.kernels.end(),
                   [](const CoresRow& a, const CoresRow& b) { return a.cores_s > b.cores_s; });
  return forecast;
}

double region_cost(int threads) {
  constexpr int kRegions = 2000;
  const int before = num_threads();
  set_num_threads(threads);
  std::vector<double> seconds;
  for (int i = 0; i < kRegions; ++i) {
    seconds.push_back(seconds_of([&] { parallel_for(threads, [](int64_t) {}); }));
  }
  set_num_threads(before);
  return median(std::move(seconds));
}

}  // namespace giza::train
