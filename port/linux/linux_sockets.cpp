// Sockets of LinuxPort: listen, connect, transfer.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "port/ensure.hpp"
#include "port/linux/linux_port.hpp"
#include "port/linux/system_address.hpp"

namespace pollux::port {
namespace {

// Bytes of an answer that the kernel holds before they are on their way (TCP_NOTSENT_LOWAT, tcp(7)).
constexpr int unsent_max = 256 * 1024;

// The most that one sendfile(2) moves.
constexpr std::size_t send_file_max = 0x7ffff000;

constexpr int stream_socket = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
constexpr int datagram_socket = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

// Empty datagrams that one recv() passes over; a flood of them must not hold the loop. poll() tells of what is left.
constexpr int empty_datagrams_max = 32;

// A socket of the caller that is not open, or is none, is a bug of the caller.
void ensure_was_socket(int number) noexcept {
  ENSURE(number != EBADF);
  ENSURE(number != ENOTSOCK);
}

// 0 or an errno.
int set_option(int descriptor, int level, int name, int value) noexcept {
  return ::setsockopt(descriptor, level, name, &value, sizeof value) == 0 ? 0 : errno;
}

Error error_of(int number) noexcept {
  switch (number) {
    case EAGAIN:
      return Error::would_block;
    case EMFILE:
    case ENFILE:
      return Error::no_descriptors;
    case ENOMEM:
    case ENOBUFS:
      return Error::no_memory;
    case EADDRINUSE:
      return Error::address_in_use;
    case EADDRNOTAVAIL:
      return Error::address_not_here;
    case EACCES:
    case EPERM:
      return Error::permission_denied;
    case ENOENT:
    case ENOTDIR:
      return Error::not_found;
    case EXDEV:  // openat2(2): it would have left the directory
    case ELOOP:  // openat2(2): a link of /proc; step by step: any link
      return Error::outside;
    case ENXIO:  // open(2): a unix socket, or a device without a driver
    case ENODEV:
      return Error::not_regular;
    case ENAMETOOLONG:
      return Error::name_too_long;
    case ECONNREFUSED:
      return Error::refused;
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
      return Error::unreachable;
    case ETIMEDOUT:
      return Error::timed_out;
    default:
      return Error::failed;
  }
}

// accept(2) also reports what the network did to the connection before it was taken.
Error accept_error_of(int number) noexcept {
  switch (number) {
    case ECONNABORTED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM:  // a rule of the firewall
    case EPROTO:
    case ETIMEDOUT:
      return Error::aborted;
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return error_of(number);
    default:
      return Error::failed;
  }
}

// True if somebody holds the unix socket at `address`, or it cannot be told. Asks with a datagram socket: a live stream
// socket refuses that one as of the wrong type (EPROTOTYPE) and never hears of it, while a stream socket would leave a
// connection in its queue.
bool is_served(const SystemAddress& address) noexcept {
  const int probe = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) {
    return true;
  }
  const bool is_stale = ::connect(probe, address.get(), address.size()) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return !is_stale;
}

bool is_socket_file(const char* path) noexcept {
  struct stat status {};
  return ::lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

// The socket file appears with exactly `mode`, and never for a moment with more. The mask belongs to the process, which
// has one thread.
int bind_with_mode(int descriptor, const SystemAddress& address, mode_t mode) noexcept {
  const mode_t before = ::umask(~mode & 0777);
  const int number = ::bind(descriptor, address.get(), address.size()) == 0 ? 0 : errno;
  ::umask(before);
  return number;
}

}  // namespace

Failure<Error> LinuxPort::failure(int number) noexcept {
  error_ = number;
  return Failure{error_of(number)};
}

IoResult LinuxPort::io_failure(int number) noexcept {
  if (number == EAGAIN) {
    return {.status = IoStatus::would_block};
  }
  error_ = number;
  return {.status = IoStatus::failed};
}

// ---- making sockets

Result<Socket, Error> LinuxPort::listen(const ListenOptions& options) {
  SystemAddress address;
  if (const int number = address.set(options.endpoint); number != 0) {
    return failure(number);
  }
  const int descriptor = ::socket(address.family(), stream_socket, 0);
  if (descriptor < 0) {
    return failure(errno);
  }
  int number = prepare_listener(descriptor, options);
  if (number == 0) {
    number = bind_and_listen(descriptor, options);
  }
  if (number != 0) {
    forget_local_listener(descriptor);
    ::close(descriptor);
    return failure(number);
  }
  return Socket{descriptor};
}

int LinuxPort::prepare_listener(int descriptor, const ListenOptions& options) noexcept {
  const Family family = options.endpoint.address.family;
  if (family == Family::local) {
    return 0;
  }
  int number = set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
  if (number == 0 && options.reuse_port) {
    number = set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  }
  if (number == 0 && options.free_bind) {
    number = set_option(descriptor, IPPROTO_IP, IP_FREEBIND, 1);  // for IPv6 too (ipv6(7) has no other)
  }
  if (number == 0 && family == Family::ipv6) {
    number = set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0);
  }
  set_stream_options(descriptor);
  return number;
}

