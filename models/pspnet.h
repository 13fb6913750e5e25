// PSPNet (Zhao et al., CVPR 2017, Figure 3): dilated ResNet, pyramid pooling, head, and an auxiliary head in training.
#pragma once

#include <memory>
#include <vector>

#include "layers/conv2d.h"
#include "layers/frozen.h"
#include "models/pyramid_pooling.h"
#include "models/resnet.h"

namespace giza::models {

struct PspnetOptions {
  ResnetOptions backbone;
  int64_t classes = 150;
  bool pyramid = true;  ///< false: the paper's baseline, the head directly on the feature map
  std::vector<int64_t> bins = {1, 2, 3, 6};
  PyramidPool pool = PyramidPool::average;
  bool reduce = true;         ///< dimension reduction (DR) in the pyramid: 1x1 convolution to C / bins
  int64_t head_channels = 0;  ///< 0: 512, or 128 with basic blocks, times the backbone's width
  int64_t aux_channels = 0;   ///< 0: half of the head's
  float dropout = 0.1F;
  bool align_corners = true;  ///< of every bilinear enlargement; semseg: true, mmsegmentation's default: false
  bool aux = true;            ///< build the auxiliary head (used in training only)
  uint64_t seed = 0;          ///< of the initial weights
  /// How the head's convolution is computed, no part of the network: over the pyramid's maps as they are
  /// (docs/structured-head.md), or upsampled and concatenated, as Figure 3 draws it; so it always is for other backends
  /// and without align_corners.
  bool structured_head = true;
};

/// Convolution 3x3, batch norm, ReLU, dropout, 1x1 convolution to the classes: cls and aux.
class Head : public layers::Module {
 public:
  Head(int64_t in_channels, int64_t mid_channels, const PspnetOptions& options, const BuildOptions& build);
  /// x [N,h,w,C] and the maps of a pyramid, if any: `in_channels` together -> logits [N,h,w,classes]
  Variable forward(const Variable& x, std::span<const Variable> maps, const layers::Context& context) const;
  /// `pyramid`: there are maps.
  void trace(const Shape& x, bool pyramid, ConvolutionTrace& trace) const;

 private:
  layers::ConvBatchNorm conv_;
  layers::Conv2d classify_;
  float dropout_;
  uint32_t stream_;  // of dropout, so that two heads never share a mask
  bool structured_, align_corners_;
};

class Pspnet : public layers::Module {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit Pspnet(const PspnetOptions& options);

  struct Output {
    Variable logits;                ///< [N,h,w,classes] at the size of the feature map, an eighth of the input's
    Variable aux;                   ///< the same from the auxiliary head; undefined in evaluation mode or without one
    int64_t height = 0, width = 0;  ///< of the input
    bool align_corners = true;      ///< of the enlargement to the input's size

    /// The network's last step, where its result is wanted as such: logits at the input's size, [N,H,W,classes].
    Variable upsampled_logits() const;
    /// The likeliest class of each pixel of the input: argmax(softmax(upsampled_logits())), which are never made.
    Labels labels() const;
  };
  /// x [N,H,W,3], normalised. Any size from 1x1 on.
  Output forward(const Variable& x, const layers::Context& context) const;

  /// The convolutions of a forward pass on x [N,H,W,3] in training, in its order but for shortcuts before their blocks;
  /// in evaluation, those that are not training_only. Throws ShapeError like forward. What the structured head does with
  /// the pyramid's maps is no convolution, and not among them.
  std::vector<Convolution> convolutions(const Shape& x) const;

  const PspnetOptions& options() const { return options_; }

 private:
  PspnetOptions options_;
  std::unique_ptr<Resnet> backbone_;
  std::unique_ptr<PyramidPooling> pyramid_;
  std::unique_ptr<Head> cls_, aux_;
};

/// What training minimises (section 3.3 of the paper), and how well the network does.
struct PspnetLoss {
  Variable total;                ///< [1]: main + aux_weight * aux
  double main = 0, aux = 0;      ///< cross-entropy of the upsampled logits of each head
  int64_t valid = 0, right = 0;  ///< pixels that are not ignored, and those whose argmax is their label
};
/// Throws ShapeError if the labels are not of the input's size. The upsampled logits are never made.
PspnetLoss loss_of(const Pspnet::Output& output, const Labels& labels, const ops::CrossEntropyOptions& options = {},
                   double aux_weight = 0.4);

/// A PSPNet for inference: batch norm folded into the weights, which are packed or transformed once per algorithm, at
/// the first picture that needs it. Memory follows the life of each activation: the arena hands a block on as soon as its
/// last reader is done. `model` must outlive it, and keep its numbers.
class FrozenPspnet {
 public:
  explicit FrozenPspnet(const Pspnet& model);
  /// As Pspnet::forward in evaluation mode, to rounding. Records no graph.
  Pspnet::Output forward(const Tensor& x) const;

 private:
  const Pspnet& model_;
  std::unique_ptr<layers::Frozen> frozen_;
};

/// True for the parameters that the paper trains at ten times the learning rate: ppm.*, cls.*, aux.*.
bool is_new_layer(const std::string& parameter_name);

}  // namespace giza::models
