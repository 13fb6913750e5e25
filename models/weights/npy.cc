// NumPy's .npy files: magic, version, length of the header, the header as a Python dict, the numbers.
#include "models/weights/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string_view>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"

static_assert(std::endian::native == std::endian::little, "files are little-endian and read without swapping");

namespace giza::models {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxNpyHeader = 1 << 16;
constexpr size_t kMaxAxes = 32;  // NumPy's own limit

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Reads the dict that NumPy writes: three known keys in any order, a string, a bool and a tuple of integers.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& place) : rest_(text), place_(place) {}

  NpyHeader parse() {
    NpyHeader header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !descr) {
        descr = true;
        require(peek() != '[', "is a structured array");
        header.descr = string();
      } else if (key == "fortran_order" && !order) {
        order = true;
        header.fortran_order = boolean();
      } else if (key == "shape" && !shape) {
        shape = true;
        header.shape = tuple();
      } else {
        require(false, "has an unknown or repeated key in its header");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    require(peek() == '\0', "has text after the dict of its header");
    require(descr && order && shape, "lacks descr, fortran_order or shape in its header");
    return header;
  }

 private:
  void require(bool condition, const char* what) const {
    check<Refusal>(condition, "{}: the file {}, expected a .npy file of numbers as numpy.save writes it", place_, what);
  }
  /// The next character that is no blank; 0 at the end.
  char peek() {
    const size_t start = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(std::min(start, rest_.size()));
    return rest_.empty() ? '\0' : rest_.front();
  }
  bool accept(char c) {
    if (peek() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) { require(accept(c), "has a malformed header"); }
  std::string string() {
    const char quote = peek();
    require(quote == '\'' || quote == '"', "has a malformed header");
    const size_t end = rest_.find(quote, 1);
    require(end != std::string_view::npos, "has a malformed header");
    std::string result(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return result;
  }
  bool boolean() {
    peek();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return value;
    }
    require(false, "has a malformed header");
    return false;
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> values;
    expect('(');
    while (!accept(')')) {
      peek();
      int64_t value = -1;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
      require(error == std::errc() && value >= 0 && values.size() < kMaxAxes, "has a malformed shape");
      rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
      accept('L');  // as Python 2 wrote long integers
      values.push_back(value);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return values;
  }

  std::string_view rest_;
  const std::string& place_;
};

std::optional<int64_t> checked_product(const std::vector<int64_t>& shape, int64_t factor) {
  int64_t product = factor;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (int64_t size : shape) {
    if (__builtin_mul_overflow(product, size, &product)) return std::nullopt;
  }
  return product;
}

/// Column order to row order.
template <class T>
std::vector<T> from_fortran(const std::vector<T>& data, const std::vector<int64_t>& shape) {
  std::vector<T> result(data.size());
  std::vector<int64_t> index(shape.size(), 0);
  for (T& value : result) {
    size_t from = 0;
    for (size_t axis = shape.size(); axis-- > 0;) {
      from = from * static_cast<size_t>(shape[axis]) + static_cast<size_t>(index[axis]);
    }
    value = data[from];
    for (size_t axis = shape.size(); axis-- > 0 && ++index[axis] == shape[axis];) index[axis] = 0;
  }
  return result;
}

/// An open file and where its `count` numbers begin.
struct OpenNpy {
  InputFile file;
  uint64_t data_begin = 0;  // set while the header is read, so before it
  NpyHeader header;
  size_t count = 0;

  /// `types`: the descriptions that the caller reads, and the bytes of a number of each.
  OpenNpy(const std::string& path, const std::map<std::string, int64_t, std::less<>>& types)
      : file(path, "a .npy file"), header(HeaderParser(read_header(), path).parse()) {
    const auto type = types.find(header.descr);
    if (type == types.end()) {
      std::vector<std::string> known;
      for (const auto& [name, bytes] : types) known.push_back(name);
      throw Refusal(fmt::format("{}: holds numbers of type {}, expected {} (convert with astype)", path,
                                quotable(header.descr, 20), fmt::join(known, ", ")));
    }
    const auto bytes = checked_product(header.shape, type->second);
    const uint64_t held = file.size() - data_begin;
    check<Refusal>(bytes && static_cast<uint64_t>(*bytes) == held,
                   "{}: shape ({}) of {} needs {} bytes of numbers, the file has {}", path,
                   fmt::join(header.shape, ", "), quotable(header.descr, 20),
                   bytes ? std::to_string(*bytes) : "more than 2^63", held);
    count = static_cast<size_t>(*bytes / type->second);
  }

  /// The numbers, each held as From in the file, in row order.
  template <class From, class To>
  std::vector<To> numbers() const {
    return numbers<From>([](From value) { return static_cast<To>(value); });
  }
  template <class From, class Convert>
  auto numbers(Convert convert) const {
    const auto data = read_numbers<From>(file, data_begin, count, convert);
    return header.fortran_order ? from_fortran(data, header.shape) : data;
  }

 private:
  /// The header's text; the numbers begin behind it.
  std::string read_header() {
    const std::string& path = file.path();
    std::array<char, 8> prefix{};
    if (file.size() >= prefix.size()) file.read_at(0, prefix.data(), prefix.size());
    check<Refusal>(std::string_view(prefix.data(), kMagic.size()) == kMagic,
                   "{}: the file does not start as a .npy file does, expected one as numpy.save writes it", path);
    const int version = static_cast<unsigned char>(prefix[6]);
    check<Refusal>(version >= 1 && version <= 3, "{}: .npy version {} is unknown, expected 1, 2 or 3", path, version);
    const size_t digits = version == 1 ? 2 : 4, begin = prefix.size() + digits;
    uint32_t length = 0;
    if (file.size() >= begin) file.read_at(prefix.size(), &length, digits);
    check<Refusal>(file.size() >= begin && length <= kMaxNpyHeader, "{}: the header is cut off or longer than {} bytes",
                   path, kMaxNpyHeader);
    check<Refusal>(length <= file.size() - begin, "{}: the header is cut off", path);
    data_begin = begin + length;
    return file.read_at(begin, length);
  }
};

}  // namespace

