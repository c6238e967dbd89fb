// What a transfer does with an answer: its heads, whether it leads elsewhere or is refused, and its body.
#include <unistd.h>

#include <algorithm>

#include "apps/fetch/file_io.hpp"
#include "apps/fetch/transfer.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/range.hpp"
#include "stack/wire/url.hpp"

namespace pollux::fetch {

using http::ResponseBodyState;

namespace {

// What is read of a body that nobody wants before a new connection costs less.
constexpr std::uint64_t skip_size_max = std::uint64_t{256} * 1024;
constexpr port::Duration skip_time_max = std::chrono::seconds{1};
// A server that asks for more is asked again after a day.
constexpr std::uint64_t retry_after_max_s = 86400;

// Whether the content is what is missing from `offset` on (RFC 9110 section 15.3.7.1). Anything else would spoil what is there.
bool begins_at(const wire::Fields& fields, std::uint64_t offset) {
  const auto parsed = wire::parse_content_range(fields.get(wire::FieldId::content_range).value_or(""));
  return parsed && parsed->range && parsed->range->first == offset;
}

}  // namespace

void Transfer::answered(http::Response& response) {
  slow_.stop();
  if (state_ != State::asking) {
    return;  // cancelled
  }
  if (!response) {
    failed(response.error());
    return;
  }
  response_ = std::move(response);
  look_at_head();
}

// Counts and keeps a head, 1xx too.
void Transfer::take_head(std::string_view text) {
  report_.head = keep(text, memory_.head);
  report_.header_bytes += text.size();
  report_.headers = 0;
  for_each_header(text, [&](std::string_view) { ++report_.headers; });
}

void Transfer::show_head(std::string_view text) {
  if (session_.head_file >= 0) {
    static_cast<void>(write_all(session_.head_file, text));
  }
  if (options().include && !output_.write(text)) {
    cannot_write_ = true;
  }
}

void Transfer::look_at_head() {
  const wire::Fields fields = response_.fields();
  report_.status = response_.status();
  report_.version = response_.version();
  body_size_ = response_.content_length().value_or(0);
  is_chunked_ = fields.has_token(wire::FieldId::transfer_encoding, "chunked");
  retry_after_s_ = std::min<std::uint64_t>(
      base::parse_decimal(fields.get("Retry-After").value_or(""), UINT64_MAX).value_or(0), retry_after_max_s);
  if (session_.jar != nullptr) {
    const wire::Url& url = trip_.request().url();
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (fields.id(i) == wire::FieldId::set_cookie) {
        session_.jar->store({.host = url.hostname, .path = url.path, .is_secure = trip_.request().is_https()},
                            fields[i].value, session_.loop.port().wall_clock());
      }
    }
  }
  find_redirect();
  is_unwanted_ = report_.status == 416 && hop_.resume_from != 0;
  const Failure refused = refuse_head();
  state_ = State::reading;
  show_head(response_.head_text());
  if (cannot_write_) {
    finish({ExitCode::write_error, "Failure writing output to destination"});
    return;
  }
  if (refused) {
    finish(refused);
    return;
  }
  if (report_.status == 101) {
    take_upgrade();
    return;
  }
  const bool refuses_expect = report_.status == 417 && is_expecting_ && hop_.may_expect;
  const bool redirects = options().follow && !report_.redirect_url.empty();
  next_ = refuses_expect ? Next::again : redirects ? Next::redirect : Next::end;
  if (next_ != Next::end || is_unwanted_) {
    session_.verbose.note("Ignoring the response-body");
    state_ = State::skipping;
    timer_.start(skip_time_max);
  }
  response_.on_body(net::callback<&Transfer::body_came>(*this));
  body_came();
}

bool Transfer::is_refused_by_status() const {
  return (options().fail || options().fail_with_body) && report_.status >= 400 &&
         !(report_.status == 416 && hop_.resume_from != 0);
}

// What ends a transfer as soon as its head is known.
Failure Transfer::refuse_head() {
  if (is_refused_by_status() && !options().fail_with_body) {
    return {ExitCode::http_returned_error,
            {"The requested URL returned error: ", base::Decimal{static_cast<std::uint64_t>(report_.status)}.view()}};
  }
  const bool follows = options().follow && !report_.redirect_url.empty();
  const bool resumes = hop_.resume_from != 0 && job_->upload.empty() && hop_.method == "GET" && !follows;
  if (resumes && report_.status != 416 && !begins_at(response_.fields(), hop_.resume_from)) {
    if (report_.status < 300 && body_size_ == hop_.resume_from) {
      session_.verbose.note("The entire document is already downloaded");
      is_unwanted_ = true;
      return {};
    }
    return {ExitCode::range_error, "HTTP server doesn't seem to support byte ranges. Cannot resume."};
  }
  if (options().filesize_max != 0 && body_size_ > options().filesize_max && !follows && hop_.method != "HEAD") {
    return {ExitCode::filesize_exceeded, "Maximum file size exceeded"};
  }
  const std::string_view coding = response_.fields().get(wire::FieldId::content_encoding).value_or("");
  const bool has_body = response_.body_state() == ResponseBodyState::more;
  if (options().compressed && has_body && !follows && !coding.empty() && !response_.is_decoded() &&
      !base::equal_ignoring_case(coding, "identity")) {
    return {ExitCode::bad_content_encoding,
            "Unrecognized content encoding type. pollux-fetch understands gzip and deflate."};
  }
  return {};
}

