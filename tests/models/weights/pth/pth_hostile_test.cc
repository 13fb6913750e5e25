// Hostile .pth files: each is refused in one line, in bounded time and memory.
#include <sys/resource.h>

#include <ctime>

#include "models/weights/pth.h"
#include "tensor/base/check.h"
#include "tests/models/weights/pth/pth_testing.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::models {
namespace {

const std::string kGoldens = GIZA_SOURCE_DIR "/tests/golden/pth/";
const std::string kSix = raw(1.0F) + raw(2.0F) + raw(3.0F) + raw(4.0F) + raw(5.0F) + raw(6.0F);

/// Not write_bytes over the old file: some file systems then put each version on the disk.
void rewrite(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);
  write_bytes(path, bytes);
}

int64_t peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

/// Reads the file, which must be refused in one line that begins with its name, soon and without much memory.
std::string refusal(const std::string& path) {
  const std::clock_t start = std::clock();
  const int64_t before = peak_megabytes();
  std::string text = message_of<Refusal>([&] { read_pth(path); });
  CHECK((std::clock() - start) / CLOCKS_PER_SEC < 5);  // of processor time
  CHECK(peak_megabytes() - before < 400);              // the sanitizers' share included
  CHECK(text.starts_with(path + ": "));
  CHECK(text.find('\n') == std::string::npos);
  CHECK(text.size() < path.size() + 500);
  return text;
}

/// The refusal of a zip with this pickle and storages "0" of six floats and "1" of one byte.
std::string refusal_of(const std::string& pickle) {
  const TempFolder folder;
  write_pth_zip(folder.file("w.pth"), pickle, {kSix, "x"});
  return refusal(folder.file("w.pth"));
}
/// Of a state_dict {"w": value}.
std::string refusal_of_weight(const std::string& value) {
  return refusal_of(pickled::whole(pickled::dict({{"w", value}})));
}

TEST_CASE("hostile pth: cut off at any byte") {
  const TempFolder folder;
  const std::string path = folder.file("cut.pth");
  for (const char* name : {"zip.pth", "stream.pth", "views.pth", "views_stream.pth", "protocol4_stream.pth"}) {
    CAPTURE(name);
    const std::string bytes = read_bytes(kGoldens + name);
    for (size_t size = 0; size < bytes.size(); ++size) {
      rewrite(path, bytes.substr(0, size));
      REQUIRE(message_of<Refusal>([&] { read_pth(path); }).starts_with(path + ": "));
    }
    // What torch.load passes over behind the end is passed over, and said.
    rewrite(path, bytes + "x");
    CHECK(!read_pth(path).notes.empty());
    rewrite(path, "x" + bytes);
    CHECK_THROWS_AS(read_pth(path), Refusal);
  }
}

TEST_CASE("hostile pth: a changed byte is refused or harmless") {
  const TempFolder folder;
  const std::string path = folder.file("changed.pth");
  for (const char* name : {"semseg.pth", "semseg_stream.pth", "views_stream.pth", "protocol4.pth"}) {
    CAPTURE(name);
    const std::string bytes = read_bytes(kGoldens + name);
    for (size_t i = 0; i < bytes.size(); ++i) {
      for (const char c : {'\0', '\xff', static_cast<char>(bytes[i] ^ (1 << i % 8)), "(.hQRbu"[i % 7]}) {
        std::string changed = bytes;
        changed[i] = c;
        rewrite(path, changed);
        try {
          read_pth(path);
        } catch (const Refusal& error) {
          REQUIRE(std::string_view(error.what()).starts_with(path + ": "));
        }
      }
    }
  }
}

TEST_CASE("hostile pth: a changed bit in the pickle or the numbers of a zip never passes") {
  const TempFolder folder;
  const std::string path = folder.file("changed.pth");
  const std::string pickle =
      pickled::whole(pickled::dict({{"w", pickled::tensor(pickled::storage("FloatStorage", "0", 6), 0, {6}, {1})}}));
  write_pth_zip(path, pickle, {kSix});
  const std::string bytes = read_bytes(path);
  for (const std::string& part : {pickle, kSix}) {
    const size_t begin = bytes.find(part);
    REQUIRE(begin % 64 == 0);
    for (size_t bit = 0; bit < part.size() * 8; ++bit) {
      std::string changed = bytes;
      changed[begin + bit / 8] = static_cast<char>(changed[begin + bit / 8] ^ (1 << bit % 8));
      rewrite(path, changed);
      REQUIRE(contains(message_of<Refusal>([&] { read_pth(path); }), "checksum"));
    }
  }
}

