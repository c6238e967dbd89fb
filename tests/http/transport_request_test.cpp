// What a round trip says: the bytes of requests, requests that are refused, bodies on their way out.

#include <functional>
#include <string>
#include <vector>

#include "stack/http/proxy.hpp"
#include "tests/http/caller.hpp"
#include "tests/http/pieces.hpp"

namespace pollux::test {
namespace {

using http::CallCause;
using http::CallStage;

// ---- what goes out

struct Wire {
  const char* name;
  std::function<void(http::ClientRequest&)> fill;
  std::string_view text;
};
class RequestBytes : public testing::TestWithParam<Wire> {};

TEST_P(RequestBytes, AreExactlyThese) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/p?q=1");
  GetParam().fill(trip.trip.request());
  trip.go();
  Peer& peer = origin.accept();
  peer.want(GetParam().text);
  peer.say("HTTP/1.1 204 No Content\r\n\r\n");
  caller.want(trip, 204, "");
}

Pieces three_pieces{{"a", "bc"}};
Pieces no_pieces{{}};

INSTANTIATE_TEST_SUITE_P(
    Vectors, RequestBytes,
    testing::Values(
        Wire{"get", [](auto&) {}, "GET /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\n\r\n"},
        Wire{"fields",
             [](auto& request) {
               request.add("X-A", " v ");
               request.add("Accept-Encoding", "br");
             },
             "GET /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nX-A: v\r\nAccept-Encoding: br\r\n\r\n"},
        Wire{"own_agent", [](auto& request) { request.add("User-Agent", "me"); },
             "GET /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: me\r\n\r\n"},
        Wire{"no_agent", [](auto& request) { request.add("User-Agent", ""); },
             "GET /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"},
        Wire{"post_nothing", [](auto& request) { request.set_method("POST"); },
             "POST /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nContent-Length: 0\r\n\r\n"},
        Wire{"patch_nothing", [](auto& request) { request.set_method("PATCH"); },
             "PATCH /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nContent-Length: 0\r\n\r\n"},
        Wire{"delete_nothing", [](auto& request) { request.set_method("DELETE"); },
             "DELETE /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\n\r\n"},
        Wire{"post_bytes",
             [](auto& request) {
               request.set_method("POST");
               request.set_body("abc");
             },
             "POST /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nContent-Length: 3\r\n\r\nabc"},
        Wire{"put_empty",
             [](auto& request) {
               request.set_method("PUT");
               request.set_body("");
             },
             "PUT /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nContent-Length: 0\r\n\r\n"},
        Wire{"post_source",
             [](auto& request) {
               request.set_method("POST");
               three_pieces.rewind();
               request.set_body({.kind = http::RequestBody::Kind::source, .source = three_pieces.source()});
             },
             "POST /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nTransfer-Encoding: "
             "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
        Wire{"post_sized_source",
             [](auto& request) {
               request.set_method("POST");
               three_pieces.rewind();
               request.set_body({.kind = http::RequestBody::Kind::source, .size = 3, .source = three_pieces.source()});
             },
             "POST /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nContent-Length: 3\r\n\r\nabc"},
        Wire{"post_empty_source",
             [](auto& request) {
               request.set_method("POST");
               request.set_body({.kind = http::RequestBody::Kind::source, .source = no_pieces.source()});
             },
             "POST /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nTransfer-Encoding: "
             "chunked\r\n\r\n0\r\n\r\n"},
        Wire{"trailer",
             [](auto& request) {
               request.set_method("POST");
               three_pieces.rewind();
               request.set_body({.kind = http::RequestBody::Kind::source, .source = three_pieces.source()});
               request.set_trailer_names("X-T");
               request.add_trailer("X-T", "v");
             },
             "POST /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nTrailer: X-T\r\nTransfer-Encoding: "
             "chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: v\r\n\r\n"},
        Wire{"close", [](auto& request) { request.set_close(true); },
             "GET /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nConnection: close\r\n\r\n"},
        Wire{"host", [](auto& request) { request.set_host("other:99"); },
             "GET /p?q=1 HTTP/1.1\r\nHost: other:99\r\nUser-Agent: pollux\r\n\r\n"},
        Wire{"escapes", [](auto& request) { request.set_url(test_url("http://127.0.0.1/a b\xc3\xa9?x y#frag")); },
             "GET /a%20b%C3%A9?x%20y HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\n\r\n"},
        Wire{"no_path", [](auto& request) { request.set_url(test_url("http://127.0.0.1?x")); },
             "GET /?x HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\n\r\n"},
        Wire{"empty_port", [](auto& request) { request.set_url(test_url("http://127.0.0.1:/")); },
             "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\n\r\n"}),
    [](const auto& wire) { return std::string{wire.param.name}; });

struct Bad {
  const char* name;
  std::function<void(http::ClientRequest&)> fill;
  CallCause cause;
};
class BadRequest : public testing::TestWithParam<Bad> {};

TEST_P(BadRequest, EndsBeforeAnyInputOrOutput) {
  if (GetParam().cause == CallCause::no_tls) {
    POLLUX_NOT_OVER_TLS("this transport has TLS");
  }
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  GetParam().fill(trip.trip.request());
  trip.go();
  EXPECT_EQ(trip.answers, 0) << "never inside start()";
  caller.want_error(trip, GetParam().cause);
  EXPECT_EQ(trip.error.stage, CallStage::check);
  origin.want_nobody(100ms);
  caller.expect_quiet();
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadRequest,
    testing::Values(Bad{"method", [](auto& r) { r.start("G T", "http://127.0.0.1/"); }, CallCause::bad_method},
                    Bad{"connect", [](auto& r) { r.start("CONNECT", "http://127.0.0.1/"); }, CallCause::bad_method},
                    Bad{"url", [](auto& r) { r.start("GET", "http://127.0.0.1/%zz"); }, CallCause::bad_url},
                    Bad{"control_byte", [](auto& r) { r.start("GET", "http://127.0.0.1/a\nb"); }, CallCause::bad_url},
                    Bad{"relative", [](auto& r) { r.start("GET", "/a"); }, CallCause::bad_scheme},
                    Bad{"scheme", [](auto& r) { r.start("GET", "ftp://h/"); }, CallCause::bad_scheme},
                    Bad{"no_host", [](auto& r) { r.start("GET", "http:///a"); }, CallCause::bad_host},
                    Bad{"not_ascii_host", [](auto& r) { r.start("GET", "http://h\xc3\xa9/"); }, CallCause::bad_host},
                    Bad{"port", [](auto& r) { r.start("GET", "http://h:99999/"); }, CallCause::bad_url},
                    Bad{"field_name", [](auto& r) { r.add("X Y", "1"); }, CallCause::bad_field},
                    Bad{"field_value", [](auto& r) { r.add("X", "1\r\nY: 2"); }, CallCause::bad_field},
                    Bad{"content_length", [](auto& r) { r.add("Content-Length", "1"); }, CallCause::bad_field},
                    Bad{"host_field", [](auto& r) { r.add("Host", "h"); }, CallCause::bad_field},
                    Bad{"transfer_encoding", [](auto& r) { r.add("Transfer-Encoding", "gzip"); }, CallCause::bad_field},
                    Bad{"host", [](auto& r) { r.set_host("a/b"); }, CallCause::bad_host},
                    Bad{"trailer", [](auto& r) { r.set_trailer_names("Content-Length"); }, CallCause::bad_field},
                    Bad{"long_url", [](auto& r) { r.start("GET", "http://127.0.0.1/" + std::string(600, 'a')); },
                        CallCause::url_too_long},
                    Bad{"long_fields", [](auto& r) { r.add("X", std::string(1100, 'a')); }, CallCause::fields_too_long},
                    Bad{"https", [](auto& r) { r.start("GET", "https://127.0.0.1/"); }, CallCause::no_tls}),
    [](const auto& bad) { return std::string{bad.param.name}; });

TEST(RoundTrip, HeadThatDoesNotFitTheConnectionsBufferIsAnError) {
  Caller<> caller;  // 1024 bytes out
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/" + std::string(480, 'a'));
  trip.trip.request().add("X", std::string(900, 'b'));
  trip.go();
  static_cast<void>(origin.accept());
  caller.want_error(trip, CallCause::head_too_long);
  caller.expect_quiet();
}

// ---- bodies out

TEST(RoundTrip, LargeBodyGoesOutAsTheServerTakesIt) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  const std::string body(300'000, 'x');
  Trip& trip = caller.make("PUT", "http://127.0.0.1/");
  trip.trip.request().set_body(body);
  trip.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("Content-Length: 300000\r\n\r\n"));
  EXPECT_EQ(peer.want_body(300'000), body);
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  caller.expect_quiet(1);
}

TEST(RoundTrip, SourceThatSaysLaterIsAskedAgainWhenResumed) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Pieces pieces{{"one", "", "two", "", ""}};
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source()});
  trip.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("chunked\r\n\r\n"));
  peer.want("3\r\none\r\n");  // what is there goes out at once
  peer.want_nothing(5s);
  trip.trip.resume_body();
  peer.want("3\r\ntwo\r\n");
  trip.trip.resume_body();
  peer.want_nothing(1s);
  trip.trip.resume_body();
  peer.want("0\r\n\r\n");
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  EXPECT_EQ(pieces.closed, 1);
  caller.expect_quiet(1);
}

