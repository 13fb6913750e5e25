// giza bisect as a user runs it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tensor/simd.h"
#include "tests/cli/program.h"

namespace giza::testing {

namespace {

const std::string kTiny = " --depth 18 --size 33 --width 0.125 --classes 3 --batch 2";

}  // namespace

TEST_CASE("bisect: the same bits, or the first op with others, as text and as JSON") {
  const Outcome same = run_giza("bisect threads=1 3 --mode train --steps 2" + kTiny);
  CAPTURE(same.out);
  CAPTURE(same.err);
  CHECK(same.status == 0);
  CHECK(same.out.find("A: 1 thread, ") == 0);
  CHECK(same.out.find("\nB: 3 threads, ") != std::string::npos);
  CHECK(same.out.find("\nthe same bits in all ") != std::string::npos);

  const Outcome other = run_giza("bisect native reference,threads=2 --mode train --threads 1" + kTiny);
  CAPTURE(other.out);
  CHECK(other.status == 1);
  CHECK(other.err.empty());
  CHECK(other.out.find(", native, auto\nB: 2 threads, ") != std::string::npos);
  CHECK(other.out.find("\n  forward, conv2d of layer0.0, [2,17,17,8]\n") != std::string::npos);
  CHECK(other.out.find(" numbers differ, relative L2 ") != std::string::npos);

  const std::string baseline = isa_targets().back();
  const Outcome machine = run_giza("bisect isa=" + baseline + " isa=auto,reference --json --algorithm direct" + kTiny);
  CAPTURE(machine.err);
  REQUIRE(machine.status == 1);
  const auto json = nlohmann::json::parse(machine.out);
  CHECK(json["a"]["isa"] == baseline);
  CHECK(json["a"]["algorithm"] == "direct");
  CHECK(json["b"]["conv"] == "reference");
  CHECK(json["same"] == false);
  CHECK(json["first"]["op"] == "conv2d");
  CHECK(json["first"]["layer"] == "layer0.0 with layer0.1");
  CHECK(json["first"]["shape"] == std::vector<int>{2, 17, 17, 8});
  CHECK(json["difference"]["at"].size() == 4);
  CHECK(json["difference"]["differing"] > 0);
  CHECK(json["difference"]["relative_l2"] < 1e-5);
  CHECK_FALSE(json.contains("unsteady"));
}

}  // namespace giza::testing
