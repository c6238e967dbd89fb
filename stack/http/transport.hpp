// Transport: the pool of client connections - who owns a connection, and until when (net/http's Transport, on fixed memory and one loop).
//
//   constinit http::TransportStorage<http::TransportLimits{}> memory;
//   http::Transport transport{{.loop = loop, .memory = memory.memory(), .resolver = &resolver}};
//
// A round trip takes the idle connection used last for its host, or else waits for whichever comes first: one that another round trip
// gives back, or its own dial. A dial belongs to the host, not to the caller: it survives its caller's cancel and its connection goes to
// the next one who waits, or to the pool.
//
// https needs a tls::ClientContext: who is trusted, the sessions, and those that can be resumed are its own.
//
//   tls::ClientContext context{{.library = library, .memory = tls_memory.memory(), .trust = &store}};
//   http::Transport transport{{.loop = loop, .memory = memory.memory(), .resolver = &resolver, .tls = &context}};
//
// What happens when something runs out (each counted in TransportCounters and tested):
//   connections   the idle connection unused longest, of another host, is closed for the new one; if none is idle the round trip waits,
//                 first in first out, its deadline running
//   hosts         a host without round trips gives its entry up, and its connections; if all have some, CallCause::too_many_hosts
//   max_conns_per_host   the round trip waits, first in first out
//   in_buffer     a response head that does not fit: CallCause::head_too_large. Bodies stream through it
//   out_buffer    a request head that does not fit: CallCause::head_too_long. Bodies stream through it
//   fields        head_too_large
//   decoders      the request does not ask for gzip; what comes encoded all the same is passed on as it is
//   TLS sessions  (ClientTlsLimits::sessions) the idle TLS connection unused longest, of another host, is closed for the new one; if none is
//                 idle the new one waits, connected, first in first out, its deadline running (TransportTimeouts::tls_handshake)
//   TLS handshakes, TLS arena  the new connection waits likewise
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
#include "stack/http/body_decoder.hpp"
#include "stack/http/call_error.hpp"
#include "stack/http/host_entry.hpp"
#include "stack/http/persist_conn.hpp"
#include "stack/http/round_trip.hpp"
#include "stack/http/transport_storage.hpp"
#include "stack/net/loop.hpp"
#include "stack/net/resolver.hpp"
#include "stack/tls/client_context.hpp"

