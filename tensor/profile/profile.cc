// The recorder of profiling scopes.
#include "tensor/profile/profile.h"

#include <chrono>

#include "tensor/profile/counters.h"
#include "tensor/profile/sampled_run.h"

namespace giza::profile {

namespace detail {
constinit thread_local Recording* active = nullptr;
}

namespace {

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
  cycles += other.cycles;
  instructions += other.instructions;
  llc_misses += other.llc_misses;
  return *this;
}

Counts Counts::operator-(const Counts& other) const {
  return {cycles - other.cycles, instructions - other.instructions, llc_misses - other.llc_misses};
}

const char* to_string(Pass pass) {
  switch (pass) {
    case Pass::forward:
      return "forward";
    case Pass::backward:
      return "backward";
    default:
      return "update";
  }
}

std::string layer_of(const std::vector<Event>& events, const Event& event) {
  for (int64_t at = event.parent; at >= 0; at = events[static_cast<size_t>(at)].parent) {
    const Event& around = events[static_cast<size_t>(at)];
    if (around.kind == Event::Kind::layer) return around.name;
  }
  return {};
}

Recording::Recording(HardwareCounters* counters)
    : previous_(std::exchange(detail::active, this)), counters_(counters), start_ns_(now_ns()) {}

Recording::~Recording() { detail::active = previous_; }

void Recording::open(Event event) {
  event.parent = open_.empty() ? -1 : open_.back();
  open_.push_back(static_cast<int64_t>(events_.size()));
  events_.push_back(std::move(event));
  // Last, so that the recorder's own time falls outside.
  if (counters_ != nullptr) events_.back().counts = counters_->read();
  events_.back().begin_ns = now_ns() - start_ns_;
}

void Recording::close() {
  const int64_t end_ns = now_ns() - start_ns_;
  Event& event = events_[static_cast<size_t>(open_.back())];
  open_.pop_back();
  event.end_ns = end_ns;
  if (counters_ != nullptr) event.counts = counters_->read() - event.counts;
  if (event.kind != Event::Kind::kernel) return;
  for (int64_t i = event.parent; i >= 0; i = events_[static_cast<size_t>(i)].parent) {
    Event& around = events_[static_cast<size_t>(i)];
    if (around.kind != Event::Kind::kernel) continue;
    around.inside_ns += event.total_ns();
    around.inside_counts += event.counts;
    break;
  }
}

Pass Recording::current_pass() const {
  return open_.empty() ? Pass::forward : events_[static_cast<size_t>(open_.back())].pass;
}

void Recording::open_kernel(Work work) {
  const Event* around = open_.empty() ? nullptr : &events_[static_cast<size_t>(open_.back())];
  if (hidden_ > 0 || (around != nullptr && around->work.leaf)) {
    ++hidden_;
    return;
  }
  if (work.executed_flops < 0) work.executed_flops = work.flops;
  if (SampledRun* run = SampledRun::active()) run->enter(work);
  open({.kind = Event::Kind::kernel,
        .pass = current_pass(),
        .name = {},
        .work = std::move(work),
        .counts = {},
        .inside_counts = {}});
}

void Recording::close_kernel() {
  if (hidden_ > 0) {
    --hidden_;
  } else {
    close();
    if (SampledRun* run = SampledRun::active()) run->leave();
  }
}

RegionScope::RegionScope(int64_t tasks)
    : recording_(detail::active),
      event_(recording_->open_.empty() ? -1 : recording_->open_.back()),
      task_ns_(static_cast<size_t>(tasks)) {
  begin_ns_ = now_ns() - recording_->start_ns_;
}

RegionScope::~RegionScope() {
  const int64_t end_ns = now_ns() - recording_->start_ns_;
  recording_->regions_.push_back({event_, begin_ns_, end_ns, std::move(task_ns_)});
}

int64_t RegionScope::now_ns() { return profile::now_ns(); }

std::string current_layer() {
  if (!on()) return {};
  const Recording& recording = *detail::active;
  for (int64_t i = recording.open_.empty() ? -1 : recording.open_.back(); i >= 0;) {
    const Event& event = recording.events_[static_cast<size_t>(i)];
    if (event.kind == Event::Kind::layer) return event.name;
    i = event.parent;
  }
  return {};
}

Span::Span(std::string_view name) : recording_(detail::active) {
  if (recording_ == nullptr) return;
  Event event;
  event.kind = Event::Kind::span;
  event.name = name;
  recording_->open(std::move(event));
}

Span::~Span() {
  if (recording_ != nullptr) recording_->close();
}

Layer::Layer(std::string_view path) : Layer(path, on() ? detail::active->current_pass() : Pass::forward) {}

Layer::Layer(std::string_view path, Pass pass) : recording_(detail::active) {
  if (recording_ == nullptr) return;
  Event event;
  event.kind = Event::Kind::layer;
  event.name = path;
  event.pass = pass;
  recording_->open(std::move(event));
}

Layer::~Layer() {
  if (recording_ != nullptr) recording_->close();
}

}  // namespace giza::profile
