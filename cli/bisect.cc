// giza bisect: the first op at which two settings part; flags and printing around train/verify/bisect.h.
#include "train/verify/bisect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "cli/step_arguments.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

namespace giza::cli {
namespace {

using nlohmann::ordered_json;
using train::Bisection;
using train::ComputeSetting;
using train::StepOutput;

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// Which of a setting's names a word alone can only belong to; empty for none.
std::string name_of(const std::string& word) {
  if (is_number(word)) return "threads";
  const std::vector<std::string> targets = isa_targets();
  if (std::find(targets.begin(), targets.end(), word) != targets.end()) return "isa";
  for (const ConvBackend backend :
       {ConvBackend::native, ConvBackend::onednn, ConvBackend::eigen, ConvBackend::reference}) {
    if (word == to_string(backend)) return "conv";
  }
  for (const ConvAlgorithm algorithm : conv_algorithms()) {
    if (word == to_string(algorithm) && word != "auto") return "algorithm";
  }
  return {};
}

/// "threads=2,isa=AVX2" or "2,AVX2": what differs from `setting`. Throws Refusal.
ComputeSetting with(ComputeSetting setting, const std::string& side, const std::string& text) {
  std::vector<std::string> seen;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    begin = end + 1;
    const size_t equals = word.find('=');
    const std::string name = equals != std::string::npos ? word.substr(0, equals) : name_of(word);
    std::string value = equals != std::string::npos ? word.substr(equals + 1) : word;
    const auto refuse = [&](const std::string& why) { throw Refusal(fmt::format("bisect: {}: {}", side, why)); };
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) refuse(fmt::format("{} is given twice", name));
    seen.push_back(name);
    if (name == "threads") {
      const std::string wrong = within(1, 1024)(value);
      if (!wrong.empty()) refuse(wrong);
      setting.threads = std::stoi(value);
    } else if (name == "isa") {
      set_isa(value);  // refuses what this machine does not have
      setting.isa = isa();
    } else if (name == "conv") {
      setting.conv.backend = parse_conv_backend(value);
    } else if (name == "algorithm") {
      setting.conv.algorithm = parse_conv_algorithm(value);
    } else {
      refuse(
          fmt::format("'{}' is no setting, expected threads=N, isa=NAME, conv=NAME or algorithm=NAME, several with "
                      "commas between, as in threads=1,isa=AVX2; or a value alone, where it tells which is meant",
                      word));
    }
  }
  return setting;
}

std::string words_of(const ComputeSetting& setting) {
  return fmt::format("{}, {}, {}, {}", counted(setting.threads, "thread"), setting.isa, to_string(setting.conv.backend),
                     to_string(setting.conv.algorithm));
}

ordered_json json_of(const ComputeSetting& setting) {
  return {{"threads", setting.threads},
          {"isa", setting.isa},
          {"conv", to_string(setting.conv.backend)},
          {"algorithm", to_string(setting.conv.algorithm)}};
}

/// "forward, conv2d of layer1.0.conv1, [2,25,25,64]"
std::string words_of(const StepOutput& output) {
  std::string what = output.op;
  if (output.input >= 0) what = fmt::format("gradient that {} gives its input {}", what, output.input);
  const char* of = what.empty() ? "" : output.layer.empty() ? "" : " of ";
  return fmt::format("{}, {}{}{}, {}", output.stage, what, of, output.layer, output.shape);
}

ordered_json json_of(const StepOutput& output) {
  ordered_json shape = ordered_json::array(), json;
  for (int axis = 0; axis < output.shape.rank(); ++axis) shape.push_back(output.shape[axis]);
  json["stage"] = output.stage;
  if (!output.op.empty()) json["op"] = output.op;
  if (!output.layer.empty()) json["layer"] = output.layer;
  if (output.input >= 0) json["input"] = output.input;
  json["shape"] = shape;
  return json;
}

/// Place 37 of [2,3,4] is [1,2,1].
std::vector<int64_t> coordinates(int64_t place, const Shape& shape) {
  std::vector<int64_t> at(static_cast<size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    at[static_cast<size_t>(axis)] = place % shape[axis];
    place /= shape[axis];
  }
  return at;
}

