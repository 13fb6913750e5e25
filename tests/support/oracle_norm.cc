// Oracles: element-wise ops, batch normalisation, softmax, cross-entropy, dropout.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/oracle.h"

namespace giza::oracle {

Array relu(const Array& x) {
  return map(x, [](double v) { return v < 0 ? 0.0 : v; });
}

Array relu_backward(const Array& dy, const Array& y) {
  Array dx = dy;
  for (int64_t i = 0; i < dx.size(); ++i) dx[i] = y[i] > 0 ? dy[i] : 0.0;
  return dx;
}

Array add(const Array& a, const Array& b) {
  Array y = a;
  for (int64_t i = 0; i < y.size(); ++i) y[i] += b[i];
  return y;
}

Array maximum(const Array& a, const Array& b) {
  Array y = b;
  for (int64_t i = 0; i < y.size(); ++i) {
    if (a[i] >= b[i] || std::isnan(a[i])) y[i] = a[i];
  }
  return y;
}

std::pair<Array, Array> maximum_backward(const Array& dy, const Array& a, const Array& b) {
  Array da(a.shape), db(a.shape);
  for (int64_t i = 0; i < dy.size(); ++i) (a[i] < b[i] ? db : da)[i] = dy[i];
  return {da, db};
}

Array l2_normalize(const Array& x, const Array& gain) {
  Array y = x;
  const int64_t channels = x.shape.last();
  for (int64_t row = 0; row < x.size(); row += channels) {
    double squares = 1e-10;
    for (int64_t c = 0; c < channels; ++c) squares += x[row + c] * x[row + c];
    for (int64_t c = 0; c < channels; ++c) y[row + c] *= gain[c] / std::sqrt(squares);
  }
  return y;
}

std::pair<Array, Array> l2_normalize_backward(const Array& dy, const Array& x, const Array& gain) {
  Array dx(x.shape), dgain(gain.shape);
  const int64_t channels = x.shape.last();
  for (int64_t row = 0; row < x.size(); row += channels) {
    double squares = 1e-10;
    for (int64_t c = 0; c < channels; ++c) squares += x[row + c] * x[row + c];
    const double n = std::sqrt(squares);
    // dy_i / dx_j = g_i (delta_ij - x_i x_j / n^2) / n, each pair for itself.
    for (int64_t i = 0; i < channels; ++i) {
      dgain[i] += dy[row + i] * x[row + i] / n;
      for (int64_t j = 0; j < channels; ++j) {
        dx[row + j] += dy[row + i] * gain[i] * ((i == j ? 1.0 : 0.0) - x[row + i] * x[row + j] / squares) / n;
      }
    }
  }
  return {dx, dgain};
}

Array sum_rows(const Array& x) {
  const int64_t channels = x.shape.last();
  Array sum({channels});
  for (int64_t i = 0; i < x.size(); ++i) sum[i % channels] += x[i];
  return sum;
}

namespace {

struct Statistics {
  Array mean, var;  // [C], the biased variance
};

Statistics statistics(const Array& x) {
  const int64_t channels = x.shape.last();
  const auto count = static_cast<double>(x.shape.rows());
  Statistics result{Array({channels}), Array({channels})};
  for (int64_t i = 0; i < x.size(); ++i) result.mean[i % channels] += x[i] / count;
  // Once more from what is left, so that the mean of equal numbers is that number and its variance 0.
  Array rest({channels});
  for (int64_t i = 0; i < x.size(); ++i) rest[i % channels] += (x[i] - result.mean[i % channels]) / count;
  for (int64_t c = 0; c < channels; ++c) {
    if (std::isfinite(rest[c])) result.mean[c] += rest[c];  // the mean of an infinity is one, not a NaN
  }
  for (int64_t i = 0; i < x.size(); ++i) {
    const double distance = x[i] - result.mean[i % channels];
    result.var[i % channels] += distance * distance / count;
  }
  return result;
}

Array inverse_deviation(const Array& var, double eps) {
  return map(var, [&](double v) { return 1.0 / std::sqrt(v + eps); });
}

Array normalise(const Array& x, const Array& gamma, const Array& beta, const Array& mean, const Array& invstd,
                const Array& residual, bool rectify) {
  const int64_t channels = x.shape.last();
  Array y = x;
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t c = i % channels;
    y[i] = gamma[c] * (x[i] - mean[c]) * invstd[c] + beta[c];
    if (residual.defined()) y[i] += residual[i];
  }
  return rectify ? relu(y) : y;
}

/// d gamma, d beta and d residual; x is left to the caller.
NormGradients common_gradients(const Array& dy, const Array& x, const Array& y, const Array& mean, const Array& invstd,
                               bool rectified) {
  const int64_t channels = x.shape.last();
  NormGradients result{Array(), Array({channels}), Array({channels}), rectified ? relu_backward(dy, y) : dy};
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t c = i % channels;
    result.gamma[c] += result.residual[i] * (x[i] - mean[c]) * invstd[c];
    result.beta[c] += result.residual[i];
  }
  return result;
}

}  // namespace

