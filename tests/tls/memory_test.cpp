// An arena that runs out in the middle: every allocation of reading, making and finding certificates fails once. Nothing may crash, be lost, or be
// taken for something else.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "stack/tls/certificate.hpp"
#include "stack/tls/x509.hpp"
#include "tests/support/tls_fixture.hpp"
#include "tests/support/tls_memory.hpp"

namespace pollux::test {
namespace {

using tls::Error;

class TlsMemory : public testing::Test {
 protected:
  // Runs `action` with the first, second ... allocation failing, until none does. `later`: and all behind it, as an arena that is full.
  void fail_each(const std::function<Error()>& action, bool later, const std::function<void(Error)>& check) {
    ASSERT_EQ(action(), Error::none) << "with memory";
    const std::size_t used = library_->arena_use().used;
    std::uint64_t n = 1;
    for (; n < 20'000; ++n) {
      tls_memory::fail(n, later);
      const Error error = action();
      const bool was_hit = tls_memory::failures() > 0;
      tls_memory::fail(0);
      ASSERT_EQ(library_->arena_use().used, used) << "allocation " << n << " leaves something behind";
      if (!was_hit) {
        ASSERT_EQ(error, Error::none);
        break;
      }
      SCOPED_TRACE("allocation " + std::to_string(n));
      check(error);
    }
    EXPECT_GT(n, 2U);
    EXPECT_LT(n, 20'000U);
  }
  // Full: always no_memory. One alone: `otherwise` as well, where mbedTLS tries another format and forgets why the first failed; or success.
  void fail_each(const std::function<Error()>& action, Error otherwise) {
    fail_each(action, true, [](Error error) { EXPECT_EQ(error, Error::no_memory) << tls::describe(error); });
    fail_each(action, false, [otherwise](Error error) {
      EXPECT_TRUE(error == Error::no_memory || error == otherwise || error == Error::none) << tls::describe(error);
    });
  }

  port::SimNetwork network_{};
  port::SimPort port_{network_};
  TestLibrary library_{port_};
};

TEST_F(TlsMemory, ReadingAChain) {
  for (const TestCertificate& certificate :
       {certificates::by_intermediate, certificates::site_rsa, certificates::everywhere}) {
    fail_each(
        [&certificate] {
          mbedtls_x509_crt chain;
          mbedtls_x509_crt_init(&chain);
          const Error error = tls::parse_chain(certificate.certificate, chain);
          mbedtls_x509_crt_free(&chain);
          return error;
        },
        Error::certificate_syntax);
  }
}

TEST_F(TlsMemory, ReadingACertificate) {
  fail_each(
      [this] {
        const auto info = tls::read_certificate(*library_, certificates::site.certificate);
        return info ? Error::none : info.error();
      },
      Error::certificate_syntax);
}

TEST_F(TlsMemory, ReadingAKey) {
  for (const TestCertificate& certificate : {certificates::site, certificates::site_p384, certificates::site_rsa}) {
    fail_each(
        [this, &certificate] {
          mbedtls_pk_context key;
          mbedtls_pk_init(&key);
          const Error error = tls::parse_key(*library_, certificate.key, key);
          mbedtls_pk_free(&key);
          return error;
        },
        Error::key_syntax);
  }
}

TEST_F(TlsMemory, ComparingAKey) {
  for (const TestCertificate& certificate : {certificates::site, certificates::site_rsa}) {
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    mbedtls_x509_crt_init(&chain);
    mbedtls_pk_init(&key);
    ASSERT_EQ(tls::parse_chain(certificate.certificate, chain), Error::none);
    ASSERT_EQ(tls::parse_key(*library_, certificate.key, key), Error::none);
    fail_each([&] { return tls::check_key(*library_, chain, key); }, Error::key_mismatch);
    mbedtls_pk_free(&key);
    mbedtls_x509_crt_free(&chain);
  }
}

TEST_F(TlsMemory, MakingACertificate) {
  const std::vector<std::string_view> names{"b.test", "192.0.2.1"};
  fail_each(
      [&] {
        std::array<char, 512> key{};
        std::array<char, 2048> certificate{};
        const auto made = tls::make_self_signed(
            *library_, {.common_name = "a.test", .names = names, .not_after = {.seconds = 4'102'444'799}}, key,
            certificate);
        return made ? Error::none : made.error();
      },
      Error::internal);
}

TEST_F(TlsMemory, FindingAnIssuer) {
  TestTrust trust{{certificates::ca, certificates::rsa_ca, certificates::other_ca}};
  mbedtls_x509_crt ca;
  mbedtls_x509_crt_init(&ca);
  ASSERT_EQ(tls::parse_chain(certificates::rsa_ca, ca), Error::none);
  const auto subject = std::as_bytes(std::span{ca.subject_raw.p, ca.subject_raw.len});
  fail_each(
      [&] {
        mbedtls_x509_crt* found = nullptr;
        const bool is_there = trust->find(subject, &found);
        if (found != nullptr) {
          mbedtls_x509_crt_free(found);
          mbedtls_free(found);
        }
        EXPECT_TRUE(is_there || found == nullptr);
        return !is_there ? Error::no_memory : found == nullptr ? Error::unknown_authority : Error::none;
      },
      Error::unknown_authority);
  mbedtls_x509_crt_free(&ca);
}

// As above, but with arenas that are really too small.
TEST(TlsSmallArena, ReadingInEverySize) {
  port::SimNetwork network;
  port::SimPort port{network};
  std::size_t enough = 0;
  for (std::size_t size = 1024; size < 64 * 1024 && enough < 3; size += 256) {
    TestLibrary library{port, size};
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    mbedtls_x509_crt_init(&chain);
    mbedtls_pk_init(&key);
    Error error = tls::parse_chain(certificates::site_rsa.certificate, chain);
    error = error != Error::none ? error : tls::parse_key(*library, certificates::site_rsa.key, key);
    error = error != Error::none ? error : tls::check_key(*library, chain, key);
    EXPECT_TRUE(error == Error::none || error == Error::no_memory) << size << ": " << tls::describe(error);
    enough += error == Error::none ? 1 : 0;
    EXPECT_TRUE(enough == 0 || error == Error::none) << size << " is not enough, though less was";
    mbedtls_pk_free(&key);
    mbedtls_x509_crt_free(&chain);
  }
  EXPECT_EQ(enough, 3U);
}

}  // namespace
}  // namespace pollux::test
