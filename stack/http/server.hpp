// Server: accepts connections, reads requests, runs handlers, writes answers - on fixed memory, one thread, never waiting.
//
//   constinit http::ServerStorage<board::server_limits> storage;
//   ...
//   http::Server server{{.loop = loop, .handler = mux, .memory = storage.memory(), .timeouts = {.read_head = 5s}}};
//   if (auto listening = server.listen({.endpoint = {port::Address::ipv4_any(8080)}}); !listening) { ... }
//   return loop.run();
//
// What happens when something runs out (each row is counted in ServerCounters and tested):
//   connections   the longest idle connection is closed for the new one, then a silent one, a slow handshake, a head that takes longer than a second, a body or
//                 an answer that stands still for three; if there is none, `overload` decides: park the listener (the
//                 kernel queues) or answer 503 and close (over TLS: only close). The reserved slots are for listeners marked `owner`.
//   exchanges     a connection that wakes while every exchange is busy stays unread, its deadline running, until one comes back
//   input buffer  a head that does not fit: 431. A collected body that does not fit: 413
//   fields        431
//   output buffer the handler is asked to wait (Next::write_body); one that cannot is cut off (CloseReason::answer_overflow)
//   descriptors   the listener rests for 5 ms, doubling up to 1 s
//   listeners     listen() fails with ListenError::too_many
//   TLS sessions  (ListenConfig::tls; there may be fewer than connections) the longest idle TLS connection is closed for the new one, then
//                 others as for connections; if there is none, the new one waits, accepted and unread, its handshake deadline running
//   handshakes    one that has not come to its end for two seconds is closed for the next, if it is its client who keeps it waiting; if there is none,
//                 the next one waits as above, first in first out. Owner listeners have reserved ones of both
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "stack/base/list.hpp"
#include "stack/base/pool.hpp"
#include "stack/http/limits.hpp"
#include "stack/http/router.hpp"
#include "stack/http/server_conn.hpp"
#include "stack/http/server_stats.hpp"
#include "stack/http/server_storage.hpp"
#include "stack/net/loop.hpp"
#include "stack/tls/server_context.hpp"

namespace pollux::http {

using namespace std::chrono_literals;

// How long each thing may take. Zero: no limit. All are on by default.
struct ServerTimeouts {
  port::Duration handshake = 10s;    // accept to the end of the TLS handshake
  port::Duration read_head = 10s;    // first byte (or accept) to the end of the head; closes silently
  port::Duration read_body = 10min;  // end of the head to the end of the body
  port::Duration write = 10min;      // end of the head to the end of the answer
  port::Duration stall = 20s;        // no byte moved although we wanted to read the body or to write
  port::Duration idle = 60s;         // between requests
  port::Duration wait = 30s;         // a handler's Next::wait; then Event::expired, then 503
  port::Duration linger =
      500ms;  // after our FIN, until the client's, so that it can read the answer (RFC 9112 section 9.6)
  // A request body slower than this, over a window of rate_window, is ended. Bytes per second; 0: no limit. (Answers have `stall` and
  // `write`: what a client takes cannot be seen below the size of the kernel's send buffer.)
  std::uint32_t rate_min = 240;
  port::Duration rate_window = 5s;

  // No wait is without a limit.
  [[nodiscard]] constexpr bool all_on() const noexcept {
    return handshake > handshake.zero() && read_head > read_head.zero() && read_body > read_body.zero() &&
           write > write.zero() && stall > stall.zero() && idle > idle.zero() && wait > wait.zero() &&
           linger > linger.zero();
  }
};

// What to do with a new connection when every slot is taken and none is idle.
enum class Overload : std::uint8_t {
  park,    // stop accepting until a slot is free; the kernel queues up to the backlog
  answer,  // accept, send 503 with Retry-After, close
};

struct ServerConfig {
  net::Loop& loop;
  const Router& handler;
  ServerMemory memory;  // spans; the storage behind them must outlive the server
  ServerTimeouts timeouts{};
  Overload overload = Overload::park;
  std::uint64_t body_max = 1 << 20;            // longest request body of a route that says nothing
  std::uint64_t drain_max = 256 * 1024;        // unread body bytes that are read away to keep a connection; more: close
  std::string_view server_name{};              // Server field; "" sends none
  bool answer_options_star = true;             // OPTIONS * is answered here, with 200; false: the router sees it
  bool answer_head_timeout = false;            // 408 instead of silence when a head was begun and does not come
  net::Callback<const ConnEvent&> on_state{};  // net/http: ConnState
  net::Callback<std::string_view>
      log{};  // one line for what a person should know: accept errors, failed handshakes, lost answers
};

struct ListenConfig {
  port::Endpoint endpoint;
  bool owner = false;  // connections of this listener may use the reserved slots
  // Connections of this listener speak TLS with these certificates. Started already (ENSURE); must outlive the server, and the streams
  // that handlers have taken over.
  tls::ServerContext* tls = nullptr;
  std::uint16_t backlog = 511;
  bool reuse_port = false;
  bool free_bind = false;
  std::uint16_t local_mode = 0600;
};

enum class ListenError : std::uint8_t {
  address_in_use,
  address_not_here,
  permission_denied,
  no_descriptors,
  not_found,
  name_too_long,
  too_many,
  closed,
  failed,
};
[[nodiscard]] std::string_view describe(ListenError error) noexcept;

// How a shutdown ended.
enum class ShutdownResult : std::uint8_t { complete, deadline };

class Server final : private net::Driver {
 public:
  explicit Server(const ServerConfig& config) noexcept;
  ~Server();  // close()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Starts listening; the address it really got. May be called several times.
  port::Result<port::Address, ListenError> listen(const ListenConfig& config) noexcept;
  // The same for a listening socket somebody else made (systemd's LISTEN_FDS).
  port::Result<port::Address, ListenError> listen(port::Socket listener, bool owner = false,
                                                  tls::ServerContext* tls = nullptr) noexcept;

