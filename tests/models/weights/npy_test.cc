// .npy files: what NumPy writes, what we write, and what is refused.
#include "models/weights/npy.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza {
using models::NpyArray;

namespace {

/// A file with the given bytes, removed at the end.
class File {
 public:
  explicit File(const std::string& content = {}) { write_bytes(path, content); }
  std::string bytes() const { return read_bytes(path); }

 private:
  TempFolder folder_;

 public:
  const std::string path = folder_.file("array.npy");
};

std::string npy(int version, const std::string& header, const std::string& data) {
  std::string text("\x93NUMPY", 6);
  text += static_cast<char>(version);
  text += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) text += static_cast<char>((header.size() >> (8 * i)) & 0xFF);
  return text + header + data;
}

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string dict(const std::string& descr, const std::string& order, const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

std::string refusal(const std::string& bytes) {
  const File file(bytes);
  try {
    models::read_npy(file.path);
  } catch (const Refusal& error) {
    CHECK(std::string(error.what()).find(file.path + ": ") == 0);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("versions 1 to 3, float32 and float64") {
  const std::vector<float> numbers = {1, -2.5F, 3e30F, 0, 5, 6};
  for (int version : {1, 2, 3}) {
    const File file(npy(version, dict("'<f4'", "False", "(2, 3)"), raw(numbers)));
    const NpyArray array = models::read_npy(file.path);
    CHECK(array.shape == std::vector<int64_t>{2, 3});
    CHECK(array.data == numbers);
  }
  const File doubles(npy(1, dict("'<f8'", "False", "(3,)"), raw(std::vector<double>{0.1, -1, 2})));
  CHECK(models::read_npy(doubles.path).data == std::vector<float>{0.1F, -1, 2});
  const File huge(npy(1, dict("'<f8'", "False", "(2,)"),
                      raw(std::vector<double>{std::numeric_limits<double>::infinity(), -1e200})));
  CHECK(
      contains(message_of<Refusal>([&] { models::read_npy(huge.path); }), "holds -1e+200, more than single precision"));
  std::vector<double> many(10000);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<double>(i);
  const File pieces(npy(1, dict("'<f8'", "False", "(10000,)"), raw(many)));
  const NpyArray read = models::read_npy(pieces.path);
  for (size_t i = 0; i < many.size(); ++i) REQUIRE(read.data[i] == static_cast<float>(i));
}

TEST_CASE("scalars, empty arrays, column order, Python 2 and other spacing") {
  CHECK(models::read_npy(File(npy(1, dict("'<f4'", "False", "()"), raw(std::vector<float>{7}))).path).data ==
        std::vector<float>{7});
  CHECK(models::read_npy(File(npy(1, dict("'<f4'", "False", "(2, 0, 5)"), "")).path).data.empty());
  const File fortran(npy(1, dict("'<f4'", "True", "(2, 3)"), raw(std::vector<float>{1, 4, 2, 5, 3, 6})));
  CHECK(models::read_npy(fortran.path).data == std::vector<float>{1, 2, 3, 4, 5, 6});
  const File deep(
      npy(1, dict("'<f4'", "True", "(2, 3, 2)"), raw(std::vector<float>{0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11})));
  CHECK(models::read_npy(deep.path).data == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const File odd(
      npy(1, "{ \"shape\":(2L,1L),\"fortran_order\":False,\"descr\":\"<f4\"}   \n", raw(std::vector<float>{8, 9})));
  CHECK(models::read_npy(odd.path).shape == std::vector<int64_t>{2, 1});
}

TEST_CASE("writing reads back, and the numbers are aligned") {
  const File file;
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{}, {6}, {1, 6}, {2, 3}, {1, 1, 2, 3}}) {
    NpyArray array;
    array.shape = shape;
    array.data.assign(shape.empty() ? 1 : 6, 0.25F);
    array.data[0] = -3;
    models::write_npy(file.path, array);
    const NpyArray again = models::read_npy(file.path);
    CHECK(again.shape == array.shape);
    CHECK(again.data == array.data);
    CHECK((file.bytes().size() - array.data.size() * 4) % 64 == 0);
  }
  models::write_npy(file.path, {{2}, {1, 2}});
  CHECK(file.bytes().find("'shape': (2,), }") != std::string::npos);  // a tuple of one, as Python reads it
  CHECK_THROWS_AS(models::write_npy(file.path, {{2, 2}, {1}}), ShapeError);
  CHECK_THROWS_AS(models::write_npy("/no/such/folder/x.npy", {{1}, {1}}), Error);
}

TEST_CASE("faulty files are refused") {
  const std::string four = raw(std::vector<float>{1, 2, 3, 4});
  const std::string whole = npy(1, dict("'<f4'", "False", "(2, 2)"), four);
  REQUIRE(refusal(whole) == "");
  for (size_t length = 0; length < whole.size(); ++length) CHECK(refusal(whole.substr(0, length)) != "");
  CHECK(refusal(whole + "x").find("needs 16 bytes of numbers, the file has 17") != std::string::npos);
  CHECK(refusal(npy(4, dict("'<f4'", "False", "(2, 2)"), four)).find("version 4") != std::string::npos);
  for (const std::string type : {"'>f4'", "'<f2'", "'<i8'", "'|O'", "'<c8'"}) {
    CHECK(refusal(npy(1, dict(type, "False", "(2, 2)"), four)).find("astype") != std::string::npos);
  }
  for (const std::string& header : {
           std::string(""),
           std::string("{"),
           std::string("{}"),
           std::string("[1]"),
           dict("[('a', '<f4')]", "False", "(2, 2)"),
           dict("'<f4'", "Maybe", "(2, 2)"),
           dict("'<f4'", "False", "(2, -2)"),
           dict("'<f4'", "False", "(2, 2"),
           dict("'<f4'", "False", "[2, 2]"),
           dict("'<f4'", "False", "(99999999999999999999,)"),
           dict("'<f4'", "False", "(4294967296, 4294967296, 4)"),
           dict("'<f4'", "False", "(4611686018427387904, 4)"),
           dict("'<f4'", "False", "(2, 2)") + "more",
           std::string("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}"),
           std::string("{'descr': '<f4', 'evil': 1, 'fortran_order': False, 'shape': (2, 2)}"),
           std::string("{'descr': '<f4\n\x1b[2J', 'fortran_order': False, 'shape': (2, 2)}"),
       }) {
    CAPTURE(header);
    const std::string text = refusal(npy(1, header, four));
    CHECK(text != "");
    CHECK(text.find_first_of("\n\x1b") == std::string::npos);
  }
  std::string axes = "(";
  for (int i = 0; i < 33; ++i) axes += "1, ";
  CHECK(refusal(npy(1, dict("'<f4'", "False", axes + ")"), raw(std::vector<float>{1}))) != "");
  CHECK(refusal(npy(2, dict("'<f4'", "False", "(4,)") + std::string(70000, ' '), four)).find("header") !=
        std::string::npos);
  CHECK_THROWS_AS(models::read_npy("/dev/zero"), Refusal);
  CHECK_THROWS_AS(models::read_npy("/"), Refusal);
  CHECK_THROWS_AS(models::read_npy("/no/such.npy"), Refusal);
}

TEST_CASE("NCHW to NHWC and back") {
  NpyArray array;
  array.shape = {2, 20, 2, 3};
  for (int i = 0; i < 240; ++i) array.data.push_back(static_cast<float>(i));
  const Tensor x = models::activation_from_nchw(array, "x.npy");
  CHECK(x.shape() == Shape({2, 2, 3, 20}));
  // Item 1, channel 19, row 1, column 2.
  CHECK(x.row((1 * 2 + 1) * 3 + 2)[19] == static_cast<float>(((1 * 20 + 19) * 2 + 1) * 3 + 2));
  const NpyArray back = models::nchw_from_activation(x);
  CHECK(back.shape == array.shape);
  CHECK(back.data == array.data);
  CHECK_THROWS_AS(models::activation_from_nchw({{2, 3}, std::vector<float>(6)}, "x.npy"), Refusal);
  CHECK_THROWS_AS(models::activation_from_nchw({{0, 3, 2, 2}, {}}, "x.npy"), Refusal);
}

}  // namespace giza
