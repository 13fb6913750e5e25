// The fully connected CRF: against the mean field in double, against pydensecrf, and at the edges.
#include "train/eval/dense_crf.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "tensor/ops/softmax.h"
#include "tensor/random.h"
#include "tests/support/op_testing.h"
#include "tests/support/oracle_crf.h"
#include "train/config/parts.h"
#include "train/eval/evaluator.h"

namespace giza::train {
namespace {

using oracle::PixelRows;

/// A disc on a ground, with noise in the colours.
Image disc_picture(int width, int height, uint32_t noise = 13) {
  Image picture(width, height);
  Random random(5, Purpose::test);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool inside = 9 * (2 * x - width) * (2 * x - width) + 9 * (2 * y - height) * (2 * y - height) <
                          4 * std::min(width, height) * std::min(width, height);
      for (int c = 0; c < 3; ++c) {
        picture.at(x, y)[c] = static_cast<uint8_t>((inside ? 190 - 40 * c : 70 + 30 * c) + random.next_below(noise));
      }
    }
  }
  return picture;
}

/// Probabilities that follow the picture's red, with noise.
Tensor noisy_probabilities(const Image& picture, int64_t classes) {
  Tensor scores = Tensor::activation({1, picture.height, picture.width, classes});
  Random random(6, Purpose::test);
  for (int64_t i = 0; i < scores.rows(); ++i) {
    const bool inside = picture.rgb[static_cast<size_t>(3 * i)] > 130;
    for (int64_t c = 0; c < classes; ++c) {
      scores.row(i)[c] = random.next_uniform(-2, 2) + (c == (inside ? 1 : 0) ? 1.5F : 0.0F);
    }
  }
  return ops::softmax(scores);
}

PixelRows rows_of(const Tensor& x) {
  PixelRows rows;
  for (int64_t i = 0; i < x.rows(); ++i) rows.emplace_back(x.row(i), x.row(i) + x.channels());
  return rows;
}

PixelRows features_of(const Image& picture, bool colors, double xy, double rgb) {
  PixelRows rows;
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      std::vector<double> feature = {x / xy, y / xy};
      for (int c = 0; c < 3 && colors; ++c) feature.push_back(picture.at(x, y)[c] / rgb);
      rows.push_back(feature);
    }
  }
  return rows;
}

/// dense_crf in double.
PixelRows expected_crf(const Tensor& p, const Image& picture, const CrfOptions& options, bool exact) {
  std::vector<oracle::LinearFilter> filters;
  const auto add = [&](const PixelRows& features, double weight) {
    oracle::LinearFilter filter = [features](const PixelRows& x) { return oracle::exact_gaussian(features, x); };
    if (!exact) {
      const auto lattice = std::make_shared<oracle::PermutohedralFilter>(features);
      filter = [lattice](const PixelRows& x) { return lattice->filter(x); };
    }
    filters.push_back(oracle::normalized(filter, features.size(), options.normalization, weight));
  };
  add(features_of(picture, true, options.bilateral_xy, options.bilateral_rgb), options.bilateral_weight);
  add(features_of(picture, false, options.gaussian_xy, 0), options.gaussian_weight);
  return oracle::mean_field(rows_of(p), filters, options.iterations);
}

struct Distance {
  double relative_l2, other_labels;  // the second a share of the pixels
};
Distance distance(const Tensor& q, const PixelRows& expected) {
  double difference = 0, norm = 0;
  int64_t others = 0;
  for (int64_t i = 0; i < q.rows(); ++i) {
    const auto& row = expected[static_cast<size_t>(i)];
    for (int64_t c = 0; c < q.channels(); ++c) {
      difference += std::pow(q.row(i)[c] - row[static_cast<size_t>(c)], 2);
      norm += std::pow(row[static_cast<size_t>(c)], 2);
    }
    others += std::max_element(q.row(i), q.row(i) + q.channels()) - q.row(i) !=
              std::max_element(row.begin(), row.end()) - row.begin();
  }
  return {std::sqrt(difference / norm), static_cast<double>(others) / static_cast<double>(q.rows())};
}

TEST_CASE("dense CRF: the mean field in double, exactly and by the lattice, for all normalisations") {
  const Image picture = disc_picture(48, 40);  // 1,920 pixels
  const Tensor p = noisy_probabilities(picture, 5);
  for (const char* normalization : {"symmetric", "before", "after", "none"}) {
    CAPTURE(normalization);
    CrfOptions options{.normalization = normalization, .filter = "exact"};
    if (options.normalization == "none") options.bilateral_weight = options.gaussian_weight = 0.05;
    CHECK(distance(dense_crf(p, picture, options), expected_crf(p, picture, options, true)).relative_l2 < 2e-6);
    options.filter = "lattice";
    CHECK(distance(dense_crf(p, picture, options), expected_crf(p, picture, options, false)).relative_l2 < 1e-5);
  }
}

