// pollux-load over loopback: against pollux-hello, against nobody, and against servers that go away or never answer.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "apps/support/json_read.hpp"
#include "tests/e2e/support/app.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::e2e {
namespace {

Finished load(std::vector<std::string> arguments) {
  return run_app("load", arguments);
}

// A member of the JSON report that is a number; -1 if it is not there.
long number_of(const Finished& finished, const std::string& name) {
  std::smatch found;
  const bool there = std::regex_search(finished.output, found, std::regex{"\"" + name + "\": ([0-9]+)"});
  return there ? std::stol(found[1]) : -1;
}

// A listening socket on loopback that this test serves itself.
class Listener {
 public:
  Listener() : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 16), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { close(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  [[nodiscard]] int accept() const { return ::accept(socket_, nullptr, nullptr); }
  void close() {
    if (socket_ >= 0) {
      ::close(socket_);
    }
    socket_ = -1;
  }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

// Until the end of a request's head has come; false: the client closed.
bool read_head(int socket) {
  std::string text;
  char byte = 0;
  while (!text.ends_with("\r\n\r\n")) {
    if (::recv(socket, &byte, 1, 0) != 1) {
      return false;
    }
    text += byte;
  }
  return true;
}

void answer(int socket) {
  constexpr std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  EXPECT_EQ(::send(socket, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

TEST(Load, GetsAThousandAnswersOverFourConnections) {
  App app{"hello"};
  const Finished finished = load({"-n", "1000", "-c", "4", "--json", app.url("/hello")});
  EXPECT_EQ(finished.status, 0) << finished.errors;
  EXPECT_EQ(finished.errors, "");
  EXPECT_EQ(number_of(finished, "answers"), 1000) << finished.output;
  EXPECT_EQ(number_of(finished, "errors"), 0);
  EXPECT_EQ(number_of(finished, "200"), 1000);
  EXPECT_EQ(number_of(finished, "dials"), 4);
  EXPECT_EQ(number_of(finished, "reused"), 996);
  EXPECT_EQ(number_of(finished, "body_bytes"), 13'000);
}

TEST(Load, PrintsAReport) {
  App app{"hello"};
  const Finished finished = load({"-n50", "-c2", app.url("/hello")});
  EXPECT_EQ(finished.status, 0);
  EXPECT_TRUE(
      std::regex_search(finished.output, std::regex{"\n50 answers in [0-9.]+ [mu]?s, [0-9]+ a second, no errors\n"}))
      << finished.output;
  EXPECT_NE(finished.output.find("          50  200 OK\n"), std::string::npos) << finished.output;
  EXPECT_TRUE(std::regex_search(finished.output, std::regex{"\n    99\\.9 % +[0-9.]+ [mu]?s\n"})) << finished.output;
  EXPECT_TRUE(std::regex_search(finished.output, std::regex{"\\|#+\n"})) << finished.output;
  const Finished quiet = load({"-qn50", app.url("/hello")});
  EXPECT_TRUE(std::regex_match(quiet.output, std::regex{"50 answers in [0-9.]+ [mu]?s, [0-9]+ a second, no errors\n"}))
      << quiet.output;
}

TEST(Load, DialsForEachRequestWithoutKeepAlive) {
  App app{"hello"};
  const std::size_t before = app.descriptors();
  const Finished finished = load({"-n", "200", "-c", "4", "--no-keepalive", "--json", app.url("/hello")});
  EXPECT_EQ(finished.status, 0) << finished.output;
  EXPECT_EQ(number_of(finished, "200"), 200);
  EXPECT_EQ(number_of(finished, "dials"), 200);
  EXPECT_EQ(number_of(finished, "reused"), 0);
  EXPECT_LE(app.descriptors(), before + 4);
}

TEST(Load, CountsStatusesThatAreNoErrors) {
  App app{"hello"};
  const Finished missing = load({"-n", "20", "--json", app.url("/other")});
  EXPECT_EQ(missing.status, 0) << missing.output;
  EXPECT_EQ(number_of(missing, "404"), 20);
  const Finished post = load({"-n", "20", "-d", "a=b", "--json", app.url("/hello")});
  EXPECT_EQ(post.status, 0) << post.output;
  EXPECT_EQ(number_of(post, "405"), 20);
  const Finished head = load({"-n", "20", "-X", "HEAD", "--json", app.url("/hello")});
  EXPECT_EQ(head.status, 0) << head.output;
  EXPECT_EQ(number_of(head, "200"), 20);
  EXPECT_EQ(number_of(head, "body_bytes"), 0);
}

TEST(Load, SaysThatNobodyListens) {
  std::string url;
  {
    const Listener gone;
    url = gone.url();
  }
  const Finished finished = load({"-n", "10", "-c", "2", url});
  EXPECT_EQ(finished.status, 1);
  EXPECT_NE(finished.output.find("\n0 answers in "), std::string::npos) << finished.output;
  EXPECT_NE(finished.output.find(", 10 errors\n"), std::string::npos) << finished.output;
  EXPECT_TRUE(std::regex_search(
      finished.output, std::regex{test::knows_socket_errors ? "\nErrors\n +10  [^\n]*refused" : "\nErrors\n +10  "}))
      << finished.output;
}

// It answers ten requests, the eleventh not any more, and then nobody listens.
TEST(Load, CountsWhatAServerThatGoesAwayDidNotAnswer) {
  Listener listener;
  std::thread server{[&] {
    const int socket = listener.accept();
    for (int i = 0; i < 10 && read_head(socket); ++i) {
      answer(socket);
    }
    read_head(socket);
    listener.close();
    ::close(socket);
  }};
  const Finished finished = load({"-n", "30", "-c", "1", "--json", listener.url()});
  server.join();
  EXPECT_EQ(finished.status, 1);
  EXPECT_EQ(number_of(finished, "answers"), 10) << finished.output;
  EXPECT_EQ(number_of(finished, "errors"), 20) << finished.output;
}

TEST(Load, EndsByTimeoutWithAServerThatNeverAnswers) {
  const Listener silent;  // connections stay in its queue
  const Finished finished = load({"-n", "3", "-c", "3", "--timeout", "1", silent.url()});
  EXPECT_EQ(finished.status, 1);
  EXPECT_NE(finished.output.find(", 3 errors\n"), std::string::npos) << finished.output;
}

TEST(Load, EndsAfterItsTime) {
  App app{"hello"};
  const Finished finished = load({"-z", "1", "-c", "2", "--rate", "100", "--json", app.url("/hello")});
  EXPECT_EQ(finished.status, 0) << finished.output;
  // The first is due at once, the others each 10 ms; the machine may be too busy for the last ones.
  EXPECT_GE(number_of(finished, "answers"), 50) << finished.output;
  EXPECT_LE(number_of(finished, "answers"), 101);
}

// What came is printed, what was under way is neither an answer nor an error.
TEST(Load, EndsEarlyOnInterrupt) {
  Listener listener;
  const std::string output = ::testing::TempDir() + "pollux-load-output";
  std::fflush(nullptr);  // or the child writes it once more
  const pid_t pid = ::fork();
  if (pid == 0) {
    const std::string path = program("load");
    if (std::freopen(output.c_str(), "w", stdout) != nullptr) {
      ::execl(path.c_str(), path.c_str(), "-n", "100", "-c", "1", "-q", listener.url().c_str(), nullptr);
    }
    ::_exit(126);
  }
  const int socket = listener.accept();
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(read_head(socket));
    answer(socket);
  }
  ASSERT_TRUE(read_head(socket));  // the eighth is under way
  ::kill(pid, SIGINT);
  int status = -1;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  ::close(socket);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const std::string text = run("cat '" + output + "'").output;
  EXPECT_TRUE(std::regex_match(text, std::regex{"7 answers in [^\n]*, no errors, 1 cut off \\(interrupted\\)\n"}))
      << text;
  ::unlink(output.c_str());
}

TEST(Load, ShowsHelpAndVersion) {
  const Finished help = load({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.output.find("Usage: pollux-load [OPTION]... URL\n"), std::string::npos) << help.output;
  const Finished version = load({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_TRUE(std::regex_match(version.output, std::regex{"pollux-load \\d+\\.\\d+\\.\\d+\n"})) << version.output;
}

TEST(Load, RefusesWhatItDoesNotUnderstandInOneLine) {
  struct Case {
    std::vector<std::string> arguments;
    std::string says;
  };
  const std::string url = "http://127.0.0.1:1/";
  const Case cases[] = {
      {{}, "URL: is missing"},
      {{"-c", "0", url}, "-c: \"0\" is not a number from 1 to 1024"},
      {{"-c1025", url}, "-c: \"1025\" is not a number from 1 to 1024"},
      {{"-n", "x", url}, "-n: \"x\" is not a number"},
      {{"--bogus", url}, "--bogus: unknown option"},
      {{"-Hnothing", url}, "-H: \"nothing\" is not \"Name: value\""},
      {{"-H", "Content-Length: 1", url}, "-H: "},
      {{"-X", "G T", url}, "-X: "},
      {{"ftp://127.0.0.1/"}, "URL: "},
      {{url, url}, url + ": unexpected argument"},
  };
  for (const Case& c : cases) {
    const Finished finished = load(c.arguments);
    EXPECT_EQ(finished.status, 2) << c.says;
    EXPECT_EQ(finished.output, "");
    EXPECT_EQ(finished.errors.rfind("pollux-load: " + c.says, 0), 0U) << finished.errors;
    EXPECT_EQ(std::count(finished.errors.begin(), finished.errors.end(), '\n'), 1) << finished.errors;
  }
}

}  // namespace
}  // namespace pollux::e2e
