#define MBEDTLS_ALLOW_PRIVATE_ACCESS  // records of types that no public function sends

#include "tests/support/tls_peer.hpp"

#include <gtest/gtest.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "port/sim/sim_random.hpp"
#include "tests/support/tls_memory.hpp"

// Inside mbedTLS (library/ssl_misc.h): encrypts out_msg as it stands and sends it.
extern "C" int mbedtls_ssl_write_record(mbedtls_ssl_context* ssl, int force_flush);

namespace pollux::test {
namespace {

using tls_memory::Outside;

int random_bytes(void* object, unsigned char* out, std::size_t size) {
  auto& random = *static_cast<port::SimRandom*>(object);
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<unsigned char>(random.next() >> 32U);
  }
  return 0;
}

mbedtls_ssl_protocol_version version_of(TlsVersion version) {
  return version == TlsVersion::tls12 ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3;
}

// mbedTLS's number as its headers have it: -0x7780.
std::string number_of(int code) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "-0x%04x", static_cast<unsigned>(-code));
  return text.data();
}

void expect_success(int code, const char* what) {
  EXPECT_EQ(code, 0) << "raw end of TLS: " << what << ": " << number_of(code);
}

// mbedTLS wants the zero at the end of a PEM text, and it counted.
const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.c_str());
}

void parse(mbedtls_x509_crt& chain, std::string_view pem) {
  const std::string text{pem};
  expect_success(mbedtls_x509_crt_parse(&chain, bytes_of(text), text.size() + 1), "certificate");
}

// Whoever tests what the other side refuses must itself take everything.
constexpr mbedtls_x509_crt_profile everything{0xFFFFFFF, 0xFFFFFFF, 0xFFFFFFF, 512};

}  // namespace

// ---- TlsEnd

struct TlsEnd::State {
  struct Own {
    mbedtls_x509_crt chain{};
    mbedtls_pk_context key{};
  };
  explicit State(std::uint64_t seed) : random{seed} {}

  mbedtls_ssl_config config{};
  mbedtls_x509_crt ca{};
  std::vector<std::unique_ptr<Own>> own;
  mbedtls_ssl_ticket_context tickets{};
  std::vector<int> suites;
  std::vector<std::uint16_t> groups;
  std::vector<std::uint16_t> signatures;
  std::vector<const char*> alpn;
  port::SimRandom random;
};

