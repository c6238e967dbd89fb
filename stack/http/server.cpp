#include "stack/http/server.hpp"

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/date.hpp"
#include "stack/wire/slice.hpp"
#include "stack/wire/status.hpp"

namespace pollux::http {

namespace {

// A connection idle for longer than this leaves the poll set (Port::park). Long enough that a busy keep-alive client never
// pays for it, short enough that a burst of idle ones is soon gone.
constexpr port::Duration park_after = 100ms;
constexpr std::size_t parks_per_turn = 64;
// How often a connection may run again within one turn before the loop polls.
constexpr int rounds_per_turn = 16;
// A head that has been coming for longer than this gives way to a new connection when every slot is taken.
constexpr port::Duration slow_head = 1s;
// At shutdown a connection that never sent a byte for this long counts as idle (net/http does the same).
constexpr port::Duration silent_at_shutdown = 5s;
constexpr port::Duration rest_min = 5ms;
constexpr port::Duration rest_max = 1s;
constexpr port::Duration date_check_every = 100ms;

constexpr std::string_view overload_answer =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Retry-After: 1\r\n"
    "Connection: close\r\n"
    "Content-Length: 24\r\n"
    "\r\n"
    "503 Service Unavailable\n";

// Marks that a callback of the loop is running: what would pull the ground from under it is put off to the end of the turn.
class InTurn {
 public:
  explicit InTurn(bool& flag) noexcept : flag_{flag}, before_{flag} { flag_ = true; }
  ~InTurn() { flag_ = before_; }
  InTurn(const InTurn&) = delete;
  InTurn& operator=(const InTurn&) = delete;

 private:
  bool& flag_;
  bool before_;
};

ListenError listen_error_of(port::Error error) noexcept {
  switch (error) {
    case port::Error::address_in_use:
      return ListenError::address_in_use;
    case port::Error::address_not_here:
      return ListenError::address_not_here;
    case port::Error::permission_denied:
      return ListenError::permission_denied;
    case port::Error::no_descriptors:
    case port::Error::no_memory:
      return ListenError::no_descriptors;
    case port::Error::not_found:
      return ListenError::not_found;
    case port::Error::name_too_long:
      return ListenError::name_too_long;
    case port::Error::would_block:
    case port::Error::aborted:
    case port::Error::not_regular:
    case port::Error::outside:
    case port::Error::refused:
    case port::Error::unreachable:
    case port::Error::timed_out:
    case port::Error::failed:
      break;
  }
  return ListenError::failed;
}

}  // namespace

Server::Server(const ServerConfig& config) noexcept
    : config_{config},
      memory_{config.memory},
      conns_{memory_.connections},
      exchanges_{memory_.exchanges,
                 [this](void* at, std::size_t i) {
                   // The slot's number decides which buffers belong to it; the slot given back last is taken first, so that its
                   // buffers are still in the cache.
                   const ServerLimits& limits = memory_.limits;
                   ::new (at)
                       Exchange{memory_.in_buffers.subspan(i * limits.in_buffer, limits.in_buffer),
                                memory_.out_buffers.subspan(i * limits.out_buffer, limits.out_buffer),
                                memory_.fields.subspan(i * limits.fields_max, limits.fields_max),
                                memory_.states.subspan(i * limits.state_size, limits.state_size), limits.head_size_max};
                 }},
      listeners_{memory_.listeners} {
  ENSURE(!memory_.connections.empty());
  ENSURE(!memory_.exchanges.empty());
  ENSURE(config_.server_name.size() <= server_name_max);
  config_.loop.add(*this);
}

Server::~Server() {
  close_now();
  config_.loop.remove(*this);
}

// ---- listeners

port::Result<port::Address, ListenError> Server::listen(const ListenConfig& config) noexcept {
  if (shutting_down_) {
    return port::Failure{ListenError::closed};
  }
  if (listeners_.is_empty()) {
    return port::Failure{ListenError::too_many};
  }
  const auto socket = config_.loop.port().listen({.endpoint = config.endpoint,
                                                  .backlog = config.backlog,
                                                  .reuse_port = config.reuse_port,
                                                  .free_bind = config.free_bind,
                                                  .local_mode = config.local_mode});
  if (!socket) {
    return port::Failure{listen_error_of(socket.error())};
  }
  return add_listener(*socket, config.owner, config.tls);
}

port::Result<port::Address, ListenError> Server::listen(port::Socket listener, bool owner,
                                                        tls::ServerContext* tls) noexcept {
  if (shutting_down_) {
    return port::Failure{ListenError::closed};
  }
  if (listeners_.is_empty()) {
    return port::Failure{ListenError::too_many};
  }
  return add_listener(listener, owner, tls);
}

port::Result<port::Address, ListenError> Server::add_listener(port::Socket socket, bool owner,
                                                              tls::ServerContext* tls) noexcept {
  ENSURE(tls == nullptr || (tls::is_built_in && tls->is_started()));
  const auto address = config_.loop.port().local_address(socket);
  if (!address) {
    config_.loop.port().close(socket);
    return port::Failure{listen_error_of(address.error())};
  }
  Listener* listener = listeners_.take(Listener{.socket = socket, .address = *address, .owner = owner, .tls = tls});
  ENSURE(listener != nullptr);
  return *address;
}

void Server::close_listeners() noexcept {
  for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
    if (Listener* listener = listeners_.at(i)) {
      config_.loop.port().close(listener->socket);
      listeners_.give_back(*listener);
    }
  }
}

