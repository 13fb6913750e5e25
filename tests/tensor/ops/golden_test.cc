// Ops against PyTorch: tests/golden/op_goldens.json, written by make_op_goldens.py beside it.
#include <doctest/doctest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/ops/batch_norm.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/linear.h"
#include "tensor/ops/pool.h"
#include "tensor/ops/resize.h"
#include "tensor/ops/sgd.h"
#include "tensor/ops/softmax.h"
#include "tests/support/op_testing.h"
#include "tests/support/skip.h"

namespace giza {
namespace {

using nlohmann::json;
using oracle::Array;

// PyTorch computes in float too, so both sides round; its interpolation weights are floats.
constexpr double kBound = 4e-6;

const json& goldens(const std::string& op) {
  static const json all = json::parse(std::ifstream(GIZA_SOURCE_DIR "/tests/golden/op_goldens.json"));
  return all.at(op);
}

/// Sizes [N,C,H,W] become [N,H,W,C], and OIHW weights [K,R,S,C]; one and two sizes stay.
Tensor tensor_of(const json& array) {
  const auto shape = array.at("shape").get<std::vector<int64_t>>();
  const auto data = array.at("data").get<std::vector<float>>();
  if (shape.size() == 1) return Tensor::from({shape[0]}, data);
  if (shape.size() == 2) return Tensor::from({shape[0], shape[1]}, data);
  Tensor result = Tensor::empty({shape[0], shape[2], shape[3], shape[1]});
  size_t i = 0;
  for (int64_t n = 0; n < shape[0]; ++n) {
    for (int64_t c = 0; c < shape[1]; ++c) {
      for (int64_t pixel = 0; pixel < shape[2] * shape[3]; ++pixel) {
        result.row(n * shape[2] * shape[3] + pixel)[c] = data[i++];
      }
    }
  }
  return result;
}

Labels labels_of(const json& labels, const Tensor& x) {
  Labels result(x.dim(0), x.dim(1), x.dim(2));
  result.values = labels.get<decltype(result.values)>();
  return result;
}

std::string misses(const Tensor& actual, const json& golden) {
  return differs(actual, Array(tensor_of(golden)), kBound);
}

void check_conv2d(ConvBackend backend) {
  CAPTURE(static_cast<int>(backend));
  for (const json& g : goldens("conv2d")) {
    const Tensor x = tensor_of(g["x"]), w = tensor_of(g["w"]), bias = tensor_of(g["bias"]), dy = tensor_of(g["dy"]);
    const Conv2dOptions options{g["stride"], g["padding"], g["dilation"], {backend}};
    CHECK_SAME(misses(ops::conv2d(x, w, bias, options), g["y"]));
    CHECK_SAME(misses(ops::conv2d_backward_input(dy, w, x.shape(), options), g["dx"][0]));
    CHECK_SAME(misses(ops::conv2d_backward_weight(x, dy, w.shape(), options), g["dx"][1]));
    CHECK_SAME(misses(ops::sum_rows(dy), g["dx"][2]));
  }
}

TEST_CASE("PyTorch goldens: conv2d") {
  check_conv2d(ConvBackend::native);
  check_conv2d(ConvBackend::reference);
}

TEST_CASE("PyTorch goldens: conv2d by oneDNN" * doctest::test_suite("needs oneDNN")) {
  if (!onednn_available()) return skip_test("built without oneDNN");
  check_conv2d(ConvBackend::onednn);
}

TEST_CASE("PyTorch goldens: conv2d by Eigen" * doctest::test_suite("needs Eigen")) {
  if (!eigen_available()) return skip_test("built without Eigen");
  check_conv2d(ConvBackend::eigen);
}

TEST_CASE("PyTorch goldens: linear") {
  for (const json& g : goldens("linear")) {
    const Tensor x = tensor_of(g["x"]), w = tensor_of(g["w"]), dy = tensor_of(g["dy"]);
    CHECK_SAME(misses(ops::linear(x, w, tensor_of(g["bias"])), g["y"]));
    CHECK_SAME(misses(ops::linear_backward_input(dy, w), g["dx"][0]));
    CHECK_SAME(misses(ops::linear_backward_weight(x, dy), g["dx"][1]));
    CHECK_SAME(misses(ops::sum_rows(dy), g["dx"][2]));
  }
}

TEST_CASE("PyTorch goldens: pooling, with bins larger than the map and ties") {
  for (const json& g : goldens("adaptive_avg_pool2d")) {
    const Tensor x = tensor_of(g["x"]);
    CHECK_SAME(misses(ops::adaptive_avg_pool2d(x, g["bins"]), g["y"]));
    CHECK_SAME(misses(ops::adaptive_avg_pool2d_backward(tensor_of(g["dy"]), x.shape()), g["dx"][0]));
  }
  for (const json& g : goldens("adaptive_max_pool2d")) {
    const Tensor x = tensor_of(g["x"]);
    CHECK_SAME(misses(ops::adaptive_max_pool2d(x, g["bins"]), g["y"]));
    CHECK_SAME(misses(ops::adaptive_max_pool2d_backward(tensor_of(g["dy"]), x), g["dx"][0]));
  }
  for (const json& g : goldens("max_pool2d")) {
    const Tensor x = tensor_of(g["x"]);
    const ops::Pool2dOptions options{g["kernel"], g["stride"], g["padding"]};
    CHECK_SAME(misses(ops::max_pool2d(x, options), g["y"]));
    CHECK_SAME(misses(ops::max_pool2d_backward(tensor_of(g["dy"]), x, options), g["dx"][0]));
  }
}

TEST_CASE("PyTorch goldens: resize_bilinear") {
  for (const json& g : goldens("resize_bilinear")) {
    const Tensor x = tensor_of(g["x"]);
    CAPTURE(x.shape().str());
    CAPTURE(g["align_corners"].dump());
    CHECK_SAME(misses(ops::resize_bilinear(x, g["height"], g["width"], g["align_corners"]), g["y"]));
    CHECK_SAME(misses(ops::resize_bilinear_backward(tensor_of(g["dy"]), x.shape(), g["align_corners"]), g["dx"][0]));
  }
}

TEST_CASE("PyTorch goldens: batch norm and its running statistics") {
  for (const json& g : goldens("batch_norm")) {
    const Tensor x = tensor_of(g["x"]), gamma = tensor_of(g["gamma"]), beta = tensor_of(g["beta"]);
    const Tensor mean = tensor_of(g["mean"]), var = tensor_of(g["var"]), dy = tensor_of(g["dy"]);
    const ops::BatchNormOptions options{.eps = g["eps"], .momentum = g["momentum"]};
    ops::BatchNormGradients gradients;
    if (g["training"].get<bool>()) {
      const ops::BatchNormResult result = ops::batch_norm_train(x, gamma, beta, mean, var, {}, options);
      CHECK_SAME(misses(result.y, g["y"]));
      gradients = ops::batch_norm_train_backward(dy, x, {}, gamma, result.mean, result.invstd, false, options);
    } else {
      CHECK_SAME(misses(ops::batch_norm_eval(x, gamma, beta, mean, var, {}, options), g["y"]));
      gradients = ops::batch_norm_eval_backward(dy, x, {}, gamma, mean, var, false, options);
    }
    CHECK_SAME(misses(mean, g["new_mean"]));
    CHECK_SAME(misses(var, g["new_var"]));
    CHECK_SAME(misses(gradients.x, g["dx"][0]));
    CHECK_SAME(misses(gradients.gamma, g["dx"][1]));
    CHECK_SAME(misses(gradients.beta, g["dx"][2]));
  }
}

TEST_CASE("PyTorch goldens: softmax and cross-entropy") {
  for (const json& g : goldens("softmax")) {
    const Tensor y = ops::softmax(tensor_of(g["x"]));
    CHECK_SAME(misses(y, g["y"]));
    CHECK_SAME(misses(ops::softmax_backward(tensor_of(g["dy"]), y), g["dx"][0]));
  }
  for (const json& g : goldens("cross_entropy")) {
    const Tensor x = tensor_of(g["x"]);
    const Labels labels = labels_of(g["labels"], x);
    ops::CrossEntropyOptions options;
    if (!g["weights"].is_null()) options.class_weights = tensor_of(g["weights"]);
    const ops::CrossEntropyResult result = ops::cross_entropy(x, labels, options);
    CHECK_SAME(differs(result.loss, Array({1}, g["loss"].get<double>()), kBound));
    CHECK_SAME(misses(ops::cross_entropy_backward(1.0F, x, labels, result, options), g["dx"][0]));
  }
}

TEST_CASE("PyTorch goldens: argmax with ties and a NaN") {
  for (const json& g : goldens("argmax")) {
    const Tensor x = tensor_of(g["x"]);
    for (int64_t i = 0; i < x.numel(); ++i) {
      if (x.data()[i] == -1e30F) x.data()[i] = std::numeric_limits<float>::quiet_NaN();
    }
    CHECK(ops::argmax(x).values == labels_of(g["labels"], x).values);
  }
}

TEST_CASE("PyTorch goldens: SGD with momentum and weight decay") {
  for (const json& g : goldens("sgd")) {
    const Tensor p = tensor_of(g["p"]), v = Tensor::zeros(p.shape());
    const ops::SgdOptions options{g["learning_rate"], g["momentum"], g["weight_decay"]};
    for (size_t step = 0; step < g["gradients"].size(); ++step) {
      ops::sgd_step(p, v, tensor_of(g["gradients"][step]), options);
      CHECK_SAME(misses(p, g["after"][step]));
    }
  }
}

}  // namespace
}  // namespace giza
