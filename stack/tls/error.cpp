#include "stack/tls/error.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "stack/base/text.hpp"

namespace pollux::tls {
namespace {

constexpr std::int64_t day_seconds = 86'400;

// The longest sentence is below 200 bytes.
constexpr std::size_t sentence_max = 320;

void put_two_digits(unsigned value, base::TextWriter& out) noexcept {
  out.put(static_cast<char>('0' + value / 10 % 10)).put(static_cast<char>('0' + value % 10));
}

// "2026-10-02".
void put_date(std::int64_t seconds, base::TextWriter& out) noexcept {
  // 0000-01-01 to 9999-12-31: what a certificate can say, and four digits.
  seconds = std::clamp<std::int64_t>(seconds, -62'167'219'200, 253'402'300'799);
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds{std::chrono::seconds{seconds}});
  const std::chrono::year_month_day date{day};
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  put_two_digits(year / 100, out);
  put_two_digits(year % 100, out);
  out.put('-');
  put_two_digits(static_cast<unsigned>(date.month()), out);
  out.put('-');
  put_two_digits(static_cast<unsigned>(date.day()), out);
}

// "today", "1 day ago", "in 3 days": `seconds` from the clock's time on.
void put_distance(std::int64_t seconds, base::TextWriter& out) noexcept {
  const bool is_past = seconds < 0;
  const std::int64_t days = (is_past ? -seconds : seconds) / day_seconds;
  if (days == 0) {
    out.put(is_past ? "less than a day ago" : "in less than a day");
    return;
  }
  out.put(is_past ? "" : "in ").put_signed(days).put(days == 1 ? " day" : " days").put(is_past ? " ago" : "");
}

// What a person can do about an alert; "" if the name says it.
std::string_view advice(std::uint8_t alert) noexcept {
  switch (alert) {
    case 40:
      return ": no version, cipher or certificate suits both ends";
    case 42:
    case 43:
    case 46:
      return ": it does not take our certificate";
    case 44:
      return ": our certificate was revoked";
    case 45:
      return ": our certificate has expired, or the peer's clock is wrong";
    case 48:
      return ": it does not trust who signed our certificate";
    case 49:
      return ": our certificate has no access";
    case 70:
      return ": it wants another version of TLS";
    case 71:
      return ": our key or cipher is too weak for it";
    case 112:
      return ": it knows no server of this name";
    case 116:
      return ": it wants a client certificate";
    case 120:
      return ": it does not speak http/1.1 here";
    default:
      return "";
  }
}

void put_code(int code, base::TextWriter& out) noexcept {
  if (code != 0) {
    out.put(" (mbedTLS ")
        .put(code < 0 ? "-0x" : "0x")
        .put_hex(static_cast<std::uint64_t>(code < 0 ? -std::int64_t{code} : code), 4)
        .put(')');
  }
}

void put_sentence(const ErrorInfo& info, base::TextWriter& out) noexcept {
  const bool has_now = info.now_seconds != 0;
  switch (info.error) {
    case Error::clock_not_set:
      out.put("the clock says ");
      put_date(info.now_seconds, out);
      out.put(", before this program was built: set the time");
      return;
    case Error::expired:
    case Error::not_yet_valid:
      if (info.date_seconds == 0) {
        break;
      }
      out.put(info.error == Error::expired ? "the certificate expired on " : "the certificate is not valid before ");
      put_date(info.date_seconds, out);
      if (!has_now) {
        return;
      }
      out.put(", ");
      put_distance(info.date_seconds - info.now_seconds, out);
      if (info.error == Error::not_yet_valid) {
        out.put("; the clock says ");
        put_date(info.now_seconds, out);
      }
      return;
    case Error::alert:
      if (alert_name(info.alert).empty()) {
        out.put("the peer ended it with alert ").put_decimal(info.alert);
      } else {
        out.put("the peer ended it: ").put(alert_name(info.alert)).put(advice(info.alert));
      }
      return;
    case Error::none:
    case Error::no_memory:
    case Error::no_random:
    case Error::certificate_syntax:
    case Error::key_syntax:
    case Error::key_mismatch:
    case Error::no_certificate_given:
    case Error::too_many_certificates:
    case Error::trust_syntax:
    case Error::trust_full:
    case Error::pin_syntax:
    case Error::busy:
    case Error::unsupported:
    case Error::wrong_name:
    case Error::unknown_authority:
    case Error::self_signed:
    case Error::weak_key:
    case Error::weak_signature:
    case Error::wrong_usage:
    case Error::pin_mismatch:
    case Error::bad_certificate:
    case Error::no_certificate:
    case Error::version:
    case Error::no_common_cipher:
    case Error::alpn:
    case Error::plain_http:
    case Error::peer_is_plain:
    case Error::protocol:
    case Error::closed:
    case Error::truncated:
    case Error::lost:
    case Error::internal:
      break;
  }
  out.put(describe(info.error));
  // Only where the sentence says too little: elsewhere the number would frighten and not help.
  if (info.error == Error::protocol || info.error == Error::internal || info.error == Error::bad_certificate) {
    put_code(info.code, out);
  }
}

}  // namespace

