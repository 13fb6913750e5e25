// The test protocol: from a picture to class probabilities.
#include "train/eval/evaluator.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "autograd/variable.h"
#include "tensor/base/check.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/resize.h"
#include "tensor/ops/softmax.h"
#include "tensor/parallel.h"
#include "tensor/profile/profile.h"
#include "train/eval/dense_crf.h"

namespace giza::train {
namespace {

/// A tile: its upper left corner, and whether the network sees its mirror image.
struct Tile {
  int y = 0, x = 0;
  bool mirrored = false;
};

const uint8_t* row_of(const Image& picture, int64_t y) { return picture.at(0, static_cast<int>(y)); }
const float* row_of(const FloatImage& picture, int64_t y) { return picture.row(static_cast<int>(y)); }

/// Where a picture at one scale lies among tiles: in the middle, if it is smaller than the crop.
struct Canvas {
  int height = 0, width = 0;
  int top = 0, left = 0;  // of the picture

  template <class Picture>
  Canvas(const Picture& picture, int crop_h, int crop_w)
      : height(std::max(picture.height, crop_h)),
        width(std::max(picture.width, crop_w)),
        top((height - picture.height) / 2),
        left((width - picture.width) / 2) {}
};

/// Tiles [first, last) as one batch for the network: normalised, and padded with the mean, which is 0 then.
template <class Picture>
Tensor gather(const Picture& picture, const Canvas& canvas, const std::vector<Tile>& tiles, size_t first, size_t last,
              int crop_h, int crop_w, const ProtocolOptions& options) {
  const auto count = static_cast<int64_t>(last - first);
  Tensor batch = Tensor::activation({count, crop_h, crop_w, 3});
  const profile::Scope scope([&] { return profile::elementwise("gather_tiles", 0, batch, batch); });
  parallel_for(count * crop_h, [&](int64_t task) {
    const Tile& tile = tiles[first + static_cast<size_t>(task / crop_h)];
    const int64_t y = tile.y + task % crop_h - canvas.top;
    const bool has_row = y >= 0 && y < picture.height;
    const auto* from = has_row ? row_of(picture, y) : nullptr;
    for (int64_t x = 0; x < crop_w; ++x) {
      float* to = batch.row(task * crop_w + x);
      const int64_t source = tile.x + (tile.mirrored ? crop_w - 1 - x : x) - canvas.left;
      const bool inside = has_row && source >= 0 && source < picture.width;
      for (size_t c = 0; c < 3; ++c) {
        to[c] =
            inside ? (static_cast<float>(from[3 * source + static_cast<int64_t>(c)]) - options.mean[c]) / options.std[c]
                   : 0.0F;
      }
    }
  });
  return batch;
}

/// How many of the tiles that begin at `starts` cover each place along an axis.
std::vector<int> coverage(const std::vector<int>& starts, int length, int crop) {
  std::vector<int> counts(static_cast<size_t>(length));
  for (const int start : starts) {
    for (int i = start; i < start + crop; ++i) ++counts[static_cast<size_t>(i)];
  }
  return counts;
}

/// Sums of the probabilities of the tiles that are under way, a band of the canvas: only the rows that tiles of one
/// batch reach are in memory, row y in place y % capacity.
class BandSums {
 public:
  BandSums(const Canvas& canvas, int capacity, int64_t classes)
      : canvas_(canvas), capacity_(capacity), sums_(Tensor::empty({1, capacity, canvas.width, classes})) {
    const profile::Scope scope([&] { return profile::elementwise("clear_tiles", 0, sums_); });
    sums_.fill(0.0F);
  }

  /// Adds the probabilities of one tile, mirrored back.
  void add(const Tensor& probabilities, const Tile& tile) {
    const int64_t height = probabilities.dim(1), width = probabilities.dim(2), classes = probabilities.channels();
    const profile::Scope scope(
        [&] { return profile::elementwise("add_tile", 1, probabilities, probabilities, probabilities); });
    parallel_for(height, [&](int64_t y) {
      for (int64_t x = 0; x < width; ++x) {
        const float* from = probabilities.row(y * width + (tile.mirrored ? width - 1 - x : x));
        float* to = row(tile.y + y, tile.x + x);
        for (int64_t c = 0; c < classes; ++c) to[c] += from[c];
      }
    });
  }

