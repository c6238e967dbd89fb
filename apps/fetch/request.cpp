#include "apps/fetch/request.hpp"

#include <algorithm>
#include <array>

#include "stack/base/text.hpp"
#include "stack/wire/base64.hpp"
#include "stack/wire/percent.hpp"
#include "stack/wire/url.hpp"

namespace pollux::fetch {
namespace {

using http::CallCause;

constexpr std::string_view our_name = "pollux-fetch/" POLLUX_VERSION;

// curl sends a body of more than this only when the server has agreed to take it.
constexpr std::uint64_t expect_from = 1024 * 1024;

const HeaderOption* find(const Options& options, std::string_view name) {
  for (const HeaderOption& header : options.headers) {
    if (base::equal_ignoring_case(header.name, name)) {
      return &header;
    }
  }
  return nullptr;
}

bool is_any_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view other) { return base::equal_ignoring_case(name, other); });
}

class Builder {
 public:
  Builder(http::ClientRequest& request, const Hop& hop, const RequestParts& parts)
      : request_{request}, hop_{hop}, parts_{parts}, options_{parts.options} {}

  CallCause run() {
    const auto url = bare_url(hop_.url, parts_.url_memory);
    if (!url) {
      return CallCause::bad_url;
    }
    const CallCause cause = request_.start(shown_method(options_, hop_.method), *url);
    if (cause != CallCause::none) {
      return cause;
    }
    add_authorization();
    add_range();
    add_ours("User-Agent", options_.user_agent ? std::string_view{*options_.user_agent} : our_name);
    add_ours("Accept", options_.data_is_json ? "application/json" : "*/*");
    if (!hop_.referer.empty()) {
      add_ours("Referer", hop_.referer);
    }
    add_cookies();
    if (hop_.method == "POST") {
      add_ours("Content-Type", options_.data_is_json ? "application/json" : "application/x-www-form-urlencoded");
    }
    add_given();
    add_body();
    // What a stale connection swallowed before the first byte of an answer is sent again, whatever the method: curl does so.
    request_.set_idempotent(true);
    return request_.error();
  }

 private:
  // A field of curl's own, unless -H says something about that name.
  void add_ours(std::string_view name, std::string_view value) {
    const HeaderOption* given = find(options_, name);
    if (given == nullptr) {
      request_.add(name, value);
    } else if (given->kind == HeaderOption::Kind::remove && name == "User-Agent") {
      request_.add(name, "");  // none at all, not the transport's
    }
  }

  void add_authorization() {
    if (hop_.credentials.empty() || find(options_, "Authorization") != nullptr) {
      return;
    }
    constexpr std::string_view scheme = "Basic ";
    const std::span<char> out = parts_.scratch;
    base::TextWriter writer{out};
    writer.put(scheme);
    const auto encoded = wire::base64_encode(hop_.credentials, wire::Base64::standard, out.subspan(scheme.size()));
    if (encoded) {
      request_.add("Authorization", {out.data(), scheme.size() + encoded->size()});
    }
  }

  void add_range() {
    base::TextWriter value{parts_.ranges};
    if (hop_.method == "PUT") {
      const auto size = parts_.upload->size();
      if (hop_.resume_from != 0 && size) {
        const std::uint64_t end = hop_.resume_from + *size;
        value.put("bytes ").put_decimal(hop_.resume_from).put('-').put_decimal(end - 1).put('/').put_decimal(end);
        add_ours("Content-Range", value.view());
      }
      return;
    }
    if (hop_.resume_from != 0) {
      value.put("bytes=").put_decimal(hop_.resume_from).put('-');
    } else if (!options_.range.empty()) {
      value.put("bytes=").put(options_.range);
    }
    if (!value.view().empty()) {
      add_ours("Range", value.view());
    }
  }

