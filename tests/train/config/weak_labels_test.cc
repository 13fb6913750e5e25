// DATA.weak_labels and its neighbours: from configuration to what training does.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "train/config/config.h"
#include "train/config/parts.h"

namespace giza::train {

TEST_CASE("weak labels: classes by name or number, for training alone") {
  const TempFolder folder;
  write_bytes(folder.file("names.txt"), "sky\nnew car\n7\n");
  const auto config = [&](const std::string& things, const std::string& kind = "box") {
    return parse_config(fmt::format("DATA:\n  classes: 3\n  names_path: {}\n  train_list: t.txt\n  val_list: v.txt\n"
                                    "  thing_classes: {}\n  weak_labels: {}\n  weak_fraction: 0.25\n",
                                    folder.file("names.txt"), things, kind),
                        "f.yaml");
  };
  const WeakLabels weak = weak_labels(config("[new car, 0]"));
  CHECK(weak.kind == WeakLabels::Kind::box);
  CHECK(weak.fraction == 1);
  CHECK(weak.is_thing[0]);
  CHECK(weak.is_thing[1]);
  CHECK(!weak.is_thing[2]);
  CHECK(weak_labels(config("['7']")).is_thing[2]);  // a name counts more than a number
  CHECK(weak_labels(config("[0]", "box_band")).kind == WeakLabels::Kind::band);
  CHECK(weak_labels(config("[0]", "box_inner")).kind == WeakLabels::Kind::inner);
  CHECK(weak_labels(config("[0]", "mixed")).fraction == 0.25);
  CHECK(weak_labels(config("[0]", "box_crf")).kind == WeakLabels::Kind::crf);
  CHECK(weak_labels(config("[0]", "box_update")).kind == WeakLabels::Kind::update);
  CHECK(weak_labels(config("[0]", "box_update")).fraction == 1);
  CHECK(weak_labels(config("[0]", "full")) == WeakLabels{});
  CHECK(weak_labels(config("[]", "full")) == WeakLabels{});
  CHECK(dataset_options(config("[0]"), Split::train).weak.kind == WeakLabels::Kind::box);
  CHECK(dataset_options(config("[0]"), Split::val).weak == WeakLabels{});
  for (const char* wrong : {"[]", "[truck]", "[3]", "[-1]", "[1.5]", "[99999999999]"}) {
    CAPTURE(wrong);
    const std::string fault = message_of<Refusal>([&] { weak_labels(config(wrong)); });
    CHECK(fault.find("f.yaml:6: DATA.thing_classes ") == 0);
  }
  CHECK_THROWS_AS(config("sky"), Refusal);
  CHECK_THROWS_AS(config("[sky: 1]"), Refusal);
  CHECK(parse_config(to_yaml(config("[\"it's\", 0]")), "g").data.thing_classes ==
        std::vector<std::string>{"it's", "0"});
  // A run goes on with the labels that it began with.
  CHECK(training_hash(config("[0]")) != training_hash(config("[1]")));
  CHECK(training_hash(config("[0]")) != training_hash(config("[0]", "mixed")));
}

TEST_CASE("weak labels: rounds that do not fit are refused, and so are labels without pixels") {
  const auto parsed = [](const std::string& train, const std::string& data = "weak_labels: box_update") {
    return parse_config(fmt::format("DATA:\n  thing_classes: [1]\n  {}\n  weak_rounds: 3\nTRAIN:\n  {}\n", data, train),
                        "f.yaml");
  };
  const auto fault = [&](const auto&... words) { return message_of<Refusal>([&] { parsed(words...); }); };
  CHECK(
      fault("epochs: 3") ==
      "f.yaml:4: DATA.weak_rounds 3 cuts the training into 4 parts, but it has only 3 epochs (f.yaml:6); set fewer, or "
      "more epochs");
  CHECK_NOTHROW(parsed("epochs: 4"));
  CHECK_NOTHROW(parsed("epochs: 3", "weak_labels: box"));
  CHECK(contains(fault("start_epoch: 1"), "f.yaml:6: TRAIN.start_epoch 1 leaves out rounds"));
  CHECK(contains(fault("arch: classifier"), "f.yaml:3: DATA.weak_labels is about the pixels of label files"));
  CHECK(contains(fault("arch: spp", "weak_labels: box"), "DATA.weak_labels"));
  CHECK(contains(message_of<Refusal>([] { parse_config("DATA: {weak_rounds: 0}", "f"); }), "f:1: DATA.weak_rounds"));
}

TEST_CASE("weak labels: what decides the labels is a setting of the training, and nothing else is") {
  const auto settings = [](const std::string& kind, const std::vector<std::string>& words) {
    return training_settings(
        parse_config(fmt::format("DATA: {{thing_classes: [1], weak_labels: {}}}", kind), "f", words));
  };
  // The parameters of the CRF make the labels of box_crf; its switch is about the test.
  CHECK(settings("box_crf", {"crf_iterations", "3"}) != settings("box_crf", {}));
  CHECK(settings("box_crf", {"TEST.crf", "true"}) == settings("box_crf", {}));
  CHECK(settings("box", {"crf_iterations", "3"}) == settings("box", {}));
  CHECK(settings("box_update", {"weak_rounds", "3"}) != settings("box_update", {}));
  // The network makes labels in a way that no key of the test has a say in.
  const auto protocol = [](const std::vector<std::string>& words) {
    const ProtocolOptions options = label_protocol(parse_config("TRAIN: {train_h: 33, train_w: 41}", "f", words));
    return fmt::format("{} {}", protocol_name(options), options.batch);
  };
  CHECK(contains(protocol({}), "single-scale, picture's own size, tiles 33x41"));
  CHECK(contains(protocol({}), "not mirrored"));
  CHECK(protocol({"TEST.test_h", "99", "TEST.scales", "[2.0]", "TEST.base_size", "300", "TEST.stride_rate", "0.5",
                  "TEST.whole_image", "true", "TEST.crf", "true", "batch_size_val", "1"}) == protocol({}));
}

}  // namespace giza::train
