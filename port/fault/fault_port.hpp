// FaultPort: a Port around another one that makes chosen calls fail, for programs that must survive every failure.
//
// Calls that may fail are counted from 1. A sweep breaks the first, then the second, and so on, until a run ends in which
// nothing was left to break:
//
//   for (std::uint64_t n = 1;; ++n) {
//     SimNetwork network{{.seed = 1}};
//     SimPort sim{network};
//     FaultPort port{sim, {.first = n}};
//     run_the_scenario(port);           // must end in order, whatever happened
//     if (port.failures() == 0) break;  // the scenario has fewer than n calls
//   }
//
// A call that is made to fail does not reach the port inside, which therefore knows nothing of it. What it says is a failure
// that the contract allows for that call:
//
//   listen            address_in_use         recv, send, send_file, read_file       failed
//   accept            no_descriptors         open_directory, open_file, open_path   no_descriptors
//   connect           refused (at once)      local_address                          failed
//   connect_result    refused                park                                   false, and the socket is not parked
//   connect_datagram  no_descriptors
//   poll            returns early with nothing ready; never twice in a row, or a program that loops would never end
//
// It has no heap, no clock and no random numbers but its own, so it also works around LinuxPort.
#pragma once

#include <array>
#include <cstdint>

#include "port/port.hpp"

namespace pollux::port {

// The calls that may fail.
enum class FaultCall : std::uint8_t {
  listen,
  local_address,
  accept,
  connect,
  connect_result,
  connect_datagram,
  recv,
  send,
  send_file,
  poll,
  park,
  open_directory,
  open_file,
  open_path,
  read_file,
};
inline constexpr std::size_t fault_call_count = 15;

// A set of them, as bits.
[[nodiscard]] constexpr std::uint32_t fault_bit(FaultCall call) noexcept {
  return 1U << static_cast<unsigned>(call);
}
inline constexpr std::uint32_t fault_all = (1U << fault_call_count) - 1;

struct FaultPlan {
  std::uint32_t calls = fault_all;  // which calls are counted and may fail: fault_bit(recv) | fault_bit(send)
  std::uint64_t first = 0;          // the n-th of them fails, counted from 1; 0: none is chosen by its number
  bool and_later = false;           // all after the n-th too
  double probability = 0;           // each of them fails with this probability as well
  std::uint64_t seed = 1;           // of that
};

class FaultPort final : public Port {
 public:
  // `inner` must outlive this.
  FaultPort(Port& inner, const FaultPlan& plan) noexcept : inner_{inner}, plan_{plan}, state_{plan.seed} {}

  // Another plan from now on; counting begins anew.
  void set_plan(const FaultPlan& plan) noexcept;

  // Since the plan was set: calls of the plan's kinds, and how many of them were made to fail.
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }
  // Calls of one kind, whether or not the plan has it.
  [[nodiscard]] std::uint64_t calls(FaultCall call) const noexcept { return calls_of_[static_cast<std::size_t>(call)]; }
  // Which kind failed last; only of use while failures() is not 0.
  [[nodiscard]] FaultCall last_failure() const noexcept { return last_failure_; }

  [[nodiscard]] Time now() override { return inner_.now(); }
  [[nodiscard]] WallTime wall_clock() override { return inner_.wall_clock(); }
  void random(std::span<std::byte> out) override { inner_.random(out); }
  [[nodiscard]] Result<Socket, Error> listen(const ListenOptions& options) override;
  [[nodiscard]] Result<Address, Error> local_address(Socket socket) override;
  [[nodiscard]] Result<Accepted, Error> accept(Socket listener) override;
  [[nodiscard]] Result<Socket, Error> connect(const Endpoint& to) override;
  [[nodiscard]] Result<void, Error> connect_result(Socket socket) override;
  [[nodiscard]] Result<Socket, Error> connect_datagram(const Address& to) override;
  [[nodiscard]] IoResult recv(Socket socket, std::span<std::byte> out) override;
  [[nodiscard]] IoResult send(Socket socket, std::span<const std::byte> first, std::span<const std::byte> second,
                              bool more) override;
  [[nodiscard]] IoResult send_file(Socket socket, File file, std::uint64_t offset, std::size_t size) override;
  void shutdown_send(Socket socket) override { inner_.shutdown_send(socket); }
  void close(Socket socket) override { inner_.close(socket); }
  PollOutcome poll(std::span<PollEntry> entries, std::span<ParkedEvent> parked, Time until) override;
  [[nodiscard]] bool park(Socket socket, std::uint32_t token) override;
  void unpark(Socket socket) override { inner_.unpark(socket); }
  [[nodiscard]] bool take_signal(Signal& signal) override { return inner_.take_signal(signal); }
  [[nodiscard]] Result<File, Error> open_directory(std::string_view path) override;
  [[nodiscard]] Result<FileInfo, Error> open_file(File root, std::string_view path) override;
  [[nodiscard]] Result<FileInfo, Error> open_path(std::string_view path) override;
  [[nodiscard]] IoResult read_file(File file, std::uint64_t offset, std::span<std::byte> out) override;
  void close_file(File file) override { inner_.close_file(file); }
  [[nodiscard]] int system_error() const override {
    return injected_error_ != 0 ? injected_error_ : inner_.system_error();
  }

 private:
  // Counts the call and decides whether it fails; `number` is then what system_error() says.
  [[nodiscard]] bool fails(FaultCall call, int number) noexcept;
  [[nodiscard]] bool chance() noexcept;

  Port& inner_;
  FaultPlan plan_;
  std::uint64_t state_;  // of the random numbers
  std::uint64_t calls_ = 0;
  std::uint64_t failures_ = 0;
  std::array<std::uint64_t, fault_call_count> calls_of_{};
  FaultCall last_failure_ = FaultCall::listen;
  int injected_error_ = 0;         // of the last fallible call, if it was made to fail
  bool last_poll_failed_ = false;  // then the next one is neither counted nor broken
};

}  // namespace pollux::port
