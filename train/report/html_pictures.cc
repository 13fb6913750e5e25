// report.html: the worst and the best pictures, and how good the others are.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "train/draw/chart.h"
#include "train/draw/embedded_image.h"
#include "train/draw/svg.h"
#include "train/report/html_parts.h"

namespace giza::train {
namespace {

constexpr size_t kPhotoBytes = 48 << 10, kDrawingBytes = 36 << 10;  // of one embedded picture
constexpr size_t kLegendClasses = 12;
constexpr size_t kFileLetters = 160;

/// Oblique stripes: no class has them, so ignored pixels cannot be taken for one.
Color hatch(int x, int y) { return (x + y) % 8 < 4 ? Color{238, 236, 232} : Color{176, 171, 163}; }

ClassLook look_of(const ReportData& data) { return {data.evaluation->names, data.colors, data.ignore_label}; }

/// Pixels of each value in either map, the ignored left out, the most frequent first.
std::vector<std::pair<int, int64_t>> classes_of(const LabelMap& labels, int ignore_label) {
  std::map<int, int64_t> counts;
  for (const uint8_t value : labels.index) {
    if (value != ignore_label) ++counts[value];
  }
  std::vector<std::pair<int, int64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

std::string name_of(const ClassLook& look, int label) {
  return static_cast<size_t>(label) < look.names.size() ? look.names[static_cast<size_t>(label)]
                                                        : fmt::format("class {}", label);
}

/// "truth: road 40 %, sky 31 %, building 12 %": what one who does not see the picture is told.
std::string description(const ClassLook& look, const std::string& what, const LabelMap& labels) {
  const auto classes = classes_of(labels, look.ignore_label);
  std::vector<std::string> parts;
  for (size_t i = 0; i < std::min<size_t>(classes.size(), 3); ++i) {
    const double share = static_cast<double>(classes[i].second) / static_cast<double>(labels.index.size());
    parts.push_back(fmt::format("{} {:.0f} %", shorten(name_of(look, classes[i].first), 40), share * 100));
  }
  return fmt::format("{}: {}", what, fmt::join(parts, ", "));
}

std::string view(const std::string& address, int width, int height, const std::string& caption, const std::string& alt,
                 bool drawing) {
  return fmt::format("<figure><img src='{}' width='{}' height='{}'{} alt=\"{}\"><figcaption>{}</figcaption></figure>\n",
                     address, width, height, drawing ? " class='drawing'" : "", escape_markup(alt), caption);
}

std::string error_view(const Example& example, int ignore_label) {
  LabelMap errors(example.truth.width, example.truth.height);
  for (size_t i = 0; i < errors.index.size(); ++i) {
    const bool ignored = example.truth.index[i] == ignore_label;
    errors.index[i] = ignored ? 2 : example.truth.index[i] == example.prediction.index[i] ? 0 : 1;
  }
  const auto paint = [](uint8_t value, int x, int y) {
    return value == 2 ? hatch(x, y) : value == 1 ? Color{196, 52, 28} : Color{247, 245, 240};
  };
  return view(drawing_address(errors, kDrawingBytes, paint), errors.width, errors.height, "errors",
              "where the prediction is wrong", true);
}

std::string views(const ReportData& data, const Example& example) {
  const ClassLook look = look_of(data);
  return "<div class='views'>\n" + photo_view(example.input) + truth_view(look, example.truth) +
         prediction_view(look, example.prediction, "prediction") + error_view(example, look.ignore_label) + "</div>\n";
}

std::string legend(const ReportData& data, const Example& example) {
  return class_legend(look_of(data), example.truth, {&example.prediction},
                      "<li><i class='swatch' style='background:#c4341c'></i>wrong</li>");
}

/// A picture with its class, and the one that was found.
std::string whole_article(const ReportData& data, const Example& example, const std::string& file) {
  const auto name = [&](const LabelMap& label) { return name_of(look_of(data), label.at(0, 0)); };
  const bool right = example.truth.index == example.prediction.index;
  return fmt::format("<article class='example'>\n<h4>{}</h4>\n", escape_markup(shorten(file, kFileLetters))) +
         paragraph("of",
                   fmt::format("<b>{}</b>: truth <bdi>{}</bdi>, prediction <bdi>{}</bdi>; {} × {}, number {} of the "
                               "list judged",
                               right ? "right" : "wrong", escape_markup(name(example.truth)),
                               escape_markup(name(example.prediction)), example.width, example.height,
                               grouped(example.picture + 1))) +
         "<div class='views'>\n" + photo_view(example.input) + "</div>\n</article>\n";
}

std::string article(const ReportData& data, const Example& example) {
  const PictureResult& result = data.evaluation->pictures[static_cast<size_t>(example.picture)];
  const std::string file = std::filesystem::path(result.image).filename().string();
  if (data.whole_pictures) return whole_article(data, example, file);
  return fmt::format("<article class='example'>\n<h4>{}</h4>\n", escape_markup(shorten(file, kFileLetters))) +
         paragraph("of", fmt::format("<b>{}&#8239;%</b> mIoU of its classes, {}&#8239;% of pixels right; {} × {}, {} "
                                     "judged pixels, number {} of the list judged",
                                     percent(result.miou_present), percent(result.all_acc), example.width,
                                     example.height, grouped(result.pixels), grouped(example.picture + 1))) +
         views(data, example) + legend(data, example) + "</article>\n";
}

std::string group(const ReportData& data, const char* title, const std::vector<Example>& examples) {
  if (examples.empty()) return "";
  std::string html = fmt::format("<h3>{}</h3>\n", title);
  for (const Example& example : examples) html += article(data, example);
  return html;
}

std::string distribution(const Evaluation& evaluation) {
  constexpr size_t kBars = 20;
  Histogram chart{"Number of pictures by their mIoU", "mIoU of the picture's classes, %", "pictures", {}, {}, true};
  for (size_t i = 0; i <= kBars; ++i) chart.edges.push_back(static_cast<double>(i) / kBars);
  chart.bars.resize(kBars);
  std::vector<double> scores;
  for (const PictureResult& picture : evaluation.pictures) {
    if (picture.pixels == 0) continue;
    scores.push_back(picture.miou_present);
    ++chart.bars[std::min(static_cast<size_t>(picture.miou_present * kBars), kBars - 1)];
  }
  const size_t ignored = evaluation.pictures.size() - scores.size();
  const std::string left_out =
      ignored == 0 ? "" : fmt::format(" {} picture{} without a judged pixel.", ignored, ignored == 1 ? " is" : "s are");
  if (scores.size() < 2) return left_out.empty() ? "" : paragraph("caption", left_out);
  std::sort(scores.begin(), scores.end());
  return histogram_chart(chart) +
         paragraph("caption", fmt::format("Each picture by the mean IoU of the classes in its truth or prediction: "
                                          "median {}&#8239;%, middle half from {} to {}&#8239;%.{}",
                                          percent(percentile(scores, 0.5)), percent(percentile(scores, 0.25)),
                                          percent(percentile(scores, 0.75)), left_out));
}

}  // namespace

std::string photo_view(const Image& image) {
  return view(photo_address(image, kPhotoBytes), image.width, image.height, "input", "input picture", false);
}

std::string truth_view(const ClassLook& look, const LabelMap& labels) {
  const auto paint = [&](uint8_t value, int x, int y) {
    return value == look.ignore_label ? hatch(x, y) : class_color(look.colors, value);
  };
  return view(drawing_address(labels, kDrawingBytes, paint), labels.width, labels.height, "truth",
              description(look, "truth", labels), true);
}

std::string prediction_view(const ClassLook& look, const LabelMap& labels, const std::string& caption) {
  // A predicted class may bear the ignored number only where there are that many classes; it is shown as a class then.
  const auto paint = [&](uint8_t value, int, int) { return class_color(look.colors, value); };
  return view(drawing_address(labels, kDrawingBytes, paint), labels.width, labels.height, escape_markup(caption),
              description(look, caption, labels), true);
}

std::string class_legend(const ClassLook& look, const LabelMap& truth, const std::vector<const LabelMap*>& predictions,
                         const std::string& more) {
  LabelMap all = truth;
  for (const LabelMap* labels : predictions) {
    all.index.insert(all.index.end(), labels->index.begin(), labels->index.end());
  }
  const auto classes = classes_of(all, look.ignore_label);
  std::string items;
  for (size_t i = 0; i < std::min(classes.size(), kLegendClasses); ++i) {
    items += fmt::format("<li>{}<bdi>{}</bdi></li>", swatch(class_color(look.colors, classes[i].first)),
                         escape_markup(name_of(look, classes[i].first)));
  }
  if (classes.size() > kLegendClasses) items += fmt::format("<li>and {} more</li>", classes.size() - kLegendClasses);
  items += more;
  const bool ignored =
      std::find(truth.index.begin(), truth.index.end(), static_cast<uint8_t>(look.ignore_label)) != truth.index.end();
  if (ignored) items += "<li><i class='swatch hatch'></i>ignored</li>";
  return "<ul class='legend'>" + items + "</ul>\n";
}

std::string pictures_section(const ReportData& data) {
  if (data.evaluation == nullptr) return "";
  const Evaluation& evaluation = *data.evaluation;
  std::string how;
  if (!evaluation.worst.empty()) {
    how = paragraph("caption", fmt::format("The worst and the best were chosen by the same figure from the {} judged. "
                                           "Large ones are shown smaller; every figure is of the full size. Ignored "
                                           "pixels are striped. Protocol: {}.",
                                           grouped(static_cast<int64_t>(evaluation.pictures.size())),
                                           escape_markup(evaluation.protocol)));
  }
  if (data.whole_pictures) {
    return paragraph("caption", "Some that are wrong, as far as there are any, and some that are right.") +
           group(data, "The worst", evaluation.worst) + group(data, "The best", evaluation.best);
  }
  return "<div class='half'>\n" + distribution(evaluation) + "</div>\n" + how +
         group(data, "The worst", evaluation.worst) + group(data, "The best", evaluation.best);
}

}  // namespace giza::train
