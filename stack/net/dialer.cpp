#include "stack/net/dialer.hpp"

#include <algorithm>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::net {

namespace {

using port::Address;
using port::Error;

constexpr std::string_view name_of_loopback = "localhost";

// What stands between brackets, if the text is in brackets.
std::string_view without_brackets(std::string_view host) noexcept {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host.remove_prefix(1);
    host.remove_suffix(1);
  }
  return host;
}

// A literal address. In a URL the '%' before a zone is itself escaped (RFC 6874 section 2); a text in brackets comes from one.
port::Result<Address, port::AddressError> parse_literal(std::string_view host) noexcept {
  const std::string_view inner = without_brackets(host);
  const std::size_t percent = inner.find('%');
  const bool is_escaped = inner.size() != host.size() && percent != std::string_view::npos &&
                          inner.size() > percent + 3 && inner[percent + 1] == '2' && inner[percent + 2] == '5';
  if (!is_escaped) {
    return port::parse_ip(inner);
  }
  std::array<char, port::address_text_max> text{};
  base::TextWriter writer{text};
  writer.put({inner.data(), percent + 1}).put({inner.data() + percent + 3, inner.size() - percent - 3});
  if (writer.overflowed()) {
    return port::Failure{port::AddressError::bad_address};
  }
  return port::parse_ip(writer.view());
}

// "localhost" and the names below it, with or without the last dot (RFC 6761 section 6.3).
bool is_loopback_name(std::string_view host) noexcept {
  if (!host.empty() && host.back() == '.') {
    host.remove_suffix(1);
  }
  if (host.size() < name_of_loopback.size()) {
    return false;
  }
  const std::size_t before = host.size() - name_of_loopback.size();
  const std::string_view last{host.data() + before, name_of_loopback.size()};
  return base::equal_ignoring_case(last, name_of_loopback) && (before == 0 || (before > 1 && host[before - 1] == '.'));
}

DialError dial_error_of(Error error, const Address& to) noexcept {
  switch (error) {
    case Error::no_descriptors:
      return DialError::no_descriptors;
    case Error::no_memory:
      return DialError::no_memory;
    case Error::address_not_here:
      // EADDRNOTAVAIL has two reasons: all local ports towards that peer are in use, or no interface has an address of that family. IPv6
      // switched off is everyday, 28,000 connections to one IPv6 address are not.
      return to.family == port::Family::ipv6 ? DialError::unreachable : DialError::no_memory;
    case Error::permission_denied:
    case Error::not_found:
      return DialError::not_permitted;
    case Error::refused:
      return DialError::refused;
    case Error::unreachable:
      return DialError::unreachable;
    case Error::timed_out:
      return DialError::timed_out;
    case Error::would_block:
    case Error::aborted:
    case Error::address_in_use:
    case Error::not_regular:
    case Error::outside:
    case Error::name_too_long:
    case Error::failed:
      return DialError::failed;
  }
  return DialError::failed;
}

// How much an error tells about why none of several addresses worked.
int weight_of(DialError error) noexcept {
  switch (error) {
    case DialError::none:
      return 0;
    case DialError::failed:
      return 1;
    case DialError::timed_out:
      return 2;
    case DialError::unreachable:
      return 3;
    case DialError::not_permitted:
      return 4;
    case DialError::refused:
      return 5;
    case DialError::name:
    case DialError::no_memory:
    case DialError::no_descriptors:
      return 6;
  }
  return 0;
}

// Whether `to` may follow `from`, by State: ready, resolving, connecting, connected, failed.
constexpr bool steps[5][5] = {
    {false, true, true, false, true},    // ready; failed: no time left, a bad name
    {true, false, true, false, true},    // resolving
    {true, false, false, true, true},    // connecting
    {true, false, false, false, false},  // connected
    {true, false, false, false, false},  // failed
};

}  // namespace

Dialer::Dialer(port::Port& port, Resolver* resolver, Callback<> changed) noexcept : port_{port}, changed_{changed} {
  if (resolver) {
    lookup_.emplace(*resolver, callback<&Dialer::looked_up>(*this));
  }
}

void Dialer::enter(State state) noexcept {
  ENSURE(steps[static_cast<std::size_t>(state_)][static_cast<std::size_t>(state)]);
  state_ = state;
}

// ---- beginning and ending

