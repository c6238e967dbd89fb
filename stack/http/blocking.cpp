#include "stack/http/blocking.hpp"

#include <cstring>
#include <utility>

#include "port/ensure.hpp"

namespace pollux::http {

namespace {

// What comes of one call, on the stack of BlockingCall::go().
class Collector {
 public:
  explicit Collector(std::span<char> memory) noexcept : memory_{memory} {}

  void answered(Response& response) noexcept {
    if (!response) {
      return finish(response.error());
    }
    result_.status = response.status();
    response_ = std::move(response);
    response_.on_body(net::callback<&Collector::body_came>(*this));
    body_came();
  }

  [[nodiscard]] bool is_done() const noexcept { return is_done_; }
  [[nodiscard]] const BlockingResult& result() const noexcept { return result_; }

 private:
  void body_came() noexcept {
    while (!response_.body().empty()) {
      const std::string_view more = response_.body();
      const std::size_t room = memory_.size() - size_;
      const std::size_t taken = more.size() < room ? more.size() : room;
      if (taken != 0) {
        std::memcpy(memory_.data() + size_, more.data(), taken);
      }
      size_ += taken;
      if (taken < more.size()) {
        return cut();
      }
      response_.consume(taken);
    }
    if (response_.body_state() != ResponseBodyState::more) {
      finish(response_.body_state() == ResponseBodyState::failed ? response_.error() : CallError{});
    }
  }

  // What fits is there; the rest is not wanted.
  void cut() noexcept {
    result_.is_cut = true;
    finish({.stage = CallStage::body, .cause = CallCause::too_large});
  }

  void finish(const CallError& error) noexcept {
    result_.error = error;
    result_.body = {memory_.data(), size_};
    response_.close();
    is_done_ = true;
  }

  std::span<char> memory_;
  Response response_{};
  BlockingResult result_{};
  std::size_t size_ = 0;
  bool is_done_ = false;
};

}  // namespace

BlockingResult BlockingCall::go(std::span<char> body, const CallOptions& options) noexcept {
  net::Loop& loop = call_.round_trip().transport().loop();
  ENSURE(!loop.is_turning());                    // inside a callback the loop would be turned by itself
  loop.refresh_now();                            // who blocks may have been away from the loop for long
  const bool was_stopping = loop.is_stopping();  // of a run() that is over
  Collector collector{body};
  call_.go(net::callback<&Collector::answered>(collector), options);
  while (!collector.is_done()) {
    loop.turn();
    if (loop.is_stopping() && !was_stopping) {
      call_.cancel();  // a signal, or a callback, said that the program shall end
    }
  }
  return collector.result();
}

BlockingResult BlockingCall::get(std::string_view url, std::span<char> body) noexcept {
  call_.request().start("GET", url);
  return go(body);
}

BlockingResult BlockingCall::head(std::string_view url) noexcept {
  call_.request().start("HEAD", url);
  return go({});
}

BlockingResult BlockingCall::post(std::string_view url, std::string_view content_type, std::string_view text,
                                  std::span<char> body) noexcept {
  call_.request().start("POST", url);
  call_.request().add("Content-Type", content_type);
  call_.request().set_body(text);
  return go(body);
}

}  // namespace pollux::http
