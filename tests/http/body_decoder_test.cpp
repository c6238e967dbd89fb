#include "stack/http/body_decoder.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/heap_guard.hpp"

namespace pollux::http {
namespace {

using namespace std::string_view_literals;

enum class Format { gzip, zlib, bare };

std::string compressed(std::string_view text, Format format, int level = 6) {
  z_stream stream{};
  const int bits = format == Format::gzip ? 15 + 16 : format == Format::zlib ? 15 : -15;
  EXPECT_EQ(deflateInit2(&stream, level, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// Text with some order in it, so that there are matches of all lengths and distances up to the whole window.
std::string mixed_text(std::size_t size) {
  std::string text;
  text.reserve(size + 300);
  std::uint32_t state = 12345;
  while (text.size() < size) {
    state = state * 1664525 + 1013904223;
    const std::size_t length = 3 + (state >> 24);
    if (text.size() > 1000 && (state & 0x100) != 0) {
      const std::size_t at = (state >> 4) % (text.size() - length % text.size());
      text.append(text.substr(at, length));
    } else {
      text.push_back(static_cast<char>(state >> 16));
    }
  }
  text.resize(size);
  return text;
}

DecoderStorage<1> storage;

struct Decoded {
  std::string text;
  DecodeError error = DecodeError::none;
  bool is_complete = false;
};

// Feeds `raw` in pieces, and consumes the output in pieces, without the heap.
Decoded decode(std::string_view raw, ContentCoding coding = ContentCoding::gzip, std::size_t piece = SIZE_MAX,
               std::size_t bite = SIZE_MAX, const DecodeLimits& limits = {.size_max = 0, .ratio_max = 0}) {
  DecoderPool pool{storage.memory()};
  Decoded result;
  const heap_guard::Forbidden no_heap;
  BodyDecoder* decoder = pool.take(coding, limits);
  if (decoder == nullptr) {
    result.error = DecodeError::no_memory;
    return result;
  }
  const auto take_output = [&] {
    const std::string_view output = decoder->output();
    const std::size_t count = std::min(bite, output.size());
    {
      const heap_guard::Allowed bookkeeping;
      result.text.append(output.substr(0, count));
    }
    decoder->consume(count);
    return count;
  };
  std::size_t fed = 0;
  while (fed < raw.size() && decoder->error() == DecodeError::none) {
    const std::size_t taken = decoder->feed(raw.substr(fed, std::min(piece, raw.size() - fed)));
    fed += taken;
    if (take_output() == 0 && taken == 0 && decoder->error() == DecodeError::none) {
      ADD_FAILURE() << "stuck after " << fed;
      break;
    }
  }
  decoder->end_input();
  EXPECT_EQ(decoder->feed("x"), 0U);
  while (take_output() > 0) {
  }
  result.error = decoder->error();
  result.is_complete = decoder->is_complete();
  EXPECT_TRUE(decoder->error() == DecodeError::none || !decoder->is_complete());
  EXPECT_EQ(decoder->decoded(), result.text.size());
  pool.give_back(*decoder);
  return result;
}

void expect_decoded(std::string_view raw, ContentCoding coding, std::string_view want, std::size_t piece = SIZE_MAX,
                    std::size_t bite = SIZE_MAX) {
  SCOPED_TRACE(testing::Message() << "pieces of " << piece << ", bites of " << bite);
  const Decoded decoded = decode(raw, coding, piece, bite);
  EXPECT_EQ(decoded.error, DecodeError::none);
  EXPECT_TRUE(decoded.is_complete);
  EXPECT_TRUE(decoded.text == want) << decoded.text.size() << " bytes";
}

TEST(ContentCoding, IsReadFromAContentEncoding) {
  EXPECT_EQ(content_coding_from(""), ContentCoding::identity);
  EXPECT_EQ(content_coding_from(" Identity "), ContentCoding::identity);
  EXPECT_EQ(content_coding_from("gzip"), ContentCoding::gzip);
  EXPECT_EQ(content_coding_from("GZip"), ContentCoding::gzip);
  EXPECT_EQ(content_coding_from("x-gzip"), ContentCoding::gzip);
  EXPECT_EQ(content_coding_from("deflate"), ContentCoding::deflate);
  EXPECT_EQ(content_coding_from("br"), ContentCoding::unknown);
  EXPECT_EQ(content_coding_from("gzip, gzip"), ContentCoding::unknown);
  EXPECT_EQ(content_coding_from("gzip,"), ContentCoding::unknown);
  EXPECT_EQ(content_coding_from("x-deflate"), ContentCoding::unknown);
}

TEST(BodyDecoder, DecodesAllThreeFormats) {
  for (const std::size_t size : {0, 1, 2, 100, 4095, 4096, 4097, 8192, 70'000}) {
    const std::string text = mixed_text(size);
    expect_decoded(compressed(text, Format::gzip), ContentCoding::gzip, text);
    expect_decoded(compressed(text, Format::zlib), ContentCoding::deflate, text);
    expect_decoded(compressed(text, Format::bare), ContentCoding::deflate, text);
    expect_decoded(compressed(text, Format::gzip, 0), ContentCoding::gzip, text);
    expect_decoded(compressed(text, Format::bare, 0), ContentCoding::deflate, text);
  }
}

TEST(BodyDecoder, TakesPiecesOfEverySize) {
  const std::string text = mixed_text(9'000);
  const std::string gzip = compressed(text, Format::gzip);
  const std::string zlib = compressed(text, Format::zlib);
  const std::string bare = compressed(text, Format::bare);
  for (const std::size_t piece : {1, 2, 3, 5, 7, 10, 11, 64, 1000, 4095, 4096, 4097}) {
    for (const std::size_t bite : {1, 2, 7, 100, 2047, 2048, 4096}) {
      expect_decoded(gzip, ContentCoding::gzip, text, piece, bite);
      expect_decoded(zlib, ContentCoding::deflate, text, piece, bite);
      expect_decoded(bare, ContentCoding::deflate, text, piece, bite);
    }
  }
}

TEST(BodyDecoder, TakesEverySplitOfAShortBody) {
  const std::string gzip = compressed("hello, hello, hello", Format::gzip) + compressed(" world", Format::gzip);
  for (std::size_t at = 0; at <= gzip.size(); ++at) {
    DecoderPool pool{storage.memory()};
    BodyDecoder* decoder = pool.take(ContentCoding::gzip, {});
    ASSERT_NE(decoder, nullptr);
    EXPECT_EQ(decoder->feed(std::string_view{gzip}.substr(0, at)), at);
    EXPECT_EQ(decoder->feed(std::string_view{gzip}.substr(at)), gzip.size() - at);
    decoder->end_input();
    EXPECT_TRUE(decoder->is_complete()) << at;
    EXPECT_EQ(decoder->output(), "hello, hello, hello world") << at;
    pool.give_back(*decoder);
  }
}

// RFC 1952 section 2.2.
TEST(BodyDecoder, DecodesMembersAsOne) {
  const std::string big = mixed_text(50'000);
  const std::string raw = compressed("first ", Format::gzip) + compressed("", Format::gzip) +
                          compressed(big, Format::gzip) + compressed(" last", Format::gzip, 0);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{13}, std::size_t{4096}, SIZE_MAX}) {
    for (const std::size_t bite : {std::size_t{100}, std::size_t{4096}}) {
      expect_decoded(raw, ContentCoding::gzip, "first " + big + " last", piece, bite);
    }
  }
}

TEST(BodyDecoder, ReadsHeadersWithNameCommentExtraFieldAndChecksum) {
  std::string text = "named";
  gz_header header{};
  std::string name = "file.txt";
  std::string comment = "a comment";
  std::string extra = "ext";
  header.name = reinterpret_cast<Bytef*>(name.data());
  header.comment = reinterpret_cast<Bytef*>(comment.data());
  header.extra = reinterpret_cast<Bytef*>(extra.data());
  header.extra_len = 3;
  header.hcrc = 1;
  z_stream stream{};
  ASSERT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  ASSERT_EQ(deflateSetHeader(&stream, &header), Z_OK);
  std::string out(200, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = 5;
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = 200;
  ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  expect_decoded(out, ContentCoding::gzip, "named", 1);
  out[30] = static_cast<char>(out[30] ^ 1);  // in the name: the header's checksum is wrong
  EXPECT_EQ(decode(out).error, DecodeError::malformed);
}

TEST(BodyDecoder, TakesNoByteAsAnEmptyBody) {
  expect_decoded("", ContentCoding::gzip, "");
  expect_decoded("", ContentCoding::deflate, "");
}

TEST(BodyDecoder, NoticesEveryTruncation) {
  const std::string text = mixed_text(5'000);
  for (const auto& [raw, coding] : {std::pair{compressed(text, Format::gzip), ContentCoding::gzip},
                                    std::pair{compressed(text, Format::zlib), ContentCoding::deflate},
                                    std::pair{compressed(text, Format::bare), ContentCoding::deflate}}) {
    for (std::size_t size = 1; size < raw.size(); size += size < 40 || raw.size() - size < 40 ? 1 : 37) {
      const Decoded decoded = decode(std::string_view{raw}.substr(0, size), coding);
      EXPECT_EQ(decoded.error, DecodeError::truncated) << size;
      EXPECT_FALSE(decoded.is_complete);
      EXPECT_TRUE(text.starts_with(decoded.text));
    }
  }
}

TEST(BodyDecoder, NoticesATruncatedSecondMember) {
  const std::string raw = compressed("one", Format::gzip) + compressed("two", Format::gzip);
  const std::size_t first = compressed("one", Format::gzip).size();
  EXPECT_EQ(decode(std::string_view{raw}.substr(0, first)).error, DecodeError::none);
  for (std::size_t size = first + 1; size < raw.size(); ++size) {
    EXPECT_EQ(decode(std::string_view{raw}.substr(0, size)).error, DecodeError::truncated) << size;
  }
}

TEST(BodyDecoder, NoticesAWrongChecksumAndAWrongLength) {
  const std::string text = mixed_text(5'000);
  const std::string gzip = compressed(text, Format::gzip);
  for (std::size_t from_end = 1; from_end <= 8; ++from_end) {
    std::string raw = gzip;
    raw[raw.size() - from_end] = static_cast<char>(raw[raw.size() - from_end] ^ 0x20);
    const Decoded decoded = decode(raw);
    EXPECT_EQ(decoded.error, DecodeError::malformed) << from_end;
    EXPECT_FALSE(decoded.is_complete);
    EXPECT_TRUE(decoded.text == text);  // what came before the error is there
  }
  std::string raw = compressed(text, Format::zlib);
  raw.back() = static_cast<char>(raw.back() ^ 1);
  EXPECT_EQ(decode(raw, ContentCoding::deflate).error, DecodeError::malformed);
}

TEST(BodyDecoder, RefusesWhatIsNotThisCoding) {
  EXPECT_EQ(decode("plain text, no gzip").error, DecodeError::malformed);
  EXPECT_EQ(decode(compressed("x", Format::zlib)).error, DecodeError::malformed);
  EXPECT_EQ(decode("\x1f\x8b\x07\0"sv).error, DecodeError::malformed);    // another method
  EXPECT_EQ(decode("\x1f\x8b\x08\xe0"sv).error, DecodeError::malformed);  // reserved flags
  EXPECT_EQ(decode("<html></html>", ContentCoding::deflate).error, DecodeError::malformed);
  EXPECT_EQ(decode("\x78\xbb\x00\x00\x00\x00"sv, ContentCoding::deflate).error,
            DecodeError::malformed);                                                      // a dictionary
  EXPECT_EQ(decode("\x07\x07"sv, ContentCoding::deflate).error, DecodeError::malformed);  // bad block type
}

TEST(BodyDecoder, RefusesBytesBehindTheEnd) {
  for (const std::string_view garbage : {"x"sv, "\0"sv, "\0\0\0\0\0\0\0\0"sv, "\x1fx"sv, "\r\n"sv}) {
    for (const std::size_t piece : {std::size_t{1}, SIZE_MAX}) {
      const Decoded decoded = decode(compressed("body", Format::gzip).append(garbage), ContentCoding::gzip, piece);
      EXPECT_EQ(decoded.error, DecodeError::malformed) << garbage.size();
      EXPECT_EQ(decoded.text, "body");
      EXPECT_EQ(decode(compressed("body", Format::zlib).append(garbage), ContentCoding::deflate, piece).error,
                DecodeError::malformed);
      EXPECT_EQ(decode(compressed("body", Format::bare).append(garbage), ContentCoding::deflate, piece).error,
                DecodeError::malformed);
    }
  }
}

TEST(BodyDecoder, StopsAtItsSize) {
  const std::string text = mixed_text(10'000);
  const std::string raw = compressed(text, Format::gzip);
  for (const std::uint64_t size_max : {1, 4095, 4096, 4097, 9'999}) {
    const Decoded decoded = decode(raw, ContentCoding::gzip, 777, SIZE_MAX, {.size_max = size_max});
    EXPECT_EQ(decoded.error, DecodeError::too_large);
    EXPECT_EQ(decoded.text.size(), size_max);  // and not a byte more
    EXPECT_TRUE(text.starts_with(decoded.text));
  }
  for (const std::uint64_t size_max : {10'000, 10'001}) {
    EXPECT_EQ(decode(raw, ContentCoding::gzip, 777, SIZE_MAX, {.size_max = size_max}).error, DecodeError::none);
  }
  EXPECT_EQ(decode(compressed("", Format::gzip), ContentCoding::gzip, 1, 1, {.size_max = 1}).error, DecodeError::none);
}

TEST(BodyDecoder, StopsABombByItsRatio) {
  const std::string bomb = compressed(std::string(20'000'000, '\0'), Format::gzip, 9);
  const Decoded stopped = decode(bomb, ContentCoding::gzip, 1000);
  EXPECT_EQ(stopped.error, DecodeError::none);  // without limits
  const Decoded decoded = decode(bomb, ContentCoding::gzip, 1000, SIZE_MAX, {});
  EXPECT_EQ(decoded.error, DecodeError::ratio);
  EXPECT_GT(decoded.text.size(), std::size_t{16} << 20);
  EXPECT_LE(decoded.text.size(), (std::size_t{16} << 20) + decoder_output_size);
  // Several small bombs in a row are one.
  const DecodeLimits limits{.ratio_from = 1 << 20};
  std::string row;
  const std::string small = compressed(std::string(500'000, 'a'), Format::gzip, 9);
  for (int i = 0; i < 4; ++i) {
    row += small;
  }
  EXPECT_EQ(decode(small, ContentCoding::gzip, 50, SIZE_MAX, limits).error, DecodeError::none);
  EXPECT_EQ(decode(row, ContentCoding::gzip, 50, SIZE_MAX, limits).error, DecodeError::ratio);
  EXPECT_EQ(decode(row, ContentCoding::gzip, 50, SIZE_MAX, {.ratio_max = 1100, .ratio_from = 1 << 20}).error,
            DecodeError::none);
}

TEST(BodyDecoder, CountsTheRatioFromTheFirstByteOn) {
  // 1,000 bytes that do not compress, then zeros: the average of the whole counts.
  std::string text = mixed_text(1'000);
  text.append(99'000, '\0');
  const std::string raw = compressed(text, Format::gzip, 9);
  const auto ratio = static_cast<std::uint32_t>(text.size() / raw.size());
  ASSERT_GT(ratio, 4U);
  EXPECT_EQ(decode(raw, ContentCoding::gzip, 100, 4096, {.ratio_max = ratio * 2, .ratio_from = 0}).error,
            DecodeError::none);
  EXPECT_EQ(decode(raw, ContentCoding::gzip, 100, 4096, {.ratio_max = ratio / 2, .ratio_from = 0}).error,
            DecodeError::ratio);
}

TEST(BodyDecoder, TakesNothingWhileItsOutputIsFull) {
  const std::string text = mixed_text(20'000);
  const std::string raw = compressed(text, Format::gzip);
  DecoderPool pool{storage.memory()};
  BodyDecoder* decoder = pool.take(ContentCoding::gzip, {});
  ASSERT_NE(decoder, nullptr);
  const std::size_t taken = decoder->feed(raw);
  EXPECT_LT(taken, raw.size());
  EXPECT_EQ(decoder->output().size(), decoder_output_size);
  EXPECT_EQ(decoder->feed(std::string_view{raw}.substr(taken)), 0U);
  EXPECT_FALSE(decoder->is_complete());
  decoder->consume(decoder_output_size / 2);
  EXPECT_GT(decoder->feed(std::string_view{raw}.substr(taken)), 0U);
  pool.give_back(*decoder);  // in the middle of it
  EXPECT_EQ(pool.used(), 0U);
}

// The window, members, and both formats: nothing makes zlib ask for more than was measured.
TEST(BodyDecoder, StaysWithinItsArena) {
  const std::string text = mixed_text(200'000);
  std::string members;
  for (int i = 0; i < 20; ++i) {
    members += compressed(text, Format::gzip);
  }
  const Decoded decoded = decode(members, ContentCoding::gzip, 4096);
  EXPECT_EQ(decoded.error, DecodeError::none);
  EXPECT_EQ(decoded.text.size(), 20 * text.size());
  static_assert(sizeof(DecoderStorage<1>) <= 49 * 1024);
}

TEST(DecoderPool, HasSoManyAndCounts) {
  static DecoderStorage<2> two;
  DecoderPool pool{two.memory()};
  EXPECT_TRUE(DecoderPool::is_built());
  EXPECT_TRUE(pool.has_free());
  BodyDecoder* first = pool.take(ContentCoding::gzip, {});
  BodyDecoder* second = pool.take(ContentCoding::deflate, {});
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_FALSE(pool.has_free());
  EXPECT_EQ(pool.take(ContentCoding::gzip, {}), nullptr);
  EXPECT_EQ(pool.refused(), 1U);
  // Two at the same time do not touch each other.
  const std::string gzip = compressed("first", Format::gzip);
  const std::string bare = compressed("second", Format::bare);
  for (std::size_t i = 0; i < std::max(gzip.size(), bare.size()); ++i) {
    EXPECT_EQ(first->feed(std::string_view{gzip}.substr(std::min(i, gzip.size()), 1)), i < gzip.size() ? 1U : 0U);
    EXPECT_EQ(second->feed(std::string_view{bare}.substr(std::min(i, bare.size()), 1)), i < bare.size() ? 1U : 0U);
  }
  EXPECT_EQ(first->output(), "first");
  EXPECT_EQ(second->output(), "second");
  pool.give_back(*first);
  pool.give_back(*second);
  EXPECT_EQ(pool.used_max(), 2U);
  EXPECT_EQ(pool.used(), 0U);
}

TEST(DecoderPool, MayBeEmptyAndRefusesOtherCodings) {
  DecoderStorage<0> nothing;
  DecoderPool none{nothing.memory()};
  EXPECT_FALSE(none.has_free());
  EXPECT_EQ(none.take(ContentCoding::gzip, {}), nullptr);
  DecoderPool pool{storage.memory()};
  EXPECT_EQ(pool.take(ContentCoding::identity, {}), nullptr);
  EXPECT_EQ(pool.take(ContentCoding::unknown, {}), nullptr);
  EXPECT_EQ(pool.used(), 0U);
}

}  // namespace
}  // namespace pollux::http
