// giza predict: label image, colours and overlay of pictures.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "cli/command.h"
#include "models/weights/infer.h"
#include "tensor/check.h"
#include "train/evaluator.h"
#include "train/model_factory.h"
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
  std::unique_ptr<models::Pspnet> model;
  bool from_config = false;
  train::ProtocolOptions protocol;
  std::vector<std::string> names;
  std::vector<train::Color> colors;
};

/// PASCAL VOC's palette: bit j of channel c is bit 3 * (7 - j) + c of the index, so that neighbours differ most.
train::Color palette_color(size_t index) {
  train::Color color{};
  for (size_t bit = 0; bit < 8; ++bit) {
    for (size_t channel = 0; channel < 3; ++channel) {
      color[channel] = static_cast<uint8_t>(color[channel] | (((index >> (3 * bit + channel)) & 1) << (7 - bit)));
    }
  }
  return color;
}

/// The configuration given, or the one that training left beside the weights.
std::string find_config(const Options& options) {
  if (!options.config.empty()) return options.config;
  const fs::path beside = fs::path(options.weights).parent_path() / "config.yaml";
  std::error_code error;
  return fs::is_regular_file(beside, error) ? beside.string() : "";
}

Setup make_setup(const Options& options, const Common& common) {
  Setup setup;
  setup.model = models::load_pspnet(options.weights, common.conv_engine());
  const auto classes = static_cast<size_t>(setup.model->options().classes);
  const std::string path = find_config(options);
  if (!path.empty()) {
    const train::Config config = train::load_config(path);
    check<Refusal>(
        static_cast<size_t>(config.data.classes) == classes,
        "{}: DATA.classes is {}, but {} has {} classes; give the configuration it was trained by as --config",
        train::config_place(config, "DATA.classes"), config.data.classes, options.weights, classes);
    setup.protocol = train::test_protocol(config);
    setup.from_config = true;
    // The data set may be gone from where a configuration beside the weights says; only one that was given must hold.
    const auto usable = [&](const std::string& file) { return !options.config.empty() || fs::exists(file); };
    if (usable(config.names_path())) setup.names = train::class_names(config);
    if (usable(config.colors_path())) setup.colors = train::class_colors(config);
  } else {
    setup.protocol.base_size = 0;
  }
  if (options.no_mirror) setup.protocol.mirror = false;
  for (size_t c = setup.names.size(); c < classes; ++c) setup.names.push_back(fmt::format("class {}", c));
  for (size_t c = setup.colors.size(); c < classes; ++c) setup.colors.push_back(palette_color(c));
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

/// NAME of each picture's three files. Throws Refusal where two pictures would write the same ones.
std::vector<std::string> output_stems(const std::vector<std::string>& images, const std::string& out) {
  std::set<std::string> seen;
  std::vector<std::string> stems;
  for (const std::string& image : images) {
    stems.push_back((fs::path(out) / fs::path(image).stem()).string());
    check<Refusal>(seen.insert(stems.back()).second,
                   "{}: another picture has the same name, and would write the same files; predict it apart", image);
  }
  return stems;
}

int run(const Options& options, const std::vector<std::string>& images, const Common& common) {
  check<Refusal>(!images.empty(), "predict: no pictures, expected IMAGE...; `giza predict --help` shows the usage");
  const std::vector<std::string> stems = output_stems(images, options.out);
  // Faults of later pictures are found before the first is worked on.
  for (const std::string& image : images) train::read_image_size(image);
  const Setup setup = make_setup(options, common);
  const train::Network network = train::network_of(*setup.model);
  std::error_code error;
  fs::create_directories(options.out, error);
  check<Refusal>(!error, "{}: the folder cannot be made: {}", options.out, error.message());

  const train::SignalGuard guard;
  train::Progress progress("predict", static_cast<int64_t>(images.size()), "images");
  for (size_t i = 0; i < images.size(); ++i) {
    if (const int signal = train::pending_signal()) {
      throw train::Interrupted(signal, fmt::format("stopped after {} pictures", i));
    }
    const train::Image image = train::read_image(images[i]);
    train::ProtocolOptions protocol = setup.protocol;
    if (!setup.from_config) {
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
      "Writes DIR/NAME_label.png (class indices), NAME_color.png and NAME_overlay.png for each picture, and prints "
      "the\n"
      "classes seen with their share of the pixels. Names, colours and the test protocol come from --config, else "
      "from\n"
      "a config.yaml beside the weights; without either, pictures keep their size and are cut into tiles.\n\n"
      "  giza predict --weights runs/my/last.safetensors --out seen street.jpg",
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
