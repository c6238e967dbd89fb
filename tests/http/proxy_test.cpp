// Proxy, ProxySettings: case tables for what is read and what is chosen.

#include "stack/http/proxy.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/heap_guard.hpp"

namespace pollux::test {
namespace {

using http::Proxy;
using http::ProxyError;
using http::ProxyKind;
using http::ProxyProblem;
using http::ProxySettings;

// The environment of one case.
std::map<std::string, std::string, std::less<>>& environment() {
  static std::map<std::string, std::string, std::less<>> variables;
  return variables;
}
const char* get_variable(const char* name) {
  const auto found = environment().find(std::string_view{name});
  return found == environment().end() ? nullptr : found->second.c_str();
}

// "socks5://user:password@host:port"; "" for none.
std::string text_of(const Proxy* proxy) {
  if (proxy == nullptr) {
    return "";
  }
  std::string text{proxy_kind_name(proxy->kind())};
  text += "://";
  if (proxy->has_user()) {
    text += std::string{proxy->user()} + ":" + std::string{proxy->password()} + "@";
  }
  return text + std::string{proxy->host()} + ":" + std::to_string(proxy->port());
}

// ---- one proxy

struct ParseRow {
  std::string_view text;
  std::string_view want;
};
constexpr ParseRow parse_rows[] = {
    {"127.0.0.1:8080", "http://127.0.0.1:8080"},
    {"cache.corp.example.com:1234", "http://cache.corp.example.com:1234"},
    {"cache.corp.example.com", "http://cache.corp.example.com:80"},
    {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
    {"HTTP://Cache.Example.COM", "http://cache.example.com:80"},
    {"http://proxy/", "http://proxy:80"},
    {"http://proxy:3128/path?query#fragment", "http://proxy:3128"},
    {"http://proxy:", "http://proxy:80"},
    {"  proxy:1\t", "http://proxy:1"},
    {"socks5://127.0.0.1", "socks5://127.0.0.1:1080"},
    {"socks5h://proxy:9050", "socks5h://proxy:9050"},
    {"[::1]:8080", "http://::1:8080"},
    {"http://[2001:db8::1]", "http://2001:db8::1:80"},
    {"http://user:password@proxy:1", "http://user:password@proxy:1"},
    {"user@proxy", "http://user:@proxy:80"},
    {":secret@proxy", "http://:secret@proxy:80"},
    {"socks5://u%40x:p%3A%2F%20@proxy", "socks5://u@x:p:/ @proxy:1080"},
    {"http://user:p@ss@proxy", "http://user:p@ss@proxy:80"},
    {"http://user:a:b@proxy", "http://user:a:b@proxy:80"},
    {"socks5://a%3Ab:c@proxy", "socks5://a:b:c@proxy:1080"},
    {"proxy:65535", "http://proxy:65535"},
};

TEST(Proxy, Reads) {
  for (const ParseRow& row : parse_rows) {
    Proxy proxy;
    EXPECT_EQ(proxy.parse(row.text), ProxyError::none) << row.text;
    EXPECT_EQ(text_of(&proxy), row.want) << row.text;
  }
}

TEST(Proxy, Refuses) {
  struct Row {
    std::string text;
    ProxyError error;
  };
  const Row rows[] = {
      {"", ProxyError::empty},
      {" \t", ProxyError::empty},
      {"https://cache.corp.example.com", ProxyError::tls_unsupported},
      {"HTTPS://127.0.0.1:8080", ProxyError::tls_unsupported},
      {"ftp://proxy", ProxyError::bad_scheme},
      {"socks4://proxy", ProxyError::bad_scheme},
      {"://proxy", ProxyError::bad_scheme},
      {"http://", ProxyError::bad_host},
      {"http:///path", ProxyError::bad_host},
      {"http://user@", ProxyError::bad_host},
      {":8080", ProxyError::bad_host},
      {"a b:80", ProxyError::bad_host},
      {"proxy\r\nX: y", ProxyError::bad_host},
      {"::1", ProxyError::bad_port},
      {"[::1", ProxyError::bad_host},
      {"[proxy]", ProxyError::bad_host},
      {"proxy:0", ProxyError::bad_port},
      {"proxy:65536", ProxyError::bad_port},
      {"proxy:http", ProxyError::bad_port},
      {"http://a%zz@proxy", ProxyError::bad_userinfo},
      {"http://a:%4@proxy", ProxyError::bad_userinfo},
      {"http://a\tb@proxy", ProxyError::bad_userinfo},
      {"http://a%3Ab:c@proxy", ProxyError::bad_userinfo},
      {std::string(253, 'h') + ":1", ProxyError::none},
      {std::string(254, 'h') + ":1", ProxyError::too_long},
      {std::string(255, 'u') + ":" + std::string(255, 'p') + "@proxy", ProxyError::none},
      {std::string(256, 'u') + ":p@proxy", ProxyError::too_long},
      {"u:" + std::string(256, 'p') + "@proxy", ProxyError::too_long},
  };
  for (const Row& row : rows) {
    Proxy proxy;
    ASSERT_EQ(proxy.parse("socks5://old:one@before:7"), ProxyError::none);
    EXPECT_EQ(proxy.parse(row.text), row.error) << row.text;
    EXPECT_FALSE(describe(row.error).empty());
    if (row.error != ProxyError::none) {
      EXPECT_EQ(text_of(&proxy), "socks5://old:one@before:7") << "left as it was";
    } else {
      EXPECT_NE(proxy.kind(), ProxyKind::socks5);
    }
  }
}

TEST(Proxy, WritesBasicCredentials) {
  std::array<char, http::basic_size_max> out{};
  EXPECT_EQ(http::write_basic_credentials("Aladdin", "open sesame", out), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(http::write_basic_credentials("", "", out), "Basic Og==");
  const std::string longest(255, 'x');
  EXPECT_EQ(http::write_basic_credentials(longest, longest, out).size(), http::basic_size_max);
  EXPECT_EQ(http::write_basic_credentials(longest + "x", "", out), "");
  EXPECT_EQ(http::write_basic_credentials("", longest + "x", out), "");
  EXPECT_EQ(http::write_basic_credentials("Aladdin", "open sesame", std::span{out}.first(33)), "");
  EXPECT_EQ(http::write_basic_credentials("a", "b", std::span{out}.first(3)), "");
}

// ---- the environment

struct Variable {
  const char* name;
  const char* value;
};
struct EnvironmentRow {
  std::vector<Variable> variables;
  std::string_view scheme;
  std::string_view host;
  std::string_view want;  // "" for none
};

void expect_choice(const EnvironmentRow& row, ProxyError error = ProxyError::none) {
  environment().clear();
  std::string shown;
  for (const Variable& variable : row.variables) {
    environment()[variable.name] = variable.value;
    shown += std::string{variable.name} + "=" + variable.value + " ";
  }
  const ProxySettings settings = ProxySettings::from_environment(&get_variable);
  EXPECT_EQ(settings.problem().error, error) << shown;
  const std::uint16_t port = row.scheme == "https" ? 443 : 80;
  EXPECT_EQ(text_of(settings.select(row.scheme, row.host, port)), row.want) << shown << row.scheme << "://" << row.host;
}

TEST(ProxySettings, ReadsTheEnvironment) {
  const EnvironmentRow rows[] = {
      {{}, "http", "example.com", ""},
      {{}, "https", "example.com", ""},
      {{{"HTTP_PROXY", "127.0.0.1:8080"}}, "http", "example.com", "http://127.0.0.1:8080"},
      {{{"http_proxy", "127.0.0.1:8080"}}, "http", "example.com", "http://127.0.0.1:8080"},
      {{{"HTTP_PROXY", "cache.corp.example.com"}}, "http", "example.com", "http://cache.corp.example.com:80"},
      {{{"HTTP_PROXY", "socks5://127.0.0.1"}}, "http", "example.com", "socks5://127.0.0.1:1080"},
      {{{"HTTP_PROXY", "upper"}, {"http_proxy", "lower"}}, "http", "example.com", "http://upper:80"},
      {{{"HTTP_PROXY", ""}, {"http_proxy", "lower"}}, "http", "example.com", "http://lower:80"},
      {{{"HTTP_PROXY", "proxy"}}, "https", "example.com", ""},
      {{{"HTTPS_PROXY", "proxy"}}, "http", "example.com", ""},
      // Each scheme has its own.
      {{{"HTTP_PROXY", "http.proxy.tld"}, {"HTTPS_PROXY", "secure.proxy.tld"}},
       "http",
       "insecure.tld",
       "http://http.proxy.tld:80"},
      {{{"HTTP_PROXY", "http.proxy.tld"}, {"HTTPS_PROXY", "secure.proxy.tld"}},
       "https",
       "secure.tld",
       "http://secure.proxy.tld:80"},
      {{{"https_proxy", "secure.proxy.tld"}}, "https", "secure.tld", "http://secure.proxy.tld:80"},
      {{{"https_proxy", "secure.proxy.tld"}}, "HTTPS", "secure.tld", "http://secure.proxy.tld:80"},
      // Those without one take the one for all.
      {{{"ALL_PROXY", "socks5h://all"}}, "http", "a.tld", "socks5h://all:1080"},
      {{{"all_proxy", "socks5h://all"}}, "https", "a.tld", "socks5h://all:1080"},
      {{{"ALL_PROXY", "socks5h://all"}, {"HTTP_PROXY", "own"}}, "http", "a.tld", "http://own:80"},
      {{{"ALL_PROXY", "socks5h://all"}, {"HTTP_PROXY", "own"}}, "https", "a.tld", "socks5h://all:1080"},
      // A CGI program is told the client's "Proxy" field as HTTP_PROXY.
      {{{"HTTP_PROXY", "evil"}, {"REQUEST_METHOD", "POST"}}, "http", "a.tld", ""},
      {{{"HTTP_PROXY", "evil"}, {"http_proxy", "good"}, {"REQUEST_METHOD", "POST"}}, "http", "a.tld", "http://good:80"},
      {{{"HTTPS_PROXY", "good"}, {"REQUEST_METHOD", "POST"}}, "https", "a.tld", "http://good:80"},
      {{{"HTTP_PROXY", "fine"}, {"REQUEST_METHOD", ""}}, "http", "a.tld", "http://fine:80"},
      // Who is reached directly.
      {{{"NO_PROXY", "example.com"}, {"HTTP_PROXY", "proxy"}}, "http", "example.com", ""},
      {{{"no_proxy", "example.com"}, {"HTTP_PROXY", "proxy"}}, "http", "example.com", ""},
      {{{"NO_PROXY", ".example.com"}, {"HTTP_PROXY", "proxy"}}, "http", "example.com", "http://proxy:80"},
      {{{"NO_PROXY", "ample.com"}, {"HTTP_PROXY", "proxy"}}, "http", "example.com", "http://proxy:80"},
      {{{"NO_PROXY", "example.com"}, {"HTTP_PROXY", "proxy"}}, "http", "foo.example.com", ""},
      {{{"NO_PROXY", ".foo.com"}, {"HTTP_PROXY", "proxy"}}, "http", "example.com", "http://proxy:80"},
      {{{"NO_PROXY", "example.com"}, {"ALL_PROXY", "proxy"}}, "https", "example.com", ""},
      {{{"NO_PROXY", "*"}, {"ALL_PROXY", "proxy"}}, "https", "example.com", ""},
  };
  for (const EnvironmentRow& row : rows) {
    expect_choice(row);
  }
}

TEST(ProxySettings, TellsWhichVariableIsWrong) {
  struct Row {
    std::vector<Variable> variables;
    ProxyError error;
    std::string_view variable;
  };
  const std::string many = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q";
  const std::string longer(254, 'n');
  const std::string much = longer + "," + longer + "," + longer + "," + longer + "," + longer;
  const Row rows[] = {
      {{{"HTTP_PROXY", "https://proxy"}}, ProxyError::tls_unsupported, "HTTP_PROXY"},
      {{{"http_proxy", "proxy:x"}}, ProxyError::bad_port, "http_proxy"},
      {{{"https_proxy", "ftp://proxy"}}, ProxyError::bad_scheme, "https_proxy"},
      {{{"ALL_PROXY", " "}}, ProxyError::empty, "ALL_PROXY"},
      {{{"HTTP_PROXY", "a b"}, {"HTTPS_PROXY", "https://proxy"}}, ProxyError::bad_host, "HTTP_PROXY"},
      {{{"HTTP_PROXY", "proxy"}, {"NO_PROXY", many.c_str()}}, ProxyError::too_many, "NO_PROXY"},
      {{{"HTTP_PROXY", "proxy"}, {"no_proxy", much.c_str()}}, ProxyError::too_long, "no_proxy"},
  };
  for (const Row& row : rows) {
    environment().clear();
    for (const Variable& variable : row.variables) {
      environment()[variable.name] = variable.value;
    }
    ProxySettings settings;
    const ProxyProblem problem = settings.read_environment(&get_variable);
    EXPECT_TRUE(problem);
    EXPECT_EQ(problem.error, row.error);
    EXPECT_EQ(problem.variable, row.variable);
    EXPECT_EQ(settings.problem().error, row.error);
    environment().clear();
    EXPECT_FALSE(settings.read_environment(&get_variable)) << "it is forgotten";
  }
}

// ---- no_proxy

TEST(ProxySettings, SparesThoseOnTheList) {
  environment().clear();
  environment()["HTTP_PROXY"] = "proxy";
  environment()["NO_PROXY"] =
      "foobar.com, .barbaz.net ,*.star.org,192.168.1.1,192.168.1.2:81 192.168.1.3:80\t10.0.0.0/30,2001:db8::52:0:1,"
      "[2001:db8::52:0:2]:443,[2001:db8::52:0:3]:80,2002:db8:a::45/64,Upper.EXAMPLE,ports.net:8080,172.16.0.0/12:80,"
      "fd00::/8:80,dotted.example.";
  struct Row {
    std::string_view host;
    std::uint16_t port;
    bool is_proxied;
  };
  constexpr Row rows[] = {
      // Loopback, whatever the list says.
      {"localhost", 80, false},
      {"LOCALHOST.", 80, false},
      {"app.localhost", 80, false},
      {"notlocalhost", 80, true},
      {"localhost.example", 80, true},
      {"127.0.0.1", 80, false},
      {"127.0.0.2", 80, false},
      {"[::1]", 80, false},
      {"::1", 80, false},
      {"[::2]", 80, true},
      {"[::ffff:127.0.0.1]", 80, false},
      {"128.0.0.1", 80, true},
      // Names.
      {"foobar.com", 80, false},
      {"foobar.com.", 80, false},
      {"FooBar.com", 81, false},
      {"www.foobar.com", 80, false},
      {"foofoobar.com", 80, true},
      {"foobar.com.evil", 80, true},
      {"com", 80, true},
      {"barbaz.net", 80, true},
      {"sub.barbaz.net", 80, false},
      {"barbaz.net.com", 80, true},
      {"star.org", 80, true},
      {"a.star.org", 80, false},
      {"a.b.star.org", 80, false},
      {"upper.example", 80, false},
      {"ports.net", 8080, false},
      {"ports.net", 80, true},
      {"a.ports.net", 8080, false},
      {"dotted.example", 80, false},
      {"www.dotted.example.", 80, false},
      // Addresses.
      {"192.168.1.1", 80, false},
      {"192.168.1.1", 81, false},
      {"192.168.1.2", 80, true},
      {"192.168.1.2", 81, false},
      {"192.168.1.3", 80, false},
      {"192.168.1.3", 81, true},
      {"192.168.1.4", 80, true},
      {"[::ffff:192.168.1.1]", 80, false},
      {"1.192.168.1.1", 80, true},  // a name
      {"10.0.0.2", 80, false},
      {"10.0.0.3", 80, false},
      {"10.0.0.4", 80, true},
      {"[2001:db8::52:0:1]", 80, false},
      {"2001:DB8:0:0:0:52:0:1", 80, false},
      {"[2001:db8::52:0:2]", 443, false},
      {"[2001:db8::52:0:2]", 80, true},
      {"[2001:db8::52:0:3]", 80, false},
      {"[2001:db8::52:0:4]", 80, true},
      {"[2002:db8:a::123]", 80, false},
      {"[2002:db8:a:1::123]", 80, true},
      {"172.31.255.255", 80, false},
      {"172.32.0.0", 80, true},
      {"172.16.0.1", 443, true},
      {"[fd12::1%252]", 80, false},
      {"fd12::1%2", 443, true},
      {"", 80, true},
  };
  ProxySettings settings;
  ASSERT_FALSE(settings.read_environment(&get_variable)) << describe(settings.problem().error);
  for (const Row& row : rows) {
    const heap_guard::Forbidden no_heap;
    EXPECT_EQ(settings.select("http", row.host, row.port) != nullptr, row.is_proxied) << row.host << " " << row.port;
  }
}

TEST(ProxySettings, PassesOverWhatMeansNobody) {
  Proxy proxy;
  ASSERT_EQ(proxy.parse("proxy"), ProxyError::none);
  struct Row {
    std::string_view list;
    std::string_view host;
    bool is_proxied;
  };
  constexpr Row rows[] = {
      {"", "a", true},
      {",, \t,", "a", true},
      {":80", "a", true},
      {".", "a", true},
      {"*.", "a", true},
      {"*x", "ax", true},  // not a pattern language
      {"**", "a", true},
      {"a:b", "a", true},
      {"a:0", "a", true},
      {"a:99999", "a", true},
      {"10.0.0.0/33", "10.0.0.0", true},
      {"10.0.0.0/", "10.0.0.0", true},
      {"10.0.0.0/x", "10.0.0.0", true},
      {"10.0.0.0/-1", "10.0.0.0", true},
      {"::/129", "[::5]", true},
      {"name/8", "name", true},
      {"[::1", "::1", true},
      {"[::5]", "::5", false},
      {"*:80", "a", false},
      {"*:81", "a", true},
      {"x,*", "a", false},
      {"0.0.0.0/0", "9.9.9.9", false},
      {"0.0.0.0/0", "name", true},
      {"0.0.0.0/0", "[2001:db8::1]", true},
      {"::/0", "[2001:db8::1]", false},
      {"::/0", "9.9.9.9", true},
      {"10.1.2.3/8", "10.9.9.9", false},
      {"10.1.2.3/32", "10.1.2.3", false},
      {"10.1.2.3/31", "10.1.2.2", false},
      {"10.1.2.3/32", "10.1.2.2", true},
      {"::ffff:10.0.0.0/104", "10.5.5.5", false},
      {"::ffff:10.0.0.0/8", "10.5.5.5", true},
      {"::ffff:0.0.0.0/8", "0.0.0.0", true},
      {"5.6.7.8", "x5.6.7.8", true},
      {"7.8", "5.6.7.8", true},  // an address is not below a name
  };
  for (const Row& row : rows) {
    ProxySettings settings;
    settings.set(proxy);
    EXPECT_EQ(settings.set_no_proxy(row.list), ProxyError::none) << row.list;
    EXPECT_EQ(settings.select("http", row.host, 80) != nullptr, row.is_proxied) << row.list << " " << row.host;
  }
}

TEST(ProxySettings, HasALimitOfEntries) {
  Proxy proxy;
  ASSERT_EQ(proxy.parse("proxy"), ProxyError::none);
  ProxySettings settings;
  settings.set(proxy);
  EXPECT_EQ(settings.set_no_proxy("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p"), ProxyError::none);
  EXPECT_EQ(settings.select("http", "p", 80), nullptr);
  EXPECT_EQ(settings.set_no_proxy("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,:80,p"), ProxyError::none) << "nobody is no entry";
  EXPECT_EQ(settings.set_no_proxy("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), ProxyError::too_many);
  EXPECT_NE(settings.select("http", "a", 80), nullptr) << "half a list is none";
  const std::string half(512, 'x');
  EXPECT_EQ(settings.set_no_proxy(half + "," + half), ProxyError::none);
  EXPECT_EQ(settings.set_no_proxy(half + "," + half + ",y"), ProxyError::too_long);
  EXPECT_EQ(settings.set_no_proxy(""), ProxyError::none);
}

// ---- by hand

TEST(ProxySettings, AProxySetByHandServesEverything) {
  environment().clear();
  environment()["HTTP_PROXY"] = "environment";
  environment()["NO_PROXY"] = "spared";
  ProxySettings settings = ProxySettings::from_environment(&get_variable);
  Proxy proxy;
  ASSERT_EQ(proxy.parse("socks5h://hand"), ProxyError::none);
  settings.set(proxy);
  EXPECT_EQ(text_of(settings.select("http", "a", 80)), "socks5h://hand:1080");
  EXPECT_EQ(text_of(settings.select("https", "a", 443)), "socks5h://hand:1080");
  EXPECT_EQ(text_of(settings.select("http", "localhost", 80)), "socks5h://hand:1080") << "it was asked for";
  EXPECT_EQ(text_of(settings.select("http", "127.0.0.1", 80)), "socks5h://hand:1080");
  EXPECT_EQ(text_of(settings.select("http", "spared", 80)), "") << "the list stays";
  EXPECT_EQ(settings.set_no_proxy("localhost"), ProxyError::none);
  EXPECT_EQ(text_of(settings.select("http", "spared", 80)), "socks5h://hand:1080");
  EXPECT_EQ(text_of(settings.select("http", "localhost", 80)), "");
  settings.set(Proxy{});
  EXPECT_EQ(settings.select("http", "a", 80), nullptr);
}

TEST(ProxySettings, NeedsNoConstructorAtStart) {
  static constinit ProxySettings settings;
  EXPECT_EQ(settings.select("http", "a", 80), nullptr);
}

}  // namespace
}  // namespace pollux::test
