// The test protocol on networks so simple that the answer is known.
#include "train/eval/evaluator.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "models/pspnet.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/ops/resize.h"
#include "tensor/ops/softmax.h"
#include "tensor/storage.h"
#include "tests/support/refusal.h"
#include "tests/train/tiny_set.h"

namespace giza::train {
namespace {

/// Two classes; the first has probability p(picture, item, y, x).
template <class Probability>
Network two_class_network(Probability p) {
  const auto network = [p](const Tensor& x) {
    Tensor logits = Tensor::activation(x.shape().with(3, 2));
    const int64_t height = x.dim(1), width = x.dim(2);
    for (int64_t row = 0; row < x.rows(); ++row) {
      const float value = p(x.row(row), row / width % height, row % width);
      logits.row(row)[0] = std::log(value);
      logits.row(row)[1] = std::log(1 - value);
    }
    return logits;
  };
  return {network, {}};
}

/// The first class's probability is the tile's column, whatever the picture shows.
Network column_network() {
  return two_class_network([](const float*, int64_t, int64_t x) { return static_cast<float>(x + 1) / 8; });
}

/// The first class's probability is the picture's own red.
Network red_network() {
  return two_class_network([](const float* pixel, int64_t, int64_t) {
    return (pixel[0] * kImageNetStd[0] + kImageNetMean[0]) / 256 * 0.98F + 0.01F;
  });
}

Image noise(int width, int height) {
  Image image(width, height);
  Random random(1, Purpose::test);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random.next_below(256));
  return image;
}

ProtocolOptions plain(int base_size, int crop_h, int crop_w) {
  ProtocolOptions options;
  options.base_size = base_size;
  options.crop_h = crop_h;
  options.crop_w = crop_w;
  options.mirror = false;
  return options;
}

std::vector<float> first_class(const Tensor& probabilities) {
  std::vector<float> values;
  for (int64_t row = 0; row < probabilities.rows(); ++row) values.push_back(probabilities.row(row)[0]);
  return values;
}

void check_close(const std::vector<float>& a, const std::vector<float>& b, double tolerance = 1e-5) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    REQUIRE(std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) <= tolerance);
  }
}

TEST_CASE("evaluator: sizes are rounded as Python rounds them") {
  const auto check_size = [](PictureSize size, int width, int height) {
    CHECK(size.width == width);
    CHECK(size.height == height);
  };
  check_size(scaled_size(500, 375, 512), 512, 384);
  check_size(scaled_size(375, 500, 512), 384, 512);
  check_size(scaled_size(640, 427, 512), 512, 342);  // 341.6
  check_size(scaled_size(4, 1, 10), 10, 2);          // 2.5, half to even
  check_size(scaled_size(4, 3, 2), 2, 2);            // 1.5, half to even
  check_size(scaled_size(100, 100, 7), 7, 7);
  check_size(scaled_size(1000, 1, 10), 10, 1);
}

TEST_CASE("evaluator: tiles start at multiples of the stride, the last one shifted back inside") {
  CHECK(tile_starts(473, 473, 316) == std::vector<int>{0});
  CHECK(tile_starts(512, 473, 316) == std::vector<int>{0, 39});
  CHECK(tile_starts(1024, 473, 316) == std::vector<int>{0, 316, 551});
  CHECK(tile_starts(789, 473, 316) == std::vector<int>{0, 316});
  CHECK(tile_starts(790, 473, 316) == std::vector<int>{0, 316, 317});
}

TEST_CASE("evaluator: overlapping tiles are averaged, by hand") {
  // Two tiles of 4 at columns 0 and 2 of 6 (stride ceil(4 * 2/3) = 3); two rows are padded to four.
  ProtocolOptions options = plain(0, 4, 4);
  const std::vector<float> row = {1 / 8.0F, 2 / 8.0F, 2 / 8.0F, 3 / 8.0F, 3 / 8.0F, 4 / 8.0F};
  std::vector<float> expected = row;
  expected.insert(expected.end(), row.begin(), row.end());
  for (const int batch : {1, 2, 3, 100}) {
    options.batch = batch;
    const Tensor p = predict_probabilities(column_network(), noise(6, 2), options);
    CHECK(p.shape() == Shape{1, 2, 6, 2});
    check_close(first_class(p), expected);
  }
  // A mirrored tile counts from the other side: column j and column 3 - j average to 5/16 everywhere.
  options.mirror = true;
  check_close(first_class(predict_probabilities(column_network(), noise(6, 2), options)),
              std::vector<float>(12, 5 / 16.0F));
}

