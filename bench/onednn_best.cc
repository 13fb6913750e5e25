// oneDNN's convolution at its best.
#include "bench/onednn_best.h"

#ifdef GIZA_HAVE_ONEDNN
#include <cmath>
#include <dnnl.hpp>
#include <memory>
#include <unordered_map>
#include <vector>

namespace giza::bench {
namespace {

using dnnl::memory;

/// A primitive with its operands and scratch memory, in the arena: giza's kernels have its huge pages too.
struct Prepared {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;

  std::vector<Tensor> tensors;  // hold the memory

  // Numbers that are neither zero nor denormal, which would make the arithmetic slower or faster than it is.
  void add(int argument, const memory::desc& desc) {
    const Tensor numbers = Tensor::empty({static_cast<int64_t>(desc.get_size() / sizeof(float)) + 1});
    for (int64_t i = 0; i < numbers.numel(); ++i) {
      numbers.data()[i] = static_cast<float>(std::sin(static_cast<double>(i % 8191) + 0.5));
    }
    arguments.emplace(argument, memory(desc, engine, numbers.data()));
    tensors.push_back(numbers);
  }
};

memory::desc any_layout(const Shape& nhwc) {
  return {{nhwc[0], nhwc[3], nhwc[1], nhwc[2]}, memory::data_type::f32, memory::format_tag::any};
}

void make(Prepared& to, ConvPass pass, dnnl::algorithm algorithm, const Shape& x, const Shape& w,
          const Conv2dOptions& o) {
  const Shape y = {x[0], ops::conv_output_size(x[1], w[1], o), ops::conv_output_size(x[2], w[2], o), w[0]};
  const auto end = [&](int axis) {
    return (y[axis] - 1) * o.stride + o.dilation * (w[axis] - 1) + 1 - x[axis] - o.padding;
  };
  const memory::dims strides = {o.stride, o.stride}, dilations = {o.dilation - 1, o.dilation - 1},
                     begin_padding = {o.padding, o.padding}, end_padding = {end(1), end(2)};
  const memory::desc xd = any_layout(x), wd = any_layout(w), yd = any_layout(y);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto prop = pass == ConvPass::forward ? dnnl::prop_kind::forward_inference : dnnl::prop_kind::forward_training;
  const dnnl::convolution_forward::primitive_desc forward(
      {prop, algorithm, xd, wd, yd, strides, dilations, begin_padding, end_padding}, attributes, to.engine);
  if (pass == ConvPass::forward) {
    to.primitive = dnnl::convolution_forward(forward);
    to.add(DNNL_ARG_SRC, forward.src_desc());
    to.add(DNNL_ARG_WEIGHTS, forward.weights_desc());
    to.add(DNNL_ARG_DST, forward.dst_desc());
    to.add(DNNL_ARG_SCRATCHPAD, forward.scratchpad_desc());
  } else if (pass == ConvPass::backward_input) {
    const dnnl::convolution_backward_data::primitive_desc plan(
        {algorithm, xd, wd, yd, strides, dilations, begin_padding, end_padding}, attributes, to.engine, forward);
    to.primitive = dnnl::convolution_backward_data(plan);
    to.add(DNNL_ARG_DIFF_DST, plan.diff_dst_desc());
    to.add(DNNL_ARG_WEIGHTS, plan.weights_desc());
    to.add(DNNL_ARG_DIFF_SRC, plan.diff_src_desc());
    to.add(DNNL_ARG_SCRATCHPAD, plan.scratchpad_desc());
  } else {
    const dnnl::convolution_backward_weights::primitive_desc plan(
        {algorithm, xd, wd, yd, strides, dilations, begin_padding, end_padding}, attributes, to.engine, forward);
    to.primitive = dnnl::convolution_backward_weights(plan);
    to.add(DNNL_ARG_SRC, plan.src_desc());
    to.add(DNNL_ARG_DIFF_DST, plan.diff_dst_desc());
    to.add(DNNL_ARG_DIFF_WEIGHTS, plan.diff_weights_desc());
    to.add(DNNL_ARG_SCRATCHPAD, plan.scratchpad_desc());
  }
}

}  // namespace

std::function<void()> onednn_best(ConvPass pass, OnednnAlgorithm algorithm, const Shape& x, const Shape& w,
                                  const Conv2dOptions& options) {
  const auto prepared = std::make_shared<Prepared>();
  try {
    make(*prepared, pass,
         algorithm == OnednnAlgorithm::winograd ? dnnl::algorithm::convolution_winograd
                                                : dnnl::algorithm::convolution_direct,
         x, w, options);
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return {};
    throw;
  }
  return [prepared] {
    prepared->primitive.execute(prepared->stream, prepared->arguments);
    prepared->stream.wait();
  };
}

}  // namespace giza::bench

#else

namespace giza::bench {

std::function<void()> onednn_best(ConvPass, OnednnAlgorithm, const Shape&, const Shape&, const Conv2dOptions&) {
  return {};
}

}  // namespace giza::bench

#endif
