#include "apps/device/gpio.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>

#include <array>
#include <cstring>
#include <span>

#include "apps/device/system_files.hpp"
#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::device {

namespace {

// Machines have fewer than ten; numbers may be missing in between.
constexpr std::uint64_t chips_max = 64;

GpioFault fault_from(int number) noexcept {
  switch (number) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return GpioFault::no_chip;
    case EBUSY:
      return GpioFault::busy;
    case EACCES:
    case EPERM:
      return GpioFault::not_permitted;
    default:
      return GpioFault::failed;
  }
}

// The text up to `separator`, which is taken off `rest` too; all of it without one.
std::string_view take_until(std::string_view& rest, char separator) noexcept {
  const std::size_t at = rest.find(separator);
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return taken;
}

// A name goes into a path of the API and into JSON.
bool is_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > 63) {
    return false;
  }
  for (const char c : name) {
    if (c <= ' ' || c == '/' || c == '"' || c == '\\' || c == '\x7F') {
      return false;
    }
  }
  return true;
}

const board::Line* find_line(std::span<const board::Line> lines, std::string_view name) noexcept {
  for (const board::Line& line : lines) {
    if (line.name == name) {
      return &line;
    }
  }
  return nullptr;
}

const char* take_setting(GpioLine& line, std::string_view setting) noexcept {
  if (setting == "in") {
    line.claim = board::Claim::input;
  } else if (setting == "out") {
    line.claim = board::Claim::output;
  } else if (setting == "high") {
    line.is_high_first = true;
  } else if (setting == "active-low") {
    line.is_active_low = true;
  } else if (setting == "pull-up") {
    line.is_pulled_up = true;
  } else if (setting == "pull-down") {
    line.is_pulled_down = true;
  } else {
    return "has a setting that is none of in, out, high, active-low, pull-up, pull-down";
  }
  return nullptr;
}

// nullptr, or what is wrong.
const char* parse(std::string_view text, std::span<const board::Line> lines, GpioLine& line) noexcept {
  std::string_view rest = text;
  const std::size_t end = text.find_first_of("=:");
  const bool has_source = end != std::string_view::npos && text[end] == '=';
  line.name = take_until(rest, has_source ? '=' : ':');
  if (!is_name(line.name)) {
    return "is not NAME=CHIP:LINE[:in|out]";
  }
  const std::string_view source = has_source ? take_until(rest, ':') : line.name;
  if (const board::Line* known = find_line(lines, source)) {
    line.chip = known->chip;
    line.offset = known->offset;
  } else if (!has_source) {
    return "names no line of this board; NAME=CHIP:LINE[:in|out] names any";
  } else {
    const auto offset = base::parse_decimal(take_until(rest, ':'), UINT32_MAX);
    if (source.empty() || !offset) {
      return "is not NAME=CHIP:LINE[:in|out]";
    }
    line.chip = source;
    line.offset = static_cast<std::uint32_t>(*offset);
  }
  line.claim = board::Claim::input;
  line.is_asked_for = true;
  while (!rest.empty()) {
    if (const char* wrong = take_setting(line, take_until(rest, ','))) {
      return wrong;
    }
  }
  if (line.is_high_first && line.claim == board::Claim::input) {
    return "sets an input; high is for out";
  }
  if (line.is_pulled_up && line.is_pulled_down) {
    return "pulls up and down";
  }
  return nullptr;
}

std::uint64_t flags_of(const GpioLine& line) noexcept {
  std::uint64_t flags = line.claim == board::Claim::output ? GPIO_V2_LINE_FLAG_OUTPUT : GPIO_V2_LINE_FLAG_INPUT;
  flags |= line.is_active_low ? GPIO_V2_LINE_FLAG_ACTIVE_LOW : 0;
  flags |= line.is_pulled_up ? GPIO_V2_LINE_FLAG_BIAS_PULL_UP : 0;
  flags |= line.is_pulled_down ? GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN : 0;
  return flags;
}

bool is_text(std::span<const char> memory, std::string_view text) noexcept {
  return std::string_view{memory.data(), ::strnlen(memory.data(), memory.size())} == text;
}

// Whether the device whose driver made this chip has that name: "4804c000.gpio", by its address. The kernel says it in the chip's path,
// "../../../devices/platform/ocp/4804c000.gpio/gpiochip1". A path that is longer than `memory` has lost its end and is nobody's.
bool is_device(DeviceFiles& files, std::string_view number, std::string_view name) noexcept {
  const Path path{"/sys/bus/gpio/devices/gpiochip", number};
  std::array<char, 512> memory{};
  const int size = files.read_link(path.text(), memory);
  if (size <= 0 || static_cast<std::size_t>(size) >= memory.size()) {
    return false;
  }
  std::string_view folder{memory.data(), static_cast<std::size_t>(size)};
  folder = folder.substr(0, folder.rfind('/'));
  return folder.substr(folder.rfind('/') + 1) == name;
}

struct Chip {
  int descriptor = -1;
  std::uint32_t lines = 0;
  GpioFault fault = GpioFault::no_chip;
};

