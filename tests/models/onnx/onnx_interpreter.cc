// Runs the few ONNX operators that giza writes.
#include "tests/models/onnx/onnx_interpreter.h"

#ifdef GIZA_HAVE_PROTOBUF
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "tests/models/onnx/onnx_attributes.h"
#include "tests/models/onnx/onnx_windows.h"

namespace giza {
namespace {

template <class T>
std::vector<double> raw_numbers(const std::string& raw) {
  std::vector<T> numbers(raw.size() / sizeof(T));
  REQUIRE(numbers.size() * sizeof(T) == raw.size());
  std::memcpy(numbers.data(), raw.data(), raw.size());
  return {numbers.begin(), numbers.end()};
}

OnnxTensor constant(const onnx::TensorProto& proto) {
  OnnxTensor tensor{{proto.dims().begin(), proto.dims().end()}, {}};
  const bool floats = proto.data_type() == onnx::TensorProto::FLOAT;
  REQUIRE((floats || proto.data_type() == onnx::TensorProto::INT64));
  tensor.data = floats ? raw_numbers<float>(proto.raw_data()) : raw_numbers<int64_t>(proto.raw_data());
  REQUIRE(static_cast<int64_t>(tensor.data.size()) == volume(tensor.shape));
  return tensor;
}

/// f of two tensors, of which the second may have axes of 1, or one number in all.
template <class F>
OnnxTensor broadcast(const OnnxTensor& a, const OnnxTensor& b, const F& f) {
  OnnxTensor y = a;
  const bool one = b.shape == std::vector<int64_t>{1};
  REQUIRE((one || b.shape.size() == a.shape.size()));
  for (size_t i = 0; i < y.data.size(); ++i) {
    int64_t rest = static_cast<int64_t>(i), from = 0, step = 1;
    for (size_t axis = a.shape.size(); !one && axis-- > 0;) {
      REQUIRE((b.shape[axis] == 1 || b.shape[axis] == a.shape[axis]));
      if (b.shape[axis] > 1) from += rest % a.shape[axis] * step;
      rest /= a.shape[axis];
      step *= b.shape[axis];
    }
    y.data[i] = f(a.data[i], b.data[static_cast<size_t>(from)]);
  }
  return y;
}

/// f over the channels of each pixel.
template <class F>
OnnxTensor reduce_channels(const OnnxTensor& x, double start, const F& f) {
  OnnxTensor y = zeros({x.shape[0], 1, x.shape[2], x.shape[3]});
  std::fill(y.data.begin(), y.data.end(), start);
  const int64_t area = x.shape[2] * x.shape[3];
  for (int64_t i = 0; i < static_cast<int64_t>(x.data.size()); ++i) {
    double& to = y.data[static_cast<size_t>(i / (area * x.shape[1]) * area + i % area)];
    to = f(to, x.data[static_cast<size_t>(i)]);
  }
  return y;
}

OnnxTensor slice(const OnnxTensor& x, const OnnxTensor& begin, const OnnxTensor& end, const OnnxTensor& axes) {
  REQUIRE(axes.data == std::vector<double>{2, 3});
  const auto top = static_cast<int64_t>(begin.data.at(0)), left = static_cast<int64_t>(begin.data.at(1));
  OnnxTensor y = zeros({x.shape[0], x.shape[1], static_cast<int64_t>(end.data.at(0)) - top,
                        static_cast<int64_t>(end.data.at(1)) - left});
  for (int64_t i = 0; i < static_cast<int64_t>(y.data.size()); ++i) {
    const int64_t column = left + i % y.shape[3], row = top + i / y.shape[3] % y.shape[2];
    REQUIRE((row < x.shape[2] && column < x.shape[3]));
    const int64_t plane = i / y.shape[3] / y.shape[2];
    y.data[static_cast<size_t>(i)] = x.data[static_cast<size_t>((plane * x.shape[2] + row) * x.shape[3] + column)];
  }
  return y;
}

/// Matrices in the last two axes; one of the two may be a single matrix for all of the other's.
OnnxTensor matmul(const OnnxTensor& a, const OnnxTensor& b) {
  REQUIRE((a.shape.size() == 2 || b.shape.size() == 2));
  const OnnxTensor& many = a.shape.size() == 2 ? b : a;
  const int64_t rows = a.shape[a.shape.size() - 2], inner = a.shape.back(), columns = b.shape.back();
  REQUIRE(b.shape[b.shape.size() - 2] == inner);
  std::vector<int64_t> shape = many.shape;
  shape[shape.size() - 2] = rows;
  shape.back() = columns;
  OnnxTensor y = zeros(shape);
  for (int64_t m = 0; m < volume(shape) / (rows * columns); ++m) {
    const int64_t from_a = a.shape.size() == 2 ? 0 : m * rows * inner;
    const int64_t from_b = b.shape.size() == 2 ? 0 : m * inner * columns;
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < inner; ++k) {
          sum += a.data[static_cast<size_t>(from_a + i * inner + k)] *
                 b.data[static_cast<size_t>(from_b + k * columns + j)];
        }
        y.data[static_cast<size_t>((m * rows + i) * columns + j)] = sum;
      }
    }
  }
  return y;
}

