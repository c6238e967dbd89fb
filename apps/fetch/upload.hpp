// Upload: the body of -T, read while it is sent - a file with its size, or standard input in chunks. A pipe that has nothing yet
// does not make the loop wait: the body says "later", and standard input is one more thing the loop polls.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "apps/fetch/rate_limit.hpp"
#include "stack/http/body_source.hpp"
#include "stack/net/loop.hpp"

namespace pollux::fetch {

class Upload final : public net::Driver {
 public:
  // `resume`: called in a turn when there is more after pull() said `later`.
  Upload(net::Loop& loop, net::Callback<> resume);
  ~Upload();

  // Opens `path` ("-" and ".": standard input). False if it cannot be read.
  [[nodiscard]] bool open(const char* path);
  // A text instead, which outlives it.
  void open_text(std::string_view text);
  void close();
  void limit(std::uint64_t bytes_per_second);
  // -C: how many bytes at the front are not sent.
  void skip(std::uint64_t bytes) { skipped_ = bytes; }

  // Bytes to send; nothing if nobody knows.
  [[nodiscard]] std::optional<std::uint64_t> size() const;
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] http::BodySource source();
  // Begins again. False if what was read of the input cannot be read a second time.
  [[nodiscard]] bool rewind();

 private:
  enum class Kind : std::uint8_t { none, file, input, text };

  [[nodiscard]] http::PullResult pull(std::span<char> out, std::uint64_t offset);
  [[nodiscard]] http::PullResult pull_input(std::span<char> out);
  [[nodiscard]] http::PullResult more(std::size_t size);
  void pause_over() { resume_(); }

  // ---- Driver
  [[nodiscard]] port::Time prepare(net::PollSet& set, port::Time now) override;
  void ready(std::uint32_t token, port::Events events, port::Time now) override;
  void parked_ready(std::uint32_t token, port::Events events, port::Time now) override;
  void expire(port::Time now) override;
  void work(port::Time now) override;

  net::Loop& loop_;
  net::Callback<> resume_;
  net::Timer pause_;
  RateLimit rate_{};
  Kind kind_ = Kind::none;
  int descriptor_ = -1;
  std::string_view text_{};
  std::optional<std::uint64_t> size_{};
  std::uint64_t skipped_ = 0;
  std::uint64_t sent_ = 0;
  bool was_read_ = false;    // something was taken from the input, or its end was seen
  std::int64_t start_ = -1;  // where the input began, if it can be set back
  bool waits_ = false;       // for standard input
};

}  // namespace pollux::fetch
