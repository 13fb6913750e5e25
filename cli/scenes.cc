// giza scenes: the synthetic data set in which only the wide scene decides.
#include "train/data/scenes/scenes.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "train/data/scenes/things.h"
#include "train/signals.h"

namespace giza::cli {
namespace {

class ScenesCommand : public Command {
 public:
  ScenesCommand()
      : Command("scenes", "write the synthetic scene data set",
                R"(Writes DIR/{train,val}/*.png, DIR/{trainannot,valannot}/*.png, names.txt, colors.txt and, last, the
lists train.txt and val.txt. The same seed gives the same pictures. A hull is a boat or a car, and a
facade a building or a skyscraper, by what stands at the far side of the picture: see
docs/scenes.md. With --ground or --skyline, two runs with the same seed differ in nothing but that.

--classify writes another set: DIR/{train,val}/CLASS/*.png, square pictures of one thing each (facade,
hull, lamp, meadow, sign, tree) cut out of scenes where they do not show the context, for TRAIN.arch
classifier and DATA.dataset folders: see docs/pretraining.md. N pictures are of all classes together.

  giza scenes --out data/scenes --train 1000 --val 200 --seed 1
  giza scenes --classify --out data/things --train 3000 --val 600 --seed 1)") {}

  void declare(CLI::App& app) override {
    app.add_option("--out", out_, "folder: new, empty, or an older scene data set to replace")
        ->required()
        ->type_name("DIR");
    for (const auto& [flag, number, what] : {std::tuple("--train", &train_, "pictures to train on"),
                                             std::tuple("--val", &val_, "pictures to validate on")}) {
      app.add_option(flag, *number, what)
          ->transform(within(0, train::kMostScenes))
          ->type_name("N")
          ->capture_default_str();
    }
    app.add_option("--size", size_, "height and width in pixels")->type_name("HxW")->capture_default_str();
    app.add_option("--ground", ground_, "water, road or any: force what the hulls are on")
        ->check(CLI::IsMember({"water", "road", "any"}))
        ->capture_default_str();
    app.add_option("--skyline", skyline_, "town, city or any: force what the facades stand in")
        ->check(CLI::IsMember({"town", "city", "any"}))
        ->capture_default_str();
    app.add_flag("--classify", classify_, "pictures of one thing each, a folder per class");
  }

  int run(const Common& common) override {
    train::SceneOptions scene;
    const auto size = parse_size(size_);
    check<Refusal>(size.has_value(), "--size {}: is not a size, expected HEIGHTxWIDTH such as 96x192", size_);
    std::tie(scene.height, scene.width) = *size;
    scene.seed = static_cast<uint64_t>(common.seed.value_or(0));
    using Ground = train::SceneContext::Ground;
    using Skyline = train::SceneContext::Skyline;
    if (ground_ != "any") scene.ground = ground_ == "water" ? Ground::water : Ground::road;
    if (skyline_ != "any") scene.skyline = skyline_ == "town" ? Skyline::town : Skyline::city;
    {
      const train::SignalGuard guard;
      (classify_ ? train::write_things : train::write_scenes)(out_, train_, val_, scene);
    }
    const int classes = classify_ ? train::kThingClasses : train::kSceneClasses;
    if (classify_) scene.height = scene.width = train::thing_side(scene);  // of the pictures written
    if (common.json) {
      const nlohmann::ordered_json line{
          {"out", out_},          {"train", train_},    {"val", val_},       {"height", scene.height},
          {"width", scene.width}, {"classes", classes}, {"seed", scene.seed}};
      print_json(line);
    } else {
      fmt::print("{}: {} pictures to train, {} to validate, {}x{}, {} classes, seed {}\n", out_, train_, val_,
                 scene.height, scene.width, classes, scene.seed);
    }
    return 0;
  }

 private:
  std::string out_, size_ = "96x192", ground_ = "any", skyline_ = "any";
  int train_ = 1000, val_ = 200;
  bool classify_ = false;
};

}  // namespace

std::unique_ptr<Command> scenes_command() { return std::make_unique<ScenesCommand>(); }

}  // namespace giza::cli
