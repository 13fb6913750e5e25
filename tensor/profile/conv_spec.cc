// The shape of a convolution as somebody types it.
#include "tensor/profile/conv_spec.h"

#include "tensor/base/check.h"
#include "tensor/ops/conv_work.h"
#include "tensor/profile/field_reader.h"

namespace giza::profile {

ConvSpec ConvSpec::parse(std::string_view text) {
  constexpr std::string_view kExpected =
      "expected letters with numbers as in n1h60w60c512k512r3d4: n batch, h w input size, c input channels, k output "
      "channels, r kernel size (or RxS), s stride, d dilation, p padding";
  ConvSpec spec;
  const Field fields[] = {{'n', &spec.n},
                          {'h', &spec.h},
                          {'w', &spec.w},
                          {'c', &spec.c},
                          {'k', &spec.k},
                          {'r', &spec.kernel_h, 1, &spec.kernel_w},
                          {'s', &spec.options.stride},
                          {'d', &spec.options.dilation},
                          {'p', &spec.options.padding, 0}};
  const std::string seen = read_fields(text, fields, kExpected);
  for (const char letter : {'h', 'w', 'c', 'k'}) {
    check<Refusal>(seen.find(letter) != std::string::npos, "{}: {} is missing; {}", text, letter, kExpected);
  }
  if (seen.find('p') == std::string::npos) {
    spec.options.padding = same_padding(spec.kernel_h, spec.kernel_w, spec.options.dilation);
  }
  try {
    // Shapes with more elements than can be counted are refused too.
    static_cast<void>(spec.input());
    static_cast<void>(spec.weight());
    static_cast<void>(spec.output());
  } catch (const ShapeError& error) {
    throw Refusal(fmt::format("{}: {}", text, error.what()));
  }
  return spec;
}

std::string ConvSpec::text() const { return conv2d_word(input(), weight(), options); }

Shape ConvSpec::output() const {
  return {n, ops::conv_output_size(h, kernel_h, options), ops::conv_output_size(w, kernel_w, options), k};
}

double ConvSpec::flops() const { return conv2d_work(ConvPass::forward, input(), weight(), options).flops; }
double ConvSpec::bytes() const { return conv2d_work(ConvPass::forward, input(), weight(), options).bytes; }

}  // namespace giza::profile
