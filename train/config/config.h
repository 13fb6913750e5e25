// Configuration of a run: semseg's YAML sections and keys, with some of our own, as plain structs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/settings.h"
#include "train/config/crf_options.h"

namespace giza::train {

/// Weights of the classes in the loss.
struct ClassWeights {
  enum class Kind { none, balanced, list };
  Kind kind = Kind::none;
  std::vector<double> values;  ///< one per class, for Kind::list only
  bool operator==(const ClassWeights&) const = default;
};

/// Section DATA. Paths are relative to the working directory, those inside the lists to data_root.
struct DataConfig {
  /// list | folders: train/data/class_folders.h | a name of train/data/known_datasets.h, whose folder layout, classes,
  /// label map, names and colours are taken where the keys below say nothing.
  std::string dataset = "list";
  std::string data_root;
  std::string train_list;
  std::string val_list;
  int classes = 150;
  std::string names_path;          ///< a class name per line; empty: TEST.names_path
  std::string colors_path;         ///< `r g b` per line; empty: TEST.colors_path
  std::map<int, int> label_map;    ///< raw value -> class or -1: ignored; where not empty, values not named are ignored
  bool reduce_zero_label = false;  ///< raw 0 is ignored, raw k is class k - 1 (ADE20K's challenge labels)
  std::vector<double> mean,
      std;  ///< of R, G and B on the scale of 0 to 255; empty: told by the weights, else ImageNet's
  /// full | box | box_band | box_inner | box_crf | box_update | mixed, see train/data/weak_labels.h
  std::string weak_labels = "full";
  int weak_rounds = 2;                     ///< updates of the labels of `box_update`
  double weak_fraction = 0.5;              ///< of the pictures of `mixed` that have boxes
  std::vector<std::string> thing_classes;  ///< names or numbers of the classes that get boxes
  std::string label_colors;  ///< empty: indices; else how colours become values, see train/data/label_colors.h
  bool operator==(const DataConfig&) const = default;
};

/// Section TRAIN: the model, the augmentation and the schedule.
struct TrainConfig {
  // The model.
  std::string arch = "psp";                                ///< a row of the factory: models/scene_parser.h
  int layers = 50;                                         ///< 18, 34, 50, 101, 152, 269
  std::string stem = "deep";                               ///< deep | plain
  int stem_channels = 64;                                  ///< of the deep stem's first two convolutions
  double width = 1;                                        ///< factor on every channel count
  std::vector<int> blocks;                                 ///< residual blocks of layer1..4; empty: those of `layers`
  std::string block = "auto";                              ///< auto (by layers) | basic | bottleneck
  int output_stride = 8;                                   ///< 4, 8, 16 or 32
  std::string first_block_dilation = "full";               ///< full | half
  std::string stride_in = "3x3";                           ///< 3x3 | 1x1: where a bottleneck strides
  bool ceil_pool = false;                                  ///< the stem's pooling rounds sizes up
  models::Settings network = models::standard_settings();  ///< what only some architectures have, by key: "bins"
  int head_channels = 0;  ///< 0: 512 for bottlenecks, 128 for basic blocks, times width
  int aux_channels = 0;   ///< 0: half of the head's
  double dropout = 0.1;
  bool align_corners = true;  ///< of every bilinear enlargement
  double bn_momentum = 0.1;
  int zoom_factor = 8;
  // The samples.
  int train_h = 473, train_w = 473;
  int pad = 0;                   ///< pixels of the mean put around a picture before it is cropped
  std::vector<int> epoch_sizes;  ///< longer sides that crops are resized to, in turn by epoch; empty: they keep theirs
  double scale_min = 0.5, scale_max = 2.0;
  double rotate_min = -10, rotate_max = 10;  ///< degrees
  double rotate_prob = 0.5;
  double blur_prob = 0.5;
  double flip_prob = 0.5;
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;  ///< of ColorJitter
  int ignore_label = 255;
  int batch_size = 16;
  int batch_size_val = 8;
  int workers = 0;     ///< threads that prepare samples; 0: chosen by the loader
  int cache_mb = 512;  ///< decoded images and labels kept in memory at most
  // The loss and the optimiser.
  double aux_weight = 0.4;  ///< 0: no auxiliary head
  ClassWeights class_weights;
  double base_lr = 0.01;
  double new_layer_lr = 10;        ///< factor on base_lr for ppm, cls and aux
  double bias_lr = 1;              ///< factor on the rate of biases
  bool decay_biases = true;        ///< weight decay of biases and of batch norm's weights too
  std::string lr_policy = "poly";  ///< poly | step | fixed
  std::vector<int> lr_steps;       ///< iterations at which step multiplies the rate by lr_gamma
  double lr_gamma = 0.1;
  int warmup_iters = 0;  ///< first iterations, over which the rate rises linearly to the policy's curve
  int epochs = 100;
  int start_epoch = 0;
  double power = 0.9;
  double momentum = 0.9;
  double weight_decay = 1e-4;
  double ema_decay = 0;  ///< of the moving average of the weights; 0: none
  int64_t manual_seed = 0;
  // The run.
  int print_freq = 10;  ///< iterations
  int save_freq = 1;    ///< epochs
  int eval_freq = 1;    ///< epochs; only with evaluate
  int keep_checkpoints = 2;
  bool tensorboard = true;  ///< write TensorBoard events into save_path
  std::string save_path;
  std::string weight;  ///< initial weights
  std::string resume;  ///< a checkpoint, or "auto": the newest in save_path, if any
  bool evaluate = false;
  int threads = 0;                 ///< 0: as many as processors
  std::string conv = "native";     ///< native | onednn | eigen | reference
  bool recompute = false;          ///< run residual blocks again in the backward pass instead of keeping their inside
  std::string algorithm = "auto";  ///< of native convolutions: auto | fast | direct | winograd2 | 4 | 5 | 6
  bool operator==(const TrainConfig&) const = default;
};

/// Section TEST: the test protocol and its files.
struct TestConfig {
  std::string test_list;
  std::string split = "val";  ///< train | val | test; test: the list has no labels
  int base_size = 512;        ///< long side at scale 1; 0: the image's own
  int test_h = 473, test_w = 473;
  std::vector<double> scales = {1.0};
  bool mirror = true;            ///< average with the mirrored picture
  double stride_rate = 2.0 / 3;  ///< step of the tiles as a part of the crop
  bool whole_image = false;      ///< one crop per picture, as large as the scaled picture
  bool crf = false;              ///< the fully connected CRF behind the network
  CrfOptions crf_options;        ///< its parameters
  bool has_prediction = false;   ///< judge the label images already in save_folder/gray
  int index_start = 0;
  int index_step = 0;  ///< pictures from index_start; 0: to the end
  bool save_masks = false;
  std::string model_path;
  std::string save_folder;
  std::string colors_path;
  std::string names_path;
  bool operator==(const TestConfig&) const = default;
};

/// KEY VALUE pairs, KEY being SECTION.NAME.
using KeyValues = std::vector<std::pair<std::string, std::string>>;

struct Config {
  DataConfig data;
  TrainConfig train;
  TestConfig test;

