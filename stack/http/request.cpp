#include "stack/http/request.hpp"

#include "stack/http/server.hpp"
#include "stack/wire/query.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

// Where byte `at` of a raw path stands once the path is decoded.
std::size_t decoded_offset(std::string_view raw, std::size_t at) noexcept {
  std::size_t escapes = 0;
  for (std::size_t i = 0; i < at; ++i) {
    escapes += raw[i] == '%' ? 1 : 0;
  }
  return at - 2 * escapes;
}

}  // namespace

std::optional<std::string_view> Request::query_value(std::string_view name, std::span<char> scratch) const noexcept {
  const auto value = wire::query_value(query_, name, scratch);
  return value ? std::optional{*value} : std::nullopt;
}

std::string_view Request::path_value(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < match_.capture_count; ++i) {
    const Capture& capture = match_.captures[i];
    if (capture.name == name) {
      const std::size_t begin = decoded_offset(raw_path_, capture.at);
      const std::size_t end = decoded_offset(raw_path_, std::size_t{capture.at} + capture.size);
      return wire::slice(full_path_, begin, end);
    }
  }
  return {};
}

std::string_view Request::body_bytes() const noexcept {
  const Exchange& exchange = conn_->exchange();
  return exchange.reader.body(exchange.in);
}
void Request::consume(std::size_t count) noexcept {
  conn_->exchange().reader.consume_body(count);
}
BodyState Request::body_state() const noexcept {
  return conn_->body_state();
}

std::optional<std::uint64_t> Request::content_length() const noexcept {
  const wire::Framing& framing = conn_->exchange().reader.framing();
  return framing.kind == wire::BodyKind::chunked ? std::nullopt : std::optional<std::uint64_t>{framing.size};
}
std::uint64_t Request::body_received() const noexcept {
  return conn_->exchange().reader.body_received();
}
const wire::Fields& Request::trailers() const noexcept {
  return conn_->exchange().reader.trailers();
}

const port::Address& Request::remote() const noexcept {
  return conn_->remote();
}
const port::Address& Request::local() const noexcept {
  return conn_->local();
}
const tls::ConnectionInfo* Request::tls() const noexcept {
  return conn_->stream().tls_info();
}
net::Loop& Request::loop() const noexcept {
  return conn_->server().loop();
}
port::Time Request::now() const noexcept {
  return loop().now();
}
Server& Request::server() const noexcept {
  return conn_->server();
}

Deferred Request::defer() noexcept {
  return conn_->defer();
}

void Request::set_read_deadline(port::Duration after) noexcept {
  conn_->exchange().progress.read_deadline = port::deadline_after(now(), after);
}
void Request::set_write_deadline(port::Duration after) noexcept {
  conn_->exchange().progress.write_deadline = port::deadline_after(now(), after);
}
void Request::set_wait_deadline(port::Duration after) noexcept {
  Progress& progress = conn_->exchange().progress;
  progress.wait_deadline = port::deadline_after(now(), after);
  progress.wait_set = true;
}

// ---- Deferred

Deferred& Deferred::operator=(Deferred&& other) noexcept {
  if (this != &other) {
    drop();
    server_ = other.server_;
    handle_ = other.handle_;
    serial_ = other.serial_;
    other.server_ = nullptr;
  }
  return *this;
}

bool Deferred::is_pending() const noexcept {
  return server_ != nullptr && server_->find_waiting(handle_, serial_) != nullptr;
}

bool Deferred::resume() noexcept {
  ServerConn* conn = server_ ? server_->find_waiting(handle_, serial_) : nullptr;
  server_ = nullptr;
  if (conn == nullptr) {
    return false;
  }
  conn->resume(false);
  return true;
}

void Deferred::drop() noexcept {
  if (ServerConn* conn = server_ ? server_->find_waiting(handle_, serial_) : nullptr) {
    conn->resume(true);
  }
  server_ = nullptr;
}

}  // namespace pollux::http
