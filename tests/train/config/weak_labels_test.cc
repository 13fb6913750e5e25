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

}  // namespace giza::train
