#include "stack/wire/head.hpp"

#include <bit>
#include <cstring>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/scan.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

constexpr std::size_t field_id_count = static_cast<std::size_t>(FieldId::count_);
static_assert(field_id_count <= 64, "RequestHead::seen has one bit per FieldId");

constexpr std::size_t method_count = static_cast<std::size_t>(Method::trace) + 1;
constexpr std::array<std::string_view, method_count> method_names = {"",       "GET",   "HEAD",    "POST",    "PUT",
                                                                     "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"};

constexpr std::array<std::string_view, field_id_count> field_names = {"",
                                                                      "Accept-Encoding",
                                                                      "Authorization",
                                                                      "Connection",
                                                                      "Content-Encoding",
                                                                      "Content-Length",
                                                                      "Content-Range",
                                                                      "Content-Type",
                                                                      "Cookie",
                                                                      "Date",
                                                                      "ETag",
                                                                      "Expect",
                                                                      "Host",
                                                                      "If-Match",
                                                                      "If-Modified-Since",
                                                                      "If-None-Match",
                                                                      "If-Range",
                                                                      "If-Unmodified-Since",
                                                                      "Keep-Alive",
                                                                      "Last-Modified",
                                                                      "Location",
                                                                      "Origin",
                                                                      "Range",
                                                                      "Referer",
                                                                      "Set-Cookie",
                                                                      "Trailer",
                                                                      "Transfer-Encoding",
                                                                      "Upgrade",
                                                                      "User-Agent"};

// The known names in a table that is entered by a perfect hash: size and first four bytes choose the one name that a
// name can be, and a comparison of two or three words says whether it is. The multiplier is looked for by the compiler,
// so that adding a name is adding a line.
constexpr std::size_t known_size_min = 4;
constexpr std::size_t known_size_max = 19;

// Padded to 32 bytes, so that finding a row is a shift; words may reach behind the name.
struct KnownName {
  std::array<char, 30> lower{};
  std::uint8_t size = 0;
  FieldId id = FieldId::other;
};

constexpr std::size_t known_slots_bits = 7;

struct NameTable {
  std::uint32_t multiplier = 0;
  std::array<std::uint8_t, 1U << known_slots_bits> slots{};  // index into `names`; 0: no name
  std::array<KnownName, field_id_count> names{};
};

[[nodiscard]] constexpr std::size_t slot_of(std::uint32_t first_four, std::size_t size,
                                            std::uint32_t multiplier) noexcept {
  return (first_four + static_cast<std::uint32_t>(size)) * multiplier >> (32 - known_slots_bits);
}

// Gives every name its slot; false if two meet.
[[nodiscard]] constexpr bool fill_slots(NameTable& table) noexcept {
  table.slots = {};
  for (std::size_t id = 1; id < field_id_count; ++id) {
    const KnownName& name = table.names[id];
    const auto first_four =
        std::bit_cast<std::uint32_t>(std::array<char, 4>{name.lower[0], name.lower[1], name.lower[2], name.lower[3]});
    std::uint8_t& slot = table.slots[slot_of(first_four, name.size, table.multiplier)];
    if (slot != 0) {
      return false;
    }
    slot = static_cast<std::uint8_t>(id);
  }
  return true;
}

constexpr NameTable name_table = [] {
  NameTable table;
  for (std::size_t id = 1; id < field_id_count; ++id) {
    KnownName& name = table.names[id];
    name.id = static_cast<FieldId>(id);
    name.size = static_cast<std::uint8_t>(field_names[id].size());
    for (std::size_t i = 0; i < name.size; ++i) {
      name.lower[i] = base::to_lower(field_names[id][i]);
    }
  }
  for (std::uint32_t attempt = 1; attempt < 2000; ++attempt) {
    table.multiplier = attempt * 0x9e3779b1U;
    if (fill_slots(table)) {
      return table;
    }
  }
  table.multiplier = 0;
  return table;
}();
static_assert(name_table.multiplier != 0, "no multiplier gives every known name its own slot: raise known_slots_bits");
static_assert(
    [] {
      for (std::size_t id = 1; id < field_id_count; ++id) {
        if (field_names[id].size() < known_size_min || field_names[id].size() > known_size_max) {
          return false;
        }
      }
      return true;
    }(),
    "recognise() compares names of known_size_min to known_size_max bytes");

