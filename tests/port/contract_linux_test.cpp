// The contract on LinuxPort: as it is, with every fallback taken, and without parking.
#include "tests/port/contract.hpp"
#include "tests/port/linux_world.hpp"
#include "tests/support/openat2.hpp"

namespace pollux::port {
namespace {

struct Ordinary : LinuxWorld {
  static inline const bool follows_links = test::has_openat2();
};
// As on a kernel that knows neither CLOCK_BOOTTIME nor openat2(2).
struct OldKernel : LinuxWorld {
  OldKernel() : LinuxWorld{{.boot_time = false, .openat2 = false}} {}
  static constexpr bool follows_links = false;
};
struct WithoutParking : LinuxWorld {
  WithoutParking() : LinuxWorld{{.parking = false}} {}
  static inline const bool follows_links = test::has_openat2();
};

POLLUX_PORT_CONTRACT(Linux, Ordinary);
POLLUX_PORT_CONTRACT(LinuxOldKernel, OldKernel);
POLLUX_PORT_CONTRACT(LinuxWithoutParking, WithoutParking);

}  // namespace
}  // namespace pollux::port
