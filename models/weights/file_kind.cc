// What a file is by its first bytes.
#include "models/weights/file_kind.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "models/weights/caffe/caffemodel.h"
#include "models/weights/pth/stream.h"
#include "models/weights/pth/zip_reader.h"
#include "models/weights/safetensors_header.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): of the signatures below

constexpr size_t kHead = 512;
constexpr uint64_t kLength = 8;  // bytes of the length of a safetensors header

constexpr const char* kDownload = "download the file itself again";
constexpr const char* kUnpack = "unpack it first";
constexpr const char* kConvert = "convert it to .safetensors or .pth with its own framework";

struct Signature {
  size_t at;
  std::string_view bytes;
  const char* what;
  const char* remedy;
};
constexpr std::array kSignatures = {
    Signature{0, "version https://git-lfs"sv, "a Git LFS pointer, which stands for the file", "run: git lfs pull"},
    Signature{0, "/annex/objects/"sv, "a git-annex pointer, which stands for the file", "run: git annex get"},
    Signature{0, "\x1f\x8b"sv, "compressed with gzip", kUnpack},
    Signature{0, "BZh"sv, "compressed with bzip2", kUnpack},
    Signature{0,
              "\xfd"
              "7zXZ"sv,
              "compressed with xz", kUnpack},
    Signature{0, "\x28\xb5\x2f\xfd"sv, "compressed with zstd", kUnpack},
    Signature{0, "PK\x05\x06"sv, "an empty zip archive", kDownload},
    Signature{0, "7z\xbc\xaf\x27\x1c"sv, "a 7-Zip archive", kUnpack},
    Signature{0, "Rar!"sv, "a RAR archive", kUnpack},
    Signature{257, "ustar"sv, "a tar archive",
              "unpack it first (and save again with torch.save what PyTorch before 0.2 wrote)"},
    Signature{0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as Keras writes", kConvert},
    Signature{0, "\x93NUMPY"sv, "an array of NumPy (.npy)", kConvert},
    Signature{0, "GGUF"sv, "a GGUF file of llama.cpp", kConvert},
    Signature{4, "TFL3"sv, "a TensorFlow Lite model", kConvert},
    Signature{4, "ET12"sv, "an ExecuTorch program", kConvert},
    Signature{0, "MATLAB 5.0"sv, "a MATLAB file", kConvert},
    Signature{0, "\x89PNG"sv, "a PNG picture", "give a file of weights"},
    Signature{0, "\xff\xd8\xff"sv, "a JPEG picture", "give a file of weights"},
    Signature{0, "%PDF"sv, "a PDF document", "give a file of weights"},
    Signature{0,
              "\x7f"
              "ELF"sv,
              "a program", "give a file of weights"},
};

[[noreturn]] void refuse(const InputFile& file, const std::string& what, const char* remedy) {
  throw Refusal(fmt::format("{}: this is {}, expected weights (.safetensors, or .pth of torch.save); {}", file.path(),
                            what, remedy));
}

/// Messages of Protocol Buffers have no signature: told by their first fields.
std::optional<const char*> protobuf_kind(std::string_view head) {
  if (head.size() < 16) return {};
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(head[at]); };
  if (byte(0) == 0x08 && byte(1) == 0x01 && byte(2) == 0x12) return "a SavedModel of TensorFlow";
  // ir_version, then the producer, the domain, the graph or the operator set.
  constexpr std::string_view kOnnxFields = "\x12\x1a\x22\x28\x32\x3a\x42";
  if (byte(0) == 0x08 && byte(1) >= 2 && byte(1) < 32 && kOnnxFields.find(head[2]) != std::string_view::npos) {
    return "an ONNX model";
  }
  // A text of printable characters as the first field: that of a node of TensorFlow.
  const auto text_at = [&](size_t at) {
    const size_t length = byte(at);
    return length > 0 && at + 1 + length < head.size() && length < 128 &&
           std::none_of(head.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                        head.begin() + static_cast<std::ptrdiff_t>(at + 1 + length), is_control);
  };
  if (byte(0) != 0x0a) return {};
  const size_t node = byte(1) < 0x80 ? 2 : 3;
  if (byte(node) == 0x0a && text_at(node + 1)) return "a graph of TensorFlow";
  return {};
}

