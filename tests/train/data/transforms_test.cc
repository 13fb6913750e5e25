// The augmentation steps against OpenCV's own results (tests/golden/make_transform_goldens.py), and the random chain.
#include "train/data/transforms.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tensor/base/check.h"
#include "tensor/random.h"

namespace giza::train {
namespace {

struct Golden {
  std::string op;
  nlohmann::json parameters;
  Image image;
  LabelMap label;
  FloatImage out_image;
  LabelMap out_label;
};

std::vector<Golden> read_goldens() {
  const std::string folder = GIZA_SOURCE_DIR "/tests/golden/";
  std::ifstream json_file(folder + "transforms.json");
  std::ifstream binary(folder + "transforms.bin", std::ios::binary);
  REQUIRE(json_file);
  REQUIRE(binary);
  const nlohmann::json json = nlohmann::json::parse(json_file);
  const std::vector<char> blob{std::istreambuf_iterator<char>(binary), {}};
  const auto fill = [&](const nlohmann::json& place, auto& picture, auto member) {
    picture = {place["width"].get<int>(), place["height"].get<int>()};
    auto& values = picture.*member;
    const size_t bytes = values.size() * sizeof(values[0]);
    REQUIRE(place["offset"].get<size_t>() + bytes <= blob.size());
    std::memcpy(values.data(), blob.data() + place["offset"].get<size_t>(), bytes);
  };
  std::vector<Golden> goldens;
  for (const nlohmann::json& entry : json["cases"]) {
    Golden golden;
    golden.op = entry["op"];
    golden.parameters = entry["parameters"];
    fill(entry["image"], golden.image, &Image::rgb);
    fill(entry["label"], golden.label, &LabelMap::index);
    fill(entry["out_image"], golden.out_image, &FloatImage::rgb);
    fill(entry["out_label"], golden.out_label, &LabelMap::index);
    goldens.push_back(std::move(golden));
  }
  return goldens;
}

double max_difference(const FloatImage& a, const FloatImage& b) {
  REQUIRE(a.width == b.width);
  REQUIRE(a.height == b.height);
  double most = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) most = std::max(most, std::abs(double{a.rgb[i]} - double{b.rgb[i]}));
  return most;
}

int64_t differing(const LabelMap& a, const LabelMap& b) {
  REQUIRE(a.width == b.width);
  REQUIRE(a.height == b.height);
  int64_t count = 0;
  for (size_t i = 0; i < a.index.size(); ++i) count += a.index[i] != b.index[i];
  return count;
}

/// A picture whose every value tells its place.
Image ramp(int width, int height) {
  Image image(width, height);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 37 % 251);
  return image;
}

LabelMap ramp_labels(int width, int height) {
  LabelMap labels(width, height);
  for (size_t i = 0; i < labels.index.size(); ++i) labels.index[i] = static_cast<uint8_t>(i % 11);
  return labels;
}

}  // namespace