int LinuxPort::bind_and_listen(int descriptor, const ListenOptions& options) noexcept {
  const Endpoint& endpoint = options.endpoint;
  if (endpoint.address.family == Family::local && !endpoint.path.starts_with('@')) {
    if (const int number = bind_path(descriptor, options); number != 0) {
      return number;
    }
  } else {
    SystemAddress address;
    ENSURE(address.set(endpoint) == 0);
    if (::bind(descriptor, address.get(), address.size()) != 0) {
      return errno;
    }
  }
  return ::listen(descriptor, options.backlog) == 0 ? 0 : errno;
}

int LinuxPort::bind_path(int descriptor, const ListenOptions& options) noexcept {
  LocalListener* const listener = find_local_listener(-1);
  if (listener == nullptr) {
    return EMFILE;
  }
  SystemAddress address;
  ENSURE(address.set(options.endpoint) == 0);
  int number = bind_with_mode(descriptor, address, options.local_mode);
  if (number == EADDRINUSE && is_socket_file(address.path()) && !is_served(address)) {
    ::unlink(address.path());  // left behind by a program that was killed
    number = bind_with_mode(descriptor, address, options.local_mode);
  }
  if (number != 0) {
    return number;
  }
  struct stat status {};
  if (::lstat(address.path(), &status) != 0) {
    return errno;
  }
  *listener = {.descriptor = descriptor, .device = status.st_dev, .inode = status.st_ino};
  std::memcpy(listener->path.data(), address.path(), options.endpoint.path.size() + 1);
  return 0;
}

LinuxPort::LocalListener* LinuxPort::find_local_listener(int descriptor) noexcept {
  const auto found = std::find_if(local_listeners_.begin(), local_listeners_.end(),
                                  [&](const LocalListener& listener) { return listener.descriptor == descriptor; });
  return found == local_listeners_.end() ? nullptr : &*found;
}

// Removes the socket file if `descriptor` listens on one and the path still names it.
void LinuxPort::forget_local_listener(int descriptor) noexcept {
  LocalListener* const listener = find_local_listener(descriptor);
  if (listener == nullptr) {
    return;
  }
  struct stat status {};
  if (::lstat(listener->path.data(), &status) == 0 && status.st_dev == listener->device &&
      status.st_ino == listener->inode) {
    ::unlink(listener->path.data());
  }
  *listener = {};
}

// On a listener once: what it accepts inherits all of them (tests/port/linux_port_test.cpp shows that it does). None is
// worth refusing a connection for, so a kernel or emulator that knows less is left alone.
void LinuxPort::set_stream_options(int descriptor) const noexcept {
  const int domain = socket_option(descriptor, SO_DOMAIN);
  if (domain != AF_INET && domain != AF_INET6) {
    return;
  }
  static_cast<void>(set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1));
  // Otherwise the kernel takes megabytes for a client that reads slowly, and tells nothing of its progress for minutes.
  static_cast<void>(set_option(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent_max));
  if (options_.user_timeout.count() > 0) {
    static_cast<void>(
        set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(options_.user_timeout.count())));
  }
  if (options_.keep_alive_idle.count() <= 0) {
    return;
  }
  static_cast<void>(
      set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(options_.keep_alive_idle.count())));
  static_cast<void>(
      set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(options_.keep_alive_interval.count())));
  static_cast<void>(set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, options_.keep_alive_count));
  static_cast<void>(set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1));
}

Result<Address, Error> LinuxPort::local_address(Socket socket) {
  SystemAddress address;
  if (::getsockname(socket.id, address.out(), address.out_size()) != 0) {
    const int number = errno;
    ensure_was_socket(number);
    return failure(number);
  }
  return address.address();
}

