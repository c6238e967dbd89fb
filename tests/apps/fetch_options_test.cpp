// The command line of pollux-fetch: curl's rules for options, the values they take and refuse, and what -d makes of its values.
#include "apps/fetch/options.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/fetch/data.hpp"
#include "apps/fetch/option_table.hpp"

namespace pollux::fetch {
namespace {

using namespace std::chrono_literals;

struct Parsed {
  Options options;
  Warnings warnings;
  std::optional<Ended> ended;
};

Parsed parse(const std::vector<const char*>& arguments) {
  Parsed parsed;
  parsed.ended = fetch::parse(parsed.options, arguments, parsed.warnings);
  return parsed;
}

TEST(FetchOptions, TakesLettersTogetherAndValuesAttached) {
  const Parsed parsed = parse({"-sSfLv", "-ofile", "-m", "1.5", "-dX=1", "http://h/"});
  ASSERT_FALSE(parsed.ended);
  EXPECT_TRUE(parsed.options.silent && parsed.options.show_error && parsed.options.fail && parsed.options.follow);
  EXPECT_TRUE(parsed.options.verbose);
  ASSERT_EQ(parsed.options.outputs.size(), 1U);
  EXPECT_EQ(parsed.options.outputs[0].path, "file");
  EXPECT_EQ(parsed.options.max_time, 1500ms);
  EXPECT_EQ(parsed.options.data, "X=1");
  EXPECT_EQ(parsed.options.urls, std::vector<std::string>{"http://h/"});
}

TEST(FetchOptions, TakesLongNamesCutAndTurnedOff) {
  EXPECT_EQ(parse({"--max-t", "2", "h"}).options.max_time, 2s);
  EXPECT_FALSE(parse({"-L", "--no-location", "h"}).options.follow);
  EXPECT_FALSE(parse({"--no-keepalive", "h"}).options.keep_alive_probes);
  EXPECT_FALSE(parse({"--no-progress-meter", "h"}).options.progress_meter);
  EXPECT_EQ(parse({"--noproxy", "a,b", "h"}).options.no_proxy, "a,b");
  // The whole name wins over names that begin with it.
  EXPECT_TRUE(parse({"--fail", "h"}).options.fail);
  EXPECT_EQ(parse({"--", "-s"}).options.urls, std::vector<std::string>{"-s"});
}

TEST(FetchOptions, TakesWhatIsAboutTls) {
  const Parsed parsed = parse({"-k", "--cacert", "ca", "--capath", "dir", "-E", "cert", "--key", "key",
                               "--pinnedpubkey", "sha256//x", "--tlsv1.3", "--tls-max", "1.3", "https://h/"});
  ASSERT_FALSE(parsed.ended);
  const Options& options = parsed.options;
  EXPECT_TRUE(options.insecure);
  EXPECT_EQ(options.ca_file, "ca");
  EXPECT_EQ(options.ca_directory, "dir");
  EXPECT_EQ(options.certificate, "cert");
  EXPECT_EQ(options.key, "key");
  EXPECT_EQ(options.pinned_key, "sha256//x");
  EXPECT_EQ(options.tls_min, TlsVersion::tls13);
  EXPECT_EQ(options.tls_max, TlsVersion::tls13);
  EXPECT_FALSE(parse({"-k", "--no-insecure", "h"}).options.insecure);
  EXPECT_EQ(parse({"--tlsv1.0", "h"}).options.tls_min, TlsVersion::older);
  EXPECT_EQ(parse({"-1", "h"}).options.tls_min, TlsVersion::older);
  EXPECT_EQ(parse({"--tls-max", "1.1", "h"}).options.tls_max, TlsVersion::older);
  EXPECT_EQ(parse({"--tls-max", "1.2", "--tls-max", "default", "h"}).options.tls_max, TlsVersion::any);
  EXPECT_EQ(parse({"--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256", "h"}).warnings.texts().size(), 1U);

  // A password stands behind a colon; one of the name itself is escaped.
  struct Case {
    const char* value;
    std::string_view file;
    std::string_view password;
  };
  for (const Case& one :
       {Case{"a.pem", "a.pem", ""}, Case{"a.pem:secret", "a.pem", "secret"}, Case{"a\\:b.pem:c:d", "a:b.pem", "c:d"},
        Case{"a\\\\b", "a\\b", ""}, Case{"a\\b", "a\\b", ""}}) {
    const Options cert = parse({"--cert", one.value, "h"}).options;
    EXPECT_EQ(cert.certificate, one.file) << one.value;
    EXPECT_EQ(cert.password, one.password) << one.value;
  }
}

TEST(FetchOptions, RefusesAsCurlDoes) {
  struct Case {
    std::vector<const char*> arguments;
    int status;
    std::string_view says;
  };
  const Case cases[] = {
      {{}, 2, "no URL specified"},
      {{"-s"}, 2, "no URL specified"},
      {{"--foo", "h"}, 2, "option --foo: is unknown"},
      {{"-s~", "h"}, 2, "option -~: is unknown"},
      {{"-", "h"}, 2, "option -: is unknown"},
      {{"--ma", "1", "h"}, 2, "option --ma: is ambiguous"},
      {{"-o"}, 2, "option -o: requires parameter"},
      {{"h", "--output"}, 2, "option --output: requires parameter"},
      {{"--max-time=5", "h"}, 2, "option --max-time=5: is unknown"},
      {{"-m", "x", "h"}, 2, "option -m: expected a proper numerical parameter"},
      {{"-m", "-1", "h"}, 2, "option -m: expected a proper numerical parameter"},
      {{"-C", "x", "h"}, 2, "expected a proper numerical parameter"},
      {{"--max-redirs", "-2", "h"}, 2, "expected a proper numerical parameter"},
      {{"--retry", "", "h"}, 2, "expected a proper numerical parameter"},
      {{"--limit-rate", "x", "h"}, 2, "option --limit-rate: is badly used here"},
      {{"--tls-max", "9", "h"}, 2, "option --tls-max: is badly used here"},
      {{"--ciphers", "nonsense", "h"}, 59, "option --ciphers: names no cipher that is known here"},
      {{"--resolve", "a:b", "h"}, 49, "option --resolve: is badly used here"},
      {{"--dns-servers", "x", "h"}, 2, "is badly used here"},
      {{"--http1.0", "h"}, 2, "this build does not support this"},
      {{"-f", "--fail-with-body", "h"}, 2, "must select either"},
      {{"-d", "a", "-I", "h"}, 2, "only select one HTTP request method"},
      {{"-d", "a", "-T", "f", "h"}, 2, "only select one HTTP request method"},
      {{"-I", "-T", "f", "h"}, 2, "only select one HTTP request method"},
  };
  for (const Case& one : cases) {
    const Parsed parsed = parse(one.arguments);
    ASSERT_TRUE(parsed.ended) << one.says;
    EXPECT_EQ(parsed.ended->status, one.status) << one.says;
    EXPECT_NE(parsed.ended->message.find(one.says), std::string::npos) << parsed.ended->message;
    EXPECT_TRUE(parsed.ended->message.ends_with("try 'pollux-fetch --help' for more information\n"));
  }
}

TEST(FetchOptions, ShowsHelpAndVersion) {
  const Parsed help = parse({"--help"});
  ASSERT_TRUE(help.ended);
  EXPECT_EQ(help.ended->status, 0);
  for (const OptionEntry& entry : option_table()) {
    EXPECT_EQ(help.ended->output.find("--" + std::string{entry.name} + " ") != std::string::npos, !entry.help.empty())
        << entry.name;
  }
  const Parsed version = parse({"-sV"});
  ASSERT_TRUE(version.ended);
  EXPECT_TRUE(version.ended->output.starts_with("pollux-fetch "));
}

TEST(FetchOptions, HasEachNameAndLetterOnce) {
  for (const OptionEntry& entry : option_table()) {
    for (const OptionEntry& other : option_table()) {
      if (&entry != &other) {
        EXPECT_NE(entry.name, other.name);
        EXPECT_TRUE(entry.letter == 0 || entry.letter != other.letter) << entry.name << " " << other.name;
      }
    }
    const int ways = (entry.flag != nullptr) + (entry.text != nullptr) + (entry.handle != nullptr);
    EXPECT_LE(ways, 1) << entry.name;
  }
}

TEST(FetchOptions, ReadsHeaders) {
  struct Case {
    std::string_view text;
    bool is_header;
    HeaderOption::Kind kind;
    std::string_view name;
    std::string_view value;
  };
  const Case cases[] = {
      {"A: b", true, HeaderOption::Kind::add, "A", "b"},
      {"A:b:c", true, HeaderOption::Kind::add, "A", "b:c"},
      {"A: b;c", true, HeaderOption::Kind::add, "A", "b;c"},
      {"A:", true, HeaderOption::Kind::remove, "A", ""},
      {"A:  ", true, HeaderOption::Kind::remove, "A", ""},
      {"A;", true, HeaderOption::Kind::add, "A", ""},
      {"A;b", false, {}, "", ""},
      {"A", false, {}, "", ""},
      {":b", false, {}, "", ""},
      {"", false, {}, "", ""},
  };
  for (const Case& one : cases) {
    const auto header = parse_header(one.text);
    ASSERT_EQ(header.has_value(), one.is_header) << one.text;
    if (header) {
      EXPECT_EQ(header->kind, one.kind) << one.text;
      EXPECT_EQ(header->name, one.name) << one.text;
      EXPECT_EQ(header->value, one.value) << one.text;
    }
  }
}

TEST(FetchOptions, ReadsNumbers) {
  EXPECT_EQ(parse_seconds("0"), 0ns);
  EXPECT_EQ(parse_seconds("2.5"), 2500ms);
  EXPECT_EQ(parse_seconds("0.000000001"), 1ns);
  EXPECT_EQ(parse_seconds("1."), 1s);
  for (const std::string_view bad : {"", ".5", "-1", "1,5", "1e3", "1.x"}) {
    EXPECT_FALSE(parse_seconds(bad)) << bad;
  }
  EXPECT_EQ(parse_size("100"), 100U);
  EXPECT_EQ(parse_size("10k"), 10240U);
  EXPECT_EQ(parse_size("2M"), 2U << 20);
  EXPECT_EQ(parse_size("1g"), 1U << 30);
  for (const std::string_view bad : {"", "k", "1x", "-1", "99999999999999999999", "9000000000G"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

TEST(FetchOptions, ReadsResolveAndConnectTo) {
  const auto resolve = parse_resolve("h.example:80:127.0.0.1,[::1]");
  ASSERT_TRUE(resolve);
  EXPECT_EQ(resolve->host, "h.example");
  EXPECT_EQ(resolve->port, 80);
  ASSERT_EQ(resolve->addresses.size(), 2U);
  EXPECT_EQ(resolve->addresses[1].family, port::Family::ipv6);
  EXPECT_TRUE(parse_resolve("*:80:10.0.0.1"));
  EXPECT_TRUE(parse_resolve("+h:80:10.0.0.1"));
  for (const std::string_view bad :
       {"", "h", "h:80", "h:80:", "h:x:10.0.0.1", "h:80:name", ":80:10.0.0.1", "[::1:80:1"}) {
    EXPECT_FALSE(parse_resolve(bad)) << bad;
  }
  const auto to = parse_connect_to("a:80:[::1]:8080");
  ASSERT_TRUE(to);
  EXPECT_EQ(to->host, "a");
  EXPECT_EQ(to->port, 80);
  EXPECT_EQ(to->to_host, "[::1]");
  EXPECT_EQ(to->to_port, 8080);
  EXPECT_TRUE(parse_connect_to("::h:"));
  EXPECT_FALSE(parse_connect_to("a:x:b:80"));
  EXPECT_FALSE(parse_connect_to("[::1"));
}

TEST(FetchOptions, TakesCookiesRangesAndReferers) {
  const Options options =
      parse({"-b", "a=1", "-b", "b=2", "-b", "file", "-b", "", "-r", "5", "-e", "http://x/;auto", "h"}).options;
  EXPECT_EQ(options.cookies, "a=1; b=2");
  EXPECT_EQ(options.cookie_files, (std::vector<std::string>{"file", ""}));
  EXPECT_EQ(options.range, "5-");
  EXPECT_EQ(options.referer, "http://x/");
  EXPECT_TRUE(options.auto_referer);
  EXPECT_TRUE(parse({"-C", "-", "h"}).options.resume_at_size);
  EXPECT_EQ(parse({"-C", "7", "h"}).options.resume_from, 7U);
  EXPECT_EQ(parse({"-x", "", "h"}).options.proxy_kind, ProxyKind::none);
  EXPECT_EQ(parse({"--socks5-hostname", "p:1", "h"}).options.proxy, "socks5h://p:1");
  EXPECT_EQ(parse({"-d", "a", "-d", "b", "-G", "h"}).options.data, "a&b");
}

// ---- data

class FetchData : public ::testing::Test {
 protected:
  FetchData() : path_{::testing::TempDir() + "pollux-fetch-data-" + std::to_string(::getpid())} {
    std::ofstream{path_, std::ios::binary} << std::string_view{"l1\r\nl2\n\0x &", 11};
  }
  ~FetchData() override { static_cast<void>(std::remove(path_.c_str())); }
  std::string path_;
};

TEST_F(FetchData, IsPutTogetherByKind) {
  struct Case {
    DataKind kind;
    std::string value;
    std::string_view result;
  };
  const Case cases[] = {
      {DataKind::ascii, "a=b", "a=b"},
      {DataKind::ascii, "@" + path_, "l1l2x &"},
      {DataKind::binary, "@" + path_, std::string_view{"l1\r\nl2\n\0x &", 11}},
      {DataKind::raw, "@file", "@file"},
      {DataKind::json, "{}", "{}"},
      {DataKind::url_encoded, "a b&c", "a+b%26c"},
      {DataKind::url_encoded, "=a b", "a+b"},
      {DataKind::url_encoded, "n=a b=c", "n=a+b%3Dc"},
      {DataKind::url_encoded, "@" + path_, "l1%0D%0Al2%0A%00x+%26"},
      {DataKind::url_encoded, "n@" + path_, "n=l1%0D%0Al2%0A%00x+%26"},
  };
  for (const Case& one : cases) {
    std::string data;
    EXPECT_EQ(append_data(data, true, one.kind, one.value), "");
    EXPECT_EQ(data, one.result) << one.value;
  }
}

TEST_F(FetchData, IsJoined) {
  std::string data;
  EXPECT_EQ(append_data(data, true, DataKind::ascii, "a=1"), "");
  EXPECT_EQ(append_data(data, false, DataKind::url_encoded, "b=2 3"), "");
  EXPECT_EQ(append_data(data, false, DataKind::ascii, ""), "");
  EXPECT_EQ(data, "a=1&b=2+3&");
  std::string json;
  EXPECT_EQ(append_data(json, true, DataKind::json, "{"), "");
  EXPECT_EQ(append_data(json, false, DataKind::json, "}"), "");
  EXPECT_EQ(json, "{}");
}

TEST_F(FetchData, WarnsOfAFileThatIsNotThere) {
  std::string data;
  EXPECT_NE(append_data(data, true, DataKind::ascii, "@/nonexistent/file").find("/nonexistent/file"),
            std::string::npos);
  EXPECT_EQ(data, "");
}

}  // namespace
}  // namespace pollux::fetch