TEST_CASE("transforms: every step agrees with OpenCV") {
  using Result = std::pair<FloatImage, LabelMap>;
  using Json = nlohmann::json;
  const std::map<std::string, std::function<Result(const Golden&, const Json&)>> steps = {
      {"scale",
       [](const Golden& g, const Json& p) {
         // From bytes and from floats, the same to the bit.
         const FloatImage direct = scale_linear(g.image, p["factor"].get<double>());
         CHECK(direct.rgb == scale_linear(to_float(g.image), p["factor"].get<double>()).rgb);
         return Result(direct, scale_nearest(g.label, p["factor"]));
       }},
      {"resize",
       [](const Golden& g, const Json& p) {
         const FloatImage direct = resize_linear(g.image, p["width"], p["height"]);
         CHECK(direct.rgb == resize_linear(to_float(g.image), p["width"], p["height"]).rgb);
         return Result(direct, resize_nearest(g.label, p["width"], p["height"]));
       }},
      {"rotate",
       [](const Golden& g, const Json& p) {
         return Result(rotate_linear(to_float(g.image), p["degrees"], kImageNetMean),
                       rotate_nearest(g.label, p["degrees"], 255));
       }},
      {"blur", [](const Golden& g, const Json&) { return Result(gaussian_blur(to_float(g.image)), g.label); }},
      {"flip",
       [](const Golden& g, const Json&) {
         Result result(to_float(g.image), g.label);
         flip_horizontal(result.first);
         flip_horizontal(result.second);
         return result;
       }},
      {"pad",
       [](const Golden& g, const Json& p) {
         return Result(pad_to(to_float(g.image), p["width"], p["height"], kImageNetMean),
                       pad_to(g.label, p["width"], p["height"], 255));
       }},
      {"normalize",
       [](const Golden& g, const Json&) {
         Result result(to_float(g.image), g.label);
         normalize(result.first, kImageNetMean, kImageNetStd);
         return result;
       }},
      {"chain",
       [](const Golden& g, const Json& p) {
         FloatImage image = scale_linear(g.image, p["factor"]);
         LabelMap label = scale_nearest(g.label, p["factor"]);
         image = gaussian_blur(rotate_linear(image, p["degrees"], kImageNetMean));
         label = rotate_nearest(label, p["degrees"], 255);
         flip_horizontal(image);
         flip_horizontal(label);
         image = pad_to(image, p["width"], p["height"], kImageNetMean);
         label = pad_to(label, p["width"], p["height"], 255);
         image = crop(image, p["x"], p["y"], p["width"], p["height"]);
         label = crop(label, p["x"], p["y"], p["width"], p["height"]);
         normalize(image, kImageNetMean, kImageNetStd);
         return Result(image, label);
       }},
  };
  std::map<std::string, double> worst;
  for (const Golden& golden : read_goldens()) {
    CAPTURE(golden.op);
    CAPTURE(golden.parameters.dump());
    const auto [image, label] = steps.at(golden.op)(golden, golden.parameters);
    const double difference = max_difference(image, golden.out_image);
    worst[golden.op] = std::max(worst[golden.op], difference);
    // OpenCV's SIMD code fuses multiplications and additions, ours does not: a few units in the last place of 255.
    CHECK(difference <= 1e-4);
    CHECK(differing(label, golden.out_label) == 0);
  }
  CHECK(worst.size() == steps.size());
}

TEST_CASE("transforms: sizes round half to even, as cvRound does") {
  CHECK(scaled_side(37, 0.5) == 18);
  CHECK(scaled_side(39, 0.5) == 20);
  CHECK(scaled_side(1, 0.1) == 1);
  CHECK_THROWS_AS(scaled_side(1 << 28, 2), Refusal);
  CHECK_THROWS_AS(scale_linear(Image(1 << 14, 1), 200.0), Refusal);
}

TEST_CASE("transforms: crop windows must fit") {
  const FloatImage image(5, 4);
  CHECK_THROWS_AS(crop(image, 3, 0, 3, 4), ShapeError);
  CHECK_THROWS_AS(crop(image, 0, -1, 3, 4), ShapeError);
  CHECK_NOTHROW(crop(image, 2, 0, 3, 4));
}

TEST_CASE("transforms: normalize undoes itself and a zero rotation changes nothing") {
  const Image image = ramp(9, 7);
  const FloatImage floats = to_float(image);
  CHECK(rotate_linear(floats, 0, kImageNetMean).rgb == floats.rgb);
  CHECK(rotate_linear(floats, 360, kImageNetMean).rgb == floats.rgb);
  CHECK(rotate_nearest(ramp_labels(9, 7), 360, 255).index == ramp_labels(9, 7).index);
  FloatImage normal = floats;
  normalize(normal, kImageNetMean, kImageNetStd);
  for (size_t i = 0; i < normal.rgb.size(); ++i) {
    CHECK(normal.rgb[i] * kImageNetStd[i % 3] + kImageNetMean[i % 3] == doctest::Approx(floats.rgb[i]).epsilon(1e-5));
  }
}

