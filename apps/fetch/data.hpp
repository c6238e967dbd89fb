// What -d and its relatives make of their values: a body put together from literal texts and files, joined by '&'.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pollux::fetch {

enum class DataKind : std::uint8_t {
  ascii,        // -d: "@file" is read without its line ends and NUL bytes
  binary,       // --data-binary: "@file" is read as it is
  raw,          // --data-raw: '@' has no meaning
  json,         // --json: as binary, and nothing stands between two of them
  url_encoded,  // --data-urlencode: "text", "=text", "name=text", "@file", "name@file"
};

// Whole content of a file, "-" for standard input; nothing if it cannot be read.
[[nodiscard]] std::optional<std::string> read_whole_file(std::string_view path);

// Escapes all but letters, digits and "-._~"; a blank becomes '+', as curl's --data-urlencode has it.
[[nodiscard]] std::string form_escape(std::string_view text);

// Appends one value to `data`; `is_first` is false if there was one before, even an empty one. Returns a warning, or "" (a file that cannot
// be read is an empty value, as in curl).
[[nodiscard]] std::string append_data(std::string& data, bool is_first, DataKind kind, std::string_view value);

}  // namespace pollux::fetch
