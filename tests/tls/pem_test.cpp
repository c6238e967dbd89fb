#include "stack/tls/pem.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "stack/base/text.hpp"

namespace pollux::tls {
namespace {

using Event = PemReader::Event;

std::optional<std::string> decode(std::string_view text) {
  Base64Decoder base64;
  std::string out;
  for (const char c : text) {
    std::byte value{};
    bool has_byte = false;
    if (!base64.put(c, value, has_byte)) {
      return std::nullopt;
    }
    if (has_byte) {
      out.push_back(static_cast<char>(value));
    }
  }
  return base64.may_end() ? std::optional{out} : std::nullopt;
}

std::string encode(std::string_view bytes) {
  std::array<char, 64> out{};
  return std::string{write_base64(base::as_bytes(bytes), out)};
}

TEST(Base64, VectorsOfRfc4648) {
  const std::pair<std::string_view, std::string_view> vectors[]{
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xFB\xFF\xBE", "+/++"},
  };
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(encode(bytes), text);
    EXPECT_EQ(decode(text), bytes);
  }
}

TEST(Base64, Refusals) {
  for (const std::string_view text :
       {"Z", "Zg", "Zg=", "Zm8", "=", "Z===", "Zg===", "Zm9v=", "Zg==Zg==", "Zg=g", "Zh==", "Zm9=", "Zm 9v", "Zm-_"}) {
    EXPECT_EQ(decode(text), std::nullopt) << text;
  }
}

struct Block {
  Event event = Event::need_more;
  std::string bytes{};
  friend bool operator==(const Block&, const Block&) = default;
};
Block block(std::string_view bytes) {
  return {Event::block, std::string{bytes}};
}

// Reads `text` in two pieces.
std::vector<Block> blocks_of(std::string_view text, std::size_t split, PemReader reader, std::size_t room) {
  std::vector<Block> found;
  std::vector<std::byte> out(room);
  for (std::string_view piece : {text.substr(0, split), text.substr(split)}) {
    Event event = Event::need_more;
    while ((event = reader.read(piece, out)) != Event::need_more) {
      std::string bytes;
      if (event == Event::block) {
        bytes.assign(reinterpret_cast<const char*>(out.data()), reader.size());
      } else if (event == Event::too_large) {
        bytes = std::to_string(reader.size());
      }
      found.push_back({event, bytes});
      std::fill(out.begin(), out.end(), std::byte{0xEE});
    }
  }
  return found;
}

// What every way to split the text gives.
std::vector<Block> blocks_of(std::string_view text, PemReader reader = PemReader{"THING"}, std::size_t room = 100) {
  const std::vector<Block> whole = blocks_of(text, 0, reader, room);
  for (std::size_t split = 1; split < text.size(); ++split) {
    EXPECT_EQ(blocks_of(text, split, reader, room), whole) << "split at " << split << " of " << text;
  }
  return whole;
}

using Blocks = std::vector<Block>;
constexpr std::string_view foobar = "-----BEGIN THING-----\nZm9vYmFy\n-----END THING-----\n";

TEST(Pem, OneBlock) {
  EXPECT_EQ(blocks_of(foobar), Blocks{block("foobar")});
  EXPECT_EQ(blocks_of(foobar.substr(0, foobar.size() - 1)), Blocks{block("foobar")}) << "the last line needs no end";
}

TEST(Pem, WhiteSpaceAndLineEndsAreFree) {
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\r\nZm9v\r\nYmFy\r\n-----END THING-----\r\n"), Blocks{block("foobar")});
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\rZm9v\rYmFy\r-----END THING-----\r"), Blocks{block("foobar")});
  EXPECT_EQ(blocks_of("-----BEGIN THING-----  \n\n Z m9\tv \n\nYmF\ny\n\n-----END THING-----"),
            Blocks{block("foobar")});
  EXPECT_EQ(blocks_of("\xEF\xBB\xBF-----BEGIN THING-----\nZg==\n-----END THING-----\n"), Blocks{block("f")});
}

TEST(Pem, BytesOverSeveralLines) {
  std::string text = "-----BEGIN THING-----\n";
  std::string bytes;
  for (int i = 0; i < 20; ++i) {
    text += "AAECAwQFBgcICQoLDA0ODw\n==\n";
    text.erase(text.size() - 4);
    text += "AA\n";  // 22 + 2 characters are 18 bytes
    bytes += std::string("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x00\x00", 18);
  }
  text += "-----END THING-----\n";
  EXPECT_EQ(blocks_of(text, PemReader{"THING"}, 400), Blocks{block(bytes)});
}

TEST(Pem, WhatStandsBetweenIsPassedOver) {
  EXPECT_EQ(blocks_of("# comment ----- BEGIN\nSubject: x\n" + std::string{foobar} + "-----\n-----BEGIN-----\n- -\n" +
                      "-----BEGIN OTHER-----\nZm9v\n-----END OTHER-----\n" + "x -----BEGIN THING-----\n" +
                      "-----BEGIN THING-----\nZg==\n-----END THING----- and more\n" + std::string(200, '-') + "\n"),
            (Blocks{block("foobar"), block("f")}));
  EXPECT_EQ(blocks_of(""), Blocks{});
  EXPECT_EQ(blocks_of("no PEM at all"), Blocks{});
  EXPECT_EQ(blocks_of("-----END THING-----\n"), Blocks{});
}

TEST(Pem, BadBlocks) {
  const Block bad{Event::bad_block};
  const std::string good{foobar};
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\nZm9v!\n-----END THING-----\n" + good), (Blocks{bad, block("foobar")}));
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\nZm9\n-----END THING-----\n" + good), (Blocks{bad, block("foobar")}));
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\nZg==\nZg==\n-----END THING-----\n" + good),
            (Blocks{bad, block("foobar")}));
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\n-x-\nZg==\n-----END THING-----\n" + good),
            (Blocks{bad, block("foobar")}));
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\nProc-Type: 4,ENCRYPTED\n\nZg==\n-----END THING-----\n" + good),
            (Blocks{bad, block("foobar")}));
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\nZm9v\n" + good), (Blocks{bad, block("foobar")})) << "the end is missing";
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\nZm9v\n-----BEGIN OTHER-----\n" + good), (Blocks{bad, block("foobar")}));
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\n\xC3\xA4Zg==\n-----END THING-----\n"), Blocks{bad});
  EXPECT_EQ(blocks_of("-----BEGIN THING-----\n-----END THING-----\n"), Blocks{block("")})
      << "empty, which no reader of DER takes";
}

