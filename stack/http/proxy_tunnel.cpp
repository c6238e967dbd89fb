#include "stack/http/proxy_tunnel.hpp"

#include <algorithm>

#include "port/address.hpp"
#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

// RFC 1928 sections 3 to 6 and RFC 1929 section 2.
constexpr char socks_version = 5;
constexpr char credentials_version = 1;
constexpr int method_none = 0x00;
constexpr int method_credentials = 0x02;
constexpr int method_not_acceptable = 0xff;
constexpr char command_connect = 1;
constexpr int address_ipv4 = 1;
constexpr int address_name = 3;
constexpr int address_ipv6 = 4;
constexpr std::size_t name_size_max = 255;
// The answer to the request: version, reply, reserved, kind of address; then the address and a port. The first byte of a name is its size.
constexpr std::size_t reply_front = 5;

// Moves in one step(): a proxy that sends without end must not hold the loop. What is left is found readable in the next turn.
constexpr int moves_max = 32;

constexpr char byte_of(std::size_t value) noexcept {
  return static_cast<char>(static_cast<unsigned char>(value & 0xff));
}
constexpr int value_of(char byte) noexcept {
  return static_cast<unsigned char>(byte);
}

// "[fe80::1%2]" and "[fe80::1%252]" are "fe80::1" to anybody else.
std::string_view without_zone(std::string_view host) noexcept {
  host = wire::strip_brackets(host);
  return host.find(':') == std::string_view::npos ? host : wire::cut(host, '%').before;
}

// Whether `to` may follow `from`, by State: ready, sending, awaiting, done, failed.
constexpr bool steps[5][5] = {
    {false, true, false, false, true},  // ready
    {false, true, true, false, true},   // sending; again by start()
    {false, true, false, true, true},   // awaiting
    {false, true, false, false, true},  // done
    {false, true, false, false, true},  // failed
};

}  // namespace

void ProxyTunnel::enter(State state) noexcept {
  ENSURE(steps[static_cast<std::size_t>(state_)][static_cast<std::size_t>(state)]);
  state_ = state;
}

ProxyTunnel::Status ProxyTunnel::fail(TunnelError error) noexcept {
  error_ = error;
  enter(State::failed);
  return Status::failed;
}

void ProxyTunnel::fail_with_code(TunnelError error, int code, std::string_view reason) noexcept {
  code_ = code;
  reason_ = reason;
  fail(error);
}

// ---- what we say

void ProxyTunnel::start(const TunnelRequest& request) noexcept {
  error_ = TunnelError::none;
  has_credentials_ = request.has_user;
  interim_count_ = 0;
  code_ = 0;
  reason_ = {};
  out_ = {};
  const bool is_http = request.kind == ProxyKind::http;
  ENSURE(is_http || request.kind == ProxyKind::socks5 || request.kind == ProxyKind::socks5h);
  if (const TunnelError error = is_http ? write_connect(request) : write_socks(request); error != TunnelError::none) {
    fail(error);
    return;
  }
  send(is_http ? Exchange::connect : Exchange::greeting);
}

void ProxyTunnel::send(Exchange exchange) noexcept {
  exchange_ = exchange;
  sent_ = 0;
  enter(State::sending);
}

