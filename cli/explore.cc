// giza explore: a page on which a picture and one or two networks are taken apart.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "train/config/loaded_network.h"
#include "train/config/parts.h"
#include "train/explore/explore_page.h"
#include "train/signals.h"

namespace giza::cli {
namespace {

namespace fs = std::filesystem;

std::string file_name(const std::string& path) { return fs::path(path).filename().string(); }

/// "PSPNet" of TRAIN.arch psp.
std::string title_of(const models::SceneParser& model) {
  const models::Architecture* architecture = models::find_architecture(model.description().arch);
  return architecture == nullptr ? "network" : architecture->title;
}

class ExploreCommand : public Command {
 public:
  ExploreCommand()
      : Command("explore", "a page to click on: what each pixel's answer comes from, in one or two networks",
                R"(Writes one HTML file that a browser shows without anything else. Click on a pixel of IMAGE: it shows
where its answer comes from (the effective receptive field), the likeliest classes, and what each bin
of a PSPNet's pyramid has added to the score. Bins can be switched off, or taken from another picture.
With two files of weights, of the same classes, the networks stand side by side. Names, colours and
the size of the picture come from --config, else from the weights, else from a config.yaml beside them.

  giza explore --weights baseline.safetensors --weights psp.safetensors --out page.html street.jpg)") {}

  void declare(CLI::App& app) override {
    images_.declare(app, "IMAGE");
    app.add_option("--weights", weights_, "weights of a network; give it twice to compare two")
        ->required()
        ->type_name("FILE")
        ->expected(1)
        ->allow_extra_args(false)  // what follows is the picture
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--out", out_, "the page")->required()->type_name("PAGE.html");
    app.add_option("--label", label_, "its label map: the page then says which answers are right")->type_name("FILE");
    app.add_option("--swap", swap_, "another picture, from which bins can be taken")->type_name("FILE");
    app.add_option("--config", config_, "configuration that the weights were trained by")->type_name("FILE");
    app.add_option("--points", options_.points, "about so many pixels are worked out; clicks go to the nearest")
        ->transform(within(1, 1000))
        ->capture_default_str();
    app.add_option("--side", options_.side, "longest side of the picture; larger ones are shrunk to it")
        ->transform(within(8, 2048))
        ->capture_default_str();
    app.add_option("--fields", fields_, "receptive fields with: all (sets of bins), ends (all bins, none) or auto")
        ->type_name("WORD")
        ->capture_default_str();
  }

  int run(const Common& common) override {
    const std::vector<std::string> images = images_.get();
    check<Refusal>(images.size() == 1, "explore: {} pictures, expected one; `giza explore --help` shows the usage",
                   images.size());
    check<Refusal>(weights_.size() <= 2, "explore: --weights is given {} times, expected once or twice",
                   weights_.size());
    set_fields();
    std::vector<std::string> inputs = weights_;
    inputs.insert(inputs.end(), {images[0], label_, swap_, config_});
    check_not_input("--out", out_, inputs);
    check_not_beside_json("--out", out_, common.json);

    std::vector<train::LoadedNetwork> networks;
    std::vector<train::ExploreSubject> subjects;
    for (const std::string& file : weights_) {
      const train::LoadedNetwork& network =
          networks.emplace_back(train::load_network(file, config_, common.conv_engine()));
      check<Refusal>(!models::find_architecture(network.model->description().arch)->whole_picture,
                     "{}: is a classifier of whole pictures, expected a network that gives each pixel a class", file);
      if (!common.quiet) tell_notes(file, network.notes);
      subjects.push_back({.model = network.model.get(),
                          .title = title_of(*network.model),
                          .file = file,
                          .protocol = network.protocol});
    }
    if (subjects.size() == 2 && subjects[0].title == subjects[1].title) {
      subjects[0].title += " A";
      subjects[1].title += " B";
    }
    // Where only one of them knows its classes, they are those.
    const train::LoadedNetwork& told =
        networks.back().has_names && !networks[0].has_names ? networks.back() : networks[0];
    options_.names = told.names;
    options_.colors = told.colors;
    if (networks.size() == 2) check_names(networks);

    const train::Pair pair = read_picture(images[0], networks[0]);
    std::optional<train::Image> other;
    if (!swap_.empty()) other = train::read_image(swap_);
    const train::SignalGuard guard;
    const train::Exploration exploration = train::explore(subjects, pair.image, label_.empty() ? nullptr : &pair.labels,
                                                          other ? &*other : nullptr, options_);
    const std::string page = train::explore_page(
        exploration, {.picture = file_name(images[0]), .other = file_name(swap_), .command = command(images[0])});
    write_file(out_, page);
    print_figures(exploration, page.size(), common);
    return 0;
  }

