// The ends of a server - shutdown, close, keep-alives switched off, destruction - and of its hold on a connection: hijacking. And the
// states a program is told about.

#include "tests/http/server_handlers.hpp"

namespace pollux::test {
namespace {

using http::CloseReason;
using http::ConnState;
using http::Next;
using http::Request;
using http::ResponseWriter;
using http::ShutdownResult;

constexpr std::string_view wait_request = "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n";

struct Done {
  int calls = 0;
  ShutdownResult result = ShutdownResult::complete;
  void note(ShutdownResult how) {
    ++calls;
    result = how;
  }
};

// ---- shutdown

TEST(ServerShutdown, WithoutConnectionsIsCompleteInTheNextTurn) {
  Site<> site;
  site.add(ok_route);
  Done done;
  site.server.shutdown(1h, net::callback<&Done::note>(done));
  EXPECT_EQ(done.calls, 0) << "never from inside the call";
  EXPECT_TRUE(site.server.is_shutting_down());
  site.advance(0ms);
  EXPECT_EQ(done.calls, 1);
  EXPECT_EQ(done.result, ShutdownResult::complete);
  site.advance(2h);
  EXPECT_EQ(done.calls, 1);
  site.expect_quiet(0);
}

TEST(ServerShutdown, ClosesIdleOnesNowAndLetsTheBusyFinish) {
  Site<> site;
  Waiter waiter;
  site.add(ok_route);
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  Peer& idle = site.connect();
  idle.say(get_request);
  idle.want(ok_answer);
  Peer& parked = site.connect();
  parked.say(get_request);
  parked.want(ok_answer);
  site.advance(1s);
  Peer& busy = site.connect();
  busy.say(wait_request);
  Peer& half = site.connect();
  half.say("GET / HT");
  site.advance(1ms);
  Done done;
  site.server.shutdown(1min, net::callback<&Done::note>(done));
  idle.want_closed();
  parked.want_closed();
  EXPECT_FALSE(site.server.listen({.endpoint = {port::Address::ipv4_any(81)}}));
  busy.want_nothing(10ms);
  EXPECT_EQ(done.calls, 0);
  half.say("TP/1.1\r\nHost: h\r\n\r\n" + std::string{get_request});
  half.want(ok_close_answer);
  half.want_closed();  // what it pipelined is not served any more
  half.close();
  EXPECT_TRUE(waiter.pending.resume());
  busy.want_head(200);
  busy.want("ok");
  busy.want_closed();
  busy.close();
  site.advance(1ms);
  EXPECT_EQ(done.calls, 1);
  EXPECT_EQ(done.result, ShutdownResult::complete);
  EXPECT_EQ(site.closes(CloseReason::shutdown), 4U);
  site.expect_quiet(0);
}

// The answer's head was written before the shutdown and could not say that the connection closes; it closes nevertheless.
TEST(ServerShutdown, EndsConnectionsWhoseAnswersWereUnderWay) {
  for (const std::uint64_t size : {500U, 3000U, 100000U}) {
    SCOPED_TRACE(size);
    Site<> site{{.conversation = {.network = {.link = {.send_buffer = 200, .receive_buffer = 200}}}}};
    LongAnswer answer{.size = size};
    site.add({"*", http::handler<&LongAnswer::serve>(answer)});
    Peer& peer = site.connect();
    peer.stop_reading();
    peer.say(get_request);
    site.advance(1s);
    Done done;
    site.server.shutdown(5s, net::callback<&Done::note>(done));
    peer.want_nothing(1s);
    peer.resume_reading();
    peer.want_head(200);
    if (size < 4000) {
      peer.want_body(size);
    } else {
      EXPECT_EQ(want_chunked_body(peer).size(), size);
    }
    peer.want_closed();
    peer.close();
    site.advance(1ms);
    EXPECT_EQ(done.calls, 1);
    EXPECT_EQ(done.result, ShutdownResult::complete);
    site.expect_quiet(0);
  }
}

TEST(ServerShutdown, GivesSilentConnectionsFiveSeconds) {
  Site<> site;
  site.add(ok_route);
  Peer& old = site.connect();
  site.advance(5s);
  Peer& young = site.connect();
  Peer& speaks = site.connect();
  site.advance(1s);
  site.server.shutdown(1min);
  old.want_closed();
  young.want_nothing(4s - 1ms);
  speaks.say(get_request);
  speaks.want(ok_close_answer);
  site.advance(2ms);
  young.want_closed();
  site.advance(1s);
  EXPECT_EQ(site.closes(CloseReason::shutdown), 3U);
}

TEST(ServerShutdown, TellsWhenItsTimeIsOver) {
  Site<> site;
  Waiter waiter;
  site.add({"*", http::handler<&Waiter::serve>(waiter)});
  Peer& peer = site.connect();
  peer.say(get_request);
  site.advance(1ms);
  Done done;
  site.server.shutdown(1h, net::callback<&Done::note>(done));
  site.advance(1s);
  site.server.shutdown(2s, net::callback<&Done::note>(done));  // moves the deadline
  site.advance(2s - 1ms);
  EXPECT_EQ(done.calls, 0);
  site.advance(2ms);
  EXPECT_EQ(done.calls, 1);
  EXPECT_EQ(done.result, ShutdownResult::deadline);
  EXPECT_EQ(site.server.connections().used, 1U) << "what is left goes on";
  EXPECT_TRUE(waiter.pending.resume());
  peer.want_head(200);
  peer.want("ok");
  peer.want_closed();
  EXPECT_EQ(done.calls, 1);
}

// Nobody asked to be told; the loop must not be kept awake by a deadline that has passed.
TEST(ServerShutdown, WithoutACallbackEndsToo) {
  Site<> site;
  Waiter waiter;
  site.add({"*", http::handler<&Waiter::serve>(waiter)});
  Peer& peer = site.connect();
  peer.say(get_request);
  site.advance(1ms);
  site.server.shutdown(1s);
  site.advance(2s);
  EXPECT_LT(site.loop.turns(), 50U);
  EXPECT_TRUE(waiter.pending.resume());
  peer.want_head(200);
}

// One that waits for an exchange when the server shuts down is served, and one that woke for nothing does not stay.
TEST(ServerShutdown, ServesThoseThatWaitForAnExchange) {
  constexpr http::ServerLimits limits{.connections = 3,
                                      .exchanges = 1,
                                      .listeners = 1,
                                      .in_buffer = 1024,
                                      .out_buffer = 1024,
                                      .head_size_max = 512,
                                      .fields_max = 8,
                                      .state_size = 128,
                                      .close_records = 4};
  Site<limits> site;
  Waiter waiter;
  site.add(ok_route);
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  Peer& waiting = site.connect();
  waiting.say(get_request);
  waiting.want(ok_answer);
  Peer& busy = site.connect();
  busy.say(wait_request);
  site.advance(1ms);
  waiting.say(get_request);
  site.advance(1ms);
  Done done;
  site.server.shutdown(1min, net::callback<&Done::note>(done));
  waiting.want_nothing(1s);
  EXPECT_TRUE(waiter.pending.resume());
  busy.want_head(200);
  waiting.want(ok_close_answer);
  waiting.want_closed();
  waiting.close();
  busy.close();
  site.advance(1s);
  EXPECT_EQ(done.calls, 1);
  site.expect_quiet(0);
}

// ---- close and keep-alives

struct Closer {
  http::Server* server = nullptr;
  bool defers = false;
  Next serve(ResponseWriter& writer, Request& request) {
    if (request.event() == http::Event::gone) {
      return Next::done;
    }
    server->close();
    server->close();
    writer.text(200, "ok");
    return defers ? Next::wait : Next::done;
  }
};

TEST(ServerClose, FromInsideAHandlerHappensAtTheEndOfTheTurn) {
  for (const bool defers : {false, true}) {
    Site<> site;
    Closer closer{.server = &site.server, .defers = defers};
    Waiter waiter;
    site.add({"*", http::handler<&Closer::serve>(closer)});
    site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
    Peer& silent = site.connect();
    Peer& waiting = site.connect();
    waiting.say(wait_request);
    site.advance(1ms);
    Peer& peer = site.connect();
    peer.say(get_request);
    peer.want_gone();
    silent.want_closed();
    waiting.want_gone();
    EXPECT_EQ(waiter.gone, 1);
    site.expect_quiet(0);
    EXPECT_FALSE(site.server.listen({.endpoint = {port::Address::ipv4_any(81)}}));
  }
}

TEST(ServerClose, FromOutsideHappensAtOnce) {
  Site<> site;
  Waiter waiter;
  site.add(ok_route);
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  site.connect();
  site.connect().say("GET");
  site.connect().say(wait_request);
  site.connect().say(get_request);
  site.advance(1ms);
  Done done;
  site.server.shutdown(1h, net::callback<&Done::note>(done));
  site.server.close();
  site.expect_quiet(0);
  EXPECT_EQ(waiter.gone, 1);
  EXPECT_EQ(done.calls, 0);
  site.advance(0ms);
  EXPECT_EQ(done.calls, 1);
  EXPECT_EQ(done.result, ShutdownResult::complete);
}

TEST(ServerClose, WithoutKeepAlivesIdleOnesGoNow) {
  Site<> site;
  Waiter waiter;
  site.add(ok_route);
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  Peer& idle = site.connect();
  idle.say(get_request);
  idle.want(ok_answer);
  Peer& busy = site.connect();
  busy.say(wait_request);
  Peer& silent = site.connect();
  site.advance(1ms);
  site.server.set_keep_alives_enabled(false);
  idle.want_closed();
  site.advance(0ms);
  EXPECT_EQ(site.server.connections().used, 2U);
  silent.say(get_request);
  silent.want(ok_close_answer);
  silent.want_closed();
  EXPECT_TRUE(waiter.pending.resume());
  busy.want_head(200);
  busy.want("ok");
  busy.want_closed();
  site.server.set_keep_alives_enabled(true);
  Peer& next = site.connect();
  next.say(get_request);
  next.want(ok_answer);
  next.want_nothing(1s);
}

TEST(ServerClose, ABusyServerMayBeDestroyed) {
  Conversation talk{1};
  const auto storage = std::make_unique<http::ServerStorage<site_limits>>();
  const auto loop_storage = std::make_unique<net::LoopStorage<http::sockets_max(site_limits)>>();
  net::Loop loop{talk.port(), loop_storage->memory()};
  PathRouter router;
  Waiter waiter;
  LongAnswer answer;
  router.add({"*", http::handler<&Waiter::serve>(waiter)});
  router.add({"/long", http::handler<&LongAnswer::serve>(answer)});
  auto turn = [&] { loop.turn(); };
  talk.set_turn(turn);
  for (int i = 0; i < 2; ++i) {  // and another one in the same memory
    http::Server server{{.loop = loop, .handler = router, .memory = storage->memory()}};
    ASSERT_TRUE(server.listen({.endpoint = {port::Address::ipv4_any(80)}}));
    talk.connect(80);
    Peer& peer = talk.connect(80);
    peer.say(get_request);
    Peer& slow = talk.connect(80);
    slow.stop_reading();
    slow.say("GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
    talk.advance(1ms);
    EXPECT_EQ(server.connections().used, 3U);
  }
  EXPECT_EQ(waiter.gone, 2);
  EXPECT_EQ(answer.gone, 2);
  EXPECT_EQ(talk.port().sockets_open(), 0U);
  talk.advance(1s);
}

TEST(ServerClose, SeveralListenersServe) {
  Site<> site;
  site.add(ok_route);
  const auto second = site.server.listen({.endpoint = {port::Address::ipv6_any(0)}, .tls = site.tls_context()});
  ASSERT_TRUE(second);
  EXPECT_NE(second->port, 0);
  Peer& ipv4 = site.connect();
  Peer& ipv6 = site.talk.connect({.address = port::Address::ipv6_loopback(second->port)});
  for (Peer* peer : {&ipv4, &ipv6}) {
    peer->say(get_request);
    peer->want(ok_answer);
  }
  EXPECT_EQ(site.talk.port().sockets_open(), 4U);
  site.server.close();
  site.expect_quiet(0);
}

// ---- ConnState

struct States {
  std::array<char, 64> seen{};
  std::size_t count = 0;
  void note(const http::ConnEvent& event) {
    constexpr std::string_view letters = "FAIHC";
    seen[count++] = letters[static_cast<std::size_t>(event.state)];
    EXPECT_TRUE(event.connection.is_set());
  }
  std::string_view text() const { return {seen.data(), count}; }
};

void take_over(ResponseWriter& writer, Request&) {
  if (auto taken = writer.hijack()) {
    EXPECT_EQ(taken->stream.send("taken").status, net::StreamStatus::ok);
    taken->stream.close();
  }
}

TEST(ServerStates, AreToldInTheirOrder) {
  struct Row {
    const char* name;
    std::string_view request;
    std::string_view states;
  };
  for (const Row& row :
       {Row{"silent", "", "FC"}, Row{"one request", get_request, "FAIC"}, Row{"half a head", "GET / HT", "FAC"},
        Row{"two pipelined", "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "FAIC"},
        Row{"asks to close", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "FAC"},
        Row{"bad", "GET / HTTP/9.9\r\n\r\n", "FAC"}, Row{"taken", "GET /take HTTP/1.1\r\nHost: h\r\n\r\n", "FAH"}}) {
    SCOPED_TRACE(row.name);
    States states;
    Site<> site{{.on_state = net::callback<&States::note>(states)}};
    site.add(ok_route);
    site.add({"/take", http::handler<&take_over>()});
    Peer& peer = site.connect();
    peer.say(row.request);
    site.advance(1s);
    peer.close();
    site.advance(1s);
    EXPECT_EQ(states.text(), row.states);
    site.expect_quiet();
  }
}

// ---- hijack

struct Taker {
  net::Stream stream{};
  std::array<char, 64> received{};
  std::size_t received_size = 0;
  bool writes_first = false;
  int refused = 0;

  Next serve(ResponseWriter& writer, Request&) {
    if (writes_first) {
      writer.write("begun");
      writer.flush();
      EXPECT_FALSE(writer.hijack());
      return Next::done;
    }
    auto taken = writer.hijack();
    if (!taken) {
      ++refused;
      return Next::write_body;
    }
    stream = taken->stream;
    received_size = std::min(received.size(), taken->received.size());
    std::copy_n(taken->received.data(), received_size, received.data());
    EXPECT_FALSE(writer.hijack()) << "twice";
    EXPECT_EQ(writer.write("nobody hears this"), 17U);
    return Next::done;
  }
};

TEST(ServerHijack, HandsOverTheStreamAndWhatFollowedTheRequest) {
  Site<> site;
  Taker taker;
  site.add({"*", http::handler<&Taker::serve>(taker)});
  Peer& peer = site.connect();
  peer.say(std::string{get_request} + "and more");
  site.advance(1ms);
  ASSERT_TRUE(taker.stream.is_open());
  EXPECT_EQ(std::string_view(taker.received.data(), taker.received_size), "and more");
  EXPECT_EQ(site.server.connections().used, 0U);
  EXPECT_EQ(site.server.exchanges().used, 0U);
  EXPECT_EQ(site.closes(CloseReason::hijacked), 1U);
  EXPECT_EQ(site.server.counters().answers[0], 0U);
  EXPECT_EQ(site.talk.port().sockets_open(), 2U);
  EXPECT_EQ(taker.stream.send("HTTP/1.1 101 Switching Protocols\r\n\r\n").status, net::StreamStatus::ok);
  peer.want("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  peer.say("ping");
  site.advance(1ms);
  std::array<char, 16> bytes;
  EXPECT_EQ(taker.stream.recv(bytes).size, 4U);
  site.server.close();  // does not touch what was taken
  EXPECT_TRUE(taker.stream.is_open());
  peer.want_nothing(1s);
  taker.stream.close();
  peer.want_closed();
  site.expect_quiet(0);
}

TEST(ServerHijack, WaitsForEarlierAnswers) {
  Site<> site{{.conversation = {.network = {.link = {.send_buffer = 64, .receive_buffer = 64}}}}};
  Taker taker;
  site.add(ok_route);
  site.add({"/take", http::handler<&Taker::serve>(taker)});
  Peer& peer = site.connect();
  peer.stop_reading();
  peer.say(std::string{get_request} + std::string{get_request} + "GET /take HTTP/1.1\r\nHost: h\r\n\r\n");
  site.advance(1s);
  EXPECT_GT(taker.refused, 0);
  EXPECT_LT(taker.refused, 10) << "it is asked again when there is news, not all the time";
  EXPECT_FALSE(taker.stream.is_open());
  peer.resume_reading();
  peer.want(ok_answer);
  peer.want(ok_answer);
  site.advance(1ms);
  ASSERT_TRUE(taker.stream.is_open());
  EXPECT_EQ(taker.stream.send("mine").status, net::StreamStatus::ok);
  peer.want("mine");
  taker.stream.close();
  site.expect_quiet();
}

TEST(ServerHijack, IsNothingBehindAHead) {
  Site<> site;
  Taker taker{.writes_first = true};
  site.add({"*", http::handler<&Taker::serve>(taker)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_head(200);
  EXPECT_EQ(want_chunked_body(peer), "begun");
  peer.want_nothing(1s);
  EXPECT_EQ(site.closes(CloseReason::hijacked), 0U);
}

}  // namespace
}  // namespace pollux::test
