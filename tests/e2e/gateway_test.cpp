// pollux-gateway over loopback, in front of pollux-httpbin and asked by curl: what comes through is what was sent, whatever its size and
// however slow a client is, and nothing is held afterwards.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "tests/e2e/support/app.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::e2e {
namespace {

class Gateway : public ::testing::Test {
 protected:
  Gateway() : folder_{::testing::TempDir() + "pollux-gateway-XXXXXX"} { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~Gateway() override { static_cast<void>(run("rm -rf '" + folder_ + "'")); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string write(const std::string& name, std::string_view content) const {
    std::ofstream{path(name), std::ios::binary} << content;
    return path(name);
  }
  [[nodiscard]] std::unique_ptr<App> start(const std::string& configuration) const {
    return std::make_unique<App>("gateway", std::vector<std::string>{"--config", write("gateway.conf", configuration)});
  }
  // The status code and body of what curl gets.
  [[nodiscard]] static std::string curl(const std::string& arguments) {
    const Finished finished = run("curl -sS --max-time 30 -w '|%{http_code}' " + arguments);
    EXPECT_EQ(finished.status, 0) << arguments << "\n" << finished.errors;
    return finished.output;
  }

 private:
  std::string folder_;
};

// A port nobody listens on now.
std::string free_port() {
  App app{"hello"};
  return std::to_string(app.port());
}

TEST_F(Gateway, PassesRequestsOn) {
  App origin{"httpbin"};
  const auto app = start("route /bin/ " + origin.url("") + " strip\nroute / " + origin.url("") + "\n");
  const std::string answer = curl("'" + app->url("/bin/headers") + "' -H 'X-Forwarded-For: 9.9.9.9' -H 'X-A: b'");
  EXPECT_NE(answer.find("|200"), std::string::npos) << answer;
  EXPECT_NE(answer.find("\"X-Forwarded-For\": \"127.0.0.1\""), std::string::npos) << answer;
  EXPECT_NE(answer.find("\"Host\": \"127.0.0.1:" + std::to_string(app->port())), std::string::npos) << answer;
  EXPECT_NE(answer.find("\"Via\": \"1.1 pollux\""), std::string::npos) << answer;
  EXPECT_EQ(curl("'" + app->url("/status/418") + "' -o /dev/null"), "|418");
  EXPECT_EQ(curl("-I '" + app->url("/bytes/1000") + "' -o /dev/null"), "|200");
  EXPECT_EQ(curl("'" + app->url("/delay/1") + "' -o /dev/null"), "|200");
  EXPECT_EQ(curl("--compressed '" + app->url("/gzip") + "' -o /dev/null"), "|200");
  // Several requests over one connection.
  EXPECT_EQ(run("curl -sS -w '%{num_connects}' -o /dev/null -o /dev/null '" + app->url("/get") + "' '" +
                app->url("/ip") + "'")
                .output,
            "10");
}

TEST_F(Gateway, PassesLongBodiesBothWays) {
  App origin{"httpbin"};
  const auto app = start("route / " + origin.url("") + "\n");
  const std::string data = path("data");
  ASSERT_EQ(run("head -c 8000000 /dev/urandom > '" + data + "'").status, 0);
  for (const std::string_view how : {"", "-H 'Transfer-Encoding: chunked' ", "-H 'Expect: 100-continue' ", "-0 "}) {
    const std::string copy = path("copy");
    EXPECT_EQ(curl(std::string{how} + "--data-binary '@" + data + "' -o '" + copy + "' '" + app->url("/echo") + "'"),
              "|200")
        << how;
    EXPECT_EQ(run("cmp '" + data + "' '" + copy + "'").status, 0) << how;
  }
  EXPECT_EQ(run("curl -sS '" + app->url("/bytes/50000000?seed=7") + "' | sha256sum").output,
            run("curl -sS '" + origin.url("/bytes/50000000?seed=7") + "' | sha256sum").output);
}

// A reader of a gigabyte that stops costs nothing but its connection's buffers, and holds up nobody.
TEST_F(Gateway, IsNotFilledBySlowReaders) {
  App origin{"httpbin"};
  const auto app = start("route / " + origin.url("") + "\n");
  const std::string request = "GET /bytes/1073741824 HTTP/1.1\r\nHost: h\r\n\r\n";
  const auto read_some = [&](Client& client) {
    client.send(request);
    static_cast<void>(client.read_until("\r\n\r\n"));
    static_cast<void>(client.read(1 << 20));
  };
  Client first{app->port()};
  read_some(first);
  EXPECT_NE(curl("'" + app->url("/get") + "'").find("|200"), std::string::npos);  // everything was touched once
  const std::size_t before = app->resident_kib();
  static_cast<void>(first.read(8 << 20));
  for (int i = 0; i < 5; ++i) {
    EXPECT_NE(curl("--max-time 5 '" + app->url("/get") + "'").find("|200"), std::string::npos);
  }
  EXPECT_LE(app->resident_kib(), before + 256) << "KiB; one connection's buffers are less";
}

TEST_F(Gateway, AnswersForUpstreamsThatAreNotThere) {
  const std::string port = free_port();
  const auto app =
      start("route / http://127.0.0.1:" + port + "\noption max-fails 2\noption fail-timeout 1s\nstatus /status\n");
  EXPECT_NE(curl("'" + app->url("/get") + "'").find("|502"), std::string::npos);
  EXPECT_NE(curl("'" + app->url("/get") + "'").find("|502"), std::string::npos);
  const Finished third = run("curl -sS -i '" + app->url("/get") + "'");
  EXPECT_EQ(third.output.substr(0, 12), "HTTP/1.1 503");
  EXPECT_NE(third.output.find("\r\nRetry-After: 1\r\n"), std::string::npos);
  EXPECT_NE(curl("'" + app->url("/status") + "'").find("\"health\":\"out\""), std::string::npos);
  {
    App origin{"httpbin", {"--listen", "127.0.0.1:" + port}};
    EXPECT_NE(curl("'" + app->url("/get") + "'").find("|200"), std::string::npos) << "the last resort is tried";
    EXPECT_NE(curl("'" + app->url("/status") + "'").find("\"health\":\"up\""), std::string::npos);
  }
  EXPECT_NE(curl("'" + app->url("/get") + "'").find("|502"), std::string::npos)
      << "an idle connection that has closed is not used";
  EXPECT_EQ(app->terminate(), 0);
  EXPECT_NE(app->errors().find(test::knows_socket_errors ? "is out: connection refused\n" : "is out: "),
            std::string::npos)
      << app->errors();
  EXPECT_NE(app->errors().find("is back\n"), std::string::npos) << app->errors();
}

TEST_F(Gateway, SpeaksToUnixSocketsAndListensOnThem) {
  const std::string inside = path("inside.sock");
  const std::string outside = path("outside.sock");
  App origin{"httpbin", {"--listen", "unix:" + inside}};
  App app{"gateway",
          {"--listen", "unix:" + outside, "--config",
           write("unix.conf", "route / unix:" + inside + "\noption pass-host off\n")}};
  const std::string answer = curl("--unix-socket '" + outside + "' http://x/headers");
  EXPECT_NE(answer.find("\"Host\": \"localhost\""), std::string::npos) << answer;
  EXPECT_NE(answer.find("\"Forwarded\": \"for=unknown;host=x;proto=http\""), std::string::npos) << answer;
  EXPECT_EQ(answer.find("X-Forwarded-For"), std::string::npos) << answer;
}

TEST_F(Gateway, LosesNoDescriptor) {
  App origin{"httpbin"};
  const auto app = start("route / " + origin.url("") + "\n");
  static_cast<void>(curl("-o /dev/null '" + app->url("/get") + "'"));
  const std::size_t before = app->descriptors();
  for (int i = 0; i < 20; ++i) {
    Client client{app->port()};
    client.send(i % 2 == 0 ? "GET /bytes/100000000 HTTP/1.1\r\nHost: h\r\n\r\n"
                           : "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
    static_cast<void>(client.read(3));
  }  // and it is gone
  std::size_t after = app->descriptors();
  for (int i = 0; i < 50 && after > before + 1; ++i) {  // each answer comes behind what the gateway noticed meanwhile
    static_cast<void>(curl("-o /dev/null '" + app->url("/get") + "'"));
    after = app->descriptors();
  }
  EXPECT_LE(after, before + 1);
}

TEST_F(Gateway, SaysWhatIsWrongWithItsFile) {
  const Finished missing = run_app("gateway", {});
  EXPECT_EQ(missing.status, 2);
  EXPECT_EQ(missing.errors, "pollux-gateway: --config is missing: a gateway without routes has nothing to do\n");
  const std::string absent = path("absent.conf");
  const Finished not_there = run_app("gateway", {"--config", absent});
  EXPECT_EQ(not_there.status, 2);
  EXPECT_NE(not_there.errors.find(absent), std::string::npos);
  const std::string bad = write("bad.conf", "listen 127.0.0.1:0\n\nroute / htp://h\n");
  const Finished wrong = run_app("gateway", {"--config", bad, "--check"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_TRUE(wrong.errors.starts_with("pollux-gateway: " + bad + ":3: \"htp://h\" is ")) << wrong.errors;
  EXPECT_EQ(run_app("gateway", {"--config", write("good.conf", "route / http://h\n"), "--check"}).status, 0);
  const Finished long_one = run_app("gateway", {"--config", write("long.conf", std::string(70'000, '#'))});
  EXPECT_EQ(long_one.status, 2);
  EXPECT_NE(long_one.errors.find("is longer than 65535 bytes"), std::string::npos);
}

}  // namespace
}  // namespace pollux::e2e
