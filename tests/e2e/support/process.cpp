#include "tests/e2e/support/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pollux::e2e::process {

namespace {

int status_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace

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

pid_t start(const std::vector<std::string>& command, int output, int errors, const Surroundings& surroundings) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) {
    return pid;
  }
  ::prctl(PR_SET_PDEATHSIG, surroundings.when_we_die);
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

int wait_for(pid_t pid, int seconds_max) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (handle >= 0) {
    pollfd entry{.fd = handle, .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, seconds_max * 1000) == 0) {
      ADD_FAILURE() << "process " << pid << " did not end in " << seconds_max << " s";
      ::kill(pid, SIGKILL);
    }
    ::close(handle);
  }
  int wait_status = 0;
  ::waitpid(pid, &wait_status, 0);
  return status_of(wait_status);
}

}  // namespace pollux::e2e::process
