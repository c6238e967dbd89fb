// pollux-fetch, pollux-load and pollux-gateway over loopback against servers of others: nginx, lighttpd, Python's http.server as HTTP/1.0 and
// as HTTP/1.1, and Go's net/http. The first half asks all of them for the same, the second half for what only one of them does.
//
// A server that is not installed is skipped, with the name of its package.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <ostream>
#include <random>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/support/app.hpp"
#include "tests/e2e/support/peer.hpp"

namespace pollux::e2e {
namespace {

constexpr std::size_t big_size = 20'000'000;
constexpr std::string_view small_text = "a small file\n";

void write_file(const std::string& path, std::string_view content) {
  std::ofstream{path, std::ios::binary} << content;
}

// The files all servers serve, made once: small.txt, big.bin, page.html (which is worth compressing), folder/index.html, put/.
class Files : public ::testing::Environment {
 public:
  void SetUp() override {
    for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
      ::unsetenv(name);
    }
    folder = ::testing::TempDir() + "pollux-peers-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    ASSERT_EQ(run("chmod 755 '" + folder + "' && mkdir -p '" + root() + "/folder' '" + root() + "/put'").status, 0);
    write_file(root() + "/small.txt", small_text);
    write_file(root() + "/folder/index.html", "the index\n");
    std::string big(big_size, '\0');
    std::minstd_rand random{3};
    for (char& byte : big) {
      byte = static_cast<char>(random() >> 8);
    }
    write_file(root() + "/big.bin", big);
    std::string page;
    for (int line = 0; line < 5000; ++line) {
      page += "<p>line " + std::to_string(line) + "</p>\n";
    }
    write_file(root() + "/page.html", page);
    write_file(root() + "/echo.cgi", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nexec cat\n");
    ASSERT_EQ(run("chmod 755 '" + root() + "/echo.cgi'").status, 0);
  }
  void TearDown() override { static_cast<void>(run("rm -rf '" + folder + "'")); }

  [[nodiscard]] static std::string root() { return folder + "/root"; }

