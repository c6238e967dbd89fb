#include "stack/wire/url.hpp"

#include "tests/wire/values_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

struct UrlRow {
  std::string_view text;
  std::string_view scheme{};
  std::string_view user{};
  std::string_view password{};
  std::string_view host{};
  std::string_view hostname{};
  std::string_view port{};
  std::string_view path{};
  std::string_view query{};
  std::string_view fragment{};
  std::string_view opaque{};
  bool has_query = false;
  std::string_view target = "/";
  std::string_view prints{};  // empty: as `text`
};

constexpr std::string_view http = "http";

const UrlRow url_rows[] = {
    {.text = "http://www.google.com", .scheme = http, .host = "www.google.com", .hostname = "www.google.com"},
    {.text = "http://host:8080/p",
     .scheme = http,
     .host = "host:8080",
     .hostname = "host",
     .port = "8080",
     .path = "/p",
     .target = "/p"},
    {.text = "http://user:pw@host/p",
     .scheme = http,
     .user = "user",
     .password = "pw",
     .host = "host",
     .hostname = "host",
     .path = "/p",
     .target = "/p"},
    {.text = "http://user@host/", .scheme = http, .user = "user", .host = "host", .hostname = "host", .path = "/"},
    {.text = "http://user:@host/", .scheme = http, .user = "user", .host = "host", .hostname = "host", .path = "/"},
    {.text = "http://@host/", .scheme = http, .host = "host", .hostname = "host", .path = "/"},
    {.text = "http://[::1]:80/", .scheme = http, .host = "[::1]:80", .hostname = "[::1]", .port = "80", .path = "/"},
    {.text = "http://[::1]", .scheme = http, .host = "[::1]", .hostname = "[::1]"},
    {.text = "http://[::1]:", .scheme = http, .host = "[::1]:", .hostname = "[::1]"},
    {.text = "http://[fe80::1%25eth0]:80/",
     .scheme = http,
     .host = "[fe80::1%25eth0]:80",
     .hostname = "[fe80::1%25eth0]",
     .port = "80",
     .path = "/"},
    {.text = "HTTP://Host/Path",
     .scheme = http,
     .host = "Host",
     .hostname = "Host",
     .path = "/Path",
     .target = "/Path",
     .prints = "http://Host/Path"},
    {.text = "hTTps://h", .scheme = "https", .host = "h", .hostname = "h", .prints = "https://h"},
    {.text = "FTP://h/x",
     .scheme = "FTP",
     .host = "h",
     .hostname = "h",
     .path = "/x",
     .target = "/x",
     .prints = "ftp://h/x"},
    {.text = "//host/p", .host = "host", .hostname = "host", .path = "/p", .target = "/p"},
    {.text = "///p", .path = "/p", .target = "/p"},
    {.text = "file:///p", .scheme = "file", .path = "/p", .target = "/p"},
    {.text = "p/q", .path = "p/q", .target = "p/q"},
    {.text = "p/q:r", .path = "p/q:r", .target = "p/q:r"},
    {.text = "./a:b", .path = "./a:b", .target = "./a:b"},
    {.text = "?a:b", .query = "a:b", .has_query = true, .target = "/?a:b"},
    {.text = ""},
    {.text = "#f", .fragment = "f"},
    {.text = "http://h/?",
     .scheme = http,
     .host = "h",
     .hostname = "h",
     .path = "/",
     .has_query = true,
     .target = "/?"},
    {.text = "http://h?a=/b",
     .scheme = http,
     .host = "h",
     .hostname = "h",
     .query = "a=/b",
     .has_query = true,
     .target = "/?a=/b"},
    {.text = "http://h/#", .scheme = http, .host = "h", .hostname = "h", .path = "/", .prints = "http://h/"},
    {.text = "http://h/a%2Fb", .scheme = http, .host = "h", .hostname = "h", .path = "/a%2Fb", .target = "/a%2Fb"},
    {.text = "mailto:a@b", .scheme = "mailto", .opaque = "a@b", .target = "a@b"},
    {.text = "a:b:c", .scheme = "a", .opaque = "b:c", .target = "b:c"},
    {.text = "a+1-.:b", .scheme = "a+1-.", .opaque = "b", .target = "b"},
    {.text = "*", .path = "*", .target = "*"},
    {.text = "http://h/a;b?c;d=1",
     .scheme = http,
     .host = "h",
     .hostname = "h",
     .path = "/a;b",
     .query = "c;d=1",
     .has_query = true,
     .target = "/a;b?c;d=1"},
    {.text = "http://b\xc3\xbc"
             "cher.de/",
     .scheme = http,
     .host = "b\xc3\xbc"
             "cher.de",
     .hostname = "b\xc3\xbc"
                 "cher.de",
     .path = "/",
     .prints = "http://b%C3%BCcher.de/"},
    {.text = "http://a@b@c/",
     .scheme = http,
     .user = "a@b",
     .host = "c",
     .hostname = "c",
     .path = "/",
     .prints = "http://a%40b@c/"},
    {.text = "http://h/?a=b#c?d",
     .scheme = http,
     .host = "h",
     .hostname = "h",
     .path = "/",
     .query = "a=b",
     .fragment = "c?d",
     .has_query = true,
     .target = "/?a=b"},
    {.text = "http://h/x y?q r#f g",
     .scheme = http,
     .host = "h",
     .hostname = "h",
     .path = "/x y",
     .query = "q r",
     .fragment = "f g",
     .has_query = true,
     .target = "/x%20y?q%20r",
     .prints = "http://h/x%20y?q%20r#f%20g"},
    {.text = "http://h/?%zz",
     .scheme = http,
     .host = "h",
     .hostname = "h",
     .path = "/",
     .query = "%zz",
     .has_query = true,
     .target = "/?%zz"},
};

