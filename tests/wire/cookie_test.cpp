#include "stack/wire/cookie.hpp"

#include <array>

#include "stack/wire/date.hpp"
#include "tests/wire/values_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

std::string pairs_of(std::string_view field) {
  const Copy copy{field};
  CookiePairs pairs{copy.view()};
  std::string text;
  while (const auto pair = pairs.next()) {
    text.append("[").append(pair->name).append("=").append(pair->value).append("]");
  }
  return text;
}

TEST(Cookie, WalksThePairsOfARequest) {
  EXPECT_EQ(pairs_of(""), "");
  EXPECT_EQ(pairs_of("a=b"), "[a=b]");
  EXPECT_EQ(pairs_of("a=b; c=d"), "[a=b][c=d]");
  EXPECT_EQ(pairs_of("a=b;c=d"), "[a=b][c=d]");
  EXPECT_EQ(pairs_of("a=b; a=c"), "[a=b][a=c]");
  EXPECT_EQ(pairs_of("a=\"b\""), "[a=b]");
  EXPECT_EQ(pairs_of("a=\"b c\""), "[a=b c]");
  EXPECT_EQ(pairs_of("a"), "[a=]");
  EXPECT_EQ(pairs_of("a="), "[a=]");
  EXPECT_EQ(pairs_of("a=\"\""), "[a=]");
  EXPECT_EQ(pairs_of("=b"), "");
  EXPECT_EQ(pairs_of("a b=c"), "");
  EXPECT_EQ(pairs_of("; ;a=b"), "[a=b]");
  EXPECT_EQ(pairs_of("a=b, c=d"), "[a=b, c=d]");
  EXPECT_EQ(pairs_of("a=b; $Version=1"), "[a=b][$Version=1]");
  EXPECT_EQ(pairs_of("a=\"b;c\""), "");
  EXPECT_EQ(pairs_of("a=b\\"), "");
  EXPECT_EQ(pairs_of("a=b\\\\"), "");
  EXPECT_EQ(pairs_of(" a = b "), "[a= b]");
  EXPECT_EQ(pairs_of("a=\"; b=1; c=\xff; d=\x7f; e=\x1f; f=2"), "[b=1][f=2]");
}

TEST(Cookie, FindsAValueByName) {
  EXPECT_EQ(cookie_value("id=42; lang=de", "lang"), "de");
  EXPECT_EQ(cookie_value("a=1; a=2", "a"), "1");
  EXPECT_EQ(cookie_value("id=42", "ID"), std::nullopt);
  EXPECT_EQ(cookie_value("", "a"), std::nullopt);
}

// What was read, in one line: "a=b maxage=-1 path=/ ... ignored=1".
std::string described(std::string_view text) {
  const Copy copy{text};
  const auto cookie = parse_set_cookie(copy.view());
  if (!cookie) {
    return "dropped";
  }
  std::string line{cookie->name};
  line.append("=").append(cookie->value);
  line.append(cookie->is_quoted ? " quoted" : "");
  line.append(cookie->path.empty() ? "" : " path=").append(cookie->path);
  line.append(cookie->domain.empty() ? "" : " domain=").append(cookie->domain);
  if (cookie->expires) {
    std::array<char, http_date_size> date{};
    line.append(" expires=").append(*write_http_date(*cookie->expires, date));
  }
  line.append(cookie->max_age ? " maxage=" + std::to_string(*cookie->max_age) : "");
  constexpr std::array<std::string_view, 5> same_site{"", " default", " lax", " strict", " none"};
  line.append(same_site[static_cast<std::size_t>(cookie->same_site)]);
  line.append(cookie->secure ? " secure" : "").append(cookie->http_only ? " httponly" : "");
  line.append(cookie->partitioned ? " partitioned" : "");
  return cookie->ignored_attributes == 0 ? line : line + " ignored=" + std::to_string(cookie->ignored_attributes);
}

