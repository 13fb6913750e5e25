// What every network here can do, and the one factory: the trainer, the evaluator, plan, profile, verify, ONNX and
// convert know networks by this alone. docs/adding-a-network.md adds one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "layers/frozen.h"
#include "layers/module.h"
#include "models/resnet.h"
#include "models/settings.h"

namespace giza::models {

class TensorShapes;

/// The options that all networks share; the keys of section TRAIN have the same names.
struct ParserOptions {
  ResnetOptions backbone;
  int64_t classes = 150;
  int64_t head_channels = 0;  ///< 0: 512, or 128 with basic blocks, times the backbone's width
  int64_t aux_channels = 0;   ///< 0: half of the head's
  float dropout = 0.1F;
  bool align_corners = true;  ///< of every bilinear enlargement; semseg: true, mmsegmentation's default: false
  bool aux = true;            ///< build the auxiliary head (used in training only)
  uint64_t seed = 0;          ///< of the initial weights

  /// head_channels and aux_channels with their defaults filled in.
  int64_t head() const;
  int64_t auxiliary_head() const;
  /// What a network's parts share while it is built.
  Build build() const { return {.bn_momentum = backbone.bn_momentum, .conv = backbone.conv, .seed = seed}; }
};

/// Any network, as a configuration or a file of weights tells it.
struct NetworkOptions : ParserOptions {
  std::string arch = "psp";  ///< TRAIN.arch
  Settings settings;         ///< those of the architecture; what lacks has its standard value

  bool flag(std::string_view name) const { return std::get<bool>(setting(name)); }
  int64_t integer(std::string_view name) const { return std::get<int>(setting(name)); }
  double number(std::string_view name) const { return std::get<double>(setting(name)); }
  const std::string& word(std::string_view name) const { return std::get<std::string>(setting(name)); }
  std::vector<int64_t> integers(std::string_view name) const;

 private:
  const Setting& setting(std::string_view name) const;
};

/// Scores of the classes, at the size of the network's own map.
struct ParserOutput {
  Variable logits;                ///< [N,h,w,classes]
  Variable aux;                   ///< the same from the auxiliary head; undefined in evaluation mode or without one
  std::vector<Variable> streams;  ///< what the logits are made of, where a network's own loss looks at that
  int64_t height = 0, width = 0;  ///< of the input; 1, 1 where it has one class as a whole
  bool align_corners = true;      ///< of the enlargement to the input's size

  /// The network's last step, where its result is wanted as such: logits at the input's size, [N,H,W,classes].
  Variable upsampled_logits() const;
  /// The likeliest class of each pixel of the input: argmax(softmax(upsampled_logits())), which are never made.
  Labels labels() const;
};

/// What training minimises, and how well the network does.
struct ParserLoss {
  Variable total;                ///< [1]: main + aux_weight * aux
  double main = 0, aux = 0;      ///< cross-entropy of the upsampled logits of each head
  int64_t valid = 0, right = 0;  ///< pixels that are not ignored, and those whose argmax is their label
};

class SceneParser : public layers::Module {
 public:
  /// x [N,H,W,3], normalised. Throws ShapeError for other shapes, and for sizes that the network cannot take.
  virtual ParserOutput forward(const Variable& x, const layers::Context& context) const = 0;
  /// All that a file has to tell so that make_parser builds this network again (with other weights).
  virtual NetworkOptions description() const = 0;

  /// Cross-entropy of both heads (Zhao et al., 2017, section 3.3). The upsampled logits are never made.
  /// Throws ShapeError if the labels are not of the output's size.
  virtual ParserLoss loss(const ParserOutput& output, const Labels& labels,
                          const ops::CrossEntropyOptions& options = {}, double aux_weight = 0.4) const;
  /// All parameters, in groups that are trained alike. The default: the backbone, and new layers at
  /// `new_layer_factor` times the rate.
  virtual std::vector<layers::ParameterGroup> parameter_groups(double new_layer_factor) const;
  int64_t classes() const { return description().classes; }
  /// Architecture::whole_picture.
  bool classifies_pictures() const;

 protected:
  /// An output without scores for the input x. Throws ShapeError unless x is [N,H,W,3].
  static ParserOutput output_for(const Variable& x, const NetworkOptions& options);
  /// Throws ShapeError if the labels are not of the output's size.
  static void check_labels(const ParserOutput& output, const Labels& labels);
  /// Sets loss->valid and loss->right by the labels that the output finds, for losses that do not count on their way.
  static void count_right(const ParserOutput& output, const Labels& labels, int32_t ignore_label, ParserLoss* loss);
  /// Adds aux_weight times the auxiliary head's cross-entropy, if the output has one.
  static void add_auxiliary_loss(const ParserOutput& output, const Labels& labels,
                                 const ops::CrossEntropyOptions& options, double aux_weight, ParserLoss* loss);
};

/// True for the tensors of a head of any row of the factory: new layers, which start at random where the backbone has
/// weights already. ppm.*, cls.*, aux.* of a PSPNet, fc.* of a classifier.
bool is_new_layer(std::string_view tensor_name);
/// True for the auxiliary head, which only training needs.
bool is_auxiliary(std::string_view tensor_name);

/// A network for inference: batch norm folded into the weights, which are packed or transformed once per algorithm, at
/// the first picture that needs it. Memory follows the life of each activation: the arena hands a block on as soon as
/// its last reader is done. `model` must outlive it, and keep its numbers.
class FrozenParser {
 public:
  explicit FrozenParser(const SceneParser& model) : model_(model) {}
  /// As SceneParser::forward in evaluation mode, to rounding. Records no graph.
  ParserOutput forward(const Tensor& x) const;

 private:
  const SceneParser& model_;
  std::unique_ptr<layers::Frozen> frozen_ = std::make_unique<layers::Frozen>();
};

/// A row of the factory: a value of TRAIN.arch.
struct Architecture {
  const char* name;   ///< "psp"
  const char* title;  ///< "PSPNet"
  const char* doc;    ///< half a line for docs and --help-keys
  std::vector<SettingRow> settings;
  std::vector<const char*> heads;  ///< how the names of its new layers begin: "ppm."
  /// Throws ShapeError for options that fit no network.
  std::unique_ptr<SceneParser> (*make)(const NetworkOptions& options);
  /// If the tensors of a file are this network's: sets arch, settings and what else its heads tell (classes, channels,
  /// aux), and returns true. `options` has what the backbone tells; `place` begins refusals. Null: never, because
  /// another row recognises these too.
  bool (*infer)(const TensorShapes& shapes, const std::string& place, NetworkOptions* options);
  int64_t output_stride = 8;  ///< of the trunk, where a configuration does not say
  bool resnet = true;         ///< always built on the ResNet layer0 to layer4
  /// It gives a picture one class, not each pixel one: label maps of 1x1, whatever the picture's size.
  bool whole_picture = false;
};
/// All of them. Files are tried from the last to the first: what no other knows is a PSPNet, or refused as one that
/// lacks its head.
std::span<const Architecture> architectures();
/// Null for a name that no row has.
const Architecture* find_architecture(std::string_view name);
/// Throws Refusal for an unknown arch, ShapeError for options that fit no network.
std::unique_ptr<SceneParser> make_parser(const NetworkOptions& options);

}  // namespace giza::models
