// ClientContext: whom a client trusts, who it is itself, and the sessions it can resume.
//
//   constinit tls::ClientMemory<limits> memory;
//   tls::ClientContext context{{.library = library, .memory = memory.memory(), .trust = &store}};
//   if (auto started = context.start(); !started) { ... }
//   http::Transport transport{{.loop = loop, .memory = ..., .tls = &context}};
//
// What happens when something runs out (counted in ClientTlsCounters):
//   sessions, handshakes, arena   the connection waits, TCP-connected, its handshake deadline running
//   cached sessions               the one unused longest is forgotten
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
#include "stack/tls/server_context.hpp"
#include "stack/tls/session.hpp"
#include "stack/tls/trust_store.hpp"

namespace pollux::tls {

// What a client does while the clock stands before Library's floor (a board without a battery, before its time was set).
enum class ClockPolicy : std::uint8_t {
  refuse,    // clock_not_set at once
  wait,      // the handshake waits for the clock, up to its deadline; then clock_not_set
  pin_only,  // dates are not looked at if the peer's key is one of `pins`; without pins as refuse
};

enum class Verify : std::uint8_t {
  peer,
  insecure_none,  // anybody can pretend to be the server. Said aloud at every start, and in ConnectionInfo::verified
};

// A session to be resumed: serialized by mbedTLS.
struct CachedSession {
  static constexpr std::size_t key_max = 262;
  std::array<char, key_max> key{};  // "host:port"
  std::uint16_t key_size = 0;
  std::uint32_t size = 0;  // 0: free
  port::Time used_at{};
  std::int64_t not_after = 0;  // of the peer's certificate
  CertificateInfo peer{};
  bool verified = false;
  Error verify_error = Error::none;
  bool dates_checked = false;  // the clock was set when the certificate was looked at
};
struct ClientContextMemory {
  ClientTlsLimits limits;
  std::span<Session> sessions;
  std::span<CachedSession> cached;
  std::span<std::byte> cached_bytes;  // limits.cached_size for each
};
template <ClientTlsLimits limits_>
struct ClientMemory {
  static constexpr ClientTlsLimits limits = limits_;
  static_assert(limits.sessions >= 1, "a TLS client needs at least one session");
  static_assert(limits.handshakes >= 1 && limits.handshakes <= limits.sessions,
                "handshakes must be at least 1 and not more than sessions");
  static_assert(limits.handshakes <= 24,
                "more than 24 handshakes at once need more PSA key slots: see toolchains/mbedtls_config.h");
  std::array<Session, limits.sessions> sessions{};
  std::array<CachedSession, limits.cached> cached{};
  std::array<std::byte, limits.cached * limits.cached_size> cached_bytes{};
  [[nodiscard]] ClientContextMemory memory() noexcept { return {limits, sessions, cached, cached_bytes}; }
};

struct ClientContextConfig {
  Library& library;
  ClientContextMemory memory;
  const TrustStore* trust = nullptr;  // nullptr: nobody; must outlive the context. May be filled and changed later
  std::span<const Digest>
      pins{};  // if not empty, the peer's key must be one of these as well; must outlive the context
  Verify verify = Verify::peer;
  ClockPolicy clock = ClockPolicy::refuse;
  Version min = Version::tls12;
  Version max = Version::tls13;
  bool resume = true;
  // As ServerContextConfig::slice. A client's steps are longer: each certificate of a chain costs one signature.
  port::Duration slice = std::chrono::milliseconds{2};
};

struct ClientTlsCounters {
  std::uint64_t handshakes = 0;  // completed
  std::uint64_t resumed = 0;     // of those, by ticket
  std::uint64_t failed = 0;
  std::uint64_t waited = 0;  // had to wait for admission
  std::uint64_t remembered = 0;
  std::uint64_t too_large_to_remember = 0;
};

class ClientContext : public SessionOwner {
 public:
  explicit ClientContext(const ClientContextConfig& config) noexcept;
  ~ClientContext();  // no session may be lent any more (ENSURE)
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  // Takes the memory of every session from the arena. `own`: the client's certificate and key, if a server may ask for one.
  // Errors: no_memory, no_random, certificate_syntax, key_syntax, key_mismatch, unsupported.
  [[nodiscard]] port::Result<void, Error> start(const CertificateSource* own = nullptr) noexcept;

  // Why admit() gives none.
  enum class Wait : std::uint8_t { for_session, for_clock, never };
  struct Admission {
    Session* session = nullptr;
    Wait wait = Wait::for_session;  // never: `error` says why (clock_not_set)
    Error error = Error::none;
  };
  // A session for a connected socket, in the handshake from now on. `host`: a DNS name or an IP literal without brackets, which the peer's
  // certificate must name. A remembered session of host and port is offered.
  [[nodiscard]] virtual Admission admit(port::Socket socket, std::string_view host, std::uint16_t port,
                                        bool has_waited) noexcept;

  void forget_sessions() noexcept;  // nothing is resumed any more
  [[nodiscard]] const CertificateInfo* own_certificate() const noexcept;
  [[nodiscard]] const ClientTlsCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] const ClientContextConfig& config() const noexcept { return config_; }
  [[nodiscard]] bool is_started() const noexcept { return state_ != nullptr; }

 private:
  friend class Session;
  friend struct SessionHooks;
  struct State;  // mbedTLS's objects, in the arena

  [[nodiscard]] Error set_up_all(const CertificateSource* own) noexcept;
  void stop() noexcept;
  void handshake_over(Session& session) noexcept override;
  void release_handshake(Session& session) noexcept override;
  void ticket_came(Session& session) noexcept override;
  void forget(Session& session) noexcept override;
  [[nodiscard]] CachedSession* find_cached(std::string_view host, std::uint16_t port) noexcept;
  [[nodiscard]] std::span<std::byte> bytes_of(const CachedSession& cached) const noexcept;
  void offer_cached(Session& session) noexcept;
  void remember(Session& session) noexcept;
  void look_at_trust() noexcept;
  void wipe(CachedSession& cached) noexcept;

  ClientContextConfig config_;
  State* state_ = nullptr;
  std::uint32_t trust_generation_ = 0;
  std::uint32_t epoch_ = 0;  // counts up when nothing from before may be resumed
  ClientTlsCounters counters_{};
};

}  // namespace pollux::tls
