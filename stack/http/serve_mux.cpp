#include "stack/http/serve_mux.hpp"

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/percent.hpp"
#include "stack/wire/url.hpp"

namespace pollux::http {
namespace {

constexpr std::size_t none = SIZE_MAX;

Next serve_not_found(void* /*object*/, ResponseWriter& writer, Request& /*request*/) {
  not_found(writer);
  return Next::done;
}

// "*" is a target for OPTIONS alone, which the server answers itself (RFC 9112 section 3.2.4).
Next serve_bad_request(void* /*object*/, ResponseWriter& writer, Request& /*request*/) {
  writer.close_after();
  error(writer, 400, "400 Bad Request");
  return Next::done;
}

Next serve_too_long(void* /*object*/, ResponseWriter& writer, Request& /*request*/) {
  error(writer, 414, "URI Too Long");
  return Next::done;
}

constexpr Route not_found_route{"", Handler{serve_not_found, nullptr}, {.body = Body::streamed}};
constexpr Route bad_request_route{"", Handler{serve_bad_request, nullptr}, {.body = Body::streamed}};
constexpr Route too_long_route{"", Handler{serve_too_long, nullptr}, {.body = Body::streamed}};

RouteQuery query_of(const Request& request) {
  return {.method_id = request.method_id(),
          .method = request.method(),
          .host = request.host(),
          .raw_path = request.raw_path(),
          .query = request.query(),
          .has_query = request.has_query()};
}

bool is_connect(const RouteQuery& query) {
  return query.method_id == wire::Method::connect;
}

// Equal, letter by letter. For texts of a few letters a loop is done before memcmp() has been called.
bool is_same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) {
    return false;
  }
  std::size_t i = 0;
  while (i < a.size() && a[i] == b[i]) {
    ++i;
  }
  return i == a.size();
}

bool serves(std::string_view pattern_method, std::string_view method) {
  return is_same(pattern_method, method) || (pattern_method == "GET" && method == "HEAD");
}

bool is_literal_equal(std::string_view raw, bool raw_escaped, std::string_view literal, bool literal_escaped) {
  if (raw_escaped || literal_escaped) {
    return detail::compare_decoded(raw, raw_escaped && detail::can_be_decoded(raw), literal, literal_escaped) == 0;
  }
  return is_same(raw, literal);
}

// Without its port, if any of the patterns has a host at all: those that do come first.
std::string_view host_to_match(const RouteSet& set, const RouteQuery& query) {
  if (is_connect(query) || set.patterns.empty() || set.patterns.front().host().empty()) {
    return query.host;
  }
  return wire::strip_port(query.host);
}

}  // namespace

// What a request is matched by. `path` is the one that `parts` cuts.
struct MuxBase::Target {
  std::string_view path;
  PathParts parts;
  std::string_view host;
  std::string_view method;
  bool only_named_methods = false;  // a pattern without a method does not count

  // `path` begins with '/', or is the empty one of a CONNECT request.
  Target(const RouteSet& set, const RouteQuery& query, std::string_view path_to_match)
      : path{path_to_match},
        parts{split_path(path.empty() ? std::string_view{"/"} : path)},
        host{host_to_match(set, query)},
        method{query.method},
        only_named_methods{path.empty()} {}

  [[nodiscard]] Target with_slash() const {
    Target result = *this;
    result.parts.ends_in_slash = true;
    return result;
  }
  // Where the rest of the path begins that segment `index` and all behind it make up.
  [[nodiscard]] std::size_t rest_at(std::size_t index) const {
    return index < parts.count ? parts.parts[index].at : path.size();
  }
  [[nodiscard]] bool is_served_by(std::string_view pattern_method) const {
    return pattern_method.empty() ? !only_named_methods : serves(pattern_method, method);
  }
};

// The routes whose host and path match a target, whatever their method, in their order.
//
// The sorted list is walked as if it were a tree of levels: what a pattern shares with the one before it has been
// compared already, and one that shares more than its predecessor got right is passed over. Where the difference begins with a
// literal, its key tells most of them apart without a look at the pattern. No pattern is looked at
// twice, so the walk is bounded by the size of the table.
class MuxBase::Candidates {
 public:
  Candidates(const RouteSet& set, const Target& target) : set_{set}, target_{target} {}

