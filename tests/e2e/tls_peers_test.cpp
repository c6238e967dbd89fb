// https over loopback against servers and clients of others - nginx, Go's net/http - and what testssl.sh finds. What is not installed is skipped,
// with the name of its package.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/support/app.hpp"
#include "tests/e2e/support/certificates.hpp"
#include "tests/e2e/support/peer.hpp"

namespace pollux::e2e {
namespace {

class Environment : public ::testing::Environment {
 public:
  void SetUp() override {
    for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy",
                             "NO_PROXY", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}) {
      ::unsetenv(name);
    }
  }
};
const ::testing::Environment* const clean_environment = ::testing::AddGlobalTestEnvironment(new Environment);

Certificates& made() {
  return Certificates::get();
}
std::string quoted(const std::string& text) {
  return "'" + text + "'";
}
std::string file(std::string_view name) {
  return quoted(made().path(name));
}
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
void write_file(const std::string& path, std::string_view content) {
  std::ofstream{path, std::ios::binary} << content;
}

Finished curl(const std::string& arguments) {
  return run("curl -q -sS -m 20 --cacert " + file("ca.pem") + " " + arguments);
}
Finished fetch(const std::string& arguments) {
  return run(program("fetch") + " -sS -m 20 --cacert " + file("ca.pem") + " " + arguments);
}
void expect_as_curl(const std::string& arguments) {
  const Finished theirs = curl(arguments);
  const Finished ours = fetch(arguments);
  EXPECT_EQ(ours.output, theirs.output) << arguments;
  EXPECT_EQ(ours.status, theirs.status) << arguments << "\n" << ours.errors << theirs.errors;
}

std::string url(const Peer& peer, std::string_view path) {
  return quoted("https://localhost:" + std::to_string(peer.port()) + std::string{path});
}

#define SKIP_WITHOUT(name)                          \
  if (find_program(name).empty()) {                 \
    GTEST_SKIP() << "Debian package of " << (name); \
  }

// ---- nginx

class TlsNginx : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT("nginx"); }

  [[nodiscard]] static std::unique_ptr<Peer> start(const std::string& lines) {
    Listener listener;
    const std::string work = made().path("nginx-" + std::to_string(listener.port()));
    static_cast<void>(run("mkdir -p '" + work + "/root' && chmod -R go+rX '" + work + "'"));
    write_file(work + "/root/small.txt", "a small file\n");
    static_cast<void>(run("head -c 5000000 /dev/urandom > '" + work + "/root/big.bin'"));
    std::string paths;
    for (const char* name : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
      paths += "  " + std::string{name} + "_temp_path " + work + "/" + name + ";\n";
    }
    write_file(work + "/nginx.conf",
               std::string{::geteuid() == 0 ? "user root;\n" : ""} + "daemon off;\nerror_log stderr;\npid " + work +
                   "/nginx.pid;\nevents { worker_connections 256; }\nhttp {\n" + paths +
                   "  access_log off;\n  server {\n    listen 127.0.0.1:" + std::to_string(listener.port()) +
                   " ssl;\n    ssl_certificate " + made().path("server.pem") + ";\n    ssl_certificate_key " +
                   made().path("server.key") + ";\n    root " + work + "/root;\n" + lines + "  }\n}\n");
    return std::make_unique<Peer>(
        std::move(listener),
        std::vector<std::string>{find_program("nginx"), "-e", "stderr", "-c", work + "/nginx.conf"},
        std::vector<std::string>{"NGINX=3;"});
  }
};

TEST_F(TlsNginx, IsAsked) {
  const auto nginx = start("    ssl_protocols TLSv1.2 TLSv1.3;\n");
  for (const std::string version : {"--tls-max 1.2 ", "--tlsv1.3 "}) {
    expect_as_curl(version + "-w '|%{http_code} %{num_connects} %{scheme}|' " + url(*nginx, "/small.txt") + " " +
                   url(*nginx, "/small.txt"));
    EXPECT_EQ(run(program("fetch") + " -sS " + version + "--cacert " + file("ca.pem") + " " + url(*nginx, "/big.bin") +
                  " | cmp - " + quoted(made().path("nginx-" + std::to_string(nginx->port()) + "/root/big.bin")))
                  .status,
              0)
        << version;
  }
}

TEST_F(TlsNginx, ResumesItsSessions) {
  for (const char* lines : {"    ssl_protocols TLSv1.3;\n    ssl_session_tickets on;\n",
                            "    ssl_protocols TLSv1.2;\n    ssl_session_tickets on;\n"}) {
    const auto nginx = start(std::string{lines} + "    keepalive_timeout 0;\n");
    const std::string said = fetch("-v " + url(*nginx, "/small.txt") + " " + url(*nginx, "/small.txt")).errors;
    EXPECT_TRUE(has(said, "* SSL reused session ID\n")) << lines << said;
  }
}