namespace pollux::http {

class Proxy;
class ProxySettings;

using namespace std::chrono_literals;

// Names and meaning are net/http's; zero means no limit, where not said otherwise.
struct TransportTimeouts {
  port::Duration total = 0s;     // of a round trip with its body; RoundTripOptions::timeout wins
  port::Duration connect = 30s;  // names and connect together
  port::Duration tls_handshake =
      10s;                     // from "connected" (behind a proxy: to the target), the wait for a session included
  port::Duration proxy = 60s;  // CONNECT or SOCKS exchange
  port::Duration response_header = 60s;  // from the request's last byte to the end of the final head
  port::Duration expect_continue = 1s;   // 0: the body is sent at once
  port::Duration write_stall = 30s;      // no byte of the request could be written
  port::Duration source = 5min;          // the body's source said `later` and was not resumed
  port::Duration body_idle = 60s;        // no byte of the body came although it was wanted
  port::Duration body_unread = 60s;      // bytes are there and nobody consumes them: counted as abandoned
  port::Duration idle_conn = 90s;        // IdleConnTimeout
  port::Duration conn_lifetime = 0s;     // an older connection is not used again
  port::Duration drain = 50ms;           // for a response that was let go early; 0: it is closed at once
  port::Duration early_response = 50ms;  // for the request to be out once the response is over; 0: none
};

// The loop, the resolver, the proxies, the TLS context and the texts must outlive the transport.
struct TransportConfig {
  net::Loop& loop;
  TransportMemory memory;             // spans; the storage behind them must outlive the transport
  net::Resolver* resolver = nullptr;  // nullptr: literal addresses and localhost only
  tls::ClientContext* tls =
      nullptr;  // for https, started; several transports may share one. nullptr: CallCause::no_tls
  const ProxySettings* proxy =
      nullptr;  // nullptr: none. They are spoken to in clear text; https goes through them by CONNECT
  std::string_view proxy_connect_fields{};  // ProxyConnectHeader: field lines, each ended by CRLF
  std::string_view user_agent = "pollux";   // empty: none
  TransportTimeouts timeouts{};
  std::uint32_t max_idle_conns = 100;         // of all hosts; 0: no limit but the pool
  std::int32_t max_idle_conns_per_host = 2;   // negative: none is kept
  std::uint32_t max_conns_per_host = 0;       // dialing, active and idle
  std::size_t max_response_header_bytes = 0;  // 1xx and final heads together; 0: TransportLimits::head_size_max
  std::uint64_t drain_max_bytes = 64 * 1024;
  std::uint32_t rate_min = 0;  // bytes per second of a response body over rate_window, while it is wanted
  port::Duration rate_window = 10s;
  bool proxy_tunnels = false;  // CONNECT for http too (curl's --proxytunnel)
  bool disable_keep_alives = false;
  bool disable_compression = false;  // RoundTripOptions::decode is ignored
  DecodeLimits decode_limits{};
};

struct TransportCounters {
  std::uint64_t round_trips = 0;  // started
  std::uint64_t answered = 0;     // with a head
  std::uint64_t failed = 0;
  std::uint64_t retried = 0;
  std::uint64_t dials = 0;
  std::uint64_t dials_failed = 0;
  std::uint64_t tls_handshakes = 0;     // completed
  std::uint64_t tls_resumed = 0;        // of those, of a session the server remembered
  std::uint64_t waited_for_tls = 0;     // connections for which no TLS session, handshake or arena was free
  std::uint64_t reused = 0;             // round trips on a connection that had served before
  std::uint64_t waited_for_slot = 0;    // no connection slot was free
  std::uint64_t waited_for_permit = 0;  // max_conns_per_host
  std::uint64_t evicted = 0;            // idle connections closed for another host
  std::uint64_t refused_hosts = 0;      // too_many_hosts
  std::uint64_t drained = 0;            // let go early, and reused all the same
  std::uint64_t cut = 0;                // let go early, and closed
  std::uint64_t abandoned = 0;          // bodies nobody read
  std::uint64_t unsolicited = 0;        // bytes on an idle connection
  std::uint64_t idle_closed = 0;        // by the server, while idle
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};

class Transport final : public net::Driver {
 public:
  explicit Transport(const TransportConfig& config) noexcept;
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Closes idle connections and gives up dials nobody waits for; connections that become idle are closed too, until the next round trip
  // looks for one.
  void close_idle_connections() noexcept;
  // The network changed: as above, names are forgotten, and a round trip whose answer has not begun and that may be repeated is
  // begun again on a new connection. Not inside a trace hook or a body's source.
  void network_changed() noexcept;
  // Ends everything: round trips fail with CallCause::shut_down (in a turn), every socket is closed. start() fails afterwards. Not inside a
  // trace hook or a body's source.
  void close() noexcept;

  [[nodiscard]] const TransportConfig& config() const noexcept { return config_; }
  [[nodiscard]] const TransportCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::size_t connections_used() const noexcept;      // slots: dialing, active, idle, draining
  [[nodiscard]] std::size_t connections_used_max() const noexcept;  // high-water mark
  [[nodiscard]] std::size_t connections_idle() const noexcept;
  [[nodiscard]] std::size_t hosts_used() const noexcept;
  [[nodiscard]] std::size_t round_trips_under_way() const noexcept;
  [[nodiscard]] net::Loop& loop() const noexcept { return config_.loop; }

  // Checks what must always hold; the first thing that does not, or an empty view. For tests, each turn.
  [[nodiscard]] std::string_view check() const noexcept;

  // ---- for RoundTrip and PersistConn
  [[nodiscard]] port::Time now() const noexcept { return config_.loop.now(); }
  void start(RoundTrip& trip) noexcept;
  void cancel(RoundTrip& trip, CallCause cause) noexcept;
  void forget(RoundTrip& trip) noexcept;  // it is being destroyed
  void succeed(RoundTrip& trip) noexcept;
  void run_soon() noexcept { send_soon_ = true; }
  void check_dials_soon() noexcept { check_dials_ = true; }
  void admit_soon() noexcept { admit_soon_ = true; }
  void complete(RoundTrip& trip) noexcept;  // its callback is due
  void dial_done(PersistConn& conn) noexcept;
  void dial_failed(PersistConn& conn, const CallError& error) noexcept;
  // A connection whose response is over, or a dial nobody waited for: to a waiter, to the pool, or closed.
  void put(PersistConn& conn) noexcept;
  // A round trip whose connection failed: begun again, or ended with `error`.
  void attempt_failed(RoundTrip& trip, const CallError& error, bool may_retry) noexcept;
  void set_place(PersistConn& conn) noexcept;
  void leave_idle(PersistConn& conn) noexcept;
  [[nodiscard]] TransportCounters& counters() noexcept { return counters_; }
  [[nodiscard]] DecoderPool& decoders() noexcept { return decoders_; }
  [[nodiscard]] std::size_t head_bytes_max() const noexcept {
    return config_.max_response_header_bytes == 0 ? limits_.head_size_max : config_.max_response_header_bytes;
  }

