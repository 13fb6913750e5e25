// An ONNX graph under construction: one call per layer of a network, shapes followed along the way.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/onnx/onnx.pb.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/conv_transpose2d.h"
#include "tensor/ops/pool.h"
#include "tensor/tensor.h"

namespace giza::models {

/// A value of the graph under its name: an activation [N,C,H,W], or vectors [N,C].
struct OnnxValue {
  std::string name;
  Shape shape;
};

/// The initializers of a convolution, which several nodes may read.
struct OnnxConv {
  std::string weight, bias;
  Shape shape;  ///< of the weight, [K,R,S,C]
};

/// Adds nodes, their constants and the shapes of their results to a graph. A node and its result share a name.
class OnnxGraph {
 public:
  explicit OnnxGraph(onnx::GraphProto* graph) : graph_(graph) {}

  OnnxValue input(const std::string& name, const Shape& shape, const std::string& meaning);
  /// Declares a value, the result of the node added last, to be the graph's output `name`.
  void output(const OnnxValue& value, const std::string& name, const std::string& meaning);

  /// weight [K,R,S,C] becomes the initializer LAYER.weight [K,C,R,S], bias [K] becomes LAYER.bias.
  OnnxConv conv_constants(const std::string& layer, const Tensor& weight, const Tensor& bias);
  OnnxValue conv(const std::string& name, const OnnxValue& x, const OnnxConv& constants, const Conv2dOptions& options);
  OnnxValue relu(const std::string& name, const OnnxValue& x);
  OnnxValue add(const std::string& name, const OnnxValue& a, const OnnxValue& b);
  /// The larger of two.
  OnnxValue maximum(const std::string& name, const OnnxValue& a, const OnnxValue& b);
  OnnxValue scale(const std::string& name, const OnnxValue& x, float factor);
  /// w [C,R,S,K] becomes NAME.weight [C,K,R,S].
  OnnxValue conv_transpose(const std::string& name, const OnnxValue& x, const Tensor& weight,
                           const ops::ConvTranspose2dOptions& options);
  /// gain [C].
  OnnxValue l2_normalize(const std::string& name, const OnnxValue& x, const Tensor& gain);
  OnnxValue max_channels(const std::string& name, const OnnxValue& x);
  /// Rows and columns from `corner` on.
  OnnxValue crop(const std::string& name, const OnnxValue& x, const std::array<int64_t, 2>& corner, int64_t height,
                 int64_t width);
  /// By Gather, because the operator Pad wants a border that is smaller than the map.
  OnnxValue mirror_pad(const std::string& name, const OnnxValue& x, int64_t border);
  /// `positions`, if given, becomes the value of the maxima's places.
  OnnxValue max_pool(const std::string& name, const OnnxValue& x, const ops::Pool2dOptions& options,
                     OnnxValue* positions = nullptr);
  OnnxValue max_unpool(const std::string& name, const OnnxValue& x, const OnnxValue& positions, int64_t height,
                       int64_t width, const ops::Pool2dOptions& options);
  /// Padding counted.
  OnnxValue average_pool(const std::string& name, const OnnxValue& x, const ops::Pool2dOptions& options);
  /// To bins x bins by PyTorch's rule: cell i of n numbers is [floor(i n / bins), ceil((i + 1) n / bins)). Cells that
  /// do not overlap are a plain AveragePool or MaxPool; others two MatMul with the cells' weights, or MaxPool over rows
  /// and columns that Gather has laid out so that they do not overlap any more.
  OnnxValue adaptive_average_pool(const std::string& name, const OnnxValue& x, int64_t bins);
  OnnxValue adaptive_max_pool(const std::string& name, const OnnxValue& x, int64_t bins);
  /// [N,C,H,W] -> [N, C H W].
  OnnxValue flatten(const std::string& name, const OnnxValue& x);
  /// Vectors as maps of one pixel: [N,C] -> [N,C,1,1].
  OnnxValue as_map(const std::string& name, const OnnxValue& x);
  /// x [N,C]; weight [K,C] becomes the initializer NAME.weight, bias [K] becomes NAME.bias.
  OnnxValue linear(const std::string& name, const OnnxValue& x, const Tensor& weight, const Tensor& bias);
  /// Along the channels.
  OnnxValue concat(const std::string& name, std::span<const OnnxValue> parts);
  /// Bilinear; without align_corners by half-pixel centres, as PyTorch does.
  OnnxValue resize(const std::string& name, const OnnxValue& x, int64_t height, int64_t width, bool align_corners);

 private:
  onnx::NodeProto& add_node(const std::string& op, const std::string& name, std::initializer_list<std::string> inputs);
  /// Declares the shape of the result of the node added last.
  OnnxValue result(const std::string& name, const Shape& shape);
  OnnxValue even_pool(const char* op, const std::string& name, const OnnxValue& x, int64_t kernel_h, int64_t kernel_w);
  OnnxValue gather(const std::string& name, const OnnxValue& x, int axis, std::span<const int64_t> indices);
  OnnxValue gather_cells(const std::string& name, const OnnxValue& x, int axis, int64_t bins);
  std::string add_initializer(const std::string& name, std::initializer_list<int64_t> shape,
                              std::span<const float> numbers);
  std::string add_initializer(const std::string& name, std::span<const int64_t> numbers);
  /// The sizes as numbers.
  std::string add_initializer(const std::string& name, const Shape& shape);

  onnx::GraphProto* graph_;
};

}  // namespace giza::models
