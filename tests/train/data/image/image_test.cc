// Picture files of every kind against Pillow, and hostile ones.
#include "train/data/image/image.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tensor/base/check.h"
#include "tensor/random.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "train/data/image/jpeg.h"
#include "train/data/image/png.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;

const std::string kPictures = GIZA_SOURCE_DIR "/tests/golden/pictures/";

Bytes slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file, path);
  return Bytes{std::istreambuf_iterator<char>(file), {}};
}

void spill(const std::string& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// Runs `read` and returns what its refusal says, or "" where it gave a picture. Anything else fails.
template <class Read>
std::string refusal_of(const Read& read) {
  try {
    read();
    return "";
  } catch (const Refusal& refusal) {
    return refusal.what();
  }
}

void put_u32(Bytes& bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

/// CRC-32 of PNG (ISO 3309), bit by bit.
uint32_t crc32(const uint8_t* bytes, size_t size) {
  uint32_t crc = ~0U;
  for (size_t i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

/// The PNG with another size in its header, whose CRC is made right.
Bytes resized_png(Bytes bytes, uint32_t width, uint32_t height) {
  put_u32(bytes, 16, width);
  put_u32(bytes, 20, height);
  put_u32(bytes, 29, crc32(&bytes[12], 17));
  return bytes;
}

/// What read_image does after reading; many small files take long on some disks.
Image decode(const std::string& path, const Bytes& bytes) {
  if (is_png(bytes)) return decode_png(path, bytes);
  if (is_jpeg(bytes)) return decode_jpeg(path, bytes);
  throw Refusal(path + ": is neither");
}

std::vector<std::string> files_ending(const std::string& suffix) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(kPictures)) {
    if (entry.path().extension() == suffix) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  REQUIRE(!paths.empty());
  return paths;
}

std::string stem(const std::string& path) { return path.substr(0, path.rfind('.')); }

}  // namespace

TEST_CASE("image: PNG files of every kind hold the right pixels") {
  for (const std::string& path : files_ending(".png")) {
    CAPTURE(path);
    const Image image = read_image(path);
    CHECK(image.width == 13);
    CHECK(image.height == 7);
    CHECK(image.rgb == slurp(stem(path) + ".rgb"));
    CHECK(read_image_size(path) == std::array<int, 2>{13, 7});
  }
}

TEST_CASE("image: JPEG files of every kind hold the right pixels") {
  for (const std::string& path : files_ending(".jpg")) {
    CAPTURE(path);
    const Image image = read_image(path);
    CHECK(image.width == 21);
    CHECK(image.height == 17);
    CHECK(image.rgb == slurp(stem(path) + ".rgb"));
    CHECK(read_image_size(path) == std::array<int, 2>{21, 17});
  }
}

TEST_CASE("image: labels are raw indices, never palette colours, never scaled") {
  int maps = 0;
  for (const std::string& path : files_ending(".png")) {
    CAPTURE(path);
    if (!fs::exists(stem(path) + ".index")) continue;
    ++maps;
    const LabelMap labels = read_labels(path);
    CHECK(labels.width == 13);
    CHECK(labels.height == 7);
    CHECK(labels.index == slurp(stem(path) + ".index"));
  }
  CHECK(maps == 12);
}

TEST_CASE("image: what cannot be a label map is refused with the reason") {
  for (const char* name : {"rgb8.png", "rgba8.png", "grey_alpha8.png", "grey16.png", "rgb16.png"}) {
    const std::string text = refusal_of([&] { read_labels(kPictures + name); });
    CAPTURE(text);
    CHECK(contains(text, std::string(name) + ": "));
    CHECK(contains(text, "one class index per pixel"));
  }
  CHECK(contains(refusal_of([] { read_labels(kPictures + "full.jpg"); }), "lossless"));
}

TEST_CASE("image: written files read back, and leave nothing else behind") {
  const TempFolder folder;
  Image image(5, 3);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 5);
  LabelMap labels(4, 2);
  labels.index = {0, 1, 2, 3, 252, 253, 254, 255};
  write_image(folder.file("a.png"), image);
  write_image(folder.file("a.png"), image);
  write_labels(folder.file("b.png"), labels);
  CHECK(read_image(folder.file("a.png")).rgb == image.rgb);
  CHECK(read_labels(folder.file("b.png")).index == labels.index);
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator{}) == 2);
  CHECK_THROWS_AS(write_image(folder.file("none/a.png"), image), Error);
  CHECK_THROWS_AS(write_image(folder.file("c.png"), Image()), Error);
  fs::create_directory(folder.file("d.png"));
  CHECK_THROWS_AS(write_image(folder.file("d.png"), image), Error);
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator{}) == 3);
}

TEST_CASE("image: colours and overlays") {
  LabelMap labels(2, 1);
  labels.index = {1, 7};
  const Image colors = colorize(labels, {{1, 2, 3}, {40, 50, 60}});
  CHECK(colors.rgb == Bytes{40, 50, 60, 0, 0, 0});
  Image image(2, 1);
  image.rgb = {100, 100, 100, 100, 100, 255};
  CHECK(overlay(image, colors, 0.5).rgb == Bytes{70, 75, 80, 50, 50, 128});
  CHECK_THROWS_AS(overlay(image, Image(1, 2), 0.5), ShapeError);
}

