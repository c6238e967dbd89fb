#include "apps/fetch/write_out.hpp"

#include <array>
#include <chrono>

#include "stack/base/text.hpp"

namespace pollux::fetch {
namespace {

using base::Decimal;

enum class Variable : std::uint8_t {
  content_type,
  errormsg,
  exitcode,
  filename_effective,
  ftp_entry_path,
  http_code,
  http_connect,
  http_version,
  local_ip,
  local_port,
  method,
  num_connects,
  num_headers,
  num_redirects,
  onerror,
  proxy_ssl_verify_result,
  redirect_url,
  referer,
  remote_ip,
  remote_port,
  response_code,
  scheme,
  size_download,
  size_header,
  size_request,
  size_upload,
  speed_download,
  speed_upload,
  ssl_verify_result,
  time_appconnect,
  time_connect,
  time_namelookup,
  time_pretransfer,
  time_redirect,
  time_starttransfer,
  time_total,
  to_stderr,
  to_stdout,
  url,
  url_effective,
  urlnum,
  header_json,
  json,
};

enum class Shape : std::uint8_t {
  text,
  number,   // as it is
  code,     // three digits at least
  time,     // seconds with six digits
  special,  // not in %{json}
};

struct Entry {
  std::string_view name;
  Variable variable;
  Shape shape;
};

constexpr Entry entries[] = {
    {"content_type", Variable::content_type, Shape::text},
    {"errormsg", Variable::errormsg, Shape::text},
    {"exitcode", Variable::exitcode, Shape::number},
    {"filename_effective", Variable::filename_effective, Shape::text},
    {"ftp_entry_path", Variable::ftp_entry_path, Shape::text},
    {"http_code", Variable::http_code, Shape::code},
    {"http_connect", Variable::http_connect, Shape::code},
    {"http_version", Variable::http_version, Shape::text},
    {"local_ip", Variable::local_ip, Shape::text},
    {"local_port", Variable::local_port, Shape::number},
    {"method", Variable::method, Shape::text},
    {"num_connects", Variable::num_connects, Shape::number},
    {"num_headers", Variable::num_headers, Shape::number},
    {"num_redirects", Variable::num_redirects, Shape::number},
    {"onerror", Variable::onerror, Shape::special},
    {"proxy_ssl_verify_result", Variable::proxy_ssl_verify_result, Shape::number},
    {"redirect_url", Variable::redirect_url, Shape::text},
    {"referer", Variable::referer, Shape::text},
    {"remote_ip", Variable::remote_ip, Shape::text},
    {"remote_port", Variable::remote_port, Shape::number},
    {"response_code", Variable::response_code, Shape::code},
    {"scheme", Variable::scheme, Shape::text},
    {"size_download", Variable::size_download, Shape::number},
    {"size_header", Variable::size_header, Shape::number},
    {"size_request", Variable::size_request, Shape::number},
    {"size_upload", Variable::size_upload, Shape::number},
    {"speed_download", Variable::speed_download, Shape::number},
    {"speed_upload", Variable::speed_upload, Shape::number},
    {"ssl_verify_result", Variable::ssl_verify_result, Shape::number},
    {"stderr", Variable::to_stderr, Shape::special},
    {"stdout", Variable::to_stdout, Shape::special},
    {"time_appconnect", Variable::time_appconnect, Shape::time},
    {"time_connect", Variable::time_connect, Shape::time},
    {"time_namelookup", Variable::time_namelookup, Shape::time},
    {"time_pretransfer", Variable::time_pretransfer, Shape::time},
    {"time_redirect", Variable::time_redirect, Shape::time},
    {"time_starttransfer", Variable::time_starttransfer, Shape::time},
    {"time_total", Variable::time_total, Shape::time},
    {"url", Variable::url, Shape::text},
    {"url_effective", Variable::url_effective, Shape::text},
    {"urlnum", Variable::urlnum, Shape::number},
    {"header_json", Variable::header_json, Shape::special},
    {"json", Variable::json, Shape::special},
};

const Entry* find(std::string_view name) {
  for (const Entry& entry : entries) {
    if (entry.name == name) {
      return &entry;
    }
  }
  return nullptr;
}

std::uint64_t speed(std::uint64_t bytes, port::Duration total) {
  const auto microseconds =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(total).count());
  return microseconds == 0
             ? 0
             : static_cast<std::uint64_t>(static_cast<double>(bytes) * 1e6 / static_cast<double>(microseconds));
}

// The name of a header line, and what stands behind its colon.
base::TextWriter& put_escaped(base::TextWriter& out, char c) {
  switch (c) {
    case '"':
      return out.put("\\\"");
    case '\\':
      return out.put("\\\\");
    case '\n':
      return out.put("\\n");
    case '\r':
      return out.put("\\r");
    case '\t':
      return out.put("\\t");
    default:
      return static_cast<unsigned char>(c) < 0x20 ? out.put("\\u").put_hex(static_cast<unsigned char>(c), 4)
                                                  : out.put(c);
  }
}

class Writer {
 public:
  Writer(const Report& report, const WriteOutSink& sink) : report_{report}, sink_{sink} {}