/// What text is, told by its first words.
void refuse_text(const InputFile& file, std::string_view head) {
  std::string_view text = head;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const bool printable = std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0xf5 || (is_control(c) && c != '\n' && c != '\r' && c != '\t' && c != '\f');  // not in UTF-8
  });
  if (!printable || text.empty()) return;
  if (text.starts_with('<')) refuse(file, "a web page or XML, as a site answers in place of a file", kDownload);
  if (text.starts_with('{') || text.starts_with('[')) {
    refuse(file, fmt::format("JSON text, perhaps an error that a site answered (\"{}\")", quotable(text, 60)),
           kDownload);
  }
  // Protocol 0 is text too.
  if (text.starts_with("(dp") || text.starts_with("(lp") || text.starts_with("(i") ||
      text.starts_with("ccollections\n") || text.starts_with("cnumpy") || text.starts_with("ccopy_reg\n")) {
    refuse(file, "a plain pickle, without the magic number of torch.save",
           "in Python: torch.save(model.state_dict(), FILE)");
  }
  if (text.find("layer {") != std::string_view::npos || text.find("layers {") != std::string_view::npos) {
    refuse(file, "a description of a network of Caffe (.prototxt), which holds no weights", "give its .caffemodel");
  }
  refuse(file, fmt::format("a text file (\"{}\")", quotable(text, 60)), "give a file of weights");
}

void refuse_foreign(const InputFile& file, const std::string& head) {
  for (const Signature& signature : kSignatures) {
    if (head.size() >= signature.at && std::string_view(head).substr(signature.at).starts_with(signature.bytes)) {
      refuse(file, signature.what, signature.remedy);
    }
  }
  if (head.find_first_not_of('\0') == std::string::npos) {
    refuse(file, "zeros from its first byte on, as a download that broke off leaves", kDownload);
  }
  if (head.size() >= 2 && head[0] == '\x80' && static_cast<unsigned char>(head[1]) <= 5) {
    refuse(file, "a plain pickle, without the magic number of torch.save",
           "in Python: torch.save(model.state_dict(), FILE)");
  }
  // The table that TensorFlow's checkpoints keep their names in ends so.
  constexpr std::string_view kTable = "\x57\xfb\x80\x8b\x24\x75\x47\xdb";
  if (file.size() >= 48 && file.read_at(file.size() - kTable.size(), kTable.size()) == kTable) {
    refuse(file, "the index of a TensorFlow checkpoint", kConvert);
  }
  if (const auto protobuf = protobuf_kind(head)) refuse(file, *protobuf, kConvert);
  refuse_text(file, head);
}

}  // namespace

FileKind file_kind(const InputFile& file) {
  check<Refusal>(file.size() > 0, "{}: the file is empty, expected weights (.safetensors, or .pth of torch.save); {}",
                 file.path(), kDownload);
  const std::string head = file.read_at(0, std::min<uint64_t>(file.size(), kHead));
  if (ZipReader::is_zip(head)) return FileKind::pth_zip;
  if (is_pth_stream(head)) return FileKind::pth_stream;
  if (is_caffemodel(head)) return FileKind::caffemodel;
  uint64_t length = 0;
  if (head.size() >= kLength) std::memcpy(&length, head.data(), kLength);
  const bool plausible = head.size() >= kLength && length <= kMaxSafetensorsHeader;
  if (plausible && head.size() > kLength && head[kLength] == '{') return FileKind::safetensors;
  refuse_foreign(file, head);
  check<Refusal>(head.size() >= kLength, "{}: {} bytes are too few for a file of weights; is it cut off?", file.path(),
                 file.size());
  check<Refusal>(plausible,
                 "{}: the file begins as no file of weights does, expected .safetensors, or .pth of torch.save (as a "
                 "header its first 8 bytes would announce {} bytes, at most {} are allowed)",
                 file.path(), length, kMaxSafetensorsHeader);
  return FileKind::safetensors;
}

}  // namespace giza::models
