// A network whose pyramid can be told to do without some of its bins.
#include "train/explore/switched_network.h"

#include <algorithm>
#include <utility>

#include "tensor/base/check.h"

namespace giza::train {

Tensor repeated(const Tensor& item, int64_t count) {
  Tensor all = Tensor::activation(item.shape().with(0, count));
  for (int64_t i = 0; i < count; ++i) all.batch_slice(i, i + 1).copy_from(item);
  return all;
}

std::string to_string(const BinState& state) {
  std::string letters;
  for (const Bin bin : state) letters += static_cast<char>(bin);
  return letters;
}

std::vector<BinState> bin_states(size_t bins, bool swap) {
  std::vector<BinState> states = {BinState(bins, Bin::on)};
  const auto add = [&](BinState state) {
    if (std::find(states.begin(), states.end(), state) == states.end()) states.push_back(std::move(state));
  };
  for (const Bin other : {Bin::off, Bin::swapped}) {
    if (bins == 0 || (other == Bin::swapped && !swap)) continue;
    if (bins <= kEverySubset) {
      for (unsigned replaced = 1; replaced < 1U << bins; ++replaced) {
        BinState state(bins, Bin::on);
        for (size_t b = 0; b < bins; ++b) {
          if ((replaced >> b & 1U) != 0) state[b] = other;
        }
        add(std::move(state));
      }
      continue;
    }
    add(BinState(bins, other));
    for (size_t b = 0; b < bins; ++b) {
      BinState without(bins, Bin::on), alone(bins, other);
      without[b] = other;
      alone[b] = Bin::on;
      add(std::move(without));
      add(std::move(alone));
    }
  }
  return states;
}

SwitchedNetwork::SwitchedNetwork(const models::SceneParser& model)
    : model_(model), pspnet_(dynamic_cast<const models::Pspnet*>(&model)) {
  if (pspnet_ != nullptr) {
    const models::PspnetOptions options(pspnet_->description());
    if (options.pyramid) bins_ = options.bins;
  }
  for (layers::NamedParameter& parameter : model.parameters()) {
    if (!parameter.variable.requires_grad()) continue;
    parameter.variable.set_requires_grad(false);
    quieted_.push_back(std::move(parameter.variable));
  }
}

SwitchedNetwork::~SwitchedNetwork() {
  for (autograd::Variable& parameter : quieted_) parameter.set_requires_grad(true);
}

void SwitchedNetwork::set_other(const Tensor& other) {
  other_maps_.clear();
  if (bins_.empty()) return;
  const autograd::NoGrad no_grad;
  for (const autograd::Variable& map : head_input(autograd::Variable(other)).maps) other_maps_.push_back(map.value());
}

SwitchedNetwork::HeadInput SwitchedNetwork::head_input(const autograd::Variable& x) const {
  check<Error>(pspnet_ != nullptr, "explore: only a PSPNet has a head that reads a pyramid");
  HeadInput input;
  input.features = pspnet_->features(x, {});
  input.maps = pspnet_->maps(input.features, {});
  return input;
}

SwitchedNetwork::HeadInput SwitchedNetwork::switched(HeadInput input, const BinState& state) const {
  check(state.size() == input.maps.size(), "explore: a state of {} bins for a pyramid of {}", state.size(),
        input.maps.size());
  for (size_t b = 0; b < state.size(); ++b) {
    const Shape shape = input.maps[b].shape();
    if (state[b] == Bin::off) {
      Tensor zeros = Tensor::activation(shape);
      zeros.fill(0);
      input.maps[b] = autograd::Variable(std::move(zeros));
    } else if (state[b] == Bin::swapped) {
      check(b < other_maps_.size(), "explore: a bin is to be swapped, but there is no other picture");
      input.maps[b] = autograd::Variable(repeated(other_maps_[b], shape[0]));
    }
  }
  return input;
}

models::ParserOutput SwitchedNetwork::head_output(const HeadInput& input, int64_t height, int64_t width) const {
  models::ParserOutput output;
  output.logits = pspnet_->head().forward(input.features, input.maps, {});
  output.height = height;
  output.width = width;
  output.align_corners = pspnet_->description().align_corners;
  return output;
}

models::ParserOutput SwitchedNetwork::forward(const autograd::Variable& x, const BinState& state) const {
  if (bins_.empty()) {
    check(state.empty(), "explore: a state of {} bins for a network without a pyramid", state.size());
    return model_.forward(x, {});
  }
  return head_output(switched(head_input(x), state), x.value().dim(1), x.value().dim(2));
}

}  // namespace giza::train
