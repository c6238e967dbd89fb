#include "stack/tls/trust_store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "port/linux/linux_port.hpp"
#include "port/sim/sim_port.hpp"
#include "stack/tls/x509.hpp"
#include "tests/support/heap_guard.hpp"
#include "tests/support/tls_fixture.hpp"

namespace pollux::test {
namespace {

using tls::Error;
using tls::TrustStore;
using Added = port::Result<std::size_t, Error>;

// Parsed certificates, freed at the end of a test.
class Parsed {
 public:
  explicit Parsed(std::string_view text) {
    mbedtls_x509_crt_init(&certificate_);
    EXPECT_EQ(tls::parse_chain(text, certificate_), Error::none);
  }
  ~Parsed() { mbedtls_x509_crt_free(&certificate_); }
  Parsed(const Parsed&) = delete;
  Parsed& operator=(const Parsed&) = delete;

  [[nodiscard]] mbedtls_x509_crt& operator*() { return certificate_; }
  [[nodiscard]] std::string der() const { return text(certificate_.raw); }
  [[nodiscard]] std::string subject() const { return text(certificate_.subject_raw); }
  [[nodiscard]] std::string issuer() const { return text(certificate_.issuer_raw); }

 private:
  static std::string text(const mbedtls_x509_buf& bytes) { return {reinterpret_cast<const char*>(bytes.p), bytes.len}; }
  mbedtls_x509_crt certificate_;
};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span{text});
}

class TlsTrust : public testing::Test {
 protected:
  // A store of any size; its memory is exactly as large.
  struct Store {
    Store(std::size_t size, std::size_t certificates_max) : bytes(size), entries(certificates_max) {}
    std::vector<std::byte> bytes;
    std::vector<tls::TrustEntry> entries;
    TrustStore trust{{bytes, entries}};
    TrustStore* operator->() { return &trust; }
  };

  static testing::AssertionResult added(const Added& result, std::size_t count) {
    if (!result) {
      return testing::AssertionFailure() << tls::describe(result.error());
    }
    return *result == count ? testing::AssertionSuccess() : testing::AssertionFailure() << *result;
  }
  static testing::AssertionResult refused(const Added& result, Error error) {
    if (result) {
      return testing::AssertionFailure() << "added " << *result;
    }
    return result.error() == error ? testing::AssertionSuccess()
                                   : testing::AssertionFailure() << tls::describe(result.error());
  }
  // The subjects of what find() gives, and its memory back.
  static std::vector<std::string> found(const TrustStore& trust, const std::string& subject) {
    std::vector<std::string> subjects;
    mbedtls_x509_crt* list = nullptr;
    EXPECT_TRUE(trust.find(bytes_of(subject), &list));
    for (const mbedtls_x509_crt* crt = list; crt != nullptr; crt = crt->next) {
      tls::CertificateInfo info;
      tls::read_info(*crt, info);
      subjects.emplace_back(info.subject.view());
    }
    if (list != nullptr) {
      mbedtls_x509_crt_free(list);
      mbedtls_free(list);
    }
    return subjects;
  }

  port::SimNetwork network_{};
  port::SimPort port_{network_};
  TestLibrary library_{port_};
};

using Names = std::vector<std::string>;
const std::string ca{certificates::ca};
const std::string other_ca{certificates::other_ca};
const std::string rsa_ca{certificates::rsa_ca};

TEST_F(TlsTrust, Empty) {
  Store store{4096, 4};
  EXPECT_EQ(store->size(), 0U);
  EXPECT_EQ(found(store.trust, Parsed{ca}.subject()), Names{});
  EXPECT_EQ(store->generation(), 0U);
  TrustStore nothing{{}};
  EXPECT_TRUE(refused(nothing.add(ca), Error::trust_full));
  EXPECT_TRUE(refused(nothing.add(Parsed{ca}.der()), Error::trust_full));
}

