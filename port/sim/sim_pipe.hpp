// SimPipe: one direction of a simulated connection, from a writer's send buffer over the line into a reader's receive buffer.
//
//   writer -> [ waiting ] -> line: [ flying ] -> [ unread ] -> reader
//             `-- send buffer: waiting + flying --'  `- receive buffer: unread, with flying as its announced part -'
//
// Bytes leave when the reader's window has room, take their turn on the line (bandwidth), and arrive after the latency, in order.
// A FIN travels behind the last byte; a reset drops what is still waiting and travels behind what already flies. An
// acknowledgement takes no time. All memory is taken when the pipe is made.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "port/sim/sim_random.hpp"
#include "port/time.hpp"

namespace pollux::port {

// How a connection behaves. Every member may be changed while the connection lives and counts from then on.
struct SimLink {
  Duration latency_min{0};  // one way, for each segment drawn between the two; order is kept
  Duration latency_max{0};
  std::uint64_t bytes_per_second = 0;  // of each direction; 0: no limit
  std::size_t send_buffer =
      32 * 1024;  // bytes that send() takes while nothing arrives; at most SimOptions::send_buffer_max
  std::size_t receive_buffer =
      32 * 1024;  // bytes that arrive while nobody reads; at most SimOptions::receive_buffer_max
  // A recv() of a SimPort gives between the two, and then says would_block until the next poll(): 1 and 1 is every byte
  // alone. 0: what is there.
  std::size_t recv_size_min = 0;
  std::size_t recv_size_max = 0;
  double partial_send =
      0;             // probability that send() of a SimPort takes only a part; half of those then block until poll()
  double reset = 0;  // probability, for each arriving segment, that the connection is reset for both sides
  double loss = 0;  // probability, for each arriving segment, that the line is lost: nothing arrives any more; for each
                    // datagram that just this one is
  // TCP_USER_TIMEOUT (tcp(7)): sent bytes that make no progress for so long break the connection; a closed window counts too.
  Duration user_timeout = std::chrono::seconds{30};
  // On a lost line without bytes under way: keep-alive probes find out after so long. 0: never.
  Duration keep_alive = std::chrono::seconds{60};
  double duplicate = 0;  // probability, for each datagram, that it arrives twice
};

class SimPipe {
 public:
  enum class Arrival : std::uint8_t { none, data, finish, reset };

  SimPipe(std::size_t send_buffer_max, std::size_t receive_buffer_max);

  // As new, for the next connection.
  void clear(Time now) noexcept;

  // ---- writer
  [[nodiscard]] std::size_t room(const SimLink& link) const noexcept;
  // Takes what fits and returns how much that was.
  std::size_t push(std::span<const std::byte> bytes, const SimLink& link, Time now) noexcept;
  void finish(Time now) noexcept;  // FIN behind the last byte
  void abort() noexcept;           // drops what waits; a reset goes out
  [[nodiscard]] std::size_t outstanding() const noexcept { return waiting_ + flying_; }
  // When a writer that makes no progress gives up: user_timeout after the last progress, `never` with nothing under way.
  [[nodiscard]] Time gives_up_at(const SimLink& link) const noexcept;

  // ---- line
  // Sends off what the window and the line allow. `is_deaf`: the reader is gone, so no window holds anything back.
  void depart(const SimLink& link, SimRandom& random, Time now, bool is_deaf) noexcept;
  [[nodiscard]] Time next_arrival() const noexcept;
  // Takes the next segment off the line if it is due. Its bytes become unread, or are dropped if the reader `is_deaf`.
  Arrival arrive(Time now, bool is_deaf) noexcept;
  // Everything on the line is gone for now; its bytes wait again.
  void lose() noexcept;
  // Nothing will be delivered any more; what arrived stays readable.
  void cut() noexcept;

  // ---- reader
  [[nodiscard]] std::size_t unread() const noexcept { return unread_; }
  [[nodiscard]] bool finish_arrived() const noexcept { return finish_arrived_; }
  std::size_t take(std::span<std::byte> out) noexcept;
  void drop_unread() noexcept;

 private:
  static constexpr std::size_t segments_max = 64;  // on the line at once; two are kept for FIN and reset
  static constexpr std::size_t packet_size =
      1460;  // bytes of one segment when the bandwidth is limited (an Ethernet frame)

  struct Segment {
    Time arrival;
    std::size_t size = 0;
    Arrival kind = Arrival::none;
  };

  void launch(Segment segment) noexcept;
  [[nodiscard]] Time arrival_time(const SimLink& link, SimRandom& random, Time sent) noexcept;

  std::size_t capacity_;
  std::unique_ptr<std::byte[]> ring_;
  std::size_t begin_ = 0;  // of the unread bytes in ring_
  std::size_t unread_ = 0;
  std::size_t flying_ = 0;
  std::size_t waiting_ = 0;
  std::array<Segment, segments_max> segments_{};
  std::size_t first_segment_ = 0;
  std::size_t segment_count_ = 0;
  Time line_free_at_{};  // when the last bit of what was sent off has left
  Time last_arrival_{};  // nothing overtakes
  Time progress_at_{};   // when a byte was last acknowledged, or the first one began to wait
  bool finish_wanted_ = false;
  bool finish_sent_ = false;
  bool finish_arrived_ = false;
  bool reset_wanted_ = false;
  bool reset_sent_ = false;
};

}  // namespace pollux::port
