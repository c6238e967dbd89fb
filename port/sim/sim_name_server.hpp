// SimNameServer: a DNS server in a SimNetwork, for tests of a resolver: right, slow, silent, lying or broken as the test asks.
//
//   SimNameServer server{network, Address::ipv4(192, 0, 2, 53, 53)};
//   server.add("example.test", Address::ipv4(192, 0, 2, 1, 0), 60);
//   server.add_alias("www.example.test", "example.test");
//   server.add_rule({.type = SimNameServer::aaaa, .answer = SimNameAnswer::silent});       // AAAA is never answered
//   server.add_rule({.name = "example.test", .queries_max = 1, .lie = SimNameLie::wrong_id});  // once; the truth follows
//
// It answers over UDP and TCP (RFC 1035 section 4.2.2) as a recursive server does and gets its turns from the network; nothing has to
// be pumped. A name without records does not exist. It reads queries strictly: malformed() counts what it had to refuse.
//
// Set-up takes memory; answering does not. Not simulated: DNSSEC, zones, referrals, records other than A, AAAA, CNAME and SOA.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "port/sim/sim_name_message.hpp"
#include "port/sim/sim_network.hpp"
#include "port/sim/sim_random.hpp"

namespace pollux::port {

enum class SimNameAnswer : std::uint8_t {
  truth,            // from the records: addresses, NXDOMAIN, or an empty answer
  no_such_name,     // NXDOMAIN
  no_data,          // NOERROR and nothing
  server_failure,   // SERVFAIL
  refused,          // REFUSED
  not_implemented,  // NOTIMP
  format_error,     // FORMERR
  silent,           // none, ever
};

// What is wrong with an answer. "Forged" ones say SimNameServer::forged_ipv4 and forged_ipv6, so that it shows who was believed.
enum class SimNameLie : std::uint8_t {
  none,
  // Forged, and recognised by RFC 5452 section 9:
  wrong_id,
  wrong_question,  // of another name, which it answers
  wrong_type,      // the question of the other family, which it answers
  wrong_address,   // of the sender; over TCP as none
  wrong_port,      // of the sender; over TCP as none
  // Forged, by a server that answers the right question:
  extra_answers,  // the truth, and addresses for forged_name in the answer and behind it
  forged_alias,   // nothing about the name that was asked, but forged_name as an alias, and addresses for it
  // Not readable:
  no_question,      // QDCOUNT 0
  question_back,    // the query itself
  pointer_loop,     // compression that points to itself
  pointer_forward,  // ... and behind the end
  long_name,        // of more than 255 bytes
  bad_label,        // a label type that nobody uses (RFC 6891 section 5)
  bad_data_size,    // an address of 5 bytes
  long_data,        // a record that says it is longer than the message
  many_records,     // ANCOUNT 65535
  other_class,      // an address of class CH, which is none of ours
  cut,              // anywhere; over TCP the connection ends there
  garbage,          // chance
  empty,            // no bytes; over TCP a message of no bytes
};

enum class SimNameTransport : std::uint8_t { both, datagram, stream };

// Which queries, and what becomes of them. The last rule added that fits decides.
struct SimNameRule {
  std::string name{};      // empty: any
  std::uint16_t type = 0;  // 0: any
  SimNameTransport over = SimNameTransport::both;
  std::uint64_t queries_max = UINT64_MAX;  // so many; then the rule is as if it were not there
  SimNameAnswer answer = SimNameAnswer::truth;
  SimNameLie lie = SimNameLie::none;
  bool truth_follows = true;  // a lie comes first, then `answer`, at the same time
  Duration delay{0};          // until the answer leaves
  double loss = 0;            // probability that the query is not heard
};

// What it does about EDNS(0), RFC 6891.
enum class SimNameEdns : std::uint8_t {
  answered,      // with an OPT record
  ignored,       // as if it were not there
  format_error,  // FORMERR, as old servers do
  silent,        // no answer, as some firewalls do
};

class SimNameServer {
 public:
  static constexpr std::uint16_t a = 1;
  static constexpr std::uint16_t cname = 5;
  static constexpr std::uint16_t aaaa = 28;
  static constexpr std::uint32_t default_ttl = 300;  // seconds
  static constexpr Address forged_ipv4 = Address::ipv4(203, 0, 113, 66, 0);
  static constexpr Address forged_ipv6{.family = Family::ipv6,
                                       .ip = {0x20, 0x01, 0x0D, 0xB8, 0xBA, 0xD0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x66}};
  static constexpr std::string_view forged_name = "victim.test";

  struct Query {
    Time at{};
    Address from;
    bool over_tcp = false;
    sim::NameQuery question;  // id, type, name(), has_edns ...
  };

  // Port 0 means 53. The network must outlive it. Keeps the last `queries_kept` queries.
  SimNameServer(SimNetwork& network, const Address& at, std::size_t queries_kept = 256);
  ~SimNameServer();
  SimNameServer(const SimNameServer&) = delete;
  SimNameServer& operator=(const SimNameServer&) = delete;
  [[nodiscard]] const Address& address() const noexcept { return address_; }

