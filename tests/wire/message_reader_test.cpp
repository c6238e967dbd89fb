#include "stack/wire/message_reader.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/wire/reader_cases.hpp"

namespace pollux::wire {
namespace {

using test::read;
using test::Reading;
using test::ReadOptions;

constexpr std::string_view small_get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view saw_small_get = "GET / HTTP/1.1 {Host=h}; none keep; ; complete\n";

TEST(MessageReader, RequestsAreReadOrRefused) {
  for (const test::Conversation& c : test::request_conversations()) {
    EXPECT_EQ(read(c.input, c.options), c.expected) << c.input;
  }
}

TEST(MessageReader, ResponsesAreReadOrRefused) {
  for (const test::Conversation& c : test::response_conversations()) {
    EXPECT_EQ(read(c.input, c.options), c.expected) << c.input;
  }
}

// ---- a reader by hand

struct Hand {
  explicit Hand(std::size_t size = 512, MessageReader::Kind kind = MessageReader::Kind::request,
                std::size_t head_size_max = 256)
      : memory(size), in{memory}, reader{kind, table, head_size_max} {
    reader.start();
  }
  ReadEvent say(std::string_view text) {
    EXPECT_EQ(in.append(text), text.size());
    return reader.advance(in);
  }
  ReadEvent advance() { return reader.advance(in); }

