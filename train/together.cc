// What the ranks of a run do together.
#include "train/together.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/ranks.h"
#include "tensor/simd.h"
#include "train/signals.h"

namespace giza::train {

void check_ranks_agree(const std::function<std::vector<Fact>()>& facts_of_rank) {
  if (ranks::count() == 1) return;
  std::vector<Fact> facts = facts_of_rank();
  facts.insert(facts.begin(), {{"the version of giza", GIZA_VERSION},
                               {"the SIMD target (--isa)", isa_fuses(isa()) ? "with a fused multiply-add" : isa()}});
  std::string own;
  for (const Fact& fact : facts) own += packed({fact.value});
  std::vector<std::vector<std::string>> all;
  for (const std::string& text : ranks::gather(own)) all.push_back(unpacked(text));
  check<Refusal>(std::all_of(all.begin(), all.end(), [&](const auto& values) { return values.size() == facts.size(); }),
                 "the ranks do different things; start all with the same command");
  for (size_t i = 0; i < facts.size(); ++i) {
    std::vector<int> others;
    for (size_t rank = 1; rank < all.size(); ++rank) {
      if (all[rank][i] != all[0][i]) others.push_back(static_cast<int>(rank));
    }
    if (others.empty()) continue;
    const std::string &first = all[0][i], &other = all[static_cast<size_t>(others[0])][i];
    throw Refusal(
        fmt::format("{} of rank {} is not that of rank 0{}; start all ranks with the same program, settings and data",
                    facts[i].what, fmt::join(others, ", "),
                    facts[i].difference ? fmt::format(" ({})", facts[i].difference(first, other))
                    : std::max(first.size(), other.size()) <= 40 ? fmt::format(" ({}, not {})", other, first)
                                                                 : std::string()));
  }
}

int signal_anywhere() { return static_cast<int>(ranks::largest(pending_signal())); }

std::string packed(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) {
    const auto size = static_cast<uint64_t>(part.size());
    text.append(reinterpret_cast<const char*>(&size), sizeof(size)).append(part);
  }
  return text;
}

std::vector<std::string> unpacked(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    uint64_t size = 0;
    check<Error>(text.size() >= sizeof(size), "ranks: a message is cut off");
    std::memcpy(&size, text.data(), sizeof(size));
    text.remove_prefix(sizeof(size));
    check<Error>(text.size() >= size, "ranks: a message is cut off");
    parts.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return parts;
}

int64_t share_out(int64_t count, const std::function<std::string(int64_t)>& work,
                  const std::function<void(int64_t, std::string)>& collect) {
  const int64_t ranks = ranks::count();
  for (int64_t first = 0; first < count; first += ranks) {
    if (signal_anywhere() != 0) return first;
    const int64_t own = first + ranks::own();
    std::string result = own < count ? work(own) : std::string();
    if (ranks == 1) {
      collect(own, std::move(result));
      continue;
    }
    std::vector<std::string> results = ranks::gather(result);
    if (!ranks::leads()) continue;
    for (int64_t i = first; i < std::min(first + ranks, count); ++i) {
      collect(i, std::move(results[static_cast<size_t>(i - first)]));
    }
  }
  return count;
}

void start_alike(const layers::Module& model, const WeightAverage* average) {
  if (ranks::count() == 1) return;
  const auto share = [](const Tensor& tensor) {
    ranks::from_leader(std::span(tensor.data(), static_cast<size_t>(tensor.numel())));
  };
  for (const layers::NamedParameter& parameter : model.parameters()) share(parameter.variable.value());
  for (const layers::NamedBuffer& buffer : model.buffers()) share(buffer.tensor);
  if (average == nullptr) return;
  for (const WeightAverage::Entry& entry : average->entries()) share(entry.average);
}

}  // namespace giza::train
