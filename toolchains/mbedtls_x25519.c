/* Public keys of X25519 by the code that computes its shared secrets.
 *
 * With MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED mbedTLS takes Project Everest's verified code (3rdparty/everest of its own source) for all of
 * X25519 in TLS 1.2. In TLS 1.3, which goes through PSA, it takes it for the shared secret only; the public key is still computed by the general
 * code for elliptic curves, which takes seven times as long (8.2 and 1.2 million instructions on x86-64). mbedTLS has no setting for that, so
 * cmake/PolluxMbedtls.cmake lets psa_crypto_ecp.c call this function where it calls mbedtls_ecp_mul(). */
#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>

#if defined(MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED)
#include <Hacl_Curve25519.h>
#endif

int pollux_ecp_mul(mbedtls_ecp_group *group, mbedtls_ecp_point *result, const mbedtls_mpi *scalar, const mbedtls_ecp_point *point,
                   int (*f_rng)(void *, unsigned char *, size_t), void *p_rng);

/* As mbedtls_ecp_mul(). The base point of Curve25519 is the one whose first coordinate is 9 (RFC 7748 section 4.1); this code takes the same time
 * whatever the scalar is, so that it needs no blinding by f_rng. A private key of PSA has the bits that RFC 7748 section 5 asks for already. */
int pollux_ecp_mul(mbedtls_ecp_group *group, mbedtls_ecp_point *result, const mbedtls_mpi *scalar, const mbedtls_ecp_point *point,
                   int (*f_rng)(void *, unsigned char *, size_t), void *p_rng)
{
#if defined(MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED)
  if (group->id == MBEDTLS_ECP_DP_CURVE25519 && point == &group->G && mbedtls_ecp_check_privkey(group, scalar) == 0) {
    unsigned char secret[32];
    unsigned char base[32] = { 9 };
    unsigned char out[32];
    int code = mbedtls_mpi_write_binary_le(scalar, secret, sizeof(secret));
    if (code == 0) {
      Hacl_Curve25519_crypto_scalarmult(out, secret, base);
      code = mbedtls_mpi_read_binary_le(&result->MBEDTLS_PRIVATE(X), out, sizeof(out));
    }
    if (code == 0) {
      code = mbedtls_mpi_lset(&result->MBEDTLS_PRIVATE(Z), 1);
    }
    mbedtls_platform_zeroize(secret, sizeof(secret));
    return code;
  }
#endif
  return mbedtls_ecp_mul(group, result, scalar, point, f_rng, p_rng);
}
