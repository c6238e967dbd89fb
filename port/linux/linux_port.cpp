// Construction, time, waiting, signals and the service manager. Sockets are in linux_sockets.cpp, files in
// linux_files.cpp.
#include "port/linux/linux_port.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <utility>

#include "port/ensure.hpp"
#include "port/linux/system_address.hpp"

namespace pollux::port {
namespace {

// How long the program may have been busy since it asked for the time, without a poll() coming back too late for it.
constexpr Duration clock_slack = std::chrono::seconds{1};

// The kernel reads and writes our entries as they are.
static_assert(sizeof(PollEntry) == sizeof(pollfd), "PollEntry has the layout of struct pollfd");
static_assert(alignof(PollEntry) == alignof(pollfd), "PollEntry has the layout of struct pollfd");
static_assert(offsetof(PollEntry, socket) == offsetof(pollfd, fd), "PollEntry has the layout of struct pollfd");
static_assert(offsetof(PollEntry, interest) == offsetof(pollfd, events), "PollEntry has the layout of struct pollfd");
static_assert(offsetof(PollEntry, ready) == offsetof(pollfd, revents), "PollEntry has the layout of struct pollfd");
static_assert(static_cast<int>(Events::readable) == POLLIN, "Events are those of poll(2)");
static_assert(static_cast<int>(Events::writable) == POLLOUT, "Events are those of poll(2)");
static_assert(static_cast<int>(Events::error) == POLLERR, "Events are those of poll(2)");
static_assert(static_cast<int>(Events::hangup) == POLLHUP, "Events are those of poll(2)");
static_assert(static_cast<int>(Events::peer_closed) == POLLRDHUP, "Events are those of poll(2)");
static_assert(EPOLLIN == POLLIN && EPOLLERR == POLLERR, "the events of epoll(7) are those of poll(2)");
static_assert(EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP, "the events of epoll(7) are those of poll(2)");

static_assert(sizeof(off_t) == 8, "files may be larger than 2 GB: compile with _FILE_OFFSET_BITS=64");
static_assert(sizeof(time_t) == 8, "the year 2038 will come: compile with _TIME_BITS=64");

// What `signals_` is called within the epoll descriptor; tokens of parked sockets have 32 bits.
constexpr std::uint64_t signals_tag = std::uint64_t{1} << 32;
// Parked sockets taken per poll; the others are reported by the next one.
constexpr std::size_t parked_batch_max = 64;

// The number of each Signal, in its order.
constexpr std::array<int, 4> signal_numbers{SIGTERM, SIGINT, SIGHUP, SIGUSR1};

std::array<bool, 4> watched_of(const WatchedSignals& signals) noexcept {
  return {signals.terminate, signals.interrupt, signals.hangup, signals.user1};
}

timespec to_timespec(Duration duration) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  timespec result{};
  result.tv_sec = static_cast<time_t>(seconds.count());
  result.tv_nsec = static_cast<decltype(result.tv_nsec)>((duration - seconds).count());
  return result;
}

// The decimal number in the environment variable `name`, or -1.
long environment_number(const char* name) noexcept {
  const char* text = ::getenv(name);
  if (text == nullptr || *text == '\0') {
    return -1;
  }
  long value = 0;
  for (; *text != '\0'; ++text) {
    if (*text < '0' || *text > '9' || value > (INT_MAX - 9) / 10) {
      return -1;
    }
    value = value * 10 + (*text - '0');
  }
  return value;
}

bool is_listening_stream(int descriptor) noexcept {
  return socket_option(descriptor, SO_ACCEPTCONN) == 1 && socket_option(descriptor, SO_TYPE) == SOCK_STREAM;
}

}  // namespace

LinuxPort::LinuxPort(const LinuxPortOptions& options) noexcept : options_{options} {
  if (timespec unused{}; options_.boot_time && ::clock_gettime(CLOCK_BOOTTIME, &unused) == 0) {
    clock_ = CLOCK_BOOTTIME;
  }
  std::byte first{};
  random({&first, 1});  // whatever there is to wait for is waited for here

  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ENSURE(::sigaction(SIGPIPE, &ignore, &pipe_before_) == 0);  // sendfile(2) has no MSG_NOSIGNAL

  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  watch_signals();
}

LinuxPort::~LinuxPort() {
  restore_signals();
  if (epoll_ >= 0) {
    ::close(epoll_);
  }
  ::sigaction(SIGPIPE, &pipe_before_, nullptr);
}

// ---- time and randomness

