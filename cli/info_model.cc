// giza info --config: how the convolutions of a configured network are computed.
#include "cli/info_model.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "models/pspnet.h"
#include "tensor/ops/conv_spec.h"
#include "tensor/simd.h"
#include "train/config/parts.h"
#include "train/cost/profile_table.h"

namespace giza::cli {
namespace {

using models::Convolution;
using nlohmann::ordered_json;

constexpr ConvPass kPasses[] = {ConvPass::forward, ConvPass::backward_input, ConvPass::backward_weight};

struct Work {
  double direct = 0, executed = 0;

  Work& operator+=(const Work& other) {
    direct += other.direct;
    executed += other.executed;
    return *this;
  }
};

/// What one pass of a convolution is computed by; no algorithm where the pass does not run.
struct Choice {
  std::string algorithm;
  Work work;
};

struct Row {
  const Convolution* conv;
  std::vector<Choice> passes;

  std::string spec() const { return profile::ConvSpec(conv->x, conv->w, conv->options).text(); }
  Work total() const {
    Work sum;
    for (const Choice& pass : passes) sum += pass.work;
    return sum;
  }
};

Choice choose(const Convolution& conv, ConvPass pass) {
  if (pass == ConvPass::backward_input && !conv.input_gradient) return {};
  const profile::Work work = profile::conv2d_work(pass, conv.x, conv.w, conv.options);
  return {work.algorithm, {work.flops, work.executed_flops}};
}

/// One kind of step: its name, its input, and what it does.
struct Step {
  std::string name;
  Shape x;
  bool training;
  std::vector<Convolution> convolutions;

  std::span<const ConvPass> passes() const { return {kPasses, training ? size_t{3} : size_t{1}}; }
  std::vector<Row> rows() const {
    std::vector<Row> list;
    for (const Convolution& conv : convolutions) {
      if (conv.training_only && !training) continue;
      Row row{&conv, {}};
      for (const ConvPass pass : passes()) row.passes.push_back(choose(conv, pass));
      list.push_back(std::move(row));
    }
    return list;
  }
};

Work total_of(const std::vector<Row>& rows) {
  Work sum;
  for (const Row& row : rows) sum += row.total();
  return sum;
}

ordered_json gflop(const Work& work) { return {{"gflop", work.direct / 1e9}, {"executed_gflop", work.executed / 1e9}}; }

ordered_json to_json(const Step& step) {
  const std::vector<Row> rows = step.rows();
  ordered_json list = ordered_json::array();
  for (const Row& row : rows) {
    ordered_json item = {{"layer", row.conv->path}, {"shape", row.spec()}};
    for (size_t i = 0; i < row.passes.size(); ++i) {
      const Choice& choice = row.passes[i];
      ordered_json pass = nullptr;
      if (!choice.algorithm.empty()) {
        pass = {{"algorithm", choice.algorithm}};
        pass.update(gflop(choice.work));
      }
      item[to_string(kPasses[i])] = std::move(pass);
    }
    item.update(gflop(row.total()));
    list.push_back(std::move(item));
  }
  ordered_json json = {{"step", step.name}, {"input", {step.x[0], step.x[1], step.x[2], step.x[3]}}};
  json["convolutions"] = std::move(list);
  json["total"] = gflop(total_of(rows));
  return json;
}

void print(const Step& step) {
  const auto number = [](double flops) { return fmt::format("{:.2f}", flops / 1e9); };
  const std::vector<Row> rows = step.rows();
  fmt::print("\n{}, {}\n", step.name, step.x);
  std::vector<std::string> heading = {"layer", "GFLOP", "executed", "shape", "forward"};
  if (step.training) heading.insert(heading.end(), {"backward input", "backward weight"});
  const size_t words = heading.size() - 3;
  train::TextTable table(heading);
  const auto add = [&](const std::string& name, const Work& work, std::vector<std::string> rest) {
    std::vector<std::string> line = {name, number(work.direct), number(work.executed)};
    line.insert(line.end(), rest.begin(), rest.end());
    table.add(std::move(line));
  };
  for (const Row& row : rows) {
    std::vector<std::string> rest = {row.spec()};
    for (const Choice& choice : row.passes) rest.push_back(choice.algorithm.empty() ? "-" : choice.algorithm);
    add(row.conv->path, row.total(), std::move(rest));
  }
  std::vector<std::string> rest = {fmt::format("{} convolutions", rows.size())};
  for (size_t i = 0; i < step.passes().size(); ++i) {
    Work pass;
    for (const Row& row : rows) pass += row.passes[i].work;
    rest.push_back(fmt::format("{} / {}", number(pass.direct), number(pass.executed)));
  }
  add("total", total_of(rows), std::move(rest));
  fmt::print("{}", table.text(28, words));
}

}  // namespace

int info_model(const train::Config& config, const Common& common) {
  const models::Pspnet model(train::model_options(config));
  const auto step = [&](std::string name, Shape x, bool training) {
    return Step{std::move(name), x, training, model.convolutions(x)};
  };
  const Step steps[] = {
      step("training step", {config.train.batch_size, config.train.train_h, config.train.train_w, 3}, true),
      step(config.test.whole_image ? "a test picture as large as the crop" : "one test crop",
           {1, config.test.test_h, config.test.test_w, 3}, false)};
  const ConvEngine& engine = model.options().backbone.conv;
  if (common.json) {
    ordered_json json = {{"config", config.file},
                         {"isa", isa()},
                         {"conv", config.train.conv},
                         {"algorithm", to_string(engine.algorithm)}};
    for (const Step& each : steps) json["steps"].push_back(to_json(each));
    fmt::print("{}\n", json.dump());
    return 0;
  }
  fmt::print("{}: convolutions by {}{}, SIMD target {}\n", config.file, config.train.conv,
             engine.backend == ConvBackend::native ? fmt::format(" (--algorithm {})", to_string(engine.algorithm)) : "",
             isa());
  for (const Step& each : steps) print(each);
  fmt::print(
      "\nGFLOP: operations of the direct algorithm, all passes shown; executed: of the algorithms chosen. In the line\n"
      "of totals, both for each pass.{}\n",
      config.train.arch != "baseline" && engine.backend == ConvBackend::native
          ? " cls.0 is its part on the feature map: its part on the pyramid's maps is no convolution\n"
            "of theirs upsampled, but products on their cells (docs/structured-head.md)."
          : "");
  return 0;
}

}  // namespace giza::cli
