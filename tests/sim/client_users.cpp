#include "tests/sim/client_users.hpp"

#include "tests/support/heap_guard.hpp"

namespace pollux::test {

namespace {

using namespace std::chrono_literals;
using http::CallCause;
using http::ResponseBodyState;

}  // namespace

std::string numbered_text(std::uint64_t number, std::uint64_t size) {
  std::string text = std::to_string(number) + " ";
  for (std::uint64_t i = 0; i < size; ++i) {
    text += long_byte(number, i);
  }
  return text;
}

std::string rogue_text(std::uint64_t number) {
  return numbered_text(number, long_size(number) % 700);
}

std::string gzip_of(std::string_view text) {
  std::uint32_t check = 0xFFFFFFFF;
  for (const char c : text) {
    check ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) {
      check = (check >> 1) ^ ((check & 1) != 0 ? 0xEDB88320 : 0);
    }
  }
  check = ~check;
  std::string out{"\x1f\x8b\x08\0\0\0\0\0\0\x03", 10};
  const auto put = [&out](std::uint32_t value, int bytes) {
    for (; bytes > 0; --bytes, value >>= 8) {
      out += static_cast<char>(value & 0xFF);
    }
  };
  const auto size = static_cast<std::uint32_t>(text.size());
  out += '\1';  // the last block, stored
  put(size, 2);
  put(~size, 2);
  out += text;
  put(check, 4);
  put(size, 4);
  return out;
}

