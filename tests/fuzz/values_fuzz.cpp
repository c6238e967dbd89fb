// All value parsers of stack/wire over one input: nothing stops or reads outside, results lie where they should, and
// what was written is read back.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "port/ensure.hpp"
#include "stack/wire/base64.hpp"
#include "stack/wire/conditional.hpp"
#include "stack/wire/content_type_sniff.hpp"
#include "stack/wire/cookie.hpp"
#include "stack/wire/date.hpp"
#include "stack/wire/media_type.hpp"
#include "stack/wire/percent.hpp"
#include "stack/wire/query.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/range.hpp"
#include "stack/wire/status.hpp"
#include "stack/wire/url.hpp"

namespace {

using namespace pollux;
using namespace pollux::wire;

// Memory of an exact size on the heap, where AddressSanitizer watches its ends.
class Memory {
 public:
  explicit Memory(std::size_t size) : bytes_{new char[size]}, size_{size} {}
  [[nodiscard]] std::span<char> span() const { return {bytes_.get(), size_}; }
  [[nodiscard]] bool holds(std::string_view part) const {
    return part.data() >= bytes_.get() && part.data() + part.size() <= bytes_.get() + size_;
  }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
};

bool is_part(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// A result that was written lies in its memory; too little memory is refused, never overrun.
template <typename Write>
void try_sizes(std::size_t enough, Write&& write) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, enough / 2, enough}) {
    const Memory memory{size};
    const auto written = write(memory.span());
    ENSURE(!written || memory.holds(*written));
  }
}

void check_percent(std::string_view input) {
  for (unsigned i = 0; i < 8; ++i) {
    const auto set = static_cast<PercentSet>(i);
    const std::size_t size = percent_encoded_size(input, set);
    const Memory memory{size};
    const auto encoded = percent_encode(input, set, memory.span());
    ENSURE(static_cast<bool>(encoded));
    ENSURE(encoded->size() == size);
    const Plus plus = set == PercentSet::form_component ? Plus::space : Plus::literal;
    const auto decoded = percent_decode_in_place(memory.span(), plus);
    ENSURE(static_cast<bool>(decoded));
    ENSURE(*decoded == input);
    if (size > 0) {
      const Memory short_memory{size - 1};
      ENSURE(!percent_encode(input, set, short_memory.span()));
    }
  }
  const Memory memory{input.size()};
  const auto decoded = percent_decode(input, memory.span());
  ENSURE(static_cast<bool>(decoded) == has_valid_escapes(input));
  ENSURE(!decoded || percent_decoded_equals(input, *decoded));
}

void check_url(std::string_view input) {
  const auto url = parse_url(input);
  if (!url) {
    return;
  }
  for (const std::string_view part : {url->user, url->password, url->host, url->hostname, url->port, url->path,
                                      url->query, url->fragment, url->opaque}) {
    ENSURE(is_part(part, input));
  }
  ENSURE(effective_port(*url) != 0 || url->port.empty() || url->port.find_first_not_of('0') == std::string_view::npos);
  const std::size_t enough = 3 * input.size() + 2;
  try_sizes(enough, [&](std::span<char> out) { return format_url(*url, out); });
  try_sizes(enough, [&](std::span<char> out) { return format_request_target(*url, out); });

  // Written, read and written again, a URL is the same.
  const Memory memory{enough};
  const auto text = format_url(*url, memory.span());
  ENSURE(static_cast<bool>(text));
  const auto again = parse_url(*text);
  ENSURE(static_cast<bool>(again));
  ENSURE(again->has_authority == url->has_authority);
  const Memory again_memory{text->size()};
  const auto again_text = format_url(*again, again_memory.span());
  ENSURE(static_cast<bool>(again_text));
  ENSURE(*again_text == *text);
}

