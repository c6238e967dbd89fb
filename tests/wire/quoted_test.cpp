#include "stack/wire/quoted.hpp"

#include "tests/wire/values_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

TEST(Token, HasExactlyTheBytesOfTheRfc) {
  constexpr std::string_view all = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (int c = 0; c < 256; ++c) {
    EXPECT_EQ(is_token_byte(static_cast<char>(c)), all.find(static_cast<char>(c)) != std::string_view::npos) << c;
  }
  EXPECT_TRUE(is_token("GET"));
  EXPECT_FALSE(is_token(""));
  EXPECT_FALSE(is_token("G T"));
  EXPECT_FALSE(is_token("a\xff"));
}

TEST(Quoted, Scans) {
  struct Row {
    std::string_view text;
    std::string_view quoted;
  };
  for (const Row& row : {Row{R"("")", R"("")"}, Row{R"("a b",c)", R"("a b")"}, Row{R"("a\"b"x)", R"("a\"b")"},
                         Row{R"("\\")", R"("\\")"}, Row{"\"\t\xff\"", "\"\t\xff\""}}) {
    const Copy copy{row.text};
    EXPECT_EQ(*scan_quoted(copy.view()), row.quoted) << row.text;
  }
  for (const std::string_view text : {""sv, "\""sv, "a"sv, " \"\""sv, "\"a"sv, R"("a\)"sv, R"("a\")"sv, "\"a\nb\""sv,
                                      "\"a\0b\""sv, "\"\\\n\""sv, "\"\x7f\""sv}) {
    const Copy copy{text};
    EXPECT_FALSE(scan_quoted(copy.view())) << text;
  }
}

TEST(Quoted, Unquotes) {
  struct Row {
    std::string_view quoted;
    std::string_view want;
  };
  for (const Row& row : {Row{R"("")", ""}, Row{R"("a b")", "a b"}, Row{R"("a\"b\\c\d")", R"(a"b\cd)"}}) {
    expect_written(row.want, QuotedError::out_too_small, [&](std::span<char> out) { return unquote(row.quoted, out); });
    Copy place{row.quoted};
    EXPECT_EQ(*unquote(place.view(), place.span()), row.want) << "in place";
  }
  Memory memory{16};
  for (const std::string_view text : {""sv, "a"sv, "\"a"sv, "\"a\"b"sv, "\"a\" "sv}) {
    EXPECT_EQ(unquote(text, memory.span()).error(), QuotedError::malformed) << text;
  }
}

TEST(Quoted, Writes) {
  struct Row {
    std::string_view text;
    std::string_view want;
  };
  for (const Row& row :
       {Row{"", R"("")"}, Row{"a b", R"("a b")"}, Row{R"(a"b\)", R"("a\"b\\")"}, Row{"\t\xff", "\"\t\xff\""}}) {
    expect_written(row.want, QuotedError::out_too_small,
                   [&](std::span<char> out) { return write_quoted(row.text, out); });
  }
  Memory memory{16};
  for (const std::string_view text : {"\n"sv, "\0"sv, "a\x7f"sv, "\r"sv}) {
    EXPECT_EQ(write_quoted(text, memory.span()).error(), QuotedError::malformed);
  }
}

TEST(Quoted, UnquotesWhatItWrote) {
  SCOPED_TRACE(testing::Message() << "seed " << test_seed);
  Random random{test_seed};
  for (int i = 0; i < test::rounds(2000); ++i) {
    const std::string text = random.text_of("ab\"\\ ,;=\t\xff", 20);
    Memory memory{2 * text.size() + 2};
    const auto quoted = write_quoted(text, memory.span());
    ASSERT_TRUE(quoted);
    EXPECT_EQ(scan_quoted(*quoted)->size(), quoted->size());
    EXPECT_EQ(*unquote(*quoted, memory.span()), text);
  }
}

std::string listed_items(std::string_view value) {
  const Copy copy{value};
  ListItems items{copy.view()};
  std::string text;
  while (const auto item = items.next()) {
    text.append("[").append(*item).append("]");
  }
  return text;
}

