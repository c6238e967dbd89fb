// Conversation: that scripts pass when they should, and above all that they fail when they should.
#include "tests/support/conversation.hpp"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

#include "tests/port/sim_echo.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;

class ConversationTest : public ::testing::Test {
 protected:
  ConversationTest() { talk_.set_turn(turn_); }

  // The messages of all failures that `script` reports.
  template <typename Script>
  static std::string failures_of(Script script) {
    ::testing::TestPartResultArray results;
    {
      const ::testing::ScopedFakeTestPartResultReporter reporter{
          ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results};
      script();
    }
    std::string text;
    for (int i = 0; i < results.size(); ++i) {
      text += std::string{results.GetTestPartResult(i).file_name()} + ": " + results.GetTestPartResult(i).message();
    }
    return text;
  }

  Conversation talk_{1};
  EchoServer server_{talk_.port(), 80};
  struct Turn {
    EchoServer& server;
    void operator()() const { server.turn(); }
  };
  Turn turn_{server_};
};

TEST_F(ConversationTest, SayAndWant) {
  Peer& peer = talk_.connect(80);
  peer.say("hello, ");
  peer.say("world");
  peer.want("hello, wor");
  peer.want("ld");
  peer.want_nothing(1s);
  peer.finish();
  peer.want_closed();
  EXPECT_EQ(server_.connections(), 0U);
}

TEST_F(ConversationTest, TimePassesOnlyAsFarAsAsked) {
  Peer& peer = talk_.connect(80);
  const port::Time begin = talk_.now();
  peer.say("x").want("x");
  EXPECT_EQ(talk_.now(), begin);
  talk_.advance(90s);
  EXPECT_EQ(talk_.now() - begin, 90s);
}

TEST_F(ConversationTest, PiecesArriveOneByOne) {
  Peer& peer = talk_.connect(80);
  peer.want_connected();
  const std::uint64_t before = talk_.turns();
  peer.say_in_pieces("0123456789", 1);
  peer.want("0123456789");
  EXPECT_GE(talk_.turns() - before, 10U);
  peer.say_split("abcdef", 2);
  EXPECT_EQ(peer.unsaid(), 4U);
  peer.want("abcdef");
}

TEST_F(ConversationTest, AtEachSplit) {
  int scripts = 0;
  talk_.at_each_split({.address = port::Address::ipv4_loopback(80)}, "abcde", [&](Peer& peer) {
    ++scripts;
    peer.want("abcde");
  });
  EXPECT_EQ(scripts, 4);
  EXPECT_EQ(server_.connections(), 0U);
  EXPECT_NE(failures_of([&] {
              talk_.at_each_split({.address = port::Address::ipv4_loopback(80)}, "ab",
                                  [](Peer& peer) { peer.want("ax"); });
            }).find("cut at byte 1"),
            std::string::npos);
}

TEST_F(ConversationTest, MismatchNamesPlaceAndDifference) {
  Peer& peer = talk_.connect(80);
  peer.say("HTTP/1.1 200 OK\r\n\r\n");
  const std::string text = failures_of([&] { peer.want("HTTP/1.1 404 OK\r\n\r\n"); });
  EXPECT_NE(text.find("sim_conversation_test.cpp"), std::string::npos);
  EXPECT_NE(text.find("first difference at byte 9"), std::string::npos);
  EXPECT_NE(text.find("\"HTTP/1.1 200 OK\\r\\n\""), std::string::npos);
  EXPECT_NE(text.find("\"HTTP/1.1 404 OK\\r\\n\""), std::string::npos);
  EXPECT_NE(text.find("seed 1"), std::string::npos);
}

TEST_F(ConversationTest, EveryWantCanFail) {
  Peer& peer = talk_.connect(80);
  peer.want_connected();
  EXPECT_NE(failures_of([&] { peer.want("x"); }).find("(nothing)"), std::string::npos);
  EXPECT_NE(failures_of([&] { peer.want_prefix("x"); }), "");
  EXPECT_NE(failures_of([&] { static_cast<void>(peer.want_containing("x")); }), "");
  EXPECT_NE(failures_of([&] { static_cast<void>(peer.want_body(1)); }), "");
  EXPECT_NE(failures_of([&] { static_cast<void>(peer.want_head(200)); }), "");
  EXPECT_NE(failures_of([&] { peer.want_closed(); }), "");
  EXPECT_NE(failures_of([&] { peer.want_reset(); }), "");
  EXPECT_NE(failures_of([&] { peer.want_gone(); }), "");
  peer.say("HTTP/1.1 404 No\r\n\r\nrest");
  EXPECT_NE(failures_of([&] { static_cast<void>(peer.want_head(200)); }).find("status 200"), std::string::npos);
  EXPECT_NE(failures_of([&] { peer.want_nothing(1s); }).find("rest"), std::string::npos);
  peer.say("left over");
  peer.want_prefix("left");
  peer.finish();
  EXPECT_NE(failures_of([&] { peer.want_closed(); }).find("left over"), std::string::npos);
  Peer& nobody = talk_.connect(81);
  EXPECT_NE(failures_of([&] { nobody.want_connected(); }), "");
  RawServer& origin = talk_.listen(82);
  EXPECT_NE(failures_of([&] { origin.accept(); }).find("nobody came"), std::string::npos);
}

