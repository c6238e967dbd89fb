// HttpsClient: what a client app needs to speak TLS - whom it trusts, its own certificate, the context.
//
//   constinit apps::HttpsClientStorage<limits> https_storage;
//   constinit tls::Arena<tls::arena_size(limits)> arena;
//   ...
//   tls::Library library{port, arena.memory()};
//   apps::HttpsClient https{library, https_storage.memory()};
//   if (const auto problem = https.start({.ca_file = file})) { ... say it ... }
//   http::Transport transport{{.loop = loop, ..., .tls = https.context()}};
//
// The library is the app's, because a program has one only. In a build without TLS there is no context, and https fails with
// CallCause::no_tls.
#pragma once

#include <dirent.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>

#include "apps/support/options.hpp"
#include "port/port.hpp"
#include "stack/tls/certificate.hpp"
#include "stack/tls/client_context.hpp"
#include "stack/tls/library.hpp"
#include "stack/tls/limits.hpp"
#include "stack/tls/trust_store.hpp"

#ifndef POLLUX_TLS
#define POLLUX_TLS 1
#endif

namespace pollux::apps {

struct HttpsClientOptions {
  // Who may sign a server's certificate. With neither it is the system's store.
  std::string_view ca_file{};
  std::string_view
      ca_directory{};  // its files that end in .pem, .crt, or .0 to .9 (either of the two may be a file or a directory)
  bool no_ca = false;  // nobody: what is pinned, or nothing, is asked for
  // The client's own certificate with its chain, and its key, which may stand in the same file. Empty: none.
  std::string_view certificate{};
  std::string_view key{};
  std::span<const tls::Digest> pins{};  // must outlive the client
  tls::Verify verify = tls::Verify::peer;
  tls::Version min = tls::Version::tls12;
  tls::Version max = tls::Version::tls13;
};

// Why a client could not be set up.
struct HttpsClientProblem {
  enum class Where : std::uint8_t { library, ca_file, ca_directory, certificate, key };
  Where where = Where::library;
  std::string_view path{};              // of the file; empty for the library
  std::string_view what{};              // static text: "no such file or directory"
  tls::Error error = tls::Error::none;  // none: the file could not be read
};

#if POLLUX_TLS

struct HttpsClientMemory {
  tls::ClientTlsLimits limits;
  tls::ClientContextMemory (*make)(std::byte* place) noexcept = nullptr;
  std::byte* place = nullptr;
  std::span<char> files;
  tls::TrustStoreMemory trust;
};

// The store of a Debian has 145 roots of about 150 KiB together.
template <tls::ClientTlsLimits limits, std::size_t trust_bytes = std::size_t{256} * 1024, std::size_t trusted_max = 256>
struct HttpsClientStorage {
  static constexpr std::size_t file_max = 16 * 1024;
  // Bytes and not objects: sessions have virtual functions and would stand in the program file instead of .bss.
  alignas(tls::ClientMemory<limits>) std::array<std::byte, sizeof(tls::ClientMemory<limits>)> context{};
  std::array<char, 2 * file_max> files{};
  tls::TrustMemory<trust_bytes, trusted_max> trust{};

  // `sessions_max`: how many of them are used.
  [[nodiscard]] HttpsClientMemory memory(std::size_t sessions_max = limits.sessions) noexcept {
    tls::ClientTlsLimits used = limits;
    used.sessions = static_cast<std::uint16_t>(sessions_max < limits.sessions ? sessions_max : limits.sessions);
    used.handshakes = used.handshakes < used.sessions ? used.handshakes : used.sessions;
    return {.limits = used, .make = &make, .place = context.data(), .files = files, .trust = trust.memory()};
  }

 private:
  static tls::ClientContextMemory make(std::byte* place) noexcept {
    return (::new (static_cast<void*>(place)) tls::ClientMemory<limits>)->memory();
  }
};

class HttpsClient {
 public:
  HttpsClient(tls::Library& library, const HttpsClientMemory& memory) noexcept;
  ~HttpsClient();
  HttpsClient(const HttpsClient&) = delete;
  HttpsClient& operator=(const HttpsClient&) = delete;

  // Reads the files and makes the context. Nothing: it is ready. Once only.
  [[nodiscard]] std::optional<HttpsClientProblem> start(const HttpsClientOptions& options) noexcept;
  // nullptr until start() has succeeded.
  [[nodiscard]] tls::ClientContext* context() noexcept { return is_ready_ ? &*context_ : nullptr; }
  [[nodiscard]] const tls::ClientContext* context() const noexcept { return is_ready_ ? &*context_ : nullptr; }
  // How many certificates are trusted. 0 with the system's store: this system has none.
  [[nodiscard]] std::size_t trusted() const noexcept { return trust_.size(); }
  // Nothing is taken from the heap while TLS works.
  [[nodiscard]] static bool has_own_memory() noexcept { return tls::Library::has_arena(); }

 private:
  [[nodiscard]] std::optional<HttpsClientProblem> read_trust(const HttpsClientOptions& options) noexcept;
  using Where = HttpsClientProblem::Where;
  [[nodiscard]] std::optional<HttpsClientProblem> add_trusted(std::string_view path, Where where) noexcept;
  [[nodiscard]] std::optional<HttpsClientProblem> add_directory(DIR& directory, std::string_view path,
                                                                Where where) noexcept;
  [[nodiscard]] HttpsClientProblem problem_of(tls::Error error, std::string_view path, Where where) const noexcept;
  [[nodiscard]] std::optional<HttpsClientProblem> start_context(const HttpsClientOptions& options) noexcept;

  tls::Library& library_;
  HttpsClientMemory memory_;
  tls::TrustStore trust_;
  // Final, so that it can be kept by value: the context itself has virtual functions and no virtual destructor.
  struct Context final : tls::ClientContext {
    using ClientContext::ClientContext;
  };
  std::optional<Context> context_;
  bool is_ready_ = false;
};

#else

struct HttpsClientMemory {};
template <tls::ClientTlsLimits limits, std::size_t trust_bytes = 0, std::size_t trusted_max = 0>
struct HttpsClientStorage {
  [[nodiscard]] HttpsClientMemory memory(std::size_t = 0) noexcept { return {}; }
};

class HttpsClient {
 public:
  template <typename Library>
  HttpsClient(Library&, const HttpsClientMemory&) noexcept {}
  [[nodiscard]] std::optional<HttpsClientProblem> start(const HttpsClientOptions&) noexcept { return std::nullopt; }
  [[nodiscard]] tls::ClientContext* context() noexcept { return nullptr; }
  [[nodiscard]] const tls::ClientContext* context() const noexcept { return nullptr; }
  [[nodiscard]] std::size_t trusted() const noexcept { return 0; }
  [[nodiscard]] static bool has_own_memory() noexcept { return true; }
};

#endif

}  // namespace pollux::apps
