// The safetensors reader and writer: round trips, element types, and files that lie.
#include "models/weights/safetensors.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <ctime>

#include "models/weights/detail/elements.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::models {
namespace {

std::string file_bytes(const std::string& header, const std::string& data, uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}
std::string file_bytes(const std::string& header, const std::string& data) {
  return file_bytes(header, data, header.size());
}

WeightFile small_file() {
  WeightFile file;
  file.tensors.push_back({"a.weight", {2, 3}, DType::f32, {1, -2, 3.5F, 4, 5, -0.0F}, {}});
  file.tensors.push_back({"a.num_batches_tracked", {}, DType::i64, {}, {int64_t{1} << 40}});
  file.tensors.push_back({"empty", {0, 7}, DType::f32, {}, {}});
  file.metadata = {{"key", "value \"quoted\" \xc3\xa9"}, {"other", ""}};
  return file;
}

TEST_CASE("safetensors: what is written is read back, in order") {
  const TempFolder folder;
  const std::string path = folder.file("w.safetensors");
  const WeightFile file = small_file();
  write_safetensors(path, file);
  const WeightFile back = read_safetensors(path);
  REQUIRE(back.tensors.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(back.tensors[i].name == file.tensors[i].name);
    CHECK(back.tensors[i].shape == file.tensors[i].shape);
    CHECK(back.tensors[i].dtype == file.tensors[i].dtype);
    CHECK(back.tensors[i].data == file.tensors[i].data);
    CHECK(back.tensors[i].integers == file.tensors[i].integers);
  }
  CHECK(back.metadata == file.metadata);
  CHECK(read_safetensors_metadata(path) == file.metadata);
  CHECK(back.find("empty") == &back.tensors[2]);
  CHECK(back.find("nothing") == nullptr);
  // Data is aligned: header a multiple of 8 long, the eight-byte elements first.
  uint64_t length = 0;
  std::memcpy(&length, read_bytes(path).data(), 8);
  CHECK(length % 8 == 0);
  for (size_t more = 1; more < 8; ++more) {
    WeightFile longer = file;
    longer.metadata["more"] = std::string(more, 'x');
    write_safetensors(path, longer);
    std::memcpy(&length, read_bytes(path).data(), 8);
    CHECK(length % 8 == 0);
  }
  write_safetensors(path, file);
  CHECK(contains(read_bytes(path), R"("a.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]})"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("safetensors: other element types become float") {
  const TempFolder folder;
  const std::string path = folder.file("w.safetensors");
  const uint16_t half[] = {0x3c00, 0xc000, 0x0001, 0x7c00, 0x7bff, 0x8000, 0x03ff};
  const uint16_t brain[] = {0x3f80, 0xc000, 0x4049};
  const double wide[] = {0.1, -1e300};
  std::string data(reinterpret_cast<const char*>(wide), sizeof wide);
  data.append(reinterpret_cast<const char*>(half), sizeof half)
      .append(reinterpret_cast<const char*>(brain), sizeof brain);
  write_bytes(path, file_bytes(R"({"h":{"dtype":"F16","shape":[7],"data_offsets":[16,30]},)"
                               R"("b":{"dtype":"BF16","shape":[3],"data_offsets":[30,36]},)"
                               R"("d":{"dtype":"F64","shape":[2,1],"data_offsets":[0,16]}})",
                               data));
  const WeightFile file = read_safetensors(path);
  CHECK(file.find("h")->data == std::vector<float>{1, -2, 0x1p-24F, INFINITY, 65504, -0.0F, 1023 * 0x1p-24F});
  CHECK(std::signbit(file.find("h")->data[5]));
  CHECK(file.find("b")->data == std::vector<float>{1, -2, 3.140625F});
  CHECK(file.find("d")->data == std::vector<float>{0.1F, -INFINITY});
}

TEST_CASE("safetensors: halves are the nearest, and of two the even") {
  for (uint32_t half = 0; half < 0x7C00; ++half) {  // all that are finite and not negative
    const float value = half_to_float(static_cast<uint16_t>(half));
    REQUIRE(float_to_half(value) == half);
    REQUIRE(float_to_half(-value) == (half | 0x8000));
    const float next = half == 0x7BFF ? 65536.0F : half_to_float(static_cast<uint16_t>(half + 1));
    const float middle = (value + next) / 2;
    REQUIRE(float_to_half(middle) == half + (half & 1));
    REQUIRE(float_to_half(std::nextafter(middle, 0.0F)) == half);
    REQUIRE(float_to_half(std::nextafter(middle, 1e9F)) == half + 1);
  }
  CHECK(float_to_half(INFINITY) == 0x7C00);
  CHECK(float_to_half(-INFINITY) == 0xFC00);
  CHECK(std::isnan(half_to_float(float_to_half(NAN))));

  const TempFolder folder;
  WeightFile file = small_file();
  write_safetensors(folder.file("half"), file, DType::f16);
  const WeightFile read = read_safetensors(folder.file("half"));
  CHECK(read.metadata == file.metadata);
  for (const WeightTensor& tensor : file.tensors) {
    const WeightTensor& other = *read.find(tensor.name);
    CHECK(other.integers == tensor.integers);
    REQUIRE(other.data.size() == tensor.data.size());
    CHECK(other.dtype == (is_integer(tensor.dtype) ? DType::i64 : DType::f16));
    for (size_t i = 0; i < tensor.data.size(); ++i)
      CHECK(other.data[i] == half_to_float(float_to_half(tensor.data[i])));
  }
  file.tensors.push_back({"large", {1}, DType::f32, {65520.0F}, {}});
  CHECK(contains(message_of<Refusal>([&] { write_safetensors(folder.file("large"), file, DType::f16); }),
                 "tensor \"large\" has 65520, more than half precision holds"));
  CHECK_FALSE(std::filesystem::exists(folder.file("large")));
}

