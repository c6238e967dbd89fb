// pollux-device over loopback, asked by curl: a made /sys and /proc, and the real ones.
#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "tests/apps/device_tree.hpp"
#include "tests/e2e/support/app.hpp"

namespace pollux::e2e {
namespace {

struct Reply {
  int status = 0;
  std::string body;
  [[nodiscard]] rapidjson::Document json() const {
    rapidjson::Document document;
    document.Parse(body.c_str());
    EXPECT_FALSE(document.HasParseError()) << body;
    return document;
  }
  [[nodiscard]] std::string message() const {
    const rapidjson::Document document = json();
    if (!document.IsObject() || !document.HasMember("error")) {
      return "";
    }
    EXPECT_EQ(document["error"]["status"].GetInt(), status);
    return document["error"]["message"].GetString();
  }
};

// The device in front of a made tree.
class Device : public ::testing::Test {
 protected:
  Device() { tree.add_board(); }
  [[nodiscard]] std::vector<std::string> arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> all{"--sysfs", tree.sysfs(), "--procfs", tree.procfs()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  [[nodiscard]] std::vector<std::string> with_data() const { return arguments({"--data", tree.data()}); }

  static Reply ask(const App& app, const std::string& path, const std::string& options = "") {
    const Finished curl = run("curl -sS -m 20 -w '\\n%{http_code}' " + options + " '" + app.url(path) + "'");
    const std::size_t last = curl.output.rfind('\n');
    EXPECT_NE(last, std::string::npos) << curl.errors;
    return last == std::string::npos ? Reply{}
                                     : Reply{std::stoi(curl.output.substr(last + 1)), curl.output.substr(0, last)};
  }

  device::Tree tree;
};

TEST_F(Device, AnswersOnEveryRoute) {
  App app{"device", with_data()};
  const Reply status = ask(app, "/api/v1/status");
  EXPECT_EQ(status.status, 200);
  EXPECT_STREQ(status.json()["model"].GetString(), "Made Board 3");
  EXPECT_EQ(ask(app, "/api/v1/leds").json()["leds"].Size(), 2U);
  EXPECT_EQ(ask(app, "/api/v1/leds/rgb:status").json()["brightness"].GetInt(), 96);
  const Reply server = ask(app, "/api/v1/pollux");
  EXPECT_EQ(server.json()["pools"][0]["used"].GetInt(), 1);
  EXPECT_EQ(server.json()["last_closes"].Size(), 3U);
  EXPECT_EQ(ask(app, "/api/v1/firmware").status, 404);
  EXPECT_EQ(ask(app, "/healthz").body, "ok\n");
  EXPECT_NE(ask(app, "/metrics").body.find("\npollux_requests_total 7\n"), std::string::npos);
  EXPECT_EQ(ask(app, "/nowhere").status, 404);
  EXPECT_EQ(ask(app, "/api/v1/status", "-X POST").status, 405);
  EXPECT_EQ(app.terminate(), 0);
  EXPECT_EQ(app.errors(), "");
}

TEST_F(Device, KnowsTheRealMachine) {
  App app{"device"};
  const rapidjson::Document status = ask(app, "/api/v1/status").json();
  for (const char* name : {"model", "hostname", "kernel", "time", "uptime_s", "cpus", "load", "memory", "disk",
                           "temperatures", "interfaces"}) {
    EXPECT_TRUE(status.HasMember(name)) << name;
  }
  EXPECT_EQ(ask(app, "/api/v1/leds").status, 200);
}

TEST_F(Device, ServesItsPage) {
  App app{"device"};
  EXPECT_NE(ask(app, "/").body.find("<title>pollux</title>"), std::string::npos);
  for (const char* path : {"/", "/style.css", "/app.js", "/icon.svg"}) {
    EXPECT_EQ(ask(app, path, "--compressed").body, ask(app, path).body) << path;
  }
}

TEST_F(Device, SwitchesALed) {
  App app{"device", arguments()};
  const Reply on = ask(app, "/api/v1/leds/ACT", R"(-X PUT -d '{"brightness":1,"trigger":"none"}')");
  EXPECT_EQ(on.status, 200);
  EXPECT_EQ(on.json()["brightness"].GetInt(), 1);
  EXPECT_EQ(tree.read("sys/class/leds/ACT/brightness"), "1");
  EXPECT_EQ(tree.read("sys/class/leds/ACT/trigger"), "none");
  EXPECT_EQ(ask(app, "/api/v1/leds/ACT", R"(-X PUT -d '{"brightness":0}')").status, 200);
  EXPECT_EQ(tree.read("sys/class/leds/ACT/brightness"), "0");
}

TEST_F(Device, SaysWhatIsWrongWithALed) {
  App app{"device", arguments()};
  const Reply range = ask(app, "/api/v1/leds/ACT", R"(-X PUT -d '{"brightness":7}')");
  EXPECT_EQ(range.status, 400);
  EXPECT_EQ(range.message(), "brightness is not an integer from 0 to 1");
  EXPECT_EQ(range.json()["error"]["column"].GetInt(), 15);
  tree.write("body", "{\n\"brightness\" 1}");
  const Reply malformed = ask(app, "/api/v1/leds/ACT", "-X PUT --data-binary @'" + tree / "body" + "'");
  EXPECT_EQ(malformed.status, 400);
  EXPECT_EQ(malformed.message(), "a colon is missing behind the member's name");
  EXPECT_EQ(malformed.json()["error"]["line"].GetInt(), 2);
  EXPECT_EQ(ask(app, "/api/v1/leds/none", R"(-X PUT -d '{"brightness":1}')").status, 404);
  EXPECT_EQ(ask(app, "/api/v1/leds/..%2f..%2fx", R"(--path-as-is -X PUT -d '{"brightness":1}')").status, 404);
  EXPECT_EQ(tree.read("sys/class/leds/ACT/brightness"), "0\n");
}

TEST_F(Device, SaysWhyALedWasNotSwitched) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "to root every file is writable";
  }
  App app{"device", arguments()};
  std::filesystem::permissions(tree / "sys/class/leds/ACT/brightness", std::filesystem::perms::owner_read);
  EXPECT_EQ(ask(app, "/api/v1/leds/ACT", R"(-X PUT -d '{"brightness":1}')").status, 403);
}

// ---- the board

TEST_F(Device, SaysWhyALineOrAWatchdogCannotBeHad) {
  struct Case {
    std::vector<std::string> arguments;
    int status;
    std::string_view says;
  };
  const Case cases[] = {
      {{"--gpio", "pump"}, 2, "--gpio: \"pump\" names no line of this board"},
      {{"--gpio", "pump=made-up:1:up"}, 2, "--gpio: \"pump=made-up:1:up\" has a setting that is none of in, out"},
      {{"--gpio", "pump=made-up:1:out"}, 1, "--gpio pump: made-up line 1: this machine has no such GPIO chip\n"},
      {{"--watchdog", "made-up"}, 2, "--watchdog: \"made-up\" is not DEVICE[:SECONDS] with a path, or board"},
      {{"--watchdog", "board"}, 2, "this program is built for a board without a watchdog"},
      {{"--watchdog", "/nowhere/watchdog0"}, 1, "--watchdog /nowhere/watchdog0: No such file or directory\n"},
      {{"--watchdog", "/dev/null:10"}, 1, "--watchdog /dev/null: is no watchdog\n"},
  };
  for (const Case& c : cases) {
    std::vector<std::string> all{"--listen", "127.0.0.1:0"};
    all.insert(all.end(), c.arguments.begin(), c.arguments.end());
    const Finished finished = run_app("device", all);
    EXPECT_EQ(finished.status, c.status) << c.arguments[1] << finished.errors;
    EXPECT_NE(finished.errors.find(c.says), std::string::npos) << finished.errors;
    EXPECT_EQ(finished.output, "");
  }
}

TEST_F(Device, IsReloadedByAServiceManager) {
  App app{"device", arguments(), {.environment = {"NOTIFY_SOCKET=" + tree / "nobody"}}};
  app.signal(SIGHUP);  // there is nothing to read again, and that is no reason to end
  EXPECT_EQ(ask(app, "/healthz").body, "ok\n");
  EXPECT_EQ(app.terminate(), 0);
}

// ---- who may ask

TEST_F(Device, RefusesStrangers) {
  App app{"device", arguments({"--allow-host", "device.example", "--allow-host=other.example"})};
  EXPECT_EQ(ask(app, "/", "-H 'Host: evil.example'").status, 403);
  EXPECT_NE(ask(app, "/", "-H 'Host: evil.example'").message().find("--allow-host"), std::string::npos);
  for (const char* host : {"device.example", "other.example", "greenhouse", "pi.local", "[::1]:1"}) {
    EXPECT_EQ(ask(app, "/", "-H 'Host: " + std::string{host} + "'").status, 200) << host;
  }
  const std::string put = R"(-X PUT -d '{"brightness":1}' )";
  EXPECT_EQ(ask(app, "/api/v1/leds/ACT", put + "-H 'Origin: http://evil.example'").status, 403);
  EXPECT_EQ(ask(app, "/api/v1/leds/ACT", put + "-H 'Sec-Fetch-Site: cross-site'").status, 403);
  EXPECT_EQ(tree.read("sys/class/leds/ACT/brightness"), "0\n");
  EXPECT_EQ(ask(app, "/api/v1/leds/ACT", put + "-H 'Origin: " + app.url("") + "'").status, 200);
}

// ---- firmware

TEST_F(Device, TakesFirmware) {
  App app{"device", with_data()};
  ASSERT_EQ(run("head -c 20000000 /dev/urandom > '" + tree / "image" + "'").status, 0);
  const Reply reply = ask(app, "/api/v1/firmware", "-T '" + tree / "image" + "'");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json()["size"].GetInt(), 20'000'000);
  EXPECT_EQ(run("cmp '" + tree / "image" + "' '" + tree / "data/firmware.bin" + "'").status, 0);
  EXPECT_EQ(ask(app, "/api/v1/firmware").json()["size"].GetInt(), 20'000'000);
}

