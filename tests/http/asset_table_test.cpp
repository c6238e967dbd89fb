// AssetTable: what is compiled in, asked for in every way.
#include "stack/http/asset_table.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/http/site.hpp"

namespace pollux::test {
namespace {

constexpr http::Asset assets[] = {
    {.path = "/app.js", .type = "text/javascript", .etag = "\"v1\"", .bytes = "0123456789", .gzip = "zipped"},
    {.path = "/index.html", .type = "text/html", .etag = "\"v2\"", .bytes = "<p>hello"},
    {.path = "/a b", .type = "text/plain", .etag = "", .bytes = ""},
};
constexpr http::AssetTable table{assets, {.cache_control = "max-age=60"}};

struct Case {
  std::string_view method;
  std::string_view path;
  std::string_view fields;
  std::string_view status;
  std::string_view wants;  // a field line of the answer, or the beginning of one; "" asks for none
  std::string_view body;
};

TEST(AssetTable, Answers) {
  const std::string_view missing = "404 page not found\n";
  const std::string_view too_far = "416 range not satisfiable\n";
  const Case cases[] = {
      {"GET", "/app.js", "", "200", "ETag: \"v1\"\r\n", "0123456789"},
      {"GET", "/app.js", "", "200", "Vary: Accept-Encoding\r\n", "0123456789"},
      {"GET", "/app.js", "", "200", "Cache-Control: max-age=60\r\n", "0123456789"},
      {"HEAD", "/app.js", "", "200", "Content-Length: 10\r\n", ""},
      {"GET", "/", "", "200", "Content-Type: text/html\r\n", "<p>hello"},
      {"GET", "/index.html", "Accept-Encoding: gzip\r\n", "200", "ETag: \"v2\"\r\n", "<p>hello"},
      {"GET", "/a%20b", "", "200", "Content-Length: 0\r\n", ""},
      {"GET", "/none", "", "404", "", missing},
      {"GET", "/APP.js", "", "404", "", missing},
      {"GET", "/app.js/", "", "404", "", missing},
      {"POST", "/app.js", "", "405", "Allow: GET, HEAD\r\n", "405 method not allowed\n"},
      // Compressed, if that is accepted.
      {"GET", "/app.js", "Accept-Encoding: gzip\r\n", "200", "Content-Encoding: gzip\r\n", "zipped"},
      {"GET", "/app.js", "Accept-Encoding: gzip\r\n", "200", "ETag: \"v1-gzip\"\r\n", "zipped"},
      {"GET", "/app.js", "Accept-Encoding: br, GZIP;q=0.001\r\n", "200", "", "zipped"},
      {"GET", "/app.js", "Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", "200", "", "zipped"},
      {"GET", "/app.js", "Accept-Encoding: *\r\n", "200", "", "zipped"},
      {"GET", "/app.js", "Accept-Encoding: *;q=0, gzip\r\n", "200", "", "zipped"},
      {"GET", "/app.js", "Accept-Encoding: gzip;q=0, *\r\n", "200", "", "0123456789"},
      {"GET", "/app.js", "Accept-Encoding: gzip;q=0.000\r\n", "200", "", "0123456789"},
      {"GET", "/app.js", "Accept-Encoding: *;q=0\r\n", "200", "", "0123456789"},
      {"GET", "/app.js", "Accept-Encoding: identity, x-gzip\r\n", "200", "", "0123456789"},
      {"GET", "/app.js", "Accept-Encoding:\r\n", "200", "", "0123456789"},
      // Conditions speak of what would be sent.
      {"GET", "/app.js", "If-None-Match: \"v1\"\r\n", "304", "ETag: \"v1\"\r\n", ""},
      {"GET", "/app.js", "If-None-Match: \"v1\"\r\nAccept-Encoding: gzip\r\n", "200", "", "zipped"},
      {"GET", "/app.js", "If-None-Match: \"v1-gzip\"\r\nAccept-Encoding: gzip\r\n", "304", "Vary: Accept-Encoding\r\n",
       ""},
      {"GET", "/app.js", "If-Match: \"v9\"\r\n", "412", "", ""},
      {"GET", "/app.js", "If-Match: \"v1\"\r\n", "200", "", "0123456789"},
      // Ranges, too.
      {"GET", "/app.js", "Range: bytes=2-4\r\n", "206", "Content-Range: bytes 2-4/10\r\n", "234"},
      {"GET", "/app.js", "Range: bytes=-2\r\nAccept-Encoding: gzip\r\n", "206", "Content-Range: bytes 4-5/6\r\n", "ed"},
      {"GET", "/app.js", "Range: bytes=0-1,4-5\r\n", "200", "", "0123456789"},
      {"GET", "/app.js", "Range: bytes=10-\r\n", "416", "Content-Range: bytes */10\r\n", too_far},
      {"GET", "/app.js", "Range: bytes=x\r\n", "416", "", too_far},
      {"GET", "/app.js", "Range: bytes=0-1\r\nIf-Range: \"v9\"\r\n", "200", "", "0123456789"},
      {"HEAD", "/app.js", "Range: bytes=0-1\r\n", "200", "Content-Length: 10\r\n", ""},
  };
  Site<> site;
  site.add(http::handle<&http::AssetTable::serve>("*", table));
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string{c.path} + " " + std::string{c.fields});
    Peer& peer = site.connect();
    peer.say(std::string{c.method} + " " + std::string{c.path} + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" +
             std::string{c.fields} + "\r\n");
    peer.finish();
    EXPECT_TRUE(site.talk.run_until([&] { return peer.is_closed(); }));
    const std::string answer = peer.take();
    const std::size_t end = answer.find("\r\n\r\n");
    ASSERT_NE(end, std::string::npos) << answer;
    EXPECT_EQ(answer.substr(9, 3), c.status);
    EXPECT_NE(answer.substr(0, end + 2).find(c.wants), std::string::npos) << answer;
    EXPECT_EQ(answer.substr(end + 4), c.body);
    peer.close();
  }
}

TEST(AssetTable, SendsLongAssetsWhole) {
  static constexpr std::string_view unit = "0123456789abcdef";
  static std::string text;
  text.clear();
  for (int i = 0; i < 20'000; ++i) {
    text += unit;
  }
  const http::Asset large[] = {{.path = "/large", .type = "text/plain", .etag = "\"l\"", .bytes = text}};
  http::AssetTable tables{large};
  Site<> site;
  site.add(http::handle<&http::AssetTable::serve>("*", tables));
  Peer& peer = site.connect();
  peer.say(
      "GET /large HTTP/1.1\r\nHost: h\r\n\r\nGET /large HTTP/1.1\r\nHost: h\r\nRange: bytes=100000-299999\r\n\r\n");
  peer.want_head(200);
  EXPECT_EQ(peer.want_body(text.size()), text);
  peer.want_head(206);
  EXPECT_EQ(peer.want_body(200'000), text.substr(100'000, 200'000));
}

}  // namespace
}  // namespace pollux::test
