#include "apps/device/device_files.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace pollux::device {

namespace {

// The type of ioctl's second parameter is the C library's choice: unsigned long in glibc, int in musl.
template <typename Request>
int call(int (*function)(int, Request, ...), int descriptor, unsigned long request, void* argument) noexcept {
  return function(descriptor, static_cast<Request>(request), argument);
}

class Kernel final : public DeviceFiles {
 public:
  int open(const char* path, int flags) noexcept override {
    const int descriptor = ::open(path, flags | O_CLOEXEC | O_NOCTTY);
    return descriptor < 0 ? -errno : descriptor;
  }
  int control(int descriptor, unsigned long request, void* argument) noexcept override {
    int result = 0;
    do {
      result = call(::ioctl, descriptor, request, argument);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
  }
  int write(int descriptor, std::string_view bytes) noexcept override {
    ssize_t written = 0;
    do {
      written = ::write(descriptor, bytes.data(), bytes.size());
    } while (written < 0 && errno == EINTR);
    if (written < 0) {
      return -errno;
    }
    return static_cast<std::size_t>(written) == bytes.size() ? 0 : -EIO;
  }
  int read_link(const char* path, std::span<char> memory) noexcept override {
    const ssize_t size = ::readlink(path, memory.data(), memory.size());
    return size < 0 ? -errno : static_cast<int>(size);
  }
  void close(int descriptor) noexcept override { ::close(descriptor); }
};

constinit Kernel kernel;

}  // namespace

DeviceFiles& kernel_device_files() noexcept {
  return kernel;
}

}  // namespace pollux::device
