#include "stack/net/resolver.hpp"

#include <algorithm>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/net/resolver_storage.hpp"

namespace pollux::net {

namespace {

[[nodiscard]] std::string_view without_last_dot(std::string_view name) noexcept {
  return !name.empty() && name.back() == '.' ? std::string_view{name.data(), name.size() - 1} : name;
}

// A host name, without the last dot: labels of 1 to 63 letters, digits, '-' and '_' (RFC 1123 section 2.1, and what people use).
[[nodiscard]] bool is_host_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > name_size_max) {
    return false;
  }
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label == 0) {
        return false;
      }
      label = 0;
      continue;
    }
    if (!base::is_alpha(c) && !base::is_digit(c) && c != '-' && c != '_') {
      return false;
    }
    if (++label > 63) {
      return false;
    }
  }
  return label != 0;
}

// `name` is `domain` or below it.
[[nodiscard]] bool is_within(std::string_view name, std::string_view domain) noexcept {
  if (name.size() < domain.size()) {
    return false;
  }
  const std::size_t rest = name.size() - domain.size();
  return base::equal_ignoring_case({name.data() + rest, domain.size()}, domain) && (rest == 0 || name[rest - 1] == '.');
}

}  // namespace

std::string_view describe(NameError error) noexcept {
  switch (error) {
    case NameError::none:
      return "no error";
    case NameError::bad_name:
      return "not a host name";
    case NameError::not_found:
      return "no such name";
    case NameError::no_address:
      return "the name has no address";
    case NameError::server_failed:
      return "the name server failed";
    case NameError::unreachable:
      return "no name server can be reached";
    case NameError::timed_out:
      return "no name server answered in time";
    case NameError::no_servers:
      return "no name server is known";
    case NameError::no_resolver:
      return "names cannot be looked up";
    case NameError::cancelled:
      return "the lookup was cancelled";
  }
  return "unknown error";
}

// ---- Lookup

void Lookup::start(std::string_view name, std::uint16_t port) noexcept {
  cancel();
  address_count_ = 0;
  error_ = NameError::none;
  told_early_ = false;
  is_finished_ = false;
  port_ = port;
  state_ = State::running;
  began_turn_ = resolver_.config_.loop.turns();
  if (const auto literal = port::parse_ip(name)) {
    resolver_.finish(*this, {&literal.value(), 1}, NameError::none);
    return;
  }
  if (!is_host_name(without_last_dot(name))) {
    resolver_.finish(*this, {}, NameError::bad_name);
    return;
  }
  std::copy(name.begin(), name.end(), name_.begin());
  name_size_ = static_cast<std::uint8_t>(name.size());
  resolver_.begin(*this);
}

void Lookup::cancel() noexcept {
  if (state_ == State::running) {
    resolver_.remove(*this);
    state_ = State::ready;
  }
}

// ---- Resolver

Resolver::Resolver(const ResolverConfig& config) noexcept : config_{config}, tables_{config.memory.tables} {
  tables_.pin_count = 0;
  config_.loop.add(*this);
}

Resolver::~Resolver() {
  for (Lookup* lookup = finished_.front(); lookup != nullptr; lookup = finished_.front()) {
    lookup->cancel();
  }
  for (Lookup* lookup = waiting_.front(); lookup != nullptr; lookup = waiting_.front()) {
    lookup->cancel();
  }
  config_.loop.remove(*this);
}

bool Resolver::pin(std::string_view name, std::uint16_t port, const port::Address& address) noexcept {
  const std::string_view plain = without_last_dot(name);
  if (tables_.pin_count == tables_.pins.size() || !is_host_name(plain)) {
    return false;
  }
  PinnedName& pin = tables_.pins[tables_.pin_count++];
  std::copy(plain.begin(), plain.end(), pin.name.begin());
  pin.name_size = static_cast<std::uint8_t>(plain.size());
  pin.port = port;
  pin.address = address;
  return true;
}

void Resolver::forget() noexcept {}

std::uint64_t Resolver::questions_sent() const noexcept {
  return questions_sent_;
}
std::uint64_t Resolver::cache_hits() const noexcept {
  return cache_hits_;
}

void Resolver::begin(Lookup& lookup) noexcept {
  const std::string_view name = without_last_dot({lookup.name_.data(), lookup.name_size_});
  std::array<port::Address, addresses_max> found;
  std::size_t count = 0;
  for (std::size_t i = 0; i < tables_.pin_count && count < found.size(); ++i) {
    const PinnedName& pin = tables_.pins[i];
    if ((pin.port == 0 || pin.port == lookup.port_) &&
        base::equal_ignoring_case(name, {pin.name.data(), pin.name_size})) {
      found[count++] = pin.address;
    }
  }
  if (count == 0 && is_within(name, "localhost")) {
    if (config_.use_ipv6) {
      found[count++] = port::Address::ipv6_loopback(0);
    }
    if (config_.use_ipv4) {
      found[count++] = port::Address::ipv4_loopback(0);
    }
  }
  finish(lookup, {found.data(), count}, count == 0 ? NameError::no_servers : NameError::none);
}

void Resolver::remove(Lookup& lookup) noexcept {
  (lookup.is_finished_ ? finished_ : waiting_).remove(lookup);
}

// What was found goes into the lookup; its user hears of it in a later turn.
void Resolver::finish(Lookup& lookup, std::span<const port::Address> addresses, NameError error) noexcept {
  give(lookup, addresses);
  lookup.error_ = error;
  lookup.is_finished_ = true;
  finished_.push_back(lookup);
}

void Resolver::give(Lookup& lookup, std::span<const port::Address> addresses) noexcept {
  lookup.address_count_ = 0;
  for (const port::Address& address : addresses) {
    port::Address& copy = lookup.addresses_[lookup.address_count_++];
    copy = address;
    copy.port = lookup.port_;
  }
}

// A callback may start, cancel and destroy lookups, so the list is looked at anew after each; what is added meanwhile belongs to a later turn.
void Resolver::deliver() noexcept {
  for (std::size_t left = finished_.size(); left > 0 && !finished_.is_empty(); --left) {
    Lookup& lookup = *finished_.pop_front();
    if (lookup.began_turn_ == config_.loop.turns()) {
      finished_.push_back(lookup);
      continue;
    }
    lookup.state_ = Lookup::State::done;
    const Callback<Lookup&> changed = lookup.changed_;
    changed(lookup);
  }
}

port::Time Resolver::prepare(PollSet& set, port::Time now) {
  static_cast<void>(set);
  return finished_.is_empty() ? port::never : now;
}

void Resolver::ready(std::uint32_t token, port::Events events, port::Time now) {
  static_cast<void>(token);
  static_cast<void>(events);
  static_cast<void>(now);
}

// Nothing of a resolver is ever parked.
void Resolver::parked_ready(std::uint32_t token, port::Events events, port::Time now) {
  static_cast<void>(token);
  static_cast<void>(events);
  static_cast<void>(now);
}

void Resolver::expire(port::Time now) {
  static_cast<void>(now);
}

void Resolver::work(port::Time now) {
  static_cast<void>(now);
  deliver();
}

}  // namespace pollux::net
