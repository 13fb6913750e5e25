// Networks at work on one picture, taken apart at some of its pixels.
#include "train/explore/explore.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "tensor/base/check.h"
#include "tensor/ops/elementwise.h"
#include "train/data/transforms.h"
#include "train/eval/evaluator.h"
#include "train/explore/contributions.h"
#include "train/explore/receptive_field.h"
#include "train/progress.h"
#include "train/signals.h"

namespace giza::train {
namespace {

constexpr int64_t kFieldBytes = 3 << 20;    // of all receptive fields of a page, before they are compressed
constexpr int64_t kPixelsAtOnce = 1 << 17;  // of the pictures that go through a network together
constexpr int64_t kMostAtOnce = 8;          // such pictures
constexpr double kHalf = 0.5, kMost = 0.9;  // of the gradient, for radii

/// The size that networks see a picture of `image`'s size at.
PictureSize seen_size(const Image& image, int base_size, int side) {
  const int own = std::max(image.width, image.height);
  const int wanted = std::min(base_size > 0 ? base_size : own, side);
  return wanted == own ? PictureSize{image.width, image.height} : scaled_size(image.width, image.height, wanted);
}

FloatImage resized(const Image& image, PictureSize size) {
  return size.width == image.width && size.height == image.height ? to_float(image)
                                                                  : resize_linear(image, size.width, size.height);
}

Image to_bytes(const FloatImage& image) {
  Image bytes(image.width, image.height);
  std::transform(image.rgb.begin(), image.rgb.end(), bytes.rgb.begin(),
                 [](float value) { return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0F, 255.0F))); });
  return bytes;
}

/// The picture as a network gets it, [1,H,W,3].
Tensor network_input(FloatImage image, const ProtocolOptions& protocol) {
  normalize(image, protocol.mean, protocol.std);
  return Tensor::from({1, image.height, image.width, 3}, image.rgb);
}

/// The middles of about `count` equal tiles of the picture.
void place_points(Exploration& page, int count) {
  const int width = page.picture.width, height = page.picture.height;
  page.columns = std::clamp(static_cast<int>(std::lround(std::sqrt(static_cast<double>(count) * width / height))), 1,
                            std::min(count, width));
  page.rows = std::clamp(static_cast<int>(std::lround(static_cast<double>(count) / page.columns)), 1, height);
  const auto middle = [](int tile, int tiles, int side) {
    return static_cast<int>((2 * int64_t{tile} + 1) * side / (2 * int64_t{tiles}));
  };
  for (int row = 0; row < page.rows; ++row) {
    for (int column = 0; column < page.columns; ++column) {
      page.points.push_back({middle(column, page.columns, width), middle(row, page.rows, height)});
    }
  }
}

/// True for the states whose receptive fields are made in any case: all bins as they are, and all replaced.
bool is_end(const BinState& state) {
  return std::all_of(state.begin(), state.end(), [&](Bin bin) { return bin == state.front(); });
}

/// Multiply-adds of a pass, roughly: each parameter is used once at every place of the features' map.
double pass_work(const models::SceneParser& model, int64_t places) {
  double parameters = 0;
  for (const layers::NamedParameter& parameter : model.parameters()) {
    if (!models::is_auxiliary(parameter.name)) parameters += static_cast<double>(parameter.variable.value().numel());
  }
  return parameters * static_cast<double>(places);
}

/// The likeliest classes at a point, with what their logits are made of.
std::vector<ExploredScore> scores_at(const Tensor& logits, const std::vector<Tensor>& parts,
                                     const std::vector<MapWeight>& weights) {
  const int64_t classes = logits.channels();
  std::vector<double> values;
  for (int64_t c = 0; c < classes; ++c) values.push_back(value_at(logits, weights, c));
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto value_of = [&](int label) { return values[static_cast<size_t>(label)]; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return value_of(a) > value_of(b); });
  double sum = 0;
  for (const double value : values) sum += std::exp(value - value_of(order[0]));
  std::vector<ExploredScore> top;
  for (size_t i = 0; i < std::min(order.size(), kTopClasses); ++i) {
    ExploredScore score{.label = order[i],
                        .probability = std::exp(value_of(order[i]) - value_of(order[0])) / sum,
                        .logit = value_of(order[i])};
    if (i < 2) {
      for (const Tensor& part : parts) score.parts.push_back(value_at(part, weights, order[i]));
    }
    top.push_back(std::move(score));
  }
  return top;
}

