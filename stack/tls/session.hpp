// Session: TLS over one socket. net::Stream uses it; programs see only ConnectionInfo.
//
//   free -> handshaking -> open -> closing -> free        (any -> failed -> free)
//
// A session belongs to a context (ServerContext, ClientContext), which lends it and takes it back. It never closes the socket. What it
// waits for may be the opposite direction: recv() can say want_write and send() can say want_read.
//
// Its functions are virtual (and the class is not final) so that a program that never makes a context links nothing of TLS.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "port/port.hpp"
#include "stack/base/list.hpp"
#include "stack/tls/certificate.hpp"
#include "stack/tls/error.hpp"

struct mbedtls_ssl_config;
struct mbedtls_ssl_context;

namespace pollux::tls {

class Library;
class SessionOwner;

enum class Version : std::uint8_t { tls12, tls13 };
[[nodiscard]] constexpr std::string_view version_name(Version version) noexcept {
  return version == Version::tls13 ? "TLSv1.3" : "TLSv1.2";
}

// What was agreed on, and who the peer is. Valid from the end of the handshake while the session is lent.
struct ConnectionInfo {
  Version version = Version::tls12;
  std::string_view cipher{};  // static text: "TLS1-3-AES-128-GCM-SHA256"
  bool resumed = false;       // by a ticket: no certificate was sent
  bool has_alpn = false;      // both sides named http/1.1
  bool verified = false;      // the peer's certificate was checked and is good
  Error verify_error =
      Error::none;  // what was wrong with it, on a connection that was made in spite of it (Verify::insecure_none)
  bool has_peer = false;  // `peer` is known (resumed client sessions remember it)
  CertificateInfo peer{};
  ShortText<254> server_name{};  // SNI as the client sent it, in lower case
};

enum class Status : std::uint8_t {
  ok,          // handshake: done. recv, send: 1..n bytes moved
  want_read,   // nothing moved; again when the socket is readable
  want_write,  // nothing moved; again when the socket is writable
  again,       // handshake: the slice of this turn is used up; again in the next turn without waiting for the socket
  end,         // recv: the peer's close_notify
  failed,      // error_info() tells; only close() is left
};
struct IoResult {
  Status status = Status::failed;
  std::size_t size = 0;
};

class Session {
 public:
  enum class State : std::uint8_t { free, handshaking, open, closing, failed };
  // What is read from the socket at once, and kept until it is used: one system call for a small record.
  static constexpr std::size_t staging_size = 1024;

  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Goes on with the handshake: as far as the socket and this turn's slice allow. Calls after `ok` are a bug (ENSURE).
  [[nodiscard]] virtual Status handshake() noexcept;
  // As net::Stream: a size below out.size() means that nothing more was there.
  [[nodiscard]] virtual IoResult recv(std::span<char> out) noexcept;
  // Sends of `first`, then `second`, whole records. After want_write or want_read (or a size below what was given) the next send begins
  // with the same bytes: some of them are encrypted already.
  [[nodiscard]] virtual IoResult send(std::string_view first, std::string_view second, bool more) noexcept;
  // Says close_notify; receiving goes on. ok, want_write (again when writable; nothing else may be sent meanwhile) or failed.
  [[nodiscard]] virtual Status shutdown_send() noexcept;
  // Gives the session back. `clean`: says close_notify first if that goes without waiting, so that the peer knows nothing is missing.
  virtual void close(bool clean) noexcept;

  // recv() would go on without the socket becoming readable: its last call stopped because `out` was full.
  [[nodiscard]] bool has_pending() const noexcept { return more_inside_; }
  // Bytes that the socket has given and taken since the last call, of records that are not whole yet, too: they show that the peer is alive
  // while recv() and send() still have nothing to tell.
  [[nodiscard]] std::size_t take_received() noexcept { return std::exchange(received_, 0); }
  [[nodiscard]] std::size_t take_sent() noexcept { return std::exchange(sent_, 0); }
  // For how many bytes a send() is under way that the socket has not taken.
  [[nodiscard]] std::size_t send_pending() const noexcept { return send_pending_; }

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] port::Socket socket() const noexcept { return socket_; }
  [[nodiscard]] const ConnectionInfo& info() const noexcept { return info_; }
  [[nodiscard]] const ErrorInfo& error_info() const noexcept { return error_; }
  [[nodiscard]] bool is_owner() const noexcept { return is_owner_; }

  base::ListLink<Session> link;  // its context's

 private:
  friend class SessionOwner;
  friend class ServerContext;
  friend class ClientContext;
  friend struct SessionHooks;  // mbedTLS's callbacks

