#include "stack/wire/chunked.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pollux::wire {
namespace {

using namespace std::string_literals;
using Event = ChunkedDecoder::Event;

struct Decoded {
  Event event = Event::need_more;
  std::string payload;
  std::string rest;  // what was not read
};

bool operator==(const Decoded& a, const Decoded& b) {
  return a.event == b.event && a.payload == b.payload && a.rest == b.rest;
}
std::ostream& operator<<(std::ostream& out, const Decoded& decoded) {
  return out << static_cast<int>(decoded.event) << " '" << decoded.payload << "' rest '" << decoded.rest << "'";
}

// Decodes `text` in pieces of `piece_size` bytes, each in place.
Decoded decode(const std::string& text, std::size_t piece_size = SIZE_MAX) {
  ChunkedDecoder decoder;
  Decoded decoded;
  for (std::size_t at = 0; at < text.size();) {
    std::string piece = text.substr(at, piece_size);
    const auto outcome = decoder.decode(piece, piece.data());
    decoded.payload += piece.substr(0, outcome.written);
    decoded.event = outcome.event;
    at += outcome.read;
    if (outcome.event != Event::need_more) {
      decoded.rest = text.substr(at);
      break;
    }
    EXPECT_EQ(outcome.read, piece.size()) << "need_more uses all there is";
  }
  return decoded;
}

struct Case {
  std::string text;
  Decoded expected;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"3\r\nfoo\r\n3\r\nbar\r\n0\r\n\r\n", {Event::last, "foobar", "\r\n"}},
      {"0\r\nX-T: v\r\n\r\n", {Event::last, "", "X-T: v\r\n\r\n"}},
      {"00000000\r\n", {Event::last, "", ""}},
      {"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n", {Event::last, "01234567890123456789", ""}},
      {"3;ext=1\r\nfoo\r\n0;x\r\n", {Event::last, "foo", ""}},
      {"3;a=\"q;\\\"uoted\" ; b\r\nfoo\r\n0\r\n", {Event::last, "foo", ""}},
      {"3;\xc3\xa9\tx\r\nfoo\r\n0\r\n", {Event::last, "foo", ""}},
      {"3 \r\nfoo\r\n0\r\n", {Event::last, "foo", ""}},
      {"3 \t ;x\r\nfoo\r\n0 \r\n", {Event::last, "foo", ""}},
      {"0000000000000003\r\nfoo\r\n0\r\n", {Event::last, "foo", ""}},
      {"7fffffffffffffff\r\nabc", {Event::need_more, "abc", ""}},
      {"3\r\nfo", {Event::need_more, "fo", ""}},
      // Refused; the byte that is wrong is the first of the rest.
      {"00000000000000003\r\nfoo\r\n", {Event::failed, "", "3\r\nfoo\r\n"}},
      {"FFFFFFFFFFFFFFFFF\r\n", {Event::failed, "", "F\r\n"}},
      {"8000000000000000\r\nabc", {Event::failed, "", "\nabc"}},
      {"ffffffffffffffff\r\nabc", {Event::failed, "", "\nabc"}},
      {"0x3\r\nfoo\r\n", {Event::failed, "", "x3\r\nfoo\r\n"}},
      {"+3\r\nfoo\r\n", {Event::failed, "", "+3\r\nfoo\r\n"}},
      {"-3\r\nfoo\r\n", {Event::failed, "", "-3\r\nfoo\r\n"}},
      {" 3\r\nfoo\r\n", {Event::failed, "", " 3\r\nfoo\r\n"}},
      {"\r\nfoo\r\n", {Event::failed, "", "\r\nfoo\r\n"}},
      {";x\r\nfoo\r\n", {Event::failed, "", ";x\r\nfoo\r\n"}},
      {"3 4\r\nfoo\r\n", {Event::failed, "", "4\r\nfoo\r\n"}},
      {"g\r\n", {Event::failed, "", "g\r\n"}},
      {"3\nfoo\r\n", {Event::failed, "", "\nfoo\r\n"}},
      {"3;x\nfoo\r\n", {Event::failed, "", "\nfoo\r\n"}},
      {"3\rfoo\r\n", {Event::failed, "", "foo\r\n"}},
      {"3;a\rb\r\nfoo\r\n", {Event::failed, "", "b\r\nfoo\r\n"}},
      {"3;a\x00"s + "b\r\nfoo\r\n", {Event::failed, "", "\0b\r\nfoo\r\n"s}},
      {"3;a\x7f\r\nfoo\r\n", {Event::failed, "", "\x7f\r\nfoo\r\n"}},
      {"3\r\nfoo\n0\r\n", {Event::failed, "foo", "\n0\r\n"}},
      {"3\r\nfoo\rx", {Event::failed, "foo", "x"}},
      {"3\r\nfooo\r\n", {Event::failed, "foo", "o\r\n"}},
      {"3\r\nfo\r\n0\r\n", {Event::failed, "fo\r", "\n0\r\n"}},
  };
  return all;
}