TEST_CASE("hostile pth: what foreign code makes is no tensor, and nothing is run") {
  const TempFolder folder;
  const std::string trace = folder.file("owned");
  const std::string good = pickled::tensor(pickled::storage("FloatStorage", "0", 6), 0, {6}, {1});
  const auto call = [&](const std::string& module, const std::string& name) {
    return pickled::global(module, name) + pickled::text("touch " + trace) + "\x85R";
  };
  const auto root = [&](const std::string& value) { return refusal_of(pickled::whole(value)); };
  CHECK(contains(root(call("os", "system")), "os.system"));
  CHECK(contains(root(call("__builtin__", "eval")), "builtins.eval"));
  CHECK(contains(root(call("torch", "load")), "torch.load"));
  CHECK(contains(root(call("collections", "OrderedDict.fromkeys")), "collections.OrderedDict.fromkeys"));
  CHECK(contains(root(call("torch\t\x1b[2J", "x")), "torch??[2J.x"));
  CHECK(contains(root(call("torch", std::string(4000, 'x'))), "without an end"));
  CHECK(contains(root("\x8c\x05posix\x8c\x06system\x93"), "a foreign type"));
  CHECK(contains(root("K\x01\x8c\x06system\x93"), "an integer"));
  // As a weight: by a function that only looks like one of PyTorch's, or by doing something to a proper tensor.
  CHECK(contains(refusal_of_weight(call("numpy.core.multiarray", "scalar")), "numpy"));
  CHECK(contains(refusal_of_weight(call("torch._utils", "_rebuild_tensor_v22")), "_rebuild_tensor_v22"));
  for (const char* change : {"}b", "Na", "(Ne", "(NNu", "NNs"}) {
    CAPTURE(change);
    CHECK(contains(refusal_of_weight(good + change), "_rebuild_tensor_v2"));
  }
  const auto parameter = [&](const std::string& of) {
    return pickled::global("torch._utils", "_rebuild_parameter") + "(" + of + "\x89N" + "tR";
  };
  CHECK(contains(refusal_of_weight(parameter(good + "}b")), "not made of a tensor"));
  const auto typed = [&](const std::string& function, const std::string& type) {
    return pickled::global("torch._tensor", "_rebuild_from_type_v2") + "(" + function + type + ")}tR";
  };
  const std::string rebuild = pickled::global("torch._utils", "_rebuild_tensor_v2");
  CHECK(contains(refusal_of_weight(typed(rebuild, pickled::global("torch", "Tensor"))), "not made as"));
  CHECK(contains(refusal_of_weight(typed(rebuild, pickled::global("evil", "Tensor"))), "a subclass"));
  CHECK(contains(refusal_of_weight(typed(pickled::global("os", "system"), pickled::global("torch", "Tensor"))),
                 "a subclass"));
  // A class of a tensor that is its own argument.
  CHECK(contains(refusal_of_weight(pickled::global("torch._utils", "_rebuild_parameter") + "(" +
                                   typed(rebuild, pickled::global("torch", "Tensor")) + "NNtR"),
                 "not made as"));
  CHECK_FALSE(std::filesystem::exists(trace));
  // Where the stream form has only facts and keys.
  write_bytes(folder.file("s.pth"), pickled::whole(pickled::global("os", "system")));
  CHECK(contains(refusal(folder.file("s.pth")), "a plain pickle"));
  write_bytes(folder.file("s.pth"), stream_start() + pickled::whole(pickled::global("os", "system")));
  CHECK(contains(refusal(folder.file("s.pth")), "a foreign type"));
  write_bytes(folder.file("s.pth"), stream_start() + pickled::whole("}") + pickled::whole(pickled::ordered_dict()));
  CHECK(contains(refusal(folder.file("s.pth")), "list of storages"));
}

TEST_CASE("hostile pth: a graph that is walked again and again by references takes linear time") {
  // A dict with one key a hundred thousand times, each time the same dict of a hundred thousand numbers.
  constexpr int kMany = 100'000;
  std::string inner = "}", outer = "}";
  for (int i = 0; i < kMany; ++i) inner += pickled::text("k") + "K\x01s";
  for (int i = 0; i < kMany; ++i) outer += pickled::text("a" + std::to_string(i)) + "h\x01s";
  const std::string pickle = inner + "q\x01" + "0" + outer;
  CHECK(contains(refusal_of(pickled::whole(pickle)), "no weights"));
}