  static std::string folder;
};
std::string Files::folder;
const ::testing::Environment* const files = ::testing::AddGlobalTestEnvironment(new Files);

// ---- How each server is started

std::string nginx_configuration(std::uint16_t port, const std::string& server_lines) {
  std::string work = Files::folder + "/nginx-" + std::to_string(port);
  static_cast<void>(run("mkdir -p '" + work + "'"));
  std::string paths;
  for (const char* name : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    paths += "  " + std::string{name} + "_temp_path " + work + "/" + name + ";\n";
  }
  // A master and one worker: alone, nginx 1.22 crashes on a socket it was given. As root, the worker would be somebody else.
  write_file(work + "/nginx.conf", std::string{::geteuid() == 0 ? "user root;\n" : ""} + R"(daemon off;
error_log stderr;
pid )" + work + R"(/nginx.pid;
events { worker_connections 256; }
http {
)" + paths + R"(  access_log off;
  types { text/html html; text/plain txt; }
  server {
    listen 127.0.0.1:)" + std::to_string(port) +
                                       ";\n    root " + Files::root() + ";\n" + server_lines + "  }\n}\n");
  return work + "/nginx.conf";
}

std::unique_ptr<Peer> start_nginx(const std::string& server_lines) {
  Listener listener;
  const std::string file = nginx_configuration(listener.port(), server_lines);
  return std::make_unique<Peer>(std::move(listener),
                                std::vector<std::string>{find_program("nginx"), "-e", "stderr", "-c", file},
                                std::vector<std::string>{"NGINX=3;"});
}

std::unique_ptr<Peer> start_lighttpd(const std::string& more_lines) {
  Listener listener;
  const std::string file = Files::folder + "/lighttpd-" + std::to_string(listener.port()) + ".conf";
  write_file(file,
             "server.modules = (\"mod_cgi\")\nserver.systemd-socket-activation = \"enable\"\n"
             "server.bind = \"127.0.0.1\"\nserver.port = " +
                 std::to_string(listener.port()) + "\nserver.document-root = \"" + Files::root() +
                 "\"\nindex-file.names = (\"index.html\")\nmimetype.assign = (\".html\" => \"text/html\", \".txt\" => "
                 "\"text/plain\")\nserver.upload-dirs = (\"" +
                 Files::folder + "\")\ncgi.assign = (\".cgi\" => \"\")\n" + more_lines);
  return std::make_unique<Peer>(std::move(listener),
                                std::vector<std::string>{find_program("lighttpd"), "-D", "-f", file});
}

std::unique_ptr<Peer> start_python(const std::string& version) {
  return std::make_unique<Peer>(
      Listener{},
      std::vector<std::string>{find_program("python3"), POLLUX_PEERS_DIR "/server.py", Files::root(), version},
      std::vector<std::string>{"PYTHONDONTWRITEBYTECODE=1"});
}

std::unique_ptr<Peer> start_go(const std::vector<std::string>& more = {}) {
  std::vector<std::string> command{POLLUX_GO_PEER, Files::root()};
  command.insert(command.end(), more.begin(), more.end());
  return std::make_unique<Peer>(Listener{}, command);
}

// What a server can do, as configured here.
struct Kind {
  std::string_view name;
  std::string_view files = "";  // the path of the files
  bool keeps_connections = true;
  bool has_ranges = true;
  bool has_tags = true;
  std::string_view compressed = "";  // a path with gzip
  std::string_view echo = "";        // a path that takes POST
  bool takes_put = true;
};
const Kind kinds[] = {
    {.name = "nginx", .compressed = "/page.html"},
    {.name = "lighttpd", .echo = "/echo.cgi", .takes_put = false},
    {.name = "python10", .keeps_connections = false, .has_ranges = false, .has_tags = false, .echo = "/echo"},
    {.name = "python11", .has_ranges = false, .has_tags = false, .echo = "/echo"},
    {.name = "go", .files = "/files", .compressed = "/gzip", .echo = "/echo"},
};

// For GoogleTest's messages.
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

// Why a server cannot be started; empty if it can.
std::string missing(std::string_view kind) {
  if (kind == "go") {
    return std::string_view{POLLUX_GO_PEER}.empty() ? "go was not installed when this was configured (golang-go)" : "";
  }
  const std::string program = std::string{kind.starts_with("python") ? "python3" : kind};
  if (!find_program(program).empty()) {
    return "";
  }
  return program + " is not installed (package " + (program == "nginx" ? "nginx-light" : program) + ")";
}

std::unique_ptr<Peer> start(std::string_view kind) {
  if (kind == "nginx") {
    return start_nginx(
        "    gzip on;\n    client_max_body_size 30m;\n"
        "    location /put/ { dav_methods PUT; }\n");
  }
  if (kind == "lighttpd") {
    return start_lighttpd("");
  }
  if (kind == "go") {
    return start_go();
  }
  return start_python(kind == "python10" ? "HTTP/1.0" : "HTTP/1.1");
}

Finished fetch(const std::string& arguments) {
  return run("'" + program("fetch") + "' -sS -m 20 " + arguments + " </dev/null");
}

// pollux-fetch and curl are given the same; output and exit status are the same.
void expect_as_curl(const std::string& arguments) {
  const Finished theirs = run("curl -q -sS -m 20 " + arguments + " </dev/null");
  const Finished ours = fetch(arguments);
  EXPECT_EQ(ours.output, theirs.output) << arguments;
  EXPECT_EQ(ours.status, theirs.status) << arguments << "\n" << ours.errors << theirs.errors;
}

// A file in which a download ends up.
std::string download(std::string_view name) {
  return Files::folder + "/" + std::string{name};
}

bool is_same_file(const std::string& one, const std::string& other) {
  return run("cmp '" + one + "' '" + other + "'").status == 0;
}

// A number of pollux-load's report; -1 if it is not there.
long number_of(const Finished& finished, const std::string& name) {
  std::smatch found;
  const bool there = std::regex_search(finished.output, found, std::regex{"\"" + name + "\": ([0-9]+)"});
  return there ? std::stol(found[1]) : -1;
}

void expect_all_answered(const Finished& finished, long count) {
  EXPECT_EQ(finished.status, 0) << finished.output << finished.errors;
  EXPECT_EQ(number_of(finished, "200"), count) << finished.output;
  EXPECT_EQ(number_of(finished, "errors"), 0) << finished.output;
}

// ---- The same for all

class EachPeer : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (const std::string reason = missing(kind().name); !reason.empty()) {
      GTEST_SKIP() << reason;
    }
    peer_ = start(kind().name);
  }