  // Graceful end (net/http: Shutdown): listeners close now, idle connections too; requests in progress get their answer with
  // "Connection: close". `done` is called, in a turn, when the last connection has ended or at the deadline (what is left then keeps going
  // until close()). Calling it again moves the deadline.
  void shutdown(port::Duration deadline, net::Callback<ShutdownResult> done = {}) noexcept;
  // Ends everything at once.
  void close() noexcept;
  // false: idle connections are closed now, the others after their answer (net/http: SetKeepAlivesEnabled).
  void set_keep_alives_enabled(bool enabled) noexcept;

  [[nodiscard]] bool is_shutting_down() const noexcept { return shutting_down_; }
  [[nodiscard]] const ServerCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] PoolUse connections() const noexcept;
  [[nodiscard]] PoolUse exchanges() const noexcept;
  // The most recent ends of connections, oldest first: visit(const CloseRecord&).
  template <typename Visit>
  void for_each_close(Visit&& visit) const {
    const std::size_t size = memory_.closes.size();
    const std::size_t count = close_count_ < size ? static_cast<std::size_t>(close_count_) : size;
    for (std::size_t i = 0; i < count; ++i) {
      visit(memory_.closes[static_cast<std::size_t>((close_count_ - count + i) % size)]);
    }
  }

  // What is wrong with the server's own books (lists, queues, pools, deadlines), as a sentence for tests and watchdogs; "" if nothing
  // is, as it must be between turns. Looks at every connection.
  [[nodiscard]] std::string_view check() const noexcept;

  [[nodiscard]] net::Loop& loop() const noexcept { return config_.loop; }
  [[nodiscard]] const ServerConfig& config() const noexcept { return config_; }

 private:
  friend class ServerConn;
  friend class Deferred;
  friend class ResponseWriter;
  using Place = ServerConn::Place;
  using Places = base::List<ServerConn, &ServerConn::place>;

  // Connections that wait for a first byte, oldest first: their deadlines come in this order, and those that are parked
  // stand before those that are polled.
  class IdleList {
   public:
    void push_back(ServerConn& conn) noexcept {
      conns_.push_back(conn);
      first_polled_ = first_polled_ != nullptr ? first_polled_ : &conn;
    }
    void remove(ServerConn& conn) noexcept {
      first_polled_ = first_polled_ == &conn ? Places::next(conn) : first_polled_;
      conns_.remove(conn);
    }
    // The oldest polled one has been parked.
    void first_was_parked() noexcept { first_polled_ = Places::next(*first_polled_); }
    [[nodiscard]] ServerConn* first_polled() const noexcept { return first_polled_; }
    // It stands at the end, where push_back() would put it.
    [[nodiscard]] bool is_last_polled(const ServerConn& conn) const noexcept {
      return first_polled_ != nullptr && Places::next(conn) == nullptr;
    }
    [[nodiscard]] const Places& all() const noexcept { return conns_; }
    [[nodiscard]] ServerConn* front() const noexcept { return conns_.front(); }
    [[nodiscard]] bool is_empty() const noexcept { return conns_.is_empty(); }
    template <typename Visit>
    void for_each(Visit&& visit) {
      conns_.for_each(visit);
    }

   private:
    Places conns_;
    ServerConn* first_polled_ = nullptr;
  };

  using Queue = base::List<ServerConn, &ServerConn::queue>;

  // net::Driver
  [[nodiscard]] port::Time prepare(net::PollSet& set, port::Time now) override;
  void ready(std::uint32_t token, port::Events events, port::Time now) override;
  void parked_ready(std::uint32_t token, port::Events events, port::Time now) override;
  void expire(port::Time now) override;
  void work(port::Time now) override;

