// A moving average of a network's weights over the steps of its training.
#include "train/optim/weight_average.h"

#include <algorithm>

#include "tensor/parallel.h"
#include "tensor/profile/profile.h"

namespace giza::train {
namespace {

constexpr int64_t kRange = int64_t{1} << 15;

}  // namespace

WeightAverage::WeightAverage(const layers::Module& model, double decay) : decay_(decay) {
  for (const layers::NamedParameter& parameter : model.parameters()) {
    entries_.push_back({parameter.name, parameter.variable.value().clone(), parameter.variable.value()});
  }
  for (const layers::NamedBuffer& buffer : model.buffers()) {
    entries_.push_back({buffer.name, buffer.tensor.clone(), buffer.tensor});
  }
}

void WeightAverage::restart() const {
  for (const Entry& entry : entries_) {
    std::copy_n(entry.weight.data(), entry.weight.numel(), entry.average.data());
  }
}

void WeightAverage::update(int64_t step) {
  const auto t = static_cast<double>(step);
  const auto share = static_cast<float>(1 - std::min(decay_, (1 + t) / (10 + t)));
  for (const Entry& entry : entries_) {
    const profile::Layer layer(layers::module_of(entry.name), profile::Pass::update);
    const profile::Scope scope(
        [&] { return profile::elementwise("weight_average", 3, entry.average, entry.average, entry.weight); });
    parallel_ranges(entry.weight.numel(), kRange, [&](int64_t begin, int64_t end) {
      float* average = entry.average.data();
      const float* weight = entry.weight.data();
      for (int64_t i = begin; i < end; ++i) average[i] += share * (weight[i] - average[i]);
    });
  }
}

void WeightAverage::exchange() {
  for (const Entry& entry : entries_) {
    std::swap_ranges(entry.weight.data(), entry.weight.data() + entry.weight.numel(), entry.average.data());
  }
}

}  // namespace giza::train
