// Differentiable convolution over a feature map and pyramid maps.
#include "tensor/ops/pyramid_conv.h"

#include "autograd/functions/functions.h"
#include "tensor/ops/batch_share.h"

namespace giza::autograd {

Variable pyramid_conv(const Variable& x, std::span<const Variable> maps, const Variable& w,
                      const Conv2dOptions& options, ops::ChannelMoments* moments) {
  std::vector<Variable> inputs = {x};
  inputs.insert(inputs.end(), maps.begin(), maps.end());
  ops::PyramidConvNeeds needs{.inputs = false, .weight = w.requires_grad()};
  for (const Variable& input : inputs) needs.inputs = needs.inputs || input.requires_grad();
  inputs.push_back(w);
  std::vector<Tensor> values;
  for (const Variable& map : maps) values.push_back(map.value());
  Tensor y = ops::pyramid_conv(x.value(), values, w.value(), options, moments);
  return Variable::from_op(
      std::move(y), "pyramid_conv", inputs,
      [=, x = x.save(), maps = std::move(values), w = w.value()](const Tensor& dy) -> std::vector<Tensor> {
        const Tensor input = x.tensor();
        // Of a shared batch the weight's gradient is made piece by piece, apart from the others.
        const bool apart = needs.weight && ops::BatchShare::current() != nullptr;
        ops::PyramidConvGradients gradients;
        if (needs.inputs || !apart) {
          gradients = ops::pyramid_conv_backward(dy, input, maps, w, options,
                                                 {.inputs = needs.inputs, .weight = needs.weight && !apart});
        }
        if (apart) {
          gradients.w = ops::shared_gradient(dy.dim(0), [&](int64_t begin, int64_t end) {
            std::vector<Tensor> parts;
            for (const Tensor& map : maps) parts.push_back(map.batch_slice(begin, end));
            return ops::pyramid_conv_backward(dy.batch_slice(begin, end), input.batch_slice(begin, end), parts, w,
                                              options, {.inputs = false, .weight = true})
                .w;
          });
        }
        std::vector<Tensor> list = {gradients.x};
        list.insert(list.end(), gradients.maps.begin(), gradients.maps.end());
        list.resize(maps.size() + 1);  // none of the maps', where no input needs one
        list.push_back(gradients.w);
        return list;
      });
}

}  // namespace giza::autograd
