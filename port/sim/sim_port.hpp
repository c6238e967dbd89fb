// SimPort: a Port whose machine is part of a SimNetwork. What the program under test is given instead of LinuxPort.
//
// It keeps the contract of port.hpp and is as unpleasant within it as the test asks for: short reads, partial writes, full
// buffers, resets, no descriptors, early polls. What the contract calls a bug of the caller stops the program with a sentence
// that names the call: a socket that is closed or of another port, one socket in two entries, a poll that could never end.
//
// After the constructor no Port call takes memory.
#pragma once

#include <cstdint>
#include <vector>

#include "port/port.hpp"
#include "port/sim/sim_files.hpp"
#include "port/sim/sim_network.hpp"

namespace pollux::port {

struct SimPortOptions {
  Address ipv4{};  // of this machine; none: 10.0.0.1 for the first of the network, 10.0.0.2 for the second ...
  Address ipv6{};  // none: fd00::1, fd00::2 ...
  std::size_t sockets_max = 64;  // at most 4096; beyond that no_descriptors
  std::size_t files_max = 16;    // at most 4096; beyond that no_descriptors
};

class SimPort final : public Port {
 public:
  // The network must outlive the port.
  explicit SimPort(SimNetwork& network, const SimPortOptions& options = {});
  // As the end of a program: closes whatever is open.
  ~SimPort();

  // ---- what the test may do to it
  [[nodiscard]] SimFiles& files() noexcept { return files_; }
  void raise(Signal signal) noexcept;  // the next poll() notices it, also one that would wait
  void set_parking(bool is_on) noexcept { parking_is_on_ = is_on; }  // off: park() says false
  // The next `count` accepts fail. `aborted` needs somebody who waits and resets that connection; the others leave it waiting.
  void fail_accepts(Error error, unsigned count) noexcept;
  // Sockets and files together; beyond that listen, accept, connect and open say no_descriptors (EMFILE).
  void set_descriptors_max(std::size_t count) noexcept { descriptors_max_ = count; }
  // Off: from here no address of this family can be reached, except loopback ones (a machine without IPv6).
  void set_family(Family family, bool is_on) noexcept;
  void set_link(const SimLink& link) noexcept;  // of new connections to this machine, and from it to unspecified ones
  void set_spurious_polls(double probability) noexcept {
    spurious_polls_ = probability;
  }  // return early, nothing ready
  // Of several ready sockets each may be reported by a later poll only; one at least always is.
  void set_late_readiness(double probability) noexcept { late_readiness_ = probability; }

  [[nodiscard]] SimLink& link(Socket socket) noexcept;  // of this connection, or of this datagram socket
  void reset_by_peer(Socket socket) noexcept;           // both ends see a reset
  void lose(Socket socket) noexcept;                    // see SimPeer::lose()
  void find_again(Socket socket) noexcept;

  // ---- what there is
  [[nodiscard]] std::size_t sockets_open() const noexcept { return sockets_open_; }
  [[nodiscard]] std::size_t files_open() const noexcept { return files_open_; }
  [[nodiscard]] std::size_t sockets_parked() const noexcept { return sockets_parked_; }
  [[nodiscard]] std::uint64_t polls() const noexcept { return polls_; }  // calls so far
  [[nodiscard]] std::uint64_t sends() const noexcept { return sends_; }
  [[nodiscard]] Address ipv4_address() const noexcept;  // port 0
  [[nodiscard]] Address ipv6_address() const noexcept;

  // ---- Port
  [[nodiscard]] Time now() override { return network_.now(); }
  [[nodiscard]] WallTime wall_clock() override { return network_.wall_clock(); }
  void random(std::span<std::byte> out) override;
  [[nodiscard]] Result<Socket, Error> listen(const ListenOptions& options) override;
  [[nodiscard]] Result<Address, Error> local_address(Socket socket) override;
  [[nodiscard]] Result<Accepted, Error> accept(Socket listener) override;
  [[nodiscard]] Result<Socket, Error> connect(const Endpoint& to) override;
  [[nodiscard]] Result<void, Error> connect_result(Socket socket) override;
  [[nodiscard]] Result<Socket, Error> connect_datagram(const Address& to) override;
  [[nodiscard]] IoResult recv(Socket socket, std::span<std::byte> out) override;
  [[nodiscard]] IoResult send(Socket socket, std::span<const std::byte> first, std::span<const std::byte> second,
                              bool more) override;
  [[nodiscard]] IoResult send_file(Socket socket, File file, std::uint64_t offset, std::size_t size) override;
  void shutdown_send(Socket socket) override;
  void close(Socket socket) override;
  PollOutcome poll(std::span<PollEntry> entries, std::span<ParkedEvent> parked, Time until) override;
  [[nodiscard]] bool park(Socket socket, std::uint32_t token) override;
  void unpark(Socket socket) override;
  [[nodiscard]] bool take_signal(Signal& signal) override;
  [[nodiscard]] Result<File, Error> open_directory(std::string_view path) override;
  [[nodiscard]] Result<FileInfo, Error> open_file(File root, std::string_view path) override;
  [[nodiscard]] Result<FileInfo, Error> open_path(std::string_view path) override;
  [[nodiscard]] IoResult read_file(File file, std::uint64_t offset, std::span<std::byte> out) override;
  void close_file(File file) override;
  [[nodiscard]] int system_error() const override { return system_error_; }

