// CallError: why a round trip or a whole call did not work, with everything a program or a person needs to decide what to do next.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "port/time.hpp"
#include "stack/net/resolver.hpp"
#include "stack/tls/error.hpp"
#include "stack/wire/head.hpp"

namespace pollux::http {

// How far it had come.
enum class CallStage : std::uint8_t {
  check,    // nothing was done yet
  wait,     // for a connection: its own dial, or one that comes back
  resolve,  // names
  connect,
  proxy,      // CONNECT or SOCKS
  handshake,  // TLS
  send,       // the request is going out
  head,       // it is out; waiting for the answer
  body,       // the head has come
  redirect,
};

enum class CallCause : std::uint8_t {
  none,
  // check
  bad_url,
  bad_scheme,    // neither http nor https
  bad_host,      // empty, not ASCII, or not a host
  bad_method,    // not a token, or CONNECT
  bad_field,     // a name that is no token, a control byte in a value, or a field that is the transport's business
  url_too_long,  // for the memory of this request
  fields_too_long,
  head_too_long,  // start line and fields do not fit the connection's output buffer
  busy,           // this round trip is already under way
  // wait
  too_many_hosts,  // TransportLimits::hosts keys are all in use
  shut_down,       // the transport was closed
  // resolve, connect, proxy, handshake
  name,  // CallError::name tells
  refused,
  unreachable,
  no_descriptors,
  no_memory,
  not_permitted,
  proxy_refused,  // the proxy's status is in CallError::status (HTTP), or its reply code (SOCKS)
  proxy_authentication,
  proxy_failed,  // its reply was not understood, or it closed
  tls,           // the handshake, or a record later on: CallError::tls tells; the peer's certificate is a matter of it
  no_tls,        // https, and TransportConfig::tls is not set
  // send
  source_failed,  // the body's source said so
  body_mismatch,  // the source gave more or fewer bytes than declared
  cannot_rewind,  // the connection was lost, and the body cannot be sent again
  // send, head, body
  closed,             // the peer closed before the answer was complete
  lost,               // reset, or the network gave up; CallError::system_error
  malformed_head,     // CallError::head tells
  malformed_framing,  // wire::FramingError in CallError::status
  malformed_chunk,
  malformed_trailer,
  head_too_large,  // more bytes of 1xx and final heads than max_response_header_bytes, or more fields than fit
  not_http,        // the first bytes are no status line
  decode,          // the content coding is broken or cut; DecodeError in CallError::status
  decode_limit,    // a bomb: ratio or size
  sink_failed,     // the caller's own sink refused the body (tools)
  too_large,       // a collected body does not fit
  body_abandoned,  // nobody read the body in time
  too_slow,        // below the minimum rate
  // redirect
  too_many_redirects,
  bad_location,
  redirect_refused,  // the check hook said error
  // anywhere
  timed_out,  // `stage` says which deadline
  cancelled,
  failed,  // anything else; CallError::system_error
};

struct CallError {
  CallStage stage = CallStage::check;
  CallCause cause = CallCause::none;
  net::NameError name = net::NameError::none;
  wire::HeadError head = wire::HeadError::none;
  int status = 0;            // see the causes that use it
  int system_error = 0;      // errno behind it; 0: none
  tls::ErrorInfo tls{};      // what TLS knows of it: with `tls` always, with `closed` and `lost` on a TLS connection
  port::Duration elapsed{};  // since start()
  std::uint64_t bytes_sent = 0;      // of this attempt, head included
  std::uint64_t bytes_received = 0;  // of this attempt, head included
  // The server cannot have acted on the request: sending it again does no harm. Not where it could do no good: a certificate that was
  // refused once will be refused again.
  bool retry_safe = false;
  bool reused = false;  // the connection had served before
  bool through_proxy = false;

  [[nodiscard]] constexpr explicit operator bool() const noexcept { return cause != CallCause::none; }
  // A deadline ended it, whichever.
  [[nodiscard]] constexpr bool is_timeout() const noexcept {
    return cause == CallCause::timed_out || (cause == CallCause::name && name == net::NameError::timed_out);
  }
};

// One clear sentence without a full stop:
//   Get "http://h:80/x": connecting to h:80: connection refused (errno 111, ECONNREFUSED) after 0.200 s, nothing sent, safe to retry
// A password in `url` is masked, and what a terminal or a log must not see is escaped. Cut to out.size(), the URL first; 512 bytes are
// always enough for a URL of 200. Valid as long as `out`.
[[nodiscard]] std::string_view format_error(const CallError& error, std::string_view method, std::string_view url,
                                            std::span<char> out) noexcept;
// "connection refused": static text.
[[nodiscard]] std::string_view describe(CallCause cause) noexcept;
// "while connecting": static text.
[[nodiscard]] std::string_view describe(CallStage stage) noexcept;

}  // namespace pollux::http
