// The pool itself: which connection a round trip gets, who dials, who waits, and where a connection goes when its response is over.

#include <algorithm>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/http/proxy.hpp"
#include "stack/http/transport.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/url.hpp"

namespace pollux::http {

// ---- hosts

namespace {

void put_lower(base::TextWriter& out, std::string_view text) noexcept {
  for (const char c : text) {
    out.put(base::to_lower(c));
  }
}

}  // namespace

// Finds or makes the entry of the host that the request is for.
CallCause Transport::find_host(RoundTrip& trip) noexcept {
  const ClientRequest& request = trip.request_;
  const bool is_plain = !trip.options_.endpoint;
  if (is_plain && trip.url_generation_ == request.url_generation_) {
    if (HostEntry* known = hosts_.find(trip.host_handle_)) {
      trip.host_ = known;
      ++known->round_trips;
      return CallCause::none;
    }
  }
  const wire::Url& url = request.url();
  const bool is_https = request.is_https();
  if (is_https && (config_.tls == nullptr || !config_.tls->is_started())) {
    return CallCause::no_tls;
  }
  const std::string_view name = wire::strip_brackets(url.hostname);
  const std::uint16_t port = wire::effective_port(url);
  const Proxy* proxy = nullptr;
  if (config_.proxy != nullptr && is_plain) {
    proxy = config_.proxy->select(url.scheme, url.hostname, port);
  }
  HostEntry wanted;
  base::TextWriter key{wanted.key};
  const auto put_name = [&key](std::string_view text) {
    const std::size_t at = key.size();
    put_lower(key, text);
    return static_cast<std::uint16_t>(at);
  };
  wanted.proxy = proxy;
  wanted.is_https = is_https;
  wanted.tunnels = proxy != nullptr && (is_https || proxy->kind() != ProxyKind::http || config_.proxy_tunnels);
  wanted.port = port;
  if (proxy != nullptr) {
    key.put(proxy_kind_name(proxy->kind())).put(' ');
    wanted.name_at = put_name(proxy->host());
    wanted.name_size = static_cast<std::uint16_t>(proxy->host().size());
    wanted.port = proxy->port();
    key.put(':').put_decimal(proxy->port()).put(' ');
  } else if (!is_plain) {
    const port::Endpoint& endpoint = *trip.options_.endpoint;
    wanted.address = endpoint.address;
    wanted.name_at = static_cast<std::uint16_t>(key.size());
    if (endpoint.address.family == port::Family::local) {
      key.put(endpoint.path);
    } else {
      std::array<char, port::address_text_max> memory;
      key.put(port::format_address(endpoint.address, memory));
    }
    wanted.name_size = static_cast<std::uint16_t>(key.size() - wanted.name_at);
    key.put(' ');
  }
  if (proxy == nullptr || wanted.tunnels) {  // else the connection serves every target
    key.put(is_https ? "https://" : "");
    const std::uint16_t at = put_name(name);
    const auto size = static_cast<std::uint16_t>(name.size());
    if (wanted.tunnels || is_https) {
      wanted.target_at = at;
      wanted.target_size = size;
      wanted.target_port = port;
    }
    if (proxy == nullptr && is_plain) {
      wanted.name_at = at;
      wanted.name_size = size;
    }
    key.put(':').put_decimal(port);
  }
  if (key.overflowed()) {
    return CallCause::bad_host;  // longer than any name can be
  }
  wanted.key_size = static_cast<std::uint16_t>(key.size());
  HostEntry* host = find_key(wanted);
  if (host == nullptr) {
    return CallCause::too_many_hosts;
  }
  ++host->round_trips;
  trip.host_ = host;
  trip.host_handle_ = hosts_.handle_of(*host);
  trip.url_generation_ = is_plain ? request.url_generation_ : 0;
  return CallCause::none;
}

// The entry with this key, or a new one; nullptr if there is no room.
HostEntry* Transport::find_key(const HostEntry& wanted) noexcept {
  for (HostEntry* host = host_list_.front(); host != nullptr; host = host_list_.next(*host)) {
    if (host->text() == wanted.text() && host->proxy == wanted.proxy) {
      return host;
    }
  }
  if (hosts_.is_empty()) {
    sweep_hosts();
  }
  HostEntry* host = hosts_.take();
  if (host == nullptr) {
    // One that no round trip holds gives its entry up: the one idle for longest, or else one that only drains, or dials for nobody.
    HostEntry* victim = nullptr;
    for (PersistConn* conn = idle_.front(); conn != nullptr && victim == nullptr; conn = idle_.next(*conn)) {
      HostEntry& candidate = conn->host();
      victim = candidate.round_trips == 0 && candidate.conns == candidate.idle.size() ? &candidate : nullptr;
    }
    for (HostEntry* other = host_list_.front(); other != nullptr && victim == nullptr;
         other = host_list_.next(*other)) {
      victim = other->round_trips == 0 ? other : nullptr;
    }
    if (victim == nullptr) {
      return nullptr;
    }
    for (ConnList* list : {&idle_, &active_, &dialing_}) {
      list->for_each([victim](PersistConn& conn) {
        if (&conn.host() == victim) {
          conn.close(PersistConn::End::evicted);
        }
      });
    }
    sweep();
    sweep_hosts();
    host = hosts_.take();
    ENSURE(host != nullptr);
  }
  host->key = wanted.key;
  host->key_size = wanted.key_size;
  host->name_at = wanted.name_at;
  host->name_size = wanted.name_size;
  host->port = wanted.port;
  host->proxy = wanted.proxy;
  host->address = wanted.address;
  host->tunnels = wanted.tunnels;
  host->is_https = wanted.is_https;
  host->target_at = wanted.target_at;
  host->target_size = wanted.target_size;
  host->target_port = wanted.target_port;
  host_list_.push_back(*host);
  return host;
}

// ---- getting a connection

// Idle connections first for those who have waited longest, then for those who have just come; what they cannot have they dial for.
void Transport::serve_waiting() noexcept {
  serve_soon_ = false;
  for (HostEntry* host = host_list_.front(); host != nullptr; host = host_list_.next(*host)) {
    while (RoundTrip* trip = host->idle_wait.front()) {
      PersistConn* conn = take_idle(*host, *trip);
      if (conn == nullptr) {
        break;
      }
      attach(*conn, *trip);
    }
    trim(*host);
    while (!host->dial_wait.is_empty() && may_dial(*host)) {
      RoundTrip& trip = *host->dial_wait.pop_front();
      trip.queue_ = RoundTrip::Queue::none;
      take_slot(trip);
    }
  }
  while (has_too_many_idle()) {
    idle_.front()->close(PersistConn::End::evicted);
  }
  // Those who wait for a slot come before those who have just come, who might take it.
  for (std::size_t left = slot_wait_.size(); left > 0 && !slot_wait_.is_empty(); --left) {
    RoundTrip& trip = *slot_wait_.front();
    if (!make_slot(*trip.host_)) {
      break;
    }
    unqueue_dial(trip);
    start_dial(trip);
  }
  while (RoundTrip* trip = fresh_.pop_front()) {
    trip->queue_ = RoundTrip::Queue::none;
    get_conn(*trip);
  }
}

void Transport::get_conn(RoundTrip& trip) noexcept {
  closing_idle_ = false;
  if (trip.host_ == nullptr) {
    if (const CallCause refused = find_host(trip); refused != CallCause::none) {
      const bool is_full = refused == CallCause::too_many_hosts;
      counters_.refused_hosts += is_full ? 1 : 0;
      end(trip, {.stage = is_full ? CallStage::wait : CallStage::check, .cause = refused});
      return;
    }
  }
  HostEntry& host = *trip.host_;
  trip.tell({.event = TraceEvent::get_conn, .at = now(), .text = host.text()});
  if (!config_.disable_keep_alives) {
    if (PersistConn* conn = take_idle(host, trip)) {
      attach(*conn, trip);
      return;
    }
  }
  host.idle_wait.push_back(trip);
  if (!may_dial(host)) {
    ++counters_.waited_for_permit;
    trip.queue_ = RoundTrip::Queue::host;
    host.dial_wait.push_back(trip);
    return;
  }
  take_slot(trip);
}

// The connection used last that is still good; taken out of the pool.
PersistConn* Transport::take_idle(HostEntry& host, const RoundTrip& trip) noexcept {
  while (PersistConn* conn = host.idle.back()) {
    const port::Time time = now();
    const bool is_old = port::deadline_after(conn->idle_since(), config_.timeouts.idle_conn) <= time ||
                        port::deadline_after(conn->made_at(), config_.timeouts.conn_lifetime) <= time;
    if (is_old) {
      conn->close(PersistConn::End::idle_timeout);
      continue;
    }
    // It came back in this turn, so nobody has looked yet whether the server closes without a word. Who may be repeated takes the risk.
    // But what TLS has here already would be taken for the answer.
    if (conn->stream_.has_pending() || (conn->idle_since() == time && !trip.request_.is_idempotent())) {
      conn->idle_readable();
    }
    if (conn->state() == PersistConn::State::idle) {
      return conn;
    }
  }
  return nullptr;
}

bool Transport::may_dial(const HostEntry& host) const noexcept {
  return config_.max_conns_per_host == 0 || host.conns + host.slot_waiters < config_.max_conns_per_host;
}

// A slot for a dial of `trip`, or a place in the queue for one.
void Transport::take_slot(RoundTrip& trip) noexcept {
  if (slot_wait_.is_empty() && make_slot(*trip.host_)) {
    start_dial(trip);
    return;
  }
  ++counters_.waited_for_slot;
  trip.queue_ = RoundTrip::Queue::slot;
  ++trip.host_->slot_waiters;  // it keeps its permit to dial
  slot_wait_.push_back(trip);
}

// True if a slot is free, perhaps because the idle connection of another host that was unused longest was closed for it.
bool Transport::make_slot(const HostEntry& host) noexcept {
  if (!conns_.is_empty()) {
    return true;
  }
  for (PersistConn* conn = idle_.front(); conn != nullptr; conn = idle_.next(*conn)) {
    if (&conn->host() != &host) {
      conn->close(PersistConn::End::evicted);
      sweep();
      return true;
    }
  }
  return false;
}

void Transport::start_dial(RoundTrip& trip) noexcept {
  HostEntry& host = *trip.host_;
  PersistConn* conn = conns_.take(*this, host, now());
  ENSURE(conn != nullptr);
  const std::size_t index = conns_.index_of(*conn);
  conn->attach_memory(memory_.in_buffers.subspan(index * limits_.in_buffer, limits_.in_buffer),
                      memory_.out_buffers.subspan(index * limits_.out_buffer, limits_.out_buffer),
                      memory_.fields.subspan(index * limits_.fields_max, limits_.fields_max), limits_.head_size_max);
  conn->serial_ = next_serial_++;
  ++host.conns;
  ++counters_.dials;
  conn->owner = &trip;
  trip.own_dial_ = conn;
  dialing_.push_back(*conn);
  conn->listed_ = PersistConn::List::dialing;
  conn->dial();
}

void Transport::attach(PersistConn& conn, RoundTrip& trip) noexcept {
  unqueue(trip);
  if (conn.owner != nullptr) {
    conn.owner->own_dial_ = nullptr;
    conn.owner = nullptr;
  }
  if (conn.state() == PersistConn::State::idle) {
    leave_idle(conn);
  }
  counters_.reused += conn.is_reused() ? 1 : 0;
  conn.begin(trip);
}

void Transport::unqueue_dial(RoundTrip& trip) noexcept {
  switch (trip.queue_) {
    case RoundTrip::Queue::none:
      break;
    case RoundTrip::Queue::fresh:
      fresh_.remove(trip);
      break;
    case RoundTrip::Queue::host:
      trip.host_->dial_wait.remove(trip);
      break;
    case RoundTrip::Queue::slot:
      slot_wait_.remove(trip);
      --trip.host_->slot_waiters;
      serve_soon_ = serve_soon_ || !trip.host_->dial_wait.is_empty();
      break;
  }
  trip.queue_ = RoundTrip::Queue::none;
}

// Out of every list of those who wait. Its own dial goes on, for whoever needs it.
void Transport::unqueue(RoundTrip& trip) noexcept {
  unqueue_dial(trip);
  if (trip.idle_wait.is_linked) {
    trip.host_->idle_wait.remove(trip);
  }
  if (trip.own_dial_ != nullptr) {
    trip.own_dial_->owner = nullptr;
    trip.own_dial_ = nullptr;
  }
}

// ---- connections that are made

void Transport::dial_done(PersistConn& conn) noexcept {
  if (RoundTrip* trip = conn.owner) {
    attach(conn, *trip);
    return;
  }
  put(conn);
}

void Transport::dial_failed(PersistConn& conn, const CallError& error) noexcept {
  ++counters_.dials_failed;
  RoundTrip* trip = conn.owner;
  conn.close(PersistConn::End::failed);
  if (trip != nullptr) {
    end(*trip, error);
  }
}

// ---- TLS sessions

// Those who are connected and need a session ask for one, in the order in which they were dialed.
void Transport::admit_waiting() noexcept {
  admit_soon_ = waits_for_session_ = false;
  bool is_full = false;  // even for a connection that somebody waits for
  for (PersistConn* conn = dialing_.front(); conn != nullptr;) {
    PersistConn* following = dialing_.next(*conn);
    if (is_full && conn->wants_session()) {
      conn->put_off_session();  // or its time to ask would stay in the past, and the loop would not wait
    }
    while (!is_full && conn->wants_session() && !conn->ask_session()) {
      if (!evict_session(*conn)) {
        waits_for_session_ = true;
        is_full = conn->owner != nullptr;
        break;
      }
    }
    conn = following;
  }
  sessions_seen_ = config_.tls->sessions_used();
  handshakes_seen_ = config_.tls->handshakes_under_way();
}

// Something has changed since a connection was told to wait: perhaps by another user of the context.
bool Transport::may_admit() const noexcept {
  return waits_for_session_ &&
         (config_.tls->sessions_used() != sessions_seen_ || config_.tls->handshakes_under_way() != handshakes_seen_);
}

// True if the idle TLS connection of another host that was unused longest was closed for `conn`. Handshakes end by themselves.
bool Transport::evict_session(const PersistConn& conn) noexcept {
  if (conn.owner == nullptr || config_.tls->sessions_used() != config_.tls->sessions_size()) {
    return false;
  }
  for (PersistConn* other = idle_.front(); other != nullptr; other = idle_.next(*other)) {
    if (other->stream_.is_tls() && &other->host() != &conn.host()) {
      other->close(PersistConn::End::evicted);
      return true;
    }
  }
  return false;
}

// ---- connections that come back

void Transport::put(PersistConn& conn) noexcept {
  HostEntry& host = conn.host();
  const bool is_new = conn.state() != PersistConn::State::busy && conn.state() != PersistConn::State::draining;
  const bool is_old = port::deadline_after(conn.made_at(), config_.timeouts.conn_lifetime) <= now();
  if (config_.disable_keep_alives || config_.max_idle_conns_per_host < 0 || shut_down_ || is_old ||
      !(is_new || conn.may_be_reused())) {
    conn.close(PersistConn::End::not_reusable);
    return;
  }
  conn.reused_ = true;
  // Those who wait get it after this turn's callbacks, which may still look at the head of its last response.
  const bool is_wanted = host.idle_wait.size() > host.idle.size();
  serve_soon_ = serve_soon_ || is_wanted || !slot_wait_.is_empty();
  if (!is_wanted && (closing_idle_ || host.idle.size() >= idle_per_host_max())) {
    conn.close(PersistConn::End::pool_full);
    return;
  }
  host.idle.push_back(conn);
  conn.become_idle();
  serve_soon_ = serve_soon_ || has_too_many_idle();  // one of them may be wanted, and then it is not idle for long
}

std::size_t Transport::idle_per_host_max() const noexcept {
  return config_.max_idle_conns_per_host == 0 ? 2 : static_cast<std::size_t>(config_.max_idle_conns_per_host);
}

bool Transport::has_too_many_idle() const noexcept {
  return config_.max_idle_conns != 0 && idle_.size() > config_.max_idle_conns;
}

// Connections were kept for waiters who have gone since.
void Transport::trim(HostEntry& host) noexcept {
  while (host.idle.size() > idle_per_host_max()) {
    host.idle.front()->close(PersistConn::End::pool_full);
  }
}

void Transport::leave_idle(PersistConn& conn) noexcept {
  conn.host().idle.remove(conn);
}

// Keeps the list a connection is in in step with its state.
void Transport::set_place(PersistConn& conn) noexcept {
  using List = PersistConn::List;
  List list = List::active;
  switch (conn.state()) {
    case PersistConn::State::connecting:
    case PersistConn::State::proxying:
    case PersistConn::State::handshaking:
      list = List::dialing;
      break;
    case PersistConn::State::busy:
    case PersistConn::State::draining:
      break;
    case PersistConn::State::idle:
      list = List::idle;
      break;
    case PersistConn::State::closing:
      list = List::ended;
      break;
  }
  if (list == conn.listed_ && list != List::idle) {
    return;
  }
  list_of(conn.listed_).remove(conn);
  conn.listed_ = list;
  list_of(list).push_back(conn);
  if (list == List::ended) {
    HostEntry& host = conn.host();
    ENSURE(host.conns > 0);
    --host.conns;
    ++host.unswept;
    serve_soon_ = serve_soon_ || !host.dial_wait.is_empty();
  }
}

Transport::ConnList& Transport::list_of(PersistConn::List list) noexcept {
  switch (list) {
    case PersistConn::List::dialing:
      return dialing_;
    case PersistConn::List::active:
      return active_;
    case PersistConn::List::idle:
      return idle_;
    case PersistConn::List::ended:
      break;
  }
  return ended_;
}

// ---- invariants

std::string_view Transport::check() const noexcept {
  if (dialing_.size() + active_.size() + idle_.size() + ended_.size() != conns_.used()) {
    return "a connection is in no list, or in two";
  }
  if (decoders_reserved_ > limits_.decoders) {
    return "more decoders are promised than there are";
  }
  std::size_t conns = 0;
  std::size_t idle = 0;
  std::size_t round_trips = 0;
  std::size_t slot_waiters = 0;
  for (const HostEntry* host = host_list_.front(); host != nullptr; host = host_list_.next(*host)) {
    conns += host->conns + host->unswept;
    idle += host->idle.size();
    round_trips += host->round_trips;
    slot_waiters += host->slot_waiters;
    if (host->idle.size() > host->conns) {
      return "a host has more idle connections than connections";
    }
    if (config_.max_conns_per_host != 0 && host->conns + host->slot_waiters > config_.max_conns_per_host) {
      return "a host has more connections than max_conns_per_host";
    }
    if (host->dial_wait.size() > host->idle_wait.size()) {
      return "a round trip waits to dial and not for a connection";
    }
  }
  if (conns != conns_.used()) {
    return "the hosts count other connections than there are";
  }
  if (idle != idle_.size()) {
    return "the hosts have other idle connections than the pool";
  }
  if (slot_waiters != slot_wait_.size()) {
    return "the hosts count other waiters for a slot than there are";
  }
  if (hosts_.used() != host_list_.size()) {
    return "a host is not listed";
  }
  if (round_trips > trips_.size()) {
    return "the hosts count more round trips than are under way";
  }
  for (const PersistConn* conn = active_.front(); conn != nullptr; conn = active_.next(*conn)) {
    if (conn->state() == PersistConn::State::busy && conn->trip() == nullptr) {
      return "a busy connection has no round trip";
    }
    if (conn->state() == PersistConn::State::draining && conn->trip() != nullptr) {
      return "a draining connection has a round trip";
    }
  }
  // Each would be a turn, and so a poll, with nothing to do.
  for (const RoundTrip* trip = completions_.front(); trip != nullptr; trip = completions_.next(*trip)) {
    if (!trip->answer_due_ && !trip->body_due_) {
      return "a callback is due that has nothing to tell";
    }
  }
  return {};
}

}  // namespace pollux::http
