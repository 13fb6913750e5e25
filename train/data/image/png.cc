// PNG pictures by libpng, from and to memory.
//
// libpng reports an error by a longjmp, which may not pass over C++ objects with destructors. So the functions that
// call setjmp hold plain values only; what owns memory lives in their callers.
#include "train/data/image/png.h"

#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "train/data/image/exif.h"
#include "train/data/image/png_chunks.h"

namespace giza::train {
namespace {

/// libpng's state, freed on every way out.
struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const uint8_t* bytes = nullptr;
  size_t size = 0, position = 0;
  int pass = 0, row = -1;  // being read; -1: not begun
  char message[160] = "";

  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Encoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<uint8_t> bytes;
  char message[160] = "";

  Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  ~Encoder() { png_destroy_write_struct(&png, &info); }
};

/// `owner` is a Decoder or an Encoder.
template <class Owner>
void on_error(png_structp png, png_const_charp text) {
  auto* owner = static_cast<Owner*>(png_get_error_ptr(png));
  std::snprintf(owner->message, sizeof(owner->message), "%s", text);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}  // Oddities in what is not the picture.

void on_read(png_structp png, png_bytep out, size_t length) {
  auto* decoder = static_cast<Decoder*>(png_get_io_ptr(png));
  if (decoder->size - decoder->position < length) {
    decoder->position = decoder->size;
    png_error(png, "truncated: the file ends in the middle of the picture");
  }
  std::memcpy(out, decoder->bytes + decoder->position, length);
  decoder->position += length;
}

void on_write(png_structp png, png_bytep data, size_t length) {
  auto* encoder = static_cast<Encoder*>(png_get_io_ptr(png));
  bool written = true;
  try {
    encoder->bytes.insert(encoder->bytes.end(), data, data + length);
  } catch (const std::bad_alloc&) {
    written = false;
  }
  if (!written) png_error(png, "out of memory");
}

void on_flush(png_structp) {}

/// Reads all that stands before the pixels.
bool read_header(Decoder& decoder) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  png_set_read_fn(decoder.png, &decoder, on_read);
  png_set_user_limits(decoder.png, static_cast<png_uint_32>(kMaxPixels), static_cast<png_uint_32>(kMaxPixels));
  png_set_chunk_malloc_max(decoder.png, 1 << 20);
  // Texts, profiles and the like are skipped unread: some are compressed and can unfold to any size.
  static const png_byte kSkipped[] =
      "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0tIME\0zTXt";
  png_set_keep_unknown_chunks(decoder.png, PNG_HANDLE_CHUNK_NEVER, kSkipped, sizeof(kSkipped) / 5);
  png_read_info(decoder.png, decoder.info);
  return true;
}

/// Reads the pixels into rows of `row_bytes` after the conversions asked for, and the rest of the file, whose end
/// proves that it is whole.
bool read_pixels(Decoder& decoder, int passes, int height, size_t row_bytes, uint8_t* pixels) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  for (decoder.pass = 0; decoder.pass < passes; ++decoder.pass) {
    for (decoder.row = 0; decoder.row < height; ++decoder.row) {
      png_read_row(decoder.png, pixels + static_cast<size_t>(decoder.row) * row_bytes, nullptr);
    }
  }
  png_read_end(decoder.png, nullptr);
  return true;
}

