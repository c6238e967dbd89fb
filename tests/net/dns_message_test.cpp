// Messages to bytes and back: what is written, what is believed, and what is not.
#include "stack/net/dns_message.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/net/dns_support.hpp"

namespace pollux::test {
namespace {

using namespace std::string_literals;
using net::DnsAnswer;
using net::DnsCarrier;
using net::DnsName;
using net::DnsOutcome;
using net::DnsType;
using Header = DnsBytes::Header;

const std::string one{"\xc0\x00\x02\x01", 4};  // 192.0.2.1
const std::string two{"\xc0\x00\x02\x02", 4};
const std::string six{"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x06", 16};

// Read from memory of its exact size, where AddressSanitizer watches the end.
DnsAnswer read(const DnsBytes& message, std::string_view name = "www.test", DnsType type = DnsType::a,
               DnsCarrier carrier = DnsCarrier::datagram) {
  const std::vector<char> exact{message.bytes().begin(), message.bytes().end()};
  const DnsName asked = dns_name(name);
  return read_dns_answer(span_of({exact.data(), exact.size()}), {.id = 0x1234, .name = asked, .type = type}, carrier);
}

DnsBytes answer(std::uint16_t answers, std::uint16_t authorities = 0, std::uint16_t flags = dns_answer_flags) {
  DnsBytes message;
  message.header({.flags = flags, .answers = answers, .authorities = authorities}).question("www.test", 1);
  return message;
}

std::string text_of(const DnsName& name) {
  std::string text;
  for (std::size_t at = 0; name.bytes[at] != 0; at += std::size_t{name.bytes[at]} + 1) {
    text += (text.empty() ? "" : ".") +
            std::string{reinterpret_cast<const char*>(name.bytes.data()) + at + 1, name.bytes[at]};
  }
  return text;
}

TEST(HostName, Good) {
  for (const std::string& name :
       {"a"s, "a.b"s, "A-1.example"s, "_dmarc.example.net"s, "1.2.3"s, "xn--bcher-kva.example"s, std::string(63, 'a'),
        std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd')}) {
    EXPECT_TRUE(net::is_host_name(name)) << name;
    DnsName wire;
    EXPECT_TRUE(net::make_dns_name(name, wire));
    EXPECT_EQ(text_of(wire), name);
    EXPECT_EQ(wire.size, name.size() + 2);
  }
}

TEST(HostName, Bad) {
  const std::string label(63, 'a');
  for (const std::string& name : {""s, "."s, ".a"s, "a."s, "a..b"s, "a b"s, "a/b"s, "a\0b"s,
                                  "b\xc3\xbc"
                                  "cher"s,
                                  "a:1"s, "[::1]"s, "a@b"s, "a%"s, std::string(64, 'a'),
                                  label + "." + label + "." + label + "." + std::string(62, 'd')}) {
    EXPECT_FALSE(net::is_host_name(name)) << name;
    DnsName wire;
    EXPECT_FALSE(net::make_dns_name(name, wire));
  }
}

TEST(DnsQuestion, AsBytes) {
  std::array<std::byte, net::dns_question_size_max> out;
  const DnsName name = dns_name("www.Example.net");
  const auto written = [&](bool has_options) {
    const std::size_t size =
        net::write_dns_question(out, {.id = 0xabcd, .name = name, .type = DnsType::aaaa, .has_options = has_options});
    return std::string{reinterpret_cast<const char*>(out.data()), size};
  };
  EXPECT_EQ(written(false), "\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\3www\7Example\3net\0\x00\x1c\x00\x01"s);
  EXPECT_EQ(written(true),
            "\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\3www\7Example\3net\0\x00\x1c\x00\x01"
            "\0\x00\x29\x04\xd0\0\0\0\0\0\0"s);
}

TEST(DnsQuestion, TheLongestNameFits) {
  const std::string label(63, 'a');
  const DnsName name = dns_name(label + "." + label + "." + label + "." + std::string(61, 'd'));
  ASSERT_EQ(name.size, 255);
  std::array<std::byte, net::dns_question_size_max> out;
  EXPECT_EQ(net::write_dns_question(out, {.id = 1, .name = name, .type = DnsType::a}), out.size());
}

TEST(DnsName, IgnoresCase) {
  EXPECT_TRUE(equal(dns_name("WWW.example.NET"), dns_name("www.EXAMPLE.net")));
  EXPECT_FALSE(equal(dns_name("www.example.net"), dns_name("www.example.ne")));
  EXPECT_FALSE(equal(dns_name("a.bc"), dns_name("ab.c")));
  EXPECT_TRUE(is_within(dns_name("a.B.c"), dns_name("b.C")));
  EXPECT_TRUE(is_within(dns_name("b.c"), dns_name("b.c")));
  EXPECT_FALSE(is_within(dns_name("ab.c"), dns_name("b.c")));
  EXPECT_FALSE(is_within(dns_name("c"), dns_name("b.c")));
  DnsName root;
  root.size = 1;
  EXPECT_TRUE(is_within(dns_name("a.b"), root));
}

TEST(DnsAnswer, Addresses) {
  const DnsAnswer got = read(answer(3)
                                 .record(to_question, 1, 300, one)
                                 .record(DnsBytes::wire("WWW.Test"), 1, 20, two)
                                 .record(to_question, 1, 400, one));  // again: counts once
  EXPECT_EQ(got.outcome, DnsOutcome::addresses);
  ASSERT_EQ(got.address_count, 2);
  EXPECT_EQ(got.addresses[0], port::Address::ipv4(192, 0, 2, 1, 0));
  EXPECT_EQ(got.addresses[1], port::Address::ipv4(192, 0, 2, 2, 0));
  EXPECT_EQ(got.lifetime, 20U);
}

TEST(DnsAnswer, Ipv6) {
  const DnsBytes message = DnsBytes{}.header({.answers = 1}).question("www.test", 28).record(to_question, 28, 5, six);
  const DnsAnswer got = read(message, "www.test", DnsType::aaaa);
  ASSERT_EQ(got.outcome, DnsOutcome::addresses);
  EXPECT_EQ(got.addresses[0].family, port::Family::ipv6);
  EXPECT_EQ(got.addresses[0].ip[15], 6);
}

TEST(DnsAnswer, MoreAddressesThanAreTried) {
  DnsBytes message = answer(20);
  for (char i = 0; i < 20; ++i) {
    message.record(to_question, 1, 60, std::string{"\xc0\x00\x02", 3} + i);
  }
  const DnsAnswer got = read(message);
  EXPECT_EQ(got.outcome, DnsOutcome::addresses);
  EXPECT_EQ(got.address_count, net::addresses_max);
}

TEST(DnsAnswer, AliasesInAnyOrder) {
  const DnsAnswer got = read(answer(4)
                                 .record(DnsBytes::wire("c.test"), 1, 300, one)
                                 .record(DnsBytes::wire("b.test"), 5, 7, DnsBytes::wire("C.TEST"))
                                 .record(to_question, 5, 200, DnsBytes::wire("b.test"))
                                 .record(DnsBytes::wire("d.test"), 1, 1, two));  // nobody asked
  EXPECT_EQ(got.outcome, DnsOutcome::addresses);
  EXPECT_EQ(got.address_count, 1);
  EXPECT_EQ(got.alias_count, 2);
  EXPECT_EQ(got.lifetime, 7U);
  EXPECT_EQ(text_of(got.target), "C.TEST");
}

TEST(DnsAnswer, AnAliasWhoseTargetIsNotTold) {
  const DnsAnswer got = read(answer(1).record(to_question, 5, 30, DnsBytes::wire("far.away")));
  EXPECT_EQ(got.outcome, DnsOutcome::alias);
  EXPECT_EQ(text_of(got.target), "far.away");
  EXPECT_EQ(got.lifetime, 30U);
}

TEST(DnsAnswer, AnAliasMayHaveBytesThatNoHostNameHas) {
  const DnsAnswer got =
      read(answer(2).record(to_question, 5, 30, "\5a b/\0\4test\0"s).record("\5A B/\0\4test\0"s, 1, 30, one));
  EXPECT_EQ(got.outcome, DnsOutcome::addresses);
}

TEST(DnsAnswer, AnAliasThatHasNoAddress) {
  const DnsAnswer got = read(answer(1, 1)
                                 .record(to_question, 5, 30, DnsBytes::wire("far.test"))
                                 .record(DnsBytes::wire("test"), 6, 600, DnsBytes::start_of_authority(20)));
  EXPECT_EQ(got.outcome, DnsOutcome::no_address);
  EXPECT_EQ(got.lifetime, 20U);
}

TEST(DnsAnswer, AliasesInACircle) {
  EXPECT_EQ(read(answer(1).record(to_question, 5, 30, to_question)).outcome, DnsOutcome::failed);
  EXPECT_EQ(read(answer(2)
                     .record(to_question, 5, 30, DnsBytes::wire("b.test"))
                     .record(DnsBytes::wire("b.test"), 5, 30, to_question))
                .outcome,
            DnsOutcome::failed);
}

TEST(DnsAnswer, AsManyAliasesAsAllowedAndOneMore) {
  for (unsigned count : {16U, 17U}) {
    DnsBytes message = answer(static_cast<std::uint16_t>(count + 1));
    std::string owner = DnsBytes::wire("www.test");
    for (unsigned i = 0; i < count; ++i) {
      const std::string next = DnsBytes::wire("n" + std::to_string(i));
      message.record(owner, 5, 60, next);
      owner = next;
    }
    message.record(owner, 1, 60, one);
    EXPECT_EQ(read(message).outcome, count == 16 ? DnsOutcome::addresses : DnsOutcome::failed);
  }
}

TEST(DnsAnswer, NotFound) {
  const std::string zone = DnsBytes::wire("test");
  const std::uint16_t flags = dns_answer_flags | 3;
  struct Row {
    std::uint32_t lifetime;
    std::uint32_t minimum;
    std::uint32_t kept;
  };
  for (const Row& row : {Row{600, 20, 20}, Row{10, 20, 10}, Row{0x80000000U, 20, 0}, Row{5, 0xffffffffU, 0}}) {
    const DnsAnswer got =
        read(answer(0, 1, flags).record(zone, 6, row.lifetime, DnsBytes::start_of_authority(row.minimum)));
    EXPECT_EQ(got.outcome, DnsOutcome::not_found);
    EXPECT_EQ(got.lifetime, row.kept);
  }
  // Without a SOA record, or one of somebody else, nothing says how long that holds (RFC 2308 section 5).
  EXPECT_EQ(read(answer(0, 0, flags)).lifetime, 0U);
  const DnsAnswer other =
      read(answer(0, 1, flags).record(DnsBytes::wire("other"), 6, 600, DnsBytes::start_of_authority(20)));
  EXPECT_EQ(other.outcome, DnsOutcome::not_found);
  EXPECT_EQ(other.lifetime, 0U);
  // Addresses beside it are not believed.
  const DnsAnswer both = read(answer(1, 0, flags).record(to_question, 1, 60, one));
  EXPECT_EQ(both.outcome, DnsOutcome::not_found);
  EXPECT_EQ(both.address_count, 0);
}

TEST(DnsAnswer, NoAddress) {
  EXPECT_EQ(read(answer(0, 1).record(DnsBytes::wire("test"), 6, 9, DnsBytes::start_of_authority(20))).outcome,
            DnsOutcome::no_address);
  EXPECT_EQ(read(answer(0)).outcome, DnsOutcome::no_address);
  // Records that nobody asked for: another type, class, owner.
  EXPECT_EQ(read(answer(1).record(to_question, 16, 9, "\3abc")).outcome, DnsOutcome::no_address);
  EXPECT_EQ(read(answer(1).record(to_question, 1, 9, one, 3)).outcome, DnsOutcome::no_address);
  EXPECT_EQ(read(answer(1).record(DnsBytes::wire("w.test"), 1, 9, one)).outcome, DnsOutcome::no_address);
}

TEST(DnsAnswer, AServerThatSendsUsElsewhere) {
  const std::string zone = DnsBytes::wire("test");
  EXPECT_EQ(read(answer(0, 1, 0x8100).record(zone, 2, 9, DnsBytes::wire("ns.test"))).outcome, DnsOutcome::failed);
  // One that looks up for us means it so.
  EXPECT_EQ(read(answer(0, 1).record(zone, 2, 9, DnsBytes::wire("ns.test"))).outcome, DnsOutcome::no_address);
}

TEST(DnsAnswer, Codes) {
  for (unsigned code = 0; code < 16; ++code) {
    const DnsOutcome expected = code == 0                ? DnsOutcome::no_address
                                : code == 3              ? DnsOutcome::not_found
                                : code == 1 || code == 4 ? DnsOutcome::bad_format
                                                         : DnsOutcome::failed;
    EXPECT_EQ(read(answer(0, 0, static_cast<std::uint16_t>(dns_answer_flags | code))).outcome, expected) << code;
    // Without the question only an error is believed.
    const DnsBytes bare =
        DnsBytes{}.header({.flags = static_cast<std::uint16_t>(dns_answer_flags | code), .questions = 0});
    EXPECT_EQ(read(bare).outcome, code == 0 || code == 3 ? DnsOutcome::not_ours : expected) << code;
  }
}

TEST(DnsAnswer, Truncated) {
  const std::uint16_t flags = dns_answer_flags | 0x0200;
  const DnsBytes message = answer(2, 0, flags).record(to_question, 1, 60, one).raw(to_question);
  EXPECT_EQ(read(message).outcome, DnsOutcome::truncated);
  EXPECT_EQ(read(message).address_count, 0);
  // Over TCP there is nothing behind TCP: what is there counts.
  for (const DnsCarrier carrier : {DnsCarrier::stream, DnsCarrier::cut_stream}) {
    const DnsAnswer got = read(message, "www.test", DnsType::a, carrier);
    EXPECT_EQ(got.outcome, DnsOutcome::addresses);
    EXPECT_EQ(got.address_count, 1);
  }
  // A stream that does not say so has to be whole.
  EXPECT_EQ(read(answer(2).record(to_question, 1, 60, one), "www.test", DnsType::a, DnsCarrier::stream).outcome,
            DnsOutcome::failed);
  EXPECT_EQ(read(answer(2).record(to_question, 1, 60, one), "www.test", DnsType::a, DnsCarrier::cut_stream).outcome,
            DnsOutcome::addresses);
  // Nothing of use before the cut.
  EXPECT_EQ(read(answer(1, 0, flags).raw(to_question), "www.test", DnsType::a, DnsCarrier::stream).outcome,
            DnsOutcome::failed);
}

TEST(DnsAnswer, NotToThisQuestion) {
  const auto of = [](const Header& header, std::string_view name = "www.test", unsigned type = 1,
                     unsigned record_class = 1) {
    return read(DnsBytes{}.header(header).question(name, type, record_class).record(to_question, type, 60, one))
        .outcome;
  };
  EXPECT_EQ(of({.answers = 1}), DnsOutcome::addresses);
  EXPECT_EQ(of({.answers = 1}, "WwW.tEsT"), DnsOutcome::addresses);
  EXPECT_EQ(of({.id = 0x1235, .answers = 1}), DnsOutcome::not_ours);
  EXPECT_EQ(of({.flags = 0x0100, .answers = 1}), DnsOutcome::not_ours);                     // a question
  EXPECT_EQ(of({.flags = dns_answer_flags | 0x2000, .answers = 1}), DnsOutcome::not_ours);  // another operation
  EXPECT_EQ(of({.questions = 2, .answers = 1}), DnsOutcome::not_ours);
  EXPECT_EQ(of({.answers = 1}, "ww.test"), DnsOutcome::not_ours);
  EXPECT_EQ(of({.answers = 1}, "www.test.x"), DnsOutcome::not_ours);
  EXPECT_EQ(of({.answers = 1}, "www.test", 28), DnsOutcome::not_ours);
  EXPECT_EQ(of({.answers = 1}, "www.test", 1, 3), DnsOutcome::not_ours);
}

// Every length of a good answer: none reads behind the end, and a datagram that is cut is not an answer with addresses.
TEST(DnsAnswer, CutAnywhere) {
  const DnsBytes whole = answer(2, 1)
                             .record(to_question, 5, 60, DnsBytes::wire("b.test"))
                             .record(DnsBytes::wire("b.test"), 1, 60, one)
                             .record(DnsBytes::wire("test"), 6, 60, DnsBytes::start_of_authority(20));
  const std::size_t question_end = 12 + 10 + 4;
  const std::size_t answers_end = question_end + 2 + 10 + 8 + 8 + 10 + 4;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const DnsBytes part = DnsBytes{}.raw(std::string_view{whole.bytes()}.substr(0, size));
    const DnsOutcome expected = size < question_end  ? DnsOutcome::not_ours
                                : size < answers_end ? DnsOutcome::failed
                                                     : DnsOutcome::addresses;
    EXPECT_EQ(read(part).outcome, expected) << size;
    static_cast<void>(read(part, "www.test", DnsType::a, DnsCarrier::cut_stream));
  }
}

// Names that must not be followed, as the owner of the first record, which begins at byte 26.
TEST(DnsAnswer, HostileNames) {
  const std::string long_label = '\x3f' + std::string(63, 'x');
  const std::vector<std::pair<const char*, std::string>> rows{
      {"points to itself", "\xc0\x1a"s},
      {"points forward", "\xc0\x40"s},
      {"points behind the end", "\xff\xff"s},
      {"points into the header", "\xc0\x04"s},
      {"points to its own label", "\1a\xc0\x1a"s},
      {"half a pointer", "\xc0"s},
      {"reserved label type 0x40",
       "\x41"
       "a\0"s},
      {"reserved label type 0x80",
       "\x81"
       "a\0"s},
      {"longer than a name may be", long_label + long_label + long_label + long_label + "\0"s},
      {"one byte too long", long_label + long_label + long_label + '\x3e' + std::string(62, 'x') + "\0"s},
      {"no end", long_label},
  };
  for (const auto& [what, name] : rows) {
    DnsBytes message = answer(1).raw(name);
    if (name.size() > 1 && name != long_label) {
      message.u16(1).u16(1).u32(60).u16(4).raw(one);
    }
    EXPECT_EQ(read(message).outcome, DnsOutcome::failed) << what;
  }
  // The longest that is allowed.
  const std::string longest = long_label + long_label + long_label + '\x3d' + std::string(61, 'x') + "\0"s;
  EXPECT_EQ(read(answer(2).record(longest, 1, 9, two).record(to_question, 1, 9, one)).address_count, 1);
}

// Two names that point at each other, and a long chain of pointers that each lead one step back.
TEST(DnsAnswer, PointersThatRunInCirclesOrFar) {
  EXPECT_EQ(read(answer(2)
                     .record("\xc0\x28"s, 1, 60, one)   // at 26, points to the record at 40 ...
                     .record("\xc0\x1a"s, 1, 60, one))  // ... which points back
                .outcome,
            DnsOutcome::failed);
  DnsBytes message = answer(2);
  std::string data(2, '\0');
  data = DnsBytes{}.pointer(12).bytes();
  const std::size_t first = message.size() + 1 + 10;
  for (std::size_t i = 0; i < 1000; ++i) {
    data += DnsBytes{}.pointer(first + i * 2).bytes();
  }
  message.record("\0"s, 16, 60, data);
  message.raw(DnsBytes{}.pointer(first + 2000).bytes()).u16(1).u16(1).u32(60).u16(4).raw(one);
  EXPECT_EQ(read(message).outcome, DnsOutcome::addresses);
}

TEST(DnsAnswer, HostileRecords) {
  const auto failed = [](const DnsBytes& message) { return read(message).outcome == DnsOutcome::failed; };
  EXPECT_TRUE(failed(answer(1).record(to_question, 1, 60, "\1\2\3"s)));                   // too short
  EXPECT_TRUE(failed(answer(1).record(to_question, 1, 60, "\1\2\3\4\5"s)));               // too long
  EXPECT_TRUE(failed(answer(1).raw(to_question).u16(1).u16(1).u32(60).u16(5).raw(one)));  // data behind the end
  EXPECT_TRUE(failed(answer(1).raw(to_question).u16(1).u16(1).u32(60).u16(0xffff).raw(one)));
  EXPECT_TRUE(failed(answer(0xffff).record(to_question, 1, 60, one)));  // more than there are
  EXPECT_TRUE(failed(answer(1).record(to_question, 5, 60, "\x40"s)));   // an alias of nothing
  EXPECT_TRUE(failed(answer(1).record(to_question, 5, 60, ""s)));
  // A SOA that is cut or too long says nothing.
  for (const std::string& data :
       {DnsBytes::start_of_authority(20).substr(1), DnsBytes::start_of_authority(20) + "x", ""s}) {
    const DnsAnswer got = read(answer(0, 1, dns_answer_flags | 3).record(DnsBytes::wire("test"), 6, 600, data));
    EXPECT_EQ(got.outcome, DnsOutcome::not_found);
    EXPECT_EQ(got.lifetime, 0U);
  }
}

TEST(DnsAnswer, LifetimesThatAreNegative) {
  EXPECT_EQ(read(answer(1).record(to_question, 1, 0x80000000U, one)).lifetime, 0U);
  EXPECT_EQ(read(answer(1).record(to_question, 1, 0x7fffffffU, one)).lifetime, 0x7fffffffU);
}

}  // namespace
}  // namespace pollux::test
