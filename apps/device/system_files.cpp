#include "apps/device/system_files.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "stack/base/text.hpp"

namespace pollux::device {

namespace {

// A descriptor that is closed at the end of the scope.
class Descriptor {
 public:
  Descriptor(const Path& path, int flags) noexcept
      : number_{path.text() == nullptr ? -1 : ::open(path.text(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)} {
    if (path.text() == nullptr) {
      errno = ENAMETOOLONG;
    }
  }
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

// What getdents64(2) fills its buffer with. readdir(3) would say the same, but opendir(3) takes memory from the heap.
struct DirectoryEntry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t size;  // of this entry, name included
  std::uint8_t type;
  // The name follows, ended by a NUL.
};
constexpr std::size_t name_offset = offsetof(DirectoryEntry, type) + 1;

void add_name(Names& names, std::string_view name) noexcept {
  if (name.starts_with('.') || name.size() > 63) {
    return;
  }
  if (Name* added = names.add()) {
    *added = name;
  }
}

}  // namespace

void Path::put(std::string_view piece) noexcept {
  if (piece.size() > size_max - size_ || piece.find('\0') != std::string_view::npos) {
    is_good_ = false;
    return;
  }
  piece.copy(bytes_.data() + size_, piece.size());
  size_ += piece.size();
}

std::optional<std::string_view> read_text(const Path& path, std::span<char> memory) noexcept {
  const Descriptor file{path, O_RDONLY};
  if (file.number() < 0) {
    return std::nullopt;
  }
  std::size_t size = 0;
  while (size < memory.size()) {
    const ssize_t got = ::read(file.number(), memory.data() + size, memory.size() - size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return std::nullopt;
    }
    if (got == 0) {
      break;
    }
    size += static_cast<std::size_t>(got);
  }
  const std::string_view text{memory.data(), size};
  const std::size_t last = text.find_last_not_of(std::string_view{" \t\r\n\0", 5});
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

int write_text(const Path& path, std::string_view text) noexcept {
  const Descriptor file{path, O_WRONLY | O_TRUNC};
  if (file.number() < 0) {
    return errno;
  }
  ssize_t written = 0;
  do {
    written = ::write(file.number(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) {
    return errno;
  }
  return static_cast<std::size_t>(written) == text.size() ? 0 : EIO;
}

bool is_directory(const Path& path) noexcept {
  struct stat status {};
  return path.text() != nullptr && ::stat(path.text(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::optional<Names> list_names(const Path& directory) noexcept {
  const Descriptor folder{directory, O_RDONLY | O_DIRECTORY};
  if (folder.number() < 0) {
    return std::nullopt;
  }
  Names names;
  alignas(DirectoryEntry) std::array<char, 4096> memory;
  for (;;) {
    const long size = ::syscall(SYS_getdents64, folder.number(), memory.data(), memory.size());
    if (size < 0) {
      return std::nullopt;
    }
    if (size == 0) {
      break;
    }
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      DirectoryEntry entry;
      std::memcpy(&entry, memory.data() + at, sizeof entry);
      add_name(names, memory.data() + at + name_offset);
      at += entry.size;
    }
  }
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.view() < b.view(); });
  return names;
}

std::optional<std::int64_t> take_number(std::string_view& text) noexcept {
  std::size_t at = std::min(text.find_first_not_of(" \t\n"), text.size());
  const bool is_negative = text.substr(at, 1) == "-";
  at += is_negative ? 1 : 0;
  const std::size_t first = at;
  while (at < text.size() && base::is_digit(text[at])) {
    ++at;
  }
  const auto value = base::parse_decimal(text.substr(first, at - first), INT64_MAX);
  if (!value) {
    return std::nullopt;
  }
  text.remove_prefix(at);
  return is_negative ? -static_cast<std::int64_t>(*value) : static_cast<std::int64_t>(*value);
}

std::optional<double> take_real(std::string_view& text) noexcept {
  const auto whole = take_number(text);
  if (!whole || *whole < 0) {
    return std::nullopt;
  }
  auto value = static_cast<double>(*whole);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    for (double place = 0.1; !text.empty() && base::is_digit(text.front()); place /= 10) {
      value += place * (text.front() - '0');
      text.remove_prefix(1);
    }
  }
  return value;
}

}  // namespace pollux::device