TEST_CASE("image: missing, empty, foreign and special files are refused, naming them") {
  const TempFolder folder;
  CHECK(contains(refusal_of([&] { read_image(folder.file("no.png")); }), folder.file("no.png: there is no such file")));
  spill(folder.file("empty.png"), {});
  CHECK(contains(refusal_of([&] { read_image(folder.file("empty.png")); }), "is empty"));
  spill(folder.file("text.jpg"), {'h', 'e', 'l', 'l', 'o', ' ', 'y', 'o', 'u'});
  CHECK(contains(refusal_of([&] { read_image(folder.file("text.jpg")); }), "neither JPEG nor PNG"));
  CHECK(contains(refusal_of([&] { read_image_size(folder.file("text.jpg")); }), "neither JPEG nor PNG"));
  CHECK(contains(refusal_of([&] { read_image(folder.path()); }), "not a regular file"));
  CHECK(contains(refusal_of([&] { read_image("/dev/zero"); }), "not a regular file"));
  REQUIRE(mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(contains(refusal_of([&] { read_image(folder.file("pipe")); }), "not a regular file"));
  // The name does not matter.
  fs::copy_file(kPictures + "rgb8.png", folder.file("picture.jpg"));
  CHECK(read_image(folder.file("picture.jpg")).rgb == slurp(kPictures + "rgb8.rgb"));
}

TEST_CASE("image: bytes before a restart marker are damage, however many; zeros and fill bytes are not") {
  const TempFolder folder;
  const std::string path = folder.file("stray.jpg");
  const Bytes whole = slurp(kPictures + "restart.jpg");
  const Bytes pixels = decode(path, whole).rgb;
  int markers = 0;
  for (size_t at = 2; at + 1 < whole.size(); ++at) {
    if (whole[at] != 0xFF || whole[at + 1] < 0xD0 || whole[at + 1] > 0xD7) continue;
    ++markers;
    const auto with = [&](const Bytes& stray) {
      Bytes bytes = whole;
      bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at), stray.begin(), stray.end());
      return bytes;
    };
    CHECK(decode(path, with(Bytes(40, 0))).rgb == pixels);
    CHECK(decode(path, with(Bytes(3, 0xFF))).rgb == pixels);
    for (const size_t size : {1, 15, 16, 100, 1500}) {
      CAPTURE(size);
      Bytes stray(size);
      for (size_t i = 0; i < size; ++i) stray[i] = static_cast<uint8_t>(1 + (29 * i + size) % 251);
      CHECK(contains(refusal_of([&] { decode(path, with(stray)); }), "damaged JPEG: its coded data"));
    }
  }
  CHECK(markers > 3);
}

TEST_CASE("image: of a PNG's orientations the first counts, as for libpng") {
  const TempFolder folder;
  const std::string path = folder.file("twice.png");
  const auto chunk = [](const std::string& name, const Bytes& content) {
    Bytes bytes(4);
    put_u32(bytes, 0, static_cast<uint32_t>(content.size()));
    bytes.insert(bytes.end(), name.begin(), name.end());
    bytes.insert(bytes.end(), content.begin(), content.end());
    const uint32_t sum = crc32(&bytes[4], bytes.size() - 4);
    bytes.resize(bytes.size() + 4);
    put_u32(bytes, bytes.size() - 4, sum);
    return bytes;
  };
  const Bytes turned = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0};
  Bytes without = turned;
  without[10] = 0x13;  // another entry
  const Bytes whole = slurp(kPictures + "rgb8.png");
  const Image picture = decode(path, whole);
  REQUIRE(picture.width != picture.height);
  const auto with = [&](const std::vector<Bytes>& contents) {
    Bytes bytes = whole;
    ptrdiff_t at = 8 + 25;  // behind signature and IHDR
    for (const Bytes& content : contents) {
      const Bytes part = chunk("eXIf", content);
      bytes.insert(bytes.begin() + at, part.begin(), part.end());
      at += static_cast<ptrdiff_t>(part.size());
    }
    return decode(path, bytes);
  };
  CHECK(with({turned}).width == picture.height);
  CHECK(with({turned, without}).width == picture.height);
  CHECK(with({without, turned}).width == picture.width);
  CHECK(with({Bytes{'X', 'X', 42, 0}, turned}).width == picture.height);  // the first is none
}

TEST_CASE("image: every truncation is refused, but where only an end marker is gone") {
  const TempFolder folder;
  const std::string path = folder.file("cut");
  for (const char* name : {"rgb8.png", "palette4_interlaced.png", "full.jpg", "progressive.jpg", "restart.jpg"}) {
    CAPTURE(name);
    const Bytes whole = slurp(kPictures + name);
    const Bytes pixels = decode(path, whole).rgb;
    const size_t end = is_jpeg(whole) ? whole.size() - 2 : whole.size();
    for (size_t size = 0; size < whole.size(); ++size) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      if (size >= end) {
        CHECK(decode(path, cut).rgb == pixels);
        continue;
      }
      std::string text = refusal_of([&] { decode(path, cut); });
      if (size % 100 == 0) {
        spill(path, cut);
        text = refusal_of([&] { read_image(path); });
        refusal_of([&] { read_image_size(path); });
      }
      if (text.substr(0, path.size() + 2) != path + ": ") {
        FAIL_CHECK(name << " cut at " << size << ": '" << text << "'");
      }
    }
  }
}

