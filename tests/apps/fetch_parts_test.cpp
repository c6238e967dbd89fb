// The parts of pollux-fetch behind its command line: URLs and globs, exit statuses, -w, the meter, the rate.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "apps/fetch/failure.hpp"
#include "apps/fetch/glob.hpp"
#include "apps/fetch/job.hpp"
#include "apps/fetch/progress.hpp"
#include "apps/fetch/rate_limit.hpp"
#include "apps/fetch/request.hpp"
#include "apps/fetch/write_out.hpp"
#include "stack/wire/framing.hpp"

namespace pollux::fetch {
namespace {

using namespace std::chrono_literals;

// ---- URLs

std::vector<std::string> globbed(std::string_view url) {
  std::vector<std::string> urls;
  for (const GlobbedUrl& one : glob(url).urls) {
    urls.push_back(one.url);
  }
  return urls;
}

TEST(FetchGlob, Expands) {
  using Urls = std::vector<std::string>;
  EXPECT_EQ(globbed("http://h/"), Urls{"http://h/"});
  EXPECT_EQ(globbed("h/{a,b}/[1-3]"), (Urls{"h/a/1", "h/a/2", "h/a/3", "h/b/1", "h/b/2", "h/b/3"}));
  EXPECT_EQ(globbed("[08-10]"), (Urls{"08", "09", "10"}));
  EXPECT_EQ(globbed("[0-10:5]"), (Urls{"0", "5", "10"}));
  EXPECT_EQ(globbed("[a-e:2]"), (Urls{"a", "c", "e"}));
  EXPECT_EQ(globbed("http://[::1]:80/[1-2]"), (Urls{"http://[::1]:80/1", "http://[::1]:80/2"}));
  EXPECT_EQ(globbed("h?a[]=1"), Urls{"h?a[]=1"});
  EXPECT_EQ(globbed("h/\\{a\\}"), Urls{"h/{a}"});
  EXPECT_EQ(globbed("{,x}"), (Urls{"", "x"}));
}

TEST(FetchGlob, RefusesWhatIsNotOne) {
  struct Case {
    std::string_view url;
    std::string_view error;
  };
  const Case cases[] = {{"h{a", "unmatched brace"},
                        {"h}", "unmatched close brace/bracket"},
                        {"{a{b}}", "nested brace"},
                        {"{}", "empty string within braces"},
                        {"[1-", "bad range specification"},
                        {"[3-1]", "bad range"},
                        {"[a-Z]", "bad range"},
                        {"[1-2:0]", "bad range"},
                        {"[x]", "bad range"},
                        {"[1-1000000]", "bad range"},
                        {"[1-1000][1-1000]", "too many URLs"}};
  for (const Case& one : cases) {
    EXPECT_EQ(glob(one.url).error, one.error) << one.url;
  }
}

TEST(FetchGlob, NamesFiles) {
  EXPECT_EQ(fill_in("f_#1_#2.txt", {"a", "7"}), "f_a_7.txt");
  EXPECT_EQ(fill_in("#3#1#", {"a"}), "#3a#");
  EXPECT_EQ(fill_in("#0", {"a"}), "#0");
}

TEST(FetchUrl, IsCompleted) {
  struct Case {
    std::string_view url;
    std::string_view text;
  };
  const Case cases[] = {
      {"h", "http://h/"},
      {"h:80/x", "http://h:80/x"},
      {"HTTP://h", "http://h/"},
      {"http://h?a=b", "http://h/?a=b"},
      {"http://h#f", "http://h/#f"},
      {"http://u:p@h/x#f", "http://u:p@h/x#f"},
      {"http://h/a/../b/./c", "http://h/b/c"},
      {"h/x?u=http://y/..", "http://h/x?u=http://y/.."},
  };
  for (const Case& one : cases) {
    const CompletedUrl url = complete_url(one.url, false);
    EXPECT_FALSE(url.failure) << one.url << url.failure.text();
    EXPECT_EQ(url.text, one.text);
  }
  EXPECT_EQ(complete_url("h/a/../b", true).text, "http://h/a/../b");
}

TEST(FetchUrl, IsRefused) {
  for (const std::string_view bad :
       {"", "http://", "http:///x", "http://a b/", "http://h\n/", "http://h:99999/", "http://[::1"}) {
    EXPECT_EQ(complete_url(bad, false).failure.code(), ExitCode::url_malformat) << bad;
  }
  EXPECT_EQ(complete_url("ftp://h/", false).failure.code(), ExitCode::unsupported_protocol);
}

TEST(FetchUrl, TakesDataAndNames) {
  EXPECT_EQ(with_query("http://h/", "a=b"), "http://h/?a=b");
  EXPECT_EQ(with_query("http://h/?x#f", "a=b"), "http://h/?x&a=b#f");
  EXPECT_EQ(with_query("http://h/?x", ""), "http://h/?x");
  EXPECT_EQ(with_file_name("http://h/d/", "a b"), "http://h/d/a%20b");
  EXPECT_EQ(with_file_name("http://h/d/?q", "f"), "http://h/d/f?q");
  EXPECT_EQ(with_file_name("http://h/d", "f"), "http://h/d");
  EXPECT_EQ(remote_name("http://h/a/b.txt?x=/y#/z"), "b.txt");
  EXPECT_EQ(remote_name("http://h/"), "");
  EXPECT_EQ(remote_name("http://h"), "");
}

TEST(FetchUrl, GivesItsCredentialsAway) {
  std::array<char, 64> out;
  EXPECT_EQ(bare_url("http://u:p@h:8/x?y#z", out), "http://h:8/x?y");
  EXPECT_EQ(credentials_of("http://u%40x:p%3A@h/", out), "u@x:p:");
  EXPECT_EQ(credentials_of("http://u@h/", out), "u:");
  EXPECT_EQ(credentials_of("http://h/", out), "");
  std::array<char, 4> small;
  EXPECT_EQ(bare_url("http://h/", small), std::nullopt);
  EXPECT_EQ(credentials_of("http://user:password@h/", small), "");
}

// ---- exit statuses

TEST(FetchFailure, HasCurlsStatus) {
  using http::CallCause;
  using http::CallStage;
  struct Case {
    http::CallError error;
    FailureContext context;
    int status;
    std::string_view text;
  };
  const FailureContext host{.host = "h", .port = 80};
  const FailureContext half{.body_size = 50, .body_received = 5};
  const FailureContext socks{.host = "h", .port = 80, .proxy = "p", .proxy_port = 1080, .is_socks = true};
  const int bad_length = static_cast<int>(wire::FramingError::content_length);
  const int bad_coding = static_cast<int>(wire::FramingError::transfer_encoding);
  const Case cases[] = {
      {{.cause = CallCause::none}, {}, 0, ""},
      {{.cause = CallCause::no_tls}, {}, 1, "this build has no TLS"},
      {{.cause = CallCause::bad_url}, {}, 3, "URL using bad/illegal format"},
      {{.stage = CallStage::resolve, .cause = CallCause::name}, host, 6, "Could not resolve host: h"},
      {{.stage = CallStage::resolve, .cause = CallCause::name, .through_proxy = true},
       socks,
       5,
       "Could not resolve proxy: p"},
      {{.stage = CallStage::connect, .cause = CallCause::refused},
       host,
       7,
       "Failed to connect to h port 80 after 0 ms: Couldn't"},
      {{.stage = CallStage::connect, .cause = CallCause::refused}, socks, 7, "Failed to connect to p port 1080"},
      {{.stage = CallStage::connect, .cause = CallCause::unreachable}, host, 7, "Failed to connect"},
      {{.stage = CallStage::proxy, .cause = CallCause::proxy_refused, .status = 5}, socks, 97, "SOCKS5"},
      {{.stage = CallStage::proxy, .cause = CallCause::proxy_refused, .status = 403}, host, 56, "response 403"},
      {{.stage = CallStage::proxy, .cause = CallCause::closed}, socks, 97, "SOCKS5"},
      {{.stage = CallStage::proxy, .cause = CallCause::lost}, host, 56, "Proxy"},
      {{.stage = CallStage::head, .cause = CallCause::closed}, host, 52, "Empty reply from server"},
      {{.stage = CallStage::head, .cause = CallCause::closed, .bytes_received = 9},
       {.has_interim = true},
       52,
       "Empty reply"},
      {{.stage = CallStage::head, .cause = CallCause::closed, .bytes_received = 9}, host, 56, "within the head"},
      {{.stage = CallStage::body, .cause = CallCause::closed},
       half,
       18,
       "transfer closed with 45 bytes remaining to read"},
      {{.stage = CallStage::body, .cause = CallCause::closed},
       host,
       18,
       "transfer closed with outstanding read data remaining"},
      {{.stage = CallStage::send, .cause = CallCause::lost}, host, 55, "Send failure"},
      {{.stage = CallStage::head, .cause = CallCause::lost}, host, 56, "Recv failure: Connection reset by peer"},
      {{.cause = CallCause::not_http}, {}, 1, "Received HTTP/0.9 when not allowed"},
      {{.cause = CallCause::malformed_head, .head = wire::HeadError::version}, {}, 1, "Unsupported HTTP version"},
      {{.cause = CallCause::malformed_head, .head = wire::HeadError::status_code}, {}, 1, "Unsupported HTTP version"},
      {{.cause = CallCause::malformed_head, .head = wire::HeadError::field_syntax}, {}, 8, "Weird server reply"},
      {{.cause = CallCause::malformed_framing, .status = bad_length}, {}, 8, "Invalid Content-Length: value"},
      {{.cause = CallCause::malformed_framing, .status = bad_coding}, {}, 61, "Unrecognized transfer encoding"},
      {{.cause = CallCause::malformed_chunk}, {}, 56, "chunked-encoding"},
      {{.cause = CallCause::malformed_trailer}, {}, 43, "Failed reading the chunked-encoded stream"},
      {{.cause = CallCause::head_too_large}, {}, 56, "Too large response headers"},
      {{.cause = CallCause::decode}, {}, 61, "content unencoding"},
      {{.cause = CallCause::decode_limit}, {}, 61, "content unencoding"},
      {{.cause = CallCause::source_failed}, {}, 26, "Failed to read local data"},
      {{.cause = CallCause::cannot_rewind}, {}, 65, "rewind"},
      {{.cause = CallCause::too_slow}, {}, 28, "too slow"},
      {{.stage = CallStage::connect, .cause = CallCause::timed_out},
       {.elapsed = 9ms},
       28,
       "Connection timed out after 9 milliseconds"},
      {{.stage = CallStage::resolve, .cause = CallCause::timed_out},
       {.elapsed = 9ms},
       28,
       "Resolving timed out after 9"},
      {{.stage = CallStage::body, .cause = CallCause::timed_out}, half, 28, "with 5 out of 50 bytes received"},
      {{.stage = CallStage::head, .cause = CallCause::timed_out}, {}, 28, "with 0 bytes received"},
      {{.stage = CallStage::connect, .cause = CallCause::failed}, host, 7, "Failed to connect"},
      {{.stage = CallStage::send, .cause = CallCause::failed}, host, 55, ""},
      {{.stage = CallStage::body, .cause = CallCause::failed}, host, 56, ""},
      {{.stage = CallStage::handshake, .cause = CallCause::timed_out},
       {.elapsed = 9ms},
       28,
       "SSL connection timeout after 9 milliseconds"},
      {{.stage = CallStage::handshake, .cause = CallCause::closed, .tls = {.error = tls::Error::closed}},
       host,
       35,
       "h:80"},
      {{.stage = CallStage::handshake, .cause = CallCause::lost},
       host,
       35,
       "TLS connect error with h:80: connection lost"},
  };
  for (const Case& one : cases) {
    const Failure failure = failure_from(one.error, one.context);
    EXPECT_EQ(failure.status(), one.status) << failure.text();
    EXPECT_NE(failure.text().find(one.text), std::string_view::npos) << failure.text() << " | " << one.text;
  }
}

TEST(FetchFailure, HasCurlsStatusForTls) {
  struct Case {
    tls::Error error;
    http::CallStage stage;
    int status;
    std::string_view text;
    int verify_result;
  };
  constexpr auto handshake = http::CallStage::handshake;
  const Case cases[] = {
      {tls::Error::expired, handshake, 60, "SSL certificate problem of h: ", 10},
      {tls::Error::not_yet_valid, handshake, 60, "SSL certificate problem of h: ", 9},
      {tls::Error::clock_not_set, handshake, 60, "--pinnedpubkey", 9},
      {tls::Error::wrong_name, handshake, 60, "SSL certificate problem of h: ", 0},
      {tls::Error::unknown_authority, handshake, 60, "with --cacert", 20},
      {tls::Error::self_signed, handshake, 60, "with --cacert", 18},
      {tls::Error::weak_key, handshake, 60, "SSL certificate problem of h: ", 66},
      {tls::Error::pin_mismatch, handshake, 90, "does not match pinned public key", 0},
      {tls::Error::peer_is_plain, handshake, 35, "TLS connect error with h:443: ", 0},
      {tls::Error::version, handshake, 35, "TLS connect error with h:443: ", 0},
      {tls::Error::alert, handshake, 35, "TLS connect error with h:443: ", 0},
      {tls::Error::alert, http::CallStage::head, 56, "TLS receive error: ", 0},
      {tls::Error::protocol, http::CallStage::send, 55, "TLS send error: ", 0},
      {tls::Error::truncated, http::CallStage::body, 56, "TLS receive error: ", 0},
  };
  for (const Case& one : cases) {
    const Failure failure = failure_from(
        {.stage = one.stage, .cause = http::CallCause::tls, .tls = {.error = one.error}}, {.host = "h", .port = 443});
    EXPECT_EQ(failure.status(), one.status) << failure.text();
    EXPECT_NE(failure.text().find(one.text), std::string_view::npos) << failure.text() << " | " << one.text;
    EXPECT_EQ(verify_result(one.error), one.verify_result) << failure.text();
  }
  const Failure nobody =
      failure_from({.stage = handshake, .cause = http::CallCause::tls, .tls = {.error = tls::Error::unknown_authority}},
                   {.host = "h", .port = 443, .trusts_nobody = true});
  EXPECT_NE(nobody.text().find("This system has no CA certificates"), std::string_view::npos) << nobody.text();
}

TEST(FetchFailure, CountsWhatTlsCutOff) {
  const http::CallError cut{
      .stage = http::CallStage::body, .cause = http::CallCause::tls, .tls = {.error = tls::Error::truncated}};
  EXPECT_EQ(failure_from(cut, {.body_size = 50, .body_received = 5}).status(), 18);
  EXPECT_EQ(failure_from(cut, {.is_chunked = true}).status(), 18);
  EXPECT_EQ(failure_from(cut, {}).status(), 56) << "nothing else says where it ends";
  EXPECT_EQ(failure_from({.stage = http::CallStage::head, .cause = http::CallCause::tls, .tls = cut.tls}, {}).status(),
            52);
}

// With the longest sentence of TLS and a long name nothing of the advice is lost.
TEST(FetchFailure, HasRoomForWhatToDo) {
  const std::string host(150, 'h');
  const Failure failure = failure_from({.stage = http::CallStage::handshake,
                                        .cause = http::CallCause::tls,
                                        .tls = {.error = tls::Error::unknown_authority}},
                                       {.host = host, .port = 443});
  EXPECT_TRUE(failure.text().ends_with("--pinnedpubkey")) << failure.text();
}

TEST(FetchFailure, GivesEveryCauseAStatus) {
  for (int cause = 1; cause <= static_cast<int>(http::CallCause::failed); ++cause) {
    const Failure failure = failure_from({.cause = static_cast<http::CallCause>(cause)}, {});
    EXPECT_NE(failure.status(), 0) << cause;
    EXPECT_NE(failure.text(), "") << cause;
  }
}

TEST(FetchFailure, LeavesOutWhatDoesNotFit) {
  const std::string longer(600, 'x');
  const Failure failure{ExitCode::url_malformat, {"a", longer, "b"}};
  EXPECT_EQ(failure.text(), "ab");
}

// ---- -w

struct Written {
  std::string output;
  std::string errors;
};

Written written(std::string_view format, const Report& report) {
  Written result;
  write_out(format, report,
            {.put =
                 [](void* object, bool to_error, std::string_view text) {
                   Written& out = *static_cast<Written*>(object);
                   (to_error ? out.errors : out.output) += text;
                 },
             .object = &result});
  return result;
}

constexpr std::string_view a_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: 1\r\nX-B:\"q\r\nx-a: 2\r\n\r\n";

Report a_report() {
  Report report{.url = "h", .url_effective = "http://h/", .method = "GET", .scheme = "HTTP", .head = a_head};
  report.remote = port::Address::ipv4(192, 0, 2, 1, 80);
  report.local = port::Address::ipv6_loopback(4711);
  report.version = wire::http_1_1;
  report.status = 200;
  report.number = 3;
  report.connects = 1;
  report.redirects = 2;
  report.headers = 4;
  report.downloaded = 1000;
  report.uploaded = 7;
  report.header_bytes = 75;
  report.request_bytes = 99;
  report.name_lookup = 1us;
  report.app_connect = 2ms;
  report.verify_result = 18;
  report.total = 2s + 500ms;
  return report;
}

TEST(FetchWriteOut, WritesVariables) {
  struct Case {
    std::string_view format;
    std::string_view output;
  };
  const Case cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"%{http_code} %{response_code} %{http_connect}", "200 200 000"},
      {"%{time_total} %{time_namelookup} %{time_connect}", "2.500000 0.000001 0.000000"},
      {"%{size_download} %{size_upload} %{size_header} %{size_request}", "1000 7 75 99"},
      {"%{speed_download} %{speed_upload}", "400 2"},
      {"%{remote_ip} %{remote_port} %{local_ip} %{local_port}", "192.0.2.1 80 ::1 4711"},
      {"%{url} %{url_effective} %{urlnum} %{method} %{scheme} %{http_version}", "h http://h/ 3 GET HTTP 1.1"},
      {"%{num_connects} %{num_redirects} %{num_headers} %{exitcode}", "1 2 4 0"},
      {"%{content_type}|%{redirect_url}|%{errormsg}|%{filename_effective}", "text/plain|||"},
      {"%header{x-a} %{header{X-B}} [%header{none}]", "1 \"q []"},
      {"\\n\\r\\t\\x\\", "\n\r\t\\x\\"},
      {"%% %a %", "% %a %"},
      {"%{http_code", "%{http_code"},
      {"a%{onerror}b", "a"},
      {"%{ssl_verify_result} %{time_appconnect}%{ftp_entry_path}", "18 0.002000"},
  };
  for (const Case& one : cases) {
    const Written result = written(one.format, a_report());
    EXPECT_EQ(result.output, one.output) << one.format;
    EXPECT_EQ(result.errors, "") << one.format;
  }
}