TEST_CASE("hostile pth: tensors that reach beyond their storage") {
  const std::string six = pickled::storage("FloatStorage", "0", 6);
  const auto tensor = [&](int64_t offset, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
    return refusal_of_weight(pickled::tensor(six, offset, shape, strides));
  };
  CHECK(contains(tensor(0, {7}, {1}), "reaches to number 6"));
  CHECK(contains(tensor(1, {6}, {1}), "reaches to number 6"));
  CHECK(contains(tensor(0, {2, 3}, {4, 1}), "reaches to number 6"));
  CHECK(contains(tensor(6, {}, {}), "reaches to number 6"));
  CHECK(contains(tensor(-1, {1}, {1}), "-1"));
  CHECK(contains(tensor(0, {-1}, {1}), "-1"));
  CHECK(contains(tensor(5, {2}, {-1}), "-1"));
  CHECK(contains(tensor(0, {2, 3}, {1}), "strides"));
  CHECK(contains(tensor(0, std::vector<int64_t>(9, 1), std::vector<int64_t>(9, 1)), "9 axes"));
  // Numbers whose products or sums overflow.
  const int64_t large = int64_t{1} << 48;
  CHECK(contains(tensor(0, {large, large}, {0, 0}), "2^48"));
  CHECK(contains(tensor(0, {large, large, large, large}, {0, 0, 0, 0}), "2^48"));
  CHECK(contains(tensor(0, {3, 3}, {large, large}), "reaches"));
  CHECK(contains(tensor(0, {large}, {large}), "beyond any memory"));
  CHECK(contains(tensor(0, {INT64_MAX}, {0}), "expected 0 to 2^48"));
  // Repeated numbers: one gigabyte, 10^12 elements, and many tensors that each repeat a little.
  CHECK(contains(tensor(0, {1 << 28}, {0}), "repeat numbers"));
  CHECK(contains(tensor(0, {1000000, 1000000}, {0, 0}), "repeat numbers"));
  pickled::Items many;
  for (int i = 0; i < 2000; ++i) many.emplace_back("w" + std::to_string(i), pickled::tensor(six, 0, {50000}, {0}));
  CHECK(contains(refusal_of(pickled::whole(pickled::dict(many))), "repeat numbers"));
}

TEST_CASE("hostile pth: an empty view that begins nowhere holds nothing") {
  const TempFolder folder;
  write_pth_zip(folder.file("w.pth"),
                pickled::whole(pickled::dict(
                    {{"w", pickled::tensor(pickled::storage("FloatStorage", "0", 6), 1 << 30, {1, 0}, {1, 1})}})),
                {kSix});
  CHECK(read_pth(folder.file("w.pth")).tensors[0].data.empty());
}

TEST_CASE("hostile pth: storages that are short, missing, or of two minds") {
  const auto weight = [](const std::string& storage) {
    return refusal_of_weight(pickled::tensor(storage, 0, {1}, {1}));
  };
  CHECK(contains(weight(pickled::storage("FloatStorage", "0", 7)), "has 24 bytes, but its 7 numbers need 28"));
  CHECK(contains(weight(pickled::storage("FloatStorage", "0", 5)), "need 20"));
  CHECK(contains(weight(pickled::storage("DoubleStorage", "0", 6)), "need 48"));
  CHECK(contains(weight(pickled::storage("FloatStorage", "0", int64_t{1} << 48)), "more than the file"));
  CHECK(contains(weight(pickled::storage("DoubleStorage", "0", INT64_MAX)), "expected 0 to 2^48"));
  CHECK(contains(weight(pickled::storage("FloatStorage", "0", -1)), "-1"));
  CHECK(contains(weight(pickled::storage("FloatStorage", "2", 1)), "storage 2 is missing"));
  CHECK(contains(weight(pickled::storage("FloatStorage", "../data.pkl", 1)), "missing"));
  CHECK(contains(weight(pickled::storage("FloatStorage", std::string(65, '0'), 1)), "persistent id"));
  CHECK(contains(weight(pickled::storage("QInt8Storage", "1", 1)), "torch.QInt8Storage, expected float"));
  CHECK(contains(weight(pickled::storage("FloatStorage", "0", 6, "N")), "persistent id"));
  CHECK(contains(weight("(" + pickled::text("module") + "tQ"), "persistent id"));
  CHECK(contains(weight("K\x01Q"), "persistent id"));
  // The fault may stand beside the weights.
  const std::string good = pickled::tensor(pickled::storage("FloatStorage", "0", 6), 0, {6}, {1});
  const auto beside = [&](const std::string& value) {
    return refusal_of(pickled::whole(pickled::dict({{"state_dict", pickled::dict({{"w", good}})}, {"x", value}})));
  };
  CHECK(
      contains(beside(pickled::tensor(pickled::storage("IntStorage", "0", 6), 0, {6}, {1})), "6 of torch.IntStorage"));
  CHECK(contains(beside(pickled::tensor(pickled::storage("ByteStorage", "1", 1), 0, {2}, {1})), "reaches"));
  CHECK(contains(beside(pickled::storage("ByteStorage", "1", 2)), "need 2"));
}

