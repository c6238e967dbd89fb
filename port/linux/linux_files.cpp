// Files of LinuxPort: opened beneath a directory, and read.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "port/ensure.hpp"
#include "port/linux/linux_port.hpp"

namespace pollux::port {
namespace {

// O_NONBLOCK: a fifo without a writer, or a device, must not stop us before fstat(2) refuses it. For regular files it
// means nothing.
constexpr int open_flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

// openat2(2) says EAGAIN when something was renamed while it looked at a ".." of a link; the next try is as good as the
// first.
constexpr int openat2_attempts_max = 8;

// True if `path` is absolute or has a ".." among its parts.
bool points_outside(std::string_view path) noexcept {
  if (path.starts_with('/')) {
    return true;
  }
  while (!path.empty()) {
    const std::size_t size = std::min(path.find('/'), path.size());
    if (size == 2 && path[0] == '.' && path[1] == '.') {
      return true;
    }
    path.remove_prefix(std::min(size + 1, path.size()));
  }
  return false;
}

std::uint64_t mix(std::uint64_t state, std::uint64_t value) noexcept {  // the finaliser of splitmix64
  std::uint64_t x = state + value + 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

std::uint64_t change_id_of(const struct stat& status) noexcept {
  std::uint64_t id = mix(0, static_cast<std::uint64_t>(status.st_dev));
  id = mix(id, static_cast<std::uint64_t>(status.st_ino));
  id = mix(id, static_cast<std::uint64_t>(status.st_size));
  id = mix(id, static_cast<std::uint64_t>(status.st_mtim.tv_sec));
  return mix(id, static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
}

// The zero-terminated `path` in `text`. 0 or an errno.
int copy_path(std::string_view path, std::array<char, PATH_MAX>& text) noexcept {
  if (path.size() >= text.size()) {
    return ENAMETOOLONG;
  }
  if (path.find('\0') != std::string_view::npos) {
    return ENOENT;
  }
  std::memcpy(text.data(), path.data(), path.size());
  text[path.size()] = '\0';
  return 0;
}

FileInfo info_of(int descriptor, const struct stat& status) noexcept {
  const bool is_directory = S_ISDIR(status.st_mode);
  return {.file = {descriptor},
          .kind = is_directory ? FileKind::directory : FileKind::regular,
          .size = is_directory ? 0 : static_cast<std::uint64_t>(status.st_size),
          .modified = {.seconds = status.st_mtim.tv_sec},
          .change_id = change_id_of(status)};
}

// A descriptor, or an errno made negative.
int open_with_openat2(int root, const char* path) noexcept {
  open_how how{};
  how.flags = static_cast<unsigned>(open_flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 1;; ++attempt) {
    const long descriptor = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    if (descriptor >= 0) {
      return static_cast<int>(descriptor);
    }
    if ((errno != EAGAIN && errno != EINTR) || attempt == openat2_attempts_max) {
      return -errno;
    }
  }
}

// Opens `name`, which has no slash, in `parent` without following a link: for reading if it is the last part of a path,
// else only as a place to go on from. A descriptor, or an errno made negative.
int open_step(int parent, const char* name, bool is_last) noexcept {
  const int flags = is_last ? open_flags : O_PATH | O_CLOEXEC;
  const int descriptor = ::openat(parent, name, flags | O_NOFOLLOW);
  if (descriptor < 0) {
    return -errno;
  }
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISLNK(status.st_mode)) {  // O_PATH opens the link itself
    ::close(descriptor);
    return -ELOOP;
  }
  return descriptor;
}

// What openat2 does, one part of the path after the other, and without following any link: to know where a link leads
// would mean to do the kernel's work again, and races with it. A descriptor, or an errno made negative.
int open_step_by_step(int root, const char* path) noexcept {
  int parent = root;
  for (;;) {
    while (*path == '/') {
      ++path;
    }
    std::array<char, NAME_MAX + 1> name{};
    const std::size_t size = std::strcspn(path, "/");
    if (size >= name.size()) {
      if (parent != root) {
        ::close(parent);
      }
      return -ENAMETOOLONG;
    }
    std::memcpy(name.data(), path, size);
    path += size;
    const bool is_last = *path == '\0';
    const int descriptor = open_step(parent, name.data(), is_last);
    if (parent != root) {
      ::close(parent);
    }
    if (descriptor < 0 || is_last) {
      return descriptor;
    }
    parent = descriptor;
  }
}

}  // namespace

Result<File, Error> LinuxPort::open_directory(std::string_view path) {
  std::array<char, PATH_MAX> text;
  if (const int number = copy_path(path, text); number != 0) {
    return failure(number);
  }
  const int descriptor = ::open(text.data(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return failure(errno);
  }
  return File{descriptor};
}

Result<FileInfo, Error> LinuxPort::open_file(File root, std::string_view path) {
  ENSURE(root.is_open());
  std::array<char, PATH_MAX> text;
  if (const int number = copy_path(path, text); number != 0) {
    return failure(number);
  }
  if (points_outside(path)) {
    return failure(EXDEV);
  }
  const bool wants_directory = path.ends_with('/');
  while (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  if (path.empty()) {
    path = ".";
  }
  ENSURE(copy_path(path, text) == 0);

  const int descriptor = open_beneath(root.id, text.data());
  if (descriptor < 0) {
    ENSURE(descriptor != -EBADF);
    return failure(-descriptor);
  }
  struct stat status {};
  int number = ::fstat(descriptor, &status) == 0 ? 0 : errno;
  if (number == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    number = ENXIO;
  }
  if (number == 0 && wants_directory && !S_ISDIR(status.st_mode)) {
    number = ENOTDIR;
  }
  if (number != 0) {
    ::close(descriptor);
    return failure(number);
  }
  return info_of(descriptor, status);
}

Result<FileInfo, Error> LinuxPort::open_path(std::string_view path) {
  std::array<char, PATH_MAX> text;
  if (const int number = copy_path(path, text); number != 0) {
    return failure(number);
  }
  int descriptor = -1;
  do {
    descriptor = ::open(text.data(), open_flags);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) {
    const int number = errno;
    if (number == ELOOP) {  // a circle of links: nothing is `outside` here
      error_ = number;
      return Failure{Error::failed};
    }
    return failure(number);
  }
  struct stat status {};
  int number = ::fstat(descriptor, &status) == 0 ? 0 : errno;
  if (number == 0 && !S_ISREG(status.st_mode)) {
    number = ENXIO;
  }
  if (number != 0) {
    ::close(descriptor);
    return failure(number);
  }
  return info_of(descriptor, status);
}

int LinuxPort::open_beneath(int root, const char* path) noexcept {
  if (options_.openat2) {
    const int descriptor = open_with_openat2(root, path);
    // EPERM is what some sandboxes say instead of ENOSYS, but some file systems say it for their own reasons too.
    if (descriptor != -ENOSYS && descriptor != -EPERM) {
      return descriptor;
    }
    options_.openat2 = descriptor == -EPERM;
  }
  return open_step_by_step(root, path);
}

IoResult LinuxPort::read_file(File file, std::uint64_t offset, std::span<std::byte> out) {
  ENSURE(file.is_open());
  ENSURE(!out.empty());
  if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) {
    return {.status = IoStatus::end};
  }
  ssize_t size = 0;
  do {
    size = ::pread(file.id, out.data(), out.size(), static_cast<off_t>(offset));
  } while (size < 0 && errno == EINTR);
  if (size < 0) {
    const int number = errno;
    ENSURE(number != EBADF);
    error_ = number;
    return {.status = IoStatus::failed};
  }
  if (size == 0) {
    return {.status = IoStatus::end};
  }
  return {.status = IoStatus::ok, .size = static_cast<std::size_t>(size)};
}

void LinuxPort::close_file(File file) {
  ENSURE(file.is_open());
  if (::close(file.id) != 0) {
    ENSURE(errno != EBADF);
  }
}

}  // namespace pollux::port
