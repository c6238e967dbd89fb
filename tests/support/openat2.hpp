// Whether the kernel knows openat2(2). LinuxPort follows links below a directory only with it (port/linux/README.md); qemu-user 7.2 passes most calls on
// to a kernel that knows it, and not this one. Asked of the system, not of LinuxPort.
#pragma once

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

namespace pollux::test {

inline bool has_openat2() {
  return ::syscall(SYS_openat2, -1, "", nullptr, std::size_t{0}) == -1 && errno != ENOSYS;
}

}  // namespace pollux::test
