// Parameters and multiply-adds of a configuration's network.
#include "train/cost/network_cost.h"

#include "train/config/protocol.h"
#include "train/cost/rehearsal.h"

namespace giza::train {
namespace {

using profile::Event;

/// Multiply-adds of a recorded forward pass by part, for each of `pictures`.
void add_macs(const std::vector<Event>& events, double pictures, double PartCost::*where,
              std::vector<PartCost>* parts) {
  for (const Event& event : events) {
    if (event.kind != Event::Kind::kernel || event.pass != profile::Pass::forward) continue;
    // Forward, the way from output to input is a transposed convolution.
    const std::string& kernel = event.work.kernel;
    if (kernel != "conv2d_forward" && kernel != "conv2d_backward_input" && kernel != "pyramid_share") continue;
    const std::string part = part_of(profile::layer_of(events, event));
    for (PartCost& each : *parts) {
      if (each.name == part) each.*where += event.work.flops / 2 / pictures;
    }
  }
}

/// The protocol that is one pass of the network over a picture of the tile's size.
ProtocolOptions one_pass() { return {.base_size = 0, .crop_h = 0, .crop_w = 0, .scales = {1.0}, .mirror = false}; }

}  // namespace

std::vector<PartCost> network_cost(const Config& config, int threads) {
  Config training = config;
  // The auxiliary head's part of a crop does not depend on the batch; two crops pass every batch norm.
  training.train.batch_size = 2;
  const Rehearsal step = rehearse_training(training, threads);
  std::vector<PartCost> parts;
  for (const Rehearsal::Part& part : step.parts) parts.push_back({part.name, part.parameters});
  add_macs(step.events, 2, &PartCost::train_macs, &parts);
  add_macs(rehearse_test(config, threads, {config.test.test_w, config.test.test_h}, one_pass()).events, 1,
           &PartCost::test_macs, &parts);
  return parts;
}

}  // namespace giza::train
