// Peak memory of commands, and how much there is.
#include "train/cost/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "train/config/parts.h"

namespace giza::train {
namespace {

constexpr int64_t kPrefetch = 2;       // batches that the loader makes ahead
constexpr int64_t kSamplePixel = 16;   // bytes of a sample's pixel: three floats and a label
constexpr int64_t kDecodedPixel = 4;   // of a decoded picture and its labels
constexpr int64_t kAugmentPixel = 26;  // of a scaled picture and labels, and their copies while they are turned

/// Heap of one picture on its way through the protocol: decoded, and as floats at the largest scale.
int64_t picture_bytes(PictureSize picture, const ProtocolOptions& protocol) {
  const double pixels = static_cast<double>(picture.width) * picture.height;
  double most = 0;
  for (const double scale : protocol.scales) {
    const double side =
        protocol.base_size > 0 ? scale * protocol.base_size / std::max(picture.width, picture.height) : scale;
    most = std::max(most, side * side);
  }
  return static_cast<int64_t>(pixels * (12 * most + 16));
}

/// The number behind `name` in a file of lines "name number ...".
std::optional<int64_t> entry(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    int64_t value = 0;
    if (words >> key >> value && key == name) return value;
  }
  return std::nullopt;
}

/// The same of a number of kB, in bytes.
std::optional<int64_t> kilobytes(const std::string& path, const std::string& name) {
  const std::optional<int64_t> value = entry(path, name);
  return value ? std::optional(*value << 10) : std::nullopt;
}

/// The number that a file holds; none for "max".
std::optional<int64_t> number(const std::string& path) {
  std::ifstream file(path);
  int64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

/// Lowers the limit by a control group's and its parents'. Pages of files that were not used lately do not count: they
/// are dropped when memory is asked for.
void apply_group(const std::string& mount, std::string group, const char* limit_file, const char* usage_file,
                 const char* inactive, MemoryLimit* limit) {
  while (true) {
    const std::string folder = mount + (group == "/" ? "" : group);
    const auto most = number(folder + "/" + limit_file), used = number(folder + "/" + usage_file);
    if (most && used) {
      const int64_t left = std::max<int64_t>(0, *most - *used + entry(folder + "/memory.stat", inactive).value_or(0));
      if (left < limit->bytes) *limit = {left, "control group " + group};
    }
    if (group.empty() || group == "/") return;
    group.resize(group.find_last_of('/'));
    if (group.empty()) group.push_back('/');  // not = "/", which g++ 12 warns of without reason
  }
}

}  // namespace

int workers_of(const Config& config) { return config.train.workers > 0 ? config.train.workers : 2; }

int64_t decoded_bytes(const Pictures& pictures) {
  return static_cast<int64_t>(static_cast<double>(pictures.count) * pictures.mean_pixels) * kDecodedPixel;
}

int64_t cache_bytes(const Config& config, const Pictures& pictures) {
  return std::min(int64_t{config.train.cache_mb} << 20, decoded_bytes(pictures));
}

MemoryPlan training_memory(const Config& config, const Rehearsal& rehearsal, const Pictures& pictures,
                           PictureSize validated, int64_t process) {
  const TrainConfig& train = config.train;
  MemoryPlan memory;
  memory.process = process;
  memory.tensors = rehearsal.arena_bytes;
  const int64_t sample = kSamplePixel * train.train_h * train.train_w;
  const double largest = static_cast<double>(pictures.largest.width) * pictures.largest.height;
  const auto in_work =
      static_cast<int64_t>(largest * (kDecodedPixel + kAugmentPixel * train.scale_max * train.scale_max));
  memory.data = cache_bytes(config, pictures) + kPrefetch * train.batch_size * sample + workers_of(config) * in_work;
  if (validated.width > 0) memory.data += picture_bytes(validated, validation_protocol(config));
  // The state dict with its momentum, copied to be written.
  memory.files = 4 * (2 * rehearsal.parameters + rehearsal.buffers);
  return memory;
}

MemoryPlan test_memory(const Config& config, const Rehearsal& rehearsal, const Pictures& pictures, int64_t process) {
  const ProtocolOptions protocol = test_protocol(config);
  MemoryPlan memory;
  memory.process = process;
  memory.tensors = rehearsal.arena_bytes;
  memory.data = picture_bytes(pictures.largest, protocol);
  if (config.test.split != "test") memory.data += cache_bytes(config, pictures);
  // Weights are read before anything else is held: only what is beyond the rest counts.
  std::error_code none;
  const auto size = std::filesystem::file_size(config.test.model_path, none);
  const int64_t file = none ? 4 * (2 * rehearsal.parameters + rehearsal.buffers) : static_cast<int64_t>(size);
  const int64_t loading = process + 4 * (rehearsal.parameters + rehearsal.buffers) + file;
  memory.files = std::max<int64_t>(0, loading - memory.peak());
  return memory;
}

std::optional<int64_t> available_bytes(const std::string& root) {
  return kilobytes(root + "/proc/meminfo", "MemAvailable:");
}

MemoryLimit memory_limit(const std::string& root) {
  MemoryLimit limit{available_bytes(root).value_or(INT64_MAX), "free memory"};
  // "4:memory:/jobs/7" in version 1, "0::/jobs/7" in version 2.
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const std::string group = line.substr(second + 1);
    if (controllers == ",,") {
      apply_group(root + "/sys/fs/cgroup", group, "memory.max", "memory.current", "inactive_file", &limit);
    } else if (controllers.find(",memory,") != std::string::npos) {
      apply_group(root + "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", "memory.usage_in_bytes",
                  "total_inactive_file", &limit);
    }
  }
  return limit;
}

int64_t resident_bytes() { return kilobytes("/proc/self/status", "VmRSS:").value_or(0); }

int64_t peak_resident_bytes() { return kilobytes("/proc/self/status", "VmHWM:").value_or(0); }

void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace giza::train
