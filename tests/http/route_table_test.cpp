// RouteTable: sorted and checked by the compiler, and what a mux over it finds. What must not compile is in tests/compile_fail.
#include <utility>

#include "stack/http/route_table.hpp"
#include "tests/http/mux_support.hpp"

namespace pollux::test {
namespace {

struct Device {
  int calls = 0;
  http::Next led(http::ResponseWriter&, http::Request&) {
    ++calls;
    return http::Next::done;
  }
};
constinit Device device;

constexpr http::RouteTable routes{{
    http::handle<&no_answer>("/"),
    http::handle<&no_answer>("/files/{path...}"),
    http::handle<&Device::led>("PUT /api/v1/leds/{name}", device, {.body = http::Body::streamed, .body_max = 7}),
    http::handle<&no_answer>("GET /api/v1/leds/{name}"),
    http::handle<&no_answer>("GET /api/v1/leds/all"),
    http::handle<&no_answer>("GET admin.local/"),
    http::handle<&no_answer>("HEAD /head"),
    http::handle<&no_answer>("GET /head"),
    http::handle<&no_answer>("/files/{$}"),
}};

// One route, and none of the words in braces is taken for something else.
constexpr http::RouteTable one{{http::handle<&no_answer>("GET /one")}};

// The whole thing is a constant, and so is a mux over it.
constexpr http::ServeMux mux{routes};

static_assert(routes.size() == 9);
static_assert(one.size() == 1);
static_assert(!std::is_constructible_v<http::ServeMux, http::RouteTable<1>>, "a mux does not keep a table alive");

TEST(RouteTable, IsSortedLevelByLevel) {
  constexpr std::string_view expected[] = {"GET admin.local/",
                                           "GET /api/v1/leds/all",
                                           "GET /api/v1/leds/{name}",
                                           "PUT /api/v1/leds/{name}",
                                           "/files/{$}",
                                           "/files/{path...}",
                                           "HEAD /head",
                                           "GET /head",
                                           "/"};
  constexpr std::uint8_t shared[] = {0, 0, 4, 6, 1, 2, 1, 3, 1};
  const http::RouteSet set = routes.set();
  ASSERT_EQ(set.routes.size(), std::size(expected));
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_EQ(set.routes[i].pattern, expected[i]);
    EXPECT_EQ(set.patterns[i].text, expected[i]);
    EXPECT_EQ(set.steps[i].shared, shared[i]) << expected[i];
  }
}

TEST(RouteTable, IsFoundInByAMux) {
  EXPECT_EQ(answer_to(mux, "GET", "h/api/v1/leds/all"), "GET /api/v1/leds/all");
  EXPECT_EQ(answer_to(mux, "GET", "h/api/v1/leds/al"), "GET /api/v1/leds/{name} name=al");
  EXPECT_EQ(answer_to(mux, "PUT", "h/api/v1/leds/all"), "PUT /api/v1/leds/{name} name=all");
  EXPECT_EQ(answer_to(mux, "PATCH", "h/api/v1/leds/all"), "/");
  EXPECT_EQ(answer_to(mux, "HEAD", "h/head"), "HEAD /head");
  EXPECT_EQ(answer_to(mux, "GET", "admin.local/head"), "GET admin.local/");
  EXPECT_EQ(answer_to(mux, "POST", "admin.local/files/"), "/files/{$}");
  EXPECT_EQ(answer_to(http::ServeMux{one}, "GET", "h/"), "404");
  EXPECT_EQ(answer_to(http::ServeMux{one}, "PUT", "h/one"), "405 GET, HEAD");
}

TEST(RouteTable, KeepsOptionsAndObjects) {
  http::RouteMatch match;
  mux.find(query_for("PUT", "h/api/v1/leds/a"), match);
  EXPECT_EQ(match.route->options.body, http::Body::streamed);
  EXPECT_EQ(match.route->options.body_max, 7U);
  EXPECT_EQ(match.route->handler.object, &device);
}

// A hundred routes within the default limits of the compilers, three segments deep.
template <std::size_t... I>
constexpr std::array<std::array<char, 40>, sizeof...(I)> make_texts(std::index_sequence<I...>) {
  std::array<std::array<char, 40>, sizeof...(I)> texts{};
  for (std::size_t i = 0; i < sizeof...(I); ++i) {
    base::TextWriter writer{texts[i]};
    writer.put(i % 2 == 0 ? "GET" : "PUT")
        .put(" /api/v1/group")
        .put_decimal(i / 20)
        .put("/{id}/item")
        .put_decimal(i / 2);
  }
  return texts;
}
constexpr auto many_texts = make_texts(std::make_index_sequence<100>{});
template <std::size_t... I>
consteval http::RouteTable<100> make_many(std::index_sequence<I...>) {
  return http::RouteTable<100>{{http::handle<&no_answer>(std::string_view{many_texts[I].data()})...}};
}
constexpr http::RouteTable<100> many = make_many(std::make_index_sequence<100>{});

TEST(RouteTable, HoldsAHundredRoutes) {
  const http::ServeMux all{many};
  EXPECT_EQ(answer_to(all, "PUT", "h/api/v1/group4/x/item49"), "PUT /api/v1/group4/{id}/item49 id=x");
  EXPECT_EQ(answer_to(all, "GET", "h/api/v1/group0/x/item0"), "GET /api/v1/group0/{id}/item0 id=x");
  EXPECT_EQ(answer_to(all, "GET", "h/api/v1/group0/x/item49"), "404");
}

}  // namespace
}  // namespace pollux::test