// A slot is there for this listener: the reserved ones are for owners.
bool Server::has_slot(const Listener& listener) const noexcept {
  const std::size_t reserved = listener.owner ? 0 : memory_.limits.reserved_connections;
  return conns_.used() + reserved < conns_.size();
}

// The connection that gives way to a new one: the longest idle, then the longest silent, then a slow handshake, then the slowest head, then the
// slowest transfer. Nothing that has been there only since this turn: its request may lie in the socket already. (Turns, not time: a fast
// loop has several in one tick of a coarse clock.)
ServerConn* Server::find_victim(const tls::ServerContext* context) const noexcept {
  const auto turn = static_cast<std::uint32_t>(config_.loop.turns());
  for (const Places* list : {&idle_.all(), &fresh_.all(), &handshaking_}) {
    for (ServerConn* conn = list->front(); conn != nullptr; conn = Places::next(*conn)) {
      if (conn->is_silent() && conn->placed_turn != turn && conn->holds_session_of(context)) {
        return conn;
      }
    }
  }
  if (ServerConn* const slow = find_slow_handshake(context)) {
    return slow;
  }
  ServerConn* const slow = find_slow_head(context);
  return slow != nullptr ? slow : find_slow_transfer(context);
}

// The head that has been coming the longest, if that is too long while others wait.
ServerConn* Server::find_slow_head(const tls::ServerContext* context) const noexcept {
  ServerConn* slowest = nullptr;
  for (ServerConn* conn = active_.front(); conn != nullptr; conn = Places::next(*conn)) {
    if (conn->is_reading_head() && conn->since() + slow_head <= config_.loop.now() && conn->holds_session_of(context) &&
        (slowest == nullptr || conn->since() < slowest->since())) {
      slowest = conn;
    }
  }
  return slowest;
}

// The body or answer that has not moved for the longest, or a body that trickles: its client holds a slot that somebody who waits would use.
ServerConn* Server::find_slow_transfer(const tls::ServerContext* context) const noexcept {
  ServerConn* slowest = nullptr;
  port::Time slowest_moved = port::never;
  for (ServerConn* conn = active_.front(); conn != nullptr; conn = Places::next(*conn)) {
    const port::Time moved = conn->slow_since(config_.loop.now());
    if (moved < slowest_moved && conn->holds_session_of(context)) {
      slowest = conn;
      slowest_moved = moved;
    }
  }
  return slowest;
}

// Called once per turn and listener: whether to ask the kernel for new connections.
bool Server::can_accept(const Listener& listener) noexcept {
  if (has_slot(listener) || config_.overload == Overload::answer) {
    was_full_ = false;
    return true;
  }
  if (!idle_.is_empty() || !fresh_.is_empty() || find_victim() != nullptr) {
    was_full_ = false;
    return true;
  }
  if (!was_full_) {
    was_full_ = true;
    ++counters_.listener_parked;
  }
  return false;
}

