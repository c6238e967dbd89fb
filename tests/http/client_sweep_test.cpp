// A whole call - a body that is sent twice, cookies, three hops on two hosts - with the n-th call of the port failing, for every n: it is
// answered once, the source is closed, nothing stays behind, and the next call works.
#include <deque>

#include "tests/http/client_site.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::test {
namespace {

using http::PullResult;

struct Upload {
  http::Call* call = nullptr;
  int closes = 0;
  int rewinds = 0;
  bool is_open = true;
  [[nodiscard]] http::BodySource source() {
    return {.pull =
                [](void* object, std::span<char> out, std::uint64_t offset) {
                  EXPECT_TRUE(static_cast<Upload*>(object)->is_open);
                  out[0] = 'x';
                  return PullResult{.kind = offset == 9 ? PullResult::Kind::end : PullResult::Kind::more, .size = 1};
                },
            .close =
                [](void* object) {
                  auto& self = *static_cast<Upload*>(object);
                  EXPECT_TRUE(self.is_open);  // exactly once
                  self.is_open = false;
                  ++self.closes;
                },
            .object = this,
            .rewind =
                [](void* object) {
                  auto& self = *static_cast<Upload*>(object);
                  self.is_open = true;
                  ++self.rewinds;
                  return true;
                }};
  }
};

// Answers whatever comes, by its target, until the call is over.
struct Served {
  Peer* peer;
  bool is_dead = false;
};
void serve_until_over(ClientSite& site, const std::vector<RawServer*>& servers, std::deque<Served>& served) {
  const auto next = [&]() -> Served* {
    for (Served& one : served) {
      if (!one.is_dead && (one.peer->received().find("\r\n\r\n") != std::string::npos || one.peer->is_closed() ||
                           one.peer->is_reset())) {
        return &one;
      }
    }
    return nullptr;
  };
  const auto is_waiting = [&] {
    for (const RawServer* server : servers) {
      if (server->waiting() > 0) {
        return true;
      }
    }
    return false;
  };
  while (site.talk.run_until([&] { return site.is_over() || is_waiting() || next() != nullptr; }) && !site.is_over()) {
    for (RawServer* server : servers) {
      while (server->waiting() > 0) {
        served.push_back({&server->accept()});
      }
    }
    Served* one = next();
    if (one == nullptr) {
      continue;
    }
    if (one->peer->received().find("\r\n\r\n") == std::string::npos) {
      one->is_dead = true;
      continue;
    }
    const GotRequest request = want_request(*one->peer);
    if (request.target == "/a") {
      one->peer->say("HTTP/1.1 307 Again\r\nLocation: /b\r\nSet-Cookie: a=1\r\nContent-Length: 5\r\n\r\nsmall");
    } else if (request.target == "/b") {
      one->peer->say("HTTP/1.1 303 See\r\nLocation: " + test_url("http://other.test/c") +
                     "\r\nTransfer-Encoding: "
                     "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    } else if (request.target == "/c") {
      one->peer->say("HTTP/1.1 302 Found\r\nLocation: " + test_url("http://first.test/d") +
                     "\r\nContent-Length: 5000\r\n\r\n");
    } else {
      one->peer->say(ok("end"));
    }
    const std::string length = request.field("Content-Length");
    if (length != "-") {
      site.talk.run_until(
          [&] { return one->peer->received().size() >= 10 || one->peer->is_closed() || one->peer->is_reset(); });
      static_cast<void>(one->peer->take());
    }
  }
}

TEST(ClientSweep, EachCallOfThePortFails) {
  std::uint64_t n = 1;
  std::uint64_t worked = 0;
  for (;; n += stride) {
    SCOPED_TRACE(n);
    http::CookieJarStorage<4, 128> storage{};
    http::CookieJar jar{storage.memory()};
    Upload upload;
    ClientSite site{{.jar = &jar, .faults = {.first = n}}};
    RawServer& first = site.serve("first.test", 1);
    RawServer& other = site.serve("other.test", 2);
    std::deque<Served> served;
    site.request().start("PUT", test_url("http://user:pwd@first.test/a"));
    site.request().set_body({.kind = http::RequestBody::Kind::source, .size = 10, .source = upload.source()});
    site.go();
    serve_until_over(site, {&first, &other}, served);
    EXPECT_EQ(site.answers, 1);
    EXPECT_FALSE(site.call->is_under_way());
    EXPECT_FALSE(upload.is_open);
    EXPECT_GE(upload.closes, 1);
    if (site.error.cause == http::CallCause::none) {
      EXPECT_EQ(site.body, "end");
      EXPECT_EQ(site.call->redirects(), 3U);
      EXPECT_EQ(site.call->url(), test_url("http://first.test/d"));
      ++worked;
    }
    EXPECT_EQ(site.transport.round_trips_under_way(), 0U);
    const bool was_last = site.faults.failures() == 0;
    site.faults.set_plan({});
    site.forget();
    site.get("http://first.test/again");
    serve_until_over(site, {&first, &other}, served);
    site.want_answer(200, "end");
    site.make_call();
    site.transport.close_idle_connections();
    site.talk.advance(5s);
    EXPECT_EQ(site.transport.connections_used(), 0U);
    EXPECT_EQ(site.talk.port().sockets_open(), 0U);
    if (was_last || testing::Test::HasFailure()) {
      break;
    }
  }
  EXPECT_GT(n, 20U);
  EXPECT_GE(worked, is_emulated ? 1U : 2U);  // a poll that returns early harms nobody
}

}  // namespace
}  // namespace pollux::test
