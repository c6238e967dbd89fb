// MessageSender: from a message being written, and the body that passes by its buffer, to a stream - with few system calls and no copy
// where none is needed. The sending half of a client's connection.
//
// A body is bytes (sent beside the head in one call), a file (sendfile), or a source (pulled into the buffer when there is room).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "stack/base/buffer.hpp"
#include "stack/http/client_request.hpp"
#include "stack/net/stream.hpp"
#include "stack/wire/message_writer.hpp"

namespace pollux::http {

class MessageSender {
 public:
  enum class Outcome : std::uint8_t {
    sent,  // everything there was has gone out; the message is complete
    blocked,  // the stream refused; again when it is ready to send. The next send begins with the same bytes, as TLS needs it
    later,          // the source has nothing now; again after resume()
    yielded,        // more could be sent at once, but others should have their turn
    lost,           // the stream is broken
    source_failed,  // the source, or the file, could not give what it owes
    wrong_size,     // the source gave fewer or more bytes than declared
  };

  constexpr MessageSender() = default;

  // The message in `writer` and `out` is a head, still open, to be followed by the body of `request`, which must outlive the sending.
  // Decides the framing. False: the fields that belong to it do not fit.
  [[nodiscard]] bool begin(wire::MessageWriter& writer, base::Buffer& out, const ClientRequest& request,
                           std::string_view connection) noexcept;
  // Keeps the body back until release_body() (Expect: 100-continue).
  void hold_body() noexcept { held_ = true; }
  void release_body() noexcept { held_ = false; }
  // The body will never be sent.
  void drop_body() noexcept;
  void resume() noexcept { later_ = false; }

  // Sends as much as the stream takes.
  [[nodiscard]] Outcome send(net::Stream& stream, wire::MessageWriter& writer, base::Buffer& out) noexcept;

  [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return sent_; }  // of this message
  [[nodiscard]] bool is_held() const noexcept { return held_; }
  [[nodiscard]] bool is_later() const noexcept { return later_; }
  // Something of the body was taken from its source.
  [[nodiscard]] bool has_begun_body() const noexcept { return at_ != 0 || pulled_; }
  // The head has gone out.
  [[nodiscard]] bool is_head_sent() const noexcept { return sent_ >= head_size_; }

 private:
  [[nodiscard]] bool pull(wire::MessageWriter& writer, base::Buffer& out, Outcome& outcome) noexcept;
  [[nodiscard]] bool end_source(wire::MessageWriter& writer, base::Buffer& out) noexcept;

  const ClientRequest* request_ = nullptr;
  RequestBody body_{};
  std::uint64_t at_ = 0;    // bytes of the body taken so far
  std::uint64_t left_ = 0;  // bytes, file: still to go
  std::uint64_t sent_ = 0;
  std::uint64_t head_size_ = 0;  // known with begin()
  bool held_ = false;
  bool later_ = false;
  bool pulled_ = false;
  bool ended_ = false;  // source: it gave its last byte
};

}  // namespace pollux::http