// An IPv6 address stands in brackets, without its zone.
TunnelError ProxyTunnel::write_connect(const TunnelRequest& request) noexcept {
  base::TextWriter out{buffer_};
  const std::string_view host = without_zone(request.host);
  // Whoever could put a line end here would write the proxy's next request.
  if (host.empty() || std::any_of(host.begin(), host.end(),
                                  [](char c) { return c == ' ' || wire::is_control(c) || !wire::is_ascii(c); })) {
    return TunnelError::malformed;
  }
  const bool is_ipv6 = host.find(':') != std::string_view::npos;
  const auto put_target = [&] {
    out.put(is_ipv6 ? "[" : "").put(host).put(is_ipv6 ? "]:" : ":").put_decimal(request.port);
  };
  out.put("CONNECT ");
  put_target();
  out.put(" HTTP/1.1\r\nHost: ");
  put_target();
  out.put("\r\n");
  if (!request.user_agent.empty()) {
    out.put("User-Agent: ").put(request.user_agent).put("\r\n");
  }
  if (has_credentials_) {
    std::array<char, basic_size_max> text{};
    const std::string_view credentials = write_basic_credentials(request.user, request.password, text);
    if (credentials.empty()) {
      return TunnelError::too_large;
    }
    out.put("Proxy-Authorization: ").put(credentials).put("\r\n");
  }
  out.put(request.fields).put("\r\n");
  out_[static_cast<std::size_t>(Exchange::connect)] = {.begin = 0, .end = static_cast<std::uint16_t>(out.size())};
  return out.overflowed() ? TunnelError::too_large : TunnelError::none;
}

// All three messages at once, so that nothing of the request has to live on. They fit: two sizes of one byte each for the credentials, and one
// for the name.
TunnelError ProxyTunnel::write_socks(const TunnelRequest& request) noexcept {
  static_assert(4 + 3 + 2 * Proxy::credentials_size_max + 7 + name_size_max + reply_front + name_size_max + 2 <
                buffer_size);
  base::TextWriter out{buffer_};
  const auto end_part = [&](Exchange exchange, std::size_t begin) {
    out_[static_cast<std::size_t>(exchange)] = {.begin = static_cast<std::uint16_t>(begin),
                                                .end = static_cast<std::uint16_t>(out.size())};
  };
  const std::string_view host = without_zone(request.host);
  if (request.user.size() > Proxy::credentials_size_max || request.password.size() > Proxy::credentials_size_max ||
      host.size() > name_size_max) {
    return TunnelError::too_large;
  }
  if (host.empty()) {
    return TunnelError::malformed;
  }

  out.put(socks_version).put(has_credentials_ ? '\2' : '\1').put(byte_of(method_none));
  if (has_credentials_) {
    out.put(byte_of(method_credentials));
  }
  end_part(Exchange::greeting, 0);

  std::size_t begin = out.size();
  out.put(credentials_version).put(byte_of(request.user.size())).put(request.user);
  out.put(byte_of(request.password.size())).put(request.password);
  end_part(Exchange::credentials, begin);

  begin = out.size();
  out.put(socks_version).put(command_connect).put('\0');
  if (const auto address = port::parse_ip(host)) {
    const bool is_ipv4 = address->family == port::Family::ipv4;
    out.put(byte_of(is_ipv4 ? address_ipv4 : address_ipv6));
    for (std::size_t i = 0; i < (is_ipv4 ? 4U : 16U); ++i) {
      out.put(byte_of(address->ip[i]));
    }
  } else {
    out.put(byte_of(address_name)).put(byte_of(host.size())).put(host);
  }
  out.put(byte_of(request.port >> 8U)).put(byte_of(request.port));
  end_part(Exchange::request, begin);
  return TunnelError::none;
}

// ---- moving bytes

ProxyTunnel::Status ProxyTunnel::step(net::Stream& stream) noexcept {
  for (int moves = 0; moves < moves_max; ++moves) {
    switch (state_) {
      case State::ready:
        ENSURE(state_ != State::ready);  // start() was not called
        break;
      case State::sending:
        if (const Status status = step_sending(stream); state_ == State::sending) {
          return status;
        }
        break;
      case State::awaiting:
        if (const Status status = step_awaiting(stream); status != Status::done) {
          return status;
        }
        break;
      case State::done:
        return Status::done;
      case State::failed:
        return Status::failed;
    }
  }
  return state_ == State::done ? Status::done : state_ == State::failed ? Status::failed : Status::want_read;
}

