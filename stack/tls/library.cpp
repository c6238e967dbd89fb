#include "stack/tls/library.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <limits>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/tls/mbedtls.hpp"

#if MBEDTLS_VERSION_NUMBER >= 0x03000000 && defined(MBEDTLS_PSA_CRYPTO_C)
#include <psa/crypto.h>
#define POLLUX_TLS_PSA 1
#else
#define POLLUX_TLS_PSA 0
#endif

namespace pollux::tls {
namespace {

// The one that is started. mbedTLS asks for time and randomness without saying on whose behalf.
constinit Library* current = nullptr;

int seed_from_port(void* context, unsigned char* out, std::size_t size) noexcept {
  static_cast<port::Port*>(context)->random({reinterpret_cast<std::byte*>(out), size});
  return 0;
}

#if defined(MBEDTLS_PLATFORM_TIME_ALT)
mbedtls_time_t wall_clock_for_mbedtls(mbedtls_time_t* out) noexcept {
  std::int64_t seconds = current != nullptr ? current->port().wall_clock().seconds : 0;
  seconds = std::clamp<std::int64_t>(seconds, 0, std::numeric_limits<mbedtls_time_t>::max());
  const auto now = static_cast<mbedtls_time_t>(seconds);
  if (out != nullptr) {
    *out = now;
  }
  return now;
}
#endif

#if POLLUX_TLS_ARENA
// What memory_buffer_alloc.c puts before every block: three sizes, four pointers and a second magic number.
constexpr std::size_t arena_header_size = 4 * sizeof(std::size_t) + 4 * sizeof(void*);
// Below this the allocator would touch memory that it was not given.
constexpr std::size_t arena_size_min = arena_header_size + std::size_t{2} * MBEDTLS_MEMORY_ALIGN_MULTIPLE;
#endif

mbedtls_ctr_drbg_context& generator(void* random) noexcept {
  return *static_cast<mbedtls_ctr_drbg_context*>(random);
}

}  // namespace

int random_for_mbedtls(void* context, unsigned char* out, std::size_t size) noexcept {
  if (context == nullptr) {
    return MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
  }
  while (size > 0) {
    // The generator gives this much for one request (NIST SP 800-90A section 10.2.1, and what mbedTLS is configured to).
    const std::size_t part = std::min<std::size_t>(size, MBEDTLS_CTR_DRBG_MAX_REQUEST);
    if (const int code = mbedtls_ctr_drbg_random(context, out, part); code != 0) {
      return code;
    }
    out += part;
    size -= part;
  }
  return 0;
}

bool is_library_started() noexcept {
  return current != nullptr;
}

Library::Library(port::Port& port, std::span<std::byte> arena) noexcept
    : port_{port}, arena_{arena}, clock_floor_{build_time()} {}

Library::~Library() {
  if (started_) {
    stop();
  }
}

port::Result<void, Error> Library::start() noexcept {
  if (started_) {
    return {};
  }
  ENSURE(current == nullptr);  // one Library at a time
#if POLLUX_TLS_ARENA
  if (arena_.size() < arena_size_min) {
    return port::Failure{Error::no_memory};
  }
  mbedtls_memory_buffer_alloc_init(reinterpret_cast<unsigned char*>(arena_.data()), arena_.size());
#endif
  current = this;
  const Error error = set_up();
  if (error != Error::none) {
    stop();
    return port::Failure{error};
  }
  started_ = true;
  return {};
}

Error Library::set_up() noexcept {
#if defined(MBEDTLS_PLATFORM_TIME_ALT)
  if (mbedtls_platform_set_time(wall_clock_for_mbedtls) != 0) {
    return Error::no_random;
  }
#endif
  random_ = mbedtls_calloc(1, sizeof(mbedtls_ctr_drbg_context));
  if (random_ == nullptr) {
    return Error::no_memory;
  }
  mbedtls_ctr_drbg_init(&generator(random_));
  if (mbedtls_ctr_drbg_seed(&generator(random_), seed_from_port, &port_, nullptr, 0) != 0) {
    return Error::no_random;
  }
#if POLLUX_TLS_PSA
  if (const psa_status_t status = psa_crypto_init(); status != PSA_SUCCESS) {
    return status == PSA_ERROR_INSUFFICIENT_MEMORY ? Error::no_memory : Error::no_random;
  }
#endif
  return Error::none;
}

void Library::stop() noexcept {
#if POLLUX_TLS_PSA
  mbedtls_psa_crypto_free();
#endif
  if (random_ != nullptr) {
    mbedtls_ctr_drbg_free(&generator(random_));
    mbedtls_free(random_);
    random_ = nullptr;
  }
#if POLLUX_TLS_ARENA
  // Something is left only if a context, a session or a trust store outlives the library: it would free its objects in an arena that
  // somebody else has by then.
  std::size_t bytes_left = 0;
  std::size_t blocks_left = 0;
  mbedtls_memory_buffer_alloc_cur_get(&bytes_left, &blocks_left);
  ENSURE(bytes_left == 0);
  mbedtls_memory_buffer_alloc_free();
#endif
  current = nullptr;
  started_ = false;
}

bool Library::has_arena() noexcept {
  return POLLUX_TLS_ARENA != 0;
}

bool Library::has_tls13() noexcept {
  return POLLUX_TLS_13 != 0;
}

std::string_view Library::version() noexcept {
  // The version that was compiled against; the installed library may be a later patch of it, and says so itself.
  static constinit std::array<char, 24> text{};
  if (text[0] == '\0') {
#if defined(MBEDTLS_VERSION_C)
    mbedtls_version_get_string_full(text.data());
#else
    static_assert(sizeof(MBEDTLS_VERSION_STRING_FULL) <= text.size());
    std::memcpy(text.data(), MBEDTLS_VERSION_STRING_FULL, sizeof(MBEDTLS_VERSION_STRING_FULL));
#endif
  }
  std::string_view version{text.data()};
  // 2.28 writes "mbed TLS".
  if (base::starts_with(version, "mbed")) {
    text[0] = 'M';
  }
  return version;
}

ArenaUse Library::arena_use() const noexcept {
  ArenaUse use;
#if POLLUX_TLS_ARENA
  if (started_) {
    std::size_t blocks_max = 0;
    mbedtls_memory_buffer_alloc_cur_get(&use.used, &use.blocks);
    mbedtls_memory_buffer_alloc_max_get(&use.used_max, &blocks_max);
    use.used += use.blocks * arena_header_size;
    // Both maxima need not be of the same moment; the sum is never too small. After a reset mbedTLS counts from zero.
    use.used_max = std::max(use.used, use.used_max + blocks_max * arena_header_size);
  }
  use.size = arena_.size();
#endif
  return use;
}

bool Library::promise(std::size_t size) noexcept {
  if (has_arena()) {
    const ArenaUse use = arena_use();
    if (use.size - use.used < promised_ + size) {
      return false;
    }
  }
  promised_ += size;
  return true;
}

void Library::reset_arena_used_max() noexcept {
#if POLLUX_TLS_ARENA
  if (started_) {
    mbedtls_memory_buffer_alloc_max_reset();
  }
#endif
}

port::WallTime Library::build_time() noexcept {
  return {.seconds = POLLUX_BUILD_TIME};
}

bool Library::is_clock_set() const noexcept {
  return port_.wall_clock() >= clock_floor_;
}

void Library::random(std::span<std::byte> out) noexcept {
  ENSURE(started_);
  const int code = random_for_mbedtls(random_, reinterpret_cast<unsigned char*>(out.data()), out.size());
  // The seed comes from a port that never fails, and AES with a key of the right size does not either.
  ENSURE(code == 0);
}

namespace {

#if defined(MBEDTLS_PLATFORM_GMTIME_R_ALT)
// The calendar in UTC, without the C library's time zone. Years that struct tm or std::chrono cannot say are refused.
bool write_calendar(std::int64_t seconds, std::tm& out) noexcept {
  constexpr std::int64_t seconds_max = 253'402'300'799;  // 9999-12-31T23:59:59Z
  if (seconds < 0 || seconds > seconds_max) {
    return false;
  }
  const std::chrono::sys_days day{std::chrono::days{seconds / 86'400}};
  const std::chrono::year_month_day date{day};
  const auto of_day = static_cast<int>(seconds % 86'400);
  out = std::tm{};
  out.tm_year = static_cast<int>(date.year()) - 1900;
  out.tm_mon = static_cast<int>(static_cast<unsigned>(date.month())) - 1;
  out.tm_mday = static_cast<int>(static_cast<unsigned>(date.day()));
  out.tm_hour = of_day / 3600;
  out.tm_min = of_day / 60 % 60;
  out.tm_sec = of_day % 60;
  out.tm_wday = static_cast<int>(std::chrono::weekday{day}.c_encoding());
  out.tm_yday = static_cast<int>((day - std::chrono::sys_days{date.year() / std::chrono::January / 1}).count());
  return true;
}
#endif

}  // namespace
}  // namespace pollux::tls

// ---- what our own build of mbedTLS asks of its platform

extern "C" {

#if defined(MBEDTLS_PLATFORM_GMTIME_R_ALT)
// nullptr: mbedTLS then takes every certificate for expired or not yet valid.
struct tm* mbedtls_platform_gmtime_r(const mbedtls_time_t* tt, struct tm* tm_buf) {
  return pollux::tls::write_calendar(static_cast<std::int64_t>(*tt), *tm_buf) ? tm_buf : nullptr;
}
#endif

#if defined(MBEDTLS_PLATFORM_MS_TIME_ALT)
// For the age of tickets: it must not jump when the calendar does.
mbedtls_ms_time_t mbedtls_ms_time(void) {
  if (pollux::tls::current == nullptr) {
    return 0;
  }
  const auto since_boot = pollux::tls::current->port().now().time_since_epoch();
  return static_cast<mbedtls_ms_time_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since_boot).count());
}
#endif

#if defined(MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG)
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t* /*context*/, uint8_t* output,
                                             size_t output_size, size_t* output_length) {
  if (pollux::tls::current == nullptr ||
      pollux::tls::random_for_mbedtls(pollux::tls::current->random_context(), output, output_size) != 0) {
    return PSA_ERROR_INSUFFICIENT_ENTROPY;
  }
  *output_length = output_size;
  return PSA_SUCCESS;
}
#endif

}  // extern "C"