void check_resolve(std::string_view base_text, std::string_view reference_text) {
  const auto base = parse_url(base_text);
  const auto reference = parse_url(reference_text);
  if (!base || !reference) {
    return;
  }
  const std::size_t enough = 3 * (base_text.size() + reference_text.size()) + 2;
  try_sizes(enough, [&](std::span<char> out) { return resolve_reference(*base, *reference, out); });
  const Memory memory{enough};
  const auto resolved = resolve_reference(*base, *reference, memory.span());
  ENSURE(resolved || resolved.error() != UrlError::out_too_small);
  if (!resolved) {
    return;
  }
  const auto url = parse_url(*resolved);
  ENSURE(static_cast<bool>(url));
  ENSURE(url->has_authority == (reference->has_authority || (reference->scheme.empty() && base->has_authority)));
}

void check_targets(std::string_view input) {
  if (const auto target = parse_request_target(input)) {
    ENSURE(is_part(target->url.path, input));
    ENSURE(target->form == TargetForm::asterisk || target->form == TargetForm::absolute ||
           target->url.path.starts_with('/'));
    ENSURE(is_valid_host(target->url.host));
  }
  if (const auto target = parse_connect_target(input)) {
    ENSURE(effective_port(target->url) != 0);
    ENSURE(is_valid_host(input));
  }
  ENSURE(is_part(strip_port(input), input));
  const Memory memory{input.size() + 1};
  const auto cleaned = clean_path(input, memory.span());
  ENSURE(static_cast<bool>(cleaned));
  ENSURE(memory.holds(*cleaned));
  ENSURE(is_clean_path(*cleaned));
  ENSURE(is_clean_path(input) == (*cleaned == input));
  try_sizes(input.size(), [&](std::span<char> out) { return clean_path(input, out); });
}

void check_query(std::string_view input) {
  QueryPairs pairs{input};
  std::size_t bytes = 0;
  while (const auto pair = pairs.next()) {
    ENSURE(is_part(pair->name, input));
    ENSURE(is_part(pair->value, input));
    bytes += pair->name.size() + pair->value.size() + (pair->has_value ? 1 : 0);
  }
  ENSURE(bytes + pairs.refused() <= input.size());
  try_sizes(input.size(), [&](std::span<char> out) { return query_value(input, "a", out); });
}

