// What a checkpoint keeps of the log.
#include "train/train_log.h"

#include <doctest/doctest.h>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"

namespace giza::train {
namespace {

TEST_CASE("the log's sums: there and back, and anything else is refused in one short line") {
  StepSums sums;
  sums.steps = 3;
  sums.loss = 1.0 / 3;
  sums.right = 7;
  CHECK(to_json(step_sums_from_json(to_json(sums), "FILE")) == to_json(sums));
  // A library's words quote what they could not read, with its line breaks.
  std::string huge = to_json(sums);
  huge.replace(huge.find("\"steps\":3"), 9, "\"steps\":2e55");
  for (const std::string& text : {std::string("{}"), std::string("\n\nin_loss\""), std::string(5000, 'x'), huge}) {
    const std::string refusal = message_of<Refusal>([&] { step_sums_from_json(text, "FILE"); });
    CHECK(refusal.starts_with("FILE: "));
    CHECK(!contains(refusal, "\n"));
    CHECK(refusal.size() < 400);
  }
}

}  // namespace
}  // namespace giza::train
