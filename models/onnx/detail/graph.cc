// An ONNX graph under construction.
#include "models/onnx/detail/graph.h"

#include <algorithm>

#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tensor/ops/crop.h"
#include "tensor/ops/pool.h"

namespace giza::models {
namespace {

using onnx::AttributeProto;

void add_attribute(onnx::NodeProto& node, const char* name, int64_t value) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::INT);
  attribute.set_i(value);
}

void add_attribute(onnx::NodeProto& node, const char* name, const char* value) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::STRING);
  attribute.set_s(value);
}

void add_attribute(onnx::NodeProto& node, const char* name, std::initializer_list<int64_t> values) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::INTS);
  for (const int64_t value : values) attribute.add_ints(value);
}

void describe(onnx::ValueInfoProto& info, const OnnxValue& value) {
  info.set_name(value.name);
  onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  for (int i = 0; i < value.shape.rank(); ++i) type.mutable_shape()->add_dim()->set_dim_value(value.shape[i]);
}

/// The window of a convolution with weight [..,R,S,..], forward or transposed.
template <class Options>
void add_window(onnx::NodeProto& node, const Shape& weight, const Options& options) {
  const int64_t pad = options.padding;
  add_attribute(node, "dilations", {options.dilation, options.dilation});
  add_attribute(node, "kernel_shape", {weight[1], weight[2]});
  add_attribute(node, "pads", {pad, pad, pad, pad});
  add_attribute(node, "strides", {options.stride, options.stride});
}

/// The window of a pooling of a map of height x width.
void add_window(onnx::NodeProto& node, int64_t height, int64_t width, const ops::Pool2dOptions& options) {
  // Sizes rounded up as more padding at the end: what ceil_mode means has changed from version to version.
  const auto end = [&](int64_t in) {
    const int64_t last = (ops::pool_output_size(in, options) - 1) * options.stride;
    return std::max(options.padding, last + options.kernel - in - options.padding);
  };
  add_attribute(node, "kernel_shape", {options.kernel, options.kernel});
  add_attribute(node, "pads", {options.padding, options.padding, end(height), end(width)});
  add_attribute(node, "strides", {options.stride, options.stride});
}

/// What one cell of adaptive pooling covers.
struct Cell {
  int64_t begin, end;
};

std::vector<Cell> cells(int64_t size, int64_t bins) {
  std::vector<Cell> result;
  for (int64_t i = 0; i < bins; ++i) result.push_back({i * size / bins, ((i + 1) * size + bins - 1) / bins});
  return result;
}

}  // namespace

onnx::NodeProto& OnnxGraph::add_node(const std::string& op, const std::string& name,
                                     std::initializer_list<std::string> inputs) {
  onnx::NodeProto& node = *graph_->add_node();
  node.set_op_type(op);
  node.set_name(name);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(name);
  return node;
}

OnnxValue OnnxGraph::result(const std::string& name, const Shape& shape) {
  OnnxValue value{name, shape};
  describe(*graph_->add_value_info(), value);
  return value;
}

std::string OnnxGraph::add_initializer(const std::string& name, std::initializer_list<int64_t> shape,
                                       std::span<const float> numbers) {
  onnx::TensorProto& tensor = *graph_->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t size : shape) tensor.add_dims(size);
  tensor.set_raw_data(numbers.data(), numbers.size_bytes());
  return name;
}

std::string OnnxGraph::add_initializer(const std::string& name, std::span<const int64_t> numbers) {
  onnx::TensorProto& tensor = *graph_->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(numbers.size()));
  tensor.set_raw_data(numbers.data(), numbers.size_bytes());
  return name;
}

std::string OnnxGraph::add_initializer(const std::string& name, const Shape& shape) {
  std::vector<int64_t> sizes;
  for (int i = 0; i < shape.rank(); ++i) sizes.push_back(shape[i]);
  return add_initializer(name, sizes);
}

OnnxValue OnnxGraph::input(const std::string& name, const Shape& shape, const std::string& meaning) {
  OnnxValue value{name, shape};
  onnx::ValueInfoProto& info = *graph_->add_input();
  describe(info, value);
  info.set_doc_string(meaning);
  return value;
}

