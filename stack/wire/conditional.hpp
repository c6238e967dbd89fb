// Conditional requests: entity tags, and what If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since and
// If-Range decide. Source: RFC 9110 sections 8.8.3 and 13.
//
//   evaluate({.if_none_match = "\"v7\""}, {.etag = "\"v7\""}, "GET") == Precondition::not_modified
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "port/time.hpp"
#include "stack/wire/head.hpp"

namespace pollux::wire {

// The entity tag at the front of `text` (after blanks), with its quotes and its "W/", and what follows it. `tag` is
// empty if there is none.
struct ScannedTag {
  std::string_view tag;
  std::string_view rest;
};
[[nodiscard]] ScannedTag scan_entity_tag(std::string_view text) noexcept;

// RFC 9110 section 8.8.3.2. An empty tag (there is none) equals nothing.
[[nodiscard]] bool strong_match(std::string_view a, std::string_view b) noexcept;  // equal, and neither is weak
[[nodiscard]] bool weak_match(std::string_view a, std::string_view b) noexcept;    // equal but for "W/"

// The fields of a request, empty where it has none.
struct ConditionalRequest {
  std::string_view if_match{};
  std::string_view if_none_match{};
  // Where the two came from, if from a head: they are lists, and further lines of the same name belong to them (RFC 9110 section 5.3).
  const Fields* fields = nullptr;
  std::string_view if_modified_since{};
  std::string_view if_unmodified_since{};
  std::string_view if_range{};
  port::WallTime now{};  // when it came; only for dates with a year of two digits
};

// What the server has to offer.
struct Representation {
  std::string_view etag{};                        // with quotes, and "W/" if it is weak; empty: none
  std::optional<port::WallTime> last_modified{};  // nothing: not known, and conditions on dates are ignored
  bool exists = true;                             // false: there is none yet (a PUT that would create it)
};

enum class Precondition : std::uint8_t {
  proceed,              // do what the method says
  not_modified,         // 304, without a body
  precondition_failed,  // 412, and nothing is done
};

// Looks at the fields in the order of RFC 9110 section 13.2.2: If-Match, else If-Unmodified-Since; then If-None-Match,
// else If-Modified-Since (GET and HEAD). A date that cannot be read is ignored. A tag without quotes ends a list: what
// stands before it still counts.
[[nodiscard]] Precondition evaluate(const ConditionalRequest& request, const Representation& representation,
                                    std::string_view method) noexcept;

// True if the Range field counts, either because there is no If-Range or because it holds: the same tag, both strong,
// or exactly the same date. False: send everything. To be asked after evaluate() said proceed.
[[nodiscard]] bool if_range_holds(const ConditionalRequest& request, const Representation& representation) noexcept;

}  // namespace pollux::wire
