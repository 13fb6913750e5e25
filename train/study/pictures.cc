// The pictures of a study on which its rows differ most.
#include "train/study/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "train/config/parts.h"
#include "train/draw/shrink.h"
#include "train/draw/svg.h"
#include "train/report/html_parts.h"
#include "train/study/statistics.h"
#include "train/tester.h"

namespace giza::train {
namespace {

constexpr size_t kPictures = 4;
constexpr int kSide = 360;  // pixels of the longer side shown, at most

/// The number of pictures that every result has; 0 without results or where they differ.
size_t pictures_of(const StudyResult& result) {
  size_t pictures = 0;
  for (const RowResult& row : result.rows) {
    for (const SeedResult& seed : row.seeds) {
      if (!std::isfinite(seed.miou)) continue;
      if (pictures != 0 && seed.picture_acc.size() != pictures) return 0;
      pictures = seed.picture_acc.size();
    }
  }
  return pictures;
}

double mean_accuracy(const RowResult& row, size_t picture) {
  double sum = 0;
  int64_t seeds = 0;
  for (const SeedResult& seed : row.seeds) {
    if (!std::isfinite(seed.miou)) continue;
    sum += seed.picture_acc[picture];
    ++seeds;
  }
  return seeds == 0 ? kNoFigure : sum / static_cast<double>(seeds);
}

/// A row's network with its first seed, and how it is asked.
struct RowNetwork {
  TestedNetwork network;
  Predictor predictor;
};

}  // namespace

std::vector<DisputedPicture> disputed_pictures(const StudyResult& result, size_t count) {
  std::vector<DisputedPicture> all;
  const size_t pictures = pictures_of(result);
  for (size_t i = 0; i < pictures; ++i) {
    DisputedPicture picture{static_cast<int64_t>(i), {}, 0};
    std::vector<double> finite;
    for (const RowResult& row : result.rows) {
      picture.accuracy.push_back(mean_accuracy(row, i));
      if (std::isfinite(picture.accuracy.back())) finite.push_back(picture.accuracy.back());
    }
    if (finite.size() < 2) return {};
    const auto [lowest, highest] = std::minmax_element(finite.begin(), finite.end());
    picture.range = *highest - *lowest;
    all.push_back(std::move(picture));
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const DisputedPicture& a, const DisputedPicture& b) { return a.range > b.range; });
  all.resize(std::min(all.size(), count));
  return all;
}

std::string study_pictures_section(const StudyResult& result) {
  const std::vector<DisputedPicture> pictures = disputed_pictures(result, kPictures);
  if (pictures.empty()) return "";
  const Config& config = result.rows.front().config;
  const Dataset dataset(dataset_options(config, Split::test));
  const std::vector<std::string> names = class_names(config);
  const std::vector<Color> colors = mask_colors(config);
  const ClassLook look{names, colors, config.train.ignore_label};
  const int64_t begin = tested_pictures(config.test).begin;

  std::vector<std::unique_ptr<RowNetwork>> networks;  // null where the first seed has no result
  for (const RowResult& row : result.rows) {
    networks.emplace_back();
    if (!std::isfinite(row.seeds.front().miou)) continue;
    networks.back() = std::make_unique<RowNetwork>(RowNetwork{load_tested_network(row.config), {}});
    networks.back()->predictor = bounded_predictor(networks.back()->network, row.config.test.model_path);
  }

  std::string html = paragraph(
      "caption",
      fmt::format("The {} of the {} test pictures on which the rows' pixel accuracies, each the mean over its "
                  "seeds, lie furthest apart. The answers shown are those of seed {}.",
                  pictures.size(), pictures_of(result), result.options.first_seed));
  for (const DisputedPicture& picture : pictures) {
    const std::shared_ptr<const Pair> pair = dataset.load(begin + picture.index);
    const ListEntry& entry = dataset.entry(begin + picture.index);
    const LabelMap truth = shrink_labels(pair->labels, kSide);
    std::vector<LabelMap> answers;
    std::string views = photo_view(shrink_image(pair->image, kSide)) + truth_view(look, truth);
    for (size_t r = 0; r < networks.size(); ++r) {
      if (!networks[r]) continue;
      answers.push_back(shrink_labels(networks[r]->predictor(pair->image, entry), kSide));
      views += prediction_view(look, answers.back(),
                               fmt::format("{}: {} %", result.rows[r].row.title, percent(picture.accuracy[r])));
    }
    std::vector<const LabelMap*> shown;
    for (const LabelMap& labels : answers) shown.push_back(&labels);
    html += fmt::format("<article class='example'>\n<h4>{}</h4>\n",
                        escape_markup(std::filesystem::path(entry.image).filename().string())) +
            paragraph("of", fmt::format("pixel accuracies lie <b>{}&#8239;%</b> apart; number {} of the list",
                                        percent(picture.range), begin + picture.index + 1)) +
            "<div class='views'>\n" + views + "</div>\n" + class_legend(look, truth, shown) + "</article>\n";
  }
  return html;
}

}  // namespace giza::train