  // The index of the next one, or `none`.
  [[nodiscard]] std::size_t next() {
    const RouteStep* const steps = set_.steps.data();
    const std::size_t size = set_.steps.size();
    std::size_t index = index_;
    std::size_t failed_level = failed_level_;
    const bool has_keys = !target_.parts.has_escapes;  // escapes can make equal what looks different
    while (index < size) {
      const RouteStep& step = steps[index];
      if (step.shared > failed_level) {
        index = step.next;  // those between have even more in common
        continue;
      }
      if (step.key != 0 && has_keys) {
        const std::uint32_t key = key_at(step.shared);
        if (key != step.key) {
          failed_level = step.shared;
          index = next_sibling(index, key);
          continue;
        }
      }
      const Pattern& pattern = set_.patterns[index];
      failed_level = match(pattern, step.shared);
      if (failed_level == detail::method_level(pattern)) {
        index_ = index + 1;
        failed_level_ = failed_level;
        return index;
      }
      ++index;
    }
    index_ = size;
    return none;
  }

 private:
  // The first step behind `index` that is on another level, or whose literal may be the one with this key.
  [[nodiscard]] std::size_t next_sibling(std::size_t index, std::uint32_t key) const {
    const RouteStep* const steps = set_.steps.data();
    const std::size_t size = set_.steps.size();
    const std::uint8_t shared = steps[index].shared;
    do {
      index = steps[index].next;
    } while (index < size && steps[index].shared == shared && steps[index].key != key && steps[index].key != 0);
    return index;
  }

  // The key of what the path has on a level; one that no literal has if the path is shorter.
  [[nodiscard]] std::uint32_t key_at(std::size_t level) const {
    const PathParts& parts = target_.parts;
    if (level > parts.count) {
      return 0;
    }
    const PathParts::Part part = parts.parts[level - 1];
    return detail::literal_key({target_.path.data() + part.at, part.size});
  }

  // The first level from `level` on that does not match; the method's if all before it do.
  [[nodiscard]] std::size_t match(const Pattern& pattern, std::size_t level) const {
    if (level == 0) {
      if (pattern.host_at != pattern.path_at && !base::equal_ignoring_case(pattern.host(), target_.host)) {
        return 0;
      }
      level = 1;
    }
    while (level < detail::end_level(pattern)) {
      if (!segment_matches(pattern, level - 1)) {
        return level;
      }
      ++level;
    }
    const bool takes_all = pattern.last_kind() == SegmentKind::rest || pattern.last_kind() == SegmentKind::end;
    const bool is_at_end = target_.parts.count == pattern.segment_count && !target_.parts.ends_in_slash;
    return takes_all || is_at_end ? detail::method_level(pattern) : detail::end_level(pattern);
  }

  [[nodiscard]] bool segment_matches(const Pattern& pattern, std::size_t index) const {
    const PathParts& parts = target_.parts;
    const Segment& segment = pattern.segments[index];
    switch (segment.kind) {
      case SegmentKind::literal:
        return index < parts.count &&
               is_literal_equal({target_.path.data() + parts.parts[index].at, parts.parts[index].size},
                                parts.has_escapes, pattern.segment_text(segment), segment.has_escapes);
      case SegmentKind::wildcard:
        return index < parts.count && parts.parts[index].size > 0;
      case SegmentKind::end:
        return index == parts.count && parts.ends_in_slash;
      case SegmentKind::rest:
        return index < parts.count || (index == parts.count && parts.ends_in_slash);
    }
    return false;
  }

  const RouteSet& set_;
  const Target& target_;
  std::size_t index_ = 0;
  std::size_t failed_level_ = 0;
};

// The route that serves `target`, or `none`.
std::size_t MuxBase::look_up(const Target& target) const noexcept {
  Candidates candidates{set_, target};
  for (std::size_t i = candidates.next(); i != none; i = candidates.next()) {
    if (target.is_served_by(set_.patterns[i].method())) {
      return i;
    }
  }
  return none;
}

// The route that a redirect to the path with a '/' at its end leads to, or `none` if there shall be no such redirect.
// `found` is what serves the path as it is: that a rest matches some of it does not keep it from being sent elsewhere.
std::size_t MuxBase::look_up_with_slash(const Target& target, std::size_t found) const noexcept {
  if (target.parts.ends_in_slash || (found != none && set_.patterns[found].last_kind() != SegmentKind::rest)) {
    return none;
  }
  const std::size_t other = look_up(target.with_slash());
  if (other == none) {
    return none;
  }
  const Pattern& pattern = set_.patterns[other];
  const bool is_exact = pattern.last_kind() == SegmentKind::end ||
                        (pattern.last_kind() == SegmentKind::rest && pattern.segment_count == target.parts.count + 1);
  return is_exact ? other : none;
}

