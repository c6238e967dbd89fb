#include "stack/wire/percent.hpp"

#include "tests/wire/values_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

TEST(Percent, Decodes) {
  struct Row {
    std::string_view text;
    Plus plus;
    std::string_view want;
  };
  for (const Row& row : {
           Row{"", Plus::literal, ""},
           Row{"abc", Plus::literal, "abc"},
           Row{"a%20b", Plus::literal, "a b"},
           Row{"%41%7a%7A", Plus::literal, "Azz"},
           Row{"%00", Plus::literal, "\0"sv},
           Row{"%fF%Ff", Plus::literal, "\xff\xff"},
           Row{"1+2%2B3", Plus::literal, "1+2+3"},
           Row{"1+2%2B3", Plus::space, "1 2+3"},
           Row{"%25zz", Plus::literal, "%zz"},
       }) {
    expect_written(row.want, PercentError::out_too_small, [&](std::span<char> out) {
      const Copy text{row.text};
      return percent_decode(text.view(), out, row.plus);
    });
    Copy place{row.text};
    EXPECT_EQ(*percent_decode_in_place(place.span(), row.plus), row.want);
    EXPECT_TRUE(percent_decoded_equals(row.text, row.want, row.plus)) << row.text;
    EXPECT_FALSE(percent_decoded_equals(row.text, std::string{row.want} + "x", row.plus)) << row.text;
    EXPECT_TRUE(has_valid_escapes(row.text));
  }
}

TEST(Percent, RefusesBadEscapes) {
  for (const std::string_view text :
       {"%"sv, "%2"sv, "%zz"sv, "%2z"sv, "%z2"sv, "ab%"sv, "%41%4"sv, "%%41"sv, "% 1"sv, "%+1"sv}) {
    Copy copy{text};
    Memory memory{100};
    const auto decoded = percent_decode(copy.view(), memory.span());
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error(), PercentError::bad_escape);
    EXPECT_FALSE(percent_decode_in_place(copy.span())) << text;
    EXPECT_FALSE(has_valid_escapes(text)) << text;
    EXPECT_FALSE(percent_decoded_equals(text, text)) << text;
  }
}

TEST(Percent, Encodes) {
  struct Row {
    std::string_view text;
    PercentSet set;
    Escapes escapes;
    std::string_view want;
  };
  constexpr std::string_view marks = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
  for (const Row& row : {
           Row{"", PercentSet::path, Escapes::none, ""},
           Row{"azAZ09-._~", PercentSet::query_component, Escapes::none, "azAZ09-._~"},
           Row{"caf\xc3\xa9", PercentSet::path, Escapes::none, "caf%C3%A9"},
           Row{"\0\x1f\x7f\xff"sv, PercentSet::query, Escapes::none, "%00%1F%7F%FF"},
           Row{"100%41", PercentSet::path, Escapes::none, "100%2541"},
           Row{"100%41 ", PercentSet::path, Escapes::keep, "100%41%20"},
           Row{marks, PercentSet::path_segment, Escapes::none,
               "%20!%22%23$%25&'()*+,-.%2F:;%3C=%3E%3F@%5B%5C%5D%5E_%60%7B%7C%7D~"},
           Row{marks, PercentSet::path, Escapes::none,
               "%20!%22%23$%25&'()*+,-./:;%3C=%3E%3F@%5B%5C%5D%5E_%60%7B%7C%7D~"},
           Row{marks, PercentSet::query, Escapes::none, "%20!%22%23$%25&'()*+,-./:;%3C=%3E?@[\\]^_`{|}~"},
           Row{marks, PercentSet::query_component, Escapes::none,
               "%20%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~"},
           Row{marks, PercentSet::form_component, Escapes::none,
               "+%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~"},
           Row{marks, PercentSet::userinfo, Escapes::none,
               "%20!%22%23$%25&'()*+,-.%2F%3A;%3C=%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~"},
           Row{marks, PercentSet::fragment, Escapes::none,
               "%20!%22%23$%25&'()*+,-./:;%3C=%3E?@%5B%5C%5D%5E_%60%7B%7C%7D~"},
           Row{marks, PercentSet::host, Escapes::none,
               "%20!%22%23$%25&'()*+,-.%2F:;%3C=%3E%3F%40[%5C]%5E_%60%7B%7C%7D~"},
       }) {
    expect_written(row.want, PercentError::out_too_small,
                   [&](std::span<char> out) { return percent_encode(row.text, row.set, out, row.escapes); });
    EXPECT_EQ(percent_encoded_size(row.text, row.set, row.escapes), row.want.size());
  }
}

TEST(Percent, DecodesWhatItEncoded) {
  SCOPED_TRACE(testing::Message() << "seed " << test_seed);
  Random random{test_seed};
  for (int i = 0; i < test::rounds(2000); ++i) {
    const std::string text = random.bytes(40);
    const auto set = static_cast<PercentSet>(random.below(8));
    Memory encoded_memory{percent_encoded_size(text, set)};
    const auto encoded = percent_encode(text, set, encoded_memory.span());
    ASSERT_TRUE(encoded);
    const Plus plus = set == PercentSet::form_component ? Plus::space : Plus::literal;
    EXPECT_EQ(*percent_decode_in_place(encoded_memory.span(), plus), text);
  }
}

}  // namespace
}  // namespace pollux::wire
