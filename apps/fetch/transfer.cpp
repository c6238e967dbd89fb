#include "apps/fetch/transfer.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "apps/fetch/file_io.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/url.hpp"

namespace pollux::fetch {
namespace {

using http::ResponseBodyState;

// The whole of `text`, or as much as fits.
std::string_view keep(std::string_view text, std::span<char> memory) {
  const std::size_t size = std::min(text.size(), memory.size());
  std::memmove(memory.data(), text.data(), size);
  return {memory.data(), size};
}

bool matches(std::string_view wanted, std::uint16_t wanted_port, std::string_view host, std::uint16_t port) {
  return (wanted.empty() || base::equal_ignoring_case(wire::strip_brackets(wanted), wire::strip_brackets(host))) &&
         (wanted_port == 0 || wanted_port == port);
}

}  // namespace

Transfer::Transfer(const Session& session, TransferMemory& memory)
    : session_{session},
      memory_{memory},
      trip_{session.transport, memory.request.memory()},
      lookup_{session.resolver, net::callback<&Transfer::found>(*this)},
      timer_{session.loop, net::callback<&Transfer::paused>(*this)},
      upload_{session.loop, net::callback<&Transfer::upload_more>(*this)},
      progress_{session.loop, net::callback<&Transfer::ask_progress>(*this)} {}

// ---- hops

void Transfer::start(const Job& job) {
  job_ = &job;
  tries_ = 0;
  wait_ = std::chrono::seconds{1};
  first_began_ = now();
  begin_attempt();
}

void Transfer::begin_attempt() {
  began_ = now();
  report_ = Report{};
  cannot_write_ = false;
  report_.url = job_->url;
  report_.number = job_->number;
  report_.filename = job_->output.path;
  report_.method = shown_method(options(), default_method(options(), !job_->upload.empty()));
  failure_ = {};
  output_.start(job_->output);
  rate_.start(options().rate_limit, began_);
  hop_ = Hop{};
  hop_.method = default_method(options(), !job_->upload.empty());
  hop_.has_body = hop_.method == "PUT" || hop_.method == "POST";
  hop_.referer = options().referer;
  hop_.resume_from = job_->resume_from;
  if (job_->failure) {
    finish(job_->failure);
    return;
  }
  if (!job_->upload.empty()) {
    if (!upload_.open(job_->upload.c_str())) {
      finish({ExitCode::read_error, {"Can't open '", job_->upload, "'!"}});
      return;
    }
    upload_.skip(job_->resume_from);
  } else if (hop_.has_body && options().rate_limit != 0) {
    upload_.open_text(options().data);
  }
  upload_.limit(options().rate_limit);
  if (job_->text.size() > memory_.url.size()) {
    finish({ExitCode::out_of_memory, "Out of memory: the URL is too long"});
    return;
  }
  set_hop(job_->text);
  const std::string_view own = credentials_of(hop_.url, memory_.credentials);
  if (!own.empty()) {
    hop_.credentials = own;
  } else if (options().has_user) {
    base::TextWriter user{memory_.credentials};
    user.put(options().user).put(options().user.find(':') == std::string::npos ? ":" : "");
    hop_.credentials = user.view();
  }
  start_progress();
  begin_hop();
}

void Transfer::set_hop(std::string_view url) {
  hop_.url = keep(url, memory_.url);
  report_.url_effective = hop_.url;
  const auto parsed = wire::parse_url(hop_.url);
  host_ = parsed ? wire::strip_brackets(parsed->hostname) : std::string_view{};
  port_ = parsed ? wire::effective_port(*parsed) : std::uint16_t{0};
  report_.scheme = parsed && parsed->scheme == "https" ? "HTTPS" : "HTTP";
  session_.verbose.about(host_, port_);
}

// Where to connect instead of the URL's host; a name from --connect-to is left in to_host_ to be looked up.
std::optional<port::Endpoint> Transfer::fixed_endpoint(std::string_view host, std::uint16_t port) {
  to_host_ = {};
  if (!options().unix_socket.empty()) {
    return port::Endpoint{.address = {.family = port::Family::local}, .path = options().unix_socket};
  }
  std::uint16_t to_port = port;
  for (const ConnectToOption& option : options().connect_tos) {
    if (matches(option.host, option.port, host, port)) {
      to_port = option.to_port != 0 ? option.to_port : port;
      to_host_ = wire::strip_brackets(option.to_host.empty() ? host : std::string_view{option.to_host});
      break;
    }
  }
  const std::string_view name = to_host_.empty() ? host : to_host_;
  for (const ResolveOption& option : options().resolves) {
    if (option.host == "*" && (option.port == 0 || option.port == to_port)) {
      port::Address address = option.addresses.front();
      address.port = to_port;
      to_host_ = {};
      return port::Endpoint{.address = address};
    }
  }
  if (to_host_.empty()) {
    return std::nullopt;
  }
  if (const auto parsed = port::parse_ip(name)) {
    port::Address address = *parsed;
    address.port = to_port;
    to_host_ = {};
    return port::Endpoint{.address = address};
  }
  lookup_.start(to_host_, to_port);
  return std::nullopt;
}

void Transfer::begin_hop() {
  has_interim_ = is_chunked_ = was_refused_ = false;
  body_size_ = 0;
  retry_after_s_ = 0;
  next_ = Next::end;
  report_.headers = 0;
  report_.downloaded = 0;
  report_.head = {};
  const RequestParts parts{.options = options(),
                           .jar = session_.jar,
                           .now = session_.loop.port().wall_clock(),
                           .upload = job_->upload.empty() && options().rate_limit == 0 ? nullptr : &upload_,
                           .url_memory = memory_.bare_url,
                           .scratch = memory_.scratch,
                           .ranges = memory_.ranges};
  if (const http::CallCause cause = build(trip_.request(), hop_, parts); cause != http::CallCause::none) {
    failed({.cause = cause});
    return;
  }
  is_expecting_ = trip_.request().expect_continue();
  report_.method = trip_.request().method();
  report_.referer = hop_.referer;
  const auto endpoint = fixed_endpoint(host_, port_);
  if (!to_host_.empty()) {
    state_ = State::resolving;
    return;
  }
  ask(endpoint);
}

void Transfer::found(net::Lookup& lookup) {
  if (state_ != State::resolving) {
    return;
  }
  if (lookup.addresses().empty()) {
    failed({.stage = http::CallStage::resolve, .cause = http::CallCause::name, .name = lookup.error()});
    return;
  }
  const port::Endpoint endpoint{.address = lookup.addresses().front()};
  lookup.cancel();
  ask(endpoint);
}

void Transfer::ask(const std::optional<port::Endpoint>& endpoint) {
  state_ = State::asking;
  const port::Duration left = time_left();
  trip_.start(net::callback<&Transfer::answered>(*this), {.timeout = left,
                                                          .endpoint = endpoint,
                                                          .trace = net::callback<&Transfer::traced>(*this),
                                                          .decode = options().compressed});
}

// A limit that is over already is the shortest there is: 0 would be none.
port::Duration Transfer::time_left() const {
  if (options().max_time <= port::Duration::zero()) {
    return {};
  }
  return std::max(options().max_time - (now() - began_), port::Duration{1});
}

bool Transfer::is_trusted(const wire::Url& url) const {
  const auto first = wire::parse_url(job_->text);
  return options().location_trusted ||
         (first && base::equal_ignoring_case(first->hostname, url.hostname) && first->scheme == url.scheme &&
          wire::effective_port(*first) == wire::effective_port(url));
}

// RFC 9110 section 15.4 as curl has it: POST becomes GET on 301 and 302, everything but HEAD does on 303.
void Transfer::change_method(int status) {
  const bool is_post = hop_.method == "POST";
  const bool changes = (status == 301 && is_post && !options().keep_post_301) ||
                       (status == 302 && is_post && !options().keep_post_302) ||
                       (status == 303 && hop_.method != "HEAD" && !(is_post && options().keep_post_303));
  if (changes) {
    hop_.method = "GET";
    hop_.has_body = false;
  }
}

void Transfer::follow() {
  if (options().redirects_max >= 0 && report_.redirects >= static_cast<std::uint64_t>(options().redirects_max)) {
    const base::Decimal most{static_cast<std::uint64_t>(options().redirects_max)};
    finish({ExitCode::too_many_redirects, {"Maximum (", most.view(), ") redirects followed"}});
    return;
  }
  const auto parsed = wire::parse_url(report_.redirect_url);
  if (!parsed) {
    finish({ExitCode::url_malformat, "The redirect target URL could not be parsed"});
    return;
  }
  if (parsed->scheme != "http" && parsed->scheme != "https") {
    finish({ExitCode::unsupported_protocol, {"Protocol \"", parsed->scheme, "\" not supported in a redirect"}});
    return;
  }
  if (options().auto_referer) {
    if (const auto from = bare_url(hop_.url, memory_.referer)) {
      hop_.referer = *from;
    }
  }
  change_method(report_.status);
  if (hop_.has_body && !job_->upload.empty()) {
    if (upload_.source().rewind(&upload_) == false) {
      finish({ExitCode::send_fail_rewind, "necessary data rewind wasn't possible"});
      return;
    }
  }
  const auto first = wire::parse_url(job_->text);
  hop_.is_same_name = first && base::equal_ignoring_case(first->hostname, parsed->hostname);
  hop_.is_trusted = is_trusted(*parsed);
  if (parsed->has_user) {
    hop_.credentials = credentials_of(report_.redirect_url, memory_.credentials);
  } else if (!hop_.is_trusted) {
    hop_.credentials = {};
  }
  ++report_.redirects;
  report_.redirect = since_beginning(now());
  set_hop(report_.redirect_url);
  report_.redirect_url = {};
  session_.verbose.note("Issue another request to this URL: '", hop_.url, "'");
  begin_hop();
}

// ---- answers

void Transfer::answered(http::Response& response) {
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
  retry_after_s_ = base::parse_decimal(fields.get("Retry-After").value_or(""), 86400).value_or(0);
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
  std::string_view shown = response_.head_text();
  const Failure refused = refuse_head();
  if (refused && refused.code() == ExitCode::http_returned_error) {
    // As curl does: what it fails for is found at the empty line, which is not shown any more.
    shown.remove_suffix(shown.ends_with("\r\n") ? 2 : 1);
  }
  state_ = State::reading;
  show_head(shown);
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
  if (resumes && report_.status < 300 && !response_.fields().get(wire::FieldId::content_range)) {
    if (body_size_ == hop_.resume_from) {
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
    if (const auto resolved = wire::resolve_reference(from, *reference, memory_.next)) {
      report_.redirect_url = *resolved;
      return;
    }
  }
  // Not a URL: kept as it is, so that following it fails and says so.
  report_.redirect_url = keep(*location, memory_.next);
}

// 101 that nobody asked for: what came behind the head is the body, as in curl.
void Transfer::take_upgrade() {
  auto upgraded = response_.upgrade();
  if (upgraded) {
    const Failure failure = take(upgraded->received);
    upgraded->stream.close();
    finish(failure);
    return;
  }
  finish({});
}

// Takes one piece of the body.
Failure Transfer::take(std::string_view piece) {
  if (state_ == State::skipping) {
    return {};
  }
  if (output_.is_binary_for_terminal(piece)) {
    return {ExitCode::write_error,
            "Binary output can mess up your terminal. Use \"--output -\" to tell pollux-fetch to output it anyway"};
  }
  session_.verbose.body(false, piece.size(), output_.is_standard() && ::isatty(STDOUT_FILENO) == 1);
  if (!output_.write(piece)) {
    return {ExitCode::write_error, "Failure writing output to destination"};
  }
  if (options().filesize_max != 0 && output_.written() > options().filesize_max) {
    return {ExitCode::filesize_exceeded, "Maximum file size exceeded"};
  }
  return {};
}

void Transfer::body_came() {
  if (state_ != State::reading && state_ != State::skipping) {
    return;
  }
  while (!response_.body().empty()) {
    const std::string_view body = response_.body();
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
  report_.downloaded = response_.body_received();
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

void Transfer::body_over() {
  response_.close();
  switch (next_) {
    case Next::redirect:
      follow();
      return;
    case Next::again:
      hop_.may_expect = false;
      begin_hop();
      return;
    case Next::end:
      break;
  }
  if (is_refused_by_status()) {
    finish({ExitCode::http_returned_error,
            {"The requested URL returned error: ", base::Decimal{static_cast<std::uint64_t>(report_.status)}.view()}});
    return;
  }
  finish({});
}

// ---- ends

FailureContext Transfer::context() const {
  const auto parsed = wire::parse_url(hop_.url);
  return {.host = host_,
          .port = port_,
          .proxy = session_.proxy_host,
          .is_socks = session_.is_socks,
          .scheme = parsed ? parsed->scheme : std::string_view{"http"},
          .has_interim = has_interim_,
          .is_chunked = is_chunked_,
          .body_size = is_chunked_ ? 0 : body_size_,
          .body_received = response_.body_received(),
          .elapsed = now() - began_};
}

void Transfer::failed(const http::CallError& error) {
  was_refused_ = error.cause == http::CallCause::refused;
  const Failure failure = failure_from(error, context());
  session_.verbose.note(failure.text());
  finish(failure);
}

void Transfer::finish(const Failure& failure) {
  failure_ = failure;
  report_.downloaded = std::max(report_.downloaded, response_.body_received());
  if (hop_.has_body && (upload_.sent() != 0 || upload_.size())) {
    report_.uploaded = upload_.sent();
  }
  response_.close();
  if (trip_.is_under_way()) {
    state_ = State::done;  // nobody listens any more
    trip_.cancel();
  }
  timer_.stop();
  progress_.stop();
  if (!failure_ && !output_.touch()) {
    failure_ = {ExitCode::write_error, "Failure writing output to destination"};
  }
  report_.total = since_beginning(now());
  report_.exit_status = failure_.status();
  report_.error = failure_.text();
  if (failure_ && (!options().silent || options().show_error)) {
    base::TextWriter line{memory_.scratch};
    line.put("pollux-fetch: (").put_decimal(static_cast<std::uint64_t>(failure_.status())).put(") ");
    line.put(failure_.text()).put("\n");
    static_cast<void>(write_all(STDERR_FILENO, line.view()));
  }
  const char* reason = reason_to_retry();
  if (reason == nullptr) {
    static_cast<void>(output_.close());
    upload_.close();
    state_ = State::done;
    return;
  }
  const port::Duration wait = retry_wait();
  ++tries_;
  if (!options().silent) {
    base::TextWriter line{memory_.scratch};
    line.put("Warning: Problem: ").put(reason).put(". Will retry in ");
    line.put_decimal(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(wait).count()));
    line.put(" seconds. ").put_decimal(options().retries - tries_ + 1).put(" retries left.\n");
    static_cast<void>(write_all(STDERR_FILENO, line.view()));
  }
  output_.truncate();
  upload_.close();
  state_ = State::waiting;
  timer_.start(wait);
}

// Why the transfer is worth another try, or nullptr: curl's list of what passes by itself.
const char* Transfer::reason_to_retry() const {
  if (tries_ >= options().retries || job_->failure) {
    return nullptr;
  }
  const port::Duration most = options().retry_max_time;
  if (most > port::Duration::zero() && now() - first_began_ >= most) {
    return nullptr;
  }
  switch (failure_.code()) {
    case ExitCode::operation_timedout:
    case ExitCode::couldnt_resolve_host:
    case ExitCode::couldnt_resolve_proxy:
      return "timeout";
    case ExitCode::couldnt_connect:
      if (was_refused_ && options().retry_refused) {
        return "connection refused";
      }
      break;
    case ExitCode::ok:
    case ExitCode::http_returned_error:
      for (const int status : {408, 429, 500, 502, 503, 504}) {
        if (report_.status == status) {
          return "HTTP error";
        }
      }
      break;
    default:
      break;
  }
  return failure_ && options().retry_all ? "(retrying all errors)" : nullptr;
}

port::Duration Transfer::retry_wait() {
  if (retry_after_s_ != 0 && report_.status != 0) {
    return std::chrono::seconds{retry_after_s_};
  }
  if (options().retry_delay > port::Duration::zero()) {
    return options().retry_delay;
  }
  const port::Duration wait = wait_;
  wait_ = std::min<port::Duration>(wait_ * 2, std::chrono::minutes{10});
  return wait;
}

// The timer: the rate allows more, or it is time for another try.
void Transfer::paused() {
  if (state_ == State::waiting) {
    begin_attempt();
  } else {
    body_came();
  }
}

// ---- measuring and showing

port::Duration Transfer::since_beginning(port::Time at) const {
  return std::max(at - began_, port::Duration::zero());
}

void Transfer::traced(const http::Trace& trace) {
  using http::TraceEvent;
  session_.verbose.trace(trace);
  switch (trace.event) {
    case TraceEvent::names_done:
    case TraceEvent::connect_start:
      report_.name_lookup = since_beginning(trace.at);
      break;
    case TraceEvent::connect_done:
      ++report_.connects;
      report_.connect = since_beginning(trace.at);
      break;
    case TraceEvent::got_conn:
      report_.pretransfer = since_beginning(trace.at);
      report_.remote = trip_.remote();
      report_.local = trip_.local();
      break;
    case TraceEvent::wrote_head:
      report_.request_bytes += trace.text.size();
      break;
    case TraceEvent::wrote_request:
      if (hop_.has_body && trip_.request().body().kind == http::RequestBody::Kind::bytes) {
        report_.uploaded = options().data.size();
        report_.request_bytes += report_.uploaded;
        if (report_.uploaded != 0) {
          session_.verbose.body(true, options().data.size(), false);
        }
      }
      break;
    case TraceEvent::first_byte:
      report_.start_transfer = since_beginning(trace.at);
      break;
    case TraceEvent::got_continue:
    case TraceEvent::got_interim:
      has_interim_ = true;
      report_.status = trace.status;
      take_head(trace.text);
      show_head(trace.text);
      break;
    case TraceEvent::got_head:
      has_interim_ = false;
      take_head(trace.text);
      break;
    default:
      break;
  }
}

void Transfer::ask_progress(Moved& moved) {
  moved = {.downloaded = response_.body_received(),
           .uploaded = upload_.sent(),
           .download_size = body_size_,
           .upload_size = upload_.size().value_or(0)};
}

void Transfer::start_progress() {
  const bool is_wanted = !options().silent && options().progress_meter && ::isatty(STDERR_FILENO) == 1;
  const bool is_in_the_way = job_->output.path.empty() && ::isatty(STDOUT_FILENO) == 1;
  if (is_wanted && !is_in_the_way) {
    progress_.start(options().progress_bar);
  }
}

}  // namespace pollux::fetch