TEST(Url, Parses) {
  for (const UrlRow& row : url_rows) {
    SCOPED_TRACE(row.text);
    const Copy text{row.text};
    const auto url = parse_url(text.view());
    ASSERT_TRUE(url);
    EXPECT_EQ(url->scheme, row.scheme);
    EXPECT_EQ(url->user, row.user);
    EXPECT_EQ(url->password, row.password);
    EXPECT_EQ(url->host, row.host);
    EXPECT_EQ(url->hostname, row.hostname);
    EXPECT_EQ(url->port, row.port);
    EXPECT_EQ(url->path, row.path);
    EXPECT_EQ(url->query, row.query);
    EXPECT_EQ(url->fragment, row.fragment);
    EXPECT_EQ(url->opaque, row.opaque);
    EXPECT_EQ(url->has_query, row.has_query);
    expect_written(row.target, UrlError::out_too_small,
                   [&](std::span<char> out) { return format_request_target(*url, out); });
    expect_written(row.prints.empty() ? row.text : row.prints, UrlError::out_too_small,
                   [&](std::span<char> out) { return format_url(*url, out); });
  }
}

TEST(Url, TellsEmptyFromAbsentUserinfo) {
  EXPECT_FALSE(parse_url("http://h/")->has_user);
  EXPECT_TRUE(parse_url("http://@h/")->has_user);
  EXPECT_FALSE(parse_url("http://u@h/")->has_password);
  EXPECT_TRUE(parse_url("http://u:@h/")->has_password);
  EXPECT_TRUE(parse_url("http://u:a:b@h/")->password == "a:b");
}

struct ErrorRow {
  std::string_view text;
  UrlError error;
};

