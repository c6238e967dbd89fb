#include "stack/http/round_trip.hpp"

#include "port/ensure.hpp"
#include "stack/http/persist_conn.hpp"
#include "stack/http/transport.hpp"

namespace pollux::http {

// ---- RoundTrip

RoundTrip::RoundTrip(Transport& transport, const RoundTripMemory& memory) noexcept
    : transport_{transport}, request_{memory.url, memory.fields} {}

RoundTrip::~RoundTrip() {
  transport_.forget(*this);
}

void RoundTrip::start(net::Callback<Response&> answered, const RoundTripOptions& options) noexcept {
  ENSURE(!is_under_way());  // a round trip does one thing at a time
  if (conn_views_ != nullptr) {
    conn_views_->clear_views();
  }
  answered_ = answered;
  options_ = options;
  on_body_ = {};
  error_ = {};
  if (response_ != nullptr) {
    response_->let_go();
  }
  told_ = answer_due_ = body_due_ = false;
  retries_ = 0;
  status_ = 0;
  body_received_ = 0;
  content_length_.reset();
  head_known_ = reused_ = asks_gzip_ = decodes_ = closes_ = body_begun_ = cancel_due_ = false;
  body_state_ = ResponseBodyState::more;
  transport_.start(*this);
}

void RoundTrip::refuse(net::Callback<Response&> answered, CallStage stage, CallCause cause) noexcept {
  const CallCause before = std::exchange(request_.error_, cause);
  start(answered);
  request_.error_ = before;
  error_.stage = stage;
}

void RoundTrip::tell(const Trace& trace) noexcept {
  if (options_.trace) {
    const bool before = std::exchange(is_calling_out_, true);
    options_.trace(trace);
    is_calling_out_ = before;
  }
}

void RoundTrip::cancel() noexcept {
  transport_.cancel(*this, CallCause::cancelled);
}

void RoundTrip::resume_body() noexcept {
  if (conn_ != nullptr) {
    conn_->resume_send();
  }
}

void RoundTrip::resume_sink() noexcept {
  if (poured_.trip_ != nullptr) {
    body_due_ = true;
    transport_.complete(*this);
  }
}

// Moves what has come to the sink.
void RoundTrip::pour_on() noexcept {
  for (std::string_view text = poured_.body(); !text.empty(); text = poured_.body()) {
    const std::size_t taken = sink_.take(sink_.object, text);
    ENSURE(taken <= text.size());
    if (taken == 0) {
      return;
    }
    poured_.consume(taken);
  }
  if (poured_.body_state() == ResponseBodyState::more) {
    return;
  }
  const ResponseSink sink = std::exchange(sink_, {});
  const CallError error = error_;
  poured_.close();
  if (sink.done != nullptr) {
    sink.done(sink.object, error);
  }
}

port::Address RoundTrip::local() const noexcept {
  if (conn_ == nullptr || !conn_->stream_.is_open()) {
    return {};
  }
  const auto address = transport_.loop().port().local_address(conn_->stream_.socket());
  return address ? *address : port::Address{};
}

// ---- Response

Response::Response(RoundTrip& trip) noexcept : trip_{&trip} {
  trip.response_ = this;
}

Response::Response(Response&& other) noexcept : trip_{std::exchange(other.trip_, nullptr)} {
  if (trip_ != nullptr) {
    trip_->response_ = this;
  }
}

Response& Response::operator=(Response&& other) noexcept {
  if (this != &other) {
    close();
    trip_ = std::exchange(other.trip_, nullptr);
    if (trip_ != nullptr) {
      trip_->response_ = this;
    }
  }
  return *this;
}

void Response::let_go() noexcept {
  if (trip_ != nullptr) {
    trip_->response_ = nullptr;
    trip_ = nullptr;
  }
}

Response::operator bool() const noexcept {
  return trip_ != nullptr && trip_->head_known_;
}

const CallError& Response::error() const noexcept {
  static constexpr CallError no_error{};
  return trip_ != nullptr ? trip_->error_ : no_error;
}

int Response::status() const noexcept {
  return trip_ != nullptr ? trip_->status_ : 0;
}

std::string_view Response::reason() const noexcept {
  return trip_ != nullptr ? trip_->head_.reason : std::string_view{};
}

wire::Version Response::version() const noexcept {
  return trip_ != nullptr ? trip_->head_.version : wire::http_1_1;
}

wire::Fields Response::fields() const noexcept {
  return trip_ != nullptr ? trip_->head_.fields : wire::Fields{};
}

std::string_view Response::head_text() const noexcept {
  return trip_ != nullptr ? trip_->head_text_ : std::string_view{};
}

std::optional<std::uint64_t> Response::content_length() const noexcept {
  return trip_ != nullptr ? trip_->content_length_ : std::nullopt;
}

bool Response::closes() const noexcept {
  return trip_ != nullptr && trip_->closes_;
}

const tls::ConnectionInfo* Response::tls() const noexcept {
  if (trip_ == nullptr) {
    return nullptr;
  }
  // A response without a body has given its connection back when it is told; its head still lies there.
  const PersistConn* conn = trip_->conn_ != nullptr ? trip_->conn_ : trip_->conn_views_;
  return conn != nullptr ? conn->stream_.tls_info() : nullptr;
}

bool Response::is_decoded() const noexcept {
  return trip_ != nullptr && trip_->decodes_;
}

std::string_view Response::body() const noexcept {
  return trip_ != nullptr && trip_->conn_ != nullptr ? trip_->conn_->body() : std::string_view{};
}

void Response::consume(std::size_t count) noexcept {
  ENSURE(count <= body().size());
  if (count != 0) {
    trip_->conn_->consume(count);
  }
}

ResponseBodyState Response::body_state() const noexcept {
  return trip_ != nullptr ? trip_->body_state_ : ResponseBodyState::closed;
}

void Response::on_body(net::Callback<> changed) noexcept {
  if (trip_ != nullptr) {
    trip_->on_body_ = changed;
  }
}

void Response::pour(const ResponseSink& sink) noexcept {
  if (trip_ == nullptr) {
    return;
  }
  RoundTrip& trip = *trip_;
  trip.sink_ = sink;
  trip.poured_ = std::move(*this);
  trip.poured_.on_body(net::callback<&RoundTrip::pour_on>(trip));
  trip.resume_sink();
}

std::uint64_t Response::body_received() const noexcept {
  if (trip_ == nullptr) {
    return 0;
  }
  return trip_->conn_ != nullptr ? trip_->conn_->body_received() : trip_->body_received_;
}

wire::Fields Response::trailers() const noexcept {
  return trip_ != nullptr ? trip_->trailers_ : wire::Fields{};
}

void Response::close() noexcept {
  if (trip_ == nullptr) {
    return;
  }
  RoundTrip& trip = *trip_;
  let_go();
  trip.on_body_ = {};
  if (trip.body_state_ == ResponseBodyState::more) {
    trip.body_state_ = ResponseBodyState::closed;
  }
  if (trip.is_calling_out_) {
    trip.cancel();  // soon: the connection is in the middle of something
  } else if (trip.conn_ != nullptr && trip.head_known_) {
    trip.conn_->let_go();
  }
}

std::optional<Upgraded> Response::upgrade() noexcept {
  if (trip_ == nullptr || trip_->conn_ == nullptr || trip_->status_ != 101) {
    return std::nullopt;
  }
  PersistConn& conn = *trip_->conn_;
  const std::string_view received = conn.received();
  let_go();
  const net::Stream stream = conn.take_stream();
  return Upgraded{.stream = stream, .received = received};
}

}  // namespace pollux::http
