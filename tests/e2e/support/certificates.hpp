// Certificates for loopback tests, made by openssl in a folder of the test: fresh ones each time, so that no key is in the tree and no date
// passes. What each is for stands in certificates.cpp.
//
//   e2e::Certificates& made = Certificates::get();
//   App app{"hello", {"--tls-cert", made.path("server.pem"), "--tls-key", made.path("server.key")}};
//   run("curl --cacert '" + made.path("ca.pem") + "' " + app.https_url("/hello"));
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pollux::e2e {

class Certificates {
 public:
  // Made by the first call in a process; the folder is removed at its end.
  static Certificates& get();
  ~Certificates();
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  [[nodiscard]] std::string path(std::string_view name) const { return folder_ + "/" + std::string{name}; }
  // --tls-cert NAME.pem --tls-key NAME.key, and what else is given.
  [[nodiscard]] std::vector<std::string> serve(std::string_view name, std::vector<std::string> more = {}) const;
  // "sha256//..." of NAME.pem's key.
  [[nodiscard]] std::string pin(std::string_view name) const;
  // "AB:CD:...", as openssl says it.
  [[nodiscard]] static std::string fingerprint(const std::string& file);
  // Makes NAME.pem and NAME.key again: another key and number for the same names.
  void renew(std::string_view name) const;

 private:
  Certificates();
  std::string folder_;
};

}  // namespace pollux::e2e
