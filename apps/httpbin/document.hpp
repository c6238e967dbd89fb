// Answers that do not fit into the output buffer, from no memory at all: the document is rendered again for each piece,
// and only the part that was not taken yet goes to the client. A request does not change while it is answered, so each
// rendering is the same text.
//
//   http::Next get(http::ResponseWriter& writer, http::Request& request) {
//     auto& state = request.state<DocumentState>();
//     if (request.event() == http::Event::start) { ... status, fields ... }
//     return send_document(writer, state, [&](Document& document) { ... JsonWriter{document.sink()} ... });
//   }
//
// What it costs is processor time: a document of n output buffers is rendered n times. The largest here is about six.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "apps/support/json.hpp"
#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::httpbin {

struct DocumentState {
  std::uint64_t sent = 0;  // bytes the client's connection has taken
};

// One rendering: what was sent before is passed over, what does not fit any more is dropped.
class Document {
 public:
  Document(http::ResponseWriter& writer, DocumentState& state) noexcept
      : writer_{writer}, state_{state}, skip_{state.sent} {}

  void put(std::string_view piece) noexcept {
    const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, piece.size()));
    skip_ -= skipped;
    piece.remove_prefix(skipped);
    if (piece.empty() || is_full_) {
      return;
    }
    const std::size_t taken = writer_.write(piece);
    state_.sent += taken;
    is_full_ = taken < piece.size();
  }
  [[nodiscard]] apps::JsonSink sink() noexcept {
    return {[](void* object, std::string_view piece) { static_cast<Document*>(object)->put(piece); }, this};
  }
  [[nodiscard]] bool is_full() const noexcept { return is_full_; }

 private:
  http::ResponseWriter& writer_;
  DocumentState& state_;
  std::uint64_t skip_;
  bool is_full_ = false;
};

// Renders as much as is taken. The handler returns what this returns, and calls it again with the same `render` when it
// is called again.
template <typename Render>
[[nodiscard]] http::Next send_document(http::ResponseWriter& writer, DocumentState& state, Render&& render) {
  Document document{writer, state};
  render(document);
  return document.is_full() ? http::Next::write_body : http::Next::done;
}

}  // namespace pollux::httpbin
