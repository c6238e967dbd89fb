// The peers of the simulator: a GoodPeer keeps to the protocol and checks every byte it gets; a BadPeer does what peers in the field do.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "port/sim/sim_network.hpp"
#include "tests/sim/server_app.hpp"

namespace pollux::test {

inline constexpr std::uint16_t sim_server_port = 80;

// Sends requests, some pipelined, in pieces, over a line that is slow but whole. Its answers must be the right ones, in order, each once and
// whole; the server may end the connection between them (it had no room), and then the peer asks again.
class GoodPeer {
 public:
  GoodPeer(port::SimNetwork& network, port::SimRandom& random) : network_{network}, random_{random} {}

  void act();
  // Asks nothing new; finishes when all is answered.
  void calm_down() { is_calm_ = true; }
  [[nodiscard]] bool is_done() const { return is_calm_ && asked_.empty() && !end_.is_open(); }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  // What was wrong, in words; "" if nothing.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }
  // Of all that were answered, how long the slowest request took.
  [[nodiscard]] port::Duration slowest() const { return slowest_; }
  [[nodiscard]] std::string waits_for() const { return asked_.empty() ? "nothing" : asked_.front().request; }

 private:
  struct Asked {
    std::string request;
    std::string answer;  // the body
    port::Time at;
  };
  void connect();
  void make_request();
  void listen();
  bool take_answer();
  bool take_body(std::string_view head, std::string_view rest);
  void end_of_connection();
  void complain(std::string_view what);

  port::SimNetwork& network_;
  port::SimRandom& random_;
  port::SimPeer end_;
  std::deque<Asked> asked_;  // and not answered
  std::size_t sent_ = 0;     // of asked_, on this connection
  std::string unsent_;       // rest of requests begun
  std::string received_;
  std::uint64_t number_ = 0;
  std::uint64_t answered_ = 0;
  port::Time quiet_until_{};
  port::Duration slowest_{};
  bool is_calm_ = false;
  bool closes_ = false;  // the last answer said so
  std::string complaint_;
};

class BadPeer {
 public:
  BadPeer(port::SimNetwork& network, port::SimRandom& random) : network_{network}, random_{random} {}
  void act();
  void calm_down();

 private:
  void begin();
  [[nodiscard]] std::string something();

  port::SimNetwork& network_;
  port::SimRandom& random_;
  port::SimPeer end_;
  std::string unsent_;
  bool reads_ = true;
  bool is_calm_ = false;
  port::Time sleeps_until_{};
  port::Time leaves_at_{};
};

}  // namespace pollux::test