  std::vector<char> memory;
  std::array<Field, 8> table{};
  base::Buffer in;
  MessageReader reader;
};

TEST(MessageReader, ReportsTheHeadOnceThenTheBodyThenTheEnd) {
  Hand hand;
  EXPECT_EQ(hand.reader.state(), MessageReader::State::head);
  EXPECT_EQ(hand.say("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r"), ReadEvent::need_more);
  EXPECT_EQ(hand.say("\nab"), ReadEvent::head);
  EXPECT_EQ(hand.reader.request().target, "/x");
  EXPECT_EQ(hand.reader.head_size(), 48U);
  EXPECT_EQ(hand.reader.body_remaining(), 6U);
  EXPECT_EQ(hand.reader.body(hand.in), "");
  EXPECT_EQ(hand.advance(), ReadEvent::body);
  EXPECT_EQ(hand.reader.body(hand.in), "ab");
  EXPECT_EQ(hand.advance(), ReadEvent::need_more);
  EXPECT_EQ(hand.say("cd"), ReadEvent::body);
  EXPECT_EQ(hand.reader.body(hand.in), "abcd");
  EXPECT_EQ(hand.reader.body_received(), 4U);
  EXPECT_EQ(hand.reader.body_remaining(), 2U);
  hand.reader.consume_body(3);
  EXPECT_EQ(hand.reader.body(hand.in), "d");
  EXPECT_EQ(hand.say("efGET"), ReadEvent::complete) << "with the last byte";
  EXPECT_EQ(hand.reader.body(hand.in), "def");
  EXPECT_EQ(hand.reader.body_remaining(), 0U);
  EXPECT_EQ(hand.advance(), ReadEvent::complete) << "again";
  EXPECT_EQ(hand.reader.request().target, "/x") << "the head stays until release";
  hand.reader.release(hand.in);
  EXPECT_EQ(hand.reader.state(), MessageReader::State::idle);
  EXPECT_EQ(hand.in.data(), "GET");
  EXPECT_FALSE(hand.reader.is_between_messages(hand.in));
  EXPECT_EQ(hand.advance(), ReadEvent::need_more) << "idle until start()";
}

TEST(MessageReader, StaysFailedUntilStarted) {
  Hand hand;
  EXPECT_EQ(hand.say("GET / HTTP/3.0\r\n\r\n"), ReadEvent::failed);
  EXPECT_EQ(hand.reader.error(), ReadError::head);
  EXPECT_EQ(hand.advance(), ReadEvent::failed);
  EXPECT_EQ(hand.reader.input_ended(hand.in), ReadEvent::failed);
  EXPECT_EQ(hand.reader.error(), ReadError::head);
  hand.in.clear();
  hand.reader.start();
  EXPECT_EQ(hand.reader.error(), ReadError::none);
  EXPECT_EQ(hand.say(small_get), ReadEvent::head);
}

TEST(MessageReader, IsBetweenMessagesOnlyWithoutAByte) {
  Hand hand;
  EXPECT_TRUE(hand.reader.is_between_messages(hand.in));
  EXPECT_EQ(hand.say("G"), ReadEvent::need_more);
  EXPECT_FALSE(hand.reader.is_between_messages(hand.in));
  EXPECT_EQ(hand.say(std::string{small_get.substr(1)}), ReadEvent::head);
  EXPECT_FALSE(hand.reader.is_between_messages(hand.in));
  hand.reader.release(hand.in);
  EXPECT_TRUE(hand.reader.is_between_messages(hand.in));
}

TEST(MessageReader, NoiseIsRefusedAtItsFirstByte) {
  EXPECT_EQ(Hand{}.say("\x16"), ReadEvent::failed);
  EXPECT_EQ(Hand{}.say("\r"), ReadEvent::failed);
  EXPECT_EQ(Hand{}.say("{"), ReadEvent::failed);
  EXPECT_EQ(Hand{}.say("~"), ReadEvent::need_more);
  EXPECT_EQ((Hand{512, MessageReader::Kind::response}.say("h")), ReadEvent::failed);
  EXPECT_EQ((Hand{512, MessageReader::Kind::response}.say("H")), ReadEvent::need_more);
}

TEST(MessageReader, TheEndOfInputInEachState) {
  {
    Hand hand;
    EXPECT_EQ(hand.reader.input_ended(hand.in), ReadEvent::need_more) << "head, no byte";
  }
  {
    Hand hand;
    hand.in.append("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(hand.reader.input_ended(hand.in), ReadEvent::head) << "what is in the buffer counts";
    EXPECT_EQ(hand.advance(), ReadEvent::complete);
    EXPECT_EQ(hand.reader.input_ended(hand.in), ReadEvent::complete);
    hand.reader.release(hand.in);
    EXPECT_EQ(hand.reader.input_ended(hand.in), ReadEvent::need_more) << "idle";
  }
  {
    Hand hand{512, MessageReader::Kind::response};
    EXPECT_EQ(hand.say("HTTP/1.1 200 OK\r\n\r\n"), ReadEvent::head);
    EXPECT_EQ(hand.reader.body_remaining(), UINT64_MAX);
    EXPECT_EQ(hand.say("ab"), ReadEvent::body);
    EXPECT_EQ(hand.advance(), ReadEvent::need_more);
    hand.in.append("cd");
    EXPECT_EQ(hand.reader.input_ended(hand.in), ReadEvent::complete) << "until close";
    EXPECT_EQ(hand.reader.body(hand.in), "abcd");
  }
  for (const std::string_view body : {"Content-Length: 3\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n3\r\nab"}) {
    Hand hand;
    EXPECT_EQ(hand.say("PUT / HTTP/1.1\r\nHost: h\r\n" + std::string{body}), ReadEvent::head);
    EXPECT_EQ(hand.reader.input_ended(hand.in), ReadEvent::failed) << body;
    EXPECT_EQ(hand.reader.error(), ReadError::ended_early) << body;
    EXPECT_EQ(hand.reader.body_received(), 2U) << body;
  }
}

// ---- limits

std::string get_of_size(std::size_t size) {
  const std::string rest = "GET / HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n";
  return "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(size - rest.size(), 'x') + "\r\n\r\n";
}

TEST(MessageReader, AHeadMayHaveItsLimitAndNoMore) {
  for (const std::string& behind :
       {std::string{}, std::string(300, 'G')}) {  // the next message must not change the outcome
    for (const std::size_t piece : {std::size_t{1}, std::size_t{64}, std::size_t{2000}}) {
      for (const std::size_t size : {255, 256, 257}) {
        const std::string input = get_of_size(size) + behind;
        Reading reading{{.head_size_max = 256}};
        for (std::size_t at = 0; at < input.size(); at += piece) {
          reading.feed(std::string_view{input}.substr(at, piece));
        }
        const bool is_refused = reading.log().starts_with("failed head too_large");
        EXPECT_EQ(is_refused, size == 257) << size << " by " << piece << ": " << reading.log();
      }
    }
  }
}

TEST(MessageReader, AHeadThatDoesNotFitTheBufferIsTooLarge) {
  EXPECT_EQ(read(get_of_size(127), {.buffer_size = 128}).substr(0, 4), "GET ");
  EXPECT_EQ(read(get_of_size(128), {.buffer_size = 128}).substr(0, 4), "GET ");
  EXPECT_EQ(read(get_of_size(129), {.buffer_size = 128}), "failed head too_large");
  // Behind another message it is moved to the front instead.
  EXPECT_EQ(read(std::string{small_get} + get_of_size(128), {.buffer_size = 128}).substr(0, saw_small_get.size() + 4),
            std::string{saw_small_get} + "GET ");
  EXPECT_EQ(read(std::string{small_get} + get_of_size(129), {.buffer_size = 128}),
            std::string{saw_small_get} + "failed head too_large");
}

TEST(MessageReader, FieldsMayFillTheTableAndNoMore) {
  const std::string input = "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
  EXPECT_EQ(read(input, {.table_size = 3}).substr(0, 4), "GET ");
  EXPECT_EQ(read(input, {.table_size = 2}).substr(0, 4), "GET ");
  EXPECT_EQ(read(input, {.table_size = 1}), "failed head too_many_fields");
}

std::string chunked_with(const std::string& trailer) {
  return "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n" + trailer + "\r\n";
}

TEST(MessageReader, TrailersTakeWhatTheHeadLeftOfTheTable) {
  const std::string input = chunked_with("A: 1\r\nB: 2\r\n");
  EXPECT_TRUE(read(input, {.table_size = 5}).ends_with("; a; trailer {A=1, B=2}; complete\n"));
  EXPECT_TRUE(read(input, {.table_size = 4}).ends_with("; a; trailer {A=1, B=2}; complete\n"));
  EXPECT_TRUE(read(input, {.table_size = 3}).ends_with("; failed trailer after 1"));
  EXPECT_TRUE(read(input, {.table_size = 2}).ends_with("; failed trailer after 1"));
  EXPECT_TRUE(read(chunked_with(""), {.table_size = 2}).ends_with("; a; complete\n"));
}

TEST(MessageReader, ATrailerSectionMayHaveItsLimitAndNoMore) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, std::size_t{10000}}) {
    for (const std::size_t size : {trailer_size_max - 1, trailer_size_max, trailer_size_max + 1}) {
      const std::string input = chunked_with("X: " + std::string(size - 7, 'x') + "\r\n");
      Reading reading{{.buffer_size = 8192}};
      for (std::size_t at = 0; at < input.size(); at += piece) {
        reading.feed(std::string_view{input}.substr(at, piece));
      }
      EXPECT_EQ(reading.log().ends_with("complete\n"), size <= trailer_size_max) << size << " by " << piece;
      EXPECT_EQ(reading.log().ends_with("failed trailer after 1"), size > trailer_size_max) << size << " by " << piece;
    }
  }
}

