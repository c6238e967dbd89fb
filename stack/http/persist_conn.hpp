// PersistConn: one connection of a transport. This is the inside of Transport; programs see RoundTrip and Response.
//
//   connecting -> (proxying) -> (handshaking) -> idle <-> busy -> closing -> free
//                                                 ^        |
//                                                 +-- draining          (any -> closing)
//
// Reading and writing are two machines that run independently: a response may come while the request still goes out. A connection
// may be used again when both are complete, nothing is left over in the buffer and nobody said close (may_be_reused(), the one place).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "stack/base/buffer.hpp"
#include "stack/base/list.hpp"
#include "stack/http/body_decoder.hpp"
#include "stack/http/call_error.hpp"
#include "stack/http/message_sender.hpp"
#include "stack/http/round_trip.hpp"
#include "stack/net/dialer.hpp"
#include "stack/net/stream.hpp"
#include "stack/wire/message_reader.hpp"
#include "stack/wire/message_writer.hpp"

namespace pollux::http {

class ProxyTunnel;
class Transport;
struct HostEntry;

class PersistConn {
 public:
  enum class State : std::uint8_t {
    connecting,   // names and connect, in the dialer
    proxying,     // CONNECT or SOCKS
    handshaking,  // TLS
    idle,         // in its host's list
    busy,         // has a round trip
    draining,     // reading the rest of a response that was let go
    closing,      // over; the slot is freed at the end of the turn
  };
  // Why a connection ended, for trace hooks and counters.
  enum class End : std::uint8_t {
    none,
    not_reusable,  // after a response: somebody said close, or bytes were left over
    pool_full,     // after a response: enough idle ones
    idle_timeout,
    server_closed,
    unsolicited,
    evicted,
    failed,
    cancelled,
    drain_limit,
    shut_down,
  };
  // Which of the transport's lists it is in; follows from the state.
  enum class List : std::uint8_t { dialing, active, idle, ended };
  // Bytes of the input buffer that a proxy's exchange borrows: nothing of HTTP is in it by then.
  static constexpr std::size_t tunnel_size = 4096;

  PersistConn(Transport& transport, HostEntry& host, port::Time now) noexcept;
  ~PersistConn();
  PersistConn(const PersistConn&) = delete;
  PersistConn& operator=(const PersistConn&) = delete;
  // Its memory, which belongs to the slot it got.
  void attach_memory(std::span<char> in, std::span<char> out, std::span<wire::Field> fields,
                     std::size_t head_size_max) noexcept;

  // ---- called by Transport
  void dial() noexcept;
  void begin(RoundTrip& trip) noexcept;  // the round trip gets the connection, which is idle or just made
  [[nodiscard]] port::Time prepare(net::PollSet& set, std::uint32_t token) noexcept;
  void ready(std::uint32_t index, port::Events events) noexcept;
  void expire() noexcept;
  void check_dial() noexcept;  // after anything that may have moved the dialer
  void close(End why) noexcept;
  void become_idle() noexcept;  // Transport::put has decided
  void resume_send() noexcept;
  void network_changed() noexcept;
  // Connected, in need of a TLS session, and it is time to ask for one.
  [[nodiscard]] bool wants_session() const noexcept;
  // Asks for it, and begins the handshake if there is one. False: none is free.
  [[nodiscard]] bool ask_session() noexcept;
  // None was free for somebody before it: it is asked about later again.
  void put_off_session() noexcept { asked_at_ = now(); }
  [[nodiscard]] CallStage dial_stage() const noexcept;

  // ---- called by Response and RoundTrip
  [[nodiscard]] std::string_view body() const noexcept;
  void consume(std::size_t count) noexcept;
  void let_go() noexcept;  // the response was let go early
  [[nodiscard]] net::Stream take_stream() noexcept;
  [[nodiscard]] std::string_view received() const noexcept { return in_.data(); }
  [[nodiscard]] std::uint64_t body_received() const noexcept { return reader_.body_received(); }

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool is_reused() const noexcept { return reused_; }
  [[nodiscard]] port::Time idle_since() const noexcept { return since_; }
  [[nodiscard]] port::Time made_at() const noexcept { return made_at_; }
  [[nodiscard]] HostEntry& host() const noexcept { return host_; }
  [[nodiscard]] RoundTrip* trip() const noexcept { return trip_; }
  [[nodiscard]] std::uint32_t serial() const noexcept { return serial_; }
  // The round trip a dial was begun for, if it still waits.
  RoundTrip* owner = nullptr;

  base::ListLink<PersistConn> place;      // one of the transport's lists
  base::ListLink<PersistConn> idle_link;  // HostEntry::idle

 private:
  friend class Transport;
  friend class RoundTrip;
  friend class Response;

  void enter(State state) noexcept;
  [[nodiscard]] port::Time now() const noexcept;
  void trace(TraceEvent event, std::string_view text = {}, int status = 0) noexcept;
  void tell(RoundTrip& trip, TraceEvent event, std::string_view text = {}, int status = 0) noexcept;
  void tell_end(RoundTrip& trip) noexcept;

