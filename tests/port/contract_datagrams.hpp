// Contract of Port: datagrams. Included by contract.hpp.
#pragma once

#include <cerrno>

#include "tests/port/contract.hpp"

namespace pollux::port {

template <typename World>
class PortDatagramContract : public PortContract<World> {
 protected:
  // A socket that talks to the raw peer of the world, which it makes.
  Socket connect() {
    const auto socket = this->port().connect_datagram(this->world_.open_datagram_peer());
    EXPECT_TRUE(socket) << describe(socket.error());
    return socket.value();
  }

  void send(Socket socket, std::string_view first, std::string_view second = {}) {
    IoResult result = this->port().send(socket, bytes_of(first), bytes_of(second), false);
    while (result.status == IoStatus::would_block) {
      static_cast<void>(this->wait_for(socket, Events::writable, Events::writable));
      result = this->port().send(socket, bytes_of(first), bytes_of(second), false);
    }
    ASSERT_EQ(result.status, IoStatus::ok);
    EXPECT_EQ(result.size, first.size() + second.size()) << "whole or not at all";
  }

  // The next datagram, cut to `size`; empty if none comes.
  std::string receive_one(Socket socket, std::size_t size = 4096) {
    std::string text(size, '\0');
    const Time limit = this->port().now() + this->patience;
    IoResult result = this->port().recv(socket, std::as_writable_bytes(std::span{text}));
    while (result.status == IoStatus::would_block && this->port().now() < limit) {
      static_cast<void>(this->poll_once(socket, Events::readable, limit));
      result = this->port().recv(socket, std::as_writable_bytes(std::span{text}));
    }
    EXPECT_EQ(result.status, IoStatus::ok);
    text.resize(result.size);
    return text;
  }

