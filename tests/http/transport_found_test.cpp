// What seeds of tests/sim/client_sim_test and paths of tests/e2e/rogue_test found in the transport, each as a script.

#include <string>

#include "tests/http/caller.hpp"

namespace pollux::test {
namespace {

constexpr http::TransportLimits two_connections{
    .connections = 2, .hosts = 4, .in_buffer = 4096, .out_buffer = 1024, .head_size_max = 2048, .fields_max = 16};

// Seed 17: two round trips for one host waited for a slot. Both had been allowed to dial when there was no connection yet, and each got its
// slot: one connection too many.
TEST(TransportFound, PermitToDialIsTakenWhileTheSlotIsStillToCome) {
  Caller<two_connections> caller{{.max_conns_per_host = 1}};
  RawServer& first = caller.talk.listen(81);
  RawServer& second = caller.talk.listen(82);
  RawServer& origin = caller.talk.listen(80);
  Trip& a = caller.get("http://127.0.0.1:81/");
  Trip& b = caller.get("http://127.0.0.1:82/");
  Peer& peer_a = first.accept();
  Peer& peer_b = second.accept();
  Trip& c = caller.get("http://127.0.0.1/c");
  Trip& d = caller.get("http://127.0.0.1/d");
  caller.talk.advance(1ms);
  EXPECT_EQ(caller.transport.counters().waited_for_slot, 1U);
  EXPECT_EQ(caller.transport.counters().waited_for_permit, 1U);
  static_cast<void>(peer_a.want_containing("\r\n\r\n"));
  peer_a.say(ok_abc);
  static_cast<void>(peer_b.want_containing("\r\n\r\n"));
  peer_b.say(ok_abc);
  caller.want(a, 200, "abc");
  caller.want(b, 200, "abc");
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("GET /c"));
  origin.want_nobody(100ms);
  peer.say(ok_abc);
  caller.want(c, 200, "abc");
  static_cast<void>(peer.want_containing("GET /d"));
  peer.say(ok_abc);
  caller.want(d, 200, "abc");
  EXPECT_TRUE(d.trip.was_reused());
  caller.expect_quiet(2);
}

// A permit goes to the next one when its holder gives up before it has a slot.
TEST(TransportFound, PermitOfACancelledWaiterGoesOn) {
  Caller<two_connections> caller{{.max_conns_per_host = 1}};
  RawServer& first = caller.talk.listen(81);
  RawServer& second = caller.talk.listen(82);
  RawServer& origin = caller.talk.listen(80);
  Trip& a = caller.get("http://127.0.0.1:81/");
  Trip& b = caller.get("http://127.0.0.1:82/");
  Peer& peer_a = first.accept();
  Peer& peer_b = second.accept();
  Trip& c = caller.get("http://127.0.0.1/c");
  Trip& d = caller.get("http://127.0.0.1/d");
  caller.talk.advance(1ms);
  c.trip.cancel();
  caller.want_error(c, http::CallCause::cancelled);
  static_cast<void>(peer_a.want_containing("\r\n\r\n"));
  peer_a.say(ok_abc);
  caller.want(a, 200, "abc");
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("GET /d"));
  peer.say(ok_abc);
  caller.want(d, 200, "abc");
  static_cast<void>(peer_b.want_containing("\r\n\r\n"));
  peer_b.say(ok_abc);
  caller.want(b, 200, "abc");
  caller.expect_quiet(2);
}

}  // namespace
}  // namespace pollux::test
