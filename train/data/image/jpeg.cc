// JPEG pictures: the file is examined here, the pixels are decoded by libjpeg.
#include "train/data/image/jpeg.h"

#include "tensor/base/check.h"
#include "train/data/image/exif.h"
#include "train/data/image/jpeg_pixels.h"
#include "train/data/image/jpeg_scan.h"

namespace giza::train {
namespace {

/// Sums up what all scans together cost, so that no hostile file takes long.
void check_work(const std::string& path, const JpegFrame& frame, int64_t scans) {
  const int64_t pixels = int64_t{frame.width} * frame.height;
  check<Refusal>(scans <= 500 && scans * pixels <= kMaxPixels * 16,
                 "{}: JPEG with {} scans over {} x {} pixels, more than is sensible; save it again", path, scans,
                 frame.width, frame.height);
}

}  // namespace

bool is_jpeg(std::span<const uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

std::array<int, 2> jpeg_size(const std::string& path, std::span<const uint8_t> bytes) {
  JpegMarkers markers(path, bytes);
  if (!markers.next_scan()) return {0, 0};
  const JpegFrame& frame = markers.frame();
  check_picture_size(path, frame.width, frame.height);
  if (swaps_sides(markers.orientation().value_or(1))) return {frame.height, frame.width};
  return {frame.width, frame.height};
}

Image decode_jpeg(const std::string& path, std::span<const uint8_t> bytes) {
  JpegMarkers markers(path, bytes);
  const bool has_scan = markers.next_scan();
  const JpegFrame& frame = markers.frame();
  if (frame.width > 0) {
    check_picture_size(path, frame.width, frame.height);
    // A block of 8x8 costs at least a bit, and subsampling by 4 in both directions is the most there is.
    check<Refusal>(int64_t{frame.width} * frame.height / 2048 <= static_cast<int64_t>(bytes.size()),
                   "{}: corrupt JPEG: {} bytes cannot hold the {} x {} pixels of its header", path, bytes.size(),
                   frame.width, frame.height);
  }
  JpegScans scans(markers);
  for (bool more = has_scan; more; more = !scans.finished() && markers.next_scan()) {
    check_work(path, frame, scans.count() + 1);
    scans.decode();
  }
  scans.require_complete();

  Image image(frame.width, frame.height);
  decode_jpeg_pixels(path, bytes, image);
  image.orientation = markers.orientation().value_or(1);
  make_upright(image, image.rgb, 3, image.orientation);
  return image;
}

}  // namespace giza::train
