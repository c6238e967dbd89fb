// Reading JSON: what is refused, where, and in which words.
#include "apps/support/json_read.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/heap_guard.hpp"

namespace pollux::apps {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

// ---- any value

struct Good {
  const char* name;
  std::string text;
};

// From RFC 8259: every production, and its own examples (section 13).
const Good good[] = {
    {"object", "{}"},
    {"array", "[]"},
    {"text", R"("x")"},
    {"empty text", R"("")"},
    {"true", "true"},
    {"false", "false"},
    {"null", "null"},
    {"zero", "0"},
    {"minus zero", "-0"},
    {"integer", "123"},
    {"negative", "-1"},
    {"fraction", "1.5"},
    {"exponent", "1e5"},
    {"exponent with signs", "-1.25E+5"},
    {"negative exponent", "1e-5"},
    {"tiny", "1e-400"},
    {"largest exponent", "1e308"},
    {"20 digits", "18446744073709551616"},
    {"white space", " \t\r\n[ 1 ,\n2 ] \n"},
    {"members", R"({"a":1,"b":[true,null,{"c":"d"}]})"},
    {"repeated member", R"({"a":1,"a":2})"},
    {"escapes", R"("\"\\\/\b\f\n\r\t\u00e9")"},
    {"surrogate pair", R"("\uD834\uDD1E")"},
    {"NUL as an escape", R"("\u0000")"},
    {"UTF-8 of 2, 3, 4 bytes", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E\""},
    {"DEL", "\"\x7F\""},
    {"last code point", "\"\xF4\x8F\xBF\xBF\""},
    {"deepest", std::string(json_depth_max, '[') + std::string(json_depth_max, ']')},
    {"longest", '"' + std::string(json_text_max - 2, 'x') + '"'},
    {"longest number", "0." + std::string(json_text_max - 2, '9')},
};

TEST(CheckJson, AcceptsWhatIsJson) {
  for (const Good& c : good) {
    const auto error = check_json(c.text);
    EXPECT_FALSE(error) << c.name << ": " << (error ? error->reason() : "") << " at " << (error ? error->offset : 0);
  }
}

struct Bad {
  std::string text;
  std::size_t offset;
  std::string_view reason;
};

const Bad bad[] = {
    {"", 0, "there is no value"},
    {" \n", 2, "there is no value"},
    {"{", 1, "a member's name in quotes is expected here"},
    {"{\"a\"", 4, "a colon is missing behind the member's name"},
    {"{\"a\" 1}", 5, "a colon is missing behind the member's name"},
    {"{\"a\":", 5, "a value is expected here"},
    {"{\"a\":1", 6, "a comma or } is missing"},
    {"{\"a\":1 \"b\":2}", 7, "a comma or } is missing"},
    {"{\"a\":1,}", 7, "a member's name in quotes is expected here"},
    {"{a:1}", 1, "a member's name in quotes is expected here"},
    {"{'a':1}", 1, "a member's name in quotes is expected here"},
    {"{1:1}", 1, "a member's name in quotes is expected here"},
    {"[", 1, "a value is expected here"},
    {"[1", 2, "a comma or ] is missing"},
    {"[1 2]", 3, "a comma or ] is missing"},
    {"[1,]", 3, "a value is expected here"},
    {"[,1]", 1, "a value is expected here"},
    {"[1}", 2, "a comma or ] is missing"},
    {"]", 0, "a value is expected here"},
    {"{} {}", 3, "something follows the value"},
    {"1 2", 2, "something follows the value"},
    {"[]x", 2, "something follows the value"},
    {"// c\n1", 0, "a value is expected here"},
    {"+1", 0, "a value is expected here"},
    {".5", 0, "a value is expected here"},
    {"1.", 2, "digits are missing behind the point"},
    {"1e", 2, "digits are missing in the exponent"},
    {"1e+", 3, "digits are missing in the exponent"},
    {"01", 1, "something follows the value"},
    {"0x1", 1, "something follows the value"},
    {"1e400", 0, "the number is too big"},  // RFC 8259 section 9: a range may be set
    {"-", 1, "a value is expected here"},
    {"NaN", 0, "a value is expected here"},
    {"Infinity", 0, "a value is expected here"},
    {"True", 0, "a value is expected here"},
    {"tru", 3, "a value is expected here"},
    {"nulL", 3, "a value is expected here"},
    {"\"", 1, "a text does not end"},
    {"\"abc", 4, "a text does not end"},
    {"'a'", 0, "a value is expected here"},
    {R"("\x")", 1, "there is no such escape"},
    {R"("\u12")", 1, "\\u needs four hexadecimal digits"},
    {R"("\u00g0")", 1, "\\u needs four hexadecimal digits"},
    {R"("\uD834")", 1, "half of a surrogate pair is missing"},
    {R"("\uD834\u0041")", 1, "half of a surrogate pair is missing"},
    {R"("\uDD1E")", 1, "half of a surrogate pair is missing"},
    {R"(["\\\n","\uD834\uDD1Ex\udd1e"])", 22, "half of a surrogate pair is missing"},
    {R"({"\uDFFF":1})", 2, "half of a surrogate pair is missing"},
    {"\"a\nb\"", 2, "a control byte, or bytes that are not UTF-8"},
    {"\"\x01\"", 1, "a control byte, or bytes that are not UTF-8"},
    {"\"\x80\"", 1, "a control byte, or bytes that are not UTF-8"},
    {"\"a\xC0\xAF\"", 2, "a control byte, or bytes that are not UTF-8"},         // overlong
    {"\"\xED\xA0\x80\"", 1, "a control byte, or bytes that are not UTF-8"},      // a surrogate
    {"\"\xF4\x90\x80\x80\"", 1, "a control byte, or bytes that are not UTF-8"},  // beyond U+10FFFF
    {"\"\xE2\x82\"", 1, "a control byte, or bytes that are not UTF-8"},          // cut off
    {"\xEF\xBB\xBF{}", 0, "a value is expected here"},                           // byte order mark
    {"{}\0"s, 2, "a NUL byte"},
    {"\"a\0b\""s, 2, "a NUL byte"},
    {std::string(json_depth_max + 1, '['), json_depth_max, "nested too deep: more than 16 levels"},
    {std::string(json_text_max + 1, ' '), json_text_max, "longer than 4096 bytes"},
};

TEST(CheckJson, SaysWhatIsWrongAndWhere) {
  for (const Bad& c : bad) {
    const auto error = check_json(c.text);
    ASSERT_TRUE(error) << c.text;
    EXPECT_EQ(error->reason(), c.reason) << c.text;
    EXPECT_EQ(error->offset, c.offset) << c.text;
  }
}

TEST(CheckJson, CountsLinesAndCharacters) {
  const auto error = check_json("{\n  \"\xC3\xA9\xE2\x82\xAC\": 1,\n  \"b\" 2\n}");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->line, 3U);
  EXPECT_EQ(error->column, 7U);
  const auto wide = check_json("[\"\xC3\xA9\xE2\x82\xAC\" 1]");
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->line, 1U);
  EXPECT_EQ(wide->offset, 9U);
  EXPECT_EQ(wide->column, 7U);
}

