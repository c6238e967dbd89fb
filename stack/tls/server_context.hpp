// ServerContext: the certificates, rules and sessions of a TLS server.
//
//   constinit tls::ServerMemory<limits> memory;
//   tls::ServerContext context{{.library = library, .memory = memory.memory()}};
//   const tls::CertificateSource mine[]{{.certificate = certificate_text, .key = key_text}};
//   if (auto started = context.start(mine); !started) { ... }
//   server.listen({.endpoint = ..., .tls = &context});
//
// What happens when something runs out (counted in ServerTlsCounters):
//   sessions     the connection waits, TCP-accepted and unread, its handshake deadline running; an idle TLS connection gives way
//   handshakes   the same; owner listeners have reserved ones
//   arena        a handshake that would not fit is not begun: the connection waits as above
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "port/result.hpp"
#include "stack/tls/certificate.hpp"
#include "stack/tls/error.hpp"
#include "stack/tls/library.hpp"
#include "stack/tls/limits.hpp"
#include "stack/tls/session.hpp"
#include "stack/tls/trust_store.hpp"

namespace pollux::tls {

// A chain (PEM, the own certificate first, or one certificate in DER) and its key (PEM or DER; not encrypted). Both are copied.
struct CertificateSource {
  std::string_view certificate;
  std::string_view key;
};

enum class ClientAuth : std::uint8_t {
  none,
  request,  // asked for; one that is given must be good
  require,
};

struct ServerContextMemory {
  ServerTlsLimits limits;
  std::span<Session> sessions;
};
template <ServerTlsLimits limits_>
struct ServerMemory {
  static constexpr ServerTlsLimits limits = limits_;
  static_assert(limits.sessions >= 1, "a TLS server needs at least one session");
  static_assert(limits.handshakes >= 1 && limits.handshakes <= limits.sessions,
                "handshakes must be at least 1 and not more than sessions");
  static_assert(limits.handshakes <= 24,
                "more than 24 handshakes at once need more PSA key slots: see toolchains/mbedtls_config.h");
  static_assert(limits.reserved < limits.handshakes, "reserved must be below handshakes, or nobody else could connect");
  static_assert(limits.certificates >= 1, "a TLS server needs room for a certificate");
  std::array<Session, limits.sessions> sessions{};
  [[nodiscard]] ServerContextMemory memory() noexcept { return {limits, sessions}; }
};

struct ServerContextConfig {
  Library& library;
  ServerContextMemory memory;
  ClientAuth client_auth = ClientAuth::none;
  TrustStore* client_ca = nullptr;  // who signs client certificates; must outlive the context
  Version min = Version::tls12;
  Version max = Version::tls13;
  // For how long a session can be resumed; the key that seals tickets is replaced as often (RFC 5077 section 5.5). Zero: no tickets. With
  // client_auth there are none: a resumed session would not show its certificate.
  port::Duration ticket_lifetime = std::chrono::hours{12};
  // How long handshakes of this context may keep the loop within a turn before others have theirs; one step of a handshake is not
  // interrupted. Zero: one step a turn.
  port::Duration slice = std::chrono::milliseconds{2};
};

struct ServerTlsCounters {
  std::uint64_t handshakes = 0;  // completed
  std::uint64_t resumed = 0;     // of those, by ticket
  std::uint64_t failed = 0;
  std::uint64_t waited = 0;      // had to wait for admission
  std::uint64_t plain_http = 0;  // spoke http to us
  std::uint64_t reloads = 0;
};

class ServerContext : public SessionOwner {
 public:
  static constexpr std::size_t certificates_max = 8;

  explicit ServerContext(const ServerContextConfig& config) noexcept;
  ~ServerContext();  // no session may be lent any more (ENSURE)
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  // Reads the certificates, takes the memory of every session from the arena.
  // Errors: no_memory, no_random, certificate_syntax, key_syntax, key_mismatch, no_certificate_given, too_many_certificates, unsupported.
  [[nodiscard]] port::Result<void, Error> start(std::span<const CertificateSource> certificates) noexcept;
  // Other certificates for handshakes that begin from now on; connections and handshakes under way keep theirs. If it fails, nothing has
  // changed. Errors: as start(), busy.
  [[nodiscard]] port::Result<void, Error> reload(std::span<const CertificateSource> certificates) noexcept;

  // A session for an accepted socket, in the handshake from now on; nullptr: it has to wait (see above). `owner`: may use the reserved
  // ones. `has_waited`: not to be counted again.
  [[nodiscard]] virtual Session* admit(port::Socket socket, bool owner, bool has_waited) noexcept;
  // It is sessions, not handshakes, that are all in use.
  [[nodiscard]] bool is_out_of_sessions() const noexcept { return free_.is_empty(); }

  // The certificates in use, first to last: subject, names, dates, fingerprint.
  [[nodiscard]] std::span<const CertificateInfo> certificates() const noexcept;
  [[nodiscard]] std::int64_t days_to_expiry() const noexcept;  // of the one that ends first
  [[nodiscard]] const ServerTlsCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] const ServerContextConfig& config() const noexcept { return config_; }
  [[nodiscard]] bool is_started() const noexcept { return state_ != nullptr; }

 private:
  friend class Session;
  friend struct SessionHooks;
  struct State;  // mbedTLS's objects, in the arena

  [[nodiscard]] Error set_up_all(std::span<const CertificateSource> certificates) noexcept;
  [[nodiscard]] Error check_count(std::span<const CertificateSource> certificates) const noexcept;
  void stop() noexcept;
  void handshake_over(Session& session) noexcept override;
  void release_handshake(Session& session) noexcept override;
  void ticket_came(Session& session) noexcept override;
  void forget(Session& session) noexcept override;

  ServerContextConfig config_;
  State* state_ = nullptr;
  ServerTlsCounters counters_{};
};

}  // namespace pollux::tls
