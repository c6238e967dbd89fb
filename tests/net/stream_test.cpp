// Stream: what it makes of each answer of its port.

#include "tests/net/net_support.hpp"

namespace pollux::test {
namespace {

using net::Stream;
using net::StreamStatus;

struct StreamSite : LoopSite {
  StreamSite() : LoopSite{} {
    network.link() = {.send_buffer = 100, .receive_buffer = 100};
    const auto listener = port.listen({.endpoint = {port::Address::ipv4_any(80)}});
    peer = network.connect({.address = port::Address::ipv4_loopback(80)});
    network.advance(1ms);
    const auto accepted = port.accept(*listener);
    EXPECT_TRUE(accepted);
    stream = Stream{port, accepted->socket};
    port.close(*listener);
  }
  port::SimPeer peer{};
  Stream stream{};
  std::array<char, 300> bytes{};
};

TEST(Stream, Receives) {
  StreamSite site;
  EXPECT_EQ(site.stream.recv(site.bytes).status, StreamStatus::want_read);
  site.peer.send("hello");
  site.network.advance(1ms);
  const net::StreamResult some = site.stream.recv(std::span{site.bytes}.first(3));
  EXPECT_EQ(some.status, StreamStatus::ok);
  EXPECT_EQ(some.size, 3U);
  EXPECT_EQ(site.stream.recv(site.bytes).size, 2U);
  EXPECT_EQ(site.stream.recv(site.bytes).status, StreamStatus::want_read);
  site.peer.finish();
  site.network.advance(1ms);
  EXPECT_EQ(site.stream.recv(site.bytes).status, StreamStatus::end);
  EXPECT_EQ(site.stream.recv(site.bytes).status, StreamStatus::end) << "and stays so";
}

TEST(Stream, SendsTwoPiecesAsOne) {
  StreamSite site;
  EXPECT_EQ(site.stream.send("hello, ", "world").size, 12U);
  EXPECT_EQ(site.stream.send({}, "!").size, 1U);
  site.network.advance(1ms);
  EXPECT_EQ(std::string_view(site.bytes.data(), site.peer.receive(site.bytes)), "hello, world!");
  // A full socket takes a part, across both pieces, and then nothing.
  const std::string first(150, 'a');
  const std::string second(150, 'b');
  const net::StreamResult part = site.stream.send(first, second);
  EXPECT_EQ(part.status, StreamStatus::ok);
  EXPECT_LT(part.size, 300U);
  std::size_t total = part.size;
  for (int i = 0; i < 5 && total < 300; ++i) {
    site.network.advance(1ms);
    const net::StreamResult more = site.stream.send(std::string(300 - total, 'c'));
    total += more.size;
    if (more.status == StreamStatus::want_write) {
      EXPECT_EQ(more.size, 0U);
      return;
    }
  }
  ADD_FAILURE() << "a full socket never refused";
}

TEST(Stream, SendsFiles) {
  StreamSite site;
  site.port.files().add_file("/www/page", "0123456789");
  const auto root = site.port.open_directory("/www");
  const auto file = site.port.open_file(*root, "page");
  ASSERT_TRUE(file);
  EXPECT_EQ(site.stream.send_file(file->file, 2, 5).size, 5U);
  site.network.advance(1ms);
  EXPECT_EQ(std::string_view(site.bytes.data(), site.peer.receive(site.bytes)), "23456");
  EXPECT_EQ(site.stream.send_file(file->file, 10, 5).status, StreamStatus::end) << "shorter than asked";
  site.port.files().fail_reads("/www/page");
  EXPECT_EQ(site.stream.send_file(file->file, 0, 5).status, StreamStatus::failed);
  site.port.close_file(file->file);
  site.port.close_file(*root);
}

TEST(Stream, FailsWhenItsPeerBreaks) {
  StreamSite site;
  site.peer.reset();
  site.network.advance(1ms);
  EXPECT_EQ(site.stream.recv(site.bytes).status, StreamStatus::failed);
  EXPECT_EQ(site.stream.send("x").status, StreamStatus::failed);
  site.stream.close();
}

TEST(Stream, FinishesItsDirection) {
  StreamSite site;
  EXPECT_EQ(site.stream.send("bye").status, StreamStatus::ok);
  site.stream.shutdown_send();
  site.network.advance(1ms);
  EXPECT_EQ(site.peer.receive(site.bytes), 3U);
  EXPECT_TRUE(site.peer.saw_finish());
  site.peer.send("still here");
  site.network.advance(1ms);
  EXPECT_EQ(site.stream.recv(site.bytes).size, 10U);
}

TEST(Stream, ClosesOnce) {
  StreamSite site;
  EXPECT_TRUE(site.stream.is_open());
  EXPECT_EQ(site.port.sockets_open(), 1U);
  site.stream.close();
  EXPECT_FALSE(site.stream.is_open());
  site.stream.close();
  EXPECT_EQ(site.port.sockets_open(), 0U);
  Stream none;
  EXPECT_FALSE(none.is_open());
  none.close();
}

}  // namespace
}  // namespace pollux::test
