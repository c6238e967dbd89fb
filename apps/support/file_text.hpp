// A whole file in given memory: certificates, keys, configurations that the operator named.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "port/port.hpp"

namespace pollux::apps {

struct FileText {
  std::optional<std::string_view> text{};  // nothing: `why`
  std::string_view why{};                  // static text: "no such file or directory", "is too long"
};

// Reads all of `path` into `memory`; a file has to be shorter than that.
[[nodiscard]] FileText read_file_text(port::Port& port, std::string_view path, std::span<char> memory) noexcept;

}  // namespace pollux::apps