void MuxBase::fill(const Target& target, std::size_t found, RouteMatch& match) const noexcept {
  const Pattern& pattern = set_.patterns[found];
  match.route = &set_.routes[found];
  match.pattern = pattern.text;
  if (pattern.capture_count == 0) {
    return;
  }
  for (std::size_t i = 0; i < pattern.segment_count; ++i) {
    const Segment& segment = pattern.segments[i];
    const bool is_named_rest = segment.kind == SegmentKind::rest && segment.size > 0;
    if (segment.kind == SegmentKind::wildcard || is_named_rest) {
      const std::size_t at = target.rest_at(i);
      const std::size_t size = is_named_rest ? target.path.size() - at : target.parts.parts[i].size;
      match.captures[match.capture_count++] = {.name = pattern.segment_text(segment),
                                               .at = static_cast<std::uint16_t>(at),
                                               .size = static_cast<std::uint16_t>(size)};
    }
  }
}

// The route whose path is the request's, letter by letter; nullptr if the usual search has to tell.
const Route* MuxBase::look_up_fixed(const RouteQuery& query) const noexcept {
  if (set_.fixed == nullptr || is_connect(query)) {
    return nullptr;
  }
  for (std::size_t i = set_.fixed->first[FixedPaths::row_of(query.raw_path.size())]; i != 0;
       i = set_.steps[i - 1].next_fixed) {
    const Pattern& pattern = set_.patterns[i - 1];
    if (pattern.path() == query.raw_path && (pattern.method().empty() || serves(pattern.method(), query.method))) {
      return &set_.routes[i - 1];
    }
  }
  return nullptr;
}

void MuxBase::choose(const RouteQuery& query, RouteMatch& match) const noexcept {
  match.pattern = {};
  match.capture_count = 0;
  if (const Route* route = look_up_fixed(query)) {
    match.route = route;
    match.pattern = route->pattern;
    return;
  }
  if (query.raw_path.size() > route_text_max) {
    match.route = &too_long_route;
    return;
  }
  if (!query.raw_path.starts_with('/') && !(is_connect(query) && query.raw_path.empty())) {
    match.route = &bad_request_route;
    return;
  }
  const Target target{set_, query, query.raw_path};
  if (!target.parts.is_clean && !is_connect(query)) {
    find_unclean(query, match);
    return;
  }
  const std::size_t found = look_up(target);
  if (const std::size_t other = look_up_with_slash(target, found); other != none) {
    match.route = &redirect_;
    match.pattern = set_.patterns[other].text;
    return;
  }
  if (found != none) {
    fill(target, found, match);
    return;
  }
  match.route = first_method_after(target, {}).empty() ? &not_found_route : &method_not_allowed_;
}

// A path that is not clean is always redirected; only the name of the pattern is looked for.
void MuxBase::find_unclean(const RouteQuery& query, RouteMatch& match) const noexcept {
  std::array<char, redirect_size_max> memory;
  const auto path = wire::clean_path(query.raw_path, memory);
  if (!path) {
    match.route = &too_long_route;
    return;
  }
  match.route = &redirect_;
  const Target target{set_, query, *path};
  const std::size_t found = look_up(target);
  const std::size_t other = look_up_with_slash(target, found);
  const std::size_t leads_to = other != none ? other : found;
  if (leads_to != none) {
    match.pattern = set_.patterns[leads_to].text;
  }
}

MuxBase::Answer MuxBase::answer_of(const Route* route) const noexcept {
  if (route == &not_found_route) {
    return Answer::not_found;
  }
  if (route == &method_not_allowed_) {
    return Answer::method_not_allowed;
  }
  if (route == &redirect_) {
    return Answer::redirect;
  }
  if (route == &bad_request_route) {
    return Answer::bad_request;
  }
  return route == &too_long_route ? Answer::too_long : Answer::registered;
}

// ---- answers of the mux's own