ProxyTunnel::Status ProxyTunnel::step_sending(net::Stream& stream) noexcept {
  const Part part = out_[static_cast<std::size_t>(exchange_)];
  const net::StreamResult result =
      stream.send({buffer_.data() + part.begin + sent_, static_cast<std::size_t>(part.end - part.begin) - sent_});
  switch (result.status) {
    case net::StreamStatus::ok:
      sent_ += result.size;
      if (part.begin + sent_ == part.end) {
        expect_answer();
      }
      return Status::want_write;
    case net::StreamStatus::want_read:
      return Status::want_read;
    case net::StreamStatus::want_write:
      return Status::want_write;
    case net::StreamStatus::end:
    case net::StreamStatus::failed:
      return fail(TunnelError::lost);
  }
  return fail(TunnelError::lost);
}

// The answer to CONNECT takes the whole buffer, those of SOCKS what is behind the messages.
void ProxyTunnel::expect_answer() noexcept {
  enter(State::awaiting);
  if (exchange_ == Exchange::connect) {
    in_ = base::Buffer{buffer_};
    reader_ = wire::MessageReader{wire::MessageReader::Kind::response, fields_, buffer_.size()};
    reader_.start(wire::Method::connect);
    return;
  }
  const std::size_t behind = out_[static_cast<std::size_t>(Exchange::request)].end;
  in_ = base::Buffer{std::span{buffer_}.subspan(behind)};
  wanted_ = exchange_ == Exchange::request ? reply_front : 2;
}

// `done` here means only that something has moved: the state tells what came of it.
ProxyTunnel::Status ProxyTunnel::step_awaiting(net::Stream& stream) noexcept {
  const bool is_socks = exchange_ != Exchange::connect;
  const std::span<char> room = is_socks ? in_.room().first(wanted_ - in_.size()) : in_.room();
  if (room.empty()) {
    return fail(TunnelError::too_large);  // a head that does not fit
  }
  const net::StreamResult result = stream.recv(room);
  switch (result.status) {
    case net::StreamStatus::ok:
      in_.produced(result.size);
      look_at_answer();
      return Status::done;
    case net::StreamStatus::want_read:
      return Status::want_read;
    case net::StreamStatus::want_write:
      return Status::want_write;
    case net::StreamStatus::end:
      return fail(TunnelError::closed);
    case net::StreamStatus::failed:
      return fail(TunnelError::lost);
  }
  return fail(TunnelError::lost);
}

// ---- what the proxy says

void ProxyTunnel::look_at_answer() noexcept {
  switch (exchange_) {
    case Exchange::connect:
      look_at_connect_answer();
      return;
    case Exchange::greeting:
      if (in_.size() == wanted_) {
        look_at_method();
      }
      return;
    case Exchange::credentials:
      if (in_.size() == wanted_) {
        look_at_credentials_answer();
      }
      return;
    case Exchange::request:
      look_at_socks_reply();
      return;
  }
}

// Until the head of the final answer, or no more than that has come. Each round is one interim answer.
void ProxyTunnel::look_at_connect_answer() noexcept {
  while (state_ == State::awaiting) {
    switch (reader_.advance(in_)) {
      case wire::ReadEvent::need_more:
        reader_.make_room(in_);
        return;
      case wire::ReadEvent::head:
        look_at_connect_head();
        break;
      case wire::ReadEvent::body:
        break;  // none is ever read: only an interim answer gets this far
      case wire::ReadEvent::complete:
        reader_.release(in_);
        reader_.start(wire::Method::connect);
        break;
      case wire::ReadEvent::failed: {
        const bool is_too_large =
            reader_.error() == wire::ReadError::head && (reader_.head_error() == wire::HeadError::too_large ||
                                                         reader_.head_error() == wire::HeadError::too_many_fields);
        fail(is_too_large ? TunnelError::too_large : TunnelError::malformed);
        return;
      }
    }
  }
}

