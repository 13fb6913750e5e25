// The context module, and what networks refuse.
#include "models/context_module.h"

#include <doctest/doctest.h>

#include "models/scene_parser.h"
#include "tests/support/refusal.h"

namespace giza::models {
namespace {

TEST_CASE("context module: begins as the identity on what is not negative, narrow or wide") {
  Build build;
  build.seed = 3;
  const Tensor x = Tensor::activation({1, 40, 40, 5});
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t c = 0; c < 5; ++c) x.row(i)[c] = static_cast<float>((i * 7 + c * 3) % 11) / 8;
  }
  for (const int64_t layers : {7, 8, 10}) {
    const ContextModule narrow({.classes = 5, .layers = layers}, build);
    CHECK(narrow.layers().size() == static_cast<size_t>(layers));
    CHECK(narrow.forward(Variable(x), {}).value().to_vector() == x.to_vector());
  }
  // The wide form has noise by eq. 5; without it, the identity to rounding.
  const ContextModule wide({.classes = 5, .large = true}, build);
  for (const auto& layer : wide.layers()) {
    const Tensor weight = layer.conv->weight();
    const float share = 5.0F / static_cast<float>(weight.dim(0));
    for (int64_t i = 0; i < weight.numel(); ++i) {
      if (weight.data()[i] != share) weight.data()[i] = 0;
    }
  }
  const std::vector<float> want = x.to_vector(), got = wide.forward(Variable(x), {}).value().to_vector();
  for (size_t i = 0; i < want.size(); ++i) CHECK(got[i] == doctest::Approx(want[i]).epsilon(1e-5));
  CHECK_THROWS_AS(ContextModule({.classes = 5, .layers = 9}, build), ShapeError);
}

TEST_CASE("context module: the receptive fields of Table 1") {
  const auto field = [](int64_t layers) {
    Build build;
    build.seed = 3;
    const ContextModule module({.classes = 1, .layers = layers, .identity = false}, build);
    int64_t cells = 1;
    for (const auto& layer : module.layers())
      cells += (layer.conv->weight().dim(1) - 1) * layer.conv->options().dilation;
    return cells;
  };
  CHECK(field(7) == 35);
  CHECK(field(8) == 67);
  CHECK(field(10) == 259);
}

TEST_CASE("networks: options that fit none are refused with what was expected") {
  const auto refusal = [](const char* arch, Settings settings) {
    NetworkOptions options;
    options.arch = arch;
    options.classes = 4;
    options.backbone = ResnetOptions::of_depth(18);
    options.backbone.width = 0.125;
    options.settings = std::move(settings);
    return message_of<ShapeError>([&] { (void)make_parser(options); });
  };
  CHECK(contains(refusal("cascade", {}), "object_classes must name some of the 4 classes"));
  CHECK(contains(refusal("cascade", {{"object_classes", std::vector<int>{0, 1, 2, 3}}}), "not all"));
  CHECK(contains(refusal("cascade", {{"object_classes", std::vector<int>{1, 4}}}), "from 0 to 3"));
  CHECK(contains(refusal("cascade", {{"object_classes", std::vector<int>{1, 1}}}), "each once"));
  CHECK(contains(refusal("dilated", {{"context_layers", 9}}), "expected 7, 8 or 10"));
  CHECK(contains(refusal("aspp", {{"aspp_rates", std::vector<int>{0}}}), "dilation of 0"));
}

}  // namespace
}  // namespace giza::models
