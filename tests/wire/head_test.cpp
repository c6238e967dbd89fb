#include "stack/wire/head.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "stack/base/text.hpp"
#include "stack/wire/scan.hpp"
#include "tests/wire/reader_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_literals;
using test::name_of;
using test::to_text;

TEST(Method, NamesAreCaseSensitiveAndComeBack) {
  for (int i = 1; i <= static_cast<int>(Method::trace); ++i) {
    const auto method = static_cast<Method>(i);
    std::string name{method_name(method)};
    EXPECT_EQ(method_from(name), method) << name;
    name[0] = base::to_lower(name[0]);
    EXPECT_EQ(method_from(name), Method::other) << name;
  }
  for (const std::string_view other :
       {"", "G", "GETT", "get", "PRI", "PUTS", "POSU", "PATCX", "DELETF", "OPTIONX", "CONNECU", "HEAX"}) {
    EXPECT_EQ(method_from(other), Method::other) << other;
  }
  EXPECT_EQ(method_name(Method::other), "");
  EXPECT_EQ(method_name(Method::del), "DELETE");
}

TEST(FieldId, EveryNameIsRecognisedInAnyCase) {
  for (int i = 1; i < static_cast<int>(FieldId::count_); ++i) {
    const auto id = static_cast<FieldId>(i);
    std::string name{field_name(id)};
    ASSERT_FALSE(name.empty()) << i;
    EXPECT_EQ(field_id_from(name), id) << name;
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return base::to_lower(c); });
    EXPECT_EQ(field_id_from(name), id) << name;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return base::is_alpha(c) ? static_cast<char>(c ^ 0x20) : c; });
    EXPECT_EQ(field_id_from(name), id) << name;
  }
  EXPECT_EQ(field_name(FieldId::other), "");
  EXPECT_EQ(field_name(FieldId::count_), "");
  EXPECT_EQ(field_name(FieldId::etag), "ETag");
}

TEST(FieldId, ANameThatDiffersInOneByteIsAnother) {
  for (int i = 1; i < static_cast<int>(FieldId::count_); ++i) {
    const std::string name{field_name(static_cast<FieldId>(i))};
    for (std::size_t at = 0; at < name.size(); ++at) {
      for (unsigned c = 0; c < 256; ++c) {
        std::string changed = name;
        changed[at] = static_cast<char>(c);
        const bool is_same = base::equal_ignoring_case(changed, name);
        EXPECT_EQ(field_id_from(changed), is_same ? static_cast<FieldId>(i) : FieldId::other) << changed;
      }
    }
    EXPECT_EQ(field_id_from(name + "s"), FieldId::other) << name;
    EXPECT_EQ(field_id_from(name.substr(1)), FieldId::other) << name;
    EXPECT_EQ(field_id_from(name.substr(0, name.size() - 1)), FieldId::other) << name;
  }
  EXPECT_EQ(field_id_from(""), FieldId::other);
  EXPECT_EQ(field_id_from(std::string(300, 'x')), FieldId::other);
}

// ---- the end of a head

struct EndCase {
  std::string data;
  std::size_t size;
};

const std::vector<EndCase>& end_cases() {
  static const std::vector<EndCase> all = {
      {"", 0},
      {"\r", 0},
      {"\n", 1},
      {"\r\n", 2},
      {"\r\nGET / HTTP/1.1\r\n\r\n", 2},
      {"GET / HTTP/1.1\r\n\r\n", 18},
      {"GET / HTTP/1.1\n\n", 16},
      {"GET / HTTP/1.1\r\n\n", 17},
      {"GET / HTTP/1.1\n\r\n", 17},
      {"GET / HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n", 18},
      {"GET / HTTP/1.1\r\nHost: h\r\n", 0},
      {"GET / HTTP/1.1\r\nHost: h\r\n\r", 0},
      {"GET / HTTP/1.1\r\nHost: h\r\n\rx\n\r\n", 0 + 16 + 9 + 3 + 2},
      {"a\nb\n\rc\n\r\n", 9},
      {"x\r\r\n\n", 5},
      {std::string(40, 'x') + "\r\n\r\n" + std::string(40, 'y') + "\r\n\r\n", 44},
  };
  return all;
}

TEST(FindHeadEnd, FindsTheFirstEmptyLine) {
  for (const EndCase& c : end_cases()) {
    std::size_t scanned = 0;
    EXPECT_EQ(find_head_end(c.data, scanned), c.size) << c.data;
    EXPECT_LE(scanned, c.data.size());
  }
}

