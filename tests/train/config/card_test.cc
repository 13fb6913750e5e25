// What weights say of themselves: written, read back, and refused where somebody tampered with it.
#include "train/config/card.h"

#include <doctest/doctest.h>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "train/config/parts.h"

namespace giza::train {
namespace {

ModelCard example() {
  ModelCard card;
  card.names = {"road", "sky", "a \"quoted\" \xC3\xA9"};
  card.colors = {{128, 64, 128}, {0, 0, 255}, {9, 8, 7}};
  card.protocol.emplace();
  card.protocol->base_size = 0;
  card.protocol->crop_h = card.protocol->crop_w = 0;
  card.protocol->scales = {0.75, 1, 1.25};
  card.protocol->mirror = false;
  return card;
}

TEST_CASE("card: what is written is read back, and other keys are not looked at") {
  std::map<std::string, std::string> metadata = to_metadata(example());
  CHECK(metadata.size() == 3);
  metadata["giza.model"] = "anything";
  const ModelCard card = card_from_metadata(metadata, 3, "f");
  CHECK(card.names == example().names);
  CHECK(card.colors == example().colors);
  REQUIRE(card.protocol.has_value());
  CHECK(protocol_name(*card.protocol) == protocol_name(*example().protocol));
  CHECK(card.protocol->mean == kImageNetMean);
  CHECK(card.protocol->std == kImageNetStd);
  const ModelCard none = card_from_metadata({}, 3, "f");
  CHECK(none.names.empty());
  CHECK(none.colors.empty());
  CHECK_FALSE(none.protocol.has_value());
  CHECK(to_metadata({}).empty());
}

TEST_CASE("card: numbers that no colour or size has are refused") {
  for (const char* colors : {"[[5,0,0],[2e55,6,5]]", "[[5,0,0],[256,6,5]]", "[[5,0,0],[-1,6,5]]", "[[5,0,0],[1.5,6,5]]",
                             "[[5,0,0],[6,5]]", "[[5,0,0],[4294967301,6,5]]", "[5,0]", "[[5,0,0],\"abc\"]"}) {
    CAPTURE(colors);
    CHECK_THROWS_AS(card_from_metadata({{kCardKeys[1], colors}}, 2, "f"), Refusal);
  }
  std::string protocol = to_metadata(example()).at(kCardKeys[2]);
  const size_t at = protocol.find("\"base_size\":");
  REQUIRE(at != std::string::npos);
  protocol.replace(at, protocol.find(',', at) - at, "\"base_size\":2e55");
  CHECK_THROWS_AS(card_from_metadata({{kCardKeys[2], protocol}}, 2, "f"), Refusal);
}

TEST_CASE("card: what the pictures become is told by the protocol, or apart; a configuration counts more") {
  CHECK_FALSE(normalization_from_metadata({}, "f").has_value());
  CHECK(normalization_from_metadata(to_metadata(example()), "f") == Normalization{});
  const std::map<std::string, std::string> apart = {
      {models::kNormalizationKey, R"({"mean":[123.68,116.779,103.939],"std":[1,1,1]})"}};
  const Normalization caffe = {{123.68F, 116.779F, 103.939F}, {1, 1, 1}};
  CHECK(normalization_from_metadata(apart, "f") == caffe);

  Config config;
  CHECK(normalization_of(config) == Normalization{});
  CHECK(normalization_of(config, caffe) == caffe);
  config.data.std = {2, 3, 4};
  CHECK(normalization_of(config, caffe) == Normalization{caffe.mean, {2, 3, 4}});
  config.data.mean = {1, 2, 3.5};
  CHECK(test_protocol(config, caffe).mean == Rgb{1, 2, 3.5F});
  CHECK(train_transforms(config).std == Rgb{2, 3, 4});
  CHECK(validation_protocol(config).mean == Rgb{1, 2, 3.5F});
  CHECK(contains(protocol_name(test_protocol(config)), "RGB minus (1, 2, 3.5) divided by (2, 3, 4)"));
  // What is trained with it says so.
  CHECK(normalization_from_metadata(to_metadata(card_of(config)), "f") == normalization_of(config));

  for (const char* wrong : {"[]", "{}", R"({"mean":[1,2],"std":[1,1,1]})", R"({"mean":[1,2,3],"std":[1,0,1]})", "{"}) {
    CAPTURE(wrong);
    const auto read = [&] { normalization_from_metadata({{models::kNormalizationKey, wrong}}, "FILE"); };
    CHECK(contains(message_of<Refusal>(read), "FILE: \"giza.normalization\""));
  }
}

TEST_CASE("card: no path, no clock: the same configuration gives the same entries anywhere") {
  const TempFolder a, b;
  const auto entries = [](const TempFolder& folder) {
    std::ofstream(folder.file("names.txt")) << "x\ny\n";
    Config config;
    config.data.classes = 2;
    config.data.names_path = folder.file("names.txt");
    return to_metadata(card_of(config));
  };
  CHECK(entries(a) == entries(b));
  CHECK(entries(a).at("giza.names") == R"(["x","y"])");
}

TEST_CASE("card: a CRF travels with the protocol; without one there is no word of it") {
  ModelCard card = example();
  CHECK(to_metadata(card).at("giza.protocol").find("crf") == std::string::npos);
  card.protocol->crf = CrfOptions{.iterations = 7, .bilateral_xy = 40, .normalization = "after", .filter = "lattice"};
  const auto metadata = to_metadata(card);
  const ModelCard back = card_from_metadata(metadata, 3, "f");
  REQUIRE(back.protocol);
  CHECK(back.protocol->crf == card.protocol->crf);
  for (const auto& [from, to] :
       {std::pair{"\"after\"", "\"x\""}, std::pair{":40.0", ":0.0"}, std::pair{":7,", ":-7,"}}) {
    std::string text = metadata.at("giza.protocol");
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), std::string(from).size(), to);
    CHECK(contains(message_of<Refusal>([&] {
                     card_from_metadata({{"giza.protocol", text}}, 3, "FILE");
                   }),
                   "dense CRF"));
  }
}