void check_dates(std::string_view input) {
  for (const auto& date : {parse_http_date(input, {.seconds = 1'800'000'000}), parse_cookie_date(input)}) {
    if (!date) {
      continue;
    }
    ENSURE(*date >= date_min);
    // A leap second at the very end of the year 9999 is one second beyond what can be written.
    if (*date <= date_max) {
      std::array<char, http_date_size> out;
      ENSURE(*parse_http_date(*write_http_date(*date, out), {}) == *date);
    }
  }
}

void check_quoted(std::string_view input) {
  const Memory memory{2 * input.size() + 2};
  if (const auto quoted = write_quoted(input, memory.span())) {
    ENSURE(scan_quoted(*quoted)->size() == quoted->size());
    ENSURE(*unquote(*quoted, memory.span()) == input);
  }
  try_sizes(input.size(), [&](std::span<char> out) { return unquote(input, out); });
  ListItems items{input};
  while (const auto item = items.next()) {
    ENSURE(!item->empty());
    ENSURE(is_part(*item, input));
  }
  ENSURE(!has_list_token(input, ""));
  for (const char separator : {';', ','}) {
    Parameters parameters{input, separator};
    while (const auto parameter = parameters.next()) {
      ENSURE(is_token(parameter->name));
      ENSURE(is_part(parameter->value, input));
      try_sizes(parameter->value.size(), [&](std::span<char> out) { return unquote_value(*parameter, out); });
    }
  }
}

void check_media_types(std::string_view input) {
  if (const auto media = parse_media_type(input)) {
    ENSURE(is_token(media->type));
    ENSURE(is_token(media->subtype));
    try_sizes(input.size(), [&](std::span<char> out) { return media_parameter(*media, "charset", out); });
  }
  const std::string_view by_name = media_type_of_file(input);
  ENSURE(by_name.empty() || parse_media_type(by_name));
  ENSURE(static_cast<bool>(parse_media_type(detect_content_type(input))));
}

void check_cookies(std::string_view input) {
  CookiePairs pairs{input};
  while (const auto pair = pairs.next()) {
    ENSURE(is_token(pair->name));
    ENSURE(is_part(pair->value, input));
    const Memory memory{pair->name.size() + pair->value.size() + 3};
    const auto written = write_cookie_pair(*pair, memory.span());
    ENSURE(static_cast<bool>(written));
    CookiePairs again{*written};
    ENSURE(again.next()->value == pair->value);
  }
  const auto cookie = parse_set_cookie(input);
  if (!cookie) {
    return;
  }
  const std::size_t enough = input.size() + 200;
  try_sizes(enough, [&](std::span<char> out) { return write_set_cookie(*cookie, out); });
  const Memory memory{enough};
  const auto written = write_set_cookie(*cookie, memory.span());
  ENSURE(static_cast<bool>(written));
  const auto again = parse_set_cookie(*written);
  ENSURE(static_cast<bool>(again));
  ENSURE(again->name == cookie->name);
  ENSURE(again->value == cookie->value);
  ENSURE(again->path == cookie->path);
  ENSURE(again->max_age.has_value() == cookie->max_age.has_value());
  ENSURE(again->ignored_attributes == 0);
}

void check_ranges(std::string_view input) {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{10}, UINT64_MAX}) {
    const Ranges ranges = parse_range(input, size);
    ENSURE((ranges.status == RangeStatus::ranges) == (ranges.count != 0));
    for (std::size_t i = 0; i < ranges.count; ++i) {
      const ByteRange& range = ranges.items[i];
      ENSURE(range.size != 0);
      ENSURE(range.first < size);
      ENSURE(range.size <= size - range.first);
      std::array<char, content_range_size_max> out;
      const auto text = write_content_range(range, size, out);
      ENSURE(static_cast<bool>(text));
      ENSURE(parse_content_range(*text)->range == range);
    }
  }
  if (const auto range = parse_content_range(input); range && range->range) {
    ENSURE(!range->size || range->range->size <= *range->size);
  }
}

void check_conditions(std::string_view input) {
  const ScannedTag scanned = scan_entity_tag(input);
  ENSURE(is_part(scanned.tag, input));
  ENSURE(is_part(scanned.rest, input));
  ENSURE(!strong_match(scanned.tag, scanned.tag) || weak_match(scanned.tag, scanned.tag));
  const Representation representation{.etag = "\"foo\"", .last_modified = port::WallTime{.seconds = 1'393'722'000}};
  const ConditionalRequest request{.if_match = input,
                                   .if_none_match = input,
                                   .if_modified_since = input,
                                   .if_unmodified_since = input,
                                   .if_range = input};
  ENSURE(evaluate(request, representation, "PUT") != Precondition::not_modified);
  ENSURE(input.empty() || evaluate(request, representation, "GET") != Precondition::proceed ||
         input.find('"') != std::string_view::npos);
  static_cast<void>(if_range_holds(request, representation));
}

void check_base64(std::string_view input) {
  for (const Base64 alphabet : {Base64::standard, Base64::url}) {
    const Memory memory{base64_size(input.size())};
    const auto text = base64_encode(input, alphabet, memory.span());
    ENSURE(static_cast<bool>(text));
    ENSURE(*base64_decode(*text, alphabet, memory.span()) == input);
    // Whatever can be decoded has exactly one text.
    const Memory bytes_memory{input.size() / 4 * 3 + 2};
    if (const auto bytes = base64_decode(input, alphabet, bytes_memory.span())) {
      const Memory again_memory{input.size()};
      ENSURE(*base64_encode(*bytes, alphabet, again_memory.span()) == input);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  check_percent(input);
  check_url(input);
  check_resolve("http://u@h:80/b/c/d?q", input);
  check_resolve("x:/b//c", input);
  check_resolve("b/c", input);
  check_resolve(input.substr(0, size / 2), input.substr(size / 2));
  check_targets(input);
  check_query(input);
  check_dates(input);
  check_quoted(input);
  check_media_types(input);
  check_cookies(input);
  check_ranges(input);
  check_conditions(input);
  check_base64(input);
  static_cast<void>(reason_phrase(static_cast<int>(size)));
  return 0;
}