TEST(Url, Refuses) {
  for (const ErrorRow& row : {
           ErrorRow{"http://::1/", UrlError::bad_port},
           ErrorRow{"http://host:namedport/", UrlError::bad_port},
           ErrorRow{"http://host:65536/", UrlError::bad_port},
           ErrorRow{"http://host:-1/", UrlError::bad_port},
           ErrorRow{"http://[::1]:8a/", UrlError::bad_port},
           ErrorRow{"http://h/%zz", UrlError::bad_escape},
           ErrorRow{"http://h/%2", UrlError::bad_escape},
           ErrorRow{"http://h/#%2", UrlError::bad_escape},
           ErrorRow{"%zz", UrlError::bad_escape},
           ErrorRow{"a:%zz", UrlError::bad_escape},
           ErrorRow{"1http://x", UrlError::bad_scheme},
           ErrorRow{"ht!tp://x", UrlError::bad_scheme},
           ErrorRow{":foo", UrlError::bad_scheme},
           ErrorRow{"a b:c", UrlError::bad_scheme},
           ErrorRow{"http://h/\x7f", UrlError::control_byte},
           ErrorRow{"http://h/\n", UrlError::control_byte},
           ErrorRow{"http://h/?\r\nX: y", UrlError::control_byte},
           ErrorRow{"http://h/#\0"sv, UrlError::control_byte},
           ErrorRow{"http://%41/", UrlError::bad_escape},
           ErrorRow{"http://%7f/", UrlError::bad_escape},
           ErrorRow{"http://h%c/", UrlError::bad_escape},
           ErrorRow{"http://user:pass word@h/", UrlError::bad_userinfo},
           ErrorRow{"http://u%zz@h/", UrlError::bad_userinfo},
           ErrorRow{"http://u[@h/", UrlError::bad_userinfo},
           ErrorRow{"http://", UrlError::bad_host},
           ErrorRow{"http:///p", UrlError::bad_host},
           ErrorRow{"https://u@/", UrlError::bad_host},
           ErrorRow{"http://:80/", UrlError::bad_host},
           ErrorRow{"http://a b/", UrlError::bad_host},
           ErrorRow{"http://a\\b/", UrlError::bad_host},
           ErrorRow{"http://[::1/", UrlError::bad_host},
           ErrorRow{"http://::1]/", UrlError::bad_port},
           ErrorRow{"http://[::1]x/", UrlError::bad_host},
           ErrorRow{"http://[]/", UrlError::bad_host},
           ErrorRow{"http://[v1.x]/", UrlError::bad_host},
           ErrorRow{"http://[1.2.3.4]/", UrlError::bad_host},
           ErrorRow{"http://[::1%25]/", UrlError::bad_host},
           ErrorRow{"http://[::1%eth0]/", UrlError::bad_host},
           ErrorRow{"http://[::1%25a/b]/", UrlError::bad_host},
       }) {
    const Copy text{row.text};
    const auto url = parse_url(text.view());
    ASSERT_FALSE(url) << row.text;
    EXPECT_EQ(static_cast<int>(url.error()), static_cast<int>(row.error)) << row.text;
  }
}

TEST(Url, KnowsThePortToConnectTo) {
  EXPECT_EQ(effective_port(*parse_url("http://h")), 80);
  EXPECT_EQ(effective_port(*parse_url("HTTPS://h")), 443);
  EXPECT_EQ(effective_port(*parse_url("https://h:")), 443);
  EXPECT_EQ(effective_port(*parse_url("https://h:65535")), 65535);
  EXPECT_EQ(effective_port(*parse_url("ftp://h")), 0);
}

TEST(RequestTarget, Parses) {
  struct Row {
    std::string_view text;
    TargetForm form;
    std::string_view host;
    std::string_view path;
    std::string_view query;
  };
  for (const Row& row : {
           Row{"/p?x", TargetForm::origin, "", "/p", "x"},
           Row{"/", TargetForm::origin, "", "/", ""},
           Row{"//h/p", TargetForm::origin, "", "//h/p", ""},
           Row{"//double/path", TargetForm::origin, "", "//double/path", ""},
           Row{"/p#f", TargetForm::origin, "", "/p#f", ""},
           Row{"/p?q#f", TargetForm::origin, "", "/p", "q#f"},
           Row{"/p?%zz", TargetForm::origin, "", "/p", "%zz"},
           Row{"/a:b", TargetForm::origin, "", "/a:b", ""},
           Row{"/\xc3\xa9", TargetForm::origin, "", "/\xc3\xa9", ""},
           Row{"http://h/p", TargetForm::absolute, "h", "/p", ""},
           Row{"http://other.com/x", TargetForm::absolute, "other.com", "/x", ""},
           Row{"HTTP://h:80?q", TargetForm::absolute, "h:80", "", "q"},
           Row{"*", TargetForm::asterisk, "", "*", ""},
       }) {
    SCOPED_TRACE(row.text);
    const Copy text{row.text};
    const auto target = parse_request_target(text.view());
    ASSERT_TRUE(target);
    EXPECT_EQ(target->form, row.form);
    EXPECT_EQ(target->url.host, row.host);
    EXPECT_EQ(target->url.path, row.path);
    EXPECT_EQ(target->url.query, row.query);
    EXPECT_TRUE(target->url.fragment.empty());
  }
}

