#include "apps/device/watchdog.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <string.h>

#include <chrono>

#include "apps/support/line.hpp"
#include "stack/base/text.hpp"

namespace pollux::device {

namespace {

constexpr std::uint32_t seconds_limit = 24 * 60 * 60;

// Of a driver that does not tell its time. All known ones have a minute or more then.
constexpr std::uint32_t seconds_unknown = 15;

}  // namespace

std::optional<WatchdogRequest> parse_watchdog(std::string_view text, const board::Watchdog& board) noexcept {
  if (text == "board") {
    return board.device.empty() ? std::nullopt
                                : std::optional{WatchdogRequest{.device = board.device, .seconds = board.seconds}};
  }
  if (!text.starts_with('/')) {
    return std::nullopt;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return WatchdogRequest{.device = text};
  }
  const auto seconds = base::parse_decimal(text.substr(colon + 1), seconds_limit);
  return seconds && *seconds > 0 ? std::optional{WatchdogRequest{.device = text.substr(0, colon),
                                                                 .seconds = static_cast<std::uint32_t>(*seconds)}}
                                 : std::nullopt;
}

HardwareWatchdog::HardwareWatchdog(net::Loop& loop, DeviceFiles& files) noexcept
    : files_{files}, timer_{loop, net::callback<&HardwareWatchdog::feed>(*this)} {}

std::optional<WatchdogError> HardwareWatchdog::set_time(std::uint32_t seconds) noexcept {
  int time = static_cast<int>(seconds);
  if (seconds == 0) {
    const bool is_known = files_.control(descriptor_, WDIOC_GETTIMEOUT, &time) >= 0 && time > 0;
    seconds_ = is_known ? static_cast<std::uint32_t>(time) : seconds_unknown;
    return std::nullopt;
  }
  const int result = files_.control(descriptor_, WDIOC_SETTIMEOUT, &time);
  if (result == -EINVAL) {
    return WatchdogError{.reason = "does not take so many seconds"};
  }
  if (result == -EOPNOTSUPP || result == -ENOTTY) {
    return WatchdogError{.reason = "has a time that cannot be changed; leave :SECONDS out"};
  }
  if (result < 0) {
    return WatchdogError{.number = -result};
  }
  seconds_ = time > 0 ? static_cast<std::uint32_t>(time) : seconds;  // rounded to what the hardware can
  return std::nullopt;
}

std::optional<WatchdogError> HardwareWatchdog::open(const WatchdogRequest& request) noexcept {
  const Path path{request.device};
  const int descriptor = path.text() == nullptr ? -ENAMETOOLONG : files_.open(path.text(), O_WRONLY);
  if (descriptor == -EBUSY) {
    return WatchdogError{.reason = "is fed by somebody else (systemd does with RuntimeWatchdogSec)"};
  }
  if (descriptor < 0) {
    return WatchdogError{.number = -descriptor};
  }
  struct watchdog_info info {};
  if (files_.control(descriptor, WDIOC_GETSUPPORT, &info) < 0) {
    files_.close(descriptor);
    return WatchdogError{.reason = "is no watchdog"};
  }
  // Opening it has started it.
  descriptor_ = descriptor;
  device_ = request.device;
  const auto* identity = reinterpret_cast<const char*>(info.identity);
  identity_ = std::string_view{identity, ::strnlen(identity, sizeof info.identity)};
  if (const auto error = set_time(request.seconds)) {
    stop();
    return error;
  }
  int status = 0;
  if ((info.options & WDIOF_CARDRESET) != 0 && files_.control(descriptor_, WDIOC_GETBOOTSTATUS, &status) >= 0) {
    has_reset_ = (status & WDIOF_CARDRESET) != 0;
  }
  feed();
  timer_.start_every(std::chrono::milliseconds{std::int64_t{seconds_} * 1000} / 3);
  return std::nullopt;
}

void HardwareWatchdog::feed() noexcept {
  int unused = 0;
  const int result = files_.control(descriptor_, WDIOC_KEEPALIVE, &unused);
  if (result >= 0) {
    return;
  }
  if (++failures_ == 1) {  // once: it happens again every few seconds until the machine is reset
    apps::print_line(STDERR_FILENO, "--watchdog ", device_, ": cannot be fed: ", ::strerror(-result));
  }
}

void HardwareWatchdog::stop() noexcept {
  if (descriptor_ < 0) {
    return;
  }
  timer_.stop();
  // Without the letter the kernel takes the end for a crash (magic close). If even that fails there is nothing left to do.
  static_cast<void>(files_.write(descriptor_, "V"));
  files_.close(descriptor_);
  descriptor_ = -1;
}

}  // namespace pollux::device