// A text that stops anywhere is refused and never read beyond its end (the copies are exact, for AddressSanitizer).
TEST(CheckJson, RefusesEveryPrefix) {
  const std::string whole = R"({"a":[1,-2.5e3,"x\u00e9\n",true,null],"b":{"c":false}})";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto copy = std::make_unique<char[]>(size);
    whole.copy(copy.get(), size);
    EXPECT_TRUE(check_json({copy.get(), size})) << whole.substr(0, size);
  }
}

TEST(CheckJson, DoesNotUseTheHeap) {
  const std::string texts[] = {
      good[std::size(good) - 1].text,
      '"' + std::string(json_text_max - 2, 'x') + '"',
      // The fullest stack: all levels open, and then the longest text.
      std::string(json_depth_max, '[') + '"' + std::string(json_text_max - 2 * json_depth_max - 2, 'x') + '"' +
          std::string(json_depth_max, ']'),
  };
  for (const std::string& text : texts) {
    ASSERT_LE(text.size(), json_text_max);
    const heap_guard::Forbidden no_heap;
    const bool is_good = !check_json(text);
    const heap_guard::Allowed heap;
    EXPECT_TRUE(is_good);
  }
}

// ---- an object

struct Led {
  std::uint64_t brightness = 999;
  std::string_view trigger = "unset";
  bool invert = false;
  std::array<char, 8> trigger_memory{};
  std::array<JsonMember, 3> members{
      JsonMember::integer("brightness", brightness, {.min = 1, .max = 255}).required(),
      JsonMember::text("trigger", trigger, trigger_memory),
      JsonMember::boolean("invert", invert),
  };
};

