// Stream: one connection's byte stream, plain or TLS; its users do not notice which.
//
// Users ask for bytes to be moved and are told what to wait for. They never assume that receiving needs only readability: with TLS the
// opposite direction can be needed. Whoever asks poll() says what it wants (receive, send) with to_poll() and reads the answer with from_poll().
// And with TLS something to receive may be here although the socket is not readable: has_pending().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "stack/base/text.hpp"
#include "stack/tls/limits.hpp"
#include "stack/tls/session.hpp"

namespace pollux::net {

enum class StreamStatus : std::uint8_t {
  ok,          // 1..n bytes moved, counted in StreamResult::size
  want_read,   // nothing moved; again when the socket is readable
  want_write,  // nothing moved; again when the socket is writable
  end,         // recv: the peer finished; nothing more will come. send_file: the file is shorter than asked
  failed,      // the connection is lost; only close() is left
};

struct StreamResult {
  StreamStatus status = StreamStatus::failed;
  std::size_t size = 0;
};

class Stream {
 public:
  constexpr Stream() = default;
  constexpr Stream(port::Port& port, port::Socket socket) noexcept : port_{&port}, socket_{socket} {}

  [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }
  [[nodiscard]] port::Socket socket() const noexcept { return socket_; }
  [[nodiscard]] port::Port& port() const noexcept { return *port_; }

  // ---- TLS
  // From now on everything goes through `session`, which a context has lent for this socket; close() gives it back.
  void start_tls(tls::Session& session) noexcept { tls_ = &session; }
  [[nodiscard]] bool is_tls() const noexcept { return tls::is_built_in && tls_ != nullptr; }
  // Goes on with the handshake; `ok` once: it is over. `want_read`, `want_write`: as to_poll() says.
  [[nodiscard]] tls::Status handshake() noexcept;
  // Of an open TLS stream; nullptr for a plain one.
  [[nodiscard]] const tls::ConnectionInfo* tls_info() const noexcept { return is_tls() ? &tls_->info() : nullptr; }
  // Why the stream failed, if it is TLS that failed; nullptr for a plain stream.
  [[nodiscard]] const tls::ErrorInfo* tls_error() const noexcept { return is_tls() ? &tls_->error_info() : nullptr; }

  // Gives the session back without a close_notify and goes on in the clear, on the same socket. For a server whose client never spoke TLS, and
  // for whoever has sent everything, close_notify too, and only waits for the end of the connection. On a plain stream nothing happens.
  void drop_tls() noexcept;

  // ---- polling
  // The events of the socket to wait for in order to receive (readable) and to send (writable). `wanted` may also be none.
  [[nodiscard]] port::Events to_poll(port::Events wanted) const noexcept {
    return !is_tls() ? wanted : crossed(wanted);
  }
  // What the socket's events mean for a stream of which `wanted` was asked: error and hangup stay as they are.
  [[nodiscard]] port::Events from_poll(port::Events ready, port::Events wanted) const noexcept {
    return !is_tls() ? ready : uncrossed(ready, wanted);
  }
  // There is more to receive whatever poll() says: the last recv() stopped because its span was full.
  [[nodiscard]] bool has_pending() const noexcept { return is_tls() && tls_->has_pending(); }

  // ---- moving bytes
  // Moves what has arrived into `out` (not empty); never waits. A size below out.size() means nothing more was there.
  // TLS: `end` is the peer's close_notify; an end without it is `failed`, with tls::Error::truncated.
  [[nodiscard]] StreamResult recv(std::span<char> out) noexcept;
  // Sends from `first`, then `second` (not both empty), any part of them; `more`: another send follows at once. A call after one that did
  // not take everything begins with the bytes that were left.
  [[nodiscard]] StreamResult send(std::string_view first, std::string_view second = {}, bool more = false) noexcept {
    if (!is_tls()) [[likely]] {
      return plain_result(port_->send(socket_, base::as_bytes(first), base::as_bytes(second), more),
                          StreamStatus::want_write);
    }
    return send_tls(first, second, more);
  }
  // Sends up to `size` bytes of `file` from `offset`.
  [[nodiscard]] StreamResult send_file(port::File file, std::uint64_t offset, std::size_t size) noexcept;
  // TLS: bytes that the socket has given or taken since the last call, although recv() or send() may have had nothing to tell: records are
  // moved in whole. Who watches over a peer's speed needs to know. 0 for a plain stream, where the results say it all.
  [[nodiscard]] std::size_t take_received() noexcept { return is_tls() ? tls_->take_received() : 0; }
  [[nodiscard]] std::size_t take_sent() noexcept { return is_tls() ? tls_->take_sent() : 0; }
  // Finishes our direction, after everything was sent; receiving goes on. `ok`; want_write (TLS: the socket is full; again when it is
  // writable); failed.
  StreamStatus shutdown_send() noexcept;
  // Gives the socket back; the stream is not open afterwards. Harmless on a stream that is not open. TLS: says close_notify first, if
  // that goes without waiting.
  void close() noexcept;
  // The same for a connection whose last message is not complete: TLS says no close_notify, so that the peer notices.
  void abort() noexcept;

 private:
  [[nodiscard]] port::Events crossed(port::Events wanted) const noexcept;
  [[nodiscard]] port::Events uncrossed(port::Events ready, port::Events wanted) const noexcept;
  [[nodiscard]] static StreamResult plain_result(port::IoResult result, StreamStatus when_blocked) noexcept {
    switch (result.status) {
      case port::IoStatus::ok:
        return {StreamStatus::ok, result.size};
      case port::IoStatus::would_block:
        return {when_blocked, 0};
      case port::IoStatus::end:
        return {StreamStatus::end, 0};
      case port::IoStatus::failed:
        break;
    }
    return {StreamStatus::failed, 0};
  }
  // Apart, so that the plain ones stay small enough to be inlined.
  [[nodiscard]] StreamResult recv_tls(std::span<char> out) noexcept;
  [[nodiscard]] StreamResult send_tls(std::string_view first, std::string_view second, bool more) noexcept;
  void leave_tls(bool clean) noexcept;
  void end(bool clean) noexcept;

  port::Port* port_ = nullptr;
  port::Socket socket_{};
  tls::Session* tls_ = nullptr;
  bool recv_wants_write_ = false;  // TLS: the opposite direction is needed
  bool send_wants_read_ = false;
};

}  // namespace pollux::net