  /// Rows [begin, end) of the canvas, to which no further tile adds, divided by `count(y, x)` as a tensor of the
  /// picture's rows among them; their places are free then. Undefined if the picture has none of them.
  template <class Count>
  Tensor take_means(int begin, int end, int picture_height, int picture_width, const Count& count) {
    const int first = std::max(begin, canvas_.top);
    const int last = std::min(end, canvas_.top + picture_height);
    const int64_t classes = sums_.channels();
    Tensor means;
    if (first < last) means = Tensor::activation({1, last - first, picture_width, classes});
    const profile::Scope scope([&] { return profile::elementwise("mean_of_tiles", 1, sums_, sums_); });
    parallel_for(end - begin, [&](int64_t i) {
      const int64_t y = begin + i;
      for (int64_t x = 0; y >= first && y < last && x < picture_width; ++x) {
        const auto tiles = static_cast<float>(count(y, canvas_.left + x));
        const float* from = row(y, canvas_.left + x);
        float* to = means.row((y - first) * picture_width + x);
        for (int64_t c = 0; c < classes; ++c) to[c] = from[c] / tiles;
      }
      std::fill_n(row(y, 0), canvas_.width * classes, 0.0F);
    });
    return means;
  }

 private:
  float* row(int64_t y, int64_t x) const { return sums_.row(y % capacity_ * canvas_.width + x); }

  const Canvas& canvas_;
  int capacity_;
  Tensor sums_;
};

/// The most rows that tiles of one batch reach, together.
int rows_of_batch(const std::vector<Tile>& tiles, size_t batch, int crop_h) {
  int most = 0;
  for (size_t first = 0; first < tiles.size(); first += batch) {
    const size_t last = std::min(tiles.size(), first + batch);
    most = std::max(most, tiles[last - 1].y + crop_h - tiles[first].y);
  }
  return most;
}

/// A picture at one scale as the network sees it: tiles of a canvas.
struct Tiling {
  int crop_h, crop_w;
  Canvas canvas;
  std::vector<int> rows, columns;  // where tiles begin
  std::vector<Tile> tiles;

