// Redirects: which are followed, with which method and body, where to, how often, and what becomes of the responses in between.
// vectors.md 5.6, net-http.md 4.3 (58..61).
#include <tuple>

#include "tests/http/client_site.hpp"

namespace pollux::test {
namespace {

using http::CallCause;
using http::CallStage;
using http::Follow;
using http::PullResult;

// A body of a source: "abc", and what was asked of it.
struct Source {
  int pulls = 0;
  int rewinds = 0;
  int closes = 0;
  bool can_rewind = true;
  [[nodiscard]] http::BodySource source(bool replayable) {
    return {.pull =
                [](void* object, std::span<char> out, std::uint64_t) {
                  ++static_cast<Source*>(object)->pulls;
                  out[0] = 'a', out[1] = 'b', out[2] = 'c';
                  return PullResult{.kind = PullResult::Kind::end, .size = 3};
                },
            .close = [](void* object) { ++static_cast<Source*>(object)->closes; },
            .object = this,
            .rewind = replayable ? [](void* object) {
              auto& self = *static_cast<Source*>(object);
              ++self.rewinds;
              return self.can_rewind;
            } : static_cast<bool (*)(void*)>(nullptr)};
  }
};

enum class Body { none, bytes, replayable, stream };

std::string describe_row(int status, std::string_view method, Body body) {
  return std::to_string(status) + " " + std::string{method} + " body " + std::to_string(static_cast<int>(body));
}

TEST(ClientRedirect, EachStatusMethodAndBody) {
  for (const int status : {301, 302, 303, 307, 308}) {
    for (const std::string_view method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
      for (const Body body : {Body::none, Body::bytes, Body::replayable, Body::stream}) {
        const bool is_read = method == "GET" || method == "HEAD";
        if (is_read && body != Body::none) {
          continue;
        }
        SCOPED_TRACE(describe_row(status, method, body));
        ClientSite site;
        RawServer& origin = site.talk.listen(80);
        Source source;
        site.request().start(method, test_url("http://127.0.0.1/a"));
        if (body == Body::bytes) {
          site.request().set_body("abc");
        } else if (body != Body::none) {
          site.request().set_body(
              {.kind = http::RequestBody::Kind::source, .size = 3, .source = source.source(body == Body::replayable)});
        }
        site.go();
        Peer& peer = origin.accept();
        const GotRequest first = want_request(peer);
        EXPECT_EQ(first.method, method);
        if (body != Body::none) {
          EXPECT_EQ(first.field("Content-Length"), "3");
          peer.want("abc");
        }
        peer.say(moved(status, "/b"));

        const bool keeps = status == 307 || status == 308;
        if (keeps && body == Body::stream) {
          site.want_answer(status, "");
          EXPECT_EQ(source.closes, 1);
          EXPECT_EQ(site.call->redirects(), 0U);
          site.want_quiet(1);
          continue;
        }
        const GotRequest second = want_request(peer);
        EXPECT_EQ(second.method, keeps || is_read ? method : "GET");
        EXPECT_EQ(second.target, "/b");
        EXPECT_EQ(second.field("Host"), "127.0.0.1");
        EXPECT_EQ(second.field("Referer"), test_url("http://127.0.0.1/a"));
        if (keeps && body != Body::none) {
          EXPECT_EQ(second.field("Content-Length"), "3");
          peer.want("abc");
        } else if (!keeps) {
          EXPECT_EQ(second.field("Content-Length"), "-");
          EXPECT_EQ(second.field("Transfer-Encoding"), "-");
        }
        peer.say(second.method == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : ok("ok"));
        site.want_answer(200, second.method == "HEAD" ? "" : "ok");
        EXPECT_EQ(site.call->redirects(), 1U);
        EXPECT_EQ(site.call->url(), test_url("http://127.0.0.1/b"));
        if (body == Body::replayable) {
          EXPECT_EQ(source.closes, keeps ? 2 : 1);
          EXPECT_GE(source.rewinds, keeps ? 1 : 0);
        }
        if (body == Body::stream) {
          EXPECT_EQ(source.closes, 1);
        }
        EXPECT_EQ(site.transport.counters().dials, 1U);
        site.want_quiet(1);
      }
    }
  }
}

TEST(ClientRedirect, OtherStatusesAreAnswers) {
  for (const int status : {300, 305, 306, 309, 399, 200, 201}) {
    SCOPED_TRACE(status);
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    site.get("http://127.0.0.1/a");
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    peer.say(moved(status, "/b"));
    site.want_answer(status, "");
    site.want_quiet(1);
  }
}

TEST(ClientRedirect, NotModifiedIsAnAnswer) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say("HTTP/1.1 304 Not Modified\r\nLocation: /b\r\n\r\n");
  site.want_answer(304, "");
  site.want_quiet(1);
}

TEST(ClientRedirect, WithoutLocationIsAnAnswer) {
  for (const int status : {301, 302, 303, 307, 308}) {
    for (const std::string_view field : {"", "Location:\r\n", "Location:   \r\n"}) {
      SCOPED_TRACE(std::to_string(status) + std::string{field});
      ClientSite site;
      RawServer& origin = site.talk.listen(80);
      site.get("http://127.0.0.1/a");
      Peer& peer = origin.accept();
      static_cast<void>(want_request(peer));
      peer.say("HTTP/1.1 " + std::to_string(status) + " X\r\n" + std::string{field} + "Content-Length: 4\r\n\r\nbody");
      site.want_answer(status, "body");
      site.want_quiet(1);
    }
  }
}

TEST(ClientRedirect, UnreadableLocationIsAnError) {
  for (const std::string_view location :
       {":foo", "%zz", "/a%2", "http://[::1/", "http:///x", "///x", "http:g", "http://h:port/", "http://a b/",
        "http://user name@h/", "https:/z", "1http://x"}) {
    SCOPED_TRACE(location);
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    site.get("http://127.0.0.1/a");
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    peer.say("HTTP/1.1 302 Found\r\nLocation: " + std::string{location} + "\r\nContent-Length: 4\r\n\r\nbody");
    site.want_error(CallCause::bad_location, CallStage::redirect);
    EXPECT_FALSE(site.kept);
    EXPECT_EQ(site.call->url(), test_url("http://127.0.0.1/a"));
    site.want_quiet(1);  // the body was there, so the connection was worth keeping
  }
}

TEST(ClientRedirect, OtherSchemesAreAnError) {
  for (const std::string_view location : {"ftp://h/", "mailto:a@b", "file:///etc/passwd", "javascript:alert(1)"}) {
    SCOPED_TRACE(location);
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    site.get("http://127.0.0.1/a");
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    peer.say(found(location));
    site.want_error(CallCause::bad_scheme, CallStage::redirect);
    site.want_quiet(1);
  }
}

TEST(ClientRedirect, LocationsAreResolved) {
  struct Row {
    std::string_view location;
    std::string_view target;
    std::string_view host;
  };
  for (const Row& row :
       {Row{"g", "/b/c/g", "first.test"}, Row{"/g", "/g", "first.test"}, Row{"?x", "/b/c/d?x", "first.test"},
        Row{"../g", "/b/g", "first.test"}, Row{"#f", "/b/c/d?q", "first.test"}, Row{"g#f", "/b/c/g", "first.test"},
        Row{"//other.test/b", "/b", "other.test"}, Row{"//other.test", "/", "other.test"},
        Row{"http://other.test/x?y#z", "/x?y", "other.test"}, Row{"HTTP://other.test/x", "/x", "other.test"},
        Row{"/a%2Fb/../c", "/c", "first.test"}, Row{"/x y", "/x%20y", "first.test"},
        Row{"/\xc3\xbc", "/%C3%BC", "first.test"}, Row{"./g/.", "/b/c/g/", "first.test"},
        Row{"../../../../g", "/g", "first.test"}}) {
    SCOPED_TRACE(row.location);
    if (tls_mode() && row.location.starts_with("HTTP:")) {
      continue;  // leads to clear text
    }
    ClientSite site;
    RawServer& first = site.serve("first.test", 1);
    RawServer& other = site.serve("other.test", 2);
    site.get("http://first.test/b/c/d?q");
    Peer& peer = first.accept();
    static_cast<void>(want_request(peer));
    peer.say(found(row.location));
    Peer& next = row.host == "first.test" ? peer : other.accept();
    const GotRequest request = want_request(next);
    EXPECT_EQ(request.target, row.target);
    EXPECT_EQ(request.field("Host"), row.host);
    next.say(ok("ok"));
    site.want_answer(200, "ok");
    site.want_quiet(row.host == "first.test" ? 1 : 2);
  }
}

TEST(ClientRedirect, HttpsNeedsTls) {
  POLLUX_NOT_OVER_TLS("this client has TLS");
  ClientSite site;
  RawServer& origin = site.serve("h.test", 1);
  site.get("http://h.test/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say(found("https://h.test/a"));
  site.talk.run_until([&] { return site.is_over(); });
  EXPECT_EQ(site.error.cause, CallCause::no_tls);
  site.forget();
  site.want_quiet(1);
}

// ---- how often

// Answers `count` requests with redirects.
void redirect_times(ClientSite& site, Peer& peer, int count) {
  for (int i = 1; i <= count; ++i) {
    const GotRequest request = want_request(peer);
    EXPECT_EQ(request.target, "/" + std::to_string(i));
    peer.say(found("/" + std::to_string(i + 1)));
  }
  static_cast<void>(site);
}

TEST(ClientRedirect, TenRequestsAreMadeAndNoEleventh) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/1");
  Peer& peer = origin.accept();
  redirect_times(site, peer, 10);
  site.want_error(CallCause::too_many_redirects, CallStage::redirect);
  EXPECT_EQ(site.call->redirects(), 9U);
  EXPECT_EQ(site.call->url(), test_url("http://127.0.0.1/10"));
  peer.want_nothing(1s);
  site.want_quiet(1);

  // One fewer is fine, and the call can be used again.
  site.get("http://127.0.0.1/1");
  redirect_times(site, peer, 9);
  static_cast<void>(want_request(peer));
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
  EXPECT_EQ(site.call->redirects(), 9U);
}

TEST(ClientRedirect, TheLimitCanBeSet) {
  for (const std::uint32_t max : {0U, 1U, 2U, 3U}) {
    for (const bool of_call : {false, true}) {
      SCOPED_TRACE(max);
      ClientSite site{of_call ? ClientSiteOptions{} : ClientSiteOptions{.redirects_max = max}};
      RawServer& origin = site.talk.listen(80);
      http::CallOptions options;
      if (of_call) {
        options.redirects_max = max;
      }
      site.get("http://127.0.0.1/1", options);
      Peer& peer = origin.accept();
      redirect_times(site, peer, max == 0 ? 1 : static_cast<int>(max));
      site.want_error(CallCause::too_many_redirects, CallStage::redirect);
      peer.want_nothing(1s);
      site.want_quiet(1);
    }
  }
}

TEST(ClientRedirect, TheBodyOfTheLastRedirectIsClosed) {
  ClientSite site{{.redirects_max = 1}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/1");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say("HTTP/1.1 302 Found\r\nLocation: /2\r\nContent-Length: 1000000\r\n\r\n");
  site.want_error(CallCause::too_many_redirects, CallStage::redirect);
  peer.want_gone();
  site.want_quiet(0);
}

TEST(ClientRedirect, FollowingCanBeSwitchedOff) {
  for (const bool of_call : {false, true}) {
    ClientSite site{of_call ? ClientSiteOptions{} : ClientSiteOptions{.follow = false}};
    RawServer& origin = site.talk.listen(80);
    http::CallOptions options;
    if (of_call) {
      options.follow = false;
    }
    site.get("http://127.0.0.1/a", options);
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    peer.say("HTTP/1.1 301 Moved\r\nLocation: :foo\r\nContent-Length: 4\r\n\r\nbody");
    site.want_answer(301, "body");
    site.want_quiet(1);
  }
}

// ---- the hook

struct Hook {
  Follow answer = Follow::yes;
  int calls = 0;
  int status = 0;
  std::string from{};
  std::string to{};
  std::string method{};
  std::uint32_t count = 99;
  http::Call* cancels = nullptr;
  [[nodiscard]] http::RedirectCheck check() {
    return {.check =
                [](void* object, const http::Redirect& redirect) {
                  const heap_guard::Scope<heap_guard::Rule::allowed> for_the_record;
                  Hook& self = *static_cast<Hook*>(object);
                  ++self.calls;
                  self.status = redirect.status;
                  self.from = redirect.from;
                  self.to = redirect.to;
                  self.method = redirect.method;
                  self.count = redirect.count;
                  if (self.cancels != nullptr) {
                    self.cancels->cancel();
                  }
                  return self.answer;
                },
            .object = this};
  }
};

TEST(ClientRedirect, TheHookSeesEachRedirect) {
  Hook hook;
  ClientSite site{{.check = hook.check()}};
  RawServer& origin = site.talk.listen(80);
  site.request().start("POST", test_url("http://u:p@127.0.0.1/a?b#c"));
  site.request().set_body("x");
  site.go();
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.want("x");
  peer.say(moved(307, "../d#e"));
  static_cast<void>(want_request(peer));
  peer.want("x");
  EXPECT_EQ(hook.status, 307);
  EXPECT_EQ(hook.from, test_url("http://127.0.0.1/a?b"));
  EXPECT_EQ(hook.to, test_url("http://127.0.0.1/d#e"));
  EXPECT_EQ(hook.method, "POST");
  EXPECT_EQ(hook.count, 0U);
  peer.say(moved(303, "/f"));
  static_cast<void>(want_request(peer));
  EXPECT_EQ(hook.status, 303);
  EXPECT_EQ(hook.from, test_url("http://127.0.0.1/d"));
  EXPECT_EQ(hook.to, test_url("http://127.0.0.1/f"));
  EXPECT_EQ(hook.method, "GET");
  EXPECT_EQ(hook.count, 1U);
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
  EXPECT_EQ(hook.calls, 2);
}

TEST(ClientRedirect, TheHookStops) {
  Hook hook{.answer = Follow::stop};
  ClientSite site{{.check = hook.check()}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 4\r\n\r\nbody");
  site.want_answer(302, "body");
  site.want_quiet(1);
}

TEST(ClientRedirect, TheHookRefuses) {
  Hook never{.answer = Follow::yes};
  Hook hook{.answer = Follow::error};
  ClientSite site{{.check = never.check()}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a", {.check = hook.check()});  // the call's wins
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 4\r\n\r\nbody");
  site.want_error(CallCause::redirect_refused, CallStage::redirect);
  EXPECT_EQ(never.calls, 0);
  site.want_quiet(1);
}

TEST(ClientRedirect, TheHookCancels) {
  Hook hook;
  ClientSite site{{.check = hook.check()}};
  hook.cancels = site.call.get();
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say(found("/b"));
  site.talk.run_until([&] { return site.is_over(); });
  EXPECT_EQ(site.error.cause, CallCause::cancelled);
  EXPECT_EQ(site.answers, 1);
  site.forget();
  peer.want_nothing(1s);
}

TEST(ClientRedirect, TheHookIsNotAskedBeyondTheLimit) {
  Hook hook;
  ClientSite site{{.redirects_max = 2, .check = hook.check()}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/1");
  redirect_times(site, origin.accept(), 2);
  site.want_error(CallCause::too_many_redirects, CallStage::redirect);
  EXPECT_EQ(hook.calls, 1);
}

// ---- keeping the method (curl's --post301 and its brothers)

TEST(ClientRedirect, TheMethodCanBeKept) {
  for (const int status : {301, 302, 303}) {
    for (const Body body : {Body::bytes, Body::stream}) {
      for (const int kept : {301, 302, 303}) {
        SCOPED_TRACE(describe_row(status, "POST", body) + " keeps " + std::to_string(kept));
        ClientSite site;
        RawServer& origin = site.talk.listen(80);
        Source source;
        site.request().start("POST", test_url("http://127.0.0.1/a"));
        if (body == Body::bytes) {
          site.request().set_body("abc");
        } else {
          site.request().set_body({.kind = http::RequestBody::Kind::source, .size = 3, .source = source.source(false)});
        }
        site.go({.keep_method_301 = kept == 301, .keep_method_302 = kept == 302, .keep_method_303 = kept == 303});
        Peer& peer = origin.accept();
        static_cast<void>(want_request(peer));
        peer.want("abc");
        peer.say(moved(status, "/b"));
        if (status == kept && body == Body::stream) {
          site.want_answer(status, "");
          continue;
        }
        const GotRequest request = want_request(peer);
        EXPECT_EQ(request.method, status == kept ? "POST" : "GET");
        if (status == kept) {
          peer.want("abc");
        }
        peer.say(ok("ok"));
        site.want_answer(200, "ok");
      }
    }
  }
}

TEST(ClientRedirect, ABodyOnceDroppedStaysAway) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.request().start("POST", test_url("http://127.0.0.1/a"));
  site.request().set_body("abc");
  site.go();
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.want("abc");
  peer.say(found("/b"));
  EXPECT_EQ(want_request(peer).method, "GET");
  peer.say(moved(307, "/c"));
  const GotRequest request = want_request(peer);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.field("Content-Length"), "-");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientRedirect, ASourceThatCannotGoBackIsAnError) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  Source source{.can_rewind = false};
  site.request().start("PUT", test_url("http://127.0.0.1/a"));
  site.request().set_body({.kind = http::RequestBody::Kind::source, .size = 3, .source = source.source(true)});
  site.go();
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.want("abc");
  peer.say(moved(307, "/b"));
  site.want_error(CallCause::cannot_rewind, CallStage::redirect);
  EXPECT_EQ(source.closes, 1);
  EXPECT_EQ(source.rewinds, 1);
  site.want_quiet(1);
}

TEST(ClientRedirect, ChunkedBodiesAreSentAgain) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  Source source;
  site.request().start("PUT", test_url("http://127.0.0.1/a"));
  site.request().set_body({.kind = http::RequestBody::Kind::source, .source = source.source(true)});
  site.go();
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Transfer-Encoding"), "chunked");
  peer.want("3\r\nabc\r\n0\r\n\r\n");
  peer.say(moved(308, "/b"));
  EXPECT_EQ(want_request(peer).field("Transfer-Encoding"), "chunked");
  peer.want("3\r\nabc\r\n0\r\n\r\n");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
  EXPECT_EQ(source.closes, 2);
}

TEST(ClientRedirect, TrailersAreGivenAgain) {
  struct WithTrailer : Source {
    http::ClientRequest* request = nullptr;
    static PullResult pull(void* object, std::span<char> out, std::uint64_t) {
      auto& self = *static_cast<WithTrailer*>(object);
      EXPECT_EQ(self.request->add_trailer("X-Sum", "1"), CallCause::none);
      out[0] = 'a';
      return {.kind = PullResult::Kind::end, .size = 1};
    }
  };
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  WithTrailer with;
  with.request = &site.request();
  http::BodySource source = with.source(true);
  source.pull = &WithTrailer::pull;
  site.request().start("PUT", test_url("http://127.0.0.1/a"));
  site.request().set_trailer_names("X-Sum");
  site.request().set_body({.kind = http::RequestBody::Kind::source, .source = source});
  site.go();
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Trailer"), "X-Sum");
  peer.want("1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n");
  peer.say(moved(307, "/b"));
  EXPECT_EQ(want_request(peer).field("Referer"),
            test_url("http://127.0.0.1/a"));  // a field that came later than a trailer
  peer.want("1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientRedirect, ARedirectBeforeTheBodyIsOut) {
  // The answer comes while the body still goes out: that connection is lost, and the source begins again on another one.
  struct Slow : Source {
    static PullResult pull(void* object, std::span<char> out, std::uint64_t offset) {
      auto& self = *static_cast<Slow*>(object);
      ++self.pulls;
      if (self.rewinds == 0 && offset >= 100) {
        return {.kind = PullResult::Kind::later, .size = 0};
      }
      out[0] = 'x';
      return {.kind = offset == 199 ? PullResult::Kind::end : PullResult::Kind::more, .size = 1};
    }
  };
  for (const bool expects : {false, true}) {
    for (const int status : {303, 307}) {
      SCOPED_TRACE(std::to_string(status) + (expects ? " with Expect" : ""));
      ClientSite site;
      RawServer& origin = site.talk.listen(80);
      Slow slow;
      http::BodySource source = slow.source(true);
      source.pull = &Slow::pull;
      site.request().start("PUT", test_url("http://127.0.0.1/a"));
      site.request().set_body({.kind = http::RequestBody::Kind::source, .size = 200, .source = source});
      site.request().set_expect_continue(expects);
      site.go();
      Peer& peer = origin.accept();
      EXPECT_EQ(want_request(peer).field("Expect"), expects ? "100-continue" : "-");
      peer.say(moved(status, "/b", "Connection: close\r\n"));
      Peer& next = origin.accept();
      const GotRequest request = want_request(next);
      EXPECT_EQ(request.target, "/b");
      EXPECT_EQ(request.method, status == 303 ? "GET" : "PUT");
      if (status == 307) {
        if (expects) {
          next.say("HTTP/1.1 100 Continue\r\n\r\n");
        }
        static_cast<void>(next.want_body(200));
      } else {
        EXPECT_EQ(request.field("Expect"), "-");
      }
      next.say(ok("ok"));
      site.want_answer(200, "ok");
      EXPECT_EQ(slow.closes, status == 303 ? 1 : 2);
      EXPECT_EQ(slow.rewinds, status == 303 ? 0 : 1);
      site.want_quiet(1);
    }
  }
}

}  // namespace
}  // namespace pollux::test
