// Programs that speak TLS with sessions of stack/tls over a simulated machine, and raw ends opposite; for the tests of sessions.
//
//   ServerWorld world;
//   Peer& peer = world.connect();
//   peer.say("hello");
//   Link& link = world.open();          // runs until the newest connection's handshake is over
//   world.want(link, "hello");
//
// The programs do only what poll() told them to do, so a session that says less than it knows stalls a test.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stack/net/stream.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/heap_guard.hpp"
#include "tests/support/tls_fixture.hpp"
#include "tests/support/tls_memory.hpp"
#include "tests/support/tls_peer.hpp"

namespace pollux::test {

using namespace std::chrono_literals;

// One connection of the program under test.
struct Link {
  enum class Stage : std::uint8_t { free, connecting, waiting, shaking, open, over };
  static constexpr std::size_t text_max = 512 * 1024;

  [[nodiscard]] bool is_used() const { return stage != Stage::free; }
  [[nodiscard]] bool is_open() const { return stage == Stage::open; }
  [[nodiscard]] bool is_over() const { return stage == Stage::over; }

  Stage stage = Stage::free;
  net::Stream stream;
  tls::Session* session = nullptr;
  port::Events ready = port::Events::none;
  bool is_fresh = false;  // recv() was not asked yet
  bool has_waited = false;
  bool owner = false;
  bool goes_again = false;

  // ---- what a test sets
  std::string host;
  std::uint16_t port = 0;
  std::string out;            // to be sent
  bool out_is_split = false;  // in two spans
  bool reads = true;
  std::size_t read_size = 4096;
  bool finishes = false;  // close_notify and FIN behind `out`
  bool closes_when_over = true;

  // ---- what came of it
  std::string in;
  bool has_ended = false;  // the peer's close_notify
  bool has_failed = false;
  bool has_finished = false;  // ours went out
  int handshake_calls = 0;
  int again = 0;
  int sends_refused = 0;
  std::size_t moved_max = 0;  // by one send()
  tls::ClientContext::Wait wait = tls::ClientContext::Wait::for_session;
  tls::ErrorInfo error{};
  tls::ConnectionInfo info{};
};

// A program with a context of either kind.
class TlsProgram {
 public:
  static constexpr std::size_t links_max = 32;
  static constexpr std::uint16_t listen_port = 443;

  TlsProgram(port::Port& port, tls::ServerContext* server, tls::ClientContext* client)
      : port_{port}, server_{server}, client_{client}, piece_(16384) {
    for (std::size_t i = 0; i < links_max; ++i) {
      links_.push_back(std::make_unique<Link>());
    }
    if (server_ != nullptr) {
      const auto listening = port_.listen({.endpoint = {.address = port::Address::ipv4_any(listen_port)}});
      EXPECT_TRUE(listening);
      listener_ = *listening;
    }
  }
  ~TlsProgram() {
    for (auto& link : links_) {
      link->stream.abort();
    }
    if (listener_.is_open()) {
      port_.close(listener_);
    }
  }
  TlsProgram(const TlsProgram&) = delete;
  TlsProgram& operator=(const TlsProgram&) = delete;

  Link& connect(const port::Address& to, std::string_view host) {
    Link& link = take();
    link.stage = Link::Stage::connecting;
    link.host = host;
    link.port = to.port;
    if (const auto socket = port_.connect({.address = to})) {
      link.stream = net::Stream{port_, *socket};
    } else {
      link.has_failed = true;
      link.stage = Link::Stage::over;
    }
    return link;
  }

  void turn() {
    if (server_ != nullptr) {
      server_->begin_turn();
    }
    if (client_ != nullptr) {
      client_->begin_turn();
    }
    accept();
    bool is_restless = false;
    for (auto& link : links_) {
      drive(*link);
      is_restless |=
          link->is_used() && (link->goes_again || (link->is_open() && link->reads && link->stream.has_pending()));
    }
    poll(is_restless ? port_.now() : port_.now() + 10s);
  }

