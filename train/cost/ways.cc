// Changes to a configuration that need less memory.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "tensor/base/check.h"
#include "train/config/parts.h"
#include "train/cost/plan.h"

namespace giza::train {
namespace {

/// How much a change does to the result; the order in which changes are recommended.
enum Harm { none, schedule, detail, network };

struct Candidate {
  Way way;
  Harm harm;
};

/// Judges changed configurations, leaving out those that no network fits.
class Search {
 public:
  Search(int64_t limit, const Judge& judge) : limit_(limit), judge_(judge) {}

  /// Nothing for what no network fits: too small a crop for a batch norm, say.
  std::optional<Way> judge(const Config& config) const {
    try {
      return judge_(config);
    } catch (const Error&) {
      return std::nullopt;
    }
  }
  bool fits(const Config& config) const {
    const std::optional<Way> way = judge(config);
    return way && way->peak <= limit_;
  }
  void add(const Config& config, std::string change, std::string effect, Harm harm) {
    std::optional<Way> way = judge(config);
    if (!way) return;
    way->change = std::move(change);
    way->effect = std::move(effect);
    way->fits = way->peak <= limit_;
    list_.push_back({std::move(*way), harm});
  }
  /// The largest value in [least, most] that fits, if any does; the memory grows with it.
  int largest(int least, int most, const std::function<Config(int)>& with) const {
    if (most < least || !fits(with(least))) return 0;
    while (least < most) {
      const int middle = least + (most - least + 1) / 2;
      if (fits(with(middle))) {
        least = middle;
      } else {
        most = middle - 1;
      }
    }
    return least;
  }

  /// What fits, the least harmful first and the quickest of those; if nothing does, what comes nearest.
  std::vector<Way> best() {
    const bool any = std::any_of(list_.begin(), list_.end(), [](const Candidate& c) { return c.way.fits; });
    std::stable_sort(list_.begin(), list_.end(), [](const Candidate& a, const Candidate& b) {
      if (a.way.fits != b.way.fits) return a.way.fits;
      if (!a.way.fits) return a.way.peak < b.way.peak;
      if (a.harm != b.harm) return a.harm < b.harm;
      return a.way.total_s != b.way.total_s ? a.way.total_s < b.way.total_s : a.way.iteration_s < b.way.iteration_s;
    });
    constexpr size_t kNearest = 3;
    std::vector<Way> ways;
    for (const Candidate& candidate : list_) {
      if (any ? candidate.way.fits : ways.size() < kNearest) ways.push_back(candidate.way);
    }
    return ways;
  }