TEST_F(TlsTrust, SeveralInOneText) {
  Store store{4096, 4};
  EXPECT_TRUE(added(store->add("# roots\n" + ca + "\nAnother:\n" + other_ca + rsa_ca + "end"), 3));
  EXPECT_EQ(store->size(), 3U);
  EXPECT_EQ(store->bytes_used(), Parsed{ca}.der().size() + Parsed{other_ca}.der().size() + Parsed{rsa_ca}.der().size());
  EXPECT_EQ(store->skipped(), 0U);
  EXPECT_EQ(found(store.trust, Parsed{certificates::site.certificate}.issuer()),
            Names{"CN=Test authority, O=Pollux tests"});
  EXPECT_EQ(found(store.trust, Parsed{certificates::site_rsa.certificate}.issuer()),
            Names{"CN=RSA authority, O=Pollux tests"});
  EXPECT_EQ(found(store.trust, Parsed{certificates::by_expired_ca.certificate}.issuer()), Names{});
}

TEST_F(TlsTrust, Der) {
  Store store{4096, 4};
  EXPECT_TRUE(added(store->add(Parsed{ca}.der()), 1));
  EXPECT_TRUE(store->contains(bytes_of(Parsed{ca}.der())));
  EXPECT_TRUE(refused(store->add(Parsed{ca}.der() + "x"), Error::trust_syntax)) << "something behind it";
}

TEST_F(TlsTrust, TheSameTwiceTakesNoRoom) {
  Store store{4096, 1};
  EXPECT_TRUE(added(store->add(ca), 1));
  const std::size_t used = store->bytes_used();
  const std::uint32_t generation = store->generation();
  EXPECT_TRUE(added(store->add(ca + ca), 2));
  EXPECT_TRUE(added(store->add(Parsed{ca}.der()), 1));
  EXPECT_EQ(store->size(), 1U);
  EXPECT_EQ(store->bytes_used(), used);
  EXPECT_EQ(store->generation(), generation) << "nothing changed";
}

TEST_F(TlsTrust, WhatIsNoCertificate) {
  Store store{4096, 4};
  for (const std::string& text :
       {std::string{}, std::string{"hello"}, std::string{certificates::site.key}, std::string{"\x30\x82"}}) {
    EXPECT_TRUE(refused(store->add(text), Error::trust_syntax)) << text;
  }
  EXPECT_EQ(store->skipped(), 0U);
  const std::string bad = "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n";
  EXPECT_TRUE(refused(store->add(bad), Error::trust_syntax));
  EXPECT_EQ(store->skipped(), 1U);
  EXPECT_TRUE(
      added(store->add(bad + ca + "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n" + other_ca), 2));
  EXPECT_EQ(store->skipped(), 3U);
  EXPECT_TRUE(added(store->add(rsa_ca + ca.substr(0, 200)), 1));
  EXPECT_EQ(store->skipped(), 4U) << "the last has lost its end";
  EXPECT_EQ(store->size(), 3U);
}

TEST_F(TlsTrust, FullOfBytes) {
  const std::size_t both = Parsed{ca}.der().size() + Parsed{other_ca}.der().size();
  Store exact{both, 4};
  EXPECT_TRUE(added(exact->add(ca + other_ca), 2));
  EXPECT_EQ(exact->bytes_used(), both);
  Store small{both - 1, 4};
  EXPECT_TRUE(refused(small->add(ca + other_ca), Error::trust_full));
  EXPECT_EQ(small->size(), 1U) << "what fitted stays";
  EXPECT_TRUE(small->contains(bytes_of(Parsed{ca}.der())));
  EXPECT_TRUE(refused(small->add(Parsed{other_ca}.der()), Error::trust_full));
}

TEST_F(TlsTrust, FullOfEntries) {
  Store store{4096, 2};
  EXPECT_TRUE(refused(store->add(ca + other_ca + rsa_ca), Error::trust_full));
  EXPECT_EQ(store->size(), 2U);
  EXPECT_TRUE(refused(store->add(Parsed{rsa_ca}.der()), Error::trust_full));
}

TEST_F(TlsTrust, Clear) {
  Store store{4096, 4};
  store->clear();
  EXPECT_EQ(store->generation(), 0U) << "there was nothing";
  ASSERT_TRUE(store->add(ca));
  const std::uint32_t before = store->generation();
  EXPECT_GT(before, 0U);
  store->clear();
  EXPECT_GT(store->generation(), before);
  EXPECT_EQ(store->size(), 0U);
  EXPECT_EQ(store->bytes_used(), 0U);
  EXPECT_FALSE(store->contains(bytes_of(Parsed{ca}.der())));
  EXPECT_EQ(found(store.trust, Parsed{ca}.subject()), Names{});
  EXPECT_TRUE(added(store->add(other_ca), 1));
}