  // Ends a connection and forgets it.
  void close(Link& link, bool clean = true) {
    end(link, clean);
    link.stage = Link::Stage::free;
  }
  [[nodiscard]] Link* newest() { return newest_; }
  [[nodiscard]] std::uint64_t taken() const { return taken_; }  // connections so far
  [[nodiscard]] std::size_t used() const {
    std::size_t count = 0;
    for (const auto& link : links_) {
      count += link->is_used() && !link->is_over() ? 1 : 0;
    }
    return count;
  }
  [[nodiscard]] std::vector<std::unique_ptr<Link>>& links() { return links_; }

 private:
  Link& take() {
    for (auto& link : links_) {
      if (!link->is_used() || link->is_over()) {
        link = renewed(std::move(link));
        newest_ = link.get();
        ++taken_;
        return *link;
      }
    }
    ADD_FAILURE() << "more connections than the program has room for";
    return *links_.front();
  }
  static std::unique_ptr<Link> renewed(std::unique_ptr<Link> old) {
    const heap_guard::Allowed for_the_test;
    old->stream.abort();
    *old = Link{};
    old->in.reserve(Link::text_max);
    return old;
  }
  void accept() {
    while (listener_.is_open()) {
      const auto accepted = port_.accept(listener_);
      if (!accepted) {
        return;
      }
      Link& link = take();
      link.stage = Link::Stage::waiting;
      link.stream = net::Stream{port_, accepted->socket};
      link.owner = next_is_owner;
    }
  }
  void end(Link& link, bool clean) {
    if (clean) {
      link.stream.close();
    } else {
      link.stream.abort();
    }
    link.session = nullptr;
    link.stage = Link::Stage::over;
  }
  void fail(Link& link) {
    link.has_failed = true;
    if (link.session != nullptr) {
      link.error = link.session->error_info();
      link.info = link.session->info();
    }
    if (link.closes_when_over) {
      end(link, false);
    } else {
      link.stage = Link::Stage::over;
    }
  }
  void admit(Link& link) {
    if (server_ != nullptr) {
      link.session = server_->admit(link.stream.socket(), link.owner, link.has_waited);
    } else {
      const auto admission = client_->admit(link.stream.socket(), link.host, link.port, link.has_waited);
      link.session = admission.session;
      link.wait = admission.wait;
      if (admission.session == nullptr && admission.wait == tls::ClientContext::Wait::never) {
        link.error.error = admission.error;
        link.has_failed = true;
        end(link, false);
        return;
      }
    }
    if (link.session == nullptr) {
      link.has_waited = true;
      return;
    }
    link.stream.start_tls(*link.session);
    link.stage = Link::Stage::shaking;
    link.ready = port::Events::readable;  // something may be here already
  }
  void shake(Link& link) {
    if (link.ready == port::Events::none && !link.goes_again) {
      return;
    }
    ++link.handshake_calls;
    link.goes_again = false;
    switch (link.stream.handshake()) {
      case tls::Status::ok:
        link.info = link.session->info();
        link.stage = Link::Stage::open;
        link.is_fresh = true;
        break;
      case tls::Status::again:
        ++link.again;
        link.goes_again = true;
        break;
      case tls::Status::want_read:
      case tls::Status::want_write:
        break;
      case tls::Status::end:
      case tls::Status::failed:
        fail(link);
        break;
    }
  }
  void receive(Link& link) {
    const bool can = port::has(link.stream.from_poll(link.ready, port::Events::readable),
                               port::Events::readable | port::Events::error | port::Events::hangup);
    if (!link.reads || link.has_ended || (!can && !link.is_fresh && !link.stream.has_pending())) {
      return;
    }
    link.is_fresh = false;
    const net::StreamResult result = link.stream.recv(std::span{piece_}.first(link.read_size));
    switch (result.status) {
      case net::StreamStatus::ok:
        link.in.append(piece_.data(), result.size);
        break;
      case net::StreamStatus::want_read:
      case net::StreamStatus::want_write:
        break;
      case net::StreamStatus::end:
        link.has_ended = true;
        break;
      case net::StreamStatus::failed:
        fail(link);
        break;
    }
  }
  void send(Link& link) {
    if (link.out.empty()) {
      return;
    }
    const std::string_view text{link.out};
    const std::size_t half = link.out_is_split ? text.size() / 2 : 0;
    const net::StreamResult result =
        half == 0 ? link.stream.send(text) : link.stream.send(text.substr(0, half), text.substr(half));
    if (result.status == net::StreamStatus::failed) {
      fail(link);
    } else if (result.status == net::StreamStatus::ok) {
      const heap_guard::Allowed for_the_test;
      link.moved_max = std::max(link.moved_max, result.size);
      link.out.erase(0, result.size);
    } else {
      ++link.sends_refused;
    }
  }
  void drive(Link& link) {
    if (link.stage == Link::Stage::connecting && link.ready != port::Events::none) {
      const auto connected = port_.connect_result(link.stream.socket());
      if (connected) {
        link.stage = Link::Stage::waiting;
      } else if (connected.error() != port::Error::would_block) {
        fail(link);
      }
    }
    if (link.stage == Link::Stage::waiting) {
      admit(link);
    }
    if (link.stage == Link::Stage::shaking) {
      shake(link);
      return;
    }
    if (link.is_open()) {
      receive(link);
    }
    if (link.is_open()) {
      send(link);
    }
    if (link.is_open() && link.finishes && link.out.empty() && !link.has_finished) {
      const net::StreamStatus status = link.stream.shutdown_send();
      link.has_finished = status == net::StreamStatus::ok;
      if (status == net::StreamStatus::failed) {
        fail(link);
      }
    }
  }
  [[nodiscard]] static port::Events wanted(const Link& link) {
    switch (link.stage) {
      case Link::Stage::connecting:
        return port::Events::writable;
      case Link::Stage::shaking:
        return link.stream.to_poll(port::Events::readable);
      case Link::Stage::open: {
        port::Events events = link.reads && !link.has_ended ? port::Events::readable : port::Events::none;
        if (!link.out.empty() || (link.finishes && !link.has_finished)) {
          events = events | port::Events::writable;
        }
        return link.stream.to_poll(events);
      }
      case Link::Stage::free:
      case Link::Stage::waiting:
      case Link::Stage::over:
        break;
    }
    return port::Events::none;
  }
  void poll(port::Time until) {
    std::size_t count = 0;
    std::array<Link*, links_max> who{};
    for (auto& link : links_) {
      link->ready = port::Events::none;
      // Who wants nothing is left out: poll() would report a hangup at once, and for ever.
      if (link->is_used() && link->stream.is_open() && wanted(*link) != port::Events::none) {
        who[count] = link.get();
        entries_[count++] = {.socket = link->stream.socket(), .interest = wanted(*link)};
      }
    }
    const std::size_t links = count;
    if (listener_.is_open()) {
      entries_[count++] = {.socket = listener_, .interest = port::Events::readable};
    }
    entries_[count++] = {};
    port_.poll(std::span{entries_}.first(count), {}, until);
    for (std::size_t i = 0; i < links; ++i) {
      who[i]->ready = entries_[i].ready;
    }
  }

