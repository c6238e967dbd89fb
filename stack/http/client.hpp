// Client: what a program calls - redirects, cookies, credentials and the total deadline around the round trips of a Transport.
//
//   constinit http::CallStorage<> memory;
//   http::Client client{{.transport = transport}};
//   http::Call call{client, memory.memory()};
//   call.get("http://10.0.0.7/api/status", net::callback<&App::got>(app));       // void got(http::Response&)
//
// A Call belongs to its caller, like a RoundTrip, and may be used again and again. `answered` is called exactly once, in a turn, with the last
// response (or its error); bodies of responses that were followed are drained within 2 KiB so that their connection can be used
// again. Sources: net-http.md 1.1, vectors 5.6; RFC 9110 sections 15.4 and 10.1.3, RFC 6265.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "stack/http/cookie_jar.hpp"
#include "stack/http/round_trip.hpp"
#include "stack/http/transport.hpp"

namespace pollux::http {

class Call;

// What to do with a redirect.
enum class Follow : std::uint8_t {
  yes,
  stop,   // the 3xx is the answer, its body open (net/http: ErrUseLastResponse)
  error,  // CallCause::redirect_refused
};
struct Redirect {
  int status = 0;             // 301, 302, 303, 307, 308
  std::string_view from{};    // URL of the request that was answered with it
  std::string_view to{};      // the resolved Location
  std::string_view method{};  // of the next request
  std::uint32_t count = 0;    // redirects followed so far
};
// Asked before each redirect that the rules and `redirects_max` allow. The views are valid during the call.
struct RedirectCheck {
  Follow (*check)(void* object, const Redirect& redirect) = nullptr;
  void* object = nullptr;
};

struct ClientConfig {
  Transport& transport;
  port::Duration timeout = 30s;  // from the call to the last byte of the last body; 0: none
  CookieJar* jar = nullptr;
  std::uint32_t redirects_max = 10;  // requests in a chain, as net/http counts: the 11th request is not made
  RedirectCheck check{};
  bool follow = true;  // false: every 3xx is an answer
  bool decode = true;  // ask for gzip and decode, while decoders are free
};

class Client {
 public:
  explicit Client(const ClientConfig& config) noexcept : config_{config} {}
  [[nodiscard]] const ClientConfig& config() const noexcept { return config_; }
  [[nodiscard]] Transport& transport() const noexcept { return config_.transport; }

