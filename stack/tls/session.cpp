#include "stack/tls/session.hpp"

#include <mbedtls/oid.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/tls/session_hooks.hpp"

namespace pollux::tls {

namespace {

using State = Session::State;

constexpr unsigned bit(State state) {
  return 1U << static_cast<unsigned>(state);
}

// Which states may follow each state.
constexpr std::array<unsigned, 5> allowed{
    /* free */ bit(State::handshaking),
    /* handshaking */ bit(State::open) | bit(State::failed) | bit(State::free),
    /* open */ bit(State::closing) | bit(State::failed) | bit(State::free),
    /* closing */ bit(State::failed) | bit(State::free),
    /* failed */ bit(State::free),
};

// What one call sends, and takes from the socket, at most, so that a fast peer does not keep the loop. The latter counts ciphertext: mbedTLS reads
// on by itself over records that mean nothing (warnings, empty ones), and a peer can send those for ever.
constexpr std::size_t send_max = 256 * 1024;
constexpr std::size_t receive_max = 64 * 1024;
// Two spans that fit into one record of this size are put together: one record, one system call.
constexpr std::size_t gather_size = 4096;
// What is at the start of every TLS record: type, version, size.
constexpr std::size_t record_header_size = 5;
constexpr char record_alert = 0x15;
constexpr char record_handshake = 0x16;

bool is_http_request(std::string_view text) noexcept {
  // The first five bytes, as net/http looks at them.
  return base::starts_with(text, "GET /") || base::starts_with(text, "HEAD ") || base::starts_with(text, "POST ") ||
         base::starts_with(text, "PUT /") || base::starts_with(text, "OPTIO");
}

int write_nothing(mbedtls_ssl_context* ssl) noexcept {
  static constexpr unsigned char nothing = 0;
  return mbedtls_ssl_write(ssl, &nothing, 0);
}

bool is_tls13([[maybe_unused]] const mbedtls_ssl_context* ssl) noexcept {
#if POLLUX_TLS_13
  return mbedtls_ssl_get_version_number(ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
#else
  return false;
#endif
}

// As far as it goes without waiting.
void say_fatal(mbedtls_ssl_context* ssl, unsigned char alert) noexcept {
  static_cast<void>(mbedtls_ssl_send_alert_message(ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert));
}

bool has_output(const mbedtls_ssl_context* ssl) noexcept {
  return ssl->MBEDTLS_PRIVATE(out_left) != 0;
}

Error error_of_code(int code) noexcept {
  switch (code) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
      return Error::alert;
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
      return Error::closed;
    case hook_connection_lost:
      return Error::lost;
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
      return Error::no_certificate;
    case MBEDTLS_ERR_SSL_CA_CHAIN_REQUIRED:
      return Error::unknown_authority;
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL:
      return Error::alpn;
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
      return Error::version;
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
    case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
    case MBEDTLS_ERR_SSL_DECODE_ERROR:
    case MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER:
    case MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION:
      return code == MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE ? Error::no_common_cipher : Error::protocol;
#else
    case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION:
      return Error::version;
    case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN:
    case MBEDTLS_ERR_SSL_NO_USABLE_CIPHERSUITE:
    case MBEDTLS_ERR_SSL_BAD_HS_CLIENT_HELLO:
      return Error::no_common_cipher;
#endif
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
    case MBEDTLS_ERR_SSL_INVALID_MAC:
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
    case MBEDTLS_ERR_SSL_BAD_INPUT_DATA:  // a record that says it is larger than any may be
      return Error::protocol;
    default:
      return Error::internal;
  }
}

}  // namespace

// ---- mbedTLS's callbacks

int SessionHooks::receive(void* object, unsigned char* buffer, std::size_t size) noexcept {
  Session& session = *static_cast<Session*>(object);
  std::byte* const out = reinterpret_cast<std::byte*>(buffer);
  for (;;) {
    const std::size_t staged = static_cast<std::size_t>(session.staged_end_ - session.staged_at_);
    if (staged != 0 && !session.first_bytes_seen_) {
      const std::string_view text{reinterpret_cast<const char*>(session.staging_.data()) + session.staged_at_, staged};
      if (text.front() == record_handshake || text.front() == record_alert) {
        session.first_bytes_seen_ = true;
      } else if (staged >= record_header_size || session.socket_ended_) {
        session.first_bytes_seen_ = true;
        const bool is_plain = session.is_server_ ? is_http_request(text) : base::starts_with(text, "HTTP/");
        session.error_.error =
            is_plain ? (session.is_server_ ? Error::plain_http : Error::peer_is_plain) : Error::protocol;
        return MBEDTLS_ERR_SSL_INVALID_RECORD;
      }
    }
    if (staged != 0 && session.first_bytes_seen_) {
      const std::size_t count = std::min(staged, size);
      std::copy_n(session.staging_.data() + session.staged_at_, count, out);
      session.staged_at_ = static_cast<std::uint16_t>(session.staged_at_ + count);
      if (session.staged_at_ == session.staged_end_) {
        session.staged_at_ = session.staged_end_ = 0;
      }
      return static_cast<int>(count);
    }
    if (session.socket_ended_) {
      return 0;
    }
    if (session.socket_drained_ || session.read_left_ == 0) {
      return MBEDTLS_ERR_SSL_WANT_READ;  // in the latter case poll() says at once that there is more
    }
    // The body of a large record goes where it belongs; everything else is read in one piece and handed out from there.
    const bool direct = size >= Session::staging_size && session.first_bytes_seen_;
    std::span<std::byte> room =
        direct ? std::span{out, size} : std::span{session.staging_}.subspan(session.staged_end_);
    room = room.first(std::min(room.size(), session.read_left_));
    const port::IoResult result = session.owner_->port().recv(session.socket_, room);
    switch (result.status) {
      case port::IoStatus::ok:
        session.socket_drained_ = result.size < room.size();
        session.received_ += result.size;
        session.read_left_ -= result.size;
        if (direct) {
          return static_cast<int>(result.size);
        }
        session.staged_end_ = static_cast<std::uint16_t>(session.staged_end_ + result.size);
        continue;
      case port::IoStatus::would_block:
        session.socket_drained_ = true;
        return MBEDTLS_ERR_SSL_WANT_READ;
      case port::IoStatus::end:
        session.socket_ended_ = true;
        continue;
      case port::IoStatus::failed:
        return hook_connection_lost;
    }
  }
}

int SessionHooks::send(void* object, const unsigned char* buffer, std::size_t size) noexcept {
  Session& session = *static_cast<Session*>(object);
  const std::span bytes{reinterpret_cast<const std::byte*>(buffer), size};
  const port::IoResult result = session.owner_->port().send(session.socket_, bytes, {}, session.more_);
  switch (result.status) {
    case port::IoStatus::ok:
      session.sent_ += result.size;
      return static_cast<int>(result.size);
    case port::IoStatus::would_block:
      return MBEDTLS_ERR_SSL_WANT_WRITE;
    case port::IoStatus::end:
    case port::IoStatus::failed:
      break;
  }
  return hook_connection_lost;
}

std::uint32_t SessionHooks::usage_flags(const mbedtls_x509_crt& certificate, bool of_client) noexcept {
  const char* const usage = of_client ? MBEDTLS_OID_CLIENT_AUTH : MBEDTLS_OID_SERVER_AUTH;
  static_assert(sizeof(MBEDTLS_OID_CLIENT_AUTH) == sizeof(MBEDTLS_OID_SERVER_AUTH));
  const int code =
      mbedtls_x509_crt_check_extended_key_usage(&certificate, usage, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
  return code == 0 ? 0U : std::uint32_t{MBEDTLS_X509_BADCERT_EXT_KEY_USAGE};
}

// Notes what is wrong with a certificate, the first that is; the leaf comes last.
void SessionHooks::note(Session& session, const mbedtls_x509_crt& certificate, Error error) noexcept {
  if (session.error_.error != Error::none || error == Error::none) {
    return;
  }
  session.error_.error = error;
  if (error == Error::expired) {
    session.error_.date_seconds = seconds_of(certificate.valid_to);
  } else if (error == Error::not_yet_valid) {
    session.error_.date_seconds = seconds_of(certificate.valid_from);
  }
  session.error_.now_seconds = session.owner_->port().wall_clock().seconds;
}

#if POLLUX_TLS_13
void SessionHooks::change_keys(mbedtls_ssl_context& ssl, mbedtls_ssl_transform* keys) noexcept {
  ssl.MBEDTLS_PRIVATE(transform_out) = keys;
  std::fill(std::begin(ssl.MBEDTLS_PRIVATE(cur_out_ctr)), std::end(ssl.MBEDTLS_PRIVATE(cur_out_ctr)), std::uint8_t{0});
}

void SessionHooks::change_keys_after_finished(mbedtls_ssl_context& ssl) noexcept {
  const int state = ssl.MBEDTLS_PRIVATE(state);
  mbedtls_ssl_transform* const keys = ssl.MBEDTLS_PRIVATE(transform_application);  // nullptr in TLS 1.2
  if (keys != nullptr && ssl.MBEDTLS_PRIVATE(transform_out) != keys &&
      (state == MBEDTLS_SSL_CLIENT_CERTIFICATE || state == MBEDTLS_SSL_CLIENT_FINISHED)) {
    change_keys(ssl, keys);
  }
}
#endif

bool SessionHooks::is_own_issuer(const mbedtls_x509_crt& certificate) noexcept {
  const mbedtls_x509_buf& subject = certificate.subject_raw;
  const mbedtls_x509_buf& issuer = certificate.issuer_raw;
  return subject.len == issuer.len && std::equal(subject.p, subject.p + subject.len, issuer.p);
}

bool SessionHooks::is_trusted_itself(const TrustStore* trust, const mbedtls_x509_crt& certificate) noexcept {
  return trust != nullptr && is_own_issuer(certificate) &&
         trust->contains({reinterpret_cast<const std::byte*>(certificate.raw.p), certificate.raw.len});
}

// ---- states

void Session::enter(State state) noexcept {
  ENSURE((allowed[static_cast<unsigned>(state_)] & bit(state)) != 0);
  if (state_ == State::handshaking) {
    owner_->handshake_ended(*this);
  }
  state_ = state;
}

// The reason an alert or a verification gave stands; else the code says what there is to say.
Status Session::fail(int code) noexcept {
  if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    error_.error = Error::alert;
    error_.alert = ssl_->MBEDTLS_PRIVATE(in_msg)[1];
  } else if (code == hook_connection_lost) {
    error_.error = Error::lost;
  } else if (is_no_memory(code)) {
    error_.error = Error::no_memory;
  } else if (error_.error == Error::none) {
    error_.error = error_of_code(code);
    std::uint32_t flags = state_ == State::handshaking ? mbedtls_ssl_get_verify_result(ssl_) : 0;
    // A server that asks for no certificate has this from the start: nothing was looked at.
    flags = flags == MBEDTLS_X509_BADCERT_SKIP_VERIFY ? 0 : flags;
    if (flags != 0 && flags != UINT32_MAX && error_.error != Error::closed && error_.error != Error::no_memory) {
      if (const Error verify_error = error_of_flags(flags, false); verify_error != Error::none) {
        error_.error = verify_error;
      }
    }
  }
  if (state_ != State::handshaking && error_.error == Error::closed) {
    error_.error = Error::truncated;
  }
  info_.verified = info_.verified && state_ != State::handshaking;
  // mbedTLS falls silent here, and the peer could only guess.
  if (code == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE && !is_tls13(ssl_)) {
    say_fatal(ssl_, MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
  } else if (code == MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE && state_ != State::handshaking) {
    say_fatal(ssl_, MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE);
  }
  error_.code = code;
  enter(State::failed);
  return Status::failed;
}

Status Session::handshake() noexcept {
  ENSURE(state_ == State::handshaking);
  if (owner_->slice_over_) {
    return Status::again;
  }
  port::Port& port = owner_->port();
  socket_drained_ = false;
  read_left_ = receive_max;
  const port::Time start = port.now();
  const port::Duration used = owner_->slice_used_;
  for (;;) {
    if (ssl_->MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_SERVER_CERTIFICATE) {
      info_.resumed = false;  // a handshake that resumes passes this by
    }
#if POLLUX_TLS_13
    if (is_server_) {
      SessionHooks::change_keys_after_finished(*ssl_);
    }
#endif
    const int code = mbedtls_ssl_handshake_step(ssl_);
    owner_->slice_used_ = used + (port.now() - start);
    if (code == MBEDTLS_ERR_SSL_WANT_READ) {
      return Status::want_read;
    }
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE) {
      return Status::want_write;
    }
#if POLLUX_TLS_13
    if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
      continue;
    }
#endif
    if (code != 0) {
      return fail(code);
    }
    if (ssl_->MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_HANDSHAKE_OVER) {
      return handshake_over();
    }
    if (owner_->slice_used_ >= owner_->slice_) {
      owner_->slice_over_ = true;
      return Status::again;
    }
  }
}

