// What log.jsonl tells about a run, for its curves.
#include "train/report/run_history.h"

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

namespace giza::train {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxBytes = size_t{64} << 20, kMaxLine = size_t{64} << 10;

double number(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string text(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Removes what a later line of an iteration no later replaces.
template <class Point>
void drop_from(std::vector<Point>& points, int64_t iteration) {
  while (!points.empty() && points.back().iteration >= iteration) points.pop_back();
}

/// Adds a line to the history; false for what is none.
bool add_line(const std::string& line, RunHistory& history) {
  // Depth is bounded by the length of the line; the parser of this library is not recursive.
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return false;
  const auto at = json.find("iteration");
  if (at == json.end() || !at->is_number_integer()) return false;
  const auto iteration = at->get<int64_t>();
  if (iteration < 0) return false;
  const std::string type = text(json, "type");
  if (type == "train") {
    drop_from(history.steps, iteration);
    // What was validated after this iteration belongs to the run that was killed.
    drop_from(history.validations, iteration);
    history.steps.push_back({iteration, number(json, "epoch"), number(json, "lr"), number(json, "loss"),
                             number(json, "main_loss"), number(json, "aux_loss"), number(json, "accuracy"),
                             number(json, "images_per_second"), number(json, "seconds")});
    return true;
  }
  if (type != "validation") return false;
  drop_from(history.validations, iteration);
  history.validations.push_back({iteration, number(json, "epoch"), number(json, "mIoU"), number(json, "mAcc"),
                                 number(json, "allAcc"), number(json, "mIoU_present"), number(json, "images"),
                                 text(json, "protocol")});
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
