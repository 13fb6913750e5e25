// Batches of augmented samples, made ahead of time by worker threads.
#include "train/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <numeric>
#include <system_error>
#include <thread>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/random.h"

namespace giza::train {

std::vector<uint32_t> epoch_order(int64_t size, uint64_t seed, int64_t epoch, bool shuffle) {
  std::vector<uint32_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0U);
  if (shuffle) {
    Random draws(seed, Purpose::shuffle, static_cast<uint32_t>(epoch));
    for (size_t last = order.size(); last > 1; --last) {
      std::swap(order[last - 1], order[draws.next_below(static_cast<uint32_t>(last))]);
    }
  }
  return order;
}

/// Jobs are samples, numbered from 0 at the loader's first batch. Workers take them in order and put the results into
/// a ring of slots, one per job that may be under way or waiting: so memory is bounded and delivery is in order.
class Loader::Queue {
 public:
  Queue(const Dataset& dataset, const TransformOptions& transforms, const LoaderOptions& options, int64_t iterations)
      : dataset_(dataset),
        transforms_(transforms),
        options_(options),
        size_((options.end < 0 ? options.batch_size : options.end) - options.begin),
        iterations_per_epoch_(iterations) {
    slots_.resize(static_cast<size_t>(size_ * (options_.workers > 0 ? options_.prefetch : 1)));
    const int64_t epochs = options_.end_epoch - options_.start_epoch;
    // About 2^40 batches stand for "endless", so that counting jobs cannot overflow.
    const int64_t most = (int64_t{1} << 40) / iterations_per_epoch_;
    batches_ = std::max<int64_t>(0, std::min(epochs, most) * iterations_per_epoch_ - options_.start_iteration);
    try {
      for (int i = 0; i < options_.workers; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
      stop();
      throw Error(fmt::format("loader: cannot start {} data workers ({}); use fewer", options_.workers, error.what()));
    }
  }

  ~Queue() { stop(); }

  Batch next() {
    check<Error>(delivered_ < batches_, "loader: no batches before epoch {} are left", options_.end_epoch);
    const int64_t first = delivered_ * size_;
    if (workers_.empty()) {
      for (int64_t job = first; job < first + size_; ++job) {
        if (!slot(job).done) run(job, sample_of(job));
      }
    } else {
      std::unique_lock lock(mutex_);
      slot_filled_.wait(lock, [&] {
        for (int64_t job = first; job < first + size_; ++job) {
          if (!slot(job).done) return false;
        }
        return true;
      });
    }
    // The batch's slots belong to this thread until `delivered_` moves on.
    for (int64_t job = first; job < first + size_; ++job) {
      if (slot(job).error) std::rethrow_exception(slot(job).error);
    }
    Batch batch = assemble(first);
    {
      const std::lock_guard lock(mutex_);
      ++delivered_;
    }
    job_available_.notify_all();
    return batch;
  }

 private:
  struct Slot {
    Sample sample;
    std::string name;
    std::exception_ptr error;
    bool done = false;
  };

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    job_available_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  Slot& slot(int64_t job) { return slots_[static_cast<size_t>(job) % slots_.size()]; }

  int64_t epoch_of(int64_t batch) const {
    return options_.start_epoch + (options_.start_iteration + batch) / iterations_per_epoch_;
  }
  int64_t iteration_of(int64_t batch) const { return (options_.start_iteration + batch) % iterations_per_epoch_; }

  /// The job's place in the data set. Jobs are asked for in order, so that one epoch's order is enough to keep.
  int64_t sample_of(int64_t job) {
    const int64_t batch = job / size_;
    if (order_.empty() || order_epoch_ != epoch_of(batch)) {
      order_epoch_ = epoch_of(batch);
      order_ = epoch_order(dataset_.size(), options_.seed, order_epoch_, options_.shuffle);
    }
    return order_[static_cast<size_t>(iteration_of(batch) * options_.batch_size + options_.begin + job % size_)];
  }

  void work() {
    while (true) {
      int64_t job = 0;
      int64_t sample = 0;
      {
        std::unique_lock lock(mutex_);
        job_available_.wait(lock, [this] {
          return stopping_ || next_job_ < std::min(delivered_ + options_.prefetch, batches_) * size_;
        });
        if (stopping_) return;
        job = next_job_++;
        sample = sample_of(job);
      }
      run(job, sample);
      slot_filled_.notify_one();
    }
  }

  /// Makes a sample and fills the job's slot, with the error if there is one.
  void run(int64_t job, int64_t sample) {
    Slot result;
    result.done = true;
    try {
      result.name = dataset_.entry(sample).image;
      result.sample = make(sample, epoch_of(job / size_));
    } catch (...) {
      result.error = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    slot(job) = std::move(result);
  }

  Sample make(int64_t sample, int64_t epoch) const {
    const std::string& name = dataset_.entry(sample).image;
    try {
      const std::shared_ptr<const Pair> pair = dataset_.load(sample);
      try {
        return augment(pair->image, pair->labels, transforms_, options_.seed, static_cast<uint32_t>(epoch),
                       static_cast<uint32_t>(sample));
      } catch (const Error& error) {
        throw Refusal(fmt::format("{}: {}", name, error.what()));
      }
    } catch (const std::bad_alloc&) {
      throw Error(fmt::format("{}: not enough memory to read and augment this picture", name));
    }
  }

  Batch assemble(int64_t first) {
    const int64_t n = size_;
    // All of a batch are of one epoch, hence of one size.
    const int64_t height = slot(first).sample.height;
    const int64_t width = slot(first).sample.width;
    const int64_t labels = transforms_.whole_picture ? 1 : height * width;
    Batch batch;
    batch.epoch = epoch_of(delivered_);
    batch.iteration = iteration_of(delivered_);
    batch.images = Tensor::activation({n, height, width, 3});
    batch.labels = transforms_.whole_picture ? Labels(n, 1, 1) : Labels(n, height, width);
    for (int64_t i = 0; i < n; ++i) {
      Slot taken = std::move(slot(first + i));
      slot(first + i) = Slot{};
      const float* source = taken.sample.image.data();
      for (int64_t pixel = 0; pixel < height * width; ++pixel) {
        std::copy_n(source + pixel * 3, 3, batch.images.row(i * height * width + pixel));
      }
      std::copy(taken.sample.labels.begin(), taken.sample.labels.end(), batch.labels.values.begin() + i * labels);
      batch.names.push_back(std::move(taken.name));
    }
    return batch;
  }

  const Dataset& dataset_;
  const TransformOptions transforms_;
  const LoaderOptions options_;
  const int64_t size_;  // samples of a batch that are made here
  const int64_t iterations_per_epoch_;
  int64_t batches_ = 0;  // From the first to the last.

  std::mutex mutex_;  // Of what follows.
  std::condition_variable job_available_, slot_filled_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> order_;
  int64_t order_epoch_ = 0;
  int64_t next_job_ = 0;
  int64_t delivered_ = 0;  // Batches.
  bool stopping_ = false;

  std::vector<std::thread> workers_;  // Last: they use all of the above.
};

Loader::Loader(const Dataset& dataset, const TransformOptions& transforms, const LoaderOptions& options) {
  transforms.validate();
  const std::string list = listing_place(dataset.options());
  check<Refusal>(transforms.crop_h > 0, "{}: batches need a crop, since pictures differ in size; set a crop size",
                 list);
  check<Refusal>(options.batch_size >= 1, "{}: the batch size is {}, expected at least 1", list, options.batch_size);
  check(0 <= options.begin && options.begin < options.batch_size && options.end <= options.batch_size &&
            (options.end < 0 || options.begin < options.end),
        "loader: samples [{}, {}) of batches of {}", options.begin, options.end, options.batch_size);
  check<Refusal>(options.workers >= 0 && options.workers <= 1024, "{}: {} data workers, expected 0 to 1024", list,
                 options.workers);
  check<Refusal>(options.prefetch >= 1 && options.prefetch <= 1024, "{}: {} batches made ahead, expected 1 to 1024",
                 list, options.prefetch);
  check<Refusal>(dataset.size() >= options.batch_size,
                 "{}: lists {} pictures, fewer than one batch of {}; use a batch size of at most {} or more pictures",
                 list, dataset.size(), options.batch_size, dataset.size());
  const int64_t iterations = dataset.size() / options.batch_size;
  check<Refusal>(options.start_epoch >= 0 && options.start_epoch <= INT32_MAX && options.start_iteration >= 0 &&
                     options.start_iteration <= iterations,
                 "{}: cannot start at epoch {}, iteration {}: an epoch has {} iterations", list, options.start_epoch,
                 options.start_iteration, iterations);
  queue_ = std::make_unique<Queue>(dataset, transforms, options, iterations);
  iterations_per_epoch_ = iterations;
}

Loader::~Loader() = default;

Batch Loader::next() { return queue_->next(); }

}  // namespace giza::train