TEST(RoundTrip, SourceThatFailsEndsTheRoundTripAndTheConnection) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Pieces pieces{{"one"}, 0, 0, 0, true};
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source()});
  trip.go();
  Peer& peer = origin.accept();
  caller.want_error(trip, CallCause::source_failed);
  peer.want_gone();
  EXPECT_EQ(pieces.closed, 1);
  caller.expect_quiet();
}

TEST(RoundTrip, SourceOfAnotherSizeThanDeclaredIsAnError) {
  for (const std::uint64_t size : {std::uint64_t{4}, std::uint64_t{7}}) {
    Caller<> caller;
    RawServer& origin = caller.talk.listen(80);
    Pieces pieces{{"abc"}};
    Trip& trip = caller.make("POST", "http://127.0.0.1/");
    trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .size = size, .source = pieces.source()});
    trip.go();
    Peer& peer = origin.accept();
    caller.want_error(trip, CallCause::body_mismatch);
    peer.want_gone();
    EXPECT_EQ(pieces.closed, 1);
  }
}

TEST(RoundTrip, SourceIsRewoundForARetryAndClosedOnce) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  Pieces pieces{{"abc"}};
  Trip& trip = caller.make("PUT", "http://127.0.0.1/");
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source()});
  trip.trip.request().set_idempotent(true);
  trip.go();
  static_cast<void>(peer.want_containing("0\r\n\r\n"));
  peer.finish();
  Peer& next = origin.accept();
  static_cast<void>(next.want_containing("3\r\nabc\r\n0\r\n\r\n"));
  next.say(ok_abc);
  caller.want(trip, 200, "abc");
  EXPECT_EQ(pieces.rewound, 1);
  EXPECT_EQ(pieces.closed, 1);
}

}  // namespace
}  // namespace pollux::test
