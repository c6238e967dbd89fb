// SimNetwork: a network, a clock and chance that exist only in memory, for tests of programs that are written on Port.
//
// Machines under test are SimPorts (sim_port.hpp); several may share one network. What stands opposite is either another SimPort or
// a SimPeer: a raw end of a connection that the test moves by hand. Nothing ever sleeps: time moves when a SimPort polls, to the
// next thing that happens. One seed decides all chance, so the same seed and the same calls give the same run, byte for byte.
//
//   SimNetwork network{{.seed = 7, .link = {.latency_min = 1ms, .latency_max = 30ms, .recv_size_min = 1, .recv_size_max = 9}}};
//   SimPort port{network};
//   ... the program listens on `port` ...
//   SimPeer peer = network.connect({Address::ipv4_loopback(8080)});
//   peer.send("GET / HTTP/1.1\r\n\r\n");
//
// It is TCP as a program sees it, not as a wire does: no packets are lost or repeated, acknowledgements take no time, and
// bandwidth belongs to one direction of one connection. Datagrams are lost, repeated and overtaken (SimLink), and know no
// bandwidth. The constructor takes all memory; set-up calls (marked) may take more.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "port/port.hpp"
#include "port/sim/sim_pipe.hpp"
#include "port/sim/sim_random.hpp"

namespace pollux::port {

class SimNetwork;
class SimPort;

struct SimOptions {
  std::uint64_t seed = 1;
  std::size_t connections_max = 64;  // in the whole network, the backlogs included; beyond that connect says no_memory
  std::size_t listeners_max = 16;
  std::size_t backlog_max = 64;             // the longest backlog of a listener, whatever ListenOptions::backlog says
  std::size_t send_buffer_max = 32 * 1024;  // bytes for each direction of each connection
  std::size_t receive_buffer_max = 32 * 1024;
  std::size_t datagram_sockets_max = 32;  // in the whole network; beyond that connect_datagram says no_memory
  std::size_t datagrams_max = 128;        // under way or unread in the whole network; what is more is lost
  std::size_t datagram_size_max = 4096;   // bytes; a larger one is refused by send(), as one above 65,507 is by Linux
  std::size_t datagram_queue_max = 16;    // unread datagrams of one socket; what is more is lost, as in the kernel
  WallTime wall_clock{.seconds = 1'767'225'600};  // 2026-01-01T00:00:00Z
  SimLink link{};                                 // of every new connection; see also SimPort::set_link
};

// What happens to connections to some address. Datagrams to it: `ordinary` ones take `delay` longer; `refused` and
// `unreachable` come back for each one as recv() failed (ECONNREFUSED, EHOSTUNREACH), or with `at_once` and unreachable
// as a refused connect_datagram(); otherwise they vanish.
struct SimConnectRule {
  enum class Outcome : std::uint8_t {
    ordinary,     // as the listeners have it, after `delay`
    refused,      // connect_result() says refused, after `delay`
    unreachable,  // connect_result() says unreachable, after `delay`
    timed_out,    // connect_result() says timed_out, after `delay`
    silent,       // nothing ever comes back; timed_out after connect_timeout
  };
  Address to;  // port 0: all ports of the address
  Outcome outcome = Outcome::ordinary;
  Duration delay{0};
  bool at_once = false;  // a refusal comes from connect() itself
};

// How long a connect waits for an answer: Linux sends 7 SYNs, the last wait ends after 127 s (tcp(7), tcp_syn_retries).
inline constexpr Duration sim_connect_timeout = std::chrono::seconds{127};

// A raw end of a connection in the hands of a test. Cheap to copy; a copy is the same end. Using it after close(), reset() or
// a failed connect() is fine and does nothing.
class SimPeer {
 public:
  SimPeer() = default;

  [[nodiscard]] bool is_open() const noexcept;        // close() and reset() were not called
  [[nodiscard]] bool is_connecting() const noexcept;  // the connect is under way
  [[nodiscard]] bool is_connected() const noexcept;   // bytes can still come or go
  [[nodiscard]] bool saw_finish()
      const noexcept;  // the other side's FIN has arrived, and all bytes before it were taken
  [[nodiscard]] bool saw_failure() const noexcept;  // reset, refused or timed out
  [[nodiscard]] Error failure() const noexcept;     // why; failed for a reset

  // Takes what fits into the send buffer and returns how much that was.
  std::size_t send(std::string_view bytes) const noexcept;
  [[nodiscard]] std::size_t unread() const noexcept;  // bytes that arrived
  std::size_t receive(std::span<char> out) const noexcept;