  // What the raw peer hears next, and from whom; `socket` only keeps the world going meanwhile.
  std::string heard_by_peer(Socket socket, Address* from = nullptr) {
    std::string text;
    Address sender;
    const Time limit = this->port().now() + this->patience;
    while (!this->world_.peer_hears(text, sender)) {
      if (this->port().now() >= limit) {
        ADD_FAILURE() << "the peer hears nothing";
        return {};
      }
      static_cast<void>(this->poll_once(socket, Events::none, this->port().now() + std::chrono::milliseconds{2}));
    }
    if (from != nullptr) {
      *from = sender;
    }
    return text;
  }
};
TYPED_TEST_SUITE_P(PortDatagramContract);

TYPED_TEST_P(PortDatagramContract, TellsItsSourceAddressBeforeAnythingIsSent) {
  const Socket socket = this->connect();
  const Address source = this->port().local_address(socket).value();
  EXPECT_EQ(source.family, Family::ipv4);
  EXPECT_EQ(source.ip, Address::ipv4_loopback(0).ip);
  EXPECT_NE(source.port, 0);
  this->port().close(socket);
}

TYPED_TEST_P(PortDatagramContract, SourcePortsAreNotInARow) {
  const Address peer = this->world_.open_datagram_peer();
  std::vector<Socket> sockets;
  std::vector<int> ports;
  for (int i = 0; i < 16; ++i) {
    const auto socket = this->port().connect_datagram(peer);
    ASSERT_TRUE(socket) << describe(socket.error());
    sockets.push_back(socket.value());
    ports.push_back(this->port().local_address(socket.value()).value().port);
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
    this->port().close(socket);
  }
}

TYPED_TEST_P(PortDatagramContract, SpansAreOneDatagram) {
  const Socket socket = this->connect();
  Address from;
  this->send(socket, "head ", "body");
  EXPECT_EQ(this->heard_by_peer(socket, &from), "head body");
  EXPECT_EQ(from, this->port().local_address(socket).value());
  this->send(socket, "", "second only");
  EXPECT_EQ(this->heard_by_peer(socket), "second only");
  this->send(socket, "first only");
  EXPECT_EQ(this->heard_by_peer(socket), "first only");
  const std::string large = pattern(1400);
  this->send(socket, large);
  EXPECT_TRUE(this->heard_by_peer(socket) == large);
  this->port().close(socket);
}

TYPED_TEST_P(PortDatagramContract, RecvTakesOneDatagramAndCutsIt) {
  const Socket socket = this->connect();
  const Address here = this->port().local_address(socket).value();
  std::array<std::byte, 8> out;
  EXPECT_EQ(this->port().recv(socket, out).status, IoStatus::would_block);
  EXPECT_EQ(this->events_now(socket, Events::readable), Events::none);

  this->world_.peer_sends(here, "abcdef");
  EXPECT_TRUE(has(this->wait_for(socket, Events::readable, Events::readable), Events::readable));
  this->world_.peer_sends(here, "xyz");
  EXPECT_EQ(this->receive_one(socket, 4), "abcd");
  EXPECT_EQ(this->receive_one(socket), "xyz") << "the rest of the first one is gone";
  EXPECT_EQ(this->port().recv(socket, out).status, IoStatus::would_block);
  const std::string large = pattern(1400);
  this->world_.peer_sends(here, large);
  EXPECT_TRUE(this->receive_one(socket) == large);
  this->port().close(socket);
}

TYPED_TEST_P(PortDatagramContract, PassesOverEmptyOnes) {
  const Socket socket = this->connect();
  const Address here = this->port().local_address(socket).value();
  for (int i = 0; i < 3; ++i) {
    this->world_.peer_sends(here, "");
  }
  this->world_.peer_sends(here, "full");
  EXPECT_EQ(this->receive_one(socket), "full");
  this->world_.peer_sends(here, "");
  static_cast<void>(this->events_now(socket, Events::readable));
  std::array<std::byte, 8> out;
  EXPECT_EQ(this->port().recv(socket, out).status, IoStatus::would_block) << "an empty one is no end";
  this->port().close(socket);
}

TYPED_TEST_P(PortDatagramContract, HearsOnlyItsPeer) {
  const Socket socket = this->connect();
  const Address here = this->port().local_address(socket).value();
  this->world_.stranger_sends(here, "forged");
  EXPECT_EQ(this->events_now(socket, Events::readable), Events::none);
  this->world_.peer_sends(here, "true");
  EXPECT_EQ(this->receive_one(socket), "true");
  std::array<std::byte, 8> out;
  EXPECT_EQ(this->port().recv(socket, out).status, IoStatus::would_block);
  this->port().close(socket);
}

TYPED_TEST_P(PortDatagramContract, IsRefusedWhereNobodyListens) {
  const Socket socket = this->connect();
  this->world_.close_datagram_peer();
  for (int i = 0; i < 2; ++i) {  // it stays usable
    this->send(socket, "anybody there?");
    EXPECT_TRUE(has(this->wait_for(socket, Events::readable, Events::error), Events::error));
    std::array<std::byte, 8> out;
    EXPECT_EQ(this->port().recv(socket, out).status, IoStatus::failed);
    EXPECT_EQ(this->port().system_error(), ECONNREFUSED);
    EXPECT_EQ(this->port().recv(socket, out).status, IoStatus::would_block) << "told once";
  }
  this->send(socket, "anybody there?");
  static_cast<void>(this->wait_for(socket, Events::readable, Events::error));
  EXPECT_EQ(this->port().send(socket, bytes_of("x"), {}, false).status, IoStatus::failed) << "send() tells it too";
  this->port().close(socket);
}

TYPED_TEST_P(PortDatagramContract, TooLargeADatagramFails) {
  const Socket socket = this->connect();
  const std::string huge = pattern(70'000);
  EXPECT_EQ(this->port().send(socket, bytes_of(huge), {}, false).status, IoStatus::failed);
  EXPECT_EQ(this->port().system_error(), EMSGSIZE);
  EXPECT_EQ(this->port().send(socket, bytes_of("x"), bytes_of(huge), false).status, IoStatus::failed);
  this->send(socket, "small");
  EXPECT_EQ(this->heard_by_peer(socket), "small");
  this->port().close(socket);
}

// A reader that sleeps loses datagrams and nothing else.
TYPED_TEST_P(PortDatagramContract, TheQueueIsBounded) {
  const Socket socket = this->connect();
  const Address here = this->port().local_address(socket).value();
  constexpr std::size_t count = 3'000;
  for (std::size_t i = 0; i < count; ++i) {
    this->world_.peer_sends(here, std::to_string(i) + " " + pattern(1000));
  }
  const Time all_have_come = this->port().now() + std::chrono::milliseconds{20};
  while (this->port().now() < all_have_come) {
    static_cast<void>(this->poll_once(socket, Events::none, all_have_come));
  }
  std::string text(4096, '\0');
  std::vector<std::string> received;
  for (;;) {
    const IoResult result = this->port().recv(socket, std::as_writable_bytes(std::span{text}));
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
  this->world_.peer_sends(here, "there is room again");
  EXPECT_EQ(this->receive_one(socket), "there is room again");
  this->port().close(socket);
}

TYPED_TEST_P(PortDatagramContract, IsWritableAtOnceAndStandsBesideStreams) {
  const Socket socket = this->connect();
  EXPECT_EQ(this->events_now(socket, Events::readable | Events::writable), Events::writable);
  const Socket listener = this->listen();
  const auto pair = this->connect_pair(listener);
  const Address here = this->port().local_address(socket).value();
  this->world_.peer_sends(here, "datagram");
  static_cast<void>(this->wait_for(socket, Events::readable, Events::readable));
  this->send_all(pair.client, "stream");
  static_cast<void>(this->wait_for(pair.server, Events::readable, Events::readable));
  EXPECT_EQ(this->receive_one(socket), "datagram");
  EXPECT_EQ(this->receive(pair.server, 6), "stream");
  this->close(pair);
  this->port().close(listener);
  this->port().close(socket);
}

TYPED_TEST_P(PortDatagramContract, WhatIsWrongStopsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "fast");
  const Socket socket = this->connect();
  EXPECT_DEATH(static_cast<void>(this->port().connect_datagram({})), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(this->port().connect_datagram({.family = Family::local})), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(this->port().recv(socket, {})), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(this->port().send(socket, {}, {}, false)), "ENSURE failed");
  this->port().close(socket);
  EXPECT_DEATH(static_cast<void>(this->port().send(socket, bytes_of("x"), {}, false)), "ENSURE failed");
}

REGISTER_TYPED_TEST_SUITE_P(PortDatagramContract, TellsItsSourceAddressBeforeAnythingIsSent, SourcePortsAreNotInARow,
                            SpansAreOneDatagram, RecvTakesOneDatagramAndCutsIt, PassesOverEmptyOnes, HearsOnlyItsPeer,
                            IsRefusedWhereNobodyListens, TooLargeADatagramFails, TheQueueIsBounded,
                            IsWritableAtOnceAndStandsBesideStreams, WhatIsWrongStopsTheProgram);

}  // namespace pollux::port
