// The type of content that nobody declared, by its first bytes. Source: MIME Sniffing Standard
// (mimesniff.spec.whatwg.org), sections 6 and 7.
//
// Knowing the name is better: see media_type_of_file(). A guess can be wrong, so what users upload is best sent with
// "X-Content-Type-Options: nosniff" and a type that was chosen.
//
//   detect_content_type("<html>") == "text/html; charset=utf-8"
//   detect_content_type(std::string_view{"\0\1", 2}) == "application/octet-stream"
#pragma once

#include <cstddef>
#include <string_view>

namespace pollux::wire {

// How many bytes are looked at; more are ignored.
inline constexpr std::size_t sniff_size = 512;

// Always gives a type: "application/octet-stream" for bytes that no text has, and "text/plain; charset=utf-8" for any
// other. The result lives as long as the program.
[[nodiscard]] std::string_view detect_content_type(std::string_view content) noexcept;

}  // namespace pollux::wire
