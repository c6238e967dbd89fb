// Files and bodies beyond 4 GiB, which 32 bits cannot count, through whole programs: the server, the client, the kernel's sendfile(2) and its offsets. The
// files are sparse and nothing is kept, so that it takes neither room nor, for gigabytes, much time.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "tests/e2e/support/app.hpp"

namespace pollux::e2e {
namespace {

constexpr std::uint64_t two_gib = std::uint64_t{1} << 31;
constexpr std::uint64_t four_gib = std::uint64_t{1} << 32;
constexpr std::uint64_t large_size = four_gib + 1'000'003;
constexpr std::string_view mark = "0123456789abcdef";
constexpr int seconds_max = 240;  // of a whole transfer, on a busy machine

std::string text_of(std::uint64_t number) {
  return std::to_string(number);
}

// A folder with the file `large`, which has half a mark on each side of 2 GiB and of 4 GiB and one at its end, and is zero elsewhere.
class Large : public ::testing::Test {
 protected:
  Large() {
    const int file = ::open(path("large").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    EXPECT_EQ(::ftruncate(file, static_cast<off_t>(large_size)), 0);
    for (const std::uint64_t middle : {two_gib, four_gib, large_size - 8}) {
      EXPECT_EQ(::pwrite(file, mark.data(), mark.size(), static_cast<off_t>(middle - 8)),
                static_cast<ssize_t>(mark.size()));
    }
    ::close(file);
  }
  ~Large() { static_cast<void>(run("rm -rf '" + folder_ + "'")); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  [[nodiscard]] static Finished fetch(const std::string& arguments) {
    return run(program("fetch") + " -sS -m " + std::to_string(seconds_max) + " " + arguments, seconds_max + 5);
  }

  static std::string make_folder() {
    std::string path = ::testing::TempDir() + "pollux-large-XXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    return path;
  }

  std::string folder_ = make_folder();
  App app_{"httpbin", {"--static", folder_}};
  const std::string url_ = app_.url("/static/large");
};

TEST_F(Large, RangesOfAFile) {
  const Finished head = run("curl -sS -I " + url_);
  EXPECT_NE(head.output.find("Content-Length: " + text_of(large_size) + "\r\n"), std::string::npos) << head.output;
  const std::string commands[] = {"curl -sS", program("fetch") + " -sS"};
  for (const std::string& command : commands) {
    for (const std::uint64_t middle : {two_gib, four_gib, large_size - 8}) {
      const std::string range = text_of(middle - 8) + "-" + text_of(middle + 7);
      EXPECT_EQ(run(command + " -r " + range + " " + url_).output, mark) << command << " " << range;
    }
    EXPECT_EQ(run(command + " -r -3 " + url_).output, "def") << command;
    EXPECT_EQ(run(command + " -r " + text_of(large_size - 3) + "- " + url_).output, "def") << command;
    EXPECT_EQ(run(command + " -o /dev/null -w '%{http_code}' -r " + text_of(large_size) + "- " + url_).output, "416")
        << command;
  }
}

TEST_F(Large, AFileIsResumed) {
  // All but the last eight bytes are there already.
  ASSERT_EQ(run("truncate -s " + text_of(large_size - 8) + " '" + path("got") + "'").status, 0);
  const Finished resumed = fetch("-C - -o '" + path("got") + "' -w '%{http_code} %{size_download}' " + url_);
  EXPECT_EQ(resumed.output, "206 8") << resumed.errors;
  EXPECT_EQ(run("wc -c <'" + path("got") + "'").output, text_of(large_size) + "\n");
  EXPECT_EQ(run("tail -c 8 '" + path("got") + "'").output, mark.substr(8));
}

TEST_F(Large, AFileIsServedWhole) {
  const Finished got = fetch("-o /dev/null -w '%{http_code} %{size_download}' " + url_);
  EXPECT_EQ(got.output, "200 " + text_of(large_size)) << got.errors;
}

// There and back, and nobody keeps it. Content-Length first, then chunks: curl does not say how long its standard input is.
TEST_F(Large, ABodyIsTakenAndSent) {
  const std::string echo = app_.url("/echo") + " -o /dev/null -w '%{http_code} %{size_download}'";
  const std::string done = "200 " + text_of(large_size);
  const Finished sized =
      fetch("-T '" + path("large") + "' " + echo + " -w '%{http_code} %{size_download} %{size_upload}'");
  EXPECT_EQ(sized.output, done + " " + text_of(large_size)) << sized.errors;
  const Finished chunked = run(
      "curl -sS -m " + std::to_string(seconds_max) + " -T - " + echo + " <'" + path("large") + "'", seconds_max + 5);
  EXPECT_EQ(chunked.output, done) << chunked.errors;
}

}  // namespace
}  // namespace pollux::e2e
