// Trace hooks: what a round trip is doing, stage by stage (net/http/httptrace). One callback for all; costs one test when unset.
// A hook may cancel its round trip, which then ends in this turn or the next one; it must not destroy it.
#pragma once

#include <cstdint>
#include <string_view>

#include "port/address.hpp"
#include "port/time.hpp"
#include "stack/net/loop.hpp"
#include "stack/tls/session.hpp"

namespace pollux::http {

class RoundTrip;

enum class TraceEvent : std::uint8_t {
  get_conn,     // a connection is wanted
  got_conn,     // `reused`, `was_idle` and `idle_time` are set
  names_start,  // `text` is the host
  names_done,
  connect_start,  // `address`
  connect_done,   // `address`; a failure is reported as the call's error
  proxy_start,    // `text`: the proxy
  proxy_done,
  tls_start,      // `text`: the name that the certificate has to have
  tls_done,       // `tls`; `text` is the cipher
  wrote_head,     // `text`: the request head as it went to the connection
  wait_continue,  // Expect: 100-continue
  got_continue,
  got_interim,    // 1xx; `status`, `text` is its head
  wrote_request,  // the body too
  first_byte,     // of the response
  got_head,       // `status`, `text` is the final head as received
  body_done,
  put_idle,  // the connection went back to the pool
  retry,     // the connection was stale; another one is asked for
  closed,    // the connection was closed after this round trip
};

struct Trace {
  TraceEvent event{};
  port::Time at{};
  std::string_view text{};  // valid during the call
  const port::Address* address = nullptr;
  int status = 0;
  bool reused = false;
  bool was_idle = false;
  port::Duration idle_time{};
  const tls::ConnectionInfo* tls = nullptr;  // tls_done; got_conn of a TLS connection. Valid during the call
  std::uint32_t connection = 0;              // serial number of the connection, from 1; 0: none yet
};

}  // namespace pollux::http
