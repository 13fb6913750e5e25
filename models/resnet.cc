// Dilated ResNet.
#include "models/resnet.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "autograd/recompute.h"
#include "tensor/base/check.h"
#include "tensor/profile/profile.h"

namespace giza::models {

using layers::Context;
using layers::ConvBatchNorm;
using layers::Init;

namespace {

int64_t expansion(BlockKind kind) { return kind == BlockKind::bottleneck ? 4 : 1; }

}  // namespace

std::unique_ptr<layers::Conv2d> Build::make_conv(const layers::ConvShape& shape, const layers::Init& init) {
  return std::make_unique<layers::Conv2d>(shape, /*bias=*/true, init, next_random(), conv);
}

std::unique_ptr<ConvBatchNorm> Build::make_conv_bn(const layers::ConvShape& shape, const layers::Init& init) {
  return std::make_unique<ConvBatchNorm>(shape, init, next_random(), conv, bn_momentum);
}

ResnetOptions ResnetOptions::of_depth(int depth) {
  ResnetOptions options;
  options.block = depth < 50 ? BlockKind::basic : BlockKind::bottleneck;
  switch (depth) {
    case 18:
      options.blocks = {2, 2, 2, 2};
      return options;
    case 34:
    case 50:
      options.blocks = {3, 4, 6, 3};
      return options;
    case 101:
      options.blocks = {3, 4, 23, 3};
      return options;
    case 152:
      options.blocks = {3, 8, 36, 3};
      return options;
    case 269:
      options.blocks = {3, 30, 48, 8};
      return options;
    default:
      throw Refusal(fmt::format("resnet: depth {} is not one of 18, 34, 50, 101, 152, 269", depth));
  }
}

int64_t scaled_channels(int64_t channels, double width) {
  return std::max<int64_t>(8, static_cast<int64_t>(std::ceil(static_cast<double>(channels) * width / 8)) * 8);
}

int64_t ResnetOptions::stem_out() const { return scaled(stem == Stem::deep ? 2 * stem_channels : 64); }

int64_t ResnetOptions::out_channels() const { return scaled(512) * expansion(block); }

ResidualBlock::ResidualBlock(int64_t in_channels, int64_t planes, int64_t stride, int64_t dilation,
                             const ResnetOptions& options, Build& build) {
  const int64_t out = planes * expansion(options.block);
  if (options.block == BlockKind::bottleneck) {
    const bool early = options.stride_in == StrideIn::conv1x1;
    convs_.push_back(
        build.make_conv_bn({.in = in_channels, .out = planes, .stride = early ? stride : 1}, Init::kaiming_normal));
    convs_.push_back(build.make_conv_bn(
        {.in = planes, .out = planes, .kernel = 3, .stride = early ? 1 : stride, .dilation = dilation},
        Init::kaiming_normal));
    convs_.push_back(build.make_conv_bn({.in = planes, .out = out}, Init::kaiming_normal));
  } else {
    convs_.push_back(build.make_conv_bn(
        {.in = in_channels, .out = planes, .kernel = 3, .stride = stride, .dilation = dilation}, Init::kaiming_normal));
    convs_.push_back(
        build.make_conv_bn({.in = planes, .out = out, .kernel = 3, .dilation = dilation}, Init::kaiming_normal));
  }
  for (size_t i = 0; i < convs_.size(); ++i) {
    add_child("conv" + std::to_string(i + 1), convs_[i]->conv);
    add_child("bn" + std::to_string(i + 1), convs_[i]->bn);
  }
  if (stride != 1 || in_channels != out) {
    downsample_ = build.make_conv_bn({.in = in_channels, .out = out, .stride = stride}, Init::kaiming_normal);
    add_child("downsample.0", downsample_->conv);
    add_child("downsample.1", downsample_->bn);
  }
}

Variable ResidualBlock::forward(const Variable& input, const Context& context) const {
  const Variable x = autograd::branch(input);
  const profile::Layer layer(path());
  const Variable shortcut = downsample_ ? downsample_->forward(x, context, /*relu=*/false) : x;
  Variable y = x;
  for (size_t i = 0; i + 1 < convs_.size(); ++i) y = convs_[i]->forward(y, context, /*relu=*/true);
  return convs_.back()->forward(y, context, /*relu=*/true, shortcut);
}

// layer0: deep, conv-bn-relu three times under 0/1, 3/4 and 6/7; plain, once under 0/1. Then max pooling.
class Resnet::StemModule : public layers::Module {
 public:
  StemModule(const ResnetOptions& options, Build& build) : ceil_(options.ceil_pool) {
    if (options.stem == Stem::deep) {
      const int64_t narrow = options.scaled(options.stem_channels);
      add({.in = 3, .out = narrow, .kernel = 3, .stride = 2}, build);
      add({.in = narrow, .out = narrow, .kernel = 3}, build);
      add({.in = narrow, .out = options.stem_out(), .kernel = 3}, build);
    } else {
      add({.in = 3, .out = options.stem_out(), .kernel = 7, .stride = 2}, build);
    }
  }

