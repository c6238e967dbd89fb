// The resolver against a real server: Debian's dnsmasq on a free port of 127.0.0.1, with its own configuration, without root.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "port/linux/linux_port.hpp"
#include "stack/net/resolver.hpp"
#include "stack/net/resolver_storage.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;

constexpr int not_installed = 127;

// A port that was free a moment ago, for UDP and TCP.
std::uint16_t free_port() {
  for (int i = 0; i < 50; ++i) {
    const int stream = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int datagram = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool is_free = ::bind(stream, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                         ::getsockname(stream, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
                         ::bind(datagram, reinterpret_cast<sockaddr*>(&address), size) == 0;
    ::close(stream);
    ::close(datagram);
    if (is_free) {
      return ntohs(address.sin_port);
    }
  }
  return 0;
}

// A folder that goes when it is not needed any more.
class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "pollux-dns-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream{path_ / name} << text;
    return path_ / name;
  }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// A running dnsmasq; ended with the object, and with us.
class Dnsmasq {
 public:
  explicit Dnsmasq(const std::string& configuration) {
    for (int i = 0; i < 5 && !is_running(); ++i) {
      start(configuration);
      if (!wait_until_started()) {
        stop();
      }
      if (was_not_found_) {
        return;
      }
    }
  }
  ~Dnsmasq() { stop(); }
  Dnsmasq(const Dnsmasq&) = delete;
  Dnsmasq& operator=(const Dnsmasq&) = delete;

  [[nodiscard]] bool is_running() const { return pid_ > 0; }
  [[nodiscard]] bool was_not_found() const { return was_not_found_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& said() const { return said_; }

  void stop() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      int status = 0;
      ::waitpid(pid_, &status, 0);
      pid_ = -1;
    }
    if (errors_ >= 0) {
      ::close(errors_);
      errors_ = -1;
    }
  }

 private:
  void start(const std::string& configuration) {
    port_ = free_port();
    said_.clear();
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe2(pipe.data(), 0), 0);
    const std::string port_option = "--port=" + std::to_string(port_);
    const std::string file_option = "--conf-file=" + configuration;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(pipe[1], STDERR_FILENO);
      ::close(pipe[0]);
      ::close(pipe[1]);
      for (const char* const program : {"dnsmasq", "/usr/sbin/dnsmasq"}) {
        ::execlp(program, program, "--no-daemon", port_option.c_str(), file_option.c_str(), nullptr);
      }
      ::_exit(not_installed);
    }
    ::close(pipe[1]);
    errors_ = pipe[0];
  }

  // It says "started" when it listens. False if it ends instead, or takes more than 10 seconds.
  bool wait_until_started() {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (said_.find("started, version") == std::string::npos) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      pollfd entry{.fd = errors_, .events = POLLIN, .revents = 0};
      if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) <= 0) {
        return false;
      }
      std::array<char, 1024> piece{};
      const ssize_t size = ::read(errors_, piece.data(), piece.size());
      if (size <= 0) {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        was_not_found_ = WIFEXITED(status) && WEXITSTATUS(status) == not_installed;
        return false;
      }
      said_.append(piece.data(), static_cast<std::size_t>(size));
    }
    return true;
  }

  pid_t pid_ = -1;
  int errors_ = -1;
  std::uint16_t port_ = 0;
  bool was_not_found_ = false;
  std::string said_;
};

// 10.X.0.0, 10.X.0.1 ... all for `name`.
std::string many_lines(const std::string& name, int network, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += "10." + std::to_string(network) + "." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + " " +
            name + "\n";
  }
  return text;
}

class ResolverDnsmasq : public testing::Test {
 protected:
  void SetUp() override {
    const std::string names =
        folder_.write("names", many_lines("many.test", 1, 100) + many_lines("endless.test", 2, 500));
    const std::string configuration = folder_.write("conf",
                                                    "no-resolv\nno-hosts\nbind-interfaces\nlisten-address=127.0.0.1\n"
                                                    "pid-file=" +
                                                        folder_.path("pid") +
                                                        "\n"
                                                        "addn-hosts=" +
                                                        names +
                                                        "\n"
                                                        "local=/test/\n"
                                                        "local-ttl=60\n"
                                                        "auth-ttl=60\n"
                                                        "host-record=one.test,192.0.2.1\n"
                                                        "host-record=two.test,192.0.2.2,2001:db8::2\n"
                                                        "host-record=web.lab.test,192.0.2.3\n"
                                                        "host-record=local.test,127.0.0.1,::1\n"
                                                        "cname=alias.test,two.test\n"
                                                        "cname=second.test,alias.test\n"
                                                        "txt-record=text.test,hello\n");
    resolv_conf_ = folder_.write("resolv.conf", "search lab.test\n");
    hosts_ = folder_.write("hosts", "192.0.2.77 filed.test\n");
    server_.emplace(configuration);
    if (server_->was_not_found()) {
      GTEST_SKIP() << "dnsmasq is not installed";
    }
    ASSERT_TRUE(server_->is_running()) << server_->said();
    address_ = port::Address::ipv4_loopback(server_->port());
    resolver_.emplace(net::ResolverConfig{.loop = loop_,
                                          .memory = memory_.memory(),
                                          .resolv_conf = resolv_conf_,
                                          .hosts = hosts_,
                                          .servers = {&address_, 1}});
  }