TEST(MessageReader, ATrailerSectionThatDoesNotFitTheBufferFails) {
  const std::string input = chunked_with("X: " + std::string(200, 'x') + "\r\n");
  EXPECT_TRUE(read(input, {.buffer_size = 128, .is_streaming = true}).ends_with("; failed trailer after 1"));
  EXPECT_TRUE(read(input, {.buffer_size = 512, .is_streaming = true}).ends_with("; complete\n"));
}

// ---- memory

TEST(MessageReader, ABodyStreamsThroughABufferMuchSmaller) {
  const std::string head = "PUT / HTTP/1.1\r\nHost: h\r\n";
  std::string body;
  std::string chunks;
  for (int i = 0; i < 2000; ++i) {
    const std::string piece = std::to_string(i) + std::string(static_cast<std::size_t>(i % 40), '.');
    std::array<char, 8> digits{};
    base::TextWriter size{digits};
    size.put_hex(piece.size());
    body += piece;
    chunks += std::string{size.view()} + ";x=y\r\n" + piece + "\r\n";
  }
  ASSERT_GT(body.size(), 40'000U);
  const std::string length = std::to_string(body.size());
  const ReadOptions tiny{.buffer_size = 96, .is_streaming = true};
  EXPECT_EQ(read(head + "Content-Length: " + length + "\r\n\r\n" + body + std::string{small_get}, tiny),
            "PUT / HTTP/1.1 {Host=h, Content-Length=" + length + "}; sized " + length + " keep; " + body +
                "; complete\n" + std::string{saw_small_get});
  EXPECT_EQ(
      read(head + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\nX: y\r\n\r\n" + std::string{small_get}, tiny),
      "PUT / HTTP/1.1 {Host=h, Transfer-Encoding=chunked}; chunked keep; " + body + "; trailer {X=y}; complete\n" +
          std::string{saw_small_get});
}

TEST(MessageReader, ACollectedBodyHasAllMemoryBehindTheHead) {
  const std::string head = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto options = [&head](std::size_t room) { return ReadOptions{.buffer_size = head.size() + room}; };
  const std::string chunks = "5\r\n01234\r\n5\r\n56789\r\n";  // size lines are squeezed out by make_room()
  EXPECT_TRUE(read(head + chunks + "0\r\n\r\n", options(12)).ends_with("; 0123456789; complete\n"));
  EXPECT_TRUE(read(head + chunks + "0\r\n\r\n", options(10)).ends_with("; no room"));
  const std::string sized = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n";
  for (const std::string& before : {std::string{}, std::string{small_get}}) {  // what came before takes nothing away
    EXPECT_TRUE(
        read(before + sized + "0123456789", {.buffer_size = sized.size() + 10}).ends_with("; 0123456789; complete\n"));
    EXPECT_TRUE(read(before + sized + "0123456789", {.buffer_size = sized.size() + 9}).ends_with("; no room"));
  }
}

TEST(MessageReader, MakeRoomKeepsHeadBodyAndWhatFollows) {
  Hand hand;
  EXPECT_EQ(hand.say("PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\nde"),
            ReadEvent::head);
  EXPECT_EQ(hand.advance(), ReadEvent::body);
  hand.reader.consume_body(1);
  const std::size_t size_before = hand.in.size();
  hand.reader.make_room(hand.in);
  EXPECT_EQ(size_before - hand.in.size(), std::size_t{1 + 3 + 2 + 3}) << "the consumed byte, two size lines, one CRLF";
  EXPECT_EQ(hand.reader.body(hand.in), "bcde");
  EXPECT_EQ(hand.reader.request().target, "/x");
  hand.reader.make_room(hand.in);
  EXPECT_EQ(hand.reader.body(hand.in), "bcde") << "nothing more to win";
  EXPECT_EQ(hand.say("f\r\n0\r\nX: y\r\n\r\nGET"), ReadEvent::complete);
  EXPECT_EQ(hand.reader.trailers().get("x"), "y");
  hand.reader.make_room(hand.in);
  EXPECT_EQ(hand.reader.trailers().size(), 0U) << "squeezed out";
  EXPECT_EQ(hand.reader.body(hand.in), "bcdef");
  EXPECT_EQ(hand.reader.request().fields.get(FieldId::host), "h");
  hand.reader.release(hand.in);
  EXPECT_EQ(hand.in.data(), "GET");
}

TEST(MessageReader, ReserveOpensMemoryBehindTheHead) {
  Hand hand;
  EXPECT_EQ(hand.say("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET"), ReadEvent::head);
  const std::span<char> first = hand.reader.reserve(hand.in, 4);
  const std::span<char> second = hand.reader.reserve(hand.in, 2);
  ASSERT_EQ(first.size(), 4U);
  ASSERT_EQ(second.size(), 2U);
  std::fill(first.begin(), first.end(), '1');
  std::fill(second.begin(), second.end(), '2');
  EXPECT_EQ(hand.advance(), ReadEvent::complete);
  EXPECT_EQ(hand.reader.body(hand.in), "abc");
  hand.reader.consume_body(1);
  hand.reader.make_room(hand.in);
  EXPECT_EQ(hand.reader.body(hand.in), "bc");
  EXPECT_EQ((std::string_view{first.data(), first.size()}), "1111");
  EXPECT_EQ((std::string_view{second.data(), second.size()}), "22");
  EXPECT_EQ(hand.reader.request().target, "/x");
  hand.reader.release(hand.in);
  EXPECT_EQ(hand.in.data(), "GET");
}

TEST(MessageReader, ReserveTakesWhatEarlierMessagesLeftInFront) {
  Hand hand;
  hand.in.append(small_get);
  hand.in.append("GET /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c");
  EXPECT_EQ(hand.advance(), ReadEvent::head);
  EXPECT_EQ(hand.advance(), ReadEvent::complete);
  hand.reader.release(hand.in);
  hand.reader.start();
  EXPECT_EQ(hand.advance(), ReadEvent::head);
  const char* const data = hand.in.data().data();
  const std::span<char> all = hand.reader.reserve(hand.in, small_get.size());
  ASSERT_EQ(all.size(), small_get.size());
  EXPECT_LT(all.data(), data);
  std::fill(all.begin(), all.end(), '1');
  const std::span<char> more = hand.reader.reserve(hand.in, 1);
  ASSERT_EQ(more.size(), 1U);
  EXPECT_GT(more.data(), data) << "the front is given away";
  more[0] = '2';
  EXPECT_EQ(hand.reader.request().target, "/b");
  EXPECT_EQ(hand.advance(), ReadEvent::complete);
  hand.reader.release(hand.in);
  EXPECT_EQ(hand.in.data(), "GET /c");
}

TEST(MessageReader, ReserveSaysWhenThereIsNoRoom) {
  Hand hand{small_get.size() + 4};
  EXPECT_EQ(hand.say(small_get), ReadEvent::head);
  EXPECT_EQ(hand.reader.reserve(hand.in, 5).size(), 0U);
  EXPECT_EQ(hand.reader.reserve(hand.in, 4).size(), 4U);
  EXPECT_EQ(hand.reader.reserve(hand.in, 1).size(), 0U);
  EXPECT_EQ(hand.advance(), ReadEvent::complete);
}

// A head of the second message's size can be reserved wherever in the buffer the first left it.
TEST(MessageReader, ReserveDoesNotDependOnWhatCameBefore) {
  for (std::size_t before = 33; before < 160; ++before) {
    const std::string target_get = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
    const std::string input = get_of_size(before) + target_get;
    const ReadOptions options{.buffer_size = 2 * 160, .reserve_size = target_get.size()};
    EXPECT_EQ(read(input, options).find("no reserve"), std::string::npos) << before;
    EXPECT_TRUE(read(input, options).ends_with("GET /b HTTP/1.1 {Host=h}; none keep; ; complete\n")) << before;
  }
}

TEST(MessageReader, PipelinedRequestsFillTheBufferAgainAndAgain) {
  std::string input;
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    const std::string path = std::string{"/"} + std::string(static_cast<std::size_t>(i % 50), 'p') + std::to_string(i);
    if (i % 3 == 0) {
      input += "PUT " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
      expected += "PUT " + path + " HTTP/1.1 {Host=h, Content-Length=5}; sized 5 keep; hello; complete\n";
    } else {
      input += "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n";
      expected += "GET " + path + " HTTP/1.1 {Host=h}; none keep; ; complete\n";
    }
  }
  for (const std::size_t buffer_size : {120, 121, 200, 333, 4096, 100'000}) {
    EXPECT_EQ(read(input, {.buffer_size = buffer_size}), expected) << buffer_size;
  }
}

}  // namespace
}  // namespace pollux::wire
