// The command line: what each kind of option takes and refuses, and the one line it says.
#include "apps/support/options.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pollux::apps {
namespace {

struct Values {
  bool verbose = false;
  std::string_view folder = "default";
  std::uint16_t count = 64;
  std::uint8_t level = 1;
  TextList names;
};

struct Parsed {
  std::optional<int> status;
  std::string output;
  std::string errors;
};

Parsed parse(Values& values, std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "ignored");
  Options options{"program", "Does things."};
  options.flag("--verbose", "say more", values.verbose)
      .text("--folder", "DIR", "look here", values.folder,
            [](std::string_view value) { return value.empty() ? "is empty" : nullptr; })
      .number("--count", "N", "how many", values.count, {.min = 1, .max = 1000})
      .number("--level", "N", "how much", values.level, {})
      .list("--name", "NAME", "who", values.names);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Parsed parsed;
  parsed.status = options.parse(static_cast<int>(arguments.size()), arguments.data());
  parsed.output = ::testing::internal::GetCapturedStdout();
  parsed.errors = ::testing::internal::GetCapturedStderr();
  return parsed;
}

TEST(Options, LeaveDefaultsAlone) {
  Values values;
  EXPECT_EQ(parse(values, {}).status, std::nullopt);
  EXPECT_FALSE(values.verbose);
  EXPECT_EQ(values.folder, "default");
  EXPECT_EQ(values.count, 64);
  EXPECT_TRUE(values.names.values().empty());
}

TEST(Options, TakeValuesInBothForms) {
  Values values;
  const Parsed parsed = parse(
      values, {"--verbose", "--folder", "a=b", "--count=1000", "--name", "x", "--name=y=z", "--name", "--verbose"});
  EXPECT_EQ(parsed.status, std::nullopt) << parsed.errors;
  EXPECT_EQ(parsed.output + parsed.errors, "");
  EXPECT_TRUE(values.verbose);
  EXPECT_EQ(values.folder, "a=b");
  EXPECT_EQ(values.count, 1000);
  ASSERT_EQ(values.names.values().size(), 3U);
  EXPECT_EQ(values.names.values()[0], "x");
  EXPECT_EQ(values.names.values()[1], "y=z");
  EXPECT_EQ(values.names.values()[2], "--verbose");  // what follows a flag with a value is its value
}

TEST(Options, TakeNumbersUpToTheirLimits) {
  for (const char* number : {"1", "1000", "0064"}) {
    Values values;
    EXPECT_EQ(parse(values, {"--count", number}).status, std::nullopt) << number;
  }
  Values values;
  EXPECT_EQ(parse(values, {"--level", "255"}).status, std::nullopt);
  EXPECT_EQ(values.level, 255);
}

TEST(Options, RefuseInOneLineThatNamesTheFlag) {
  struct Case {
    std::vector<const char*> arguments;
    std::string says;
  };
  const Case cases[] = {
      {{"--bogus"}, "--bogus: unknown option; try --help"},
      {{"--bogus=1"}, "--bogus: unknown option; try --help"},
      {{"--"}, "--: unknown option; try --help"},
      {{"-v"}, "-v: unexpected argument; try --help"},
      {{""}, ": unexpected argument; try --help"},
      {{"--folder"}, "--folder: needs a value; try --help"},
      {{"--folder="}, "--folder: \"\" is empty"},
      {{"--verbose=yes"}, "--verbose: takes no value; try --help"},
      {{"--verbose", "--verbose"}, "--verbose: given twice; try --help"},
      {{"--count", "1", "--count", "1"}, "--count: given twice; try --help"},
      {{"--count", "0"}, "--count: \"0\" is not a number from 1 to 1000"},
      {{"--count", "1001"}, "--count: \"1001\" is not a number from 1 to 1000"},
      {{"--count", "18446744073709551617"}, "--count: \"18446744073709551617\" is not a number from 1 to 1000"},
      {{"--count", "-1"}, "--count: \"-1\" is not a number from 1 to 1000"},
      {{"--count", "1x"}, "--count: \"1x\" is not a number from 1 to 1000"},
      {{"--count", ""}, "--count: \"\" is not a number from 1 to 1000"},
      {{"--level", "256"}, "--level: \"256\" is not a number from 0 to 255"},  // what the variable holds
  };
  for (const Case& c : cases) {
    Values values;
    const Parsed parsed = parse(values, c.arguments);
    EXPECT_EQ(parsed.status, 2) << c.says;
    EXPECT_EQ(parsed.errors, "program: " + c.says + "\n");
    EXPECT_EQ(parsed.output, "");
  }
}

TEST(Options, TakeAListUpToItsSize) {
  for (const std::size_t count : {TextList::size_max - 1, TextList::size_max, TextList::size_max + 1}) {
    Values values;
    const std::vector<const char*> arguments(count, "--name=x");
    const Parsed parsed = parse(values, arguments);
    EXPECT_EQ(parsed.status.has_value(), count > TextList::size_max) << count;
    EXPECT_EQ(parsed.errors, count > TextList::size_max ? "program: --name: \"x\" is one too many\n" : "");
  }
}

