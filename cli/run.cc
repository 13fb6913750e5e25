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

namespace giza::cli {
namespace {

struct Options {
  std::string weights, input, output;
};

int run(const Options& options, const Common& common) {
  const models::NpyArray input = models::read_npy(options.input);
  const Tensor x = models::activation_from_nchw(input, options.input);
  check<Refusal>(x.channels() == 3, "{}: shape ({}) has {} channels, expected N,3,H,W", options.input,
                 fmt::join(input.shape, ", "), x.channels());
  const auto model = models::load_parser(options.weights, common.conv_engine());
  Tensor logits;
  const double seconds =
      seconds_of([&] { logits = models::FrozenParser(*model).forward(x).upsampled_logits().value(); });
  const models::NpyArray output = models::nchw_from_activation(logits);
  models::write_npy(options.output, output);
  if (common.json) {
    fmt::print(
        "{}\n",
        nlohmann::ordered_json{{"output", options.output}, {"shape", output.shape}, {"seconds", seconds}}.dump());
  } else {
    fmt::print("{}: logits ({}), {:.3f} s\n", options.output, fmt::join(output.shape, ", "), seconds);
  }
  return 0;
}

}  // namespace

void add_run(Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add(
      "run", "the bare network: an array of pictures in, logits out",
      "The input is N,3,H,W, normalised as in training: (RGB - mean) / std with mean (123.675, 116.28, 103.53) and "
      "std\n"
      "(58.395, 57.12, 57.375). The output is N,classes,H,W, before softmax. Both are .npy files of float32.\n\n"
      "  giza run --weights last.safetensors --input x.npy --output logits.npy",
      [options](const Common& common) { return run(*options, common); });
  command->add_option("--weights", options->weights, "weights of a PSPNet")->required()->type_name("FILE");
  command->add_option("--input", options->input, "pictures, .npy")->required()->type_name("FILE");
  command->add_option("--output", options->output, "where the logits go, .npy")->required()->type_name("FILE");
}

}  // namespace giza::cli