  Variable forward(Variable x, const Context& context) const {
    const profile::Layer layer(path());
    for (const auto& conv : convs_) x = conv->forward(x, context, /*relu=*/true);
    return autograd::max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1, .ceil = ceil_});
  }

 private:
  void add(const layers::ConvShape& shape, Build& build) {
    const size_t index = 3 * convs_.size();
    convs_.push_back(build.make_conv_bn(shape, Init::kaiming_normal));
    add_child(std::to_string(index), convs_.back()->conv);
    add_child(std::to_string(index + 1), convs_.back()->bn);
  }

  std::vector<std::unique_ptr<ConvBatchNorm>> convs_;
  bool ceil_;
};

class Resnet::Stage : public layers::Module {
 public:
  Stage(int64_t in, int64_t planes, int64_t blocks, int64_t stride, int64_t dilation, int64_t first_dilation,
        const ResnetOptions& options, Build& build) {
    for (int64_t b = 0; b < blocks; ++b) {
      blocks_.push_back(std::make_unique<ResidualBlock>(in, planes, b == 0 ? stride : 1,
                                                        b == 0 ? first_dilation : dilation, options, build));
      in = planes * expansion(options.block);
      add_child(std::to_string(b), *blocks_.back());
    }
  }

  Variable forward(Variable x, const Context& context) const {
    for (const auto& block : blocks_) {
      if (!context.recompute) {
        x = block->forward(x, context);
        continue;
      }
      x = autograd::recompute(x, [&block = *block, context](const Variable& input, bool again) {
        Context repeated = context;
        repeated.again = again;
        return block.forward(input, repeated);
      });
    }
    return x;
  }

 private:
  std::vector<std::unique_ptr<ResidualBlock>> blocks_;
};

Resnet::Resnet(const ResnetOptions& options, Build& build) {
  const int64_t os = options.output_stride;
  check(os == 4 || os == 8 || os == 16 || os == 32, "resnet: output stride {} is not 4, 8, 16 or 32", os);
  check(options.stem_channels >= 1, "resnet: {} channels in the stem", options.stem_channels);
  check(options.width > 0 && options.width <= 16, "resnet: width {} is not in (0, 16]", options.width);
  stem_ = std::make_unique<StemModule>(options, build);
  stages_.push_back(stem_.get());
  int64_t channels = options.stem_out();
  int64_t stride_so_far = 4, dilation = 1;
  for (int64_t i = 0; i < 4; ++i) {
    check(options.blocks[static_cast<size_t>(i)] >= 1, "resnet: layer{} has no blocks", i + 1);
    // A stage that would go beyond the output stride keeps its resolution and doubles the dilation instead.
    int64_t stride = i == 0 ? 1 : 2;
    const int64_t previous_dilation = dilation;
    if (stride_so_far * stride > os) {
      dilation *= stride;
      stride = 1;
    }
    stride_so_far *= stride;
    const int64_t first = options.first_block == FirstBlockDilation::full ? dilation : previous_dilation;
    const int64_t planes = options.scaled(int64_t{64} << i);
    layers_.push_back(std::make_unique<Stage>(channels, planes, options.blocks[static_cast<size_t>(i)], stride,
                                              dilation, first, options, build));
    stages_.push_back(layers_.back().get());
    channels = planes * expansion(options.block);
    stage_channels_[static_cast<size_t>(i)] = channels;
  }
}

Resnet::~Resnet() = default;

Variable Resnet::to_layer2(const Variable& x, const Context& context) const {
  Variable y = stem_->forward(x, context);
  y = layers_[0]->forward(y, context);
  return layers_[1]->forward(y, context);
}

Variable Resnet::layer3(const Variable& layer2, const Context& context) const {
  return layers_[2]->forward(layer2, context);
}

Variable Resnet::layer4(const Variable& layer3, const Context& context) const {
  return layers_[3]->forward(layer3, context);
}

}  // namespace giza::models
