// giza scenes: the synthetic data set in which only the wide scene decides.
#include "train/data/scenes/scenes.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "train/signals.h"

namespace giza::cli {
namespace {

struct Options {
  std::string out, size = "96x192", ground = "any", skyline = "any";
  int train = 1000, val = 200;
};

/// "HxW".
void parse_size(const std::string& text, train::SceneOptions& scene) {
  const char* end = text.data() + text.size();
  const auto height = std::from_chars(text.data(), end, scene.height);
  const bool cross = height.ec == std::errc() && height.ptr != end && *height.ptr == 'x';
  const auto width = cross ? std::from_chars(height.ptr + 1, end, scene.width) : height;
  check<Refusal>(cross && width.ec == std::errc() && width.ptr == end,
                 "--size {}: is not a size, expected HEIGHTxWIDTH such as 96x192", text);
}

int run(const Options& options, const Common& common) {
  train::SceneOptions scene;
  parse_size(options.size, scene);
  scene.seed = static_cast<uint64_t>(common.seed.value_or(0));
  using Ground = train::SceneContext::Ground;
  using Skyline = train::SceneContext::Skyline;
  if (options.ground != "any") scene.ground = options.ground == "water" ? Ground::water : Ground::road;
  if (options.skyline != "any") scene.skyline = options.skyline == "town" ? Skyline::town : Skyline::city;
  {
    const train::SignalGuard guard;
    train::write_scenes(options.out, options.train, options.val, scene);
  }
  if (common.json) {
    const nlohmann::ordered_json line{
        {"out", options.out},   {"train", options.train},          {"val", options.val}, {"height", scene.height},
        {"width", scene.width}, {"classes", train::kSceneClasses}, {"seed", scene.seed}};
    fmt::print("{}\n", line.dump());
  } else {
    fmt::print("{}: {} pictures to train, {} to validate, {}x{}, {} classes, seed {}\n", options.out, options.train,
               options.val, scene.height, scene.width, train::kSceneClasses, scene.seed);
  }
  return 0;
}

}  // namespace

void add_scenes(Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add(
      "scenes", "write the synthetic scene data set",
      "Writes DIR/{train,val}/*.png, DIR/{trainannot,valannot}/*.png, names.txt, colors.txt and, last, the lists\n"
      "train.txt and val.txt. The same seed gives the same pictures. A hull is a boat or a car, and a facade a "
      "building\n"
      "or a skyscraper, by what stands at the far side of the picture: see docs/scenes.md.\n"
      "With --ground or --skyline, two runs with the same seed differ in nothing but that.\n\n"
      "  giza scenes --out data/scenes --train 1000 --val 200 --seed 1",
      [options](const Common& common) { return run(*options, common); });
  command->add_option("--out", options->out, "folder: new, empty, or an older scene data set to replace")
      ->required()
      ->type_name("DIR");
  command->add_option("--train", options->train, "pictures to train on")->type_name("N")->capture_default_str();
  command->add_option("--val", options->val, "pictures to validate on")->type_name("N")->capture_default_str();
  command->add_option("--size", options->size, "height and width in pixels")->type_name("HxW")->capture_default_str();
  command->add_option("--ground", options->ground, "water, road or any: force what the hulls are on")
      ->check(CLI::IsMember({"water", "road", "any"}))
      ->capture_default_str();
  command->add_option("--skyline", options->skyline, "town, city or any: force what the facades stand in")
      ->check(CLI::IsMember({"town", "city", "any"}))
      ->capture_default_str();
}

}  // namespace giza::cli
