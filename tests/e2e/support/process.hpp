// What App and Peer are made of: a child process that dies with the test, and its bounded end.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace pollux::e2e {

// No single wait of a test lasts longer, unless the test says so; then it fails.
inline constexpr int wait_max_s = 30;

// How to start a program besides its arguments.
struct Surroundings {
  std::vector<std::string> environment;  // "NAME=value", added to ours
  int listener = -1;  // a listening socket passed as the service manager does it: LISTEN_FDS, descriptor 3
  int when_we_die =
      SIGKILL;  // what it gets if the test crashes; a program with children of its own must be able to end them
};

namespace process {

// A file without a name that holds what a program writes, and what is in it.
[[nodiscard]] int temporary_file();
[[nodiscard]] std::string content(int descriptor);

// Starts a program with these descriptors as its standard output and error. It dies with us, so that a test that crashes leaves nothing.
[[nodiscard]] pid_t start(const std::vector<std::string>& command, int output, int errors,
                          const Surroundings& surroundings = {});

// Waits for the end of a process and returns its exit status as a shell would; one that takes longer than `seconds_max` is killed, which
// shows in the status.
int wait_for(pid_t pid, int seconds_max = wait_max_s);

}  // namespace process

}  // namespace pollux::e2e
