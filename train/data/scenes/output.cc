// Folders of made-up pictures.
#include "train/data/scenes/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/parallel.h"
#include "train/data/scenes/scenes.h"
#include "train/progress.h"
#include "train/signals.h"

namespace giza::train::scenes {
namespace {

namespace fs = std::filesystem;

/// A folder that holds something else is refused: the data set would be mixed into a person's files.
void check_folder(const fs::path& dir, const std::string& names) {
  check<Refusal>(!dir.empty(), "the path of the folder for the scenes is empty");
  std::error_code error;
  const fs::file_status status = fs::status(dir, error);
  if (status.type() == fs::file_type::not_found) return;
  check<Refusal>(status.type() == fs::file_type::directory, "{}: is not a folder, expected a new or empty one",
                 dir.string());
  const bool empty = fs::is_empty(dir, error);
  check<Refusal>(!error, "{}: cannot be read ({}), expected a new or empty folder", dir.string(), error.message());
  if (empty) return;
  std::vector<uint8_t> found;
  if (fs::is_regular_file(dir / "names.txt", error)) found = read_file((dir / "names.txt").string(), 1 << 16);
  check<Refusal>(std::string(found.begin(), found.end()) == names,
                 "{}: holds other files, expected a new or empty folder or an older scene data set", dir.string());
}

void write_pictures(const std::string& dir, std::span<const Part> parts,
                    const std::function<void(size_t part, int index)>& write) {
  int64_t total = 0, done = 0;
  for (const Part& part : parts) total += part.count;
  Progress progress("scenes", total, "images");
  for (size_t part = 0; part < parts.size(); ++part) {
    constexpr int kBatch = 64;  // between two looks at signals and progress
    for (int first = 0; first < parts[part].count; first += kBatch) {
      const int batch = std::min(kBatch, parts[part].count - first);
      parallel_for(batch, [&](int64_t task) {
        if (pending_signal() == 0) write(part, first + static_cast<int>(task));
      });
      if (const int signal = pending_signal(); signal != 0) {
        throw Interrupted(signal, fmt::format("{}: stopped by signal {} after {} of {} pictures: the set is incomplete",
                                              dir, signal, done, total));
      }
      done += batch;
      progress.update(done);
    }
  }
  progress.finish();
}

}  // namespace

std::string picture_name(int index) { return fmt::format("scene_{:05}.png", index); }

void write_set(const std::string& dir, const std::string& names, std::span<const Part> parts,
               const std::function<void()>& prepare, const std::function<void(size_t part, int index)>& write,
               const std::function<void()>& finish) {
  int64_t total = 0;
  for (const Part& part : parts) {
    check<Refusal>(part.count >= 0 && part.count <= kMostScenes,
                   "scenes: {} pictures for {} are out of range, expected 0 to {}", part.count, part.name, kMostScenes);
    total += part.count;
  }
  check<Refusal>(total > 0, "scenes: no pictures asked for, expected at least one for train or val");
  check_folder(dir, names);
  try {
    prepare();
    write_file((fs::path(dir) / "names.txt").string(), names);
    write_pictures(dir, parts, write);
    finish();
  } catch (const fs::filesystem_error& error) {
    throw Error(fmt::format("{}: the data set cannot be written ({})", dir, error.code().message()));
  }
}

void remove_leftovers(const std::string& folder, const std::function<bool(int index)>& wanted) {
  std::vector<fs::path> leftovers;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    int index = -1;
    if (name.size() == 15 && name.find_first_not_of("0123456789", 6) == 11) index = std::stoi(name.substr(6, 5));
    const bool current = index >= 0 && name == picture_name(index) && wanted(index);
    if (name.starts_with("scene_") && !current) leftovers.push_back(entry.path());
  }
  for (const fs::path& path : leftovers) fs::remove(path);
}

}  // namespace giza::train::scenes