TEST_F(TlsNginx, AsksForACertificate) {
  const auto nginx = start("    ssl_protocols TLSv1.2 TLSv1.3;\n    ssl_client_certificate " + made().path("ca.pem") +
                           ";\n    ssl_verify_client on;\n");
  const std::string mine = "--cert " + file("client.pem") + " --key " + file("client.key") + " ";
  for (const std::string version : {"--tls-max 1.2 ", "--tlsv1.3 "}) {
    expect_as_curl(version + mine + url(*nginx, "/small.txt"));
    expect_as_curl(version + "-o /dev/null -w '%{http_code}' " + url(*nginx, "/small.txt"));  // nginx says 400 in HTTP
  }
}

// What it speaks is too old, or nothing that a client of today wants.
TEST_F(TlsNginx, OffersNothingGood) {
  for (const char* lines : {"    ssl_protocols TLSv1.1;\n    ssl_ciphers ALL:@SECLEVEL=0;\n",
                            "    ssl_protocols TLSv1.2;\n    ssl_ciphers AES128-SHA:AES256-SHA;\n"}) {
    const auto nginx = start(lines);
    const Finished ours = fetch(url(*nginx, "/small.txt"));
    EXPECT_EQ(ours.status, 35) << lines << ours.errors;
  }
}

TEST_F(TlsNginx, IsLoadedAndStandsBehindTheGateway) {
  const auto nginx = start("    keepalive_requests 100;\n");
  const std::string plain_url = "https://localhost:" + std::to_string(nginx->port());
  const Finished load =
      run_app("load", {"-n", "2000", "-c", "8", "--cacert", made().path("ca.pem"), "--json", plain_url + "/small.txt"});
  EXPECT_EQ(load.status, 0) << load.output << load.errors;
  EXPECT_TRUE(has(load.output, "\"answers\": 2000,")) << load.output;
  write_file(made().path("gateway.conf"),
             "route / " + plain_url + "\noption upstream-ca " + made().path("ca.pem") + "\n");
  std::vector<std::string> arguments = made().serve("server", {"--config", made().path("gateway.conf")});
  App gateway{"gateway", arguments};
  const Finished through = run_app(
      "load", {"-n", "1000", "-c", "8", "--cacert", made().path("ca.pem"), "--json", gateway.https_url("/small.txt")});
  EXPECT_EQ(through.status, 0) << through.output << through.errors;
  EXPECT_EQ(run("curl -q -sS --cacert " + file("ca.pem") + " " + gateway.https_url("/big.bin") + " | cmp - " +
                quoted(made().path("nginx-" + std::to_string(nginx->port()) + "/root/big.bin")))
                .status,
            0);
}

// ---- Go

class TlsGo : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT("go"); }
  [[nodiscard]] static std::unique_ptr<Peer> start(bool secure = true) {
    std::vector<std::string> environment;
    if (secure) {
      environment = {"GO_PEER_CERT=" + made().path("server.pem"), "GO_PEER_KEY=" + made().path("server.key")};
    }
    return std::make_unique<Peer>(Listener{}, std::vector<std::string>{POLLUX_GO_PEER, made().path("")}, environment);
  }
  // What Go's client gets: a line for each request.
  [[nodiscard]] static Finished ask(const App& app, int count, const std::string& more = "",
                                    const std::string& environment = "") {
    return run(environment + " '" POLLUX_GO_CLIENT "' " + file("ca.pem") + " " + app.https_url("/hello") + " " +
               std::to_string(count) + " " + more);
  }
};

TEST_F(TlsGo, IsAsked) {
  const auto go = start();
  for (const std::string version : {"--tls-max 1.2 ", "--tlsv1.3 "}) {
    expect_as_curl(version + "--http1.1 -w '|%{http_code} %{num_connects}|' " + url(*go, "/hello") + " " +
                   url(*go, "/chunked") + " " + url(*go, "/trailers"));
    expect_as_curl(version + "--http1.1 -L -w '%{http_code} %{num_redirects}' " + url(*go, "/redirect/3"));
    expect_as_curl(version + "--http1.1 --compressed " + url(*go, "/gzip"));
    const std::string said = fetch("-v " + version + url(*go, "/close") + " " + url(*go, "/close")).errors;
    EXPECT_TRUE(has(said, "* SSL reused session ID\n")) << said;
  }
}

// A body that ends with its connection, and a body that does not come whole: with TLS's own end and without.
TEST_F(TlsGo, CutsBodies) {
  const auto go = start();
  for (const char* how :
       {"/cut?clean=1", "/cut?length=10&clean=1", "/cut?length=10", "/cut?length=5", "/cut?length=5&clean=1"}) {
    for (const std::string version : {"--tls-max 1.2 ", "--tlsv1.3 "}) {
      expect_as_curl(version + url(*go, how));
    }
  }
  // Stricter than curl, which takes it for whole.
  const Finished truncated = fetch(url(*go, "/cut"));
  EXPECT_EQ(truncated.status, 56) << "anybody may have cut it";
  EXPECT_EQ(truncated.output, "12345");
}

