// A library to be preloaded into giza, which lets its system calls fail and lie. Variables steer it:
//   GIZA_FAULT=CALL:N:WHAT     the N-th CALL of the process fails; WHAT is an errno by name, or "short": half is moved
//   GIZA_FAULT=CALL:N+:WHAT    the N-th and all that follow fail, as on a disk that is full or was made read-only; of
//                              `open` those that would write, and of `write` none to stdout and stderr
//   GIZA_FAULT=CALL:*:WHAT     each one fails (for EINTR: each second one, for it is to be called again)
//   GIZA_FAULT_CLOCK=SEED      the time of day jumps, mostly back, each time it is asked for; what counts seconds goes
//   on GIZA_FAULT_PID=ID          every process has this id, as the first of each container has GIZA_FAULT_COUNTS=FILE
//   at the end of the process, a line "CALL TIMES" for each Without them everything is as always. Calls made before
//   giza's own code runs are not seen.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

struct Call {
  const char* name;
  std::atomic<long> times{0};
};
enum Index {
  kOpen,
  kRead,
  kPread,
  kWrite,
  kFsync,
  kClose,
  kRename,
  kUnlink,
  kMkdir,
  kLink,
  kSymlink,
  kReadlink,
  kStat,
  kFstat,
  kFlock,
  kFchmod,
  kFchown,
  kOpendir,
  kReaddir,
  kFopen,
  kThread,
  kRandom,
  kCalls
};
Call calls[kCalls] = {{"open"},   {"read"},    {"pread"},   {"write"},    {"fsync"},  {"close"}, {"rename"}, {"unlink"},
                      {"mkdir"},  {"link"},    {"symlink"}, {"readlink"}, {"stat"},   {"fstat"}, {"flock"},  {"fchmod"},
                      {"fchown"}, {"opendir"}, {"readdir"}, {"fopen"},    {"thread"}, {"random"}};

struct Fault {
  int call = -1;
  long when = 0;  // 0: each
  int reason = 0;
  bool shorter = false;
  bool lasts = false;
};

int errno_of(const char* name) {
  struct Name {
    const char* name;
    int value;
  };
  constexpr Name kNames[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EINTR", EINTR},   {"EMFILE", EMFILE},
                             {"EACCES", EACCES}, {"EROFS", EROFS},   {"EPERM", EPERM},   {"EAGAIN", EAGAIN},
                             {"ENOENT", ENOENT}, {"ENOLCK", ENOLCK}, {"EDQUOT", EDQUOT}, {"EINVAL", EINVAL}};
  for (const Name& each : kNames) {
    if (std::strcmp(each.name, name) == 0) return each.value;
  }
  return EIO;
}

Fault parse_fault() {
  Fault fault;
  const char* text = std::getenv("GIZA_FAULT");
  char call[32] = {}, when[32] = {}, what[32] = {};
  if (text == nullptr || std::sscanf(text, "%31[^:]:%31[^:]:%31s", call, when, what) != 3) return fault;
  for (int i = 0; i < kCalls; ++i) {
    if (std::strcmp(calls[i].name, call) == 0) fault.call = i;
  }
  fault.when = std::atol(when);
  fault.lasts = std::strchr(when, '+') != nullptr;
  fault.shorter = std::strcmp(what, "short") == 0;
  fault.reason = errno_of(what);
  return fault;
}

const Fault& fault() {
  static const Fault once = parse_fault();
  return once;
}

/// Counts a call. True if it is to fail, with errno set, or to be shortened. `of_files`: it would change a file.
bool strikes(Index index, bool of_files = true) {
  const long time = ++calls[index].times;
  if (fault().call != index) return false;
  if (fault().lasts) {
    errno = fault().reason;
    return of_files && time >= fault().when;
  }
  const bool each = fault().when == 0 && (fault().shorter || time % 2 == 1);
  if (!each && fault().when != time) return false;
  errno = fault().reason;
  return true;
}

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

size_t half(size_t bytes) { return std::max<size_t>(bytes / 2, std::min<size_t>(bytes, 1)); }

__attribute__((destructor)) void write_counts() {
  const char* path = std::getenv("GIZA_FAULT_COUNTS");
  if (path == nullptr) return;
  static const auto open_file = real<int (*)(const char*, int, ...)>("open");
  static const auto write_bytes = real<ssize_t (*)(int, const void*, size_t)>("write");
  const int file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  for (const Call& call : calls) {
    char line[64];
    const int length = std::snprintf(line, sizeof(line), "%s %ld\n", call.name, call.times.load());
    if (write_bytes(file, line, static_cast<size_t>(length)) != length) std::abort();
  }
}

}  // namespace

