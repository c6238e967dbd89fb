// Dialer: from a host and a port to a connected socket - names looked up, all addresses tried in Happy-Eyeballs order (RFC 8305), so that a
// dead address or a dead family costs a quarter of a second and not the kernel's two minutes.
//
//   ready -> resolving -> connecting -> connected | failed
//     \            \______________________^   ^         (any -> ready by cancel(), connected -> ready by take())
//      \_____________________________________/          literal addresses and unix sockets need no lookup
//
// It lives inside its user, which is the Driver: the user adds its sockets to the poll set, hands it their events, and lets its deadlines
// expire. At most attempts_max connects are under way at a time; each next one starts 250 ms after the one before it, or at once when that
// fails. The next is always the first of the lookup's addresses that was not tried yet, so the lookup may grow and reorder as it likes. The
// first connect that succeeds wins, and the others are closed.
//
//   dialer.start("example.net", 80, now, now + 30s);
//   if (dialer.state() == Dialer::State::failed) ...   // and again after ready(), expire() and `changed`
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
  unreachable,     // no route, or no address of ours to go there from
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
  // When attempts_max connects are under way and there are more addresses, the oldest is given up after this long: one SYN sent again after a
  // second (RFC 6298 section 2) and a second for its answer. The last addresses are waited for until the deadline.
  static constexpr port::Duration attempt_patience = std::chrono::seconds{2};
  // A unix listener whose queue is full is asked again after this long, until the deadline: poll() cannot tell when there is room.
  static constexpr port::Duration retry_delay = std::chrono::milliseconds{10};

  enum class State : std::uint8_t { ready, resolving, connecting, connected, failed };

  // `changed` is called, in a turn, when something that the resolver told made the state `failed` (nothing else can come of it). What start(),
  // ready() and expire() do shows in state() when they return, and is not told by `changed`. `resolver` may be nullptr: then literal addresses
  // and "localhost" only (anything else is NameError::no_resolver).
  Dialer(port::Port& port, Resolver* resolver, Callback<> changed) noexcept;
  ~Dialer() { cancel(); }
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

  // `host`: a name or a literal address, in brackets or not, an IPv6 one perhaps with a numeric zone ("%2", in brackets also "%252" as in a
  // URL); copied. State ready only. Failures show in state(), never here; a literal address that is refused at once has failed on return.
  void start(std::string_view host, std::uint16_t port, port::Time now, port::Time deadline) noexcept;
  // The same to one known endpoint (a unix socket, a fixed address). The path is copied.
  void start(const port::Endpoint& endpoint, port::Time now, port::Time deadline) noexcept;
  // Back to ready: sockets closed, the lookup ended, `changed` not called.
  void cancel() noexcept;

  // ---- what its user's Driver calls
  // Adds its sockets, with tokens `first_token` .. `first_token + attempts_max - 1`, and returns its earliest deadline: `never` unless it is
  // resolving or connecting. Changes nothing.
  [[nodiscard]] port::Time prepare(PollSet& set, std::uint32_t first_token) const noexcept;
  // Events of the socket added with `first_token + index`. May come late, when that socket is closed already.
  void ready(std::uint32_t index, port::Events events, port::Time now) noexcept;
  void expire(port::Time now) noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  // State failed: of all attempts the most telling reason, what is final first: no_descriptors and no_memory (nothing more is tried then),
  // refused, not_permitted, unreachable, timed_out, failed. The dialer's own deadline wins over them.
  [[nodiscard]] DialError error() const noexcept { return error_; }
  [[nodiscard]] NameError name_error() const noexcept { return name_error_; }
  // The system's number for error(); 0 if there is none (names, the dialer's deadline).
  [[nodiscard]] int system_error() const noexcept { return system_error_; }
  // The connected socket, once; the dialer is ready again. State connected only.
  [[nodiscard]] port::Socket take() noexcept;
  // Whom it is connected to; stays after take().
  [[nodiscard]] const port::Address& remote() const noexcept { return remote_; }
  // When names were there and the first connect began; `never` if it did not come to that. For trace hooks; stays after take().
  [[nodiscard]] port::Time resolved_at() const noexcept { return resolved_at_; }
  // How many addresses were tried, for messages; stays until start() or cancel().
  [[nodiscard]] std::size_t addresses_tried() const noexcept { return tried_count_; }

 private:
  static constexpr std::size_t path_size_max =
      108;  // sun_path of unix(7): one more than a port takes, so that it refuses a longer one

  struct Attempt {
    port::Socket socket{};
    port::Address to{};
    port::Time began{};
  };

  void begin(port::Time now, port::Time deadline) noexcept;
  void looked_up(Lookup& lookup) noexcept;
  void advance(port::Time now, bool is_due) noexcept;
  [[nodiscard]] bool connect_to(const port::Address& to, port::Time now) noexcept;
  void note(DialError error, int system_error) noexcept;
  void fail() noexcept;
  void win(Attempt& winner) noexcept;
  void close(Attempt& attempt) noexcept;
  void close_all() noexcept;
  [[nodiscard]] bool is_trying() const noexcept { return state_ == State::resolving || state_ == State::connecting; }
  [[nodiscard]] std::span<const port::Address> addresses() const noexcept;
  [[nodiscard]] bool may_grow() const noexcept;
  [[nodiscard]] const port::Address* next_address() const noexcept;
  [[nodiscard]] std::size_t attempts_count() const noexcept;
  [[nodiscard]] port::Time next_attempt_at() const noexcept;
  [[nodiscard]] Attempt& oldest() noexcept;
  void enter(State state) noexcept;

  port::Port& port_;
  Callback<> changed_;
  std::optional<Lookup> lookup_{};  // none without a resolver
  std::array<Attempt, attempts_max> attempts_{};
  std::array<port::Address, addresses_max> tried_{};  // in the order of their beginning
  std::array<port::Address, 2> known_{};              // what needs no lookup
  std::uint8_t tried_count_ = 0;
  std::uint8_t known_count_ = 0;
  std::uint8_t path_size_ = 0;
  bool has_lookup_ = false;  // the addresses are those of lookup_, else known_
  bool is_final_ = false;    // no more attempts: there is no descriptor or no memory for them
  State state_ = State::ready;
  DialError error_ = DialError::none;
  NameError name_error_ = NameError::none;
  int system_error_ = 0;
  port::Address remote_{};
  port::Time deadline_ = port::never;
  port::Time last_began_ = port::never;  // the newest attempt
  port::Time retry_at_ = port::never;    // a full unix listener is asked again
  port::Time resolved_at_ = port::never;
  std::array<char, path_size_max> path_{};
};

// "connection refused": static text for messages.
[[nodiscard]] std::string_view describe(DialError error) noexcept;

}  // namespace pollux::net
