#include "port/sim/sim_port.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "port/ensure.hpp"
#include "port/sim/sim_detail.hpp"

namespace pollux::port {
namespace {

constexpr unsigned bit_of(Signal signal) noexcept {
  return 1U << static_cast<unsigned>(signal);
}

}  // namespace

using sim::make_id;
using sim::next_generation;
using sim::number_of;
using sim::slots_limit;
using sim::stop;

SimPort::SimPort(SimNetwork& network, const SimPortOptions& options)
    : network_{network},
      host_{network.add_host(*this, options.ipv4, options.ipv6)},
      secrets_{network.seed_ ^ (0x9E3779B97F4A7C15U * static_cast<std::uint64_t>(host_))},
      slots_(options.sockets_max),
      open_files_(options.files_max) {
  ENSURE(options.sockets_max <= slots_limit);
  ENSURE(options.files_max <= slots_limit);
  files_.add_directory("/run");
  files_.add_directory("/tmp");
}

SimPort::~SimPort() {
  for (Slot& slot : slots_) {
    if (slot.kind == Slot::Kind::stream) {
      network_.close_end(slot.target, slot.side, false);
    } else if (slot.kind == Slot::Kind::listener) {
      network_.close_listener(slot.target);
    } else if (slot.kind == Slot::Kind::datagram) {
      network_.close_datagram_socket(slot.target);
    }
  }
  network_.remove_host(host_);
}

// ---- the test's side

void SimPort::raise(Signal signal) noexcept {
  signals_raised_ |= bit_of(signal);
  network_.activity();
}

void SimPort::fail_accepts(Error error, unsigned count) noexcept {
  accept_error_ = error;
  accept_failures_ = count;
}

void SimPort::set_link(const SimLink& link) noexcept {
  SimNetwork::Host& host = network_.hosts_[static_cast<std::size_t>(host_)];
  host.link = link;
  host.has_link = true;
}

SimLink& SimPort::link(Socket socket) noexcept {
  const char* const message = "SimPort::link: not an open stream or datagram socket of this port";
  const Slot& slot = existing(socket, message);
  return slot.kind == Slot::Kind::datagram ? datagram(slot).link : connection(stream(socket, message)).link;
}

void SimPort::set_family(Family family, bool is_on) noexcept {
  SimNetwork::Host& host = network_.hosts_[static_cast<std::size_t>(host_)];
  ENSURE(family == Family::ipv4 || family == Family::ipv6);
  (family == Family::ipv4 ? host.ipv4_is_off : host.ipv6_is_off) = !is_on;
}

void SimPort::reset_by_peer(Socket socket) noexcept {
  network_.break_connection(connection(stream(socket, "SimPort::reset_by_peer: not an open stream of this port")));
  network_.activity();
}

void SimPort::lose(Socket socket) noexcept {
  network_.lose_line(connection(stream(socket, "SimPort::lose: not an open stream of this port")));
}

void SimPort::find_again(Socket socket) noexcept {
  const Slot& slot = stream(socket, "SimPort::find_again: not an open stream of this port");
  connection(slot).is_lost = false;
  network_.activity();
  network_.settle(slot.target);
}

Address SimPort::ipv4_address() const noexcept {
  return network_.hosts_[static_cast<std::size_t>(host_)].ipv4;
}
Address SimPort::ipv6_address() const noexcept {
  return network_.hosts_[static_cast<std::size_t>(host_)].ipv6;
}

// ---- slots

Error SimPort::failed(Error error) noexcept {
  system_error_ = number_of(error);
  return error;
}

IoResult SimPort::failed(int number) noexcept {
  system_error_ = number;
  return {.status = IoStatus::failed, .size = 0};
}

Socket SimPort::take_slot(Slot::Kind kind, std::size_t target, int side) noexcept {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.kind == Slot::Kind::free) {
      slot = Slot{.kind = kind,
                  .side = static_cast<std::uint8_t>(side),
                  .generation = next_generation(slot.generation),
                  .target = target};
      ++sockets_open_;
      return Socket{make_id(slot.generation, host_, i)};
    }
  }
  stop("SimPort: no free slot although one was counted");
}

SimPort::Slot* SimPort::find(Socket socket) noexcept {
  const auto id = static_cast<std::uint32_t>(socket.id);
  const std::size_t index = id & (slots_limit - 1);
  if (!socket.is_open() || index >= slots_.size()) {
    return nullptr;
  }
  Slot& slot = slots_[index];
  const bool is_same = slot.kind != Slot::Kind::free && make_id(slot.generation, host_, index) == socket.id;
  return is_same ? &slot : nullptr;
}