  // "192.0.2.1 2001:db8::1", or what went wrong; in the order of the text, because that of the answer depends on this machine's networks.
  std::string look_up(std::string_view name) {
    done_ = false;
    net::Lookup lookup{*resolver_, net::callback<&ResolverDnsmasq::changed>(*this)};
    const port::Time end = port_.now() + 20s;
    {
      const heap_guard::Forbidden no_heap;
      lookup.start(name, 80);
      while (!done_ && port_.now() < end) {
        loop_.turn(end);
      }
    }
    EXPECT_TRUE(done_) << "no end";
    count_ = lookup.addresses().size();
    if (lookup.error() != net::NameError::none) {
      return std::string{net::describe(lookup.error())};
    }
    std::vector<std::string> texts;
    for (const port::Address& address : lookup.addresses()) {
      std::array<char, port::address_text_max> out;
      texts.emplace_back(port::format_ip(address, out));
    }
    std::sort(texts.begin(), texts.end());
    std::string all;
    for (const std::string& text : texts) {
      all += (all.empty() ? "" : " ") + text;
    }
    return all;
  }
  void changed(net::Lookup& lookup) { done_ = done_ || lookup.is_done(); }

  static constexpr net::ResolverLimits limits{.queries = 1, .cache_entries = 4};
  Folder folder_;
  std::string resolv_conf_;
  std::string hosts_;
  std::optional<Dnsmasq> server_;
  port::Address address_;
  net::ResolverStorage<limits> memory_{};
  net::LoopStorage<net::sockets_max(limits)> storage_{};
  port::LinuxPort port_;
  net::Loop loop_{port_, storage_.memory()};
  std::optional<net::Resolver> resolver_;
  bool done_ = false;
  std::size_t count_ = 0;
};

TEST_F(ResolverDnsmasq, Names) {
  EXPECT_EQ(look_up("one.test"), "192.0.2.1");
  EXPECT_EQ(look_up("TWO.test"), "192.0.2.2 2001:db8::2");
  EXPECT_EQ(look_up("alias.test"), "192.0.2.2 2001:db8::2");
  EXPECT_EQ(look_up("second.test"), "192.0.2.2 2001:db8::2");
  EXPECT_EQ(look_up("text.test"), "the name has no address");
  EXPECT_EQ(look_up("nope.test"), "no such name");
  EXPECT_EQ(look_up("filed.test"), "192.0.2.77");
  EXPECT_EQ(look_up("local.test"), "127.0.0.1 ::1");
}

TEST_F(ResolverDnsmasq, SearchList) {
  EXPECT_EQ(look_up("web"), "192.0.2.3");
  EXPECT_NE(look_up("web."), "192.0.2.3");
}

TEST_F(ResolverDnsmasq, Cache) {
  const std::string first = look_up("two.test");
  const std::uint64_t sent = resolver_->questions_sent();
  EXPECT_EQ(sent, 2U);
  EXPECT_EQ(look_up("two.test"), first);
  EXPECT_EQ(resolver_->questions_sent(), sent);
  EXPECT_EQ(resolver_->cache_hits(), 1U);
}

// More than fits into a datagram, and more than fits into the packet buffer.
TEST_F(ResolverDnsmasq, LongAnswersComeOverTcp) {
  EXPECT_EQ(look_up("many.test").substr(0, 5), "10.1.");
  EXPECT_EQ(count_, net::addresses_max);
  EXPECT_EQ(resolver_->questions_sent(), 3U);  // A, AAAA, and A again
  EXPECT_EQ(look_up("endless.test").substr(0, 5), "10.2.");
  EXPECT_EQ(count_, net::addresses_max);
}

TEST_F(ResolverDnsmasq, AServerThatIsGone) {
  EXPECT_EQ(look_up("one.test"), "192.0.2.1");
  server_->stop();
  const port::Time begin = port_.now();
  EXPECT_EQ(look_up("two.test"), "no name server can be reached");
  EXPECT_LT(port_.now() - begin, 1s);  // told by the kernel, not by a timeout
  EXPECT_EQ(look_up("one.test"), "192.0.2.1");
}

}  // namespace
}  // namespace pollux::test
