// pollux-hello over loopback: what every server app shares (command line, listeners, signals) and the one answer it gives.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <regex>
#include <string>

#include "tests/e2e/support/app.hpp"

namespace pollux::e2e {
namespace {

// A path in a new folder; the folder goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_{::testing::TempDir() + "pollux-XXXXXX"} { EXPECT_NE(::mkdtemp(path_.data()), nullptr); }
  ~TemporaryFolder() { static_cast<void>(run("rm -rf '" + path_ + "'")); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

constexpr std::string_view get_hello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

// ---- the answer

TEST(Hello, AnswersThirteenBytesOfTextWithADate) {
  App app{"hello"};
  Client client{app.port()};
  client.send(get_hello);
  const std::string answer = client.read_answer();
  const std::regex expected{"HTTP/1\\.1 200 OK\r\n([^\r]*\r\n)*\r\nHello, world!"};
  EXPECT_TRUE(std::regex_match(answer, expected)) << answer;
  EXPECT_NE(answer.find("\r\nContent-Length: 13\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("\r\nContent-Type: text/plain"), std::string::npos) << answer;
  EXPECT_TRUE(std::regex_search(
      answer,
      std::regex{"\r\nDate: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \\d\\d \\w\\w\\w \\d{4} \\d\\d:\\d\\d:\\d\\d GMT\r\n"}))
      << answer;
}

TEST(Hello, KeepsTheConnectionForTheNextRequest) {
  App app{"hello"};
  Client client{app.port()};
  client.send(get_hello);
  const std::string first = client.read_answer();
  client.send(get_hello);
  const std::string second = client.read_answer();
  EXPECT_NE(second.find("Hello, world!"), std::string::npos) << first << second;
}

TEST(Hello, AnswersWhatItDoesNotHave) {
  App app{"hello"};
  EXPECT_EQ(ask(app, "GET /other HTTP/1.1\r\nHost: a\r\n\r\n").substr(0, 22), "HTTP/1.1 404 Not Found");
  const std::string post = ask(app, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(post.substr(0, 31), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_NE(post.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos) << post;
  EXPECT_EQ(ask(app, "nonsense\r\n\r\n").substr(0, 24), "HTTP/1.1 400 Bad Request");
}

TEST(Hello, AnswersCurl) {
  App app{"hello"};
  const Finished curl = run("curl -sS -w '%{http_code} %{content_type}' " + app.url("/hello"));
  EXPECT_EQ(curl.status, 0) << curl.errors;
  EXPECT_EQ(curl.output.substr(0, 27), "Hello, world!200 text/plain");
}

// ---- listeners

TEST(Hello, ListensOnSeveralAddresses) {
  const TemporaryFolder folder;
  const std::string path = folder / "socket";
  App app{"hello", {"--listen", "127.0.0.1:0", "--listen=[::1]:0", "--listen", "unix:" + path}};
  ASSERT_EQ(app.lines().size(), 3U);
  EXPECT_TRUE(std::regex_match(app.lines()[0], std::regex{"listening on http://127\\.0\\.0\\.1:[1-9][0-9]*"}));
  EXPECT_TRUE(std::regex_match(app.lines()[1], std::regex{"listening on http://\\[::1\\]:[1-9][0-9]*"}));
  EXPECT_EQ(app.lines()[2], "listening on unix:" + path);
  EXPECT_EQ(run("curl -sS " + app.url("/hello")).output, "Hello, world!");
  EXPECT_EQ(run("curl -sS " + app.lines()[1].substr(13) + "/hello").output, "Hello, world!");
  EXPECT_EQ(run("curl -sS --unix-socket '" + path + "' http://localhost/hello").output, "Hello, world!");
  EXPECT_EQ(app.terminate(), 0);
  EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the socket file is still there";
}

TEST(Hello, SaysWhichAddressIsTaken) {
  App app{"hello"};
  const std::string address = "127.0.0.1:" + std::to_string(app.port());
  const Finished second = run_app("hello", {"--listen", address});
  EXPECT_EQ(second.status, 1);
  EXPECT_EQ(second.output, "");
  EXPECT_EQ(second.errors, "--listen " + address + ": address already in use\n");
}

// ---- the service manager (sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3))

TEST(Hello, TakesASocketFromTheServiceManager) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::listen(listener, 16), 0);  // without bind(2): a free port of any address
  {
    App app{"hello", {}, {.environment = {}, .listener = listener}};
    EXPECT_EQ(app.lines().size(), 1U);
    EXPECT_NE(ask(app, get_hello).find("Hello, world!"), std::string::npos);
  }
  ::close(listener);
}

TEST(Hello, TellsTheServiceManager) {
  const TemporaryFolder folder;
  const std::string path = folder / "notify";
  const int manager = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(manager, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const timeval limit{.tv_sec = wait_max_s, .tv_usec = 0};
  ::setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const auto next = [manager] {
    std::string message(64, '\0');
    const ssize_t size = ::recv(manager, message.data(), message.size(), 0);
    message.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return message;
  };

  App app{"hello", {}, {.environment = {"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=20000"}}};
  EXPECT_EQ(next(), "READY=1");
  EXPECT_EQ(next(), "WATCHDOG=1");
  EXPECT_EQ(next(), "WATCHDOG=1");
  EXPECT_EQ(app.terminate(), 0);
  std::string message = next();
  while (message == "WATCHDOG=1") {
    message = next();
  }
  EXPECT_EQ(message, "STOPPING=1");
  ::close(manager);
}

// ---- the end

TEST(Hello, EndsOnTerminateAndInterrupt) {
  for (const int number : {SIGTERM, SIGINT}) {
    App app{"hello"};
    Client idle{app.port()};
    idle.send(get_hello);
    EXPECT_NE(idle.read_answer().find("Hello"), std::string::npos);
    app.signal(number);
    EXPECT_EQ(idle.read_all(), "");  // an idle connection is closed at once
    EXPECT_EQ(app.wait(), 0);
    EXPECT_EQ(app.errors(), "");
  }
}

TEST(Hello, FinishesARequestThatHasBegun) {
  App app{"hello"};
  Client client{app.port()};
  client.send(get_hello);
  static_cast<void>(client.read_answer());
  client.send(get_hello.substr(0, 20));
  // A connection that is answered behind it: the server has read the half request by then.
  EXPECT_NE(ask(app, get_hello).find("Hello"), std::string::npos);
  app.signal(SIGTERM);
  client.send(get_hello.substr(20));
  const std::string answer = client.read_all();
  EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("Hello, world!"), std::string::npos) << answer;
  EXPECT_EQ(app.wait(), 0);
}

TEST(Hello, EndsAtOnceOnASecondSignal) {
  App app{"hello"};
  Client client{app.port()};
  client.send(get_hello.substr(0, 20));
  EXPECT_NE(ask(app, get_hello).find("Hello"), std::string::npos);
  app.signal(SIGTERM);
  // The listener is closed once the first signal was taken: only then the second one is one.
  for (;;) {
    const Finished curl = run("curl -sS -o /dev/null " + app.url("/hello"));
    if (curl.status == 7) {
      break;
    }
  }
  app.signal(SIGTERM);
  EXPECT_EQ(client.read_all(), "");
  EXPECT_EQ(app.wait(), 0);
}

// ---- the command line

TEST(Hello, ShowsHelpAndVersion) {
  const Finished help = run_app("hello", {"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.output.find("--listen ADDR:PORT"), std::string::npos) << help.output;
  EXPECT_EQ(help.errors, "");
  const Finished version = run_app("hello", {"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_TRUE(std::regex_match(version.output, std::regex{"pollux-hello \\d+\\.\\d+\\.\\d+\n"})) << version.output;
}

TEST(Hello, RefusesFlagsItDoesNotKnow) {
  struct Case {
    std::vector<std::string> arguments;
    std::string says;
  };
  const Case cases[] = {
      {{"--bogus"}, "pollux-hello: --bogus: unknown option; try --help\n"},
      {{"--listen"}, "pollux-hello: --listen: needs a value; try --help\n"},
      {{"--listen", "nowhere"},
       "pollux-hello: --listen: \"nowhere\" is not ADDR:PORT, [ADDR]:PORT, :PORT or unix:PATH\n"},
      {{"--listen=127.0.0.1:65536"},
       "pollux-hello: --listen: \"127.0.0.1:65536\" is not ADDR:PORT, [ADDR]:PORT, :PORT or unix:PATH\n"},
      {{"extra"}, "pollux-hello: extra: unexpected argument; try --help\n"},
  };
  for (const Case& c : cases) {
    const Finished finished = run_app("hello", c.arguments);
    EXPECT_EQ(finished.status, 2) << c.says;
    EXPECT_EQ(finished.output, "");
    EXPECT_EQ(finished.errors, c.says);
  }
}

}  // namespace
}  // namespace pollux::e2e