TEST_F(Device, RefusesFirmwareThatIsTooLarge) {
  App app{"device", arguments({"--data", tree.data(), "--firmware-max", "1000"})};
  tree.write("image", std::string(1001, 'x'));
  EXPECT_EQ(ask(app, "/api/v1/firmware", "-T '" + tree / "image" + "'").status, 413);
  EXPECT_EQ(ask(app, "/api/v1/firmware", "-T '" + tree / "image" + "' -H 'Transfer-Encoding: chunked'").status, 413);
  EXPECT_TRUE(std::filesystem::is_empty(tree.data()));
  tree.write("image", std::string(1000, 'x'));
  EXPECT_EQ(ask(app, "/api/v1/firmware", "-T '" + tree / "image" + "'").status, 200);
}

TEST_F(Device, SurvivesABrokenUpload) {
  tree.write("data/firmware.bin", "old");
  {
    App app{"device", with_data()};
    Client client{app.port()};
    client.send("PUT /api/v1/firmware HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n0123456789");
    client.finish();
    EXPECT_NE(client.read_all().find("did not come whole"), std::string::npos);
    EXPECT_FALSE(tree.has("data/firmware.bin.part"));
  }
  tree.write("data/firmware.bin.part", "left by a power cut");
  App app{"device", with_data()};
  EXPECT_FALSE(tree.has("data/firmware.bin.part"));
  EXPECT_EQ(tree.read("data/firmware.bin"), "old");
}

