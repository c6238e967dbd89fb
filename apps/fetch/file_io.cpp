#include "apps/fetch/file_io.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace pollux::fetch {

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EAGAIN) {
      // Somebody made it non-blocking, a terminal shared with another program say.
      pollfd entry{.fd = descriptor, .events = POLLOUT, .revents = 0};
      static_cast<void>(::poll(&entry, 1, -1));
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool make_folders(const char* path) {
  std::array<char, 4096> folder;
  const std::size_t size = std::strlen(path);
  if (size >= folder.size()) {
    return false;
  }
  std::memcpy(folder.data(), path, size + 1);
  for (std::size_t i = 1; i < size; ++i) {
    if (folder[i] == '/') {
      folder[i] = '\0';
      if (::mkdir(folder.data(), 0750) != 0 && errno != EEXIST) {
        return false;
      }
      folder[i] = '/';
    }
  }
  return true;
}

}  // namespace pollux::fetch