std::string_view describe(Error error) noexcept {
  switch (error) {
    case Error::none:
      return "no error";
    case Error::no_memory:
      return "the memory set aside for TLS is too small";
    case Error::no_random:
      return "mbedTLS could not be set up";
    case Error::certificate_syntax:
      return "this is not a certificate in PEM or DER";
    case Error::key_syntax:
      return "this is not a private key in PEM or DER without a password";
    case Error::key_mismatch:
      return "the private key belongs to another certificate";
    case Error::no_certificate_given:
      return "a TLS server needs a certificate and its key";
    case Error::too_many_certificates:
      return "more certificates than there is room for";
    case Error::trust_syntax:
      return "no certificate was found among those to trust";
    case Error::trust_full:
      return "the certificates to trust do not fit into the memory set aside for them";
    case Error::pin_syntax:
      return "a pin is \"sha256//\" and the base64 of 32 bytes";
    case Error::busy:
      return "handshakes still use the certificates before last; try again in a few seconds";
    case Error::unsupported:
      return "this program's mbedTLS does not know how to do that";
    case Error::clock_not_set:
      return "the clock stands before the day this program was built: set the time";
    case Error::expired:
      return "the certificate has expired";
    case Error::not_yet_valid:
      return "the certificate is not valid yet";
    case Error::wrong_name:
      return "the certificate is for another name";
    case Error::unknown_authority:
      return "nobody we trust signed the certificate";
    case Error::self_signed:
      return "the certificate signed itself, and it is not one we trust";
    case Error::weak_key:
      return "the certificate's key is too weak";
    case Error::weak_signature:
      return "the certificate's signature is of a kind that is not safe any more";
    case Error::wrong_usage:
      return "the certificate is meant for something else";
    case Error::pin_mismatch:
      return "the peer's key is none of the pinned ones";
    case Error::bad_certificate:
      return "the certificate cannot be used";
    case Error::no_certificate:
      return "the peer gave no certificate";
    case Error::version:
      return "no version of TLS suits both ends";
    case Error::no_common_cipher:
      return "no cipher suits both ends";
    case Error::alpn:
      return "the peer does not speak http/1.1 here";
    case Error::alert:
      return "the peer ended it with an alert";
    case Error::plain_http:
      return "the client spoke http to an https port";
    case Error::peer_is_plain:
      return "the server does not speak TLS: it answered in clear text";
    case Error::protocol:
      return "the peer broke the rules of TLS";
    case Error::closed:
      return "the connection ended during the handshake";
    case Error::truncated:
      return "the connection ended without a goodbye: something may be missing";
    case Error::lost:
      return "the connection was lost";
    case Error::internal:
      return "mbedTLS failed";
  }
  return "";
}

std::string_view describe(const ErrorInfo& info, std::span<char> out) noexcept {
  std::array<char, sentence_max> text{};
  base::TextWriter writer{text};
  put_sentence(info, writer);
  const std::string_view whole = writer.view();
  const std::string_view sentence{whole.data(), std::min(whole.size(), out.size())};
  std::copy(sentence.begin(), sentence.end(), out.begin());
  return {out.data(), sentence.size()};
}

std::string_view alert_name(std::uint8_t alert) noexcept {
  switch (alert) {
    // RFC 8446 section 6 and RFC 5246 section 7.2; 21, 30, 41 and 60 are of older versions but reserved by name.
    case 0:
      return "close_notify (0)";
    case 10:
      return "unexpected_message (10)";
    case 20:
      return "bad_record_mac (20)";
    case 21:
      return "decryption_failed (21)";
    case 22:
      return "record_overflow (22)";
    case 30:
      return "decompression_failure (30)";
    case 40:
      return "handshake_failure (40)";
    case 41:
      return "no_certificate (41)";
    case 42:
      return "bad_certificate (42)";
    case 43:
      return "unsupported_certificate (43)";
    case 44:
      return "certificate_revoked (44)";
    case 45:
      return "certificate_expired (45)";
    case 46:
      return "certificate_unknown (46)";
    case 47:
      return "illegal_parameter (47)";
    case 48:
      return "unknown_ca (48)";
    case 49:
      return "access_denied (49)";
    case 50:
      return "decode_error (50)";
    case 51:
      return "decrypt_error (51)";
    case 60:
      return "export_restriction (60)";
    case 70:
      return "protocol_version (70)";
    case 71:
      return "insufficient_security (71)";
    case 80:
      return "internal_error (80)";
    case 86:
      return "inappropriate_fallback (86)";  // RFC 7507
    case 90:
      return "user_canceled (90)";
    case 100:
      return "no_renegotiation (100)";
    case 109:
      return "missing_extension (109)";
    case 110:
      return "unsupported_extension (110)";
    case 111:
      return "certificate_unobtainable (111)";  // RFC 6066
    case 112:
      return "unrecognized_name (112)";
    case 113:
      return "bad_certificate_status_response (113)";
    case 114:
      return "bad_certificate_hash_value (114)";
    case 115:
      return "unknown_psk_identity (115)";
    case 116:
      return "certificate_required (116)";
    case 120:
      return "no_application_protocol (120)";  // RFC 7301
    default:
      return "";
  }
}

}  // namespace pollux::tls
