// What is particular to LinuxPort; everything else is in the contract suite.
#include "port/linux/linux_port.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include "tests/port/linux_world.hpp"

namespace pollux::port {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

int option(Socket socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(socket.id, level, name, &value, &size), 0) << "option " << name << " of level " << level;
  return value;
}

void wait_until_readable(Port& port, Socket socket) {
  std::array<PollEntry, 1 + poll_entries_reserved> entries{PollEntry{.socket = socket, .interest = Events::readable}};
  const Time limit = port.now() + seconds{5};
  while (entries[0].ready == Events::none && port.now() < limit) {
    static_cast<void>(port.poll(entries, {}, limit));
  }
  ASSERT_NE(entries[0].ready, Events::none);
}

Endpoint local(std::string_view path) {
  return {.address = {.family = Family::local}, .path = path};
}

// ---- sockets

TEST(LinuxPort, AcceptedSocketsInheritWhatTheListenerHas) {
  LinuxPort port{{.user_timeout = milliseconds{12'345},
                  .keep_alive_idle = seconds{33},
                  .keep_alive_interval = seconds{7},
                  .keep_alive_count = 5}};
  const Socket listener = port.listen({.endpoint = {.address = Address::ipv4_loopback(0)}}).value();
  const Socket client = port.connect({.address = port.local_address(listener).value()}).value();
  wait_until_readable(port, listener);
  const Socket server = port.accept(listener).value().socket;
  for (const Socket socket : {listener, client, server}) {
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 12'345);
    EXPECT_EQ(option(socket, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_KEEPIDLE), 33);
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_KEEPINTVL), 7);
    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_KEEPCNT), 5);
    EXPECT_NE(::fcntl(socket.id, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(::fcntl(socket.id, F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(option(listener, SOL_SOCKET, SO_REUSEADDR), 1);
  EXPECT_EQ(option(listener, SOL_SOCKET, SO_REUSEPORT), 0);
  for (const Socket socket : {listener, client, server}) {
    port.close(socket);
  }
}

TEST(LinuxPort, KeepAliveAndUserTimeoutCanBeLeftToTheKernel) {
  LinuxPort port{{.user_timeout = milliseconds{0}, .keep_alive_idle = seconds{0}}};
  const Socket listener = port.listen({.endpoint = {.address = Address::ipv4_loopback(0)}}).value();
  EXPECT_EQ(option(listener, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(option(listener, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  EXPECT_EQ(option(listener, IPPROTO_TCP, TCP_NODELAY), 1);
  port.close(listener);
}

TEST(LinuxPort, ReusePortLetsTwoListen) {
  LinuxPort port;
  const Socket first = port.listen({.endpoint = {.address = Address::ipv4_loopback(0)}, .reuse_port = true}).value();
  const Endpoint same{.address = port.local_address(first).value()};
  const auto second = port.listen({.endpoint = same, .reuse_port = true});
  ASSERT_TRUE(second) << describe(second.error());
  EXPECT_EQ(port.listen({.endpoint = same}).error(), Error::address_in_use);
  port.close(first);
  port.close(*second);
}

TEST(LinuxPort, FreeBindListensOnAnAddressThatIsYetToCome) {
  LinuxPort port;
  const Endpoint at{.address = Address::ipv4(192, 0, 2, 77, 0)};
  EXPECT_EQ(port.listen({.endpoint = at}).error(), Error::address_not_here);
  const auto socket = port.listen({.endpoint = at, .free_bind = true});
  ASSERT_TRUE(socket) << describe(socket.error());
  EXPECT_EQ(port.local_address(*socket)->ip, at.address.ip);
  port.close(*socket);
}

TEST(LinuxPort, Ipv6) {
  LinuxPort port;
  const auto listener = port.listen({.endpoint = {.address = Address::ipv6_loopback(0)}});
  if (!listener) {
    ASSERT_TRUE(listener.error() == Error::address_not_here || port.system_error() == EAFNOSUPPORT);
    GTEST_SKIP() << "this machine has no IPv6";
  }
  const Address at = port.local_address(*listener).value();
  EXPECT_EQ(at.family, Family::ipv6);
  EXPECT_EQ(at.ip, Address::ipv6_loopback(0).ip);
  const Socket client = port.connect({.address = at}).value();
  wait_until_readable(port, *listener);
  const Accepted accepted = port.accept(*listener).value();
  EXPECT_EQ(accepted.peer, port.local_address(client).value());
  port.close(client);
  port.close(accepted.socket);
  port.close(*listener);
}

TEST(LinuxPort, Ipv6OnlyDecidesWhetherIpv4IsTaken) {
  LinuxPort port;
  for (const bool only : {true, false}) {
    const auto listener = port.listen({.endpoint = {.address = Address::ipv6_any(0)}, .ipv6_only = only});
    if (!listener) {
      GTEST_SKIP() << "this machine has no IPv6";
    }
    EXPECT_EQ(option(*listener, IPPROTO_IPV6, IPV6_V6ONLY), only ? 1 : 0);
    const std::uint16_t number = port.local_address(*listener)->port;
    const auto ipv4 = port.listen({.endpoint = {.address = Address::ipv4_any(number)}});
    EXPECT_EQ(static_cast<bool>(ipv4), only);
    if (ipv4) {
      port.close(*ipv4);
    }
    port.close(*listener);
  }
}

// ---- unix socket files

// A socket file that a killed program left behind.
void leave_socket_file(const std::string& path) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(descriptor);
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

TEST(LinuxPort, StaleSocketFileIsReplaced) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/socket";
  leave_socket_file(path);
  LinuxPort port;
  const auto listener = port.listen({.endpoint = local(path)});
  ASSERT_TRUE(listener) << describe(listener.error());
  const auto client = port.connect(local(path));
  EXPECT_TRUE(client);
  port.close(*client);
  port.close(*listener);
  EXPECT_FALSE(exists(path)) << "close() removes the file";
}

TEST(LinuxPort, ServedSocketFileIsLeftAloneAndItsServerHearsNothing) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/socket";
  LinuxPort port;
  const Socket listener = port.listen({.endpoint = local(path)}).value();
  EXPECT_EQ(port.listen({.endpoint = local(path)}).error(), Error::address_in_use);
  EXPECT_TRUE(exists(path));
  EXPECT_EQ(port.accept(listener).error(), Error::would_block);
  port.close(listener);
}

TEST(LinuxPort, OtherFilesAreNeverReplaced) {
  const TemporaryDirectory directory;
  directory.add_file("precious", "data", {});
  const std::string path = directory.path() + "/precious";
  const std::string link = directory.path() + "/link";
  leave_socket_file(directory.path() + "/stale");
  ASSERT_EQ(::symlink("stale", link.c_str()), 0);
  LinuxPort port;
  EXPECT_EQ(port.listen({.endpoint = local(path)}).error(), Error::address_in_use);
  EXPECT_EQ(port.listen({.endpoint = local(link)}).error(), Error::address_in_use);
  EXPECT_TRUE(exists(path));
  EXPECT_TRUE(exists(link));
  EXPECT_EQ(port.listen({.endpoint = local(directory.path() + "/nothing/socket")}).error(), Error::not_found);
}

TEST(LinuxPort, SocketFileOfASuccessorIsNotRemoved) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/socket";
  LinuxPort port;
  const Socket listener = port.listen({.endpoint = local(path)}).value();
  ASSERT_EQ(::rename(path.c_str(), (path + ".old").c_str()), 0);  // keeps its inode number from being given again
  leave_socket_file(path);
  port.close(listener);
  EXPECT_TRUE(exists(path));
}

TEST(LinuxPort, SocketFileHasTheModeAskedFor) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/socket";
  LinuxPort port;
  const mode_t before = ::umask(027);
  for (const std::uint16_t mode : {std::uint16_t{0600}, std::uint16_t{0666}, std::uint16_t{0660}}) {
    const Socket listener = port.listen({.endpoint = local(path), .local_mode = mode}).value();
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, mode);
    port.close(listener);
  }
  EXPECT_EQ(::umask(before), 027U) << "the mask is the program's";
}

TEST(LinuxPort, UnixListenersUpToTheLimit) {
  const TemporaryDirectory directory;
  LinuxPort port;
  const auto path_of = [&](std::size_t i) { return directory.path() + "/socket" + std::to_string(i); };
  std::vector<Socket> listeners;
  for (std::size_t i = 0; i < LinuxPort::local_listeners_max; ++i) {
    const auto listener = port.listen({.endpoint = local(path_of(i))});
    ASSERT_TRUE(listener) << i;
    listeners.push_back(*listener);
  }
  const std::string beyond = path_of(LinuxPort::local_listeners_max);
  EXPECT_EQ(port.listen({.endpoint = local(beyond)}).error(), Error::no_descriptors);
  EXPECT_FALSE(exists(beyond));
  port.close(listeners.back());
  const auto listener = port.listen({.endpoint = local(beyond)});
  ASSERT_TRUE(listener) << "there is room again";
  listeners.back() = *listener;
  for (const Socket socket : listeners) {
    port.close(socket);
  }
}

TEST(LinuxPort, ConnectToAFullUnixQueueSaysWouldBlock) {
  LinuxPort port;
  const std::string name = "@pollux-full-" + std::to_string(::getpid());
  const Socket listener = port.listen({.endpoint = local(name), .backlog = 1}).value();
  std::vector<Socket> clients;
  Error error = Error::failed;
  for (int i = 0; i < 10; ++i) {
    const auto client = port.connect(local(name));
    if (!client) {
      error = client.error();
      break;
    }
    clients.push_back(*client);
  }
  EXPECT_EQ(error, Error::would_block);
  for (const Socket client : clients) {
    port.close(client);
  }
  port.close(listener);
}

// ---- limits

TEST(LinuxPort, DescriptorsRunOutAndComeBack) {
  const TemporaryDirectory directory;
  directory.add_file("file", "x", {});
  LinuxPort port;
  const Socket listener = port.listen({.endpoint = {.address = Address::ipv4_loopback(0)}}).value();
  const File root = port.open_directory(directory.path()).value();
  const Socket client = port.connect({.address = port.local_address(listener).value()}).value();
  wait_until_readable(port, listener);

  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);  // the lowest number that is free
  ASSERT_GE(next, 0);
  ::close(next);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto accepted = port.accept(listener);
  const auto connected = port.connect({.address = Address::ipv4_loopback(1)});
  const auto listening = port.listen({.endpoint = {.address = Address::ipv4_loopback(0)}});
  const auto file = port.open_file(root, "file");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);

  EXPECT_EQ(accepted.error(), Error::no_descriptors);
  EXPECT_EQ(connected.error(), Error::no_descriptors);
  EXPECT_EQ(listening.error(), Error::no_descriptors);
  EXPECT_EQ(file.error(), Error::no_descriptors);

  const auto again = port.accept(listener);  // the connection still waits
  ASSERT_TRUE(again) << describe(again.error());
  port.close(again->socket);
  port.close(client);
  port.close(listener);
  port.close_file(root);
}