void Server::accept_from(Listener& listener) noexcept {
  bool has_taken = false;
  // Bounded, so that a flood of connections cannot keep the loop from those it has.
  for (std::size_t i = 0; i < parks_per_turn; ++i) {
    ServerConn* victim = nullptr;
    if (!has_slot(listener)) {
      victim = find_victim();
      if (victim == nullptr && config_.overload == Overload::park) {
        return;
      }
    }
    const auto accepted = config_.loop.port().accept(listener.socket);
    if (!accepted) {
      if (accepted.error() == port::Error::aborted) {
        continue;
      }
      // Behind a success, with the last descriptor gone, it need not mean that anybody waits: the next poll tells.
      const bool is_known = has_taken && accepted.error() == port::Error::no_descriptors;
      if (accepted.error() != port::Error::would_block && !is_known) {
        accept_error(listener, accepted.error());
      }
      return;
    }
    has_taken = true;
    listener.rest = port::Duration::zero();
    ++counters_.accepted;
    if (victim != nullptr) {
      victim->close(CloseReason::evicted);
      sweep();
    } else if (!has_slot(listener)) {
      turn_away(listener, accepted->socket, accepted->peer);
      continue;
    }
    const auto number = static_cast<std::uint8_t>(listeners_.index_of(listener));
    ServerConn* conn = conns_.take(*this, net::Stream{config_.loop.port(), accepted->socket}, accepted->peer, listener,
                                   number, config_.loop.now());
    ENSURE(conn != nullptr);
    put(*conn, listener.tls != nullptr ? Place::handshaking : Place::fresh);
    conn->refresh_deadline();
    notify(ConnState::fresh, *conn);
  }
}

// Without descriptors accepting would fail again and again: rest for a while, longer each time.
void Server::accept_error(Listener& listener, port::Error error) noexcept {
  ++counters_.accept_errors;
  listener.rest = listener.rest == port::Duration::zero() ? rest_min : listener.rest * 2;
  if (listener.rest > rest_max) {
    listener.rest = rest_max;
  }
  listener.rests_until = config_.loop.now() + listener.rest;
  // An idle connection's descriptor is worth less than the new client's.
  if (ServerConn* victim = find_victim(); victim != nullptr && error == port::Error::no_descriptors) {
    victim->close(CloseReason::evicted);
  }
  log(port::describe(error));
}

// Every slot is taken and the configuration says to answer. What the client has sent already is read away first, since closing with unread
// input would reset the connection and could destroy the answer. Over TLS an answer would cost a handshake: there the end has to do.
void Server::turn_away(const Listener& listener, port::Socket socket, const port::Address& peer) noexcept {
  net::Stream stream{config_.loop.port(), socket};
  net::StreamResult result{};
  if (listener.tls == nullptr) {
    std::array<char, 1024> scratch;
    static_cast<void>(stream.recv(scratch));
    result = stream.send(overload_answer);
    if (result.status == net::StreamStatus::ok) {
      counters_.bytes_out += result.size;
      ++counters_.answers[5];
    }
    stream.shutdown_send();
  }
  stream.close();
  const port::Time now = config_.loop.now();
  ++counters_.closes[static_cast<std::size_t>(CloseReason::refused)];
  memory_.closes[static_cast<std::size_t>(close_count_++ % memory_.closes.size())] =
      CloseRecord{.at = now, .remote = peer, .bytes_out = result.size, .reason = CloseReason::refused};
}

// ---- the turn