/// x [N,C] w^T + bias, w [K,C].
OnnxTensor gemm(const OnnxTensor& x, const OnnxTensor& w, const OnnxTensor& bias, OnnxAttributes& attributes) {
  CHECK(attributes.integer("transB") == 1);
  REQUIRE((x.shape.size() == 2 && w.shape == std::vector<int64_t>{w.shape[0], x.shape[1]}));
  REQUIRE(bias.shape == std::vector<int64_t>{w.shape[0]});
  const auto inner = static_cast<size_t>(x.shape[1]), columns = bias.data.size();
  OnnxTensor y = zeros({x.shape[0], w.shape[0]});
  for (size_t at = 0; at < y.data.size(); ++at) {
    const size_t row = at / columns * inner, column = at % columns;
    y.data[at] = bias.data[column];
    for (size_t c = 0; c < inner; ++c) y.data[at] += x.data[row + c] * w.data[column * inner + c];
  }
  return y;
}

/// x's numbers in another shape.
OnnxTensor reshaped(const OnnxTensor& x, const std::vector<int64_t>& shape) {
  REQUIRE(volume(shape) == static_cast<int64_t>(x.data.size()));
  return {shape, x.data};
}

/// y's element (o, i, e) is x's (o, pick(i), e), where the axis stands between o and e.
OnnxTensor gather(const OnnxTensor& x, const OnnxTensor& indices, size_t axis) {
  std::vector<int64_t> shape = x.shape;
  shape[axis] = volume(indices.shape);
  OnnxTensor y = zeros(shape);
  int64_t inside = 1;
  for (size_t i = axis + 1; i < shape.size(); ++i) inside *= shape[i];
  for (int64_t at = 0; at < volume(shape); ++at) {
    const int64_t outer = at / (inside * shape[axis]), i = at / inside % shape[axis];
    const auto from = static_cast<int64_t>(indices.data[static_cast<size_t>(i)]);
    REQUIRE((from >= 0 && from < x.shape[axis]));
    y.data[static_cast<size_t>(at)] =
        x.data[static_cast<size_t>((outer * x.shape[axis] + from) * inside + at % inside)];
  }
  return y;
}

OnnxTensor concat_channels(const std::vector<const OnnxTensor*>& parts) {
  std::vector<int64_t> shape = parts.front()->shape;
  shape[1] = 0;
  for (const OnnxTensor* part : parts) shape[1] += part->shape[1];
  OnnxTensor y{shape, {}};
  for (int64_t n = 0; n < shape[0]; ++n) {
    for (const OnnxTensor* part : parts) {
      std::vector<int64_t> like = part->shape;
      like[1] = shape[1];
      REQUIRE(like == shape);
      const int64_t each = volume(part->shape) / shape[0];
      const auto begin = part->data.begin() + n * each;
      y.data.insert(y.data.end(), begin, begin + each);
    }
  }
  return y;
}

