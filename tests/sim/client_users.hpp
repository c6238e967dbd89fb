// The users of a transport in the simulator: each has one round trip, uses it again and again as chance will have it, and checks every byte it is
// given. What a request asks for and what must come back follow from the number in its path, so an answer to another request shows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "port/sim/sim_network.hpp"
#include "stack/http/transport.hpp"
#include "tests/sim/server_app.hpp"

namespace pollux::test {

// "17 " and letters that follow from 17: what /long/17 and /source/17 are answered with.
[[nodiscard]] std::string numbered_text(std::uint64_t number, std::uint64_t size);
// Of /rogue/17.
[[nodiscard]] std::string rogue_text(std::uint64_t number);
// A gzip file (RFC 1952) that holds `text` in stored blocks (RFC 1951 section 3.2.4).
[[nodiscard]] std::string gzip_of(std::string_view text);

// Where requests go.
struct UserTarget {
  enum class Kind : std::uint8_t { ours, rogue, nobody };  // nobody: no answer can come from there
  std::string authority;
  Kind kind = Kind::ours;
  std::optional<port::Endpoint> endpoint{};  // connect here instead
};

// What all users of a run share.
struct UserWorld {
  static constexpr std::size_t numbers_max = 20'000;

  port::SimNetwork& network;
  port::SimRandom& random;
  bool is_good = false;  // nothing bad happens: every request that can be answered is
  std::vector<UserTarget> targets{};
  std::string alphabet{};  // "abc...zabc...": bodies are views into it, or into `file`, which is the same
  port::File file{};
  std::uint64_t numbers = 0;                                // given so far
  std::vector<bool> once = std::vector<bool>(numbers_max);  // by number: nobody may see it twice
  std::vector<std::uint8_t> seen =
      std::vector<std::uint8_t>(numbers_max);  // by number: how often servers of ours saw it

  // What came of it.
  std::uint64_t starts = 0;
  std::uint64_t right = 0;    // 200 with every byte
  std::uint64_t decoded = 0;  // ... of those that came as gzip
  std::uint64_t refused = 0;  // another status
  std::uint64_t let_go = 0;
  std::uint64_t failed = 0;
  std::uint64_t dropped = 0;  // the round trip was destroyed, or begun again
  std::uint64_t upgraded = 0;
  std::array<std::uint64_t, 64> causes{};
};

class User {
 public:
  User(http::Transport& transport, UserWorld& world);
  ~User() { trip_.reset(); }
  User(const User&) = delete;
  User& operator=(const User&) = delete;

  // Between two turns.
  void act();
  // Begins nothing any more.
  void calm_down() { is_calm_ = true; }
  [[nodiscard]] bool is_busy() const { return is_busy_; }
  // It holds a response and will not touch it again.
  [[nodiscard]] bool is_waiting_for_its_deadline() const { return is_busy_ && use_ == Use::keep; }
  [[nodiscard]] const http::RoundTrip& trip() const { return *trip_; }
  // What was wrong, in words; "" if nothing.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }
  [[nodiscard]] std::string doing() const;

 private:
  enum class Use : std::uint8_t { read, slow, keep, let_go, let_go_later };

  void start();
  void set_request();
  void set_body(std::string_view kind, std::uint64_t number);
  void set_expected(std::string_view kind, std::uint64_t size);
  void answered(http::Response& response);
  void more();
  void take(std::size_t most);
  void look();
  void end();
  void check_whole();
  void check_failure(http::CallCause cause);
  void complain(std::string_view what);

  static http::PullResult pull(void* object, std::span<char> out, std::uint64_t offset);
  static void close_source(void* object);
  static bool rewind(void* object);

  http::Transport& transport_;
  UserWorld& world_;
  http::RoundTripStorage<256, 256> memory_;
  std::optional<http::RoundTrip> trip_;
  http::Response response_;
  Use use_ = Use::read;
  UserTarget::Kind target_ = UserTarget::Kind::ours;
  std::uint64_t number_ = 0;
  std::string url_;
  std::string method_;
  std::string expected_;    // the body of a 200; "" with `has_none_`
  bool has_none_ = false;   // no 200 can come
  bool may_fail_ = false;   // even where nothing bad happens
  bool is_packed_ = false;  // the body came encoded and was not decoded: its bytes are not compared
  std::optional<port::Endpoint> endpoint_{};
  std::string body_;
  std::string complaint_;
  int status_ = 0;
  int answers_ = 0;
  bool is_busy_ = false;
  bool is_calm_ = false;
  bool is_disappointed_ = false;  // the last one failed: it takes its time with the next
  bool chains_ = false;           // begins the next request inside the callback

  // its source
  std::uint64_t source_size_ = 0;
  bool source_is_open_ = false;
  bool source_waits_ = false;
  bool source_fails_ = false;
  bool source_pauses_ = false;
};

}  // namespace pollux::test