TlsEnd::TlsEnd(TlsEndOptions options) : options_{std::move(options)}, state_{std::make_unique<State>(options_.seed)} {
  const Outside outside;
  mbedtls_ssl_config& config = state_->config;
  mbedtls_ssl_config_init(&config);
  mbedtls_x509_crt_init(&state_->ca);
  mbedtls_ssl_ticket_init(&state_->tickets);
  expect_success(
      mbedtls_ssl_config_defaults(&config, options_.is_client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER,
                                  MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
      "configuration");
  mbedtls_ssl_conf_rng(&config, random_bytes, &state_->random);
  mbedtls_ssl_conf_cert_profile(&config, &everything);
  mbedtls_ssl_conf_min_tls_version(&config, version_of(options_.min));
  mbedtls_ssl_conf_max_tls_version(&config, version_of(options_.max));

  const bool asks = options_.is_client ? !options_.ca.empty() : options_.asks != TlsAsks::nothing;
  const bool insists = options_.is_client || options_.asks == TlsAsks::require;
  const int looks = options_.ca.empty() || !insists ? MBEDTLS_SSL_VERIFY_OPTIONAL : MBEDTLS_SSL_VERIFY_REQUIRED;
  mbedtls_ssl_conf_authmode(&config, asks ? looks : MBEDTLS_SSL_VERIFY_NONE);
  if (!options_.ca.empty()) {
    parse(state_->ca, options_.ca);
    mbedtls_ssl_conf_ca_chain(&config, &state_->ca, nullptr);
  }
  for (const TestCertificate& certificate : options_.own) {
    State::Own& own = *state_->own.emplace_back(std::make_unique<State::Own>());
    mbedtls_x509_crt_init(&own.chain);
    mbedtls_pk_init(&own.key);
    parse(own.chain, certificate.certificate);
    // mbedTLS would not show a certificate that is meant for something else; here it shall.
    own.chain.ext_types &= ~MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE;
    const std::string key{certificate.key};
    expect_success(
        mbedtls_pk_parse_key(&own.key, bytes_of(key), key.size() + 1, nullptr, 0, random_bytes, &state_->random),
        "key");
    expect_success(mbedtls_ssl_conf_own_cert(&config, &own.chain, &own.key), "own certificate");
  }
  if (!options_.suites.empty()) {
    state_->suites = options_.suites;
    state_->suites.push_back(0);
    mbedtls_ssl_conf_ciphersuites(&config, state_->suites.data());
  }
  if (!options_.groups.empty()) {
    state_->groups = options_.groups;
    state_->groups.push_back(0);
    mbedtls_ssl_conf_groups(&config, state_->groups.data());
  }
  if (!options_.signatures.empty()) {
    state_->signatures = options_.signatures;
    state_->signatures.push_back(0);
    mbedtls_ssl_conf_sig_algs(&config, state_->signatures.data());
  }
  if (!options_.alpn.empty()) {
    for (const std::string& protocol : options_.alpn) {
      state_->alpn.push_back(protocol.c_str());
    }
    state_->alpn.push_back(nullptr);
    expect_success(mbedtls_ssl_conf_alpn_protocols(&config, state_->alpn.data()), "ALPN");
  }
  if (options_.is_client) {
    expect_success(mbedtls_ssl_conf_max_frag_len(&config, options_.fragment_code), "max_fragment_length");
    mbedtls_ssl_conf_session_tickets(&config, options_.tickets ? 1 : 0);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(&config, options_.tickets ? 1 : 0);
  } else if (options_.tickets) {
    expect_success(mbedtls_ssl_ticket_setup(&state_->tickets, random_bytes, &state_->random, MBEDTLS_CIPHER_AES_256_GCM,
                                            options_.ticket_lifetime),
                   "ticket key");
    mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &state_->tickets);
  }
}

TlsEnd::~TlsEnd() {
  const Outside outside;
  mbedtls_ssl_ticket_free(&state_->tickets);
  mbedtls_ssl_config_free(&state_->config);
  for (const auto& own : state_->own) {
    mbedtls_x509_crt_free(&own->chain);
    mbedtls_pk_free(&own->key);
  }
  mbedtls_x509_crt_free(&state_->ca);
}

std::unique_ptr<TlsPeer> TlsEnd::make(TlsPeerOptions options) {
  return std::make_unique<TlsPeer>(*this, std::move(options));
}

Conversation::LayerMaker TlsEnd::maker(TlsPeerOptions options, bool resumes) {
  return [this, options = std::move(options), resumes](bool) {
    TlsPeerOptions of_this = options;
    if (resumes) {
      of_this.session = newest_session_;
    }
    return make(std::move(of_this));
  };
}

// ---- TlsPeer

struct TlsPeer::State {
  mbedtls_ssl_context ssl{};
  bool saw_certificate_state = false;
};

