// Port: everything a program cannot compute by itself - time, randomness, the network and files - behind one abstract
// class.
//
// This header is the whole contract: whoever writes a new port (another system, a simulator, a decorator) needs to read
// nothing else, and tests/port/contract holds every port to it. Rules for all calls:
//   - One thread: the one that runs the loop.
//   - Nothing waits except poll(). Nothing allocates after construction.
//   - Views and spans are used during the call and not kept, except that `park` keeps its token.
//   - A failure is a value. A socket or file that is not open, or of the wrong kind, is a bug of the caller (ENSURE).
//
// The virtual seam costs less than the noise of a system call (measured, see README) and buys two ports in one test
// binary, faults as a decorator, and tests that run the very code that ships.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/address.hpp"
#include "port/result.hpp"
#include "port/time.hpp"

namespace pollux::port {

// One open socket: a listener, a stream or a datagram socket. A small number that the port gave; copying it does not
// copy the socket.
struct Socket {
  int id = -1;
  [[nodiscard]] constexpr bool is_open() const noexcept { return id >= 0; }
  friend constexpr bool operator==(const Socket&, const Socket&) = default;
};

// One open file or directory.
struct File {
  int id = -1;
  [[nodiscard]] constexpr bool is_open() const noexcept { return id >= 0; }
  friend constexpr bool operator==(const File&, const File&) = default;
};

// Why a call that makes or opens something did not. `system_error()` gives the number behind it (errno on Linux).
enum class Error : std::uint8_t {
  would_block,        // accept: nobody is waiting; try again when the listener is readable
  aborted,            // accept: this one peer went away before it was accepted (ECONNABORTED ...); try the next at once
  no_descriptors,     // EMFILE, ENFILE: no room for one more socket or file; try again later
  no_memory,          // ENOMEM, ENOBUFS: the kernel has no memory for it; try again later
  address_in_use,     // listen: somebody listens there already
  address_not_here,   // listen: no interface has this address (EADDRNOTAVAIL)
  permission_denied,  // EACCES, EPERM
  not_found,          // file or directory or unix socket does not exist (ENOENT, ENOTDIR)
  not_regular,        // open_file: neither a regular file nor a directory (device, fifo, socket)
  outside,            // open_file: the path leads out of the directory, or through a symbolic link that does
  name_too_long,      // path or unix socket name is longer than the system takes
  refused,            // connect: nobody listens there
  unreachable,        // connect: no route (EHOSTUNREACH, ENETUNREACH, ENETDOWN)
  timed_out,          // connect: no answer in the kernel's own time
  failed,             // anything else
};

// What a transfer did.
enum class IoStatus : std::uint8_t {
  ok,           // 1..n bytes moved, counted in IoResult::size
  would_block,  // nothing moved; again when poll() says readable (recv) or writable (send)
  end,          // recv: the peer finished sending (FIN); nothing more will come. send_file: no bytes at offset
  failed,       // the connection is lost (reset, timed out, local error); only close() is left
};

struct IoResult {
  IoStatus status = IoStatus::failed;
  std::size_t size = 0;  // bytes moved; 0 unless status is ok
};

// What to wait for, and what happened: a set of these bits. The values are those of poll(2) on Linux, so that the Linux
// port hands its entries to the kernel as they are (checked by static_assert there); another port maps them.
enum class Events : std::int16_t {
  none = 0,
  readable = 0x001,      // POLLIN: recv or accept will not say would_block
  writable = 0x004,      // POLLOUT: send will not say would_block
  error = 0x008,         // POLLERR: always reported; recv or send will tell
  hangup = 0x010,        // POLLHUP: always reported; both directions are finished
  peer_closed = 0x2000,  // POLLRDHUP: the peer finished sending; there may be bytes before that to recv
};
[[nodiscard]] constexpr Events operator|(Events a, Events b) noexcept {
  return static_cast<Events>(static_cast<int>(a) | static_cast<int>(b));
}
[[nodiscard]] constexpr Events operator&(Events a, Events b) noexcept {
  return static_cast<Events>(static_cast<int>(a) & static_cast<int>(b));
}
// True if any of `wanted` is in `events`.
[[nodiscard]] constexpr bool has(Events events, Events wanted) noexcept {
  return (events & wanted) != Events::none;
}

// One line of a poll: fill `socket` and `interest`, read `ready` afterwards. Layout of struct pollfd. `interest` may be
// none: then only error and hangup are reported. An entry whose socket is not open is passed over. A socket stands in
// at most one entry and is not parked at the same time.
struct PollEntry {
  Socket socket;
  Events interest = Events::none;
  Events ready = Events::none;
};

// How many entries at the end of the span given to Port::poll() are the port's own (see there).
inline constexpr std::size_t poll_entries_reserved = 1;

// One parked socket that woke up (see Port::park).
struct ParkedEvent {
  std::uint32_t token = 0;  // as given to park()
  Events ready = Events::none;
};

struct PollOutcome {
  std::size_t ready = 0;         // how many of the caller's entries have a `ready` that is not none
  std::size_t parked_ready = 0;  // how many of `parked` were filled
  bool has_signal = false;       // take_signal() has something to tell
};

// Signals a program is told about, in the loop and nowhere else.
enum class Signal : std::uint8_t { terminate, interrupt, hangup, user1 };

struct ListenOptions {
  Endpoint endpoint;                // port 0: the system picks one; local_address() tells
  std::uint16_t backlog = 511;      // connections the system queues before they are accepted
  bool reuse_port = false;          // SO_REUSEPORT
  bool free_bind = false;           // IP_FREEBIND: listen before the address exists on an interface (ip(7))
  bool ipv6_only = true;            // IPV6_V6ONLY: an IPv6 listener takes no IPv4 connections
  std::uint16_t local_mode = 0600;  // access mode of a unix socket file
};

struct Accepted {
  Socket socket;
  Address peer;
};

enum class FileKind : std::uint8_t { regular, directory };

struct FileInfo {
  File file;
  FileKind kind = FileKind::regular;
  std::uint64_t size = 0;       // bytes; 0 for a directory
  WallTime modified;            // last change of the content
  std::uint64_t change_id = 0;  // differs when size, time (in nanoseconds) or identity do: for an entity tag
};

class Port {
 public:
  // ---- time and randomness