  [[nodiscard]] static const Kind& kind() { return GetParam(); }
  [[nodiscard]] std::string file(std::string_view name) const {
    return "'" + peer_->url(std::string{kind().files} + "/" + std::string{name}) + "'";
  }
  [[nodiscard]] std::string path(std::string_view name) const { return "'" + peer_->url(name) + "'"; }

  std::unique_ptr<Peer> peer_;
};

TEST_P(EachPeer, GivesFiles) {
  const Finished small = fetch(file("small.txt") + " -w '%{http_code}'");
  EXPECT_EQ(small.output, std::string{small_text} + "200") << small.errors;
  const std::string copy = download("copy");
  EXPECT_EQ(fetch(file("big.bin") + " -w '%{http_code} %{size_download}' -o '" + copy + "'").output, "200 20000000");
  EXPECT_TRUE(is_same_file(copy, Files::root() + "/big.bin"));
  EXPECT_EQ(fetch("-I -o /dev/null -w '%{http_code} %{size_download}' " + file("big.bin")).output, "200 0");
  EXPECT_TRUE(std::regex_search(fetch("-I " + file("big.bin")).output,
                                std::regex{"\r\nContent-Length: 20000000\r\n", std::regex::icase}));
  expect_as_curl("-w '|%{http_code} %{size_download} %{num_headers} %{content_type} %{http_version}' " +
                 file("page.html"));
  expect_as_curl("-I -w '|%{http_code}' " + file("small.txt") + " | grep -iv ^date:");
  expect_as_curl("-L -w '|%{http_code} %{num_redirects} %{url_effective}' " + file("folder"));
}

TEST_P(EachPeer, DoesNotHaveAFile) {
  EXPECT_EQ(fetch("-f -o /dev/null " + file("none")).status, 22);
  EXPECT_EQ(fetch("-o /dev/null -w '%{http_code}' " + file("none")).output, "404");
  expect_as_curl("-w '|%{http_code} %{size_download}' " + file("none"));
  expect_as_curl("--fail-with-body -w '|%{http_code}' " + file("none"));
}

TEST_P(EachPeer, GivesRangesAndIsResumed) {
  const std::string copy = download("resumed");
  ASSERT_EQ(run("head -c 7000000 '" + Files::root() + "/big.bin' >'" + copy + "'").status, 0);
  const std::string resume = "-C - -o '" + copy + "' " + file("big.bin");
  if (!kind().has_ranges) {
    EXPECT_EQ(fetch(resume).status, 33);
    EXPECT_EQ(fetch("-r 0-1 -w '|%{http_code}' " + file("small.txt")).output, std::string{small_text} + "|200");
    return;
  }
  EXPECT_EQ(fetch(resume + " -w '%{http_code} %{size_download}'").output, "206 13000000");
  EXPECT_TRUE(is_same_file(copy, Files::root() + "/big.bin"));
  EXPECT_EQ(fetch(resume).status, 0) << "there is nothing left";
  EXPECT_TRUE(is_same_file(copy, Files::root() + "/big.bin"));
  EXPECT_EQ(fetch("-r 2-6 " + file("small.txt")).output, small_text.substr(2, 5));
  EXPECT_EQ(fetch("-r -5 " + file("small.txt")).output, small_text.substr(small_text.size() - 5));
  EXPECT_EQ(fetch("-r 2- -w '|%{http_code}' " + file("small.txt")).output, std::string{small_text.substr(2)} + "|206");
  expect_as_curl("-r 500- -w '|%{http_code}' " + file("small.txt"));
  expect_as_curl("-f -r 500- -w '|%{http_code}' " + file("small.txt"));
  // multipart/byteranges; its boundary differs each time.
  EXPECT_EQ(fetch("-r 0-1,4-5 -o /dev/null -w '%{http_code}' " + file("big.bin")).output,
            run("curl -q -sS -r 0-1,4-5 -o /dev/null -w '%{http_code}' " + file("big.bin")).output);
}

TEST_P(EachPeer, KnowsWhatHasNotChanged) {
  const std::string head = fetch("-I " + file("small.txt")).output;
  std::smatch found;
  ASSERT_TRUE(std::regex_search(head, found, std::regex{"\r\nLast-Modified: ([^\r]*)\r\n", std::regex::icase})) << head;
  const std::string unchanged = "-w '%{http_code} %{size_download} %{num_connects}|' ";
  const std::string since = "-H 'If-Modified-Since: " + found[1].str() + "' ";
  EXPECT_EQ(fetch(unchanged + since + file("small.txt") + " " + file("small.txt")).output,
            kind().keeps_connections ? "304 0 1|304 0 0|" : "304 0 1|304 0 1|");
  if (kind().has_tags) {
    ASSERT_TRUE(std::regex_search(head, found, std::regex{"\r\nETag: ([^\r]*)\r\n", std::regex::icase})) << head;
    const std::string none_match = "-H 'If-None-Match: " + found[1].str() + "' ";
    EXPECT_EQ(fetch(unchanged + none_match + file("small.txt") + " " + file("small.txt")).output, "304 0 1|304 0 0|");
    EXPECT_EQ(fetch("-H 'If-None-Match: \"other\"' " + file("small.txt")).output, small_text);
  }
}

TEST_P(EachPeer, IsAskedOverOneConnection) {
  std::string urls;
  for (const char* name : {"small.txt", "big.bin", "none", "page.html", "folder/", "small.txt"}) {
    urls += " -o /dev/null " + file(name);
  }
  // Python's server says Connection: close with an error.
  const std::string expected = !kind().keeps_connections ? "111111" : kind().name == "python11" ? "100100" : "100000";
  EXPECT_EQ(fetch("-w '%{num_connects}'" + urls).output, expected);
  EXPECT_EQ(fetch("-I -w '%{num_connects}'" + urls).output, expected);
  EXPECT_EQ(fetch("-H 'Connection: close' -w '%{num_connects}'" + urls).output, "111111");
}

TEST_P(EachPeer, TakesUploads) {
  const std::string big = Files::root() + "/big.bin";
  if (kind().takes_put) {
    // The second goes without a length where the server is known to take that: Python's does not.
    EXPECT_EQ(fetch("-T '" + big + "' -o /dev/null -w '%{http_code} %{size_upload}' " + path("/put/one")).output,
              "201 20000000");
    EXPECT_TRUE(is_same_file(Files::root() + "/put/one", big));
    if (!kind().name.starts_with("python")) {
      EXPECT_EQ(run("'" + program("fetch") + "' -sS -m 20 -T - -o /dev/null -w '%{http_code}' " + path("/put/two") +
                    " <'" + big + "'")
                    .output,
                "201");
      EXPECT_TRUE(is_same_file(Files::root() + "/put/two", big));
    }
    static_cast<void>(run("rm -f '" + Files::root() + "'/put/*"));
  }
  if (!kind().echo.empty()) {
    EXPECT_EQ(fetch("-d a=b " + path(kind().echo)).output, "a=b");
    EXPECT_EQ(fetch("-d '' -w '%{http_code}' " + path(kind().echo)).output, "200");
    const std::string copy = download("echo");
    EXPECT_EQ(fetch("--expect100-timeout 0.1 --data-binary '@" + big + "' -o '" + copy +
                    "' -w '%{http_code} %{size_upload} %{size_download}' " + path(kind().echo))
                  .output,
              "200 20000000 20000000");
    EXPECT_TRUE(is_same_file(copy, big));
    EXPECT_EQ(fetch("-w '%{num_connects}|' -d one " + path(kind().echo) + " " + path(kind().echo)).output,
              kind().keeps_connections ? "one1|one0|" : "one1|one1|");
  }
}

TEST_P(EachPeer, Compresses) {
  if (kind().compressed.empty()) {
    expect_as_curl("--compressed -w '|%{http_code} %{size_download}' " + file("page.html"));
    return;
  }
  const std::string url = path(kind().compressed);
  EXPECT_TRUE(std::regex_search(fetch("--compressed -o /dev/null -D - " + url).output,
                                std::regex{"\r\nContent-Encoding: gzip\r\n", std::regex::icase}));
  EXPECT_EQ(fetch("--compressed " + url).output, fetch(url).output);
  expect_as_curl("--compressed -w '|%{http_code} %{size_download}' " + url + " " + url);
  expect_as_curl("-H 'Accept-Encoding: gzip' " + url + " | wc -c");
}

TEST_P(EachPeer, BearsALoad) {
  std::string url = file("small.txt");
  url = url.substr(1, url.size() - 2);
  const Finished finished = run_app("load", {"-n", "2000", "-c", "8", "--json", url});
  expect_all_answered(finished, 2000);
  EXPECT_EQ(number_of(finished, "body_bytes"), 2000 * static_cast<long>(small_text.size()));
  if (!kind().keeps_connections) {
    EXPECT_EQ(number_of(finished, "dials"), 2000);
  } else if (kind().name != "nginx" && kind().name != "lighttpd") {  // these end connections after some requests
    EXPECT_EQ(number_of(finished, "dials"), 8);
  }
}

INSTANTIATE_TEST_SUITE_P(Peers, EachPeer, ::testing::ValuesIn(kinds),
                         [](const auto& one) { return std::string{one.param.name}; });

// ---- What only one of them does

#define SKIP_WITHOUT(kind)                                         \
  if (const std::string reason = missing(kind); !reason.empty()) { \
    GTEST_SKIP() << reason;                                        \
  }

TEST(Nginx, EndsConnectionsAfterSomeRequests) {
  SKIP_WITHOUT("nginx");
  const auto nginx = start_nginx("    keepalive_requests 3;\n");
  std::string urls;
  for (int i = 0; i < 10; ++i) {
    urls += " -o /dev/null " + nginx->url("/small.txt");
  }
  const Finished all = fetch("-f -w '%{num_connects}'" + urls);
  EXPECT_EQ(all.status, 0) << all.errors;
  EXPECT_EQ(all.output, "1001001001");
  const Finished load = run_app("load", {"-n", "300", "-c", "4", "--json", nginx->url("/small.txt")});
  expect_all_answered(load, 300);
  EXPECT_LE(number_of(load, "dials"), 104);
}

// While fetch waits for Go's slow answer, nginx closes the connection that lies idle.
TEST(Nginx, EndsIdleConnections) {
  SKIP_WITHOUT("nginx");
  SKIP_WITHOUT("go");
  const auto nginx = start_nginx("    keepalive_timeout 200ms;\n");
  const auto go = start_go();
  const auto short_go = start_go({"200ms"});
  const std::string small = " -o /dev/null " + nginx->url("/small.txt") + " -o /dev/null " + short_go->url("/hello");
  const Finished all =
      fetch("-f -w '%{num_connects}'" + small + small + " -o /dev/null '" + go->url("/slow?for=400ms") + "'" + small);
  EXPECT_EQ(all.status, 0) << all.errors;
  EXPECT_EQ(all.output, "1100111");
}

// The connection is closed at about the time the next request is sent on it: such a request is sent again.
TEST(Nginx, ClosesAtTheMomentOfReuse) {
  SKIP_WITHOUT("nginx");
  const auto nginx = start_nginx("    keepalive_timeout 10ms;\n");
  const Finished load = run_app("load", {"-n", "100", "-c", "1", "--rate", "100", "--json", nginx->url("/small.txt")});
  expect_all_answered(load, 100);
}

TEST(Nginx, AnswersBeforeTheBodyIsSent) {
  SKIP_WITHOUT("nginx");
  const auto nginx = start_nginx(
      "    location /limited/ { client_max_body_size 1m; dav_methods PUT; }\n"
      "    location /ignored { client_max_body_size 30m; return 200 \"ok\\n\"; }\n");
  const std::string big = "'" + Files::root() + "/big.bin'";
  for (const std::string expect : {"", "-H 'Expect:' "}) {
    EXPECT_EQ(fetch(expect + "-o /dev/null -o /dev/null -T " + big + " -w '%{http_code}|' " + nginx->url("/limited/x"))
                  .output,
              "413|")
        << expect;
    EXPECT_EQ(fetch(expect + "--data-binary @" + big + " -w '%{http_code}|' " + nginx->url("/ignored")).output,
              "ok\n200|")
        << expect;
  }
  EXPECT_EQ(fetch("-f -o /dev/null -T " + big + " " + nginx->url("/limited/x")).status, 22);
}

TEST(Nginx, DoesOtherThings) {
  SKIP_WITHOUT("nginx");
  const std::string passwords = Files::folder + "/passwords";
  write_file(passwords, "mary:{PLAIN}secret\n");
  const std::string socket = Files::folder + "/nginx.sock";
  const auto nginx =
      start_nginx("    listen unix:" + socket +
                  ";\n"
                  "    location /private { auth_basic realm; auth_basic_user_file " +
                  passwords +
                  "; try_files /small.txt =404; }\n"
                  "    location /set { add_header Set-Cookie \"name=value; Path=/; HttpOnly\"; return 302 /show; }\n"
                  "    location /show { return 200 \"$cookie_name $host\\n\"; }\n"
                  "    location /nothing { return 444; }\n"
                  "    location /drip/ { alias " +
                  Files::root() + "/; limit_rate 10k; }\n");
  const std::string port = std::to_string(nginx->port());
  EXPECT_EQ(fetch("-u mary:secret -w '%{http_code}' " + nginx->url("/private")).output,
            std::string{small_text} + "200");
  EXPECT_EQ(fetch("-o /dev/null -u mary:other -w '%{http_code}' " + nginx->url("/private")).output, "401");
  EXPECT_EQ(fetch("-L -b '' " + nginx->url("/set")).output, "value 127.0.0.1\n");
  EXPECT_EQ(fetch("--resolve device.test:" + port + ":127.0.0.1 http://device.test:" + port + "/show").output,
            " device.test\n");
  EXPECT_EQ(fetch("--unix-socket '" + socket + "' http://inside/show").output, " inside\n");
  EXPECT_EQ(fetch(nginx->url("/nothing")).status, 52);
  expect_as_curl("-w '%{http_code} %{num_connects}|' " + nginx->url("/small.txt") + " " + nginx->url("/nothing") + " " +
                 nginx->url("/small.txt"));
  EXPECT_EQ(fetch("-m 0.3 -o /dev/null " + nginx->url("/drip/big.bin")).status, 28);
}

TEST(Nginx, IsAForwardProxy) {
  SKIP_WITHOUT("nginx");
  SKIP_WITHOUT("go");
  const auto go = start_go();
  const auto nginx = start_nginx("    location / { proxy_pass http://$http_host$request_uri; }\n");
  EXPECT_EQ(
      fetch("-x " + nginx->url("") + " " + go->url("/hello") + " " + go->url("/chunked") + " -w '%{num_connects}|'")
          .output,
      "hello\n1|one\ntwo\nthree\n0|");
}

TEST(Lighttpd, EndsConnectionsAfterSomeRequests) {
  SKIP_WITHOUT("lighttpd");
  const auto lighttpd = start_lighttpd("server.max-keep-alive-requests = 3\n");
  const Finished load = run_app("load", {"-n", "300", "-c", "4", "--json", lighttpd->url("/small.txt")});
  expect_all_answered(load, 300);
  EXPECT_GE(number_of(load, "dials"), 75);
}

class Go : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT("go");
    go_ = start_go();
  }
  [[nodiscard]] std::string url(std::string_view path) const { return "'" + go_->url(path) + "'"; }

  std::unique_ptr<Peer> go_;
};

