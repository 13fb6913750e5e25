// TensorBoard event files, read back by a decoder of their own.
#include "train/report/event_file.h"

#include <doctest/doctest.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tensor/base/check.h"
#include "tests/support/scopes.h"
#include "tests/support/skip.h"
#include "tests/support/temp_folder.h"
#include "tests/train/tiny_set.h"
#include "train/data/image/png.h"
#include "train/progress.h"
#include "train/trainer.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

std::vector<uint8_t> bytes(std::string_view text) { return {text.begin(), text.end()}; }

/// CRC-32C bit by bit, from its definition.
uint32_t slow_crc32c(const std::vector<uint8_t>& data) {
  uint32_t crc = 0xffffffffU;
  for (const uint8_t byte : data) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool low = (((byte >> bit) ^ crc) & 1U) != 0;
      crc = (crc >> 1) ^ (low ? 0x82f63b78U : 0U);
    }
  }
  return crc ^ 0xffffffffU;
}

/// One field of a protobuf message, whatever its type.
struct Field {
  uint64_t number = 0, varint = 0;
  std::string data;  // of a length-delimited or fixed-size field
};

std::vector<Field> fields(const std::string& message) {
  std::vector<Field> result;
  size_t at = 0;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(message.at(at++));
      value |= static_cast<uint64_t>(byte & 0x7fU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
  };
  while (at < message.size()) {
    const uint64_t key = varint();
    Field field;
    field.number = key >> 3;
    const uint64_t kind = key & 7U;
    if (kind == 0) {
      field.varint = varint();
    } else {
      const uint64_t size = kind == 1 ? 8 : kind == 5 ? 4 : varint();
      REQUIRE((kind == 1 || kind == 2 || kind == 5));
      REQUIRE(size <= message.size() - at);
      field.data = message.substr(at, size);
      at += size;
    }
    result.push_back(field);
  }
  return result;
}

template <class T>
T number_of(const std::string& data) {
  T value;
  REQUIRE(data.size() == sizeof value);
  std::memcpy(&value, data.data(), sizeof value);
  return value;
}

struct DecodedEvent {
  double wall_time = 0;
  int64_t step = 0;
  std::string version;
  bool start = false;
  std::map<std::string, float> scalars;
  std::map<std::string, std::string> pictures;  // PNG files
  std::array<uint64_t, 3> picture_shape = {};   // height, width, colour space
};

void decode_value(const std::string& message, DecodedEvent& event) {
  std::string tag;
  for (const Field& field : fields(message)) {
    if (field.number == 1) tag = field.data;
    if (field.number == 2) event.scalars[tag] = number_of<float>(field.data);
    if (field.number != 4) continue;
    for (const Field& part : fields(field.data)) {
      if (part.number <= 3) event.picture_shape[part.number - 1] = part.varint;
      if (part.number == 4) event.pictures[tag] = part.data;
    }
  }
}

DecodedEvent decode(const std::string& message) {
  DecodedEvent event;
  for (const Field& field : fields(message)) {
    if (field.number == 1) event.wall_time = number_of<double>(field.data);
    if (field.number == 2) event.step = static_cast<int64_t>(field.varint);
    if (field.number == 3) event.version = field.data;
    if (field.number == 5) {
      for (const Field& value : fields(field.data)) decode_value(value.data, event);
    }
    if (field.number == 7) event.start = fields(field.data).at(0).varint == 1;
  }
  return event;
}

/// The events of a file up to the first record that is cut off.
std::vector<DecodedEvent> read_events(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(stream), {}};
  std::vector<DecodedEvent> result;
  for (size_t at = 0; at + 16 <= file.size();) {
    const auto length = number_of<uint64_t>(file.substr(at, 8));
    if (length > file.size() - at - 16) break;
    const std::string data = file.substr(at + 12, length);
    const auto mask = [](uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; };
    CHECK(number_of<uint32_t>(file.substr(at + 8, 4)) == mask(slow_crc32c(bytes(file.substr(at, 8)))));
    CHECK(number_of<uint32_t>(file.substr(at + 12 + length, 4)) == mask(slow_crc32c(bytes(data))));
    result.push_back(decode(data));
    at += 16 + length;
  }
  return result;
}

