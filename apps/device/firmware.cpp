#include "apps/device/firmware.hpp"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "port/ensure.hpp"

namespace pollux::device {

namespace {

constexpr const char* image_name = "firmware.bin";
constexpr const char* part_name = "firmware.bin.part";

// How much is handed to the disk at a time. Without it all of an image would be written by the last sync, and the program would stand
// still for as long: an SD card writes 10 MB a second.
constexpr std::uint64_t flush_step = 1 << 20;
// How much of an image may wait in memory for the disk: a second's worth of such a card.
constexpr std::uint64_t unwritten_max = 8 * flush_step;

FirmwareError error_from(int number) noexcept {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return FirmwareError::no_space;
    case EACCES:
    case EPERM:
    case EROFS:
      return FirmwareError::not_permitted;
    default:
      return FirmwareError::failed;
  }
}

}  // namespace

FirmwareStore::~FirmwareStore() {
  discard();
  if (directory_ >= 0) {
    ::close(directory_);
  }
}

int FirmwareStore::open(std::string_view directory) noexcept {
  ENSURE(directory_ < 0);
  directory_ = ::open(directory.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_ < 0) {
    return errno;
  }
  ::unlinkat(directory_, part_name, 0);
  return 0;
}

std::optional<FirmwareInfo> FirmwareStore::info() const noexcept {
  struct stat status {};
  if (directory_ < 0 || ::fstatat(directory_, image_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return FirmwareInfo{.size = static_cast<std::uint64_t>(status.st_size), .modified = {.seconds = status.st_mtime}};
}

FirmwareError FirmwareStore::begin(std::optional<std::uint64_t> size) noexcept {
  if (directory_ < 0) {
    return FirmwareError::no_directory;
  }
  if (file_ >= 0) {
    return FirmwareError::busy;
  }
  struct statvfs space {};
  if (size && ::fstatvfs(directory_, &space) == 0 && *size > std::uint64_t{space.f_bavail} * space.f_frsize) {
    return FirmwareError::no_space;
  }
  uploaded_ = 0;
  file_ = ::openat(directory_, part_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  return file_ >= 0 ? FirmwareError::none : error_from(errno);
}

FirmwareError FirmwareStore::write(std::string_view piece) noexcept {
  ENSURE(file_ >= 0);
  while (!piece.empty()) {
    const ssize_t written = ::write(file_, piece.data(), piece.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return fail(written < 0 ? errno : EIO);
    }
    const std::uint64_t before = uploaded_;
    uploaded_ += static_cast<std::uint64_t>(written);
    if (before / flush_step != uploaded_ / flush_step) {
      // Starts the writing of what came, and waits for what came long before: a network that is quicker than the disk would else fill the
      // memory, and the fsync() at the end would hold up everybody for longer than a watchdog waits. A file system that cannot is no
      // reason to stop: commit() syncs.
      ::sync_file_range(file_, 0, 0, SYNC_FILE_RANGE_WRITE);
      if (uploaded_ > unwritten_max) {
        ::sync_file_range(file_, 0, static_cast<off_t>(uploaded_ - unwritten_max),
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
      }
    }
    piece.remove_prefix(static_cast<std::size_t>(written));
  }
  return FirmwareError::none;
}

FirmwareError FirmwareStore::commit() noexcept {
  ENSURE(file_ >= 0);
  if (::fsync(file_) != 0) {
    return fail(errno);
  }
  if (::renameat(directory_, part_name, directory_, image_name) != 0) {
    return fail(errno);
  }
  ::close(file_);
  file_ = -1;
  // The name, too, has to survive a power loss. The image is whole and in place: there is nothing to take back.
  ::fsync(directory_);
  return FirmwareError::none;
}

void FirmwareStore::discard() noexcept {
  if (file_ < 0) {
    return;
  }
  ::close(file_);
  file_ = -1;
  ::unlinkat(directory_, part_name, 0);
}

FirmwareError FirmwareStore::fail(int number) noexcept {
  discard();
  return error_from(number);
}

}  // namespace pollux::device