TEST_F(Go, SendsChunksTrailersAndHints) {
  EXPECT_EQ(fetch(url("/chunked")).output, "one\ntwo\nthree\n");
  expect_as_curl("-w '|%{http_code} %{size_download} %{num_connects}|' " + url("/chunked") + " " + url("/trailers") +
                 " " + url("/hints"));
  expect_as_curl("-i " + url("/trailers") + " | grep -v ^Date:");
  expect_as_curl("-i -w '%{http_code}' " + url("/hints") + " | grep -v ^Date:");
  EXPECT_NE(fetch("-i " + url("/hints")).output.find("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n"),
            std::string::npos);
}

TEST_F(Go, Redirects) {
  EXPECT_EQ(fetch("-L -w '%{http_code} %{num_redirects} %{num_connects}' " + url("/redirect/4")).output,
            "hello\n200 4 1");
  expect_as_curl("-L --max-redirs 3 -o /dev/null -w '%{http_code} %{num_redirects}' " + url("/redirect/4"));
  expect_as_curl("-L -d a=b -w '%{http_code} %{method}' " + url("/redirect/2"));
}

TEST_F(Go, IsSlow) {
  EXPECT_EQ(fetch("-m 0.2 " + url("/slow?for=5s")).status, 28);
  EXPECT_EQ(fetch(url("/slow?for=50ms") + " " + url("/hello")).output, "slow\nhello\n");
}

