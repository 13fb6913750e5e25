// The pickle of a .pth under libFuzzer, without the zip's checksum in the way: first byte odd, the stream's storages.
#include "models/weights/pth/objects.h"
#include "models/weights/pth/pickle.h"
#include "tensor/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const giza::models::Pickle pickle(bytes, giza::models::pth_globals(), "FILE");
    giza::models::read_pth_objects(pickle, data[0] % 2 == 1, 1 << 16, "FILE");
  } catch (const giza::Refusal&) {
  }
  return 0;
}
