// giza explore: what each bin adds to a score, against the score and against its gradient.
#include "train/explore/contributions.h"

#include "tensor/ops/resize.h"
#include "tests/support/op_testing.h"
#include "tests/train/explore/tiny_networks.h"

namespace giza::train {
namespace {

using autograd::Variable;

TEST_CASE("explore: contributions add up to the logits, and are the gradient by each part times the part") {
  const Tensor x = make_numbers({1, 41, 57, 3}, CaseData::normal, 3);
  const Tensor other = make_numbers({1, 30, 71, 3}, CaseData::normal, 4);
  std::vector<models::NetworkOptions> all = pyramids();
  all.push_back(tiny_options("baseline"));
  for (const models::NetworkOptions& options : all) {
    const auto parser = tiny_parser(options);
    SwitchedNetwork network(*parser);
    network.set_other(other);
    for (const BinState& state : bin_states(network.bins().size(), true)) {
      CAPTURE(to_string(state));
      const auto input = network.switched(network.head_input(Variable(x)), state);
      const Tensor logits = network.head_output(input, 41, 57).logits.value();
      const std::vector<Tensor> parts = contributions(as_pspnet(*parser), input);
      REQUIRE(parts.size() == network.bins().size() + 2);
      Tensor sum = parts[0].clone();
      for (size_t i = 1; i < parts.size(); ++i) {
        for (int64_t row = 0; row < sum.rows(); ++row) {
          for (int64_t c = 0; c < sum.channels(); ++c) sum.row(row)[c] += parts[i].row(row)[c];
        }
      }
      CHECK(largest_difference(sum, logits) <= 1e-5 * largest_of(logits));
      for (size_t b = 0; b < state.size(); ++b) {
        if (state[b] == Bin::off) CHECK(largest_of(parts[b + 1]) == 0);
      }

      // The logits are linear in what the head reads as long as the same units are active: Euler's theorem.
      const int64_t place = logits.rows() / 2 + 3, label = 2;
      std::vector<Variable> leaves = {Variable(input.features.value().clone(), true)};
      for (const Variable& map : input.maps) leaves.emplace_back(map.value().clone(), true);
      const Variable again = as_pspnet(*parser).head().forward(leaves[0], std::span(leaves).subspan(1), {});
      Tensor seed = Tensor::activation(logits.shape());
      seed.fill(0);
      seed.row(place)[label] = 1;
      autograd::backward(again, seed);
      for (size_t i = 0; i < leaves.size(); ++i) {
        const std::vector<float> value = leaves[i].value().to_vector(), slope = leaves[i].grad().to_vector();
        double expected = 0;
        for (size_t k = 0; k < value.size(); ++k) {
          expected += static_cast<double>(value[k]) * static_cast<double>(slope[k]);
        }
        CHECK(std::abs(static_cast<double>(parts[i].row(place)[label]) - expected) <= 1e-5 * largest_of(logits));
      }
    }
  }
}

TEST_CASE("explore: the weights of a pixel give the value of the enlarged map") {
  for (const bool align : {true, false}) {
    for (const auto& [h, w, height, width] : {std::array{6, 8, 41, 57}, {1, 1, 9, 7}, {5, 4, 5, 4}, {1, 3, 2, 20}}) {
      const Tensor map = make_numbers({1, h, w, 3}, CaseData::normal, 5);
      const Tensor large = ops::resize_bilinear(map, height, width, align);
      for (const auto& [x, y] : {std::array{0, 0}, {width - 1, height - 1}, {width / 2, height / 3}, {width - 1, 0}}) {
        const std::vector<MapWeight> weights = weights_at(x, y, height, width, h, w, align);
        CHECK(weights.size() <= 4);
        for (int64_t c = 0; c < 3; ++c) {
          const auto expected = static_cast<double>(large.row(int64_t{y} * width + x)[c]);
          CHECK(value_at(map, weights, c) == doctest::Approx(expected).epsilon(1e-5));
        }
      }
    }
  }
}

}  // namespace
}  // namespace giza::train
