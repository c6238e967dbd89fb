// Loopback tests: start one of our programs as a process, talk to it over real sockets or with curl, end it and look at how it ended.
//
//   e2e::App app{"hello"};                         // bin/pollux-hello --listen 127.0.0.1:0, ready to answer
//   EXPECT_EQ(e2e::run("curl -s " + app.url("/hello")).output, "Hello, world!");
//   EXPECT_EQ(e2e::ask(app, "GET /hello HTTP/1.0\r\n\r\n").substr(0, 15), "HTTP/1.1 200 OK");
//   EXPECT_EQ(app.terminate(), 0);
//
// Nothing here sleeps: a program is ready when it says `listening on`, and every wait is a blocking read with a time limit. In the preset
// host-debug the programs run under AddressSanitizer and the heap guard, whose complaint is in App::errors() and the exit status.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/support/process.hpp"

namespace pollux::e2e {

// A program that has ended by a signal has 128 + its number as the exit status, as in a shell.
struct Finished {
  int status = -1;
  std::string output;  // standard output
  std::string errors;  // standard error
};

// Runs a shell command to its end, which has to come within `seconds_max`.
[[nodiscard]] Finished run(const std::string& command, int seconds_max = wait_max_s);
// The path of one of our programs: program("hello").
[[nodiscard]] std::string program(std::string_view name);
// Runs one of our programs to its end without a shell: run_app("hello", {"--help"}).
[[nodiscard]] Finished run_app(std::string_view name, const std::vector<std::string>& arguments);

class App {
 public:
  // Starts bin/pollux-NAME with `arguments`, and with --listen 127.0.0.1:0 unless they have a --listen or a listener is passed, and
  // waits until it listens. A program that ends instead is a failure of the test (ADD_FAILURE with what it said); then port() is 0.
  explicit App(std::string_view name, std::vector<std::string> arguments = {}, const Surroundings& surroundings = {});
  // Ends the program if that has not happened, and fails the test if it did not end with status 0.
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Of the first line `listening on http://ADDR:PORT`; 0 for a unix socket.
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view path) const;
  [[nodiscard]] std::string https_url(std::string_view path) const;  // of localhost, which certificates name
  // Of the line `redirecting http://ADDR:PORT to https`; 0 without --http-redirect.
  [[nodiscard]] std::uint16_t redirect_port() const { return redirect_port_; }
  // All the lines it printed by the time it was listening on everything it was asked for.
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  // How many descriptors the process has open, and its resident memory in KiB (proc(5)): for tests that nothing leaks. Under an emulator the memory
  // would be the emulator's, which translates code and never gives it back: 0 there.
  [[nodiscard]] std::size_t descriptors() const;
  [[nodiscard]] std::size_t resident_kib() const;

  void signal(int number) const;
  // Waits for the end and returns the exit status.
  int wait();
  // signal(SIGTERM) and wait().
  int terminate();
  // What it wrote to standard error; complete after wait().
  [[nodiscard]] std::string errors();

 private:
  [[nodiscard]] bool read_line(std::string& line);

  std::string name_;
  pid_t pid_ = -1;
  int output_ = -1;  // the pipe of its standard output
  int errors_ = -1;  // a temporary file, so that nobody has to read along
  std::string unread_;
  std::vector<std::string> lines_;
  std::uint16_t port_ = 0;
  std::uint16_t redirect_port_ = 0;
  bool has_ended_ = false;
};

// A blocking client connection. A failure to connect or a time limit that passes is a failure of the test.
class Client {
 public:
  explicit Client(std::uint16_t port);
  explicit Client(const std::string& unix_path);
  ~Client();
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) const;
  void finish() const;  // shutdown(2) of our direction
  // Reads until `end` has come and returns all up to and with it; what is behind it stays for the next call. Less if the
  // server closes before.
  [[nodiscard]] std::string read_until(std::string_view end);
  [[nodiscard]] std::string read(std::size_t size);
  // Everything until the server closes.
  [[nodiscard]] std::string read_all();
  // One answer with Content-Length or without a body: head and body. `expect_body` false after HEAD.
  [[nodiscard]] std::string read_answer(bool expect_body = true);
  [[nodiscard]] int descriptor() const { return socket_; }

 private:
  // False at the end of the stream (or a reset, or the time limit).
  [[nodiscard]] bool receive();

  int socket_ = -1;
  std::string unread_;
};

// Connects, sends `request`, finishes, and returns everything until the server closes.
[[nodiscard]] std::string ask(const App& app, std::string_view request);

}  // namespace pollux::e2e
