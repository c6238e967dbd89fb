// Handlers that the server's life-cycle tests share. All state is in one object that the test makes, so that two sites do not meet.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "stack/base/text.hpp"
#include "tests/http/site.hpp"

namespace pollux::test {

inline constexpr std::string_view get_request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
inline constexpr std::string_view ok_answer =
    "HTTP/1.1 200 OK\r\nDate: *\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nok";
inline constexpr std::string_view ok_close_answer =
    "HTTP/1.1 200 OK\r\nDate: *\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "
    "2\r\n\r\nok";

// An answer the server makes by itself: the status line's text is the body, and the connection closes.
inline std::string refusal(std::string_view status_text) {
  return "HTTP/1.1 " + std::string{status_text} +
         "\r\nDate: *\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: " +
         std::to_string(status_text.size()) + "\r\n\r\n" + std::string{status_text};
}

inline void say_ok(http::ResponseWriter& writer, http::Request&) {
  writer.text(200, "ok");
}
inline constexpr http::Route ok_route{"*", http::handler<&say_ok>()};

// Answers with the body's length and how the body ended: "5 complete". Reads to the end as a streaming route.
inline http::Next measure_body(http::ResponseWriter& writer, http::Request& request) {
  if (request.event() == http::Event::gone) {
    return http::Next::done;
  }
  request.consume(request.body_bytes().size());
  if (request.body_state() == http::BodyState::more) {
    return http::Next::read_body;
  }
  std::array<char, 64> memory;
  base::TextWriter text{memory};
  text.put_decimal(request.body_received()).put(' ');
  switch (request.body_state()) {
    case http::BodyState::complete:
      text.put("complete");
      break;
    case http::BodyState::too_large:
      text.put("too large");
      break;
    case http::BodyState::failed:
      text.put("failed");
      break;
    case http::BodyState::more:
      break;
  }
  writer.text(200, text.view());
  return http::Next::done;
}
inline constexpr http::Route measure_route{"/measure", http::handler<&measure_body>(), {.body = http::Body::streamed}};

// A handler that waits until the test resumes it, and counts what it is told.
struct Waiter {
  http::Deferred pending{};
  int started = 0;
  int resumed = 0;
  int expired = 0;
  int gone = 0;
  std::optional<port::Duration> wait_deadline{};
  bool answers_when_expired = false;
  bool waits_again_when_expired = false;
  bool keeps_when_gone = false;  // the right to answer, though there is nobody left

  http::Next serve(http::ResponseWriter& writer, http::Request& request) {
    switch (request.event()) {
      case http::Event::start:
        ++started;
        pending = request.defer();
        if (wait_deadline) {
          request.set_wait_deadline(*wait_deadline);
        }
        return http::Next::wait;
      case http::Event::resumed:
        ++resumed;
        writer.text(200, "ok");
        return http::Next::done;
      case http::Event::expired:
        ++expired;
        if (answers_when_expired) {
          writer.text(504, "too late");
          return http::Next::done;
        }
        if (waits_again_when_expired) {
          waits_again_when_expired = false;
          request.set_wait_deadline(7s);
        }
        return http::Next::wait;
      case http::Event::gone:
        ++gone;
        if (!keeps_when_gone) {
          pending.drop();
        }
        return http::Next::done;
      case http::Event::body:
      case http::Event::writable:
        break;
    }
    ADD_FAILURE() << "an event nobody asked for";
    return http::Next::abort;
  }
};

// Writes `size` letters, waiting for room.
struct LongAnswer {
  std::uint64_t size = 1 << 20;
  int gone = 0;
  std::optional<port::Duration> write_deadline{};
  struct State {
    std::uint64_t written;
  };
  http::Next serve(http::ResponseWriter& writer, http::Request& request) {
    if (request.event() == http::Event::gone) {
      ++gone;
      return http::Next::done;
    }
    if (request.event() == http::Event::start && write_deadline) {
      request.set_write_deadline(*write_deadline);
    }
    static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
    auto& state = request.state<State>();
    while (state.written < size) {
      const auto piece = letters.substr(static_cast<std::size_t>(state.written % letters.size()));
      const std::size_t count = writer.write(piece.substr(0, static_cast<std::size_t>(size - state.written)));
      state.written += count;
      if (count == 0) {
        return http::Next::write_body;
      }
    }
    return http::Next::done;
  }
};

// Reads an answer in chunks and returns its body.
inline std::string want_chunked_body(Peer& peer) {
  std::string body;
  for (;;) {
    const std::string line = peer.want_containing("\r\n");
    const std::size_t size = line.empty() ? 0 : std::stoul(line, nullptr, 16);
    body += peer.want_body(size);
    peer.want("\r\n");
    if (size == 0) {
      return body;
    }
  }
}

}  // namespace pollux::test
