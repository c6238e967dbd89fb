// Contract of Port: connecting and moving bytes. Included by contract.hpp.
#pragma once

#include "tests/port/contract.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::port {

class PortSocketContract : public PortContract {};

// ---- listen, connect, accept

TEST_P(PortSocketContract, PortZeroGivesAPortAndLocalAddressTells) {
  const Socket first = listen();
  const Socket second = listen();
  const Address a = port().local_address(first).value();
  const Address b = port().local_address(second).value();
  EXPECT_EQ(a.family, Family::ipv4);
  EXPECT_EQ(a.ip, Address::ipv4_loopback(0).ip);
  EXPECT_NE(a.port, 0);
  EXPECT_NE(a.port, b.port);
  port().close(first);
  port().close(second);
}

TEST_P(PortSocketContract, AcceptSaysWouldBlockUntilSomebodyConnects) {
  const Socket listener = listen();
  const auto nobody = port().accept(listener);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error(), Error::would_block);

  const Socket client = port().connect({.address = port().local_address(listener).value()}).value();
  const Accepted accepted = accept(listener);
  ASSERT_TRUE(finish_connect(client));
  EXPECT_EQ(accepted.peer, port().local_address(client).value());
  EXPECT_EQ(port().local_address(accepted.socket).value(), port().local_address(listener).value());
  EXPECT_NE(accepted.socket, client);

  const auto nobody_else = port().accept(listener);
  ASSERT_FALSE(nobody_else);
  EXPECT_EQ(nobody_else.error(), Error::would_block);
  port().close(client);
  port().close(accepted.socket);
  port().close(listener);
}

TEST_P(PortSocketContract, ConnectionsWaitInTheQueueInOrder) {
  const Socket listener = listen();
  const Endpoint to{.address = port().local_address(listener).value()};
  std::vector<Socket> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(port().connect(to).value());
    ASSERT_TRUE(finish_connect(clients.back()));
  }
  for (const Socket client : clients) {
    const Accepted accepted = accept(listener);
    EXPECT_EQ(accepted.peer, port().local_address(client).value());
    port().close(accepted.socket);
    port().close(client);
  }
  port().close(listener);
}

TEST_P(PortSocketContract, AddressInUseUntilClosed) {
  const Socket listener = listen();
  const ListenOptions same{.endpoint = {.address = port().local_address(listener).value()}};
  const auto second = port().listen(same);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Error::address_in_use);
  EXPECT_NE(port().system_error(), 0);
  port().close(listener);
  const auto third = port().listen(same);
  ASSERT_TRUE(third) << describe(third.error());
  port().close(*third);
}

// What the restart of a server needs: its old connections still hold the address.
TEST_P(PortSocketContract, ListensAgainWhileOldConnectionsLive) {
  const Socket listener = listen();
  const Endpoint at{.address = port().local_address(listener).value()};
  const auto pair = connect_pair(listener);
  port().close(listener);
  const auto again = port().listen({.endpoint = at});
  ASSERT_TRUE(again) << describe(again.error());
  send_all(pair.server, "still here");
  EXPECT_EQ(receive(pair.client, 10), "still here");
  close(pair);
  port().close(*again);
}

TEST_P(PortSocketContract, AddressThatNoInterfaceHas) {
  const auto socket = port().listen({.endpoint = {.address = Address::ipv4(192, 0, 2, 77, 0)}});
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error(), Error::address_not_here);
}

TEST_P(PortSocketContract, ConnectIsRefusedWhereNobodyListens) {
  const Socket listener = listen();
  const Endpoint to{.address = port().local_address(listener).value()};
  port().close(listener);
  const auto client = port().connect(to);
  if (!client) {  // a port may know at once
    EXPECT_EQ(client.error(), Error::refused);
    return;
  }
  const auto result = finish_connect(*client);
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error() == Error::refused || !test::knows_socket_errors) << describe(result.error());
  port().close(*client);
}

TEST_P(PortSocketContract, ConnectBecomesWritable) {
  const Socket listener = listen();
  const Socket client = port().connect({.address = port().local_address(listener).value()}).value();
  const Events ready = wait_for(client, Events::writable, Events::writable);
  EXPECT_FALSE(has(ready, Events::error | Events::hangup));
  EXPECT_TRUE(port().connect_result(client));
  EXPECT_TRUE(port().connect_result(client)) << "asking twice changes nothing";
  port().close(client);
  port().close(listener);
}