TEST_F(Go, AsksForTheBodyOrNot) {
  const std::string big = "'" + Files::root() + "/big.bin' ";
  const Finished wanted = fetch("--data-binary @" + big + "-o /dev/null -D - -w '%{size_upload}' " + url("/echo"));
  EXPECT_TRUE(wanted.output.starts_with("HTTP/1.1 100 Continue\r\n")) << wanted.output;
  EXPECT_NE(wanted.output.find("\r\nX-Expect: 100-continue\r\n"), std::string::npos) << wanted.output;
  EXPECT_TRUE(wanted.output.ends_with("\r\n20000000")) << wanted.output;
  EXPECT_EQ(fetch("--expect100-timeout 10 --data-binary @" + big + "-w '%{http_code} %{size_upload}' " + url("/refuse"))
                .output,
            "not wanted\n403 0");
  const Finished early = fetch("-H 'Expect:' --data-binary @" + big + "-w '%{http_code}' " + url("/refuse"));
  EXPECT_EQ(early.output, "not wanted\n403") << early.errors;
  EXPECT_EQ(early.status, 0) << early.errors;
}

TEST_F(Go, ClosesAndCuts) {
  EXPECT_EQ(fetch("-w '%{num_connects}' " + url("/close") + " " + url("/close")).output, "bye\n1bye\n1");
  EXPECT_EQ(fetch(url("/abort")).status, 18);
  expect_as_curl("-w '|%{http_code} %{size_download} %{num_connects}|' " + url("/abort") + " " + url("/hello"));
  const Finished posts = run_app("load", {"-n", "500", "-c", "4", "-d", "a=b", "--json", go_->url("/echo")});
  expect_all_answered(posts, 500);
  const Finished single = run_app("load", {"-n", "500", "-c", "4", "--no-keepalive", "--json", go_->url("/hello")});
  expect_all_answered(single, 500);
  EXPECT_EQ(number_of(single, "dials"), 500);
}

