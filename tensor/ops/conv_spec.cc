// The shape of a convolution as a word.
#include "tensor/ops/conv_spec.h"

#include <charconv>
#include <utility>

#include "tensor/base/check.h"

namespace giza::profile {
namespace {

constexpr const char* kExpected =
    "expected letters with numbers as in n1h60w60c512k512r3d4: n batch, h w input size, c input channels, k output "
    "channels, r kernel size (or RxS), s stride, d dilation, p padding";
constexpr int64_t kMaxSize = 1 << 20;

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool done() const { return at_ == text_.size(); }
  char next() { return text_[at_++]; }
  /// Skips `letter` if it comes next.
  bool skip(char letter) {
    const bool here = !done() && text_[at_] == letter;
    at_ += here ? 1 : 0;
    return here;
  }
  int64_t number(char letter, int64_t low) {
    int64_t value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    check<Refusal>(error == std::errc() && value >= low && value <= kMaxSize, "{}: {} needs a number from {} to {}; {}",
                   text_, letter, low, kMaxSize, kExpected);
    at_ += static_cast<size_t>(end - begin);
    return value;
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

ConvSpec::ConvSpec(const Shape& x, const Shape& weight, const Conv2dOptions& conv_options)
    : n(x[0]),
      h(x[1]),
      w(x[2]),
      c(x[3]),
      k(weight[0]),
      kernel_h(weight[1]),
      kernel_w(weight[2]),
      options(conv_options) {}

int64_t ConvSpec::same_padding() const {
  return kernel_h % 2 == 1 && kernel_h == kernel_w ? options.dilation * (kernel_h - 1) / 2 : 0;
}

ConvSpec ConvSpec::parse(std::string_view text) {
  ConvSpec spec;
  std::string seen;
  for (Reader reader(text); !reader.done();) {
    const char letter = reader.next();
    const bool known = std::string_view("nhwckrsdp").find(letter) != std::string_view::npos;
    check<Refusal>(known, "{}: unknown letter '{}'; {}", text, letter, kExpected);
    check<Refusal>(seen.find(letter) == std::string::npos, "{}: {} stands there twice; {}", text, letter, kExpected);
    seen += letter;
    const int64_t value = reader.number(letter, letter == 'p' ? 0 : 1);
    if (letter == 'r') {
      spec.kernel_h = value;
      spec.kernel_w = reader.skip('x') ? reader.number('x', 1) : value;
      continue;
    }
    const std::pair<char, int64_t*> fields[] = {{'n', &spec.n},
                                                {'h', &spec.h},
                                                {'w', &spec.w},
                                                {'c', &spec.c},
                                                {'k', &spec.k},
                                                {'s', &spec.options.stride},
                                                {'d', &spec.options.dilation},
                                                {'p', &spec.options.padding}};
    for (const auto& [name, field] : fields) {
      if (name == letter) *field = value;
    }
  }
  for (const char letter : {'h', 'w', 'c', 'k'}) {
    check<Refusal>(seen.find(letter) != std::string::npos, "{}: {} is missing; {}", text, letter, kExpected);
  }
  if (seen.find('p') == std::string::npos) spec.options.padding = spec.same_padding();
  try {
    spec.output();
  } catch (const ShapeError& error) {
    throw Refusal(fmt::format("{}: {}", text, error.what()));
  }
  return spec;
}

std::string ConvSpec::text() const {
  std::string text = fmt::format("n{}h{}w{}c{}k{}r{}", n, h, w, c, k, kernel_h);
  if (kernel_w != kernel_h) text += fmt::format("x{}", kernel_w);
  if (options.stride != 1) text += fmt::format("s{}", options.stride);
  if (options.dilation != 1) text += fmt::format("d{}", options.dilation);
  if (options.padding != same_padding()) text += fmt::format("p{}", options.padding);
  return text;
}

Shape ConvSpec::output() const {
  return {n, ops::conv_output_size(h, kernel_h, options), ops::conv_output_size(w, kernel_w, options), k};
}

double ConvSpec::flops() const {
  const int64_t products = kernel_h * kernel_w * c;
  return 2.0 * static_cast<double>(output().numel()) * static_cast<double>(products);
}

double ConvSpec::bytes() const {
  return static_cast<double>(sizeof(float)) *
         static_cast<double>(input().numel() + weight().numel() + output().numel());
}

Work conv2d_work(ConvPass pass, const Shape& x, const Shape& w, const Conv2dOptions& options) {
  const ConvSpec spec(x, w, options);
  Work work = {.kernel = fmt::format("conv2d_{}", to_string(pass)),
               .shape = spec.text(),
               .flops = spec.flops(),
               .bytes = spec.bytes(),
               .algorithm = to_string(options.backend),
               .executed_flops = spec.flops()};
  if (options.backend == ConvBackend::native) {
    const ConvPlan plan = ops::plan_conv2d(pass, x, w, options);
    work.algorithm = to_string(plan.algorithm);
    work.executed_flops = plan.executed_flops;
  }
  return work;
}

}  // namespace giza::profile