void Dialer::start(std::string_view host, std::uint16_t port, port::Time now, port::Time deadline) noexcept {
  ENSURE(state_ == State::ready);
  cancel();  // forgets what the last dial left behind for questions
  if (const auto literal = parse_literal(host)) {
    known_[known_count_++] = *literal;
  } else if (!lookup_ && is_loopback_name(host)) {
    known_[known_count_++] = Address::ipv6_loopback(0);  // IPv6 first: RFC 6724 section 2.1
    known_[known_count_++] = Address::ipv4_loopback(0);
  } else if (!lookup_) {
    error_ = DialError::name;
    name_error_ = host.empty() ? NameError::bad_name : NameError::no_resolver;
    enter(State::failed);
    return;
  }
  for (std::size_t i = 0; i < known_count_; ++i) {
    known_[i].port = port;
  }
  has_lookup_ = known_count_ == 0;
  if (has_lookup_ && deadline > now) {
    deadline_ = deadline;
    enter(State::resolving);
    lookup_->start(host, port);
    return;
  }
  begin(now, deadline);
}

void Dialer::start(const port::Endpoint& endpoint, port::Time now, port::Time deadline) noexcept {
  ENSURE(state_ == State::ready);
  cancel();
  known_[known_count_++] = endpoint.address;
  if (endpoint.address.family == port::Family::local) {
    path_size_ = static_cast<std::uint8_t>(std::min(endpoint.path.size(), path_.size()));
    std::copy_n(endpoint.path.data(), path_size_, path_.data());
  }
  begin(now, deadline);
}

// To addresses that are known.
void Dialer::begin(port::Time now, port::Time deadline) noexcept {
  deadline_ = deadline;
  if (deadline <= now) {
    error_ = DialError::timed_out;
    enter(State::failed);
    return;
  }
  enter(State::connecting);
  advance(now, true);
}

void Dialer::cancel() noexcept {
  if (has_lookup_) {
    lookup_->cancel();
  }
  close_all();
  has_lookup_ = false;
  is_final_ = false;
  tried_count_ = 0;
  known_count_ = 0;
  path_size_ = 0;
  error_ = DialError::none;
  name_error_ = NameError::none;
  system_error_ = 0;
  remote_ = {};
  deadline_ = port::never;
  last_began_ = port::never;
  retry_at_ = port::never;
  resolved_at_ = port::never;
  if (state_ != State::ready) {
    enter(State::ready);
  }
}

port::Socket Dialer::take() noexcept {
  ENSURE(state_ == State::connected);
  const port::Socket socket = attempts_.front().socket;
  attempts_.front() = {};
  enter(State::ready);
  return socket;
}

void Dialer::fail() noexcept {
  if (has_lookup_) {
    lookup_->cancel();
  }
  close_all();
  enter(State::failed);
}

// The winner stands in front, the others are closed.
void Dialer::win(Attempt& winner) noexcept {
  const Attempt won = winner;
  winner = {};
  if (has_lookup_) {
    lookup_->cancel();
  }
  close_all();
  attempts_.front() = won;
  remote_ = won.to;
  error_ = DialError::none;
  system_error_ = 0;
  enter(State::connected);
}

void Dialer::close(Attempt& attempt) noexcept {
  if (attempt.socket.is_open()) {
    port_.close(attempt.socket);
  }
  attempt = {};
}

void Dialer::close_all() noexcept {
  for (Attempt& attempt : attempts_) {
    close(attempt);
  }
}

// ---- addresses

std::span<const Address> Dialer::addresses() const noexcept {
  return has_lookup_ ? lookup_->addresses() : std::span<const Address>{known_.data(), known_count_};
}

bool Dialer::may_grow() const noexcept {
  return has_lookup_ && lookup_->is_running();
}

// The first that was not tried yet; nullptr if there is none, or no more may be tried.
const Address* Dialer::next_address() const noexcept {
  if (is_final_ || tried_count_ == tried_.size()) {
    return nullptr;
  }
  const auto tried_end = tried_.begin() + tried_count_;
  for (const Address& address : addresses()) {
    if (std::find(tried_.begin(), tried_end, address) == tried_end) {
      return &address;
    }
  }
  return nullptr;
}

// ---- attempts

std::size_t Dialer::attempts_count() const noexcept {
  std::size_t count = 0;
  for (const Attempt& attempt : attempts_) {
    count += attempt.socket.is_open() ? 1U : 0U;
  }
  return count;
}

// Only when all are under way.
Dialer::Attempt& Dialer::oldest() noexcept {
  return *std::min_element(attempts_.begin(), attempts_.end(),
                           [](const Attempt& a, const Attempt& b) { return a.began < b.began; });
}

port::Time Dialer::next_attempt_at() const noexcept {
  if (retry_at_ != port::never || !next_address()) {
    return retry_at_;
  }
  port::Time oldest_began = port::never;
  std::size_t count = 0;
  for (const Attempt& attempt : attempts_) {
    if (attempt.socket.is_open()) {
      oldest_began = port::earliest(oldest_began, attempt.began);
      ++count;
    }
  }
  if (count == 0) {
    return port::Time{};  // overdue; advance() leaves no such state behind
  }
  const port::Time due = last_began_ + attempt_delay;
  return count < attempts_max ? due : std::max(due, oldest_began + attempt_patience);
}

