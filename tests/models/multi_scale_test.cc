// Inputs of several scales: where their rows lie, labels of their sizes, and what the option leaves alone.
#include "models/multi_scale.h"

#include <algorithm>
#include <cmath>

#include "autograd/functions/functions.h"
#include "models/scene_parser.h"
#include "models/weights/infer.h"
#include "tests/support/op_testing.h"

namespace giza::models {
namespace {

using autograd::Variable;

NetworkOptions tiny(bool msc, bool align_corners = true) {
  NetworkOptions options;
  options.arch = "aspp";
  options.settings = {{"aspp_rates", std::vector<int>{1, 2}}, {"aspp_msc", msc}};
  options.backbone.blocks = {1, 1, 1, 1};
  options.backbone.block = BlockKind::basic;
  options.backbone.width = 0.125;
  options.classes = 4;
  options.align_corners = align_corners;
  return options;
}

/// x [1,H,W,C] between its pixels; positions beyond the border are the border's.
double bilinear(const Tensor& x, double row, double column, int64_t c) {
  const auto place = [](double at, int64_t size, int64_t* low) {
    at = std::clamp(at, 0.0, static_cast<double>(size - 1));
    *low = std::min(static_cast<int64_t>(at), std::max<int64_t>(0, size - 2));
    return at - static_cast<double>(*low);
  };
  int64_t top = 0, left = 0;
  const double down = place(row, x.dim(1), &top), right = place(column, x.dim(2), &left);
  const auto pixel = [&](int64_t r, int64_t s) {
    const int64_t y = std::min(r, x.dim(1) - 1), z = std::min(s, x.dim(2) - 1);
    return static_cast<double>(x.row(y * x.dim(2) + z)[c]);
  };
  return (1 - down) * ((1 - right) * pixel(top, left) + right * pixel(top, left + 1)) +
         down * ((1 - right) * pixel(top + 1, left) + right * pixel(top + 1, left + 1));
}

TEST_CASE("inputs of a smaller scale lie where PyTorch's scale_factor puts them, whatever the size") {
  for (const InputScale scale : kInputScales) {
    const double factor = static_cast<double>(scale.numerator) / static_cast<double>(scale.denominator);
    for (const int64_t h : {1, 2, 3, 4, 5, 6, 7, 8, 9, 57, 58, 59}) {
      const int64_t w = 60 - h;
      CAPTURE(factor);
      CAPTURE(h);
      const Tensor x = make_numbers({1, h, w, 3}, CaseData::normal, 3);
      const Tensor y = at_scale(Variable(x), scale, /*align_corners=*/false).value();
      const auto size = [&](int64_t n) {
        return std::max<int64_t>(1, static_cast<int64_t>(std::floor(static_cast<double>(n) * factor)));
      };
      REQUIRE(y.shape() == Shape{1, size(h), size(w), 3});
      double error = 0;
      for (int64_t i = 0; i < y.rows(); ++i) {
        const auto at = [&](int64_t k) { return (static_cast<double>(k) + 0.5) / factor - 0.5; };
        for (int64_t c = 0; c < 3; ++c) {
          const double want = bilinear(x, at(i / y.dim(2)), at(i % y.dim(2)), c);
          error = std::max(error, std::abs(want - static_cast<double>(y.row(i)[c])));
        }
      }
      CHECK(error < 2e-6);
    }
  }
}

TEST_CASE("where corners are aligned, inputs have the published network's sizes, and their corners") {
  const Tensor x = make_numbers({1, 321, 33, 3}, CaseData::normal, 3);
  const Tensor half = at_scale(Variable(x), kInputScales[0], true).value();
  const Tensor more = at_scale(Variable(x), kInputScales[1], true).value();
  CHECK(half.shape() == Shape{1, 161, 17, 3});
  CHECK(more.shape() == Shape{1, 241, 25, 3});
  CHECK(more.row(0)[1] == x.row(0)[1]);
  CHECK(more.row(more.rows() - 1)[2] == doctest::Approx(x.row(x.rows() - 1)[2]));
  // Every second pixel.
  CHECK(half.row(17 * 3 + 5)[0] == doctest::Approx(x.row(33 * 6 + 10)[0]));
  CHECK(at_scale(Variable(make_numbers({1, 1, 2, 3}, CaseData::normal, 1)), kInputScales[0], true).value().shape() ==
        Shape{1, 1, 1, 3});
}

TEST_CASE("labels of another size are those of PIL's NEAREST, ties and all") {
  const auto resized = [](int64_t from, int64_t to) {
    Labels labels(2, 3, from);
    for (int64_t i = 0; i < 2 * 3 * from; ++i) labels.values[static_cast<size_t>(i)] = static_cast<int32_t>(i);
    const Labels small = resized_labels(labels, 1, to);
    REQUIRE((small.n == 2 && small.h == 1 && small.w == to));
    std::vector<int32_t> columns;
    for (int64_t i = 0; i < to; ++i) {
      columns.push_back(small.at(0, 0, i) - static_cast<int32_t>(from));  // the middle one of three rows
      CHECK(small.at(1, 0, i) - small.at(0, 0, i) == 3 * from);
    }
    return columns;
  };
  // Image.fromarray(numpy.arange(from)).resize((to, 1), Image.NEAREST) of Pillow 13. The fourth of seven lies at 1.
  CHECK(resized(2, 7) == std::vector<int32_t>{0, 0, 0, 0, 1, 1, 1});
  CHECK(resized(7, 3) == std::vector<int32_t>{1, 3, 5});
  CHECK(resized(6, 9) == std::vector<int32_t>{0, 1, 1, 2, 2, 3, 4, 5, 5});
  CHECK(resized(58, 8) == std::vector<int32_t>{3, 10, 18, 25, 32, 39, 47, 54});
  CHECK(resized(66, 9) == std::vector<int32_t>{3, 11, 18, 25, 33, 40, 47, 55, 62});
  CHECK(resized(5, 5) == std::vector<int32_t>{0, 1, 2, 3, 4});
  CHECK_THROWS_AS(resized_labels(Labels(1, 3, 3), 0, 2), ShapeError);
}

TEST_CASE("MSC: the largest of three scores; streams and their losses only in training") {
  for (const bool align_corners : {true, false}) {
    const auto one = make_parser(tiny(false, align_corners)), three = make_parser(tiny(true, align_corners));
    const Variable x(make_numbers({2, 58, 45, 3}, CaseData::normal, 5));
    const ParserOutput output = three->forward(x, {});
    CHECK(output.streams.empty());
    Variable want = one->forward(x, {}).logits;
    for (const InputScale scale : kInputScales) {
      const Variable own = one->forward(at_scale(x, scale, align_corners), {}).logits;
      const int64_t h = want.value().dim(1), w = want.value().dim(2);
      want = autograd::maximum(want, autograd::resize_bilinear(own, h, w, align_corners));
    }
    CHECK(output.logits.value().to_vector() == want.value().to_vector());
    CHECK(output.logits.value().to_vector() != one->forward(x, {}).logits.value().to_vector());

    const Labels labels = make_labels(2, 58, 45, 4, 255, false, 2);
    const ParserOutput training = three->forward(x, {.training = true});
    REQUIRE(training.streams.size() == 3);
    const ParserLoss loss = three->loss(training, labels);
    double sum = static_cast<double>(three->loss(output, labels).total.value().item());
    CHECK(std::isfinite(sum));
    sum = 0;
    for (const Variable& each : {training.streams[0], training.streams[1], training.streams[2], training.logits}) {
      const Labels own = resized_labels(labels, each.value().dim(1), each.value().dim(2));
      sum += static_cast<double>(autograd::cross_entropy(each, own).value().item());
    }
    CHECK(loss.main == doctest::Approx(sum));
    CHECK(loss.aux > 0);
    CHECK(loss.valid == std::count_if(labels.values.begin(), labels.values.end(), [](int32_t l) { return l != 255; }));
    CHECK(loss.right > 0);
    CHECK(loss.right < loss.valid);
    CHECK_THROWS_AS(three->loss(training, Labels(2, 57, 45)), ShapeError);
  }
}

TEST_CASE(
    "MSC: pictures of one pixel, and a training step with the same bits at any number of threads, recomputed or not") {
  const Tensor dot = make_numbers({1, 1, 1, 3}, CaseData::normal, 5);
  for (const bool align_corners : {true, false}) {
    CHECK(make_parser(tiny(true, align_corners))->forward(Variable(dot), {}).logits.shape() == Shape{1, 1, 1, 4});
  }
  const Tensor x = make_numbers({2, 65, 73, 3}, CaseData::normal, 1);
  const Labels labels = make_labels(2, 65, 73, 4, 255, false, 2);
  const auto step = [&](bool recompute) {
    const auto model = make_parser(tiny(true, /*align_corners=*/false));
    const auto output = model->forward(Variable(x), {.training = true, .seed = 3, .recompute = recompute});
    autograd::backward(model->loss(output, labels).total);
    std::vector<Tensor> results;
    for (const auto& parameter : model->parameters()) results.push_back(parameter.variable.grad());
    for (const auto& buffer : model->buffers()) results.push_back(buffer.tensor);
    return results;
  };
  CHECK_SAME(differs_between_threads([&] { return step(false); }));
  const std::vector<Tensor> plain = step(false), again = step(true);
  for (size_t i = 0; i < plain.size(); ++i) CHECK(plain[i].to_vector() == again[i].to_vector());
}

TEST_CASE("an option that came later stands in a description only where it is not standard") {
  const std::string without = options_to_json(tiny(false)), with = options_to_json(tiny(true));
  CHECK(without.find("aspp_msc") == std::string::npos);
  CHECK(with.find("\"aspp_msc\":true") != std::string::npos);
  CHECK_FALSE(options_from_json(without, "f").flag("aspp_msc"));
  CHECK(options_from_json(with, "f").flag("aspp_msc"));
  CHECK(options_to_json(options_from_json(with, "f")) == with);
}

}  // namespace
}  // namespace giza::models
