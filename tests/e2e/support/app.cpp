#include "tests/e2e/support/app.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "tests/support/emulated.hpp"

namespace pollux::e2e {

// The folder of our programs: next to this test, or where POLLUX_BIN_DIR says.
std::string program(std::string_view name) {
  const char* folder = std::getenv("POLLUX_BIN_DIR");
  return std::string{folder != nullptr ? folder : POLLUX_BIN_DIR} + "/pollux-" + std::string{name};
}

namespace {

Finished run_to_the_end(const std::vector<std::string>& command, int seconds_max) {
  const int output = process::temporary_file();
  const int errors = process::temporary_file();
  const pid_t pid = process::start(command, output, errors);
  Finished finished;
  finished.status = process::wait_for(pid, seconds_max);
  finished.output = process::content(output);
  finished.errors = process::content(errors);
  ::close(output);
  ::close(errors);
  return finished;
}

void set_time_limit(int socket) {
  const timeval limit{.tv_sec = wait_max_s, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

template <typename SocketAddress>
int connect_to(int family, const SocketAddress& address) {
  const int socket = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  set_time_limit(socket);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ADD_FAILURE() << "connect: " << std::strerror(errno);
  }
  return socket;
}

}  // namespace

Finished run(const std::string& command, int seconds_max) {
  return run_to_the_end({"sh", "-c", command}, seconds_max);
}

Finished run_app(std::string_view name, const std::vector<std::string>& arguments) {
  std::vector<std::string> command{program(name)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_to_the_end(command, wait_max_s);
}

// ---- App

App::App(std::string_view name, std::vector<std::string> arguments, const Surroundings& surroundings) : name_{name} {
  const auto is_listen = [](const std::string& argument) { return argument.starts_with("--listen"); };
  auto listeners = std::count_if(arguments.begin(), arguments.end(), is_listen);
  if (surroundings.listener >= 0) {
    ++listeners;
  }
  if (listeners == 0) {
    arguments.insert(arguments.begin(), {"--listen", "127.0.0.1:0"});
    listeners = 1;
  }
  arguments.insert(arguments.begin(), program(name));

  std::array<int, 2> pipe_ends{};
  EXPECT_EQ(::pipe2(pipe_ends.data(), O_CLOEXEC), 0);
  output_ = pipe_ends[0];
  errors_ = process::temporary_file();
  pid_ = process::start(arguments, pipe_ends[1], errors_, surroundings);
  ::close(pipe_ends[1]);

  auto redirects = std::count(arguments.begin(), arguments.end(), "--http-redirect");
  std::string line;
  while (listeners + redirects > 0 && read_line(line)) {
    lines_.push_back(line);
    const bool is_redirect = line.starts_with("redirecting ");
    if (!is_redirect && !line.starts_with("listening on ")) {
      continue;
    }
    --(is_redirect ? redirects : listeners);
    std::uint16_t& port = is_redirect ? redirect_port_ : port_;
    // "http://127.0.0.1:8080 to https"
    const std::size_t colon = line.rfind(':');
    if (port == 0 && line.find("//") != std::string::npos) {
      std::from_chars(line.data() + colon + 1, line.data() + line.size(), port);
    }
  }
  if (listeners + redirects > 0) {
    ADD_FAILURE() << "pollux-" << name_ << " is not listening; it wrote: " << errors();
  }
}

App::~App() {
  if (!has_ended_ && pid_ > 0) {
    EXPECT_EQ(terminate(), 0) << "pollux-" << name_ << " wrote: " << errors();
  }
  ::close(output_);
  ::close(errors_);
}

std::string App::url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string{path};
}

std::string App::https_url(std::string_view path) const {
  return "https://localhost:" + std::to_string(port_) + std::string{path};
}

std::size_t App::descriptors() const {
  DIR* folder = ::opendir(("/proc/" + std::to_string(pid_) + "/fd").c_str());
  std::size_t count = 0;
  while (folder != nullptr && ::readdir(folder) != nullptr) {
    ++count;
  }
  ::closedir(folder);
  return count - 2;  // "." and ".."
}

std::size_t App::resident_kib() const {
  if (test::is_emulated) {
    return 0;
  }
  std::ifstream status{"/proc/" + std::to_string(pid_) + "/status"};
  std::string word;
  std::size_t value = 0;
  while (status >> word) {
    if (word == "VmRSS:") {
      status >> value;
      break;
    }
  }
  return value;
}

void App::signal(int number) const {
  ::kill(pid_, number);
}

int App::wait() {
  has_ended_ = true;
  return process::wait_for(pid_);
}

int App::terminate() {
  signal(SIGTERM);
  return wait();
}

std::string App::errors() {
  return process::content(errors_);
}

bool App::read_line(std::string& line) {
  for (;;) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return true;
    }
    pollfd entry{.fd = output_, .events = POLLIN, .revents = 0};
    std::array<char, 4096> piece{};
    if (::poll(&entry, 1, wait_max_s * 1000) <= 0) {
      return false;
    }
    const ssize_t size = ::read(output_, piece.data(), piece.size());
    if (size <= 0) {
      return false;
    }
    unread_.append(piece.data(), static_cast<std::size_t>(size));
  }
}

// ---- Client

Client::Client(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socket_ = connect_to(AF_INET, address);
}

Client::Client(const std::string& unix_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
  socket_ = connect_to(AF_UNIX, address);
}

Client::~Client() {
  if (socket_ >= 0) {
    ::close(socket_);
  }
}

Client::Client(Client&& other) noexcept
    : socket_{std::exchange(other.socket_, -1)}, unread_{std::move(other.unread_)} {}

void Client::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return;  // the server has closed: what it answered says why
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Client::finish() const {
  ::shutdown(socket_, SHUT_WR);
}

bool Client::receive() {
  std::array<char, 65536> piece;
  const ssize_t size = ::recv(socket_, piece.data(), piece.size(), 0);
  if (size < 0 && errno == EAGAIN) {
    ADD_FAILURE() << "nothing came in " << wait_max_s << " s; so far: " << unread_;
  }
  if (size <= 0) {
    return false;
  }
  unread_.append(piece.data(), static_cast<std::size_t>(size));
  return true;
}

std::string Client::read_until(std::string_view end) {
  std::size_t at = unread_.find(end);
  while (at == std::string::npos && receive()) {
    at = unread_.find(end);
  }
  return read(at == std::string::npos ? unread_.size() : at + end.size());
}

std::string Client::read(std::size_t size) {
  while (unread_.size() < size && receive()) {
  }
  std::string taken = unread_.substr(0, size);
  unread_.erase(0, taken.size());
  return taken;
}

std::string Client::read_all() {
  while (receive()) {
  }
  return std::exchange(unread_, {});
}

std::string Client::read_answer(bool expect_body) {
  std::string answer = read_until("\r\n\r\n");
  std::string head = answer;
  std::transform(head.begin(), head.end(), head.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  const std::string name = "\r\ncontent-length: ";
  const std::size_t at = head.find(name);
  if (!expect_body || at == std::string::npos) {
    return answer;
  }
  std::size_t size = 0;
  std::from_chars(head.data() + at + name.size(), head.data() + head.size(), size);
  return answer + read(size);
}

std::string ask(const App& app, std::string_view request) {
  Client client{app.port()};
  client.send(request);
  client.finish();
  return client.read_all();
}

}  // namespace pollux::e2e
