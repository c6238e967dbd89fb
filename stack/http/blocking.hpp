// Blocking convenience: runs the loop until one call is done. For tools, scripts and tests; a device's program uses callbacks.
//
//   http::BlockingCall blocking{client, memory.memory()};
//   std::array<char, 4096> body;
//   const http::BlockingResult result = blocking.get("http://10.0.0.7/api/status", body);
//   if (result && result.status == 200) { use(result.body); }
//
// Everything else on the same loop (servers, timers) runs meanwhile. Not to be used inside a callback of that loop (ENSURE).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "stack/http/client.hpp"

namespace pollux::http {

struct BlockingResult {
  CallError error{};
  int status = 0;
  std::string_view body{};  // in the memory given
  bool is_cut = false;      // the body was longer than that memory; CallCause::too_large in `error`
  [[nodiscard]] explicit operator bool() const noexcept { return !error; }
};

class BlockingCall {
 public:
  BlockingCall(Client& client, const CallMemory& memory) noexcept : call_{client, memory} {}

  // For what the four lines below do not do: fill in call().request(), then go().
  [[nodiscard]] Call& call() noexcept { return call_; }
  [[nodiscard]] BlockingResult go(std::span<char> body, const CallOptions& options = {}) noexcept;
  [[nodiscard]] BlockingResult get(std::string_view url, std::span<char> body) noexcept;
  [[nodiscard]] BlockingResult head(std::string_view url) noexcept;
  [[nodiscard]] BlockingResult post(std::string_view url, std::string_view content_type, std::string_view text,
                                    std::span<char> body) noexcept;

 private:
  Call call_;
};

}  // namespace pollux::http
