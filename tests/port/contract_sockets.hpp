// Contract of Port: connecting and moving bytes. Included by contract.hpp.
#pragma once

#include "tests/port/contract.hpp"

namespace pollux::port {

template <typename World>
class PortSocketContract : public PortContract<World> {};
TYPED_TEST_SUITE_P(PortSocketContract);

// ---- listen, connect, accept

TYPED_TEST_P(PortSocketContract, PortZeroGivesAPortAndLocalAddressTells) {
  const Socket first = this->listen();
  const Socket second = this->listen();
  const Address a = this->port().local_address(first).value();
  const Address b = this->port().local_address(second).value();
  EXPECT_EQ(a.family, Family::ipv4);
  EXPECT_EQ(a.ip, Address::ipv4_loopback(0).ip);
  EXPECT_NE(a.port, 0);
  EXPECT_NE(a.port, b.port);
  this->port().close(first);
  this->port().close(second);
}

TYPED_TEST_P(PortSocketContract, AcceptSaysWouldBlockUntilSomebodyConnects) {
  const Socket listener = this->listen();
  const auto nobody = this->port().accept(listener);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error(), Error::would_block);

  const Socket client = this->port().connect({.address = this->port().local_address(listener).value()}).value();
  const Accepted accepted = this->accept(listener);
  ASSERT_TRUE(this->finish_connect(client));
  EXPECT_EQ(accepted.peer, this->port().local_address(client).value());
  EXPECT_EQ(this->port().local_address(accepted.socket).value(), this->port().local_address(listener).value());
  EXPECT_NE(accepted.socket, client);

  const auto nobody_else = this->port().accept(listener);
  ASSERT_FALSE(nobody_else);
  EXPECT_EQ(nobody_else.error(), Error::would_block);
  this->port().close(client);
  this->port().close(accepted.socket);
  this->port().close(listener);
}

TYPED_TEST_P(PortSocketContract, ConnectionsWaitInTheQueueInOrder) {
  const Socket listener = this->listen();
  const Endpoint to{.address = this->port().local_address(listener).value()};
  std::vector<Socket> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(this->port().connect(to).value());
    ASSERT_TRUE(this->finish_connect(clients.back()));
  }
  for (const Socket client : clients) {
    const Accepted accepted = this->accept(listener);
    EXPECT_EQ(accepted.peer, this->port().local_address(client).value());
    this->port().close(accepted.socket);
    this->port().close(client);
  }
  this->port().close(listener);
}

TYPED_TEST_P(PortSocketContract, AddressInUseUntilClosed) {
  const Socket listener = this->listen();
  const ListenOptions same{.endpoint = {.address = this->port().local_address(listener).value()}};
  const auto second = this->port().listen(same);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Error::address_in_use);
  EXPECT_NE(this->port().system_error(), 0);
  this->port().close(listener);
  const auto third = this->port().listen(same);
  ASSERT_TRUE(third) << describe(third.error());
  this->port().close(*third);
}

// What the restart of a server needs: its old connections still hold the address.
TYPED_TEST_P(PortSocketContract, ListensAgainWhileOldConnectionsLive) {
  const Socket listener = this->listen();
  const Endpoint at{.address = this->port().local_address(listener).value()};
  const auto pair = this->connect_pair(listener);
  this->port().close(listener);
  const auto again = this->port().listen({.endpoint = at});
  ASSERT_TRUE(again) << describe(again.error());
  this->send_all(pair.server, "still here");
  EXPECT_EQ(this->receive(pair.client, 10), "still here");
  this->close(pair);
  this->port().close(*again);
}

TYPED_TEST_P(PortSocketContract, AddressThatNoInterfaceHas) {
  const auto socket = this->port().listen({.endpoint = {.address = Address::ipv4(192, 0, 2, 77, 0)}});
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error(), Error::address_not_here);
}

