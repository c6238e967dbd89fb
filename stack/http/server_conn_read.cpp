// From received bytes to a request that has a handler, or to a refusal.

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/http/server.hpp"
#include "stack/wire/percent.hpp"
#include "stack/wire/slice.hpp"
#include "stack/wire/url.hpp"

namespace pollux::http {

namespace {

struct Refusal {
  int status;
  std::string_view reason;  // behind the status text; empty: nothing to add
};

// How a head that cannot be used is answered (net/http does the same). Nothing of what the client sent is repeated.
Refusal refusal_of(wire::HeadError error) noexcept {
  switch (error) {
    case wire::HeadError::too_large:
    case wire::HeadError::too_many_fields:
      return {431, ""};
    case wire::HeadError::version:
      return {505, "unsupported protocol version"};
    case wire::HeadError::host_missing:
    case wire::HeadError::host_malformed:
    case wire::HeadError::field_name:
    case wire::HeadError::field_value:
      return {400, wire::describe(error)};
    case wire::HeadError::none:
    case wire::HeadError::start_line:
    case wire::HeadError::version_syntax:
    case wire::HeadError::field_syntax:
    case wire::HeadError::host_repeated:
    case wire::HeadError::status_code:
      break;
  }
  return {400, ""};
}

}  // namespace

// Reads on in a head or a collected body. False: nothing can be done before more bytes come or go.
bool ServerConn::read_on() noexcept {
  Exchange& exchange = *exchange_;
  if (!exchange.progress.head_whole && !exchange.in.is_empty() && !has_room_for_answer()) {
    return exchange.lost;  // whatever the next head is answered, it would have no room
  }
  for (;;) {
    switch (exchange.reader.advance(exchange.in)) {
      case wire::ReadEvent::head:
        if (!head_came()) {
          return true;
        }
        continue;
      case wire::ReadEvent::body:
        if (exchange.reader.body_received() > exchange.progress.body_max) {
          refuse(413, "", CloseReason::body_too_large);
          return true;
        }
        continue;
      case wire::ReadEvent::complete:
        if (exchange.reader.body_received() > exchange.progress.body_max) {
          refuse(413, "", CloseReason::body_too_large);
          return true;
        }
        if (!has_room_for_answer()) {
          return false;
        }
        call(Event::start);
        return true;
      case wire::ReadEvent::failed:
        reader_failed();
        return true;
      case wire::ReadEvent::need_more:
        break;
    }
    break;
  }
  // Everything that came is used up: answers that were held back to leave together leave now.
  send();
  if (exchange.lost) {
    return false;
  }
  if (input_ended_) {
    switch (exchange.reader.input_ended(exchange.in)) {
      case wire::ReadEvent::failed:
        reader_failed();
        return true;
      case wire::ReadEvent::head:
      case wire::ReadEvent::body:
      case wire::ReadEvent::complete:
        return true;
      case wire::ReadEvent::need_more:
        if (exchange.out.is_empty()) {
          close(requests_ == 0 ? CloseReason::client_truncated : CloseReason::client_closed);
        }
        return false;
    }
  }
  if (exchange.in.is_empty() && !exchange.progress.head_whole) {
    if (exchange.out.is_empty()) {
      become_idle();
    }
    return false;
  }
  if (exchange.in.room().empty()) {
    exchange.reader.make_room(exchange.in);
    if (exchange.in.room().empty() && exchange.progress.head_whole) {
      refuse(413, "", CloseReason::body_too_large);
      return true;
    }
  }
  if (exchange.progress.head_whole) {
    owe_continue();
    send();
  }
  return false;
}

void ServerConn::reader_failed() noexcept {
  const wire::MessageReader& reader = exchange_->reader;
  Refusal refusal{400, ""};
  CloseReason why = CloseReason::bad_request;
  switch (reader.error()) {
    case wire::ReadError::head:
      refusal = refusal_of(reader.head_error());
      break;
    case wire::ReadError::framing:
      if (reader.framing_error() == wire::FramingError::transfer_encoding) {
        refusal = {501, "unsupported transfer encoding"};
      }
      break;
    case wire::ReadError::ended_early:
      why = CloseReason::client_truncated;
      break;
    case wire::ReadError::none:
    case wire::ReadError::chunk:
    case wire::ReadError::trailer:
      break;
  }
  refuse(refusal.status, refusal.reason, why);
}

// The head of a request is whole. False: it has been answered, or its handler has been called; true: read on in its body.
bool ServerConn::head_came() noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  Request& request = exchange.request;
  const ServerConfig& config = server_.config_;
  const wire::Framing& framing = exchange.reader.framing();
  request.head_ = exchange.reader.request();
  progress.head_whole = true;
  ++server_.counters_.requests;

  const bool is_1_1 = request.head_.version >= wire::http_1_1;
  progress.close_after =
      !framing.keep_alive || framing.must_close || server_.shutting_down_ || !server_.keep_alives_enabled_;
  progress.says_keep_alive = !is_1_1 && framing.keep_alive;
  progress.no_body = request.head_.method_id == wire::Method::head;
  const port::Time time = now();
  progress.read_deadline = port::deadline_after(time, config.timeouts.read_body);
  progress.write_deadline = port::deadline_after(time, config.timeouts.write);
  progress.moved_at = time;

