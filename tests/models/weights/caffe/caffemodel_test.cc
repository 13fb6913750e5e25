// Reading .caffemodel files: every form of blobs, and hostile bytes.
#include "models/weights/caffe/caffemodel.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tensor/base/check.h"
#include "tests/models/weights/caffe/caffe_testing.h"
#include "tests/support/refusal.h"

namespace giza::models {
namespace {

const std::string kForms = GIZA_SOURCE_DIR "/tests/golden/caffe/forms.caffemodel";

TEST_CASE("caffemodel: blobs in every form, as another encoder wrote them") {
  const WeightFile file = read_weights(kForms);
  std::ifstream stream(GIZA_SOURCE_DIR "/tests/golden/caffe/forms.json");
  const nlohmann::json expected = nlohmann::json::parse(stream);
  CHECK(file.tensors.size() == expected.size());
  for (const auto& [name, blob] : expected.items()) {
    CAPTURE(name);
    const WeightTensor* tensor = file.find(name);
    REQUIRE(tensor != nullptr);
    CHECK(tensor->shape == blob["shape"].get<std::vector<int64_t>>());
    CHECK(tensor->data == blob["numbers"].get<std::vector<float>>());
  }
}

std::string refusal(const std::string& bytes) {
  const TempFolder folder;
  const std::string path = folder.file("w.caffemodel");
  write_bytes(path, bytes);
  const std::string text = message_of<Refusal>([&] { read_weights(path); });
  CHECK(text.starts_with(path + ": "));
  CHECK(text.size() < path.size() + 400);
  CHECK(text.find('\n') == std::string::npos);
  return text.substr(path.size() + 2);
}

/// A layer "a" with these fields behind its name.
std::string layer_of(const std::string& fields) { return field(1, "net") + field(100, field(1, "a") + fields); }
std::string blob_of(const std::string& fields) { return layer_of(field(7, fields)); }

TEST_CASE("caffemodel: cut off anywhere it is refused, or ends where a layer does") {
  const std::string whole = encode({{"a", "Convolution", {{{2, 1, 1, 1}, {1, 2}}}}, {"b", "BN", {{{2}, {3, 4}}}}});
  const size_t first = encode(std::vector<CaffeLayer>{{"a", "Convolution", {{{2, 1, 1, 1}, {1, 2}}}}}).size();
  CHECK(read_caffe(whole).tensors.size() == 2);
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    CAPTURE(bytes);
    if (bytes == first) {
      CHECK(read_caffe(whole.substr(0, bytes)).tensors.size() == 1);
    } else {
      const std::string text = refusal(whole.substr(0, bytes));
      if (bytes > first + 3) CHECK_MESSAGE(contains(text, "byte"), text);
    }
  }
}

TEST_CASE("caffemodel: changed bytes are refused or read, in bounded memory") {
  const std::string whole = read_bytes(kForms);
  const TempFolder folder;
  const std::string path = folder.file("w.caffemodel");
  int refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {1, 0x80, 0xFF}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      write_bytes(path, bytes);
      try {
        const WeightFile file = read_weights(path);
        size_t numbers = 0;
        for (const WeightTensor& tensor : file.tensors) numbers += tensor.data.size();
        CHECK(numbers * sizeof(float) <= bytes.size());
      } catch (const Refusal& error) {
        ++refused;
        CHECK(std::string(error.what()).starts_with(path + ":"));
      }
    }
  }
  CHECK(refused > 100);
}

TEST_CASE("caffemodel: lies about sizes are refused with layer and blob, before anything is allocated") {
  const std::string four(4, '\0');
  const std::pair<std::string, const char*> faults[] = {
      {blob_of(field(5, four) + field(7, field(1, varint(1) + varint(2)))),
       "layer a: blob 0 holds 1 numbers, its shape needs 2"},
      {blob_of(field(7, field(1, varint(uint64_t{1} << 40)))), "holds 0 numbers"},
      {blob_of(field(7, field(1, varint(uint64_t{1} << 40) + varint(uint64_t{1} << 40)))), "an impossible shape"},
      {blob_of(field(7, field(1, varint(~uint64_t{0})))), "an impossible shape"},
      {blob_of(field(5, four) + field(7, field(1, std::string(9, '\1')))), "more than 8 axes"},
      {blob_of(field(5, "abc")), "data of 3 bytes at byte"},
      {blob_of(field(5, 7)), "data of 0 bytes"},
      {blob_of(field(8, four)), "expected numbers of 8 bytes"},
      {layer_of(field(7, "") + field(7, field(5, four + four) + field(7, field(1, "\1")))), "layer a: blob 1 holds 2"},
      {field(1, "net") + field(100, field(1, std::string(257, 'x')) + field(7, field(5, four))),
       "name of a layer has 257"},
      {layer_of([] {
         std::string blobs;
         for (int i = 0; i < 17; ++i) blobs += field(7, "");
         return blobs;
       }()),
       "more than 16 blobs"},
      {layer_of(varint(7 << 3 | 3)), "a field of type 3"},
      {layer_of(varint(0)), "a field with the number 0"},
      {layer_of(varint(7 << 3 | 2) + varint(1000)), "a field of 1000 bytes, where its message has 0 left"},
      {layer_of(varint(7 << 3 | 2) + std::string(10, '\xff')), "more than 64 bits"},
      {layer_of(varint(7 << 3 | 2) + std::string(9, '\xff')), "is cut off at byte"},
      {layer_of(""), "hold no weights"},
      {field(1, "net") + field(2, field(1, field(1, "a"))), "before 2014"},
  };
  for (const auto& fault : faults) {
    const char* expected = fault.second;
    CAPTURE(expected);
    const std::string text = refusal(fault.first);
    CAPTURE(text);
    CHECK(contains(text, expected));
  }
}

TEST_CASE("caffemodel: told by its first fields, in either format, with and without a name") {
  const std::string blob = encode(CaffeBlob{{1}, {2}});
  const std::string layer = field(100, field(1, "a") + field(7, blob));
  const std::string old = field(2, field(2, "data") + field(4, "a") + field(6, blob));
  const std::string input = field(3, "data") + field(4, 1) + field(4, 3) + field(8, field(1, "\1\3"));
  for (const std::string& bytes :
       {field(1, "net") + layer, layer, field(1, "net") + old, old, field(1, "net") + input + layer, input + layer,
        field(1, std::string(200, 'n')) + layer, field(1, "net") + layer + field(5, 1)}) {
    CHECK(is_caffemodel(bytes));
    const WeightFile file = read_caffe(bytes);
    REQUIRE(file.tensors.size() == 1);
    CHECK(file.tensors[0].name == "a.blobs.0");
    CHECK(file.tensors[0].data == std::vector<float>{2});
  }
  for (const char* other :
       {"", "\x0a", "\x0a\x03net", "\x0a\x03\x01\x02\x03\xa2\x06", "\x08\x01\x12\x02", "\x12\x02\x08\x01"}) {
    CHECK_FALSE(is_caffemodel(other));
  }
}

}  // namespace
}  // namespace giza::models