TYPED_TEST_P(PortSocketContract, ConnectIsRefusedWhereNobodyListens) {
  const Socket listener = this->listen();
  const Endpoint to{.address = this->port().local_address(listener).value()};
  this->port().close(listener);
  const auto client = this->port().connect(to);
  if (!client) {  // a port may know at once
    EXPECT_EQ(client.error(), Error::refused);
    return;
  }
  const auto result = this->finish_connect(*client);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), Error::refused);
  this->port().close(*client);
}

TYPED_TEST_P(PortSocketContract, ConnectBecomesWritable) {
  const Socket listener = this->listen();
  const Socket client = this->port().connect({.address = this->port().local_address(listener).value()}).value();
  const Events ready = this->wait_for(client, Events::writable, Events::writable);
  EXPECT_FALSE(has(ready, Events::error | Events::hangup));
  EXPECT_TRUE(this->port().connect_result(client));
  EXPECT_TRUE(this->port().connect_result(client)) << "asking twice changes nothing";
  this->port().close(client);
  this->port().close(listener);
}

// ---- unix sockets

TYPED_TEST_P(PortSocketContract, UnixSocketByPathAndByAbstractName) {
  const std::string path = this->world_.local_path();
  for (const std::string& name : {path, "@" + path}) {
    const Endpoint at{.address = {.family = Family::local}, .path = name};
    const Socket listener = this->listen(at);
    EXPECT_EQ(this->port().local_address(listener).value().family, Family::local);
    const auto second = this->port().listen({.endpoint = at});
    ASSERT_FALSE(second) << name;
    EXPECT_EQ(second.error(), Error::address_in_use) << name;

    const auto pair = this->connect_pair(listener, at);
    this->send_all(pair.client, "question");
    EXPECT_EQ(this->receive(pair.server, 8), "question");
    this->send_all(pair.server, "answer");
    this->port().close(pair.server);
    EXPECT_EQ(this->receive(pair.client, 6), "answer");
    EXPECT_EQ(this->receive_status(pair.client), IoStatus::end);
    this->port().close(pair.client);

    this->port().close(listener);
    const auto late = this->port().connect(at);
    ASSERT_FALSE(late) << name;
    EXPECT_EQ(late.error(), name == path ? Error::not_found : Error::refused) << name;

    const Socket again = this->listen(at);  // and the name is free again
    this->port().close(again);
  }
}

TYPED_TEST_P(PortSocketContract, UnixSocketNameAtTheLimit) {
  const std::string name = "@" + this->world_.local_path();
  const std::string longest = name + std::string(107 - name.size(), 'x');
  const std::string too_long = longest + "x";
  const Socket listener = this->listen({.address = {.family = Family::local}, .path = longest});
  const auto pair = this->connect_pair(listener, {.address = {.family = Family::local}, .path = longest});
  this->close(pair);
  this->port().close(listener);
  const Endpoint beyond{.address = {.family = Family::local}, .path = too_long};
  EXPECT_EQ(this->port().listen({.endpoint = beyond}).error(), Error::name_too_long);
  EXPECT_EQ(this->port().connect(beyond).error(), Error::name_too_long);
}

// ---- bytes

TYPED_TEST_P(PortSocketContract, Exchange) {
  const auto pair = this->make_pair();
  std::array<std::byte, 16> out;
  EXPECT_EQ(this->port().recv(pair.server, out).status, IoStatus::would_block);
  EXPECT_EQ(this->port().recv(pair.server, out).size, 0U);
  this->send_all(pair.client, "hello");
  EXPECT_EQ(this->receive(pair.server, 5), "hello");
  EXPECT_EQ(this->port().recv(pair.server, out).status, IoStatus::would_block);
  this->send_all(pair.server, "hello yourself");
  EXPECT_EQ(this->receive(pair.client, 14), "hello yourself");
  this->close(pair);
}

