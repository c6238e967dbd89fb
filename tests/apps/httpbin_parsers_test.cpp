// What pollux-httpbin reads from bodies and queries: JSON, multipart/form-data, pairs. The JSON check is compared with
// an independent parser over damaged texts, the other two over texts cut at every place.
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <array>
#include <random>
#include <string>
#include <string_view>

#include "apps/httpbin/json_check.hpp"
#include "apps/httpbin/multipart.hpp"
#include "apps/httpbin/pairs.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::httpbin {
namespace {

using namespace std::string_view_literals;

TEST(IsJson, TellsWhatIs) {
  for (const std::string_view text : {"0"sv, "-0"sv, "12.5e-3"sv, "1E+2"sv, "null"sv, " true "sv, "false\n"sv, "\"\""sv,
                                      "\"a\\u00e9\\n\\/\""sv, "[]"sv, "{}"sv, "[ ]"sv, "{ }"sv, "[1,[2,[]],{}]"sv,
                                      "{\"a\":{\"b\":[null]},\"\":0}"sv, "\t[\r\n1 , 2 ]"sv, "\"caf\xC3\xA9\""sv}) {
    EXPECT_TRUE(is_json(text)) << text;
  }
  for (const std::string_view text : {""sv,
                                      " "sv,
                                      "01"sv,
                                      "-"sv,
                                      "+1"sv,
                                      ".5"sv,
                                      "1."sv,
                                      "1e"sv,
                                      "NaN"sv,
                                      "nul"sv,
                                      "nulll"sv,
                                      "True"sv,
                                      "'a'"sv,
                                      "\""sv,
                                      "\"\\x\""sv,
                                      "\"\\u12g4\""sv,
                                      "\"\n\""sv,
                                      "\"\\"sv,
                                      "["sv,
                                      "]"sv,
                                      "[1"sv,
                                      "[1,]"sv,
                                      "[,1]"sv,
                                      "[1 2]"sv,
                                      "{"sv,
                                      "{\"a\"}"sv,
                                      "{\"a\":}"sv,
                                      "{\"a\":1,}"sv,
                                      "{a:1}"sv,
                                      "{\"a\":1"sv,
                                      "[}"sv,
                                      "{]"sv,
                                      "[1}"sv,
                                      "{\"a\":1]"sv,
                                      "1 2"sv,
                                      "[]]"sv,
                                      "\xEF\xBB\xBF{}"sv,
                                      "\"\xFF\""sv,
                                      "[1]\0"sv,
                                      "\0"sv,
                                      "{1:2}"sv}) {
    EXPECT_FALSE(is_json(text)) << text;
  }
}

TEST(IsJson, HasADepthLimit) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') + "1" + std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(is_json(nested(json_depth_max - 1)));
  EXPECT_TRUE(is_json(nested(json_depth_max)));
  EXPECT_FALSE(is_json(nested(json_depth_max + 1)));
}

