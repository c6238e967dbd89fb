// What the tests of LinuxPort need around it: a directory of their own that is gone afterwards, and files in it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "port/linux/linux_port.hpp"

namespace pollux::port {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_{std::filesystem::temp_directory_path().string() + "/pollux-XXXXXX"} {
    if (::mkdtemp(path_.data()) == nullptr) {
      ADD_FAILURE() << "mkdtemp " << path_;
    }
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  // Under the name `path` below this directory; an older file of that name is replaced at once, as programs should do
  // it.
  void add_file(const std::string& path, std::string_view content, WallTime modified) const {
    const std::filesystem::path target = std::filesystem::path{path_} / path;
    std::filesystem::create_directories(target.parent_path());
    const std::string draft = path_ + "/draft";
    write(draft, O_CREAT | O_EXCL, content, modified);
    std::filesystem::rename(draft, target);
  }
  void change_file(const std::string& path, std::string_view content, WallTime modified) const {
    write(path_ + "/" + path, O_TRUNC, content, modified);
  }

 private:
  static void write(const std::string& path, int flags, std::string_view content, WallTime modified) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0600);
    ASSERT_GE(file, 0) << path;
    ASSERT_EQ(::write(file, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    timespec times[2] = {};
    times[0].tv_sec = times[1].tv_sec = static_cast<time_t>(modified.seconds);
    ASSERT_EQ(::futimens(file, times), 0);
    ::close(file);
  }

  std::string path_;
};

// Raises the soft limit of open files as far as `count`: the largest contract case has 300 connections.
inline void allow_descriptors(rlim_t count) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur < count) {
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > count ? count : limit.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
}

// A World of the contract suite (contract.hpp).
class LinuxWorld {
 public:
  explicit LinuxWorld(const LinuxPortOptions& options = {}) : port_{options} {
    allow_descriptors(1024);
    std::filesystem::create_directory(root());
  }

  Port& port() { return port_; }
  std::string local_path() { return directory_.path() + "/socket" + std::to_string(++local_paths_); }
  std::string root() { return directory_.path() + "/root"; }
  void add_file(const std::string& path, std::string_view content, WallTime modified) {
    directory_.add_file("root/" + path, content, modified);
  }
  void add_directory(const std::string& path) { std::filesystem::create_directories(root() + "/" + path); }
  void change_file(const std::string& path, std::string_view content, WallTime modified) {
    directory_.change_file("root/" + path, content, modified);
  }
  void add_link(const std::string& path, const std::string& target) {
    std::filesystem::create_symlink(target, root() + "/" + path);
  }
  void add_fifo(const std::string& path) { ASSERT_EQ(::mkfifo((root() + "/" + path).c_str(), 0600), 0); }

 private:
  TemporaryDirectory directory_;
  int local_paths_ = 0;
  LinuxPort port_;
};

}  // namespace pollux::port
