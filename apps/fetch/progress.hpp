// Progress: the meter on standard error - curl's table, or a bar with -#. Only on a terminal, and only from the first half second on: what
// is over by then needs none.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "port/time.hpp"
#include "stack/net/loop.hpp"

namespace pollux::fetch {

struct Moved {
  std::uint64_t downloaded = 0;
  std::uint64_t uploaded = 0;
  std::uint64_t download_size = 0;  // 0: unknown
  std::uint64_t upload_size = 0;
};

// Writes the meter's line into `out` without a line end: "100  1000  100  1000    0     0   2000      0  0:00:05  0:00:05 --:--:--  2000".
[[nodiscard]] std::string_view meter_line(const Moved& moved, port::Duration elapsed, std::uint64_t speed_now,
                                          std::span<char> out);
// "####     50.0%", `columns` wide.
[[nodiscard]] std::string_view bar_line(const Moved& moved, std::size_t columns, std::span<char> out);
// Five places at most: "12345", "12.3k", "1234k", "12.3M".
[[nodiscard]] std::string_view short_size(std::uint64_t bytes, std::span<char> out);

class Progress {
 public:
  static constexpr port::Duration period = std::chrono::milliseconds{500};

  // `ask` fills in how far it is.
  Progress(net::Loop& loop, net::Callback<Moved&> ask);

  void start(bool as_bar);
  // Shows the last state if anything was shown.
  void stop();

 private:
  void tick();
  void show();

  net::Loop& loop_;
  net::Callback<Moved&> ask_;
  net::Timer timer_;
  port::Time began_{};
  port::Time shown_at_{};
  std::uint64_t shown_bytes_ = 0;
  bool as_bar_ = false;
  bool has_shown_ = false;
};

}  // namespace pollux::fetch
