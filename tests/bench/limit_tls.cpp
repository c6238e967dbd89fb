// limit_tls: the bare mbedTLS server that pollux is measured against over https. One poll(2) loop; it looks for the end of each head and sends a
// constant: limit::answer, or 10 MB for a target that begins with "/static/". What the socket has is read at once and handed out from there,
// as whoever wants to be quick has to do with mbedTLS, which asks for five bytes first. Like limit_poll it checks nothing and knows no
// deadlines, no limits, no routes.
//
//   limit_tls CERTIFICATE KEY         PEM files; prints "listening on https://127.0.0.1:PORT"
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "tests/bench/limit.hpp"
#include "tests/bench/tls_bare.hpp"

namespace {

constexpr std::size_t connections_max = 64;
constexpr std::size_t body_size = 10'000'000;
constexpr std::string_view body_head =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/octet-stream\r\n"
    "Content-Length: 10000000\r\n"
    "\r\n";

struct Connection {
  int descriptor = -1;
  mbedtls_ssl_context ssl{};
  bool wants_write = false;
  bool is_drained = false;  // the last receive took all there was
  std::array<char, limit::head_size_max> in{};
  std::size_t used = 0;
  std::string_view out;   // what the socket has not taken
  std::string_view next;  // what follows it
  std::array<unsigned char, 2048> staged{};
  std::size_t staged_at = 0;
  std::size_t staged_end = 0;
};

std::array<Connection, connections_max> connections;
std::vector<char> body(body_size, 'x');

int send_some(void* object, const unsigned char* bytes, std::size_t size) {
  const ssize_t sent = ::send(static_cast<Connection*>(object)->descriptor, bytes, size, MSG_NOSIGNAL);
  if (sent >= 0) {
    return static_cast<int>(sent);
  }
  return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : -1;
}

int receive_some(void* object, unsigned char* out, std::size_t size) {
  Connection& connection = *static_cast<Connection*>(object);
  if (connection.staged_at == connection.staged_end) {
    if (connection.is_drained) {
      return MBEDTLS_ERR_SSL_WANT_READ;
    }
    const ssize_t received = ::recv(connection.descriptor, connection.staged.data(), connection.staged.size(), 0);
    if (received <= 0) {
      return received < 0 && errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : -1;
    }
    connection.staged_at = 0;
    connection.staged_end = static_cast<std::size_t>(received);
    connection.is_drained = connection.staged_end < connection.staged.size();
  }
  const std::size_t count = std::min(size, connection.staged_end - connection.staged_at);
  std::memcpy(out, connection.staged.data() + connection.staged_at, count);
  connection.staged_at += count;
  return static_cast<int>(count);
}

// What has to be sent; false: the connection is over. `wants_write` if the socket refused some of it.
bool flush(Connection& connection) {
  connection.wants_write = false;
  while (!connection.out.empty()) {
    const int code = mbedtls_ssl_write(&connection.ssl, reinterpret_cast<const unsigned char*>(connection.out.data()),
                                       connection.out.size());
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE) {
      connection.wants_write = true;
      return true;
    }
    if (code <= 0) {
      return false;
    }
    connection.out.remove_prefix(static_cast<std::size_t>(code));
    if (connection.out.empty()) {
      connection.out = connection.next;
      connection.next = {};
    }
  }
  return true;
}

// One head was found; one answer at a time is enough for the clients that are used here.
bool answer(Connection& connection, std::string_view head) {
  if (head.starts_with("GET /static/")) {
    connection.out = body_head;
    connection.next = {body.data(), body.size()};
  } else {
    connection.out = limit::answer;
  }
  return flush(connection);
}

// As far as it goes without waiting; false: the connection is over.
bool serve(Connection& connection) {
  connection.is_drained = false;
  if (!bare::is_over(connection.ssl)) {
    const int code = mbedtls_ssl_handshake(&connection.ssl);
    connection.wants_write = code == MBEDTLS_ERR_SSL_WANT_WRITE;
    if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
      return true;
    }
    if (code != 0) {
      return false;
    }
  }
  if (!flush(connection)) {
    return false;
  }
  while (!connection.wants_write) {
    char* const in = connection.in.data();
    const int code = mbedtls_ssl_read(&connection.ssl, reinterpret_cast<unsigned char*>(in) + connection.used,
                                      connection.in.size() - connection.used);
    if (code == MBEDTLS_ERR_SSL_WANT_READ) {
      return true;
    }
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
      mbedtls_ssl_close_notify(&connection.ssl);
    }
    if (code <= 0) {
      return false;
    }
    connection.used += static_cast<std::size_t>(code);
    if (::memmem(in, connection.used, "\r\n\r\n", 4) != nullptr) {
      const std::string_view head{in, connection.used};
      connection.used = 0;
      if (!answer(connection, head)) {
        return false;
      }
    } else if (connection.used == connection.in.size()) {
      return false;
    }
  }
  return true;
}

void close(Connection& connection) {
  ::close(connection.descriptor);
  connection.descriptor = -1;
  mbedtls_ssl_session_reset(&connection.ssl);
}

bool open(int descriptor) {
  for (Connection& connection : connections) {
    if (connection.descriptor == -1) {
      connection.descriptor = descriptor;
      connection.wants_write = false;
      connection.used = connection.staged_at = connection.staged_end = 0;
      connection.out = connection.next = {};
      return true;
    }
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    bare::fail("limit_tls CERTIFICATE KEY");
  }
  bare::start();
  static mbedtls_ssl_config config;
  bare::configure(config, bare::End::server);
  bare::serve(config, argv[1], argv[2]);
  for (Connection& connection : connections) {
    mbedtls_ssl_init(&connection.ssl);
    if (const int code = mbedtls_ssl_setup(&connection.ssl, &config); code != 0) {
      bare::fail("mbedtls_ssl_setup", code);
    }
    mbedtls_ssl_set_bio(&connection.ssl, &connection, send_some, receive_some, nullptr);
  }
  const int listener = limit::listen_on_loopback("https");
  std::array<pollfd, connections_max + 1> entries;
  std::array<Connection*, connections_max + 1> of_entry;
  entries[0] = {.fd = listener, .events = POLLIN, .revents = 0};
  for (;;) {
    std::size_t count = 1;
    for (Connection& connection : connections) {
      if (connection.descriptor != -1) {
        const short events = connection.wants_write ? POLLOUT : POLLIN;
        entries[count] = {.fd = connection.descriptor, .events = events, .revents = 0};
        of_entry[count++] = &connection;
      }
    }
    if (::poll(entries.data(), count, -1) < 0) {
      std::perror("poll");
      return 1;
    }
    for (std::size_t i = 1; i < count; ++i) {
      if (entries[i].revents != 0 && !serve(*of_entry[i])) {
        close(*of_entry[i]);
      }
    }
    while (entries[0].revents != 0) {
      const int descriptor = limit::accept_next(listener);
      if (descriptor < 0) {
        break;
      }
      if (!open(descriptor)) {
        ::close(descriptor);
      }
    }
  }
}
