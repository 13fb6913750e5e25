// List, names and colours files, good and bad.
#include "train/data/list.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::train {
namespace {

/// A file with the given text, in a folder that goes away.
struct TextFile {
  TempFolder temp;
  std::string folder = temp.path(), path = temp.file("list.txt");
  explicit TextFile(const std::string& text) { write_bytes(path, text); }
};

/// The refusal of a list, without the file's name, from the line number on.
std::string list_fault(const std::string& text, LabelColumn column = LabelColumn::required) {
  const TextFile file(text);
  const std::string fault = message_of<Refusal>([&] { read_list(file.path, "/data", column); });
  return fault.rfind(file.path + ":", 0) == 0 ? fault.substr(file.path.size() + 1) : fault;
}

bool starts_with(const std::string& text, const std::string& start) { return text.rfind(start, 0) == 0; }

}  // namespace

TEST_CASE("list: lines, blanks, comments, line ends and a byte order mark") {
  const TextFile file("\xEF\xBB\xBFimages/a.png labels/a.png\r\n\n# a comment\n  b.jpg\t/abs/b.png  \r\nc.png c_l.png");
  const std::vector<ListEntry> entries = read_list(file.path, "/data");
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].image == "/data/images/a.png");
  CHECK(entries[0].label == "/data/labels/a.png");
  CHECK(entries[0].line == 1);
  CHECK(entries[1].image == "/data/b.jpg");
  CHECK(entries[1].label == "/abs/b.png");
  CHECK(entries[1].line == 4);
  CHECK(entries[2].line == 5);
  CHECK(read_list(file.path, "root/")[0].image == "root/images/a.png");
  CHECK(read_list(file.path, "")[0].image == "images/a.png");
  // As old Macs ended lines.
  const TextFile mac("a.png b.png\rc.png d.png\r");
  REQUIRE(read_list(mac.path, "").size() == 2);
  CHECK(read_list(mac.path, "")[1].image == "c.png");
}

TEST_CASE("list: what people separate paths with") {
  const auto pair_of = [](const std::string& line, LabelColumn column = LabelColumn::required) {
    const TextFile file(line + "\n");
    const ListEntry entry = read_list(file.path, "", column).at(0);
    return entry.image + "|" + entry.label;
  };
  for (const char* line :
       {"i.png l.png", "i.png\tl.png", "i.png \t\t l.png", "i.png,l.png", "i.png, l.png", "i.png ; l.png",
        "i.png,\tl.png", "\"i.png\" \"l.png\"", "'i.png','l.png'", "\"i.png\";l.png", "i.png   'l.png'"}) {
    CAPTURE(line);
    CHECK(pair_of(line) == "i.png|l.png");
    CHECK(pair_of(line, LabelColumn::optional) == "i.png|l.png");
  }
  for (const char* line : {"my i.png\tmy l.png", "\"my i.png\" 'my l.png'", "my i.png,my l.png",
                           "\"my i.png\"\t\"my l.png\"", "my i.png; my l.png"}) {
    CAPTURE(line);
    CHECK(pair_of(line) == "my i.png|my l.png");
  }
  CHECK(pair_of("a,b.png c;d.png") == "a,b.png|c;d.png");
  CHECK(pair_of("'a, b.png' it's.png") == "a, b.png|it's.png");
  CHECK(pair_of("a,b.png", LabelColumn::optional) == "a,b.png|");
  CHECK(pair_of("'my i.png'", LabelColumn::optional) == "my i.png|");
  CHECK(pair_of("my nice i.png", LabelColumn::optional) == "my nice i.png|");
  CHECK(starts_with(list_fault("my i.png my l.png\n"), "1: has 4 fields, expected 'IMAGE LABEL'"));
}

TEST_CASE("list: a line of quotes alone has no field") {
  for (const char* line : {"\"\"\n", "'' \"\"\n"}) {
    CAPTURE(line);
    CHECK(contains(list_fault(line), "1: has 0 fields, "));
  }
}

TEST_CASE("list: tables of other programs are told by their look") {
  CHECK(contains(list_fault("image,label\n"), "1: has 1 field, "));
  CHECK(contains(list_fault("image,label\n"), "the header of a table? put a # before it"));
  for (const char* line : {",image,label", "0,a.png,b.png", "17;a.png;b.png", "3\ta b.png\tb.png"}) {
    CAPTURE(line);
    CHECK(contains(list_fault(line), "to_csv(..., index=False, header=False) in pandas"));
  }
  CHECK(!contains(list_fault("a b.png c.png\n"), "table"));
  CHECK(contains(list_fault("// the first half\n"), "1: begins with //; a comment in a list begins with #"));
  const TextFile file("image label\n");
  CHECK(contains(
      message_of<Refusal>([&] { check_list_files(file.path, read_list(file.path, file.folder), file.folder); }),
      "is this the header of a table? put a # before it"));
}