void Transfer::find_redirect() {
  report_.redirect_url = {};
  is_too_long_ = false;
  const auto location = response_.fields().get(wire::FieldId::location);
  if (report_.status < 300 || report_.status > 399 || !location || location->empty()) {
    return;
  }
  const auto base = wire::parse_url(hop_.url);
  const auto reference = wire::parse_url(*location);
  if (base && reference) {
    // A user of the old URL is nothing for the new one.
    wire::Url from = *base;
    from.user = from.password = {};
    from.has_user = from.has_password = false;
    const auto resolved = wire::resolve_reference(from, *reference, memory_.next);
    if (resolved) {
      report_.redirect_url = *resolved;
      return;
    }
    is_too_long_ = resolved.error() == wire::UrlError::out_too_small;
  }
  // Not a URL: kept as it is, so that following it fails and says so.
  report_.redirect_url = keep(*location, memory_.next);
}

// 101 that nobody asked for: what came behind the head is the body, as in curl.
void Transfer::take_upgrade() {
  auto upgraded = response_.upgrade();
  if (upgraded) {
    const Failure failure = take(upgraded->received);
    report_.downloaded = upgraded->received.size();
    upgraded->stream.close();
    finish(failure);
    return;
  }
  finish({});
}

// Takes one piece of the body.
Failure Transfer::take(std::string_view piece) {
  if (output_.is_binary_for_terminal(piece)) {
    return {ExitCode::write_error,
            "Binary output can mess up your terminal. Use \"--output -\" to tell pollux-fetch to output it anyway"};
  }
  session_.verbose.body(false, piece.size(), output_.is_standard() && ::isatty(STDOUT_FILENO) == 1);
  if (!output_.write(piece)) {
    return {ExitCode::write_error, "Failure writing output to destination"};
  }
  return {};
}

// Reads a body away that nobody wants, so that its connection can be used again. One that is long, slow or broken is not worth that.
void Transfer::skip_on() {
  report_.downloaded = is_unwanted_ && report_.status < 300 ? 0 : response_.body_received();
  response_.consume(response_.body().size());
  switch (response_.body_state()) {
    case ResponseBodyState::more:
      if (std::max(response_.body_received(), body_size_) > skip_size_max) {
        body_over();
      }
      return;
    case ResponseBodyState::complete:
      body_over();
      return;
    case ResponseBodyState::failed:
    case ResponseBodyState::closed:
      if (response_.error().is_timeout()) {
        failed(response_.error());
      } else {
        body_over();
      }
      return;
  }
}

void Transfer::body_came() {
  if (state_ == State::skipping) {
    skip_on();
    return;
  }
  if (state_ != State::reading) {
    return;
  }
  while (!response_.body().empty()) {
    const std::string_view body = response_.body();
    report_.downloaded = response_.body_received();
    const std::size_t size = rate_.allow(body.size(), now());
    if (size == 0) {
      timer_.start(RateLimit::pause);
      return;
    }
    if (const Failure failure = take(body.substr(0, size))) {
      finish(failure);
      return;
    }
    rate_.moved(size);
    response_.consume(size);
  }
  switch (response_.body_state()) {
    case ResponseBodyState::more:
      return;
    case ResponseBodyState::complete:
      body_over();
      return;
    case ResponseBodyState::failed:
    case ResponseBodyState::closed:
      failed(response_.error());
      return;
  }
}

// The fields behind a chunked body are headers too: shown where they come.
void Transfer::show_trailers() {
  const wire::Fields fields = response_.trailers();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    base::TextWriter line{memory_.scratch};
    line.put(fields[i].name).put(": ").put(fields[i].value).put("\r\n");
    show_head(line.view());
  }
}

void Transfer::body_over() {
  show_trailers();
  timer_.stop();
  response_.close();
  session_.verbose.end();
  switch (next_) {
    case Next::redirect:
      follow();
      return;
    case Next::again:
      if (!may_send_again()) {
        return;
      }
      hop_.may_expect = false;
      ++report_.redirects;
      begin_hop();
      return;
    case Next::end:
      break;
  }
  if (cannot_write_) {
    finish({ExitCode::write_error, "Failure writing output to destination"});
    return;
  }
  if (is_refused_by_status()) {
    finish({ExitCode::http_returned_error,
            {"The requested URL returned error: ", base::Decimal{static_cast<std::uint64_t>(report_.status)}.view()}});
    return;
  }
  finish({});
}

}  // namespace pollux::fetch
