// Resolver: names to addresses by a stub resolver of our own - one more machine with fixed slots, over the port's datagram sockets.
//
// A lookup never makes the loop wait, can be cancelled at once, and asks in this order: literal address, names fixed by the app (pin), special
// names ("localhost" and below it: loopback, RFC 6761 section 6.3; ".local", ".invalid" and ".onion": never asked, RFC 6762, 6761, 7686), the cache,
// /etc/hosts, the name servers of /etc/resolv.conf (nameserver, search, options ndots, timeout, attempts, rotate). Both files are
// looked at again when they change. A and AAAA are asked together; CNAME chains are followed inside the answer and, if it stops short, by another
// question; truncated answers are asked again over TCP. Ids and source ports are random, an answer counts only if it comes from the server asked and
// repeats the question (RFC 5452); the cache is bounded, keeps an answer as long as its records say (with a ceiling), and negative answers
// as RFC 2308 says.
//
//   constinit net::ResolverStorage<net::ResolverLimits{}> memory;
//   net::Resolver resolver{{.loop = loop, .memory = memory.memory()}};
//   net::Lookup lookup{resolver, net::callback<&Page::found>(page)};
//   lookup.start("example.net", 80);
//
// What happens when something runs out: no slot for a question - the lookup waits its turn, its deadline running; cache - the entry that
// ends first makes room; more than addresses_max addresses, names in the search list or servers - the rest is left out.
//
// Sources: RFC 1034, 1035, 2308, 3596, 5452, 6761, 6891 (EDNS0), 8305 section 3 (resolution delay); resolv.conf(5), hosts(5).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "stack/base/list.hpp"
#include "stack/net/loop.hpp"

namespace pollux::net {

// The most addresses a name is tried at.
inline constexpr std::size_t addresses_max = 8;
// A name without the last dot (RFC 1035 section 2.3.4).
inline constexpr std::size_t name_size_max = 253;

enum class NameError : std::uint8_t {
  none,
  bad_name,       // empty, too long, an empty label, or a byte that no host name has
  not_found,      // the name does not exist (NXDOMAIN), or must not be asked for
  no_address,     // it exists and has no address
  server_failed,  // every server answered SERVFAIL, REFUSED, NOTIMP or something unreadable
  unreachable,    // no server could be reached
  timed_out,      // no server answered in time
  no_servers,     // no name server is known, and no file knows the name
  no_resolver,    // a name, and the program was made without a resolver
  cancelled,
};
// "no such name": static text for messages.
[[nodiscard]] std::string_view describe(NameError error) noexcept;

class Resolver;
struct Query;  // a question under way, in the resolver's slots

// One name being looked up. Lives in the object that uses it; ends itself when it is destroyed. `changed` is called in a later turn, never
// inside start(): once when the lookup is done, and before that once when one family has come and the other lets wait (RFC 8305 section 3:
// 50 ms after the A records, at once for AAAA).
class Lookup {
 public:
  Lookup(Resolver& resolver, Callback<Lookup&> changed) noexcept : resolver_{resolver}, changed_{changed} {}
  ~Lookup() { cancel(); }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  // `name`: a host name or a literal address, without brackets; copied. Every address gets `port`. Cancels what was under way.
  void start(std::string_view name, std::uint16_t port) noexcept;
  // `changed` is not called any more. Harmless when nothing is under way.
  void cancel() noexcept;

  [[nodiscard]] bool is_running() const noexcept { return state_ == State::running; }
  [[nodiscard]] bool is_done() const noexcept { return state_ == State::done; }
  // In the order in which they should be tried (RFC 6724, families alternating as RFC 8305 section 4 asks); may grow, and be put into another
  // order, until the lookup is done.
  [[nodiscard]] std::span<const port::Address> addresses() const noexcept {
    return {addresses_.data(), address_count_};
  }
  // none while there is at least one address.
  [[nodiscard]] NameError error() const noexcept { return error_; }

  base::ListLink<Lookup> link;  // the resolver's

 private:
  friend class Resolver;
  enum class State : std::uint8_t { ready, running, done };