// ---- unix sockets

TEST_P(PortSocketContract, UnixSocketByPathAndByAbstractName) {
  const std::string path = world_.local_path();
  for (const std::string& name : {path, "@" + path}) {
    const Endpoint at{.address = {.family = Family::local}, .path = name};
    const Socket listener = listen(at);
    EXPECT_EQ(port().local_address(listener).value().family, Family::local);
    const auto second = port().listen({.endpoint = at});
    ASSERT_FALSE(second) << name;
    EXPECT_EQ(second.error(), Error::address_in_use) << name;

    const auto pair = connect_pair(listener, at);
    send_all(pair.client, "question");
    EXPECT_EQ(receive(pair.server, 8), "question");
    send_all(pair.server, "answer");
    port().close(pair.server);
    EXPECT_EQ(receive(pair.client, 6), "answer");
    EXPECT_EQ(receive_status(pair.client), IoStatus::end);
    port().close(pair.client);

    port().close(listener);
    const auto late = port().connect(at);
    ASSERT_FALSE(late) << name;
    EXPECT_EQ(late.error(), name == path ? Error::not_found : Error::refused) << name;

    const Socket again = listen(at);  // and the name is free again
    port().close(again);
  }
}

TEST_P(PortSocketContract, UnixSocketNameAtTheLimit) {
  const std::string name = "@" + world_.local_path();
  const std::string longest = name + std::string(107 - name.size(), 'x');
  const std::string too_long = longest + "x";
  const Socket listener = listen({.address = {.family = Family::local}, .path = longest});
  const auto pair = connect_pair(listener, {.address = {.family = Family::local}, .path = longest});
  close(pair);
  port().close(listener);
  const Endpoint beyond{.address = {.family = Family::local}, .path = too_long};
  EXPECT_EQ(port().listen({.endpoint = beyond}).error(), Error::name_too_long);
  EXPECT_EQ(port().connect(beyond).error(), Error::name_too_long);
}

// ---- bytes

TEST_P(PortSocketContract, Exchange) {
  const auto pair = make_pair();
  std::array<std::byte, 16> out;
  EXPECT_EQ(port().recv(pair.server, out).status, IoStatus::would_block);
  EXPECT_EQ(port().recv(pair.server, out).size, 0U);
  send_all(pair.client, "hello");
  EXPECT_EQ(receive(pair.server, 5), "hello");
  EXPECT_EQ(port().recv(pair.server, out).status, IoStatus::would_block);
  send_all(pair.server, "hello yourself");
  EXPECT_EQ(receive(pair.client, 14), "hello yourself");
  close(pair);
}

TEST_P(PortSocketContract, RecvTakesNoMoreThanTheMemoryHolds) {
  const auto pair = make_pair();
  send_all(pair.client, "abcdef");
  static_cast<void>(wait_for(pair.server, Events::readable, Events::readable));
  std::array<std::byte, 4> out{};
  const IoResult one = port().recv(pair.server, std::span{out}.first(1));
  ASSERT_EQ(one.status, IoStatus::ok);
  EXPECT_EQ(one.size, 1U);
  EXPECT_EQ(out[0], std::byte{'a'});
  EXPECT_EQ(out[1], std::byte{0}) << "nothing is written behind the given memory";
  EXPECT_TRUE(has(events_now(pair.server, Events::readable), Events::readable)) << "the rest is still there";
  EXPECT_EQ(receive(pair.server, 5), "bcdef");
  close(pair);
}

TEST_P(PortSocketContract, SendTakesOneOrTwoSpans) {
  const auto pair = make_pair();
  struct Case {
    std::string_view first;
    std::string_view second;
    bool more;
  };
  const Case cases[] = {{"head ", "body", false}, {"", "only second", false}, {"only first", "", false},
                        {"held ", "back", true},  {"", "held", true},         {"and sent", "", false}};
  std::string expected;
  for (const Case& c : cases) {
    const IoResult result = port().send(pair.client, bytes_of(c.first), bytes_of(c.second), c.more);
    ASSERT_EQ(result.status, IoStatus::ok);
    ASSERT_GE(result.size, 1U);
    ASSERT_LE(result.size, c.first.size() + c.second.size());
    expected.append((std::string{c.first} + std::string{c.second}).substr(0, result.size));
  }
  EXPECT_EQ(receive(pair.server, expected.size()), expected);
  close(pair);
}