TYPED_TEST_P(PortSocketContract, RecvTakesNoMoreThanTheMemoryHolds) {
  const auto pair = this->make_pair();
  this->send_all(pair.client, "abcdef");
  static_cast<void>(this->wait_for(pair.server, Events::readable, Events::readable));
  std::array<std::byte, 4> out{};
  const IoResult one = this->port().recv(pair.server, std::span{out}.first(1));
  ASSERT_EQ(one.status, IoStatus::ok);
  EXPECT_EQ(one.size, 1U);
  EXPECT_EQ(out[0], std::byte{'a'});
  EXPECT_EQ(out[1], std::byte{0}) << "nothing is written behind the given memory";
  EXPECT_TRUE(has(this->events_now(pair.server, Events::readable), Events::readable)) << "the rest is still there";
  EXPECT_EQ(this->receive(pair.server, 5), "bcdef");
  this->close(pair);
}

TYPED_TEST_P(PortSocketContract, SendTakesOneOrTwoSpans) {
  const auto pair = this->make_pair();
  struct Case {
    std::string_view first;
    std::string_view second;
    bool more;
  };
  const Case cases[] = {{"head ", "body", false}, {"", "only second", false}, {"only first", "", false},
                        {"held ", "back", true},  {"", "held", true},         {"and sent", "", false}};
  std::string expected;
  for (const Case& c : cases) {
    const IoResult result = this->port().send(pair.client, bytes_of(c.first), bytes_of(c.second), c.more);
    ASSERT_EQ(result.status, IoStatus::ok);
    ASSERT_GE(result.size, 1U);
    ASSERT_LE(result.size, c.first.size() + c.second.size());
    expected.append((std::string{c.first} + std::string{c.second}).substr(0, result.size));
  }
  EXPECT_EQ(this->receive(pair.server, expected.size()), expected);
  this->close(pair);
}

