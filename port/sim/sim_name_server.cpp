#include "port/sim/sim_name_server.hpp"

#include <algorithm>
#include <cstring>

#include "port/ensure.hpp"

namespace pollux::port {

using sim::NameQuery;
using sim::NameQueryFault;
using sim::same_name;
using Section = sim::NameWriter::Section;

namespace {

constexpr std::uint16_t default_port = 53;
constexpr std::size_t classic_size_max = 512;  // bytes over UDP, RFC 1035 section 4.2.1
constexpr std::size_t edns_record_size = 11;   // bytes
constexpr std::string_view forged_target = "evil.test";

// RFC 1035 section 4.1.1.
constexpr std::uint8_t code_format_error = 1;
constexpr std::uint8_t code_not_implemented = 4;
constexpr std::uint8_t code_refused = 5;

std::uint8_t code_of(SimNameAnswer answer) noexcept {
  switch (answer) {
    case SimNameAnswer::truth:
    case SimNameAnswer::no_data:
    case SimNameAnswer::silent:
      return 0;
    case SimNameAnswer::format_error:
      return code_format_error;
    case SimNameAnswer::server_failure:
      return 2;
    case SimNameAnswer::no_such_name:
      return 3;
    case SimNameAnswer::not_implemented:
      return code_not_implemented;
    case SimNameAnswer::refused:
      return code_refused;
  }
  return 0;
}

const Address& forged(std::uint16_t type) noexcept {
  return type == SimNameServer::aaaa ? SimNameServer::forged_ipv6 : SimNameServer::forged_ipv4;
}

}  // namespace

SimNameServer::SimNameServer(SimNetwork& network, const Address& at, std::size_t queries_kept)
    : network_{network},
      address_{at},
      random_{network.seed() ^ (0x9E3779B97F4A7C15U * (at.ip[3] + at.ip[15] + 1U))},
      message_(message_max),
      sessions_(sessions_max),
      queries_kept_{queries_kept} {
  ENSURE(queries_kept != 0);
  address_.port = at.port == 0 ? default_port : at.port;
  queries_.reserve(queries_kept);
  for (Session& session : sessions_) {
    session.out.reset(new char[2 * (2 + message_max)]);
  }
  set_running(true);
  network_.add_service(&SimNameServer::turn, this);
}

SimNameServer::~SimNameServer() {
  network_.remove_service(this);
  set_running(false);
}

// ---- records

void SimNameServer::add(std::string_view name, const Address& address, std::uint32_t ttl) {
  ENSURE(address.family == Family::ipv4 || address.family == Family::ipv6);
  ENSURE(name.size() <= sim::dns_name_max);
  records_.push_back(
      {.name = std::string{name}, .type = address.family == Family::ipv6 ? aaaa : a, .ttl = ttl, .address = address});
}

void SimNameServer::add_alias(std::string_view name, std::string_view target, std::uint32_t ttl) {
  ENSURE(name.size() <= sim::dns_name_max);
  ENSURE(target.size() <= sim::dns_name_max);
  records_.push_back({.name = std::string{name}, .type = cname, .ttl = ttl, .target = std::string{target}});
}

void SimNameServer::add_empty(std::string_view name) {
  records_.push_back({.name = std::string{name}});
}

void SimNameServer::remove(std::string_view name) {
  std::erase_if(records_, [&](const Record& record) { return same_name(record.name, name); });
}

void SimNameServer::replace(std::string_view name, const Address& address, std::uint32_t ttl) {
  remove(name);
  add(name, address, ttl);
}

void SimNameServer::set_negative_ttl(std::uint32_t ttl, std::uint32_t minimum) noexcept {
  negative_ttl_ = ttl;
  negative_minimum_ = minimum;
}

const SimNameServer::Record* SimNameServer::find(std::string_view name, std::uint16_t type) const noexcept {
  const auto found = std::find_if(records_.begin(), records_.end(), [&](const Record& record) {
    return record.type == type && same_name(record.name, name);
  });
  return found == records_.end() ? nullptr : &*found;
}

// A name above another one exists too, with nothing (RFC 8020).
bool SimNameServer::exists(std::string_view name) const noexcept {
  return std::any_of(records_.begin(), records_.end(), [&](const Record& record) {
    const std::string_view own = record.name;
    if (own.size() <= name.size()) {
      return same_name(own, name);
    }
    const std::string_view end = own.substr(own.size() - name.size());
    return name.empty() || (own[own.size() - name.size() - 1] == '.' && same_name(end, name));
  });
}

// ---- manners

void SimNameServer::add_rule(const SimNameRule& rule) {
  rules_.push_back(rule);
}

void SimNameServer::set_running(bool is_on) {
  if (is_on != has_datagrams_) {
    has_datagrams_ = is_on;
    if (is_on) {
      network_.serve_datagrams(address_, &SimNameServer::hear, this);
    } else {
      network_.stop_datagrams(address_);
    }
  }
  set_stream(is_on);
}

void SimNameServer::set_stream(bool is_on) {
  if (is_on == has_stream_) {
    return;
  }
  has_stream_ = is_on;
  if (is_on) {
    listener_ = network_.listen({.address = address_});
    return;
  }
  listener_.close();
  for (const Session& session : sessions_) {
    session.peer.reset();
  }
}

SimNameRule& SimNameServer::rule_for(const NameQuery& query, bool over_tcp) noexcept {
  const SimNameTransport other = over_tcp ? SimNameTransport::datagram : SimNameTransport::stream;
  const auto found = std::find_if(rules_.rbegin(), rules_.rend(), [&](const SimNameRule& rule) {
    return rule.queries_max != 0 && rule.over != other && (rule.type == 0 || rule.type == query.type) &&
           (rule.name.empty() || same_name(rule.name, query.name()));
  });
  return found == rules_.rend() ? ordinary_ : *found;
}

// ---- what it has seen

std::uint64_t SimNameServer::queries_seen(std::string_view name, std::uint16_t type) const noexcept {
  return static_cast<std::uint64_t>(std::count_if(queries_.begin(), queries_.end(), [&](const Query& query) {
    return query.question.type == type && same_name(query.question.name(), name);
  }));
}

SimNameRule* SimNameServer::take(const NameQuery& query, const Address& from, bool over_tcp) noexcept {
  ++queries_seen_;
  if (queries_.size() == queries_kept_) {
    queries_.erase(queries_.begin());
  }
  queries_.push_back({.at = network_.now(), .from = from, .over_tcp = over_tcp, .question = query});
  SimNameRule& rule = rule_for(query, over_tcp);
  if (&rule != &ordinary_ && rule.queries_max != UINT64_MAX) {
    --rule.queries_max;
  }
  const bool is_lost = random_.chance(rule.loss) || (query.has_edns && edns_ == SimNameEdns::silent);
  return is_lost ? nullptr : &rule;
}

// ---- writing answers

std::size_t SimNameServer::write_error(const NameQuery& query, std::uint8_t code) noexcept {
  Writer writer{message_, message_max, compresses_};
  writer.begin(query, code);
  if (query.type != 0) {
    writer.question(query.name(), query.type, query.type_class);
  }
  return writer.size();
}

std::size_t SimNameServer::write_answer(const NameQuery& query, SimNameAnswer answer, std::size_t limit,
                                        bool with_extra) noexcept {
  if (query.has_edns && edns_ == SimNameEdns::format_error) {
    return write_error(query, code_format_error);
  }
  if (query.type_class != sim::dns_class_in) {
    return write_error(query, code_refused);
  }
  // Where the aliases lead.
  std::array<const Record*, aliases_max> aliases{};
  std::size_t alias_count = 0;
  std::string_view name = query.name();
  const bool is_truth = answer == SimNameAnswer::truth;
  while (is_truth && query.type != cname && alias_count < (follows_aliases_ ? aliases_max : 1)) {
    const Record* const alias = find(name, cname);
    if (alias == nullptr) {
      break;
    }
    aliases[alias_count++] = alias;
    name = alias->target;
  }
  const bool stops_short = alias_count != 0 && !follows_aliases_;
  const bool is_missing = is_truth && !stops_short && !exists(name);

  const bool has_edns = query.has_edns && edns_ == SimNameEdns::answered;
  Writer writer{message_, limit - std::min(limit, has_edns ? edns_record_size : 0), compresses_};
  writer.begin(query, code_of(is_missing ? SimNameAnswer::no_such_name : answer));
  writer.question(query.name(), query.type, query.type_class);
  for (std::size_t i = 0; i < alias_count; ++i) {
    writer.alias(Section::answer, aliases[i]->name, aliases[i]->ttl, aliases[i]->target);
  }
  bool has_data = false;
  for (const Record& record : records_) {
    if (!is_truth || stops_short || record.type == 0 || record.type != query.type || !same_name(record.name, name)) {
      continue;
    }
    has_data = true;
    if (record.type == cname) {
      writer.alias(Section::answer, record.name, record.ttl, record.target);
    } else {
      writer.address(Section::answer, record.name, record.ttl, record.address);
    }
  }
  if (with_extra) {
    writer.address(Section::answer, forged_name, default_ttl, forged_ipv4);
    writer.address(Section::answer, forged_name, default_ttl, forged_ipv6);
  }
  const bool is_no = is_truth || answer == SimNameAnswer::no_such_name || answer == SimNameAnswer::no_data;
  if (is_no && !has_data && !stops_short && has_authority_) {
    writer.authority(negative_ttl_, negative_minimum_);
  }
  if (with_extra) {
    writer.address(Section::additional, forged_name, default_ttl, forged_ipv4);
  }
  if (has_edns) {
    writer.edns(1232);  // bytes that arrive whole nearly everywhere
  }
  truncated_ += writer.is_truncated() ? 1 : 0;
  return writer.size();
}

std::size_t SimNameServer::write_lie(const NameQuery& query, const SimNameRule& rule, std::size_t limit) noexcept {
  Writer writer{message_, message_max, compresses_};
  const auto begin = [&] {
    writer.begin(query, 0);
    writer.question(query.name(), query.type, query.type_class);
  };
  const auto answer = [&](std::string_view owner) {
    writer.address(Section::answer, owner, default_ttl, forged(query.type));
  };
  // What follows the owner of a record that is written by hand.
  const auto finish_record = [&](unsigned type_class, std::size_t data_size) {
    writer.number16(query.type);
    writer.number16(type_class);
    writer.number32(default_ttl);
    writer.number16(static_cast<unsigned>(data_size));
    for (std::size_t i = 0; i < std::min<std::size_t>(data_size, 17); ++i) {
      writer.number8(i < 16 ? forged(query.type).ip[i] : 0);
    }
    writer.count(Section::answer);
  };
  const auto asked_at = [&] { writer.number16(0xC000U | sim::dns_header_size); };  // the owner: the name asked for
  const std::size_t data_size = query.type == aaaa ? 16 : 4;
  switch (rule.lie) {
    case SimNameLie::none:
      break;
    case SimNameLie::wrong_id: {
      NameQuery other = query;
      other.id = static_cast<std::uint16_t>(query.id ^ 0x5555U);
      writer.begin(other, 0);
      writer.question(query.name(), query.type, query.type_class);
      answer(query.name());
      break;
    }
    case SimNameLie::wrong_question:
      writer.begin(query, 0);
      writer.question(forged_name, query.type, query.type_class);
      answer(forged_name);
      answer(query.name());
      break;
    case SimNameLie::wrong_type:
      writer.begin(query, 0);
      writer.question(query.name(), query.type == a ? aaaa : a, query.type_class);
      writer.address(Section::answer, query.name(), default_ttl, forged_ipv4);
      writer.address(Section::answer, query.name(), default_ttl, forged_ipv6);
      break;
    case SimNameLie::wrong_address:
    case SimNameLie::wrong_port:
      begin();
      answer(query.name());
      break;
    case SimNameLie::extra_answers:
      return write_answer(query, rule.answer, limit, true);
    case SimNameLie::forged_alias:
      begin();
      writer.alias(Section::answer, forged_name, default_ttl, forged_target);
      answer(forged_target);
      answer(forged_name);
      break;
    case SimNameLie::no_question:
      writer.begin(query, 0);
      answer(query.name());
      break;
    case SimNameLie::question_back:
      begin();
      writer.set16(2, query.recursion_desired ? 0x0100 : 0);
      break;
    case SimNameLie::pointer_loop:
      begin();
      writer.number16(0xC000U | static_cast<unsigned>(writer.size()));
      finish_record(sim::dns_class_in, data_size);
      break;
    case SimNameLie::pointer_forward:
      begin();
      writer.number16(0xFFFF);
      finish_record(sim::dns_class_in, data_size);
      break;
    case SimNameLie::long_name:
      begin();
      for (int label = 0; label < 5; ++label) {
        writer.number8(63);
        for (int i = 0; i < 63; ++i) {
          writer.number8('x');
        }
      }
      asked_at();
      finish_record(sim::dns_class_in, data_size);
      break;
    case SimNameLie::bad_label:
      begin();
      writer.number8(0x41);
      writer.number8(0);
      finish_record(sim::dns_class_in, data_size);
      break;
    case SimNameLie::bad_data_size:
      begin();
      asked_at();
      finish_record(sim::dns_class_in, data_size + 1);
      break;
    case SimNameLie::long_data:
      begin();
      asked_at();
      finish_record(sim::dns_class_in, 60'000);
      break;
    case SimNameLie::many_records:
      begin();
      answer(query.name());
      writer.set16(6, 65535);
      break;
    case SimNameLie::other_class:
      begin();
      asked_at();
      finish_record(3, data_size);
      break;
    case SimNameLie::cut:
      return write_answer(query, rule.answer, limit, false);
    case SimNameLie::garbage:
      writer.number16(query.id);
      writer.number16(0x8180);
      for (std::uint64_t left = random_.between(8, 200); left != 0; --left) {
        writer.number8(static_cast<unsigned>(random_.next() & 0xFF));
      }
      break;
    case SimNameLie::empty:
      break;
  }
  return writer.size();
}

// ---- UDP

void SimNameServer::hear(void* self, const Address& from, const Address& to, std::span<const std::byte> bytes) {
  static_cast<void>(to);
  static_cast<SimNameServer*>(self)->answer_datagram(from, bytes);
}

void SimNameServer::answer_datagram(const Address& from, std::span<const std::byte> bytes) noexcept {
  const std::span<const std::byte> message{message_};
  NameQuery query;
  const NameQueryFault fault = sim::read_query(bytes, query);
  if (fault != NameQueryFault::none) {
    ++malformed_;
    if (fault != NameQueryFault::no_query) {
      query = {.id = query.id};
      const std::size_t size =
          write_error(query, fault == NameQueryFault::format ? code_format_error : code_not_implemented);
      network_.send_datagram(address_, from, message.first(size));
    }
    return;
  }
  const SimNameRule* const rule = take(query, from, false);
  if (!rule) {
    return;
  }
  const bool has_edns = query.has_edns && edns_ == SimNameEdns::answered;
  const std::size_t asker_max = has_edns ? std::max<std::size_t>(query.edns_size, classic_size_max) : classic_size_max;
  const std::size_t limit = std::min({datagram_size_max_, asker_max, network_.datagram_size_max()});
  if (rule->lie != SimNameLie::none) {
    std::size_t size = write_lie(query, *rule, limit);
    if (rule->lie == SimNameLie::cut) {
      size = random_.between(1, size - 1);
    }
    Address source = address_;
    if (rule->lie == SimNameLie::wrong_address) {
      source.ip[source.family == Family::ipv6 ? 15 : 3] ^= 1;
    } else if (rule->lie == SimNameLie::wrong_port) {
      ++source.port;
    }
    network_.send_datagram(source, from, message.first(size), rule->delay);
    if (!rule->truth_follows) {
      return;
    }
  }
  if (rule->answer != SimNameAnswer::silent) {
    const std::size_t size = write_answer(query, rule->answer, limit, false);
    network_.send_datagram(address_, from, message.first(size), rule->delay);
  }
}

// ---- TCP

Time SimNameServer::turn(void* self) {
  auto& server = *static_cast<SimNameServer*>(self);
  server.accept();
  Time next = never;
  for (Session& session : server.sessions_) {
    server.serve(session);
    next = session.peer.is_open() && session.due > server.network_.now() ? earliest(next, session.due) : next;
  }
  return next;
}

void SimNameServer::accept() noexcept {
  if (!has_stream_) {
    return;
  }
  for (Session& session : sessions_) {
    if (session.peer.is_open()) {
      continue;
    }
    session.peer = listener_.accept();
    if (!session.peer.is_open()) {
      return;
    }
    ++connections_seen_;
    session.in_size = session.out_size = session.out_sent = 0;
    session.due = never;
    session.ends_then = false;
  }
}

// `size` bytes of the message, announced as `announced`.
void SimNameServer::append(Session& session, std::size_t announced, std::size_t size) noexcept {
  char* const out = session.out.get() + session.out_size;
  out[0] = static_cast<char>(announced >> 8 & 0xFF);
  out[1] = static_cast<char>(announced & 0xFF);
  std::memcpy(out + 2, message_.data(), size);
  session.out_size += 2 + size;
}

void SimNameServer::answer_stream(Session& session, std::span<const std::byte> bytes) noexcept {
  NameQuery query;
  if (sim::read_query(bytes, query) != NameQueryFault::none) {
    ++malformed_;
    session.peer.close();
    return;
  }
  const SimNameRule* const rule = take(query, session.peer.remote_address(), true);
  if (!rule) {
    return;
  }
  session.out_size = session.out_sent = 0;
  session.due = network_.now() + rule->delay;
  if (rule->lie != SimNameLie::none) {
    const std::size_t size = write_lie(query, *rule, message_max);
    session.ends_then = rule->lie == SimNameLie::cut;
    append(session, size, session.ends_then ? random_.between(1, size - 1) : size);
    if (!rule->truth_follows || session.ends_then) {
      return;
    }
  }
  if (rule->answer != SimNameAnswer::silent) {
    const std::size_t size = write_answer(query, rule->answer, message_max, false);
    append(session, size, size);
  }
}

void SimNameServer::serve(Session& session) noexcept {
  const SimPeer& peer = session.peer;
  while (peer.is_open()) {
    if (!peer.is_connected()) {  // reset
      peer.close();
      return;
    }
    if (session.out_sent < session.out_size) {
      if (session.due > network_.now()) {
        return;
      }
      session.out_sent += peer.send({session.out.get() + session.out_sent, session.out_size - session.out_sent});
      if (session.out_sent < session.out_size) {
        return;  // the window is closed
      }
      session.due = never;
      if (session.ends_then) {
        peer.close();
      }
      continue;
    }
    if (session.in_size < session.in.size()) {
      session.in_size += peer.receive(std::span{session.in}.subspan(session.in_size));
    }
    const auto* const in = reinterpret_cast<const unsigned char*>(session.in.data());
    const std::size_t size = session.in_size < 2 ? 0 : static_cast<std::size_t>(in[0] << 8 | in[1]);
    if (session.in_size < 2 || (session.in_size < 2 + size && size <= query_size_max)) {
      if (peer.saw_finish()) {
        peer.close();
      }
      return;
    }
    if (size > query_size_max) {
      ++malformed_;
      peer.close();
      return;
    }
    answer_stream(session, std::as_bytes(std::span{session.in}).subspan(2, size));
    session.in_size -= 2 + size;
    std::memmove(session.in.data(), session.in.data() + 2 + size, session.in_size);
  }
}

}  // namespace pollux::port
