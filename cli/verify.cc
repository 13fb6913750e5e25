// giza verify: a network's numbers against another framework's; flags and printing around train/verify/.
#include "train/verify/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"

namespace giza::cli {
namespace {

using train::VerifyFigure;

std::string verdict(bool passed) { return passed ? "ok" : "TOO FAR"; }

void print_figures(const std::vector<VerifyFigure>& figures) {
  for (const VerifyFigure& figure : figures) {
    fmt::print("{:<44} {:>11} {:>12.3e} {:>12.3e} {:>9.0e}  {}\n", figure.name, figure.elements, figure.relative_l2,
               figure.max_abs, figure.bound, verdict(figure.passed));
  }
}

/// How many figures there are, the farthest of them, and what rounding alone does.
void print_farthest(const char* what, const std::vector<VerifyFigure>& figures, std::optional<double> sensitivity) {
  if (figures.empty()) return;
  const auto worst = std::max_element(figures.begin(), figures.end(),
                                      [](const auto& a, const auto& b) { return a.relative_l2 < b.relative_l2; });
  fmt::print("{}: {}, the farthest {:.3e} ({})\n", what, figures.size(), worst->relative_l2, worst->name);
  if (!sensitivity) return;
  fmt::print("  rounding of input and parameters alone moves them by up to {:.3e}\n", *sensitivity);
}

void print_verification(const train::Verification& result) {
  fmt::print("{}\n{:<44} {:>11} {:>12} {:>12} {:>9}\n", result.network, "", "numbers", "relative L2", "largest",
             "bound");
  if (result.logits) print_figures({*result.logits});
  print_figures(result.losses);
  print_figures(result.gradients);
  if (result.gradient_scale) print_figures({*result.gradient_scale});
  print_figures(result.steps);
  if (result.argmax) {
    const train::VerifyArgmax& argmax = *result.argmax;
    fmt::print("argmax differs at {} of {} pixels", argmax.differing, argmax.pixels);
    if (argmax.differing > 0) {
      fmt::print(", where the reference's class leads by {:.1e} of the largest logit at most (a near-tie: {:.0e})",
                 argmax.largest_margin, argmax.margin_bound);
    }
    fmt::print(": {}\n", verdict(argmax.passed));
  }
  print_farthest("gradients", result.gradients, result.sensitivity);
  print_farthest("losses of steps", result.steps, result.step_sensitivity);
  for (const std::string& name : result.absent) fmt::print("not there, so not held against: {}\n", name);
  fmt::print("{}\n", result.passed() ? "agrees" : "DOES NOT AGREE");
}

nlohmann::ordered_json figures_json(const std::vector<VerifyFigure>& figures) {
  auto list = nlohmann::ordered_json::array();
  for (const VerifyFigure& figure : figures) {
    list.push_back({{"name", figure.name},
                    {"elements", figure.elements},
                    {"relative_l2", figure.relative_l2},
                    {"max_abs", figure.max_abs},
                    {"bound", figure.bound},
                    {"passed", figure.passed}});
  }
  return list;
}

void print_verification_json(const train::Verification& result) {
  nlohmann::ordered_json json{{"network", result.network}, {"passed", result.passed()}};
  if (result.logits) json["logits"] = figures_json({*result.logits})[0];
  if (result.argmax) {
    json["argmax"] = {{"pixels", result.argmax->pixels},
                      {"differing", result.argmax->differing},
                      {"largest_margin", result.argmax->largest_margin},
                      {"margin_bound", result.argmax->margin_bound},
                      {"passed", result.argmax->passed}};
  }
  json["losses"] = figures_json(result.losses);
  if (result.sensitivity) json["gradient_sensitivity"] = *result.sensitivity;
  if (result.gradient_scale) json["gradient_scale"] = figures_json({*result.gradient_scale})[0];
  json["gradients"] = figures_json(result.gradients);
  json["steps"] = figures_json(result.steps);
  if (result.step_sensitivity) json["step_sensitivity"] = *result.step_sensitivity;
  json["absent"] = result.absent;
  print_json(json);
}

class VerifyCommand : public Command {
 public:
  VerifyCommand()
      : Command("verify", "hold a network's numbers against another framework's",
                R"(DIR holds weights.pth (or weights.safetensors), input.npy (N,3,H,W), label.npy (N,H,W), and what
the other framework made of them: logits.npy (evaluation mode), loss.npy (main, auxiliary) and
grads.pth (of main + 0.4 auxiliary; training mode, dropout off). With sgd.json, sgd_input.npy,
sgd_label.npy and sgd_loss.npy the losses of steps of training are held against each other too.
Every error figure is printed; status 1 if one is beyond its bound: relative L2 of logits and
losses 1e-5 with --algorithm direct, else 1e-4; of gradients 1e-4 or 1e-3, of the losses of steps
1e-3. Where gradients or steps are beyond that, rounding is tried out, and twice what it moves them
by is allowed, to 0.9 and 0.1 at most (docs/weights.md). Of a classifier of whole pictures labels are
(N) and logits (N,classes).

  giza verify golden/
  giza verify golden/ --algorithm direct --json)") {}

  void declare(CLI::App& app) override {
    app.add_option("dir", folder_, "folder of weights, input and reference")->required()->type_name("DIR");
  }

  int run(const Common& common) override {
    const train::Verification result = train::verify_folder(folder_, common.conv_engine());
    if (!common.quiet) tell_notes(folder_, result.notes);
    if (common.json) {
      print_verification_json(result);
    } else {
      print_verification(result);
    }
    return result.passed() ? 0 : 1;
  }

 private:
  std::string folder_;
};

}  // namespace

std::unique_ptr<Command> verify_command() { return std::make_unique<VerifyCommand>(); }

}  // namespace giza::cli
