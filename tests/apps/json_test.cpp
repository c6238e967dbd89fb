// JsonWriter: layout, escapes, encodings and numbers, compared as text and read back by an independent parser.
#include "apps/support/json.hpp"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <string_view>

#include "tests/support/heap_guard.hpp"

namespace pollux::apps {
namespace {

using namespace std::string_view_literals;

JsonSink sink_of(std::string& target) {
  return {[](void* object, std::string_view piece) { static_cast<std::string*>(object)->append(piece); }, &target};
}

void write_sample(JsonWriter& json) {
  json.begin_object();
  json.member("name", "pi").member("up", 12).member("on", true).member("load", 0.25, 2);
  json.key("list").begin_array().text("a").number(-1).begin_object().end_object().end_array();
  json.key("none").null();
  json.key("empty").begin_array().end_array();
  json.end_object();
}

TEST(JsonWriter, HasThreeLayouts) {
  struct Case {
    JsonStyle style;
    std::string_view text;
  };
  const Case cases[] = {
      {JsonStyle::compact, R"({"name":"pi","up":12,"on":true,"load":0.25,"list":["a",-1,{}],"none":null,"empty":[]})"},
      {JsonStyle::spaced,
       R"({"name": "pi", "up": 12, "on": true, "load": 0.25, "list": ["a", -1, {}], "none": null, "empty": []})"},
      {JsonStyle::indented,
       "{\n  \"name\": \"pi\",\n  \"up\": 12,\n  \"on\": true,\n  \"load\": 0.25,\n  \"list\": [\n    \"a\",\n    -1,\n"
       "    {}\n  ],\n  \"none\": null,\n  \"empty\": []\n}"},
  };
  for (const Case& c : cases) {
    std::string out;
    JsonWriter json{sink_of(out), c.style};
    write_sample(json);
    EXPECT_EQ(out, c.text);
    EXPECT_TRUE(json.is_complete());
  }
}

TEST(JsonWriter, EscapesWhatHasToBe) {
  struct Case {
    std::string_view value;
    std::string_view text;
  };
  const Case cases[] = {
      {"", R"("")"},
      {"plain / ~", R"("plain / ~")"},
      {"\"\\", R"("\"\\")"},
      {"\b\f\n\r\t", R"("\b\f\n\r\t")"},
      {"\0\x01\x1f\x7f"sv, "\"\\u0000\\u0001\\u001f\x7f\""},
      {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\""},
      // Not UTF-8: a stray continuation, a stray lead, overlong, a surrogate, beyond U+10FFFF, cut short.
      {"a\x80z", "\"a\xEF\xBF\xBDz\""},
      {"a\xFFz", "\"a\xEF\xBF\xBDz\""},
      {"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
      {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
      {"\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
      {"\xE2\x82", "\"\xEF\xBF\xBD\""},
      {"\xF0\x9F\x98z", "\"\xEF\xBF\xBDz\""},
      {"\xC3\"", "\"\xEF\xBF\xBD\\\"\""},
  };
  for (const Case& c : cases) {
    std::string out;
    JsonWriter json{sink_of(out)};
    json.text(c.value);
    EXPECT_EQ(out, c.text);
    std::string name;
    JsonWriter keyed{sink_of(name)};
    keyed.begin_object().key(c.value).null().end_object();
    EXPECT_EQ(name, "{" + std::string{c.text} + ":null}");
  }
}

TEST(JsonWriter, WritesNumbers) {
  const auto written = [](auto value, auto... decimals) {
    std::string out;
    JsonWriter{sink_of(out)}.number(value, decimals...);
    return out;
  };
  EXPECT_EQ(written(0), "0");
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(written(0.0, 0), "0");
  EXPECT_EQ(written(1.005, 1), "1.0");
  EXPECT_EQ(written(0.999, 2), "1.00");
  EXPECT_EQ(written(-0.001, 2), "0.00");
  EXPECT_EQ(written(-12.5, 3), "-12.500");
  EXPECT_EQ(written(0.000000001, 9), "0.000000001");
  EXPECT_EQ(written(8999999999.0, 1), "8999999999.0");
  EXPECT_EQ(written(9e9, 1), "null");
  EXPECT_EQ(written(-9e9, 1), "null");
  EXPECT_EQ(written(std::nan(""), 1), "null");
  EXPECT_EQ(written(std::numeric_limits<double>::infinity(), 1), "null");
}

TEST(JsonWriter, WritesOneTextInPieces) {
  std::string out;
  JsonWriter json{sink_of(out)};
  json.begin_array().begin_text().add_text("a\"").add_text("").add_text("b").end_text().text("c").end_array();
  EXPECT_EQ(out, R"(["a\"b","c"])");
}

// Whatever the bytes are, an independent parser reads the result, and reads valid text back as it was.
TEST(JsonWriter, AnyBytesGiveValidJson) {
  constexpr unsigned seed = 20260101;
  SCOPED_TRACE(seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 24, '\0');
    for (char& c : bytes) {
      c = static_cast<char>(random() % 4 == 0 ? random() : 0xE0 + random() % 32);
    }
    std::string out;
    JsonWriter{sink_of(out)}.text(bytes);
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(out.data(), out.size());
    ASSERT_FALSE(document.HasParseError()) << out;
    std::string again;
    const std::string_view read{document.GetString(), document.GetStringLength()};
    JsonWriter{sink_of(again)}.text(read);
    EXPECT_EQ(out, again);  // what was mended stays as it is
  }
}

TEST(JsonWriter, StopsAtTheDepthLimit) {
  std::string out;
  JsonWriter json{sink_of(out)};
  for (std::size_t i = 0; i < JsonWriter::depth_max; ++i) {
    json.begin_array();
  }
  EXPECT_DEATH(json.begin_array(), "depth_ < depth_max");
  for (std::size_t i = 0; i < JsonWriter::depth_max; ++i) {
    json.end_array();
  }
  EXPECT_TRUE(json.is_complete());
}

TEST(JsonWriter, StopsWhenItIsMisused) {
  std::string out;
  JsonWriter json{sink_of(out)};
  json.begin_object();
  EXPECT_DEATH(json.text("a value without a key"), "has_key_");
  EXPECT_DEATH(json.end_array(), "in_object");
  json.key("a");
  EXPECT_DEATH(json.end_object(), "!has_key_");
}

TEST(JsonWriter, NeedsNoHeap) {
  std::array<char, 256> memory{};
  base::TextWriter text{memory};
  {
    heap_guard::Forbidden no_heap;
    JsonWriter json{json_sink(text), JsonStyle::indented};
    write_sample(json);
  }
  EXPECT_FALSE(text.overflowed());
}

}  // namespace
}  // namespace pollux::apps
