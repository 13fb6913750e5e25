// Convolution by oneDNN.
#include "tensor/backends/onednn.h"

#include "tensor/base/check.h"
#include "tensor/dry_run.h"

#ifdef GIZA_HAVE_ONEDNN
#include <dnnl.hpp>
#include <unordered_map>

#include "tensor/parallel.h"

// Of the OpenMP library that oneDNN brings along; null where its threads are of another kind.
extern "C" [[gnu::weak]] void omp_set_num_threads(int threads);

namespace giza {

bool onednn_available() { return true; }

namespace ops::onednn {
namespace {

using dnnl::memory;

dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// Runs body on num_threads() threads, with oneDNN's exceptions turned into ours.
template <class Body>
auto guarded(const char* op, Body&& body) {
  if (omp_set_num_threads != nullptr) omp_set_num_threads(num_threads());
  try {
    return body();
  } catch (const dnnl::error& error) {
    throw Error(fmt::format("{}: oneDNN failed: {}", op, error.what()));
  }
}

// A tensor as oneDNN sees it, in place: NCHW sizes with giza's strides.
memory view(const Tensor& t) {
  const memory::dims sizes = {t.dim(0), t.dim(3), t.dim(1), t.dim(2)};
  const int64_t pixel = t.row_stride();
  const memory::dims strides = {t.dim(1) * t.dim(2) * pixel, 1, t.dim(2) * pixel, pixel};
  return {memory::desc(sizes, memory::data_type::f32, strides), engine(), t.data()};
}

memory view_vector(const Tensor& t) {
  return {memory::desc({t.dim(0)}, memory::data_type::f32, memory::format_tag::x), engine(), t.data()};
}

// The sizes alone: oneDNN chooses the layout.
memory::desc any_layout(const Shape& nhwc) {
  return {{nhwc[0], nhwc[3], nhwc[1], nhwc[2]}, memory::data_type::f32, memory::format_tag::any};
}

// Memory of the arena in a layout of oneDNN's, alive as long as this object.
struct Buffer {
  explicit Buffer(const memory::desc& desc)
      : storage(Tensor::empty({static_cast<int64_t>(desc.get_size() / sizeof(float)) + 1})),
        mem(desc, engine(), storage.data()) {}
  Tensor storage;
  memory mem;
};

class Stream {
 public:
  Stream() : stream_(engine()) {}
  Buffer to_layout(const memory& from, const memory::desc& layout) {
    Buffer buffer(layout);
    reorder(from, buffer.mem);
    return buffer;
  }
  void reorder(const memory& from, const memory& to) {
    if (detail::tasks_off) return;
    run(dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  }
  void run(const dnnl::primitive& primitive, const std::unordered_map<int, memory>& arguments) {
    if (detail::tasks_off) return;
    primitive.execute(stream_, arguments);
    stream_.wait();
  }

 private:
  dnnl::stream stream_;
};

struct Geometry {
  memory::dims strides, dilations, padding_begin, padding_end;
};

Geometry geometry(const Shape& x, const Shape& w, const Shape& y, const Conv2dOptions& o) {
  const auto end = [&](int axis) {
    return (y[axis] - 1) * o.stride + o.dilation * (w[axis] - 1) + 1 - x[axis] - o.padding;
  };
  return {{o.stride, o.stride}, {o.dilation - 1, o.dilation - 1}, {o.padding, o.padding}, {end(1), end(2)}};
}

// oneDNN 2 (Debian 12) describes an operation before it plans it, oneDNN 3 (Debian 13) does both at once.
#if DNNL_VERSION_MAJOR >= 3
template <class Primitive, class... Args>
auto plan_of(const Args&... args) {
  return typename Primitive::primitive_desc(engine(), args...);
}
template <class Primitive, class... Args>
auto gradient_plan_of(const dnnl::convolution_forward::primitive_desc& forward, const Args&... args) {
  return typename Primitive::primitive_desc(engine(), args..., forward);
}
#else
template <class Primitive, class... Args>
auto plan_of(const Args&... args) {
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), engine());
}
template <class Primitive, class... Args>
auto gradient_plan_of(const dnnl::convolution_forward::primitive_desc& forward, const Args&... args) {
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), engine(), forward);
}
#endif

