// giza verify on a folder that PyTorch made (tests/golden/make_verify_folder.py), and on copies with one thing wrong.
#include "train/verify/verify.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>

#include "models/weights/npy.h"
#include "models/weights/safetensors.h"
#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;
const std::string kGolden = GIZA_SOURCE_DIR "/tests/golden/verify";
const ConvEngine kDirect{ConvBackend::native, ConvAlgorithm::direct};

/// A copy of the golden folder, without some files.
struct Copy {
  TempFolder folder;
  explicit Copy(const std::vector<std::string>& without = {}) {
    for (const auto& entry : fs::directory_iterator(kGolden)) {
      const std::string name = entry.path().filename().string();
      if (std::find(without.begin(), without.end(), name) == without.end()) {
        fs::copy_file(entry.path(), folder.file(name));
      }
    }
  }
  Verification verify() const { return verify_folder(folder.path(), kDirect); }
  /// Changes one number of an array.
  void change(const std::string& name, size_t index, float to) const {
    models::NpyArray array = models::read_npy(folder.file(name));
    array.data.at(index) = to;
    models::write_npy(folder.file(name), array);
  }
  /// Its weights or gradients as safetensors, changed by `edit`.
  void as_safetensors(const std::string& name, const std::function<void(models::WeightFile&)>& edit = {}) const {
    models::WeightFile file = models::read_weights(folder.file(name + ".pth"));
    if (edit) edit(file);
    models::write_safetensors(folder.file(name + ".safetensors"), file);
    fs::remove(folder.file(name + ".pth"));
  }
  std::string refusal() const {
    return message_of<Refusal>([&] { verify(); });
  }
};

TEST_CASE("verify: PyTorch's logits, losses, every gradient and ten steps of SGD") {
  for (const ConvEngine& conv : {kDirect, ConvEngine{}}) {
    const Verification result = verify_folder(kGolden, conv);
    CHECK(result.passed());
    REQUIRE(result.logits);
    CHECK(result.logits->relative_l2 < 1e-6);
    CHECK(result.argmax->differing == 0);
    CHECK(result.losses.size() == 2);
    CHECK(result.gradients.size() == 67);
    CHECK(result.steps.size() == 20);
    CHECK(result.absent.empty());
    for (const VerifyFigure& figure : result.gradients) CHECK_MESSAGE(figure.relative_l2 < 1e-4, figure.name);
    for (const VerifyFigure& figure : result.steps) CHECK_MESSAGE(figure.relative_l2 < 1e-5, figure.name);
  }
}

TEST_CASE("verify: the same from safetensors, and what is not there is named") {
  const Copy copy({"logits.npy", "sgd.json"});
  copy.as_safetensors("weights");
  copy.as_safetensors("grads");
  const Verification result = copy.verify();
  CHECK(result.passed());
  CHECK(result.gradients.size() == 67);
  CHECK_FALSE(result.logits);
  CHECK(result.steps.empty());
  CHECK(result.absent == std::vector<std::string>{"logits.npy"});
}

TEST_CASE("verify: one wrong number is found, wherever it is") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float value : {100.0F, nan}) {
    const Copy logits;
    logits.change("logits.npy", 4321, value);
    CHECK_FALSE(logits.verify().logits->passed);
    const Copy loss;
    loss.change("loss.npy", 1, value);
    CHECK_FALSE(loss.verify().losses[1].passed);
    const Copy step;
    step.change("sgd_loss.npy", 19, value);
    CHECK_FALSE(step.verify().steps.back().passed);
    const Copy gradient;
    gradient.as_safetensors("grads", [&](models::WeightFile& file) { file.tensors[30].data[2] = value; });
    const Verification result = gradient.verify();
    CHECK_FALSE(result.passed());
    CHECK(std::count_if(result.gradients.begin(), result.gradients.end(),
                        [](const auto& figure) { return !figure.passed; }) == 1);
  }
  // All gradients a little too large: none far off by itself, but all in one direction.
  const Copy scaled;
  scaled.as_safetensors("grads", [](models::WeightFile& file) {
    for (models::WeightTensor& tensor : file.tensors) {
      for (float& number : tensor.data) number *= 1.01F;
    }
  });
  CHECK_FALSE(scaled.verify().gradient_scale->passed);
  // One weight a little off: everything moves.
  const Copy weight;
  weight.as_safetensors("weights", [](models::WeightFile& file) { file.tensors.front().data[0] *= 1.05F; });
  CHECK_FALSE(weight.verify().passed());
}

TEST_CASE("verify: folders that do not fit are refused with the file and what was expected") {
  CHECK_THROWS_AS(verify_folder("/nowhere/at/all"), Refusal);
  CHECK(contains(Copy({"weights.pth"}).refusal(), "neither weights.pth nor weights.safetensors"));
  CHECK(contains(Copy({"input.npy"}).refusal(), "input.npy: there is no such file"));
  CHECK(contains(Copy({"logits.npy", "loss.npy", "grads.pth", "sgd.json"}).refusal(), "no reference"));

  const Copy shape;
  models::write_npy(shape.folder.file("logits.npy"), {{1, 2}, {1, 2}});
  CHECK(contains(shape.refusal(), "logits.npy: shape (1, 2), expected (2, 5, 33, 26)"));

  const Copy missing;
  missing.as_safetensors("grads", [](models::WeightFile& file) {
    file.tensors.erase(file.tensors.begin() + 3);
    file.tensors.front().data.pop_back();
    file.tensors.front().shape = {static_cast<int64_t>(file.tensors.front().data.size())};
  });
  CHECK(contains(missing.refusal(), "2 parameters have no gradient"));

  // As many numbers, in another shape.
  const Copy flat;
  flat.as_safetensors("grads", [](models::WeightFile& file) {
    file.tensors.front().shape = {static_cast<int64_t>(file.tensors.front().data.size())};
  });
  CHECK(contains(flat.refusal(), "1 parameters have no gradient of their shape there: layer0.0.weight;"));

  const Copy both;
  models::write_safetensors(both.folder.file("weights.safetensors"), {});
  CHECK(contains(both.refusal(), "both weights.pth and weights.safetensors"));
}

}  // namespace
}  // namespace giza::train
