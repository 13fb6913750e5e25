// Folders of made-up pictures: what may be written over, and writing in parallel.
#pragma once

#include <functional>
#include <span>
#include <string>

namespace giza::train::scenes {

/// A part of a set that is written.
struct Part {
  const char* name;  ///< "train"
  int count;         ///< of its pictures
};

/// "scene_00012.png"
std::string picture_name(int index);

/// Writes a set of pictures into `dir`: `prepare` makes the folders and takes the old lists away; then write(part,
/// index) is called for all pictures, in parallel; then `finish`. names.txt holds `names`, and tells what may be
/// written over. Progress goes to stderr. Throws Refusal for counts that are out of range and for a folder that holds
/// something else, Error if writing fails, Interrupted (train/signals.h) when a signal asks to stop.
void write_set(const std::string& dir, const std::string& names, std::span<const Part> parts,
               const std::function<void()>& prepare, const std::function<void(size_t part, int index)>& write,
               const std::function<void()>& finish);

/// Removes the pictures of an older set, and what an interrupted run left: those whose index is not `wanted`.
void remove_leftovers(const std::string& folder, const std::function<bool(int index)>& wanted);

}  // namespace giza::train::scenes
