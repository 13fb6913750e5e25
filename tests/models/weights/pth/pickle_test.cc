// The pickle reader: values, the memo, and pickles that only want time or memory.
#include "models/weights/pth/pickle.h"

#include <sys/resource.h>

#include <ctime>

#include "tensor/base/check.h"
#include "tests/models/weights/pth/pth_testing.h"
#include "tests/support/refusal.h"

namespace giza::models {
namespace {

constexpr PickleGlobal kAllowed[] = {{"a.dict", true, true}, {"a.function", true}, {"a.constant"}};

/// The refusal of these bytes, within bounds of time and memory whatever they are.
std::string refusal(const std::string& bytes) {
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const std::clock_t start = std::clock();
  std::string text = message_of<Refusal>([&] { Pickle(bytes, kAllowed, "FILE"); });
  CHECK((std::clock() - start) / CLOCKS_PER_SEC < 5);  // of processor time
  getrusage(RUSAGE_SELF, &after);
  CHECK((after.ru_maxrss - before.ru_maxrss) / 1024 < 300);
  CHECK(text.starts_with("FILE: "));
  CHECK(text.size() < 400);
  return text;
}
/// Of a value as a whole pickle.
std::string refused(const std::string& value) { return refusal(pickled::whole(value)); }

std::string repeat(const std::string& part, size_t times) {
  std::string result;
  result.reserve(part.size() * times);
  for (size_t i = 0; i < times; ++i) result += part;
  return result;
}

TEST_CASE("pickle: scalars") {
  const auto check_value = [](const std::string& opcodes, PickleKind kind, int64_t value) {
    const std::string bytes = pickled::whole(opcodes);
    const Pickle pickle(bytes, kAllowed, "FILE");
    CHECK(pickle.consumed() == bytes.size());
    REQUIRE(pickle.is(pickle.root(), kind));
    CHECK(pickle.integer(pickle.root()) == value);
  };
  check_value("N", PickleKind::none, 0);
  check_value("\x88", PickleKind::boolean, 1);
  check_value("\x89", PickleKind::boolean, 0);
  check_value("K\xff", PickleKind::integer, 255);
  check_value("M\xff\xff", PickleKind::integer, 65535);
  check_value("J" + raw(int32_t{-2}), PickleKind::integer, -2);
  check_value(std::string("\x8a\x00", 2), PickleKind::integer, 0);
  check_value("\x8a\x01\xff", PickleKind::integer, -1);
  check_value(std::string("\x8a\x02\xff\x00", 4), PickleKind::integer, 255);
  check_value("\x8a\x08" + raw(INT64_MIN), PickleKind::integer, INT64_MIN);
}

TEST_CASE("pickle: texts and long integers are views of the bytes") {
  for (const std::string& opcodes : {"X" + raw(uint32_t{3}) + "abc", "T" + raw(uint32_t{3}) + "abc",
                                     std::string("U\x03") + "abc", std::string("\x8c\x03") + "abc"}) {
    const std::string bytes = pickled::whole(opcodes);
    const Pickle pickle(bytes, kAllowed, "FILE");
    CHECK(pickle.is_text(pickle.root(), "abc"));
  }
  for (const std::string& opcodes : {"B" + raw(uint32_t{3}) + "abc", std::string("C\x03") + "abc"}) {
    const std::string bytes = pickled::whole(opcodes);
    const Pickle pickle(bytes, kAllowed, "FILE");
    CHECK(pickle.is(pickle.root(), PickleKind::bytes));
    CHECK(pickle.text(pickle.root()) == "abc");
  }
  const std::string bytes = pickled::whole(
      "\x8a\x09"
      "123456789");
  const Pickle pickle(bytes, kAllowed, "FILE");
  CHECK(pickle.is(pickle.root(), PickleKind::long_integer));
  CHECK(pickle.text(pickle.root()) == "123456789");
}

TEST_CASE("pickle: containers, memo and calls") {
  // {1: [2, (3,)], 4: the same list}, by SETITEM, APPENDS and the memo; then more by SETITEMS.
  const std::string bytes = pickled::whole(
      "}K\x01](K\x02K\x03\x85"
      "eq\x01sK\x04h\x01s(K\x05Nu");
  const Pickle pickle(bytes, kAllowed, "FILE");
  REQUIRE(pickle.is(pickle.root(), PickleKind::dict));
  CHECK(pickle.count(pickle.root()) == 3);
  const std::vector<Pickle::Ref> items = pickle.items(pickle.root(), 100);
  REQUIRE(items.size() == 6);
  CHECK(items[1] == items[3]);
  CHECK(pickle.items(pickle.root(), 3).size() == 3);
  const std::vector<Pickle::Ref> list = pickle.items(items[1], 100);
  REQUIRE(list.size() == 2);
  CHECK(pickle.integer(list[0]) == 2);
  CHECK(pickle.is(list[1], PickleKind::tuple));
  CHECK(pickle.integer(pickle.items(list[1], 1)[0]) == 3);

  const std::string call = pickled::whole("ca\nfunction\nK\x07\x85R");
  const Pickle calling(call, kAllowed, "FILE");
  REQUIRE(calling.is(calling.root(), PickleKind::call));
  CHECK(calling.function(calling.root()) == "a.function");
  CHECK(calling.integer(calling.items(calling.argument(calling.root()), 1)[0]) == 7);

  const std::string made = pickled::whole("ca\ndict\n)RK\x01K\x02s}b");
  const Pickle making(made, kAllowed, "FILE");
  CHECK(making.is(making.root(), PickleKind::dict));
  CHECK(making.count(making.root()) == 1);
}

TEST_CASE("pickle: several behind each other") {
  const std::string bytes = pickled::whole("K\x01") + pickled::whole("K\x02");
  const Pickle first(bytes, kAllowed, "FILE");
  CHECK(first.consumed() == 5);
  const Pickle second(std::string_view(bytes).substr(5), kAllowed, "FILE", 5);
  CHECK(second.integer(second.root()) == 2);
  CHECK(contains(message_of<Refusal>([&] { Pickle("\x80\x02Z", {}, "FILE", 7); }), "at byte 9"));
}

TEST_CASE("pickle: opcodes and operands that do not fit") {
  CHECK(contains(refusal(""), "cut off"));
  CHECK(contains(refusal("\x80"), "cut off"));
  CHECK(contains(refusal("\x80\x02"), "cut off"));
  CHECK(contains(refusal("\x80\x06N."), "protocol"));
  // Buffers outside the pickle, which no file has, and bytes that are no opcodes.
  for (const char opcode : std::string("AZ\x97\x98\xff")) {
    CHECK(contains(refusal(std::string("\x80\x02K\x01K\x01") + opcode + "...."), "opcode 0x"));
  }
  CHECK(contains(refused(""), "0 values"));
  CHECK(contains(refused("NN"), "2 values"));
  CHECK(contains(refused("N("), "ends with"));
  for (const char* opcodes :
       {"a", "e", "s", "u", "t", "R", "b", "Q", "q\x01", "\x94", "\x85", "\x86", "\x87", "\x93"}) {
    CHECK_FALSE(refused(opcodes).empty());
    // A tuple and the memo take any value, and a persistent id of None is a foreign program's.
    if (*opcodes != '\x85' && *opcodes != '\x94' && *opcodes != 'Q')
      CHECK_FALSE(refused(std::string("N") + opcodes + opcodes).empty());
    CHECK_FALSE(refused(std::string("}](") + opcodes).empty());  // nothing below a mark may be taken
  }
  CHECK(contains(refused("]NNs"), "not a dict"));
  CHECK(contains(refused("}(Nu"), "no value"));
  CHECK(contains(refused("}Na"), "not a list"));
  CHECK(contains(refused(")Na"), "not a list"));
  CHECK(contains(refused("]N\x90"), "never began"));
  CHECK(contains(refused("N)R"), "calls None"));
  CHECK(contains(refused("ca\nfunction\n]R"), "a list, expected a tuple"));
  CHECK(contains(refused("}}b"), "attributes of a dict"));
  CHECK(contains(refused("\x95" + raw(uint64_t{100}) + "N"), "frame"));
  CHECK(contains(refused("\x95" + raw(UINT64_MAX) + "N"), "frame"));
  // Lengths beyond the bytes.
  for (const std::string& opcodes : {"X" + raw(UINT32_MAX), "T" + raw(uint32_t{9}), std::string("U\xff"),
                                     "B" + raw(UINT32_MAX), std::string("\x8a\xff"), std::string("J\x01")}) {
    CHECK(contains(refused(opcodes), "cut off"));
  }
}

TEST_CASE("pickle: the memo holds no more than was stored, in order") {
  CHECK(contains(refused("h\x01"), "empty"));
  CHECK(contains(refused("Nq\x01"
                         "0h\x02"),
                 "empty"));
  CHECK(contains(refused("Np1\ng2\n"), "empty"));
  CHECK(contains(refused("Np-1\n"), "no number"));
  CHECK(contains(refused("Np18446744073709551616\n"), "no number"));
  CHECK(contains(refused("]q\x01h\x02"
                         "a"),
                 "empty"));
  CHECK(contains(refused(std::string("]q\x01h\x00"
                                     "a",
                                     6)),
                 "empty"));
  CHECK(contains(refused("Nq\x02"), "skips"));
  CHECK(contains(refused("Nr" + raw(UINT32_MAX)), "skips"));
  CHECK(contains(refused("Nj" + raw(UINT32_MAX)), "empty"));
  CHECK(contains(refused("Nq\x01q\x01"), "twice"));
}

/// The value of these opcodes must be opaque, and its maker called so.
void check_opaque(const std::string& opcodes, const std::string& maker) {
  CAPTURE(opcodes);
  const std::string bytes = pickled::whole(opcodes);
  const Pickle pickle(bytes, kAllowed, "FILE");
  REQUIRE(pickle.is(pickle.root(), PickleKind::opaque));
  CHECK(pickle.text(pickle.root()) == maker);
}

TEST_CASE("pickle: what foreign code makes is opaque, however it is made, called, filled or given attributes") {
  const std::string foreign = "cos\nsystem\n";
  check_opaque(foreign + ")R", "os.system");
  check_opaque(foreign + ")R}b", "os.system");
  check_opaque(foreign + ")RNa", "os.system");
  check_opaque(foreign + ")R(NNe", "os.system");
  check_opaque(foreign + ")R(NNu", "os.system");
  check_opaque(foreign + ")R)R", "os.system");
  check_opaque(foreign + ")\x81", "os.system");
  check_opaque(foreign + ")}\x92", "os.system");
  check_opaque("(" + foreign + "NNo", "os.system");
  check_opaque("(NNios\nsystem\n", "os.system");
  check_opaque("\x8c\x02os\x8c\x06system\x93)R", "os.system");
  check_opaque(std::string("\x82\x01"), "an extension code");
  check_opaque(std::string("\x84\x01\x02\x03\x04"), "an extension code");
  check_opaque("K\x01Q", "a persistent id");
  check_opaque("P17\n", "a persistent id");
  check_opaque("c__builtin__\neval\n)R", "builtins.eval");
  check_opaque("ca\t\x1b\nx\n)R", "a??.x");
  // Names that only look like allowed ones.
  check_opaque("ca.dict\n\n)R", "a.dict.");
  check_opaque("c\na.dict\n)R", ".a.dict");
  // Allowed functions as classes or with something done to what they make, and constants that are called.
  check_opaque("ca\nfunction\n)R}b", "a.function");
  check_opaque("ca\nfunction\n)RNa", "a.function");
  check_opaque("ca\nfunction\n)R(NNu", "a.function");
  check_opaque("ca\nfunction\n)\x81", "a.function");
  check_opaque("ca\nconstant\n)R", "a.constant");
  // A name that is cut short for messages, and made a maker again.
  const std::string cut = std::string(80, 'x') + "...";
  check_opaque("cm\n" + std::string(200, 'x') + "\n)R)R)R", "m." + cut);
  check_opaque("(im\n" + std::string(300, 'x') + "\n)R)R", "m." + std::string(158, 'x') + "...");
  // Thousands of foreign names keep memory bounded; the values stay as many as they are.
  std::string many = "](";
  for (int i = 0; i < 10000; ++i) many += "cm\nn" + std::to_string(i) + "\n)R";
  const std::string bytes = pickled::whole(many + "e");
  const Pickle pickle(bytes, kAllowed, "FILE");
  const std::vector<Pickle::Ref> items = pickle.items(pickle.root(), 10000);
  REQUIRE(items.size() == 10000);
  CHECK(pickle.text(items.front()) == "m.n0");
  CHECK(pickle.text(items.back()) == "another foreign name");
}

TEST_CASE("pickle: protocols 0 and 1, which begin without their number, and the stack's own opcodes") {
  const auto root = [](const std::string& bytes, PickleKind kind) {
    const Pickle pickle(bytes, kAllowed, "FILE");
    CAPTURE(bytes);
    CHECK(pickle.consumed() == bytes.size());
    REQUIRE(pickle.is(pickle.root(), kind));
    return kind == PickleKind::integer || kind == PickleKind::boolean ? std::to_string(pickle.integer(pickle.root()))
           : kind == PickleKind::text || kind == PickleKind::long_integer ? std::string(pickle.text(pickle.root()))
                                                                          : std::to_string(pickle.count(pickle.root()));
  };
  CHECK(root("I-7\n.", PickleKind::integer) == "-7");
  CHECK(root("I01\n.", PickleKind::boolean) == "1");
  CHECK(root("L12L\n.", PickleKind::integer) == "12");
  CHECK(root("L119547037146038801333356L\n.", PickleKind::long_integer) == "119547037146038801333356");
  CHECK(root("S'abc'\n.", PickleKind::text) == "abc");
  CHECK(root("Vabc\n.", PickleKind::text) == "abc");
  root("F1.5\n.", PickleKind::real);
  CHECK(root("(dp0\nS'a'\np1\nI1\nsg1\nI2\ns.", PickleKind::dict) == "2");
  CHECK(root("(I1\nI2\nl.", PickleKind::list) == "2");
  CHECK(root("(I1\nI2\nd.", PickleKind::dict) == "1");
  CHECK(root("(NN\x91.", PickleKind::set) == "2");
  CHECK(root("N]0.", PickleKind::none) == "0");
  CHECK(root("N(NN1.", PickleKind::none) == "0");
  CHECK(root("N(0.", PickleKind::none) == "0");
  CHECK(root("]22aa.", PickleKind::list) == "2");
  CHECK(contains(refusal("Ix\n."), "a number that is none"));
  CHECK(contains(refusal("Sabc\n."), "without quotes"));
  CHECK(contains(refusal("(Nd."), "no value"));
  CHECK(contains(refusal("I1"), "without an end"));
}

TEST_CASE("pickle: containers may contain themselves, and nest as deep as they like") {
  for (const char* opcodes : {"]q\x01h\x01"
                              "a",
                              "}q\x01K\x01h\x01s",
                              "]q\x01"
                              "ca\nfunction\nh\x01\x85Ra"}) {
    const std::string bytes = pickled::whole(opcodes);
    CHECK(Pickle(bytes, kAllowed, "FILE").size() < 10);
  }
  const std::string bytes = pickled::whole(repeat("]", 65'000) + repeat("a", 64'999));
  CHECK(Pickle(bytes, kAllowed, "FILE").size() == 65'000);
}

TEST_CASE("pickle: bombs") {
  constexpr size_t kLong = 16'000'000;  // as long as a pickle may be
  CHECK(contains(refused(repeat("N", kLong)), "stack"));
  CHECK(contains(refused(repeat("(", kLong)), "open containers"));
  CHECK(contains(refused(repeat("]", kLong)), "stack"));
  CHECK(contains(refused("](" + repeat("h\x01", kLong / 2)), "empty"));
  CHECK(contains(refused("](" + repeat("N", 60'000) + repeat("eK\x01(", kLong / 4)), "appends to what is not"));
  CHECK(contains(refused("]" + repeat("]a", kLong / 2)), "more than 1048576 values"));
  CHECK(contains(refused("]" + repeat("Na", kLong / 2)), "places in containers"));
  CHECK(contains(refused(")" + repeat("\x85", kLong)), "more than 1048576 values"));
  CHECK(contains(refused("]" + repeat("(" + repeat("N", 1000) + "e", kLong / 1002)), "places in containers"));
  CHECK(contains(refused("]" + repeat("ca\ndict\n)Ra", kLong / 11)), "values"));
  CHECK(contains(refused("K\x01" + repeat("\x94", kLong)), "memo"));
  // Billion laughs: each list holds the one before ten times. A pickle of 10^30 leaves is read as the few lists it is.
  std::string laughs = "]q" + std::string(1, '\0') + "Na";
  for (int i = 0; i < 30; ++i) {
    laughs +=
        "](" + repeat("h" + std::string(1, static_cast<char>(i)), 10) + "eq" + std::string(1, static_cast<char>(i + 1));
  }
  const std::string bytes = pickled::whole("(" + laughs + "t");
  CHECK(Pickle(bytes, kAllowed, "FILE").size() < 100);
}

}  // namespace
}  // namespace giza::models