TEST_F(TlsTrust, Contains) {
  Store store{4096, 4};
  ASSERT_TRUE(store->add(certificates::self_signed.certificate));
  std::string der = Parsed{certificates::self_signed.certificate}.der();
  EXPECT_TRUE(store->contains(bytes_of(der)));
  der.back() = static_cast<char>(der.back() ^ 1);
  EXPECT_FALSE(store->contains(bytes_of(der)));
  EXPECT_FALSE(store->contains({}));
  EXPECT_FALSE(store->contains(bytes_of(Parsed{certificates::site.certificate}.der())));
}

// ---- finding

TEST_F(TlsTrust, SeveralOfOneName) {
  Store store{8192, 8};
  // Three certificates for CN=site.test alone, and another.
  ASSERT_TRUE(store->add(std::string{certificates::self_signed.certificate} +
                         std::string{certificates::expired.certificate} +
                         std::string{certificates::wrong_name.certificate} + ca));
  EXPECT_EQ(found(store.trust, Parsed{certificates::self_signed.certificate}.subject()), Names(3, "CN=site.test"));
}

TEST_F(TlsTrust, NamesAreComparedAsMbedtlsDoes) {
  Store store{4096, 4};
  ASSERT_TRUE(store->add(ca));
  std::string name = Parsed{ca}.subject();
  const auto replace = [&name](char from, char to) { std::replace(name.begin(), name.end(), from, to); };
  replace('T', 't');
  EXPECT_EQ(found(store.trust, name).size(), 1U) << "without case";
  replace('\x0C', '\x13');
  EXPECT_EQ(found(store.trust, name).size(), 1U) << "PrintableString for UTF8String";
  name.back() = '!';
  EXPECT_EQ(found(store.trust, name).size(), 0U);
  EXPECT_EQ(found(store.trust, "").size(), 0U);
}

TEST_F(TlsTrust, OneThatMbedtlsDoesNotUnderstandSignsNothing) {
  if (!tls::Library::has_arena()) {
    GTEST_SKIP() << "the installed mbedTLS understands this curve";
  }
  Store store{4096, 4};
  const auto result = store->add(certificates::odd_curve.certificate);
  EXPECT_TRUE(added(result, 1)) << "its bytes are in order";
  // Its subject is CN=site.test, as that of others.
  const std::string subject = Parsed{certificates::self_signed.certificate}.subject();
  EXPECT_EQ(found(store.trust, subject), Names{});
  ASSERT_TRUE(store->add(certificates::self_signed.certificate));
  EXPECT_EQ(found(store.trust, subject), Names{"CN=site.test"});
}

TEST_F(TlsTrust, NothingStaysInTheArena) {
  Store store{4096, 4};
  ASSERT_TRUE(store->add(ca + other_ca));
  const std::size_t used = library_->arena_use().used;
  found(store.trust, Parsed{ca}.subject());
  EXPECT_EQ(library_->arena_use().used, used);
}

TEST_F(TlsTrust, TakesNothingFromTheHeap) {
  if (!tls::Library::has_arena()) {
    GTEST_SKIP() << "the installed mbedTLS takes its memory from the heap";
  }
  Store store{4096, 4};
  const std::string text = ca + other_ca;
  port_.files().add_file("/ca.pem", text);
  const std::string subject = Parsed{ca}.subject();
  mbedtls_x509_crt* list = nullptr;
  const heap_guard::Forbidden no_heap;
  EXPECT_TRUE(store->add(text));
  store->clear();
  EXPECT_TRUE(store->add_file(port_, "/ca.pem"));
  EXPECT_TRUE(store->find(bytes_of(subject), &list));
  mbedtls_x509_crt_free(list);
  mbedtls_free(list);
}

// ---- what comes damaged

