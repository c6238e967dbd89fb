// DeviceFiles: the few calls that GPIO lines and a watchdog are made of. The kernel's own, or those of a test that has neither.
#pragma once

#include <span>
#include <string_view>

namespace pollux::device {

class DeviceFiles {
 public:
  // open(2), close-on-exec added. A descriptor, or a negative errno.
  [[nodiscard]] virtual int open(const char* path, int flags) noexcept = 0;
  // ioctl(2) with a pointer. 0 or more, or a negative errno.
  [[nodiscard]] virtual int control(int descriptor, unsigned long request, void* argument) noexcept = 0;
  // write(2) of all of it. 0, or a negative errno.
  [[nodiscard]] virtual int write(int descriptor, std::string_view bytes) noexcept = 0;
  // readlink(2). What was written into `memory`, cut if it is longer; or a negative errno.
  [[nodiscard]] virtual int read_link(const char* path, std::span<char> memory) noexcept = 0;
  virtual void close(int descriptor) noexcept = 0;

 protected:
  DeviceFiles() = default;
  ~DeviceFiles() = default;
};

// Those of the machine.
[[nodiscard]] DeviceFiles& kernel_device_files() noexcept;

}  // namespace pollux::device