  void run(std::string_view format) {
    std::size_t at = 0;
    while (at < format.size() && !stopped_) {
      const std::size_t special = format.find_first_of("%\\", at);
      put(format.substr(at, special - at));
      if (special == std::string_view::npos) {
        return;
      }
      at = format[special] == '%' ? percent(format, special) : backslash(format, special);
    }
  }

 private:
  void put(std::string_view text) {
    if (!text.empty()) {
      sink_.put(sink_.object, to_error_, text);
    }
  }

  // Both return where to go on.
  std::size_t backslash(std::string_view format, std::size_t at) {
    const char c = at + 1 < format.size() ? format[at + 1] : '\0';
    switch (c) {
      case 'n':
        put("\n");
        break;
      case 'r':
        put("\r");
        break;
      case 't':
        put("\t");
        break;
      default:
        put(format.substr(at, 2));
    }
    return at + 2;
  }

  std::size_t percent(std::string_view format, std::size_t at) {
    const std::string_view rest = format.substr(at + 1);
    if (rest.starts_with('%')) {
      put("%");
      return at + 2;
    }
    // curl writes %header{name}; %{header{name}} is taken too.
    for (const std::string_view opening : {std::string_view{"header{"}, std::string_view{"{header{"}}) {
      const std::string_view closing = opening.front() == '{' ? "}}" : "}";
      const std::size_t end = rest.find(closing);
      if (rest.starts_with(opening) && end != std::string_view::npos) {
        put(header(rest.substr(opening.size(), end - opening.size())));
        return at + 1 + end + closing.size();
      }
    }
    const std::size_t end = rest.find('}');
    if (!rest.starts_with('{') || end == std::string_view::npos) {
      put(format.substr(at, rest.starts_with('{') ? 2 : 1));
      return at + (rest.starts_with('{') ? 2 : 1);
    }
    const std::string_view name = rest.substr(1, end - 1);
    if (const Entry* entry = find(name)) {
      variable(*entry);
    } else {
      sink_.put(sink_.object, true, "pollux-fetch: unknown --write-out variable: '");
      sink_.put(sink_.object, true, name);
      sink_.put(sink_.object, true, "'\n");
    }
    return at + 1 + end + 1;
  }

  [[nodiscard]] std::string_view header(std::string_view name) const {
    std::string_view value;
    bool is_found = false;
    for_each_header(report_.head, [&](std::string_view line) {
      const std::size_t colon = line.find(':');
      if (!is_found && colon != std::string_view::npos && base::equal_ignoring_case(line.substr(0, colon), name)) {
        value = base::trim(line.substr(colon + 1));
        is_found = true;
      }
    });
    return value;
  }

  void variable(const Entry& entry) {
    switch (entry.shape) {
      case Shape::text:
        put(text(entry.variable));
        break;
      case Shape::number:
        put(Decimal{number(entry.variable)}.view());
        break;
      case Shape::code:
        put_code(number(entry.variable));
        break;
      case Shape::time:
        put_time(time(entry.variable));
        break;
      case Shape::special:
        special(entry.variable);
        break;
    }
  }

  void put_code(std::uint64_t code) {
    std::array<char, 8> memory;
    base::TextWriter writer{memory};
    writer.put(code < 10 ? "00" : code < 100 ? "0" : "").put_decimal(code % 10'000'000);
    put(writer.view());
  }

  void put_time(port::Duration duration) {
    const auto microseconds =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
    std::array<char, 32> memory;
    base::TextWriter writer{memory};
    writer.put_decimal(microseconds / 1'000'000).put('.');
    const Decimal fraction{1'000'000 + microseconds % 1'000'000};
    writer.put(fraction.view().substr(1));
    put(writer.view());
  }

  void special(Variable variable) {
    switch (variable) {
      case Variable::to_stderr:
        to_error_ = true;
        break;
      case Variable::to_stdout:
        to_error_ = false;
        break;
      case Variable::onerror:
        stopped_ = report_.exit_status == 0;
        break;
      case Variable::json:
        put_json();
        break;
      case Variable::header_json:
        put_header_json();
        break;
      default:
        break;
    }
  }

  void put_quoted(std::string_view text) {
    std::array<char, 8> memory;
    put("\"");
    for (const char c : text) {
      base::TextWriter writer{memory};
      put(put_escaped(writer, c).view());
    }
    put("\"");
  }

