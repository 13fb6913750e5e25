// Looking into folders of pictures.
#include "train/data/folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/spelling.h"
#include "tensor/base/text.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

/// Far beyond any data set; a folder that goes on for ever must not fill the memory.
constexpr size_t kMaxFiles = 10'000'000;

/// What is at a path. The mode is 0 where there is nothing. Throws Refusal where the system does not say.
struct stat status_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return status;
  const int reason = errno;
  check<Refusal>(reason == ENOENT || reason == ENOTDIR, "{}: cannot be looked at: {}", path, std::strerror(reason));
  return {};
}

/// Device and number of a folder, which tell that two paths lead to the same one.
using Identity = std::pair<dev_t, ino_t>;

/// A folder to be looked into, and those that it is in.
struct Open {
  std::string path;
  std::vector<Identity> around;
};

/// As status_of. Throws Refusal for a link that leads nowhere: what it stood for was meant to be there.
mode_t mode_of(const std::string& path) {
  const mode_t mode = status_of(path).st_mode;
  struct stat link {};
  check<Refusal>(mode != 0 || ::lstat(path.c_str(), &link) != 0,
                 "{}: is a link that leads nowhere; mend it, or remove it", path);
  return mode;
}

}  // namespace

bool is_folder(const std::string& path) { return S_ISDIR(mode_of(path)); }

bool is_file(const std::string& path) { return S_ISREG(mode_of(path)); }

std::vector<std::string> pictures_in(const std::string& folder, std::vector<std::string>* others) {
  std::vector<std::string> pictures;
  for (std::string& name : names_in(folder)) (is_picture_name(name) ? pictures : *others).push_back(std::move(name));
  return pictures;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.front() != '.') names.push_back(name);
    check<Refusal>(names.size() <= kMaxFiles, "{}: holds more than {} files; is it the right folder?", folder,
                   kMaxFiles);
  }
  check<Refusal>(!error, "{}: the folder cannot be read ({})", folder, error.message());
  std::sort(names.begin(), names.end());
  return names;
}

bool is_picture_name(const std::string& name) {
  const std::string extension = lower_case(fs::path(name).extension().string());
  static constexpr const char* kExtensions[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".png"};
  return std::find(std::begin(kExtensions), std::end(kExtensions), extension) != std::end(kExtensions);
}

std::string passed_over(const std::vector<std::string>& others, const char* what) {
  if (others.empty()) return {};
  constexpr size_t kNamed = 3;
  std::string names;
  for (size_t i = 0; i < std::min(others.size(), kNamed); ++i) {
    names += i == 0 ? "" : i + 1 == others.size() ? " and " : ", ";
    names += quotable(fs::path(others[i]).filename().string());
  }
  if (others.size() > kNamed) names += fmt::format(" and {} more", others.size() - kNamed);
  return fmt::format("{} {} passed over: no {} by {}", names, others.size() == 1 ? "is" : "are", what,
                     others.size() == 1 ? "its name" : "their names");
}

std::vector<std::string> pictures_below(const std::string& folder, std::vector<std::string>* others) {
  std::vector<std::string> found;
  std::vector<Open> open = {{folder, {}}};
  while (!open.empty()) {
    Open here = std::move(open.back());
    open.pop_back();
    const struct stat status = status_of(here.path);
    const Identity identity{status.st_dev, status.st_ino};
    check<Refusal>(std::find(here.around.begin(), here.around.end(), identity) == here.around.end(),
                   "{}: is a link to a folder that it is in itself; remove the link, or name the folders one by one",
                   here.path);
    here.around.push_back(identity);
    for (const std::string& name : names_in(here.path)) {
      const std::string path = (fs::path(here.path) / name).string();
      const mode_t mode = status_of(path).st_mode;
      const bool picture = is_picture_name(name);
      check<Refusal>(mode != 0 || !picture, "{}: is a link to a file that is not there; mend it, or remove it", path);
      check<Refusal>(mode != 0 || fs::path(name).has_extension(),
                     "{}: is a link to a folder that is not there; mend it, or remove it", path);
      if (S_ISDIR(mode)) open.push_back({path, here.around});
      if (S_ISREG(mode) && picture) found.push_back(path);
      if (S_ISREG(mode) && !picture && others != nullptr) others->push_back(path);
      check<Refusal>(found.size() <= kMaxFiles, "{}: holds more than {} pictures; is it the right folder?", folder,
                     kMaxFiles);
    }
  }
  check<Refusal>(!found.empty(),
                 "{}: holds no pictures (.jpg, .jpeg, .jpe, .jfif, .jif, .png), nor do the folders in it", folder);
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) { return a < b; });
  if (others != nullptr) std::sort(others->begin(), others->end());
  return found;
}

}  // namespace giza::train