TEST(LinuxPort, DescriptorsBeyondTheBitmapAreNotParked) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit raised = before;
  raised.rlim_cur = LinuxPort::parkable_descriptors + 1;
  raised.rlim_max = std::max(before.rlim_max, raised.rlim_cur);
  if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) {
    GTEST_SKIP() << "not allowed to open so many files";
  }
  LinuxPort port;
  const Socket listener = port.listen({.endpoint = {.address = Address::ipv4_loopback(0)}}).value();
  const Socket client = port.connect({.address = port.local_address(listener).value()}).value();
  const Socket last{LinuxPort::parkable_descriptors - 1};
  const Socket beyond{LinuxPort::parkable_descriptors};
  ASSERT_EQ(::dup2(client.id, last.id), last.id);
  ASSERT_EQ(::dup2(client.id, beyond.id), beyond.id);
  EXPECT_TRUE(port.park(last, 1));
  EXPECT_FALSE(port.park(beyond, 2));
  port.unpark(last);
  port.unpark(beyond);
  for (const Socket socket : {last, beyond, client, listener}) {
    port.close(socket);
  }
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

// ---- time

TEST(LinuxPort, NowIsTheTimeSinceBoot) {
  for (const bool boot_time : {true, false}) {
    LinuxPort port{{.boot_time = boot_time}};
    const auto system_now = [&] {
      timespec time{};
      EXPECT_EQ(::clock_gettime(boot_time ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, &time), 0);
      return Time{seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec}};
    };
    const Time before = system_now();
    const Time now = port.now();
    const Time after = system_now();
    EXPECT_LE(before, now);
    EXPECT_LE(now, after);
  }
}

