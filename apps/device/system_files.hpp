// The small files a Linux kernel tells about itself in (/proc, /sys): read and written whole, on given memory, never waiting.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "apps/device/fixed_text.hpp"

namespace pollux::device {

// A path put together from pieces, ended by a NUL. One that is too long names nothing.
class Path {
 public:
  static constexpr std::size_t size_max = 511;
  template <typename... Pieces>
  explicit Path(const Pieces&... pieces) noexcept {
    (put(std::string_view{pieces}), ...);
  }
  // nullptr if the path is too long or has a NUL inside: every call below then finds nothing.
  [[nodiscard]] const char* text() const noexcept { return is_good_ ? bytes_.data() : nullptr; }

 private:
  void put(std::string_view piece) noexcept;
  std::array<char, size_max + 1> bytes_{};
  std::size_t size_ = 0;
  bool is_good_ = true;
};

// Reads up to memory.size() bytes of a file; what is longer is cut. NUL bytes and white space at the end are taken off. Nothing if it
// cannot be read. A fifo or device without data is not waited for.
[[nodiscard]] std::optional<std::string_view> read_text(const Path& path, std::span<char> memory) noexcept;

// Replaces the content of a file that exists. 0, or the errno of what failed (open(2), write(2)).
[[nodiscard]] int write_text(const Path& path, std::string_view text) noexcept;

// True if `path` names a directory, through symbolic links too.
[[nodiscard]] bool is_directory(const Path& path) noexcept;

// Names of the entries of a directory, sorted, without those that begin with a dot. At most names_max; names longer than 63 bytes
// are left out. Nothing if the directory cannot be read.
inline constexpr std::size_t names_max = 64;
using Name = FixedText<63>;
using Names = FixedList<Name, names_max>;
[[nodiscard]] std::optional<Names> list_names(const Path& directory) noexcept;

// A decimal number, possibly negative, at the front of `text` after blanks; `text` is moved behind it.
[[nodiscard]] std::optional<std::int64_t> take_number(std::string_view& text) noexcept;
// As above with a fraction: "0.25".
[[nodiscard]] std::optional<double> take_real(std::string_view& text) noexcept;

}  // namespace pollux::device
