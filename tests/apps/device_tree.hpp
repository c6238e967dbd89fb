// A made /sys and /proc in a folder of their own, for the tests of pollux-device.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "apps/device/board_info.hpp"

namespace pollux::device {

class Tree {
 public:
  Tree() : path_{::testing::TempDir() + "pollux-device-XXXXXX"} {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    sysfs_ = path_ + "/sys";
    procfs_ = path_ + "/proc";
    data_ = path_ + "/data";
    for (const std::string& folder : {sysfs_, procfs_, data_}) {
      std::filesystem::create_directories(folder);
    }
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // "sys/class/leds/ACT/brightness"
  void write(const std::string& name, std::string_view text) const {
    const std::filesystem::path path{path_ + "/" + name};
    std::filesystem::create_directories(path.parent_path());
    std::ofstream{path, std::ios::binary} << text;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream file{path_ + "/" + name, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  [[nodiscard]] bool has(const std::string& name) const { return std::filesystem::exists(path_ + "/" + name); }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  void add_led(const std::string& name, int brightness, int brightness_max, std::string_view triggers) const {
    const std::string folder = "sys/class/leds/" + name;
    write(folder + "/brightness", std::to_string(brightness) + "\n");
    write(folder + "/max_brightness", std::to_string(brightness_max) + "\n");
    write(folder + "/trigger", triggers);
  }
  // A small board with everything.
  void add_board() const {
    write("proc/device-tree/model", std::string_view{"Made Board 3\0", 13});
    write("proc/sys/kernel/hostname", "greenhouse\n");
    write("proc/sys/kernel/ostype", "Linux\n");
    write("proc/sys/kernel/osrelease", "6.6.31-v8\n");
    write("proc/uptime", "352839.11 1200.00\n");
    write("proc/loadavg", "0.42 1.31 12.05 1/123 456\n");
    write("proc/meminfo", "MemTotal:        2048 kB\nMemFree:          100 kB\nMemAvailable:    1024 kB\n");
    write("proc/self/status", "Name:\tpollux\nVmPeak:\t 9999 kB\nVmRSS:\t    3120 kB\n");
    write("proc/net/if_inet6",
          "00000000000000000000000000000001 01 80 10 80       lo\n"
          "fe80000000000000ba27ebfffe123456 02 40 20 80 made-eth\n"
          "20010db8000000000000000000000001 02 30 00 80 made-eth\n"
          "20010db8000000000000000000000002 07 40 00 80 elsewhere\n");
    write("sys/devices/system/cpu/online", "0-2,7\n");
    write("sys/class/thermal/thermal_zone0/temp", "48250\n");
    write("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
    write("sys/class/thermal/thermal_zone1/temp", "-1500\n");
    write("sys/class/thermal/thermal_zone2/type", "switched-off\n");
    write("sys/class/thermal/cooling_device0/type", "fan\n");
    write("sys/class/net/lo/address", "00:00:00:00:00:00\n");
    write("sys/class/net/lo/operstate", "unknown\n");
    write("sys/class/net/lo/flags", "0x9\n");
    write("sys/class/net/made-eth/address", "b8:27:eb:12:34:56\n");
    write("sys/class/net/made-eth/operstate", "up\n");
    write("sys/class/net/made-wlan/address", "b8:27:eb:12:34:57\n");
    write("sys/class/net/made-wlan/operstate", "down\n");
    write("sys/class/net/bonding_masters", "");
    add_led("ACT", 0, 1, "none mmc0 [heartbeat] timer\n");
    add_led("rgb:status", 96, 255, "[none] timer\n");
  }
  [[nodiscard]] BoardRoots roots() const { return {.sysfs = sysfs_, .procfs = procfs_}; }
  [[nodiscard]] const std::string& sysfs() const { return sysfs_; }
  [[nodiscard]] const std::string& procfs() const { return procfs_; }
  [[nodiscard]] const std::string& data() const { return data_; }

 private:
  std::string path_;
  std::string sysfs_;
  std::string procfs_;
  std::string data_;
};

}  // namespace pollux::device