TEST_CASE("image: flipped bits give a refusal or a picture") {
  for (const char* name : {"rgb8.png", "palette2_interlaced.png", "full.jpg", "half.jpg", "progressive.jpg"}) {
    CAPTURE(name);
    const Bytes whole = slurp(kPictures + name);
    Random draws(9, Purpose::test);
    int refused = 0;
    int tried = 0;
    // Each byte once with a chosen bit, then a few at random places together.
    for (size_t round = 0; round < whole.size() + 300; ++round) {
      Bytes bytes = whole;
      const int flips = round < whole.size() ? 1 : 4;
      for (int i = 0; i < flips; ++i) {
        const size_t place = flips == 1 ? round : draws.next_below(static_cast<uint32_t>(whole.size()));
        bytes[place] = static_cast<uint8_t>(bytes[place] ^ (1U << draws.next_below(8)));
      }
      ++tried;
      refused += !refusal_of([&] { decode("flipped", bytes); }).empty();
      if (is_png(bytes)) refusal_of([&] { decode_png_labels("flipped", bytes); });
    }
    CHECK(refused > 0);
    // A PNG carries checksums over everything.
    if (std::strstr(name, ".png") != nullptr) CHECK(refused == tried);
  }
}

TEST_CASE("image: JPEGs with broken or missing tables") {
  const TempFolder folder;
  const std::string path = folder.file("tables.jpg");
  const Bytes whole = slurp(kPictures + "full.jpg");
  const auto marker = [](Bytes& bytes, uint8_t code) {
    const uint8_t both[] = {0xFF, code};
    const auto found = std::search(bytes.begin(), bytes.end(), std::begin(both), std::end(both));
    REQUIRE(found != bytes.end());
    return found;
  };
  Bytes bytes = whole;
  *(marker(bytes, 0xC4) + 5 + 15) = 250;
  spill(path, bytes);
  CHECK(contains(refusal_of([&] { read_image(path); }), "too many codes"));
  bytes = whole;
  *(marker(bytes, 0xDB) + 1) = 0xE5;  // An application's segment, to be passed over.
  spill(path, bytes);
  CHECK(contains(refusal_of([&] { read_image(path); }), "Quantization table 0x00 was not defined"));
  // Progressive files have tables of their own, while the standard ones stand in for those that a sequential file
  // lacks.
  bytes = slurp(kPictures + "progressive.jpg");
  *(marker(bytes, 0xC4) + 1) = 0xE5;
  spill(path, bytes);
  CHECK(contains(refusal_of([&] { read_image(path); }), "Huffman table that is missing"));
  bytes = whole;
  *(marker(bytes, 0xC0) + 1) = 0xC9;
  spill(path, bytes);
  CHECK(contains(refusal_of([&] { read_image(path); }), "arithmetic"));
}

TEST_CASE("image: huge sizes in a small file are refused at once") {
  const TempFolder folder;
  const std::string path = folder.file("huge");
  const auto start = std::chrono::steady_clock::now();
  const Bytes png = slurp(kPictures + "rgb8.png");
  struct Size {
    uint32_t width, height;
    const char* reason;
  };
  for (const Size& size :
       {Size{13377, 13377, "cannot hold"}, Size{13378, 13378, "at most"}, Size{178956970, 1, "cannot hold"},
        Size{0x7FFFFFFF, 0x7FFFFFFF, ""}, Size{0xFFFFFFFF, 1, ""}, Size{0, 5, ""}}) {
    spill(path, resized_png(png, size.width, size.height));
    const std::string text = refusal_of([&] { read_image(path); });
    CAPTURE(text);
    CHECK(!text.empty());
    CHECK(contains(text, size.reason));
  }
  Bytes jpeg = slurp(kPictures + "full.jpg");
  const uint8_t frame[] = {0xFF, 0xC0, 0x00, 0x11, 0x08};
  const auto found = std::search(jpeg.begin(), jpeg.end(), std::begin(frame), std::end(frame));
  REQUIRE(found != jpeg.end());
  std::fill_n(found + 5, 4, uint8_t{0xFF});
  spill(path, jpeg);
  CHECK(contains(refusal_of([&] { read_image(path); }), "at most"));
  *(found + 5) = 0x0A;
  spill(path, jpeg);
  CHECK(contains(refusal_of([&] { read_image(path); }), "at most"));
  *(found + 7) = 0x3C;
  spill(path, jpeg);
  CHECK(contains(refusal_of([&] { read_image(path); }), "cannot hold"));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  CHECK(seconds.count() < 1);
}

}  // namespace giza::train