// A peer that does not read fills the connection; when it reads, all bytes are there, in order.
TEST_P(PortSocketContract, PartialSendWhenThePeerDoesNotRead) {
  const auto pair = make_pair();
  const std::string text = pattern(65'521);
  const std::size_t sent = fill(pair.client, text);
  ASSERT_GT(sent, 0U);
  expect_repeated(pair.server, sent, text);
  std::array<std::byte, 1> out;
  EXPECT_EQ(port().recv(pair.server, out).status, IoStatus::would_block) << "not one byte more";
  static_cast<void>(wait_for(pair.client, Events::writable, Events::writable));
  send_all(pair.client, "and on");
  EXPECT_EQ(receive(pair.server, 6), "and on");
  close(pair);
}

// ---- ends

TEST_P(PortSocketContract, HalfCloseInBothDirections) {
  for (const bool client_first : {true, false}) {
    const auto pair = make_pair();
    const Socket first = client_first ? pair.client : pair.server;
    const Socket second = client_first ? pair.server : pair.client;
    send_all(first, "last words");
    port().shutdown_send(first);
    EXPECT_EQ(receive(second, 10), "last words");
    EXPECT_EQ(receive_status(second), IoStatus::end);
    EXPECT_EQ(receive_status(second), IoStatus::end) << "an end stays an end";
    send_all(second, "the answer");  // the other direction goes on
    EXPECT_EQ(receive(first, 10), "the answer");
    port().shutdown_send(second);
    EXPECT_EQ(receive_status(first), IoStatus::end);
    close(pair);
  }
}

TEST_P(PortSocketContract, SendAfterOwnHalfCloseFails) {
  const auto pair = make_pair();
  port().shutdown_send(pair.client);
  EXPECT_EQ(port().send(pair.client, bytes_of("x"), {}, false).status, IoStatus::failed);
  port().shutdown_send(pair.client);  // twice is nothing
  close(pair);
}

TEST_P(PortSocketContract, CloseWithoutUnreadBytesIsAnEnd) {
  const auto pair = make_pair();
  send_all(pair.server, "bye");
  port().close(pair.server);
  EXPECT_EQ(receive(pair.client, 3), "bye");
  EXPECT_EQ(receive_status(pair.client), IoStatus::end);
  port().close(pair.client);
}

TEST_P(PortSocketContract, CloseWithUnreadBytesIsAReset) {
  const auto pair = make_pair();
  send_all(pair.client, "nobody reads this");
  static_cast<void>(wait_for(pair.server, Events::readable, Events::readable));
  port().close(pair.server);
  const Events ready = wait_for(pair.client, Events::readable, Events::error | Events::hangup);
  EXPECT_TRUE(has(ready, Events::error));
  EXPECT_EQ(receive_status(pair.client), IoStatus::failed);
  EXPECT_NE(port().system_error(), 0);
  EXPECT_EQ(port().send(pair.client, bytes_of("x"), {}, false).status, IoStatus::failed)
      << "and no signal ends the test";
  port().shutdown_send(pair.client);  // ignored on a lost connection
  port().close(pair.client);
}

TEST_P(PortSocketContract, SendToAPeerThatIsGoneFailsInTheEnd) {
  const auto pair = make_pair();
  port().close(pair.server);
  IoStatus status = IoStatus::ok;
  for (int i = 0; i < 100 && status != IoStatus::failed; ++i) {
    status = port().send(pair.client, bytes_of("anybody there?"), {}, false).status;
    static_cast<void>(poll_once(pair.client, Events::none, port().now() + std::chrono::milliseconds{2}));
  }
  EXPECT_EQ(status, IoStatus::failed);
  port().close(pair.client);
}

// ---- bugs of the caller

TEST_P(PortSocketContract, WhatIsNotOpenStopsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "fast");
  std::array<std::byte, 1> out{};
  const auto pair = make_pair();
  EXPECT_DEATH(static_cast<void>(port().recv(Socket{}, out)), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(port().send(Socket{}, out, {}, false)), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(port().accept(Socket{})), "ENSURE failed");
  EXPECT_DEATH(port().close(Socket{}), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(port().recv(pair.client, {})), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(port().send(pair.client, {}, {}, false)), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(port().accept(pair.client)), "ENSURE failed");
  EXPECT_DEATH(port().poll({}, {}, port().now()), "ENSURE failed");
  close(pair);
  EXPECT_DEATH(static_cast<void>(port().recv(pair.client, out)), "ENSURE failed");
}

}  // namespace pollux::port