TEST(FindHeadEnd, FindsItWhereverTheBytesAreCut) {
  for (const EndCase& c : end_cases()) {
    for (std::size_t first = 0; first <= c.data.size(); ++first) {
      std::size_t scanned = 0;
      std::size_t size = find_head_end(std::string_view{c.data}.substr(0, first), scanned);
      EXPECT_EQ(size, c.size != 0 && c.size <= first ? c.size : 0) << c.data << " cut at " << first;
      size = size != 0 ? size : find_head_end(c.data, scanned);
      EXPECT_EQ(size, c.size) << c.data << " cut at " << first;
    }
    std::size_t scanned = 0;
    std::size_t size = 0;
    for (std::size_t come = 1; come <= c.data.size() && size == 0; ++come) {
      size = find_head_end(std::string_view{c.data}.substr(0, come), scanned);
    }
    EXPECT_EQ(size, c.size) << c.data << " byte by byte";
  }
}

TEST(FindHeadEnd, FindsItAtEveryDistance) {
  for (const std::string_view end : {"\n\n", "\r\n\r\n", "\n\r\n", "\r\n\n"}) {
    for (std::size_t before = 1; before < 100; ++before) {
      for (std::size_t behind = 0; behind < 40; ++behind) {
        const std::string data = std::string(before, 'a') + std::string{end} + std::string(behind, 'b');
        std::size_t scanned = 0;
        ASSERT_EQ(find_head_end(data, scanned), before + end.size()) << before << " " << behind;
      }
    }
  }
}

// ---- request heads

// What a head was read as: "GET / HTTP/1.1 {Host=h}", or the name of the error.
std::string parse_request(std::string_view whole, std::size_t table_size = 16) {
  std::vector<Field> table(table_size);
  RequestHead head;
  const HeadError error = parse_request_head(whole, table, head);
  if (error != HeadError::none) {
    return std::string{name_of(error)};
  }
  EXPECT_EQ(head.method_id, method_from(head.method));
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    EXPECT_EQ(head.fields.id(i), field_id_from(head.fields[i].name));
    EXPECT_TRUE(head.has(head.fields.id(i)));
  }
  return std::string{head.method} + " " + std::string{head.target} + " " + to_text(head.version) + " " +
         to_text(head.fields);
}

struct HeadCase {
  std::string whole;
  std::string expected;
};

