// Checksums of mutated files set right again, so that a fuzzer gets behind them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace giza {

/// The CRC of every chunk of a PNG.
void mend_png(uint8_t* data, size_t size);
/// The CRC of every record in the central directory of a zip, and in the record's own header.
void mend_zip(uint8_t* data, size_t size);

}  // namespace giza
