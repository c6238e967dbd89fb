// A raw server that answers as servers in the field do: right, in pieces, cut, late, with too much, with nonsense, or not at all. What it says
// about a request is the right text for it, whole, or cannot be taken for a whole answer.
#pragma once

#include <deque>
#include <string>

#include "port/sim/sim_network.hpp"
#include "tests/sim/client_users.hpp"

namespace pollux::test {

class Rogue {
 public:
  Rogue(port::SimNetwork& network, port::SimRandom& random, const port::Address& at)
      : network_{network}, random_{random}, listener_{network.listen({.address = at})} {}

  void act();
  // Says nothing more, and closes only what the client has closed.
  void calm_down();
  [[nodiscard]] std::uint64_t requests() const { return requests_; }

 private:
  enum class End : std::uint8_t { none, finish, close, reset, lose };
  struct Session {
    port::SimPeer peer;
    std::string in;
    std::string out;
    std::uint64_t skip = 0;     // bytes of a request's body
    bool skips_chunks = false;  // up to the last chunk
    bool is_deaf = false;
    bool reads_slowly = false;
    End end = End::none;  // behind `out`
    std::size_t piece = SIZE_MAX;
    port::Time sleeps_until{};
  };
  void serve(Session& session);
  void read(Session& session);
  void answer(Session& session, std::uint64_t number, std::string_view method, bool takes_gzip);

  port::SimNetwork& network_;
  port::SimRandom& random_;
  port::SimPeerListener listener_;
  std::deque<Session> sessions_;
  std::uint64_t requests_ = 0;
  bool is_calm_ = false;
};

}  // namespace pollux::test