// ---- signals

std::vector<Signal> signals_of(Port& port) {
  std::vector<Signal> signals;
  for (Signal signal{}; port.take_signal(signal);) {
    signals.push_back(signal);
  }
  return signals;
}

TEST(LinuxPort, SignalEndsAPollWithoutLimit) {
  LinuxPort port{{.signals = {.hangup = true, .user1 = true}}};
  struct Case {
    int number;
    Signal signal;
  };
  const Case cases[] = {
      {SIGTERM, Signal::terminate}, {SIGINT, Signal::interrupt}, {SIGHUP, Signal::hangup}, {SIGUSR1, Signal::user1}};
  std::array<PollEntry, poll_entries_reserved> entries;
  for (const Case& c : cases) {
    EXPECT_TRUE(signals_of(port).empty());
    ::raise(c.number);
    const PollOutcome outcome = port.poll(entries, {}, never);
    EXPECT_EQ(outcome.ready, 0U);
    EXPECT_EQ(outcome.parked_ready, 0U);
    EXPECT_EQ(signals_of(port), (std::vector<Signal>{c.signal}));
  }
}

// From another process, at a moment when this one most likely waits already.
TEST(LinuxPort, SignalEndsAPollThatWaits) {
  LinuxPort port;
  const pid_t tests = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::poll(nullptr, 0, 20);
    ::kill(tests, SIGTERM);
    ::_exit(0);
  }
  std::array<PollEntry, poll_entries_reserved> entries;
  static_cast<void>(port.poll(entries, {}, never));
  EXPECT_EQ(signals_of(port), (std::vector<Signal>{Signal::terminate}));
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// A wait is counted from the moment of the poll, even for a caller who took the time from somewhere else or long ago.
TEST(LinuxPort, PollAsksTheClockWhenNobodyHas) {
  LinuxPort clock;
  LinuxPort port;
  std::array<PollEntry, poll_entries_reserved> entries;
  for (int i = 0; i < 2; ++i) {
    const Time begin = clock.now();
    EXPECT_EQ(port.poll(entries, {}, begin + std::chrono::milliseconds{2}).ready, 0U);
    EXPECT_LT(clock.now() - begin, std::chrono::seconds{10});
  }
}