TEST(Options, ShowHelp) {
  Values values;
  const Parsed parsed = parse(values, {"--verbose", "--help", "--bogus"});
  EXPECT_EQ(parsed.status, 0);
  EXPECT_EQ(parsed.errors, "");
  EXPECT_EQ(parsed.output,
            "Usage: program [OPTION]...\n"
            "Does things.\n"
            "\n"
            "  --verbose     say more\n"
            "  --folder DIR  look here\n"
            "  --count N     how many (default 64)\n"
            "  --level N     how much (default 1)\n"
            "  --name NAME   who (repeatable)\n"
            "  --help        show this text\n"
            "  --version     show the version\n");
}

// ---- letters and operands

struct Call {
  bool quiet = false;
  bool verbose = false;
  std::uint32_t count = 4;
  TextList fields;
  bool plain = false;
  std::string_view url;
};

Parsed parse(Call& call, std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "ignored");
  Options options{"program", "Calls."};
  options.operand("URL", "what to call", call.url,
                  [](std::string_view value) { return value.starts_with("http") ? nullptr : "is no URL"; });
  options.flag("--quiet", "say nothing", call.quiet).letter('q');
  options.flag("--verbose", "say more", call.verbose).letter('v');
  options.number("--count", "N", "how many", call.count, {.min = 1, .max = 9}).letter('c');
  options.list("--header", "LINE", "send it", call.fields).letter('H');
  options.flag("--plain", "no colours", call.plain);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Parsed parsed;
  parsed.status = options.parse(static_cast<int>(arguments.size()), arguments.data());
  parsed.output = ::testing::internal::GetCapturedStdout();
  parsed.errors = ::testing::internal::GetCapturedStderr();
  return parsed;
}

TEST(Options, TakeLetters) {
  for (const std::vector<const char*>& arguments : std::vector<std::vector<const char*>>{
           {"-q", "-v", "-c", "7", "-H", "A: b", "-H", "-c", "http:a"},
           {"-qvc7", "-HA: b", "http:a", "-H-c"},
           {"http:a", "--quiet", "-vc", "7", "--header=A: b", "--header", "-c"},
           {"-qv", "--count=7", "-HA: b", "-H-c", "--", "http:a"},
       }) {
    Call call;
    const Parsed parsed = parse(call, arguments);
    EXPECT_EQ(parsed.status, std::nullopt) << parsed.errors;
    EXPECT_TRUE(call.quiet && call.verbose);
    EXPECT_EQ(call.count, 7U);
    EXPECT_EQ(call.url, "http:a");
    ASSERT_EQ(call.fields.values().size(), 2U);
    EXPECT_EQ(call.fields.values()[0], "A: b");
    EXPECT_EQ(call.fields.values()[1], "-c");
  }
}

TEST(Options, RefuseLettersAndOperandsInOneLine) {
  struct Case {
    std::vector<const char*> arguments;
    std::string says;
  };
  const Case cases[] = {
      {{}, "URL: is missing; try --help"},
      {{"--"}, "URL: is missing; try --help"},
      {{"-c", "http:a"}, "-c: \"http:a\" is not a number from 1 to 9"},
      {{"-c"}, "-c: needs a value; try --help"},
      {{"-qc"}, "-c: needs a value; try --help"},
      {{"-c0", "http:a"}, "-c: \"0\" is not a number from 1 to 9"},
      {{"-c1", "-c1", "http:a"}, "-c: given twice; try --help"},
      {{"-c1", "--count=1", "http:a"}, "--count: given twice; try --help"},
      {{"-qxv", "http:a"}, "-x: unknown option; try --help"},
      {{"-q=1", "http:a"}, "-=: unknown option; try --help"},
      {{"http:a", "http:b"}, "http:b: unexpected argument; try --help"},
      {{"-"}, "URL: \"-\" is no URL"},
      {{""}, "URL: \"\" is no URL"},
      {{"--", "-q"}, "URL: \"-q\" is no URL"},
  };
  for (const Case& c : cases) {
    Call call;
    const Parsed parsed = parse(call, c.arguments);
    EXPECT_EQ(parsed.status, 2) << c.says;
    EXPECT_EQ(parsed.errors, "program: " + c.says + "\n");
    EXPECT_EQ(parsed.output, "");
  }
}

TEST(Options, ShowLettersInHelp) {
  Call call;
  EXPECT_EQ(parse(call, {"--help"}).output,
            "Usage: program [OPTION]... URL\n"
            "Calls.\n"
            "\n"
            "      URL            what to call\n"
            "  -q, --quiet        say nothing\n"
            "  -v, --verbose      say more\n"
            "  -c, --count N      how many (default 4)\n"
            "  -H, --header LINE  send it (repeatable)\n"
            "      --plain        no colours\n"
            "      --help         show this text\n"
            "      --version      show the version\n");
}

TEST(Options, ShowTheVersion) {
  Values values;
  const Parsed parsed = parse(values, {"--version"});
  EXPECT_EQ(parsed.status, 0);
  EXPECT_EQ(parsed.output, "program " POLLUX_VERSION "\n");
}

}  // namespace
}  // namespace pollux::apps
