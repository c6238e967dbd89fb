// Contract of Port: files. Included by contract.hpp.
#pragma once

#include "tests/port/contract.hpp"

namespace pollux::port {

template <typename World>
class PortFileContract : public PortContract<World> {
 protected:
  static constexpr WallTime some_time{.seconds = 1'700'000'000};

  std::string read_all(File file, std::size_t part_size) {
    std::string text;
    std::vector<char> part(part_size);
    for (;;) {
      const IoResult result = this->port().read_file(file, text.size(), std::as_writable_bytes(std::span{part}));
      if (result.status != IoStatus::ok) {
        EXPECT_EQ(result.status, IoStatus::end);
        return text;
      }
      text.append(part.data(), result.size);
    }
  }

  FileInfo open(File root, std::string_view path) {
    const auto info = this->port().open_file(root, path);
    EXPECT_TRUE(info) << path << ": " << describe(info.error());
    return info.value();
  }
};
TYPED_TEST_SUITE_P(PortFileContract);

TYPED_TEST_P(PortFileContract, OpensFilesAndDirectoriesBeneath) {
  this->world_.add_file("index.html", "<p>hello", TestFixture::some_time);
  this->world_.add_file("a/b/deep.txt", "deep", TestFixture::some_time);
  this->world_.add_file("empty", "", TestFixture::some_time);
  this->world_.add_file("..odd", "odd", TestFixture::some_time);
  const File root = this->open_root();
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
    const auto info = this->port().open_file(root, c.path);
    ASSERT_TRUE(info) << c.path << ": " << describe(info.error());
    EXPECT_EQ(info->kind, c.kind) << c.path;
    EXPECT_EQ(info->size, c.size) << c.path;
    if (c.kind == FileKind::regular) {
      EXPECT_EQ(info->modified, TestFixture::some_time) << c.path;
    }
    this->port().close_file(info->file);
  }
  const FileInfo below = this->open(root, "a");  // a directory is a root itself
  EXPECT_EQ(this->open_error(below.file, "b/deep.txt"), Error::would_block);
  EXPECT_EQ(this->open_error(below.file, "../index.html"), Error::outside);
  this->port().close_file(below.file);
  this->port().close_file(root);
}

TYPED_TEST_P(PortFileContract, RefusesWhatLeadsOutside) {
  this->world_.add_file("a/file", "x", TestFixture::some_time);
  this->world_.add_link("up", "../");
  this->world_.add_link("absolute", "/");
  this->world_.add_link("a/up2", "../../x");
  this->world_.add_link("circle", "circle");
  const File root = this->open_root();
  const std::string_view cases[] = {// by text, whatever exists
                                    "..", "../", "../x", "a/..", "a/../a/file", "a/../../x", "nothing/../a/file", "/",
                                    "/etc/passwd", "//", "a/file/..",
                                    // by links
                                    "up", "up/x", "absolute", "absolute/etc/passwd", "a/up2", "circle", "circle/x"};
  for (const std::string_view path : cases) {
    EXPECT_EQ(this->open_error(root, path), Error::outside) << path;
  }
  EXPECT_EQ(this->open_error(root, "a/file"), Error::would_block) << "and the others still open";
  this->port().close_file(root);
}

TYPED_TEST_P(PortFileContract, LinksThatStayBeneath) {
  this->world_.add_file("a/file", "text", TestFixture::some_time);
  this->world_.add_link("to_file", "a/file");
  this->world_.add_link("to_directory", "a");
  this->world_.add_link("a/up_and_down", "../a/file");
  this->world_.add_link("to_nothing", "nothing");
  const File root = this->open_root();
  const bool follows = TypeParam::follows_links;
  for (const std::string_view path : {"to_file", "to_directory/file", "to_directory", "a/up_and_down"}) {
    EXPECT_EQ(this->open_error(root, path), follows ? Error::would_block : Error::outside) << path;
  }
  EXPECT_EQ(this->open_error(root, "to_nothing"), follows ? Error::not_found : Error::outside);
  this->port().close_file(root);
}

TYPED_TEST_P(PortFileContract, RefusesWhatIsMissingOrOfTheWrongKind) {
  using std::string_view_literals::operator""sv;
  this->world_.add_file("file", "x", TestFixture::some_time);
  this->world_.add_directory("directory");
  this->world_.add_fifo("fifo");
  const File root = this->open_root();
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
    EXPECT_EQ(this->open_error(root, c.path), c.error) << c.path.substr(0, 40);
  }
  this->port().close_file(root);
}

TYPED_TEST_P(PortFileContract, OpenDirectoryRefuses) {
  this->world_.add_file("file", "x", TestFixture::some_time);
  EXPECT_EQ(this->port().open_directory("").error(), Error::not_found);
  EXPECT_EQ(this->port().open_directory(this->world_.root() + "/nothing").error(), Error::not_found);
  EXPECT_EQ(this->port().open_directory(this->world_.root() + "/file").error(), Error::not_found);
  EXPECT_EQ(this->port().open_directory(std::string(5000, 'x')).error(), Error::name_too_long);
}

