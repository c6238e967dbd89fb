// Datagrams of the simulator, beyond the contract: what the network may do to them, and services.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "tests/port/sim_support.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::port {
namespace {

using namespace std::chrono_literals;

constexpr Address service_at = Address::ipv4(192, 0, 2, 53, 53);

std::string text_of(std::span<const std::byte> data) {
  std::string text(data.size(), '\0');
  std::transform(data.begin(), data.end(), text.begin(), [](std::byte byte) { return static_cast<char>(byte); });
  return text;
}

// Keeps what it hears, and may answer.
struct Service {
  struct Heard {
    Time at;
    Address from;
    std::string text;
  };
  SimNetwork& network;
  bool echoes = false;
  Duration delay{0};
  std::vector<Heard> heard{};

  static void hear(void* self, const Address& from, const Address& to, std::span<const std::byte> data) {
    auto& service = *static_cast<Service*>(self);
    service.heard.push_back({service.network.now(), from, text_of(data)});
    if (service.echoes) {
      service.network.send_datagram(to, from, data, service.delay);
    }
  }
};

class SimDatagramTest : public ::testing::Test {
 protected:
  explicit SimDatagramTest(const SimLink& link = {}) : network_{{.seed = 3, .link = link}} {
    network_.serve_datagrams(service_at, &Service::hear, &service_);
  }

  Socket connect(const Address& to = service_at) { return port_.connect_datagram(to).value(); }
  void send(Socket socket, std::string_view text) {
    EXPECT_EQ(port_.send(socket, bytes(text), {}, false).status, IoStatus::ok);
  }
  // The next datagram, "failed", or "" if nothing comes for ten seconds.
  std::string receive(Socket socket) {
    std::array<std::byte, 512> out;
    const Time limit = network_.now() + 10s;
    for (;;) {
      const IoResult result = port_.recv(socket, out);
      if (result.status == IoStatus::ok) {
        return text_of(std::span{out}.first(result.size));
      }
      if (result.status == IoStatus::failed) {
        return "failed";
      }
      if (network_.now() >= limit) {
        return "";
      }
      std::array<PollEntry, 2> entries{PollEntry{.socket = socket, .interest = Events::readable}};
      port_.poll(entries, {}, limit);
    }
  }

  SimNetwork network_;
  SimPort port_{network_};
  Service service_{network_};
};

TEST_F(SimDatagramTest, ServiceHearsAndAnswersAfterItsDelay) {
  service_.echoes = true;
  service_.delay = 20ms;
  const Socket socket = connect();
  const Time begin = network_.now();
  send(socket, "echo");
  EXPECT_EQ(receive(socket), "echo");
  EXPECT_EQ(network_.now(), begin + 20ms);
  ASSERT_EQ(service_.heard.size(), 1U);
  EXPECT_EQ(service_.heard[0].from, port_.local_address(socket).value());
  EXPECT_EQ(port_.local_address(socket)->ip, port_.ipv4_address().ip);
  EXPECT_TRUE(network_.is_quiet());
  port_.close(socket);
}

TEST_F(SimDatagramTest, LatencyIsDrawnForEachOneAndMayReorder) {
  const Socket socket = connect();
  port_.link(socket) = {.latency_min = 1ms, .latency_max = 30ms};
  for (char c = 'a'; c < 'a' + 20; ++c) {
    send(socket, std::string(1, c));
  }
  EXPECT_EQ(network_.datagrams_in_flight(), 20U);
  EXPECT_FALSE(network_.is_quiet());
  network_.advance(1s);
  std::string order;
  for (const Service::Heard& heard : service_.heard) {
    order += heard.text;
  }
  EXPECT_NE(order, "abcdefghijklmnopqrst");
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, "abcdefghijklmnopqrst") << "none is lost and none doubled";
  port_.close(socket);
}

TEST_F(SimDatagramTest, LossAndDuplicates) {
  const Socket socket = connect();
  port_.link(socket) = {.loss = 0.2};
  for (int i = 0; i < 1000; ++i) {
    send(socket, "x");
    network_.advance(1ms);
  }
  const std::size_t heard = service_.heard.size();
  EXPECT_GT(heard, 700U);
  EXPECT_LT(heard, 900U);
  EXPECT_EQ(network_.datagrams_lost(), 1000 - heard);

  service_.heard.clear();
  port_.link(socket) = {.duplicate = 1};
  send(socket, "twice");
  network_.advance(1ms);
  EXPECT_EQ(service_.heard.size(), 2U);
  port_.close(socket);
}