TEST_F(TlsTrust, EveryPrefix) {
  const std::string pem = ca.substr(0, ca.find_last_of('-') + 1);
  for (std::size_t size = 0; size < pem.size(); ++size) {
    Store store{1024, 2};
    const std::vector<char> prefix(pem.begin(), pem.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_TRUE(refused(store->add({prefix.data(), prefix.size()}), Error::trust_syntax)) << size;
  }
  for (const std::string_view certificate : {certificates::rsa_ca, certificates::everywhere.certificate}) {
    const std::string der = Parsed{certificate}.der();
    for (std::size_t size = 0; size < der.size(); ++size) {
      Store store{size + 1, 2};
      const std::vector<char> prefix(der.begin(), der.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_TRUE(refused(store->add({prefix.data(), prefix.size()}), Error::trust_syntax)) << size;
    }
  }
}

TEST_F(TlsTrust, EveryByteChanged) {
  const std::string der = Parsed{ca}.der();
  const std::string subject = Parsed{ca}.subject();
  for (std::size_t at = 0; at < der.size(); ++at) {
    for (const char change : {'\x01', '\x40', '\x80', '\xFF'}) {
      std::string changed = der;
      changed[at] = static_cast<char>(changed[at] ^ change);
      Store store{der.size(), 2};
      const auto result = store->add(changed);
      EXPECT_TRUE(result || result.error() == Error::trust_syntax) << at;
      found(store.trust, subject);
    }
  }
}

TEST_F(TlsTrust, LengthsThatLie) {
  Store store{4096, 4};
  for (const std::string_view text :
       {std::string_view{"\x30\x80\x30\x00\x00\x00", 6}, std::string_view{"\x30\x84\x00\x00\x00\x02\x30\x00", 8},
        std::string_view{"\x30\x83\xFF\xFF\xFF", 5}, std::string_view{"\x30\xFF\xFF\xFF\xFF\xFF", 6},
        std::string_view{"\x30\x81", 2}, std::string_view{"\x30\x02\x30\x00", 4}, std::string_view{"\x30\x00", 2}}) {
    EXPECT_TRUE(refused(store->add(text), Error::trust_syntax));
  }
}

// ---- files

TEST_F(TlsTrust, AFileInPem) {
  // Longer than one piece that is read, so that blocks lie across the pieces' ends.
  const std::string text = "# " + std::string(700, '#') + "\n" + rsa_ca + ca + std::string(1500, '.') + "\n" + other_ca;
  port_.files().add_file("/ca.pem", text);
  Store store{4096, 4};
  EXPECT_TRUE(added(store->add_file(port_, "/ca.pem"), 3));
  EXPECT_EQ(port_.files_open(), 0U);
  EXPECT_EQ(store->file_error(), port::Error{});
  for (const std::string& one : {ca, other_ca, rsa_ca}) {
    EXPECT_TRUE(store->contains(bytes_of(Parsed{one}.der())));
  }
}

TEST_F(TlsTrust, AFileInDer) {
  for (const TestCertificate& certificate : {certificates::site, certificates::sha1, certificates::site_rsa}) {
    const std::string der = Parsed{certificate.certificate}.der();
    port_.files().add_file("/ca.der", der);
    Store exact{der.size(), 1};
    EXPECT_TRUE(added(exact->add_file(port_, "/ca.der"), 1)) << der.size();
    EXPECT_TRUE(exact->contains(bytes_of(der)));
    Store small{der.size() - 1, 1};
    EXPECT_TRUE(refused(small->add_file(port_, "/ca.der"), Error::trust_full));
    EXPECT_EQ(small->size(), 0U);
    port_.files().add_file("/ca.der", der + "x");
    Store large{4096, 1};
    EXPECT_TRUE(refused(large->add_file(port_, "/ca.der"), Error::trust_syntax));
  }
}

// Two sizes at which the end of a piece and of the store's memory fall together.
TEST_F(TlsTrust, AFileInDerLongerThanAPiece) {
  const std::string der = "\x30\x82\x08\x00" + std::string(2048, 'x');
  for (const std::size_t room :
       {std::size_t{0}, std::size_t{1}, std::size_t{1023}, std::size_t{1024}, std::size_t{2048}, der.size() - 1}) {
    port_.files().add_file("/ca.der", der);
    Store store{room, 1};
    EXPECT_TRUE(refused(store->add_file(port_, "/ca.der"), Error::trust_full)) << room;
  }
  Store store{der.size(), 1};
  EXPECT_TRUE(refused(store->add_file(port_, "/ca.der"), Error::trust_syntax));
  EXPECT_EQ(port_.files_open(), 0U);
}

TEST_F(TlsTrust, FilesThatCannotBeRead) {
  Store store{4096, 4};
  port_.files().add_directory("/certs");
  port_.files().add_file("/empty.pem", "");
  port_.files().add_file("/secret.pem", ca);
  port_.files().deny("/secret.pem");
  port_.files().add_file("/broken.pem", ca);
  port_.files().fail_reads("/broken.pem");
  port_.files().add_special("/fifo");
  const std::pair<std::string_view, port::Error> cases[]{
      {"/none.pem", port::Error::not_found},
      {"/certs", port::Error::not_regular},
      {"/secret.pem", port::Error::permission_denied},
      {"/broken.pem", port::Error::failed},
      {"/fifo", port::Error::not_regular},
  };
  for (const auto& [path, error] : cases) {
    EXPECT_TRUE(refused(store->add_file(port_, path), Error::trust_syntax)) << path;
    EXPECT_EQ(store->file_error(), error) << path;
  }
  EXPECT_TRUE(refused(store->add_file(port_, "/empty.pem"), Error::trust_syntax));
  EXPECT_EQ(store->file_error(), port::Error{}) << "it could be read";
  EXPECT_EQ(store->size(), 0U);
  EXPECT_EQ(port_.files_open(), 0U);
}

TEST_F(TlsTrust, TheSystemsFile) {
  Store store{4096, 4};
  EXPECT_TRUE(refused(store->add_system(port_), Error::trust_syntax));
  EXPECT_EQ(store->file_error(), port::Error::not_found);
  port_.files().add_file("/etc/ssl/cert.pem", ca);
  EXPECT_TRUE(added(store->add_system(port_), 1));
  store->clear();
  port_.files().add_file("/etc/ssl/certs/ca-certificates.crt", "");
  port_.files().add_file("/etc/pki/tls/certs/ca-bundle.crt", other_ca + rsa_ca);
  EXPECT_TRUE(added(store->add_system(port_), 2)) << "the first with certificates";
  port_.files().add_file("/etc/ssl/certs/ca-certificates.crt", ca);
  store->clear();
  EXPECT_TRUE(added(store->add_system(port_), 1));
  EXPECT_TRUE(store->contains(bytes_of(Parsed{ca}.der())));
  Store small{10, 4};
  EXPECT_TRUE(refused(small->add_system(port_), Error::trust_full)) << "and not another file";
}

TEST_F(TlsTrust, ThisMachinesRoots) {
  port::LinuxPort machine;
  std::string text;
  if (const auto opened = machine.open_path("/etc/ssl/certs/ca-certificates.crt"); opened) {
    text.resize(static_cast<std::size_t>(opened->size));
    std::size_t at = 0;
    while (at < text.size()) {
      const auto read = machine.read_file(opened->file, at, std::as_writable_bytes(std::span{text}).subspan(at));
      ASSERT_EQ(read.status, port::IoStatus::ok);
      at += read.size;
    }
    machine.close_file(opened->file);
  } else {
    GTEST_SKIP() << "no /etc/ssl/certs/ca-certificates.crt here";
  }
  std::size_t blocks = 0;
  for (std::size_t at = 0; (at = text.find("-----BEGIN CERTIFICATE-----", at)) != std::string::npos; ++at) {
    ++blocks;
  }
  Store store{std::size_t{512} * 1024, 400};
  EXPECT_TRUE(added(store->add_system(machine), blocks));
  EXPECT_EQ(store->skipped(), 0U);
  Store again{std::size_t{512} * 1024, 400};
  EXPECT_TRUE(added(again->add(text), blocks)) << "the same as from memory";
  EXPECT_EQ(again->bytes_used(), store->bytes_used());
  // Each is found by its own subject, because a root signed itself; but for keys that we do not take.
  std::size_t understood = 0;
  for (std::size_t i = 0; i < store->size(); ++i) {
    const tls::TrustEntry& entry = store.entries[i];
    const std::string der{reinterpret_cast<const char*>(&store.bytes[entry.at]), entry.size};
    mbedtls_x509_crt root;
    mbedtls_x509_crt_init(&root);
    if (tls::parse_chain(der, root) == Error::none) {
      ++understood;
      const std::string subject{reinterpret_cast<const char*>(root.subject_raw.p), root.subject_raw.len};
      EXPECT_GE(found(store.trust, subject).size(), 1U);
    }
    mbedtls_x509_crt_free(&root);
  }
  EXPECT_GE(understood * 10, store->size() * 9) << "of " << store->size();
}

}  // namespace
}  // namespace pollux::test