  // ---- Driver
  [[nodiscard]] port::Time prepare(net::PollSet& set, port::Time now) override;
  void ready(std::uint32_t token, port::Events events, port::Time now) override;
  void parked_ready(std::uint32_t token, port::Events events, port::Time now) override;
  void expire(port::Time now) override;
  void work(port::Time now) override;

 private:
  using ConnList = base::List<PersistConn, &PersistConn::place>;
  using TripList = base::List<RoundTrip, &RoundTrip::link>;
  using CompletionList = base::List<RoundTrip, &RoundTrip::completion>;
  using WaitList = base::List<RoundTrip, &RoundTrip::dial_wait>;
  // Tokens of one connection: one for its stream, or one for each attempt of its dialer.
  static constexpr std::uint32_t tokens_each = net::Dialer::attempts_max;

  [[nodiscard]] CallCause find_host(RoundTrip& trip) noexcept;
  [[nodiscard]] HostEntry* find_key(const HostEntry& wanted) noexcept;
  void sweep_hosts() noexcept;
  void get_conn(RoundTrip& trip) noexcept;
  [[nodiscard]] PersistConn* take_idle(HostEntry& host, const RoundTrip& trip) noexcept;
  [[nodiscard]] bool may_dial(const HostEntry& host) const noexcept;
  void take_slot(RoundTrip& trip) noexcept;
  [[nodiscard]] bool make_slot(const HostEntry& host) noexcept;
  void start_dial(RoundTrip& trip) noexcept;
  void attach(PersistConn& conn, RoundTrip& trip) noexcept;
  void unqueue_dial(RoundTrip& trip) noexcept;
  void unqueue(RoundTrip& trip) noexcept;
  void trim(HostEntry& host) noexcept;
  [[nodiscard]] std::size_t idle_per_host_max() const noexcept;
  [[nodiscard]] bool has_too_many_idle() const noexcept;
  [[nodiscard]] ConnList& list_of(PersistConn::List list) noexcept;
  void leave(RoundTrip& trip) noexcept;
  void cancel_due() noexcept;
  void end(RoundTrip& trip, const CallError& error) noexcept;
  [[nodiscard]] CallError waiting_error(const RoundTrip& trip, CallCause cause) const noexcept;
  void serve_waiting() noexcept;
  void admit_waiting() noexcept;
  [[nodiscard]] bool evict_session(const PersistConn& conn) noexcept;
  [[nodiscard]] bool may_admit() const noexcept;
  void run_completions() noexcept;
  void run_completion(RoundTrip& trip) noexcept;
  void sweep() noexcept;
  [[nodiscard]] bool has_work() const noexcept;

  TransportConfig config_;
  TransportLimits limits_;
  TransportMemory memory_;
  base::Pool<PersistConn> conns_;
  base::Pool<HostEntry> hosts_;
  DecoderPool decoders_;
  ConnList dialing_;
  ConnList active_;  // busy, draining
  ConnList idle_;    // of all hosts, the one unused longest first
  ConnList ended_;   // to be swept at the end of the turn
  base::List<HostEntry, &HostEntry::link> host_list_;
  TripList trips_;              // under way
  WaitList fresh_;              // looking for a connection
  WaitList slot_wait_;          // allowed to dial, and no slot was free
  CompletionList completions_;  // callbacks that are due
  TransportCounters counters_{};
  std::uint32_t next_serial_ = 1;  // of connections
  bool closing_idle_ = false;      // close_idle_connections() was called and no round trip has looked for one since
  RoundTrip* running_ = nullptr;   // whose callback runs; it may end it
  std::uint32_t decoders_reserved_ = 0;
  // The earliest of all deadlines as prepare() saw them. What events set since is later than their turn's now, so before this
  // nothing can have expired, and nobody needs to be asked.
  port::Time deadline_ = port::never;
  // How many sessions and handshakes there were when a connection was told to wait for one.
  std::size_t sessions_seen_ = 0;
  std::size_t handshakes_seen_ = 0;
  bool waits_for_session_ = false;  // a connection does
  bool admit_soon_ = false;         // a connection is to ask for a TLS session
  bool send_soon_ = false;          // a connection has something to send that no event told of
  bool cancel_soon_ = false;        // a round trip was cancelled where it could not end at once
  bool serve_soon_ = false;         // somebody waits for something that has become free
  bool check_dials_ = false;        // the resolver has moved a dialer
  bool hosts_unused_ = false;       // an entry may be given back
  bool shut_down_ = false;
};

}  // namespace pollux::http