NormForward batch_norm_train(const Array& x, const Array& gamma, const Array& beta, const Array& running_mean,
                             const Array& running_var, const Array& residual, const Norm& options) {
  const auto count = static_cast<double>(x.shape.rows());
  const Statistics batch = statistics(x);
  NormForward result;
  result.mean = batch.mean;
  result.invstd = inverse_deviation(batch.var, options.eps);
  result.y = normalise(x, gamma, beta, batch.mean, result.invstd, residual, options.relu);
  result.running_mean = running_mean;
  result.running_var = running_var;
  for (int64_t c = 0; c < running_mean.size(); ++c) {
    const double unbiased = batch.var[c] * count / (count - 1);
    result.running_mean[c] = (1 - options.momentum) * running_mean[c] + options.momentum * batch.mean[c];
    result.running_var[c] = (1 - options.momentum) * running_var[c] + options.momentum * unbiased;
  }
  return result;
}

Array batch_norm_eval(const Array& x, const Array& gamma, const Array& beta, const Array& running_mean,
                      const Array& running_var, const Array& residual, const Norm& options) {
  return normalise(x, gamma, beta, running_mean, inverse_deviation(running_var, options.eps), residual, options.relu);
}

NormGradients batch_norm_train_backward(const Array& dy, const Array& x, const Array& y, const Array& gamma,
                                        const Norm& options) {
  const int64_t channels = x.shape.last();
  const auto count = static_cast<double>(x.shape.rows());
  const Statistics batch = statistics(x);
  const Array invstd = inverse_deviation(batch.var, options.eps);
  NormGradients result = common_gradients(dy, x, y, batch.mean, invstd, options.relu);
  // With h = (x - mean) invstd: dx = gamma invstd (dz - mean(dz) - h mean(dz h)), Ioffe & Szegedy section 3.
  result.x = Array(x.shape);
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t c = i % channels;
    const double normalised = (x[i] - batch.mean[c]) * invstd[c];
    result.x[i] =
        gamma[c] * invstd[c] * (result.residual[i] - result.beta[c] / count - normalised * result.gamma[c] / count);
  }
  return result;
}

NormGradients batch_norm_eval_backward(const Array& dy, const Array& x, const Array& y, const Array& gamma,
                                       const Array& running_mean, const Array& running_var, const Norm& options) {
  const Array invstd = inverse_deviation(running_var, options.eps);
  NormGradients result = common_gradients(dy, x, y, running_mean, invstd, options.relu);
  result.x = result.residual;
  for (int64_t i = 0; i < x.size(); ++i) result.x[i] *= gamma[i % x.shape.last()] * invstd[i % x.shape.last()];
  return result;
}

