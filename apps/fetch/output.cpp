#include "apps/fetch/output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/fetch/file_io.hpp"

namespace pollux::fetch {

void Output::start(const OutputConfig& config) {
  close();
  config_ = &config;
  written_ = 0;
  failed_ = false;
}

bool Output::open() {
  if (descriptor_ >= 0) {
    return true;
  }
  if (is_standard()) {
    descriptor_ = STDOUT_FILENO;
    return true;
  }
  if (config_->create_dirs && !make_folders(config_->path.c_str())) {
    return false;
  }
  const int mode = config_->append ? O_APPEND : O_TRUNC;
  descriptor_ = ::open(config_->path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | mode, 0644);
  return descriptor_ >= 0;
}

bool Output::write(std::string_view text) {
  if (failed_) {
    return false;
  }
  if (text.empty()) {
    return true;
  }
  failed_ = !open() || !write_all(descriptor_, text);
  written_ += failed_ ? 0 : text.size();
  return !failed_;
}

bool Output::is_binary_for_terminal(std::string_view text) const {
  return config_ != nullptr && is_standard() && written_ == 0 && text.find('\0') != std::string_view::npos &&
         ::isatty(STDOUT_FILENO) == 1;
}

bool Output::touch() {
  return !failed_ && (is_standard() || open());
}

void Output::truncate() {
  if (descriptor_ < 0 || is_standard()) {
    return;
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode)) {
    const auto keep = status.st_size - static_cast<off_t>(written_);
    if (::ftruncate(descriptor_, keep < 0 ? 0 : keep) == 0) {
      static_cast<void>(::lseek(descriptor_, 0, SEEK_END));
    }
  }
  written_ = 0;
}

bool Output::close() {
  bool is_good = !failed_;
  if (descriptor_ > STDERR_FILENO) {
    is_good = ::close(descriptor_) == 0 && is_good;
  }
  descriptor_ = -1;
  config_ = nullptr;
  return is_good;
}

}  // namespace pollux::fetch