// Each stands in for the call of its name: counts, fails where it is to, and else hands on to the real one.
#define GIZA_STAND_IN(result, name, index, failure, parameters, arguments) \
  extern "C" result name parameters {                                      \
    static const auto real_one = real<result(*) parameters>(#name);        \
    if (strikes(index)) return failure;                                    \
    return real_one arguments;                                             \
  }

// Moves bytes: may also be asked to move fewer.
#define GIZA_STAND_IN_MOVING(name, index, parameters, all, some)     \
  extern "C" ssize_t name parameters {                               \
    static const auto real_one = real<ssize_t(*) parameters>(#name); \
    if (!strikes(index, file > 2)) return real_one all;              \
    return fault().shorter ? real_one some : -1;                     \
  }

#define GIZA_STAND_IN_OPEN(name)                                              \
  extern "C" int name(const char* path, int flags, ...) {                     \
    static const auto real_one = real<int (*)(const char*, int, ...)>(#name); \
    va_list rest;                                                             \
    va_start(rest, flags);                                                    \
    const mode_t mode = va_arg(rest, mode_t);                                 \
    va_end(rest);                                                             \
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;                      \
    return strikes(kOpen, writes) ? -1 : real_one(path, flags, mode);         \
  }

GIZA_STAND_IN_OPEN(open)
GIZA_STAND_IN_OPEN(open64)
GIZA_STAND_IN_MOVING(read, kRead, (int file, void* to, size_t bytes), (file, to, bytes), (file, to, half(bytes)))
GIZA_STAND_IN_MOVING(pread, kPread, (int file, void* to, size_t bytes, off_t at), (file, to, bytes, at),
                     (file, to, half(bytes), at))
GIZA_STAND_IN_MOVING(pread64, kPread, (int file, void* to, size_t bytes, off64_t at), (file, to, bytes, at),
                     (file, to, half(bytes), at))
GIZA_STAND_IN_MOVING(write, kWrite, (int file, const void* from, size_t bytes), (file, from, bytes),
                     (file, from, half(bytes)))
GIZA_STAND_IN_MOVING(writev, kWrite, (int file, const iovec* from, int count), (file, from, count), (file, from, 1))
GIZA_STAND_IN(int, fsync, kFsync, -1, (int file), (file))
GIZA_STAND_IN(int, rename, kRename, -1, (const char* from, const char* to), (from, to))
GIZA_STAND_IN(int, unlink, kUnlink, -1, (const char* path), (path))
GIZA_STAND_IN(int, mkdir, kMkdir, -1, (const char* path, mode_t mode), (path, mode))
GIZA_STAND_IN(int, link, kLink, -1, (const char* from, const char* to), (from, to))
GIZA_STAND_IN(int, symlink, kSymlink, -1, (const char* from, const char* to), (from, to))
GIZA_STAND_IN(ssize_t, readlink, kReadlink, -1, (const char* path, char* to, size_t bytes), (path, to, bytes))
GIZA_STAND_IN(int, stat, kStat, -1, (const char* path, struct stat* to), (path, to))
GIZA_STAND_IN(int, lstat, kStat, -1, (const char* path, struct stat* to), (path, to))
GIZA_STAND_IN(int, fstat, kFstat, -1, (int file, struct stat* to), (file, to))
GIZA_STAND_IN(int, flock, kFlock, -1, (int file, int operation), (file, operation))
GIZA_STAND_IN(int, fchmod, kFchmod, -1, (int file, mode_t mode), (file, mode))
GIZA_STAND_IN(int, fchown, kFchown, -1, (int file, uid_t user, gid_t group), (file, user, group))
GIZA_STAND_IN(DIR*, opendir, kOpendir, nullptr, (const char* path), (path))
GIZA_STAND_IN(dirent*, readdir, kReaddir, nullptr, (DIR * folder), (folder))
GIZA_STAND_IN(FILE*, fopen, kFopen, nullptr, (const char* path, const char* mode), (path, mode))
GIZA_STAND_IN(FILE*, fopen64, kFopen, nullptr, (const char* path, const char* mode), (path, mode))
GIZA_STAND_IN(ssize_t, getrandom, kRandom, -1, (void* to, size_t bytes, unsigned flags), (to, bytes, flags))

/// The descriptor is closed all the same, as Linux does it.
extern "C" int close(int file) {
  static const auto real_one = real<int (*)(int)>("close");
  const bool fails = strikes(kClose);
  const int result = real_one(file);
  if (fails) errno = fault().reason;
  return fails ? -1 : result;
}

/// Returns its reason.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                              void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real_one = real<Create>("pthread_create");
  return strikes(kThread) ? fault().reason : real_one(thread, attributes, body, argument);
}

namespace {

/// The time of day that GIZA_FAULT_CLOCK makes of the true one: within 30 years of it, and most often before.
bool jumps(timespec* time) {
  static const char* const text = std::getenv("GIZA_FAULT_CLOCK");
  if (text == nullptr) return false;
  static std::atomic<uint64_t> state{std::strtoull(text, nullptr, 10) + 1};
  const uint64_t draw = (state += 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9 >> 20;
  time->tv_sec += static_cast<time_t>(draw % 1'000'000'000) - 900'000'000;
  time->tv_nsec = static_cast<long>(draw % 1'000'000'000);
  return true;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto real_one = real<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int result = real_one(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) jumps(time);
  return result;
}

extern "C" time_t time(time_t* to) noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (to != nullptr) *to = now.tv_sec;
  return now.tv_sec;
}

extern "C" int gettimeofday(timeval* to, void*) noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  *to = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

extern "C" pid_t getpid() noexcept {
  static const auto real_one = real<pid_t (*)()>("getpid");
  const char* id = std::getenv("GIZA_FAULT_PID");
  return id == nullptr ? real_one() : std::atoi(id);
}