// Opens the chip of that label, name, path or device; the first one if several have the label or device.
Chip open_chip(DeviceFiles& files, std::string_view name) noexcept {
  Chip chip;
  for (std::uint64_t i = 0; i < chips_max; ++i) {
    const base::Decimal number{i};
    const Path path{"/dev/gpiochip", number.view()};
    const int descriptor = files.open(path.text(), O_RDWR);
    if (descriptor < 0) {
      if (descriptor != -ENOENT) {
        chip.fault = fault_from(-descriptor);  // it may have been the one
      }
      continue;
    }
    struct gpiochip_info info {};
    if (files.control(descriptor, GPIO_GET_CHIPINFO_IOCTL, &info) >= 0 &&
        (is_text(info.label, name) || is_text(info.name, name) || name == path.text() ||
         is_device(files, number.view(), name))) {
      return {.descriptor = descriptor, .lines = info.lines, .fault = GpioFault::none};
    }
    files.close(descriptor);
  }
  return chip;
}

}  // namespace

std::string_view describe(GpioFault fault) noexcept {
  switch (fault) {
    case GpioFault::none:
      return "none";
    case GpioFault::not_claimed:
      return "this program was not started with --gpio for this line";
    case GpioFault::no_chip:
      return "this machine has no such GPIO chip";
    case GpioFault::no_line:
      return "the GPIO chip has no such line";
    case GpioFault::busy:
      return "another program or a driver has this line";
    case GpioFault::not_permitted:
      return "this program may not open the GPIO chip";
    case GpioFault::failed:
      break;
  }
  return "the GPIO chip refused";
}

GpioLine* Gpio::same_line(const GpioLine& line) noexcept {
  for (std::size_t i = 0; i < size_; ++i) {
    const bool is_same_place = lines_[i].chip == line.chip && lines_[i].offset == line.offset;
    if (is_same_place || lines_[i].name == line.name) {
      return &lines_[i];
    }
  }
  return nullptr;
}

void Gpio::add_board(std::span<const board::Line> lines) noexcept {
  for (const board::Line& line : lines) {
    if (size_ < lines_max) {
      lines_[size_++] = {.name = line.name, .chip = line.chip, .offset = line.offset, .claim = line.claim};
    }
  }
}

const char* Gpio::check(std::string_view text, std::span<const board::Line> lines) noexcept {
  GpioLine line;
  return parse(text, lines, line);
}

const char* Gpio::add(std::string_view text, std::span<const board::Line> lines) noexcept {
  GpioLine line;
  if (const char* wrong = parse(text, lines, line)) {
    return wrong;
  }
  GpioLine* place = same_line(line);
  if (place != nullptr && place->is_asked_for) {
    return "names a line or has a name that another --gpio has";
  }
  if (place == nullptr && size_ == lines_max) {
    return "is one line too many";
  }
  *(place != nullptr ? place : &lines_[size_++]) = line;
  return nullptr;
}

GpioFault Gpio::request(GpioLine& line) const noexcept {
  const Chip chip = open_chip(*files_, line.chip);
  if (chip.descriptor < 0) {
    return chip.fault;
  }
  if (line.offset >= chip.lines) {
    files_->close(chip.descriptor);
    return GpioFault::no_line;
  }
  struct gpio_v2_line_request request {};
  request.offsets[0] = line.offset;
  request.num_lines = 1;
  constexpr std::string_view consumer = "pollux-device";
  consumer.copy(request.consumer, sizeof request.consumer - 1);
  request.config.flags = flags_of(line);
  if (line.claim == board::Claim::output) {
    request.config.num_attrs = 1;
    request.config.attrs[0].mask = 1;
    request.config.attrs[0].attr.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES;
    request.config.attrs[0].attr.values = line.is_high_first ? 1 : 0;
  }
  const int result = files_->control(chip.descriptor, GPIO_V2_GET_LINE_IOCTL, &request);
  files_->close(chip.descriptor);  // a line lives without its chip's descriptor
  if (result < 0) {
    return fault_from(-result);
  }
  line.descriptor = request.fd;
  return GpioFault::none;
}

const GpioLine* Gpio::open(DeviceFiles& files) noexcept {
  files_ = &files;
  for (std::size_t i = 0; i < size_; ++i) {
    GpioLine& line = lines_[i];
    if (line.claim == board::Claim::none) {
      continue;
    }
    line.fault = request(line);
    if (line.fault != GpioFault::none && line.is_asked_for) {
      return &line;
    }
  }
  return nullptr;
}

void Gpio::close() noexcept {
  for (std::size_t i = 0; i < size_; ++i) {
    if (lines_[i].descriptor >= 0) {
      files_->close(lines_[i].descriptor);
      lines_[i].descriptor = -1;
      lines_[i].fault = GpioFault::not_claimed;
    }
  }
}

const GpioLine* Gpio::find(std::string_view name) const noexcept {
  for (const GpioLine& line : lines()) {
    if (line.name == name) {
      return &line;
    }
  }
  return nullptr;
}

int Gpio::get(const GpioLine& line) const noexcept {
  ENSURE(line.descriptor >= 0);
  struct gpio_v2_line_values values {};
  values.mask = 1;
  const int result = files_->control(line.descriptor, GPIO_V2_LINE_GET_VALUES_IOCTL, &values);
  return result < 0 ? result : static_cast<int>(values.bits & 1);
}

int Gpio::set(const GpioLine& line, bool is_on) const noexcept {
  ENSURE(line.descriptor >= 0);
  ENSURE(line.claim == board::Claim::output);
  struct gpio_v2_line_values values {};
  values.mask = 1;
  values.bits = is_on ? 1 : 0;
  const int result = files_->control(line.descriptor, GPIO_V2_LINE_SET_VALUES_IOCTL, &values);
  return result < 0 ? result : 0;
}

}  // namespace pollux::device
