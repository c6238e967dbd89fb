// Answers that are put together in memory: a few fixed documents that requests take in turn.
//
// A document is taken, written, handed to the server as the source of a body of known length, and comes back by itself when the last byte
// was taken or the connection has ended. Nearly always that is at once; a client that reads slowly keeps one for as long as the server's
// deadlines let it. When all are taken the answer is 503.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "apps/support/json.hpp"
#include "stack/base/text.hpp"
#include "stack/http/response_writer.hpp"
#include "stack/http/server_stats.hpp"

namespace pollux::device {

class Documents;

class Document {
 public:
  // Holds every answer of the device with its lists full (tests/apps/device_answers_test.cpp).
  static constexpr std::size_t size_max = 24 * 1024;

  [[nodiscard]] base::TextWriter& text() noexcept { return text_; }

 private:
  friend class Documents;
  constexpr Document() = default;
  Documents* owner_ = nullptr;  // while it is taken
  base::TextWriter text_{{}};
  std::array<char, size_max> memory_{};
};

class Documents {
 public:
  static constexpr std::size_t count = 4;

  // An empty document, or nullptr when all are taken: answer that, then.
  [[nodiscard]] Document* take() noexcept;
  // Sends it with a status, a type, and what keeps it from being stored or guessed at. The document is the server's until it is back.
  // One that overflowed is answered 500 instead: a bug of ours.
  static void send(http::ResponseWriter& writer, Document& document, int status, std::string_view type) noexcept;
  [[nodiscard]] http::PoolUse use() const noexcept { return {.used = used_, .used_max = used_max_, .size = count}; }

 private:
  void give_back(Document& document) noexcept;
  std::size_t used_ = 0;
  std::size_t used_max_ = 0;
  std::array<Document, count> documents_{};
};

// {"error":{"status":404,"message":"..."}}
void answer_error(http::ResponseWriter& writer, int status, std::string_view message) noexcept;

}  // namespace pollux::device
