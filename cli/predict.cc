// giza predict: label image, colours and overlay of pictures.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"
#include "tensor/parallel.h"
#include "tensor/ranks.h"
#include "train/config/keys.h"
#include "train/config/loaded_network.h"
#include "train/config/yaml.h"
#include "train/cost/rehearsal.h"
#include "train/data/folder.h"
#include "train/eval/evaluator.h"
#include "train/eval/picture_classes.h"
#include "train/progress.h"
#include "train/signals.h"
#include "train/together.h"

namespace giza::cli {
namespace {

namespace fs = std::filesystem;

struct ClassShare {
  std::string name;
  double share;
};
/// The classes of a label map, the largest first.
std::vector<ClassShare> class_shares(const train::LabelMap& labels, const std::vector<std::string>& names) {
  std::array<int64_t, 256> counts{};
  for (uint8_t label : labels.index) ++counts[label];
  std::vector<ClassShare> shares;
  for (size_t c = 0; c < names.size() && c < counts.size(); ++c) {
    if (counts[c] == 0) continue;
    shares.push_back({names[c], static_cast<double>(counts[c]) / static_cast<double>(labels.index.size())});
  }
  std::stable_sort(shares.begin(), shares.end(),
                   [](const ClassShare& a, const ClassShare& b) { return a.share > b.share; });
  return shares;
}

std::string describe_shares(const std::string& image, const std::string& stem, const std::vector<ClassShare>& shares,
                            bool json) {
  if (json) {
    nlohmann::ordered_json line = {{"image", image},
                                   {"label", stem + "_label.png"},
                                   {"color", stem + "_color.png"},
                                   {"overlay", stem + "_overlay.png"},
                                   {"classes", nlohmann::ordered_json::array()}};
    for (const ClassShare& share : shares) line["classes"].push_back({{"name", share.name}, {"share", share.share}});
    return to_line(line);
  }
  std::string text = one_line(image) + "\n";
  for (const ClassShare& share : shares)
    text += fmt::format("  {:5.1f} %  {}\n", 100 * share.share, one_line(share.name));
  return text;
}

/// What became of a picture.
struct Outcome {
  std::string text;   ///< for stdout
  std::string guess;  ///< the line of a network of whole pictures
  std::string fault;  ///< why it was passed over
};

/// A picture to work on, and the path that its three files begin with.
struct Picture {
  std::string image, stem;
};

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
/// What is passed over there is told in `notes`.
void add_folder(const std::string& folder, const fs::path& out, std::vector<Picture>& pictures,
                std::vector<std::string>& notes) {
  std::vector<std::string> others;
  for (const std::string& image : train::pictures_below(folder, &others)) {
    pictures.push_back({image, (out / fs::path(image).lexically_relative(folder).replace_extension()).string()});
  }
  if (!others.empty()) notes.push_back(fmt::format("{}: {}", folder, train::passed_over(others)));
}

constexpr const char* kResults[] = {"_label.png", "_color.png", "_overlay.png"};

/// Throws Refusal where two pictures would write the same files, or one would overwrite a picture.
std::vector<Picture> list_pictures(const std::vector<std::string>& arguments, const std::string& out,
                                   std::vector<std::string>& notes) {
  std::vector<Picture> pictures;
  for (const std::string& argument : arguments) {
    std::error_code error;
    if (fs::is_directory(argument, error)) {
      check_outside(argument, out);
      add_folder(argument, out, pictures, notes);
    } else {
      pictures.push_back({argument, (fs::path(out) / fs::path(argument).stem()).string()});
    }
  }
  std::set<std::string> seen;
  for (const Picture& picture : pictures) {
    check<Refusal>(seen.insert(picture.stem).second,
                   "{}: another picture has the same name, and would write the same files; predict it apart",
                   picture.image);
  }
  std::set<std::string> inputs;
  for (const Picture& picture : pictures) inputs.insert(canonical(picture.image));
  for (const Picture& picture : pictures) {
    for (const char* end : kResults) {
      check<Refusal>(!inputs.contains(canonical(picture.stem + end)),
                     "{}{}: is one of the pictures, and would be overwritten by a result; give another --out",
                     picture.stem, end);
    }
  }
  return pictures;
}

/// Throws Refusal where a result's name would be longer than file systems take.
void check_result_names(const Picture& picture) {
  constexpr size_t kLongestName = 255;  // bytes: NAME_MAX of Linux's and most others' file systems
  for (const char* end : kResults) {
    const std::string name = fs::path(picture.stem + end).filename().string();
    check<Refusal>(
        name.size() <= kLongestName,
        "{}: its result NAME{} would have a name of {} bytes, longer than {}; give the picture a shorter name",
        picture.image, end, name.size(), kLongestName);
  }
}

class PredictCommand : public Command {
 public:
  PredictCommand()
      : Command("predict", "classes of your own pictures: label image, colours, overlay",
                R"(Writes DIR/NAME_label.png (class indices), NAME_color.png and NAME_overlay.png for each picture,
and prints the classes seen with their share of the pixels. A folder in place of an IMAGE stands for
the JPEG and PNG pictures in it and in its subfolders, which are made below DIR too; DIR lies
outside of it. A picture that cannot be read is passed over; those are named again at the end, with
exit status 1. Names, colours and the test protocol come from --config, else from the weights, else
from a config.yaml beside them; without any, pictures keep their size and are cut into tiles.

Weights of a classifier of whole pictures give each picture a class: its likeliest classes are
printed with their probabilities, and written to DIR/predictions.jsonl, a line per picture.

  giza predict --weights runs/my/last.safetensors --out seen street.jpg photos/)") {}

