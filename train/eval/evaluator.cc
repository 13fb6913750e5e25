// The test protocol: from a picture to class probabilities.
#include "train/eval/evaluator.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "autograd/variable.h"
#include "tensor/base/check.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/resize.h"
#include "tensor/ops/softmax.h"
#include "tensor/parallel.h"
#include "tensor/profile/profile.h"

namespace giza::train {
namespace {

/// A tile: its upper left corner, and whether the network sees its mirror image.
struct Tile {
  int y = 0, x = 0;
  bool mirrored = false;
};

/// The picture at one scale on its canvas: normalised, padded evenly where it is smaller than the crop. The padding is
/// the mean, which is 0 here.
struct Canvas {
  Tensor pixels;  // [1, height, width, 3]
  int height = 0, width = 0;
  int top = 0, left = 0;  // of the picture
};

Canvas make_canvas(const FloatImage& picture, int crop_h, int crop_w, const ProtocolOptions& options) {
  Canvas canvas;
  canvas.height = std::max(picture.height, crop_h);
  canvas.width = std::max(picture.width, crop_w);
  canvas.top = (canvas.height - picture.height) / 2;
  canvas.left = (canvas.width - picture.width) / 2;
  canvas.pixels = Tensor::zeros({1, canvas.height, canvas.width, 3});
  for (int y = 0; y < picture.height; ++y) {
    const float* from = picture.row(y);
    float* to = canvas.pixels.row(int64_t{y + canvas.top} * canvas.width + canvas.left);
    for (int i = 0; i < picture.width * 3; ++i) {
      const auto channel = static_cast<size_t>(i % 3);
      to[i] = (from[i] - options.mean[channel]) / options.std[channel];
    }
  }
  return canvas;
}

/// Tiles [first, last) as one batch for the network.
Tensor gather(const Canvas& canvas, const std::vector<Tile>& tiles, size_t first, size_t last, int crop_h, int crop_w) {
  const auto count = static_cast<int64_t>(last - first);
  Tensor batch = Tensor::activation({count, crop_h, crop_w, 3});
  const profile::Scope scope([&] { return profile::elementwise("gather_tiles", 0, batch, batch); });
  parallel_for(count * crop_h, [&](int64_t task) {
    const Tile& tile = tiles[first + static_cast<size_t>(task / crop_h)];
    const int64_t y = tile.y + task % crop_h;
    for (int64_t x = 0; x < crop_w; ++x) {
      const int64_t source = tile.x + (tile.mirrored ? crop_w - 1 - x : x);
      std::copy_n(canvas.pixels.row(y * canvas.width + source), 3, batch.row(task * crop_w + x));
    }
  });
  return batch;
}

/// sums += the probabilities of one tile, mirrored back.
void scatter(const Tensor& probabilities, const Tile& tile, int canvas_width, const Tensor& sums) {
  const int64_t height = probabilities.dim(1), width = probabilities.dim(2), classes = probabilities.channels();
  const profile::Scope scope(
      [&] { return profile::elementwise("add_tile", 1, probabilities, probabilities, probabilities); });
  parallel_for(height, [&](int64_t y) {
    for (int64_t x = 0; x < width; ++x) {
      const float* from = probabilities.row(y * width + (tile.mirrored ? width - 1 - x : x));
      float* to = sums.row((tile.y + y) * canvas_width + tile.x + x);
      for (int64_t c = 0; c < classes; ++c) to[c] += from[c];
    }
  });
}

/// How many of the tiles that begin at `starts` cover each place along an axis.
std::vector<int> coverage(const std::vector<int>& starts, int length, int crop) {
  std::vector<int> counts(static_cast<size_t>(length));
  for (const int start : starts) {
    for (int i = start; i < start + crop; ++i) ++counts[static_cast<size_t>(i)];
  }
  return counts;
}

/// Probabilities [1,h,w,classes] of a picture at one scale.
Tensor run_tiles(const Network& network, const FloatImage& picture, const ProtocolOptions& options) {
  const int crop_h = options.crop_h > 0 ? options.crop_h : picture.height;
  const int crop_w = options.crop_w > 0 ? options.crop_w : picture.width;
  const Canvas canvas = make_canvas(picture, crop_h, crop_w, options);
  const auto stride = [&](int crop) { return static_cast<int>(std::ceil(crop * options.stride_rate)); };
  const std::vector<int> rows = tile_starts(canvas.height, crop_h, stride(crop_h));
  const std::vector<int> columns = tile_starts(canvas.width, crop_w, stride(crop_w));
  std::vector<Tile> tiles;
  for (const int y : rows) {
    for (const int x : columns) {
      tiles.push_back({y, x, false});
      if (options.mirror) tiles.push_back({y, x, true});
    }
  }

  Tensor sums;
  const auto batch = static_cast<size_t>(options.batch);
  for (size_t first = 0; first < tiles.size(); first += batch) {
    const size_t last = std::min(tiles.size(), first + batch);
    const Tensor logits = network.logits(gather(canvas, tiles, first, last, crop_h, crop_w));
    check(logits.rank() == 4 && logits.dim(0) == static_cast<int64_t>(last - first) && logits.dim(1) == crop_h &&
              logits.dim(2) == crop_w,
          "evaluator: the network made {} of {} pictures of {} x {}", logits.shape(), last - first, crop_h, crop_w);
    const Tensor probabilities = ops::softmax(logits);
    if (!sums.defined()) {
      sums = Tensor::empty({1, canvas.height, canvas.width, logits.channels()});
      const profile::Scope scope([&] { return profile::elementwise("clear_tiles", 0, sums); });
      sums.fill(0.0F);
    }
    for (size_t i = first; i < last; ++i) {
      const auto item = static_cast<int64_t>(i - first);
      scatter(probabilities.batch_slice(item, item + 1), tiles[i], canvas.width, sums);
    }
  }

  const std::vector<int> row_counts = coverage(rows, canvas.height, crop_h);
  const std::vector<int> column_counts = coverage(columns, canvas.width, crop_w);
  const int64_t classes = sums.channels();
  Tensor means = Tensor::activation({1, picture.height, picture.width, classes});
  const profile::Scope scope([&] { return profile::elementwise("mean_of_tiles", 1, means, means); });
  parallel_for(picture.height, [&](int64_t y) {
    for (int64_t x = 0; x < picture.width; ++x) {
      const int count = row_counts[static_cast<size_t>(canvas.top + y)] *
                        column_counts[static_cast<size_t>(canvas.left + x)] * (options.mirror ? 2 : 1);
      const float* from = sums.row((canvas.top + y) * canvas.width + canvas.left + x);
      float* to = means.row(y * picture.width + x);
      for (int64_t c = 0; c < classes; ++c) to[c] = from[c] / static_cast<float>(count);
    }
  });
  return means;
}

void check_finite(const Tensor& output) {
  check<Error>(ops::all_finite(output), "the network's output is not finite; are its weights sound?");
}

}  // namespace

Network network_of(const models::SceneParser& model) {
  const auto frozen = std::make_shared<models::FrozenParser>(model);
  return {.logits = [frozen](const Tensor& pictures) { return frozen->forward(pictures).upsampled_logits().value(); },
          .labels =
              [frozen](const Tensor& pictures) {
                const models::ParserOutput output = frozen->forward(pictures);
                check_finite(output.logits.value());
                return output.labels();
              }};
}

PictureSize scaled_size(int width, int height, int long_side) {
  // semseg: round(long_side / float(h) * w); nearbyint rounds half to even as Python does.
  const auto other = [&](int longer, int shorter) {
    return std::max(1, static_cast<int>(std::nearbyint(static_cast<double>(long_side) / longer * shorter)));
  };
  if (height > width) return {other(height, width), long_side};
  return {long_side, other(width, height)};
}

std::vector<int> tile_starts(int length, int crop, int stride) {
  const int count = (length - crop + stride - 1) / stride + 1;
  std::vector<int> starts;
  for (int i = 0; i < count; ++i) starts.push_back(std::min(i * stride, length - crop));
  return starts;
}

Tensor predict_probabilities(const Network& network, const Image& image, const ProtocolOptions& options) {
  options.validate();
  const int base = options.base_size > 0 ? options.base_size : std::max(image.width, image.height);
  Tensor sum;
  for (const double scale : options.scales) {
    const int long_side = std::max(1, static_cast<int>(std::nearbyint(scale * base)));
    const PictureSize size = scaled_size(image.width, image.height, long_side);
    check<Refusal>(int64_t{size.width} * size.height <= kMaxPixels,
                   "test protocol: a picture of {} x {} becomes {} x {} at scale {}; use smaller scales", image.width,
                   image.height, size.width, size.height, scale);
    const bool same = size.width == image.width && size.height == image.height;
    const FloatImage picture = same ? to_float(image) : resize_linear(image, size.width, size.height);
    Tensor probabilities = run_tiles(network, picture, options);
    if (!same) {
      probabilities = ops::resize_bilinear(probabilities, image.height, image.width, /*align_corners=*/false);
    }
    if (sum.defined()) {
      ops::add_into(sum, probabilities);
    } else {
      sum = probabilities;
    }
  }
  const auto count = static_cast<float>(options.scales.size());
  return options.scales.size() == 1 ? sum : ops::scale(sum, 1 / count);
}

namespace {

/// True where the protocol is one pass of the network over the picture at its own size.
bool is_one_pass(const Image& image, const ProtocolOptions& options) {
  return options.scales.size() == 1 && options.scales[0] == 1.0 && !options.mirror && options.crop_h == 0 &&
         (options.base_size == 0 || options.base_size == std::max(image.width, image.height));
}

Tensor whole_picture(const Image& image, const ProtocolOptions& options) {
  const Canvas canvas = make_canvas(to_float(image), image.height, image.width, options);
  return gather(canvas, {Tile{}}, 0, 1, image.height, image.width);
}

Labels argmax_of_probabilities(const Network& network, const Image& image, const ProtocolOptions& options) {
  const Tensor probabilities = predict_probabilities(network, image, options);
  check_finite(probabilities);
  return ops::argmax(probabilities);
}

}  // namespace

LabelMap predict_labels(const Network& network, const Image& image, const ProtocolOptions& options) {
  options.validate();
  const Labels labels = network.labels && is_one_pass(image, options)
                            ? network.labels(whole_picture(image, options))
                            : argmax_of_probabilities(network, image, options);
  check(*std::max_element(labels.values.begin(), labels.values.end()) < 256,
        "evaluator: there are more classes than a label map can hold");
  LabelMap map(image.width, image.height);
  std::transform(labels.values.begin(), labels.values.end(), map.index.begin(),
                 [](int32_t label) { return static_cast<uint8_t>(label); });
  return map;
}

Predictor network_predictor(Network network, const ProtocolOptions& options) {
  return [network = std::move(network), options](const Image& image, const ListEntry&) {
    return predict_labels(network, image, options);
  };
}

Predictor saved_predictor(const std::string& folder) {
  return [folder](const Image&, const ListEntry& entry) {
    return read_labels(folder + "/" + std::filesystem::path(entry.image).stem().string() + ".png");
  };
}

}  // namespace giza::train
