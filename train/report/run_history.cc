// What log.jsonl tells about a run, for its curves.
#include "train/report/run_history.h"

#include <nlohmann/json.hpp>

#include "train/report/log_line.h"

namespace giza::train {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxBytes = size_t{64} << 20;

/// Removes what a later line of an iteration no later replaces.
template <class Point>
void drop_from(std::vector<Point>& points, int64_t iteration) {
  while (!points.empty() && points.back().iteration >= iteration) points.pop_back();
}

/// Adds a line to the history; false for what is none.
bool add_line(const std::string& line, RunHistory& history) {
  // Depth is bounded by the length of the line; the parser of this library is not recursive.
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  const int64_t iteration = iteration_of(json);
  if (iteration < 0) return false;
  const std::string type = text_in(json, "type");
  if (type == "train") {
    drop_from(history.steps, iteration);
    // What was validated after this iteration belongs to the run that was killed.
    drop_from(history.validations, iteration);
    history.steps.push_back({iteration, number_in(json, "epoch"), number_in(json, "lr"), number_in(json, "loss"),
                             number_in(json, "main_loss"), number_in(json, "aux_loss"), number_in(json, "accuracy"),
                             number_in(json, "images_per_second"), number_in(json, "seconds")});
    return true;
  }
  if (type != "validation") return false;
  drop_from(history.validations, iteration);
  history.validations.push_back({iteration, number_in(json, "epoch"), number_in(json, "mIoU"), number_in(json, "mAcc"),
                                 number_in(json, "allAcc"), number_in(json, "mIoU_present"), number_in(json, "images"),
                                 text_in(json, "protocol")});
  return true;
}

}  // namespace

const ValidationPoint* RunHistory::best_validation() const {
  const ValidationPoint* best = nullptr;
  for (const ValidationPoint& point : validations) {
    if (best == nullptr || point.miou > best->miou) best = &point;
  }
  return best;
}

RunHistory read_history(const std::string& path) {
  RunHistory history;
  history.cut = !for_each_log_line(path, kMaxBytes, [&](const std::string& line, bool whole) {
    if (!whole || !add_line(line, history)) ++history.skipped_lines;
  });
  return history;
}

}  // namespace giza::train
