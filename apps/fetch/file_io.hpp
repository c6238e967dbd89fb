// Plain writes and paths: what standard output and the output files are written with.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pollux::fetch {

// Writes all of `text`, however short the single writes are; waits where a pipe or terminal is full. False if that fails: errno tells.
[[nodiscard]] bool write_all(int descriptor, std::string_view text);

// Makes the folders of `path` up to its last slash. False if one cannot be made.
[[nodiscard]] bool make_folders(const char* path);

}  // namespace pollux::fetch
