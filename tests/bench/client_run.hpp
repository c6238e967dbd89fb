// What the clients that are compared have in common: the command line, when to end, and the line they print. Nothing of pollux is in here.
//
//   NAME PORT CONNECTIONS seconds S      GET /hello on 127.0.0.1:PORT, CONNECTIONS at a time over kept connections, for S seconds
//   NAME PORT CONNECTIONS requests N     the same, N in all
//
// Prints "ANSWERS SECONDS PROCESSOR_NS": answers with status 200, wall-clock time, processor time of the process, both from the first
// request on. Anything that goes wrong is one line on standard error and exit status 1: a number of a run with errors means nothing.
#pragma once

#include <sys/resource.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace bench {

inline const char* program = "client";

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "%s: %s\n", program, what);
  std::exit(1);
}

inline std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

inline std::int64_t processor_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

struct Task {
  std::uint16_t port = 0;
  std::uint32_t connections = 0;
  std::int64_t seconds = 0;    // 0: `requests` counts
  std::uint64_t requests = 0;  // 0: `seconds` counts
};

inline Task read_task(int argc, char** argv) {
  program = argv[0];
  const std::string_view kind = argc == 5 ? argv[3] : "";
  if (kind != "seconds" && kind != "requests") {
    fail("see the head of tests/bench/client_run.hpp");
  }
  const auto number = [](const char* text, unsigned long max) {
    char* end = nullptr;
    const unsigned long value = std::strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value == 0 || value > max) {
      fail("a number was expected");
    }
    return value;
  };
  Task task;
  task.port = static_cast<std::uint16_t>(number(argv[1], 65535));
  task.connections = static_cast<std::uint32_t>(number(argv[2], 1024));
  const unsigned long amount = number(argv[4], 1'000'000'000);
  if (kind == "seconds") {
    task.seconds = static_cast<std::int64_t>(amount);
  } else {
    task.requests = amount;
  }
  return task;
}

// From the first request to the last answer. `is_over()` is asked once per turn, so a run by time ends in the turn after its end.
class Stopwatch {
 public:
  explicit Stopwatch(const Task& task)
      : task_{task}, began_{now_ns()}, processor_began_{processor_ns()}, end_{began_ + task.seconds * 1'000'000'000} {}
  // Whether another request may begin, as number `begun` (from 0).
  [[nodiscard]] bool may_begin(std::uint64_t begun) const { return task_.requests == 0 || begun < task_.requests; }
  [[nodiscard]] bool is_over(std::uint64_t answers) const {
    return task_.requests != 0 ? answers >= task_.requests : now_ns() >= end_;
  }
  void print(std::uint64_t answers) const {
    const std::int64_t processor = processor_ns() - processor_began_;
    std::printf("%llu %.6f %lld\n", static_cast<unsigned long long>(answers),
                static_cast<double>(now_ns() - began_) / 1e9, static_cast<long long>(processor));
  }

 private:
  Task task_;
  std::int64_t began_;
  std::int64_t processor_began_;
  std::int64_t end_;
};

}  // namespace bench
