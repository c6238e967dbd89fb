// What tests of TLS stand on: a tls::Library over a test arena, contexts whose sessions are counted at run time, and the day they live in.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "stack/tls/client_context.hpp"
#include "stack/tls/library.hpp"
#include "stack/tls/server_context.hpp"
#include "stack/tls/trust_store.hpp"
#include "tests/support/tls_certificates.hpp"
#include "tests/support/tls_memory.hpp"

namespace pollux::test {

// The simulated clock begins at 2026-01-01, before the day this program was built. The tests' floor is 2025-12-01.
inline constexpr port::WallTime test_clock_floor{.seconds = 1'764'547'200};

[[nodiscard]] inline tls::CertificateSource source_of(const TestCertificate& certificate) {
  return {.certificate = certificate.certificate, .key = certificate.key};
}

// A started Library with an arena of its own.
class TestLibrary {
 public:
  explicit TestLibrary(port::Port& port, std::size_t arena_size = std::size_t{2} * 1024 * 1024)
      : arena_{std::make_unique<Block[]>(arena_size / sizeof(Block))},
        library_{port, {arena_[0].bytes, arena_size / sizeof(Block) * sizeof(Block)}} {
    library_.set_clock_floor(test_clock_floor);
    const auto started = library_.start();
    EXPECT_TRUE(started) << "TLS cannot start: " << (started ? "" : tls::describe(started.error()));
  }

  // For tests in which allocations fail: mbedTLS 3.6.6 loses a cipher's context if there is no memory for the second one of a direction
  // (mbedtls_ssl_tls13_compute_handshake_transform, ..._application_transform). The Library would notice at its end.
  void forgive_lost(std::uint64_t blocks) {
    forgiven_ = blocks;
    taken_ = tls_memory::taken();
    free_lost_ = &tls_memory::free_lost;
  }
  ~TestLibrary() {
    if (free_lost_ != nullptr) {
      EXPECT_LE(free_lost_(taken_), forgiven_) << "blocks are lost";
    }
  }
  TestLibrary(const TestLibrary&) = delete;
  TestLibrary& operator=(const TestLibrary&) = delete;

  [[nodiscard]] tls::Library& operator*() { return library_; }
  [[nodiscard]] tls::Library* operator->() { return &library_; }

 private:
  struct alignas(16) Block {
    std::byte bytes[64];
  };
  std::unique_ptr<Block[]> arena_;
  tls::Library library_;
  std::uint64_t taken_ = 0;
  std::uint64_t forgiven_ = 0;
  // Not called by name: programs that do without tls_memory use this class too.
  std::uint64_t (*free_lost_)(std::uint64_t) noexcept = nullptr;
};

// Memory of contexts, in numbers that a test chooses.
class TestServerMemory {
 public:
  explicit TestServerMemory(const tls::ServerTlsLimits& limits)
      : limits_{limits}, sessions_{std::make_unique<tls::Session[]>(limits.sessions)} {}
  [[nodiscard]] tls::ServerContextMemory memory() { return {limits_, {sessions_.get(), limits_.sessions}}; }

 private:
  tls::ServerTlsLimits limits_;
  std::unique_ptr<tls::Session[]> sessions_;
};

class TestClientMemory {
 public:
  explicit TestClientMemory(const tls::ClientTlsLimits& limits)
      : limits_{limits},
        sessions_{std::make_unique<tls::Session[]>(limits.sessions)},
        cached_(limits.cached),
        cached_bytes_(limits.cached * limits.cached_size) {}
  [[nodiscard]] tls::ClientContextMemory memory() {
    return {limits_, {sessions_.get(), limits_.sessions}, cached_, cached_bytes_};
  }

 private:
  tls::ClientTlsLimits limits_;
  std::unique_ptr<tls::Session[]> sessions_;
  std::vector<tls::CachedSession> cached_;
  std::vector<std::byte> cached_bytes_;
};

// A trust store with these certificates, each a PEM text.
class TestTrust {
 public:
  explicit TestTrust(const std::vector<std::string_view>& texts)
      : bytes_(16384), entries_(16), store_{{bytes_, entries_}} {
    for (const std::string_view text : texts) {
      EXPECT_TRUE(store_.add(text)) << "no certificate";
    }
  }
  [[nodiscard]] tls::TrustStore& operator*() { return store_; }
  [[nodiscard]] tls::TrustStore* operator->() { return &store_; }

 private:
  std::vector<std::byte> bytes_;
  std::vector<tls::TrustEntry> entries_;
  tls::TrustStore store_;
};

}  // namespace pollux::test
