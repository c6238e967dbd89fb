// client_tls: what tests/bench/run --tls needs beside wrk - handshakes, and a known number of requests, over TLS by mbedTLS.
//
//   client_tls PORT full12|full13|resumed12|resumed13 seconds S    connections to 127.0.0.1:PORT, one after the other, for S seconds. Each is
//                                                                  a handshake, close_notify, and waiting for the peer's end
//   client_tls PORT full12|full13|resumed12|resumed13 count N      the same, N of them (and one more before, to be resumed)
//   client_tls PORT get count N                                    N small requests on one connection, one after the other
//
// Prints "COUNT SECONDS PROCESSOR_NS": what was done, wall-clock time, processor time of the client. A handshake that is resumed and should not
// be, or the other way round, is one line on standard error and exit status 1, and so is everything that goes wrong.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/bench/client_run.hpp"
#include "tests/bench/tls_bare.hpp"

namespace {

constexpr std::string_view request =
    "GET /hello HTTP/1.1\r\n"
    "Host: 127.0.0.1:8080\r\n"
    "\r\n";

int send_some(void* descriptor, const unsigned char* bytes, std::size_t size) {
  const ssize_t sent = ::send(*static_cast<int*>(descriptor), bytes, size, MSG_NOSIGNAL);
  return sent < 0 ? -1 : static_cast<int>(sent);
}

int receive_some(void* descriptor, unsigned char* out, std::size_t size) {
  const ssize_t received = ::recv(*static_cast<int*>(descriptor), out, size, 0);
  return received < 0 ? -1 : static_cast<int>(received);
}

class Client {
 public:
  Client(std::uint16_t port, const mbedtls_ssl_config& config) : port_{port} {
    mbedtls_ssl_init(&ssl_);
    mbedtls_ssl_session_init(&session_);
    if (const int code = mbedtls_ssl_setup(&ssl_, &config); code != 0) {
      bare::fail("mbedtls_ssl_setup", code);
    }
    mbedtls_ssl_set_bio(&ssl_, &descriptor_, send_some, receive_some, nullptr);
    mbedtls_ssl_set_hostname(&ssl_, "localhost");
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // True: it was resumed.
  bool connect(bool resume) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      bare::fail("connect");
    }
    if (resume && has_session_ && mbedtls_ssl_set_session(&ssl_, &session_) != 0) {
      bare::fail("mbedtls_ssl_set_session");
    }
    bool was_full = false;
    while (!bare::is_over(ssl_)) {
      was_full = was_full || bare::is_full_step(ssl_);
      if (const int code = mbedtls_ssl_handshake_step(&ssl_); code != 0) {
        bare::fail("handshake", code);
      }
    }
    if (mbedtls_ssl_get_version_number(&ssl_) == MBEDTLS_SSL_VERSION_TLS1_2) {
      keep_session();
    }
    return !was_full;
  }

  void get() {
    std::size_t size = 0;
    write(request);
    std::size_t wanted = answer_size_;
    while (wanted == 0 || size < wanted) {
      const int code = read(size);
      if (code <= 0) {
        bare::fail("no answer", code);
      }
      size += static_cast<std::size_t>(code);
      wanted = wanted != 0 ? wanted : whole_size(std::string_view{answer_.data(), size});
    }
    if (size != wanted || !std::string_view{answer_.data(), size}.starts_with("HTTP/1.1 200 ")) {
      bare::fail("another answer than before");
    }
    answer_size_ = wanted;
  }

  void close() {
    mbedtls_ssl_close_notify(&ssl_);
    ::shutdown(descriptor_, SHUT_WR);
    while (read(0) > 0) {
    }
    ::close(descriptor_);
    mbedtls_ssl_session_reset(&ssl_);
  }

 private:
  void keep_session() {
    mbedtls_ssl_session_free(&session_);
    mbedtls_ssl_session_init(&session_);
    has_session_ = mbedtls_ssl_get_session(&ssl_, &session_) == 0;
  }

  void write(std::string_view text) {
    const int code = mbedtls_ssl_write(&ssl_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
      keep_session();
      write(text);
    } else if (code != static_cast<int>(text.size())) {
      bare::fail("send", code);
    }
  }

  // As mbedtls_ssl_read() into the answer from `at`, tickets kept.
  int read(std::size_t at) {
    for (;;) {
      const int code =
          mbedtls_ssl_read(&ssl_, reinterpret_cast<unsigned char*>(answer_.data()) + at, answer_.size() - at);
      if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
        keep_session();
      } else if (code != MBEDTLS_ERR_SSL_WANT_READ) {  // a blocking socket: only that there is a ticket to be looked at
        return code;
      }
    }
  }

  // 0: its head is not complete.
  static std::size_t whole_size(std::string_view text) {
    constexpr std::string_view name = "\r\nContent-Length: ";
    const std::size_t end = text.find("\r\n\r\n");
    const std::size_t field = text.find(name);
    if (end == std::string_view::npos || field == std::string_view::npos) {
      return 0;
    }
    return end + 4 + std::strtoul(text.data() + field + name.size(), nullptr, 10);
  }

  std::uint16_t port_;
  int descriptor_ = -1;
  mbedtls_ssl_context ssl_{};
  mbedtls_ssl_session session_{};
  bool has_session_ = false;
  std::size_t answer_size_ = 0;
  std::array<char, 4096> answer_{};
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc == 5 ? argv[2] : "";
  const std::string_view until = argc == 5 ? argv[3] : "";
  const bool is_full = kind == "full12" || kind == "full13";
  const bool is_resumed = kind == "resumed12" || kind == "resumed13";
  const bool is_get = kind == "get";
  if ((!is_full && !is_resumed && !is_get) || (until != "seconds" && until != "count")) {
    bare::fail("client_tls: see the head of tests/bench/client_tls.cpp");
  }
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const auto number = static_cast<std::uint64_t>(std::atoll(argv[4]));
  const std::int64_t duration = until == "seconds" ? static_cast<std::int64_t>(number) * 1'000'000'000 : 0;

  bare::start();
  mbedtls_ssl_config config;
  bare::configure(config, bare::End::client);
  if (!is_get) {
    bare::only(config, kind.ends_with("13"));
  }
  static Client client{port, config};
  client.connect(false);
  if (!is_get) {
    client.close();
  }
  const std::int64_t start = bench::now_ns();
  const std::int64_t start_processor = bench::processor_ns();
  std::uint64_t count = 0;
  while (duration != 0 ? bench::now_ns() - start < duration : count < number) {
    if (is_get) {
      client.get();
    } else {
      if (client.connect(is_resumed) != is_resumed) {
        bare::fail(is_resumed ? "client_tls: not resumed" : "client_tls: resumed");
      }
      client.close();
    }
    ++count;
  }
  std::printf("%llu %.6f %lld\n", static_cast<unsigned long long>(count),
              static_cast<double>(bench::now_ns() - start) / 1e9,
              static_cast<long long>(bench::processor_ns() - start_processor));
  if (is_get) {
    client.close();
  }
}
