// The program under test in the simulator: handlers of every kind, which keep books about themselves. An answer's body begins with the number
// its request was given in its path ("/echo/17" -> "17 ..."), so that the peers can tell which request it belongs to.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "port/sim/sim_random.hpp"
#include "stack/base/text.hpp"
#include "stack/http/server.hpp"

namespace pollux::test {

// How long the body of /long/ and /source/ for a number is: often below, often far beyond an output buffer.
constexpr std::uint64_t long_size(std::uint64_t number) {
  return number * 7919 % 3001;
}
constexpr char long_byte(std::uint64_t number, std::uint64_t at) {
  return static_cast<char>('a' + (number + at) % 26);
}

class SimApp final : public http::Router {
 public:
  SimApp() = default;

  // ---- http::Router
  void find(const http::RouteQuery& query, http::RouteMatch& match) const override {
    match.route = &routes_[0];
    for (const http::Route& route : routes_) {
      if (query.raw_path.starts_with(route.pattern)) {
        match.route = &route;
      }
    }
    match.pattern = match.route->pattern;
  }

  // Some of those who wait are answered. Outside the turn, as a sensor or another machine would do it.
  void tick(port::SimRandom& random) {
    for (http::Deferred& deferred : waiting_) {
      if (deferred.is_pending() && random.chance(0.3)) {
        resumed_ += deferred.resume() ? 1U : 0U;
      }
    }
  }

  // Before the server ends: what is left belongs to requests that are over.
  void let_go() {
    for (http::Deferred& deferred : waiting_) {
      deferred.drop();
    }
  }

  // Calls that were promised another one and have not had it.
  [[nodiscard]] int suspended() const { return suspended_; }
  [[nodiscard]] int sources_open() const { return sources_open_; }
  [[nodiscard]] std::uint64_t resumed() const { return resumed_; }

 private:
  using Next = http::Next;
  struct State {
    std::uint64_t count;  // of bytes, read or written
    std::uint32_t slot;   // of waiting_, from 1
    std::uint32_t sum;
  };

  static std::uint64_t number_of(const http::Request& request) {
    const std::string_view path = request.raw_path();
    return base::parse_decimal(path.substr(path.rfind('/') + 1)).value_or(0);
  }
  // Keeps the book of promises: every suspended call is followed by another, Event::gone at the latest.
  Next book(const http::Request& request, Next next) {
    suspended_ -= request.event() == http::Event::start ? 0 : 1;
    suspended_ += request.event() != http::Event::gone && next != Next::done && next != Next::abort ? 1 : 0;
    return next;
  }
  static void answer(http::ResponseWriter& writer, std::uint64_t number, std::uint64_t count, std::uint32_t sum) {
    std::array<char, 64> memory;
    base::TextWriter text{memory};
    text.put_decimal(number).put(' ').put_decimal(count).put(' ').put_decimal(sum);
    writer.text(200, text.view());
  }
  static void add(State& state, std::string_view bytes) {
    state.count += bytes.size();
    for (const char c : bytes) {
      state.sum += static_cast<unsigned char>(c);
    }
  }

