// Files of Caffe for the tests: an encoder of their own, and a small PSPNet whose numbers follow from its layers'
// names.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "models/weights/caffe/caffemodel.h"
#include "tests/support/mixed.h"
#include "tests/support/temp_folder.h"

namespace giza::models {

inline std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes + static_cast<char>(value);
}

inline std::string field(uint32_t number, uint64_t value) { return varint(uint64_t{number} << 3) + varint(value); }
/// A text, a message, or packed numbers.
inline std::string field(uint32_t number, const std::string& bytes) {
  return varint((uint64_t{number} << 3) | 2) + varint(bytes.size()) + bytes;
}

struct CaffeBlob {
  std::vector<int64_t> shape;
  std::vector<float> numbers;
};
struct CaffeLayer {
  std::string name, type;
  std::vector<CaffeBlob> blobs;
};

inline std::string encode(const CaffeBlob& blob) {
  std::string sides, numbers(blob.numbers.size() * sizeof(float), '\0');
  for (const int64_t side : blob.shape) sides += varint(static_cast<uint64_t>(side));
  std::memcpy(numbers.data(), blob.numbers.data(), numbers.size());
  return field(5, numbers) + field(7, field(1, sides));
}
inline std::string encode(const CaffeLayer& layer) {
  std::string message = field(1, layer.name) + field(2, layer.type);
  for (const CaffeBlob& blob : layer.blobs) message += field(7, encode(blob));
  return field(100, message);
}
inline std::string encode(const std::vector<CaffeLayer>& layers) {
  std::string network = field(1, "net");
  for (const CaffeLayer& layer : layers) network += encode(layer);
  return network;
}

inline WeightFile read_caffe(const std::string& bytes) {
  const TempFolder folder;
  write_bytes(folder.file("w.caffemodel"), bytes);
  return read_weights(folder.file("w.caffemodel"));
}

struct CaffePspnet {
  std::vector<int64_t> blocks = {2, 1, 2, 1};
  int64_t width = 8, classes = 5, head = 16;
  bool aux = true;
};

/// The network of tests/golden/make_caffe_goldens.py.
class CaffePspnetLayers {
 public:
  explicit CaffePspnetLayers(const CaffePspnet& net) {
    const int64_t w = net.width;
    conv_bn("conv1_1_3x3_s2", 3, w, 3);
    conv_bn("conv1_2_3x3", w, w, 3);
    conv_bn("conv1_3_3x3", w, 2 * w, 3);
    int64_t channels = 2 * w;
    for (int stage = 2; stage <= 5; ++stage) {
      const int64_t planes = w << (stage - 2);
      for (int64_t b = 1; b <= net.blocks[static_cast<size_t>(stage - 2)]; ++b) {
        const std::string name = fmt::format("conv{}_{}_", stage, b);
        conv_bn(name + "1x1_reduce", channels, planes, 1);
        conv_bn(name + "3x3", planes, planes, 3);
        conv_bn(name + "1x1_increase", planes, 4 * planes, 1);
        if (b == 1) conv_bn(name + "1x1_proj", channels, 4 * planes, 1);
        channels = 4 * planes;
      }
    }
    for (const int bin : {1, 2, 3, 6}) {
      conv_bn(fmt::format("conv5_{}_pool{}_conv", net.blocks[3], bin), channels, channels / 4, 1);
    }
    conv_bn("conv5_4", 2 * channels, net.head, 3);
    conv("conv6", net.head, net.classes);
    if (!net.aux) return;
    conv_bn(fmt::format("conv4_{}", net.blocks[2] + 1), channels / 2, net.head / 2, 3);
    conv("conv6_1", net.head / 2, net.classes);
  }

  std::vector<CaffeLayer> layers;

 private:
  static CaffeBlob filled(const std::string& layer, int index, std::vector<int64_t> shape, double scale, double shift) {
    int64_t count = 1;
    for (const int64_t side : shape) count *= side;
    CaffeBlob blob{std::move(shape), {}};
    const uint32_t key = crc32(fmt::format("{}.blobs.{}", layer, index));
    for (int64_t i = 0; i < count; ++i) {
      blob.numbers.push_back(static_cast<float>(mixed(key, static_cast<uint64_t>(i)) * scale + shift));
    }
    return blob;
  }
  static CaffeBlob weight(const std::string& name, int64_t in, int64_t out, int64_t kernel) {
    return filled(name, 0, {out, in, kernel, kernel}, 2 * std::sqrt(3.0 / static_cast<double>(in * kernel * kernel)),
                  0);
  }
  void conv_bn(const std::string& name, int64_t in, int64_t out, int64_t kernel) {
    layers.push_back({name, "Convolution", {weight(name, in, out, kernel)}});
    const std::string norm = name + "/bn";
    layers.push_back({norm,
                      "BN",
                      {filled(norm, 0, {1, out, 1, 1}, 1, 1), filled(norm, 1, {1, out, 1, 1}, 0.4, 0),
                       filled(norm, 2, {1, out, 1, 1}, 0.4, 0), filled(norm, 3, {1, out, 1, 1}, 1, 1)}});
  }
  void conv(const std::string& name, int64_t in, int64_t out) {
    layers.push_back({name, "Convolution", {weight(name, in, out, 1), filled(name, 1, {out}, 0.4, 0)}});
  }
};

}  // namespace giza::models
