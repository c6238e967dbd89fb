// Writing URLs: format_url(), format_request_target(), resolve_reference() and clean_path().
#include <cstring>

#include "stack/base/text.hpp"
#include "stack/wire/percent.hpp"
#include "stack/wire/slice.hpp"
#include "stack/wire/url.hpp"

namespace pollux::wire {
namespace {

// Appends to given memory and can take back whole path segments.
class UrlWriter {
 public:
  explicit UrlWriter(std::span<char> out) : out_{out} {}

  // May be called with a text that lies in `out` at or behind the place where it is written to (clean_path() in place).
  void put(std::string_view text) {
    if (text.size() > out_.size() - size_) {
      overflowed_ = true;
      return;
    }
    if (!text.empty()) {
      std::memmove(out_.data() + size_, text.data(), text.size());
    }
    size_ += text.size();
  }
  void put_escaped(std::string_view text, PercentSet set) {
    const auto escaped = percent_encode(text, set, out_.subspan(size_), Escapes::keep);
    if (!escaped) {
      overflowed_ = true;
      return;
    }
    size_ += escaped->size();
  }
  // Puts `text` in front of what stands from `position` on.
  void insert(std::size_t position, std::string_view text) {
    const std::size_t moved = size_ - position;
    put(text);  // makes the room, or notes that there is none
    if (!overflowed_ && !text.empty()) {
      std::memmove(out_.data() + position + text.size(), out_.data() + position, moved);
      std::memcpy(out_.data() + position, text.data(), text.size());
    }
  }
  void put_lower(std::string_view text) {
    for (const char c : text) {
      const char lower = base::to_lower(c);
      put({&lower, 1});
    }
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] char back() const { return out_[size_ - 1]; }
  void shrink_to(std::size_t size) { size_ = size; }