TEST_F(Device, SurvivesAFullDisk) {
  if (::geteuid() != 0 || run("mount -t tmpfs -o size=1m tmpfs '" + tree.data() + "'").status != 0) {
    GTEST_SKIP() << "a small disk takes the right to mount one";
  }
  {
    App app{"device", with_data()};
    tree.write("image", std::string(2 << 20, 'x'));
    const std::string upload = "-T '" + tree / "image" + "' ";
    const Reply known = ask(app, "/api/v1/firmware", upload);
    EXPECT_EQ(known.status, 507) << known.body;
    const Reply unknown = ask(app, "/api/v1/firmware", upload + "-H 'Transfer-Encoding: chunked'");
    EXPECT_EQ(unknown.status, 507) << unknown.body;
    EXPECT_EQ(unknown.message(), "the image does not fit on the disk");
    EXPECT_TRUE(std::filesystem::is_empty(tree.data()));
    tree.write("image", "fits");
    EXPECT_EQ(ask(app, "/api/v1/firmware", upload).status, 200);
  }
  EXPECT_EQ(run("umount '" + tree.data() + "'").status, 0);
}

TEST_F(Device, TakesNoFirmwareWithoutAPlaceForIt) {
  App app{"device", arguments()};
  tree.write("image", "x");
  EXPECT_EQ(ask(app, "/api/v1/firmware").status, 503);
  const Reply reply = ask(app, "/api/v1/firmware", "-T '" + tree / "image" + "'");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.message(), "this device takes no firmware: it was started without --data DIR");
}

// ---- the program

TEST_F(Device, KeepsNothing) {
  App app{"device", with_data()};
  const auto round = [&app] {
    for (const char* path : {"/", "/api/v1/status", "/api/v1/leds", "/api/v1/pollux", "/metrics"}) {
      EXPECT_EQ(ask(app, path).status, 200);
    }
    EXPECT_EQ(ask(app, "/api/v1/leds/ACT", R"(-X PUT -d '{"brightness":1}')").status, 200);
    EXPECT_EQ(ask(app, "/api/v1/firmware", "-X PUT -d image").status, 200);
  };
  // A connection of our own asks until the server has seen the end of all the others.
  Client client{app.port()};
  const auto settle = [&client] {
    for (int i = 0; i < 10'000; ++i) {
      client.send("GET /api/v1/pollux HTTP/1.1\r\nHost: localhost\r\n\r\n");
      if (client.read_answer().find(R"({"name":"connections","used":1,)") != std::string::npos) {
        return true;
      }
    }
    return false;
  };
  round();
  ASSERT_TRUE(settle());
  const std::size_t before = app.descriptors();
  for (int i = 0; i < 10; ++i) {
    round();
  }
  ASSERT_TRUE(settle());
  EXPECT_EQ(app.descriptors(), before);
}

TEST_F(Device, RefusesFlagsThatMakeNoSense) {
  const Finished nowhere = run_app("device", {"--data", "/nonexistent"});
  EXPECT_EQ(nowhere.status, 2);
  EXPECT_EQ(nowhere.errors, "pollux-device: --data: /nonexistent: No such file or directory\n");
  EXPECT_EQ(run_app("device", {"--firmware-max", "0"}).status, 2);
  const Finished help = run_app("device", {"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* flag : {"--sysfs DIR", "--procfs DIR", "--data DIR", "--firmware-max BYTES", "--allow-host NAME"}) {
    EXPECT_NE(help.output.find(flag), std::string::npos) << flag;
  }
}

}  // namespace
}  // namespace pollux::e2e
