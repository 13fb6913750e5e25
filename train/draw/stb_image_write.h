// stb_image_write, whose warnings are not ours.
#pragma once

#if defined(__GNUC__)
#pragma GCC system_header
#endif
#include <stb/stb_image_write.h>