void OnnxGraph::output(const OnnxValue& value, const std::string& name, const std::string& meaning) {
  onnx::NodeProto& last = *graph_->mutable_node()->rbegin();
  check<Error>(last.output(0) == value.name, "onnx: {}: is not the last node's", value.name);
  last.set_output(0, name);
  // The node declared it as a value inside.
  graph_->mutable_value_info()->RemoveLast();
  onnx::ValueInfoProto& info = *graph_->add_output();
  describe(info, {name, value.shape});
  info.set_doc_string(meaning);
}

OnnxConv OnnxGraph::conv_constants(const std::string& layer, const Tensor& weight, const Tensor& bias) {
  const Shape& w = weight.shape();
  return {add_initializer(layer + ".weight", {w[0], w[3], w[1], w[2]}, to_pytorch_layout(weight)),
          add_initializer(layer + ".bias", {w[0]}, bias.to_vector()), w};
}

OnnxValue OnnxGraph::conv(const std::string& name, const OnnxValue& x, const OnnxConv& constants,
                          const Conv2dOptions& options) {
  const Shape& w = constants.shape;
  check(w[3] == x.shape[1], "onnx: {}: weight {} for {} channels", name, w, x.shape[1]);
  onnx::NodeProto& node = add_node("Conv", name, {x.name, constants.weight, constants.bias});
  add_window(node, w, options);
  return result(name, {x.shape[0], w[0], ops::conv_output_size(x.shape[2], w[1], options),
                       ops::conv_output_size(x.shape[3], w[2], options)});
}

OnnxValue OnnxGraph::relu(const std::string& name, const OnnxValue& x) {
  add_node("Relu", name, {x.name});
  return result(name, x.shape);
}

OnnxValue OnnxGraph::add(const std::string& name, const OnnxValue& a, const OnnxValue& b) {
  check(a.shape == b.shape, "onnx: {}: the sum of two shapes", name);
  add_node("Add", name, {a.name, b.name});
  return result(name, a.shape);
}

OnnxValue OnnxGraph::maximum(const std::string& name, const OnnxValue& a, const OnnxValue& b) {
  check(a.shape == b.shape, "onnx: {}: the larger of two shapes", name);
  add_node("Max", name, {a.name, b.name});
  return result(name, a.shape);
}

OnnxValue OnnxGraph::scale(const std::string& name, const OnnxValue& x, float factor) {
  add_node("Mul", name, {x.name, add_initializer(name + ".factor", {1}, std::array{factor})});
  return result(name, x.shape);
}

OnnxValue OnnxGraph::conv_transpose(const std::string& name, const OnnxValue& x, const Tensor& weight,
                                    const ops::ConvTranspose2dOptions& options) {
  const Shape& w = weight.shape();
  const std::string weights = add_initializer(name + ".weight", {w[0], w[3], w[1], w[2]}, to_pytorch_layout(weight));
  onnx::NodeProto& node = add_node("ConvTranspose", name, {x.name, weights});
  add_window(node, w, options);
  add_attribute(node, "output_padding", {options.output_padding, options.output_padding});
  return result(name, {x.shape[0], w[3], ops::conv_transpose_output_size(x.shape[2], w[1], options),
                       ops::conv_transpose_output_size(x.shape[3], w[2], options)});
}

OnnxValue OnnxGraph::l2_normalize(const std::string& name, const OnnxValue& x, const Tensor& gain) {
  const Shape one = x.shape.with(1, 1);
  add_node("Mul", name + ".squares", {x.name, x.name});
  result(name + ".squares", x.shape);
  onnx::NodeProto& sum = add_node("ReduceSum", name + ".sum",
                                  {name + ".squares", add_initializer(name + ".axis", std::array<int64_t, 1>{1})});
  add_attribute(sum, "keepdims", 1);
  result(name + ".sum", one);
  add_node("Add", name + ".above_zero", {name + ".sum", add_initializer(name + ".epsilon", {1}, std::array{1e-10F})});
  result(name + ".above_zero", one);
  add_node("Sqrt", name + ".length", {name + ".above_zero"});
  result(name + ".length", one);
  add_node("Div", name + ".unit", {x.name, name + ".length"});
  result(name + ".unit", x.shape);
  add_node("Mul", name, {name + ".unit", add_initializer(name + ".gain", {1, x.shape[1], 1, 1}, gain.to_vector())});
  return result(name, x.shape);
}

OnnxValue OnnxGraph::max_channels(const std::string& name, const OnnxValue& x) {
  onnx::NodeProto& node = add_node("ReduceMax", name, {x.name});
  add_attribute(node, "axes", {1});
  add_attribute(node, "keepdims", 1);
  return result(name, {x.shape[0], 1, x.shape[2], x.shape[3]});
}