struct TlsPeer::Hooks {
  static int send(void* object, const unsigned char* bytes, std::size_t size) {
    auto& peer = *static_cast<TlsPeer*>(object);
    peer.out_.append(reinterpret_cast<const char*>(bytes), size);
    if (peer.corrupts_) {
      peer.corrupts_ = false;
      peer.out_.back() = static_cast<char>(peer.out_.back() ^ 1);
    }
    if (peer.options_.damage_at - peer.made_ < size) {
      char& byte = peer.out_[peer.out_.size() - size + (peer.options_.damage_at - peer.made_)];
      byte = static_cast<char>(byte ^ 1);
    }
    peer.made_ += size;
    if (peer.keeps_) {
      peer.kept_.append(reinterpret_cast<const char*>(bytes), size);
    }
    return static_cast<int>(size);
  }
  static int receive(void* object, unsigned char* out, std::size_t size) {
    auto& peer = *static_cast<TlsPeer*>(object);
    const std::size_t wanted = std::min(size, peer.budget_ - peer.taken_);
    const std::size_t taken = wanted == 0 ? 0 : peer.end_.receive(std::span{reinterpret_cast<char*>(out), wanted});
    peer.taken_ += taken;
    if (taken == 0) {
      return peer.end_.saw_finish() ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
    }
    return static_cast<int>(taken);
  }
};

TlsPeer::TlsPeer(TlsEnd& end, TlsPeerOptions options)
    : shared_{end}, options_{std::move(options)}, state_{std::make_unique<State>()} {
  const Outside outside;
  mbedtls_ssl_context& ssl = state_->ssl;
  mbedtls_ssl_init(&ssl);
  expect_success(mbedtls_ssl_setup(&ssl, &end.state_->config), "setup");
  mbedtls_ssl_set_bio(&ssl, this, Hooks::send, Hooks::receive, nullptr);
  if (end.options_.is_client) {
    expect_success(
        mbedtls_ssl_set_hostname(&ssl, options_.server_name.empty() ? nullptr : options_.server_name.c_str()),
        "server name");
    if (!options_.session.empty()) {
      mbedtls_ssl_session session;
      mbedtls_ssl_session_init(&session);
      expect_success(mbedtls_ssl_session_load(&session, bytes_of(options_.session), options_.session.size()),
                     "loading a session");
      expect_success(mbedtls_ssl_set_session(&ssl, &session), "offering a session");
      mbedtls_ssl_session_free(&session);
    }
  }
}

TlsPeer::~TlsPeer() {
  const Outside outside;
  mbedtls_ssl_free(&state_->ssl);
}

TlsVersion TlsPeer::version() const {
  return mbedtls_ssl_get_version_number(&state_->ssl) == MBEDTLS_SSL_VERSION_TLS1_3 ? TlsVersion::tls13
                                                                                    : TlsVersion::tls12;
}
std::string TlsPeer::cipher() const {
  const char* const name = mbedtls_ssl_get_ciphersuite(&state_->ssl);
  return name == nullptr ? "" : name;
}
std::string TlsPeer::alpn() const {
  const char* const protocol = mbedtls_ssl_get_alpn_protocol(&state_->ssl);
  return protocol == nullptr ? "" : protocol;
}
std::string TlsPeer::peer_subject() const {
  const mbedtls_x509_crt* const certificate = mbedtls_ssl_get_peer_cert(&state_->ssl);
  std::array<char, 256> text{};
  if (certificate == nullptr || is_resumed_ ||
      mbedtls_x509_dn_gets(text.data(), text.size(), &certificate->subject) <= 0) {
    return {};
  }
  return text.data();
}
std::uint32_t TlsPeer::verify_flags() const {
  return mbedtls_ssl_get_verify_result(&state_->ssl);
}

std::string TlsPeer::state() const {
  switch (stage_) {
    case Stage::beginning:
      return "TLS: in the handshake";
    case Stage::open:
      return "TLS: " + std::string{mbedtls_ssl_get_version(&state_->ssl)} + (saw_notify_ ? ", close_notify came" : "");
    case Stage::failed:
      return "TLS failed: " + number_of(error_) + ", alert " + std::to_string(alert_) + ", then came " +
             escape(std::string_view{raw_}.substr(0, 200));
  }
  return {};
}

