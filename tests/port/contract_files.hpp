// Contract of Port: files. Included by contract.hpp.
#pragma once

#include "tests/port/contract.hpp"

namespace pollux::port {

class PortFileContract : public PortContract {
 protected:
  static constexpr WallTime some_time{.seconds = 1'700'000'000};

  std::string read_all(File file, std::size_t part_size) {
    std::string text;
    std::vector<char> part(part_size);
    for (;;) {
      const IoResult result = port().read_file(file, text.size(), std::as_writable_bytes(std::span{part}));
      if (result.status != IoStatus::ok) {
        EXPECT_EQ(result.status, IoStatus::end);
        return text;
      }
      text.append(part.data(), result.size);
    }
  }

  FileInfo open(File root, std::string_view path) {
    const auto info = port().open_file(root, path);
    EXPECT_TRUE(info) << path << ": " << describe(info.error());
    return info.value();
  }
};

TEST_P(PortFileContract, OpensFilesAndDirectoriesBeneath) {
  world_.add_file("index.html", "<p>hello", some_time);
  world_.add_file("a/b/deep.txt", "deep", some_time);
  world_.add_file("empty", "", some_time);
  world_.add_file("..odd", "odd", some_time);
  const File root = open_root();
  struct Case {
    std::string_view path;
    FileKind kind;
    std::uint64_t size;
  };
  const Case cases[] = {
      {"index.html", FileKind::regular, 8},
      {"a/b/deep.txt", FileKind::regular, 4},
      {"a//b/./deep.txt", FileKind::regular, 4},
      {"./index.html", FileKind::regular, 8},
      {"empty", FileKind::regular, 0},
      {"..odd", FileKind::regular, 3},
      {"", FileKind::directory, 0},
      {".", FileKind::directory, 0},
      {"a", FileKind::directory, 0},
      {"a/", FileKind::directory, 0},
      {"a/b//", FileKind::directory, 0},
      {"a/.", FileKind::directory, 0},
  };
  for (const Case& c : cases) {
    const auto info = port().open_file(root, c.path);
    ASSERT_TRUE(info) << c.path << ": " << describe(info.error());
    EXPECT_EQ(info->kind, c.kind) << c.path;
    EXPECT_EQ(info->size, c.size) << c.path;
    if (c.kind == FileKind::regular) {
      EXPECT_EQ(info->modified, some_time) << c.path;
    }
    port().close_file(info->file);
  }
  const FileInfo below = open(root, "a");  // a directory is a root itself
  EXPECT_EQ(open_error(below.file, "b/deep.txt"), Error::would_block);
  EXPECT_EQ(open_error(below.file, "../index.html"), Error::outside);
  port().close_file(below.file);
  port().close_file(root);
}

TEST_P(PortFileContract, RefusesWhatLeadsOutside) {
  world_.add_file("a/file", "x", some_time);
  world_.add_link("up", "../");
  world_.add_link("absolute", "/");
  world_.add_link("a/up2", "../../x");
  world_.add_link("circle", "circle");
  const File root = open_root();
  const std::string_view cases[] = {// by text, whatever exists
                                    "..", "../", "../x", "a/..", "a/../a/file", "a/../../x", "nothing/../a/file", "/",
                                    "/etc/passwd", "//", "a/file/..",
                                    // by links
                                    "up", "up/x", "absolute", "absolute/etc/passwd", "a/up2", "circle", "circle/x"};
  for (const std::string_view path : cases) {
    EXPECT_EQ(open_error(root, path), Error::outside) << path;
  }
  EXPECT_EQ(open_error(root, "a/file"), Error::would_block) << "and the others still open";
  port().close_file(root);
}

TEST_P(PortFileContract, LinksThatStayBeneath) {
  world_.add_file("a/file", "text", some_time);
  world_.add_link("to_file", "a/file");
  world_.add_link("to_directory", "a");
  world_.add_link("a/up_and_down", "../a/file");
  world_.add_link("to_nothing", "nothing");
  const File root = open_root();
  const bool follows = world_.follows_links();
  for (const std::string_view path : {"to_file", "to_directory/file", "to_directory", "a/up_and_down"}) {
    EXPECT_EQ(open_error(root, path), follows ? Error::would_block : Error::outside) << path;
  }
  EXPECT_EQ(open_error(root, "to_nothing"), follows ? Error::not_found : Error::outside);
  port().close_file(root);
}

TEST_P(PortFileContract, RefusesWhatIsMissingOrOfTheWrongKind) {
  using std::string_view_literals::operator""sv;
  world_.add_file("file", "x", some_time);
  world_.add_directory("directory");
  world_.add_fifo("fifo");
  const File root = open_root();
  struct Case {
    std::string_view path;
    Error error;
  };
  const std::string longest_name(255, 'n');
  const std::string long_name(256, 'n');
  const std::string long_path = "directory" + std::string(5000, '/');
  const Case cases[] = {{"nothing", Error::not_found},      {"directory/nothing", Error::not_found},
                        {"nothing/file", Error::not_found}, {"file/below", Error::not_found},
                        {"file/", Error::not_found},        {"file/.", Error::not_found},
                        {"file\0"sv, Error::not_found},     {longest_name, Error::not_found},
                        {long_name, Error::name_too_long},  {long_path, Error::name_too_long},
                        {"fifo", Error::not_regular}};
  for (const Case& c : cases) {
    EXPECT_EQ(open_error(root, c.path), c.error) << c.path.substr(0, 40);
  }
  port().close_file(root);
}

TEST_P(PortFileContract, OpenDirectoryRefuses) {
  world_.add_file("file", "x", some_time);
  EXPECT_EQ(port().open_directory("").error(), Error::not_found);
  EXPECT_EQ(port().open_directory(world_.root() + "/nothing").error(), Error::not_found);
  EXPECT_EQ(port().open_directory(world_.root() + "/file").error(), Error::not_found);
  EXPECT_EQ(port().open_directory(std::string(5000, 'x')).error(), Error::name_too_long);
}

TEST_P(PortFileContract, ReadsAtAnyOffset) {
  const std::string text = pattern(10'000);
  world_.add_file("file", text, some_time);
  const File root = open_root();
  const File file = open(root, "file").file;
  for (const std::size_t part_size : {1U, 7U, 4096U, 9'999U, 10'000U, 10'001U}) {
    EXPECT_TRUE(read_all(file, part_size) == text) << part_size;
  }
  std::array<char, 16> out{};
  const auto memory = std::as_writable_bytes(std::span{out});
  const IoResult last = port().read_file(file, 9'999, memory);
  EXPECT_EQ(last.status, IoStatus::ok);
  EXPECT_EQ(last.size, 1U);
  EXPECT_EQ(out[0], text.back());
  for (const std::uint64_t offset :
       {std::uint64_t{10'000}, std::uint64_t{10'001}, std::uint64_t{1} << 40, UINT64_MAX}) {
    EXPECT_EQ(port().read_file(file, offset, memory).status, IoStatus::end) << offset;
  }
  port().close_file(file);
  port().close_file(root);
}

TEST_P(PortFileContract, SendFile) {
  const std::string text = pattern(300'000);
  world_.add_file("file", text, some_time);
  const File root = open_root();
  const File file = open(root, "file").file;
  const auto pair = make_pair();
  constexpr std::size_t begin = 1'000;
  std::size_t offset = begin;
  std::string received;
  while (offset < text.size()) {
    const IoResult result = port().send_file(pair.server, file, offset, text.size() - offset);
    if (result.status == IoStatus::ok) {
      ASSERT_GE(result.size, 1U);
      offset += result.size;
      ASSERT_LE(offset, text.size());
    } else {
      ASSERT_EQ(result.status, IoStatus::would_block);
    }
    received += receive(pair.client, offset - begin - received.size());
  }
  EXPECT_TRUE(received == std::string_view{text}.substr(begin));

  const IoResult part = port().send_file(pair.server, file, 5, 10);
  ASSERT_EQ(part.status, IoStatus::ok);
  EXPECT_EQ(receive(pair.client, part.size), text.substr(5, part.size));
  const IoResult short_file = port().send_file(pair.server, file, text.size() - 3, 100);
  EXPECT_EQ(short_file.status, IoStatus::ok);
  EXPECT_EQ(receive(pair.client, short_file.size), text.substr(text.size() - 3, short_file.size));
  EXPECT_EQ(port().send_file(pair.server, file, text.size(), 1).status, IoStatus::end);
  EXPECT_EQ(port().send_file(pair.server, file, UINT64_MAX, 1).status, IoStatus::end);

  port().shutdown_send(pair.server);
  EXPECT_EQ(port().send_file(pair.server, file, 0, 1).status, IoStatus::failed) << "and no signal ends the test";
  close(pair);
  port().close_file(file);
  port().close_file(root);
}

TEST_P(PortFileContract, SendFileToAPeerThatDoesNotRead) {
  const std::string text = pattern(std::size_t{1} << 20);
  world_.add_file("file", text, some_time);
  const File root = open_root();
  const File file = open(root, "file").file;
  const auto pair = make_pair();
  const std::string filling = pattern(65'521);
  const std::size_t filled = fill(pair.server, filling);
  std::string expected;
  IoResult result{.status = IoStatus::ok};
  for (int i = 0; i < 100 && result.status == IoStatus::ok; ++i) {  // see fill(): some of it may still be taken
    result = port().send_file(pair.server, file, 0, text.size());
    expected += text.substr(0, result.size);
  }
  EXPECT_EQ(result.status, IoStatus::would_block);
  expect_repeated(pair.client, filled, filling);
  EXPECT_TRUE(receive(pair.client, expected.size()) == expected);
  static_cast<void>(wait_for(pair.server, Events::writable, Events::writable));
  result = port().send_file(pair.server, file, 0, text.size());
  ASSERT_EQ(result.status, IoStatus::ok);
  EXPECT_TRUE(receive(pair.client, result.size) == std::string_view{text}.substr(0, result.size));
  close(pair);
  port().close_file(file);
  port().close_file(root);
}

TEST_P(PortFileContract, ChangeIdDiffersWhenTheFileDoes) {
  constexpr WallTime later{.seconds = some_time.seconds + 1};
  const File root = open_root();
  const auto id_of = [&](std::string_view path) {
    const FileInfo info = open(root, path);
    port().close_file(info.file);
    return info.change_id;
  };
  world_.add_file("file", "one", some_time);
  world_.add_file("other", "one", some_time);
  const std::uint64_t first = id_of("file");
  EXPECT_EQ(id_of("file"), first) << "nothing changed";
  EXPECT_EQ(id_of("./file"), first) << "the name is not part of it";
  EXPECT_NE(id_of("other"), first) << "another file";
  world_.change_file("file", "two", later);
  const std::uint64_t second = id_of("file");
  EXPECT_NE(second, first) << "another time";
  world_.change_file("file", "three", later);
  const std::uint64_t third = id_of("file");
  EXPECT_NE(third, second) << "another size";
  world_.add_file("file", "three", later);
  EXPECT_NE(id_of("file"), third) << "replaced by another of the same size and time";
  port().close_file(root);
}

TEST_P(PortFileContract, OpenFileOutlivesItsName) {
  world_.add_file("file", "old content", some_time);
  const File root = open_root();
  const File file = open(root, "file").file;
  world_.add_file("file", "new", some_time);
  EXPECT_EQ(read_all(file, 100), "old content");
  const File next = open(root, "file").file;
  EXPECT_EQ(read_all(next, 100), "new");
  port().close_file(file);
  port().close_file(next);
  port().close_file(root);
}

TEST_P(PortFileContract, OpenPathOpensRegularFilesByTheirWholePath) {
  world_.add_file("below/file", "content", some_time);
  world_.add_directory("other");
  world_.add_link("link", "below/file");
  world_.add_link("other/up", "../below");
  world_.add_link("absolute", world_.root() + "/below/file");
  for (const std::string_view path : {"/below/file", "//below/./file", "/below/../below/file", "/link",
                                      "/other/up/file", "/absolute"}) {  // links lead anywhere, ".." too
    const auto info = port().open_path(world_.root() + std::string{path});
    ASSERT_TRUE(info) << path << ": " << describe(info.error());
    EXPECT_EQ(info->kind, FileKind::regular);
    EXPECT_EQ(info->size, 7U);
    EXPECT_EQ(info->modified, some_time);
    EXPECT_EQ(read_all(info->file, 3), "content") << path;
    port().close_file(info->file);
  }
}

TEST_P(PortFileContract, OpenPathTellsThatAFileChanged) {
  constexpr WallTime later{.seconds = some_time.seconds + 1};
  const auto id_of = [&](std::string_view path) {
    const auto info = port().open_path(world_.root() + "/" + std::string{path});
    EXPECT_TRUE(info) << path;
    port().close_file(info->file);
    return info->change_id;
  };
  world_.add_file("file", "nameserver 192.0.2.1", some_time);
  const std::uint64_t first = id_of("file");
  EXPECT_EQ(id_of("file"), first);
  const File root = open_root();
  const FileInfo same = open(root, "file");
  EXPECT_EQ(same.change_id, first) << "however it was opened";
  port().close_file(same.file);
  port().close_file(root);
  world_.change_file("file", "nameserver 192.0.2.2", later);
  const std::uint64_t second = id_of("file");
  EXPECT_NE(second, first) << "another time";
  world_.add_file("file", "nameserver 192.0.2.2", later);
  EXPECT_NE(id_of("file"), second) << "replaced by another";
}

TEST_P(PortFileContract, OpenPathRefuses) {
  world_.add_file("file", "x", some_time);
  world_.add_directory("directory");
  world_.add_fifo("fifo");
  world_.add_link("to_directory", "directory");
  world_.add_link("to_nothing", "nothing");
  world_.add_link("circle", "circle");
  struct Case {
    std::string path;
    Error error;
  };
  using std::string_literals::operator""s;
  const std::string root = world_.root();
  const Case cases[] = {{"", Error::not_found},
                        {root + "/nothing", Error::not_found},
                        {root + "/nothing/file", Error::not_found},
                        {root + "/file/below", Error::not_found},
                        {root + "/file/", Error::not_found},
                        {root + "/to_nothing", Error::not_found},
                        {root + "/file\0"s, Error::not_found},
                        {root + "/" + std::string(256, 'n'), Error::name_too_long},
                        {root + std::string(5000, '/') + "file", Error::name_too_long},
                        {root + "/fifo", Error::not_regular},
                        {root + "/directory", Error::not_regular},
                        {root + "/directory/", Error::not_regular},
                        {root + "/to_directory", Error::not_regular},
                        {"/", Error::not_regular},
                        {root + "/circle", Error::failed}};
  for (const Case& c : cases) {
    const auto info = port().open_path(c.path);
    ASSERT_FALSE(info) << c.path.substr(0, 80);
    EXPECT_EQ(info.error(), c.error) << c.path.substr(0, 80) << ": " << describe(info.error());
    EXPECT_NE(port().system_error(), 0);
  }
}

}  // namespace pollux::port
