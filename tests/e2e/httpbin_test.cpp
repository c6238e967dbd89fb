// pollux-httpbin over loopback: every endpoint asked by curl, answers read by an independent JSON parser, long bodies
// compared by content, and files asked for by all the ways that lead out of a directory.
#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/e2e/support/app.hpp"
#include "tests/support/openat2.hpp"

namespace pollux::e2e {
namespace {

// A folder with files to serve, and a secret beside it.
class Folder {
 public:
  Folder() : path_{::testing::TempDir() + "pollux-XXXXXX"} {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    EXPECT_EQ(::mkdir((*this / "www").c_str(), 0755), 0);
  }
  ~Folder() { static_cast<void>(run("rm -rf '" + path_ + "'")); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string write(const std::string& name, std::string_view content) const {
    std::ofstream{*this / name, std::ios::binary} << content;
    return *this / name;
  }

 private:
  std::string path_;
};

struct Reply {
  int status = 0;
  std::string head;  // of the last answer, if there were several
  std::string body;
  [[nodiscard]] std::string field(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    const std::size_t begin = at + name.size() + 4;
    return at == std::string::npos ? "-" : head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

// One app for the tests that leave nothing behind.
class Httpbin : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { app = new App{"httpbin"}; }
  static void TearDownTestSuite() {
    EXPECT_EQ(app->terminate(), 0);
    EXPECT_EQ(app->errors(), "");
    delete app;
    app = nullptr;
  }

  // What curl gets with these arguments; {U} in them is the server's URL.
  static Reply curl(std::string arguments) {
    for (std::size_t at = arguments.find("{U}"); at != std::string::npos; at = arguments.find("{U}")) {
      arguments.replace(at, 3, app->url(""));
    }
    const Finished finished = run("curl -sS -i --max-time 30 " + arguments);
    EXPECT_EQ(finished.status, 0) << arguments << "\n" << finished.errors;
    Reply reply{.status = 0, .head = {}, .body = finished.output};
    while (reply.body.starts_with("HTTP/")) {
      const std::size_t end = reply.body.find("\r\n\r\n");
      if (end == std::string::npos) {
        break;
      }
      reply.head = reply.body.substr(0, end + 2);
      reply.body.erase(0, end + 4);
      reply.status = std::stoi(reply.head.substr(9, 3));
    }
    return reply;
  }
  // The member at a JSON pointer (RFC 6901) of what curl gets; "?" if there is none.
  static std::string member(const Reply& reply, const char* pointer) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(reply.body.data(), reply.body.size());
    EXPECT_FALSE(document.HasParseError()) << reply.body;
    if (document.HasParseError()) {
      return "?";
    }
    const rapidjson::Value* value = rapidjson::Pointer{pointer}.Get(document);
    if (value == nullptr) {
      return "?";
    }
    if (value->IsString()) {
      return {value->GetString(), value->GetStringLength()};
    }
    return value->IsNull()     ? "null"
           : value->IsBool()   ? (value->GetBool() ? "true" : "false")
           : value->IsUint64() ? std::to_string(value->GetUint64())
           : value->IsObject() ? "{" + std::to_string(value->MemberCount()) + "}"
           : value->IsArray()  ? "[" + std::to_string(value->Size()) + "]"
                               : "other";
  }
  static std::string url(std::string_view path) { return app->url(path); }

