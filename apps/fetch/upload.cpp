#include "apps/fetch/upload.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace pollux::fetch {

using http::PullResult;

Upload::Upload(net::Loop& loop, net::Callback<> resume)
    : loop_{loop}, resume_{resume}, pause_{loop, net::callback<&Upload::pause_over>(*this)} {
  loop_.add(*this);
}

Upload::~Upload() {
  close();
  loop_.remove(*this);
}

bool Upload::open(const char* path) {
  close();
  if (std::strcmp(path, "-") == 0 || std::strcmp(path, ".") == 0) {
    kind_ = Kind::input;
    descriptor_ = STDIN_FILENO;
    start_ = ::lseek(descriptor_, 0, SEEK_CUR);
    return true;
  }
  descriptor_ = ::open(path, O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0 || S_ISDIR(status.st_mode)) {
    close();
    return false;
  }
  kind_ = S_ISREG(status.st_mode) ? Kind::file : Kind::input;
  if (kind_ == Kind::file) {
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  return true;
}

void Upload::open_text(std::string_view text) {
  close();
  kind_ = Kind::text;
  text_ = text;
  size_ = text.size();
}

void Upload::close() {
  if (descriptor_ > STDERR_FILENO) {
    ::close(descriptor_);
  }
  descriptor_ = -1;
  kind_ = Kind::none;
  size_.reset();
  skipped_ = sent_ = 0;
  start_ = -1;
  was_read_ = waits_ = false;
  pause_.stop();
}

void Upload::limit(std::uint64_t bytes_per_second) {
  rate_.start(bytes_per_second, loop_.now());
}

std::optional<std::uint64_t> Upload::size() const {
  return size_ ? std::optional{*size_ - std::min(*size_, skipped_)} : std::nullopt;
}

http::BodySource Upload::source() {
  sent_ = 0;
  return {.pull = [](void* object, std::span<char> out,
                     std::uint64_t offset) { return static_cast<Upload*>(object)->pull(out, offset); },
          .close = nullptr,
          .object = this,
          .rewind = [](void* object) { return static_cast<Upload*>(object)->rewind(); }};
}

bool Upload::rewind() {
  sent_ = 0;
  if (kind_ != Kind::input || !was_read_) {
    return true;
  }
  was_read_ = start_ < 0 || ::lseek(descriptor_, static_cast<off_t>(start_), SEEK_SET) < 0;
  return !was_read_;
}

PullResult Upload::more(std::size_t size) {
  sent_ += size;
  rate_.moved(size);
  const bool is_last = size_ && sent_ >= *this->size();
  return {.kind = is_last ? PullResult::Kind::end : PullResult::Kind::more, .size = size};
}

PullResult Upload::pull(std::span<char> out, std::uint64_t offset) {
  const std::size_t room = rate_.allow(out.size(), loop_.now());
  if (room == 0) {
    pause_.start(RateLimit::pause);
    return {.kind = PullResult::Kind::later, .size = 0};
  }
  out = out.first(room);
  switch (kind_) {
    case Kind::none:
      return {.kind = PullResult::Kind::failed, .size = 0};
    case Kind::input:
      return pull_input(out);
    case Kind::text: {
      const std::size_t size = std::min(out.size(), text_.size() - static_cast<std::size_t>(offset));
      std::memcpy(out.data(), text_.data() + offset, size);
      return more(size);
    }
    case Kind::file: {
      const ssize_t size = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(skipped_ + offset));
      if (size < 0) {
        return {.kind = PullResult::Kind::failed, .size = 0};
      }
      return size == 0 ? PullResult{.kind = PullResult::Kind::end, .size = 0} : more(static_cast<std::size_t>(size));
    }
  }
  return {.kind = PullResult::Kind::failed, .size = 0};
}

PullResult Upload::pull_input(std::span<char> out) {
  pollfd entry{.fd = descriptor_, .events = POLLIN, .revents = 0};
  if (::poll(&entry, 1, 0) == 0) {
    waits_ = true;
    return {.kind = PullResult::Kind::later, .size = 0};
  }
  const ssize_t size = ::read(descriptor_, out.data(), out.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    waits_ = true;
    return {.kind = PullResult::Kind::later, .size = 0};
  }
  if (size < 0) {
    return {.kind = PullResult::Kind::failed, .size = 0};
  }
  was_read_ = true;
  return size == 0 ? PullResult{.kind = PullResult::Kind::end, .size = 0} : more(static_cast<std::size_t>(size));
}

port::Time Upload::prepare(net::PollSet& set, port::Time) {
  if (waits_) {
    set.add(port::Socket{descriptor_}, port::Events::readable, 0);
  }
  return port::never;
}

void Upload::ready(std::uint32_t, port::Events, port::Time) {
  if (waits_) {
    waits_ = false;
    resume_();
  }
}

void Upload::parked_ready(std::uint32_t, port::Events, port::Time) {}
void Upload::expire(port::Time) {}
void Upload::work(port::Time) {}

}  // namespace pollux::fetch
