#include "apps/fetch/option_table.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "apps/fetch/data.hpp"
#include "stack/base/text.hpp"

namespace pollux::fetch {
namespace {

Refusal not_a_number() {
  return {.text = "expected a proper numerical parameter"};
}
Refusal bad_syntax() {
  return {.text = "is badly used here"};
}
Refusal not_supported() {
  return {.text = "this build does not support this"};
}

// ---- values of one shape

template <port::Duration Options::*member>
Refusal seconds(const OptionCall& call) {
  const auto value = parse_seconds(call.value);
  if (!value) {
    return not_a_number();
  }
  call.options.*member = *value;
  return {};
}
template <std::uint64_t Options::*member>
Refusal size(const OptionCall& call) {
  const auto value = parse_size(call.value);
  if (!value) {
    return bad_syntax();
  }
  call.options.*member = *value;
  return {};
}
template <std::uint32_t Options::*member>
Refusal number(const OptionCall& call) {
  const auto value = base::parse_decimal(call.value, UINT32_MAX);
  if (!value) {
    return not_a_number();
  }
  call.options.*member = static_cast<std::uint32_t>(*value);
  return {};
}
template <DataKind kind>
Refusal data(const OptionCall& call) {
  Options& options = call.options;
  const std::string warning = append_data(options.data, !options.has_data, kind, call.value);
  if (!warning.empty()) {
    call.warnings.add(warning);
  }
  options.has_data = true;
  options.data_is_json = options.data_is_json || kind == DataKind::json;
  return {};
}
template <OutputOption::Kind kind>
Refusal output(const OptionCall& call) {
  if (kind == OutputOption::Kind::file && call.value == "-") {
    call.options.outputs.push_back({.kind = OutputOption::Kind::standard});
  } else {
    call.options.outputs.push_back({.kind = kind, .path = std::string{call.value}});
  }
  return {};
}
template <typename Value, std::optional<Value> (*read)(std::string_view), std::vector<Value> Options::*member>
Refusal each(const OptionCall& call) {
  auto value = read(call.value);
  if (!value) {
    return {.text = "is badly used here", .status = 49};  // CURLE_SETOPT_OPTION_SYNTAX
  }
  (call.options.*member).push_back(std::move(*value));
  return {};
}

// ---- values that are particular

Refusal header(const OptionCall& call) {
  std::string_view text = call.value;
  std::string content;
  if (text.starts_with('@')) {
    auto read = read_whole_file(text.substr(1));
    if (!read) {
      call.warnings.add("Failed to open " + std::string{text.substr(1)} + "!");
      return {};
    }
    content = std::move(*read);
    text = content;
  }
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (auto parsed = parse_header(line)) {
      call.options.headers.push_back(std::move(*parsed));
    }
  }
  return {};
}

Refusal user_agent(const OptionCall& call) {
  call.options.user_agent = std::string{call.value};
  return {};
}

Refusal user(const OptionCall& call) {
  call.options.user = std::string{call.value};
  call.options.has_user = true;
  return {};
}

Refusal referer(const OptionCall& call) {
  std::string_view value = call.value;
  call.options.auto_referer = false;
  if (const std::size_t at = value.find(";auto"); at != std::string_view::npos) {
    call.options.auto_referer = true;
    value = value.substr(0, at);
  }
  call.options.referer = std::string{value};
  return {};
}

Refusal cookie(const OptionCall& call) {
  std::string_view value = call.value;
  if (value.starts_with('@')) {
    value.remove_prefix(1);
  } else if (value.find('=') != std::string_view::npos) {
    std::string& cookies = call.options.cookies;
    cookies += cookies.empty() ? "" : "; ";
    cookies += value;
    return {};
  }
  call.options.cookie_files.emplace_back(value);
  return {};
}

Refusal range(const OptionCall& call) {
  call.options.range = std::string{call.value};
  if (base::parse_decimal(call.value)) {
    call.warnings.add("A specified range MUST include at least one dash '-'. Appending one for you!");
    call.options.range += '-';
  }
  return {};
}

Refusal continue_at(const OptionCall& call) {
  call.options.resume_at_size = call.value == "-";
  call.options.resume_from = std::nullopt;
  if (!call.options.resume_at_size) {
    call.options.resume_from = base::parse_decimal(call.value);
    if (!call.options.resume_from) {
      return not_a_number();
    }
  }
  return {};
}

Refusal redirects_max(const OptionCall& call) {
  const bool is_negative = call.value.starts_with('-');
  const auto value = base::parse_decimal(call.value.substr(is_negative ? 1 : 0), INT32_MAX);
  if (!value || (is_negative && *value != 1)) {
    return not_a_number();
  }
  call.options.redirects_max = is_negative ? -1 : static_cast<std::int64_t>(*value);
  return {};
}

Refusal fail(const OptionCall& call) {
  call.options.fail = call.on;
  return call.options.fail && call.options.fail_with_body
             ? Refusal{.text = "you must select either --fail or --fail-with-body, not both"}
             : Refusal{};
}
Refusal fail_with_body(const OptionCall& call) {
  call.options.fail_with_body = call.on;
  return call.options.fail && call.options.fail_with_body
             ? Refusal{.text = "you must select either --fail or --fail-with-body, not both"}
             : Refusal{};
}

Refusal head(const OptionCall& call) {
  call.options.head = call.on;
  call.options.include = call.on;
  return {};
}

Refusal proxy(const OptionCall& call) {
  call.options.proxy = std::string{call.value};
  call.options.proxy_kind = call.value.empty() ? ProxyKind::none : ProxyKind::given;
  return {};
}
Refusal socks5(const OptionCall& call) {
  call.options.proxy = "socks5://" + std::string{call.value};
  call.options.proxy_kind = ProxyKind::given;
  return {};
}
Refusal socks5_hostname(const OptionCall& call) {
  call.options.proxy = "socks5h://" + std::string{call.value};
  call.options.proxy_kind = ProxyKind::given;
  return {};
}
Refusal no_proxy(const OptionCall& call) {
  call.options.no_proxy = std::string{call.value};
  return {};
}

// --cert FILE[:PASSWORD]; a colon of the name itself is written "\\:".
Refusal certificate(const OptionCall& call) {
  call.options.certificate.clear();
  call.options.password.clear();
  for (std::size_t i = 0; i < call.value.size(); ++i) {
    if (call.value[i] == '\\' && i + 1 < call.value.size() && (call.value[i + 1] == ':' || call.value[i + 1] == '\\')) {
      ++i;
    } else if (call.value[i] == ':') {
      call.options.password = std::string{call.value.substr(i + 1)};
      return {};
    }
    call.options.certificate += call.value[i];
  }
  return {};
}

template <TlsVersion version>
Refusal tls_min(const OptionCall& call) {
  call.options.tls_min = version;
  return {};
}

Refusal tls_max(const OptionCall& call) {
  struct Name {
    std::string_view text;
    TlsVersion version;
  };
  static constexpr Name names[] = {{"default", TlsVersion::any},
                                   {"1.0", TlsVersion::older},
                                   {"1.1", TlsVersion::older},
                                   {"1.2", TlsVersion::tls12},
                                   {"1.3", TlsVersion::tls13}};
  for (const Name& name : names) {
    if (name.text == call.value) {
      call.options.tls_max = name.version;
      return {};
    }
  }
  return bad_syntax();
}

// What is offered is fixed: ciphers that are good by what is known today.
// A list that names none of them is refused as curl refuses one that OpenSSL does not know.
Refusal ciphers(const OptionCall& call) {
  static constexpr std::string_view known[] = {"ECDHE",    "EECDH",   "kE",      "AES",  "CHACHA20",
                                               "HIGH",     "DEFAULT", "ALL",     "FIPS", "ECDSA",
                                               "TLS_AES_", "TLS_CHA", "TLSv1.2", "@",    "SHA"};
  const bool is_known = std::any_of(std::begin(known), std::end(known), [&call](std::string_view name) {
    return call.value.find(name) != std::string_view::npos;
  });
  if (!is_known) {
    return {.text = "names no cipher that is known here", .status = 59};  // CURLE_SSL_CIPHER
  }
  call.warnings.add("The choice of ciphers has no effect: only good ones are offered");
  return {};
}

Refusal dns_servers(const OptionCall& call) {
  std::string_view rest = call.value;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    auto address = port::parse_ip(one);
    if (!address) {
      const auto with_port = port::parse_endpoint(one);
      if (!with_port || with_port->address.family == port::Family::local ||
          base::parse_decimal(one)) {  // "53" alone would be a port
        return bad_syntax();
      }
      call.options.dns_servers.push_back(with_port->address);
    } else {
      call.options.dns_servers.push_back(*address);
    }
  }
  return {};
}

