// A cable between two network namespaces with a speed, a delay and a share of lost packets, so that two "machines" on one
// can be tried on the network that one thinks of. (Linux's netem does this too, where the kernel has it.)
//   rank_link NAMESPACE NAMESPACE BITS_PER_SECOND DELAY_US LOST_PER_MILLE
// In each namespace it makes the device giza0 (TUN), says "ready", and carries packets until it is killed. Speed 0: no limit.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what) {
  std::perror(("rank_link: " + what).c_str());
  std::exit(1);
}

/// The device giza0 of a namespace.
int open_device(const std::string& name) {
  const int space = ::open(("/var/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (space < 0 || ::setns(space, CLONE_NEWNET) != 0) fail(name);
  ::close(space);
  const int device = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, "giza0", IFNAMSIZ - 1);
  if (device < 0 || ::ioctl(device, TUNSETIFF, &request) != 0) fail("/dev/net/tun");
  return device;
}

/// One direction: a packet leaves when those before it have, and arrives a delay later.
class Direction {
 public:
  Direction(int from, int to, double bits_per_second, std::chrono::microseconds delay, int lost, unsigned seed)
      : from_(from), to_(to), speed_(bits_per_second), delay_(delay), lost_(lost), random_(seed) {}

  void read() {
    std::array<char, 65536> bytes{};
    while (true) {
      const ssize_t size = ::read(from_, bytes.data(), bytes.size());
      if (size <= 0) fail("read");
      if (static_cast<int>(random_() % 1000) < lost_) continue;
      const std::lock_guard lock(mutex_);
      if (packets_.size() > kQueue) continue;  // as a switch drops what it cannot hold
      free_ = std::max(free_, Clock::now());
      if (speed_ > 0) {
        free_ += std::chrono::nanoseconds(static_cast<int64_t>(8e9 * static_cast<double>(size) / speed_));
      }
      packets_.emplace_back(free_ + delay_, std::vector<char>(bytes.begin(), bytes.begin() + size));
      arrived_.notify_one();
    }
  }

  void write() {
    while (true) {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return !packets_.empty(); });
      const auto [due, bytes] = std::move(packets_.front());
      packets_.pop_front();
      lock.unlock();
      std::this_thread::sleep_until(due);
      // A device that is not up yet takes nothing.
      if (::write(to_, bytes.data(), bytes.size()) < 0 && errno != EIO) fail("write");
    }
  }

 private:
  static constexpr size_t kQueue = 4096;
  int from_, to_;
  double speed_;
  std::chrono::microseconds delay_;
  int lost_;
  std::mt19937 random_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::pair<Clock::time_point, std::vector<char>>> packets_;
  Clock::time_point free_;  // when the cable is
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: rank_link NAMESPACE NAMESPACE BITS_PER_SECOND DELAY_US LOST_PER_MILLE\n");
    return 2;
  }
  const int one = open_device(argv[1]), two = open_device(argv[2]);
  const double speed = std::atof(argv[3]);
  const std::chrono::microseconds delay(std::atol(argv[4]));
  const int lost = std::atoi(argv[5]);
  Direction there(one, two, speed, delay, lost, 1), back(two, one, speed, delay, lost, 2);
  std::vector<std::thread> threads;
  for (Direction* each : {&there, &back}) {
    threads.emplace_back([each] { each->read(); });
    threads.emplace_back([each] { each->write(); });
  }
  std::puts("ready");
  std::fflush(stdout);
  for (std::thread& thread : threads) thread.join();
}