  Next hi(http::ResponseWriter& writer, http::Request& request) {
    answer(writer, number_of(request), 0, 0);
    return book(request, Next::done);
  }
  Next last(http::ResponseWriter& writer, http::Request& request) {
    writer.close_after();
    return hi(writer, request);
  }
  Next collected(http::ResponseWriter& writer, http::Request& request) {
    State state{};
    add(state, request.body());
    answer(writer, number_of(request), state.count, state.sum);
    return book(request, Next::done);
  }
  Next streamed(http::ResponseWriter& writer, http::Request& request) {
    if (request.event() == http::Event::gone) {
      return book(request, Next::done);
    }
    auto& state = request.state<State>();
    const std::string_view bytes = request.body_bytes();
    add(state, bytes);
    request.consume(bytes.size());
    switch (request.body_state()) {
      case http::BodyState::more:
        return book(request, Next::read_body);
      case http::BodyState::complete:
        answer(writer, number_of(request), state.count, state.sum);
        break;
      case http::BodyState::too_large:
        http::error(writer, 413, "too large");
        break;
      case http::BodyState::failed:
        http::error(writer, 400, "failed");
        break;
    }
    return book(request, Next::done);
  }
  Next long_answer(http::ResponseWriter& writer, http::Request& request) {
    if (request.event() == http::Event::gone) {
      return book(request, Next::done);
    }
    auto& state = request.state<State>();
    const std::uint64_t number = number_of(request);
    if (request.event() == http::Event::start) {
      base::Decimal text{number};
      writer.write(text.view());
      writer.write(" ");
    }
    while (state.count < long_size(number)) {
      std::array<char, 50> piece;
      const auto size =
          static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), long_size(number) - state.count));
      for (std::size_t i = 0; i < size; ++i) {
        piece[i] = long_byte(number, state.count + i);
      }
      const std::size_t taken = writer.write({piece.data(), size});
      state.count += taken;
      if (taken == 0) {
        return book(request, Next::write_body);
      }
    }
    return book(request, Next::done);
  }
  Next source(http::ResponseWriter& writer, http::Request& request) {
    auto* free = std::find_if(sources_.begin(), sources_.end(), [](const Source& s) { return s.app == nullptr; });
    if (free == sources_.end()) {
      return long_answer(writer, request);
    }
    *free = {.app = this, .number = number_of(request), .front = base::Decimal{number_of(request)}};
    ++sources_open_;
    writer.send_source({.pull = &pull, .close = &close, .object = free});
    return book(request, Next::done);
  }
  Next wait(http::ResponseWriter& writer, http::Request& request) {
    auto& state = request.state<State>();
    if (request.event() == http::Event::start) {
      for (std::uint32_t i = 0; i < waiting_.size(); ++i) {
        if (!waiting_[i].is_pending()) {
          waiting_[i] = request.defer();
          state.slot = i + 1;
          return book(request, Next::wait);
        }
      }
    }
    if (request.event() == http::Event::gone) {
      waiting_[state.slot - 1].drop();
      return book(request, Next::done);
    }
    answer(writer, number_of(request), 0, 0);
    return book(request, Next::done);
  }
  Next abort(http::ResponseWriter& writer, http::Request& request) {
    writer.write("lost");
    return book(request, Next::abort);
  }

  struct Source {
    SimApp* app = nullptr;
    std::uint64_t number = 0;
    base::Decimal front{0};
  };
  // The number, a blank, then the letters.
  static http::PullResult pull(void* object, std::span<char> out, std::uint64_t offset) {
    const auto& self = *static_cast<Source*>(object);
    const std::string_view front = self.front.view();
    const std::uint64_t size = front.size() + 1 + long_size(self.number);
    std::size_t count = 0;
    for (; count < out.size() && offset + count < size; ++count) {
      const std::uint64_t at = offset + count;
      out[count] = at < front.size()    ? front[static_cast<std::size_t>(at)]
                   : at == front.size() ? ' '
                                        : long_byte(self.number, at - front.size() - 1);
    }
    return {offset + count == size ? http::PullResult::Kind::end : http::PullResult::Kind::more, count};
  }
  static void close(void* object) {
    auto& self = *static_cast<Source*>(object);
    --self.app->sources_open_;
    self.app = nullptr;
  }

  const std::array<http::Route, 8> routes_{
      http::Route{"/", http::handler<&SimApp::hi>(*this)},
      {"/last/", http::handler<&SimApp::last>(*this)},
      {"/collected/", http::handler<&SimApp::collected>(*this)},
      {"/streamed/", http::handler<&SimApp::streamed>(*this), {.body = http::Body::streamed}},
      {"/long/", http::handler<&SimApp::long_answer>(*this)},
      {"/source/", http::handler<&SimApp::source>(*this)},
      {"/wait/", http::handler<&SimApp::wait>(*this)},
      {"/abort/", http::handler<&SimApp::abort>(*this)},
  };
  std::array<http::Deferred, 16> waiting_{};
  std::array<Source, 8> sources_{};
  int suspended_ = 0;
  int sources_open_ = 0;
  std::uint64_t resumed_ = 0;
};

}  // namespace pollux::test