// ---- pollux-gateway in front of them

class GatewayBefore : public ::testing::Test {
 protected:
  void start(const std::string& routes) {
    write_file(Files::folder + "/gateway.conf", routes);
    gateway_ = std::make_unique<App>("gateway", std::vector<std::string>{"--config", Files::folder + "/gateway.conf"});
  }
  [[nodiscard]] std::string url(std::string_view path) const { return "'" + gateway_->url(path) + "'"; }

  std::unique_ptr<App> gateway_;
};

TEST_F(GatewayBefore, Nginx) {
  SKIP_WITHOUT("nginx");
  const auto nginx = start_nginx(
      "    gzip on;\n    client_max_body_size 30m;\n    location /put/ { dav_methods PUT; }\n    keepalive_requests "
      "3;\n");
  start("route / " + nginx->url("") + "\n");
  const std::string big = Files::root() + "/big.bin";
  const std::string copy = download("through");
  EXPECT_EQ(fetch("-o '" + copy + "' -w '%{http_code} %{size_download}' " + url("/big.bin")).output, "200 20000000");
  EXPECT_TRUE(is_same_file(copy, big));
  EXPECT_EQ(fetch("-r 2-6 -w '%{http_code}' " + url("/small.txt")).output,
            std::string{small_text.substr(2, 5)} + "206");
  EXPECT_EQ(fetch("-I -o /dev/null -w '%{http_code}%header{content-length}' " + url("/big.bin")).output, "20020000000");
  EXPECT_EQ(fetch("-f -o /dev/null " + url("/none")).status, 22);
  EXPECT_EQ(fetch("--compressed " + url("/page.html")).output, fetch(url("/page.html")).output);
  EXPECT_EQ(fetch("-T '" + big + "' -w '%{http_code}' -o /dev/null " + url("/put/three")).output, "201");
  EXPECT_TRUE(is_same_file(Files::root() + "/put/three", big));
  static_cast<void>(run("rm -f '" + Files::root() + "/put/three'"));
  std::string urls;
  for (int i = 0; i < 10; ++i) {
    urls += " -o /dev/null " + url("/small.txt");
  }
  EXPECT_EQ(fetch("-f -w '%{num_connects}'" + urls).output, "1000000000");
  const Finished load = run_app("load", {"-n", "2000", "-c", "8", "--json", gateway_->url("/small.txt")});
  expect_all_answered(load, 2000);
  EXPECT_EQ(number_of(load, "dials"), 8) << "the upstream's closing is no business of the client";
}

