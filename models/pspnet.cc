// PSPNet: backbone, pyramid, heads.
#include "models/pspnet.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/ops/upsample_loss.h"
#include "tensor/profile/profile.h"

namespace giza::models {

using layers::Context;

Head::Head(int64_t in_channels, int64_t mid_channels, const PspnetOptions& options, const BuildOptions& build)
    : conv_({.in = in_channels, .out = mid_channels, .kernel = 3}, layers::Init::default_uniform, build.next_random(),
            build.conv, build.bn_momentum),
      classify_({.in = mid_channels, .out = options.classes}, /*bias=*/true, layers::Init::default_uniform,
                build.next_random(), build.conv),
      dropout_(options.dropout),
      stream_((*build.next_stream)++),
      structured_(options.structured_head && options.align_corners && build.conv.backend == ConvBackend::native),
      align_corners_(options.align_corners) {
  // 2 is the ReLU and 3 the dropout.
  add_child("0", conv_.conv);
  add_child("1", conv_.bn);
  add_child("4", classify_);
}

Variable Head::forward(const Variable& x, std::span<const Variable> maps, const Context& context) const {
  const profile::Layer layer(path());
  Variable y;
  if (maps.empty()) {
    y = conv_.forward(x, context, /*relu=*/true);
  } else if (structured_) {
    y = conv_.forward(x, maps, context);
  } else {
    y = conv_.forward(upsample_and_concat(x, maps, align_corners_), context, /*relu=*/true);
  }
  if (context.training) {
    y = autograd::dropout2d(y, dropout_, Random(context.seed, Purpose::dropout, context.iteration, stream_));
  }
  return classify_.forward(y, context);
}

void Head::trace(const Shape& x, bool pyramid, ConvolutionTrace& trace) const {
  const int64_t channels = conv_.conv.weight().channels();
  trace.add(classify_, trace.add(conv_.conv, pyramid && structured_ ? x : x.with(3, channels)));
}

Pspnet::Pspnet(const PspnetOptions& options) : options_(options) {
  check(options.classes >= 1, "pspnet: {} classes", options.classes);
  const ResnetOptions& resnet = options.backbone;
  uint32_t stream = 0;
  const BuildOptions build{
      .bn_momentum = resnet.bn_momentum, .conv = resnet.conv, .seed = options.seed, .next_stream = &stream};
  const bool bottleneck = resnet.block == BlockKind::bottleneck;
  const int64_t head_channels =
      options.head_channels > 0 ? options.head_channels : resnet.scaled(bottleneck ? 512 : 128);
  const int64_t aux_channels =
      options.aux_channels > 0 ? options.aux_channels : std::max<int64_t>(1, head_channels / 2);

  backbone_ = std::make_unique<Resnet>(resnet, build);
  for (int i = 0; i < 5; ++i) add_child("layer" + std::to_string(i), backbone_->stage(i));
  int64_t features = backbone_->layer4_channels();
  if (options.pyramid) {
    pyramid_ = std::make_unique<PyramidPooling>(features, options.bins, options.pool, options.reduce, build);
    add_child("ppm", *pyramid_);
    features = pyramid_->out_channels();
  }
  cls_ = std::make_unique<Head>(features, head_channels, options, build);
  add_child("cls", *cls_);
  if (options.aux) {
    aux_ = std::make_unique<Head>(backbone_->layer3_channels(), aux_channels, options, build);
    add_child("aux", *aux_);
  }
}

Pspnet::Output Pspnet::forward(const Variable& x, const Context& context) const {
  check(x.value().rank() == 4 && x.value().channels() == 3, "pspnet: input {} is not [N,H,W,3]", x.shape());
  Output output;
  output.height = x.value().dim(1);
  output.width = x.value().dim(2);
  output.align_corners = options_.align_corners;
  Variable features = backbone_->to_layer3(x, context);
  // The auxiliary head before layer4: the sweep then comes to it after layer4, whose activations are free by then.
  if (aux_ && context.training) output.aux = aux_->forward(features, {}, context);
  features = backbone_->layer4(features, context);
  std::vector<Variable> maps;
  if (pyramid_) maps = pyramid_->forward(features, context);
  output.logits = cls_->forward(features, maps, context);
  return output;
}

std::vector<Convolution> Pspnet::convolutions(const Shape& x) const {
  check(x.rank() == 4 && x[3] == 3, "pspnet: input {} is not [N,H,W,3]", x);
  ConvolutionTrace trace;
  Shape features = backbone_->trace_to_layer3(x, trace);
  trace.convolutions.front().input_gradient = false;
  if (aux_) {
    const size_t first = trace.convolutions.size();
    aux_->trace(features, /*pyramid=*/false, trace);
    for (size_t i = first; i < trace.convolutions.size(); ++i) trace.convolutions[i].training_only = true;
  }
  features = backbone_->trace_layer4(features, trace);
  if (pyramid_) pyramid_->trace(features, trace);
  cls_->trace(features, pyramid_ != nullptr, trace);
  return trace.convolutions;
}

FrozenPspnet::FrozenPspnet(const Pspnet& model) : model_(model), frozen_(std::make_unique<layers::Frozen>()) {}

Pspnet::Output FrozenPspnet::forward(const Tensor& x) const {
  const autograd::NoGrad no_grad;
  return model_.forward(Variable(x), {.training = false, .frozen = frozen_.get()});
}

Variable Pspnet::Output::upsampled_logits() const {
  return autograd::resize_bilinear(logits, height, width, align_corners);
}

Labels Pspnet::Output::labels() const {
  return ops::upsample_softmax_argmax(logits.value(), height, width, align_corners);
}

PspnetLoss loss_of(const Pspnet::Output& output, const Labels& labels, const ops::CrossEntropyOptions& options,
                   double aux_weight) {
  check(labels.h == output.height && labels.w == output.width, "pspnet: labels of {}x{} for an input of {}x{}",
        labels.h, labels.w, output.height, output.width);
  const auto loss_of_head = [&](const Variable& logits) {
    return autograd::upsample_cross_entropy(logits, labels, output.align_corners, options);
  };
  PspnetLoss loss;
  const autograd::UpsampledLoss main = loss_of_head(output.logits);
  loss.total = main.loss;
  loss.main = static_cast<double>(main.loss.value().item());
  loss.valid = main.valid;
  loss.right = main.right;
  if (output.aux.defined()) {
    const Variable aux = loss_of_head(output.aux).loss;
    loss.aux = static_cast<double>(aux.value().item());
    loss.total = autograd::add(loss.total, autograd::scale(aux, static_cast<float>(aux_weight)));
  }
  return loss;
}

bool is_new_layer(const std::string& parameter_name) {
  return parameter_name.starts_with("ppm.") || parameter_name.starts_with("cls.") || parameter_name.starts_with("aux.");
}

}  // namespace giza::models
