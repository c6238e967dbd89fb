#include "apps/support/file_text.hpp"

#include "stack/base/text.hpp"

namespace pollux::apps {

FileText read_file_text(port::Port& port, std::string_view path, std::span<char> memory) noexcept {
  const auto info = port.open_path(path);
  if (!info) {
    return {.text = std::nullopt, .why = port::describe(info.error())};
  }
  std::size_t size = 0;
  port::IoResult result{.status = port::IoStatus::ok, .size = 0};
  while (size < memory.size() && result.status == port::IoStatus::ok) {
    result = port.read_file(info->file, size, base::as_writable_bytes(memory.subspan(size)));
    size += result.size;
  }
  port.close_file(info->file);
  if (result.status == port::IoStatus::failed) {
    return {.text = std::nullopt, .why = "cannot be read"};
  }
  if (size == memory.size()) {
    return {.text = std::nullopt, .why = "is too long for this program's memory"};
  }
  return {.text = std::string_view{memory.data(), size}, .why = {}};
}

}  // namespace pollux::apps