TEST_CASE("augment: a pure function of seed, epoch and index") {
  const Image image = ramp(64, 48);
  const LabelMap labels = ramp_labels(64, 48);
  TransformOptions options;
  options.crop_h = 33;
  options.crop_w = 41;
  const Sample first = augment(image, labels, options, 5, 2, 7);
  const Sample again = augment(image, labels, options, 5, 2, 7);
  CHECK(first.width == 41);
  CHECK(first.height == 33);
  CHECK(first.image.size() == 41 * 33 * 3);
  CHECK(first.labels.size() == 41 * 33);
  CHECK(first.image == again.image);
  CHECK(first.labels == again.labels);
  CHECK(augment(image, labels, options, 6, 2, 7).image != first.image);
  CHECK(augment(image, labels, options, 5, 3, 7).image != first.image);
  CHECK(augment(image, labels, options, 5, 2, 8).image != first.image);
  CHECK_THROWS_AS(augment(image, LabelMap(64, 47), options, 1, 1, 1), ShapeError);
}

TEST_CASE("augment: with every step off, or centre cropped, pixels are where they were") {
  const Image image = ramp(16, 12);
  const LabelMap labels = ramp_labels(16, 12);
  FloatImage expected = to_float(image);
  normalize(expected, kImageNetMean, kImageNetStd);
  const Sample whole = augment(image, labels, TransformOptions::center_crop(0, 0), 1, 1, 1);
  CHECK(whole.image == expected.rgb);
  CHECK(std::equal(whole.labels.begin(), whole.labels.end(), labels.index.begin(), labels.index.end()));
  const Sample center = augment(image, labels, TransformOptions::center_crop(5, 9), 1, 1, 1);
  CHECK(center.image == crop(expected, 3, 3, 9, 5).rgb);
  // Padding on both axes: 24 - 16 = 8 and 15 - 12 = 3, of which 1 above and 2 below.
  const Sample padded = augment(image, labels, TransformOptions::center_crop(15, 24), 1, 1, 1);
  CHECK(padded.image[0] == 0);
  CHECK(padded.labels[0] == 255);
  CHECK(padded.labels[24 + 4] == labels.at(0, 0));
  CHECK(padded.image[(24 + 4) * 3 + 1] == expected.rgb[1]);
}

TEST_CASE("augment: steps happen as often as their probabilities say, in their ranges") {
  // One white column tells flip and crop apart; the size of the result tells the scale.
  const Image image = ramp(32, 32);
  const LabelMap labels = ramp_labels(32, 32);
  TransformOptions scale_only = TransformOptions::center_crop(0, 0);
  scale_only.scale_min = 0.5;
  scale_only.scale_max = 2;
  double sum = 0;
  int smallest = 1000;
  int largest = 0;
  constexpr int kDraws = 400;
  for (uint32_t i = 0; i < kDraws; ++i) {
    const Sample sample = augment(image, labels, scale_only, 1, 0, i);
    sum += sample.width;
    smallest = std::min(smallest, sample.width);
    largest = std::max(largest, sample.width);
  }
  CHECK(sum / kDraws / 32 == doctest::Approx(1.25).epsilon(0.06));
  CHECK(smallest >= 16);
  CHECK(smallest <= 18);
  CHECK(largest <= 64);
  CHECK(largest >= 62);

  FloatImage plain = to_float(image);
  normalize(plain, kImageNetMean, kImageNetStd);
  const auto share_changed = [&](const TransformOptions& options) {
    int changed = 0;
    for (uint32_t i = 0; i < kDraws; ++i) changed += augment(image, labels, options, 1, 0, i).image != plain.rgb;
    return static_cast<double>(changed) / kDraws;
  };
  TransformOptions flips = TransformOptions::center_crop(0, 0);
  flips.flip_probability = 0.5;
  TransformOptions blurs = TransformOptions::center_crop(0, 0);
  blurs.blur_probability = 0.25;
  TransformOptions rotates = TransformOptions::center_crop(0, 0);
  rotates.rotate_probability = 0.25;
  rotates.rotate_min = -10;
  rotates.rotate_max = 10;
  CHECK(share_changed(flips) == doctest::Approx(0.5).epsilon(0.15));
  CHECK(share_changed(blurs) == doctest::Approx(0.25).epsilon(0.25));
  CHECK(share_changed(rotates) == doctest::Approx(0.25).epsilon(0.25));
  CHECK(share_changed(TransformOptions::center_crop(0, 0)) == 0);
}

