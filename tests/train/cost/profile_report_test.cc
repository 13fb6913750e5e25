// Totals, tables and pictures of a made-up recording.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tensor/base/check.h"
#include "train/cost/profile_summary.h"
#include "train/cost/profile_table.h"
#include "train/cost/roofline.h"

namespace giza::train {
namespace {

using profile::Event;
using profile::Pass;

constexpr MachinePeak kPeak{.core_gflops = 50, .all_gflops = 100, .copy_gbs = 8, .stream_gbs = 10};

Event event(Event::Kind kind, const std::string& name, int64_t parent, int64_t begin_us, int64_t end_us) {
  Event made;
  made.kind = kind;
  made.name = name;
  made.parent = parent;
  made.begin_ns = begin_us * 1000;
  made.end_ns = end_us * 1000;
  return made;
}

Event kernel(const std::string& name, int64_t parent, int64_t begin_us, int64_t end_us, double flops, double bytes,
             Pass pass = Pass::forward) {
  Event made = event(Event::Kind::kernel, "", parent, begin_us, end_us);
  made.work = {
      .kernel = name, .shape = "s", .flops = flops, .bytes = bytes, .algorithm = "a", .executed_flops = flops / 2};
  made.pass = pass;
  return made;
}

/// Three steps of 300, 100 and 200 us, so that the last is the median; only there is a convolution.
std::vector<Event> recording() {
  std::vector<Event> events = {event(Event::Kind::span, "1", -1, 0, 300),
                               kernel("slow", 0, 0, 300, 1, 1),
                               event(Event::Kind::span, "2", -1, 300, 400),
                               kernel("fast", 2, 300, 400, 1, 1),
                               event(Event::Kind::span, "3", -1, 400, 600),
                               event(Event::Kind::layer, "l.0.conv", 4, 400, 500),
                               kernel("conv2d_forward", 5, 400, 450, 8e6, 1e5),
                               event(Event::Kind::layer, "l.1.conv", 4, 500, 600),
                               kernel("conv2d_forward", 7, 500, 550, 8e6, 1e5),
                               kernel("conv2d_forward", 7, 550, 560, 0, 4e5, Pass::backward),
                               kernel("loss", 4, 580, 600, 1e3, 4e5)};
  events[10].inside_ns = 5000;
  return events;
}

}  // namespace

TEST_CASE("profile summary: the median step, whole, per kernel, layer and shape") {
  const ProfileSummary summary = summarize(recording());
  CHECK(summary.steps_s.size() == 3);
  CHECK(summary.wall_s == doctest::Approx(200e-6));
  CHECK(summary.attributed_s == doctest::Approx(125e-6));
  CHECK(summary.unattributed_s() == doctest::Approx(75e-6));
  REQUIRE(summary.kernels.size() == 2);
  const KernelRow& conv = summary.kernels[0];
  CHECK(conv.kernel == "conv2d_forward");
  CHECK(conv.total.calls == 3);
  CHECK(conv.total.gflops() == doctest::Approx(16e6 / 110e-6 / 1e9));
  CHECK(conv.total.executed_gflops() == doctest::Approx(conv.total.gflops() / 2));
  CHECK(conv.total.intensity() == doctest::Approx(8e6 / 6e5));
  CHECK(conv.total.compute_bound(kPeak));
  CHECK(!summary.kernels[1].total.compute_bound(kPeak));
  REQUIRE(summary.layers.size() == 3);
  CHECK(summary.layers[0].layer == "l.1.conv");
  CHECK(summary.layers[0].forward.seconds == doctest::Approx(50e-6));
  CHECK(summary.layers[0].backward.seconds == doctest::Approx(10e-6));
  CHECK(summary.layers[2].layer == "(loss)");
  CHECK(summary.layers[2].all().seconds == doctest::Approx(15e-6));
  REQUIRE(summary.shapes.size() == 2);
  CHECK(summary.shapes[0].layers == "l.*.conv");
  CHECK_THROWS_AS(summarize({}), Error);
}

TEST_CASE("profile tables stay within 120 columns for long names and minutes") {
  std::vector<Event> events = {event(Event::Kind::span, "1", -1, 0, 90000000)};
  const std::string path = "layer3.22.downsample.0.of.a.model.with.long.names";
  events.push_back(event(Event::Kind::layer, path, 0, 0, 90000000));
  for (int i = 0; i < 1000; ++i) {
    events.push_back(kernel("upsample_cross_entropy_backward_and_more", 1, i * 80000, i * 80000 + 80000, 9e9, 9e8,
                            i % 2 == 0 ? Pass::forward : Pass::backward));
    events.back().work.algorithm = "structured";
  }
  const ProfileSummary summary = summarize(events);
  for (const std::string& text : {kernel_table(summary, kPeak), layer_table(summary, kPeak, 0), counter_table(summary),
                                  layer_table(summary, kPeak, 25)}) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) CHECK_MESSAGE(line.size() <= 120, line);
  }
  CHECK(layer_table(summary, kPeak, 0).find("(1 other layers)") != std::string::npos);
}

TEST_CASE("pictures and traces stand odd names and empty steps") {
  std::vector<Event> events = recording();
  events[6].work.kernel = "conv<&>";
  events[5].name = "a\"b<&\\";
  const ProfileSummary summary = summarize(events);
  const std::string svg = roofline_svg(summary, kPeak, 2, {"A & B <title>", "machine"});
  CHECK(svg.find("A &amp; B &lt;title&gt;") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  CHECK(nlohmann::json::parse(trace_json(events, "t\"itle"))["traceEvents"].size() == events.size() + 1);
  const ProfileSummary nothing = summarize({event(Event::Kind::span, "1", -1, 0, 10)});
  CHECK(nothing.attributed_s == 0);
  const std::string empty = roofline_svg(nothing, kPeak, 1, {"t", "s"});
  CHECK(empty.find("nan") == std::string::npos);
  CHECK(kernel_table(nothing, kPeak).find("(unattributed)") != std::string::npos);
}

}  // namespace giza::train