TEST_CASE("evaluator: every pixel comes back to its place, whatever the tiles") {
  const Image image = noise(23, 17);
  std::vector<float> expected;
  for (int y = 0; y < 17; ++y) {
    for (int x = 0; x < 23; ++x) expected.push_back(static_cast<float>(image.at(x, y)[0]) / 256 * 0.98F + 0.01F);
  }
  for (const bool mirror : {false, true}) {
    for (const auto& [crop_h, crop_w] : {std::pair{0, 0}, {5, 7}, {17, 23}, {40, 41}, {8, 30}, {1, 1}}) {
      ProtocolOptions options = plain(0, crop_h, crop_w);
      options.mirror = mirror;
      check_close(first_class(predict_probabilities(red_network(), image, options)), expected);
    }
  }
}

TEST_CASE("evaluator: scales are resized there and back as OpenCV does, and averaged") {
  const Image image = noise(20, 15);
  ProtocolOptions options = plain(16, 6, 6);
  options.scales = {0.5, 1.75};
  options.mirror = true;
  std::vector<float> expected(300);
  for (const auto& [width, height] : {std::pair{8, 6}, {28, 21}}) {
    const FloatImage scaled = resize_linear(image, width, height);
    Tensor red = Tensor::empty({1, height, width, 1});
    for (int i = 0; i < width * height; ++i)
      red.data()[i] = scaled.rgb[static_cast<size_t>(i) * 3] / 256 * 0.98F + 0.01F;
    const std::vector<float> back = ops::resize_bilinear(red, 15, 20, false).to_vector();
    for (size_t i = 0; i < back.size(); ++i) expected[i] += back[i] / 2;
  }
  const Tensor p = predict_probabilities(red_network(), image, options);
  check_close(first_class(p), expected, 2e-5);
  const LabelMap labels = predict_labels(red_network(), image, options);
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::abs(expected[i] - 0.5F) > 1e-4F) CHECK(labels.index[i] == (expected[i] > 0.5F ? 0 : 1));
  }
}

TEST_CASE("evaluator: bands of rows give what the whole picture does, and take no more memory for a taller one") {
  // Each tile says something else of a pixel, and four tiles and more meet in most.
  const Network network = two_class_network([](const float* pixel, int64_t y, int64_t x) {
    return std::clamp(0.1F * static_cast<float>(x) + 0.07F * static_cast<float>(y) + 0.1F * pixel[0], 0.01F, 0.99F);
  });
  const auto peak_of = [&](int height, int batch, bool mirror) {
    const Image image = noise(13, height);
    ProtocolOptions options = plain(0, 7, 6);
    options.batch = batch;
    options.mirror = mirror;
    const Labels whole = ops::argmax(predict_probabilities(network, image, options));
    reset_arena_peak();
    const int64_t before = arena_statistics().in_use;
    const LabelMap labels = predict_labels(network, image, options);
    CHECK(std::equal(labels.index.begin(), labels.index.end(), whole.values.begin(), whole.values.end()));
    return arena_statistics().peak - before;
  };
  for (const int height : {3, 7, 8, 12, 61}) {
    for (const int batch : {1, 4, 7}) {
      for (const bool mirror : {false, true}) peak_of(height, batch, mirror);
    }
  }
  CHECK(peak_of(400, 4, true) == peak_of(100, 4, true));
}

TEST_CASE("evaluator: the batch decides nothing, however many classes there are") {
  for (const int64_t classes : {2, 15, 16, 21, 150}) {  // rows of 16 and more are padded in memory
    CAPTURE(classes);
    const Network network = {[classes](const Tensor& x) {
                               Tensor logits = Tensor::activation(x.shape().with(3, classes));
                               for (int64_t row = 0; row < x.rows(); ++row) {
                                 for (int64_t c = 0; c < classes; ++c) {
                                   logits.row(row)[c] = x.row(row)[c % 3] * static_cast<float>(c % 7);
                                 }
                               }
                               return logits;
                             },
                             {}};
    ProtocolOptions options = plain(0, 9, 11);
    options.scales = {0.75, 1.0};
    options.batch = 100;
    const std::vector<float> together = predict_probabilities(network, noise(31, 40), options).to_vector();
    for (const int batch : {1, 3}) {
      options.batch = batch;
      CHECK(predict_probabilities(network, noise(31, 40), options).to_vector() == together);
    }
  }
}

TEST_CASE("evaluator: the padding is the mean, evenly on both sides with the smaller half first") {
  // What the network sees of a 1x1 picture in a 4x4 crop.
  std::vector<float> seen;
  const auto look = [&](const Tensor& x) {
    seen = first_class(x);
    return Tensor::zeros(x.shape());
  };
  const Network network{look, {}};
  Image image(1, 1);
  image.rgb = {255, 0, 0};
  predict_probabilities(network, image, plain(0, 4, 4));
  std::vector<float> expected(16);
  expected[5] = (255 - kImageNetMean[0]) / kImageNetStd[0];
  CHECK(seen == expected);
}