TEST_F(SimDatagramTest, TheSameSeedIsTheSameRun) {
  const auto run = [](std::uint64_t seed) {
    SimNetwork network{{.seed = seed, .link = {.latency_max = 50ms, .loss = 0.3, .duplicate = 0.3}}};
    SimPort port{network};
    Service service{network};
    network.serve_datagrams(service_at, &Service::hear, &service);
    std::string trace;
    for (int i = 0; i < 50; ++i) {
      const Socket socket = port.connect_datagram(service_at).value();
      trace += std::to_string(port.local_address(socket)->port) + " ";
      static_cast<void>(port.send(socket, bytes(std::to_string(i)), {}, false));
      port.close(socket);
    }
    network.advance(1s);
    for (const Service::Heard& heard : service.heard) {
      trace += heard.text + ",";
    }
    return trace;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST_F(SimDatagramTest, NoServiceAndStoppedServiceRefuse) {
  const Socket socket = connect(Address::ipv4(192, 0, 2, 53, 54));
  send(socket, "x");
  EXPECT_EQ(receive(socket), "failed");
  EXPECT_EQ(port_.system_error(), ECONNREFUSED);
  port_.close(socket);

  const Socket other = connect();
  network_.stop_datagrams(service_at);
  send(other, "x");
  EXPECT_EQ(receive(other), "failed");
  network_.serve_datagrams(service_at, &Service::hear, &service_);
  send(other, "there again");
  network_.advance(1ms);
  ASSERT_EQ(service_.heard.size(), 1U);
  port_.close(other);
}

TEST_F(SimDatagramTest, ConnectRules) {
  using Outcome = SimConnectRule::Outcome;
  EXPECT_EQ(port_.connect_datagram(Address::ipv4(198, 51, 100, 1, 53)).error(), Error::unreachable) << "nobody has it";

  network_.set_connect_rule({.to = service_at, .outcome = Outcome::unreachable, .at_once = true});
  EXPECT_EQ(port_.connect_datagram(service_at).error(), Error::unreachable);

  struct Case {
    Outcome outcome;
    std::string_view received;
    int number;
  };
  for (const Case& c :
       {Case{Outcome::refused, "failed", ECONNREFUSED}, Case{Outcome::unreachable, "failed", EHOSTUNREACH},
        Case{Outcome::silent, "", 0}, Case{Outcome::timed_out, "", 0}}) {
    network_.set_connect_rule({.to = service_at, .outcome = c.outcome, .delay = 5ms});
    const Socket socket = connect();
    const Time begin = network_.now();
    send(socket, "x");
    EXPECT_EQ(receive(socket), c.received);
    if (c.number != 0) {
      EXPECT_EQ(port_.system_error(), c.number);
      EXPECT_EQ(network_.now(), begin + 5ms);
    }
    port_.close(socket);
  }
  EXPECT_TRUE(service_.heard.empty());

  network_.set_connect_rule({.to = service_at, .outcome = Outcome::ordinary, .delay = 7ms});
  const Socket socket = connect();
  const Time begin = network_.now();
  send(socket, "x");
  network_.advance(1s);
  ASSERT_EQ(service_.heard.size(), 1U);
  EXPECT_EQ(service_.heard[0].at, begin + 7ms);
  port_.close(socket);
}

TEST_F(SimDatagramTest, AFamilyThatIsOff) {
  const Address at{.family = Family::ipv6, .port = 53, .ip = {0x20, 0x01, 0x0D, 0xB8}};
  network_.serve_datagrams(at, &Service::hear, &service_);
  const Socket socket = connect(at);
  EXPECT_EQ(port_.local_address(socket)->ip, port_.ipv6_address().ip);
  port_.close(socket);
  port_.set_family(Family::ipv6, false);
  EXPECT_EQ(port_.connect_datagram(at).error(), Error::unreachable);
  EXPECT_EQ(port_.connect({.address = at}).error(), Error::unreachable);
  port_.close(connect());
  port_.set_family(Family::ipv6, true);
  port_.close(connect(at));
}

TEST_F(SimDatagramTest, ForgedSourcesAndClosedSocketsAreNotHeard) {
  const Socket socket = connect();
  const Address here = port_.local_address(socket).value();
  network_.send_datagram(Address::ipv4(192, 0, 2, 54, 53), here, bytes("address"));
  network_.send_datagram(Address::ipv4(192, 0, 2, 53, 54), here, bytes("port"));
  network_.send_datagram(service_at, here, bytes("true"), 1ms);
  EXPECT_EQ(receive(socket), "true");
  network_.send_datagram(service_at, here, bytes("late"), 1ms);
  port_.close(socket);
  network_.advance(1s);
  EXPECT_EQ(network_.datagrams_in_flight(), 0U);
  EXPECT_EQ(network_.datagrams_lost(), 3U);
}

TEST_F(SimDatagramTest, QueueAndPoolOverflow) {
  const Socket socket = connect();
  const Address here = port_.local_address(socket).value();
  for (int i = 0; i < 20; ++i) {  // SimOptions::datagram_queue_max is 16
    network_.send_datagram(service_at, here, bytes(std::to_string(i)));
  }
  network_.advance(1ms);
  EXPECT_EQ(network_.datagrams_lost(), 4U);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(receive(socket), std::to_string(i));
  }
  for (int i = 0; i < 130; ++i) {  // SimOptions::datagrams_max is 128
    network_.send_datagram(service_at, here, bytes("x"), 1ms);
  }
  EXPECT_EQ(network_.datagrams_in_flight(), 128U);
  EXPECT_EQ(network_.datagrams_lost(), 6U);
  port_.close(socket);
  network_.advance(1s);
  EXPECT_TRUE(network_.is_quiet());
}

TEST_F(SimDatagramTest, SocketsRunOut) {
  std::vector<Socket> sockets;
  for (int i = 0; i < 32; ++i) {
    sockets.push_back(connect());
  }
  EXPECT_EQ(port_.connect_datagram(service_at).error(), Error::no_memory);
  port_.close(sockets.back());
  sockets.back() = connect();
  port_.set_descriptors_max(port_.sockets_open());
  EXPECT_EQ(port_.connect_datagram(service_at).error(), Error::no_descriptors);
  for (const Socket socket : sockets) {
    port_.close(socket);
  }
  EXPECT_EQ(port_.sockets_open(), 0U);
}

TEST_F(SimDatagramTest, SendMayBeRefusedUntilTheNextPoll) {
  const Socket socket = connect();
  port_.link(socket) = {.partial_send = 1};
  EXPECT_EQ(port_.send(socket, bytes("x"), {}, false).status, IoStatus::would_block);
  EXPECT_EQ(port_.send(socket, bytes("x"), {}, false).status, IoStatus::would_block);
  std::array<PollEntry, 2> entries{PollEntry{.socket = socket, .interest = Events::writable}};
  EXPECT_EQ(port_.poll(entries, {}, never).ready, 1U);
  send(socket, "x");
  port_.close(socket);
}

using SimDatagramDeathTest = SimDatagramTest;

TEST_F(SimDatagramDeathTest, WhatIsNotForDatagrams) {
  const Socket socket = connect();
  EXPECT_DEATH(static_cast<void>(port_.park(socket, 1)), "SimPort::park");
  EXPECT_DEATH(port_.shutdown_send(socket), "SimPort::shutdown_send");
  EXPECT_DEATH(static_cast<void>(port_.connect_result(socket)), "SimPort::connect_result");
  EXPECT_DEATH(static_cast<void>(port_.accept(socket)), "SimPort::accept");
  EXPECT_DEATH(static_cast<void>(port_.send(socket, bytes("x"), {}, true)), "there is no more");
}

// ---- services

struct Clockwork {
  SimNetwork& network;
  Time next;
  int strokes = 0;
  static Time turn(void* self) {
    auto& clock = *static_cast<Clockwork*>(self);
    while (clock.next <= clock.network.now()) {
      clock.next += 100ms;
      ++clock.strokes;
    }
    return clock.next;
  }
};

TEST_F(SimDatagramTest, AServiceIsCalledWhenItWants) {
  Clockwork clock{network_, network_.now() + 100ms};
  network_.add_service(&Clockwork::turn, &clock);
  std::array<PollEntry, 1> entries{};
  port_.poll(entries, {}, network_.now());
  EXPECT_EQ(clock.strokes, 0);
  const Time limit = network_.now() + 1s;
  while (network_.now() < limit) {
    port_.poll(entries, {}, limit);
  }
  EXPECT_EQ(clock.strokes, 10);
  network_.advance(500ms);
  EXPECT_EQ(clock.strokes, 15);
  network_.remove_service(&clock);
  network_.advance(500ms);
  EXPECT_EQ(clock.strokes, 15);
}

TEST_F(SimDatagramTest, NoCallTakesMemory) {
  service_.heard.reserve(64);
  const heap_guard::Forbidden no_heap;
  const Socket socket = connect();
  const Address here = port_.local_address(socket).value();
  std::array<std::byte, 64> out;
  std::array<PollEntry, 2> entries{PollEntry{.socket = socket, .interest = Events::readable}};
  for (int i = 0; i < 30; ++i) {
    send(socket, "x");
    network_.send_datagram(service_at, here, bytes("y"), 1ms);
    port_.poll(entries, {}, network_.now() + 2ms);
    static_cast<void>(port_.recv(socket, out));
  }
  port_.close(socket);
}

}  // namespace
}  // namespace pollux::port
