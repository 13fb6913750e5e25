// VGG16's convolutions (Simonyan and Zisserman, ICLR 2015, configuration D), as the networks of their time use them:
// each with a bias and a ReLU, no batch norm; poolings, borders and dilation are the network's choice.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "models/resnet.h"

namespace giza::models {

struct Vgg16Options {
  double width = 1;  ///< factor on all channel counts, each then rounded up to a multiple of 8
  /// Pixels of zeros around the picture, and around every other map: 1 keeps the size.
  int64_t first_padding = 1, padding = 1;
  std::array<ops::Pool2dOptions, 5> pools = {};
  std::array<bool, 5> pooled = {true, true, true, true, true};  ///< which poolings there are
  int64_t dilation5 = 1;                                        ///< of conv5_1 to conv5_3

  int64_t scaled(int64_t channels) const { return scaled_channels(channels, width); }
};

/// Not a Module of its own: the authors' names conv1_1 to conv5_3 stand at a network's root.
class Vgg16 {
 public:
  Vgg16(const Vgg16Options& options, Build& build);

  /// What a network looks at: [N,h,w,256], [N,h,w,512] and [N,h,w,512] times the width.
  struct Features {
    Variable pool3, pool4, pool5;
  };
  /// x [N,H,W,3]. Throws ShapeError where a map would have no pixel.
  Features forward(const Variable& x, const layers::Context& context) const;
  /// Of pool5.
  int64_t out_channels() const { return options_.scaled(512); }

  struct Layer {
    std::string name;
    std::unique_ptr<layers::Conv2d> conv;
  };
  /// To be registered by the model.
  const std::vector<Layer>& layers() const { return layers_; }

 private:
  Vgg16Options options_;
  std::vector<Layer> layers_;
};

/// VGG16's convolutions before each pooling, and their channels.
inline constexpr std::array<int, 5> kVgg16Convolutions = {2, 2, 3, 3, 3};
inline constexpr std::array<int64_t, 5> kVgg16Channels = {64, 128, 256, 512, 512};

}  // namespace giza::models
