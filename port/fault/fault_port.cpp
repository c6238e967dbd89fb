#include "port/fault/fault_port.hpp"

#include <cerrno>

namespace pollux::port {

void FaultPort::set_plan(const FaultPlan& plan) noexcept {
  plan_ = plan;
  state_ = plan.seed;
  calls_ = failures_ = 0;
  calls_of_ = {};
}

// SplitMix64, one step (see sim_random.hpp; this port stands alone).
bool FaultPort::chance() noexcept {
  state_ += 0x9E3779B97F4A7C15U;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
  mixed ^= mixed >> 31;
  return static_cast<double>(mixed >> 11) * 0x1.0p-53 < plan_.probability;
}

bool FaultPort::fails(FaultCall call, int number) noexcept {
  ++calls_of_[static_cast<std::size_t>(call)];
  injected_error_ = 0;
  if ((plan_.calls & fault_bit(call)) == 0) {
    return false;
  }
  ++calls_;
  const bool is_chosen = plan_.first != 0 && (calls_ == plan_.first || (plan_.and_later && calls_ > plan_.first));
  if (!is_chosen && (plan_.probability <= 0 || !chance())) {
    return false;
  }
  ++failures_;
  last_failure_ = call;
  injected_error_ = number;
  return true;
}

Result<Socket, Error> FaultPort::listen(const ListenOptions& options) {
  if (fails(FaultCall::listen, EADDRINUSE)) {
    return Failure{Error::address_in_use};
  }
  return inner_.listen(options);
}

Result<Address, Error> FaultPort::local_address(Socket socket) {
  if (fails(FaultCall::local_address, ENOBUFS)) {
    return Failure{Error::failed};
  }
  return inner_.local_address(socket);
}

Result<Accepted, Error> FaultPort::accept(Socket listener) {
  if (fails(FaultCall::accept, EMFILE)) {
    return Failure{Error::no_descriptors};
  }
  return inner_.accept(listener);
}

Result<Socket, Error> FaultPort::connect(const Endpoint& to) {
  if (fails(FaultCall::connect, ECONNREFUSED)) {
    return Failure{Error::refused};
  }
  return inner_.connect(to);
}

Result<void, Error> FaultPort::connect_result(Socket socket) {
  if (fails(FaultCall::connect_result, ECONNREFUSED)) {
    return Failure{Error::refused};
  }
  return inner_.connect_result(socket);
}

Result<Socket, Error> FaultPort::connect_datagram(const Address& to) {
  if (fails(FaultCall::connect_datagram, EMFILE)) {
    return Failure{Error::no_descriptors};
  }
  return inner_.connect_datagram(to);
}

IoResult FaultPort::recv(Socket socket, std::span<std::byte> out) {
  if (fails(FaultCall::recv, ECONNRESET)) {
    return {.status = IoStatus::failed};
  }
  return inner_.recv(socket, out);
}

IoResult FaultPort::send(Socket socket, std::span<const std::byte> first, std::span<const std::byte> second,
                         bool more) {
  if (fails(FaultCall::send, EPIPE)) {
    return {.status = IoStatus::failed};
  }
  return inner_.send(socket, first, second, more);
}

IoResult FaultPort::send_file(Socket socket, File file, std::uint64_t offset, std::size_t size) {
  if (fails(FaultCall::send_file, EIO)) {
    return {.status = IoStatus::failed};
  }
  return inner_.send_file(socket, file, offset, size);
}

PollOutcome FaultPort::poll(std::span<PollEntry> entries, std::span<ParkedEvent> parked, Time until) {
  if (last_poll_failed_) {
    last_poll_failed_ = false;
  } else if (fails(FaultCall::poll, EINTR)) {
    last_poll_failed_ = true;
    for (PollEntry& entry : entries) {
      entry.ready = Events::none;
    }
    return {};
  }
  return inner_.poll(entries, parked, until);
}

bool FaultPort::park(Socket socket, std::uint32_t token) {
  if (fails(FaultCall::park, ENOSPC)) {
    inner_.unpark(socket);  // false means that it is not parked, also when only its token was to change
    return false;
  }
  return inner_.park(socket, token);
}

Result<File, Error> FaultPort::open_directory(std::string_view path) {
  if (fails(FaultCall::open_directory, EMFILE)) {
    return Failure{Error::no_descriptors};
  }
  return inner_.open_directory(path);
}

Result<FileInfo, Error> FaultPort::open_file(File root, std::string_view path) {
  if (fails(FaultCall::open_file, EMFILE)) {
    return Failure{Error::no_descriptors};
  }
  return inner_.open_file(root, path);
}

Result<FileInfo, Error> FaultPort::open_path(std::string_view path) {
  if (fails(FaultCall::open_path, EMFILE)) {
    return Failure{Error::no_descriptors};
  }
  return inner_.open_path(path);
}

IoResult FaultPort::read_file(File file, std::uint64_t offset, std::span<std::byte> out) {
  if (fails(FaultCall::read_file, EIO)) {
    return {.status = IoStatus::failed};
  }
  return inner_.read_file(file, offset, out);
}

}  // namespace pollux::port
