// pollux-fetch over loopback: the same flags given to curl and to pollux-fetch, against pollux-httpbin and against a server that answers
// whatever its script says. Body, exit status and what -w tells must be the same.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/e2e/support/app.hpp"

namespace pollux::e2e {
namespace {

using namespace std::string_literals;

// What the odd server says to each path, to the letter. It closes behind an answer without a length, and where `closes` says so.
struct Script {
  std::string answer;
  bool closes = false;
};
const std::map<std::string, Script>& scripts() {
  static const std::map<std::string, Script> all{
      {"/ok", {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/x\r\n\r\nhello"}},
      {"/empty", {"", true}},
      {"/short", {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", true}},
      {"/cut-chunk", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true}},
      {"/bad-chunk", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", true}},
      {"/bad-trailer", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nbad\r\n\r\n", true}},
      {"/chunks",
       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-T: 1\r\n\r\n"}},
      {"/nothing-http", {"hello world\n", true}},
      {"/bad-length", {"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nhello", true}},
      {"/negative-length", {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", true}},
      {"/bad-coding", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\n\r\nhello", true}},
      {"/bad-status", {"HTTP/1.1 abc\r\n\r\n", true}},
      {"/bad-version", {"HTTP/3.7 200 OK\r\nContent-Length: 5\r\n\r\nhello", true}},
      {"/no-colon", {"HTTP/1.1 200 OK\r\nfoo\r\nContent-Length: 5\r\n\r\nhello", true}},
      {"/nul", {"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nhello"s, true}},
      {"/only-100", {"HTTP/1.1 100 Continue\r\n\r\n", true}},
      {"/many-100",
       {"HTTP/1.1 100 Continue\r\nX-I: 1\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
        "5\r\n\r\nhello"}},
      {"/until-close", {"HTTP/1.1 200 OK\r\n\r\nhello", true}},
      {"/old", {"HTTP/1.0 200 OK\r\n\r\nhello", true}},
      {"/says-close", {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", true}},
      {"/bare-lf", {"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"}},
      {"/folded", {"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/204", {"HTTP/1.1 204 No Content\r\n\r\n"}},
      {"/304", {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"}},
      {"/404", {"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc"}},
      {"/503", {"HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\nabc"}},
      {"/206", {"HTTP/1.1 206 Partial\r\nContent-Range: bytes 2-4/5\r\nContent-Length: 3\r\n\r\nllo"}},
      {"/206-elsewhere", {"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-2/5\r\nContent-Length: 3\r\n\r\nhel"}},
      {"/206-unsaid", {"HTTP/1.1 206 Partial\r\nContent-Length: 3\r\n\r\nllo"}},
      {"/416", {"HTTP/1.1 416 Range\r\nContent-Range: bytes */5\r\nContent-Length: 3\r\n\r\nabc"}},
      {"/to-ok", {"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 3\r\n\r\nabc"}},
      {"/303-to-ok", {"HTTP/1.1 303 Other\r\nLocation: ok?x=1\r\nContent-Length: 3\r\n\r\nabc"}},
      {"/307-to-ok", {"HTTP/1.1 307 Again\r\nLocation: //127.0.0.1:{P}/./a/../ok\r\nContent-Length: 3\r\n\r\nabc"}},
      {"/to-ok-cut", {"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 30\r\n\r\nabc", true}},
      {"/to-far", {"HTTP/1.1 302 Found\r\nLocation: /" + std::string(40000, 'x') + "\r\nContent-Length: 0\r\n\r\n"}},
      {"/to-ok-stuck", {"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 30\r\n\r\nabc"}},
      {"/307-to-put", {"HTTP/1.1 307 Again\r\nLocation: {B}/put\r\nContent-Length: 0\r\n\r\n"}},
      {"/503-for-a-day", {"HTTP/1.1 503 Busy\r\nRetry-After: 99999999999\r\nContent-Length: 3\r\n\r\nabc"}},
      {"/to-itself", {"HTTP/1.1 302 Found\r\nLocation: /to-itself\r\nContent-Length: 0\r\n\r\n"}},
      {"/to-foo", {"HTTP/1.1 302 Found\r\nLocation: foo://x/\r\nContent-Length: 3\r\n\r\nabc"}},
      {"/to-bad", {"HTTP/1.1 302 Found\r\nLocation: http://[::1/\r\nContent-Length: 3\r\n\r\nabc"}},
      {"/to-nobody", {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"}},
      {"/bad-gzip", {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/unknown-coding", {"HTTP/1.1 200 OK\r\nContent-Encoding: foo\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/cookies", {"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 5\r\n\r\nhello"}},
  };
  return all;
}

// A server of this test: one thread for each connection. "/rst" resets, "/hang" never answers, "/flaky" is 503 every other time, "/echo"
// gives the request's head back.
class OddServer {
 public:
  // `other`: the URL of a server to redirect to.
  explicit OddServer(std::string other)
      : listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}, other_{std::move(other)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 64), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = std::to_string(ntohs(address.sin_port));
    // The threads stay until the end, and the usual 8 MiB for each would not fit into the 2 GiB of a 32-bit MIPS.
    pthread_attr_t small;
    EXPECT_EQ(::pthread_attr_init(&small), 0);
    EXPECT_EQ(::pthread_attr_setstacksize(&small, std::size_t{1} << 19), 0);
    EXPECT_EQ(::pthread_setattr_default_np(&small), 0);
    EXPECT_EQ(::pthread_attr_destroy(&small), 0);
    acceptor_ = std::thread{[this] { accept(); }};
  }
  ~OddServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& one : connections_) {
      one.join();
    }
    ::close(listener_);
  }
  OddServer(const OddServer&) = delete;
  OddServer& operator=(const OddServer&) = delete;
  [[nodiscard]] const std::string& port() const { return port_; }

 private:
  void accept() {
    for (;;) {
      const int socket = ::accept(listener_, nullptr, nullptr);
      if (socket < 0) {
        return;
      }
      const timeval limit{.tv_sec = wait_max_s, .tv_usec = 0};
      ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      connections_.emplace_back([this, socket] {
        serve(socket);
        ::close(socket);
      });
    }
  }

  static bool receive(int socket, std::string& unread) {
    char piece[16384];
    const ssize_t size = ::recv(socket, piece, sizeof piece, 0);
    if (size > 0) {
      unread.append(piece, static_cast<std::size_t>(size));
    }
    return size > 0;
  }
  static void send(int socket, std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) {
        return;
      }
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // Reads the body away that the head declares.
  static bool take_body(int socket, const std::string& head, std::string& unread) {
    std::size_t at = head.find("Content-Length: ");
    const bool is_chunked = head.find("chunked") != std::string::npos;
    if (head.find("100-continue") != std::string::npos) {
      send(socket, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    if (is_chunked) {
      while ((at = unread.find("0\r\n\r\n")) == std::string::npos) {
        if (!receive(socket, unread)) {
          return false;
        }
      }
      unread.erase(0, at + 5);
      return true;
    }
    const std::size_t size = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    while (unread.size() < size) {
      if (!receive(socket, unread)) {
        return false;
      }
    }
    unread.erase(0, size);
    return true;
  }

  void serve(int socket) {
    std::string unread;
    for (;;) {
      std::size_t end = 0;
      while ((end = unread.find("\r\n\r\n")) == std::string::npos) {
        if (!receive(socket, unread)) {
          return;
        }
      }
      const std::string head = unread.substr(0, end + 2);
      unread.erase(0, end + 4);
      std::string path = head.substr(head.find(' ') + 1);
      path = path.substr(0, path.find_first_of(" ?"));
      if (path.starts_with("http://")) {  // asked as a proxy
        path = path.substr(path.find('/', 7));
      }
      if (path == "/417" && head.find("100-continue") != std::string::npos) {
        send(socket, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      if (!take_body(socket, head, unread) || !answer(socket, path, head)) {
        return;
      }
    }
  }

  // False: the connection ends.
  bool answer(int socket, const std::string& path, const std::string& head) {
    if (path == "/rst") {
      const linger hard{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      return false;
    }
    if (path == "/hang") {
      std::string rest;
      static_cast<void>(receive(socket, rest));
      return false;
    }
    if (path == "/to-ok-endless") {
      send(socket, "HTTP/1.1 302 Found\r\nLocation: /ok\r\n\r\n");
      const std::string piece(65536, 'x');
      while (::send(socket, piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
      }
      return false;
    }
    if (path == "/echo") {
      send(socket, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(head.size()) + "\r\n\r\n" + head);
      return true;
    }
    const bool is_bad_turn = path == "/flaky" && flaky_.fetch_add(1) % 2 == 0;
    const auto found = scripts().find(path == "/flaky" ? (is_bad_turn ? "/503" : "/ok")
                                      : path == "/417" ? "/ok"
                                                       : path);
    if (found == scripts().end()) {
      send(socket, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
      return true;
    }
    std::string text = found->second.answer;
    if (const std::size_t at = text.find("{P}"); at != std::string::npos) {
      text.replace(at, 3, port_);
    }
    if (const std::size_t at = text.find("{B}"); at != std::string::npos) {
      text.replace(at, 3, other_);
    }
    if (head.starts_with("HEAD ")) {
      text.erase(text.find("\r\n\r\n") + 4);
    }
    send(socket, text);
    return !found->second.closes;
  }

  int listener_;
  std::string port_;
  std::string other_;
  std::thread acceptor_;
  std::vector<std::thread> connections_;
  std::atomic<unsigned> flaky_{0};
};

class Fetch : public ::testing::Test {
 protected:
  Fetch() : folder_{::testing::TempDir() + "pollux-fetch-XXXXXX"} { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~Fetch() override { static_cast<void>(run("rm -rf '" + folder_ + "'")); }

  static void SetUpTestSuite() {
    for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
      ::unsetenv(name);
    }
    httpbin = new App{"httpbin"};
    odd = new OddServer{httpbin->url("")};
  }
  static void TearDownTestSuite() {
    delete odd;
    EXPECT_EQ(httpbin->terminate(), 0);
    delete httpbin;
  }

  // {B}: httpbin's URL; {U}: the odd server's; {P}: its port; {F}: a folder; {W}: what -w is compared by.
  [[nodiscard]] std::string filled(std::string text) const {
    const std::pair<std::string, std::string> places[] = {
        {"{B}", httpbin->url("")},
        {"{U}", "http://127.0.0.1:" + odd->port()},
        {"{P}", odd->port()},
        {"{F}", folder_},
        {"{W}",
         "'|%{http_code} %{size_download} %{size_upload} %{size_header} %{num_connects} %{num_redirects} "
         "%{num_headers} %{url_effective} %{redirect_url} %{content_type} %{method} %{scheme} %{http_version} "
         "%{remote_ip} %{exitcode}|'"}};
    for (const auto& [place, value] : places) {
      for (std::size_t at = text.find(place); at != std::string::npos; at = text.find(place, at + value.size())) {
        text.replace(at, place.size(), value);
      }
    }
    return text;
  }
  [[nodiscard]] Finished fetch(const std::string& arguments) const {
    return run(program("fetch") + " -m 20 " + filled(arguments) + " </dev/null");
  }
  [[nodiscard]] Finished curl(const std::string& arguments) const {
    return run("curl -q -m 20 " + filled(arguments) + " </dev/null");
  }
  [[nodiscard]] std::string file(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream{folder_ + "/" + name, std::ios::binary}.rdbuf();
    return text.str();
  }
  void write(const std::string& name, std::string_view content) const {
    std::ofstream{folder_ + "/" + name, std::ios::binary} << content;
  }
  // The server's Date is another one when a second ends between two requests.
  static std::string undated(std::string text) {
    constexpr std::string_view date = "Date: Thu, 01 Jan 2026 00:00:00 GMT";
    for (std::size_t at = text.find("Date: "); at != std::string::npos; at = text.find("Date: ", at + date.size())) {
      text.replace(at, date.size(), date);
    }
    return text;
  }
  // The same arguments for both; output and exit status must be the same.
  void expect_the_same(const std::string& arguments) const {
    const Finished theirs = curl(arguments);
    const Finished ours = fetch(arguments);
    EXPECT_EQ(undated(ours.output), undated(theirs.output)) << arguments;
    EXPECT_EQ(ours.status, theirs.status) << arguments << "\n" << ours.errors << theirs.errors;
    EXPECT_EQ(ours.errors.find("Sanitizer"), std::string::npos) << ours.errors;
  }

  static App* httpbin;
  static OddServer* odd;
  std::string folder_;
};
App* Fetch::httpbin = nullptr;
OddServer* Fetch::odd = nullptr;

TEST_F(Fetch, DoesAsCurlWithAnOddServer) {
  const char* const all[] = {
      "{U}/ok",
      "{U}/ok {U}/ok {U}/204 {U}/ok",
      "{U}/ok {U}/until-close {U}/ok",
      "{U}/says-close {U}/ok",
      "-i {U}/many-100",
      "-i {U}/ok",
      "-I {U}/ok",
      "-i -L {U}/to-ok",
      "-L {U}/307-to-ok",
      "{U}/to-ok",
      "-L --max-redirs 1 {U}/to-ok",
      "-L --max-redirs 0 {U}/to-ok",
      "-L {U}/to-itself",
      "-L --max-redirs 3 {U}/to-itself",
      "{U}/chunks",
      "-i {U}/chunks",
      "{U}/until-close",
      "{U}/old",
      "{U}/bare-lf",
      "{U}/folded {U}/ok",
      "{U}/204",
      "{U}/304",
      "{U}/404",
      "-i -f {U}/404",
      "--fail-with-body {U}/404",
      "-f {U}/ok",
      "{U}/empty",
      "{U}/only-100",
      "{U}/nothing-http",
      "{U}/bad-status",
      "{U}/bad-version",
      "--compressed {U}/ok",
      "-r 2-4 -i {U}/206",
      "-C 2 {U}/206",
      "-C 5 {U}/416",
      "-C 5 {U}/ok",
      "-C 4 {U}/ok",
      "-C 2 {U}/206-elsewhere",
      "-C 2 {U}/206-unsaid",
      "-C 2 {U}/404",
      "-f -C 2 {U}/404",
      "-L {U}/to-ok-cut",
      "-L {U}/to-ok-endless",
      "-d abc {U}/ok",
      "-d abc -L {U}/to-ok",
      "-d abc -L --post302 {U}/to-ok",
      "-d abc -L {U}/303-to-ok",
      "-d abc -L {U}/307-to-ok",
      "-X PUT -d abc -L {U}/303-to-ok",
      "-X DELETE {U}/ok",
      "-T {F}/f {U}/ok",
      "-T {F}/f -L {U}/to-ok",
      "-T {F}/f -L {U}/307-to-ok",
      "-T {F}/f -L {U}/303-to-ok",
      "-T {F}/big {U}/ok",
      "-T {F}/f {U}/417",
      "-d @{F}/big {U}/417",
      "-D - {U}/ok",
      "-o /dev/null -D - -L {U}/to-ok",
      "127.0.0.1:{P}/ok",
      "{U}/a/../ok",
      "--path-as-is {U}/a/../ok",
      "'{U}/ok?a[]=1#frag'",
      "'{U}/{ok,204,404}'",

      "http://127.0.0.1:1/",
      "{U}/ok http://127.0.0.1:1/",
      "http://127.0.0.1:1/ {U}/ok",
      "http://nosuch.invalid/",
      "-L {U}/to-nobody",
      "--resolve foo.invalid:{P}:127.0.0.1 http://foo.invalid:{P}/ok",
      "--connect-to foo.invalid:80:127.0.0.1:{P} http://foo.invalid/ok",
      "-x http://127.0.0.1:{P} http://foo.invalid/ok",
      "-x http://127.0.0.1:{P} --noproxy 127.0.0.1 {U}/ok",
      "-x http://127.0.0.1:1 {U}/ok",
      "-x http://nosuch.invalid:80 {U}/ok",
      "--socks5 127.0.0.1:1 {U}/ok",
      "--unix-socket {F}/none {U}/ok",
      "--max-filesize 5 {U}/ok",
      "-m 1 {U}/hang",
      "-y 1 -Y 10 {U}/hang",
      "-y 1 -Y 10 -T {F}/f {U}/hang",
      "--retry 2 --retry-max-time 5 {U}/503-for-a-day",
      "--connect-timeout 5 {U}/ok",
      "{U}/rst",
      "-o {F}/none/x {U}/ok",
      "--create-dirs -o {F}/a/b/x {U}/ok",
      "-o /dev/full {U}/ok",
      "-T {F}/none {U}/ok -o /dev/null",
      "ftpx://h/",
      "http://",
      "'http://a b/'",
      "http://h:99999/",
      "--retry 1 --retry-delay 1 {U}/flaky",
      "--retry 1 --retry-delay 1 -f {U}/flaky",
      "--retry 1 --retry-delay 1 --retry-connrefused http://127.0.0.1:1/",
      "--limit-rate 100k {U}/ok",
      "-b '' {U}/cookies {U}/ok",
      "--fail-early -f {U}/404 {U}/ok",
      "-f {U}/404 {U}/204",
  };
  write("f", "some bytes");
  write("big", std::string(1'500'000, 'x'));
  for (const std::string arguments : all) {
    // Where the two may differ in more than the message: curl calls an upload that did not begin a GET, and does not use the
    // connection of a response again that it refused.
    const bool is_special = arguments.find("none {U}/ok -o") != std::string::npos ||
                            arguments.find("-f {U}/404 {U}/204") == 0 ||
                            arguments.find("-f {U}/flaky") != std::string::npos;
    expect_the_same("-sS " + arguments + (is_special ? " -w '%{exitcode}'" : " -w {W}"));
  }
}

// Here curl counts what it saw of the head or body before the fault, so that only body and exit status are the same.
TEST_F(Fetch, EndsAsCurlWhenTheServerIsAtFault) {
  for (const std::string path : {"short", "cut-chunk", "bad-chunk", "bad-trailer", "bad-length", "negative-length",
                                 "bad-coding", "no-colon", "nul"}) {
    // With a header shown, curl has written it before the fault.
    expect_the_same("-sS {U}/" + path + " -w '%{exitcode} %{num_connects}'");
  }
  for (const std::string arguments : {"-L {U}/to-foo", "-L {U}/to-bad", "--compressed {U}/bad-gzip",
                                      "--compressed {U}/unknown-coding", "--max-filesize 4 {U}/ok"}) {
    expect_the_same("-sS " + arguments + " -w '%{http_code} %{exitcode} %{num_redirects}'");
  }
}

TEST_F(Fetch, SendsWhatCurlSends) {
  const char* const all[] = {
      "{U}/echo",
      "-d a=b {U}/echo",
      "-d a -d b=c --data-urlencode 'd=e f&' {U}/echo",
      "-d @{F}/lines {U}/echo",
      "--data-binary @{F}/lines {U}/echo",
      "--data-raw @x {U}/echo",
      "-d '' {U}/echo",
      "--json '{}' {U}/echo",
      "-G -d a=b --data-urlencode 'c= &' '{U}/echo?q=1'",
      "-u user:pass {U}/echo",
      "http://u%40:p@127.0.0.1:{P}/echo",
      "-e http://ref/ {U}/echo",
      "-b a=b {U}/echo",
      "-r 0-99 {U}/echo",
      "-C 7 {U}/echo",
      "-H 'X-A: 1' -H 'X-Empty;' -H 'Accept:' {U}/echo",
      "-H 'Host: other:1' {U}/echo",
      "-H 'User-Agent: x' {U}/echo",
      "-H 'Content-Type: text/x' -d a {U}/echo",
      "-H 'Authorization: x' -u a:b {U}/echo",
      "-X PATCH -d a {U}/echo",
      "-T {F}/lines {U}/echo",
      "-H 'Expect:' -T {F}/lines {U}/echo",
      "-H 'Expect: 100-continue' -d a {U}/echo",
      "-H 'Transfer-Encoding: chunked' -d a {U}/echo",
      "-X '' {U}/ok",
      "-H @{F}/fields {U}/echo",
      "'{U}/echo?a b'",
      "'{U}/echo?%41=%zz'",
  };
  write("lines", "l1\r\nl2\n");
  write("fields", "X-One: 1\nX-Two: 2\r\n");
  // The fields come in another order, and the program names itself unless it is told not to.
  const auto sorted = [](const std::string& text) {
    std::stringstream stream{text};
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) {
      lines.push_back(line.substr(0, line.find_last_not_of(" \r") + 1));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  for (const std::string arguments : all) {
    const bool has_agent = arguments.find("User-Agent") != std::string::npos;
    const std::string flags = "-sS " + (has_agent ? ""s : "-A agent "s) + arguments;
    const Finished theirs = curl(flags);
    const Finished ours = fetch(flags);
    EXPECT_EQ(sorted(ours.output), sorted(theirs.output)) << arguments;
    EXPECT_EQ(ours.status, theirs.status) << arguments << ours.errors;
  }
  EXPECT_NE(fetch("-sS {U}/echo").output.find("User-Agent: pollux-fetch/"), std::string::npos);
  EXPECT_EQ(fetch("-sS -A '' {U}/echo").output.find("User-Agent"), std::string::npos);
}

TEST_F(Fetch, DoesAsCurlWithHttpbin) {
  const char* const all[] = {
      "'{B}/get?a=1&b=2'",
      "-d a=b {B}/post",
      "--json '{\"a\":1}' {B}/post",
      "-T {F}/big {B}/put -o /dev/null",
      "-X DELETE {B}/delete",
      "-L {B}/redirect/5",
      "-L {B}/relative-redirect/2",
      "-L {B}/absolute-redirect/2",
      "-L --max-redirs 2 {B}/redirect/5",
      "-f {B}/status/500",
      "{B}/status/418",
      "-u user:pass {B}/basic-auth/user/pass",
      "-u user:bad {B}/basic-auth/user/pass",
      "-b x=y {B}/cookies",
      "-L -c {F}/jar -b '' '{B}/cookies/set?n=v' {B}/cookies",
      "{B}/stream/3",
      "-r 10-19 '{B}/range/100'",
      "'{B}/bytes/5000?seed=1'",
      "'{B}/stream-bytes/5000?seed=1'",
      "-I {B}/get",
      "-X OPTIONS -i -o /dev/null {B}/get",
      "{B}/encoding/utf8",
      "-H 'X-A: b' {B}/headers",
      "{B}/delay/1 -m 5",
      "{B}/delay/3 -m 1 -o /dev/null",
  };
  write("big", std::string(3'000'000, 'y'));
  for (const std::string arguments : all) {
    expect_the_same("-sS -A agent " + arguments +
                    " -w '|%{http_code} %{num_redirects} %{num_connects} %{size_upload} %{exitcode}|'");
  }
  for (const std::string coding : {"gzip", "deflate"}) {
    const Finished plain = fetch("-sS --compressed {B}/" + coding);
    EXPECT_EQ(plain.status, 0) << plain.errors;
    EXPECT_NE(plain.output.find("\"method\": \"GET\""), std::string::npos) << plain.output;
  }
}

TEST_F(Fetch, UsesOneConnectionForSeveralUrls) {
  const Finished finished = fetch(
      "-sS {U}/ok {U}/chunks {U}/404 {U}/to-ok -o /dev/null -o /dev/null -o /dev/null -o {F}/last -w '%{num_connects} "
      "%{local_port},'");
  EXPECT_EQ(finished.status, 0) << finished.errors;
  ASSERT_EQ(std::count(finished.output.begin(), finished.output.end(), ','), 4) << finished.output;
  const std::string port = finished.output.substr(2, finished.output.find(',') - 2);
  EXPECT_EQ(finished.output, "1 " + port + ",0 " + port + ",0 " + port + ",0 " + port + ",");
  EXPECT_EQ(file("last"), "abc");
}

TEST_F(Fetch, WritesFiles) {
  EXPECT_EQ(fetch("-sS {U}/ok -o {F}/one").status, 0);
  EXPECT_EQ(file("one"), "hello");
  EXPECT_EQ(fetch("-sS --output-dir {F}/d/e --create-dirs -O '{U}/ok?x=y'").status, 0);
  EXPECT_EQ(file("d/e/ok"), "hello");
  EXPECT_EQ(fetch("-sS '{U}/{ok,206}' -o '{F}/x_#1'").status, 0);
  EXPECT_EQ(file("x_ok") + file("x_206"), "hellollo");
  // A transfer that fails leaves no file; one with an empty body does.
  EXPECT_EQ(fetch("-sf {U}/404 -o {F}/none").status, 22);
  EXPECT_NE(::access((folder_ + "/none").c_str(), F_OK), 0);
  EXPECT_EQ(fetch("-s {U}/204 -o {F}/empty").status, 0);
  EXPECT_EQ(::access((folder_ + "/empty").c_str(), F_OK), 0);
  // Resumed behind what is there.
  write("part", "he");
  EXPECT_EQ(fetch("-sS -C - {U}/206 -o {F}/part").status, 0);
  EXPECT_EQ(file("part"), "hello");
  EXPECT_EQ(fetch("-sS -C - {U}/416 -o {F}/part").status, 0);
  EXPECT_EQ(file("part"), "hello");
  // What another try makes useless is taken back.
  EXPECT_EQ(fetch("-sS --retry 1 --retry-delay 1 {U}/flaky -o {F}/again").status, 0);
  EXPECT_EQ(file("again"), "hello");
}

TEST_F(Fetch, KeepsCookiesInAFile) {
  EXPECT_EQ(fetch("-sS -c {F}/jar {U}/cookies").output, "hello");
  EXPECT_NE(file("jar").find("127.0.0.1\tFALSE\t/\tFALSE\t0\ta\tb"), std::string::npos) << file("jar");
  const std::string echo = fetch("-sS -b {F}/jar -b c=d {U}/echo").output;
  EXPECT_EQ(echo.find("Cookie: a=b\r\n"), std::string::npos) << "a file and a text";
  EXPECT_NE(echo.find("Cookie: a=b; c=d\r\n"), std::string::npos) << echo;
  // curl reads our file, and we read curl's.
  EXPECT_NE(curl("-sS -b {F}/jar {U}/echo").output.find("Cookie: a=b\r\n"), std::string::npos);
  EXPECT_EQ(curl("-sS -c {F}/theirs {U}/cookies").status, 0);
  EXPECT_NE(fetch("-sS -b {F}/theirs {U}/echo").output.find("Cookie: a=b\r\n"), std::string::npos);
}

TEST_F(Fetch, ReadsStandardInput) {
  const std::string command = program("fetch") + filled(" -m 20 -sS -T - {U}/echo");
  const std::string echo = run("(printf abc; printf def) | " + command).output;
  EXPECT_NE(echo.find("PUT /echo"), std::string::npos) << echo;
  EXPECT_NE(echo.find("Transfer-Encoding: chunked"), std::string::npos) << echo;
  const Finished put = run("printf abcdef | " + program("fetch") + filled(" -m 20 -sS -T - {B}/put"));
  EXPECT_NE(put.output.find("\"data\": \"abcdef\""), std::string::npos) << put.output;
}

// A redirect that keeps the body: a file can be read again, a pipe cannot, and then nothing else is sent in its place.
TEST_F(Fetch, ReadsStandardInputASecondTimeIfItCan) {
  write("f", "abcdef");
  const std::string command = program("fetch") + filled(" -m 20 -sS -L -T - {U}/307-to-put <{F}/f");
  const Finished again = run(command);
  EXPECT_EQ(again.status, 0) << again.errors;
  EXPECT_NE(again.output.find("\"data\": \"abcdef\""), std::string::npos) << again.output;
  const Finished pipe = run("printf abcdef | " + program("fetch") + filled(" -m 20 -sS -L -T - {U}/307-to-put"));
  EXPECT_EQ(pipe.status, 65) << pipe.output;
  EXPECT_EQ(pipe.output.find("data"), std::string::npos) << pipe.output;
}

TEST_F(Fetch, SaysThatALocationIsTooLong) {
  const Finished far = fetch("-sS -L {U}/to-far");
  EXPECT_EQ(far.status, 27) << far.errors;
}

// A redirect whose body stops coming is followed after a second; curl would wait.
TEST_F(Fetch, DoesNotWaitForABodyThatNobodyWants) {
  const Finished done = fetch("-sS -L {U}/to-ok-stuck");
  EXPECT_EQ(done.status, 0) << done.errors;
  EXPECT_EQ(done.output, "hello");
}

TEST_F(Fetch, ConnectsThroughAUnixSocket) {
  App local{"httpbin", {"--listen", "unix:" + folder_ + "/s"}};
  const Finished finished = fetch("-sS --unix-socket {F}/s http://name.invalid/get -w '%{http_code}' -o /dev/null");
  EXPECT_EQ(finished.output, "200") << finished.errors;
}

TEST_F(Fetch, ShowsWhatGoesOverTheWire) {
  const std::string text = fetch("-sv -L {U}/to-ok -o /dev/null").errors;
  std::size_t at = 0;
  for (const std::string& line :
       {"*   Trying 127.0.0.1:"s + odd->port() + "...\n",
        "* Connected to 127.0.0.1 (127.0.0.1) port "s + odd->port() + " (#0)\n", "> GET /to-ok HTTP/1.1\n"s,
        "> Accept: */*\n"s, "> \n"s, "< HTTP/1.1 302 Found\n"s, "< \n"s,
        "* Connection #0 to host 127.0.0.1 left intact\n"s, "* Issue another request to this URL: "s,
        "* Re-using existing connection #0 with host 127.0.0.1\n"s, "> GET /ok HTTP/1.1\n"s, "< HTTP/1.1 200 OK\n"s,
        "{ [5 bytes data]\n"s, "* Connection #0 to host 127.0.0.1 left intact\n"s}) {
    const std::size_t found = text.find(line, at);
    EXPECT_NE(found, std::string::npos) << line << "in\n" << text;
    at = found == std::string::npos ? at : found + line.size();
  }
  EXPECT_TRUE(fetch("-sv {U}/until-close -o /dev/null").errors.ends_with("* Closing connection 0\n"));
}

TEST_F(Fetch, SaysWhatWentWrong) {
  EXPECT_EQ(fetch("-s http://127.0.0.1:1/").errors, "");
  EXPECT_TRUE(fetch("-sS http://127.0.0.1:1/")
                  .errors.starts_with("pollux-fetch: (7) Failed to connect to 127.0.0.1 port 1 after "));
  EXPECT_EQ(run(program("fetch")).status, 2);
  EXPECT_EQ(
      run(program("fetch") + " --nonsense h").errors,
      "pollux-fetch: option --nonsense: is unknown\npollux-fetch: try 'pollux-fetch --help' for more information\n");
  EXPECT_EQ(run(program("fetch") + " --version").status, 0);
  // Nobody reads: EPIPE.
  const Finished piped = run("(" + program("fetch") + filled(" -sS {B}/bytes/100000; echo $? >&2) | true"));
  EXPECT_NE(piped.errors.find("23\n"), std::string::npos) << piped.errors;
}

}  // namespace
}  // namespace pollux::e2e
