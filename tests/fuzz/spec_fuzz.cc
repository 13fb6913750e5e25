// The shape of a convolution as somebody types it under libFuzzer: what is accepted is written in a form that reads
// back to the same, and its work is a number.
#include <cmath>
#include <cstdlib>

#include "tensor/base/check.h"
#include "tensor/profile/conv_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using giza::profile::ConvSpec;
  try {
    const ConvSpec spec = ConvSpec::parse({reinterpret_cast<const char*>(data), size});
    const std::string text = spec.text();
    if (ConvSpec::parse(text).text() != text) std::abort();
    if (!(spec.flops() > 0) || !(spec.bytes() > 0) || !std::isfinite(spec.flops() + spec.bytes())) std::abort();
  } catch (const giza::Refusal&) {  // names the text itself, whatever that is
  }
  return 0;
}
