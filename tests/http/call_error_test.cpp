#include "stack/http/call_error.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <set>
#include <string>
#include <string_view>

#include "tests/support/heap_guard.hpp"

namespace pollux::http {
namespace {

using namespace std::chrono_literals;

std::string format(const CallError& error, std::string_view url, std::string_view method = "GET",
                   std::size_t size = 512) {
  std::string out(size, '?');
  std::string_view text;
  {
    const heap_guard::Forbidden no_heap;
    text = format_error(error, method, url, out);
  }
  EXPECT_EQ(text.data(), out.data());
  return std::string{text};
}

template <typename E>
std::set<std::string> descriptions(E last) {
  std::set<std::string> all;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const std::string text{describe(static_cast<E>(i))};
    EXPECT_FALSE(text.empty()) << i;
    EXPECT_EQ(text.find("  "), std::string::npos) << text;
    EXPECT_FALSE(text.ends_with('.') || text.ends_with(' ') || text.starts_with(' ')) << text;
    EXPECT_TRUE(all.insert(text).second) << text << " stands there twice";
  }
  return all;
}

TEST(CallError, HasWordsForEveryCauseAndStage) {
  EXPECT_EQ(descriptions(CallCause::failed).count("unknown error"), 0U);
  EXPECT_EQ(descriptions(CallStage::redirect).count("at an unknown stage"), 0U);
  EXPECT_EQ(describe(CallCause::refused), "connection refused");
  EXPECT_EQ(describe(CallStage::connect), "while connecting");
  EXPECT_EQ(describe(static_cast<CallCause>(255)), "unknown error");
  EXPECT_EQ(describe(static_cast<CallStage>(255)), "at an unknown stage");
}

TEST(CallErrorFormat, SaysWhereWhyAndAfterHowLong) {
  CallError error{.stage = CallStage::connect,
                  .cause = CallCause::refused,
                  .system_error = ECONNREFUSED,
                  .elapsed = 200ms,
                  .retry_safe = true};
  const std::string number = std::to_string(ECONNREFUSED);
  EXPECT_EQ(format(error, "http://h:80/x"), "Get \"http://h:80/x\": connecting to h:80: connection refused (errno " +
                                                number + ", ECONNREFUSED) after 0.200 s, nothing sent, safe to retry");
  error.through_proxy = true;
  error.retry_safe = false;
  EXPECT_EQ(format(error, "https://h/", "POST"),
            "Post \"https://h/\": connecting to h:443 by proxy: connection refused (errno " + number +
                ", ECONNREFUSED) after 0.200 s, nothing sent");
}

TEST(CallErrorFormat, SaysHowFarItCame) {
  const CallError error{.stage = CallStage::head,
                        .cause = CallCause::lost,
                        .system_error = ECONNRESET,
                        .elapsed = 61'007ms,
                        .bytes_sent = 120,
                        .reused = true};
  EXPECT_EQ(format(error, "http://192.168.0.7:8080/a?b", "DELETE"),
            "Delete \"http://192.168.0.7:8080/a?b\": waiting for an answer from 192.168.0.7:8080 (reused connection): "
            "the connection was lost (errno " +
                std::to_string(ECONNRESET) +
                ", ECONNRESET, reset by the peer) after 61.007 s, 120 bytes sent, nothing received");
  EXPECT_EQ(format({.stage = CallStage::body,
                    .cause = CallCause::closed,
                    .elapsed = 1ms,
                    .bytes_sent = 1,
                    .bytes_received = 5'000'000'000},
                   "http://[::1]:81/"),
            "Get \"http://[::1]:81/\": receiving the body from [::1]:81: the server closed before the answer "
            "was complete after 0.001 s, 1 byte sent, 5000000000 bytes received");
}

TEST(CallErrorFormat, SaysNothingOfTimeWhereNothingWasDone) {
  EXPECT_EQ(format({.cause = CallCause::bad_scheme}, "ftp://h/"),
            "Get \"ftp://h/\": the URL is neither http nor https");
  EXPECT_EQ(format({.cause = CallCause::bad_url, .retry_safe = false}, "", ""), "Get \"\": the URL is malformed");
}

TEST(CallErrorFormat, AddsWhatTheCauseLeavesOpen) {
  EXPECT_EQ(format({.stage = CallStage::resolve, .cause = CallCause::name, .name = net::NameError::not_found},
                   "http://nowhere.example:81/"),
            "Get \"http://nowhere.example:81/\": looking up nowhere.example: no such name after 0.000 s, nothing sent");
  EXPECT_EQ(
      format({.stage = CallStage::head,
              .cause = CallCause::malformed_head,
              .head = wire::HeadError::field_name,
              .bytes_sent = 2,
              .bytes_received = 3},
             "http://h/"),
      "Get \"http://h/\": waiting for an answer from h:80: the head of the answer is malformed: invalid header name "
      "after 0.000 s, 2 bytes sent, 3 bytes received");
  EXPECT_EQ(
      format({.stage = CallStage::proxy, .cause = CallCause::proxy_refused, .status = 403}, "https://h/"),
      "Get \"https://h/\": asking the proxy for h:443: the proxy refused: status 403 after 0.000 s, nothing sent");
  EXPECT_EQ(
      format({.stage = CallStage::proxy, .cause = CallCause::proxy_refused, .status = 4}, "http://h/"),
      "Get \"http://h/\": asking the proxy for h:80: the proxy refused: host unreachable after 0.000 s, nothing sent");
  EXPECT_EQ(
      format({.stage = CallStage::proxy, .cause = CallCause::proxy_refused, .status = 91}, "http://h/"),
      "Get \"http://h/\": asking the proxy for h:80: the proxy refused: reply code 91 after 0.000 s, nothing sent");
  // What TLS says is its own business; here, that it is said.
  std::string words(200, '?');
  const auto tls_words = [&words](const tls::ErrorInfo& info) { return std::string{tls::describe(info, words)}; };
  const tls::ErrorInfo refused{.error = tls::Error::wrong_name};
  EXPECT_EQ(format({.stage = CallStage::handshake, .cause = CallCause::tls, .tls = refused}, "https://h/"),
            "Get \"https://h/\": TLS handshake with h:443: " + tls_words(refused) + " after 0.000 s, nothing sent");
  const tls::ErrorInfo cut{.error = tls::Error::truncated};
  EXPECT_EQ(format({.stage = CallStage::body, .cause = CallCause::closed, .tls = cut}, "https://h/"),
            "Get \"https://h/\": receiving the body from h:443: the server closed before the answer was complete: " +
                tls_words(cut) + " after 0.000 s, nothing sent");
  EXPECT_EQ(format({.stage = CallStage::body, .cause = CallCause::decode, .status = 2}, "http://h/"),
            "Get \"http://h/\": receiving the body from h:80: the compressed body is cut "
            "short after 0.000 s, nothing sent");
  EXPECT_EQ(format({.stage = CallStage::send, .cause = CallCause::failed, .system_error = 9999}, "http://h/"),
            "Get \"http://h/\": sending to h:80: failed (errno 9999) after 0.000 s, nothing sent");
}

TEST(CallErrorFormat, MasksPasswords) {
  const CallError error{.cause = CallCause::bad_url};
  const auto shown = [&error](std::string_view url) {
    const std::string text = format(error, url);
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
    return text.substr(5, text.rfind('"') - 5);
  };
  EXPECT_EQ(shown("http://user:secret@h/"), "http://user:***@h/");
  EXPECT_EQ(shown("http://user:@h/"), "http://user:@h/");
  EXPECT_EQ(shown("http://user@h/a:b@c"), "http://user@h/a:b@c");
  EXPECT_EQ(shown("http://h/a:b@c"), "http://h/a:b@c");
  EXPECT_EQ(shown("http://:secret@h/"), "http://:***@h/");
  // What no URL is may hide one all the same.
  EXPECT_EQ(shown("http://user:sec/secret@h/"), "http://user:***@h/");
  EXPECT_EQ(shown("http://user:secret @h/"), "http://user:***@h/");
  EXPECT_EQ(shown("user:secret@h/"), "user:***@h/");
  EXPECT_EQ(shown("http://a b:secret@h"), "http://a b:***@h");
  EXPECT_EQ(shown("http://user:secret@[::1/"), "http://user:***@[::1/");
}

TEST(CallErrorFormat, LetsNoControlByteOut) {
  const std::string text =
      format({.stage = CallStage::connect, .cause = CallCause::refused}, "http://h\x1b[2J\r\n\"\xff/", "G\nT");
  EXPECT_EQ(text,
            "G%0At \"http://h%1B[2J%0D%0A%22%FF/\": while connecting: connection refused after 0.000 s, nothing sent");
}

TEST(CallErrorFormat, CutsTheUrlFirst) {
  const CallError error{.stage = CallStage::connect, .cause = CallCause::refused};
  const std::string url = "http://h/" + std::string(1000, 'a');
  const std::string tail = "...\": connecting to h:80: connection refused after 0.000 s, nothing sent";
  for (std::size_t size = 90; size < 300; ++size) {
    const std::string text = format(error, url, "GET", size);
    EXPECT_EQ(text.size(), size);
    EXPECT_TRUE(text.starts_with("Get \"http://h"));
    EXPECT_TRUE(text.ends_with(tail)) << text;
  }
  for (std::size_t size = 0; size < 90; ++size) {
    EXPECT_LE(format(error, url, "GET", size).size(), size);
  }
  EXPECT_EQ(format(error, url, "GET", 20), "Get \"\": connecting t");
  // No password comes out where the URL is cut.
  for (std::size_t size = 0; size < 200; ++size) {
    EXPECT_EQ(format(error, "http://u:secret@h/", "GET", size).find("sec"), std::string::npos);
  }
}

// 512 bytes hold the whole sentence for a URL of 200, whatever the error is; numbers of any size do not cut it either.
TEST(CallErrorFormat, FitsAlways) {
  const std::string url = "https://" + std::string(180, 'h') + ".example:443";
  ASSERT_EQ(url.size(), 200U);
  std::size_t longest = 0;
  for (int stage = 0; stage <= static_cast<int>(CallStage::redirect); ++stage) {
    for (int cause = 0; cause <= static_cast<int>(CallCause::failed); ++cause) {
      for (int detail = 0; detail <= 16; ++detail) {
        const CallError error{.stage = static_cast<CallStage>(stage),
                              .cause = static_cast<CallCause>(cause),
                              .name = static_cast<net::NameError>(detail % 10),
                              .head = static_cast<wire::HeadError>(detail % 13),
                              .status = detail == 16 ? 999 : detail,
                              .system_error = EAFNOSUPPORT,
                              .tls = {.error = static_cast<tls::Error>(detail * 2), .alert = 40},
                              .elapsed = 100h,
                              .bytes_sent = 999'999'999'999,
                              .bytes_received = 999'999'999'999,
                              .retry_safe = true,
                              .reused = true,
                              .through_proxy = true};
        const std::string text = format(error, url, "OPTIONS", 2000);
        longest = std::max(longest, text.size());
        CallError extreme = error;
        extreme.elapsed = port::Duration::max();
        extreme.bytes_sent = UINT64_MAX;
        extreme.bytes_received = UINT64_MAX;
        EXPECT_TRUE(format(extreme, url, "OPTIONS", 2000).ends_with(" received, safe to retry") || stage == 0);
        EXPECT_TRUE(text.ends_with(", safe to retry")) << text;
        EXPECT_NE(text.find(url), std::string::npos);
        EXPECT_EQ(text.find("  "), std::string::npos) << text;
        EXPECT_EQ(text.find('\n'), std::string::npos) << text;
      }
    }
  }
  EXPECT_LE(longest, 512U);
  EXPECT_GT(longest, 400U);
}

}  // namespace
}  // namespace pollux::http