  void finish() const noexcept;  // FIN after what was sent
  void close() const noexcept;   // as close(2): FIN, or a reset if bytes are unread
  void reset() const noexcept;   // RST now; what was not sent yet is dropped
  void lose() const noexcept;  // the line is cut: from now on nothing arrives, in either direction, and nobody is told
  void find_again() const noexcept;  // undoes lose(): what was under way is sent again

  [[nodiscard]] SimLink& link() const noexcept;  // of this connection
  [[nodiscard]] Address local_address() const noexcept;
  [[nodiscard]] Address remote_address() const noexcept;

 private:
  friend class SimNetwork;
  friend class SimPeerListener;
  SimPeer(SimNetwork& network, std::size_t connection, int side, std::uint32_t generation) noexcept
      : network_{&network}, connection_{connection}, side_{side}, generation_{generation} {}

  SimNetwork* network_ = nullptr;
  std::size_t connection_ = 0;
  int side_ = 0;
  std::uint32_t generation_ = 0;
};

// A raw listener in the hands of a test: what a client under test connects to.
class SimPeerListener {
 public:
  SimPeerListener() = default;
  [[nodiscard]] SimPeer accept() const noexcept;  // not open if nobody waits
  [[nodiscard]] std::size_t waiting() const noexcept;
  [[nodiscard]] Address address() const noexcept;
  void close() const noexcept;  // resets whoever waits; once

 private:
  friend class SimNetwork;
  SimPeerListener(SimNetwork& network, std::size_t listener) noexcept : network_{&network}, listener_{listener} {}

  SimNetwork* network_ = nullptr;
  std::size_t listener_ = 0;
};

// Hears the datagrams that arrive at one address. `bytes` is valid during the call. May call SimNetwork::send_datagram().
using SimDatagramSink = void (*)(void* object, const Address& from, const Address& to,
                                 std::span<const std::byte> bytes);
// Gives a server that is part of the world, not of the test, its turns: moves its raw ends, and says when it wants to be
// called at the latest, or `never`. It is called in every poll() and each time the clock has moved.
using SimServiceStep = Time (*)(void* object);

class SimNetwork {
 public:
  // Receives one line for each thing that happens; for comparing and for looking at runs. The line is valid during the call.
  using TraceSink = void (*)(void* object, std::string_view line);

  explicit SimNetwork(const SimOptions& options = {});
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  [[nodiscard]] Time now() const noexcept { return now_; }
  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  [[nodiscard]] WallTime wall_clock() const noexcept;
  void set_wall_clock(WallTime time) noexcept;  // jumps; runs on from there

  // poll() never moves the clock past `time`, and returns there with nothing ready. `never`: no such limit.
  void set_horizon(Time time) noexcept { horizon_ = time; }
  // Moves the clock and lets happen what happens until then. For tests without a loop.
  void advance(Duration duration) noexcept;

  // Of connections made from now on.
  [[nodiscard]] SimLink& link() noexcept { return link_; }
  void set_connect_rule(const SimConnectRule& rule);  // set-up; replaces an earlier one for the same address
  void set_trace(TraceSink sink, void* object) noexcept;

  // A raw client. The address it comes from is 192.0.2.1, 2001:db8::1, or loopback if `to` is. Whether it worked shows later.
  [[nodiscard]] SimPeer connect(const Endpoint& to) noexcept;
  [[nodiscard]] SimPeer connect(const Endpoint& to, const Address& from) noexcept;
  // A raw server. Any address will do, also loopback: all SimPorts reach it.
  [[nodiscard]] SimPeerListener listen(const Endpoint& at, std::uint16_t backlog = 64) noexcept;

  // A raw datagram service at `at` (with a port; loopback too: all SimPorts reach it). Set-up; replaces an earlier one.
  // Where none is and the address exists, datagrams are refused.
  void serve_datagrams(const Address& at, SimDatagramSink sink, void* object);
  void stop_datagrams(const Address& at) noexcept;  // the address goes on to exist
  // From anybody to anybody: an answer, or a forged one. It arrives `delay` and the latency of the receiver's link later,
  // and loss and duplicates of that link apply. At most SimOptions::datagram_size_max bytes; may be empty.
  void send_datagram(const Address& from, const Address& to, std::span<const std::byte> bytes,
                     Duration delay = Duration{0}) noexcept;

  // Set-up.
  void add_service(SimServiceStep turn, void* object);
  void remove_service(void* object) noexcept;

