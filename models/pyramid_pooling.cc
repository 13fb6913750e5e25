// The pyramid pooling module.
#include "models/pyramid_pooling.h"

#include "tensor/base/check.h"
#include "tensor/ops/batch_share.h"
#include "tensor/profile/profile.h"

namespace giza::models {

// "ppm.features.{i}": the pooling is .0, the convolution .1, the batch norm .2.
class PyramidPooling::Branch : public layers::Module {
 public:
  Branch(int64_t in, int64_t out, Build& build)
      : reduce_({.in = in, .out = out}, layers::Init::default_uniform, build.next_random(), build.conv,
                build.bn_momentum) {
    add_child("1", reduce_.conv);
    add_child("2", reduce_.bn);
  }
  Variable forward(const Variable& x, const layers::Context& context) const {
    return reduce_.forward(x, context, true);
  }

 private:
  layers::ConvBatchNorm reduce_;
};

PyramidPooling::PyramidPooling(int64_t in_channels, std::vector<int64_t> bins, PyramidPool pool, bool reduce,
                               Build& build)
    : bins_(std::move(bins)), pool_(pool) {
  check(!bins_.empty(), "pyramid pooling: no bins");
  const auto count = static_cast<int64_t>(bins_.size());
  const int64_t branch_channels = reduce ? in_channels / count : in_channels;
  check(branch_channels >= 1,
        "pyramid pooling: {} channels leave none for each of {} bins; use a wider network, fewer bins or ppm_reduce "
        "false",
        in_channels, count);
  for (int64_t bin : bins_) check(bin >= 1, "pyramid pooling: bin {}", bin);
  out_channels_ = in_channels + count * branch_channels;
  if (!reduce) return;
  for (int64_t i = 0; i < count; ++i) {
    branches_.push_back(std::make_unique<Branch>(in_channels, branch_channels, build));
    add_child("features." + std::to_string(i), *branches_.back());
  }
}

PyramidPooling::~PyramidPooling() = default;

std::vector<Variable> PyramidPooling::forward(const Variable& x, const layers::Context& context) const {
  const profile::Layer layer(path());
  if (context.training && !branches_.empty()) {
    for (const int64_t bin : bins_) {
      check(ops::pictures_of_batch(x.value().dim(0)) * bin * bin > 1,
            "{}: the bin of {} has a single value per channel over a batch of 1, whose variance says nothing; use a "
            "larger batch, or bins without 1",
            path(), bin);
    }
  }
  std::vector<Variable> maps;
  if (pool_ == PyramidPool::average) {
    maps = autograd::pyramid_avg_pool2d(x, bins_);
  } else {
    for (const int64_t bin : bins_) maps.push_back(autograd::adaptive_max_pool2d(x, bin));
  }
  for (size_t i = 0; i < branches_.size(); ++i) maps[i] = branches_[i]->forward(maps[i], context);
  return maps;
}

Variable upsample_and_concat(const Variable& x, std::span<const Variable> maps, bool align_corners) {
  std::vector<Variable> parts = {x};
  for (const Variable& map : maps) {
    parts.push_back(autograd::resize_bilinear(map, x.value().dim(1), x.value().dim(2), align_corners));
  }
  return autograd::concat_channels(parts);
}

}  // namespace giza::models