/// Where pixel `i` of an axis comes from: the lower neighbour, and the weight of the upper one.
std::pair<int64_t, double> source(int64_t i, int64_t in, int64_t out, bool align_corners) {
  const auto at = static_cast<double>(i), from = static_cast<double>(in), to = static_cast<double>(out);
  double x = 0;
  if (!align_corners) {
    x = (at + 0.5) * from / to - 0.5;
  } else if (out > 1) {
    x = at * (from - 1) / (to - 1);
  }
  x = std::clamp(x, 0.0, from - 1);
  const auto low = std::min(static_cast<int64_t>(x), std::max<int64_t>(0, in - 2));
  return {low, x - static_cast<double>(low)};
}

OnnxTensor resize(const OnnxTensor& x, const OnnxTensor& sizes, OnnxAttributes& attributes) {
  CHECK(attributes.text("mode") == "linear");
  const std::string mode = attributes.text("coordinate_transformation_mode");
  REQUIRE((mode == "align_corners" || mode == "half_pixel"));
  const bool align_corners = mode == "align_corners";
  OnnxTensor y = zeros({sizes.data.begin(), sizes.data.end()});
  REQUIRE((y.shape[0] == x.shape[0] && y.shape[1] == x.shape[1]));
  const int64_t height = x.shape[2], width = x.shape[3];
  for (int64_t at = 0; at < volume(y.shape); ++at) {
    const int64_t plane = at / (y.shape[2] * y.shape[3]);
    const auto [row, down] = source(at / y.shape[3] % y.shape[2], height, y.shape[2], align_corners);
    const auto [column, right] = source(at % y.shape[3], width, y.shape[3], align_corners);
    const auto pixel = [&, row = row, column = column](int64_t below, int64_t beside) {
      const int64_t r = std::min(row + below, height - 1), c = std::min(column + beside, width - 1);
      return x.data[static_cast<size_t>((plane * height + r) * width + c)];
    };
    y.data[static_cast<size_t>(at)] = (1 - down) * ((1 - right) * pixel(0, 0) + right * pixel(0, 1)) +
                                      down * ((1 - right) * pixel(1, 0) + right * pixel(1, 1));
  }
  return y;
}

