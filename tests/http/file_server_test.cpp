// FileServer on a simulated machine: what each request for a file gets, and that the file is closed however the request
// ends.
#include "stack/http/file_server.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/http/site.hpp"

namespace pollux::test {
namespace {

// 2014-03-02T01:00:00Z, and what a day before and after it look like.
constexpr port::WallTime modified{.seconds = 1'393'722'000};
constexpr std::string_view modified_text = "Sun, 02 Mar 2014 01:00:00 GMT";
constexpr std::string_view old_text = "Sat, 01 Mar 2014 01:00:00 GMT";
constexpr std::string_view new_text = "Mon, 03 Mar 2014 01:00:00 GMT";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  // The value of a field; "-" if there is none.
  [[nodiscard]] std::string field(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) {
      return "-";
    }
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

// A site whose files are below /www.
class Files : public Site<> {
 public:
  explicit Files(const http::FileServerOptions& options = {})
      : root_{open_root()}, server_of_files_{talk.port(), root_, options} {
    add(http::handle<&http::FileServer::serve>("*", server_of_files_));
    files().add_file("/www/ten.txt", "0123456789", modified);
  }
  ~Files() { talk.port().close_file(root_); }

  [[nodiscard]] port::SimFiles& files() { return talk.port().files(); }
  [[nodiscard]] port::File root() const { return root_; }

  static std::string request(std::string_view path, std::string_view fields = {}, std::string_view method = "GET") {
    return std::string{method} + " " + std::string{path} + " HTTP/1.1\r\nHost: h\r\n" + std::string{fields} + "\r\n";
  }
  // Asks over a connection of its own.
  Answer ask(std::string_view path, std::string_view fields = {}, std::string_view method = "GET") {
    Peer& peer = connect();
    peer.say(request(path, std::string{fields} + "Connection: close\r\n", method)).finish();
    talk.run_until([&] { return peer.is_closed() || peer.is_reset(); });
    const std::string text = peer.take();
    peer.close();
    const std::size_t end = text.find("\r\n\r\n");
    Answer answer;
    answer.status = text.size() < 12 ? 0 : std::stoi(text.substr(9, 3));
    answer.head = text.substr(0, end == std::string::npos ? end : end + 2);
    answer.body = end == std::string::npos ? "" : text.substr(end + 4);
    EXPECT_EQ(open_now(), 0U) << path << " left a file open";
    return answer;
  }
  // Files open besides the root.
  [[nodiscard]] std::size_t open_now() { return talk.port().files_open() - 1; }

 private:
  port::File open_root() {
    talk.port().files().add_directory("/www");
    return talk.port().open_directory("/www").value();
  }
  port::File root_;
  http::FileServer server_of_files_;
};

// ---- ranges and conditions (net/http's rows; the tag is ours, so every file has one)

TEST(FileServer, RangesAndConditions) {
  struct Case {
    std::string_view method;
    std::string_view fields;  // {E} the tag, {LM} {OLD} {NEW} dates
    int status;
    std::string_view content_range;
    std::string_view body;
  };
  const std::string_view whole = "0123456789";
  const std::string_view too_far = "416 range not satisfiable\n";
  const Case cases[] = {
      {"GET", "", 200, "-", whole},
      {"HEAD", "", 200, "-", ""},
      {"GET", "Range: bytes=0-4", 206, "bytes 0-4/10", "01234"},
      {"HEAD", "Range: bytes=0-4", 200, "-", ""},  // a range is for GET only (RFC 9110 section 14.2)
      {"GET", "Range: bytes=5-", 206, "bytes 5-9/10", "56789"},
      {"GET", "Range: bytes=-3", 206, "bytes 7-9/10", "789"},
      {"GET", "Range: bytes=-30", 206, "bytes 0-9/10", whole},
      {"GET", "Range: bytes=9-9", 206, "bytes 9-9/10", "9"},
      {"GET", "Range: bytes=9-100", 206, "bytes 9-9/10", "9"},
      {"GET", "Range: bytes=10-20", 416, "bytes */10", too_far},
      {"GET", "Range: bytes=a-b", 416, "-", too_far},
      {"GET", "Range: bytes=--6", 416, "-", too_far},
      {"GET", "Range: bytes=0", 416, "-", too_far},
      {"GET", "Range: bytes= 0 - 4 ", 206, "bytes 0-4/10", "01234"},
      {"GET", "Range: bytes=0-1,20-30", 206, "bytes 0-1/10", "01"},
      {"GET", "Range: bytes=0-5,2-9", 200, "-", whole},
      {"GET", "If-None-Match: {E}", 304, "-", ""},
      {"HEAD", "If-None-Match: {E}", 304, "-", ""},
      {"GET", "If-None-Match: \"a\", {E}", 304, "-", ""},
      {"GET", "If-None-Match: W/{E}", 304, "-", ""},
      {"GET", "If-None-Match: *", 304, "-", ""},
      {"GET", "If-None-Match: \"x\"\r\nIf-None-Match: {E}", 304, "-", ""},
      {"GET", "If-None-Match: foo", 200, "-", whole},
      {"GET", "If-Modified-Since: {NEW}\r\nIf-None-Match: \"bar\"", 200, "-", whole},
      {"GET", "If-Match: {E}", 200, "-", whole},
      {"GET", "If-Match: *", 200, "-", whole},
      {"GET", "If-Match: \"bar\"", 412, "-", ""},
      {"GET", "If-Match: W/{E}", 412, "-", ""},
      {"GET", "If-Modified-Since: {LM}", 304, "-", ""},
      {"GET", "If-Modified-Since: {NEW}", 304, "-", ""},
      {"GET", "If-Modified-Since: {OLD}", 200, "-", whole},
      {"GET", "If-Modified-Since: yesterday", 200, "-", whole},
      {"GET", "If-Unmodified-Since: {LM}", 200, "-", whole},
      {"GET", "If-Unmodified-Since: {OLD}", 412, "-", ""},
      {"GET", "If-Match: {E}\r\nIf-Unmodified-Since: {OLD}", 200, "-", whole},
      {"GET", "If-Range: {E}\r\nRange: bytes=0-4", 206, "bytes 0-4/10", "01234"},
      {"GET", "If-Range: W/{E}\r\nRange: bytes=0-4", 200, "-", whole},
      {"GET", "If-Range: \"bar\"\r\nRange: bytes=0-4", 200, "-", whole},
      {"GET", "If-Range: {LM}\r\nRange: bytes=0-4", 206, "bytes 0-4/10", "01234"},
      {"GET", "If-Range: {NEW}\r\nRange: bytes=0-4", 200, "-", whole},
      {"GET", "If-Range: bogus\r\nRange: bytes=0-4", 200, "-", whole},
      {"GET", "If-Range: \"bar\"\r\nRange: bytes=10-20", 200, "-", whole},
      {"GET", "If-None-Match: {E}\r\nRange: bytes=0-4", 304, "-", ""},
      {"GET", "If-Match: \"bar\"\r\nIf-None-Match: {E}", 412, "-", ""},
  };
  Files site;
  const std::string etag = site.ask("/ten.txt").field("ETag");
  ASSERT_EQ(etag.size(), 18U);
  for (const Case& c : cases) {
    std::string fields{c.fields};
    fields = replaced(fields, "{E}", etag);
    fields = replaced(fields, "{LM}", modified_text);
    fields = replaced(fields, "{OLD}", old_text);
    fields = replaced(fields, "{NEW}", new_text);
    SCOPED_TRACE(std::string{c.method} + " " + fields);
    const Answer answer = site.ask("/ten.txt", fields.empty() ? "" : fields + "\r\n", c.method);
    EXPECT_EQ(answer.status, c.status);
    EXPECT_EQ(answer.field("Content-Range"), c.content_range);
    EXPECT_EQ(answer.body, c.body);
    const bool is_content = c.status == 200 || c.status == 206;
    EXPECT_EQ(answer.field("ETag"), is_content || c.status == 304 ? etag : "-");
    EXPECT_EQ(answer.field("Last-Modified"), is_content ? modified_text : "-");
    EXPECT_EQ(answer.field("Accept-Ranges"), is_content ? "bytes" : "-");
    if (is_content) {
      EXPECT_EQ(answer.field("Content-Type"), "text/plain; charset=utf-8");
      EXPECT_EQ(answer.field("Content-Length"), c.method == "HEAD" ? "10" : std::to_string(c.body.size()));
    }
    if (c.status == 304) {
      EXPECT_EQ(answer.field("Content-Type"), "-");
      EXPECT_EQ(answer.field("Content-Length"), "-");
    }
  }
}

// ---- several ranges

// The body that several parts make, as RFC 9110 section 14.6 has it.
std::string parts_of(std::string_view content, const std::string& boundary, std::string_view type,
                     const std::vector<std::pair<std::size_t, std::size_t>>& ranges) {
  std::string text;
  for (const auto& [first, last] : ranges) {
    text += text.empty() ? "--" : "\r\n--";
    text += boundary + "\r\nContent-Type: " + std::string{type} + "\r\nContent-Range: bytes " + std::to_string(first) +
            "-" + std::to_string(last) + "/" + std::to_string(content.size()) + "\r\n\r\n" +
            std::string{content.substr(first, last - first + 1)};
  }
  return text + "\r\n--" + boundary + "--\r\n";
}

std::string boundary_of(const Answer& answer) {
  const std::string type = answer.field("Content-Type");
  constexpr std::string_view start = "multipart/byteranges; boundary=";
  EXPECT_EQ(type.substr(0, start.size()), start);
  return type.substr(std::min(type.size(), start.size()));
}

TEST(FileServer, SeveralRangesAreParts) {
  Files site;
  const Answer answer = site.ask("/ten.txt", "Range: bytes=0-1, 5-5,-2\r\n");
  EXPECT_EQ(answer.status, 206);
  EXPECT_EQ(answer.field("Content-Range"), "-");
  const std::string expected =
      parts_of("0123456789", boundary_of(answer), "text/plain; charset=utf-8", {{0, 1}, {5, 5}, {8, 9}});
  EXPECT_EQ(answer.body, expected);
  EXPECT_EQ(answer.field("Content-Length"), std::to_string(expected.size()));
  const Answer again = site.ask("/ten.txt", "Range: bytes=0-1, 5-5,-2\r\n");
  EXPECT_NE(boundary_of(again), boundary_of(answer)) << "a boundary that can be guessed";
}

// Parts of all sizes around the output buffer's, so that its end falls into heads, contents and the end.
TEST(FileServer, PartsAreLongerThanTheBuffer) {
  std::string content(20'000, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) {
    content[i] = static_cast<char>(i * 7 + i / 256);
  }
  Files site;
  site.files().add_file("/www/long.bin", content, modified);
  for (std::size_t size = 3'500; size < 4'200; size += 17) {
    const std::string last = std::to_string(size - 1);
    const Answer answer = site.ask("/long.bin", "Range: bytes=0-" + last + ",9000-9000,10000-19999\r\n");
    ASSERT_EQ(answer.body, parts_of(content, boundary_of(answer), "application/octet-stream",
                                    {{0, size - 1}, {9000, 9000}, {10000, 19999}}))
        << size;
  }
}

TEST(FileServer, AsManyPartsAsAreServed) {
  std::string sixteen = "Range: bytes=0-0";
  for (int i = 1; i < 16; ++i) {
    sixteen += "," + std::to_string(i * 2) + "-" + std::to_string(i * 2);
  }
  const std::string content(100, 'x');
  Files site;
  site.files().add_file("/www/hundred", content, modified);
  EXPECT_EQ(site.ask("/hundred", sixteen + "\r\n").status, 206);
  EXPECT_EQ(site.ask("/hundred", sixteen + ",40-40\r\n").status, 200);
}

// ---- names

TEST(FileServer, PathsLeadToAnswers) {
  struct Case {
    std::string_view path;
    int status;
    std::string_view location;  // "-": none
    std::string_view body;
  };
  const std::string_view missing = "404 page not found\n";
  const Case cases[] = {
      {"/ten.txt", 200, "-", "0123456789"},
      {"/none", 404, "-", missing},
      {"/", 404, "-", missing},  // no index.html, and never a listing
      {"/dir/", 200, "-", "<p>index"},
      {"/dir", 301, "dir/", ""},
      {"/dir?a=b&c", 301, "dir/?a=b&c", ""},
      {"/d%C3%A9%20r", 301, "d%C3%A9%20r/", ""},
      {"/a:b", 301, "./a:b/", ""},  // not a scheme
      {"/dir/index.html", 301, "./", ""},
      {"/dir/index.html?q", 301, "./?q", ""},
      {"/ten.txt/", 301, "../ten.txt", ""},
      {"/ten.txt/?q", 301, "../ten.txt?q", ""},
      {"/dir/ten.txt/more", 404, "-", missing},
      {"/dir/below.txt", 200, "-", "below"},
      {"/dir%2Fbelow.txt", 200, "-", "below"},
      {"//dir//below.txt", 200, "-", "below"},
      {"/ten%2etxt", 200, "-", "0123456789"},
      {"/odd/", 404, "-", missing},  // its index.html is a directory
      {"/inside", 200, "-", "0123456789"},
      // Out of the directory, or not a file.
      {"/../secret", 404, "-", missing},
      {"/%2e%2e/secret", 404, "-", missing},
      {"/..%2Fsecret", 404, "-", missing},
      {"/dir/../ten.txt", 404, "-", missing},
      {"/outside", 404, "-", missing},
      {"/absolute", 404, "-", missing},
      {"/up/secret", 404, "-", missing},
      {"/device", 403, "-", "403 forbidden\n"},
      {"/denied", 403, "-", "403 forbidden\n"},
      {"/ten.txt%00.html", 404, "-", missing},
      {"/\\..\\secret", 404, "-", missing},
  };
  Files site;
  port::SimFiles& files = site.files();
  files.add_file("/secret", "secret");
  files.add_file("/www/dir/index.html", "<p>index");
  files.add_file("/www/dir/below.txt", "below");
  files.add_directory("/www/d\xC3\xA9 r");
  files.add_directory("/www/a:b");
  files.add_directory("/www/odd/index.html");
  files.add_link("/www/inside", "ten.txt");
  files.add_link("/www/outside", "../secret");
  files.add_link("/www/absolute", "/secret");
  files.add_link("/www/up", "..");
  files.add_special("/www/device");
  files.add_file("/www/denied", "denied");
  files.deny("/www/denied");
  for (const Case& c : cases) {
    SCOPED_TRACE(c.path);
    const Answer answer = site.ask(c.path);
    EXPECT_EQ(answer.status, c.status);
    EXPECT_EQ(answer.field("Location"), c.location);
    EXPECT_EQ(answer.body, c.body);
  }
  const std::string long_path = "/" + std::string(1500, 'x');
  EXPECT_EQ(site.ask(long_path).status, 404);
  EXPECT_EQ(site.ask("/dir?" + std::string(1900, 'q')).status, 301);
}

TEST(FileServer, OtherMethodsAreRefused) {
  Files site;
  for (const std::string_view method : {"POST", "PUT", "DELETE", "OPTIONS", "PURGE"}) {
    const Answer answer = site.ask("/ten.txt", "", method);
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.field("Allow"), "GET, HEAD");
  }
}

// ---- content

TEST(FileServer, TypesComeFromTheNameOrTheContent) {
  struct Case {
    std::string_view name;
    std::string_view content;
    std::string_view type;
  };
  const Case cases[] = {
      {"page.HTML", "x", "text/html; charset=utf-8"},
      {"app.js", "x", "text/javascript; charset=utf-8"},
      {"picture.png", "x", "image/png"},
      {"page", "<!DOCTYPE html><p>", "text/html; charset=utf-8"},
      {"words", "only words", "text/plain; charset=utf-8"},
      {"bytes", std::string_view{"\0\1\2", 3}, "application/octet-stream"},
      {"picture", "\x89PNG\r\n\x1A\n", "image/png"},
      {"nothing", "", "text/plain; charset=utf-8"},
  };
  Files site;
  for (const Case& c : cases) {
    site.files().add_file("/www/" + std::string{c.name}, c.content, modified);
    const Answer answer = site.ask("/" + std::string{c.name});
    EXPECT_EQ(answer.field("Content-Type"), c.type) << c.name;
    EXPECT_EQ(answer.body, c.content) << c.name;
  }
}

TEST(FileServer, AnEmptyFileHasNoRanges) {
  Files site;
  site.files().add_file("/www/empty.txt", "", modified);
  for (const std::string_view fields : {"", "Range: bytes=0-4\r\n", "Range: bytes=-1\r\n"}) {
    const Answer answer = site.ask("/empty.txt", fields);
    EXPECT_EQ(answer.status, 200) << fields;
    EXPECT_EQ(answer.field("Content-Length"), "0") << fields;
  }
}

TEST(FileServer, TheTagChangesWithTheFile) {
  Files site;
  const std::string before = site.ask("/ten.txt").field("ETag");
  site.files().add_file("/www/ten.txt", "9876543210", modified);
  EXPECT_NE(site.ask("/ten.txt").field("ETag"), before);
  EXPECT_EQ(site.ask("/ten.txt", "If-None-Match: " + before + "\r\n").status, 200);
}

// A clock that was never set must not make clients believe in dates.
TEST(FileServer, DatesThatCannotBeAreLeftOut) {
  Files site;
  site.files().add_file("/www/epoch.txt", "x", {.seconds = 0});
  site.files().add_file("/www/future.txt", "x", {.seconds = port::SimFiles::default_time.seconds + 86'400});
  for (const std::string_view path : {"/epoch.txt", "/future.txt"}) {
    const Answer answer = site.ask(path, "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n");
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.field("Last-Modified"), "-") << path;
    EXPECT_EQ(answer.field("ETag").size(), 18U) << path;
  }
}

TEST(FileServer, SaysWhatCachesMayDo) {
  Files site{{.cache_control = "max-age=60"}};
  const Answer answer = site.ask("/ten.txt");
  EXPECT_EQ(answer.field("Cache-Control"), "max-age=60");
  EXPECT_EQ(site.ask("/ten.txt", "Range: bytes=0-1\r\n").field("Cache-Control"), "max-age=60");
  EXPECT_EQ(site.ask("/ten.txt", "If-None-Match: " + answer.field("ETag") + "\r\n").field("Cache-Control"),
            "max-age=60");
  EXPECT_EQ(site.ask("/ten.txt", "Range: bytes=20-\r\n").field("Cache-Control"), "-");
  EXPECT_EQ(site.ask("/none").field("Cache-Control"), "-");
}

// ---- what goes wrong, and the file that has to be closed all the same

TEST(FileServer, WithoutDescriptorsItIs503) {
  Files site;
  Peer& peer = site.connect();
  peer.want_connected();
  site.talk.run_until([&] { return site.server.connections().used == 1; });
  site.talk.port().set_descriptors_max(3);  // the listener, the connection, the root
  peer.say(Files::request("/ten.txt"));
  const std::string head = peer.want_head(503);
  EXPECT_NE(head.find("\r\nRetry-After: 1\r\n"), std::string::npos) << head;
}

TEST(FileServer, AClientThatGoesLeavesNoFileOpen) {
  const std::string content(500'000, 'x');
  for (const std::string_view range : {"", "Range: bytes=0-199999,300000-499999\r\n"}) {
    for (const bool resets : {false, true}) {
      SCOPED_TRACE(std::string{range} + (resets ? "reset" : "close"));
      Files site;
      site.files().add_file("/www/long", content, modified);
      Peer& peer = site.connect();
      peer.stop_reading();
      peer.say(Files::request("/long", range));
      EXPECT_TRUE(site.talk.run_until([&] { return site.open_now() == 1; }));
      resets ? peer.reset() : peer.close();
      EXPECT_TRUE(site.talk.run_until([&] { return site.server.connections().used == 0; }));
      EXPECT_EQ(site.open_now(), 0U);
      EXPECT_EQ(site.server.exchanges().used, 0U);
    }
  }
}

TEST(FileServer, ASlowReaderGetsEverything) {
  std::string content(300'000, 'x');
  for (std::size_t i = 0; i < content.size(); ++i) {
    content[i] = static_cast<char>('a' + i % 23);
  }
  Files site;
  site.files().add_file("/www/long", content, modified);
  Peer& peer = site.connect();
  peer.read_slowly(100'000);
  peer.say(Files::request("/long"));
  peer.want_head(200);
  EXPECT_EQ(peer.want_body(content.size()), content);
  peer.close();
  EXPECT_TRUE(site.talk.run_until([&] { return site.server.connections().used == 0; }));
  EXPECT_EQ(site.open_now(), 0U);
}

// A disk that fails cannot be told in the head any more: only the end of the connection says that bytes are missing.
TEST(FileServer, ABrokenDiskEndsTheConnection) {
  for (const std::string_view range : {"", "Range: bytes=0-1,4-5\r\n"}) {
    Files site;
    site.files().fail_reads("/www/ten.txt");
    const Answer answer = site.ask("/ten.txt", range);
    EXPECT_EQ(answer.body.find("01"), std::string::npos) << range;
    EXPECT_EQ(site.closes(http::CloseReason::client_closed), 0U) << range;
  }
}

TEST(FileServer, AFileThatBecomesShorterEndsTheConnection) {
  const std::string content(500'000, 'x');
  for (const std::string_view range : {"", "Range: bytes=0-199999,300000-499999\r\n"}) {
    SCOPED_TRACE(range);
    Files site;
    site.files().add_file("/www/long", content, modified);
    Peer& peer = site.connect();
    peer.stop_reading();
    peer.say(Files::request("/long", range));
    EXPECT_TRUE(site.talk.run_until([&] { return site.open_now() == 1; }));
    site.files().change_file("/www/long", "short", modified);
    peer.resume_reading();
    peer.want_gone();
    EXPECT_LT(peer.received().size(), content.size());
    EXPECT_EQ(site.open_now(), 0U);
  }
}

TEST(FileServer, OneConnectionServesManyFiles) {
  Files site;
  Peer& peer = site.connect();
  std::string requests;
  for (int i = 0; i < 20; ++i) {
    requests += Files::request("/ten.txt", i % 2 == 0 ? "" : "Range: bytes=3-3,5-5\r\n");
  }
  peer.say(requests);
  for (int i = 0; i < 20; ++i) {
    const std::string head = peer.want_head(i % 2 == 0 ? 200 : 206);
    const std::size_t at = head.find("Content-Length: ");
    ASSERT_NE(at, std::string::npos) << head;
    peer.want_body(std::stoul(head.substr(at + 16)));
  }
  EXPECT_EQ(site.open_now(), 0U);
}

// ---- one file

struct OneFile {
  port::Port& port;
  port::File root;
  std::string_view path;
  void serve(http::ResponseWriter& writer, http::Request& request) {
    http::serve_file(writer, request, port, root, path);
  }
};

TEST(ServeFile, AnswersAnyPathWithTheFile) {
  Files site;
  site.files().add_directory("/www/dir");
  OneFile ten{site.talk.port(), site.root(), "ten.txt"};
  OneFile none{site.talk.port(), site.root(), "none"};
  OneFile directory{site.talk.port(), site.root(), "dir"};
  site.add(http::handle<&OneFile::serve>("/a/b", ten));
  site.add(http::handle<&OneFile::serve>("/a/index.html", ten));
  site.add(http::handle<&OneFile::serve>("/a/../b", ten));
  site.add(http::handle<&OneFile::serve>("/a/..b", ten));
  site.add(http::handle<&OneFile::serve>("/none", none));
  site.add(http::handle<&OneFile::serve>("/dir", directory));
  EXPECT_EQ(site.ask("/a/b").body, "0123456789");
  EXPECT_EQ(site.ask("/a/b", "Range: bytes=1-2\r\n").body, "12");
  EXPECT_EQ(site.ask("/a/index.html").body, "0123456789");
  EXPECT_EQ(site.ask("/a/..b").body, "0123456789");
  EXPECT_EQ(site.ask("/a/../b").status, 400);
  EXPECT_EQ(site.ask("/none").status, 404);
  EXPECT_EQ(site.ask("/dir").status, 404);
  EXPECT_EQ(site.ask("/a/b", "", "POST").status, 405);
}

// ---- what 32 bits cannot count

constexpr std::uint64_t two_gib = std::uint64_t{1} << 31;
constexpr std::uint64_t four_gib = std::uint64_t{1} << 32;

// A file of 4 GiB and a bit; what stands where can be told from the text's odd length.
class LargeFile : public Files {
 public:
  static constexpr std::uint64_t size = four_gib + 1'000'003;

  LargeFile() {
    for (int i = 0; text_.size() < 10'007; ++i) {
      text_ += std::to_string(i) + ".";
    }
    files().add_repeated_file("/www/large.bin", text_, size, modified);
  }
  [[nodiscard]] std::string content(std::uint64_t first, std::uint64_t last) const {
    std::string bytes;
    for (std::uint64_t at = first; at <= last; ++at) {
      bytes += text_[static_cast<std::size_t>(at % text_.size())];
    }
    return bytes;
  }
  [[nodiscard]] static std::string content_range(std::uint64_t first, std::uint64_t last) {
    return "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" + std::to_string(size);
  }

 private:
  std::string text_;
};

TEST(FileServerLarge, SaysItsSize) {
  LargeFile site;
  const Answer head = site.ask("/large.bin", "", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("Content-Length"), std::to_string(LargeFile::size));
}

TEST(FileServerLarge, RangesAcrossEveryEdge) {
  LargeFile site;
  struct Case {
    std::uint64_t first;
    std::uint64_t last;
  };
  const Case cases[] = {{two_gib - 7, two_gib + 6},
                        {two_gib, two_gib},
                        {four_gib - 7, four_gib + 6},
                        {four_gib - 1, four_gib - 1},
                        {four_gib, four_gib},
                        {four_gib - 50'000, four_gib + 50'000},
                        {LargeFile::size - 9, LargeFile::size - 1}};
  for (const auto& [first, last] : cases) {
    const Answer answer =
        site.ask("/large.bin", "Range: bytes=" + std::to_string(first) + "-" + std::to_string(last) + "\r\n");
    EXPECT_EQ(answer.status, 206) << first;
    EXPECT_EQ(answer.field("Content-Range"), LargeFile::content_range(first, last));
    EXPECT_EQ(answer.field("Content-Length"), std::to_string(last - first + 1));
    EXPECT_TRUE(answer.body == site.content(first, last)) << first;
  }
  // From there to the end, and the last ones.
  for (const std::string& range : {std::to_string(LargeFile::size - 9) + "-", std::string{"-9"},
                                   std::to_string(LargeFile::size - 9) + "-18446744073709551615"}) {
    const Answer answer = site.ask("/large.bin", "Range: bytes=" + range + "\r\n");
    EXPECT_EQ(answer.field("Content-Range"), LargeFile::content_range(LargeFile::size - 9, LargeFile::size - 1))
        << range;
    EXPECT_EQ(answer.body, site.content(LargeFile::size - 9, LargeFile::size - 1)) << range;
  }
}

TEST(FileServerLarge, SeveralRanges) {
  LargeFile site;
  const Answer answer = site.ask("/large.bin", "Range: bytes=2147483647-2147483648,4294967295-4294967296,-2\r\n");
  EXPECT_EQ(answer.status, 206);
  EXPECT_EQ(answer.field("Content-Length"), std::to_string(answer.body.size()));
  for (const std::uint64_t first : {two_gib - 1, four_gib - 1, LargeFile::size - 2}) {
    EXPECT_NE(answer.body.find("Content-Range: " + LargeFile::content_range(first, first + 1) + "\r\n\r\n" +
                               site.content(first, first + 1) + "\r\n--"),
              std::string::npos)
        << first;
  }
}

TEST(FileServerLarge, RangesBehindTheEndAreRefused) {
  LargeFile site;
  // The second is 3 + 2^32: cut to 32 bits it would be in the file.
  for (const std::string_view range :
       {"4295967299-", "4295967299-4295967300", "8589934595-8589934600", "18446744073709551619-"}) {
    const Answer answer = site.ask("/large.bin", "Range: bytes=" + std::string{range} + "\r\n");
    EXPECT_EQ(answer.status, 416) << range;
    EXPECT_EQ(answer.field("Content-Range"), "bytes */" + std::to_string(LargeFile::size)) << range;
  }
}

TEST(FileServerLarge, TheWholeBeginsAndGoesOn) {
  LargeFile site;
  Peer& peer = site.connect();
  peer.say(Files::request("/large.bin"));
  const std::string head = peer.want_containing("\r\n\r\n");
  EXPECT_NE(head.find("Content-Length: " + std::to_string(LargeFile::size) + "\r\n"), std::string::npos);
  peer.reset();
  site.advance(1s);
  EXPECT_EQ(site.open_now(), 0U);
}

TEST(FileServer, DatesOfTheNextCenturies) {
  struct Row {
    std::int64_t seconds;
    std::string_view text;
    std::string_view before;
  };
  for (const Row& row : {Row{2'147'483'648, "Tue, 19 Jan 2038 03:14:08 GMT", "Tue, 19 Jan 2038 03:14:07 GMT"},
                         Row{2'209'032'000, "Sun, 01 Jan 2040 12:00:00 GMT", "Sun, 01 Jan 2040 11:59:59 GMT"},
                         Row{4'294'967'296, "Sun, 07 Feb 2106 06:28:16 GMT", "Sun, 07 Feb 2106 06:28:15 GMT"}}) {
    SCOPED_TRACE(row.text);
    Files site;
    site.talk.network().set_wall_clock({.seconds = row.seconds});
    site.advance(1s);
    site.files().add_file("/www/late.txt", "late", {.seconds = row.seconds});
    const Answer whole = site.ask("/late.txt");
    EXPECT_EQ(whole.status, 200);
    EXPECT_EQ(whole.field("Last-Modified"), row.text);
    Peer& peer = site.connect();
    peer.keep_dates();
    peer.say(Files::request("/late.txt"));
    static_cast<void>(peer.want_containing("Date: " + std::string{row.text.substr(0, 16)}));
    peer.close();
    EXPECT_EQ(site.ask("/late.txt", "If-Modified-Since: " + std::string{row.text} + "\r\n").status, 304);
    EXPECT_EQ(site.ask("/late.txt", "If-Modified-Since: " + std::string{row.before} + "\r\n").status, 200);
    EXPECT_EQ(site.ask("/late.txt", "If-Unmodified-Since: " + std::string{row.before} + "\r\n").status, 412);
  }
}

}  // namespace
}  // namespace pollux::test
