// The life of a call: its one deadline over all hops, being cancelled or destroyed anywhere, being used again, and what it says when there is
// nothing to follow. net-http.md 4.2 (40..48), 4.3 (67, 68), C3..C5, C22..C27.
#include <optional>

#include "tests/http/client_site.hpp"

namespace pollux::test {
namespace {

using http::CallCause;
using http::CallStage;
using http::ResponseBodyState;

// ---- in one line

TEST(ClientCall, GetHeadPostAndForms) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.call->get(test_url("http://127.0.0.1/a"), site.answered());
  Peer& peer = origin.accept();
  peer.want("GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  peer.say(ok("got"));
  site.want_answer(200, "got");

  site.call->head(test_url("http://127.0.0.1/a"), site.answered());
  peer.want("HEAD /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
  site.want_answer(200, "");

  site.call->post(test_url("http://127.0.0.1/a"), "text/plain", "abc", site.answered());
  peer.want("POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc");
  peer.say(ok("posted"));
  site.want_answer(200, "posted");

  site.call->post(test_url("http://127.0.0.1/a"), "", "", site.answered());
  peer.want("POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: \r\nContent-Length: 0\r\n\r\n");
  peer.say("HTTP/1.1 204 No Content\r\n\r\n");
  site.want_answer(204, "");

  site.call->post_form(test_url("http://127.0.0.1/a"), "a=1&b=2", site.answered());
  peer.want(
      "POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "
      "7\r\n\r\n"
      "a=1&b=2");
  peer.say("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
  site.want_answer(500, "");
  EXPECT_EQ(site.transport.counters().dials, 1U);
  site.want_quiet(1);
}

TEST(ClientCall, ABodyIsReadAsItComes) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/stream");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  site.talk.run_until([&] { return site.answers == 1; });
  EXPECT_EQ(site.body, "");
  std::string wanted;
  for (const char c : {'a', 'b', 'c'}) {
    peer.say(std::string{"1\r\n"} + c + "\r\n");
    wanted += c;
    EXPECT_TRUE(site.talk.run_until([&] { return site.body == wanted; })) << site.body;
  }
  peer.say("0\r\n\r\n");
  site.want_answer(200, "abc");
  site.want_quiet(1);
}

TEST(ClientCall, AFaultyRequestIsToldInATurn) {
  struct Row {
    std::string_view method;
    std::string_view url;
    CallCause cause;
  };
  for (const Row& row :
       {Row{"GET", "", CallCause::bad_scheme}, Row{"GET", "ftp://h/", CallCause::bad_scheme},
        Row{"GET", "/a", CallCause::bad_scheme}, Row{"GET", "http://", CallCause::bad_host},
        Row{"GET", "http://h:99999/", CallCause::bad_url}, Row{"GET", "http://h/%zz", CallCause::bad_url},
        Row{"GET", "http://h/\n", CallCause::bad_url}, Row{"G T", "http://h/", CallCause::bad_method},
        Row{"CONNECT", "http://h/", CallCause::bad_method}}) {
    SCOPED_TRACE(row.url);
    ClientSite site;
    site.request().start(row.method, row.url);
    site.go();
    EXPECT_EQ(site.answers, 0);  // never inside go()
    EXPECT_TRUE(site.call->is_under_way());
    site.want_error(row.cause, CallStage::check);
    site.want_quiet(0);
  }
}

TEST(ClientCall, AFaultyRequestClosesItsSource) {
  ClientSite site;
  int closes = 0;
  site.request().start("PUT", "ftp://h/");
  site.request().set_body({.kind = http::RequestBody::Kind::source,
                           .source = {.pull = [](void*, std::span<char>, std::uint64_t) { return http::PullResult{}; },
                                      .close = [](void* object) { ++*static_cast<int*>(object); },
                                      .object = &closes}});
  site.go();
  site.want_error(CallCause::bad_scheme, CallStage::check);
  EXPECT_EQ(closes, 1);
}

TEST(ClientCall, NothingWasStarted) {
  ClientSite site;
  site.go();
  site.want_error(CallCause::bad_url, CallStage::check);
  site.go();
  site.want_error(CallCause::bad_url, CallStage::check);
}

TEST(ClientCall, ARefusedConnection) {
  ClientSite site;
  site.get("http://127.0.0.1:81/a");
  site.want_error(CallCause::refused, CallStage::connect);
  site.want_quiet(0);
}

// ---- again

TEST(ClientCall, IsUsedAgainInItsCallback) {
  struct Chain {
    ClientSite& site;
    std::string again = test_url("http://127.0.0.1/again");
    int left = 3;
    int statuses = 0;
    void got(http::Response& response) {
      statuses += response.status();
      response.close();
      if (--left > 0) {
        site.call->get(again, net::callback<&Chain::got>(*this));
      }
    }
  };
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  Chain chain{site};
  site.call->get(test_url("http://127.0.0.1/first"), net::callback<&Chain::got>(chain));
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say(found("/b"));
  for (int i = 0; i < 3; ++i) {
    static_cast<void>(want_request(peer));
    peer.say(ok(""));
  }
  EXPECT_TRUE(site.talk.run_until([&] { return chain.left == 0; }));
  EXPECT_EQ(chain.statuses, 600);
  EXPECT_FALSE(site.call->is_under_way());
  site.want_quiet(1);
}

TEST(ClientCall, WithoutAnewStartItRepeatsItsLastHop) {
  http::CookieJarStorage<4, 128> storage{};
  http::CookieJar jar{storage.memory()};
  ClientSite site{{.jar = &jar}};
  RawServer& origin = site.talk.listen(80);
  site.request().start("GET", test_url("http://user:pwd@127.0.0.1/a"));
  site.request().add("Cookie", "own=1");
  site.go();
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say(found("b", "Set-Cookie: jar=1\r\n"));
  static_cast<void>(want_request(peer));
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
  for (int i = 0; i < 2; ++i) {
    site.go();
    peer.want(
        "GET /b HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic dXNlcjpwd2Q=\r\nCookie: own=1; jar=1\r\n\r\n");
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
    EXPECT_EQ(site.call->redirects(), 0U);
  }
}

TEST(ClientCall, TwoAtTheSameTime) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  SizedCallMemory memory{{}};
  http::Call other{site.client, memory.memory()};
  int others = 0;
  other.get(test_url("http://127.0.0.1/other"),
            {[](void* object, http::Response& response) { *static_cast<int*>(object) = response.status(); }, &others});
  site.get("http://127.0.0.1/mine");
  Peer& one = origin.accept();
  Peer& two = origin.accept();
  for (Peer* peer : {&one, &two}) {
    const GotRequest request = want_request(*peer);
    peer->say(request.target == "/mine" ? found("/b") : "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  }
  site.talk.run_until([&] { return one.received().size() + two.received().size() > 0; });
  Peer& last = one.received().empty() ? two : one;
  EXPECT_EQ(want_request(last).target, "/b");
  last.say(ok("ok"));
  site.want_answer(200, "ok");
  EXPECT_EQ(others, 201);
}

// ---- the deadline

TEST(ClientDeadline, RunsOverAllHops) {
  ClientSite site{{.timeout = 1s}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  for (int i = 0; i < 3; ++i) {
    static_cast<void>(want_request(peer));
    peer.want_nothing(300ms);
    peer.say(found("/b"));
  }
  static_cast<void>(want_request(peer));
  site.want_error(CallCause::timed_out, CallStage::head);
  EXPECT_EQ(site.over_at - site.began_at, 1s);
  EXPECT_EQ(site.call->error().elapsed, 1s);
  EXPECT_EQ(site.call->redirects(), 3U);
  peer.want_gone();
  site.want_quiet(0);
}

TEST(ClientDeadline, RunsOverTheBodyToo) {
  ClientSite site{{.timeout = 1s}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.want_nothing(400ms);
  peer.say(found("/b"));
  static_cast<void>(want_request(peer));
  peer.want_nothing(400ms);
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  site.talk.run_until([&] { return site.is_over(); });
  EXPECT_EQ(site.answers, 1);
  EXPECT_EQ(site.status, 200);
  EXPECT_EQ(site.body, "half");
  EXPECT_EQ(site.body_state, ResponseBodyState::failed);
  EXPECT_EQ(site.over_at - site.began_at, 1s);
  site.want_error(CallCause::timed_out, CallStage::body);
  site.want_quiet(0);
}

TEST(ClientDeadline, EndsAHopsBody) {
  ClientSite site{{.timeout = 1s}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.want_nothing(500ms);
  peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 10\r\n\r\nhalf");
  site.want_error(CallCause::timed_out, CallStage::redirect);
  EXPECT_EQ(site.over_at - site.began_at, 1s);
  peer.want_gone();
  site.want_quiet(0);
}

TEST(ClientDeadline, OfTheCallGoesBeforeTheClients) {
  for (const port::Duration timeout : {port::Duration{200ms}, port::Duration{3s}}) {
    ClientSite site{{.timeout = 1s}};
    RawServer& origin = site.talk.listen(80);
    site.get("http://127.0.0.1/a", {.timeout = timeout});
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    site.want_error(CallCause::timed_out, CallStage::head);
    EXPECT_EQ(site.over_at - site.began_at, timeout);
  }
}

TEST(ClientDeadline, CanBeNone) {
  ClientSite site{{.timeout = 0s, .timeouts = {.response_header = 0s}}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  site.talk.advance(1h);
  peer.say(found("/b"));
  static_cast<void>(want_request(peer));
  site.talk.advance(1h);
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientDeadline, IsNotStartedByAnEarlierCall) {
  ClientSite site{{.timeout = 1s}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
  site.talk.advance(10s);
  site.get("http://127.0.0.1/a");
  static_cast<void>(want_request(peer));
  peer.want_nothing(900ms);
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientDeadline, NoRedirectGoesOutAtItsEnd) {
  // A redirect comes in the very turn in which the time is over: events come before deadlines, but a new hop has no time left.
  ClientSite site{{.timeout = 1s}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  site.talk.advance(999'999us);
  peer.say(found("/b"));
  site.talk.run_until([&] { return site.is_over(); });
  EXPECT_EQ(site.answers, 1);
  EXPECT_EQ(site.error.cause, CallCause::timed_out);
  EXPECT_EQ(site.over_at - site.began_at, 1s);
  site.forget();
  site.want_quiet(0);
}

// ---- cancelled, destroyed

enum class When { at_once, connecting, first_head, hop_body, second_head, last_body, over };
constexpr When moments[] = {When::at_once,     When::connecting, When::first_head, When::hop_body,
                            When::second_head, When::last_body,  When::over};

// Plays a call with a redirect up to that moment.
void play(ClientSite& site, RawServer& origin, When when) {
  site.get("http://127.0.0.1/a");
  if (when == When::at_once) {
    return;
  }
  if (when == When::connecting) {
    site.talk.step(site.talk.now());
    return;
  }
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  if (when == When::first_head) {
    return;
  }
  peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 4\r\n\r\nbo");
  peer.want_nothing(10ms);
  if (when == When::hop_body) {
    return;
  }
  peer.say("dy");
  static_cast<void>(want_request(peer));
  if (when == When::second_head) {
    return;
  }
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo");
  site.talk.run_until([&] { return site.body == "bo"; });
  if (when == When::last_body) {
    return;
  }
  peer.say("dy");
  site.talk.run_until([&] { return site.is_over(); });
}

TEST(ClientCancel, AtEachMoment) {
  for (const When when : moments) {
    SCOPED_TRACE(static_cast<int>(when));
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    play(site, origin, when);
    const int before = site.answers;
    site.call->cancel();
    site.call->cancel();
    EXPECT_EQ(site.answers, before);  // never inside cancel()
    site.talk.run_until([&] { return site.is_over(); });
    EXPECT_EQ(site.answers, 1);
    EXPECT_FALSE(site.call->is_under_way());
    if (when == When::over) {
      EXPECT_EQ(site.error.cause, CallCause::none);
      EXPECT_EQ(site.body, "body");
    } else {
      EXPECT_EQ(site.error.cause, CallCause::cancelled);
      EXPECT_EQ(site.call->error().cause, CallCause::cancelled);
    }
    EXPECT_EQ(site.body_state == ResponseBodyState::failed, when == When::last_body);
    site.forget();

    // It is as good as new.
    RawServer& again = site.talk.listen(81);
    site.get("http://127.0.0.1:81/again");
    Peer& peer = again.accept();
    EXPECT_EQ(want_request(peer).target, "/again");
    peer.say(found("/b"));
    static_cast<void>(want_request(peer));
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
  }
}

TEST(ClientCancel, DestroyedAtEachMoment) {
  for (const When when : moments) {
    SCOPED_TRACE(static_cast<int>(when));
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    play(site, origin, when);
    const int before = site.answers;
    site.make_call();
    site.talk.advance(1ms);
    if (origin.waiting() != 0) {
      static_cast<void>(origin.accept());  // a dial goes on for whoever comes next
    }
    site.talk.advance(5s);
    EXPECT_EQ(site.answers, before);  // who is gone is told nothing
    EXPECT_EQ(site.transport.round_trips_under_way(), 0U);
    EXPECT_EQ(site.transport.connections_used(), site.transport.connections_idle());
    site.forget();
  }
}

TEST(ClientCancel, WhileAnErrorIsDue) {
  ClientSite site;
  site.get("ftp://h/");
  site.call->cancel();
  site.talk.run_until([&] { return site.is_over(); });
  EXPECT_EQ(site.answers, 1);
  EXPECT_NE(site.error.cause, CallCause::none);
  site.forget();
}

TEST(ClientCancel, OfAFinishedCallDoesNotHitTheNext) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  SizedCallMemory memory{{}};
  http::Call old{site.client, memory.memory()};
  old.get(test_url("http://127.0.0.1/old"), {});
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say(ok(""));
  site.talk.run_until([&] { return !old.is_under_way(); });
  site.get("http://127.0.0.1/new");
  static_cast<void>(want_request(peer));
  old.cancel();
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientCall, TheTransportIsShutDownBetweenTwoHops) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  play(site, origin, When::hop_body);
  site.transport.close();
  site.want_error(CallCause::shut_down, CallStage::check);
  site.want_quiet(0);
}

TEST(ClientCall, IsDestroyedInItsCallback) {
  struct Owner {
    ClientSite& site;
    SizedCallMemory memory{{}};
    std::unique_ptr<http::Call> call = std::make_unique<http::Call>(site.client, memory.memory());
    int statuses = 0;
    void got(http::Response& response) {
      const heap_guard::Scope<heap_guard::Rule::allowed> for_the_owner;
      statuses += response ? response.status() : 1;
      call.reset();
    }
  };
  for (const std::string_view url : {"http://127.0.0.1/a", "http://127.0.0.1:81/refused", "ftp://h/"}) {
    SCOPED_TRACE(url);
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    Owner owner{site};
    owner.call->get(test_url(url), net::callback<&Owner::got>(owner));
    if (url == "http://127.0.0.1/a") {
      Peer& peer = origin.accept();
      static_cast<void>(want_request(peer));
      peer.say(found("/b"));
      static_cast<void>(want_request(peer));
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nsome");
    }
    EXPECT_TRUE(site.talk.run_until([&] { return owner.call == nullptr; }));
    EXPECT_EQ(owner.statuses, url == "http://127.0.0.1/a" ? 200 : 1);
    site.want_quiet(0);
  }
}

// ---- gzip

TEST(ClientCall, AsksForGzipIfItMay) {
  for (const bool of_client : {false, true}) {
    for (const std::optional<bool> of_call : {std::optional<bool>{}, std::optional{false}, std::optional{true}}) {
      ClientSite site{{.decode = of_client}};
      if (!site.transport.decoders().has_free()) {
        GTEST_SKIP() << "no decoder in this build";
      }
      RawServer& origin = site.talk.listen(80);
      site.get("http://127.0.0.1/a", {.decode = of_call});
      Peer& peer = origin.accept();
      const std::string wanted = of_call.value_or(of_client) ? "gzip" : "-";
      EXPECT_EQ(want_request(peer).field("Accept-Encoding"), wanted);
      peer.say(found("/b"));
      EXPECT_EQ(want_request(peer).field("Accept-Encoding"), wanted);  // again, and once
      peer.say(ok("ok"));
      site.want_answer(200, "ok");
    }
  }
}

// ---- who is connected to

TEST(ClientCall, AnEndpointIsForTheFirstHost) {
  POLLUX_NOT_OVER_TLS("it names port 80, which only http implies");
  ClientSite site;
  RawServer& origin = site.talk.listen({.address = port::Address::ipv4(10, 0, 0, 9, 9000)});
  RawServer& other = site.serve("other.test", 2);
  RawServer& other_port = site.serve("first.test", 1, 8080);
  site.get("http://first.test/a", {.endpoint = port::Endpoint{.address = port::Address::ipv4(10, 0, 0, 9, 9000)}});
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Host"), "first.test");
  peer.say(found("/b"));
  EXPECT_EQ(want_request(peer).target, "/b");
  peer.say(found("http://FIRST.test:80/c"));
  EXPECT_EQ(want_request(peer).target, "/c");
  peer.say(found("http://other.test/d"));
  Peer& next = other.accept();
  EXPECT_EQ(want_request(next).target, "/d");
  next.say(found("http://first.test/e"));
  EXPECT_EQ(want_request(peer).target, "/e");
  peer.say(found("http://first.test:8080/f"));
  Peer& last = other_port.accept();
  EXPECT_EQ(want_request(last).target, "/f");
  last.say(ok("ok"));
  site.want_answer(200, "ok");
  site.want_quiet(3);
}

TEST(ClientCall, TheTraceSeesEachHop) {
  struct Log {
    int heads = 0;
    int last = 0;
    std::string wrote;
    void note(const http::Trace& trace) {
      const heap_guard::Scope<heap_guard::Rule::allowed> for_the_record;
      if (trace.event == http::TraceEvent::got_head) {
        ++heads;
        last = trace.status;
      } else if (trace.event == http::TraceEvent::wrote_head) {
        wrote += trace.text.substr(0, trace.text.find('\r'));
        wrote += '|';
      }
    }
  };
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  Log log;
  site.get("http://127.0.0.1/a", {.trace = net::callback<&Log::note>(log)});
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say(found("/b"));
  static_cast<void>(want_request(peer));
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
  EXPECT_EQ(log.heads, 2);
  EXPECT_EQ(log.last, 200);
  EXPECT_EQ(log.wrote, "GET /a HTTP/1.1|GET /b HTTP/1.1|");
}

}  // namespace
}  // namespace pollux::test
