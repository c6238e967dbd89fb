#include "stack/wire/conditional.hpp"

#include "stack/base/text.hpp"
#include "stack/wire/date.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

// etagc of RFC 9110 section 8.8.3: visible ASCII but the quote, and bytes of 0x80 and above.
constexpr bool is_tag_byte(char c) {
  return !is_ascii(c) || (c > 0x20 && c < 0x7f && c != '"');
}

constexpr bool is_weak(std::string_view tag) {
  return starts_with(tag, "W/");
}
constexpr std::string_view without_weakness(std::string_view tag) {
  return is_weak(tag) ? drop(tag, 2) : tag;
}

using Match = bool (*)(std::string_view, std::string_view);

// True if "*" stands in the list and there is something, or a tag that matches does.
bool list_matches(std::string_view list, const Representation& representation, Match matches) {
  for (;;) {
    while (!list.empty() && (base::is_blank(list.front()) || list.front() == ',')) {
      list.remove_prefix(1);
    }
    if (list.starts_with('*')) {
      return representation.exists;
    }
    const ScannedTag scanned = scan_entity_tag(list);
    if (scanned.tag.empty()) {
      return false;
    }
    if (representation.exists && matches(scanned.tag, representation.etag)) {
      return true;
    }
    list = scanned.rest;
  }
}

// Whether the representation changed after the date in `field`; nothing if that cannot be said and the field has to be
// ignored.
std::optional<bool> is_modified_since(std::string_view field, const ConditionalRequest& request,
                                      const Representation& representation) {
  if (field.empty() || !representation.exists || !representation.last_modified) {
    return std::nullopt;
  }
  const auto date = parse_http_date(field, request.now);
  if (!date) {
    return std::nullopt;
  }
  return *representation.last_modified > *date;
}

}  // namespace

ScannedTag scan_entity_tag(std::string_view text) noexcept {
  while (!text.empty() && base::is_blank(text.front())) {
    text.remove_prefix(1);
  }
  const std::size_t open = is_weak(text) ? 2 : 0;
  if (open >= text.size() || text[open] != '"') {
    return {};
  }
  std::size_t end = open + 1;
  while (end < text.size() && is_tag_byte(text[end])) {
    ++end;
  }
  if (end == text.size() || text[end] != '"') {
    return {};
  }
  return {.tag = slice(text, 0, end + 1), .rest = drop(text, end + 1)};
}

bool strong_match(std::string_view a, std::string_view b) noexcept {
  return !a.empty() && a == b && !is_weak(a);
}

bool weak_match(std::string_view a, std::string_view b) noexcept {
  return !a.empty() && without_weakness(a) == without_weakness(b);
}

namespace {

// True if a tag of the list matches, in whichever of its lines.
template <typename Match>
bool any_line_matches(std::string_view first, FieldId id, const ConditionalRequest& request,
                      const Representation& representation, Match match) noexcept {
  if (request.fields == nullptr) {
    return list_matches(first, representation, match);
  }
  for (std::size_t i = 0; i < request.fields->size(); ++i) {
    if (request.fields->id(i) == id && list_matches((*request.fields)[i].value, representation, match)) {
      return true;
    }
  }
  return false;
}

}  // namespace

Precondition evaluate(const ConditionalRequest& request, const Representation& representation,
                      std::string_view method) noexcept {
  const bool is_read = method == "GET" || method == "HEAD";
  if (!request.if_match.empty()) {
    if (!any_line_matches(request.if_match, FieldId::if_match, request, representation, strong_match)) {
      return Precondition::precondition_failed;
    }
  } else if (is_modified_since(request.if_unmodified_since, request, representation).value_or(false)) {
    return Precondition::precondition_failed;
  }
  if (!request.if_none_match.empty()) {
    if (any_line_matches(request.if_none_match, FieldId::if_none_match, request, representation, weak_match)) {
      return is_read ? Precondition::not_modified : Precondition::precondition_failed;
    }
  } else if (is_read && !is_modified_since(request.if_modified_since, request, representation).value_or(true)) {
    return Precondition::not_modified;
  }
  return Precondition::proceed;
}

bool if_range_holds(const ConditionalRequest& request, const Representation& representation) noexcept {
  if (request.if_range.empty()) {
    return true;
  }
  const ScannedTag scanned = scan_entity_tag(request.if_range);
  if (!scanned.tag.empty()) {
    return strong_match(scanned.tag, representation.etag);
  }
  const auto date = parse_http_date(request.if_range, request.now);
  return date && representation.last_modified == *date;
}

}  // namespace pollux::wire