TYPED_TEST_P(PortFileContract, ReadsAtAnyOffset) {
  const std::string text = pattern(10'000);
  this->world_.add_file("file", text, TestFixture::some_time);
  const File root = this->open_root();
  const File file = this->open(root, "file").file;
  for (const std::size_t part_size : {1U, 7U, 4096U, 9'999U, 10'000U, 10'001U}) {
    EXPECT_TRUE(this->read_all(file, part_size) == text) << part_size;
  }
  std::array<char, 16> out{};
  const auto memory = std::as_writable_bytes(std::span{out});
  const IoResult last = this->port().read_file(file, 9'999, memory);
  EXPECT_EQ(last.status, IoStatus::ok);
  EXPECT_EQ(last.size, 1U);
  EXPECT_EQ(out[0], text.back());
  for (const std::uint64_t offset :
       {std::uint64_t{10'000}, std::uint64_t{10'001}, std::uint64_t{1} << 40, UINT64_MAX}) {
    EXPECT_EQ(this->port().read_file(file, offset, memory).status, IoStatus::end) << offset;
  }
  this->port().close_file(file);
  this->port().close_file(root);
}

TYPED_TEST_P(PortFileContract, SendFile) {
  const std::string text = pattern(300'000);
  this->world_.add_file("file", text, TestFixture::some_time);
  const File root = this->open_root();
  const File file = this->open(root, "file").file;
  const auto pair = this->make_pair();
  constexpr std::size_t begin = 1'000;
  std::size_t offset = begin;
  std::string received;
  while (offset < text.size()) {
    const IoResult result = this->port().send_file(pair.server, file, offset, text.size() - offset);
    if (result.status == IoStatus::ok) {
      ASSERT_GE(result.size, 1U);
      offset += result.size;
      ASSERT_LE(offset, text.size());
    } else {
      ASSERT_EQ(result.status, IoStatus::would_block);
    }
    received += this->receive(pair.client, offset - begin - received.size());
  }
  EXPECT_TRUE(received == std::string_view{text}.substr(begin));

  const IoResult part = this->port().send_file(pair.server, file, 5, 10);
  ASSERT_EQ(part.status, IoStatus::ok);
  EXPECT_EQ(this->receive(pair.client, part.size), text.substr(5, part.size));
  const IoResult short_file = this->port().send_file(pair.server, file, text.size() - 3, 100);
  EXPECT_EQ(short_file.status, IoStatus::ok);
  EXPECT_EQ(this->receive(pair.client, short_file.size), text.substr(text.size() - 3, short_file.size));
  EXPECT_EQ(this->port().send_file(pair.server, file, text.size(), 1).status, IoStatus::end);
  EXPECT_EQ(this->port().send_file(pair.server, file, UINT64_MAX, 1).status, IoStatus::end);

  this->port().shutdown_send(pair.server);
  EXPECT_EQ(this->port().send_file(pair.server, file, 0, 1).status, IoStatus::failed) << "and no signal ends the test";
  this->close(pair);
  this->port().close_file(file);
  this->port().close_file(root);
}

TYPED_TEST_P(PortFileContract, SendFileToAPeerThatDoesNotRead) {
  const std::string text = pattern(std::size_t{1} << 20);
  this->world_.add_file("file", text, TestFixture::some_time);
  const File root = this->open_root();
  const File file = this->open(root, "file").file;
  const auto pair = this->make_pair();
  const std::string filling = pattern(65'521);
  const std::size_t filled = this->fill(pair.server, filling);
  std::string expected;
  IoResult result{.status = IoStatus::ok};
  for (int i = 0; i < 100 && result.status == IoStatus::ok; ++i) {  // see fill(): some of it may still be taken
    result = this->port().send_file(pair.server, file, 0, text.size());
    expected += text.substr(0, result.size);
  }
  EXPECT_EQ(result.status, IoStatus::would_block);
  this->expect_repeated(pair.client, filled, filling);
  EXPECT_TRUE(this->receive(pair.client, expected.size()) == expected);
  static_cast<void>(this->wait_for(pair.server, Events::writable, Events::writable));
  result = this->port().send_file(pair.server, file, 0, text.size());
  ASSERT_EQ(result.status, IoStatus::ok);
  EXPECT_TRUE(this->receive(pair.client, result.size) == std::string_view{text}.substr(0, result.size));
  this->close(pair);
  this->port().close_file(file);
  this->port().close_file(root);
}

TYPED_TEST_P(PortFileContract, ChangeIdDiffersWhenTheFileDoes) {
  constexpr WallTime later{.seconds = TestFixture::some_time.seconds + 1};
  const File root = this->open_root();
  const auto id_of = [&](std::string_view path) {
    const FileInfo info = this->open(root, path);
    this->port().close_file(info.file);
    return info.change_id;
  };
  this->world_.add_file("file", "one", TestFixture::some_time);
  this->world_.add_file("other", "one", TestFixture::some_time);
  const std::uint64_t first = id_of("file");
  EXPECT_EQ(id_of("file"), first) << "nothing changed";
  EXPECT_EQ(id_of("./file"), first) << "the name is not part of it";
  EXPECT_NE(id_of("other"), first) << "another file";
  this->world_.change_file("file", "two", later);
  const std::uint64_t second = id_of("file");
  EXPECT_NE(second, first) << "another time";
  this->world_.change_file("file", "three", later);
  const std::uint64_t third = id_of("file");
  EXPECT_NE(third, second) << "another size";
  this->world_.add_file("file", "three", later);
  EXPECT_NE(id_of("file"), third) << "replaced by another of the same size and time";
  this->port().close_file(root);
}

TYPED_TEST_P(PortFileContract, OpenFileOutlivesItsName) {
  this->world_.add_file("file", "old content", TestFixture::some_time);
  const File root = this->open_root();
  const File file = this->open(root, "file").file;
  this->world_.add_file("file", "new", TestFixture::some_time);
  EXPECT_EQ(this->read_all(file, 100), "old content");
  const File next = this->open(root, "file").file;
  EXPECT_EQ(this->read_all(next, 100), "new");
  this->port().close_file(file);
  this->port().close_file(next);
  this->port().close_file(root);
}

TYPED_TEST_P(PortFileContract, OpenPathOpensRegularFilesByTheirWholePath) {
  this->world_.add_file("below/file", "content", TestFixture::some_time);
  this->world_.add_directory("other");
  this->world_.add_link("link", "below/file");
  this->world_.add_link("other/up", "../below");
  this->world_.add_link("absolute", this->world_.root() + "/below/file");
  for (const std::string_view path : {"/below/file", "//below/./file", "/below/../below/file", "/link",
                                      "/other/up/file", "/absolute"}) {  // links lead anywhere, ".." too
    const auto info = this->port().open_path(this->world_.root() + std::string{path});
    ASSERT_TRUE(info) << path << ": " << describe(info.error());
    EXPECT_EQ(info->kind, FileKind::regular);
    EXPECT_EQ(info->size, 7U);
    EXPECT_EQ(info->modified, TestFixture::some_time);
    EXPECT_EQ(this->read_all(info->file, 3), "content") << path;
    this->port().close_file(info->file);
  }
}

TYPED_TEST_P(PortFileContract, OpenPathTellsThatAFileChanged) {
  constexpr WallTime later{.seconds = TestFixture::some_time.seconds + 1};
  const auto id_of = [&](std::string_view path) {
    const auto info = this->port().open_path(this->world_.root() + "/" + std::string{path});
    EXPECT_TRUE(info) << path;
    this->port().close_file(info->file);
    return info->change_id;
  };
  this->world_.add_file("file", "nameserver 192.0.2.1", TestFixture::some_time);
  const std::uint64_t first = id_of("file");
  EXPECT_EQ(id_of("file"), first);
  const File root = this->open_root();
  const FileInfo same = this->open(root, "file");
  EXPECT_EQ(same.change_id, first) << "however it was opened";
  this->port().close_file(same.file);
  this->port().close_file(root);
  this->world_.change_file("file", "nameserver 192.0.2.2", later);
  const std::uint64_t second = id_of("file");
  EXPECT_NE(second, first) << "another time";
  this->world_.add_file("file", "nameserver 192.0.2.2", later);
  EXPECT_NE(id_of("file"), second) << "replaced by another";
}

TYPED_TEST_P(PortFileContract, OpenPathRefuses) {
  this->world_.add_file("file", "x", TestFixture::some_time);
  this->world_.add_directory("directory");
  this->world_.add_fifo("fifo");
  this->world_.add_link("to_directory", "directory");
  this->world_.add_link("to_nothing", "nothing");
  this->world_.add_link("circle", "circle");
  struct Case {
    std::string path;
    Error error;
  };
  using std::string_literals::operator""s;
  const std::string root = this->world_.root();
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
    const auto info = this->port().open_path(c.path);
    ASSERT_FALSE(info) << c.path.substr(0, 80);
    EXPECT_EQ(info.error(), c.error) << c.path.substr(0, 80) << ": " << describe(info.error());
    EXPECT_NE(this->port().system_error(), 0);
  }
}

REGISTER_TYPED_TEST_SUITE_P(PortFileContract, OpensFilesAndDirectoriesBeneath, RefusesWhatLeadsOutside,
                            LinksThatStayBeneath, RefusesWhatIsMissingOrOfTheWrongKind, OpenDirectoryRefuses,
                            ReadsAtAnyOffset, SendFile, SendFileToAPeerThatDoesNotRead, ChangeIdDiffersWhenTheFileDoes,
                            OpenFileOutlivesItsName, OpenPathOpensRegularFilesByTheirWholePath,
                            OpenPathTellsThatAFileChanged, OpenPathRefuses);

}  // namespace pollux::port
