// PSPNet as an ONNX model in memory: Figure 3 of the paper once more, in ONNX's operators.
#include "models/onnx/detail/pspnet_graph.h"

#include <map>
#include <string>
#include <vector>

#include "layers/batch_norm.h"
#include "models/onnx/detail/graph.h"
#include "models/weights/infer.h"
#include "tensor/base/check.h"

namespace giza::models {
namespace {

constexpr int64_t kOperatorSet = 17;
constexpr int64_t kIrVersion = 8;  // the one that came with operator set 17

class PspnetGraph {
 public:
  PspnetGraph(const Pspnet& model, const OnnxOptions& options, onnx::GraphProto* graph)
      : model_(model.options()), options_(options), graph_(graph) {
    for (const auto& [name, variable] : model.parameters()) tensors_.emplace(name, variable.value());
    for (const auto& [name, tensor] : model.buffers()) tensors_.emplace(name, tensor);
    for (const Convolution& conv : model.convolutions({options.batch, options.height, options.width, 3})) {
      convolutions_.emplace(conv.path, conv.options);
    }
  }

  void build() {
    const OnnxValue input = graph_.input("input", {options_.batch, 3, options_.height, options_.width},
                                         "pictures, RGB, each channel (value - mean) / std on the scale of 0 to 255");
    OnnxValue x = stem(input);
    for (int i = 1; i <= 4; ++i) x = layer("layer" + std::to_string(i), x);
    if (model_.pyramid) x = pyramid(x);
    x = conv_bn_relu("cls.0", "cls.1", x);
    x = graph_.conv("cls.4", x, tensor("cls.4.weight"), tensor("cls.4.bias"), convolutions_.at("cls.4"));
    graph_.output(resize("logits", x, options_.height, options_.width), "scores of the classes, before softmax");
  }

 private:
  const Tensor& tensor(const std::string& name) const { return tensors_.at(name); }

  /// The convolution `path` with the batch norm `bn` folded in, as layers::Frozen does it.
  OnnxValue conv_bn(const std::string& path, const std::string& bn, const OnnxValue& x) {
    layers::BatchNorm2d norm(tensor(bn + ".weight").numel(), model_.backbone.bn_momentum);
    for (const auto& [name, variable] : norm.parameters()) variable.value().copy_from(tensor(bn + "." + name));
    for (const auto& [name, buffer] : norm.buffers()) buffer.copy_from(tensor(bn + "." + name));
    const auto [scale, shift] = norm.affine();
    const Tensor weight = tensor(path + ".weight").clone();
    const int64_t each = weight.numel() / weight.dim(0);
    for (int64_t i = 0; i < weight.numel(); ++i) weight.data()[i] *= scale.data()[i / each];
    return graph_.conv(path, x, weight, shift, convolutions_.at(path));
  }

  OnnxValue conv_bn_relu(const std::string& path, const std::string& bn, const OnnxValue& x) {
    return graph_.relu(path + ".relu", conv_bn(path, bn, x));
  }

  OnnxValue resize(const std::string& name, const OnnxValue& x, int64_t height, int64_t width) {
    return graph_.resize(name, x, height, width, model_.align_corners);
  }

  OnnxValue stem(OnnxValue x) {
    const int convs = model_.backbone.stem == Stem::deep ? 3 : 1;
    for (int i = 0; i < convs; ++i) {
      x = conv_bn_relu("layer0." + std::to_string(3 * i), "layer0." + std::to_string(3 * i + 1), x);
    }
    return graph_.max_pool("layer0.pool", x, {.kernel = 3, .stride = 2, .padding = 1});
  }

  OnnxValue layer(const std::string& path, OnnxValue x) {
    for (int block = 0; convolutions_.contains(path + "." + std::to_string(block) + ".conv1"); ++block) {
      x = residual_block(path + "." + std::to_string(block) + ".", x);
    }
    return x;
  }

  OnnxValue residual_block(const std::string& prefix, const OnnxValue& x) {
    const int convs = model_.backbone.block == BlockKind::bottleneck ? 3 : 2;
    OnnxValue y = x;
    for (int i = 1; i < convs; ++i) {
      y = conv_bn_relu(prefix + "conv" + std::to_string(i), prefix + "bn" + std::to_string(i), y);
    }
    y = conv_bn(prefix + "conv" + std::to_string(convs), prefix + "bn" + std::to_string(convs), y);
    const OnnxValue shortcut = convolutions_.contains(prefix + "downsample.0")
                                   ? conv_bn(prefix + "downsample.0", prefix + "downsample.1", x)
                                   : x;
    return graph_.relu(prefix + "relu", graph_.add(prefix + "add", y, shortcut));
  }

  OnnxValue pyramid(const OnnxValue& x) {
    std::vector<OnnxValue> parts = {x};
    for (size_t i = 0; i < model_.bins.size(); ++i) {
      const std::string prefix = "ppm.features." + std::to_string(i) + ".", pool = prefix + "0";
      OnnxValue map = model_.pool == PyramidPool::average ? graph_.adaptive_average_pool(pool, x, model_.bins[i])
                                                          : graph_.adaptive_max_pool(pool, x, model_.bins[i]);
      if (model_.reduce) map = conv_bn_relu(prefix + "1", prefix + "2", map);
      parts.push_back(resize(prefix + "resize", map, x.shape[2], x.shape[3]));
    }
    return graph_.concat("ppm", parts);
  }

  const PspnetOptions& model_;
  const OnnxOptions& options_;
  OnnxGraph graph_;
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, Conv2dOptions> convolutions_;
};

std::string triple(const std::array<double, 3>& values) {
  return fmt::format("{}, {}, {}", values[0], values[1], values[2]);
}

}  // namespace

onnx::ModelProto pspnet_onnx(const Pspnet& model, const OnnxOptions& options) {
  onnx::ModelProto result;
  result.set_ir_version(kIrVersion);
  result.set_producer_name("giza");
  result.set_producer_version(GIZA_VERSION);
  onnx::OperatorSetIdProto& operators = *result.add_opset_import();
  operators.set_domain("");
  operators.set_version(kOperatorSet);
  const std::string mean = triple(options.mean), std = triple(options.std);
  result.set_doc_string(
      fmt::format("PSPNet for scene parsing (Zhao et al., CVPR 2017), batch norm folded into the convolutions. input: "
                  "{} x 3 x {} x "
                  "{}, (RGB - ({})) / ({}). logits: {} x {} x {} x {}, before softmax.",
                  options.batch, options.height, options.width, mean, std, options.batch, model.options().classes,
                  options.height, options.width));
  const auto add = [&](const char* key, const std::string& value) {
    onnx::StringStringEntryProto& entry = *result.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  };
  add("classes", std::to_string(model.options().classes));
  add("mean", mean);
  add("std", std);
  add(kModelKey, options_to_json(model.options()));

  onnx::GraphProto* graph = result.mutable_graph();
  graph->set_name("PSPNet");
  PspnetGraph(model, options, graph).build();
  return result;
}

}  // namespace giza::models