TEST_F(ConversationTest, HeadsAndBodies) {
  Peer& peer = talk_.connect(80);
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(peer.want_head(200), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(peer.want_body(4), "body");
  EXPECT_EQ(peer.want_containing("204 No"), "HTTP/1.1 204 No");
  peer.want_prefix(" Cont");
  EXPECT_EQ(peer.take(), " Content\r\n\r\n");
}

TEST_F(ConversationTest, DatesAreMaskedUnlessTheyMatter) {
  Peer& peer = talk_.connect(80);
  peer.say("A\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n").want("A\r\nDate: *\r\n\r\n");
  peer.say("A\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n").want("A\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n");
  peer.say("A\r\nDate: yesterday\r\n\r\n");
  EXPECT_NE(failures_of([&] { peer.want("A\r\nDate: *\r\n\r\n"); }), "") << "what is no date is compared";
  peer.keep_dates();
  peer.say("A\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
  EXPECT_NE(failures_of([&] { peer.want("A\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n"); }), "");
}

TEST_F(ConversationTest, ResetsBothWays) {
  Peer& peer = talk_.connect(80);
  peer.say("x").want("x");
  peer.reset();
  talk_.advance(1ms);
  EXPECT_EQ(server_.connections(), 0U);
  Peer& other = talk_.connect(80);
  other.want_connected();
  talk_.run_until([&] { return server_.connections() == 1; });
  other.end().link().reset = 1;
  other.say("x");
  other.want_reset();
}

TEST_F(ConversationTest, SlowAndStoppedReaders) {
  Peer& peer = talk_.connect(80);
  peer.end().link().receive_buffer = 100;
  peer.end().link().send_buffer = 100;
  peer.stop_reading();
  peer.say(std::string(2000, 'x'));
  talk_.advance(1s);
  EXPECT_EQ(peer.received(), "");
  EXPECT_GT(peer.unsaid(), 0U) << "nobody reads, so the server does not either";
  const port::Time begin = talk_.now();
  peer.read_slowly(1000);
  EXPECT_EQ(peer.want_body(2000), std::string(2000, 'x'));
  EXPECT_GE(talk_.now() - begin, 1900ms);
  EXPECT_LE(talk_.now() - begin, 2200ms);
  peer.resume_reading();
  peer.say("fast").want("fast");
}

TEST_F(ConversationTest, RawServerForPrograms) {
  RawServer& origin = talk_.listen(8080);
  const port::Socket socket = talk_.port().connect(origin.endpoint()).value();
  Peer& peer = origin.accept();
  peer.say("welcome");
  talk_.advance(1ms);
  std::array<std::byte, 16> out{};
  EXPECT_EQ(talk_.port().recv(socket, out).size, 7U);
  origin.want_nobody(1s);
  talk_.port().close(socket);
  peer.want_closed();
}

TEST_F(ConversationTest, TurnsRunInsideTheScope) {
  static int depth = 0;
  struct Scope {
    Scope() { ++depth; }
    ~Scope() { --depth; }
  };
  int seen = 0;
  auto turn = [&] {
    seen = depth;
    server_.turn();
  };
  talk_.set_turn<Scope>(turn);
  talk_.connect(80).say("x").want("x");
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(depth, 0);
  talk_.set_turn(turn_);
}

TEST_F(ConversationTest, ASpinningProgramIsReported) {
  auto turn = [] {};
  talk_.set_turn(turn);
  EXPECT_NE(failures_of([&] { talk_.advance(1s); }).find("spins"), std::string::npos);
  talk_.set_turn(turn_);
}

TEST(EscapeTest, WritesWhatCWould) {
  EXPECT_EQ(escape("a\r\n\t\"\\"), "a\\r\\n\\t\\\"\\\\");
  EXPECT_EQ(escape(std::string_view{"\0\x7f\xff", 3}), "\\x00\\x7f\\xff");
}

}  // namespace
}  // namespace pollux::test
