// Dialer: what it makes of each error a port can give for a connect, at once or later.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "stack/net/dialer.hpp"
#include "tests/net/fake_lookup.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;
using net::Dialer;
using net::DialError;
using port::Address;
using port::Error;
using port::Failure;
using port::Result;
using port::Socket;
using State = Dialer::State;

// A port on which connects end as they are told to. The dialer uses nothing else of it.
class ConnectPort final : public port::Port {
 public:
  std::vector<Error> at_once;        // of the first connects, in their order; later ones begin
  Error later = Error::would_block;  // of every connect that began
  std::vector<int> open;
  std::vector<Address> asked;

  Result<Socket, Error> connect(const port::Endpoint& to) override {
    asked.push_back(to.address);
    if (asked.size() <= at_once.size()) {
      return failed(at_once[asked.size() - 1]);
    }
    open.push_back(static_cast<int>(asked.size()));
    return Socket{open.back()};
  }
  Result<void, Error> connect_result(Socket) override { return failed(later); }
  void close(Socket socket) override { EXPECT_EQ(std::erase(open, socket.id), 1U); }
  [[nodiscard]] int system_error() const override { return number_; }
  [[nodiscard]] static int number_of(Error error) { return 1000 + static_cast<int>(error); }

  port::Time now() override { return {}; }
  port::WallTime wall_clock() override { return {}; }
  void random(std::span<std::byte>) override {}
  Result<Socket, Error> listen(const port::ListenOptions&) override { return Failure{Error::failed}; }
  Result<Address, Error> local_address(Socket) override { return Failure{Error::failed}; }
  Result<port::Accepted, Error> accept(Socket) override { return Failure{Error::failed}; }
  Result<Socket, Error> connect_datagram(const Address&) override { return Failure{Error::failed}; }
  port::IoResult recv(Socket, std::span<std::byte>) override { return {}; }
  port::IoResult send(Socket, std::span<const std::byte>, std::span<const std::byte>, bool) override { return {}; }
  port::IoResult send_file(Socket, port::File, std::uint64_t, std::size_t) override { return {}; }
  void shutdown_send(Socket) override {}
  port::PollOutcome poll(std::span<port::PollEntry>, std::span<port::ParkedEvent>, port::Time) override { return {}; }
  bool park(Socket, std::uint32_t) override { return false; }
  void unpark(Socket) override {}
  bool take_signal(port::Signal&) override { return false; }
  Result<port::File, Error> open_directory(std::string_view) override { return Failure{Error::failed}; }
  Result<port::FileInfo, Error> open_file(port::File, std::string_view) override { return Failure{Error::failed}; }
  Result<port::FileInfo, Error> open_path(std::string_view) override { return Failure{Error::failed}; }
  port::IoResult read_file(port::File, std::uint64_t, std::span<std::byte>) override { return {}; }
  void close_file(port::File) override {}

 private:
  Failure<Error> failed(Error error) {
    number_ = number_of(error);
    return Failure{error};
  }
  int number_ = 0;
};

struct Row {
  Error error;
  std::string_view host;
  DialError want;
  bool is_final;
};
constexpr Row rows[] = {
    {Error::no_descriptors, "192.0.2.1", DialError::no_descriptors, true},
    {Error::no_memory, "192.0.2.1", DialError::no_memory, true},
    {Error::address_not_here, "192.0.2.1", DialError::no_memory, false},  // no local port is left
    {Error::address_not_here, "::1", DialError::unreachable, false},      // IPv6 is switched off
    {Error::permission_denied, "192.0.2.1", DialError::not_permitted, false},
    {Error::not_found, "192.0.2.1", DialError::not_permitted, false},
    {Error::refused, "192.0.2.1", DialError::refused, false},
    {Error::unreachable, "192.0.2.1", DialError::unreachable, false},
    {Error::timed_out, "192.0.2.1", DialError::timed_out, false},
    {Error::name_too_long, "192.0.2.1", DialError::failed, false},
    {Error::aborted, "192.0.2.1", DialError::failed, false},
    {Error::address_in_use, "192.0.2.1", DialError::failed, false},
    {Error::failed, "192.0.2.1", DialError::failed, false},
};

TEST(DialerErrors, EachIsToldAsWhatItIs) {
  for (const Row& row : rows) {
    for (const bool at_once : {true, false}) {
      ConnectPort port;
      if (at_once) {
        port.at_once = {row.error};
      }
      port.later = row.error;
      Dialer dialer{port, nullptr, {}};
      dialer.start(row.host, 80, port::Time{}, port::never);
      if (!at_once) {
        EXPECT_EQ(dialer.state(), State::connecting);
        dialer.ready(0, port::Events::error, port::Time{});
      }
      EXPECT_EQ(dialer.state(), State::failed);
      EXPECT_EQ(dialer.error(), row.want) << describe(row.error);
      EXPECT_EQ(dialer.system_error(), ConnectPort::number_of(row.error));
      EXPECT_EQ(dialer.name_error(), net::NameError::none);
      EXPECT_TRUE(port.open.empty());
    }
  }
}