Result<Accepted, Error> LinuxPort::accept(Socket listener) {
  SystemAddress peer;
  int descriptor = -1;
  do {
    descriptor = ::accept4(listener.id, peer.out(), peer.out_size(), SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) {
    const int number = errno;
    ensure_was_socket(number);
    ENSURE(number != EINVAL);  // it does not listen
    error_ = number;
    return Failure{accept_error_of(number)};
  }
  return Accepted{.socket = {descriptor}, .peer = peer.address()};
}

Result<Socket, Error> LinuxPort::connect(const Endpoint& to) {
  SystemAddress address;
  if (const int number = address.set(to); number != 0) {
    return failure(number);
  }
  const int descriptor = ::socket(address.family(), stream_socket, 0);
  if (descriptor < 0) {
    return failure(errno);
  }
  set_stream_options(descriptor);
  if (::connect(descriptor, address.get(), address.size()) != 0 && errno != EINPROGRESS && errno != EINTR) {
    const int number = errno;
    ::close(descriptor);
    return failure(number);
  }
  return Socket{descriptor};
}

Result<void, Error> LinuxPort::connect_result(Socket socket) {
  int number = 0;
  socklen_t size = sizeof number;
  if (::getsockopt(socket.id, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
    number = errno;
    ensure_was_socket(number);
  }
  if (number != 0) {
    return failure(number);
  }
  // SO_ERROR is 0 while it is under way and when it is done; only in the second case is there a peer.
  SystemAddress peer;
  if (::getpeername(socket.id, peer.out(), peer.out_size()) != 0) {
    return failure(errno == ENOTCONN ? EAGAIN : errno);
  }
  return {};
}

Result<Socket, Error> LinuxPort::connect_datagram(const Address& to) {
  ENSURE(to.family == Family::ipv4 || to.family == Family::ipv6);
  SystemAddress address;
  ENSURE(address.set({.address = to}) == 0);
  const int descriptor = ::socket(address.family(), datagram_socket, 0);
  if (descriptor < 0) {
    return failure(errno == EAFNOSUPPORT ? ENETUNREACH : errno);  // a kernel without IPv6 has no way to there
  }
  int number = 0;
  do {
    number = ::connect(descriptor, address.get(), address.size()) == 0 ? 0 : errno;
  } while (number == EINTR);
  if (number != 0) {
    ::close(descriptor);
    return failure(number == EAGAIN ? EADDRNOTAVAIL : number);  // EAGAIN: no local port is left (ip(7))
  }
  return Socket{descriptor};
}

// ---- transfer

IoResult LinuxPort::recv(Socket socket, std::span<std::byte> out) {
  ENSURE(!out.empty());
  for (int empty_datagrams = 0; empty_datagrams < empty_datagrams_max;) {
    const ssize_t size = ::recv(socket.id, out.data(), out.size(), 0);
    if (size > 0) {
      return {.status = IoStatus::ok, .size = static_cast<std::size_t>(size)};
    }
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size < 0) {
      const int number = errno;
      ensure_was_socket(number);
      return io_failure(number);
    }
    // Nothing is the end of a stream, and an empty datagram otherwise. Asked only here, so that bytes cost one call.
    if (socket_option(socket.id, SO_TYPE) != SOCK_DGRAM) {
      return {.status = IoStatus::end};
    }
    ++empty_datagrams;
  }
  return {.status = IoStatus::would_block};
}

IoResult LinuxPort::send(Socket socket, std::span<const std::byte> first, std::span<const std::byte> second,
                         bool more) {
  ENSURE(!first.empty() || !second.empty());
  const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  ssize_t size = 0;
  if (first.empty() || second.empty()) {
    const std::span<const std::byte> bytes = first.empty() ? second : first;
    do {
      size = ::send(socket.id, bytes.data(), bytes.size(), flags);
    } while (size < 0 && errno == EINTR);
  } else {
    std::array<iovec, 2> pieces{};
    pieces[0] = {.iov_base = const_cast<std::byte*>(first.data()), .iov_len = first.size()};  // only read from
    pieces[1] = {.iov_base = const_cast<std::byte*>(second.data()), .iov_len = second.size()};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    do {
      size = ::sendmsg(socket.id, &message, flags);
    } while (size < 0 && errno == EINTR);
  }
  if (size < 0) {
    const int number = errno;
    ensure_was_socket(number);
    return io_failure(number);
  }
  return {.status = IoStatus::ok, .size = static_cast<std::size_t>(size)};
}

IoResult LinuxPort::send_file(Socket socket, File file, std::uint64_t offset, std::size_t size) {
  ENSURE(size > 0);
  if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) {
    return {.status = IoStatus::end};
  }
  ssize_t sent = 0;
  do {
    off_t position = static_cast<off_t>(offset);
    sent = ::sendfile(socket.id, file.id, &position, std::min(size, send_file_max));
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    const int number = errno;
    ensure_was_socket(number);
    return io_failure(number);
  }
  if (sent == 0) {
    return {.status = IoStatus::end};
  }
  return {.status = IoStatus::ok, .size = static_cast<std::size_t>(sent)};
}

void LinuxPort::shutdown_send(Socket socket) {
  if (::shutdown(socket.id, SHUT_WR) != 0) {
    ensure_was_socket(errno);  // anything else, ENOTCONN above all: the connection is lost, and recv or send will tell
  }
}

void LinuxPort::close(Socket socket) {
  ENSURE(socket.is_open());
  set_registered(socket.id,
                 false);  // the kernel takes the descriptor out of `epoll_` itself: it is the only one of its socket
  forget_local_listener(socket.id);
  if (::close(socket.id) != 0) {
    ENSURE(errno != EBADF);  // EINTR and the like: Linux has closed it nevertheless (close(2))
  }
}

}  // namespace pollux::port
