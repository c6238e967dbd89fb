// Request: what the client asked, as the handler sees it.
//
// Every view is into the request's own buffer and lives until the answer is complete, across the handler's calls; only body bytes
// live shorter (see body_bytes). Nothing is copied and nothing is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "port/address.hpp"
#include "port/ensure.hpp"
#include "port/time.hpp"
#include "stack/base/pool.hpp"
#include "stack/http/router.hpp"
#include "stack/tls/session.hpp"
#include "stack/wire/head.hpp"

namespace pollux::net {
class Loop;
}

namespace pollux::http {

class Server;
class ServerConn;

// Why the handler is being called.
enum class Event : std::uint8_t {
  start,     // the first call for this request
  body,      // it returned read_body: more of the body is there, or it ended, or it failed (see body_state)
  writable,  // it returned write_body: there is room again
  resumed,   // it returned wait, or read_body while it held a Deferred: that was resumed
  expired,   // it returned wait: nobody resumed it in time; answer, or return for the server's own 503
  gone,  // it had returned something else than done and the connection has ended: let go of what is held; nothing can be answered
};

// How far the body of a request has come.
enum class BodyState : std::uint8_t {
  more,       // there is more to come
  complete,   // all of it has come (what was not consumed is in body_bytes)
  too_large,  // it exceeds the route's limit; the answer should be 413
  failed,     // malformed, or the client stopped; the connection closes after the answer
};

// The right to answer a request later. Move-only. Letting it go without resume() answers 500 and frees everything; the handler is not
// called again then. One that was not resumed has to be let go before its server is destroyed: Event::gone is the time for that.
//
//   Next slow(ResponseWriter& writer, Request& request) {
//     if (request.event() == Event::start) { pending_ = request.defer(); return Next::wait; }
//     ...
//   }
//   void on_measured() { pending_.resume(); }   // the handler is called again, in this turn, with Event::resumed
class Deferred {
 public:
  constexpr Deferred() = default;
  Deferred(Deferred&& other) noexcept : server_{other.server_}, handle_{other.handle_}, serial_{other.serial_} {
    other.server_ = nullptr;
  }
  Deferred& operator=(Deferred&& other) noexcept;
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;
  ~Deferred() { drop(); }

  // The request is still there to be answered: its client has not gone and its time is not over.
  [[nodiscard]] bool is_pending() const noexcept;
  // Has the handler called again at the end of this turn (never from inside this call). False, and nothing happens, if the
  // request is gone. Afterwards this object is empty.
  bool resume() noexcept;
  // Answers 500 if the request is still waiting. What the destructor does.
  void drop() noexcept;

 private:
  friend class ServerConn;
  Deferred(Server& server, base::Handle handle, std::uint32_t serial) noexcept
      : server_{&server}, handle_{handle}, serial_{serial} {}
  Server* server_ = nullptr;
  base::Handle handle_{};     // of the exchange
  std::uint32_t serial_ = 0;  // of the request on its connection: an exchange serves many, one after the other
};

class Request {
 public:
  [[nodiscard]] Event event() const noexcept { return event_; }