OnnxValue OnnxGraph::crop(const std::string& name, const OnnxValue& x, const std::array<int64_t, 2>& corner,
                          int64_t height, int64_t width) {
  const std::array<int64_t, 2> end = {corner[0] + height, corner[1] + width}, axes = {2, 3};
  add_node("Slice", name,
           {x.name, add_initializer(name + ".begin", corner), add_initializer(name + ".end", end),
            add_initializer(name + ".axes", axes)});
  return result(name, {x.shape[0], x.shape[1], height, width});
}

OnnxValue OnnxGraph::mirror_pad(const std::string& name, const OnnxValue& x, int64_t border) {
  const auto indices = [&](int64_t size) {
    std::vector<int64_t> from;
    for (int64_t i = -border; i < size + border; ++i) from.push_back(ops::mirrored(i, size));
    return from;
  };
  const OnnxValue rows = gather(name + ".rows", x, 2, indices(x.shape[2]));
  return gather(name, rows, 3, indices(x.shape[3]));
}

OnnxValue OnnxGraph::max_pool(const std::string& name, const OnnxValue& x, const ops::Pool2dOptions& options,
                              OnnxValue* positions) {
  onnx::NodeProto& node = add_node("MaxPool", name, {x.name});
  add_window(node, x.shape[2], x.shape[3], options);
  const Shape shape = {x.shape[0], x.shape[1], ops::pool_output_size(x.shape[2], options),
                       ops::pool_output_size(x.shape[3], options)};
  if (positions != nullptr) {
    *positions = {name + ".positions", shape};
    node.add_output(positions->name);
  }
  return result(name, shape);
}

OnnxValue OnnxGraph::max_unpool(const std::string& name, const OnnxValue& x, const OnnxValue& positions, int64_t height,
                                int64_t width, const ops::Pool2dOptions& options) {
  const Shape shape = {x.shape[0], x.shape[1], height, width};
  onnx::NodeProto& node = add_node("MaxUnpool", name, {x.name, positions.name, add_initializer(name + ".size", shape)});
  add_window(node, height, width, options);
  return result(name, shape);
}

OnnxValue OnnxGraph::average_pool(const std::string& name, const OnnxValue& x, const ops::Pool2dOptions& options) {
  onnx::NodeProto& node = add_node("AveragePool", name, {x.name});
  add_window(node, x.shape[2], x.shape[3], options);
  add_attribute(node, "count_include_pad", 1);
  return result(name, {x.shape[0], x.shape[1], ops::pool_output_size(x.shape[2], options),
                       ops::pool_output_size(x.shape[3], options)});
}

OnnxValue OnnxGraph::even_pool(const char* op, const std::string& name, const OnnxValue& x, int64_t kernel_h,
                               int64_t kernel_w) {
  onnx::NodeProto& node = add_node(op, name, {x.name});
  add_attribute(node, "kernel_shape", {kernel_h, kernel_w});
  add_attribute(node, "strides", {kernel_h, kernel_w});
  return result(name, {x.shape[0], x.shape[1], x.shape[2] / kernel_h, x.shape[3] / kernel_w});
}

OnnxValue OnnxGraph::adaptive_average_pool(const std::string& name, const OnnxValue& x, int64_t bins) {
  const int64_t height = x.shape[2], width = x.shape[3];
  if (height % bins == 0 && width % bins == 0) {
    return even_pool("AveragePool", name, x, height / bins, width / bins);
  }
  // A cell is a rectangle, so its mean is the mean over its rows of the means over its columns: rows * x * columns.
  std::vector<float> rows(static_cast<size_t>(bins * height)), columns(static_cast<size_t>(width * bins));
  const std::vector<Cell> down = cells(height, bins), across = cells(width, bins);
  for (int64_t i = 0; i < bins; ++i) {
    const Cell& row = down[static_cast<size_t>(i)];
    for (int64_t y = row.begin; y < row.end; ++y) {
      rows[static_cast<size_t>(i * height + y)] = 1.0F / static_cast<float>(row.end - row.begin);
    }
    const Cell& column = across[static_cast<size_t>(i)];
    for (int64_t z = column.begin; z < column.end; ++z) {
      columns[static_cast<size_t>(z * bins + i)] = 1.0F / static_cast<float>(column.end - column.begin);
    }
  }
  const std::string columns_name = add_initializer(name + ".column_weights", {width, bins}, columns);
  add_node("MatMul", name + ".columns", {x.name, columns_name});
  const OnnxValue y = result(name + ".columns", x.shape.with(3, bins));
  const std::string rows_name = add_initializer(name + ".row_weights", {bins, height}, rows);
  add_node("MatMul", name, {rows_name, y.name});
  return result(name, {x.shape[0], x.shape[1], bins, bins});
}

