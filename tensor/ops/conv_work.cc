// A convolution as a profile names and counts it.
#include "tensor/ops/conv_work.h"

#include <fmt/format.h>

namespace giza::profile {

int64_t same_padding(int64_t kernel_h, int64_t kernel_w, int64_t dilation) {
  return kernel_h % 2 == 1 && kernel_h == kernel_w ? dilation * (kernel_h - 1) / 2 : 0;
}

std::string conv2d_word(const Shape& x, const Shape& w, const Conv2dOptions& options) {
  std::string word = fmt::format("n{}h{}w{}c{}k{}r{}", x[0], x[1], x[2], x[3], w[0], w[1]);
  if (w[2] != w[1]) word += fmt::format("x{}", w[2]);
  if (options.stride != 1) word += fmt::format("s{}", options.stride);
  if (options.dilation != 1) word += fmt::format("d{}", options.dilation);
  if (options.padding != same_padding(w[1], w[2], options.dilation)) word += fmt::format("p{}", options.padding);
  return word;
}

Work conv2d_work(ConvPass pass, const Shape& x, const Shape& w, const Conv2dOptions& options) {
  const ConvPlan plan = ops::plan_conv2d(pass, x, w, options);
  const ConvBackend backend = conv_backend(w, options);
  const bool native = backend == ConvBackend::native;
  const Shape y = {x[0], ops::conv_output_size(x[1], w[1], options), ops::conv_output_size(x[2], w[2], options), w[0]};
  return {.kernel = fmt::format("conv2d_{}", to_string(pass)),
          .shape = conv2d_word(x, w, options),
          .flops = plan.flops,
          .bytes = static_cast<double>(sizeof(float)) * static_cast<double>(x.numel() + w.numel() + y.numel()),
          .algorithm = native ? to_string(plan.algorithm) : to_string(backend),
          .executed_flops = native ? plan.executed_flops : plan.flops};
}

}  // namespace giza::profile