  // ---- the head
  [[nodiscard]] std::string_view method() const noexcept { return head_.method; }
  [[nodiscard]] wire::Method method_id() const noexcept { return head_.method_id; }
  [[nodiscard]] wire::Version version() const noexcept { return head_.version; }
  [[nodiscard]] std::string_view target() const noexcept { return head_.target; }  // as sent
  // The decoded path ("/a b" for "/a%20b"), without the route's strip_prefix.
  [[nodiscard]] std::string_view path() const noexcept { return path_; }
  [[nodiscard]] std::string_view raw_path() const noexcept { return raw_path_; }  // as sent
  [[nodiscard]] std::string_view query() const noexcept { return query_; }        // as sent, without '?'
  [[nodiscard]] bool has_query() const noexcept { return has_query_; }
  // The first value of a query parameter, decoded into `scratch`; nothing if there is none or it does not fit.
  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name,
                                                            std::span<char> scratch) const noexcept;
  [[nodiscard]] std::string_view host() const noexcept {
    return host_;
  }  // from an absolute target, else the Host field; port included
  [[nodiscard]] const wire::Fields& fields() const noexcept { return head_.fields; }
  [[nodiscard]] std::optional<std::string_view> field(wire::FieldId id) const noexcept {
    return head_.has(id) ? head_.fields.get(id) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
    return head_.fields.get(name);
  }
  // What the wildcard `name` of the pattern matched, decoded; "" if the pattern has no such wildcard.
  [[nodiscard]] std::string_view path_value(std::string_view name) const noexcept;
  [[nodiscard]] std::string_view pattern() const noexcept { return pattern_; }

  // ---- the body
  // The whole body of a Body::collected request.
  [[nodiscard]] std::string_view body() const noexcept { return body_bytes(); }
  // Body::streamed: the bytes that have come and were not consumed, in one piece; valid until the handler returns.
  [[nodiscard]] std::string_view body_bytes() const noexcept;
  // The first `count` of body_bytes() are done with; their room is used for more.
  void consume(std::size_t count) noexcept;
  [[nodiscard]] BodyState body_state() const noexcept;
  // Declared length; nothing if the body is chunked. 0 if there is no body.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept;
  [[nodiscard]] std::uint64_t body_received() const noexcept;  // bytes so far, consumed or not
  // Fields behind a chunked body, once body_state() is complete and before more is consumed.
  [[nodiscard]] const wire::Fields& trailers() const noexcept;

  // ---- where it comes from
  [[nodiscard]] const port::Address& remote() const noexcept;
  [[nodiscard]] const port::Address& local() const noexcept;
  // What TLS agreed on and who the client is, by its certificate; nullptr: the connection is not encrypted.
  [[nodiscard]] const tls::ConnectionInfo* tls() const noexcept;
  [[nodiscard]] port::Time now() const noexcept;
  [[nodiscard]] net::Loop& loop() const noexcept;
  [[nodiscard]] Server& server() const noexcept;

  // ---- between the handler's calls
  // Memory that lives as long as the request, zero-initialised on the first call. One type per request.
  template <typename T>
  [[nodiscard]] T& state() noexcept {
    static_assert(std::is_trivially_destructible_v<T>,
                  "a handler's state is forgotten, not destroyed: release things in Event::gone");
    static_assert(alignof(T) <= alignof(std::max_align_t));
    ENSURE(sizeof(T) <= state_.size());  // ServerLimits::state_size
    if (!state_made_) {
      state_made_ = true;
      return *::new (static_cast<void*>(state_.data())) T{};
    }
    return *std::launder(static_cast<T*>(static_cast<void*>(state_.data())));
  }
  // The right to answer later; return Next::wait after it.
  [[nodiscard]] Deferred defer() noexcept;
  // Replaces the deadline for the rest of the body, or of the answer, `after` from now; zero: none (net/http: ResponseController).
  void set_read_deadline(port::Duration after) noexcept;
  void set_write_deadline(port::Duration after) noexcept;
  // Replaces how long a Next::wait may take from now on.
  void set_wait_deadline(port::Duration after) noexcept;

 private:
  friend class ServerConn;
  friend struct Exchange;
  Request() = default;

  wire::RequestHead head_{};
  std::string_view path_{};
  std::string_view full_path_{};  // path_ before strip_prefix; captures are relative to it
  std::string_view raw_path_{};
  std::string_view query_{};
  std::string_view host_{};
  std::string_view pattern_{};
  RouteMatch match_;
  ServerConn* conn_ = nullptr;
  std::span<std::byte> state_{};
  Event event_ = Event::start;
  bool has_query_ = false;
  bool state_made_ = false;
};

}  // namespace pollux::http