Refusal rate_limit(const OptionCall& call) {
  const auto value = parse_size(call.value);
  if (!value) {
    return bad_syntax();
  }
  call.options.rate_limit = *value;
  return {};
}

Refusal speed_time(const OptionCall& call) {
  Refusal refusal = seconds<&Options::speed_time>(call);
  if (refusal.text.empty() && call.options.speed_limit == 0) {
    call.options.speed_limit = 1;
  }
  return refusal;
}

Refusal write_out(const OptionCall& call) {
  call.options.write_out = std::string{call.value};
  if (call.value.starts_with('@')) {
    auto content = read_whole_file(call.value.substr(1));
    if (!content) {
      call.warnings.add("Failed to open " + std::string{call.value.substr(1)} + "!");
      call.options.write_out.clear();
      return {};
    }
    call.options.write_out = std::move(*content);
  }
  return {};
}

Refusal url(const OptionCall& call) {
  call.options.urls.emplace_back(call.value);
  return {};
}
Refusal upload(const OptionCall& call) {
  call.options.uploads.emplace_back(call.value);
  return {};
}
Refusal refuse(const OptionCall&) {
  return not_supported();
}

using Kind = OutputOption::Kind;

// In the order of their names; a cut name must be unique among them.
constexpr OptionEntry table[] = {
    {.name = "basic", .help = "Basic credentials, as always"},
    {.name = "buffer"},
    {.name = "cacert",
     .parameter = "file",
     .help = "Who may sign the server's certificate, instead of the system's CAs",
     .text = &Options::ca_file},
    {.name = "capath", .parameter = "dir", .help = "The same, as a folder of files", .text = &Options::ca_directory},
    {.letter = 'E',
     .name = "cert",
     .parameter = "file",
     .help = "Our own certificate, for servers that ask",
     .handle = &certificate},
    {.name = "cert-type", .parameter = "type"},
    {.name = "ciphers", .parameter = "list", .handle = &ciphers},
    {.name = "compressed", .help = "Ask for a compressed answer and decode it", .flag = &Options::compressed},
    {.name = "compressed-ssh"},
    {.name = "connect-timeout",
     .parameter = "seconds",
     .help = "Longest time for names and connect",
     .handle = &seconds<&Options::connect_timeout>},
    {.name = "connect-to",
     .parameter = "host1:port1:host2:port2",
     .help = "Connect to host2 instead of host1",
     .handle = &each<ConnectToOption, &parse_connect_to, &Options::connect_tos>},
    {.letter = 'C',
     .name = "continue-at",
     .parameter = "offset",
     .help = "Resume at an offset; '-': where the file ends",
     .handle = &continue_at},
    {.letter = 'b',
     .name = "cookie",
     .parameter = "data|file",
     .help = "Cookies to send, or a cookie file to read",
     .handle = &cookie},
    {.letter = 'c',
     .name = "cookie-jar",
     .parameter = "file",
     .help = "Write cookies there at the end",
     .text = &Options::cookie_jar},
    {.name = "create-dirs", .help = "Make the folders of an output file", .flag = &Options::create_dirs},
    {.letter = 'd',
     .name = "data",
     .parameter = "data",
     .help = "POST this; @file reads it",
     .handle = &data<DataKind::ascii>},
    {.name = "data-ascii", .parameter = "data", .handle = &data<DataKind::ascii>},
    {.name = "data-binary", .parameter = "data", .help = "POST this as it is", .handle = &data<DataKind::binary>},
    {.name = "data-raw", .parameter = "data", .help = "POST this; '@' has no meaning", .handle = &data<DataKind::raw>},
    {.name = "data-urlencode",
     .parameter = "data",
     .help = "POST this, escaped",
     .handle = &data<DataKind::url_encoded>},
    {.letter = 'q', .name = "disable", .help = "No configuration file is read anyway"},
    {.name = "dns-servers", .parameter = "addresses", .help = "Ask these name servers", .handle = &dns_servers},
    {.letter = 'D',
     .name = "dump-header",
     .parameter = "file",
     .help = "Write the heads there",
     .text = &Options::dump_header},
    {.name = "expect100-timeout",
     .parameter = "seconds",
     .help = "How long to wait for 100 Continue",
     .handle = &seconds<&Options::expect_timeout>},
    {.letter = 'f', .name = "fail", .help = "Status 400 and above: no output, exit status 22", .handle = &fail},
    {.name = "fail-early", .help = "Stop at the first transfer that fails", .flag = &Options::fail_early},
    {.name = "fail-with-body", .help = "Status 400 and above: exit status 22", .handle = &fail_with_body},
    {.letter = 'G', .name = "get", .help = "Put the data of -d into the URL and use GET", .flag = &Options::get},
    {.letter = 'g',
     .name = "globoff",
     .help = "Braces and brackets in URLs have no meaning",
     .flag = &Options::no_globbing},
    {.letter = 'I', .name = "head", .help = "Show the head only", .handle = &head},
    {.letter = 'H',
     .name = "header",
     .parameter = "header|@file",
     .help = "Header to send; 'Name:' removes, 'Name;' is empty",
     .handle = &header},
    {.letter = '0', .name = "http1.0", .handle = &refuse},
    {.name = "http1.1", .help = "As always"},
    {.letter = 'i', .name = "include", .help = "Show the head before the body", .flag = &Options::include},
    {.letter = 'k',
     .name = "insecure",
     .help = "Believe any certificate: anybody may be the server",
     .flag = &Options::insecure},
    {.letter = '4', .name = "ipv4", .help = "IPv4 addresses only", .flag = &Options::ipv4_only},
    {.letter = '6', .name = "ipv6", .help = "IPv6 addresses only", .flag = &Options::ipv6_only},
    {.name = "json", .parameter = "data", .help = "POST this as JSON", .handle = &data<DataKind::json>},
    {.letter = 'j',
     .name = "junk-session-cookies",
     .help = "Pass over session cookies of a file",
     .flag = &Options::junk_session_cookies},
    {.name = "keepalive", .flag = &Options::keep_alive_probes},
    {.name = "keepalive-time", .parameter = "seconds"},
    {.name = "key",
     .parameter = "file",
     .help = "The key of --cert; without it --cert has it too",
     .text = &Options::key},
    {.name = "key-type", .parameter = "type"},
    {.name = "limit-rate", .parameter = "speed", .help = "Bytes per second; k, M, G", .handle = &rate_limit},
    {.letter = 'L', .name = "location", .help = "Follow redirects", .flag = &Options::follow},
    {.name = "location-trusted",
     .help = "As --location, credentials for every host",
     .handle =
         [](const OptionCall& call) {
           call.options.follow = call.options.location_trusted = call.on;
           return Refusal{};
         }},
    {.name = "max-filesize",
     .parameter = "bytes",
     .help = "Refuse longer bodies",
     .handle = &size<&Options::filesize_max>},
    {.name = "max-redirs",
     .parameter = "number",
     .help = "How many redirects to follow (50)",
     .handle = &redirects_max},
    {.letter = 'm',
     .name = "max-time",
     .parameter = "seconds",
     .help = "Longest time for a transfer",
     .handle = &seconds<&Options::max_time>},
    {.letter = 'N', .name = "no-buffer", .help = "Output is never held back anyway"},
    {.name = "noproxy", .parameter = "list", .help = "Hosts that are asked directly", .handle = &no_proxy},
    {.letter = 'o',
     .name = "output",
     .parameter = "file",
     .help = "Write the body there",
     .handle = &output<Kind::file>},
    {.name = "output-dir", .parameter = "dir", .help = "Folder for output files", .text = &Options::output_dir},
    {.name = "pass", .parameter = "phrase", .text = &Options::password},
    {.name = "path-as-is", .help = "Leave '..' in a path alone", .flag = &Options::path_as_is},
    {.name = "pinnedpubkey",
     .parameter = "hashes",
     .help = "The server's key is this one: a file of it, or sha256//BASE64;...",
     .text = &Options::pinned_key},
    {.name = "post301", .help = "POST stays POST after 301", .flag = &Options::keep_post_301},
    {.name = "post302", .help = "POST stays POST after 302", .flag = &Options::keep_post_302},
    {.name = "post303", .help = "POST stays POST after 303", .flag = &Options::keep_post_303},
    {.letter = '#', .name = "progress-bar", .help = "A bar instead of the meter", .flag = &Options::progress_bar},
    {.name = "progress-meter", .flag = &Options::progress_meter},
    {.letter = 'x',
     .name = "proxy",
     .parameter = "[scheme://]host[:port]",
     .help = "Use this proxy; '': none",
     .handle = &proxy},
    {.letter = 'U',
     .name = "proxy-user",
     .parameter = "user:password",
     .help = "Credentials for the proxy",
     .text = &Options::proxy_user},
    {.letter = 'p', .name = "proxytunnel", .handle = &refuse},
    {.letter = 'r',
     .name = "range",
     .parameter = "range",
     .help = "Part of a file: 0-499, 500-, -500",
     .handle = &range},
    {.letter = 'e',
     .name = "referer",
     .parameter = "URL",
     .help = "Referer; ';auto' sets it when redirected",
     .handle = &referer},
    {.letter = 'O',
     .name = "remote-name",
     .help = "Write the body to a file named as in the URL",
     .handle = &output<Kind::remote_name>},
    {.name = "remote-name-all", .help = "-O for every URL", .flag = &Options::all_remote_names},
    {.letter = 'X', .name = "request", .parameter = "method", .help = "Method to use", .text = &Options::method},
    {.name = "resolve",
     .parameter = "host:port:addr[,addr]...",
     .help = "Address of a name",
     .handle = &each<ResolveOption, &parse_resolve, &Options::resolves>},
    {.name = "retry",
     .parameter = "number",
     .help = "Try again after errors that pass",
     .handle = &number<&Options::retries>},
    {.name = "retry-all-errors", .help = "Try again after any error", .flag = &Options::retry_all},
    {.name = "retry-connrefused", .help = "Also when nobody listens", .flag = &Options::retry_refused},
    {.name = "retry-delay",
     .parameter = "seconds",
     .help = "Wait so long between tries",
     .handle = &seconds<&Options::retry_delay>},
    {.name = "retry-max-time",
     .parameter = "seconds",
     .help = "No more tries after this time",
     .handle = &seconds<&Options::retry_max_time>},
    {.letter = 'S', .name = "show-error", .help = "Show errors even with -s", .flag = &Options::show_error},
    {.letter = 's', .name = "silent", .help = "No meter, no errors", .flag = &Options::silent},
    {.name = "socks5", .parameter = "host[:port]", .help = "SOCKS5 proxy", .handle = &socks5},
    {.name = "socks5-hostname",
     .parameter = "host[:port]",
     .help = "SOCKS5 proxy that looks names up",
     .handle = &socks5_hostname},
    {.letter = 'Y',
     .name = "speed-limit",
     .parameter = "speed",
     .help = "Give up below so many bytes per second",
     .handle = &number<&Options::speed_limit>},
    {.letter = 'y',
     .name = "speed-time",
     .parameter = "seconds",
     .help = "... for so long (30)",
     .handle = &speed_time},
    {.name = "stderr",
     .parameter = "file",
     .help = "Where messages go; '-': standard output",
     .text = &Options::error_file},
    {.name = "tcp-nodelay"},
    {.name = "tls-max", .parameter = "version", .help = "At most TLS 1.2 or 1.3", .handle = &tls_max},
    {.name = "tls13-ciphers", .parameter = "list", .handle = &ciphers},
    {.letter = '1', .name = "tlsv1", .handle = &tls_min<TlsVersion::older>},
    {.name = "tlsv1.0", .handle = &tls_min<TlsVersion::older>},
    {.name = "tlsv1.1", .handle = &tls_min<TlsVersion::older>},
    {.name = "tlsv1.2", .help = "At least TLS 1.2, as always", .handle = &tls_min<TlsVersion::tls12>},
    {.name = "tlsv1.3", .help = "At least TLS 1.3", .handle = &tls_min<TlsVersion::tls13>},
    {.name = "unix-socket",
     .parameter = "path",
     .help = "Connect through this unix socket",
     .text = &Options::unix_socket},
    {.letter = 'T',
     .name = "upload-file",
     .parameter = "file",
     .help = "PUT this file; '-': standard input",
     .handle = &upload},
    {.name = "url", .parameter = "URL", .help = "A URL", .handle = &url},
    {.letter = 'u', .name = "user", .parameter = "user:password", .help = "Credentials", .handle = &user},
    {.letter = 'A', .name = "user-agent", .parameter = "name", .help = "User-Agent; '': none", .handle = &user_agent},
    {.letter = 'v', .name = "verbose", .help = "Show what goes over the wire", .flag = &Options::verbose},
    {.letter = 'w', .name = "write-out", .parameter = "format", .help = "Print this afterwards", .handle = &write_out},
};

}  // namespace

std::span<const OptionEntry> option_table() {
  return table;
}

}  // namespace pollux::fetch
