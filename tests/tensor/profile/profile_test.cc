// The profiler: nesting, own time, layers and passes, and nothing recorded while it is off.
#include "tensor/profile/profile.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "tensor/base/check.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/elementwise.h"
#include "tensor/profile/conv_spec.h"
#include "tensor/profile/counters.h"
#include "tests/support/refusal.h"

namespace giza {

using profile::Event;
using profile::Layer;
using profile::Pass;
using profile::Recording;
using profile::Scope;
using profile::Work;

namespace {

void wait_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

Work named(const char* kernel, bool leaf = false) {
  return {.kernel = kernel, .shape = "s", .flops = 10, .bytes = 4, .leaf = leaf};
}

}  // namespace

TEST_CASE("while nothing is recorded, a scope does not even describe its work") {
  CHECK(!profile::on());
  int described = 0;
  const auto describe = [&] {
    ++described;
    return named("k");
  };
  {
    const Scope scope(describe);
    const Layer layer("layer");
    CHECK(profile::current_layer().empty());
  }
  CHECK(described == 0);
  const Recording recording;
  CHECK(profile::on());
  { const Scope scope(describe); }
  CHECK(described == 1);
  CHECK(recording.events().size() == 1);
}

TEST_CASE("a scope costs next to nothing while nothing is recorded") {
  constexpr int kScopes = 1000000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kScopes; ++i) {
    const Scope scope([] { return named("k"); });
    asm volatile("" ::: "memory");  // NOLINT: keeps the loop
  }
  const double ns =
      std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / kScopes;
  CHECK(ns < 100);  // about 1 on an idle machine
}

TEST_CASE("events nest, and a kernel's own time leaves out the kernels inside it") {
  Recording recording;
  {
    const profile::Span step("step");
    const Layer layer("layer1.0.conv1");
    const Scope outer([] { return named("outer"); });
    wait_ms(3);
    {
      const Layer deeper("inside");
      const Scope inner([] { return named("inner"); });
      wait_ms(5);
    }
    const Scope second([] { return named("second"); });
    wait_ms(2);
  }
  const std::vector<Event>& events = recording.events();
  REQUIRE(events.size() == 6);
  const int64_t parents[] = {-1, 0, 1, 2, 3, 2};
  for (size_t i = 0; i < events.size(); ++i) {
    CAPTURE(i);
    CHECK(events[i].parent == parents[i]);
    CHECK(events[i].end_ns > events[i].begin_ns);
    if (events[i].parent < 0) continue;
    const Event& around = events[static_cast<size_t>(events[i].parent)];
    CHECK(events[i].begin_ns >= around.begin_ns);
    CHECK(events[i].end_ns <= around.end_ns);
  }
  const Event &outer = events[2], &inner = events[4], &second = events[5];
  CHECK(outer.work.kernel == "outer");
  CHECK(outer.inside_ns == inner.total_ns() + second.total_ns());
  CHECK(outer.self_ns() >= 3000000);
  CHECK(outer.self_ns() <= outer.total_ns() - 7000000);
  CHECK(inner.self_ns() == inner.total_ns());
  CHECK(inner.work.executed_flops == 10);
}

TEST_CASE("scopes inside a leaf are not recorded") {
  Recording recording;
  {
    const Scope leaf([] { return named("leaf", true); });
    const Scope hidden([] { return named("hidden"); });
    const Scope deeper([] { return named("deeper"); });
  }
  {
    const Scope next([] { return named("next"); });
  }
  REQUIRE(recording.events().size() == 2);
  CHECK(recording.events()[0].inside_ns == 0);
  CHECK(recording.events()[1].work.kernel == "next");
}

TEST_CASE("layers hand their pass down; recordings nest") {
  Recording outer;
  const Layer layer("a", Pass::backward);
  CHECK(profile::current_layer() == "a");
  {
    const Layer inside("a.b");  // a forward pass that is computed again in the backward pass
    const Scope scope([] { return named("k"); });
    CHECK(profile::current_layer() == "a.b");
    {
      Recording inner;
      CHECK(profile::current_layer().empty());
      const Scope other([] { return named("other"); });
      CHECK(inner.events().size() == 1);
      CHECK(inner.events()[0].pass == Pass::forward);
    }
  }
  REQUIRE(outer.events().size() == 3);
  CHECK(outer.events()[1].pass == Pass::backward);
  CHECK(outer.events()[2].pass == Pass::backward);
}

TEST_CASE("ops say what they do") {
  const Tensor x = Tensor::zeros({2, 5, 5, 3}), w = Tensor::zeros({4, 3, 3, 3});
  Recording recording;
  const Tensor y = ops::conv2d(x, w, Tensor(), {.stride = 1, .padding = 2, .dilation = 2});
  ops::relu(y);
  REQUIRE(recording.events().size() == 2);
  const Work& conv = recording.events()[0].work;
  CHECK(conv.kernel == "conv2d_forward");
  CHECK(conv.shape == "n2h5w5c3k4r3d2");
  CHECK(conv.flops == 2.0 * 2 * 5 * 5 * 4 * 3 * 3 * 3);
  CHECK(conv.bytes == 4.0 * (2 * 5 * 5 * 3 + 4 * 3 * 3 * 3 + 2 * 5 * 5 * 4));
  CHECK(recording.events()[1].work.bytes == 8.0 * 2 * 5 * 5 * 4);
}

TEST_CASE("convolution words") {
  const auto spec = profile::ConvSpec::parse("n1h60w60c512k512r3d4");
  CHECK(spec.options.padding == 4);
  CHECK(spec.output() == Shape{1, 60, 60, 512});
  CHECK(spec.flops() == 2.0 * 3600 * 512 * 512 * 9);
  for (const char* text : {"n1h60w60c512k512r3d4", "n2h9w8c1k3r1x5s2p2", "n1h9w9c1k1r3p0", "n1h4w4c1k1r2"}) {
    CHECK(profile::ConvSpec::parse(text).text() == text);
  }
  CHECK(profile::ConvSpec::parse("c3k8h7w7").text() == "n1h7w7c3k8r1");
  const std::pair<const char*, const char*> faults[] = {
      {"", "h is missing"},
      {"n1h60w60c512", "k is missing"},
      {"h6w6c3k4z2", "unknown letter 'z'"},
      {"h6w6c3k", "k needs a number"},
      {"h6w6c0k4", "c needs a number"},
      {"h6w6c3k4r3x", "x needs a number"},
      {"h6w6c3k4h6", "h stands there twice"},
      {"h6w6c3k4r9p0", "does not fit"},
      {"h99999999999999999999w1c1k1", "h needs"},
      {"n405034h60w608576k1c512344", "overflows"},
  };
  for (const auto& fault : faults) {
    CAPTURE(fault.first);
    const std::string message = message_of<Refusal>([&] { profile::ConvSpec::parse(fault.first); });
    CAPTURE(message);
    CHECK(contains(message, fault.second));
  }
}

TEST_CASE("hardware counters count, or say in one line why not") {
  const profile::HardwareCounters counters;
  if (!counters.available()) {
    CHECK(!counters.why_not().empty());
    CHECK(counters.why_not().find('\n') == std::string::npos);
    CHECK(counters.read().cycles == 0);
    MESSAGE("no counters: " << counters.why_not());
    return;
  }
  const profile::Counts before = counters.read();
  wait_ms(0);
  for (int i = 0; i < 100; ++i) ops::relu(Tensor::zeros({1, 8, 8, 8}));
  const profile::Counts spent = counters.read() - before;
  CHECK(spent.cycles > 0);
  CHECK(spent.instructions > 0);
}

}  // namespace giza