TEST_F(GatewayBefore, NginxThatClosesAtTheMomentOfReuse) {
  SKIP_WITHOUT("nginx");
  const auto nginx = start_nginx("    keepalive_timeout 10ms;\n");
  start("route / " + nginx->url("") + "\n");
  expect_all_answered(run_app("load", {"-n", "100", "-c", "1", "--rate", "100", "--json", gateway_->url("/small.txt")}),
                      100);
}

TEST_F(GatewayBefore, Go) {
  SKIP_WITHOUT("go");
  const auto go = start_go();
  start("route / " + go->url("") + "\n");
  expect_as_curl("-w '|%{http_code} %{num_connects}|' " + url("/hello") + " " + url("/chunked") + " " + url("/gzip"));
  const std::string hints = fetch("-i " + url("/hints")).output;
  EXPECT_NE(hints.find("HTTP/1.1 103 Early Hints\r\n"), std::string::npos) << hints;
  EXPECT_NE(fetch("-D - -o /dev/null " + url("/trailers")).output.find("\r\nX-Sum: abc\r\n"), std::string::npos);
  const std::string big = Files::root() + "/big.bin";
  const std::string copy = download("through");
  EXPECT_EQ(fetch("--data-binary '@" + big + "' -o '" + copy + "' -w '%{http_code}' " + url("/echo")).output, "200");
  EXPECT_TRUE(is_same_file(copy, big));
  EXPECT_EQ(fetch("-H 'Transfer-Encoding: chunked' --data-binary '@" + big + "' -o '" + copy + "' -w '%{http_code}' " +
                  url("/echo"))
                .output,
            "200");
  EXPECT_TRUE(is_same_file(copy, big));
  EXPECT_EQ(fetch("-H 'Expect:' --data-binary '@" + big + "' -w '%{http_code}' " + url("/refuse")).output,
            "not wanted\n403");
  EXPECT_EQ(fetch(url("/abort")).status, 18);
  EXPECT_EQ(fetch("-w '%{num_connects}' " + url("/close") + " " + url("/close")).output, "bye\n1bye\n0");

  Client client{gateway_->port()};
  client.send("GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst");
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 101 ")) << head;
  EXPECT_EQ(client.read(5), "first");
  client.send("second");
  EXPECT_EQ(client.read(6), "second");
  client.finish();
  EXPECT_EQ(client.read_all(), "");
}

}  // namespace
}  // namespace pollux::e2e
