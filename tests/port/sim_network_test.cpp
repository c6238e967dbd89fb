// SimNetwork: time, lines, lost peers, connects; and that one seed is one run.
#include "port/sim/sim_network.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "tests/port/sim_echo.hpp"
#include "tests/port/sim_support.hpp"

namespace pollux::port {
namespace {

using namespace std::chrono_literals;

// Several machines, every unpleasantness, one seed: all lines of the trace.
std::string run(std::uint64_t seed) {
  std::string trace;
  SimNetwork network{{.seed = seed,
                      .link = {.latency_min = 1us,
                               .latency_max = 90us,
                               .bytes_per_second = 3'000'000,
                               .send_buffer = 700,
                               .receive_buffer = 300,
                               .recv_size_min = 1,
                               .recv_size_max = 200,
                               .partial_send = 0.3,
                               .reset = 0.001,
                               .loss = 0.0005,
                               .user_timeout = 50ms}}};
  network.set_trace(
      [](void* object, std::string_view line) { static_cast<std::string*>(object)->append(line).append("\n"); },
      &trace);
  SimPort port{network};
  port.set_late_readiness(0.2);
  port.set_spurious_polls(0.1);
  test::EchoServer server{port, 80};
  server.park_idle(seed % 2 == 0);
  std::array<SimPeer, 6> peers;
  std::array<char, 256> text{};
  for (int i = 0; i < 1000; ++i) {
    network.set_horizon(network.now() + 1ms);
    server.turn();
    for (SimPeer& peer : peers) {
      if (!peer.is_open() || peer.saw_failure() || peer.saw_finish()) {
        peer.close();
        peer = network.connect(here);
      }
      peer.send({text.data(), static_cast<std::size_t>(i % 256)});
      static_cast<void>(peer.receive(text));
    }
  }
  return trace;
}

TEST(SimNetworkTest, SameSeedSameTrace) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    const std::string first = run(seed);
    EXPECT_GT(first.size(), 10'000U);
    EXPECT_TRUE(first == run(seed));
    EXPECT_FALSE(first == run(seed + 1000));
  }
}

TEST(SimNetworkTest, LatencyIsWaitedForAndOrderIsKept) {
  SimNetwork network{{.link = {.latency_min = 10ms, .latency_max = 20ms}}};
  SimPort port{network};
  test::EchoServer server{port, 80};
  const Time begin = network.now();
  const SimPeer peer = network.connect(here);
  while (peer.is_connecting()) {
    server.turn();
  }
  EXPECT_GE(network.now() - begin, 20ms) << "there and back";
  EXPECT_LE(network.now() - begin, 40ms);
  const std::string text = "abcdefghijklmnopqrstuvwxyz";
  const Time sent = network.now();
  for (const char c : text) {
    peer.send({&c, 1});
  }
  EXPECT_FALSE(network.is_quiet());
  while (peer.unread() < text.size()) {
    server.turn();
  }
  EXPECT_GE(network.now() - sent, 20ms);
  EXPECT_LE(network.now() - sent, 40ms);
  std::array<char, 64> out{};
  EXPECT_EQ(peer.receive(out), text.size());
  EXPECT_EQ(std::string_view(out.data(), text.size()), text);
  EXPECT_TRUE(network.is_quiet());
}

TEST(SimNetworkTest, BandwidthTakesItsTime) {
  SimNetwork network{{.link = {.bytes_per_second = 10'000}}};
  SimPort port{network};
  const Socket listener = port.listen({.endpoint = here}).value();
  const SimPeer peer = network.connect(here);
  const Socket socket = port.accept(listener).value().socket;
  const std::string text(20'000, 'x');
  EXPECT_EQ(port.send(socket, bytes(text), {}, false).size, text.size());
  network.advance(1s);
  EXPECT_GE(peer.unread(), 8'000U);
  EXPECT_LE(peer.unread(), 10'000U);
  network.advance(1s);
  EXPECT_EQ(peer.unread(), 20'000U);
}

TEST(SimNetworkTest, PollReturnsWhenARawPeerGotSomething) {
  SimNetwork network{{.link = {.latency_min = 5ms, .latency_max = 5ms}}};
  SimPort port{network};
  const Socket listener = port.listen({.endpoint = here}).value();
  const SimPeer peer = network.connect(here);
  std::array<PollEntry, 2> entries{PollEntry{.socket = listener, .interest = Events::readable}};
  EXPECT_EQ(port.poll(entries, {}, never).ready, 1U);
  const Socket socket = port.accept(listener).value().socket;
  EXPECT_EQ(port.send(socket, bytes("x"), {}, false).size, 1U);
  const Time sent = network.now();
  for (int i = 0; i < 3 && peer.unread() == 0; ++i) {
    EXPECT_EQ(port.poll(entries, {}, sent + 1h).ready, 0U);
  }
  EXPECT_EQ(network.now() - sent, 5ms) << "not an hour: the peer must get its turn";
}

TEST(SimNetworkTest, NoMachineIsCarriedPastAnothersDeadline) {
  SimNetwork network;
  SimPort first{network};
  SimPort second{network};
  std::array<PollEntry, 1> none{};
  const Time begin = network.now();
  second.poll(none, {}, begin);  // says what it waits for, by polling
  second.poll(none, {}, begin + 1s);
  EXPECT_EQ(network.now(), begin + 1s) << "the first has never polled and waits for nothing";
  first.poll(none, {}, begin + 60s);
  first.poll(none, {}, begin + 60s);
  second.poll(none, {}, begin + 3s);
  EXPECT_EQ(network.now(), begin + 60s);
  second.poll(none, {}, begin + 70s);
  second.poll(none, {}, begin + 70s);
  EXPECT_EQ(network.now(), begin + 70s);
  const Time middle = network.now();
  std::array<PollEntry, 1> entries{};
  network.set_horizon(middle);
  second.poll(entries, {}, middle + 2s);
  network.set_horizon(never);
  first.poll(none, {}, middle + 9s);
  EXPECT_EQ(network.now(), middle + 2s);
}

TEST(SimNetworkTest, LostPeerFailsAfterTheUserTimeout) {
  SimNetwork network{{.link = {.user_timeout = 10s, .keep_alive = 60s}}};
  SimPort port{network};
  const Socket listener = port.listen({.endpoint = here}).value();
  const SimPeer talking = network.connect(here);
  const Socket busy = port.accept(listener).value().socket;
  const SimPeer silent = network.connect(here);
  const Socket idle = port.accept(listener).value().socket;
  talking.lose();
  silent.lose();
  silent.finish();
  const Time begin = network.now();
  EXPECT_EQ(port.send(busy, bytes("hello?"), {}, false).size, 6U);
  std::array<PollEntry, 3> entries{PollEntry{.socket = busy, .interest = Events::readable},
                                   PollEntry{.socket = idle, .interest = Events::readable}};
  while (port.poll(entries, {}, never).ready == 0) {
  }
  EXPECT_EQ(network.now() - begin, 10s);
  EXPECT_TRUE(has(entries[0].ready, Events::error));
  EXPECT_EQ(entries[1].ready, Events::none) << "no FIN comes over a lost line";
  std::array<std::byte, 8> out{};
  EXPECT_EQ(port.recv(busy, out).status, IoStatus::failed);
  EXPECT_EQ(port.system_error(), ETIMEDOUT);
  EXPECT_EQ(talking.unread(), 0U);
  port.close(busy);
  entries[0] = {};
  while (port.poll(entries, {}, never).ready == 0) {
  }
  EXPECT_EQ(network.now() - begin, 60s) << "keep-alive";
}

TEST(SimNetworkTest, FoundAgainInTime) {
  SimNetwork network;
  SimPort port{network};
  test::EchoServer server{port, 80};
  const SimPeer peer = network.connect(here);
  server.turn();
  peer.lose();
  peer.send("still there?");
  network.advance(20s);
  peer.find_again();
  server.turn();
  EXPECT_EQ(peer.unread(), 12U);
}

TEST(SimNetworkTest, AClosedWindowBreaksTheConnectionAfterTheUserTimeout) {
  SimNetwork network{{.link = {.send_buffer = 10, .receive_buffer = 10, .user_timeout = 5s}}};
  SimPort port{network};
  const Socket listener = port.listen({.endpoint = here}).value();
  const SimPeer peer = network.connect(here);
  const Socket socket = port.accept(listener).value().socket;
  EXPECT_EQ(port.send(socket, bytes("0123456789"), {}, false).size, 10U);
  EXPECT_EQ(port.send(socket, bytes("0123456789"), {}, false).size, 10U);
  network.advance(4999ms);
  EXPECT_EQ(port.send(socket, bytes("x"), {}, false).status, IoStatus::would_block);
  network.advance(1ms);
  EXPECT_EQ(port.send(socket, bytes("x"), {}, false).status, IoStatus::failed);
  EXPECT_TRUE(peer.saw_failure());
}

TEST(SimNetworkTest, ConnectRules) {
  using Outcome = SimConnectRule::Outcome;
  struct Case {
    Outcome outcome;
    Duration delay;
    bool at_once;
    Error error;
    Duration takes;
  };
  const Case cases[] = {
      {Outcome::refused, 0s, true, Error::refused, 0s},
      {Outcome::unreachable, 0s, true, Error::unreachable, 0s},
      {Outcome::refused, 2s, false, Error::refused, 2s},
      {Outcome::unreachable, 3s, false, Error::unreachable, 3s},
      {Outcome::timed_out, 4s, false, Error::timed_out, 4s},
      {Outcome::silent, 0s, false, Error::timed_out, sim_connect_timeout},
  };
  const Endpoint to{.address = Address::ipv4(203, 0, 113, 9, 443)};
  for (const Case& c : cases) {
    SCOPED_TRACE(&c - cases);
    SimNetwork network;
    SimPort port{network};
    network.set_connect_rule({.to = to.address, .outcome = c.outcome, .delay = c.delay, .at_once = c.at_once});
    const Time begin = network.now();
    const auto socket = port.connect(to);
    if (c.at_once) {
      EXPECT_EQ(socket.error(), c.error);
      continue;
    }
    std::array<PollEntry, 2> entries{PollEntry{.socket = socket.value(), .interest = Events::writable}};
    EXPECT_EQ(port.connect_result(socket.value()).error(), Error::would_block);
    EXPECT_EQ(port.poll(entries, {}, never).ready, 1U);
    EXPECT_EQ(network.now() - begin, c.takes);
    EXPECT_EQ(port.connect_result(socket.value()).error(), c.error);
  }
}

TEST(SimNetworkTest, ConnectingToNobody) {
  SimNetwork network;
  SimPort port{network};
  EXPECT_EQ(port.connect({.address = Address::ipv4(203, 0, 113, 9, 80)}).error(), Error::unreachable);
  const Socket socket = port.connect(here).value();
  EXPECT_EQ(port.connect_result(socket).error(), Error::refused);
  EXPECT_TRUE(network.connect(here).saw_failure());
  EXPECT_EQ(network.connect(here).failure(), Error::refused);
}

TEST(SimNetworkTest, TwoMachinesAndARawServer) {
  SimNetwork network;
  SimPort server_port{network};
  SimPort client_port{network};
  test::EchoServer server{server_port, 80};
  EXPECT_EQ(client_port.connect_result(client_port.connect(here).value()).error(), Error::refused)
      << "loopback is the own machine";
  Address address = server_port.ipv4_address();
  address.port = 80;
  const Socket socket = client_port.connect({.address = address}).value();
  EXPECT_EQ(client_port.send(socket, bytes("over there"), {}, false).size, 10U);
  server.turn();
  std::array<std::byte, 32> out{};
  EXPECT_EQ(client_port.recv(socket, out).size, 10U);

  const SimPeerListener raw = network.listen({.address = Address::ipv4(203, 0, 113, 9, 443)});
  const Socket outgoing = client_port.connect({.address = raw.address()}).value();
  const SimPeer peer = raw.accept();
  EXPECT_TRUE(peer.is_connected());
  EXPECT_EQ(peer.remote_address(), client_port.local_address(outgoing).value());
  EXPECT_FALSE(raw.accept().is_open());
}

TEST(SimNetworkTest, AFullBacklogDelaysTheConnect) {
  SimNetwork network;
  SimPort port{network};
  const Socket listener = port.listen({.endpoint = here, .backlog = 1}).value();
  const SimPeer first = network.connect(here);
  const SimPeer second = network.connect(here);
  EXPECT_TRUE(first.is_connected());
  EXPECT_TRUE(second.is_connecting());
  EXPECT_TRUE(port.accept(listener));
  network.advance(1s);
  EXPECT_TRUE(second.is_connected());
}

TEST(SimNetworkTest, ConnectionsRunOutAndComeBack) {
  SimNetwork network{{.connections_max = 2}};
  SimPort port{network};
  const Socket listener = port.listen({.endpoint = here}).value();
  const SimPeer first = network.connect(here);
  static_cast<void>(network.connect(here));
  EXPECT_EQ(port.connect(here).error(), Error::no_memory);
  EXPECT_FALSE(network.connect(here).is_open());
  port.close(port.accept(listener).value().socket);
  EXPECT_EQ(network.connections(), 2U);
  first.close();
  EXPECT_EQ(network.connections(), 1U);
  EXPECT_TRUE(network.connect(here).is_connected());
}

TEST(SimNetworkTest, ResetsByChanceReachBothEnds) {
  SimNetwork network{{.link = {.reset = 1}}};
  SimPort port{network};
  const Socket listener = port.listen({.endpoint = here}).value();
  const SimPeer peer = network.connect(here);
  const Socket socket = port.accept(listener).value().socket;
  peer.send("x");
  EXPECT_TRUE(peer.saw_failure());
  std::array<std::byte, 8> out{};
  EXPECT_EQ(port.recv(socket, out).size, 1U);
  EXPECT_EQ(port.recv(socket, out).status, IoStatus::failed);
}

TEST(SimNetworkTest, WallClockJumpsAndRunsOn) {
  SimNetwork network;
  SimPort port{network};
  EXPECT_EQ(port.wall_clock().seconds, 1'767'225'600);
  network.advance(1500ms);
  EXPECT_EQ(port.wall_clock().seconds, 1'767'225'601);
  network.set_wall_clock({.seconds = 0});
  network.advance(2s);
  EXPECT_EQ(port.wall_clock().seconds, 2);
}

TEST(SimNetworkTest, PortsCloseWhatIsOpenWhenTheyEnd) {
  SimNetwork network;
  SimPeer peer;
  {
    SimPort port{network};
    const Socket listener = port.listen({.endpoint = here}).value();
    peer = network.connect(here);
    EXPECT_TRUE(port.accept(listener));
  }
  EXPECT_TRUE(peer.saw_finish());
  EXPECT_TRUE(network.connect(here).saw_failure());
}

}  // namespace
}  // namespace pollux::port