Time LinuxPort::now() {
  timespec time{};
  ENSURE(::clock_gettime(clock_, &time) == 0);
  last_now_ = Time{std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec}};
  return last_now_;
}

WallTime LinuxPort::wall_clock() {
  timespec time{};
  ENSURE(::clock_gettime(CLOCK_REALTIME, &time) == 0);
  return WallTime{.seconds = time.tv_sec};
}

void LinuxPort::random(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t size = ::getrandom(out.data(), out.size(), 0);
    if (size < 0) {
      ENSURE(errno ==
             EINTR);  // nothing else can happen to it (getrandom(2)), and no program should go on with guessable keys
      continue;
    }
    out = out.subspan(static_cast<std::size_t>(size));
  }
}

// ---- waiting

PollOutcome LinuxPort::poll(std::span<PollEntry> entries, std::span<ParkedEvent> parked, Time until) {
  ENSURE(entries.size() >= poll_entries_reserved);
  PollEntry& own = entries.back();
  const bool includes_parked = parked_any_ && !parked.empty();
  own = {.socket = {includes_parked ? epoll_ : signals_}, .interest = Events::readable};

  timespec wait{};
  const Time known = std::exchange(last_now_, never);
  if (until != never) {
    // Far from the deadline, the time that now() said in this turn is good enough, for a wait that ends too early; the clock is asked
    // when the deadline gets near, and when nobody has asked since the last wait.
    if (known < until && until - known > 2 * clock_slack) {
      wait = to_timespec(until - known - clock_slack);
    } else {
      const Time start = now();
      last_now_ = never;
      wait = to_timespec(until <= start ? Duration::zero() : until - start);
    }
  }
  const int count = ::ppoll(reinterpret_cast<pollfd*>(entries.data()), static_cast<nfds_t>(entries.size()),
                            until == never ? nullptr : &wait, nullptr);
  const int number = count < 0 ? errno : 0;
  const bool own_is_ready = count > 0 && own.ready != Events::none;
  own = {};
  if (count < 0) {
    ENSURE(number == EINTR || number == ENOMEM);  // EINVAL: more entries than RLIMIT_NOFILE allows descriptors
    for (PollEntry& entry : entries) {
      entry.ready = Events::none;
    }
    return {.has_signal = signals_ready_};
  }

  PollOutcome outcome{.ready = static_cast<std::size_t>(count) - (own_is_ready ? 1 : 0)};
  for (std::size_t i = 0, left = outcome.ready; left > 0; ++i) {
    const int ready = static_cast<int>(entries[i].ready);
    ENSURE((ready & POLLNVAL) == 0);  // the entry's socket is not open
    left -= ready != 0 ? 1 : 0;
  }
  if (own_is_ready && includes_parked) {
    outcome.parked_ready = take_parked(parked);
  } else if (own_is_ready) {
    signals_ready_ = true;
  }
  outcome.has_signal = signals_ready_;
  return outcome;
}

std::size_t LinuxPort::take_parked(std::span<ParkedEvent> parked) noexcept {
  std::array<epoll_event, parked_batch_max> events;
  const auto limit = static_cast<int>(std::min(parked.size(), events.size()));
  const int count = ::epoll_wait(epoll_, events.data(), limit, 0);
  std::size_t taken = 0;
  for (int i = 0; i < count; ++i) {  // -1 is EINTR: what is ready stays ready
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const std::uint64_t tag = event.data.u64;
    if (tag == signals_tag) {
      signals_ready_ = true;
      continue;
    }
    parked[taken++] = {.token = static_cast<std::uint32_t>(tag), .ready = static_cast<Events>(event.events)};
  }
  return taken;
}

bool LinuxPort::park(Socket socket, std::uint32_t token) {
  ENSURE(socket.is_open());
  if (!options_.parking || epoll_ < 0 || socket.id >= parkable_descriptors) {
    return false;
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
  event.data.u64 = token;
  if (::epoll_ctl(epoll_, is_registered(socket.id) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket.id, &event) != 0) {
    const int number = errno;
    ENSURE(number == ENOMEM || number == ENOSPC);  // ENOSPC: /proc/sys/fs/epoll/max_user_watches
    return false;
  }
  set_registered(socket.id, true);
  parked_any_ = true;
  return true;
}

void LinuxPort::unpark(Socket socket) {
  ENSURE(socket.is_open());
  if (!is_registered(socket.id)) {
    return;
  }
  // Not EPOLL_CTL_MOD to no events: the kernel then still reports EPOLLERR and EPOLLHUP, with a token that means
  // nothing any more.
  ENSURE(::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket.id, nullptr) == 0);
  set_registered(socket.id, false);
}