TEST_F(TlsGo, AsksUs) {
  App app{"hello", made().serve("server")};
  EXPECT_EQ(ask(app, 3).output, "200 13 HTTP/1.1 1.3 false\n200 13 HTTP/1.1 1.3 true\n200 13 HTTP/1.1 1.3 true\n");
  EXPECT_EQ(ask(app, 2, "", "GO_CLIENT_MAX=1.2").output, "200 13 HTTP/1.1 1.2 false\n200 13 HTTP/1.1 1.2 true\n");
  App strict{"hello", made().serve("rsa", {"--tls-client-ca", made().path("ca.pem")})};
  const std::string mine = file("client.pem") + " " + file("client.key");
  const Finished known = ask(strict, 1, mine);
  EXPECT_EQ(known.output, "200 13 HTTP/1.1 1.3 false\n") << known.errors;
  EXPECT_EQ(ask(strict, 1, mine, "GO_CLIENT_MAX=1.2").output, "200 13 HTTP/1.1 1.2 false\n");
  EXPECT_EQ(ask(strict, 1).status, 1);
  EXPECT_EQ(ask(strict, 1, "", "GO_CLIENT_MAX=1.2").status, 1);
}

TEST_F(TlsGo, IsTheProxy) {
  const auto proxy = start(false);
  App app{"httpbin", made().serve("server")};
  const std::string way = "http://127.0.0.1:" + std::to_string(proxy->port());
  const std::string target = app.https_url("/base64/aGVsbG8=");
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy"}) {
    const Finished answer =
        run(std::string{name} + "=" + way + " " + program("fetch") + " -v --cacert " + file("ca.pem") + " " + target);
    EXPECT_EQ(answer.output, "hello") << name << answer.errors;
    EXPECT_TRUE(has(answer.errors, "* Establish a tunnel to ")) << name << answer.errors;
  }
  expect_as_curl("-x " + way + " -w '|%{http_code} %{num_connects}' " + target + " " + target);
  EXPECT_EQ(run("http_proxy=" + way + " " + program("fetch") + " -v --cacert " + file("ca.pem") + " " + target).output,
            "hello");
  EXPECT_FALSE(
      has(run("http_proxy=" + way + " " + program("fetch") + " -v --cacert " + file("ca.pem") + " " + target).errors,
          "tunnel"));
  EXPECT_FALSE(has(run("https_proxy=" + way + " NO_PROXY=localhost " + program("fetch") + " -v --cacert " +
                       file("ca.pem") + " " + target)
                       .errors,
                   "tunnel"));
  expect_as_curl("-x " + way + " -o /dev/null https://127.0.0.1:1/");
}

// Another protocol through both halves of the gateway, each in TLS: 2 MB there and back at the same time, more than all buffers between hold.
TEST_F(TlsGo, UpgradesBehindTheGateway) {
  SKIP_WITHOUT("python3");
  const auto go = start();
  write_file(made().path("gateway.conf"), "route / https://localhost:" + std::to_string(go->port()) +
                                              "\noption upstream-ca " + made().path("ca.pem") + "\n");
  App gateway{"gateway", made().serve("server", {"--config", made().path("gateway.conf")})};
  for (const char* version : {"1.2", "1.3"}) {
    const Finished echoed = run("PYTHONDONTWRITEBYTECODE=1 python3 '" POLLUX_PEERS_DIR "/upgrade.py' " +
                                file("ca.pem") + " " + std::to_string(gateway.port()) + " " + version + " 2000000");
    EXPECT_EQ(echoed.status, 0) << version << echoed.output << echoed.errors;
  }
}

// ---- testssl.sh

// All of it, about two minutes. The certificate is of a CA of ours (given by --add-ca) and names an address for its revocation list, which nobody
// asks (no --phone-out): that is what is left out. Findings of severity WARN are about testssl.sh itself: an OpenSSL without some feature, a
// test of resumption that closes before the ticket has come.
TEST(TlsTestssl, FindsNothing) {
  SKIP_WITHOUT("testssl");
  App app{"httpbin", made().serve("usual")};
  const std::string findings = made().path("findings.json");
  const Finished finished =
      run("cd " + quoted(made().path("")) +
              " && timeout 420 testssl --quiet --warnings batch --color 0 --nodns none --ip 127.0.0.1 "
              "--openssl-timeout 10 --connect-timeout 10 --add-ca " +
              file("ca.pem") + " --jsonfile " + quoted(findings) + " " + app.https_url("/") + " </dev/null",
          450);
  std::ifstream in{findings};
  std::string line;
  std::string object;
  std::size_t count = 0;
  bool has_vulnerabilities = false;
  while (std::getline(in, line)) {
    object += line;
    if (!has(line, "}")) {
      continue;
    }
    ++count;
    has_vulnerabilities = has_vulnerabilities || has(object, "\"heartbleed\"");
    EXPECT_FALSE(std::regex_search(object, std::regex{R"re("severity"\s*:\s*"(MEDIUM|HIGH|CRITICAL|FATAL)")re"}))
        << object;
    object.clear();
  }
  // It has looked: the protocols, the ciphers, the certificate, the vulnerabilities, the simulated clients.
  EXPECT_GT(count, 100U) << finished.output << finished.errors;
  EXPECT_TRUE(has_vulnerabilities) << finished.output;
  EXPECT_TRUE(has(finished.output, "TLSv1.3") || has(finished.output, "TLS 1.3")) << finished.output;
}

}  // namespace
}  // namespace pollux::e2e