TEST(RequestHead, EachCase) {
  const HeadCase cases[] = {
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1 {Host=h}"},
      {"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1 {}"},
      {"GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1 {Host=h}"},
      {"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\n", "GET / HTTP/1.1 {Host=h, A=b}"},
      {"get /%zz?a=b#c HTTP/1.0\r\n\r\n", "get /%zz?a=b#c HTTP/1.0 {}"},
      {"M-SEARCH * HTTP/1.1\r\nHost: h\r\n\r\n", "M-SEARCH * HTTP/1.1 {Host=h}"},
      {"CONNECT www.g.com:443 HTTP/1.1\r\n\r\n", "CONNECT www.g.com:443 HTTP/1.1 {}"},
      {"GET http://other.com/x HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://other.com/x HTTP/1.1 {Host=h}"},
      {"GET / HTTP/1.2\r\n\r\n", "GET / HTTP/1.2 {}"},
      {"GET / HTTP/1.9\r\n\r\n", "GET / HTTP/1.9 {}"},
      // Fields.
      {"GET / HTTP/1.1\r\nFoo:   bar \t \r\n\r\n", "GET / HTTP/1.1 {Foo=bar}"},
      {"GET / HTTP/1.1\r\nFoo:bar\r\n\r\n", "GET / HTTP/1.1 {Foo=bar}"},
      {"GET / HTTP/1.1\r\nFoo:\r\nBar: \t \r\nBaz:\n\r\n", "GET / HTTP/1.1 {Foo=, Bar=, Baz=}"},
      {"GET / HTTP/1.1\r\nFoo: a: b\tc\r\n\r\n", "GET / HTTP/1.1 {Foo=a: b\tc}"},
      {"GET / HTTP/1.1\r\nFoo: b\xffr\r\n\r\n", "GET / HTTP/1.1 {Foo=b\xffr}"},
      {"GET / HTTP/1.1\r\nFOO-bAR: x\r\nfoo-bar: y\r\n\r\n", "GET / HTTP/1.1 {FOO-bAR=x, foo-bar=y}"},
      {"GET / HTTP/1.1\r\nX_y.z!9: 1\r\nContent-MD5: q\r\n\r\n", "GET / HTTP/1.1 {X_y.z!9=1, Content-MD5=q}"},
      // Request lines.
      {"GET /p q HTTP/1.1\r\n\r\n", "start_line"},
      {"GET  / HTTP/1.1\r\n\r\n", "start_line"},
      {"GET /  HTTP/1.1\r\n\r\n", "start_line"},
      {"GET / HTTP/1.1 \r\n\r\n", "start_line"},
      {" GET / HTTP/1.1\r\n\r\n", "start_line"},
      {"GET\t/ HTTP/1.1\r\n\r\n", "start_line"},
      {"GET /\tHTTP/1.1\r\n\r\n", "start_line"},
      {"GET /\r\n\r\n", "start_line"},
      {"GET\r\n\r\n", "start_line"},
      {"GET \r\n\r\n", "start_line"},
      {"\r\n", "start_line"},
      {"\n", "start_line"},
      {"/\n\n", "start_line"},
      {"G@T / HTTP/1.1\r\n\r\n", "start_line"},
      {"GET /a\x01"s + "b HTTP/1.1\r\n\r\n", "start_line"},
      {"GET /a\x00"s + "b HTTP/1.1\r\n\r\n"s, "start_line"},
      {"GET /a\x7f"s + "b HTTP/1.1\r\n\r\n", "start_line"},
      {"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", "start_line"},
      {"GET /a\rb HTTP/1.1\r\n\r\n", "start_line"},
      {"GET /a\r HTTP/1.1\r\n\r\n", "start_line"},
      {"\x16\x03\x01\x00\x05hello\r\n\r\n"s, "start_line"},
      // Versions.
      {"GET / HTTP/11\r\n\r\n", "version_syntax"},
      {"GET / http/1.1\r\n\r\n", "version_syntax"},
      {"GET / HTTP/1.10\r\n\r\n", "version_syntax"},
      {"GET / HTTP/1,1\r\n\r\n", "version_syntax"},
      {"GET / HTTP/1.x\r\n\r\n", "version_syntax"},
      {"GET / HTTP/x.1\r\n\r\n", "version_syntax"},
      {"GET / HTTP/1.\r\n\r\n", "version_syntax"},
      {"GET / HTTP/1.1\r\r\n\r\n", "version_syntax"},
      {"GET / \r\n\r\n", "version_syntax"},
      {"GET / H\n\n", "version_syntax"},
      {"GET / HTTP/2.0\r\n\r\n", "version"},
      {"GET / HTTP/0.9\r\n\r\n", "version"},
      {"PRI * HTTP/2.0\r\n\r\n", "version"},
      // Field lines.
      {"GET / HTTP/1.1\r\nHost: h\r\nFoo: a\r\n b\r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\nHost: h\r\nFoo: a\r\n\tb: c\r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\n Foo: a\r\nHost: h\r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\n \r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\nHost: h\r\nFoo bar\r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\nFoo\r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\nFoo: a\rb\r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\nFoo: a\r\r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\nFoo: \ra\r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\nFoo\r: a\r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\n\rFoo: a\r\n\r\n", "field_syntax"},
      {"GET / HTTP/1.1\r\nFoo\xff: bar\r\n\r\n", "field_name"},
      {"GET / HTTP/1.1\r\n\xff: bar\r\n\r\n", "field_name"},
      {"GET / HTTP/1.1\r\nFoo : bar\r\n\r\n", "field_name"},
      {"GET / HTTP/1.1\r\nContent-Length : 3\r\n\r\n", "field_name"},
      {"GET / HTTP/1.1\r\nContent-Length\t: 3\r\n\r\n", "field_name"},
      {"GET / HTTP/1.1\r\n: bar\r\n\r\n", "field_name"},
      {"GET / HTTP/1.1\r\nF\x00o: bar\r\n\r\n"s, "field_name"},
      {"GET / HTTP/1.1\r\nF(o: bar\r\n\r\n", "field_name"},
      {"GET / HTTP/1.1\r\nFoo: b\x00r\r\n\r\n"s, "field_value"},
      {"GET / HTTP/1.1\r\nFoo: b\x1br\r\n\r\n"s, "field_value"},
      {"GET / HTTP/1.1\r\nFoo: b\x7fr\r\n\r\n"s, "field_value"},
      {"GET / HTTP/1.1\r\nFoo: \x0b\r\n\r\n"s, "field_value"},
  };
  for (const HeadCase& c : cases) {
    EXPECT_EQ(parse_request(c.whole), c.expected) << c.whole;
  }
}

