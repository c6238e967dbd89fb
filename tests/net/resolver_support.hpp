// A resolver on a simulated machine, name servers around it, and somebody who looks names up and writes down what he was told, and when.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "port/fault/fault_port.hpp"
#include "port/sim/sim_name_server.hpp"
#include "port/sim/sim_port.hpp"
#include "stack/net/resolver.hpp"
#include "stack/net/resolver_storage.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {

using namespace std::chrono_literals;
using port::SimNameAnswer;
using port::SimNameLie;
using port::SimNameServer;

inline constexpr auto a = SimNameServer::a;
inline constexpr auto aaaa = SimNameServer::aaaa;

[[nodiscard]] inline port::Address ip(std::string_view text) {
  const auto address = port::parse_ip(text);
  EXPECT_TRUE(address) << text;
  return address ? *address : port::Address{};
}

[[nodiscard]] inline std::string text_of(std::span<const port::Address> addresses) {
  std::string text;
  for (const port::Address& address : addresses) {
    std::array<char, port::address_text_max> out;
    text += (text.empty() ? "" : " ") + std::string{port::format_ip(address, out)};
  }
  return text;
}

// One lookup. Notes take no memory: they are made where the heap is forbidden.
class Asker {
 public:
  Asker(net::Resolver& resolver, port::SimNetwork& network)
      : network_{network}, lookup{resolver, net::callback<&Asker::changed>(*this)} {}

  void changed(net::Lookup& changed_lookup) {
    EXPECT_EQ(&changed_lookup, &lookup);
    if (lookup.is_done()) {
      ++done;
      done_at = network_.now();
    } else {
      EXPECT_TRUE(lookup.is_running());
      ++early;
      early_at = network_.now();
      early_count = lookup.addresses().size();
      std::copy(lookup.addresses().begin(), lookup.addresses().end(), early_addresses.begin());
    }
    if (then) {
      then(*this);
    }
  }
  // "192.0.2.1 2001:db8::1", or "no such name".
  [[nodiscard]] std::string text() const {
    return lookup.error() == net::NameError::none ? text_of(lookup.addresses())
                                                  : std::string{net::describe(lookup.error())};
  }
  [[nodiscard]] std::string early_text() const { return text_of({early_addresses.data(), early_count}); }

 private:
  port::SimNetwork& network_;

 public:
  net::Lookup lookup;
  int early = 0;
  int done = 0;
  port::Time early_at{};
  port::Time done_at{};
  std::size_t early_count = 0;
  std::array<port::Address, net::addresses_max> early_addresses{};
  void (*then)(Asker&) = nullptr;  // called behind the notes
};

struct ResolverSite {
  static constexpr net::ResolverLimits limits{.queries = 2, .cache_entries = 3};
  static constexpr std::string_view conf = "/etc/resolv.conf";
  static constexpr std::string_view hosts = "/etc/hosts";

  explicit ResolverSite(const port::SimOptions& options = {}, const port::FaultPlan& plan = {})
      : network{options},
        sim{network, {.ipv6 = ip("2001:db8:1::1")}},
        faults{sim, plan},
        loop{faults, storage.memory()} {
    sim.files().add_file(conf, "nameserver 192.0.2.53\n");
    make();
  }
  ~ResolverSite() {
    resolver.reset();
    EXPECT_EQ(sim.sockets_open(), 0U);
    EXPECT_EQ(sim.files_open(), 0U);
  }

  // Another resolver in place of the one there is.
  void make(std::span<const port::Address> servers = {}, bool use_ipv4 = true, bool use_ipv6 = true) {
    resolver.reset();
    resolver.emplace(net::ResolverConfig{
        .loop = loop, .memory = memory.memory(), .servers = servers, .use_ipv4 = use_ipv4, .use_ipv6 = use_ipv6});
  }
  // Writes resolv.conf and lets enough time pass for it to be noticed.
  void set_conf(std::string_view text) {
    sim.files().add_file(conf, text);
    run_for(1s);
  }
  void set_hosts(std::string_view text) {
    sim.files().add_file(hosts, text);
    run_for(1s);
  }

  [[nodiscard]] Asker make_asker() { return Asker{*resolver, network}; }
  void start(Asker& asker, std::string_view name, std::uint16_t port = 80) {
    const heap_guard::Forbidden no_heap;
    asker.lookup.start(name, port);
  }
  void turn(port::Duration duration = 0ms) {
    network.set_horizon(network.now() + duration);
    const heap_guard::Forbidden no_heap;
    loop.turn();
    check();
  }
  void run_for(port::Duration duration) {
    const port::Time end = network.now() + duration;
    for (int i = 0; i < 20000 && network.now() < end; ++i) {
      turn(end - network.now());
    }
    EXPECT_GE(network.now(), end) << "the loop spins";
  }
  // Turns until the lookup is done; how long that took.
  port::Duration wait_for(Asker& asker, port::Duration patience = 120s) {
    const port::Time begin = network.now();
    for (int i = 0; i < 20000 && !asker.lookup.is_done() && network.now() < begin + patience; ++i) {
      turn(begin + patience - network.now());
    }
    EXPECT_TRUE(asker.lookup.is_done()) << "no end";
    return network.now() - begin;
  }
  // There is a way to it; without this nobody has the address.
  void make_reachable(const port::Address& address) { network.set_connect_rule({.to = address}); }
  // The whole of it: what the user of a name is told.
  std::string look_up(std::string_view name) {
    Asker asker{*resolver, network};
    start(asker, name);
    EXPECT_TRUE(asker.lookup.is_running());
    EXPECT_EQ(asker.done, 0) << "called inside start()";
    wait_for(asker);
    EXPECT_EQ(asker.done, 1);
    return asker.text();
  }
  // Invariants of each turn.
  void check() {
    EXPECT_LE(sim.sockets_open(), net::sockets_max(limits));
    EXPECT_EQ(sim.files_open(), 0U);
    if (memory.tables.queries && memory.tables.queries->used() == 0) {
      EXPECT_EQ(sim.sockets_open(), 0U);
    }
  }
  [[nodiscard]] std::size_t queries_used() const { return memory.tables.queries->used(); }

  net::ResolverStorage<limits> memory{};
  net::LoopStorage<net::sockets_max(limits)> storage{};
  port::SimNetwork network;
  port::SimPort sim;
  port::FaultPort faults;
  net::Loop loop;
  std::optional<net::Resolver> resolver{};
};

// With one server that knows a few names.
struct NamedSite : ResolverSite {
  explicit NamedSite(const port::SimOptions& options = {}, const port::FaultPlan& plan = {})
      : ResolverSite{options, plan} {
    server.add("one.test", ip("192.0.2.1"), 60);
    server.add("two.test", ip("192.0.2.2"), 60);
    server.add("two.test", ip("2001:db8::2"), 30);
    server.add("six.test", ip("2001:db8::6"), 60);
    server.add_empty("text.test");
    server.add_alias("alias.test", "two.test", 20);
    make_reachable(ip("192.0.2.2"));
    make_reachable(ip("2001:db8::2"));
  }
  SimNameServer server{network, ip("192.0.2.53")};
};

}  // namespace pollux::test
