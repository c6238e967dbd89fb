// Pieces: a request body that comes from a source, piece by piece, for the client's tests.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "stack/http/body_source.hpp"

namespace pollux::test {

// A source that gives its pieces one by one; "" means later.
struct Pieces {
  std::vector<std::string> pieces;
  std::size_t next = 0;
  int closed = 0;
  int rewound = 0;
  bool fails_at_end = false;
  [[nodiscard]] http::BodySource source(bool can_rewind = true) {
    return {.pull = [](void* object, std::span<char> out,
                       std::uint64_t) { return static_cast<Pieces*>(object)->pull(out); },
            .close = [](void* object) { ++static_cast<Pieces*>(object)->closed; },
            .object = this,
            .rewind = can_rewind ? +[](void* object) { return static_cast<Pieces*>(object)->rewind(); } : nullptr};
  }
  http::PullResult pull(std::span<char> out) {
    using Kind = http::PullResult::Kind;
    if (next == pieces.size()) {
      return {fails_at_end ? Kind::failed : Kind::end, 0};
    }
    const std::string& piece = pieces[next];
    ++next;
    if (piece.empty()) {
      return {Kind::later, 0};
    }
    EXPECT_LE(piece.size(), out.size());
    piece.copy(out.data(), piece.size());
    return {Kind::more, piece.size()};
  }
  bool rewind() {
    next = 0;
    ++rewound;
    return true;
  }
};

}  // namespace pollux::test
