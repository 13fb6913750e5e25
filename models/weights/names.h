// Names of tensors in messages, and what the words in them tell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace giza::models {

/// The names as one line of bounded length: "a, b, c and 5 more". They may be foreign.
std::string name_list(const std::vector<std::string>& names);

/// True for the name of a moving average of weights, which stands beside the weights themselves: ema, model_ema, swa.
bool is_average(std::string_view name);
/// True for the classifier of whole pictures that ImageNet's ResNets have: fc.*, head.fc.*, below a backbone too.
bool is_classifier(std::string_view name);
/// True for what belongs to a loss or a metric: criterion.weight, decode_head.loss_decode.0.class_weight.
bool is_of_loss(std::string_view name);
/// True for what counts steps or averages: n_averaged, global_step, num_batches_tracked.
bool is_counter(std::string_view name);

/// True for what tools register at every layer: thop's counts of operations, PyTorch's own _extra_state.
bool is_of_tool(std::string_view name);

}  // namespace giza::models