TEST_CASE("safetensors: a file cut off anywhere is refused, by name") {
  const TempFolder folder;
  write_safetensors(folder.file("whole"), small_file());
  const std::string bytes = read_bytes(folder.file("whole"));
  const std::string path = folder.file("cut.safetensors");
  for (size_t size = 0; size < bytes.size(); ++size) {
    write_bytes(path, bytes.substr(0, size));
    REQUIRE(message_of<Refusal>([&] { read_safetensors(path); }).starts_with(path + ": "));
  }
  write_bytes(path, bytes + "x");
  CHECK_THROWS_AS(read_safetensors(path), Refusal);
}

TEST_CASE("safetensors: a changed byte is refused or gives other numbers, and nothing worse") {
  const TempFolder folder;
  write_safetensors(folder.file("whole"), small_file());
  const std::string bytes = read_bytes(folder.file("whole"));
  const std::string path = folder.file("changed.safetensors");
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const char c : {'\0', '"', '9', '-', '{', ']', '\xff', static_cast<char>(bytes[i] ^ 1)}) {
      std::string changed = bytes;
      changed[i] = c;
      write_bytes(path, changed);
      try {
        read_safetensors(path);
      } catch (const Refusal&) {
      }
    }
  }
}

TEST_CASE("safetensors: headers that lie") {
  const TempFolder folder;
  const std::string path = folder.file("lie.safetensors");
  const auto message = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    const std::clock_t start = std::clock();
    std::string text = message_of<Refusal>([&] { read_safetensors(path); });
    CHECK((std::clock() - start) / CLOCKS_PER_SEC < 2);  // of processor time
    CHECK(text.starts_with(path + ": "));
    CHECK(text.size() < 1000);
    return text;
  };
  const auto header = [&](const std::string& json, const std::string& data = "") {
    return message(file_bytes(json, data));
  };
  const std::string eight(8, 'x');
  CHECK(contains(message(file_bytes("{}", "", 100'000'001)), "at most 100000000"));
  CHECK(contains(message(file_bytes("{}", "", UINT64_MAX)), "at most 100000000"));
  CHECK(contains(message(file_bytes("{}", "", 99'999'999)), "cut off"));
  CHECK(contains(header("{}", "x"), "goes on for 1 byte"));
  CHECK(contains(header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", eight + "xyz"), "appended"));
  // 2^48 * 2^48 numbers would be none in 64 bits.
  CHECK(contains(header(R"({"a":{"dtype":"F32","shape":[281474976710656,281474976710656],"data_offsets":[0,0]}})"),
                 "is too large"));
  CHECK(contains(header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"), "holds 0"));
  CHECK(contains(header(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", eight), "need 12 bytes"));
  CHECK(contains(header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", eight), "need 8 bytes"));
  CHECK(contains(header(R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})", eight),
                 "\"a\" is made of F8_E4M3, expected F32"));
  CHECK(contains(header(R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})", eight), "\"a\" is made of C64"));
  // Overlap, hole, twice the same name.
  const std::string one = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  CHECK(contains(header(R"({"a":)" + one + R"(,"b":)" + one + "}", "1234"), "overlap"));
  CHECK(contains(header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight), "holes"));
  CHECK(contains(header(R"({"a":)" + one + R"(,"a":)" + one + "}", "1234"), "twice"));
  // Sizes that overflow.
  for (const char* shape : {"[4294967296,4294967296]", "[18446744073709551615]", "[9223372036854775807,2]",
                            "[0,281474976710656,281474976710656]", "[99999999999999999999999]", "[-1]", "[1.5]",
                            "[1,1,1,1,1,1,1,1,1]", "[[1]]", "{}", "null"}) {
    header(fmt::format(R"({{"a":{{"dtype":"F32","shape":{},"data_offsets":[0,4]}}}})", shape), "1234");
  }
  // Other forms.
  for (const char* json : {"",
                           "[]",
                           "1",
                           "null",
                           "{",
                           R"({"a":1})",
                           R"({"a":{}})",
                           R"({"a":[]})",
                           R"({"__metadata__":1})",
                           R"({"__metadata__":{"k":1}})",
                           R"({"__metadata__":{"k":{}}})",
                           "{}{}",
                           "{} x",
                           "\xff\xfe",
                           R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"more":}})",
                           R"({"a":null})",
                           R"({"__metadata__":{"k":null}})",
                           R"({"__metadata__":null,"__metadata__":{}})",
                           R"({"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
                           R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0,0]}})",
                           R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0]}})",
                           R"({"a":{"dtype":"F32","shape":[0]}})"}) {
    CAPTURE(json);
    header(json);
  }
  // Megabytes of nesting or of names.
  header(std::string(4'000'000, '['));
  header(R"({"a":)" + std::string(4'000'000, '['));
  header(R"({"__metadata__":{"k":)" + std::string(4'000'000, '{'));
  header(R"({"a":{"more":)" + std::string(4'000'000, '['));
  header("{\"" + std::string(4'000'000, 'a') + "\":1}");
}

