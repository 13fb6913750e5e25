// Tile transforms of Winograd convolutions: into the domain where a convolution is a product per position, and back.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

/// Where the numbers of tiles lie by position: [position][panel][tile][columns of the panel]. With one panel as wide as
/// the rows, that is [position][tile][channel].
struct PositionLayout {
  float* data;
  int64_t position_stride;  ///< floats from a position to the next
  int64_t panel_width;      ///< channels of a panel; the last may be narrower. A multiple of the vector
  int64_t panel_stride;     ///< floats from a panel to the next
  int64_t tile_stride;      ///< floats from a tile to the next within a whole panel
  int64_t last_stride;      ///< and within the last one
};

/// What a tile transform reads or writes in a picture: for each tile its pixels row by row, null outside of the picture
/// where they are written; where they are read, a row of zeros.
struct TilePixels {
  float* const* rows;  ///< [tiles][side * side]
  int64_t tiles;
  int64_t channels;
};

/// The four transforms of F(m x m, 3 x 3); n = m + 2. m is 2, 4, 5 or 6.
/// B^T d B of input tiles of n x n pixels, to tiles from `first` on. Columns behind the channels, up to whole vectors,
/// become zero.
void winograd_input(int m, const TilePixels& pixels, const PositionLayout& to, int64_t first);
/// A d A^T of gradient tiles of m x m pixels (the adjoint of the output transform), likewise.
void winograd_gradient(int m, const TilePixels& pixels, const PositionLayout& to, int64_t first);

/// What follows an output tile before it is stored.
struct TileEpilogue {
  const float* bias;             ///< [channels] or null
  const float* const* residual;  ///< [tiles][m * m] rows that are added, or null
  bool relu;
};
/// A^T M A of the products of tiles from `first` on, stored as m x m pixels.
void winograd_output(int m, const PositionLayout& from, int64_t first, const TilePixels& pixels,
                     const TileEpilogue& epilogue);

/// G g G^T of filters: row 9 k + 3 r + s of w holds tap (r, s) of filter k < rows, `columns` channels c. transposed
/// false: to row c, column k (forward); true: to row k, column c (backward-data), the filter rotated by half a turn. A
/// row of `to` is a "tile". Columns up to whole vectors become some finite number.
void winograd_weights(int m, ConstRows w, int64_t rows, int64_t columns, bool transposed, const PositionLayout& to);

/// G^T U G of products U by position, "tile" k in [begin, end), column c, stored in row 9 (k - begin) + 3 r + s of dw.
void winograd_weight_gradient(int m, const PositionLayout& from, int64_t begin, int64_t end, int64_t columns, Rows dw);

}  // namespace giza::kernels
