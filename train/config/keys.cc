// The table of configuration keys.
#include "train/config/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "models/scene_parser.h"

namespace giza::train {
namespace {

constexpr double kMaxCount = 1e9;
constexpr double kMaxSide = 16384;

// A lambda cannot take a nested member as a template argument, so a macro writes the accessor.
#define AT(member) [](Config& config) -> Field { return &config.member; }

/// A place for values that are only checked for their type.
template <class T>
Field discarded(Config&) {
  static thread_local T value;
  return &value;
}

constexpr Rule kRun = {.effect = Effect::run};
constexpr Rule kUnused = {.nullable = true, .may_be_empty = true, .effect = Effect::unused};

/// The rows of the factory as a choice: "psp|baseline", and what each is.
struct Words {
  std::string choices, doc;
};
const Words& architecture_words() {
  static const Words words = [] {
    Words all;
    for (const models::Architecture& row : models::architectures()) {
      all.choices += fmt::format("{}{}", all.choices.empty() ? "" : "|", row.name);
      all.doc += fmt::format("{}{}: {}", all.doc.empty() ? "" : "; ", row.name, row.doc);
    }
    return all;
  }();
  return words;
}

// clang-format off
// One row per key, to be read as a table.
const auto kKeys = std::to_array<Key>({
    {"DATA", "dataset", AT(data.dataset), {.choices = "list|folders|ade20k|voc2012|cityscapes|camvid", .effect = Effect::run},
     "list: pictures by list files, `image class` in place of `image label` where the network classifies whole "
     "pictures; folders: such pictures by folders, train/CLASS and val/CLASS; a name: the folder layout, classes, label map, ignore label, names and colours of "
     "that data set, where other keys do not say otherwise"},
    {"DATA", "data_root", AT(data.data_root), kRun, "folder that the paths inside the lists are relative to"},
    {"DATA", "train_list", AT(data.train_list), kRun,
     "text file, `image label` per line; empty with `dataset`: its training part"},
    {"DATA", "val_list", AT(data.val_list), kRun,
     "the same for validation during training; empty with `dataset`: its validation part"},
    {"DATA", "classes", AT(data.classes), {.min = 2, .max = 256}, "number of classes"},
    {"DATA", "names_path", AT(data.names_path), kRun, "class names, one per line; empty: TEST.names_path"},
    {"DATA", "colors_path", AT(data.colors_path), kRun, "class colours, `r g b` per line; empty: TEST.colors_path"},
    {"DATA", "label_map", AT(data.label_map), {.min = -1, .max = 255, .nullable = true, .may_be_empty = true},
     "raw label value -> class, or -1 for ignored; values that it does not name are ignored; empty: raw values are "
     "classes"},
    {"DATA", "reduce_zero_label", AT(data.reduce_zero_label), {},
     "raw 0 is ignored and raw k is class k - 1, as in ADE20K's challenge labels"},
    {"DATA", "mean", AT(data.mean), {.min = 0, .max = 255, .nullable = true, .items = 3, .may_be_empty = true, .added = true},
     "subtracted from R, G and B, on the scale of 0 to 255; empty: in a test what the weights tell, else ImageNet's "
     "[123.675, 116.28, 103.53]"},
    {"DATA", "std", AT(data.std), {.min = 1, .max = 255, .nullable = true, .items = 3, .may_be_empty = true, .added = true},
     "by which R, G and B are divided after that (Caffe: [1, 1, 1]); empty: likewise, ImageNet's [58.395, 57.12, 57.375]"},
    {"DATA", "weak_labels", AT(data.weak_labels), {.choices = "full|box|box_band|box_inner|box_crf|box_update|mixed", .added = true},
     "labels of training as if people had drawn boxes around the things: full: the masks; box: the class in its whole "
     "box; box_band: the same without a band along the edges; box_inner: the middle fifth of the box alone; box_crf: box, "
     "where the CRF of TEST.crf_* agrees; box_update: box, and then in rounds what the network finds inside; mixed: box "
     "in a part of the pictures (docs/weak-labels.md)"},
    {"DATA", "weak_rounds", AT(data.weak_rounds), {.min = 1, .max = 1000, .added = true},
     "with weak_labels box_update: how often the network makes new labels; the epochs are cut into one part more"},
    {"DATA", "weak_fraction", AT(data.weak_fraction), {.min = 0, .max = 1, .added = true},
     "with weak_labels mixed: the part of the pictures that have boxes in place of masks"},
    {"DATA", "thing_classes", AT(data.thing_classes), {.nullable = true, .may_be_empty = true, .added = true},
     "names or numbers of the classes that get boxes: [boat, car, 10]; the others keep their masks"},
    {"DATA", "label_colors", AT(data.label_colors), kRun,
     "for label files that hold colours: voc2012, cityscapes or camvid, grey (value = red = green = blue), or a file "
     "with `r g b` per line, whose colour on line k is value k - 1; empty: label files hold indices"},

    {"TRAIN", "arch", AT(train.arch), {.choices = architecture_words().choices}, architecture_words().doc.c_str()},
    {"TRAIN", "layers", AT(train.layers), {.choices = "18|34|50|101|152|269"}, "depth of the residual network"},
    {"TRAIN", "stem", AT(train.stem), {.choices = "deep|plain"},
     "first convolutions: three of 3x3 (semseg) or one of 7x7 (torchvision)"},
    {"TRAIN", "stem_channels", AT(train.stem_channels), {.min = 1, .max = 8192},
     "channels of the deep stem's first two convolutions, half of the third's (mmsegmentation: 32)"},
    {"TRAIN", "width", AT(train.width), {.min = 0, .max = 8, .above_min = true}, "factor on every channel count"},
    {"TRAIN", "blocks", AT(train.blocks), {.min = 1, .max = 64, .nullable = true, .items = 4, .may_be_empty = true},
     "residual blocks of layer1 to layer4, for nets of other depths; empty: those of `layers`"},
    {"TRAIN", "block", AT(train.block), {.choices = "auto|basic|bottleneck"},
     "kind of residual block; auto: basic up to 34 layers, bottleneck from 50"},
    {"TRAIN", "output_stride", AT(train.output_stride), {.choices = "4|8|16|32"},
     "input pixels per feature; below 32 the last stages dilate instead of striding"},
    {"TRAIN", "first_block_dilation", AT(train.first_block_dilation), {.choices = "full|half"},
     "dilation of the first block of a dilated stage: the stage's (semseg) or half of it"},
    {"TRAIN", "stride_in", AT(train.stride_in), {.choices = "3x3|1x1", .added = true},
     "convolution that strides in a bottleneck: the 3x3 one (semseg, torchvision) or the first 1x1 one (Caffe)"},
    {"TRAIN", "ceil_pool", AT(train.ceil_pool), {.added = true},
     "the stem's max pooling rounds sizes up (Caffe); sides 8n + 1 are the same either way"},
    {"TRAIN", "head_channels", AT(train.head_channels), {.min = 0, .max = 8192},
     "channels of the head's 3x3 convolution; 0: 512 (bottleneck) or 128 (basic) times width"},
    {"TRAIN", "aux_channels", AT(train.aux_channels), {.min = 0, .max = 8192},
     "channels of the auxiliary head; 0: half of the head's"},
    {"TRAIN", "dropout", AT(train.dropout), {.min = 0, .max = 0.95}, "share of channels dropped before classifying"},
    {"TRAIN", "align_corners", AT(train.align_corners), {},
     "of every bilinear enlargement (mmsegmentation's default: false)"},
    {"TRAIN", "bn_momentum", AT(train.bn_momentum), {.min = 0, .max = 1}, "a batch's weight in the running statistics"},
    {"TRAIN", "zoom_factor", AT(train.zoom_factor), {.choices = "8"},
     "enlargement of the logits in training: 8 is the full crop, the only one built"},

    {"TRAIN", "train_h", AT(train.train_h), {.min = 1, .max = kMaxSide}, "height of the training crop"},
    {"TRAIN", "train_w", AT(train.train_w), {.min = 1, .max = kMaxSide}, "width of the training crop"},
    {"TRAIN", "pad", AT(train.pad), {.min = 0, .max = kMaxSide, .added = true},
     "pixels of the mean put around a picture before it is cropped (4 for crops of 32, He et al. 2016)"},
    {"TRAIN", "epoch_sizes", AT(train.epoch_sizes),
     {.min = 1, .max = kMaxSide, .nullable = true, .may_be_empty = true, .added = true},
     "longer sides that crops are resized to, one epoch each in turn: the multi-size training of SPP-net, [224, 180]; "
     "empty: crops stay as they are"},
    {"TRAIN", "scale_min", AT(train.scale_min), {.min = 0.05, .max = 20}, "smallest random scale"},
    {"TRAIN", "scale_max", AT(train.scale_max), {.min = 0.05, .max = 20}, "largest random scale"},
    {"TRAIN", "rotate_min", AT(train.rotate_min), {.min = -180, .max = 180}, "smallest random rotation, degrees"},
    {"TRAIN", "rotate_max", AT(train.rotate_max), {.min = -180, .max = 180}, "largest random rotation, degrees"},
    {"TRAIN", "rotate_prob", AT(train.rotate_prob), {.min = 0, .max = 1}, "probability of rotating a sample"},
    {"TRAIN", "blur_prob", AT(train.blur_prob), {.min = 0, .max = 1}, "probability of blurring a sample (5x5 Gauss)"},
    {"TRAIN", "flip_prob", AT(train.flip_prob), {.min = 0, .max = 1}, "probability of mirroring a sample"},
    {"TRAIN", "brightness", AT(train.brightness), {.min = 0, .max = 10, .added = true},
     "a sample's values times a random factor from 1 - this to 1 + this (torchvision's ColorJitter)"},
    {"TRAIN", "contrast", AT(train.contrast), {.min = 0, .max = 10, .added = true},
     "the same of the distance from its mean grey"},
    {"TRAIN", "saturation", AT(train.saturation), {.min = 0, .max = 10, .added = true},
     "the same of each pixel's distance from its grey"},
    {"TRAIN", "hue", AT(train.hue), {.min = 0, .max = 0.5, .added = true},
     "a random turn of the hue by up to this part of a whole turn, either way"},
    {"TRAIN", "ignore_label", AT(train.ignore_label), {.min = 0, .max = 255}, "label of pixels that are left out of the loss and of every figure"},
    {"TRAIN", "batch_size", AT(train.batch_size), {.min = 1, .max = 1024}, "samples of a training step"},
    {"TRAIN", "batch_size_val", AT(train.batch_size_val), {.min = 1, .max = 1024, .effect = Effect::run},
     "crops at a time in validation and testing"},
    {"TRAIN", "workers", AT(train.workers), {.min = 0, .max = 256, .effect = Effect::run},
     "threads that prepare samples; 0: 2"},
    {"TRAIN", "cache_mb", AT(train.cache_mb), {.min = 0, .max = 1e6, .effect = Effect::run},
     "decoded pictures and labels kept in memory, at most; 0: none"},

    {"TRAIN", "aux_weight", AT(train.aux_weight), {.min = 0, .max = 100},
     "weight of the auxiliary loss; 0: no auxiliary head"},
    {"TRAIN", "class_weights", AT(train.class_weights), {.min = 0, .max = 1e6},
     "weights of the classes in the loss; balanced: median frequency over the training labels / class frequency"},
    {"TRAIN", "base_lr", AT(train.base_lr), {.min = 0, .max = 1000}, "learning rate of the residual network"},
    {"TRAIN", "new_layer_lr", AT(train.new_layer_lr), {.min = 0, .max = 1e6}, "factor on base_lr for ppm, cls and aux"},
    {"TRAIN", "bias_lr", AT(train.bias_lr), {.min = 0, .max = 1000, .added = true},
     "factor on the rate of biases, beside new_layer_lr (nets trained with Caffe: 2)"},
    {"TRAIN", "decay_biases", AT(train.decay_biases), {.added = true},
     "weight decay of biases and of batch norm's weights too (nets trained with Caffe: false)"},
    {"TRAIN", "lr_policy", AT(train.lr_policy), {.choices = "poly|step|fixed", .added = true},
     "poly: base_lr (1 - iteration / iterations)^power; step: base_lr, times lr_gamma at each of lr_steps; fixed: base_lr"},
    {"TRAIN", "lr_steps", AT(train.lr_steps),
     {.min = 1, .max = kMaxCount, .nullable = true, .may_be_empty = true, .added = true},
     "iterations after which lr_policy step lowers the rate, ascending"},
    {"TRAIN", "lr_gamma", AT(train.lr_gamma), {.min = 0, .max = 1, .added = true}, "factor of lr_policy step"},
    {"TRAIN", "warmup_iters", AT(train.warmup_iters), {.min = 0, .max = kMaxCount},
     "first iterations, over which the rate rises linearly to the curve of lr_policy"},
    {"TRAIN", "epochs", AT(train.epochs), {.min = 1, .max = 1e6}, "passes over the training list"},
    {"TRAIN", "start_epoch", AT(train.start_epoch), {.min = 0, .max = 1e6, .effect = Effect::run},
     "epoch to begin with; a resumed checkpoint knows its own"},
    {"TRAIN", "power", AT(train.power), {.min = 0, .max = 100}, "of lr_policy poly"},
    {"TRAIN", "momentum", AT(train.momentum), {.min = 0, .max = 1}, "momentum of SGD"},
    {"TRAIN", "weight_decay", AT(train.weight_decay), {.min = 0, .max = 1}, "weight decay, on every parameter"},
    {"TRAIN", "ema_decay", AT(train.ema_decay), {.min = 0, .max = 0.999999, .added = true},
     "validate and save a moving average of the weights and running statistics, in which each step's count 1 - this (0.999); 0: those of the last step"},
    {"TRAIN", "manual_seed", AT(train.manual_seed), {.min = 0, .nullable = true},
     "seed of the initial weights, the samples and dropout"},

    {"TRAIN", "print_freq", AT(train.print_freq), {.min = 1, .max = kMaxCount, .effect = Effect::run},
     "iterations between lines of log.jsonl"},
    {"TRAIN", "save_freq", AT(train.save_freq), {.min = 1, .max = kMaxCount, .effect = Effect::run},
     "epochs between checkpoints"},
    {"TRAIN", "eval_freq", AT(train.eval_freq), {.min = 1, .max = kMaxCount, .effect = Effect::run},
     "epochs between validations, with `evaluate`"},
    {"TRAIN", "keep_checkpoints", AT(train.keep_checkpoints), {.min = 1, .max = kMaxCount, .effect = Effect::run},
     "newest checkpoints that are kept"},
    {"TRAIN", "tensorboard", AT(train.tensorboard), kRun, "write TensorBoard events into save_path"},
    {"TRAIN", "save_path", AT(train.save_path), kRun, "the run folder: configuration, log, checkpoints"},
    {"TRAIN", "weight", AT(train.weight), kRun, "file of initial weights; empty: random"},
    {"TRAIN", "resume", AT(train.resume), kRun, "checkpoint to go on from; auto: the newest in save_path, if any"},
    {"TRAIN", "evaluate", AT(train.evaluate), kRun, "validate on val_list during training"},
    {"TRAIN", "threads", AT(train.threads), {.min = 0, .max = 1024, .effect = Effect::run},
     "threads of the computation; 0: every processor"},
    {"TRAIN", "conv", AT(train.conv), {.choices = "native|onednn|eigen|reference"},
     "convolution backend"},
    {"TRAIN", "recompute", AT(train.recompute), kRun,
     "less memory for more time: residual blocks are run again in the backward pass; the same bits"},
    {"TRAIN", "algorithm", AT(train.algorithm),
     {.choices = "auto|fast|direct|winograd2|winograd4|winograd5|winograd6"},
     "how native convolutions compute"},
    {"TRAIN", "sync_bn", discarded<bool>, kUnused, "batch statistics always cover the whole batch here"},
    {"TRAIN", "train_gpu", discarded<std::vector<int>>, kUnused, "GPUs of the training"},
    {"TRAIN", "psa_type", discarded<int>, kUnused, "an option of PSANet"},
    {"TRAIN", "compact", discarded<int>, kUnused, "an option of PSANet"},
    {"TRAIN", "shrink_factor", discarded<int>, kUnused, "an option of PSANet"},
    {"TRAIN", "mask_h", discarded<int>, kUnused, "an option of PSANet"},
    {"TRAIN", "mask_w", discarded<int>, kUnused, "an option of PSANet"},
    {"TRAIN", "normalization_factor", discarded<double>, kUnused, "an option of PSANet"},
    {"TRAIN", "psa_softmax", discarded<int>, kUnused, "an option of PSANet"},

    {"Distributed", "dist_url", discarded<std::string>, kUnused, "address at which the processes meet"},
    {"Distributed", "dist_backend", discarded<std::string>, kUnused, "library by which the processes talk"},
    {"Distributed", "multiprocessing_distributed", discarded<bool>, kUnused, "one process per GPU"},
    {"Distributed", "world_size", discarded<int>, kUnused, "number of machines"},
    {"Distributed", "rank", discarded<int>, kUnused, "number of this machine"},
    {"Distributed", "use_apex", discarded<bool>, kUnused, "mixed precision (older files)"},
    {"Distributed", "opt_level", discarded<std::string>, kUnused, "mixed precision (older files)"},
    {"Distributed", "keep_batchnorm_fp32", discarded<bool>, kUnused, "mixed precision (older files)"},
    {"Distributed", "loss_scale", discarded<std::string>, kUnused, "mixed precision (older files)"},

    {"TEST", "test_list", AT(test.test_list), kRun,
     "text file, `image label` per line; empty with DATA.dataset: its `split`"},
    {"TEST", "split", AT(test.split), {.choices = "train|val|test", .effect = Effect::run},
     "test: the list has no labels, nothing is judged"},
    {"TEST", "base_size", AT(test.base_size), {.min = 0, .max = kMaxSide, .effect = Effect::run},
     "long side at scale 1; 0: the picture's own"},
    {"TEST", "test_h", AT(test.test_h), {.min = 1, .max = kMaxSide, .effect = Effect::run}, "height of the test crop"},
    {"TEST", "test_w", AT(test.test_w), {.min = 1, .max = kMaxSide, .effect = Effect::run}, "width of the test crop"},
    {"TEST", "scales", AT(test.scales), {.min = 0.05, .max = 20, .effect = Effect::run},
     "scales whose predictions are averaged; the paper's multi-scale test: [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]"},
    {"TEST", "mirror", AT(test.mirror), kRun, "average each crop with its mirror image"},
    {"TEST", "stride_rate", AT(test.stride_rate), {.min = 0, .max = 1, .above_min = true, .effect = Effect::run},
     "step from crop to crop, as a part of the crop; the step is rounded up to whole pixels"},
    {"TEST", "whole_image", AT(test.whole_image), kRun,
     "one crop as large as the scaled picture, in place of test_h x test_w tiles"},
    {"TEST", "crf", AT(test.crf), kRun,
     "refine the averaged probabilities by the fully connected CRF of DeepLab (docs/crf.md); in testing only, not in "
     "validation during training"},
    {"TEST", "crf_iterations", AT(test.crf_options.iterations), {.min = 0, .max = kMaxCrfIterations, .effect = Effect::run},
     "steps of its mean field"},
    {"TEST", "crf_bilateral_weight", AT(test.crf_options.bilateral_weight), {.min = 0, .max = kMaxCrfWeight, .effect = Effect::run},
     "weight of the pairs of pixels that are near and of like colour; 0: none"},
    {"TEST", "crf_bilateral_xy", AT(test.crf_options.bilateral_xy),
     {.min = kMinCrfDeviation, .max = kMaxCrfDeviation, .effect = Effect::run},
     "how near: a standard deviation in pixels"},
    {"TEST", "crf_bilateral_rgb", AT(test.crf_options.bilateral_rgb),
     {.min = kMinCrfDeviation, .max = kMaxCrfDeviation, .effect = Effect::run},
     "how like: a standard deviation of red, green and blue from 0 to 255"},
    {"TEST", "crf_gaussian_weight", AT(test.crf_options.gaussian_weight), {.min = 0, .max = kMaxCrfWeight, .effect = Effect::run},
     "weight of the pairs that are near, whatever their colour; 0: none"},
    {"TEST", "crf_gaussian_xy", AT(test.crf_options.gaussian_xy),
     {.min = kMinCrfDeviation, .max = kMaxCrfDeviation, .effect = Effect::run},
     "how near: a standard deviation in pixels"},
    {"TEST", "crf_normalization", AT(test.crf_options.normalization),
     {.choices = kCrfNormalizations, .effect = Effect::run},
     "by what the sums over pairs are divided: see docs/crf.md"},
    {"TEST", "crf_filter", AT(test.crf_options.filter), {.choices = kCrfFilters, .effect = Effect::run},
     "how sums over all pairs are made: the permutohedral lattice, an approximation; exactly, which takes minutes for a "
     "picture of 360 x 480; auto: exactly up to 2,048 pixels"},
    {"TEST", "has_prediction", AT(test.has_prediction), kRun, "judge the label images already in save_folder/gray"},
    {"TEST", "index_start", AT(test.index_start), {.min = 0, .max = kMaxCount, .effect = Effect::run},
     "first picture of the list"},
    {"TEST", "index_step", AT(test.index_step), {.min = 0, .max = kMaxCount, .effect = Effect::run},
     "number of pictures; 0: to the end of the list"},
    {"TEST", "save_masks", AT(test.save_masks), kRun, "write predictions to save_folder/gray and save_folder/color"},
    {"TEST", "model_path", AT(test.model_path), kRun, "weights to test"},
    {"TEST", "save_folder", AT(test.save_folder), kRun, "folder of metrics.json and the masks"},
    {"TEST", "colors_path", AT(test.colors_path), kRun, "class colours, `r g b` per line"},
    {"TEST", "names_path", AT(test.names_path), kRun, "class names, one per line"},
    {"TEST", "test_gpu", discarded<std::vector<int>>, kUnused, "GPUs of the test"},
});
// clang-format on

#undef AT

Key key_of(const models::SettingRow& row) {
  const auto field = [name = row.name](Config& config) {
    return std::visit([](auto& value) -> Field { return &value; }, config.train.network.at(name));
  };
  const bool numbers =
      !std::holds_alternative<bool>(row.standard) && !std::holds_alternative<std::string>(row.standard);
  const auto* list = std::get_if<std::vector<int>>(&row.standard);
  Rule rule = numbers ? Rule{.min = row.min, .max = row.max, .may_be_empty = list != nullptr && list->empty()}
                      : Rule{.choices = row.choices};
  rule.added = row.added;
  return {"TRAIN", row.name, field, rule, row.doc, /*of_network=*/true};
}

}  // namespace

std::span<const Key> config_keys() {
  // What only some networks have comes from their rows of the factory, and stands before the options of the heads.
  static const std::vector<Key> keys = [] {
    std::vector<Key> all(kKeys.begin(), kKeys.end());
    auto place =
        std::find_if(all.begin(), all.end(), [](const Key& key) { return key.full_name() == "TRAIN.head_channels"; });
    std::set<std::string> seen;
    for (const models::Architecture& architecture : models::architectures()) {
      for (const models::SettingRow& row : architecture.settings) {
        if (seen.insert(row.name).second) place = std::next(all.insert(place, key_of(row)));
      }
    }
    return all;
  }();
  return keys;
}

bool applies(const Key& key, const Config& config) {
  if (!key.of_network) return true;
  const auto& rows = models::find_architecture(config.train.arch)->settings;
  return std::any_of(rows.begin(), rows.end(),
                     [&](const models::SettingRow& row) { return row.name == std::string_view(key.name); });
}

}  // namespace giza::train