  void declare(CLI::App& app) override {
    images_.declare(app, "IMAGE...");
    app.add_option("--weights", weights_, "weights of a network")->required()->type_name("FILE");
    app.add_option("--out", out_, "folder of the results, made if need be")->required()->type_name("DIR");
    app.add_option("--config", config_, "configuration that the weights were trained by")->type_name("FILE");
    app_ = &app;
    app.add_option("--tile", tile_, "largest side of a tile where no configuration says the protocol")
        ->transform(within(33, 8192))
        ->capture_default_str();
    app.add_option("--opacity", opacity_, "of the class colours in the overlay")
        ->transform(within(0.0, 1.0))
        ->capture_default_str();
    app.add_flag("--no-mirror", no_mirror_, "do not average with the mirrored picture: twice as fast");
    CLI::Option* crf = app.add_flag("--crf", crf_, "refine the classes by the fully connected CRF (docs/crf.md)");
    app.add_flag("--no-crf", no_crf_, "without the CRF, whatever the protocol says")->excludes(crf);
    for (const train::Key& key : train::config_keys()) {
      const std::string name = key.name;
      if (name.rfind("crf_", 0) != 0) continue;
      std::string flag = "--" + name;
      std::replace(flag.begin(), flag.end(), '_', '-');
      app.add_option(flag, crf_values_[key.full_name()], key.doc)->needs(crf)->type_name("VALUE");
    }
  }

  bool for_many() const override { return true; }

  int run(const Common& common) override {
    const std::vector<std::string> arguments = images_.get();
    check<Refusal>(!arguments.empty(),
                   "predict: no pictures, expected IMAGE...; `giza predict --help` shows the usage");
    std::vector<std::string> notes;
    const std::vector<Picture> pictures = list_pictures(arguments, out_, notes);
    // A slip of the keyboard is found before anything is worked on.
    for (const Picture& picture : pictures) {
      std::error_code error;
      check<Refusal>(train::is_file(picture.image), "{}: {}, expected a picture or a folder of pictures", picture.image,
                     fs::exists(picture.image, error) ? "is a pipe or a device" : "there is no such file");
    }
    train::LoadedNetwork loaded = train::load_network(weights_, config_, common.conv_engine());
    if (no_mirror_) loaded.protocol.mirror = false;
    if (crf_) loaded.protocol.crf = crf_options(loaded.protocol);
    if (no_crf_) loaded.protocol.crf.reset();
    if (!common.quiet) tell_notes(weights_, loaded.notes);
    for (const std::string& note : notes) tell("{}", note);
    const train::Network network = train::network_of(*loaded.model, weights_);
    if (!common.quiet) tell_unused(loaded, network.whole_picture);
    memory_.emplace(*loaded.model);
    for (const Picture& picture : pictures) {
      const fs::path folder = network.whole_picture ? fs::path(out_) : fs::path(picture.stem).parent_path();
      if (!folder.empty()) make_folder(folder.string());
    }
    if (network.whole_picture && ranks::leads()) guesses_.emplace((fs::path(out_) / train::kGuessesFile).string());

    train::check_ranks_agree([&] {
      return std::vector<train::Fact>{{"the pictures", fmt::format("{}", fmt::join(arguments, " "))},
                                      {"their number", std::to_string(pictures.size())},
                                      {"the test protocol", train::protocol_name(loaded.protocol)}};
    });
    train::start_alike(*loaded.model, nullptr);
    const train::SignalGuard guard;
    const auto count = static_cast<int64_t>(pictures.size());
    train::Progress progress("predict", count, "images");
    std::vector<std::string> broken;
    const auto work = [&](int64_t i) {
      const Outcome outcome = outcome_of(pictures[static_cast<size_t>(i)], network, loaded, common.json);
      if (count == 1 && !outcome.fault.empty()) throw Refusal(outcome.fault);
      return train::packed({outcome.text, outcome.guess, outcome.fault});
    };
    const auto collect = [&](int64_t i, const std::string& bytes) {
      const std::vector<std::string> outcome = train::unpacked(bytes);
      fmt::print("{}", outcome.at(0));
      if (guesses_ && !outcome.at(1).empty()) guesses_->write(outcome.at(1) + "\n");
      if (!outcome.at(2).empty()) {
        progress.warn(outcome.at(2));
        broken.push_back(pictures[static_cast<size_t>(i)].image);
      }
      progress.update(i + 1);
    };
    if (const int64_t done = train::share_out(count, work, collect); done < count) {
      throw train::Interrupted(train::signal_anywhere(), fmt::format("stopped after {} pictures", done));
    }
    progress.finish();
    if (guesses_) guesses_->commit();
    if (broken.empty()) return 0;
    tell("{} of {} could not be predicted: {}", broken.size(),
         counted(static_cast<int64_t>(pictures.size()), "picture"), fmt::join(broken, ", "));
    return 1;
  }