// Begins what is to begin, and fails when nothing is left. `is_due`: an attempt has just failed, so the next does not wait. Each round of
// the loop tries an address that was not tried before, so there are at most addresses_max.
void Dialer::advance(port::Time now, bool is_due) noexcept {
  for (const Address* next = next_address(); next; next = next_address()) {
    const std::size_t count = attempts_count();
    if (count != 0 && !is_due && now < next_attempt_at()) {
      break;
    }
    if (count == attempts_max) {
      note(DialError::timed_out, 0);
      close(oldest());
    }
    if (state_ == State::resolving) {
      enter(State::connecting);
    }
    is_due = !connect_to(Address{*next}, now);
    if (!is_due) {
      break;  // the delay runs, or the retry does
    }
  }
  if (attempts_count() != 0 || retry_at_ != port::never || next_address() || (may_grow() && !is_final_)) {
    return;
  }
  if (error_ == DialError::none) {  // nothing was tried: there was no address
    error_ = DialError::name;
    name_error_ = lookup_->error() == NameError::none ? NameError::no_address : lookup_->error();
  }
  fail();
}

// False: that address has failed, and the next one's turn has come.
bool Dialer::connect_to(const Address& to, port::Time now) noexcept {
  if (resolved_at_ == port::never) {
    resolved_at_ = now;
  }
  const auto socket = port_.connect({.address = to, .path = {path_.data(), path_size_}});
  if (!socket && socket.error() == Error::would_block) {
    retry_at_ = now + retry_delay;
    return true;
  }
  tried_[tried_count_++] = to;
  if (!socket) {
    const int system_error = port_.system_error();
    is_final_ = socket.error() == Error::no_descriptors || socket.error() == Error::no_memory;
    note(dial_error_of(socket.error(), to), system_error);
    return false;
  }
  last_began_ = now;
  for (Attempt& attempt : attempts_) {
    if (!attempt.socket.is_open()) {
      attempt = {.socket = *socket, .to = to, .began = now};
      return true;
    }
  }
  ENSURE(false);  // advance() made room
  return true;
}

// Keeps the error that tells most; of equals the first, which belongs to the address that should have worked best.
void Dialer::note(DialError error, int system_error) noexcept {
  if (weight_of(error) > weight_of(error_)) {
    error_ = error;
    system_error_ = system_error;
  }
}

// ---- what comes from outside

// The time is asked for here: the resolver's callback brings none, and the last turn's may be long ago.
void Dialer::looked_up(Lookup& /*lookup*/) noexcept {
  if (!is_trying()) {
    return;
  }
  advance(port_.now(), false);
  if (state_ == State::failed) {
    changed_();  // last: the user may start another dial
  }
}

port::Time Dialer::prepare(PollSet& set, std::uint32_t first_token) const noexcept {
  if (!is_trying()) {
    return port::never;
  }
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    if (attempts_[i].socket.is_open()) {
      set.add(attempts_[i].socket, port::Events::writable, first_token + static_cast<std::uint32_t>(i));
    }
  }
  return port::earliest(deadline_, next_attempt_at());
}

// What happened to the socket is asked of the port, not read from the events: an event may be one of the socket that was in this place
// earlier in the turn.
void Dialer::ready(std::uint32_t index, port::Events /*events*/, port::Time now) noexcept {
  ENSURE(index < attempts_.size());
  Attempt& attempt = attempts_[index];
  if (state_ != State::connecting || !attempt.socket.is_open()) {
    return;
  }
  const auto result = port_.connect_result(attempt.socket);
  if (result) {
    win(attempt);
    return;
  }
  if (result.error() == Error::would_block) {
    return;
  }
  note(dial_error_of(result.error(), attempt.to), port_.system_error());
  close(attempt);
  advance(now, true);
}

void Dialer::expire(port::Time now) noexcept {
  if (!is_trying()) {
    return;
  }
  if (now >= deadline_) {
    error_ = DialError::timed_out;
    system_error_ = 0;
    fail();
    return;
  }
  if (now >= next_attempt_at()) {
    retry_at_ = port::never;
    advance(now, false);
  }
}

std::string_view describe(DialError error) noexcept {
  switch (error) {
    case DialError::none:
      return "no error";
    case DialError::name:
      return "the host name could not be resolved";
    case DialError::refused:
      return "connection refused";
    case DialError::unreachable:
      return "no route to the host";
    case DialError::timed_out:
      return "connection timed out";
    case DialError::no_descriptors:
      return "too many open files";
    case DialError::no_memory:
      return "no memory or no local port for a connection";
    case DialError::not_permitted:
      return "connection not permitted";
    case DialError::failed:
      return "connection failed";
  }
  return "connection failed";
}

}  // namespace pollux::net
