// The device over a simulated network, in front of made trees of files.
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "apps/device/access.hpp"
#include "apps/device/device.hpp"
#include "apps/device/device_json.hpp"
#include "apps/support/json_read.hpp"
#include "stack/http/serve_mux.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"
#include "tests/apps/device_machine.hpp"
#include "tests/apps/device_tree.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::device {
namespace {

using namespace std::chrono_literals;
using test::Peer;

// Buffers small enough that every document needs more than one.
constexpr http::ServerLimits limits{.connections = 8,
                                    .listeners = 1,
                                    .in_buffer = 1024,
                                    .out_buffer = 1024,
                                    .head_size_max = 1000,
                                    .fields_max = 16,
                                    .state_size = 128,
                                    .close_records = 40};

constinit Device device;
constinit DeviceMemory device_memory;

constexpr std::array made_leds{board::Led{.name = "rgb:status", .label = "status"},
                               board::Led{.name = "gone", .label = "of another kernel"}};
constexpr std::array made_lines{
    board::Line{.name = "OUT", .chip = "made-gpio", .offset = 0, .claim = board::Claim::output},
    board::Line{.name = "IN", .chip = "made-gpio", .offset = 1, .claim = board::Claim::input},
    board::Line{.name = "FREE", .chip = "made-gpio", .offset = 2},
};
constexpr board::Facts made_facts{
    .name = "made", .title = "Made Board", .thermal_zone = "thermal_zone1", .leds = made_leds, .lines = made_lines};

class Board {
 public:
  explicit Board(bool has_data = true, std::uint64_t firmware_max = 1 << 20) {
    std::destroy_at(&device);
    std::construct_at(&device);
    std::destroy_at(&device_memory);
    std::construct_at(&device_memory);
    tree.add_board();
    gpio.add_board(made_lines);
    EXPECT_EQ(gpio.open(machine), nullptr);
    EXPECT_EQ(device.start({.memory = &device_memory,
                            .roots = tree.roots(),
                            .data = has_data ? std::string_view{tree.data()} : "",
                            .board = &made_facts,
                            .gpio = &gpio,
                            .watchdog = &watchdog,
                            .started = talk.port().now()}),
              0);
    server.emplace(
        http::ServerConfig{.loop = loop, .handler = guard, .memory = storage->memory(), .body_max = firmware_max});
    EXPECT_TRUE(server->listen({.endpoint = {.address = port::Address::ipv4_any(80)}}));
    talk.set_turn<heap_guard::Forbidden>(turn_);
  }
  ~Board() {
    server.reset();
    EXPECT_EQ(talk.port().sockets_open(), 0U);
  }

