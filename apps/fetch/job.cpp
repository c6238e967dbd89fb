#include "apps/fetch/job.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "apps/fetch/glob.hpp"
#include "stack/wire/slice.hpp"
#include "stack/wire/url.hpp"

namespace pollux::fetch {
namespace {

constexpr std::string_view malformed = "URL using bad/illegal format or missing URL";

// The size of "scheme:" with "//" behind it at the front of `url`, or 0.
std::size_t scheme_size(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos || colon == 0 || !base::is_alpha(url.front())) {
    return 0;
  }
  const bool is_scheme = std::all_of(url.begin(), url.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
    return base::is_alpha(c) || base::is_digit(c) || c == '+' || c == '-' || c == '.';
  });
  return is_scheme ? colon : 0;
}

// Where the query or the fragment begins.
std::size_t path_end(std::string_view url) {
  return std::min(url.find_first_of("?#"), url.size());
}

// Where the path begins: behind "scheme://authority".
std::size_t path_begin(std::string_view url) {
  const std::size_t authority = url.find("://") + 3;
  return std::min(url.find_first_of("/?#", authority), url.size());
}

CompletedUrl refused(std::string_view scheme, ExitCode code, std::initializer_list<std::string_view> text) {
  return {.text = {}, .scheme = std::string{scheme}, .failure = Failure{code, text}};
}

bool exists(const std::string& path, std::uint64_t& size) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return false;
  }
  size = static_cast<std::uint64_t>(status.st_size);
  return true;
}

std::string join(std::string_view folder, std::string_view name) {
  std::string path{folder};
  if (!path.empty() && !path.ends_with('/')) {
    path += '/';
  }
  return path.append(name);
}

void set_output(Job& job, const Options& options, const OutputOption* option, const std::vector<std::string>& parts) {
  std::string name;
  const bool is_remote = option == nullptr ? options.all_remote_names : option->kind == OutputOption::Kind::remote_name;
  if (is_remote) {
    name = std::string{remote_name(job.text)};
    if (name.empty() && !job.failure) {
      job.failure = Failure{ExitCode::write_error, "Remote file name has no length"};
    }
  } else if (option != nullptr && option->kind == OutputOption::Kind::file) {
    name = fill_in(option->path, parts);
  }
  if (name.empty()) {
    return;
  }
  job.output = {.path = options.output_dir.empty() ? name : join(options.output_dir, name),
                .create_dirs = options.create_dirs,
                .append = options.resume_at_size || options.resume_from.value_or(0) != 0};
}

void set_resume(Job& job, const Options& options) {
  job.resume_from = options.resume_from.value_or(0);
  if (options.resume_at_size && !job.output.path.empty() && !exists(job.output.path, job.resume_from)) {
    job.resume_from = 0;
  }
}

Job make_job(const Options& options, const GlobbedUrl& globbed, std::size_t index) {
  Job job{.url = globbed.url};
  CompletedUrl completed = complete_url(globbed.url, options.path_as_is);
  job.scheme = std::move(completed.scheme);
  job.failure = completed.failure;
  job.text = std::move(completed.text);
  if (index < options.uploads.size()) {
    job.upload = options.uploads[index];
    const std::string_view name = std::string_view{job.upload}.substr(job.upload.rfind('/') + 1);
    if (!job.failure && job.upload != "-" && job.upload != ".") {
      job.text = with_file_name(job.text, name);
    }
  }
  if (options.get && options.has_data && !job.failure) {
    job.text = with_query(job.text, options.data);
  }
  set_output(job, options, index < options.outputs.size() ? &options.outputs[index] : nullptr, globbed.parts);
  set_resume(job, options);
  return job;
}

}  // namespace

CompletedUrl complete_url(std::string_view url, bool as_is) {
  if (url.empty() || std::any_of(url.begin(), url.end(), [](char c) { return wire::is_control(c) || c == ' '; })) {
    return refused({}, ExitCode::url_malformat, {malformed});
  }
  const std::size_t size = scheme_size(url);
  std::string text = size == 0 ? "http://" + std::string{url} : std::string{url};
  std::transform(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size), text.begin(), base::to_lower);
  const std::string scheme = size == 0 ? "http" : text.substr(0, size);
  if (scheme != "http" && scheme != "https") {
    return refused(scheme, ExitCode::unsupported_protocol, {"Protocol \"", scheme, "\" not supported"});
  }
  const std::size_t path = path_begin(text);
  if (path == text.size() || text[path] != '/') {
    text.insert(path, "/");
  }
  const auto parsed = wire::parse_url(text);
  if (!parsed || parsed->hostname.empty()) {
    return refused(scheme, ExitCode::url_malformat, {malformed});
  }
  if (!as_is) {
    // RFC 3986 section 5.2.4, by resolving the URL against itself.
    std::string out(text.size() * 3 + 2, '\0');
    const auto resolved = wire::resolve_reference(*parsed, *parsed, out);
    if (!resolved) {
      return refused(scheme, ExitCode::url_malformat, {malformed});
    }
    text = std::string{*resolved};
  }
  return {.text = std::move(text), .scheme = scheme, .failure = {}};
}

std::string with_query(std::string_view url, std::string_view data) {
  const std::size_t end = std::min(url.find('#'), url.size());
  std::string text{url.substr(0, end)};
  if (!data.empty()) {
    text += text.find('?') == std::string::npos ? '?' : '&';
    text += data;
  }
  return text.append(url.substr(end));
}

std::string with_file_name(std::string_view url, std::string_view name) {
  const std::size_t end = path_end(url);
  std::string text{url.substr(0, end)};
  if (text.ends_with('/')) {
    for (const char c : name) {  // as a path segment
      if (base::is_alpha(c) || base::is_digit(c) ||
          std::string_view{"-._~!$&'()*+,;=:@"}.find(c) != std::string_view::npos) {
        text += c;
      } else {
        const auto byte = static_cast<unsigned char>(c);
        text += '%';
        text += "0123456789ABCDEF"[byte >> 4];
        text += "0123456789ABCDEF"[byte & 15];
      }
    }
  }
  return text.append(url.substr(end));
}

std::string_view remote_name(std::string_view url) {
  const std::string_view path = url.substr(0, path_end(url));
  const std::size_t begin = path.find("://");
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || (begin != std::string_view::npos && slash < begin + 3)) {
    return {};
  }
  return path.substr(slash + 1);
}

std::vector<Job> make_jobs(const Options& options) {
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < options.urls.size(); ++i) {
    const std::string& url = options.urls[i];
    GlobResult globbed;
    if (options.no_globbing) {
      globbed.urls.push_back({.url = url});
    } else {
      globbed = glob(url);
    }
    if (!globbed.error.empty()) {
      Job job{.url = url};
      job.failure = Failure{ExitCode::url_malformat,
                            {globbed.error, " in URL position ", base::Decimal{globbed.position}.view(), ": ", url}};
      globbed.urls.clear();
      jobs.push_back(std::move(job));
    }
    for (const GlobbedUrl& one : globbed.urls) {
      jobs.push_back(make_job(options, one, i));
    }
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].number = static_cast<std::uint32_t>(i);
  }
  return jobs;
}

}  // namespace pollux::fetch
