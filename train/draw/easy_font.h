// stb_easy_font as giza uses it: a bitmap font made of rectangles.
#pragma once

#if defined(__GNUC__)
#pragma GCC system_header  // Silences warnings about code that is not ours.
#endif
#include <stb/stb_easy_font.h>