template <typename Word>
[[nodiscard]] inline Word load(const char* from) noexcept {
  Word word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// `name` with letters in lower case. It also turns some marks into other characters, of which only CR becomes one that
// known names have ('-'); so what is looked up must be a token.
template <typename Word>
[[nodiscard]] inline Word load_lower(const char* name) noexcept {
  constexpr Word bit_0x20 = static_cast<Word>(~Word{0}) / 0xff * 0x20;
  return load<Word>(name) | bit_0x20;
}

// The known name that the token at `name` is. The words at its front and at its end overlap, so that each size needs
// two or three comparisons and no loop.
[[nodiscard]] inline FieldId recognise(const char* name, std::size_t size) noexcept {
  if (size - known_size_min > known_size_max - known_size_min) {
    return FieldId::other;
  }
  const auto first_four = load_lower<std::uint32_t>(name);
  const KnownName& known = name_table.names[name_table.slots[slot_of(first_four, size, name_table.multiplier)]];
  const char* const lower = known.lower.data();
  if (first_four != load<std::uint32_t>(lower) || known.size != size) {
    return FieldId::other;
  }
  if (size < 8) {
    const std::size_t tail = size - 4;
    return load_lower<std::uint32_t>(name + tail) == load<std::uint32_t>(lower + tail) ? known.id : FieldId::other;
  }
  const std::size_t tail = size - 8;
  if (load_lower<std::uint64_t>(name + tail) != load<std::uint64_t>(lower + tail)) {
    return FieldId::other;
  }
  const bool is_middle_equal = tail <= 4 || load_lower<std::uint64_t>(name + 4) == load<std::uint64_t>(lower + 4);
  return is_middle_equal ? known.id : FieldId::other;
}

[[nodiscard]] constexpr std::uint64_t bit(FieldId id) noexcept {
  return std::uint64_t{1} << static_cast<unsigned>(id);
}

// The size of the line end at `at`: 2 for CRLF, 1 for a bare LF, 0 for anything else.
[[nodiscard]] inline std::size_t line_end_size(std::string_view text, std::size_t at) noexcept {
  if (at < text.size() && text[at] == '\n') {
    return 1;
  }
  return at + 1 < text.size() && text[at] == '\r' && text[at + 1] == '\n' ? 2 : 0;
}

// Trailer fields are kept apart from those of the head and an app must ask for them, but one that the stack acts on in
// a head has no business here (RFC 9110 section 6.5.1: framing, routing, conditions, authentication, content format).
// ETag is what people do send.
[[nodiscard]] constexpr bool may_be_trailer(FieldId id) noexcept {
  return id == FieldId::other || id == FieldId::etag;
}

enum class Section : std::uint8_t { head, trailer };

// A line of a head may end in a bare LF, one of a trailer section may not: whoever reads the chunked coding otherwise
// than we do must not find another end of the message.
template <Section section>
[[nodiscard]] inline bool is_line_end(std::size_t size) noexcept {
  return section == Section::head ? size != 0 : size == 2;
}

// One field line, as positions in the head.
struct FieldLine {
  std::size_t name_end = 0;
  std::size_t value_at = 0;
  std::size_t value_end = 0;
  std::size_t next = 0;  // where the next line begins
};

// One comparison for what the first and the last byte of a value usually are.
[[nodiscard]] constexpr bool is_above_blank(char c) noexcept {
  return static_cast<unsigned char>(c) > ' ';
}

// What is wrong with the line at `at`, whose name ends at `name_end` without a colon behind it.
[[nodiscard]] HeadError name_error(std::string_view whole, std::size_t at, std::size_t name_end) noexcept {
  if (base::is_blank(whole[at])) {
    return HeadError::field_syntax;  // folded, or nothing to fold onto
  }
  for (std::size_t i = name_end; whole[i] != '\n' && whole[i] != '\r'; ++i) {
    if (whole[i] == ':') {
      return HeadError::field_name;
    }
  }
  return HeadError::field_syntax;
}

// Reads the line at `at`. There is an LF behind it, which stops every scan, and `text` is as long as a vector. Both
// scans first stop where a stop is cheap to find; the exact ones are asked only if that is not the usual ':' or CR.
template <Section section>
[[nodiscard]] inline HeadError parse_line(std::string_view text, std::size_t at, FieldLine& line) noexcept {
  std::size_t name_end = scan::first_stop<scan::WideLanes, scan::TokenStop>(text, at);
  if (text[name_end] != ':') [[unlikely]] {
    name_end = scan::token_end(text, name_end);
    if (text[name_end] != ':') {
      return name_error(text, at, name_end);
    }
  }
  if (name_end == at) [[unlikely]] {
    return HeadError::field_name;
  }
  std::size_t value_at = name_end + 1;
  if (text[value_at] == ' ') [[likely]] {
    ++value_at;
  }
  if (!is_above_blank(text[value_at])) [[unlikely]] {
    while (base::is_blank(text[value_at])) {
      ++value_at;
    }
  }
  std::size_t line_end = scan::first_stop<scan::WideLanes, scan::ValueStop>(text, value_at);
  if (text[line_end] != '\r') [[unlikely]] {
    line_end = scan::value_end(text, line_end);
  }
  const std::size_t end_size = line_end_size(text, line_end);
  if (!is_line_end<section>(end_size)) [[unlikely]] {
    return text[line_end] == '\r' || text[line_end] == '\n' ? HeadError::field_syntax : HeadError::field_value;
  }
  std::size_t value_end = line_end;
  if (!is_above_blank(text[value_end - 1])) [[unlikely]] {
    while (value_end > value_at && base::is_blank(text[value_end - 1])) {
      --value_end;
    }
  }
  line = {.name_end = name_end, .value_at = value_at, .value_end = value_end, .next = line_end + end_size};
  return HeadError::none;
}

struct FieldList {
  std::span<Field> table;
  std::size_t size = 0;
  std::uint64_t seen = 0;
};

// Reads field lines from `at` on, through the first empty line, and sets `end` behind it. `whole` ends with an empty
// line, so every scan meets an LF before it meets the end, and nothing has to ask whether there is another byte.
template <Section section>
[[nodiscard]] HeadError parse_fields(std::string_view whole, std::size_t at, FieldList& list,
                                     std::size_t& end) noexcept {
  std::string_view text = whole;
  std::array<char, scan::WideLanes::size> padded;  // a table holds offsets, so a short text may be read in a copy
  if (whole.size() < padded.size()) [[unlikely]] {
    padded.fill('\n');
    std::memcpy(padded.data(), whole.data(), whole.size());
    text = {padded.data(), padded.size()};
  }
  const std::span<Field> table = list.table;
  std::size_t size = 0;
  std::uint64_t seen = 0;
  while (is_above_blank(text[at])) {
    FieldLine line;
    if (const HeadError error = parse_line<section>(text, at, line); error != HeadError::none) {
      return error;
    }
    const std::size_t name_size = line.name_end - at;
    if (name_size > UINT8_MAX) [[unlikely]] {
      return HeadError::too_large;
    }
    const FieldId id = recognise(text.data() + at, name_size);
    if (section == Section::head || may_be_trailer(id)) {
      if (size == table.size()) [[unlikely]] {
        return HeadError::too_many_fields;
      }
      table[size++] = {.name_at = static_cast<std::uint16_t>(at),
                       .name_size = static_cast<std::uint8_t>(name_size),
                       .id = id,
                       .value_at = static_cast<std::uint16_t>(line.value_at),
                       .value_size = static_cast<std::uint16_t>(line.value_end - line.value_at)};
      seen |= bit(id);
    }
    at = line.next;
  }
  const std::size_t end_size = line_end_size(whole, at);
  if (!is_line_end<section>(end_size)) {
    return name_error(text, at, at);
  }
  list.size = size;
  list.seen = seen;
  end = at + end_size;
  return HeadError::none;
}

constexpr std::size_t version_size = 8;  // "HTTP/1.1"

// The version at `at`; only what it says, not what may follow.
[[nodiscard]] inline HeadError parse_version(std::string_view whole, std::size_t at, Version& version) noexcept {
  if (whole.size() - at < version_size) {
    return HeadError::version_syntax;
  }
  const char* text = whole.data() + at;
  if (std::memcmp(text, "HTTP/1.1", version_size) == 0) [[likely]] {
    version = http_1_1;
    return HeadError::none;
  }
  if (std::memcmp(text, "HTTP/", 5) != 0 || !base::is_digit(text[5]) || text[6] != '.' || !base::is_digit(text[7])) {
    return HeadError::version_syntax;
  }
  version = {.major = static_cast<std::uint8_t>(text[5] - '0'), .minor = static_cast<std::uint8_t>(text[7] - '0')};
  return HeadError::none;
}

// What is wrong with a request line whose third part, from `at` on, is no version: another blank makes it no request
// line at all.
[[nodiscard]] HeadError request_line_error(std::string_view whole, std::size_t at) noexcept {
  const std::string_view rest = slice(whole, at, scan::line_feed(whole, at));
  return rest.find(' ') == std::string_view::npos ? HeadError::version_syntax : HeadError::start_line;
}

// The version at `at`, which ends a request line, and where the fields begin behind it.
[[nodiscard]] inline HeadError parse_request_version(std::string_view data, std::size_t at, Version& version,
                                                     std::size_t& fields_at) noexcept {
  constexpr std::string_view usual = "HTTP/1.1\r\n";
  if (data.size() - at >= usual.size() && std::memcmp(data.data() + at, usual.data(), usual.size()) == 0) [[likely]] {
    version = http_1_1;
    fields_at = at + usual.size();
    return HeadError::none;
  }
  if (parse_version(data, at, version) != HeadError::none) {
    return request_line_error(data, at);
  }
  const std::size_t end_size = line_end_size(data, at + version_size);
  if (end_size == 0) {
    return request_line_error(data, at);
  }
  fields_at = at + version_size + end_size;
  return version.major == 1 ? HeadError::none : HeadError::version;
}

// Letters, digits, hyphens and dots, and perhaps a port of up to four digits: nearly every Host there is, and valid.
// The full check costs several times as much.
[[nodiscard]] bool is_plain_host(std::string_view value) noexcept {
  const char* at = value.data();
  const char* const end = at + value.size();
  while (at != end && scan::is_host_name_byte(*at)) {
    ++at;
  }
  if (at == end || at == value.data() || *at != ':' || end - at > 5) {
    return at == end;
  }
  do {
    ++at;
  } while (at != end && base::is_digit(*at));
  return at == end;
}

}  // namespace

