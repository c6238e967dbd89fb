#include "stack/net/stream.hpp"

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::net {

namespace {

StreamResult result_of(port::IoResult result, StreamStatus when_blocked) noexcept {
  switch (result.status) {
    case port::IoStatus::ok:
      return {StreamStatus::ok, result.size};
    case port::IoStatus::would_block:
      return {when_blocked, 0};
    case port::IoStatus::end:
      return {StreamStatus::end, 0};
    case port::IoStatus::failed:
      return {StreamStatus::failed, 0};
  }
  return {StreamStatus::failed, 0};
}

}  // namespace

StreamResult Stream::recv(std::span<char> out) noexcept {
  return result_of(port_->recv(socket_, base::as_writable_bytes(out)), StreamStatus::want_read);
}

StreamResult Stream::send(std::string_view first, std::string_view second, bool more) noexcept {
  return result_of(port_->send(socket_, base::as_bytes(first), base::as_bytes(second), more), StreamStatus::want_write);
}

StreamResult Stream::send_file(port::File file, std::uint64_t offset, std::size_t size) noexcept {
  return result_of(port_->send_file(socket_, file, offset, size), StreamStatus::want_write);
}

void Stream::shutdown_send() noexcept {
  port_->shutdown_send(socket_);
}

void Stream::close() noexcept {
  if (socket_.is_open()) {
    port_->close(socket_);
    socket_ = {};
  }
}

}  // namespace pollux::net
