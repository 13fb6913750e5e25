// JPEG and PNG files of all the kinds that are met, and damaged ones, against OpenCV (see make_picture_variants.py).
#include <doctest/doctest.h>

#include <span>
#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/hash.h"
#include "tests/support/picture_variants.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "train/data/image/image.h"

namespace giza::train {
namespace {

std::string hash_of(const std::vector<uint8_t>& bytes) {
  Fnv1a hash;
  hash.add_bytes(bytes);
  return fmt::format("{:016x}", hash.value());
}

void check_picture(const nlohmann::json& entry, const std::string& path, std::span<const uint8_t> bytes) {
  const int width = entry["width"], height = entry["height"];
  const Image image = decode_image(path, bytes);
  CHECK(image.width == width);
  CHECK(image.height == height);
  CHECK(hash_of(image.rgb) == entry["rgb"]);
  CHECK(read_image_size(path) == std::array<int, 2>{width, height});
  if (!entry.contains("labels")) return;
  const LabelMap labels = decode_labels(path, bytes);
  CHECK(labels.width == width);
  CHECK(labels.height == height);
  CHECK(hash_of(labels.index) == entry["labels"]);
}

void check_refusal(const nlohmann::json& entry, const std::string& path) {
  try {
    read_image(path);
    FAIL_CHECK("was read; expected a refusal with: " << entry["refused"]);
  } catch (const Refusal& refusal) {
    const std::string text = refusal.what();
    CAPTURE(text);
    CHECK(text.starts_with(path + ": "));
    CHECK(contains(text, entry["refused"].get<std::string>()));
  }
}

}  // namespace

TEST_CASE("image: what OpenCV shows, or a refusal that says what the file is") {
  const TempFolder folder;
  const std::string path = folder.file("picture");  // no ending: the content alone counts
  const PictureVariants variants;
  int read = 0;
  int refused = 0;
  for (const auto& entry : variants.entries()) {
    CAPTURE(entry["name"]);
    const auto bytes = variants.bytes(entry);
    write_file(path, bytes, OutputFile::Durability::unsynced);
    if (entry.contains("refused")) {
      ++refused;
      check_refusal(entry, path);
    } else {
      ++read;
      CHECK_NOTHROW(check_picture(entry, path, bytes));
    }
  }
  CHECK(read >= 600);
  CHECK(refused >= 130);
}

}  // namespace giza::train
