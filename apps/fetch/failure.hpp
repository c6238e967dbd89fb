// Why a transfer did not work, in curl's terms: an exit status (man curl, EXIT CODES) and the text behind "pollux-fetch: (7) ".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "port/time.hpp"
#include "stack/http/call_error.hpp"
#include "stack/tls/error.hpp"

namespace pollux::fetch {

// curl's names without CURLE_.
enum class ExitCode : std::uint8_t {
  ok = 0,
  unsupported_protocol = 1,
  failed_init = 2,
  url_malformat = 3,
  not_built_in = 4,
  couldnt_resolve_proxy = 5,
  couldnt_resolve_host = 6,
  couldnt_connect = 7,
  weird_server_reply = 8,
  partial_file = 18,
  http_returned_error = 22,
  write_error = 23,
  read_error = 26,
  out_of_memory = 27,
  operation_timedout = 28,
  range_error = 33,
  ssl_connect_error = 35,
  bad_function_argument = 43,
  too_many_redirects = 47,
  setopt_option_syntax = 49,
  got_nothing = 52,
  send_error = 55,
  recv_error = 56,
  ssl_certproblem = 58,
  peer_failed_verification = 60,
  bad_content_encoding = 61,
  filesize_exceeded = 63,
  send_fail_rewind = 65,
  ssl_cacert_badfile = 77,
  ssl_pinnedpubkeynotmatch = 90,
  proxy = 97,
};

// An exit status with its text, in memory of its own.
class Failure {
 public:
  Failure() = default;
  Failure(ExitCode code, std::string_view text) noexcept : Failure{code, {text}} {}
  Failure(ExitCode code, std::initializer_list<std::string_view> parts) noexcept;

  [[nodiscard]] explicit operator bool() const noexcept { return code_ != ExitCode::ok; }
  [[nodiscard]] ExitCode code() const noexcept { return code_; }
  [[nodiscard]] int status() const noexcept { return static_cast<int>(code_); }
  [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }

 private:
  ExitCode code_ = ExitCode::ok;
  std::size_t size_ = 0;
  std::array<char, 480> text_{};
};

// What a CallError does not know and its translation needs.
struct FailureContext {
  std::string_view host{};  // of the URL
  std::uint16_t port = 0;
  std::string_view proxy{};  // the proxy's host; empty: none
  std::uint16_t proxy_port = 0;
  bool is_socks = false;
  bool trusts_nobody = false;  // this system has no CA certificates, and none were named
  std::string_view scheme = "http";
  bool has_interim = false;  // 1xx heads had come, and no byte behind them
  bool is_chunked = false;
  std::uint64_t body_size = 0;  // declared; 0 if unknown
  std::uint64_t body_received = 0;
  port::Duration elapsed{};  // since the transfer began
};

// What -w %{ssl_verify_result} shows: OpenSSL's number (x509_vfy.h) of what is wrong with a certificate, as curl does. 0: nothing, or nothing
// of the certificate itself, as a name that does not match.
[[nodiscard]] int verify_result(tls::Error error) noexcept;

[[nodiscard]] Failure failure_from(const http::CallError& error, const FailureContext& context) noexcept;

}  // namespace pollux::fetch
