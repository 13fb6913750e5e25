// giza explore: receptive fields against differences of the score.
#include "train/explore/receptive_field.h"

#include <algorithm>

#include "tests/support/op_testing.h"
#include "tests/train/explore/tiny_networks.h"

namespace giza::train {
namespace {

using autograd::Variable;

/// The score of a target, by the network alone.
double score_of(const SwitchedNetwork& network, const BinState& state, const Tensor& picture, const Target& target) {
  const autograd::NoGrad no_grad;
  const models::ParserOutput output = network.forward(Variable(picture), state);
  const Tensor logits = output.upsampled_logits().value();
  return static_cast<double>(logits.row(int64_t{target.y} * logits.dim(2) + target.x)[target.label]);
}

TEST_CASE("explore: receptive fields are the slopes of the score, by central differences") {
  const Tensor picture = make_numbers({1, 33, 49, 3}, CaseData::normal, 6);
  const Tensor other = make_numbers({1, 30, 40, 3}, CaseData::normal, 4);
  const std::vector<Target> targets = {{.x = 0, .y = 0, .label = 1},
                                       {.x = 48, .y = 32, .label = 4},
                                       {.x = 21, .y = 9, .label = 0},
                                       {.x = 30, .y = 20, .label = 3}};
  for (const char* arch : {"psp", "baseline"}) {
    for (const bool align : {true, false}) {
      const auto parser = tiny_parser(tiny_options(arch, [&](auto& options) { options.align_corners = align; }));
      SwitchedNetwork network(*parser);
      network.set_other(other);
      std::vector<BinState> states = {BinState(network.bins().size(), Bin::on)};
      if (!network.bins().empty()) states.push_back({Bin::off, Bin::on, Bin::swapped, Bin::off});
      for (const BinState& state : states) {
        const Tensor gradients =
            score_gradients([&](const Variable& x) { return network.forward(x, state); }, picture, targets);
        REQUIRE(gradients.shape() == Shape({4, 33, 49, 3}));
        for (size_t i = 0; i < targets.size(); ++i) {
          CAPTURE(arch);
          CAPTURE(to_string(state));
          CAPTURE(i);
          const auto item = static_cast<int64_t>(i);
          const std::vector<float> slopes = gradients.batch_slice(item, item + 1).to_vector();
          double length = 0;
          for (const float slope : slopes) length += static_cast<double>(slope) * static_cast<double>(slope);
          REQUIRE(length > 0);
          // Half of the elements move along their slopes, in steps so small that few units wake up or fall asleep.
          for (uint32_t turn = 0; turn < 3; ++turn) {
            Random random(5, Purpose::test, turn);
            std::vector<float> above = picture.to_vector(), below = above;
            double predicted = 0;
            for (size_t k = 0; k < slopes.size(); ++k) {
              if (random.next_below(2) == 0) continue;
              const auto step = static_cast<float>(2e-3 / std::sqrt(length)) * slopes[k];
              above[k] += step;
              below[k] -= step;
              predicted +=
                  static_cast<double>(slopes[k]) * (static_cast<double>(above[k]) - static_cast<double>(below[k]));
            }
            const double found = score_of(network, state, Tensor::from(picture.shape(), above), targets[i]) -
                                 score_of(network, state, Tensor::from(picture.shape(), below), targets[i]);
            CHECK(found == doctest::Approx(predicted).epsilon(0.01));
            CHECK(found == doctest::Approx(predicted).epsilon(0.05).scale(0));  // of itself: the steps are tiny
          }
        }
        CHECK_THROWS_AS(score_gradients([&](const Variable& x) { return network.forward(x, state); }, picture,
                                        std::vector<Target>{{.x = 49, .y = 0, .label = 0}}),
                        ShapeError);
      }
    }
  }
}

TEST_CASE("explore: radii, cells and grey values of a field") {
  Tensor gradient = Tensor::zeros({1, 5, 7, 3});
  const auto set = [&](int x, int y, std::array<float, 3> values) {
    std::copy(values.begin(), values.end(), gradient.row(int64_t{y} * 7 + x));
  };
  set(2, 2, {3, 0, -4});  // 5
  set(5, 2, {0, 3, 0});   // 3, at a distance of 3
  set(6, 4, {2, 0, 0});   // 2, at a distance of sqrt(20)
  const ReceptiveField field(gradient);
  CHECK(field.radius(2, 2, 0.5) == 0);
  CHECK(field.radius(2, 2, 0.51) == 3);
  CHECK(field.radius(2, 2, 0.8) == 3);
  CHECK(field.radius(2, 2, 0.81) == 5);
  CHECK(field.radius(6, 4, 1) == 5);
  CHECK(ReceptiveField(Tensor::zeros({1, 5, 7, 3})).radius(0, 0, 0.9) == 0);
  CHECK(field.cells(1).size() == 35);
  // 3 x 2 cells of 3 x 3, 3 x 3, 1 x 3; and 2 rows high below.
  const std::vector<double> cells = field.cells(3);
  REQUIRE(cells.size() == 6);
  CHECK(cells[0] == doctest::Approx(5.0 / 9));
  CHECK(cells[1] == doctest::Approx(3.0 / 9));
  CHECK(cells[5] == doctest::Approx(2.0 / 2));
  CHECK(shade({0, 1, 4, 100}) == std::vector<uint8_t>{0, 26, 51, 255});
  CHECK(shade({0, 0}) == std::vector<uint8_t>{0, 0});
}

}  // namespace
}  // namespace giza::train