Status Session::handshake_over() noexcept {
#if POLLUX_TLS_13
  const bool is_13 = mbedtls_ssl_get_version_number(ssl_) == MBEDTLS_SSL_VERSION_TLS1_3;
  info_.version = is_13 ? Version::tls13 : Version::tls12;
#endif
  // Whether a certificate is meant for this end of TLS is looked at after our own look.
  info_.verified = info_.verified && (info_.resumed || mbedtls_ssl_get_verify_result(ssl_) == 0);
  info_.cipher = mbedtls_ssl_get_ciphersuite(ssl_);
  info_.has_alpn = mbedtls_ssl_get_alpn_protocol(ssl_) != nullptr;
  more_inside_ = staged_at_ != staged_end_ || mbedtls_ssl_check_pending(ssl_) != 0;
  if (is_server_ && info_.has_peer && !info_.verified) {
    // ClientAuth::request: mbedTLS has gone on with a certificate that is not good.
    say_fatal(ssl_, MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
    return fail(MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
  }
  // What the peer is was copied; its certificates would stay in the arena for as long as the connection.
  mbedtls_x509_crt*& certificates = ssl_->MBEDTLS_PRIVATE(session)->MBEDTLS_PRIVATE(peer_cert);
  if (certificates != nullptr) {
    mbedtls_x509_crt_free(certificates);
    mbedtls_free(certificates);
    certificates = nullptr;
  }
  enter(State::open);
  was_open_ = true;
  error_ = {};
  owner_->handshake_over(*this);
  return Status::ok;
}

// ---- bytes

// Whether mbedTLS stopped only to say that a ticket was received: any of its calls may, once one has arrived.
bool Session::took_ticket([[maybe_unused]] int code) noexcept {
#if POLLUX_TLS_13
  if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
    owner_->ticket_came(*this);
    return true;
  }
#endif
  return false;
}

// mbedTLS looks at a ticket only after it has sent what is under way, although a ticket is not answered. A server that has refused our
// body and does not read it any more could then not be heard: so the record that waits is put aside meanwhile.
int Session::look_at_ticket() noexcept {
  std::size_t& left = ssl_->MBEDTLS_PRIVATE(out_left);
  const std::size_t waiting = std::exchange(left, 0);
  const int code = mbedtls_ssl_handshake_step(ssl_);
  left = left == 0 ? waiting : left;  // else it is an alert, and `code` an error
  return code;
}

IoResult Session::recv(std::span<char> out) noexcept {
  if (state_ == State::failed) {
    more_inside_ = false;
    return {Status::failed, 0};
  }
  ENSURE(state_ == State::open || state_ == State::closing);
  ENSURE(!out.empty());
  if (notify_seen_) {
    more_inside_ = false;
    return {Status::end, 0};
  }
  socket_drained_ = false;
  read_left_ = receive_max;
  std::size_t size = 0;
  while (size < out.size()) {
    int code = mbedtls_ssl_read(ssl_, reinterpret_cast<unsigned char*>(out.data()) + size, out.size() - size);
#if POLLUX_TLS_13
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE && ssl_->MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_TLS1_3_NEW_SESSION_TICKET) {
      code = look_at_ticket();
    }
#endif
    if (code > 0) {
      size += static_cast<std::size_t>(code);
      continue;
    }
    if (took_ticket(code)) {
      continue;
    }
#if POLLUX_TLS_13
    if (code == MBEDTLS_ERR_SSL_WANT_READ && ssl_->MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_TLS1_3_NEW_SESSION_TICKET) {
      continue;  // the ticket is here, and looked at by the next call
    }
#endif
    if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
      more_inside_ = false;
      if (size != 0) {
        return {Status::ok, size};
      }
      return {code == MBEDTLS_ERR_SSL_WANT_READ ? Status::want_read : Status::want_write, 0};
    }
    if (code == 0 && (!socket_ended_ || staged_at_ != staged_end_)) {
      continue;  // a record without data; mbedTLS takes no more than three of them in turn
    }
    // What came before the end is handed out first; the end is told by the next call.
    more_inside_ = size != 0;
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
      notify_seen_ = true;
      return size != 0 ? IoResult{Status::ok, size} : IoResult{Status::end, 0};
    }
    fail(code == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : code);
    return size != 0 ? IoResult{Status::ok, size} : IoResult{Status::failed, 0};
  }
  more_inside_ = staged_at_ != staged_end_ || mbedtls_ssl_check_pending(ssl_) != 0;
  return {Status::ok, size};
}

