// Heads: the start line and the fields of one message, parsed once, when the head is whole.
//
// The parser copies nothing: a head is offsets into the bytes it was parsed from, so it lives as long as those bytes
// stay where they are. Pure functions; no state, no I/O.
//
// Strict (RFC 9112, RFC 9110 section 5): two single spaces in a request line, names are tokens directly before the
// colon, values hold no control byte but tab, no line folding (section 5.2 lets a server refuse it; MessageReader unfolds those of responses), a target holds
// visible ASCII only. A line may end in a bare LF (section 2.2), but CR is never accepted anywhere else. In a trailer
// section every line ends in CRLF, as everywhere in the chunked coding. One thing is forgiven, as net/http does: more
// than one space before a status code.
//
//   std::size_t scanned = 0;
//   if (const std::size_t size = wire::find_head_end(data, scanned); size != 0) {
//     wire::RequestHead head;
//     const wire::HeadError error = wire::parse_request_head({data.data(), size}, table, head);
//   }
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace pollux::wire {

enum class Method : std::uint8_t { other, get, head, post, put, del, patch, options, connect, trace };

// The method a token names; methods are case-sensitive (RFC 9110 section 9.1), so "get" is Method::other.
[[nodiscard]] Method method_from(std::string_view token) noexcept;
// "GET"; "" for Method::other.
[[nodiscard]] std::string_view method_name(Method method) noexcept;

struct Version {
  std::uint8_t major = 1;
  std::uint8_t minor = 1;
  friend constexpr bool operator==(const Version&, const Version&) = default;
  // As one number: the default comparison, member by member, costs several times as much and is asked for all the time.
  friend constexpr std::strong_ordering operator<=>(const Version& a, const Version& b) noexcept {
    return (a.major << 8 | a.minor) <=> (b.major << 8 | b.minor);
  }
};
inline constexpr Version http_1_0{1, 0};
inline constexpr Version http_1_1{1, 1};

// Field names the stack itself looks at, recognised while parsing so that finding one later is an index.
enum class FieldId : std::uint8_t {
  other,
  accept_encoding,
  authorization,
  connection,
  content_encoding,
  content_length,
  content_range,
  content_type,
  cookie,
  date,
  etag,
  expect,
  host,
  if_match,
  if_modified_since,
  if_none_match,
  if_range,
  if_unmodified_since,
  keep_alive,
  last_modified,
  location,
  origin,
  range,
  referer,
  set_cookie,
  trailer,
  transfer_encoding,
  upgrade,
  user_agent,
  count_,
};
[[nodiscard]] FieldId field_id_from(std::string_view name) noexcept;  // any case
[[nodiscard]] std::string_view field_name(FieldId id) noexcept;       // "Content-Length"; "" for other

// One field line, as offsets from the first byte of the head (or trailer section). A head is at most 65,535 bytes.
struct Field {
  std::uint16_t name_at = 0;
  std::uint8_t name_size = 0;  // a longer name is refused (HeadError::too_large)
  FieldId id = FieldId::other;
  std::uint16_t value_at = 0;
  std::uint16_t value_size = 0;  // without the blanks around it
};
inline constexpr std::size_t head_size_limit = 65535;

struct NameValue {
  std::string_view name;
  std::string_view value;
};

// The fields of one head in the order they came: a view, cheap to copy, valid as long as the head's bytes and its
// table.
class Fields {
 public:
  constexpr Fields() = default;
  constexpr Fields(const char* base, std::span<const Field> table) noexcept : base_{base}, table_{table} {}

  [[nodiscard]] constexpr std::size_t size() const noexcept { return table_.size(); }
  [[nodiscard]] constexpr NameValue operator[](std::size_t index) const noexcept {
    const Field& field = table_[index];
    return {{base_ + field.name_at, field.name_size}, {base_ + field.value_at, field.value_size}};
  }
  [[nodiscard]] constexpr FieldId id(std::size_t index) const noexcept { return table_[index].id; }

  // The value of the first field of that name; nothing if there is none. An empty value is a value.
  [[nodiscard]] std::optional<std::string_view> get(FieldId id) const noexcept;
  [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept;  // any case
  [[nodiscard]] std::size_t count(FieldId id) const noexcept;
  // True if one of the comma-separated elements of any field `id` is `token`, case ignored (RFC 9110 section 5.6.1).
  [[nodiscard]] bool has_token(FieldId id, std::string_view token) const noexcept;

 private:
  const char* base_ = nullptr;
  std::span<const Field> table_{};
};

struct RequestHead {
  std::string_view method;  // the token as sent
  Method method_id = Method::other;
  std::string_view target;  // as sent, not yet looked into
  Version version;
  Fields fields;
  // One bit per FieldId seen, so that asking for a field that did not come costs nothing.
  std::uint64_t seen = 0;
  [[nodiscard]] constexpr bool has(FieldId id) const noexcept { return (seen >> static_cast<unsigned>(id) & 1) != 0; }
};

struct ResponseHead {
  Version version;
  int status = 0;           // 100..999
  std::string_view reason;  // as sent, may be empty
  Fields fields;
  std::uint64_t seen = 0;
  [[nodiscard]] constexpr bool has(FieldId id) const noexcept { return (seen >> static_cast<unsigned>(id) & 1) != 0; }
};

// Why a head was refused. The server's table of answers (stack/http) maps each to a status; a client reports it.
enum class HeadError : std::uint8_t {
  none,
  start_line,      // not method SP target SP version; a bad status line; a target with a byte that is not visible ASCII
  version_syntax,  // not HTTP/digit.digit
  version,         // well-formed, but not 1.x (server: 505)
  field_syntax,    // no colon, blank before the first field or a folded line, a stray CR
  field_name,      // empty, not a token, or blank before the colon
  field_value,     // a control byte in the value
  too_many_fields,  // more lines than the table has entries (server: 431)
  too_large,        // longer than the limit (server: 431)
  host_missing,     // HTTP/1.1 without Host
  host_repeated,
  host_malformed,
  status_code,  // response: not three digits, or below 100
};

// The size of the head at the front of `data`, through its empty line, or 0 if that has not come yet. `scanned` is how
// far earlier calls for the same head looked (0 at first); it is moved on, so that a head that comes in pieces is
// scanned once. An empty line at the very front is a head of one or two bytes: an empty trailer section, or a head that
// the parser will refuse.
[[nodiscard]] std::size_t find_head_end(std::string_view data, std::size_t& scanned) noexcept;

// Parses a whole head: exactly the bytes find_head_end() delimited. `table` gives the room for fields. On an error
// `head` is unspecified but for what was parsed before it. parse_request_head checks syntax and version; the Host rules
// are check_host()'s.
[[nodiscard]] HeadError parse_request_head(std::string_view whole, std::span<Field> table, RequestHead& head) noexcept;
[[nodiscard]] HeadError parse_response_head(std::string_view whole, std::span<Field> table,
                                            ResponseHead& head) noexcept;

// True if the last line of `data` is empty, and so the end of a first head lies somewhere in it. Nearly every request
// without a body comes like that.
[[nodiscard]] bool ends_with_empty_line(std::string_view data) noexcept;

// The same for the first head in `data`, which ends with an empty line and has at most head_size_limit bytes: what
// find_head_end() would have looked for is found on the way, and the bytes are read once instead of twice. Sets `size`
// to the head's, unless it returns an error.
[[nodiscard]] HeadError parse_first_request_head(std::string_view data, std::span<Field> table, RequestHead& head,
                                                 std::size_t& size) noexcept;
[[nodiscard]] HeadError parse_first_response_head(std::string_view data, std::span<Field> table, ResponseHead& head,
                                                  std::size_t& size) noexcept;
// Parses a trailer section: field lines and the empty line, without a start line (RFC 9112 section 7.1.2). Fields that
// the stack knows by FieldId are dropped, but for ETag: they frame, route, authorise or describe a message, and a
// recipient must not take them from a trailer (RFC 9110 section 6.5.1). What is dropped needs no room in `table`.
[[nodiscard]] HeadError parse_trailer_section(std::string_view whole, std::span<Field> table, Fields& fields) noexcept;

// The rules for Host (RFC 9112 section 3.2): exactly one from HTTP/1.1 on (CONNECT exempt), never two, valid
// characters. It may be empty: that is what a client sends whose target has no authority.
[[nodiscard]] HeadError check_host(const RequestHead& head) noexcept;

// "missing required Host header": the reason in words for an answer or a message; static text, never the peer's bytes.
[[nodiscard]] std::string_view describe(HeadError error) noexcept;

}  // namespace pollux::wire