  static App* app;
};
App* Httpbin::app = nullptr;

// ---- what was asked

TEST_F(Httpbin, ShowsRequests) {
  struct Case {
    std::string_view arguments;
    const char* pointer;
    std::string_view value;
  };
  const Case cases[] = {
      {"'{U}/get?b=2&a=1'", "/args/a", "1"},
      {"'{U}/get?a=1&a=x+y&a=%26'", "/args/a/1", "x y"},
      {"'{U}/get?a=1&a=2&a=%26'", "/args/a/2", "&"},
      {"'{U}/get?a=%zz&b'", "/args/a", "%zz"},
      {"'{U}/get?a=%zz&b'", "/args/b", ""},
      {"'{U}/get?a=%ff'", "/args/a", "\xEF\xBF\xBD"},
      {"'{U}/get?caf%C3%A9=1'", "/args/caf\xC3\xA9", "1"},
      {"'{U}/get'", "/args", "{0}"},
      {"'{U}/get' -H 'x-OWN: 1' -H 'X-Own: 2'", "/headers/X-Own", "1,2"},
      {"'{U}/get'", "/origin", "127.0.0.1"},
      {"'{U}/get' -H 'X-Forwarded-For: 192.0.2.7'", "/origin", "192.0.2.7"},
      {"'{U}/get?x=%20' -H 'Host: example.com'", "/url", "http://example.com/get?x=%20"},
      {"'{U}/post' -d 'k=v&k=w&l=%41'", "/form/k", "[2]"},
      {"'{U}/post' -d 'k=v&k=w&l=%41'", "/form/l", "A"},
      {"'{U}/post' -d 'k=v'", "/data", ""},
      {"'{U}/post' -H 'Content-Type: application/json' -d '{\"a\": [1, {\"b\": null}]}'", "/json/a/1/b", "null"},
      {"'{U}/post' -H 'Content-Type: application/json' -d '{\"a\": 1'", "/json", "null"},
      {"'{U}/post' -H 'Content-Type: application/json' -d '[1,]'", "/json", "null"},
      {"'{U}/post' -H 'Content-Type: text/plain' -d ' \"text\" '", "/json", "text"},
      {"'{U}/post' -H 'Content-Type: text/plain' -d ' \"text\" '", "/data", " \"text\" "},
      {"-X PUT '{U}/put' -H 'Content-Type: a/b' --data-binary \"$(printf '\\377\\376')\"", "/data",
       "data:application/octet-stream;base64,//4="},
      {"-X PUT '{U}/put' -d a=b", "/form/a", "b"},
      {"-X PATCH '{U}/patch' -d a=b", "/form/a", "b"},
      {"-X DELETE '{U}/delete'", "/json", "null"},
      {"'{U}/post' -F 'x=one' -F 'x=two' -F 'f=<-' </dev/null", "/form/x/1", "two"},
      {"'{U}/post' -F 'x=one' -F 'f=@/dev/null;filename=e'", "/files/f", ""},
      {"'{U}/anything/a/b?c=d' -X PURGE", "/method", "PURGE"},
      {"'{U}/anything/a/b?c=d'", "/args/c", "d"},
      {"'{U}/anything' -d a=b", "/form/a", "b"},
      {"'{U}/headers' -A me", "/headers/User-Agent", "me"},
      {"'{U}/ip'", "/origin", "127.0.0.1"},
      {"'{U}/user-agent' -A 'a \"quoted\" agent'", "/user-agent", "a \"quoted\" agent"},
      {"'{U}/user-agent' -H 'User-Agent:'", "/user-agent", "null"},
      {"'{U}/delay/0.05' -d a=b", "/form/a", "b"},
      {"'{U}/delay/0'", "/args", "{0}"},
      {"'{U}/cookies' -b 'b=1; a=2'", "/cookies/a", "2"},
      {"'{U}/cookies'", "/cookies", "{0}"},
      {"-u 'me:pass word' '{U}/basic-auth/me/pass%20word'", "/authenticated", "true"},
      {"-u 'me:pass' '{U}/hidden-basic-auth/me/pass'", "/user", "me"},
      {"-H 'Authorization: bearer tok' '{U}/bearer'", "/token", "tok"},
      {"--compressed '{U}/gzip'", "/gzipped", "true"},
      {"--compressed '{U}/gzip'", "/method", "GET"},
      {"--compressed '{U}/deflate'", "/deflated", "true"},
      {"'{U}/json'", "/slideshow/title", "Sample Slide Show"},
      {"'{U}/response-headers?X-A=1&X-A=2'", "/X-A", "[2]"},
      {"'{U}/response-headers?X-A=1'", "/Content-Type", "application/json"},
      {"-X POST '{U}/response-headers?X-A=1'", "/X-A", "1"},
      {"-L '{U}/redirect/3'", "/args", "{0}"},
      {"-L '{U}/redirect/3?absolute=true'", "/args", "{0}"},
      {"-L '{U}/redirect-to?url=/anything/x'", "/method", "GET"},
      {"-L -d a=b '{U}/redirect-to?url=/anything/x&status_code=307'", "/form/a", "b"},
      {"-L -c /dev/null '{U}/cookies/set/name/value'", "/cookies/name", "value"},
      {"-L -c /dev/null '{U}/cookies/set?a=1&b=2'", "/cookies/b", "2"},
      {"'{U}/etag/x' -H 'If-Match: \"x\"'", "/args", "{0}"},
      {"'{U}/cache/60'", "/args", "{0}"},
  };
  for (const Case& c : cases) {
    const Reply reply = curl(std::string{c.arguments});
    EXPECT_EQ(reply.status, 200) << c.arguments;
    EXPECT_EQ(reply.field("Content-Type"), "application/json") << c.arguments;
    EXPECT_EQ(member(reply, c.pointer), c.value) << c.arguments << "\n" << reply.body;
  }
}

TEST_F(Httpbin, StatusesAndFields) {
  struct Case {
    std::string_view arguments;
    int status;
    std::string_view field;
    std::string_view value;
  };
  const Case cases[] = {
      {"'{U}/status/204'", 204, "Content-Length", "-"},
      {"'{U}/status/418'", 418, "X-More-Info", "http://tools.ietf.org/html/rfc2324"},
      {"'{U}/status/401'", 401, "WWW-Authenticate", "Basic realm=\"Fake Realm\""},
      {"'{U}/status/407'", 407, "Proxy-Authenticate", "Basic realm=\"Fake Realm\""},
      {"'{U}/status/302'", 302, "Location", "/redirect/1"},
      {"'{U}/status/103'", 200, "Content-Length", "0"},
      {"-X PUT '{U}/status/599'", 599, "Content-Length", "0"},
      {"'{U}/status/600'", 400, "Location", "-"},
      {"'{U}/status/99'", 400, "Location", "-"},
      {"'{U}/status/101'", 400, "Location", "-"},
      {"'{U}/status/abc'", 400, "Location", "-"},
      {"'{U}/status/200,'", 400, "Location", "-"},
      {"'{U}/status/500:0,404:1'", 404, "Content-Length", "0"},
      {"'{U}/status/200:x'", 400, "Location", "-"},
      {"'{U}/redirect/3'", 302, "Location", "/relative-redirect/2"},
      {"'{U}/redirect/1'", 302, "Location", "/get"},
      {"'{U}/redirect/0'", 400, "Location", "-"},
      {"'{U}/redirect/x'", 400, "Location", "-"},
      {"'{U}/absolute-redirect/2' -H 'Host: h.example'", 302, "Location", "http://h.example/absolute-redirect/1"},
      {"'{U}/redirect-to?url=http%3A%2F%2Fa%2F%3Fb'", 302, "Location", "http://a/?b"},
      {"'{U}/redirect-to?url=/x&status_code=308'", 308, "Location", "/x"},
      {"'{U}/redirect-to?url=/x&status_code=200'", 302, "Location", "/x"},
      {"'{U}/redirect-to?url=/x%0d%0aX-Evil:1'", 400, "X-Evil", "-"},
      {"'{U}/redirect-to'", 400, "Location", "-"},
      {"'{U}/cookies/set/name/value'", 302, "Set-Cookie", "name=value; Path=/"},
      {"'{U}/cookies/set/na%20me/value'", 400, "Set-Cookie", "-"},
      {"'{U}/cookies/delete?n'", 302, "Set-Cookie", "n=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"},
      {"'{U}/basic-auth/u/p'", 401, "WWW-Authenticate", "Basic realm=\"Fake Realm\""},
      {"-u u:wrong '{U}/basic-auth/u/p'", 401, "WWW-Authenticate", "Basic realm=\"Fake Realm\""},
      {"-u u:wrong '{U}/hidden-basic-auth/u/p'", 404, "WWW-Authenticate", "-"},
      {"'{U}/bearer'", 401, "WWW-Authenticate", "Bearer"},
      {"-u u:p '{U}/bearer'", 401, "WWW-Authenticate", "Bearer"},
      {"'{U}/etag/x'", 200, "ETag", "\"x\""},
      {"'{U}/etag/x' -H 'If-None-Match: W/\"x\"'", 304, "ETag", "\"x\""},
      {"'{U}/etag/x' -H 'If-None-Match: \"y\"'", 200, "ETag", "\"x\""},
      {"'{U}/etag/x' -H 'If-Match: \"y\"'", 412, "ETag", "\"x\""},
      {"'{U}/etag/x%22'", 400, "ETag", "-"},
      {"'{U}/cache' -H 'If-None-Match: \"any\"'", 304, "Content-Length", "-"},
      {"'{U}/cache' -H 'If-Modified-Since: x'", 304, "Content-Length", "-"},
      {"'{U}/cache/60'", 200, "Cache-Control", "public, max-age=60"},
      {"'{U}/cache/x'", 404, "Cache-Control", "-"},
      {"'{U}/range/26' -r 3-5", 206, "Content-Range", "bytes 3-5/26"},
      {"'{U}/range/26' -r 26-", 416, "Content-Range", "bytes */26"},
      {"'{U}/range/26' -r 3-5 -H 'If-Range: \"range26\"'", 206, "ETag", "\"range26\""},
      {"'{U}/range/26' -r 3-5 -H 'If-Range: \"other\"'", 200, "Content-Range", "-"},
      {"'{U}/range/102400'", 200, "Content-Length", "102400"},
      {"'{U}/range/102401'", 404, "Content-Range", "-"},
      {"'{U}/range/0'", 404, "Content-Range", "-"},
      {"'{U}/response-headers?X-A=1'", 200, "X-A", "1"},
      {"'{U}/response-headers?Content-Type=text/x'", 200, "Content-Type", "text/x"},
      {"'{U}/response-headers?X-A=1%0d%0aX-Evil:1'", 400, "X-Evil", "-"},
      {"'{U}/response-headers?X+A=1'", 400, "X", "-"},
      {"'{U}/bytes/x'", 404, "Location", "-"},
      {"'{U}/bytes/0'", 200, "Content-Length", "0"},
      {"'{U}/stream/0'", 200, "Transfer-Encoding", "chunked"},
      {"'{U}/delay/x'", 400, "Location", "-"},
      {"'{U}/drip?numbytes=0'", 400, "Location", "-"},
      {"'{U}/drip?numbytes=3&duration=0&code=201'", 201, "Content-Length", "3"},
      {"'{U}/html'", 200, "Content-Type", "text/html; charset=utf-8"},
      {"'{U}/xml'", 200, "Content-Type", "application/xml"},
      {"'{U}/robots.txt'", 200, "Content-Type", "text/plain"},
      {"'{U}/deny'", 200, "Content-Type", "text/plain"},
      {"'{U}/image/svg'", 200, "Content-Type", "image/svg+xml"},
      {"'{U}/image/png' -o /dev/null -D -", 200, "Content-Type", "image/png"},
      {"'{U}/'", 200, "Content-Type", "text/html; charset=utf-8"},
      {"'{U}/none'", 404, "Location", "-"},
      {"'{U}/static/x'", 404, "Location", "-"},
      {"-X POST '{U}/get'", 405, "Allow", "GET, HEAD"},
      {"'{U}/echo'", 405, "Allow", "POST, PUT"},
      {"-I '{U}/get'", 200, "Content-Type", "application/json"},
      {"-I '{U}/bytes/1000'", 200, "Content-Length", "1000"},
      {"-I '{U}/drip?numbytes=7&duration=60'", 200, "Content-Length", "7"},
      {"-I '{U}/stream/3'", 200, "Content-Length", "-"},
      {"'{U}/post' -d x -H 'Content-Length: 40000' --max-time 5", 413, "Connection", "close"},
  };
  for (const Case& c : cases) {
    const Reply reply = curl(std::string{c.arguments});
    EXPECT_EQ(reply.status, c.status) << c.arguments << "\n" << reply.body;
    EXPECT_EQ(reply.field(std::string{c.field}), c.value) << c.arguments << "\n" << reply.head;
  }
}

TEST_F(Httpbin, BodiesAreExact) {
  EXPECT_EQ(curl("'{U}/base64/SGVsbG8='").body, "Hello");
  EXPECT_EQ(curl("'{U}/base64/SGVsbG8'").body, "Hello");
  EXPECT_EQ(curl("'{U}/base64/Pz8-Pz8_'").body, "?\x3F>??\x3F");
  EXPECT_EQ(curl("'{U}/base64/!'").body.substr(0, 21), "Incorrect Base64 data");
  EXPECT_EQ(curl("'{U}/range/30' -r 24-28").body, "yzabc");
  EXPECT_EQ(curl("'{U}/drip?numbytes=70&duration=0.1'").body, std::string(70, '*'));
  EXPECT_EQ(curl("'{U}/echo' -d hello -H 'Content-Type: a/b'").body, "hello");
  EXPECT_EQ(curl("'{U}/echo' -d hello -H 'Content-Type: a/b'").field("Content-Type"), "a/b");
  EXPECT_EQ(curl("-X PUT '{U}/echo' -H 'Content-Length: 0'").body, "");
  EXPECT_EQ(curl("'{U}/bytes/99?seed=5'").body, curl("'{U}/bytes/99?seed=5'").body);
  EXPECT_NE(curl("'{U}/bytes/99?seed=5'").body, curl("'{U}/bytes/99?seed=6'").body);
  EXPECT_NE(curl("'{U}/bytes/99'").body, curl("'{U}/bytes/99'").body);
  EXPECT_EQ(curl("'{U}/stream-bytes/99?seed=5'").body, curl("'{U}/bytes/99?seed=5'").body);
  EXPECT_EQ(curl("'{U}/stream-bytes/200000'").body.size(), 102'400U);
  const std::string uuid = member(curl("'{U}/uuid'"), "/uuid");
  EXPECT_EQ(uuid.size(), 36U);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(uuid, member(curl("'{U}/uuid'"), "/uuid"));
  const Reply fields = curl("'{U}/response-headers?X-A=1&X-B=%C3%A9'");
  EXPECT_EQ(member(fields, "/Content-Length"), std::to_string(fields.body.size()));
}

TEST_F(Httpbin, StreamsLinesOfJson) {
  const Reply reply = curl("'{U}/stream/150?a=b'");
  EXPECT_EQ(reply.field("Transfer-Encoding"), "chunked");
  std::size_t lines = 0;
  for (std::size_t begin = 0; begin < reply.body.size(); ++lines) {
    const std::size_t end = reply.body.find('\n', begin);
    ASSERT_NE(end, std::string::npos);
    const Reply line{.status = 200, .head = {}, .body = reply.body.substr(begin, end - begin)};
    ASSERT_EQ(member(line, "/id"), std::to_string(lines));
    ASSERT_EQ(member(line, "/args/a"), "b");
    begin = end + 1;
  }
  EXPECT_EQ(lines, 100U);
}

TEST_F(Httpbin, WaitsWithoutHoldingOthersUp) {
  const auto begun = std::chrono::steady_clock::now();
  Client slow{app->port()};
  slow.send("GET /delay/1 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(ask(*app, "GET /ip HTTP/1.1\r\nHost: h\r\n\r\n").find("origin"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds{900});
  EXPECT_NE(slow.read_answer().find("/delay/1"), std::string::npos);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::seconds{1});
}

// A document longer than the output buffer is rendered again for each piece; a reader that stops in between must not
// notice.
TEST_F(Httpbin, LongDocumentsArriveWhole) {
  std::string query;
  for (int i = 0; i < 500; ++i) {
    query += "&n" + std::to_string(i) + "=" + std::to_string(i * i);
  }
  const std::string body(20'000, '\x01');  // six bytes each in JSON
  Client client{app->port()};
  client.send("POST /anything?" + query + " HTTP/1.0\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
              body);
  const std::string answer = client.read_all();
  const std::size_t end = answer.find("\r\n\r\n");
  ASSERT_NE(end, std::string::npos);
  const Reply reply{.status = 200, .head = {}, .body = answer.substr(end + 4)};
  EXPECT_EQ(member(reply, "/args"), "{500}");
  EXPECT_EQ(member(reply, "/args/n499"), "249001");
  EXPECT_EQ(member(reply, "/data"), body);
  EXPECT_EQ(member(reply, "/json"), "null");
}

TEST_F(Httpbin, TooManyParametersAreRefused) {
  const auto ask_for = [](int count) {
    std::string query;
    for (int i = 0; i < count; ++i) {
      query += "&a";
    }
    return ask(*app, "GET /get?" + query + " HTTP/1.1\r\nHost: h\r\n\r\n").substr(9, 3);
  };
  EXPECT_EQ(ask_for(512), "200");
  EXPECT_EQ(ask_for(513), "400");
}

// ---- long bodies

TEST_F(Httpbin, CarriesSixtyFourMegabytes) {
  const Folder folder;
  const std::string sent = folder / "sent";
  const std::string got = folder / "got";
  const std::string size = std::to_string(64 * 1024 * 1024);
  EXPECT_EQ(
      run("curl -sS --max-time 120 -o '" + sent + "' -w '%{size_download}' '" + url("/bytes/" + size + "?seed=3'"))
          .output,
      size);
  EXPECT_EQ(run("curl -sS --max-time 120 -T '" + sent + "' -o '" + got + "' " + url("/echo")).status, 0);
  EXPECT_EQ(run("cmp '" + sent + "' '" + got + "'").status, 0);
  EXPECT_EQ(
      run("curl -sS --max-time 120 -H 'Transfer-Encoding: chunked' -T '" + sent + "' -o '" + got + "' " + url("/echo"))
          .status,
      0);
  EXPECT_EQ(run("cmp '" + sent + "' '" + got + "'").status, 0);
  EXPECT_LT(app->resident_kib(), 64U * 1024U) << "it was streamed";
}

// ---- files

class HttpbinStatic : public ::testing::Test {
 protected:
  HttpbinStatic() {
    static_cast<void>(folder.write("secret", "secret"));
    static_cast<void>(folder.write("www/ten.txt", "0123456789"));
    EXPECT_EQ(::mkdir((folder / "www/dir").c_str(), 0755), 0);
    static_cast<void>(folder.write("www/dir/index.html", "<p>index"));
    EXPECT_EQ(::symlink("../secret", (folder / "www/outside").c_str()), 0);
    EXPECT_EQ(::symlink((folder / "secret").c_str(), (folder / "www/absolute").c_str()), 0);
    EXPECT_EQ(::symlink("..", (folder / "www/up").c_str()), 0);
    EXPECT_EQ(::symlink("ten.txt", (folder / "www/inside").c_str()), 0);
    EXPECT_EQ(::mkfifo((folder / "www/fifo").c_str(), 0644), 0);
  }

  Folder folder;
};

TEST_F(HttpbinStatic, ServesFilesAndNothingElse) {
  struct Case {
    std::string_view path;
    std::string_view arguments;
    std::string_view answer;  // status and body
  };
  const Case cases[] = {
      {"ten.txt", "", "200 0123456789"},
      {"ten.txt", "-I -o /dev/null", "200 "},
      {"ten.txt", "-r 2-4", "206 234"},
      {"ten.txt", "-r 20-", "416 416 range not satisfiable\n"},
      {"dir/", "", "200 <p>index"},
      {"dir", "-L", "200 <p>index"},
      {"dir/index.html", "-L", "200 <p>index"},
      {"ten.txt/", "-L", "200 0123456789"},
      {"inside", "", test::has_openat2() ? "200 0123456789" : "404 404 page not found\n"},
      {"", "", "404 404 page not found\n"},
      {"none", "", "404 404 page not found\n"},
      {"../secret", "-L --path-as-is", "404 404 page not found\n"},
      {"../../etc/passwd", "-L --path-as-is", "404 404 page not found\n"},
      {"dir/../../secret", "-L --path-as-is", "404 404 page not found\n"},
      {"%2e%2e/secret", "-L --path-as-is", "404 404 page not found\n"},
      {"..%2fsecret", "-L --path-as-is", "404 404 page not found\n"},
      {"dir/%2e%2e/%2e%2e/secret", "-L --path-as-is", "404 404 page not found\n"},
      {"%2fetc%2fpasswd", "-L --path-as-is", "404 404 page not found\n"},
      {"ten.txt%00.png", "", "404 404 page not found\n"},
      {"outside", "", "404 404 page not found\n"},
      {"absolute", "", "404 404 page not found\n"},
      {"up/secret", "", "404 404 page not found\n"},
      {"fifo", "", "403 403 forbidden\n"},
      {"ten.txt", "-X DELETE", "405 405 method not allowed\n"},
  };
  App app{"httpbin", {"--static", folder / "www"}};
  const std::size_t descriptors = app.descriptors();
  for (const Case& c : cases) {
    const Finished curl = run("curl -sS --max-time 30 -w '\\n%{http_code}' " + std::string{c.arguments} + " '" +
                              app.url("/static/" + std::string{c.path}) + "'");
    EXPECT_EQ(curl.status, 0) << c.path << curl.errors;
    const std::size_t end = curl.output.rfind('\n');
    ASSERT_NE(end, std::string::npos);
    EXPECT_EQ(curl.output.substr(end + 1) + " " + curl.output.substr(0, end), c.answer) << c.path << " " << c.arguments;
  }
  // A connection may still be on its way out when curl has ended; ask once more to be behind it.
  static_cast<void>(ask(app, "GET /ip HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_LE(app.descriptors(), descriptors);
}

TEST_F(HttpbinStatic, SendsSeveralRanges) {
  App app{"httpbin", {"--static", folder / "www"}};
  const Finished curl = run("curl -sS --max-time 30 -r 0-1,5-5,-2 " + app.url("/static/ten.txt"));
  const std::string boundary = curl.output.substr(2, curl.output.find("\r\n") - 2);
  EXPECT_EQ(boundary.size(), 24U);
  std::string expected;
  for (const auto& [range, content] : {std::pair{"0-1", "01"}, std::pair{"5-5", "5"}, std::pair{"8-9", "89"}}) {
    expected += (expected.empty() ? "--" : "\r\n--") + boundary +
                "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes " + range + "/10\r\n\r\n" +
                content;
  }
  EXPECT_EQ(curl.output, expected + "\r\n--" + boundary + "--\r\n");
}

TEST_F(HttpbinStatic, SendsLongFilesWholeAndByResuming) {
  const std::string path = folder / "www/long.bin";
  EXPECT_EQ(run("head -c 20000000 /dev/urandom > '" + path + "'").status, 0);
  App app{"httpbin", {"--static", folder / "www"}};
  const std::string got = folder / "got";
  EXPECT_EQ(run("curl -sS --max-time 60 -o '" + got + "' " + app.url("/static/long.bin")).status, 0);
  EXPECT_EQ(run("cmp '" + path + "' '" + got + "'").status, 0);
  EXPECT_EQ(run("truncate -s 12345678 '" + got + "'").status, 0);
  EXPECT_EQ(run("curl -sS --max-time 60 -C - -o '" + got + "' " + app.url("/static/long.bin")).status, 0);
  EXPECT_EQ(run("cmp '" + path + "' '" + got + "'").status, 0);
}

TEST_F(HttpbinStatic, AnswersNotModified) {
  App app{"httpbin", {"--static", folder / "www"}};
  const std::string tag = folder / "tag";
  const std::string command = "curl -sS --max-time 30 --etag-save '" + tag + "' --etag-compare '" + tag +
                              "' -w '%{http_code}' " + app.url("/static/ten.txt");
  EXPECT_EQ(run(command).output, "0123456789200");
  EXPECT_EQ(run(command).output, "304");
  static_cast<void>(folder.write("www/ten.txt", "9876543210"));
  EXPECT_EQ(run(command).output, "9876543210200");
}

// ---- the command line

TEST(HttpbinOptions, ServesAsManyConnectionsAsItWasTold) {
  App app{"httpbin", {"--connections", "2"}};
  Client first{app.port()};
  Client second{app.port()};
  for (const Client* client : {&first, &second}) {
    client->send("GET /ip HTTP/1.1\r\nHost: h\r\n");  // a head without its end: this connection is in use
  }
  // A third one waits until one of the others is done.
  Client third{app.port()};
  third.send("GET /ip HTTP/1.1\r\nHost: h\r\n\r\n");
  first.send("Connection: close\r\n\r\n");
  EXPECT_NE(first.read_all().find("origin"), std::string::npos);
  EXPECT_NE(third.read_answer().find("origin"), std::string::npos);
}

TEST(HttpbinOptions, RefusesLongBodies) {
  App app{"httpbin", {"--body-max", "1000"}};
  const auto post = [&app](std::string_view path, std::size_t size) {
    return ask(app, "POST " + std::string{path} + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: " +
                        std::to_string(size) + "\r\n\r\n" + std::string(size, 'x'))
        .substr(9, 3);
  };
  for (const std::string_view path : {"/post", "/echo", "/anything"}) {
    EXPECT_EQ(post(path, 1000), "200") << path;
    EXPECT_EQ(post(path, 1001), "413") << path;
  }
}

TEST(HttpbinOptions, RefusesWhatItCannotDo) {
  struct Case {
    std::vector<std::string> arguments;
    int status;
    std::string says;
  };
  const Case cases[] = {
      {{"--connections", "0"}, 2, "pollux-httpbin: --connections: \"0\" is not a number from 1 to 1024\n"},
      {{"--connections", "1025"}, 2, "pollux-httpbin: --connections: \"1025\" is not a number from 1 to 1024\n"},
      {{"--body-max", "many"},
       2,
       "pollux-httpbin: --body-max: \"many\" is not a number from 0 to 9223372036854775807\n"},
      {{"--static", "/nowhere"}, 1, "--static /nowhere: no such file or directory\n"},
  };
  for (const Case& c : cases) {
    const Finished finished = run_app("httpbin", c.arguments);
    EXPECT_EQ(finished.status, c.status) << c.says;
    EXPECT_EQ(finished.output, "");
    EXPECT_EQ(finished.errors, c.says);
  }
}

}  // namespace
}  // namespace pollux::e2e
