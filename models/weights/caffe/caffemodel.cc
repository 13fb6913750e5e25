// Files of weights of Caffe. Numbers of fields: src/caffe/proto/caffe.proto of BVLC's Caffe and of the authors' fork.
#include "models/weights/caffe/caffemodel.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <vector>

#include "models/weights/caffe/wire.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"

static_assert(std::endian::native == std::endian::little, "files are little-endian and read without swapping");

namespace giza::models {
namespace {

using Kind = WireField::Kind;

// Networks have a few hundred layers of up to five blobs; names of layers stand in messages and in every tensor's name.
constexpr size_t kMaxTensors = 100000, kMaxBlobs = 16, kMaxName = 256, kMaxAxes = 8;
constexpr uint64_t kMaxNumbers = uint64_t{1} << 48;

/// Where a layer's parts stand, in either format.
struct LayerFormat {
  uint32_t field;        // of NetParameter
  uint32_t name, blobs;  // of the layer
};
constexpr LayerFormat kLayer = {.field = 100, .name = 1, .blobs = 7};   // LayerParameter
constexpr LayerFormat kOldLayer = {.field = 2, .name = 4, .blobs = 6};  // V1LayerParameter
constexpr uint32_t kOldestLayer = 1;                                    // V0LayerParameter, within the one before

// BlobProto.
constexpr uint32_t kNum = 1, kWidth = 4, kData = 5, kShape = 7, kDoubleData = 8;
constexpr uint32_t kDim = 1;  // BlobShape

struct Span {
  uint64_t begin, end;
};

/// One blob: what its fields say of its shape, and how many numbers stand where.
class Blob {
 public:
  Blob(WireFile& wire, const Span& span, std::string place) : wire_(wire), span_(span), place_(std::move(place)) {
    WireMessage message(wire_, span_.begin, span_.end);
    for (WireField field; message.next(field);) {
      if (field.is(kShape, Kind::bytes)) {
        read_shape({field.begin, field.end});
      } else if (field.number >= kNum && field.number <= kWidth && field.kind == Kind::varint) {
        old_shape_ = true;
        old_sides_[field.number - kNum] = field.value;
      } else if (field.number == kData) {
        floats_ += count_of(field, sizeof(float), Kind::fixed32);
      } else if (field.number == kDoubleData) {
        doubles_ += count_of(field, sizeof(double), Kind::fixed64);
      }
    }
    if (!has_shape_ && old_shape_) sides_.assign(std::begin(old_sides_), std::end(old_sides_));
    if (!has_shape_ && !old_shape_) sides_ = {count()};
    check_shape();
  }

  /// As Caffe itself does it: doubles count where there are any.
  uint64_t count() const { return doubles_ > 0 ? doubles_ : floats_; }
  std::vector<int64_t> shape() const { return {sides_.begin(), sides_.end()}; }
  std::vector<float> numbers() const { return doubles_ > 0 ? read<double>(kDoubleData) : read<float>(kData); }

 private:
  void read_shape(const Span& span) {
    has_shape_ = true;
    WireMessage shape(wire_, span.begin, span.end);
    for (WireField field; shape.next(field);) {
      if (field.number != kDim) continue;
      if (field.kind == Kind::varint) add_side(field.value);
      if (field.kind != Kind::bytes) continue;
      for (uint64_t at = field.begin; at < field.end;) add_side(wire_.varint(at, field.end));
    }
  }

  void add_side(uint64_t side) {
    check<Refusal>(sides_.size() < kMaxAxes, "{} has more than {} axes", place_, kMaxAxes);
    sides_.push_back(side);
  }

  /// How many numbers of `bytes` each a field holds: one as `single`, or any packed.
  uint64_t count_of(const WireField& field, uint64_t bytes, Kind single) const {
    if (field.kind == single) return 1;
    const uint64_t length = field.end - field.begin;
    check<Refusal>(field.kind == Kind::bytes && length % bytes == 0,
                   "{} has data of {} bytes at byte {}, expected numbers of {} bytes", place_, length, field.begin,
                   bytes);
    return length / bytes;
  }

  void check_shape() const {
    uint64_t volume = 1;
    for (const uint64_t side : sides_) {
      check<Refusal>(side <= kMaxNumbers && (side == 0 || volume <= kMaxNumbers / side), "{} has an impossible shape",
                     place_);
      volume *= side;
    }
    check<Refusal>(volume == count(), "{} holds {} numbers, its shape needs {}; is the file whole?", place_, count(),
                   volume);
  }

  template <class Number>
  std::vector<float> read(uint32_t wanted) const {
    const auto to_float = [](Number value) { return static_cast<float>(value); };
    std::vector<float> numbers;
    WireMessage message(wire_, span_.begin, span_.end);
    for (WireField field; message.next(field);) {
      if (field.number != wanted) continue;
      const uint64_t some = (field.end - field.begin) / sizeof(Number);
      if (some == count())
        return read_numbers<Number>(wire_.file(), field.begin, some, to_float);  // as Caffe writes them
      numbers.reserve(count());
      for (uint64_t at = field.begin; at < field.end; at += sizeof(Number))
        numbers.push_back(to_float(number<Number>(at)));
    }
    return numbers;
  }