 private:
  /// Throws Refusal for two networks that call a class by different names.
  void check_names(const std::vector<train::LoadedNetwork>& networks) const {
    const train::LoadedNetwork &first = networks[0], &second = networks[1];
    if (!first.has_names || !second.has_names) return;
    for (size_t c = 0; c < std::min(first.names.size(), second.names.size()); ++c) {
      check<Refusal>(first.names[c] == second.names[c],
                     "{}: class {} is {}, but in {} it is {}; expected the same classes", weights_[1], c,
                     second.names[c], weights_[0], first.names[c]);
    }
  }

  void set_fields() {
    using Fields = train::ExploreOptions::Fields;
    const std::pair<const char*, Fields> choices[] = {
        {"auto", Fields::automatic}, {"all", Fields::all}, {"ends", Fields::ends}};
    for (const auto& [word, fields] : choices) {
      if (fields_ != word) continue;
      options_.fields = fields;
      return;
    }
    throw Refusal(fmt::format("--fields {}: expected auto, all or ends", fields_));
  }

  /// The picture, and its labels as the configuration reads them.
  train::Pair read_picture(const std::string& image, const train::LoadedNetwork& network) {
    if (label_.empty()) return {train::read_image(image), {}};
    train::DatasetOptions dataset;
    if (network.config) dataset = train::dataset_options(*network.config, std::string());
    dataset.classes = static_cast<int>(network.model->classes());
    options_.ignore_label = dataset.ignore_label;
    if (dataset.label_colors.empty()) return train::read_pair({.image = image, .label = label_}, dataset);
    const train::LabelColors colors(dataset.label_colors, dataset.ignore_label);
    return train::read_pair({.image = image, .label = label_}, dataset, &colors);
  }

  std::string command(const std::string& image) const {
    std::string line = "giza explore";
    const auto add = [&](const char* flag, const std::string& value) {
      if (!value.empty()) line += fmt::format(" {} {}", flag, quoted_for_shell(value));
    };
    for (const std::string& file : weights_) add("--weights", file);
    add("--out", out_);
    add("--label", label_);
    add("--swap", swap_);
    add("--config", config_);
    add("--points", std::to_string(options_.points));
    add("--side", std::to_string(options_.side));
    add("--fields", fields_);
    return line + " " + quoted_for_shell(image);
  }

  void print_figures(const train::Exploration& exploration, size_t bytes, const Common& common) const {
    size_t states = 0, fields = 0;
    for (const train::ExploredNetwork& network : exploration.networks) {
      for (const train::ExploredState& state : network.states) {
        ++states;
        if (!state.fields.index.empty()) fields += exploration.points.size();
      }
    }
    if (common.json) {
      print_json({{"page", out_},
                  {"bytes", bytes},
                  {"points", exploration.points.size()},
                  {"states", states},
                  {"fields", fields}});
      return;
    }
    print_result(out_,
                 fmt::format("{}: {} points, {} states of the bins, {} receptive fields, {:.1f} MB", one_line(out_),
                             exploration.points.size(), states, fields, static_cast<double>(bytes) / 1e6),
                 common.quiet);
  }

  TrailingArguments images_;
  std::vector<std::string> weights_;
  std::string out_, label_, swap_, config_, fields_ = "auto";
  train::ExploreOptions options_;
};

}  // namespace

std::unique_ptr<Command> explore_command() { return std::make_unique<ExploreCommand>(); }

}  // namespace giza::cli
