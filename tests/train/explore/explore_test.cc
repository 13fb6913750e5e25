// giza explore: what is on its page, against the networks themselves.
#include "train/explore/explore.h"

#include <algorithm>
#include <limits>

#include "tests/support/refusal.h"
#include "tests/train/explore/tiny_networks.h"
#include "train/eval/evaluator.h"
#include "train/explore/receptive_field.h"

namespace giza::train {
namespace {

using autograd::Variable;

TEST_CASE("explore: labels, probabilities and sums are those of the network") {
  const auto baseline = tiny_parser(tiny_options("baseline")), psp = tiny_parser(tiny_options("psp"));
  const Image picture = tiny_picture(57, 41), other = tiny_picture(40, 44, 2);
  LabelMap truth(57, 41, 3);
  const Exploration page = explore({tiny_subject(*baseline, "baseline"), tiny_subject(*psp, "PSPNet")}, picture, &truth,
                                   &other, tiny_page_options());
  CHECK(page.picture.rgb == picture.rgb);
  CHECK(page.truth->index == truth.index);
  CHECK(page.columns * page.rows == static_cast<int>(page.points.size()));
  CHECK(page.columns == 3);
  CHECK(page.rows == 2);
  CHECK(page.swap);
  REQUIRE(page.networks.size() == 2);
  CHECK(page.networks[0].bins.empty());
  CHECK(page.networks[0].states.size() == 1);
  CHECK(page.networks[1].bins == std::vector<int64_t>{1, 2, 3, 6});
  CHECK(page.networks[1].states.size() == 31);

  ProtocolOptions protocol;
  protocol.base_size = protocol.crop_h = protocol.crop_w = 0;
  protocol.mirror = false;
  for (size_t n = 0; n < 2; ++n) {
    const models::SceneParser& parser = n == 0 ? *baseline : *psp;
    const Tensor probabilities = predict_probabilities(network_of(parser), picture, protocol);
    const ExploredState& whole = page.networks[n].states[0];
    CHECK(whole.labels.index == predict_labels(network_of(parser), picture, protocol).index);
    for (size_t i = 0; i < page.points.size(); ++i) {
      const ExplorePoint& at = page.points[i];
      const ExploredPoint& point = whole.points[i];
      REQUIRE(point.top.size() == kTopClasses);
      CHECK(point.top[0].label == whole.labels.at(at.x, at.y));
      for (const ExploredScore& score : point.top) {
        const auto expected = static_cast<double>(probabilities.row(int64_t{at.y} * 57 + at.x)[score.label]);
        CHECK(score.probability == doctest::Approx(expected).epsilon(1e-4));
      }
      for (const size_t k : {0, 1}) {
        double sum = 0;
        for (const double part : point.top[k].parts) sum += part;
        CHECK(sum == doctest::Approx(point.top[k].logit).epsilon(1e-4));
      }
      CHECK(point.most_radius >= point.half_radius);
      CHECK(point.most_radius > 0);
    }
  }
  for (const ExploredNetwork& network : page.networks) {
    for (const ExploredState& state : network.states) {
      CHECK(state.labels.width == 57);
      CHECK(state.fields.width == page.columns * ((57 + page.cell - 1) / page.cell));
      CHECK(state.fields.height == page.rows * ((41 + page.cell - 1) / page.cell));
      // Each field has a brightest cell.
      CHECK(*std::max_element(state.fields.index.begin(), state.fields.index.end()) == 255);
    }
  }
}

TEST_CASE("explore: the field of a point stands where the page looks for it") {
  const auto parser = tiny_parser(tiny_options("baseline"));
  const Image picture = tiny_picture(57, 41);
  const Exploration page = explore({tiny_subject(*parser, "baseline")}, picture, nullptr, nullptr, tiny_page_options());
  const ExploredState& state = page.networks[0].states[0];
  REQUIRE(page.cell == 1);
  FloatImage seen = to_float(picture);
  normalize(seen, kImageNetMean, kImageNetStd);
  const Tensor x = Tensor::from({1, 41, 57, 3}, seen.rgb);
  const SwitchedNetwork network(*parser);
  for (size_t i = 0; i < page.points.size(); ++i) {
    const Target target{page.points[i].x, page.points[i].y, state.points[i].top[0].label};
    const ReceptiveField field(
        score_gradients([&](const Variable& in) { return network.forward(in, {}); }, x, std::vector{target}));
    const std::vector<uint8_t> grey = shade(field.cells(1));
    const int left = static_cast<int>(i) % page.columns * 57, top = static_cast<int>(i) / page.columns * 41;
    int differing = 0;
    for (int y = 0; y < 41; ++y) {
      for (int column = 0; column < 57; ++column) {
        // Alone and among others, a picture's convolutions may be rounded differently.
        differing += std::abs(int{state.fields.at(left + column, top + y)} -
                              int{grey[static_cast<size_t>(y * 57 + column)]}) > 1;
      }
    }
    CHECK(differing == 0);
    CHECK(state.points[i].half_radius == field.radius(target.x, target.y, 0.5));
    CHECK(state.points[i].most_radius == field.radius(target.x, target.y, 0.9));
  }
}

TEST_CASE("explore: a network that is no PSPNet has answers and fields, but no bins and no sums") {
  const PlainParser plain;
  const Exploration page =
      explore({tiny_subject(plain, "plain")}, tiny_picture(30, 22), nullptr, nullptr, tiny_page_options());
  const ExploredNetwork& network = page.networks[0];
  CHECK(network.bins.empty());
  CHECK(!network.has_parts);
  CHECK(!page.swap);
  REQUIRE(network.states.size() == 1);
  CHECK(network.states[0].points[0].top[0].parts.empty());
  // A 3x3 kernel at every fourth pixel, between which the scores are enlarged: nothing far away matters.
  for (const ExploredPoint& point : network.states[0].points) {
    CHECK(point.most_radius > 0);
    CHECK(point.most_radius < 8);
  }
}

TEST_CASE("explore: every network of the factory") {
  ExploreOptions options = tiny_page_options();
  options.points = 2;
  options.fields = ExploreOptions::Fields::ends;
  for (const models::Architecture& row : models::architectures()) {
    const std::string name = row.name;
    CAPTURE(name);
    if (row.whole_picture) continue;  // it says nothing of single pixels
    models::NetworkOptions network = tiny_options(name);
    if (name == "cascade") network.settings.insert_or_assign("object_classes", std::vector<int>{1, 3});
    const auto parser = tiny_parser(network);
    const Exploration page =
        explore({tiny_subject(*parser, row.title)}, tiny_picture(97, 65), nullptr, nullptr, options);
    CHECK(page.networks[0].has_parts == (name == "psp" || name == "baseline"));
    CHECK(page.networks[0].bins.empty() == (name != "psp"));
    // The context module of the dilated network begins as the identity, and truncates scores below 0: no slope there.
    if (name == "dilated") continue;
    for (const ExploredPoint& point : page.networks[0].states[0].points) CHECK(point.most_radius > 0);
  }
}

TEST_CASE("explore: which fields are made, and how large the picture is seen") {
  const auto parser = tiny_parser(tiny_options("psp", [](auto& options) {
    options.settings["bins"] = std::vector<int>{1, 3};
  }));
  ExploreOptions options = tiny_page_options();
  options.points = 1;
  const auto fields = [&](const Exploration& page) {
    std::string made;
    for (const ExploredState& state : page.networks[0].states) {
      if (!state.fields.index.empty()) made += to_string(state.bins) + " ";
    }
    return made;
  };
  const Image picture = tiny_picture(60, 30);
  const std::vector<ExploreSubject> subjects = {tiny_subject(*parser, "PSPNet")};
  CHECK(fields(explore(subjects, picture, nullptr, nullptr, options)) == "11 01 10 00 ");
  options.fields = ExploreOptions::Fields::ends;
  CHECK(fields(explore(subjects, picture, nullptr, &picture, options)) == "11 00 ss ");
  options.side = 20;
  const Exploration small = explore(subjects, picture, nullptr, nullptr, options);
  CHECK(small.picture.width == 20);
  CHECK(small.picture.height == 10);
  CHECK(small.file_width == 60);
  REQUIRE(small.points.size() == 1);
  CHECK(small.points[0].x == 10);
  CHECK(small.points[0].y == 5);
  // The protocol's size, where it is smaller.
  std::vector<ExploreSubject> sized = subjects;
  sized[0].protocol.base_size = 16;
  CHECK(explore(sized, picture, nullptr, nullptr, options).picture.height == 8);
  // As small as pictures can be.
  options.points = 50;
  const Exploration dot = explore(subjects, tiny_picture(1, 1), nullptr, nullptr, options);
  CHECK(dot.points.size() == 1);
  CHECK(dot.networks[0].states.size() == 4);
}

TEST_CASE("explore: networks that do not fit each other or the page are refused") {
  const auto five = tiny_parser(tiny_options("psp"));
  const auto six = tiny_parser(tiny_options("baseline", [](auto& options) { options.classes = 6; }));
  const Image picture = tiny_picture(20, 20);
  const auto refusal = [&](const std::vector<ExploreSubject>& subjects, int classes) {
    return message_of<Refusal>([&] { explore(subjects, picture, nullptr, nullptr, tiny_page_options(classes)); });
  };
  CHECK(refusal({tiny_subject(*five, "a"), tiny_subject(*six, "b")}, 6) ==
        "b.safetensors: has 6 classes, but a.safetensors has 5; expected the same classes");
  CHECK(contains(refusal({}, 5), "0 networks, expected one or two"));
  const auto many = tiny_parser(tiny_options("baseline", [](auto& options) { options.classes = 257; }));
  CHECK(
      contains(refusal({tiny_subject(*many, "many")}, 257), "many.safetensors: has 257 classes; a page can show 256"));
  // Weights that are not sound are no page of nonsense.
  const auto broken = tiny_parser(tiny_options("psp"));
  broken->parameters()[0].variable.value().data()[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(message_of<Error>([&] {
                   explore({tiny_subject(*broken, "broken")}, picture, nullptr, nullptr, tiny_page_options());
                 }),
                 "broken.safetensors: the network's output is not finite"));
}

}  // namespace
}  // namespace giza::train
