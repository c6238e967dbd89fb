// Files that 32 bits cannot count: beyond 4 GiB and beyond the year 2038. The file is sparse: it takes no room on the disk.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <string>
#include <vector>

#include "tests/port/linux_world.hpp"

namespace pollux::port {
namespace {

constexpr std::uint64_t two_gib = std::uint64_t{1} << 31;
constexpr std::uint64_t four_gib = std::uint64_t{1} << 32;
constexpr std::uint64_t large_size = four_gib + 100'000;
constexpr std::string_view mark = "0123456789abcdef";

// Where a mark stands: 8 bytes of it before each of these.
constexpr std::uint64_t edges[] = {8, two_gib, four_gib, large_size - 8};

class LinuxLargeFile : public ::testing::Test {
 protected:
  LinuxLargeFile() {
    const std::string path = directory.path() + "/large";
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(::ftruncate(file, static_cast<off_t>(large_size)), 0)
        << "the file system of " << path << " takes no large files";
    for (const std::uint64_t edge : edges) {
      EXPECT_EQ(::pwrite(file, mark.data(), mark.size(), static_cast<off_t>(edge - 8)),
                static_cast<ssize_t>(mark.size()));
    }
    ::close(file);
  }

  TemporaryDirectory directory;
  LinuxPort port;
};

TEST_F(LinuxLargeFile, HasItsSize) {
  for (const bool openat2 : {true, false}) {
    LinuxPort other{{.openat2 = openat2}};
    const File root = other.open_directory(directory.path()).value();
    const auto info = other.open_file(root, "large");
    ASSERT_TRUE(info) << describe(info.error());
    EXPECT_EQ(info->size, large_size);
    other.close_file(info->file);
    other.close_file(root);
  }
}

TEST_F(LinuxLargeFile, IsReadAtEveryEdge) {
  const FileInfo info = port.open_path(directory.path() + "/large").value();
  for (const std::uint64_t edge : edges) {
    std::array<char, 16> out{};
    const IoResult result = port.read_file(info.file, edge - 8, std::as_writable_bytes(std::span{out}));
    EXPECT_EQ(result.size, mark.size()) << edge;
    EXPECT_EQ(std::string_view(out.data(), out.size()), mark) << edge;
  }
  std::array<char, 16> out{};
  EXPECT_EQ(port.read_file(info.file, large_size - 3, std::as_writable_bytes(std::span{out})).size, 3U);
  EXPECT_EQ(std::string_view(out.data(), 3), "def");
  EXPECT_EQ(port.read_file(info.file, large_size, std::as_writable_bytes(std::span{out})).status, IoStatus::end);
  port.close_file(info.file);
}

TEST_F(LinuxLargeFile, IsSentFromEveryEdge) {
  const FileInfo info = port.open_path(directory.path() + "/large").value();
  const Socket listener = port.listen({.endpoint = {.address = Address::ipv4_loopback(0)}}).value();
  const Socket client = port.connect({.address = port.local_address(listener).value()}).value();
  std::array<PollEntry, 2 + poll_entries_reserved> entries{PollEntry{.socket = listener, .interest = Events::readable},
                                                           PollEntry{.socket = client, .interest = Events::writable}};
  const auto wait_for = [&](std::size_t which) {
    const Time limit = port.now() + std::chrono::seconds{5};
    do {
      static_cast<void>(port.poll(entries, {}, limit));
    } while (entries[which].ready == Events::none && port.now() < limit);
    EXPECT_NE(entries[which].ready, Events::none);
  };
  wait_for(0);
  const Socket server = port.accept(listener).value().socket;
  entries[0].interest = Events::none;
  for (const std::uint64_t edge : edges) {
    const IoResult sent = port.send_file(server, info.file, edge - 8, mark.size());
    ASSERT_EQ(sent.status, IoStatus::ok) << edge;
    EXPECT_EQ(sent.size, mark.size()) << edge;
    std::string received;
    while (received.size() < mark.size() && !HasFailure()) {
      entries[1].interest = Events::readable;
      wait_for(1);
      std::array<char, 64> out{};
      const IoResult result = port.recv(client, std::as_writable_bytes(std::span{out}));
      received.append(out.data(), result.size);
    }
    EXPECT_EQ(received, mark) << edge;
  }
  // More than is left, which in 32 bits would be much less than nothing.
  EXPECT_EQ(port.send_file(server, info.file, large_size - 3, std::size_t{1} << 30).size, 3U);
  EXPECT_EQ(port.send_file(server, info.file, large_size, 1).status, IoStatus::end);
  for (const Socket socket : {server, client, listener}) {
    port.close(socket);
  }
  port.close_file(info.file);
}

TEST_F(LinuxLargeFile, DatesOfTheNextCenturies) {
  for (const std::int64_t seconds :
       {std::int64_t{2'147'483'647}, std::int64_t{2'147'483'648}, std::int64_t{2'209'032'000},
        std::int64_t{4'294'967'296}, std::int64_t{5'000'000'000}}) {
    directory.add_file("late", "x", {.seconds = seconds});
    struct stat status {};
    ASSERT_EQ(::stat((directory.path() + "/late").c_str(), &status), 0);
    if (status.st_mtim.tv_sec != seconds) {
      GTEST_SKIP() << "the file system of " << directory.path() << " ends before " << seconds;
    }
    const FileInfo info = port.open_path(directory.path() + "/late").value();
    EXPECT_EQ(info.modified.seconds, seconds);
    port.close_file(info.file);
  }
}

// What every program is compiled with, whatever the machine's own width is.
static_assert(sizeof(off_t) == 8);
static_assert(sizeof(time_t) == 8);
static_assert(sizeof(timespec::tv_sec) == 8);
static_assert(sizeof(decltype(stat::st_size)) == 8);
static_assert(sizeof(decltype(stat::st_ino)) == 8);
static_assert(sizeof(WallTime::seconds) == 8 && sizeof(Time::rep) == 8);

}  // namespace
}  // namespace pollux::port
