// Serving: what every server app does between making its Server and its exit - listen, say so, run, end gracefully.
//
//   apps::Options options{"pollux-hello", "Says hello."};
//   apps::ServeOptions serving;
//   apps::add(options, serving);                       // --listen, repeatable; --tls-cert and what belongs to it
//   if (const auto status = options.parse(argc, argv)) {
//     return *status;
//   }
//   port::LinuxPort port{{.signals = serving.https.signals()}};
//   apps::Https https{port, serving.https, https_storage.memory()};
//   ... make loop, mux and server ...
//   return apps::serve(server, port, serving, https);
//
// serve() listens on what systemd passed (LISTEN_FDS, sd_listen_fds(3)) and on every --listen; on `listen_default` if there is neither. Once
// it answers it prints one line for each, `listening on http://ADDR:PORT` with the port it really got (`https://` with --tls-cert, `listening on
// unix:PATH` for a unix socket, which never speaks TLS), `redirecting http://ADDR:PORT to https` for --http-redirect, and tells systemd (sd_notify(3): READY=1, then WATCHDOG=1 at half of WATCHDOG_USEC, STOPPING=1 at the end). From then on
// nothing is allocated; programs linked with the heap guard (tests/support) stop if it happens.
//
// SIGHUP reads the files of --tls-cert and its like again (Https::reload()). SIGTERM and SIGINT end the program gracefully within shutdown_deadline; a second one, or the deadline, at once. Exit status 0.
// An address that cannot be listened on is one line on standard error that names it, and exit status 1.
#pragma once

#include <chrono>
#include <string_view>

#include "apps/support/https.hpp"
#include "apps/support/options.hpp"
#include "port/linux/linux_port.hpp"
#include "port/time.hpp"
#include "stack/http/server.hpp"

namespace pollux::apps {

// What requests in progress get to finish in once the program was asked to end.
inline constexpr port::Duration shutdown_deadline = std::chrono::seconds{10};

struct ServeOptions {
  TextList listen;  // as given with --listen; checked by then
  // Loopback: a program nobody configured is not offered to the network.
  std::string_view listen_default = "127.0.0.1:8080";
  HttpsOptions https;
};

// Declares --listen and the options of https. `serving` must outlive options.parse().
void add(Options& options, ServeOptions& serving) noexcept;

// Returns the program's exit status when it is over. Takes the loop's on_signal; timers and on_turn are the app's own.
[[nodiscard]] int serve(http::Server& server, port::LinuxPort& port, const ServeOptions& serving,
                        Https& https) noexcept;

}  // namespace pollux::apps
