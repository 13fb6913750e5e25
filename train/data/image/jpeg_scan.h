// Whether the coded data of a JPEG file are whole: every block is decoded, as far as that takes no arithmetic.
//
// libjpeg goes on where data are missing or make no sense, with grey or wrong blocks and a warning at best. Markers do
// not tell either: a picture can be whole without its end marker, and half gone with it. So the blocks are counted
// here.
#pragma once

#include <cstdint>
#include <vector>

#include "train/data/image/jpeg_markers.h"

namespace giza::train {

/// Which blocks and coefficients the scans of a file have brought so far.
class JpegScans {
 public:
  explicit JpegScans(JpegMarkers& markers);

  /// Decodes the scan that `markers` has reached and moves it behind the coded data. Throws Refusal naming the row
  /// where data end too early or cannot be what an encoder wrote. Stray bytes behind the last block are accepted; in
  /// front of a restart marker, zeros and fill bytes alone are.
  void decode();
  /// True when nothing can be added to the picture: one scan of a sequential file held everything.
  bool finished() const;
  /// Throws Refusal if coefficients are missing, because scans are.
  void require_complete() const;
  int64_t count() const { return count_; }

 private:
  friend class ScanDecoder;

  /// How scans and restart intervals are filled up to a whole byte, where they need to be.
  struct Endings {
    int64_t usual = 0;  // with ones
    int64_t odd = 0;
    int first_odd_row = 0;
  };

  JpegMarkers& markers_;
  int64_t count_ = 0;
  Endings endings_;
  bool whole_ = false;                                // One scan of all components.
  std::vector<std::array<int8_t, 64>> missing_bits_;  // [component][coefficient], in zigzag order; -1: not begun
  // Progressive files only: bit k of a block is set when coefficient k is not zero.
  std::vector<std::vector<uint64_t>> nonzero_;  // [component][block of padded rows]
};

}  // namespace giza::train
