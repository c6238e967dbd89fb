// Https: what a server app needs to speak TLS - options, files, the context, their reload, and the server that sends people from http to https.
//
//   constinit apps::HttpsStorage<board::tls_server_limits> https_storage;
//   ...
//   apps::Https https{port, serving.https, https_storage.memory()};   // before the server, so that it is there as long
//   http::Server server{...};
//   return apps::serve(server, port, serving, https);
//
// A program that is started without its options does nothing here and touches none of the memory. In a build without TLS the options are
// not there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>

#include "apps/support/options.hpp"
#include "port/linux/linux_port.hpp"
#include "stack/http/https_redirect.hpp"
#include "stack/http/limits.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"
#include "stack/net/loop.hpp"
#include "stack/tls/certificate.hpp"
#include "stack/tls/library.hpp"
#include "stack/tls/limits.hpp"
#include "stack/tls/server_context.hpp"
#include "stack/tls/trust_store.hpp"

#ifndef POLLUX_TLS
#define POLLUX_TLS 1
#endif

namespace pollux::apps {

struct HttpsOptions {
  TextList certificates;  // --tls-cert
  TextList keys;          // --tls-key, the n-th for the n-th certificate
  std::string_view client_ca;
  std::string_view client_auth = "require";
  std::string_view redirect;  // --http-redirect

  // Every address of --listen but unix: is https.
  [[nodiscard]] bool is_on() const noexcept { return !certificates.values().empty(); }
  // HUP asks for the files to be read again; without TLS it is left to the system, which ends the program.
  [[nodiscard]] port::WatchedSignals signals() const noexcept { return {.hangup = is_on()}; }
};

// Declares the options; nothing in a build without TLS. `https` must outlive options.parse().
void add(Options& options, HttpsOptions& https) noexcept;

// A server that only says where to go needs little: a browser's head, and an answer with its target.
inline constexpr http::ServerLimits redirect_limits{
    .connections = 8,
    .exchanges = 2,
    .listeners = 1,
    .in_buffer = 4096,
    .out_buffer = 4608,
    .head_size_max = 3584,
    .fields_max = 48,
    .state_size = 16,
    .close_records = 1,
};
// How many sockets it may have in the poll set: on top of the app's own, for net::LoopStorage.
inline constexpr std::size_t https_sockets_max = POLLUX_TLS != 0 ? http::sockets_max(redirect_limits) : 0;

#if POLLUX_TLS

struct HttpsMemory {
  std::span<std::byte> arena;
  tls::ServerTlsLimits limits;
  tls::ServerContextMemory (*make_sessions)(std::byte* place) noexcept = nullptr;
  std::byte* sessions = nullptr;
  std::span<char> files;
  tls::TrustStoreMemory client_ca;
  tls::TrustStoreMemory client_ca_trial;  // where a reloaded file is tried before it replaces the other
  http::ServerMemory redirect;
};

// `more_arena`: bytes for others that use the same library, such as a client (there is one arena in a program).
template <tls::ServerTlsLimits limits, std::size_t more_arena = 0>
struct HttpsStorage {
  static constexpr std::size_t file_max =
      2 * limits.chain_size;  // of one certificate with its chain, or one key, as PEM
  static constexpr std::size_t client_ca_max = 16;

  tls::Arena<tls::arena_size(limits) + more_arena> arena{};
  // Bytes and not objects: sessions have virtual functions and would stand in the program file instead of .bss.
  alignas(tls::ServerMemory<limits>) std::array<std::byte, sizeof(tls::ServerMemory<limits>)> sessions{};
  std::array<char, limits.certificates * 2U * file_max> files{};
  tls::TrustMemory<limits.client_ca_size, client_ca_max> client_ca{};
  tls::TrustMemory<limits.client_ca_size, client_ca_max> client_ca_trial{};
  http::ServerStorage<redirect_limits> redirect{};

  // `sessions_max`: how many of them are used.
  [[nodiscard]] HttpsMemory memory(std::size_t sessions_max = limits.sessions) noexcept {
    tls::ServerTlsLimits used = limits;
    used.sessions = static_cast<std::uint16_t>(sessions_max < limits.sessions ? sessions_max : limits.sessions);
    used.handshakes = used.handshakes < used.sessions ? used.handshakes : used.sessions;
    // No more of the arena than that: mbedTLS clears all of what it is given, which would touch every page.
    return {.arena = arena.memory().first(tls::arena_size(used) + more_arena),
            .limits = used,
            .make_sessions = &make_sessions,
            .sessions = sessions.data(),
            .files = files,
            .client_ca = client_ca.memory(),
            .client_ca_trial = client_ca_trial.memory(),
            .redirect = redirect.memory()};
  }