bool LinuxPort::is_registered(int descriptor) const noexcept {
  const auto bit = static_cast<std::size_t>(descriptor);
  return descriptor < parkable_descriptors && (registered_[bit / 32] >> (bit % 32) & 1U) != 0;
}

void LinuxPort::set_registered(int descriptor, bool value) noexcept {
  if (descriptor >= parkable_descriptors) {
    return;
  }
  const auto bit = static_cast<std::size_t>(descriptor);
  const std::uint32_t mask = std::uint32_t{1} << (bit % 32);
  registered_[bit / 32] = value ? registered_[bit / 32] | mask : registered_[bit / 32] & ~mask;
}

// ---- signals

// signalfd(2), and not handlers with a mask for ppoll(2): a ppoll that finds something ready puts the old mask back
// before it delivers a signal, so a server that is never idle would never hear of SIGTERM.
//
// What the program does with a signal stays as it is: one that is blocked waits for the descriptor even where it is
// ignored.
void LinuxPort::watch_signals() noexcept {
  const std::array<bool, 4> watched = watched_of(options_.signals);
  sigset_t set;
  sigemptyset(&set);
  bool any = false;
  for (std::size_t i = 0; i < watched.size(); ++i) {
    struct sigaction action {};
    ENSURE(::sigaction(signal_numbers[i], nullptr, &action) == 0);
    const bool is_nohup = signal_numbers[i] == SIGHUP && action.sa_handler == SIG_IGN;
    if (watched[i] && !is_nohup) {
      sigaddset(&set, signal_numbers[i]);
      any = true;
    }
  }
  ENSURE(::sigprocmask(SIG_BLOCK, nullptr, &mask_before_) == 0);
  signals_ = any ? ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC) : -1;
  if (signals_ < 0) {
    return;  // without the descriptor the signals keep their usual effect, which is better than none
  }
  ENSURE(::sigprocmask(SIG_BLOCK, &set, nullptr) == 0);
  if (epoll_ >= 0) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = signals_tag;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, signals_, &event) != 0) {
      ::close(epoll_);  // signals matter more than parking
      epoll_ = -1;
    }
  }
}

void LinuxPort::restore_signals() noexcept {
  if (signals_ < 0) {
    return;
  }
  signals_ready_ = true;
  for (Signal unused{}; take_signal(unused);) {
  }
  ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  ::close(signals_);
  signals_ = -1;
}

bool LinuxPort::take_signal(Signal& signal) {
  if (!signals_ready_) {
    return false;
  }
  signalfd_siginfo info{};
  ssize_t size = 0;
  do {
    size = ::read(signals_, &info, sizeof info);
  } while (size < 0 && errno == EINTR);
  if (size != static_cast<ssize_t>(sizeof info)) {
    signals_ready_ = false;
    return false;
  }
  const auto found = std::find(signal_numbers.begin(), signal_numbers.end(), static_cast<int>(info.ssi_signo));
  ENSURE(found != signal_numbers.end());
  signal = static_cast<Signal>(found - signal_numbers.begin());
  return true;
}

// ---- the service manager

std::size_t LinuxPort::inherited_listeners(std::span<Socket> out) noexcept {
  constexpr int first_inherited = 3;  // SD_LISTEN_FDS_START
  const bool is_for_us = environment_number("LISTEN_PID") == static_cast<long>(::getpid());
  const long offered = environment_number("LISTEN_FDS");
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_FDNAMES");
  if (!is_for_us) {
    return 0;
  }
  std::size_t count = 0;
  for (long i = 0; i < offered && count < out.size(); ++i) {
    const int descriptor = first_inherited + static_cast<int>(i);
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0) {
      break;  // not open: there are fewer than promised
    }
    if (!is_listening_stream(descriptor)) {
      continue;
    }
    ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    set_stream_options(descriptor);
    out[count++] = Socket{descriptor};
  }
  return count;
}

bool LinuxPort::notify(std::string_view state) noexcept {
  const char* path = ::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (*path != '/' && *path != '@')) {
    return false;
  }
  SystemAddress to;
  if (to.set_path(path) != 0) {
    return false;
  }
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    return false;
  }
  const ssize_t size = ::sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL, to.get(), to.size());
  ::close(descriptor);
  return size == static_cast<ssize_t>(state.size());
}

}  // namespace pollux::port
