// The network between the machines of a run.
#include "train/cost/interconnect.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::train {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};
constexpr Unit kSpeeds[] = {{"Mb/s", 1e6 / 8}, {"Gb/s", 1e9 / 8}, {"MB/s", 1e6}, {"GB/s", 1e9}};
constexpr Unit kTimes[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};

/// "10 Gb/s" -> 1.25e9; nothing for what is no number from `least` to `most` with one of the units.
template <size_t N>
std::optional<double> quantity(std::string_view text, const Unit (&units)[N], double least, double most) {
  text = trimmed(text);
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  const std::string_view name = trimmed(text.substr(static_cast<size_t>(rest - text.data())));
  for (const Unit& unit : units) {
    const double converted = value * unit.factor;
    if (name == unit.name && converted >= least && converted <= most) return converted;  // NaN is in no range
  }
  return std::nullopt;
}

std::optional<int> whole_number(std::string_view text) {
  text = trimmed(text);
  int value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

// A processor's own work on a message that it sends and one that it gets, in MPI and the kernel's TCP. Bursts of small
// messages between two processes by Open MPI 4.1 over TCP took 5.2 us each, on an AMD EPYC.
double Interconnect::message_s() { return 5e-6; }

// Arrays of 1 to 16 MB that two processes sent each other at once, by Open MPI 4.1 over TCP on one machine (AMD EPYC),
// took 0.48 to 0.68 ns for each byte that went and the one that came, all of it processor time.
double Interconnect::copy_s() { return 0.55e-9; }

// Open MPI's MPI_Iallgatherv starts all its sends and receives at once (ompi/mca/coll/libnbc), as giza itself does with
// weights: so the latency counts once, and the processor's work on the first message is in it. In other libraries,
// which pass on what they have got (Bruck's algorithm: ceil(log2 R) hops), latency counts more and messages less.
double Interconnect::exchange_s(int64_t messages, double bytes) const {
  if (messages == 0) return 0;
  return latency_s + static_cast<double>(messages - 1) * message_s() + bytes * byte_s();
}

// A binomial tree of R ranks has ceil(log2 R) levels.
double Interconnect::broadcast_s(int ranks) const {
  return latency_s * std::bit_width(static_cast<unsigned>(ranks) - 1);
}

Interconnect parse_interconnect(const std::string& text, const std::string& flag) {
  const size_t comma = text.find(',');
  const std::string_view all = text;
  const std::optional<double> speed = quantity(all.substr(0, comma), kSpeeds, 1e3, 1e15);
  const std::optional<double> latency =
      comma == std::string::npos ? std::nullopt : quantity(all.substr(comma + 1), kTimes, 0, 1e3);
  check<Refusal>(
      speed && latency,
      "{} {}: is not the speed and latency of a network, expected such as 10Gb/s,50us (Mb/s, Gb/s, MB/s or GB/s, "
      "and us, ms or s)",
      flag, quotable(text));
  return {*speed, *latency};
}

std::string to_string(const Interconnect& network) {
  const double megabits = network.bytes_per_s * 8e-6, us = network.latency_s * 1e6;
  return fmt::format(
      "{}, {}", megabits >= 1e3 ? fmt::format("{:.4g} Gb/s", megabits / 1e3) : fmt::format("{:.4g} Mb/s", megabits),
      us >= 1e3 ? fmt::format("{:.4g} ms", us / 1e3) : fmt::format("{:.4g} us", us));
}

std::vector<int> parse_ranks(const std::string& text, const std::string& flag) {
  constexpr int kMost = 1 << 20;
  std::vector<int> ranks;
  const auto take = [&](int count) {
    check<Refusal>(count >= 1 && count <= kMost, "{} {}: {} is not a number of ranks from 1 to {}", flag,
                   quotable(text), count, kMost);
    ranks.push_back(count);
  };
  std::string_view rest = text;
  while (true) {
    const size_t comma = rest.find(',');
    const std::string_view word = rest.substr(0, comma);
    const size_t dots = word.find("..");
    const std::optional<int> first = whole_number(word.substr(0, dots)),
                             last = dots == std::string_view::npos ? first : whole_number(word.substr(dots + 2));
    check<Refusal>(first && last && *first <= *last,
                   "{} {}: is not a number of ranks, expected such as 4, or 2,4,8, or 2..256, which doubles", flag,
                   quotable(text));
    take(*first);
    take(*last);
    for (int count = *first; count < *last; count *= 2) take(count);
    if (comma == std::string_view::npos) break;
    rest = rest.substr(comma + 1);
  }
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

}  // namespace giza::train
