// A connection's events and states. What follows from a head is in server_conn_read.cpp, the handler's calls are in server_conn_handle.cpp, its
// answer in server_conn_answer.cpp and server_conn_send.cpp, deadlines in server_conn_deadline.cpp, TLS before the first request in
// server_handshake.cpp.

#include "stack/http/server_conn.hpp"

#include <array>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/http/server.hpp"
#include "stack/wire/percent.hpp"
#include "stack/wire/slice.hpp"
#include "stack/wire/url.hpp"

namespace pollux::http {

namespace {

using State = ServerConn::State;

// How often a handler that streams is called again before other connections have their turn.
constexpr int calls_per_run = 8;

constexpr unsigned bit(State state) {
  return 1U << static_cast<unsigned>(state);
}

// Which states may follow each state.
constexpr std::array<unsigned, 8> allowed{
    /* handshaking */ bit(State::idle) | bit(State::lingering) | bit(State::closing),
    /* idle */ bit(State::reading) | bit(State::waiting) | bit(State::closing),
    /* waiting */ bit(State::idle) | bit(State::reading) | bit(State::closing),
    /* reading */ bit(State::idle) | bit(State::handling) | bit(State::finishing) | bit(State::closing),
    /* handling */ bit(State::finishing) | bit(State::closing),
    /* finishing */ bit(State::idle) | bit(State::reading) | bit(State::lingering) | bit(State::closing),
    /* lingering */ bit(State::closing),
    /* closing */ 0,
};

}  // namespace

Exchange::Exchange(std::span<char> in_memory, std::span<char> out_memory, std::span<wire::Field> field_memory,
                   std::span<std::byte> state, std::size_t head_size_limit) noexcept
    : in{in_memory},
      out{out_memory},
      reader{wire::MessageReader::Kind::request, field_memory, head_size_limit},
      state_memory{state},
      fields{field_memory},
      head_size_max{head_size_limit} {}

void Exchange::begin(ServerConn& owner, bool follows_body) noexcept {
  conn = &owner;
  in.clear();
  out.clear();
  if (writer.state() != wire::MessageWriter::State::idle) {
    writer = wire::MessageWriter{};  // its last one broke off
  }
  local.family = port::Family::none;
  write_blocked = false;
  lost = false;
  if (reader.state() != wire::MessageReader::State::idle && reader.state() != wire::MessageReader::State::head) {
    reader = wire::MessageReader{wire::MessageReader::Kind::request, fields, head_size_max};  // its last one broke off
  }
  reader.set_follows_body(follows_body);
  begin_request();
}

void Exchange::begin_request() noexcept {
  ::new (static_cast<void*>(&request)) Request;
  request.conn_ = conn;
  request.state_ = state_memory;
  progress = Progress{};
  reader.start();
}

ServerConn::ServerConn(Server& server, net::Stream stream, const port::Address& remote, const Listener& listener,
                       std::uint8_t number, port::Time now) noexcept
    : server_{server},
      stream_{stream},
      tls_{listener.tls},
      remote_{remote},
      since_{now},
      accepted_at_{now},
      state_{listener.tls != nullptr ? State::handshaking : State::idle},
      listener_{number},
      is_owner_{listener.owner} {}

port::Time ServerConn::now() const noexcept {
  return server_.config_.loop.now();
}

void ServerConn::enter(State state) noexcept {
  ENSURE((allowed[static_cast<unsigned>(state_)] & bit(state)) != 0);
  state_ = state;
}

// ---- events

port::Events ServerConn::interest() const noexcept {
  port::Events wanted = port::Events::none;
  switch (state_) {
    case State::handshaking:
      return queue.is_linked ? wanted : port::Events::readable;
    case State::idle:
      return port::Events::readable;
    case State::lingering:
      // Still TLS: its last word is not out.
      wanted = stream_.is_tls() ? port::Events::writable : port::Events::none;
      return input_ended_ ? wanted : wanted | port::Events::readable;
    case State::waiting:
    case State::closing:
      return wanted;
    case State::reading:
      if (!input_ended_ && !exchange_->in.room().empty()) {
        wanted = port::Events::readable;
      }
      break;
    case State::handling:
    case State::finishing:
      if (wants_body() && !input_ended_ && !exchange_->in.room().empty()) {
        wanted = port::Events::readable;
      }
      break;
  }
  return exchange_->write_blocked ? wanted | port::Events::writable : wanted;
}

void ServerConn::on_ready(port::Events events) noexcept {
  const bool broken = port::has(events, port::Events::error | port::Events::hangup);
  switch (state_) {
    case State::closing:
      return;
    case State::handshaking:
      if (broken && !stream_.is_tls()) {
        close(CloseReason::peer_reset);
      } else if (!queue.is_linked) {
        server_.queue_handshake(*this);
      }
      return;
    case State::waiting:
      if (broken) {
        close(CloseReason::peer_reset);
      }
      return;
    case State::lingering:
      linger_on();
      return;
    case State::idle:
      receive();
      return;
    case State::reading:
    case State::handling:
    case State::finishing:
      break;
  }
  const port::Events wanted = interest();
  events = stream_.from_poll(events, wanted);
  if (port::has(wanted, port::Events::readable) && (port::has(events, port::Events::readable) || broken)) {
    receive();
    if (state_ == State::closing) {
      return;
    }
  } else if (broken) {
    // Nothing to read, or no wish to: both directions are over, so nobody will ever see the answer.
    close(CloseReason::peer_reset);
    return;
  }
  if (port::has(events, port::Events::writable)) {
    exchange_->write_blocked = false;
    if (state_ == State::reading && !exchange_->progress.head_whole) {
      since_ = now();  // what has come of the next head had to wait; it is looked at from now on
    }
    server_.enqueue(*this);
  }
}

// Moves what has arrived into the input buffer. What follows from it is done in run(), when it is this connection's turn.
void ServerConn::receive() noexcept {
  if (exchange_ == nullptr) {
    exchange_ = server_.take_exchange();
    if (exchange_ != nullptr) {
      exchange_->begin(*this, body_before_);
    } else {
      ++server_.counters_.exchange_waits;
      enter(State::waiting);
      since_ = now();  // not since it became idle: the time for a head begins with its first byte
      server_.put(*this, Server::Place::active);
      server_.waiting_.push_back(*this);
      refresh_deadline();
      return;
    }
  }
  Exchange& exchange = *exchange_;
  const net::StreamResult result = stream_.recv(room_to_receive());
  switch (result.status) {
    case net::StreamStatus::ok: {
      exchange.in.produced(result.size);
      bytes_in_ += result.size;
      server_.counters_.bytes_in += result.size;
      exchange.progress.moved_at = now();
      exchange.progress.rate_bytes += result.size;
      if (state_ == State::idle) {
        // It stays in its list until run(), which may well make it idle again.
        enter(State::reading);
        since_ = now();
        server_.notify(ConnState::active, *this);
      }
      server_.enqueue(*this);
      return;
    }
    case net::StreamStatus::want_read:
    case net::StreamStatus::want_write:
      if (state_ == State::idle) {
        // Woken for nothing. Behind the others again: the lists are in the order in which their deadlines come.
        release_exchange();
        if (server_.shutting_down_ && requests_ != 0) {
          close(CloseReason::shutdown);  // it was waiting for an exchange when the idle ones were closed
          return;
        }
        if (stream_.is_tls()) {
          // A part of a record, or one that means nothing. Neither begins a request, so neither moves a deadline: who sends a byte now and
          // then would never be late, and never the longest idle.
          stayed_ = true;
          return;
        }
        since_ = now();
        server_.put(*this, placed);
        refresh_deadline();
      } else if (const std::size_t received = stream_.take_received(); received != 0) {
        exchange.progress.moved_at = now();  // a part of a record: slow, but alive
        exchange.progress.rate_bytes += received;
        server_.enqueue(*this);
      }
      return;
    case net::StreamStatus::end:
      input_ended_ = true;
      if (state_ == State::idle) {
        close(CloseReason::client_closed);
      } else {
        server_.enqueue(*this);
      }
      return;
    case net::StreamStatus::failed:
      close(state_ == State::idle && requests_ != 0 ? CloseReason::client_closed : CloseReason::peer_reset);
      return;
  }
}

// Where the next bytes go. While a head is coming, what the limit for heads leaves of the buffer stays free, for the head's decoded path
// (see decode_path), however much a client pipelines.
std::span<char> ServerConn::room_to_receive() noexcept {
  Exchange& exchange = *exchange_;
  const std::span<char> room = exchange.in.room();
  const std::size_t spare = exchange.in.capacity() - exchange.head_size_max;
  if (exchange.progress.head_whole || room.size() <= spare) {
    return room;
  }
  return room.first(room.size() - spare);
}

// An exchange has come back: what waited in the socket is read now.
void ServerConn::give(Exchange& exchange) noexcept {
  ENSURE(state_ == State::waiting);
  exchange_ = &exchange;
  exchange.begin(*this, body_before_);
  enter(State::idle);
  since_ = now();
  server_.put(*this, requests_ == 0 ? Server::Place::fresh : Server::Place::idle);
  refresh_deadline();
  receive();
}

void ServerConn::linger_on() noexcept {
  if (stream_.is_tls() && finish_sending() && input_ended_) {
    close(leave_reason_);
    return;
  }
  if (input_ended_) {
    return;
  }
  std::array<char, 2048> scratch;
  for (int i = 0; i < 16; ++i) {
    const net::StreamResult result = stream_.recv(scratch);
    if (result.status == net::StreamStatus::ok) {
      bytes_in_ += result.size;
      server_.counters_.bytes_in += result.size;
      continue;
    }
    if (result.status == net::StreamStatus::end && stream_.is_tls()) {
      input_ended_ = true;  // our last word is not out yet
    } else if (result.status == net::StreamStatus::end || result.status == net::StreamStatus::failed) {
      close(leave_reason_);
    }
    return;
  }
}

// ---- going on

// Goes on as far as the buffers allow, with at most one request. True: there is more to do, but others come first.
bool ServerConn::run() noexcept {
  for (int steps = 0;; ++steps) {
    const std::uint32_t served = requests_;
    bool moved = false;
    switch (state_) {
      case State::handshaking:
      case State::idle:
      case State::waiting:
      case State::lingering:
      case State::closing:
        return false;
      case State::reading:
        moved = read_on();
        break;
      case State::handling:
        moved = handle_on();
        break;
      case State::finishing:
        moved = finish_on();
        break;
    }
    if (state_ == State::closing || state_ == State::idle || state_ == State::lingering) {
      return false;
    }
    if (exchange_->lost) {
      close_lost();
      return false;
    }
    if (!moved) {
      refresh_deadline();
      return false;
    }
    if (requests_ != served || steps >= calls_per_run) {
      refresh_deadline();
      return true;
    }
  }
}

// ---- ending

void ServerConn::release_exchange() noexcept {
  if (exchange_ != nullptr) {
    server_.give_back(*exchange_);
    exchange_ = nullptr;
  }
}

void ServerConn::become_idle() noexcept {
  if (server_.shutting_down_ || !server_.keep_alives_enabled_) {
    close(server_.shutting_down_ ? CloseReason::shutdown
                                 : CloseReason::closed);  // its answer's head was out too early to say so
    return;
  }
  enter(State::idle);
  since_ = now();
  release_exchange();
  server_.put(*this, Server::Place::idle);
  refresh_deadline();
  server_.notify(ConnState::idle, *this);
  if (stream_.has_pending() && state_ == State::idle) {
    receive();  // no event of the socket will tell; the exchange that was given back above is there for it
  }
}

// Nothing more can be sent: the client has gone, or the answer cannot be completed.
void ServerConn::close_lost() noexcept {
  close(exchange_->progress.source_failed ? CloseReason::aborted : CloseReason::peer_reset);
}

// The client has got, or will get, only a part of an answer.
bool ServerConn::is_answer_cut() const noexcept {
  if (exchange_ == nullptr) {
    return false;
  }
  const wire::MessageWriter::State state = exchange_->writer.state();
  return !exchange_->out.is_empty() || exchange_->tail.kind != Tail::Kind::none || exchange_->progress.truncated ||
         (state != wire::MessageWriter::State::idle && state != wire::MessageWriter::State::complete);
}

// Ends the connection at once. A handler that was promised another call gets its last one.
void ServerConn::close(CloseReason reason) noexcept {
  if (state_ == State::closing) {
    return;
  }
  server_.dequeue(*this);
  const bool is_cut = stream_.is_tls() && is_answer_cut();
  if (exchange_ != nullptr) {
    exchange_->lost = true;
    Progress& progress = exchange_->progress;
    if (progress.suspended && !progress.in_call) {
      progress.suspended = false;
      exchange_->request.event_ = Event::gone;
      const Handler& handler = exchange_->request.match_.route->handler;
      ResponseWriter response{*this};
      static_cast<void>(handler.serve(handler.object, response, exchange_->request));
    }
    end_tail();
    if (progress.head_whole && state_ != State::lingering && reason != CloseReason::hijacked && !progress.counted) {
      ++server_.counters_.answers[0];
    }
  }
  const bool was_waiting = state_ == State::waiting;
  ENSURE(!was_waiting || !queue.is_linked);
  enter(State::closing);
  if (is_cut) {
    stream_.abort();
  } else {
    stream_.close();
  }
  release_exchange();
  server_.record_close(*this, reason);
  server_.put(*this, Server::Place::ended);
  if (reason != CloseReason::hijacked) {
    server_.notify(ConnState::closed, *this);
  }
}

}  // namespace pollux::http
