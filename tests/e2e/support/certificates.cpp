#include "tests/e2e/support/certificates.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/e2e/support/app.hpp"

namespace pollux::e2e {

namespace {

// Each NAME has NAME.pem (its chain) and NAME.key; ca.pem has signed all of them through inter.pem, but where it says otherwise.
constexpr std::string_view script = R"sh(#!/bin/sh
set -eu
cd "$(dirname "$0")"
key() {  # key NAME [rsa]
  if [ "${2:-}" = rsa ]; then
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key"
  else
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
  fi
}
authority() {  # authority NAME COMMON_NAME
  key "$1"
  openssl req -x509 -key "$1.key" -subj "/CN=$2" -days 400 -out "$1.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}
signed() {  # signed NAME COMMON_NAME ALT_NAMES USAGE DAYS SIGNER [rsa]
  key "$1" "${7:-}"
  printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=%s\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' \
    "$4" "$3" > "$1.ext"
  openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA "$6.pem" -CAkey "$6.key" -set_serial "0x$(openssl rand -hex 12)" -days "$5" -extfile "$1.ext" -out "$1.pem"
  if [ "$6" = inter ]; then cat inter.pem >> "$1.pem"; fi
}
here=DNS:localhost,DNS:localhost.localdomain,IP:127.0.0.1,IP:::1
server() { signed "$1" localhost "$here" serverAuth 20 inter "${2:-}"; }
if [ $# -gt 0 ]; then
  server "$1"
  exit
fi
authority ca 'pollux tests root'
authority other 'somebody else'   # has signed nothing of ours
key inter
printf 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' > inter.ext
openssl req -new -key inter.key -subj '/CN=pollux tests intermediate' -out inter.csr
openssl x509 -req -in inter.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 400 -extfile inter.ext -out inter.pem
server server
server rsa rsa
signed example example.test DNS:example.test,DNS:*.example.test serverAuth 20 inter
# What a certificate of the world outside looks like: long enough valid, and with an address for its revocation.
key usual
printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=%s\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\ncrlDistributionPoints=URI:http://localhost/crl\n' "$here" > usual.ext
openssl req -new -key usual.key -subj /CN=localhost -out usual.csr
openssl x509 -req -in usual.csr -CA inter.pem -CAkey inter.key -set_serial "0x$(openssl rand -hex 12)" -days 200 -extfile usual.ext -out usual.pem
cat inter.pem >> usual.pem
signed wrong wrong.test DNS:wrong.test serverAuth 20 inter
signed expired localhost "$here" serverAuth -1 inter
signed client 'a client' email:client@example.test clientAuth 20 ca
signed stranger 'a stranger' email:stranger@example.test clientAuth 20 other
key self
openssl req -x509 -key self.key -subj /CN=localhost -days 20 -addext "subjectAltName=$here" -out self.pem
cat client.pem client.key > client-both.pem
openssl pkey -in client.key -aes128 -passout pass:secret -out client-locked.key
openssl pkey -in server.key -pubout -out server.pub
openssl pkey -in server.key -pubout -outform DER -out server.pub.der
openssl x509 -in server.pem -outform DER -out server.der
openssl pkey -in server.key -outform DER -out server.key.der
)sh";

std::string without_newline(std::string text) {
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text;
}

}  // namespace

Certificates& Certificates::get() {
  static Certificates made;
  return made;
}

Certificates::Certificates() : folder_{::testing::TempDir() + "pollux-certificates-XXXXXX"} {
  EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
  std::ofstream{path("make.sh")} << script;
  const Finished made = run("sh '" + path("make.sh") + "'");
  EXPECT_EQ(made.status, 0) << made.output << made.errors;
}

Certificates::~Certificates() {
  static_cast<void>(run("rm -rf '" + folder_ + "'"));
}

std::vector<std::string> Certificates::serve(std::string_view name, std::vector<std::string> more) const {
  const std::string base = path(name);
  more.insert(more.begin(), {"--tls-cert", base + ".pem", "--tls-key", base + ".key"});
  return more;
}

std::string Certificates::pin(std::string_view name) const {
  return "sha256//" + without_newline(run("openssl x509 -in '" + path(name) +
                                          ".pem' -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst "
                                          "-sha256 -binary | openssl base64")
                                          .output);
}

std::string Certificates::fingerprint(const std::string& file) {
  const std::string said = run("openssl x509 -in '" + file + "' -noout -fingerprint -sha256").output;
  return without_newline(said.substr(said.find('=') + 1));
}

void Certificates::renew(std::string_view name) const {
  const Finished made = run("sh '" + path("make.sh") + "' '" + std::string{name} + "'");
  EXPECT_EQ(made.status, 0) << made.errors;
}

}  // namespace pollux::e2e
