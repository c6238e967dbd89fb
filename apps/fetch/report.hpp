// Report: what is known about one transfer, for -w, the meter and the messages. Filled in while it runs.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "port/address.hpp"
#include "port/time.hpp"
#include "stack/wire/head.hpp"

namespace pollux::fetch {

// Views point into memory of the transfer. Times count from the beginning of the transfer and, as curl's do, leave out the steps that did
// not happen: a reused connection has no time of connecting.
struct Report {
  std::string_view url{};            // as it stood on the command line
  std::string_view url_effective{};  // the last one asked for
  std::string_view redirect_url{};   // where a redirect that was not followed leads
  std::string_view method{};
  std::string_view referer{};
  std::string_view filename{};  // of the output; empty: standard output
  std::string_view scheme{};
  std::string_view head{};  // the last head as it came
  std::string_view error{};
  port::Address remote{};
  port::Address local{};
  wire::Version version{0, 0};
  int status = 0;
  int exit_status = 0;
  int verify_result = 0;     // see verify_result() in failure.hpp
  std::uint32_t number = 0;  // of the URL, from 0
  std::uint32_t connects = 0;
  std::uint32_t redirects = 0;
  std::uint32_t headers = 0;     // in the last head
  std::uint64_t downloaded = 0;  // bytes of the last body, before decoding
  std::uint64_t uploaded = 0;
  std::uint64_t header_bytes = 0;   // of all heads
  std::uint64_t request_bytes = 0;  // of all requests, with small bodies
  port::Duration name_lookup{};
  port::Duration connect{};
  port::Duration app_connect{};  // the TLS handshake is over
  port::Duration pretransfer{};
  port::Duration start_transfer{};
  port::Duration redirect{};
  port::Duration total{};
};

// Copies `text`, or as much as fits, into `memory`.
[[nodiscard]] inline std::string_view keep(std::string_view text, std::span<char> memory) {
  const std::size_t size = text.size() < memory.size() ? text.size() : memory.size();
  std::memmove(memory.data(), text.data(), size);
  return {memory.data(), size};
}

// Calls `each(line)` for every header line of `head`, without line end.
template <typename Each>
void for_each_header(std::string_view head, const Each& each) {
  bool is_start_line = true;
  while (!head.empty()) {
    const std::size_t end = head.find('\n');
    std::string_view line = head.substr(0, end);
    head = end == std::string_view::npos ? std::string_view{} : head.substr(end + 1);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (!is_start_line && !line.empty()) {
      each(line);
    }
    is_start_line = false;
  }
}

}  // namespace pollux::fetch