  // The whole answer to a request of its own connection, Connection: close added.
  std::string ask(std::string_view request_line, std::string_view fields = "Host: pi.local\r\n",
                  std::string_view body = "") {
    Peer& peer = talk.connect(80);
    std::string text{request_line};
    text += " HTTP/1.1\r\n";
    text += fields;
    if (!body.empty()) {
      text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    text += "Connection: close\r\n\r\n";
    text += body;
    peer.say(text);
    EXPECT_TRUE(talk.run_until([&peer] { return peer.is_closed() || peer.is_reset(); })) << request_line;
    std::string answer = peer.take();
    peer.close();
    return answer;
  }
  std::string put_led(std::string_view body, std::string_view fields = "Host: pi.local\r\n") {
    return ask("PUT /api/v1/leds/ACT", fields, body);
  }
  Peer& start_upload(std::string_view fields, std::string_view body) {
    Peer& peer = talk.connect(80);
    peer.say("PUT /api/v1/firmware HTTP/1.1\r\nHost: pi.local\r\n" + std::string{fields} + "\r\n" + std::string{body});
    return peer;
  }

  Tree tree;
  test::Conversation talk;
  std::unique_ptr<http::ServerStorage<limits>> storage = std::make_unique<http::ServerStorage<limits>>();
  std::unique_ptr<net::LoopStorage<http::sockets_max(limits)>> loop_storage =
      std::make_unique<net::LoopStorage<http::sockets_max(limits)>>();
  net::Loop loop{talk.port(), loop_storage->memory()};
  MadeMachine machine;
  Gpio gpio;
  HardwareWatchdog watchdog{loop, machine};
  const http::ServeMux mux{device_routes<device>};
  std::array<std::string_view, 1> allowed{"device.example"};
  BoardRoots roots = tree.roots();
  HostGuard guard{mux, roots, allowed};
  std::optional<http::Server> server;

 private:
  struct Turn {
    net::Loop& loop;
    void operator()() { loop.turn(); }
  };
  Turn turn_{loop};
};

int status_of(const std::string& answer) {
  return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0;
}
std::string body_of(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// ---- documents

TEST(DeviceAnswers, AreJson) {
  Board board;
  for (const char* path : {"/api/v1/status", "/api/v1/leds", "/api/v1/leds/ACT", "/api/v1/pollux", "/api/v1/firmware",
                           "/api/v1/leds/none", "/api/v1/gpio", "/api/v1/gpio/OUT", "/api/v1/gpio/none"}) {
    const std::string answer = board.ask("GET " + std::string{path});
    EXPECT_TRUE(has(answer, "\r\nContent-Type: application/json\r\n")) << answer;
    EXPECT_TRUE(has(answer, "\r\nX-Content-Type-Options: nosniff\r\n")) << answer;
    EXPECT_TRUE(has(answer, "\r\nCache-Control: no-store\r\n")) << answer;
    EXPECT_FALSE(apps::check_json(body_of(answer))) << answer;
  }
}

TEST(DeviceAnswers, Status) {
  Board board;
  const std::string body = body_of(board.ask("GET /api/v1/status"));
  EXPECT_TRUE(
      has(body, R"("model":"Made Board 3","hostname":"greenhouse","kernel":{"name":"Linux","release":"6.6.31-v8")"));
  EXPECT_TRUE(has(body, R"("uptime_s":352839.11,"cpus":4,"load":[0.42,1.31,12.05])")) << body;
  EXPECT_TRUE(has(body, R"("memory":{"total":2097152,"available":1048576,"process":3194880})")) << body;
  // The zone that the board names comes first.
  EXPECT_TRUE(has(
      body,
      R"("temperatures":[{"name":"thermal_zone1","celsius":-1.5},{"name":"cpu-thermal","celsius":48.3}],"board":{"name":"made",)"))
      << body;
  EXPECT_TRUE(has(body, R"("board":{"name":"made","title":"Made Board","watchdog":null})")) << body;
  EXPECT_TRUE(has(
      body, R"({"name":"made-eth","is_up":true,"mac":"b8:27:eb:12:34:56","addresses":["fe80::ba27:ebff:fe12:3456/64")"))
      << body;
}

TEST(DeviceAnswers, StatusWithoutAnySource) {
  Board board;
  std::filesystem::remove_all(board.tree.sysfs());
  std::filesystem::remove_all(board.tree.procfs());
  const std::string body = body_of(board.ask("GET /api/v1/status"));
  EXPECT_FALSE(apps::check_json(body)) << body;
  EXPECT_TRUE(
      has(body, R"("uptime_s":null,"cpus":null,"load":null,"memory":{"total":null,"available":null,"process":null})"))
      << body;
  EXPECT_TRUE(has(body, R"("temperatures":[],"board":{)")) << body;
  EXPECT_TRUE(has(body, R"("interfaces":null})")) << body;
  EXPECT_EQ(body_of(board.ask("GET /api/v1/leds")), "{\"leds\":[]}\n");
}

TEST(DeviceAnswers, PolluxShowsPoolsAndCloses) {
  Board board;
  for (std::size_t i = 0; i < closes_shown_max + 2; ++i) {
    EXPECT_EQ(status_of(board.ask("GET /healthz")), 200);
  }
  const std::string body = body_of(board.ask("GET /api/v1/pollux"));
  EXPECT_FALSE(apps::check_json(body.substr(0, body.find("\"last_closes\"")) + "\"last_closes\":[]}")) << body;
  EXPECT_TRUE(has(body, R"({"name":"connections","used":1,"used_max":1,"size":8})")) << body;
  EXPECT_TRUE(has(body, R"("close asked":34)")) << body;
  std::size_t shown = 0;
  for (std::size_t at = body.find("\"ago_s\""); at != std::string::npos; at = body.find("\"ago_s\"", at + 1)) {
    ++shown;
  }
  EXPECT_EQ(shown, closes_shown_max);
}

TEST(DeviceAnswers, Metrics) {
  Board board;
  board.tree.write("sys/class/thermal/thermal_zone0/type", "a\"b\\c\n");
  const std::string answer = board.ask("GET /metrics");
  EXPECT_TRUE(has(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n")) << answer;
  const std::string body = body_of(answer);
  EXPECT_TRUE(
      has(body, "\n# TYPE device_temperature_celsius gauge\ndevice_temperature_celsius{zone=\"a\\\"b\\\\c\"} 48.250\n"))
      << body;
  EXPECT_TRUE(has(body, "\npollux_requests_total 1\n")) << body;
  EXPECT_TRUE(has(body, "\npollux_connections{state=\"size\"} 8\n")) << body;
  EXPECT_EQ(body.back(), '\n');
}

TEST(DeviceAnswers, HeadHasTheLengthOfGet) {
  Board board;
  const std::string get = board.ask("GET /api/v1/leds/ACT");
  const std::string head = board.ask("HEAD /api/v1/leds/ACT");
  EXPECT_EQ(head.substr(head.find("Content-Length")),
            get.substr(get.find("Content-Length"), get.find("\r\n\r\n") + 4 - get.find("Content-Length")));
  EXPECT_EQ(body_of(head), "");
}

// With all lists full and all names as long as they can be, an answer fits into a document.
TEST(DeviceAnswers, FitWhenListsAreFull) {
  auto info = std::make_unique<BoardInfo>();
  info->model = std::string(128, 'm');
  info->hostname = info->kernel = info->kernel_release = info->machine = std::string(64, 'k');
  info->disk = info->memory = Space{UINT64_MAX, UINT64_MAX};
  while (Temperature* temperature = info->temperatures.add()) {
    temperature->name = std::string(63, 't');
    temperature->millidegrees = INT32_MIN;
  }
  info->interfaces.emplace();
  while (Interface* interface = info->interfaces->add()) {
    interface->name = std::string(63, 'i');
    interface->mac = "b8:27:eb:12:34:56";
    while (InterfaceAddress* address = interface->addresses.add()) {
      address->address.family = port::Family::ipv6;
      address->address.ip.fill(0xFE);
      address->prefix = 128;
    }
  }
  auto memory = std::make_unique<std::array<char, Document::size_max>>();
  base::TextWriter text{*memory};
  apps::JsonWriter status{apps::json_sink(text)};
  write_status(status, *info, {}, wire::date_max);
  EXPECT_FALSE(text.overflowed());

  text = base::TextWriter{*memory};
  Led led;
  led.name = std::string(63, 'l');
  led.brightness = led.brightness_max = UINT64_MAX;
  led.trigger.emplace() = std::string(32, 't');
  apps::JsonWriter leds{apps::json_sink(text)};
  leds.begin_array();
  for (std::size_t i = 0; i < names_max; ++i) {
    write_led(leds, led, "status (green)");
  }
  leds.end_array();
  EXPECT_FALSE(text.overflowed());

  text = base::TextWriter{*memory};
  const std::string long_name(63, 'g');
  const GpioLine line{.name = long_name, .chip = long_name, .offset = UINT32_MAX, .fault = GpioFault::not_permitted};
  apps::JsonWriter lines{apps::json_sink(text)};
  lines.begin_array();
  for (std::size_t i = 0; i < Gpio::lines_max; ++i) {
    write_gpio(lines, line, -1);
  }
  lines.end_array();
  EXPECT_FALSE(text.overflowed());

  Board board;
  text = base::TextWriter{*memory};
  write_metrics(text, *info, {.server = *board.server, .documents = {}, .started = {}}, {});
  EXPECT_FALSE(text.overflowed());
}

// Names that no kernel gives: each byte takes six in JSON, and it is too much.
TEST(DeviceAnswers, SaySoWhenTheyDoNotFit) {
  Board board;
  for (char first = 'A'; first < 'A' + 60; ++first) {
    board.tree.add_led(std::string{first} + std::string(62, '\x01'), 0, 1, "none");
  }
  const std::string answer = board.ask("GET /api/v1/leds");
  EXPECT_EQ(status_of(answer), 500);
  EXPECT_TRUE(has(body_of(answer), "does not fit")) << answer;
  EXPECT_EQ(status_of(board.ask("GET /api/v1/status")), 200);  // the document came back
}

TEST(DeviceAnswers, DocumentsRunOutAndComeBack) {
  Board board;
  for (int i = 0; i < 60; ++i) {
    board.tree.add_led("led" + std::to_string(i), 0, 1, "none");  // an answer of more than the server's buffer
  }
  std::array<Peer*, Documents::count> slow{};
  for (Peer*& peer : slow) {
    peer = &board.talk.connect(80);
    peer->stop_reading();
    // More answers than the buffers between here and there hold.
    for (int i = 0; i < 400; ++i) {
      peer->say("GET /api/v1/leds HTTP/1.1\r\nHost: pi.local\r\n\r\n");
    }
  }
  board.talk.advance(1s);
  const std::string refused = board.ask("GET /api/v1/status");
  EXPECT_EQ(status_of(refused), 503) << refused;
  EXPECT_TRUE(has(refused, "\r\nRetry-After: 1\r\n")) << refused;
  EXPECT_EQ(status_of(board.ask("GET /healthz")), 200);
  for (Peer* peer : slow) {
    peer->reset();
  }
  board.talk.advance(1s);
  EXPECT_EQ(status_of(board.ask("GET /api/v1/status")), 200);
  EXPECT_TRUE(has(board.ask("GET /api/v1/pollux"), R"({"name":"documents","used":0,"used_max":4,"size":4})"));
}

// ---- LEDs

TEST(DeviceLeds, AreSwitched) {
  Board board;
  EXPECT_EQ(body_of(board.put_led(R"({"brightness":1})")),
            "{\"name\":\"ACT\",\"brightness\":1,\"max_brightness\":1,\"trigger\":\"heartbeat\"}\n");
  EXPECT_EQ(board.tree.read("sys/class/leds/ACT/brightness"), "1");
  EXPECT_EQ(status_of(board.put_led(R"({"trigger":"timer"})")), 200);
  EXPECT_EQ(board.tree.read("sys/class/leds/ACT/trigger"), "timer");
  const std::string coloured =
      board.ask("PUT /api/v1/leds/rgb%3Astatus", "Host: pi.local\r\n", R"({"brightness":255})");
  EXPECT_EQ(status_of(coloured), 200) << coloured;
  EXPECT_EQ(board.tree.read("sys/class/leds/rgb:status/brightness"), "255");
}

TEST(DeviceLeds, RefuseWhatIsWrong) {
  Board board;
  struct Case {
    std::string_view body;
    std::string_view says;
  };
  const Case cases[] = {
      {R"({"brightness":2})",
       R"("message":"brightness is not an integer from 0 to 1","offset":14,"line":1,"column":15)"},
      {R"({"brightness":-1})", R"("offset":14)"},
      {R"({"brightness":"1"})", R"("offset":14)"},
      {"{\n  \"brightness\": }", R"("message":"a value is expected here","offset":18,"line":2,"column":17)"},
      {R"({"bright":1})", R"("message":"there is no such member; there is brightness, trigger","offset":1)"},
      {R"({"brightness":1,"brightness":0})", "brightness is given twice"},
      {R"([1])", "an object is expected here"},
      {R"({})", "give brightness, or trigger, or both"},
      {R"({"trigger":"rocket"})", "this LED has no such trigger"},
      {"\xFF", R"("offset":0)"},
  };
  for (const Case& c : cases) {
    const std::string answer = board.put_led(c.body);
    EXPECT_EQ(status_of(answer), 400) << c.body;
    EXPECT_TRUE(has(body_of(answer), c.says)) << answer;
    EXPECT_FALSE(apps::check_json(body_of(answer))) << answer;
  }
  EXPECT_EQ(status_of(board.ask("PUT /api/v1/leds/ACT")), 400) << "without a body";
  EXPECT_EQ(board.tree.read("sys/class/leds/ACT/brightness"), "0\n");
  EXPECT_EQ(status_of(board.put_led(std::string(led_body_max + 1, ' '))), 413);
  for (const char* name : {"none", "..%2Fleds%2FACT", "%2E%2E", "ACT%00"}) {
    const std::string line = "PUT /api/v1/leds/" + std::string{name};
    EXPECT_GE(status_of(board.ask(line, "Host: pi.local\r\n", R"({"brightness":1})")), 300) << name;
  }
  EXPECT_EQ(status_of(board.ask("PUT /api/v1/leds/none", "Host: pi.local\r\n", R"({"brightness":1})")), 404);
  EXPECT_EQ(status_of(board.ask("POST /api/v1/leds/ACT", "Host: pi.local\r\n", R"({"brightness":1})")), 405);
  EXPECT_EQ(board.tree.read("sys/class/leds/ACT/brightness"), "0\n");
}

TEST(DeviceLeds, TheBoardsComeFirst) {
  Board board;
  const std::string body = body_of(board.ask("GET /api/v1/leds"));
  EXPECT_TRUE(
      has(body,
          R"({"leds":[{"name":"rgb:status","brightness":96,"max_brightness":255,"trigger":"none","label":"status"},)"))
      << body;
  EXPECT_TRUE(has(body, R"(,{"name":"ACT","brightness":0,"max_brightness":1,"trigger":"heartbeat"}]})")) << body;
  EXPECT_TRUE(has(board.ask("GET /api/v1/leds/rgb:status"), R"("label":"status"})"));
}

// ---- GPIO and the watchdog

TEST(DeviceGpio, ShowsLines) {
  Board board;
  EXPECT_EQ(
      body_of(board.ask("GET /api/v1/gpio")),
      R"({"lines":[{"name":"OUT","chip":"made-gpio","line":0,"direction":"out","value":0,"active_low":false,"error":null},)"
      R"({"name":"IN","chip":"made-gpio","line":1,"direction":"in","value":0,"active_low":false,"error":null},)"
      R"({"name":"FREE","chip":"made-gpio","line":2,"direction":null,"value":null,"active_low":false,"error":null}]})"
      "\n");
  board.machine.chips[1].lines[1].level = true;
  EXPECT_TRUE(has(board.ask("GET /api/v1/gpio/IN"), R"("value":1)"));
  EXPECT_EQ(status_of(board.ask("GET /api/v1/gpio/in")), 404);
  board.machine.gpio_error = EIO;
  EXPECT_TRUE(has(board.ask("GET /api/v1/gpio/IN"), R"("value":null)"));
}

TEST(DeviceGpio, SwitchesAnOutput) {
  Board board;
  const std::string host = "Host: pi.local\r\n";
  EXPECT_TRUE(has(board.ask("PUT /api/v1/gpio/OUT", host, R"({"value":1})"), R"("value":1)"));
  EXPECT_TRUE(board.machine.chips[1].lines[0].level);
  EXPECT_TRUE(has(board.ask("PUT /api/v1/gpio/OUT", host, R"({"value":0})"), R"("value":0)"));
  EXPECT_FALSE(board.machine.chips[1].lines[0].level);
}

TEST(DeviceGpio, RefusesWhatIsWrong) {
  Board board;
  const std::string host = "Host: pi.local\r\n";
  for (const char* body : {R"({"value":2})", R"({"value":true})", R"({})", R"({"level":1})", "1", "{"}) {
    EXPECT_EQ(status_of(board.ask("PUT /api/v1/gpio/OUT", host, body)), 400) << body;
  }
  EXPECT_EQ(status_of(board.ask("PUT /api/v1/gpio/OUT")), 400) << "without a body";
  const std::string input = board.ask("PUT /api/v1/gpio/IN", host, R"({"value":1})");
  EXPECT_EQ(status_of(input), 409);
  EXPECT_TRUE(has(input, "this line is an input"));
  const std::string free = board.ask("PUT /api/v1/gpio/FREE", host, R"({"value":1})");
  EXPECT_EQ(status_of(free), 409);
  EXPECT_TRUE(has(free, "--gpio")) << free;
  EXPECT_EQ(status_of(board.ask("PUT /api/v1/gpio/none", host, R"({"value":1})")), 404);
  EXPECT_EQ(status_of(board.ask("POST /api/v1/gpio/OUT", host, R"({"value":1})")), 405);
  EXPECT_EQ(status_of(board.ask("PUT /api/v1/gpio/OUT", host + "Sec-Fetch-Site: cross-site\r\n", R"({"value":1})")),
            403);
  EXPECT_FALSE(board.machine.chips[1].lines[0].level);
  board.machine.gpio_error = EIO;
  EXPECT_EQ(status_of(board.ask("PUT /api/v1/gpio/OUT", host, R"({"value":1})")), 500);
  board.machine.gpio_error = EPERM;
  EXPECT_EQ(status_of(board.ask("PUT /api/v1/gpio/OUT", host, R"({"value":1})")), 403);
}

TEST(DeviceGpio, IsInTheMetrics) {
  Board board;
  board.machine.chips[1].lines[1].level = true;
  const std::string body = body_of(board.ask("GET /metrics"));
  EXPECT_TRUE(has(
      body, "\n# TYPE device_gpio_value gauge\ndevice_gpio_value{line=\"OUT\"} 0\ndevice_gpio_value{line=\"IN\"} 1\n"))
      << body;
  EXPECT_FALSE(has(body, "FREE")) << body;
  EXPECT_FALSE(has(body, "device_watchdog")) << body;
  board.machine.gpio_error = EIO;
  EXPECT_FALSE(has(board.ask("GET /metrics"), "device_gpio_value"));
}

TEST(DeviceWatchdog, IsInTheMetrics) {
  Board board;
  ASSERT_FALSE(board.watchdog.open({.device = "/dev/made-watchdog", .seconds = 10}));
  const std::string body = body_of(board.ask("GET /metrics"));
  EXPECT_TRUE(has(body, "\ndevice_watchdog_timeout_seconds 10\n")) << body;
  EXPECT_TRUE(has(body, "\ndevice_watchdog_failures_total 0\n")) << body;
  EXPECT_TRUE(has(body, "\ndevice_watchdog_has_reset 0\n")) << body;
}

TEST(DeviceWatchdog, IsShown) {
  Board board;
  board.machine.has_watchdog_reset = true;
  ASSERT_FALSE(board.watchdog.open({.device = "/dev/made-watchdog", .seconds = 10}));
  EXPECT_TRUE(has(
      board.ask("GET /api/v1/status"),
      R"("watchdog":{"device":"/dev/made-watchdog","identity":"Made Watchdog","timeout_s":10,"failures":0,"has_reset":true}})"));
}

// ---- who may ask

TEST(DeviceAccess, RefusesStrangeHosts) {
  Board board;
  for (const char* path : {"GET /", "GET /api/v1/status", "GET /nowhere", "GET //", "PUT /api/v1/firmware"}) {
    const std::string answer = board.ask(path, "Host: evil.example\r\n");
    EXPECT_EQ(status_of(answer), 403) << path;
    EXPECT_TRUE(has(answer, "--allow-host")) << answer;
  }
  for (const char* host : {"10.0.0.1", "[::1]:80", "greenhouse:80", "device.example", "localhost"}) {
    EXPECT_EQ(status_of(board.ask("GET /healthz", "Host: " + std::string{host} + "\r\n")), 200) << host;
  }
  EXPECT_EQ(status_of(board.ask("GET http://evil.example/healthz", "Host: pi.local\r\n")), 403);
}

TEST(DeviceAccess, RefusesOtherSites) {
  Board board;
  for (const char* field : {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://evil.example",
                            "Origin: null", "Origin: http://pi.local:81", "Origin: http://pi.local.evil.example",
                            "Sec-Fetch-Site: cross-site\r\nOrigin: http://pi.local"}) {
    const std::string fields = "Host: pi.local\r\n" + std::string{field} + "\r\n";
    EXPECT_EQ(status_of(board.put_led(R"({"brightness":1})", fields)), 403) << field;
    EXPECT_EQ(status_of(board.ask("PUT /api/v1/firmware", fields, "image")), 403) << field;
    EXPECT_EQ(status_of(board.ask("GET /healthz", fields)), 200) << field;
  }
  EXPECT_EQ(board.tree.read("sys/class/leds/ACT/brightness"), "0\n");
  EXPECT_FALSE(board.tree.has("data/firmware.bin"));
  for (const char* field :
       {"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "Origin: http://pi.local", "Origin: https://PI.local"}) {
    EXPECT_EQ(status_of(board.put_led(R"({"brightness":1})", "Host: pi.local\r\n" + std::string{field} + "\r\n")), 200)
        << field;
  }
}

// ---- the page

TEST(DeviceDashboard, IsServed) {
  Board board;
  const std::string plain = board.ask("GET /");
  EXPECT_EQ(status_of(plain), 200);
  EXPECT_TRUE(has(plain, "\r\nContent-Type: text/html; charset=utf-8\r\n")) << plain;
  EXPECT_TRUE(has(plain, "\r\nContent-Security-Policy: default-src 'none';")) << plain;
  EXPECT_EQ(body_of(plain), dashboard_assets()[0].content);
  for (const Asset& asset : dashboard_assets()) {
    const std::string request = "GET " + std::string{asset.path};
    const std::string host = "Host: pi.local\r\n";
    const std::string same = board.ask(request, host + "If-None-Match: " + std::string{asset.etag} + "\r\n");
    EXPECT_EQ(status_of(same), 304);
    EXPECT_EQ(body_of(same), "");
    EXPECT_EQ(status_of(board.ask(request, host + "If-None-Match: \"other\"\r\n")), 200);
    EXPECT_EQ(status_of(board.ask(request, host + "If-Match: \"other\"\r\n")), 412);
    if (!asset.gzipped.empty()) {
      const std::string gzipped = board.ask(request, host + "Accept-Encoding: deflate, gzip\r\n");
      EXPECT_TRUE(has(gzipped, "\r\nContent-Encoding: gzip\r\n"));
      EXPECT_EQ(body_of(gzipped), asset.gzipped);
    }
    EXPECT_EQ(body_of(board.ask(request, host + "Accept-Encoding: gzip;q=0\r\n")), asset.content);
  }
}

// ---- firmware

TEST(DeviceFirmware, IsTakenInPieces) {
  Board board;
  std::string image(200'000, '\0');
  for (std::size_t i = 0; i < image.size(); ++i) {
    image[i] = static_cast<char>(i * 31 + i / 251);
  }
  Peer& peer = board.start_upload("Content-Length: 200000\r\nExpect: 100-continue\r\n", "");
  peer.want("HTTP/1.1 100 Continue\r\n\r\n");
  peer.say_in_pieces(image, 7'001);
  const std::string head = peer.want_head(200);
  EXPECT_TRUE(has(peer.want_containing("\n"), R"({"size":200000,"modified":")"));
  EXPECT_EQ(board.tree.read("data/firmware.bin"), image);
  EXPECT_TRUE(has(board.ask("GET /api/v1/firmware"), R"({"size":200000,)"));
  peer.close();
}

TEST(DeviceFirmware, IsTakenChunked) {
  Board board;
  Peer& peer = board.start_upload("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
  peer.want_head(200);
  EXPECT_EQ(board.tree.read("data/firmware.bin"), "hello!");
  peer.close();
}

TEST(DeviceFirmware, LeavesNothingBehindWhenTheClientGoes) {
  Board board;
  board.tree.write("data/firmware.bin", "old");
  for (const bool resets : {false, true}) {
    Peer& peer = board.start_upload("Content-Length: 1000\r\n", std::string(500, 'x'));
    EXPECT_TRUE(board.talk.run_until([&board] { return board.tree.has("data/firmware.bin.part"); }));
    EXPECT_EQ(status_of(board.ask("PUT /api/v1/firmware", "Host: pi.local\r\n", "second")), 409);
    resets ? peer.reset() : peer.close();
    board.talk.advance(1s);
    EXPECT_FALSE(board.tree.has("data/firmware.bin.part"));
    EXPECT_EQ(board.tree.read("data/firmware.bin"), "old");
  }
  EXPECT_EQ(status_of(board.ask("PUT /api/v1/firmware", "Host: pi.local\r\n", "second")), 200);
}

TEST(DeviceFirmware, LeavesNothingBehindWhenTheClientStalls) {
  Board board;
  Peer& peer = board.start_upload("Content-Length: 1000\r\n", std::string(500, 'x'));
  EXPECT_TRUE(board.talk.run_until([&board] { return board.tree.has("data/firmware.bin.part"); }));
  board.talk.advance(60s);
  EXPECT_FALSE(board.tree.has("data/firmware.bin.part"));
  peer.close();
}

TEST(DeviceFirmware, MayTakeLongerThanOtherBodies) {
  Board board;
  Peer& peer = board.start_upload("Content-Length: 900000\r\n", "");
  const std::string piece(3'000, 'x');
  for (int i = 0; i < 300; ++i) {  // 15 minutes; ServerTimeouts::read_body has 10
    peer.say(piece);
    board.talk.advance(3s);
  }
  peer.want_head(200);
  EXPECT_EQ(board.tree.read("data/firmware.bin").size(), 900'000U);
  peer.close();
}

TEST(DeviceFirmware, RefusesWhatIsMalformed) {
  Board board;
  Peer& peer = board.start_upload("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\nnonsense\r\n");
  peer.want_head(400);
  EXPECT_TRUE(has(peer.want_containing("\n"), "the image did not come whole"));
  EXPECT_FALSE(board.tree.has("data/firmware.bin.part"));
  peer.close();
  EXPECT_EQ(status_of(board.ask("PUT /api/v1/firmware")), 400) << "without a body";
  EXPECT_FALSE(board.tree.has("data/firmware.bin"));
}

TEST(DeviceFirmware, HoldsItsLimit) {
  for (const std::size_t size : {99U, 100U, 101U}) {
    Board board{true, 100};
    const int expected = size > 100 ? 413 : 200;
    EXPECT_EQ(status_of(board.ask("PUT /api/v1/firmware", "Host: pi.local\r\n", std::string(size, 'x'))), expected)
        << size;
    Peer& peer = board.start_upload("Transfer-Encoding: chunked\r\n", "32\r\n" + std::string(50, 'x') + "\r\n");
    std::array<char, 16> memory{};
    const std::string rest{base::TextWriter{memory}.put_hex(size - 50).view()};
    peer.say(rest + "\r\n" + std::string(size - 50, 'x') + "\r\n0\r\n\r\n");
    peer.want_head(expected);
    EXPECT_FALSE(board.tree.has("data/firmware.bin.part"));
    EXPECT_EQ(board.tree.has("data/firmware.bin"), expected == 200);
    peer.close();
  }
}

TEST(DeviceFirmware, NeedsADirectory) {
  Board board{false};
  EXPECT_EQ(status_of(board.ask("GET /api/v1/firmware")), 503);
  const std::string answer = board.ask("PUT /api/v1/firmware", "Host: pi.local\r\n", "image");
  EXPECT_EQ(status_of(answer), 503);
  EXPECT_TRUE(has(answer, "--data DIR")) << answer;
}

}  // namespace
}  // namespace pollux::device