TEST(ReadJsonObject, ReadsItsMembers) {
  Led led;
  const auto error = read_json_object(R"( {"trigger" : "n\u006fne", "brightness":255, "invert":true} )", led.members);
  ASSERT_FALSE(error) << error->reason();
  EXPECT_EQ(led.brightness, 255U);
  EXPECT_EQ(led.trigger, "none");
  EXPECT_TRUE(led.invert);
  EXPECT_TRUE(led.members[0].is_given());
  EXPECT_TRUE(led.members[1].is_given());

  const auto again = read_json_object(R"({"brightness":1})", led.members);
  ASSERT_FALSE(again) << again->reason();
  EXPECT_EQ(led.brightness, 1U);
  EXPECT_FALSE(led.members[1].is_given());
}

TEST(ReadJsonObject, FindsMembersWithEscapesInTheirNames) {
  Led led;
  EXPECT_FALSE(read_json_object(R"({"brightnes\u0073":7})", led.members));
  EXPECT_EQ(led.brightness, 7U);
}

TEST(ReadJsonObject, SaysWhatIsWrongAndWhere) {
  constexpr std::string_view range = "brightness is not an integer from 1 to 255";
  constexpr std::string_view unknown = "there is no such member; there is brightness, trigger, invert";
  const Bad cases[] = {
      {R"({"brightness":0})", 14, range},
      {R"({"brightness":256})", 14, range},
      {R"({"brightness":-1})", 14, range},
      {R"({"brightness":1.0})", 14, range},
      {R"({"brightness":1e2})", 14, range},
      {R"({"brightness":99999999999999999999999})", 14, range},
      {R"({"brightness" : "1"})", 16, range},
      {R"({"brightness":true})", 14, range},
      {R"({"brightness":null})", 14, range},
      {R"({"brightness":[1]})", 14, range},
      {R"({"brightness":{"a":1}})", 14, range},
      {R"({"brightness":1,"trigger":7})", 26, "trigger is not a text"},
      {R"({"brightness":1,"trigger":"123456789"})", 26, "trigger is longer than 8 bytes"},
      {R"({"brightness":1,"invert":1})", 25, "invert is neither true nor false"},
      {R"({"brightness":1,"brightness":2})", 16, "brightness is given twice"},
      {R"({"brightness":1, "bright":2})", 17, unknown},
      {R"({ "":2})", 2, unknown},
      {R"({})", 1, "brightness is missing"},
      {R"({"trigger":"none" })", 18, "brightness is missing"},
      {R"([{"brightness":1}])", 0, "an object is expected here"},
      {R"( 7)", 1, "an object is expected here"},
      {R"("brightness")", 0, "an object is expected here"},
      {R"(null)", 0, "an object is expected here"},
      {R"({"brightness":1)", 15, "a comma or } is missing"},
      {R"({"brightness":1}})", 16, "something follows the value"},
      {R"({"brightness":10 1})", 17, "a comma or } is missing"},
      {R"({"brightness":1,"trigger":"\uDD1E"})", 27, "half of a surrogate pair is missing"},
      {"", 0, "there is no value"},
  };
  for (const Bad& c : cases) {
    Led led;
    const auto error = read_json_object(c.text, led.members);
    ASSERT_TRUE(error) << c.text;
    EXPECT_EQ(error->reason(), c.reason) << c.text;
    EXPECT_EQ(error->offset, c.offset) << c.text;
  }
}

TEST(ReadJsonObject, TakesATextThatFillsItsMemory) {
  Led led;
  EXPECT_FALSE(read_json_object(R"({"brightness":1,"trigger":"12345678"})", led.members));
  EXPECT_EQ(led.trigger, "12345678");
}

TEST(ReadJsonObject, HoldsTheSmallestRange) {
  std::uint64_t value = 0;
  std::array members{JsonMember::integer("v", value, {.min = 0, .max = 1})};
  EXPECT_FALSE(read_json_object(R"({"v":1})", members));
  EXPECT_EQ(value, 1U);
  for (const char* text : {R"({"v":2})", R"({"v":9})", R"({"v":10})", R"({"v":-0})"}) {
    EXPECT_TRUE(read_json_object(text, members)) << text;
  }
}

TEST(ReadJsonObject, TakesTheLargestInteger) {
  std::uint64_t value = 0;
  std::array members{JsonMember::integer("v", value, {})};
  EXPECT_FALSE(read_json_object(R"({"v":18446744073709551615})", members));
  EXPECT_EQ(value, UINT64_MAX);
  EXPECT_TRUE(read_json_object(R"({"v":18446744073709551616})", members));
}

}  // namespace
}  // namespace pollux::apps
