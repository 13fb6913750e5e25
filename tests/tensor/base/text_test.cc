// Foreign text: quoted in messages, read line by line, cut into fields; and the hash that tells texts apart.
#include "tensor/base/text.h"

#include <doctest/doctest.h>

#include "tensor/base/check.h"
#include "tensor/base/hash.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza {
namespace {

TEST_CASE("text: a quotation is one line, and says where it was cut") {
  CHECK(quotable("a\tb\nc\x1b[31m\x7f") == "a?b?c?[31m?");
  CHECK(quotable("abcd", 4) == "abcd");
  CHECK(quotable("abcde", 4) == "abcd...");
  CHECK(quotable("") == "");
  CHECK(quotable("caf\xC3\xA9") == "caf\xC3\xA9");  // bytes above 127 are no control characters
}

TEST_CASE("text: lines have their numbers, and neither blanks nor line ends around them") {
  const TempFolder folder;
  const std::string path = folder.file("lines.txt");
  write_bytes(path, "\xEF\xBB\xBF one \r\n\n \t\r\ntwo words\n\nlast");
  using Lines = std::vector<std::pair<int, std::string>>;
  const auto lines_of_file = [&] {
    Lines lines;
    for_each_line(path, [&](int number, std::string_view line) { lines.emplace_back(number, line); });
    return lines;
  };
  CHECK(lines_of_file() == Lines{{1, "one"}, {4, "two words"}, {6, "last"}});

  write_bytes(path, "\xEF\xBBx\n");  // no byte order mark
  CHECK(lines_of_file() == Lines{{1, "\xEF\xBBx"}});
  write_bytes(path, std::string("\xFF\xFE\0\0a\0\0\0", 8));
  CHECK(contains(message_of<Refusal>([&] { lines_of_file(); }), path + ": is text in UTF-32"));
  write_bytes(path, std::string("\xFF\xFE"
                                "a\0",
                                4));
  CHECK(contains(message_of<Refusal>([&] { lines_of_file(); }), path + ": is text in UTF-16"));
  write_bytes(path, std::string("one\nt\0o\n", 8));
  CHECK(contains(message_of<Refusal>([&] { lines_of_file(); }), path + ":2: holds a zero byte"));
}

TEST_CASE("text: fields between spaces and tabs") {
  CHECK(split_fields("  10\t 20  30 ") == std::vector<std::string>{"10", "20", "30"});
  CHECK(split_fields("one") == std::vector<std::string>{"one"});
  CHECK(split_fields(" \t ").empty());
}

TEST_CASE("text: the number that some digits tell, and 0 of what is too small for them") {
  CHECK(with_digits(3.14159265, 3) == 3.14);
  CHECK(with_digits(-123456.0, 2) == -120000.0);
  CHECK(with_digits(0, 4) == 0);
  CHECK(with_digits(1.23456e300, 4) == 1.235e300);
  CHECK(with_digits(1.234567e-310, 4) < 1e-300);
  CHECK(with_digits(1.234567e-310, 4) >= 0);
}

TEST_CASE("FNV-1a: the authors' known answers") {
  const auto hash_of = [](std::string_view bytes) {
    Fnv1a hash;
    hash.add_bytes(bytes);
    return hash.value();
  };
  CHECK(hash_of("") == 0xcbf29ce484222325U);
  CHECK(hash_of("a") == 0xaf63dc4c8601ec8cU);
  CHECK(hash_of("foobar") == 0x85944171f73967e8U);
}

}  // namespace
}  // namespace giza
