// giza explore: networks whose bins are switched off or swapped, against the networks themselves.
#include "train/explore/switched_network.h"

#include <algorithm>
#include <set>

#include "tests/support/op_testing.h"
#include "tests/train/explore/tiny_networks.h"

namespace giza::train {
namespace {

using autograd::Variable;

TEST_CASE("explore: the states of a pyramid are every subset, each once, all bins on first") {
  const auto count = [](size_t bins, bool swap) {
    const std::vector<BinState> states = bin_states(bins, swap);
    CHECK(states[0] == BinState(bins, Bin::on));
    CHECK(std::set<BinState>(states.begin(), states.end()).size() == states.size());
    return states.size();
  };
  CHECK(count(0, false) == 1);
  CHECK(count(0, true) == 1);
  CHECK(count(1, false) == 2);
  CHECK(count(1, true) == 3);
  CHECK(count(4, false) == 16);
  CHECK(count(4, true) == 31);
  CHECK(count(5, false) == 12);  // all, none, five without one, five of one
  CHECK(count(5, true) == 23);
  CHECK(to_string({Bin::on, Bin::off, Bin::swapped}) == "10s");
}

TEST_CASE("explore: with all bins on, a network's logits have the bits of its own pass") {
  const Tensor x = make_numbers({2, 41, 57, 3}, CaseData::normal, 3);
  std::vector<models::NetworkOptions> all = pyramids();
  all.push_back(tiny_options("baseline"));
  for (const models::NetworkOptions& options : all) {
    const auto parser = tiny_parser(options);
    const models::ParserOutput expected = parser->forward(Variable(x), {});
    const SwitchedNetwork network(*parser);
    const models::ParserOutput output = network.forward(Variable(x), BinState(network.bins().size(), Bin::on));
    CHECK(same_bits(output.logits.value(), expected.logits.value()));
    CHECK(output.height == expected.height);
    CHECK(output.width == expected.width);
    CHECK(output.align_corners == expected.align_corners);
  }
}

TEST_CASE("explore: swapping bins with the same picture changes no bit, with another one it does") {
  const Tensor x = make_numbers({1, 41, 57, 3}, CaseData::normal, 3);
  const Tensor other = make_numbers({1, 30, 71, 3}, CaseData::normal, 4);
  for (const models::NetworkOptions& options : pyramids()) {
    const auto parser = tiny_parser(options);
    SwitchedNetwork network(*parser);
    const Tensor own = parser->forward(Variable(x), {}).logits.value();
    for (const BinState& state : bin_states(network.bins().size(), true)) {
      if (std::count(state.begin(), state.end(), Bin::swapped) == 0) continue;
      network.set_other(x);
      CHECK(same_bits(network.forward(Variable(x), state).logits.value(), own));
      network.set_other(other);
      CHECK(largest_difference(network.forward(Variable(x), state).logits.value(), own) > 1e-4 * largest_of(own));
    }
    const SwitchedNetwork alone(*parser);
    CHECK_THROWS_AS(alone.forward(Variable(x), BinState(network.bins().size(), Bin::swapped)), ShapeError);
    CHECK_THROWS_AS(alone.forward(Variable(x), BinState(network.bins().size() + 1, Bin::on)), ShapeError);
  }
}

TEST_CASE("explore: a bin that is off is a bin whose weights in the head are zero") {
  const Tensor x = make_numbers({1, 41, 57, 3}, CaseData::normal, 3);
  for (const models::NetworkOptions& options : pyramids()) {
    const auto parser = tiny_parser(options), cut = tiny_parser(options);
    const SwitchedNetwork network(*parser);
    const Tensor weight = as_pspnet(*cut).head().hidden().conv.weight();
    const Tensor whole = weight.clone();
    const int64_t features = parser->description().backbone.out_channels();
    const auto bins = static_cast<int64_t>(network.bins().size());
    const int64_t each = (weight.channels() - features) / bins;
    for (const BinState& state : bin_states(network.bins().size(), false)) {
      weight.copy_from(whole);
      for (int64_t b = 0; b < bins; ++b) {
        if (state[static_cast<size_t>(b)] == Bin::on) continue;
        weight.channel_slice(features + b * each, features + (b + 1) * each).fill(0);
      }
      const Tensor expected = cut->forward(Variable(x), {}).logits.value();
      CAPTURE(to_string(state));
      CHECK(largest_difference(network.forward(Variable(x), state).logits.value(), expected) <=
            1e-5 * largest_of(expected));
    }
  }
}

TEST_CASE("explore: parameters ask for gradients again when the look is over") {
  const auto parser = tiny_parser(tiny_options("psp"));
  parser->parameters()[0].variable.set_requires_grad(false);
  {
    const SwitchedNetwork network(*parser);
    for (const auto& parameter : parser->parameters()) CHECK(!parameter.variable.requires_grad());
  }
  for (size_t i = 0; i < parser->parameters().size(); ++i) {
    CHECK(parser->parameters()[i].variable.requires_grad() == (i != 0));
  }
}

}  // namespace
}  // namespace giza::train