// As safetensors 0.8.0 of the format's authors does.
TEST_CASE("safetensors: fields that the format does not know are passed over, and said") {
  const TempFolder folder;
  const std::string path = folder.file("fields.safetensors");
  const auto notes = [&](const std::string& json) {
    write_bytes(path, file_bytes(json, std::string("\0\0\x80\x3f\0\0\0\x40", 8)));
    const WeightFile file = read_safetensors(path);
    REQUIRE(file.tensors.size() == 1);
    CHECK(file.tensors[0].data == std::vector<float>{1, 2});
    return file.notes;
  };
  const auto with = [](const std::string& before, const std::string& behind) {
    return R"({"a":{)" + before + R"("dtype":"F32","shape":[2],"data_offsets":[0,8])" + behind + "}}";
  };
  CHECK(notes(with("", "")).empty());
  for (const char* value : {"1", "-1", "1.5", "null", "true", "\"text\"", "[]", "{}", R"([[1,{"dtype":null}],[]])",
                            R"({"shape":[3],"dtype":{"x":[-1.5,"y"]}})"}) {
    CAPTURE(value);
    for (const std::string& json :
         {with(std::string("\"more\":") + value + ",", ""), with("", std::string(",\"more\":") + value)}) {
      const auto said = notes(json);
      REQUIRE(said.size() == 1);
      CHECK(said[0] == "the header has a field that the format does not know, passed over: \"more\" of tensor \"a\"");
    }
  }
  CHECK(notes(with("\"x\":1,\"y\":[],", ",\"z\":{}"))[0] ==
        "the header has 3 fields that the format does not know, passed over: \"x\" of tensor \"a\", ...");
  const std::string tensor = with("", "").substr(1);
  CHECK(notes(R"({"__metadata__":null,)" + tensor).empty());
  CHECK(notes(R"({"__metadata__":{},)" + tensor).empty());
  CHECK(notes("\n {" + tensor + " \t\r\n").empty());
}

TEST_CASE("safetensors: what is no file is refused") {
  const TempFolder folder;
  CHECK(contains(message_of<Refusal>([&] { read_safetensors(folder.file("none")); }), "no such file"));
  CHECK(contains(message_of<Refusal>([&] { read_safetensors(folder.path()); }), "not a regular file"));
  // A pipe would block for ever.
  REQUIRE(mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(contains(message_of<Refusal>([&] { read_safetensors(folder.file("pipe")); }), "not a regular file"));
}

TEST_CASE("safetensors: when the disk is full the old file stays whole") {
  const TempFolder folder;
  const std::string path = folder.file("w.safetensors");
  write_safetensors(path, small_file());
  const std::string before = read_bytes(path);
  WeightFile large;
  large.tensors.push_back({"x", {100000}, DType::f32, std::vector<float>(100000), {}});
  // A limit on file sizes fails writes as a full disk does.
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{4096, old_limit.rlim_max};
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  const std::string text = message_of<Error>([&] { write_safetensors(path, large); });
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  CHECK(text.starts_with(path + ": "));
  CHECK(read_bytes(path) == before);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  CHECK_THROWS_AS(write_safetensors(folder.file("no/such/folder"), large), Error);
}

TEST_CASE("safetensors: the writer checks what it is given") {
  const TempFolder folder;
  WeightFile file;
  file.tensors.push_back({"x", {3}, DType::f32, {1, 2}, {}});
  CHECK_THROWS_AS(write_safetensors(folder.file("w"), file), ShapeError);
  file.tensors = {{"x", {1}, DType::f32, {1}, {}}, {"x", {1}, DType::f32, {1}, {}}};
  CHECK_THROWS_AS(write_safetensors(folder.file("w"), file), ShapeError);
  CHECK(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace giza::models