 private:
  struct Slot {
    enum class Kind : std::uint8_t { free, listener, stream, datagram };
    Kind kind = Kind::free;
    bool is_parked = false;
    std::uint8_t side = 0;         // stream: which end of the connection
    std::uint32_t generation = 0;  // so that an old Socket is recognised
    std::uint32_t token = 0;       // parked
    std::size_t target = 0;        // listener, connection or datagram socket in the network
    std::uint64_t polled = 0;      // the last poll that named it
  };
  struct OpenFile {
    bool is_open = false;
    std::uint32_t generation = 0;
    std::size_t node = 0;
  };

  [[nodiscard]] Error failed(Error error) noexcept;
  [[nodiscard]] IoResult failed(int number) noexcept;
  [[nodiscard]] bool has_descriptor() const noexcept { return sockets_open_ + files_open_ < descriptors_max_; }

  [[nodiscard]] Socket take_slot(Slot::Kind kind, std::size_t target, int side) noexcept;
  [[nodiscard]] Slot* find(Socket socket) noexcept;
  [[nodiscard]] Slot& existing(Socket socket, const char* message) noexcept;
  [[nodiscard]] Slot& stream(Socket socket, const char* message) noexcept;
  [[nodiscard]] SimNetwork::Connection& connection(const Slot& slot) noexcept {
    return network_.connections_[slot.target];
  }
  [[nodiscard]] SimNetwork::DatagramSocket& datagram(const Slot& slot) noexcept {
    return network_.datagram_sockets_[slot.target];
  }
  [[nodiscard]] Address source_for(const Address& to) const noexcept;  // without a port
  [[nodiscard]] IoResult recv_datagram(const Slot& slot, std::span<std::byte> out) noexcept;
  [[nodiscard]] IoResult send_datagram(const Slot& slot, std::span<const std::byte> first,
                                       std::span<const std::byte> second) noexcept;
  [[nodiscard]] SimNetwork::End& end(const Slot& slot) noexcept { return connection(slot).ends[slot.side]; }
  [[nodiscard]] SimPipe& outgoing(const Slot& slot) noexcept { return connection(slot).pipes[slot.side]; }
  [[nodiscard]] SimPipe& incoming(const Slot& slot) noexcept { return connection(slot).pipes[1U - slot.side]; }
  [[nodiscard]] bool has_room() const noexcept { return sockets_open_ < slots_.size() && has_descriptor(); }
  [[nodiscard]] IoResult push(Slot& slot, std::span<const std::byte> first, std::span<const std::byte> second) noexcept;
  [[nodiscard]] bool can_send(const Slot& slot, IoResult& refusal) noexcept;

  void begin_poll(std::span<PollEntry> entries) noexcept;
  [[nodiscard]] Events events_of(const Slot& slot) noexcept;
  [[nodiscard]] PollOutcome collect(std::span<PollEntry> entries, std::span<ParkedEvent> parked) noexcept;
  [[nodiscard]] bool others_have_news() noexcept;
  // Moves the clock by one step towards `until`; false: poll() returns now.
  [[nodiscard]] bool wait_once(Time until) noexcept;

  [[nodiscard]] OpenFile& existing_file(File file, const char* message) noexcept;
  [[nodiscard]] File take_file(std::size_t node) noexcept;
  [[nodiscard]] FileInfo info_of(std::size_t node) noexcept;  // opens it

  SimNetwork& network_;
  int host_;
  SimFiles files_;
  SimRandom secrets_;  // for random(), apart from the network's chance
  std::vector<Slot> slots_;
  std::vector<OpenFile> open_files_;
  std::size_t sockets_open_ = 0;
  std::size_t sockets_parked_ = 0;
  std::size_t files_open_ = 0;
  std::size_t descriptors_max_ = SIZE_MAX;
  std::uint64_t polls_ = 0;
  std::uint64_t sends_ = 0;
  unsigned signals_raised_ = 0;   // bits by Signal
  unsigned signals_noticed_ = 0;  // by a poll, not taken yet
  Error accept_error_ = Error::failed;
  unsigned accept_failures_ = 0;
  double spurious_polls_ = 0;
  double late_readiness_ = 0;
  bool parking_is_on_ = true;
  int system_error_ = 0;
};

}  // namespace pollux::port