  // Monotonic time, counting suspend. Never goes back. Source: clock_gettime(2), CLOCK_BOOTTIME.
  [[nodiscard]] virtual Time now() = 0;
  // Calendar time; may be wrong or jump (boards without a clock start in 1970 or at the build date).
  [[nodiscard]] virtual WallTime wall_clock() = 0;
  // Fills `out` with unpredictable bytes. Never fails and never waits after start. Source: getrandom(2).
  virtual void random(std::span<std::byte> out) = 0;

  // ---- sockets

  // A non-blocking listening stream socket. SO_REUSEADDR is set; what accepted connections inherit (TCP_NODELAY,
  // keep-alive, TCP_USER_TIMEOUT) is set here, once. A stale unix socket file that nobody serves is replaced; a file
  // that is no socket never is (address_in_use). close() removes the file of a unix socket again.
  // Errors: address_in_use, address_not_here, permission_denied, not_found (the directory of a unix socket),
  // name_too_long, no_descriptors (also when the port's table of unix listeners is full), no_memory, failed.
  [[nodiscard]] virtual Result<Socket, Error> listen(const ListenOptions& options) = 0;
  // The address a socket really has, after port 0.
  [[nodiscard]] virtual Result<Address, Error> local_address(Socket socket) = 0;
  // The next waiting connection, non-blocking and closed on exec. Errors: would_block, aborted, no_descriptors,
  // no_memory, failed.
  [[nodiscard]] virtual Result<Accepted, Error> accept(Socket listener) = 0;
  // Starts to connect and does not wait: when poll() reports writable (or error, hangup), connect_result() tells how it
  // went.
  // Errors at once: no_descriptors, no_memory, refused, unreachable, address_not_here (no local port is left),
  // not_found, permission_denied, name_too_long, would_block (a unix listener's queue is full; try again later),
  // failed.
  [[nodiscard]] virtual Result<Socket, Error> connect(const Endpoint& to) = 0;
  // The end of a connect: success, would_block while it is under way, or why it failed (refused, unreachable,
  // timed_out, failed). After a failure only close() is left.
  [[nodiscard]] virtual Result<void, Error> connect_result(Socket socket) = 0;

  // A datagram socket (UDP) that talks to one peer and hears only that one; `to` is an IPv4 or IPv6 address with a
  // port. The system picks a source port nobody can guess (RFC 5452 section 4.5), and nothing goes out yet: with
  // local_address() it also tells which source address the system would use for `to` (RFC 6724 section 4), or
  // unreachable if there is no way.
  // send() sends its spans as one datagram, whole (ok) or not at all (would_block, failed); recv() takes one datagram,
  // cut to out.size(), and passes over empty ones. `failed` on such a socket speaks of the peer (ECONNREFUSED: nobody
  // listens there) or of a datagram that is too large; it stays usable. send() with `more`, shutdown_send(),
  // send_file() and park() are not for it.
  // Errors: no_descriptors, no_memory, unreachable, address_not_here (no local port is left), permission_denied, failed.
  [[nodiscard]] virtual Result<Socket, Error> connect_datagram(const Address& to) = 0;