TEST_CASE("list: a root that the paths have already is told") {
  const TempFolder temp;
  std::filesystem::create_directories(temp.file("set"));
  for (const std::string& name : {temp.file("set/a.png"), temp.file("set/list.txt")}) write_bytes(name, "x");
  // Paths with the root before them, from the working directory as it were.
  const std::string root = temp.file("set").substr(1);
  CHECK(path_hint("/" + root + "/set/a.png", "/" + root).empty());
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(temp.path());
  CHECK(contains(path_hint("set/set/a.png", "set"), "begin with DATA.data_root already: set DATA.data_root ''"));
  CHECK(contains(path_hint("set/set/a.png", "set/"), "already"));
  CHECK(contains(path_hint("./set/set/a.png", "./set"), "already"));
  CHECK(path_hint("set/set/gone.png", "set").empty());
  std::filesystem::current_path(before);
}

TEST_CASE("list: a slash too many is told") {
  const TextFile file("/list.txt /list.txt\n");
  const std::vector<ListEntry> entries = read_list(file.path, file.folder);
  CHECK(entries[0].image == "/list.txt");
  const std::string fault = message_of<Refusal>([&] { check_list_files(file.path, entries, file.folder); });
  CHECK(contains(fault, "it is there below DATA.data_root: remove the /"));
}

TEST_CASE("list: paths of Windows are told") {
  const TextFile file("in\\list.txt in\\list.txt\n");
  std::filesystem::create_directory(file.folder + "/in");
  std::filesystem::copy_file(file.path, file.folder + "/in/list.txt");
  const std::vector<ListEntry> entries = read_list(file.path, file.folder);
  const std::string fault = message_of<Refusal>([&] { check_list_files(file.path, entries, file.folder); });
  CHECK(contains(fault, "it is there with / in place of \\: replace them in the list"));
}

TEST_CASE("list: the label may be missing only where it is optional") {
  CHECK(starts_with(list_fault("a b\nc\n"), "2: has 1 field, expected 'IMAGE LABEL'"));
  const TextFile file("a b\nc\n");
  const std::vector<ListEntry> entries = read_list(file.path, "", LabelColumn::optional);
  CHECK(entries[0].label == "b");
  CHECK(entries[1].label.empty());
}

TEST_CASE("list: malformed lists are refused with the line") {
  CHECK(starts_with(list_fault("a b\n\na b c\n"), "3: has 3 fields"));
  CHECK(starts_with(list_fault("a b c\n", LabelColumn::optional), "1: has 3 fields, expected 'IMAGE [LABEL]'"));
  CHECK(starts_with(list_fault(std::string("a b\nc\0d e\n", 10)), "2: holds a zero byte"));
  // A picture, whose first line would be refused for its fields.
  CHECK(starts_with(list_fault(std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16)), "3: holds a zero byte"));
  CHECK(starts_with(list_fault(std::string("\xFF\xFE"
                                           "a\0",
                                           4)),
                    " is text in UTF-16"));
  CHECK(starts_with(list_fault(""), " lists no pictures"));
  CHECK(starts_with(list_fault("# nothing\n\n"), " lists no pictures"));
  CHECK(
      starts_with(message_of<Refusal>([] { read_list("/no/such/list", ""); }), "/no/such/list: there is no such file"));
  CHECK(starts_with(message_of<Refusal>([] { read_list("/", ""); }), "/: this is not a regular file"));
}

TEST_CASE("list: a missing file is named with its line") {
  const TextFile file("list.txt list.txt\n\nlist.txt gone.png\n");
  const std::vector<ListEntry> entries = read_list(file.path, file.folder);
  const std::string fault = message_of<Refusal>([&] { check_list_files(file.path, entries, ""); });
  CHECK(starts_with(fault, file.path + ":3: label '" + file.folder + "/gone.png' cannot be found"));
  CHECK_NOTHROW(check_list_files(file.path, {entries[0]}, ""));
  CHECK_NOTHROW(check_list_files(file.path, entries, "", LabelColumn::optional));  // labels are not looked for
  const ListEntry folder{file.folder, "", 7};
  CHECK(starts_with(message_of<Refusal>([&] { check_list_files(file.path, {folder}, ""); }),
                    file.path + ":7: image '" + file.folder + "' is not a regular"));
}

TEST_CASE("list: names") {
  const TextFile file("wall\r\ntraffic light\nsky\n\n");
  CHECK(read_names(file.path) == std::vector<std::string>{"wall", "traffic light", "sky"});
  const TextFile gap("wall\n\nsky\n");
  CHECK(starts_with(message_of<Refusal>([&] { read_names(gap.path); }), gap.path + ":2: is empty"));
  const TextFile empty("\n");
  CHECK(starts_with(message_of<Refusal>([&] { read_names(empty.path); }), empty.path + ": is empty"));
}

TEST_CASE("list: colours") {
  const TextFile file("120 120 120\r\n0 255\t7\n");
  CHECK(read_colors(file.path) == std::vector<Color>{{120, 120, 120}, {0, 255, 7}});
  for (const char* line : {"1 2", "1 2 3 4", "1 2 256", "1 -2 3", "1 2 x", "1 2 3.5", "1,2,3"}) {
    CAPTURE(line);
    const TextFile bad(std::string("0 0 0\n") + line + "\n");
    CHECK(starts_with(message_of<Refusal>([&] { read_colors(bad.path); }),
                      bad.path + ":2: '" + line + "' is not a colour"));
  }
}

}  // namespace giza::train