port::Time Server::prepare(net::PollSet& set, port::Time now) {
  const bool is_over = shutdown_deadline_ != port::never && conns_.used() == 0;
  const bool has_work = !run_.is_empty() || !ended_.is_empty() || close_wanted_ || is_over;
  port::Time deadline = has_work ? now : port::never;
  next_deadline_ = port::never;
  if (!handshaking_.is_empty()) {
    deadline = port::earliest(deadline, prepare_handshakes(set, now));
  }
  for (IdleList* list : {&fresh_, &idle_}) {
    if (!list->is_empty()) {
      prepare_idle(*list, set, now);
      next_deadline_ = port::earliest(next_deadline_, list->front()->deadline());
    }
  }
  for (const ServerConn* conn = active_.front(); conn != nullptr; conn = Places::next(*conn)) {
    port::Events wanted = conn->interest();
    if (conn->stream().is_tls()) {
      if (conn->stream().has_pending() && port::has(wanted, port::Events::readable)) {
        has_pending_reads_ = true;
        deadline = now;
      }
      wanted = conn->stream().to_poll(wanted);
    }
    const bool added = set.add(conn->stream().socket(), wanted, conns_.index_of(*conn));
    ENSURE(added);  // LoopStorage is smaller than sockets_max(limits)
    next_deadline_ = port::earliest(next_deadline_, conn->deadline());
  }
  deadline = port::earliest(deadline, next_deadline_);
  // Last, so that a turn reads from those that are here before it lets others in.
  for (std::uint32_t i = 0, found = 0; found < listeners_.used(); ++i) {
    const Listener* listener = listeners_.at(i);
    if (listener == nullptr) {
      continue;
    }
    ++found;
    if (listener->rests_until > now) {
      deadline = port::earliest(deadline, listener->rests_until);
    } else if (can_accept(*listener)) {
      const bool added =
          set.add(listener->socket, port::Events::readable, static_cast<std::uint32_t>(conns_.size()) + i);
      ENSURE(added);
    } else {
      // A head that is slow now may be slow enough to give way then.
      deadline = port::earliest(deadline, now + slow_head);
    }
  }
  if (!waiting_.is_empty()) {
    deadline = port::earliest(deadline, now + slow_head);
  }
  return shutting_down_ ? port::earliest(deadline, shutdown_deadline_) : deadline;
}

// Parks those that have been idle for a while, the oldest first and some per turn, and polls the others.
void Server::prepare_idle(IdleList& list, net::PollSet& set, port::Time now) noexcept {
  for (std::size_t parks = 0; can_park_ && parks < parks_per_turn; ++parks) {
    ServerConn* conn = list.first_polled();
    if (conn == nullptr || conn->since() + park_after > now) {
      break;
    }
    if (conn->stream().to_poll(port::Events::readable) != port::Events::readable) {
      break;  // TLS has something to send first; what is parked waits for readability only
    }
    can_park_ = config_.loop.park(*this, conn->stream().socket(), conns_.index_of(*conn));
    if (can_park_) {
      conn->parked_ = true;
      list.first_was_parked();
    }
  }
  for (ServerConn* conn = list.first_polled(); conn != nullptr; conn = Places::next(*conn)) {
    const bool added =
        set.add(conn->stream().socket(), conn->stream().to_poll(port::Events::readable), conns_.index_of(*conn));
    ENSURE(added);  // LoopStorage is smaller than sockets_max(limits)
  }
}

void Server::ready(std::uint32_t token, port::Events events, port::Time) {
  const InTurn in_turn{in_turn_};
  if (token >= conns_.size()) {
    if (Listener* listener = listeners_.at(token - static_cast<std::uint32_t>(conns_.size()))) {
      accept_from(*listener);
    }
  } else if (ServerConn* conn = conns_.at(token)) {
    conn->on_ready(events);
  }
}

void Server::parked_ready(std::uint32_t token, port::Events events, port::Time now) {
  const InTurn in_turn{in_turn_};
  ServerConn* conn = conns_.at(token);
  ENSURE(conn != nullptr);
  conn->parked_ = false;
  conn->stayed_ = false;
  conn->on_ready(events);
  if (conn->stayed_ && conn->state() == ServerConn::State::idle) {
    const bool waits_to_read = conn->stream().to_poll(port::Events::readable) == port::Events::readable;
    conn->parked_ = waits_to_read && config_.loop.park(*this, conn->stream().socket(), token);
    if (!conn->parked_) {
      conn->since_ = now;  // to those that are polled, whose deadlines come later
      put(*conn, conn->placed);
      conn->refresh_deadline();
    }
  }
}

