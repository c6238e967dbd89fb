// Relay: one request on its way through the gateway - the handler's side of a server exchange and a round trip to an upstream, made one.
//
//                        an upstream failed, another is tried
//                             .---.
//   free -> calling ---------'---'-> answering -> free | ending -> free
//              |  101                  the head is with the client, the body flows
//              +-------> switching -> free
//              '-> ending -> free      the client went away, or was answered, before the call was over
//
// Both bodies are pulled: the upstream's connection asks for the request's body when it can send, and the client's for the answer's when it
// has taken what it got. Whoever has nothing to give says `later` and wakes the other side when that changes. So what is under way never
// exceeds the two connections' buffers, however slow a side is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "apps/gateway/tunnel.hpp"
#include "apps/gateway/upstreams.hpp"
#include "stack/base/list.hpp"
#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"
#include "stack/http/round_trip.hpp"
#include "stack/http/transport.hpp"
#include "stack/wire/head.hpp"

namespace pollux::gateway {

class Gateway;

struct RelayMemory {
  http::RoundTripMemory trip;
  std::span<char> head;           // of the answer; as large as the transport's head_size_max
  std::span<char> interim;        // a 1xx head that the client was not sent yet
  std::span<char> trailers;       // of the answer
  std::span<wire::Field> fields;  // of the head
};

class Relay {
 public:
  enum class State : std::uint8_t { free, calling, answering, switching, ending };

  Relay(Gateway& gateway, http::Transport& transport, const RelayMemory& memory) noexcept;
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // ---- called by the handler
  // Begins with a request for route number `route`.
  [[nodiscard]] http::Next begin(http::ResponseWriter& writer, http::Request& request, std::size_t route) noexcept;
  // Goes on, whatever the event is.
  [[nodiscard]] http::Next go_on(http::ResponseWriter& writer, http::Request& request) noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }

  base::ListLink<Relay> link;  // the gateway's free list

 private:
  // Why there is no answer from an upstream: what the client is told instead.
  struct Failure {
    int status = 502;
    std::string_view reason;
    bool retry_later = false;  // Retry-After
  };

  void enter(State state) noexcept;
  // calling
  [[nodiscard]] bool call(http::Request& request) noexcept;  // false: failure_ tells
  [[nodiscard]] bool call_next(http::Request& request) noexcept;
  void answered(http::Response& response) noexcept;
  void traced(const http::Trace& trace) noexcept;
  void take_head(http::Response& response) noexcept;
  void take_switch(http::Response& response) noexcept;
  void take_failure(const http::CallError& error) noexcept;
  void upstream_ok() noexcept;
  void upstream_failed(std::string_view reason) noexcept;
  void leave_upstream() noexcept;
  void fail(int status, std::string_view reason, bool retry_later = false) noexcept;
  // the request's body
  static http::PullResult pull_request(void* object, std::span<char> out, std::uint64_t offset);
  static bool rewind_request(void* object);
  void give_request_trailers() noexcept;
  // the answer
  void give_interim(http::ResponseWriter& writer) noexcept;
  [[nodiscard]] http::Next give_head(http::ResponseWriter& writer, http::Request& request) noexcept;
  [[nodiscard]] http::Next give_failure(http::ResponseWriter& writer, http::Request& request) noexcept;
  [[nodiscard]] http::Next give_end(http::ResponseWriter& writer) noexcept;
  [[nodiscard]] http::Next take_over(http::ResponseWriter& writer, http::Request& request) noexcept;
  static http::PullResult pull_answer(void* object, std::span<char> out, std::uint64_t offset);
  static void close_answer(void* object);
  void body_changed() noexcept;
  void keep_trailers() noexcept;
  // both
  [[nodiscard]] http::Next suspend(http::Request& request) noexcept;
  void wake() noexcept;
  void end() noexcept;

  Gateway& gateway_;
  http::RoundTrip trip_;
  RelayMemory memory_;
  http::Response response_{};
  http::Deferred deferred_{};
  http::Request* request_ = nullptr;  // while the client is there
  Tunnel* tunnel_ = nullptr;          // switching
  wire::ResponseHead head_{};
  Failure failure_{};
  std::optional<std::uint64_t> length_{};
  std::uint64_t request_given_ = 0;  // bytes of the request's body the upstream's connection took
  std::size_t head_size_ = 0;
  std::size_t interim_size_ = 0;
  std::size_t trailers_size_ = 0;
  Tried tried_ = 0;
  std::uint8_t route_ = 0;
  std::uint8_t upstream_ = 0;
  State state_ = State::free;
  bool at_upstream_ = false;      // counted as active there
  bool was_last_resort_ = false;  // every upstream was out when it began
  bool answer_due_ = false;       // `answered` has not been called for this start()
  bool deferred_held_ = false;
  bool outcome_came_ = false;  // calling: a head or a failure is there
  bool has_failed_ = false;
  bool wants_body_ = false;    // the upstream's connection has asked for more of the request
  bool body_over_ = false;     // the answer has no body (more)
  bool answer_waits_ = false;  // the client's connection has asked for more of the answer
  bool source_over_ = false;   // the client's connection wants no more of the answer
};

}  // namespace pollux::gateway
