// giza profile --op: one convolution by every algorithm and backend.
#include "cli/profile_op.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/base/machine.h"
#include "tensor/parallel.h"
#include "tensor/profile/conv_spec.h"
#include "tensor/profile/conv_trial.h"
#include "tensor/simd.h"
#include "train/cost/profile_table.h"

namespace giza::cli {
namespace {

using nlohmann::ordered_json;
using profile::ConvPassResult;
using profile::ConvResult;
using profile::ConvSpec;

/// "conv2d SPEC" -> SPEC.
std::string spec_of(const std::string& op) {
  const size_t space = op.find(' '), start = op.find_first_not_of(' ', space);
  check<Refusal>(op.substr(0, space) == "conv2d" && start != std::string::npos,
                 "--op {}: expected conv2d and a shape, as in 'conv2d n1h60w60c512k512r3d4'", op);
  return op.substr(start);
}

ordered_json contest_json(const ConvSpec& spec, const std::vector<ConvPassResult>& passes, const MachinePeak& peak) {
  ordered_json list = ordered_json::array();
  for (const ConvPassResult& pass : passes) {
    ordered_json results = ordered_json::array();
    for (const ConvResult& result : pass.results) {
      ordered_json item = {{"name", result.name}, {"chosen", result.chosen}};
      if (result.failed.empty()) {
        item.update({{"median_s", result.median_s},
                     {"best_s", result.best_s},
                     {"gflops", spec.flops() / result.median_s / 1e9},
                     {"executed_gflops", result.executed_flops / result.median_s / 1e9},
                     {"peak_share", spec.flops() / result.median_s / 1e9 / peak.all_gflops},
                     {"error", result.error},
                     {"bound", result.bound},
                     {"within", result.within()}});
      } else {
        item["failed"] = result.failed;
      }
      results.push_back(std::move(item));
    }
    ordered_json item = {{"pass", to_string(pass.pass)},
                         {"elements", pass.elements},
                         {"checked", pass.checked},
                         {"rounds", pass.rounds}};
    if (pass.winner() >= 0) item["winner"] = pass.results[static_cast<size_t>(pass.winner())].name;
    item["results"] = std::move(results);
    list.push_back(std::move(item));
  }
  ordered_json json = {
      {"op", "conv2d " + spec.text()}, {"cpu", processor_name()}, {"threads", num_threads()}, {"isa", isa()},
      {"flops", spec.flops()},         {"bytes", spec.bytes()},   {"peak", peak_json(peak)}};
  json["passes"] = std::move(list);
  return json;
}

void print_contest(const ConvSpec& spec, const std::vector<ConvPassResult>& passes, const MachinePeak& peak) {
  fmt::print("conv2d {}: {} * {} -> {}\n", spec.text(), spec.input(), spec.weight(), spec.output());
  fmt::print("{:.3g} GFLOP a pass, {:.3g} MB of operands and result: {:.3g} FLOP/byte\n", spec.flops() / 1e9,
             spec.bytes() / 1e6, spec.flops() / spec.bytes());
  fmt::print("{}, {}, {} thread{}\n{}\n", processor_name(), isa(), num_threads(), num_threads() == 1 ? "" : "s",
             peak_line(peak));
  for (const ConvPassResult& pass : passes) {
    fmt::print("\n{}: {} of {} elements checked in double; median of {} rounds\n", to_string(pass.pass), pass.checked,
               pass.elements, pass.rounds);
    train::TextTable table(
        {"algorithm", "median ms", "best ms", "GFLOP/s", "executed", "% of peak", "error", "bound", "", ""});
    for (size_t i = 0; i < pass.results.size(); ++i) {
      const ConvResult& result = pass.results[i];
      const std::string name = result.name + (result.chosen.empty() ? "" : " (" + result.chosen + ")");
      if (!result.failed.empty()) {
        table.add({name, "-", "-", "-", "-", "-", "-", "-", "failed: " + result.failed, ""});
        continue;
      }
      const double gflops = spec.flops() / result.median_s / 1e9;
      table.add({name, fmt::format("{:.3f}", result.median_s * 1e3), fmt::format("{:.3f}", result.best_s * 1e3),
                 fmt::format("{:.1f}", gflops), fmt::format("{:.1f}", result.executed_flops / result.median_s / 1e9),
                 fmt::format("{:.1f}", 100 * gflops / peak.all_gflops), fmt::format("{:.2e}", result.error),
                 fmt::format("{:.2e}", result.bound), result.within() ? "ok" : "OUTSIDE",
                 pass.winner() == static_cast<int>(i) ? "fastest" : ""});
    }
    fmt::print("{}", table.text(30, 2));
  }
  fmt::print(
      "\nerror: relative L2 against sums in double. executed: operations of the algorithm itself. onednn is timed as\n"
      "giza calls it, with the reorders between layouts; eigen is for 1x1 alone (docs/profile-reference.md).\n");
}

}  // namespace

nlohmann::ordered_json peak_json(const MachinePeak& peak) {
  return {{"core_gflops", peak.core_gflops},
          {"all_gflops", peak.all_gflops},
          {"copy_gbs", peak.copy_gbs},
          {"stream_gbs", peak.stream_gbs}};
}

std::string peak_line(const MachinePeak& peak) {
  const bool busy = num_threads() > 1 && peak.all_gflops < 1.2 * peak.core_gflops;
  return fmt::format(
      "peaks measured in this run: {:.0f} GFLOP/s FMA ({:.0f} on one core), {:.1f} GB/s copying, {:.1f} with "
      "non-temporal stores{}",
      peak.all_gflops, peak.core_gflops, peak.copy_gbs, peak.stream_gbs,
      busy ? "\nother programs keep this machine busy: do not trust these figures" : "");
}

int profile_op(const std::string& op, int runs, const Common& common) {
  const ConvSpec spec = ConvSpec::parse(spec_of(op));
  const MachinePeak before = measure_peak();
  std::vector<ConvPassResult> passes;
  for (const ConvPass pass : {ConvPass::forward, ConvPass::backward_input, ConvPass::backward_weight}) {
    passes.push_back(
        profile::run_conv_trial(spec, pass, {.runs = runs, .seed = static_cast<uint64_t>(common.seed.value_or(0))}));
  }
  const MachinePeak peak = faster(before, measure_peak());
  if (common.json) {
    print_json(contest_json(spec, passes, peak));
  } else {
    print_contest(spec, passes, peak);
  }
  for (const ConvPassResult& pass : passes) {
    for (const ConvResult& result : pass.results) {
      if (!result.within() && !result.foreign) return 1;
    }
  }
  return 0;
}

}  // namespace giza::cli
