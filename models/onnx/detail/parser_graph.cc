// A network as an ONNX model in memory: its own forward pass, heard op by op without arithmetic, in ONNX's operators.
#include "models/onnx/detail/parser_graph.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "autograd/listener.h"
#include "layers/batch_norm.h"
#include "layers/frozen.h"
#include "models/onnx/detail/graph.h"
#include "models/weights/infer.h"
#include "tensor/base/check.h"
#include "tensor/dry_run.h"

namespace giza::models {
namespace {

using autograd::HeardOp;

constexpr int64_t kOperatorSet = 17;
constexpr int64_t kIrVersion = 8;  // the one that came with operator set 17

/// An op of the pass; tensors by where their numbers lie.
struct Step {
  using Place = const float*;

  HeardOp op;  // without its tensors
  std::vector<Place> inputs;
  Place output, residual, positions;
  Tensor numbers;  // the second input, where it may be fixed numbers: a weight or a gain
  Shape shape;     // of the output
};

struct Pass {
  Step::Place input;
  std::vector<Step> steps;
};

/// The network's own forward pass on an input of this size, without arithmetic.
Pass hear_pass(const SceneParser& model, const OnnxOptions& options) {
  const DryRun dry(/*threads=*/1);
  std::vector<HeardOp> ops;  // keep all tensors, so that no two lie in one place
  const Tensor x = Tensor::activation({options.batch, options.height, options.width, 3});
  {
    const autograd::Listening listening([&](const HeardOp& op) { ops.push_back(op); });
    (void)FrozenParser(model).forward(x).upsampled_logits();
  }
  Pass pass{x.data(), {}};
  for (HeardOp& op : ops) {
    const Tensor output = std::exchange(op.output, {}), residual = std::exchange(op.residual, {});
    const Tensor positions = std::exchange(op.positions, {});
    const auto place_of = [](const Tensor& tensor) { return tensor.defined() ? tensor.data() : nullptr; };
    Step step{{}, {}, output.data(), place_of(residual), place_of(positions), {}, output.shape()};
    for (const Tensor& input : op.inputs) step.inputs.push_back(input.data());
    // A sum's second input has no numbers, and must not outlive the dry run.
    const bool fixed = op.name == "conv2d" || op.name == "conv_transpose2d" || op.name == "l2_normalize";
    if (fixed && op.layer.empty() && op.inputs.size() == 2) step.numbers = op.inputs[1];
    op.inputs.clear();
    step.op = op;
    pass.steps.push_back(std::move(step));
  }
  // Logits that have the input's size already (a classifier's: one pixel) are not enlarged.
  const Step& last = pass.steps.back();
  const Shape& before = pass.steps.end()[-2].shape;
  if (last.op.name == "resize_bilinear" && last.shape == before) pass.steps.pop_back();
  return pass;
}

/// Nodes for the steps of a pass, in their order.
class ParserGraph {
 public:
  ParserGraph(const SceneParser& model, onnx::GraphProto* graph) : graph_(graph) {
    for (const auto& [name, variable] : model.parameters()) tensors_.emplace(name, variable.value());
    for (const auto& [name, tensor] : model.buffers()) tensors_.emplace(name, tensor);
  }

  void add(const Pass& pass, const OnnxOptions& options) {
    values_[pass.input] = graph_.input("input", {options.batch, 3, options.height, options.width},
                                       "pictures, RGB, each channel (value - mean) / std on the scale of 0 to 255");
    for (const Step& step : pass.steps) {
      const bool last = &step == &pass.steps.back();
      // A map of one pixel lies where the vector does that it was made of; later steps mean the map.
      values_[step.output] = node(step, last ? "logits" : fmt::format("{}.{}", step.op.name, count_++));
    }
    graph_.output(values_.at(pass.steps.back().output), "logits", "scores of the classes, before softmax");
  }

 private:
  /// `name`: where the op is of no layer.
  OnnxValue node(const Step& step, const std::string& name) {
    const std::string& op = step.op.name;
    const OnnxValue& x = values_.at(step.inputs[0]);
    if (op == "linear") {
      return graph_.linear(step.op.layer, x, tensors_.at(step.op.layer + ".weight"),
                           tensors_.at(step.op.layer + ".bias"));
    }
    if (op == "flatten") return graph_.flatten(name, x);
    if (op == "as_map") return graph_.as_map(name, x);
    const auto height = step.shape[1], width = step.shape[2];
    if (op == "conv2d" && step.op.layer.empty()) {
      const Tensor no_bias = Tensor::zeros({step.numbers.dim(0)});
      return graph_.conv(name, x, graph_.conv_constants(name, step.numbers, no_bias),
                         std::get<Conv2dOptions>(step.op.options));
    }
    if (op == "conv2d") return convolution(step);
    if (op == "conv_transpose2d") {
      return graph_.conv_transpose(name, x, step.numbers, std::get<ops::ConvTranspose2dOptions>(step.op.options));
    }
    if (op == "relu") return graph_.relu(name, x);
    if (op == "add") return graph_.add(name, x, values_.at(step.inputs[1]));
    if (op == "maximum") return graph_.maximum(name, x, values_.at(step.inputs[1]));
    if (op == "scale") return graph_.scale(name, x, step.op.factor);
    if (op == "l2_normalize") return graph_.l2_normalize(name, x, step.numbers);
    if (op == "max_channels") return graph_.max_channels(name, x);
    if (op == "crop2d") return graph_.crop(name, x, step.op.corner, height, width);
    if (op == "mirror_pad2d") return graph_.mirror_pad(name, x, step.op.corner[0]);
    if (op == "max_pool2d") {
      const auto& options = std::get<ops::Pool2dOptions>(step.op.options);
      return graph_.max_pool(name, x, options, step.positions != nullptr ? &values_[step.positions] : nullptr);
    }
    if (op == "max_unpool2d") {
      return graph_.max_unpool(name, x, values_.at(step.inputs[1]), height, width,
                               std::get<ops::Pool2dOptions>(step.op.options));
    }
    if (op == "avg_pool2d") return graph_.average_pool(name, x, std::get<ops::Pool2dOptions>(step.op.options));
    if (op == "adaptive_avg_pool2d") return graph_.adaptive_average_pool(name, x, height);
    if (op == "adaptive_max_pool2d") return graph_.adaptive_max_pool(name, x, height);
    if (op == "resize_bilinear") return graph_.resize(name, x, height, width, step.op.align_corners);
    check<Error>(op == "concat_channels", "onnx: there is no operator for {} yet", op);
    std::vector<OnnxValue> parts;
    for (const Step::Place part : step.inputs) parts.push_back(values_.at(part));
    return graph_.concat(name, parts);
  }

