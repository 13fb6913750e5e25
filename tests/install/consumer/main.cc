// Trains one weight by one step through the installed headers and libraries.
#include <cmath>
#include <cstdio>

#include "autograd/functions/functions.h"
#include "tensor/tensor.h"

int main() {
  using giza::Tensor;
  using giza::autograd::Variable;
  const Variable x(Tensor::full({1, 5, 5, 1}, 2.0F));
  const Variable w(Tensor::full({2, 1, 1, 1}, 0.5F), true);
  const giza::Labels labels(1, 5, 5, 1);
  const Variable loss = giza::autograd::cross_entropy(giza::autograd::conv2d(x, w, {}), labels);
  giza::autograd::backward(loss);
  // Both classes score alike: the loss is log 2, and each weight's gradient x (softmax - onehot) = 2 (1/2 - 0 or 1).
  const float loss_error = std::abs(loss.value().item() - std::log(2.0F));
  const float gradient_error = std::abs(w.grad().data()[0] - 1.0F) + std::abs(w.grad().data()[1] + 1.0F);
  std::printf("loss error %g, gradient error %g\n", loss_error, gradient_error);
  return loss_error < 1e-6F && gradient_error < 1e-5F ? 0 : 1;
}
