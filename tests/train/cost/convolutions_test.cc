// The list of a network's convolutions: a dry run names what a real step runs, and the algorithms are the planned ones.
#include <algorithm>

#include "models/pspnet.h"
#include "tensor/dry_run.h"
#include "tensor/profile/conv_spec.h"
#include "tests/support/op_testing.h"
#include "train/cost/profile_summary.h"

namespace giza::train {
namespace {

using models::Pspnet;
using models::PspnetOptions;

PspnetOptions small(int depth) {
  PspnetOptions options;
  options.backbone = models::ResnetOptions::of_depth(depth);
  options.backbone.blocks = {1, 2, 1, 1};
  options.backbone.width = 0.125;
  options.classes = 5;
  return options;
}

std::string text(const std::vector<ConvolutionUse>& uses) {
  std::string lines;
  const auto pass = [](const ConvolutionUse::PassUse& use) {
    return fmt::format("{} {} {}", use.algorithm, use.flops, use.executed);
  };
  for (const ConvolutionUse& use : uses) {
    lines += fmt::format("{} {}: {} | {} | {}\n", use.layer, use.shape, pass(use.passes[0]), pass(use.passes[1]),
                         pass(use.passes[2]));
  }
  return lines;
}

struct Lists {
  std::vector<ConvolutionUse> training, inference;
};

Lists run(const PspnetOptions& options) {
  const Pspnet model(options);
  const Tensor x = make_numbers({2, 57, 41, 3}, CaseData::normal, 1);
  Lists lists;
  {
    const profile::Recording recording;
    const auto output = model.forward(autograd::Variable(x), {.training = true});
    autograd::backward(model.loss(output, make_labels(2, 57, 41, 5, 255, false, 2)).total);
    lists.training = convolutions_of(recording.events());
  }
  const profile::Recording recording;
  (void)models::FrozenParser(model).forward(x);
  lists.inference = convolutions_of(recording.events());
  return lists;
}

TEST_CASE("convolutions: without arithmetic the same as with it, for every kind of network") {
  std::vector<PspnetOptions> all = {small(50), small(18), small(50), small(18), small(50), small(18)};
  all[1].backbone.stem = models::Stem::plain;
  all[1].structured_head = false;
  all[2].backbone.output_stride = 16;
  all[2].backbone.conv.algorithm = ConvAlgorithm::winograd4;
  all[2].reduce = false;
  all[3].pyramid = false;
  all[3].backbone.first_block = models::FirstBlockDilation::half;
  all[4].bins = {1, 4};
  all[4].pool = models::PyramidPool::max;
  all[4].aux = false;
  all[4].backbone.width = 0.25;
  all[5].backbone.conv.algorithm = ConvAlgorithm::direct;
  for (size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i);
    const Lists real = run(all[i]);
    const Lists dry = [&] {
      const DryRun without_arithmetic(/*threads=*/1);
      return run(all[i]);
    }();
    CHECK(text(dry.training) == text(real.training));
    CHECK(text(dry.inference) == text(real.inference));
    CHECK(real.training.size() == real.inference.size() + (all[i].aux ? 2 : 0));
    CHECK(real.training.front().passes[1].algorithm.empty());  // the picture's gradient, which nobody needs
    for (const ConvolutionUse& use : real.training) {
      const auto spec = profile::ConvSpec::parse(use.shape);
      CHECK(use.passes[0].flops == spec.flops());
      CHECK(use.passes[2].flops == spec.flops());
      CHECK_FALSE(use.passes[2].algorithm.empty());
    }
  }
}

}  // namespace
}  // namespace giza::train