SimPort::Slot& SimPort::existing(Socket socket, const char* message) noexcept {
  Slot* slot = find(socket);
  if (!slot) {
    stop(message);
  }
  return *slot;
}

SimPort::Slot& SimPort::stream(Socket socket, const char* message) noexcept {
  Slot& slot = existing(socket, message);
  if (slot.kind != Slot::Kind::stream) {
    stop(message);
  }
  return slot;
}

// ---- randomness

void SimPort::random(std::span<std::byte> out) {
  for (std::size_t i = 0; i < out.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = secrets_.next();
    for (std::size_t j = i; j < out.size() && j < i + sizeof word; ++j, word >>= 8) {
      out[j] = static_cast<std::byte>(word & 0xFF);
    }
  }
}

// ---- making sockets

Result<Socket, Error> SimPort::listen(const ListenOptions& options) {
  if (!has_room()) {
    return Failure{failed(Error::no_descriptors)};
  }
  const std::string_view path = options.endpoint.path;
  if (options.endpoint.address.family == Family::local && path.size() <= 107 && !path.starts_with('@')) {
    const std::size_t slash = path.rfind('/');
    const auto directory = files_.find(0, slash == std::string_view::npos ? "" : path.substr(0, slash), false);
    if (!directory || !files_.is_directory(directory.value())) {
      return Failure{failed(Error::not_found)};
    }
    if (files_.find(0, path, false) && !path.empty()) {
      return Failure{failed(Error::address_in_use)};  // a file that is no socket
    }
  }
  const Result<std::size_t, Error> opened = network_.open_listener(host_, options);
  if (!opened) {
    return Failure{failed(opened.error())};
  }
  const Socket socket = take_slot(Slot::Kind::listener, opened.value(), 0);
  network_.trace("host %d listen -> %d", host_, socket.id);
  return socket;
}

Result<Address, Error> SimPort::local_address(Socket socket) {
  const Slot& slot = existing(socket, "SimPort::local_address: the socket is closed or of another port");
  switch (slot.kind) {
    case Slot::Kind::listener:
      return network_.listeners_[slot.target].address;
    case Slot::Kind::datagram:
      return datagram(slot).local;
    case Slot::Kind::stream:
    case Slot::Kind::free:
      break;
  }
  return end(slot).address;
}

Result<Accepted, Error> SimPort::accept(Socket listener) {
  const Slot& slot = existing(listener, "SimPort::accept: the socket is closed or of another port");
  if (slot.kind != Slot::Kind::listener) {
    stop("SimPort::accept: the socket is no listener");
  }
  if (!has_room()) {  // before the backlog is looked at, as Linux does it
    return Failure{failed(Error::no_descriptors)};
  }
  const bool somebody_waits = network_.listeners_[slot.target].backlog_size != 0;
  if (accept_failures_ != 0 && (somebody_waits || accept_error_ != Error::aborted)) {
    --accept_failures_;
    if (accept_error_ == Error::aborted) {
      network_.close_end(network_.take_from_backlog(slot.target), 1, true);
    }
    return Failure{failed(accept_error_)};
  }
  if (!somebody_waits) {
    return Failure{failed(Error::would_block)};
  }
  const std::size_t taken = network_.take_from_backlog(slot.target);
  const Socket socket = take_slot(Slot::Kind::stream, taken, 1);
  network_.trace("host %d accept -> %d", host_, socket.id);
  return Accepted{.socket = socket, .peer = network_.connections_[taken].ends[0].address};
}

Address SimPort::source_for(const Address& to) const noexcept {
  const bool is_ipv6 = to.family == Family::ipv6;
  if (sim::is_loopback(to) || sim::is_any(to)) {
    return is_ipv6 ? Address::ipv6_loopback(0) : Address::ipv4_loopback(0);
  }
  return is_ipv6 ? ipv6_address() : ipv4_address();
}

Result<Socket, Error> SimPort::connect(const Endpoint& to) {
  if (!has_room()) {
    return Failure{failed(Error::no_descriptors)};
  }
  Address from{.family = Family::local};
  if (to.address.family != Family::local) {
    from = source_for(to.address);
    from.port = network_.next_free_port();
  }
  const Result<std::size_t, Error> opened = network_.open_connection(host_, from, to);
  if (!opened) {
    network_.trace("host %d connect -> error %d", host_, static_cast<int>(opened.error()));
    return Failure{failed(opened.error())};
  }
  const Socket socket = take_slot(Slot::Kind::stream, opened.value(), 0);
  network_.trace("host %d connect -> %d", host_, socket.id);
  return socket;
}

