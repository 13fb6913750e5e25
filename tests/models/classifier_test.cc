// Networks of whole pictures: spatial pyramid pooling against a naive reference, names in files, and trunks for
// parsers.
#include "models/classifier.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "models/pspnet.h"
#include "models/weights/infer.h"
#include "models/weights/naming.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tests/support/refusal.h"

namespace giza::models {
namespace {

struct Range {
  int64_t begin, end;
};

/// Window i of n along an axis of a positions, in the words of the paper and of its authors' code.
Range window(int64_t a, int64_t n, int64_t i, PyramidWindows windows) {
  if (windows == PyramidWindows::strided) return {i * (a / n), i * (a / n) + (a + n - 1) / n};
  return {i * a / n, ((i + 1) * a + n - 1) / n};
}

/// y and the gradient of sum(y * dy) by x, naively. x is [N,H,W,C]; y [N, C n n] for each n, channels outermost.
struct Naive {
  std::vector<float> y, dx;

  Naive(const Tensor& x, const std::vector<int64_t>& bins, PyramidWindows windows, const std::vector<float>& dy)
      : dx(static_cast<size_t>(x.numel())) {
    const int64_t h = x.dim(1), w = x.dim(2), channels = x.channels();
    const auto place = [&](int64_t item, int64_t v, int64_t u, int64_t c) {
      return static_cast<size_t>(((item * h + v) * w + u) * channels + c);
    };
    const std::vector<float> numbers = x.to_vector();
    for (int64_t item = 0; item < x.dim(0); ++item) {
      for (const int64_t n : bins) {
        for (int64_t c = 0; c < channels; ++c) {
          for (int64_t i = 0; i < n * n; ++i) {
            const Range rows = window(h, n, i / n, windows), columns = window(w, n, i % n, windows);
            size_t best = place(item, rows.begin, columns.begin, c);
            for (int64_t v = rows.begin; v < rows.end; ++v) {
              for (int64_t u = columns.begin; u < columns.end; ++u) {
                if (numbers[place(item, v, u, c)] > numbers[best]) best = place(item, v, u, c);
              }
            }
            dx[best] += dy[y.size()];
            y.push_back(numbers[best]);
          }
        }
      }
    }
  }
};

Tensor noise(const Shape& shape, uint32_t stream) {
  Tensor x = Tensor::activation(shape);
  Random random(3, Purpose::test, 0, stream);
  for (int64_t row = 0; row < x.rows(); ++row) {
    for (int64_t c = 0; c < x.channels(); ++c) x.row(row)[c] = random.next_uniform(-1, 1);
  }
  return x;
}

TEST_CASE("spatial pyramid: values, their order and the gradient are those of naive windows, at any size") {
  const std::vector<std::vector<int64_t>> pyramids = {{6, 3, 2, 1}, {1}, {4, 3, 2, 1}, {2, 5}};
  for (const PyramidWindows windows : {PyramidWindows::strided, PyramidWindows::adaptive}) {
    for (const auto& [h, w] : std::vector<std::pair<int64_t, int64_t>>{
             {6, 6}, {7, 7}, {13, 13}, {10, 10}, {8, 11}, {12, 9}, {23, 6}, {13, 25}, {11, 17}}) {
      for (const std::vector<int64_t>& bins : pyramids) {
        CAPTURE(h);
        CAPTURE(w);
        CAPTURE(bins.front());
        const Variable x(noise({2, h, w, 5}, 1), /*requires_grad=*/true);
        const Variable y = spatial_pyramid(x, bins, windows);
        const Tensor dy = noise(y.shape(), 2);
        const Naive naive(x.value(), bins, windows, dy.to_vector());
        CHECK(y.value().to_vector() == naive.y);
        autograd::backward(y, dy);
        const std::vector<float> dx = x.grad().to_vector();
        REQUIRE(dx.size() == naive.dx.size());
        float farthest = 0;
        for (size_t i = 0; i < dx.size(); ++i) farthest = std::max(farthest, std::abs(dx[i] - naive.dx[i]));
        CHECK(farthest < 1e-6F);  // of sums in another order
      }
    }
  }
}

TEST_CASE("spatial pyramid: both kinds of windows are the same where a side is a multiple or one more; refusals") {
  const std::vector<int64_t> bins = {6, 3, 2, 1};
  const auto pooled = [&](int64_t h, int64_t w, PyramidWindows windows) {
    return spatial_pyramid(Variable(noise({1, h, w, 3}, 4)), bins, windows).value().to_vector();
  };
  for (const int64_t side : {6, 7, 12, 13, 18, 19}) {
    CHECK(pooled(side, 13, PyramidWindows::strided) == pooled(side, 13, PyramidWindows::adaptive));
  }
  CHECK(pooled(9, 12, PyramidWindows::strided) != pooled(9, 12, PyramidWindows::adaptive));
  CHECK(pooled(2, 5, PyramidWindows::adaptive).size() == 150);
  const auto refusal = [](int64_t h, int64_t w, std::vector<int64_t> of) {
    return message_of<ShapeError>([&] {
      spatial_pyramid(Variable(Tensor::zeros({1, h, w, 3})), of, PyramidWindows::strided);
    });
  };
  CHECK(contains(refusal(5, 9, bins), "6x6 windows on a map of 5x9"));
  CHECK(contains(refusal(9, 9, {}), "no bins"));
  CHECK(contains(refusal(9, 9, {0}), "0 bins"));
}

NetworkOptions tiny(const char* arch, Stem stem = Stem::plain) {
  NetworkOptions options;
  options.arch = arch;
  options.backbone = ResnetOptions::of_depth(18);
  options.backbone.blocks = {1, 1, 1, 1};
  options.backbone.width = 0.125;
  options.backbone.stem = stem;
  options.backbone.output_stride = 32;
  options.classes = 5;
  return options;
}

TEST_CASE("classifier: one class a picture of any size, and the loss of its labels") {
  const auto model = make_parser(tiny("classifier"));
  CHECK(model->classifies_pictures());
  CHECK_FALSE(make_parser(tiny("psp"))->classifies_pictures());
  for (const int64_t side : {17, 64, 97}) {
    const ParserOutput output = model->forward(Variable(noise({3, side, side + 5, 3}, 5)), {.training = true});
    CHECK(output.logits.shape() == Shape{3, 1, 1, 5});
    CHECK(output.upsampled_logits().value().to_vector() == output.logits.value().to_vector());
    Labels labels(3, 1, 1);
    labels.values = {4, 0, 2};
    const ParserLoss loss = model->loss(output, labels);
    double expected = 0;
    for (int64_t i = 0; i < 3; ++i) {
      const float* logits = output.logits.value().row(i);
      double sum = 0;
      for (int64_t c = 0; c < 5; ++c) sum += std::exp(static_cast<double>(logits[c]));
      expected += (std::log(sum) - static_cast<double>(logits[labels.values[static_cast<size_t>(i)]])) / 3;
    }
    CHECK(loss.main == doctest::Approx(expected).epsilon(1e-5));
    CHECK(loss.valid == 3);
    CHECK_THROWS_AS(model->loss(output, Labels(3, 2, 2)), ShapeError);
  }
  CHECK_THROWS_AS(model->forward(Variable(Tensor::zeros({1, 9, 9, 4})), {}), ShapeError);
  CHECK(contains(message_of<ShapeError>([] {
                   make_parser(tiny("spp"))->forward(Variable(Tensor::zeros({1, 33, 33, 3})), {});
                 }),
                 "6x6 windows on a map of 2x2"));
}

TEST_CASE("classifier: torchvision's names there and back; what a file without a description tells") {
  const auto model = make_parser(tiny("classifier"));
  const WeightFile ours = state_dict(*model);
  CHECK(ours.find("fc.weight")->shape == std::vector<int64_t>{5, 64});
  std::vector<std::string> dropped;
  const WeightFile theirs = from_semseg_names(ours, Naming::torchvision, "f", &dropped);
  CHECK(dropped.empty());
  CHECK(theirs.find("conv1.weight") != nullptr);
  CHECK(theirs.find("fc.bias") != nullptr);
  CHECK(theirs.tensors.size() == ours.tensors.size());
  const WeightFile back = to_semseg_names(theirs, "f");
  CHECK(original_naming(back) == Naming::torchvision);
  const NetworkOptions options = options_from_weights(back, "f");
  CHECK(options.arch == "classifier");
  CHECK(options.classes == 5);
  CHECK(options.backbone.output_stride == 32);
  CHECK(state_dict(*build_parser(options, back, "f")).find("fc.weight")->data == ours.find("fc.weight")->data);

  // The deep stem has names too; mmsegmentation's backbones have no classifier of their own.
  const WeightFile deep = state_dict(*make_parser(tiny("classifier", Stem::deep)));
  for (const Naming naming : {Naming::imagenet, Naming::timm}) {
    const WeightFile named = to_semseg_names(from_semseg_names(deep, naming, "f"), "f");
    CHECK(named.tensors.size() == deep.tensors.size());
    CHECK(options_from_weights(named, "f").arch == "classifier");
  }
  CHECK(contains(message_of<Refusal>([&] { from_semseg_names(deep, Naming::mmseg, "FILE"); }), "fc.weight"));
  // Nor has anybody else a pyramid before it.
  const WeightFile pyramid = state_dict(*make_parser(tiny("spp")));
  CHECK(contains(message_of<Refusal>([&] { from_semseg_names(pyramid, Naming::torchvision, "FILE"); }),
                 "FILE: fc takes 3200 numbers, of 64 channels"));
}

TEST_CASE("spp: usual pyramids are told by their number of windows, others by the description alone") {
  for (const std::vector<int>& bins : {std::vector<int>{6, 3, 2, 1}, {4, 3, 2, 1}, {4, 2, 1}, {3, 2, 1}, {5}}) {
    NetworkOptions options = tiny("spp");
    options.settings["spp_bins"] = bins;
    WeightFile file = state_dict(*make_parser(options));
    if (bins.size() > 1) {
      const NetworkOptions told = options_from_weights(file, "f");
      CHECK(told.arch == "spp");
      CHECK(std::get<std::vector<int>>(told.settings.at("spp_bins")) == bins);
    } else {
      CHECK(contains(message_of<Refusal>([&] { options_from_weights(file, "FILE"); }),
                     "FILE: fc.weight has 1600 inputs"));
    }
    file.metadata[kModelKey] = options_to_json(options);
    CHECK(std::get<std::vector<int>>(options_from_weights(file, "f").settings.at("spp_bins")) == bins);
  }
}

TEST_CASE("a classifier's trunk starts a parser, whose head begins at random, and the other way round") {
  for (const char* arch : {"classifier", "spp"}) {
    NetworkOptions options = tiny(arch);
    options.seed = 1;
    const auto classifier = make_parser(options);
    const WeightFile file = state_dict(*classifier);
    NetworkOptions wanted = tiny("psp");
    wanted.seed = 2;
    const auto parser = make_parser(wanted);
    const WeightFile before = state_dict(*parser);
    CHECK_THROWS_AS(load_state_dict(*parser, file, "f"), Refusal);
    const std::vector<std::string> kept = load_state_dict(*parser, file, "f", {.backbone_only = true});
    CHECK(std::all_of(kept.begin(), kept.end(), is_new_layer));
    const WeightFile after = state_dict(*parser);
    for (const WeightTensor& tensor : after.tensors) {
      CAPTURE(tensor.name);
      CHECK(tensor.data == (is_new_layer(tensor.name) ? before : file).find(tensor.name)->data);
    }
    const auto again = make_parser(options);
    CHECK(load_state_dict(*again, after, "f", {.backbone_only = true}) ==
          std::vector<std::string>{"fc.weight", "fc.bias"});
  }
  NetworkOptions more = tiny("classifier");
  more.classes = 7;
  const auto model = make_parser(more);
  const WeightFile file = state_dict(*make_parser(tiny("classifier")));
  CHECK(contains(message_of<Refusal>([&] { load_state_dict(*model, file, "FILE"); }),
                 "FILE: the file's network has 5 classes, the model 7"));
  CHECK(load_state_dict(*model, file, "f", {.backbone_only = true}).size() == 2);
}

}  // namespace
}  // namespace giza::models