void TlsPeer::look_at_alert() {
  const mbedtls_ssl_context& ssl = state_->ssl;
  if (ssl.in_msgtype == MBEDTLS_SSL_MSG_ALERT && ssl.in_msg != nullptr && ssl.in_msglen >= 2 && ssl.in_msg[1] != 0) {
    alert_ = ssl.in_msg[1];
  }
}

void TlsPeer::fail(int code) {
  if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    look_at_alert();
  }
  error_ = code;
  stage_ = Stage::failed;
}

void TlsPeer::keep_session() {
  mbedtls_ssl_session session;
  mbedtls_ssl_session_init(&session);
  std::string bytes(16384, '\0');
  std::size_t size = 0;
  if (mbedtls_ssl_get_session(&state_->ssl, &session) == 0 &&
      mbedtls_ssl_session_save(&session, reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), &size) == 0) {
    bytes.resize(size);
    session_ = bytes;
    shared_.newest_session_ = bytes;
  }
  mbedtls_ssl_session_free(&session);
}

bool TlsPeer::awaits_ticket() const {
  return options_.reads_ticket && stage_ == Stage::open && tickets_received_ == 0 && version() == TlsVersion::tls13;
}

void TlsPeer::shake_hands() {
  mbedtls_ssl_context& ssl = state_->ssl;
  while (!mbedtls_ssl_is_handshake_over(&ssl)) {
    const int before = ssl.state;
    const int code = mbedtls_ssl_handshake_step(&ssl);
    if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
      return;
    }
    if (code != 0) {
      fail(code);
      return;
    }
    state_->saw_certificate_state |= before == MBEDTLS_SSL_SERVER_CERTIFICATE;
  }
  stage_ = Stage::open;
  is_resumed_ = !state_->saw_certificate_state;
  if (shared_.options_.is_client && shared_.options_.tickets && version() == TlsVersion::tls12) {
    keep_session();
  }
}

void TlsPeer::read(std::string& received) {
  mbedtls_ssl_context& ssl = state_->ssl;
  std::array<char, 4096> text;
  while (stage_ == Stage::open) {
    const int code = mbedtls_ssl_read(&ssl, reinterpret_cast<unsigned char*>(text.data()), text.size());
    if (code > 0) {
      received.append(text.data(), static_cast<std::size_t>(code));
    } else if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
      const bool was_awaited = awaits_ticket();
      ++tickets_received_;
      keep_session();
      if (was_awaited) {
        return;  // whether more is wanted the script says
      }
    } else if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
      saw_notify_ = true;
      return;
    } else if (code == MBEDTLS_ERR_SSL_WANT_READ && ssl.state == MBEDTLS_SSL_TLS1_3_NEW_SESSION_TICKET) {
      // The ticket is here, and looked at by the next call; whoever writes before that is told of it instead.
    } else if (code == MBEDTLS_ERR_SSL_WANT_READ && ssl.state != MBEDTLS_SSL_HANDSHAKE_OVER) {
      continue;  // a ticket has come, and the next call takes it in
    } else if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
      look_at_alert();
      return;
    } else if (code == 0 || code == MBEDTLS_ERR_SSL_CONN_EOF) {
      return;  // the connection's end without close_notify
    } else {
      fail(code);
    }
  }
}

std::size_t TlsPeer::receive(const port::SimPeer& end, std::size_t limit, std::string& received) {
  if (!end.is_connected() && end.unread() == 0 && !end.saw_finish()) {
    return 0;
  }
  const Outside outside;
  end_ = end;
  budget_ = limit;
  taken_ = 0;
  const bool was_beginning = stage_ == Stage::beginning;
  if (was_beginning) {
    shake_hands();
  }
  // The handshake's last bytes came whether or not the script reads; what follows is its own matter.
  if (stage_ == Stage::open && !was_beginning && !saw_notify_) {
    read(received);
  }
  if (stage_ == Stage::failed || saw_notify_) {
    std::array<char, 1024> bytes;
    while (taken_ < budget_) {
      const std::size_t more = end_.receive(std::span{bytes}.first(std::min(budget_ - taken_, bytes.size())));
      if (more == 0) {
        break;
      }
      raw_.append(bytes.data(), more);
      taken_ += more;
    }
  }
  flush();
  return taken_;
}

