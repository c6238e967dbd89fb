// A Lookup in the hands of a test: it says what it is told to, when it is told to. A program that has fake_lookup.cpp brings its own Lookup, so
// that of the library is not linked; no resolver exists, nothing is asked and nothing is put into another order.
#pragma once

#include <span>
#include <string>

#include "stack/net/resolver.hpp"

namespace pollux::test {

struct FakeLookup {
  net::Lookup* running = nullptr;  // the one that was started last, until it is done or cancelled
  std::string name;                // what it was started with
  int cancelled = 0;               // lookups that were running

  // For a Dialer: only its address is used.
  [[nodiscard]] net::Resolver& resolver();
  // The running lookup knows these addresses now, in this order, and tells its user. False: nobody asks.
  bool tell(std::span<const port::Address> addresses, bool is_last, net::NameError error = net::NameError::none);
};

// The one of this program; a test begins with a fresh one.
[[nodiscard]] FakeLookup& fake_lookup();

}  // namespace pollux::test
