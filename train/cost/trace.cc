// A recording as a trace.
#include <nlohmann/json.hpp>

#include "train/cost/profile_summary.h"

namespace giza::train {
namespace {

using nlohmann::ordered_json;
using profile::Event;

ordered_json arguments(const Event& event) {
  ordered_json args = {{"pass", profile::to_string(event.pass)}};
  if (event.kind != Event::Kind::kernel) return args;
  const profile::Work& work = event.work;
  if (!work.algorithm.empty()) args["algorithm"] = work.algorithm;
  args["shape"] = work.shape;
  args["flops"] = work.flops;
  args["executed_flops"] = work.executed_flops;
  args["bytes"] = work.bytes;
  if (const auto ns = static_cast<double>(event.self_ns()); ns > 0) {
    args["gflops"] = work.flops / ns;  // per nanosecond is 10^9 per second
    args["gbs"] = work.bytes / ns;
  }
  if (event.counts.cycles > 0) {
    args["cycles"] = event.counts.cycles;
    args["instructions"] = event.counts.instructions;
    args["llc_misses"] = event.counts.llc_misses;
  }
  return args;
}

}  // namespace

std::string trace_json(const std::vector<Event>& events, const std::string& title) {
  constexpr double kMicro = 1e-3;
  ordered_json list = ordered_json::array();
  list.push_back({{"name", "process_name"}, {"ph", "M"}, {"pid", 1}, {"tid", 1}, {"args", {{"name", title}}}});
  for (const Event& event : events) {
    const bool kernel = event.kind == Event::Kind::kernel;
    list.push_back({{"name", kernel               ? event.work.kernel
                             : event.name.empty() ? "(outside layers)"
                                                  : event.name},
                    {"cat", kernel                             ? "kernel"
                            : event.kind == Event::Kind::layer ? "layer"
                                                               : "span"},
                    {"ph", "X"},
                    {"ts", static_cast<double>(event.begin_ns) * kMicro},
                    {"dur", static_cast<double>(event.total_ns()) * kMicro},
                    {"pid", 1},
                    {"tid", 1},
                    {"args", arguments(event)}});
  }
  return ordered_json{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(list)}}.dump(
             -1, ' ', false, ordered_json::error_handler_t::replace) +
         "\n";
}

}  // namespace giza::train