  void put_json() {
    bool is_first = true;
    for (const Entry& entry : entries) {
      if (entry.shape == Shape::special) {
        continue;
      }
      put(is_first ? "{" : ",");
      is_first = false;
      put_quoted(entry.name);
      put(":");
      if (entry.shape == Shape::text) {
        text(entry.variable).empty() ? put("null") : put_quoted(text(entry.variable));
      } else if (entry.shape == Shape::time) {
        put_time(time(entry.variable));
      } else {
        put(Decimal{number(entry.variable)}.view());
      }
    }
    put("}");
  }

  // {"name":["value","value"],...}: each name once, where it stands first.
  void put_header_json() {
    bool is_first = true;
    for_each_header(report_.head, [&](std::string_view line) {
      const std::string_view name = name_of(line);
      bool is_repeated = false;
      for_each_header(report_.head, [&](std::string_view other) {
        is_repeated = is_repeated || (other.data() < line.data() && base::equal_ignoring_case(name_of(other), name));
      });
      if (is_repeated) {
        return;
      }
      put(is_first ? "{" : ",\n");
      is_first = false;
      std::array<char, 8> memory;
      put("\"");
      for (const char c : name) {
        base::TextWriter writer{memory};
        put(put_escaped(writer, base::to_lower(c)).view());
      }
      put("\":");
      put_values(name);
    });
    put(is_first ? "{\n}" : "\n}");
  }

  void put_values(std::string_view name) {
    bool is_first = true;
    for_each_header(report_.head, [&](std::string_view line) {
      if (base::equal_ignoring_case(name_of(line), name)) {
        put(is_first ? "[" : ",");
        is_first = false;
        put_quoted(base::trim(line.substr(name_of(line).size() + 1)));
      }
    });
    put("]");
  }

  static std::string_view name_of(std::string_view line) {
    const std::size_t colon = line.find(':');
    return colon == std::string_view::npos ? std::string_view{} : line.substr(0, colon);
  }

  [[nodiscard]] std::string_view address(const port::Address& address) {
    return address.family == port::Family::ipv4 || address.family == port::Family::ipv6
               ? port::format_ip(address, address_)
               : std::string_view{};
  }

  [[nodiscard]] std::string_view text(Variable variable) {
    switch (variable) {
      case Variable::content_type:
        return header("Content-Type");
      case Variable::errormsg:
        return report_.error;
      case Variable::filename_effective:
        return report_.filename;
      case Variable::http_version:
        return report_.version.major == 0 ? "0" : report_.version.minor == 0 ? "1" : "1.1";
      case Variable::local_ip:
        return address(report_.local);
      case Variable::remote_ip:
        return address(report_.remote);
      case Variable::method:
        return report_.method;
      case Variable::redirect_url:
        return report_.redirect_url;
      case Variable::referer:
        return report_.referer;
      case Variable::scheme:
        return report_.scheme;
      case Variable::url:
        return report_.url;
      case Variable::url_effective:
        return report_.url_effective;
      default:
        return {};
    }
  }

  [[nodiscard]] std::uint64_t number(Variable variable) const {
    switch (variable) {
      case Variable::exitcode:
        return static_cast<std::uint64_t>(report_.exit_status);
      case Variable::http_code:
      case Variable::response_code:
        return static_cast<std::uint64_t>(report_.status);
      case Variable::local_port:
        return report_.local.port;
      case Variable::remote_port:
        return report_.remote.port;
      case Variable::num_connects:
        return report_.connects;
      case Variable::num_headers:
        return report_.headers;
      case Variable::num_redirects:
        return report_.redirects;
      case Variable::size_download:
        return report_.downloaded;
      case Variable::size_header:
        return report_.header_bytes;
      case Variable::size_request:
        return report_.request_bytes;
      case Variable::size_upload:
        return report_.uploaded;
      case Variable::speed_download:
        return speed(report_.downloaded, report_.total);
      case Variable::speed_upload:
        return speed(report_.uploaded, report_.total);
      case Variable::ssl_verify_result:
        return static_cast<std::uint64_t>(report_.verify_result);
      case Variable::urlnum:
        return report_.number;
      default:
        return 0;
    }
  }

  [[nodiscard]] port::Duration time(Variable variable) const {
    switch (variable) {
      case Variable::time_appconnect:
        return report_.app_connect;
      case Variable::time_connect:
        return report_.connect;
      case Variable::time_namelookup:
        return report_.name_lookup;
      case Variable::time_pretransfer:
        return report_.pretransfer;
      case Variable::time_redirect:
        return report_.redirect;
      case Variable::time_starttransfer:
        return report_.start_transfer;
      case Variable::time_total:
        return report_.total;
      default:
        return {};
    }
  }

  const Report& report_;
  WriteOutSink sink_;
  std::array<char, port::address_text_max> address_{};
  bool to_error_ = false;
  bool stopped_ = false;
};

}  // namespace

void write_out(std::string_view format, const Report& report, const WriteOutSink& sink) {
  Writer{report, sink}.run(format);
}

}  // namespace pollux::fetch
