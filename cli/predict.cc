// giza predict: label image, colours and overlay of pictures.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "cli/command.h"
#include "models/weights/infer.h"
#include "tensor/base/check.h"
#include "tensor/base/spelling.h"
#include "train/config/card.h"
#include "train/config/parts.h"
#include "train/data/known_datasets.h"
#include "train/eval/evaluator.h"
#include "train/progress.h"
#include "train/signals.h"

namespace giza::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string weights, out, config;
  int tile = 713;
  double opacity = 0.5;
  bool no_mirror = false;
};

/// What the pictures are predicted by, and how classes are shown.
struct Setup {
  std::unique_ptr<models::SceneParser> model;
  bool has_protocol = false;  ///< else pictures keep their size
  train::ProtocolOptions protocol;
  std::vector<std::string> names;
  std::vector<train::Color> colors;
};

/// The configuration given, or the one that training left beside the weights.
std::string find_config(const Options& options) {
  if (!options.config.empty()) return options.config;
  const fs::path beside = fs::path(options.weights).parent_path() / "config.yaml";
  std::error_code error;
  return fs::is_regular_file(beside, error) ? beside.string() : "";
}

Setup make_setup(const Options& options, const Common& common) {
  Setup setup;
  std::map<std::string, std::string> metadata;
  setup.model = models::load_parser(options.weights, common.conv_engine(), &metadata);
  const auto classes = static_cast<size_t>(setup.model->classes());
  const train::ModelCard card = train::card_from_metadata(metadata, setup.model->classes(), options.weights);
  setup.names = card.names;
  setup.colors = card.colors;
  // What weights say of themselves needs no configuration; one that is given counts more.
  const std::string path = card.protocol && options.config.empty() ? "" : find_config(options);
  if (!path.empty()) {
    const train::Config config = train::load_config(path);
    check<Refusal>(
        static_cast<size_t>(config.data.classes) == classes,
        "{}: DATA.classes is {}, but {} has {} classes; give the configuration it was trained by as --config",
        train::config_place(config, "DATA.classes"), config.data.classes, options.weights, classes);
    setup.protocol = train::test_protocol(config);
    setup.has_protocol = true;
    // The data set may be gone from where a configuration beside the weights says; only one that was given must hold.
    const auto usable = [&](const std::string& file) {
      return !options.config.empty() || train::built_in_classes(config, file) != nullptr || fs::exists(file);
    };
    const auto replace = [](auto& ours, auto theirs) {
      if (!theirs.empty()) ours = std::move(theirs);
    };
    if (usable(config.names_path())) replace(setup.names, train::class_names(config));
    if (usable(config.colors_path())) replace(setup.colors, train::class_colors(config));
  } else if (card.protocol) {
    setup.protocol = *card.protocol;
    setup.has_protocol = true;
  } else {
    setup.protocol.base_size = 0;
  }
  if (options.no_mirror) setup.protocol.mirror = false;
  for (size_t c = setup.names.size(); c < classes; ++c) setup.names.push_back(fmt::format("class {}", c));
  setup.colors = train::completed_colors(std::move(setup.colors), classes);
  return setup;
}

struct Share {
  std::string name;
  double share;
};
/// The classes of a label map, the largest first.
std::vector<Share> class_shares(const train::LabelMap& labels, const std::vector<std::string>& names) {
  std::array<int64_t, 256> counts{};
  for (uint8_t label : labels.index) ++counts[label];
  std::vector<Share> shares;
  for (size_t c = 0; c < names.size() && c < counts.size(); ++c) {
    if (counts[c] == 0) continue;
    shares.push_back({names[c], static_cast<double>(counts[c]) / static_cast<double>(labels.index.size())});
  }
  std::stable_sort(shares.begin(), shares.end(), [](const Share& a, const Share& b) { return a.share > b.share; });
  return shares;
}

