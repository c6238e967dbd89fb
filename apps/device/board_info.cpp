#include "apps/device/board_info.hpp"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bit>
#include <cstring>

#include "stack/base/text.hpp"

namespace pollux::device {

namespace {

// Longer than any line-sized file. The two that are longer, meminfo and if_inet6, have memory of their own.
using Line = std::array<char, 256>;

template <typename... Pieces>
std::optional<std::int64_t> read_number(const Pieces&... pieces) noexcept {
  Line memory;
  auto text = read_text(Path{pieces...}, memory);
  return text ? take_number(*text) : std::nullopt;
}

// The value of a line "Name:   1234 kB", in bytes.
std::optional<std::uint64_t> find_kilobytes(std::string_view text, std::string_view name) noexcept {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(at + name.size());
  const auto value = take_number(text);
  return value && *value >= 0 ? std::optional{static_cast<std::uint64_t>(*value) * 1024} : std::nullopt;
}

std::optional<double> read_uptime(const BoardRoots& roots) noexcept {
  Line memory;
  auto text = read_text(Path{roots.procfs, "/uptime"}, memory);
  return text ? take_real(*text) : std::nullopt;
}

std::optional<std::array<double, 3>> read_load(const BoardRoots& roots) noexcept {
  Line memory;
  auto text = read_text(Path{roots.procfs, "/loadavg"}, memory);
  std::array<double, 3> load{};
  for (double& average : load) {
    const auto value = text ? take_real(*text) : std::nullopt;
    if (!value) {
      return std::nullopt;
    }
    average = *value;
  }
  return load;
}

std::optional<Space> read_memory(const BoardRoots& roots) noexcept {
  std::array<char, 2048> memory;
  const auto text = read_text(Path{roots.procfs, "/meminfo"}, memory);
  const auto total = text ? find_kilobytes(*text, "MemTotal:") : std::nullopt;
  const auto available = text ? find_kilobytes(*text, "MemAvailable:") : std::nullopt;
  return total && available ? std::optional{Space{.total = *total, .available = *available}} : std::nullopt;
}

std::optional<std::uint64_t> read_resident(const BoardRoots& roots) noexcept {
  std::array<char, 2048> memory;
  const auto text = read_text(Path{roots.procfs, "/self/status"}, memory);
  return text ? find_kilobytes(*text, "VmRSS:") : std::nullopt;
}

std::optional<Space> read_disk() noexcept {
  struct statvfs status {};
  if (::statvfs("/", &status) != 0) {
    return std::nullopt;
  }
  const std::uint64_t block = status.f_frsize;
  return Space{.total = block * status.f_blocks, .available = block * status.f_bavail};
}

// How many are in "0-3,6".
std::optional<std::uint32_t> read_cpus(const BoardRoots& roots) noexcept {
  Line memory;
  auto text = read_text(Path{roots.sysfs, "/devices/system/cpu/online"}, memory);
  std::uint32_t count = 0;
  while (text && !text->empty()) {
    const std::size_t comma = text->find(',');
    std::string_view range = text->substr(0, comma);
    const auto first = take_number(range);
    auto last = first;
    if (range.starts_with('-')) {
      range.remove_prefix(1);
      last = take_number(range);
    }
    if (!first || !last || *last < *first || *last > 65535) {
      return std::nullopt;
    }
    count += static_cast<std::uint32_t>(*last - *first + 1);
    text->remove_prefix(comma == std::string_view::npos ? text->size() : comma + 1);
  }
  return count > 0 ? std::optional{count} : std::nullopt;
}

// The device tree's name, which ARM and RISC-V boards have, or the firmware's of a PC.
void read_model(const BoardRoots& roots, FixedText<128>& model) noexcept {
  Line memory;
  const Path sources[] = {Path{roots.procfs, "/device-tree/model"}, Path{roots.sysfs, "/class/dmi/id/product_name"}};
  for (const Path& source : sources) {
    const auto text = read_text(source, memory);
    if (text && !text->empty()) {
      model = *text;
      return;
    }
  }
  model = "unknown";
}

void read_kernel(const BoardRoots& roots, BoardInfo& info) noexcept {
  Line memory;
  if (const auto text = read_text(Path{roots.procfs, "/sys/kernel/ostype"}, memory)) {
    info.kernel = *text;
  }
  if (const auto text = read_text(Path{roots.procfs, "/sys/kernel/osrelease"}, memory)) {
    info.kernel_release = *text;
  }
  struct utsname name {};
  if (::uname(&name) == 0) {
    info.machine = name.machine;
  }
}

std::optional<bool> read_clock_state() noexcept {
  struct timex state {};  // modes 0: only asks
  const int result = ::adjtimex(&state);
  return result < 0 ? std::nullopt : std::optional{result != TIME_ERROR && (state.status & STA_UNSYNC) == 0};
}

void read_temperatures(const BoardRoots& roots, BoardInfo& info) noexcept {
  const auto zones = list_names(Path{roots.sysfs, "/class/thermal"});
  if (!zones) {
    return;
  }
  for (const Name& zone : *zones) {
    if (!zone.view().starts_with("thermal_zone")) {
      continue;  // cooling_device0
    }
    const auto value = read_number(roots.sysfs, "/class/thermal/", zone.view(), "/temp");
    if (!value || *value < INT32_MIN || *value > INT32_MAX) {
      continue;  // a sensor that is switched off cannot be read
    }
    Temperature* temperature = info.temperatures.add();
    if (temperature == nullptr) {
      return;
    }
    Line memory;
    const auto type = read_text(Path{roots.sysfs, "/class/thermal/", zone.view(), "/type"}, memory);
    temperature->name = type && !type->empty() ? *type : zone.view();
    temperature->millidegrees = static_cast<std::int32_t>(*value);
  }
}

// ---- the network

using Interfaces = FixedList<Interface, BoardInfo::interfaces_max>;

Interface* find(Interfaces& interfaces, std::string_view name) noexcept {
  for (Interface& interface : interfaces) {
    if (interface.name.view() == name) {
      return &interface;
    }
  }
  return nullptr;
}

void read_interface(const BoardRoots& roots, Interface& interface) noexcept {
  Line memory;
  const std::string_view name = interface.name.view();
  const auto mac = read_text(Path{roots.sysfs, "/class/net/", name, "/address"}, memory);
  if (mac && mac->size() == 17 && *mac != "00:00:00:00:00:00") {
    interface.mac = *mac;
  }
  const auto state = read_text(Path{roots.sysfs, "/class/net/", name, "/operstate"}, memory);
  if (!state) {
    return;
  }
  // Loopback and tunnels have no state to tell; switched on is as good as it gets for them.
  if (*state == "unknown") {
    const auto flags = read_text(Path{roots.sysfs, "/class/net/", name, "/flags"}, memory);  // "0x1003"
    interface.is_up = flags && !flags->empty() && (base::hex_value(flags->back()) & IFF_UP) != 0;
    return;
  }
  interface.is_up = *state == "up";
}

// Lines "fe80000000000000ba27ebfffe000001 02 40 20 80   eth0": address, index, prefix, scope, flags, name; all hexadecimal.
void add_ipv6(std::string_view line, Interfaces& interfaces) noexcept {
  constexpr std::size_t address_size = 32;
  constexpr std::size_t name_at_min = address_size + 4 * 3;
  if (line.size() <= name_at_min) {
    return;
  }
  Interface* interface = find(interfaces, base::trim(line.substr(name_at_min)));
  InterfaceAddress* added = interface != nullptr ? interface->addresses.add() : nullptr;
  if (added == nullptr) {
    return;
  }
  added->address.family = port::Family::ipv6;
  const auto byte_at = [line](std::size_t at) {
    const int high = base::hex_value(line[at]);
    const int low = base::hex_value(line[at + 1]);
    return static_cast<std::uint8_t>(high < 0 || low < 0 ? 0 : high * 16 + low);
  };
  for (std::size_t i = 0; i < 16; ++i) {
    added->address.ip[i] = byte_at(2 * i);
  }
  added->prefix = byte_at(address_size + 4);
}

void read_ipv6(const BoardRoots& roots, Interfaces& interfaces) noexcept {
  std::array<char, 8192> memory;  // 150 addresses
  const auto text = read_text(Path{roots.procfs, "/net/if_inet6"}, memory);
  std::string_view rest = text.value_or("");
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    add_ipv6(rest.substr(0, end), interfaces);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
}

// The kernel has no file that names IPv4 addresses by interface; netdevice(7) has a call.
void read_ipv4(Interfaces& interfaces) noexcept {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) {
    return;
  }
  std::array<struct ifreq, 64> entries{};
  struct ifconf request {};
  request.ifc_len = static_cast<int>(sizeof entries);
  request.ifc_req = entries.data();
  const std::size_t count =
      ::ioctl(socket, SIOCGIFCONF, &request) == 0 ? static_cast<std::size_t>(request.ifc_len) / sizeof entries[0] : 0;
  for (std::size_t i = 0; i < count; ++i) {
    struct ifreq& entry = entries[i];
    std::string_view name{entry.ifr_name, ::strnlen(entry.ifr_name, sizeof entry.ifr_name)};
    name = name.substr(0, name.find(':'));  // "eth0:1" is one more address of eth0
    Interface* interface = find(interfaces, name);
    InterfaceAddress* added = interface != nullptr ? interface->addresses.add() : nullptr;
    if (added == nullptr) {
      continue;
    }
    struct sockaddr_in address {};
    std::memcpy(&address, &entry.ifr_addr, sizeof address);
    added->address.family = port::Family::ipv4;
    std::memcpy(added->address.ip.data(), &address.sin_addr, 4);
    if (::ioctl(socket, SIOCGIFNETMASK, &entry) == 0) {
      std::memcpy(&address, &entry.ifr_netmask, sizeof address);
      added->prefix = static_cast<std::uint8_t>(std::popcount(address.sin_addr.s_addr));
    }
  }
  ::close(socket);
}

void read_interfaces(const BoardRoots& roots, BoardInfo& info) noexcept {
  const auto names = list_names(Path{roots.sysfs, "/class/net"});
  if (!names) {
    return;
  }
  Interfaces& interfaces = info.interfaces.emplace();
  for (const Name& name : *names) {
    if (!is_directory(Path{roots.sysfs, "/class/net/", name.view()})) {
      continue;  // "bonding_masters" is a file
    }
    Interface* interface = interfaces.add();
    if (interface == nullptr) {
      break;
    }
    interface->name = name.view();
    read_interface(roots, *interface);
  }
  read_ipv4(interfaces);
  read_ipv6(roots, interfaces);
}

}  // namespace

FixedText<64> read_hostname(const BoardRoots& roots) noexcept {
  Line memory;
  FixedText<64> hostname;
  hostname = read_text(Path{roots.procfs, "/sys/kernel/hostname"}, memory).value_or("");
  return hostname;
}

void read_board_info(const BoardRoots& roots, BoardInfo& info) noexcept {
  info = BoardInfo{};
  read_model(roots, info.model);
  info.hostname = read_hostname(roots);
  read_kernel(roots, info);
  info.cpus = read_cpus(roots);
  info.uptime_s = read_uptime(roots);
  info.load = read_load(roots);
  info.memory = read_memory(roots);
  info.resident = read_resident(roots);
  info.disk = read_disk();
  info.clock_synchronised = read_clock_state();
  read_temperatures(roots, info);
  read_interfaces(roots, info);
}

}  // namespace pollux::device