void print_bisection(const Bisection& result) {
  if (result.same()) {
    fmt::print("the same bits in all {} outputs, hash {:016x}\n", result.same_outputs, result.hash);
    return;
  }
  fmt::print("the first of A and B to differ, after {} that are the same:\n  {}\n", result.same_outputs,
             words_of(*result.first));
  if (!result.other) {
    fmt::print("  which only one of them makes\n");
  } else if (!result.first->same_place(*result.other)) {
    fmt::print("  where B has {}\n", words_of(*result.other));
  }
  if (const auto& difference = result.difference) {
    fmt::print("  {} of {} numbers differ, relative L2 {:.3g}\n  most at {}: {} and {}\n", difference->differing,
               difference->numbers, difference->relative_l2, coordinates(difference->place, result.first->shape),
               difference->a_value, difference->b_value);
  }
  for (const std::string& side : result.unsteady) {
    fmt::print("  {} itself has other bits there when it runs again\n", side);
  }
}

ordered_json json_of(const Bisection& result) {
  ordered_json json = {
      {"same", result.same()}, {"same_outputs", result.same_outputs}, {"hash", fmt::format("{:016x}", result.hash)}};
  if (result.first) json["first"] = json_of(*result.first);
  if (result.other && !result.first->same_place(*result.other)) json["other"] = json_of(*result.other);
  if (const auto& difference = result.difference) {
    json["difference"] = {{"numbers", difference->numbers},
                          {"differing", difference->differing},
                          {"relative_l2", difference->relative_l2},
                          {"at", coordinates(difference->place, result.first->shape)},
                          {"a", difference->a_value},
                          {"b", difference->b_value}};
  }
  if (!result.unsteady.empty()) json["unsteady"] = result.unsteady;
  return json;
}

class BisectCommand : public Command {
 public:
  BisectCommand()
      : Command("bisect", "the first op at which two settings give different numbers",
                R"(Runs the same steps of a network under the settings A and B, on made-up pictures, and names the
first output that differs in a bit: initial weights, ops forward, gradients, weights after the
update. A setting is what differs from the common flags: threads=N, isa=NAME, conv=NAME,
algorithm=NAME, with commas between; or the value alone, where it tells which is meant. A may equal
B: then the run itself has to repeat. With --config the network, classes, crop, batch and loss are
those of a configuration, and KEY VALUE pairs replace its keys. Exit status 1 if something differs.

  giza bisect threads=1 threads=2 --config configs/scenes/psp.yaml --mode train
  giza bisect AVX2 AVX3 --depth 50 --size 241
  giza bisect native onednn --depth 18 --size 97)") {}

  void declare(CLI::App& app) override {
    app.add_option("a", a_, "a setting")->required()->type_name("SETTING");
    app.add_option("b", b_, "another one")->required()->type_name("SETTING");
    step_.declare(app);
    app.add_option("--weights", weights_, "the network of this file in place of --depth, --classes and --width")
        ->type_name("FILE")
        ->excludes("--config", "--depth", "--classes", "--width");
    app.add_option("--steps", steps_, "steps, one after the other")->transform(within(1, 1000))->capture_default_str();
  }

  int run(const Common& common) override {
    step_.load(common);
    const train::TrainConfig& train = step_.config().train;
    const std::string isa_before = isa();
    const ComputeSetting usual{
        num_threads(), isa_before, {parse_conv_backend(train.conv), parse_conv_algorithm(train.algorithm)}};
    const ComputeSetting a = with(usual, "A", a_), b = with(usual, "B", b_);
    set_isa(isa_before);
    models::FileNotes told;
    const Bisection result =
        train::bisect({step_.config(), step_.input(), step_.training(), steps_, weights_}, a, b, &told);
    if (!common.quiet) tell_notes(weights_, told.notes);
    if (common.json) {
      ordered_json json = {{"a", json_of(a)}, {"b", json_of(b)}};
      json.update(json_of(result));
      print_json(json);
    } else {
      fmt::print("A: {}\nB: {}\n", words_of(a), words_of(b));
      print_bisection(result);
    }
    return result.same() ? 0 : 1;
  }

 private:
  StepArguments step_;
  std::string a_, b_, weights_;
  int steps_ = 1;
};

}  // namespace

std::unique_ptr<Command> bisect_command() { return std::make_unique<BisectCommand>(); }

}  // namespace giza::cli
