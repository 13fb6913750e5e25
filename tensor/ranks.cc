// The processes that share one run, by MPI.
#include "tensor/ranks.h"

#if GIZA_HAVE_MPI
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#endif

#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "tensor/dry_run.h"

namespace giza::ranks {
namespace {

std::optional<Place> imagined;

[[maybe_unused]] int number_in_environment(std::initializer_list<const char*> names, int otherwise) {
  for (const char* name : names) {
    const char* text = std::getenv(name);
    int value = 0;
    if (text == nullptr || std::from_chars(text, text + std::strlen(text), value).ec != std::errc()) continue;
    return value;
  }
  return otherwise;
}

}  // namespace

Imagined::Imagined(const Place& place) { imagined = place; }
Imagined::~Imagined() { imagined.reset(); }

#if GIZA_HAVE_MPI
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kValues = 1, kFailure = 2, kAsk = 3, kAlive = 4;  // tags
// How long a rank waits before it asks whether the others are there, how long for their answer, and how long until it
// asks again those that answered: they are at work. A rank that is to end has little time, as launchers kill a second
// after they asked to end. Any other asks too, since of a machine without power, or behind a cut cable, nobody is told.
struct Patience {
  std::chrono::milliseconds ask, answer, again;
};
constexpr Patience kToEnd{std::chrono::milliseconds(50), std::chrono::milliseconds(400), std::chrono::seconds(2)};
constexpr Patience kAtWork{std::chrono::seconds(60), std::chrono::seconds(10), std::chrono::seconds(60)};

struct World {
  MPI_Comm values = MPI_COMM_NULL, control = MPI_COMM_NULL;  // control: failures and signs of life
  int rank = 0, count = 1;
  std::vector<MPI_Request> under_way;
  std::function<bool()> impatient;
  // While the main thread computes it moves messages on, and answers who asks whether this rank is there.
  std::thread listener;
  std::atomic<bool> listening = false, moving = false;  // moving: messages are under way
};
World world;

/// Nobody is there to send to, or nothing is to be sent.
bool alone() { return world.count == 1 || simulating(); }

int as_count(size_t count) {
  check<Error>(count <= INT_MAX, "ranks: a message of {} numbers is too long", count);
  return static_cast<int>(count);
}

/// A note is an empty message on `control`, which its tag tells from others. Nobody waits for one to arrive.
void send_note(int to, int tag) {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Isend(nullptr, 0, MPI_BYTE, to, tag, world.control, &request);
  if (request != MPI_REQUEST_NULL) MPI_Request_free(&request);
}

/// The rank that a note is from, if there is one.
std::optional<int> receive_note(int tag) {
  int found = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, tag, world.control, &found, &status);
  if (found == 0) return std::nullopt;
  MPI_Recv(nullptr, 0, MPI_BYTE, status.MPI_SOURCE, tag, world.control, MPI_STATUS_IGNORE);
  return status.MPI_SOURCE;
}

// MPI moves messages only while it is called, which the main thread does not do during the sweep. Each look for a note
// here hands on what the sockets take: Linux lets them grow to 4 MB, and 10 Gb/s are 1.25 MB in a millisecond. To look
// more often would cost the main thread more than it gains.
void listen() {
  while (world.listening) {
    if (const std::optional<int> asker = receive_note(kAsk)) {
      send_note(*asker, kAlive);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(world.moving ? 1 : 20));
    }
  }
}

const Patience& patience() { return world.impatient && world.impatient() ? kToEnd : kAtWork; }

/// Asks all others whether they are there. Throws NoAnswer where some are not.
void look_for_the_dead() {
  std::set<int> silent;
  for (int rank = 0; rank < world.count; ++rank) {
    if (rank == world.rank) continue;
    silent.insert(rank);
    send_note(rank, kAsk);
  }
  // Sleeps are counted, not the clock: it goes on while all ranks are stopped together, as a job may be.
  constexpr std::chrono::milliseconds kSleep(5);
  for (std::chrono::milliseconds slept(0); slept < patience().answer;) {
    if (const std::optional<int> answer = receive_note(kAlive)) {
      silent.erase(*answer);
      if (silent.empty()) return;
    } else {
      std::this_thread::sleep_for(kSleep);
      slept += kSleep;
    }
  }
  int first = 0;
  while (silent.contains(first)) ++first;
  throw NoAnswer(
      fmt::format("rank {} {}", fmt::join(silent, ", "), silent.size() == 1 ? "does not answer" : "do not answer"),
      first == world.rank);
}

