// What happens when something runs out: each row of the table in server.hpp. After each the server is as it was before.

#include "tests/http/server_handlers.hpp"

namespace pollux::test {
namespace {

using http::CloseReason;
using http::Next;
using http::Overload;
using http::Request;
using http::ResponseWriter;

constexpr http::ServerLimits smaller(std::uint32_t connections, std::uint32_t exchanges = 0,
                                     std::uint32_t reserved = 0) {
  return {.connections = connections,
          .reserved_connections = reserved,
          .exchanges = exchanges,
          .listeners = 2,
          .in_buffer = 1024,
          .out_buffer = 1024,
          .head_size_max = 512,
          .fields_max = 8,
          .state_size = 128,
          .close_records = 4};
}

// A client of a full server comes, is served and goes; then nothing is held.
template <typename AnySite>
void expect_recovered(AnySite& site) {
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want(ok_answer);
  peer.finish();
  peer.want_closed();
  peer.close();
  site.advance(1s);
  site.expect_quiet();
}

// ---- connections

TEST(ServerPools, TheLongestIdleConnectionGivesWay) {
  Site<smaller(3)> site;
  site.add(ok_route);
  std::array<Peer*, 3> peers{};
  for (Peer*& peer : peers) {
    peer = &site.connect();
    peer->say(get_request);
    peer->want(ok_answer);
    site.advance(1s);
  }
  peers[0]->say(get_request);  // no longer the longest idle
  peers[0]->want(ok_answer);
  site.advance(1s);
  Peer& newcomer = site.connect();
  newcomer.say(get_request);
  newcomer.want(ok_answer);
  peers[1]->want_closed();
  peers[0]->want_nothing(1s);
  peers[2]->want_nothing(1s);
  EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
  EXPECT_EQ(site.server.connections().used_max, 3U);
  for (Peer* peer : peers) {
    peer->close();
  }
  newcomer.close();
  site.advance(1s);
  site.expect_quiet();
  expect_recovered(site);
}

TEST(ServerPools, WithoutIdleOnesTheLongestSilentGivesWay) {
  Site<smaller(2)> site;
  site.add(ok_route);
  Peer& first = site.connect();
  site.advance(1ms);
  Peer& second = site.connect();
  site.advance(1ms);
  Peer& newcomer = site.connect();
  newcomer.say(get_request);
  newcomer.want(ok_answer);
  first.want_closed();
  second.want_nothing(1s);
  EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
}

// More come in one moment than there are slots: nobody may be evicted before its request could be read, and the clock need not move
// for the server to go on.
TEST(ServerPools, ABurstIsServedOneAfterTheOther) {
  Site<smaller(2)> site;
  site.add(ok_route);
  std::array<Peer*, 20> peers{};
  for (Peer*& peer : peers) {
    peer = &site.connect();
    peer->say("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  }
  int served = 0;
  for (Peer* peer : peers) {
    peer->want_head(200);
    served += peer->take() == "ok" ? 1 : 0;
    peer->close();
  }
  EXPECT_EQ(served, 20);
  EXPECT_EQ(site.closes(CloseReason::evicted), 0U);
  site.advance(1s);
  site.expect_quiet();
  expect_recovered(site);
}

TEST(ServerPools, BusyConnectionsMakeTheKernelQueue) {
  Site<smaller(2)> site;
  site.add(ok_route);
  Waiter waiters[2];
  site.add({"/0", http::handler<&Waiter::serve>(waiters[0])});
  site.add({"/1", http::handler<&Waiter::serve>(waiters[1])});
  Peer& first = site.connect();
  first.say("GET /0 HTTP/1.1\r\nHost: h\r\n\r\n");
  Peer& second = site.connect();
  second.say("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
  site.advance(1s);
  Peer& newcomer = site.connect();
  newcomer.say(get_request);
  newcomer.want_nothing(5s);
  EXPECT_GE(site.server.counters().listener_parked, 1U);  // over TLS in the handshakes, too
  EXPECT_EQ(site.server.counters().accepted, 2U);
  EXPECT_TRUE(waiters[0].pending.resume());
  first.want(ok_answer);
  newcomer.want(ok_answer);  // the first one is idle now and gives way, or goes
  first.want_closed();
  EXPECT_TRUE(waiters[1].pending.resume());
  second.want(ok_answer);
  second.close();
  newcomer.close();
  site.advance(1s);
  EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
  site.expect_quiet();
  expect_recovered(site);
}

TEST(ServerPools, OrItAnswers503) {
  POLLUX_NOT_OVER_TLS("who is turned away gets no TLS, and so no answer");
  Site<smaller(1)> site{{.overload = Overload::answer}};
  site.add(ok_route);
  Waiter waiter;
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  Peer& first = site.connect();
  first.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  site.advance(1s);
  for (int i = 0; i < 5; ++i) {
    Peer& refused = site.connect();
    refused.say(get_request);
    const std::string head = refused.want_head(503);
    EXPECT_NE(head.find("Retry-After: 1\r\n"), std::string::npos);
    EXPECT_NE(head.find("Connection: close\r\n"), std::string::npos);
    refused.want("503 Service Unavailable\n");
    refused.want_gone();
    refused.close();
  }
  EXPECT_EQ(site.closes(CloseReason::refused), 5U);
  EXPECT_EQ(site.server.counters().answers[5], 5U);
  EXPECT_EQ(site.server.counters().listener_parked, 0U);
  EXPECT_TRUE(waiter.pending.resume());
  first.want(ok_answer);
  first.close();
  site.advance(1s);
  expect_recovered(site);
}

TEST(ServerPools, SlowHeadsGiveWayAfterASecond) {
  Site<smaller(2)> site;
  site.add(ok_route);
  std::array<Peer*, 2> slow{&site.connect(), &site.connect()};
  for (Peer* peer : slow) {
    peer->say("GET / HTTP/1.1\r\n");
    site.advance(100ms);
  }
  site.advance(700ms);
  Peer& newcomer = site.connect();
  newcomer.say(get_request);
  newcomer.want_nothing(50ms);
  newcomer.want(ok_answer);
  EXPECT_TRUE(slow[0]->is_closed());
  slow[1]->want_nothing(10ms);
  EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
}

// A connection that still sends its answer is no slow head, however long that takes.
TEST(ServerPools, AnAnswerUnderWayDoesNotGiveWay) {
  Site<smaller(1)> site{{.conversation = {.network = {.link = {.send_buffer = 128, .receive_buffer = 128}}}}};
  LongAnswer answer{.size = 500};
  site.add({"*", http::handler<&LongAnswer::serve>(answer)});
  Peer& reader = site.connect();
  reader.read_slowly(50);
  reader.say(get_request);
  site.advance(2s);
  Peer& newcomer = site.connect();
  newcomer.say(get_request);
  newcomer.want_nothing(3s);
  EXPECT_EQ(site.closes(CloseReason::evicted), 0U);
  site.talk.set_patience(30s);
  reader.want_head(200);
  reader.want_body(500);
}

TEST(ServerPools, AReservedSlotIsForTheOwner) {
  Site<smaller(2, 0, 1)> site;
  site.add(ok_route);
  Waiter waiter;
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  ASSERT_TRUE(
      site.server.listen({.endpoint = {port::Address::ipv4_any(81)}, .owner = true, .tls = site.tls_context()}));
  Peer& first = site.connect();
  first.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  site.advance(1s);
  Peer& outside = site.connect();
  outside.say(get_request);
  outside.want_nothing(1s);
  Peer& owner = site.talk.connect(81);
  owner.say(get_request);
  owner.want(ok_answer);
  owner.close();
  outside.want_nothing(1s);
  EXPECT_TRUE(waiter.pending.resume());
  first.want(ok_answer);
  first.close();
  outside.want(ok_answer);
  outside.close();
  site.advance(1s);
  site.expect_quiet(2);
}

// ---- exchanges

TEST(ServerPools, IdleConnectionsHoldNoExchange) {
  Site<smaller(6, 1)> site;
  site.add(ok_route);
  std::array<Peer*, 6> peers{};
  for (Peer*& peer : peers) {
    peer = &site.connect();
    peer->say(get_request);
    peer->want(ok_answer);
  }
  EXPECT_EQ(site.server.connections().used, 6U);
  EXPECT_EQ(site.server.exchanges().used, 0U);
  EXPECT_EQ(site.server.exchanges().used_max, 1U);
  for (Peer* peer : peers) {
    peer->say(get_request);  // all wake at once
  }
  for (Peer* peer : peers) {
    peer->want(ok_answer);
  }
  EXPECT_GT(site.server.counters().exchange_waits, 0U);
}

TEST(ServerPools, WhoWakesFirstIsServedFirst) {
  Site<smaller(4, 1)> site;
  Waiter waiter;
  site.add({"*", http::handler<&Waiter::serve>(waiter)});
  std::array<Peer*, 4> peers{&site.connect(), &site.connect(), &site.connect(), &site.connect()};
  site.advance(1ms);
  for (const std::size_t i : {2U, 0U, 3U, 1U}) {
    peers[i]->say(get_request);
    site.advance(1ms);
  }
  EXPECT_EQ(site.server.counters().exchange_waits, 3U);
  for (const std::size_t i : {2U, 0U, 3U, 1U}) {
    EXPECT_TRUE(waiter.pending.resume());
    peers[i]->want(ok_answer);
    site.advance(1ms);
  }
  EXPECT_EQ(waiter.started, 4);
}

TEST(ServerPools, WaitingForAnExchangeHasAnEnd) {
  Site<smaller(3, 1)> site{{.timeouts = {.read_head = 4s, .idle = 60s}}};
  site.add(ok_route);
  Waiter waiter;
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  Peer& idle = site.connect();
  idle.say(get_request);
  idle.want(ok_answer);
  site.advance(30s);  // idle for far longer than a head may take
  Peer& busy = site.connect();
  busy.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  site.advance(1ms);
  idle.say(get_request);
  idle.want_nothing(4s - 2ms);
  site.advance(3ms);
  idle.want_gone();
  EXPECT_EQ(site.closes(CloseReason::head_timeout), 1U);
  // One whose client goes away while it waits leaves the queue.
  Peer& gone = site.connect();
  gone.say(get_request);
  site.advance(1ms);
  EXPECT_EQ(site.server.connections().used, 2U);
  gone.reset();
  site.advance(1ms);
  EXPECT_EQ(site.server.connections().used, 1U);
  EXPECT_TRUE(waiter.pending.resume());
  busy.want(ok_answer);
  busy.close();
  idle.close();
  site.advance(1s);
  expect_recovered(site);
}

// ---- heads and fields

// A head of exactly `size` bytes.
std::string head_of_size(std::size_t size) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  return text + std::string(size - text.size() - 4, 'x') + "\r\n\r\n";
}
std::string head_with_fields(std::size_t count) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (std::size_t i = 1; i < count; ++i) {
    text += "X: y\r\n";
  }
  return text + "\r\n";
}

TEST(ServerPools, AHeadBelowAtAndAboveItsLimits) {
  struct Row {
    const char* name;
    std::string head;
    bool fits;
  };
  const std::size_t limit = smaller(1).head_size_max;
  const std::size_t fields = smaller(1).fields_max;
  for (const Row& row :
       {Row{"one byte below", head_of_size(limit - 1), true}, Row{"at the limit", head_of_size(limit), true},
        Row{"one byte above", head_of_size(limit + 1), false}, Row{"more than the buffer", head_of_size(5000), false},
        Row{"one field below", head_with_fields(fields - 1), true},
        Row{"fields at the limit", head_with_fields(fields), true},
        Row{"one field above", head_with_fields(fields + 1), false}}) {
    for (const std::size_t piece : {std::size_t{10000}, std::size_t{50}}) {
      SCOPED_TRACE(std::string{row.name} + ", in pieces of " + std::to_string(piece));
      Site<smaller(2)> site;
      site.add(ok_route);
      Peer& peer = site.connect();
      peer.say_in_pieces(row.head, piece);
      if (row.fits) {
        peer.want(ok_answer);
      } else {
        peer.want(refusal("431 Request Header Fields Too Large"));
        peer.want_closed();
      }
      peer.close();
      site.advance(1s);
      site.expect_quiet();
      expect_recovered(site);
    }
  }
}

// ---- bodies

struct BodyRow {
  const char* name;
  std::size_t size;
  bool chunked;
  int status;
};

std::string post(std::string_view path, std::size_t size, bool chunked) {
  std::string text = "POST " + std::string{path} + " HTTP/1.1\r\nHost: h\r\n";
  const std::string body(size, 'b');
  if (!chunked) {
    return text + "Content-Length: " + std::to_string(size) + "\r\n\r\n" + body;
  }
  text += "Transfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < size; at += 100) {
    const std::size_t count = std::min<std::size_t>(100, size - at);
    std::array<char, 8> line{};
    std::snprintf(line.data(), line.size(), "%zx\r\n", count);
    text += line.data() + body.substr(at, count) + "\r\n";
  }
  return text + "0\r\n\r\n";
}

TEST(ServerPools, ACollectedBodyBelowAtAndAboveItsLimits) {
  // The buffer has 1024 bytes. The head takes what is left of it.
  const std::size_t fits = 1024 - post("/", 900, false).find("\r\n\r\n") - 4;
  for (const BodyRow& row : {BodyRow{"one byte below the buffer", fits - 1, false, 200},
                             {"the whole buffer", fits, false, 200},
                             {"one byte above", fits + 1, false, 413},
                             {"far above", 100000, false, 413},
                             {"chunked, well below", 500, true, 200},
                             {"chunked, above", 1500, true, 413},
                             {"chunked, far above", 100000, true, 413}}) {
    SCOPED_TRACE(row.name);
    Site<smaller(2)> site;
    site.add(ok_route);
    Peer& peer = site.connect();
    peer.say(post("/", row.size, row.chunked));
    if (row.status == 200) {
      peer.want(ok_answer);
    } else {
      peer.want(refusal("413 Content Too Large"));
      peer.want_closed();
      EXPECT_EQ(site.closes(CloseReason::body_too_large) + site.server.connections().used, 1U);
    }
    peer.close();
    site.advance(1s);
    site.expect_quiet();
    expect_recovered(site);
  }
}

TEST(ServerPools, ABodyBelowAtAndAboveItsRoutesLimit) {
  for (const bool by_route : {true, false}) {
    for (const bool chunked : {false, true}) {
      for (const std::size_t size : {299U, 300U, 301U}) {
        SCOPED_TRACE(std::to_string(size) + (chunked ? " chunked" : "") + (by_route ? " route" : " server"));
        Site<smaller(2)> site{{.body_max = by_route ? 250U : 300U}};
        http::Route collected = ok_route;
        http::Route streamed = measure_route;
        collected.options.body_max = streamed.options.body_max = by_route ? 300 : 0;
        site.add(collected);
        site.add(streamed);
        Peer& peer = site.connect();
        peer.say(post("/", size, chunked));
        if (size <= 300) {
          peer.want(ok_answer);
        } else {
          peer.want(refusal("413 Content Too Large"));
          peer.want_closed();
        }
        Peer& other = site.connect();
        other.say(post("/measure", size, chunked));
        if (size <= 300) {
          other.want_containing(std::to_string(size) + " complete");
        } else if (chunked) {
          other.want_containing(" too large");  // the handler decides
          other.want_closed();
        } else {
          other.want(refusal("413 Content Too Large"));
          other.want_closed();
        }
        peer.close();
        other.close();
        site.advance(1s);
        site.expect_quiet();
      }
    }
  }
}

// ---- the output buffer

Next too_many_fields(ResponseWriter& writer, Request&) {
  http::HeadChange change = http::HeadChange::ok;
  for (int i = 0; i < 1000 && change == http::HeadChange::ok; ++i) {
    change = writer.add("X-Much", "0123456789012345678901234567890123456789");
  }
  EXPECT_EQ(change, http::HeadChange::no_room);
  writer.write("ok");
  return Next::done;
}

TEST(ServerPools, AHeadThatFillsTheBufferIsStillAnAnswer) {
  Site<smaller(2)> site;
  site.add({"*", http::handler<&too_many_fields>()});
  Peer& peer = site.connect();
  for (int i = 0; i < 3; ++i) {
    peer.say(get_request);
    peer.want_head(200);
    peer.want("ok");
  }
}

// ---- descriptors and listeners

TEST(ServerPools, WithoutDescriptorsTheListenerRests) {
  Site<smaller(8)> site;
  site.add(ok_route);
  site.talk.port().set_descriptors_max(1);
  Peer& peer = site.connect();
  peer.say(get_request);
  // 5, 10, 20 ... 640 ms, then every second.
  const std::array<port::Duration, 10> rests{5ms, 10ms, 20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1s, 1s};
  std::uint64_t errors = 0;
  site.advance(0ms);
  for (const port::Duration rest : rests) {
    EXPECT_EQ(site.server.counters().accept_errors, ++errors);
    site.advance(rest - 1us);
    EXPECT_EQ(site.server.counters().accept_errors, errors) << "rested for less than " << rest.count() << " ns";
    site.advance(1us);
  }
  site.talk.port().set_descriptors_max(100);
  peer.want(ok_answer);
  peer.close();
  site.advance(1s);
  // A success begins the rests anew.
  site.talk.port().fail_accepts(port::Error::no_memory, 1);
  Peer& next = site.connect();
  next.say(get_request);
  next.want_nothing(5ms - 1us);
  next.want(ok_answer);
  next.close();
  site.advance(1s);
  site.expect_quiet();
}

TEST(ServerPools, WithoutDescriptorsAnIdleConnectionGivesWay) {
  Site<smaller(8)> site;
  site.add(ok_route);
  site.talk.port().set_descriptors_max(2);
  Peer& idle = site.connect();
  idle.say(get_request);
  idle.want(ok_answer);
  site.advance(1s);
  Peer& newcomer = site.connect();
  newcomer.say(get_request);
  newcomer.want(ok_answer);
  idle.want_closed();
  EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
  EXPECT_EQ(site.server.counters().accept_errors, 1U);
}

TEST(ServerPools, OnePeerThatWentAwayDoesNotStopAccepting) {
  Site<smaller(8)> site;
  site.add(ok_route);
  site.talk.port().fail_accepts(port::Error::aborted, 1);
  site.connect();
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want(ok_answer);
  EXPECT_EQ(site.server.counters().accept_errors, 0U);
}

TEST(ServerPools, OneListenerTooManyIsRefused) {
  Site<smaller(2)> site;
  ASSERT_TRUE(site.server.listen({.endpoint = {port::Address::ipv4_any(81)}}));
  const auto third = site.server.listen({.endpoint = {port::Address::ipv4_any(82)}});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error(), http::ListenError::too_many);
  EXPECT_EQ(site.talk.port().sockets_open(), 2U);
}

TEST(ServerPools, AListenerThatCannotBeIsAnError) {
  Site<smaller(2)> site;
  const auto taken = site.server.listen({.endpoint = {port::Address::ipv4_any(site_port)}});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error(), http::ListenError::address_in_use);
  site.talk.port().set_descriptors_max(1);
  const auto poor = site.server.listen({.endpoint = {port::Address::ipv4_any(81)}});
  ASSERT_FALSE(poor);
  EXPECT_EQ(poor.error(), http::ListenError::no_descriptors);
  EXPECT_EQ(site.talk.port().sockets_open(), 1U);
}