TEST(SetCookie, Parses) {
  struct Row {
    std::string_view text;
    std::string_view want;
  };
  for (const Row& row : {
           Row{"a=b", "a=b"},
           Row{"", "dropped"},
           Row{"a", "dropped"},
           Row{"=b", "dropped"},
           Row{"a b=c", "dropped"},
           Row{" a=b ", "a=b"},
           Row{"a = b", "a=b"},
           Row{"a=", "a="},
           Row{"a=b; max-age=0", "a=b maxage=-1"},
           Row{"a=b; max-age=-5", "a=b maxage=-1"},
           Row{"a=b; max-age=00", "a=b maxage=-1"},
           Row{"a=b; Max-Age=5", "a=b maxage=5"},
           Row{"a=b; Max-Age=9223372036854775807", "a=b maxage=9223372036854775807"},
           Row{"a=b; Max-Age=9223372036854775808", "a=b ignored=1"},
           Row{"a=b; Max-Age=05", "a=b ignored=1"},
           Row{"a=b; Max-Age=x", "a=b ignored=1"},
           Row{"a=b; Max-Age=", "a=b ignored=1"},
           Row{"a=b; Max-Age=-", "a=b ignored=1"},
           Row{"a=b; Max-Age=+5", "a=b ignored=1"},
           Row{"a=b; Max-Age=7; Max-Age=x", "a=b maxage=7 ignored=1"},
           Row{"a=b; Expires=Wed, 23 Nov 2011 01:05:03 GMT", "a=b expires=Wed, 23 Nov 2011 01:05:03 GMT"},
           Row{"a=b; Expires=never", "a=b ignored=1"},
           Row{"a=\"b c\"", "a=b c quoted"},
           Row{"a=b c", "a=b c"},
           Row{"a=\"b", "dropped"},
           Row{"a=\"", "dropped"},
           Row{"a=b\\c", "dropped"},
           Row{"a=b\\\\c", "dropped"},
           Row{"a=\xff", "dropped"},
           Row{"a=b\1", "dropped"},
           Row{"a=b; SameSite", "a=b default"},
           Row{"a=b; SameSite=LAX", "a=b lax"},
           Row{"a=b; samesite=Strict", "a=b strict"},
           Row{"a=b; SameSite=None; Secure; HttpOnly; Partitioned", "a=b none secure httponly partitioned"},
           Row{"a=b; SameSite=x", "a=b default"},
           Row{"a=b; Foo=Bar; Baz", "a=b ignored=2"},
           Row{"a=b;;; Path=/", "a=b path=/"},
           Row{"a=b; Domain=;", "a=b"},
           Row{"a=b; Domain=.ex.com", "a=b domain=.ex.com"},
           Row{"a=b; Path=/\xff", "a=b ignored=1"},
           Row{"a=b; Path = /p ", "a=b path=/p"},
           Row{"a=b=c", "a=b=c"},
           Row{"a==b", "a==b"},
           Row{"a=b; PATH=/p; path=/q", "a=b path=/q"},
           Row{"a=b; Expires=Wed, 23-Nov-2011 01:05:03 GMT; Expires=Thu, 24-Nov-2011 01:05:03 GMT",
               "a=b expires=Thu, 24 Nov 2011 01:05:03 GMT"},
       }) {
    EXPECT_EQ(described(row.text), row.want) << row.text;
  }
  EXPECT_EQ(parse_set_cookie("=b").error(), CookieError::bad_name);
  EXPECT_EQ(parse_set_cookie("a=\"b").error(), CookieError::bad_value);
}