TEST_CASE("dense CRF: how far the lattice is from the exact filter") {
  const Image picture = disc_picture(32, 24);
  const Tensor p = noisy_probabilities(picture, 5);
  CrfOptions options{.filter = "lattice"};
  const Distance of_lattice = distance(dense_crf(p, picture, options), expected_crf(p, picture, options, true));
  CHECK(of_lattice.relative_l2 < 0.12);
  CHECK(of_lattice.relative_l2 > 1e-4);
  CHECK(of_lattice.other_labels < 0.03);
  // auto means exact for so few pixels.
  options.filter = "auto";
  CHECK(distance(dense_crf(p, picture, options), expected_crf(p, picture, options, true)).relative_l2 < 2e-6);
  const Image larger = disc_picture(64, 33);  // 2,112 pixels
  const Tensor q = noisy_probabilities(larger, 3);
  CHECK(same_bits(dense_crf(q, larger, {.filter = "auto"}), dense_crf(q, larger, {.filter = "lattice"})));
}

TEST_CASE("dense CRF: pydensecrf's Q") {
  std::ifstream stream(GIZA_SOURCE_DIR "/tests/golden/crf.json");
  const auto golden = nlohmann::json::parse(stream);
  Image picture(golden["width"], golden["height"]);
  picture.rgb = golden["picture"].get<std::vector<uint8_t>>();
  const Shape shape{1, picture.height, picture.width, golden["classes"].get<int64_t>()};
  const Tensor p = Tensor::from(shape, golden["probabilities"].get<std::vector<float>>());
  REQUIRE(golden["cases"].size() == 10);
  for (const auto& of : golden["cases"]) {
    const CrfOptions options{.iterations = of["iterations"],
                             .bilateral_weight = of["bilateral"][0],
                             .bilateral_xy = of["bilateral"][1],
                             .bilateral_rgb = of["bilateral"][2],
                             .gaussian_weight = of["gaussian"][0],
                             .gaussian_xy = of["gaussian"][1],
                             .normalization = of["normalization"],
                             .filter = "lattice"};
    CAPTURE(crf_name(options));
    const std::vector<float> q = dense_crf(p, picture, options).to_vector(), expected = of["q"];
    REQUIRE(q.size() == expected.size());
    float most = 0;
    for (size_t i = 0; i < q.size(); ++i) most = std::max(most, std::abs(q[i] - expected[i]));
    CHECK(most < 1e-5F);
  }
}

TEST_CASE("dense CRF: the same bits at any number of threads") {
  const Image picture = disc_picture(150, 70);
  const Tensor p = noisy_probabilities(picture, 11);
  CHECK_SAME(differs_between_threads([&] { return std::vector<Tensor>{dense_crf(p, picture, {})}; }));
}

/// True if the rows of q are finite and sum to 1.
bool is_distribution(const Tensor& q) {
  for (int64_t i = 0; i < q.rows(); ++i) {
    float sum = 0;
    for (int64_t c = 0; c < q.channels(); ++c) sum += q.row(i)[c];
    if (!(std::abs(sum - 1) < 1e-5F)) return false;
  }
  return true;
}

TEST_CASE("dense CRF: smooths noise and keeps the edge") {
  const Image picture = disc_picture(80, 60, 3);
  const Tensor p = noisy_probabilities(picture, 4), q = dense_crf(p, picture, {});
  int64_t wrong_before = 0, wrong_after = 0;
  const Labels before = ops::argmax(p), after = ops::argmax(q);
  for (int64_t i = 0; i < p.rows(); ++i) {
    const int32_t truth = picture.rgb[static_cast<size_t>(3 * i)] > 130 ? 1 : 0;
    wrong_before += before.values[static_cast<size_t>(i)] != truth;
    wrong_after += after.values[static_cast<size_t>(i)] != truth;
  }
  CHECK(wrong_before > 500);
  CHECK(wrong_after < 20);
}

TEST_CASE("dense CRF: pictures of one pixel or one colour, one class, huge and tiny deviations, no weights") {
  for (const char* filter : {"lattice", "exact"}) {
    CAPTURE(filter);
    const CrfOptions plain{.filter = filter};
    const Image one = disc_picture(1, 1);
    CHECK(is_distribution(dense_crf(noisy_probabilities(one, 3), one, plain)));
    const Image flat(40, 30);
    CHECK(is_distribution(dense_crf(noisy_probabilities(flat, 3), flat, plain)));
    const Image picture = disc_picture(40, 30);
    const Tensor single = Tensor::full({1, 30, 40, 1}, 1.0F);
    CHECK(same_bits(dense_crf(single, picture, plain), single));
    const Tensor p = noisy_probabilities(picture, 3);
    CrfOptions options = plain;
    options.bilateral_xy = options.bilateral_rgb = options.gaussian_xy = 1e6;
    CHECK(is_distribution(dense_crf(p, picture, options)));
    options.bilateral_xy = options.bilateral_rgb = options.gaussian_xy = 0.5;
    CHECK(is_distribution(dense_crf(p, picture, options)));
    options = plain;
    options.bilateral_weight = options.gaussian_weight = 0;
    CHECK(distance(dense_crf(p, picture, options), rows_of(p)).relative_l2 < 1e-6);
    options = plain;
    options.iterations = 0;
    CHECK(distance(dense_crf(p, picture, options), rows_of(p)).relative_l2 < 1e-6);
  }
}

