// Tiny networks for the tests of train/explore, with running statistics and batch norms as training would leave them.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/pspnet.h"
#include "tensor/random.h"
#include "train/explore/explore.h"

namespace giza::train {

/// One block a stage, 8 to 64 channels; `change` may set what it likes.
template <class Change>
models::NetworkOptions tiny_options(const std::string& arch, Change&& change) {
  models::NetworkOptions options;
  options.arch = arch;
  options.backbone = models::ResnetOptions::of_depth(18);
  options.backbone.blocks = {1, 1, 1, 1};
  options.backbone.width = 0.125;
  options.classes = 5;
  options.aux = false;
  options.seed = 7;
  change(options);
  return options;
}
inline models::NetworkOptions tiny_options(const std::string& arch) {
  return tiny_options(arch, [](models::NetworkOptions&) {});
}

/// Draws what a fresh network has as 0 or 1: batch norms, and score layers that begin at zero.
inline void shake(const layers::Module& model) {
  Random random(11, Purpose::test);
  const auto fill = [&](const std::string& name, const Tensor& values) {
    const std::vector<float> fresh = values.to_vector();
    const bool zero = std::all_of(fresh.begin(), fresh.end(), [](float value) { return value == 0; });
    for (int64_t i = 0; (zero || values.rank() == 1) && i < values.numel(); ++i) {
      const float draw = static_cast<float>(random.next_below(1000)) / 1000;
      values.data()[i] = name.ends_with("running_var") || name.ends_with("weight") ? 0.5F + draw : draw - 0.5F;
    }
  };
  for (const layers::NamedParameter& parameter : model.parameters()) fill(parameter.name, parameter.variable.value());
  for (const layers::NamedBuffer& buffer : model.buffers()) fill(buffer.name, buffer.tensor);
}

inline std::unique_ptr<models::SceneParser> tiny_parser(const models::NetworkOptions& options) {
  auto parser = models::make_parser(options);
  shake(*parser);
  return parser;
}

/// Those options with another value of a setting.
inline models::NetworkOptions with_setting(models::NetworkOptions options, const char* name, models::Setting value) {
  options.settings.insert_or_assign(name, std::move(value));
  return options;
}

/// The PSPNets that the sums and the switches are tested on: what of the pyramid can differ does.
inline std::vector<models::NetworkOptions> pyramids() {
  const models::NetworkOptions psp = tiny_options("psp");
  return {psp, tiny_options("psp", [](auto& options) { options.align_corners = false; }),
          with_setting(psp, "pool", std::string("max")),
          with_setting(with_setting(psp, "ppm_reduce", false), "bins", std::vector<int>{2, 5}),
          with_setting(psp, "bins", std::vector<int>{1})};
}

inline const models::Pspnet& as_pspnet(const models::SceneParser& parser) {
  return dynamic_cast<const models::Pspnet&>(parser);
}

inline double largest_of(const Tensor& tensor) {
  double largest = 0;
  for (const float value : tensor.to_vector()) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const std::vector<float> left = a.to_vector(), right = b.to_vector();
  double largest = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(left[i]) - static_cast<double>(right[i])));
  }
  return largest;
}

/// A picture of noise and a gradient.
inline Image tiny_picture(int width, int height, uint32_t seed = 1) {
  Image image(width, height);
  Random random(5, Purpose::test, seed);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.at(x, y)[c] = static_cast<uint8_t>(random.next_below(120) + static_cast<uint32_t>(135 * x / width));
      }
    }
  }
  return image;
}

/// Names and colours of the classes, and few points.
inline ExploreOptions tiny_page_options(int classes = 5) {
  ExploreOptions options;
  options.points = 6;
  for (int c = 0; c < classes; ++c) {
    options.names.push_back(fmt::format("class {}", c));
    options.colors.push_back({static_cast<uint8_t>(40 * c), static_cast<uint8_t>(200 - 30 * c), 90});
  }
  return options;
}

inline ExploreSubject tiny_subject(const models::SceneParser& model, const std::string& title) {
  ProtocolOptions protocol;
  protocol.base_size = 0;
  return {.model = &model, .title = title, .file = title + ".safetensors", .protocol = protocol};
}

/// A network that is no PSPNet: what a later row of the factory may be.
class PlainParser : public models::SceneParser {
 public:
  PlainParser()
      : score_({.in = 3, .out = 5, .kernel = 3, .stride = 4}, true, layers::Init::default_uniform, {3, Purpose::test},
               {}) {
    add_child("score", score_);
  }
  models::ParserOutput forward(const autograd::Variable& x, const layers::Context& context) const override {
    models::ParserOutput output;
    output.height = x.value().dim(1);
    output.width = x.value().dim(2);
    output.logits = score_.forward(x, context);
    return output;
  }
  models::NetworkOptions description() const override {
    models::NetworkOptions options;
    options.classes = 5;
    return options;
  }

 private:
  layers::Conv2d score_;
};

}  // namespace giza::train
