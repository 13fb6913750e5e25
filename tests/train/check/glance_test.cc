// Labels that training would learn nothing from.
#include "train/check/glance.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::train {
namespace {

/// A data set of `count` pairs of 4x4 whose label files hold the values in turn.
struct Labels {
  TempFolder folder;
  DatasetOptions options;

  Labels(int count, const std::vector<uint8_t>& values) {
    std::string list;
    for (int i = 0; i < count; ++i) {
      LabelMap labels(4, 4);
      for (size_t p = 0; p < labels.index.size(); ++p) labels.index[p] = values[p % values.size()];
      write_image(folder.file(fmt::format("{}.png", i)), Image(4, 4));
      write_labels(folder.file(fmt::format("{}_label.png", i)), labels);
      list += fmt::format("{0}.png {0}_label.png\n", i);
    }
    write_bytes(folder.file("list.txt"), list);
    options.list = folder.file("list.txt");
    options.data_root = folder.path();
    options.classes = 2;
  }
  std::string warning() const {
    const std::vector<std::string> all = glance_at_labels(Dataset(options));
    REQUIRE(all.size() <= 1);
    return all.empty() ? "" : all[0];
  }
};

TEST_CASE("glance: labels with nothing to learn from are told, others are not") {
  CHECK(Labels(3, {0, 1}).warning().empty());
  CHECK(Labels(3, {0, 1, 255}).warning().empty());
  CHECK(contains(Labels(3, {255}).warning(), "every pixel of all 3 label files is ignored"));
  CHECK(contains(Labels(40, {1, 255}).warning(), "16 label files looked at hold no class but 1"));
  CHECK(contains(Labels(3, {0, 255}).warning(), "set DATA.label_map '{0: 0, 255: 1}'"));
  Labels mapped(3, {0, 255});
  mapped.options.label_table.emplace().fill(255);
  (*mapped.options.label_table)[0] = 0;
  (*mapped.options.label_table)[255] = 1;
  mapped.options.ignore_label = 254;
  CHECK(mapped.warning().empty());
}

TEST_CASE("glance: files that cannot be read are left to whoever needs them") {
  const Labels set(2, {0});
  for (const char* name : {"0_label.png", "1_label.png"}) write_bytes(set.folder.file(name), "no picture");
  CHECK(set.warning().empty());
}

TEST_CASE("glance: settings that learn nothing, or less than they say, are told with their place") {
  const auto warnings = [](const char* text) { return glance_at_settings(parse_config(text, "FILE"), 10); };
  CHECK(warnings("TRAIN: {warmup_iters: 9, class_weights: [0, 1], base_lr: 1e-9}\nDATA: {classes: 2}").empty());
  CHECK(warnings("TRAIN:\n  base_lr: 0\n") ==
        std::vector<std::string>{"FILE:2: TRAIN.base_lr is 0, so that the weights stay as they begin"});
  const auto zero = warnings("DATA: {classes: 2}\nTRAIN: {class_weights: [0, 0]}\n");
  REQUIRE(zero.size() == 1);
  CHECK(contains(zero[0], "FILE:2: TRAIN.class_weights are all 0"));
  const auto long_warmup = warnings("TRAIN: {warmup_iters: 10}");
  REQUIRE(long_warmup.size() == 1);
  CHECK(contains(long_warmup[0], "TRAIN.warmup_iters is 10, and the run has 10 iterations"));
}

}  // namespace
}  // namespace giza::train
