#include "stack/tls/server_context.hpp"

#include <algorithm>
#include <new>

#include "port/ensure.hpp"
#include "stack/tls/session_hooks.hpp"

namespace pollux::tls {

namespace {

// The certificates of one start() or reload(), and how many handshakes use them.
struct CertificateSet {
  std::array<mbedtls_x509_crt, ServerContext::certificates_max> chains;
  std::array<mbedtls_pk_context, ServerContext::certificates_max> keys;
  std::array<CertificateInfo, ServerContext::certificates_max> infos;
  std::size_t size = 0;
  std::size_t handshakes = 0;
};

void clear(CertificateSet& set) noexcept {
  ENSURE(set.handshakes == 0);
  for (std::size_t i = 0; i < set.size; ++i) {
    mbedtls_x509_crt_free(&set.chains[i]);
    mbedtls_pk_free(&set.keys[i]);
  }
  set.size = 0;
}

// Fills an empty set; after an error it is empty again.
Error fill(CertificateSet& set, Library& library, std::span<const CertificateSource> sources) noexcept {
  for (const CertificateSource& source : sources) {
    const std::size_t at = set.size++;
    mbedtls_x509_crt_init(&set.chains[at]);
    mbedtls_pk_init(&set.keys[at]);
    Error error = parse_chain(source.certificate, set.chains[at]);
    if (error == Error::none) {
      error = parse_key(library, source.key, set.keys[at]);
    }
    if (error == Error::none) {
      error = check_key(library, set.chains[at], set.keys[at]);
    }
    if (error != Error::none) {
      clear(set);
      return error;
    }
    read_info(set.chains[at], set.infos[at]);
  }
  return Error::none;
}

// A handshake shows certificates of this set from now on: all for `name`, or else the first and what has the same name with another kind
// of key.
bool offer(mbedtls_ssl_context* ssl, CertificateSet& set, std::string_view name) noexcept {
  bool has_any = false;
  for (std::size_t i = 0; i < set.size && !name.empty(); ++i) {
    if (names_host(set.chains[i], name)) {
      has_any = true;
      if (mbedtls_ssl_set_hs_own_cert(ssl, &set.chains[i], &set.keys[i]) != 0) {
        return false;
      }
    }
  }
  if (has_any) {
    return true;
  }
  const mbedtls_pk_type_t first_kind = mbedtls_pk_get_type(&set.keys[0]);
  for (std::size_t i = 0; i < set.size; ++i) {
    const bool is_other_kind =
        mbedtls_pk_get_type(&set.keys[i]) != first_kind && set.infos[i].subject.view() == set.infos[0].subject.view();
    if (i != 0 && !is_other_kind) {
      continue;
    }
    if (mbedtls_ssl_set_hs_own_cert(ssl, &set.chains[i], &set.keys[i]) != 0) {
      return false;
    }
  }
  return true;
}

// Takes back what was offered.
void withdraw(mbedtls_ssl_context* ssl) noexcept {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  static_cast<void>(mbedtls_ssl_set_hs_own_cert(ssl, nullptr, nullptr));
#else
  for (mbedtls_ssl_key_cert* entry = ssl->handshake->sni_key_cert; entry != nullptr;) {
    mbedtls_ssl_key_cert* const next = entry->next;
    mbedtls_free(entry);
    entry = next;
  }
  ssl->handshake->sni_key_cert = nullptr;
#endif
}

char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

struct ServerContext::State {
  mbedtls_ssl_config config;
  mbedtls_ssl_ticket_context tickets;
  std::array<CertificateSet, 2> sets;
  std::uint8_t current = 0;
  bool has_tickets = false;
  // mbedTLS's callback for server names does not say which session it is for (2.28); handshakes are driven one at a time.
  [[nodiscard]] CertificateSet& set() noexcept { return sets[current]; }
};

ServerContext::ServerContext(const ServerContextConfig& config) noexcept
    : SessionOwner{config.library, config.library.port(), config.memory.sessions, config.memory.limits.handshakes,
                   config.slice},
      config_{config} {}

ServerContext::~ServerContext() {
  stop();
}

void ServerContext::stop() noexcept {
  tear_down();
  if (state_ == nullptr) {
    return;
  }
  for (CertificateSet& set : state_->sets) {
    clear(set);
  }
  mbedtls_ssl_ticket_free(&state_->tickets);
  mbedtls_ssl_config_free(&state_->config);
  mbedtls_free(state_);
  state_ = nullptr;
}

port::Result<void, Error> ServerContext::start(std::span<const CertificateSource> certificates) noexcept {
  ENSURE(state_ == nullptr);
  if (auto ready = config_.library.start(); !ready) {
    return ready;
  }
  const std::size_t used_before = library_.arena_use().used;
  void* const memory = mbedtls_calloc(1, sizeof(State));
  if (memory == nullptr) {
    return port::Failure{Error::no_memory};
  }
  state_ = ::new (memory) State{};
  mbedtls_ssl_config_init(&state_->config);
  mbedtls_ssl_ticket_init(&state_->tickets);
  if (const Error error = set_up_all(certificates); error != Error::none) {
    stop();
    return port::Failure{error};
  }
  if (!promise_arena(arena_size(config_.memory.limits) - ArenaNeed::library, used_before)) {
    stop();
    return port::Failure{Error::no_memory};
  }
  return {};
}

Error ServerContext::set_up_all(std::span<const CertificateSource> certificates) noexcept {
  mbedtls_ssl_config& conf = state_->config;
  if (mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                  MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
    return Error::no_memory;
  }
  if (config_.min > config_.max || (!Library::has_tls13() && config_.min == Version::tls13)) {
    return Error::unsupported;
  }
  configure(conf, library_, config_.min, config_.max);
  mbedtls_ssl_conf_sni(&conf, &SessionHooks::choose_certificate, this);
  if (config_.client_auth != ClientAuth::none) {
    mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_OPTIONAL);
    // Clients choose by what they have: a list of names would have to be built from every trusted certificate.
    mbedtls_ssl_conf_cert_req_ca_list(&conf, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
#if defined(MBEDTLS_X509_TRUSTED_CERTIFICATE_CALLBACK)
    mbedtls_ssl_conf_ca_cb(&conf, &SessionHooks::find_issuer, config_.client_ca);
#else
    mbedtls_ssl_conf_ca_chain(&conf, config_.client_ca != nullptr ? config_.client_ca->list() : nullptr, nullptr);
#endif
    if (config_.client_auth == ClientAuth::require) {
      mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    }
  } else {
    mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_NONE);
  }
  if (config_.ticket_lifetime > port::Duration::zero() && config_.client_auth == ClientAuth::none) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(config_.ticket_lifetime).count();
    if (mbedtls_ssl_ticket_setup(&state_->tickets, mbedtls_ctr_drbg_random, library_.random_context(),
                                 MBEDTLS_CIPHER_AES_256_GCM,
                                 static_cast<std::uint32_t>(std::max<std::int64_t>(seconds, 1))) != 0) {
      return Error::no_memory;
    }
    mbedtls_ssl_conf_session_tickets_cb(&conf, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &state_->tickets);
    state_->has_tickets = true;
  } else {
#if POLLUX_TLS_13
    mbedtls_ssl_conf_new_session_tickets(&conf, 0);
    mbedtls_ssl_conf_tls13_key_exchange_modes(&conf, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
#endif
  }
  if (const Error error = check_count(certificates); error != Error::none) {
    return error;
  }
  if (const Error error = fill(state_->set(), library_, certificates); error != Error::none) {
    return error;
  }
  for (Session& session : sessions_) {
    if (!set_up(session, conf, true)) {
      return Error::no_memory;
    }
    if (config_.client_auth != ClientAuth::none) {
      mbedtls_ssl_set_verify(session.ssl_, &SessionHooks::verify_server, &session);
    }
  }
  return Error::none;
}

Error ServerContext::check_count(std::span<const CertificateSource> certificates) const noexcept {
  if (certificates.empty()) {
    return Error::no_certificate_given;
  }
  const std::size_t max = std::min<std::size_t>(config_.memory.limits.certificates, certificates_max);
  return certificates.size() > max ? Error::too_many_certificates : Error::none;
}

port::Result<void, Error> ServerContext::reload(std::span<const CertificateSource> certificates) noexcept {
  ENSURE(state_ != nullptr);
  if (const Error error = check_count(certificates); error != Error::none) {
    return port::Failure{error};
  }
  const auto other = static_cast<std::uint8_t>(1 - state_->current);
  CertificateSet& set = state_->sets[other];
  if (set.handshakes != 0) {
    return port::Failure{Error::busy};
  }
  clear(set);
  if (const Error error = fill(set, library_, certificates); error != Error::none) {
    return port::Failure{error};
  }
  state_->current = other;
  if (CertificateSet& old = state_->sets[1 - other]; old.handshakes == 0) {
    clear(old);
  }
  ++counters_.reloads;
  return {};
}

Session* ServerContext::admit(port::Socket socket, bool owner, bool has_waited) noexcept {
  ENSURE(state_ != nullptr);
#if !defined(MBEDTLS_X509_TRUSTED_CERTIFICATE_CALLBACK)
  if (config_.client_auth != ClientAuth::none && config_.client_ca != nullptr) {
    mbedtls_ssl_conf_ca_chain(&state_->config, config_.client_ca->list(), nullptr);  // it may have been filled anew
  }
#endif
  const ServerTlsLimits& limits = config_.memory.limits;
  const std::size_t reserved = owner ? 0 : limits.reserved;
  const bool fits = handshakes_ + reserved < handshakes_max_ && sessions_used_ + reserved < sessions_.size() &&
                    arena_has(ArenaNeed::server_handshake);
  Session* session = fits ? lend(socket) : nullptr;
  if (session == nullptr) {
    counters_.waited += has_waited ? 0 : 1;
    return nullptr;
  }
  session->is_owner_ = owner;
  session->set_ = state_->current;
  ++state_->set().handshakes;
  if (!offer(session->ssl_, state_->set(), {})) {
    session->close(false);
    counters_.waited += has_waited ? 0 : 1;
    return nullptr;
  }
  return session;
}

int SessionHooks::choose_certificate(void*, mbedtls_ssl_context* ssl, const unsigned char* name,
                                     std::size_t size) noexcept {
  Session& session = *static_cast<Session*>(ssl->MBEDTLS_PRIVATE(p_bio));
  auto& context = static_cast<ServerContext&>(*session.owner_);
  std::array<char, 255> lower;
  const std::size_t used = std::min(size, lower.size());
  for (std::size_t i = 0; i < used; ++i) {
    lower[i] = to_lower(static_cast<char>(name[i]));
  }
  const std::string_view text{lower.data(), used};
  session.info_.server_name.assign(text);
  withdraw(ssl);
  return offer(ssl, context.state_->sets[session.set_], text) ? 0 : MBEDTLS_ERR_SSL_ALLOC_FAILED;
}

// The client's certificate. `request` lets a client have none, but not a bad one.
int SessionHooks::verify_server(void* object, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) noexcept {
  Session& session = *static_cast<Session*>(object);
  if (depth == 0 && is_trusted_itself(static_cast<ServerContext&>(*session.owner_).config().client_ca, *certificate)) {
    *flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_NOT_TRUSTED);
  }
  *flags |= depth == 0 ? usage_flags(*certificate, true) : 0;
  note(session, *certificate, error_of_flags(*flags, is_own_issuer(*certificate)));
  if (depth == 0) {
    read_info(*certificate, session.info_.peer);
    session.info_.has_peer = true;
    if (!session.owner_->library_.is_clock_set()) {
      session.error_.error = Error::clock_not_set;
      session.error_.now_seconds = session.owner_->port().wall_clock().seconds;
    }
    session.info_.verified = session.error_.error == Error::none;
    if (!session.info_.verified && *flags == 0) {
      *flags |= MBEDTLS_X509_BADCERT_OTHER;  // last in mbedTLS's choice of alerts, if something else says why
    }
  }
  return 0;
}