  // listeners
  port::Result<port::Address, ListenError> add_listener(port::Socket socket, bool owner,
                                                        tls::ServerContext* tls) noexcept;
  void close_listeners() noexcept;
  [[nodiscard]] bool can_accept(const Listener& listener) noexcept;
  [[nodiscard]] bool has_slot(const Listener& listener) const noexcept;
  // Those that hold a session of `context`; nullptr: any.
  [[nodiscard]] ServerConn* find_victim(const tls::ServerContext* context = nullptr) const noexcept;
  [[nodiscard]] ServerConn* find_slow_handshake(const tls::ServerContext* context) const noexcept;
  [[nodiscard]] ServerConn* find_slow_head(const tls::ServerContext* context = nullptr) const noexcept;
  [[nodiscard]] ServerConn* find_slow_transfer(const tls::ServerContext* context) const noexcept;
  void accept_from(Listener& listener) noexcept;
  void accept_error(Listener& listener, port::Error error) noexcept;
  void turn_away(const Listener& listener, port::Socket socket, const port::Address& peer) noexcept;

  // TLS
  [[nodiscard]] port::Time prepare_handshakes(net::PollSet& set, port::Time now) noexcept;
  void queue_handshake(ServerConn& conn) noexcept;
  void go_on_with_handshakes() noexcept;
  void admit_waiting() noexcept;
  [[nodiscard]] bool admit(ServerConn& conn) noexcept;
  [[nodiscard]] bool make_way(const tls::ServerContext& context, bool owner) noexcept;
  void read_pending() noexcept;

  // connections
  void prepare_idle(IdleList& list, net::PollSet& set, port::Time now) noexcept;
  void put(ServerConn& conn, Place place) noexcept;
  void enqueue(ServerConn& conn) noexcept;
  void dequeue(ServerConn& conn) noexcept;
  void run_queue() noexcept;
  void serve_waiting() noexcept;
  void sweep() noexcept;
  void finish_shutdown(ShutdownResult result) noexcept;
  void close_now() noexcept;
  [[nodiscard]] Exchange* take_exchange() noexcept;
  void give_back(Exchange& exchange) noexcept;
  // The connection whose request a Deferred names, if that can still be answered.
  [[nodiscard]] ServerConn* find_waiting(base::Handle handle, std::uint32_t serial) const noexcept;
  [[nodiscard]] std::string_view check_quiet(const Places& list, Place place,
                                             std::size_t& exchanges_held) const noexcept;
  [[nodiscard]] std::string_view check_active(std::size_t& exchanges_held) const noexcept;
  [[nodiscard]] std::string_view check_handshakes() const noexcept;
  void record_close(const ServerConn& conn, CloseReason reason) noexcept;
  void notify(ConnState state, const ServerConn& conn) noexcept;
  void log(std::string_view text) noexcept;

  // Status line, Date and Server of an answer, in memory that the next call overwrites.
  [[nodiscard]] std::string_view start_text(int status, std::string_view reason, wire::Version version,
                                            bool with_date) noexcept {
    if (config_.loop.now() >= date_check_at_) {
      refresh_date();
    }
    if (status == 200 && reason.empty() && with_date && version >= wire::http_1_1) {
      return {start_text_.data(), start_text_size_};
    }
    return other_start_text(status, reason, version, with_date);
  }
  [[nodiscard]] std::string_view other_start_text(int status, std::string_view reason, wire::Version version,
                                                  bool with_date) noexcept;
  void refresh_date() noexcept;

  static constexpr std::size_t server_name_max = 64;

  ServerConfig config_;
  ServerMemory memory_;
  base::Pool<ServerConn> conns_;
  base::Pool<Exchange, base::Lifetime::resident> exchanges_;
  base::Pool<Listener> listeners_;
  Places handshaking_;  // TLS before the first request, oldest first: their deadlines come in this order
  IdleList fresh_;      // connected and silent so far
  IdleList idle_;       // between requests
  Places active_;       // everything else that is alive
  Places ended_;        // to be swept at the end of the turn
  Queue run_;           // something in their buffers to go on with
  Queue waiting_;       // readable, waiting for an exchange, first in first out
  Queue admissions_;    // TLS: readable, waiting for a session and a handshake, first in first out
  Queue handshakes_;    // TLS: handshakes that can go on
  ServerCounters counters_{};
  std::uint64_t close_count_ = 0;                 // the next record's place in the ring, never wrapped
  port::Time next_deadline_ = port::never;        // the earliest of all connections when this turn began
  port::Time date_check_at_ = port::Time::min();  // when the clock is asked again whether the second is over
  port::WallTime date_second_{};
  port::Time shutdown_deadline_ = port::never;
  net::Callback<ShutdownResult> shutdown_done_{};
  std::array<char, 64 + 8 + wire::http_date_size + 16 + server_name_max>
      start_text_{};  // "HTTP/1.1 200 OK", Date, Server
  std::size_t start_text_size_ = 0;
  std::array<char, 256> other_start_text_{};
  bool keep_alives_enabled_ = true;
  bool shutting_down_ = false;
  bool in_turn_ = false;
  bool close_wanted_ = false;
  bool can_park_ = true;
  bool was_full_ = false;
  bool has_pending_reads_ = false;  // something to receive is inside TLS: no event of a socket will tell
};

}  // namespace pollux::http