// Every byte at every place of a head either keeps it a head or is refused; never a different set of lines.
TEST(RequestHead, EveryByteInANameAndAValue) {
  for (unsigned c = 0; c < 256; ++c) {
    const std::string byte(1, static_cast<char>(c));
    const std::string in_value =
        parse_request("GET / HTTP/1.1\r\nX-Long-Enough-For-A-Vector: aaaaaaaaaaaaaaaaaaaa" + byte + "z\r\n\r\n");
    const bool is_value_byte = c == '\t' || (c >= 0x20 && c != 0x7f);
    EXPECT_EQ(in_value, is_value_byte ? "GET / HTTP/1.1 {X-Long-Enough-For-A-Vector=aaaaaaaaaaaaaaaaaaaa" + byte + "z}"
                        : c == '\n' || c == '\r' ? "field_syntax"
                                                 : "field_value")
        << c;
    if (c == '\n' || c == '\r' || c == ':') {
      continue;
    }
    const std::string in_name = parse_request("GET / HTTP/1.1\r\nX-Long-Enough-For-A-Vector" + byte + "z: v\r\n\r\n");
    const bool is_token_byte = scan::is_token_byte(byte[0]);
    EXPECT_EQ(in_name, is_token_byte ? "GET / HTTP/1.1 {X-Long-Enough-For-A-Vector" + byte + "z=v}" : "field_name")
        << c;
  }
}

TEST(RequestHead, TheTableMayBeFilledAndNotPassed) {
  const std::string two = "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n";
  EXPECT_EQ(parse_request(two, 3), "GET / HTTP/1.1 {A=1, B=2}");
  EXPECT_EQ(parse_request(two, 2), "GET / HTTP/1.1 {A=1, B=2}");
  EXPECT_EQ(parse_request(two, 1), "too_many_fields");
  EXPECT_EQ(parse_request(two, 0), "too_many_fields");
  EXPECT_EQ(parse_request("GET / HTTP/1.1\r\n\r\n", 0), "GET / HTTP/1.1 {}");
}

TEST(RequestHead, ANameMayHave255BytesAndAHead65535) {
  EXPECT_NE(parse_request("GET / HTTP/1.1\r\n" + std::string(254, 'n') + ": v\r\n\r\n"), "too_large");
  EXPECT_NE(parse_request("GET / HTTP/1.1\r\n" + std::string(255, 'n') + ": v\r\n\r\n"), "too_large");
  EXPECT_EQ(parse_request("GET / HTTP/1.1\r\n" + std::string(256, 'n') + ": v\r\n\r\n"), "too_large");
  const std::string rest = "GET / HTTP/1.1\r\nA: \r\n\r\n";
  for (const std::size_t size : {head_size_limit - 1, head_size_limit}) {
    EXPECT_EQ(parse_request("GET / HTTP/1.1\r\nA: " + std::string(size - rest.size(), 'v') + "\r\n\r\n").size(),
              size - rest.size() + std::string{"GET / HTTP/1.1 {A=}"}.size());
  }
  EXPECT_EQ(parse_request("GET / HTTP/1.1\r\nA: " + std::string(head_size_limit + 1 - rest.size(), 'v') + "\r\n\r\n"),
            "too_large");
}

TEST(RequestHead, TheFirstOfSeveralIsFoundWithoutLookingForItsEnd) {
  const std::string first = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string both = first + "POST /b HTTP/1.1\r\nHost: other\r\nContent-Length: 0\r\n\r\n";
  ASSERT_TRUE(ends_with_empty_line(both));
  std::array<Field, 4> table;
  RequestHead head;
  std::size_t size = 0;
  EXPECT_EQ(parse_first_request_head(both, table, head, size), HeadError::none);
  EXPECT_EQ(size, first.size());
  EXPECT_EQ(head.target, "/a");
  EXPECT_EQ(head.fields.size(), 1U);
}

