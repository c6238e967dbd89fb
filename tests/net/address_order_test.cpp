// RFC 6724 section 10.2, row by row, and RFC 8305 section 4.
#include "stack/net/address_order.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pollux::test {
namespace {

port::Address parse(std::string_view text) {
  const auto address = port::parse_ip(text);
  EXPECT_TRUE(address) << text;
  return address ? *address : port::Address{};
}

struct Pair {
  const char* destination;
  const char* source;  // "": there is no way to it
};

std::vector<net::Destination> destinations(const std::vector<Pair>& pairs) {
  std::vector<net::Destination> all;
  for (const Pair& pair : pairs) {
    all.push_back(
        {.address = parse(pair.destination), .source = *pair.source == '\0' ? port::Address{} : parse(pair.source)});
  }
  return all;
}

std::string text_of(const std::vector<net::Destination>& all) {
  std::string text;
  for (const net::Destination& one : all) {
    std::array<char, port::address_text_max> out;
    text += (text.empty() ? "" : " ") + std::string{port::format_ip(one.address, out)};
  }
  return text;
}

std::string ordered(const std::vector<Pair>& pairs) {
  std::vector<net::Destination> all = destinations(pairs);
  net::order_destinations(all);
  return text_of(all);
}

TEST(AddressOrder, Section10_2OfRfc6724) {
  // Prefer matching scope.
  EXPECT_EQ(ordered({{"2001:db8:1::1", "2001:db8:1::2"}, {"198.51.100.121", "169.254.13.78"}}),
            "2001:db8:1::1 198.51.100.121");
  EXPECT_EQ(ordered({{"2001:db8:1::1", "fe80::1"}, {"198.51.100.121", "198.51.100.117"}}),
            "198.51.100.121 2001:db8:1::1");
  // Prefer higher precedence.
  EXPECT_EQ(ordered({{"10.1.2.3", "10.1.2.4"}, {"2001:db8:1::1", "2001:db8:1::2"}}), "2001:db8:1::1 10.1.2.3");
  // Prefer smaller scope.
  EXPECT_EQ(ordered({{"2001:db8:1::1", "2001:db8:1::2"}, {"fe80::1", "fe80::2"}}), "fe80::1 2001:db8:1::1");
  // Use longest matching prefix.
  EXPECT_EQ(ordered({{"2001:db8:3ffe::1", "2001:db8:1::2"}, {"2001:db8:1::1", "2001:db8:1::2"}}),
            "2001:db8:1::1 2001:db8:3ffe::1");
  // Prefer matching label.
  EXPECT_EQ(ordered({{"2001:db8:1::1", "2002:c633:6401::2"}, {"2002:c633:6401::1", "2002:c633:6401::2"}}),
            "2002:c633:6401::1 2001:db8:1::1");
  // Prefer higher precedence.
  EXPECT_EQ(ordered({{"2002:c633:6401::1", "2002:c633:6401::2"}, {"2001:db8:1::1", "2001:db8:1::2"}}),
            "2001:db8:1::1 2002:c633:6401::1");
}

TEST(AddressOrder, WhatCannotBeReachedComesLast) {
  EXPECT_EQ(ordered({{"2001:db8::1", ""}, {"192.0.2.1", "10.0.0.1"}}), "192.0.2.1 2001:db8::1");
  EXPECT_EQ(ordered({{"192.0.2.1", ""}, {"2001:db8::1", ""}}), "2001:db8::1 192.0.2.1");
}

TEST(AddressOrder, LocalAddresses) {
  EXPECT_EQ(ordered({{"127.0.0.1", "127.0.0.1"}, {"::1", "::1"}}), "::1 127.0.0.1");
  // A unique local address without one of ours: IPv4 is better.
  EXPECT_EQ(ordered({{"fd00::1", "2001:db8::2"}, {"192.0.2.1", "10.0.0.1"}}), "192.0.2.1 fd00::1");
  EXPECT_EQ(ordered({{"fd00::1", "fd00::2"}, {"2001:db8::1", "2001:db8::2"}}), "2001:db8::1 fd00::1");
}

// Servers that are given in turn are taken in turn: equals keep their order, and IPv4 prefixes do not count.
TEST(AddressOrder, EqualsStay) {
  EXPECT_EQ(ordered({{"203.0.113.9", "10.0.0.1"}, {"10.0.0.2", "10.0.0.1"}, {"198.51.100.1", "10.0.0.1"}}),
            "203.0.113.9 10.0.0.2 198.51.100.1");
  // Of an IPv6 prefix only the network's half.
  EXPECT_EQ(ordered({{"2001:db8::ff01", "2001:db8::1"}, {"2001:db8::3", "2001:db8::1"}}), "2001:db8::ff01 2001:db8::3");
}

TEST(AddressOrder, PolicyTable) {
  struct Row {
    const char* address;
    int precedence;
    int label;
  };
  for (const Row& row :
       {Row{"::1", 50, 0}, Row{"2001:db8::1", 40, 1}, Row{"192.0.2.1", 35, 4}, Row{"::ffff:192.0.2.1", 35, 4},
        Row{"2002::1", 30, 2}, Row{"2001::1", 5, 5}, Row{"fc00::1", 3, 13}, Row{"fdff::1", 3, 13}, Row{"::2", 1, 3},
        Row{"fec0::1", 1, 11}, Row{"3ffe::1", 1, 12}, Row{"fe80::1", 40, 1}}) {
    EXPECT_EQ(net::policy_of(parse(row.address)).precedence, row.precedence) << row.address;
    EXPECT_EQ(net::policy_of(parse(row.address)).label, row.label) << row.address;
  }
}

TEST(AddressOrder, Scopes) {
  struct Row {
    const char* address;
    unsigned scope;
  };
  for (const Row& row : {Row{"127.0.0.1", 2}, Row{"169.254.1.1", 2}, Row{"10.0.0.1", 14}, Row{"192.0.2.1", 14},
                         Row{"::1", 2}, Row{"fe80::1", 2}, Row{"febf::1", 2}, Row{"fec0::1", 5}, Row{"fd00::1", 14},
                         Row{"2001:db8::1", 14}, Row{"ff02::1", 2}, Row{"ff0e::1", 14}}) {
    EXPECT_EQ(net::scope_of(parse(row.address)), row.scope) << row.address;
  }
}

TEST(AddressOrder, FamiliesTakeTurns) {
  const auto alternated = [](const std::vector<Pair>& pairs) {
    std::vector<net::Destination> all = destinations(pairs);
    net::alternate_families(all);
    return text_of(all);
  };
  const char* const way4 = "10.0.0.1";
  const char* const way6 = "fd00::1";
  EXPECT_EQ(alternated({}), "");
  EXPECT_EQ(alternated({{"::1", way6}, {"::2", way6}, {"::3", way6}, {"1.1.1.1", way4}, {"2.2.2.2", way4}}),
            "::1 1.1.1.1 ::2 2.2.2.2 ::3");
  EXPECT_EQ(alternated({{"1.1.1.1", way4}, {"2.2.2.2", way4}, {"3.3.3.3", way4}, {"::1", way6}}),
            "1.1.1.1 ::1 2.2.2.2 3.3.3.3");
  EXPECT_EQ(alternated({{"1.1.1.1", way4}, {"2.2.2.2", way4}}), "1.1.1.1 2.2.2.2");
  // A family that cannot be reached does not stand between those that can.
  EXPECT_EQ(alternated({{"1.1.1.1", way4}, {"2.2.2.2", way4}, {"::1", ""}, {"::2", ""}}), "1.1.1.1 2.2.2.2 ::1 ::2");
}

}  // namespace
}  // namespace pollux::test