NpyArray read_npy(const std::string& path) {
  const OpenNpy file(path, {{"<f4", 4}, {"<f8", 8}});
  const bool wide = file.header.descr == "<f8";
  if (!wide) return {file.header.shape, file.numbers<float, float>()};
  const auto narrowed = [&](double value) {
    const auto number = static_cast<float>(value);
    check<Refusal>(std::isfinite(number) || !std::isfinite(value), "{}: holds {}, more than single precision does",
                   path, value);
    return number;
  };
  return {file.header.shape, file.numbers<double>(narrowed)};
}

NpyIntegers read_npy_integers(const std::string& path) {
  const OpenNpy file(path, {{"<i4", 4}, {"<i8", 8}, {"|u1", 1}});
  const std::string& type = file.header.descr;
  NpyIntegers array;
  array.shape = file.header.shape;
  if (type == "<i8") {
    array.data = file.numbers<int64_t, int64_t>();
  } else if (type == "<i4") {
    array.data = file.numbers<int32_t, int64_t>();
  } else {
    array.data = file.numbers<uint8_t, int64_t>();
  }
  return array;
}

void write_npy(const std::string& path, const NpyArray& array) {
  const auto numel = checked_product(array.shape, 1);
  check<ShapeError>(numel && static_cast<size_t>(*numel) == array.data.size(), "write_npy: {} numbers for shape ({})",
                    array.data.size(), fmt::join(array.shape, ", "));
  std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{}), }}",
                                   fmt::join(array.shape, ", "), array.shape.size() == 1 ? "," : "");
  // The numbers start at a multiple of 64 bytes; the header ends with a newline.
  constexpr size_t kPrefix = 10;
  header.append(63 - (kPrefix + header.size()) % 64, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());
  OutputFile file(path);
  file.write(kMagic);
  file.write("\x01\x00", 2);
  file.write(&length, sizeof(length));
  file.write(header);
  file.write(array.data.data(), array.data.size() * sizeof(float));
  file.commit();
}

Tensor activation_from_nchw(const NpyArray& array, const std::string& place) {
  check<Refusal>(array.shape.size() == 4 && !array.data.empty(), "{}: shape ({}) is not N,C,H,W with all sizes above 0",
                 place, fmt::join(array.shape, ", "));
  const int64_t n = array.shape[0], channels = array.shape[1], area = array.shape[2] * array.shape[3];
  Tensor result = Tensor::activation({n, array.shape[2], array.shape[3], channels});
  for (int64_t plane = 0; plane < n * channels; ++plane) {
    const float* from = array.data.data() + plane * area;
    float* to = result.row(plane / channels * area) + plane % channels;
    for (int64_t i = 0; i < area; ++i) to[i * result.row_stride()] = from[i];
  }
  return result;
}

NpyArray nchw_from_activation(const Tensor& activation) {
  check(activation.rank() == 4, "nchw_from_activation: {} is not [N,H,W,C]", activation.shape());
  const int64_t n = activation.dim(0), channels = activation.dim(3), area = activation.dim(1) * activation.dim(2);
  NpyArray result;
  result.shape = {n, channels, activation.dim(1), activation.dim(2)};
  result.data.resize(static_cast<size_t>(activation.numel()));
  for (int64_t plane = 0; plane < n * channels; ++plane) {
    const float* from = activation.row(plane / channels * area) + plane % channels;
    float* to = result.data.data() + plane * area;
    for (int64_t i = 0; i < area; ++i) to[i] = from[i * activation.row_stride()];
  }
  return result;
}

}  // namespace giza::models
