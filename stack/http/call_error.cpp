#include "stack/http/call_error.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>

#include "stack/base/text.hpp"
#include "stack/http/body_decoder.hpp"
#include "stack/wire/slice.hpp"
#include "stack/wire/url.hpp"

namespace pollux::http {
namespace {

// Longer hosts are cut in the sentence: the URL before it has them whole.
constexpr std::size_t host_shown_max = 32;
// Longer methods are cut.
constexpr std::size_t method_shown_max = 24;
// Everything behind the URL: see CallErrorFormat.FitsAlways in the tests.
constexpr std::size_t tail_size_max = 416;

// Writes what fits, cuts what does not, and counts what it was given.
class CutWriter {
 public:
  explicit CutWriter(std::span<char> out) : out_{out} {}

  CutWriter& put(std::string_view text) {
    for (const char c : text) {
      if (wanted_ < out_.size()) {
        out_[wanted_] = c;
      }
      ++wanted_;
    }
    return *this;
  }
  CutWriter& put_decimal(std::uint64_t value) { return put(base::Decimal{value}.view()); }
  // Text from outside, for one line on a terminal: control bytes, quotes and what is not ASCII as %XX.
  CutWriter& put_safe(std::string_view text) {
    for (const char c : text) {
      if (wire::is_control(c) || !wire::is_ascii(c) || c == '"') {
        const auto byte = static_cast<unsigned char>(c);
        const std::array<char, 3> escape{'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
        put({escape.data(), escape.size()});
      } else {
        put({&c, 1});
      }
    }
    return *this;
  }

  [[nodiscard]] std::size_t wanted() const { return wanted_; }
  [[nodiscard]] std::string_view view() const { return {out_.data(), wanted_ < out_.size() ? wanted_ : out_.size()}; }

 private:
  std::span<char> out_;
  std::size_t wanted_ = 0;
};

// ---- numbers of the system

struct SystemError {
  int number;
  std::string_view name;
  std::string_view words;  // empty where the causes say it
};
// Those that sockets and files give. The numbers differ between architectures, the names do not.
constexpr std::array system_errors{
    SystemError{EPERM, "EPERM", ""},
    SystemError{ENOENT, "ENOENT", "no such file"},
    SystemError{EINTR, "EINTR", "interrupted"},
    SystemError{EIO, "EIO", "input or output error"},
    SystemError{EBADF, "EBADF", "bad descriptor"},
    SystemError{EAGAIN, "EAGAIN", "try again"},
    SystemError{ENOMEM, "ENOMEM", ""},
    SystemError{EACCES, "EACCES", ""},
    SystemError{EINVAL, "EINVAL", "invalid argument"},
    SystemError{ENFILE, "ENFILE", ""},
    SystemError{EMFILE, "EMFILE", ""},
    SystemError{EFBIG, "EFBIG", "file too large"},
    SystemError{ENOSPC, "ENOSPC", "no space left"},
    SystemError{EROFS, "EROFS", "read-only file system"},
    SystemError{EPIPE, "EPIPE", "broken pipe"},
    SystemError{ENAMETOOLONG, "ENAMETOOLONG", "name too long"},
    SystemError{EPROTO, "EPROTO", "protocol error"},
    SystemError{EPROTOTYPE, "EPROTOTYPE", "not a stream socket"},
    SystemError{EAFNOSUPPORT, "EAFNOSUPPORT", "no such family"},
    SystemError{EADDRINUSE, "EADDRINUSE", "address in use"},
    SystemError{EADDRNOTAVAIL, "EADDRNOTAVAIL", "address not available"},
    SystemError{ENETDOWN, "ENETDOWN", "network down"},
    SystemError{ENETUNREACH, "ENETUNREACH", "network unreachable"},
    SystemError{ENETRESET, "ENETRESET", "dropped by the network"},
    SystemError{ECONNABORTED, "ECONNABORTED", "aborted"},
    SystemError{ECONNRESET, "ECONNRESET", "reset by the peer"},
    SystemError{ENOBUFS, "ENOBUFS", ""},
    SystemError{ENOTCONN, "ENOTCONN", "not connected"},
    SystemError{ETIMEDOUT, "ETIMEDOUT", "no answer from the peer"},
    SystemError{ECONNREFUSED, "ECONNREFUSED", ""},
    SystemError{EHOSTDOWN, "EHOSTDOWN", "host down"},
    SystemError{EHOSTUNREACH, "EHOSTUNREACH", "host unreachable"},
};

void put_system_error(CutWriter& text, int number) {
  text.put(" (errno ").put(number < 0 ? "-" : "");
  text.put_decimal(number < 0 ? ~static_cast<std::uint64_t>(number) + 1 : static_cast<std::uint64_t>(number));
  for (const SystemError& known : system_errors) {
    if (known.number == number) {
      text.put(", ").put(known.name).put(known.words.empty() ? "" : ", ").put(known.words);
      break;
    }
  }
  text.put(")");
}

// RFC 1928 section 6.
std::string_view socks_reply(int code) {
  switch (code) {
    case 1:
      return "general failure";
    case 2:
      return "not allowed by its rules";
    case 3:
      return "network unreachable";
    case 4:
      return "host unreachable";
    case 5:
      return "connection refused";
    case 6:
      return "time to live expired";
    case 7:
      return "command not supported";
    case 8:
      return "address type not supported";
    default:
      return "";
  }
}

// ---- the URL

// Where the password stands in `text`; empty if nowhere. What cannot be parsed is looked at with suspicion: everything between the first
// colon and the last '@' may be one.
std::string_view password_of(std::string_view text) {
  const auto url = wire::parse_url(text);
  if (url && url->opaque.empty()) {
    return url->password;
  }
  const std::size_t scheme = text.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t at = text.rfind('@');
  const std::size_t colon = text.find(':', begin);
  if (at == std::string_view::npos || colon == std::string_view::npos || colon >= at) {
    return {};
  }
  return wire::slice(text, colon + 1, at);
}

void put_url(CutWriter& text, std::string_view url) {
  const std::string_view password = password_of(url);
  if (password.empty()) {
    text.put_safe(url);
    return;
  }
  const auto begin = static_cast<std::size_t>(password.data() - url.data());
  text.put_safe(wire::slice(url, 0, begin)).put("***").put_safe(wire::drop(url, begin + password.size()));
}

// At most `size_max` bytes of it, and dots if that is not all. `make(writer)` writes it.
template <typename Make>
void put_cut(CutWriter& text, std::size_t size_max, std::span<char> memory, Make&& make) {
  CutWriter whole{memory.first(size_max < memory.size() ? size_max : memory.size())};
  make(whole);
  if (whole.wanted() <= size_max || size_max < 3) {
    text.put(whole.view());
  } else {
    text.put(wire::slice(whole.view(), 0, size_max - 3)).put("...");
  }
}

// "h:80": the host, and the port that is used.
void put_host(CutWriter& text, const wire::Url& url, bool with_port) {
  std::array<char, host_shown_max> memory;
  put_cut(text, host_shown_max, memory, [&url](CutWriter& whole) { whole.put_safe(url.hostname); });
  if (with_port) {
    text.put(":").put_decimal(wire::effective_port(url));
  }
}

// ---- the sentence

// "connecting to " - a host follows.
std::string_view stage_before_host(CallStage stage) {
  switch (stage) {
    case CallStage::check:
      return "preparing a request to ";
    case CallStage::wait:
      return "waiting for a connection to ";
    case CallStage::resolve:
      return "looking up ";
    case CallStage::connect:
      return "connecting to ";
    case CallStage::proxy:
      return "asking the proxy for ";
    case CallStage::handshake:
      return "TLS handshake with ";
    case CallStage::send:
      return "sending to ";
    case CallStage::head:
      return "waiting for an answer from ";
    case CallStage::body:
      return "receiving the body from ";
    case CallStage::redirect:
      return "following a redirect of ";
  }
  return "talking to ";
}

void put_place(CutWriter& text, const CallError& error, std::string_view url) {
  if (error.stage == CallStage::check) {
    return;  // no host has a part in it yet
  }
  const auto parsed = wire::parse_url(url);
  if (!parsed || parsed->hostname.empty()) {
    text.put(describe(error.stage));
  } else {
    text.put(stage_before_host(error.stage));
    put_host(text, *parsed, error.stage != CallStage::resolve);
  }
  if (error.through_proxy && error.stage != CallStage::proxy) {
    text.put(" by proxy");
  }
  if (error.reused) {
    text.put(" (reused connection)");
  }
  text.put(": ");
}

void put_proxy_reply(CutWriter& text, int status) {
  const std::string_view words = socks_reply(status);
  if (!words.empty()) {
    text.put(": ").put(words);
  } else if (status > 0) {
    text.put(status < 100 ? ": reply code " : ": status ").put_decimal(static_cast<std::uint64_t>(status));
  }
}

// What is known better than by the cause alone; empty if nothing.
std::string_view reason_of(const CallError& error) {
  if (error.cause == CallCause::name && error.name != net::NameError::none) {
    return net::describe(error.name);
  }
  if ((error.cause == CallCause::decode || error.cause == CallCause::decode_limit) &&
      error.status > static_cast<int>(DecodeError::none) && error.status <= static_cast<int>(DecodeError::no_memory)) {
    return describe(static_cast<DecodeError>(error.status));
  }
  return {};
}

// A sentence of TLS is cut where it would be longer than this.
constexpr std::size_t tls_shown_max = 160;

void put_tls(CutWriter& text, const CallError& error) {
  std::array<char, tls_shown_max> memory;
  text.put_safe(tls::describe(error.tls, memory));
}

void put_cause(CutWriter& text, const CallError& error) {
  const bool has_tls = error.tls.error != tls::Error::none;
  if (has_tls && error.cause == CallCause::tls) {
    put_tls(text, error);
    return;
  }
  const std::string_view reason = reason_of(error);
  text.put(reason.empty() ? describe(error.cause) : reason);
  if (error.tls.error == tls::Error::truncated) {
    text.put(": ");
    put_tls(text, error);
  }
  if (error.cause == CallCause::proxy_refused || error.cause == CallCause::proxy_authentication) {
    put_proxy_reply(text, error.status);
  }
  if (error.head != wire::HeadError::none &&
      (error.cause == CallCause::malformed_head || error.cause == CallCause::head_too_large ||
       error.cause == CallCause::malformed_trailer || error.cause == CallCause::not_http)) {
    text.put(": ").put(wire::describe(error.head));
  }
  if (error.system_error != 0) {
    put_system_error(text, error.system_error);
  }
}

void put_seconds(CutWriter& text, port::Duration elapsed) {
  const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count();
  const auto ms = count < 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(count);
  text.put_decimal(ms / 1000).put(".");
  text.put(ms % 1000 < 100 ? "0" : "").put(ms % 1000 < 10 ? "0" : "").put_decimal(ms % 1000).put(" s");
}

void put_bytes(CutWriter& text, std::uint64_t count, std::string_view what) {
  text.put(", ");
  if (count == 0) {
    text.put("nothing");
  } else {
    text.put_decimal(count).put(count == 1 ? " byte" : " bytes");
  }
  text.put(what);
}

void put_tail(CutWriter& text, const CallError& error, std::string_view url) {
  put_place(text, error, url);
  put_cause(text, error);
  if (error.stage != CallStage::check) {
    text.put(" after ");
    put_seconds(text, error.elapsed);
    put_bytes(text, error.bytes_sent, " sent");
    if (error.bytes_sent > 0 || error.bytes_received > 0) {
      put_bytes(text, error.bytes_received, " received");
    }
  }
  if (error.retry_safe) {
    text.put(", safe to retry");
  }
}

// "GET" as net/http writes it: "Get".
void put_method(CutWriter& text, std::string_view method) {
  std::array<char, method_shown_max> memory;
  put_cut(text, method_shown_max, memory, [method](CutWriter& whole) {
    whole.put_safe(wire::slice(method, 0, 1));
    for (const char c : wire::drop(method, 1)) {
      const char lower = base::to_lower(c);
      whole.put_safe({&lower, 1});
    }
  });
}

}  // namespace

std::string_view format_error(const CallError& error, std::string_view method, std::string_view url,
                              std::span<char> out) noexcept {
  std::array<char, tail_size_max> tail_memory;
  CutWriter tail{tail_memory};
  put_tail(tail, error, url);

  CutWriter sentence{out};
  put_method(sentence, method.empty() ? "GET" : method);
  sentence.put(" \"");
  // The URL gets what the rest leaves: the reason is worth more than its end.
  const std::size_t rest = sentence.wanted() + 3 + tail.view().size();
  const std::size_t room = out.size() > rest ? out.size() - rest : 0;
  CutWriter measure{{}};
  put_url(measure, url);
  if (measure.wanted() <= room) {
    put_url(sentence, url);
  } else if (room > 3) {
    // Written where it belongs, and cut there.
    CutWriter begin{out.subspan(sentence.wanted(), room - 3)};
    put_url(begin, url);
    sentence.put(begin.view()).put("...");
  }
  sentence.put("\": ").put(tail.view());
  return sentence.view();
}

std::string_view describe(CallStage stage) noexcept {
  switch (stage) {
    case CallStage::check:
      return "before anything was done";
    case CallStage::wait:
      return "while waiting for a connection";
    case CallStage::resolve:
      return "while looking up the name";
    case CallStage::connect:
      return "while connecting";
    case CallStage::proxy:
      return "while asking the proxy";
    case CallStage::handshake:
      return "in the TLS handshake";
    case CallStage::send:
      return "while sending the request";
    case CallStage::head:
      return "while waiting for the answer";
    case CallStage::body:
      return "while receiving the body";
    case CallStage::redirect:
      return "while following a redirect";
  }
  return "at an unknown stage";
}

std::string_view describe(CallCause cause) noexcept {
  switch (cause) {
    case CallCause::none:
      return "no error";
    case CallCause::bad_url:
      return "the URL is malformed";
    case CallCause::bad_scheme:
      return "the URL is neither http nor https";
    case CallCause::bad_host:
      return "the host is missing or no valid name";
    case CallCause::bad_method:
      return "this method cannot be sent";
    case CallCause::bad_field:
      return "a header field is invalid, or not the caller's to set";
    case CallCause::url_too_long:
      return "the URL is too long for the memory of the request";
    case CallCause::fields_too_long:
      return "the fields are too long for the memory of the call";
    case CallCause::head_too_long:
      return "the request head does not fit the buffer of the connection";
    case CallCause::busy:
      return "the round trip is already under way";
    case CallCause::too_many_hosts:
      return "too many different hosts at the same time";
    case CallCause::shut_down:
      return "the transport was shut down";
    case CallCause::name:
      return "the name could not be resolved";
    case CallCause::refused:
      return "connection refused";
    case CallCause::unreachable:
      return "no route to it";
    case CallCause::no_descriptors:
      return "too many open files";
    case CallCause::no_memory:
      return "the system is out of memory";
    case CallCause::not_permitted:
      return "the system does not permit it";
    case CallCause::proxy_refused:
      return "the proxy refused";
    case CallCause::proxy_authentication:
      return "the proxy did not accept the credentials";
    case CallCause::proxy_failed:
      return "the proxy closed, or its reply was not understood";
    case CallCause::tls:
      return "TLS failed";
    case CallCause::no_tls:
      return "this transport has no TLS";
    case CallCause::source_failed:
      return "the source of the request body failed";
    case CallCause::body_mismatch:
      return "the request body is not as long as declared";
    case CallCause::cannot_rewind:
      return "the connection was lost; the body cannot be sent again";
    case CallCause::closed:
      return "the server closed before the answer was complete";
    case CallCause::lost:
      return "the connection was lost";
    case CallCause::malformed_head:
      return "the head of the answer is malformed";
    case CallCause::malformed_framing:
      return "the answer does not say clearly where its body ends";
    case CallCause::malformed_chunk:
      return "a chunk of the body is malformed";
    case CallCause::malformed_trailer:
      return "the trailer behind the body is malformed";
    case CallCause::head_too_large:
      return "the head of the answer is too large";
    case CallCause::not_http:
      return "the answer is not HTTP";
    case CallCause::decode:
      return "the body could not be decoded";
    case CallCause::decode_limit:
      return "the body was given up while it was decoded";
    case CallCause::sink_failed:
      return "the body could not be stored";
    case CallCause::too_large:
      return "the body does not fit the memory for it";
    case CallCause::body_abandoned:
      return "nobody read the body in time";
    case CallCause::too_slow:
      return "slower than the minimum rate";
    case CallCause::too_many_redirects:
      return "too many redirects";
    case CallCause::bad_location:
      return "the Location of the redirect is malformed";
    case CallCause::redirect_refused:
      return "the redirect was not allowed";
    case CallCause::timed_out:
      return "timed out";
    case CallCause::cancelled:
      return "cancelled";
    case CallCause::failed:
      return "failed";
  }
  return "unknown error";
}

}  // namespace pollux::http