TEST_CASE("hostile pth: a file that is enormous and holds nothing") {
  const TempFolder folder;
  const std::string path = folder.file("sparse.pth");
  const int64_t floats = int64_t{3} << 30;
  const std::string storage = pickled::storage("FloatStorage", "7", floats, "N");
  const std::string pickle = pickled::whole(pickled::dict({{"w", pickled::tensor(storage, 0, {1}, {1})}}));
  write_bytes(path, stream_start() + pickle + pickled::whole("](" + pickled::text("7") + "e") + raw(floats));
  // A hole in the file: no place on the disk.
  std::filesystem::resize_file(path, std::filesystem::file_size(path) + 4 * static_cast<uint64_t>(floats));
  CHECK(contains(refusal(path), "beyond 8589934592 bytes"));
}

TEST_CASE("hostile pth: what is no state_dict") {
  const std::string good = pickled::tensor(pickled::storage("FloatStorage", "0", 6), 0, {6}, {1});
  const auto whole = [](const std::string& value) { return refusal_of(pickled::whole(value)); };
  CHECK(contains(whole("N"), "None, expected a state_dict"));
  CHECK(contains(whole("]"), "a list"));
  CHECK(contains(whole(good), "a single tensor"));
  CHECK(contains(whole(pickled::dict({{"w", "K\x01"}})), "\"w\" is an integer, expected a tensor"));
  CHECK(contains(whole(pickled::dict({{"epoch", "K\x01"}, {"net", pickled::dict({{"w", good}})}})), "state_dict"));
  CHECK(contains(whole(pickled::dict({{"w", good}, {"w", good}})), "\"w\" occurs twice"));
  CHECK(contains(whole("}K\x01" + good + "s"), "a key"));
  CHECK(contains(whole(pickled::dict({{"state_dict", "}"}, {"model", "}"}})), "keep one"));
  CHECK(contains(whole(pickled::dict({{"state_dict", "}"}, {"state_dict", "}"}})), "occurs twice"));
  CHECK(contains(
      whole(pickled::dict({{"generator", pickled::dict({{"a.w", good}})}, {"critic", pickled::dict({{"a.w", good}})}})),
      "keep one"));
  CHECK(contains(whole(pickled::dict({{"w", pickled::ordered_dict()}})), "a dict, expected a tensor"));
  CHECK(contains(whole(pickled::dict({{"w", pickled::global("torch._utils", "_rebuild_parameter") + "(NNNtR"}})),
                 "not made of a tensor"));
  CHECK(contains(whole(pickled::dict({{"w", pickled::global("torch._utils", "_rebuild_tensor_v2") + ")R"}})),
                 "not made as"));
}

TEST_CASE("hostile pth: streams that lie") {
  const TempFolder folder;
  const std::string path = folder.file("lie.pth");
  const std::string pickle = pickled::whole(
      pickled::dict({{"w", pickled::tensor(pickled::storage("FloatStorage", "7", 6, "N"), 0, {6}, {1})}}));
  const auto message = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    return refusal(path);
  };
  const std::string keys = pickled::whole("](" + pickled::text("7") + "e");
  CHECK(contains(message(stream_start() + pickle + keys + raw(int64_t{7}) + kSix + "4444"), "7 numbers"));
  CHECK(contains(message(stream_start() + pickle + keys + raw(int64_t{-1}) + kSix), "-1 numbers"));
  CHECK(contains(message(stream_start() + pickle + keys + raw(int64_t{6}) + kSix.substr(1)), "cut off"));
  CHECK(contains(message(stream_start() + pickle + pickled::whole("]")), "list of storages"));
  CHECK(contains(message(stream_start() + pickle + pickled::whole("}")), "list of storages"));
  CHECK(contains(message(stream_start() + pickle + pickled::whole("](" + pickled::text("8") + "e")), "not in use"));
  CHECK(contains(message(stream_start() + pickle +
                         pickled::whole("](K\x07"
                                        "e")),
                 "not in use"));
  CHECK(contains(message(pickled::whole(pickled::integer(5)) + stream_start()), "magic"));
  CHECK(contains(message(pickled::whole(std::string("\x8a\x0a", 2) + "0123456789")), "magic"));
  const std::string big = [] {
    std::string start = stream_start();
    return start.replace(start.rfind('\x88'), 1, "\x89");
  }();
  CHECK(contains(message(big + pickle), "big-endian"));
}

}  // namespace
}  // namespace giza::models