TEST(RequestTarget, Refuses) {
  for (const ErrorRow& row : {
           ErrorRow{"p", UrlError::bad_target},          ErrorRow{"", UrlError::bad_target},
           ErrorRow{"?x", UrlError::bad_target},         ErrorRow{"**", UrlError::bad_target},
           ErrorRow{"h:80", UrlError::bad_target},       ErrorRow{"1h:80", UrlError::bad_target},
           ErrorRow{"mailto:a@b", UrlError::bad_target}, ErrorRow{"http:/p", UrlError::bad_target},
           ErrorRow{"/%zz", UrlError::bad_escape},       ErrorRow{"http://h/%2", UrlError::bad_escape},
           ErrorRow{"/a b", UrlError::control_byte},     ErrorRow{"/a\tb", UrlError::control_byte},
           ErrorRow{"/\0"sv, UrlError::control_byte},    ErrorRow{"/\x7f", UrlError::control_byte},
           ErrorRow{"http:///p", UrlError::bad_host},    ErrorRow{"ftp:///p", UrlError::bad_host},
           ErrorRow{"http://h#f", UrlError::bad_host},   ErrorRow{"http://b\xc3\xbc/", UrlError::bad_host},
           ErrorRow{"http://h:x/", UrlError::bad_port},  ErrorRow{"http://u@h/", UrlError::bad_userinfo},
       }) {
    const Copy text{row.text};
    const auto target = parse_request_target(text.view());
    ASSERT_FALSE(target) << row.text;
    EXPECT_EQ(static_cast<int>(target.error()), static_cast<int>(row.error)) << row.text;
  }
}

TEST(RequestTarget, ParsesConnect) {
  for (const std::string_view text : {"www.g.com:443"sv, "[::1]:1"sv, "1.2.3.4:65535"sv}) {
    const auto target = parse_connect_target(text);
    ASSERT_TRUE(target) << text;
    EXPECT_EQ(target->form, TargetForm::authority);
    EXPECT_EQ(target->url.host, text);
    EXPECT_EQ(target->url.path, "");
  }
  EXPECT_EQ(parse_connect_target("[::1]:443")->url.hostname, "[::1]");
  EXPECT_EQ(parse_connect_target("[::1]:443")->url.port, "443");
  for (const ErrorRow& row : {
           ErrorRow{"", UrlError::bad_target},
           ErrorRow{"h", UrlError::bad_port},
           ErrorRow{"h:", UrlError::bad_port},
           ErrorRow{"h:0", UrlError::bad_port},
           ErrorRow{"h:65536", UrlError::bad_port},
           ErrorRow{":443", UrlError::bad_host},
           ErrorRow{"/p", UrlError::bad_host},
           ErrorRow{"http://h:80", UrlError::bad_port},
           ErrorRow{"u@h:80", UrlError::bad_host},
           ErrorRow{"h h:80", UrlError::bad_host},
           ErrorRow{"*", UrlError::bad_port},
       }) {
    const auto target = parse_connect_target(row.text);
    ASSERT_FALSE(target) << row.text;
    EXPECT_EQ(static_cast<int>(target.error()), static_cast<int>(row.error)) << row.text;
  }
}

struct ResolveRow {
  std::string_view base;
  std::string_view reference;
  std::string_view want;
};

constexpr std::string_view rfc = "http://a/b/c/d?q";

