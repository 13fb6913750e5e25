// A switch between network namespaces, with cables of a speed, a delay and a share of lost packets, so that "machines"
// on one can be tried on the network that one thinks of. (Linux's netem does this too, where the kernel has it.)
//   rank_link BITS_PER_SECOND DELAY_US LOST_PER_MILLE NAMESPACE...
// In each namespace it makes the device giza0 (TUN); the first is to get the address 10.78.0.1, and so on. Then it says
// "ready", and carries packets until it is killed. Speed 0: no limit.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
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

/// What a packet passes: its sender's cable, the switch, which hands it on while it still comes in, and its receiver's
/// cable.
class Switch {
 public:
  Switch(double bits_per_second, std::chrono::microseconds delay, int lost) : delay_(delay), lost_(lost) {
    if (bits_per_second > 0) nanoseconds_per_byte_ = 8e9 / bits_per_second;
  }
  void connect(int device) { ports_.emplace_back().device = device; }

  void run() {
    std::vector<std::thread> threads;
    for (Port& port : ports_) {
      threads.emplace_back([&] { read(&port); });
      threads.emplace_back([&] { write(&port); });
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  struct Packet {
    Clock::time_point due;
    std::vector<char> bytes;
  };
  struct Port {
    int device = -1;
    Clock::time_point sent, received;  // when the cable is free
    std::deque<Packet> packets;        // to this port's device
    std::condition_variable arrived;
  };

  void read(Port* from) {
    std::array<char, 65536> bytes{};
    while (true) {
      const ssize_t size = ::read(from->device, bytes.data(), bytes.size());
      if (size <= 0) fail("read");
      // The last byte of the receiver's IPv4 address; what else comes, such as IPv6's greetings, goes nowhere.
      const size_t host = static_cast<unsigned char>(bytes[19]);
      if (size < 20 || bytes[0] >> 4 != 4 || host < 1 || host > ports_.size()) continue;
      Port& to = ports_[host - 1];
      const std::chrono::nanoseconds length(static_cast<int64_t>(nanoseconds_per_byte_ * static_cast<double>(size)));
      const std::lock_guard lock(mutex_);
      if (static_cast<int>(random_() % 1000) < lost_) continue;
      if (to.packets.size() > kQueue) continue;  // as a switch drops what it cannot hold
      from->sent = std::max(from->sent, Clock::now()) + length;
      to.received = std::max(to.received + length, from->sent);
      to.packets.push_back({to.received + delay_, std::vector<char>(bytes.begin(), bytes.begin() + size)});
      to.arrived.notify_one();
    }
  }

  void write(Port* to) {
    ::prctl(PR_SET_TIMERSLACK, 1);  // else Linux wakes 50 us late
    while (true) {
      std::unique_lock lock(mutex_);
      to->arrived.wait(lock, [to] { return !to->packets.empty(); });
      const Packet packet = std::move(to->packets.front());
      to->packets.pop_front();
      lock.unlock();
      std::this_thread::sleep_until(packet.due);
      // A device that is not up yet takes nothing.
      if (::write(to->device, packet.bytes.data(), packet.bytes.size()) < 0 && errno != EIO) fail("write");
    }
  }

  static constexpr size_t kQueue = 4096;
  double nanoseconds_per_byte_ = 0;
  std::chrono::microseconds delay_;
  int lost_;
  std::mutex mutex_;
  std::mt19937 random_{1};
  std::deque<Port> ports_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: rank_link BITS_PER_SECOND DELAY_US LOST_PER_MILLE NAMESPACE NAMESPACE...\n");
    return 2;
  }
  Switch between(std::atof(argv[1]), std::chrono::microseconds(std::atol(argv[2])), std::atoi(argv[3]));
  for (int i = 4; i < argc; ++i) between.connect(open_device(argv[i]));
  std::puts("ready");
  std::fflush(stdout);
  between.run();
}
