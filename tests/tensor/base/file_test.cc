// Files read with limits, and written whole or not at all, whatever stands at their path.
#include "tensor/base/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza {
namespace {

namespace fs = std::filesystem;

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

size_t files_in(const std::string& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST_CASE("output file: nothing changes before commit, and nothing stays without it") {
  const TempFolder folder;
  const std::string path = folder.file("a");
  write_bytes(path, "old");
  {
    OutputFile file(path);
    file.write("new");
    CHECK(read_bytes(path) == "old");
  }
  CHECK(read_bytes(path) == "old");
  CHECK(files_in(folder.path()) == 1);
  OutputFile file(path);
  file.write("n");
  file.write("ew");
  file.commit();
  CHECK(read_bytes(path) == "new");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("output file: a mode that was set stays, a new file has the usual one") {
  const TempFolder folder;
  const std::string path = folder.file("private");
  write_bytes(path, "old");
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  write_file(path, "new");
  CHECK(mode_of(path) == 0600);
  REQUIRE(::chmod(path.c_str(), 0664) == 0);
  write_file(path, "newer");
  CHECK(mode_of(path) == 0664);
  const mode_t mask = ::umask(027);
  write_file(folder.file("fresh"), "new");
  ::umask(mask);
  CHECK(mode_of(folder.file("fresh")) == 0640);
}

TEST_CASE("output file: links stay, and what they lead to is replaced or made") {
  const TempFolder folder;
  fs::create_directory(folder.file("store"));
  write_bytes(folder.file("store/there"), "old");
  fs::create_symlink("store/there", folder.file("link"));
  fs::create_symlink("link", folder.file("link_to_link"));
  fs::create_symlink("store/missing", folder.file("dangling"));
  write_file(folder.file("link_to_link"), "new");
  write_file(folder.file("dangling"), "made");
  CHECK(fs::read_symlink(folder.file("link_to_link")) == "link");
  CHECK(fs::read_symlink(folder.file("link")) == "store/there");
  CHECK(fs::read_symlink(folder.file("dangling")) == "store/missing");
  CHECK(read_bytes(folder.file("store/there")) == "new");
  CHECK(read_bytes(folder.file("store/missing")) == "made");
  fs::create_symlink("circle", folder.file("circle"));
  CHECK(contains(message_of<Error>([&] { write_file(folder.file("circle"), "x"); }), "too many links"));
}

TEST_CASE("output file: pipes and devices are written to, and stay what they are") {
  const TempFolder folder;
  const std::string pipe = folder.file("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::string seen;
  std::thread reader([&] { seen = read_bytes(pipe); });
  write_file(pipe, "through the pipe");
  reader.join();
  CHECK(seen == "through the pipe");
  CHECK(fs::is_fifo(pipe));
  write_file("/dev/null", "nowhere");
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(
      contains(message_of<Error>([] { write_file("/dev/full", "x"); }), "/dev/full: cannot be written: No space left"));
  CHECK(fs::is_character_file("/dev/full"));
}

TEST_CASE("output file: an inherited descriptor goes on where it stands") {
  const TempFolder folder;
  const std::string path = folder.file("log");
  write_bytes(path, "before ");
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND);
  REQUIRE(descriptor >= 0);
  write_file("/dev/fd/" + std::to_string(descriptor), "after");
  ::close(descriptor);
  CHECK(read_bytes(path) == "before after");
  CHECK(contains(message_of<Error>([] { write_file("/dev/fd/987654", "x"); }), "/dev/fd/987654: cannot be opened"));
  CHECK(contains(message_of<Error>([] { write_file("/dev/fd/1x", "x"); }), "/dev/fd/1x: cannot be"));  // not 1
}

TEST_CASE("output file: what it refuses") {
  const TempFolder folder;
  CHECK(contains(message_of<Refusal>([&] { write_file(folder.path(), "x"); }), ": this is a folder"));
  CHECK(contains(message_of<Refusal>([&] { write_file("", "x"); }), "is empty"));
  CHECK(contains(message_of<Error>([&] { write_file(folder.file("no/such"), "x"); }), "No such file"));
}

TEST_CASE("output file: names as long as the file system has them") {
  const TempFolder folder;
  const std::string path = folder.file(std::string(255, 'n'));
  write_file(path, "x");
  CHECK(read_bytes(path) == "x");
}

TEST_CASE("output file: what killed processes left is removed, what is being written stays") {
  const TempFolder folder;
  const std::string left = folder.file(".giza-0123456789abcdef.tmp"), live = folder.file(".giza-fedcba9876543210.tmp");
  const std::string foreign = folder.file(".giza-notes.tmp"), link = folder.file(".giza-00000000000000ff.tmp");
  for (const std::string& path : {left, live, foreign}) write_bytes(path, "half");
  fs::create_symlink("anywhere", link);
  const int descriptor = ::open(live.c_str(), O_RDONLY);
  REQUIRE(::flock(descriptor, LOCK_EX) == 0);
  write_file(folder.file("a"), "x");
  CHECK(!fs::exists(left));
  CHECK(!fs::is_symlink(link));
  CHECK(fs::exists(live));
  CHECK(fs::exists(foreign));
  ::close(descriptor);
}

TEST_CASE("point_link_at: a link, or where there are none another name") {
  const TempFolder folder;
  const std::string last = folder.file("last");
  for (const char* name : {"one", "two"}) {
    write_bytes(folder.file(name), name);
    point_link_at(last, name);
    CHECK(read_bytes(last) == name);
    CHECK(fs::read_symlink(last) == name);
  }
  CHECK(files_in(folder.path()) == 3);
}

TEST_CASE("kept files: none is written over, by whatever name, as long as they are kept") {
  const TempFolder folder;
  for (const char* name : {"a", "b"}) write_bytes(folder.file(name), name);
  fs::create_symlink("a", folder.file("link"));
  fs::create_hard_link(folder.file("a"), folder.file("twin"));
  const auto refusal = [&](const char* name) {
    return message_of<Refusal>([&] { write_file(folder.file(name), std::string_view("new")); });
  };
  {
    const KeptFiles kept({folder.file("a"), folder.file("none")});
    const KeptFiles again({folder.file("link")});
    CHECK(contains(refusal("a"), "a: is read by this command, and would be overwritten"));
    CHECK(contains(refusal("link"), "link: is read by this command as " + folder.file("a")));
    CHECK(contains(refusal("twin"), "twin: is read by this command as "));
    CHECK_THROWS_AS(check_not_kept(folder.file("a")), Refusal);
    CHECK_THROWS_AS(point_link_at(folder.file("a"), "b"), Refusal);
    point_link_at(folder.file("link"), "b");  // the link goes, not what it led to
    CHECK(read_bytes(folder.file("a")) == "a");
    write_file(folder.file("b"), std::string_view("new"));
    write_file(folder.file("none"), std::string_view("new"));
  }
  check_not_kept(folder.file("a"));
  write_file(folder.file("a"), std::string_view("new"));
  CHECK(read_bytes(folder.file("a")) == "new");
}

TEST_CASE("input file: the end, pipes and folders") {
  const TempFolder folder;
  write_bytes(folder.file("a"), "12345");
  const InputFile file(folder.file("a"));
  CHECK(file.size() == 5);
  CHECK(file.read_at(1, 3) == "234");
  CHECK(contains(message_of<Refusal>([&] { file.read_at(3, 3); }), "3 bytes at 3 are needed, the file has 5"));
  CHECK(contains(message_of<Refusal>([&] { file.read_at(UINT64_MAX, 2); }), "the file has 5"));
  fs::resize_file(folder.file("a"), 2);
  CHECK(contains(message_of<Refusal>([&] { file.read_at(1, 3); }), "ends at byte 2"));
  CHECK(contains(message_of<Refusal>([&] { InputFile(folder.path()); }), "not a regular file"));
  CHECK(contains(message_of<Refusal>([&] { InputFile(folder.file("b")); }), "no such file"));
  CHECK(contains(message_of<Refusal>([&] { read_file(folder.file("a"), 1); }), "has 2 bytes, at most 1"));
  CHECK(read_file(folder.file("a"), 2).size() == 2);
  CHECK(read_file_prefix(folder.file("a"), 100).size() == 2);
}

}  // namespace
}  // namespace giza
