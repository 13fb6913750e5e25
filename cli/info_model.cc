// giza info --config: how the convolutions of a configured network are computed.
#include "cli/info_model.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/weights/infer.h"
#include "tensor/simd.h"
#include "train/config/parts.h"
#include "train/cost/convolutions.h"
#include "train/cost/profile_table.h"
#include "train/cost/rehearsal.h"

namespace giza::cli {
namespace {

using nlohmann::ordered_json;

struct Work {
  double direct = 0, executed = 0;

  Work& operator+=(const Work& other) {
    direct += other.direct;
    executed += other.executed;
    return *this;
  }
};

using PassUse = train::ConvolutionUse::PassUse;

/// One kind of step: its name, its input, and the convolutions that it runs.
struct Step {
  std::string name;
  Shape x;
  bool training;
  std::vector<train::ConvolutionUse> uses = {};
  std::string refusal = {};  ///< why it cannot run, such as a batch of 1 in training

  size_t passes() const { return training ? 3 : 1; }
};

constexpr const char* kPassNames[] = {"forward", "backward_input", "backward_weight"};

const PassUse& pass_of(const train::ConvolutionUse& use, size_t pass) {
  return pass == 0 ? use.forward : pass == 1 ? use.backward_input : use.backward_weight;
}

Work work_of(const PassUse& pass) { return {pass.flops, pass.executed}; }

Work total_of(const train::ConvolutionUse& use) {
  Work sum = work_of(use.forward);
  sum += work_of(use.backward_input);
  sum += work_of(use.backward_weight);
  return sum;
}

Work total_of(const std::vector<train::ConvolutionUse>& uses) {
  Work sum;
  for (const train::ConvolutionUse& use : uses) sum += total_of(use);
  return sum;
}

ordered_json gflop(const Work& work) { return {{"gflop", work.direct / 1e9}, {"executed_gflop", work.executed / 1e9}}; }

ordered_json step_json(const Step& step) {
  ordered_json list = ordered_json::array();
  for (const train::ConvolutionUse& use : step.uses) {
    ordered_json item = {{"layer", use.layer}, {"shape", use.shape}};
    for (size_t i = 0; i < step.passes(); ++i) {
      const PassUse& choice = pass_of(use, i);
      ordered_json pass = nullptr;
      if (!choice.algorithm.empty()) {
        pass = {{"algorithm", choice.algorithm}};
        pass.update(gflop(work_of(choice)));
      }
      item[kPassNames[i]] = std::move(pass);
    }
    item.update(gflop(total_of(use)));
    list.push_back(std::move(item));
  }
  ordered_json json = {{"step", step.name}, {"input", {step.x[0], step.x[1], step.x[2], step.x[3]}}};
  if (!step.refusal.empty()) json["refused"] = step.refusal;
  json["convolutions"] = std::move(list);
  json["total"] = gflop(total_of(step.uses));
  return json;
}

void print_step(const Step& step) {
  const auto number = [](double flops) { return fmt::format("{:.2f}", flops / 1e9); };
  fmt::print("\n{}, {}\n", step.name, step.x);
  if (!step.refusal.empty()) {
    fmt::print("cannot run: {}\n", step.refusal);
    return;
  }
  std::vector<std::string> heading = {"layer", "GFLOP", "executed", "shape", "forward"};
  if (step.training) heading.insert(heading.end(), {"backward input", "backward weight"});
  const size_t words = heading.size() - 3;
  train::TextTable table(heading);
  const auto add = [&](const std::string& name, const Work& work, std::vector<std::string> rest) {
    std::vector<std::string> line = {name, number(work.direct), number(work.executed)};
    line.insert(line.end(), rest.begin(), rest.end());
    table.add(std::move(line));
  };
  for (const train::ConvolutionUse& use : step.uses) {
    std::vector<std::string> rest = {use.shape};
    for (size_t i = 0; i < step.passes(); ++i) {
      const std::string& algorithm = pass_of(use, i).algorithm;
      rest.push_back(algorithm.empty() ? "-" : algorithm);
    }
    add(use.layer, total_of(use), std::move(rest));
  }
  std::vector<std::string> rest = {fmt::format("{} convolutions", step.uses.size())};
  for (size_t i = 0; i < step.passes(); ++i) {
    Work pass;
    for (const train::ConvolutionUse& use : step.uses) pass += work_of(pass_of(use, i));
    rest.push_back(fmt::format("{} / {}", number(pass.direct), number(pass.executed)));
  }
  add("total", total_of(step.uses), std::move(rest));
  fmt::print("{}", table.text(28, words));
}

}  // namespace

int info_model(const train::Config& config, const Common& common) {
  const train::TestConfig& test = config.test;
  const auto step = [&](std::string name, Shape x, bool training) {
    Step result{std::move(name), x, training};
    try {
      result.uses = train::convolutions_of(train::rehearse_step(config, x, training));
    } catch (const Refusal& refusal) {
      if (!training) throw;
      result.refusal = refusal.what();
    }
    return result;
  };
  const Step steps[] = {
      step("training step", {config.train.batch_size, config.train.train_h, config.train.train_w, 3}, true),
      step(test.whole_image ? "a test picture as large as the crop" : "one test crop", {1, test.test_h, test.test_w, 3},
           false)};
  const models::NetworkOptions network = train::model_options(config);
  const ConvEngine engine = network.backbone.conv;
  if (common.json) {
    ordered_json json = {{"config", config.file},
                         {"isa", isa()},
                         {"conv", config.train.conv},
                         {"algorithm", to_string(engine.algorithm)},
                         {"network", ordered_json::parse(models::options_to_json(network))},
                         {"loss",
                          {{"aux_weight", config.train.aux_weight},
                           {"ignore_label", config.train.ignore_label},
                           {"class_weights", config.train.class_weights.values}}}};
    for (const Step& each : steps) json["steps"].push_back(step_json(each));
    print_json(json);
    return 0;
  }
  fmt::print("{}: convolutions by {}{}, SIMD target {}\n", config.file, config.train.conv,
             engine.backend == ConvBackend::native ? fmt::format(" (--algorithm {})", to_string(engine.algorithm)) : "",
             isa());
  for (const Step& each : steps) print_step(each);
  fmt::print(
      "\nGFLOP: operations of the direct algorithm, all passes shown; executed: of the algorithms chosen. In the line\n"
      "of totals, both for each pass.{}\n",
      config.train.arch == "psp" && engine.backend == ConvBackend::native
          ? " cls.0 is its part on the feature map: its part on the pyramid's maps is no convolution\n"
            "of theirs upsampled, but products on their cells (docs/structured-head.md)."
          : "");
  return 0;
}

}  // namespace giza::cli