// A server that always has something to do must hear of a signal too, with and without parked sockets.
TEST(LinuxPort, SignalIsNoticedWhileSomethingIsAlwaysReady) {
  LinuxPort port;
  const Socket listener = port.listen({.endpoint = {.address = Address::ipv4_loopback(0)}}).value();
  const Socket busy = port.connect({.address = port.local_address(listener).value()}).value();
  const Socket idle = port.connect({.address = port.local_address(listener).value()}).value();
  std::array<PollEntry, 1 + poll_entries_reserved> entries{PollEntry{.socket = listener, .interest = Events::readable}};
  std::array<ParkedEvent, 1> parked;
  for (const bool with_parked : {false, true}) {
    if (with_parked) {
      ASSERT_TRUE(port.park(idle, 1));
    }
    wait_until_readable(port, listener);
    ::raise(SIGTERM);
    EXPECT_EQ(port.poll(entries, parked, never).ready, 1U);
    EXPECT_EQ(signals_of(port), (std::vector<Signal>{Signal::terminate})) << with_parked;
    ::raise(SIGTERM);
    EXPECT_EQ(port.poll(entries, {}, never).ready, 1U);
    EXPECT_EQ(signals_of(port), (std::vector<Signal>{Signal::terminate})) << with_parked;
  }
  for (const Socket socket : {listener, busy, idle}) {
    port.close(socket);
  }
}

TEST(LinuxPort, SignalsAndDispositionsComeBack) {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  struct sigaction interrupt_before {};
  struct sigaction hangup_before {};
  ASSERT_EQ(::sigaction(SIGINT, &ignore, &interrupt_before), 0);  // as a shell does for programs in the background
  ASSERT_EQ(::sigaction(SIGHUP, &ignore, &hangup_before), 0);     // as nohup(1) does
  const auto is_blocked = [](int number) {
    sigset_t mask;
    ::sigprocmask(SIG_BLOCK, nullptr, &mask);
    return ::sigismember(&mask, number) == 1;
  };
  const auto handler_of = [](int number) {
    struct sigaction action {};
    ::sigaction(number, nullptr, &action);
    return action.sa_handler;
  };
  const auto pipe_before = handler_of(SIGPIPE);
  {
    LinuxPort port{{.signals = {.hangup = true}}};
    EXPECT_EQ(handler_of(SIGPIPE), SIG_IGN);
    EXPECT_TRUE(is_blocked(SIGTERM));
    EXPECT_TRUE(is_blocked(SIGINT));
    EXPECT_FALSE(is_blocked(SIGUSR1)) << "not watched";
    ::raise(SIGINT);
    ::raise(SIGHUP);
    std::array<PollEntry, poll_entries_reserved> entries;
    static_cast<void>(port.poll(entries, {}, never));
    EXPECT_EQ(signals_of(port), (std::vector<Signal>{Signal::interrupt})) << "the hangup stays ignored";
    ::raise(SIGTERM);  // came and is never taken: it must not end the test below
  }
  EXPECT_FALSE(is_blocked(SIGTERM));
  EXPECT_FALSE(is_blocked(SIGINT));
  EXPECT_EQ(handler_of(SIGPIPE), pipe_before);
  EXPECT_EQ(handler_of(SIGINT), SIG_IGN);
  EXPECT_EQ(handler_of(SIGHUP), SIG_IGN);
  ::sigaction(SIGINT, &interrupt_before, nullptr);
  ::sigaction(SIGHUP, &hangup_before, nullptr);
}

