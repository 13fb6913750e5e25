// The networks that PSPNet is compared with as they were published: on VGG16, with their own borders, poolings and
// crops. Options "backbone vgg16" of fcn*, largefov and dilated; the forms on the shared trunk are in files of their
// own.
#pragma once

#include <memory>
#include <vector>

#include "layers/deconv2d.h"
#include "layers/dropout.h"
#include "models/context_module.h"
#include "models/scene_parser.h"
#include "models/vgg16.h"

namespace giza::models {

/// VGG16, then fc6 and fc7 as convolutions with ReLU and dropout of elements, then whatever scores them.
class VggParser : public SceneParser {
 public:
  ParserOutput forward(const Variable& x, const layers::Context& context) const override;
  NetworkOptions description() const override { return options_; }
  /// VGG16 with fc6 and fc7, which weights of VGG16 have too; the rest is new.
  std::vector<layers::ParameterGroup> parameter_groups(double new_layer_factor) const override;

 protected:
  struct Fc {
    int64_t channels, kernel, dilation, padding;  // of fc6; fc7 is 1x1
  };
  VggParser(const NetworkOptions& options, const Vgg16Options& vgg, const Fc& fc);
  /// Registers the score layer "name" of features [.., in].
  std::unique_ptr<layers::Conv2d> add_score(const std::string& name, int64_t in, const layers::Init& init);
  Variable fc7(const Variable& pool5, const layers::Context& context) const;
  /// x [N,H,W,3] -> logits at any size that covers the picture.
  virtual Variable scores(const Variable& x, const layers::Context& context) const = 0;

  const NetworkOptions& options() const { return options_; }
  const Vgg16& vgg() const { return vgg_; }
  Build& build() { return build_; }
  int64_t fc_channels() const { return fc_channels_; }

 private:
  NetworkOptions options_;
  Build build_;
  Vgg16 vgg_;
  int64_t fc_channels_;
  std::unique_ptr<layers::Conv2d> fc6_, fc7_;
  layers::Dropout dropout6_, dropout7_;
};

/// FCN-32s, -16s and -8s (Long et al., CVPR 2015; shelhamer/fcn.berkeleyvision.org): 100 pixels of zeros around the
/// picture, cut off again behind each transposed convolution. Logits at the picture's size.
class FcnVgg : public VggParser {
 public:
  explicit FcnVgg(const NetworkOptions& options);

  /// Fixed enlargements are left out.
  std::vector<layers::ParameterGroup> parameter_groups(double new_layer_factor) const override;

 protected:
  Variable scores(const Variable& x, const layers::Context& context) const override;

 private:
  std::unique_ptr<layers::Deconv2d> add_deconv(const std::string& name, int64_t stride);

  bool learned_, scaled_;
  std::unique_ptr<layers::Conv2d> score_fr_, score_pool4_, score_pool3_;
  std::unique_ptr<layers::Deconv2d> upscore2_, upscore_pool4_, upscore_;  // the last to the picture
};

/// DeepLab-LargeFOV (Chen et al., ICLR 2015). Logits at an eighth.
class LargeFovVgg : public VggParser {
 public:
  explicit LargeFovVgg(const NetworkOptions& options);

 protected:
  Variable scores(const Variable& x, const layers::Context& context) const override;

 private:
  std::unique_ptr<layers::Conv2d> fc8_;
};

/// The front end of Yu and Koltun (ICLR 2016, section 4; fyu/dilation), which mirrors the picture's border and pads
/// nothing, and the context module. Logits at an eighth; for sides that 8 does not divide, the last cell stands out.
class DilatedVgg : public VggParser {
 public:
  explicit DilatedVgg(const NetworkOptions& options);

 protected:
  Variable scores(const Variable& x, const layers::Context& context) const override;

 private:
  std::unique_ptr<layers::Conv2d> final_;
  std::unique_ptr<ContextModule> context_;
};

/// The option that chooses between these and the shared trunk.
SettingRow backbone_setting();
/// For Architecture::make of networks that have both forms.
template <class OnTrunk, class OnVgg16>
std::unique_ptr<SceneParser> make_on_backbone(const NetworkOptions& options) {
  if (options.word("backbone") == "vgg16") return std::make_unique<OnVgg16>(options);
  return std::make_unique<OnTrunk>(options);
}
/// For Architecture::infer: if the file's network is on VGG16, says so in the options, with its width.
void infer_vgg16(const TensorShapes& shapes, NetworkOptions* options);

}  // namespace giza::models
