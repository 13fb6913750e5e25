// giza convert and giza verify as a user runs them, on the weights and numbers that PyTorch wrote.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "models/onnx/export.h"
#include "models/weights/weight_file.h"
#include "tests/cli/program.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::testing {
namespace {

const std::string kGolden = GIZA_SOURCE_DIR "/tests/golden/verify";

TEST_CASE("convert: formats and names there and back give the same bytes") {
  const TempFolder folder;
  const auto convert = [&](const std::string& arguments) {
    const Outcome outcome = run_giza("convert " + arguments + " --json", folder.path());
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    return nlohmann::json::parse(outcome.out);
  };
  const auto first = convert(kGolden + "/weights.pth a.safetensors");
  CHECK(first["naming_in"] == "semseg");
  CHECK(first["whole_network"] == true);
  CHECK(convert("a.safetensors b.pth --naming mmseg")["naming_out"] == "mmseg");
  CHECK(convert("b.pth c.safetensors --naming semseg")["tensors"] == first["tensors"]);
  CHECK(read_file(folder.file("a.safetensors")) == read_file(folder.file("c.safetensors")));
  // Without --naming the names stay.
  CHECK(convert("b.pth d.pth")["naming_out"] == "mmseg");
  CHECK(read_file(folder.file("b.pth")) == read_file(folder.file("d.pth")));
  // Halves: what rounds to 0 is told.
  models::WeightFile tiny = models::read_weights(folder.file("a.safetensors"));
  tiny.tensors.front().data[0] = 2e-8F;
  tiny.tensors.front().data[1] = 0;
  models::write_weights(folder.file("tiny.safetensors"), tiny);
  const Outcome halves = run_giza("convert tiny.safetensors halves.safetensors --half", folder.path());
  CHECK(halves.status == 0);
  CHECK(contains(halves.err, "1 number too small for half precision, 0 now: " + tiny.tensors.front().name));
  // What names and shapes alone told of a network may be told better; what giza wrote of it may not.
  CHECK(contains(read_file(folder.file("a.safetensors")), "giza.model_told_by"));
  // A backbone alone.
  const auto resnet = convert("a.safetensors e.pth --naming imagenet");
  CHECK(resnet["whole_network"] == false);
  CHECK(convert("e.pth f.safetensors --naming semseg")["naming_in"] == "imagenet");
  if (models::onnx_available()) CHECK(convert("a.safetensors g.onnx --size 33x26")["whole_network"] == true);
}

TEST_CASE("convert and run: a file that is read is not overwritten, by another name neither") {
  const TempFolder folder;
  REQUIRE(run_giza("convert " + kGolden + "/weights.pth a.pth", folder.path()).status == 0);
  REQUIRE(run_giza("run --weights a.pth --input " + kGolden + "/input.npy --output x.npy", folder.path()).status == 0);
  std::filesystem::create_symlink("a.pth", folder.file("link.pth"));
  std::filesystem::copy_file(kGolden + "/input.npy", folder.file("in.npy"));
  const std::string weights = read_file(folder.file("a.pth")), input = read_file(folder.file("in.npy"));
  for (const char* arguments :
       {"convert a.pth a.pth", "convert a.pth link.pth", "convert link.pth ./a.pth --naming mmseg",
        "run --weights a.pth --input in.npy --output in.npy", "run --weights link.pth --input in.npy --output a.pth"}) {
    CAPTURE(arguments);
    const Outcome outcome = run_giza(arguments, folder.path());
    CAPTURE(outcome.err);
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(contains(outcome.err, "would be overwritten"));
  }
  CHECK(read_file(folder.file("a.pth")) == weights);
  CHECK(read_file(folder.file("in.npy")) == input);
}

TEST_CASE("convert: what does not fit is refused in one line, and nothing is written") {
  const TempFolder folder;
  REQUIRE(run_giza("convert " + kGolden + "/weights.pth a.safetensors", folder.path()).status == 0);
  // The same file with two names changed to others of the same length.
  std::string bytes = read_file(folder.file("a.safetensors"));
  for (const auto& [from, to] : {std::pair{"\"layer2.0.conv1.weight\"", "\"layer2.0.konv1.weight\""},
                                 std::pair{"\"ppm.features.3.2.bias\"", "\"ppm.features.3.2.bigs\""}}) {
    const size_t at = bytes.find(from);
    REQUIRE(at != std::string::npos);
    bytes.replace(at, std::string(from).size(), to);
  }
  write_file(folder.file("renamed.safetensors"), bytes);
  const Outcome renamed = run_giza("convert renamed.safetensors out.pth", folder.path());
  CHECK(renamed.status == 2);
  CHECK(one_line_refusal(renamed.err));
  for (const char* name : {"2 missing: layer2.0.conv1.weight, ppm.features.3.2.bias",
                           "2 extra: layer2.0.konv1.weight, ppm.features.3.2.bigs"}) {
    CAPTURE(renamed.err);
    CHECK(contains(renamed.err, name));
  }
  const std::pair<std::string, std::string> faults[] = {
      {"a.safetensors out.pth --naming torchvision", "deep stem"},
      {"a.safetensors out.pth --naming caffe", "read only"},
      {"a.safetensors out.pth --naming tensorflow", "semseg, torchvision"},
      {"a.safetensors out.bin", ".safetensors"},
      {"a.safetensors out.onnx --size 0x8", "0"},
      {"a.safetensors out.onnx --size big", "--size big"},
      {"a.safetensors out.onnx --size 1000000", "--size 1000000"},
      {"a.safetensors out.onnx --size 33x65x7", "--size 33x65x7"},
      {"a.safetensors out.onnx --naming mmseg", "--naming"},
      {"no.pth out.pth", "no such file"},
      {kGolden + "/grads.pth out.onnx", "grads.pth"},
  };
  for (const auto& fault : faults) {
    CAPTURE(fault.first);
    const Outcome outcome = run_giza("convert " + fault.first, folder.path());
    CAPTURE(outcome.err);
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(contains(outcome.err, fault.second));
  }
  for (const char* name : {"out.pth", "out.bin", "out.onnx"}) CHECK_FALSE(std::filesystem::exists(folder.file(name)));
}

TEST_CASE("verify: agrees with PyTorch, says so, and exits 1 where it does not") {
  const Outcome good = run_giza("verify " + kGolden + " --algorithm direct");
  CHECK(good.status == 0);
  CHECK(contains(good.out, "layer4.0.conv2.weight"));
  CHECK(contains(good.out, "\nagrees\n"));
  const Outcome json = run_giza("verify " + kGolden + " --json");
  CHECK(json.status == 0);
  CHECK(nlohmann::json::parse(json.out)["gradients"].size() == 67);

  const TempFolder folder;
  std::filesystem::copy(kGolden, folder.file("v"));
  std::string logits = read_file(folder.file("v/logits.npy"));
  logits[logits.size() - 1] ^= 0x40;  // the exponent of the last number
  write_file(folder.file("v/logits.npy"), logits);
  const Outcome bad = run_giza("verify v", folder.path());
  CHECK(bad.status == 1);
  CHECK(contains(bad.out, "TOO FAR"));
  CHECK(contains(bad.out, "DOES NOT AGREE"));
  const Outcome nothing = run_giza("verify nowhere", folder.path());
  CHECK(nothing.status == 2);
  CHECK(one_line_refusal(nothing.err));
}

}  // namespace
}  // namespace giza::testing