 private:
  static tls::ServerContextMemory make_sessions(std::byte* place) noexcept {
    return (::new (static_cast<void*>(place)) tls::ServerMemory<limits>)->memory();
  }
};

class Https {
 public:
  // `options` are read by start(); both must outlive this.
  Https(port::LinuxPort& port, const HttpsOptions& options, const HttpsMemory& memory) noexcept;
  ~Https();
  Https(const Https&) = delete;
  Https& operator=(const Https&) = delete;

  // Reads the files and makes the context, if the options ask for it. 0, or the exit status of the program; why has been said then. serve()
  // does it, unless it was done before.
  [[nodiscard]] int start() noexcept;
  // Reads the files again for handshakes to come; says on standard error how that went. If anything is wrong with them the old
  // ones stay.
  void reload() noexcept;
  // Starts the server of --http-redirect, which sends everybody to `https_port`. False, and it has been said, if that cannot be done.
  [[nodiscard]] bool start_redirect(net::Loop& loop, std::uint16_t https_port) noexcept;

  // nullptr: no TLS.
  [[nodiscard]] tls::ServerContext* context() noexcept { return context_ ? &*context_ : nullptr; }
  [[nodiscard]] const tls::ServerContext* context() const noexcept { return context_ ? &*context_ : nullptr; }
  // nullptr: nobody redirects.
  [[nodiscard]] http::Server* redirect() noexcept { return redirect_server_ ? &*redirect_server_ : nullptr; }
  // The library, ready, for those who need it besides. nullptr, and it has been said, if it cannot be started.
  [[nodiscard]] tls::Library* start_library() noexcept;
  // As it is, started or not.
  [[nodiscard]] tls::Library& library() noexcept { return library_; }
  [[nodiscard]] const tls::Library& library() const noexcept { return library_; }
  [[nodiscard]] tls::ArenaUse arena_use() const noexcept { return library_.arena_use(); }
  // Nothing is taken from the heap while TLS works (tls::Library::has_arena()).
  [[nodiscard]] static bool has_own_memory() noexcept { return tls::Library::has_arena(); }

 private:
  struct Files;
  [[nodiscard]] int check_options() const noexcept;
  [[nodiscard]] bool read_files(Files& files) noexcept;
  void forget_files() noexcept;
  [[nodiscard]] std::optional<std::string_view> read(std::string_view flag, std::string_view path,
                                                     std::span<char> memory) noexcept;
  [[nodiscard]] bool read_client_ca(tls::TrustStore& store) noexcept;
  void explain(tls::Error error, const Files& files) noexcept;
  void warn_of_dates() noexcept;

  port::LinuxPort& port_;
  const HttpsOptions& options_;
  HttpsMemory memory_;
  tls::Library library_;
  std::optional<tls::TrustStore> client_ca_;
  // Final, so that it can be kept by value: the context itself has virtual functions and no virtual destructor.
  struct Context final : tls::ServerContext {
    using ServerContext::ServerContext;
  };
  std::optional<Context> context_;
  std::optional<http::HttpsRedirect> redirect_;
  std::optional<http::Server> redirect_server_;
};

#else

struct HttpsMemory {};
template <tls::ServerTlsLimits limits, std::size_t more_arena = 0>
struct HttpsStorage {
  [[nodiscard]] HttpsMemory memory(std::size_t = 0) noexcept { return {}; }
};

class Https {
 public:
  Https(port::LinuxPort&, const HttpsOptions&, const HttpsMemory&) noexcept {}
  [[nodiscard]] int start() noexcept { return 0; }
  void reload() noexcept {}
  [[nodiscard]] bool start_redirect(net::Loop&, std::uint16_t) noexcept { return true; }
  [[nodiscard]] tls::ServerContext* context() noexcept { return nullptr; }
  [[nodiscard]] const tls::ServerContext* context() const noexcept { return nullptr; }
  [[nodiscard]] http::Server* redirect() noexcept { return nullptr; }
  [[nodiscard]] tls::ArenaUse arena_use() const noexcept { return {}; }
  [[nodiscard]] static bool has_own_memory() noexcept { return true; }
};

#endif

}  // namespace pollux::apps