std::vector<fs::path> event_files(const fs::path& folder) {
  std::set<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) paths.insert(entry.path());
  }
  return {paths.begin(), paths.end()};
}

/// What TensorBoard shows of a tag in a folder: step by step, later files over earlier ones, and a START drops what was
/// there from its step on.
std::vector<std::pair<int64_t, float>> curve(const fs::path& folder, const std::string& tag) {
  std::vector<std::pair<int64_t, float>> result;
  for (const fs::path& path : event_files(folder)) {
    for (const DecodedEvent& event : read_events(path)) {
      if (event.start) std::erase_if(result, [&](const auto& point) { return point.first >= event.step; });
      if (event.scalars.contains(tag)) result.emplace_back(event.step, event.scalars.at(tag));
    }
  }
  return result;
}

/// The same from log.jsonl.
std::vector<std::pair<int64_t, float>> logged(const fs::path& folder, const char* type, const char* key) {
  std::vector<std::pair<int64_t, float>> result;
  std::ifstream stream(folder / "log.jsonl");
  for (std::string text; std::getline(stream, text);) {
    const nlohmann::json line = nlohmann::json::parse(text);
    if (line["type"] != type) continue;
    result.emplace_back(line["iteration"].get<int64_t>(), static_cast<float>(line[key].get<double>()));
  }
  return result;
}

}  // namespace

