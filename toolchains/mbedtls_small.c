/* What mbedTLS is given in a small build (POLLUX_SMALL) in place of its own.
 *
 * SHA-1 in a loop: mbedTLS writes the eighty rounds out, 3.7 KB for a hash that only names keys and reads old roots (MBEDTLS_SHA1_PROCESS_ALT).
 *
 * No heap: before it is given an arena mbedTLS's allocator would be calloc() and free(), which brings the C library's into every program;
 * cmake/PolluxMbedtls.cmake lets platform.c take these. Nobody asks before the arena is there. */
#include <mbedtls/sha1.h>
#include <stddef.h>
#include <stdint.h>

#if defined(MBEDTLS_SHA1_PROCESS_ALT)
static uint32_t rotated(uint32_t word, unsigned int count)
{
  return (word << count) | (word >> (32 - count));
}

/* FIPS 180-4 section 6.1.3: the schedule is computed in the place of the sixteen words before. */
int mbedtls_internal_sha1_process(mbedtls_sha1_context *context, const unsigned char data[64])
{
  uint32_t w[16];
  uint32_t *state = context->MBEDTLS_PRIVATE(state);
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (unsigned int t = 0; t < 80; ++t) {
    uint32_t f, k;
    if (t < 16) {
      w[t] = (uint32_t)data[4 * t] << 24 | (uint32_t)data[4 * t + 1] << 16 | (uint32_t)data[4 * t + 2] << 8 | data[4 * t + 3];
    } else {
      w[t & 15] = rotated(w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15], 1);
    }
    if (t < 20) {
      f = (b & c) | (~b & d);
      k = 0x5a827999;
    } else if (t < 40) {
      f = b ^ c ^ d;
      k = 0x6ed9eba1;
    } else if (t < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8f1bbcdc;
    } else {
      f = b ^ c ^ d;
      k = 0xca62c1d6;
    }
    const uint32_t next = rotated(a, 5) + f + e + k + w[t & 15];
    e = d;
    d = c;
    c = rotated(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  return 0;
}
#endif

void *pollux_no_calloc(size_t count, size_t size);
void pollux_no_free(void *memory);

void *pollux_no_calloc(size_t count, size_t size)
{
  (void)count;
  (void)size;
  return NULL;
}

void pollux_no_free(void *memory)
{
  (void)memory;
}