Result<void, Error> SimPort::connect_result(Socket socket) {
  const Slot& slot = stream(socket, "SimPort::connect_result: the socket is closed, no stream or of another port");
  const SimNetwork::End& own = end(slot);
  switch (own.state) {
    case SimNetwork::End::State::connecting:
      return Failure{failed(Error::would_block)};
    case SimNetwork::End::State::open:
      return {};
    case SimNetwork::End::State::failed:
      break;
  }
  system_error_ = own.failure_number;
  return Failure{own.failure};
}

// ---- moving bytes

IoResult SimPort::recv(Socket socket, std::span<std::byte> out) {
  const char* const message = "SimPort::recv: the socket is closed, no stream or of another port";
  ENSURE(!out.empty());
  if (const Slot& any = existing(socket, message); any.kind == Slot::Kind::datagram) {
    return recv_datagram(any, out);
  }
  Slot& slot = stream(socket, message);
  SimNetwork::End& own = end(slot);
  SimPipe& pipe = incoming(slot);
  IoResult result{.status = IoStatus::would_block};
  if (own.recv_held) {
    return result;
  }
  if (pipe.unread() != 0) {
    const SimLink& link = connection(slot).link;
    const std::size_t limit = network_.random_.between(link.recv_size_min, link.recv_size_max);
    if (limit != 0 && limit < out.size()) {
      out = out.first(limit);
      own.recv_held = true;  // a short read promises that nothing more is there
    }
    result = {.status = IoStatus::ok, .size = pipe.take(out)};
    network_.activity();
    network_.settle(slot.target);  // the window has opened
  } else if (own.state == SimNetwork::End::State::failed) {
    result = failed(own.failure_number);
  } else if (pipe.finish_arrived()) {
    result = {.status = IoStatus::end};
  }
  network_.trace("host %d recv %d -> %d, %zu", host_, socket.id, static_cast<int>(result.status), result.size);
  return result;
}

bool SimPort::can_send(const Slot& slot, IoResult& refusal) noexcept {
  const SimNetwork::End& own = end(slot);
  refusal = {.status = IoStatus::would_block};
  if (own.state == SimNetwork::End::State::failed) {
    refusal = failed(own.failure_number);
    return false;
  }
  if (own.is_finished) {
    refusal = failed(EPIPE);
    return false;
  }
  return own.state == SimNetwork::End::State::open && !own.send_held && outgoing(slot).room(connection(slot).link) != 0;
}

IoResult SimPort::push(Slot& slot, std::span<const std::byte> first, std::span<const std::byte> second) noexcept {
  IoResult result;
  if (!can_send(slot, result)) {
    return result;
  }
  const SimLink& link = connection(slot).link;
  const std::size_t total = first.size() + second.size();
  if (total > 1 && network_.random_.chance(link.partial_send)) {
    const std::size_t limit = 1 + network_.random_.below(total - 1);
    second = second.first(limit > first.size() ? limit - first.size() : 0);
    first = first.first(std::min(first.size(), limit));
    end(slot).send_held = network_.random_.chance(0.5);
  }
  SimPipe& pipe = outgoing(slot);
  result = {.status = IoStatus::ok, .size = pipe.push(first, link, network_.now())};
  if (result.size == first.size()) {
    result.size += pipe.push(second, link, network_.now());
  }
  network_.activity();
  network_.settle(slot.target);
  return result;
}

IoResult SimPort::send(Socket socket, std::span<const std::byte> first, std::span<const std::byte> second, bool more) {
  const char* const message = "SimPort::send: the socket is closed, no stream or of another port";
  ENSURE(!first.empty() || !second.empty());
  ++sends_;
  if (const Slot& any = existing(socket, message); any.kind == Slot::Kind::datagram) {
    if (more) {
      stop("SimPort::send: a datagram goes at once, there is no more");
    }
    return send_datagram(any, first, second);
  }
  Slot& slot = stream(socket, message);  // `more` is nothing here: there are no segments that could be saved
  const IoResult result = push(slot, first, second);
  network_.trace("host %d send %d -> %d, %zu", host_, socket.id, static_cast<int>(result.status), result.size);
  return result;
}

