// X25519 through PSA, as TLS 1.3 uses it: our build of mbedTLS takes other code for it (toolchains/mbedtls_x25519.c). Two ends that are wrong in
// the same way would understand each other, so the numbers of RFC 7748 are asked for.
#include <gtest/gtest.h>
#include <psa/crypto.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "stack/tls/library.hpp"

namespace pollux::tls {
namespace {

using Bytes = std::array<std::uint8_t, 32>;

Bytes from_hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Bytes bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(digit(text[2 * i]) * 16 + digit(text[2 * i + 1]));
  }
  return bytes;
}

class X25519 : public ::testing::Test {
 protected:
  X25519() { EXPECT_TRUE(library_.start()); }

  // A private key that lives for the test.
  psa_key_id_t import(const Bytes& secret) {
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_DERIVE);
    psa_set_key_algorithm(&attributes, PSA_ALG_ECDH);
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_MONTGOMERY));
    psa_key_id_t key = 0;
    EXPECT_EQ(psa_import_key(&attributes, secret.data(), secret.size(), &key), PSA_SUCCESS);
    return key;
  }

  Bytes public_key(psa_key_id_t key) {
    Bytes out{};
    std::size_t size = 0;
    EXPECT_EQ(psa_export_public_key(key, out.data(), out.size(), &size), PSA_SUCCESS);
    EXPECT_EQ(size, out.size());
    return out;
  }

  Bytes agree(psa_key_id_t key, const Bytes& other) {
    Bytes out{};
    std::size_t size = 0;
    EXPECT_EQ(psa_raw_key_agreement(PSA_ALG_ECDH, key, other.data(), other.size(), out.data(), out.size(), &size),
              PSA_SUCCESS);
    return out;
  }

 private:
  port::SimNetwork network_{};
  port::SimPort port_{network_};
  std::vector<std::byte> arena_ = std::vector<std::byte>(65536);
  Library library_{port_, arena_};
};

// RFC 7748 section 6.1.
TEST_F(X25519, PublicKeyAndSharedSecretOfTheRfc) {
  const psa_key_id_t bob = import(from_hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
  EXPECT_EQ(public_key(bob), from_hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
  const Bytes alice = from_hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(agree(bob, alice), from_hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
}

// RFC 7748 section 5.2, the first of the iterated ones: nine times the base point.
TEST_F(X25519, BitsThatAKeyMustHaveAreSet) {
  Bytes nine{};
  nine[0] = 9;
  EXPECT_EQ(public_key(import(nine)), from_hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
}

TEST_F(X25519, TwoNewKeysAgree) {
  for (std::uint8_t i = 1; i < 20; ++i) {
    Bytes secret{};
    secret.fill(i);
    Bytes other{};
    other.fill(static_cast<std::uint8_t>(255 - i));
    const psa_key_id_t mine = import(secret);
    const psa_key_id_t theirs = import(other);
    EXPECT_EQ(agree(mine, public_key(theirs)), agree(theirs, public_key(mine))) << int{i};
    EXPECT_EQ(psa_destroy_key(mine), PSA_SUCCESS);
    EXPECT_EQ(psa_destroy_key(theirs), PSA_SUCCESS);
  }
}

// Points of small order give a secret that everybody knows (RFC 7748 section 6.1, RFC 8446 section 7.4.2).
TEST_F(X25519, APointOfSmallOrderIsRefused) {
  const psa_key_id_t key = import(from_hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
  for (const std::uint8_t first : {0, 1}) {
    Bytes point{};
    point[0] = first;
    std::array<std::uint8_t, 32> out{};
    std::size_t size = 0;
    EXPECT_NE(psa_raw_key_agreement(PSA_ALG_ECDH, key, point.data(), point.size(), out.data(), out.size(), &size),
              PSA_SUCCESS)
        << int{first};
  }
}

}  // namespace
}  // namespace pollux::tls
