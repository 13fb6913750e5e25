// The one translation unit that holds stb_image's code.
#include <cstdlib>

// Zeroed memory, so that a damaged file gives the same picture each time.
#define STBI_MALLOC(size) std::calloc(1, size)
#define STBI_REALLOC(pointer, size) std::realloc(pointer, size)
#define STBI_FREE(pointer) std::free(pointer)
#define STB_IMAGE_IMPLEMENTATION
#include "train/data/image/stb_image.h"