  Resolver& resolver_;
  Callback<Lookup&> changed_;
  std::array<port::Address, addresses_max> addresses_{};
  std::array<char, name_size_max + 1> name_{};
  std::uint8_t address_count_ = 0;
  std::uint8_t name_size_ = 0;
  std::uint16_t port_ = 0;
  State state_ = State::ready;
  NameError error_ = NameError::none;
  bool told_early_ = false;       // `changed` was called for the first family
  bool is_finished_ = false;      // what was found is here, and `changed` is to be called
  std::uint64_t began_turn_ = 0;  // Loop::turns() at start(): `changed` is called in a later one
  Query* query_ = nullptr;        // what it waits for; nullptr: its turn, or nothing
};

struct ResolverLimits {
  std::uint32_t queries = 8;         // names asked for at the same time; each has two questions and a packet buffer
  std::uint32_t cache_entries = 32;  // names
};

struct ResolverMemory;  // resolver_storage.hpp
// Private: what lies in that memory, and what the resolver works with.
struct ResolverTables;
struct Question;
struct AskedName;
struct FileVersion;
struct DnsAnswer;
class HostsScan;

struct ResolverConfig {
  Loop& loop;
  const ResolverMemory& memory;
  // Looked at at start and when their change_id differs, at most once a second.
  std::string_view resolv_conf = "/etc/resolv.conf";
  std::string_view hosts = "/etc/hosts";
  // Asked instead of those in resolv_conf, if not empty. Port 0 means 53. The span must outlive the resolver.
  std::span<const port::Address> servers{};
  // Ceilings of what the records say; negative answers have their own (RFC 2308 section 5).
  port::Duration cache_max = std::chrono::hours{1};
  port::Duration negative_cache_max = std::chrono::minutes{5};
  // For one attempt at one server (it doubles with each round; 0 is 2 s: a lookup always ends), and how often the whole list is gone through;
  // resolv.conf's options win over these.
  port::Duration timeout = std::chrono::seconds{2};
  std::uint8_t attempts = 2;
  bool use_ipv4 = true;
  bool use_ipv6 = true;
};

class Resolver final : public Driver {
 public:
  explicit Resolver(const ResolverConfig& config) noexcept;
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `name` has this address from now on, whatever anybody says (curl's --resolve); `port` 0: for every port. Several calls for one name add
  // addresses. False if the table (16 entries) is full or the name is bad.
  [[nodiscard]] bool pin(std::string_view name, std::uint16_t port, const port::Address& address) noexcept;
  // Forgets every cached answer and reads the files again at the next lookup: the network changed.
  void forget() noexcept;

  // Counters for tests and status pages. A question that is asked again counts again.
  [[nodiscard]] std::uint64_t questions_sent() const noexcept;
  [[nodiscard]] std::uint64_t cache_hits() const noexcept;

 private:
  friend class Lookup;
  using Lookups = base::List<Lookup, &Lookup::link>;

  // ---- Driver
  [[nodiscard]] port::Time prepare(PollSet& set, port::Time now) override;
  void ready(std::uint32_t token, port::Events events, port::Time now) override;
  void parked_ready(std::uint32_t token, port::Events events, port::Time now) override;
  void expire(port::Time now) override;
  void work(port::Time now) override;

  // ---- lookups (resolver.cpp)
  void begin(Lookup& lookup) noexcept;
  [[nodiscard]] bool answer_at_once(Lookup& lookup, port::Time now) noexcept;
  [[nodiscard]] bool answer_from_files(Lookup& lookup, const AskedName& name, port::Time now) noexcept;
  void ask_for(Lookup& lookup, port::Time now) noexcept;
  void remove(Lookup& lookup) noexcept;
  void finish(Lookup& lookup, std::span<const port::Address> addresses, NameError error) noexcept;
  static void give(Lookup& lookup, std::span<const port::Address> addresses) noexcept;
  void order(std::span<port::Address> addresses) noexcept;
  void serve_waiting(port::Time now) noexcept;
  [[nodiscard]] bool may_tell_early(const Lookup& lookup) const noexcept;
  void tell_early(Query& query) noexcept;
  void deliver() noexcept;

  // ---- files (resolver_files.cpp)
  void look_at_files(port::Time now) noexcept;
  [[nodiscard]] bool has_changed(std::string_view path, FileVersion& version) noexcept;
  void read_conf() noexcept;
  void scan_hosts(HostsScan& scan) noexcept;
  void outdate() noexcept;

  // ---- queries (resolver_query.cpp)
  [[nodiscard]] port::Time prepare_query(Query& query, PollSet& set, port::Time now) noexcept;
  void expire_query(Query& query, port::Time now) noexcept;
  [[nodiscard]] bool begin_candidate(Query& query, port::Time now) noexcept;
  void settle(Query& query, port::Time now) noexcept;
  [[nodiscard]] bool end_candidate(Query& query) noexcept;
  void finish_query(Query& query, std::span<port::Address> addresses, NameError error) noexcept;
  void keep(const Query& query, std::span<const port::Address> addresses, NameError error, std::uint32_t lifetime,
            port::Time now) noexcept;
  void give_back(Query& query) noexcept;

  // ---- questions (resolver_question.cpp)
  void question_ready(Query& query, Question& question, port::Events events, port::Time now) noexcept;
  [[nodiscard]] std::span<const port::Address> servers_of(const Query& query) const noexcept;
  [[nodiscard]] port::Address server_of(const Query& query, const Question& question) const noexcept;
  [[nodiscard]] port::Time deadline_of(const Query& query, const Question& question, port::Time now) const noexcept;
  void ask(Query& query, Question& question, port::Time now) noexcept;
  [[nodiscard]] bool send_datagram(const Query& query, Question& question) noexcept;
  void ask_next_server(Query& query, Question& question, NameError why, port::Time now) noexcept;
  void receive_datagrams(Query& query, Question& question, port::Time now) noexcept;
  void connect_stream(Query& query, Question& question, port::Time now) noexcept;
  void send_stream(Query& query, Question& question, port::Time now) noexcept;
  void receive_stream(Query& query, Question& question, port::Time now) noexcept;
  void take_answer(Query& query, Question& question, const DnsAnswer& answer, port::Time now) noexcept;
  void end_question(Query& query, Question& question, NameError error, port::Time now) noexcept;
  void close(Query& query, Question& question) noexcept;

  ResolverConfig config_;  // its `memory` is not used after the constructor
  ResolverTables& tables_;
  Lookups waiting_;   // for a query slot, first in, first out
  Lookups finished_;  // `changed` is to be called
  std::uint64_t questions_sent_ = 0;
  std::uint64_t cache_hits_ = 0;
};

// How many sockets a resolver may have in the poll set: for net::LoopStorage.
[[nodiscard]] consteval std::size_t sockets_max(const ResolverLimits& limits) {
  return limits.queries * 2;
}

}  // namespace pollux::net
