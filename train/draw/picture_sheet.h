// Sheets of pictures: rows of panels with captions and a legend of colours.
#pragma once

#include <string>
#include <vector>

#include "train/data/image/image.h"

namespace giza::train {

/// A colour and what it stands for.
struct LegendEntry {
  std::string name;
  Color color;
};

/// `rows` of pictures, each with as many as there are captions; the captions stand above, the legend below. Pictures
/// are placed at the left upper corner of their cell and enlarged by the whole factor `zoom`. Black on white. Each row
/// may have a title, a line above it. Throws ShapeError for a row of another length, no row, a zoom outside [1, 16], or
/// another number of titles than rows.
Image picture_sheet(const std::vector<std::string>& captions, const std::vector<std::vector<Image>>& rows,
                    const std::vector<LegendEntry>& legend, int zoom, const std::vector<std::string>& titles = {});

/// Draws ASCII text with its upper left corner at (x, y), in letters of about 8 * size by 12 * size pixels; what falls
/// outside of the picture is left out.
void draw_text(Image& image, int x, int y, int size, const std::string& text);
/// Width of a text in pixels.
int text_width(int size, const std::string& text);

}  // namespace giza::train