/// `places` is the second result of a MaxPool.
OnnxTensor run_node(const std::string& op, const std::vector<const OnnxTensor*>& in, OnnxAttributes& attributes,
                    OnnxTensor* places) {
  if (op == "Conv") return conv(*in.at(0), *in.at(1), *in.at(2), attributes);
  if (op == "ConvTranspose") return conv_transpose(*in.at(0), *in.at(1), attributes);
  if (op == "MaxPool" || op == "AveragePool") return pool(*in.at(0), op == "MaxPool", attributes, places);
  if (op == "MaxUnpool") return unpool(*in.at(0), *in.at(1), *in.at(2), attributes);
  if (op == "MatMul") return matmul(*in.at(0), *in.at(1));
  if (op == "Gemm") return gemm(*in.at(0), *in.at(1), *in.at(2), attributes);
  if (op == "Flatten") {
    CHECK(attributes.integer("axis") == 1);
    return reshaped(*in.at(0), {in[0]->shape.at(0), volume(in[0]->shape) / in[0]->shape.at(0)});
  }
  if (op == "Reshape") return reshaped(*in.at(0), {in.at(1)->data.begin(), in.at(1)->data.end()});
  if (op == "Gather") return gather(*in.at(0), *in.at(1), static_cast<size_t>(attributes.integer("axis")));
  if (op == "Slice") return slice(*in.at(0), *in.at(1), *in.at(2), *in.at(3));
  if (op == "Resize") {
    REQUIRE((in.size() == 4 && in[1] == nullptr && in[2] == nullptr));
    return resize(*in[0], *in[3], attributes);
  }
  if (op == "Concat") {
    CHECK(attributes.integer("axis") == 1);
    return concat_channels(in);
  }
  if (op == "ReduceMax" || op == "ReduceSum") {
    CHECK(attributes.integer("keepdims") == 1);
    if (op == "ReduceSum") {
      CHECK(in.at(1)->data == std::vector<double>{1});
      return reduce_channels(*in.at(0), 0, [](double a, double b) { return a + b; });
    }
    CHECK(attributes.ints("axes") == std::vector<int64_t>{1});
    return reduce_channels(*in.at(0), -std::numeric_limits<double>::infinity(),
                           [](double a, double b) { return std::max(a, b); });
  }
  if (op == "Relu" || op == "Sqrt") {
    OnnxTensor y = *in.at(0);
    for (double& value : y.data) value = op == "Relu" ? std::max(value, 0.0) : std::sqrt(value);
    return y;
  }
  const OnnxTensor &a = *in.at(0), &b = *in.at(1);
  if (op == "Mul") return broadcast(a, b, [](double x, double y) { return x * y; });
  if (op == "Div") return broadcast(a, b, [](double x, double y) { return x / y; });
  if (op == "Max") return broadcast(a, b, [](double x, double y) { return std::max(x, y); });
  REQUIRE_MESSAGE(op == "Add", op);
  return broadcast(a, b, [](double x, double y) { return x + y; });
}

}  // namespace

std::map<std::string, OnnxTensor> run_onnx(const onnx::GraphProto& graph, const OnnxTensor& input) {
  std::map<std::string, OnnxTensor> values;
  std::set<std::string> unread;
  REQUIRE(graph.input_size() == 1);
  values[graph.input(0).name()] = input;
  for (const onnx::TensorProto& initializer : graph.initializer()) {
    CHECK_MESSAGE(values.emplace(initializer.name(), constant(initializer)).second, initializer.name());
    unread.insert(initializer.name());
  }
  for (const onnx::NodeProto& node : graph.node()) {
    CAPTURE(node.name());
    std::vector<const OnnxTensor*> in;
    for (const std::string& name : node.input()) {
      REQUIRE_MESSAGE((name.empty() || values.contains(name)), name);
      in.push_back(name.empty() ? nullptr : &values.at(name));
      unread.erase(name);
    }
    OnnxAttributes attributes(node);
    OnnxTensor places;
    REQUIRE((node.output_size() == 1 || (node.output_size() == 2 && node.op_type() == "MaxPool")));
    CHECK(values.emplace(node.output(0), run_node(node.op_type(), in, attributes, &places)).second);
    if (node.output_size() == 2) CHECK(values.emplace(node.output(1), std::move(places)).second);
    unread.insert(node.output().begin(), node.output().end());
  }
  const auto check_shape = [&](const onnx::ValueInfoProto& info) {
    CAPTURE(info.name());
    std::vector<int64_t> shape;
    for (const auto& dim : info.type().tensor_type().shape().dim()) shape.push_back(dim.dim_value());
    REQUIRE(values.contains(info.name()));
    CHECK(shape == values.at(info.name()).shape);
    CHECK(info.type().tensor_type().elem_type() == onnx::TensorProto::FLOAT);
  };
  for (const onnx::ValueInfoProto& info : graph.value_info()) check_shape(info);
  check_shape(graph.input(0));
  REQUIRE(graph.output_size() == 1);
  check_shape(graph.output(0));
  // Nothing is there for nothing.
  CHECK(unread == std::set<std::string>{graph.output(0).name()});
  CHECK(graph.value_info_size() + 1 == graph.node_size());
  return values;
}

}  // namespace giza
#endif
