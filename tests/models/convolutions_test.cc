// The list of a model's convolutions against what a real step records.
#include <algorithm>
#include <tuple>

#include "models/pspnet.h"
#include "tensor/ops/conv_spec.h"
#include "tensor/profile/profile.h"
#include "tests/support/op_testing.h"

namespace giza::models {
namespace {

using profile::Event;

/// Layer, kernel, shape, algorithm, operations, executed operations.
using Row = std::tuple<std::string, std::string, std::string, std::string, double, double>;

std::vector<Row> recorded(const std::vector<Event>& events) {
  std::vector<Row> rows;
  for (const Event& event : events) {
    if (event.kind != Event::Kind::kernel || !event.work.kernel.starts_with("conv2d_")) continue;
    int64_t at = event.parent;
    while (at >= 0 && events[static_cast<size_t>(at)].kind != Event::Kind::layer) {
      at = events[static_cast<size_t>(at)].parent;
    }
    const profile::Work& work = event.work;
    rows.emplace_back(at >= 0 ? events[static_cast<size_t>(at)].name : "", work.kernel, work.shape, work.algorithm,
                      work.flops, work.executed_flops);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<Row> expected(const std::vector<Convolution>& convolutions, bool training) {
  std::vector<Row> rows;
  for (const Convolution& conv : convolutions) {
    if (conv.training_only && !training) continue;
    const std::string text = profile::ConvSpec(conv.x, conv.w, conv.options).text();
    const auto add = [&](const char* kernel, ConvPass pass) {
      const ConvPlan plan = ops::plan_conv2d(pass, conv.x, conv.w, conv.options);
      rows.emplace_back(conv.path, kernel, text, to_string(plan.algorithm), plan.flops, plan.executed_flops);
    };
    add("conv2d_forward", ConvPass::forward);
    if (!training) continue;
    if (conv.input_gradient) add("conv2d_backward_input", ConvPass::backward_input);
    add("conv2d_backward_weight", ConvPass::backward_weight);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::string text(const std::vector<Row>& rows) {
  std::string lines;
  for (const auto& [layer, kernel, shape, algorithm, flops, executed] : rows) {
    lines += fmt::format("{} {} {} {} {} {}\n", layer, kernel, shape, algorithm, flops, executed);
  }
  return lines;
}

PspnetOptions small(int depth) {
  PspnetOptions options;
  options.backbone = ResnetOptions::of_depth(depth);
  options.backbone.blocks = {1, 2, 1, 1};
  options.backbone.width = 0.125;
  options.classes = 5;
  return options;
}

TEST_CASE("Pspnet::convolutions names what a step runs") {
  std::vector<PspnetOptions> all = {small(50), small(18), small(50), small(18), small(50), small(18)};
  all[1].backbone.stem = Stem::plain;
  all[1].structured_head = false;
  all[2].backbone.output_stride = 16;
  all[2].backbone.conv.algorithm = ConvAlgorithm::winograd4;
  all[2].reduce = false;
  all[3].pyramid = false;
  all[3].backbone.first_block = FirstBlockDilation::half;
  all[4].bins = {1, 4};
  all[4].pool = PyramidPool::max;
  all[4].aux = false;
  all[4].backbone.width = 0.25;
  all[5].backbone.conv.algorithm = ConvAlgorithm::direct;
  for (size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i);
    const Pspnet model(all[i]);
    const Tensor x = make_numbers({2, 57, 41, 3}, CaseData::normal, 1);
    const std::vector<Convolution> convolutions = model.convolutions(x.shape());
    {
      const profile::Recording recording;
      const auto output = model.forward(Variable(x), {.training = true});
      autograd::backward(loss_of(output, make_labels(2, 57, 41, 5, 255, false, 2)).total);
      CHECK(text(recorded(recording.events())) == text(expected(convolutions, true)));
    }
    const profile::Recording recording;
    (void)FrozenPspnet(model).forward(x);
    CHECK(text(recorded(recording.events())) == text(expected(convolutions, false)));
  }
}

TEST_CASE("Pspnet::convolutions refuses what forward refuses") {
  const Pspnet model(small(18));
  CHECK_SHAPE_ERROR(model.convolutions({1, 57, 41, 4}), "[1,57,41,4]", "[N,H,W,3]");
}

}  // namespace
}  // namespace giza::models
