// curl's URL globbing: "http://h/{a,b}/[1-3]" stands for six URLs. Not done with -g.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pollux::fetch {

struct GlobbedUrl {
  std::string url;
  std::vector<std::string> parts{};  // what each glob was, for "#1" in an output file's name
};

struct GlobResult {
  std::vector<GlobbedUrl> urls{};
  std::string error{};       // "unmatched close brace/bracket"; empty: none
  std::size_t position = 0;  // of the error, from 1
};

// More URLs than this out of one are refused.
inline constexpr std::size_t globbed_max = 100'000;

// Expands `url`: {a,b}, [1-10], [001-100:2], [a-z]; a backslash takes a meaning away; an IPv6 address in brackets is no glob.
[[nodiscard]] GlobResult glob(std::string_view url);
// `name` with "#1" ... replaced by the parts; "#9" without a ninth part stays.
[[nodiscard]] std::string fill_in(std::string_view name, const std::vector<std::string>& parts);

}  // namespace pollux::fetch
