// What a file is that is no picture for giza.
#include "train/data/image/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace giza::train {
namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): of the signatures below

struct Signature {
  size_t at;
  std::string_view bytes;
  const char* name;
  const char* remedy = "convert it";
};

constexpr const char *kAsBinary = "copy it again, as a binary file", *kAgain = "download the picture itself again";

constexpr Signature kSignatures[] = {
    {0, "GIF8"sv, "a GIF picture"},
    {0, "BM"sv, "a BMP picture"},
    {8, "WEBP"sv, "a WebP picture"},
    {0, "II*\0"sv, "a TIFF picture or a camera's raw file"},
    {0, "MM\0*"sv, "a TIFF picture or a camera's raw file"},
    {0, "II+\0"sv, "a BigTIFF picture"},
    {0, "MM\0+"sv, "a BigTIFF picture"},
    {4, "ftypavif"sv, "an AVIF picture"},
    {4, "ftypavis"sv, "an AVIF picture"},
    {4, "ftyphei"sv, "a HEIC picture"},
    {4, "ftyphev"sv, "a HEIC picture"},
    {4, "ftypmif1"sv, "a HEIF picture"},
    {4, "ftypmsf1"sv, "a HEIF picture"},
    {4, "ftypcrx"sv, "a camera's raw file"},
    {4, "ftyp"sv, "a video"},
    {0, "\0\0\0\x0CjP  "sv, "a JPEG 2000 picture"},
    {0, "\xFF\x4F\xFF\x51"sv, "a JPEG 2000 picture"},
    {0, "\xFF\x0A"sv, "a JPEG XL picture"},
    {0, "\0\0\0\x0CJXL "sv, "a JPEG XL picture"},
    {0, "\x8AMNG"sv, "an MNG animation"},
    {0, "8BPS"sv, "a Photoshop document"},
    {0, "v/1\x01"sv, "an OpenEXR picture"},
    {0, "#?RADIANCE"sv, "a Radiance HDR picture"},
    {0, "\0\0\1\0"sv, "an icon (ICO)"},
    {0, "qoif"sv, "a QOI picture"},
    {0, "%PDF"sv, "a PDF document"},
    {0, "PK\3\4"sv, "a ZIP archive", "unpack it"},
    {0, "\x1F\x8B"sv, "a gzip archive", "unpack it"},
    {0, "\x93NUMPY"sv, "a NumPy array"},
    {0, "version https://git-lfs"sv, "a pointer of Git LFS", "run: git lfs pull"},
    // Line ends changed, or bytes taken for letters and written in UTF-8.
    {0, "\x89PNG"sv, "a PNG that was copied as text", kAsBinary},
    {0, "\xC2\x89PNG"sv, "a PNG that was saved as text", kAsBinary},
    {0, "\xEF\xBF\xBDPNG"sv, "a PNG that was saved as text", kAsBinary},
    {0, "\xC3\xBF\xC3\x98\xC3\xBF"sv, "a JPEG that was saved as text", kAsBinary},
    {0, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"sv, "a file that was saved as text", kAsBinary},
};

}  // namespace

ForeignFormat foreign_format(std::span<const uint8_t> start) {
  const std::string text(start.begin(), start.begin() + static_cast<ptrdiff_t>(std::min(start.size(), kFormatBytes)));
  for (const Signature& signature : kSignatures) {
    if (text.size() > signature.at && text.substr(signature.at).starts_with(signature.bytes)) {
      return {signature.name, signature.remedy};
    }
  }
  if (text.size() >= 2 && text[0] == 'P' && text[1] >= '1' && text[1] <= '7') return {"a PNM picture", "convert it"};
  std::string letters;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) letters += static_cast<char>(std::tolower(c));
  }
  if (letters.find("<svg") != std::string::npos) return {"an SVG drawing", "convert it"};
  if (letters.starts_with("<!doctypehtml") || letters.starts_with("<html")) return {"an HTML page", kAgain};
  if (letters.starts_with("<?xml")) return {"an XML file", kAgain};
  if (std::all_of(text.begin(), text.end(), [](char c) { return c == 0; })) {
    return {"a file that begins with zeros", kAgain};
  }
  for (const std::string_view begin : {"\xFF\xD8\xFF"sv, "\x89PNG\r\n\x1A\n"sv}) {
    if (const size_t at = text.find(begin); at != std::string::npos) {
      return {fmt::format("a {} behind {} other bytes", begin[0] == '\xFF' ? "JPEG" : "PNG", at),
              "take them off, or save it again"};
    }
  }
  return {"neither JPEG nor PNG", "convert it"};
}

}  // namespace giza::train
