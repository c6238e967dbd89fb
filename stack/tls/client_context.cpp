#include "stack/tls/client_context.hpp"

#include <algorithm>
#include <new>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/tls/session_hooks.hpp"

namespace pollux::tls {

struct ClientContext::State {
  mbedtls_ssl_config config;
  mbedtls_x509_crt chain;
  mbedtls_pk_context key;
  CertificateInfo own;
  bool has_own = false;
};

namespace {

std::string_view key_of(const CachedSession& cached) noexcept {
  return {cached.key.data(), cached.key_size};
}

// The key of a host's session: its name in lower case, and the port.
std::string_view write_key(std::string_view host, std::uint16_t port,
                           std::array<char, CachedSession::key_max>& memory) noexcept {
  base::TextWriter text{memory};
  for (const char c : host) {
    text.put(base::to_lower(c));
  }
  text.put(':').put_decimal(port);
  return text.overflowed() ? std::string_view{} : text.view();
}

}  // namespace

ClientContext::ClientContext(const ClientContextConfig& config) noexcept
    : SessionOwner{config.library, config.library.port(), config.memory.sessions, config.memory.limits.handshakes,
                   config.slice},
      config_{config} {
  ENSURE(config.memory.cached_bytes.size() >= config.memory.cached.size() * config.memory.limits.cached_size);
}

ClientContext::~ClientContext() {
  stop();
}

void ClientContext::stop() noexcept {
  tear_down();
  forget_sessions();
  if (state_ == nullptr) {
    return;
  }
  mbedtls_ssl_config_free(&state_->config);
  mbedtls_x509_crt_free(&state_->chain);
  mbedtls_pk_free(&state_->key);
  mbedtls_free(state_);
  state_ = nullptr;
}

port::Result<void, Error> ClientContext::start(const CertificateSource* own) noexcept {
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
  mbedtls_x509_crt_init(&state_->chain);
  mbedtls_pk_init(&state_->key);
  if (const Error error = set_up_all(own); error != Error::none) {
    stop();
    return port::Failure{error};
  }
  if (!promise_arena(arena_size(config_.memory.limits) - ArenaNeed::library, used_before)) {
    stop();
    return port::Failure{Error::no_memory};
  }
  return {};
}

Error ClientContext::set_up_all(const CertificateSource* own) noexcept {
  mbedtls_ssl_config& conf = state_->config;
  if (mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                  MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
    return Error::no_memory;
  }
  if (config_.min > config_.max || (!Library::has_tls13() && config_.min == Version::tls13)) {
    return Error::unsupported;
  }
  configure(conf, library_, config_.min, config_.max);
  // OPTIONAL looks at the certificate all the same, so that pins are held and `verified` is true or not.
  mbedtls_ssl_conf_authmode(&conf,
                            config_.verify == Verify::peer ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_OPTIONAL);
#if defined(MBEDTLS_X509_TRUSTED_CERTIFICATE_CALLBACK)
  mbedtls_ssl_conf_ca_cb(&conf, &SessionHooks::find_issuer, const_cast<TrustStore*>(config_.trust));
#else
  mbedtls_ssl_conf_ca_chain(&conf, config_.trust != nullptr ? config_.trust->list() : nullptr, nullptr);
#endif
  mbedtls_ssl_conf_session_tickets(
      &conf, config_.resume ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#if POLLUX_TLS_13
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
      &conf, config_.resume ? MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED
                            : MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_DISABLED);
#endif
  if (own != nullptr) {
    if (const Error error = parse_chain(own->certificate, state_->chain); error != Error::none) {
      return error;
    }
    if (const Error error = parse_key(library_, own->key, state_->key); error != Error::none) {
      return error;
    }
    if (const Error error = check_key(library_, state_->chain, state_->key); error != Error::none) {
      return error;
    }
    if (mbedtls_ssl_conf_own_cert(&conf, &state_->chain, &state_->key) != 0) {
      return Error::no_memory;
    }
    read_info(state_->chain, state_->own);
    state_->has_own = true;
  }
  for (Session& session : sessions_) {
    if (!set_up(session, conf, false)) {
      return Error::no_memory;
    }
    mbedtls_ssl_set_verify(session.ssl_, &SessionHooks::verify_client, &session);
  }
  return Error::none;
}

ClientContext::Admission ClientContext::admit(port::Socket socket, std::string_view host, std::uint16_t port,
                                              bool has_waited) noexcept {
  ENSURE(state_ != nullptr);
  if (config_.verify == Verify::peer && !library_.is_clock_set()) {
    if (config_.clock == ClockPolicy::wait) {
      counters_.waited += has_waited ? 0 : 1;
      return {.wait = Wait::for_clock, .error = Error::clock_not_set};
    }
    if (config_.clock == ClockPolicy::refuse || config_.pins.empty()) {
      return {.wait = Wait::never, .error = Error::clock_not_set};
    }
  }
  look_at_trust();
  Session* session = arena_has(ArenaNeed::client_handshake) ? lend(socket) : nullptr;
  if (session == nullptr) {
    counters_.waited += has_waited ? 0 : 1;
    return {};
  }
  if (host.ends_with('.')) {
    host.remove_suffix(1);  // of the root, which is in no name that is sent or certified (RFC 6066 section 3)
  }
  if (host.size() >= session->host_.size()) {
    session->close(false);
    return {.wait = Wait::never, .error = Error::wrong_name};
  }
  // In lower case: TLS 1.3 compares a ticket's name byte by byte.
  std::transform(host.begin(), host.end(), session->host_.begin(), [](char c) { return base::to_lower(c); });
  session->host_[host.size()] = '\0';
  session->host_size_ = static_cast<std::uint16_t>(host.size());
  session->host_port_ = port;
  session->epoch_ = epoch_;
  // A literal address is no server name (RFC 6066 section 3).
  if (mbedtls_ssl_set_hostname(session->ssl_, is_address_literal(host) ? nullptr : session->host_.data()) != 0) {
    session->close(false);
    counters_.waited += has_waited ? 0 : 1;
    return {};
  }
  offer_cached(*session);
  return {.session = session};
}

// ---- resumption

CachedSession* ClientContext::find_cached(std::string_view host, std::uint16_t port) noexcept {
  std::array<char, CachedSession::key_max> memory;
  const std::string_view key = write_key(host, port, memory);
  for (CachedSession& cached : config_.memory.cached) {
    if (cached.size != 0 && key_of(cached) == key) {
      return &cached;
    }
  }
  return nullptr;
}

std::span<std::byte> ClientContext::bytes_of(const CachedSession& cached) const noexcept {
  const auto index = static_cast<std::size_t>(&cached - config_.memory.cached.data());
  const std::size_t size = config_.memory.limits.cached_size;
  return config_.memory.cached_bytes.subspan(index * size, size);
}

// Whom a session was made with may not be trusted any more.
void ClientContext::look_at_trust() noexcept {
  if (config_.trust != nullptr && trust_generation_ != config_.trust->generation()) {
    trust_generation_ = config_.trust->generation();
    forget_sessions();
#if !defined(MBEDTLS_X509_TRUSTED_CERTIFICATE_CALLBACK)
    mbedtls_ssl_conf_ca_chain(&state_->config, config_.trust->list(), nullptr);
#endif
  }
}

// Offers the session remembered for the host. Whatever goes wrong only costs a full handshake.
void ClientContext::offer_cached(Session& session) noexcept {
  CachedSession* cached =
      config_.resume ? find_cached({session.host_.data(), session.host_size_}, session.host_port_) : nullptr;
  if (cached == nullptr) {
    return;
  }
  const bool is_pinned = config_.pins.empty() || std::find(config_.pins.begin(), config_.pins.end(),
                                                           cached->peer.public_key) != config_.pins.end();
  const bool is_dated =
      !library_.is_clock_set() || (cached->dates_checked && cached->not_after >= port_.wall_clock().seconds);
  if (!is_pinned || (config_.verify == Verify::peer && !is_dated)) {
    wipe(*cached);  // its certificate would not be taken now
    return;
  }
  mbedtls_ssl_session stored;
  mbedtls_ssl_session_init(&stored);
  const std::span<std::byte> bytes = bytes_of(*cached);
  if (mbedtls_ssl_session_load(&stored, reinterpret_cast<const unsigned char*>(bytes.data()), cached->size) == 0 &&
      mbedtls_ssl_set_session(session.ssl_, &stored) == 0) {
    session.info_.peer = cached->peer;
    session.info_.has_peer = true;
    session.info_.verified = cached->verified;
    session.info_.verify_error = cached->verify_error;
    cached->used_at = port_.now();
  } else {
    wipe(*cached);
  }
  mbedtls_ssl_session_free(&stored);
}

void ClientContext::wipe(CachedSession& cached) noexcept {
  const std::span<std::byte> bytes = bytes_of(cached);
  mbedtls_platform_zeroize(bytes.data(), bytes.size());
  cached.size = 0;
}

// Remembers what the session can be resumed with.
void ClientContext::remember(Session& session) noexcept {
  look_at_trust();
  if (!config_.resume || config_.memory.cached.empty() || !session.info_.has_peer || session.epoch_ != epoch_) {
    return;
  }
  mbedtls_ssl_session fresh;
  mbedtls_ssl_session_init(&fresh);
  if (mbedtls_ssl_get_session(session.ssl_, &fresh) == 0) {
    const std::string_view host{session.host_.data(), session.host_size_};
    CachedSession* cached = find_cached(host, session.host_port_);
    if (cached == nullptr) {
      cached = &*std::min_element(config_.memory.cached.begin(), config_.memory.cached.end(),
                                  [](const CachedSession& a, const CachedSession& b) {
                                    const bool a_free = a.size == 0;
                                    const bool b_free = b.size == 0;
                                    return a_free != b_free ? a_free : a.used_at < b.used_at;
                                  });
    }
    wipe(*cached);
    const std::span<std::byte> bytes = bytes_of(*cached);
    std::size_t size = 0;
    const std::string_view key = write_key(host, session.host_port_, cached->key);
    if (key.empty() ||
        mbedtls_ssl_session_save(&fresh, reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), &size) != 0) {
      ++counters_.too_large_to_remember;
    } else {
      cached->key_size = static_cast<std::uint16_t>(key.size());
      cached->size = static_cast<std::uint32_t>(size);
      cached->used_at = port_.now();
      cached->not_after = session.info_.peer.not_after;
      cached->peer = session.info_.peer;
      cached->verified = session.info_.verified;
      cached->verify_error = session.info_.verify_error;
      cached->dates_checked = library_.is_clock_set();
      ++counters_.remembered;
    }
  }
  mbedtls_ssl_session_free(&fresh);
}

