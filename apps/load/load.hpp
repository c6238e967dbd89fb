// Load: keeps a fixed number of round trips under way until enough were made, each begun again from its own callback.
//
//   ready -> running -> finishing -> done          finishing: nothing new begins, what is under way is waited for
//                \________^  ^                     (its own timeout bounds that; stop() cuts it off)
//                 \_________/
//
// Latency is from the turn in which a round trip was begun to the turn in which its last byte had come: the loop's clock, read once per
// turn, so that measuring costs no system call. It errs upwards by at most what one turn takes. With a rate it is from when the request
// was due, so that a server that stalls is charged with all the requests it kept from being sent (what wrk2 calls coordinated omission).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "apps/load/tally.hpp"
#include "port/time.hpp"
#include "stack/http/round_trip.hpp"
#include "stack/http/transport.hpp"
#include "stack/net/loop.hpp"

namespace pollux::load {

// How many round trips may be under way; the memory for all of them is there from the start, and not touched before it is used.
inline constexpr std::uint32_t connections_max = 1024;
inline constexpr std::size_t url_size_max = 2048;
inline constexpr std::size_t fields_size_max = 4096;

// What is sent, again and again. The texts outlive the load.
struct Request {
  std::string_view method;
  std::string_view url;
  std::span<const std::string_view> fields{};  // "Name: value"; Host replaces the URL's
  std::optional<std::string_view> body{};
};
// Makes `to` that request. An error: whose, in `at` - "URL", "-X" or "-H".
[[nodiscard]] http::CallCause apply(const Request& request, http::ClientRequest& to, std::string_view& at) noexcept;

struct Plan {
  std::uint32_t connections = 1;  // 1..connections_max
  std::uint64_t requests = 0;     // 0: no end
  port::Duration duration{};      // 0: no end
  std::uint64_t rate = 0;         // requests a second, all together; 0: as fast as answers come
  port::Duration timeout{};       // of each round trip
};

class Load;

class Worker {
 public:
  Worker(Load& load, http::Transport& transport) noexcept : load_{load}, trip_{transport, memory_.memory()} {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] http::ClientRequest& request() noexcept { return trip_.request(); }
  void begin(port::Time due, port::Duration timeout) noexcept;
  // If a round trip is under way, it ends with CallCause::cancelled.
  void cancel() noexcept;

  base::ListLink<Worker> link;  // Load: free ones, in a run with a rate

 private:
  void answered(http::Response& response) noexcept;
  void more() noexcept;
  // True if the response is over; it was told to the load then.
  bool take(http::Response& response) noexcept;

  Load& load_;
  http::RoundTripStorage<url_size_max, fields_size_max> memory_;  // of trip_, so it comes before it
  http::RoundTrip trip_;
  http::Response response_;  // while its body is coming
  port::Time due_{};
};

// Room for workers, as one object in static storage.
struct LoadStorage {
  alignas(Worker) std::array<std::byte, sizeof(Worker) * connections_max> workers{};
};

class Load {
 public:
  // `request` has been tried with apply().
  Load(http::Transport& transport, LoadStorage& storage, const Plan& plan, const Request& request) noexcept;
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Begins in the next turn; `done` is called once, in a turn, when everything is over.
  void start(net::Callback<> done) noexcept;
  // Ends it early: what is under way is cut off.
  void stop() noexcept;

  [[nodiscard]] const Tally& tally() const noexcept { return tally_; }
  [[nodiscard]] bool was_stopped() const noexcept { return stopped_; }
  [[nodiscard]] std::uint64_t begun() const noexcept { return begun_; }
  // From the first request to the end of the last; while it runs: so far.
  [[nodiscard]] port::Duration elapsed() const noexcept;

 private:
  friend class Worker;
  enum class State : std::uint8_t { ready, running, finishing, done };

  // ---- from workers
  void worker_answered(Worker& worker, const http::RoundTrip& trip, int status, port::Time due,
                       std::uint64_t body_bytes) noexcept;
  void worker_failed(Worker& worker, const http::RoundTrip& trip, const http::CallError& error,
                     std::uint64_t body_bytes) noexcept;

  void begin_all() noexcept;
  void finish() noexcept;
  void release(Worker& worker) noexcept;
  void begin_due() noexcept;
  void check_end() noexcept;
  [[nodiscard]] bool may_begin() const noexcept;
  [[nodiscard]] port::Time due_at(std::uint64_t number) const noexcept;
  [[nodiscard]] Worker& worker(std::size_t index) noexcept;

  http::Transport& transport_;
  LoadStorage& storage_;
  Plan plan_;
  Tally tally_;
  net::Callback<> done_{};
  net::Timer pace_;  // the beginning, and the next request that is due
  net::Timer end_;   // of Plan::duration
  base::List<Worker, &Worker::link> free_;
  port::Time began_at_{};
  port::Time ended_at_{};
  std::uint64_t begun_ = 0;
  std::uint32_t under_way_ = 0;
  State state_ = State::ready;
  bool stopped_ = false;
};

}  // namespace pollux::load