  [[nodiscard]] port::Result<std::string_view, UrlError> result() const {
    if (overflowed_) {
      return port::Failure{UrlError::out_too_small};
    }
    return std::string_view{out_.data(), size_};
  }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
  bool overflowed_ = false;
};

// Takes the last segment of a path back, with its '/'; `start` is where the path begins (behind its first '/', if it
// has one). The written path is empty or ends in '/'.
void remove_segment(UrlWriter& writer, std::size_t start) {
  if (writer.size() == start) {
    return;  // ".." at the root stays at the root
  }
  writer.shrink_to(writer.size() - 1);
  while (writer.size() > start && writer.back() != '/') {
    writer.shrink_to(writer.size() - 1);
  }
}

// Writes one segment behind what has been written, which is nothing or ends in '/'; dot segments do what they mean (RFC
// 3986 section 5.2.4).
void put_segment(UrlWriter& writer, std::size_t start, std::string_view segment, bool is_last) {
  if (segment == "..") {
    remove_segment(writer, start);
  } else if (segment != ".") {
    writer.put_escaped(segment, PercentSet::path_segment);
    if (!is_last) {
      writer.put("/");
    }
  }
}

void put_scheme(UrlWriter& writer, std::string_view scheme) {
  if (!scheme.empty()) {
    writer.put_lower(scheme);
    writer.put(":");
  }
}

void put_authority(UrlWriter& writer, const Url& url) {
  if (!url.has_authority) {
    return;
  }
  writer.put("//");
  if (url.has_user) {
    writer.put_escaped(url.user, PercentSet::userinfo);
    if (url.has_password) {
      writer.put(":");
      writer.put_escaped(url.password, PercentSet::userinfo);
    }
    writer.put("@");
  }
  writer.put_escaped(url.host, PercentSet::host);
}

void put_query(UrlWriter& writer, const Url& url) {
  if (url.has_query) {
    writer.put("?");
    writer.put_escaped(url.query, PercentSet::query);
  }
}

void put_fragment(UrlWriter& writer, const Url& url) {
  if (!url.fragment.empty()) {
    writer.put("#");
    writer.put_escaped(url.fragment, PercentSet::fragment);
  }
}

// A path that begins with "//" would be read as an authority, and "a:b" as a scheme, where nothing stands before them:
// "/." or "./" keeps the meaning (RFC 3986 sections 3.3 and 4.2).
std::string_view guard_for(std::string_view path, bool has_authority, bool has_scheme) {
  if (!has_authority && starts_with(path, "//")) {
    return "/.";
  }
  if (!has_authority && !has_scheme && cut(path, '/').before.find(':') != std::string_view::npos) {
    return "./";
  }
  return {};
}

// Writes `directory` (empty or with a '/' at its end) and `path` as one path without dot segments.
void put_resolved_path(UrlWriter& writer, std::string_view directory, std::string_view path, bool has_authority,
                       bool has_scheme) {
  const std::size_t begin = writer.size();
  std::string_view& front = directory.empty() ? path : directory;
  if (front.starts_with('/')) {
    front.remove_prefix(1);
    writer.put("/");
  } else if (has_authority && !front.empty()) {
    writer.put("/");  // RFC 3986 section 5.2.3: "http://h" and "g" are "http://h/g"
  }
  const std::size_t start = writer.size();
  while (!directory.empty()) {
    const Cut parts = cut(directory, '/');
    put_segment(writer, start, parts.before, false);
    directory = parts.after;
  }
  for (bool is_last = false; !is_last;) {
    const Cut parts = cut(path, '/');
    is_last = !parts.is_found;
    put_segment(writer, start, parts.before, is_last);
    path = parts.after;
  }
  // Only now, when the dots are gone, is it known what stands at the front.
  if (const auto written = writer.result(); written) {
    writer.insert(begin, guard_for(drop(*written, begin), has_authority, has_scheme));
  }
}

// "mailto:x", "http:g": there is nothing in it that a relative reference could be relative to.
bool is_opaque(const Url& url) {
  return !url.scheme.empty() && !url.has_authority && !url.path.starts_with('/');
}

}  // namespace

port::Result<std::string_view, UrlError> format_url(const Url& url, std::span<char> out) noexcept {
  UrlWriter writer{out};
  put_scheme(writer, url.scheme);
  if (!url.opaque.empty()) {
    writer.put_escaped(url.opaque, PercentSet::query);
  } else {
    put_authority(writer, url);
    writer.put(guard_for(url.path, url.has_authority, !url.scheme.empty()));
    writer.put_escaped(url.path, PercentSet::path);
  }
  put_query(writer, url);
  put_fragment(writer, url);
  return writer.result();
}

port::Result<std::string_view, UrlError> format_request_target(const Url& url, std::span<char> out) noexcept {
  UrlWriter writer{out};
  if (!url.opaque.empty()) {
    writer.put_escaped(url.opaque, PercentSet::query);
  } else if (url.path.empty()) {
    writer.put("/");
  } else {
    writer.put_escaped(url.path, PercentSet::path);
  }
  put_query(writer, url);
  return writer.result();
}

port::Result<std::string_view, UrlError> resolve_reference(const Url& base, const Url& reference,
                                                           std::span<char> out) noexcept {
  if (is_opaque(reference)) {
    return format_url(reference, out);
  }
  const bool has_own_scheme = !reference.scheme.empty();
  const bool has_own_authority = has_own_scheme || reference.has_authority;
  const bool has_own_path = has_own_authority || !reference.path.empty();
  if (!has_own_authority && is_opaque(base)) {
    return port::Failure{UrlError::bad_base};
  }
  const Url& authority = has_own_authority ? reference : base;
  const Url& query = has_own_path || reference.has_query ? reference : base;
  const std::string_view scheme = has_own_scheme ? reference.scheme : base.scheme;
  const bool is_http = base::equal_ignoring_case(scheme, "http") || base::equal_ignoring_case(scheme, "https");
  if (is_http && authority.has_authority && authority.hostname.empty()) {
    return port::Failure{UrlError::bad_host};  // "///p": an authority without a host, which no http URL may have
  }

  UrlWriter writer{out};
  put_scheme(writer, scheme);
  put_authority(writer, authority);
  std::string_view directory;
  std::string_view path = has_own_path ? reference.path : base.path;
  if (has_own_path && !has_own_authority && !path.starts_with('/')) {
    const std::size_t slash = base.path.rfind('/');
    directory = slash == std::string_view::npos ? std::string_view{} : slice(base.path, 0, slash + 1);
  }
  put_resolved_path(writer, directory, path, authority.has_authority, !scheme.empty());
  put_query(writer, query);
  put_fragment(writer, reference);
  return writer.result();
}

port::Result<std::string_view, UrlError> clean_path(std::string_view path, std::span<char> out) noexcept {
  UrlWriter writer{out};
  const bool ends_in_slash = path.ends_with('/');
  while (!path.empty()) {
    // In place this is safe: a '/' is written where one was read or further to the front, and the rest is read before
    // it is written.
    const Cut parts = cut(path, '/');
    if (parts.before == "..") {
      while (writer.size() > 0 && writer.back() != '/') {
        writer.shrink_to(writer.size() - 1);
      }
      writer.shrink_to(writer.size() > 0 ? writer.size() - 1 : 0);
    } else if (!parts.before.empty() && parts.before != ".") {
      writer.put("/");
      writer.put(parts.before);
    }
    path = parts.after;
  }
  if (writer.size() == 0 || ends_in_slash) {
    writer.put("/");
  }
  return writer.result();
}

bool is_clean_path(std::string_view path) noexcept {
  if (!path.starts_with('/')) {
    return false;
  }
  while (!path.empty()) {
    const Cut parts = cut(drop(path, 1), '/');
    if (parts.before == "." || parts.before == ".." || (parts.before.empty() && parts.is_found)) {
      return false;
    }
    path = parts.is_found ? drop(path, parts.before.size() + 1) : std::string_view{};
  }
  return true;
}

}  // namespace pollux::wire