  // ---- what there is
  [[nodiscard]] std::size_t datagram_size_max() const noexcept { return datagram_size_max_; }
  [[nodiscard]] std::size_t datagrams_in_flight() const noexcept;                        // sent and not arrived
  [[nodiscard]] std::size_t datagrams_lost() const noexcept { return datagrams_lost_; }  // for whatever reason
  [[nodiscard]] std::size_t connections() const noexcept;                                // open at one end at least
  [[nodiscard]] std::size_t connections_max() const noexcept { return connections_.size(); }
  [[nodiscard]] std::size_t bytes_in_flight() const noexcept;  // sent and not arrived
  // Nothing is under way: no bytes, no FIN, no connect, no datagram. (Deadlines of lost lines do not count.)
  [[nodiscard]] bool is_quiet() const noexcept;

 private:
  friend class SimPort;
  friend class SimPeer;
  friend class SimPeerListener;

  static constexpr int outside = 0;  // the host number of SimPeers; SimPorts are 1, 2, ...
  static constexpr std::size_t hosts_max = 16;
  static constexpr std::size_t none = SIZE_MAX;

  struct Host {
    SimPort* port = nullptr;
    Address ipv4;
    Address ipv6;
    Time until = never;           // of its last poll
    bool polled_in_vain = false;  // since the last thing that happened anywhere
    bool has_link = false;
    SimLink link{};
    bool ipv4_is_off = false;
    bool ipv6_is_off = false;
  };

  struct End {
    enum class State : std::uint8_t { connecting, open, failed };
    State state = State::connecting;
    bool is_attached = false;  // somebody holds it: a socket, a SimPeer or a backlog
    bool is_finished = false;  // it sends no more
    bool recv_held = false;    // until the next poll (SimLink::recv_size_max)
    bool send_held = false;
    int host = outside;
    Error failure = Error::failed;
    int failure_number = 0;
    Address address;
  };

  struct Connection {
    enum class Stage : std::uint8_t { free, knocking, refusing, queued, established };
    explicit Connection(const SimOptions& options);
    Stage stage = Stage::free;
    std::uint32_t generation = 0;
    bool is_lost = false;
    Error refusal = Error::refused;
    Time step_at = never;      // knocking, refusing: when the answer comes
    Time gives_up_at = never;  // knocking: when the client stops waiting
    Time lost_at{};
    std::size_t listener_path = none;  // unix sockets: the listener, which a path names but an address does not
    SimLink link{};
    std::array<End, 2> ends{};     // 0 connected, 1 accepted
    std::array<SimPipe, 2> pipes;  // pipes[i] carries what ends[i] sends
  };

  struct Listener {
    bool is_open = false;
    int host = outside;
    ListenOptions options;
    std::array<char, 108> path{};
    std::size_t path_size = 0;
    Address address;
    std::vector<std::size_t> backlog;  // ring of connections
    std::size_t backlog_limit = 0;
    std::size_t backlog_begin = 0;
    std::size_t backlog_size = 0;
  };

  struct DatagramSocket {
    bool is_open = false;
    bool send_held = false;  // until the next poll (SimLink::partial_send)
    bool was_held = false;   // the next send goes out
    int host = outside;
    int error = 0;  // errno that the next recv or send tells, once
    Address local;
    Address peer;
    std::size_t unread = 0;  // datagrams
    SimLink link{};
  };

  // A datagram, or the news that one was refused. Its bytes are at its own place in datagram_bytes_.
  struct Datagram {
    enum class Stage : std::uint8_t { free, flying, unread };
    Stage stage = Stage::free;
    int error = 0;            // not 0: the errno of a refusal, on its way back to the sender
    std::size_t size = 0;     // bytes
    std::size_t socket = 0;   // unread: whose
    std::uint64_t order = 0;  // of sending while it flies, of arrival then
    Time arrival{};
    Address from;
    Address to;
  };

  struct DatagramService {
    Address at;
    SimDatagramSink sink = nullptr;  // nullptr: stopped, and the machine is still there
    void* object = nullptr;
  };

  struct Service {
    SimServiceStep turn = nullptr;
    void* object = nullptr;
    Time next = never;
  };

  // ---- hosts
  int add_host(SimPort& port, const Address& ipv4, const Address& ipv6);
  void remove_host(int host) noexcept;
  [[nodiscard]] int host_of(const Address& address) const noexcept;
  [[nodiscard]] bool address_exists(const Address& address) const noexcept;
  [[nodiscard]] bool family_is_off(int host, const Address& to) const noexcept;

