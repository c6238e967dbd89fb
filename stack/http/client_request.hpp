// ClientRequest: what is asked of a server - method, URL, fields, body - in memory the caller brings. It survives retries and redirects, so it
// is kept apart from the connection it goes out on.
//
//   http::RoundTripStorage<> memory;              // 512 bytes of URL, 1024 of fields
//   http::RoundTrip trip{transport, memory.memory()};
//   trip.request().start("POST", "http://10.0.0.7/api/values");
//   trip.request().add("Content-Type", "application/json");
//   trip.request().set_body("{\"v\":1}");
//
// Every call that can fail also keeps the first error (error()), so that a chain of calls needs one check: a round trip with a faulty
// request ends with it before any I/O.
//
// What the transport writes by itself and nobody else may (CallCause::bad_field): Host, Content-Length, Transfer-Encoding, Trailer, Expect; a Connection
// field with "close" (see set_close). User-Agent is the transport's unless the request has one; an empty one means none at all.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "stack/base/buffer.hpp"
#include "stack/http/body_source.hpp"
#include "stack/http/call_error.hpp"
#include "stack/wire/head.hpp"
#include "stack/wire/url.hpp"

namespace pollux::http {

// A body to send. Texts, files and sources outlive the round trip; nothing of them is copied before it is sent.
struct RequestBody {
  enum class Kind : std::uint8_t { none, bytes, file, source };
  Kind kind = Kind::none;
  std::string_view bytes{};  // bytes: replayable
  port::File file{};         // file: `size` bytes from `offset`; replayable; the caller closes it
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> size{};  // file: required. source: nothing - chunked
  BodySource source{};                  // replayable if it has rewind

  // Can be sent a second time.
  [[nodiscard]] constexpr bool is_replayable() const noexcept {
    return kind != Kind::source || source.rewind != nullptr;
  }
};

class ClientRequest {
 public:
  ClientRequest(std::span<char> url_memory, std::span<char> field_memory) noexcept;
  ClientRequest(const ClientRequest&) = delete;
  ClientRequest& operator=(const ClientRequest&) = delete;

  // Begins anew: no fields, no body, no options. `method` is a token ("" is GET), copied; `url` absolute, http or https, copied without its
  // fragment. Causes: bad_method, bad_url, bad_scheme, bad_host, url_too_long.
  CallCause start(std::string_view method, std::string_view url) noexcept;
  // Another URL, everything else stays (a redirect). The old URL stays if this fails.
  CallCause set_url(std::string_view url) noexcept;
  CallCause set_method(std::string_view method) noexcept;

  // Adds a field line; set() replaces all lines of that name. Causes: bad_field, fields_too_long.
  CallCause add(std::string_view name, std::string_view value) noexcept;
  CallCause set(std::string_view name, std::string_view value) noexcept;
  void remove(std::string_view name) noexcept;
  // The value of the first line of that name. Any case.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  // All field lines, each ended by CRLF, as they go out.
  [[nodiscard]] std::string_view field_lines() const noexcept { return fields_.data(); }

  // Host to say instead of the URL's. The text outlives the round trip. Cause: bad_host.
  CallCause set_host(std::string_view host) noexcept;
  void use_url_host() noexcept { host_ = {}; }
  void set_body(const RequestBody& body) noexcept { body_ = body; }
  void set_body(std::string_view bytes) noexcept { body_ = {.kind = RequestBody::Kind::bytes, .bytes = bytes}; }
  // "Connection: close": the connection is not used again.
  void set_close(bool close) noexcept { close_ = close; }
  // Sends the head, then waits for 100 (Continue) or TransportConfig::expect_continue_timeout before a body (RFC 9110 section 10.1.1).
  void set_expect_continue(bool expect) noexcept { expect_continue_ = expect; }
  // May be sent again on another connection although it is not GET, HEAD, OPTIONS or TRACE (net/http: Idempotency-Key).
  void set_idempotent(bool idempotent) noexcept { idempotent_ = idempotent; }
  // Names, comma-separated, of the trailer fields that add_trailer() will give before the source ends; the text outlives the round trip.
  // Bodies of unknown size only; others leave them out. Cause: bad_field.
  CallCause set_trailer_names(std::string_view names) noexcept;
  // Forgets the trailers of a body that is sent again (a redirect); their names stay.
  void clear_trailers() noexcept { trailer_size_ = 0; }
  // Causes: bad_field (also when no names were set), fields_too_long.
  CallCause add_trailer(std::string_view name, std::string_view value) noexcept;

  [[nodiscard]] CallCause error() const noexcept { return error_; }
  [[nodiscard]] std::string_view method() const noexcept { return {method_.data(), method_size_}; }
  [[nodiscard]] wire::Method method_id() const noexcept { return method_id_; }
  [[nodiscard]] const wire::Url& url() const noexcept { return url_; }
  [[nodiscard]] std::string_view url_text() const noexcept { return url_text_; }
  [[nodiscard]] bool is_https() const noexcept { return url_.scheme.size() == 5; }
  [[nodiscard]] std::string_view host() const noexcept { return host_; }  // set_host()'s, or empty
  [[nodiscard]] const RequestBody& body() const noexcept { return body_; }
  [[nodiscard]] bool close() const noexcept { return close_; }
  [[nodiscard]] bool expect_continue() const noexcept { return expect_continue_; }
  [[nodiscard]] bool is_upgrade() const noexcept { return upgrade_; }
  [[nodiscard]] bool has_user_agent() const noexcept { return has_user_agent_; }
  // A method that does no harm twice (GET, HEAD, OPTIONS, TRACE), or said so: set_idempotent(), an Idempotency-Key field.
  [[nodiscard]] bool is_idempotent() const noexcept;
  // Content-Length, or nothing: chunked. 0 without a body.
  [[nodiscard]] std::optional<std::uint64_t> body_size() const noexcept;
  [[nodiscard]] std::string_view trailer_names() const noexcept { return trailer_names_; }
  [[nodiscard]] std::string_view trailer_lines() const noexcept;

  static constexpr std::size_t method_size_max = 24;

 private:
  friend class RoundTrip;
  friend class PersistConn;
  friend class Transport;
  CallCause fail(CallCause cause) noexcept;

  std::span<char> url_memory_;
  base::Buffer fields_;
  std::string_view url_text_{};
  wire::Url url_{};
  std::string_view host_{};
  std::string_view trailer_names_{};
  RequestBody body_{};
  std::array<char, method_size_max> method_{};
  std::uint8_t method_size_ = 0;
  wire::Method method_id_ = wire::Method::get;
  CallCause error_ = CallCause::bad_url;  // start() was not called
  std::uint32_t url_generation_ = 0;      // counts URLs, so that a round trip knows whether its host is still the same
  std::uint16_t trailer_size_ = 0;        // bytes of trailer lines, at the end of fields_
  bool close_ = false;
  bool expect_continue_ = false;
  bool idempotent_ = false;
  bool upgrade_ = false;
  bool has_user_agent_ = false;
};

}  // namespace pollux::http
