#include "apps/fetch/verbose.hpp"

#include <unistd.h>

#include <array>

#include "apps/fetch/failure.hpp"
#include "apps/fetch/file_io.hpp"
#include "stack/base/text.hpp"
#include "stack/tls/certificate.hpp"
#include "stack/wire/date.hpp"

namespace pollux::fetch {
namespace {

// Puts lines together so that each write is as long as it can be.
class Paper {
 public:
  ~Paper() { flush(); }
  Paper& put(std::string_view text) {
    if (writer_.room() < text.size()) {
      flush();
    }
    if (writer_.room() < text.size()) {
      static_cast<void>(write_all(STDERR_FILENO, text));
    } else {
      writer_.put(text);
    }
    return *this;
  }
  Paper& put_decimal(std::uint64_t value) { return put(base::Decimal{value}.view()); }

 private:
  void flush() {
    static_cast<void>(write_all(STDERR_FILENO, writer_.view()));
    writer_ = base::TextWriter{memory_};
  }
  std::array<char, 8192> memory_;
  base::TextWriter writer_{memory_};
};

// "Nov 21 08:15:00 2026 GMT", as OpenSSL prints the dates of a certificate.
void put_date(Paper& paper, std::int64_t seconds) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const port::WallTime time{.seconds = seconds};
  if (time < wire::date_min || time > wire::date_max) {
    paper.put("unknown\n");
    return;
  }
  const wire::CivilTime civil = wire::to_civil_time(time);
  const auto two = [&paper](std::int32_t value, std::string_view before, std::string_view filling) {
    paper.put(before).put(value < 10 ? filling : "").put_decimal(static_cast<std::uint64_t>(value));
  };
  paper.put(months.substr(static_cast<std::size_t>(civil.month - 1) * 3, 3));
  two(civil.day, " ", " ");
  two(civil.hour, " ", "0");
  two(civil.minute, ":", "0");
  two(civil.second, ":", "0");
  paper.put(" ").put_decimal(static_cast<std::uint64_t>(civil.year)).put(" GMT\n");
}

// mbedTLS's "TLS1-3-AES-128-GCM-SHA256" as IANA's registry has it: "TLS_AES_128_GCM_SHA256".
void put_cipher(Paper& paper, std::string_view name) {
  constexpr std::string_view tls13 = "TLS1-3-";
  if (name.starts_with(tls13)) {
    paper.put("TLS_");
    name.remove_prefix(tls13.size());
  }
  for (const char c : name) {
    paper.put(std::string_view{c == '-' ? "_" : &c, 1});
  }
  paper.put("\n");
}

// curl counts connections from 0.
std::uint32_t number_of(const http::Trace& trace) {
  return trace.connection == 0 ? 0 : trace.connection - 1;
}

}  // namespace

void Verbose::note(std::string_view text, std::string_view more, std::string_view end) {
  if (is_on_) {
    told_data_ = false;
    Paper{}.put("* ").put(text).put(more).put(end).put("\n");
  }
}

void Verbose::end() {
  if (is_on_ && is_open_) {
    is_open_ = told_data_ = false;
    Paper{}.put("* Closing connection ").put_decimal(connection_).put("\n");
  }
}

void Verbose::lines(char sign, std::string_view head) {
  told_data_ = false;
  Paper paper;
  while (!head.empty()) {
    const std::size_t end = head.find('\n');
    std::string_view line = head.substr(0, end);
    head = end == std::string_view::npos ? std::string_view{} : head.substr(end + 1);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    paper.put({&sign, 1}).put(" ").put(line).put("\n");
  }
}

void Verbose::body(bool is_upload, std::size_t size, bool is_shown) {
  if (is_on_ && !told_data_ && !is_shown) {
    told_data_ = true;
    Paper{}.put(is_upload ? "} [" : "{ [").put_decimal(size).put(" bytes data]\n");
  }
}

void Verbose::tls_begins() const {
  Paper paper;
  paper.put("* ALPN: offers http/1.1\n");
  if (trusts_anybody_) {
    return;
  }
  if (!ca_file_.empty() || ca_directory_.empty()) {
    paper.put("*  CAfile: ").put(ca_file_.empty() ? "the system's" : ca_file_).put("\n");
  }
  if (!ca_directory_.empty()) {
    paper.put("*  CApath: ").put(ca_directory_).put("\n");
  }
}

