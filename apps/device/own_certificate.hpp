// OwnCertificate: a key and a certificate that signs itself, made on the first start and kept for good in a directory.
//
//   DIR/key.pem    0600; a P-256 key        DIR/cert.pem   the certificate
//
// They are made once: what is there is used as it is and never replaced, however old it is. A renewed key is one that nobody has
// compared with anything, so a person removes both files to have new ones. Made are the two files as a whole: both are written and synced
// beside their names first, and a start after a power cut between the two renames ends what was begun.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/address.hpp"
#include "port/time.hpp"
#include "stack/tls/library.hpp"

namespace pollux::device {

class OwnCertificate {
 public:
  // In years. Nobody renews it, and clients that were told to trust it should not have to be told again.
  static constexpr int lifetime_years = 10;

  struct Names {
    std::string_view hostname;  // also below .local (RFC 6762); may be empty
    std::span<const std::string_view>
        listen{};  // addresses as --listen has them; those that name no interface are passed over
  };
  // Looks into `directory`, and makes the files if there are none. 0, or the program's exit status; why has been said then.
  [[nodiscard]] int prepare(tls::Library& library, std::string_view directory, const Names& names) noexcept;

  // Paths, valid as long as this; empty before prepare().
  [[nodiscard]] std::string_view certificate() const noexcept { return {certificate_.data(), certificate_size_}; }
  [[nodiscard]] std::string_view key() const noexcept { return {key_.data(), key_size_}; }
  [[nodiscard]] bool is_used() const noexcept { return certificate_size_ != 0; }
  [[nodiscard]] bool is_new() const noexcept { return is_new_; }

 private:
  static constexpr std::size_t path_max = 512;
  [[nodiscard]] bool make(tls::Library& library, int directory, std::string_view path, const Names& names) noexcept;

  std::array<char, path_max> certificate_{};
  std::array<char, path_max> key_{};
  std::size_t certificate_size_ = 0;
  std::size_t key_size_ = 0;
  bool is_new_ = false;
};

// What the certificate's dates are when it is made at `now`: from the day before, so that a client whose clock is a little slow takes it
// too, but not from before this program was built; from then, if the clock is not set.
struct Validity {
  port::WallTime not_before;
  port::WallTime not_after;
};
[[nodiscard]] Validity validity_from(port::WallTime now, bool is_clock_set, port::WallTime build_time) noexcept;

}  // namespace pollux::device