  /// A convolution with the batch norm, the residual and the ReLU that its layer ends with. A pyramid's maps are
  /// enlarged and concatenated with its input first. A layer that is used again, on another input, has the same
  /// constants.
  OnnxValue convolution(const Step& step) {
    const HeardOp& op = step.op;
    auto found = layers_.find(op.layer);
    if (found == layers_.end()) {
      const auto [weight, bias] = folded(op);
      found = layers_.emplace(op.layer, Layer{graph_.conv_constants(op.layer, weight, bias)}).first;
    }
    Layer& layer = found->second;
    const std::string name = layer.uses++ == 0 ? op.layer : fmt::format("{}.use{}", op.layer, layer.uses);
    OnnxValue x = values_.at(step.inputs[0]);
    if (step.inputs.size() > 1) {
      std::vector<OnnxValue> parts = {x};
      for (size_t i = 1; i < step.inputs.size(); ++i) {
        parts.push_back(graph_.resize(fmt::format("{}.map{}", name, i), values_.at(step.inputs[i]), x.shape[2],
                                      x.shape[3], op.align_corners));
      }
      x = graph_.concat(name + ".concat", parts);
    }
    OnnxValue y = graph_.conv(name, x, layer.constants, std::get<Conv2dOptions>(op.options));
    if (step.residual != nullptr) y = graph_.add(name + ".add", y, values_.at(step.residual));
    return op.relu ? graph_.relu(name + ".relu", y) : y;
  }

  /// Weight and bias of a convolution with its batch norm folded in.
  layers::FoldedConv folded(const HeardOp& op) const {
    const Tensor& weight = tensors_.at(op.layer + ".weight");
    const auto found = tensors_.find(op.layer + ".bias");
    const Tensor bias = found != tensors_.end() ? found->second : Tensor::zeros({weight.dim(0)});
    if (op.norm.empty()) return {weight, bias};
    layers::BatchNorm2d norm(weight.dim(0), /*momentum=*/0.1);  // the momentum is of training
    for (const auto& [name, to] : norm.parameters()) to.value().copy_from(tensors_.at(op.norm + "." + name));
    for (const auto& [name, to] : norm.buffers()) to.copy_from(tensors_.at(op.norm + "." + name));
    return layers::fold_batch_norm(weight, bias, norm);
  }

  struct Layer {
    OnnxConv constants;
    int uses = 0;
  };

  OnnxGraph graph_;
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, Layer> layers_;  // convolutions so far
  std::map<Step::Place, OnnxValue> values_;
  int count_ = 0;
};

std::string triple(const std::array<double, 3>& values) {
  return fmt::format("{}, {}, {}", values[0], values[1], values[2]);
}

}  // namespace

onnx::ModelProto parser_onnx(const SceneParser& model, const OnnxOptions& options) {
  const NetworkOptions description = model.description();
  const Architecture& architecture = *find_architecture(description.arch);
  const bool whole = architecture.whole_picture;
  onnx::ModelProto result;
  result.set_ir_version(kIrVersion);
  result.set_producer_name("giza");
  result.set_producer_version(GIZA_VERSION);
  onnx::OperatorSetIdProto& operators = *result.add_opset_import();
  operators.set_domain("");
  operators.set_version(kOperatorSet);
  const std::string mean = triple(options.mean), std = triple(options.std);
  result.set_doc_string(fmt::format(
      "{} for {}, batch norm folded into the convolutions. input: {} x 3 x {} x {}, (RGB - ({})) "
      "/ ({}). logits: {} x {} x {} x {}, before softmax.",
      architecture.title, whole ? "whole pictures" : "scene parsing", options.batch, options.height, options.width,
      mean, std, options.batch, description.classes, whole ? 1 : options.height, whole ? 1 : options.width));
  const auto add = [&](const char* key, const std::string& value) {
    onnx::StringStringEntryProto& entry = *result.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  };
  add("classes", std::to_string(description.classes));
  add("mean", mean);
  add("std", std);
  add(kModelKey, options_to_json(description));
  for (const auto& [key, value] : options.metadata) add(key.c_str(), value);

  onnx::GraphProto* graph = result.mutable_graph();
  graph->set_name(architecture.title);
  ParserGraph(model, graph).add(hear_pass(model, options), options);
  return result;
}

}  // namespace giza::models
