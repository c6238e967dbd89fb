// What the tests of LinuxPort need around it: a directory of their own that is gone afterwards, and files in it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "port/linux/linux_port.hpp"
#include "port/linux/system_address.hpp"

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

// A plain datagram socket on an IPv4 loopback port of its own.
class DatagramPeer {
 public:
  DatagramPeer() : descriptor_{::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)} {
    SystemAddress address;
    EXPECT_EQ(address.set({.address = Address::ipv4_loopback(0)}), 0);
    EXPECT_EQ(::bind(descriptor_, address.get(), address.size()), 0);
  }
  ~DatagramPeer() { ::close(descriptor_); }
  DatagramPeer(const DatagramPeer&) = delete;
  DatagramPeer& operator=(const DatagramPeer&) = delete;

  [[nodiscard]] Address address() const {
    SystemAddress address;
    EXPECT_EQ(::getsockname(descriptor_, address.out(), address.out_size()), 0);
    return address.address();
  }
  void send(const Address& to, std::string_view bytes) const {
    SystemAddress address;
    EXPECT_EQ(address.set({.address = to}), 0);
    EXPECT_EQ(::sendto(descriptor_, bytes.data(), bytes.size(), 0, address.get(), address.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  bool receive(std::string& bytes, Address& from) const {
    SystemAddress address;
    bytes.assign(65536, '\0');
    const ssize_t size = ::recvfrom(descriptor_, bytes.data(), bytes.size(), 0, address.out(), address.out_size());
    bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    from = address.address();
    return size >= 0;
  }

 private:
  int descriptor_;
};

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

  Address open_datagram_peer() { return peer_.emplace().address(); }
  void close_datagram_peer() { peer_.reset(); }
  bool peer_hears(std::string& bytes, Address& from) { return peer_->receive(bytes, from); }
  void peer_sends(const Address& to, const std::string& bytes) { peer_->send(to, bytes); }
  void stranger_sends(const Address& to, const std::string& bytes) { DatagramPeer{}.send(to, bytes); }

 private:
  TemporaryDirectory directory_;
  int local_paths_ = 0;
  std::optional<DatagramPeer> peer_;
  LinuxPort port_;
};

}  // namespace pollux::port
