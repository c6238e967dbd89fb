// Contract of Port: datagrams. Included by contract.hpp.
#pragma once

#include <cerrno>

#include "tests/port/contract.hpp"

namespace pollux::port {

class PortDatagramContract : public PortContract {
 protected:
  // A socket that talks to the raw peer of the world, which it makes.
  Socket connect() {
    const auto socket = port().connect_datagram(world_.open_datagram_peer());
    EXPECT_TRUE(socket) << describe(socket.error());
    return socket.value();
  }

  void send(Socket socket, std::string_view first, std::string_view second = {}) {
    IoResult result = port().send(socket, bytes_of(first), bytes_of(second), false);
    while (result.status == IoStatus::would_block) {
      static_cast<void>(wait_for(socket, Events::writable, Events::writable));
      result = port().send(socket, bytes_of(first), bytes_of(second), false);
    }
    ASSERT_EQ(result.status, IoStatus::ok);
    EXPECT_EQ(result.size, first.size() + second.size()) << "whole or not at all";
  }

  // The next datagram, cut to `size`; empty if none comes.
  std::string receive_one(Socket socket, std::size_t size = 4096) {
    std::string text(size, '\0');
    const Time limit = port().now() + patience;
    IoResult result = port().recv(socket, std::as_writable_bytes(std::span{text}));
    while (result.status == IoStatus::would_block && port().now() < limit) {
      static_cast<void>(poll_once(socket, Events::readable, limit));
      result = port().recv(socket, std::as_writable_bytes(std::span{text}));
    }
    EXPECT_EQ(result.status, IoStatus::ok);
    text.resize(result.size);
    return text;
  }