  // Moves what has arrived into `out` (not empty), at most out.size() bytes. A size below out.size() means that nothing
  // more was there. Source: recv(2).
  [[nodiscard]] virtual IoResult recv(Socket socket, std::span<std::byte> out) = 0;
  // Sends from `first`, then `second` (either may be empty, not both), as one call; may take any part of them. `more`:
  // the caller is about to send again, so a short segment may be held back (MSG_MORE). Never raises SIGPIPE. Source:
  // sendmsg(2).
  [[nodiscard]] virtual IoResult send(Socket socket, std::span<const std::byte> first,
                                      std::span<const std::byte> second, bool more) = 0;
  // Sends up to `size` (> 0) bytes of `file` from `offset` without copying them through the program. Source:
  // sendfile(2).
  [[nodiscard]] virtual IoResult send_file(Socket socket, File file, std::uint64_t offset, std::size_t size) = 0;
  // Finishes our direction (FIN after what was sent); receiving goes on. Ignored on a lost connection.
  virtual void shutdown_send(Socket socket) = 0;
  // Gives the socket back. With unread input the peer sees a reset (see net-level lingering). A parked socket is
  // forgotten too.
  virtual void close(Socket socket) = 0;

  // ---- waiting

  // Waits until something is ready, `until` has come (`never`: no limit; a time not after now(): does not wait), or a
  // signal came. Sets every entry's `ready`; fills `parked` from the front with parked sockets that woke. An entry with
  // an error is reported, not a failure.
  //
  // entries.back() is the port's own (poll_entries_reserved): the caller leaves it unset and never reads it, and the
  // port puts the descriptor there that stands for everything parked, so that the span goes to the kernel as it is. The
  // span is therefore never empty: `n` sockets take n + poll_entries_reserved entries. PollOutcome::ready does not
  // count it.
  //
  // What does not fit into `parked` stays parked and is reported by a later poll(); with an empty `parked` the parked
  // sockets are not looked at. An event speaks of the moment poll() returned: a socket closed or unparked before is
  // never in it. With no socket, nothing parked and no limit a port may treat the program as stuck (SimPort stops it).
  // Returns early for no reason at all if it likes: callers loop. Source: ppoll(2).
  virtual PollOutcome poll(std::span<PollEntry> entries, std::span<ParkedEvent> parked, Time until) = 0;

  // Parks an idle stream: until it is readable, hung up or broken it costs poll() nothing. It then is reported once,
  // with `token`, by a later poll() and is no longer parked; a socket that is readable already is reported by the next
  // one. Parking a parked socket changes its token. unpark() takes it back before that, and does nothing to one that is
  // not parked. A port without such a thing, or without room for one more, says false and the caller keeps the socket
  // among the entries.
  // Source: epoll(7), one nested descriptor with EPOLLONESHOT.
  [[nodiscard]] virtual bool park(Socket socket, std::uint32_t token) = 0;
  virtual void unpark(Socket socket) = 0;

  // Takes one signal that came; false if there is none (more). Only signals that the port was made to watch, and only
  // those that a poll() has noticed: ask after a poll() that says has_signal, until false. The same signal may count once
  // however often it was sent.
  [[nodiscard]] virtual bool take_signal(Signal& signal) = 0;

  // ---- files (they may wait for the disk, never for the network)

  // Opens a directory by an ordinary path, to serve as the root of open_file().
  [[nodiscard]] virtual Result<File, Error> open_directory(std::string_view path) = 0;
  // Opens, for reading, what `path` names below `root`: relative, no "..", not leaving `root` even by symbolic links,
  // regular files and directories only, never waiting (a fifo is refused). "" or "." is the root itself. A path that is
  // absolute or has a ".." anywhere is `outside` whatever exists; a port that cannot tell where a symbolic link leads
  // refuses every link as `outside`. A slash at the end asks for a directory. Source: openat2(2), RESOLVE_BENEATH.
  // Errors: not_found, outside, not_regular, permission_denied, name_too_long, no_descriptors, failed.
  [[nodiscard]] virtual Result<FileInfo, Error> open_file(File root, std::string_view path) = 0;
  // Opens a regular file for reading by an ordinary path, absolute or from the working directory, symbolic links
  // followed: for files that the system or the operator named (/etc/resolv.conf), never for a name from a peer. Does
  // not wait (a fifo is refused).
  // Errors: as open_file() without outside; a directory is not_regular.
  [[nodiscard]] virtual Result<FileInfo, Error> open_path(std::string_view path) = 0;
  // Up to out.size() bytes at `offset`: ok, end (at or behind the end of the file) or failed. Source: pread(2).
  [[nodiscard]] virtual IoResult read_file(File file, std::uint64_t offset, std::span<std::byte> out) = 0;
  virtual void close_file(File file) = 0;

  // The system's number (errno on Linux) of the last call that returned failed or an Error; 0 if there was none. For
  // messages only.
  [[nodiscard]] virtual int system_error() const = 0;

  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

 protected:
  Port() = default;
  ~Port() = default;  // never deleted through the base: ports are objects of the program, not of the heap
};

// A short sentence part for messages: "address already in use". Points to static text.
[[nodiscard]] std::string_view describe(Error error) noexcept;

}  // namespace pollux::port