/// One network on the page.
class Look {
 public:
  Look(const ExploreSubject& subject, const FloatImage& picture, const FloatImage* other)
      : subject_(subject), network_(*subject.model), x_(network_input(picture, subject.protocol)) {
    result_.title = subject.title;
    result_.file = subject.file;
    result_.bins = network_.bins();
    result_.has_parts = network_.pspnet() != nullptr;
    if (other != nullptr) network_.set_other(network_input(*other, subject.protocol));
    for (BinState& state : bin_states(network_.bins().size(), other != nullptr)) {
      result_.states.push_back({.bins = std::move(state)});
    }
  }

  /// The answers of all states, and the scores at the points.
  void answer(const std::vector<ExplorePoint>& points) {
    const autograd::NoGrad no_grad;
    SwitchedNetwork::HeadInput seen;
    if (result_.has_parts) seen = network_.head_input(autograd::Variable(x_));
    for (ExploredState& state : result_.states) {
      models::ParserOutput output;
      std::vector<Tensor> parts;
      if (result_.has_parts) {
        const SwitchedNetwork::HeadInput input = network_.switched(seen, state.bins);
        output = network_.head_output(input, x_.dim(1), x_.dim(2));
        parts = contributions(*network_.pspnet(), input);
      } else {
        output = network_.forward(autograd::Variable(x_), state.bins);
      }
      const Tensor& logits = output.logits.value();
      places_ = logits.dim(1) * logits.dim(2);
      check<Error>(ops::all_finite(logits), "{}: the network's output is not finite; are its weights sound?",
                   subject_.file);
      const Labels labels = output.labels();
      state.labels = LabelMap(static_cast<int>(labels.w), static_cast<int>(labels.h));
      std::transform(labels.values.begin(), labels.values.end(), state.labels.index.begin(),
                     [](int32_t label) { return static_cast<uint8_t>(label); });
      for (const ExplorePoint& point : points) {
        const auto weights = weights_at(point.x, point.y, state.labels.height, state.labels.width, logits.dim(1),
                                        logits.dim(2), output.align_corners);
        state.points.push_back({.top = scores_at(logits, parts, weights)});
      }
    }
  }

  /// The states that get receptive fields.
  std::vector<ExploredState*> with_fields(bool all) {
    std::vector<ExploredState*> list;
    for (ExploredState& state : result_.states) {
      if (all || is_end(state.bins)) list.push_back(&state);
    }
    return list;
  }

  /// The receptive fields of a state. after(points done) is called now and then.
  template <class After>
  void look(ExploredState& state, const Exploration& page, After&& after) {
    const int64_t pixels = x_.rows();
    const auto at_once = static_cast<size_t>(std::clamp<int64_t>(kPixelsAtOnce / pixels, 1, kMostAtOnce));
    const int across = (page.picture.width + page.cell - 1) / page.cell;
    const int down = (page.picture.height + page.cell - 1) / page.cell;
    state.fields = LabelMap(across * page.columns, down * page.rows);
    for (size_t first = 0; first < page.points.size(); first += at_once) {
      const size_t last = std::min(first + at_once, page.points.size());
      std::vector<Target> targets;
      for (size_t i = first; i < last; ++i) {
        targets.push_back({page.points[i].x, page.points[i].y, state.points[i].top[0].label});
      }
      const Tensor gradients =
          score_gradients([&](const autograd::Variable& x) { return network_.forward(x, state.bins); }, x_, targets);
      check<Error>(ops::all_finite(gradients), "{}: the gradient of the picture is not finite", subject_.file);
      for (size_t i = first; i < last; ++i) {
        const auto item = static_cast<int64_t>(i - first);
        const ReceptiveField field(gradients.batch_slice(item, item + 1));
        state.points[i].half_radius = field.radius(page.points[i].x, page.points[i].y, kHalf);
        state.points[i].most_radius = field.radius(page.points[i].x, page.points[i].y, kMost);
        const std::vector<uint8_t> grey = shade(field.cells(page.cell));
        const int left = static_cast<int>(i) % page.columns * across, top = static_cast<int>(i) / page.columns * down;
        for (int y = 0; y < down; ++y) {
          std::copy_n(grey.begin() + static_cast<std::ptrdiff_t>(y) * across, across, &state.fields.at(left, top + y));
        }
      }
      after(last - first);
    }
  }

  double work_of_a_pass() const { return pass_work(*subject_.model, places_); }
  ExploredNetwork take() { return std::move(result_); }

