#include "tests/support/tls_mode.hpp"

#include <algorithm>
#include <cstdlib>

#include "tests/support/tls_fixture.hpp"
#include "tests/support/tls_peer.hpp"

namespace pollux::test {
namespace {

// So many handshakes at once a context allows at most.
constexpr std::size_t handshakes_limit = 24;

std::string_view mode() {
  const char* const value = std::getenv("POLLUX_TEST_TLS");
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

TlsVersion mode_version() {
  return mode() == "1.2" ? TlsVersion::tls12 : TlsVersion::tls13;
}

tls::ServerTlsLimits server_limits(std::size_t connections) {
  return {.sessions = static_cast<std::uint16_t>(connections),
          .handshakes = static_cast<std::uint16_t>(std::min(connections, handshakes_limit)),
          .client_ca_size = 0};
}
tls::ClientTlsLimits client_limits(std::size_t connections) {
  return {.sessions = static_cast<std::uint16_t>(connections),
          .handshakes = static_cast<std::uint16_t>(std::min(connections, handshakes_limit))};
}

}  // namespace

bool tls_mode() {
  static const bool is_on = !mode().empty() && mode() != "0";
  return is_on;
}

struct TlsServerMode::State {
  State(Conversation& conversation, port::Port& port, std::size_t connections)
      : talk{conversation},
        library{port, tls::arena_size(server_limits(connections))},
        memory{server_limits(connections)},
        context{{.library = *library, .memory = memory.memory()}},
        clients{{.is_client = true, .min = mode_version(), .max = mode_version()}} {
    const tls::CertificateSource mine[]{source_of(certificates::site)};
    const auto started = context.start(mine);
    EXPECT_TRUE(started) << "TLS cannot start: " << (started ? "" : tls::describe(started.error()));
    // Resumed handshakes are quicker by far, and the scripts make thousands.
    talk.set_layer(clients.maker({.server_name = "site.test", .reads_ticket = true}, true));
  }
  ~State() { talk.drop_layers(); }

  Conversation& talk;
  TestLibrary library;
  TestServerMemory memory;
  tls::ServerContext context;
  TlsEnd clients;
};

TlsServerMode::TlsServerMode(Conversation& talk, port::Port& port, std::size_t connections)
    : state_{tls_mode() && connections != 0 ? std::make_unique<State>(talk, port, connections) : nullptr} {}
TlsServerMode::~TlsServerMode() = default;
tls::ServerContext* TlsServerMode::context() {
  return state_ == nullptr ? nullptr : &state_->context;
}

struct TlsClientMode::State {
  State(Conversation& conversation, port::Port& port, std::size_t connections)
      : talk{conversation},
        library{port, tls::arena_size(client_limits(connections))},
        memory{client_limits(connections)},
        trust{{certificates::ca}},
        context{{.library = *library, .memory = memory.memory(), .trust = &*trust}},
        servers{{.is_client = false, .min = mode_version(), .max = mode_version(), .own = {certificates::everywhere}}} {
    const auto started = context.start();
    EXPECT_TRUE(started) << "TLS cannot start: " << (started ? "" : tls::describe(started.error()));
    talk.set_layer(servers.maker(), 80, 443);
  }
  ~State() { talk.drop_layers(); }

  Conversation& talk;
  TestLibrary library;
  TestClientMemory memory;
  TestTrust trust;
  tls::ClientContext context;
  TlsEnd servers;
};

TlsClientMode::TlsClientMode(Conversation& talk, port::Port& port, std::size_t connections)
    : state_{tls_mode() && connections != 0 ? std::make_unique<State>(talk, port, connections) : nullptr} {}
TlsClientMode::~TlsClientMode() = default;
tls::ClientContext* TlsClientMode::context() {
  return state_ == nullptr ? nullptr : &state_->context;
}

}  // namespace pollux::test
