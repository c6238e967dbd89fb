// What is read from the kernel's files: all of it, none of it, and more of it than there is room for.
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "apps/device/board_info.hpp"
#include "tests/apps/device_tree.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::device {
namespace {

std::string text_of(const InterfaceAddress& address) {
  std::array<char, port::address_text_max> memory{};
  return std::string{port::format_ip(address.address, memory)} + "/" + std::to_string(address.prefix);
}

std::unique_ptr<BoardInfo> info_of(const Tree& tree) {
  auto info = std::make_unique<BoardInfo>();
  const BoardRoots roots = tree.roots();
  const heap_guard::Forbidden no_heap;
  read_board_info(roots, *info);
  return info;
}

TEST(BoardInfo, ReadsABoard) {
  Tree tree;
  tree.add_board();
  const auto info = info_of(tree);
  EXPECT_EQ(info->model.view(), "Made Board 3");
  EXPECT_EQ(info->hostname.view(), "greenhouse");
  EXPECT_EQ(info->kernel.view(), "Linux");
  EXPECT_EQ(info->kernel_release.view(), "6.6.31-v8");
  EXPECT_FALSE(info->machine.is_empty());
  EXPECT_EQ(info->cpus, 4U);
  ASSERT_TRUE(info->uptime_s);
  EXPECT_NEAR(*info->uptime_s, 352839.11, 1e-6);
  ASSERT_TRUE(info->load);
  EXPECT_NEAR((*info->load)[0], 0.42, 1e-9);
  EXPECT_NEAR((*info->load)[1], 1.31, 1e-9);
  EXPECT_NEAR((*info->load)[2], 12.05, 1e-9);
  ASSERT_TRUE(info->memory);
  EXPECT_EQ(info->memory->total, 2048U * 1024);
  EXPECT_EQ(info->memory->available, 1024U * 1024);
  EXPECT_EQ(info->resident, 3120U * 1024);
  ASSERT_TRUE(info->disk);
  EXPECT_GE(info->disk->total, info->disk->available);

  ASSERT_EQ(info->temperatures.size(), 2U);  // a zone that cannot be read is left out
  EXPECT_EQ(info->temperatures[0].name.view(), "cpu-thermal");
  EXPECT_EQ(info->temperatures[0].millidegrees, 48250);
  EXPECT_EQ(info->temperatures[1].name.view(), "thermal_zone1");
  EXPECT_EQ(info->temperatures[1].millidegrees, -1500);
}

TEST(BoardInfo, ReadsInterfaces) {
  Tree tree;
  tree.add_board();
  const auto info = info_of(tree);
  ASSERT_TRUE(info->interfaces);
  ASSERT_EQ(info->interfaces->size(), 3U);
  const Interface& loopback = (*info->interfaces)[0];
  EXPECT_EQ(loopback.name.view(), "lo");
  EXPECT_TRUE(loopback.mac.is_empty());
  EXPECT_TRUE(loopback.is_up);
  ASSERT_GE(loopback.addresses.size(), 1U);  // 127.0.0.1 is the real machine's, if it has a loopback interface
  EXPECT_EQ(text_of(loopback.addresses[loopback.addresses.size() - 1]), "::1/128");
  const Interface& wired = (*info->interfaces)[1];
  EXPECT_EQ(wired.name.view(), "made-eth");
  EXPECT_EQ(wired.mac.view(), "b8:27:eb:12:34:56");
  EXPECT_TRUE(wired.is_up);
  ASSERT_EQ(wired.addresses.size(), 2U);
  EXPECT_EQ(text_of(wired.addresses[0]), "fe80::ba27:ebff:fe12:3456/64");
  EXPECT_EQ(text_of(wired.addresses[1]), "2001:db8::1/48");
  const Interface& wireless = (*info->interfaces)[2];
  EXPECT_FALSE(wireless.is_up);
  EXPECT_EQ(wireless.addresses.size(), 0U);
}

TEST(BoardInfo, LivesWithoutAnySource) {
  Tree tree;
  const auto info = info_of(tree);
  EXPECT_EQ(info->model.view(), "unknown");
  EXPECT_TRUE(info->hostname.is_empty());
  EXPECT_TRUE(info->kernel.is_empty());
  EXPECT_FALSE(info->cpus);
  EXPECT_FALSE(info->uptime_s);
  EXPECT_FALSE(info->load);
  EXPECT_FALSE(info->memory);
  EXPECT_FALSE(info->resident);
  EXPECT_FALSE(info->interfaces);
  EXPECT_EQ(info->temperatures.size(), 0U);
}

TEST(BoardInfo, DropsWhatItCannotRead) {
  Tree tree;
  tree.write("proc/uptime", "soon\n");
  tree.write("proc/loadavg", "0.1 0.2\n");
  tree.write("proc/meminfo", "MemTotal: 2048 kB\n");  // before Linux 3.14 there is no MemAvailable
  tree.write("proc/net/if_inet6", "fe80 02\n\ngarbage\n");
  tree.write("sys/devices/system/cpu/online", "3-0\n");
  tree.write("sys/class/thermal/thermal_zone0/temp", "warm\n");
  tree.write("sys/class/net/made-eth/operstate", "");
  tree.write("sys/class/dmi/id/product_name", "PC Engines apu2\n");
  const auto info = info_of(tree);
  EXPECT_FALSE(info->uptime_s);
  EXPECT_FALSE(info->load);
  EXPECT_FALSE(info->memory);
  EXPECT_FALSE(info->cpus);
  EXPECT_EQ(info->temperatures.size(), 0U);
  ASSERT_TRUE(info->interfaces);
  EXPECT_FALSE((*info->interfaces)[0].is_up);
  EXPECT_EQ(info->model.view(), "PC Engines apu2");
}

TEST(BoardInfo, CutsListsAtTheirSize) {
  Tree tree;
  for (int i = 0; i < 70; ++i) {
    tree.write("sys/class/thermal/thermal_zone" + std::to_string(i) + "/temp", "1000\n");
    tree.write("sys/class/net/made" + std::to_string(i) + "/operstate", "up\n");
  }
  std::string addresses;
  for (int i = 0; i < 9; ++i) {
    addresses += "20010db800000000000000000000000" + std::to_string(i) + " 02 40 00 80 made0\n";
  }
  tree.write("proc/net/if_inet6", addresses);
  const auto info = info_of(tree);
  EXPECT_EQ(info->temperatures.size(), BoardInfo::temperatures_max);
  ASSERT_TRUE(info->interfaces);
  EXPECT_EQ(info->interfaces->size(), BoardInfo::interfaces_max);
  EXPECT_EQ((*info->interfaces)[0].addresses.size(), Interface::addresses_max);
}

TEST(BoardInfo, ReadsTheRealMachine) {
  auto info = std::make_unique<BoardInfo>();
  read_board_info({}, *info);
  EXPECT_FALSE(info->model.is_empty());
  EXPECT_FALSE(info->machine.is_empty());
  EXPECT_TRUE(info->disk);
}

TEST(SystemFiles, RefusesPathsThatAreNone) {
  std::array<char, 16> memory{};
  EXPECT_FALSE(read_text(Path{"/", std::string(Path::size_max, 'x')}, memory));
  EXPECT_FALSE(read_text(Path{std::string_view{"/etc\0/passwd", 12}}, memory));
  EXPECT_NE(write_text(Path{"/", std::string(Path::size_max, 'x')}, "1"), 0);
  EXPECT_FALSE(list_names(Path{"/nonexistent"}));
  EXPECT_FALSE(is_directory(Path{"/dev/null"}));
}

TEST(SystemFiles, ListsNamesSorted) {
  Tree tree;
  for (const char* name : {"b", "a", ".hidden", "C"}) {
    tree.write("folder/" + std::string{name}, "");
  }
  tree.write("folder/" + std::string(63, 'x'), "");
  tree.write("folder/" + std::string(64, 'y'), "");
  const auto names = list_names(Path{tree / "folder"});
  ASSERT_TRUE(names);
  ASSERT_EQ(names->size(), 4U);
  EXPECT_EQ((*names)[0].view(), "C");
  EXPECT_EQ((*names)[1].view(), "a");
  EXPECT_EQ((*names)[2].view(), "b");
  EXPECT_EQ((*names)[3].view(), std::string(63, 'x'));
}

TEST(SystemFiles, ReadsNumbers) {
  const auto number = [](std::string_view text) { return take_number(text); };
  const auto real = [](std::string_view text) { return take_real(text); };
  EXPECT_EQ(number(" 12 kB"), 12);
  EXPECT_EQ(number("-40500"), -40500);
  EXPECT_EQ(number("9223372036854775807"), INT64_MAX);
  EXPECT_FALSE(number("9223372036854775808"));
  EXPECT_FALSE(number(""));
  EXPECT_FALSE(number("-"));
  EXPECT_FALSE(number("x1"));
  EXPECT_EQ(real("3"), 3.0);
  EXPECT_EQ(real("0.5 1"), 0.5);
  EXPECT_FALSE(real(".5"));
  EXPECT_FALSE(real("-1"));
}

}  // namespace
}  // namespace pollux::device
