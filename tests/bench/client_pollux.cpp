// client_pollux: a minimal program on our Transport, to be compared with other clients. Command line: client_run.hpp. What a round trip costs
// beside this is what pollux-load adds: a clock and a histogram.
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "port/linux/linux_port.hpp"
#include "stack/http/round_trip.hpp"
#include "stack/http/transport.hpp"
#include "stack/http/transport_storage.hpp"
#include "tests/bench/client_run.hpp"

using namespace pollux;

namespace {

constexpr http::TransportLimits limits{.connections = 1024, .hosts = 1};
constinit http::TransportStorage<limits> storage;
constinit net::LoopStorage<http::sockets_max(limits)> loop_storage;

class Client;

class Worker {
 public:
  void begin(Client& client, http::Transport& transport, std::string_view url);
  void end() { trip_.reset(); }

 private:
  void start() { trip_->start(net::callback<&Worker::answered>(*this)); }
  void answered(http::Response& response);

  Client* client_ = nullptr;
  http::RoundTripStorage<64, 64> memory_;
  std::optional<http::RoundTrip> trip_;
};

class Client {
 public:
  Client(net::Loop& loop, const bench::Task& task)
      : loop_{loop},
        transport_{{.loop = loop,
                    .memory = storage.memory(),
                    .max_idle_conns = 0,
                    .max_idle_conns_per_host = static_cast<std::int32_t>(task.connections)}},
        watch_{task} {
    loop.on_turn(net::callback<&Client::check_end>(*this));
    const std::string url = "http://127.0.0.1:" + std::to_string(task.port) + "/hello";
    for (std::uint32_t i = 0; i < task.connections && may_begin(); ++i) {
      workers_[i].begin(*this, transport_, url);
    }
  }
  void run() {
    loop_.run();
    watch_.print(answers_);
    for (Worker& worker : workers_) {
      worker.end();
    }
  }

 private:
  friend class Worker;
  // Takes the next number, if there is one.
  bool may_begin() { return watch_.may_begin(begun_) && ++begun_ != 0; }
  void check_end() {
    if (watch_.is_over(answers_)) {
      loop_.stop();
    }
  }

  net::Loop& loop_;
  http::Transport transport_;
  std::uint64_t begun_ = 0;
  std::uint64_t answers_ = 0;
  bench::Stopwatch watch_;
  static std::array<Worker, limits.connections> workers_;
};
std::array<Worker, limits.connections> Client::workers_;

void Worker::begin(Client& client, http::Transport& transport, std::string_view url) {
  client_ = &client;
  trip_.emplace(transport, memory_.memory());
  trip_->request().start("GET", url);
  start();
}

void Worker::answered(http::Response& response) {
  if (!response) {
    std::fprintf(stderr, "%.*s: ", static_cast<int>(http::describe(response.error().cause).size()),
                 http::describe(response.error().cause).data());
    bench::fail("a request failed");
  }
  response.consume(response.body().size());
  if (response.status() != 200 || response.body_state() != http::ResponseBodyState::complete) {
    bench::fail("an answer was not 200, or not there as a whole");
  }
  ++client_->answers_;
  if (client_->may_begin()) {
    start();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Task task = bench::read_task(argc, argv);
  port::LinuxPort port;
  net::Loop loop{port, loop_storage.memory()};
  Client client{loop, task};
  client.run();
}
