#include "stack/tls/library.hpp"

#include <gtest/gtest.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <set>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "tests/support/emulated.hpp"
#include "tests/support/heap_guard.hpp"
#include "tests/support/tls_memory.hpp"

namespace pollux::tls {
namespace {

using test::tls_memory::fail;

struct Machine {
  port::SimNetwork network{};
  port::SimPort port{network};
  std::vector<std::byte> arena = std::vector<std::byte>(65536);
  [[nodiscard]] std::span<std::byte> first(std::size_t size) { return std::span{arena}.first(size); }
};

TEST(TlsLibrary, StartsOnce) {
  Machine machine;
  Library library{machine.port, machine.arena};
  EXPECT_FALSE(library.is_started());
  EXPECT_FALSE(is_library_started());
  EXPECT_EQ(library.random_context(), nullptr);
  ASSERT_TRUE(library.start());
  EXPECT_TRUE(library.is_started());
  EXPECT_TRUE(is_library_started());
  const ArenaUse use = library.arena_use();
  ASSERT_TRUE(library.start()) << "again: nothing happens";
  EXPECT_EQ(library.arena_use().used, use.used);
}

TEST(TlsLibrary, SaysWhatItIs) {
  EXPECT_TRUE(Library::has_arena());
  EXPECT_TRUE(Library::has_tls13());
  EXPECT_TRUE(Library::version().starts_with("Mbed TLS 3.6.")) << Library::version();
  EXPECT_EQ(Library::version(), Library::version());
}

TEST(TlsLibrary, TakesNothingFromTheHeap) {
  Machine machine;
  const heap_guard::Forbidden no_heap;
  Library library{machine.port, machine.arena};
  ASSERT_TRUE(library.start());
  std::array<std::byte, 5000> bytes{};
  library.random(bytes);
}

TEST(TlsLibrary, AnArenaThatIsTooSmallIsAnErrorAndNothingStays) {
  Machine machine;
  std::size_t smallest = 0;
  for (std::size_t size = 0; smallest == 0 && size < machine.arena.size(); ++size) {
    Library library{machine.port, machine.first(size)};
    if (const auto started = library.start(); started) {
      smallest = size;
    } else {
      EXPECT_EQ(started.error(), Error::no_memory) << size;
      EXPECT_FALSE(library.is_started());
      EXPECT_FALSE(is_library_started());
      EXPECT_EQ(library.random_context(), nullptr);
      EXPECT_EQ(library.arena_use().used, 0U);
    }
  }
  EXPECT_GT(smallest, 256U);
  EXPECT_LT(smallest, 2048U) << "the random generator and no more";
  // Nor does it matter where the memory begins.
  for (std::size_t offset = 0; offset < 16; ++offset) {
    Library library{machine.port, machine.first(smallest + 32).subspan(offset)};
    EXPECT_TRUE(library.start()) << offset;
  }
}

TEST(TlsLibrary, EveryAllocationMayFail) {
  Machine machine;
  Library library{machine.port, machine.arena};
  std::uint64_t n = 1;
  for (; n < 100; ++n) {
    fail(n);
    const auto started = library.start();
    const bool was_hit = test::tls_memory::failures() > 0;
    fail(0);
    if (!was_hit) {
      EXPECT_TRUE(started);
      break;
    }
    ASSERT_FALSE(started) << n;
    EXPECT_EQ(started.error(), Error::no_memory) << n;
    EXPECT_FALSE(library.is_started());
  }
  EXPECT_GT(n, 1U);
  EXPECT_LT(n, 100U);
}

TEST(TlsLibrary, OneAfterTheOtherInTheSameMemory) {
  Machine machine;
  std::size_t used = 0;
  for (int i = 0; i < 500; ++i) {
    Library library{machine.port, machine.arena};
    ASSERT_TRUE(library.start()) << i;
    std::array<std::byte, 16> bytes{};
    ASSERT_EQ(psa_generate_random(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()), PSA_SUCCESS);
    if (i == 0) {
      used = library.arena_use().used;
    }
    EXPECT_EQ(library.arena_use().used, used);
  }
}

TEST(TlsLibraryDeathTest, OneAtATime) {
  Machine machine;
  Library first{machine.port, machine.first(32768)};
  Library second{machine.port, machine.arena};  // not started: harmless
  ASSERT_TRUE(first.start());
  EXPECT_DEATH(static_cast<void>(second.start()), "current == nullptr");
}

TEST(TlsLibraryDeathTest, OutlivesWhatItGave) {
  Machine machine;
  const auto forget_a_block = [&machine] {
    Library library{machine.port, machine.arena};
    static_cast<void>(library.start());
    static_cast<void>(mbedtls_calloc(1, 10) == nullptr);
  };
  EXPECT_DEATH(forget_a_block(), "bytes_left == 0");
}

TEST(TlsLibraryDeathTest, RandomBeforeStart) {
  Machine machine;
  Library library{machine.port, machine.arena};
  std::array<std::byte, 4> bytes{};
  EXPECT_DEATH(library.random(bytes), "started_");
}

TEST(TlsLibrary, CountsItsArena) {
  Machine machine;
  Library library{machine.port, machine.arena};
  EXPECT_EQ(library.arena_use().used, 0U);
  EXPECT_EQ(library.arena_use().size, machine.arena.size());
  ASSERT_TRUE(library.start());
  const ArenaUse before = library.arena_use();
  EXPECT_GT(before.used, 0U);
  EXPECT_GE(before.used_max, before.used);
  EXPECT_GE(before.blocks, 1U);
  void* const block = mbedtls_calloc(1, 4096);
  ASSERT_NE(block, nullptr);
  EXPECT_GE(block, machine.arena.data());
  EXPECT_LT(block, machine.arena.data() + machine.arena.size());
  const ArenaUse with = library.arena_use();
  EXPECT_GE(with.used, before.used + 4096);
  EXPECT_LE(with.used, before.used + 4096 + 128) << "and a header";
  EXPECT_EQ(with.blocks, before.blocks + 1);
  mbedtls_free(block);
  EXPECT_EQ(library.arena_use().used, before.used);
  EXPECT_GE(library.arena_use().used_max, with.used);
  library.reset_arena_used_max();
  EXPECT_EQ(library.arena_use().used_max, before.used);
}

// ---- randomness

using Bytes = std::array<std::byte, 32>;

Bytes random_of(std::uint64_t seed) {
  port::SimNetwork network{{.seed = seed}};
  port::SimPort port{network};
  std::vector<std::byte> arena(16384);
  Library library{port, arena};
  EXPECT_TRUE(library.start());
  Bytes bytes{};
  library.random(bytes);
  return bytes;
}

TEST(TlsLibrary, RandomnessComesFromThePort) {
  EXPECT_EQ(random_of(1), random_of(1)) << "a simulated machine repeats itself";
  EXPECT_NE(random_of(1), random_of(2));
}

TEST(TlsLibrary, RandomBytesDoNotRepeat) {
  Machine machine;
  Library library{machine.port, machine.arena};
  ASSERT_TRUE(library.start());
  std::set<Bytes> seen;
  for (int i = 0; i < 300; ++i) {
    Bytes bytes{};
    switch (i % 3) {
      case 0:
        library.random(bytes);
        break;
      case 1:
        ASSERT_EQ(
            random_for_mbedtls(library.random_context(), reinterpret_cast<unsigned char*>(bytes.data()), bytes.size()),
            0);
        break;
      default:
        ASSERT_EQ(psa_generate_random(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()), PSA_SUCCESS);
        break;
    }
    EXPECT_TRUE(seen.insert(bytes).second) << i;
  }
}

TEST(TlsLibrary, MoreRandomBytesThanOneRequestGives) {
  Machine machine;
  Library library{machine.port, machine.arena};
  ASSERT_TRUE(library.start());
  for (const std::size_t size : {0U, 1U, 1023U, 1024U, 1025U, 4096U, 5000U}) {
    std::vector<std::byte> bytes(size);
    library.random(bytes);
    std::array<int, 256> counts{};
    for (const std::byte byte : bytes) {
      ++counts[std::to_integer<std::size_t>(byte)];
    }
    // Four kilobytes have each value 16 times on average; left-over zeros would be seen.
    EXPECT_LT(counts[0], 60) << size;
    if (size >= 4096) {
      EXPECT_EQ(std::count(counts.begin(), counts.end(), 0), 0) << size;
    }
  }
}

TEST(TlsLibrary, NoRandomnessWithoutALibrary) {
  unsigned char bytes[4]{};
  EXPECT_NE(random_for_mbedtls(nullptr, bytes, sizeof bytes), 0);
  std::size_t given = 0;
  EXPECT_EQ(mbedtls_psa_external_get_random(nullptr, bytes, sizeof bytes, &given), PSA_ERROR_INSUFFICIENT_ENTROPY);
}

// ---- time

// Certificates and tickets hold dates of the next centuries, on 32-bit machines too.
static_assert(sizeof(mbedtls_time_t) == 8 && sizeof(mbedtls_ms_time_t) == 8);

TEST(TlsLibrary, TimeIsThePorts) {
  Machine machine;
  Library library{machine.port, machine.arena};
  ASSERT_TRUE(library.start());
  machine.network.set_wall_clock({.seconds = 1'790'899'200});
  EXPECT_EQ(mbedtls_time(nullptr), 1'790'899'200);
  mbedtls_time_t out = 0;
  EXPECT_EQ(mbedtls_time(&out), out);
  machine.network.set_wall_clock({.seconds = 5'000'000'000});
  EXPECT_EQ(mbedtls_time(nullptr), 5'000'000'000) << "2128";
  const mbedtls_ms_time_t before = mbedtls_ms_time();
  machine.network.advance(std::chrono::milliseconds{1234});
  EXPECT_EQ(mbedtls_ms_time() - before, 1234);
  machine.network.set_wall_clock({.seconds = 5});
  EXPECT_EQ(mbedtls_ms_time() - before, 1234) << "the calendar may jump";
  machine.network.set_wall_clock({.seconds = -5});
  EXPECT_EQ(mbedtls_time(nullptr), 0) << "before 1970 there is nothing";
}

TEST(TlsLibrary, CalendarAgreesWithTheCLibrary) {
  // Every day of 1970 to 2120 at an odd hour, and the ends.
  for (std::int64_t day = 0; day < 55'000; day += test::stride) {
    const mbedtls_time_t seconds = day * 86'400 + day % 86'400;
    std::tm ours{};
    std::tm theirs{};
    ASSERT_EQ(mbedtls_platform_gmtime_r(&seconds, &ours), &ours);
    const std::time_t same = seconds;
    ASSERT_NE(gmtime_r(&same, &theirs), nullptr);
    ASSERT_EQ(ours.tm_year, theirs.tm_year) << day;
    ASSERT_EQ(ours.tm_mon, theirs.tm_mon) << day;
    ASSERT_EQ(ours.tm_mday, theirs.tm_mday) << day;
    ASSERT_EQ(ours.tm_hour, theirs.tm_hour) << day;
    ASSERT_EQ(ours.tm_min, theirs.tm_min) << day;
    ASSERT_EQ(ours.tm_sec, theirs.tm_sec) << day;
    ASSERT_EQ(ours.tm_wday, theirs.tm_wday) << day;
    ASSERT_EQ(ours.tm_yday, theirs.tm_yday) << day;
  }
  std::tm out{};
  for (const mbedtls_time_t refused : {mbedtls_time_t{-1}, mbedtls_time_t{253'402'300'800}}) {
    EXPECT_EQ(mbedtls_platform_gmtime_r(&refused, &out), nullptr);
  }
  const mbedtls_time_t last = 253'402'300'799;
  ASSERT_NE(mbedtls_platform_gmtime_r(&last, &out), nullptr);
  EXPECT_EQ(out.tm_year, 8099);
  EXPECT_EQ(out.tm_sec, 59);
}

TEST(TlsLibrary, TheClockIsSetFromTheFloorOn) {
  Machine machine;
  Library library{machine.port, machine.arena};
  EXPECT_GT(Library::build_time().seconds, 1'700'000'000);
  const auto is_set_at = [&](std::int64_t seconds) {
    machine.network.set_wall_clock({.seconds = seconds});
    return library.is_clock_set();
  };
  EXPECT_FALSE(is_set_at(0));
  EXPECT_FALSE(is_set_at(Library::build_time().seconds - 1));
  EXPECT_TRUE(is_set_at(Library::build_time().seconds));
  library.set_clock_floor({.seconds = 1000});
  EXPECT_FALSE(is_set_at(999));
  EXPECT_TRUE(is_set_at(1000));
}

}  // namespace
}  // namespace pollux::tls
