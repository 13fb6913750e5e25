// Names of tensors in messages, and what the words in them tell.
#include "models/weights/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tensor/base/spelling.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

constexpr size_t kMostNames = 8;

/// Calls body(word) for each part of the name between dots and underscores, until it says yes.
template <class Body>
bool any_word(std::string_view name, const Body& body) {
  while (!name.empty()) {
    const size_t end = std::min(name.find_first_of("._"), name.size());
    if (body(name.substr(0, end))) return true;
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return false;
}

template <size_t kCount>
bool is_one_of(const std::array<std::string_view, kCount>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::string name_list(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kMostNames); ++i) {
    if (i > 0) text += ", ";
    text += quotable(names[i], 160);
  }
  return names.size() > kMostNames ? fmt::format("{} and {} more", text, names.size() - kMostNames) : text;
}

bool is_average(std::string_view name) {
  // As mmcv's EMAHook registers copies: "ema_" and the name, its dots turned to underscores.
  if (name.starts_with("ema_")) return true;
  constexpr std::array<std::string_view, 6> kWords = {"ema", "EMA", "swa", "averaged", "average", "teacher"};
  return any_word(name, [&](std::string_view word) { return is_one_of(kWords, word); });
}

bool is_classifier(std::string_view name) {
  return name.starts_with("fc.") || name.starts_with("backbone.fc.") || name.starts_with("head.fc.");
}

bool is_of_loss(std::string_view name) {
  constexpr std::array<std::string_view, 20> kWords = {
      "criterion", "criterions", "criteria", "crit", "loss", "losses", "lossfn", "lossfunction", "metric", "metrics",
      "entropy",   "ce",         "bce",      "nll",  "dice", "lovasz", "focal",  "ohem",         "miou",   "confmat"};
  const auto tells = [&](std::string_view word) {
    const std::string lower = lower_case(word);
    return is_one_of(kWords, lower) || lower.ends_with("loss");
  };
  if (any_word(name, tells)) return true;
  constexpr std::array<std::string_view, 3> kBuffers = {"class_weight", "class_weights", "pos_weight"};
  return is_one_of(kBuffers, name.substr(name.rfind('.') + 1));
}

bool is_counter(std::string_view name) {
  constexpr std::array<std::string_view, 14> kNames = {
      "n_averaged",  "num_updates", "num_update", "updates",   "decay", "step",       "steps",
      "global_step", "num_steps",   "epoch",      "iteration", "iter",  "iterations", "num_batches_tracked"};
  return is_one_of(kNames, name.substr(name.rfind('.') + 1));
}

bool is_of_tool(std::string_view name) {
  constexpr std::array<std::string_view, 3> kNames = {"total_ops", "total_params", "_extra_state"};
  return is_one_of(kNames, name.substr(name.rfind('.') + 1));
}

}  // namespace giza::models
