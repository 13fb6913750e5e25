// Which key somebody meant.
#include <algorithm>

#include "tensor/base/spelling.h"
#include "train/config/keys.h"

namespace giza::train {
namespace {

/// What other programs call a key: where the spelling leads astray.
struct Synonym {
  std::string_view theirs, ours;
};
constexpr Synonym kSynonyms[] = {{"lr", "TRAIN.base_lr"},
                                 {"learning_rate", "TRAIN.base_lr"},
                                 {"lr0", "TRAIN.base_lr"},
                                 {"init_lr", "TRAIN.base_lr"},
                                 {"wd", "TRAIN.weight_decay"},
                                 {"decay", "TRAIN.weight_decay"},
                                 {"bs", "TRAIN.batch_size"},
                                 {"batch", "TRAIN.batch_size"},
                                 {"samples_per_gpu", "TRAIN.batch_size"},
                                 {"max_epochs", "TRAIN.epochs"},
                                 {"num_epochs", "TRAIN.epochs"},
                                 {"n_epochs", "TRAIN.epochs"},
                                 {"depth", "TRAIN.layers"},
                                 {"backbone", "TRAIN.layers"},
                                 {"model", "TRAIN.arch"},
                                 {"network", "TRAIN.arch"},
                                 {"seed", "TRAIN.manual_seed"},
                                 {"random_seed", "TRAIN.manual_seed"},
                                 {"num_workers", "TRAIN.workers"},
                                 {"workers_per_gpu", "TRAIN.workers"},
                                 {"jobs", "TRAIN.workers"},
                                 {"pretrained", "TRAIN.weight"},
                                 {"weights", "TRAIN.weight"},
                                 {"init_from", "TRAIN.weight"},
                                 {"load_from", "TRAIN.weight"},
                                 {"checkpoint", "TRAIN.resume"},
                                 {"ckpt", "TRAIN.resume"},
                                 {"resume_from", "TRAIN.resume"},
                                 {"ignore_index", "TRAIN.ignore_label"},
                                 {"ignore", "TRAIN.ignore_label"},
                                 {"crop_size", "TRAIN.train_h"},
                                 {"crop_h", "TRAIN.train_h"},
                                 {"crop_w", "TRAIN.train_w"},
                                 {"num_threads", "TRAIN.threads"},
                                 {"cpus", "TRAIN.threads"},
                                 {"out", "TRAIN.save_path"},
                                 {"output", "TRAIN.save_path"},
                                 {"output_dir", "TRAIN.save_path"},
                                 {"work_dir", "TRAIN.save_path"},
                                 {"save_dir", "TRAIN.save_path"},
                                 {"log_interval", "TRAIN.print_freq"},
                                 {"val_interval", "TRAIN.eval_freq"},
                                 {"hflip", "TRAIN.flip_prob"},
                                 {"color_jitter", "TRAIN.brightness"},
                                 {"jitter", "TRAIN.brightness"},
                                 {"ema", "TRAIN.ema_decay"},
                                 {"ema_momentum", "TRAIN.ema_decay"},
                                 {"model_ema", "TRAIN.ema_decay"},
                                 {"lr_power", "TRAIN.power"},
                                 {"warmup", "TRAIN.warmup_iters"},
                                 {"num_classes", "DATA.classes"},
                                 {"n_classes", "DATA.classes"},
                                 {"nc", "DATA.classes"},
                                 {"root", "DATA.data_root"},
                                 {"data_dir", "DATA.data_root"},
                                 {"palette", "DATA.colors_path"},
                                 {"class_names", "DATA.names_path"},
                                 {"flip", "TEST.mirror"},
                                 {"tta", "TEST.mirror"},
                                 {"overlap", "TEST.stride_rate"},
                                 {"max_iters", "TRAIN.epochs"},
                                 {"max_iter", "TRAIN.epochs"},
                                 {"iters", "TRAIN.epochs"},
                                 {"iterations", "TRAIN.epochs"},
                                 {"max_epoch", "TRAIN.epochs"},
                                 {"num_iterations", "TRAIN.epochs"},
                                 {"total_iters", "TRAIN.epochs"},
                                 {"names", "DATA.names_path"},
                                 {"colors", "DATA.colors_path"},
                                 {"colours", "DATA.colors_path"},
                                 {"gpu", "TRAIN.train_gpu"},
                                 {"gpus", "TRAIN.train_gpu"},
                                 {"val", "DATA.val_list"},
                                 {"train", "DATA.train_list"},
                                 {"aux", "TRAIN.aux_weight"},
                                 {"use_aux", "TRAIN.aux_weight"},
                                 {"aux_loss", "TRAIN.aux_weight"},
                                 {"loss_weight", "TRAIN.aux_weight"},
                                 {"num_class", "DATA.classes"},
                                 {"test_scales", "TEST.scales"},
                                 {"multi_scale", "TEST.scales"},
                                 {"random_scale", "TRAIN.scale_min"},
                                 {"image_dir", "DATA.data_root"},
                                 {"img_dir", "DATA.data_root"},
                                 {"os", "TRAIN.output_stride"},
                                 {"stride", "TRAIN.output_stride"},
                                 {"checkpoint_interval", "TRAIN.save_freq"},
                                 {"log_freq", "TRAIN.print_freq"},
                                 {"log_every", "TRAIN.print_freq"},
                                 {"lr_decay", "TRAIN.power"},
                                 {"seed_everything", "TRAIN.manual_seed"},
                                 {"local_rank", "Distributed.rank"},
                                 {"logdir", "TRAIN.save_path"},
                                 {"log_dir", "TRAIN.save_path"}};

/// The key that is meant: by another program's word for it, else the nearest in spelling, its own section being nearer;
/// empty where none is near.
std::string nearest_key(std::string_view section, std::string_view name) {
  std::string lower = lower_case(name.substr(0, 64));  // no key is as long
  std::replace(lower.begin(), lower.end(), '-', '_');
  for (const Synonym& word : kSynonyms) {
    if (word.theirs == lower) return std::string(word.ours);
  }
  std::string best;
  size_t best_distance = std::string::npos;
  for (const Key& key : config_keys()) {
    const size_t edits = edit_distance(lower, key.name);
    if (edits > std::max<size_t>(2, lower.size() / 3)) continue;
    const size_t distance = 2 * edits + (lower_case(section) == lower_case(key.section) ? 0 : 1);
    if (distance < best_distance) {
      best_distance = distance;
      best = key.full_name();
    }
  }
  return best;
}

}  // namespace

std::string nearest_key_hint(std::string_view section, std::string_view name) {
  const std::string nearest = nearest_key(section, name);
  return nearest.empty() ? "; `giza train --help-keys` lists all" : ", the nearest is " + nearest;
}

}  // namespace giza::train
