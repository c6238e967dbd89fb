// ServerConn and Exchange: one connection of a server, and the request it is busy with.
//
// A connection is small and there are many; an exchange has the buffers, the two machines and the handler's state, and there may be
// fewer (ServerLimits::exchanges). A connection holds an exchange from the first byte of a request to the last of its answer.
//
//   free -> idle -> reading -> handling -> finishing -> idle ...
//    |       ^ |       |          |            |
//    | TLS   | |       v          v            v
//    |       | |    waiting    hijacked     lingering -> closing -> free        (any -> closing)
//    v       | +-> closing                     ^
//   handshaking -------------------------------+ refused
//
// This is the inside of Server; handlers see Request and ResponseWriter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "stack/base/buffer.hpp"
#include "stack/base/list.hpp"
#include "stack/base/pool.hpp"
#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"
#include "stack/http/server_stats.hpp"
#include "stack/net/stream.hpp"
#include "stack/tls/server_context.hpp"
#include "stack/wire/message_reader.hpp"
#include "stack/wire/message_writer.hpp"

namespace pollux::http {

class Server;
struct Listener;

// What follows the output buffer: bytes that are sent without passing through it, or made when there is room.
struct Tail {
  enum class Kind : std::uint8_t { none, bytes, file, source };
  Kind kind = Kind::none;
  bool later = false;        // source: it said `later` and was not resumed
  bool ended = false;        // source: it gave its last byte
  std::string_view bytes{};  // what is left of a constant
  port::File file{};
  std::uint64_t at = 0;    // file: next offset. source: bytes given
  std::uint64_t left = 0;  // file: bytes left
  BodySource source{};
};

// What is known about one request besides its head: reset as a whole for the next one.
struct Progress {
  std::uint64_t body_max = 0;
  std::uint64_t drained = 0;  // unread body bytes read away after the handler was done
  port::Time read_deadline = port::never;
  port::Time write_deadline = port::never;
  port::Time wait_deadline = port::never;
  port::Time moved_at{};             // when bytes last moved while we wanted them to
  port::Time rate_at = port::never;  // end of the window in which the body must come fast enough
  std::uint64_t rate_bytes = 0;      // bytes of the body in this window
  std::int64_t declared_size = -1;   // Content-Length the handler gave
  int status = 200;
  Next next = Next::done;      // what the suspended handler wants
  bool head_whole = false;     // the request's head was read
  bool in_call = false;        // the handler is running
  bool suspended = false;      // the handler was called and will be called again
  bool answered = false;       // the handler is done
  bool gone_wanted = false;    // a handler that was suspended once learns of the connection's end
  bool resumed = false;        // Deferred::resume() was called
  bool dropped = false;        // Deferred was let go
  bool expired = false;        // a Next::wait took too long
  bool wait_set = false;       // the handler said how long it may take
  bool body_end_seen = false;  // the handler was told that the body is over
  bool body_too_large = false;
  bool body_failed = false;       // malformed, ended early, or too slow
  bool expects_continue = false;  // 100 (Continue) is owed if the body is wanted
  bool cut_short = false;         // a write took less than it was given
  bool overrun = false;           // more was written than declared
  bool close_after = false;       // of the answer
  bool says_keep_alive = false;   // an HTTP/1.0 client asked for it
  bool linger = false;            // close by way of lingering
  bool status_set = false;
  bool no_body = false;  // the answer has no body: HEAD, 204, 304
  bool date_off = false;
  bool type_off = false;
  bool type_set = false;
  bool connection_set = false;  // the handler gave a Connection field of its own (an upgrade)
  bool trailers_declared = false;
  bool truncated = false;      // the answer has fewer bytes than were declared
  bool source_failed = false;  // a source or file could not give what the answer still needs
  bool counted = false;        // in ServerCounters::answers
};

// Lives as long as its server; taken by one connection after the other.
struct Exchange {
  Exchange(std::span<char> in_memory, std::span<char> out_memory, std::span<wire::Field> field_memory,
           std::span<std::byte> state, std::size_t head_size_limit) noexcept;
  // Becomes `owner`'s, for its next request. `follows_body`: see wire::MessageReader.
  void begin(ServerConn& owner, bool follows_body) noexcept;
  // Forgets the request that was answered; buffers and machines stay.
  void begin_request() noexcept;

