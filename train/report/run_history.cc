// What log.jsonl tells about a run, for its curves.
#include "train/report/run_history.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "train/report/log_line.h"

namespace giza::train {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxBytes = size_t{64} << 20, kMaxLine = size_t{64} << 10;

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
  std::ifstream file(path, std::ios::binary);
  std::string line;
  std::vector<char> block(size_t{1} << 16);
  size_t bytes = 0;
  bool too_long = false;
  const auto finish = [&] {
    if (!line.empty() && (too_long || !add_line(line, history))) ++history.skipped_lines;
    line.clear();
    too_long = false;
  };
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    const auto count = static_cast<size_t>(file.gcount());
    bytes += count;
    for (size_t i = 0; i < count; ++i) {
      if (block[i] == '\n') {
        finish();
      } else if (line.size() < kMaxLine) {
        line += block[i];
      } else {
        too_long = true;
      }
    }
    if (bytes >= kMaxBytes) {
      history.cut = true;
      return history;
    }
  }
  finish();
  return history;
}

}  // namespace giza::train
