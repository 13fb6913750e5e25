// The stream form of .pth, which PyTorch wrote before 1.6.
#include "models/weights/pth/stream.h"

#include <algorithm>
#include <unordered_map>

#include "models/weights/pth/pickle.h"
#include "models/weights/pth/storages.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

constexpr size_t kMaxPickles = size_t{16} << 20;  // of all pickles together
constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::string_view kMagicText = "119547037146038801333356";  // as protocols 0 and 1 write it
constexpr size_t kFirstPickle = 32;
constexpr int64_t kVersion = 1001;

/// Takes the pickles from the front of the file, one after the other.
class PickleStream {
 public:
  explicit PickleStream(const InputFile& file)
      : path_(file.path()), bytes_(file.read_at(0, std::min<uint64_t>(file.size(), kMaxPickles))) {}

  Pickle next(std::span<const PickleGlobal> allowed = {}) {
    Pickle pickle(std::string_view(bytes_).substr(position_), allowed, path_, position_);
    position_ += pickle.consumed();
    return pickle;
  }
  uint64_t position() const { return position_; }

 private:
  const std::string& path_;
  std::string bytes_;
  size_t position_ = 0;
};

void check_machine(const Pickle& facts, const std::string& path) {
  const Pickle::Ref root = facts.root();
  check<Refusal>(facts.is(root, PickleKind::dict),
                 "{}: the file does not tell its byte order, expected what torch.save writes", path);
  bool little = false;
  facts.for_each_pair(root, [&](Pickle::Ref key, Pickle::Ref value) {
    if (facts.is_text(key, "little_endian")) little = facts.is(value, PickleKind::boolean) && facts.integer(value) == 1;
  });
  check<Refusal>(little, "{}: the file was written by a big-endian machine; save it again on a little-endian one",
                 path);
}

}  // namespace

bool is_pth_stream(std::string_view head) {
  const std::string_view first = head.substr(0, kFirstPickle);
  return (first.starts_with('\x80') && first.find(kMagic) != std::string_view::npos) ||
         (first.starts_with('L') && first.substr(1).starts_with(kMagicText));
}

WeightFile read_pth_stream(const InputFile& file) {
  const std::string& path = file.path();
  PickleStream stream(file);
  const Pickle magic = stream.next();
  const bool right = magic.is(magic.root(), PickleKind::long_integer) &&
                     (magic.text(magic.root()) == kMagic || magic.text(magic.root()) == kMagicText);
  check<Refusal>(right, "{}: this is a pickle, but not a file of torch.save: its magic number is missing", path);
  const Pickle version = stream.next();
  check<Refusal>(version.is(version.root(), PickleKind::integer) && version.integer(version.root()) == kVersion,
                 "{}: the version of the file is unknown, expected {}", path, kVersion);
  check_machine(stream.next(), path);
  const Pickle pickle = stream.next(pth_globals());
  const PthObjects objects = read_pth_objects(pickle, true, file.size(), path);

  std::unordered_map<std::string_view, size_t> by_key;
  for (size_t i = 0; i < objects.storages.size(); ++i) by_key.emplace(objects.storages[i].key, i);
  const Pickle keys = stream.next();
  const bool list = keys.is(keys.root(), PickleKind::list) && keys.count(keys.root()) == by_key.size();
  check<Refusal>(list, "{}: the list of storages does not fit the {} storages in use", path, by_key.size());
  std::vector<StoragePlace> places(objects.storages.size());
  uint64_t position = stream.position();
  for (const Pickle::Ref key : keys.items(keys.root(), by_key.size())) {
    const auto found = keys.is(key, PickleKind::text) ? by_key.find(keys.text(key)) : by_key.end();
    check<Refusal>(found != by_key.end(), "{}: the list of storages names one that is not in use, or one twice", path);
    const PthStorage& storage = objects.storages[found->second];
    int64_t numel = 0;
    file.read_at(position, &numel, sizeof numel);
    check<Refusal>(numel == storage.numel, "{}: storage {} has {} numbers at byte {}, but {} in the pickle", path,
                   quotable(storage.key), numel, position, storage.numel);
    position += sizeof numel;
    check<Refusal>(storage.bytes() <= file.size() - position,
                   "{}: storage {} needs {} bytes, the file has {} left: it is cut off; copy it again", path,
                   quotable(storage.key), storage.bytes(), file.size() - position);
    places[found->second].offset = position;
    position += storage.bytes();
    by_key.erase(found);
  }
  WeightFile result{read_pth_tensors(file, objects, places), {}, objects.notes};
  if (position < file.size()) result.notes.push_back(bytes_behind_note(file.size() - position));
  return result;
}

}  // namespace giza::models
