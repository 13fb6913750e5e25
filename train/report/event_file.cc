// TensorBoard event files.
#include "train/report/event_file.h"

#include <array>
#include <bit>

#include "tensor/base/check.h"

#ifdef GIZA_HAVE_PROTOBUF
#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>

#include "train/data/image/png.h"
#include "train/report/event.pb.h"
#endif

namespace giza::train {
namespace {

/// The remainder of each byte, for the reversed polynomial.
constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    table[byte] = crc;
  }
  return table;
}

}  // namespace

uint32_t crc32c(std::span<const uint8_t> bytes) {
  static constexpr auto kTable = make_crc_table();
  uint32_t crc = 0xffffffffU;
  for (const uint8_t byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ byte) & 0xffU];
  return ~crc;
}

uint32_t masked_crc32c(std::span<const uint8_t> bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8U; }

#ifdef GIZA_HAVE_PROTOBUF

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// A name behind those of the folder's event files, even where the clock went back or stands at the second of the last.
std::string next_path(const std::string& folder) {
  auto seconds = static_cast<int64_t>(now());
  int64_t number = 0;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  check<Error>(!error, "{}: the folder cannot be read: {}", folder, error.message());
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    ++number;
    int64_t other = 0;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), other);
    constexpr int64_t kMaxSeconds = 9'999'999'999;  // what the ten digits hold
    if (other <= kMaxSeconds) seconds = std::max(seconds, other);
  }
  return fmt::format("{}/{}{:010}.giza.{:06}", folder, kPrefix, seconds, number);
}

events::Event event_at(int64_t step) {
  events::Event event;
  event.set_wall_time(now());
  event.set_step(step);
  return event;
}

std::span<const uint8_t> bytes_of(std::string_view data) {
  return {reinterpret_cast<const uint8_t*>(data.data()), data.size()};
}

}  // namespace

bool event_files_available() { return true; }

EventFile::EventFile(const std::string& folder, int64_t first_step) : path_(next_path(folder)) {
  stream_.open(path_, std::ios::binary);
  check<Error>(stream_.good(), "{}: the event file cannot be opened for writing", path_);
  events::Event version = event_at(0);
  version.set_file_version("brain.Event:2");
  write_record(version.SerializeAsString());
  events::Event start = event_at(first_step);
  start.mutable_session_log()->set_status(events::SessionLog::START);
  write_record(start.SerializeAsString());
}

void EventFile::write_scalars(int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  events::Event event = event_at(step);
  for (const auto& [tag, number] : scalars) {
    events::Summary::Value& value = *event.mutable_summary()->add_value();
    value.set_tag(tag);
    value.set_simple_value(static_cast<float>(number));
  }
  write_record(event.SerializeAsString());
}

void EventFile::write_picture(int64_t step, const std::string& tag, const Image& picture) {
  const std::vector<uint8_t> png = encode_png(path_, picture.rgb.data(), picture.width, picture.height, 3);
  events::Event event = event_at(step);
  events::Summary::Value& value = *event.mutable_summary()->add_value();
  value.set_tag(tag);
  events::Summary::Image& image = *value.mutable_image();
  image.set_height(picture.height);
  image.set_width(picture.width);
  image.set_colorspace(3);
  image.set_encoded_image_string(png.data(), png.size());
  write_record(event.SerializeAsString());
}

// TFRecord: u64 length, u32 masked CRC of it, data, u32 masked CRC of the data; little-endian. In one write, so that
// nothing comes between.
void EventFile::write_record(std::string_view data) {
  std::string record;
  const auto append = [&record](uint64_t number, int bytes) {
    for (int i = 0; i < bytes; ++i) record.push_back(static_cast<char>((number >> (8 * i)) & 0xffU));
  };
  append(data.size(), 8);
  append(masked_crc32c(bytes_of(record)), 4);
  record += data;
  append(masked_crc32c(bytes_of(data)), 4);
  stream_.write(record.data(), static_cast<std::streamsize>(record.size()));
  stream_.flush();
  check<Error>(stream_.good(), "{}: cannot be written; is the disk full?", path_);
}

#else

bool event_files_available() { return false; }

EventFile::EventFile(const std::string& folder, int64_t /*first_step*/) : path_(folder) {
  throw Refusal(folder +
                ": this build cannot write TensorBoard events; install libprotobuf-dev and protobuf-compiler and build "
                "again, or set TRAIN.tensorboard false");
}

void EventFile::write_scalars(int64_t /*step*/, const std::vector<std::pair<std::string, double>>& /*scalars*/) {}
void EventFile::write_picture(int64_t /*step*/, const std::string& /*tag*/, const Image& /*picture*/) {}
void EventFile::write_record(std::string_view /*data*/) {}

#endif

}  // namespace giza::train