void Verbose::tls_done(const tls::ConnectionInfo& info) const {
  Paper paper;
  paper.put("* SSL connection using ").put(tls::version_name(info.version)).put(" / ");
  put_cipher(paper, info.cipher);
  paper.put(info.has_alpn ? "* ALPN: server accepted http/1.1\n"
                          : "* ALPN: server did not agree on a protocol. Uses default.\n");
  if (info.resumed) {
    paper.put("* SSL reused session ID\n");
  }
  if (info.has_peer) {
    const tls::CertificateInfo& peer = info.peer;
    std::array<char, tls::pin_text_size> pin;
    paper.put("* Server certificate:\n*  subject: ").put(peer.subject.view()).put("\n");
    put_date(paper.put("*  start date: "), peer.not_before);
    put_date(paper.put("*  expire date: "), peer.not_after);
    paper.put("*  issuer: ").put(peer.issuer.view()).put("\n");
    paper.put("*  public key: ").put(tls::write_pin(peer.public_key, pin)).put("\n");
  }
  if (info.verified) {
    paper.put("*  SSL certificate verify ok.\n");
    return;
  }
  const auto result = static_cast<std::uint64_t>(verify_result(info.verify_error));
  paper.put("*  SSL certificate verify result: ").put(tls::describe(info.verify_error)).put(" (").put_decimal(result);
  paper.put("), continuing anyway.\n");
}

void Verbose::trace(const http::Trace& trace) {
  if (!is_on_) {
    return;
  }
  using http::TraceEvent;
  std::array<char, port::address_text_max> text;
  switch (trace.event) {
    case TraceEvent::connect_start:
      told_data_ = false;
      Paper{}.put("*   Trying ").put(trace.text.empty() ? host_ : trace.text).put(":").put_decimal(port_).put("...\n");
      return;
    case TraceEvent::connect_done:
      Paper{}
          .put("* Connected to ")
          .put(trace.text.empty() ? host_ : trace.text)
          .put(" (")
          .put(trace.address != nullptr ? port::format_ip(*trace.address, text) : std::string_view{})
          .put(") port ")
          .put_decimal(trace.address != nullptr && trace.address->port != 0 ? trace.address->port : port_)
          .put(" (#")
          .put_decimal(number_of(trace))
          .put(")\n");
      return;
    case TraceEvent::got_conn:
      is_open_ = true;
      connection_ = number_of(trace);
      if (trace.reused) {
        told_data_ = false;
        Paper{}
            .put("* Re-using existing connection #")
            .put_decimal(number_of(trace))
            .put(" with host ")
            .put(host_)
            .put("\n");
      }
      return;
    case TraceEvent::proxy_start:
      note("Establish a tunnel to ", trace.text);
      return;
    case TraceEvent::proxy_done:
      note("Tunnel established");
      return;
    case TraceEvent::wrote_head:
      lines('>', trace.text);
      return;
    case TraceEvent::wait_continue:
      return;
    case TraceEvent::got_continue:
    case TraceEvent::got_interim:
    case TraceEvent::got_head:
      lines('<', trace.text);
      return;
    case TraceEvent::retry:
      note("Connection died, retrying on another one");
      return;
    case TraceEvent::put_idle:
      told_data_ = is_open_ = false;
      Paper{}.put("* Connection #").put_decimal(number_of(trace)).put(" to host ").put(host_).put(" left intact\n");
      return;
    case TraceEvent::closed:
      told_data_ = is_open_ = false;
      Paper{}.put("* Closing connection ").put_decimal(number_of(trace)).put("\n");
      return;
    case TraceEvent::tls_start:
      tls_begins();
      return;
    case TraceEvent::tls_done:
      if (trace.tls != nullptr) {
        tls_done(*trace.tls);
      }
      return;
    case TraceEvent::get_conn:
    case TraceEvent::names_start:
    case TraceEvent::names_done:
    case TraceEvent::wrote_request:
    case TraceEvent::first_byte:
    case TraceEvent::body_done:
      return;
  }
}

}  // namespace pollux::fetch
