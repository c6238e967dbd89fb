#include "stack/tls/certificate.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "stack/tls/x509.hpp"
#include "tests/support/heap_guard.hpp"
#include "tests/support/tls_fixture.hpp"

namespace pollux::test {
namespace {

using tls::Digest;
using tls::Error;

std::string pin_of(const Digest& digest) {
  std::array<char, tls::pin_text_size> out{};
  return std::string{tls::write_pin(digest, out)};
}
std::string fingerprint_of(const Digest& digest) {
  std::array<char, tls::fingerprint_text_size> out{};
  return std::string{tls::write_fingerprint(digest, out)};
}

class TlsCertificate : public testing::Test {
 protected:
  port::SimNetwork network_{};
  port::SimPort port_{network_};
  TestLibrary library_{port_};
};

// The values are what `openssl x509 -noout -subject -issuer -serial -dates -fingerprint -sha256` and a digest of its public key say.
TEST_F(TlsCertificate, SaysWhatOpensslSays) {
  const auto info = tls::read_certificate(*library_, certificates::site.certificate);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->subject.view(), "CN=site.test, O=Pollux tests");
  EXPECT_EQ(info->issuer.view(), "CN=Test authority, O=Pollux tests");
  EXPECT_EQ(info->serial.view(), "10:06");
  EXPECT_EQ(info->not_before, 1'577'836'800);
  EXPECT_EQ(info->not_after, 4'102'444'799);
  EXPECT_EQ(fingerprint_of(info->fingerprint),
            "C8:AD:DC:94:2E:F0:A2:D5:84:19:6D:8C:42:F1:F4:4A:E7:EC:87:FE:B2:B3:50:47:8E:89:B1:15:B1:F5:40:3E");
  EXPECT_EQ(pin_of(info->public_key), "sha256//4zgNwTj1vO+V6mRs3iHTi2sPeMJONTi6W2uNgb/o0cg=");

  const auto rsa = tls::read_certificate(*library_, certificates::site_rsa.certificate);
  ASSERT_TRUE(rsa);
  EXPECT_EQ(rsa->subject.view(), "CN=site.test");
  EXPECT_EQ(pin_of(rsa->public_key), "sha256//0FJwKNwu2SgXpdVXs4ixJeWkhAA4ueRRALQKkOdv8VE=");
}

TEST_F(TlsCertificate, TheFirstOfAChain) {
  const auto chain = tls::read_certificate(*library_, certificates::by_intermediate.certificate);
  const auto alone = tls::read_certificate(*library_, certificates::by_intermediate_alone.certificate);
  ASSERT_TRUE(chain);
  ASSERT_TRUE(alone);
  EXPECT_EQ(chain->fingerprint, alone->fingerprint);
}

TEST_F(TlsCertificate, Errors) {
  const std::size_t used = library_->arena_use().used;
  const auto none = tls::read_certificate(*library_, "hello");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), Error::certificate_syntax);
  if (tls::Library::has_arena()) {  // the installed mbedTLS knows more curves
    const auto odd = tls::read_certificate(*library_, certificates::odd_curve.certificate);
    ASSERT_FALSE(odd);
    EXPECT_EQ(odd.error(), Error::unsupported);
  }
  EXPECT_EQ(library_->arena_use().used, used);
}

TEST_F(TlsCertificate, TakesNothingFromTheHeap) {
  if (!tls::Library::has_arena()) {
    GTEST_SKIP() << "the installed mbedTLS takes its memory from the heap";
  }
  const heap_guard::Forbidden no_heap;
  EXPECT_TRUE(tls::read_certificate(*library_, certificates::everywhere.certificate));
}

// A certificate of mbedTLS's writer with this subject; signed with the key of `site`.
std::string certificate_with_subject(tls::Library& library, const char* subject,
                                     std::span<const unsigned char> serial) {
  mbedtls_pk_context key;
  mbedtls_x509write_cert certificate;
  mbedtls_pk_init(&key);
  mbedtls_x509write_crt_init(&certificate);
  std::array<unsigned char, 4096> out{};
  EXPECT_EQ(tls::parse_key(library, certificates::site.key, key), Error::none);
  mbedtls_x509write_crt_set_subject_key(&certificate, &key);
  mbedtls_x509write_crt_set_issuer_key(&certificate, &key);
  mbedtls_x509write_crt_set_md_alg(&certificate, MBEDTLS_MD_SHA256);
  EXPECT_EQ(mbedtls_x509write_crt_set_subject_name(&certificate, subject), 0);
  EXPECT_EQ(mbedtls_x509write_crt_set_issuer_name(&certificate, "CN=x"), 0);
  EXPECT_EQ(mbedtls_x509write_crt_set_validity(&certificate, "20200101000000", "20300101000000"), 0);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  std::vector<unsigned char> bytes(serial.begin(), serial.end());
  EXPECT_EQ(mbedtls_x509write_crt_set_serial_raw(&certificate, bytes.data(), bytes.size()), 0);
#else
  mbedtls_mpi number;
  mbedtls_mpi_init(&number);
  EXPECT_EQ(mbedtls_mpi_read_binary(&number, serial.data(), serial.size()), 0);
  EXPECT_EQ(mbedtls_x509write_crt_set_serial(&certificate, &number), 0);
  mbedtls_mpi_free(&number);
#endif
  EXPECT_EQ(mbedtls_x509write_crt_pem(&certificate, out.data(), out.size(), tls::random_for_mbedtls,
                                      library.random_context()),
            0);
  mbedtls_x509write_crt_free(&certificate);
  mbedtls_pk_free(&key);
  return reinterpret_cast<const char*>(out.data());
}

TEST_F(TlsCertificate, NamesAreCutAtTheirEndAndWrittenInAscii) {
  constexpr std::array<unsigned char, 3> serial{0xAB, 0x00, 0x01};
  const auto subject_of = [&](const std::string& subject) {
    const auto info = tls::read_certificate(*library_, certificate_with_subject(*library_, subject.c_str(), serial));
    EXPECT_TRUE(info);
    EXPECT_EQ(info ? info->serial.view() : "", "AB:00:01") << "without the zero that DER puts before it";
    return info ? std::string{info->subject.view()} : std::string{};
  };
  EXPECT_EQ(subject_of("CN=K\xC3\xBC"
                       "che"),
            "CN=K\\C3\\BCche");
  EXPECT_EQ(subject_of("CN=a\\,b"), "CN=a\\,b");
  EXPECT_EQ(subject_of("C=DE,O=Example,OU=One,CN=device"), "C=DE, O=Example, OU=One, CN=device");

  const std::string part(60, 'x');
  const std::string whole = "O=" + part + ", OU=" + part + ", CN=" + part;
  EXPECT_EQ(subject_of("O=" + part + ",OU=" + part + ",CN=" + part), whole.substr(0, 160));
  for (std::size_t size = 20; size <= 64; ++size) {
    const std::string expected =
        ("O=" + part + ", OU=" + part + ", CN=" + std::string(size, 'y') + "\\,").substr(0, 160);
    EXPECT_EQ(subject_of("O=" + part + ",OU=" + part + ",CN=" + std::string(size, 'y') + "\\,"), expected);
  }
}

TEST(TlsExpiry, WholeDaysRoundedDown) {
  const auto days = [](std::int64_t not_after, std::int64_t now) {
    tls::CertificateInfo info;
    info.not_after = not_after;
    return tls::days_to_expiry(info, {.seconds = now});
  };
  constexpr std::int64_t day = 86'400;
  EXPECT_EQ(days(10 * day, 0), 10);
  EXPECT_EQ(days(10 * day, 1), 9);
  EXPECT_EQ(days(10 * day, 9 * day + 1), 0);
  EXPECT_EQ(days(10 * day, 10 * day), 0);
  EXPECT_EQ(days(10 * day, 10 * day + 1), -1);
  EXPECT_EQ(days(10 * day, 11 * day), -1);
  EXPECT_EQ(days(10 * day, 11 * day + 1), -2);
}

// ---- pins

TEST(TlsPin, ThereAndBack) {
  Digest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::byte>(i * 37 + 200);
  }
  const std::string text = pin_of(digest);
  EXPECT_EQ(text.size(), tls::pin_text_size);
  const auto parsed = tls::parse_pin(text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, digest);
  EXPECT_EQ(pin_of({}), "sha256//" + std::string(43, 'A') + "=");
}

