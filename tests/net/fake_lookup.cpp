#include "tests/net/fake_lookup.hpp"

#include <cstddef>

namespace pollux::test {
namespace {

// For Resolver::pin(), which has no place for them.
struct {
  std::span<const port::Address> addresses;
  bool is_last = false;
  net::NameError error = net::NameError::none;
} news;

}  // namespace

FakeLookup& fake_lookup() {
  static FakeLookup fake;
  return fake;
}

net::Resolver& FakeLookup::resolver() {
  alignas(net::Resolver) static std::byte memory[sizeof(net::Resolver)];
  return *static_cast<net::Resolver*>(
      static_cast<void*>(memory));  // it is aligned, which GCC on 32-bit machines does not see
}

bool FakeLookup::tell(std::span<const port::Address> addresses, bool is_last, net::NameError error) {
  news = {.addresses = addresses, .is_last = is_last, .error = error};
  return resolver().pin({}, 0, {});
}

}  // namespace pollux::test

namespace pollux::net {

void Lookup::start(std::string_view name, std::uint16_t port) noexcept {
  cancel();
  state_ = State::running;
  port_ = port;
  error_ = NameError::none;
  address_count_ = 0;
  test::fake_lookup().running = this;
  test::fake_lookup().name = name;
}

void Lookup::cancel() noexcept {
  if (state_ == State::running) {
    ++test::fake_lookup().cancelled;
    state_ = State::ready;
    error_ = NameError::cancelled;
  }
  if (test::fake_lookup().running == this) {
    test::fake_lookup().running = nullptr;
  }
}

// A friend of Lookup, and so the hand of the test.
bool Resolver::pin(std::string_view /*name*/, std::uint16_t /*port*/, const port::Address& /*address*/) noexcept {
  Lookup* lookup = test::fake_lookup().running;
  if (lookup == nullptr) {
    return false;
  }
  lookup->address_count_ = 0;
  for (const port::Address& address : test::news.addresses) {
    port::Address& copy = lookup->addresses_[lookup->address_count_++];
    copy = address;
    copy.port = lookup->port_;
  }
  lookup->error_ = test::news.error;
  if (test::news.is_last) {
    lookup->state_ = Lookup::State::done;
    test::fake_lookup().running = nullptr;
  }
  const Callback<Lookup&> changed = lookup->changed_;
  changed(*lookup);
  return true;
}

}  // namespace pollux::net
