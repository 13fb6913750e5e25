// Whole small networks against PyTorch: tests/golden/make_pspnet_goldens.py and make_network_goldens.py.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/variable.h"
#include "models/scene_parser.h"
#include "tensor/simd.h"
#include "tests/support/mixed.h"
#include "tests/support/scopes.h"

namespace giza {
namespace {

using nlohmann::json;

// Position in PyTorch's OIHW order of element i of a [K,R,S,C] weight; vectors are the same in both.
int64_t torch_position(const Shape& shape, int64_t i) {
  if (shape.rank() != 4) return i;
  const int64_t c = i % shape[3], s = i / shape[3] % shape[2], r = i / shape[3] / shape[2] % shape[1];
  const int64_t k = i / shape[3] / shape[2] / shape[1];
  return ((k * shape[3] + c) * shape[1] + r) * shape[2] + s;
}

void fill(const std::string& name, const Tensor& t) {
  const Shape& shape = t.shape();
  double scale = 0.4, shift = 0.0;
  if (shape.rank() == 4) {
    scale = 2 * std::sqrt(3.0 / static_cast<double>(shape[1] * shape[2] * shape[3]));
  } else if (name.ends_with("running_var") || name.ends_with("weight")) {
    scale = shift = 1.0;
  }
  const uint32_t key = crc32(name);
  for (int64_t i = 0; i < t.numel(); ++i) {
    const auto position = static_cast<uint64_t>(torch_position(shape, i));
    t.data()[i] = static_cast<float>(mixed(key, position) * scale + shift);
  }
}

/// The options of a case: those that every network has, and by "arch" and "settings" those of one. PSPNets' cases are
/// from before there were others.
models::NetworkOptions read_options(const json& o) {
  models::NetworkOptions options;
  for (size_t i = 0; i < 4; ++i) options.backbone.blocks[i] = o["blocks"][i];
  options.backbone.block = o["bottleneck"] ? models::BlockKind::bottleneck : models::BlockKind::basic;
  options.backbone.stem = o["stem"] == "deep" ? models::Stem::deep : models::Stem::plain;
  options.backbone.width = o["width"].get<double>() / 64;
  options.backbone.first_block = o["half"] ? models::FirstBlockDilation::half : models::FirstBlockDilation::full;
  options.classes = o["classes"];
  options.dropout = 0;
  if (o.contains("arch")) {
    options.arch = o["arch"];
    options.align_corners = o.value("align_corners", true);
    options.backbone.output_stride = o["output_stride"];
    for (const auto& [name, value] : o["settings"].items()) {
      models::Setting setting = value.is_boolean()  ? models::Setting(value.get<bool>())
                                : value.is_number() ? models::Setting(value.get<int>())
                                : value.is_string() ? models::Setting(value.get<std::string>())
                                                    : models::Setting(value.get<std::vector<int>>());
      options.settings[name] = std::move(setting);
    }
    return options;
  }
  options.arch = o["bins"].empty() ? "baseline" : "psp";
  options.settings["bins"] = o["bins"].get<std::vector<int>>();
  options.settings["pool"] = o["pool"].get<std::string>();
  options.settings["ppm_reduce"] = o["reduce"].get<bool>();
  return options;
}

void check_network(const json& golden) {
  const json& o = golden["options"];
  const std::unique_ptr<models::SceneParser> network = models::make_parser(read_options(o));
  const models::SceneParser& net = *network;
  for (const auto& p : net.parameters()) fill(p.name, p.variable.value());
  for (const auto& b : net.buffers()) fill(b.name, b.tensor);

  const int64_t n = o["batch"], h = o["size"][0], w = o["size"][1], classes = o["classes"];
  Tensor x = Tensor::activation({n, h, w, 3});
  Labels labels(n, h, w);
  const uint32_t input_key = crc32("input"), label_key = crc32("label");
  for (int64_t i = 0; i < n * h * w; ++i) {
    for (int64_t c = 0; c < 3; ++c) {
      const int64_t position = (i / (h * w) * 3 + c) * h * w + i % (h * w);
      x.row(i)[c] = static_cast<float>(mixed(input_key, static_cast<uint64_t>(position)) * 4);
    }
    const auto label =
        static_cast<int32_t>((mixed(label_key, static_cast<uint64_t>(i)) + 0.5) * static_cast<double>(classes + 1));
    labels.values[static_cast<size_t>(i)] = label == classes ? 255 : label;
  }

  {
    const autograd::NoGrad no_grad;
    const Tensor logits = net.forward(layers::Variable(x), {}).upsampled_logits().value();
    REQUIRE(logits.shape() == Shape{n, h, w, classes});
    const json& expected = golden["logits_every_7th"];
    double error = 0, norm = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto at = static_cast<int64_t>(7 * i);
      const int64_t item = at / (classes * h * w), k = at / (h * w) % classes, pixel = at % (h * w);
      const double want = expected[i];
      error += std::pow(static_cast<double>(logits.row(item * h * w + pixel)[k]) - want, 2);
      norm += want * want;
    }
    CHECK(std::sqrt(error / norm) <= 1e-5);
  }

