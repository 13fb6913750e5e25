// Reading PyTorch's .pth files: which form it is, and the records of the zip form.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/weights/file_kind.h"
#include "models/weights/pth.h"
#include "models/weights/pth/archive_kind.h"
#include "models/weights/pth/pickle.h"
#include "models/weights/pth/storages.h"
#include "models/weights/pth/stream.h"
#include "models/weights/pth/zip_reader.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

// The pickle may hold arrays of a log: a training library's history of a hundred thousand steps takes tens of
// megabytes.
constexpr uint64_t kMaxPickle = uint64_t{256} << 20;

/// The folder, of any name, that all records of torch.save stand in; with its slash.
std::string root_of(const ZipReader& zip, const std::string& path) {
  std::string root;
  for (const ZipRecord& record : zip.records()) {
    if (!record.name.ends_with("/data.pkl")) continue;
    check<Refusal>(root.empty(), "{}: the archive holds {} and {}data.pkl, expected one", path, quotable(record.name),
                   quotable(root));
    root = record.name.substr(0, record.name.size() - std::string_view("data.pkl").size());
  }
  return root;
}

/// The record that write_pth makes of WeightFile::metadata; PyTorch's own files have none.
std::map<std::string, std::string> read_metadata(const ZipReader& zip, const std::string& root,
                                                 const std::string& path) {
  const ZipRecord* record = zip.find(root + "giza.json");
  if (record == nullptr) return {};
  const nlohmann::json json = nlohmann::json::parse(zip.read(*record, kMaxPthMetadata), nullptr, false);
  const bool texts =
      json.is_object() && std::all_of(json.begin(), json.end(), [](const auto& v) { return v.is_string(); });
  check<Refusal>(texts, "{}: the record giza.json is not an object of strings", path);
  return json.get<std::map<std::string, std::string>>();
}

/// Files from before PyTorch 2.1 do not tell: they are little-endian.
bool is_big_endian(const ZipReader& zip, const std::string& root, const std::string& path) {
  const ZipRecord* record = zip.find(root + "byteorder");
  if (record == nullptr) return false;
  const std::string order = zip.read(*record, 16);
  check<Refusal>(order == "little" || order == "big",
                 "{}: the record {}byteorder says \"{}\", expected little or big; copy the file again", path,
                 quotable(root), quotable(order));
  return order == "big";
}

WeightFile read_zip(const InputFile& file) {
  const std::string& path = file.path();
  const ZipReader zip(file, check_archive_kind);
  const std::string root = root_of(zip, path);
  const bool big_endian = is_big_endian(zip, root, path);
  const std::string bytes = zip.read(*zip.find(root + "data.pkl"), kMaxPickle);
  const Pickle pickle(bytes, pth_globals(), path);
  check<Refusal>(pickle.consumed() == bytes.size(), "{}: the record data.pkl has {} bytes behind its pickle", path,
                 bytes.size() - pickle.consumed());
  const PthObjects objects = read_pth_objects(pickle, false, file.size(), path);
  std::vector<StoragePlace> places;
  places.reserve(objects.storages.size());
  for (const PthStorage& storage : objects.storages) {
    const ZipRecord* record = zip.find(fmt::format("{}data/{}", root, storage.key));
    check<Refusal>(record != nullptr, "{}: the record of storage {} is missing", path, quotable(storage.key));
    check<Refusal>(record->size == storage.bytes(), "{}: storage {} has {} bytes, but its {} numbers need {}", path,
                   quotable(storage.key), record->size, storage.numel, storage.bytes());
    places.push_back({record->offset, zip.has_checksums() ? std::optional(record->crc) : std::nullopt, big_endian});
  }
  WeightFile result{read_pth_tensors(file, objects, places), read_metadata(zip, root, path), objects.notes};
  if (zip.bytes_behind() > 0) result.notes.push_back(bytes_behind_note(zip.bytes_behind()));
  return result;
}

}  // namespace

WeightFile read_pth(const std::string& path) {
  const InputFile file(path, "a .pth file as torch.save writes it");
  const FileKind kind = file_kind(file);
  check<Refusal>(kind == FileKind::pth_zip || kind == FileKind::pth_stream,
                 "{}: the file does not begin as a .pth file does, expected one as torch.save writes it", path);
  return kind == FileKind::pth_zip ? read_zip(file) : read_pth_stream(file);
}

}  // namespace giza::models