void Server::expire(port::Time now) {
  if (next_deadline_ > now) {
    return;
  }
  const InTurn in_turn{in_turn_};
  while (ServerConn* oldest = handshaking_.front()) {
    if (oldest->deadline() > now) {
      break;
    }
    oldest->on_deadline();
  }
  for (IdleList* list : {&fresh_, &idle_}) {
    while (ServerConn* oldest = list->front()) {
      if (oldest->deadline() > now) {
        break;
      }
      if (oldest->state() != ServerConn::State::idle) {
        put(*oldest, Place::active);  // its request has just come: in time
        continue;
      }
      oldest->on_deadline();
    }
  }
  active_.for_each([now](ServerConn& conn) {
    if (conn.deadline() <= now) {
      conn.on_deadline();
    }
  });
}

void Server::work(port::Time now) {
  {
    const InTurn in_turn{in_turn_};
    if (has_pending_reads_) {
      read_pending();
    }
    if (!waiting_.is_empty() && exchanges_.is_empty()) {
      if (ServerConn* slow = find_slow_head()) {
        slow->close(CloseReason::evicted);
      }
    }
    if (!waiting_.is_empty()) {
      serve_waiting();
    }
    for (bool is_first = true;; is_first = false) {
      run_queue();
      if (handshaking_.is_empty() || !is_first) {
        break;
      }
      go_on_with_handshakes();  // behind the requests, which are quick; then those that came with the end of one
    }
  }
  sweep();
  if (close_wanted_) {
    close_now();
  }
  if (shutdown_deadline_ != port::never) {
    if (conns_.used() == 0) {
      finish_shutdown(ShutdownResult::complete);
    } else if (shutdown_deadline_ <= now) {
      finish_shutdown(ShutdownResult::deadline);
    }
  }
}

// In rounds: every connection that has something to go on with handles one request per round, so that a client that pipelines takes
// no more than its turn.
void Server::run_queue() noexcept {
  for (int round = 0; round < rounds_per_turn && !run_.is_empty(); ++round) {
    for (std::size_t count = run_.size(); count > 0; --count) {
      ServerConn* conn = run_.pop_front();
      if (conn == nullptr) {
        break;
      }
      const bool has_more = conn->run();
      if (conn->state() != ServerConn::State::idle && conn->state() != ServerConn::State::closing) {
        put(*conn, Place::active);
      }
      if (has_more) {
        enqueue(*conn);
      }
    }
    if (!waiting_.is_empty()) {
      serve_waiting();
    }
  }
}

void Server::serve_waiting() noexcept {
  while (!waiting_.is_empty() && !exchanges_.is_empty()) {
    ServerConn* conn = waiting_.pop_front();
    Exchange* exchange = take_exchange();
    ENSURE(exchange != nullptr);
    conn->give(*exchange);
  }
}

void Server::sweep() noexcept {
  while (ServerConn* conn = ended_.pop_front()) {
    conns_.give_back(*conn);
  }
}

// ---- ending

void Server::shutdown(port::Duration deadline, net::Callback<ShutdownResult> done) noexcept {
  shutting_down_ = true;
  shutdown_done_ = done;
  shutdown_deadline_ = config_.loop.now() + deadline;
  close_listeners();
  const InTurn in_turn{in_turn_};
  idle_.for_each([](ServerConn& conn) {
    if (conn.state() == ServerConn::State::idle) {
      conn.close(CloseReason::shutdown);
    }
  });
  handshaking_.for_each([this](ServerConn& conn) {
    if (conn.accepted_at_ + silent_at_shutdown <= config_.loop.now()) {
      conn.close(CloseReason::shutdown);
    } else {
      conn.refresh_deadline();
    }
  });
  fresh_.for_each([this](ServerConn& conn) {
    if (conn.state() != ServerConn::State::idle) {
      return;
    }
    if (conn.since() + silent_at_shutdown <= config_.loop.now()) {
      conn.close(CloseReason::shutdown);
    } else {
      conn.refresh_deadline();
    }
  });
}

void Server::finish_shutdown(ShutdownResult result) noexcept {
  const net::Callback<ShutdownResult> done = shutdown_done_;
  shutdown_done_ = {};
  shutdown_deadline_ = port::never;
  done(result);
}

