// ProxyTunnel: from "connected to the proxy" to "connected to the target": one CONNECT exchange (HTTP), or the two to three exchanges of
// SOCKS5. When it is done the connection is the target's, and its first byte is ours to send.
//
//   ready -> sending <-> awaiting -> done
//               \___________\_______> failed             (any -> sending or failed by start())
//
// HTTP is one round of sending and awaiting. SOCKS5 is a greeting, the credentials if the proxy wants them, and the request. It has no
// deadline of its own: its user's is running (TransportTimeouts::proxy). Nothing beyond the proxy's answer is read in SOCKS, whose answers
// tell their size; bytes behind the head of an HTTP answer are an error, since nobody speaks before us in what follows.
//
//   tunnel.start({.kind = proxy.kind(), .host = "example.net", .port = 443, .has_user = proxy.has_user(), .user = proxy.user(),
//                 .password = proxy.password()});
//   switch (tunnel.step(stream)) { case ProxyTunnel::Status::want_read: ...poll for it and step again... }
//
// Sources: RFC 9110 section 9.3.6 (CONNECT), RFC 7617 (Basic), RFC 1928 (SOCKS5), RFC 1929 (user and password).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "stack/base/buffer.hpp"
#include "stack/http/proxy.hpp"
#include "stack/net/stream.hpp"
#include "stack/wire/message_reader.hpp"

namespace pollux::http {

enum class TunnelError : std::uint8_t {
  none,
  refused,         // an HTTP status other than 2xx and 407, or a SOCKS reply: code() and reason() tell
  authentication,  // status 407; or SOCKS: the credentials were refused, or none of our methods is good enough
  malformed,       // not an answer of this protocol, or bytes behind it; or a target that no CONNECT request can name
  too_large,  // the request or the head of the answer does not fit into buffer_size, or there are too many interim answers
  closed,     // the proxy finished before its answer was complete
  lost,       // the connection broke
};
// "the proxy refused the connection": static text for messages.
[[nodiscard]] std::string_view describe(TunnelError error) noexcept;

// "host unreachable" for 4: the replies of RFC 1928 section 6; static text.
[[nodiscard]] std::string_view describe_socks_reply(int code) noexcept;

struct TunnelRequest {
  ProxyKind kind = ProxyKind::http;
  // A literal address, in brackets or not, is sent to a SOCKS proxy as an address (its zone, which counts on this machine only, left out), a
  // name as a name. That is so for socks5 too, although there the name is ours to resolve: who wants that gives the address. Proxies
  // take names whatever the scheme said, and the one they find is the one that can be reached from there.
  std::string_view host{};
  std::uint16_t port = 0;
  bool has_user = false;  // there are credentials; either part may be empty
  std::string_view user{};
  std::string_view password{};
  // CONNECT only: more field lines, each ended by CRLF ("X-Token: 1\r\n"), which must not repeat Host, User-Agent and Proxy-Authorization;
  // and the value of User-Agent, empty for none.
  std::string_view fields{};
  std::string_view user_agent{};
};

class ProxyTunnel {
 public:
  static constexpr std::size_t buffer_size = 2048;  // the request, and then the answer
  static constexpr std::size_t fields_max = 32;     // of an answer
  static constexpr int interim_max = 8;             // 1xx answers passed over

  enum class State : std::uint8_t { ready, sending, awaiting, done, failed };
  enum class Status : std::uint8_t { want_read, want_write, done, failed };

  constexpr ProxyTunnel() = default;
  ProxyTunnel(const ProxyTunnel&) = delete;  // the reader looks into the buffer
  ProxyTunnel& operator=(const ProxyTunnel&) = delete;

  // Everything is copied. What is wrong with the request shows in the first step(). In any state: what was before is forgotten.
  void start(const TunnelRequest& request) noexcept;
  // Moves what can be moved without waiting. After done and failed it says so again.
  [[nodiscard]] Status step(net::Stream& stream) noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] TunnelError error() const noexcept { return error_; }
  // The HTTP status (also of a success), or the SOCKS reply, or what the proxy answered to the credentials; 0 if there is none.
  [[nodiscard]] int code() const noexcept { return code_; }
  // What goes with code(): the reason phrase as the proxy sent it, or the text for the SOCKS reply. Valid until start(); may be empty.
  [[nodiscard]] std::string_view reason() const noexcept { return reason_; }

 private:
  // What was sent, or is being sent, and so what is awaited.
  enum class Exchange : std::uint8_t { connect, greeting, credentials, request };

  void enter(State state) noexcept;
  Status fail(TunnelError error) noexcept;
  void fail_with_code(TunnelError error, int code, std::string_view reason) noexcept;
  [[nodiscard]] TunnelError write_connect(const TunnelRequest& request) noexcept;
  [[nodiscard]] TunnelError write_socks(const TunnelRequest& request) noexcept;
  void send(Exchange exchange) noexcept;
  [[nodiscard]] Status step_sending(net::Stream& stream) noexcept;
  [[nodiscard]] Status step_awaiting(net::Stream& stream) noexcept;
  void expect_answer() noexcept;
  void look_at_answer() noexcept;
  void look_at_connect_answer() noexcept;
  void look_at_connect_head() noexcept;
  void look_at_method() noexcept;
  void look_at_credentials_answer() noexcept;
  void look_at_socks_reply() noexcept;

  struct Part {
    std::uint16_t begin = 0;
    std::uint16_t end = 0;
  };

  std::array<char, buffer_size> buffer_{};
  std::array<wire::Field, fields_max> fields_{};
  wire::MessageReader reader_{};
  base::Buffer in_{};          // the answer, in buffer_ behind what is still to be sent
  std::size_t wanted_ = 0;     // SOCKS: bytes the answer has at least, so that not one more is read
  std::array<Part, 4> out_{};  // by Exchange, in buffer_
  std::size_t sent_ = 0;       // of the current part
  State state_ = State::ready;
  Exchange exchange_ = Exchange::connect;
  TunnelError error_ = TunnelError::none;
  bool has_credentials_ = false;
  int interim_count_ = 0;
  int code_ = 0;
  std::string_view reason_{};
};

}  // namespace pollux::http