  const models::ParserOutput output = net.forward(layers::Variable(x), {.training = true});
  const models::ParserLoss loss = net.loss(output, labels);
  CHECK(loss.main == doctest::Approx(golden["loss"][0].get<double>()).epsilon(1e-5));
  CHECK(loss.aux == doctest::Approx(golden["loss"][1].get<double>()).epsilon(1e-5));
  autograd::backward(loss.total);
  CHECK(net.parameters().size() == golden["gradients"].size());
  for (const auto& p : net.parameters()) {
    CAPTURE(p.name);
    REQUIRE(golden["gradients"].contains(p.name));
    const json& expected = golden["gradients"][p.name];
    const Tensor gradient = p.variable.grad();
    if (!gradient.defined()) {
      CHECK(expected[1] == 0);  // fixed
      continue;
    }
    double sum = 0, squares = 0, product = 0;
    const uint32_t key = crc32("dot." + p.name);
    for (int64_t i = 0; i < gradient.numel(); ++i) {
      const auto g = static_cast<double>(gradient.data()[i]);
      sum += g;
      squares += g * g;
      product += g * mixed(key, static_cast<uint64_t>(torch_position(gradient.shape(), i)));
    }
    // Float against double through some twenty layers: each figure within 1e-4 of the gradient's size. Approx allows
    // that much of 1 + the size; small ones are held against themselves too: the pyramid's bin of all pixels differs by
    // 1.4e-4.
    const double norm = expected[1], scale = norm * std::sqrt(static_cast<double>(gradient.numel())) + 1e-9;
    CHECK(std::sqrt(squares) == doctest::Approx(norm).epsilon(1e-4));
    CHECK(std::sqrt(squares) == doctest::Approx(norm).epsilon(2e-4).scale(0));
    CHECK(std::abs(sum - expected[0].get<double>()) <= 1e-4 * scale);
    CHECK(std::abs(product - expected[2].get<double>()) <= 1e-4 * scale);
  }
  for (const auto& b : net.buffers()) {
    CAPTURE(b.name);
    double squares = 0;
    for (const float v : b.tensor.to_vector()) squares += static_cast<double>(v) * static_cast<double>(v);
    CHECK(std::sqrt(squares) == doctest::Approx(golden["running"][b.name].get<double>()).epsilon(1e-5));
  }
}

void check_networks(const std::string& family, const std::vector<std::string>& cases) {
  for (const std::string& name : cases) {
    const IsaScope restore;
    std::ifstream file(GIZA_SOURCE_DIR "/tests/golden/" + family + "_" + name + ".json");
    const json golden = json::parse(file);
    for (const std::string& target : isa_targets()) {
      CAPTURE(name);
      CAPTURE(target);
      set_isa(target);
      check_network(golden);
    }
  }
}

TEST_CASE("small PSPNets agree with PyTorch: logits, losses, gradients, running statistics") {
  check_networks("pspnet", {"basic", "bottleneck", "plain", "baseline"});
}

TEST_CASE("so do the networks that PSPNet is compared with") {
  check_networks("network", {"fcn32s", "fcn16s", "fcn8s", "fcn8s_at_once"});
  check_networks("network", {"dilated", "dilated_large", "dilated_10", "front_end"});
  check_networks("network",
                 {"aspp", "aspp_msc", "aspp_msc_half_pixel", "largefov", "deeplabv3", "deeplabv3_mmseg", "fcn"});
  check_networks("network", {"parsenet", "parsenet_early", "parsenet_plain"});
  check_networks("network", {"segnet", "segnet_basic", "cascade"});
}

TEST_CASE("so do their published forms on VGG16") {
  check_networks("network", {"fcn32s_vgg", "fcn16s_vgg", "fcn8s_vgg", "largefov_vgg", "dilated_vgg"});
}

}  // namespace
}  // namespace giza