 private:
  ClientConfig config_;
};

struct CallOptions {
  // 0: the client's.
  port::Duration timeout{};
  // Told of everything the round trips do, and of each hop's head.
  net::Callback<const Trace&> trace{};
  std::optional<port::Endpoint> endpoint{};  // see RoundTripOptions; of the first hop's host only
  // For this call only, instead of the client's.
  std::optional<bool> follow{};
  std::optional<std::uint32_t> redirects_max{};
  std::optional<bool> decode{};
  RedirectCheck check{};
  // Authorization and cookies go to other hosts too (curl's --location-trusted).
  bool trusts_redirects = false;
  // 301 and 302 keep POST, 303 too (curl's --post301 ...): a bit each.
  bool keep_method_301 = false;
  bool keep_method_302 = false;
  bool keep_method_303 = false;
};

// What happens when a part of it is too small is in the README's table.
struct CallMemory {
  RoundTripMemory request;
  std::span<char> url_next;  // where a Location is resolved
  std::span<char> scratch;   // Cookie and Authorization values of one hop, Referer
};
template <std::size_t url_size = 1024, std::size_t fields_size = 2048>
struct CallStorage {
  RoundTripStorage<url_size, fields_size> request{};
  std::array<char, url_size> url_next{};
  std::array<char, 2048> scratch{};
  [[nodiscard]] CallMemory memory() noexcept {
    return {.request = request.memory(), .url_next = url_next, .scratch = scratch};
  }
};

class Call {
 public:
  Call(Client& client, const CallMemory& memory) noexcept;
  ~Call() { cancel(); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // The request to be made: start() it, add fields and a body, then go(). Fields are sent on every hop (see the rules for Authorization and
  // Cookie above); user and password of the URL become Basic credentials unless there is an Authorization field.
  [[nodiscard]] ClientRequest& request() noexcept { return trip_.request(); }
  // Without a new start() it repeats the last hop's request.
  void go(net::Callback<Response&> answered, const CallOptions& options = {}) noexcept;

  // In one line (net/http: Get, Head, Post, PostForm). `body` outlives the call. `form` is "a=1&b=2", already encoded.
  void get(std::string_view url, net::Callback<Response&> answered, const CallOptions& options = {}) noexcept;
  void head(std::string_view url, net::Callback<Response&> answered, const CallOptions& options = {}) noexcept;
  void post(std::string_view url, std::string_view content_type, std::string_view body,
            net::Callback<Response&> answered, const CallOptions& options = {}) noexcept;
  void post_form(std::string_view url, std::string_view form, net::Callback<Response&> answered,
                 const CallOptions& options = {}) noexcept;

  // Ends it, at any moment: `answered`, if it is still due, gets CallCause::cancelled in a turn; a body under way fails with it. Allowed in
  // every callback, the hook and the trace callback too.
  void cancel() noexcept;
  void resume_body() noexcept { trip_.resume_body(); }

  // Not answered yet, or the last body is not over.
  [[nodiscard]] bool is_under_way() const noexcept;
  // Of the last hop, without user and password once it is under way.
  [[nodiscard]] std::string_view url() const noexcept { return trip_.request().url_text(); }
  [[nodiscard]] std::uint32_t redirects() const noexcept { return redirects_; }
  // Why there was no response, or why its body failed.
  [[nodiscard]] const CallError& error() const noexcept { return error_ ? error_ : trip_.error(); }
  [[nodiscard]] RoundTrip& round_trip() noexcept { return trip_; }

 private:
  // ready -> asking <-> draining, asking -> done -> asking ...
  enum class State : std::uint8_t {
    ready,
    asking,    // a round trip is under way, its head or error has not come
    draining,  // the head said where to go on; its small body is read so that the connection can be used again
    done,      // `answered` was called, or is being called
  };
  // What the head of a hop leads to.
  struct Decision {
    bool follows = false;
    CallCause cause = CallCause::none;  // none: it is followed, or else it is the answer
  };

  void enter(State state) noexcept;
  // client.cpp: the chain and its round trips
  void begin() noexcept;
  void ask() noexcept;
  void answered(Response& response) noexcept;
  void hop_body_came() noexcept;
  void next_hop() noexcept;
  void fail(CallCause cause, CallStage stage) noexcept;
  void finish(Response& response) noexcept;
  // client_redirect.cpp: what the next request is made of
  [[nodiscard]] Decision decide(const Response& response) noexcept;
  [[nodiscard]] CallCause resolve(std::string_view location) noexcept;
  [[nodiscard]] CallCause change_request() noexcept;
  [[nodiscard]] bool keeps_method(int status) const noexcept;
  [[nodiscard]] bool leaves_first_host(const wire::Url& next) const noexcept;
  void drop_secrets() noexcept;
  void drop_body() noexcept;
  void set_referer(const wire::Url& next) noexcept;
  // client_fields.cpp: fields that are set anew for each hop
  [[nodiscard]] CallCause keep_first_fields() noexcept;
  [[nodiscard]] CallCause set_hop_fields(const wire::Url& url) noexcept;
  [[nodiscard]] CallCause set_credentials(const wire::Url& url) noexcept;
  [[nodiscard]] CallCause set_cookies(const wire::Url& url) noexcept;
  void store_cookies(const Response& response) noexcept;
  void forget_own_cookie(std::string_view name) noexcept;
  void restore_fields() noexcept;
  [[nodiscard]] CallCause take_userinfo_off(std::string_view text, const wire::Url& url) noexcept;
  [[nodiscard]] CookieOrigin cookie_origin(const wire::Url& url) const noexcept;
  [[nodiscard]] bool is_first_host(const wire::Url& url) const noexcept;
  [[nodiscard]] std::span<char> hop_scratch() const noexcept { return memory_.scratch.subspan(scratch_kept_); }

  Client& client_;
  RoundTrip trip_;
  CallMemory memory_;
  net::Callback<Response&> answered_{};
  CallOptions options_{};
  CallError error_{};
  net::Timer drain_timer_;
  Response hop_{};                  // draining: the response that is followed
  std::string_view next_text_{};    // draining: the resolved Location, in memory_.url_next
  std::string_view first_host_{};   // with CallOptions::endpoint: what it stands for, in the scratch memory
  std::string_view own_cookies_{};  // with a jar: the request's own pairs, in the scratch memory
  port::Time started_at_{};
  port::Time deadline_ = port::never;
  std::uint64_t drained_ = 0;
  std::size_t scratch_kept_ = 0;  // bytes of the scratch memory that live as long as the chain
  std::uint32_t redirects_ = 0;
  // The first host is the end of each later one until the chain leaves it, so its size says it all.
  std::size_t first_host_size_ = 0;
  std::uint16_t first_port_ = 0;
  State state_ = State::ready;
  bool is_cancelled_ = false;
  bool has_hop_fields_ = false;  // restore_fields() has something to do
  bool first_is_https_ = false;
  bool own_authorization_ = false;  // the request brought it; else it is ours, from a URL
  bool own_referer_ = false;
  bool secrets_dropped_ = false;   // the chain has left its first host; it stays so
  bool next_keeps_body_ = false;   // draining: method and body stay
  bool next_is_relative_ = false;  // draining: the Location named no host
};

}  // namespace pollux::http
