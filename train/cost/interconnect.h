// The network between the machines of a run, and what exchanges over it take.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/ranks.h"

namespace giza::train {

/// One rank on each machine. A rank's messages go out one behind the other, as others come in meanwhile.
struct Interconnect {
  double bytes_per_s = 1.25e9;  ///< out of a machine, and as many into it
  double latency_s = 50e-6;     ///< from sending a small message to having it: half of the time there and back

  /// Of one call in which each rank sends `messages`, `bytes` in all, and waits for those of the others.
  double exchange_s(int64_t messages, double bytes) const;
  /// Of a few bytes that go through a tree of the ranks, down from the first: MPI_Ibcast.
  double broadcast_s(int ranks) const;
  /// Up to the first, and down again: MPI_Iallreduce.
  double agree_s(int ranks) const { return 2 * broadcast_s(ranks); }
  /// Of the processor, for each message and the one that comes for it.
  static double message_s();
  /// Of a processor, for each byte and the one that comes for it: MPI and the kernel copy them.
  static double copy_s();
  /// That the way takes for each byte and the one that comes for it.
  double byte_s() const { return std::max(1 / bytes_per_s, copy_s()); }
  /// Bytes of large arrays to another rank that go before a message that comes later: four pieces, as many as Open MPI
  /// asks for at once.
  static constexpr double kAhead = 4 * ranks::kPieceBytes;
};

/// "SPEED,LATENCY" as in "10Gb/s,50us": Mb/s, Gb/s (bits), MB/s, GB/s (bytes); us, ms, s. Throws Refusal "FLAG TEXT:
/// ..." for any other text.
Interconnect parse_interconnect(const std::string& text, const std::string& flag);
/// "10 Gb/s, 50 us".
std::string to_string(const Interconnect& network);

/// Numbers of ranks: "4", "1,2,3", or "2..256", which doubles. Ascending, each once. Throws Refusal
/// "FLAG TEXT: ...".
std::vector<int> parse_ranks(const std::string& text, const std::string& flag);

}  // namespace giza::train