 public:
  bool next_is_owner = false;  // of connections accepted from now on

 private:
  port::Port& port_;
  tls::ServerContext* server_;
  tls::ClientContext* client_;
  port::Socket listener_{};
  std::vector<char> piece_;
  std::vector<std::unique_ptr<Link>> links_;
  std::array<port::PollEntry, links_max + 2> entries_{};
  Link* newest_ = nullptr;
  std::uint64_t taken_ = 0;
};

// What both worlds have.
class TlsWorld {
 public:
  using Where = std::source_location;

  // Runs until the handshake is over, well or not.
  Link& open(Link& link, Where where = Where::current()) {
    if (!talk.run_until([&] { return link.is_open() || link.is_over(); })) {
      talk.report(where, "the handshake does not end");
    }
    return link;
  }
  void want_open(Link& link, Where where = Where::current()) {
    open(link, where);
    EXPECT_TRUE(link.is_open()) << at(where) << tls::describe(link.error.error) << " " << link.error.code << " alert "
                                << int{link.error.alert};
  }
  void want_error(Link& link, tls::Error error, Where where = Where::current()) {
    talk.run_until([&] { return link.is_over(); });
    EXPECT_TRUE(link.is_over() && link.has_failed) << at(where) << "it does not fail";
    EXPECT_EQ(link.error.error, error) << at(where) << tls::describe(link.error.error) << " instead of "
                                       << tls::describe(error) << "; code " << link.error.code << ", alert "
                                       << int{link.error.alert};
  }
  // The next text the program gets.
  void want(Link& link, std::string_view text, Where where = Where::current()) {
    talk.run_until([&] { return link.in.size() >= text.size() || link.is_over(); });
    // Not EXPECT_EQ: some texts are long.
    EXPECT_TRUE(std::string_view{link.in}.starts_with(text))
        << at(where) << "wanted " << text.size() << " bytes: " << text.substr(0, 100) << "\ngot " << link.in.size()
        << ": " << std::string_view{link.in}.substr(0, 100) << "\n"
        << tls::describe(link.error.error);
    link.in.erase(0, text.size());
  }
  // The peer's close_notify, and nothing before it.
  void want_end(Link& link, Where where = Where::current()) {
    talk.run_until([&] { return link.has_ended || link.is_over(); });
    EXPECT_TRUE(link.has_ended) << at(where) << tls::describe(link.error.error);
    EXPECT_EQ(link.in, "") << at(where);
  }
  static std::string at(const Where& where) { return "line " + std::to_string(where.line()) + ": "; }