TEST(FetchWriteOut, ChangesTheStreamAndSaysWhatItDoesNotKnow) {
  const Written result = written("a%{stderr}b%{stdout}c%{bogus}d", a_report());
  EXPECT_EQ(result.output, "acd");
  EXPECT_EQ(result.errors, "bpollux-fetch: unknown --write-out variable: 'bogus'\n");
}

TEST(FetchWriteOut, WritesJson) {
  const std::string json = written("%{json}", a_report()).output;
  EXPECT_TRUE(json.starts_with("{\"content_type\":\"text/plain\",\"errormsg\":null,\"exitcode\":0,")) << json;
  EXPECT_NE(json.find("\"time_total\":2.500000,\"url\":\"h\""), std::string::npos) << json;
  EXPECT_EQ(written("%{header_json}", a_report()).output,
            "{\"content-type\":[\"text/plain\"],\n\"x-a\":[\"1\",\"2\"],\n\"x-b\":[\"\\\"q\"]\n}");
}

TEST(FetchWriteOut, SaysNothingOfWhatDidNotHappen) {
  EXPECT_EQ(written("%{http_code} [%{remote_ip}] [%{scheme}] %{http_version} %{num_headers}", Report{}).output,
            "000 [] [] 0 0");
}

// ---- the meter and the rate