  template <class Number>
  Number number(uint64_t at) const {
    char bytes[sizeof(Number)];
    for (size_t i = 0; i < sizeof bytes; ++i) bytes[i] = static_cast<char>(wire_.byte(at + i));
    Number value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }

  WireFile& wire_;
  Span span_;
  std::string place_;
  bool has_shape_ = false, old_shape_ = false;
  uint64_t old_sides_[4] = {0, 0, 0, 0};
  std::vector<uint64_t> sides_;
  uint64_t floats_ = 0, doubles_ = 0;
};

/// Adds a layer's blobs to the file, if it has any.
void read_layer(WireFile& wire, const Span& span, const LayerFormat& format, WeightFile* file, uint64_t* total) {
  const std::string& path = wire.file().path();
  std::string name;
  std::vector<Span> blobs;
  WireMessage layer(wire, span.begin, span.end);
  for (WireField field; layer.next(field);) {
    if (field.is(format.name, Kind::bytes)) {
      const uint64_t length = field.end - field.begin;
      check<Refusal>(length <= kMaxName, "{}: byte {}: the name of a layer has {} bytes, at most {} are read", path,
                     field.begin, length, kMaxName);
      name = wire.file().read_at(field.begin, length);
    } else if (field.is(format.blobs, Kind::bytes)) {
      check<Refusal>(blobs.size() < kMaxBlobs, "{}: byte {}: a layer with more than {} blobs", path, field.begin,
                     kMaxBlobs);
      blobs.push_back({field.begin, field.end});
    } else if (format.field == kOldLayer.field && field.is(kOldestLayer, Kind::bytes)) {
      throw Refusal(fmt::format(
          "{}: byte {}: a layer in the format of Caffe before 2014; convert the file with its upgrade_net_proto_binary",
          path, span.begin));
    }
  }
  for (size_t i = 0; i < blobs.size(); ++i) {
    check<Refusal>(file->tensors.size() < kMaxTensors, "{}: more than {} blobs", path, kMaxTensors);
    const Blob blob(wire, blobs[i], fmt::format("{}: layer {}: blob {}", path, quotable(name), i));
    *total += blob.count() * sizeof(float);
    check<Refusal>(*total <= kMaxWeightBytes,
                   "{}: layer {}: with those before it would take {} bytes in memory, at most "
                   "{} are read; are these weights?",
                   path, quotable(name), *total, kMaxWeightBytes);
    WeightTensor& tensor = file->tensors.emplace_back();
    tensor.name = fmt::format("{}{}{}", name, kBlobs, i);
    tensor.shape = blob.shape();
    tensor.data = blob.numbers();
  }
}

/// The parts of a message at the beginning of a file, of which the rest is not at hand.
class HeadReader {
 public:
  explicit HeadReader(std::string_view head) : rest_(head) {}

  bool empty() const { return rest_.empty(); }
  /// A varint of up to 32 bits; nullopt for none.
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 35 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }
  /// The next bytes, as many as there are of so many.
  std::string_view take(uint64_t bytes) {
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

bool printable(std::string_view text) { return std::none_of(text.begin(), text.end(), is_control); }

/// True if a message that begins so has a text as its first field, one of `numbers`.
bool begins_with_text(std::string_view message, std::initializer_list<uint32_t> numbers) {
  HeadReader reader(message);
  const auto tag = reader.varint(), length = reader.varint();
  if (!tag || !length || (*tag & 7) != 2) return false;
  return std::find(numbers.begin(), numbers.end(), *tag >> 3) != numbers.end() && printable(reader.take(*length));
}

}  // namespace

bool is_caffemodel(std::string_view head) {
  constexpr uint32_t kName = 1, kInput = 3, kInputDim = 4, kForceBackward = 5, kState = 6, kDebugInfo = 7,
                     kInputShape = 8;
  HeadReader reader(head);
  bool named = false;
  while (const auto tag = reader.varint()) {
    const uint64_t number = *tag >> 3;
    const auto value = reader.varint();  // of a varint, or the length of bytes
    if (!value) return false;
    if ((*tag & 7) == 0 && (number == kInputDim || number == kForceBackward || number == kDebugInfo)) continue;
    if ((*tag & 7) != 2) return false;
    const std::string_view bytes = reader.take(*value);
    if (number == kLayer.field) return named || begins_with_text(bytes, {kLayer.name});
    // Caffe writes fields in the order of their numbers: the old format's `bottom` and `top` stand before its name.
    if (number == kOldLayer.field) return begins_with_text(bytes, {2, 3, kOldLayer.name}) || bytes.starts_with('\x0a');
    if (number == kName) named = true;
    if (number == kName ? !printable(bytes) : number != kInput && number != kState && number != kInputShape)
      return false;
  }
  return false;
}

WeightFile read_caffemodel(const InputFile& file) {
  WireFile wire(file);
  WeightFile result;
  uint64_t total = 0;
  WireMessage network(wire, 0, file.size());
  for (WireField field; network.next(field);) {
    for (const LayerFormat& format : {kLayer, kOldLayer}) {
      if (field.is(format.field, Kind::bytes)) read_layer(wire, {field.begin, field.end}, format, &result, &total);
    }
  }
  check<Refusal>(!result.tensors.empty(), "{}: the layers of this network of Caffe hold no weights", file.path());
  return result;
}

}  // namespace giza::models
