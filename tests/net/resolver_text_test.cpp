// The two text files of a resolver, and its cache.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "stack/net/hosts_file.hpp"
#include "stack/net/name_cache.hpp"
#include "stack/net/resolv_conf.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

std::string text_of(std::span<const port::Address> addresses) {
  std::string text;
  for (const port::Address& address : addresses) {
    std::array<char, port::address_text_max> out;
    text += (text.empty() ? "" : " ") + std::string{port::format_ip(address, out)};
  }
  return text;
}

std::string search_of(const net::ResolvConf& conf) {
  std::string text;
  for (std::size_t i = 0; i < conf.search_count; ++i) {
    text += "[" + std::string{conf.search(i)} + "]";
  }
  return text;
}

TEST(ResolvConf, Servers) {
  struct Row {
    std::string text;
    std::string servers;
  };
  for (const Row& row : {
           Row{"", ""},
           Row{"nameserver 192.0.2.1\n", "192.0.2.1"},
           Row{"nameserver 192.0.2.1", "192.0.2.1"},
           Row{"nameserver\t192.0.2.1  \r\nnameserver 2001:db8::1\r\n", "192.0.2.1 2001:db8::1"},
           Row{"  nameserver 192.0.2.1\n", "192.0.2.1"},
           Row{"nameserver fe80::1%3\n", "fe80::1%3"},
           Row{"nameserver 192.0.2.1 # first\nnameserver 192.0.2.2 ; second\n", "192.0.2.1 192.0.2.2"},
           Row{"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n",
               "1.1.1.1 2.2.2.2 3.3.3.3"},
           Row{"#nameserver 192.0.2.1\n;nameserver 192.0.2.2\n\n\n", ""},
           Row{"nameserver\nnameserver example.net\nnameserver 192.0.2.300\nnameserver 192.0.2.1:53\n", ""},
           Row{"nameservers 192.0.2.1\nNAMESERVER 192.0.2.1\n", ""},
           Row{"nameserver 192.0.2.1\0nameserver 192.0.2.2\n"s, ""},
       }) {
    const net::ResolvConf conf = net::parse_resolv_conf(row.text);
    EXPECT_EQ(text_of(conf.server_list()), row.servers) << row.text;
    for (const port::Address& server : conf.server_list()) {
      EXPECT_EQ(server.port, 53);
    }
  }
}

TEST(ResolvConf, Search) {
  const std::string label(63, 'a');
  struct Row {
    std::string text;
    std::string search;
  };
  for (const Row& row : {
           Row{"search a.test b.test\n", "[a.test][b.test]"},
           Row{"search a.test. .\n", "[a.test][]"},
           Row{"domain a.test b.test\n", "[a.test]"},
           Row{"domain a.test\nsearch b.test\n", "[b.test]"},
           Row{"search b.test\ndomain a.test\n", "[a.test]"},
           Row{"search\n", ""},
           Row{"search a b c d e f g h\n", "[a][b][c][d][e][f]"},
           Row{"search a..b c d/e\n", "[c]"},
           Row{"search " + label + " " + label + " " + label + " " + label + " b abcd abcde\n",
               "[" + label + "][" + label + "][" + label + "][" + label + "][b]"},
       }) {
    EXPECT_EQ(search_of(net::parse_resolv_conf(row.text)), row.search) << row.text;
  }
}

TEST(ResolvConf, Options) {
  const net::ResolvConf none = net::parse_resolv_conf("");
  EXPECT_EQ(none.dots_min, 1);
  EXPECT_FALSE(none.timeout_s);
  EXPECT_FALSE(none.attempts);
  EXPECT_FALSE(none.rotates);
  EXPECT_TRUE(none.asks_ipv6);

  const net::ResolvConf all =
      net::parse_resolv_conf("options ndots:3 timeout:4\noptions attempts:5 rotate no-aaaa edns0 trust-ad\n");
  EXPECT_EQ(all.dots_min, 3);
  EXPECT_EQ(all.timeout_s, 4);
  EXPECT_EQ(all.attempts, 5);
  EXPECT_TRUE(all.rotates);
  EXPECT_FALSE(all.asks_ipv6);

  const net::ResolvConf high = net::parse_resolv_conf("options ndots:99 timeout:999999999999 attempts:77\n");
  EXPECT_EQ(high.dots_min, 15);
  EXPECT_EQ(high.timeout_s, 30);
  EXPECT_EQ(high.attempts, 5);
  const net::ResolvConf low = net::parse_resolv_conf("options ndots:0 timeout:0 attempts:0\n");
  EXPECT_EQ(low.dots_min, 0);
  EXPECT_EQ(low.timeout_s, 1);
  EXPECT_EQ(low.attempts, 1);
  const net::ResolvConf bad = net::parse_resolv_conf("options ndots: timeout:x attempts:-1 ndots rotateX\n");
  EXPECT_EQ(bad.dots_min, 1);
  EXPECT_FALSE(bad.timeout_s);
  EXPECT_FALSE(bad.attempts);
  EXPECT_FALSE(bad.rotates);
}

