// What all networks share.
#include "models/scene_parser.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/ops/upsample_loss.h"

namespace giza::models {

int64_t ParserOptions::head() const {
  if (head_channels > 0) return head_channels;
  return backbone.scaled(backbone.block == BlockKind::bottleneck ? 512 : 128);
}

int64_t ParserOptions::auxiliary_head() const {
  return aux_channels > 0 ? aux_channels : std::max<int64_t>(1, head() / 2);
}

const Setting& NetworkOptions::setting(std::string_view name) const {
  if (const auto given = settings.find(name); given != settings.end()) return given->second;
  const Architecture* architecture = find_architecture(arch);
  check<Refusal>(architecture != nullptr, "\"{}\" is no architecture", arch);
  const auto row = std::find_if(architecture->settings.begin(), architecture->settings.end(),
                                [&](const SettingRow& each) { return each.name == name; });
  check<Refusal>(row != architecture->settings.end(), "{} has no option {}", arch, name);
  return row->standard;
}

std::vector<int64_t> NetworkOptions::integers(std::string_view name) const {
  const auto& values = std::get<std::vector<int>>(setting(name));
  return {values.begin(), values.end()};
}

Variable ParserOutput::upsampled_logits() const {
  return autograd::resize_bilinear(logits, height, width, align_corners);
}

Labels ParserOutput::labels() const {
  return ops::upsample_softmax_argmax(logits.value(), height, width, align_corners);
}

ParserOutput SceneParser::output_for(const Variable& x, const NetworkOptions& options) {
  check(x.value().rank() == 4 && x.value().channels() == 3, "{}: input {} is not [N,H,W,3]", options.arch, x.shape());
  ParserOutput output;
  output.height = x.value().dim(1);
  output.width = x.value().dim(2);
  output.align_corners = options.align_corners;
  return output;
}

ParserLoss SceneParser::loss(const ParserOutput& output, const Labels& labels, const ops::CrossEntropyOptions& options,
                             double aux_weight) const {
  check_labels(output, labels);
  ParserLoss loss;
  const autograd::UpsampledLoss main =
      autograd::upsample_cross_entropy(output.logits, labels, output.align_corners, options);
  loss.total = main.loss;
  loss.main = static_cast<double>(main.loss.value().item());
  loss.valid = main.valid;
  loss.right = main.right;
  add_auxiliary_loss(output, labels, options, aux_weight, &loss);
  return loss;
}

void SceneParser::check_labels(const ParserOutput& output, const Labels& labels) {
  check(labels.h == output.height && labels.w == output.width, "loss: labels of {}x{} for an output of {}x{}", labels.h,
        labels.w, output.height, output.width);
}

void SceneParser::count_right(const ParserOutput& output, const Labels& labels, int32_t ignore_label,
                              ParserLoss* loss) {
  const Labels found = output.labels();
  for (size_t i = 0; i < labels.values.size(); ++i) {
    if (labels.values[i] == ignore_label) continue;
    ++loss->valid;
    loss->right += labels.values[i] == found.values[i] ? 1 : 0;
  }
}

void SceneParser::add_auxiliary_loss(const ParserOutput& output, const Labels& labels,
                                     const ops::CrossEntropyOptions& options, double aux_weight, ParserLoss* loss) {
  if (!output.aux.defined()) return;
  const Variable aux = autograd::upsample_cross_entropy(output.aux, labels, output.align_corners, options).loss;
  loss->aux = static_cast<double>(aux.value().item());
  loss->total = autograd::add(loss->total, autograd::scale(aux, static_cast<float>(aux_weight)));
}

std::vector<layers::ParameterGroup> SceneParser::parameter_groups(double new_layer_factor) const {
  layers::ParameterGroup backbone, rest{.rate_factor = new_layer_factor};
  for (layers::NamedParameter& parameter : parameters()) {
    (is_new_layer(parameter.name) ? rest : backbone).parameters.push_back(std::move(parameter));
  }
  return {std::move(backbone), std::move(rest)};
}

bool SceneParser::classifies_pictures() const { return find_architecture(description().arch)->whole_picture; }

bool is_new_layer(std::string_view tensor_name) {
  const auto all = architectures();
  return std::any_of(all.begin(), all.end(), [&](const Architecture& row) {
    return std::any_of(row.heads.begin(), row.heads.end(),
                       [&](const char* head) { return tensor_name.starts_with(head); });
  });
}

bool is_auxiliary(std::string_view tensor_name) { return tensor_name.starts_with("aux."); }

ParserOutput FrozenParser::forward(const Tensor& x) const {
  const autograd::NoGrad no_grad;
  return model_.forward(Variable(x), {.training = false, .frozen = frozen_.get()});
}

const Architecture* find_architecture(std::string_view name) {
  const auto all = architectures();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Architecture& row) { return row.name == name; });
  return found == all.end() ? nullptr : &*found;
}

Settings standard_settings() {
  Settings all;
  for (const Architecture& row : architectures()) {
    for (const SettingRow& setting : row.settings) all.emplace(setting.name, setting.standard);
  }
  return all;
}

std::unique_ptr<SceneParser> make_parser(const NetworkOptions& options) {
  const Architecture* architecture = find_architecture(options.arch);
  check<Refusal>(architecture != nullptr, "\"{}\" is no architecture", options.arch);
  return architecture->make(options);
}

}  // namespace giza::models