IoResult SimPort::send_file(Socket socket, File file, std::uint64_t offset, std::size_t size) {
  Slot& slot = stream(socket, "SimPort::send_file: the socket is closed, no stream or of another port");
  const std::size_t node = existing_file(file, "SimPort::send_file: the file is closed or of another port").node;
  ENSURE(size != 0);
  ENSURE(files_.is_regular(node));
  IoResult result;
  const std::string_view part = files_.content(node, offset).substr(0, size);
  if (!can_send(slot, result)) {
    // refused as send() would be
  } else if (files_.is_broken(node)) {
    result = failed(EIO);
  } else if (part.empty()) {
    result = {.status = IoStatus::end};
  } else {
    result = push(slot, std::as_bytes(std::span{part}), {});
  }
  network_.trace("host %d send_file %d -> %d, %zu", host_, socket.id, static_cast<int>(result.status), result.size);
  return result;
}

void SimPort::shutdown_send(Socket socket) {
  const Slot& slot = stream(socket, "SimPort::shutdown_send: the socket is closed, no stream or of another port");
  SimNetwork::End& own = end(slot);
  network_.trace("host %d shutdown_send %d", host_, socket.id);
  if (own.state != SimNetwork::End::State::open || own.is_finished) {
    return;
  }
  own.is_finished = true;
  outgoing(slot).finish(network_.now());
  network_.activity();
  network_.settle(slot.target);
}

void SimPort::close(Socket socket) {
  Slot& slot = existing(socket, "SimPort::close: the socket is closed already or of another port");
  network_.trace("host %d close %d", host_, socket.id);
  unpark(socket);
  const Slot::Kind kind = slot.kind;
  slot.kind = Slot::Kind::free;
  --sockets_open_;
  if (kind == Slot::Kind::listener) {
    network_.close_listener(slot.target);
  } else if (kind == Slot::Kind::datagram) {
    network_.close_datagram_socket(slot.target);
  } else {
    network_.close_end(slot.target, slot.side, false);
  }
}

// ---- waiting

bool SimPort::park(Socket socket, std::uint32_t token) {
  Slot& slot = stream(socket, "SimPort::park: the socket is closed, no stream or of another port");
  if (!parking_is_on_) {
    return false;
  }
  sockets_parked_ += slot.is_parked ? 0 : 1;
  slot.is_parked = true;
  slot.token = token;
  return true;
}

void SimPort::unpark(Socket socket) {
  Slot& slot = existing(socket, "SimPort::unpark: the socket is closed or of another port");
  sockets_parked_ -= slot.is_parked ? 1 : 0;
  slot.is_parked = false;
}

void SimPort::begin_poll(std::span<PollEntry> entries) noexcept {
  ENSURE(entries.size() >= poll_entries_reserved);
  ++polls_;
  for (Slot& slot : slots_) {
    if (slot.kind == Slot::Kind::stream) {
      end(slot).recv_held = false;
      end(slot).send_held = false;
    } else if (slot.kind == Slot::Kind::datagram) {
      datagram(slot).send_held = false;
    }
  }
  for (PollEntry& entry : entries) {
    entry.ready = Events::none;
  }
  for (const PollEntry& entry : entries.first(entries.size() - poll_entries_reserved)) {
    if (!entry.socket.is_open()) {
      continue;
    }
    Slot& slot = existing(entry.socket, "SimPort::poll: an entry's socket is closed or of another port");
    if (slot.is_parked) {
      stop("SimPort::poll: an entry's socket is parked");
    }
    if (slot.polled == polls_) {
      stop("SimPort::poll: a socket stands in two entries");
    }
    slot.polled = polls_;
  }
}

Events SimPort::events_of(const Slot& slot) noexcept {
  if (slot.kind == Slot::Kind::listener) {
    return network_.listeners_[slot.target].backlog_size != 0 ? Events::readable : Events::none;
  }
  if (slot.kind == Slot::Kind::datagram) {
    const SimNetwork::DatagramSocket& own = datagram(slot);
    return (own.unread != 0 ? Events::readable : Events::none) | (own.send_held ? Events::none : Events::writable) |
           (own.error != 0 ? Events::error : Events::none);
  }
  const SimNetwork::End& own = end(slot);
  const SimPipe& in = incoming(slot);
  switch (own.state) {
    case SimNetwork::End::State::connecting:
      return Events::none;
    case SimNetwork::End::State::failed:
      return Events::readable | Events::writable | Events::peer_closed | Events::error | Events::hangup;
    case SimNetwork::End::State::open:
      break;
  }
  Events events = Events::none;
  if (in.unread() != 0 || in.finish_arrived()) {
    events = events | Events::readable;
  }
  if (own.is_finished || outgoing(slot).room(connection(slot).link) != 0) {
    events = events | Events::writable;
  }
  if (in.finish_arrived()) {
    events = events | Events::peer_closed;
    if (own.is_finished) {
      events = events | Events::hangup;
    }
  }
  return events;
}