TEST_CASE("evaluator: a protocol's name says what was done; bad protocols and networks are refused") {
  ProtocolOptions options;
  CHECK(protocol_name(options) == "single-scale, long side 512, tiles 473x473 at stride rate 0.667, mirrored");
  options.scales = {0.5, 1, 1.75};
  options.mirror = false;
  options.base_size = options.crop_h = options.crop_w = 0;
  CHECK(protocol_name(options) == "scales 0.5, 1, 1.75, picture's own size, whole picture, not mirrored");

  const auto refused = [](auto change) {
    ProtocolOptions bad;
    change(bad);
    CHECK_THROWS_AS(predict_probabilities(column_network(), noise(4, 4), bad), Refusal);
  };
  refused([](ProtocolOptions& o) { o.scales = {}; });
  refused([](ProtocolOptions& o) { o.scales = {-1}; });
  refused([](ProtocolOptions& o) { o.crop_h = 0; });
  refused([](ProtocolOptions& o) { o.stride_rate = 0; });
  refused([](ProtocolOptions& o) { o.batch = 0; });
  refused([](ProtocolOptions& o) { o.base_size = 100000; });
  const Network wrong{[](const Tensor& x) { return Tensor::zeros({x.dim(0), 2, 2, 2}); }, {}};
  CHECK_THROWS_AS(predict_probabilities(wrong, noise(4, 4), plain(0, 4, 4)), ShapeError);
  const Network nan{[](const Tensor& x) { return Tensor::full(x.shape(), std::nanf("")); }, {}};
  CHECK_THROWS_AS(predict_labels(nan, noise(4, 4), plain(0, 4, 4)), Error);
}

TEST_CASE("evaluate: counts, masks, results as JSON; saved masks judged again give the same") {
  const TinySet set(4);
  const Dataset dataset(set.dataset());
  const TempFolder out;
  // Says class 1 everywhere but in the left third.
  const Predictor predictor = [](const Image& image, const ListEntry&) {
    LabelMap labels(image.width, image.height, 1);
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < 12; ++x) labels.at(x, y) = 0;
    }
    return labels;
  };
  EvaluateOptions options;
  options.protocol = "by hand";
  options.names = {"red", "green", "blue"};
  options.colors = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}};
  options.save_folder = out.file("masks");
  options.progress = false;
  const Evaluation result = evaluate(predictor, dataset, options);

  int64_t right = 0, valid = 0;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const LabelMap labels = read_labels(dataset.entry(i).label);
    for (int y = 0; y < labels.height; ++y) {
      for (int x = 0; x < labels.width; ++x) {
        if (labels.at(x, y) == 255) continue;
        ++valid;
        right += labels.at(x, y) == (x < 12 ? 0 : 1);
      }
    }
  }
  CHECK(result.metrics.all_acc == doctest::Approx(static_cast<double>(right) / static_cast<double>(valid)));
  REQUIRE(result.pictures.size() == 4);
  CHECK(result.metrics.classes[2].iou == 0);
  CHECK(result.metrics.classes[2].present);
  const auto color = read_image(out.file("masks/color/p0.png"));
  CHECK(color.at(0, 0)[0] == 255);
  CHECK(color.at(35, 0)[1] == 255);

  const Evaluation again = evaluate(saved_predictor(out.file("masks/gray")), dataset,
                                    {.protocol = "", .names = {}, .colors = {}, .save_folder = "", .progress = false});
  for (int t = 0; t < 3; ++t) {
    for (int p = 0; p < 3; ++p) CHECK(again.counts.at(t, p) == result.counts.at(t, p));
  }
  CHECK(again.names[1] == "class 1");

  write_file(out.file("metrics.json"), metrics_json(result));
  const nlohmann::json json = nlohmann::json::parse(read_bytes(out.file("metrics.json")));
  CHECK(json["mIoU"] == result.metrics.miou);
  CHECK(json["mAcc"] == result.metrics.macc);
  CHECK(json["allAcc"] == result.metrics.all_acc);
  CHECK(json["mIoU_present"] == result.metrics.miou_present);
  CHECK(json["protocol"] == "by hand");
  CHECK(json["images"] == 4);
  CHECK(json["seconds"].is_number());
  REQUIRE(json["classes"].size() == 3);
  CHECK(json["classes"][1]["name"] == "green");
  CHECK(json["classes"][1]["iou"] == result.metrics.classes[1].iou);
  CHECK(json["classes"][1]["acc"] == result.metrics.classes[1].acc);
  CHECK(json["classes"][1]["pixels"] == result.metrics.classes[1].pixels);
  CHECK(json["pictures"][3]["image"] == dataset.entry(3).image);
  // What else a report needs, from which every figure can be made again.
  CHECK(json["interval"]["mIoU"] == nlohmann::json::array({result.interval.miou.low, result.interval.miou.high}));
  CHECK(json["interval"]["resamples"] == kBootstrapResamples);
  CHECK(json["boundary"]["by_width"].size() == kBoundaryReach);
  int64_t green_truth = 0, green_right = 0, pixels = 0;
  for (const nlohmann::json& picture : json["pictures"]) {
    pixels += picture["pixels"].get<int64_t>();
    for (const nlohmann::json& of : picture["classes"]) {
      if (of[0] != 1) continue;
      green_right += of[1].get<int64_t>();
      green_truth += of[2].get<int64_t>();
    }
  }
  CHECK(json["boundary"]["band"]["pixels"].get<int64_t>() + json["boundary"]["interior"]["pixels"].get<int64_t>() ==
        pixels);
  CHECK(green_truth == result.metrics.classes[1].pixels);
  CHECK(json["confusion"][1][1] == green_right);
  CHECK(contains(metrics_table(result), "green"));
}