void ServerContext::handshake_over(Session& session) noexcept {
  ++counters_.handshakes;
  counters_.resumed += session.info_.resumed ? 1 : 0;
}

void ServerContext::release_handshake(Session& session) noexcept {
  CertificateSet& set = state_->sets[session.set_];
  ENSURE(set.handshakes > 0);
  --set.handshakes;
}

void ServerContext::ticket_came(Session&) noexcept {}

void ServerContext::forget(Session& session) noexcept {
  if (session.error_.error != Error::none && !session.was_open_) {
    ++counters_.failed;
    counters_.plain_http += session.error_.error == Error::plain_http ? 1 : 0;
  }
  // mbedTLS holds pointers to the certificates until the session is reset, which comes now; then an old set may go.
}

std::span<const CertificateInfo> ServerContext::certificates() const noexcept {
  if (state_ == nullptr) {
    return {};
  }
  const CertificateSet& set = state_->sets[state_->current];
  return {set.infos.data(), set.size};
}

std::int64_t ServerContext::days_to_expiry() const noexcept {
  std::int64_t days = INT64_MAX;
  for (const CertificateInfo& info : certificates()) {
    days = std::min(days, tls::days_to_expiry(info, port_.wall_clock()));
  }
  return days;
}

}  // namespace pollux::tls