TEST_CASE("augment: picture and labels take each step alike, by the draws of its purpose") {
  const Image image = ramp(20, 14);
  const LabelMap labels = ramp_labels(20, 14);
  const auto same = [&](const TransformOptions& options, uint32_t index, FloatImage picture, const LabelMap& classes) {
    normalize(picture, options.mean, options.std);
    const Sample sample = augment(image, labels, options, 9, 2, index);
    CHECK(sample.image == picture.rgb);
    CHECK(std::equal(sample.labels.begin(), sample.labels.end(), classes.index.begin(), classes.index.end()));
  };
  TransformOptions rotates = TransformOptions::center_crop(0, 0);
  rotates.rotate_probability = 1;
  rotates.rotate_min = -30;
  rotates.rotate_max = 50;
  TransformOptions flips = TransformOptions::center_crop(0, 0);
  flips.flip_probability = 1;
  TransformOptions crops = TransformOptions::center_crop(11, 13);
  crops.crop_type = CropType::random;
  bool last_row = false, last_column = false;
  for (uint32_t index = 0; index < 40; ++index) {
    Random turn(9, Purpose::rotate, 2, index);
    (void)turn.next_uniform();  // whether
    const double degrees = -30 + 80 * static_cast<double>(turn.next_uniform());
    same(rotates, index, rotate_linear(to_float(image), degrees, rotates.mean), rotate_nearest(labels, degrees, 255));

    Random place(9, Purpose::crop, 2, index);
    const auto y = static_cast<int>(place.next_below(4)), x = static_cast<int>(place.next_below(8));
    last_row = last_row || y == 3;
    last_column = last_column || x == 7;
    same(crops, index, crop(to_float(image), x, y, 13, 11), crop(labels, x, y, 13, 11));
  }
  CHECK(last_row);
  CHECK(last_column);
  FloatImage mirrored = to_float(image);
  LabelMap mirrored_labels = labels;
  flip_horizontal(mirrored);
  flip_horizontal(mirrored_labels);
  same(flips, 0, mirrored, mirrored_labels);
  // Short on one side only: padded there, cropped on the other.
  const TransformOptions wide = TransformOptions::center_crop(9, 26);
  same(wide, 0, crop(pad_to(to_float(image), 26, 9, wide.mean), 0, 2, 26, 9),
       crop(pad_to(labels, 26, 9, 255), 0, 2, 26, 9));
}

TEST_CASE("augment: settings that make no sense are refused") {
  const auto refused = [](auto change) {
    TransformOptions options;
    change(options);
    CHECK_THROWS_AS(options.validate(), Refusal);
  };
  CHECK_NOTHROW(TransformOptions{}.validate());
  CHECK_NOTHROW(TransformOptions::center_crop(0, 0).validate());
  refused([](TransformOptions& o) { o.scale_min = 0; });
  refused([](TransformOptions& o) { o.scale_max = 0.1; });
  refused([](TransformOptions& o) { o.rotate_min = NAN; });
  refused([](TransformOptions& o) { o.blur_probability = 1.5; });
  refused([](TransformOptions& o) { o.crop_h = 0; });
  refused([](TransformOptions& o) { o.crop_h = o.crop_w = 1 << 20; });
  refused([](TransformOptions& o) { o.std[1] = 0; });
  refused([](TransformOptions& o) { o.ignore_label = 256; });
}

}  // namespace giza::train
