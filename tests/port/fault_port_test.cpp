// FaultPort: each call fails as its header says, and a sweep over an echo exchange ends in order wherever it breaks.
#include "port/fault/fault_port.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <span>
#include <string>

#include "port/sim/sim_port.hpp"
#include "tests/port/sim_echo.hpp"
#include "tests/port/sim_support.hpp"

namespace pollux::port {
namespace {

using namespace std::chrono_literals;

// A client says something to the echo server and both finish; true if everything came back.
bool exchange(SimNetwork& network, SimPort& sim, FaultPort& port, bool parks) {
  const std::string text = "echo this, please";
  std::string echoed;
  {
    test::EchoServer server{port, 80};
    server.park_idle(parks);
    const SimPeer peer = network.connect(here);
    std::size_t sent = 0;
    for (int turns = 0; turns < 50; ++turns) {
      network.set_horizon(network.now() + 1s);
      sent += peer.send(std::string_view{text}.substr(sent, 5));
      if (sent == text.size() && echoed == text) {
        peer.finish();
      }
      server.turn();
      std::array<char, 64> out{};
      echoed.append(out.data(), peer.receive(out));
    }
    peer.close();
  }
  EXPECT_EQ(sim.sockets_open(), 0U) << "the server gave everything back";
  EXPECT_EQ(network.connections(), 0U);
  return echoed == text;
}

TEST(FaultPortTest, SweepOverAnEchoExchange) {
  for (const bool parks : {false, true}) {
    for (const bool and_later : {false, true}) {
      std::uint64_t n = 1;
      for (;; ++n) {
        SCOPED_TRACE(testing::Message() << "call " << n << (and_later ? " and all later" : "") << " fails");
        ASSERT_LT(n, 1000U);
        SimNetwork network{{.seed = 5, .connections_max = 4, .link = {.recv_size_min = 3, .recv_size_max = 3}}};
        SimPort sim{network};
        FaultPort port{sim, {.first = n, .and_later = and_later}};
        const bool worked = exchange(network, sim, port, parks);
        if (port.failures() == 0) {
          EXPECT_TRUE(worked);
          EXPECT_LT(port.calls(), n);
          break;
        }
        const bool is_fatal = port.last_failure() == FaultCall::recv || port.last_failure() == FaultCall::send ||
                              port.last_failure() == FaultCall::listen;
        if (!and_later) {
          EXPECT_EQ(port.failures(), 1U);
          EXPECT_TRUE(worked || is_fatal) << "the server gets over a failed accept, poll or park";
        }
      }
      EXPECT_GT(n, 20U) << "the sweep has seen the whole exchange";
    }
  }
}

TEST(FaultPortTest, WithoutAPlanNothingFails) {
  SimNetwork network;
  SimPort sim{network};
  FaultPort port{sim, {}};
  EXPECT_TRUE(exchange(network, sim, port, true));
  EXPECT_EQ(port.failures(), 0U);
  EXPECT_GT(port.calls(FaultCall::recv), 0U);
  EXPECT_EQ(port.calls(FaultCall::listen), 1U);
  EXPECT_EQ(port.calls(FaultCall::connect), 0U);
}

TEST(FaultPortTest, EachCallFailsInItsOwnWay) {
  SimNetwork network;
  SimPort sim{network};
  sim.files().add_file("/www/file", "content");
  const Socket listener = sim.listen({.endpoint = here}).value();
  const SimPeer peer = network.connect(here);
  const Socket socket = sim.accept(listener).value().socket;
  const SimPeer waiting = network.connect(here);
  const File root = sim.open_directory("/www").value();
  const File file = sim.open_file(root, "file").value().file;
  peer.send("x");
  EXPECT_TRUE(sim.park(socket, 1));

  FaultPort port{sim, {.first = 1, .and_later = true}};
  std::array<std::byte, 8> out{};
  std::array<PollEntry, 2> entries{
      PollEntry{.socket = listener, .interest = Events::readable, .ready = Events::readable}};
  EXPECT_EQ(port.listen({.endpoint = here}).error(), Error::address_in_use);
  EXPECT_EQ(port.system_error(), EADDRINUSE);
  EXPECT_EQ(port.local_address(listener).error(), Error::failed);
  EXPECT_EQ(port.accept(listener).error(), Error::no_descriptors);
  EXPECT_EQ(port.system_error(), EMFILE);
  EXPECT_EQ(port.connect(here).error(), Error::refused);
  EXPECT_EQ(port.connect_result(socket).error(), Error::refused);
  EXPECT_EQ(port.connect_datagram(here.address).error(), Error::no_descriptors);
  EXPECT_EQ(port.recv(socket, out).status, IoStatus::failed);
  EXPECT_EQ(port.send(socket, bytes("x"), {}, false).status, IoStatus::failed);
  EXPECT_EQ(port.send_file(socket, file, 0, 1).status, IoStatus::failed);
  EXPECT_FALSE(port.park(socket, 2));
  EXPECT_EQ(sim.sockets_parked(), 0U);
  EXPECT_EQ(port.open_directory("/www").error(), Error::no_descriptors);
  EXPECT_EQ(port.open_file(root, "file").error(), Error::no_descriptors);
  EXPECT_EQ(port.open_path("/www/file").error(), Error::no_descriptors);
  EXPECT_EQ(port.read_file(file, 0, out).status, IoStatus::failed);
  EXPECT_EQ(port.poll(entries, {}, never).ready, 0U);
  EXPECT_EQ(entries[0].ready, Events::none);
  EXPECT_EQ(port.poll(entries, {}, never).ready, 1U) << "never twice in a row";
  EXPECT_EQ(port.failures(), fault_call_count);
  EXPECT_EQ(port.calls(), fault_call_count);

  port.set_plan({});
  EXPECT_EQ(port.recv(socket, out).size, 1U) << "the port inside knew nothing of it";
  EXPECT_EQ(port.system_error(), sim.system_error());
  EXPECT_TRUE(port.accept(listener));
  EXPECT_TRUE(waiting.is_connected());
  EXPECT_EQ(port.read_file(file, 0, out).size, 7U);
}

TEST(FaultPortTest, OnlyTheChosenKindsAreCounted) {
  SimNetwork network;
  SimPort sim{network};
  FaultPort port{sim, {.calls = fault_bit(FaultCall::open_directory), .first = 2}};
  const Socket listener = port.listen({.endpoint = here}).value();
  EXPECT_TRUE(port.local_address(listener));
  EXPECT_TRUE(port.open_directory("/"));
  EXPECT_EQ(port.open_directory("/").error(), Error::no_descriptors);
  EXPECT_TRUE(port.open_directory("/"));
  EXPECT_EQ(port.calls(), 3U);
  EXPECT_EQ(port.failures(), 1U);
  EXPECT_EQ(port.last_failure(), FaultCall::open_directory);
}

TEST(FaultPortTest, ProbabilityComesFromTheSeed) {
  const auto failures = [](double probability, std::uint64_t seed) {
    SimNetwork network;
    SimPort sim{network};
    FaultPort port{sim, {.probability = probability, .seed = seed}};
    const Socket listener = sim.listen({.endpoint = here}).value();
    std::string trace;
    for (int i = 0; i < 1000; ++i) {
      trace += port.local_address(listener) ? '.' : 'X';
    }
    EXPECT_EQ(port.failures(), static_cast<std::uint64_t>(std::count(trace.begin(), trace.end(), 'X')));
    return trace;
  };
  EXPECT_EQ(failures(0, 1).find('X'), std::string::npos);
  EXPECT_EQ(failures(1, 1).find('.'), std::string::npos);
  const std::string some = failures(0.1, 1);
  EXPECT_EQ(some, failures(0.1, 1));
  EXPECT_NE(some, failures(0.1, 2));
  const auto count = std::count(some.begin(), some.end(), 'X');
  EXPECT_GT(count, 60);
  EXPECT_LT(count, 140);
}

}  // namespace
}  // namespace pollux::port