TEST(RequestHead, AnEmptyLineAtTheEndIsSeen) {
  for (const std::string_view text : {"\n", "\r\n", "a\n\n", "a\r\n\r\n", "a\n\r\n", "a\r\n\n"}) {
    EXPECT_TRUE(ends_with_empty_line(text)) << text;
  }
  for (const std::string_view text : {"", "\r", "a", "a\n", "a\r\n", "\n\r", "a\r\r\n", "a\n\n ", "\r\r\n"}) {
    EXPECT_FALSE(ends_with_empty_line(text)) << text;
  }
}

// ---- response heads

std::string parse_response(std::string_view whole, std::size_t table_size = 16) {
  std::vector<Field> table(table_size);
  ResponseHead head;
  const HeadError error = parse_response_head(whole, table, head);
  if (error != HeadError::none) {
    return std::string{name_of(error)};
  }
  return to_text(head.version) + " " + std::to_string(head.status) + " '" + std::string{head.reason} + "' " +
         to_text(head.fields);
}

TEST(ResponseHead, EachCase) {
  const HeadCase cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 'OK' {Content-Length=0}"},
      {"HTTP/1.1 200 OK\nContent-Length: 3\n\n", "HTTP/1.1 200 'OK' {Content-Length=3}"},
      {"HTTP/1.1 200 \r\n\r\n", "HTTP/1.1 200 '' {}"},
      {"HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 '' {}"},
      {"HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 200 'OK' {}"},
      {"HTTP/1.0 404 Not\tFound \xff \r\n\r\n", "HTTP/1.0 404 'Not\tFound \xff ' {}"},
      {"HTTP/1.1 999 x\r\n\r\n", "HTTP/1.1 999 'x' {}"},
      {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 'Continue' {}"},
      {"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n\r\n",
       "HTTP/1.1 200 'OK' {Set-Cookie=a=b, set-cookie=c=d}"},
      {"HTTP/1.1 20X Unknown\r\n\r\n", "status_code"},
      {"HTTP/1.1 2000 OK\r\n\r\n", "status_code"},
      {"HTTP/1.1 99 OK\r\n\r\n", "status_code"},
      {"HTTP/1.1 099 OK\r\n\r\n", "status_code"},
      {"HTTP/1.1 +20 OK\r\n\r\n", "status_code"},
      {"HTTP/1.1 -20 OK\r\n\r\n", "status_code"},
      {"HTTP/1.1 \r\n\r\n", "status_code"},
      {"HTTP/1.1 200\tOK\r\n\r\n", "status_code"},
      {"HTTP/1.1 200OK\r\n\r\n", "status_code"},
      {"HTTP/1.1 200 O\x01K\r\n\r\n", "start_line"},
      {"HTTP/1.1 200 O\rK\r\n\r\n", "start_line"},
      {"HTTP/1.1\r\n\r\n", "start_line"},
      {"HTTP/1.1\n\n", "start_line"},
      {"ICY 200 OK\r\n\r\n", "start_line"},
      {"\r\n", "start_line"},
      {"HTTP/1.12 200 OK\r\n\r\n", "version_syntax"},
      {"HTTP/A.B 200 OK\r\n\r\n", "version_syntax"},
      {"HTTP/2 200 OK\r\n\r\n", "version_syntax"},
      {"HTTP/2.0 200 OK\r\n\r\n", "version"},
      {"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", "field_syntax"},
      {"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\n", "field_name"},
  };
  for (const HeadCase& c : cases) {
    EXPECT_EQ(parse_response(c.whole), c.expected) << c.whole;
  }
  EXPECT_EQ(parse_response("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n", 1), "too_many_fields");
}

// ---- trailer sections

TEST(TrailerSection, EachCase) {
  const HeadCase cases[] = {
      {"\r\n", "{}"},
      {"X-T: v\r\n\r\n", "{X-T=v}"},
      {"X-T: v\r\nETag: \"a\"\r\nX-U:\r\n\r\n", "{X-T=v, ETag=\"a\", X-U=}"},
      {"Content-Length: 3\r\nX-T: v\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\nSet-Cookie: a\r\n"
       "Authorization: b\r\nContent-Type: c\r\nLocation: d\r\n\r\n",
       "{X-T=v}"},
      {"\n", "field_syntax"},
      {"X-T: v\n\r\n", "field_syntax"},
      {"X-T: v\r\n\n", "field_syntax"},
      {"bad trailer\r\n\r\n", "field_syntax"},
      {" X-T: v\r\n\r\n", "field_syntax"},
      {"X-T : v\r\n\r\n", "field_name"},
      {"X-T: \x01\r\n\r\n", "field_value"},
      {"A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", "too_many_fields"},
  };
  for (const HeadCase& c : cases) {
    std::array<Field, 3> table;
    Fields fields;
    const HeadError error = parse_trailer_section(c.whole, table, fields);
    EXPECT_EQ(error == HeadError::none ? to_text(fields) : std::string{name_of(error)}, c.expected) << c.whole;
  }
}