TEST(SetCookie, Writes) {
  struct Row {
    SetCookie cookie;
    std::string_view want;
  };
  const auto with = [](auto&& change) {
    SetCookie cookie{.name = "n", .value = "v"};
    change(cookie);
    return cookie;
  };
  const Row rows[] = {
      {{.name = "n", .value = "v"}, "n=v"},
      {{.name = "n"}, "n="},
      {{.name = "n", .value = "a b"}, "n=\"a b\""},
      {{.name = "n", .value = "a,b"}, "n=\"a,b\""},
      {{.name = "n", .value = "a;b"}, "n=ab"},
      {{.name = "n", .value = "a\"b"}, "n=ab"},
      {{.name = "n", .value = "a\\b"}, "n=ab"},
      {{.name = "n", .value = "a\nb"}, "n=ab"},
      {{.name = "n",
        .value = "a\xff"
                 "b"},
       "n=ab"},
      {with([](SetCookie& c) { c.is_quoted = true; }), "n=\"v\""},
      {with([](SetCookie& c) { c.path = "/p;x"; }), "n=v; Path=/px"},
      {with([](SetCookie& c) { c.path = "/p\r\nX: y"; }), "n=v; Path=/pX: y"},
      {with([](SetCookie& c) { c.domain = ".ex.com"; }), "n=v; Domain=ex.com"},
      {with([](SetCookie& c) { c.domain = "ex.com."; }), "n=v; Domain=ex.com."},
      {with([](SetCookie& c) { c.domain = "127.0.0.1"; }), "n=v; Domain=127.0.0.1"},
      {with([](SetCookie& c) { c.domain = "::1"; }), "n=v"},
      {with([](SetCookie& c) { c.domain = "a..b"; }), "n=v"},
      {with([](SetCookie& c) { c.domain = "."; }), "n=v"},
      {with([](SetCookie& c) { c.domain = "-a.b"; }), "n=v"},
      {with([](SetCookie& c) { c.domain = "a-.b"; }), "n=v"},
      {with([](SetCookie& c) { c.domain = "127.0.0.256"; }), "n=v"},
      {with([](SetCookie& c) { c.domain = "a;b"; }), "n=v"},
      {with([](SetCookie& c) { c.max_age = 5; }), "n=v; Max-Age=5"},
      {with([](SetCookie& c) { c.max_age = 0; }), "n=v; Max-Age=0"},
      {with([](SetCookie& c) { c.max_age = -1; }), "n=v; Max-Age=0"},
      {with([](SetCookie& c) { c.expires = to_wall_time({.year = 2009, .month = 11, .day = 10, .hour = 23}); }),
       "n=v; Expires=Tue, 10 Nov 2009 23:00:00 GMT"},
      {with([](SetCookie& c) { c.expires = to_wall_time({.year = 1601}); }),
       "n=v; Expires=Mon, 01 Jan 1601 00:00:00 GMT"},
      {with([](SetCookie& c) { c.expires = to_wall_time({.year = 1600, .month = 12, .day = 31}); }), "n=v"},
      {with([](SetCookie& c) { c.expires = port::WallTime{.seconds = INT64_MAX}; }), "n=v"},
      {with([](SetCookie& c) {
         c.http_only = true;
         c.secure = true;
         c.same_site = SameSite::strict;
       }),
       "n=v; HttpOnly; Secure; SameSite=Strict"},
      {with([](SetCookie& c) { c.same_site = SameSite::default_mode; }), "n=v"},
      {with([](SetCookie& c) { c.same_site = SameSite::lax; }), "n=v; SameSite=Lax"},
      {with([](SetCookie& c) { c.same_site = SameSite::none; }), "n=v; SameSite=None"},
      {with([](SetCookie& c) { c.partitioned = true; }), "n=v; Partitioned"},
  };
  for (const Row& row : rows) {
    expect_written(row.want, CookieError::out_too_small,
                   [&](std::span<char> out) { return write_set_cookie(row.cookie, out); });
  }
  const std::string label(64, 'a');
  Memory memory{400};
  EXPECT_EQ(*write_set_cookie({.name = "n", .domain = label}, memory.span()), "n=") << "64 bytes are no label";
  EXPECT_EQ(*write_set_cookie({.name = "n", .domain = std::string_view{label}.substr(1)}, memory.span()),
            "n=; Domain=" + label.substr(1));
}

TEST(SetCookie, RefusesBadNames) {
  Memory memory{100};
  for (const std::string_view name : {""sv, "a\nb"sv, "a=b"sv, "a b"sv, "a;"sv, "\xff"sv}) {
    EXPECT_EQ(write_set_cookie({.name = name, .value = "v"}, memory.span()).error(), CookieError::bad_name) << name;
    EXPECT_EQ(write_cookie_pair({.name = name, .value = "v"}, memory.span()).error(), CookieError::bad_name) << name;
  }
}

TEST(Cookie, WritesAPair) {
  expect_written("n=v", CookieError::out_too_small,
                 [](std::span<char> out) { return write_cookie_pair({.name = "n", .value = "v"}, out); });
  expect_written("n=\"a b\"", CookieError::out_too_small,
                 [](std::span<char> out) { return write_cookie_pair({.name = "n", .value = "a; b"}, out); });
}

TEST(SetCookie, ReadsWhatItWrote) {
  SCOPED_TRACE(testing::Message() << "seed " << test_seed);
  Random random{test_seed};
  for (int i = 0; i < test::rounds(2000); ++i) {
    const std::string name = "n" + random.text_of("abc!#$", 6);
    const std::string value = random.text_of("ab =,:/x", 12);
    const std::string path = "/" + random.text_of("ab/=,", 8);
    SetCookie cookie{.name = name, .value = value, .path = path};
    cookie.max_age = static_cast<std::int64_t>(random.below(5)) + 1;
    cookie.expires = port::WallTime{.seconds = static_cast<std::int64_t>(random.below(4'000'000'000U))};
    cookie.same_site = static_cast<SameSite>(2 + random.below(3));
    cookie.secure = random.below(2) == 0;
    Memory memory{300};
    const auto text = write_set_cookie(cookie, memory.span());
    ASSERT_TRUE(text);
    const auto parsed = parse_set_cookie(*text);
    ASSERT_TRUE(parsed) << *text;
    EXPECT_EQ(parsed->name, name) << *text;
    EXPECT_EQ(parsed->value, value) << *text;
    EXPECT_EQ(parsed->path, path) << *text;
    EXPECT_EQ(parsed->max_age, cookie.max_age) << *text;
    EXPECT_EQ(parsed->expires, cookie.expires) << *text;
    EXPECT_EQ(parsed->same_site, cookie.same_site) << *text;
    EXPECT_EQ(parsed->secure, cookie.secure) << *text;
    EXPECT_EQ(parsed->ignored_attributes, 0) << *text;
  }
}

}  // namespace
}  // namespace pollux::wire
