// The pool scenarios of net/http: who gets which connection, and what becomes of it (net-http.md 2, vectors.md 5.8).

#include "tests/http/caller.hpp"

namespace pollux::test {
namespace {

using http::CallCause;

constexpr std::string_view get_root = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\n\r\n";
constexpr std::string_view ok_abc = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";

TEST(TransportPool, AnswerReadToItsEndGivesTheConnectionBack) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Peer* peer = nullptr;
  for (int i = 0; i < 3; ++i) {
    Trip& trip = caller.get();
    if (peer == nullptr) {
      peer = &origin.accept();
    }
    peer->want(get_root);
    peer->say(ok_abc);
    caller.want(trip, 200, "abc");
    EXPECT_EQ(trip.trip.was_reused(), i != 0);
  }
  EXPECT_EQ(caller.transport.counters().dials, 1U);
  EXPECT_EQ(caller.transport.counters().reused, 2U);
  caller.expect_quiet(1);
}

}  // namespace
}  // namespace pollux::test
