// Looking into folders of pictures. What is there but cannot be looked at is refused: to pass over it in silence would
// train or predict on less than was meant.
#pragma once

#include <string>
#include <vector>

namespace giza::train {

/// True for a folder, or a regular file, links followed; false where there is nothing or something else. Throw Refusal
/// for a link that leads nowhere, and where the system does not say.
bool is_folder(const std::string& path);
bool is_file(const std::string& path);

/// The names in a folder, sorted, without those that begin with a dot. Throws Refusal for a folder that cannot be read,
/// and above ten million names.
std::vector<std::string> names_in(const std::string& folder);

/// True for the usual extensions of JPEG (.jpg, .jpeg, .jpe, .jfif, .jif) and PNG, in upper or lower case.
bool is_picture_name(const std::string& name);

/// The pictures by their names (is_picture_name) of a folder and of the folders in it, links followed, sorted; nothing
/// that begins with a dot. Throws Refusal for a folder that cannot be read or has none, for links that lead nowhere or
/// back to a folder that they are in, and above ten million. Other files go to `others`, if given.
std::vector<std::string> pictures_below(const std::string& folder, std::vector<std::string>* others = nullptr);
/// The names of the pictures in a folder itself, sorted; all other names, of folders too, go to `others`. Throws as
/// names_in.
std::vector<std::string> pictures_in(const std::string& folder, std::vector<std::string>* others);
/// "a.webp, c.tif and 2 more are passed over: no JPEG or PNG by their names"; empty without any. `what`: what they are
/// not.
std::string passed_over(const std::vector<std::string>& others, const char* what = "JPEG or PNG");

}  // namespace giza::train
