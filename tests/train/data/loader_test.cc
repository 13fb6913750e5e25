// The loader: order, repeatability at any number of workers, resuming, errors, and stopping.
#include "train/data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::train {
namespace {

/// Small noisy pictures, each different, of two sizes.
struct NoisySet {
  TempFolder temp;
  std::string folder = temp.path();
  DatasetOptions options;

  explicit NoisySet(int pictures) {
    std::ofstream list(folder + "/list.txt");
    for (int i = 0; i < pictures; ++i) {
      const int width = i % 2 == 0 ? 20 : 14;
      Image image(width, 17);
      LabelMap labels(width, 17);
      for (size_t p = 0; p < image.rgb.size(); ++p)
        image.rgb[p] = static_cast<uint8_t>((p * 31 + 7U * static_cast<size_t>(i)) % 256);
      for (size_t p = 0; p < labels.index.size(); ++p)
        labels.index[p] = static_cast<uint8_t>((p + static_cast<size_t>(i)) % 5);
      const std::string stem = std::to_string(i);
      write_image(folder + "/" + stem + ".png", image);
      write_labels(folder + "/" + stem + "_label.png", labels);
      list << stem << ".png " << stem << "_label.png\n";
    }
    options.data_root = folder;
    options.list = folder + "/list.txt";
    options.classes = 5;
  }
};

TransformOptions small_crop() {
  TransformOptions options;
  options.crop_h = 11;
  options.crop_w = 13;
  return options;
}

bool same(const Batch& a, const Batch& b) {
  const std::vector<float> x = a.images.to_vector();
  const std::vector<float> y = b.images.to_vector();
  return a.epoch == b.epoch && a.iteration == b.iteration && a.names == b.names && a.labels.values == b.labels.values &&
         x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0;
}

std::vector<Batch> take(const Dataset& dataset, const LoaderOptions& options, int batches) {
  Loader loader(dataset, small_crop(), options);
  std::vector<Batch> taken;
  for (int i = 0; i < batches; ++i) taken.push_back(loader.next());
  return taken;
}

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("loader: an epoch's order is a permutation of its own") {
  const std::vector<uint32_t> order = epoch_order(100, 3, 1, true);
  CHECK(std::set<uint32_t>(order.begin(), order.end()).size() == 100);
  CHECK(*std::max_element(order.begin(), order.end()) == 99);
  CHECK(order == epoch_order(100, 3, 1, true));
  CHECK(order != epoch_order(100, 3, 2, true));
  CHECK(order != epoch_order(100, 4, 1, true));
  const std::vector<uint32_t> plain = epoch_order(4, 3, 1, false);
  CHECK(plain == std::vector<uint32_t>{0, 1, 2, 3});
  // Every place gets every value about equally often.
  std::vector<int> counts(5);
  for (int64_t epoch = 0; epoch < 2000; ++epoch) ++counts[epoch_order(5, 1, epoch, true)[0]];
  CHECK(*std::min_element(counts.begin(), counts.end()) > 330);
  CHECK(*std::max_element(counts.begin(), counts.end()) < 470);
}

TEST_CASE("loader: the same bits with any number of workers, and when resumed") {
  const NoisySet set(11);
  const Dataset dataset(set.options);
  LoaderOptions options;
  options.batch_size = 3;
  options.seed = 42;
  options.workers = 0;
  const std::vector<Batch> expected = take(dataset, options, 8);
  CHECK(expected[0].images.shape() == Shape{3, 11, 13, 3});
  CHECK(expected[0].labels.h == 11);
  CHECK(expected[0].labels.w == 13);
  CHECK(expected[2].epoch == 0);
  CHECK(expected[2].iteration == 2);
  CHECK(expected[3].epoch == 1);  // 11 / 3: two pictures are left out of each epoch.
  CHECK(expected[3].iteration == 0);
  CHECK(!same(expected[0], expected[3]));
  std::set<std::string> names;
  for (int i = 0; i < 3; ++i)
    names.insert(expected[static_cast<size_t>(i)].names.begin(), expected[static_cast<size_t>(i)].names.end());
  CHECK(names.size() == 9);

  for (const int workers : {1, 2, 7}) {
    for (const int64_t prefetch : {1, 3}) {
      options.workers = workers;
      options.prefetch = prefetch;
      const std::vector<Batch> batches = take(dataset, options, 8);
      for (size_t i = 0; i < batches.size(); ++i) CHECK(same(batches[i], expected[i]));
    }
  }
  options.start_epoch = 1;
  options.start_iteration = 1;
  const std::vector<Batch> resumed = take(dataset, options, 4);
  for (size_t i = 0; i < resumed.size(); ++i) CHECK(same(resumed[i], expected[i + 4]));
  // The end of an epoch is the beginning of the next one.
  options.start_epoch = 0;
  options.start_iteration = 3;
  CHECK(same(take(dataset, options, 1)[0], expected[3]));
}

TEST_CASE("loader: batches hold the augmented samples of their names") {
  const NoisySet set(5);
  const Dataset dataset(set.options);
  LoaderOptions options;
  options.batch_size = 2;
  options.seed = 8;
  const Batch batch = take(dataset, options, 2)[1];
  const std::vector<uint32_t> order = epoch_order(5, 8, 0, true);
  for (int64_t i = 0; i < 2; ++i) {
    const uint32_t index = order[static_cast<size_t>(2 + i)];
    const auto pair = dataset.load(index);
    const Sample sample = augment(pair->image, pair->labels, small_crop(), 8, 0, index);
    CHECK(batch.names[static_cast<size_t>(i)] == dataset.entry(index).image);
    CHECK(batch.images.batch_slice(i, i + 1).to_vector() == sample.image);
    CHECK(std::equal(sample.labels.begin(), sample.labels.end(), batch.labels.values.begin() + i * 11 * 13));
  }
}

TEST_CASE("loader: a bad file fails its own batch, by name, and no other") {
  const NoisySet set(6);
  std::ofstream(set.folder + "/3.png", std::ios::binary | std::ios::trunc) << "no picture";
  const Dataset dataset(set.options);
  for (const int workers : {0, 2}) {
    CAPTURE(workers);
    LoaderOptions options;
    options.batch_size = 2;
    options.shuffle = false;
    options.workers = workers;
    Loader loader(dataset, small_crop(), options);
    CHECK_NOTHROW(loader.next());
    const std::string fault = error_of([&] { loader.next(); });
    CHECK(contains(fault, set.folder + "/3.png: is neither JPEG nor PNG"));
    CHECK(error_of([&] { loader.next(); }) == fault);
  }
}

TEST_CASE("loader: stops at the last epoch, and at any time") {
  const NoisySet set(4);
  const Dataset dataset(set.options);
  LoaderOptions options;
  options.batch_size = 2;
  options.end_epoch = 2;
  for (const int workers : {0, 2}) {
    options.workers = workers;
    Loader loader(dataset, small_crop(), options);
    CHECK(loader.iterations_per_epoch() == 2);
    for (int i = 0; i < 4; ++i) CHECK_NOTHROW(loader.next());
    CHECK(contains(error_of([&] { loader.next(); }), "no batches before epoch 2"));
  }
  options.workers = 3;
  for (int taken = 0; taken < 20; ++taken) {
    Loader loader(dataset, small_crop(), options);
    for (int i = 0; i < taken % 4; ++i) loader.next();
  }
}

TEST_CASE("loader: settings that cannot work are refused with the remedy") {
  const NoisySet set(3);
  const Dataset dataset(set.options);
  const auto fault = [&](auto change) {
    LoaderOptions options;
    options.batch_size = 2;
    TransformOptions transforms = small_crop();
    change(options, transforms);
    return error_of([&] { Loader loader(dataset, transforms, options); });
  };
  CHECK(fault([](LoaderOptions&, TransformOptions&) {}).empty());
  CHECK(
      contains(fault([](LoaderOptions& o, TransformOptions&) { o.batch_size = 4; }), "use a batch size of at most 3"));
  CHECK(contains(fault([](LoaderOptions& o, TransformOptions&) { o.batch_size = 0; }), "expected at least 1"));
  CHECK(contains(fault([](LoaderOptions& o, TransformOptions&) { o.workers = -1; }), "data workers"));
  CHECK(contains(fault([](LoaderOptions& o, TransformOptions&) { o.prefetch = 0; }), "made ahead"));
  CHECK(contains(fault([](LoaderOptions& o, TransformOptions&) { o.start_iteration = 2; }), "cannot start"));
  CHECK(contains(fault([](LoaderOptions&, TransformOptions& t) { t.crop_h = t.crop_w = 0; }), "set a crop size"));
  CHECK(!fault([](LoaderOptions&, TransformOptions& t) { t.scale_min = -1; }).empty());
}

}  // namespace giza::train
