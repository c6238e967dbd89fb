#include "stack/net/resolver.hpp"

#include <algorithm>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/net/address_order.hpp"
#include "stack/net/hosts_file.hpp"
#include "stack/net/resolver_detail.hpp"
#include "stack/net/resolver_storage.hpp"

namespace pollux::net {

namespace {

[[nodiscard]] std::string_view without_last_dot(std::string_view name) noexcept {
  return !name.empty() && name.back() == '.' ? std::string_view{name.data(), name.size() - 1} : name;
}

[[nodiscard]] AskedName asked_name(std::string_view name) noexcept {
  const std::string_view text = without_last_dot(name);
  return {.text = text, .is_absolute = text.size() < name.size()};
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
  tables_.queries.emplace(tables_.query_slots);
  tables_.cache = NameCache{tables_.cache_entries};
  tables_.cache.clear();
  tables_.conf.emplace();
  tables_.has_seen_files = false;
  tables_.pin_count = 0;
  config_.loop.add(*this);
}

Resolver::~Resolver() {
  for (std::uint32_t i = 0; i < tables_.queries->size(); ++i) {
    // The last one to leave takes the query with it.
    for (Query* query = tables_.queries->at(i); query != nullptr; query = tables_.queries->at(i)) {
      query->lookups.front()->cancel();
    }
  }
  while (!waiting_.is_empty()) {
    waiting_.front()->cancel();
  }
  while (!finished_.is_empty()) {
    finished_.front()->cancel();
  }
  tables_.queries.reset();
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

void Resolver::forget() noexcept {
  outdate();
  tables_.has_seen_files = false;
}

std::uint64_t Resolver::questions_sent() const noexcept {
  return questions_sent_;
}
std::uint64_t Resolver::cache_hits() const noexcept {
  return cache_hits_;
}

// ---- lookups

// Called from outside a turn too, when the loop's time may be old: a timeout must not begin in the past.
void Resolver::begin(Lookup& lookup) noexcept {
  const port::Time now = config_.loop.port().now();
  if (answer_at_once(lookup, now)) {
    return;
  }
  if (waiting_.is_empty() && !tables_.queries->is_empty()) {
    ask_for(lookup, now);
  } else {
    waiting_.push_back(lookup);
  }
}

// What needs no query slot: names known without asking, and one that is being asked for already.
bool Resolver::answer_at_once(Lookup& lookup, port::Time now) noexcept {
  const AskedName name = asked_name({lookup.name_.data(), lookup.name_size_});
  std::array<port::Address, addresses_max> found;
  std::size_t count = 0;
  for (const PinnedName& pin : std::span{tables_.pins.data(), tables_.pin_count}) {
    if ((pin.port == 0 || pin.port == lookup.port_) && count < found.size() &&
        base::equal_ignoring_case(name.text, {pin.name.data(), pin.name_size})) {
      found[count++] = pin.address;
    }
  }
  if (count == 0 && is_below(name.text, "localhost")) {
    if (config_.use_ipv6) {
      found[count++] = port::Address::ipv6_loopback(0);
    }
    if (config_.use_ipv4) {
      found[count++] = port::Address::ipv4_loopback(0);
    }
  }
  if (count > 0) {
    order({found.data(), count});
    finish(lookup, {found.data(), count}, NameError::none);
    return true;
  }
  if (is_below(name.text, "invalid") || is_below(name.text, "onion")) {
    finish(lookup, {}, NameError::not_found);
    return true;
  }
  look_at_files(now);
  for (std::uint32_t i = 0; i < tables_.queries->size(); ++i) {
    Query* const query = tables_.queries->at(i);
    if (query != nullptr && !query->is_outdated && query->is_absolute == name.is_absolute &&
        base::equal_ignoring_case(query->asked().text, name.text)) {
      lookup.query_ = query;
      query->lookups.push_back(lookup);
      return true;
    }
  }
  if (const CachedName* known = tables_.cache.find(name, now)) {
    ++cache_hits_;
    std::copy_n(known->addresses.begin(), known->address_count, found.begin());
    const std::span<port::Address> addresses{found.data(), known->address_count};
    order(addresses);
    finish(lookup, addresses, known->error);
    return true;
  }
  return answer_from_files(lookup, name, now);
}

bool Resolver::answer_from_files(Lookup& lookup, const AskedName& name, port::Time now) noexcept {
  HostsScan scan{name.text};
  scan_hosts(scan);
  std::array<port::Address, addresses_max> found;
  std::size_t count = 0;
  for (const port::Address& address : scan.addresses()) {
    if (address.family == port::Family::ipv4 ? config_.use_ipv4 : config_.use_ipv6) {
      found[count++] = address;
    }
  }
  if (count > 0 || !scan.addresses().empty() || is_below(name.text, "local")) {
    const NameError error = count > 0                  ? NameError::none
                            : scan.addresses().empty() ? NameError::not_found
                                                       : NameError::no_address;
    // Until the file changes; the ceiling keeps it from filling the cache.
    tables_.cache.store(name, {found.data(), count}, error, now,
                        error == NameError::none ? config_.cache_max : config_.negative_cache_max);
    order({found.data(), count});
    finish(lookup, {found.data(), count}, error);
    return true;
  }
  if (config_.servers.empty() && tables_.conf->server_count == 0) {
    finish(lookup, {}, NameError::no_servers);
    return true;
  }
  return false;
}

// Begins a query; there is a free slot.
void Resolver::ask_for(Lookup& lookup, port::Time now) noexcept {
  Query* const query = tables_.queries->take();
  ENSURE(query != nullptr);
  const AskedName name = asked_name({lookup.name_.data(), lookup.name_size_});
  std::copy(name.text.begin(), name.text.end(), query->name.begin());
  query->name_size = static_cast<std::uint8_t>(name.text.size());
  query->is_absolute = name.is_absolute;
  query->conf = *tables_.conf;
  query->first_server = tables_.conf->rotates ? tables_.rotation++ : 0;
  query->lookups.push_back(lookup);
  lookup.query_ = query;
  static_cast<void>(begin_candidate(*query, now));  // without one the query is over, and work() finds that
}

void Resolver::remove(Lookup& lookup) noexcept {
  if (lookup.query_ == nullptr) {
    (lookup.is_finished_ ? finished_ : waiting_).remove(lookup);
    return;
  }
  Query& query = *lookup.query_;
  lookup.query_ = nullptr;
  query.lookups.remove(lookup);
  if (query.lookups.is_empty()) {
    give_back(query);
  }
}

// What was found goes into the lookup; its user hears of it in a later turn.
void Resolver::finish(Lookup& lookup, std::span<const port::Address> addresses, NameError error) noexcept {
  give(lookup, addresses);
  lookup.error_ = error;
  lookup.query_ = nullptr;
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

// Puts addresses in the order in which they should be tried. What the system would send from is asked with a socket that sends nothing.
void Resolver::order(std::span<port::Address> addresses) noexcept {
  if (addresses.size() < 2) {
    return;
  }
  port::Port& port = config_.loop.port();
  std::array<Destination, addresses_max> destinations;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    destinations[i].address = addresses[i];
    port::Address to = addresses[i];
    to.port = dns_port;  // any will do
    if (const auto socket = port.connect_datagram(to)) {
      if (const auto source = port.local_address(*socket)) {
        destinations[i].source = *source;
      }
      port.close(*socket);
    }
  }
  const std::span<Destination> all{destinations.data(), addresses.size()};
  order_destinations(all);
  alternate_families(all);
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    addresses[i] = all[i].address;
  }
}

// Slots have become free: the next in line get them, or the answer that came meanwhile.
void Resolver::serve_waiting(port::Time now) noexcept {
  while (!waiting_.is_empty() && !tables_.queries->is_empty()) {
    Lookup& lookup = *waiting_.pop_front();
    if (!answer_at_once(lookup, now)) {
      ask_for(lookup, now);
    }
  }
}

// One family is there and the other lets wait: whoever waits for the query may begin with what there is. A callback may end any lookup, and with
// the last one the query, so both are looked for anew after each.
void Resolver::tell_early(Query& query) noexcept {
  const base::Handle handle = tables_.queries->handle_of(query);
  std::array<port::Address, addresses_max> found;
  std::size_t count = 0;
  for (const Question& question : query.questions) {
    if (question.state == Question::State::done && question.error == NameError::none) {
      std::copy_n(question.addresses.begin(), question.address_count, found.begin());
      count = question.address_count;
    }
  }
  order({found.data(), count});
  while (tables_.queries->find(handle) != nullptr) {
    Lookup* lookup = query.lookups.front();
    while (lookup != nullptr && !may_tell_early(*lookup)) {
      lookup = Lookups::next(*lookup);
    }
    if (lookup == nullptr) {
      return;
    }
    lookup->told_early_ = true;
    give(*lookup, {found.data(), count});
    const Callback<Lookup&> changed = lookup->changed_;
    changed(*lookup);
  }
}

bool Resolver::may_tell_early(const Lookup& lookup) const noexcept {
  return !lookup.told_early_ && lookup.began_turn_ != config_.loop.turns();
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

// ---- Driver

port::Time Resolver::prepare(PollSet& set, port::Time now) {
  port::Time deadline = port::never;
  if (!finished_.is_empty() || (!waiting_.is_empty() && !tables_.queries->is_empty())) {
    deadline = now;
  }
  for (std::uint32_t i = 0; i < tables_.queries->size(); ++i) {
    if (Query* const query = tables_.queries->at(i)) {
      deadline = port::earliest(deadline, prepare_query(*query, set, now));
    }
  }
  return deadline;
}

void Resolver::ready(std::uint32_t token, port::Events events, port::Time now) {
  Query* const query = tables_.queries->at(token_index(token) / 2);
  if (query == nullptr || token_of(tables_.queries->handle_of(*query), token_index(token) % 2) != token) {
    return;  // it ended earlier in this turn
  }
  question_ready(*query, query->questions[token_index(token) % 2], events, now);
}

// Nothing of a resolver is ever parked.
void Resolver::parked_ready(std::uint32_t token, port::Events events, port::Time now) {
  static_cast<void>(token);
  static_cast<void>(events);
  static_cast<void>(now);
}

void Resolver::expire(port::Time now) {
  for (std::uint32_t i = 0; i < tables_.queries->size(); ++i) {
    if (Query* const query = tables_.queries->at(i)) {
      expire_query(*query, now);
    }
  }
}

void Resolver::work(port::Time now) {
  for (std::uint32_t i = 0; i < tables_.queries->size(); ++i) {
    if (Query* const query = tables_.queries->at(i)) {
      settle(*query, now);
    }
  }
  serve_waiting(now);
  for (std::uint32_t i = 0; i < tables_.queries->size(); ++i) {
    if (Query* const query = tables_.queries->at(i); query != nullptr && query->has_early) {
      tell_early(*query);
    }
  }
  deliver();
}

}  // namespace pollux::net
