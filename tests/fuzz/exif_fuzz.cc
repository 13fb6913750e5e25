// EXIF data under libFuzzer: any bytes have an orientation or none, and a picture turned by it keeps its pixels.
#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "train/data/image/exif.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto orientation = giza::train::exif_orientation({data, size});
  if (!orientation || *orientation < 2 || *orientation > 8) return 0;
  std::vector<uint8_t> pixels(5 * 3);
  std::iota(pixels.begin(), pixels.end(), uint8_t{0});
  std::vector<uint8_t> turned = giza::train::upright_pixels(pixels, 5, 3, 1, *orientation);
  std::sort(turned.begin(), turned.end());
  if (turned != pixels) std::abort();
  return 0;
}
