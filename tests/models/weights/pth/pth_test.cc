// Reading and writing PyTorch's .pth files that are in order.
#include "models/weights/pth.h"

#include <bit>
#include <nlohmann/json.hpp>
#include <numeric>

#include "models/weights/weight_file.h"
#include "tensor/base/check.h"
#include "tests/models/weights/pth/pth_testing.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::models {
namespace {

const std::string kGoldens = GIZA_SOURCE_DIR "/tests/golden/pth";

TEST_CASE("pth: every kind of file that torch.save writes gives PyTorch's numbers") {
  const auto expected = nlohmann::ordered_json::parse(read_bytes(kGoldens + ".json"));
  REQUIRE(expected.size() >= 25);
  for (const auto& item : expected.items()) {
    const std::string& file_name = item.key();
    const auto& tensors = item.value();
    CAPTURE(file_name);
    const WeightFile file = read_weights(kGoldens + "/" + file_name + ".pth");
    REQUIRE(file.tensors.size() == tensors.size());
    CHECK(file.metadata.empty());
    for (size_t i = 0; i < tensors.size(); ++i) {
      const WeightTensor& tensor = file.tensors[i];
      CAPTURE(tensor.name);
      CHECK(tensor.name == tensors[i][0].get<std::string>());
      CHECK(tensor.shape == tensors[i][1].get<std::vector<int64_t>>());
      CHECK(dtype_name(tensor.dtype) == tensors[i][2].get<std::string>());
      if (is_integer(tensor.dtype)) {
        std::vector<int64_t> numbers;
        for (const auto& number : tensors[i][3]) {
          numbers.push_back(number.is_boolean() ? static_cast<int64_t>(number.get<bool>()) : number.get<int64_t>());
        }
        CHECK(tensor.integers == numbers);
        CHECK(tensor.data.empty());
      } else {
        std::vector<int32_t> bits;  // NaN and -0 count too
        for (const float value : tensor.data) bits.push_back(std::bit_cast<int32_t>(value));
        CHECK(bits == tensors[i][3].get<std::vector<int32_t>>());
      }
    }
  }
}

WeightFile small_file() {
  WeightFile file;
  file.tensors.push_back({"a.weight", {2, 3, 1}, DType::f32, {1, -2, 3.5F, 4, 5, -0.0F}, {}});
  file.tensors.push_back({"a.num_batches_tracked", {}, DType::i64, {}, {int64_t{1} << 40}});
  file.tensors.push_back({"empty", {0, 70000}, DType::f32, {}, {}});
  file.tensors.push_back({"long", {300}, DType::f32, std::vector<float>(300, 0.25F), {}});
  file.metadata = {{"key", "value \"quoted\" \xc3\xa9"}, {"other", ""}};
  return file;
}

void check_equal(const WeightFile& a, const WeightFile& b) {
  REQUIRE(a.tensors.size() == b.tensors.size());
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    CHECK(a.tensors[i].name == b.tensors[i].name);
    CHECK(a.tensors[i].shape == b.tensors[i].shape);
    CHECK(a.tensors[i].dtype == b.tensors[i].dtype);
    CHECK(a.tensors[i].data == b.tensors[i].data);
    CHECK(a.tensors[i].integers == b.tensors[i].integers);
  }
  CHECK(a.metadata == b.metadata);
}

TEST_CASE("pth: what is written is read back, and is the same bytes every time") {
  const TempFolder folder;
  const WeightFile file = small_file();
  write_weights(folder.file("one.pth"), file);
  write_weights(folder.file("two.pt"), file);
  CHECK(read_bytes(folder.file("one.pth")) == read_bytes(folder.file("two.pt")));
  check_equal(read_weights(folder.file("one.pth")), file);
  // The storages lie on multiples of 64 bytes; the numbers of "long" are a pattern that occurs once.
  std::string numbers;
  for (int i = 0; i < 300; ++i) numbers += raw(0.25F);
  CHECK(read_bytes(folder.file("one.pth")).find(numbers) % 64 == 0);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}

