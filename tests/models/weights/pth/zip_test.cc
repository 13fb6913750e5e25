// The zip reader against archives of its own writer, and archives that lie.
#include <cstring>

#include "models/weights/pth/zip_reader.h"
#include "models/weights/pth/zip_writer.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"
#include "tests/models/weights/pth/pth_testing.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::models {
namespace {

constexpr size_t kEnd = 22, kLocator = 20, kEnd64 = 56;

/// Two records, "a" of five bytes and "folder/b" of none, and one of 1000.
void write_small(const std::string& path, uint64_t zip64_from = 0xFFFFFFFF) {
  ZipWriter zip(path, zip64_from);
  zip.add("a", "hello");
  zip.add("folder/b", "");
  zip.add("c", std::string(1000, 'c'));
  zip.finish();
}

void check_small(const std::string& path) {
  const InputFile file(path, "a zip");
  const ZipReader zip(file);
  REQUIRE(zip.records().size() == 3);
  REQUIRE(zip.find("a") != nullptr);
  CHECK(zip.read(*zip.find("a"), 5) == "hello");
  CHECK(zip.read(*zip.find("folder/b"), 0).empty());
  CHECK(zip.read(*zip.find("c"), 2000) == std::string(1000, 'c'));
  CHECK(zip.find("b") == nullptr);
  for (const ZipRecord& record : zip.records()) CHECK(record.offset % 64 == 0);
  CHECK_THROWS_AS(static_cast<void>(zip.read(*zip.find("a"), 4)), Refusal);
}

TEST_CASE("zip: what is written is read back, with zip64 fields where asked for") {
  const TempFolder folder;
  for (const uint64_t zip64_from : {uint64_t{0xFFFFFFFF}, uint64_t{500}, uint64_t{1}, uint64_t{0}}) {
    CAPTURE(zip64_from);
    const std::string path = folder.file(std::to_string(zip64_from));
    write_small(path, zip64_from);
    check_small(path);
  }
}

TEST_CASE("zip: a comment, and bytes behind the archive") {
  const TempFolder folder;
  const std::string path = folder.file("archive.zip");
  write_small(path);
  const std::string whole = read_bytes(path);
  const auto behind = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    check_small(path);
    const InputFile file(path, "a zip");
    return ZipReader(file).bytes_behind();
  };
  const auto with_comment = [&](const std::string& comment) {
    return whole.substr(0, whole.size() - 2) + raw(static_cast<uint16_t>(comment.size())) + comment;
  };
  CHECK(behind(whole) == 0);
  CHECK(behind(with_comment("made by hand")) == 0);
  CHECK(behind(with_comment(std::string(65'535, 'c'))) == 0);
  CHECK(behind(whole + "x") == 1);
  CHECK(behind(whole + std::string(60'000, '\0')) == 60'000);
  CHECK(behind(with_comment("abc") + "x") == 1);
}

TEST_CASE("zip: archives that lie") {
  const TempFolder folder;
  write_small(folder.file("whole"));
  const std::string whole = read_bytes(folder.file("whole"));
  const std::string path = folder.file("lie.zip");
  const auto refusal = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    std::string text = message_of<Refusal>([&] {
      const InputFile file(path, "a zip");
      const ZipReader zip(file);
      for (const ZipRecord& record : zip.records()) static_cast<void>(zip.read(record, 2000));
    });
    CHECK(text.starts_with(path + ": "));
    return text;
  };
  const auto changed = [&](size_t at, const std::string& bytes) {
    std::string copy = whole;
    return refusal(copy.replace(at, bytes.size(), bytes));
  };
  const size_t central = whole.find("PK\x01\x02"), end = whole.size() - kEnd, locator = end - kLocator,
               end64 = locator - kEnd64;
  const size_t second = whole.find("PK\x01\x02", central + 1);

  // The end: a comment that is cut off, other disks, counts and places that disagree.
  CHECK(contains(changed(end + 20, raw(uint16_t{1})), "comment of the archive is cut off"));
  CHECK(contains(changed(end + 4, raw(uint16_t{1})), "parts"));
  CHECK(contains(changed(end + 8, raw(uint16_t{2})), "parts"));
  CHECK(contains(changed(end + 8, raw(uint16_t{2}) + raw(uint16_t{2})), "does not agree"));
  CHECK(contains(changed(end + 16, raw(uint32_t{0})), "does not agree"));
  CHECK(contains(changed(locator + 8, raw(uint64_t{0})), "not where it should be"));
  CHECK(contains(changed(end64 + 24, raw(uint64_t{4}) + raw(uint64_t{4})), "does not agree"));
  CHECK(contains(refusal(whole + std::string(66'000, 'x')), "does not end as"));
  CHECK(contains(refusal(whole + whole), "not where it should be"));
  CHECK(contains(refusal("x" + whole), "not where it should be"));
  CHECK(contains(refusal("PK"), "too few"));
  CHECK(contains(refusal(whole.substr(0, end64) + whole.substr(end).replace(8, 4, raw(uint32_t{0xFFFEFFFE}))),
                 "records"));
  CHECK(contains(refusal(whole.substr(0, end64) + whole.substr(end).replace(12, 4, raw(uint32_t{5}))), "directory"));
  // Without the zip64 records it is as good.
  write_bytes(path, whole.substr(0, end64) + whole.substr(end));
  check_small(path);

  // The directory.
  CHECK(contains(changed(central + 10, raw(uint16_t{8})), "compressed"));
  CHECK(contains(changed(central + 8, raw(uint16_t{1})), "encrypted"));
  CHECK(contains(changed(central + 24, raw(uint32_t{6})), "encrypted or of a kind"));
  CHECK(contains(changed(central + 20, raw(uint32_t{5000}) + raw(uint32_t{5000})), "header of record a"));
  CHECK(contains(changed(central + 20, raw(UINT32_MAX) + raw(UINT32_MAX)), "zip64"));
  CHECK(contains(changed(central + 16, raw(uint32_t{1})), "header of record a"));
  CHECK(contains(changed(central + 28, raw(uint16_t{60000})), "damaged"));
  CHECK(contains(changed(central + 42, raw(uint32_t{1})), "header of record a"));
  CHECK(contains(changed(central + 42, raw(UINT32_MAX - 1)), "behind the last"));
  CHECK(contains(changed(central + 46, "c"), "c occurs twice"));
  CHECK(contains(changed(second, "x"), "record 1 of 3"));

  // The local headers.
  CHECK(contains(changed(0, "x"), "header of record a"));
  CHECK(contains(changed(8, raw(uint16_t{8})), "header of record a"));
  CHECK(contains(changed(30, "b"), "header of record a"));
  CHECK(contains(changed(28, raw(uint16_t{60000})), "more than the file holds"));
  CHECK(contains(changed(64, "H"), "checksum of record a"));
}

TEST_CASE("zip: overlapping records") {
  // A second directory entry for the same bytes under another name is what a bomb without compression is made of; its
  // local header would have to have that name, so the header lies within the first record's data.
  const TempFolder folder;
  const std::string path = folder.file("overlap.zip");
  ZipWriter inner_zip(folder.file("inner"));
  inner_zip.add("inner", "hello");
  inner_zip.finish();
  const std::string inner = read_bytes(folder.file("inner"));
  const size_t inner_central = inner.find("PK\x01\x02");
  const std::string local = inner.substr(0, inner_central);
  ZipWriter zip(path);
  zip.add("outer", local);
  zip.finish();
  std::string bytes = read_bytes(path);
  const size_t central = bytes.find("PK\x01\x02"), end64 = bytes.size() - kEnd - kLocator - kEnd64;
  const size_t entry_size = 46 + 5;
  std::string entry = inner.substr(inner_central, entry_size);
  entry.replace(42, 4, raw(static_cast<uint32_t>(bytes.find(local, 1))));
  const std::string end = std::string("PK\x05\x06") + std::string(4, '\0') + raw(uint16_t{2}) + raw(uint16_t{2}) +
                          raw(static_cast<uint32_t>(2 * entry_size)) + raw(static_cast<uint32_t>(central)) +
                          std::string(2, '\0');
  write_bytes(path, bytes.substr(0, end64) + entry + end);
  CHECK(contains(message_of<Refusal>([&] {
                   const InputFile file(path, "a zip");
                   const ZipReader zip_reader(file);
                 }),
                 "record inner begins at byte 64, inside another record"));
}

TEST_CASE("input files: what is no file") {
  const TempFolder folder;
  CHECK(
      contains(message_of<Refusal>([&] { InputFile(folder.file("none"), "a zip"); }), "no such file, expected a zip"));
  CHECK(contains(message_of<Refusal>([&] { InputFile(folder.path(), "a zip"); }), "not a regular file"));
  CHECK(contains(message_of<Refusal>([&] { InputFile("/dev/zero", "a zip"); }), "not a regular file"));
  write_bytes(folder.file("f"), "abc");
  const InputFile file(folder.file("f"), "");
  CHECK(file.read_at(1, 2) == "bc");
  char buffer[4];
  CHECK_THROWS_AS(file.read_at(2, buffer, 2), Refusal);
  CHECK_THROWS_AS(file.read_at(UINT64_MAX, buffer, 2), Refusal);
  CHECK_THROWS_AS(static_cast<void>(file.read_at(0, 4)), Refusal);
  CHECK(quotable("a\nb\x1b") == "a?b?");
}

}  // namespace
}  // namespace giza::models
