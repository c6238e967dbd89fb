// Dialer: from a host and a port to a connected socket - names looked up, all addresses tried in Happy-Eyeballs order (RFC 8305), so that a
// dead address or a dead family costs a quarter of a second and not the kernel's two minutes.
//
//   ready -> resolving -> connecting -> connected | failed
//                  \______________________________^           (any -> ready by cancel())
//
// It lives inside its user, which is the Driver: the user adds its sockets to the poll set, hands it their events, and lets its deadlines
// expire. At most attempts_max connects are under way at a time; each next one starts 250 ms after the one before it, or at once when that fails.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "stack/net/loop.hpp"
#include "stack/net/resolver.hpp"
#include "stack/net/stream.hpp"

namespace pollux::net {

enum class DialError : std::uint8_t {
  none,
  name,            // name_error() tells
  refused,         // nobody listens there
  unreachable,     // no route
  timed_out,       // the kernel gave up, or the dialer's deadline came
  no_descriptors,  // EMFILE, ENFILE
  no_memory,       // or no local port is left
  not_permitted,   // permission_denied, or a unix socket that does not exist
  failed,          // anything else
};

class Dialer {
 public:
  // How many connects may be under way at the same time, and so how many poll entries a dialer needs.
  static constexpr std::size_t attempts_max = 3;
  // RFC 8305 section 5, "Connection Attempt Delay".
  static constexpr port::Duration attempt_delay = std::chrono::milliseconds{250};

  enum class State : std::uint8_t { ready, resolving, connecting, connected, failed };

  // `changed` is called, in a turn, whenever the state becomes connected or failed. `resolver` may be nullptr: then literal addresses and
  // "localhost" only (anything else is NameError::no_resolver).
  Dialer(port::Port& port, Resolver* resolver, Callback<> changed) noexcept;
  ~Dialer() { cancel(); }
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

  // `host`: a name or a literal address, brackets allowed; copied by the lookup. State ready only. Failures show in state(), never here.
  void start(std::string_view host, std::uint16_t port, port::Time now, port::Time deadline) noexcept;
  // The same to one known endpoint (a unix socket, a fixed address).
  void start(const port::Endpoint& endpoint, port::Time now, port::Time deadline) noexcept;
  // Back to ready: sockets closed, the lookup ended, `changed` not called.
  void cancel() noexcept;

  // ---- what its user's Driver calls
  // Adds its sockets, with tokens `first_token` .. `first_token + attempts_max - 1`, and returns its earliest deadline.
  [[nodiscard]] port::Time prepare(PollSet& set, std::uint32_t first_token) noexcept;
  // Events of the socket added with `first_token + index`.
  void ready(std::uint32_t index, port::Events events, port::Time now) noexcept;
  void expire(port::Time now) noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] DialError error() const noexcept { return error_; }
  [[nodiscard]] NameError name_error() const noexcept { return name_error_; }
  [[nodiscard]] int system_error() const noexcept { return system_error_; }  // of the last attempt; 0 if there is none
  // The connected socket, once; the dialer is ready again. State connected only.
  [[nodiscard]] port::Socket take() noexcept;
  [[nodiscard]] const port::Address& remote() const noexcept { return remote_; }
  // When names were there and the connect began; `never` if it did not come to that. For trace hooks.
  [[nodiscard]] port::Time resolved_at() const noexcept { return resolved_at_; }
 private:
  struct Attempt {
    port::Socket socket{};
    port::Address to{};
  };

  port::Port& port_;
  Resolver* resolver_;
  Callback<> changed_;
  std::optional<Lookup> lookup_{};
  std::array<Attempt, attempts_max> attempts_{};
  std::array<port::Address, addresses_max> tried_{};  // in the order of their beginning
  std::uint8_t tried_count_ = 0;
  State state_ = State::ready;
  DialError error_ = DialError::none;
  NameError name_error_ = NameError::none;
  int system_error_ = 0;
  port::Address remote_{};
  port::Time deadline_ = port::never;
  port::Time next_attempt_at_ = port::never;
  port::Time resolved_at_ = port::never;
  port::Time now_{};
};

// "connection refused": static text for messages.
[[nodiscard]] std::string_view describe(DialError error) noexcept;

}  // namespace pollux::net