void print_shares(const std::string& image, const std::string& stem, const std::vector<Share>& shares, bool json) {
  if (json) {
    nlohmann::ordered_json line = {{"image", image},
                                   {"label", stem + "_label.png"},
                                   {"color", stem + "_color.png"},
                                   {"overlay", stem + "_overlay.png"},
                                   {"classes", nlohmann::ordered_json::array()}};
    for (const Share& share : shares) line["classes"].push_back({{"name", share.name}, {"share", share.share}});
    fmt::print("{}\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{}\n", image);
  for (const Share& share : shares) fmt::print("  {:5.1f} %  {}\n", 100 * share.share, share.name);
}

/// The pictures to work on, and for each the path that its three files begin with.
struct Work {
  std::vector<std::string> images, stems;
};

bool is_picture(const fs::path& path) {
  const std::string extension = lower_case(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

/// Throws Refusal where results in `out` would be taken for pictures of `folder` the next time.
void check_outside(const std::string& folder, const fs::path& out) {
  std::error_code error;
  const fs::path from = fs::weakly_canonical(folder, error), to = fs::weakly_canonical(out, error);
  const fs::path way = to.lexically_relative(from);  // "." for the same folder
  check<Refusal>(
      error || way.empty() || *way.begin() == "..",
      "--out {}: is {} the folder of pictures {}, so that results would be taken for pictures when it is run "
      "again; give a folder outside of it",
      out.string(), way == "." ? "also" : "inside", folder);
}

/// Adds the pictures of a folder and of the folders in it, in the order of their names. Results keep the subfolders.
void add_folder(const std::string& folder, const fs::path& out, Work& work) {
  std::vector<fs::path> found;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(folder, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const fs::path& path = entry->path();
    const bool hidden = path.filename().string().front() == '.';
    if (hidden && entry->is_directory(error)) entry.disable_recursion_pending();
    if (!hidden && is_picture(path) && entry->is_regular_file(error)) found.push_back(path);
  }
  check<Refusal>(!error, "{}: the folder cannot be read ({})", folder, error.message());
  check<Refusal>(!found.empty(), "{}: holds no .jpg or .png pictures, nor do the folders in it", folder);
  std::sort(found.begin(), found.end());
  for (const fs::path& path : found) {
    work.images.push_back(path.string());
    work.stems.push_back((out / path.lexically_relative(folder).replace_extension()).string());
  }
}

/// Throws Refusal where two pictures would write the same files.
Work list_work(const std::vector<std::string>& arguments, const std::string& out) {
  Work work;
  for (const std::string& argument : arguments) {
    std::error_code error;
    if (fs::is_directory(argument, error)) {
      check_outside(argument, out);
      add_folder(argument, out, work);
    } else {
      work.images.push_back(argument);
      work.stems.push_back((fs::path(out) / fs::path(argument).stem()).string());
    }
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < work.images.size(); ++i) {
    check<Refusal>(seen.insert(work.stems[i]).second,
                   "{}: another picture has the same name, and would write the same files; predict it apart",
                   work.images[i]);
  }
  return work;
}

int run(const Options& options, const std::vector<std::string>& arguments, const Common& common) {
  check<Refusal>(!arguments.empty(), "predict: no pictures, expected IMAGE...; `giza predict --help` shows the usage");
  const auto [images, stems] = list_work(arguments, options.out);
  // Faults of later pictures are found before the first is worked on.
  for (const std::string& image : images) train::read_image_size(image);
  const Setup setup = make_setup(options, common);
  const train::Network network = train::network_of(*setup.model);
  for (const std::string& stem : stems) {
    const fs::path folder = fs::path(stem).parent_path();
    std::error_code error;
    if (!folder.empty()) fs::create_directories(folder, error);
    check<Refusal>(!error, "{}: the folder cannot be made: {}", folder.string(), error.message());
  }

  const train::SignalGuard guard;
  train::Progress progress("predict", static_cast<int64_t>(images.size()), "images");
  for (size_t i = 0; i < images.size(); ++i) {
    if (const int signal = train::pending_signal()) {
      throw train::Interrupted(signal, fmt::format("stopped after {} pictures", i));
    }
    const train::Image image = train::read_image(images[i]);
    train::ProtocolOptions protocol = setup.protocol;
    if (!setup.has_protocol) {
      protocol.crop_h = std::min(options.tile, image.height);
      protocol.crop_w = std::min(options.tile, image.width);
    }
    const train::LabelMap labels = train::predict_labels(network, image, protocol);
    const train::Image color = train::colorize(labels, setup.colors);
    train::write_labels(stems[i] + "_label.png", labels);
    train::write_image(stems[i] + "_color.png", color);
    train::write_image(stems[i] + "_overlay.png", train::overlay(image, color, options.opacity));
    progress.update(static_cast<int64_t>(i) + 1);
    print_shares(images[i], stems[i], class_shares(labels, setup.names), common.json);
  }
  progress.finish();
  return 0;
}

}  // namespace

void add_predict(Program& program) {
  const auto options = std::make_shared<Options>();
  const auto images = std::make_shared<std::unique_ptr<TrailingArguments>>();
  CLI::App* command = program.add(
      "predict", "classes of your own pictures: label image, colours, overlay",
      "Writes DIR/NAME_label.png (class indices), NAME_color.png and NAME_overlay.png for each picture, and prints\n"
      "the classes seen with their share of the pixels. A folder in place of an IMAGE stands for the .jpg and .png\n"
      "pictures in it and in its subfolders, which are made below DIR too; DIR lies outside of it. Names, colours and "
      "the test protocol come\n"
      "from --config, else from the weights, else from a config.yaml beside them; without any, pictures keep their "
      "size\n"
      "and are cut into tiles.\n\n"
      "  giza predict --weights runs/my/last.safetensors --out seen street.jpg photos/",
      [options, images](const Common& common) { return run(*options, (*images)->get(), common); });
  *images = std::make_unique<TrailingArguments>(command, "IMAGE...");
  command->add_option("--weights", options->weights, "weights of a PSPNet")->required()->type_name("FILE");
  command->add_option("--out", options->out, "folder of the results, made if need be")->required()->type_name("DIR");
  command->add_option("--config", options->config, "configuration that the weights were trained by")->type_name("FILE");
  command->add_option("--tile", options->tile, "largest side of a tile where no configuration says the protocol")
      ->check(within(33, 8192))
      ->capture_default_str();
  command->add_option("--opacity", options->opacity, "of the class colours in the overlay")
      ->check(within(0.0, 1.0))
      ->capture_default_str();
  command->add_flag("--no-mirror", options->no_mirror, "do not average with the mirrored picture: twice as fast");
}

}  // namespace giza::cli