TEST(List, WalksElements) {
  EXPECT_EQ(listed_items(""), "");
  EXPECT_EQ(listed_items(" , ,,\t"), "");
  EXPECT_EQ(listed_items("a"), "[a]");
  EXPECT_EQ(listed_items(" a ,b,, c d\t,"), "[a][b][c d]");
  EXPECT_EQ(listed_items(R"(gzip, "a,b", br)"), R"([gzip]["a,b"][br])");
  EXPECT_EQ(listed_items(R"(a="x,\",y", b)"), R"([a="x,\",y"][b])");
  EXPECT_EQ(listed_items(R"(a, "b, c)"), R"([a]["b, c])");
  EXPECT_EQ(listed_items("\""), "[\"]");
}

TEST(List, FindsTokens) {
  EXPECT_TRUE(has_list_token("foo, Close", "close"));
  EXPECT_TRUE(has_list_token("close", "close"));
  EXPECT_TRUE(has_list_token(",\tCLOSE ,", "close"));
  EXPECT_FALSE(has_list_token("", "close"));
  EXPECT_FALSE(has_list_token("closed", "close"));
  EXPECT_FALSE(has_list_token("not close", "close"));
  EXPECT_FALSE(has_list_token("\"close\"", "close"));
  EXPECT_FALSE(has_list_token("\"a, close\"", "close"));
}

std::string parameters_of(std::string_view text, char separator) {
  const Copy copy{text};
  Parameters parameters{copy.view(), separator};
  std::string listed;
  while (const auto parameter = parameters.next()) {
    listed.append("[").append(parameter->name).append(parameter->has_value ? "=" : "");
    listed.append(parameter->is_quoted ? "Q:" : "").append(parameter->value).append("]");
  }
  return listed + (parameters.is_malformed() ? "!" : "");
}

TEST(Parameters, Walk) {
  EXPECT_EQ(parameters_of("", ';'), "");
  EXPECT_EQ(parameters_of(R"(; charset="utf-8"; q=1)", ';'), "[charset=Q:utf-8][q=1]");
  EXPECT_EQ(parameters_of("a=1;b=2", ';'), "[a=1][b=2]");
  EXPECT_EQ(parameters_of(";; a=1 ;\t;b ;", ';'), "[a=1][b]");
  EXPECT_EQ(parameters_of(R"(a="x;\"y";b)", ';'), R"([a=Q:x;\"y][b])");
  EXPECT_EQ(parameters_of("no-cache, max-age=60", ','), "[no-cache][max-age=60]");
  EXPECT_EQ(parameters_of(R"(realm = "a, b" , nonce =x)", ','), "[realm=Q:a, b][nonce=x]");
  EXPECT_EQ(parameters_of(R"(a="")", ';'), "[a=Q:]");
}

TEST(Parameters, StopAtWhatIsNone) {
  for (const std::string_view text : {"="sv, "=1"sv, "a="sv, "a=;b=1"sv, "a =1"sv, "a= 1"sv, "a=1 b=2"sv, "a=\"x"sv,
                                      "a=\"x\"y"sv, "a,b"sv, "\"a\""sv, "a=1=2"sv}) {
    EXPECT_EQ(parameters_of(text, ';'), "!") << text;
  }
  EXPECT_EQ(parameters_of("a=1; b=; c=3", ';'), "[a=1]!");
}

TEST(Parameters, GiveTheMeaningOfAValue) {
  Parameters parameters{R"(a="x\"y";b=token)"};
  const auto quoted = parameters.next();
  const auto plain = parameters.next();
  expect_written("x\"y", QuotedError::out_too_small, [&](std::span<char> out) { return unquote_value(*quoted, out); });
  expect_written("token", QuotedError::out_too_small, [&](std::span<char> out) { return unquote_value(*plain, out); });
}

}  // namespace
}  // namespace pollux::wire
