// Writes the scene data set: pictures in parallel first, the lists that name them last.
#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "tensor/base/file.h"
#include "train/data/scenes/output.h"
#include "train/data/scenes/scenes.h"

namespace giza::train {

namespace {

namespace fs = std::filesystem;

std::string names_text() {
  std::string text;
  for (const std::string& name : scene_class_names()) text += name + "\n";
  return text;
}

std::string colors_text() {
  std::string text;
  for (const Color& c : scene_class_colors()) text += fmt::format("{} {} {}\n", c[0], c[1], c[2]);
  return text;
}

}  // namespace

void write_scenes(const std::string& dir, int train, int val, const SceneOptions& options) {
  const std::array<scenes::Part, 2> parts = {{{"train", train}, {"val", val}}};
  const fs::path root = dir;
  const auto images = [&](const scenes::Part& part) { return root / part.name; };
  const auto labels = [&](const scenes::Part& part) { return root / fmt::format("{}annot", part.name); };
  const auto list = [&](const scenes::Part& part) { return root / fmt::format("{}.txt", part.name); };
  const auto prepare = [&] {
    for (const scenes::Part& part : parts) {
      fs::remove(list(part));
      fs::create_directories(images(part));
      fs::create_directories(labels(part));
    }
    write_file((root / "colors.txt").string(), colors_text());
  };
  const auto write = [&](size_t part, int index) {
    const Scene scene = make_scene(options, static_cast<uint32_t>(part), static_cast<uint32_t>(index));
    write_image((images(parts[part]) / scenes::picture_name(index)).string(), scene.image);
    write_labels((labels(parts[part]) / scenes::picture_name(index)).string(), scene.labels);
  };
  const auto finish = [&] {
    for (const scenes::Part& part : parts) {
      const auto wanted = [&](int index) { return index < part.count; };
      scenes::remove_leftovers(images(part), wanted);
      scenes::remove_leftovers(labels(part), wanted);
      std::string lines;
      for (int i = 0; i < part.count; ++i) {
        lines += fmt::format("{0}/{1} {0}annot/{1}\n", part.name, scenes::picture_name(i));
      }
      write_file(list(part).string(), lines);
    }
  };
  check_scene_options(options);
  scenes::write_set(dir, names_text(), parts, prepare, write, finish);
}

}  // namespace giza::train