// ---- the service manager

// What the child of the next test says: how many listeners it got from descriptors 3, 4 and 5, as its exit status, 100
// more if they are not as they should be.
int inherited_in_child(std::size_t room) {
  LinuxPort port;
  std::array<Socket, 4> sockets;
  const std::size_t count = port.inherited_listeners(std::span{sockets}.first(room));
  bool is_right = ::getenv("LISTEN_FDS") == nullptr && port.inherited_listeners(sockets) == 0;
  for (std::size_t i = 0; i < count; ++i) {
    is_right = is_right && (::fcntl(sockets[i].id, F_GETFL) & O_NONBLOCK) != 0 &&
               ::fcntl(sockets[i].id, F_GETFD) == FD_CLOEXEC && option(sockets[i], IPPROTO_TCP, TCP_NODELAY) == 1 &&
               port.accept(sockets[i]).error() == Error::would_block;
  }
  return static_cast<int>(count) + (is_right ? 0 : 100);
}

// Runs inherited_in_child in a child with the variables given; 3 and 5 are listeners, 4 is a connection, 6 is not open.
int inherited(const char* fds, bool right_pid, std::size_t room) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::array<int, 3> sources{};
    for (int& source : sources) {
      const int made = ::socket(AF_INET, SOCK_STREAM, 0);
      source = ::fcntl(made, F_DUPFD, 20);
    }
    sockaddr_in loopback{};
    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (const int listener : {sources[0], sources[2]}) {
      ::bind(listener, reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback);
      ::listen(listener, 5);
    }
    for (int i = 3; i < 10; ++i) {
      ::close(i);
    }
    for (int i = 0; i < 3; ++i) {
      ::dup2(sources[static_cast<std::size_t>(i)], 3 + i);
      ::close(sources[static_cast<std::size_t>(i)]);
    }
    ::setenv("LISTEN_PID", std::to_string(::getpid() + (right_pid ? 0 : 1)).c_str(), 1);
    ::setenv("LISTEN_FDS", fds, 1);
    ::setenv("LISTEN_FDNAMES", "web:x:admin", 1);
    ::_exit(inherited_in_child(room));
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(LinuxPort, InheritedListeners) {
  EXPECT_EQ(inherited("3", true, 4), 2) << "the connection in between is passed over";
  EXPECT_EQ(inherited("1", true, 4), 1);
  EXPECT_EQ(inherited("2", true, 4), 1);
  EXPECT_EQ(inherited("3", true, 1), 1) << "no more than there is room for";
  EXPECT_EQ(inherited("3", false, 4), 0) << "meant for another process";
  EXPECT_EQ(inherited("0", true, 4), 0);
  EXPECT_EQ(inherited("-1", true, 4), 0);
  EXPECT_EQ(inherited("2x", true, 4), 0);
  EXPECT_EQ(inherited("", true, 4), 0);
  EXPECT_EQ(inherited("99999999999999999999999", true, 4), 0);
}

TEST(LinuxPort, NoVariablesNoInheritedListeners) {
  LinuxPort port;
  std::array<Socket, 1> sockets;
  EXPECT_EQ(port.inherited_listeners(sockets), 0U);
  EXPECT_FALSE(port.notify("READY=1"));
}

