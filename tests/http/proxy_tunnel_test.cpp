// ProxyTunnel: what it says to a proxy, byte for byte, and what it makes of each answer, however it comes in pieces.

#include "stack/http/proxy_tunnel.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "port/fault/fault_port.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using http::ProxyKind;
using http::ProxyTunnel;
using http::TunnelError;
using http::TunnelRequest;
using Status = ProxyTunnel::Status;

constexpr TunnelRequest to_example{.kind = ProxyKind::http, .host = "example.net", .port = 443};
constexpr std::string_view example_request = "CONNECT example.net:443 HTTP/1.1\r\nHost: example.net:443\r\n\r\n";

// A client that has connected to a proxy, and the proxy in the hands of the test.
struct TunnelSite {
  explicit TunnelSite(const TunnelRequest& request, const port::FaultPlan& plan = {})
      : talk{Conversation::Options{.network = {.connections_max = 2,
                                               .listeners_max = 1,
                                               .send_buffer_max = 4096,
                                               .receive_buffer_max = 4096}}},
        port{talk.port(), plan} {
    talk.set_turn(turn);
    RawServer& server = talk.listen(1080);
    stream = net::Stream{port, *talk.port().connect(server.endpoint())};
    proxy = &server.accept();
    server.close();
    tunnel.start(request);
    status = Status::want_write;
  }
  ~TunnelSite() {
    stream.close();
    EXPECT_EQ(talk.port().sockets_open(), 0U);
  }

  [[nodiscard]] bool is_over() const { return status == Status::done || status == Status::failed; }
  // Until it is over, or for two seconds.
  Status run() {
    talk.set_patience(2s);
    (void)talk.run_until([&] { return is_over(); });
    return status;
  }

  void poll_and_step() {
    if (!stream.is_open() || tunnel.state() == ProxyTunnel::State::ready) {
      (void)talk.port().poll(entries, {}, port::never);
      return;
    }
    const heap_guard::Forbidden no_heap;
    if (!is_over()) {
      status = tunnel.step(stream);
      EXPECT_EQ(status == Status::done, tunnel.state() == ProxyTunnel::State::done);
      EXPECT_EQ(status == Status::failed, tunnel.state() == ProxyTunnel::State::failed);
      EXPECT_EQ(status == Status::failed, tunnel.error() != TunnelError::none);
    }
    const port::Events interest = is_over()                     ? port::Events::none
                                  : status == Status::want_read ? port::Events::readable
                                                                : port::Events::writable;
    entries[0] = {.socket = is_over() ? port::Socket{} : stream.socket(), .interest = interest};
    (void)talk.port().poll(entries, {}, port::never);
  }

  Conversation talk;
  port::FaultPort port;
  std::function<void()> turn = [this] { poll_and_step(); };
  std::array<port::PollEntry, 2> entries{};
  ProxyTunnel tunnel{};
  net::Stream stream{};
  Peer* proxy = nullptr;
  Status status = Status::want_read;
};

// ---- CONNECT

TEST(ProxyTunnel, Connects) {
  TunnelSite site{to_example};
  site.proxy->want(example_request);
  site.proxy->say("HTTP/1.1 200 Connection established\r\n\r\n");
  EXPECT_EQ(site.run(), Status::done);
  EXPECT_EQ(site.tunnel.code(), 200);
  EXPECT_EQ(site.tunnel.reason(), "Connection established");
  EXPECT_EQ(site.tunnel.step(site.stream), Status::done) << "and stays so";
}

TEST(ProxyTunnel, SaysWhatItIsToldTo) {
  struct Row {
    TunnelRequest request;
    std::string_view want;
  };
  const Row rows[] = {
      {{.host = "192.0.2.1", .port = 80}, "CONNECT 192.0.2.1:80 HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n"},
      {{.host = "::1", .port = 8443}, "CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n"},
      {{.host = "[::1]", .port = 8443}, "CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n"},
      {{.host = "[fe80::1%252]", .port = 1}, "CONNECT [fe80::1]:1 HTTP/1.1\r\nHost: [fe80::1]:1\r\n\r\n"},
      {{.host = "h", .port = 1, .has_user = true, .user = "Aladdin", .password = "open sesame"},
       "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"},
      {{.host = "h", .port = 65535, .fields = "X-A: 1\r\nX-B: 2\r\n", .user_agent = "pollux/1"},
       "CONNECT h:65535 HTTP/1.1\r\nHost: h:65535\r\nUser-Agent: pollux/1\r\nX-A: 1\r\nX-B: 2\r\n\r\n"},
  };
  for (const Row& row : rows) {
    TunnelSite site{row.request};
    site.proxy->want(row.want);
    site.proxy->say("HTTP/1.0 200\r\n\r\n");
    EXPECT_EQ(site.run(), Status::done);
  }
}