  // ---- listeners
  [[nodiscard]] Result<std::size_t, Error> open_listener(int host, const ListenOptions& options) noexcept;
  void close_listener(std::size_t index) noexcept;
  [[nodiscard]] std::size_t take_from_backlog(std::size_t index) noexcept;  // none if nobody waits
  [[nodiscard]] bool listener_hears(const Listener& listener, int from, const Address& to) const noexcept;
  [[nodiscard]] std::size_t find_listener(int from, const Address& to) noexcept;
  [[nodiscard]] std::size_t find_path(int from, std::string_view path) const noexcept;
  [[nodiscard]] std::uint16_t next_free_port() noexcept;

  // ---- connections
  [[nodiscard]] Result<std::size_t, Error> open_connection(int from, const Address& source,
                                                           const Endpoint& to) noexcept;
  [[nodiscard]] const SimConnectRule* rule_for(const Address& to) const noexcept;
  [[nodiscard]] const SimLink& link_for(int from, const Address& to) const noexcept;
  void knock(std::size_t index) noexcept;
  bool step(std::size_t index) noexcept;    // lets one due thing happen; false if there is none
  void settle(std::size_t index) noexcept;  // lets everything happen that is due
  void fail_end(Connection& connection, int side, Error error, int number, bool tell_other) noexcept;
  void break_connection(Connection& connection) noexcept;
  void lose_line(Connection& connection) noexcept;
  void close_end(std::size_t index, int side, bool reset) noexcept;
  void arrived(Connection& connection, int from, SimPipe::Arrival arrival) noexcept;
  [[nodiscard]] Time end_gives_up_at(const Connection& connection, int side) const noexcept;
  [[nodiscard]] Time next_event_of(const Connection& connection) const noexcept;
  [[nodiscard]] Time next_event() const noexcept;
  void move_clock(Time to) noexcept;

  // ---- datagrams (sim_datagrams.cpp)
  [[nodiscard]] Result<std::size_t, Error> open_datagram_socket(int host, const Address& source,
                                                                const Address& to) noexcept;
  void close_datagram_socket(std::size_t index) noexcept;
  [[nodiscard]] IoResult push_datagram(std::size_t index, std::span<const std::byte> first,
                                       std::span<const std::byte> second, int& error) noexcept;
  [[nodiscard]] IoResult take_datagram(std::size_t index, std::span<std::byte> out, int& error) noexcept;
  [[nodiscard]] std::size_t find_datagram_socket(const Address& local, const Address& peer) const noexcept;
  [[nodiscard]] std::uint16_t draw_port() noexcept;
  [[nodiscard]] std::byte* bytes_of(const Datagram& datagram) noexcept;
  // Counts as lost if there is no room. nullptr then.
  Datagram* launch(const Address& from, const Address& to, std::size_t size, Time arrival) noexcept;
  void launch_copies(const Address& from, const Address& to, std::span<const std::byte> first,
                     std::span<const std::byte> second, const SimLink& link, Duration delay) noexcept;
  void refuse(const Datagram& datagram) noexcept;
  void deliver(Datagram& datagram) noexcept;
  void deliver_datagrams() noexcept;  // all that are due
  [[nodiscard]] Time next_datagram() const noexcept;
  [[nodiscard]] Duration latency_of(const SimLink& link) noexcept;
  void run_services() noexcept;

  // Something happened: no port waits in vain any more.
  void activity() noexcept;
  void news_for(int host) noexcept { news_ |= 1U << host; }
  [[gnu::format(printf, 2, 3)]] void trace(const char* format, ...) noexcept;

  Time now_;
  Time horizon_ = never;
  WallTime wall_base_;
  Time wall_base_at_;
  SimRandom random_;
  std::uint64_t seed_;
  SimLink link_;
  std::array<Host, hosts_max> hosts_{};
  int host_count_ = 1;
  std::uint32_t news_ = 0;  // hosts at which something arrived since the running poll began, as bits
  std::uint16_t next_port_ = 49152;
  std::vector<SimConnectRule> rules_;
  std::vector<Listener> listeners_;
  std::vector<Connection> connections_;
  SimRandom ports_;  // source ports of datagrams, apart from the other chance
  std::size_t datagram_size_max_;
  std::size_t datagram_queue_max_;
  std::vector<DatagramSocket> datagram_sockets_;
  std::vector<Datagram> datagrams_;
  std::unique_ptr<std::byte[]> datagram_bytes_;
  std::vector<DatagramService> datagram_services_;
  std::vector<Service> services_;
  std::uint64_t datagram_order_ = 0;
  std::size_t datagrams_used_ = 0;  // flying and unread
  std::size_t datagrams_lost_ = 0;
  bool services_run_ = false;  // right now: they do not run within themselves
  TraceSink trace_sink_ = nullptr;
  void* trace_object_ = nullptr;
};

}  // namespace pollux::port
