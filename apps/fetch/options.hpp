// The command line of pollux-fetch, read by curl's rules: short options may be joined ("-sSfL", "-ofile"), long ones may be cut as long as they
// stay unique, "--no-NAME" turns a switch off, the n-th -o, -O or -T belongs to the n-th URL. curl 7.88 is the reference; what is not here
// is refused as curl refuses an option it does not know. What chooses ciphers or formats of key files is taken and has no effect.
//
//   fetch::Options options;
//   if (const auto ended = fetch::parse(options, arguments)) { return ended->status; }
//
// This is done once, at start, and may use the heap; transfers only look at the result.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/fetch/warn.hpp"
#include "port/address.hpp"
#include "port/time.hpp"

namespace pollux::fetch {

// A -H: `name` and what is to become of it.
struct HeaderOption {
  enum class Kind : std::uint8_t {
    add,     // "Name: value", and "Name;" with an empty value
    remove,  // "Name:": one that would be sent by itself is not
  };
  Kind kind = Kind::add;
  std::string name;
  std::string value;
};

// Where a body goes.
struct OutputOption {
  enum class Kind : std::uint8_t { standard, file, remote_name };
  Kind kind = Kind::standard;
  std::string path{};
};

// --resolve: a name and a port (0: any) that have these addresses.
struct ResolveOption {
  std::string host;  // "*": every name
  std::uint16_t port = 0;
  std::vector<port::Address> addresses{};
};

// --connect-to HOST1:PORT1:HOST2:PORT2; an empty host or port 0 on the left means any, on the right the same.
struct ConnectToOption {
  std::string host;
  std::uint16_t port = 0;
  std::string to_host;
  std::uint16_t to_port = 0;
};

// What a flag of TLS versions says: a build speaks 1.2 and 1.3, so anything older as a minimum is 1.2, and as a maximum nothing.
enum class TlsVersion : std::uint8_t { any, older, tls12, tls13 };

enum class ProxyKind : std::uint8_t { from_environment, none, given };

struct Options {
  // What to transfer: the n-th URL with the n-th output and the n-th upload.
  std::vector<std::string> urls{};
  std::vector<OutputOption> outputs{};
  std::vector<std::string> uploads{};
  std::string output_dir{};

  // The request.
  std::string method{};
  std::string data{};
  std::vector<HeaderOption> headers{};
  std::optional<std::string> user_agent{};
  std::string referer{};
  std::string user{};
  std::string range{};
  std::optional<std::uint64_t> resume_from{};

  // The answer.
  std::string dump_header{};
  std::string write_out{};
  std::uint64_t filesize_max = 0;

  // Redirects.
  std::int64_t redirects_max = 50;  // negative: no limit

  // Cookies.
  std::string cookies{};                    // "a=b; c=d"
  std::vector<std::string> cookie_files{};  // "" turns the engine on and reads nothing
  std::string cookie_jar{};

  // The way.
  std::string proxy{};
  std::string proxy_user{};
  std::optional<std::string> no_proxy{};
  std::vector<ResolveOption> resolves{};
  std::vector<ConnectToOption> connect_tos{};
  std::string unix_socket{};
  std::vector<port::Address> dns_servers{};

  // TLS.
  std::string ca_file{};
  std::string ca_directory{};
  std::string certificate{};  // --cert, without a password
  std::string key{};
  std::string password{};    // of --cert or --pass
  std::string pinned_key{};  // --pinnedpubkey
  TlsVersion tls_min = TlsVersion::any;
  TlsVersion tls_max = TlsVersion::any;

  // Time and speed.
  port::Duration max_time{};
  port::Duration connect_timeout = std::chrono::seconds{300};  // as curl's default
  port::Duration expect_timeout = std::chrono::seconds{1};
  std::uint64_t rate_limit = 0;  // bytes per second
  std::uint32_t speed_limit = 0;
  port::Duration speed_time = std::chrono::seconds{30};
  std::uint32_t retries = 0;
  port::Duration retry_delay{};
  port::Duration retry_max_time{};

  // What is said.
  std::string error_file{};  // --stderr

  // Switches, together so that they take little room.
  bool all_remote_names = false;
  bool create_dirs = false;
  bool head = false;  // -I
  bool get = false;   // -G
  bool has_data = false;
  bool data_is_json = false;
  bool auto_referer = false;
  bool has_user = false;
  bool compressed = false;
  bool resume_at_size = false;  // -C -
  bool path_as_is = false;
  bool no_globbing = false;
  bool include = false;  // -i, -I
  bool fail = false;
  bool fail_with_body = false;
  bool fail_early = false;
  bool follow = false;
  bool location_trusted = false;
  bool keep_post_301 = false;
  bool keep_post_302 = false;
  bool keep_post_303 = false;
  bool junk_session_cookies = false;
  bool ipv4_only = false;
  bool ipv6_only = false;
  bool keep_alive_probes = true;
  bool retry_refused = false;
  bool retry_all = false;
  bool silent = false;
  bool show_error = false;
  bool verbose = false;
  bool insecure = false;
  bool progress_bar = false;
  bool progress_meter = true;
  ProxyKind proxy_kind = ProxyKind::from_environment;
};

// How the program ends without having transferred anything: --help, --version, or a bad command line.
struct Ended {
  int status = 0;
  std::string output{};   // for standard output
  std::string message{};  // for standard error, whole lines
};

// Reads `arguments` (without the program's name) into `options`. What is to be said on standard error but is no error goes to `warnings`.
[[nodiscard]] std::optional<Ended> parse(Options& options, std::span<const char* const> arguments, Warnings& warnings);

// "1.5" seconds; nothing if it is no number or negative.
[[nodiscard]] std::optional<port::Duration> parse_seconds(std::string_view text);
// "100", "10k", "2M", "1G": 1024 and its powers, as curl counts.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
// What -H takes: one header, "Name: value", "Name:" or "Name;"; nothing for anything else, which curl passes over.
[[nodiscard]] std::optional<HeaderOption> parse_header(std::string_view text);
[[nodiscard]] std::optional<ResolveOption> parse_resolve(std::string_view text);
[[nodiscard]] std::optional<ConnectToOption> parse_connect_to(std::string_view text);

}  // namespace pollux::fetch
