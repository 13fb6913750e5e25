// Dilated ResNet (He et al., CVPR 2016; Yu & Koltun, ICLR 2016): output stride 8 by dilation.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "layers/conv2d.h"
#include "layers/module.h"

namespace giza::models {

using autograd::Variable;

enum class Stem { deep, plain };               ///< three 3x3 convolutions, or one 7x7
enum class BlockKind { basic, bottleneck };    ///< 3-3, or 1-3-1 with expansion 4
enum class FirstBlockDilation { full, half };  ///< of the first block of a dilated layer: semseg's rule, or half of it
enum class StrideIn { conv3x3, conv1x1 };      ///< of a bottleneck: torchvision's and semseg's place, or Caffe's

/// channels * width, rounded up to a multiple of 8.
int64_t scaled_channels(int64_t channels, double width);

struct ResnetOptions {
  std::array<int64_t, 4> blocks = {3, 4, 6, 3};
  BlockKind block = BlockKind::bottleneck;
  Stem stem = Stem::deep;
  int64_t stem_channels = 64;  ///< of the deep stem's first two convolutions, half of the third's; mmsegmentation: 32
  double width = 1;            ///< factor on all channel counts (64, 128, ...), each then rounded up to a multiple of 8
  FirstBlockDilation first_block = FirstBlockDilation::full;
  StrideIn stride_in = StrideIn::conv3x3;
  bool ceil_pool = false;     ///< the stem's pooling rounds sizes up, as Caffe's does; the same on sides 8n + 1
  int64_t output_stride = 8;  ///< 4, 8, 16 or 32
  double bn_momentum = 0.1;
  ConvEngine conv;

  /// The options of depth 18, 34, 50, 101, 152 or 269. Throws Refusal for another depth.
  static ResnetOptions of_depth(int depth);
  int64_t scaled(int64_t channels) const { return scaled_channels(channels, width); }
  /// Channels of the stem's last convolution, and of layer4.
  int64_t stem_out() const;
  int64_t out_channels() const;
};

/// What all parts of one model share while it is built.
struct Build {
  double bn_momentum = 0.1;
  ConvEngine conv;
  uint64_t seed = 0;

  /// Numbers the layers, so that each draws its weights, or its dropout masks, from a stream of its own.
  uint32_t next_stream() { return stream++; }
  Random next_random() { return {seed, Purpose::init, 0, next_stream()}; }
  /// A convolution with bias, and one without before batch norm, which draw from the next stream.
  std::unique_ptr<layers::Conv2d> make_conv(const layers::ConvShape& shape, const layers::Init& init);
  std::unique_ptr<layers::ConvBatchNorm> make_conv_bn(const layers::ConvShape& shape, const layers::Init& init);

  uint32_t stream = 0;
};

/// conv-bn-relu(-conv-bn-relu-conv-bn) + shortcut, then ReLU.
class ResidualBlock : public layers::Module {
 public:
  ResidualBlock(int64_t in_channels, int64_t planes, int64_t stride, int64_t dilation, const ResnetOptions& options,
                Build& build);
  Variable forward(const Variable& input, const layers::Context& context) const;

 private:
  std::vector<std::unique_ptr<layers::ConvBatchNorm>> convs_;  // conv1/bn1, conv2/bn2 and, in a bottleneck, conv3/bn3
  std::unique_ptr<layers::ConvBatchNorm> downsample_;          // of the shortcut, where it changes shape
};

/// Stem and four stages. Not a Module of its own: PSPNet's state_dict has layer0 to layer4 at its root.
class Resnet {
 public:
  /// Throws ShapeError for options that fit no network.
  Resnet(const ResnetOptions& options, Build& build);
  ~Resnet();

  /// x [N,H,W,3] -> layer2's features [N,ceil(H / 8),ceil(W / 8),c2], of a finer map where the output stride is 4.
  Variable to_layer2(const Variable& x, const layers::Context& context) const;
  /// layer2's features -> layer3's [N,h,w,c3]: the auxiliary head's input.
  Variable layer3(const Variable& layer2, const layers::Context& context) const;
  /// layer3's features -> layer4's [N,h,w,c4], h = ceil(H / output_stride), likewise w.
  Variable layer4(const Variable& layer3, const layers::Context& context) const;

  /// Channels of layer1 to layer4.
  int64_t channels(int layer) const { return stage_channels_[static_cast<size_t>(layer - 1)]; }
  /// layer0 to layer4, to be registered by the model.
  layers::Module& stage(int index) { return *stages_[static_cast<size_t>(index)]; }

 private:
  class StemModule;
  class Stage;
  std::unique_ptr<StemModule> stem_;
  std::vector<std::unique_ptr<Stage>> layers_;
  std::vector<layers::Module*> stages_;
  std::array<int64_t, 4> stage_channels_ = {};
};

}  // namespace giza::models