  TlsWorld(const Conversation::Options& options, std::size_t arena_size)
      : talk{options}, library{talk.port(), arena_size} {}

  Conversation talk;
  TestLibrary library;
};

inline constexpr tls::ServerTlsLimits world_server_limits{.sessions = 6, .handshakes = 4, .certificates = 4};
inline constexpr tls::ClientTlsLimits world_client_limits{.sessions = 6, .handshakes = 4, .cached = 3};

inline constexpr std::size_t world_arena_size = std::size_t{2} * 1024 * 1024;

struct ServerWorldOptions {
  tls::ServerTlsLimits limits = world_server_limits;
  std::vector<TestCertificate> own{certificates::site};
  tls::ClientAuth client_auth = tls::ClientAuth::none;
  tls::TrustStore* client_ca = nullptr;
  tls::Version min = tls::Version::tls12;
  tls::Version max = tls::Version::tls13;
  port::Duration ticket_lifetime = 12h;
  port::Duration slice = 2ms;
  TlsEndOptions clients{};
  Conversation::Options conversation{};
  std::size_t arena_size = world_arena_size;
};

class ServerWorld : public TlsWorld {
 public:
  explicit ServerWorld(const ServerWorldOptions& options = {})
      : TlsWorld{options.conversation, options.arena_size},
        memory{options.limits},
        context{{.library = *library,
                 .memory = memory.memory(),
                 .client_auth = options.client_auth,
                 .client_ca = options.client_ca,
                 .min = options.min,
                 .max = options.max,
                 .ticket_lifetime = options.ticket_lifetime,
                 .slice = options.slice}},
        clients{options.clients},
        program{talk.port(), &context, nullptr} {
    const auto started = context.start(sources(options.own));
    EXPECT_TRUE(started) << (started ? "" : tls::describe(started.error()));
    talk.set_turn<heap_guard::Forbidden>(turn_);
  }
  ~ServerWorld() { talk.drop_layers(); }

  static std::vector<tls::CertificateSource> sources(const std::vector<TestCertificate>& own) {
    std::vector<tls::CertificateSource> all;
    for (const TestCertificate& certificate : own) {
      all.push_back(source_of(certificate));
    }
    return all;
  }
  Peer& connect(TlsPeerOptions options = {.server_name = "site.test"}) { return connect(clients, std::move(options)); }
  Peer& connect(TlsEnd& end, TlsPeerOptions options = {.server_name = "site.test"}) {
    Peer& peer = talk.connect_plain(TlsProgram::listen_port);
    peer.set_layer(end.make(std::move(options)));
    return peer;
  }
  // The program's side of the next connection, once it came; connections are asked for one at a time.
  Link& newest() {
    ++seen_;
    if (!talk.run_until([&] { return program.taken() >= seen_; })) {
      ADD_FAILURE() << "nobody came";
    }
    return *program.newest();
  }
  Link& open_newest(Where where = Where::current()) {
    Link& link = newest();
    want_open(link, where);
    return link;
  }
  // As at the beginning: nothing is lent.
  void want_quiet(Where where = Where::current()) {
    for (auto& link : program.links()) {
      if (link->is_used() && !link->is_over()) {
        program.close(*link);
      }
    }
    EXPECT_EQ(context.sessions_used(), 0U) << at(where);
    EXPECT_EQ(context.handshakes_under_way(), 0U) << at(where);
  }

