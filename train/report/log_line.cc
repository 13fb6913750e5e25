// Reading the lines of log.jsonl in pieces, however long the file and its lines are.
#include "train/report/log_line.h"

#include <fstream>
#include <vector>

namespace giza::train {

bool for_each_log_line(const std::string& path, size_t most,
                       const std::function<void(const std::string& line, bool whole)>& body) {
  constexpr size_t kMaxLine = size_t{64} << 10;
  std::ifstream file(path, std::ios::binary);
  std::string line;
  std::vector<char> block(size_t{1} << 16);
  size_t bytes = 0;
  bool whole = true;
  const auto finish = [&] {
    if (!line.empty()) body(line, whole);
    line.clear();
    whole = true;
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
        whole = false;
      }
    }
    if (bytes >= most) return false;
  }
  finish();
  return true;
}

}  // namespace giza::train