User::User(http::Transport& transport, UserWorld& world) : transport_{transport}, world_{world} {
  trip_.emplace(transport_, memory_.memory());
  body_.reserve(20'000);
  expected_.reserve(20'000);
}

void User::complain(std::string_view what) {
  const heap_guard::Allowed for_the_message;
  if (complaint_.empty()) {
    complaint_ = std::string{what} + ": " + doing();
  }
}

std::string User::doing() const {
  const http::CallError& error = trip_->error();
  return method_ + " " + url_ + ", status " + std::to_string(status_) + ", state " +
         std::to_string(static_cast<int>(trip_->state())) + ", " + std::string{http::describe(error.cause)} + " (" +
         std::string{net::describe(error.name)} + "), use " + std::to_string(static_cast<int>(use_)) + ", got \"" +
         body_.substr(0, 80) + "\" (" + std::to_string(body_.size()) + "), expected \"" + expected_.substr(0, 80) +
         "\" (" + std::to_string(expected_.size()) + ")";
}

// ---- asking

void User::act() {
  port::SimRandom& random = world_.random;
  if (!is_busy_) {
    if (!is_calm_ && random.chance(is_disappointed_ ? 0.02 : 0.3)) {
      start();
    }
    return;
  }
  if (source_waits_ && random.chance(0.3)) {
    source_waits_ = false;
    trip_->resume_body();
  }
  // Whoever is calm ends nothing: it must end by itself.
  const bool is_moody = !is_calm_ && !world_.is_good;
  if (is_moody && random.chance(0.001)) {
    trip_->cancel();
  } else if (is_moody && random.chance(0.0007)) {  // the object goes, whatever it is doing
    trip_.reset();
    trip_.emplace(transport_, memory_.memory());
    ++world_.dropped;
    is_busy_ = false;
    if (response_.round_trip() != nullptr || source_is_open_) {
      complain("a round trip was destroyed and left something");
    }
    return;
  } else if (is_moody && answers_ == 0 && !trip_->is_under_way() && random.chance(0.1)) {
    ++world_.dropped;  // it has failed, and is begun again unheard
    is_busy_ = false;
    start();
    return;
  }
  if (!response_) {
    return;
  }
  switch (use_) {
    case Use::slow:
      if (random.chance(0.3)) {
        take(1 + random.below(400));
      }
      break;
    case Use::let_go_later:
      if (random.chance(0.1)) {
        response_.close();
        ++world_.let_go;
        end();
      }
      break;
    case Use::read:
    case Use::keep:
    case Use::let_go:
      break;
  }
}

void User::start() {
  const heap_guard::Allowed for_the_texts;
  if (world_.numbers + 1 >= UserWorld::numbers_max) {
    return;
  }
  port::SimRandom& random = world_.random;
  ++world_.starts;
  number_ = ++world_.numbers;
  is_busy_ = true;
  is_disappointed_ = false;
  is_packed_ = false;
  answers_ = status_ = 0;
  body_.clear();
  use_ = random.chance(0.6) ? Use::read : static_cast<Use>(random.below(world_.is_good ? 2 : 5));
  chains_ = random.chance(0.2);
  set_request();
  http::RoundTripOptions options{.endpoint = endpoint_, .decode = random.chance(0.4)};
  if (!world_.is_good && random.chance(0.3)) {
    options.timeout = port::Duration{1'000'000 + random.below(8'000'000'000)};
  }
  trip_->start(net::callback<&User::answered>(*this), options);
  if (answers_ != 0) {
    complain("answered inside start()");
  }
}

void User::set_request() {
  port::SimRandom& random = world_.random;
  const UserTarget& target = world_.targets[random.below(world_.targets.size())];
  static constexpr std::array<std::string_view, 8> kinds{"hi",   "last",   "collected", "streamed",
                                                         "long", "source", "wait",      "abort"};
  static constexpr std::array<std::string_view, 10> methods{"GET",  "GET", "GET",   "GET",    "HEAD",
                                                            "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  target_ = target.kind;
  endpoint_ = target.endpoint;
  const std::string_view kind = target_ == UserTarget::Kind::rogue ? "rogue" : kinds[random.below(kinds.size())];
  method_ = methods[random.below(methods.size())];
  url_ = "http://" + target.authority + "/" + std::string{kind} + "/" + std::to_string(number_);
  http::ClientRequest& request = trip_->request();
  if (request.start(method_, url_) != CallCause::none) {
    complain("the URL was refused");
  }
  source_is_open_ = source_waits_ = source_fails_ = source_pauses_ = false;
  source_size_ = 0;
  const bool may_have_body = method_ != "GET" && method_ != "HEAD";
  if (may_have_body ? random.chance(0.8) : random.chance(0.05)) {
    set_body(kind, number_);
  }
  set_expected(kind, source_size_);
  if (random.chance(0.05)) {
    request.set_close(true);
  }
  const bool idempotent = random.chance(0.2);
  request.set_idempotent(idempotent);
  world_.once[number_] = !request.is_idempotent();
  may_fail_ = has_none_;
  if (world_.is_good) {
    return;
  }
  if (random.chance(0.01)) {
    static_cast<void>(request.add("bad name", "x"));  // never begins
  } else if (random.chance(0.03)) {
    static_cast<void>(request.add("X-Long", world_.alphabet.substr(0, 200)));  // the server may say 431
  }
}

void User::set_body(std::string_view kind, std::uint64_t number) {
  port::SimRandom& random = world_.random;
  http::ClientRequest& request = trip_->request();
  // What a server refuses it may not read to its end, and then the answer can be lost.
  const bool is_streamed = kind == "streamed";
  const std::uint64_t limit = world_.is_good ? (is_streamed ? 4000 : 300) : kind == "collected" ? 600 : 6000;
  const std::uint64_t size = random.chance(0.1) ? random.below(3) : random.below(limit);
  const std::uint64_t offset = number % 26;
  source_size_ = size;
  if (random.chance(0.3)) {
    request.set_expect_continue(true);
  }
  switch (random.below(4)) {
    case 0:
      request.set_body(
          std::string_view{world_.alphabet}.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(size)));
      return;
    case 1:
      request.set_body({.kind = http::RequestBody::Kind::file, .file = world_.file, .offset = offset, .size = size});
      return;
    default:
      break;
  }
  source_is_open_ = true;
  source_pauses_ = random.chance(0.4);
  source_fails_ = !world_.is_good && random.chance(0.05);
  http::RequestBody body{.kind = http::RequestBody::Kind::source,
                         .source = {.pull = &User::pull, .close = &User::close_source, .object = this}};
  if (random.chance(0.5)) {
    body.source.rewind = &User::rewind;
  }
  if (random.chance(0.5)) {
    body.size = size;
  } else if (random.chance(0.3)) {
    static_cast<void>(request.set_trailer_names("X-Sum"));
    static_cast<void>(request.add_trailer("X-Sum", "1"));
  }
  request.set_body(body);
}

void User::set_expected(std::string_view kind, std::uint64_t size) {
  has_none_ = target_ == UserTarget::Kind::nobody || kind == "abort";
  if (kind == "rogue") {
    expected_ = rogue_text(number_);
  } else if (kind == "long" || kind == "source") {
    expected_ = numbered_text(number_, long_size(number_));
  } else {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    if (kind == "collected" || kind == "streamed") {
      for (; count < size; ++count) {
        sum += static_cast<unsigned char>(long_byte(number_, count));
      }
    }
    expected_ = std::to_string(number_) + " " + std::to_string(count) + " " + std::to_string(sum);
  }
  if (method_ == "HEAD") {
    expected_.clear();
  }
}

http::PullResult User::pull(void* object, std::span<char> out, std::uint64_t offset) {
  auto& self = *static_cast<User*>(object);
  port::SimRandom& random = self.world_.random;
  if (!self.source_is_open_) {
    self.complain("a source was pulled after it was closed");
  }
  if (self.source_fails_ && offset >= self.source_size_ / 2) {
    return {http::PullResult::Kind::failed, 0};
  }
  if (self.source_pauses_ && random.chance(0.3)) {
    self.source_waits_ = true;
    return {http::PullResult::Kind::later, 0};
  }
  const std::uint64_t left = self.source_size_ - offset;
  const std::uint64_t wanted = random.chance(0.5) ? out.size() : 1 + random.below(out.size());
  const auto count = static_cast<std::size_t>(std::min(left, wanted));
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = long_byte(self.number_, offset + i);
  }
  return {count == left ? http::PullResult::Kind::end : http::PullResult::Kind::more, count};
}

void User::close_source(void* object) {
  auto& self = *static_cast<User*>(object);
  if (!self.source_is_open_) {
    self.complain("a source was closed twice");
  }
  self.source_is_open_ = self.source_waits_ = false;
}

bool User::rewind(void* object) {
  auto& self = *static_cast<User*>(object);
  self.source_waits_ = false;
  return self.world_.is_good || !self.world_.random.chance(0.2);
}

// ---- being answered

void User::answered(http::Response& answer) {
  if (++answers_ != 1 || !is_busy_) {
    complain("answered more than once");
  }
  if (!answer) {
    ++world_.failed;
    const auto cause = static_cast<std::size_t>(answer.error().cause);
    ++world_.causes[cause];
    check_failure(answer.error().cause);
    is_disappointed_ = true;
    end();
    return;
  }
  status_ = answer.status();
  is_packed_ = !answer.is_decoded() && answer.fields().get("Content-Encoding");
  if (target_ == UserTarget::Kind::nobody) {
    complain("an answer from where nobody is");
  }
  if (use_ == Use::let_go) {
    ++world_.let_go;
    if (world_.random.chance(0.5)) {
      answer.close();  // otherwise with the end of the call
      end();
      return;
    }
    is_busy_ = false;
    return;
  }
  response_ = std::move(answer);
  if (status_ == 101) {
    if (target_ == UserTarget::Kind::ours) {
      complain("101 from a server of ours");
    }
    if (auto taken = response_.upgrade()) {
      taken->stream.close();
      ++world_.upgraded;
      end();
      return;
    }
    response_.close();
    end();
    return;
  }
  response_.on_body(net::callback<&User::more>(*this));
  more();
}

void User::more() {
  if (use_ == Use::read) {
    take(SIZE_MAX);
  } else {
    look();
  }
}

void User::take(std::size_t most) {
  const std::string_view text = response_.body().substr(0, most);
  {
    const heap_guard::Allowed for_the_copy;
    body_ += text;
  }
  response_.consume(text.size());
  look();
}

void User::look() {
  if (!is_busy_ || !response_) {
    return;
  }
  const ResponseBodyState state = response_.body_state();
  if (state == ResponseBodyState::more || !response_.body().empty()) {
    return;
  }
  if (state == ResponseBodyState::failed) {
    ++world_.failed;
    ++world_.causes[static_cast<std::size_t>(response_.error().cause)];
    check_failure(response_.error().cause);
    if (status_ == 200 && !has_none_ && !is_packed_ && !std::string_view{expected_}.starts_with(body_)) {
      complain("a body that failed had wrong bytes");
    }
  } else {
    check_whole();
  }
  response_ = {};
  end();
}

void User::check_failure(CallCause cause) {
  if (cause == CallCause::none) {
    complain("a failure without an error");
  }
  const bool is_limit = cause == CallCause::too_many_hosts || cause == CallCause::head_too_large;
  if (world_.is_good && !may_fail_ && !is_limit) {
    complain("a failure although nothing bad happened");
  }
}

void User::check_whole() {
  if (status_ != 200) {
    ++world_.refused;
    static constexpr std::array<int, 7> ours{400, 408, 413, 414, 431, 500, 503};
    const bool is_known = std::find(ours.begin(), ours.end(), status_) != ours.end();
    if (target_ == UserTarget::Kind::ours && !is_known) {
      complain("a status that the server never says");
    }
    return;
  }
  ++world_.right;
  world_.decoded += response_.is_decoded() ? 1 : 0;
  if (has_none_) {
    complain("a whole answer where none is given");
  } else if (!is_packed_ && body_ != expected_) {
    complain("the wrong bytes");
  }
}

void User::end() {
  is_busy_ = false;
  if (chains_ && !is_calm_ && !is_disappointed_ && !trip_->is_under_way()) {
    start();
  }
}

}  // namespace pollux::test