TEST(Pem, Room) {
  EXPECT_EQ(blocks_of(foobar, PemReader{"THING"}, 6), Blocks{block("foobar")});
  EXPECT_EQ(blocks_of(foobar, PemReader{"THING"}, 5), (Blocks{{Event::too_large, "6"}}));
  EXPECT_EQ(blocks_of(foobar, PemReader{"THING"}, 0), (Blocks{{Event::too_large, "6"}}));
}

TEST(Pem, EveryPrefixIsUnfinished) {
  const std::string_view text = foobar.substr(0, foobar.size() - 1);
  const std::size_t begin_size = std::string_view{"-----BEGIN THING-----"}.size();
  for (std::size_t size = 0; size < text.size(); ++size) {
    PemReader reader{"THING"};
    std::array<std::byte, 16> out{};
    std::string_view rest = text.substr(0, size);
    EXPECT_EQ(reader.read(rest, out), Event::need_more) << size;
    EXPECT_EQ(reader.is_inside(), size >= begin_size) << size;
    EXPECT_TRUE(rest.empty());
  }
}

TEST(Pem, Keys) {
  const PemReader any{PemReader::AnyPrivateKey{}};
  const auto text = [](std::string label) {
    return "-----BEGIN " + label + "-----\nZg==\n-----END " + label + "-----\n";
  };
  for (const char* label : {"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"}) {
    EXPECT_EQ(blocks_of(text("EC PARAMETERS") + text(label), any), Blocks{block("f")}) << label;
  }
  for (const char* label : {"ENCRYPTED PRIVATE KEY", "PUBLIC KEY", "OPENSSH PRIVATE KEY", "CERTIFICATE"}) {
    EXPECT_EQ(blocks_of(text(label), any), Blocks{}) << label;
  }
}

TEST(Pem, DerIsToldFromText) {
  EXPECT_TRUE(is_der_text("\x30\x82\x01\x02"));
  EXPECT_TRUE(is_der_text(std::string_view{"\x30\x00", 2}));
  EXPECT_TRUE(
      is_der_text("\x30\x03"
                  "abc"))
      << "a short length, such as that of a P-256 key";
  EXPECT_FALSE(
      is_der_text("\x30\x03"
                  "ab"));
  EXPECT_FALSE(is_der_text("\x30"));
  EXPECT_FALSE(is_der_text(""));
  EXPECT_FALSE(is_der_text("01 a comment"));
  EXPECT_FALSE(is_der_text(foobar));
}

}  // namespace
}  // namespace pollux::tls