/// Asks for 8-bit RGB, or for one raw index per byte. Returns the number of passes, 0 on failure.
int set_conversions(Decoder& decoder, bool as_rgb) {
  if (setjmp(png_jmpbuf(decoder.png))) return 0;
  if (as_rgb) {
    const int type = png_get_color_type(decoder.png, decoder.info);
    png_set_strip_16(decoder.png);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(decoder.png);
    if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(decoder.png);
    if ((type & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(decoder.png);
    png_set_strip_alpha(decoder.png);
  } else {
    png_set_packing(decoder.png);  // One byte for each 1, 2 or 4-bit index, as it stands.
  }
  const int passes = png_set_interlace_handling(decoder.png);
  png_read_update_info(decoder.png, decoder.info);
  return passes;
}

[[noreturn]] void refuse(const std::string& path, const Decoder& decoder) {
  std::string place;
  if (decoder.row >= 0) {
    const auto height = static_cast<int>(png_get_image_height(decoder.png, decoder.info));
    const bool interlaced = png_get_interlace_type(decoder.png, decoder.info) != PNG_INTERLACE_NONE;
    place = decoder.row == height
                ? ", behind its last row"
                : fmt::format(", at row {} of {} ({} %){}", decoder.row, height, int64_t{100} * decoder.row / height,
                              interlaced ? fmt::format(" in pass {} of 7", decoder.pass + 1) : std::string());
  }
  throw Refusal(fmt::format("{}: damaged PNG: {}{}; copy or download the file again", path, decoder.message, place));
}

/// Apple's tools write PNG files for its own devices with a chunk in front of the header and other pixels.
void check_not_apple(const std::string& path, std::span<const uint8_t> bytes) {
  check<Refusal>(bytes.size() < 16 || std::memcmp(&bytes[12], "CgBI", 4) != 0,
                 "{}: is a PNG made for Apple's devices (CgBI), which is not read; convert it (pngcrush "
                 "-revert-iphone-optimizations, or xcrun on a Mac)",
                 path);
}

/// OpenCV shows an animation's first frame, other programs the still picture that stands beside it: so they must be
/// one.
void check_animation(const std::string& path, const PngChunks& chunks, const PngKind& kind) {
  check<Refusal>(!chunks.animated || (chunks.begins_with_picture && kind.bits <= 8),
                 "{}: is an animated PNG{}, of which programs show different pictures; save the frame that is meant as "
                 "a PNG of its own",
                 path, kind.bits > 8 ? " of 16 bits" : "");
}

void open(Decoder& decoder, const std::string& path, std::span<const uint8_t> bytes) {
  check_not_apple(path, bytes);
  decoder.bytes = bytes.data();
  decoder.size = bytes.size();
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, on_error<Decoder>, on_warning);
  check<Error>(decoder.png != nullptr, "{}: libpng cannot start", path);
  decoder.info = png_create_info_struct(decoder.png);
  check<Error>(decoder.info != nullptr, "{}: libpng cannot start", path);
  if (!read_header(decoder)) refuse(path, decoder);
  const int64_t width = png_get_image_width(decoder.png, decoder.info);
  const int64_t height = png_get_image_height(decoder.png, decoder.info);
  check_picture_size(path, width, height);
  // Deflate shrinks by at most 1032 : 1, so a small file that claims to be huge is found out before allocating.
  const auto packed = static_cast<int64_t>(png_get_rowbytes(decoder.png, decoder.info)) * height;
  check<Refusal>(packed / 1032 <= static_cast<int64_t>(bytes.size()),
                 "{}: damaged PNG: {} bytes cannot hold the {} x {} pixels of its header", path, bytes.size(), width,
                 height);
}

/// Decodes into `pixels`: dense rows, 3 bytes or 1 per pixel.
void decode(Decoder& decoder, const std::string& path, int height, std::vector<uint8_t>& pixels, bool as_rgb) {
  const int passes = set_conversions(decoder, as_rgb);
  if (passes == 0) refuse(path, decoder);
  const size_t row_bytes = png_get_rowbytes(decoder.png, decoder.info);
  check<Error>(row_bytes * static_cast<size_t>(height) == pixels.size(), "{}: libpng gives rows of {} bytes", path,
               row_bytes);
  if (!read_pixels(decoder, passes, height, row_bytes, pixels.data())) refuse(path, decoder);
}

PngKind kind_of(const Decoder& decoder) {
  const int type = png_get_color_type(decoder.png, decoder.info);
  PngKind kind;
  kind.type = type == PNG_COLOR_TYPE_PALETTE       ? PngKind::Type::palette
              : (type & PNG_COLOR_MASK_COLOR) != 0 ? PngKind::Type::rgb
                                                   : PngKind::Type::grey;
  kind.alpha = (type & PNG_COLOR_MASK_ALPHA) != 0;
  kind.bits = png_get_bit_depth(decoder.png, decoder.info);
  png_colorp entries = nullptr;
  int count = 0;
  if (kind.type == PngKind::Type::palette && png_get_PLTE(decoder.png, decoder.info, &entries, &count) != 0) {
    for (int i = 0; i < count; ++i) kind.palette.push_back({entries[i].red, entries[i].green, entries[i].blue});
  }
  return kind;
}

/// Encodes into encoder.bytes.
bool write_all(Encoder& encoder, const uint8_t* pixels, int width, int height, int channels,
               std::span<const Color> palette) {
  if (setjmp(png_jmpbuf(encoder.png))) return false;
  png_set_write_fn(encoder.png, &encoder, on_write, on_flush);
  png_set_user_limits(encoder.png, static_cast<png_uint_32>(kMaxPixels), static_cast<png_uint_32>(kMaxPixels));
  const int grey = palette.empty() ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_PALETTE;
  png_set_IHDR(encoder.png, encoder.info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), 8,
               channels == 3 ? PNG_COLOR_TYPE_RGB : grey, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!palette.empty()) {
    png_color entries[256];
    for (size_t i = 0; i < palette.size(); ++i) entries[i] = {palette[i][0], palette[i][1], palette[i][2]};
    png_set_PLTE(encoder.png, encoder.info, entries, static_cast<int>(palette.size()));
  }
  png_write_info(encoder.png, encoder.info);
  const size_t row_bytes = static_cast<size_t>(width) * static_cast<size_t>(channels);
  for (int y = 0; y < height; ++y) png_write_row(encoder.png, pixels + static_cast<size_t>(y) * row_bytes);
  png_write_end(encoder.png, encoder.info);
  return true;
}

}  // namespace