  void enter(State state) noexcept;
  Status fail(int code) noexcept;
  [[nodiscard]] bool took_ticket(int code) noexcept;
  [[nodiscard]] int look_at_ticket() noexcept;
  Status handshake_over() noexcept;

  SessionOwner* owner_ = nullptr;
  mbedtls_ssl_context* ssl_ = nullptr;  // in the arena, for good
  port::Socket socket_{};
  State state_ = State::free;
  bool is_server_ = false;
  bool is_owner_ = false;          // admitted over an owner listener
  bool first_bytes_seen_ = false;  // they are TLS
  bool socket_drained_ = false;    // the last read took all there was
  bool socket_ended_ = false;      // and the peer has finished
  bool more_inside_ = false;
  bool notify_seen_ = false;   // the peer's close_notify
  bool notify_begun_ = false;  // ours
  bool notify_sent_ = false;
  bool is_reset_ = false;  // ready to be lent
  bool was_open_ = false;  // its handshake was completed
  bool more_ = false;      // of the send under way
  std::uint8_t set_ = 0;   // server: which set of certificates its handshake uses
  std::size_t send_pending_ = 0;
  std::size_t received_ = 0;  // since take_received()
  std::size_t sent_ = 0;
  std::size_t read_left_ = 0;  // bytes that this call may still take from the socket
  std::uint32_t epoch_ = 0;    // client: of the context when the session was lent
  std::uint16_t staged_at_ = 0;
  std::uint16_t staged_end_ = 0;
  ErrorInfo error_{};
  ConnectionInfo info_{};
  std::array<char, 256> host_{};  // client: the name that is checked, ended by 0
  std::uint16_t host_size_ = 0;
  std::uint16_t host_port_ = 0;
  std::array<std::byte, staging_size> staging_{};
};

// What both contexts have: sessions, the handshake count, the slice of a turn.
class SessionOwner {
 public:
  [[nodiscard]] std::size_t sessions_used() const noexcept { return sessions_used_; }
  [[nodiscard]] std::size_t sessions_used_max() const noexcept { return sessions_used_max_; }
  [[nodiscard]] std::size_t sessions_size() const noexcept { return sessions_.size(); }
  [[nodiscard]] std::size_t handshakes_under_way() const noexcept { return handshakes_; }
  [[nodiscard]] std::size_t handshakes_max() const noexcept { return handshakes_max_; }
  // A new turn of the loop, and a new slice. Whoever drives the sessions says so, once a turn.
  void begin_turn() noexcept {
    slice_used_ = {};
    slice_over_ = false;
  }
  [[nodiscard]] port::Port& port() const noexcept { return port_; }

 protected:
  friend class Session;
  friend struct SessionHooks;
  SessionOwner(Library& library, port::Port& port, std::span<Session> sessions, std::size_t handshakes_max,
               port::Duration slice) noexcept
      : library_{library}, port_{port}, sessions_{sessions}, handshakes_max_{handshakes_max}, slice_{slice} {}
  ~SessionOwner() = default;

  [[nodiscard]] bool set_up(Session& session, const mbedtls_ssl_config& config, bool is_server) noexcept;
  void tear_down() noexcept;
  [[nodiscard]] Session* lend(port::Socket socket) noexcept;
  void take_back(Session& session) noexcept;
  void handshake_ended(Session& session) noexcept;  // well or not
  [[nodiscard]] bool arena_has(std::size_t size) const noexcept;
  // Sets aside what is left of `size` bytes, of which everything above `used_before` is taken already. False: it is not there.
  [[nodiscard]] bool promise_arena(std::size_t size, std::size_t used_before) noexcept;

  // ---- what differs
  virtual void handshake_over(Session& session) noexcept = 0;     // well
  virtual void release_handshake(Session& session) noexcept = 0;  // what only the handshake needed
  virtual void ticket_came(Session& session) noexcept = 0;
  virtual void forget(Session& session) noexcept = 0;  // it is given back

  Library& library_;
  port::Port& port_;
  std::span<Session> sessions_;
  base::List<Session, &Session::link> free_;
  std::size_t handshakes_max_ = 0;
  std::size_t handshakes_ = 0;
  std::size_t sessions_used_ = 0;
  std::size_t sessions_used_max_ = 0;
  std::size_t promised_ = 0;  // bytes of the arena
  port::Duration slice_{};
  port::Duration slice_used_{};
  bool slice_over_ = false;
};

}  // namespace pollux::tls