void ProxyTunnel::look_at_connect_head() noexcept {
  const wire::ResponseHead& head = reader_.response();
  if (head.status < 200 && head.status != 101) {  // 101 is final, and nothing that anybody asked for
    if (++interim_count_ > interim_max) {
      fail(TunnelError::too_large);
    }
    return;
  }
  if (head.status < 200 || head.status >= 300) {
    const bool wants_credentials = head.status == 407;
    fail_with_code(wants_credentials ? TunnelError::authentication : TunnelError::refused, head.status, head.reason);
    return;
  }
  code_ = head.status;
  reason_ = head.reason;
  // A length or a coding in this answer means nothing (RFC 9110 section 9.3.6), but bytes are bytes: they would reach the TLS session as if
  // the target had sent them.
  if (in_.size() != reader_.head_size()) {
    fail(TunnelError::malformed);
    return;
  }
  enter(State::done);
}

void ProxyTunnel::look_at_method() noexcept {
  const std::string_view answer = in_.data();
  const int method = value_of(answer[1]);
  if (answer[0] != socks_version) {
    fail(TunnelError::malformed);
    return;
  }
  if (method == method_none) {
    send(Exchange::request);
  } else if (method == method_credentials && has_credentials_) {
    send(Exchange::credentials);
  } else if (method == method_not_acceptable) {
    fail_with_code(TunnelError::authentication, method, "no acceptable authentication method");
  } else {
    fail(TunnelError::malformed);  // a method we did not offer
  }
}

void ProxyTunnel::look_at_credentials_answer() noexcept {
  const std::string_view answer = in_.data();
  if (answer[0] != credentials_version) {
    fail(TunnelError::malformed);
  } else if (answer[1] != '\0') {
    fail_with_code(TunnelError::authentication, value_of(answer[1]), "user name or password refused");
  } else {
    send(Exchange::request);
  }
}

// A refusal is taken as soon as its code is there: some proxies send no more than that, and close.
void ProxyTunnel::look_at_socks_reply() noexcept {
  const std::string_view answer = in_.data();
  if (answer[0] != socks_version) {
    fail(TunnelError::malformed);
    return;
  }
  if (answer.size() >= 2 && answer[1] != '\0') {
    const int code = value_of(answer[1]);
    fail_with_code(TunnelError::refused, code, describe_socks_reply(code));
    return;
  }
  if (answer.size() < wanted_) {
    return;
  }
  if (answer.size() > reply_front) {
    enter(State::done);
    return;
  }
  // The address the proxy goes out from: read, since it is there, and of no use. Its first byte is among the five that came.
  constexpr std::size_t before_address = 4;
  constexpr std::size_t port_size = 2;
  switch (value_of(answer[3])) {
    case address_ipv4:
      wanted_ = before_address + 4 + port_size;
      return;
    case address_ipv6:
      wanted_ = before_address + 16 + port_size;
      return;
    case address_name:
      wanted_ = reply_front + static_cast<std::size_t>(value_of(answer[4])) + port_size;
      return;
    default:
      fail(TunnelError::malformed);
  }
}

// ---- texts

std::string_view describe(TunnelError error) noexcept {
  switch (error) {
    case TunnelError::none:
      return "no error";
    case TunnelError::refused:
      return "the proxy refused the connection";
    case TunnelError::authentication:
      return "the proxy refused the credentials or wants some";
    case TunnelError::malformed:
      return "the proxy's answer was not understood";
    case TunnelError::too_large:
      return "the exchange with the proxy is too large";
    case TunnelError::closed:
      return "the proxy closed the connection before it answered";
    case TunnelError::lost:
      return "the connection to the proxy was lost";
  }
  return "unknown error";
}

std::string_view describe_socks_reply(int code) noexcept {
  switch (code) {
    case 0:
      return "succeeded";
    case 1:
      return "general SOCKS server failure";
    case 2:
      return "connection not allowed by ruleset";
    case 3:
      return "network unreachable";
    case 4:
      return "host unreachable";
    case 5:
      return "connection refused";
    case 6:
      return "TTL expired";
    case 7:
      return "command not supported";
    case 8:
      return "address type not supported";
    default:
      return "unknown SOCKS reply";
  }
}

}  // namespace pollux::http
