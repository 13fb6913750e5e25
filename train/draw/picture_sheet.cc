// Sheets of pictures: see picture_sheet.h.
#include "train/draw/picture_sheet.h"

#include <stb/stb_easy_font.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/base/check.h"

namespace giza::train {
namespace {

constexpr int kGap = 8;            // white pixels around every panel
constexpr int kTextSize = 2;       // a letter is about 12 by 24 pixels
constexpr int kTextHeight = 24;    // of one line
constexpr int kSwatch = 20;        // side of a legend's square
constexpr size_t kQuadBytes = 64;  // stb_easy_font: four vertices of three floats and a colour

void fill(Image& image, int x0, int y0, int x1, int y1, Color color) {
  for (int y = std::max(y0, 0); y < std::min(y1, image.height); ++y) {
    for (int x = std::max(x0, 0); x < std::min(x1, image.width); ++x) {
      std::copy(color.begin(), color.end(), image.at(x, y));
    }
  }
}

void paste(Image& sheet, const Image& picture, int x0, int y0, int zoom) {
  for (int y = 0; y < picture.height * zoom; ++y) {
    for (int x = 0; x < picture.width * zoom; ++x) {
      std::copy_n(picture.at(x / zoom, y / zoom), 3, sheet.at(x0 + x, y0 + y));
    }
  }
}

/// Where each legend entry goes, in lines no wider than `width`; the number of lines.
int place_legend(const std::vector<LegendEntry>& legend, int width, std::vector<std::array<int, 2>>* places) {
  int x = kGap;
  int line = 0;
  for (const LegendEntry& entry : legend) {
    const int needed = kSwatch + kGap + text_width(kTextSize, entry.name) + 2 * kGap;
    if (x > kGap && x + needed > width) {
      x = kGap;
      ++line;
    }
    places->push_back({x, line});
    x += needed;
  }
  return legend.empty() ? 0 : line + 1;
}

/// The font has ASCII alone, and looks up anything else beyond its tables: one ? for each other character.
std::string drawable(const std::string& text) {
  std::string drawn;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool rest_of_character = (byte & 0xC0) == 0x80;  // UTF-8
    if (!rest_of_character) drawn += c == '\n' || (byte >= 32 && byte < 127) ? c : '?';
  }
  return drawn;
}

}  // namespace

int text_width(int size, const std::string& text) {
  std::string copy = drawable(text);  // The font's functions take a mutable string.
  return stb_easy_font_width(copy.data()) * size;
}

void draw_text(Image& image, int x, int y, int size, const std::string& text) {
  std::string copy = drawable(text);
  std::vector<char> quads(512 * (copy.size() + 1));  // The font asks for about 270 bytes a character.
  const int count = stb_easy_font_print(0, 0, copy.data(), nullptr, quads.data(), static_cast<int>(quads.size()));
  for (int quad = 0; quad < count; ++quad) {
    const char* first = quads.data() + static_cast<size_t>(quad) * kQuadBytes;
    std::array<float, 2> upper_left;
    std::array<float, 2> lower_right;  // the third of the four corners
    std::memcpy(upper_left.data(), first, sizeof(upper_left));
    std::memcpy(lower_right.data(), first + kQuadBytes / 2, sizeof(lower_right));
    const auto at = [size](float value) { return static_cast<int>(std::lround(value)) * size; };
    fill(image, x + at(upper_left[0]), y + at(upper_left[1]), x + at(lower_right[0]), y + at(lower_right[1]), {});
  }
}

Image picture_sheet(const std::vector<std::string>& captions, const std::vector<std::vector<Image>>& rows,
                    const std::vector<LegendEntry>& legend, int zoom, const std::vector<std::string>& titles) {
  check(!rows.empty() && !captions.empty(), "picture_sheet: nothing to show");
  check(zoom >= 1 && zoom <= 16, "picture_sheet: zoom {} is outside [1, 16]", zoom);
  check(titles.empty() || titles.size() == rows.size(), "picture_sheet: {} titles for {} rows", titles.size(),
        rows.size());
  const int columns = static_cast<int>(captions.size());
  int cell_width = 0;
  std::vector<int> heights;
  for (const std::vector<Image>& row : rows) {
    check(row.size() == captions.size(), "picture_sheet: {} captions for a row of {} pictures", captions.size(),
          row.size());
    int height = 0;
    for (const Image& picture : row) {
      cell_width = std::max(cell_width, picture.width * zoom);
      height = std::max(height, picture.height * zoom);
    }
    heights.push_back(height);
  }

  for (const std::string& caption : captions) cell_width = std::max(cell_width, text_width(kTextSize, caption));
  int width = kGap + columns * (cell_width + kGap);
  for (const std::string& title : titles) width = std::max(width, text_width(kTextSize, title) + 2 * kGap);
  std::vector<std::array<int, 2>> places;
  const int legend_lines = place_legend(legend, width, &places);
  int height = kGap + kTextHeight + legend_lines * kTextHeight + kGap;
  for (const int row : heights) height += row + kGap;
  height += static_cast<int>(titles.size()) * kTextHeight;

  Image sheet(width, height);
  std::fill(sheet.rgb.begin(), sheet.rgb.end(), uint8_t{255});
  int y = kGap;
  for (int column = 0; column < columns; ++column) {
    draw_text(sheet, kGap + column * (cell_width + kGap), y, kTextSize, captions[static_cast<size_t>(column)]);
  }
  y += kTextHeight;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (!titles.empty()) {
      draw_text(sheet, kGap, y, kTextSize, titles[row]);
      y += kTextHeight;
    }
    for (int column = 0; column < columns; ++column) {
      paste(sheet, rows[row][static_cast<size_t>(column)], kGap + column * (cell_width + kGap), y, zoom);
    }
    y += heights[row] + kGap;
  }
  for (size_t i = 0; i < legend.size(); ++i) {
    const int left = places[i][0];
    const int top = y + places[i][1] * kTextHeight;
    fill(sheet, left, top, left + kSwatch, top + kSwatch, legend[i].color);
    draw_text(sheet, left + kSwatch + kGap, top + 2, kTextSize, legend[i].name);
  }
  return sheet;
}

}  // namespace giza::train
