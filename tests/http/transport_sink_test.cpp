// Bodies by themselves: a response poured into a sink, a request body from a file.

#include <string>

#include "tests/http/caller.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::test {
namespace {

using http::CallCause;

// Takes at most `room` bytes before it wants to be resumed.
struct Sink {
  explicit Sink(http::Transport& transport) : trip{transport, memory.memory()} { text.reserve(1 << 20); }
  void go() {
    trip.request().start("GET", test_url("http://127.0.0.1/"));
    trip.start(net::callback<&Sink::answered>(*this));
  }
  void answered(http::Response& response) {
    response.pour({.take = [](void* object, std::string_view came) { return static_cast<Sink*>(object)->take(came); },
                   .done = [](void* object, const http::CallError& error) { static_cast<Sink*>(object)->end(error); },
                   .object = this});
    EXPECT_EQ(response.round_trip(), nullptr);
  }
  std::size_t take(std::string_view came) {
    const std::size_t count = std::min(room, came.size());
    text += came.substr(0, count);
    room -= count;
    return count;
  }
  void end(const http::CallError& error) {
    ++ends;
    cause = error.cause;
  }
  http::RoundTripStorage<> memory;
  http::RoundTrip trip;
  std::size_t room = SIZE_MAX;
  std::string text;
  int ends = 0;
  CallCause cause = CallCause::none;
};

TEST(ResponseSink, GetsTheWholeBody) {
  for (const std::string_view answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"}) {
    for (std::size_t cut = 0; cut < answer.size(); cut += stride) {
      Caller<> caller;
      RawServer& origin = caller.talk.listen(80);
      Sink sink{caller.transport};
      sink.go();
      Peer& peer = origin.accept();
      static_cast<void>(peer.want_containing("\r\n\r\n"));
      peer.say_split(answer, cut);
      caller.expect_quiet(1);
      EXPECT_EQ(sink.text, answer.find("abc") == std::string_view::npos ? "" : "abc");
      EXPECT_EQ(sink.ends, 1);
      EXPECT_EQ(sink.cause, CallCause::none);
    }
  }
}

TEST(ResponseSink, ThatTakesNothingStopsTheSocket) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Sink sink{caller.transport};
  sink.room = 1000;
  sink.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  const std::string body(200'000, 'x');
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
  peer.say(body);
  caller.talk.advance(10s);
  EXPECT_EQ(sink.text.size(), 1000U);
  EXPECT_GT(peer.unsaid(), 100'000U);
  while (sink.ends == 0 && !::testing::Test::HasFailure()) {
    sink.room = 1500;
    sink.trip.resume_sink();
    caller.talk.advance(1ms);
  }
  EXPECT_EQ(sink.text, body);
  caller.expect_quiet(1);
}

TEST(ResponseSink, LearnsWhyABodyIsNotComplete) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Sink sink{caller.transport};
  sink.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
  peer.finish();
  caller.expect_quiet();
  EXPECT_EQ(sink.text, "abc");
  EXPECT_EQ(sink.ends, 1);
  EXPECT_EQ(sink.cause, CallCause::closed);
}

TEST(ResponseSink, MayGoAwayWithItsRoundTrip) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  {
    Sink sink{caller.transport};
    sink.go();
    Peer& peer = origin.accept();
    static_cast<void>(peer.want_containing("\r\n\r\n"));
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    caller.talk.advance(10ms);
    EXPECT_EQ(sink.text, "abc");
  }
  caller.expect_quiet();
}

TEST(RequestFile, IsSentFromItsOffsetAndAgainAfterAStaleConnection) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  std::string content(50'000, 'x');
  content.replace(0, 5, "skip!");
  caller.talk.port().files().add_file("/data/file", content);
  const auto opened = caller.talk.port().open_path("/data/file");
  ASSERT_TRUE(opened);
  Peer* peer = nullptr;
  for (int i = 0; i < 2; ++i) {
    Trip& trip = caller.make("PUT", "http://127.0.0.1/");
    trip.trip.request().set_body(
        {.kind = http::RequestBody::Kind::file, .file = opened->file, .offset = 5, .size = opened->size - 5});
    trip.trip.request().set_idempotent(true);
    trip.go();
    if (peer == nullptr) {
      peer = &origin.accept();
    } else {
      static_cast<void>(peer->want_containing("Content-Length: 49995\r\n\r\n"));
      peer->reset();
      peer = &origin.accept();
    }
    static_cast<void>(peer->want_containing("Content-Length: 49995\r\n\r\n"));
    EXPECT_EQ(peer->want_body(49'995), std::string(49'995, 'x'));
    peer->say("HTTP/1.1 204 No Content\r\n\r\n");
    caller.want(trip, 204, "");
  }
  caller.talk.port().close_file(opened->file);
  caller.expect_quiet(1);
}

TEST(RequestFile, ThatIsShorterThanSaidIsAnError) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  caller.talk.port().files().add_file("/data/file", "abc");
  const auto opened = caller.talk.port().open_path("/data/file");
  ASSERT_TRUE(opened);
  Trip& trip = caller.make("PUT", "http://127.0.0.1/");
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::file, .file = opened->file, .size = 10});
  trip.go();
  static_cast<void>(origin.accept());
  caller.want_error(trip, CallCause::source_failed);
  caller.talk.port().close_file(opened->file);
  caller.expect_quiet();
}

}  // namespace
}  // namespace pollux::test