TEST(FetchProgress, WritesSizesInFivePlaces) {
  std::array<char, 32> out;
  EXPECT_EQ(short_size(0, out), "0");
  EXPECT_EQ(short_size(99'999, out), "99999");
  EXPECT_EQ(short_size(100'000, out), "97k");
  EXPECT_EQ(short_size(9'999 * 1024, out), "9999k");
  EXPECT_EQ(short_size(std::uint64_t{10'240} * 1024, out), "10.0M");
  EXPECT_EQ(short_size(std::uint64_t{1} << 40, out), "1024G");
}

TEST(FetchProgress, WritesLines) {
  std::array<char, 256> out;
  EXPECT_EQ(meter_line({.downloaded = 500, .download_size = 1000}, 5s, 100, out),
            " 50  1000   50   500    0     0    100      0  0:00:10  0:00:05  0:00:05   100");
  EXPECT_EQ(meter_line({.downloaded = 500}, 5s, 100, out),
            "  0   500    0   500    0     0    100      0 --:--:--  0:00:05 --:--:--   100");
  EXPECT_EQ(bar_line({.downloaded = 3, .download_size = 4}, 24, out), "############      75.0%");
  EXPECT_EQ(bar_line({.downloaded = 3}, 24, out), "3 bytes so far");
}

TEST(FetchRate, AllowsWhatTheTimeGives) {
  RateLimit rate;
  const port::Time start{1s};
  rate.start(0, start);
  EXPECT_EQ(rate.allow(1000, start), 1000U);
  rate.start(1000, start);
  EXPECT_EQ(rate.allow(1000, start), 100U);  // a tenth of a second ahead
  rate.moved(100);
  EXPECT_EQ(rate.allow(1000, start), 0U);
  EXPECT_EQ(rate.allow(1000, start + 50ms), 50U);
  EXPECT_EQ(rate.allow(1000, start + 10s), 100U);  // what was not used is not saved up
  rate.start(1, start);
  EXPECT_EQ(rate.allow(10, start), 1U);
  rate.start(std::uint64_t{1} << 40, start);  // a tenth of it does not fit into 32 bits
  EXPECT_EQ(rate.allow(16'384, start), 16'384U);
}

}  // namespace
}  // namespace pollux::fetch
