// What this machine can do at most: the yardstick for kernels.
#pragma once

namespace giza {

struct MachinePeak {
  double core_gflops = 0;  ///< FMA in registers, one thread, the SIMD target in use; 10^9 operations per second
  double all_gflops = 0;   ///< the same on num_threads() threads at once
  double copy_gbs = 0;     ///< copying memory much larger than the caches, all threads; bytes read + bytes written
  double stream_gbs = 0;   ///< the same with non-temporal stores
};

/// Measures; takes about half a second. Best of several, since a shared machine only ever slows things down.
MachinePeak measure_peak();
/// The better of two measurements of each figure.
MachinePeak faster(const MachinePeak& a, const MachinePeak& b);

}  // namespace giza