  TestServerMemory memory;
  tls::ServerContext context;
  TlsEnd clients;
  TlsProgram program;

 private:
  struct Turn {
    TlsProgram& program;
    void operator()() { program.turn(); }
  };
  Turn turn_{program};
  std::uint64_t seen_ = 0;
};

struct ClientWorldOptions {
  tls::ClientTlsLimits limits = world_client_limits;
  std::vector<std::string_view> trust{certificates::ca};
  bool trusts_nobody = false;  // no store at all
  std::vector<tls::Digest> pins{};
  tls::Verify verify = tls::Verify::peer;
  tls::ClockPolicy clock = tls::ClockPolicy::refuse;
  tls::Version min = tls::Version::tls12;
  tls::Version max = tls::Version::tls13;
  bool resume = true;
  port::Duration slice = 2ms;
  const TestCertificate* own = nullptr;
  TlsEndOptions servers{.is_client = false, .own = {certificates::site}};
  Conversation::Options conversation{};
  std::size_t arena_size = world_arena_size;
};

class ClientWorld : public TlsWorld {
 public:
  explicit ClientWorld(const ClientWorldOptions& options = {})
      : TlsWorld{options.conversation, options.arena_size},
        trust{options.trust},
        pins{options.pins},
        memory{options.limits},
        context{{.library = *library,
                 .memory = memory.memory(),
                 .trust = options.trusts_nobody ? nullptr : &*trust,
                 .pins = pins,
                 .verify = options.verify,
                 .clock = options.clock,
                 .min = options.min,
                 .max = options.max,
                 .resume = options.resume,
                 .slice = options.slice}},
        servers{options.servers},
        program{talk.port(), nullptr, &context},
        origin{talk.listen(TlsProgram::listen_port)} {
    const tls::CertificateSource own = options.own != nullptr ? source_of(*options.own) : tls::CertificateSource{};
    const auto started = context.start(options.own != nullptr ? &own : nullptr);
    EXPECT_TRUE(started) << (started ? "" : tls::describe(started.error()));
    talk.set_turn<heap_guard::Forbidden>(turn_);
  }
  ~ClientWorld() { talk.drop_layers(); }

  Link& connect(std::string_view host = "site.test", std::uint16_t port = TlsProgram::listen_port) {
    return program.connect(port::Address::ipv4_loopback(port), host);
  }
  // The raw end of the connection that is under way.
  Peer& accept(TlsPeerOptions options = {}) { return accept(servers, std::move(options)); }
  Peer& accept(TlsEnd& end, TlsPeerOptions options = {}) {
    Peer& peer = origin.accept();
    peer.set_layer(end.make(std::move(options)));
    return peer;
  }
  void want_quiet(Where where = Where::current()) {
    for (auto& link : program.links()) {
      if (link->is_used() && !link->is_over()) {
        program.close(*link);
      }
    }
    EXPECT_EQ(context.sessions_used(), 0U) << at(where);
    EXPECT_EQ(context.handshakes_under_way(), 0U) << at(where);
  }

  TestTrust trust;
  std::vector<tls::Digest> pins;
  TestClientMemory memory;
  tls::ClientContext context;
  TlsEnd servers;
  TlsProgram program;
  RawServer& origin;

 private:
  struct Turn {
    TlsProgram& program;
    void operator()() { program.turn(); }
  };
  Turn turn_{program};
};

// ---- for tests of both versions
inline const auto each_version = testing::Values(TlsVersion::tls12, TlsVersion::tls13);
inline std::string version_name_of(const testing::TestParamInfo<TlsVersion>& which) {
  return which.param == TlsVersion::tls12 ? "Tls12" : "Tls13";
}

inline std::string letters(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text += static_cast<char>('a' + i % 26);
  }
  return text;
}

inline TlsEndOptions clients_of(TlsVersion version) {
  return {.is_client = true, .min = version, .max = version, .ca = certificates::ca};
}
inline TlsEndOptions servers_of(TlsVersion version) {
  return {.is_client = false, .min = version, .max = version, .own = {certificates::site}};
}
inline tls::Version named(TlsVersion version) {
  return version == TlsVersion::tls12 ? tls::Version::tls12 : tls::Version::tls13;
}

}  // namespace pollux::test
