// giza info --config: how the convolutions of a configured network are computed.
#pragma once

#include "cli/command.h"

namespace giza::cli {

/// Prints every convolution at the training crop and batch and, forward only, at one test crop: its shape, the
/// algorithms, and their work. Runs nothing. Throws Refusal for a configuration that no network fits.
int info_model(const train::Config& config, const Common& common);

}  // namespace giza::cli
