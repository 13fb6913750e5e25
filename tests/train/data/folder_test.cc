// Folders of pictures: links, and what cannot be looked at.
#include "train/data/folder.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

TEST_CASE("folder: pictures in it and below, through links, sorted") {
  const TempFolder temp;
  for (const char* name : {"photos", "photos/b", "store", ".hidden"}) fs::create_directory(temp.file(name));
  for (const char* name : {"photos/z.png", "photos/b/a.JPG", "photos/b/notes.txt", "photos/.c.png", "store/s.jpeg",
                           "photos/b/d.jfif", "photos/b/e.JPE", "photos/b/f.jpx"}) {
    write_bytes(temp.file(name), "x");
  }
  fs::create_symlink("../store", temp.file("photos/linked"));
  fs::create_symlink("../store/s.jpeg", temp.file("photos/m.jpeg"));
  // Two ways to one folder are no circle.
  fs::create_symlink("../store", temp.file("photos/again"));
  std::vector<std::string> expected;
  for (const char* name : {"again/s.jpeg", "b/a.JPG", "b/d.jfif", "b/e.JPE", "linked/s.jpeg", "m.jpeg", "z.png"}) {
    expected.push_back(temp.file(std::string("photos/") + name));
  }
  CHECK(pictures_below(temp.file("photos")) == expected);
  std::vector<std::string> others;
  CHECK(pictures_below(temp.file("photos"), &others) == expected);
  CHECK(others == std::vector<std::string>{temp.file("photos/b/f.jpx"), temp.file("photos/b/notes.txt")});
}

TEST_CASE("folder: a link that leads nowhere is neither folder nor file, and said") {
  const TempFolder folder;
  std::filesystem::create_symlink("nowhere", folder.file("a"));
  CHECK(contains(message_of<Refusal>([&] { is_folder(folder.file("a")); }), "a: is a link that leads nowhere"));
  CHECK(contains(message_of<Refusal>([&] { is_file(folder.file("a")); }), "a: is a link that leads nowhere"));
  CHECK_FALSE(is_folder(folder.file("b")));
  CHECK_FALSE(is_file(folder.file("b")));
}

TEST_CASE("folder: what is passed over is told in a few words") {
  CHECK(passed_over({}).empty());
  CHECK(passed_over({"x/a.webp"}) == "a.webp is passed over: no JPEG or PNG by its name");
  CHECK(passed_over({"x"}, "*_y.png") == "x is passed over: no *_y.png by its name");
  CHECK(passed_over({"a", "b"}) == "a and b are passed over: no JPEG or PNG by their names");
  CHECK(passed_over({"a", "b", "c"}) == "a, b and c are passed over: no JPEG or PNG by their names");
  CHECK(passed_over({"a", "b", "c", "d", "e"}) == "a, b, c and 2 more are passed over: no JPEG or PNG by their names");
}

TEST_CASE("folder: links that lead nowhere, or back, are refused by name") {
  const TempFolder temp;
  fs::create_directories(temp.file("a/b"));
  write_bytes(temp.file("a/x.png"), "x");
  const auto refusal = [&] { return message_of<Refusal>([&] { pictures_below(temp.file("a")); }); };
  SUBCASE("a circle") {
    fs::create_symlink("..", temp.file("a/b/up"));
    CHECK(contains(refusal(), "a/b/up: is a link to a folder that it is in itself"));
  }
  SUBCASE("a picture that is gone") {
    fs::create_symlink("gone.png", temp.file("a/b/y.png"));
    CHECK(contains(refusal(), "a/b/y.png: is a link to a file that is not there"));
  }
  SUBCASE("a folder that is gone") {
    fs::create_symlink("gone", temp.file("a/linked"));
    CHECK(contains(refusal(), "a/linked: is a link to a folder that is not there"));
  }
  SUBCASE("a link to itself") {
    fs::create_symlink("self.png", temp.file("a/self.png"));
    CHECK(contains(refusal(), "a/self.png: cannot be looked at: Too many levels of symbolic links"));
  }
}

}  // namespace
}  // namespace giza::train