  // What the raw peer hears next, and from whom; `socket` only keeps the world going meanwhile.
  std::string heard_by_peer(Socket socket, Address* from = nullptr) {
    std::string text;
    Address sender;
    const Time limit = port().now() + patience;
    while (!world_.peer_hears(text, sender)) {
      if (port().now() >= limit) {
        ADD_FAILURE() << "the peer hears nothing";
        return {};
      }
      static_cast<void>(poll_once(socket, Events::none, port().now() + std::chrono::milliseconds{2}));
    }
    if (from != nullptr) {
      *from = sender;
    }
    return text;
  }
};

TEST_P(PortDatagramContract, TellsItsSourceAddressBeforeAnythingIsSent) {
  const Socket socket = connect();
  const Address source = port().local_address(socket).value();
  EXPECT_EQ(source.family, Family::ipv4);
  EXPECT_EQ(source.ip, Address::ipv4_loopback(0).ip);
  EXPECT_NE(source.port, 0);
  port().close(socket);
}

TEST_P(PortDatagramContract, SourcePortsAreNotInARow) {
  const Address peer = world_.open_datagram_peer();
  std::vector<Socket> sockets;
  std::vector<int> ports;
  for (int i = 0; i < 16; ++i) {
    const auto socket = port().connect_datagram(peer);
    ASSERT_TRUE(socket) << describe(socket.error());
    sockets.push_back(socket.value());
    ports.push_back(port().local_address(socket.value()).value().port);
  }
  int steps = 0;  // from one to the next by one or two, as a counter would do it
  for (std::size_t i = 1; i < ports.size(); ++i) {
    const int step = ports[i] - ports[i - 1];
    steps += step >= -2 && step <= 2 ? 1 : 0;
  }
  EXPECT_LE(steps, 3);
  std::sort(ports.begin(), ports.end());
  EXPECT_EQ(std::adjacent_find(ports.begin(), ports.end()), ports.end()) << "each has its own";
  for (const Socket socket : sockets) {
    port().close(socket);
  }
}

TEST_P(PortDatagramContract, SpansAreOneDatagram) {
  const Socket socket = connect();
  Address from;
  send(socket, "head ", "body");
  EXPECT_EQ(heard_by_peer(socket, &from), "head body");
  EXPECT_EQ(from, port().local_address(socket).value());
  send(socket, "", "second only");
  EXPECT_EQ(heard_by_peer(socket), "second only");
  send(socket, "first only");
  EXPECT_EQ(heard_by_peer(socket), "first only");
  const std::string large = pattern(1400);
  send(socket, large);
  EXPECT_TRUE(heard_by_peer(socket) == large);
  port().close(socket);
}

TEST_P(PortDatagramContract, RecvTakesOneDatagramAndCutsIt) {
  const Socket socket = connect();
  const Address here = port().local_address(socket).value();
  std::array<std::byte, 8> out;
  EXPECT_EQ(port().recv(socket, out).status, IoStatus::would_block);
  EXPECT_EQ(events_now(socket, Events::readable), Events::none);

  world_.peer_sends(here, "abcdef");
  EXPECT_TRUE(has(wait_for(socket, Events::readable, Events::readable), Events::readable));
  world_.peer_sends(here, "xyz");
  EXPECT_EQ(receive_one(socket, 4), "abcd");
  EXPECT_EQ(receive_one(socket), "xyz") << "the rest of the first one is gone";
  EXPECT_EQ(port().recv(socket, out).status, IoStatus::would_block);
  const std::string large = pattern(1400);
  world_.peer_sends(here, large);
  EXPECT_TRUE(receive_one(socket) == large);
  port().close(socket);
}

TEST_P(PortDatagramContract, PassesOverEmptyOnes) {
  const Socket socket = connect();
  const Address here = port().local_address(socket).value();
  for (int i = 0; i < 3; ++i) {
    world_.peer_sends(here, "");
  }
  world_.peer_sends(here, "full");
  EXPECT_EQ(receive_one(socket), "full");
  world_.peer_sends(here, "");
  static_cast<void>(events_now(socket, Events::readable));
  std::array<std::byte, 8> out;
  EXPECT_EQ(port().recv(socket, out).status, IoStatus::would_block) << "an empty one is no end";
  port().close(socket);
}

TEST_P(PortDatagramContract, HearsOnlyItsPeer) {
  const Socket socket = connect();
  const Address here = port().local_address(socket).value();
  world_.stranger_sends(here, "forged");
  EXPECT_EQ(events_now(socket, Events::readable), Events::none);
  world_.peer_sends(here, "true");
  EXPECT_EQ(receive_one(socket), "true");
  std::array<std::byte, 8> out;
  EXPECT_EQ(port().recv(socket, out).status, IoStatus::would_block);
  port().close(socket);
}

TEST_P(PortDatagramContract, IsRefusedWhereNobodyListens) {
  const Socket socket = connect();
  world_.close_datagram_peer();
  for (int i = 0; i < 2; ++i) {  // it stays usable
    send(socket, "anybody there?");
    EXPECT_TRUE(has(wait_for(socket, Events::readable, Events::error), Events::error));
    std::array<std::byte, 8> out;
    EXPECT_EQ(port().recv(socket, out).status, IoStatus::failed);
    EXPECT_EQ(port().system_error(), ECONNREFUSED);
    EXPECT_EQ(port().recv(socket, out).status, IoStatus::would_block) << "told once";
  }
  send(socket, "anybody there?");
  static_cast<void>(wait_for(socket, Events::readable, Events::error));
  EXPECT_EQ(port().send(socket, bytes_of("x"), {}, false).status, IoStatus::failed) << "send() tells it too";
  port().close(socket);
}

TEST_P(PortDatagramContract, TooLargeADatagramFails) {
  const Socket socket = connect();
  const std::string huge = pattern(70'000);
  EXPECT_EQ(port().send(socket, bytes_of(huge), {}, false).status, IoStatus::failed);
  EXPECT_EQ(port().system_error(), EMSGSIZE);
  EXPECT_EQ(port().send(socket, bytes_of("x"), bytes_of(huge), false).status, IoStatus::failed);
  send(socket, "small");
  EXPECT_EQ(heard_by_peer(socket), "small");
  port().close(socket);
}

// A reader that sleeps loses datagrams and nothing else.
TEST_P(PortDatagramContract, TheQueueIsBounded) {
  const Socket socket = connect();
  const Address here = port().local_address(socket).value();
  constexpr std::size_t count = 3'000;
  for (std::size_t i = 0; i < count; ++i) {
    world_.peer_sends(here, std::to_string(i) + " " + pattern(1000));
  }
  const Time all_have_come = port().now() + std::chrono::milliseconds{20};
  while (port().now() < all_have_come) {
    static_cast<void>(poll_once(socket, Events::none, all_have_come));
  }
  std::string text(4096, '\0');
  std::vector<std::string> received;
  for (;;) {
    const IoResult result = port().recv(socket, std::as_writable_bytes(std::span{text}));
    if (result.status != IoStatus::ok) {
      EXPECT_EQ(result.status, IoStatus::would_block);
      break;
    }
    received.push_back(text.substr(0, result.size));
  }
  EXPECT_GT(received.size(), 1U);
  EXPECT_LT(received.size(), count);
  for (const std::string& datagram : received) {
    EXPECT_TRUE(datagram.substr(datagram.find(' ') + 1) == pattern(1000));
  }
  world_.peer_sends(here, "there is room again");
  EXPECT_EQ(receive_one(socket), "there is room again");
  port().close(socket);
}

TEST_P(PortDatagramContract, IsWritableAtOnceAndStandsBesideStreams) {
  const Socket socket = connect();
  EXPECT_EQ(events_now(socket, Events::readable | Events::writable), Events::writable);
  const Socket listener = listen();
  const auto pair = connect_pair(listener);
  const Address here = port().local_address(socket).value();
  world_.peer_sends(here, "datagram");
  static_cast<void>(wait_for(socket, Events::readable, Events::readable));
  send_all(pair.client, "stream");
  static_cast<void>(wait_for(pair.server, Events::readable, Events::readable));
  EXPECT_EQ(receive_one(socket), "datagram");
  EXPECT_EQ(receive(pair.server, 6), "stream");
  close(pair);
  port().close(listener);
  port().close(socket);
}

TEST_P(PortDatagramContract, WhatIsWrongStopsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "fast");
  const Socket socket = connect();
  EXPECT_DEATH(static_cast<void>(port().connect_datagram({})), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(port().connect_datagram({.family = Family::local})), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(port().recv(socket, {})), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(port().send(socket, {}, {}, false)), "ENSURE failed");
  port().close(socket);
  EXPECT_DEATH(static_cast<void>(port().send(socket, bytes_of("x"), {}, false)), "ENSURE failed");
}

}  // namespace pollux::port