  std::string file;                            ///< where it was read, for messages
  std::map<std::string, std::string> origins;  ///< "TRAIN.epochs" -> "FILE:LINE" or "command line", of given keys
  KeyValues overrides;                         ///< of the command line
  std::string command;                         ///< that was given, for reports; the program's own words
  std::vector<std::string> unused;             ///< given keys that mean nothing on a CPU, in the order of the file

  /// Given keys of networks that TRAIN.arch has not, in the order of the table, but for those at their defaults.
  std::vector<std::string> of_other_networks() const;
  /// True if `key` was given, in the file or on the command line.
  bool given(const std::string& key) const { return origins.contains(key); }
  std::string names_path() const { return data.names_path.empty() ? test.names_path : data.names_path; }
  std::string colors_path() const { return data.colors_path.empty() ? test.colors_path : data.colors_path; }
};

/// Reads a YAML file of at most 256 KB, then replaces values by `overrides`: KEY VALUE KEY VALUE ..., KEY being
/// SECTION.NAME or a NAME that only one section has (of two sections, the one where the file gives it, else semseg's
/// own, TEST). Lists may be written as in YAML or as Python's tuples. Throws Refusal "FILE:LINE: ..." for an unknown or
/// duplicate key, a wrong type, a value out of range or options that do not fit together.
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});
/// The same from text; `name` stands for the file in messages.
Config parse_config(std::string_view text, const std::string& name, const std::vector<std::string>& overrides = {});
/// The same from text that a program made: messages and `origins` say that keys come from `places`, those that are not
/// there from `name`, and never which line.
Config parse_made_config(std::string_view text, const std::string& name, const std::vector<std::string>& overrides,
                         const std::map<std::string, std::string>& places);

/// Throws Refusal naming the first of `keys` ("DATA.train_list", ...) that has no value.
void require_keys(const Config& config, std::initializer_list<const char*> keys);
/// True if TRAIN.arch gives each picture one class, so that DATA has no label files.
bool classifies_pictures(const Config& config);
/// "FILE:LINE" or "command line" where the key was given, else the file: the place to name in a refusal.
std::string config_place(const Config& config, const std::string& key);

/// Every key with its value, as YAML that load_config reads back to an equal Config.
std::string to_yaml(const Config& config);
/// 16 hex digits: FNV-1a over the keys of DATA and TRAIN that decide the weights which training computes (so not paths,
/// frequencies, threads, cache). The same on every machine.
std::string training_hash(const Config& config);
/// What the hash is of: the keys that decide which weights training computes, as lines "SECTION.NAME=VALUE". With
/// DATA.weak_labels box_crf the parameters of the CRF are among them.
std::string training_settings(const Config& config);
/// The keys whose values differ between two such texts, each as "SECTION.NAME: BEFORE, now VALUE".
std::vector<std::string> changed_settings(const std::string& before, const std::string& now);

/// One paragraph per key: name, type, range, default, what it does. For a listing.
std::string help_keys();
/// The same as a Markdown page with a table per section: docs/configuration.md.
std::string keys_as_markdown();

}  // namespace giza::train