TEST(TlsPin, WhatIsNone) {
  const std::string good = "sha256//4zgNwTj1vO+V6mRs3iHTi2sPeMJONTi6W2uNgb/o0cg=";
  ASSERT_TRUE(tls::parse_pin(good));
  const auto is_refused = [](std::string_view text) {
    const auto parsed = tls::parse_pin(text);
    return !parsed && parsed.error() == Error::pin_syntax;
  };
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_TRUE(is_refused(std::string_view{good}.substr(0, size))) << size;
  }
  EXPECT_TRUE(is_refused(good + "="));
  EXPECT_TRUE(is_refused(good + "\n"));
  EXPECT_TRUE(is_refused(good + ";" + good)) << "several are for the caller to split";
  EXPECT_TRUE(is_refused("sha1//" + good.substr(8) + "xx"));
  EXPECT_TRUE(is_refused("SHA256//" + good.substr(8)));
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string changed = good;
    changed[at] = '!';
    EXPECT_TRUE(is_refused(changed)) << at;
  }
  std::string bits = good;
  bits[good.size() - 2] = 'h';
  EXPECT_TRUE(is_refused(bits)) << "bits that belong to no byte";
  EXPECT_TRUE(is_refused("sha256//" + std::string(44, 'A'))) << "33 bytes";
  EXPECT_TRUE(is_refused("sha256//" + std::string(42, 'A') + "==")) << "31 bytes";
}

TEST(TlsFingerprint, TwoDigitsEach) {
  Digest digest{};
  digest.front() = std::byte{0xAB};
  digest.back() = std::byte{0x0C};
  const std::string text = fingerprint_of(digest);
  EXPECT_EQ(text.size(), tls::fingerprint_text_size);
  EXPECT_TRUE(text.starts_with("AB:00:")) << text;
  EXPECT_TRUE(text.ends_with(":00:0C")) << text;
}

TEST(TlsShortText, IsCut) {
  tls::ShortText<4> text;
  text.assign("abc");
  EXPECT_EQ(text.view(), "abc");
  text.assign("abcdef");
  EXPECT_EQ(text.view(), "abcd");
}

}  // namespace
}  // namespace pollux::test
