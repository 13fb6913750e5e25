// Writes the scene data set: pictures in parallel first, the lists that name them last.
#include <fmt/format.h>

#include <filesystem>
#include <span>
#include <system_error>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/parallel.h"
#include "train/data/scenes/scenes.h"
#include "train/progress.h"
#include "train/signals.h"

namespace giza::train {

namespace {

namespace fs = std::filesystem;

constexpr int kMaxPictures = 100000;  // five digits in the name

struct Split {
  const char* name;
  int count;
};

std::string picture_name(int index) { return fmt::format("scene_{:05}.png", index); }

void write_text(const fs::path& path, const std::string& text) { write_file(path.string(), text); }

std::string names_text() {
  std::string text;
  for (const std::string& name : scene_class_names()) text += name + "\n";
  return text;
}

/// A folder that holds something else is refused: the data set would be mixed into a person's files.
void check_folder(const fs::path& dir) {
  check<Refusal>(!dir.empty(), "the path of the folder for the scenes is empty");
  std::error_code error;
  const fs::file_status status = fs::status(dir, error);
  if (status.type() == fs::file_type::not_found) return;
  check<Refusal>(status.type() == fs::file_type::directory, "{}: is not a folder, expected a new or empty one",
                 dir.string());
  const bool empty = fs::is_empty(dir, error);
  check<Refusal>(!error, "{}: cannot be read ({}), expected a new or empty folder", dir.string(), error.message());
  if (empty) return;
  const std::string expected = names_text();
  std::vector<uint8_t> found;
  if (fs::is_regular_file(dir / "names.txt", error)) found = read_file((dir / "names.txt").string(), 1 << 16);
  check<Refusal>(std::string(found.begin(), found.end()) == expected,
                 "{}: holds other files, expected a new or empty folder or an older scene data set", dir.string());
}

/// Pictures of an older data set, and what an interrupted run left, beyond those just written.
void remove_leftovers(const fs::path& folder, int count) {
  std::vector<fs::path> leftovers;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    int index = -1;
    if (name.size() == 15 && name.find_first_not_of("0123456789", 6) == 11) index = std::stoi(name.substr(6, 5));
    const bool current = index >= 0 && index < count && name == picture_name(index);
    if (name.starts_with("scene_") && !current) leftovers.push_back(entry.path());
  }
  for (const fs::path& path : leftovers) fs::remove(path);
}

void write_all(const fs::path& dir, std::span<const Split> splits, const SceneOptions& options) {
  for (const Split& split : splits) {
    fs::remove(dir / fmt::format("{}.txt", split.name));
    fs::create_directories(dir / split.name);
    fs::create_directories(dir / fmt::format("{}annot", split.name));
  }
  write_text(dir / "names.txt", names_text());
  std::string colors;
  for (const Color& c : scene_class_colors()) colors += fmt::format("{} {} {}\n", c[0], c[1], c[2]);
  write_text(dir / "colors.txt", colors);

  int64_t total = 0, done = 0;
  for (const Split& split : splits) total += split.count;
  Progress progress("scenes", total, "images");
  uint32_t number = 0;
  for (const Split& split : splits) {
    const fs::path images = dir / split.name, labels = dir / fmt::format("{}annot", split.name);
    constexpr int kBatch = 64;  // between two looks at signals and progress
    for (int first = 0; first < split.count; first += kBatch) {
      const int batch = std::min(kBatch, split.count - first);
      parallel_for(batch, [&](int64_t task) {
        if (pending_signal() != 0) return;
        const int index = first + static_cast<int>(task);
        const Scene scene = make_scene(options, number, static_cast<uint32_t>(index));
        write_image((images / picture_name(index)).string(), scene.image);
        write_labels((labels / picture_name(index)).string(), scene.labels);
      });
      if (const int signal = pending_signal(); signal != 0) {
        throw Interrupted(signal, fmt::format("{}: stopped by signal {} after {} of {} pictures, without lists",
                                              dir.string(), signal, done, total));
      }
      done += batch;
      progress.update(done);
    }
    remove_leftovers(images, split.count);
    remove_leftovers(labels, split.count);
    ++number;
  }
  for (const Split& split : splits) {
    std::string list;
    for (int i = 0; i < split.count; ++i) {
      list += fmt::format("{0}/{1} {0}annot/{1}\n", split.name, picture_name(i));
    }
    write_text(dir / fmt::format("{}.txt", split.name), list);
  }
  progress.finish();
}

}  // namespace

void write_scenes(const std::string& dir, int train, int val, const SceneOptions& options) {
  const Split splits[] = {{"train", train}, {"val", val}};
  for (const Split& split : splits) {
    check<Refusal>(split.count >= 0 && split.count <= kMaxPictures,
                   "scenes: {} pictures for {} are out of range, expected 0 to {}", split.count, split.name,
                   kMaxPictures);
  }
  check<Refusal>(train + val > 0, "scenes: no pictures asked for, expected at least one for train or val");
  check_scene_options(options);
  check_folder(dir);
  try {
    write_all(dir, splits, options);
  } catch (const fs::filesystem_error& error) {
    throw Error(fmt::format("{}: the data set cannot be written ({})", dir, error.code().message()));
  }
}

}  // namespace giza::train