void Server::close() noexcept {
  shutting_down_ = true;
  close_wanted_ = true;
  if (!in_turn_) {
    close_now();
  }
}

void Server::close_now() noexcept {
  close_wanted_ = false;
  shutting_down_ = true;
  close_listeners();
  const InTurn in_turn{in_turn_};
  for (const Places* list :
       {static_cast<const Places*>(&handshaking_), &fresh_.all(), &idle_.all(), static_cast<const Places*>(&active_)}) {
    while (ServerConn* conn = list->front()) {
      conn->close(CloseReason::closed);
    }
  }
  sweep();
}

void Server::set_keep_alives_enabled(bool enabled) noexcept {
  keep_alives_enabled_ = enabled;
  if (!enabled) {
    const InTurn in_turn{in_turn_};
    idle_.for_each([](ServerConn& conn) {
      if (conn.state() == ServerConn::State::idle) {
        conn.close(CloseReason::closed);
      }
    });
  }
}

// ---- for connections

// Moves a connection to another list, or to the end of its own.
void Server::put(ServerConn& conn, Place place) noexcept {
  if (conn.placed == place && (place == Place::active || (place == Place::idle && idle_.is_last_polled(conn)))) {
    return;  // there already
  }
  switch (conn.placed) {
    case Place::none:
      break;
    case Place::handshaking:
      handshaking_.remove(conn);
      break;
    case Place::fresh:
      fresh_.remove(conn);
      break;
    case Place::idle:
      idle_.remove(conn);
      break;
    case Place::active:
      active_.remove(conn);
      break;
    case Place::ended:
      ended_.remove(conn);
      break;
  }
  if (conn.parked_) {
    conn.parked_ = false;
    if (place != Place::ended) {
      config_.loop.unpark(conn.stream().socket());
    }
  }
  conn.placed = place;
  conn.placed_turn = static_cast<std::uint32_t>(config_.loop.turns());
  switch (place) {
    case Place::none:
      break;
    case Place::handshaking:
      handshaking_.push_back(conn);
      break;
    case Place::fresh:
      fresh_.push_back(conn);
      break;
    case Place::idle:
      idle_.push_back(conn);
      break;
    case Place::active:
      active_.push_back(conn);
      break;
    case Place::ended:
      ended_.push_back(conn);
      break;
  }
}

void Server::enqueue(ServerConn& conn) noexcept {
  if (!conn.queue.is_linked) {
    run_.push_back(conn);
  }
}

void Server::dequeue(ServerConn& conn) noexcept {
  if (conn.queue.is_linked) {
    switch (conn.state()) {
      case ServerConn::State::handshaking:
        (conn.stream().is_tls() ? handshakes_ : admissions_).remove(conn);
        return;
      case ServerConn::State::waiting:
        waiting_.remove(conn);
        return;
      case ServerConn::State::idle:
      case ServerConn::State::reading:
      case ServerConn::State::handling:
      case ServerConn::State::finishing:
      case ServerConn::State::lingering:
      case ServerConn::State::closing:
        run_.remove(conn);
        return;
    }
  }
}

Exchange* Server::take_exchange() noexcept {
  return exchanges_.is_empty() ? nullptr : exchanges_.take();
}

ServerConn* Server::find_waiting(base::Handle handle, std::uint32_t serial) const noexcept {
  Exchange* exchange = exchanges_.find(handle);
  if (exchange == nullptr || exchange->conn->requests_ != serial || exchange->lost) {
    return nullptr;
  }
  return exchange->progress.answered && !exchange->tail.later ? nullptr : exchange->conn;
}

void Server::give_back(Exchange& exchange) noexcept {
  exchanges_.give_back(exchange);
}

void Server::record_close(const ServerConn& conn, CloseReason reason) noexcept {
  ++counters_.closes[static_cast<std::size_t>(reason)];
  const port::Time now = config_.loop.now();
  memory_.closes[static_cast<std::size_t>(close_count_++ % memory_.closes.size())] =
      CloseRecord{.at = now,
                  .lived = now - conn.accepted_at_,
                  .remote = conn.remote_,
                  .requests = conn.requests_,
                  .bytes_in = conn.bytes_in_,
                  .bytes_out = conn.bytes_out_,
                  .reason = reason};
}

