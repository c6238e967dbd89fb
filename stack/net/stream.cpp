#include "stack/net/stream.hpp"

#include <algorithm>
#include <array>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::net {

namespace {

// The largest piece of a file that TLS encrypts at once; it passes through the stack.
constexpr std::size_t tls_file_piece = 4096;

StreamStatus status_of(tls::Status status) noexcept {
  switch (status) {
    case tls::Status::ok:
      return StreamStatus::ok;
    case tls::Status::want_read:
      return StreamStatus::want_read;
    case tls::Status::want_write:
      return StreamStatus::want_write;
    case tls::Status::end:
      return StreamStatus::end;
    case tls::Status::again:
    case tls::Status::failed:
      break;
  }
  return StreamStatus::failed;
}

}  // namespace

tls::Status Stream::handshake() noexcept {
  const tls::Status status = tls_->handshake();
  recv_wants_write_ = status == tls::Status::want_write;
  return status;
}

StreamResult Stream::recv(std::span<char> out) noexcept {
  if (!is_tls()) [[likely]] {
    return plain_result(port_->recv(socket_, base::as_writable_bytes(out)), StreamStatus::want_read);
  }
  return recv_tls(out);
}

StreamResult Stream::recv_tls(std::span<char> out) noexcept {
  const tls::IoResult result = tls_->recv(out);
  recv_wants_write_ = result.status == tls::Status::want_write;
  return {status_of(result.status), result.size};
}

StreamResult Stream::send_tls(std::string_view first, std::string_view second, bool more) noexcept {
  const tls::IoResult result = tls_->send(first, second, more);
  send_wants_read_ = result.status == tls::Status::want_read;
  return {status_of(result.status), result.size};
}

StreamResult Stream::send_file(port::File file, std::uint64_t offset, std::size_t size) noexcept {
  if (!is_tls()) [[likely]] {
    return plain_result(port_->send_file(socket_, file, offset, size), StreamStatus::want_write);
  }
  std::array<char, tls_file_piece> piece;
  // What is under way has to be offered again as it was.
  const std::size_t wanted = tls_->send_pending() != 0 ? tls_->send_pending() : std::min(size, piece.size());
  const port::IoResult read = port_->read_file(file, offset, base::as_writable_bytes(std::span{piece}.first(wanted)));
  if (read.status != port::IoStatus::ok) {
    return {read.status == port::IoStatus::end ? StreamStatus::end : StreamStatus::failed, 0};
  }
  if (read.size < tls_->send_pending()) {
    return {StreamStatus::end, 0};  // the file has become shorter since
  }
  return send({piece.data(), read.size}, {}, read.size < size);
}

StreamStatus Stream::shutdown_send() noexcept {
  if (is_tls()) {
    const tls::Status status = tls_->shutdown_send();
    if (status == tls::Status::want_write || status == tls::Status::want_read) {
      return StreamStatus::want_write;
    }
    if (status != tls::Status::ok) {
      port_->shutdown_send(socket_);  // without a close_notify: the peer notices that something is missing
      return StreamStatus::failed;
    }
  }
  port_->shutdown_send(socket_);
  return StreamStatus::ok;
}

void Stream::close() noexcept {
  end(true);
}

void Stream::abort() noexcept {
  end(false);
}

void Stream::drop_tls() noexcept {
  leave_tls(false);
}

void Stream::leave_tls(bool clean) noexcept {
  if (is_tls()) {
    tls_->close(clean);
    tls_ = nullptr;
    recv_wants_write_ = send_wants_read_ = false;
  }
}

void Stream::end(bool clean) noexcept {
  leave_tls(clean);
  if (socket_.is_open()) {
    port_->close(socket_);
    socket_ = {};
  }
}

port::Events Stream::crossed(port::Events wanted) const noexcept {
  port::Events events = port::Events::none;
  if (port::has(wanted, port::Events::readable)) {
    events = events | (recv_wants_write_ ? port::Events::writable : port::Events::readable);
  }
  if (port::has(wanted, port::Events::writable)) {
    events = events | (send_wants_read_ ? port::Events::readable : port::Events::writable);
  }
  return events;
}

port::Events Stream::uncrossed(port::Events ready, port::Events wanted) const noexcept {
  port::Events events = ready & (port::Events::error | port::Events::hangup | port::Events::peer_closed);
  if (port::has(wanted, port::Events::readable) &&
      port::has(ready, recv_wants_write_ ? port::Events::writable : port::Events::readable)) {
    events = events | port::Events::readable;
  }
  if (port::has(wanted, port::Events::writable) &&
      port::has(ready, send_wants_read_ ? port::Events::readable : port::Events::writable)) {
    events = events | port::Events::writable;
  }
  return events;
}

}  // namespace pollux::net