namespace {

struct LogSum {
  double max, sum;  // of exp(x - max)
};

LogSum log_sum(const double* row, int64_t channels) {
  double max = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t c = 0; c < channels; ++c) max = std::isnan(row[c]) ? row[c] : std::max(max, row[c]);
  for (int64_t c = 0; c < channels; ++c) sum += std::exp(row[c] - max);
  return {max, sum};
}

}  // namespace

Array softmax(const Array& x) {
  const int64_t channels = x.shape.last();
  Array y(x.shape);
  for (int64_t row = 0; row < x.shape.rows(); ++row) {
    const LogSum total = log_sum(x.values.data() + row * channels, channels);
    for (int64_t i = row * channels; i < (row + 1) * channels; ++i) y[i] = std::exp(x[i] - total.max) / total.sum;
  }
  return y;
}

Array softmax_backward(const Array& dy, const Array& y) {
  const int64_t channels = y.shape.last();
  Array dx(y.shape);
  for (int64_t row = 0; row < y.shape.rows(); ++row) {
    double sum = 0;
    for (int64_t i = row * channels; i < (row + 1) * channels; ++i) sum += dy[i] * y[i];
    for (int64_t i = row * channels; i < (row + 1) * channels; ++i) dx[i] = y[i] * (dy[i] - sum);
  }
  return dx;
}

namespace {

double weight_of(int32_t label, const CrossEntropy& options) {
  if (label == options.ignore_label) return 0;
  return options.class_weights.defined() ? options.class_weights[label] : 1.0;
}

}  // namespace

CrossEntropyForward cross_entropy(const Array& logits, const Labels& labels, const CrossEntropy& options) {
  const int64_t channels = logits.shape.last();
  CrossEntropyForward result;
  result.lse = Array(logits.shape.with(3, 1));
  double sum = 0;
  for (int64_t row = 0; row < logits.shape.rows(); ++row) {
    const LogSum total = log_sum(logits.values.data() + row * channels, channels);
    result.lse[row] = total.max + std::log(total.sum);
    const int32_t label = labels.values[static_cast<size_t>(row)];
    if (label == options.ignore_label) continue;
    // The maximum is subtracted first, so that large logits lose no digits.
    sum += weight_of(label, options) * (std::log(total.sum) - (logits[row * channels + label] - total.max));
    result.weight += weight_of(label, options);
  }
  result.loss = result.weight == 0 ? 0 : sum / result.weight;
  return result;
}

Array cross_entropy_backward(double dloss, const Array& logits, const Labels& labels, const CrossEntropy& options) {
  const int64_t channels = logits.shape.last();
  const double divisor = cross_entropy(logits, labels, options).weight;
  Array dx(logits.shape);
  if (divisor == 0) return dx;
  const Array probability = softmax(logits);
  for (int64_t row = 0; row < logits.shape.rows(); ++row) {
    const int32_t label = labels.values[static_cast<size_t>(row)];
    if (label == options.ignore_label) continue;
    const double factor = dloss * weight_of(label, options) / divisor;
    for (int64_t c = 0; c < channels; ++c) {
      dx[row * channels + c] = factor * (probability[row * channels + c] - (c == label ? 1 : 0));
    }
  }
  return dx;
}

Labels argmax(const Array& x) {
  Labels labels(x.shape[0], x.shape[1], x.shape[2]);
  const int64_t channels = x.shape.last();
  for (int64_t row = 0; row < x.shape.rows(); ++row) {
    const double* values = x.values.data() + row * channels;
    int64_t best = 0;
    for (int64_t c = 1; c < channels; ++c) {
      if (values[c] > values[best] || (std::isnan(values[c]) && !std::isnan(values[best]))) best = c;
    }
    labels.values[static_cast<size_t>(row)] = static_cast<int32_t>(best);
  }
  return labels;
}

Array dropout2d(const Array& x, const Array& mask) {
  Array y = x;
  const int64_t channels = x.shape[3], pixels = x.shape[1] * x.shape[2];
  for (int64_t i = 0; i < y.size(); ++i) y[i] *= mask[i / (pixels * channels) * channels + i % channels];
  return y;
}

}  // namespace giza::oracle