TEST_CASE("dense CRF: probabilities of 0 are clipped; others outside [0, 1] are named; so are bad options") {
  const Image picture = disc_picture(50, 45);
  Tensor p = Tensor::zeros({1, 45, 50, 2});
  for (int64_t i = 0; i < p.rows(); ++i) p.row(i)[i % 3 == 0 ? 0 : 1] = 1;
  CHECK(is_distribution(dense_crf(p, picture, {})));
  for (const float bad :
       {-0.5F, 1.5F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    p.row(2 * 50 + 7)[1] = bad;
    const std::string message = message_of<Error>([&] { dense_crf(p, picture, {}); });
    CHECK(contains(message, "class 1 at x=7, y=2"));
  }
  p.row(2 * 50 + 7)[1] = 0;
  CHECK_THROWS_AS(dense_crf(p, disc_picture(45, 50), {}), ShapeError);
  CHECK_THROWS_AS(dense_crf(p, picture, {.bilateral_xy = 0}), Refusal);
  CHECK_THROWS_AS(dense_crf(p, picture, {.bilateral_rgb = -3}), Refusal);
  CHECK_THROWS_AS(dense_crf(p, picture, {.gaussian_xy = NAN}), Refusal);
  CHECK_THROWS_AS(dense_crf(p, picture, {.iterations = -1}), Refusal);
  CHECK_THROWS_AS(dense_crf(p, picture, {.normalization = "both"}), Refusal);
  CHECK_THROWS_AS(dense_crf(p, picture, {.normalization = "before|after"}), Refusal);
  CHECK_THROWS_AS(dense_crf(p, picture, {.filter = ""}), Refusal);
  // What the lattice cannot hold; the exact filter can.
  const CrfOptions narrow{.bilateral_xy = 0.01, .bilateral_rgb = 0.01, .filter = "lattice"};
  const std::string message = message_of<Refusal>([&] { dense_crf(p, picture, narrow); });
  CHECK(contains(message, "TEST.crf_bilateral_xy or TEST.crf_bilateral_rgb"));
  CHECK(is_distribution(dense_crf(p, picture, {.bilateral_xy = 0.01, .bilateral_rgb = 0.01, .filter = "exact"})));
}

TEST_CASE("dense CRF: switched on by TEST.crf, for testing and not for validation; told in the protocol and the card") {
  const Config off = parse_config("", "f");
  CHECK(!test_protocol(off).crf);
  const Config on = parse_config("TEST:\n  crf: True\n  crf_iterations: 5\n  crf_normalization: after\n", "f");
  REQUIRE(test_protocol(on).crf);
  CHECK(*test_protocol(on).crf == CrfOptions{.iterations = 5, .normalization = "after"});
  CHECK(!validation_protocol(on).crf);
  CHECK(training_hash(on) == training_hash(off));
  CHECK(
      contains(protocol_name(test_protocol(on)),
               "mirrored, dense CRF (5 iterations; bilateral 4, xy 67, rgb 3; Gaussian 3, xy 1; after, auto filter)"));
  CHECK(contains(message_of<Refusal>([] { parse_config("TEST:\n  crf_bilateral_xy: 0\n", "f"); }), "f:2"));
}

TEST_CASE("dense CRF: runs on the averaged probabilities with the picture as it is") {
  const Image picture = disc_picture(60, 50);
  const Network network{[](const Tensor& x) {
                          Tensor logits = Tensor::activation(x.shape().with(3, 3));
                          for (int64_t i = 0; i < x.rows(); ++i) {
                            for (int64_t c = 0; c < 3; ++c)
                              logits.row(i)[c] = x.row(i)[c] * static_cast<float>(1 + i % 3);
                          }
                          return logits;
                        },
                        {},
                        "made up"};
  ProtocolOptions protocol;
  protocol.base_size = 0;
  protocol.crop_h = protocol.crop_w = 40;
  protocol.scales = {0.75, 1};
  const Tensor p = predict_probabilities(network, picture, protocol);
  protocol.crf = CrfOptions{.iterations = 3};
  const Tensor q = predict_probabilities(network, picture, protocol);
  CHECK(same_bits(q, dense_crf(p, picture, *protocol.crf)));
  const LabelMap labels = predict_labels(network, picture, protocol);
  const Labels expected = ops::argmax(q);
  CHECK(std::equal(labels.index.begin(), labels.index.end(), expected.values.begin(), expected.values.end()));
  // The shorter ways of predict_labels too: one scale, and one pass.
  protocol.scales = {1};
  protocol.crop_h = protocol.crop_w = 0;
  protocol.mirror = false;
  CHECK(std::ranges::equal(predict_labels(network, picture, protocol).index,
                           ops::argmax(predict_probabilities(network, picture, protocol)).values));
}

}  // namespace
}  // namespace giza::train
