// giza run: the bare network on an array.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "models/weights/infer.h"
#include "models/weights/npy.h"
#include "tensor/base/check.h"
#include "tensor/base/stopwatch.h"
#include "tensor/ops/elementwise.h"
#include "train/config/card.h"

namespace giza::cli {
namespace {

class RunCommand : public Command {
 public:
  RunCommand()
      : Command("run", "the bare network: an array of pictures in, logits out",
                R"(The input is N,3,H,W, normalised as in training: (RGB - mean) / std. Where the weights do not tell
their own, which is said on stderr, mean is (123.675, 116.28, 103.53) and std (58.395, 57.12,
57.375). The output is N,classes,H,W, before softmax (of a classifier N,classes,1,1). Both are .npy
files of float32.

  giza run --weights last.safetensors --input x.npy --output logits.npy)") {}

  void declare(CLI::App& app) override {
    app.add_option("--weights", weights_, "weights of a network")->required()->type_name("FILE");
    app.add_option("--input", input_, "pictures, .npy")->required()->type_name("FILE");
    app.add_option("--output", output_, "where the logits go, .npy")->required()->type_name("FILE");
  }

  int run(const Common& common) override {
    check_not_input("--output", output_, {input_, weights_});
    check_not_beside_json("--output", output_, common.json);
    const models::NpyArray input = models::read_npy(input_);
    const Tensor x = models::activation_from_nchw(input, input_);
    check<Refusal>(x.channels() == 3, "{}: shape ({}) has {} channels, expected N,3,H,W", input_,
                   fmt::join(input.shape, ", "), x.channels());
    models::FileNotes told;
    const auto model = models::load_parser(weights_, common.conv_engine(), &told);
    // Also refuses what predict and eval would.
    const auto pictures = train::normalization_from_metadata(told.metadata, weights_);
    if (pictures && *pictures != train::Normalization{}) {
      told.notes.push_back(fmt::format("was trained on pictures with mean ({}) and std ({})",
                                       fmt::join(pictures->mean, ", "), fmt::join(pictures->std, ", ")));
    }
    if (!common.quiet) tell_notes(weights_, told.notes);
    Tensor logits;
    double seconds = 0;
    try {
      seconds = seconds_of([&] { logits = models::FrozenParser(*model).forward(x).upsampled_logits().value(); });
    } catch (const ShapeError& error) {  // a network that needs larger pictures
      throw Refusal(fmt::format("{}: {}", input_, error.what()));
    }
    // As in eval and predict. Of pictures that are not finite themselves any output is right.
    check<Error>(ops::all_finite(logits) || !ops::all_finite(x),
                 "{}: the network's output is not finite; are its weights sound?", weights_);
    const models::NpyArray output = models::nchw_from_activation(logits);
    models::write_npy(output_, output);
    if (common.json) {
      print_json({{"output", output_}, {"shape", output.shape}, {"seconds", seconds}});
    } else {
      print_result(output_,
                   fmt::format("{}: logits ({}), {:.3f} s", one_line(output_), fmt::join(output.shape, ", "), seconds),
                   common.quiet);
    }
    return 0;
  }

 private:
  std::string weights_, input_, output_;
};

}  // namespace

std::unique_ptr<Command> run_command() { return std::make_unique<RunCommand>(); }

}  // namespace giza::cli
