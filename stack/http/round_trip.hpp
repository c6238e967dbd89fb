// RoundTrip: one request and its response over a Transport, retried on another connection where that does no harm; Response: the handle of
// what came back, which cannot leak a connection.
//
//   ready -> waiting -> sending -> awaiting_head -> reading_body -> done -> ready ...
//               ^----------- retry -----'                    (any -> done by failure or cancel)
//
// A RoundTrip belongs to its caller and may be used again and again; it must live while it is under way, and ends that itself when it is
// destroyed, which has to be before its transport is. `answered` is called exactly once for each start(), in a turn of the loop and never
// inside start():
//
//   void got(http::Response& response) {
//     if (!response) { return report(response.error()); }
//     ... response.status(), response.fields(): valid until the body is over or the handle is let go ...
//     kept_ = std::move(response);        // or take what is there and let it go: drained within limits, or closed
//     kept_.on_body(net::callback<&App::more>(*this));
//   }
//   void more() {
//     use(kept_.body()); kept_.consume(kept_.body().size());
//     if (kept_.body_state() == BodyState::complete) { ... }      // the connection went back to the pool with the last byte
//   }
//
// Whoever does not consume stops the socket from being read (back-pressure); a body nobody consumes is ended by
// TransportConfig::body_idle_timeout and counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "stack/base/list.hpp"
#include "stack/base/pool.hpp"
#include "stack/http/call_error.hpp"
#include "stack/http/client_request.hpp"
#include "stack/http/trace.hpp"
#include "stack/net/loop.hpp"
#include "stack/net/stream.hpp"
#include "stack/wire/head.hpp"

namespace pollux::http {

class Transport;
class PersistConn;
class RoundTrip;
struct HostEntry;

enum class ResponseBodyState : std::uint8_t {
  more,      // bytes are there, or will come
  complete,  // every byte was consumed; trailers() are valid until the callback returns
  failed,    // error() tells; what body() holds is what had come
  closed,    // the handle was let go
};

// A connection taken over by 101 (Switching Protocols) or a 2xx to CONNECT: the taker closes the stream, which is still TLS if the connection
// was. `received` are bytes behind the head, valid until the callback returns; a TLS stream may hold more (Stream::has_pending()).
struct Upgraded {
  net::Stream stream;
  std::string_view received;
};

// Where a body is to go by itself (Response::pour).
struct ResponseSink {
  // Takes a part of `text` (not empty) from its front and returns how many bytes; 0: nothing now, until RoundTrip::resume_sink(). Called
  // in turns; it must not end the round trip.
  std::size_t (*take)(void* object, std::string_view text) = nullptr;
  // Called once, at the end: CallCause::none, or why the body is not complete. The round trip may be begun again in it.
  void (*done)(void* object, const CallError& error) = nullptr;
  void* object = nullptr;
};

// The handle of a response. Move-only; letting it go ends the round trip: what is left of the body is drained within
// TransportConfig::drain_max_bytes and drain_max_time, or the connection is closed. An empty handle (default, moved from) answers with nothing.
class Response {
 public:
  Response() = default;
  Response(Response&& other) noexcept;
  Response& operator=(Response&& other) noexcept;
  Response(const Response&) = delete;
  Response& operator=(const Response&) = delete;
  ~Response() { close(); }

  // There is a response; if not, error() tells why.
  [[nodiscard]] explicit operator bool() const noexcept;
  [[nodiscard]] const CallError& error() const noexcept;