  template <class Picture>
  Tiling(const Picture& picture, const ProtocolOptions& options)
      : crop_h(options.crop_h > 0 ? options.crop_h : picture.height),
        crop_w(options.crop_w > 0 ? options.crop_w : picture.width),
        canvas(picture, crop_h, crop_w) {
    const auto stride = [&](int crop) { return static_cast<int>(std::ceil(crop * options.stride_rate)); };
    rows = tile_starts(canvas.height, crop_h, stride(crop_h));
    columns = tile_starts(canvas.width, crop_w, stride(crop_w));
    for (const int y : rows) {
      for (const int x : columns) {
        tiles.push_back({y, x, false});
        if (options.mirror) tiles.push_back({y, x, true});
      }
    }
  }
};

/// Logits of tiles [first, last), checked: [tiles,height,width,classes].
template <class Picture>
Tensor logits_of_tiles(const Network& network, const Picture& picture, const Tiling& tiling, size_t first, size_t last,
                       const ProtocolOptions& options) {
  Tensor logits =
      network.logits(gather(picture, tiling.canvas, tiling.tiles, first, last, tiling.crop_h, tiling.crop_w, options));
  const int64_t height = network.whole_picture ? 1 : tiling.crop_h, width = network.whole_picture ? 1 : tiling.crop_w;
  check(logits.rank() == 4 && logits.dim(0) == static_cast<int64_t>(last - first) && logits.dim(1) == height &&
            logits.dim(2) == width,
        "evaluator: the network made {} of {} pictures of {} x {}", logits.shape(), last - first, tiling.crop_h,
        tiling.crop_w);
  return logits;
}

/// Runs a picture at one scale and calls consume(y, probabilities [1,n,width,classes]) for its rows y to y + n - 1,
/// from the top, as soon as no tile adds to them any more.
template <class Picture, class Consume>
void run_tiles(const Network& network, const Picture& picture, const ProtocolOptions& options, const Consume& consume) {
  const Tiling tiling(picture, options);
  const Canvas& canvas = tiling.canvas;
  const std::vector<Tile>& tiles = tiling.tiles;
  const std::vector<int> row_counts = coverage(tiling.rows, canvas.height, tiling.crop_h);
  const std::vector<int> column_counts = coverage(tiling.columns, canvas.width, tiling.crop_w);
  const auto count = [&](int64_t y, int64_t x) {
    return row_counts[static_cast<size_t>(y)] * column_counts[static_cast<size_t>(x)] * (options.mirror ? 2 : 1);
  };

  std::optional<BandSums> sums;
  int done = 0;  // rows of the canvas
  const auto batch = static_cast<size_t>(options.batch);
  for (size_t first = 0; first < tiles.size(); first += batch) {
    const size_t last = std::min(tiles.size(), first + batch);
    const Tensor probabilities = ops::softmax(logits_of_tiles(network, picture, tiling, first, last, options));
    if (!sums) sums.emplace(canvas, rows_of_batch(tiles, batch, tiling.crop_h), probabilities.channels());
    for (size_t i = first; i < last; ++i) {
      const auto item = static_cast<int64_t>(i - first);
      sums->add(probabilities.batch_slice(item, item + 1), tiles[i]);
    }
    const int end = last < tiles.size() ? tiles[last].y : canvas.height;
    if (end == done) continue;
    const Tensor means = sums->take_means(done, end, picture.height, picture.width, count);
    if (means.defined()) consume(std::max(done - canvas.top, 0), means);
    done = end;
  }
}

/// Probabilities of a picture as a whole, at one scale: the mean over its tiles, [1,1,1,classes].
template <class Picture>
Tensor mean_of_tiles(const Network& network, const Picture& picture, const ProtocolOptions& options) {
  const Tiling tiling(picture, options);
  const size_t count = tiling.tiles.size(), batch = static_cast<size_t>(options.batch);
  Tensor sum;
  for (size_t first = 0; first < count; first += batch) {
    const size_t last = std::min(count, first + batch);
    const Tensor probabilities = ops::softmax(logits_of_tiles(network, picture, tiling, first, last, options));
    for (int64_t tile = 0; tile < probabilities.dim(0); ++tile) {
      const Tensor one = probabilities.batch_slice(tile, tile + 1);
      if (sum.defined()) {
        ops::add_into(sum, one);
      } else {
        sum = one.clone();
      }
    }
  }
  return ops::scale(sum, 1 / static_cast<float>(count));
}

void check_finite(const Tensor& output, const std::string& name) {
  check<Error>(ops::all_finite(output), "{}: the network's output is not finite; are its weights sound?", name);
}

}  // namespace

Network network_of(const models::SceneParser& model, const std::string& name) {
  const auto frozen = std::make_shared<models::FrozenParser>(model);
  return {.logits = [frozen](const Tensor& pictures) { return frozen->forward(pictures).upsampled_logits().value(); },
          .labels =
              [frozen, name](const Tensor& pictures) {
                const models::ParserOutput output = frozen->forward(pictures);
                check_finite(output.logits.value(), name);
                return output.labels();
              },
          .name = name,
          .whole_picture = model.classifies_pictures()};
}

std::vector<int> tile_starts(int length, int crop, int stride) {
  const int count = (length - crop + stride - 1) / stride + 1;
  std::vector<int> starts;
  for (int i = 0; i < count; ++i) starts.push_back(std::min(i * stride, length - crop));
  return starts;
}

namespace {

/// The picture's size at a scale. Throws Refusal above kMaxPixels.
PictureSize size_at(double scale, const Image& image, const ProtocolOptions& options) {
  const int base = options.base_size > 0 ? options.base_size : std::max(image.width, image.height);
  const int long_side = std::max(1, static_cast<int>(std::nearbyint(scale * base)));
  const PictureSize size = scaled_size(image.width, image.height, long_side);
  check<Refusal>(int64_t{size.width} * size.height <= kMaxPixels,
                 "test protocol: a picture of {} x {} becomes {} x {} at scale {}; use smaller scales", image.width,
                 image.height, size.width, size.height, scale);
  return size;
}

bool is_same_size(PictureSize size, const Image& image) {
  return size.width == image.width && size.height == image.height;
}

}  // namespace

Tensor predict_probabilities(const Network& network, const Image& image, const ProtocolOptions& options) {
  options.validate();
  Tensor sum;
  for (const double scale : options.scales) {
    const PictureSize size = size_at(scale, image, options);
    Tensor probabilities;
    const auto collect = [&](int y, const Tensor& rows) {
      if (rows.dim(1) == size.height) {
        probabilities = rows;
        return;
      }
      if (!probabilities.defined()) {
        probabilities = Tensor::activation({1, size.height, size.width, rows.channels()});
      }
      parallel_for(rows.dim(1), [&](int64_t row) {
        for (int64_t x = 0; x < size.width; ++x) {
          std::copy_n(rows.row(row * size.width + x), rows.channels(), probabilities.row((y + row) * size.width + x));
        }
      });
    };
    if (network.whole_picture) {
      probabilities = is_same_size(size, image)
                          ? mean_of_tiles(network, image, options)
                          : mean_of_tiles(network, resize_linear(image, size.width, size.height), options);
    } else if (is_same_size(size, image)) {
      run_tiles(network, image, options, collect);
    } else {
      run_tiles(network, resize_linear(image, size.width, size.height), options, collect);
      probabilities = ops::resize_bilinear(probabilities, image.height, image.width, /*align_corners=*/false);
    }
    if (sum.defined()) {
      ops::add_into(sum, probabilities);
    } else {
      sum = probabilities;
    }
  }
  const auto count = static_cast<float>(options.scales.size());
  if (options.scales.size() > 1) sum = ops::scale(sum, 1 / count);
  if (options.crf || network.whole_picture) check_finite(sum, network.name);
  // A class of all pixels has no borders.
  return options.crf && !network.whole_picture ? dense_crf(sum, image, *options.crf) : sum;
}

namespace {

/// True where the protocol is one pass of the network over the picture at its own size.
bool is_one_pass(const Image& image, const ProtocolOptions& options) {
  return options.scales.size() == 1 && options.scales[0] == 1.0 && !options.mirror && options.crop_h == 0 &&
         (options.base_size == 0 || options.base_size == std::max(image.width, image.height));
}

Tensor whole_picture(const Image& image, const ProtocolOptions& options) {
  const Canvas canvas(image, image.height, image.width);
  return gather(image, canvas, {Tile{}}, 0, 1, image.height, image.width, options);
}

/// Sets the rows of `map` from `y` on.
void set_rows(LabelMap& map, int y, const Labels& labels) {
  check(*std::max_element(labels.values.begin(), labels.values.end()) < static_cast<int32_t>(kMostLabels),
        "evaluator: there are more classes than a label map can hold");
  std::transform(labels.values.begin(), labels.values.end(), &map.at(0, y),
                 [](int32_t label) { return static_cast<uint8_t>(label); });
}

void set_rows(LabelMap& map, int y, const Tensor& probabilities, const Network& network) {
  check_finite(probabilities, network.name);
  set_rows(map, y, ops::argmax(probabilities));
}

}  // namespace

LabelMap predict_labels(const Network& network, const Image& image, const ProtocolOptions& options) {
  options.validate();
  if (network.whole_picture) {
    LabelMap one(1, 1);
    set_rows(one, 0, predict_probabilities(network, image, options), network);
    return one;
  }
  LabelMap map(image.width, image.height);
  if (options.crf) {
    set_rows(map, 0, predict_probabilities(network, image, options), network);
  } else if (network.labels && is_one_pass(image, options)) {
    set_rows(map, 0, network.labels(whole_picture(image, options)));
  } else if (options.scales.size() == 1 && is_same_size(size_at(options.scales[0], image, options), image)) {
    run_tiles(network, image, options, [&](int y, const Tensor& rows) { set_rows(map, y, rows, network); });
  } else {
    set_rows(map, 0, predict_probabilities(network, image, options), network);
  }
  return map;
}

Predictor network_predictor(Network network, const ProtocolOptions& options) {
  return [network = std::move(network), options](const Image& image, const ListEntry&) {
    return predict_labels(network, image, options);
  };
}

Predictor saved_predictor(const std::string& folder) {
  return [folder](const Image& image, const ListEntry& entry) {
    const std::string path = folder + "/" + std::filesystem::path(entry.image).stem().string() + ".png";
    LabelMap labels = read_labels(path);
    check<Refusal>(labels.width == image.width && labels.height == image.height,
                   "{}: the prediction is {} x {}, the picture {} {} x {}; was it made for this data set?", path,
                   labels.width, labels.height, entry.image, image.width, image.height);
    return labels;
  };
}

}  // namespace giza::train
