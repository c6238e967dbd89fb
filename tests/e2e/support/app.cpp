#include "tests/e2e/support/app.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

namespace pollux::e2e {

// The folder of our programs: next to this test, or where POLLUX_BIN_DIR says.
std::string program(std::string_view name) {
  const char* folder = std::getenv("POLLUX_BIN_DIR");
  return std::string{folder != nullptr ? folder : POLLUX_BIN_DIR} + "/pollux-" + std::string{name};
}

namespace {

// A file without a name that holds what a program writes.
int temporary_file() {
  std::FILE* file = std::tmpfile();
  const int descriptor = ::fcntl(::fileno(file), F_DUPFD_CLOEXEC, 0);
  std::fclose(file);
  return descriptor;
}

std::string content(int descriptor) {
  std::string text;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t size = ::pread(descriptor, piece.data(), piece.size(), static_cast<off_t>(text.size()));
    if (size <= 0) {
      return text;
    }
    text.append(piece.data(), static_cast<std::size_t>(size));
  }
}

// Starts a program with these descriptors as its standard output and error. It dies with us, so that a test that crashes leaves nothing.
pid_t start(const std::vector<std::string>& command, int output, int errors, const Surroundings& surroundings = {}) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) {
    return pid;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  for (const std::string& variable : surroundings.environment) {
    ::putenv(const_cast<char*>(variable.c_str()));
  }
  if (surroundings.listener >= 0) {
    // dup2() of a descriptor onto itself would leave it to be closed on exec.
    const int spare = ::fcntl(surroundings.listener, F_DUPFD_CLOEXEC, 10);
    ::dup2(spare, 3);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "1", 1);
  }
  ::execvp(arguments[0], arguments.data());
  std::fprintf(stderr, "cannot start %s: %s\n", arguments[0], std::strerror(errno));
  ::_exit(127);
}

int status_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

// Waits for the end of a process; one that takes longer than wait_max_s is killed, which shows in the status.
int wait_for(pid_t pid) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (handle >= 0) {
    pollfd entry{.fd = handle, .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, wait_max_s * 1000) == 0) {
      ADD_FAILURE() << "process " << pid << " did not end in " << wait_max_s << " s";
      ::kill(pid, SIGKILL);
    }
    ::close(handle);
  }
  int wait_status = 0;
  ::waitpid(pid, &wait_status, 0);
  return status_of(wait_status);
}

Finished run_to_the_end(const std::vector<std::string>& command) {
  const int output = temporary_file();
  const int errors = temporary_file();
  const pid_t pid = start(command, output, errors);
  Finished finished;
  finished.status = wait_for(pid);
  finished.output = content(output);
  finished.errors = content(errors);
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

Finished run(const std::string& command) {
  return run_to_the_end({"sh", "-c", command});
}

Finished run_app(std::string_view name, const std::vector<std::string>& arguments) {
  std::vector<std::string> command{program(name)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_to_the_end(command);
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
  errors_ = temporary_file();
  pid_ = start(arguments, pipe_ends[1], errors_, surroundings);
  ::close(pipe_ends[1]);

  std::string line;
  while (listeners > 0 && read_line(line)) {
    lines_.push_back(line);
    if (!line.starts_with("listening on ")) {
      continue;
    }
    --listeners;
    const std::size_t colon = line.rfind(':');
    if (port_ == 0 && line.find("//") != std::string::npos) {
      std::from_chars(line.data() + colon + 1, line.data() + line.size(), port_);
    }
  }
  if (listeners > 0) {
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
  return wait_for(pid_);
}

int App::terminate() {
  signal(SIGTERM);
  return wait();
}

std::string App::errors() {
  return content(errors_);
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
