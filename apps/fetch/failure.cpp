#include "apps/fetch/failure.hpp"

#include <chrono>

#include "stack/base/text.hpp"
#include "stack/wire/framing.hpp"

namespace pollux::fetch {
namespace {

using base::Decimal;
using http::CallCause;
using http::CallError;
using http::CallStage;

std::uint64_t milliseconds(port::Duration duration) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

bool is_connecting(CallStage stage) {
  switch (stage) {
    case CallStage::check:
    case CallStage::wait:
    case CallStage::resolve:
    case CallStage::connect:
      return true;
    case CallStage::proxy:
    case CallStage::handshake:
    case CallStage::send:
    case CallStage::head:
    case CallStage::body:
    case CallStage::redirect:
      return false;
  }
  return false;
}

Failure not_connected(const CallError& error, const FailureContext& context, std::string_view why) {
  const bool is_proxy = !context.proxy.empty();
  const std::string_view host = is_proxy ? context.proxy : context.host;
  const std::uint16_t port = is_proxy ? context.proxy_port : context.port;
  return {ExitCode::couldnt_connect,
          {"Failed to connect to ", host, " port ", Decimal{port}.view(), " after ",
           Decimal{milliseconds(error.elapsed)}.view(), " ms: ", why}};
}

Failure timed_out(const CallError& error, const FailureContext& context) {
  const Decimal after{milliseconds(context.elapsed)};
  if (error.stage == CallStage::handshake) {
    return {ExitCode::operation_timedout, {"SSL connection timeout after ", after.view(), " milliseconds"}};
  }
  if (error.stage == CallStage::resolve) {
    return {ExitCode::operation_timedout, {"Resolving timed out after ", after.view(), " milliseconds"}};
  }
  if (is_connecting(error.stage) || error.stage == CallStage::proxy) {
    return {ExitCode::operation_timedout, {"Connection timed out after ", after.view(), " milliseconds"}};
  }
  const Decimal received{context.body_received};
  if (context.body_size != 0) {
    return {ExitCode::operation_timedout,
            {"Operation timed out after ", after.view(), " milliseconds with ", received.view(), " out of ",
             Decimal{context.body_size}.view(), " bytes received"}};
  }
  return {ExitCode::operation_timedout,
          {"Operation timed out after ", after.view(), " milliseconds with ", received.view(), " bytes received"}};
}

// What a person can do about a certificate that is refused.
std::string_view advice(tls::Error error, const FailureContext& context) {
  switch (error) {
    case tls::Error::unknown_authority:
    case tls::Error::self_signed:
      return context.trusts_nobody
                 ? ". This system has no CA certificates: install them (ca-certificates), or name some with --cacert"
                 : ". If you know the server, name the certificate that signed its own with --cacert, or its key with "
                   "--pinnedpubkey";
    case tls::Error::clock_not_set:
      return ". A server whose key is known can be asked all the same: --pinnedpubkey";
    default:
      return "";
  }
}

Failure tls_failed(const CallError& error, const FailureContext& context) {
  std::array<char, 240> memory;
  const std::string_view why = tls::describe(error.tls, memory);
  switch (error.tls.error) {
    case tls::Error::clock_not_set:
    case tls::Error::expired:
    case tls::Error::not_yet_valid:
    case tls::Error::wrong_name:
    case tls::Error::unknown_authority:
    case tls::Error::self_signed:
    case tls::Error::weak_key:
    case tls::Error::weak_signature:
    case tls::Error::wrong_usage:
    case tls::Error::bad_certificate:
    case tls::Error::no_certificate:
      return {ExitCode::peer_failed_verification,
              {"SSL certificate problem of ", context.host, ": ", why, advice(error.tls.error, context)}};
    case tls::Error::pin_mismatch:
      return {ExitCode::ssl_pinnedpubkeynotmatch,
              {"SSL: public key of ", context.host, " does not match pinned public key"}};
    default:
      break;
  }
  if (error.stage == CallStage::handshake) {
    return {ExitCode::ssl_connect_error,
            {"TLS connect error with ", context.host, ":", Decimal{context.port}.view(), ": ", why}};
  }
  return error.stage == CallStage::send ? Failure{ExitCode::send_error, {"TLS send error: ", why}}
                                        : Failure{ExitCode::recv_error, {"TLS receive error: ", why}};
}

Failure closed(const CallError& error, const FailureContext& context) {
  // Of a body that tells its own length the missing end of TLS says nothing new.
  const bool has_length = context.body_size != 0 || context.is_chunked;
  const bool is_cut = error.tls.error == tls::Error::truncated && error.stage == CallStage::body && !has_length;
  if (error.stage == CallStage::handshake || is_cut) {
    return tls_failed(error, context);
  }
  if (error.stage == CallStage::body) {
    if (context.body_size != 0) {
      const std::uint64_t left = context.body_size - context.body_received;
      return {ExitCode::partial_file, {"transfer closed with ", Decimal{left}.view(), " bytes remaining to read"}};
    }
    return {ExitCode::partial_file, "transfer closed with outstanding read data remaining"};
  }
  if (error.bytes_received == 0 || context.has_interim) {
    return {ExitCode::got_nothing, "Empty reply from server"};
  }
  return {ExitCode::recv_error, "Connection closed within the head of the response"};
}

Failure unresolved(const CallError& error, const FailureContext& context) {
  if (error.through_proxy) {
    return {ExitCode::couldnt_resolve_proxy, {"Could not resolve proxy: ", context.proxy}};
  }
  return {ExitCode::couldnt_resolve_host, {"Could not resolve host: ", context.host}};
}

Failure malformed_head(const CallError& error) {
  switch (error.head) {
    case wire::HeadError::start_line:
    case wire::HeadError::version_syntax:
    case wire::HeadError::version:
    case wire::HeadError::status_code:
      return {ExitCode::unsupported_protocol, "Unsupported HTTP version in response"};
    case wire::HeadError::too_many_fields:
    case wire::HeadError::too_large:
      return {ExitCode::recv_error, "Too large response headers"};
    case wire::HeadError::none:
    case wire::HeadError::field_syntax:
    case wire::HeadError::field_name:
    case wire::HeadError::field_value:
    case wire::HeadError::host_missing:
    case wire::HeadError::host_repeated:
    case wire::HeadError::host_malformed:
      break;
  }
  return {ExitCode::weird_server_reply, {"Weird server reply: ", wire::describe(error.head)}};
}

Failure from_proxy(const CallError& error, const FailureContext& context) {
  if (context.is_socks) {
    return {
        ExitCode::proxy,
        {"SOCKS5: ", http::describe(error.cause), " (", Decimal{static_cast<std::uint64_t>(error.status)}.view(), ")"}};
  }
  if (error.status != 0) {
    return {ExitCode::recv_error,
            {"CONNECT tunnel failed, response ", Decimal{static_cast<std::uint64_t>(error.status)}.view()}};
  }
  return {ExitCode::recv_error, {"Proxy: ", http::describe(error.cause)}};
}

}  // namespace

Failure::Failure(ExitCode code, std::initializer_list<std::string_view> parts) noexcept : code_{code} {
  base::TextWriter writer{text_};
  for (const std::string_view part : parts) {
    writer.put(part);
  }
  size_ = writer.size();
}

int verify_result(tls::Error error) noexcept {
  switch (error) {
    case tls::Error::clock_not_set:
    case tls::Error::not_yet_valid:
      return 9;  // X509_V_ERR_CERT_NOT_YET_VALID
    case tls::Error::expired:
      return 10;  // X509_V_ERR_CERT_HAS_EXPIRED
    case tls::Error::self_signed:
      return 18;  // X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    case tls::Error::unknown_authority:
      return 20;  // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    case tls::Error::wrong_usage:
      return 26;  // X509_V_ERR_INVALID_PURPOSE
    case tls::Error::weak_key:
      return 66;  // X509_V_ERR_EE_KEY_TOO_SMALL
    case tls::Error::weak_signature:
      return 68;  // X509_V_ERR_CA_MD_TOO_WEAK
    case tls::Error::bad_certificate:
      return 1;  // X509_V_ERR_UNSPECIFIED
    default:
      return 0;
  }
}

Failure failure_from(const CallError& error, const FailureContext& context) noexcept {
  const std::string_view described = http::describe(error.cause);
  switch (error.cause) {
    case CallCause::none:
      return {};
    case CallCause::bad_scheme:
      return {ExitCode::unsupported_protocol, {"Protocol \"", context.scheme, "\" not supported"}};
    case CallCause::no_tls:
      return {ExitCode::unsupported_protocol, "Protocol \"https\" not supported: this build has no TLS"};
    case CallCause::bad_url:
    case CallCause::bad_host:
    case CallCause::bad_location:
      return {ExitCode::url_malformat, "URL using bad/illegal format or missing URL"};
    case CallCause::bad_method:
    case CallCause::bad_field:
      return {ExitCode::bad_function_argument, {"The request cannot be made: ", described}};
    case CallCause::url_too_long:
    case CallCause::fields_too_long:
    case CallCause::head_too_long:
    case CallCause::too_many_hosts:
      return {ExitCode::out_of_memory, {"Out of memory: ", described}};
    case CallCause::busy:
    case CallCause::shut_down:
    case CallCause::cancelled:
      return {ExitCode::failed_init, described};
    case CallCause::name:
      return unresolved(error, context);
    case CallCause::refused:
      return not_connected(error, context, "Couldn't connect to server");
    case CallCause::unreachable:
    case CallCause::no_descriptors:
    case CallCause::no_memory:
    case CallCause::not_permitted:
      return not_connected(error, context, described);
    case CallCause::proxy_refused:
    case CallCause::proxy_authentication:
    case CallCause::proxy_failed:
      return from_proxy(error, context);
    case CallCause::tls:
      return error.tls.error == tls::Error::truncated ? closed(error, context) : tls_failed(error, context);
    case CallCause::source_failed:
    case CallCause::body_mismatch:
      return {ExitCode::read_error, {"Failed to read local data: ", described}};
    case CallCause::cannot_rewind:
      return {ExitCode::send_fail_rewind, "necessary data rewind wasn't possible"};
    case CallCause::closed:
      return error.stage == CallStage::proxy ? from_proxy(error, context) : closed(error, context);
    case CallCause::lost:
      if (error.stage == CallStage::proxy) {
        return from_proxy(error, context);
      }
      if (is_connecting(error.stage)) {
        return not_connected(error, context, described);
      }
      if (error.stage == CallStage::handshake) {
        return {ExitCode::ssl_connect_error,
                {"TLS connect error with ", context.host, ":", Decimal{context.port}.view(), ": connection lost"}};
      }
      return error.stage == CallStage::send ? Failure{ExitCode::send_error, "Send failure: connection lost"}
                                            : Failure{ExitCode::recv_error, "Recv failure: Connection reset by peer"};
    case CallCause::not_http:
      return {ExitCode::unsupported_protocol, "Received HTTP/0.9 when not allowed"};
    case CallCause::malformed_head:
      return malformed_head(error);
    case CallCause::malformed_framing:
      return error.status == static_cast<int>(wire::FramingError::transfer_encoding)
                 ? Failure{ExitCode::bad_content_encoding, "Unrecognized transfer encoding"}
                 : Failure{ExitCode::weird_server_reply, "Invalid Content-Length: value"};
    case CallCause::malformed_chunk:
      return {ExitCode::recv_error, "Malformed encoding found in chunked-encoding"};
    case CallCause::malformed_trailer:
      return {ExitCode::bad_function_argument, "Failed reading the chunked-encoded stream"};
    case CallCause::head_too_large:
      return {ExitCode::recv_error, "Too large response headers"};
    case CallCause::decode:
    case CallCause::decode_limit:
      return {ExitCode::bad_content_encoding, {"Error while processing content unencoding: ", described}};
    case CallCause::sink_failed:
      return {ExitCode::write_error, "Failure writing output to destination"};
    case CallCause::too_large:
      return {ExitCode::filesize_exceeded, "Maximum file size exceeded"};
    case CallCause::body_abandoned:
    case CallCause::too_slow:
      return {ExitCode::operation_timedout, {"Operation too slow: ", described}};
    case CallCause::too_many_redirects:
    case CallCause::redirect_refused:
      return {ExitCode::too_many_redirects, described};
    case CallCause::timed_out:
      return timed_out(error, context);
    case CallCause::failed:
      break;
  }
  if (is_connecting(error.stage)) {
    return not_connected(error, context, described);
  }
  return {error.stage == CallStage::send ? ExitCode::send_error : ExitCode::recv_error, described};
}

}  // namespace pollux::fetch
