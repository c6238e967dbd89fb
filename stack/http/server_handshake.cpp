// TLS before the first request: who is admitted when, handshakes slice by slice, and how they fail.

#include <array>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/http/server.hpp"
#include "stack/tls/error.hpp"

namespace pollux::http {

namespace {

// A handshake that began longer ago than this and waits for its client gives way when another one needs its place: with a silent one, or one
// that comes byte by byte, few clients could otherwise keep everybody out. Three round trips of a bad mobile line.
constexpr port::Duration slow_handshake = 2s;
constexpr port::Duration look_again = 500ms;

// As net/http answers. HTTP/1.0, because nothing is known about the client.
constexpr std::string_view plain_http_answer =
    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

}  // namespace

// ---- the server's part: once per turn

// Returns until when the loop may wait: not at all for a handshake that can go on; for those who wait to be admitted until somebody may have become
// slow enough to give way.
port::Time Server::prepare_handshakes(net::PollSet& set, port::Time now) noexcept {
  if (!tls::is_built_in) {
    return port::never;
  }
  for (const ServerConn* conn = handshaking_.front(); conn != nullptr; conn = Places::next(*conn)) {
    conn->tls()->begin_turn();  // of the same context several times: no handshake goes on before all are through
    const bool added =
        set.add(conn->stream().socket(), conn->stream().to_poll(conn->interest()), conns_.index_of(*conn));
    ENSURE(added);  // LoopStorage is smaller than sockets_max(limits)
  }
  next_deadline_ = port::earliest(next_deadline_, handshaking_.front()->deadline());
  if (!handshakes_.is_empty()) {
    return now;
  }
  return admissions_.is_empty() ? port::never : now + look_again;
}

// Something has come. What follows from it is done in work(), behind those that came before.
void Server::queue_handshake(ServerConn& conn) noexcept {
  if (!tls::is_built_in) {
    return;
  }
  (conn.stream().is_tls() ? handshakes_ : admissions_).push_back(conn);
}

// One that has used up this turn's time goes behind the others; those that it left none keep their places, and are first in the next turn.
void Server::go_on_with_handshakes() noexcept {
  if (!tls::is_built_in) {
    return;
  }
  admit_waiting();
  for (std::size_t count = handshakes_.size(); count > 0; --count) {
    ServerConn* const conn = handshakes_.pop_front();
    if (conn == nullptr) {
      break;
    }
    if (conn->shake_hands()) {
      handshakes_.push_back(*conn);
      break;
    }
  }
  admit_waiting();  // in place of those that are through; they begin in the next turn, which comes at once
}

// First in first out, but an owner does not wait behind those for whom there is no reserved place.
void Server::admit_waiting() noexcept {
  std::array<const tls::ServerContext*, 2> refused{};  // whoever comes behind one that was refused is no better off
  for (std::size_t count = admissions_.size(); count > 0; --count) {
    ServerConn* const conn = admissions_.pop_front();
    if (conn == nullptr) {
      break;  // to make way, a handler was told of its end, and it ended others
    }
    const tls::ServerContext*& refused_before = refused[conn->is_owner() ? 1 : 0];
    // Each is asked for once, so that those that had to wait are counted.
    if ((refused_before != conn->tls() || !conn->has_waited_) && admit(*conn)) {
      handshakes_.push_back(*conn);
      continue;
    }
    refused_before = conn->tls();
    if (conn->state() == ServerConn::State::handshaking) {
      admissions_.push_back(*conn);
    }
  }
}

bool Server::admit(ServerConn& conn) noexcept {
  const port::Socket socket = conn.stream().socket();
  tls::Session* session = conn.tls()->admit(socket, conn.is_owner(), conn.has_waited_);
  if (session == nullptr && make_way(*conn.tls(), conn.is_owner()) && conn.state() == ServerConn::State::handshaking) {
    session = conn.tls()->admit(socket, conn.is_owner(), true);
  }
  if (session == nullptr) {
    counters_.handshake_waits += conn.has_waited_ ? 0U : 1U;
    conn.has_waited_ = true;
    return false;
  }
  conn.begin_handshake(*session);
  return true;
}

// Ends somebody who holds what a new handshake needs. False: there is nobody, or it is something else that is missing.
bool Server::make_way(const tls::ServerContext& context, bool owner) noexcept {
  const std::size_t reserved = owner ? 0 : context.config().memory.limits.reserved;
  ServerConn* victim = nullptr;
  if (context.handshakes_under_way() + reserved >= context.handshakes_max()) {
    victim = find_slow_handshake(&context);
  } else if (context.sessions_used() + reserved >= context.sessions_size()) {
    victim = find_victim(&context);
  }
  if (victim == nullptr) {
    return false;
  }
  victim->close(CloseReason::evicted);
  return true;
}

// The first that keeps us waiting: the list begins with those that came first.
ServerConn* Server::find_slow_handshake(const tls::ServerContext* context) const noexcept {
  for (ServerConn* conn = handshaking_.front(); conn != nullptr; conn = Places::next(*conn)) {
    const bool waits_for_client = conn->stream().is_tls() && !conn->queue.is_linked;
    if (waits_for_client && conn->since() + slow_handshake <= config_.loop.now() && conn->holds_session_of(context)) {
      return conn;
    }
  }
  return nullptr;
}

// Bytes that TLS has taken from the socket and could not hand out, because the buffer was full then.
void Server::read_pending() noexcept {
  has_pending_reads_ = false;
  active_.for_each([](ServerConn& conn) {
    // Not if it has something to go on with first: what it has is used up before there is more, as without TLS.
    if (conn.stream().has_pending() && !conn.queue.is_linked && port::has(conn.interest(), port::Events::readable)) {
      conn.on_ready(port::Events::readable);
    }
  });
}

// ---- the connection's part

void ServerConn::begin_handshake(tls::Session& session) noexcept {
  ENSURE(state_ == State::handshaking);
  ENSURE(!stream_.is_tls());
  stream_.start_tls(session);
  since_ = now();
}

bool ServerConn::shake_hands() noexcept {
  switch (stream_.handshake()) {
    case tls::Status::again:
      return true;
    case tls::Status::want_read:
    case tls::Status::want_write:
      return false;
    case tls::Status::ok:
      handshake_over();
      return false;
    case tls::Status::end:
    case tls::Status::failed:
      handshake_failed();
      return false;
  }
  return false;
}

// From here on it is a connection like any other that was just accepted.
void ServerConn::handshake_over() noexcept {
  enter(State::idle);
  since_ = now();
  server_.put(*this, Server::Place::fresh);
  refresh_deadline();
  if (stream_.has_pending()) {
    receive();  // the request came together with the end of the handshake
  }
}

// Tells the log, and the client if it spoke http. A client that may yet read why - our answer, or TLS's alert - is given the time to do so; closing with
// something unread would make its system throw that away.
void ServerConn::handshake_failed() noexcept {
  const tls::ErrorInfo info = *stream_.tls_error();
  std::array<char, port::address_text_max> remote;
  std::array<char, 320> memory;
  base::TextWriter text{memory};
  text.put("TLS handshake with ").put(port::format_address(remote_, remote)).put(" failed: ");
  text.produced(tls::describe(info, text.space()).size());
  server_.log(text.view());
  switch (info.error) {
    case tls::Error::closed:
    case tls::Error::lost:
    case tls::Error::alert:
      close(CloseReason::handshake_failed);
      return;
    default:
      break;
  }
  stream_.drop_tls();
  if (info.error == tls::Error::plain_http) {
    if (const net::StreamResult sent = stream_.send(plain_http_answer); sent.status == net::StreamStatus::ok) {
      bytes_out_ += sent.size;
      server_.counters_.bytes_out += sent.size;
      ++server_.counters_.answers[4];
    }
  }
  static_cast<void>(finish_sending());
  linger(CloseReason::handshake_failed);
}

}  // namespace pollux::http