 private:
  int64_t limit_;
  const Judge& judge_;
  std::vector<Candidate> list_;
};

/// The configuration with a change made to it.
template <class Change>
Config changed(const Config& config, Change&& change) {
  Config copy = config;
  change(copy);
  return copy;
}

/// Samples whose longer side is about 8 `eighths`, in proportion; sides are 8 n + 1, as the network likes them. Where
/// the epochs resize their crops, to that at most.
Config with_crop(const Config& config, int eighths) {
  Config changed = config;
  TrainConfig& train = changed.train;
  for (int& side : train.epoch_sizes) side = std::min(side, 8 * eighths + 1);
  if (!train.epoch_sizes.empty()) return changed;
  const double factor = (8.0 * eighths + 1) / std::max(config.train.train_h, config.train.train_w);
  const auto scaled = [&](int side) { return std::max(9, static_cast<int>(std::floor(side * factor / 8)) * 8 + 1); };
  train.train_h = std::min(scaled(config.train.train_h), config.train.train_h);
  train.train_w = std::min(scaled(config.train.train_w), config.train.train_w);
  return changed;
}

/// What with_crop changed.
std::string crop_change(const Config& config) {
  const TrainConfig& train = config.train;
  if (!train.epoch_sizes.empty()) return fmt::format("TRAIN.epoch_sizes [{}]", fmt::join(train.epoch_sizes, ","));
  return fmt::format("TRAIN.train_h {} TRAIN.train_w {}", train.train_h, train.train_w);
}

}  // namespace

std::vector<Way> ways_to_train(const Config& config, int64_t limit, const Judge& judge) {
  Search search(limit, judge);
  const TrainConfig& train = config.train;
  const auto with_batch = [&](int batch, bool recompute) {
    return changed(config, [&](Config& c) { c.train.batch_size = batch, c.train.recompute = recompute; });
  };
  const auto batch_effect = [&](int batch) {
    return fmt::format(
        "batch norm's statistics are of {} pictures in place of {}; more and smaller steps, so lower "
        "TRAIN.base_lr in proportion",
        batch, train.batch_size);
  };
  const Config without_cache = changed(config, [](Config& c) { c.train.cache_mb = 0; });
  if (train.cache_mb > 0) {
    search.add(without_cache, "TRAIN.cache_mb 0", "none; pictures are decoded again in each epoch", none);
  }
  if (!train.recompute) {
    const Config again = with_batch(train.batch_size, true);
    search.add(again, "TRAIN.recompute true", "none: the same bits, later", none);
    if (train.cache_mb > 0 && !search.fits(again) && !search.fits(without_cache)) {
      search.add(changed(config, [](Config& c) { c.train.recompute = true, c.train.cache_mb = 0; }),
                 "TRAIN.recompute true TRAIN.cache_mb 0", "none: the same bits, later", none);
    }
  }
  for (const bool recompute : {false, true}) {
    if (!recompute && train.recompute) continue;
    // A batch of one has no statistics over the pyramid's single cell.
    const int least = search.judge(with_batch(1, recompute)) ? 1 : 2;
    const int batch = search.largest(least, train.batch_size - 1, [&](int b) { return with_batch(b, recompute); });
    if (batch == 0) continue;
    search.add(
        with_batch(batch, recompute),
        fmt::format("TRAIN.batch_size {}{}", batch, recompute && !train.recompute ? " TRAIN.recompute true" : ""),
        batch_effect(batch), schedule);
  }
  const PictureSize sample = largest_sample(train);
  const int eighths = (std::max(sample.height, sample.width) - 1) / 8;
  const int crop = search.largest(4, eighths - 1, [&](int e) { return with_crop(config, e); });
  if (crop > 0) {
    const Config smaller = with_crop(config, crop);
    const PictureSize small = largest_sample(smaller.train);
    search.add(smaller, crop_change(smaller),
               fmt::format("samples {} {:.0f} % of the area: {}", train.epoch_sizes.empty() ? "show" : "have at most",
                           100.0 * small.height * small.width / (1.0 * sample.height * sample.width),
                           train.epoch_sizes.empty() ? "less context for the pyramid; test with such tiles too"
                                                     : "things are smaller"),
               detail);
  }
  if (train.output_stride <= 8) {
    search.add(changed(config, [&](Config& c) { c.train.output_stride = 2 * train.output_stride; }),
               fmt::format("TRAIN.output_stride {}", 2 * train.output_stride),
               "feature maps of a quarter of the size: thin things blur", network);
  }
  if (train.blocks.empty()) {
    // Table 3 and Table 1 of the paper; ADE20K, single scale.
    struct Depth {
      int layers;
      const char* paper;
    };
    for (const Depth& depth :
         {Depth{152, " (the paper: mIoU 42.62 against 43.81 of 269)"},
          Depth{101, " (the paper: mIoU 41.96 against 42.62 of 152, 43.81 of 269)"},
          Depth{50, " (the paper: mIoU 41.68 against 41.96 of 101, 43.81 of 269)"}, Depth{18, ""}}) {
      if (depth.layers >= train.layers) continue;
      search.add(changed(config, [&](Config& c) { c.train.layers = depth.layers; }),
                 fmt::format("TRAIN.layers {}", depth.layers), fmt::format("a smaller network{}", depth.paper),
                 network);
    }
  }
  // Everything that leaves the network alone, where no single thing is enough.
  const auto with_all = [&](int e) {
    return changed(with_crop(config, e), [&](Config& c) {
      c.train.recompute = true, c.train.cache_mb = 0, c.train.batch_size = std::min(train.batch_size, 2);
    });
  };
  const int last = crop > 0 ? 0 : search.largest(4, eighths - 1, with_all);
  if (last > 0) {
    const Config small = with_all(last);
    search.add(small,
               fmt::format("TRAIN.recompute true TRAIN.cache_mb 0 TRAIN.batch_size {} {}", small.train.batch_size,
                           crop_change(small)),
               "all of the above", detail);
  }
  return search.best();
}

std::vector<Way> ways_to_test(const Config& config, int64_t limit, const Judge& judge) {
  Search search(limit, judge);
  const TestConfig& test = config.test;
  if (config.train.cache_mb > 0) {
    search.add(changed(config, [](Config& c) { c.train.cache_mb = 0; }), "TRAIN.cache_mb 0", "none", none);
  }
  const auto with_batch = [&](int batch) {
    return changed(config, [&](Config& c) { c.train.batch_size_val = batch, c.train.cache_mb = 0; });
  };
  const int batch = search.largest(1, config.train.batch_size_val - 1, with_batch);
  if (batch > 0) {
    search.add(with_batch(batch), fmt::format("TRAIN.batch_size_val {} TRAIN.cache_mb 0", batch),
               "none: fewer tiles at a time", none);
  }
  if (test.whole_image) {
    search.add(changed(config,
                       [](Config& c) { c.test.whole_image = false, c.train.batch_size_val = 1, c.train.cache_mb = 0; }),
               "TEST.whole_image false TRAIN.batch_size_val 1 TRAIN.cache_mb 0",
               fmt::format("tiles of {}x{}: another protocol", test.test_h, test.test_w), detail);
  } else {
    const int eighths = (std::min(test.test_h, test.test_w) - 1) / 8;
    const auto with_tile = [&](int e) {
      return changed(config, [&](Config& c) {
        c.test.test_h = std::min(test.test_h, 8 * e + 1 + test.test_h - std::min(test.test_h, test.test_w));
        c.test.test_w = std::min(test.test_w, 8 * e + 1 + test.test_w - std::min(test.test_h, test.test_w));
        c.train.batch_size_val = 1;
        c.train.cache_mb = 0;
      });
    };
    const int tile = search.largest(4, eighths - 1, with_tile);
    if (tile > 0) {
      const Config small = with_tile(tile);
      search.add(small,
                 fmt::format("TEST.test_h {} TEST.test_w {} TRAIN.batch_size_val 1 TRAIN.cache_mb 0", small.test.test_h,
                             small.test.test_w),
                 "smaller tiles: less context, another protocol", detail);
    }
  }
  const double highest = *std::max_element(test.scales.begin(), test.scales.end());
  if (test.scales.size() > 1 && highest > 1) {
    const Config fewer = changed(config, [](Config& c) {
      std::erase_if(c.test.scales, [](double s) { return s > 1; });
      if (c.test.scales.empty()) c.test.scales = {1.0};
      c.train.batch_size_val = 1;
      c.train.cache_mb = 0;
    });
    search.add(
        fewer,
        fmt::format("TEST.scales [{}] TRAIN.batch_size_val 1 TRAIN.cache_mb 0", fmt::join(fewer.test.scales, ",")),
        "small things are seen less well: another protocol", detail);
  }
  return search.best();
}

}  // namespace giza::train
