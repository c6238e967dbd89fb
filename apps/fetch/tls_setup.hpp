// TlsSetup: what the options say about TLS - whom to trust, pins, our own certificate - made into a context for the transport.
//
// Done once, at start, if a URL or a redirect may lead to https. What is wrong with it ends those transfers only that need it, as in curl.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "apps/fetch/failure.hpp"
#include "apps/fetch/options.hpp"
#include "apps/support/https_client.hpp"
#include "port/port.hpp"
#include "stack/tls/client_context.hpp"
#include "stack/tls/limits.hpp"

namespace pollux::fetch {

// One transfer runs at a time: one handshake, and as many sessions as connections.
inline constexpr tls::ClientTlsLimits tls_limits{
    .sessions = 6,
    .handshakes = 2,
    .cached = 16,
    .cached_size = 4096,
    .peer_chain_size = 32 * 1024,
};

// Where the trusted certificates come from, for -v and messages.
struct TrustSource {
  std::string file{};       // --cacert, CURL_CA_BUNDLE, SSL_CERT_FILE
  std::string directory{};  // --capath, SSL_CERT_DIR
};
// The options first, then the environment, in curl's order; nothing: the system's store.
[[nodiscard]] TrustSource find_trust(const Options& options);

// The digests of --pinnedpubkey: "sha256//BASE64;sha256//BASE64", or a file with a public key in PEM or DER. Nothing, and `failure` says why, if it
// is neither.
[[nodiscard]] std::vector<tls::Digest> read_pins(const std::string& value, Failure& failure);

class TlsSetup {
 public:
  TlsSetup(port::Port& port, const Options& options);

  // What transfers over https fail with; ok: nothing.
  [[nodiscard]] const Failure& failure() const { return failure_; }
  // nullptr: not started, or in vain.
  [[nodiscard]] tls::ClientContext* context() { return https_.context(); }
  void start();
  // "/etc/ssl/certs/ca-certificates.crt"; "the system's" if nothing was named.
  [[nodiscard]] const TrustSource& trust() const { return trust_; }
  // No certificate is trusted although the system's were asked for.
  [[nodiscard]] bool trusts_nobody() const { return trusts_nobody_; }

 private:
  [[nodiscard]] Failure prepare();

  const Options& options_;
#if POLLUX_TLS
  tls::Library library_;
#else
  int library_ = 0;
#endif
  apps::HttpsClient https_;
  TrustSource trust_{};
  std::vector<tls::Digest> pins_{};
  Failure failure_{};
  bool trusts_nobody_ = false;
};

}  // namespace pollux::fetch
