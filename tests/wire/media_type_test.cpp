#include "stack/wire/media_type.hpp"

#include "stack/wire/content_type_sniff.hpp"
#include "tests/wire/values_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

TEST(MediaType, Parses) {
  const auto media = parse_media_type(" Text/HTML ; Charset=\"utf-8\"; q=1 ");
  ASSERT_TRUE(media);
  EXPECT_EQ(media->type, "Text");
  EXPECT_EQ(media->subtype, "HTML");
  EXPECT_TRUE(is_media_type(*media, "text/html"));
  EXPECT_FALSE(is_media_type(*media, "text/plain"));
  EXPECT_FALSE(is_media_type(*media, "text"));
  expect_written("utf-8", MediaTypeError::out_too_small,
                 [&](std::span<char> out) { return media_parameter(*media, "charset", out); });
  Memory memory{8};
  EXPECT_EQ(*media_parameter(*media, "Q", memory.span()), "1");
  EXPECT_EQ(media_parameter(*media, "boundary", memory.span()).error(), MediaTypeError::not_found);
  EXPECT_TRUE(parse_media_type("a/b"));
  EXPECT_TRUE(parse_media_type("a/b;"));
  EXPECT_TRUE(parse_media_type("*/*"));
}

TEST(MediaType, Refuses) {
  for (const std::string_view text : {""sv, "text"sv, "text/"sv, "/html"sv, "text/html/x"sv, "te xt/html"sv,
                                      "text/html charset=x"sv, "text/html; charset"sv, "text/html; =x"sv,
                                      "text/html; a=\"x"sv, "text/html; a=x y"sv, "text/html, text/plain"sv}) {
    EXPECT_FALSE(parse_media_type(text)) << text;
  }
}

TEST(MediaType, IsKnownByTheEndOfTheName) {
  EXPECT_EQ(media_type_of_file("/srv/app.js"), "text/javascript; charset=utf-8");
  EXPECT_EQ(media_type_of_file("INDEX.HTML"), "text/html; charset=utf-8");
  EXPECT_EQ(media_type_of_file("a.tar.gz"), "application/gzip");
  EXPECT_EQ(media_type_of_file(".css"), "text/css; charset=utf-8");
  EXPECT_EQ(media_type_of_file("x.aac"), "audio/aac");  // the first and the last of the table
  EXPECT_EQ(media_type_of_file("x.zip"), "application/zip");
  EXPECT_EQ(media_type_of_file("x.webmanifest"), "application/manifest+json");  // the longest
  for (const std::string_view name :
       {""sv, "html"sv, "a."sv, "."sv, "a.html/b"sv, "a.nope"sv, "a.webmanifestx"sv, "a.htmlx"sv}) {
    EXPECT_EQ(media_type_of_file(name), "") << name;
  }
}

constexpr std::string_view text = "text/plain; charset=utf-8";
constexpr std::string_view html = "text/html; charset=utf-8";
constexpr std::string_view binary = "application/octet-stream";

TEST(ContentTypeSniff, KnowsFirstBytes) {
  struct Row {
    std::string_view content;
    std::string_view want;
  };
  for (const Row& row : {
           Row{"", text},
           Row{"hello", text},
           Row{"<html>", html},
           Row{"<HtMl><body", html},
           Row{"  <!DOCTYPE html>", html},
           Row{"\t\r\n\f <html>", html},
           Row{"<?xml version", "text/xml; charset=utf-8"},
           Row{" <?xml", "text/xml; charset=utf-8"},
           Row{"\0\1"sv, binary},
           Row{"GIF87a", "image/gif"},
           Row{"GIF89a", "image/gif"},
           Row{"GIF88a", text},
           Row{"\x89PNG\r\n\x1a\n", "image/png"},
           Row{"\xff\xd8\xffx", "image/jpeg"},
           Row{"%PDF-1.4", "application/pdf"},
           Row{" %PDF-1.4", text},
           Row{"PK\3\4", "application/zip"},
           Row{"\x1f\x8b\b", "application/x-gzip"},
           Row{R"({"a":1})", text},
           Row{"\xef\xbb\xbftext", text},
           Row{"\xff\xfe"
               "ab",
               "text/plain; charset=utf-16le"},
           Row{"\xfe\xff"
               "ab",
               "text/plain; charset=utf-16be"},
           Row{"RIFF1234WAVEfmt", "audio/wave"},
           Row{"RIFF1234WEBPVP8", "image/webp"},
           Row{"RIFF1234AVI ", "video/avi"},
           Row{"RIFF1234", text},
           Row{"FORM1234AIFF", "audio/aiff"},
           Row{"OggS\0"sv, "application/ogg"},
           Row{"\x1a\x45\xdf\xa3", "video/webm"},
           Row{"\0asm"sv, "application/wasm"},
           Row{"wOFF", "font/woff"},
           Row{"wOF2", "font/woff2"},
           Row{"\0\1\0\0"sv, "font/ttf"},
           Row{"\0\0\1\0"sv, "image/x-icon"},
           Row{"<script>", html},
           Row{"<b>x</b>", html},
           Row{"<br/>", text},
           Row{"<a href", html},
           Row{"<a", text},
           Row{"<style ", html},
           Row{"<!-- x", html},
           Row{"<!--x", text},
           Row{"x\x7fy", text},
           Row{"x\x1by", text},
           Row{"x\x1ay", binary},
           Row{"x\x0by", binary},
           Row{"x\x1fy", binary},
           Row{"\xff\xff", text},
           Row{"ID3\3", "audio/mpeg"},
           Row{"MThd\0\0\0\6"sv, "audio/midi"},
           Row{"Rar!\x1a\7\0"sv, "application/x-rar-compressed"},
           Row{"Rar!\x1a\7\1\0"sv, "application/x-rar-compressed"},
           Row{"\0\0\0\x18"
               "ftypmp42\0\0\0\0mp42isom"sv,
               "video/mp4"},
           Row{"\0\0\0\x18"
               "ftypisom\0\0\0\0isommp41"sv,
               "video/mp4"},
           Row{"\0\0\0\x10"
               "ftypisommp41"sv,
               binary},  // a version, not a brand
           Row{"\0\0\0\x18"
               "ftypmp42"sv,
               binary},  // the box is cut short
           Row{"\0\0\0\x0d"
               "ftypmp42x"sv,
               binary},  // no multiple of four
       }) {
    const Copy content{row.content};
    EXPECT_EQ(detect_content_type(content.view()), row.want) << testing::PrintToString(row.content);
  }
}

TEST(ContentTypeSniff, Reads512Bytes) {
  const std::string letters(511, 'x');
  EXPECT_EQ(detect_content_type(letters + '\1'), binary);
  EXPECT_EQ(detect_content_type(letters + "y\1"), text);
  EXPECT_EQ(detect_content_type(std::string(34, 'x') + "LP"), "application/vnd.ms-fontobject");
  EXPECT_EQ(detect_content_type(std::string(33, 'x') + "LP"), text);
}

}  // namespace
}  // namespace pollux::wire
