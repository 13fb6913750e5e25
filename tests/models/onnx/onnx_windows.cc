// The ONNX operators that slide a window.
#include "tests/models/onnx/onnx_windows.h"

#ifdef GIZA_HAVE_PROTOBUF
#include <algorithm>
#include <limits>

namespace giza {
namespace {

/// A window that slides over the last two axes, for convolution and pooling.
struct Window {
  std::vector<int64_t> kernel, strides, pads, dilations;

  explicit Window(OnnxAttributes& attributes)
      : kernel(attributes.ints("kernel_shape")),
        strides(attributes.ints("strides", {1, 1})),
        pads(attributes.ints("pads", {0, 0, 0, 0})),
        dilations(attributes.ints("dilations", {1, 1})) {
    REQUIRE((kernel.size() == 2 && strides.size() == 2 && pads.size() == 4 && dilations.size() == 2));
  }
  int64_t out(int64_t size, size_t axis) const {
    return (size + pads[axis] + pads[axis + 2] - dilations[axis] * (kernel[axis] - 1) - 1) / strides[axis] + 1;
  }
  /// Calls body(y, x, r, s) for the taps of output pixel (i, j) inside of height x width.
  template <class Body>
  void taps(int64_t i, int64_t j, int64_t height, int64_t width, const Body& body) const {
    for (int64_t r = 0; r < kernel[0]; ++r) {
      for (int64_t s = 0; s < kernel[1]; ++s) {
        const int64_t y = i * strides[0] - pads[0] + r * dilations[0];
        const int64_t x = j * strides[1] - pads[1] + s * dilations[1];
        if (y >= 0 && y < height && x >= 0 && x < width) body(y, x, r, s);
      }
    }
  }
};

}  // namespace

OnnxTensor conv(const OnnxTensor& x, const OnnxTensor& w, const OnnxTensor& bias, OnnxAttributes& attributes) {
  const Window window(attributes);
  REQUIRE((w.shape == std::vector<int64_t>{w.shape[0], x.shape[1], window.kernel[0], window.kernel[1]}));
  REQUIRE(bias.shape == std::vector<int64_t>{w.shape[0]});
  const int64_t channels = x.shape[1], height = x.shape[2], width = x.shape[3];
  OnnxTensor y = zeros({x.shape[0], w.shape[0], window.out(height, 0), window.out(width, 1)});
  size_t at = 0;
  for (int64_t n = 0; n < y.shape[0]; ++n) {
    for (int64_t k = 0; k < y.shape[1]; ++k) {
      for (int64_t i = 0; i < y.shape[2]; ++i) {
        for (int64_t j = 0; j < y.shape[3]; ++j) {
          double sum = bias.data[static_cast<size_t>(k)];
          window.taps(i, j, height, width, [&](int64_t row, int64_t column, int64_t r, int64_t s) {
            for (int64_t c = 0; c < channels; ++c) {
              sum += x.data[static_cast<size_t>(((n * channels + c) * height + row) * width + column)] *
                     w.data[static_cast<size_t>(((k * channels + c) * window.kernel[0] + r) * window.kernel[1] + s)];
            }
          });
          y.data[at++] = sum;
        }
      }
    }
  }
  return y;
}

OnnxTensor pool(const OnnxTensor& x, bool max, OnnxAttributes& attributes, OnnxTensor* places) {
  const Window window(attributes);
  const bool count_padding = attributes.integer("count_include_pad", 0) == 1;
  const int64_t planes = x.shape[0] * x.shape[1], height = x.shape[2], width = x.shape[3];
  OnnxTensor y = zeros({x.shape[0], x.shape[1], window.out(height, 0), window.out(width, 1)});
  *places = y;
  size_t at = 0;
  for (int64_t plane = 0; plane < planes; ++plane) {
    for (int64_t i = 0; i < y.shape[2]; ++i) {
      for (int64_t j = 0; j < y.shape[3]; ++j) {
        double sum = 0, most = -std::numeric_limits<double>::infinity(), count = 0;
        window.taps(i, j, height, width, [&](int64_t row, int64_t column, int64_t, int64_t) {
          const int64_t place = (plane * height + row) * width + column;
          const double value = x.data[static_cast<size_t>(place)];
          sum += value;
          if (value > most) places->data[at] = static_cast<double>(place);
          most = std::max(most, value);
          ++count;
        });
        if (count_padding) count = static_cast<double>(window.kernel[0] * window.kernel[1]);
        y.data[at++] = max ? most : sum / count;
      }
    }
  }
  return y;
}

OnnxTensor unpool(const OnnxTensor& x, const OnnxTensor& places, const OnnxTensor& size, OnnxAttributes& attributes) {
  const Window window(attributes);
  OnnxTensor y = zeros({size.data.begin(), size.data.end()});
  CHECK(window.out(y.shape[2], 0) <= x.shape[2]);
  REQUIRE(places.shape == x.shape);
  for (size_t i = 0; i < x.data.size(); ++i) y.data.at(static_cast<size_t>(places.data[i])) = x.data[i];
  return y;
}

OnnxTensor conv_transpose(const OnnxTensor& x, const OnnxTensor& w, OnnxAttributes& attributes) {
  const std::vector<int64_t> more = attributes.ints("output_padding", {0, 0});
  const Window window(attributes);
  const auto out = [&](int64_t size, size_t axis) {
    return (size - 1) * window.strides[axis] - 2 * window.pads[axis] +
           window.dilations[axis] * (window.kernel[axis] - 1) + 1 + more[axis];
  };
  const int64_t in = x.shape[1], channels = w.shape[1], height = x.shape[2], width = x.shape[3];
  OnnxTensor y = zeros({x.shape[0], channels, out(height, 0), out(width, 1)});
  REQUIRE((w.shape == std::vector<int64_t>{in, channels, window.kernel[0], window.kernel[1]}));
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    for (int64_t c = 0; c < in; ++c) {
      for (int64_t k = 0; k < channels; ++k) {
        for (int64_t at = 0; at < height * width; ++at) {
          const double value = x.data[static_cast<size_t>((n * in + c) * height * width + at)];
          // The taps of this pixel in the result.
          window.taps(
              at / width, at % width, y.shape[2], y.shape[3], [&](int64_t row, int64_t column, int64_t r, int64_t s) {
                y.data[static_cast<size_t>(((n * channels + k) * y.shape[2] + row) * y.shape[3] + column)] +=
                    value *
                    w.data[static_cast<size_t>(((c * channels + k) * window.kernel[0] + r) * window.kernel[1] + s)];
              });
        }
      }
    }
  }
  return y;
}

}  // namespace giza
#endif
