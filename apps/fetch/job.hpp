// Job: one transfer as the command line asks for it - URL, output, upload - with everything prepared that needs the heap.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/fetch/failure.hpp"
#include "apps/fetch/options.hpp"
#include "apps/fetch/output.hpp"
#include "apps/fetch/warn.hpp"

namespace pollux::fetch {

struct Job {
  std::uint32_t number = 0;
  std::string url{};  // as given, without globs
  std::string
      text{};  // the URL to ask for: with a scheme and a path, with the data of -G and the name of -T's file; user and fragment kept
  std::string scheme{};
  OutputConfig output{};
  std::string upload{};  // empty: none
  std::uint64_t resume_from = 0;
  Failure failure{};  // it cannot even begin
};

// A URL as curl takes it from a person: a scheme if there is none, "/" for no path, ".." taken out of the path unless `as_is`.
struct CompletedUrl {
  std::string text{};
  std::string scheme{};
  Failure failure{};
};
[[nodiscard]] CompletedUrl complete_url(std::string_view url, bool as_is);
// `data` behind the query.
[[nodiscard]] std::string with_query(std::string_view url, std::string_view data);
// `name` behind a path that ends with a slash.
[[nodiscard]] std::string with_file_name(std::string_view url, std::string_view name);
// The part of the path behind its last slash: what -O names a file.
[[nodiscard]] std::string_view remote_name(std::string_view url);

// All the transfers, globs expanded. Needs the file system for -C -.
[[nodiscard]] std::vector<Job> make_jobs(const Options& options);

}  // namespace pollux::fetch
