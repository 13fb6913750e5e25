// What a plan can know of the pictures.
#include "train/cost/pictures.h"

#include <algorithm>
#include <optional>

#include "tensor/base/check.h"
#include "tensor/base/stopwatch.h"
#include "train/data/image/png.h"

namespace giza::train {
namespace {

constexpr int64_t kHeaders = 400;  // that are read
constexpr int64_t kGroups = 12;    // of sizes
constexpr int64_t kSamples = 6;    // pictures that are timed
constexpr double kTimeBudget = 2;  // seconds for them

int64_t pixels(PictureSize size) { return int64_t{size.width} * size.height; }

/// Groups of neighbours by size; each has the size in its middle.
std::vector<SizeGroup> group_sizes(std::vector<PictureSize> sizes, int64_t count) {
  std::sort(sizes.begin(), sizes.end(), [](PictureSize a, PictureSize b) {
    return pixels(a) != pixels(b) ? pixels(a) < pixels(b) : a.width < b.width;
  });
  std::vector<SizeGroup> groups;
  const auto known = static_cast<int64_t>(sizes.size());
  int64_t given = 0;
  for (int64_t begin = 0, group = 0; begin < known; ++group) {
    int64_t end = std::max(begin + 1, (group + 1) * known / std::min(kGroups, known));
    // Equal sizes are one group.
    const auto same = [&](int64_t a, int64_t b) {
      const PictureSize x = sizes[static_cast<size_t>(a)], y = sizes[static_cast<size_t>(b)];
      return x.width == y.width && x.height == y.height;
    };
    while (end < known && same(end - 1, end)) ++end;
    const int64_t until = end * count / known;
    groups.push_back({sizes[static_cast<size_t>((begin + end - 1) / 2)], until - given});
    given = until;
    begin = end;
  }
  return groups;
}

/// `most` entries at even distances.
std::vector<ListEntry> spread(const std::vector<ListEntry>& entries, int64_t most) {
  const auto count = static_cast<int64_t>(entries.size()), taken = std::min(count, most);
  std::vector<ListEntry> chosen;
  for (int64_t i = 0; i < taken; ++i) chosen.push_back(entries[static_cast<size_t>((2 * i + 1) * count / (2 * taken))]);
  return chosen;
}

LabelColumn column_of(const Config& config, Split split) {
  return split == Split::test && config.test.split == "test" ? LabelColumn::optional : LabelColumn::required;
}

/// Means of what time(entry) adds to the times, over a few pictures while the budget lasts; 0 where one cannot be read.
template <class Time>
DataTimes time_some(const Config& config, Split split, Time&& time) {
  DataTimes times;
  double done = 0;
  try {
    const DatasetOptions options = dataset_options(config, split);
    std::optional<LabelColors> colors;
    if (!options.label_colors.empty()) colors.emplace(LabelColors(options.label_colors, options.ignore_label));
    const std::vector<ListEntry> entries = spread(list_pictures(options, column_of(config, split)), kSamples);
    double spent = 0;
    for (const ListEntry& entry : entries) {
      if (spent > kTimeBudget) break;
      spent += seconds_of([&] { time(times, entry, options, colors ? &*colors : nullptr); });
      ++done;
    }
  } catch (const Error&) {
    return {};  // survey() has said what is wrong with the list; `giza check` tells about files
  }
  if (done == 0) return {};
  for (double* each : {&times.decode_s, &times.augment_s, &times.judge_s, &times.masks_s}) *each /= done;
  return times;
}

}  // namespace

Pictures survey(const Config& config, Split split, PictureSize fallback) {
  Pictures found;
  found.largest = fallback;
  found.mean_pixels = static_cast<double>(pixels(fallback));
  found.groups = {{fallback, 1}};
  std::vector<ListEntry> entries;
  try {
    if (!has_pictures(config, split)) {
      found.note = "no list of pictures is configured";
      return found;
    }
    entries = list_pictures(dataset_options(config, split), column_of(config, split));
  } catch (const Error& error) {
    found.note = error.what();
    return found;
  }
  if (split == Split::test) {
    const auto count = static_cast<int64_t>(entries.size());
    const int64_t begin = std::min<int64_t>(config.test.index_start, count);
    const int64_t end = config.test.index_step == 0 ? count : std::min(count, begin + config.test.index_step);
    entries = {entries.begin() + begin, entries.begin() + end};
  }
  found.count = static_cast<int64_t>(entries.size());
  std::vector<PictureSize> sizes;
  try {
    for (const ListEntry& entry : spread(entries, kHeaders)) {
      const auto [width, height] = read_image_size(entry.image);
      sizes.push_back({width, height});
    }
  } catch (const Error& error) {
    found.note = error.what();
  }
  if (sizes.empty()) {
    found.groups.front().pictures = found.count;
    return found;
  }
  found.groups = group_sizes(sizes, found.count);
  found.largest = {};
  found.mean_pixels = 0;
  for (const PictureSize size : sizes) {
    if (pixels(size) > pixels(found.largest)) found.largest = size;
    found.mean_pixels += static_cast<double>(pixels(size)) / static_cast<double>(sizes.size());
  }
  return found;
}

DataTimes time_training_data(const Config& config) {
  const TransformOptions transforms = train_transforms(config);
  uint32_t index = 0;
  const auto time = [&](DataTimes& times, const auto& entry, const auto& options, const auto* colors) {
    Pair pair;
    times.decode_s += seconds_of([&] { pair = read_pair(entry, options, colors); });
    // A few draws: a sample may be turned, blurred, and of any scale.
    constexpr uint32_t kDraws = 3;
    const double draws_s = seconds_of([&] {
      for (uint32_t epoch = 0; epoch < kDraws; ++epoch) augment(pair.image, pair.labels, transforms, 1, epoch, index);
    });
    times.augment_s += draws_s / kDraws;
    ++index;
  };
  return time_some(config, Split::train, time);
}

DataTimes time_test_data(const Config& config, Split split) {
  const bool masks = split == Split::test && (config.test.save_masks || config.test.split == "test");
  const auto judge = [](const auto& entry, const auto& options, const auto* colors) {
    if (entry.label.empty()) {
      const Image image = read_image(entry.image);
      return LabelMap(image.width, image.height);
    }
    const Pair pair = read_pair(entry, options, colors);
    // As `evaluate` does it; here every prediction is right.
    ConfusionMatrix counts(options.classes);
    LabelMap prediction = pair.labels;
    for (uint8_t& value : prediction.index) value = value == options.ignore_label ? uint8_t{0} : value;
    const std::vector<int32_t> truth(pair.labels.index.begin(), pair.labels.index.end());
    const std::vector<int32_t> guess(prediction.index.begin(), prediction.index.end());
    counts.add(guess, truth, options.ignore_label);
    BoundaryCounts(options.classes).add(prediction, pair.labels, options.ignore_label);
    return prediction;
  };
  const auto time = [&](DataTimes& times, const auto& entry, const auto& options, const auto* colors) {
    LabelMap labels;
    times.judge_s += seconds_of([&] { labels = judge(entry, options, colors); });
    if (!masks) return;
    times.masks_s += seconds_of([&] {
      for (int i = 0; i < 2; ++i) encode_png(entry.image, labels.index.data(), labels.width, labels.height, 1);
    });
  };
  return time_some(config, split, time);
}

}  // namespace giza::train