const ResolveRow resolve_rows[] = {
    {rfc, "g", "http://a/b/c/g"},
    {rfc, "./g", "http://a/b/c/g"},
    {rfc, "g/", "http://a/b/c/g/"},
    {rfc, "/g", "http://a/g"},
    {rfc, "//g", "http://g"},
    {rfc, "?y", "http://a/b/c/d?y"},
    {rfc, "g?y", "http://a/b/c/g?y"},
    {rfc, "#s", "http://a/b/c/d?q#s"},
    {rfc, "g#s", "http://a/b/c/g#s"},
    {rfc, ";x", "http://a/b/c/;x"},
    {rfc, "g;x", "http://a/b/c/g;x"},
    {rfc, "", "http://a/b/c/d?q"},
    {rfc, ".", "http://a/b/c/"},
    {rfc, "./", "http://a/b/c/"},
    {rfc, "..", "http://a/b/"},
    {rfc, "../", "http://a/b/"},
    {rfc, "../g", "http://a/b/g"},
    {rfc, "../..", "http://a/"},
    {rfc, "../../", "http://a/"},
    {rfc, "../../g", "http://a/g"},
    {rfc, "../../../g", "http://a/g"},
    {rfc, "../../../../g", "http://a/g"},
    {rfc, "/./g", "http://a/g"},
    {rfc, "/../g", "http://a/g"},
    {rfc, "g.", "http://a/b/c/g."},
    {rfc, ".g", "http://a/b/c/.g"},
    {rfc, "g..", "http://a/b/c/g.."},
    {rfc, "..g", "http://a/b/c/..g"},
    {rfc, "./../g", "http://a/b/g"},
    {rfc, "./g/.", "http://a/b/c/g/"},
    {rfc, "g/./h", "http://a/b/c/g/h"},
    {rfc, "g/../h", "http://a/b/c/h"},
    {rfc, "http:g", "http:g"},
    {rfc, "http://x/y", "http://x/y"},
    {rfc, "https:/z", "https:/z"},
    {rfc, "mailto:x", "mailto:x"},
    {rfc, "g%2Fh", "http://a/b/c/g%2Fh"},
    {rfc, "/a%2Fb/../c", "http://a/c"},
    {rfc, "//g/..", "http://g/"},
    {rfc, "/x y", "http://a/x%20y"},
    {rfc, "?", "http://a/b/c/d?"},
    {rfc, "g;x=1/../y", "http://a/b/c/y"},
    {rfc, "g?y/../x", "http://a/b/c/g?y/../x"},
    {rfc, "g#s/../x", "http://a/b/c/g#s/../x"},
    {"http://h", "g", "http://h/g"},
    {"http://h", "../g", "http://h/g"},
    {"http://h", "?x", "http://h?x"},
    {"http://h/a/", "", "http://h/a/"},
    {"http://h/a?x", "", "http://h/a?x"},
    {"http://u:p@h/a", "b", "http://u:p@h/b"},
    {"http://u:p@h/a", "//k/b", "http://k/b"},
    {"https://h/a", "//k/b", "https://k/b"},
    {"http://h/a/b", "..//c", "http://h//c"},
    {"http://h/a#f", "b", "http://h/b"},
    {"http://h/b//x", "g", "http://h/b//g"},
    {"http://h/b//x", "../g", "http://h/b/g"},
    {"http://h/a/../b/./c", "g", "http://h/b/g"},
    {"HTTP://h/a", "/%7e\xc3\xa9", "http://h/%7e%C3%A9"},
    {"x:/a/b", "../../c", "x:/c"},
    {"x:/a/b", "..//c", "x:/.//c"},
    {"/qux/", "../quux/foobar.com/baz", "/quux/foobar.com/baz"},
    {"a/b", "../../c", "c"},
    {"a/b", "../x:y", "./x:y"},
    {"/a", "/..//h", "/.//h"},
};

TEST(Url, ResolvesReferences) {
  for (const ResolveRow& row : resolve_rows) {
    SCOPED_TRACE(testing::Message() << row.base << " + " << row.reference);
    const Copy base_text{row.base};
    const Copy reference_text{row.reference};
    const auto base = parse_url(base_text.view());
    const auto reference = parse_url(reference_text.view());
    ASSERT_TRUE(base);
    ASSERT_TRUE(reference);
    const std::size_t enough = 3 * (row.base.size() + row.reference.size()) + 2;
    std::string last;
    for (std::size_t room = 0; room <= enough; ++room) {  // each size gives the right text or says that it is too small
      Memory memory{room};
      const auto resolved = resolve_reference(*base, *reference, memory.span());
      if (resolved) {
        EXPECT_EQ(*resolved, row.want);
        last = *resolved;
      } else {
        EXPECT_EQ(resolved.error(), UrlError::out_too_small);
        EXPECT_TRUE(last.empty()) << "more memory made it fail";
      }
    }
    EXPECT_EQ(last, row.want);
    EXPECT_TRUE(row.want.empty() || parse_url(last)) << "the result is a URL again";
  }
}

