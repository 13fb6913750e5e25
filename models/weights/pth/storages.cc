// From the storages of a .pth to dense tensors.
#include "models/weights/pth/storages.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "models/weights/detail/elements.h"
#include "models/weights/pth/zip_reader.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

/// Copies a strided view out of the bytes of its storage, the last axis innermost.
template <class From, class To, class Convert>
void gather(const char* storage, const TensorView& view, std::vector<To>* to, Convert convert) {
  to->resize(static_cast<size_t>(view.numel));
  if (view.numel == 0) return;
  const auto element = [&](int64_t index) {
    From value;  // by memcpy: the bytes need not be aligned
    std::memcpy(&value, storage + static_cast<size_t>(index) * sizeof(From), sizeof value);
    return convert(value);
  };
  const int64_t row = view.rank == 0 ? 1 : view.shape[view.rank - 1];
  const int64_t step = view.rank == 0 ? 1 : view.strides[view.rank - 1];
  std::array<int64_t, TensorView::kMaxRank> index{};
  int64_t begin = view.offset;
  for (size_t done = 0; done < to->size();) {
    for (int64_t i = 0; i < row; ++i) (*to)[done++] = element(begin + i * step);
    // The next row: counts up like an odometer.
    for (size_t axis = view.rank < 2 ? 0 : view.rank - 1; axis-- > 0;) {
      begin += view.strides[axis];
      if (++index[axis] < view.shape[axis]) break;
      begin -= view.strides[axis] * view.shape[axis];
      index[axis] = 0;
    }
  }
}

void gather(const char* storage, const PthWeight& weight, WeightTensor* tensor) {
  const TensorView& view = weight.view;
  tensor->dtype = weight.dtype;
  tensor->shape.assign(view.shape.begin(), view.shape.begin() + static_cast<std::ptrdiff_t>(view.rank));
  with_element_type(weight.dtype, [&](auto element, auto convert) {
    using From = decltype(element);
    if constexpr (std::is_same_v<decltype(convert(element)), float>) {
      gather<From>(storage, view, &tensor->data, convert);
    } else {
      gather<From>(storage, view, &tensor->integers, convert);
    }
  });
}

void reverse_elements(ptrdiff_t element_bytes, std::vector<char>* bytes) {
  for (auto at = bytes->begin(); at != bytes->end(); at += element_bytes) std::reverse(at, at + element_bytes);
}

}  // namespace

std::vector<WeightTensor> read_pth_tensors(const InputFile& file, const PthObjects& objects,
                                           const std::vector<StoragePlace>& places) {
  std::vector<size_t> order(objects.weights.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return objects.weights[a].view.storage < objects.weights[b].view.storage;
  });
  std::vector<WeightTensor> tensors(order.size());
  std::vector<char> bytes;
  std::optional<uint32_t> held;
  for (const size_t i : order) {
    const PthWeight& weight = objects.weights[i];
    const PthStorage& storage = objects.storages[weight.view.storage];
    if (held != weight.view.storage) {
      const StoragePlace& place = places[weight.view.storage];
      bytes.resize(storage.bytes());
      file.read_at(place.offset, bytes.data(), bytes.size());
      check<Refusal>(!place.crc || *place.crc == ZipReader::crc32(bytes.data(), bytes.size()),
                     "{}: the checksum of storage {} is wrong: the file is damaged; copy it again", file.path(),
                     quotable(storage.key));
      if (place.big_endian) reverse_elements(static_cast<ptrdiff_t>(storage.type->element_bytes), &bytes);
      held = weight.view.storage;
    }
    tensors[i].name = weight.name;
    gather(bytes.data(), weight, &tensors[i]);
  }
  return tensors;
}

std::string bytes_behind_note(uint64_t bytes) {
  return fmt::format("the file has {} behind its end, passed over: was something appended?",
                     counted(static_cast<int64_t>(bytes), "byte"));
}

}  // namespace giza::models
