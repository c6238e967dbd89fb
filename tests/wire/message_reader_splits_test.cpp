// However the bytes of a conversation are cut, what is read is the same; and whatever the bytes are, nothing breaks.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/support/emulated.hpp"
#include "tests/wire/reader_cases.hpp"

namespace pollux::wire {
namespace {

using test::Conversation;
using test::read;
using test::ReadOptions;

std::vector<Conversation> all_conversations() {
  std::vector<Conversation> all = test::request_conversations();
  all.insert(all.end(), test::response_conversations().begin(), test::response_conversations().end());
  return all;
}

std::vector<std::size_t> every_byte(std::size_t size) {
  std::vector<std::size_t> cuts;
  for (std::size_t at = 1; at < size; ++at) {
    cuts.push_back(at);
  }
  return cuts;
}

TEST(MessageReaderSplits, CutInTwoAtEveryPlace) {
  for (const Conversation& c : all_conversations()) {
    for (std::size_t cut = 0; cut <= c.input.size(); ++cut) {
      ASSERT_EQ(read(c.input, c.options, {cut}), c.expected) << c.input << " cut at " << cut;
    }
  }
}

TEST(MessageReaderSplits, ByteByByte) {
  for (const Conversation& c : all_conversations()) {
    EXPECT_EQ(read(c.input, c.options, every_byte(c.input.size())), c.expected) << c.input;
  }
}

TEST(MessageReaderSplits, StreamedOrCollectedWithOrWithoutReservedMemory) {
  for (Conversation c : all_conversations()) {
    for (const bool is_streaming : {false, true}) {
      for (const std::size_t reserve_size : {0, 1, 10}) {
        c.options.is_streaming = is_streaming;
        c.options.reserve_size = reserve_size;
        EXPECT_EQ(read(c.input, c.options), c.expected) << c.input;
        EXPECT_EQ(read(c.input, c.options, every_byte(c.input.size())), c.expected) << c.input;
      }
    }
  }
}

// ---- random messages

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_{seed} {}

  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>{0, bound - 1}(random_); }
  bool one_in(std::size_t n) { return below(n) == 0; }

  std::string request() {
    static const char* const methods[] = {"GET", "POST", "PUT", "M-SEARCH", "get", "OPTIONS"};
    static const char* const names[] = {"Accept", "X-Custom_Header.1", "User-Agent", "etag", "cookie", "If-None-Match"};
    std::string text = methods[below(6)];
    const bool is_old = one_in(4);  // HTTP/1.0 knows no chunks
    text += " /" + word(40) + (is_old ? " HTTP/1.0" : " HTTP/1.1") + line_end() + "Host: " + word(20) + line_end();
    for (std::size_t i = below(8); i > 0; --i) {
      text += std::string{names[below(6)]} + ":" + std::string(below(3), ' ') + word(60) + std::string(below(3), '\t') +
              line_end();
    }
    const std::string body = word(300);
    switch (below(is_old ? 2 : 3)) {
      case 0:
        return text + line_end();
      case 1:
        return text + "Content-Length: " + std::to_string(body.size()) + line_end() + line_end() + body;
      default:
        return text + "Transfer-Encoding: chunked" + line_end() + line_end() + chunks(body);
    }
  }
  // A few bytes changed, taken out, doubled or put in.
  std::string mutate(std::string text) {
    static const std::string marks = std::string{"\r\n :;,\t\x7f\xff/09aZ-\x01"} + '\0';
    for (std::size_t i = 1 + below(3); i > 0 && !text.empty(); --i) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = marks[below(marks.size())];
          break;
        case 1:
          text.erase(at, 1 + below(3));
          break;
        case 2:
          text.insert(at, text.substr(at, 1 + below(20)));
          break;
        default:
          text.insert(at, 1, marks[below(marks.size())]);
          break;
      }
    }
    return text;
  }
  std::vector<std::size_t> cuts(std::size_t size) {
    std::vector<std::size_t> cuts;
    for (std::size_t at = below(40); at < size; at += 1 + below(40)) {
      cuts.push_back(at);
    }
    return cuts;
  }

 private:
  std::string word(std::size_t size_max) {
    std::string text(below(size_max + 1), ' ');
    for (char& c : text) {
      c = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."[below(64)];
    }
    return text;
  }
  std::string line_end() { return one_in(10) ? "\n" : "\r\n"; }
  std::string chunks(std::string_view body) {
    std::string text;
    while (!body.empty()) {
      const std::size_t size = 1 + below(body.size());
      std::array<char, 8> digits{};
      base::TextWriter writer{digits};
      writer.put_hex(size);
      text += std::string{writer.view()} + (one_in(3) ? ";" + word(10) : "") + "\r\n" +
              std::string{body.substr(0, size)} + "\r\n";
      body.remove_prefix(size);
    }
    return text + "0\r\n" + (one_in(3) ? "X-T: " + word(20) + "\r\n" : "") + "\r\n";
  }

  std::mt19937 random_;
};

constexpr std::uint32_t messages = pollux::test::rounds(3000);

TEST(MessageReaderRandom, ValidMessagesAreReadHoweverTheyAreCut) {
  for (std::uint32_t seed = 1; seed <= messages; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Generator generator{seed};
    std::string input;
    const std::size_t count = 1 + generator.below(4);
    for (std::size_t i = 0; i < count; ++i) {
      input += generator.request();
    }
    ReadOptions options{.is_streaming = generator.one_in(2), .input_ends = true, .reserve_size = generator.below(30)};
    const std::string whole = read(input, options);
    ASSERT_EQ(static_cast<std::size_t>(std::count(whole.begin(), whole.end(), '\n')), count) << whole;
    ASSERT_EQ(whole.find("failed"), std::string::npos) << whole;
    ASSERT_EQ(read(input, options, generator.cuts(input.size())), whole);
  }
}

TEST(MessageReaderRandom, MutatedMessagesAreReadTheSameHoweverTheyAreCut) {
  std::size_t refused = 0;
  for (std::uint32_t seed = 1; seed <= messages; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Generator generator{seed};
    const std::string input = generator.mutate(generator.request() + generator.request());
    ReadOptions options{.is_streaming = generator.one_in(2), .input_ends = true};
    const std::string whole = read(input, options);
    refused += whole.find("failed") != std::string::npos ? 1 : 0;
    ASSERT_EQ(read(input, options, generator.cuts(input.size())), whole) << input;
  }
  EXPECT_GT(refused, messages / 10) << "mutations that break nothing test nothing";
  EXPECT_LT(refused, messages) << "and so do those that break everything";
}

// The smallest buffers: messages do not fit, and all that may happen is that the reader says so.
TEST(MessageReaderRandom, TinyBuffersRefuseAndNeverBreak) {
  for (std::uint32_t seed = 1; seed <= messages; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Generator generator{seed};
    const std::string input = generator.mutate(generator.request() + generator.request());
    const ReadOptions options{.buffer_size = 1 + generator.below(200),
                              .table_size = generator.below(6),
                              .head_size_max = 1 + generator.below(300),
                              .is_streaming = generator.one_in(2),
                              .input_ends = true,
                              .reserve_size = generator.below(10)};
    const std::string log = read(input, options, generator.cuts(input.size()));
    ASSERT_FALSE(log.empty());
  }
}

}  // namespace
}  // namespace pollux::wire