std::size_t TlsPeer::send(const port::SimPeer& end, std::string_view text, std::uint64_t turn) {
  const Outside outside;
  end_ = end;
  turn_ = turn;
  budget_ = taken_ = 0;
  if (stage_ == Stage::beginning && shared_.options_.is_client) {
    shake_hands();
  }
  flush();
  if (stage_ != Stage::open || !out_.empty() || text.empty() || notify_said_) {
    return 0;
  }
  const std::size_t size = options_.record_size == 0 ? text.size() : std::min(options_.record_size, text.size());
  const int code = mbedtls_ssl_write(&state_->ssl, reinterpret_cast<const unsigned char*>(text.data()), size);
  if (code <= 0) {
    fail(code);
    return 0;
  }
  flush();
  return static_cast<std::size_t>(code);
}

bool TlsPeer::finish(const port::SimPeer& end, std::uint64_t turn) {
  const Outside outside;
  end_ = end;
  turn_ = turn;
  flush();
  if (stage_ == Stage::beginning || !out_.empty()) {
    return false;
  }
  if (stage_ == Stage::open && !notify_said_) {
    notify_said_ = true;
    static_cast<void>(mbedtls_ssl_close_notify(&state_->ssl));
    flush();
  }
  return out_.empty();
}

void TlsPeer::flush() {
  while (!out_.empty() && end_.is_connected()) {
    std::size_t size = out_.size();
    const bool is_before_split = sent_ < options_.split_at;
    const bool is_in_pieces = options_.piece_size != 0 || is_before_split;
    if (options_.piece_size != 0) {
      size = std::min(size, options_.piece_size);
    }
    if (is_before_split) {
      size = std::min(size, options_.split_at - sent_);
    }
    if (last_piece_turn_ == turn_) {
      return;
    }
    const std::size_t sent = end_.send(std::string_view{out_}.substr(0, size));
    out_.erase(0, sent);
    sent_ += sent;
    if (is_in_pieces && (options_.piece_size != 0 || sent_ == options_.split_at)) {
      last_piece_turn_ = turn_;
      return;
    }
    if (sent < size) {
      return;
    }
  }
}

void TlsPeer::say_alert(std::uint8_t level, std::uint8_t number) {
  const Outside outside;
  static_cast<void>(mbedtls_ssl_send_alert_message(&state_->ssl, level, number));
  flush();
}

void TlsPeer::say_record(std::uint8_t type, std::string_view content) {
  const Outside outside;
  mbedtls_ssl_context& ssl = state_->ssl;
  ssl.out_msgtype = type;
  ssl.out_msglen = content.size();
  std::memcpy(ssl.out_msg, content.data(), content.size());
  expect_success(mbedtls_ssl_write_record(&ssl, 1), "writing a record");
  flush();
}

void TlsPeer::say_raw(std::string_view bytes) {
  out_ += bytes;
  flush();
}

void TlsPeer::renegotiate() {
  using namespace std::literals;
  if (!shared_.options_.is_client) {
    say_record(MBEDTLS_SSL_MSG_HANDSHAKE, "\0\0\0\0"sv);
    return;
  }
  // Version, 32 bytes of chance, no session, one suite, no compression.
  std::string hello = "\x03\x03"s + std::string(32, 'r') + "\0\0\x02\xC0\x2B\x01\0"s;
  say_record(MBEDTLS_SSL_MSG_HANDSHAKE, "\x01\0\0"s + static_cast<char>(hello.size()) + hello);
}

TlsPeer& tls_of(Peer& peer) {
  return dynamic_cast<TlsPeer&>(*peer.layer());
}

}  // namespace pollux::test