dnnl::convolution_forward::primitive_desc forward_plan(const Shape& x, const Shape& w, const Shape& y, bool bias,
                                                       const Conv2dOptions& options) {
  const Geometry g = geometry(x, w, y, options);
  const auto prop = dnnl::prop_kind::forward_training;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const memory::desc bias_desc({w[0]}, memory::data_type::f32, memory::format_tag::x);
  if (bias) {
    return plan_of<dnnl::convolution_forward>(prop, algorithm, any_layout(x), any_layout(w), bias_desc, any_layout(y),
                                              g.strides, g.dilations, g.padding_begin, g.padding_end);
  }
  return plan_of<dnnl::convolution_forward>(prop, algorithm, any_layout(x), any_layout(w), any_layout(y), g.strides,
                                            g.dilations, g.padding_begin, g.padding_end);
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options) {
  const int64_t p = conv_output_size(x.dim(1), w.dim(1), options), q = conv_output_size(x.dim(2), w.dim(2), options);
  Tensor y = Tensor::activation({x.dim(0), p, q, w.dim(0)});
  if (y.numel() == 0) return y;
  return guarded("conv2d", [&] {
    const auto plan = forward_plan(x.shape(), w.shape(), y.shape(), bias.defined(), options);
    Stream stream;
    const Buffer source = stream.to_layout(view(x), plan.src_desc());
    const Buffer weights = stream.to_layout(view(w), plan.weights_desc());
    const Buffer result(plan.dst_desc());
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, source.mem}, {DNNL_ARG_WEIGHTS, weights.mem}, {DNNL_ARG_DST, result.mem}};
    if (bias.defined()) arguments.emplace(DNNL_ARG_BIAS, view_vector(bias));
    stream.run(dnnl::convolution_forward(plan), arguments);
    stream.reorder(result.mem, view(y));
    return y;
  });
}

Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options) {
  Tensor dx = Tensor::activation(x_shape);
  if (dx.numel() == 0) return dx;
  return guarded("conv2d_backward_input", [&] {
    const Geometry g = geometry(x_shape, w.shape(), dy.shape(), options);
    const auto plan = gradient_plan_of<dnnl::convolution_backward_data>(
        forward_plan(x_shape, w.shape(), dy.shape(), false, options), dnnl::algorithm::convolution_direct,
        any_layout(x_shape), any_layout(w.shape()), any_layout(dy.shape()), g.strides, g.dilations, g.padding_begin,
        g.padding_end);
    Stream stream;
    const Buffer gradient = stream.to_layout(view(dy), plan.diff_dst_desc());
    const Buffer weights = stream.to_layout(view(w), plan.weights_desc());
    const Buffer result(plan.diff_src_desc());
    stream.run(dnnl::convolution_backward_data(plan),
               {{DNNL_ARG_DIFF_DST, gradient.mem}, {DNNL_ARG_WEIGHTS, weights.mem}, {DNNL_ARG_DIFF_SRC, result.mem}});
    stream.reorder(result.mem, view(dx));
    return dx;
  });
}

Tensor conv2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape, const Conv2dOptions& options) {
  Tensor dw = Tensor::empty(w_shape);
  if (x.numel() == 0) {
    dw.fill(0.0F);
    return dw;
  }
  return guarded("conv2d_backward_weight", [&] {
    const Geometry g = geometry(x.shape(), w_shape, dy.shape(), options);
    const auto plan = gradient_plan_of<dnnl::convolution_backward_weights>(
        forward_plan(x.shape(), w_shape, dy.shape(), false, options), dnnl::algorithm::convolution_direct,
        any_layout(x.shape()), any_layout(w_shape), any_layout(dy.shape()), g.strides, g.dilations, g.padding_begin,
        g.padding_end);
    Stream stream;
    const Buffer source = stream.to_layout(view(x), plan.src_desc());
    const Buffer gradient = stream.to_layout(view(dy), plan.diff_dst_desc());
    const Buffer result(plan.diff_weights_desc());
    stream.run(dnnl::convolution_backward_weights(plan),
               {{DNNL_ARG_SRC, source.mem}, {DNNL_ARG_DIFF_DST, gradient.mem}, {DNNL_ARG_DIFF_WEIGHTS, result.mem}});
    stream.reorder(result.mem, view(dw));
    return dw;
  });
}

}  // namespace ops::onednn
}  // namespace giza

#else

namespace giza {

bool onednn_available() { return false; }

namespace ops::onednn {

Tensor conv2d(const Tensor&, const Tensor&, const Tensor&, const Conv2dOptions&) {
  throw Error("conv2d: this build has no oneDNN");
}
Tensor conv2d_backward_input(const Tensor&, const Tensor&, const Shape&, const Conv2dOptions&) {
  throw Error("conv2d_backward_input: this build has no oneDNN");
}
Tensor conv2d_backward_weight(const Tensor&, const Tensor&, const Shape&, const Conv2dOptions&) {
  throw Error("conv2d_backward_weight: this build has no oneDNN");
}

}  // namespace ops::onednn
}  // namespace giza

#endif