void ClientContext::forget_sessions() noexcept {
  ++epoch_;
  for (CachedSession& cached : config_.memory.cached) {
    wipe(cached);
  }
}

// ---- verification

// The alert that refuses a certificate is encrypted in TLS 1.3 (RFC 8446 section 6). mbedTLS changes to the keys of the handshake only when the
// server has finished; without them a server finds a broken record instead of the reason.
void SessionHooks::say_refusal_encrypted([[maybe_unused]] Session& session) noexcept {
#if POLLUX_TLS_13
  if (mbedtls_ssl_get_version_number(session.ssl_) == MBEDTLS_SSL_VERSION_TLS1_3) {
    change_keys(*session.ssl_, session.ssl_->MBEDTLS_PRIVATE(transform_in));
  }
#endif
}

int SessionHooks::verify_client(void* object, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) noexcept {
  Session& session = *static_cast<Session*>(object);
  const ClientContextConfig& config = static_cast<ClientContext&>(*session.owner_).config();
  const bool dates_count = session.owner_->library_.is_clock_set();
  if (!dates_count && !config.pins.empty()) {
    *flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  }
  if (depth == 0) {
    if (is_trusted_itself(config.trust, *certificate)) {
      *flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_NOT_TRUSTED);
    }
    ConnectionInfo& info = session.info_;
    read_info(*certificate, info.peer);
    info.has_peer = true;
    *flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_CN_MISMATCH);
    if (!names_host(*certificate, {session.host_.data(), session.host_size_})) {
      *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    *flags |= usage_flags(*certificate, false);
    note(session, *certificate, error_of_flags(*flags, is_own_issuer(*certificate)));
    info.verified = session.error_.error == Error::none;
    info.verify_error = session.error_.error;
    if (config.verify == Verify::insecure_none) {
      session.error_ = {};
    }
    if (!config.pins.empty() &&
        std::find(config.pins.begin(), config.pins.end(), info.peer.public_key) == config.pins.end()) {
      note(session, *certificate, Error::pin_mismatch);
      info.verified = false;
      say_refusal_encrypted(session);
      return MBEDTLS_ERR_X509_FATAL_ERROR;  // whatever is not checked otherwise
    }
    if (session.error_.error != Error::none) {
      say_refusal_encrypted(session);
    }
    return 0;
  }
  note(session, *certificate, error_of_flags(*flags, is_own_issuer(*certificate)));
  return 0;
}

void ClientContext::handshake_over(Session& session) noexcept {
  ++counters_.handshakes;
  if (session.info_.resumed) {
    ++counters_.resumed;
  }
  session.error_ = {};
  if (session.info_.version == Version::tls12) {
    remember(session);  // TLS 1.3 sends its tickets afterwards
  }
}

void ClientContext::release_handshake(Session&) noexcept {}

void ClientContext::ticket_came(Session& session) noexcept {
  remember(session);
}

void ClientContext::forget(Session& session) noexcept {
  if (session.error_.error != Error::none && !session.was_open_) {
    ++counters_.failed;
    // What was offered may be why.
    if (CachedSession* cached = find_cached({session.host_.data(), session.host_size_}, session.host_port_)) {
      wipe(*cached);
    }
  }
  static_cast<void>(mbedtls_ssl_set_hostname(session.ssl_, nullptr));
  mbedtls_platform_zeroize(session.staging_.data(), session.staging_.size());
}

const CertificateInfo* ClientContext::own_certificate() const noexcept {
  return state_ != nullptr && state_->has_own ? &state_->own : nullptr;
}

}  // namespace pollux::tls