std::string hosts(const std::string& text, std::string_view name, std::size_t piece_size = SIZE_MAX) {
  net::HostsScan scan{name};
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t size = std::min(piece_size, rest.size());
    scan.feed(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  scan.finish();
  return text_of(scan.addresses());
}

TEST(HostsFile, Rows) {
  struct Row {
    std::string text;
    std::string name;
    std::string addresses;
  };
  const std::vector<Row> rows{
      {"192.0.2.1 printer\n", "printer", "192.0.2.1"},
      {"192.0.2.1 printer", "printer", "192.0.2.1"},
      {"192.0.2.1 Printer.LAN\n", "pRINTER.lan", "192.0.2.1"},
      {"\t192.0.2.1\t a  b\tprinter \r\n", "printer", "192.0.2.1"},
      {"192.0.2.1 printer.\n", "printer", "192.0.2.1"},
      {"192.0.2.1 printer..\n", "printer", ""},
      {"192.0.2.1 printer2\n192.0.2.2 print\n192.0.2.3 xprinter\n", "printer", ""},
      {"192.0.2.1 printer.lan\n", "printer", ""},
      {"192.0.2.1 printer\n2001:db8::1 printer\n192.0.2.1 printer\n192.0.2.2 x printer\n", "printer",
       "192.0.2.1 2001:db8::1 192.0.2.2"},
      {"192.0.2.1 printer printer\n", "printer", "192.0.2.1"},
      {"#192.0.2.1 printer\n192.0.2.2 # printer\n192.0.2.3 x#printer\n192.0.2.4 printer#x\n", "printer", "192.0.2.4"},
      {"printer 192.0.2.1\n192.0.2.300 printer\n192.0.2.1:80 printer\nfe80::1%eth0 printer\n", "printer", ""},
      {"fe80::1%2 printer\n", "printer", "fe80::1%2"},
      {"192.0.2.1\nprinter\n", "printer", ""},
      {std::string(500, '1') + " printer\n192.0.2.1 " + std::string(5000, 'x') + " printer\n", "printer", "192.0.2.1"},
      {"192.0.2.1 prin\0ter\n192.0.2.2 printer\0\n"s, "printer", ""},
      {"\n\n \n#\n192.0.2.1 printer\n", "printer", "192.0.2.1"},
      {"", "printer", ""},
  };
  for (const Row& row : rows) {
    for (const std::size_t piece_size : {SIZE_MAX, std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
      EXPECT_EQ(hosts(row.text, row.name, piece_size), row.addresses) << row.text << " by " << piece_size;
    }
  }
}

TEST(HostsFile, MoreAddressesThanAreTried) {
  std::string text;
  for (int i = 1; i <= 20; ++i) {
    text += "192.0.2." + std::to_string(i) + " many\n";
  }
  EXPECT_EQ(hosts(text, "many"), "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6 192.0.2.7 192.0.2.8");
}

TEST(NameCache, KeepsUntilItsTime) {
  std::array<net::CachedName, 2> entries;
  net::NameCache cache{entries};
  const port::Time start{100s};
  const port::Address address = port::Address::ipv4(192, 0, 2, 1, 0);
  cache.store({.text = "a.test"}, {&address, 1}, net::NameError::none, start, 10s);
  ASSERT_NE(cache.find({.text = "A.Test"}, start + 10s - 1ns), nullptr);
  EXPECT_EQ(text_of(cache.find({.text = "a.test"}, start)->address_list()), "192.0.2.1");
  EXPECT_EQ(cache.find({.text = "a.test"}, start + 10s), nullptr);
  EXPECT_EQ(cache.find({.text = "a.test", .is_absolute = true}, start), nullptr);
  EXPECT_EQ(cache.find({.text = "b.test"}, start), nullptr);
  cache.store({.text = "a.test"}, {}, net::NameError::not_found, start, 20s);
  ASSERT_NE(cache.find({.text = "a.test"}, start + 15s), nullptr);
  EXPECT_EQ(cache.find({.text = "a.test"}, start)->error, net::NameError::not_found);
  cache.clear();
  EXPECT_EQ(cache.find({.text = "a.test"}, start), nullptr);
}

TEST(NameCache, WhatEndsFirstMakesRoom) {
  std::array<net::CachedName, 3> entries;
  net::NameCache cache{entries};
  const port::Time start{100s};
  const auto store = [&](std::string_view name, port::Duration lifetime, port::Time now) {
    cache.store({.text = name}, {}, net::NameError::not_found, now, lifetime);
  };
  store("a", 30s, start);
  store("b", 10s, start);
  store("c", 20s, start);
  store("d", 5s, start);  // b makes room
  EXPECT_EQ(cache.find({.text = "b"}, start), nullptr);
  store("e", 40s, start + 20s);  // c and d are over: a stays
  EXPECT_NE(cache.find({.text = "a"}, start + 20s), nullptr);
  EXPECT_NE(cache.find({.text = "e"}, start + 20s), nullptr);
  store("f", 40s, start + 20s);
  EXPECT_NE(cache.find({.text = "a"}, start + 20s), nullptr);
  store("g", 40s, start + 20s);
  EXPECT_EQ(cache.find({.text = "a"}, start + 20s), nullptr);
}

TEST(NameCache, OfNothing) {
  net::NameCache cache;
  cache.store({.text = "a"}, {}, net::NameError::not_found, port::Time{}, 1s);
  EXPECT_EQ(cache.find({.text = "a"}, port::Time{}), nullptr);
}

}  // namespace
}  // namespace pollux::test
