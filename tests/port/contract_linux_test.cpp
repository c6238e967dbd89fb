// The contract on LinuxPort: as it is, with every fallback taken, and without parking.
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/port/contract.hpp"
#include "tests/port/linux_world.hpp"

namespace pollux::port {
namespace {

// Asked of the kernel, not of LinuxPort: an emulator may not know the call (qemu-user 7.2 does not).
bool has_openat2() {
  return ::syscall(SYS_openat2, -1, "", nullptr, std::size_t{0}) == -1 && errno != ENOSYS;
}

struct Ordinary : LinuxWorld {
  static inline const bool follows_links = has_openat2();
};
// As on a kernel that knows neither CLOCK_BOOTTIME nor openat2(2).
struct OldKernel : LinuxWorld {
  OldKernel() : LinuxWorld{{.boot_time = false, .openat2 = false}} {}
  static constexpr bool follows_links = false;
};
struct WithoutParking : LinuxWorld {
  WithoutParking() : LinuxWorld{{.parking = false}} {}
  static inline const bool follows_links = has_openat2();
};

POLLUX_PORT_CONTRACT(Linux, Ordinary);
POLLUX_PORT_CONTRACT(LinuxOldKernel, OldKernel);
POLLUX_PORT_CONTRACT(LinuxWithoutParking, WithoutParking);

}  // namespace
}  // namespace pollux::port