// The alphabetically first method behind `last` that some route of this path, or of the path with a '/' at its end,
// serves; "" if there is none. Asked again and again it gives the sorted list without memory for it.
std::string_view MuxBase::first_method_after(const Target& target, std::string_view last) const noexcept {
  std::string_view best;
  const auto offer = [&](std::string_view method) {
    if (method > last && (best.empty() || method < best)) {
      best = method;
    }
  };
  const auto offer_all = [&](const Target& tried) {
    Candidates candidates{set_, tried};
    for (std::size_t i = candidates.next(); i != none; i = candidates.next()) {
      const std::string_view method = set_.patterns[i].method();
      offer(method);  // "" is never behind `last`
      if (method == "GET") {
        offer("HEAD");
      }
    }
  };
  offer_all(target);
  if (!target.parts.ends_in_slash) {
    offer_all(target.with_slash());
  }
  return best;
}

std::string_view MuxBase::allowed_methods(const RouteQuery& query, std::span<char> out) const noexcept {
  const Target target{set_, query, query.raw_path};
  base::TextWriter writer{out};
  std::string_view method = first_method_after(target, {});
  while (!method.empty()) {
    const std::string_view separator = writer.size() == 0 ? "" : ", ";
    if (separator.size() + method.size() <= writer.room()) {
      writer.put(separator).put(method);
    }
    method = first_method_after(target, method);
  }
  return writer.view();
}

std::optional<std::string_view> MuxBase::redirect_target(const RouteQuery& query, std::span<char> out) const noexcept {
  std::array<char, redirect_size_max> memory;
  const auto clean = wire::clean_path(query.raw_path, memory);
  if (!clean) {
    return std::nullopt;
  }
  const Target target{set_, query, *clean};
  const bool adds_slash = look_up_with_slash(target, look_up(target)) != none;
  // Bytes that a URL cannot have are escaped. Otherwise "/\host" with a '/' behind it would be, for many browsers,
  // another host.
  const auto path = wire::percent_encode(*clean, wire::PercentSet::path, out, wire::Escapes::keep);
  if (!path) {
    return std::nullopt;
  }
  base::TextWriter writer{out.subspan(path->size())};
  writer.put(adds_slash ? "/" : "").put(query.has_query ? "?" : "");
  if (writer.overflowed()) {
    return std::nullopt;
  }
  const std::size_t size = path->size() + writer.size();
  const auto rest = wire::percent_encode(query.query, wire::PercentSet::query, out.subspan(size), wire::Escapes::keep);
  if (!rest) {
    return std::nullopt;
  }
  return std::string_view{out.data(), size + rest->size()};
}

Next MuxBase::serve_method_not_allowed(void* mux, ResponseWriter& writer, Request& request) {
  std::array<char, 256> memory;
  writer.set("Allow", static_cast<const MuxBase*>(mux)->allowed_methods(query_of(request), memory));
  error(writer, 405, "Method Not Allowed");
  return Next::done;
}

Next MuxBase::serve_redirect(void* mux, ResponseWriter& writer, Request& request) {
  std::array<char, redirect_size_max> memory;
  const auto target = static_cast<const MuxBase*>(mux)->redirect_target(query_of(request), memory);
  if (!target) {
    return serve_too_long(nullptr, writer, request);
  }
  redirect(writer, request, *target, 307);
  return Next::done;
}

// ---- registration

namespace detail {

port::Result<void, RegisterError> add_route(const RouteRows& rows, std::size_t size, const Route& route) noexcept {
  using Kind = RegisterError::Kind;
  const auto parsed = parse_pattern(route.pattern);
  if (!parsed) {
    return port::Failure{RegisterError{.kind = Kind::bad_pattern, .pattern = parsed.error()}};
  }
  if (!route.handler) {
    return port::Failure{RegisterError{.kind = Kind::no_handler}};
  }
  const Pattern& pattern = *parsed;
  std::size_t at = 0;  // the first one behind the new one
  for (std::size_t i = 0; i < size; ++i) {
    const Pattern& other = rows.patterns[i];
    if (conflicts(pattern, other)) {
      const bool is_same = relation(pattern, other) == Relation::equivalent;
      return port::Failure{RegisterError{.kind = is_same ? Kind::duplicate : Kind::overlap, .other = other.text}};
    }
    if (compare_patterns(other, pattern).sign < 0) {
      at = i + 1;
    }
  }
  if (size == rows.routes.size()) {
    return port::Failure{RegisterError{.kind = Kind::full}};
  }
  for (std::size_t i = size; i > at; --i) {
    rows.routes[i] = rows.routes[i - 1];
    rows.patterns[i] = rows.patterns[i - 1];
  }
  rows.routes[at] = route;
  rows.patterns[at] = pattern;
  make_steps(rows.patterns.first(size + 1), rows.steps);
  return {};
}

}  // namespace detail
}  // namespace pollux::http