  // ---- the head
  [[nodiscard]] int status() const noexcept;
  // These three are views into the connection's memory: valid until the body is over (for a response without one: until the callback
  // returns) or the handle is let go; empty afterwards.
  [[nodiscard]] std::string_view reason() const noexcept;
  [[nodiscard]] wire::Version version() const noexcept;
  [[nodiscard]] wire::Fields fields() const noexcept;
  [[nodiscard]] std::string_view head_text() const noexcept;  // as received, with the empty line
  // Declared bytes of the body; nothing if unknown (chunked, until close, decoded). To HEAD and 304: what the fields say.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept;
  // The connection will be closed behind it.
  [[nodiscard]] bool closes() const noexcept;
  // What TLS has agreed on, and who the server is; nullptr on a plain connection, and once the connection was closed or serves another round
  // trip, which it may from the last byte of the body on. TraceEvent::tls_done tells it too.
  [[nodiscard]] const tls::ConnectionInfo* tls() const noexcept;
  // Content-Encoding was taken off on the way (net/http: Uncompressed).
  [[nodiscard]] bool is_decoded() const noexcept;

  // ---- the body
  // What has come and was not consumed; valid until consume() or the end of the callback.
  [[nodiscard]] std::string_view body() const noexcept;
  void consume(std::size_t count) noexcept;
  [[nodiscard]] ResponseBodyState body_state() const noexcept;
  // Called in a turn when body() has grown, and when body_state() became complete or failed without anything to consume.
  void on_body(net::Callback<> changed) noexcept;
  // Gives what is left of the body to `sink`, and this handle to the round trip: all that remains is to wait for `done`. A sink that takes
  // nothing stops the socket from being read. Nothing happens with an empty handle.
  void pour(const ResponseSink& sink) noexcept;
  [[nodiscard]] std::uint64_t body_received() const noexcept;  // bytes taken off the framing so far, before decoding
  [[nodiscard]] wire::Fields trailers() const noexcept;

  // ---- the end
  // As letting it go. Idempotent.
  void close() noexcept;
  // 101 and CONNECT only: takes the connection out of the transport.
  [[nodiscard]] std::optional<Upgraded> upgrade() noexcept;
  // The round trip it came from; nullptr if empty.
  [[nodiscard]] RoundTrip* round_trip() const noexcept { return trip_; }

 private:
  friend class RoundTrip;
  friend class Transport;
  explicit Response(RoundTrip& trip) noexcept;
  void let_go() noexcept;      // without a word to the round trip
  RoundTrip* trip_ = nullptr;  // which knows its handle: neither outlives what it points to
};

// Memory of a round trip's request.
struct RoundTripMemory {
  std::span<char> url;
  std::span<char> fields;
};
template <std::size_t url_size = 512, std::size_t fields_size = 1024>
struct RoundTripStorage {
  std::array<char, url_size> url{};
  std::array<char, fields_size> fields{};
  [[nodiscard]] RoundTripMemory memory() noexcept { return {.url = url, .fields = fields}; }
};

struct RoundTripOptions {
  // From start() to the last byte of the body. 0: TransportConfig::total_timeout.
  port::Duration timeout{};
  // Where to connect instead of the URL's host and port (a unix socket, curl's --connect-to); the path outlives the round trip. The
  // connection is pooled under it.
  std::optional<port::Endpoint> endpoint{};
  // Called for each 1xx head but 101, with its text in Trace::text (TraceEvent::got_interim), and for everything else that happens.
  net::Callback<const Trace&> trace{};
  // Ask for gzip and decode it. Off by default: a board decides per call. Without a free decoder the request is sent without asking.
  bool decode = false;
};

class RoundTrip {
 public:
  enum class State : std::uint8_t { ready, waiting, sending, awaiting_head, reading_body, done };

  RoundTrip(Transport& transport, const RoundTripMemory& memory) noexcept;
  ~RoundTrip();
  RoundTrip(const RoundTrip&) = delete;
  RoundTrip& operator=(const RoundTrip&) = delete;

  [[nodiscard]] ClientRequest& request() noexcept { return request_; }
  [[nodiscard]] const ClientRequest& request() const noexcept { return request_; }

