// Loops that do nothing useful as fast as the machine can: what other kernels are measured against.
#pragma once

#include <cstdint>

namespace giza::kernels {

/// Multiplies and adds in registers only; returns the floating-point operations done (an FMA counts as two).
/// 12 independent sums hide the latency of FMA on two ports (4 cycles x 2 ports = 8 in flight at least) and fit the 16
/// registers of AVX2 with their two operands. `sink` takes one float, so that no sum can be left out.
double fma_rounds(int64_t rounds, float* sink);

/// y = x by non-temporal stores, which do not read y's lines first. 64-byte aligned, `floats` a multiple of 16.
void stream_copy(const float* x, float* y, int64_t floats);

}  // namespace giza::kernels
