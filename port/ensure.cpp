#include "port/ensure.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace pollux::port {

void ensure_failed(const char* file, int line, const char* text) noexcept {
  char message[512];
  std::size_t size = 0;
  const auto put = [&](const char* piece) {
    const std::size_t count = std::strlen(piece);
    if (size + count < sizeof message) {
      std::memcpy(message + size, piece,
                  count);  // NOLINT(bugprone-not-null-terminated-result): `size` says where it ends
      size += count;
    }
  };
  char digits[12];
  char* first = digits + sizeof digits - 1;
  *first = '\0';
  for (int rest = line; rest > 0; rest /= 10) {
    *--first = static_cast<char>('0' + rest % 10);
  }
  put(file);
  put(":");
  put(first);
  put(": ENSURE failed: ");
  put(text);
  put("\n");
  const auto written = ::write(STDERR_FILENO, message, size);
  static_cast<void>(written);  // there is nobody left to tell
  std::abort();
}

}  // namespace pollux::port
