// Pooling, resize and concatenation.
#include "autograd/functions/functions.h"
#include "autograd/listener.h"
#include "tensor/ops/channel_max.h"
#include "tensor/ops/concat.h"
#include "tensor/ops/crop.h"
#include "tensor/ops/flatten.h"
#include "tensor/ops/pool.h"
#include "tensor/ops/resize.h"

namespace giza::autograd {

Variable max_pool2d(const Variable& x, const ops::Pool2dOptions& options) {
  const Tensor y = ops::max_pool2d(x.value(), options);
  if (heard()) announce({.name = "max_pool2d", .inputs = {x.value()}, .output = y, .options = options});
  return Variable::from_op(y, "max_pool2d", {x}, [x = x.save(), options](const Tensor& dy) -> std::vector<Tensor> {
    return {ops::max_pool2d_backward(dy, x.tensor(), options)};
  });
}

MaxPooled max_pool2d_with_positions(const Variable& x, const ops::Pool2dOptions& options) {
  const ops::MaxPool2d pooled = ops::max_pool2d_with_positions(x.value(), options);
  if (heard())
    announce({.name = "max_pool2d",
              .inputs = {x.value()},
              .output = pooled.y,
              .options = options,
              .positions = pooled.positions});
  return {Variable::from_op(pooled.y, "max_pool2d", {x},
                            [positions = pooled.positions, h = x.value().dim(1), w = x.value().dim(2),
                             options](const Tensor& dy) -> std::vector<Tensor> {
                              return {ops::max_unpool2d(dy, positions, h, w, options)};
                            }),
          pooled.positions};
}

Variable max_unpool2d(const Variable& x, const Tensor& positions, int64_t height, int64_t width,
                      const ops::Pool2dOptions& options) {
  const Tensor y = ops::max_unpool2d(x.value(), positions, height, width, options);
  if (heard()) announce({.name = "max_unpool2d", .inputs = {x.value(), positions}, .output = y, .options = options});
  return Variable::from_op(y, "max_unpool2d", {x}, [positions, options](const Tensor& dy) -> std::vector<Tensor> {
    return {ops::max_unpool2d_backward(dy, positions, options)};
  });
}

Variable avg_pool2d(const Variable& x, const ops::Pool2dOptions& options) {
  const Tensor y = ops::avg_pool2d(x.value(), options);
  if (heard()) announce({.name = "avg_pool2d", .inputs = {x.value()}, .output = y, .options = options});
  return Variable::from_op(y, "avg_pool2d", {x}, [shape = x.shape(), options](const Tensor& dy) -> std::vector<Tensor> {
    return {ops::avg_pool2d_backward(dy, shape, options)};
  });
}

Variable adaptive_avg_pool2d(const Variable& x, int64_t bins) {
  const Tensor y = ops::adaptive_avg_pool2d(x.value(), bins);
  if (heard()) announce({.name = "adaptive_avg_pool2d", .inputs = {x.value()}, .output = y});
  return Variable::from_op(y, "adaptive_avg_pool2d", {x}, [shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
    return {ops::adaptive_avg_pool2d_backward(dy, shape)};
  });
}

std::vector<Variable> pyramid_avg_pool2d(const Variable& x, std::span<const int64_t> bins) {
  const Variable cells = Variable::from_op(
      ops::pyramid_avg_pool2d(x.value(), bins), "pyramid_avg_pool2d", {x},
      [shape = x.shape(), sizes = std::vector<int64_t>(bins.begin(), bins.end())](
          const Tensor& dy) -> std::vector<Tensor> { return {ops::pyramid_avg_pool2d_backward(dy, shape, sizes)}; });
  std::vector<Variable> maps;
  for (const ops::PyramidRows& rows : ops::pyramid_rows(x.value().dim(0), x.value().channels(), bins)) {
    // The gradient of a part of the cells is zero elsewhere: all sizes together are a few numbers beside x.
    maps.push_back(Variable::from_op(cells.value().batch_slice(rows.begin, rows.end).reshape(rows.shape), "pyramid_map",
                                     {cells}, [rows, shape = cells.shape()](const Tensor& dy) -> std::vector<Tensor> {
                                       Tensor gradient = Tensor::zeros(shape);
                                       gradient.batch_slice(rows.begin, rows.end).reshape(rows.shape).copy_from(dy);
                                       return {gradient};
                                     }));
    if (heard()) announce({.name = "adaptive_avg_pool2d", .inputs = {x.value()}, .output = maps.back().value()});
  }
  return maps;
}

Variable adaptive_max_pool2d(const Variable& x, int64_t bins) {
  const Tensor y = ops::adaptive_max_pool2d(x.value(), bins);
  if (heard()) announce({.name = "adaptive_max_pool2d", .inputs = {x.value()}, .output = y});
  return Variable::from_op(y, "adaptive_max_pool2d", {x}, [x = x.save()](const Tensor& dy) -> std::vector<Tensor> {
    return {ops::adaptive_max_pool2d_backward(dy, x.tensor())};
  });
}

Variable resize_bilinear(const Variable& x, int64_t height, int64_t width, bool align_corners) {
  const Tensor y = ops::resize_bilinear(x.value(), height, width, align_corners);
  if (heard())
    announce({.name = "resize_bilinear", .inputs = {x.value()}, .output = y, .align_corners = align_corners});
  return Variable::from_op(y, "resize_bilinear", {x},
                           [shape = x.shape(), align_corners](const Tensor& dy) -> std::vector<Tensor> {
                             return {ops::resize_bilinear_backward(dy, shape, align_corners)};
                           });
}

Variable flatten(const Variable& x) {
  const Tensor y = ops::flatten(x.value());
  if (heard()) announce({.name = "flatten", .inputs = {x.value()}, .output = y});
  return Variable::from_op(y, "flatten", {x}, [shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
    return {ops::flatten_backward(dy, shape)};
  });
}

Variable crop2d(const Variable& x, int64_t top, int64_t left, int64_t height, int64_t width) {
  const Tensor y = ops::crop2d(x.value(), top, left, height, width);
  if (heard()) announce({.name = "crop2d", .inputs = {x.value()}, .output = y, .corner = {top, left}});
  return Variable::from_op(y, "crop2d", {x}, [=, shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
    return {ops::crop2d_backward(dy, shape, top, left)};
  });
}

Variable mirror_pad2d(const Variable& x, int64_t border) {
  const Tensor y = ops::mirror_pad2d(x.value(), border);
  if (heard()) announce({.name = "mirror_pad2d", .inputs = {x.value()}, .output = y, .corner = {border, border}});
  return Variable::from_op(y, "mirror_pad2d", {x},
                           [border, shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
                             return {ops::mirror_pad2d_backward(dy, shape, border)};
                           });
}

Variable max_channels(const Variable& x) {
  const Tensor y = ops::max_channels(x.value());
  if (heard()) announce({.name = "max_channels", .inputs = {x.value()}, .output = y});
  return Variable::from_op(y, "max_channels", {x}, [x = x.save()](const Tensor& dy) -> std::vector<Tensor> {
    return {ops::max_channels_backward(dy, x.tensor())};
  });
}

Variable concat_channels(std::span<const Variable> parts) {
  std::vector<Tensor> values;
  std::vector<int64_t> channels;
  for (const Variable& part : parts) {
    values.push_back(part.value());
    channels.push_back(part.value().channels());
  }
  // Backward is views of dy: no copy.
  const Tensor y = ops::concat_channels(values);
  if (heard()) announce({.name = "concat_channels", .inputs = values, .output = y});
  return Variable::from_op(y, "concat_channels", {parts.begin(), parts.end()}, [channels](const Tensor& dy) {
    std::vector<Tensor> gradients;
    int64_t begin = 0;
    for (int64_t count : channels) {
      gradients.push_back(dy.channel_slice(begin, begin + count));
      begin += count;
    }
    return gradients;
  });
}

}  // namespace giza::autograd