/// Waits until all requests are done. A rank that shares its processor with others leaves it to them meanwhile.
void wait(std::span<MPI_Request> requests) {
  const Clock::time_point begin = Clock::now();
  std::optional<Clock::time_point> asked;  // when all have answered
  for (int64_t turn = 1;; ++turn) {
    int done = 0;
    const int result = MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
    if (result == MPI_SUCCESS && done != 0) return;
    if (result == MPI_SUCCESS && turn % 64 != 0) {
      std::this_thread::yield();
      continue;
    }
    if (failed_elsewhere(std::chrono::milliseconds(0))) throw Elsewhere("another rank failed");
    if (result != MPI_SUCCESS) {
      look_for_the_dead();
      throw Error("MPI lost a message");
    }
    if (turn > 4096) std::this_thread::sleep_for(std::chrono::microseconds(50));
    if (Clock::now() < (asked ? *asked + patience().again : begin + patience().ask)) continue;
    look_for_the_dead();
    asked = Clock::now();
  }
}

}  // namespace

Place launched_as() {
  // Open MPI's mpirun; PMIx (srun, prun); PMI-1 and PMI-2 (srun, MPICH).
  const int rank = number_in_environment({"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}, -1);
  const int count = number_in_environment({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}, 1);
  const int on_machine =
      number_in_environment({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_TASKS_PER_NODE"}, 1);
  return rank < 0 || count < 2 ? Place{} : Place{rank, count, std::max(on_machine, 1)};
}

std::string library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  std::string_view name(text, static_cast<size_t>(length));
  name = name.substr(0, name.find_first_of(",\n"));
  if (name.starts_with("Open MPI v")) return "Open MPI " + std::string(name.substr(10));
  return std::string(name);
}

Session::Session() {
  // Over TCP, Open MPI lets the receiver ask for a large array in one piece, behind which the sums of the next batch
  // norm queue up (docs/many-machines.md, "What it costs"). Whoever sets the variable, or mpirun's --mca, is not
  // overruled.
  ::setenv("OMPI_MCA_btl_tcp_rdma_pipeline_frag_size", std::to_string(kPieceBytes).c_str(), 0);
  int provided = 0;
  check<Error>(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) == MPI_SUCCESS,
               "MPI cannot be started");
  check<Error>(provided == MPI_THREAD_MULTIPLE, "this MPI does not allow several threads (MPI_THREAD_MULTIPLE)");
  MPI_Comm_dup(MPI_COMM_WORLD, &world.values);
  MPI_Comm_dup(MPI_COMM_WORLD, &world.control);
  for (MPI_Comm each : {world.values, world.control}) MPI_Comm_set_errhandler(each, MPI_ERRORS_RETURN);
  MPI_Comm_rank(world.values, &world.rank);
  MPI_Comm_size(world.values, &world.count);
  world.listening = true;
  world.listener = std::thread(listen);
}

Session::~Session() {
  world.listening = false;
  world.listener.join();
  MPI_Finalize();
  world.rank = 0;
  world.count = 1;
}

int count() { return imagined ? imagined->count : world.count; }
int own() { return imagined ? imagined->rank : world.rank; }

void abandon(int status) {
  if (world.count > 1) {
    std::vector<MPI_Request> notices(static_cast<size_t>(world.count), MPI_REQUEST_NULL);
    for (int rank = 0; rank < world.count; ++rank) {
      if (rank == world.rank) continue;
      MPI_Isend(nullptr, 0, MPI_BYTE, rank, kFailure, world.control, &notices[static_cast<size_t>(rank)]);
    }
    // Long enough for those that live; not for ever for one that does not.
    const Clock::time_point begin = Clock::now();
    for (int done = 0; done == 0 && Clock::now() - begin < kToEnd.answer;) {
      MPI_Testall(world.count, notices.data(), &done, MPI_STATUSES_IGNORE);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    MPI_Abort(MPI_COMM_WORLD, status);
  }
  std::_Exit(status);
}

bool failed_elsewhere(std::chrono::milliseconds patience) {
  const Clock::time_point begin = Clock::now();
  do {
    int found = 0;
    if (world.count > 1) MPI_Iprobe(MPI_ANY_SOURCE, kFailure, world.control, &found, MPI_STATUS_IGNORE);
    if (found != 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(patience.count() > 0 ? 5 : 0));
  } while (Clock::now() - begin < patience);
  return false;
}

void set_impatience(std::function<bool()> impatient) { world.impatient = std::move(impatient); }

namespace {

/// Starts a call that all ranks make together, and waits for it.
template <class Start>
void together(const Start& start) {
  MPI_Request request = MPI_REQUEST_NULL;
  start(&request);
  wait(std::span(&request, 1));
}

/// Throws Error for more than MPI can count.
std::vector<int> starts_of(std::span<const int> counts) {
  std::vector<int> starts(counts.size());
  size_t all = 0;
  for (size_t r = 0; r < counts.size(); ++r) {
    starts[r] = as_count(all);
    all += static_cast<size_t>(counts[r]);
  }
  as_count(all);
  return starts;
}

}  // namespace

std::vector<std::string> gather(std::string_view text) {
  if (alone()) return {std::string(text)};
  const auto ranks = static_cast<size_t>(world.count);
  const int own_size = as_count(text.size());
  std::vector<int> sizes(ranks);
  together([&](MPI_Request* request) {
    MPI_Iallgather(&own_size, 1, MPI_INT, sizes.data(), 1, MPI_INT, world.values, request);
  });
  const std::vector<int> starts = starts_of(sizes);
  std::string all(static_cast<size_t>(starts.back() + sizes.back()), '\0');
  together([&](MPI_Request* request) {
    MPI_Iallgatherv(text.data(), own_size, MPI_BYTE, all.data(), sizes.data(), starts.data(), MPI_BYTE, world.values,
                    request);
  });
  std::vector<std::string> texts;
  for (size_t r = 0; r < ranks; ++r) {
    texts.push_back(all.substr(static_cast<size_t>(starts[r]), static_cast<size_t>(sizes[r])));
  }
  return texts;
}

std::string from_leader(std::string_view text) {
  std::string result(text);
  if (alone()) return result;
  int size = as_count(text.size());
  together([&](MPI_Request* request) { MPI_Ibcast(&size, 1, MPI_INT, 0, world.values, request); });
  result.resize(static_cast<size_t>(size));
  together([&](MPI_Request* request) { MPI_Ibcast(result.data(), size, MPI_BYTE, 0, world.values, request); });
  return result;
}

void from_leader(std::span<float> values) {
  if (alone() || values.empty()) return;
  together([&](MPI_Request* request) {
    MPI_Ibcast(values.data(), as_count(values.size()), MPI_FLOAT, 0, world.values, request);
  });
}

void gather(std::span<const double> own, std::span<const int> counts, double* all) {
  if (alone()) {
    std::copy(own.begin(), own.end(), all);
    return;
  }
  const std::vector<int> starts = starts_of(counts);
  together([&](MPI_Request* request) {
    MPI_Iallgatherv(own.data(), as_count(own.size()), MPI_DOUBLE, all, counts.data(), starts.data(), MPI_DOUBLE,
                    world.values, request);
  });
}

int64_t largest(int64_t value) {
  if (alone()) return value;
  int64_t most = value;
  together(
      [&](MPI_Request* request) { MPI_Iallreduce(&value, &most, 1, MPI_INT64_T, MPI_MAX, world.values, request); });
  return most;
}

void start_send(int to, std::span<const float> values) {
  if (alone()) return;
  world.moving = true;
  MPI_Isend(values.data(), as_count(values.size()), MPI_FLOAT, to, kValues, world.values,
            &world.under_way.emplace_back());
}

void start_receive(int from, std::span<float> values) {
  if (alone()) return;
  world.moving = true;
  MPI_Irecv(values.data(), as_count(values.size()), MPI_FLOAT, from, kValues, world.values,
            &world.under_way.emplace_back());
}

void finish() {
  if (world.under_way.empty()) return;
  wait(world.under_way);
  world.under_way.clear();
  world.moving = false;
}

#else

Place launched_as() { return {}; }
std::string library() { return {}; }
Session::Session() = default;
Session::~Session() = default;
int count() { return imagined ? imagined->count : 1; }
int own() { return imagined ? imagined->rank : 0; }
void abandon(int status) { std::_Exit(status); }
bool failed_elsewhere(std::chrono::milliseconds) { return false; }
void set_impatience(std::function<bool()>) {}
std::vector<std::string> gather(std::string_view text) { return {std::string(text)}; }
std::string from_leader(std::string_view text) { return std::string(text); }
void from_leader(std::span<float>) {}
void gather(std::span<const double> own, std::span<const int>, double* all) { std::copy(own.begin(), own.end(), all); }
int64_t largest(int64_t value) { return value; }
void start_send(int, std::span<const float>) {}
void start_receive(int, std::span<float>) {}
void finish() {}

#endif

double from_leader(double value) {
  if (count() == 1) return value;
  const std::string bytes = from_leader(std::string_view(reinterpret_cast<const char*>(&value), sizeof(value)));
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

std::vector<double> sums(const std::vector<double>& values) {
  if (count() == 1) return values;
  const auto size = std::ssize(values);
  const std::vector<int> counts(static_cast<size_t>(count()), static_cast<int>(size));
  std::vector<double> all(static_cast<size_t>(count() * size)), total(values.size(), 0.0);
  gather(values, counts, all.data());
  for (size_t i = 0; i < all.size(); ++i) total[i % values.size()] += all[i];
  return total;
}

}  // namespace giza::ranks