TEST_CASE("card: anything else is refused with the file and the key; names cannot command a terminal") {
  const auto refusal = [](const char* key, const std::string& value) {
    std::map<std::string, std::string> metadata = to_metadata(example());
    metadata[key] = value;
    return message_of<Refusal>([&] { card_from_metadata(metadata, 3, "FILE"); });
  };
  CHECK(contains(refusal("giza.names", "[\"a\",\"b\"]"), "FILE: \"giza.names\""));
  CHECK(contains(refusal("giza.names", "[\"a\",\"b\"]"), "2 names for 3 classes"));
  CHECK(contains(refusal("giza.names", "[1,2,3]"), "FILE: \"giza.names\""));
  CHECK(contains(refusal("giza.names", std::string(2 << 20, '[')), "bytes"));
  CHECK(contains(refusal("giza.colors", "[[1,2,3]]"), "1 colours for 3 classes"));
  CHECK(contains(refusal("giza.colors", "[[1,2],[1,2,3],[1,2,3]]"), "FILE: \"giza.colors\""));
  const std::string good = to_metadata(example()).at("giza.protocol");
  const auto protocol = [&](const std::string& from, const std::string& to) {
    return refusal("giza.protocol", std::string(good).replace(good.find(from), from.size(), to));
  };
  CHECK(contains(protocol("\"base_size\":0", "\"base_size\":-7"), "base size -7"));
  CHECK(contains(protocol("\"base_size\":0", "\"base_size\":100000000"), "out of range"));
  CHECK(contains(protocol("\"base_size\":0", "\"base_size\":0.5"), "out of range"));
  CHECK(contains(protocol("\"base_size\"", "\"size\""), "giza.protocol"));
  CHECK(contains(protocol("[0.75,1.0,1.25]", "[]"), "scales"));
  CHECK(contains(refusal("giza.protocol", "nonsense"), "giza.protocol"));
  std::map<std::string, std::string> metadata = {{"giza.names", "[\"a\\u001b[2J\",\"b\\nc\",\"d\"]"}};
  CHECK(card_from_metadata(metadata, 3, "f").names == std::vector<std::string>{"a?[2J", "b?c", "d"});
}

}  // namespace
}  // namespace giza::train
