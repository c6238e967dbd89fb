#include "apps/fetch/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "apps/fetch/file_io.hpp"
#include "stack/base/text.hpp"

namespace pollux::fetch {
namespace {

std::uint64_t percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<std::uint64_t>(static_cast<double>(part) * 100 / static_cast<double>(whole));
}

std::uint64_t speed(std::uint64_t bytes, port::Duration elapsed) {
  const double seconds = std::chrono::duration<double>{elapsed}.count();
  return seconds <= 0 ? 0 : static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds);
}

// Right-aligned in `width` places.
void put_right(base::TextWriter& out, std::string_view text, std::size_t width) {
  for (std::size_t i = text.size(); i < width; ++i) {
    out.put(' ');
  }
  out.put(text);
}

void put_time(base::TextWriter& out, std::optional<std::uint64_t> seconds) {
  std::array<char, 32> memory;
  base::TextWriter text{memory};
  if (!seconds || *seconds > 99 * 3600) {
    text.put("--:--:--");
  } else {
    text.put_decimal(*seconds / 3600).put(':');
    text.put(base::Decimal{100 + *seconds / 60 % 60}.view().substr(1)).put(':');
    text.put(base::Decimal{100 + *seconds % 60}.view().substr(1));
  }
  put_right(out, text.view(), 8);
}

}  // namespace

std::string_view short_size(std::uint64_t bytes, std::span<char> out) {
  base::TextWriter text{out};
  if (bytes < 100'000) {
    return text.put_decimal(bytes).view();
  }
  constexpr std::string_view units = "kMGTPE";
  for (std::size_t i = 0; i < units.size(); ++i) {
    const std::uint64_t unit = std::uint64_t{1} << (10 * (i + 1));
    if (bytes / unit < 100 && i > 0) {
      return text.put_decimal(bytes / unit).put('.').put_decimal(bytes % unit * 10 / unit).put(units[i]).view();
    }
    if (bytes / unit < 10'000) {
      return text.put_decimal(bytes / unit).put(units[i]).view();
    }
  }
  return text.put("many").view();
}

std::string_view meter_line(const Moved& moved, port::Duration elapsed, std::uint64_t speed_now, std::span<char> out) {
  base::TextWriter line{out};
  std::array<char, 32> memory;
  const std::uint64_t size = moved.download_size + moved.upload_size;
  const std::uint64_t done = moved.downloaded + moved.uploaded;
  const std::uint64_t known = size == 0 ? done : size;
  put_right(line, base::Decimal{percent(done, size)}.view(), 3);
  put_right(line, short_size(known, memory), 6);
  put_right(line, base::Decimal{percent(moved.downloaded, moved.download_size)}.view(), 5);
  put_right(line, short_size(moved.downloaded, memory), 6);
  put_right(line, base::Decimal{percent(moved.uploaded, moved.upload_size)}.view(), 5);
  put_right(line, short_size(moved.uploaded, memory), 6);
  put_right(line, short_size(speed(moved.downloaded, elapsed), memory), 7);
  put_right(line, short_size(speed(moved.uploaded, elapsed), memory), 7);
  const auto spent = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(elapsed).count());
  const std::uint64_t rate = speed(done, elapsed);
  const bool is_known = size != 0 && rate != 0;
  const std::uint64_t total = is_known ? size / rate : 0;
  const auto shown = [is_known](std::uint64_t seconds) { return is_known ? std::optional{seconds} : std::nullopt; };
  line.put(' ');
  put_time(line, shown(total));
  line.put(' ');
  put_time(line, spent);
  line.put(' ');
  put_time(line, shown(total - std::min(total, spent)));
  put_right(line, short_size(speed_now, memory), 6);
  return line.view();
}

std::string_view bar_line(const Moved& moved, std::size_t columns, std::span<char> out) {
  base::TextWriter line{out};
  const std::uint64_t size = moved.download_size + moved.upload_size;
  const std::uint64_t done = moved.downloaded + moved.uploaded;
  std::array<char, 32> memory;
  if (size == 0) {
    return line.put(short_size(done, memory)).put(" bytes so far").view();
  }
  columns = std::clamp<std::size_t>(columns, 20, 200);
  const std::size_t width = columns - 8;
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(size));
  const auto filled = static_cast<std::size_t>(part * static_cast<double>(width));
  for (std::size_t i = 0; i < width; ++i) {
    line.put(i < filled ? '#' : ' ');
  }
  const auto tenths = static_cast<std::uint64_t>(part * 1000);
  base::TextWriter number{memory};
  number.put_decimal(tenths / 10).put('.').put_decimal(tenths % 10).put('%');
  put_right(line, number.view(), 7);
  return line.view();
}

Progress::Progress(net::Loop& loop, net::Callback<Moved&> ask)
    : loop_{loop}, ask_{ask}, timer_{loop, net::callback<&Progress::tick>(*this)} {}

void Progress::start(bool as_bar) {
  as_bar_ = as_bar;
  has_shown_ = false;
  began_ = shown_at_ = loop_.port().now();
  shown_bytes_ = 0;
  timer_.start_every(period);
}

void Progress::stop() {
  timer_.stop();
  if (has_shown_) {
    show();
    static_cast<void>(write_all(STDERR_FILENO, "\n"));
    has_shown_ = false;
  }
}

void Progress::tick() {
  if (!has_shown_ && !as_bar_) {
    static_cast<void>(write_all(STDERR_FILENO,
                                "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
                                "                                 Dload  Upload   Total   Spent    Left  Speed\n"));
  }
  has_shown_ = true;
  show();
}

void Progress::show() {
  Moved moved;
  ask_(moved);
  const port::Time now = loop_.now();
  std::array<char, 256> memory;
  if (as_bar_) {
    winsize window{};
    const bool is_known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col != 0;
    const std::string_view line = bar_line(moved, is_known ? window.ws_col : 80, memory);
    static_cast<void>(write_all(STDERR_FILENO, "\r"));
    static_cast<void>(write_all(STDERR_FILENO, line));
    return;
  }
  const std::uint64_t bytes = moved.downloaded + moved.uploaded;
  const std::uint64_t now_speed = speed(bytes - std::min(bytes, shown_bytes_), now - shown_at_);
  shown_at_ = now;
  shown_bytes_ = bytes;
  static_cast<void>(write_all(STDERR_FILENO, "\r"));
  static_cast<void>(write_all(STDERR_FILENO, meter_line(moved, now - began_, now_speed, memory)));
}

}  // namespace pollux::fetch