TEST(Url, RefusesToResolveAgainstOpaqueUrls) {
  Memory memory{100};
  for (const std::string_view base : {"mailto:a@b"sv, "http:"sv, "a:b/c"sv}) {
    const auto resolved = resolve_reference(*parse_url(base), *parse_url("g"), memory.span());
    ASSERT_FALSE(resolved) << base;
    EXPECT_EQ(resolved.error(), UrlError::bad_base);
    EXPECT_EQ(*resolve_reference(*parse_url(base), *parse_url("http://h/"), memory.span()), "http://h/");
  }
}

TEST(Url, RefusesToResolveToAnHttpUrlWithoutAHost) {
  Memory memory{100};
  const auto resolved = resolve_reference(*parse_url("https://h/"), *parse_url("///p"), memory.span());
  ASSERT_FALSE(resolved);
  EXPECT_EQ(resolved.error(), UrlError::bad_host);
  EXPECT_EQ(*resolve_reference(*parse_url("file:///a"), *parse_url("///p"), memory.span()), "file:///p");
}

TEST(CleanPath, Cleans) {
  struct Row {
    std::string_view path;
    std::string_view want;
  };
  for (const Row& row : {
           Row{"", "/"},
           Row{"/", "/"},
           Row{"//", "/"},
           Row{"/.", "/"},
           Row{"/..", "/"},
           Row{"/../..", "/"},
           Row{"a", "/a"},
           Row{"a/", "/a/"},
           Row{".", "/"},
           Row{"..", "/"},
           Row{"../a", "/a"},
           Row{"/a", "/a"},
           Row{"/a/", "/a/"},
           Row{"/a//b", "/a/b"},
           Row{"/a/./b", "/a/b"},
           Row{"/a/../q", "/q"},
           Row{"/a/b/..", "/a"},
           Row{"/a/b/../", "/a/"},
           Row{"/a/b/.", "/a/b"},
           Row{"/a/b/./", "/a/b/"},
           Row{"/a/..", "/"},
           Row{"/a/../", "/"},
           Row{"/../../b", "/b"},
           Row{"/a/b/x/../y/", "/a/b/y/"},
           Row{"///a///", "/a/"},
           Row{"/.a", "/.a"},
           Row{"/..a", "/..a"},
           Row{"/a.", "/a."},
           Row{"/a/...", "/a/..."},
           Row{"/%2e%2e/a", "/%2e%2e/a"},
           Row{"/a/b/c/../../../d", "/d"},
       }) {
    SCOPED_TRACE(row.path);
    const Copy path{row.path};
    Memory memory{row.path.size() + 1};
    const auto cleaned = clean_path(path.view(), memory.span());
    ASSERT_TRUE(cleaned);
    EXPECT_EQ(*cleaned, row.want);
    EXPECT_EQ(is_clean_path(path.view()), row.path == row.want);
    EXPECT_TRUE(is_clean_path(*cleaned));
    if (row.path.starts_with('/')) {
      Copy place{row.path};
      EXPECT_EQ(*clean_path(place.view(), place.span()), row.want) << "in place";
    }
    if (row.path == row.want) {
      expect_written(row.want, UrlError::out_too_small, [&](std::span<char> out) { return clean_path(row.path, out); });
    }
  }
}

TEST(CleanPath, IsStableOnRandomPaths) {
  SCOPED_TRACE(testing::Message() << "seed " << test_seed);
  Random random{test_seed};
  for (int i = 0; i < test::rounds(5000); ++i) {
    const std::string path = random.text_of("/./.ab/", 16);
    Memory memory{path.size() + 1};
    const auto cleaned = clean_path(path, memory.span());
    ASSERT_TRUE(cleaned) << path;
    EXPECT_TRUE(is_clean_path(*cleaned)) << path;
    EXPECT_EQ(is_clean_path(path), *cleaned == path) << path;
    if (path.starts_with('/')) {
      Copy place{path};
      EXPECT_EQ(*clean_path(place.view(), place.span()), *cleaned) << path;
    }
  }
}