Method method_from(std::string_view token) noexcept {
  const auto if_is = [token](Method method) { return token == method_name(method) ? method : Method::other; };
  switch (token.size()) {
    case 3:
      return token[0] == 'G' ? if_is(Method::get) : if_is(Method::put);
    case 4:
      return token[0] == 'H' ? if_is(Method::head) : if_is(Method::post);
    case 5:
      return token[0] == 'P' ? if_is(Method::patch) : if_is(Method::trace);
    case 6:
      return if_is(Method::del);
    case 7:
      return token[0] == 'O' ? if_is(Method::options) : if_is(Method::connect);
    default:
      return Method::other;
  }
}

std::string_view method_name(Method method) noexcept {
  return method_names[static_cast<std::size_t>(method)];
}

FieldId field_id_from(std::string_view name) noexcept {
  return scan::token_end(name, 0) == name.size() ? recognise(name.data(), name.size()) : FieldId::other;
}

std::string_view field_name(FieldId id) noexcept {
  return id < FieldId::count_ ? field_names[static_cast<std::size_t>(id)] : std::string_view{};
}

std::optional<std::string_view> Fields::get(FieldId id) const noexcept {
  for (std::size_t i = 0; i < table_.size(); ++i) {
    if (table_[i].id == id) {
      return (*this)[i].value;
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> Fields::get(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const NameValue field = (*this)[i];
    if (base::equal_ignoring_case(field.name, name)) {
      return field.value;
    }
  }
  return std::nullopt;
}

std::size_t Fields::count(FieldId id) const noexcept {
  std::size_t found = 0;
  for (const Field& field : table_) {
    found += field.id == id ? 1 : 0;
  }
  return found;
}

bool Fields::has_token(FieldId id, std::string_view token) const noexcept {
  for (std::size_t i = 0; i < table_.size(); ++i) {
    if (table_[i].id != id) {
      continue;
    }
    for (Cut list{.before = {}, .after = (*this)[i].value, .is_found = true}; list.is_found;) {
      list = cut(list.after, ',');
      if (base::equal_ignoring_case(base::trim(list.before), token)) {
        return true;
      }
    }
  }
  return false;
}

std::size_t find_head_end(std::string_view data, std::size_t& scanned) noexcept {
  if (scanned < 2) {
    if (const std::size_t size = line_end_size(data, 0); size != 0) {
      return size;  // an empty first line: an empty trailer section, or no start line
    }
  }
  using Lanes = scan::WideLanes;
  std::size_t at = scanned;
  // Whole vectors, with what an empty line may still need behind them: every LF is looked at without asking for bounds.
  for (; at + Lanes::size + 2 <= data.size(); at += Lanes::size) {
    for (auto hits = scan::LineFeedStop::in(Lanes::load(data.data() + at)).hits(); hits != 0; hits &= hits - 1) {
      const char* const next = data.data() + at + scan::first_hit<Lanes>(hits) + 1;
      if (*next == '\n') {
        return static_cast<std::size_t>(next - data.data()) + 1;
      }
      if (*next == '\r' && next[1] == '\n') {
        return static_cast<std::size_t>(next - data.data()) + 2;
      }
    }
  }
  for (;; ++at) {
    at = scan::line_feed(data, at);
    if (at == data.size()) {
      scanned = at;
      return 0;
    }
    if (const std::size_t size = line_end_size(data, at + 1); size != 0) {
      return at + 1 + size;
    }
    if (at + 2 >= data.size()) {
      scanned = at;  // this LF may be the one: what follows it has not come
      return 0;
    }
  }
}

bool ends_with_empty_line(std::string_view data) noexcept {
  const std::size_t size = data.size();
  if (size == 0 || data[size - 1] != '\n') {
    return false;
  }
  const std::size_t line_at = size >= 2 && data[size - 2] == '\r' ? size - 2 : size - 1;
  return line_at == 0 || data[line_at - 1] == '\n';
}

HeadError parse_first_request_head(std::string_view data, std::span<Field> table, RequestHead& head,
                                   std::size_t& size) noexcept {
  ENSURE(ends_with_empty_line(data));
  ENSURE(data.size() <= head_size_limit);
  head = {};
  const bool is_get = starts_with(data, "GET ");  // most of them
  const std::size_t method_end = is_get ? 3 : scan::token_end(data, 0);
  if (method_end == 0 || data[method_end] != ' ') {
    return HeadError::start_line;
  }
  head.method = {data.data(), method_end};
  head.method_id = is_get ? Method::get : method_from(head.method);
  const std::size_t target_at = method_end + 1;
  const std::size_t target_end = scan::target_end(data, target_at);
  if (target_end == target_at || data[target_end] != ' ') {
    return HeadError::start_line;
  }
  head.target = {data.data() + target_at, target_end - target_at};
  std::size_t fields_at = 0;
  if (const HeadError error = parse_request_version(data, target_end + 1, head.version, fields_at);
      error != HeadError::none) {
    return error;
  }
  FieldList list{.table = table};
  const HeadError error = parse_fields<Section::head>(data, fields_at, list, size);
  head.fields = {data.data(), {table.data(), list.size}};
  head.seen = list.seen;
  return error;
}

HeadError parse_first_response_head(std::string_view data, std::span<Field> table, ResponseHead& head,
                                    std::size_t& size) noexcept {
  ENSURE(ends_with_empty_line(data));
  ENSURE(data.size() <= head_size_limit);
  head = {};
  if (const HeadError error = parse_version(data, 0, head.version); error != HeadError::none) {
    return starts_with(data, "HTTP/") ? error : HeadError::start_line;
  }
  std::size_t at = version_size;
  if (data[at] != ' ') {
    return line_end_size(data, at) != 0 ? HeadError::start_line : HeadError::version_syntax;
  }
  if (head.version.major != 1) {
    return HeadError::version;
  }
  while (data[at] == ' ') {  // more than one is a fault that net/http forgives
    ++at;
  }
  const std::size_t code_at = at;
  while (base::is_digit(data[at])) {
    ++at;
  }
  const std::size_t code_end = at;
  if (data[at] == ' ') {
    ++at;
  }
  const std::size_t line_end = scan::value_end(data, at);
  const std::size_t end_size = line_end_size(data, line_end);
  if (end_size == 0) {
    return HeadError::start_line;
  }
  if (code_end - code_at != 3 || data[code_at] == '0' || (at == code_end && at != line_end)) {
    return HeadError::status_code;
  }
  head.status = (data[code_at] - '0') * 100 + (data[code_at + 1] - '0') * 10 + (data[code_at + 2] - '0');
  head.reason = {data.data() + at, line_end - at};
  FieldList list{.table = table};
  const HeadError error = parse_fields<Section::head>(data, line_end + end_size, list, size);
  head.fields = {data.data(), {table.data(), list.size}};
  head.seen = list.seen;
  return error;
}

HeadError parse_request_head(std::string_view whole, std::span<Field> table, RequestHead& head) noexcept {
  ENSURE(ends_with_empty_line(whole));
  if (whole.size() > head_size_limit) {
    return HeadError::too_large;
  }
  std::size_t size = whole.size();
  const HeadError error = parse_first_request_head(whole, table, head, size);
  ENSURE(size == whole.size());
  return error;
}

HeadError parse_response_head(std::string_view whole, std::span<Field> table, ResponseHead& head) noexcept {
  ENSURE(ends_with_empty_line(whole));
  if (whole.size() > head_size_limit) {
    return HeadError::too_large;
  }
  std::size_t size = whole.size();
  const HeadError error = parse_first_response_head(whole, table, head, size);
  ENSURE(size == whole.size());
  return error;
}

HeadError parse_trailer_section(std::string_view whole, std::span<Field> table, Fields& fields) noexcept {
  ENSURE(ends_with_empty_line(whole));
  fields = {};
  if (whole.size() > head_size_limit) {
    return HeadError::too_large;
  }
  FieldList list{.table = table};
  std::size_t size = whole.size();
  const HeadError error = parse_fields<Section::trailer>(whole, 0, list, size);
  ENSURE(size == whole.size());
  fields = {whole.data(), {table.data(), list.size}};
  return error;
}

HeadError check_host(const RequestHead& head) noexcept {
  if (!head.has(FieldId::host)) {
    const bool needs_host = head.version >= http_1_1 && head.method_id != Method::connect;
    return needs_host ? HeadError::host_missing : HeadError::none;
  }
  std::optional<std::string_view> host;
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (head.fields.id(i) == FieldId::host) {
      if (host) {
        return HeadError::host_repeated;
      }
      host = head.fields[i].value;
    }
  }
  return is_plain_host(*host) || is_valid_host(*host) ? HeadError::none : HeadError::host_malformed;
}

std::string_view describe(HeadError error) noexcept {
  switch (error) {
    case HeadError::none:
      return "no error";
    case HeadError::start_line:
      return "malformed start line";
    case HeadError::version_syntax:
      return "malformed HTTP version";
    case HeadError::version:
      return "unsupported protocol version";
    case HeadError::field_syntax:
      return "malformed header line";
    case HeadError::field_name:
      return "invalid header name";
    case HeadError::field_value:
      return "invalid header value";
    case HeadError::too_many_fields:
      return "too many header fields";
    case HeadError::too_large:
      return "header too large";
    case HeadError::host_missing:
      return "missing required Host header";
    case HeadError::host_repeated:
      return "too many Host headers";
    case HeadError::host_malformed:
      return "malformed Host header";
    case HeadError::status_code:
      return "malformed status code";
  }
  return "unknown error";
}

}  // namespace pollux::wire
