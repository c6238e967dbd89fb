// LinuxPort: the Port that firmware runs on. System calls and nothing else; port/port.hpp says what each call means,
// this header only what is particular to Linux.
//
//   port::LinuxPort port{{.signals = {.hangup = true}}};
//   net::Loop loop{port, loop_memory.memory()};
//
// Needs Linux 3.15; uses openat2 (5.6) where the kernel has it. Opens two descriptors (epoll, signalfd) and keeps them.
// One object watches signals at a time: they belong to the process. Make it before any thread, which inherits the
// blocked signals.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/port.hpp"

namespace pollux::port {

// Which signals take_signal() tells about. A watched signal does nothing else any more: a program that watches one has
// to act on it. One that is not watched keeps what the system does with it, which for all four is to end the program.
struct WatchedSignals {
  bool terminate = true;  // SIGTERM
  bool interrupt = true;  // SIGINT; also where the shell had it ignored, as it does for programs in the background
  bool hangup = false;    // SIGHUP; stays ignored where it was ignored at the start: that is what nohup(1) asks for
  bool user1 = false;     // SIGUSR1
};

struct LinuxPortOptions {
  WatchedSignals signals{};

  // A TCP connection whose data stays unacknowledged for so long is lost (TCP_USER_TIMEOUT). 0: the kernel's own 15
  // minutes or so.
  std::chrono::milliseconds user_timeout{30'000};
  // A silent TCP peer is asked after `idle`, then each `interval`, and is lost after `count` questions without an
  // answer, or after user_timeout if that is set (tcp(7)). idle 0: never asked.
  std::chrono::seconds keep_alive_idle{60};
  std::chrono::seconds keep_alive_interval{15};
  int keep_alive_count = 4;

  bool boot_time = true;  // now() counts suspended time where the kernel has CLOCK_BOOTTIME; false: CLOCK_MONOTONIC
  bool parking = true;    // false: park() always says no. For tests of what a caller then does
  bool openat2 = true;    // false: open_file() goes step by step, as it does on a kernel without openat2(2)
};

class LinuxPort final : public Port {
 public:
  // A descriptor above this is never parked. 8 KiB of bitmap; the usual limit of open files is 1,024.
  static constexpr int parkable_descriptors = 65536;
  // Unix socket files that can be listened on at the same time; their paths are kept to remove them on close().
  static constexpr std::size_t local_listeners_max = 4;

  // Blocks the watched signals, ignores SIGPIPE, and waits until the kernel has randomness (only ever just after boot).
  // Without a free descriptor nothing is parked and no signal is watched.
  explicit LinuxPort(const LinuxPortOptions& options = {}) noexcept;
  // Puts back what the constructor changed. Sockets and files stay open: they belong to the program. A watched signal
  // that came and was not taken is dropped, so that the second Ctrl-C does not spoil the exit status of a clean end.
  ~LinuxPort();

  // Listening stream sockets that the service manager opened for this process (sd_listen_fds(3): LISTEN_PID,
  // LISTEN_FDS), made non-blocking, closed on exec, and with the options that accepted connections inherit. Returns how
  // many of `out` were set; what is no listening stream socket, or is more than `out` holds, is left alone. Removes the
  // variables: a second call says 0.
  [[nodiscard]] std::size_t inherited_listeners(std::span<Socket> out) noexcept;

  // Sends `state`, "READY=1" say, to the service manager (sd_notify(3): NOTIFY_SOCKET). False if there is none or it
  // does not take it.
  bool notify(std::string_view state) noexcept;

  // ---- Port

  [[nodiscard]] Time now() override;
  [[nodiscard]] WallTime wall_clock() override;
  void random(std::span<std::byte> out) override;

