// SimNetwork and SimPort: datagrams, and the services that take their turns by themselves.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "port/ensure.hpp"
#include "port/sim/sim_detail.hpp"
#include "port/sim/sim_network.hpp"
#include "port/sim/sim_port.hpp"

namespace pollux::port {
namespace {

// Source ports are drawn between these two, as Linux does it (net.ipv4.ip_local_port_range).
constexpr std::uint16_t port_min = 32768;
constexpr std::uint16_t port_max = 60999;

// Without the scope, which only the machine itself knows.
bool same_place(const Address& a, const Address& b) noexcept {
  return sim::same_ip(a, b) && a.port == b.port;
}

}  // namespace

using sim::is_any;

// ---- sockets

std::uint16_t SimNetwork::draw_port() noexcept {
  for (;;) {
    const auto port = static_cast<std::uint16_t>(ports_.between(port_min, port_max));
    const bool is_used = std::any_of(datagram_sockets_.begin(), datagram_sockets_.end(),
                                     [&](const DatagramSocket& s) { return s.is_open && s.local.port == port; });
    if (!is_used) {
      return port;
    }
  }
}

Result<std::size_t, Error> SimNetwork::open_datagram_socket(int host, const Address& source,
                                                            const Address& to) noexcept {
  Address target = to;
  if (is_any(to)) {
    target = to.family == Family::ipv6 ? Address::ipv6_loopback(to.port) : Address::ipv4_loopback(to.port);
  }
  const SimConnectRule* const rule = rule_for(target);
  const bool is_refused = rule && rule->at_once && rule->outcome == SimConnectRule::Outcome::unreachable;
  if (family_is_off(host, target) || is_refused || (!rule && !address_exists(target))) {
    return Failure{Error::unreachable};
  }
  const auto free = std::find_if(datagram_sockets_.begin(), datagram_sockets_.end(),
                                 [](const DatagramSocket& socket) { return !socket.is_open; });
  if (free == datagram_sockets_.end()) {
    return Failure{Error::no_memory};
  }
  *free =
      DatagramSocket{.is_open = true, .host = host, .local = source, .peer = target, .link = link_for(host, target)};
  free->local.port = draw_port();
  return static_cast<std::size_t>(free - datagram_sockets_.begin());
}

void SimNetwork::close_datagram_socket(std::size_t index) noexcept {
  for (Datagram& datagram : datagrams_) {
    if (datagram.stage == Datagram::Stage::unread && datagram.socket == index) {
      datagram.stage = Datagram::Stage::free;
      --datagrams_used_;
    }
  }
  datagram_sockets_[index].is_open = false;
  activity();
}

std::size_t SimNetwork::find_datagram_socket(const Address& local, const Address& peer) const noexcept {
  for (std::size_t i = 0; i < datagram_sockets_.size(); ++i) {
    const DatagramSocket& socket = datagram_sockets_[i];
    if (socket.is_open && same_place(socket.local, local) && same_place(socket.peer, peer)) {
      return i;
    }
  }
  return none;
}

IoResult SimNetwork::push_datagram(std::size_t index, std::span<const std::byte> first,
                                   std::span<const std::byte> second, int& error) noexcept {
  DatagramSocket& socket = datagram_sockets_[index];
  if (socket.send_held) {
    return {.status = IoStatus::would_block};
  }
  error = std::exchange(socket.error, 0);  // of an earlier datagram; this one does not go out, as in Linux
  const std::size_t size = first.size() + second.size();
  if (error == 0 && size > datagram_size_max_) {
    error = EMSGSIZE;
  }
  if (error != 0) {
    return {.status = IoStatus::failed};
  }
  if (!socket.was_held && random_.chance(socket.link.partial_send)) {
    socket.send_held = socket.was_held = true;
    return {.status = IoStatus::would_block};
  }
  socket.was_held = false;
  activity();
  const IoResult sent{.status = IoStatus::ok, .size = size};
  const SimConnectRule* const rule = rule_for(socket.peer);
  if (!rule) {
    launch_copies(socket.local, socket.peer, first, second, socket.link, Duration{0});
    return sent;
  }
  switch (rule->outcome) {
    case SimConnectRule::Outcome::ordinary:
      launch_copies(socket.local, socket.peer, first, second, socket.link, rule->delay);
      break;
    case SimConnectRule::Outcome::refused:
    case SimConnectRule::Outcome::unreachable: {
      const Time arrival = now_ + latency_of(socket.link) + latency_of(socket.link) + rule->delay;
      if (Datagram* const refusal = launch(socket.peer, socket.local, 0, arrival)) {
        refusal->error = rule->outcome == SimConnectRule::Outcome::refused ? ECONNREFUSED : EHOSTUNREACH;
      }
      break;
    }
    case SimConnectRule::Outcome::timed_out:
    case SimConnectRule::Outcome::silent:
      ++datagrams_lost_;
      break;
  }
  return sent;
}

IoResult SimNetwork::take_datagram(std::size_t index, std::span<std::byte> out, int& error) noexcept {
  DatagramSocket& socket = datagram_sockets_[index];
  error = std::exchange(socket.error, 0);
  if (error != 0) {
    return {.status = IoStatus::failed};
  }
  while (socket.unread != 0) {
    Datagram* oldest = nullptr;
    for (Datagram& datagram : datagrams_) {
      if (datagram.stage == Datagram::Stage::unread && datagram.socket == index &&
          (!oldest || datagram.order < oldest->order)) {
        oldest = &datagram;
      }
    }
    ENSURE(oldest != nullptr);
    oldest->stage = Datagram::Stage::free;
    --datagrams_used_;
    --socket.unread;
    activity();
    if (const std::size_t size = std::min(oldest->size, out.size()); size != 0) {  // empty ones are passed over
      std::memcpy(out.data(), bytes_of(*oldest), size);
      return {.status = IoStatus::ok, .size = size};
    }
  }
  return {.status = IoStatus::would_block};
}

// ---- on the way

std::byte* SimNetwork::bytes_of(const Datagram& datagram) noexcept {
  return datagram_bytes_.get() + static_cast<std::size_t>(&datagram - datagrams_.data()) * datagram_size_max_;
}

Duration SimNetwork::latency_of(const SimLink& link) noexcept {
  return Duration{static_cast<Duration::rep>(random_.between(static_cast<std::uint64_t>(link.latency_min.count()),
                                                             static_cast<std::uint64_t>(link.latency_max.count())))};
}

SimNetwork::Datagram* SimNetwork::launch(const Address& from, const Address& to, std::size_t size,
                                         Time arrival) noexcept {
  const auto free = std::find_if(datagrams_.begin(), datagrams_.end(),
                                 [](const Datagram& datagram) { return datagram.stage == Datagram::Stage::free; });
  if (free == datagrams_.end()) {
    ++datagrams_lost_;
    return nullptr;
  }
  ++datagrams_used_;
  *free = Datagram{.stage = Datagram::Stage::flying,
                   .size = size,
                   .order = ++datagram_order_,
                   .arrival = arrival,
                   .from = from,
                   .to = to};
  return &*free;
}

void SimNetwork::launch_copies(const Address& from, const Address& to, std::span<const std::byte> first,
                               std::span<const std::byte> second, const SimLink& link, Duration delay) noexcept {
  if (random_.chance(link.loss)) {
    ++datagrams_lost_;
    trace("datagram to port %d is lost", to.port);
    return;
  }
  for (int copies = random_.chance(link.duplicate) ? 2 : 1; copies > 0; --copies) {
    Datagram* const datagram = launch(from, to, first.size() + second.size(), now_ + latency_of(link) + delay);
    if (!datagram) {
      return;
    }
    std::byte* const bytes = bytes_of(*datagram);
    std::copy(second.begin(), second.end(), std::copy(first.begin(), first.end(), bytes));
  }
}

void SimNetwork::send_datagram(const Address& from, const Address& to, std::span<const std::byte> bytes,
                               Duration delay) noexcept {
  ENSURE(bytes.size() <= datagram_size_max_);
  const auto receiver =
      std::find_if(datagram_sockets_.begin(), datagram_sockets_.end(),
                   [&](const DatagramSocket& socket) { return socket.is_open && same_place(socket.local, to); });
  activity();
  launch_copies(from, to, bytes, {}, receiver == datagram_sockets_.end() ? link_for(outside, to) : receiver->link,
                delay);
}

// Nobody is there: the sender learns it (ICMP port unreachable, RFC 1122 section 4.1.3.1), if it is a socket.
void SimNetwork::refuse(const Datagram& datagram) noexcept {
  ++datagrams_lost_;
  trace("datagram to port %d finds nobody", datagram.to.port);
  const std::size_t sender = find_datagram_socket(datagram.from, datagram.to);
  if (sender == none) {
    return;
  }
  const Time arrival = now_ + latency_of(datagram_sockets_[sender].link);
  if (Datagram* const refusal = launch(datagram.to, datagram.from, 0, arrival)) {
    refusal->error = ECONNREFUSED;
  }
}

void SimNetwork::deliver(Datagram& datagram) noexcept {
  activity();
  const std::size_t receiver = find_datagram_socket(datagram.to, datagram.from);
  if (receiver != none) {
    DatagramSocket& socket = datagram_sockets_[receiver];
    news_for(socket.host);
    if (datagram.error != 0) {
      socket.error = datagram.error;
    } else if (socket.unread < datagram_queue_max_) {
      trace("datagram from port %d for host %d", datagram.from.port, socket.host);
      ++socket.unread;
      datagram.stage = Datagram::Stage::unread;
      datagram.socket = receiver;
      datagram.order = ++datagram_order_;
      return;
    } else {
      ++datagrams_lost_;
    }
  } else if (datagram.error == 0) {
    const auto service =
        std::find_if(datagram_services_.begin(), datagram_services_.end(),
                     [&](const DatagramService& s) { return s.sink != nullptr && same_place(s.at, datagram.to); });
    if (service == datagram_services_.end()) {
      refuse(datagram);
    } else {
      news_for(outside);
      service->sink(service->object, datagram.from, datagram.to, {bytes_of(datagram), datagram.size});
    }
  }
  datagram.stage = Datagram::Stage::free;
  --datagrams_used_;
}

// In the order of their arrival, then of their sending: a service may answer at once.
void SimNetwork::deliver_datagrams() noexcept {
  while (datagrams_used_ != 0) {
    Datagram* next = nullptr;
    for (Datagram& datagram : datagrams_) {
      if (datagram.stage == Datagram::Stage::flying && datagram.arrival <= now_ &&
          (!next || datagram.arrival < next->arrival ||
           (datagram.arrival == next->arrival && datagram.order < next->order))) {
        next = &datagram;
      }
    }
    if (!next) {
      return;
    }
    deliver(*next);
  }
}

Time SimNetwork::next_datagram() const noexcept {
  Time next = never;
  if (datagrams_used_ != 0) {
    for (const Datagram& datagram : datagrams_) {
      next = datagram.stage == Datagram::Stage::flying ? earliest(next, datagram.arrival) : next;
    }
  }
  return next;
}

std::size_t SimNetwork::datagrams_in_flight() const noexcept {
  return static_cast<std::size_t>(std::count_if(datagrams_.begin(), datagrams_.end(), [](const Datagram& datagram) {
    return datagram.stage == Datagram::Stage::flying;
  }));
}

// ---- services

void SimNetwork::serve_datagrams(const Address& at, SimDatagramSink sink, void* object) {
  ENSURE(sink != nullptr);
  ENSURE(at.port != 0);
  for (DatagramService& service : datagram_services_) {
    if (same_place(service.at, at)) {
      service = {.at = at, .sink = sink, .object = object};
      return;
    }
  }
  datagram_services_.push_back({.at = at, .sink = sink, .object = object});
}

void SimNetwork::stop_datagrams(const Address& at) noexcept {
  for (DatagramService& service : datagram_services_) {
    if (same_place(service.at, at)) {
      service.sink = nullptr;
    }
  }
}

void SimNetwork::add_service(SimServiceStep turn, void* object) {
  ENSURE(turn != nullptr);
  Service& service = services_.emplace_back();
  service.turn = turn;
  service.object = object;
}

void SimNetwork::remove_service(void* object) noexcept {
  ENSURE(!services_run_);
  std::erase_if(services_, [&](const Service& service) { return service.object == object; });
}

void SimNetwork::run_services() noexcept {
  if (services_run_) {
    return;
  }
  services_run_ = true;
  for (Service& service : services_) {
    service.next = service.turn(service.object);
    ENSURE(service.next > now_);  // or the clock would stand still
  }
  services_run_ = false;
}

// ---- SimPort

Result<Socket, Error> SimPort::connect_datagram(const Address& to) {
  ENSURE(to.family == Family::ipv4 || to.family == Family::ipv6);
  if (!has_room()) {
    return Failure{failed(Error::no_descriptors)};
  }
  const Result<std::size_t, Error> opened = network_.open_datagram_socket(host_, source_for(to), to);
  if (!opened) {
    network_.trace("host %d connect_datagram -> error %d", host_, static_cast<int>(opened.error()));
    return Failure{failed(opened.error())};
  }
  const Socket socket = take_slot(Slot::Kind::datagram, opened.value(), 0);
  network_.trace("host %d connect_datagram -> %d", host_, socket.id);
  return socket;
}

IoResult SimPort::recv_datagram(const Slot& slot, std::span<std::byte> out) noexcept {
  int error = 0;
  const IoResult result = network_.take_datagram(slot.target, out, error);
  network_.trace("host %d recv datagram -> %d, %zu", host_, static_cast<int>(result.status), result.size);
  return result.status == IoStatus::failed ? failed(error) : result;
}

IoResult SimPort::send_datagram(const Slot& slot, std::span<const std::byte> first,
                                std::span<const std::byte> second) noexcept {
  int error = 0;
  const IoResult result = network_.push_datagram(slot.target, first, second, error);
  network_.trace("host %d send datagram -> %d, %zu", host_, static_cast<int>(result.status), result.size);
  return result.status == IoStatus::failed ? failed(error) : result;
}

}  // namespace pollux::port
