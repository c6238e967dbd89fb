// Verbose: -v in curl's manner, made from the trace hooks: "* " is what the program does, "> " what it sends, "< " what it gets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "port/address.hpp"
#include "stack/http/trace.hpp"
#include "stack/tls/session.hpp"

namespace pollux::fetch {

class Verbose {
 public:
  explicit Verbose(bool is_on) : is_on_{is_on} {}

  // Whom the next events are about; `host` must outlive them.
  void about(std::string_view host, std::uint16_t port) {
    host_ = host;
    port_ = port;
  }
  // Who is trusted: a file, a directory, or neither: the system's. `-k`: anybody. The texts must outlive the transfers.
  void trusting(std::string_view file, std::string_view directory, bool anybody) {
    ca_file_ = file;
    ca_directory_ = directory;
    trusts_anybody_ = anybody;
  }
  void note(std::string_view text, std::string_view more = {}, std::string_view end = {});
  void trace(const http::Trace& trace);
  // The transfer is over. A connection of which nothing was said was closed.
  void end();
  // "{ [5 bytes data]", once for each run of them, and not when the data itself goes to the terminal.
  void body(bool is_upload, std::size_t size, bool is_shown);

 private:
  void lines(char sign, std::string_view head);
  void tls_begins() const;
  void tls_done(const tls::ConnectionInfo& info) const;

  bool is_on_;
  bool told_data_ = false;
  bool is_open_ = false;  // the connection's end was not told yet
  std::uint32_t connection_ = 0;
  std::string_view host_{};
  std::uint16_t port_ = 0;
  std::string_view ca_file_{};
  std::string_view ca_directory_{};
  bool trusts_anybody_ = false;
};

}  // namespace pollux::fetch