  ServerConn* conn = nullptr;
  base::Buffer in;
  base::Buffer out;
  wire::MessageReader reader;
  wire::MessageWriter writer;
  Request request;
  Tail tail;
  Progress progress;
  port::Address local{};  // asked for on demand
  std::span<std::byte> state_memory;
  std::span<wire::Field> fields;
  std::size_t head_size_max = 0;
  bool write_blocked = false;  // the socket refused; wait until it is writable
  bool lost = false;           // the connection broke or was taken over: what is written goes nowhere
};

class ServerConn {
 public:
  enum class State : std::uint8_t {
    handshaking,  // TLS: silent so far, or waiting for a session, or in the handshake
    idle,         // between requests, or new; no exchange
    waiting,      // readable, but every exchange is busy; in the server's queue
    reading,      // a head, or a collected body, is coming
    handling,     // the handler has been called and will be called again
    finishing,    // the handler is done; the answer goes out, what is left of the body comes in
    lingering,    // our direction is finished; reading until the client's is
    closing,      // over; the slot is freed at the end of the turn
  };

  // Of a connection that `listener` (whose number is `number`) has accepted.
  ServerConn(Server& server, net::Stream stream, const port::Address& remote, const Listener& listener,
             std::uint8_t number, port::Time now) noexcept;

  // ---- events, called by Server
  void on_ready(port::Events events) noexcept;
  void on_deadline() noexcept;
  // Goes on with what is in the buffers: at most one request. True if there is more to do at once.
  [[nodiscard]] bool run() noexcept;
  // An exchange has come back and it is this connection's turn.
  void give(Exchange& exchange) noexcept;
  // TLS: a session is lent; the handshake begins.
  void begin_handshake(tls::Session& session) noexcept;
  // Goes on with the handshake as far as the socket allows. True: this turn's time for handshakes is over.
  [[nodiscard]] bool shake_hands() noexcept;
  void close(CloseReason reason) noexcept;
  // What it wants of its stream: net::Stream::to_poll() makes events of the socket of it.
  [[nodiscard]] port::Events interest() const noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] port::Time deadline() const noexcept { return deadline_; }
  [[nodiscard]] port::Time since() const noexcept { return since_; }
  [[nodiscard]] const net::Stream& stream() const noexcept { return stream_; }
  [[nodiscard]] const port::Address& remote() const noexcept { return remote_; }
  [[nodiscard]] std::uint8_t listener() const noexcept { return listener_; }
  // The head of the present request has been read; false between requests.
  [[nodiscard]] bool is_head_whole() const noexcept { return exchange_ != nullptr && exchange_->progress.head_whole; }
  // A head has been begun, and nothing of an earlier answer is left to be sent.
  [[nodiscard]] bool is_reading_head() const noexcept {
    return state_ == State::reading && !is_head_whole() && exchange_->out.is_empty();
  }
  // Nothing has come that was not answered.
  [[nodiscard]] bool is_silent() const noexcept {
    return state_ == State::idle || (state_ == State::handshaking && !stream_.is_tls() && !queue.is_linked);
  }
  // Of a TLS connection: its listener's; nullptr: a plain one.
  [[nodiscard]] tls::ServerContext* tls() const noexcept { return tls_; }
  [[nodiscard]] bool is_owner() const noexcept { return is_owner_; }
  // It holds one of the sessions of `context`. nullptr stands for any connection, TLS or not.
  [[nodiscard]] bool holds_session_of(const tls::ServerContext* context) const noexcept {
    return context == nullptr || (tls_ == context && stream_.is_tls());
  }

  // Since when a body or an answer has been too slow to keep its slot while others wait for one; `never` if it is not.
  [[nodiscard]] port::Time slow_since(port::Time now) const noexcept;