  // making
  void dial_changed() noexcept;
  void connected() noexcept;
  void step_tunnel() noexcept;
  void reached() noexcept;
  void step_handshake() noexcept;
  void handshake_done() noexcept;
  void handshake_failed(const tls::ErrorInfo& info) noexcept;
  void dial_failed(const CallError& error) noexcept;
  [[nodiscard]] ProxyTunnel& tunnel() noexcept;
  void end_tunnel() noexcept;

  // sending
  [[nodiscard]] CallCause compose(const ClientRequest& request) noexcept;
  void send() noexcept;
  void sent_all() noexcept;
  void request_over() noexcept;
  void release_body() noexcept;
  void send_soon() noexcept;

  // receiving
  void read_pending() noexcept;
  void receive() noexcept;
  void read_on() noexcept;
  void head_came() noexcept;
  void interim_came() noexcept;
  void body_came() noexcept;
  void message_over() noexcept;
  void try_finish() noexcept;
  void reader_failed() noexcept;
  void input_over() noexcept;
  void input_failed() noexcept;
  void idle_readable() noexcept;
  void pump_decoder() noexcept;
  void drain_on() noexcept;
  void skip_body(std::size_t count) noexcept;
  [[nodiscard]] bool wants_to_read() const noexcept;
  [[nodiscard]] bool is_body_consumed() const noexcept;
  [[nodiscard]] bool may_be_reused() const noexcept;

  // ending
  void fail(CallCause cause) noexcept;
  void fail(CallError error) noexcept;
  void detach() noexcept;
  void clear_views() noexcept;
  void give_back_decoder() noexcept;
  [[nodiscard]] port::Time deadline() const noexcept;
  [[nodiscard]] port::Time trip_deadline() const noexcept;
  [[nodiscard]] CallError make_error(CallCause cause) const noexcept;
  [[nodiscard]] CallCause cause_of_loss() const noexcept;

  Transport& transport_;
  HostEntry& host_;
  net::Stream stream_{};
  std::optional<net::Dialer> dialer_{};
  RoundTrip* trip_ = nullptr;
  RoundTrip* viewer_ = nullptr;  // whose views of a head point into our memory
  base::Buffer in_{};
  base::Buffer out_{};
  std::span<char> in_memory_{};
  std::span<wire::Field> fields_{};
  wire::MessageReader reader_{};
  wire::MessageWriter writer_{};
  MessageSender sender_{};
  BodyDecoder* decoder_ = nullptr;
  std::optional<CallError> pending_error_{};  // told when what came before it was consumed
  port::Address remote_{};
  port::Time made_at_{};
  port::Time since_{};                       // start of the present state
  port::Time moved_at_{};                    // when bytes of the request or the response last moved
  port::Time wrote_at_{};                    // when the request was out
  port::Time finished_at_{};                 // when the response was over and the request was not
  port::Time phase_deadline_ = port::never;  // proxying, handshaking, waiting for 100
  port::Time asked_at_{};                    // for a TLS session, last
  port::Time rate_at_ = port::never;
  std::uint64_t rate_bytes_ = 0;
  std::uint64_t received_ = 0;  // bytes of this attempt
  std::uint64_t drained_ = 0;
  std::size_t head_bytes_ = 0;  // of 1xx heads and the final one
  std::uint32_t serial_ = 0;
  int system_error_ = 0;
  State state_ = State::connecting;
  List listed_ = List::dialing;
  port::Events wanted_ = port::Events::none;  // of the stream, in this turn
  bool reused_ = false;
  bool sends_ = false;  // the request is not out yet
  bool send_blocked_ = false;
  bool send_failed_ = false;  // the stream took no more; the response may still come
  bool waits_continue_ = false;
  bool head_came_ = false;
  bool message_over_ = false;  // the response has come to its end
  bool input_ended_ = false;
  bool input_lost_ = false;
  bool input_truncated_ = false;  // it ended without TLS's close_notify: perhaps not where the peer meant it to
  bool keep_alive_ = false;
  bool broken_ = false;           // never to be used again
  bool hangup_seen_ = false;      // poll() would say it again and again
  bool decoder_ended_ = false;    // it was told that the raw body is over
  bool send_soon_ = false;        // in this turn's work
  bool switched_ = false;         // 101: what comes is no HTTP any more
  bool names_told_ = false;       // to the trace hook
  bool tunnelled_ = false;        // the tunnel object lives in in_memory_
  bool request_whole_ = true;     // nothing of a request that was begun is missing
  bool asked_session_ = false;    // once at least
  bool waits_for_clock_ = false;  // for the TLS session, instead of a free one
  bool step_due_ = false;         // of the handshake: this turn's share of the processor is used up
  bool read_due_ = false;         // TLS holds bytes that no event will tell of
};

}  // namespace pollux::http