  if (const int status = split_target(); status != 0) {
    refuse(status, "", CloseReason::bad_request);
    return false;
  }
  if (request.head_.has(wire::FieldId::expect) && is_1_1) {
    const auto expect = request.head_.fields.get(wire::FieldId::expect);
    if (!base::equal_ignoring_case(base::trim(*expect), "100-continue")) {
      refuse(417, "", CloseReason::bad_request);
      return false;
    }
    progress.expects_continue = framing.kind != wire::BodyKind::none;
  }
  if (!route()) {
    return false;
  }
  const RouteOptions& options = request.match_.route->options;
  progress.body_max = options.body_max != 0 ? options.body_max : config.body_max;
  if (framing.kind == wire::BodyKind::sized && framing.size > progress.body_max) {
    refuse(413, "", CloseReason::body_too_large);
    return false;
  }
  if (options.body == Body::streamed && framing.kind != wire::BodyKind::none) {
    if (!has_room_for_answer()) {
      send();
    }
    call(Event::start);
    return false;
  }
  if (framing.kind == wire::BodyKind::sized && framing.size > exchange.in.capacity() - exchange.reader.head_size()) {
    refuse(413, "", CloseReason::body_too_large);
    return false;
  }
  return true;
}

// Takes the target apart: path, query, host. The status to refuse it with, or 0.
int ServerConn::split_target() noexcept {
  Request& request = exchange_->request;
  const std::string_view target = request.head_.target;
  if (const auto host = request.field(wire::FieldId::host)) {
    request.host_ = *host;
  }
  if (target.starts_with('/')) {
    // origin-form, nearly always. The head's parser has seen to it that there is no control byte or blank.
    const std::size_t question = target.find('?');
    request.has_query_ = question != std::string_view::npos;
    request.raw_path_ = request.has_query_ ? wire::slice(target, 0, question) : target;
    request.query_ = request.has_query_ ? wire::drop(target, question + 1) : std::string_view{};
    return decode_path();
  }
  const bool is_connect = request.head_.method_id == wire::Method::connect;
  const auto parsed = is_connect ? wire::parse_connect_target(target) : wire::parse_request_target(target);
  if (!parsed) {
    return 400;
  }
  const wire::Url& url = parsed->url;
  if (!url.host.empty()) {
    request.host_ = url.host;
  }
  request.raw_path_ = url.path;
  if (parsed->form == wire::TargetForm::absolute && request.raw_path_.empty()) {
    request.raw_path_ = "/";
  }
  request.query_ = url.query;
  request.has_query_ = url.has_query;
  return decode_path();
}

// A path with escapes is decoded into memory of its own in the input buffer, since the raw one is needed as well. A path that does not fit there twice
// is too long (414, RFC 9110 section 15.5.15).
int ServerConn::decode_path() noexcept {
  Request& request = exchange_->request;
  request.full_path_ = request.raw_path_;
  if (request.raw_path_.find('%') != std::string_view::npos) {
    const std::span<char> memory = exchange_->reader.reserve(exchange_->in, request.raw_path_.size());
    if (memory.size() < request.raw_path_.size()) {
      return 414;
    }
    const auto decoded = wire::percent_decode(request.raw_path_, memory);
    if (!decoded) {
      return 400;
    }
    request.full_path_ = *decoded;
  }
  request.path_ = request.full_path_;
  return 0;
}

// Finds who serves the request. False: it has been answered.
bool ServerConn::route() noexcept {
  Request& request = exchange_->request;
  if (request.raw_path_ == "*" && request.head_.method_id == wire::Method::options &&
      server_.config_.answer_options_star) {
    static constexpr Route star{
        "", Handler{[](void*, ResponseWriter&, Request&) { return Next::done; }, nullptr}, {.body = Body::streamed}};
    request.match_.route = &star;
    return true;
  }
  server_.config_.handler.find(RouteQuery{.method_id = request.head_.method_id,
                                          .method = request.head_.method,
                                          .host = request.host_,
                                          .raw_path = request.raw_path_,
                                          .query = request.query_,
                                          .has_query = request.has_query_},
                               request.match_);
  ENSURE(request.match_.route != nullptr);
  request.pattern_ = request.match_.pattern;
  const std::string_view prefix = request.match_.route->options.strip_prefix;
  if (!prefix.empty()) {
    if (wire::starts_with(request.full_path_, prefix) && wire::starts_with(request.raw_path_, prefix)) {
      request.path_.remove_prefix(prefix.size());
    } else {
      static constexpr Route missing{"",
                                     Handler{[](void*, ResponseWriter& writer, Request&) {
                                               not_found(writer);
                                               return Next::done;
                                             },
                                             nullptr},
                                     {.body = Body::streamed}};
      request.match_.route = &missing;
    }
  }
  return true;
}

}  // namespace pollux::http
