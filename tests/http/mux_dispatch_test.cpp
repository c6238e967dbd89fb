// Which route serves a request: the dispatch table of Go 1.22, and what it leaves open. Each table runs with its patterns
// registered forwards and backwards, since the order of registration must not matter.
#include <vector>

#include "tests/http/mux_support.hpp"

namespace pollux::test {
namespace {

struct Row {
  int number;  // in the table of behaviour that this project follows
  std::string_view method;
  std::string_view target;
  std::string_view answer;
};
struct Table {
  std::vector<std::string_view> patterns;
  std::vector<Row> rows;
};

// Two rows differ from Go on purpose. 80: the target of a redirect is built from the path as it was sent, so that an
// escaped '/' stays data (Go answers "/a/b/", another resource). And hosts, below, are compared without regard to case.
const std::vector<Table>& tables() {
  static const std::vector<Table> all{
      {{"/", "/a", "/a/", "/a/b", "/a/{x}"},
       {{1, "GET", "h/", "/"},
        {3, "GET", "h/a", "/a"},
        {5, "GET", "h/a/b", "/a/b"},
        {6, "GET", "h/a/c", "/a/{x} x=c"},
        {8, "GET", "h/a//b", "307 /a/b"},
        {10, "GET", "h/a/../q", "307 /q"},
        {11, "POST", "h/a/c", "/a/{x} x=c"}}},
      {{"/{$}"}, {{13, "GET", "h/x", "404"}}},
      {{"/b/{bucket}/o/{obj...}"},
       {{15, "GET", "h/b/k/o/x/y", "/b/{bucket}/o/{obj...} bucket=k obj=x/y"},
        {16, "GET", "h/b/k/o/", "/b/{bucket}/o/{obj...} bucket=k obj="},
        {18, "GET", "h/b/k/o?v=1", "307 /b/k/o/?v=1"},
        {20, "GET", "h/b//o/x", "307 /b/o/x"},
        {21, "GET", "h/b/k%2Fk/o/x%2Fy/z", "/b/{bucket}/o/{obj...} bucket=k/k obj=x/y/z"}}},
      {{"/a/b/{$}", "/a/b/{w}", "/a/b/{w...}"},
       {{23, "GET", "h/a/b/", "/a/b/{$}"},
        {25, "GET", "h/a/b/c/", "/a/b/{w...} w=c/"},
        {26, "GET", "h/a/b/c/d", "/a/b/{w...} w=c/d"}}},
      {{"/a/b/{w}"}, {{28, "GET", "h/a/b/c/", "404"}}},
      {{"/g/h/i", "/g/{x}/j"}, {{30, "GET", "h/g/h/j", "/g/{x}/j x=h"}, {31, "GET", "h/g/q/i", "404"}}},
      {{"GET /r", "POST /r", "/s", "GET /t/{id}"},
       {{33, "HEAD", "h/r", "GET /r"},
        {35, "PUT", "h/r", "405 GET, HEAD, POST"},
        {36, "get", "h/r", "405 GET, HEAD, POST"},
        {38, "DELETE", "h/t/1", "405 GET, HEAD"},
        {40, "GET", "h/none", "404"}}},
      {{"GET /headwins", "HEAD /headwins"},
       {{41, "GET", "h/headwins", "GET /headwins"}, {43, "POST", "h/headwins", "405 GET, HEAD"}}},
      {{"GET /tree/"}, {{45, "POST", "h/tree", "405 GET, HEAD"}, {46, "POST", "h/tree/x", "405 GET, HEAD"}}},
      {{"POST /items/{$}", "GET /items/{id}"},
       {{48, "POST", "h/items", "307 /items/"},
        {50, "DELETE", "h/items/7", "405 GET, HEAD"},
        {51, "GET", "h/items/7", "GET /items/{id} id=7"}}},
      {{"a.com/", "a.com/x", "/x", "GET b.com/y"},
       {{53, "GET", "a.com:8080/x", "a.com/x"},
        {55, "GET", "a.com/q", "a.com/"},
        {56, "GET", "c.com/q", "404"},
        {58, "GET", "b.com/y", "GET b.com/y"},
        {60, "POST", "c.com/y", "404"}}},
      {{"/item/", "POST /item/{user}", "GET /item/{user}", "/item/{user}", "/item/{user}/{id}", "/item/{user}/new",
        "/item/{$}", "POST alt.com/item/{user}"},
       {{61, "GET", "h/item/jba", "GET /item/{user} user=jba"},
        {63, "PUT", "h/item/jba", "/item/{user} user=jba"},
        {65, "GET", "h/item/jba/new", "/item/{user}/new user=jba"},
        {66, "GET", "h/item/", "/item/{$}"},
        {68, "GET", "h/item/jba/17/line2", "/item/"},
        {70, "GET", "alt.com/item/jba", "GET /item/{user} user=jba"}}},
      {{"/a", "/%62", "/%7B/%7D", "/%x"},
       {{71, "GET", "h/%61", "/a"},
        {73, "GET", "h/%62", "/%62"},
        {75, "GET", "h/%7b/%7d", "/%7B/%7D"},
        {76, "GET", "h/%25x", "/%x"}}},
      {{"/a%2Fb/", "/a/b/"}, {{78, "GET", "h/a%2Fb/c", "/a%2Fb/"}, {80, "GET", "h/a%2fb", "307 /a%2fb/"}}},
      {{"/", "/foo/", "/foo", "/bar/", "//foo"},
       {{81, "GET", "example.com//", "307 /"},
        {83, "GET", "example.com/bar", "307 /bar/"},
        {85, "CONNECT", "example.com/bar", "307 /bar/"},
        {86, "CONNECT", "example.com/foo/../x", "/foo/"}}},
      {{"/path/{p...}"}, {{88, "GET", "h/path/*", "/path/{p...} p=*"}}},
      {{"GET a.com/", "PUT b.com/", "POST /foo/{x}"},
       {{90, "DELETE", "a.com/foo/bar", "405 GET, HEAD, POST"},
        {91, "GET", "b.com/bar", "405 PUT"},
        {93, "DELETE", "z/foo/bar", "405 POST"}}},
  };
  return all;
}

TEST(MuxDispatch, AnswersAsGoDoes) {
  for (const Table& table : tables()) {
    SmallMux forwards;
    SmallMux backwards;
    for (std::size_t i = 0; i < table.patterns.size(); ++i) {
      ASSERT_TRUE(forwards.add(route_for(table.patterns[i]))) << table.patterns[i];
      ASSERT_TRUE(backwards.add(route_for(table.patterns[table.patterns.size() - 1 - i])));
    }
    for (const Row& row : table.rows) {
      EXPECT_EQ(answer_to(forwards, row.method, row.target), row.answer) << "row " << row.number;
      EXPECT_EQ(answer_to(backwards, row.method, row.target), row.answer) << "row " << row.number << ", backwards";
    }
  }
}

TEST(MuxDispatch, ComparesHostsWithoutCaseAndPort) {
  SmallMux mux;
  add_all(mux, {"Example.COM/x", "/x", "[::1]/x"});
  EXPECT_EQ(answer_to(mux, "GET", "eXAMPLE.com/x"), "Example.COM/x");
  EXPECT_EQ(answer_to(mux, "GET", "example.com:81/x"), "Example.COM/x");
  EXPECT_EQ(answer_to(mux, "GET", "example.co/x"), "/x");
  EXPECT_EQ(answer_to(mux, "GET", "/x"), "/x");  // no Host field (HTTP/1.0)
  EXPECT_EQ(answer_to(mux, "GET", "[::1]:80/x"), "[::1]/x");
  EXPECT_EQ(answer_to(mux, "GET", "[::1]/x"), "[::1]/x");
}

// For paths that do not begin with '/'.
http::RouteQuery request(wire::Method id, std::string_view method, std::string_view host, std::string_view raw_path) {
  return {.method_id = id, .method = method, .host = host, .raw_path = raw_path, .query = {}};
}

TEST(MuxDispatch, RefusesWhatIsNoPath) {
  SmallMux mux;
  add_all(mux, {"/"});
  for (const std::string_view path : {"*", "", "a", "?"}) {
    EXPECT_EQ(answer_to(mux, request(wire::Method::options, "OPTIONS", "h", path)), "400") << path;
  }
}

TEST(MuxDispatch, ServesATunnelOnlyWhereConnectIsNamed) {
  SmallMux pages;
  add_all(pages, {"/", "GET /{$}"});
  const http::RouteQuery connect = request(wire::Method::connect, "CONNECT", "h:443", "");
  EXPECT_EQ(answer_to(pages, connect), "405 GET, HEAD");
  SmallMux proxy;
  add_all(proxy, {"/", "CONNECT /{to...}", "CONNECT h:443/"});
  EXPECT_EQ(answer_to(proxy, connect), "CONNECT h:443/");
  EXPECT_EQ(answer_to(proxy, request(wire::Method::connect, "CONNECT", "h:80", "")), "CONNECT /{to...} to=");
}

TEST(MuxDispatch, KeepsTheQueryOfARedirect) {
  SmallMux mux;
  add_all(mux, {"/tree/"});
  EXPECT_EQ(answer_to(mux, "GET", "h/tree?"), "307 /tree/?");
  EXPECT_EQ(answer_to(mux, "GET", "h/tree?a=/../b"), "307 /tree/?a=/../b");
  EXPECT_EQ(answer_to(mux, "GET", "h/x/..//tree?a"), "307 /tree/?a");
  EXPECT_EQ(answer_to(mux, "GET", "h//tree/./x"), "307 /tree/x");
  EXPECT_EQ(answer_to(mux, query_for("GET", "h//tree"), true), "307 /tree/ -> /tree/");
  EXPECT_EQ(answer_to(mux, query_for("GET", "h//other"), true), "307 /other -> ");
}

// Browsers read "/\\host/" in Location as another host.
TEST(MuxDispatch, NeverRedirectsToAnotherHost) {
  SmallMux mux;
  add_all(mux, {"/{x}/"});
  EXPECT_EQ(answer_to(mux, "GET", "h/\\evil.com"), "307 /%5Cevil.com/");
  EXPECT_EQ(answer_to(mux, "GET", "h//evil.com"), "307 /evil.com/");
  EXPECT_EQ(answer_to(mux, "GET", "h/..//evil.com"), "307 /evil.com/");
}

TEST(MuxDispatch, DoesNotRedirectWhatIsServed) {
  SmallMux mux;
  add_all(mux, {"/a", "/a/", "/b/{x}", "/b/{x}/", "/c/{rest...}"});
  EXPECT_EQ(answer_to(mux, "GET", "h/a"), "/a");
  EXPECT_EQ(answer_to(mux, "GET", "h/b/1"), "/b/{x} x=1");
  EXPECT_EQ(answer_to(mux, "GET", "h/b/1/"), "/b/{x}/ x=1");
  EXPECT_EQ(answer_to(mux, "GET", "h/c"), "307 /c/");
  EXPECT_EQ(answer_to(mux, "GET", "h/c/"), "/c/{rest...} rest=");
  EXPECT_EQ(answer_to(mux, "GET", "h/b//"), "307 /b/");
  EXPECT_EQ(answer_to(mux, "GET", "h/b/"), "404");  // {x} is never empty
}

TEST(MuxDispatch, AnswersWithoutAnyRoute) {
  const SmallMux mux;
  EXPECT_EQ(answer_to(mux, "GET", "h/"), "404");
  EXPECT_EQ(answer_to(mux, "GET", "h/a/./b"), "307 /a/b");
  EXPECT_EQ(answer_to(mux, "CONNECT", "h"), "404");
}

TEST(MuxDispatch, ListsEachAllowedMethodOnce) {
  SmallMux mux;
  add_all(mux, {"PUT /a/{x}", "GET /a/b", "HEAD /a/b", "DELETE /a/", "M-SEARCH /a/{x}", "PUT h/a/b"});
  EXPECT_EQ(answer_to(mux, "POST", "h/a/b"), "405 DELETE, GET, HEAD, M-SEARCH, PUT");
  std::array<char, 10> small;
  EXPECT_EQ(mux.allowed_methods(query_for("POST", "h/a/b"), small), "DELETE");  // what does not fit is left out whole
}

// A path may have more segments than any pattern: only a rest can match it.
TEST(MuxDispatch, MatchesPathsLongerThanAnyPattern) {
  std::string pattern;
  for (std::size_t i = 0; i < http::segments_max; ++i) {
    pattern += "/s";
  }
  SmallMux mux;
  add_all(mux, {pattern, "/s/{rest...}"});
  EXPECT_EQ(answer_to(mux, "GET", "h" + pattern), pattern);
  EXPECT_EQ(answer_to(mux, "GET", "h" + pattern + "/s"), "/s/{rest...} rest=" + (pattern + "/s").substr(3));
  EXPECT_EQ(answer_to(mux, "GET", "h" + pattern + "/"), "/s/{rest...} rest=" + (pattern + "/").substr(3));
  EXPECT_EQ(answer_to(mux, "GET", "h" + pattern.substr(2)), "/s/{rest...} rest=" + pattern.substr(2).substr(3));
}

TEST(MuxDispatch, RefusesTargetsThatAreTooLong) {
  SmallMux mux;
  add_all(mux, {"/{rest...}"});
  const std::string longest = "/" + std::string(http::route_text_max - 1, 'a');
  EXPECT_EQ(answer_to(mux, "GET", "h" + longest).size(),
            std::string_view{"/{rest...} rest="}.size() + longest.size() - 1);
  EXPECT_EQ(answer_to(mux, "GET", "h" + longest + "a"), "414");
  const std::string fits = "/." + std::string{"/"} + std::string(http::redirect_size_max - 1, 'a');
  EXPECT_EQ(answer_to(mux, "GET", "h" + fits), "307 " + fits.substr(2));
  EXPECT_EQ(answer_to(mux, "GET", "h" + fits + "a"), "414");
  EXPECT_EQ(answer_to(mux, "GET", "h" + fits + "?"), "307 too long");  // found when the answer is made: 414 as well
}

TEST(MuxDispatch, ForgetsTheMatchBefore) {
  SmallMux mux;
  add_all(mux, {"/a/{x}", "/b"});
  http::RouteMatch match;
  mux.find(query_for("GET", "h/a/1"), match);
  EXPECT_EQ(match.capture_count, 1);
  mux.find(query_for("GET", "h/b"), match);
  EXPECT_EQ(match.capture_count, 0);
  mux.find(query_for("GET", "h/c"), match);
  EXPECT_EQ(match.pattern, "");
  EXPECT_EQ(match.route->options.body, http::Body::streamed);  // a 404 does not wait for a body
}

}  // namespace
}  // namespace pollux::test