  // Begins. A faulty request is reported to `answered` too. While one is under way: nothing happens but an ENSURE (a bug of the caller).
  // Allowed inside `answered` and on_body callbacks of any round trip; of its own once the body is over or let go.
  void start(net::Callback<Response&> answered, const RoundTripOptions& options = {}) noexcept;
  // Ends it, in any state: `answered`, if it is still due, gets CallCause::cancelled; a body under way fails with it. A dial
  // that began for it goes on for others.
  void cancel() noexcept;
  // The body source that said `later` has more.
  void resume_body() noexcept;
  // The sink that took nothing takes more.
  void resume_sink() noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool is_under_way() const noexcept { return state_ != State::ready && state_ != State::done; }
  [[nodiscard]] Transport& transport() const noexcept { return transport_; }
  [[nodiscard]] const CallError& error() const noexcept { return error_; }
  // How often it was begun again on another connection.
  [[nodiscard]] std::uint32_t retries() const noexcept { return retries_; }
  // Of the connection it went out on.
  [[nodiscard]] bool was_reused() const noexcept { return reused_; }
  [[nodiscard]] const port::Address& remote() const noexcept { return remote_; }
  // Our end of that connection, asked from the system; none unless the round trip has one now (from TraceEvent::got_conn to its end).
  [[nodiscard]] port::Address local() const noexcept;

  // In the transport's lists.
  base::ListLink<RoundTrip> link;        // all under way
  base::ListLink<RoundTrip> idle_wait;   // HostEntry: waits for a connection that comes back
  base::ListLink<RoundTrip> dial_wait;   // HostEntry: waits for a permit to dial
  base::ListLink<RoundTrip> completion;  // `answered` or the body callback is due

 private:
  friend class Transport;
  friend class PersistConn;
  friend class Response;
  friend class Call;

  // Tells the trace hook, if there is one.
  void tell(const Trace& trace) noexcept;

  // As start() of a faulty request: `answered` gets this cause and stage, in a turn. For what goes wrong between the round trips of a call.
  void refuse(net::Callback<Response&> answered, CallStage stage, CallCause cause) noexcept;

  void pour_on() noexcept;

  Transport& transport_;
  ClientRequest request_;
  ResponseSink sink_{};
  Response poured_{};  // the handle, while a sink gets the body
  net::Callback<Response&> answered_{};
  net::Callback<> on_body_{};
  RoundTripOptions options_{};
  CallError error_{};
  PersistConn* conn_ = nullptr;
  HostEntry* host_ = nullptr;        // while it is under way
  PersistConn* own_dial_ = nullptr;  // the dial that was begun for it and still is under way
  port::Address remote_{};
  port::Time started_at_{};
  port::Time deadline_ = port::never;
  Response* response_ = nullptr;  // the handle, if somebody has it
  std::uint32_t retries_ = 0;
  int status_ = 0;
  State state_ = State::ready;
  ResponseBodyState body_state_ = ResponseBodyState::closed;
  enum class Queue : std::uint8_t { none, fresh, host, slot };
  Queue queue_ = Queue::none;         // which list dial_wait is in
  base::Handle host_handle_{};        // `host_`, or the host of the last time; a slot may have gone to another since
  std::uint32_t url_generation_ = 0;  // of the URL that host_handle_ was found for; 0: none
  wire::ResponseHead head_{};         // views into the connection's memory, or empty
  std::string_view head_text_{};
  wire::Fields trailers_{};
  PersistConn* conn_views_ = nullptr;  // whose memory head_, head_text_ and trailers_ point into
  std::optional<std::uint64_t> content_length_{};
  std::uint64_t body_received_ = 0;
  bool told_ = false;         // `answered` was called
  bool answer_due_ = false;   // `answered` is still to be called
  bool body_due_ = false;     // on_body_ is to be called
  bool source_open_ = false;  // the request's source is still to be closed
  bool body_begun_ = false;   // something was taken from it: it has to be rewound before it is sent again
  bool reused_ = false;
  bool asks_gzip_ = false;  // Accept-Encoding is ours
  bool decodes_ = false;    // a decoder is at work
  bool closes_ = false;     // the connection is not used again after this response
  bool head_known_ = false;
  bool is_calling_out_ = false;  // its trace hook or its body's source is being called: it must not end under them
  bool cancel_due_ = false;      // one of them has cancelled it
};

}  // namespace pollux::http
