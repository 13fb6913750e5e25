// giza init: a first configuration for somebody's own pictures; flags and printing around train/check/starter.h.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "tensor/base/text.h"
#include "train/check/starter.h"
#include "train/data/folder.h"

namespace giza::cli {
namespace {

class InitCommand : public Command {
 public:
  InitCommand()
      : Command("init", "a first configuration for your own pictures",
                R"(Makes the folder DIR with config.yaml, train.txt, val.txt and names.txt from a folder of pictures
(.jpg, .png, ...) and one of masks: a PNG of the same name for each picture, whose grey value or palette
index is the class; 255 is ignored. NAME_label.png, NAME_mask.png and NAME_L.png are found too, and
subfolders are followed. Every fifth picture is held out to validate. Pictures without a mask are
left out and named.

  giza init my --images photos --labels masks
  giza check --config my/config.yaml
  giza train --config my/config.yaml)") {}

  void declare(CLI::App& app) override {
    app.add_option("dir", options_.folder, "folder to make")->required()->type_name("DIR");
    app.add_option("--images", options_.images, "folder of the pictures")->required()->type_name("DIR");
    app.add_option("--labels", options_.labels, "folder of the masks")->required()->type_name("DIR");
    app.add_option("--names", options_.names, "file with a class name per line; else class 0, class 1, ...")
        ->type_name("FILE");
    app.add_option("--val-every", options_.val_every, "hold out every Nth picture, to validate")
        ->transform(within(2, 1000000))
        ->type_name("N")
        ->capture_default_str();
  }

  int run(const Common& common) override {
    const train::Starter starter = train::write_starter(options_);
    for (const std::string& image : starter.without_mask) {
      tell("{}: has no mask in {}, left out", image, options_.labels);
    }
    if (!starter.others.empty()) tell("{}: {}", options_.images, train::passed_over(starter.others));
    if (common.json) {
      print_json({{"config", starter.config},
                  {"train", starter.train},
                  {"val", starter.val},
                  {"classes", starter.classes},
                  {"left_out", starter.without_mask.size()}});
      return 0;
    }
    fmt::print("{}: {} to train on, {} to validate, {}, about {} x {} pixels\n", one_line(starter.config),
               counted(starter.train, "picture"), starter.val, counted(starter.classes, "class", "classes"),
               starter.width, starter.height);
    if (options_.names.empty()) fmt::print("{}/names.txt: give the classes their names\n", one_line(options_.folder));
    fmt::print("next: giza check --config {0}\n      giza plan --config {0}\n      giza train --config {0}\n",
               one_line(starter.config));
    return 0;
  }

 private:
  train::StarterOptions options_;
};

}  // namespace

std::unique_ptr<Command> init_command() { return std::make_unique<InitCommand>(); }

}  // namespace giza::cli