// A peer that does not read fills the connection; when it reads, all bytes are there, in order.
TYPED_TEST_P(PortSocketContract, PartialSendWhenThePeerDoesNotRead) {
  const auto pair = this->make_pair();
  const std::string text = pattern(65'521);
  const std::size_t sent = this->fill(pair.client, text);
  ASSERT_GT(sent, 0U);
  this->expect_repeated(pair.server, sent, text);
  std::array<std::byte, 1> out;
  EXPECT_EQ(this->port().recv(pair.server, out).status, IoStatus::would_block) << "not one byte more";
  static_cast<void>(this->wait_for(pair.client, Events::writable, Events::writable));
  this->send_all(pair.client, "and on");
  EXPECT_EQ(this->receive(pair.server, 6), "and on");
  this->close(pair);
}

// ---- ends

TYPED_TEST_P(PortSocketContract, HalfCloseInBothDirections) {
  for (const bool client_first : {true, false}) {
    const auto pair = this->make_pair();
    const Socket first = client_first ? pair.client : pair.server;
    const Socket second = client_first ? pair.server : pair.client;
    this->send_all(first, "last words");
    this->port().shutdown_send(first);
    EXPECT_EQ(this->receive(second, 10), "last words");
    EXPECT_EQ(this->receive_status(second), IoStatus::end);
    EXPECT_EQ(this->receive_status(second), IoStatus::end) << "an end stays an end";
    this->send_all(second, "the answer");  // the other direction goes on
    EXPECT_EQ(this->receive(first, 10), "the answer");
    this->port().shutdown_send(second);
    EXPECT_EQ(this->receive_status(first), IoStatus::end);
    this->close(pair);
  }
}

TYPED_TEST_P(PortSocketContract, SendAfterOwnHalfCloseFails) {
  const auto pair = this->make_pair();
  this->port().shutdown_send(pair.client);
  EXPECT_EQ(this->port().send(pair.client, bytes_of("x"), {}, false).status, IoStatus::failed);
  this->port().shutdown_send(pair.client);  // twice is nothing
  this->close(pair);
}

TYPED_TEST_P(PortSocketContract, CloseWithoutUnreadBytesIsAnEnd) {
  const auto pair = this->make_pair();
  this->send_all(pair.server, "bye");
  this->port().close(pair.server);
  EXPECT_EQ(this->receive(pair.client, 3), "bye");
  EXPECT_EQ(this->receive_status(pair.client), IoStatus::end);
  this->port().close(pair.client);
}

TYPED_TEST_P(PortSocketContract, CloseWithUnreadBytesIsAReset) {
  const auto pair = this->make_pair();
  this->send_all(pair.client, "nobody reads this");
  static_cast<void>(this->wait_for(pair.server, Events::readable, Events::readable));
  this->port().close(pair.server);
  const Events ready = this->wait_for(pair.client, Events::readable, Events::error | Events::hangup);
  EXPECT_TRUE(has(ready, Events::error));
  EXPECT_EQ(this->receive_status(pair.client), IoStatus::failed);
  EXPECT_NE(this->port().system_error(), 0);
  EXPECT_EQ(this->port().send(pair.client, bytes_of("x"), {}, false).status, IoStatus::failed)
      << "and no signal ends the test";
  this->port().shutdown_send(pair.client);  // ignored on a lost connection
  this->port().close(pair.client);
}

TYPED_TEST_P(PortSocketContract, SendToAPeerThatIsGoneFailsInTheEnd) {
  const auto pair = this->make_pair();
  this->port().close(pair.server);
  IoStatus status = IoStatus::ok;
  for (int i = 0; i < 100 && status != IoStatus::failed; ++i) {
    status = this->port().send(pair.client, bytes_of("anybody there?"), {}, false).status;
    static_cast<void>(this->poll_once(pair.client, Events::none, this->port().now() + std::chrono::milliseconds{2}));
  }
  EXPECT_EQ(status, IoStatus::failed);
  this->port().close(pair.client);
}

// ---- bugs of the caller

TYPED_TEST_P(PortSocketContract, WhatIsNotOpenStopsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "fast");
  std::array<std::byte, 1> out{};
  const auto pair = this->make_pair();
  EXPECT_DEATH(static_cast<void>(this->port().recv(Socket{}, out)), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(this->port().send(Socket{}, out, {}, false)), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(this->port().accept(Socket{})), "ENSURE failed");
  EXPECT_DEATH(this->port().close(Socket{}), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(this->port().recv(pair.client, {})), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(this->port().send(pair.client, {}, {}, false)), "ENSURE failed");
  EXPECT_DEATH(static_cast<void>(this->port().accept(pair.client)), "ENSURE failed");
  EXPECT_DEATH(this->port().poll({}, {}, this->port().now()), "ENSURE failed");
  this->close(pair);
  EXPECT_DEATH(static_cast<void>(this->port().recv(pair.client, out)), "ENSURE failed");
}

REGISTER_TYPED_TEST_SUITE_P(PortSocketContract, PortZeroGivesAPortAndLocalAddressTells,
                            AcceptSaysWouldBlockUntilSomebodyConnects, ConnectionsWaitInTheQueueInOrder,
                            AddressInUseUntilClosed, ListensAgainWhileOldConnectionsLive, AddressThatNoInterfaceHas,
                            ConnectIsRefusedWhereNobodyListens, ConnectBecomesWritable,
                            UnixSocketByPathAndByAbstractName, UnixSocketNameAtTheLimit, Exchange,
                            RecvTakesNoMoreThanTheMemoryHolds, SendTakesOneOrTwoSpans,
                            PartialSendWhenThePeerDoesNotRead, HalfCloseInBothDirections, SendAfterOwnHalfCloseFails,
                            CloseWithoutUnreadBytesIsAnEnd, CloseWithUnreadBytesIsAReset,
                            SendToAPeerThatIsGoneFailsInTheEnd, WhatIsNotOpenStopsTheProgram);

}  // namespace pollux::port