  // The jar's, then those of -b, in one field.
  void add_cookies() {
    base::TextWriter value{parts_.scratch};
    if (parts_.jar != nullptr) {
      const auto& url = request_.url();
      const std::string_view kept = parts_.jar->write(
          {.host = url.hostname, .path = url.path, .is_secure = request_.is_https()}, parts_.now, value.space());
      value.produced(kept.size());
    }
    if (!options_.cookies.empty() && (hop_.is_same_name || options_.location_trusted)) {
      value.put(value.view().empty() ? "" : "; ").put(options_.cookies);
    }
    if (!value.view().empty()) {
      add_ours("Cookie", value.view());
    }
  }

  // The fields of -H. Those that frame or route the message are the transport's to write: what they ask for is done.
  void add_given() {
    for (const HeaderOption& header : options_.headers) {
      const bool is_secret = is_any_of(header.name, {"Authorization", "Cookie"});
      if (header.kind == HeaderOption::Kind::remove || (is_secret && !hop_.is_trusted)) {
        continue;
      }
      if (is_any_of(header.name, {"Host"})) {
        if (hop_.is_trusted) {
          request_.set_host(header.value);
        }
      } else if (is_any_of(header.name, {"Connection"})) {
        if (base::equal_ignoring_case(header.value, "close")) {
          request_.set_close(true);
        } else {
          request_.add(header.name, header.value);
        }
      } else if (!is_any_of(header.name, {"Content-Length", "Transfer-Encoding", "Expect", "Trailer"})) {
        request_.add(header.name, header.value);
      }
    }
  }

  void add_body() {
    if (!hop_.has_body) {
      return;
    }
    std::optional<std::uint64_t> size = options_.data.size();
    if (parts_.upload != nullptr) {
      size = parts_.upload->size();
      request_.set_body({.kind = http::RequestBody::Kind::source,
                         .size = asks_chunked(options_) ? std::nullopt : size,
                         .source = parts_.upload->source()});
    } else {
      request_.set_body(options_.data);
    }
    const HeaderOption* expect = find(options_, "Expect");
    if (expect != nullptr) {
      request_.set_expect_continue(base::equal_ignoring_case(expect->value, "100-continue"));
    } else if (hop_.may_expect) {
      // curl 7.88: every PUT that is not empty, and a POST of more than 1 MiB.
      const bool is_put = hop_.method == "PUT";
      request_.set_expect_continue(!size || (is_put ? *size != 0 : *size > expect_from));
    }
  }

  http::ClientRequest& request_;
  const Hop& hop_;
  const RequestParts& parts_;
  const Options& options_;
};

}  // namespace

bool asks_chunked(const Options& options) {
  const HeaderOption* coding = find(options, "Transfer-Encoding");
  return coding != nullptr && base::equal_ignoring_case(coding->value, "chunked");
}

std::string_view default_method(const Options& options, bool uploads) {
  if (options.head) {
    return "HEAD";
  }
  if (uploads) {
    return "PUT";
  }
  return options.has_data && !options.get ? "POST" : "GET";
}

std::string_view shown_method(const Options& options, std::string_view method) {
  return options.method.empty() ? method : std::string_view{options.method};
}

std::optional<std::string_view> bare_url(std::string_view url, std::span<char> out) {
  const auto parsed = wire::parse_url(url);
  if (!parsed) {
    return std::nullopt;
  }
  wire::Url bare = *parsed;
  bare.user = bare.password = bare.fragment = {};
  bare.has_user = bare.has_password = false;
  const auto text = wire::format_url(bare, out);
  return text ? std::optional{*text} : std::nullopt;
}

std::string_view credentials_of(std::string_view url, std::span<char> out) {
  const auto parsed = wire::parse_url(url);
  if (!parsed || !parsed->has_user) {
    return {};
  }
  const auto user = wire::percent_decode(parsed->user, out);
  if (!user || user->size() + 1 > out.size()) {
    return {};
  }
  out[user->size()] = ':';
  const auto password = wire::percent_decode(parsed->password, out.subspan(user->size() + 1));
  return password ? std::string_view{out.data(), user->size() + 1 + password->size()} : std::string_view{};
}

http::CallCause build(http::ClientRequest& request, const Hop& hop, const RequestParts& parts) {
  return Builder{request, hop, parts}.run();
}

}  // namespace pollux::fetch