  // ---- records, at any time; names in any case, without the last dot. Set-up.
  void add(std::string_view name, const Address& address, std::uint32_t ttl = default_ttl);
  void add_alias(std::string_view name, std::string_view target, std::uint32_t ttl = default_ttl);
  void add_empty(std::string_view name);  // exists, and has nothing
  void remove(std::string_view name);
  void replace(std::string_view name, const Address& address, std::uint32_t ttl = default_ttl);
  // What comes with "no": an SOA with this TTL and MINIMUM, both in seconds.
  void set_negative_ttl(std::uint32_t ttl, std::uint32_t minimum) noexcept;
  void set_authority(bool is_on) noexcept { has_authority_ = is_on; }  // off: no SOA

  // ---- manners
  void add_rule(const SimNameRule& rule);  // set-up
  void clear_rules() noexcept { rules_.clear(); }
  // UDP answers above this are cut (TC); the asker's own size, 512 without EDNS, counts too. 0: every one.
  void set_datagram_size_max(std::size_t size) noexcept { datagram_size_max_ = size; }
  void set_edns(SimNameEdns edns) noexcept { edns_ = edns; }
  void set_follows_aliases(bool is_on) noexcept { follows_aliases_ = is_on; }  // off: only the alias is told
  void set_compression(bool is_on) noexcept { compresses_ = is_on; }
  // Off: nobody listens at the address any more, neither over UDP nor TCP.
  void set_running(bool is_on);
  void set_stream(bool is_on);  // off: no TCP

  // ---- what it has seen
  [[nodiscard]] std::uint64_t queries_seen() const noexcept { return queries_seen_; }  // good ones, lost ones too
  [[nodiscard]] std::uint64_t queries_seen(std::string_view name, std::uint16_t type) const noexcept;  // among the kept
  [[nodiscard]] std::span<const Query> queries() const noexcept { return {queries_.data(), queries_.size()}; }
  [[nodiscard]] std::uint64_t malformed() const noexcept { return malformed_; }
  [[nodiscard]] std::uint64_t truncated() const noexcept { return truncated_; }  // answers that were cut
  [[nodiscard]] std::uint64_t connections() const noexcept { return connections_seen_; }

 private:
  static constexpr std::size_t sessions_max = 4;      // TCP connections served at the same time; others wait
  static constexpr std::size_t message_max = 65535;   // RFC 1035 section 4.2.2
  static constexpr std::size_t query_size_max = 512;  // bytes
  static constexpr std::size_t aliases_max = 8;       // followed for one answer
  using Writer = sim::NameWriter;

  struct Record {
    std::string name;
    std::uint16_t type = 0;  // 0: the name exists
    std::uint32_t ttl = 0;
    Address address{};
    std::string target{};
  };

  // A TCP connection: one query at a time.
  struct Session {
    SimPeer peer;
    std::array<char, 2 + query_size_max> in{};
    std::size_t in_size = 0;
    std::unique_ptr<char[]> out;  // answers with their prefixes: a lie and the truth
    std::size_t out_size = 0;
    std::size_t out_sent = 0;
    Time due = never;        // when `out` may go
    bool ends_then = false;  // closed behind it
  };

  static void hear(void* self, const Address& from, const Address& to, std::span<const std::byte> bytes);
  static Time turn(void* self);

  void answer_datagram(const Address& from, std::span<const std::byte> bytes) noexcept;
  void answer_stream(Session& session, std::span<const std::byte> bytes) noexcept;
  // Counts the query and finds the rule for it; nullptr: it is not answered.
  [[nodiscard]] SimNameRule* take(const sim::NameQuery& query, const Address& from, bool over_tcp) noexcept;
  [[nodiscard]] SimNameRule& rule_for(const sim::NameQuery& query, bool over_tcp) noexcept;
  // These return the size of the message in message_.
  [[nodiscard]] std::size_t write_answer(const sim::NameQuery& query, SimNameAnswer answer, std::size_t limit,
                                         bool with_extra) noexcept;
  [[nodiscard]] std::size_t write_lie(const sim::NameQuery& query, const SimNameRule& rule, std::size_t limit) noexcept;
  [[nodiscard]] std::size_t write_error(const sim::NameQuery& query, std::uint8_t code) noexcept;
  [[nodiscard]] const Record* find(std::string_view name, std::uint16_t type) const noexcept;
  [[nodiscard]] bool exists(std::string_view name) const noexcept;

  void accept() noexcept;
  void serve(Session& session) noexcept;
  void append(Session& session, std::size_t announced, std::size_t size) noexcept;

  SimNetwork& network_;
  Address address_;
  SimRandom random_;
  std::vector<Record> records_;
  std::vector<SimNameRule> rules_;
  SimNameRule ordinary_;  // where no rule fits
  std::vector<std::byte> message_;
  std::vector<Session> sessions_;
  SimPeerListener listener_;
  bool has_datagrams_ = false;
  bool has_stream_ = false;
  std::uint32_t negative_ttl_ = 60;
  std::uint32_t negative_minimum_ = 60;
  bool has_authority_ = true;
  std::size_t datagram_size_max_ = 1232;
  SimNameEdns edns_ = SimNameEdns::answered;
  bool follows_aliases_ = true;
  bool compresses_ = true;
  std::vector<Query> queries_;
  std::size_t queries_kept_;
  std::uint64_t queries_seen_ = 0;
  std::uint64_t malformed_ = 0;
  std::uint64_t truncated_ = 0;
  std::uint64_t connections_seen_ = 0;
};

}  // namespace pollux::port
