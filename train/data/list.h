// List files of a data set, and the files of its class names and colours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/data/image/image.h"

namespace giza::train {

/// One picture of a data set; paths are ready to be opened (data_root joined).
struct ListEntry {
  std::string image;
  std::string label;       ///< empty where the list has none
  int line = 0;            ///< in the list file, from 1; 0 where a folder was read
  int picture_class = -1;  ///< of the picture as a whole, which then has no label file; -1: not known
};

/// Whether each line of a list must name a label file.
enum class LabelColumn { required, optional };

/// Reads a list file: `image label` per line, relative to data_root (absolute paths stay). Between the two stand
/// blanks; or a tab, a comma or a semicolon, and then the paths may hold blanks; so may paths in quotes, single or
/// double; and where the label is optional, a path on its own. Blank lines, lines starting with '#', CRLF and a UTF-8
/// byte order mark are tolerated. Throws Refusal "LIST:LINE: ..." for a malformed line, and "LIST: ..." for a missing
/// or empty list.
std::vector<ListEntry> read_list(const std::string& path, const std::string& data_root,
                                 LabelColumn column = LabelColumn::required);

/// Reads a list of pictures of one class each: `image class` per line, the class a number from 0 to classes - 1;
/// otherwise as read_list. Throws Refusal likewise, and "LIST:LINE: ..." for a class that there is not.
std::vector<ListEntry> read_class_list(const std::string& path, const std::string& data_root, int classes,
                                       LabelColumn column = LabelColumn::required);

/// NAME of the files that results for a picture are written to, as NAME.png: its file name without extension.
std::string output_name(const ListEntry& entry);
/// Throws Refusal naming both lines where two pictures of entries[begin, end) have one output name, so that one's
/// result would overwrite the other's.
void check_output_names(const std::string& path, const std::vector<ListEntry>& entries, size_t begin = 0,
                        size_t end = SIZE_MAX);

/// Checks that every file of the list is there. Throws Refusal "LIST:LINE: ..." naming the first one that is not, and
/// what to do where that can be told (path_hint). `optional` labels are not looked for.
void check_list_files(const std::string& path, const std::vector<ListEntry>& entries, const std::string& data_root,
                      LabelColumn column = LabelColumn::required);
/// For a path that is not there: what to do if it is there below data_root or without it, or is no path but a comment
/// or a table's title; else empty.
std::string path_hint(const std::string& path, const std::string& data_root);

/// Class names, one per line. Throws Refusal for an empty line in the middle or an empty file.
std::vector<std::string> read_names(const std::string& path);

/// Colours, `r g b` per line, 0 to 255. Throws Refusal "FILE:LINE: ..." for a malformed line.
std::vector<Color> read_colors(const std::string& path);

}  // namespace giza::train