void Server::notify(ConnState state, const ServerConn& conn) noexcept {
  if (config_.on_state) {
    const bool is_open = state == ConnState::active || state == ConnState::idle;
    config_.on_state(ConnEvent{.state = state,
                               .connection = conns_.handle_of(conn),
                               .remote = conn.remote(),
                               .tls = is_open ? conn.stream().tls_info() : nullptr});
  }
}

void Server::log(std::string_view text) noexcept {
  config_.log(text);
}

PoolUse Server::connections() const noexcept {
  return {.used = conns_.used(), .used_max = conns_.used_max(), .size = conns_.size()};
}
PoolUse Server::exchanges() const noexcept {
  return {.used = exchanges_.used(), .used_max = exchanges_.used_max(), .size = exchanges_.size()};
}

// Nearly every answer begins with the same bytes for a whole second: they are made once.
void Server::refresh_date() noexcept {
  date_check_at_ = config_.loop.now() + date_check_every;
  const port::WallTime wall = config_.loop.port().wall_clock();
  if (start_text_size_ != 0 && wall == date_second_) {
    return;
  }
  date_second_ = wall;
  std::array<char, wire::http_date_size> date;
  base::TextWriter text{start_text_};
  text.put("HTTP/1.1 200 OK\r\n");
  if (const auto written = wire::write_http_date(wall, date)) {
    text.put("Date: ").put(*written).put("\r\n");
  }
  if (!config_.server_name.empty()) {
    text.put("Server: ").put(config_.server_name).put("\r\n");
  }
  ENSURE(!text.overflowed());
  start_text_size_ = text.size();
}

std::string_view Server::other_start_text(int status, std::string_view reason, wire::Version version,
                                          bool with_date) noexcept {
  const std::string_view usual{start_text_.data(), start_text_size_};
  base::TextWriter text{other_start_text_};
  text.put(version >= wire::http_1_1 ? "HTTP/1.1 " : "HTTP/1.0 ")
      .put_decimal(static_cast<std::uint64_t>(status))
      .put(' ');
  const std::string_view phrase = wire::reason_phrase(status);
  if (phrase.empty()) {
    text.put("status code ").put_decimal(static_cast<std::uint64_t>(status));
  } else {
    text.put(phrase);
  }
  if (!reason.empty()) {
    text.put(": ").put(reason);
  }
  std::string_view rest = wire::drop(usual, std::string_view{"HTTP/1.1 200 OK"}.size());
  if (!with_date && wire::starts_with(rest, "\r\nDate: ")) {
    rest.remove_prefix(std::string_view{"\r\nDate: \r\n"}.size() - 2 + wire::http_date_size);
  }
  text.put(rest);
  ENSURE(!text.overflowed());
  return text.view();
}

std::string_view describe(ListenError error) noexcept {
  switch (error) {
    case ListenError::address_in_use:
      return "address already in use";
    case ListenError::address_not_here:
      return "no interface has this address";
    case ListenError::permission_denied:
      return "permission denied";
    case ListenError::no_descriptors:
      return "no descriptors or memory left";
    case ListenError::not_found:
      return "no such directory";
    case ListenError::name_too_long:
      return "the name of the socket file is too long";
    case ListenError::too_many:
      return "more listeners than ServerLimits::listeners";
    case ListenError::closed:
      return "the server is shutting down";
    case ListenError::failed:
      break;
  }
  return "listening failed";
}

std::string_view describe(CloseReason reason) noexcept {
  constexpr std::string_view texts[close_reason_count] = {
      "client closed",   "close asked",      "peer reset",        "client truncated", "bad request",
      "body too large",  "handshake failed", "handshake timeout", "head timeout",     "body timeout",
      "write timeout",   "idle timeout",     "evicted",           "refused",          "aborted",
      "length mismatch", "answer overflow",  "hijacked",          "shutdown",         "closed"};
  return texts[static_cast<std::size_t>(reason)];
}

}  // namespace pollux::http