TEST_CASE("evaluate: a part of the list; predictions that do not fit") {
  const TinySet set(4);
  const Dataset dataset(set.dataset());
  EvaluateOptions options;
  options.progress = false;
  options.begin = 1;
  options.end = 3;
  const auto constant = [](int width_more, uint8_t label) {
    return
        [=](const Image& image, const ListEntry&) { return LabelMap(image.width + width_more, image.height, label); };
  };
  CHECK(evaluate(constant(0, 0), dataset, options).pictures.size() == 2);
  std::vector<std::string> seen;
  evaluate(
      [&](const Image& image, const ListEntry& entry) {
        seen.push_back(std::filesystem::path(entry.image).filename().string());
        CHECK(read_image(set.file(seen.back())).rgb == image.rgb);
        return LabelMap(image.width, image.height, 0);
      },
      dataset, options);
  CHECK(seen == std::vector<std::string>{"p1.png", "p2.png"});
  CHECK(contains(message_of<Refusal>([&] { evaluate(constant(1, 0), dataset, options); }), "p1.png: the prediction"));
  CHECK(contains(message_of<Refusal>([&] { evaluate(constant(0, 3), dataset, options); }),
                 "class 3 was predicted at x 0, y 0"));
  options.begin = 4;
  options.end = INT64_MAX;
  CHECK_THROWS_AS(evaluate(constant(0, 0), dataset, options), Refusal);
}

TEST_CASE("evaluate: a PSPNet on whole pictures of any size") {
  const TinySet set(2);
  models::PspnetOptions options;
  options.backbone.blocks = {1, 1, 1, 1};
  options.backbone.block = models::BlockKind::basic;
  options.backbone.width = 0.125;
  options.classes = TinySet::kClasses;
  const models::Pspnet model(options);
  ProtocolOptions protocol = plain(0, 0, 0);
  protocol.mirror = true;
  EvaluateOptions evaluation;
  evaluation.progress = false;
  const Evaluation result =
      evaluate(network_predictor(network_of(model), protocol), Dataset(set.dataset()), evaluation);
  CHECK(result.pictures.size() == 2);
  // Batched or one by one, the same bits.
  const Image image = read_image(set.file("p0.png"));
  const std::vector<float> together = predict_probabilities(network_of(model), image, protocol).to_vector();
  protocol.batch = 1;
  CHECK(predict_probabilities(network_of(model), image, protocol).to_vector() == together);

  // The short way to labels is taken for one pass only, and gives what the long way does.
  Network network = network_of(model);
  int calls = 0;
  network.labels = [&calls, labels = network.labels](const Tensor& pictures) {
    ++calls;
    return labels(pictures);
  };
  const Network slow{network.logits, {}};
  protocol.mirror = false;
  CHECK(predict_labels(network, image, protocol).index == predict_labels(slow, image, protocol).index);
  CHECK(calls == 1);
  protocol.base_size = std::max(image.width, image.height);
  CHECK(predict_labels(network, image, protocol).index == predict_labels(slow, image, protocol).index);
  CHECK(calls == 2);
  const auto general = [&](auto change) {
    ProtocolOptions other = protocol;
    change(other);
    CHECK(predict_labels(network, image, other).index == predict_labels(slow, image, other).index);
    CHECK(calls == 2);
  };
  general([](ProtocolOptions& o) { o.mirror = true; });
  general([](ProtocolOptions& o) { o.crf = CrfOptions{}; });
  general([](ProtocolOptions& o) { o.scales = {0.5}; });
  general([](ProtocolOptions& o) { o.scales = {1, 1}; });
  general([&](ProtocolOptions& o) { o.base_size = 2 * image.width + image.height; });
  general([](ProtocolOptions& o) { o.crop_h = o.crop_w = 33; });
  model.parameters().front().variable.value().fill(std::nanf(""));
  CHECK_THROWS_AS(predict_labels(network_of(model), image, protocol), Error);
}

}  // namespace
}  // namespace giza::train