TEST(LinuxPort, NotifyTellsTheServiceManager) {
  const TemporaryDirectory directory;
  for (const bool is_abstract : {false, true}) {
    const std::string name = (is_abstract ? "@" : "") + directory.path() + "/notify";
    const int manager = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (is_abstract) {
      address.sun_path[0] = '\0';
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1));
    ASSERT_EQ(::bind(manager, reinterpret_cast<const sockaddr*>(&address), size), 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    LinuxPort port;
    EXPECT_TRUE(port.notify("READY=1"));
    std::array<char, 32> text{};
    EXPECT_EQ(::recv(manager, text.data(), text.size(), MSG_DONTWAIT), 7);
    EXPECT_STREQ(text.data(), "READY=1");
    ::close(manager);
    EXPECT_FALSE(port.notify("READY=1")) << "nobody is there any more";
    ::setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
    EXPECT_FALSE(port.notify("READY=1"));
    ::unsetenv("NOTIFY_SOCKET");
  }
}

// ---- files

TEST(LinuxPort, NothingIsOpenedThatCouldWait) {
  const TemporaryDirectory directory;
  leave_socket_file(directory.path() + "/socket");
  for (const bool openat2 : {true, false}) {
    LinuxPort port{{.openat2 = openat2}};
    const File devices = port.open_directory("/dev").value();
    EXPECT_EQ(port.open_file(devices, "null").error(), Error::not_regular);
    port.close_file(devices);
    const File root = port.open_directory(directory.path()).value();
    EXPECT_EQ(port.open_file(root, "socket").error(), Error::not_regular);
    port.close_file(root);
  }
}

TEST(LinuxPort, LinksOfProcAreOutside) {
  for (const bool openat2 : {true, false}) {
    LinuxPort port{{.openat2 = openat2}};
    const File self = port.open_directory("/proc/self").value();
    EXPECT_EQ(port.open_file(self, "cwd").error(), Error::outside);
    EXPECT_EQ(port.open_file(self, "fd/0").error(), Error::outside);
    port.close_file(self);
  }
}

TEST(LinuxPort, PermissionDenied) {
  const TemporaryDirectory directory;
  directory.add_file("secret", "x", {});
  ASSERT_EQ(::chmod((directory.path() + "/secret").c_str(), 0), 0);
  ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
  const uid_t before = ::geteuid();
  if (before == 0) {
    ASSERT_EQ(::seteuid(65534), 0);  // nothing is denied to root
  }
  for (const bool openat2 : {true, false}) {
    LinuxPort port{{.openat2 = openat2}};
    const File root = port.open_directory(directory.path()).value();
    EXPECT_EQ(port.open_file(root, "secret").error(), Error::permission_denied);
    EXPECT_EQ(port.system_error(), EACCES);
    port.close_file(root);
  }
  ASSERT_EQ(::seteuid(before), 0);
}

TEST(LinuxPort, NoDescriptorIsLeftBehind) {
  const auto lowest_free = [] {
    const int descriptor = ::dup(0);
    ::close(descriptor);
    return descriptor;
  };
  const TemporaryDirectory directory;
  directory.add_file("a/b/file", "x", {});
  ASSERT_EQ(::mkfifo((directory.path() + "/fifo").c_str(), 0600), 0);
  const std::string long_name = "a/" + std::string(300, 'n');
  const int before = lowest_free();
  for (const bool openat2 : {true, false}) {
    LinuxPort port{{.openat2 = openat2}};
    const File root = port.open_directory(directory.path()).value();
    for (const std::string_view path : {"a/b/file", "a/nothing", "a/b/file/", "fifo", "a/b/file/x", "..", "a/b/../x"}) {
      if (const auto info = port.open_file(root, path)) {
        port.close_file(info->file);
      }
    }
    EXPECT_EQ(port.open_file(root, long_name).error(), Error::name_too_long);
    EXPECT_FALSE(port.listen({.endpoint = {.address = Address::ipv4(192, 0, 2, 77, 0)}}));
    EXPECT_FALSE(port.connect(local(directory.path() + "/nothing")));
    port.close_file(root);
  }
  EXPECT_EQ(lowest_free(), before);
}

// ---- errors

TEST(LinuxPort, EveryErrorHasWords) {
  for (int value = 0; value <= static_cast<int>(Error::failed); ++value) {
    const std::string_view text = describe(static_cast<Error>(value));
    EXPECT_FALSE(text.empty());
    EXPECT_NE(text, "unknown error") << value;
    for (int other = 0; other < value; ++other) {
      EXPECT_NE(text, describe(static_cast<Error>(other))) << value << " and " << other;
    }
  }
}

}  // namespace
}  // namespace pollux::port
