#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "stack/tls/certificate.hpp"
#include "stack/tls/x509.hpp"
#include "tests/support/heap_guard.hpp"
#include "tests/support/tls_fixture.hpp"

namespace pollux::test {
namespace {

using tls::Error;
using tls::SelfSignedOptions;

constexpr std::int64_t year = 365 * 86'400;
constexpr port::WallTime start{.seconds = 1'767'225'600};  // 2026-01-01
constexpr port::WallTime end{.seconds = 1'767'225'600 + 10 * year};
constexpr std::array<std::string_view, 9> nine_names{
    "a.test", "b.test", "*.wild.test", "device.local", "localhost", "127.0.0.1", "::1", "192.168.10.20", "2001:db8::1"};

class TlsSelfSigned : public testing::Test {
 protected:
  // The texts as strings of their own.
  struct Made {
    std::string key{};
    std::string certificate{};
    Error error = Error::none;
  };
  Made make(const SelfSignedOptions& options, std::size_t key_room = 512, std::size_t certificate_room = 2048) {
    std::vector<char> key(key_room, '#');
    std::vector<char> certificate(certificate_room, '#');
    const auto made = tls::make_self_signed(*library_, options, key, certificate);
    if (!made) {
      EXPECT_EQ(std::string_view(key.data(), key.size()).find("BEGIN EC"), std::string_view::npos)
          << "a key is left behind";
      return {.error = made.error()};
    }
    return {.key = std::string{made->key}, .certificate = std::string{made->certificate}};
  }
  Error error_of(const SelfSignedOptions& options) { return make(options).error; }

  port::SimNetwork network_{};
  port::SimPort port_{network_};
  TestLibrary library_{port_};
};

struct ParsedPair {
  mbedtls_x509_crt certificate;
  mbedtls_pk_context key;
  ParsedPair() {
    mbedtls_x509_crt_init(&certificate);
    mbedtls_pk_init(&key);
  }
  ~ParsedPair() {
    mbedtls_x509_crt_free(&certificate);
    mbedtls_pk_free(&key);
  }
  ParsedPair(const ParsedPair&) = delete;
  ParsedPair& operator=(const ParsedPair&) = delete;
};

TEST_F(TlsSelfSigned, IsWhatItSays) {
  const Made made = make({.common_name = "device.test", .names = nine_names, .not_before = start, .not_after = end});
  ASSERT_EQ(made.error, Error::none);
  EXPECT_TRUE(made.key.starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
  EXPECT_TRUE(made.key.ends_with("-----END EC PRIVATE KEY-----\n"));
  EXPECT_TRUE(made.certificate.starts_with("-----BEGIN CERTIFICATE-----\n"));
  EXPECT_TRUE(made.certificate.ends_with("-----END CERTIFICATE-----\n"));

  const auto info = tls::read_certificate(*library_, made.certificate);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->subject.view(), "CN=device.test");
  EXPECT_EQ(info->issuer.view(), "CN=device.test");
  EXPECT_EQ(info->not_before, start.seconds);
  EXPECT_EQ(info->not_after, end.seconds);
  EXPECT_EQ(info->serial.view().size(), 16U * 3 - 1);

  ParsedPair parsed;
  ASSERT_EQ(tls::parse_chain(made.certificate, parsed.certificate), Error::none);
  ASSERT_EQ(tls::parse_key(*library_, made.key, parsed.key), Error::none);
  EXPECT_EQ(tls::check_key(*library_, parsed.certificate, parsed.key), Error::none);
  EXPECT_TRUE(tls::names_host(parsed.certificate, "device.test"));
  for (const std::string_view name : nine_names) {
    EXPECT_TRUE(tls::names_host(parsed.certificate, name == "*.wild.test" ? "x.wild.test" : name)) << name;
  }
  EXPECT_FALSE(tls::names_host(parsed.certificate, "127.0.0.2"));
  EXPECT_EQ(mbedtls_x509_crt_check_key_usage(&parsed.certificate, MBEDTLS_X509_KU_DIGITAL_SIGNATURE), 0);
  EXPECT_NE(mbedtls_x509_crt_check_key_usage(&parsed.certificate, MBEDTLS_X509_KU_KEY_CERT_SIGN), 0)
      << "it signs nothing else";
  EXPECT_EQ(mbedtls_x509_crt_check_extended_key_usage(&parsed.certificate, "\x2B\x06\x01\x05\x05\x07\x03\x01", 8), 0);
  EXPECT_NE(mbedtls_x509_crt_check_extended_key_usage(&parsed.certificate, "\x2B\x06\x01\x05\x05\x07\x03\x02", 8), 0)
      << "nor is it for clients";
}

TEST_F(TlsSelfSigned, MbedtlsTakesItWhereItIsTrusted) {
  network_.set_wall_clock({.seconds = start.seconds + year});
  const Made made = make({.common_name = "device.test", .not_before = start, .not_after = end});
  const Made other = make({.common_name = "device.test", .not_before = start, .not_after = end});
  const auto flags_with = [&](const std::string& trusted) {
    ParsedPair own;
    ParsedPair trust;
    EXPECT_EQ(tls::parse_chain(made.certificate, own.certificate), Error::none);
    EXPECT_EQ(tls::parse_chain(trusted, trust.certificate), Error::none);
    std::uint32_t flags = 0;
    static_cast<void>(mbedtls_x509_crt_verify(&own.certificate, &trust.certificate, nullptr, "device.test", &flags,
                                              nullptr, nullptr));
    return flags;
  };
  if (tls::Library::has_arena()) {  // otherwise mbedTLS looks at the machine's clock
    EXPECT_EQ(flags_with(made.certificate), 0U);
    EXPECT_EQ(flags_with(other.certificate), std::uint32_t{MBEDTLS_X509_BADCERT_NOT_TRUSTED})
        << "the same name is not enough";
  }
}

TEST_F(TlsSelfSigned, EachIsAnother) {
  std::set<std::string> seen;
  for (int i = 0; i < 5; ++i) {
    const Made made = make({.common_name = "device.test", .not_before = start, .not_after = end});
    const auto info = tls::read_certificate(*library_, made.certificate);
    ASSERT_TRUE(info);
    EXPECT_TRUE(seen.insert(made.key).second);
    EXPECT_TRUE(seen.insert(std::string{info->serial.view()}).second);
  }
}

TEST_F(TlsSelfSigned, CommonNames) {
  const auto subject_of = [this](std::string_view name) {
    const Made made = make({.common_name = name, .not_before = start, .not_after = end});
    EXPECT_EQ(made.error, Error::none) << name;
    ParsedPair parsed;
    EXPECT_EQ(tls::parse_chain(made.certificate, parsed.certificate), Error::none);
    EXPECT_TRUE(tls::names_host(parsed.certificate, name)) << name;
    const auto info = tls::read_certificate(*library_, made.certificate);
    return info ? std::string{info->subject.view()} : "";
  };
  EXPECT_EQ(subject_of("d"), "CN=d");
  EXPECT_EQ(subject_of("192.0.2.1"), "CN=192.0.2.1");
  EXPECT_EQ(subject_of("::1"), "CN=::1");
  EXPECT_EQ(subject_of("my_pi-4.local"), "CN=my_pi-4.local");
  const std::string at_limit = std::string(60, 'x') + ".abc";
  EXPECT_EQ(subject_of(at_limit), "CN=" + at_limit);
  EXPECT_EQ(subject_of(at_limit + "d"), "CN=" + at_limit) << "cut, but whole among the names";
  std::string longest;
  while (longest.size() < 250) {
    longest += "abcd.";
  }
  longest += "abc";
  ASSERT_EQ(longest.size(), 253U);
  EXPECT_EQ(subject_of(longest), "CN=" + longest.substr(0, 64));
  EXPECT_EQ(error_of({.common_name = longest + "d", .not_before = start, .not_after = end}), Error::unsupported);
}

TEST_F(TlsSelfSigned, NamesThatAreNone) {
  for (const std::string_view name : {"", ".", "a..b", ".a", "a.", "a b", "a,b", "a=b",
                                      "k\xC3\xBC"
                                      "che",
                                      "*", "*.", "a.*.b", "a/b", "[::1]"}) {
    EXPECT_EQ(error_of({.common_name = name, .not_before = start, .not_after = end}), Error::unsupported) << name;
    const std::array<std::string_view, 2> names{"good.test", name};
    EXPECT_EQ(error_of({.common_name = "device.test", .names = names, .not_before = start, .not_after = end}),
              Error::unsupported)
        << name;
  }
  EXPECT_EQ(error_of({.common_name = std::string_view{"a\0b", 3}, .not_before = start, .not_after = end}),
            Error::unsupported);
}

TEST_F(TlsSelfSigned, TheCommonNameIsNotNamedTwice) {
  const std::array<std::string_view, 2> names{"device.test", "b.test"};
  const Made made = make({.common_name = "device.test", .names = names, .not_before = start, .not_after = end});
  ParsedPair parsed;
  ASSERT_EQ(tls::parse_chain(made.certificate, parsed.certificate), Error::none);
  int count = 0;
  for (const mbedtls_x509_sequence* name = &parsed.certificate.subject_alt_names; name != nullptr; name = name->next) {
    ++count;
  }
  EXPECT_EQ(count, 2);
}

TEST_F(TlsSelfSigned, Dates) {
  const auto made = [this](std::int64_t from, std::int64_t to) {
    return error_of({.common_name = "d", .not_before = {.seconds = from}, .not_after = {.seconds = to}});
  };
  constexpr std::int64_t last = 253'402'300'799;  // 9999-12-31T23:59:59Z, "never" in RFC 5280 section 4.1.2.5
  EXPECT_EQ(made(0, last), Error::none);
  EXPECT_EQ(made(0, last + 1), Error::unsupported);
  EXPECT_EQ(made(-1, 0), Error::unsupported);
  EXPECT_EQ(made(5, 5), Error::none);
  EXPECT_EQ(made(6, 5), Error::unsupported);
  // UTCTime until 2049, GeneralizedTime from 2050 on.
  for (const std::int64_t seconds : {std::int64_t{2'524'607'999}, std::int64_t{2'524'608'000}, last}) {
    const Made one =
        make({.common_name = "d", .not_before = {.seconds = 951'868'799}, .not_after = {.seconds = seconds}});
    const auto info = tls::read_certificate(*library_, one.certificate);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->not_before, 951'868'799);
    EXPECT_EQ(info->not_after, seconds);
  }
}

TEST_F(TlsSelfSigned, MemoryThatIsTooSmall) {
  const SelfSignedOptions options{
      .common_name = "device.test", .names = nine_names, .not_before = start, .not_after = end};
  const Made whole = make(options);
  ASSERT_EQ(whole.error, Error::none);
  EXPECT_LE(whole.key.size() + 1, 512U);
  const std::size_t used = library_->arena_use().used;
  for (std::size_t room = 0; room <= whole.key.size(); ++room) {
    EXPECT_EQ(make(options, room).error, Error::no_memory) << room;
  }
  EXPECT_EQ(make(options, whole.key.size() + 1).error, Error::none);
  std::size_t refused = 0;
  for (std::size_t room = 0; room <= whole.certificate.size() + 8; room += 7) {
    const Error error = make(options, 512, room).error;
    refused += error == Error::no_memory ? 1 : 0;
    EXPECT_TRUE(error == Error::no_memory || room >= whole.certificate.size() - 8) << room;
  }
  EXPECT_GT(refused, 0U);
  EXPECT_EQ(library_->arena_use().used, used);
  EXPECT_EQ(error_of(options), Error::none);
}

TEST_F(TlsSelfSigned, MoreNamesThanFit) {
  const std::string name = std::string(60, 'x') + "." + std::string(60, 'y') + ".test";
  const std::vector<std::string_view> names(8, name);
  EXPECT_EQ(make({.common_name = "d", .names = names, .not_before = start, .not_after = end}, 512, 8192).error,
            Error::no_memory);
  EXPECT_EQ(
      make({.common_name = "d", .names = std::span{names}.first(7), .not_before = start, .not_after = end}, 512, 8192)
          .error,
      Error::none);
}

TEST_F(TlsSelfSigned, TakesNothingFromTheHeap) {
  if (!tls::Library::has_arena()) {
    GTEST_SKIP() << "the installed mbedTLS takes its memory from the heap";
  }
  std::array<char, 512> key{};
  std::array<char, 2048> certificate{};
  const heap_guard::Forbidden no_heap;
  EXPECT_TRUE(
      tls::make_self_signed(*library_, {.common_name = "d", .not_before = start, .not_after = end}, key, certificate));
}

}  // namespace
}  // namespace pollux::test
