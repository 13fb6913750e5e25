// Evaluations and report pages made up for tests: any number of classes, and names that mean harm.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string>

#include "tensor/random.h"
#include "train/report/html_report.h"

namespace giza::train {

/// Names as a hostile file could hold them.
inline const std::string kScript = "<script>document.title='broken'</script>";
inline const std::string kBreakOut = "\"'><img src=x onerror=\"document.title='broken'\">";

/// Pictures of 4 vertical stripes; a share of the pixels is predicted as the next class, another one ignored.
inline Evaluation striped_evaluation(int classes, int pictures, int width = 96, int height = 64) {
  Evaluation evaluation;
  evaluation.protocol = "single-scale, long side 512, tiles 473x473 at stride rate 0.667, mirrored";
  evaluation.counts = ConfusionMatrix(classes);
  evaluation.boundary = BoundaryCounts(classes);
  evaluation.seconds = 12.5;
  for (int c = 0; c < classes; ++c) {
    evaluation.names.push_back(c == 0   ? kScript
                               : c == 1 ? kBreakOut
                               : c == 2
                                   ? "a name of a class that is longer than any table has room for, and not done yet"
                               : c == 3 ? std::string("bytes that are no text \xff\xfe\x80")
                                        : fmt::format("class number {}", c));
  }
  ExampleKeeper keeper(3, 64);
  std::vector<std::vector<PictureClass>> sums;
  for (int i = 0; i < pictures; ++i) {
    Random random(7, Purpose::test, 0, static_cast<uint32_t>(i));
    Pair pair{Image(width, height), LabelMap(width, height)};
    LabelMap prediction(width, height);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const int label = (4 * i + 4 * x / width) % classes;
        const bool wrong = random.next_below(100) < static_cast<uint32_t>(5 + 3 * i);
        pair.labels.at(x, y) = x < 8 && y < 8 ? 255 : static_cast<uint8_t>(label);
        prediction.at(x, y) = static_cast<uint8_t>(wrong ? (label + 1) % classes : label);
        for (int c = 0; c < 3; ++c)
          pair.image.at(x, y)[c] = static_cast<uint8_t>((x * 2 + y * (c + 1) + 40 * label) % 256);
      }
    }
    ConfusionMatrix counts(classes);
    counts.add(std::vector<int32_t>(prediction.index.begin(), prediction.index.end()),
               std::vector<int32_t>(pair.labels.index.begin(), pair.labels.index.end()), 255);
    const std::vector<ClassSums> of = counts.sums();
    const Metrics metrics = figures_of(of);
    PictureResult result{fmt::format("folder/{}_{:03}.jpg", i == 0 ? kScript : "picture", i),
                         0,
                         metrics.all_acc,
                         metrics.miou_present,
                         {}};
    for (size_t c = 0; c < of.size(); ++c) {
      result.pixels += of[c].truth;
      if (metrics.classes[c].present) result.classes.push_back({static_cast<int32_t>(c), of[c]});
    }
    evaluation.counts.add(counts);
    evaluation.boundary.add(prediction, pair.labels, 255);
    keeper.offer(i, result.miou_present, pair, prediction);
    sums.push_back(result.classes);
    evaluation.pictures.push_back(std::move(result));
  }
  evaluation.metrics = evaluation.counts.metrics();
  evaluation.interval = bootstrap_miou(sums, classes, 200);
  evaluation.worst = keeper.worst();
  evaluation.best = keeper.best();
  return evaluation;
}

/// A page with all of its sections; `evaluation` must outlive it, and may be null.
inline ReportData report_data(const Evaluation* evaluation, int log_lines = 600) {
  ReportData data;
  data.title = "run " + kScript;
  data.kind = "evaluation";
  data.summary = {"PSPNet on ResNet50", kBreakOut};
  data.evaluation = evaluation;
  data.evaluation_name = "Test protocol";
  for (int i = 1; i <= log_lines; ++i) {
    TrainPoint point;
    point.iteration = 10 * i;
    const int epoch = i / 100 + 1;
    point.epoch = epoch;
    point.rate = 0.01 * std::pow(1 - static_cast<double>(i - 1) / log_lines, 0.9);
    point.main_loss = 0.4 + 2 / std::sqrt(static_cast<double>(i)) + 0.1 * std::sin(i * 12.9898);
    point.aux_loss = 1.3 * point.main_loss;
    point.loss = i % 97 == 50 ? std::numeric_limits<double>::quiet_NaN() : point.main_loss + 0.4 * point.aux_loss;
    point.accuracy = 1 - 0.5 / std::sqrt(static_cast<double>(i));
    point.images_per_second = 3.5;
    point.seconds = 20.0 * i;
    data.history.steps.push_back(point);
    if (i % 100 == 0) {
      data.history.validations.push_back({point.iteration, point.epoch - 1, 0.3 + 0.0005 * i, 0.4, 0.7,
                                          0.3 + 0.0005 * i, 20, "centre crop " + kScript});
    }
  }
  data.settings = {{"DATA", "classes", "12", "150", true},
                   {"TRAIN", "epochs", "100", "100", false},
                   {"TRAIN", "save_path", "'" + kScript + "'", "''", true}};
  data.config_text = "DATA:\n  classes: 12\nTRAIN:\n  epochs: 100\n  save_path: '" + kScript + "'\n";
  data.unused = {"TRAIN.train_gpu"};
  data.lists = {{"test", "lists/" + kBreakOut, 20, "0123456789abcdef"}};
  data.machine = {{"processor", "a processor"}, {"working folder", "/a/very/long/path/" + std::string(120, 'x')}};
  data.time = {{"evaluation", "12.5 s"}};
  data.command = "giza eval --config '" + kScript + "' " + std::string(200, 'y');
  data.written = "2026-11-22 14:00 UTC";
  return data;
}

}  // namespace giza::train
