#include "stack/wire/base64.hpp"

#include "stack/wire/status.hpp"
#include "tests/wire/values_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

TEST(Base64, EncodesAndDecodes) {
  struct Row {
    std::string_view bytes;
    std::string_view standard;
    std::string_view url;
  };
  for (const Row& row : {
           Row{"", "", ""},
           Row{"f", "Zg==", "Zg"},
           Row{"fo", "Zm8=", "Zm8"},
           Row{"foo", "Zm9v", "Zm9v"},
           Row{"foob", "Zm9vYg==", "Zm9vYg"},
           Row{"fooba", "Zm9vYmE=", "Zm9vYmE"},
           Row{"foobar", "Zm9vYmFy", "Zm9vYmFy"},
           Row{"user:pwd", "dXNlcjpwd2Q=", "dXNlcjpwd2Q"},
           Row{"\xfb\xff\xfe", "+//+", "-__-"},
           Row{"\0\0"sv, "AAA=", "AAA"},
       }) {
    for (const Base64 alphabet : {Base64::standard, Base64::url}) {
      const std::string_view text = alphabet == Base64::standard ? row.standard : row.url;
      expect_written(text, Base64Error::out_too_small,
                     [&](std::span<char> out) { return base64_encode(row.bytes, alphabet, out); });
      expect_written(row.bytes, Base64Error::out_too_small,
                     [&](std::span<char> out) { return base64_decode(text, alphabet, out); });
      Copy place{text};
      EXPECT_EQ(*base64_decode(place.view(), alphabet, place.span()), row.bytes) << "in place";
    }
    EXPECT_EQ(base64_size(row.bytes.size()), row.standard.size());
  }
}

TEST(Base64, Refuses) {
  Memory memory{32};
  for (const std::string_view text :
       {"Z"sv, "Zg"sv, "Zg="sv, "Zg==="sv, "Z==="sv, "===="sv, "="sv, "Zg==Zg=="sv, "Zm=v"sv, "Zm9v="sv, "Zm9v===="sv,
        "Zh=="sv, "Zm9="sv, "Zm 9"sv, "Zm9v\n"sv, "Zm9\xff"sv, "-__-"sv, "Zm9\0"sv}) {
    const auto decoded = base64_decode(text, Base64::standard, memory.span());
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error(), Base64Error::malformed) << text;
  }
  for (const std::string_view text : {"Z"sv, "Zg=="sv, "Zh"sv, "Zm9"sv, "+//+"sv, "Zm9vY"sv}) {
    EXPECT_FALSE(base64_decode(text, Base64::url, memory.span())) << text;
  }
}

TEST(Base64, DecodesWhatItEncoded) {
  SCOPED_TRACE(testing::Message() << "seed " << test_seed);
  Random random{test_seed};
  for (int i = 0; i < test::rounds(2000); ++i) {
    const std::string bytes = random.bytes(40);
    const Base64 alphabet = random.below(2) == 0 ? Base64::standard : Base64::url;
    Memory memory{base64_size(bytes.size())};
    const auto text = base64_encode(bytes, alphabet, memory.span());
    ASSERT_TRUE(text);
    EXPECT_EQ(*base64_decode(*text, alphabet, memory.span()), bytes);
  }
}

TEST(Status, HasPhrases) {
  struct Row {
    int code;
    std::string_view phrase;
  };
  for (const Row& row :
       {Row{100, "Continue"}, Row{200, "OK"}, Row{204, "No Content"}, Row{206, "Partial Content"},
        Row{304, "Not Modified"}, Row{308, "Permanent Redirect"}, Row{404, "Not Found"}, Row{405, "Method Not Allowed"},
        Row{413, "Content Too Large"}, Row{416, "Range Not Satisfiable"}, Row{417, "Expectation Failed"},
        Row{431, "Request Header Fields Too Large"}, Row{501, "Not Implemented"},
        Row{505, "HTTP Version Not Supported"}, Row{511, "Network Authentication Required"}}) {
    EXPECT_EQ(reason_phrase(row.code), row.phrase);
  }
  for (const int code : {-1, 0, 99, 104, 199, 299, 306, 419, 420, 512, 599, 799, 999, 65'936}) {
    EXPECT_EQ(reason_phrase(code), "") << code;
  }
}

TEST(Status, KnowsWhichHaveABody) {
  for (const int code : {100, 101, 103, 199, 204, 304}) {
    EXPECT_FALSE(status_allows_body(code)) << code;
  }
  for (const int code : {200, 201, 203, 205, 206, 301, 303, 305, 404, 500, 999}) {
    EXPECT_TRUE(status_allows_body(code)) << code;
  }
}

}  // namespace
}  // namespace pollux::wire
