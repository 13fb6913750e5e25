// Files that are no weights: each is told by what it is.
#include "models/weights/file_kind.h"

#include <doctest/doctest.h>

#include "models/weights/pth/zip_writer.h"
#include "models/weights/weight_file.h"
#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::models {
namespace {

std::string refusal(const std::string& bytes) {
  const TempFolder folder;
  const std::string path = folder.file("w.pth");
  write_bytes(path, bytes);
  const std::string text = message_of<Refusal>([&] { read_weights(path); });
  CHECK(text.starts_with(path + ": "));
  CHECK(text.find('\n') == std::string::npos);
  CHECK(text.size() < path.size() + 300);
  return text.substr(path.size() + 2);
}

TEST_CASE("file_kind: what else is downloaded, unpacked or exported under the name of weights") {
  const std::string zeros(100, '\0');
  const std::pair<std::string, const char*> kinds[] = {
      {"", "the file is empty"},
      {"<!DOCTYPE html>\n<html>", "a web page"},
      {"\xef\xbb\xbf\r\n <HTML lang=\"de\">", "a web page"},
      {"<?xml version=\"1.0\"?>", "a web page or XML"},
      {"{\"error\":\n\"not found\"}",
       "JSON text, perhaps an error that a site answered (\"{\"error\":?\"not found\"}\")"},
      {"[1, 2]", "JSON text"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "a Git LFS pointer"},
      {"/annex/objects/SHA256E-s1--0.pth\n", "a git-annex pointer"},
      {"Please log in to go on.\n", "a text file (\"Please log in to go on.?\")"},
      {zeros, "zeros from its first byte on"},
      {std::string("\x1f\x8b\x08") + zeros, "gzip"},
      {"BZh91AY", "bzip2"},
      {std::string(257, 'a') + "ustar" + zeros, "a tar archive"},
      {"\x89HDF\r\n\x1a\n" + zeros, "an HDF5 file, as Keras"},
      {"\x93NUMPY" + zeros, "an array of NumPy"},
      {"\x89PNG\r\n\x1a\n" + zeros, "a PNG picture"},
      {std::string("\x08\x07\x12\x07pytorch\x1a\x03") + "2.0" + zeros, "an ONNX model"},
      {std::string("\x08\x01\x12\xff\xff\x03\x0a\x05") + zeros, "a SavedModel of TensorFlow"},
      {std::string("\x0a\x2a\x0a\x05input\x12\x0b") + "Placeholder" + zeros, "a graph of TensorFlow"},
      {std::string("\x0a\x06pspnet\xa2\x06") + zeros, "byte 11: a field with the number 0; is this Caffe's?"},
      {"name: \"pspnet50\"\ninput: \"data\"\nlayer {\n", "a description of a network of Caffe (.prototxt)"},
      {zeros + "\x01\x57\xfb\x80\x8b\x24\x75\x47\xdb", "the index of a TensorFlow checkpoint"},
      {std::string("\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94N.", 15), "a plain pickle"},
      {"(dp0\nS'a'\np1\nI1\ns.", "a plain pickle"},
      {"\x01\x02", "too few"},
      {"\xfe\x01\xfe\x01\xfe\x01\xfe\x01\xfe\x01", "begins as no file of weights does"},
  };
  for (const auto& kind : kinds) {
    const char* what = kind.second;
    CAPTURE(what);
    const std::string text = refusal(kind.first);
    CAPTURE(text);
    CHECK(contains(text, what));
  }
}

TEST_CASE("file_kind: archives are told by the names of their records") {
  const TempFolder folder;
  const std::string path = folder.file("w.pth");
  const std::pair<const char*, const char*> kinds[] = {
      {"net/constants.pkl", "a TorchScript program"},
      {"net/archive_format", "a program of torch.export"},
      {"model.weights.h5", "a model of Keras"},
      {"arr_0.npy", "an archive of NumPy arrays"},
      {"folder/psp.pth", "a zip archive around folder/psp.pth; unpack it first"},
      {"word/document.xml", "a zip archive of other things (the first: word/document.xml)"},
  };
  for (const auto& kind : kinds) {
    const char *record = kind.first, *what = kind.second;
    CAPTURE(record);
    ZipWriter zip(path);
    zip.add(record, "x");
    if (std::string_view(what).find("program") != std::string_view::npos) zip.add("net/data.pkl", "\x80\x02N.");
    zip.finish();
    CHECK(contains(message_of<Refusal>([&] { read_weights(path); }), what));
    // Compressed, as other programs write: the first directory entry's method. The name still tells.
    std::string bytes = read_bytes(path);
    bytes[bytes.find("PK\x01\x02") + 10] = 8;
    write_bytes(path, bytes);
    CHECK(contains(message_of<Refusal>([&] { read_weights(path); }), what));
  }
}

}  // namespace
}  // namespace giza::models
