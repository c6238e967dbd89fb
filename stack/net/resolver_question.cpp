// A question of the resolver: one name and one type, asked of one server after the other until one answers.
//
//   unused -> asking -> done
//             ^ | \_____ truncated ____
//             | |                      v
//   next server |     waiting -> connecting -> sending -> receiving -> done   (over TCP; any failure: the next server)
#include <algorithm>
#include <array>
#include <chrono>

#include "port/ensure.hpp"
#include "stack/net/resolver.hpp"
#include "stack/net/resolver_storage.hpp"

namespace pollux::net {

namespace {

using State = Question::State;

// RFC 8305 section 3: how long the AAAA records are waited for when the A records are there.
constexpr port::Duration resolution_delay = std::chrono::milliseconds{50};

// How many datagrams one event takes: who floods us with forged answers does not keep the loop from the others.
constexpr int datagrams_per_event = 16;

// A timeout that has doubled is no longer than this.
constexpr port::Duration timeout_max = std::chrono::seconds{60};
constexpr port::Duration timeout_default = std::chrono::seconds{2};

constexpr std::size_t stream_prefix_size = 2;  // RFC 1035 section 4.2.2

[[nodiscard]] constexpr unsigned bit(State state) noexcept {
  return 1U << static_cast<unsigned>(state);
}

// Where each state may lead, in the order of the enum.
constexpr std::array<unsigned, 7> transitions{
    bit(State::asking) | bit(State::done),                                                 // unused
    bit(State::asking) | bit(State::waiting) | bit(State::connecting) | bit(State::done),  // asking
    bit(State::asking) | bit(State::connecting) | bit(State::done),                        // waiting
    bit(State::asking) | bit(State::sending) | bit(State::done),                           // connecting
    bit(State::asking) | bit(State::receiving) | bit(State::done),                         // sending
    bit(State::asking) | bit(State::done),                                                 // receiving
    0,                                                                                     // done
};

void enter(Question& question, State state) noexcept {
  ENSURE((transitions[static_cast<std::size_t>(question.state)] & bit(state)) != 0);
  question.state = state;
}

[[nodiscard]] DnsQuestion as_asked(const Question& question) noexcept {
  return {.id = question.id, .name = question.name, .type = question.type, .has_options = question.has_options};
}

// Of all attempts: that a server answered says more than that one did not, and that more than that one could not be reached.
[[nodiscard]] NameError worse(NameError a, NameError b) noexcept {
  for (const NameError error : {NameError::server_failed, NameError::timed_out}) {
    if (a == error || b == error) {
      return error;
    }
  }
  return NameError::unreachable;
}

[[nodiscard]] std::size_t u16_of(std::span<const std::byte> bytes) noexcept {
  return std::to_integer<std::size_t>(bytes[0]) << 8 | std::to_integer<std::size_t>(bytes[1]);
}

}  // namespace

void Resolver::question_ready(Query& query, Question& question, port::Events events, port::Time now) noexcept {
  static_cast<void>(events);  // whatever it is, the call that comes next tells
  switch (question.state) {
    case State::asking:
      receive_datagrams(query, question, now);
      return;
    case State::connecting: {
      const auto connected = config_.loop.port().connect_result(question.socket);
      if (connected) {
        enter(question, State::sending);
        send_stream(query, question, now);
      } else if (connected.error() != port::Error::would_block) {
        ask_next_server(query, question, NameError::unreachable, now);
      }
      return;
    }
    case State::sending:
      send_stream(query, question, now);
      return;
    case State::receiving:
      receive_stream(query, question, now);
      return;
    case State::unused:
    case State::waiting:
    case State::done:
      return;  // it went on earlier in this turn
  }
}

std::span<const port::Address> Resolver::servers_of(const Query& query) const noexcept {
  return config_.servers.empty() ? query.conf.server_list() : config_.servers;
}

port::Address Resolver::server_of(const Query& query, const Question& question) const noexcept {
  const std::span<const port::Address> servers = servers_of(query);
  port::Address server = servers[(query.first_server + question.attempt) % servers.size()];
  server.port = server.port == 0 ? dns_port : server.port;
  return server;
}

// The wait doubles with every round through the servers (resolv.conf(5), timeout and attempts).
port::Time Resolver::deadline_of(const Query& query, const Question& question, port::Time now) const noexcept {
  // Never without an end: there is no lookup that does not end by itself.
  port::Duration wait = config_.timeout > port::Duration::zero() ? config_.timeout : timeout_default;
  if (query.conf.timeout_s) {
    wait = std::chrono::seconds{*query.conf.timeout_s};
  }
  for (std::size_t round = question.attempt / servers_of(query).size(); round > 0 && wait < timeout_max; --round) {
    wait *= 2;
  }
  return now + std::min(wait, timeout_max);
}

// Asks the server whose turn it is; one that cannot be reached is passed over at once. Ends the question when all have had their turns.
void Resolver::ask(Query& query, Question& question, port::Time now) noexcept {
  const std::size_t rounds = std::max<std::size_t>(1, query.conf.attempts.value_or(config_.attempts));
  const std::size_t attempts_max = rounds * servers_of(query).size();
  for (; question.attempt < attempts_max; ++question.attempt) {
    if (send_datagram(query, question)) {
      enter(question, State::asking);
      question.deadline = deadline_of(query, question, now);
      return;
    }
    question.failure = worse(question.failure, NameError::unreachable);
  }
  end_question(query, question, worse(question.failure, question.failure), now);
}

// A new socket and a new id for each, so that an answer to guess is 16 + 16 bits away (RFC 5452 section 9.2).
bool Resolver::send_datagram(const Query& query, Question& question) noexcept {
  port::Port& port = config_.loop.port();
  const auto socket = port.connect_datagram(server_of(query, question));
  if (!socket) {
    return false;
  }
  port.random(std::as_writable_bytes(std::span{&question.id, 1}));
  const std::size_t size = write_dns_question(tables_.scratch, as_asked(question));
  ++questions_sent_;
  // One that was refused a place in the queue is lost, as it may be on any way; it is sent again in time.
  if (port.send(*socket, std::span{tables_.scratch}.first(size), {}, false).status == port::IoStatus::failed) {
    port.close(*socket);
    return false;
  }
  question.socket = *socket;
  return true;
}

void Resolver::ask_next_server(Query& query, Question& question, NameError why, port::Time now) noexcept {
  close(query, question);
  question.failure = worse(question.failure, why);
  ++question.attempt;
  // Some middleboxes drop what has EDNS0, so the second round goes without (RFC 6891 section 6.2.2 lets us).
  question.has_options = question.attempt < servers_of(query).size();
  ask(query, question, now);
}

// Answers that are not to this question are forgotten and the waiting goes on: anybody can send them.
void Resolver::receive_datagrams(Query& query, Question& question, port::Time now) noexcept {
  for (int i = 0; i < datagrams_per_event; ++i) {
    const port::IoResult received = config_.loop.port().recv(question.socket, tables_.scratch);
    if (received.status == port::IoStatus::would_block) {
      return;
    }
    if (received.status != port::IoStatus::ok) {
      ask_next_server(query, question, NameError::unreachable, now);  // nobody listens there (ICMP)
      return;
    }
    const DnsAnswer answer =
        read_dns_answer(std::span{tables_.scratch}.first(received.size), as_asked(question), DnsCarrier::datagram);
    if (answer.outcome != DnsOutcome::not_ours) {
      take_answer(query, question, answer, now);
      return;
    }
  }
}

// Asks the same server over TCP, in the packet buffer that both questions share.
void Resolver::connect_stream(Query& query, Question& question, port::Time now) noexcept {
  close(query, question);
  if (query.packet_owner != nullptr) {
    enter(question, State::waiting);
    question.deadline = port::never;  // the other question's runs, and settle() looks when that is over
    return;
  }
  port::Port& port = config_.loop.port();
  const auto socket = port.connect({.address = server_of(query, question)});
  if (!socket) {
    ask_next_server(query, question, NameError::unreachable, now);
    return;
  }
  question.socket = *socket;
  query.packet_owner = &question;
  port.random(std::as_writable_bytes(std::span{&question.id, 1}));
  const std::span<std::byte> packet{query.packet};
  const std::size_t size = write_dns_question(packet.subspan(stream_prefix_size), as_asked(question));
  packet[0] = static_cast<std::byte>(size >> 8);
  packet[1] = static_cast<std::byte>(size & 0xffU);
  query.packet_size = stream_prefix_size + size;
  query.packet_done = 0;
  ++questions_sent_;
  enter(question, State::connecting);
  question.deadline = deadline_of(query, question, now);
}

void Resolver::send_stream(Query& query, Question& question, port::Time now) noexcept {
  const auto left = std::span{query.packet}.first(query.packet_size).subspan(query.packet_done);
  const port::IoResult sent = config_.loop.port().send(question.socket, left, {}, false);
  if (sent.status == port::IoStatus::would_block) {
    return;
  }
  if (sent.status != port::IoStatus::ok) {
    ask_next_server(query, question, NameError::unreachable, now);
    return;
  }
  query.packet_done += sent.size;
  if (query.packet_done == query.packet_size) {
    query.packet_done = 0;
    enter(question, State::receiving);
  }
}

// Collects the answer; of one that is longer than the buffer the front is enough, because it has more addresses than are tried.
void Resolver::receive_stream(Query& query, Question& question, port::Time now) noexcept {
  const std::span<std::byte> packet{query.packet};
  const port::IoResult received = config_.loop.port().recv(question.socket, packet.subspan(query.packet_done));
  if (received.status == port::IoStatus::would_block) {
    return;
  }
  if (received.status != port::IoStatus::ok) {
    ask_next_server(query, question, NameError::server_failed, now);
    return;
  }
  query.packet_done += received.size;
  if (query.packet_done < stream_prefix_size) {
    return;
  }
  const std::size_t whole = stream_prefix_size + u16_of(packet);
  const std::size_t wanted = std::min(whole, packet.size());
  if (query.packet_done < wanted) {
    return;
  }
  const DnsCarrier carrier = whole > packet.size() ? DnsCarrier::cut_stream : DnsCarrier::stream;
  const DnsAnswer answer =
      read_dns_answer(packet.first(wanted).subspan(stream_prefix_size), as_asked(question), carrier);
  take_answer(query, question, answer, now);
}

void Resolver::take_answer(Query& query, Question& question, const DnsAnswer& answer, port::Time now) noexcept {
  close(query, question);
  switch (answer.outcome) {
    case DnsOutcome::truncated:
      connect_stream(query, question, now);
      return;
    case DnsOutcome::bad_format:
      if (question.has_options) {
        question.has_options = false;
        ask(query, question, now);
        return;
      }
      [[fallthrough]];
    case DnsOutcome::not_ours:  // over TCP nobody else can have sent it
    case DnsOutcome::failed:
      ask_next_server(query, question, NameError::server_failed, now);
      return;
    case DnsOutcome::alias:
    case DnsOutcome::not_found:
    case DnsOutcome::no_address:
    case DnsOutcome::addresses:
      break;
  }
  question.lifetime = std::min(question.lifetime, answer.lifetime);
  if (answer.outcome == DnsOutcome::not_found) {
    end_question(query, question, NameError::not_found, now);
    return;
  }
  if (answer.outcome == DnsOutcome::no_address) {
    end_question(query, question, NameError::no_address, now);
    return;
  }
  if (answer.outcome == DnsOutcome::addresses) {
    question.addresses = answer.addresses;
    question.address_count = answer.address_count;
    end_question(query, question, NameError::none, now);
    return;
  }
  // The same server is asked what the alias stands for. The attempts are not counted anew: a circle of aliases ends.
  if (question.alias_count + answer.alias_count > dns_aliases_max) {
    end_question(query, question, NameError::server_failed, now);
    return;
  }
  question.alias_count = static_cast<std::uint8_t>(question.alias_count + answer.alias_count);
  question.name = answer.target;
  ask(query, question, now);
}

void Resolver::end_question(Query& query, Question& question, NameError error, port::Time now) noexcept {
  close(query, question);
  enter(question, State::done);
  question.error = error;
  if (error != NameError::none) {
    return;
  }
  // RFC 8305 section 3: with AAAA one begins at once; the AAAA records have a moment to come behind the A records.
  const port::Time early_at = question.type == DnsType::aaaa ? now : now + resolution_delay;
  query.early_at = port::earliest(query.early_at, early_at);
}

// The socket is given back, and the packet buffer if it was this question's.
void Resolver::close(Query& query, Question& question) noexcept {
  if (question.socket.is_open()) {
    config_.loop.port().close(question.socket);
    question.socket = {};
  }
  question.deadline = port::never;
  if (query.packet_owner == &question) {
    query.packet_owner = nullptr;
  }
}

}  // namespace pollux::net