  [[nodiscard]] Result<Socket, Error> listen(const ListenOptions& options) override;
  [[nodiscard]] Result<Address, Error> local_address(Socket socket) override;
  [[nodiscard]] Result<Accepted, Error> accept(Socket listener) override;
  [[nodiscard]] Result<Socket, Error> connect(const Endpoint& to) override;
  [[nodiscard]] Result<void, Error> connect_result(Socket socket) override;
  // The kernel draws the source port at random among its ephemeral ones (net.ipv4.ip_local_port_range).
  [[nodiscard]] Result<Socket, Error> connect_datagram(const Address& to) override;
  [[nodiscard]] IoResult recv(Socket socket, std::span<std::byte> out) override;
  [[nodiscard]] IoResult send(Socket socket, std::span<const std::byte> first, std::span<const std::byte> second,
                              bool more) override;
  [[nodiscard]] IoResult send_file(Socket socket, File file, std::uint64_t offset, std::size_t size) override;
  void shutdown_send(Socket socket) override;
  void close(Socket socket) override;

  // `until` is waited for on a clock that stands still while the machine is suspended: after a resume the wait may last
  // as much longer as it had left, and now() tells the truth again. A program that was busy for more than a second since
  // it asked for the time may wait as much longer for a deadline that is more than two seconds away.
  PollOutcome poll(std::span<PollEntry> entries, std::span<ParkedEvent> parked, Time until) override;
  // Events are kept by descriptor, so a child made by fork(2) that lives on without exec must not hold parked sockets.
  [[nodiscard]] bool park(Socket socket, std::uint32_t token) override;
  void unpark(Socket socket) override;
  [[nodiscard]] bool take_signal(Signal& signal) override;

  [[nodiscard]] Result<File, Error> open_directory(std::string_view path) override;
  // On a kernel without openat2 a path through any symbolic link is `outside`, also through one that stays below
  // `root`.
  [[nodiscard]] Result<FileInfo, Error> open_file(File root, std::string_view path) override;
  [[nodiscard]] Result<FileInfo, Error> open_path(std::string_view path) override;
  [[nodiscard]] IoResult read_file(File file, std::uint64_t offset, std::span<std::byte> out) override;
  void close_file(File file) override;

  [[nodiscard]] int system_error() const override { return error_; }

 private:
  // A unix socket file of ours. The numbers tell whether the path still names it: another process may have replaced it
  // since.
  struct LocalListener {
    int descriptor = -1;
    dev_t device = 0;
    ino_t inode = 0;
    std::array<char, 108> path{};
  };

  [[nodiscard]] Failure<Error> failure(int number) noexcept;
  [[nodiscard]] IoResult io_failure(int number) noexcept;

  void watch_signals() noexcept;
  void restore_signals() noexcept;

  // Each 0 or an errno.
  [[nodiscard]] int prepare_listener(int descriptor, const ListenOptions& options) noexcept;
  [[nodiscard]] int bind_and_listen(int descriptor, const ListenOptions& options) noexcept;
  [[nodiscard]] int bind_path(int descriptor, const ListenOptions& options) noexcept;
  void set_stream_options(int descriptor) const noexcept;
  [[nodiscard]] LocalListener* find_local_listener(int descriptor) noexcept;
  void forget_local_listener(int descriptor) noexcept;

  [[nodiscard]] std::size_t take_parked(std::span<ParkedEvent> parked) noexcept;
  [[nodiscard]] bool is_registered(int descriptor) const noexcept;
  void set_registered(int descriptor, bool value) noexcept;

  // A descriptor, or an errno made negative.
  [[nodiscard]] int open_beneath(int root, const char* path) noexcept;

  LinuxPortOptions options_;
  clockid_t clock_ = CLOCK_MONOTONIC;
  int error_ = 0;  // see system_error()

  int epoll_ = -1;              // every parked socket, and `signals_`; -1: nothing is ever parked
  bool parked_any_ = false;     // before the first park() a poll costs no look into `epoll_`
  int signals_ = -1;            // signalfd(2) of the watched signals; -1: none is watched
  Time last_now_ = never;       // what now() said since the last wait; never: nobody asked
  bool signals_ready_ = false;  // a poll() saw `signals_` readable, and take_signal() has not emptied it yet

  sigset_t mask_before_{};
  struct sigaction pipe_before_ {};

  // Whether a descriptor is known to `epoll_` (a bit each), so that parking is one system call and never two.
  std::array<std::uint32_t, parkable_descriptors / 32> registered_{};
  std::array<LocalListener, local_listeners_max> local_listeners_{};
};

}  // namespace pollux::port