 private:
  /// Flags that were given and change nothing.
  void tell_unused(const train::LoadedNetwork& loaded, bool whole_picture) const {
    const auto given = [&](const char* flag) { return app_->get_option(flag)->count() > 0; };
    if (loaded.has_protocol && given("--tile")) {
      tell("--tile {} changes nothing: {} has a test protocol", tile_, config_.empty() ? weights_ : config_);
    }
    for (const char* flag : {"--crf", "--no-crf", "--opacity"}) {
      if (whole_picture && given(flag)) tell("{} changes nothing: {} gives pictures one class each", flag, weights_);
    }
  }

  Outcome outcome_of(const Picture& picture, const train::Network& network, const train::LoadedNetwork& loaded,
                     bool json) {
    try {
      return predict(picture, network, loaded, json);
    } catch (const Refusal& refusal) {
      return {{}, {}, refusal.what()};
    } catch (const std::bad_alloc&) {
      return too_large(picture);
    } catch (const OutOfMemory&) {
      return too_large(picture);
    }
  }

  static Outcome too_large(const Picture& picture) {
    return {{},
            {},
            fmt::format("{}: there is not enough memory for it; make the picture smaller, or cut it into tiles",
                        picture.image)};
  }

  /// One picture of a network of whole pictures: its line, in the file and for people.
  static Outcome classify(const std::string& picture, const train::Network& network, const train::LoadedNetwork& loaded,
                          const train::ProtocolOptions& protocol, bool json) {
    const std::vector<train::PictureGuess> guesses =
        train::classify_picture(network, train::read_image(picture), protocol, loaded.names);
    Outcome outcome;
    outcome.guess = train::guess_json(picture, guesses);
    if (json) {
      outcome.text = outcome.guess + "\n";
      return outcome;
    }
    outcome.text = one_line(picture) + "\n";
    for (const train::PictureGuess& guess : guesses) {
      outcome.text += fmt::format("  {:5.1f} %  {}\n", 100 * guess.probability, one_line(guess.name));
    }
    return outcome;
  }

  /// One picture: its three files and its line.
  Outcome predict(const Picture& picture, const train::Network& network, const train::LoadedNetwork& loaded,
                  bool json) {
    check_result_names(picture);
    const auto [width, height] = train::read_image_size(picture.image);
    train::ProtocolOptions protocol = loaded.protocol;
    if (!loaded.has_protocol) {
      protocol.crop_h = std::min(tile_, height);
      protocol.crop_w = std::min(tile_, width);
    }
    memory_->check_fits(picture.image, {width, height}, protocol);
    if (network.whole_picture) return classify(picture.image, network, loaded, protocol, json);
    const train::Image image = train::read_image(picture.image);
    const train::LabelMap labels =
        with_place(picture.image, [&] { return train::predict_labels(network, image, protocol); });
    const train::Image color = train::colorize(labels, loaded.colors);
    train::write_labels(picture.stem + kResults[0], labels);
    train::write_image(picture.stem + kResults[1], color);
    train::write_image(picture.stem + kResults[2], train::overlay(image, color, opacity_));
    return {describe_shares(picture.image, picture.stem, class_shares(labels, loaded.names), json), {}, {}};
  }

  /// The CRF of --crf: with what the protocol says, but for the flags given, which are read like keys of a
  /// configuration.
  train::CrfOptions crf_options(const train::ProtocolOptions& protocol) const {
    train::Config config;
    if (protocol.crf) config.test.crf_options = *protocol.crf;
    for (const train::Key& key : train::config_keys()) {
      const auto given = crf_values_.find(key.full_name());
      if (given == crf_values_.end() || !given->second) continue;
      train::read_value(key, train::parse_yaml(*given->second, "command line"), "command line", config);
    }
    return config.test.crf_options;
  }

  TrailingArguments images_;
  std::string weights_, out_, config_;
  const CLI::App* app_ = nullptr;
  int tile_ = 713;
  double opacity_ = 0.5;
  bool no_mirror_ = false, crf_ = false, no_crf_ = false;
  std::map<std::string, std::optional<std::string>> crf_values_;  // "TEST.crf_iterations" -> as given
  std::optional<train::PredictionMemory> memory_;
  std::optional<OutputFile> guesses_;  // of a network of whole pictures
};

}  // namespace

std::unique_ptr<Command> predict_command() { return std::make_unique<PredictCommand>(); }

}  // namespace giza::cli
