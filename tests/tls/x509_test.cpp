#include "stack/tls/x509.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "tests/support/emulated.hpp"
#include "tests/support/tls_fixture.hpp"

namespace pollux::test {
namespace {

using tls::Error;

// mbedTLS's objects, freed at the end of a test.
struct Chain {
  mbedtls_x509_crt first;
  Chain() { mbedtls_x509_crt_init(&first); }
  ~Chain() { mbedtls_x509_crt_free(&first); }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;
  [[nodiscard]] int size() const {
    int count = 0;
    for (const mbedtls_x509_crt* crt = &first; crt != nullptr && crt->raw.p != nullptr; crt = crt->next) {
      ++count;
    }
    return count;
  }
  [[nodiscard]] std::string der() const { return {reinterpret_cast<const char*>(first.raw.p), first.raw.len}; }
};
struct Key {
  mbedtls_pk_context pk;
  Key() { mbedtls_pk_init(&pk); }
  ~Key() { mbedtls_pk_free(&pk); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
};

class TlsX509 : public testing::Test {
 protected:
  port::SimNetwork network_{};
  port::SimPort port_{network_};
  TestLibrary library_{port_};

  static std::string der_of(std::string_view pem) {
    Chain chain;
    EXPECT_EQ(tls::parse_chain(pem, chain.first), Error::none);
    return chain.der();
  }
  Error parse_key(std::string_view text) {
    Key key;
    return tls::parse_key(*library_, text, key.pk);
  }
};

Error parse(std::string_view text) {
  Chain chain;
  return tls::parse_chain(text, chain.first);
}

// The same bytes without anything behind them that could be read by mistake.
std::vector<char> exactly(std::string_view text) {
  return {text.begin(), text.end()};
}
std::string_view view(const std::vector<char>& bytes) {
  return {bytes.data(), bytes.size()};
}

// ---- certificates

TEST_F(TlsX509, ChainOfPem) {
  Chain chain;
  ASSERT_EQ(tls::parse_chain(certificates::by_intermediate.certificate, chain.first), Error::none);
  EXPECT_EQ(chain.size(), 2);
  Chain own;
  ASSERT_EQ(tls::parse_chain(certificates::by_intermediate.certificate, own.first, 1), Error::none);
  EXPECT_EQ(own.size(), 1);
  EXPECT_EQ(own.der(), chain.der());
}

TEST_F(TlsX509, OneInDer) {
  const std::string der = der_of(certificates::site.certificate);
  Chain chain;
  ASSERT_EQ(tls::parse_chain(der, chain.first), Error::none);
  EXPECT_EQ(chain.der(), der);
}

TEST_F(TlsX509, TextAroundTheBlocks) {
  std::string text = "subject=CN = site.test\r\n";
  for (const char c : certificates::site.certificate) {
    text += c == '\n' ? "\r\n" : std::string(1, c);
  }
  text += std::string{certificates::site.key} + "# end";
  EXPECT_EQ(parse(text), Error::none);
}

TEST_F(TlsX509, WhatIsNoCertificate) {
  for (const std::string_view text :
       {std::string_view{}, std::string_view{"x"}, std::string_view{"hello\n"}, certificates::site.key,
        std::string_view{"\x30\x82", 2}, std::string_view{"\0\0\0", 3}}) {
    EXPECT_EQ(parse(text), Error::certificate_syntax) << text;
  }
  const std::string good{certificates::site.certificate};
  EXPECT_EQ(parse(good + "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n"), Error::certificate_syntax)
      << "one bad block spoils the chain";
  EXPECT_EQ(parse(good + "-----BEGIN CERTIFICATE-----\nZm9v\n"), Error::certificate_syntax) << "and so does a lost end";
  EXPECT_EQ(parse(good + "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), Error::certificate_syntax);
  EXPECT_EQ(parse("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), Error::certificate_syntax);
}

TEST_F(TlsX509, AKeyWeDoNotTakeIsUnsupported) {
  if (!tls::Library::has_arena()) {
    GTEST_SKIP() << "the installed mbedTLS knows every curve";
  }
  EXPECT_EQ(parse(certificates::odd_curve.certificate), Error::unsupported);
}

TEST_F(TlsX509, EveryPrefixOfPem) {
  const std::string_view text = certificates::site.certificate;
  const std::size_t whole = text.find_last_of('-') + 1;
  for (std::size_t size = 0; size < whole; size += stride) {
    const std::vector<char> prefix = exactly(text.substr(0, size));
    EXPECT_EQ(parse(view(prefix)), Error::certificate_syntax) << size;
  }
  EXPECT_EQ(parse(text.substr(0, whole)), Error::none);
}

TEST_F(TlsX509, EveryPrefixOfDer) {
  for (const TestCertificate& certificate : {certificates::everywhere, certificates::site_rsa}) {
    const std::string der = der_of(certificate.certificate);
    for (std::size_t size = 0; size < der.size(); size += stride) {
      const std::vector<char> prefix = exactly(der.substr(0, size));
      EXPECT_EQ(parse(view(prefix)), Error::certificate_syntax) << size;
    }
  }
}

TEST_F(TlsX509, EveryByteChanged) {
  const std::string der = der_of(certificates::site.certificate);
  const std::size_t used = library_->arena_use().used;
  for (std::size_t at = 0; at < der.size(); at += stride) {
    for (const char change : {'\x01', '\x80', '\xFF'}) {
      std::string changed = der;
      changed[at] = static_cast<char>(changed[at] ^ change);
      const Error error = parse(changed);
      EXPECT_TRUE(error == Error::none || error == Error::certificate_syntax || error == Error::unsupported) << at;
    }
  }
  EXPECT_EQ(library_->arena_use().used, used);
}

// ---- keys

TEST_F(TlsX509, KeysOfEveryKind) {
  for (const TestCertificate& certificate : {certificates::site, certificates::site_p384, certificates::site_rsa}) {
    Chain chain;
    Key key;
    ASSERT_EQ(tls::parse_chain(certificate.certificate, chain.first), Error::none);
    ASSERT_EQ(tls::parse_key(*library_, certificate.key, key.pk), Error::none);
    EXPECT_EQ(tls::check_key(*library_, chain.first, key.pk), Error::none);

    // The same in DER, without anything behind it.
    std::array<unsigned char, 4096> der{};
    const int size = mbedtls_pk_write_key_der(&key.pk, der.data(), der.size());
    ASSERT_GT(size, 0);
    const auto* const begin = reinterpret_cast<const char*>(der.data() + der.size() - static_cast<std::size_t>(size));
    Key again;
    ASSERT_EQ(tls::parse_key(*library_, {begin, static_cast<std::size_t>(size)}, again.pk), Error::none);
    EXPECT_EQ(tls::check_key(*library_, chain.first, again.pk), Error::none);
    for (std::size_t cut = 0; cut < static_cast<std::size_t>(size); ++cut) {
      const std::vector<char> prefix(begin, begin + cut);
      EXPECT_EQ(parse_key(view(prefix)), Error::key_syntax) << cut;
    }
  }
}

TEST_F(TlsX509, KeysInTheirOlderForms) {
  Key key;
  ASSERT_EQ(tls::parse_key(*library_, certificates::site.key, key.pk), Error::none);
  std::array<char, 512> sec1{};
  ASSERT_EQ(mbedtls_pk_write_key_pem(&key.pk, reinterpret_cast<unsigned char*>(sec1.data()), sec1.size()), 0);
  const std::string text{sec1.data()};
  ASSERT_TRUE(text.starts_with("-----BEGIN EC PRIVATE KEY-----"));
  EXPECT_EQ(parse_key(text), Error::none);
  EXPECT_EQ(parse_key("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + text),
            Error::none)
      << "as openssl ecparam writes it";
  EXPECT_EQ(parse_key(std::string{certificates::site.certificate} + text), Error::none) << "both in one file";
}

TEST_F(TlsX509, WhatIsNoKey) {
  for (const std::string_view text :
       {std::string_view{}, std::string_view{"x"}, certificates::site.certificate, std::string_view{"\x30\x82", 2}}) {
    EXPECT_EQ(parse_key(text), Error::key_syntax) << text;
  }
  std::string encrypted{certificates::site.key};
  EXPECT_EQ(parse_key("-----BEGIN ENCRYPTED PRIVATE KEY-----\nZm9v\n-----END ENCRYPTED PRIVATE KEY-----\n"),
            Error::key_syntax);
  EXPECT_EQ(parse_key("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nZm9v\n"
                      "-----END RSA PRIVATE KEY-----\n"),
            Error::key_syntax);
}

TEST_F(TlsX509, EveryPrefixOfAKey) {
  const std::string_view text = certificates::site.key;
  const std::size_t whole = text.find_last_of('-') + 1;
  for (std::size_t size = 0; size < whole; size += stride) {
    const std::vector<char> prefix = exactly(text.substr(0, size));
    EXPECT_EQ(parse_key(view(prefix)), Error::key_syntax) << size;
  }
  EXPECT_EQ(parse_key(text.substr(0, whole)), Error::none);
}

TEST_F(TlsX509, AKeyOfAnotherCertificate) {
  for (const std::string_view other :
       {certificates::second.key, certificates::site_p384.key, certificates::site_rsa.key}) {
    Chain chain;
    Key key;
    ASSERT_EQ(tls::parse_chain(certificates::site.certificate, chain.first), Error::none);
    ASSERT_EQ(tls::parse_key(*library_, other, key.pk), Error::none);
    EXPECT_EQ(tls::check_key(*library_, chain.first, key.pk), Error::key_mismatch);
  }
}

TEST_F(TlsX509, SaysWhatIsWrongWithAPair) {
  const std::string_view certificate = certificates::site.certificate;
  const std::size_t used = library_->arena_use().used;
  EXPECT_EQ(tls::check_pair(*library_, certificate, certificates::site.key), Error::none);
  EXPECT_EQ(tls::check_pair(*library_, certificate, certificates::site_rsa.key), Error::key_mismatch);
  EXPECT_EQ(tls::check_pair(*library_, certificate, certificate), Error::key_syntax);
  EXPECT_EQ(tls::check_pair(*library_, certificates::site.key, certificates::site.key), Error::certificate_syntax);
  EXPECT_EQ(library_->arena_use().used, used);
}

TEST_F(TlsX509, NothingStaysInTheArena) {
  const std::size_t used = library_->arena_use().used;
  parse(certificates::everywhere.certificate);
  parse_key(certificates::site_rsa.key);
  parse_key("x");
  EXPECT_EQ(library_->arena_use().used, used);
}

// ---- names

// A certificate with these names only; nothing is parsed.
class Named {
 public:
  Named(std::initializer_list<std::pair<int, std::string_view>> names) {
    mbedtls_x509_crt_init(&certificate_);
    nodes_.resize(names.size());
    std::size_t i = 0;
    for (const auto& [tag, text] : names) {
      texts_[i] = text;
      mbedtls_x509_sequence& node = i == 0 ? certificate_.subject_alt_names : nodes_[i];
      node.buf = {tag, texts_[i].size(), reinterpret_cast<unsigned char*>(texts_[i].data())};
      if (i > 0) {
        (i == 1 ? certificate_.subject_alt_names : nodes_[i - 1]).next = &node;
      }
      ++i;
    }
  }
  [[nodiscard]] bool names(std::string_view host) const { return tls::names_host(certificate_, host); }

 private:
  mbedtls_x509_crt certificate_;
  std::array<std::string, 4> texts_{};
  std::vector<mbedtls_x509_sequence> nodes_;
};
constexpr int dns = 0x82;
constexpr int ip = 0x87;
constexpr int mail = 0x81;
constexpr int uri = 0x86;

TEST(TlsNames, ExactNames) {
  const Named one{{dns, "Site.Test"}};
  for (const std::string_view host : {"site.test", "SITE.test", "site.test."}) {
    EXPECT_TRUE(one.names(host)) << host;
  }
  for (const std::string_view host :
       {"", ".", "site.tes", "site.testt", "a.site.test", "ite.test", "site", "*.test", "site.test.."}) {
    EXPECT_FALSE(one.names(host)) << host;
  }
  EXPECT_TRUE((Named{{dns, "site.test."}}).names("site.test"));
  EXPECT_TRUE((Named{{dns, "localhost"}}).names("localhost"));
  EXPECT_FALSE((Named{{dns, ""}}).names(""));
  EXPECT_FALSE((Named{{dns, "."}}).names("."));
  EXPECT_FALSE((Named{{dns, std::string_view{"site.test\0.evil", 15}}}).names("site.test")) << "a NUL ends no name";
}

TEST(TlsNames, Wildcards) {
  const Named one{{dns, "*.Wild.test"}};
  for (const std::string_view host : {"a.wild.test", "A.WILD.TEST", "xn--a.wild.test", "a.wild.test."}) {
    EXPECT_TRUE(one.names(host)) << host;
  }
  for (const std::string_view host :
       {"wild.test", ".wild.test", "a.b.wild.test", "a.wild.tes", "awild.test", "a.wild.test.x"}) {
    EXPECT_FALSE(one.names(host)) << host;
  }
  EXPECT_FALSE((Named{{dns, "*.test"}}).names("a.test")) << "at least three labels";
  EXPECT_FALSE((Named{{dns, "*"}}).names("test"));
  EXPECT_FALSE((Named{{dns, "*."}}).names("a."));
  EXPECT_FALSE((Named{{dns, "a*.wild.test"}}).names("ab.wild.test")) << "a whole label only";
  EXPECT_FALSE((Named{{dns, "a.*.test"}}).names("a.b.test")) << "the first label only";
  EXPECT_FALSE((Named{{dns, "*.*.test"}}).names("a.b.test"));
  EXPECT_FALSE((Named{{dns, "*.0.0.1"}}).names("127.0.0.1")) << "no address";
}

TEST(TlsNames, Addresses) {
  const Named one{{ip, std::string_view{"\xC0\x00\x02\x50", 4}},
                  {ip, std::string_view{"\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x80", 16}}};
  EXPECT_TRUE(one.names("192.0.2.80"));
  EXPECT_TRUE(one.names("2001:db8::80"));
  EXPECT_TRUE(one.names("2001:DB8:0::0:80"));
  for (const std::string_view host :
       {"192.0.2.81", "2001:db8::81", "192.0.2.80.", "[2001:db8::80]", "c0000250", "::ffff:192.0.2.80"}) {
    EXPECT_FALSE(one.names(host)) << host;
  }
  EXPECT_FALSE((Named{{dns, "192.0.2.80"}}).names("192.0.2.80")) << "an address is no DNS name";
  EXPECT_FALSE((Named{{ip, "site"}}).names("site")) << "nor the other way";
  EXPECT_FALSE((Named{{ip, std::string_view{"\xC0\x00\x02\x50\xFF\xFF\xFF\xFF", 8}}}).names("192.0.2.80"));
}

TEST(TlsNames, OtherKindsDoNotCount) {
  const Named one{{mail, "site.test"}, {uri, "site.test"}, {dns, "last.test"}};
  EXPECT_FALSE(one.names("site.test"));
  EXPECT_TRUE(one.names("last.test"));
  EXPECT_FALSE(Named{}.names("site.test"));
}

TEST_F(TlsX509, NamesOfRealCertificates) {
  const auto names = [](const TestCertificate& certificate, std::string_view host) {
    Chain chain;
    EXPECT_EQ(tls::parse_chain(certificate.certificate, chain.first), Error::none);
    return tls::names_host(chain.first, host);
  };
  EXPECT_TRUE(names(certificates::site, "site.test"));
  EXPECT_TRUE(names(certificates::site, "192.0.2.80"));
  EXPECT_TRUE(names(certificates::site, "2001:db8::80"));
  EXPECT_TRUE(names(certificates::second, "www.second.test"));
  EXPECT_TRUE(names(certificates::wildcard, "any.wild.test"));
  EXPECT_TRUE(names(certificates::everywhere, "::1"));
  EXPECT_FALSE(names(certificates::wrong_name, "site.test"));
  EXPECT_FALSE(names(certificates::common_name_only, "site.test")) << "the common name does not count";
}

TEST(TlsNames, AddressLiterals) {
  for (const std::string_view host : {"1.2.3.4", "::1", "fe80::1%2"}) {
    EXPECT_TRUE(tls::is_address_literal(host)) << host;
  }
  for (const std::string_view host : {"", "site.test", "[::1]", "1.2.3", "1.2.3.4.", "0x7f.1"}) {
    EXPECT_FALSE(tls::is_address_literal(host)) << host;
  }
}

// ---- what mbedTLS says

TEST(TlsFlags, EachMeansOneError) {
  const std::pair<std::uint32_t, Error> cases[]{
      {0, Error::none},
      {MBEDTLS_X509_BADCERT_EXPIRED, Error::expired},
      {MBEDTLS_X509_BADCERT_FUTURE, Error::not_yet_valid},
      {MBEDTLS_X509_BADCERT_NOT_TRUSTED, Error::unknown_authority},
      {MBEDTLS_X509_BADCERT_CN_MISMATCH, Error::wrong_name},
      {MBEDTLS_X509_BADCERT_KEY_USAGE, Error::wrong_usage},
      {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, Error::wrong_usage},
      {MBEDTLS_X509_BADCERT_NS_CERT_TYPE, Error::wrong_usage},
      {MBEDTLS_X509_BADCERT_BAD_MD, Error::weak_signature},
      {MBEDTLS_X509_BADCERT_BAD_PK, Error::weak_key},
      {MBEDTLS_X509_BADCERT_BAD_KEY, Error::weak_key},
      {MBEDTLS_X509_BADCERT_MISSING, Error::no_certificate},
      {MBEDTLS_X509_BADCERT_REVOKED, Error::bad_certificate},
      {MBEDTLS_X509_BADCERT_OTHER, Error::bad_certificate},
      {0xFFFFFFFF, Error::bad_certificate},
      // Several at once: the one that nobody can repair.
      {MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_NOT_TRUSTED, Error::unknown_authority},
      {MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_NOT_TRUSTED, Error::weak_signature},
      {MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_CN_MISMATCH, Error::expired},
  };
  for (const auto& [flags, error] : cases) {
    EXPECT_EQ(tls::error_of_flags(flags, false), error) << flags;
  }
  EXPECT_EQ(tls::error_of_flags(MBEDTLS_X509_BADCERT_NOT_TRUSTED, true), Error::self_signed);
  EXPECT_EQ(tls::error_of_flags(MBEDTLS_X509_BADCERT_EXPIRED, true), Error::expired);
}

TEST(TlsFlags, WhichCodesAreWantOfMemory) {
  for (const int code :
       {MBEDTLS_ERR_X509_ALLOC_FAILED, MBEDTLS_ERR_PK_ALLOC_FAILED, MBEDTLS_ERR_SSL_ALLOC_FAILED,
        MBEDTLS_ERR_MPI_ALLOC_FAILED, MBEDTLS_ERR_X509_INVALID_EXTENSIONS + MBEDTLS_ERR_ASN1_ALLOC_FAILED}) {
    EXPECT_TRUE(tls::is_no_memory(code)) << code;
  }
  for (const int code :
       {0, 1, MBEDTLS_ERR_X509_INVALID_FORMAT, MBEDTLS_ERR_X509_INVALID_EXTENSIONS + MBEDTLS_ERR_ASN1_OUT_OF_DATA,
        MBEDTLS_ERR_SSL_WANT_READ}) {
    EXPECT_FALSE(tls::is_no_memory(code)) << code;
  }
}

TEST(TlsDates, SecondsSince1970) {
  EXPECT_EQ(tls::seconds_of({1970, 1, 1, 0, 0, 0}), 0);
  EXPECT_EQ(tls::seconds_of({2026, 10, 2, 11, 59, 7}), 1'790'942'347);
  EXPECT_EQ(tls::seconds_of({1969, 12, 31, 23, 59, 59}), -1);
  EXPECT_EQ(tls::seconds_of({2000, 2, 29, 0, 0, 0}), 951'782'400);
  EXPECT_EQ(tls::seconds_of({9999, 12, 31, 23, 59, 59}), 253'402'300'799);
}

}  // namespace
}  // namespace pollux::test