TEST_CASE("pth: halves and doubles are written as the floats they became") {
  const TempFolder folder;
  write_weights(folder.file("floats.pth"), read_weights(kGoldens + "/types.pth"));
  for (const WeightTensor& tensor : read_weights(folder.file("floats.pth")).tensors) CHECK(tensor.dtype == DType::f32);
}

TEST_CASE("pth: no tensors at all") {
  const TempFolder folder;
  write_pth(folder.file("none.pth"), {});
  check_equal(read_pth(folder.file("none.pth")), {});
}

TEST_CASE("pth: a writer is not given what does not fit together") {
  const TempFolder folder;
  WeightFile file = small_file();
  file.tensors[0].shape = {2, 2};
  CHECK_THROWS_AS(write_pth(folder.file("w.pth"), file), ShapeError);
  file = small_file();
  file.tensors[1].name = file.tensors[0].name;
  CHECK_THROWS_AS(write_pth(folder.file("w.pth"), file), ShapeError);
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK_THROWS_AS(write_pth(folder.file("no such folder/w.pth"), small_file()), Error);
  CHECK(contains(message_of<Refusal>([&] { write_weights(folder.file("w.bin"), small_file()); }), ".pth"));
}

TEST_CASE("pth: views of one storage, as the stream form before PyTorch 0.4 had them") {
  const TempFolder folder;
  const std::string path = folder.file("views.pth");
  std::string numbers;
  for (int i = 0; i < 10; ++i) numbers += raw(static_cast<float>(i));
  const auto view = [](int64_t begin, int64_t size) {
    return "(" + pickled::text("v") + pickled::integer(begin) + pickled::integer(size) + "t";
  };
  const auto file = [&](int64_t begin, int64_t size, int64_t offset) {
    return stream_start() +
           pickled::whole(
               pickled::dict({{"all", pickled::tensor(pickled::storage("FloatStorage", "7", 10, "N"), 0, {10}, {1})},
                              {"part", pickled::tensor(pickled::storage("FloatStorage", "7", 10, view(begin, size)),
                                                       offset, {2}, {2})}})) +
           pickled::whole("](" + pickled::text("7") + "e") + raw(int64_t{10}) + numbers;
  };
  write_bytes(path, file(4, 5, 1));
  CHECK(read_pth(path).find("part")->data == std::vector<float>{5, 7});
  CHECK(read_pth(path).find("all")->data.size() == 10);
  // A tensor must stay within its view, and a view within its storage.
  for (const auto& [begin, size, offset] : {std::array{4, 3, 1}, {4, 7, 1}, {11, 0, 0}, {-1, 3, 0}, {4, 5, 3}}) {
    write_bytes(path, file(begin, size, offset));
    CHECK_THROWS_AS(read_pth(path), Refusal);
  }
}

TEST_CASE("pth: bytes behind the end are passed over, and said") {
  const TempFolder folder;
  const std::string path = folder.file("longer.pth");
  for (const char* name : {"zip", "stream"}) {
    CAPTURE(name);
    const std::string bytes = read_bytes(kGoldens + "/" + name + ".pth");
    write_bytes(path, bytes);
    CHECK(read_pth(path).notes.empty());
    write_bytes(path, bytes + "xyz");
    const WeightFile file = read_pth(path);
    CHECK(file.notes ==
          std::vector<std::string>{"the file has 3 bytes behind its end, passed over: was something appended?"});
    CHECK(file.tensors.size() == read_pth(kGoldens + "/" + name + ".pth").tensors.size());
  }
}

TEST_CASE("pth: an OrderedDict of Python 2 is a call with a list of pairs") {
  const TempFolder folder;
  const std::string path = folder.file("two.pth");
  const std::string name = std::string("U\x01") + "w";  // a str of Python 2
  const std::string tensor = pickled::tensor(pickled::storage("FloatStorage", "0", 2), 0, {2}, {1});
  write_pth_zip(path,
                pickled::whole(pickled::global("collections", "OrderedDict") + "](](" + name + tensor + "ee\x85R"),
                {raw(1.5F) + raw(2.5F)});
  CHECK(read_pth(path).find("w")->data == std::vector<float>{1.5F, 2.5F});
}

}  // namespace
}  // namespace giza::models
