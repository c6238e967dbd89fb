// SimPort: what it adds to the contract (which sim_contract_test holds it to) - misuse, accept errors, signals, no heap.
#include "port/sim/sim_port.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "tests/port/sim_echo.hpp"
#include "tests/port/sim_support.hpp"

// Counts what the program takes from the heap with operator new, so that a test can show a stretch without any.
namespace {
std::size_t news = 0;
}
void* operator new(std::size_t size) {
  ++news;
  if (void* memory = std::malloc(size != 0 ? size : 1)) {
    return memory;
  }
  std::abort();
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace pollux::port {
namespace {

using namespace std::chrono_literals;

class SimPortTest : public ::testing::Test {
 protected:
  Socket listen() { return port_.listen({.endpoint = here}).value(); }

  // A raw client and the socket it got.
  struct Pair {
    SimPeer peer;
    Socket socket;
  };
  Pair connect() {
    const Socket listener = listen();
    const SimPeer peer = network_.connect(here);
    const Socket socket = port_.accept(listener).value().socket;
    port_.close(listener);
    return {peer, socket};
  }
  Events poll(Socket socket, Events interest, Time until) {
    std::array<PollEntry, 2> entries{PollEntry{.socket = socket, .interest = interest}};
    static_cast<void>(port_.poll(entries, {}, until));
    return entries[0].ready;
  }
  std::string receive(Socket socket, IoStatus& status) {
    std::array<char, 4096> out;
    const IoResult result = port_.recv(socket, std::as_writable_bytes(std::span{out}));
    status = result.status;
    return {out.data(), result.size};
  }
  static std::string receive(const SimPeer& peer) {
    std::array<char, 4096> out;
    return {out.data(), peer.receive(out)};
  }

  SimNetwork network_{{.seed = 3}};
  SimPort port_{network_, {.sockets_max = 8, .files_max = 4}};
};

TEST_F(SimPortTest, BytesGoBothWays) {
  const auto [peer, socket] = connect();
  EXPECT_EQ(peer.send("ping"), 4U);
  IoStatus status{};
  EXPECT_EQ(receive(socket, status), "ping");
  EXPECT_EQ(status, IoStatus::ok);
  EXPECT_EQ(port_.send(socket, bytes("po"), bytes("ng"), false).size, 4U);
  EXPECT_EQ(receive(peer), "pong");
}

TEST_F(SimPortTest, CloseWithUnreadBytesResets) {
  auto [peer, socket] = connect();
  peer.send("unread");
  port_.close(socket);
  EXPECT_TRUE(peer.saw_failure());
  EXPECT_FALSE(peer.saw_finish());
}

TEST_F(SimPortTest, CloseWithoutUnreadBytesFinishes) {
  const auto [peer, socket] = connect();
  EXPECT_EQ(port_.send(socket, bytes("bye"), {}, false).size, 3U);
  port_.close(socket);
  EXPECT_EQ(receive(peer), "bye");
  EXPECT_TRUE(peer.saw_finish());
  peer.send("too late");
  EXPECT_TRUE(peer.saw_failure()) << "bytes for a closed socket are answered with a reset";
}

TEST_F(SimPortTest, BytesBeforeAResetAreReadable) {
  auto [peer, socket] = connect();
  peer.send("last words");
  peer.reset();
  IoStatus status{};
  EXPECT_EQ(receive(socket, status), "last words");
  EXPECT_EQ(receive(socket, status), "");
  EXPECT_EQ(status, IoStatus::failed);
  EXPECT_EQ(port_.system_error(), ECONNRESET);
  EXPECT_EQ(port_.send(socket, bytes("x"), {}, false).status, IoStatus::failed);
}

TEST_F(SimPortTest, AShortReadMeansThatNothingMoreIsThere) {
  const auto [peer, socket] = connect();
  port_.link(socket).recv_size_min = port_.link(socket).recv_size_max = 1;
  peer.send("abc");
  for (const char c : {'a', 'b', 'c'}) {
    IoStatus status{};
    EXPECT_TRUE(has(poll(socket, Events::readable, never), Events::readable));
    EXPECT_EQ(receive(socket, status), std::string(1, c));
    receive(socket, status);
    EXPECT_EQ(status, IoStatus::would_block);
  }
}

TEST_F(SimPortTest, PartialSendsSendEverything) {
  const auto [peer, socket] = connect();
  port_.link(socket).partial_send = 1;
  const std::string text = "partial writes lose nothing and double nothing";
  std::size_t sent = 0;
  int calls = 0;
  while (sent < text.size() && calls < 200) {
    ++calls;
    const IoResult result = port_.send(socket, bytes(text).subspan(sent, 1), bytes(text).subspan(sent + 1), false);
    if (result.status == IoStatus::would_block) {
      EXPECT_TRUE(has(poll(socket, Events::writable, never), Events::writable));
    }
    sent += result.size;
  }
  EXPECT_GT(calls, 2);
  EXPECT_EQ(receive(peer), text);
}

TEST_F(SimPortTest, FullBuffersBlockUntilThePeerReads) {
  const auto [peer, socket] = connect();
  port_.link(socket).send_buffer = 100;
  port_.link(socket).receive_buffer = 50;
  const std::string text(200, 'x');
  EXPECT_EQ(port_.send(socket, bytes(text), {}, false).size, 100U);
  EXPECT_EQ(peer.unread(), 50U);
  EXPECT_EQ(port_.send(socket, bytes(text), {}, false).size, 50U);  // what arrived has made room
  EXPECT_EQ(port_.send(socket, bytes(text), {}, false).status, IoStatus::would_block);
  EXPECT_EQ(poll(socket, Events::writable, network_.now()), Events::none);
  EXPECT_EQ(receive(peer).size(), 50U);
  EXPECT_EQ(poll(socket, Events::writable, network_.now()), Events::writable);
  EXPECT_EQ(network_.bytes_in_flight(), 50U);
}

TEST_F(SimPortTest, AcceptErrorsAreCounted) {
  const Socket listener = listen();
  const SimPeer first = network_.connect(here);
  const SimPeer second = network_.connect(here);
  port_.fail_accepts(Error::no_descriptors, 2);
  EXPECT_EQ(port_.accept(listener).error(), Error::no_descriptors);
  EXPECT_EQ(port_.accept(listener).error(), Error::no_descriptors);
  port_.fail_accepts(Error::aborted, 1);
  EXPECT_EQ(port_.accept(listener).error(), Error::aborted);
  EXPECT_TRUE(first.saw_failure());
  EXPECT_EQ(port_.accept(listener).value().peer, second.local_address());
  EXPECT_EQ(port_.accept(listener).error(), Error::would_block);
}

TEST_F(SimPortTest, NoDescriptorsOneBelowAtAndAboveTheLimit) {
  port_.set_descriptors_max(3);
  port_.files().add_directory("/www");
  const Socket listener = listen();
  static_cast<void>(network_.connect(here));
  static_cast<void>(network_.connect(here));
  const Socket socket = port_.accept(listener).value().socket;
  const File root = port_.open_directory("/www").value();  // the third
  EXPECT_EQ(port_.accept(listener).error(), Error::no_descriptors);
  EXPECT_EQ(port_.system_error(), EMFILE);
  EXPECT_EQ(port_.connect(here).error(), Error::no_descriptors);
  EXPECT_EQ(port_.listen({.endpoint = {.address = Address::ipv4_any(81)}}).error(), Error::no_descriptors);
  EXPECT_EQ(port_.open_directory("/www").error(), Error::no_descriptors);
  EXPECT_EQ(port_.open_file(root, "").error(), Error::no_descriptors);
  EXPECT_EQ(poll(listener, Events::readable, network_.now()), Events::readable) << "it still waits";
  port_.close_file(root);
  EXPECT_TRUE(port_.accept(listener));
  EXPECT_TRUE(has(poll(socket, Events::writable, network_.now()), Events::writable));
}

TEST_F(SimPortTest, FullTablesSayNoDescriptors) {
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(port_.listen({.endpoint = {.address = Address::ipv4_any(0)}}));
  }
  EXPECT_EQ(port_.sockets_open(), 8U);
  EXPECT_EQ(port_.listen({.endpoint = {.address = Address::ipv4_any(0)}}).error(), Error::no_descriptors);
}

TEST_F(SimPortTest, ParkingCanBeSwitchedOff) {
  const auto [peer, socket] = connect();
  EXPECT_TRUE(port_.park(socket, 7));
  EXPECT_EQ(port_.sockets_parked(), 1U);
  peer.send("x");
  std::array<PollEntry, 1> none{};
  std::array<ParkedEvent, 2> parked{};
  EXPECT_EQ(port_.poll(none, parked, never).parked_ready, 1U);
  EXPECT_EQ(parked[0].token, 7U);
  EXPECT_EQ(port_.sockets_parked(), 0U);
  port_.set_parking(false);
  EXPECT_FALSE(port_.park(socket, 7));
}

TEST_F(SimPortTest, SignalsEndAPollAndAreTakenOnce) {
  const auto [peer, socket] = connect();
  Signal signal{};
  port_.raise(Signal::terminate);
  EXPECT_FALSE(port_.take_signal(signal)) << "no poll has noticed it";
  const Time before = network_.now();
  EXPECT_EQ(poll(socket, Events::readable, never), Events::none);
  EXPECT_EQ(network_.now(), before);
  EXPECT_TRUE(port_.take_signal(signal));
  EXPECT_EQ(signal, Signal::terminate);
  EXPECT_FALSE(port_.take_signal(signal));
}

TEST_F(SimPortTest, SpuriousPollsReportNothingAndKeepTheTime) {
  const auto [peer, socket] = connect();
  port_.set_spurious_polls(1);
  peer.send("x");
  const Time before = network_.now();
  EXPECT_EQ(poll(socket, Events::readable, never), Events::none);
  EXPECT_EQ(network_.now(), before);
  port_.set_spurious_polls(0);
  EXPECT_EQ(poll(socket, Events::readable, never), Events::readable);
}

TEST_F(SimPortTest, LateReadinessReportsOneAtLeast) {
  const Socket listener = listen();
  port_.set_late_readiness(1);
  const SimPeer peer = network_.connect(here);
  const Socket socket = port_.accept(listener).value().socket;
  static_cast<void>(network_.connect(here));
  peer.send("x");
  std::array<PollEntry, 3> entries{PollEntry{.socket = listener, .interest = Events::readable},
                                   PollEntry{.socket = socket, .interest = Events::readable}};
  EXPECT_EQ(port_.poll(entries, {}, never).ready, 1U);
  port_.set_late_readiness(0);
  EXPECT_EQ(port_.poll(entries, {}, never).ready, 2U);
}

TEST_F(SimPortTest, RandomComesFromTheSeed) {
  const auto draw = [](std::uint64_t seed) {
    SimNetwork network{{.seed = seed}};
    SimPort port{network};
    std::array<std::byte, 13> out{};
    port.random(out);
    return out;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST_F(SimPortTest, FailingReadsAndDeniedFiles) {
  port_.files().add_file("/www/a", "text");
  port_.files().add_file("/www/b", "text");
  port_.files().fail_reads("/www/a");
  port_.files().deny("/www/b");
  const File root = port_.open_directory("/www").value();
  const File file = port_.open_file(root, "a").value().file;
  std::array<std::byte, 8> out{};
  EXPECT_EQ(port_.read_file(file, 0, out).status, IoStatus::failed);
  EXPECT_EQ(port_.system_error(), EIO);
  EXPECT_EQ(port_.open_file(root, "b").error(), Error::permission_denied);
  const auto [peer, socket] = connect();
  EXPECT_EQ(port_.send_file(socket, file, 0, 4).status, IoStatus::failed);
}

TEST_F(SimPortTest, NoCallTakesMemory) {
  network_.link() = {
      .latency_min = 1us, .latency_max = 5us, .recv_size_min = 1, .recv_size_max = 100, .partial_send = 0.5};
  port_.files().add_file("/www/deep/file", std::string(3000, 'f'));
  port_.files().add_link("/www/link", "deep/../deep/file");
  std::array<std::byte, 512> out;
  std::array<char, 512> text;
  const std::size_t before = news;
  test::EchoServer server{port_, 80};
  server.park_idle(true);
  const SimPeer peer = network_.connect(here);
  const Socket socket = port_.connect(here).value();
  std::size_t echoed = 0;
  while (peer.is_connecting()) {
    server.turn();
  }
  peer.send({text.data(), text.size()});
  for (int i = 0; i < 5000; ++i) {
    network_.set_horizon(network_.now() + 1ms);
    server.turn();
    echoed += peer.receive(text);
    if (i % 100 == 0) {
      static_cast<void>(port_.send(socket, out, {}, false));
    }
    static_cast<void>(port_.recv(socket, out));
  }
  EXPECT_EQ(echoed, text.size());
  const File root = port_.open_directory("/www").value();
  const File file = port_.open_file(root, "link").value().file;
  static_cast<void>(port_.read_file(file, 0, out));
  static_cast<void>(port_.send_file(socket, file, 0, 3000));
  static_cast<void>(port_.open_file(root, "deep/../nothing"));
  static_cast<void>(port_.connect({.address = {.family = Family::local}, .path = "/tmp/nothing"}));
  port_.close_file(file);
  port_.close_file(root);
  port_.close(socket);
  port_.random(out);
  EXPECT_EQ(news, before);
  auto memory = std::make_unique<int>(1);
  EXPECT_EQ(news, before + 1) << "the counter counts";
}

// ---- misuse stops the program

using SimPortDeathTest = SimPortTest;

TEST_F(SimPortDeathTest, ClosedAndForeignSockets) {
  const auto [peer, socket] = connect();
  const Socket stream = socket;
  SimPort other{network_};
  std::array<std::byte, 8> out{};
  EXPECT_DEATH(static_cast<void>(other.recv(stream, out)),
               "SimPort::recv: the socket is closed, no stream or of another");
  const Socket listener = listen();
  EXPECT_DEATH(static_cast<void>(port_.recv(listener, out)), "SimPort::recv");
  EXPECT_DEATH(static_cast<void>(port_.accept(stream)), "SimPort::accept: the socket is no listener");
  port_.close(stream);
  EXPECT_DEATH(static_cast<void>(port_.send(stream, out, {}, false)), "SimPort::send: the socket is closed");
  EXPECT_DEATH(port_.close(stream), "SimPort::close: the socket is closed already");
  EXPECT_DEATH(poll(stream, Events::readable, never), "SimPort::poll: an entry's socket is closed");
  EXPECT_DEATH(static_cast<void>(port_.park(stream, 1)), "SimPort::park");
  EXPECT_DEATH(static_cast<void>(port_.recv(Socket{}, out)), "SimPort::recv");
  static_cast<void>(network_.connect(here));
  EXPECT_NE(port_.accept(listener).value().socket, stream) << "a new socket is not mistaken for the old one";
}

TEST_F(SimPortDeathTest, ClosedFiles) {
  const File root = port_.open_directory("/").value();
  port_.close_file(root);
  EXPECT_DEATH(port_.close_file(root), "SimPort::close_file: the file is closed already");
  EXPECT_DEATH(static_cast<void>(port_.open_file(root, "")), "SimPort::open_file: the root is closed");
}

TEST_F(SimPortDeathTest, OneSocketTwiceInAPoll) {
  const auto [peer, socket] = connect();
  std::array<PollEntry, 3> entries{PollEntry{.socket = socket}, PollEntry{.socket = socket}};
  EXPECT_DEATH(port_.poll(entries, {}, network_.now()), "a socket stands in two entries");
  EXPECT_TRUE(port_.park(socket, 1));
  EXPECT_DEATH(poll(socket, Events::readable, never), "an entry's socket is parked");
  EXPECT_DEATH(port_.poll({}, {}, network_.now()), "poll_entries_reserved");
}

TEST_F(SimPortDeathTest, StuckProgram) {
  const auto [peer, socket] = connect();
  poll(socket, Events::readable, never);  // returns early: the peer has learnt that it is connected
  EXPECT_DEATH(poll(socket, Events::readable, never), "the program is stuck");
  EXPECT_DEATH(poll(Socket{}, Events::none, never), "the program is stuck");
  EXPECT_EQ(poll(socket, Events::readable, network_.now() + 1h), Events::none) << "with a limit it is not";
  network_.set_horizon(network_.now() + 1h);
  EXPECT_EQ(poll(socket, Events::readable, never), Events::none) << "nor with a horizon";
}

TEST_F(SimPortDeathTest, StuckTogetherWithAnotherMachine) {
  SimPort other{network_};
  std::array<PollEntry, 1> none{};
  EXPECT_EQ(port_.poll(none, {}, never).ready, 0U) << "the other machine may still do something";
  EXPECT_EQ(other.poll(none, {}, never).ready, 0U);
  EXPECT_DEATH(port_.poll(none, {}, never), "the program is stuck");
}

}  // namespace
}  // namespace pollux::port
