// log.jsonl: what happened in a run, one JSON object per line.
#include "train/train_log.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/weights/metadata_json.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"
#include "train/report/log_line.h"

namespace giza::train {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

StepMeans means_of(const StepSums& sums, const StepTimes& times, int64_t batch_size) {
  const auto steps = static_cast<double>(std::max<int64_t>(sums.steps, 1));
  const double images = static_cast<double>(times.steps * batch_size);
  return {.loss = sums.loss / steps,
          .main_loss = sums.main_loss / steps,
          .aux_loss = sums.aux_loss / steps,
          .accuracy = static_cast<double>(sums.right) / (static_cast<double>(sums.valid) + 1e-10),
          .images_per_second = times.seconds > 0 ? images / times.seconds : 0.0};
}

std::string to_json(const StepSums& sums) {
  return Json{{"steps", sums.steps},       {"loss", sums.loss},   {"main_loss", sums.main_loss},
              {"aux_loss", sums.aux_loss}, {"right", sums.right}, {"valid", sums.valid}}
      .dump();
}

StepSums step_sums_from_json(const std::string& json, const std::string& place) {
  StepSums sums;
  try {
    const Json from = Json::parse(json);
    sums.steps = models::whole_number(from.at("steps"));
    from.at("loss").get_to(sums.loss);
    from.at("main_loss").get_to(sums.main_loss);
    from.at("aux_loss").get_to(sums.aux_loss);
    sums.right = models::whole_number(from.at("right"));
    sums.valid = models::whole_number(from.at("valid"));
  } catch (const std::exception& error) {
    throw Refusal(fmt::format("{}: the state of its log cannot be read ({}); use another checkpoint", place,
                              quotable(models::json_fault(error), 200)));
  }
  return sums;
}

TrainLog::TrainLog(const std::string& path, int64_t iteration) : path_(path) {
  OutputFile file(path);
  std::string kept;
  for_each_log_line(path, SIZE_MAX, [&](const std::string& text, bool whole) {
    const Json line = whole ? Json::parse(text, nullptr, /*allow_exceptions=*/false) : Json();
    const int64_t at = iteration_of(line);
    if (at < 0 || at > iteration) return;
    kept += text + "\n";
    if (kept.size() > 1 << 16) {
      file.write(kept);
      kept.clear();
    }
    const std::string type = text_in(line, "type");
    if (type == "validation") last_validation_ = std::max(last_validation_, at);
    if (type == "train") earlier_loss_ = number_in(line, "loss");
    if (const double seconds = number_in(line, "seconds"); std::isfinite(seconds)) earlier_seconds_ = seconds;
  });
  file.write(kept);
  file.commit();
  stream_.open(path, std::ios::app);
  check<Error>(stream_.good(), "{}: the log cannot be opened for writing", path_);
}

void TrainLog::write_steps(int64_t iteration, int64_t epoch, double learning_rate, const StepMeans& means,
                           double run_seconds) {
  write(Json{{"type", "train"},
             {"iteration", iteration},
             {"epoch", epoch},
             {"lr", learning_rate},
             {"loss", means.loss},
             {"main_loss", means.main_loss},
             {"aux_loss", means.aux_loss},
             {"accuracy", means.accuracy},
             {"images_per_second", means.images_per_second},
             {"seconds", run_seconds}}
            .dump());
}

void TrainLog::write_validation(int64_t iteration, int64_t epoch, const Evaluation& evaluation, double run_seconds) {
  const Metrics& metrics = evaluation.metrics;
  write(Json{{"type", "validation"},
             {"iteration", iteration},
             {"epoch", epoch},
             {"protocol", evaluation.protocol},
             {"mIoU", metrics.miou},
             {"mAcc", metrics.macc},
             {"allAcc", metrics.all_acc},
             {"mIoU_present", metrics.miou_present},
             {"images", evaluation.pictures.size()},
             {"validation_seconds", evaluation.seconds},
             {"seconds", run_seconds}}
            .dump());
  last_validation_ = iteration;
}

void TrainLog::write(const std::string& line) {
  stream_ << line << '\n' << std::flush;
  check<Error>(stream_.good(), "{}: cannot be written; is the disk full?", path_);
}

}  // namespace giza::train