TEST(ProxyTunnel, KeepsNothingOfItsRequest) {
  std::string host = "example.net";
  std::string fields = "X: y\r\n";
  TunnelSite site{{.host = host, .port = 1, .fields = fields}};
  host.assign(host.size(), '!');
  fields.assign(fields.size(), '!');
  site.proxy->want("CONNECT example.net:1 HTTP/1.1\r\nHost: example.net:1\r\nX: y\r\n\r\n");
}

struct AnswerRow {
  std::string answer;
  TunnelError error;
  int code = 0;
  std::string_view reason{};
};

const std::vector<AnswerRow>& connect_answers() {
  static const std::vector<AnswerRow> rows{
      {"HTTP/1.1 200 OK\r\n\r\n", TunnelError::none, 200, "OK"},
      {"HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n", TunnelError::none, 200,
       "Connection established"},
      {"HTTP/1.1 200\n\n", TunnelError::none, 200, ""},
      {"HTTP/1.1 204 No Content\r\n\r\n", TunnelError::none, 204, "No Content"},
      {"HTTP/1.1 299 Odd\r\nContent-Length: 5\r\n\r\n", TunnelError::none, 299, "Odd"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", TunnelError::none, 200, "OK"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", TunnelError::none, 200, "OK"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", TunnelError::none, 200, "OK"},
      {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 407 No\r\n\r\n",
       TunnelError::authentication, 407, "No"},
      {"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: "
       "5\r\n\r\nhello",
       TunnelError::authentication, 407, "Proxy Authentication Required"},
      {"HTTP/1.1 403 Forbidden\r\n\r\n", TunnelError::refused, 403, "Forbidden"},
      {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno!", TunnelError::refused, 502, "Bad Gateway"},
      {"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", TunnelError::refused, 302, "Found"},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", TunnelError::refused, 101,
       "Switching Protocols"},
      {"SSH-2.0-OpenSSH_9.2\r\n\r\n", TunnelError::malformed},
      {"HTTP/2.0 200 OK\r\n\r\n", TunnelError::malformed},
      {"HTTP/1.1 2000 OK\r\n\r\n", TunnelError::malformed},
      {"HTTP/1.1 200 OK\r\nbad field\r\n\r\n", TunnelError::malformed},
      {"\r\n\r\n", TunnelError::malformed},
  };
  return rows;
}

void expect_answer(const TunnelRequest& request, std::string_view wanted, const AnswerRow& row, std::size_t split) {
  TunnelSite site{request};
  site.proxy->want(wanted);
  if (split == 0) {
    site.proxy->say_in_pieces(row.answer, 1);
  } else if (split < row.answer.size()) {
    site.proxy->say_split(row.answer, split);
  } else {
    site.proxy->say(row.answer);
  }
  EXPECT_EQ(site.run(), row.error == TunnelError::none ? Status::done : Status::failed)
      << escape(row.answer) << " cut at " << split;
  EXPECT_EQ(site.tunnel.error(), row.error) << escape(row.answer) << " cut at " << split;
  EXPECT_EQ(site.tunnel.code(), row.code) << escape(row.answer) << " cut at " << split;
  EXPECT_EQ(site.tunnel.reason(), row.reason) << escape(row.answer) << " cut at " << split;
}

TEST(ProxyTunnel, TakesEachAnswerInAnyPieces) {
  for (const AnswerRow& row : connect_answers()) {
    for (std::size_t split = 0; split <= row.answer.size(); ++split) {
      expect_answer(to_example, example_request, row, split);
    }
  }
}

TEST(ProxyTunnel, NothingMayFollowTheHead) {
  const AnswerRow row{"HTTP/1.1 200 OK\r\n\r\nX", TunnelError::malformed, 200, "OK"};
  expect_answer(to_example, example_request, row, row.answer.size());
  // When it comes later it is not the tunnel's: it is left in the socket.
  TunnelSite site{to_example};
  site.proxy->want(example_request);
  site.proxy->say_split(row.answer, row.answer.size() - 1);
  EXPECT_EQ(site.run(), Status::done);
  std::array<char, 8> bytes{};
  site.talk.advance(1ms);
  EXPECT_EQ(site.stream.recv(bytes).size, 1U);
}

TEST(ProxyTunnel, AHeadHasALimit) {
  const std::string front = "HTTP/1.1 200 OK\r\nX: ";
  const std::string end = "\r\n\r\n";
  for (const std::size_t size : {ProxyTunnel::buffer_size, ProxyTunnel::buffer_size + 1}) {
    const bool fits = size == ProxyTunnel::buffer_size;
    const std::string head = front + std::string(size - front.size() - end.size(), 'x') + end;
    for (const std::size_t split : {head.size(), std::size_t{1}, head.size() - 1}) {
      TunnelSite site{to_example};
      site.proxy->want(example_request);
      site.proxy->say_split(head, split);
      EXPECT_EQ(site.run(), fits ? Status::done : Status::failed);
      EXPECT_EQ(site.tunnel.error(), fits ? TunnelError::none : TunnelError::too_large);
    }
  }
  for (const std::size_t count : {ProxyTunnel::fields_max, ProxyTunnel::fields_max + 1}) {
    std::string head = "HTTP/1.1 200 OK\r\n";
    for (std::size_t i = 0; i < count; ++i) {
      head += "A: b\r\n";
    }
    TunnelSite site{to_example};
    site.proxy->say(head + "\r\n");
    (void)site.run();
    EXPECT_EQ(site.tunnel.error(), count == ProxyTunnel::fields_max ? TunnelError::none : TunnelError::too_large);
  }
}

TEST(ProxyTunnel, InterimAnswersHaveALimit) {
  // Each nearly as large as the buffer, so that they have to make room for each other.
  const std::string interim = "HTTP/1.1 100 Continue\r\nX: " + std::string(1500, 'x') + "\r\n\r\n";
  for (const int count : {ProxyTunnel::interim_max, ProxyTunnel::interim_max + 1}) {
    TunnelSite site{to_example};
    for (int i = 0; i < count; ++i) {
      site.proxy->say(interim);
    }
    site.proxy->say("HTTP/1.1 200 OK\r\n\r\n");
    (void)site.run();
    EXPECT_EQ(site.tunnel.error(), count == ProxyTunnel::interim_max ? TunnelError::none : TunnelError::too_large);
  }
}

TEST(ProxyTunnel, ARequestHasALimit) {
  const std::string_view front = "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n";
  const std::size_t room = ProxyTunnel::buffer_size - front.size() - 2;
  for (const std::size_t size : {room, room + 1}) {
    const std::string fields = "X: " + std::string(size - 5, 'x') + "\r\n";
    TunnelSite site{{.host = "h", .port = 1, .fields = fields}};
    if (size > room) {
      EXPECT_EQ(site.run(), Status::failed);
      EXPECT_EQ(site.tunnel.error(), TunnelError::too_large);
      continue;
    }
    site.proxy->want(std::string{front} + fields + "\r\n");
    site.proxy->say("HTTP/1.1 200 OK\r\n\r\n");
    EXPECT_EQ(site.run(), Status::done);
  }
  const std::string user(256, 'u');
  ProxyTunnel tunnel;
  for (const ProxyKind kind : {ProxyKind::http, ProxyKind::socks5, ProxyKind::socks5h}) {
    tunnel.start({.kind = kind, .host = "h", .port = 1, .has_user = true, .user = user});
    EXPECT_EQ(tunnel.error(), TunnelError::too_large);
    tunnel.start({.kind = kind, .host = "h", .port = 1, .has_user = true, .user = "u", .password = user});
    EXPECT_EQ(tunnel.error(), TunnelError::too_large);
  }
  tunnel.start({.kind = ProxyKind::socks5h, .host = user, .port = 1});
  EXPECT_EQ(tunnel.error(), TunnelError::too_large);
}

TEST(ProxyTunnel, NamesNobodyElsesRequest) {
  ProxyTunnel tunnel;
  for (const std::string_view host :
       {std::string_view{""}, std::string_view{"h\r\nX: y"}, std::string_view{"h\n"}, std::string_view{"a b"},
        std::string_view{"a\0b", 3}, std::string_view{"\x7f"}, std::string_view{"caf\xc3\xa9"}}) {
    tunnel.start({.kind = ProxyKind::http, .host = host, .port = 1});
    EXPECT_EQ(tunnel.state(), ProxyTunnel::State::failed);
    EXPECT_EQ(tunnel.error(), TunnelError::malformed) << escape(host);
  }
}

TEST(ProxyTunnel, TellsHowAConnectionEnded) {
  for (const bool is_socks : {false, true}) {
    const TunnelRequest request{.kind = is_socks ? ProxyKind::socks5 : ProxyKind::http, .host = "h", .port = 1};
    for (const bool with_a_byte : {false, true}) {
      const std::string some = with_a_byte ? (is_socks ? "\5" : "H") : "";
      {
        TunnelSite site{request};
        site.proxy->say(some);
        site.talk.advance(1ms);
        site.proxy->finish();
        EXPECT_EQ(site.run(), Status::failed);
        EXPECT_EQ(site.tunnel.error(), TunnelError::closed);
        EXPECT_EQ(site.tunnel.code(), 0);
        EXPECT_EQ(site.tunnel.step(site.stream), Status::failed) << "and stays so";
      }
      {
        TunnelSite site{request};
        site.proxy->say(some);
        site.talk.advance(1ms);
        site.proxy->reset();
        EXPECT_EQ(site.run(), Status::failed);
        EXPECT_EQ(site.tunnel.error(), TunnelError::lost);
      }
    }
    TunnelSite site{request};
    site.talk.advance(1s);
    EXPECT_EQ(site.status, Status::want_read) << "silence is its user's deadline";
  }
}

TEST(ProxyTunnel, GoesOutInPieces) {
  TunnelSite site{{.host = "h", .port = 1, .fields = "X: 0123456789\r\n"}};
  site.talk.port().link(site.stream.socket()) = {.send_buffer = 7, .receive_buffer = 7};
  site.proxy->want("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nX: 0123456789\r\n\r\n");
  site.proxy->say("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(site.run(), Status::done);
}

TEST(ProxyTunnel, AFloodDoesNotHoldTheLoop) {
  TunnelSite site{{.host = "h", .port = 1}};
  site.talk.port().link(site.stream.socket()) = {.recv_size_min = 1, .recv_size_max = 1};
  site.proxy->say("HTTP/1.1 200 " + std::string(1000, 'x'));
  site.talk.advance(1s);
  EXPECT_EQ(site.status, Status::want_read);
  site.proxy->say("\r\n\r\n");
  EXPECT_EQ(site.run(), Status::done);
}

// ---- SOCKS5

const std::string greeting = "\5\1\0"s;
const std::string greeting_with_credentials = "\5\2\0\2"s;
const std::string request_to_example = "\5\1\0\3\13example.net\1\xbb"s;
const std::string reply_from_ipv4 = "\5\0\0\1\12\0\0\1\4\70"s;

TEST(ProxyTunnel, SpeaksSocks) {
  TunnelSite site{{.kind = ProxyKind::socks5h, .host = "example.net", .port = 443}};
  site.proxy->want(greeting);
  site.proxy->want_nothing(10ms);
  site.proxy->say("\5\0"s);
  site.proxy->want(request_to_example);
  // What the target says at once belongs to whoever comes after the tunnel.
  site.proxy->say(reply_from_ipv4 + "220 hello");
  EXPECT_EQ(site.run(), Status::done);
  EXPECT_EQ(site.tunnel.code(), 0);
  std::array<char, 32> bytes{};
  const net::StreamResult result = site.stream.recv(bytes);
  EXPECT_EQ(std::string_view(bytes.data(), result.size), "220 hello");
}

TEST(ProxyTunnel, SendsCredentialsToSocksIfItIsAskedTo) {
  const TunnelRequest request{.kind = ProxyKind::socks5,
                              .host = "example.net",
                              .port = 443,
                              .has_user = true,
                              .user = "me",
                              .password = "secret"};
  {
    TunnelSite site{request};
    site.proxy->want(greeting_with_credentials);
    site.proxy->say("\5\2"s);
    site.proxy->want("\1\2me\6secret"s);
    site.proxy->say("\1\0"s);
    site.proxy->want(request_to_example);
    site.proxy->say(reply_from_ipv4);
    EXPECT_EQ(site.run(), Status::done);
  }
  {
    TunnelSite site{request};
    site.proxy->want(greeting_with_credentials);
    site.proxy->say("\5\0"s);
    site.proxy->want(request_to_example);  // they stay at home
    site.proxy->say(reply_from_ipv4);
    EXPECT_EQ(site.run(), Status::done);
  }
  const std::string longest(255, 'x');
  TunnelSite site{
      {.kind = ProxyKind::socks5, .host = longest, .port = 1, .has_user = true, .user = longest, .password = longest}};
  site.proxy->want(greeting_with_credentials);
  site.proxy->say("\5\2"s);
  site.proxy->want("\1\xff" + longest + "\xff" + longest);
  site.proxy->say("\1\0"s);
  site.proxy->want("\5\1\0\3\xff"s + longest + "\0\1"s);
  site.proxy->say("\5\0\0\3\xff"s + longest + "\0\1"s);
  EXPECT_EQ(site.run(), Status::done);
}

TEST(ProxyTunnel, SendsAddressesToSocksAsAddresses) {
  struct Row {
    std::string_view host;
    std::string want;
  };
  const Row rows[] = {
      {"192.0.2.1", "\1\xc0\0\2\1"s},
      {"[2001:db8::1]", "\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"s},
      {"2001:db8::1", "\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"s},
      {"fe80::1%2", "\4\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1"s},
      {"[fe80::1%252]", "\4\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1"s},
      {"192.0.2", "\3\7"s + "192.0.2"},  // a name, if anything
  };
  for (const ProxyKind kind : {ProxyKind::socks5, ProxyKind::socks5h}) {
    for (const Row& row : rows) {
      TunnelSite site{{.kind = kind, .host = row.host, .port = 0x1234}};
      site.proxy->say("\5\0"s);
      site.proxy->want(greeting + "\5\1\0"s + row.want + "\x12\x34");
      site.proxy->say(reply_from_ipv4);
      EXPECT_EQ(site.run(), Status::done);
    }
  }
}

TEST(ProxyTunnel, TakesEachSocksAnswerInAnyPieces) {
  const AnswerRow method_rows[] = {
      {"\4\0"s, TunnelError::malformed},
      {"HT", TunnelError::malformed},
      {"\5\xff", TunnelError::authentication, 0xff, "no acceptable authentication method"},
      {"\5\1"s, TunnelError::malformed},
      {"\5\2"s, TunnelError::malformed},  // not offered
  };
  const TunnelRequest plain{.kind = ProxyKind::socks5h, .host = "example.net", .port = 443};
  for (const AnswerRow& row : method_rows) {
    for (std::size_t split = 0; split <= row.answer.size(); ++split) {
      expect_answer(plain, greeting, row, split);
    }
  }

  std::vector<AnswerRow> replies{
      {reply_from_ipv4, TunnelError::none},
      {"\5\0\0\4"s + std::string(18, '\0'), TunnelError::none},
      {"\5\0\0\3\0\0\0"s, TunnelError::none},
      {"\5\0\0\3\5proxy\0\0"s, TunnelError::none},
      {"\5\0\7\1\0\0\0\0\0\0"s, TunnelError::none},  // the reserved byte says nothing
      {"\4\0\0\1\0"s, TunnelError::malformed},
      {"\5\0\0\2\0"s, TunnelError::malformed},
      {"\5\0\0\0\0"s, TunnelError::malformed},
      {"\5\x7f\0\1\0\0\0\0\0\0"s, TunnelError::refused, 127, "unknown SOCKS reply"},
      {"\5\xff"s, TunnelError::refused, 255, "unknown SOCKS reply"},
  };
  constexpr std::string_view texts[] = {"general SOCKS server failure", "connection not allowed by ruleset",
                                        "network unreachable",          "host unreachable",
                                        "connection refused",           "TTL expired",
                                        "command not supported",        "address type not supported"};
  for (std::size_t code = 1; code <= std::size(texts); ++code) {
    const char byte = static_cast<char>(code);
    replies.push_back({"\5" + std::string(1, byte) + "\0\1\0\0\0\0\0\0"s, TunnelError::refused, static_cast<int>(code),
                       texts[code - 1]});
    replies.push_back({"\5" + std::string(1, byte), TunnelError::refused, static_cast<int>(code), texts[code - 1]});
  }
  for (const AnswerRow& row : replies) {
    const AnswerRow whole{"\5\0"s + row.answer, row.error, row.code, row.reason};
    for (std::size_t split = 0; split <= whole.answer.size(); ++split) {
      expect_answer(plain, greeting, whole, split);
    }
  }

  const TunnelRequest with_user{
      .kind = ProxyKind::socks5, .host = "example.net", .port = 443, .has_user = true, .user = "me", .password = ""};
  const AnswerRow credential_rows[] = {
      {"\5\2\1\0"s + reply_from_ipv4, TunnelError::none},
      {"\5\2\1\1"s, TunnelError::authentication, 1, "user name or password refused"},
      {"\5\2\1\xff"s, TunnelError::authentication, 255, "user name or password refused"},
      {"\5\2\5\0"s, TunnelError::malformed},
      {"\5\xff", TunnelError::authentication, 255, "no acceptable authentication method"},
  };
  for (const AnswerRow& row : credential_rows) {
    for (std::size_t split = 0; split <= row.answer.size(); ++split) {
      expect_answer(with_user, greeting_with_credentials, row, split);
    }
  }
}

// ---- life

TEST(ProxyTunnel, CanBeStartedAgainInAnyState) {
  for (std::size_t heard = 0; heard < 24; ++heard) {
    TunnelSite site{
        {.kind = ProxyKind::socks5, .host = "h", .port = 1, .has_user = true, .user = "me", .password = "x"}};
    site.proxy->say(("\5\2\1\0"s + reply_from_ipv4 + "0123456789").substr(0, heard));
    (void)site.talk.run_until([&] { return site.is_over(); });
    site.tunnel.start({.kind = ProxyKind::http, .host = "again", .port = 2});
    EXPECT_EQ(site.tunnel.state(), ProxyTunnel::State::sending);
    EXPECT_EQ(site.tunnel.error(), TunnelError::none);
    EXPECT_EQ(site.tunnel.code(), 0);
    std::array<char, 64> rest{};
    while (site.stream.recv(rest).status == net::StreamStatus::ok) {
    }
    (void)site.proxy->take();
    site.status = Status::want_write;
    site.proxy->want_containing("CONNECT again:2 HTTP/1.1\r\nHost: again:2\r\n\r\n");
    site.proxy->say("HTTP/1.1 200 OK\r\n\r\n");
    EXPECT_EQ(site.run(), Status::done);
  }
}

TEST(ProxyTunnel, SurvivesEveryFailure) {
  for (const bool is_socks : {false, true}) {
    for (std::uint64_t n = 1;; ++n) {
      ASSERT_LT(n, 100U);
      TunnelSite site{{.kind = is_socks ? ProxyKind::socks5 : ProxyKind::http, .host = "h", .port = 1},
                      port::FaultPlan{.first = n}};
      site.proxy->say(is_socks ? "\5\0"s + reply_from_ipv4 : "HTTP/1.1 200 OK\r\n\r\n"s);
      const Status end = site.run();
      if (site.port.failures() == 0) {
        EXPECT_EQ(end, Status::done);
        break;
      }
      EXPECT_EQ(end, Status::failed);
      EXPECT_EQ(site.tunnel.error(), TunnelError::lost);
      EXPECT_FALSE(describe(site.tunnel.error()).empty());
    }
  }
}

}  // namespace
}  // namespace pollux::test
