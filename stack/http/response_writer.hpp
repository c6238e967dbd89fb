// ResponseWriter: how a handler answers.
//
// The head is written straight into the connection's output buffer while it is being set; the body follows it there. If the handler
// is done while everything is still in the buffer, Content-Length is filled in; if the body outgrows the buffer the answer is
// chunked (HTTP/1.1) or ends with the connection (HTTP/1.0). Date is added, Content-Type is guessed from the first bytes if it
// was not set (RFC 9110 section 8.3), and Connection is the server's business.
//
//   void report(http::ResponseWriter& writer, http::Request&) {
//     writer.set("Content-Type", "application/json");
//     writer.write("{\"ok\":true}");
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "stack/http/body_source.hpp"
#include "stack/net/stream.hpp"
#include "stack/wire/date.hpp"
#include "stack/wire/head.hpp"

namespace pollux::http {

class ServerConn;

// A connection that was taken over (RFC 9110 section 7.8). The stream is the taker's to close.
struct Hijacked {
  net::Stream stream;
  std::string_view received;  // bytes behind the request; valid until the handler returns
};

enum class HeadChange : std::uint8_t {
  ok,
  too_late,  // the head is written already
  invalid,   // not a token, a control byte in the value, or a field that is the server's business
  no_room,   // the output buffer is full; the answer will be a 500 unless fields are removed
};

class ResponseWriter {
 public:
  // ---- the head, until the first byte of the body is written

  // 100..999; 200 if never called. 1xx other than 101 is sent at once with the fields set so far, and the final head is still to
  // come. Calling it again after a final status changes nothing and says too_late.
  HeadChange status(int code) noexcept;
  [[nodiscard]] int status() const noexcept;
  // Adds a field line, or replaces all lines of that name. Content-Length declares the length (writing another number of bytes is an
  // error); "Connection: close" closes after the answer; Transfer-Encoding is invalid; Date replaces the server's.
  HeadChange add(std::string_view name, std::string_view value) noexcept;
  HeadChange set(std::string_view name, std::string_view value) noexcept;
  HeadChange remove(std::string_view name) noexcept;
  [[nodiscard]] bool has(std::string_view name) const noexcept;
  HeadChange set_content_length(std::uint64_t size) noexcept;
  // Leaves out a field the server would add by itself: FieldId::date or FieldId::content_type.
  void suppress(wire::FieldId id) noexcept;
  // Announces a trailer field; give its value with trailer() before the handler is done.
  HeadChange declare_trailer(std::string_view name) noexcept;

  // ---- the body

  // Takes what fits and returns how much that was; sends by itself what it can to make room. Less than text.size() means that the client
  // is slower than the handler: keep the rest and return Next::write_body. A handler that is done after a write that was cut short has
  // lost bytes: the connection is closed without finishing the answer (CloseReason::answer_overflow). An answer that allows no
  // body (HEAD, 204, 304) takes everything and sends nothing.
  std::size_t write(std::string_view text) noexcept;
  // Room for more right now, without sending; at most what one write() would take.
  [[nodiscard]] std::size_t room() const noexcept;
  // Status, type and body in one call: `text/plain; charset=utf-8`.
  void text(int code, std::string_view body) noexcept;
  void json(int code, std::string_view body) noexcept;
  // The rest of the body is `body`, which must outlive the answer (a constant, usually); it is sent without a copy.
  void send_static(std::string_view body) noexcept;
  // Then come `size` bytes of `file` from `offset`, without a copy where the stream allows it. The file is closed by the server in any
  // case. One at a time: return Next::write_body to add more after it.
  void send_file(port::File file, std::uint64_t offset, std::uint64_t size) noexcept;
  // Then comes what `source` makes, `size` bytes if that is known. The server closes the source in any case.
  void send_source(const BodySource& source, std::optional<std::uint64_t> size = std::nullopt) noexcept;
  // Sends head and body so far at once: streaming answers, long polls, server-sent events.
  void flush() noexcept;
  HeadChange trailer(std::string_view name, std::string_view value) noexcept;

  // ---- the connection

  // Closes after this answer.
  void close_after() noexcept;
  // Takes the connection over; the server forgets it. Nothing, if an answer has begun or earlier answers are not out yet (return
  // Next::write_body and try again).
  [[nodiscard]] std::optional<Hijacked> hijack() noexcept;
  [[nodiscard]] bool is_head_written() const noexcept;
  [[nodiscard]] std::uint64_t body_written() const noexcept;  // bytes taken so far

 private:
  friend class ServerConn;
  explicit ResponseWriter(ServerConn& conn) noexcept : conn_{conn} {}
  ServerConn& conn_;
};

// ---- answers in one line (net/http: Error, NotFound, Redirect, SetCookie)

// `message` and a newline as text/plain with nosniff; removes Content-Length, Content-Encoding, ETag, Cache-Control, Last-Modified.
void error(ResponseWriter& writer, int code, std::string_view message) noexcept;
void not_found(ResponseWriter& writer) noexcept;  // "404 page not found"
class Request;
// Answers `code` (3xx) with Location, made absolute against the request's path, and a small HTML page for GET.
void redirect(ResponseWriter& writer, const Request& request, std::string_view target, int code) noexcept;

}  // namespace pollux::http
