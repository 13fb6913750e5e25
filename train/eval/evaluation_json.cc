// An evaluation as JSON and as a table.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tensor/base/text.h"
#include "train/eval/evaluator.h"

namespace giza::train {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// A key per line, and the elements of its arrays of objects or arrays a line each: to be read, and to be compared.
std::string lines_of(const Json& json) {
  std::string text = "{\n";
  for (auto item = json.begin(); item != json.end(); ++item) {
    if (item != json.begin()) text += ",\n";
    text += fmt::format(" {}: ", text_of(item.key()));
    const Json& value = item.value();
    if (!value.is_array() || value.empty()) {
      text += text_of(value);
      continue;
    }
    text += "[";
    for (size_t i = 0; i < value.size(); ++i) text += (i == 0 ? "\n  " : ",\n  ") + text_of(value[i]);
    text += "\n ]";
  }
  return text + "\n}\n";
}

/// What the counts are of.
const char* unit_of(const Evaluation& evaluation) { return evaluation.whole_pictures ? "pictures" : "pixels"; }

Json pair_of(const Interval& interval) { return Json::array({interval.low, interval.high}); }

Json means_of(const Metrics& metrics) {
  return {{"pixels", metrics.pixels()},
          {"mIoU", metrics.miou},
          {"mIoU_present", metrics.miou_present},
          {"allAcc", metrics.all_acc}};
}

Json boundary_json(const BoundaryCounts& boundary) {
  const int width = boundary.width();
  Json json{{"width_px", width},
            {"distance", "chessboard, to the nearest pixel of another truth; band: distance <= width_px"},
            {"band", means_of(boundary.band(width))},
            {"interior", means_of(boundary.interior(width))},
            {"by_width", Json::array()}};
  for (int w = 1; w <= kBoundaryReach; ++w) {
    const Metrics metrics = boundary.band(w);
    json["by_width"].push_back({{"width_px", w}, {"mIoU", metrics.miou}, {"allAcc", metrics.all_acc}});
  }
  return json;
}

}  // namespace

std::string metrics_json(const Evaluation& evaluation) {
  const Metrics& metrics = evaluation.metrics;
  const BootstrapResult& interval = evaluation.interval;
  Json json{{"protocol", evaluation.protocol},
            {"mIoU", metrics.miou},
            {"mAcc", metrics.macc},
            {"allAcc", metrics.all_acc},
            {"mIoU_present", metrics.miou_present},
            {"images", evaluation.pictures.size()},
            {"seconds", evaluation.seconds},
            {"interval",
             {{"level", kBootstrapLevel},
              {"resamples", interval.resamples},
              {"seed", kBootstrapSeed},
              {"mIoU", pair_of(interval.miou)},
              {"mIoU_present", pair_of(interval.miou_present)}}}};
  if (!evaluation.whole_pictures) json["boundary"] = boundary_json(evaluation.boundary);
  for (const char* list : {"classes", "confusion", "pictures"}) json[list] = Json::array();
  const int width = evaluation.boundary.width();
  const Metrics band = evaluation.boundary.band(width), interior = evaluation.boundary.interior(width);
  for (size_t c = 0; c < metrics.classes.size(); ++c) {
    const ClassMetrics& figures = metrics.classes[c];
    Json of_class{{"name", evaluation.names[c]},
                  {"iou", figures.iou},
                  {"acc", figures.acc},
                  {unit_of(evaluation), figures.pixels},
                  {"present", figures.present}};
    if (!evaluation.whole_pictures) {
      of_class["iou_band"] = band.classes[c].iou;
      of_class["iou_interior"] = interior.classes[c].iou;
    }
    json["classes"].push_back(std::move(of_class));
    Json row = Json::array();
    for (size_t p = 0; p < metrics.classes.size(); ++p) {
      row.push_back(evaluation.counts.at(static_cast<int>(c), static_cast<int>(p)));
    }
    json["confusion"].push_back(std::move(row));
  }
  for (const PictureResult& picture : evaluation.pictures) {
    Json classes = Json::array();
    for (const PictureClass& of : picture.classes) {
      classes.push_back(Json::array({of.label, of.sums.right, of.sums.truth, of.sums.predicted}));
    }
    json["pictures"].push_back({{"image", picture.image},
                                {"allAcc", picture.all_acc},
                                {"mIoU_present", picture.miou_present},
                                {"pixels", picture.pixels},
                                {"classes", std::move(classes)}});
  }
  return lines_of(json);
}

std::string metrics_table(const Evaluation& evaluation) {
  const Metrics& metrics = evaluation.metrics;
  size_t width = 12;
  for (const std::string& name : evaluation.names) width = std::max(width, name.size());
  std::string table = fmt::format("{:<{}}  {:>7}  {:>7}  {:>12}\n", "class", width, "IoU", "acc", unit_of(evaluation));
  for (size_t c = 0; c < metrics.classes.size(); ++c) {
    const ClassMetrics& figures = metrics.classes[c];
    table += fmt::format("{:<{}}  {:7.4f}  {:7.4f}  {:>12}{}\n", evaluation.names[c], width, figures.iou, figures.acc,
                         figures.pixels, figures.present ? "" : "  absent");
  }
  table += fmt::format("{:<{}}  {:7.4f}  (of the classes present: {:.4f})\n", "mIoU", width, metrics.miou,
                       metrics.miou_present);
  const BootstrapResult& interval = evaluation.interval;
  if (interval.resamples > 0) {
    table += fmt::format("{:<{}}  {:.4f} to {:.4f} in 95 % of {} resamplings of the pictures\n", "  interval", width,
                         interval.miou.low, interval.miou.high, interval.resamples);
  }
  table += fmt::format("{:<{}}  {:7.4f}\n{:<{}}  {:7.4f}{}\n", "mAcc", width, metrics.macc, "allAcc", width,
                       metrics.all_acc, evaluation.whole_pictures ? "  (top-1)" : "");
  return table + fmt::format("{} in {:.1f} s; {}\n",
                             counted(static_cast<int64_t>(evaluation.pictures.size()), "picture"), evaluation.seconds,
                             evaluation.protocol);
}

}  // namespace giza::train