// ---- parking

constexpr http::ServerLimits many = smaller(200, 4);
const Conversation::Options large_network{.network = {.connections_max = 300, .backlog_max = 300},
                                          .port = {.sockets_max = 300}};

// All handshakes at once would be more than mbedTLS has places for keys: the raw ends share them with the server.
Peer& connect_one_of_many(Site<many>& site, int number) {
  if (tls_mode() && number % 16 == 0) {
    site.advance(0s);
  }
  return site.connect();
}

TEST(ServerPools, IdleConnectionsAreParked) {
  for (const bool parking : {true, false}) {
    SCOPED_TRACE(parking ? "with parking" : "without");
    Site<many> site{{.conversation = large_network}};
    site.add(ok_route);
    site.talk.port().set_parking(parking);
    std::vector<Peer*> peers;
    for (int i = 0; i < 200; ++i) {
      peers.push_back(&connect_one_of_many(site, i));
    }
    site.advance(1ms);
    for (Peer* peer : peers) {
      peer->say(get_request);
    }
    for (Peer* peer : peers) {
      peer->want(ok_answer);
    }
    EXPECT_EQ(site.talk.port().sockets_parked(), 0U);
    for (int i = 0; i < 4; ++i) {
      site.advance(100ms);  // some are parked in each turn
    }
    EXPECT_EQ(site.talk.port().sockets_parked(), parking ? 200U : 0U);
    // Each is woken by its next request, in any order.
    for (std::size_t i = 0; i < peers.size(); ++i) {
      Peer& peer = *peers[(i * 71) % peers.size()];
      peer.say(get_request);
      peer.want(ok_answer);
    }
    // All at once, though only some may wake in one turn.
    site.advance(1s);
    for (Peer* peer : peers) {
      peer->say(get_request);
    }
    for (Peer* peer : peers) {
      peer->want(ok_answer);
    }
    // Some go, one is evicted for a newcomer, the rest expires.
    site.advance(1s);
    peers[3]->close();
    peers[4]->reset();
    site.advance(1ms);
    EXPECT_EQ(site.server.connections().used, 198U);
    for (int i = 0; i < 3; ++i) {
      Peer& newcomer = site.connect();
      newcomer.say(get_request);
      newcomer.want(ok_answer);
    }
    EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
    site.advance(60s);
    EXPECT_EQ(site.closes(CloseReason::idle_timeout), 200U);
    site.expect_quiet();
  }
}

