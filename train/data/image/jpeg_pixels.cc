// The pixels of a JPEG file by libjpeg.
//
// libjpeg reports an error by what we make a longjmp, which may not pass over C++ objects with destructors. So the
// function that calls setjmp holds plain values only; what owns memory lives in its callers.
#include "train/data/image/jpeg_pixels.h"

#include <csetjmp>
#include <cstdio>
// Needs <cstdio>.
#include <jerror.h>
#include <jpeglib.h>

#include "tensor/base/check.h"

namespace giza::train {
namespace {

/// libjpeg's state, freed on every way out.
struct JpegDecoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf jump{};
  char message[JMSG_LENGTH_MAX] = "";  // the error, or the first warning that tells of damage
  bool damaged = false;

  JpegDecoder() = default;
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
  ~JpegDecoder() { jpeg_destroy_decompress(&info); }
};

JpegDecoder& decoder_of(j_common_ptr info) { return *static_cast<JpegDecoder*>(info->client_data); }

[[noreturn]] void on_jpeg_error(j_common_ptr info) {
  JpegDecoder& decoder = decoder_of(info);
  info->err->format_message(info, decoder.message);
  std::longjmp(decoder.jump, 1);
}

/// Warnings that leave the picture as it is. That blocks are all there was found out before (jpeg_scan.h).
bool is_harmless(int code) {
  return code == JWRN_EXTRANEOUS_DATA || code == JWRN_JPEG_EOF || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
         code == JWRN_NOT_SEQUENTIAL;
}

void on_jpeg_message(j_common_ptr info, int level) {
  JpegDecoder& decoder = decoder_of(info);
  if (level >= 0 || decoder.damaged || is_harmless(info->err->msg_code)) return;
  decoder.damaged = true;
  info->err->format_message(info, decoder.message);
}

void on_jpeg_output(j_common_ptr) {}  // Nothing is printed.

/// Ink of 0 (full) to 255 (none), as Adobe's programs store it, on white. The rounding is OpenCV's.
void ink_to_rgb(const uint8_t* cmyk, int width, uint8_t* rgb) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int black = cmyk[3];
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(black - ((255 - cmyk[c]) * black >> 8));
  }
}

/// False on an error, or where the file has another size.
bool decode_rows(JpegDecoder& decoder, const uint8_t* bytes, size_t size, int width, int height, uint8_t* rgb) {
  jpeg_decompress_struct& info = decoder.info;
  if (setjmp(decoder.jump)) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes, static_cast<unsigned long>(size));
  jpeg_read_header(&info, TRUE);
  const bool cmyk = info.num_components == 4;
  info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&info);
  if (info.output_width != static_cast<JDIMENSION>(width) || info.output_height != static_cast<JDIMENSION>(height)) {
    std::snprintf(decoder.message, sizeof(decoder.message), "two sizes");
    return false;
  }
  const size_t row_bytes = static_cast<size_t>(width) * 3;
  JSAMPARRAY ink = cmyk ? info.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&info), JPOOL_IMAGE,
                                                 static_cast<JDIMENSION>(width) * 4, 1)
                        : nullptr;
  for (int y = 0; y < height; ++y) {
    uint8_t* row = rgb + static_cast<size_t>(y) * row_bytes;
    jpeg_read_scanlines(&info, cmyk ? ink : &row, 1);
    if (cmyk) ink_to_rgb(ink[0], width, row);
  }
  return true;  // What follows the picture is not looked at: no jpeg_finish_decompress.
}

}  // namespace

void decode_jpeg_pixels(const std::string& path, std::span<const uint8_t> bytes, Image& image) {
  JpegDecoder decoder;
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.info.client_data = &decoder;
  decoder.errors.error_exit = on_jpeg_error;
  decoder.errors.emit_message = on_jpeg_message;
  decoder.errors.output_message = on_jpeg_output;
  const bool decoded = decode_rows(decoder, bytes.data(), bytes.size(), image.width, image.height, image.rgb.data());
  if (decoded && !decoder.damaged) return;
  throw Refusal(fmt::format("{}: {} JPEG: {}; copy or convert the file again", path, decoded ? "damaged" : "corrupt",
                            decoder.message));
}

}  // namespace giza::train