  // ---- for Request, ResponseWriter and Deferred
  [[nodiscard]] Exchange& exchange() noexcept { return *exchange_; }
  [[nodiscard]] const Exchange& exchange() const noexcept { return *exchange_; }
  [[nodiscard]] Server& server() const noexcept { return server_; }
  [[nodiscard]] BodyState body_state() const noexcept;
  [[nodiscard]] const port::Address& local() noexcept;
  [[nodiscard]] Deferred defer() noexcept;
  HeadChange open_head() noexcept;  // begins the answer's head if that was not done
  void restart_head() noexcept;     // its first lines again, after something in them changed
  HeadChange set_status(int code) noexcept;
  HeadChange set_field(std::string_view name, std::string_view value, bool replace) noexcept;
  std::size_t write(std::string_view text) noexcept;
  // Status, a type that is known to be valid, and all of the body.
  void answer(int code, std::string_view content_type, std::string_view body) noexcept;
  void set_tail(const Tail& tail, std::optional<std::uint64_t> size) noexcept;
  void flush() noexcept;
  [[nodiscard]] std::optional<Hijacked> hijack() noexcept;
  void resume(bool dropped) noexcept;
  void refresh_deadline() noexcept;

  base::ListLink<ServerConn> place;  // one of the server's lists, named by `placed`
  base::ListLink<ServerConn> queue;  // one of the server's queues, which one follows from the state
  enum class Place : std::uint8_t { none, handshaking, fresh, idle, active, ended };
  Place placed = Place::none;
  std::uint32_t placed_turn = 0;  // the loop's turn in which that was

 private:
  friend class Server;
  friend class ResponseWriter;
  friend class Request;

  void enter(State state) noexcept;
  [[nodiscard]] port::Time now() const noexcept;
  void release_exchange() noexcept;

  // TLS
  void handshake_over() noexcept;
  void handshake_failed() noexcept;
  [[nodiscard]] bool finish_sending() noexcept;
  [[nodiscard]] bool is_answer_cut() const noexcept;

  // reading
  void receive() noexcept;
  [[nodiscard]] std::span<char> room_to_receive() noexcept;
  void linger_on() noexcept;
  [[nodiscard]] bool read_on() noexcept;
  [[nodiscard]] bool head_came() noexcept;
  void reader_failed() noexcept;
  [[nodiscard]] bool body_is_over() const noexcept;
  [[nodiscard]] bool wants_body() const noexcept;
  [[nodiscard]] int split_target() noexcept;
  [[nodiscard]] int decode_path() noexcept;
  [[nodiscard]] bool route() noexcept;

  // handling
  void call(Event event) noexcept;
  void follow(Next next) noexcept;
  [[nodiscard]] bool handle_on() noexcept;
  [[nodiscard]] bool feed_handler() noexcept;
  void owe_continue() noexcept;
  [[nodiscard]] bool has_room_for_answer() noexcept;

  // answering
  void refuse(int status, std::string_view reason, CloseReason why) noexcept;
  void answer_for_handler(int status) noexcept;
  void finish_answer() noexcept;
  void settle_body(bool is_whole = false) noexcept;
  void settle_open_body(bool is_whole) noexcept;
  [[nodiscard]] bool finish_on() noexcept;
  void drain_body() noexcept;
  [[nodiscard]] std::string_view connection_value() const noexcept;
  [[nodiscard]] wire::MessageWriter::Framing framing(std::string_view body) noexcept;
  [[nodiscard]] bool decide_streamed() noexcept;
  void complete_writer() noexcept;
  void send() noexcept;
  [[nodiscard]] bool send_step() noexcept;
  [[nodiscard]] bool pull_source() noexcept;
  void end_tail() noexcept;
  void end_exchange() noexcept;
  void leave(CloseReason reason) noexcept;
  void linger(CloseReason reason) noexcept;
  void close_lost() noexcept;
  void become_idle() noexcept;
  void count_answer() noexcept;

  Server& server_;
  net::Stream stream_;
  tls::ServerContext* tls_ = nullptr;
  Exchange* exchange_ = nullptr;
  port::Address remote_;
  port::Time since_;  // start of the present state
  port::Time accepted_at_;
  port::Time deadline_ = port::never;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  std::uint32_t requests_ = 0;
  State state_;
  CloseReason leave_reason_ = CloseReason::client_closed;  // why it is left once the answer is out
  std::uint8_t listener_ = 0;
  bool input_ended_ = false;  // the client finished its direction
  bool body_before_ = true;   // the previous request had a body, or there was none: empty lines may precede the next
  bool parked_ = false;       // with the port, out of the poll set
  bool stayed_ = false;       // TLS: woken for nothing, and still where it was
  bool is_owner_ = false;     // of an owner listener
  bool has_waited_ = false;   // for a session or a handshake: counted once
};

}  // namespace pollux::http
