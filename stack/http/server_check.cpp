// Server::check(): the invariants of a server's books, in words.

#include "stack/http/server.hpp"

namespace pollux::http {

// The lists of connections that wait for a request: in the order of their deadlines, the parked ones first, nothing held.
// One whose request has just come may still stand there, but only until it runs.
std::string_view Server::check_quiet(const Places& list, Place place, std::size_t& exchanges_held) const noexcept {
  const ServerConn* before = nullptr;
  for (const ServerConn* conn = list.front(); conn != nullptr; conn = Places::next(*conn)) {
    if (conn->state() == ServerConn::State::reading && conn->queue.is_linked) {
      ++exchanges_held;
      continue;
    }
    if (conn->placed != place || conn->state() != ServerConn::State::idle) {
      return "a connection stands in a list of another state";
    }
    if (conn->exchange_ != nullptr) {
      return "a connection between requests holds an exchange";
    }
    if (before != nullptr && before->deadline() > conn->deadline()) {
      return "a list of silent connections is out of the order of their deadlines";
    }
    if (before != nullptr && conn->parked_ && !before->parked_) {
      return "a parked connection stands behind a polled one";
    }
    before = conn;
  }
  return {};
}

std::string_view Server::check_active(std::size_t& exchanges_held) const noexcept {
  for (const ServerConn* conn = active_.front(); conn != nullptr; conn = Places::next(*conn)) {
    const ServerConn::State state = conn->state();
    if (conn->placed != Place::active || state == ServerConn::State::handshaking || state == ServerConn::State::idle ||
        state == ServerConn::State::closing) {
      return "a connection stands in a list of another state";
    }
    if (conn->parked_) {
      return "an active connection is parked";
    }
    const bool wants_exchange = state != ServerConn::State::waiting && state != ServerConn::State::lingering;
    if ((conn->exchange_ != nullptr) != wants_exchange) {
      return "a connection holds an exchange it does not need, or lacks one";
    }
    exchanges_held += wants_exchange ? 1U : 0U;
    if (state == ServerConn::State::waiting && !conn->queue.is_linked) {
      return "a connection waits for an exchange outside the queue";
    }
    if (conn->deadline() == port::never && !conn->queue.is_linked && config_.timeouts.all_on()) {
      return "a connection waits without a deadline";
    }
  }
  return {};
}

// Connections before their first request over TLS: in the order of their deadlines, nothing held but a session.
std::string_view Server::check_handshakes() const noexcept {
  const ServerConn* before = nullptr;
  std::size_t queued = 0;
  for (const ServerConn* conn = handshaking_.front(); conn != nullptr; conn = Places::next(*conn)) {
    if (conn->placed != Place::handshaking || conn->state() != ServerConn::State::handshaking) {
      return "a connection stands in a list of another state";
    }
    if (conn->exchange_ != nullptr || conn->parked_) {
      return "a connection in the handshake holds an exchange, or is parked";
    }
    if (conn->deadline() == port::never && config_.timeouts.all_on()) {
      return "a connection waits without a deadline";
    }
    if (before != nullptr && before->deadline() > conn->deadline()) {
      return "the handshakes are out of the order of their deadlines";
    }
    queued += conn->queue.is_linked ? 1U : 0U;
    before = conn;
  }
  for (const Queue* queue : {&admissions_, &handshakes_}) {
    for (const ServerConn* conn = queue->front(); conn != nullptr; conn = Queue::next(*conn)) {
      if (conn->state() != ServerConn::State::handshaking || conn->stream().is_tls() != (queue == &handshakes_)) {
        return "a connection stands in a queue for handshakes where it does not belong";
      }
    }
  }
  return queued == admissions_.size() + handshakes_.size() ? std::string_view{} : "a handshake is queued elsewhere";
}

std::string_view Server::check() const noexcept {
  std::size_t exchanges_held = 0;
  if (const std::string_view broken = check_handshakes(); !broken.empty()) {
    return broken;
  }
  if (const std::string_view broken = check_quiet(fresh_.all(), Place::fresh, exchanges_held); !broken.empty()) {
    return broken;
  }
  if (const std::string_view broken = check_quiet(idle_.all(), Place::idle, exchanges_held); !broken.empty()) {
    return broken;
  }
  if (const std::string_view broken = check_active(exchanges_held); !broken.empty()) {
    return broken;
  }
  if (exchanges_held != exchanges_.used()) {
    return "an exchange is held by nobody";
  }
  if (handshaking_.size() + fresh_.all().size() + idle_.all().size() + active_.size() + ended_.size() !=
      conns_.used()) {
    return "a connection is in no list";
  }
  for (const ServerConn* conn = waiting_.front(); conn != nullptr; conn = Queue::next(*conn)) {
    if (conn->state() != ServerConn::State::waiting) {
      return "a connection queues for an exchange without waiting for one";
    }
  }
  return {};
}

}  // namespace pollux::http
