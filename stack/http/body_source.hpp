// BodySource: something that makes a body piece by piece when there is room for it; for answers of a server and requests of a client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pollux::http {

// What a source of a body says when it is asked for more.
struct PullResult {
  enum class Kind : std::uint8_t {
    more,    // `size` bytes were written; ask again
    end,     // `size` bytes were written and that was all
    later,   // nothing now: asked again after Deferred::resume() (server) or RoundTrip::resume_body() (client)
    failed,  // it cannot be completed: the connection is closed so that the peer notices
  };
  Kind kind = Kind::end;
  std::size_t size = 0;
};
// A source of a request may resume and cancel its round trip from within these calls, and must not destroy it.
struct BodySource {
  // Writes up to out.size() (> 0) bytes. `offset` is how many it has given so far.
  PullResult (*pull)(void* object, std::span<char> out, std::uint64_t offset) = nullptr;
  // Called exactly once, when no more is wanted: all was taken, or the connection ended. May be nullptr.
  void (*close)(void* object) = nullptr;
  void* object = nullptr;
  // Requests only: begins again at offset 0, for a retry or a redirect that keeps the body. false: it cannot. nullptr: never.
  bool (*rewind)(void* object) = nullptr;
};

}  // namespace pollux::http