OnnxValue OnnxGraph::gather(const std::string& name, const OnnxValue& x, int axis, std::span<const int64_t> indices) {
  onnx::NodeProto& node = add_node("Gather", name, {x.name, add_initializer(name + ".indices", indices)});
  add_attribute(node, "axis", axis);
  return result(name, x.shape.with(axis, static_cast<int64_t>(indices.size())));
}

OnnxValue OnnxGraph::gather_cells(const std::string& name, const OnnxValue& x, int axis, int64_t bins) {
  const std::vector<Cell> all = cells(x.shape[axis], bins);
  int64_t longest = 0;
  for (const Cell& cell : all) longest = std::max(longest, cell.end - cell.begin);
  std::vector<int64_t> indices;
  for (const Cell& cell : all) {
    // A shorter cell repeats its last number, which does not change its maximum.
    for (int64_t i = 0; i < longest; ++i) indices.push_back(std::min(cell.begin + i, cell.end - 1));
  }
  return gather(name, x, axis, indices);
}

OnnxValue OnnxGraph::adaptive_max_pool(const std::string& name, const OnnxValue& x, int64_t bins) {
  OnnxValue y = x;
  if (y.shape[2] % bins != 0) y = gather_cells(name + ".rows", y, 2, bins);
  if (y.shape[3] % bins != 0) y = gather_cells(name + ".columns", y, 3, bins);
  return even_pool("MaxPool", name, y, y.shape[2] / bins, y.shape[3] / bins);
}

OnnxValue OnnxGraph::flatten(const std::string& name, const OnnxValue& x) {
  onnx::NodeProto& node = add_node("Flatten", name, {x.name});
  add_attribute(node, "axis", 1);
  return result(name, {x.shape[0], x.shape[1] * x.shape[2] * x.shape[3]});
}

OnnxValue OnnxGraph::as_map(const std::string& name, const OnnxValue& x) {
  const Shape shape = {x.shape[0], x.shape[1], 1, 1};
  add_node("Reshape", name, {x.name, add_initializer(name + ".shape", shape)});
  return result(name, shape);
}

OnnxValue OnnxGraph::linear(const std::string& name, const OnnxValue& x, const Tensor& weight, const Tensor& bias) {
  const Shape& w = weight.shape();
  check(x.shape.rank() == 2 && w[1] == x.shape[1], "onnx: {}: weight {} for inputs {}", name, w, x.shape);
  const std::string weights = add_initializer(name + ".weight", {w[0], w[1]}, weight.to_vector());
  const std::string biases = add_initializer(name + ".bias", {w[0]}, bias.to_vector());
  onnx::NodeProto& node = add_node("Gemm", name, {x.name, weights, biases});
  add_attribute(node, "transB", 1);
  return result(name, {x.shape[0], w[0]});
}

OnnxValue OnnxGraph::concat(const std::string& name, std::span<const OnnxValue> parts) {
  onnx::NodeProto& node = add_node("Concat", name, {});
  int64_t channels = 0;
  for (const OnnxValue& part : parts) {
    node.add_input(part.name);
    channels += part.shape[1];
  }
  add_attribute(node, "axis", 1);
  return result(name, parts.front().shape.with(1, channels));
}

OnnxValue OnnxGraph::resize(const std::string& name, const OnnxValue& x, int64_t height, int64_t width,
                            bool align_corners) {
  const Shape shape = {x.shape[0], x.shape[1], height, width};
  // The empty inputs are `roi` and `scales`: the sizes say it all.
  onnx::NodeProto& node = add_node("Resize", name, {x.name, "", "", add_initializer(name + ".sizes", shape)});
  add_attribute(node, "coordinate_transformation_mode", align_corners ? "align_corners" : "half_pixel");
  add_attribute(node, "mode", "linear");
  return result(name, shape);
}

}  // namespace giza::models
