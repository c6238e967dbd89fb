// Requests that are answered later: Deferred, Event::resumed, expired and gone, state(), and sources that say `later`.

#include "tests/http/server_handlers.hpp"

namespace pollux::test {
namespace {

using http::CloseReason;
using http::Deferred;
using http::Event;
using http::Next;
using http::PullResult;
using http::Request;
using http::ResponseWriter;

TEST(ServerDefer, IsAnsweredInALaterTurn) {
  Site<> site;
  Waiter waiter;
  site.add({"*", http::handler<&Waiter::serve>(waiter)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_nothing(1s);
  EXPECT_TRUE(waiter.pending.is_pending());
  EXPECT_TRUE(waiter.pending.resume());
  EXPECT_FALSE(waiter.pending.is_pending());
  EXPECT_FALSE(waiter.pending.resume()) << "it is empty now";
  EXPECT_EQ(waiter.resumed, 0) << "never from inside the call";
  peer.want(ok_answer);
  EXPECT_EQ(waiter.resumed, 1);
}

struct AtOnce {
  int calls = 0;
  bool drops = false;
  Next serve(ResponseWriter& writer, Request& request) {
    ++calls;
    if (request.event() == Event::start) {
      Deferred deferred = request.defer();
      if (!drops) {
        EXPECT_TRUE(deferred.resume());
      }
      return Next::wait;
    }
    writer.text(200, "ok");
    return Next::done;
  }
};

TEST(ServerDefer, MayBeResumedInTheSameCall) {
  Site<> site;
  AtOnce handler;
  site.add({"*", http::handler<&AtOnce::serve>(handler)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want(ok_answer);
  EXPECT_EQ(handler.calls, 2);
  peer.say(get_request);
  peer.want(ok_answer);
}

TEST(ServerDefer, DroppingItAnswers500) {
  Site<> site;
  AtOnce handler{.drops = true};
  Waiter waiter;
  site.add({"*", http::handler<&AtOnce::serve>(handler)});
  site.add({"/later", http::handler<&Waiter::serve>(waiter)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_head(500);
  peer.want("Internal Server Error\n");
  peer.say("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  peer.want_nothing(1s);
  waiter.pending = Deferred{};
  peer.want_head(500);
  peer.want("Internal Server Error\n");
  EXPECT_EQ(waiter.gone, 0);
  EXPECT_EQ(waiter.resumed, 0);
  peer.want_nothing(1s);  // the connection lives on
}

TEST(ServerDefer, ATimerResumes) {
  Site<> site;
  Waiter waiter;
  site.add({"*", http::handler<&Waiter::serve>(waiter)});
  struct Resume {
    Waiter& waiter;
    void run() { EXPECT_TRUE(waiter.pending.resume()); }
  } resume{waiter};
  net::Timer timer{site.loop, net::callback<&Resume::run>(resume)};
  Peer& peer = site.connect();
  peer.say(get_request);
  timer.start(5s);
  peer.want_nothing(5s - 1ms);
  peer.want(ok_answer);
}

TEST(ServerDefer, ComesTooLateWhenTheClientHasGone) {
  Site<> site;
  Waiter waiter{.keeps_when_gone = true};
  site.add({"*", http::handler<&Waiter::serve>(waiter)});
  Peer& peer = site.connect();
  peer.say(get_request);
  site.advance(1s);
  peer.reset();
  site.advance(1ms);
  EXPECT_EQ(waiter.gone, 1);
  EXPECT_FALSE(waiter.pending.is_pending());
  EXPECT_FALSE(waiter.pending.resume());
  site.advance(1s);
  EXPECT_EQ(waiter.gone, 1);
  EXPECT_EQ(waiter.resumed, 0);
  site.expect_quiet();
}

// Gone and resumed in one turn: the handler hears only of one.
TEST(ServerDefer, IsToldOnceWhenBothHappen) {
  for (const bool resume_first : {true, false}) {
    Site<> site;
    Waiter waiter;
    site.add({"*", http::handler<&Waiter::serve>(waiter)});
    Peer& peer = site.connect();
    peer.say(get_request);
    site.advance(1s);
    if (resume_first) {
      EXPECT_TRUE(waiter.pending.resume());
      peer.reset();
    } else {
      peer.reset();
      EXPECT_TRUE(waiter.pending.resume()) << "the reset has not been heard of";
    }
    site.advance(1s);
    EXPECT_EQ(waiter.gone + waiter.resumed, 1);
    site.expect_quiet();
  }
}

struct Keeps {
  Deferred kept{};
  int calls = 0;
  Next serve(ResponseWriter& writer, Request& request) {
    ++calls;
    if (!kept.is_pending() && calls == 1) {
      kept = request.defer();  // and answers without it
    }
    writer.text(200, "ok");
    return Next::done;
  }
};

TEST(ServerDefer, OfAnEarlierRequestDoesNothing) {
  for (const bool pipelined : {true, false}) {
    for (const bool resumes : {true, false}) {
      Site<> site;
      Keeps keeps;
      Waiter waiter;
      site.add({"*", http::handler<&Keeps::serve>(keeps)});
      site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
      Peer& peer = site.connect();
      const std::string second = "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n";
      peer.say(pipelined ? std::string{get_request} + second : std::string{get_request});
      peer.want(ok_answer);
      if (!pipelined) {
        peer.say(second);
      }
      peer.want_nothing(1s);
      EXPECT_FALSE(keeps.kept.is_pending());
      if (resumes) {
        EXPECT_FALSE(keeps.kept.resume());
      } else {
        keeps.kept.drop();
      }
      peer.want_nothing(1s);
      EXPECT_EQ(waiter.resumed, 0);
      EXPECT_TRUE(waiter.pending.resume());
      peer.want(ok_answer);
    }
  }
}

TEST(ServerDefer, MovesWithItsOwner) {
  Site<> site;
  Waiter waiter;
  site.add({"*", http::handler<&Waiter::serve>(waiter)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_nothing(1s);
  Deferred other{std::move(waiter.pending)};
  EXPECT_FALSE(waiter.pending.is_pending());
  Deferred third;
  third = std::move(other);
  EXPECT_TRUE(third.is_pending());
  EXPECT_TRUE(third.resume());
  peer.want(ok_answer);
}

// ---- Event::gone

struct Watcher {
  int gone = 0;
  int calls = 0;
  Next first = Next::done;
  Next serve(ResponseWriter& writer, Request& request) {
    if (request.event() == Event::gone) {
      ++gone;
      EXPECT_EQ(writer.write("nobody hears this"), 17U);
      return Next::wait;  // has no meaning any more
    }
    ++calls;
    writer.write("x");
    return request.event() == Event::start ? first : Next::done;
  }
};

TEST(ServerDefer, GoneComesOnceAndOnlyToThoseThatWait) {
  for (const auto& [first, gone] :
       {std::pair{Next::done, 0}, std::pair{Next::abort, 0}, std::pair{Next::read_body, 1}}) {
    Site<> site;
    Watcher watcher{.first = first};
    site.add({"*", http::handler<&Watcher::serve>(watcher), {.body = http::Body::streamed}});
    Peer& peer = site.connect();
    peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\n");
    site.advance(1ms);
    peer.reset();
    site.advance(1s);
    EXPECT_EQ(watcher.gone, gone);
    site.expect_quiet();
  }
  // The end of the server is the end of the connection.
  Waiter waiter;
  {
    Site<> site;
    site.add({"*", http::handler<&Waiter::serve>(waiter)});
    site.connect().say(get_request);
    site.advance(1ms);
  }
  EXPECT_EQ(waiter.gone, 1);
}

// ---- state()

struct Memory {
  std::uint32_t calls;
  std::uint8_t bytes[60];
};
Next remembers(ResponseWriter& writer, Request& request) {
  auto& memory = request.state<Memory>();
  if (request.event() == Event::gone) {
    return Next::done;
  }
  if (request.event() == Event::start) {
    EXPECT_EQ(memory.calls, 0U);
    for (std::uint8_t& byte : memory.bytes) {
      EXPECT_EQ(byte, 0U);
      byte = 0xFF;
    }
  }
  ++memory.calls;
  request.consume(request.body_bytes().size());
  if (request.body_state() == http::BodyState::more) {
    return Next::read_body;
  }
  EXPECT_EQ(memory.bytes[59], 0xFF);
  const char digit = static_cast<char>('0' + memory.calls);
  writer.text(200, {&digit, 1});
  return Next::done;
}

TEST(ServerDefer, StateIsZeroFirstAndStays) {
  Site<> site;
  site.add({"*", http::handler<&remembers>(), {.body = http::Body::streamed}});
  Peer& peer = site.connect();
  for (int i = 0; i < 3; ++i) {
    peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
    for (const std::string_view piece : {"a", "b", "c"}) {
      site.advance(1ms);
      peer.say(piece);
    }
    peer.want_head(200);
    peer.want("4");
  }
}

// ---- waiting for the body and for somebody else at once

// What a gateway does: the rest of the request's body or the answer from elsewhere, whichever comes first.
struct EitherOr {
  Deferred pending{};
  std::string log{};

  Next serve(ResponseWriter& writer, Request& request) {
    const heap_guard::Scope<heap_guard::Rule::allowed> for_the_log;
    switch (request.event()) {
      case Event::start:
        log += "start ";
        pending = request.defer();
        return Next::read_body;
      case Event::body:
        log += "body:" + std::string{request.body_bytes()} + " ";
        request.consume(request.body_bytes().size());
        return Next::read_body;
      case Event::resumed:
        log += "resumed";
        writer.text(200, "ok");
        return Next::done;
      case Event::writable:
      case Event::expired:
      case Event::gone:
        break;
    }
    log += "gone";
    return Next::done;
  }
};

TEST(ServerDefer, ResumesAHandlerThatReadsTheBody) {
  Site<> site;
  EitherOr handler;
  site.add({"*", http::handler<&EitherOr::serve>(handler), {.body = http::Body::streamed}});
  Peer& peer = site.connect();
  peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nab");
  peer.want_nothing(1s);
  EXPECT_TRUE(handler.pending.resume());
  peer.want(ok_answer);
  EXPECT_EQ(handler.log, "start body:ab resumed");
  peer.say("cdef");  // is read away, and the connection serves on
  peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n");
  site.advance(1s);
  EXPECT_EQ(handler.log, "start body:ab resumedstart ");
  EXPECT_TRUE(handler.pending.resume());
  peer.want(ok_answer);
}

// ---- a source that says later

struct Ticker {
  std::array<Deferred, 4> pending{};
  std::size_t next = 0;   // of pending, to be resumed
  std::size_t ticks = 0;  // that are ready
  std::size_t given = 0;
  int closed = 0;

  Next serve(ResponseWriter& writer, Request& request) {
    for (Deferred& deferred : pending) {
      deferred = request.defer();
    }
    next = ticks = given = 0;
    writer.send_source({.pull = &pull, .close = &close, .object = this});
    return Next::done;
  }
  bool tick() {
    ++ticks;
    return pending[next++].resume();
  }
  static PullResult pull(void* object, std::span<char> out, std::uint64_t) {
    auto& self = *static_cast<Ticker*>(object);
    if (self.given == self.ticks) {
      return {PullResult::Kind::later, 0};
    }
    ++self.given;
    out[0] = static_cast<char>('0' + self.given);
    return {self.given == 3 ? PullResult::Kind::end : PullResult::Kind::more, 1};
  }
  static void close(void* object) { ++static_cast<Ticker*>(object)->closed; }
};

TEST(ServerDefer, ASourceMaySayLater) {
  Site<> site{{.timeouts = {.wait = 10s}}};
  Ticker ticker;
  site.add({"*", http::handler<&Ticker::serve>(ticker)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_head(200);
  for (const std::string_view chunk : {"1\r\n1\r\n", "1\r\n2\r\n", "1\r\n3\r\n0\r\n\r\n"}) {
    peer.want_nothing(9s);  // each time the full deadline
    EXPECT_TRUE(ticker.tick());
    peer.want(chunk);
  }
  EXPECT_EQ(ticker.closed, 1);
  peer.want_nothing(1s);
}

TEST(ServerDefer, ASourceThatIsNeverResumedIsEnded) {
  Site<> site{{.timeouts = {.wait = 10s}}};
  Ticker ticker;
  site.add({"*", http::handler<&Ticker::serve>(ticker)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_head(200);
  peer.want_nothing(10s - 1ms);
  site.advance(2ms);
  peer.want_cut();
  EXPECT_EQ(ticker.closed, 1);
  EXPECT_EQ(site.closes(CloseReason::aborted), 1U);
  site.expect_quiet();
}

TEST(ServerDefer, ASourceThatIsDroppedEndsTheConnection) {
  Site<> site;
  Ticker ticker;
  site.add({"*", http::handler<&Ticker::serve>(ticker)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_head(200);
  ticker.pending[0].drop();
  peer.want_cut();
  EXPECT_EQ(ticker.closed, 1);
  EXPECT_EQ(site.closes(CloseReason::aborted), 1U);
  site.expect_quiet();
}

}  // namespace
}  // namespace pollux::test
