// TLS mode: with POLLUX_TEST_TLS in the environment the scripts of tests/http run over TLS. The fixtures (Site, Caller, ClientSite) hold one of
// these and pass its context on; every raw peer gets TLS by itself. The value says the version: "1.2"; anything else is TLS 1.3.
//
// A script that cannot hold there says why and is skipped:  POLLUX_NOT_OVER_TLS("counts system calls");
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tests/support/conversation.hpp"

namespace pollux::tls {
class ClientContext;
class ServerContext;
}  // namespace pollux::tls

namespace pollux::test {

#if defined(POLLUX_TEST_TLS_SUPPORT)
[[nodiscard]] bool tls_mode();
#else
[[nodiscard]] constexpr bool tls_mode() {
  return false;
}
#endif

#define POLLUX_NOT_OVER_TLS(reason)                 \
  do {                                              \
    if (::pollux::test::tls_mode()) {               \
      GTEST_SKIP() << "not over TLS: " << (reason); \
    }                                               \
  } while (false)

// "http://..." as the scripts have it; in TLS mode with "https". Raw servers at port 80 listen at 443 then.
[[nodiscard]] inline std::string test_url(std::string_view url) {
  constexpr std::string_view plain = "http://";
  if (tls_mode() && url.starts_with(plain)) {
    return "https://" + std::string{url.substr(plain.size())};
  }
  return std::string{url};
}

#if defined(POLLUX_TEST_TLS_SUPPORT)
// A server's TLS, and clients for it. It must be destroyed after the server and before the conversation. Without TLS mode it is empty.
class TlsServerMode {
 public:
  // `port`: as the server's. `connections`: of the server; 0: a test brings its own TLS, and this is empty.
  TlsServerMode(Conversation& talk, port::Port& port, std::size_t connections);
  ~TlsServerMode();
  TlsServerMode(const TlsServerMode&) = delete;
  TlsServerMode& operator=(const TlsServerMode&) = delete;
  [[nodiscard]] tls::ServerContext* context();  // nullptr: plain

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A client's TLS, and servers for it.
class TlsClientMode {
 public:
  TlsClientMode(Conversation& talk, port::Port& port, std::size_t connections);
  ~TlsClientMode();
  TlsClientMode(const TlsClientMode&) = delete;
  TlsClientMode& operator=(const TlsClientMode&) = delete;
  [[nodiscard]] tls::ClientContext* context();

 private:
  struct State;
  std::unique_ptr<State> state_;
};
#else
class TlsServerMode {
 public:
  TlsServerMode(Conversation&, port::Port&, std::size_t) {}
  [[nodiscard]] tls::ServerContext* context() { return nullptr; }
};
class TlsClientMode {
 public:
  TlsClientMode(Conversation&, port::Port&, std::size_t) {}
  [[nodiscard]] tls::ClientContext* context() { return nullptr; }
};
#endif

}  // namespace pollux::test