// ---- Host

TEST(CheckHost, EachCase) {
  const HeadCase cases[] = {
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "none"},
      {"GET / HTTP/1.1\r\nHost: h.example-1.com:8080\r\n\r\n", "none"},
      {"GET / HTTP/1.1\r\nHost: h:65535\r\n\r\n", "none"},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "none"},
      {"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "none"},
      {"GET / HTTP/1.1\r\nHost: foo'bar\r\n\r\n", "none"},
      {"GET / HTTP/1.0\r\n\r\n", "none"},
      {"CONNECT a:1 HTTP/1.1\r\n\r\n", "none"},
      {"GET / HTTP/1.1\r\n\r\n", "host_missing"},
      {"GET / HTTP/1.2\r\nHosts: h\r\n\r\n", "host_missing"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host_repeated"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "host_repeated"},
      {"GET / HTTP/1.0\r\nHost: a\r\nX: y\r\nhost: a\r\n\r\n", "host_repeated"},
      {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "host_repeated"},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "host_malformed"},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "host_malformed"},
      {"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", "host_malformed"},
      {"GET / HTTP/1.1\r\nHost: h:80a\r\n\r\n", "host_malformed"},
      {"GET / HTTP/1.1\r\nHost: h:65536\r\n\r\n", "host_malformed"},
      {"GET / HTTP/1.0\r\nHost: u@h\r\n\r\n", "host_malformed"},
  };
  for (const HeadCase& c : cases) {
    std::array<Field, 4> table;
    RequestHead head;
    ASSERT_EQ(parse_request_head(c.whole, table, head), HeadError::none) << c.whole;
    EXPECT_EQ(name_of(check_host(head)), c.expected) << c.whole;
  }
}

// ---- looking fields up

TEST(Fields, LookUp) {
  const std::string whole =
      "GET / HTTP/1.1\r\nHost: h\r\nconnection: foo, Close ,\tupgrade\r\nX-A: 1\r\nx-a: "
      "2\r\nConnection:\r\nETag:\r\n\r\n";
  std::array<Field, 8> table;
  RequestHead head;
  ASSERT_EQ(parse_request_head(whole, table, head), HeadError::none);
  const Fields& fields = head.fields;
  EXPECT_EQ(fields.size(), 6U);
  EXPECT_EQ(fields.get(FieldId::host), "h");
  EXPECT_EQ(fields.get("HOST"), "h");
  EXPECT_EQ(fields.get("X-a"), "1") << "the first";
  EXPECT_EQ(fields.get("X-b"), std::nullopt);
  EXPECT_EQ(fields.get(FieldId::cookie), std::nullopt);
  EXPECT_EQ(fields.get(FieldId::etag), "") << "an empty value is a value";
  EXPECT_EQ(fields.count(FieldId::connection), 2U);
  EXPECT_EQ(fields.count(FieldId::cookie), 0U);
  EXPECT_TRUE(fields.has_token(FieldId::connection, "close"));
  EXPECT_TRUE(fields.has_token(FieldId::connection, "Upgrade"));
  EXPECT_FALSE(fields.has_token(FieldId::connection, "keep-alive"));
  EXPECT_FALSE(fields.has_token(FieldId::connection, "fo"));
  EXPECT_FALSE(fields.has_token(FieldId::cookie, "close"));
  EXPECT_TRUE(head.has(FieldId::connection));
  EXPECT_FALSE(head.has(FieldId::cookie));
}

TEST(HeadError, EachHasItsWords) {
  std::vector<std::string_view> all;
  for (int i = 0; i <= static_cast<int>(HeadError::status_code); ++i) {
    const std::string_view words = describe(static_cast<HeadError>(i));
    EXPECT_FALSE(words.empty());
    EXPECT_EQ(std::count(all.begin(), all.end(), words), 0) << words;
    all.push_back(words);
  }
  EXPECT_EQ(describe(HeadError::host_missing), "missing required Host header");
}

}  // namespace
}  // namespace pollux::wire
