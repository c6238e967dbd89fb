// LEDs, the firmware store, who may ask, and the dashboard's files: each by itself.
#include <errno.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "apps/device/access.hpp"
#include "apps/device/dashboard.hpp"
#include "apps/device/firmware.hpp"
#include "apps/device/leds.hpp"
#include "apps/device/own_certificate.hpp"
#include "tests/apps/device_tree.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::device {
namespace {

// ---- LEDs

TEST(Leds, FindsThem) {
  Tree tree;
  tree.add_board();
  const Leds leds{tree.sysfs()};
  const auto names = leds.names();
  ASSERT_TRUE(names);
  ASSERT_EQ(names->size(), 2U);
  EXPECT_EQ((*names)[0].view(), "ACT");
  const auto led = leds.find("rgb:status");
  ASSERT_TRUE(led);
  EXPECT_EQ(led->brightness, 96U);
  EXPECT_EQ(led->brightness_max, 255U);
  ASSERT_TRUE(led->trigger);
  EXPECT_EQ(led->trigger->view(), "none");
  EXPECT_FALSE(Leds{tree.procfs()}.names());
}

TEST(Leds, FindsTheActiveTrigger) {
  struct Case {
    std::string_view list;
    std::string_view active;
  };
  const Case cases[] = {{"none [heartbeat] timer\n", "heartbeat"},
                        {"[none] timer\n", "none"},
                        {"none timer [cpu0]", "cpu0"},
                        {"none\n", "none"},
                        {"none timer\n", ""},
                        {"", ""}};
  for (const Case& c : cases) {
    Tree tree;
    tree.add_led("x", 0, 1, c.list);
    const auto led = Leds{tree.sysfs()}.find("x");
    ASSERT_TRUE(led && led->trigger);
    EXPECT_EQ(led->trigger->view(), c.active) << c.list;
  }
}

TEST(Leds, TakesNoNameThatIsNoEntry) {
  Tree tree;
  tree.add_board();
  tree.write("sys/class/other/brightness", "0");
  tree.write("sys/class/leds/file", "0");
  const Leds leds{tree.sysfs()};
  const std::string names[] = {"",
                               ".",
                               "..",
                               "../other",
                               "ACT/",
                               "/ACT",
                               "ACT/../ACT",
                               std::string{"ACT\0", 4},
                               "act",
                               "file",
                               std::string(64, 'x'),
                               std::string(5000, 'x')};
  for (const std::string& name : names) {
    EXPECT_FALSE(leds.find(name)) << name;
    EXPECT_EQ(leds.set(name, 1, std::nullopt), LedError::not_found) << name;
  }
  EXPECT_EQ(tree.read("sys/class/other/brightness"), "0");
}

TEST(Leds, SwitchesThem) {
  Tree tree;
  tree.add_board();
  const Leds leds{tree.sysfs()};
  {
    const heap_guard::Forbidden no_heap;
    ASSERT_EQ(leds.set("ACT", 1, "none"), LedError::none);
    ASSERT_EQ(leds.set("rgb:status", 7, std::nullopt), LedError::none);
  }
  EXPECT_EQ(tree.read("sys/class/leds/ACT/brightness"), "1");
  EXPECT_EQ(tree.read("sys/class/leds/ACT/trigger"), "none");
  EXPECT_EQ(tree.read("sys/class/leds/rgb:status/brightness"), "7");
  EXPECT_EQ(tree.read("sys/class/leds/rgb:status/trigger"), "[none] timer\n");
}

TEST(Leds, RefusesTriggersItDoesNotHave) {
  Tree tree;
  tree.add_board();
  std::filesystem::remove(tree / "sys/class/leds/rgb:status/trigger");
  const Leds leds{tree.sysfs()};
  for (const char* trigger : {"", "heart", "[heartbeat]", "none mmc0", "none\n"}) {
    EXPECT_EQ(leds.set("ACT", 1, trigger), LedError::unknown_trigger) << trigger;
  }
  EXPECT_EQ(leds.set("rgb:status", 1, "none"), LedError::unknown_trigger);
  EXPECT_EQ(tree.read("sys/class/leds/ACT/brightness"), "0\n");  // nothing was half done
}

TEST(Leds, SaysWhyAWriteFailed) {
  EXPECT_EQ(led_error_from(0), LedError::none);
  EXPECT_EQ(led_error_from(ENODEV), LedError::not_found);
  EXPECT_EQ(led_error_from(EACCES), LedError::not_permitted);
  EXPECT_EQ(led_error_from(EROFS), LedError::not_permitted);
  EXPECT_EQ(led_error_from(EBUSY), LedError::busy);
  EXPECT_EQ(led_error_from(EIO), LedError::failed);
  Tree tree;
  tree.add_led("x", 0, 1, "[none]");
  std::filesystem::remove(tree / "sys/class/leds/x/brightness");
  std::filesystem::create_symlink("/dev/full", tree / "sys/class/leds/x/brightness");
  EXPECT_EQ(Leds{tree.sysfs()}.set("x", 1, std::nullopt), LedError::failed);
}

// ---- firmware

TEST(FirmwareStore, PutsAnImageInPlace) {
  Tree tree;
  FirmwareStore store;
  EXPECT_EQ(store.begin(3), FirmwareError::no_directory);
  ASSERT_EQ(store.open(tree.data()), 0);
  EXPECT_FALSE(store.info());
  {
    const heap_guard::Forbidden no_heap;
    ASSERT_EQ(store.begin(6), FirmwareError::none);
    EXPECT_EQ(store.begin(6), FirmwareError::busy);
    ASSERT_EQ(store.write("abc"), FirmwareError::none);
    ASSERT_EQ(store.write("def"), FirmwareError::none);
  }
  EXPECT_FALSE(tree.has("data/firmware.bin")) << "it is not whole yet";
  EXPECT_EQ(store.commit(), FirmwareError::none);
  EXPECT_EQ(tree.read("data/firmware.bin"), "abcdef");
  EXPECT_FALSE(tree.has("data/firmware.bin.part"));
  ASSERT_TRUE(store.info());
  EXPECT_EQ(store.info()->size, 6U);
}

TEST(FirmwareStore, KeepsTheOldImageWhenAnUploadEnds) {
  Tree tree;
  tree.write("data/firmware.bin", "old");
  FirmwareStore store;
  ASSERT_EQ(store.open(tree.data()), 0);
  ASSERT_EQ(store.begin(std::nullopt), FirmwareError::none);
  ASSERT_EQ(store.write("new"), FirmwareError::none);
  store.discard();
  store.discard();
  EXPECT_FALSE(store.is_uploading());
  EXPECT_EQ(tree.read("data/firmware.bin"), "old");
  EXPECT_FALSE(tree.has("data/firmware.bin.part"));
}

TEST(FirmwareStore, RemovesWhatACrashLeft) {
  Tree tree;
  tree.write("data/firmware.bin.part", "half");
  FirmwareStore store;
  ASSERT_EQ(store.open(tree.data()), 0);
  EXPECT_FALSE(tree.has("data/firmware.bin.part"));
}

TEST(FirmwareStore, RefusesWhatCannotFit) {
  Tree tree;
  FirmwareStore store;
  ASSERT_EQ(store.open(tree.data()), 0);
  EXPECT_EQ(store.begin(UINT64_MAX), FirmwareError::no_space);
  EXPECT_FALSE(tree.has("data/firmware.bin.part"));
  EXPECT_EQ(store.begin(1), FirmwareError::none);
}

TEST(FirmwareStore, NeedsADirectory) {
  Tree tree;
  tree.write("file", "");
  EXPECT_EQ(FirmwareStore{}.open(tree / "nowhere"), ENOENT);
  EXPECT_EQ(FirmwareStore{}.open(tree / "file"), ENOTDIR);
}

TEST(FirmwareStore, DoesNotFollowALinkInItsWay) {
  Tree tree;
  tree.write("precious", "keep");
  FirmwareStore store;
  ASSERT_EQ(store.open(tree.data()), 0);
  std::filesystem::create_symlink(tree / "precious", tree / "data/firmware.bin.part");
  EXPECT_EQ(store.begin(1), FirmwareError::failed);
  EXPECT_EQ(tree.read("precious"), "keep");
}

// ---- who may ask

TEST(Access, KnowsItsOwnNames) {
  const std::string_view allowed[] = {"device.example", "Other.Example"};
  for (const char* host : {"", "127.0.0.1", "192.168.1.20:8080", "[::1]", "[fe80::1]:80", "[fe80::1%25eth0]:80",
                           "localhost", "LOCALHOST:8080", "localhost.", "app.localhost", "pi.local", "PI.Local:80",
                           "pi.local.", "greenhouse", "Greenhouse:8080", "device.example", "other.example:1"}) {
    EXPECT_TRUE(is_own_host(host, "greenhouse", allowed)) << host;
  }
  for (const char* host : {"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example",
                           "greenhouse.evil.example", "notlocal", ".local", "evillocal", "local", "xdevice.example",
                           "device.example.evil", "1.2.3", "0x7f000001", "127.1", "[evil]", "]["}) {
    EXPECT_FALSE(is_own_host(host, "greenhouse", allowed)) << host;
  }
  EXPECT_FALSE(is_own_host("greenhouse", "", allowed));
  EXPECT_FALSE(is_own_host(".", "", allowed));
}

// ---- the page

TEST(Dashboard, IsWhole) {
  ASSERT_EQ(dashboard_assets().size(), 4U);
  for (const Asset& asset : dashboard_assets()) {
    EXPECT_FALSE(asset.content.empty()) << asset.path;
    EXPECT_NE(asset.etag, asset.etag_gzip);
    if (!asset.gzipped.empty()) {
      EXPECT_EQ(asset.gzipped.substr(0, 2), "\x1f\x8b") << asset.path;
      EXPECT_LT(asset.gzipped.size(), asset.content.size()) << asset.path;
    }
  }
  const std::string_view page = dashboard_assets()[0].content;
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  // Its policy allows neither.
  EXPECT_EQ(page.find(" style="), std::string_view::npos);
  EXPECT_EQ(page.find(" onclick="), std::string_view::npos);
  EXPECT_EQ(page.find("http://"), std::string_view::npos);
  EXPECT_EQ(page.find("https://"), std::string_view::npos);
}

#if POLLUX_TLS
// ---- a certificate of its own

TEST(DeviceCertificate, IsValidFromTheDayBeforeOrTheBuild) {
  constexpr std::int64_t day = 86'400;
  constexpr port::WallTime built{.seconds = 20'000 * day};
  constexpr std::int64_t lifetime = std::int64_t{365} * OwnCertificate::lifetime_years * day;
  const Validity usual = validity_from({.seconds = 20'100 * day}, true, built);
  EXPECT_EQ(usual.not_before.seconds, 20'099 * day);
  EXPECT_EQ(usual.not_after.seconds, 20'099 * day + lifetime);
  // Within a day of the build, and with a clock that was never set, it is the build.
  EXPECT_EQ(validity_from({.seconds = 20'001 * day - 1}, true, built).not_before, built);
  EXPECT_EQ(validity_from({.seconds = 100}, false, built).not_before, built);
  EXPECT_EQ(validity_from({.seconds = 100}, false, built).not_after.seconds, built.seconds + lifetime);
}
#endif

}  // namespace
}  // namespace pollux::device
