// Stochastic gradient descent with momentum over groups of parameters.
#include "train/optim/sgd.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/sgd.h"
#include "tensor/profile/profile.h"
#include "tensor/ranks.h"

namespace giza::train {
namespace {

std::span<float> numbers(const Tensor& tensor) { return {tensor.data(), static_cast<size_t>(tensor.numel())}; }

std::span<float> part_of(const Tensor& tensor, const ops::OwnedPart& part) {
  return numbers(tensor).subspan(static_cast<size_t>(part.begin), static_cast<size_t>(part.end - part.begin));
}

}  // namespace

Sgd::Sgd(const std::vector<layers::ParameterGroup>& groups, const SgdConfig& config) : config_(config) {
  for (const layers::ParameterGroup& group : groups) {
    for (const layers::NamedParameter& parameter : group.parameters) {
      const bool bias = parameter.name == "bias" || parameter.name.ends_with(".bias");
      const Shape& shape = parameter.variable.shape();
      const ops::OwnedPart part = ops::owned_part(shape);
      const int64_t size = part.end - part.begin;
      entries_.push_back({parameter, group.rate_factor * (bias ? group.bias_factor : 1), group.weight_decay_factor,
                          part, Tensor::zeros(size == shape.numel() ? shape : Shape{size, 1})});
    }
  }
}

std::string Sgd::first_non_finite_gradient() const {
  int64_t first = std::ssize(entries_);
  for (int64_t i = 0; i < first; ++i) {
    const Entry& entry = entries_[static_cast<size_t>(i)];
    const Tensor gradient = entry.parameter.variable.grad();
    if (gradient.defined() && !ops::all_finite(entry.own(gradient))) first = i;
  }
  first = -ranks::largest(-first);  // each rank sees its parts alone
  return first < std::ssize(entries_) ? entries_[static_cast<size_t>(first)].parameter.name : std::string();
}

void Sgd::step(double learning_rate) {
  for (const Entry& entry : entries_) {
    Tensor gradient = entry.parameter.variable.grad();
    if (!gradient.defined()) continue;
    const profile::Layer layer(layers::module_of(entry.parameter.name), profile::Pass::update);
    if (!gradient.dense()) gradient = gradient.clone();
    ops::sgd_step(entry.own(entry.parameter.variable.value()), entry.velocity, entry.own(gradient),
                  {.learning_rate = static_cast<float>(learning_rate * entry.rate),
                   .momentum = static_cast<float>(config_.momentum),
                   .weight_decay = static_cast<float>(config_.weight_decay * entry.weight_decay)});
  }
  spread();
}

void Sgd::spread() const {
  if (ranks::count() == 1) return;
  // Vectors are alike everywhere already.
  const auto is_shared = [](const Entry& entry) {
    return entry.parameter.variable.shape().rank() >= 2 && entry.parameter.variable.grad().defined();
  };
  const profile::Scope scope([&] {
    const int64_t others = ranks::count() - 1;
    int64_t messages = 0, numbers = 0;
    for (const Entry& entry : entries_) {
      if (!is_shared(entry)) continue;
      messages += others;
      numbers += others * (entry.part.end - entry.part.begin);
    }
    return profile::exchange("spread_weights", messages, 4.0 * static_cast<double>(numbers));
  });
  for (const Entry& entry : entries_) {
    if (!is_shared(entry)) continue;
    const Tensor& value = entry.parameter.variable.value();
    for (int rank = 0; rank < ranks::count(); ++rank) {
      const ops::OwnedPart theirs = ops::owned_part(value.shape(), rank);
      if (rank == ranks::own()) continue;
      if (theirs.begin < theirs.end) ranks::start_receive(rank, part_of(value, theirs));
      if (entry.part.begin < entry.part.end) ranks::start_send(rank, part_of(value, entry.part));
    }
  }
  ranks::finish();
}

void Sgd::zero_grad() {
  for (Entry& entry : entries_) entry.parameter.variable.zero_grad();
}

std::vector<Sgd::Velocity> Sgd::velocities() const {
  std::vector<Velocity> all;
  for (const Entry& entry : entries_) {
    const Shape& shape = entry.parameter.variable.shape();
    if (ranks::count() == 1 || shape.rank() < 2) {
      all.push_back({entry.parameter.name, entry.velocity});
      continue;
    }
    if (!ranks::leads()) {
      all.push_back({entry.parameter.name, {}});
      if (entry.part.begin < entry.part.end) ranks::start_send(0, numbers(entry.velocity));
      continue;
    }
    const Tensor whole = Tensor::empty(shape);
    all.push_back({entry.parameter.name, whole});
    entry.own(whole).copy_from(entry.velocity.reshape(entry.own(whole).shape()));
    for (int rank = 1; rank < ranks::count(); ++rank) {
      const ops::OwnedPart theirs = ops::owned_part(shape, rank);
      if (theirs.begin < theirs.end) ranks::start_receive(rank, part_of(whole, theirs));
    }
  }
  ranks::finish();
  return all;
}

void Sgd::set_velocities(const std::vector<Velocity>& velocities) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const Shape& shape = entry.parameter.variable.shape();
    if (ranks::leads()) {
      check(i < velocities.size() && velocities[i].tensor.shape() == shape, "sgd: the velocity of {} is not {}",
            entry.parameter.name, shape);
      const Tensor own = entry.own(velocities[i].tensor);
      entry.velocity.reshape(own.shape()).copy_from(own);
    }
    if (ranks::count() == 1) continue;
    if (shape.rank() < 2) {
      ranks::from_leader(numbers(entry.velocity));
    } else if (!ranks::leads()) {
      if (entry.part.begin < entry.part.end) ranks::start_receive(0, numbers(entry.velocity));
    } else {
      for (int rank = 1; rank < ranks::count(); ++rank) {
        const ops::OwnedPart theirs = ops::owned_part(shape, rank);
        if (theirs.begin < theirs.end) ranks::start_send(rank, part_of(velocities[i].tensor, theirs));
      }
    }
  }
  ranks::finish();
}

}  // namespace giza::train
