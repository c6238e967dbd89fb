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
      slow_{session.loop, net::callback<&Transfer::check_speed>(*this)},
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
  report_.url_effective = job_->text.empty() ? job_->url : job_->text;
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
  } else if (hop_.has_body && (options().rate_limit != 0 || asks_chunked(options()))) {
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
  report_.downloaded = report_.uploaded = 0;
  const bool is_plain = job_->upload.empty() && options().rate_limit == 0 && !asks_chunked(options());
  const RequestParts parts{.options = options(),
                           .jar = session_.jar,
                           .now = session_.loop.port().wall_clock(),
                           .upload = is_plain ? nullptr : &upload_,
                           .url_memory = memory_.bare_url,
                           .scratch = memory_.scratch,
                           .ranges = memory_.ranges};
  if (const http::CallCause cause = build(trip_.request(), hop_, parts); cause != http::CallCause::none) {
    failed({.cause = cause});
    return;
  }
  if (trip_.request().is_https() && session_.tls.failure()) {
    session_.verbose.note(session_.tls.failure().text());
    finish(session_.tls.failure());
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
  ++report_.redirects;
  const std::string_view target = std::exchange(report_.redirect_url, std::string_view{});
  if (is_too_long_) {
    finish({ExitCode::out_of_memory, "Out of memory: the redirect target URL is too long"});
    return;
  }
  const auto parsed = wire::parse_url(target);
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
  if (!may_send_again()) {
    return;
  }
  const auto first = wire::parse_url(job_->text);
  hop_.is_same_name = first && base::equal_ignoring_case(first->hostname, parsed->hostname);
  hop_.is_trusted = is_trusted(*parsed);
  if (parsed->has_user) {
    hop_.credentials = credentials_of(target, memory_.credentials);
  } else if (!hop_.is_trusted) {
    hop_.credentials = {};
  }
  report_.redirect = since_beginning(now());
  set_hop(target);
  session_.verbose.note("Issue another request to this URL: '", hop_.url, "'");
  begin_hop();
}

// Sets a body back that the next hop sends again. False if it cannot be, and then the transfer is over.
bool Transfer::may_send_again() {
  if (!hop_.has_body || job_->upload.empty() || upload_.rewind()) {
    return true;
  }
  finish({ExitCode::send_fail_rewind, "necessary data rewind wasn't possible"});
  return false;
}

// ---- ends

FailureContext Transfer::context() const {
  const auto parsed = wire::parse_url(hop_.url);
  const http::ProxySettings* settings = session_.transport.config().proxy;
  const http::Proxy* proxy =
      settings != nullptr && parsed ? settings->select(parsed->scheme, parsed->hostname, port_) : nullptr;
  return {.host = host_,
          .port = port_,
          .proxy = proxy != nullptr ? proxy->host() : std::string_view{},
          .proxy_port = proxy != nullptr ? proxy->port() : std::uint16_t{0},
          .is_socks = proxy != nullptr && proxy->kind() != http::ProxyKind::http,
          .trusts_nobody = session_.tls.trusts_nobody(),
          .scheme = parsed ? parsed->scheme : std::string_view{"http"},
          .has_interim = has_interim_,
          .is_chunked = is_chunked_,
          .body_size = is_chunked_ ? 0 : body_size_,
          .body_received = response_.body_received(),
          .elapsed = now() - began_};
}

void Transfer::failed(const http::CallError& error) {
  was_refused_ = error.cause == http::CallCause::refused;
  if (const int result = verify_result(error.tls.error); result != 0) {
    report_.verify_result = result;
  }
  const Failure failure = failure_from(error, context());
  session_.verbose.note(failure.text());
  finish(failure);
}

void Transfer::finish(const Failure& failure) {
  failure_ = failure;
  if (hop_.has_body && (upload_.sent() != 0 || upload_.size())) {
    report_.uploaded = upload_.sent();
  }
  progress_.stop();
  response_.close();
  session_.verbose.end();
  if (trip_.is_under_way()) {
    state_ = State::done;  // nobody listens any more
    trip_.cancel();
  }
  timer_.stop();
  slow_.stop();
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
  const port::Duration asked = report_.status != 0 ? std::chrono::seconds{retry_after_s_} : std::chrono::seconds{0};
  if (most > port::Duration::zero() && now() - first_began_ + asked >= most) {
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

// The timer: the rate allows more, it is time for another try, or an unwanted body took too long.
void Transfer::paused() {
  if (state_ == State::waiting) {
    begin_attempt();
  } else if (state_ == State::skipping) {
    body_over();
  } else {
    body_came();
  }
}

// A server that takes the request and then is silent, or lets its head drip, is as slow as one whose body does.
void Transfer::check_speed() {
  const http::TransportCounters& counters = session_.transport.counters();
  const std::uint64_t moved = counters.bytes_sent + counters.bytes_received;
  const auto window = std::chrono::duration_cast<std::chrono::milliseconds>(options().speed_time).count();
  if (moved - moved_ < options().speed_limit * static_cast<std::uint64_t>(window) / 1000) {
    const base::Decimal rate{options().speed_limit};
    const base::Decimal time{static_cast<std::uint64_t>(window) / 1000};
    finish(
        {ExitCode::operation_timedout,
         {"Operation too slow. Less than ", rate.view(), " bytes/sec transferred the last ", time.view(), " seconds"}});
    return;
  }
  moved_ = moved;
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
      report_.scheme = trip_.request().is_https() ? "HTTPS" : "HTTP";
      ++report_.connects;
      report_.connect = since_beginning(trace.at);
      break;
    case TraceEvent::tls_done:
      report_.app_connect = since_beginning(trace.at);
      if (trace.tls != nullptr && !trace.tls->verified) {
        report_.verify_result = verify_result(trace.tls->verify_error);
      }
      break;
    case TraceEvent::got_conn:
      report_.pretransfer = since_beginning(trace.at);
      report_.remote = trip_.remote();
      if (connection_ != trace.connection) {
        connection_ = trace.connection;
        local_ = trip_.local();
      }
      report_.local = local_;
      if (options().speed_limit != 0 && options().speed_time > port::Duration::zero()) {
        const http::TransportCounters& counters = session_.transport.counters();
        moved_ = counters.bytes_sent + counters.bytes_received;
        slow_.start_every(options().speed_time);
      }
      report_.scheme = trip_.request().is_https() ? "HTTPS" : "HTTP";
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
      report_.version = wire::http_1_1;
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
  moved = {.downloaded = std::max(report_.downloaded, response_.body_received()),
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