TEST(DialerErrors, OnlyTheFinalOnesKeepTheNextAddressFromBeingTried) {
  for (const Row& row : rows) {
    ConnectPort port;
    port.at_once = {row.error};
    Dialer dialer{port, nullptr, {}};
    dialer.start("localhost", 80, port::Time{}, port::never);
    EXPECT_EQ(dialer.state(), row.is_final ? State::failed : State::connecting) << describe(row.error);
    EXPECT_EQ(port.asked.size(), row.is_final ? 1U : 2U);
    EXPECT_EQ(port.asked.front(), Address::ipv6_loopback(80));
  }
}

TEST(DialerErrors, OfTwoTheMoreTellingIsReported) {
  // From the least to the most; localhost has two addresses.
  constexpr Error order[] = {Error::failed,  Error::timed_out,     Error::unreachable, Error::permission_denied,
                             Error::refused, Error::no_descriptors};
  constexpr DialError told[] = {DialError::failed,        DialError::timed_out, DialError::unreachable,
                                DialError::not_permitted, DialError::refused,   DialError::no_descriptors};
  for (std::size_t first = 0; first + 1 < std::size(order); ++first) {  // the last is final and comes last
    for (std::size_t second = 0; second < std::size(order); ++second) {
      ConnectPort port;
      port.at_once = {order[first], order[second]};
      Dialer dialer{port, nullptr, {}};
      dialer.start("localhost", 80, port::Time{}, port::never);
      EXPECT_EQ(dialer.state(), State::failed);
      EXPECT_EQ(dialer.error(), told[std::max(first, second)]);
      EXPECT_EQ(dialer.system_error(), ConnectPort::number_of(order[std::max(first, second)]));
    }
  }
}

TEST(DialerErrors, OfEqualsTheFirstIsReported) {
  ConnectPort port;
  port.at_once = {Error::not_found, Error::permission_denied};
  Dialer dialer{port, nullptr, {}};
  dialer.start("localhost", 80, port::Time{}, port::never);
  EXPECT_EQ(dialer.error(), DialError::not_permitted);
  EXPECT_EQ(dialer.system_error(), ConnectPort::number_of(Error::not_found));
}

TEST(DialerErrors, AnAddressThatWasGivenUpTimedOut) {
  fake_lookup() = {};
  ConnectPort port;
  Dialer dialer{port, &fake_lookup().resolver(), {}};
  dialer.start("host", 80, port::Time{}, port::never);
  fake_lookup().tell(std::array{Address::ipv4(192, 0, 2, 1, 0), Address::ipv4(192, 0, 2, 2, 0),
                                Address::ipv4(192, 0, 2, 3, 0), Address::ipv4(192, 0, 2, 4, 0)},
                     true);
  for (const port::Duration at : {0ms, 250ms, 500ms, 2000ms}) {
    dialer.expire(port::Time{} + at);
  }
  EXPECT_EQ(port.asked.size(), 4U);
  EXPECT_EQ(port.open.size(), 3U);
  port.later = Error::failed;
  for (std::uint32_t i = 0; i < Dialer::attempts_max; ++i) {
    dialer.ready(i, port::Events::error, port::Time{} + 3s);
  }
  EXPECT_EQ(dialer.state(), State::failed);
  EXPECT_EQ(dialer.error(), DialError::timed_out);
}

TEST(DialerErrors, ARetryIsForgottenWhenItHasBegun) {
  ConnectPort port;
  port.at_once = {Error::would_block, Error::would_block};
  Dialer dialer{port, nullptr, {}};
  dialer.start({.address = {.family = port::Family::local}, .path = "/run/app.sock"}, port::Time{}, port::Time{} + 1h);
  std::array<port::PollEntry, 4> entries{};
  std::array<std::uint32_t, 4> tokens{};
  net::PollSet set{entries, tokens};
  EXPECT_EQ(dialer.prepare(set, 0), port::Time{} + 10ms);
  dialer.expire(port::Time{} + 9ms);
  EXPECT_EQ(port.asked.size(), 1U);
  dialer.expire(port::Time{} + 10ms);
  EXPECT_EQ(dialer.prepare(set, 0), port::Time{} + 20ms);
  EXPECT_EQ(set.size(), 0U);
  dialer.expire(port::Time{} + 20ms);
  EXPECT_EQ(port.asked.size(), 3U);
  EXPECT_EQ(dialer.prepare(set, 7), port::Time{} + 1h) << "or the loop would spin";
  EXPECT_EQ(set.size(), 1U);
  EXPECT_EQ(tokens[0], 7U);
}

TEST(DialerErrors, AnEventWithoutAnEndIsNoEnd) {
  ConnectPort port;
  Dialer dialer{port, nullptr, {}};
  dialer.start("192.0.2.1", 80, port::Time{}, port::never);
  for (int i = 0; i < 10; ++i) {
    dialer.ready(0, port::Events::writable, port::Time{} + 1s);
    EXPECT_EQ(dialer.state(), State::connecting);
  }
  EXPECT_EQ(port.open.size(), 1U);
  dialer.cancel();
  EXPECT_TRUE(port.open.empty());
}

}  // namespace
}  // namespace pollux::test
