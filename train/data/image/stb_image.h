// stb_image as giza uses it: JPEG from memory only.
#pragma once

#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 65535
#if defined(__GNUC__)
#pragma GCC system_header  // Silences warnings about code that is not ours.
#endif
#include <stb/stb_image.h>