PollOutcome SimPort::collect(std::span<PollEntry> entries, std::span<ParkedEvent> parked) noexcept {
  PollOutcome outcome{.has_signal = signals_noticed_ != 0};
  const std::span<PollEntry> own = entries.first(entries.size() - poll_entries_reserved);
  for (PollEntry& entry : own) {
    if (entry.socket.is_open()) {
      entry.ready = events_of(*find(entry.socket)) & (entry.interest | Events::error | Events::hangup);
      outcome.ready += entry.ready != Events::none ? 1 : 0;
    }
  }
  for (PollEntry& entry : own) {
    if (outcome.ready > 1 && entry.ready != Events::none && network_.random_.chance(late_readiness_)) {
      entry.ready = Events::none;
      --outcome.ready;
    }
  }
  if (parked.empty() || sockets_parked_ == 0) {
    return outcome;
  }
  const std::size_t start = network_.random_.between(0, slots_.size() - 1);  // the kernel promises no order
  for (std::size_t i = 0; i < slots_.size() && outcome.parked_ready < parked.size(); ++i) {
    Slot& slot = slots_[(start + i) % slots_.size()];
    if (slot.kind != Slot::Kind::stream || !slot.is_parked) {
      continue;
    }
    const Events ready = events_of(slot) & (Events::readable | Events::peer_closed | Events::error | Events::hangup);
    if (ready != Events::none) {
      parked[outcome.parked_ready++] = {.token = slot.token, .ready = ready};
      slot.is_parked = false;
      --sockets_parked_;
    }
  }
  return outcome;
}

// Something arrived at a machine or raw peer that does not run while this poll does.
bool SimPort::others_have_news() noexcept {
  const std::uint32_t others = network_.news_ & ~(1U << host_);
  network_.news_ = 0;
  return others != 0;
}

bool SimPort::wait_once(Time until) noexcept {
  const Time now = network_.now();
  SimNetwork::Host& own = network_.hosts_[static_cast<std::size_t>(host_)];
  Time limit = earliest(until, network_.horizon_);
  if (limit <= now) {
    return false;
  }
  bool has_others = false;
  for (const SimNetwork::Host& other : network_.hosts_) {
    if (!other.port || other.port == this) {
      continue;
    }
    has_others = true;
    if (other.until > now) {
      limit = earliest(limit, other.until);
    } else if (!own.polled_in_vain) {  // the other one is overdue: once, let it run first
      own.polled_in_vain = true;
      return false;
    }
  }
  const Time next = network_.next_event();
  if (next <= limit && next != never) {
    network_.move_clock(next);
    return true;
  }
  if (limit != never) {
    network_.move_clock(limit);
    return false;
  }
  if (own.polled_in_vain || !has_others) {
    stop("SimPort::poll: the program is stuck: it waits without a limit, and nothing can ever happen");
  }
  own.polled_in_vain = true;  // another machine may still do something
  return false;
}

PollOutcome SimPort::poll(std::span<PollEntry> entries, std::span<ParkedEvent> parked, Time until) {
  begin_poll(entries);
  network_.hosts_[static_cast<std::size_t>(host_)].until = until;
  const bool has_signal = signals_raised_ != 0;
  signals_noticed_ |= signals_raised_;
  signals_raised_ = 0;
  if (!has_signal && network_.random_.chance(spurious_polls_)) {
    return {.has_signal = signals_noticed_ != 0};
  }
  for (;;) {
    network_.deliver_datagrams();
    network_.run_services();
    const PollOutcome outcome = collect(entries, parked);
    if (outcome.ready != 0 || outcome.parked_ready != 0) {
      network_.trace("host %d poll -> %zu, %zu parked", host_, outcome.ready, outcome.parked_ready);
      return outcome;
    }
    if (has_signal || others_have_news() || !wait_once(until)) {
      // Something may have arrived in the very moment the wait ended.
      return collect(entries, parked);
    }
  }
}

bool SimPort::take_signal(Signal& signal) {
  for (const Signal candidate : {Signal::terminate, Signal::interrupt, Signal::hangup, Signal::user1}) {
    if ((signals_noticed_ & bit_of(candidate)) != 0) {
      signals_noticed_ &= ~bit_of(candidate);
      signal = candidate;
      return true;
    }
  }
  return false;
}

}  // namespace pollux::port