IoResult Session::send(std::string_view first, std::string_view second, bool more) noexcept {
  if (state_ == State::failed) {
    return {Status::failed, 0};
  }
  ENSURE(state_ == State::open);
  ENSURE(!notify_sent_);
  std::array<char, gather_size> gathered;
  const int payload_max = mbedtls_ssl_get_max_out_record_payload(ssl_);
  const std::size_t record_max = payload_max > 0 ? static_cast<std::size_t>(payload_max) : gather_size;
  std::size_t sent = 0;
  while (!first.empty() || !second.empty()) {
    std::string_view record;
    const bool went_out = send_pending_ != 0 && !has_output(ssl_);
    if (send_pending_ != 0) {
      // Encrypted already: mbedTLS only needs its size again.
      ENSURE(send_pending_ <= first.size() + second.size());
      record = {first.empty() ? second.data() : first.data(), send_pending_};
    } else {
      if (has_output(ssl_)) {  // an alert that recv() could not get rid of
        const int code = write_nothing(ssl_);
        if (took_ticket(code)) {
          continue;
        }
        if (code == MBEDTLS_ERR_SSL_WANT_WRITE) {
          return sent != 0 ? IoResult{Status::ok, sent} : IoResult{Status::want_write, 0};
        }
        if (code < 0) {
          return {fail(code), 0};
        }
      }
      const std::size_t gather_max = std::min(record_max, gathered.size());
      if (first.empty() || second.empty() || first.size() >= gather_max) {
        record = first.empty() ? second : first;
        record = {record.data(), std::min(record.size(), record_max)};
      } else {
        const std::size_t taken = std::min(second.size(), gather_max - first.size());
        std::copy_n(first.data(), first.size(), gathered.data());
        std::copy_n(second.data(), taken, gathered.data() + first.size());
        record = {gathered.data(), first.size() + taken};
      }
    }
    more_ = more || record.size() < first.size() + second.size();
    // Whoever had to send before it could receive (a ticket, an alert) sent the record that was waiting; mbedTLS would not know it again.
    const int code =
        went_out ? static_cast<int>(record.size())
                 : mbedtls_ssl_write(ssl_, reinterpret_cast<const unsigned char*>(record.data()), record.size());
    if (took_ticket(code)) {
      continue;
    }
    if (code < 0) {
      if (code != MBEDTLS_ERR_SSL_WANT_WRITE && code != MBEDTLS_ERR_SSL_WANT_READ) {
        return {fail(code), 0};
      }
      send_pending_ = record.size();
      if (sent != 0) {
        return {Status::ok, sent};
      }
      return {code == MBEDTLS_ERR_SSL_WANT_READ ? Status::want_read : Status::want_write, 0};
    }
    const std::size_t count = static_cast<std::size_t>(code);
    send_pending_ = 0;
    sent += count;
    const std::size_t of_first = std::min(count, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(count - of_first);
    if (sent >= send_max) {
      break;
    }
  }
  return {Status::ok, sent};
}

Status Session::shutdown_send() noexcept {
  if (state_ == State::failed || state_ == State::handshaking) {
    return Status::failed;
  }
  ENSURE(state_ == State::open || state_ == State::closing);
  if (state_ == State::open) {
    enter(State::closing);
  }
  if (notify_sent_) {
    return Status::ok;
  }
  more_ = false;
  if (!notify_begun_) {
    // Not behind a record that was never finished: its bytes are lost, and the peer shall notice.
    if (send_pending_ != 0) {
      return Status::failed;
    }
    if (has_output(ssl_)) {
      if (const int code = write_nothing(ssl_); !took_ticket(code) && code < 0) {
        return code == MBEDTLS_ERR_SSL_WANT_WRITE ? Status::want_write : fail(code);
      }
    }
    notify_begun_ = true;
  }
  const int code = mbedtls_ssl_close_notify(ssl_);
  if (code == MBEDTLS_ERR_SSL_WANT_WRITE) {
    return Status::want_write;
  }
  if (code != 0) {
    return fail(code);
  }
  notify_sent_ = true;
  return Status::ok;
}

void Session::close(bool clean) noexcept {
  if (state_ == State::free) {
    return;
  }
  if (clean && (state_ == State::open || state_ == State::closing)) {
    static_cast<void>(shutdown_send());
  }
  enter(State::free);
  owner_->take_back(*this);
}

// ---- what both contexts do

void SessionOwner::handshake_ended(Session& session) noexcept {
  ENSURE(handshakes_ > 0);
  --handshakes_;
  if (session.state_ == Session::State::handshaking) {
    release_handshake(session);
  }
}

// Ready for the next connection: buffers stay, everything else is forgotten, keys are wiped.
void SessionOwner::take_back(Session& session) noexcept {
  ENSURE(sessions_used_ > 0);
  --sessions_used_;
  forget(session);
  // Fails only for want of memory; tried again when it is lent.
  session.is_reset_ = mbedtls_ssl_session_reset(session.ssl_) == 0;
  session.socket_ = {};
  free_.push_front(session);
}

Session* SessionOwner::lend(port::Socket socket) noexcept {
  Session* session = free_.front();
  if (session == nullptr || handshakes_ == handshakes_max_) {
    return nullptr;
  }
  if (!session->is_reset_) {
    session->is_reset_ = mbedtls_ssl_session_reset(session->ssl_) == 0;
    if (!session->is_reset_) {
      return nullptr;
    }
  }
  free_.remove(*session);
  session->socket_ = socket;
  session->is_owner_ = false;
  session->first_bytes_seen_ = false;
  session->socket_drained_ = false;
  session->socket_ended_ = false;
  session->more_inside_ = false;
  session->notify_seen_ = false;
  session->notify_begun_ = false;
  session->notify_sent_ = false;
  session->more_ = false;
  session->was_open_ = false;
  session->send_pending_ = 0;
  session->received_ = session->sent_ = 0;
  session->staged_at_ = session->staged_end_ = 0;
  session->error_ = {};
  session->info_ = {};
  session->info_.resumed = true;  // until a certificate is seen to be sent
  session->enter(Session::State::handshaking);
  ++handshakes_;
  ++sessions_used_;
  sessions_used_max_ = std::max(sessions_used_max_, sessions_used_);
  return session;
}

bool SessionOwner::set_up(Session& session, const mbedtls_ssl_config& config, bool is_server) noexcept {
  session.owner_ = this;
  session.is_server_ = is_server;
  session.ssl_ = static_cast<mbedtls_ssl_context*>(mbedtls_calloc(1, sizeof(mbedtls_ssl_context)));
  if (session.ssl_ == nullptr) {
    return false;
  }
  mbedtls_ssl_init(session.ssl_);
  if (mbedtls_ssl_setup(session.ssl_, &config) != 0) {
    return false;
  }
  mbedtls_ssl_set_bio(session.ssl_, &session, &SessionHooks::send, &SessionHooks::receive, nullptr);
  session.is_reset_ = true;
  free_.push_back(session);
  return true;
}

void SessionOwner::tear_down() noexcept {
  ENSURE(sessions_used_ == 0);
  library_.take_back_promise(promised_);
  promised_ = 0;
  for (Session& session : sessions_) {
    if (session.link.is_linked) {
      free_.remove(session);
    }
    if (session.ssl_ != nullptr) {
      mbedtls_ssl_free(session.ssl_);
      mbedtls_free(session.ssl_);
      session.ssl_ = nullptr;
    }
  }
}

bool SessionOwner::promise_arena(std::size_t size, std::size_t used_before) noexcept {
  const std::size_t taken = library_.arena_use().used - used_before;
  const std::size_t rest = size > taken ? size - taken : 0;
  if (!library_.promise(rest)) {
    return false;
  }
  promised_ = rest;
  return true;
}

bool SessionOwner::arena_has(std::size_t size) const noexcept {
  if (!Library::has_arena()) {
    return true;
  }
  const ArenaUse use = library_.arena_use();
  return use.size - use.used >= size;
}

}  // namespace pollux::tls
