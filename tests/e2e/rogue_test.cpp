// pollux-fetch against a server that misbehaves on purpose (tests/support/rogue_server): the right body, the right exit status (curl's, and where
// we are stricter the one that apps/fetch/README.md says), the connection used again where that is safe and only there, and an end in time.
//
// Each row is a call with two URLs or more. What it prints is, for each, the body and "[exit status, HTTP status, connections made]": a 0 at the
// end of the second one says that it went over the connection of the first.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/support/app.hpp"
#include "tests/support/rogue_server.hpp"

namespace pollux::e2e {
namespace {

// Under AddressSanitizer on a busy machine; most take milliseconds. What is meant to run into a time limit says -m 0.3.
constexpr std::chrono::seconds time_max{15};

struct Row {
  std::string_view arguments;  // {U} is the server
  std::string_view expected;
};

class Rogue : public testing::Test {
 protected:
  void expect(const Row& row) {
    std::string arguments{row.arguments};
    for (std::size_t at = 0; (at = arguments.find("{U}", at)) != std::string::npos;) {
      const std::size_t end = std::min(arguments.find_first_of(" ?", at), arguments.size());
      seen_.insert(arguments.substr(at + 3, end - at - 3));
      arguments.replace(at, 3, server_.url(""));
    }
    for (std::size_t at = 0; (at = arguments.find("{BIG}", at)) != std::string::npos;) {
      arguments.replace(at, 5, big());
    }
    const auto began = std::chrono::steady_clock::now();
    const std::string limit = arguments.find("-m ") == std::string::npos ? "-m 10 " : "";
    const Finished done = run("no_proxy='*' " + program("fetch") +
                              " -sS -w '[%{exitcode} %{http_code} %{num_connects}]' " + limit + arguments);
    EXPECT_EQ(done.output, row.expected) << row.arguments << "\n" << done.errors;
    EXPECT_LT(std::chrono::steady_clock::now() - began, time_max) << row.arguments;
    EXPECT_EQ(done.errors.find("Sanitizer"), std::string::npos) << row.arguments << "\n" << done.errors;
    const std::string last = done.output.substr(done.output.rfind('[') + 1);
    EXPECT_EQ(std::to_string(done.status), last.substr(0, last.find(' '))) << row.arguments;
  }
  void expect_all(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      expect(row);
    }
  }
  static void TearDownTestSuite() {
    if (!big_.empty()) {
      std::remove(big_.c_str());
    }
  }
  // A body of 3 MB: more than the sockets' buffers hold.
  static const std::string& big() {
    if (big_.empty()) {
      big_ = testing::TempDir() + "pollux-rogue-XXXXXX";
      const int file = ::mkstemp(big_.data());
      const std::string bytes(3'000'000, 'b');
      EXPECT_EQ(::write(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
      ::close(file);
    }
    return big_;
  }

  test::RogueServer server_;
  static inline std::string big_;
  static inline std::set<std::string> seen_;
};

TEST_F(Rogue, DoesNothingWrong) {
  expect_all({{"{U}/ok {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/204 {U}/205 {U}/ok", "[0 204 1][0 205 0]hello[0 200 0]"},
              {"{U}/nothing {U}/ok", "[0 404 1]hello[0 200 0]"}});
}

TEST_F(Rogue, SaysWrongLengths) {
  expect_all({{"{U}/length-short {U}/ok", "hello[18 200 1]hello[0 200 1]"},
              {"{U}/length-long {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/length-differs {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/length-twice {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/length-list {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/length-list-differs {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/length-plus {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/length-minus {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/length-hex {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/length-empty {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/length-huge {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/length-largest {U}/ok", "hello[18 200 1]hello[0 200 1]"}});
}

// After a bad trailer curl does not go on with the other URLs (status 43), and neither do we.
TEST_F(Rogue, BreaksChunks) {
  expect_all({{"{U}/chunk-bad-size {U}/ok", "hello[56 200 1]hello[0 200 1]"},
              {"{U}/chunk-minus {U}/ok", "hello[56 200 1]hello[0 200 1]"},
              {"{U}/chunk-no-crlf {U}/ok", "hello[56 200 1]hello[0 200 1]"},
              {"{U}/chunk-cut {U}/ok", "hello[18 200 1]hello[0 200 1]"},
              {"{U}/chunk-no-end {U}/ok", "hello[18 200 1]hello[0 200 1]"},
              {"{U}/chunk-cut-end {U}/ok", "hello[18 200 1]hello[0 200 1]"},
              {"{U}/chunk-overflow {U}/ok", "hello[56 200 1]hello[0 200 1]"},
              {"{U}/chunk-largest {U}/ok", "hellohello[18 200 1]hello[0 200 1]"},
              {"{U}/chunk-giant-extension {U}/ok", "[56 200 1]hello[0 200 1]"},
              {"{U}/chunk-extension {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/chunk-upper-case {U}/ok", "hellohello[0 200 1]hello[0 200 0]"},
              {"{U}/chunk-trailer {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/chunk-trailer-length {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/chunk-bad-trailer", "hello[43 200 1]"},
              {"{U}/chunk-giant-trailer", "hello[43 200 1]"},
              {"{U}/trailer-endless", "hello[43 200 1]"},
              {"{U}/chunk-and-length {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/chunk-twice {U}/ok", "[61 000 1]hello[0 200 1]"},
              {"{U}/coding-unknown {U}/ok", "[61 000 1]hello[0 200 1]"}});
}

TEST_F(Rogue, SaysOddHeads) {
  expect_all({{"{U}/interim-some {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/interim-only {U}/ok", "[52 103 1]hello[0 200 1]"},
              {"{U}/interim-flood {U}/ok", "[56 103 1]hello[0 200 1]"},
              {"{U}/fields-flood {U}/ok", "[56 000 1]hello[0 200 1]"},
              {"{U}/head-large {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/head-giant {U}/ok", "[56 000 1]hello[0 200 1]"},
              {"{U}/head-endless {U}/ok", "[56 000 1]hello[0 200 1]"},
              {"{U}/head-cut {U}/ok", "[56 000 1]hello[0 200 1]"},
              {"{U}/head-lf {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/head-nul {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/head-fold {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/head-no-colon {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/head-no-name {U}/ok", "[8 000 1]hello[0 200 1]"},
              {"{U}/head-no-reason {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/head-8-bit {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/status-text {U}/ok", "[1 000 1]hello[0 200 1]"},
              {"{U}/status-1000 {U}/ok", "[1 000 1]hello[0 200 1]"},
              {"{U}/version-9 {U}/ok", "[1 000 1]hello[0 200 1]"},
              {"{U}/http09 {U}/ok", "[1 000 1]hello[0 200 1]"},
              {"{U}/http10 {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/http10-length {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/http10-keep {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"{U}/switch {U}/ok", "hello[0 101 1]hello[0 200 1]"}});
}

TEST_F(Rogue, LeadsAstray) {
  expect_all({{"-L {U}/loop {U}/ok", "[47 302 1]hello[0 200 0]"},
              {"-L {U}/loop-a {U}/ok", "[47 302 1]hello[0 200 0]"},
              {"-L --max-redirs 3 {U}/loop-b {U}/ok", "[47 302 1]hello[0 200 0]"},
              {"-L {U}/to-relative {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"-L {U}/to-query {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"-L {U}/to-fragment {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"-L {U}/to-nowhere {U}/ok", "abc[0 302 1]hello[0 200 0]"},
              {"-L {U}/to-blank {U}/ok", "abc[0 302 1]hello[0 200 0]"},
              {"-L {U}/to-broken {U}/ok", "[3 302 1]hello[0 200 0]"},
              {"-L {U}/to-port {U}/ok", "[3 302 1]hello[0 200 0]"},
              {"-L {U}/to-ftp {U}/ok", "[1 302 1]hello[0 200 0]"},
              {"-L {U}/to-file {U}/ok", "[1 302 1]hello[0 200 0]"},
              // What is missing from a body nobody wants does not matter.
              {"-L {U}/to-cut {U}/ok", "hello[0 200 2]hello[0 200 0]"},
              {"{U}/to-cut {U}/ok", "abc[18 302 1]hello[0 200 1]"}});
}

TEST_F(Rogue, PacksBadly) {
  if (run("no_proxy='*' " + program("fetch") + " -s --compressed " + server_.url("/gzip")).output !=
      "hello, compressed world") {
    seen_.insert({"/gzip", "/gzip-corrupt", "/gzip-no-gzip", "/gzip-bad-check", "/gzip-truncated", "/gzip-cut",
                  "/gzip-bomb", "/gzip-unknown"});
    GTEST_SKIP() << "this build decodes nothing";
  }
  expect_all({{"--compressed {U}/gzip {U}/ok", "hello, compressed world[0 200 1]hello[0 200 0]"},
              {"--compressed -o /dev/null {U}/gzip-corrupt {U}/ok", "[61 200 1]hello[0 200 1]"},
              {"--compressed {U}/gzip-no-gzip {U}/ok", "[61 200 1]hello[0 200 1]"},
              {"--compressed {U}/gzip-bad-check {U}/ok", "hello, compressed world[61 200 1]hello[0 200 1]"},
              {"--compressed {U}/gzip-truncated {U}/ok", "hello, compres[61 200 1]hello[0 200 1]"},
              {"--compressed {U}/gzip-cut {U}/ok", "hello, compres[18 200 1]hello[0 200 1]"},
              {"--compressed -o /dev/null {U}/gzip-bomb {U}/ok", "[61 200 1]hello[0 200 1]"},
              {"--compressed {U}/gzip-unknown {U}/ok", "[61 200 1]hello[0 200 0]"},
              {"{U}/gzip-no-gzip {U}/ok", "hello[0 200 1]hello[0 200 0]"}});
}

TEST_F(Rogue, SaysTooMuch) {
  expect_all({{"{U}/stray {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/two-answers {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/204-body {U}/ok", "[0 204 1]hello[0 200 1]"},
              {"{U}/304-length {U}/ok", "[0 304 1]hello[0 200 0]"},
              {"-I -o /dev/null {U}/head-with-body -o /dev/null {U}/ok", "[0 200 1][0 200 1]"},
              {"-I -o /dev/null {U}/ok -o /dev/null {U}/ok", "[0 200 1][0 200 0]"}});
}

TEST_F(Rogue, EndsTheConnection) {
  expect_all({{"{U}/until-close {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/says-close {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/says-close-and-stays {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/close-behind {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/408-behind {U}/ok", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/empty {U}/ok", "[52 000 1]hello[0 200 1]"},
              {"{U}/reset {U}/ok", "[56 000 1]hello[0 200 1]"},
              {"{U}/reset-in-body {U}/ok", "hello[56 200 1]hello[0 200 1]"}});
}

// The second request of the connection is read and not answered: it is made again on another one, as curl does it, unless an answer has begun.
TEST_F(Rogue, EndsTheConnectionWhenItIsUsedAgain) {
  expect_all({{"{U}/close-at-reuse {U}/close-at-reuse {U}/ok", "hello[0 200 1]hello[0 200 1]hello[0 200 0]"},
              {"{U}/reset-at-reuse {U}/reset-at-reuse {U}/ok", "hello[0 200 1]hello[0 200 1]hello[0 200 0]"},
              {"-d a=b {U}/close-at-reuse {U}/close-at-reuse", "hello[0 200 1]hello[0 200 1]"},
              {"{U}/half-head-at-reuse {U}/half-head-at-reuse {U}/ok", "hello[0 200 1][56 000 0]hello[0 200 1]"}});
}

TEST_F(Rogue, TakesItsTime) {
  expect_all({{"{U}/drip {U}/ok", "hello[0 200 1]hello[0 200 0]"},
              {"-m 0.3 -o /dev/null {U}/drip-endless", "[28 200 1]"},
              {"-m 0.3 {U}/silence", "[28 000 1]"},
              {"-m 0.3 {U}/silence-in-head", "[28 000 1]"},
              {"-m 0.3 {U}/silence-in-body", "hello[28 200 1]"},
              {"-m 0.3 --data-binary @{BIG} -H Expect: {U}/silence", "[28 000 1]"},
              {"-m 0.3 -o /dev/null {U}/body-endless", "[28 200 1]"},
              {"-m 0.3 -o /dev/null {U}/chunks-endless", "[28 200 1]"}});
}

TEST_F(Rogue, AnswersBeforeItHasTheBody) {
  expect_all({{"--data-binary @{BIG} {U}/early", "big[0 413 1]"},
              {"--data-binary @{BIG} -H Expect: {U}/early", "big[0 413 1]"},
              {"--data-binary @{BIG} -H Expect: {U}/early-keep {U}/ok", "no[0 401 1]hello[0 200 0]"},
              {"--data-binary @{BIG} {U}/417", "hello[0 200 2]"},
              {"-T {BIG} {U}/417", "hello[0 200 2]"},
              {"-d abc {U}/417", "hello[0 200 1]"},
              {"--data-binary @{BIG} -H Expect: {U}/half-close", "hello[0 200 1]"},
              {"{U}/half-close {U}/ok", "hello[0 200 1]hello[0 200 1]"}});
}

// A reset behind the answer may take it away; if it was there in time it counts.
TEST_F(Rogue, ResetsBehindAnEarlyAnswer) {
  const Finished done = run("no_proxy='*' " + program("fetch") + " -sS -m 10 --data-binary @" + big() +
                            " -H Expect: -w '[%{exitcode} %{http_code}]' " + server_.url("/early-reset"));
  seen_.insert("/early-reset");
  EXPECT_TRUE(done.output == "big[0 413]" || done.status == 55 || done.status == 56) << done.output << done.errors;
}

TEST_F(Rogue, WasTriedWithEveryPath) {
  if (testing::GTEST_FLAG(filter) != "*") {
    GTEST_SKIP() << "only some ran";
  }
  for (const std::string& path : test::RogueServer::paths()) {
    EXPECT_TRUE(seen_.contains(path)) << path;
  }
}

}  // namespace
}  // namespace pollux::e2e
