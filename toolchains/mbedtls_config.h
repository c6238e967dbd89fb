/* How pollux builds mbedTLS 3.6: TLS 1.2 and 1.3, both ends, in a fixed arena, with time and randomness from the port.
 *
 * Used by every target that compiles mbedTLS for pollux (MBEDTLS_CONFIG_FILE). What each block is for, and what a line costs or saves,
 * is said beside it; measured values have the date and the command. */
#pragma once

/* ---- the machine: memory, time and randomness come from stack/tls, nothing from the C library's heap or clock */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_MEMORY_BUFFER_ALLOC_C
#define MBEDTLS_MEMORY_DEBUG /* bytes used and high-water mark; counters only */
#define MBEDTLS_MEMORY_ALIGN_MULTIPLE 8 /* the default, 4, is less than 64-bit integers and pointers need */
#define MBEDTLS_PLATFORM_TIME_ALT
#define MBEDTLS_PLATFORM_MS_TIME_ALT
#define MBEDTLS_PLATFORM_GMTIME_R_ALT /* the C library's allocates the time zone at its first call */
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_CTR_DRBG_C

/* ---- ciphers and hashes */
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES /* constant tables in .rodata instead of made at start in .bss */
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT /* GCM and the random generator encrypt counters only: 5.5 KB of tables and code */
#ifdef POLLUX_SMALL
#define MBEDTLS_AES_FEWER_TABLES /* 3 KB; the other three tables are the first one rotated */
#define MBEDTLS_SHA256_SMALLER /* loops instead of written-out rounds: 1 KB and, below, 2 KB */
#define MBEDTLS_SHA512_SMALLER
#define MBEDTLS_SHA1_PROCESS_ALT /* mbedtls_small.c */
#endif
#if defined(__x86_64__) || defined(__i386__)
#define MBEDTLS_AESNI_C
#endif
#if defined(__aarch64__)
/* Found at run time: Pi 5 and most others have them, Pi 3 and 4 have not. */
#define MBEDTLS_AESCE_C
#define MBEDTLS_SHA256_USE_ARMV8_A_CRYPTO_IF_PRESENT
#define MBEDTLS_SHA512_USE_A64_CRYPTO_IF_PRESENT
#endif
#define MBEDTLS_MD_C
#define MBEDTLS_SHA1_C /* only to name certificates by their fingerprint; no signature with it is taken */
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_GCM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#define MBEDTLS_HKDF_C

/* ---- public keys. What a line is worth in a full handshake is in stack/tls/README.md, "What a handshake costs". */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_MPI_MAX_SIZE 512 /* RSA of 4096 bits */
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM /* special reduction for the primes of P-256 and P-384: without it a handshake takes three and a half times as long */
#ifdef POLLUX_SMALL
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0 /* 8 KB */
#else
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 1 /* tables of multiples of the base points, constants: without them 1.7 times */
#endif
#define MBEDTLS_ECP_WINDOW_SIZE 4 /* what P-256 uses; 5 helps nobody, and a handshake with P-384 takes 4 KB more of the arena */
#define MBEDTLS_ECDH_C
#if defined(__SIZEOF_INT128__)
/* X25519 by Project Everest's verified code, which is in 3rdparty/ of mbedTLS: a seventh of the general code's instructions, 11 KB. It multiplies
 * 64-bit numbers into 128-bit ones; 32-bit machines keep the general code. */
#define MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED
#endif
#define MBEDTLS_ECDSA_C
#ifndef POLLUX_WITHOUT_RSA /* 12 KB: certificates and keys of RSA, which most of the web's chains have */
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#endif
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_BASE64_C

/* ---- certificates */
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_TRUSTED_CERTIFICATE_CALLBACK /* issuers are parsed when they are needed: 145 system roots as DER, not as objects */
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C /* the device app makes its own certificate */
#define MBEDTLS_X509_MAX_INTERMEDIATE_CA 8

/* ---- TLS */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_SRV_C
#ifndef POLLUX_WITHOUT_CLIENT
#define MBEDTLS_SSL_CLI_C
#endif
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED /* resumption by ticket */
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE /* TLS 1.3 needs it */
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_MAX_FRAGMENT_LENGTH
#define MBEDTLS_SSL_RECORD_SIZE_LIMIT
#define MBEDTLS_SSL_SESSION_TICKETS
#define MBEDTLS_SSL_TICKET_C
#define MBEDTLS_PSA_CRYPTO_C
/* Keys in use at the same time: two for each handshake under way (TLS 1.3); a static table. */
#ifndef MBEDTLS_PSA_KEY_SLOT_COUNT
#define MBEDTLS_PSA_KEY_SLOT_COUNT 64
#endif

/* ---- record buffers: peers may send 16 KiB at once unless they agreed to less; what we send we choose. See stack/tls/README.md. */
#ifndef MBEDTLS_SSL_IN_CONTENT_LEN
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384
#endif
#ifndef MBEDTLS_SSL_OUT_CONTENT_LEN
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4112 /* 4096 bytes of ours, and what TLS 1.3 adds: its type, in whole 16 bytes. One less, and each 4 KiB would be two records */
#endif
