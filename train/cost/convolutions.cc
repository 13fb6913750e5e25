// The convolutions that a step runs.
#include "train/cost/convolutions.h"

#include <algorithm>

namespace giza::train {
using profile::Event;

std::vector<ConvolutionUse> convolutions_of(const std::vector<Event>& events) {
  std::vector<ConvolutionUse> uses;
  for (const Event& event : events) {
    if (event.kind != Event::Kind::kernel) continue;
    const profile::Work& work = event.work;
    ConvolutionUse::PassUse ConvolutionUse::*pass = nullptr;
    if (work.kernel == "conv2d_forward") pass = &ConvolutionUse::forward;
    if (work.kernel == "conv2d_backward_input") pass = &ConvolutionUse::backward_input;
    if (work.kernel == "conv2d_backward_weight") pass = &ConvolutionUse::backward_weight;
    if (pass == nullptr) continue;
    const std::string layer = profile::layer_of(events, event);
    auto use = std::find_if(uses.begin(), uses.end(), [&](const ConvolutionUse& other) {
      return other.layer == layer && other.shape == work.shape;
    });
    if (use == uses.end()) use = uses.insert(uses.end(), {layer, work.shape, {}, {}, {}});
    (*use).*pass = {work.algorithm, work.flops, work.executed_flops < 0 ? work.flops : work.executed_flops};
  }
  return uses;
}

}  // namespace giza::train