TEST(Host, AcceptsWhatAHostFieldMayHold) {
  for (const std::string_view host :
       {""sv, "h"sv, "h:80"sv, "h:"sv, "h:0"sv, "h:65535"sv, "www.example.com"sv, "1.2.3.4:80"sv, "[::1]"sv,
        "[::1]:8080"sv, "[::1]:"sv, "[2001:db8::1]"sv, "[::ffff:1.2.3.4]"sv, "[fe80::1%25eth0]"sv, "foo'bar"sv,
        "a_b-c~d!$&()*+,;="sv, "b%C3%BCcher.de"sv, "pi.local."sv}) {
    EXPECT_TRUE(is_valid_host(host)) << host;
  }
}

TEST(Host, RefusesTheRest) {
  for (const std::string_view host :
       {"a/b"sv,     "\xff"sv, "b\xc3\xbc"sv, "a b"sv,     " a"sv,   "a\tb"sv, "a\0b"sv,    "a\x7f"sv,
        "a@b"sv,     "a?b"sv,  "a#b"sv,       "a\\b"sv,    "a\"b"sv, "a<b"sv,  "[a]"sv,     "a[b"sv,
        "a]b"sv,     "[::1"sv, "[::1]x"sv,    "[::1]80"sv, "[]"sv,   "::1"sv,  "h:80:90"sv, "h:8a"sv,
        "h:65536"sv, "h:-1"sv, "h: 80"sv,     ":80"sv,     ":"sv,    "h%41"sv, "h%"sv,      "h%8"sv,
        "h%zz"sv,    "a^b"sv,  "a`b"sv,       "a{b"sv,     "a|b"sv}) {
    EXPECT_FALSE(is_valid_host(host)) << host;
  }
}

TEST(Host, StripsPortsAndBrackets) {
  EXPECT_EQ(strip_port("h:80"), "h");
  EXPECT_EQ(strip_port("h:"), "h");
  EXPECT_EQ(strip_port("h"), "h");
  EXPECT_EQ(strip_port(""), "");
  EXPECT_EQ(strip_port("[::1]:80"), "[::1]");
  EXPECT_EQ(strip_port("[::1]"), "[::1]");
  EXPECT_EQ(strip_port("a:b:c"), "a:b:c");
  EXPECT_EQ(strip_brackets("[::1]"), "::1");
  EXPECT_EQ(strip_brackets("h"), "h");
  EXPECT_EQ(strip_brackets("["), "[");
  EXPECT_EQ(strip_brackets(""), "");
}

TEST(Host, KnowsLiteralAddresses) {
  for (const std::string_view text : {"0.0.0.0"sv, "255.255.255.255"sv, "127.0.0.1"sv}) {
    EXPECT_TRUE(is_ipv4_text(text)) << text;
  }
  for (const std::string_view text : {""sv, "1"sv, "1.2.3"sv, "1.2.3.4.5"sv, "1.2.3.256"sv, "01.2.3.4"sv, "1..3.4"sv,
                                      "1.2.3."sv, ".1.2.3"sv, "1.2.3.a"sv, "1.2.3.-4"sv, "1.2.3.4 "sv}) {
    EXPECT_FALSE(is_ipv4_text(text)) << text;
  }
  for (const std::string_view text :
       {"::"sv, "::1"sv, "1::"sv, "1::2"sv, "1:2:3:4:5:6:7:8"sv, "1:2:3:4:5:6:7::"sv, "::2:3:4:5:6:7:8"sv,
        "::ffff:1.2.3.4"sv, "1:2:3:4:5:6:1.2.3.4"sv, "::1.2.3.4"sv, "ABCD:ef01::"sv}) {
    EXPECT_TRUE(is_ipv6_text(text)) << text;
  }
  for (const std::string_view text :
       {""sv, ":"sv, ":::"sv, "1:"sv, ":1"sv, "1::2::3"sv, "1:2:3:4:5:6:7"sv, "1:2:3:4:5:6:7:8:9"sv,
        "1:2:3:4:5:6:7:8::"sv, "::1:2:3:4:5:6:7:8"sv, "12345::"sv, "g::"sv, "1:2:3:4:5:6:7:1.2.3.4"sv,
        "1:2:3:4:5:1.2.3.4"sv, "::1.2.3"sv, "1.2.3.4"sv, "::1.2.3.4:5"sv, "1:::2"sv, "1::2:"sv}) {
    EXPECT_FALSE(is_ipv6_text(text)) << text;
  }
}

}  // namespace
}  // namespace pollux::wire