TEST(IsJson, AgreesWithAnIndependentParser) {
  constexpr unsigned seed = 20260102;
  SCOPED_TRACE(seed);
  std::mt19937 random{seed};
  const std::string sample = R"({"a":[1,-2.5e3,"x\u00e9\n"],"b":{"c":null,"d":[true,false,{}]},"":[]})";
  constexpr std::string_view bytes = "{}[]:,\"\\0 1-.eE+tfnu\n\x80";
  int valid = 0;
  for (int round = 0; round < test::rounds(50'000); ++round) {
    std::string text = sample.substr(0, random() % 4 == 0 ? random() % sample.size() : sample.size());
    for (unsigned changes = random() % 3; changes > 0 && !text.empty(); --changes) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = bytes[random() % bytes.size()];
          break;
        case 1:
          text.erase(at, 1);
          break;
        default:
          text.insert(at, 1, bytes[random() % bytes.size()]);
      }
    }
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(text.data(), text.size());
    ASSERT_EQ(is_json(text), !document.HasParseError()) << text;
    valid += document.HasParseError() ? 0 : 1;
  }
  EXPECT_GT(valid, test::rounds(10'000));
}

// ---- pairs and forms

class Tables : public ::testing::Test {
 protected:
  static std::string shown(Pairs& pairs) {
    pairs.sort();
    std::string out;
    apps::JsonWriter json{
        {[](void* object, std::string_view piece) { static_cast<std::string*>(object)->append(piece); }, &out}};
    pairs.write(json);
    return out;
  }
  std::array<char, 256> memory{};
  Arena arena{memory};
  Pairs form{arena};
  Pairs files{arena};
};

TEST_F(Tables, ReadsEncodedPairs) {
  struct Case {
    std::string_view text;
    std::string_view shown;
  };
  const Case cases[] = {
      {"", "{}"},
      {"&&", "{}"},
      {"b=2&a=1", R"({"a":"1","b":"2"})"},
      {"a=1&b=0&a=2&a=1", R"({"a":["1","2","1"],"b":"0"})"},
      {"a", R"({"a":""})"},
      {"=v", R"({"":"v"})"},
      {"a=b=c", R"({"a":"b=c"})"},
      {"a=%41+%2B%2b", R"({"a":"A ++"})"},
      {"a=%4&b=%&c=%zz&d=%4", R"({"a":"%4","b":"%","c":"%zz","d":"%4"})"},
      {"a=1;b=2", R"({"a":"1;b=2"})"},
      {"a=%00", R"({"a":"\u0000"})"},
  };
  for (const Case& c : cases) {
    form.clear();
    arena.clear();
    form.add_encoded(c.text);
    EXPECT_EQ(shown(form), c.shown) << c.text;
    EXPECT_FALSE(form.overflowed());
  }
}

TEST_F(Tables, OverflowIsSeen) {
  std::string text;
  for (std::size_t i = 0; i < Pairs::count_max; ++i) {
    text += "&a";
  }
  form.add_encoded(text);
  EXPECT_FALSE(form.overflowed());
  form.add_encoded("a");
  EXPECT_TRUE(form.overflowed());
  form.clear();
  form.add_encoded("a=%41" + std::string(memory.size() - 2, 'x'));
  EXPECT_TRUE(form.overflowed()) << "the arena is too small";
}

constexpr std::string_view sample =
    "preamble\r\n"
    "--b-1\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\none\r\n"
    "--b-1 \r\ncontent-disposition: FORM-DATA; name=x\r\n\r\n--b-\r\n--b\r\n"
    "--b-1\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a \\\"b\\\".txt\"\r\nContent-Type: "
    "text/plain\r\n\r\n"
    "line\r\n\r\nline\r\n"
    "--b-1\r\nContent-Disposition: form-data; name=\"g\"; filename=g\r\n\r\n\xFF\r\n"
    "--b-1\r\nContent-Disposition: form-data; name=\"e\"\r\n\r\n\r\n"
    "--b-1\r\nContent-Disposition: attachment; name=\"no\"\r\n\r\nno\r\n"
    "--b-1\r\nX: y\r\n\r\nnameless\r\n"
    "--b-1\r\n\r\nheadless\r\n"
    "--b-1--\r\n--b-1\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\nlate\r\n";

TEST_F(Tables, ReadsMultipart) {
  read_multipart(sample, "b-1", arena, form, files);
  EXPECT_EQ(shown(form), R"({"e":"","x":["one","--b-\r\n--b"]})");
  EXPECT_EQ(shown(files), R"({"f":"line\r\n\r\nline","g":"data:application/octet-stream;base64,/w=="})");
}

TEST_F(Tables, RefusesBoundaries) {
  const std::string longest(multipart_boundary_max, 'b');
  for (const auto& [boundary, is_read] :
       {std::pair{longest, true}, std::pair{longest + "b", false}, std::pair{std::string{}, false}}) {
    form.clear();
    const std::string body =
        "--" + boundary + "\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--" + boundary + "--";
    read_multipart(body, boundary, arena, form, files);
    EXPECT_EQ(form.items().size(), is_read ? 1U : 0U) << boundary;
  }
}

// Cut anywhere it gives what came whole, and never looks behind the end (the text is copied, so that a sanitizer sees
// it).
TEST_F(Tables, MultipartMayEndAnywhere) {
  std::size_t before = 0;
  for (std::size_t size = 0; size <= sample.size(); ++size) {
    form.clear();
    files.clear();
    arena.clear();
    const std::string text{sample.substr(0, size)};
    read_multipart(text, "b-1", arena, form, files);
    const std::size_t count = form.items().size() + files.items().size();
    ASSERT_GE(count, before) << size;
    before = count;
  }
  EXPECT_EQ(before, 5U);
}

}  // namespace
}  // namespace pollux::httpbin
