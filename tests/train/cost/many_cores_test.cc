// What many cores would take, of made-up steps and of real ones.
#include "train/cost/many_cores.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/parallel.h"
#include "tests/support/scopes.h"
#include "train/cost/profile_table.h"

namespace giza::train {
namespace {

using profile::Event;
using profile::Region;

Event event(Event::Kind kind, const std::string& name, int64_t parent, int64_t begin_us, int64_t end_us) {
  Event made;
  made.kind = kind;
  made.name = kind == Event::Kind::kernel ? "" : name;
  made.work.kernel = kind == Event::Kind::kernel ? name : "";
  made.parent = parent;
  made.begin_ns = begin_us * 1000;
  made.end_ns = end_us * 1000;
  return made;
}

Region region(int64_t around, int64_t begin_us, int64_t end_us, const std::vector<int64_t>& tasks_us) {
  Region made{around, begin_us * 1000, end_us * 1000, {}};
  for (const int64_t us : tasks_us) made.task_ns.push_back(us * 1000);
  return made;
}

/// Three steps of one kernel in a layer: 10 us before its region of four tasks, 2 us after it. The first task takes
/// other times in each step.
struct Steps {
  std::vector<Event> events;
  std::vector<Region> regions;

  Steps() {
    for (const int64_t first : {40, 44, 70}) {
      const auto at = static_cast<int64_t>(events.size());
      events.push_back(event(Event::Kind::span, "step", -1, 0, 130));
      events.push_back(event(Event::Kind::layer, "l", at, 0, 120));
      events.push_back(event(Event::Kind::kernel, "k", at + 1, 0, 112));
      events.back().work.bytes = 4000;
      regions.push_back(region(at + 2, 10, 110, {first, 10, 26, 50}));
    }
  }
};

double us(double seconds) { return seconds * 1e6; }

}  // namespace

TEST_CASE("makespan: each task to the core that is free first") {
  CHECK(makespan({}, 3) == 0);
  CHECK(makespan({1, 2, 3}, 1) == 6);
  CHECK(makespan({1, 2, 3}, 8) == 3);
  CHECK(makespan({1, 2, 3, 4}, 2) == 6);  // {1, 3}, {2, 4}
  CHECK(makespan({4, 3, 2, 1}, 2) == 5);
}

TEST_CASE("many cores: medians of the steps, and every second is somewhere") {
  const Steps steps;
  const CoresForecast one = on_many_cores(steps.events, steps.regions, {1, 0, 0});
  REQUIRE(one.kernels.size() == 2);
  CHECK(us(one.kernels[0].one_core_s) == doctest::Approx(12 + 44 + 10 + 26 + 50));
  CHECK(us(one.kernels[0].cores_s) == doctest::Approx(142));
  CHECK(us(one.kernels[0].measured_s) == doctest::Approx(112));
  CHECK(one.efficiency() == doctest::Approx(1));
  CHECK(one.kernels[1].kernel == "(none)");
  CHECK(us(one.kernels[1].cores_s) == doctest::Approx(18));

  const CoresForecast two = on_many_cores(steps.events, steps.regions, {2, 3e-6, 0});
  const CoresRow& row = two.kernels[0];
  CHECK(row.kernel == "k");
  CHECK(row.calls == 1);
  CHECK(row.regions == 1);
  CHECK(row.tasks == 4);
  CHECK(us(row.cores_s) == doctest::Approx(12 + 86 + 3));  // 44 beside 10 and 26; 50 to the one that ends at 36
  CHECK(us(row.longest_first_s) == doctest::Approx(12 + 70 + 3));
  CHECK(us(row.loss.serial) == doctest::Approx(6));
  CHECK(us(row.loss.uneven) == doctest::Approx(21));
  CHECK(us(row.loss.regions) == doctest::Approx(3));
  CHECK(row.loss.memory == 0);
  for (const CoresForecast& forecast : {one, two}) {
    const CoresRow& step = forecast.step;
    CHECK(step.cores_s == doctest::Approx(step.one_core_s / forecast.machine.cores + step.loss.sum()));
  }

  // 4000 bytes at 0.02 GB/s: 200 us, however many cores there are.
  const CoresForecast slow = on_many_cores(steps.events, steps.regions, {64, 3e-6, 0.02});
  CHECK(us(slow.kernels[0].cores_s) == doctest::Approx(200 + 3));
  CHECK(us(slow.kernels[0].loss.memory) == doctest::Approx(200 - 12 - 50));
  const std::string table = cores_table(two);
  CHECK(table.find("\nk ") != std::string::npos);
  CHECK(table.find("\nstep ") != std::string::npos);
}

TEST_CASE("many cores: steps that differ, or none, are an error") {
  Steps steps;
  CHECK_THROWS_AS(on_many_cores({}, {}, {2, 0, 0}), Error);
  steps.regions.back().task_ns.pop_back();
  CHECK_THROWS_AS(on_many_cores(steps.events, steps.regions, {2, 0, 0}), Error);
  steps.regions.pop_back();
  CHECK_THROWS_AS(on_many_cores(steps.events, steps.regions, {2, 0, 0}), Error);
}

TEST_CASE("many cores: a recording of tasks that sleep") {
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    const ThreadScope scope(threads);
    const profile::Recording recording;
    {
      const profile::Span span("step");
      const profile::Scope kernel([] { return profile::Work{.kernel = "sleep", .shape = {}}; });
      parallel_for(1, [](int64_t) {});  // no region
      parallel_for(6, [](int64_t) {
        parallel_for(3, [](int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
      });
    }
    REQUIRE(recording.regions().size() == 1);
    const profile::Region& only = recording.regions()[0];
    CHECK(only.event == 1);
    CHECK(only.task_ns.size() == 6);
    for (const int64_t ns : only.task_ns) CHECK(ns >= 3000000);
    CHECK(only.total_ns() >= 18000000 / threads);
    const CoresForecast forecast = on_many_cores(recording.events(), recording.regions(), {6, 0, 0});
    CHECK(forecast.kernels[0].kernel == "sleep");
    CHECK(forecast.kernels[0].one_core_s >= 0.018);
    CHECK(forecast.kernels[0].cores_s >= 0.003);
    CHECK(forecast.kernels[0].cores_s < forecast.kernels[0].one_core_s);
  }
}

TEST_CASE("what a region costs is measured, and the number of threads comes back") {
  const ThreadScope scope(3);
  CHECK(region_cost(2) > 0);
  CHECK(num_threads() == 3);
}

}  // namespace giza::train
