// https over loopback: our servers asked by openssl and curl, our client asking openssl's server and our own, and both ends against what goes
// wrong. Where curl is the measure, pollux-fetch is given the same flags and the same server. Servers and clients of others are in
// tls_peers_test.cpp.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/support/app.hpp"
#include "tests/e2e/support/certificates.hpp"
#include "tests/e2e/support/peer.hpp"

namespace pollux::e2e {
namespace {

using Arguments = std::vector<std::string>;

// What the environment says of certificates and proxies is no business of these tests.
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

Finished curl(const std::string& arguments) {
  return run("curl -q -sS -m 20 " + arguments);
}
Finished fetch(const std::string& arguments) {
  return run(program("fetch") + " -sS -m 20 " + arguments);
}
// What openssl's client says of a handshake with `app`; as input, Q ends it and R asks for renegotiation.
std::string s_client(const App& app, const std::string& arguments, std::string_view input = "") {
  const Finished finished =
      run("printf '" + std::string{input} + "' | openssl s_client -connect 127.0.0.1:" + std::to_string(app.port()) +
          " -CAfile " + file("ca.pem") + " " + arguments + " 2>&1");
  return finished.output;
}

// A connection of openssl's client that stays open: requests go in, answers come out.
class Connection {
 public:
  Connection(const App& app, const std::string& arguments) : fifo_{::testing::TempDir() + "pollux-tls-XXXXXX"} {
    EXPECT_NE(::mkdtemp(fifo_.data()), nullptr);
    EXPECT_EQ(::mkfifo((fifo_ + "/out").c_str(), 0600), 0);
    const std::string command =
        "openssl s_client -quiet -no_ign_eof -verify_return_error -connect 127.0.0.1:" + std::to_string(app.port()) +
        " -CAfile " + file("ca.pem") + " " + arguments + " > '" + fifo_ + "/out' 2>/dev/null";
    in_ = ::popen(command.c_str(), "w");
    out_ = std::fopen((fifo_ + "/out").c_str(), "r");
  }
  ~Connection() {
    ::pclose(in_);
    std::fclose(out_);
    static_cast<void>(run("rm -rf '" + fifo_ + "'"));
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void say(std::string_view text) const {
    std::fwrite(text.data(), 1, text.size(), in_);
    std::fflush(in_);
  }
  [[nodiscard]] std::string read(std::size_t size) const {
    std::string text(size, '\0');
    text.resize(std::fread(text.data(), 1, size, out_));
    return text;
  }
  // "Hello, world!", whatever fields stand before it.
  [[nodiscard]] bool says_hello() const {
    say("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::string text;
    while (!text.ends_with("Hello, world!")) {
      const std::string more = read(1);
      if (more.empty()) {
        return false;
      }
      text += more;
    }
    return text.starts_with("HTTP/1.1 200 OK\r\n");
  }

 private:
  std::string fifo_;
  std::FILE* in_ = nullptr;
  std::FILE* out_ = nullptr;
};

// ---- our server

TEST(TlsServer, SaysWhereItIs) {
  App app{"hello",
          made().serve("server", {"--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--http-redirect", "127.0.0.1:0"})};
  ASSERT_EQ(app.lines().size(), 3U);
  EXPECT_EQ(app.lines()[0], "listening on https://127.0.0.1:" + std::to_string(app.port()));
  EXPECT_TRUE(app.lines()[1].starts_with("listening on https://[::1]:"));
  EXPECT_EQ(app.lines()[2], "redirecting http://127.0.0.1:" + std::to_string(app.redirect_port()) + " to https");
}

TEST(TlsServer, AnswersCurl) {
  for (const char* name : {"server", "rsa"}) {
    App app{"hello", made().serve(name)};
    for (const char* version : {"--tls-max 1.2", "--tlsv1.3"}) {
      const Finished answer = curl("--cacert " + file("ca.pem") + " " + version +
                                   " -w '|%{http_version} %{ssl_verify_result}' " + app.https_url("/hello"));
      EXPECT_EQ(answer.output, "Hello, world!|1.1 0") << name << " " << version << answer.errors;
    }
    EXPECT_EQ(app.terminate(), 0);
    EXPECT_EQ(app.errors(), "");
  }
}

TEST(TlsServer, TakesDer) {
  App app{"hello", {"--tls-cert", made().path("server.der"), "--tls-key", made().path("server.key.der")}};
  // DER has no room for the intermediate certificate: the client knows it.
  EXPECT_EQ(curl("--cacert " + file("inter.pem") + " " + app.https_url("/hello")).output, "Hello, world!");
}

TEST(TlsServer, AgreesOnWhatBothCan) {
  App app{"hello", made().serve("server")};
  const std::string tls12 = s_client(app, "-tls1_2 -servername localhost -alpn h2,http/1.1", "Q\\n");
  EXPECT_TRUE(has(tls12, "Protocol  : TLSv1.2")) << tls12;
  EXPECT_TRUE(has(tls12, "ALPN protocol: http/1.1")) << tls12;
  EXPECT_TRUE(has(tls12, "Verify return code: 0 (ok)")) << tls12;
  EXPECT_TRUE(has(tls12, "Secure Renegotiation IS supported")) << tls12;
  EXPECT_TRUE(has(tls12, "Extended master secret: yes")) << tls12;
  const std::string tls13 = s_client(app, "-tls1_3 -servername localhost -alpn http/1.1", "Q\\n");
  EXPECT_TRUE(has(tls13, "New, TLSv1.3")) << tls13;
  EXPECT_TRUE(has(tls13, "Verify return code: 0 (ok)")) << tls13;
  for (const char* group : {"X25519", "P-256", "P-384"}) {
    EXPECT_TRUE(has(s_client(app, std::string{"-tls1_3 -groups "} + group, "Q\\n"), "New, TLSv1.3")) << group;
  }
  for (const char* cipher : {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
    EXPECT_TRUE(
        has(s_client(app, std::string{"-tls1_3 -ciphersuites "} + cipher, "Q\\n"), std::string{"Cipher is "} + cipher))
        << cipher;
  }
  // What is broken is not spoken: old versions, CBC, RSA key exchange.
  for (const char* old : {"-tls1_1 -cipher DEFAULT@SECLEVEL=0", "-tls1 -cipher DEFAULT@SECLEVEL=0",
                          "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", "-tls1_2 -cipher AES128-GCM-SHA256"}) {
    EXPECT_TRUE(has(s_client(app, old, "Q\\n"), "Cipher is (NONE)")) << old;
  }
  EXPECT_TRUE(has(s_client(app, "-tls1_2 -alpn h2", "Q\\n"), "no application protocol"));
  EXPECT_EQ(curl("--cacert " + file("ca.pem") + " " + app.https_url("/hello")).output, "Hello, world!")
      << "nobody was hurt";
}

// A client that asks for renegotiation is refused, and its connection may go.
TEST(TlsServer, RefusesRenegotiation) {
  App app{"hello", made().serve("server")};
  const std::string said = s_client(app, "-tls1_2", "R\\n");
  EXPECT_TRUE(has(said, "RENEGOTIATING")) << said;
  EXPECT_FALSE(has(said, "read R BLOCK\nverify")) << said;
  EXPECT_EQ(curl("--cacert " + file("ca.pem") + " " + app.https_url("/hello")).output, "Hello, world!");
}

TEST(TlsServer, Resumes) {
  App app{"hello", made().serve("server")};
  const std::string again = s_client(app, "-tls1_2 -reconnect", "");
  std::size_t reused = 0;
  for (std::size_t at = again.find("\nReused, TLSv1.2"); at != std::string::npos;
       at = again.find("\nReused, TLSv1.2", at + 1)) {
    ++reused;
  }
  EXPECT_EQ(reused, 5U) << again;
  const std::string ticket = made().path("session");
  const std::string request = "GET /hello HTTP/1.0\\r\\n\\r\\n";
  EXPECT_TRUE(has(s_client(app, "-tls1_3 -ign_eof -sess_out " + quoted(ticket), request), "Hello, world!"));
  const std::string resumed = s_client(app, "-tls1_3 -ign_eof -sess_in " + quoted(ticket), request);
  EXPECT_TRUE(has(resumed, "\nReused, TLSv1.3")) << resumed;
  EXPECT_TRUE(has(resumed, "Hello, world!")) << resumed;
}

TEST(TlsServer, ChoosesTheCertificateByName) {
  Arguments arguments = made().serve("server");
  const Arguments other = made().serve("example");
  arguments.insert(arguments.end(), other.begin(), other.end());
  App app{"hello", arguments};
  const std::string resolve = "--resolve example.test:" + std::to_string(app.port()) +
                              ":127.0.0.1 --resolve www.example.test:" + std::to_string(app.port()) + ":127.0.0.1 ";
  for (const char* host : {"localhost", "example.test", "www.example.test"}) {
    const std::string url = std::string{"https://"} + host + ":" + std::to_string(app.port()) + "/hello";
    EXPECT_EQ(curl(resolve + "--cacert " + file("ca.pem") + " " + url).output, "Hello, world!") << host;
    EXPECT_EQ(fetch(resolve + "--cacert " + file("ca.pem") + " " + url).output, "Hello, world!") << host;
  }
  EXPECT_TRUE(has(s_client(app, "-servername www.example.test", "Q\\n"), "subject=CN = example.test"));
  EXPECT_TRUE(has(s_client(app, "-servername somebody.else", "Q\\n"), "subject=CN = localhost"))
      << "the first, for strangers";
  EXPECT_TRUE(has(s_client(app, "-noservername", "Q\\n"), "subject=CN = localhost"));
}

TEST(TlsServer, AsksForClientCertificates) {
  const std::string mine = " --cert " + file("client.pem") + " --key " + file("client.key") + " ";
  const std::string stranger = " --cert " + file("stranger.pem") + " --key " + file("stranger.key") + " ";
  for (const std::string version : {"--tls-max 1.2 ", "--tlsv1.3 "}) {
    const std::string trusting = version + "--cacert " + file("ca.pem");
    {
      App app{"hello", made().serve("server", {"--tls-client-ca", made().path("ca.pem")})};
      const std::string url = app.https_url("/hello");
      EXPECT_EQ(curl(trusting + mine + url).output, "Hello, world!") << version;
      EXPECT_EQ(fetch(trusting + mine + url).output, "Hello, world!") << version;
      EXPECT_EQ(fetch(trusting + " --cert " + file("client-both.pem") + " " + url).output, "Hello, world!") << version;
      for (const std::string& without : {std::string{" "}, stranger}) {
        const Finished theirs = curl(trusting + without + url);
        const Finished ours = fetch(trusting + without + url);
        EXPECT_NE(theirs.status, 0) << version << without;
        EXPECT_EQ(ours.status, theirs.status) << version << without << ours.errors << theirs.errors;
      }
    }
    App app{"hello",
            made().serve("server", {"--tls-client-ca", made().path("ca.pem"), "--tls-client-auth", "request"})};
    const std::string url = app.https_url("/hello");
    EXPECT_EQ(curl(trusting + " " + url).output, "Hello, world!") << version;
    EXPECT_EQ(curl(trusting + mine + url).output, "Hello, world!") << version;
    EXPECT_NE(curl(trusting + stranger + url).status, 0) << "one that is shown has to be good; " << version;
  }
}

TEST(TlsServer, TellsClientsThatSpeakHttp) {
  App app{"hello", made().serve("server")};
  const Finished finished = curl("-i http://127.0.0.1:" + std::to_string(app.port()) + "/hello");
  EXPECT_TRUE(finished.output.starts_with("HTTP/1.0 400 Bad Request\r\n")) << finished.output;
  EXPECT_TRUE(has(finished.output, "Client sent an HTTP request to an HTTPS server.")) << finished.output;
}

TEST(TlsServer, LeavesUnixSocketsInTheClear) {
  const std::string path = made().path("socket");
  App app{"hello", made().serve("server", {"--listen", "127.0.0.1:0", "--listen", "unix:" + path})};
  EXPECT_EQ(app.lines()[1], "listening on unix:" + path);
  EXPECT_EQ(curl("--unix-socket " + quoted(path) + " http://h/hello").output, "Hello, world!");
  EXPECT_EQ(curl("--cacert " + file("ca.pem") + " " + app.https_url("/hello")).output, "Hello, world!");
}

TEST(TlsServer, TakesASocketOfTheServiceManager) {
  Listener listener;
  App app{"hello", made().serve("server"), {.environment = {}, .listener = listener.descriptor()}};
  EXPECT_EQ(app.lines()[0], "listening on https://127.0.0.1:" + std::to_string(listener.port()));
  EXPECT_EQ(curl("--cacert " + file("ca.pem") + " " + app.https_url("/hello")).output, "Hello, world!");
}

TEST(TlsServer, SendsPeopleFromHttpToHttps) {
  App app{"hello", made().serve("server", {"--http-redirect", "127.0.0.1:0"})};
  const std::string plain = "http://localhost:" + std::to_string(app.redirect_port());
  EXPECT_EQ(curl("-o /dev/null -w '%{http_code} %{redirect_url}' '" + plain + "/hello?a=b'").output,
            "301 " + app.https_url("/hello?a=b"));
  EXPECT_EQ(curl("-o /dev/null -w '%{http_code}' -d a=b " + plain + "/hello").output, "308");
  EXPECT_EQ(curl("-L --cacert " + file("ca.pem") + " " + plain + "/hello").output, "Hello, world!");
  EXPECT_EQ(fetch("-L --cacert " + file("ca.pem") + " " + plain + "/hello").output, "Hello, world!");
}

TEST(TlsServer, ReadsItsFilesAgain) {
  made().renew("reloaded");
  const std::string before = Certificates::fingerprint(made().path("reloaded.pem"));
  App app{"hello", made().serve("reloaded")};
  const auto shown = [&app] {
    const std::string pem = made().path("shown.pem");
    std::ofstream{pem} << s_client(app, "-servername localhost", "Q\\n");
    return Certificates::fingerprint(pem);
  };
  // SIGHUP is taken up in the loop's next turn: a connection that is accepted before its handshake may still get the old one.
  const auto reload = [&app](std::string_view says) {
    const std::size_t known = app.errors().size();
    app.signal(SIGHUP);
    for (int i = 0; i < 200 && app.errors().find('\n', known) == std::string::npos; ++i) {
      static_cast<void>(curl("-k " + app.https_url("/hello")));
    }
    EXPECT_TRUE(has(app.errors().substr(known), says)) << app.errors();
  };
  EXPECT_EQ(shown(), before);
  Connection open{app, "-servername localhost"};
  EXPECT_TRUE(open.says_hello());

  made().renew("reloaded");
  const std::string after = Certificates::fingerprint(made().path("reloaded.pem"));
  EXPECT_NE(after, before);
  reload("certificates reloaded, valid until 2");
  EXPECT_EQ(shown(), after);
  EXPECT_TRUE(open.says_hello()) << "a connection from before lives on";

  // What cannot be used changes nothing, and is named.
  std::ofstream{made().path("reloaded.pem")} << "nonsense";
  reload("--tls-cert " + made().path("reloaded.pem") + ": ");
  EXPECT_TRUE(has(app.errors(), "certificates not reloaded: those there were stay in use")) << app.errors();
  EXPECT_EQ(shown(), after);
  ASSERT_EQ(run("cp " + file("server.pem") + " " + file("reloaded.pem")).status, 0);
  reload("--tls-key " + made().path("reloaded.key") + ": is not the key of --tls-cert " + made().path("reloaded.pem"));
  EXPECT_EQ(shown(), after);
  ASSERT_EQ(run("rm " + file("reloaded.pem")).status, 0);
  reload("--tls-cert " + made().path("reloaded.pem") + ": no such file");
  EXPECT_EQ(shown(), after);
  EXPECT_TRUE(open.says_hello());
}

TEST(TlsServer, SaysWhatIsWrongWithItsFlags) {
  const std::string cert = made().path("server.pem");
  const std::string key = made().path("server.key");
  struct Case {
    Arguments arguments;
    int status;
    std::string says;
  };
  const Case cases[] = {
      {{"--tls-cert", cert}, 2, "--tls-cert " + cert + ": its --tls-key is missing\n"},
      {{"--tls-key", key}, 2, "--tls-key " + key + ": its --tls-cert is missing\n"},
      {{"--http-redirect", "127.0.0.1:0"}, 2, "--http-redirect: needs --tls-cert and --tls-key"},
      {{"--http-redirect", "nowhere"}, 2, "is not ADDR:PORT"},
      {{"--tls-client-ca", cert}, 2, "--tls-client-ca: needs --tls-cert and --tls-key"},
      {{"--tls-client-auth", "maybe"}, 2, "is neither request nor require"},
      {{"--tls-cert", "/nowhere/c", "--tls-key", key}, 1, "--tls-cert /nowhere/c: no such file or directory\n"},
      {{"--tls-cert", cert, "--tls-key", "/nowhere/k"}, 1, "--tls-key /nowhere/k: no such file or directory\n"},
      {{"--tls-cert", key, "--tls-key", key}, 1, "--tls-cert " + key + ": "},
      {{"--tls-cert", cert, "--tls-key", cert}, 1, "--tls-key " + cert + ": "},
      {{"--tls-cert", cert, "--tls-key", made().path("rsa.key")},
       1,
       "--tls-key " + made().path("rsa.key") + ": is not the key of --tls-cert " + cert + "\n"},
      {{"--tls-cert", cert, "--tls-key", made().path("client-locked.key")},
       1,
       "--tls-key " + made().path("client-locked.key") + ": "},
      {{"--tls-cert", cert, "--tls-key", key, "--tls-client-ca", "/nowhere/ca"},
       1,
       "--tls-client-ca /nowhere/ca: no such file"},
      {{"--tls-cert", cert, "--tls-key", key, "--tls-client-ca", key}, 1, "--tls-client-ca " + key + ": "},
      {{"--tls-cert", cert, "--tls-key", key, "--tls-cert", cert, "--tls-key", key, "--tls-cert", cert, "--tls-key",
        key},
       2,
       "--tls-cert: this program has room for 2 certificates\n"},
  };
  for (const Case& one : cases) {
    Arguments arguments = one.arguments;
    arguments.insert(arguments.end(), {"--listen", "127.0.0.1:0"});
    const Finished finished = run_app("hello", arguments);
    EXPECT_EQ(finished.status, one.status) << one.says << finished.errors;
    EXPECT_TRUE(has(finished.errors, one.says)) << finished.errors << one.says;
    EXPECT_EQ(finished.output, "") << one.says;
  }
}

// Of several pairs it is the one that is wrong that is named.
TEST(TlsServer, NamesThePairThatIsWrong) {
  Arguments arguments = made().serve("server");
  arguments.insert(arguments.end(), {"--tls-cert", made().path("example.pem"), "--tls-key", made().path("rsa.key")});
  const Finished finished = run_app("hello", arguments);
  EXPECT_EQ(finished.status, 1);
  EXPECT_EQ(finished.errors, "--tls-key " + made().path("rsa.key") + ": is not the key of --tls-cert " +
                                 made().path("example.pem") + "\n");
}

TEST(TlsServer, ServesWithAnExpiredCertificateAndSaysSo) {
  App app{"hello", made().serve("expired")};
  EXPECT_TRUE(has(app.errors(), "warning: --tls-cert " + made().path("expired.pem") + ": expired on ")) << app.errors();
  EXPECT_EQ(curl("-k " + app.https_url("/hello")).output, "Hello, world!");
}

// ---- httpbin and the device

TEST(TlsServer, HttpbinKnowsItsScheme) {
  App app{"httpbin", made().serve("server")};
  const std::string trusting = "--cacert " + file("ca.pem") + " ";
  EXPECT_TRUE(has(curl(trusting + app.https_url("/get")).output, "\"url\": \"" + app.https_url("/get") + "\""));
  EXPECT_EQ(curl(trusting + "-o /dev/null -w '%{redirect_url}' " + app.https_url("/absolute-redirect/2")).output,
            app.https_url("/absolute-redirect/1"));
  // Long bodies both ways.
  const std::string data = made().path("data");
  ASSERT_EQ(run("head -c 3000000 /dev/urandom > " + quoted(data)).status, 0);
  for (const std::string version : {"--tls-max 1.2 ", "--tlsv1.3 "}) {
    for (const std::string& client : {std::string{"curl -q"}, program("fetch")}) {
      const Finished echoed = run(client + " -sS " + version + trusting + "--data-binary @" + quoted(data) + " " +
                                  app.https_url("/echo") + " | cmp - " + quoted(data));
      EXPECT_EQ(echoed.status, 0) << client << version << echoed.errors << echoed.output;
    }
  }
}

TEST(TlsServer, ShowsWhatTlsDoes) {
  App app{"device", made().serve("server")};
  const std::string trusting = "--cacert " + file("ca.pem") + " ";
  static_cast<void>(curl("http://127.0.0.1:" + std::to_string(app.port()) + "/"));
  static_cast<void>(curl(app.https_url("/healthz")));
  const std::string status = curl(trusting + app.https_url("/api/v1/pollux")).output;
  EXPECT_TRUE(std::regex_search(
      status, std::regex{R"("tls":\{"handshakes":1,"resumed":0,"failed":2,"waited":\d+,"plain_http":1,)"}))
      << status;
  EXPECT_TRUE(has(status, "\"sha256\":\"" + Certificates::fingerprint(made().path("server.pem")) + "\"")) << status;
  EXPECT_TRUE(has(status, "\"subject\":\"CN=localhost\"")) << status;
  EXPECT_TRUE(has(status, "\"days_left\":19")) << status;
  EXPECT_TRUE(has(status, "{\"name\":\"TLS sessions\",\"used\":1,")) << status;
  const std::string metrics = curl(trusting + app.https_url("/metrics")).output;
  for (const char* line :
       {"\npollux_tls_handshakes_total{kind=\"full\"} 2\n", "\npollux_tls_handshakes_total{kind=\"plain_http\"} 1\n",
        "\npollux_tls_sessions{state=\"size\"} ", "\npollux_tls_arena_bytes{state=\"used_max\"} ",
        "\npollux_tls_certificate_days_left{subject=\"CN=localhost\"} 19.000\n"}) {
    EXPECT_TRUE(has(metrics, line)) << line << metrics;
  }
  EXPECT_FALSE(has(curl(trusting + app.https_url("/")).output, "http://"))
      << "nothing of the page is loaded in the clear";
}

class SelfSigned : public ::testing::Test {
 protected:
  SelfSigned() : folder_{::testing::TempDir() + "pollux-self-XXXXXX"} { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~SelfSigned() override { static_cast<void>(run("rm -rf '" + folder_ + "'")); }
  [[nodiscard]] std::string path(std::string_view name) const { return folder_ + "/" + std::string{name}; }
  [[nodiscard]] Arguments flags() const { return {"--tls-self-signed", folder_, "--listen", "127.0.0.1:0"}; }

  std::string folder_;
};

TEST_F(SelfSigned, IsMadeOnceAndKept) {
  std::string first;
  {
    App app{"device", flags()};
    first = Certificates::fingerprint(path("cert.pem"));
    ASSERT_EQ(app.lines().size(), 3U);
    EXPECT_TRUE(app.lines()[0].starts_with("made certificate " + path("cert.pem") + ", valid until 2"))
        << app.lines()[0];
    EXPECT_EQ(app.lines()[1], "SHA-256 fingerprint " + first);
    const std::string trusting = "--cacert " + quoted(path("cert.pem")) + " ";
    EXPECT_EQ(curl(trusting + app.https_url("/healthz")).output, "ok\n");
    EXPECT_EQ(fetch(trusting + app.https_url("/healthz")).output, "ok\n");
    EXPECT_EQ(curl(trusting + "https://127.0.0.1:" + std::to_string(app.port()) + "/healthz").output, "ok\n");
    EXPECT_EQ(curl(app.https_url("/healthz")).status, 60);
  }
  EXPECT_EQ(run("stat -c %a '" + path("key.pem") + "' '" + path("cert.pem") + "'").output, "600\n644\n");
  EXPECT_EQ(run("ls '" + folder_ + "'").output, "cert.pem\nkey.pem\n");
  const std::string names = run("openssl x509 -in '" + path("cert.pem") + "' -noout -ext subjectAltName").output;
  for (const char* name : {"DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1"}) {
    EXPECT_TRUE(has(names, name)) << names;
  }
  App app{"device", flags()};
  EXPECT_TRUE(app.lines()[0].starts_with("certificate " + path("cert.pem") + ", valid until 2")) << app.lines()[0];
  EXPECT_EQ(app.lines()[1], "SHA-256 fingerprint " + first);
  EXPECT_EQ(Certificates::fingerprint(path("cert.pem")), first);
}

TEST_F(SelfSigned, NamesTheMachineAndWhereItListens) {
  ASSERT_EQ(run("mkdir -p '" + path("proc/sys/kernel") + "' '" + path("tls") + "' && echo greenhouse > '" +
                path("proc/sys/kernel/hostname") + "'")
                .status,
            0);
  App app{
      "device",
      {"--tls-self-signed", path("tls"), "--procfs", path("proc"), "--listen", "127.0.0.2:0", "--listen", "0.0.0.0:0"}};
  const std::string said =
      run("openssl x509 -in '" + path("tls/cert.pem") + "' -noout -subject -ext subjectAltName").output;
  for (const char* name :
       {"subject=CN = greenhouse", "DNS:greenhouse", "DNS:greenhouse.local", "IP Address:127.0.0.2"}) {
    EXPECT_TRUE(has(said, name)) << said;
  }
  EXPECT_FALSE(has(said, "0.0.0.0")) << said;
}

TEST_F(SelfSigned, OverwritesNothing) {
  ASSERT_EQ(run("cp " + file("server.key") + " '" + path("key.pem") + "'").status, 0);
  const Finished lone_key = run_app("device", flags());
  EXPECT_EQ(lone_key.status, 1);
  EXPECT_TRUE(has(lone_key.errors, "--tls-self-signed " + path("cert.pem") + ": is missing, and key.pem is there"))
      << lone_key.errors;
  EXPECT_EQ(run("cmp " + file("server.key") + " '" + path("key.pem") + "'").status, 0);
  // A power cut between the two renames: what was begun is finished.
  ASSERT_EQ(run("cp " + file("server.pem") + " '" + path("cert.pem.part") + "'").status, 0);
  App app{"device", flags()};
  EXPECT_EQ(app.lines()[1], "SHA-256 fingerprint " + Certificates::fingerprint(made().path("server.pem")));
  EXPECT_EQ(app.terminate(), 0);
  ASSERT_EQ(run("rm '" + path("key.pem") + "'").status, 0);
  const Finished lone_certificate = run_app("device", flags());
  EXPECT_EQ(lone_certificate.status, 1);
  EXPECT_TRUE(
      has(lone_certificate.errors, "--tls-self-signed " + path("key.pem") + ": is missing, and cert.pem is there"))
      << lone_certificate.errors;
  EXPECT_EQ(run_app("device", {"--tls-self-signed", path("none")}).status, 1);
  Arguments both = made().serve("server", flags());
  EXPECT_EQ(run_app("device", both).status, 2);
}

// ---- our client, with curl beside it

class TlsFetch : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (const char* name : {"server", "wrong", "expired", "self"}) {
      apps_.push_back(std::make_unique<App>("httpbin", made().serve(name)));
    }
    apps_.push_back(std::make_unique<App>("httpbin"));
  }
  static void TearDownTestSuite() { apps_.clear(); }

  enum Which : std::size_t { good, wrong_name, expired, self_signed, plain };
  [[nodiscard]] static std::string url(Which which, std::string_view path = "/base64/aGVsbG8=") {
    return apps_[which]->https_url(path);
  }

  static std::vector<std::unique_ptr<App>> apps_;
};
std::vector<std::unique_ptr<App>> TlsFetch::apps_;

TEST_F(TlsFetch, EndsAsCurlDoes) {
  const std::string ca = "--cacert " + file("ca.pem") + " ";
  const std::string pin = made().pin("server");
  const std::string other_pin = made().pin("rsa");
  struct Case {
    std::string arguments;
    int status;
    std::string_view says = "";
  };
  const Case cases[] = {
      {ca + url(good), 0},
      {ca + "--tls-max 1.2 " + url(good), 0},
      {ca + "--tlsv1.3 " + url(good), 0},
      {ca + "--tlsv1.0 " + url(good), 0},
      {ca + "--tls-max 1.1 " + url(good), 35, "TLS 1.0 and 1.1 are not spoken here"},
      {ca + "--tlsv1.3 --tls-max 1.2 " + url(good), 35, "leave no version"},
      {"--capath /nowhere " + ca + url(self_signed), 77, "CApath /nowhere"},
      {"-k " + url(good), 0},
      {"-k " + url(wrong_name), 0},
      {"-k " + url(expired), 0},
      {"-k " + url(self_signed), 0},
      {url(good), 60, "nobody we trust signed the certificate"},
      {"--cacert " + file("other.pem") + " " + url(good), 60, "--cacert"},
      {ca + url(wrong_name), 60, "another name"},
      {ca + url(expired), 60, "expired on "},
      {ca + url(self_signed), 60, "signed itself"},
      {"--cacert " + file("self.pem") + " " + url(self_signed), 0},
      {"--cacert /nowhere " + url(good), 77, "/nowhere"},
      {"--cacert " + file("ca.key") + " " + url(good), 77, "CAfile"},
      {ca + "--cert /nowhere " + url(good), 58, "/nowhere"},
      {ca + "--cert " + file("client.pem") + " " + url(good), 58, "client.pem"},
      {ca + "--cert " + file("client.pem") + " --key " + file("server.key") + " " + url(good), 58, "server.key"},
      {ca + "--ciphers nonsense " + url(good), 59, "cipher"},
      {ca + "--pinnedpubkey '" + pin + "' " + url(good), 0},
      {ca + "--pinnedpubkey '" + other_pin + ";" + pin + "' " + url(good), 0},
      {ca + "--pinnedpubkey '" + other_pin + "' " + url(good), 90, "does not match pinned public key"},
      {"-k --pinnedpubkey '" + other_pin + "' " + url(good), 90, "does not match pinned public key"},
      {ca + "--pinnedpubkey " + file("server.pub") + " " + url(good), 0},
      {ca + "--pinnedpubkey " + file("server.pub.der") + " " + url(good), 0},
      {ca + "--pinnedpubkey /nowhere " + url(good), 90, "/nowhere"},
      {ca + "--pinnedpubkey sha256//short " + url(good), 90, "sha256//short"},
      {ca + url(plain), 35, "in clear text"},
      {ca + "https://127.0.0.1:" + url(good).substr(url(good).rfind(':') + 1), 0},
      {ca + "-o /dev/null -w '%{http_code} %{scheme} %{http_version} %{ssl_verify_result} %{num_connects}' " +
           url(good),
       0},
      {"-k -o /dev/null -w '%{http_code} %{ssl_verify_result}' " + url(self_signed), 0},
      {"-o /dev/null -w '%{http_code} %{ssl_verify_result}' " + url(self_signed), 60},
  };
  for (const Case& one : cases) {
    const Finished ours = fetch(one.arguments);
    EXPECT_EQ(ours.status, one.status) << one.arguments << "\n" << ours.errors;
    EXPECT_TRUE(has(ours.errors, one.says)) << one.arguments << "\n" << ours.errors;
    if (has(one.arguments, "--capath")) {
      continue;  // OpenSSL looks into the folder when it needs it, and sees nothing
    }
    const Finished theirs = curl(one.arguments);
    EXPECT_EQ(ours.status, theirs.status) << one.arguments << "\n" << ours.errors << theirs.errors;
    EXPECT_EQ(ours.output, theirs.output) << one.arguments;
  }
}

TEST_F(TlsFetch, TakesTrustFromTheEnvironment) {
  const std::string ask = program("fetch") + " -sS " + url(good);
  EXPECT_EQ(run("CURL_CA_BUNDLE=" + file("ca.pem") + " " + ask).output, "hello");
  EXPECT_EQ(run("SSL_CERT_FILE=" + file("ca.pem") + " " + ask).output, "hello");
  ASSERT_EQ(run("mkdir -p " + file("folder") + " && cp " + file("ca.pem") + " " + file("folder/one.crt") +
                " && echo x > " + file("folder/readme.pem"))
                .status,
            0);
  EXPECT_EQ(run("SSL_CERT_DIR=" + file("folder") + " " + ask).output, "hello");
  EXPECT_EQ(fetch("--capath " + file("folder") + " " + url(good)).output, "hello");
  EXPECT_EQ(run("CURL_CA_BUNDLE=" + file("other.pem") + " SSL_CERT_FILE=" + file("ca.pem") + " " + ask).status, 60);
  EXPECT_EQ(run("SSL_CERT_FILE=/nowhere " + ask).status, 77);
}

TEST_F(TlsFetch, ShowsWhatWasAgreedOn) {
  const std::string said = fetch("-v --tls-max 1.2 --cacert " + file("ca.pem") + " " + url(good)).errors;
  for (const char* line :
       {"\n*  CAfile: ", "\n* SSL connection using TLSv1.2 / TLS_ECDHE_ECDSA_WITH_",
        "\n* ALPN: server accepted http/1.1\n", "\n* Server certificate:\n*  subject: CN=localhost\n*  start date: ",
        " GMT\n*  expire date: ", "\n*  issuer: CN=pollux tests intermediate\n", "\n*  SSL certificate verify ok.\n"}) {
    EXPECT_TRUE(has(said, line)) << line << said;
  }
  EXPECT_TRUE(has(said, made().pin("server"))) << said;
  const std::string insecure = fetch("-v -k " + url(self_signed)).errors;
  EXPECT_TRUE(has(insecure, "(18), continuing anyway.")) << insecure;
}

TEST_F(TlsFetch, ShoutsWhenNothingIsChecked) {
  const std::string loud = "Warning: -k: the certificate is not checked.";
  EXPECT_TRUE(has(run(program("fetch") + " -k " + url(self_signed)).errors, loud));
  EXPECT_EQ(run(program("fetch") + " -s -k " + url(self_signed)).errors, "");
  EXPECT_FALSE(has(run(program("fetch") + " -k " + apps_[plain]->url("/get")).errors, loud)) << "nothing was https";
}

TEST_F(TlsFetch, ResumesWithinACall) {
  const std::string ca = "--cacert " + file("ca.pem") + " ";
  for (const std::string version : {"--tls-max 1.2 ", "--tlsv1.3 "}) {
    const std::string closing =
        fetch("-v " + version + ca + "-H 'Connection: close' " + url(good) + " " + url(good)).errors;
    EXPECT_TRUE(has(closing, "* SSL reused session ID\n")) << version << closing;
    EXPECT_EQ(
        fetch(version + ca + "-o /dev/null -o /dev/null -w '%{num_connects}' " + url(good) + " " + url(good)).output,
        "10");
  }
}

TEST_F(TlsFetch, MeasuresTheHandshake) {
  const std::string times =
      fetch("--cacert " + file("ca.pem") +
            " -o /dev/null -w '%{time_connect} %{time_appconnect} %{time_pretransfer} ' " + url(good) + " " + url(good))
          .output;
  double connect = 0;
  double app = 0;
  double pretransfer = 0;
  ASSERT_EQ(std::sscanf(times.c_str(), "%lf %lf %lf", &connect, &app, &pretransfer), 3) << times;
  EXPECT_GT(app, connect);
  EXPECT_GE(pretransfer, app);
}

TEST_F(TlsFetch, AsksOpensslsServer) {
  for (const std::string version : {"-tls1_2", "-tls1_3"}) {
    Listener listener;
    const std::uint16_t port = listener.port();
    { const Listener free = std::move(listener); }  // s_server opens its own
    const pid_t pid = process::start(
        {"openssl", "s_server", version, "-accept", std::to_string(port), "-cert", made().path("server.pem"),
         "-cert_chain", made().path("inter.pem"), "-key", made().path("server.key"), "-www", "-quiet"},
        process::temporary_file(), process::temporary_file());
    const Finished answer = fetch("--retry 20 --retry-connrefused --retry-delay 1 --cacert " + file("ca.pem") +
                                  " -o /dev/null -w '%{http_code}' https://localhost:" + std::to_string(port) + "/");
    EXPECT_EQ(answer.output, "200") << version << answer.errors;
    ::kill(pid, SIGTERM);
    static_cast<void>(process::wait_for(pid));
  }
}

// ---- load

TEST(TlsLoad, CountsHandshakes) {
  App app{"hello", made().serve("server")};
  const std::string ca = made().path("ca.pem");
  const Finished kept = run_app("load", {"-n", "400", "-c", "4", "--cacert", ca, "--json", app.https_url("/hello")});
  EXPECT_EQ(kept.status, 0) << kept.errors << kept.output;
  EXPECT_TRUE(has(kept.output, "\"tls_handshakes\": 4,")) << kept.output;
  EXPECT_TRUE(has(kept.output, "\"answers\": 400,")) << kept.output;
  const Finished single =
      run_app("load", {"-n", "40", "-c", "1", "--no-keepalive", "--cacert", ca, app.https_url("/hello")});
  EXPECT_TRUE(has(single.output, "TLS          40 handshakes, 39 of them resumed\n")) << single.output << single.errors;
  EXPECT_EQ(run_app("load", {"-n", "4", "-c", "1", app.https_url("/hello")}).status, 1) << "nobody vouches for it";
  const Finished insecure = run_app("load", {"-n", "4", "-c", "1", "--insecure", app.https_url("/hello")});
  EXPECT_EQ(insecure.status, 0) << insecure.output;
  EXPECT_TRUE(has(insecure.errors, "--insecure: the server's certificate is not checked")) << insecure.errors;
  EXPECT_EQ(run_app("load", {"-n", "4", "--cacert", "/nowhere", app.https_url("/hello")}).status, 2);
}

// ---- gateway

class TlsGateway : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<App> start(const std::string& configuration, Arguments more = {}) const {
    std::ofstream{made().path("gateway.conf")} << configuration;
    more.insert(more.begin(), {"--config", made().path("gateway.conf")});
    return std::make_unique<App>("gateway", more);
  }
};

TEST_F(TlsGateway, SpeaksTlsOnBothSides) {
  App origin{"httpbin", made().serve("server")};
  const auto app = start(
      "route / " + origin.https_url("") + "\noption upstream-ca " + made().path("ca.pem") + "\nstatus /-/status\n",
      made().serve("rsa", {"--http-redirect", "127.0.0.1:0"}));
  const std::string ca = "--cacert " + file("ca.pem") + " ";
  const std::string answer = curl(ca + app->https_url("/headers")).output;
  EXPECT_TRUE(has(answer, "\"X-Forwarded-Proto\": \"https\"")) << answer;
  EXPECT_TRUE(has(answer, "proto=https")) << answer;
  EXPECT_EQ(curl(ca + "-L http://localhost:" + std::to_string(app->redirect_port()) + "/base64/aGVsbG8=").output,
            "hello");
  const std::string data = made().path("data");
  ASSERT_EQ(run("head -c 2000000 /dev/urandom > " + quoted(data)).status, 0);
  EXPECT_EQ(run("curl -q -sS " + ca + "--data-binary @" + quoted(data) + " " + app->https_url("/echo") + " | cmp - " +
                quoted(data))
                .status,
            0);
  const std::string status = curl(ca + app->https_url("/-/status")).output;
  EXPECT_TRUE(std::regex_search(status, std::regex{R"("upstream_tls":\{"handshakes":[1-9])"})) << status;
  EXPECT_TRUE(std::regex_search(status, std::regex{R"("tls":\{"handshakes":[1-9])"})) << status;
  EXPECT_TRUE(has(status, "\"tls_sessions\":{\"used\":1,")) << status;
}

TEST_F(TlsGateway, BelievesNobodyItWasNotToldOf) {
  App origin{"httpbin", made().serve("server")};
  App plain{"httpbin"};
  const std::string route = "route / " + origin.https_url("") + "\nroute /plain/ " + plain.url("") + " strip\n";
  {
    const auto app = start(route + "option upstream-ca " + made().path("other.pem") + "\n");
    EXPECT_EQ(curl("-o /dev/null -w '%{http_code}' " + app->url("/get")).output, "502");
    EXPECT_EQ(curl("-o /dev/null -w '%{http_code}' " + app->url("/plain/get")).output, "200");
    for (int i = 0; i < 3; ++i) {
      static_cast<void>(curl(app->url("/get")));
    }
    EXPECT_TRUE(has(app->errors(), "is out: nobody we trust signed the certificate")) << app->errors();
  }
  {
    const auto app = start(route + "option upstream-verify off\n");
    EXPECT_EQ(curl("-o /dev/null -w '%{http_code}' " + app->url("/get")).output, "200");
    EXPECT_TRUE(has(app->errors(), "upstream-verify is off: anybody can pretend to be an https upstream"))
        << app->errors();
  }
  std::ofstream{made().path("gateway.conf")} << route + "option upstream-ca /nowhere\n";
  const Finished refused = run_app("gateway", {"--config", made().path("gateway.conf"), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(has(refused.errors, "upstream-ca /nowhere: no such file or directory")) << refused.errors;
}

TEST_F(TlsGateway, ShowsItsOwnCertificateToUpstreams) {
  App origin{"httpbin", made().serve("server", {"--tls-client-ca", made().path("ca.pem")})};
  const std::string route = "route / " + origin.https_url("") + "\noption upstream-ca " + made().path("ca.pem") + "\n";
  {
    const auto app = start(route);
    EXPECT_EQ(curl("-o /dev/null -w '%{http_code}' " + app->url("/get")).output, "502");
  }
  const auto app = start(route + "option upstream-cert " + made().path("client.pem") + "\noption upstream-key " +
                         made().path("client.key") + "\n");
  EXPECT_EQ(curl("-o /dev/null -w '%{http_code}' " + app->url("/get")).output, "200");
}

}  // namespace
}  // namespace pollux::e2e