TEST(ChunkedDecoder, DecodesOrRefusesEachCase) {
  for (const Case& c : cases()) {
    EXPECT_EQ(decode(c.text), c.expected) << c.text;
  }
}

TEST(ChunkedDecoder, PiecesOfEverySizeGiveTheSame) {
  for (const Case& c : cases()) {
    for (std::size_t piece_size = 1; piece_size <= c.text.size(); ++piece_size) {
      EXPECT_EQ(decode(c.text, piece_size), c.expected) << c.text << " by " << piece_size;
    }
  }
}

TEST(ChunkedDecoder, StaysFailedAndStaysAtTheTrailer) {
  ChunkedDecoder failed;
  std::string wrong = "x";
  EXPECT_EQ(failed.decode(wrong, wrong.data()).event, Event::failed);
  std::string right = "3\r\nfoo\r\n";
  const auto outcome = failed.decode(right, right.data());
  EXPECT_EQ(outcome.event, Event::failed);
  EXPECT_EQ(outcome.read, 0U);

  ChunkedDecoder done;
  std::string last = "0\r\n";
  EXPECT_EQ(done.decode(last, last.data()).event, Event::last);
  EXPECT_TRUE(done.is_at_trailer());
  EXPECT_EQ(done.decode(right, right.data()).event, Event::last);
  EXPECT_EQ(done.decode({}, nullptr).event, Event::last);
}

TEST(ChunkedDecoder, TellsWhatIsLeftOfAChunk) {
  ChunkedDecoder decoder;
  std::string text = "10\r\nabc";
  EXPECT_EQ(decoder.chunk_remaining(), 0U);
  EXPECT_EQ(decoder.decode(text, text.data()).event, Event::need_more);
  EXPECT_EQ(decoder.chunk_remaining(), 13U);
}

// Behind 16 KiB of payload, so that it is the length of the line and not the overhead that is looked at.
TEST(ChunkedDecoder, ASizeLineMayBeAsLongAsTheLimitAndNoLonger) {
  const std::string before = "4000\r\n" + std::string(0x4000, 'p') + "\r\n";
  for (const std::size_t piece_size : {SIZE_MAX, std::size_t{1}, std::size_t{1000}}) {
    for (const auto& [size, event] :
         {std::pair{chunk_line_size_max - 1, Event::last}, std::pair{chunk_line_size_max, Event::last},
          std::pair{chunk_line_size_max + 1, Event::failed}}) {
      const std::string line = "0;" + std::string(size - 2, 'x');
      EXPECT_EQ(decode(before + line + "\r\n", piece_size).event, event) << size << " by " << piece_size;
    }
  }
}

// Each chunk of one byte earns 16 + 2 bytes and its line is charged with its size and CRLF.
TEST(ChunkedDecoder, OverheadMayReachTheLimitAndNotPassIt) {
  const auto chunk_costing = [](std::size_t overhead) {  // net of what the chunk earns
    return "1;" + std::string(overhead + 16 + 2 - 2 - 2, 'x') + "\r\na\r\n";
  };
  std::string text;
  for (int i = 0; i < 16; ++i) {
    text += chunk_costing(chunk_overhead_max / 16);
  }
  EXPECT_EQ(decode(text).event, Event::need_more) << "exactly the limit";
  EXPECT_EQ(decode(text + "1;" + std::string(15, 'x') + "\r\na").event, Event::failed) << "one more byte";
  EXPECT_EQ(decode(text + "1;" + std::string(14, 'x') + "\r\na").event, Event::need_more) << "no more";
  EXPECT_EQ(decode(text + "100\r\n" + std::string(0x100, 'p') + "\r\n" + chunk_costing(400)).event, Event::need_more)
      << "payload earns overhead";
}

TEST(ChunkedDecoder, ManySmallChunksAreNoOverhead) {
  ChunkedDecoder decoder;
  for (int i = 0; i < 100'000; ++i) {
    std::string text = "1\r\na\r\n";
    ASSERT_EQ(decoder.decode(text, text.data()).event, Event::need_more);
  }
}

TEST(ChunkedDecoder, WritesToAnotherPlaceInFrontOfItsInput) {
  std::string buffer = "....3\r\nfoo\r\n2\r\nab\r\n0\r\n";
  ChunkedDecoder decoder;
  const auto outcome = decoder.decode(std::span{buffer}.subspan(4), buffer.data());
  EXPECT_EQ(outcome.event, Event::last);
  EXPECT_EQ(buffer.substr(0, outcome.written), "fooab");
  EXPECT_EQ(outcome.read, buffer.size() - 4);
}

}  // namespace
}  // namespace pollux::wire
