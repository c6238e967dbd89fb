// SimPort keeps the contract of Port: the same cases as LinuxPort, on a quiet network and on unpleasant ones.
#include <chrono>
#include <string>

#include "port/sim/sim_port.hpp"
#include "tests/port/contract.hpp"

namespace pollux::port {
namespace {

using namespace std::chrono_literals;

class SimWorld {
 public:
  static constexpr bool follows_links = true;

  SimWorld() : SimWorld{SimLink{}} {}
  explicit SimWorld(const SimLink& link)
      : network_{{.seed = 11, .connections_max = 320, .backlog_max = 512, .link = link}},
        port_{network_, {.sockets_max = 640}} {
    port_.files().add_directory(root());
  }

  Port& port() { return port_; }
  std::string local_path() { return "/tmp/socket" + std::to_string(++local_paths_); }
  std::string root() { return "/tmp/root"; }
  void add_file(const std::string& path, std::string_view content, WallTime modified) {
    port_.files().add_file(root() + "/" + path, content, modified);
  }
  void add_directory(const std::string& path) { port_.files().add_directory(root() + "/" + path); }
  void change_file(const std::string& path, std::string_view content, WallTime modified) {
    port_.files().change_file(root() + "/" + path, content, modified);
  }
  void add_link(const std::string& path, const std::string& target) {
    port_.files().add_link(root() + "/" + path, target);
  }
  void add_fifo(const std::string& path) { port_.files().add_special(root() + "/" + path); }

  Address open_datagram_peer() {
    network_.serve_datagrams(peer_, &SimWorld::take, this);
    return peer_;
  }
  void close_datagram_peer() { network_.stop_datagrams(peer_); }
  bool peer_hears(std::string& bytes, Address& from) {
    if (heard_.empty()) {
      return false;
    }
    bytes = heard_.front().bytes;
    from = heard_.front().from;
    heard_.erase(heard_.begin());
    return true;
  }
  void peer_sends(const Address& to, const std::string& bytes) { network_.send_datagram(peer_, to, bytes_of(bytes)); }
  void stranger_sends(const Address& to, const std::string& bytes) {
    network_.send_datagram(Address::ipv4_loopback(5354), to, bytes_of(bytes));
  }

 protected:
  struct Heard {
    Address from;
    std::string bytes;
  };
  static void take(void* object, const Address& from, const Address& to, std::span<const std::byte> bytes) {
    auto& world = *static_cast<SimWorld*>(object);
    EXPECT_EQ(to, world.peer_);
    std::string text(bytes.size(), '\0');
    std::transform(bytes.begin(), bytes.end(), text.begin(), [](std::byte byte) { return static_cast<char>(byte); });
    world.heard_.push_back({from, text});
  }

  const Address peer_ = Address::ipv4_loopback(5353);
  std::vector<Heard> heard_;
  SimNetwork network_;
  SimPort port_;
  int local_paths_ = 0;
};

class SimWorldWithoutParking : public SimWorld {
 public:
  SimWorldWithoutParking() { port_.set_parking(false); }
};

class SlowSimWorld : public SimWorld {
 public:
  SlowSimWorld() : SimWorld{{.latency_min = 10us, .latency_max = 200us, .bytes_per_second = 100'000'000}} {}
};

class ChoppySimWorld : public SimWorld {
 public:
  ChoppySimWorld() : SimWorld{{.recv_size_min = 1, .recv_size_max = 700}} {}
};

POLLUX_PORT_CONTRACT(Sim, SimWorld);
POLLUX_PORT_CONTRACT(SimWithoutParking, SimWorldWithoutParking);
POLLUX_PORT_CONTRACT(SlowSim, SlowSimWorld);
POLLUX_PORT_CONTRACT(ChoppySim, ChoppySimWorld);

}  // namespace
}  // namespace pollux::port