 private:
  ExploreSubject subject_;
  SwitchedNetwork network_;
  Tensor x_;
  int64_t places_ = 0;  // of the map of logits
  ExploredNetwork result_;
};

void check_subjects(const std::vector<ExploreSubject>& subjects, const ExploreOptions& options) {
  check<Refusal>(subjects.size() == 1 || subjects.size() == 2, "explore: {} networks, expected one or two",
                 subjects.size());
  for (const ExploreSubject& subject : subjects) {
    const int64_t classes = subject.model->classes();
    check<Refusal>(classes <= 256, "{}: has {} classes; a page can show 256", subject.file, classes);
    check<Refusal>(classes == subjects[0].model->classes(),
                   "{}: has {} classes, but {} has {}; expected the same classes", subject.file, classes,
                   subjects[0].file, subjects[0].model->classes());
  }
  const auto classes = static_cast<size_t>(subjects[0].model->classes());
  check(options.names.size() >= classes && options.colors.size() >= classes,
        "explore: {} names and {} colours for {} classes", options.names.size(), options.colors.size(), classes);
}

/// The smallest cell with which `fields` receptive fields for each point fit into a page.
int cell_for(const Exploration& page, int64_t fields) {
  for (int cell = 1;; ++cell) {
    const int64_t across = (page.picture.width + cell - 1) / cell, down = (page.picture.height + cell - 1) / cell;
    if (across * down * static_cast<int64_t>(page.points.size()) * fields <= kFieldBytes || across * down == 1) {
      return cell;
    }
  }
}

void poll_signal() {
  if (const int signal = pending_signal()) throw Interrupted(signal, "stopped; no page was written");
}

}  // namespace

std::vector<uint8_t> shade(const std::vector<double>& cells) {
  const double largest = cells.empty() ? 0 : *std::max_element(cells.begin(), cells.end());
  std::vector<uint8_t> grey;
  for (const double value : cells) {
    grey.push_back(largest > 0 ? static_cast<uint8_t>(std::lround(255 * std::sqrt(value / largest))) : 0);
  }
  return grey;
}

Exploration explore(const std::vector<ExploreSubject>& subjects, const Image& picture, const LabelMap* truth,
                    const Image* other, const ExploreOptions& options) {
  check_subjects(subjects, options);
  const int base_size = subjects[0].protocol.base_size;
  const PictureSize size = seen_size(picture, base_size, options.side);
  const FloatImage seen = resized(picture, size);
  std::optional<FloatImage> seen_other;
  if (other != nullptr) seen_other = resized(*other, seen_size(*other, base_size, options.side));

  Exploration page;
  page.picture = to_bytes(seen);
  page.file_width = picture.width;
  page.file_height = picture.height;
  if (truth != nullptr) page.truth = resize_nearest(*truth, size.width, size.height);
  const auto classes = static_cast<std::ptrdiff_t>(subjects[0].model->classes());
  page.names.assign(options.names.begin(), options.names.begin() + classes);
  page.colors.assign(options.colors.begin(), options.colors.begin() + classes);
  page.ignore_label = options.ignore_label;
  place_points(page, options.points);

  std::vector<std::unique_ptr<Look>> looks;
  for (const ExploreSubject& subject : subjects) {
    looks.push_back(std::make_unique<Look>(subject, seen, seen_other ? &*seen_other : nullptr));
    looks.back()->answer(page.points);
    poll_signal();
  }
  double work = 0;
  for (const auto& look : looks) {
    // A backward pass to the picture is as much as a forward pass.
    work += 2 * look->work_of_a_pass() * static_cast<double>(look->with_fields(true).size() * page.points.size());
  }
  const bool all = options.fields == ExploreOptions::Fields::all ||
                   (options.fields == ExploreOptions::Fields::automatic && work < kAutomaticWork);
  int64_t fields = 0;
  for (const auto& look : looks) fields += static_cast<int64_t>(look->with_fields(all).size());
  page.cell = cell_for(page, fields);

  Progress progress("explore", fields * static_cast<int64_t>(page.points.size()), "fields");
  int64_t done = 0;
  for (const auto& look : looks) {
    for (ExploredState* state : look->with_fields(all)) {
      look->look(*state, page, [&](size_t points) {
        progress.update(done += static_cast<int64_t>(points));
        poll_signal();
      });
    }
    page.networks.push_back(look->take());
    page.swap = page.swap || (other != nullptr && !page.networks.back().bins.empty());
  }
  progress.finish();
  return page;
}

}  // namespace giza::train
