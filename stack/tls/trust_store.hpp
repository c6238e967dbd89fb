// TrustStore: the certificates that a client (or a server that asks for client certificates) trusts to sign others.
//
//   constinit tls::TrustMemory<256 * 1024, 200> memory;       // Debian's 145 roots take about 150 KiB
//   tls::TrustStore store{memory.memory()};
//   if (auto added = store.add_file(port, "/etc/ssl/certs/ca-certificates.crt"); !added) { ... }
//
// Certificates are kept as DER, with a hash of each subject; one is parsed when a chain needs it. The installed mbedTLS cannot do that:
// there each is parsed when it is added, on the heap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "port/result.hpp"
#include "stack/tls/error.hpp"
#include "stack/tls/pem.hpp"

struct mbedtls_x509_crt;

namespace pollux::tls {

struct TrustEntry {
  std::uint32_t subject_hash = 0;
  std::uint32_t at = 0;  // of the DER, in the bytes
  std::uint32_t size = 0;
};
struct TrustStoreMemory {
  std::span<std::byte> bytes;
  std::span<TrustEntry> entries;
};
template <std::size_t size, std::size_t certificates_max>
struct TrustMemory {
  std::array<std::byte, size> bytes{};
  std::array<TrustEntry, certificates_max> entries{};
  [[nodiscard]] TrustStoreMemory memory() noexcept { return {bytes, entries}; }
};

class TrustStore {
 public:
  explicit TrustStore(TrustStoreMemory memory) noexcept : memory_{memory} {}
  ~TrustStore() { clear(); }
  TrustStore(const TrustStore&) = delete;
  TrustStore& operator=(const TrustStore&) = delete;

  // Adds every certificate of a PEM text, or one in DER. Returns how many of them the store now has (one it had already needs room only while it is read);
  // what is no certificate between the PEM blocks is passed over, a block that is none is counted in skipped(). Needs no Library with our own
  // build of mbedTLS.
  // Errors: trust_syntax (there is none), trust_full (what fitted stays).
  port::Result<std::size_t, Error> add(std::string_view text) noexcept;
  // The same for a file, read in pieces. Errors: as above; if it could not be read trust_syntax, and file_error() says why.
  // A directory is for the app to list (Port cannot): one add_file() for each file whose name ends in .pem, .crt or .0 to .9.
  port::Result<std::size_t, Error> add_file(port::Port& port, std::string_view path) noexcept;
  // The first file with certificates of those where Linux systems keep theirs: /etc/ssl/certs/ca-certificates.crt (Debian, OpenWrt, Buildroot),
  // /etc/pki/tls/certs/ca-bundle.crt, /etc/ssl/ca-bundle.pem, /etc/ssl/cert.pem. Errors: as add_file().
  port::Result<std::size_t, Error> add_system(port::Port& port) noexcept;
  void clear() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return used_; }
  [[nodiscard]] std::size_t bytes_used() const noexcept { return bytes_used_; }
  [[nodiscard]] std::size_t skipped() const noexcept { return skipped_; }
  // Why the last add_file() or add_system() could not read its file; port::Error{} if it could.
  [[nodiscard]] port::Error file_error() const noexcept { return file_error_; }

  // ---- for stack/tls
  // The certificates whose subject may be `subject` (DER of the Name), parsed into a list that the caller frees (mbedtls_x509_crt_free() and
  // mbedtls_free()) before the store changes: it points into the store's bytes. nullptr: none. Needs a started Library (ENSURE).
  // False: no memory.
  [[nodiscard]] bool find(std::span<const std::byte> subject, mbedtls_x509_crt** found) const noexcept;
  // This very certificate (DER). Whoever trusts a certificate that signed itself trusts its owner, not what else it might sign: mbedTLS does
  // not take such a one from find(), so that the verify callbacks ask here.
  [[nodiscard]] bool contains(std::span<const std::byte> der) const noexcept;
  // All of them as a list of the store's own; nullptr with our own build, which asks find().
  [[nodiscard]] mbedtls_x509_crt* list() const noexcept { return list_; }
  // Counts up when the content changes: what was verified before need not hold now.
  [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }

 private:
  [[nodiscard]] std::span<std::byte> free_bytes() const noexcept { return memory_.bytes.subspan(bytes_used_); }
  // Takes the certificate of `size` bytes that stands at the beginning of free_bytes().
  [[nodiscard]] Error take(std::size_t size) noexcept;
  // Takes what `reader` finds in a piece of text; counts in `added`.
  [[nodiscard]] Error scan(PemReader& reader, std::string_view text, std::size_t& added) noexcept;
  [[nodiscard]] Error read(port::Port& port, port::File file, std::size_t& added) noexcept;
  [[nodiscard]] static port::Result<std::size_t, Error> outcome(Error error, std::size_t added) noexcept;

  TrustStoreMemory memory_;
  std::size_t used_ = 0;
  std::size_t bytes_used_ = 0;
  std::size_t skipped_ = 0;
  std::uint32_t generation_ = 0;
  port::Error file_error_{};
  mbedtls_x509_crt* list_ = nullptr;
};

}  // namespace pollux::tls