TEST(ServerPools, SilentConnectionsAreParkedAndExpire) {
  Site<many> site{{.timeouts = {.read_head = 5s}, .conversation = large_network}};
  site.add(ok_route);
  for (int i = 0; i < 200; ++i) {
    connect_one_of_many(site, i);
  }
  site.advance(1s);
  site.advance(1s);
  EXPECT_EQ(site.talk.port().sockets_parked(), 200U);
  site.advance(3s + 1ms);
  EXPECT_EQ(site.closes(CloseReason::head_timeout), 200U);
  site.expect_quiet();
}

TEST(ServerPools, EarlyAndLatePollsKeepTheListsInOrder) {
  Site<many> site{{.conversation = large_network}};
  site.add(ok_route);
  site.talk.port().set_spurious_polls(0.3);
  site.talk.port().set_late_readiness(0.5);
  std::vector<Peer*> peers;
  for (int i = 0; i < 50; ++i) {
    peers.push_back(&site.connect());
  }
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < peers.size(); ++i) {
      if ((i + static_cast<std::size_t>(round)) % 3 == 0) {
        peers[i]->say(get_request);
      }
    }
    site.advance(port::Duration{40ms} * round);
  }
  for (Peer* peer : peers) {
    peer->take();
    peer->say(get_request);
    peer->want(ok_answer);
  }
  site.advance(61s);
  site.expect_quiet();
}

}  // namespace
}  // namespace pollux::test