bool is_png(std::span<const uint8_t> bytes) { return bytes.size() >= 8 && png_sig_cmp(bytes.data(), 0, 8) == 0; }

std::array<int, 2> png_size(const std::string& path, std::span<const uint8_t> start) {
  check<Refusal>(start.size() >= 33, "{}: truncated: the file ends before the size of the picture; copy it again",
                 path);
  check_not_apple(path, start);
  check<Refusal>(std::memcmp(&start[12], "IHDR", 4) == 0, "{}: damaged PNG: it does not begin with its header", path);
  const int64_t width = png_get_uint_32(&start[16]);
  const int64_t height = png_get_uint_32(&start[20]);
  check_picture_size(path, width, height);
  const InputFile file(path);
  const PngChunks chunks = read_png_chunks([&](uint64_t offset, std::span<uint8_t> to) {
    if (offset > file.size() || file.size() - offset < to.size()) return false;
    file.read_at(offset, to.data(), to.size());
    return true;
  });
  std::array<int, 2> size = {static_cast<int>(width), static_cast<int>(height)};
  if (swaps_sides(chunks.orientation.value_or(1))) std::swap(size[0], size[1]);
  return size;
}

Image decode_png(const std::string& path, std::span<const uint8_t> bytes) {
  Decoder decoder;
  open(decoder, path, bytes);
  const PngChunks chunks = read_png_chunks(bytes);
  check_animation(path, chunks, kind_of(decoder));
  Image image(static_cast<int>(png_get_image_width(decoder.png, decoder.info)),
              static_cast<int>(png_get_image_height(decoder.png, decoder.info)));
  decode(decoder, path, image.height, image.rgb, true);
  image.orientation = chunks.orientation.value_or(1);
  make_upright(image, image.rgb, 3, image.orientation);
  return image;
}

PngKind png_kind(const std::string& path, std::span<const uint8_t> bytes) {
  Decoder decoder;
  open(decoder, path, bytes);
  PngKind kind = kind_of(decoder);
  kind.orientation = read_png_chunks(bytes).orientation.value_or(1);
  return kind;
}

LabelMap decode_png_labels(const std::string& path, std::span<const uint8_t> bytes) {
  Decoder decoder;
  open(decoder, path, bytes);
  const PngKind kind = kind_of(decoder);
  const bool one_value = kind.type != PngKind::Type::rgb && !kind.alpha;
  check<Refusal>(one_value,
                 "{}: is {} of {} bits; a label map holds one class index per pixel, as an 8-bit grey or palette PNG: "
                 "convert the colours to indices, or name them by DATA.label_colors; `giza check` tells which they are",
                 path, kind.type == PngKind::Type::rgb ? "RGB" : "grey with transparency", kind.bits);
  const PngChunks chunks = read_png_chunks(bytes);
  check_animation(path, chunks, kind);
  const int orientation = chunks.orientation.value_or(1);
  LabelMap labels(static_cast<int>(png_get_image_width(decoder.png, decoder.info)),
                  static_cast<int>(png_get_image_height(decoder.png, decoder.info)));
  if (kind.bits <= 8) {
    decode(decoder, path, labels.height, labels.index, false);
    make_upright(labels, labels.index, 1, orientation);
    return labels;
  }
  // 16 bits, high byte first: fine as long as every value is a byte.
  std::vector<uint8_t> wide(labels.index.size() * 2);
  decode(decoder, path, labels.height, wide, false);
  for (size_t i = 0; i < labels.index.size(); ++i) {
    if (wide[2 * i] != 0) {
      const auto width = static_cast<size_t>(labels.width);
      throw Refusal(
          fmt::format("{}: value {} at x {}, y {} of a 16-bit file; a label map holds one class index per pixel, "
                      "0 to 255: is it the right file? convert it",
                      path, 256 * wide[2 * i] + wide[2 * i + 1], i % width, i / width));
    }
    labels.index[i] = wide[2 * i + 1];
  }
  make_upright(labels, labels.index, 1, orientation);
  return labels;
}

std::vector<uint8_t> encode_png(const std::string& path, const uint8_t* pixels, int width, int height, int channels,
                                std::span<const Color> palette) {
  check<Error>(palette.size() <= 256 && (palette.empty() || channels == 1), "{}: {} colours do not fit a palette", path,
               palette.size());
  check<Error>(width > 0 && height > 0, "{}: a picture of {} x {} pixels cannot be written", path, width, height);
  Encoder encoder;
  encoder.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &encoder, on_error<Encoder>, on_warning);
  check<Error>(encoder.png != nullptr, "{}: libpng cannot start", path);
  encoder.info = png_create_info_struct(encoder.png);
  check<Error>(encoder.info != nullptr, "{}: libpng cannot start", path);
  if (!write_all(encoder, pixels, width, height, channels, palette)) {
    throw Error(fmt::format("{}: cannot be encoded as PNG: {}", path, encoder.message));
  }
  return std::move(encoder.bytes);
}

}  // namespace giza::train