TEST_CASE("CRC-32C: known vectors and the mask") {
  // RFC 3720, appendix B.4, and the check value of the CRC catalogue.
  CHECK(crc32c(bytes("123456789")) == 0xe3069283U);
  CHECK(crc32c(std::vector<uint8_t>(32, 0)) == 0x8a9136aaU);
  CHECK(crc32c(std::vector<uint8_t>(32, 0xff)) == 0x62a8ab43U);
  std::vector<uint8_t> rising(32);
  for (size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<uint8_t>(i);
  CHECK(crc32c(rising) == 0x46dd794eU);
  CHECK(crc32c({}) == 0);
  CHECK(crc32c(rising) == slow_crc32c(rising));
  // The header of the first record of every event file: length 24.
  const std::vector<uint8_t> length = {24, 0, 0, 0, 0, 0, 0, 0};
  CHECK(masked_crc32c(length) == 0x224b7fa3U);
}

TEST_SUITE_BEGIN("needs Protocol Buffers");

TEST_CASE("event file: version, start, scalars and pictures") {
  if (!event_files_available()) {
    skip_test("built without Protocol Buffers");
    return;
  }
  const TempFolder folder;
  Image picture(5, 3);
  for (size_t i = 0; i < picture.rgb.size(); ++i) picture.rgb[i] = static_cast<uint8_t>(7 * i);
  EventFile file(folder.path(), 1);
  file.write_scalars(10, {{"train/loss", 2.5}, {"train/lr", 0.01}});
  file.write_picture(300, "val/picture_0", picture);
  // Whole at once, the writer still open.
  const std::vector<DecodedEvent> events = read_events(file.path());
  REQUIRE(events.size() == 4);
  CHECK(events[0].version == "brain.Event:2");
  CHECK(events[0].wall_time > 1.6e9);
  CHECK((events[1].start && events[1].step == 1));
  CHECK(events[2].step == 10);
  CHECK(events[2].scalars == std::map<std::string, float>{{"train/loss", 2.5F}, {"train/lr", 0.01F}});
  CHECK(events[3].step == 300);
  CHECK(events[3].picture_shape == std::array<uint64_t, 3>{3, 5, 3});
  REQUIRE(events[3].pictures.contains("val/picture_0"));
  CHECK(decode_png("picture", bytes(events[3].pictures.at("val/picture_0"))).rgb == picture.rgb);
}

TEST_CASE("event file: names sort in the order of the runs, whatever the clock says") {
  if (!event_files_available()) {
    skip_test("built without Protocol Buffers");
    return;
  }
  const TempFolder folder;
  // One from a clock that ran ahead, one of another program.
  std::ofstream(folder.path() + "/events.out.tfevents.2999999999.elsewhere") << "half a rec";
  std::ofstream(folder.path() + "/events.out.tfevents.nonsense") << "";
  const std::string first = EventFile(folder.path(), 1).path();
  const std::string second = EventFile(folder.path(), 1).path();
  CHECK(first > folder.path() + "/events.out.tfevents.2999999999.elsewhere");
  CHECK(second > first);
}

TEST_CASE("train: TensorBoard's curves are the log's, pictures at each validation") {
  if (!event_files_available()) {
    skip_test("built without Protocol Buffers");
    return;
  }
  const QuietScope quiet;
  const TinySet set(5);
  Config config = set.config("run");
  config.train.epochs = 2;
  config.train.evaluate = true;
  train(config);
  const fs::path folder = config.train.save_path;
  REQUIRE(event_files(folder).size() == 1);
  for (const char* key : {"loss", "main_loss", "aux_loss", "accuracy", "lr", "images_per_second"}) {
    CAPTURE(key);
    CHECK(curve(folder, std::string("train/") + key) == logged(folder, "train", key));
  }
  CHECK(curve(folder, "train/loss").size() == 4);
  for (const char* key : {"mIoU", "mAcc", "allAcc"}) {
    CAPTURE(key);
    CHECK(curve(folder, std::string("val/") + key) == logged(folder, "validation", key));
  }
  CHECK(curve(folder, "val/mIoU").size() == 2);

  std::map<int64_t, std::set<std::string>> shown;
  for (const DecodedEvent& event : read_events(event_files(folder)[0])) {
    for (const auto& [tag, png] : event.pictures) {
      shown[event.step].insert(tag);
      const Image sheet = decode_png(tag, bytes(png));
      CHECK(sheet.width > 3 * 36);  // three panels
      CHECK(event.picture_shape ==
            std::array<uint64_t, 3>{static_cast<uint64_t>(sheet.height), static_cast<uint64_t>(sheet.width), 3});
    }
  }
  const std::set<std::string> all = {"val/picture_0", "val/picture_1", "val/picture_2", "val/picture_3"};
  CHECK(shown == std::map<int64_t, std::set<std::string>>{{2, all}, {4, all}});

  config.train.save_path = set.file("without");
  config.train.tensorboard = false;
  train(config);
  CHECK(event_files(config.train.save_path).empty());
}

TEST_CASE("train: resumed after a kill, TensorBoard's curves go on without a step twice") {
  if (!event_files_available()) {
    skip_test("built without Protocol Buffers");
    return;
  }
  const QuietScope quiet;
  const TinySet set;
  Config config = set.config("killed");
  config.train.evaluate = true;
  train(config);
  // As if killed in epoch 3: its checkpoint is gone, what it logged is there, the last record half written.
  const fs::path folder = config.train.save_path;
  fs::remove(folder / "iter_00000012.safetensors");
  const fs::path first = event_files(folder).at(0);
  fs::resize_file(first, fs::file_size(first) - 11);
  config.train.resume = "auto";
  train(config);
  CHECK(event_files(folder).size() == 2);
  for (const char* key : {"loss", "images_per_second"}) {
    const auto points = curve(folder, std::string("train/") + key);
    CHECK(points.size() == 12);
    CHECK(points == logged(folder, "train", key));
  }
  CHECK(curve(folder, "val/mIoU") == logged(folder, "validation", "mIoU"));
}

TEST_CASE("event file: a folder that is not there") {
  if (!event_files_available()) {
    skip_test("built without Protocol Buffers");
    return;
  }
  const TempFolder folder;
  CHECK_THROWS_AS(EventFile(folder.path() + "/none", 1), Error);
}

TEST_SUITE_END();

}  // namespace giza::train
